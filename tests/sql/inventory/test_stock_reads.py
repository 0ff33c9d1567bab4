"""M03: lists of items, movements and alarms."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.inventory.stock import item, place, refused
from tests.support.rpc import call


@pytest.fixture
def store(db: psycopg.Connection) -> psycopg.Connection:
    item(db, "BOX", on_hand=9, kind="packaging", min_stock=10, supplier="Carton & Sons")
    item(db, "CANDLE", on_hand=5, kind="accessory")
    item(db, "DYE", min_stock=1)
    item(db, "EGG")
    item(db, "OLD", is_active=False)
    call(db, "operator", "issue_stock", p_sku="EGG", p_quantity=2)
    place(db, "shelf")
    call(
        db, "operator", "transfer_stock", p_sku="CANDLE", p_quantity=2, p_from="main", p_to="shelf"
    )
    return db


FILTERS = [
    ({}, ["BOX", "CANDLE", "DYE", "EGG"]),
    ({"p_with_inactive": True}, ["BOX", "CANDLE", "DYE", "EGG", "OLD"]),
    ({"p_search": "carton"}, ["BOX"]),
    ({"p_search": "candle"}, ["CANDLE"]),
    ({"p_kind": "packaging"}, ["BOX"]),
    ({"p_location": "shelf"}, ["CANDLE"]),
    ({"p_only": "low"}, ["BOX", "DYE", "EGG"]),
    ({"p_only": "out"}, ["DYE", "EGG"]),
    ({"p_only": "negative"}, ["EGG"]),
]


@pytest.mark.parametrize(("arguments", "skus"), FILTERS)
def test_items_are_found(
    store: psycopg.Connection, arguments: dict[str, str], skus: list[str]
) -> None:
    page = call(store, "viewer", "get_inventory", **arguments, p_with_total=True)
    assert [row["sku"] for row in page["items"]] == skus
    assert (page["total"], page["next_cursor"]) == (len(skus), None)


def test_an_item_comes_with_its_stock(store: psycopg.Connection) -> None:
    row = call(store, "viewer", "get_inventory", p_search="candle")["items"][0]
    assert row["locations"] == {"main": 3, "shelf": 2}
    assert (row["on_hand"], row["ats"], row["is_low"]) == (5, 5, False)


def test_an_item_says_how_it_is(store: psycopg.Connection) -> None:
    item(store, "LABOUR", is_stocked=False)
    with store.transaction(force_rollback=True):
        store.execute("update public.inventory_stock set reserved = 5 where sku = 'CANDLE'")
        rows = call(store, "viewer", "get_inventory")["items"]
    assert {row["sku"]: row["state"] for row in rows} == {
        "BOX": "low",
        "CANDLE": "promised",
        "DYE": "out",
        "EGG": "negative",
        "LABOUR": "not_stocked",
    }
    call(store, "planner", "set_min_stock", p_sku="BOX", p_min_stock=0)
    assert call(store, "viewer", "get_item", p_sku="BOX")["state"] == "enough"


def test_one_item_by_its_sku_in_any_case(store: psycopg.Connection) -> None:
    assert (
        call(store, "viewer", "get_item", p_sku="candle")
        == (call(store, "viewer", "get_inventory", p_search="candle")["items"][0])
    )
    assert call(store, "viewer", "get_item", p_sku="OLD")["is_active"] is False
    assert refused(store, "viewer", "get_item", p_sku="NOPE").code == "item.unknown"
    call(store, "operator", "start_count", p_skus=["BOX"])
    assert refused(store, "operator", "get_item", p_sku="box").code == "count.blind"


def test_pages_follow_each_other(store: psycopg.Connection) -> None:
    seen, cursor = [], None
    while True:
        page = call(store, "viewer", "get_inventory", p_limit=3, p_cursor=cursor)
        seen += [row["sku"] for row in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["BOX", "CANDLE", "DYE", "EGG"]
    bad = refused(store, "viewer", "get_inventory", p_cursor="nonsense")
    assert (bad.status, bad.code) == (400, "request.bad_cursor")
    bad = refused(store, "viewer", "get_inventory", p_only="shiny")
    assert (bad.status, bad.code) == (422, "inventory.only")


def test_the_ledger_of_an_item_newest_first(store: psycopg.Connection) -> None:
    page = call(store, "viewer", "get_item_ledger", p_sku="candle", p_limit=2)
    assert [(e["kind"], e["location"], e["quantity"], e["balance"]) for e in page["entries"]] == [
        ("transfer", "shelf", 2, 2),
        ("transfer", "main", -2, 3),
    ]
    assert page["entries"][0]["actor_name"] == "Operator"
    rest = call(store, "viewer", "get_item_ledger", p_sku="CANDLE", p_cursor=page["next_cursor"])
    assert [e["kind"] for e in rest["entries"]] == ["receipt"]
    assert rest["next_cursor"] is None
    only = call(store, "viewer", "get_item_ledger", p_sku="CANDLE", p_location="shelf")
    assert [e["quantity"] for e in only["entries"]] == [2]
    assert refused(store, "viewer", "get_item_ledger", p_sku="NOPE").code == "item.unknown"


def test_a_movement_that_was_taken_back_says_so(store: psycopg.Connection) -> None:
    ids = call(store, "operator", "receive_stock", p_sku="DYE", p_quantity=1)["txn_ids"]
    back = call(store, "supervisor", "reverse_stock", p_txn_ids=ids, p_reason="typo")["txn_ids"]
    entries = call(store, "viewer", "get_item_ledger", p_sku="DYE")["entries"]
    assert [(e["reverses"], e["reversed_by"]) for e in entries] == [
        (ids[0], None),
        (None, back[0]),
    ]


def test_alarms_say_what_a_person_should_look_at(store: psycopg.Connection) -> None:
    alarms = call(store, "operator", "get_stock_alarms")
    assert [(a["severity"], a["kind"], a["sku"]) for a in alarms] == [
        ("error", "negative", "EGG"),
        ("error", "out", "DYE"),
        ("warning", "low", "BOX"),
    ]
    assert alarms[2]["message"] == "Box is low: 9 of 10."


def test_the_selfcheck_is_empty_and_sees_what_does_not_fit(store: psycopg.Connection) -> None:
    assert call(store, "viewer", "inventory_selfcheck") == []
    with store.transaction(force_rollback=True):
        store.execute("update public.inventory_balances set on_hand = 4 where sku = 'BOX'")
        store.execute("update public.inventory_stock set on_hand = 8, held = 1 where sku = 'EGG'")
        found = {(d["sku"], d["what"]) for d in call(store, "viewer", "inventory_selfcheck")}
    assert found >= {("BOX", "balance"), ("EGG", "on_hand"), ("EGG", "held")}


def test_what_is_promised_is_there_when_a_transaction_commits(store: psycopg.Connection) -> None:
    with pytest.raises(psycopg.Error) as refusal:
        store.execute("update public.inventory_stock set reserved = 6 where sku = 'CANDLE'")
    assert refusal.value.diag.message_hint == "stock.over_reserved"
