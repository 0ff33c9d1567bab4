"""Counters of machines: read by the machine or by a person, late, set back, counted once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.sql.inventory.stock import refused
from tests.support.production import CUT, order, report, step
from tests.support.rpc import call

Db = psycopg.Connection
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def read(db: Db, code: str, counter: int, at: datetime | None = None) -> Any:
    """The machine says where its counter stands (and stood, at `at`)."""
    return call(
        db, "equipment", "record_count",
        p_code=code, p_work_centre="saw-1", p_counter=counter, p_read_at=at,
    )  # fmt: skip


def by_hand(db: Db, code: str, start: int, end: int) -> Any:
    return report(db, code, CUT, counter_start=start, counter_end=end, good=end - start)


def minutes(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


def notice(answer: Any) -> str | None:
    return answer["notices"][0]["code"] if answer["notices"] else None


def test_a_late_reading_is_no_reset(plant: Db) -> None:
    """A gateway sends again what it had kept: the counter did not go back."""
    code = order(plant, 40)
    read(plant, code, 100, minutes(0))
    read(plant, code, 110, minutes(2))
    late = read(plant, code, 105, minutes(1))
    assert (late["changed"], notice(late)) == (False, "production.counter_late")
    assert late["notices"][0]["details"]["booked"] == 110
    assert read(plant, code, 115, minutes(3))["step"]["good"] == 15


def test_a_reset_is_one_that_was_read_later(plant: Db) -> None:
    code = order(plant, 40)
    read(plant, code, 100, minutes(0))
    assert notice(read(plant, code, 3, minutes(1))) == "production.counter_base"
    assert read(plant, code, 8, minutes(2))["step"]["good"] == 5


def test_a_clock_that_is_ahead_makes_nothing_late(plant: Db) -> None:
    code = order(plant, 40)
    read(plant, code, 100, datetime.now(UTC) + timedelta(days=3))
    assert read(plant, code, 104)["step"]["good"] == 4
    assert read(plant, code, 106, datetime.now(UTC) + timedelta(seconds=5))["step"]["good"] == 6


def test_what_a_person_read_is_not_counted_again(plant: Db) -> None:
    code = order(plant, 40)
    read(plant, code, 100)
    assert by_hand(plant, code, 100, 105)["step"]["good"] == 5
    assert read(plant, code, 105)["changed"] is False
    assert read(plant, code, 107)["step"]["good"] == 7


def test_the_machine_counts_on_from_the_first_reading_by_hand(plant: Db) -> None:
    code = order(plant, 40)
    by_hand(plant, code, 50, 55)
    assert read(plant, code, 58)["step"]["good"] == 8


@pytest.mark.parametrize(("start", "end"), [(100, 105), (104, 109), (100, 103)])
def test_what_the_machine_counted_is_not_reported_by_hand(plant: Db, start: int, end: int) -> None:
    code = order(plant, 40)
    read(plant, code, 100)
    read(plant, code, 105)
    said = {"p_code": code, "p_work_centre": "saw-1", "p_good": end - start}
    booked = refused(
        plant, "operator", "report_production", **said, p_counter_start=start, p_counter_end=end
    )
    assert (booked.status, booked.code) == (409, "production.counter_booked")
    assert (booked.detail["expected"], booked.detail["actual"]) == (105, start)
    assert by_hand(plant, code, 105, 107)["step"]["good"] == 7


def test_a_person_who_set_the_counter_back_starts_anew(plant: Db) -> None:
    code = order(plant, 40)
    by_hand(plant, code, 100, 105)
    assert by_hand(plant, code, 0, 3)["step"]["good"] == 8
    twice = refused(
        plant, "operator", "report_production",
        p_code=code, p_work_centre="saw-1", p_counter_start=2, p_counter_end=6,
    )  # fmt: skip
    assert twice.code == "production.counter_booked"


def test_a_report_by_hand_that_is_undone_is_counted_by_the_machine(plant: Db) -> None:
    code = order(plant, 40)
    read(plant, code, 100)
    by_hand(plant, code, 100, 105)
    call(plant, "operator", "undo_production", p_code=code)
    assert read(plant, code, 105)["step"]["good"] == 5


def test_a_reading_from_before_the_report_by_hand_is_late(plant: Db) -> None:
    code = order(plant, 40)
    read(plant, code, 100, minutes(0))
    by_hand(plant, code, 100, 105)
    late = read(plant, code, 103, minutes(5))
    assert (late["changed"], notice(late)) == (False, "production.counter_late")
    assert step(plant, code)["good"] == 5


@pytest.mark.parametrize("source", ["person", "start", "quality", "end", "undo"])
def test_no_counter_is_called_like_what_people_do(plant: Db, source: str) -> None:
    """Undo tells by the name what a count was: an "end" would open a step that nobody ended."""
    code = order(plant, 10)
    no = refused(
        plant, "equipment", "record_count",
        p_code=code, p_work_centre="saw-1", p_delta=1, p_source=source,
    )  # fmt: skip
    assert (no.status, no.code, no.detail["actual"]) == (422, "production.counter_name", source)
    assert step(plant, code)["good"] == 0
