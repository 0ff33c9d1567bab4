"""The classic mistakes of OEE services, each by name: what Takt says instead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.sql.kpi import plant
from tests.sql.kpi.plant import (
    DAY,
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
from tests.support.databases import USER_IDS
from tests.support.rpc import call

MINUTE, HOUR = 60, 3600
END = at(START, 8 * HOUR)


@pytest.fixture
def m1(db: psycopg.Connection) -> psycopg.Connection:
    """m1 runs since the day before; early 06–14 with a break 10:00–10:30, late, night."""
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


def test_night_shifts_are_not_negative(m1: psycopg.Connection) -> None:
    night = at(START, 16 * HOUR)
    assert figures(m1, night, at(night, 8 * HOUR))["planned_s"] == 8 * HOUR


def test_breaks_leave_planned_time(m1: psycopg.Connection) -> None:
    f = figures(m1, START, END)
    assert (f["scheduled_s"], f["planned_s"], f["availability"]) == (8 * HOUR, 7.5 * HOUR, 1)


def test_a_stop_carried_in_from_the_shift_before_counts(m1: psycopg.Connection) -> None:
    stop(m1, at(START, -30 * MINUTE), at(START, 20 * MINUTE), "breakdown")
    assert figures(m1, START, END)["availability_loss_s"] == 20 * MINUTE
    before = figures(m1, at(START, -HOUR), START)
    assert (before["window_s"], before["scheduled_s"]) == (HOUR, 0)  # the pattern began at 06:00


def test_a_stop_that_goes_on_is_charged_to_each_shift_in_part(m1: psycopg.Connection) -> None:
    stop(m1, at(END, -10 * MINUTE), at(END, 50 * MINUTE), "breakdown")
    losses = {
        r["key"]: r["inputs"]["availability_loss_s"]
        for r in oee(m1, START, at(END, 8 * HOUR), by="shift")
    }
    assert losses == {f"{DAY} early": 10 * MINUTE, f"{DAY} late": 50 * MINUTE}


def test_an_open_stop_is_clipped_at_the_end_of_an_old_shift(m1: psycopg.Connection) -> None:
    stop(m1, at(END, -15 * MINUTE), None, "breakdown")
    assert figures(m1, START, END)["availability_loss_s"] == 15 * MINUTE
    m1.execute("reset role")
    assert m1.execute("select upper(during) from public.stops").fetchone() == (None,)


def test_an_open_stop_ends_at_the_instant_asked_for(m1: psycopg.Connection) -> None:
    stop(m1, at(START, HOUR), None, "breakdown")
    asked = figures(m1, START, END, as_of=at(START, 2 * HOUR))
    assert (asked["planned_s"], asked["run_s"]) == (2 * HOUR, HOUR)


def test_a_boundary_belongs_to_one_shift_only(m1: psycopg.Connection) -> None:
    count(m1, {"at": END, "good": 7})
    goods = [r["inputs"]["good"] for r in oee(m1, START, at(END, 8 * HOUR), by="shift")]
    assert goods == [0, 7]


def test_an_order_is_not_booked_to_one_shift(m1: psycopg.Connection) -> None:
    """One booking of 900 for three shifts: each gets what was made in its running time."""
    last = at(START, 24 * HOUR)
    stop(m1, at(END, HOUR), at(END, 8 * HOUR), "breakdown")
    count(m1, {"at": last, "from": START.isoformat(), "good": 900})
    goods = [r["inputs"]["good"] for r in oee(m1, START, last, by="shift")]
    assert sum(goods) == 900
    assert goods[0] == pytest.approx(900 * 7.5 / 16.5, abs=1)
    assert goods[1] == pytest.approx(900 * 1 / 16.5, abs=1)


def test_the_zone_is_that_of_the_plant_not_of_the_server(db: psycopg.Connection) -> None:
    machine(db, zone="Australia/Sydney")
    pattern(db, shift("early", "06:00", "14:00"))
    for server in ("UTC", "America/New_York"):
        db.execute("reset role")
        db.execute("select set_config('TimeZone', %s, true)", (server,))
        (row,) = oee(db, at(START, -24 * HOUR), START, by="shift")
        assert row["key"] == f"{DAY} early"
        assert datetime.fromisoformat(row["starts_at"]) == at(START, -11 * HOUR)


def test_overlaps_count_once(m1: psycopg.Connection) -> None:
    plant.plan(m1, at(START, HOUR), at(START, 3 * HOUR), "meeting")
    plant.plan(m1, at(START, 2 * HOUR), at(START, 4 * HOUR), "planned_maintenance")
    stop(m1, at(START, 30 * MINUTE), at(START, 270 * MINUTE), "breakdown")
    f = figures(m1, START, END)
    assert f["planned_stop_s"] == 3 * HOUR + 30 * MINUTE  # and the break
    assert f["availability_loss_s"] == 30 * MINUTE  # 240 min, of which 180 planned, 30 break
    assert f["availability"] > 0


def test_a_missing_ideal_cycle_is_unknown_not_one_minute(m1: psycopg.Connection) -> None:
    m1.execute("reset role; delete from public.ideal_cycles")
    count(m1, {"at": START, "good": 100, "scrap": 1})
    f = figures(m1, START, END)
    assert (f["performance"], f["oee"], f["quality"]) == (None, None, None)
    assert (f["without_ideal"], f["availability"]) == (101, 1)
    assert f["quality_pieces"] == pytest.approx(100 / 101)


def test_performance_is_flagged_never_clamped(m1: psycopg.Connection) -> None:
    count(m1, {"at": START, "good": 500})  # 500 minutes of work in 450
    f = figures(m1, START, END)
    assert f["performance"] == pytest.approx(500 / 450)
    assert f["ideal_cycle_suspect"]
    assert f["speed_loss_s"] == -50 * MINUTE


def test_nothing_planned_is_null_not_zero(m1: psycopg.Connection) -> None:
    plant.plan(m1, START, END, "meeting")
    f = figures(m1, START, END)
    assert (f["planned_s"], f["availability"], f["oee"], f["performance"], f["quality"]) == (
        0,
        None,
        None,
        None,
        None,
    )


def test_overtime_counts_only_when_it_was_approved(m1: psycopg.Connection) -> None:
    """RENAR: working through the break, and after the shift."""
    count(m1, {"at": at(START, 4 * HOUR + 60), "good": 5})
    before = figures(m1, START, END)
    assert (before["good"], before["unscheduled_pieces"], before["planned_s"]) == (0, 5, 7.5 * HOUR)
    approve(m1, at(START, 4 * HOUR), at(START, 4 * HOUR + 30 * MINUTE))
    after = figures(m1, START, END)
    assert (after["good"], after["unscheduled_pieces"], after["planned_s"]) == (5, 0, 8 * HOUR)


def approve(db: psycopg.Connection, begin: datetime, end: datetime) -> None:
    db.execute("reset role")
    db.execute(
        "insert into public.approvals (type, site, work_centre, starts_at, ends_at, justification,"
        " requested_by) values ('OVERTIME', 'main', 'CNC-1', %s, %s, 'late', %s)",
        (begin, end, USER_IDS["planner"]),
    )
    db.execute(
        "update public.approvals set status = 'APPROVED', decided_at = now(), decided_by = %s",
        (USER_IDS["manager"],),
    )


def test_approved_overtime_outside_of_shifts_is_a_shift_of_its_own(db: psycopg.Connection) -> None:
    machine(db)
    pattern(db, shift("early", "06:00", "14:00"))
    approve(db, at(END, -HOUR), at(END, 2 * HOUR))
    rows = oee(db, START, at(END, 4 * HOUR), by="shift")
    assert [(r["key"], r["inputs"]["scheduled_s"]) for r in rows] == [
        (f"{DAY} early", 8 * HOUR),
        (f"{DAY} overtime", 2 * HOUR),
    ]


def test_swapped_times_are_not_a_stop_of_a_day(m1: psycopg.Connection) -> None:
    with pytest.raises(Exception, match="ends_before"):
        stop(m1, at(START, 986 * MINUTE), at(START, 896 * MINUTE))


def test_microstops_are_slow_running_only_when_nobody_said_why(m1: psycopg.Connection) -> None:
    for n in range(3):
        begin = at(START, HOUR * (n + 1))
        state(m1, "stopped", begin)
        state(m1, "running", at(begin, 90))
    call(m1, "operator", "classify_stop", p_reason="jam", p_machine="m1", p_at=at(START, HOUR))
    f = figures(m1, START, END)
    assert (f["micro_stops"], f["micro_s"], f["availability_loss_s"]) == (2, 180, 90)
    answer = call(m1, "viewer", "get_microstops", p_machine="m1", p_from=START, p_to=END)
    assert (answer["micro_stops"], answer["seconds"], answer["average_s"]) == (2, 180, 90)
    assert [x["hour"] for x in answer["by_hour"]] == [8, 9]


def test_an_open_short_stop_is_pending(m1: psycopg.Connection) -> None:
    state(m1, "stopped", at(START, HOUR))
    young = figures(m1, START, END, as_of=at(START, HOUR + 119))
    assert (young["pending_s"], young["availability"], young["micro_stops"]) == (119, 1, 0)
    old = figures(m1, START, END, as_of=at(START, HOUR + 121))
    assert (old["pending_s"], old["availability_loss_s"]) == (0, 121)


def test_a_new_threshold_leaves_history_alone(m1: psycopg.Connection) -> None:
    state(m1, "stopped", at(START, HOUR))
    state(m1, "running", at(START, HOUR + 200))
    call(m1, "planner", "save_machine", p_code="m1", p_micro_stop_s=300)
    assert figures(m1, START, END)["micro_stops"] == 0


def test_several_products_are_not_averaged(m1: psycopg.Connection) -> None:
    """Case 59 of the brief: X 90 of 100 at 1 min, Y 100 of 100 at 3 min, in 480 min."""
    approve(m1, at(START, 4 * HOUR), at(START, 5 * HOUR))
    for sku, seconds in (("X", 60), ("Y", 180)):
        call(m1, "planner", "upsert_item", p_sku=sku, p_title=sku)
        ideal(m1, seconds, sku=sku)
    count(
        m1,
        {"at": START, "sku": "X", "good": 90, "scrap": 10},
        {"at": START, "sku": "Y", "good": 100},
    )
    f = figures(m1, START, END)
    assert (f["oee"], f["quality"], f["quality_pieces"]) == (0.8125, 0.975, 0.95)
    assert f["availability"] * f["performance"] * f["quality"] == pytest.approx(f["oee"], abs=1e-9)


def test_an_ideal_cycle_changed_at_noon_keeps_the_morning(m1: psycopg.Connection) -> None:
    count(m1, {"at": START, "good": 10})
    ideal(m1, 30)
    count(m1, {"at": at(START, 60), "good": 10})
    assert figures(m1, START, END)["ideal_s"] == 900


def test_setup_is_a_loss_but_not_for_nee(m1: psycopg.Connection) -> None:
    state(m1, "setup", at(START, HOUR))
    state(m1, "running", at(START, 2 * HOUR))
    count(m1, {"at": START, "good": 100})
    f = figures(m1, START, END)
    assert (f["setup_s"], f["availability_loss_s"]) == (HOUR, HOUR)
    assert f["nee"] > f["oee"]


def test_a_meeting_entered_late_over_running_time_lowers_availability(
    m1: psycopg.Connection,
) -> None:
    approve(m1, at(START, 4 * HOUR), at(START, 5 * HOUR))
    stop(m1, START, at(START, 80 * MINUTE), "breakdown")
    assert figures(m1, START, END)["availability"] == pytest.approx(400 / 480)
    plant.plan(m1, at(START, 2 * HOUR), at(START, 3 * HOUR), "meeting")
    assert figures(m1, START, END)["availability"] == pytest.approx(340 / 420)


def test_a_machine_that_moved_counts_where_it_stood(m1: psycopg.Connection) -> None:
    for line in ("A", "B"):
        call(m1, "planner", "save_line", p_code=line, p_title=line, p_site="main")
    m1.execute("reset role")
    m1.execute(
        "update public.machine_versions set line = 'A'",
    )
    m1.execute(
        "insert into public.machine_versions (machine, valid_from, line, work_centre, micro_stop_s,"
        " silence_s) values ('m1', %s, 'B', 'CNC-1', 120, 300)",
        (at(START, 5 * HOUR),),
    )
    parts = [figures(m1, START, END, code=None, line=line)["scheduled_s"] for line in ("A", "B")]
    assert parts == [5 * HOUR, 3 * HOUR]
    assert figures(m1, START, END)["scheduled_s"] == 8 * HOUR


def test_a_pattern_changed_today_leaves_past_shifts_alone(m1: psycopg.Connection) -> None:
    pattern(m1, shift("other", "05:00", "06:00"))
    assert figures(m1, START, END)["scheduled_s"] == 8 * HOUR


def test_a_pattern_changed_during_the_night_begins_after_the_shift_that_is_on(
    db: psycopg.Connection,
) -> None:
    """23 o'clock: the night shift goes on to its end; what the new pattern has then is cut."""
    zone = plant.zone_where_it_is(23)
    machine(db, zone=zone)
    today = datetime.now(ZoneInfo(zone)).date()
    pattern(db, shift("night", "22:00", "06:00"), since=today)
    pattern(db, shift("new", "05:00", "13:00"), since=today)
    begin = datetime(today.year, today.month, today.day, 22, tzinfo=ZoneInfo(zone))
    db.execute("reset role")
    rows = db.execute(
        "select shift, lower(during), upper(during) from public.shift_instances"
        " where machine = 'm1' order by during limit 2"
    )
    assert rows.fetchall() == [
        ("night", begin, begin + timedelta(hours=8)),
        ("new", begin + timedelta(hours=8), begin + timedelta(hours=15)),
    ]


