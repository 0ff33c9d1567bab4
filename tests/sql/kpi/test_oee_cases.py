"""Published and derived examples, through the RPCs; TAKT_KPI_CASES names another file of them."""

from __future__ import annotations

import dataclasses

import psycopg
import pytest

from tests.sql.kpi.cases import run
from tests.sql.kpi.examples import Case, differences, load

CASES = load()
ABOUT_MACHINES = [case for case in CASES if case.category != "barcode"]  # scans are not figures
WRONG = [case for case in CASES if case.is_wrong]
KNOWN = {
    *("published", "test-suite", "measured", "derived", "published-wrong"),
    *("published+derived", "published-inputs+derived"),
}


def test_every_case_says_where_it_is_from() -> None:
    assert CASES
    assert {case.provenance for case in CASES} <= KNOWN


@pytest.mark.parametrize("case", ABOUT_MACHINES, ids=lambda case: case.id)
def test_case(db: psycopg.Connection, case: Case) -> None:
    actual = run(db, case)
    assert actual is not None, f"nothing builds {sorted(case.inputs)}"
    assert differences(case, actual) == []


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.id)
def test_the_negative_control_fails(db: psycopg.Connection, case: Case) -> None:
    """The false claim of the source, held against what Takt says: it must be noticed."""
    claimed = {"oee": case.expected["claimed_by_readme"]}
    actual = run(db, case)
    assert actual is not None
    assert differences(dataclasses.replace(case, expected=claimed), actual) != []
