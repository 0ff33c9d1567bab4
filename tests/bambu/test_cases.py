"""Every recorded sequence decides what its first line says. `TAKT_BAMBU_CASES` names the folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bambu_bridge.replay import replay
from tests.bambu.conftest import CASES

FILES = sorted(CASES.rglob("*.jsonl"))


def expected(text: str) -> list[dict[str, Any]] | None:
    """What the first line promises; None when it is no heading."""
    try:
        found = json.loads(text.partition("\n")[0])["expected_completions"]
    except (ValueError, KeyError, TypeError):
        return None
    return list(found)


def test_there_are_cases() -> None:
    assert FILES, f"no *.jsonl below {CASES}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recorded_sequence(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    wanted = expected(text)
    found = list(replay(text))
    assert list(replay(text)) == found, "a replay must be repeatable"
    if wanted is None:
        return
    told = [
        {
            "outcome": row["outcome"],
            "evidence": row["evidence"],
            "name": row["gcode_filename"],
            "plate": row["plate"],
        }
        for row in found
    ]
    assert told == wanted


def test_real_reports_of_an_idle_printer_decide_nothing() -> None:
    reports = [f for f in sorted(CASES.rglob("*.json")) if "pushall" in f.name]
    for file in reports:
        assert list(replay(file.read_text(encoding="utf-8"))) == []
