"""M03 and M05: completing a stage uses its components, once, all or nothing."""

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
    on_hand,
    place,
    refused,
    requirements,
    rule,
    track,
)
from tests.support.databases import Clone
from tests.support.orders import advance, events, make_order, ticket
from tests.support.rpc import call

TICKET = "bannos-18617"


@pytest.fixture
def bakery(db: psycopg.Connection) -> psycopg.Connection:
    """A Confetti Cake needs two flour at Filling, perhaps sprinkles at Decorating, and a box."""
    item(db, "FLOUR", on_hand=10)
    item(db, "SPRINKLES", on_hand=1)
    item(db, "BOX", on_hand=5)
    requirements(
        db,
        {"sku": "FLOUR", "quantity": 2, "stage": "Filling"},
        {"sku": "SPRINKLES", "quantity": 1, "stage": "Decorating", "is_optional": True},
        {"sku": "BOX", "quantity": 1},
        title="confetti cake",
    )
    track(db)
    return db


def stock(db: psycopg.Connection) -> tuple[Any, ...]:
    return tuple(on_hand(db, sku) for sku in ("FLOUR", "SPRINKLES", "BOX"))


def fill(db: psycopg.Connection, order_id: str = TICKET) -> Any:
    call(db, "operator", "handle_print_barcode", p_order_id=order_id)
    return call(db, "operator", "complete_filling", p_order_id=order_id)


def test_each_stage_uses_its_own_components(bakery: psycopg.Connection) -> None:
    make_order(bakery, TICKET)
    seen = []
    for stage in ("Covering", "Decorating", "Packing", "Complete"):
        _one_stage(bakery, stage)
        seen.append(stock(bakery))
    assert seen == [(8, 1, 5), (8, 1, 5), (8, 0, 5), (8, 0, 4)]
    row = bakery.execute(
        "select kind, ref_stream, ref_id, reason from public.inventory_txn"
        " where sku = 'FLOUR' order by id desc limit 1"
    ).fetchone()
    assert row == ("consume", "order", TICKET, "Filling completed")


def _one_stage(db: psycopg.Connection, to: str) -> None:
    steps = {
        "Covering": ("handle_print_barcode", "complete_filling"),
        "Decorating": ("start_covering", "complete_covering"),
        "Packing": ("start_decorating", "complete_decorating"),
        "Complete": ("start_packing", "complete_packing"),
    }
    for rpc in steps[to]:
        call(db, "operator", rpc, p_order_id=TICKET)


def test_a_stage_is_used_exactly_once(bakery: psycopg.Connection) -> None:
    make_order(bakery, TICKET)
    fill(bakery)
    again = call(bakery, "operator", "complete_filling", p_order_id=TICKET)
    assert again["changed"] is False
    assert ledger(bakery, "FLOUR") == [("receipt", 10), ("consume", -2)]


def test_who_looks_at_the_stock_hears_of_it(bakery: psycopg.Connection) -> None:
    rule(bakery, "box", "BOX")
    make_order(bakery, TICKET, accessories=Jsonb([{"title": "Box", "quantity": 1}]))
    fill(bakery)
    call(bakery, "operator", "undo_last", p_order_id=TICKET)
    told = bakery.execute(
        "select stream_id, event, site, payload -> 'quantity', payload -> 'refs' ->> 0"
        " from public.events where stream = 'stock' and event <> 'stock.received' order by id"
    ).fetchall()
    assert told == [
        ("BOX", "stock.ordered", "main", -1, TICKET),
        ("FLOUR", "stock.consumed", "main", -2, TICKET),
        ("FLOUR", "stock.returned", "main", 2, TICKET),
    ]


def test_rework_after_quality_uses_nothing_twice(bakery: psycopg.Connection) -> None:
    make_order(bakery, TICKET)
    advance(bakery, TICKET, "Packing")
    call(bakery, "operator", "qc_return_to_decorating", p_order_id=TICKET, p_reason="Damaged Cake")
    call(bakery, "operator", "start_decorating", p_order_id=TICKET)
    call(bakery, "operator", "complete_decorating", p_order_id=TICKET)
    assert stock(bakery) == (8, 0, 5)


def test_two_scanners_at_once_use_it_once(clone: Clone, bakery: psycopg.Connection) -> None:
    make_order(bakery, TICKET)
    call(bakery, "operator", "handle_print_barcode", p_order_id=TICKET)
    together(clone, 8, lambda c, _: call(c, "operator", "complete_filling", p_order_id=TICKET))
    assert on_hand(bakery, "FLOUR") == 8


