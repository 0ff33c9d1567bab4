"""Published and derived examples, through the RPCs; TAKT_KPI_CASES names another file of them."""

from __future__ import annotations

import os
from dataclasses import replace

import psycopg
import pytest

from tests.sql.kpi import examples, scans
from tests.sql.kpi.cases import run
from tests.sql.kpi.examples import Case, differences
from tests.sql.kpi.reading import Unread

MINE = [] if "TAKT_KPI_CASES" in os.environ else examples.load(examples.MORE)
CASES = [*examples.load(), *MINE]
ABOUT_MACHINES = [case for case in CASES if not case.is_about_a_scan]
SCANS = [case for case in CASES if case.is_about_a_scan]
WRONG = [case for case in CASES if case.is_wrong]


def test_there_are_cases() -> None:
    assert CASES
    assert len({case.id for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", ABOUT_MACHINES, ids=lambda case: case.id)
def test_case(db: psycopg.Connection, case: Case) -> None:
    assert differences(case, run(db, case)) == []


@pytest.mark.parametrize("case", SCANS, ids=lambda case: case.id)
def test_scan(case: Case) -> None:
    assert scans.differences(case) == []


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.id)
def test_the_negative_control_fails(db: psycopg.Connection, case: Case) -> None:
    """The false claim of the source, held against what Takt says: it must be noticed."""
    claim = replace(case, provenance="claim", expected=case.claimed)
    assert differences(claim, run(db, case)) != []


@pytest.mark.parametrize(
    "inputs",
    [
        {"shift_min": 480, "siesta_min": 30, "total_count": 5, "ideal_cycle_s": 60},
        {"shift_min": 480, "total_count": 5, "ideal_cycle": 60},
        {"shift_min": 480, "run_min": 400, "stop_time_min": 30},
        {"planned_min": 480, "run_min": 410, "total_count": 90, "good_count": 80, "scrap": 5},
        {"planned_min": 480, "policy": "as usual"},
        {"window_h": 120, "failures": 3, "repair_h": 9, "crews": 2},
    ],
    ids=["time", "unit", "stops", "pieces", "policy", "failures"],
)
def test_nothing_is_left_out_in_silence(db: psycopg.Connection, inputs: examples.Numbers) -> None:
    with pytest.raises(Unread):
        run(db, Case("x", inputs, {"oee": 1}))


@pytest.mark.parametrize("name", ["oee_of_the_moon", "mtbf_fortnights", "cpk"])
def test_an_unknown_figure_is_missing(name: str) -> None:
    case = Case("x", {"unit": "min"}, {name: 0.5})
    assert differences(case, {"oee": 0.5, "mtbf_s": 0.5}) == [f"{name}: missing, expected 0.5"]
