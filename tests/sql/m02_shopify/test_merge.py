"""Orders become tickets, and edits change only what the customer changed."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.sql.m02_shopify.shop import (
    MIT_PAYLOADS,
    WEB_ORDER,
    changed,
    connect_shop,
    deliver,
    deliver_order,
    merge,
    order,
    tickets,
)
from tests.support.orders import events

Order = dict[str, Any]
A, B, C = "bannos-18617-A", "bannos-18617-B", "bannos-18617-C"


@pytest.fixture
def db(db: psycopg.Connection) -> psycopg.Connection:
    connect_shop(db)
    return db


def cake_order(quantity: int = 1, **top: Any) -> Order:
    """The web order with only its first line."""
    data = order()
    data["line_items"] = data["line_items"][:1]
    data["line_items"][0] |= {"quantity": quantity, "current_quantity": quantity}
    return {**data, **top}


def resized(data: Order, minutes: int, quantity: int, line: int = 0) -> Order:
    data = changed(data, minutes)
    data["line_items"][line]["current_quantity"] = quantity
    return data


def test_the_web_order_becomes_three_tickets(db: psycopg.Connection) -> None:
    answer = deliver(db, WEB_ORDER)
    assert [change["id"] for change in answer["changes"]] == [A, B, C]
    found = tickets(db)
    first = found[A]
    assert {k: first[k] for k in ("size", "flavour", "cake_writing", "delivery_method")} == {
        "size": "Medium",
        "flavour": "Vanilla",
        "cake_writing": "Happy 40th Zoë 🎂",
        "delivery_method": "Delivery",
    }
    assert (first["due_date"], first["due_time"]) == ("2026-12-08", "10:00 AM and 2:00 PM")
    assert first["notes"] == "Please leave room for a sparkler\nCandle colour: Gold"
    assert (first["source"], first["stage"], first["needs_review"]) == ("shopify", "Filling", [])
    assert [a["title"] for a in first["accessories"]] == ["Sparkler Candle (2 pack)"]
    assert [t["total_amount"] for t in found.values()] == [231.9, None, None]
    assert [t["accessories"] for t in found.values()][1:] == [[], []]
    assert (found[C]["size"], found[C]["flavour"]) == ("Large Tall", "Chocolate, Pistachio")
    assert events(db, A) == ["order.created"]


def test_an_iso_pickup_date_is_that_day_in_any_format(db: psycopg.Connection) -> None:
    db.execute("update public.shop_tokens set date_format = 'mdy'")
    deliver(db, "orders_create__pickup_iso_date_attributes")
    first = tickets(db)["bannos-18619-A"]
    assert (first["due_date"], first["due_time"]) == ("2026-12-08", "13:00")
    assert first["delivery_method"] == "Pickup"
    assert "Example Cakes North" in first["notes"]


@pytest.mark.parametrize(
    ("style", "due"), [("dmy", "2026-12-08"), ("mdy", "2026-08-12"), ("iso", None)]
)
def test_the_shop_says_how_it_writes_dates(
    db: psycopg.Connection, style: str, due: str | None
) -> None:
    db.execute("update public.shop_tokens set date_format = %s", (style,))
    deliver(db, WEB_ORDER)
    assert tickets(db)[A]["due_date"] == due


def test_a_pos_sale_is_complete_and_in_no_queue(db: psycopg.Connection) -> None:
    deliver(db, "orders_create__pos_sale_already_fulfilled")
    ticket = tickets(db)["bannos-18618"]
    assert (ticket["source"], ticket["stage"]) == ("pos", "Complete")
    assert ticket["packing_completed_at"] is not None
    assert ticket["needs_review"] == []
    assert ticket["accessories"][0]["quantity"] == 3


def test_a_test_order_is_recorded_and_never_on_the_floor(db: psycopg.Connection) -> None:
    assert merge(db, order() | {"test": True})["result"] == "test"
    assert tickets(db) == {}
    assert db.execute("select status from public.channel_orders").fetchall() == [("test",)]


def test_accessories_alone_are_one_ticket_to_look_at(db: psycopg.Connection) -> None:
    data = order()
    data["line_items"] = data["line_items"][2:]
    merge(db, data)
    (ticket,) = tickets(db).values()
    assert (ticket["id"], ticket["needs_review"]) == ("bannos-18617", ["accessories_only"])
    assert ticket["accessories"][0]["title"] == "Sparkler Candle (2 pack)"


def test_an_empty_order_makes_no_ticket(db: psycopg.Connection) -> None:
    assert merge(db, order() | {"line_items": []})["ok"] is True
    assert tickets(db) == {}


def test_what_is_missing_is_asked_for(db: psycopg.Connection) -> None:
    data = cake_order(note_attributes=None)
    data["line_items"][0] |= {"variant_title": None, "properties": None}
    merge(db, data)
    (ticket,) = tickets(db).values()
    assert ticket["needs_review"] == ["no_due_date", "no_flavour", "no_size"]
    assert (ticket["due_date"], ticket["priority"]) == (None, "Medium")


def test_which_reasons_ask_for_a_look_is_a_setting(db: psycopg.Connection) -> None:
    db.execute(
        "insert into public.settings (key, store, value)"
        """ values ('orders.review_when', 'bannos', '["no_due_date"]')"""
    )
    merge(db, cake_order(note_attributes=[]))
    (ticket,) = tickets(db).values()
    assert ticket["needs_review"] == ["no_due_date"]


def test_old_rest_shapes_without_current_quantity(db: psycopg.Connection) -> None:
    data = json.loads((MIT_PAYLOADS / "order.json").read_text())
    assert len(merge(db, data)["order_ids"]) == 3
    data["order"]["updated_at"] = "2008-01-11T11:00:00-05:00"
    data["order"]["refunds"] = [{"refund_line_items": [{"line_item_id": 518995019, "quantity": 1}]}]
    merge(db, data)
    assert [t["cancel_reason"] for t in tickets(db).values()] == [
        None,
        "Removed by order edit",
        None,
    ]


def test_a_graphql_order_is_the_same_order(db: psycopg.Connection) -> None:
    money = {"shopMoney": {"amount": "95.00", "currencyCode": "AUD"}}
    line = {
        "id": "gid://shopify/LineItem/14000000000001",
        "title": "Confetti Celebration Cake",
        "variantTitle": "Medium / Vanilla",
        "sku": "CAKE-CONF-M-VAN",
        "quantity": 2,
        "currentQuantity": 1,
        "originalUnitPriceSet": money,
        "customAttributes": [{"key": "Writing on cake", "value": "Hi"}],
    }
    data = {
        "id": "gid://shopify/Order/5600000000001",
        "name": "#18617",
        "test": False,
        "updatedAt": "2026-11-21T00:10:00Z",
        "tags": ["rush"],
        "currentTotalPriceSet": money,
        "customer": {"displayName": "Test Customer"},
        "customAttributes": [{"key": "Pickup-Date", "value": "2026-12-08"}],
        "lineItems": {"edges": [{"node": line}]},
    }
    merge(db, {"data": {"order": data}})
    (ticket,) = tickets(db).values()
    assert ticket["id"] == "bannos-18617"
    assert (ticket["external_order_id"], ticket["line_item_id"]) == (
        "5600000000001",
        "14000000000001",
    )
    assert (ticket["cake_writing"], ticket["size"], ticket["due_date"]) == (
        "Hi",
        "Medium",
        "2026-12-08",
    )
    assert (ticket["priority"], ticket["priority_is_manual"]) == ("High", True)
    assert ticket["customer_name"] == "Test Customer"


def test_nulls_everywhere_are_no_reason_to_fail(db: psycopg.Connection) -> None:
    data = {key: None for key in order()} | {"id": 1, "line_items": [{"id": 2, "quantity": 1}]}
    assert merge(db, data)["ok"] is True
    assert tickets(db)["bannos-1"]["product_title"] == "Untitled"


def test_paid_before_create_is_the_same_order(db: psycopg.Connection) -> None:
    deliver_order(db, changed(order(), 5), "orders/paid")
    before = tickets(db)
    assert deliver_order(db, order(), "orders/create")["result"] == "stale"
    assert tickets(db) == before
    assert len(before) == 3


def test_an_older_or_equal_payload_changes_nothing(db: psycopg.Connection) -> None:
    merge(db, changed(cake_order(), 10, note="new"))
    before = tickets(db)
    assert merge(db, changed(cake_order(), 9, note="old"))["result"] == "stale"
    assert merge(db, changed(cake_order(), 10, note="equal"))["result"] == "unchanged"
    assert tickets(db) == before


def test_a_cancellation_before_the_order_leaves_nothing_to_make(db: psycopg.Connection) -> None:
    deliver(db, "orders_cancelled__all_lines_zero")
    deliver(db, WEB_ORDER)
    assert tickets(db) == {}


def test_two_orders_with_one_number_keep_apart(db: psycopg.Connection) -> None:
    for external_id in (1, 2, 3):
        merge(db, cake_order(id=external_id))
    merge(db, cake_order(id=4, name="#18617.2"))
    assert list(tickets(db)) == [
        "bannos-18617",
        "bannos-18617.2",
        "bannos-18617.2.2",
        "bannos-18617.3",
    ]


def test_a_number_that_looks_like_a_ticket_keeps_apart_too(db: psycopg.Connection) -> None:
    merge(db, cake_order(id=1))
    merge(db, cake_order(id=2, name="#18617-B"))
    merge(db, changed(cake_order(3, id=1), 5))
    merge(db, cake_order(id=3, name="#18617-C"))
    assert sorted(tickets(db)) == [
        "bannos-18617",
        "bannos-18617-B",
        "bannos-18617-C",
        "bannos-18617-C.2",
        "bannos-18617-D",
    ]


def test_an_order_fulfilled_elsewhere_is_looked_at_first(db: psycopg.Connection) -> None:
    merge(db, cake_order(fulfillment_status="fulfilled"))
    assert tickets(db)["bannos-18617"]["needs_review"] == ["already_fulfilled"]
    merge(db, changed(cake_order(fulfillment_status="fulfilled"), 5, note="x"))
    assert tickets(db)["bannos-18617"]["needs_review"] == ["already_fulfilled"]


# Suffixes -----------------------------------------------------------------------------------------


def test_defect_suffix_drift_after_an_edit_a_suffix_is_for_ever(db: psycopg.Connection) -> None:
    deliver(db, WEB_ORDER)
    units = {k: (t["line_item_id"], t["unit_no"]) for k, t in tickets(db).items()}
    deliver(db, "orders_updated__after_edit_one_cake_removed_topper_added")
    found = tickets(db)
    assert {k: (t["line_item_id"], t["unit_no"]) for k, t in found.items()} == units
    assert [k for k, t in found.items() if t["cancelled_at"] is None] == [A, C]
    merge(db, resized(order(), 24 * 60 - 1, 3))
    live = [k for k, t in tickets(db).items() if t["cancelled_at"] is None]
    assert live == [A, C, "bannos-18617-D", "bannos-18617-E"]


def test_a_lone_ticket_counts_as_a(db: psycopg.Connection) -> None:
    merge(db, cake_order(1))
    merge(db, resized(cake_order(1), 5, 3))
    assert list(tickets(db)) == ["bannos-18617", "bannos-18617-B", "bannos-18617-C"]


def test_after_z_come_numbers(db: psycopg.Connection) -> None:
    merge(db, cake_order(28))
    found = set(tickets(db))
    assert {"bannos-18617-Z", "bannos-18617-27", "bannos-18617-28"} <= found
    assert len(found) == 28


def test_more_than_500_pieces_are_refused(db: psycopg.Connection) -> None:
    assert merge(db, cake_order(501))["error"] == "An order may have at most 500 pieces."


def test_accessories_move_on_when_the_first_ticket_goes(db: psycopg.Connection) -> None:
    deliver(db, WEB_ORDER)
    merge(db, resized(order(), 5, 0))
    found = tickets(db)
    assert found[C]["accessories"][0]["title"] == "Sparkler Candle (2 pack)"
    assert found[C]["total_amount"] == 231.9
