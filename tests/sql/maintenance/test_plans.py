"""Preventive plans by calendar and by counter, work orders, checklists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.support.maintenance import bring, checklist, machine, plan, report, status_of
from tests.support.printing import attempt
from tests.support.rpc import call

OIL = {"title": "Oil pressure", "unit": "bar", "lower": 2, "upper": 4}
BELT = {"title": "Belt tight?"}


def tick(db: psycopg.Connection, now: datetime | None = None) -> list[int]:
    """The clock opens what is due; numbers of the open work orders."""
    db.execute("select private.open_due_work_orders(coalesce(%s, now()))", (now,))
    rows = db.execute("select id from public.repairs where plan_id is not null and is_open")
    return [row[0] for row in rows.fetchall()]


def in_days(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def plans(db: psycopg.Connection, **more: Any) -> list[dict[str, Any]]:
    return list(call(db, "viewer", "get_maintenance_plans", **more))


def test_a_calendar_plan_is_due_on_a_day_of_the_plant(db: psycopg.Connection) -> None:
    code = machine(db)
    done = datetime(2026, 3, 20, 13, 30, tzinfo=UTC)  # 00:30 on the 21st in Sydney
    made = plan(db, code, p_done_at=done, p_every=30)
    # 30 days on is 20 April, after daylight saving has ended there.
    assert datetime.fromisoformat(made["due_at"]) == datetime(2026, 4, 19, 14, tzinfo=UTC)
    assert tick(db, datetime(2026, 4, 19, 13, 59, tzinfo=UTC)) == []
    assert len(tick(db, datetime(2026, 4, 19, 14, tzinfo=UTC))) == 1


def test_one_open_work_order_per_plan_however_late(db: psycopg.Connection) -> None:
    code = machine(db)
    plan(db, code, p_every=7, p_done_at=in_days(-100))
    [order] = tick(db)
    assert tick(db, in_days(50)) == [order], "what is overdue does not pile up"
    row = call(db, "viewer", "get_repair", p_id=order)["repair"]
    assert (row["type"], row["source"], row["is_failure"]) == ("scheduled", "plan", False)
    assert status_of(db, code) == "operational"
    bring(db, order, "in_repair")
    assert status_of(db, code) == "maintenance"
    bring(db, order)
    [left] = plans(db)
    assert (left["left_days"], left["is_due"], left["open_repair"]) == (7, False, None)
    assert tick(db) == []


def test_a_lead_opens_the_work_order_earlier(db: psycopg.Connection) -> None:
    plan(db, machine(db), p_every=30, p_lead=3)
    assert tick(db, in_days(26)) == []
    assert len(tick(db, in_days(28))) == 1


def test_a_counter_plan_goes_by_what_the_machine_ran(db: psycopg.Connection) -> None:
    code = machine(db)
    plan(db, code, "Oil", p_based_on="run_hours", p_every=100, p_lead=10)
    read: dict[str, Any] = {"p_machine": code}
    for shown in (7000, 7080):  # the first one is where counting begins
        call(db, "operator", "record_machine_reading", **read, p_run_hours=shown)
    assert tick(db) == []
    key = uuid4()
    more: dict[str, Any] = read | {"p_run_hours": 7095, "p_request_id": key}
    assert call(db, "operator", "record_machine_reading", **more)["run_hours"] == 95
    assert call(db, "operator", "record_machine_reading", **more)["run_hours"] == 95
    [order] = tick(db)
    bring(db, order)
    [left] = plans(db)
    assert (left["counter"], left["left_count"], left["is_due"]) == (95, 100, False)


def test_a_counter_never_goes_back(db: psycopg.Connection) -> None:
    """Reset by the PLC, or swapped: it goes on; what is told twice counts once."""
    code = machine(db)
    shown = [(100, 0), (130, 30), (130, 30), (5, 35), (25, 55)]
    for cycles, total in shown:
        answer = call(db, "operator", "record_machine_reading", p_machine=code, p_cycles=cycles)
        assert answer["cycles"] == total
    db.execute("select private.add_machine_run(%s, 1.5, 10)", (code,))
    db.execute("select private.add_machine_run(%s, -1.5, -10)", (code,))
    answer = call(db, "operator", "record_machine_reading", p_machine=code, p_cycles=26)
    assert (answer["cycles"], answer["run_hours"]) == (65, 1.5)
    for wrong in ({}, {"p_cycles": -1}, {"p_run_hours": 10**12}):
        assert attempt(db, "operator", "record_machine_reading", p_machine=code, **wrong) == (
            *(422, "machine.reading"),
        )
    assert attempt(db, "operator", "record_machine_reading", p_machine="none", p_cycles=1) == (
        *(404, "machine.unknown"),
    )
    assert attempt(db, "viewer", "record_machine_reading", p_machine=code, p_cycles=1) == (
        *(403, "auth.forbidden"),
    )


def test_plans_that_make_no_sense(db: psycopg.Connection) -> None:
    code = machine(db)
    rule: dict[str, Any] = {
        "p_machine": code,
        "p_title": "Oil",
        "p_based_on": "calendar",
        "p_every": 30,
    }
    cases: list[tuple[dict[str, Any], tuple[int, str]]] = [
        ({"p_machine": "none"}, (404, "machine.unknown")),
        ({"p_based_on": "moon"}, (422, "repair.choice")),
        ({"p_every": 0}, (422, "plan.interval")),
        ({"p_every": Decimal("1.5")}, (422, "plan.interval")),
        ({"p_every": None}, (422, "plan.interval")),
        ({"p_lead": 30}, (422, "plan.interval")),
        ({"p_items": checklist({"title": " "})}, (422, "plan.items")),
        ({"p_items": checklist({"title": "x", "lower": 1})}, (422, "plan.items")),
        ({"p_items": checklist(OIL | {"lower": 9})}, (422, "plan.items")),
        ({"p_items": checklist(OIL | {"lower": "low"})}, (422, "plan.items")),
    ]
    for change, refusal in cases:
        assert attempt(db, "supervisor", "save_maintenance_plan", **rule | change) == refusal
    assert attempt(db, "technician", "save_maintenance_plan", **rule) == (403, "auth.forbidden")
    call(db, "supervisor", "save_maintenance_plan", **rule)
    other = rule | {"p_based_on": "cycles"}
    assert attempt(db, "supervisor", "save_maintenance_plan", **other) == (409, "plan.based_on")
    key = uuid4()
    change = {"p_machine": code, "p_title": "Oil", "p_every": 60, "p_request_id": key}
    first = call(db, "supervisor", "save_maintenance_plan", **change)
    assert call(db, "supervisor", "save_maintenance_plan", **change) == first
    assert first["plan"]["every"] == 60


def test_an_inactive_plan_or_machine_is_never_due(db: psycopg.Connection) -> None:
    code = machine(db)
    plan(db, code, p_every=1, p_done_at=in_days(-9), p_is_active=False)
    assert tick(db) == []
    plan(db, code, "Other", p_every=1, p_done_at=in_days(-9))
    call(db, "supervisor", "save_machine", p_code=code, p_is_active=False)
    assert tick(db) == []
    assert plans(db) == []


@pytest.fixture
def order(db: psycopg.Connection) -> int:
    """A work order with two checks, in repair."""
    made = plan(db, machine(db), p_items=checklist(BELT, OIL))
    answer = call(db, "technician", "start_work_order", p_plan_id=made["id"])
    bring(db, answer["repair"]["id"], "in_repair")
    return int(answer["repair"]["id"])


def test_a_work_order_may_be_opened_early_once(db: psycopg.Connection) -> None:
    made = plan(db, machine(db))
    start = {"p_plan_id": made["id"]}
    assert attempt(db, "operator", "start_work_order", **start) == (403, "auth.forbidden")
    assert call(db, "technician", "start_work_order", **start)["changed"] is True
    assert call(db, "technician", "start_work_order", **start)["changed"] is False
    assert attempt(db, "technician", "start_work_order", p_plan_id=10**9) == (404, "plan.unknown")


def test_a_failed_check_becomes_a_repair_once(db: psycopg.Connection, order: int) -> None:
    check: dict[str, Any] = {"p_id": order, "p_position": 2}
    call(db, "technician", "record_check", **check, p_value=Decimal("5.5"), p_note="Red light")
    [found] = call(db, "viewer", "get_repair", p_id=order)["found"]
    repair = call(db, "viewer", "get_repair", p_id=found)["repair"]
    assert repair["description"] == "Oil pressure\n5.5 bar\nRed light"
    assert (repair["source"], repair["found_by"], repair["type"]) == (
        *("checklist", order, "unscheduled"),
    )
    call(db, "technician", "record_check", **check, p_value=Decimal("5.6"))
    assert call(db, "viewer", "get_repair", p_id=order)["found"] == [found]
    ok = call(db, "technician", "record_check", **check, p_value=3)
    assert ok["changed"] is True
    assert call(db, "technician", "record_check", **check, p_value=3)["changed"] is False
    done = call(db, "viewer", "get_repair", p_id=order)["checks"][1]
    assert (done["result"], done["failed_repair_id"]) == ("ok", None)


def test_the_checklist_is_finished_before_the_work_order(
    db: psycopg.Connection, order: int
) -> None:
    finish: dict[str, Any] = {"p_id": order, "p_actions_taken": ""}
    assert attempt(db, "technician", "complete_repair", **finish) == (409, "repair.checks_open")
    call(db, "technician", "record_check", p_id=order, p_position=1, p_result="ok")
    skip: dict[str, Any] = {"p_id": order, "p_position": 2, "p_result": "skipped"}
    assert attempt(db, "technician", "record_check", **skip) == (422, "repair.why")
    call(db, "technician", "record_check", **skip, p_note="Gauge broken")
    assert call(db, "technician", "complete_repair", **finish)["repair"]["status"] == "repaired"


def test_checks_that_make_no_sense(db: psycopg.Connection, order: int) -> None:
    cases: list[tuple[dict[str, Any], tuple[int, str]]] = [
        ({"p_position": 9, "p_result": "ok"}, (404, "check.unknown")),
        ({"p_position": 1, "p_result": "good"}, (422, "repair.choice")),
        ({"p_position": 1}, (422, "repair.choice")),
        ({"p_position": 1, "p_result": "ok", "p_value": 3}, (422, "check.value")),
        ({"p_position": 2, "p_result": "ok"}, (422, "check.value")),
    ]
    for change, refusal in cases:
        assert attempt(db, "technician", "record_check", p_id=order, **change) == refusal
    check: dict[str, Any] = {"p_id": order, "p_position": 1, "p_result": "ok"}
    assert attempt(db, "operator", "record_check", **check) == (403, "auth.forbidden")
    call(db, "technician", "wait_repair", p_id=order, p_waits_for="people")
    call(db, "technician", "record_check", **check)
    made = plan(db, machine(db, "press-2"), p_items=checklist(BELT))
    other = call(db, "technician", "start_work_order", p_plan_id=made["id"])["repair"]["id"]
    assert attempt(db, "technician", "record_check", **check | {"p_id": other}) == (
        *(409, "repair.status"),
    )


def test_an_open_work_order_keeps_its_checklist(db: psycopg.Connection, order: int) -> None:
    plan(db, "press-1", p_items=checklist({"title": "New"}))
    checks = call(db, "viewer", "get_repair", p_id=order)["checks"]
    assert [c["title"] for c in checks] == ["Belt tight?", "Oil pressure"]
    assert plans(db, p_machine="press-1")[0]["items"][0]["title"] == "New"


def test_reopening_waits_for_the_newer_work_order(db: psycopg.Connection) -> None:
    made = plan(db, machine(db))
    start = {"p_plan_id": made["id"]}
    first = call(db, "technician", "start_work_order", **start)["repair"]["id"]
    bring(db, first)
    call(db, "technician", "start_work_order", **start)
    assert attempt(db, "technician", "reopen_repair", p_id=first, p_reason="Forgot") == (
        *(409, "repair.other_open"),
    )
    assert report(db, "press-1") > first
