"""M03: what a ticket takes from the shelf when it arrives, and that it follows the ticket."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.concurrency.together import together
from tests.sql.inventory.stock import (
    at,
    item,
    ledger,
    levels,
    on_hand,
    place,
    refused,
    rule,
    track,
)
from tests.sql.m02_shopify.shop import WEB_ORDER, connect_shop, deliver, merge, order, tickets
from tests.support.databases import Clone
from tests.support.orders import advance, events, make_order
from tests.support.rpc import call

TICKET = "bannos-18617"
CANDLES = Jsonb([{"title": "Gold Candles", "quantity": 2, "price": "5.00"}])


@pytest.fixture
def shop(db: psycopg.Connection) -> psycopg.Connection:
    """A store that tracks stock, ten candles, and the rule that sells them."""
    item(db, "CANDLE", on_hand=10)
    rule(db, "candle", "CANDLE", applies_to="accessory")
    track(db)
    return db


def deducted(db: psycopg.Connection) -> list[tuple[str, Any]]:
    return [row for row in ledger(db, "CANDLE") if row[0].startswith("order_")]


def test_an_order_takes_its_accessories_as_it_comes_in(shop: psycopg.Connection) -> None:
    make_order(shop, TICKET, accessories=CANDLES)
    assert levels(shop, "CANDLE") == {"on_hand": 8, "held": 0, "reserved": 0, "ats": 8}
    row = shop.execute(
        "select kind, quantity, ref_stream, ref_id from public.inventory_txn order by id desc"
    ).fetchone()
    assert row == ("order_deduct", -2, "order", TICKET)


def test_an_order_made_by_hand_takes_what_its_title_says(shop: psycopg.Connection) -> None:
    item(shop, "BUN", on_hand=5)
    rule(shop, "Bun", "BUN", match="exact", applies_to="product")
    call(
        shop, "planner", "create_manual_order", p_store="bannos", p_product_title=" bun! ",
        p_quantity=3,
    )  # fmt: skip
    assert on_hand(shop, "BUN") == 2


def test_an_order_of_a_shop_and_of_a_file_takes_its_stock(shop: psycopg.Connection) -> None:
    item(shop, "TOPPER", on_hand=10)
    titles = {a["title"] for t in _shop_tickets(shop) for a in t["accessories"]}
    assert titles
    for title in titles:
        rule(shop, title, "TOPPER", match="exact")
    taken = sum(int(a["quantity"]) for t in _shop_tickets(shop) for a in t["accessories"])
    shop.execute("delete from public.orders")
    shop.execute("delete from public.channel_orders")
    deliver(shop, WEB_ORDER)
    assert on_hand(shop, "TOPPER") == 10 - taken
    merge(shop, order())
    assert on_hand(shop, "TOPPER") == 10 - taken, "the same order again takes nothing"


def _shop_tickets(db: psycopg.Connection) -> list[dict[str, Any]]:
    if not tickets(db):
        connect_shop(db)
        merge(db, order())
    return list(tickets(db).values())


def test_a_store_that_does_not_track_takes_nothing(shop: psycopg.Connection) -> None:
    make_order(shop, "flourlane-1", accessories=CANDLES)
    make_order(shop, "bannos-2", accessories=CANDLES, is_test=True)
    assert deducted(shop) == []


def test_defect_negative_stock_never_blocks_the_order(shop: psycopg.Connection) -> None:
    make_order(shop, TICKET, accessories=Jsonb([{"title": "Candle", "quantity": 12}]))
    assert on_hand(shop, "CANDLE") == -2
    alarms = call(shop, "viewer", "get_stock_alarms")
    assert [(a["kind"], a["sku"]) for a in alarms] == [("negative", "CANDLE")]


def test_where_the_item_forbids_it_the_order_comes_in_and_the_stock_is_tried_again(
    shop: psycopg.Connection,
) -> None:
    call(shop, "planner", "upsert_item", p_sku="CANDLE", p_forbid_negative=True)
    make_order(shop, TICKET, accessories=Jsonb([{"title": "Candle", "quantity": 12}]))
    assert on_hand(shop, "CANDLE") == 10
    alarms = call(shop, "viewer", "get_stock_alarms")
    assert [(a["kind"], a["order_id"]) for a in alarms] == [("deduct_failed", TICKET)]
    job = shop.execute("select topic, payload from public.work_queue").fetchone()
    assert job == ("stock.deduct", {"order_id": TICKET})
    refusal = refused(shop, "service", "deduct_on_order_create", p_order_id=TICKET)
    assert (refusal.status, refusal.code) == (409, "stock.short")
    call(shop, "operator", "receive_stock", p_sku="CANDLE", p_quantity=2)
    answer = call(shop, "service", "deduct_on_order_create", p_order_id=TICKET)
    assert answer["moved"] == [
        {"order_id": TICKET, "sku": "CANDLE", "location": "main", "quantity": -12}
    ]
    assert call(shop, "viewer", "get_stock_alarms") == []


def test_deduct_on_order_create_takes_once(shop: psycopg.Connection) -> None:
    make_order(shop, TICKET, accessories=CANDLES)
    answer = call(shop, "service", "deduct_on_order_create", p_order_id=TICKET)
    assert (answer["changed"], answer["moved"]) == (False, [])
    assert deducted(shop) == [("order_deduct", -2)]
    unknown = refused(shop, "service", "deduct_on_order_create", p_order_id="bannos-0")
    assert (unknown.status, unknown.code) == (404, "order.unknown")
    denied = refused(shop, "admin", "deduct_on_order_create", p_order_id=TICKET)
    assert denied.sqlstate == "42501", "service only"


def test_deduct_on_order_create_repeats_by_request_id(shop: psycopg.Connection) -> None:
    make_order(shop, "flourlane-1", accessories=CANDLES)
    arguments = {"p_order_id": "flourlane-1", "p_request_id": uuid4()}
    first = call(shop, "service", "deduct_on_order_create", **arguments)
    assert first["changed"] is True
    assert call(shop, "service", "deduct_on_order_create", **arguments) == first
    assert deducted(shop) == [("order_deduct", -2)]


def test_defect_cancel_restocks_what_the_order_took(shop: psycopg.Connection) -> None:
    make_order(shop, TICKET, accessories=CANDLES)
    call(shop, "supervisor", "cancel_order", p_order_id=TICKET, p_reason="wedding off")
    assert deducted(shop) == [("order_deduct", -2), ("order_restock", 2)]
    assert on_hand(shop, "CANDLE") == 10
    call(shop, "supervisor", "undo_last", p_order_id=TICKET)
    assert on_hand(shop, "CANDLE") == 8, "the cancellation was undone"


def test_an_edit_of_the_order_moves_the_difference(shop: psycopg.Connection) -> None:
    make_order(shop, TICKET, accessories=CANDLES)
    version = {"p_order_id": TICKET, "p_version": 1}
    more = Jsonb([{"title": "Gold Candles", "quantity": "5"}])
    call(shop, "supervisor", "update_order_core", **version, p_accessories=more)
    assert on_hand(shop, "CANDLE") == 5
    call(
        shop, "supervisor", "update_order_core", p_order_id=TICKET, p_version=2,
        p_accessories=Jsonb([]),
    )  # fmt: skip
    assert deducted(shop) == [("order_deduct", -2), ("order_deduct", -3), ("order_restock", 5)]


def test_a_newer_rule_does_not_reach_back(shop: psycopg.Connection) -> None:
    item(shop, "BALLOON", on_hand=5)
    balloon = Jsonb([{"title": "Balloon", "quantity": 1}])
    make_order(shop, TICKET, accessories=balloon)
    rule(shop, "balloon", "BALLOON")
    call(shop, "supervisor", "set_priority", p_order_id=TICKET, p_priority="High")
    advance(shop, TICKET, "Complete")
    assert on_hand(shop, "BALLOON") == 5


def test_restock_puts_back_where_it_came_from_and_stays_back(shop: psycopg.Connection) -> None:
    place(shop, "shelf")
    call(
        shop, "operator", "transfer_stock", p_sku="CANDLE", p_quantity=9, p_from="main",
        p_to="shelf",
    )  # fmt: skip
    make_order(shop, TICKET, accessories=CANDLES)
    assert (at(shop, "CANDLE", "main"), at(shop, "CANDLE", "shelf")) == (0, 8)
    arguments = {"p_order_id": TICKET, "p_reason": "never picked", "p_request_id": uuid4()}
    first = call(shop, "supervisor", "restock_order", **arguments)
    assert {(m["location"], m["quantity"]) for m in first["moved"]} == {("main", 1), ("shelf", 1)}
    assert call(shop, "supervisor", "restock_order", **arguments) == first
    assert call(shop, "supervisor", "restock_order", p_order_id=TICKET)["changed"] is False
    call(
        shop, "supervisor", "update_order_core", p_order_id=TICKET, p_version=1,
        p_accessories=Jsonb([{"title": "Candle", "quantity": 9}]),
    )  # fmt: skip
    assert (at(shop, "CANDLE", "main"), at(shop, "CANDLE", "shelf")) == (1, 9)
    assert "stock.restocked" in events(shop, TICKET)
    assert refused(shop, "operator", "restock_order", p_order_id=TICKET).code == "auth.forbidden"
    assert (
        refused(shop, "supervisor", "restock_order", p_order_id="bannos-0").code == "order.unknown"
    )


# Each is better than `candle`, which takes CANDLE.
RULES: dict[str, dict[str, Any]] = {
    "the longer one": {"pattern": "gold candle"},
    "the store's own": {"pattern": "candles", "store": "bannos"},
    "the exact one": {"pattern": "gold candles", "match": "exact"},
    "the more important one": {"pattern": "gold", "priority": 50},
}


@pytest.mark.parametrize("why", list(RULES))
def test_defect_a_keyword_takes_the_best_rule_not_an_arbitrary_one(
    shop: psycopg.Connection, why: str
) -> None:
    item(shop, "BEST", on_hand=10)
    rule(shop, sku="BEST", **RULES[why])
    make_order(shop, TICKET, accessories=CANDLES)
    assert (on_hand(shop, "BEST"), on_hand(shop, "CANDLE")) == (8, 10), why


@pytest.mark.parametrize("title", ["Scandle", "Chandelier", "Cat"])
def test_a_keyword_begins_a_word(shop: psycopg.Connection, title: str) -> None:
    make_order(shop, TICKET, accessories=Jsonb([{"title": title, "quantity": 1}]))
    assert deducted(shop) == []


def test_many_orders_at_once_take_every_piece_once(clone: Clone, shop: psycopg.Connection) -> None:
    """Two items per order, in both orders: nobody waits for each other for ever."""
    item(shop, "BALLOON", on_hand=100)
    rule(shop, "balloon", "BALLOON")
    both = [{"title": "Candle", "quantity": 1}, {"title": "Balloon", "quantity": 2}]

    def arrive(connection: psycopg.Connection, number: int) -> None:
        accessories = Jsonb(both if number % 2 else both[::-1])
        with connection.transaction():
            make_order(connection, f"bannos-{100 + number}-A", accessories=accessories)
            make_order(connection, f"bannos-{100 + number}-B", accessories=accessories)

    together(clone, 24, arrive)
    assert (on_hand(shop, "CANDLE"), on_hand(shop, "BALLOON")) == (10 - 48, 100 - 96)
    failed = shop.execute("select failed from private.order_stock where failed is not null")
    assert failed.fetchall() == []
