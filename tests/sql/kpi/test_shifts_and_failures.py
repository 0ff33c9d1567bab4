"""Shifts that are always there, run hours told once, failures and downtimes that are not lost."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.sql.kpi import plant
from tests.sql.kpi.plant import START, at, machine, pattern, shift, state, stop
from tests.sql.kpi.test_defects import approve
from tests.support.maintenance import bring
from tests.support.rpc import call

HOUR = 3600
DAY = timedelta(days=1)


def now_of(db: psycopg.Connection) -> datetime:
    """The one instant of this transaction."""
    db.execute("reset role")
    row = db.execute("select now()").fetchone()
    assert row is not None
    return row[0].astimezone(UTC)


def noon(days: int) -> datetime:
    today = datetime.now(UTC).date()
    return datetime.combine(today + days * DAY, datetime.min.time(), UTC) + timedelta(hours=12)


def days_with(db: psycopg.Connection, name: str, since: date) -> list[int]:
    """Days, counted from `since`, on which there is such a shift."""
    db.execute("reset role")
    return [
        row[0]
        for row in db.execute(
            "select shift_date - %s from public.shift_instances where shift = %s"
            " and shift_date >= %s order by 1",
            (since, name, since),
        )
    ]


def troubles(db: psycopg.Connection) -> list[Any]:
    return db.execute("select job, error from private.machine_troubles").fetchall()


# Shifts -----------------------------------------------------------------------------------------


def test_overtime_weeks_ahead_stops_no_shift_from_being_made(db: psycopg.Connection) -> None:
    machine(db)
    plant.around_the_clock(db, since=datetime.now(UTC).date())
    today = datetime.now(UTC).date()
    approve(db, noon(40), at(noon(40), HOUR))
    for days in range(1, 46):
        db.execute("select private.extend_shifts(now() + make_interval(days => %s))", (days,))
        assert days_with(db, "all", today)[: days + 15] == list(range(days + 15))
    assert troubles(db) == []


def test_a_clock_that_stood_makes_the_days_before_overtime_too(db: psycopg.Connection) -> None:
    machine(db)
    today = datetime.now(UTC).date()
    plant.around_the_clock(db, since=today)
    approve(db, noon(40), at(noon(40), HOUR))
    db.execute("select private.extend_shifts(now() + interval '45 days')")
    assert days_with(db, "all", today) == list(range(60))


def test_overtime_through_a_break_does_not_take_the_place_of_its_shift(
    db: psycopg.Connection,
) -> None:
    machine(db)
    today = datetime.now(UTC).date()
    early = shift("early", "06:00", "14:00", [("12:00", "12:30")])
    pattern(db, early, since=today)
    approve(db, noon(20), at(noon(20), HOUR / 2))
    pattern(db, {**early, "title": "Early"}, since=today)
    assert days_with(db, "overtime", today) == []
    for days in (6, 20):
        db.execute("select private.extend_shifts(now() + make_interval(days => %s))", (days,))
        assert troubles(db) == []
    assert days_with(db, "early", today)[-20:] == list(range(15, 35))
    assert days_with(db, "overtime", today) == []


def three_shifts(db: psycopg.Connection, hour: int) -> date:
    """m1 with early, late and night, where it is so late now; today there."""
    zone = plant.zone_where_it_is(hour)
    here = now_of(db).astimezone(ZoneInfo(zone))
    machine(db, zone=zone)
    pattern(
        db, shift("early", "06:00", "14:00"), shift("late", "14:00", "22:00", [("18:00", "18:30")]),
        shift("night", "22:00", "06:00"), since=here.date() - 3 * DAY,
    )  # fmt: skip
    db.execute("reset role")
    return here.date()


def of_day(db: psycopg.Connection, day: date) -> list[str]:
    return [
        row[0]
        for row in db.execute(
            "select shift from public.shift_instances where shift_date = %s order by during", (day,)
        )
    ]


OUT_OF_USE = pytest.mark.parametrize(
    ("off", "on"),
    [("is_active = false", "is_active = true"), ("work_centre = null", "work_centre = 'CNC-1'")],
)


@OUT_OF_USE
def test_out_of_use_for_an_hour_loses_no_later_shift_of_the_day(
    db: psycopg.Connection, off: str, on: str
) -> None:
    today = three_shifts(db, 10)
    before = db.execute("select count(*) from public.planned_stops").fetchone()
    db.execute(f"update public.machines set {off}")
    assert of_day(db, today) == ["early"]
    db.execute(f"update public.machines set {on}")
    assert of_day(db, today) == ["early", "late", "night"]
    assert of_day(db, today + DAY) == ["early", "late", "night"]
    assert db.execute("select count(*) from public.planned_stops").fetchone() == before


def test_a_shift_that_began_while_it_was_out_of_use_is_not_made_up(db: psycopg.Connection) -> None:
    today = three_shifts(db, 15)
    db.execute("update public.machines set is_active = false")
    # It was so since before the late shift.
    db.execute(
        "delete from public.shift_instances where shift = 'late' and shift_date = %s", (today,)
    )
    db.execute("update public.machines set is_active = true")
    assert of_day(db, today) == ["early", "night"]


def test_a_pattern_changed_while_out_of_use_lets_the_machine_back(db: psycopg.Connection) -> None:
    """The new late shift begins in the early one that is on: today has it not."""
    today = three_shifts(db, 10)
    db.execute("update public.machines set is_active = false")
    pattern(db, shift("late", "13:00", "21:00"), shift("night", "21:00", "05:00"), since=today)
    db.execute("reset role")
    db.execute("update public.machines set is_active = true")
    assert of_day(db, today) == ["early", "night"]
    assert of_day(db, today + DAY) == ["late", "night"]


# Run hours --------------------------------------------------------------------------------------


def test_run_hours_that_went_down_and_up_again_are_told_once(db: psycopg.Connection) -> None:
    machine(db)
    pattern(db, shift("early", "06:00", "14:00"))
    state(db, "running", START)
    state(db, "off", at(START, 8 * HOUR))
    db.execute("reset role")

    def hours() -> float:
        db.execute("reset role")
        db.execute("select private.snapshot_shifts(now())")
        row = db.execute("select run_hours from public.machine_counters").fetchone()
        assert row is not None
        return float(row[0])

    while db.execute("select from public.shift_instances where not is_closed and upper(during) <"
                     " now() - interval '1 day'").fetchone():  # fmt: skip
        hours()
    first = hours()
    assert first == 8
    told = stop(db, START, at(START, 2 * HOUR), "breakdown")
    assert hours() == first, "it never goes back"
    db.execute(
        "update public.stops set during = tstzrange(lower(during), lower(during)"
        " + interval '1 hour') where id = %s",
        (told["id"],),
    )
    assert hours() == first, "an hour that was told already"
    db.execute("delete from public.stops")
    db.execute("update public.oee_shifts set is_dirty = true")
    assert hours() == first


# Failures ---------------------------------------------------------------------------------------


@pytest.fixture
def m1(db: psycopg.Connection) -> psycopg.Connection:
    """m1 works around the clock and has run since 06:00."""
    machine(db)
    plant.around_the_clock(db)
    state(db, "running", START)
    return db


def restored_and_open(db: psycopg.Connection) -> tuple[int, int]:
    (mttr,) = call(db, "viewer", "get_mttr", p_machine="m1", p_from=START)
    return mttr["restored"], mttr["open"]


def test_a_failure_with_an_open_and_a_closed_half_is_not_restored(m1: psycopg.Connection) -> None:
    begin = now_of(m1) - timedelta(hours=2)
    stop(m1, begin, None, "breakdown")
    call(m1, "operator", "split_stop", p_machine="m1", p_at=at(begin, HOUR), p_reason="breakdown")
    assert restored_and_open(m1) == (0, 1)


def test_a_repair_that_was_opened_again_is_not_restored(m1: psycopg.Connection) -> None:
    ticket = report(m1, now_of(m1) - timedelta(hours=3))
    call(m1, "operator", "end_stop", p_machine="m1", p_at=now_of(m1) - timedelta(hours=2))
    bring(m1, ticket)
    assert restored_and_open(m1) == (1, 0)
    call(m1, "technician", "reopen_repair", p_id=ticket, p_reason="It broke again")
    assert restored_and_open(m1) == (0, 1)


def test_a_question_of_a_day_does_not_read_the_failures_of_a_year(m1: psycopg.Connection) -> None:
    for n in range(30):
        stop(m1, at(START, n * HOUR), at(START, n * HOUR + 600), "breakdown")
    stop(m1, at(START, 29 * HOUR + 600), at(START, 29 * HOUR + 900), "breakdown")
    m1.execute("reset role")
    read = "select count(*) from private.failing_stretches('m1', %s, now())"
    assert m1.execute(read, (START,)).fetchone() == (31,)
    assert m1.execute(read, (at(START, 28.5 * HOUR),)).fetchone() == (2,)
    assert m1.execute(read, (at(START, 29 * HOUR + 700),)).fetchone() == (2,), "they touch"
    assert m1.execute(read, (at(START, 29 * HOUR + 900),)).fetchone() == (2,), "ends there"
    assert m1.execute(read, (at(START, 30 * HOUR),)).fetchone() == (0,)


# Reports that join a repair ---------------------------------------------------------------------


def report(db: psycopg.Connection, when: datetime | None, **more: Any) -> int:
    given: dict[str, Any] = {"p_machine": "m1", "p_symptom": "noise", "p_is_down": True} | more
    answer = call(db, "operator", "report_repair", **given, p_occurred_at=when)
    assert answer["changed"]
    return int(answer["repair"]["id"])


def downtimes(db: psycopg.Connection) -> list[tuple[float, float | None]]:
    """Hours before now, from when to when; None: it lasts."""
    now = now_of(db)
    found = db.execute("select lower(during), upper(during) from public.stops order by during")
    return [
        (
            (now - begin).total_seconds() / HOUR,
            None if end is None else (now - end).total_seconds() / HOUR,
        )
        for begin, end in found
    ]


def ago(db: psycopg.Connection, hours: float) -> datetime:
    return now_of(db) - timedelta(hours=hours)


def test_a_report_that_it_stands_since_then_counts_from_then(m1: psycopg.Connection) -> None:
    report(m1, ago(m1, 5), p_is_down=False)
    report(m1, ago(m1, 2))
    assert downtimes(m1) == [(2, None)]
    row = m1.execute("select array_agg(now() - occurred_at order by id) from public.repair_reports")
    assert row.fetchone() == ([timedelta(hours=5), timedelta(hours=2)],)


def test_a_report_after_the_stop_was_ended_opens_one_again(m1: psycopg.Connection) -> None:
    ticket = report(m1, ago(m1, 2))
    call(m1, "operator", "end_stop", p_machine="m1", p_at=ago(m1, 1))
    assert report(m1, None) == ticket
    assert downtimes(m1) == [(2, 1), (0, None)]


def test_a_report_reaches_back_no_further_than_the_last_stop(m1: psycopg.Connection) -> None:
    """Who says that it stands since the beginning does not stand against who ended a stop."""
    report(m1, ago(m1, 4))
    call(m1, "operator", "end_stop", p_machine="m1", p_at=ago(m1, 1))
    report(m1, ago(m1, 3))
    assert downtimes(m1) == [(4, 1), (1, None)]


def test_a_report_makes_no_older_stop_its_own(m1: psycopg.Connection) -> None:
    """Of a repair that had its stop already: what nobody explained before it stays so."""
    stop(m1, ago(m1, 6), ago(m1, 5))
    report(m1, ago(m1, 4))
    call(m1, "operator", "end_stop", p_machine="m1", p_at=ago(m1, 3))
    report(m1, ago(m1, 7))
    assert downtimes(m1) == [(6, 5), (4, 3), (3, None)]
    reasons = m1.execute("select reason from public.stops order by during").fetchall()
    assert [row[0] for row in reasons] == [None, "breakdown", "breakdown"]


def test_a_report_while_it_stands_leaves_the_stop_as_it_is(m1: psycopg.Connection) -> None:
    report(m1, ago(m1, 2))
    report(m1, ago(m1, 3))
    report(m1, ago(m1, 1), p_is_down=False)
    assert downtimes(m1) == [(2, None)]


@pytest.mark.parametrize(("said", "stands"), [(2, 2), (3.5, 3)])
def test_a_report_that_opens_a_repair_again_counts_from_then(
    m1: psycopg.Connection, said: float, stands: float
) -> None:
    """Not since before it was closed: then it ran."""
    ticket = report(m1, ago(m1, 5))
    call(m1, "operator", "end_stop", p_machine="m1", p_at=ago(m1, 4))
    bring(m1, ticket)
    m1.execute("reset role")
    stamps = "reported_at acknowledged_at started_at repaired_at verified_at closed_at status_since"
    values = ", ".join(f"{name} = %(at)s" for name in stamps.split())
    m1.execute(f"update public.repairs set {values}", {"at": ago(m1, 3)})
    m1.execute("update public.repair_statuses set at = least(at, %s)", (ago(m1, 3),))
    assert report(m1, ago(m1, said)) == ticket
    assert downtimes(m1) == [(5, 4), (stands, None)]


# Events -----------------------------------------------------------------------------------------


def test_a_stop_that_the_machine_ends_is_told(m1: psycopg.Connection) -> None:
    state(m1, "stopped", ago(m1, 2))
    call(m1, "operator", "classify_stop", p_machine="m1", p_reason="jam", p_at=ago(m1, 1))
    assert downtimes(m1) == [(2, None)]
    state(m1, "running", ago(m1, 0.5))
    state(m1, "running", ago(m1, 0.25))
    m1.execute("reset role")
    read = "select (payload ->> 'to')::timestamptz from public.events where event = 'stop.ended'"
    assert m1.execute(read).fetchall() == [(ago(m1, 0.5),)], "once"
    state(m1, "running", ago(m1, 0.75))
    assert downtimes(m1) == [(2, 0.75)]
    m1.execute("reset role")
    assert m1.execute(f"{read} order by id").fetchall() == [(ago(m1, 0.5),), (ago(m1, 0.75),)]
