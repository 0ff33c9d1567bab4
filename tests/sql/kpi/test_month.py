"""A simulated month: twelve machines, night shifts across a change of the clocks, to the second."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.kpi import month, plant
from tests.sql.kpi.month import MACHINES, Oracle, Row, Story
from tests.support.databases import Clone
from tests.support.rpc import call

_BATCHES = 4
FIRST, LAST = month.the_month(datetime.now(UTC).date())
BEGIN, END = (datetime.combine(day, time(), month.ZONE).astimezone(UTC) for day in (FIRST, LAST))


@pytest.fixture(scope="module")
def told(module_clone: Clone) -> Iterator[tuple[psycopg.Connection, dict[str, Story]]]:
    """The month, told through the RPCs, late, shuffled and in part twice."""
    stories = {code: Story.of(code, FIRST, LAST) for code in MACHINES}
    with module_clone.connect() as db:
        _build(db)
        _tell_machines(db, list(stories.values()))
        for story in stories.values():
            for row in sorted(story.rows, key=lambda r: r.begins):
                _tell_people(db, story, row)
        db.execute("analyze")
        yield db, stories


def _build(db: psycopg.Connection) -> None:
    given = [
        plant.shift(name, starts, ends, [rest], weekdays=list(weekdays))
        for name, starts, ends, rest, weekdays in month.SHIFTS
    ]
    plant.work_centre(db, zone=str(month.ZONE))
    plant.pattern(db, *given, since=FIRST)
    # The month is over at its end: nothing is planned afterwards.
    plant.pattern(db, since=LAST)
    for code in MACHINES:
        plant.machine(
            db, code, zone=str(month.ZONE), micro_stop_s=month.MICRO_S, silence_s=month.SILENCE_S
        )
        plant.ideal(db, month.IDEAL_S, code)


def _tell_machines(db: psycopg.Connection, stories: list[Story]) -> None:
    dice = random.Random(1)
    states = [
        {"machine": s.code, "at": at.isoformat(), "state": state}
        for s in stories
        for at, state in s.states
    ]
    counts = [
        {
            "machine": s.code, "key": c.key, "at": c.at.isoformat(), "good": c.good,
            "scrap": c.scrap, "rework": c.rework,
        }
        for s in stories
        for c in s.counts
    ]  # fmt: skip
    for rows, rpc, argument in (
        (states, "record_machine_states", "p_events"),
        (counts, "record_counts", "p_counts"),
    ):
        dice.shuffle(rows)
        accepted = 0
        for n in range(_BATCHES):
            batch = rows[n::_BATCHES] + rows[:50]  # a gateway sends some of them again
            answer = call(db, "equipment", rpc, **{argument: Jsonb(batch)})
            assert answer["refused"] == []
            accepted += answer["accepted"]
        assert accepted == len(rows)


def _tell_people(db: psycopg.Connection, story: Story, row: Row) -> None:
    if row.source == "repair":
        _repair(db, story.code, row)
    elif row.source == "person":
        plant.stop(db, row.begins, row.ends, row.reason, story.code)
    else:
        second = timedelta(seconds=1)
        then = row.begins + second if row.source == "signal" else row.ends - second
        named: dict[str, Any] = {"p_reason": row.reason, "p_machine": story.code, "p_at": then}
        call(db, plant.who_may_say(row.reason), "classify_stop", **named)


def _repair(db: psycopg.Connection, code: str, row: Row) -> None:
    """Reported, repaired, closed; at their times, although a report is always of now."""
    known = row.begins + timedelta(minutes=2)
    repair = call(
        db, "operator", "report_repair", p_machine=code, p_description="It stands",
        p_is_down=True, p_occurred_at=row.begins,
    )["repair"]["id"]  # fmt: skip
    db.execute(
        "update public.repairs set reported_at = %(at)s, status_since = %(at)s where id = %(id)s",
        {"at": known, "id": repair},
    )
    db.execute("update public.repair_statuses set at = %s where repair_id = %s", (known, repair))
    work: dict[str, Any] = {"p_id": repair}
    done = row.ends - timedelta(minutes=5)
    call(db, "technician", "start_repair", **work, p_at=known + timedelta(minutes=4))
    call(db, "technician", "complete_repair", **work, p_actions_taken="New belt", p_at=done)
    call(db, "operator", "verify_repair", **work, p_is_ok=True, p_at=done + timedelta(minutes=1))
    call(db, "technician", "close_repair", **work, p_at=row.ends)


def _exact(inputs: dict[str, Any], names: set[str]) -> dict[str, Decimal]:
    return {name: Decimal(str(inputs[name])) for name in names}


def test_the_month_of_every_machine_to_the_second(
    told: tuple[psycopg.Connection, dict[str, Story]],
) -> None:
    db, stories = told
    rows = {r["key"]: r["inputs"] for r in plant.oee(db, BEGIN, END, code=None, by="machine")}
    assert set(rows) == set(MACHINES)
    for code, story in stories.items():
        expected = Oracle(story).sums(BEGIN, END)
        assert _exact(rows[code], set(expected)) == dict(expected), code
        assert expected["micro_stops"] > 50
        assert min(expected["no_data_s"], expected["setup_s"], expected["excluded_s"]) > 0


def test_every_shift_to_the_second_and_they_add_up(
    told: tuple[psycopg.Connection, dict[str, Story]],
) -> None:
    db, stories = told
    code = MACHINES[0]
    oracle = Oracle(stories[code])
    rows = plant.oee(db, BEGIN, END, code=code, by="shift")
    wanted = [s for s in month.shifts(FIRST, LAST) if s.begins >= BEGIN and s.ends <= END]
    asked = {r["key"]: r["inputs"] for r in rows}
    lengths = {(s.ends - s.begins) for s in wanted if s.key.endswith("night")}
    assert len(lengths) == 2, "the clocks changed in one of the nights"
    total: Counter[str] = Counter()
    for shift in wanted:
        expected = oracle.sums(shift.begins, shift.ends)
        assert _exact(asked[shift.key], set(expected)) == dict(expected), shift.key
        total += expected
    whole = oracle.sums(wanted[0].begins, wanted[-1].ends)
    assert total["planned_s"] == whole["planned_s"]


def test_failures_of_the_month(told: tuple[psycopg.Connection, dict[str, Story]]) -> None:
    """MTTR: from when it happened until the stop ended; MTBF: time it ran, by failures."""
    db, stories = told
    mttr = {r["key"]: r for r in _ask(db, "get_mttr")}
    mtbf = {r["key"]: r for r in _ask(db, "get_mtbf")}
    seen = 0
    for code, story in stories.items():
        broken = [r for r in story.rows if r.source == "repair" and BEGIN <= r.begins < END]
        restored = [r for r in story.rows if r.source == "repair" and BEGIN <= r.ends < END]
        assert mttr[code]["failures"] == mtbf[code]["failures"] == len(broken)
        if restored:
            down = sum((r.ends - r.begins).total_seconds() for r in restored)
            assert mttr[code]["mttr_s"] == pytest.approx(down / len(restored), abs=1e-6)
            assert mttr[code]["wrench_s"] < mttr[code]["mttr_s"]
        ran = Oracle(story).sums(BEGIN, END)
        assert mtbf[code]["operating_s"] == ran["run_s"] + ran["setup_s"]
        seen += len(broken)
    assert seen > 10


def _ask(db: psycopg.Connection, rpc: str) -> list[dict[str, Any]]:
    return list(call(db, "viewer", rpc, p_site="main", p_from=BEGIN, p_to=END, p_by="machine"))


def test_live_is_snapshot_is_report(told: tuple[psycopg.Connection, dict[str, Story]]) -> None:
    db, _ = told
    live = plant.oee(db, BEGIN, END, code=None, by="shift")
    _snapshot(db)
    left = db.execute("select count(*) from public.shift_instances where not is_closed").fetchone()
    assert left == (0,)
    kept = plant.oee(db, BEGIN, END, code=None, by="shift")
    assert [(r["key"], r["inputs"]) for r in kept] == [(r["key"], r["inputs"]) for r in live]
    differ = db.execute(
        "select count(*) from public.oee_shifts o where o.inputs <>"
        " to_jsonb(private.kpi_window(o.machine, o.starts_at, o.ends_at, now()))"
    ).fetchone()
    assert differ == (0,)


def _snapshot(db: psycopg.Connection) -> None:
    db.execute("reset role")
    for _ in range(20):
        before = db.execute("select count(*) from public.oee_shifts").fetchone()
        db.execute("select private.snapshot_shifts(now())")
        if db.execute("select count(*) from public.oee_shifts").fetchone() == before:
            return
    raise AssertionError("20 runs of the job were not enough")
