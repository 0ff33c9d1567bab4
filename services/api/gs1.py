"""GS1-128, DataMatrix and QR codes: the scanner's text becomes application identifiers.

What they mean is the database's affair. What cannot be read for certain is not guessed: a code
whose separators the scanner dropped comes with every other way to read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import biip
from biip.gs1_element_strings import GS1ElementString
from biip.gs1_messages import GS1Message
from biip.gtin import Gtin
from biip.sscc import Sscc

_SEPARATOR = "\x1d"
_SYMBOLOGIES = ("]C1", "]e0", "]d2", "]Q3", "]J1")
# How wedges and copied texts show the separator.
_SHOWN = re.compile(r"<GS>|\{GS\}|␝|\\x1d|\\u001d", re.IGNORECASE)
_BRACKETED = re.compile(r"\((\d{2,4})\)([^(]+)")
# Identifiers that follow a lot, a serial or a count on labels; others are not thought of.
_FOLLOWING = frozenset(
    [
        "10",
        "11",
        "13",
        "15",
        "16",
        "17",
        "21",
        "22",
        "30",
        "37",
        "240",
        "241",
        "250",
        "251",
        "400",
        "410",
        "414",
        "420",
        "91",
    ]
)
_MAX_ALTERNATIVES = 8

Ais = dict[str, str]


def parse(code: str) -> dict[str, Any] | None:
    """{raw, symbology, ais: {AI: value}, dates: {AI: ISO date}, alternatives: [{AI: value}]}.

    None: no GS1 code, but one of our own or anything else.
    """
    text = _SHOWN.sub(_SEPARATOR, code.strip(" \t\r\n"))
    symbology = text[:3] if text.startswith(_SYMBOLOGIES) else None
    elements = _elements(text.removeprefix(symbology or ""), certain=symbology is not None)
    if not elements:
        return None
    ais = _ais(elements)
    return {
        "raw": code,
        "symbology": symbology,
        "ais": ais,
        "dates": {e.ai.ai: e.date.isoformat() for e in elements if e.date is not None},
        "alternatives": [] if _is_marked(text) else list(_alternatives(elements)),
    }


def _elements(text: str, *, certain: bool) -> list[GS1ElementString]:
    """`certain`: a symbology identifier said that it is GS1."""
    if text.lower().startswith(("http://", "https://")):
        link = biip.parse(text).gs1_digital_link_uri
        return list(link.element_strings) if link is not None else []
    if text.startswith("("):
        pairs = _BRACKETED.findall(text)
        if "".join(f"({ai}){value}" for ai, value in pairs) != text:
            return []
        return _message(_SEPARATOR.join(ai + value for ai, value in pairs))
    text = text.removeprefix(_SEPARATOR)
    if certain or _SEPARATOR in text or _begins_with_key(text):
        return _message(text)
    return []


def _begins_with_key(text: str) -> bool:
    """A GTIN or SSCC with a right check digit: no code of our own begins like that by chance."""
    try:
        if re.match(r"0[12]\d{14}", text):
            return bool(Gtin.parse(text[2:16]))
        return bool(re.match(r"00\d{18}", text) and Sscc.parse(text[2:20]))
    except biip.ParseError:
        return False


def _message(text: str) -> list[GS1ElementString]:
    try:
        return list(GS1Message.parse(text).element_strings)
    except biip.ParseError:
        return []


def _ais(elements: list[GS1ElementString]) -> Ais:
    return {element.ai.ai: element.value for element in elements}


def _is_marked(text: str) -> bool:
    """Do separators, brackets or slashes say where each value ends?"""
    return _SEPARATOR in text or text.startswith(("(", "http"))


def _alternatives(elements: list[GS1ElementString]) -> Iterator[Ais]:
    """The last value may have swallowed what followed it: every way to cut it, nearest first."""
    last = elements[-1]
    if not last.ai.separator_required:
        return
    before = _ais(elements)
    found = 0
    for cut in range(1, len(last.value) - 2):
        rest = _ais(_message(last.value[cut:]))
        if rest and rest.keys() <= _FOLLOWING - before.keys():
            yield {**before, last.ai.ai: last.value[:cut], **rest}
            found += 1
            if found == _MAX_ALTERNATIVES:
                return