def test_losses_and_good_pieces_are_the_planned_time(m1: psycopg.Connection) -> None:
    state(m1, "stopped", at(START, 100.25))
    state(m1, "running", at(START, 400))
    state(m1, "setup", at(START, HOUR))
    state(m1, "running", at(START, HOUR + 77.125))
    stop(m1, at(START, 2 * HOUR), at(START, 2 * HOUR + 30), None)
    count(m1, {"at": START, "good": 50, "scrap": 3, "rework": 2})
    f = figures(m1, START, END)
    losses = call(m1, "viewer", "get_losses", p_machine="m1", p_from=START, p_to=END)
    lost = sum(row["seconds"] for row in losses if row["policy"] != "excluded")
    assert lost + f["ideal_good_s"] == pytest.approx(f["planned_s"], abs=1e-6)


@pytest.mark.parametrize(("spring", "hours"), [(True, 7), (False, 9)])
def test_days_of_daylight_saving(db: psycopg.Connection, spring: bool, hours: int) -> None:
    day = plant.clock_change("Europe/Berlin", spring)
    machine(db, zone="Europe/Berlin")
    pattern(db, shift("night", "22:00", "06:00"), shift("rest", "06:00", "22:00"), since=day)
    begin = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    rows = {
        r["key"]: r["inputs"]["scheduled_s"]
        for r in oee(db, begin, begin + timedelta(days=1), by="shift")
    }
    assert rows[f"{day} night"] == hours * HOUR
