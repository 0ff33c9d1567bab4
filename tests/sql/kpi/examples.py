"""Worked examples from a file, and how what Takt says is held against them."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Numbers = dict[str, Any]
FIXTURE = Path(__file__).parents[2] / "fixtures" / "oee" / "oee_cases.json"


@dataclass(frozen=True)
class Case:
    """`provenance` says how far the expected numbers can be trusted."""

    id: str
    category: str
    provenance: str
    inputs: Numbers
    expected: Numbers
    tolerance: float

    @property
    def is_wrong(self) -> bool:
        """The source claims something false: a negative control."""
        return self.provenance == "published-wrong"


def load() -> list[Case]:
    """All cases of TAKT_KPI_CASES, else of the fixture."""
    rows = json.loads(Path(os.environ.get("TAKT_KPI_CASES") or FIXTURE).read_text("utf-8"))
    names = ("id", "category", "provenance", "inputs", "expected", "tolerance")
    return [Case(**{name: row[name] for name in names}) for row in rows]


def differences(case: Case, actual: Numbers) -> list[str]:
    """Expected values that the actual ones miss by more than the tolerance."""
    wrong = []
    for name, value in case.expected.items():
        if name in NOT_OURS:
            continue
        got = actual.get(name, "missing")
        if not _close(value, got, case.tolerance):
            wrong.append(f"{name}: {got}, expected {value}")
    return wrong


# Expected values that no RPC gives, and why.
NOT_OURS = {
    "claimed_by_readme": "the false claim of a negative control",
    "availability_vendor": "0/0 shown as 0: ours is null",
    "naive_same_day_minutes": "the defect that it warns of",
    "hourly_columns": "names of columns",
    "mttf_years": "the life of parts that are thrown away, not of machines",
}


PRINTED = 5e-7  # expected values have six decimals


def _close(expected: Any, got: Any, tolerance: float) -> bool:
    if isinstance(expected, list):
        same = isinstance(got, list) and len(got) == len(expected)
        return same and all(_close(e, g, tolerance) for e, g in zip(expected, got, strict=True))
    if isinstance(expected, dict):
        return all(_close(value, got.get(name), tolerance) for name, value in expected.items())
    if expected is None or got is None or isinstance(expected, str) or isinstance(got, str):
        return bool(expected == got)
    return math.isclose(float(expected), float(got), rel_tol=0, abs_tol=max(tolerance, PRINTED))
