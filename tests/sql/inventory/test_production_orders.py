"""Production orders: made, changed, cancelled, shipped; by whom; twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.inventory.production import has, plan, produce, produce_lines, used
from tests.sql.inventory.stock import item, ledger, on_hand, refused
from tests.support.rpc import call


@pytest.fixture
def stocked(db: psycopg.Connection) -> psycopg.Connection:
    """Five brackets and five knobs."""
    item(db, "BRACKET", 5)
    item(db, "KNOB", 5)
    return db


def create(db: psycopg.Connection, who: str = "planner", **fields: Any) -> Any:
    arguments = {"product_sku": "BRACKET", **fields}
    named = {f"p_{n}": v for n, v in arguments.items()}
    return call(db, who, "create_production_order", **named)


def refused_create(db: psycopg.Connection, who: str = "planner", **fields: Any) -> str | None:
    arguments = {f"p_{n}": v for n, v in fields.items()}
    return refused(db, who, "create_production_order", **arguments).code


def test_an_order_says_what_it_is_and_has(stocked: psycopg.Connection) -> None:
    made = create(stocked, quantity=3, priority="rush", due_date="2026-12-24", notes="blue")
    order = made["order_row"]
    assert (order["code"], order["site"], order["status"]) == ("P-1", "main", "OPEN_NOT_STARTED")
    assert (order["quantity"], order["due_date"], order["notes"]) == (3, "2026-12-24", "blue")
    assert made["changed"] is True
    assert made["fulfillment_status"] == "fulfilled"
    assert made["lines"] == [
        {"line": 1, "sku": "BRACKET", "needed": 3, "allocated": 3, "consumed": 0}
    ]
    status = stocked.execute(
        "select fulfillment_status, open_lines from public.production_order_status"
    ).fetchone()
    assert status == ("fulfilled", 0)
    assert create(stocked, code="K/7")["order_row"]["code"] == "K/7"


def test_a_repeated_request_makes_one_order(stocked: psycopg.Connection) -> None:
    request = uuid4()
    first = create(stocked, request_id=request)
    assert create(stocked, request_id=request) == first
    reused = refused_create(stocked, product_sku="KNOB", request_id=request)
    assert reused == "request.reused"
    for rpc, fields in (
        ("update", {"priority": "critical"}),
        ("cancel", {"reason": "x"}),
    ):
        request = uuid4()
        done = plan(stocked, rpc, "P-1", request_id=request, **fields)
        assert done["changed"] is True
        assert plan(stocked, rpc, "P-1", request_id=request, **fields) == done
    assert plan(stocked, "cancel", "P-1")["changed"] is False


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"product_sku": "NOTHING"}, "item.unknown"),
        ({"lines": Jsonb([{"sku": "NOTHING", "quantity": 1}])}, "item.unknown"),
        ({}, "production.lines"),
        ({"lines": Jsonb([])}, "production.lines"),
        ({"lines": Jsonb([{"sku": "BRACKET"}])}, "production.lines"),
        ({"lines": Jsonb([{"sku": "BRACKET", "quantity": 0}])}, "production.lines"),
        ({"lines": Jsonb([{"sku": "BRACKET", "quantity": "2"}])}, "production.lines"),
        ({"product_sku": "BRACKET", "quantity": 0}, "production.quantity"),
        ({"product_sku": "BRACKET", "quantity": -1}, "production.quantity"),
        ({"product_sku": "BRACKET", "quantity": 1000000}, "production.quantity"),
    ],
)
def test_an_order_that_cannot_be_is_refused(
    stocked: psycopg.Connection, fields: dict[str, Any], code: str
) -> None:
    assert refused_create(stocked, **fields) == code
    assert stocked.execute("select count(*) from public.production_orders").fetchone() == (0,)


def test_codes_are_taken_once(stocked: psycopg.Connection) -> None:
    create(stocked, code="K-1")
    assert refused_create(stocked, product_sku="KNOB", code="K-1") == "production.exists"


def test_constraints_name_the_field(stocked: psycopg.Connection) -> None:
    for fields, constraint in (
        ({"priority": "soon"}, "production_orders_priority_check"),
        ({"type": "OTHER"}, "production_orders_type_check"),
        ({"code": " "}, "production_orders_code_check"),
    ):
        arguments = {f"p_{n}": v for n, v in {"product_sku": "KNOB", **fields}.items()}
        refusal = refused(stocked, "planner", "create_production_order", **arguments)
        assert refusal.constraint == constraint


def test_the_site_is_the_stores_or_the_callers_only_one(stocked: psycopg.Connection) -> None:
    assert create(stocked, store="flourlane")["order_row"]["site"] == "main"
    stocked.execute("insert into public.sites (code, name) values ('second', 'Second')")
    assert refused_create(stocked, product_sku="KNOB") == "site.unknown"
    assert refused_create(stocked, product_sku="KNOB", site="third") == "site.unknown"
    assert create(stocked, site="second")["order_row"]["site"] == "second"


@pytest.mark.parametrize("who", ["viewer", "operator", "kiosk", "stranger"])
def test_only_planners_plan(stocked: psycopg.Connection, who: str) -> None:
    expected = "auth.not_staff" if who == "stranger" else "auth.forbidden"
    assert refused_create(stocked, who, product_sku="BRACKET") == expected
    create(stocked)
    for rpc in ("update", "cancel"):
        code = refused(stocked, who, f"{rpc}_production_order", p_code="P-1").code
        assert code == expected


def test_shipping_needs_its_permission(stocked: psycopg.Connection) -> None:
    create(stocked)
    assert refused(stocked, "viewer", "ship_production_order", p_code="P-1").code == (
        "auth.forbidden"
    )
    done = call(stocked, "operator", "ship_production_order", p_code="P-1")
    assert done["order_row"]["status"] == "CLOSED"


def test_an_edit_of_what_somebody_else_changed_is_refused(stocked: psycopg.Connection) -> None:
    create(stocked)
    plan(stocked, "update", "P-1", notes="first", version=1)
    stale = refused(stocked, "planner", "update_production_order", p_code="P-1", p_version=1)
    assert (stale.code, stale.detail) == ("production.stale", {"expected": 1, "actual": 2})
    done = plan(stocked, "update", "P-1", due_date="2026-12-24")
    assert done["order_row"]["due_date"] == "2026-12-24"
    done = plan(stocked, "update", "P-1", clear_due_date=True)
    assert (done["order_row"]["due_date"], done["order_row"]["notes"]) == (None, "first")
    bad = refused(stocked, "planner", "update_production_order", p_code="P-1", p_quantity=0)
    assert bad.code == "production.quantity"


def test_a_cancellation_says_why(stocked: psycopg.Connection) -> None:
    create(stocked)
    code = refused(stocked, "planner", "cancel_production_order", p_code="P-1").code
    assert code == "stock.reason_required"
    done = plan(stocked, "cancel", "P-1", reason="not wanted")
    assert (done["order_row"]["status"], done["fulfillment_status"]) == (
        "CANCELLED", "unfulfilled",
    )  # fmt: skip
    assert ledger(stocked, "BRACKET") == [("receipt", 5)]
    for rpc in ("update", "ship"):
        code = refused(stocked, "planner", f"{rpc}_production_order", p_code="P-1").code
        assert code == "production.closed"


def test_shipping_uses_the_parts_once(stocked: psycopg.Connection) -> None:
    order = produce_lines(stocked, {"BRACKET": 2, "KNOB": 1}, quantity=2)
    request = uuid4()
    first = plan(stocked, "ship", order, request_id=request)
    assert plan(stocked, "ship", order, request_id=request) == first
    assert plan(stocked, "ship", order)["changed"] is False
    assert (on_hand(stocked, "BRACKET"), on_hand(stocked, "KNOB")) == (1, 3)
    row = stocked.execute(
        "select ref_stream, ref_id, quantity from public.inventory_txn where sku = 'KNOB'"
        " and kind = 'consume'"
    ).fetchone()
    assert row == ("production_order", order, -2)
    assert refused(stocked, "planner", "cancel_production_order", p_code=order).code == (
        "production.closed"
    )


def test_what_is_missing_is_not_shipped_unless_told(stocked: psycopg.Connection) -> None:
    order = produce_lines(stocked, {"BRACKET": 7, "KNOB": 1})
    short = refused(stocked, "planner", "ship_production_order", p_code=order)
    assert short.code == "production.short"
    assert short.detail == {"missing": [{"sku": "BRACKET", "missing": 2}]}
    part = plan(stocked, "ship", order, allow_partial=True)
    assert part["order_row"]["status"] == "OPEN_PARTIAL"
    assert (used(stocked, order), has(stocked, order)) == (6, 0)
    nothing = refused(
        stocked, "planner", "ship_production_order", p_code=order, p_allow_partial=True
    )
    assert nothing.code == "production.short"
    below = refused(
        stocked, "planner", "update_production_order", p_code=order, p_quantity=Decimal("0.5")
    )
    assert below.code == "production.below_used"
    call(stocked, "operator", "receive_stock", p_sku="BRACKET", p_quantity=2)
    assert plan(stocked, "ship", order)["order_row"]["status"] == "CLOSED"
    assert on_hand(stocked, "BRACKET") == 0


def test_what_was_shipped_stays_used_after_a_cancellation(stocked: psycopg.Connection) -> None:
    order = produce(stocked, "BRACKET", 8)
    plan(stocked, "ship", order, allow_partial=True)
    plan(stocked, "cancel", order, reason="rest not wanted")
    assert (on_hand(stocked, "BRACKET"), used(stocked, order)) == (0, 5)


def test_a_store_sees_its_orders_and_those_of_none(stocked: psycopg.Connection) -> None:
    for store in ("bannos", "flourlane", None):
        create(stocked, store=store, site="main")
    rows = call(stocked, "flourlane_operator", "get_order_fulfilment")
    assert [r["store"] for r in rows] == ["flourlane", None]
    assert call(stocked, "flourlane_operator", "explain_allocation", p_code="P-1") == []
    stocked.execute("update public.staff_shared set role = 'planner' where role = 'operator'")
    for rpc in ("update", "cancel", "ship"):
        refusal = refused(stocked, "flourlane_operator", f"{rpc}_production_order", p_code="P-1")
        assert refusal.code == "auth.other_store"