def test_undo_gives_the_components_back_and_doing_it_again_uses_them_again(
    bakery: psycopg.Connection,
) -> None:
    make_order(bakery, TICKET)
    fill(bakery)
    call(bakery, "operator", "undo_last", p_order_id=TICKET)
    assert stock(bakery) == (10, 1, 5)
    row = bakery.execute(
        "select t.quantity, o.quantity from public.inventory_txn t"
        " join public.inventory_txn o on o.id = t.reverses"
    ).fetchall()
    assert row == [(2, -2)]
    call(bakery, "operator", "complete_filling", p_order_id=TICKET)
    assert stock(bakery) == (8, 1, 5)


def test_defect_cancel_consumes_nothing(bakery: psycopg.Connection) -> None:
    make_order(bakery, TICKET)
    fill(bakery)
    before = stock(bakery)
    call(bakery, "supervisor", "cancel_order", p_order_id=TICKET, p_reason="no longer wanted")
    assert stock(bakery) == before
    assert [kind for kind, _ in ledger(bakery, "BOX")] == ["receipt"]
    refusal = refused(
        bakery, "operator", "consume_order_stage", p_order_id=TICKET, p_stage="Packing"
    )
    assert (refusal.status, refusal.code) == (409, "order.cancelled")


def test_all_or_nothing_and_the_missing_one_is_told(bakery: psycopg.Connection) -> None:
    item(bakery, "EGG", on_hand=1)
    requirements(
        bakery,
        {"sku": "FLOUR", "quantity": 2, "stage": "Filling"},
        {"sku": "EGG", "quantity": 3, "stage": "Filling"},
        title="confetti cake",
    )
    make_order(bakery, TICKET)
    done = fill(bakery)
    assert (done["changed"], done["order_row"]["stage"]) == (True, "Covering"), "never blocks"
    assert [(n["code"], n["message"]) for n in done["notices"]] == [
        ("stock.short", "EGG: 3 needed, 1 there.")
    ]
    assert (on_hand(bakery, "FLOUR"), on_hand(bakery, "EGG")) == (10, 1), "nothing was taken"
    assert "stock.short" in events(bakery, TICKET)
    alarms = call(bakery, "viewer", "get_stock_alarms")
    assert [(a["kind"], a["order_id"]) for a in alarms] == [("components_short", TICKET)]

    early = call(bakery, "operator", "consume_order_stage", p_order_id=TICKET, p_stage="Filling")
    assert (early["changed"], len(early["notices"])) == (False, 1)
    call(bakery, "operator", "receive_stock", p_sku="EGG", p_quantity=2)
    arguments = {"p_order_id": TICKET, "p_stage": "Filling", "p_request_id": uuid4()}
    owed = call(bakery, "operator", "consume_order_stage", **arguments)
    assert {m["sku"]: m["quantity"] for m in owed["moved"]} == {"EGG": -3, "FLOUR": -2}
    assert call(bakery, "operator", "consume_order_stage", **arguments) == owed
    assert call(bakery, "viewer", "get_stock_alarms") == []


def test_an_optional_component_that_is_missing_is_left_out(bakery: psycopg.Connection) -> None:
    call(bakery, "operator", "scrap_stock", p_sku="SPRINKLES", p_quantity=1, p_reason="wet")
    make_order(bakery, TICKET)
    advance(bakery, TICKET, "Decorating")
    call(bakery, "operator", "start_decorating", p_order_id=TICKET)
    done = call(bakery, "operator", "complete_decorating", p_order_id=TICKET)
    assert done["notices"][0]["details"] == {
        "sku": "SPRINKLES", "needed": 1, "there": 0, "is_optional": True,
    }  # fmt: skip
    assert on_hand(bakery, "SPRINKLES") == 0
    assert [a["kind"] for a in call(bakery, "viewer", "get_stock_alarms")] == []


def test_a_store_may_block_what_is_short(bakery: psycopg.Connection) -> None:
    track(bakery, block_when_short=True)
    call(bakery, "operator", "issue_stock", p_sku="FLOUR", p_quantity=9)
    make_order(bakery, TICKET)
    call(bakery, "operator", "handle_print_barcode", p_order_id=TICKET)
    refusal = refused(bakery, "operator", "complete_filling", p_order_id=TICKET)
    assert (refusal.status, refusal.code) == (409, "stock.components_short")
    assert refusal.message == "Components are missing: FLOUR: 2 needed, 1 there."
    scan = call(bakery, "operator", "scan", p_code=TICKET)
    assert (scan["action"], scan["hint"], scan["status"]) == (
        "refused", "stock.components_short", 409,
    )  # fmt: skip
    assert ticket(bakery, TICKET)["stage"] == "Filling"
    call(bakery, "operator", "receive_stock", p_sku="FLOUR", p_quantity=1)
    assert call(bakery, "operator", "scan", p_code=TICKET)["action"] == "completed"
    assert on_hand(bakery, "FLOUR") == 0


