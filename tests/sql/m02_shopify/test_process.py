"""Processing: poison is visible and blocks nobody, privacy topics forget people, pause waits."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import psycopg
import pytest

from tests.sql.m02_shopify.shop import (
    PAYLOADS,
    SECRET,
    WEB_ORDER,
    connect_shop,
    deliver,
    deliver_order,
    inbox,
    jobs,
    order,
    payload,
    process,
    receive,
    signed,
    tickets,
)
from tests.support.rpc import Refused, call


@pytest.fixture
def db(db: psycopg.Connection) -> psycopg.Connection:
    connect_shop(db)
    return db


def work(db: psycopg.Connection) -> list[dict[str, Any]]:
    """What takt worker does: claim, process, settle or fail. Answers what it claimed."""
    claimed = call(
        db, "service", "claim_work", p_worker="w", p_topics=["channel.process"], p_limit=50
    )
    for job in claimed:
        answer = process(db, job["payload"]["inbox_id"])
        if answer["ok"]:
            call(db, "service", "complete_work", p_ids=[job["id"]], p_fences=[job["fence"]])
        else:
            call(
                db,
                "service",
                "fail_work",
                p_id=job["id"],
                p_fence=job["fence"],
                p_error=answer["error"],
                p_retry_seconds=0,
            )
    return list(claimed)


EXPECTED = {
    "orders/create": ("done", "created"),
    "orders/updated": ("done", "created"),
    "orders/cancelled": ("done", "cancelled"),
    "orders/edited": ("ignored", "ignored"),
    "products/update": ("ignored", "ignored"),
    "inventory_levels/update": ("ignored", "ignored"),
    "app/uninstalled": ("done", "uninstalled"),
    "customers/redact": ("done", "redact_orders"),
    "customers/data_request": ("done", "data_request"),
    "shop/redact": ("done", "redact_shop"),
}


@pytest.mark.parametrize(
    "name",
    sorted(
        p.name.removesuffix(".headers.json")
        for p in PAYLOADS.glob("*.headers.json")
        if "X-Shopify" in p.read_text()
    ),
)
def test_every_payload_alone(db: psycopg.Connection, name: str) -> None:
    received = receive(db, *payload(name))
    status, result = EXPECTED[received["topic"]]
    answer = process(db, received["inbox_id"])
    assert (answer["ok"], answer["result"]) == (True, result)
    row = inbox(db, received["inbox_id"])
    assert (row["status"], row["attempts"], row["error"]) == (status, 1, None)
    again = process(db, received["inbox_id"])
    assert (again["ok"], again["changes"]) == (True, [])
    assert inbox(db, received["inbox_id"]) == row


def test_woocommerce_orders_are_read(db: psycopg.Connection) -> None:
    connect_shop(db, store="flourlane", source="woocommerce")
    where = {"source": "woocommerce", "shop": "flourlane"}
    deliver(db, "woocommerce_order_created", **where)
    found = tickets(db, "flourlane")
    assert list(found) == ["flourlane-4750-A", "flourlane-4750-B"]
    first = found["flourlane-4750-A"]
    assert (first["cake_writing"], first["due_date"]) == ("Ana & Rui", "2026-12-08")
    assert first["total_amount"] == 49.9


POISON = {
    "not JSON": b"{",
    "not UTF-8": b'{"id": 1, "note": "\xff"}',
    "a null character": b'{"id": 1, "line_items": [], "note": "\\u0000"}',
    "not an order": b'{"id": 1}',
    "a list": b"[1, 2]",
    "a number": b"7",
    "a wrong date": b'{"id": 1, "line_items": [], "updated_at": "yesterday-ish"}',
    "a wrong quantity": b'{"id": 1, "line_items": [{"id": 1, "quantity": "two"}]}',
    "deep nesting": b'{"id": 1, "line_items": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
}


@pytest.mark.parametrize("kind", POISON)
def test_poison_is_visible_and_blocks_nobody(db: psycopg.Connection, kind: str) -> None:
    body = POISON[kind]
    bad = receive(db, body, signed(body, "orders/create"))["inbox_id"]
    good = receive(db, *payload(WEB_ORDER))["inbox_id"]
    work(db)
    row = inbox(db, bad)
    assert (row["status"], row["attempts"]) == ("failed", 1)
    assert row["error"]
    assert inbox(db, good)["status"] == "done"
    assert len(tickets(db)) == 3
    (health,) = call(db, "manager", "channel_status")
    assert (health["failed"], health["dead"]) == (1, 0)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("not JSON", "webhook.bad_json"),
        ("a NUL", "webhook.bad_text"),
        ("too many", "channel.too_many_units"),
    ],
)
def test_the_inbox_says_what_is_wrong(db: psycopg.Connection, kind: str, code: str) -> None:
    many = json.dumps({"id": 1, "line_items": [{"id": 1, "title": "Cake", "quantity": 501}]})
    body = {"not JSON": b"{", "a NUL": b'{"id": "\\u0000"}', "too many": many.encode()}[kind]
    bad = receive(db, body, signed(body, "orders/create"))["inbox_id"]
    work(db)
    assert inbox(db, bad)["error"].startswith(f"{code}: ")


def test_after_the_last_try_it_is_dead_and_can_be_queued_again(db: psycopg.Connection) -> None:
    bad = receive(db, b"{", signed(b"{", "orders/create"))["inbox_id"]
    tries = 0
    while work(db):
        tries += 1
        assert tries < 20
    row = inbox(db, bad)
    assert (row["status"], row["attempts"]) == ("dead", tries)
    assert row["error"] == "webhook.bad_json: The payload is not valid JSON."
    (health,) = call(db, "manager", "channel_status")
    assert (health["failed"], health["dead"]) == (0, 1)
    assert health["last_error"] == row["error"]
    assert call(db, "manager", "requeue_dead_webhooks", p_ids=[bad, 999]) == 1
    assert call(db, "manager", "requeue_dead_webhooks", p_ids=[bad]) == 0
    assert (inbox(db, bad)["status"], jobs(db)) == ("new", 1)
    assert db.execute(
        "select count(*) from public.work_queue where status = 'dead'"
    ).fetchone() == (0,)


def test_a_worker_that_dies_each_time_makes_it_dead_too(db: psycopg.Connection) -> None:
    bad = receive(db, *payload(WEB_ORDER))["inbox_id"]
    db.execute("update public.work_queue set retries = max_retries")
    call(db, "service", "claim_work", p_worker="w", p_topics=["channel.process"])
    db.execute("update public.work_queue set lease_until = now() - interval '1 second'")
    db.execute("select private.sweep_queue(now())")
    row = inbox(db, bad)
    assert row["status"] == "dead"
    assert "stopped answering" in row["error"]


def test_a_poison_order_leaves_no_trace_of_itself(db: psycopg.Connection) -> None:
    data = order()
    data["line_items"][1]["quantity"] = data["line_items"][1]["current_quantity"] = 600
    answer = deliver_order(db, data)
    assert answer["ok"] is False
    assert answer["error"].startswith("channel.too_many_units: ")
    assert tickets(db) == {}
    assert db.execute("select count(*) from public.channel_orders").fetchone() == (0,)


def test_an_unknown_webhook_is_refused(db: psycopg.Connection) -> None:
    with pytest.raises(Refused) as refused:
        process(db, 4711)
    assert (refused.value.status, refused.value.code) == (404, "webhook.unknown")


def test_an_uninstalled_app_disconnects_the_shop_until_it_is_saved(db: psycopg.Connection) -> None:
    deliver(db, "app_uninstalled")
    (health,) = call(db, "manager", "channel_status")
    assert health["status"] == "disconnected"
    assert db.execute(
        "select count(*) from public.events where event = 'channel.disconnected'"
    ).fetchone() == (1,)
    deliver(db, WEB_ORDER)
    assert len(tickets(db)) == 3
    assert (
        call(db, "manager", "save_shop", p_store="bannos", p_source="shopify")["status"] == "active"
    )


@pytest.mark.parametrize("name", ["customers_redact", "shop_redact"])
def test_who_asks_to_be_forgotten_is_forgotten(db: psycopg.Connection, name: str) -> None:
    deliver(db, WEB_ORDER)
    db.execute("update public.orders set filling_started_at = now()")
    deliver(db, "orders_updated__address_change_only")
    failed = receive(db, *payload("orders_cancelled__all_lines_zero"))["inbox_id"]
    deliver(db, "customers_data_request")
    deliver(db, name)
    rows = db.execute(
        "select to_jsonb(o)::text from public.orders o"
        " union all select to_jsonb(c)::text from public.channel_orders c"
        " union all select to_jsonb(w)::text || coalesce(convert_from(w.raw, 'UTF8'), '')"
        " from private.webhook_inbox w where w.order_ids <> '{}' or w.topic = 'shop/redact'"
        " union all select to_jsonb(e)::text from public.events e"
    ).fetchall()
    for (text,) in rows:
        for personal in ("Zoë", "Test Customer", "customer@example", "sparkler", "by phone"):
            assert personal not in text
    assert len(tickets(db)) == 3
    assert tickets(db)["bannos-18617-A"]["flavour"] == "Vanilla"
    assert (inbox(db, failed)["status"], inbox(db, failed)["raw"]) == ("ignored", None)
    assert process(db, failed)["ok"] is True


def test_raw_payloads_go_after_ninety_days(db: psycopg.Connection) -> None:
    deliver(db, WEB_ORDER)
    waiting = receive(db, *payload("orders_updated__address_change_only"))["inbox_id"]
    db.execute("select private.purge_inbox(now() + interval '91 days')")
    rows = db.execute("select id, raw is null from private.webhook_inbox").fetchall()
    assert dict(rows) == {waiting - 1: True, waiting: False}


def test_paused_webhooks_are_stored_and_wait(db: psycopg.Connection) -> None:
    early = receive(db, *payload(WEB_ORDER))["inbox_id"]
    assert call(db, "manager", "pause_webhooks", p_store="bannos") == ["bannos"]
    assert call(db, "manager", "pause_webhooks") == []
    late = receive(db, *payload("orders_updated__address_change_only"))["inbox_id"]
    assert jobs(db) == 1
    work(db)
    assert [inbox(db, i)["status"] for i in (early, late)] == ["new", "new"]
    assert call(db, "manager", "resume_webhooks") == ["bannos"]
    assert call(db, "manager", "resume_webhooks", p_store="bannos") == []
    assert jobs(db) == 2
    work(db)
    assert [inbox(db, i)["status"] for i in (early, late)] == ["done", "done"]
    assert len(tickets(db)) == 3


def test_a_generic_webhook_brings_an_order(db: psycopg.Connection) -> None:
    connect_shop(db, store="flourlane", source="generic")
    body = json.dumps([{"order_number": "7", "description": "Board", "quantity": 2}]).encode()
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Takt-Signature": digest, "X-Takt-Topic": "order"}
    received = receive(db, body, headers, source="generic", shop="flourlane")
    assert process(db, received["inbox_id"])["result"] == "created"
    assert list(tickets(db, "flourlane")) == ["flourlane-7-A", "flourlane-7-B"]
