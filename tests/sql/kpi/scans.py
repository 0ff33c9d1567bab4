"""Worked examples of scans, through the parser of the services."""

from __future__ import annotations

import re

import biip
from biip.gs1_messages import GS1Message

from services.api import gs1
from tests.sql.kpi.examples import Case, Numbers

NAMES = {"sscc": "00", "gtin": "01", "lot": "10", "batch": "10", "expiry": "17", "serial": "21"}
AI = re.compile(r"\d{2,4}")


def differences(case: Case) -> list[str]:
    """Expected values that the parser misses, and identifiers that nobody expects."""
    scan = case.inputs.get("scan") or case.inputs["code"]
    left = set(case.inputs) - {"scan", "code", "symbology", "notes"}
    found: Numbers = gs1.parse(scan) or {"ais": {}, "dates": {}, "symbology": None}
    wrong = [f"not used: {name}" for name in sorted(left)]
    for name, value in case.stated.items():
        got = _value(name, scan, found)
        if got != value:
            wrong.append(f"{name}: {got}, expected {value}")
    expected = {NAMES.get(name, name) for name in case.stated}
    if any(AI.fullmatch(name) for name in expected):
        wrong += [f"{ai}: not expected" for ai in found["ais"] if ai not in expected]
    # Brackets for people: what they say is what is read.
    printed = dict(re.findall(r"\((\d{2,4})\)([^(]+)", scan))
    if printed and found["ais"] not in (printed, {}):
        wrong.append(f"brackets: {found['ais']}, printed {printed}")
    return wrong


def _value(name: str, scan: str, found: Numbers) -> object:
    ai = NAMES.get(name, name)
    if AI.fullmatch(ai):
        return found["ais"].get(ai)
    if date := re.fullmatch(r"(?:date_)?(\d{2})(?:_date)?", name):
        return found["dates"].get(date[1])
    if name.startswith("biip"):  # the library alone, without our step for brackets
        return _library(scan)
    if name in ("ambiguous", "is_ambiguous"):
        return bool(found.get("alternatives"))
    if name in ("ais", "elements", "gs1", "parsed", "gs1_message"):
        return found["ais"] or None
    return found.get(name, "missing")


def _library(scan: str) -> object:
    try:
        return {e.ai.ai: e.value for e in GS1Message.parse(scan).element_strings}
    except biip.ParseError:
        return None
