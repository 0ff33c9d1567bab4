"""What RENAR's two OEE calculators made wrong, each by name, beside test_defects."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.kpi.plant import (
    START,
    at,
    count,
    figures,
    ideal,
    machine,
    oee,
    pattern,
    shift,
    state,
    stop,
)
from tests.support.rpc import call

HOUR = 3600
END = at(START, 8 * HOUR)


@pytest.fixture
def m1(db: psycopg.Connection) -> psycopg.Connection:
    """m1 runs since the day before; three shifts a day, a break in the first."""
    machine(db)
    pattern(
        db,
        shift("early", "06:00", "14:00", [("10:00", "10:30")]),
        shift("late", "14:00", "22:00"),
        shift("night", "22:00", "06:00"),
    )
    state(db, "running", at(START, -24 * HOUR))
    ideal(db, 60)
    return db


def test_each_shift_is_counted_for_its_own_day_only(m1: psycopg.Connection) -> None:
    """RENAR's edge function multiplied every shift row by all days of the range."""
    three_days = oee(m1, START, at(START, 72 * HOUR))
    by_shift = oee(m1, START, at(START, 72 * HOUR), by="shift")
    assert len(by_shift) == 9
    assert three_days[0]["inputs"]["scheduled_s"] == 72 * HOUR
    assert sum(r["inputs"]["scheduled_s"] for r in by_shift) == 72 * HOUR
    assert {r["inputs"]["scheduled_s"] for r in by_shift} == {8 * HOUR}


def test_the_cycle_is_that_of_the_machine_s_step_not_an_average_of_all(
    db: psycopg.Connection,
) -> None:
    """RENAR's edge function averaged the cycle over every step of the routing."""
    machine(db)
    call(db, "planner", "upsert_item", p_sku="DOOR", p_title="Door")
    db.execute("reset role")
    db.execute(
        "insert into public.process_steps (code, title, sequence) values ('PAINT', 'Paint', 2);"
        "insert into public.routings (sku, version, is_active) values ('DOOR', 1, true);"
        "insert into public.routing_steps (routing_id, sequence, step, run_min)"
        " select r.id, s.n, s.step, s.run_min from public.routings r,"
        " (values (10, 'CNC', 0.5), (20, 'PAINT', 30)) as s (n, step, run_min)"
    )
    count(db, {"at": START, "sku": "DOOR", "good": 4})
    pattern(db, shift("early", "06:00", "14:00"))
    assert figures(db, START, END)["ideal_s"] == 4 * 30


def test_scrap_that_was_reported_is_never_good_minus_scrap(m1: psycopg.Connection) -> None:
    """RENAR's shortage collapsed to scrap - good: 5 of 100 are 5 missing, however many are good."""
    count(m1, {"at": START, "good": 95, "scrap": 5})
    f = figures(m1, START, END)
    assert (f["total"], f["good"], f["scrap"]) == (100, 95, 5)
    answer = call(m1, "viewer", "get_quality_breakdown", p_machine="m1", p_from=START, p_to=END)
    assert answer["scrap"] == 5


def test_quality_is_that_of_the_machine(m1: psycopg.Connection) -> None:
    machine(m1, "m2")
    count(m1, {"at": START, "scrap": 9}, code="m2")
    count(m1, {"at": START, "good": 9})
    assert figures(m1, START, END)["quality_pieces"] == 1


def test_scrap_is_of_what_was_produced(m1: psycopg.Connection) -> None:
    count(m1, {"at": START, "good": 90, "scrap": 5, "rework": 5})
    answer = call(m1, "viewer", "get_quality_breakdown", p_machine="m1", p_from=START, p_to=END)
    assert answer["scrap_ratio"] == 0.05


def test_rework_is_no_scrap(m1: psycopg.Connection) -> None:
    count(m1, {"at": START, "good": 80, "scrap": 5, "rework": 15})
    f = figures(m1, START, END)
    assert (f["scrap_ratio"], f["rework_ratio"], f["quality_pieces"]) == (0.05, 0.15, 0.8)


def test_mtbf_is_of_operating_time_not_of_the_calendar(m1: psycopg.Connection) -> None:
    stop(m1, at(START, HOUR), at(START, 3 * HOUR), "breakdown")
    (row,) = call(m1, "viewer", "get_mtbf", p_machine="m1", p_from=START, p_to=END)
    assert (row["operating_s"], row["failures"], row["mtbf_s"]) == (5.5 * HOUR, 1, 5.5 * HOUR)


def test_mtbf_of_a_fleet_is_all_time_by_all_failures(m1: psycopg.Connection) -> None:
    machine(m1, "m2")
    state(m1, "running", START, "m2")
    stop(m1, at(START, HOUR), at(START, 2 * HOUR), "breakdown")
    (row,) = call(m1, "viewer", "get_mtbf", p_site="main", p_from=START, p_to=END)
    assert (row["operating_s"], row["mtbf_s"]) == (14 * HOUR, 14 * HOUR)


def test_without_failures_mtbf_is_null_and_at_least_what_it_ran(m1: psycopg.Connection) -> None:
    (row,) = call(m1, "viewer", "get_mtbf", p_machine="m1", p_from=START, p_to=END)
    assert (row["mtbf_s"], row["at_least_s"]) == (None, 7.5 * HOUR)
    (row,) = call(m1, "viewer", "get_mttr", p_machine="m1", p_from=START, p_to=END)
    assert (row["mttr_s"], row["failures"]) == (None, 0)
