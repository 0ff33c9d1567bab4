"""What was, stays: machines out of use, moves, seconds, wrong clocks, facts that are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.kpi import plant
from tests.sql.kpi.plant import START, at, count, figures, machine, oee, pattern, shift, state
from tests.support.printing import attempt
from tests.support.rpc import Refused, call

MINUTE, HOUR = 60, 3600
END = at(START, 8 * HOUR)


@pytest.fixture
def m1(db: psycopg.Connection) -> psycopg.Connection:
    """m1 works from 06:00 to 14:00 every day and runs; ten hours ago it stood for an hour."""
    machine(db)
    pattern(
        db, shift("early", "06:00", "14:00", [("10:00", "10:30")]), shift("late", "14:00", "22:00")
    )
    state(db, "running", at(START, -HOUR))
    plant.ideal(db, 60)
    return db


# Out of use -----------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["machine", "line", "work centre"])
def test_what_is_taken_out_of_use_keeps_its_past(m1: psycopg.Connection, what: str) -> None:
    call(m1, "planner", "save_line", p_code="A", p_title="Line A", p_site="main")
    m1.execute("reset role; update public.machine_versions set line = 'A'")
    plant.stop(m1, at(START, HOUR), at(START, 2 * HOUR), "breakdown")
    count(m1, {"at": START, "good": 100})
    asked = (
        lambda: figures(m1, START, END, code=None, site="main"),
        lambda: figures(m1, START, END, code=None, line="A"),
        lambda: figures(m1, START, END, code=None, work_centre="CNC-1"),
        lambda: call(m1, "viewer", "get_stops", p_site="main", p_from=START, p_to=END),
        lambda: call(m1, "viewer", "get_losses", p_site="main", p_from=START, p_to=END),
    )
    before = [ask() for ask in asked]
    m1.execute("reset role")
    m1.execute(
        {
            "machine": "update public.machines set is_active = false",
            "line": "update public.lines set is_active = false",
            "work centre": "update public.work_centres set is_enabled = false,"
            " disabled_at = now(), disabled_reason = 'REVISION'",
        }[what]
    )
    assert [ask() for ask in asked] == before
    assert before[3][0]["seconds"] == HOUR


def test_a_machine_out_of_use_is_in_no_figure_from_then_on(m1: psycopg.Connection) -> None:
    m1.execute("reset role; update public.machines set is_active = false")
    now = datetime.now(UTC)
    rows = oee(m1, at(now, HOUR), at(now, 2 * HOUR), code=None, by="machine", site="main")
    assert rows == []
    m1.execute("reset role; update public.machines set is_active = true")
    assert len(oee(m1, at(now, HOUR), at(now, 2 * HOUR), code=None, by="machine", site="main")) == 1


def test_yield_of_a_step_stays_with_the_step_of_its_time(m1: psycopg.Connection) -> None:
    """Half of the shift at CNC-1, then it was moved to the paint shop."""
    plant.work_centre(m1, "PAINT-1", step="PAINT")
    m1.execute(
        "insert into public.machine_versions (machine, valid_from, work_centre, micro_stop_s,"
        " silence_s) values ('m1', %s, 'PAINT-1', 120, 300)",
        (at(START, 4 * HOUR),),
    )
    count(
        m1, {"at": at(START, HOUR), "good": 8, "scrap": 2}, {"at": at(START, 5 * HOUR), "good": 5}
    )
    told = call(m1, "viewer", "get_quality_breakdown", p_machine="m1", p_from=START, p_to=END)
    assert [(s["step"], s["total"]) for s in told["by_step"]] == [("CNC", 10), ("PAINT", 5)]
    only = call(
        m1, "viewer", "get_quality_breakdown", p_work_centre="CNC-1", p_from=START, p_to=END
    )
    assert (only["total"], only["first_pass_yield"]) == (10, 0.8)


# Plans and seconds ----------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "hours"), [("excluded", 7.5), ("loss_availability", 8)])
def test_the_plan_of_a_shift_goes_by_the_policy_of_the_site(
    m1: psycopg.Connection, policy: str, hours: float
) -> None:
    call(
        m1, "planner", "set_time_policy", p_time_class="break", p_policy=policy, p_site="main",
        p_valid_from=at(START, -HOUR),
    )  # fmt: skip
    assert figures(m1, START, END)["planned_s"] == hours * HOUR
    rows = call(
        m1, "viewer", "get_shift_board", p_machine="m1", p_shift_date=START.date(), p_shift="early"
    )
    assert sum(r["planned_s"] for r in rows) == hours * HOUR
    assert {(r["machine"], r["name"], r["work_centre_title"], r["shift_title"]) for r in rows} == {
        ("m1", "m1", "CNC-1", "early")
    }


def test_a_count_belongs_to_the_shift_of_its_second(db: psycopg.Connection) -> None:
    machine(db)
    pattern(db, shift("early", "06:00", "14:00:30"), shift("late", "14:00:30", "22:00"))
    cut = at(END, 30)
    count(
        db, {"at": at(cut, -31), "good": 1}, {"at": at(cut, -1), "good": 2},
        {"at": at(cut, -0.000001), "good": 4}, {"at": cut, "good": 8},
        {"at": at(cut, 29), "good": 16}, {"at": at(cut, 30), "good": 32},
    )  # fmt: skip
    rows = oee(db, START, at(END, 8 * HOUR), by="shift")
    assert [r["inputs"]["good"] for r in rows] == [7, 56]
    assert figures(db, at(cut, -1), at(cut, 29))["good"] == 14
    assert figures(db, at(cut, -1), at(cut, 29))["unscheduled_pieces"] == 0


def test_a_count_in_a_break_of_seconds_is_unscheduled(m1: psycopg.Connection) -> None:
    plant.plan(m1, at(START, HOUR + 10), at(START, HOUR + 20), "meeting")
    for n in range(30):
        count(m1, {"at": at(START, HOUR + n), "good": 1})
    f = figures(m1, START, END)
    assert (f["good"], f["unscheduled_pieces"]) == (20, 10)
    halves = [figures(m1, START, at(START, HOUR + 15)), figures(m1, at(START, HOUR + 15), END)]
    assert [h["good"] for h in halves] == [10, 10]


# Clocks that are wrong ------------------------------------------------------------------------

_LONG_AGO, _TOO_SOON = datetime(1970, 1, 1, 0, 7, tzinfo=UTC), timedelta(hours=2)


def _batch(when: datetime, kind: str, n: int = 0) -> tuple[str, str, Any]:
    row: dict[str, Any] = {"machine": "m1", "at": when.isoformat()}
    if kind == "state":
        return "record_machine_states", "p_events", [{**row, "state": "idle", "seq": n}]
    return "record_counts", "p_counts", [{**row, "key": f"k{n}", "good": 1}]


@pytest.mark.parametrize("kind", ["state", "count"])
@pytest.mark.parametrize("fault", ["behind", "ahead"])
def test_what_a_wrong_clock_says_is_set_aside_and_told(
    m1: psycopg.Connection, kind: str, fault: str
) -> None:
    when = _LONG_AGO if fault == "behind" else datetime.now(UTC) + _TOO_SOON
    code = "machine.too_old" if fault == "behind" else "machine.time"
    rpc, field, bad = _batch(when, kind)
    good = _batch(at(START, 5), kind, 1)[2]
    for again in range(2):
        answer = call(m1, "equipment", rpc, **{field: Jsonb(bad + good)})
        assert (answer["accepted"], answer["duplicates"]) == (1 - again, again)
        assert answer["refused"] == [{"n": 1, "code": code, "is_quarantined": True}]
    m1.execute("reset role")
    kept = m1.execute(
        "select machine, site, kind, code, event from public.quarantined_events"
    ).fetchall()
    assert kept == [("m1", "main", kind, code, bad[0])], "once, as it came"
    told = m1.execute("select payload from public.events where event = 'machine.quarantined'")
    assert [row[0]["rows"] for row in told] == [1]
    assert figures(m1, START, END)["total"] == (kind == "count")


def test_how_late_facts_may_come_is_a_setting(m1: psycopg.Connection) -> None:
    """The buffer of a gateway: within it nothing is set aside, a second beyond it is."""
    call(m1, "admin", "set_setting", p_key="kpi.late_days", p_value=Jsonb(7), p_site="main")
    m1.execute("reset role")
    (now,) = m1.execute("select now()").fetchone() or (None,)
    for seconds, refused in ((0, 0), (-1, 1)):
        when = at(now - timedelta(days=7), seconds)
        for kind in ("state", "count"):
            rpc, field, rows = _batch(when, kind, refused)
            assert len(call(m1, "equipment", rpc, **{field: Jsonb(rows)})["refused"]) == refused
        alone: dict[str, Any] = {
            "p_machine": "m1",
            "p_state": "idle",
            "p_at": at(when, 0.5 - refused),
        }
        if refused:
            assert attempt(m1, "operator", "record_machine_state", **alone) == (
                422,
                "machine.too_old",
            )
        else:
            assert call(m1, "operator", "record_machine_state", **alone)["accepted"] == 1


def test_a_booking_that_begins_too_long_ago_is_set_aside(m1: psycopg.Connection) -> None:
    call(m1, "admin", "set_setting", p_key="kpi.late_days", p_value=Jsonb(7), p_site="main")
    since, until = (datetime.now(UTC) - timedelta(days=days) for days in (8, 6))
    span = {"from": since.isoformat(), "at": until.isoformat()}
    row = {"machine": "m1", "key": "k", "good": 9, **span}
    answer = call(m1, "equipment", "record_counts", p_counts=Jsonb([row]))
    assert answer["refused"] == [{"n": 1, "code": "machine.too_old", "is_quarantined": True}]


# Facts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["postgres", "service_role"])
@pytest.mark.parametrize("table", ["machine_state_events", "count_events"])
@pytest.mark.parametrize("act", [
    "update public.{} set at = now()", "delete from public.{}", "truncate public.{}",
])  # fmt: skip
def test_facts_of_machines_are_never_changed_or_removed(
    m1: psycopg.Connection, table: str, act: str, role: str
) -> None:
    count(m1, {"at": START, "good": 1})
    m1.execute("reset role")
    m1.execute(f"grant select, update, delete, truncate on public.{table} to service_role")
    m1.execute(f"set local role {role}")
    with pytest.raises(psycopg.Error) as refused, m1.transaction():
        m1.execute(act.format(table))
    assert refused.value.diag.message_hint == "machine.append_only"


def test_a_machine_that_never_spoke_has_no_stop_since_ever(db: psycopg.Connection) -> None:
    machine(db)
    plant.around_the_clock(db)
    (row,) = call(db, "viewer", "get_stops", p_machine="m1", p_from=START, p_to=END)
    assert (row["starts_at"], row["seconds"]) == (None, None)
    assert (row["lost_s"], row["time_class"]) == (8 * HOUR, "no_data")


# Names ----------------------------------------------------------------------------------------


def test_microstops_name_their_machines(m1: psycopg.Connection) -> None:
    call(m1, "planner", "save_machine", p_code="m1", p_name="Mill")
    state(m1, "stopped", at(START, HOUR))
    state(m1, "running", at(START, HOUR + 60))
    told = call(m1, "viewer", "get_microstops", p_machine="m1", p_from=START, p_to=END)
    assert [(x["machine"], x["name"]) for x in told["by_machine"] + told["last"]] == [
        ("m1", "Mill")
    ] * 2


def test_the_start_of_a_shift_names_its_work_centre(m1: psycopg.Connection) -> None:
    told = call(m1, "viewer", "start_of_shift", p_work_centre="CNC-1")
    assert told["title"] == "CNC-1"


# Run hours ------------------------------------------------------------------------------------


def _read(db: psycopg.Connection, **shown: float) -> Any:
    return call(
        db, "operator", "record_machine_reading", p_machine="m1",
        **{f"p_{name}": value for name, value in shown.items()},
    )  # fmt: skip


def _signals(db: psycopg.Connection, hours: float) -> None:
    db.execute("reset role")
    db.execute("select private.add_machine_run('m1', %s, %s)", (hours, hours * 10))


def test_the_first_reading_is_where_counting_begins(m1: psycopg.Connection) -> None:
    first = _read(m1, run_hours=12000, cycles=900)
    assert (first["run_hours"], first["cycles"]) == (0, 0)
    second = _read(m1, run_hours=12008, cycles=950)
    assert (second["run_hours"], second["cycles"]) == (8, 50)


def test_hours_that_are_signalled_and_read_count_once(m1: psycopg.Connection) -> None:
    _signals(m1, 5)
    _read(m1, run_hours=100, cycles=1000)
    _signals(m1, 8)
    after = _read(m1, run_hours=108, cycles=1080)
    assert (after["run_hours"], after["cycles"]) == (13, 130)
    _signals(m1, 8)  # its own counter saw an hour more
    after = _read(m1, run_hours=117, cycles=1170)
    assert (after["run_hours"], after["cycles"]) == (22, 220)
    _signals(m1, 2)  # a shift is added up after the reading that knew its hours
    after = _read(m1, run_hours=117)
    assert after["run_hours"] == 24
    assert _read(m1, run_hours=119)["run_hours"] == 24


def test_refused_readings_change_nothing(m1: psycopg.Connection) -> None:
    with pytest.raises(Refused):
        _read(m1)
    assert _read(m1, run_hours=1)["run_hours"] == 0
