"""The receiver over the real gateway, gatekeeper, PostgREST and Postgres."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import signal
import socket
import uuid
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from services.api import webhooks
from services.api.webhooks import BODY_LIMIT
from services.simulator.shop import ShopifyShop, sign
from tests.services.stack import SECRET, STORE, Stack
from tests.takt.processes import wait_for


@pytest.fixture(scope="module", autouse=True)
def shops(stack: Stack) -> None:
    with stack.rpc() as rpc:
        rpc.call("save_shop", p_store=STORE, p_source="shopify", p_domain="demo.myshopify.com")
        rpc.call("set_shop_secret", p_store=STORE, p_kind="webhook", p_secret=SECRET)


def stored(db: psycopg.Connection, delivery_id: str) -> list[bytes]:
    rows = db.execute(
        "select raw from private.webhook_inbox where delivery_id = %s", (delivery_id,)
    )
    return [bytes(row[0]) for row in rows]


def delivery() -> str:
    return f"test-{uuid.uuid4()}"


def order(number: int, **changes: Any) -> dict[str, Any]:
    line = {
        "id": number * 10,
        "title": "Confetti Celebration Cake",
        "variant_title": "Medium / Vanilla",
        "sku": "CAKE-CONF-M-VAN",
        "quantity": 1,
        "current_quantity": 1,
        "price": "95.00",
        "properties": [{"name": "Writing on cake", "value": "Happy 40th Zoë 🎂"}],
    }
    return {
        "id": 5_000_000 + number,
        "name": f"#{number}",
        "order_number": number,
        "test": False,
        "source_name": "web",
        "created_at": "2026-11-20T09:14:03+11:00",
        "updated_at": "2026-11-20T09:14:04+11:00",
        "currency": "AUD",
        "note_attributes": [
            {
                "name": "Local Delivery Date and Time",
                "value": "08/12/2026 between 10:00 AM and 2:00 PM",
            }
        ],
        "line_items": [line],
        **changes,
    }


def test_a_signed_order_is_stored_byte_for_byte_and_becomes_a_ticket(
    stack: Stack, db: psycopg.Connection
) -> None:
    delivery_id = delivery()
    # Spaces, duplicate keys, escaped slashes and a trailing newline: parsed and printed again,
    # these bytes would be others, and so would their signature.
    text = json.dumps(order(31001), ensure_ascii=False).replace('"test"', '"a\\/b":1.0, "test"')
    body = text.encode() + b"\n"
    answer = stack.shop().send("orders/create", body, delivery_id=delivery_id)
    assert answer.status_code == 200, answer.text
    assert stored(db, delivery_id) == [body]

    def ticket() -> bool:
        found = db.execute(
            "select cake_writing from public.orders where id = %s", (f"{STORE}-31001",)
        ).fetchone()
        return found == ("Happy 40th Zoë 🎂",)

    wait_for(ticket, "the worker has made the ticket")


def test_a_duplicate_is_acknowledged_and_stored_once(stack: Stack, db: psycopg.Connection) -> None:
    delivery_id = delivery()
    answers = [
        stack.shop().send("orders/create", order(31002), delivery_id=delivery_id) for _ in range(3)
    ]
    assert [a.status_code for a in answers] == [200, 200, 200]
    assert [a.json()["duplicate"] for a in answers] == [False, True, True]
    assert len(stored(db, delivery_id)) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"x-shopify-hmac-sha256": ""},
        {"x-shopify-hmac-sha256": "not base64 at all"},
        {"x-shopify-hmac-sha256": sign(b"other bytes", SECRET)},
        {"x-shopify-hmac-sha256": sign(b"{}", "another secret")},
    ],
)
def test_a_bad_signature_is_401_and_leaves_nothing(
    stack: Stack, db: psycopg.Connection, headers: dict[str, str]
) -> None:
    delivery_id = delivery()
    answer = stack.shop().send("orders/create", b"{}", delivery_id=delivery_id, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "webhook.bad_signature")
    assert stored(db, delivery_id) == []


def test_a_missing_signature_and_an_unknown_shop_are_401(stack: Stack) -> None:
    url = f"{stack.url}/webhooks/shopify/{STORE}"
    assert httpx.post(url, json=order(31003)).status_code == 401
    assert stack.shop(shop="nobody").send("orders/create", order(31003)).status_code == 401
    assert stack.shop("wrong secret").send("orders/create", order(31003)).status_code == 401


def test_11_without_a_signature_the_body_is_not_read(stack: Stack) -> None:
    address = urlsplit(stack.api)
    with socket.create_connection((address.hostname, address.port or 80), timeout=20) as sender:
        sender.sendall(
            f"POST /webhooks/shopify/{STORE} HTTP/1.1\r\nHost: x\r\n"
            "Content-Length: 1000000\r\n\r\n".encode()
        )
        assert b" 401 " in sender.recv(1024)  # not a byte of the body was sent


def test_11_bad_signatures_are_slowed_down(stack: Stack) -> None:
    def send(address: str, shop: str, secret: str) -> httpx.Response:
        sender = ShopifyShop(f"{stack.api}/webhooks/shopify/{shop}", secret)
        # The gateway writes this header; here we stand in its place.
        return sender.send("themes/publish", {}, headers={"x-forwarded-for": address})

    attacker, other = "198.51.100.7", "198.51.100.8"
    answers = [send(attacker, STORE, "wrong") for _ in range(24)]
    assert [a.status_code for a in answers[:20]] == [401] * 20
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert send(attacker, STORE, SECRET).status_code == 429  # no oracle either
    assert send(attacker, "flourlane", "wrong").status_code == 401
    assert send(other, STORE, SECRET).status_code == 200


def test_nothing_is_parsed_before_it_is_verified(stack: Stack, db: psycopg.Connection) -> None:
    delivery_id = delivery()
    for poison in (b"\xff\xfe not json", b'{"a": "\\u0000"}', b"[" * 5000):
        unsigned = stack.shop("wrong secret").send("orders/create", poison)
        assert unsigned.status_code == 401
    answer = stack.shop().send("orders/create", b'{"a": "\\u0000"', delivery_id=delivery_id)
    assert answer.status_code == 200  # signed: kept as it is, for a person to look at
    assert stored(db, delivery_id) == [b'{"a": "\\u0000"']
    source = inspect.getsource(webhooks)
    assert "json.loads" not in source
    assert "hmac" not in source  # the one comparison is in the database, in constant time


def test_an_unknown_topic_is_kept_and_acknowledged(stack: Stack, db: psycopg.Connection) -> None:
    delivery_id = delivery()
    answer = stack.shop().send("themes/publish", {"id": 1}, delivery_id=delivery_id)
    assert answer.status_code == 200
    assert len(stored(db, delivery_id)) == 1


def test_the_limit_is_3_mb_exactly(stack: Stack) -> None:
    padding = BODY_LIMIT - len(json.dumps({"pad": ""}))
    fits = json.dumps({"pad": "x" * padding}).encode()
    assert len(fits) == BODY_LIMIT
    assert stack.shop().send("themes/publish", fits).status_code == 200
    assert stack.shop().send("themes/publish", fits + b" ").status_code == 413


def test_an_endless_body_is_refused_before_it_is_buffered(stack: Stack) -> None:
    """Chunked, without a length, past the gateway: the answer comes while we still send."""
    address = urlsplit(stack.api)
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with socket.create_connection((address.hostname, address.port or 80), timeout=20) as sender:
        sender.sendall(
            f"POST /webhooks/shopify/{STORE} HTTP/1.1\r\nHost: x\r\n"
            "X-Shopify-Hmac-Sha256: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            sender.sendall(chunk * (20 * BODY_LIMIT // len(chunk)))


def test_an_announced_length_is_refused_without_reading(stack: Stack) -> None:
    address = urlsplit(stack.api)
    with socket.create_connection((address.hostname, address.port or 80), timeout=20) as sender:
        sender.sendall(
            f"POST /webhooks/shopify/{STORE} HTTP/1.1\r\nHost: x\r\n"
            f"X-Shopify-Hmac-Sha256: x\r\nContent-Length: {BODY_LIMIT + 1}\r\n\r\n".encode()
        )
        assert b" 413 " in sender.recv(1024)


def test_200_parallel_deliveries_of_one_webhook_are_one_row(
    stack: Stack, db: psycopg.Connection
) -> None:
    delivery_id = delivery()
    shop: ShopifyShop = stack.shop()
    body, headers = shop.request("orders/create", order(31005), delivery_id)

    async def send() -> list[int]:
        url = f"{stack.url}/webhooks/shopify/{STORE}"
        async with httpx.AsyncClient(timeout=60) as http:
            posts = (http.post(url, content=body, headers=headers) for _ in range(200))
            return [answer.status_code for answer in await asyncio.gather(*posts)]

    statuses = asyncio.run(send())
    # A busy server may ask to send again; it never says 200 for what it has not stored.
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) >= 1
    assert len(stored(db, delivery_id)) == 1


def test_what_cannot_be_stored_is_503_and_comes_through_later(
    stack: Stack, db: psycopg.Connection
) -> None:
    delivery_id = delivery()
    pid = int(stack.service("postgrest")["pid"])
    os.kill(pid, signal.SIGSTOP)
    try:
        answer = stack.shop().send("orders/create", order(31006), delivery_id=delivery_id)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0

    def accepted() -> bool:
        again = stack.shop().send("orders/create", order(31006), delivery_id=delivery_id)
        return again.status_code == 200

    wait_for(accepted, "the shop's repeat is stored")
    assert len(stored(db, delivery_id)) == 1


def test_a_dead_database_is_503_and_every_200_was_kept(stack: Stack) -> None:
    answered: dict[str, int] = {}

    def send(wanted: int) -> bool:
        delivery_id = delivery()
        answer = stack.shop().send("themes/publish", {"id": 1}, delivery_id=delivery_id)
        answered[delivery_id] = answer.status_code
        assert answer.status_code in (200, 503)
        return answer.status_code == wanted

    assert send(200)
    stack.process.send_signal(signal.SIGSTOP)  # so that it does not start Postgres again at once
    try:
        os.kill(int(stack.service("postgres")["pid"]), signal.SIGKILL)
        wait_for(lambda: send(503), "the receiver says that it cannot store")
    finally:
        stack.process.send_signal(signal.SIGCONT)
    wait_for(lambda: send(200), "the database is back", 90)
    with stack.connect() as connection:
        for delivery_id, status in answered.items():
            assert status == 503 or len(stored(connection, delivery_id)) == 1
