"""M05: one tap takes back the own last action, or says exactly what blocks it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.support.databases import USER_IDS
from tests.support.orders import advance, events, make_order, ticket
from tests.support.rpc import Refused, call

FLOOR = ("version", "updated_at")


def state(db: psycopg.Connection, order_id: str = "bannos-18617") -> dict[str, Any]:
    return {k: v for k, v in ticket(db, order_id).items() if k not in FLOOR}


COMMANDS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("Filling", "operator", "handle_print_barcode", {}),
    ("Covering", "operator", "start_covering", {}),
    ("Decorating", "operator", "start_decorating", {}),
    ("Packing", "operator", "start_packing", {}),
    ("Packing", "operator", "qc_return_to_decorating", {"p_reason": "Damaged Cake"}),
    ("Covering", "operator", "set_storage", {"p_storage": "Store Fridge"}),
    ("Covering", "operator", "assign_staff", {}),
    ("Covering", "supervisor", "set_priority", {"p_priority": "High"}),
    ("Covering", "supervisor", "set_due_date", {"p_due_date": "2026-12-24"}),
    ("Covering", "supervisor", "cancel_order", {"p_reason": "no show"}),
]


@pytest.mark.parametrize(("stage", "who", "rpc", "arguments"), COMMANDS)
def test_undo_restores_the_ticket(
    db: psycopg.Connection, stage: str, who: str, rpc: str, arguments: dict[str, Any]
) -> None:
    make_order(db)
    advance(db, "bannos-18617", stage)
    before = state(db)
    assert call(db, who, rpc, p_order_id="bannos-18617", **arguments)["changed"] is True
    assert state(db) != before
    undone = call(db, who, "undo_last", p_order_id="bannos-18617")
    assert [u["changed"] for u in undone] == [True]
    assert state(db) == before
    assert events(db, "bannos-18617")[-1] == "order.undone"


@pytest.mark.parametrize("stage", ["Filling", "Covering", "Decorating", "Packing"])
def test_a_completed_stage_is_taken_back(db: psycopg.Connection, stage: str) -> None:
    make_order(db)
    advance(db, "bannos-18617", stage)
    start = "handle_print_barcode" if stage == "Filling" else f"start_{stage.lower()}"
    call(db, "operator", start, p_order_id="bannos-18617")
    call(db, "operator", "assign_staff", p_order_id="bannos-18617")
    before = state(db)
    call(db, "operator", f"complete_{stage.lower()}", p_order_id="bannos-18617")
    call(db, "operator", "undo_last")
    assert state(db) == before, "the assignee is back too"


def test_undo_again_takes_back_the_action_before(db: psycopg.Connection) -> None:
    make_order(db)
    states = [state(db)]
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617")
    states.append(state(db))
    call(db, "operator", "complete_filling", p_order_id="bannos-18617")
    call(db, "operator", "undo_last")
    assert state(db) == states[1]
    call(db, "operator", "undo_last")
    assert state(db) == states[0]
    with pytest.raises(Refused) as refused:
        call(db, "operator", "undo_last")
    assert (refused.value.status, refused.value.code) == (404, "undo.nothing")


def test_a_later_change_of_the_same_fields_blocks_and_is_named(db: psycopg.Connection) -> None:
    make_order(db)
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617")
    call(db, "operator", "complete_filling", p_order_id="bannos-18617")
    call(db, "supervisor", "start_covering", p_order_id="bannos-18617")
    call(db, "supervisor", "complete_covering", p_order_id="bannos-18617")
    with pytest.raises(Refused) as refused:
        call(db, "operator", "undo_last", p_order_id="bannos-18617")
    assert (refused.value.status, refused.value.code) == (409, "undo.blocked")
    assert refused.value.detail["event"] == "covering.completed"
    assert refused.value.detail["by"] == "Supervisor"
    assert "Supervisor" in refused.value.message


def test_a_later_change_of_other_fields_does_not_block(db: psycopg.Connection) -> None:
    make_order(db)
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617")
    call(db, "supervisor", "set_priority", p_order_id="bannos-18617", p_priority="High")
    call(db, "operator", "undo_last", p_order_id="bannos-18617")
    row = ticket(db, "bannos-18617")
    assert (row["filling_started_at"], row["priority"]) == (None, "High")


def test_only_the_own_action_and_only_for_ten_minutes(db: psycopg.Connection) -> None:
    make_order(db)
    db.execute("update public.settings set value = '0' where key = 'undo.minutes'")
    db.execute(
        "insert into public.settings (key, site, value) values ('undo.minutes', 'main', '0')"
    )
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617")
    with pytest.raises(Refused) as refused:
        call(db, "operator", "undo_last", p_order_id="bannos-18617")
    assert (refused.value.status, refused.value.code) == (403, "undo.too_late")
    with pytest.raises(Refused) as refused:
        call(db, "technician", "undo_last", p_order_id="bannos-18617")
    assert refused.value.code == "undo.nothing"
    undone = call(db, "supervisor", "undo_last", p_order_id="bannos-18617")
    assert undone[0]["changed"] is True
    assert ticket(db, "bannos-18617")["filling_started_at"] is None


def test_a_bulk_command_is_undone_as_one(db: psycopg.Connection) -> None:
    orders = [make_order(db, f"bannos-{n}") for n in (1, 2, 3)]
    call(db, "supervisor", "assign_staff_bulk", p_order_ids=orders, p_staff_id=USER_IDS["operator"])
    undone = call(db, "supervisor", "undo_last")
    assert sorted(u["order_row"]["id"] for u in undone) == orders
    assert all(ticket(db, o)["assignee_id"] is None for o in orders)


def test_the_scan_after_an_undo_is_a_new_scan(db: psycopg.Connection) -> None:
    make_order(db)
    advance(db, "bannos-18617", "Covering")
    call(db, "operator", "scan", p_code="#B18617")
    call(db, "operator", "undo_last")
    again = call(db, "operator", "scan", p_code="#B18617")
    assert (again["action"], again["changed"]) == ("started", True)


def test_the_same_request_undoes_once(db: psycopg.Connection) -> None:
    make_order(db)
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617")
    call(db, "operator", "complete_filling", p_order_id="bannos-18617")
    request = uuid4()
    first = call(db, "operator", "undo_last", p_request_id=request)
    assert call(db, "operator", "undo_last", p_request_id=request) == first
    assert ticket(db, "bannos-18617")["filling_started_at"] is not None


def test_restored_history_is_not_one_command(db: psycopg.Connection) -> None:
    """After a restore every old event has transaction id 0; undo must not take them for one."""
    for n in (1, 2):
        make_order(db, f"bannos-{n}")
        call(db, "supervisor", "set_priority", p_order_id=f"bannos-{n}", p_priority="High")
    db.execute("alter table public.events disable trigger _200_append_only")
    db.execute("update public.events set xid = '0'")
    db.execute("alter table public.events enable trigger _200_append_only")
    undone = call(db, "supervisor", "undo_last")
    assert [u["order_row"]["id"] for u in undone] == ["bannos-2"]
    assert ticket(db, "bannos-1")["priority"] == "High"


def test_an_unknown_order_cannot_be_undone(db: psycopg.Connection) -> None:
    with pytest.raises(Refused) as refused:
        call(db, "operator", "undo_last", p_order_id="bannos-0")
    assert refused.value.code == "order.unknown"


def test_undo_under_another_persons_work_is_blocked_in_words(db: psycopg.Connection) -> None:
    """Stage and timestamps go back together: no half-undone ticket, no raw constraint error."""
    make_order(db)
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617")
    call(db, "supervisor", "complete_filling", p_order_id="bannos-18617")
    for event in ("filling.completed", "covering.started"):
        with pytest.raises(Refused) as refused:
            call(db, "operator", "undo_last", p_order_id="bannos-18617")
        assert (refused.value.code, refused.value.detail["event"]) == ("undo.blocked", event)
        if event == "filling.completed":
            call(db, "supervisor", "start_covering", p_order_id="bannos-18617")


def test_undo_on_a_cancelled_ticket_is_blocked(db: psycopg.Connection) -> None:
    make_order(db)
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617")
    call(db, "supervisor", "cancel_order", p_order_id="bannos-18617", p_reason="no show")
    with pytest.raises(Refused) as refused:
        call(db, "operator", "undo_last", p_order_id="bannos-18617")
    assert refused.value.detail["event"] == "order.cancelled"