def test_a_scan_says_what_was_missing(bakery: psycopg.Connection) -> None:
    call(bakery, "operator", "issue_stock", p_sku="FLOUR", p_quantity=9)
    make_order(bakery, TICKET)
    call(bakery, "operator", "handle_print_barcode", p_order_id=TICKET)
    scan = call(bakery, "operator", "scan", p_code=TICKET)
    assert scan["message"] == f"{TICKET}: Filling done. Missing: FLOUR: 2 needed, 1 there."
    assert scan["details"]["notices"][0]["code"] == "stock.short"


def test_without_tracking_nothing_is_used(bakery: psycopg.Connection) -> None:
    make_order(bakery, "flourlane-1")
    advance(bakery, "flourlane-1", "Complete")
    assert stock(bakery) == (10, 1, 5)


def test_components_come_from_the_default_place_first_never_from_quarantine(
    bakery: psycopg.Connection,
) -> None:
    place(bakery, "shelf")
    place(bakery, "jail", "quarantine")
    for to, quantity in (("shelf", 4), ("jail", 5)):
        call(
            bakery, "operator", "transfer_stock", p_sku="FLOUR", p_quantity=quantity,
            p_from="main", p_to=to,
        )  # fmt: skip
    make_order(bakery, TICKET)
    fill(bakery)
    assert [at(bakery, "FLOUR", p) for p in ("main", "shelf", "jail")] == [0, 3, 5]


PRODUCTS = [
    ({"title": "Confetti Cake", "store": "bannos"}, "the store's own"),
    ({"title": "Confetti Cake", "variant": "Medium"}, "with the variant"),
    ({"parent_sku": "CAKE-1"}, "by SKU"),
]


@pytest.mark.parametrize(("product", "why"), PRODUCTS)
def test_the_nearest_bill_of_materials_wins(
    bakery: psycopg.Connection, product: dict[str, str], why: str
) -> None:
    item(bakery, "CAKE-1", kind="finished_good")
    item(bakery, "EGG", on_hand=10)
    requirements(bakery, {"sku": "EGG", "quantity": 1, "stage": "Filling"}, **product)
    make_order(bakery, TICKET, sku="cake-1")
    fill(bakery)
    assert (on_hand(bakery, "EGG"), on_hand(bakery, "FLOUR")) == (9, 10), why


def test_several_pieces_need_several_times_as_much(bakery: psycopg.Connection) -> None:
    make_order(bakery, TICKET, item_qty=3)
    fill(bakery)
    assert on_hand(bakery, "FLOUR") == 4


def test_consume_order_stage_refuses_what_is_not_done(bakery: psycopg.Connection) -> None:
    make_order(bakery, TICKET)
    arguments: dict[str, Any] = {"p_order_id": TICKET, "p_stage": "Filling"}
    refusal = refused(bakery, "operator", "consume_order_stage", **arguments)
    assert (refusal.status, refusal.code) == (409, "order.wrong_stage")
    arguments["p_order_id"] = "bannos-0"
    assert refused(bakery, "operator", "consume_order_stage", **arguments).code == "order.unknown"
    assert refused(bakery, "viewer", "consume_order_stage", **arguments).code == "auth.forbidden"


# By hand ------------------------------------------------------------------------------------


def test_consume_bom_uses_components_and_may_book_the_product(
    bakery: psycopg.Connection,
) -> None:
    item(bakery, "KIT")
    requirements(
        bakery, {"sku": "FLOUR", "quantity": 2},
        {"sku": "SPRINKLES", "quantity": 2, "is_optional": True}, parent_sku="KIT",
    )  # fmt: skip
    arguments = {"p_sku": "kit", "p_quantity": 3, "p_produce": True, "p_request_id": uuid4()}
    answer = call(bakery, "operator", "consume_bom", **arguments)
    assert (answer["sku"], answer["on_hand"], answer["changed"]) == ("KIT", 3, True)
    assert [n["message"] for n in answer["notices"]] == ["SPRINKLES: 6 needed, 1 there."]
    assert stock(bakery) == (4, 1, 5)
    assert call(bakery, "operator", "consume_bom", **arguments) == answer
    refusal = refused(bakery, "operator", "consume_bom", p_sku="KIT", p_quantity=3)
    assert (refusal.status, refusal.code) == (409, "stock.components_short")
    assert refusal.detail["missing"][0]["details"]["there"] == 4
    none = refused(bakery, "operator", "consume_bom", p_sku="FLOUR", p_quantity=1)
    assert (none.status, none.code) == (422, "bom.none")


def test_a_ticket_takes_from_the_shelf_and_from_the_bill_at_once(
    bakery: psycopg.Connection,
) -> None:
    rule(bakery, "box", "BOX", applies_to="accessory")
    make_order(bakery, TICKET, accessories=Jsonb([{"title": "Gift box", "quantity": 1}]))
    assert on_hand(bakery, "BOX") == 4
    advance(bakery, TICKET, "Complete")
    assert [row[0] for row in ledger(bakery, "BOX")] == ["receipt", "order_deduct", "consume"]
