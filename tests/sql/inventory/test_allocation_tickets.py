"""Tickets of a shop wait for parts in the same queue as production orders."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.inventory.production import fulfilment, has, plan, produce, used
from tests.sql.inventory.stock import item, levels, on_hand, requirements, track
from tests.support.orders import advance, make_order, ticket
from tests.support.rpc import call


@pytest.fixture
def shop(db: psycopg.Connection) -> psycopg.Connection:
    """Bannos sells Kiosks of two brackets, and tracks stock."""
    item(db, "BRACKET")
    requirements(db, {"sku": "BRACKET", "quantity": 2}, title="Kiosk")
    track(db)
    return db


def kiosk(db: psycopg.Connection, number: int = 1, **fields: Any) -> str:
    return make_order(db, f"bannos-{number}", **{"product_title": "Kiosk", **fields})


def receive(db: psycopg.Connection, quantity: int) -> None:
    call(db, "operator", "receive_stock", p_sku="BRACKET", p_quantity=quantity)


def test_formset_4_a_shop_order_enters_the_queue(shop: psycopg.Connection) -> None:
    order = kiosk(shop)
    assert fulfilment(shop, order) == "unfulfilled"
    receive(shop, 5)
    assert (has(shop, order), fulfilment(shop, order)) == (2, "fulfilled")
    [row] = call(shop, "viewer", "get_order_fulfilment")
    assert (row["kind"], row["code"], row["title"]) == ("order", order, "Kiosk")


def test_formset_4_a_cancelled_shop_order_releases_its_parts(shop: psycopg.Connection) -> None:
    receive(shop, 2)
    order, waiting = kiosk(shop, 1), kiosk(shop, 2)
    call(shop, "supervisor", "cancel_order", p_order_id=order, p_reason="customer")
    assert (has(shop, order), has(shop, waiting)) == (0, 2)
    assert on_hand(shop, "BRACKET") == 2  # cancel consumes nothing


def test_urgent_tickets_go_between_critical_and_normal_orders(shop: psycopg.Connection) -> None:
    normal = produce(shop, quantity=2)
    low = kiosk(shop, 1, priority="Low")
    medium = kiosk(shop, 2)
    high = kiosk(shop, 3, priority="High")
    critical = produce(shop, quantity=2, priority="critical")
    for expected in (critical, high, normal, medium, low):
        receive(shop, 2)
        assert fulfilment(shop, expected) == "fulfilled"


def test_a_changed_priority_of_a_ticket_ranks_anew(shop: psycopg.Connection) -> None:
    receive(shop, 2)
    first, second = kiosk(shop, 1), kiosk(shop, 2)
    call(shop, "supervisor", "set_priority", p_order_id=second, p_priority="High")
    assert (has(shop, first), has(shop, second)) == (0, 2)


def test_a_due_date_moves_a_ticket_in_the_queue(shop: psycopg.Connection) -> None:
    receive(shop, 2)
    first, second = kiosk(shop, 1), kiosk(shop, 2)
    call(shop, "planner", "set_due_date", p_order_id=second, p_due_date="2001-01-01")
    assert ticket(shop, second)["priority"] == "High"
    assert (has(shop, first), has(shop, second)) == (0, 2)


def test_completion_uses_the_promised_parts_once(shop: psycopg.Connection) -> None:
    receive(shop, 3)
    order, waiting = kiosk(shop, 1), kiosk(shop, 2)
    advance(shop, order, "Complete")
    assert (used(shop, order), on_hand(shop, "BRACKET")) == (2, 1)
    assert levels(shop, "BRACKET")["reserved"] == 1
    assert (fulfilment(shop, order), has(shop, waiting)) == ("fulfilled", 1)


def test_a_completion_taken_back_gives_the_parts_back(shop: psycopg.Connection) -> None:
    receive(shop, 2)
    order = kiosk(shop)
    advance(shop, order, "Complete")
    call(shop, "operator", "undo_last", p_order_id=order)
    assert ticket(shop, order)["stage"] == "Packing"
    assert (used(shop, order), has(shop, order), on_hand(shop, "BRACKET")) == (0, 2, 2)


def test_an_edited_ticket_needs_what_it_needs_now(shop: psycopg.Connection) -> None:
    receive(shop, 10)
    item(shop, "KNOB", 1)
    requirements(shop, {"sku": "KNOB", "quantity": 1}, title="Lamp")
    order = kiosk(shop)
    version = ticket(shop, order)["version"]
    edit = {"p_order_id": order, "p_version": version, "p_product_title": "Lamp"}
    call(shop, "planner", "update_order_core", **edit)
    assert (has(shop, order, "BRACKET"), has(shop, order, "KNOB")) == (0, 1)
    assert fulfilment(shop, order) == "fulfilled"


def test_a_changed_bill_of_materials_reaches_open_tickets(shop: psycopg.Connection) -> None:
    receive(shop, 10)
    order = kiosk(shop)
    requirements(shop, {"sku": "BRACKET", "quantity": 3}, title="Kiosk")
    assert has(shop, order) == 3


def test_optional_components_are_not_waited_for(shop: psycopg.Connection) -> None:
    item(shop, "STICKER")
    lines = [{"sku": "STICKER", "quantity": 1, "is_optional": True}]
    requirements(shop, *lines, {"sku": "BRACKET", "quantity": 1}, title="Lamp")
    receive(shop, 1)
    assert fulfilment(shop, kiosk(shop, product_title="Lamp")) == "fulfilled"


def test_a_store_that_does_not_track_stock_reserves_nothing(shop: psycopg.Connection) -> None:
    receive(shop, 2)
    make_order(shop, "flourlane-1", product_title="Kiosk")
    assert levels(shop, "BRACKET")["reserved"] == 0


def test_a_completed_ticket_takes_parts_that_were_promised_to_others(
    shop: psycopg.Connection,
) -> None:
    """What is used is used: the promise to the other order is taken back and shown."""
    receive(shop, 2)
    critical = produce(shop, quantity=2, priority="critical")
    order = kiosk(shop)
    advance(shop, order, "Complete")
    assert (used(shop, order), has(shop, critical)) == (2, 0)
    assert fulfilment(shop, critical) == "unfulfilled"
    receive(shop, 2)
    plan(shop, "ship", critical)
    assert on_hand(shop, "BRACKET") == 0


def test_an_import_of_many_tickets_is_planned_in_one_pass(shop: psycopg.Connection) -> None:
    receive(shop, 5)
    rows = Jsonb([{"order_number": str(n), "description": "Kiosk"} for n in range(7001, 7005)])
    answers = call(
        shop, "planner", "import_orders", p_store="bannos", p_source="generic", p_rows=rows,
        p_dry_run=True,
    )  # fmt: skip
    assert {a["result"] for a in answers} == {"created"}
    assert levels(shop, "BRACKET")["reserved"] == 0
    call(
        shop, "planner", "import_orders", p_store="bannos", p_source="generic", p_rows=rows,
        p_dry_run=False,
    )  # fmt: skip
    assert [has(shop, f"bannos-{n}") for n in range(7001, 7005)] == [2, 2, 1, 0]
