"""The jobs of the clock: one machine in trouble never stops the others, and nobody waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.kpi import plant
from tests.sql.kpi.plant import at, machine, pattern, shift
from tests.support.databases import Clone
from tests.support.printing import attempt
from tests.support.rpc import Refused, call

TODAY = datetime.now(UTC).date()
DAY = timedelta(days=1)


@pytest.fixture
def two(db: psycopg.Connection) -> psycopg.Connection:
    """`bad` and `good`, each at a work centre of its own, at work day and night, standing."""
    for code in ("bad", "good"):
        machine(db, code, code.upper(), call_supervisor_min=1)
        plant.around_the_clock(db, code.upper(), since=TODAY - 2 * DAY)
        plant.state(db, "running", at(_noon(-1), 0), code)
        plant.state(db, "stopped", datetime.now(UTC) - timedelta(hours=1), code)
        call(
            db, "planner", "save_maintenance_plan", p_machine=code, p_title="oil",
            p_based_on="calendar", p_every=1, p_done_at=datetime.now(UTC) - 9 * DAY,
        )  # fmt: skip
    db.execute("reset role")
    return db


def _noon(days: int) -> datetime:
    return datetime.combine(TODAY + days * DAY, datetime.min.time(), UTC) + timedelta(hours=12)


def _broken(db: psycopg.Connection, table: str) -> None:
    """From now on nothing of `bad` can be written there."""
    db.execute(
        "create function private.test_break() returns trigger language plpgsql as $$ begin"
        " if new.machine = 'bad' then raise exception 'the gears grind'; end if;"
        " return new; end $$;"
        f"create trigger _000_break before insert on {table} for each row"
        " execute function private.test_break()"
    )


_JOBS = {
    "extend_shifts": "public.shift_instances",
    "snapshot_shifts": "public.oee_shifts",
    "open_due_work_orders": "public.repairs",
    "raise_andon_calls": "private.andon_calls",
}


@pytest.mark.parametrize("job", sorted(_JOBS))
def test_one_machine_in_trouble_does_not_stop_the_others(two: psycopg.Connection, job: str) -> None:
    table = _JOBS[job]
    now = datetime.now(UTC) + (5 * DAY if job == "extend_shifts" else timedelta())
    _broken(two, table)
    before = _machines(two, table)
    two.execute(f"select private.{job}(%s)", (now,))
    after = _machines(two, table)
    assert after["good"] > before.get("good", 0)
    assert after.get("bad", 0) == before.get("bad", 0)
    trouble = two.execute("select machine, job, error from private.machine_troubles").fetchall()
    assert trouble == [("bad", job, "the gears grind")]
    two.execute(f"select private.{job}(%s)", (now,))
    told = (
        "select stream_id, payload ->> 'job' from public.events where event = 'machine.job_failed'"
    )
    assert two.execute(told).fetchall() == [("bad", job)], "told once, not every minute"
    two.execute(f"drop trigger _000_break on {table}")
    two.execute(f"select private.{job}(%s)", (now,))
    assert two.execute("select count(*) from private.machine_troubles").fetchone() == (0,)
    assert _machines(two, table)["bad"] > before.get("bad", 0)


def _machines(db: psycopg.Connection, table: str) -> dict[str, int]:
    return dict(db.execute(f"select machine, count(*) from {table} group by 1").fetchall())


@pytest.mark.parametrize("job", ["extend_shifts", "snapshot_shifts", "open_due_work_orders"])
def test_the_clock_waits_for_no_machine(clone: Clone, job: str) -> None:
    """Somebody works on `bad`: the clock goes on with the next one, and comes back."""
    with clone.connect() as db, clone.connect() as somebody, clone.connect() as clock:
        for code in ("bad", "good"):
            machine(db, code, code.upper())
            plant.around_the_clock(db, code.upper(), since=TODAY - 2 * DAY)
            call(
                db, "planner", "save_maintenance_plan", p_machine=code, p_title="oil",
                p_based_on="calendar", p_every=1, p_done_at=datetime.now(UTC) - 9 * DAY,
            )  # fmt: skip
        before = _machines(db, _JOBS[job])
        with somebody.transaction():
            somebody.execute("select from public.machines where code = 'bad' for no key update")
            clock.execute("set lock_timeout = '5s'")
            clock.execute(f"select private.{job}(now() + interval '5 days')")
            after = _machines(db, _JOBS[job])
            assert after["good"] > before.get("good", 0)
            assert after.get("bad", 0) == before.get("bad", 0)
        clock.execute(f"select private.{job}(now() + interval '5 days')")
        assert _machines(db, _JOBS[job])["bad"] > before.get("bad", 0)


def test_a_policy_locks_its_machines_before_their_figures(clone: Clone) -> None:
    with clone.connect() as db, clone.connect() as somebody, clone.connect() as planner:
        machine(db)
        with somebody.transaction():
            somebody.execute("select from public.machines where code = 'm1' for share")
            planner.execute("set lock_timeout = '200ms'")
            with pytest.raises(Refused) as refused:
                call(
                    planner, "planner", "set_time_policy", p_time_class="break",
                    p_policy="excluded", p_site="main",
                )  # fmt: skip
            assert refused.value.sqlstate == "55P03"


def test_the_oldest_shifts_are_kept_first_and_dirty_ones_never_starve(
    db: psycopg.Connection,
) -> None:
    machine(db)
    hours = [shift(f"h{n}", f"{n:02}:00", f"{(n + 1) % 24:02}:00") for n in range(24)]
    pattern(db, *hours, since=TODAY - 20 * DAY)
    db.execute("reset role")
    one = "select i.id from public.shift_instances i where upper(during) <= now() order by during"
    first = [row[0] for row in db.execute(one + " limit 400")]
    db.execute("select private.snapshot_shifts(now())")
    kept = db.execute("select array_agg(shift_id order by ends_at) from public.oee_shifts")
    assert kept.fetchone() == (first[:100],)
    db.execute("update public.oee_shifts set is_dirty = true where shift_id = %s", (first[50],))
    db.execute("select private.snapshot_shifts(now())")
    assert db.execute("select count(*), bool_or(is_dirty) from public.oee_shifts").fetchone() == (
        200,
        False,
    )


def test_a_month_without_the_clock_leaves_no_hole(db: psycopg.Connection) -> None:
    machine(db)
    plant.around_the_clock(db, since=TODAY)
    db.execute("reset role")
    db.execute("select private.extend_shifts(now() + interval '45 days')")
    row = db.execute(
        "select count(*), range_agg(during)::text like '{[%%,%%)}'"
        " and cardinality(array(select unnest(range_agg(during)))) = 1"
        " from public.shift_instances where machine = 'm1'"
    ).fetchone()
    assert row == (60, True)


@pytest.mark.parametrize("field", ["is_active", "work_centre"])
def test_time_out_of_use_is_not_made_up_afterwards(db: psycopg.Connection, field: str) -> None:
    machine(db)
    plant.around_the_clock(db, since=TODAY - 30 * DAY)
    db.execute("reset role")
    off, on = {"is_active": ("false", "true"), "work_centre": ("null", "'CNC-1'")}[field]
    db.execute(f"update public.machines set {field} = {off}")
    # It was so for ten days.
    db.execute("delete from private.shift_days where day > current_date - 10")
    db.execute("delete from public.shift_instances where shift_date > current_date - 10")
    db.execute(f"update public.machines set {field} = {on}")
    days = db.execute(
        "select array_agg(shift_date - current_date order by 1) from public.shift_instances"
        " where shift_date between current_date - 11 and current_date + 1"
    ).fetchone()
    assert days == ([-11, -10, 0, 1],)


# Calendars that cannot be ----------------------------------------------------------------------

NIGHT = shift("night", "22:00", "06:00")
EARLY = shift("early", "05:00", "13:00")
SOON = TODAY + 40 * DAY


def _overlap(refused: Refused) -> Any:
    assert (refused.status, refused.code) == (422, "calendar.overlap")
    return refused.detail["shifts"]


@pytest.mark.parametrize("machines", [True, False])
def test_two_patterns_do_not_meet_in_one_night(db: psycopg.Connection, machines: bool) -> None:
    """Weeks away, and also where no machine stands yet: the clock would find out at night."""
    plant.work_centre(db)
    if machines:
        machine(db)
    pattern(db, NIGHT, since=TODAY)
    with pytest.raises(Refused) as refused:
        pattern(db, {**EARLY, "title": "Early birds"}, since=SOON)
    assert _overlap(refused.value) == ["night", "Early birds"]
    assert "Early birds" in refused.value.message
    pattern(db, shift("early", "06:00", "13:00"), since=SOON)
    with pytest.raises(Refused) as refused:  # the one before, changed later
        pattern(db, shift("night", "22:00", "06:30"), since=TODAY)
    assert _overlap(refused.value) == ["night", "early"]


def test_an_exception_does_not_meet_the_night_before(db: psycopg.Connection) -> None:
    machine(db)
    pattern(db, NIGHT, since=TODAY)
    day: dict[str, Any] = {"p_from_day": SOON, "p_to_day": SOON, "p_reason": "x"}
    for given in ([EARLY], [shift("late", "22:00", "22:30"), shift("late2", "22:15", "23:00")]):
        with pytest.raises(Refused) as refused:
            call(
                db, "planner", "save_calendar_exception", **day, p_site="main",
                p_shifts=Jsonb(given),
            )  # fmt: skip
        _overlap(refused.value)
    call(db, "planner", "save_calendar_exception", **day, p_site="main")


def test_an_exception_taken_back_does_not_bring_two_shifts_together(
    db: psycopg.Connection,
) -> None:
    machine(db)
    pattern(db, NIGHT, since=TODAY)
    day: dict[str, Any] = {"p_from_day": SOON, "p_to_day": SOON, "p_reason": "x"}
    closed = call(db, "planner", "save_calendar_exception", **day, p_site="main")
    nearby = {"p_from_day": SOON + DAY, "p_to_day": SOON + DAY, "p_reason": "early"}
    call(db, "planner", "save_calendar_exception", **nearby, p_site="main", p_shifts=Jsonb([EARLY]))
    with pytest.raises(Refused) as refused:
        call(db, "planner", "save_calendar_exception", **day, p_id=closed["id"], p_is_active=False)
    assert _overlap(refused.value) == ["night", "early"]


@pytest.mark.parametrize("kind", ["breakdown", "siesta"])
@pytest.mark.parametrize("rpc", ["save_shift_pattern", "save_calendar_exception"])
def test_a_break_is_time_that_is_planned(db: psycopg.Connection, rpc: str, kind: str) -> None:
    machine(db)
    rest = {"starts": "08:00", "ends": "08:30", "time_class": kind}
    given: dict[str, Any] = {
        "p_shifts": Jsonb([{**shift("day", "06:00", "14:00"), "breaks": [rest]}])
    }
    given |= (
        {"p_work_centre": "CNC-1", "p_valid_from": TODAY}
        if rpc == "save_shift_pattern"
        else {"p_from_day": SOON, "p_to_day": SOON, "p_reason": "x", "p_site": "main"}
    )
    assert attempt(db, "planner", rpc, **given) == (422, "calendar.pattern")
