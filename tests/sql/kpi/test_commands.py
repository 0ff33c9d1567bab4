"""Calendars, batches, boards and handovers: what they do, and what they refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.kpi import plant
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
)
from tests.support.rpc import Refused, call

HOUR = 3600
END = at(START, 8 * HOUR)


@pytest.fixture
def m1(db: psycopg.Connection) -> psycopg.Connection:
    """m1 works from 06:00 to 14:00 every day, and runs."""
    machine(db)
    pattern(db, shift("early", "06:00", "14:00"))
    state(db, "running", at(START, -HOUR))
    ideal(db, 60)
    return db


def batch(db: psycopg.Connection, rpc: str, rows: Any, **more: Any) -> Any:
    name = "p_counts" if rpc == "record_counts" else "p_events"
    arguments: dict[str, Any] = {name: Jsonb(rows), **more}
    return call(db, "equipment", rpc, **arguments)


# Calendar ---------------------------------------------------------------------------------


def test_two_shifts_at_once_are_refused_and_both_are_named(m1: psycopg.Connection) -> None:
    with pytest.raises(Refused) as refused:
        pattern(m1, shift("early", "06:00", "14:00"), shift("night", "22:00", "06:30"))
    assert refused.value.code == "calendar.overlap"
    assert set(refused.value.detail["shifts"]) == {"early", "night"}


@pytest.mark.parametrize("bad", [
    {"shift": "x", "starts": "25:00", "ends": "06:00"},
    {"shift": "x", "starts": "06:00"},
    {"shift": "x", "starts": "06:00", "ends": "14:00", "weekdays": [8]},
    {"shift": "x", "starts": "06:00", "ends": "14:00",
     "breaks": [{"starts": "15:00", "ends": "15:30"}]},
])  # fmt: skip
def test_a_pattern_that_makes_no_sense(m1: psycopg.Connection, bad: Any) -> None:
    with pytest.raises(Refused) as refused:
        pattern(m1, bad)
    assert (refused.value.code, refused.value.status) == ("calendar.pattern", 422)


def test_a_holiday_and_a_saturday_at_work(m1: psycopg.Connection) -> None:
    day = (datetime.now(UTC) + timedelta(days=3)).date()
    saved = call(
        m1, "planner", "save_calendar_exception", p_from_day=day, p_to_day=day, p_reason="feast",
        p_site="main",
    )  # fmt: skip
    assert days(m1, day) == []
    call(
        m1, "planner", "save_calendar_exception", p_from_day=day, p_to_day=day, p_reason="rush",
        p_work_centre="CNC-1", p_shifts=Jsonb([shift("extra", "08:00", "12:00")]),
    )  # fmt: skip
    assert days(m1, day) == ["extra"]
    call(
        m1, "planner", "save_calendar_exception", p_id=saved["id"], p_from_day=day, p_to_day=day,
        p_reason="feast", p_is_active=False,
    )  # fmt: skip
    assert days(m1, day) == ["extra"]


def days(db: psycopg.Connection, day: Any) -> list[str]:
    db.execute("reset role")
    rows = db.execute("select shift from public.shift_instances where shift_date = %s", (day,))
    return [row[0] for row in rows.fetchall()]


def test_a_planned_stop_can_be_taken_back(m1: psycopg.Connection) -> None:
    planned = plant.plan(m1, START, at(START, HOUR), "meeting")
    call(m1, "planner", "cancel_planned_stop", p_id=planned["id"])
    assert figures(m1, START, END)["planned_s"] == 8 * HOUR


# Batches ----------------------------------------------------------------------------------


def test_a_repeated_batch_changes_nothing(m1: psycopg.Connection) -> None:
    rows = [
        {"machine": "m1", "key": str(n), "at": at(START, n).isoformat(), "good": 1}
        for n in range(5)
    ]
    assert batch(m1, "record_counts", rows)["accepted"] == 5
    again = batch(m1, "record_counts", [*rows, rows[0]])
    assert (again["accepted"], again["duplicates"]) == (0, 6)
    assert figures(m1, START, END)["good"] == 5
    m1.execute("reset role")
    sums = "select sum(good), (select sum(good) from public.count_events) from public.count_minute"
    assert m1.execute(sums).fetchone() == (5, 5)


def test_what_cannot_be_taken_keeps_nothing_back(m1: psycopg.Connection) -> None:
    good = {"machine": "m1", "key": "1", "at": START.isoformat(), "good": 1}
    wrong = {
        "machine.unknown": good | {"machine": "?"}, "count.key": good | {"key": ""},
        "machine.time": good | {"at": "2999-01-01T00:00Z"}, "item.unknown": good | {"sku": "?"},
        "production.unknown": good | {"order": "?"}, "quality.reason": good | {"reason": "?"},
        "count.unknown": good | {"reverses": "?"}, "count.quantity": good | {"good": -1},
    }  # fmt: skip
    answer = batch(m1, "record_counts", [*wrong.values(), good])
    assert [row["code"] for row in answer["refused"]] == list(wrong)
    assert answer["accepted"] == 1
    states = [{"machine": "m1", "state": "dancing"}, {"machine": "m1", "state": "idle"}]
    answer = batch(m1, "record_machine_states", states)
    assert answer == {
        "accepted": 1,
        "duplicates": 0,
        "refused": [{"n": 1, "code": "machine.state"}],
    }


def test_a_count_is_taken_back_once_at_its_own_time(m1: psycopg.Connection) -> None:
    count(m1, {"at": START, "key": "a", "good": 5, "scrap": 1})
    for key in ("b", "c"):
        count(m1, {"at": END, "key": key, "reverses": "a"})
    f = figures(m1, START, END)
    assert (f["good"], f["scrap"], f["total"]) == (0, 0, 0)


def test_a_request_id_answers_the_same_again(m1: psycopg.Connection) -> None:
    request = uuid4()
    rows = [{"machine": "m1", "key": "1", "at": START.isoformat(), "good": 1}]
    first = batch(m1, "record_counts", rows, p_request_id=request)
    assert batch(m1, "record_counts", rows, p_request_id=request) == first
    with pytest.raises(Refused) as refused:
        batch(m1, "record_counts", [], p_request_id=request)
    assert refused.value.code == "request.reused"


def test_states_at_one_instant_are_ordered_by_seq(m1: psycopg.Connection) -> None:
    for name, seq in (("stopped", 2), ("running", 1)):
        state(m1, name, at(START, HOUR), seq=seq)
    assert figures(m1, START, END)["run_s"] == HOUR


# Kept figures -----------------------------------------------------------------------------


def test_late_facts_make_a_shift_dirty_and_it_is_computed_anew(m1: psycopg.Connection) -> None:
    snapshots(m1)
    before = kept(m1)
    assert before == (8 * HOUR, False, 0)
    plant.stop(m1, at(START, HOUR), at(START, 2 * HOUR), "breakdown")
    assert kept(m1)[1]
    assert oee(m1, START, END, by="shift")[0]["inputs"]["run_s"] == 7 * HOUR
    snapshots(m1)
    assert kept(m1) == (7 * HOUR, False, 1)


def snapshots(db: psycopg.Connection) -> None:
    db.execute("reset role")
    db.execute("select private.snapshot_shifts(now())")


def kept(db: psycopg.Connection) -> Any:
    db.execute("reset role")
    return db.execute(
        "select (inputs ->> 'run_s')::numeric, is_dirty, recomputed from public.oee_shifts"
        " where starts_at = %s",
        (START,),
    ).fetchone()


# Boards -----------------------------------------------------------------------------------


def test_the_shift_board_adds_up_hour_by_hour(m1: psycopg.Connection) -> None:
    count(m1, {"at": START, "good": 10}, {"at": at(START, 2 * HOUR), "good": 20, "scrap": 1})
    rows = call(
        m1, "viewer", "get_shift_board", p_machine="m1", p_shift_date=START.date(), p_shift="early"
    )
    assert [r["good_so_far"] for r in rows] == [10, 10, 30, 30, 30, 30, 30, 30]
    assert [r["target"] for r in rows] == [51] * 8  # 85 % of 60 pieces
    assert rows[-1]["target_so_far"] == 8 * 51


def test_the_andon_wall_says_what_since_when_and_by_whom(m1: psycopg.Connection) -> None:
    state(m1, "fault", at(START, HOUR))
    (row,) = call(m1, "viewer", "get_andon", p_site="main")
    assert (row["machine"], row["state"], row["by_name"]) == ("m1", "fault", "Operator")
    assert datetime.fromisoformat(row["since"]) == at(START, HOUR)
    call(m1, "operator", "classify_stop", p_reason="tool", p_machine="m1")
    (row,) = call(m1, "viewer", "get_andon", p_site="main")
    assert (row["reason"], row["stop_version"]) == ("tool", 2)


def test_the_timeline_is_every_second_once(m1: psycopg.Connection) -> None:
    state(m1, "stopped", at(START, HOUR))
    state(m1, "running", at(START, 2 * HOUR))
    rows = call(m1, "viewer", "get_machine_timeline", p_machine="m1", p_from=START, p_to=END)
    assert [r["kind"] for r in rows] == ["run", "stop", "run"]
    assert [r["ends_at"] for r in rows[:-1]] == [r["starts_at"] for r in rows[1:]]


def test_tables_are_as_full_as_the_pieces_on_them(db: psycopg.Connection) -> None:
    plant.work_centre(db, capacity=4)
    machine(db, "m1", "CNC-1")
    pattern(db, shift("early", "06:00", "14:00"))
    db.execute("reset role")
    db.execute("alter table public.piece_counts drop constraint piece_counts_order_fkey")
    for when, started, good in (
        (START, 2, 0),
        (at(START, 4 * HOUR), 0, 1),
        (at(START, 6 * HOUR), 0, 1),
    ):
        db.execute(
            "insert into public.piece_counts (order_id, sequence, work_centre, at, started, good,"
            " command) values (1, 1, 'CNC-1', %s, %s, %s, 1)",
            (when, started, good),
        )
    rows = call(
        db, "viewer", "get_table_utilization", p_work_centre="CNC-1", p_from=START, p_to=END
    )
    assert [(r["occupied"], r["utilisation"]) for r in rows] == [(1.25, 0.3125)]


# Handover ---------------------------------------------------------------------------------


def test_a_shift_is_handed_over_once_and_taken_by_another(m1: psycopg.Connection) -> None:
    given = call(m1, "operator", "shift_handover", p_work_centre="CNC-1", p_notes="oil is low")
    assert given["changed"]
    assert given["handover"]["snapshot"]["machines"][0]["machine"] == "m1"
    again = call(m1, "technician", "shift_handover", p_work_centre="CNC-1")
    assert (again["changed"], again["handover"]["notes"]) == (False, "oil is low")
    number = given["handover"]["id"]
    with pytest.raises(Refused) as refused:
        call(m1, "operator", "receive_shift", p_id=number)
    assert refused.value.code == "shift.own"
    assert call(m1, "technician", "receive_shift", p_id=number)["changed"]
    assert not call(m1, "technician", "receive_shift", p_id=number)["changed"]
    start = call(m1, "viewer", "start_of_shift", p_work_centre="CNC-1")
    assert start["handover"]["id"] == number
    assert (start["machines"][0]["machine"], start["machines"][0]["is_ready"]) == ("m1", True)
    assert {"Operator", "Technician"} <= {p["full_name"] for p in start["people"]}


# Refusals ---------------------------------------------------------------------------------

REFUSALS: list[tuple[str, int, str, dict[str, Any]]] = [
    ("calendar.day", 422, "save_shift_pattern",
     {"p_work_centre": "CNC-1", "p_valid_from": "1999-01-01", "p_shifts": Jsonb([])}),
    ("work_centre.unknown", 404, "start_of_shift", {"p_work_centre": "?"}),
    ("calendar.unknown", 404, "save_calendar_exception",
     {"p_id": 99, "p_from_day": "2026-12-24", "p_to_day": "2026-12-24", "p_reason": "x"}),
    ("calendar.no_shift", 404, "get_shift_board",
     {"p_machine": "m1", "p_shift_date": plant.DAY, "p_shift": "none"}),
    ("machine.unknown", 404, "get_oee", {"p_machine": "?"}),
    ("machine.state", 422, "record_machine_state", {"p_machine": "m1", "p_state": "dancing"}),
    ("machine.time", 422, "record_machine_state",
     {"p_machine": "m1", "p_state": "idle", "p_at": "2999-01-01"}),
    ("machine.malformed", 400, "record_machine_states", {"p_events": Jsonb({"no": "list"})}),
    ("count.malformed", 400, "record_counts", {"p_counts": Jsonb([{"good": "many"}])}),
    ("kpi.by", 422, "get_oee", {"p_by": "moon"}),
    ("kpi.by", 422, "get_mtbf", {"p_by": "hour"}),
    ("kpi.range", 422, "get_oee", {"p_from": END, "p_to": START}),
    ("stop.ends_before", 422, "plan_stop", {"p_machine": "m1", "p_from": END, "p_to": START}),
    ("stop.unknown", 404, "cancel_planned_stop", {"p_id": 99}),
    ("shift.unknown", 404, "receive_shift", {"p_id": 99}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "status", "rpc", "arguments"), REFUSALS)
def test_refused(
    m1: psycopg.Connection, code: str, status: int, rpc: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(Refused) as refused:
        call(m1, "supervisor", rpc, **arguments)
    assert (refused.value.code, refused.value.status) == (code, status)
