"""Spare parts that a repair takes from stock."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.support.maintenance import bring, events, machine, report
from tests.support.printing import attempt
from tests.support.rpc import call


@pytest.fixture
def repair(db: psycopg.Connection) -> int:
    """A repair at work, and ten belts in stock at 12.50 each."""
    call(db, "planner", "upsert_item", p_sku="BELT", p_title="Belt", p_unit_cost=Decimal("12.5"),
         p_forbid_negative=True)  # fmt: skip
    call(db, "planner", "receive_stock", p_sku="BELT", p_quantity=10)
    number = report(db, machine(db))
    bring(db, number, "in_repair")
    return number


def on_hand(db: psycopg.Connection) -> Any:
    row = db.execute("select on_hand from public.inventory_stock where sku = 'BELT'").fetchone()
    assert row is not None
    return row[0]


def test_parts_leave_stock_and_cost(db: psycopg.Connection, repair: int) -> None:
    take: dict[str, Any] = {"p_id": repair, "p_sku": "belt", "p_quantity": 2}
    key = uuid4()
    first = call(db, "technician", "use_repair_part", **take, p_request_id=key)
    assert call(db, "technician", "use_repair_part", **take, p_request_id=key) == first
    assert on_hand(db) == 8
    call(db, "technician", "complete_repair", p_id=repair, p_actions_taken="Belts", p_cost=40)
    shown = call(db, "viewer", "get_repair", p_id=repair)
    assert (shown["parts_cost"], shown["total_cost"]) == (25, 65)
    assert [(p["sku"], p["quantity"], p["is_returned"]) for p in shown["parts"]] == [
        ("BELT", 2, False)
    ]
    assert events(db, "stock", "BELT")[-1] == "stock.consumed"


def test_a_part_that_was_not_needed_comes_back_once(db: psycopg.Connection, repair: int) -> None:
    call(db, "technician", "use_repair_part", p_id=repair, p_sku="BELT", p_quantity=3)
    txn = call(db, "viewer", "get_repair", p_id=repair)["parts"][0]["txn_id"]
    back = {"p_id": repair, "p_txn_id": txn}
    assert attempt(db, "operator", "return_repair_part", **back) == (403, "auth.forbidden")
    assert call(db, "technician", "return_repair_part", **back)["changed"] is True
    assert call(db, "technician", "return_repair_part", **back)["changed"] is False
    assert on_hand(db) == 10
    shown = call(db, "viewer", "get_repair", p_id=repair)
    assert shown["parts_cost"] == 0
    assert shown["parts"][0]["is_returned"]
    other = report(db, "press-1", "noise")
    for wrong in ({"p_id": other, "p_txn_id": txn}, {"p_id": repair, "p_txn_id": txn + 1}):
        assert attempt(db, "technician", "return_repair_part", **wrong) == (404, "stock.unknown")


def test_parts_that_cannot_be_taken(db: psycopg.Connection, repair: int) -> None:
    take = {"p_id": repair, "p_sku": "BELT", "p_quantity": 1}
    db.execute("insert into public.sites (code, name) values ('far', 'Far away')")
    cases: list[tuple[dict[str, Any], tuple[int, str]]] = [
        ({"p_id": 10**9}, (404, "repair.unknown")),
        ({"p_sku": "NONE"}, (404, "item.unknown")),
        ({"p_quantity": 0}, (422, "stock.quantity")),
        ({"p_quantity": 11}, (409, "stock.short")),
        ({"p_location": "none"}, (404, "location.unknown")),
        ({"p_location": "far"}, (409, "repair.other_site")),
    ]
    for change, refusal in cases:
        assert attempt(db, "technician", "use_repair_part", **take | change) == refusal
    assert attempt(db, "operator", "use_repair_part", **take) == (403, "auth.forbidden")
    bring(db, repair)
    assert attempt(db, "technician", "use_repair_part", **take) == (409, "repair.ended")
    assert on_hand(db) == 10
