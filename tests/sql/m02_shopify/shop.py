"""A shop that sends signed webhooks, and orders to change."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import itertools
import json
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.support.rpc import call

PAYLOADS = Path(__file__).parents[2] / "fixtures" / "shopify" / "synthetic_own_work"
MIT_PAYLOADS = PAYLOADS.parent / "shopify_python_api_MIT"
SECRET = "test-secret-not-a-real-one"
KEY = {"x-takt-secrets-key": "a key for tests"}
WEB_ORDER = "orders_create__web_two_cakes_gelato_accessory"
FLOOR_COLUMNS = (
    "stage, assignee_id, storage, filling_started_at, filling_completed_at, covering_started_at,"
    " covering_completed_at, decorating_started_at, decorating_completed_at, packing_started_at,"
    " packing_completed_at"
)

_deliveries = itertools.count(1)


def connect_shop(
    db: psycopg.Connection, store: str = "bannos", source: str = "shopify", secret: str = SECRET
) -> None:
    """Save a shop for the store, with one webhook secret."""
    domain = "example-cakes.myshopify.com" if source == "shopify" else None
    call(db, "admin", "save_shop", p_store=store, p_source=source, p_domain=domain)
    set_secret(db, secret, store=store)


def set_secret(db: psycopg.Connection, secret: str, store: str = "bannos", **more: Any) -> Any:
    arguments = {"p_store": store, "p_kind": "webhook", "p_secret": secret, **more}
    return call(db, "admin", "set_shop_secret", headers=KEY, **arguments)


def payload(name: str) -> tuple[bytes, dict[str, str]]:
    """Bytes and headers of a stored payload."""
    headers = json.loads((PAYLOADS / f"{name}.headers.json").read_text())
    return (PAYLOADS / f"{name}.json").read_bytes(), headers


def order(name: str = WEB_ORDER) -> dict[str, Any]:
    """A stored order, to be changed."""
    return dict(json.loads((PAYLOADS / f"{name}.json").read_bytes()))


def signed(body: bytes, topic: str, secret: str = SECRET, **headers: str) -> dict[str, str]:
    """Headers as Shopify would send them, with a new delivery id."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
        "X-Shopify-Webhook-Id": f"delivery-{next(_deliveries)}",
        **headers,
    }


def receive(
    db: psycopg.Connection,
    body: bytes,
    headers: dict[str, str],
    source: str = "shopify",
    shop: str = "bannos",
) -> dict[str, Any]:
    """Deliver; Refused when the database does not take it."""
    encoded = base64.b64encode(body).decode()
    arguments = {"p_source": source, "p_shop": shop, "p_body": encoded, "p_headers": headers}
    return dict(call(db, "service", "receive_webhook", headers=KEY, **arguments))


def process(db: psycopg.Connection, inbox_id: int) -> dict[str, Any]:
    return dict(call(db, "service", "process_webhook", p_inbox_id=inbox_id))


def deliver(db: psycopg.Connection, name: str, **where: str) -> dict[str, Any]:
    """Deliver a stored payload and process it; the answer of process_webhook."""
    return process(db, receive(db, *payload(name), **where)["inbox_id"])


def deliver_order(db: psycopg.Connection, data: Any, topic: str = "orders/updated") -> Any:
    """Sign, deliver and process a payload of our own."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return process(db, receive(db, body, signed(body, topic))["inbox_id"])


def changed(base: dict[str, Any], minutes: int, **top: Any) -> dict[str, Any]:
    """A deep copy, updated `minutes` after 2026-11-21 00:00 UTC."""
    stamp = f"2026-11-21T{minutes // 60:02}:{minutes % 60:02}:00Z"
    return {**copy.deepcopy(base), "updated_at": stamp, **top}


def merge(db: psycopg.Connection, data: dict[str, Any], store: str = "bannos") -> dict[str, Any]:
    """Import one Shopify order for real; its result row."""
    rows = call(
        db,
        "service",
        "import_orders",
        p_store=store,
        p_source="shopify",
        p_rows=Jsonb([data]),
        p_dry_run=False,
    )
    return dict(rows[0])


def tickets(db: psycopg.Connection, store: str = "bannos") -> dict[str, dict[str, Any]]:
    """All tickets of a store by id."""
    rows = db.execute(
        "select o.id, to_jsonb(o) from public.orders o where o.store = %s order by o.id", (store,)
    )
    return {row[0]: row[1] for row in rows}


def floor_state(db: psycopg.Connection) -> list[Any]:
    """What only the floor may change."""
    return db.execute(f"select id, {FLOOR_COLUMNS} from public.orders order by id").fetchall()


def dump(db: psycopg.Connection) -> dict[str, Any]:
    """Everything a merge could touch."""
    tables = ("public.orders", "public.channel_orders", "public.events", "public.shop_tokens")
    return {
        table: db.execute(f"select to_jsonb(t) from {table} t order by to_jsonb(t)").fetchall()
        for table in tables
    }


def inbox(db: psycopg.Connection, inbox_id: int) -> dict[str, Any]:
    row = db.execute(
        "select to_jsonb(w) from private.webhook_inbox w where id = %s", (inbox_id,)
    ).fetchone()
    assert row is not None
    return dict(row[0])


def jobs(db: psycopg.Connection) -> int:
    """Webhooks that wait for a worker."""
    row = db.execute(
        "select count(*) from public.work_queue"
        " where topic = 'channel.process' and status = 'ready'"
    ).fetchone()
    assert row is not None
    return int(row[0])
