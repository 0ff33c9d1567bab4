"""M04: what runs out is told to every shop, once, and nothing is told that never was on sale."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.sql.inventory.stock import item, refused
from tests.sql.m02_shopify.shop import KEY, connect_shop
from tests.support.rpc import call


@pytest.fixture
def shops(db: psycopg.Connection) -> psycopg.Connection:
    """Two Shopify shops, and five candles on sale."""
    connect_shop(db)
    call(
        db, "admin", "save_shop", p_store="flourlane", p_source="shopify",
        p_domain="example-flour.myshopify.com",
    )  # fmt: skip
    for store in ("bannos", "flourlane"):
        token(db, store)
    item(db, "CANDLE", on_hand=5)
    return db


def token(db: psycopg.Connection, store: str) -> None:
    call(
        db, "admin", "set_shop_secret", p_store=store, p_kind="access_token",
        p_secret=f"token of {store}", headers=KEY,
    )  # fmt: skip


def jobs(db: psycopg.Connection) -> list[tuple[Any, ...]]:
    return db.execute(
        "select payload ->> 'store', payload ->> 'sku', status from public.work_queue"
        " where topic = 'stock.push' order by 1, id"
    ).fetchall()


def states(db: psycopg.Connection) -> list[tuple[Any, ...]]:
    return db.execute("select store, is_out, state from public.stock_pushes order by 1").fetchall()


def take(db: psycopg.Connection, quantity: int, sku: str = "CANDLE") -> None:
    call(db, "operator", "issue_stock", p_sku=sku, p_quantity=quantity)


def settle(db: psycopg.Connection, store: str, locations: int = 2) -> Any:
    """What the worker does when the shop has taken it."""
    call(db, "service", "claim_work", p_worker="w", p_topics=["stock.push"], p_limit=10)
    db.execute("update public.work_queue set status = 'done', lease_until = null")
    return call(
        db, "service", "finish_stock_push", p_store=store, p_sku="CANDLE", p_locations=locations
    )


@pytest.mark.parametrize("quantity", [5, 6])
def test_crossing_zero_is_told_to_all_shops_once(shops: psycopg.Connection, quantity: int) -> None:
    take(shops, 4)
    assert jobs(shops) == []
    take(shops, quantity - 4)
    expected = [("bannos", "CANDLE", "ready"), ("flourlane", "CANDLE", "ready")]
    assert jobs(shops) == expected
    take(shops, 1)
    assert jobs(shops) == expected, "it is out already"


def test_it_is_told_again_after_it_came_back(shops: psycopg.Connection) -> None:
    take(shops, 5)
    for store in ("bannos", "flourlane"):
        assert settle(shops, store)["state"] == "pushed"
    call(shops, "operator", "receive_stock", p_sku="CANDLE", p_quantity=1)
    assert [row[1] for row in states(shops)] == [False, False]
    take(shops, 1)
    assert [job[2] for job in jobs(shops)] == ["done", "ready"] * 2
    assert states(shops) == [("bannos", True, "queued"), ("flourlane", True, "queued")]


def test_what_came_in_and_was_used_in_one_command_was_never_on_sale(
    shops: psycopg.Connection,
) -> None:
    take(shops, 5)
    for store in ("bannos", "flourlane"):
        settle(shops, store)
    with shops.transaction():
        call(shops, "operator", "receive_stock", p_sku="CANDLE", p_quantity=3)
        take(shops, 3)
    assert [row[2] for row in states(shops)] == ["pushed", "pushed"]


def test_items_that_no_shop_sells_are_not_told(shops: psycopg.Connection) -> None:
    item(shops, "FLOUR", on_hand=1, is_listed=False)
    take(shops, 1, "FLOUR")
    assert jobs(shops) == []


def test_the_worker_gets_what_it_needs_and_nobody_else_does(shops: psycopg.Connection) -> None:
    take(shops, 5)
    arguments = {"p_store": "bannos", "p_sku": "CANDLE"}
    task = call(shops, "service", "begin_stock_push", headers=KEY, **arguments)
    assert (task["wanted"], task["access_token"], task["available"]) == (True, "token of bannos", 0)
    assert task["shop_domain"] == "example-cakes.myshopify.com"
    denied = refused(shops, "admin", "begin_stock_push", **arguments)
    assert denied.sqlstate == "42501"
    no_key = refused(shops, "service", "begin_stock_push", **arguments)
    assert (no_key.status, no_key.code) == (412, "channels.no_key")


def test_what_came_back_meanwhile_is_left_alone(shops: psycopg.Connection) -> None:
    take(shops, 5)
    call(shops, "operator", "receive_stock", p_sku="CANDLE", p_quantity=1)
    task = call(shops, "service", "begin_stock_push", p_store="bannos", p_sku="CANDLE", headers=KEY)
    assert (task["wanted"], task["reason"]) == (False, "in_stock")


def test_a_shop_without_a_token_is_an_alarm_until_it_has_one(db: psycopg.Connection) -> None:
    connect_shop(db)
    item(db, "CANDLE", on_hand=1)
    take(db, 1)
    task = call(db, "service", "begin_stock_push", p_store="bannos", p_sku="CANDLE", headers=KEY)
    assert (task["wanted"], task["reason"]) == (False, "no_token")
    db.execute("update public.work_queue set status = 'done'")
    alarms = call(db, "operator", "get_stock_alarms")
    assert [(a["kind"], a["severity"], a["sku"]) for a in alarms] == [
        ("push_failed", "warning", "CANDLE")
    ]
    token(db, "bannos")
    assert jobs(db) == [("bannos", "CANDLE", "done"), ("bannos", "CANDLE", "ready")]
    assert call(db, "operator", "get_stock_alarms") == []


def test_three_tries_then_an_alarm_and_a_new_try_by_hand_or_by_the_clock(
    shops: psycopg.Connection,
) -> None:
    shops.execute("delete from public.shop_tokens where store = 'flourlane'")
    take(shops, 5)
    for n in range(3):
        shops.execute("update public.work_queue set next_retry_at = now()")
        job = call(shops, "service", "claim_work", p_worker="w", p_topics=["stock.push"])[0]
        done = call(
            shops, "service", "fail_work", p_id=job["id"], p_fence=job["fence"],
            p_error="The shop does not answer.",
        )  # fmt: skip
        assert done["status"] == ("ready" if n < 2 else "dead")
    alarms = call(shops, "operator", "get_stock_alarms")
    assert [(a["kind"], a["severity"]) for a in alarms] == [("push_failed", "error")]
    assert "does not answer" in alarms[0]["message"]
    arguments = {"p_store": "bannos", "p_request_id": uuid4()}
    assert call(shops, "manager", "retry_stock_pushes", **arguments) == 1
    assert call(shops, "manager", "retry_stock_pushes", **arguments) == 1
    assert [job[2] for job in jobs(shops)] == ["dead", "ready"]
    assert refused(shops, "operator", "retry_stock_pushes").code == "auth.forbidden"

    shops.execute("update public.work_queue set status = 'done'")
    shops.execute("update public.stock_pushes set queued_at = now() - interval '2 hours'")
    shops.execute("select private.reconcile_pushes(now())")
    assert [job[2] for job in jobs(shops)] == ["done", "done", "ready"]


def test_a_sku_the_shop_does_not_know_is_settled(shops: psycopg.Connection) -> None:
    take(shops, 5)
    assert settle(shops, "bannos", 0)["state"] == "not_listed"
    assert settle(shops, "flourlane", 3)["state"] == "pushed"
    told = shops.execute(
        "select store, payload ->> 'locations' from public.events where event = 'stock.pushed'"
    ).fetchall()
    assert told == [("flourlane", "3")]
