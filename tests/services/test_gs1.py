"""Reading GS1 codes: what a scanner sends, and what it must never be guessed to mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.api.gs1 import parse

GTIN = "09506000134352"
# The page of a work centre knows GS1 codes by the same rule: web/…/production/station/gs1.test.ts.
CODES = json.loads((Path(__file__).parents[1] / "fixtures" / "gs1_codes.json").read_text())


@pytest.mark.parametrize(
    ("code", "ais"),
    [
        (f"]C101{GTIN}10ABC\x1d21XYZ", {"01": GTIN, "10": "ABC", "21": "XYZ"}),
        (
            f"]d201{GTIN}17261100104711\x1d3012",
            {"01": GTIN, "17": "261100", "10": "4711", "30": "12"},
        ),
        (f"\x1d01{GTIN}10L-7", {"01": GTIN, "10": "L-7"}),
        (f"01{GTIN}10L-7\x1d37250", {"01": GTIN, "10": "L-7", "37": "250"}),
        (f"01{GTIN}10L-7<GS>37250", {"01": GTIN, "10": "L-7", "37": "250"}),
        (f"(01){GTIN}(10)L-7(21)9", {"01": GTIN, "10": "L-7", "21": "9"}),
        ("]C100395011015300000011", {"00": "395011015300000011"}),
        ("https://id.gs1.org/01/09506000134352/10/ABC", {"01": GTIN, "10": "ABC"}),
        (f"01{GTIN}", {"01": GTIN}),
    ],
)
def test_codes_become_application_identifiers(code: str, ais: dict[str, str]) -> None:
    parsed = parse(code)
    assert parsed is not None
    assert parsed["ais"] == ais
    assert parsed["alternatives"] == []
    assert parsed["raw"] == code


@pytest.mark.parametrize(
    "code",
    [
        "bannos-18617", "18617", "#B18617", "P-1", "2611-GN-00001", "4006381333931", "10LOT2109",
        "0109506000134353", "(01)12", "]d2", "", "01", "https://example.com/10/ABC", "21",
    ],
)  # fmt: skip
def test_codes_of_our_own_are_left_alone(code: str) -> None:
    assert parse(code) is None


@pytest.mark.parametrize("kind", ["gs1", "ours"])
def test_pages_and_gatekeeper_know_the_same_codes(kind: str) -> None:
    assert {code: parse(code) is not None for code in CODES[kind]} == dict.fromkeys(
        CODES[kind], kind == "gs1"
    )


def test_day_00_is_the_end_of_the_month() -> None:
    parsed = parse(f"]d201{GTIN}17260200")
    assert parsed is not None
    assert parsed["dates"] == {"17": "2026-02-28"}


def test_a_lost_separator_is_not_guessed() -> None:
    """`10ABC21XYZ` is lot ABC21XYZ, or lot ABC with serial XYZ: both are said."""
    parsed = parse(f"01{GTIN}10ABC21XYZ")
    assert parsed is not None
    assert parsed["ais"] == {"01": GTIN, "10": "ABC21XYZ"}
    assert {"01": GTIN, "10": "ABC", "21": "XYZ"} in parsed["alternatives"]


def test_alternatives_are_few_however_long_the_code() -> None:
    parsed = parse(f"01{GTIN}10" + "2121212121212121")
    assert parsed is not None
    assert 0 < len(parsed["alternatives"]) <= 8
