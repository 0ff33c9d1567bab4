"""Deliveries: nothing is stored that the shop did not sign, nothing signed is stored twice."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

import psycopg
import pytest

from tests.sql.m02_shopify.shop import (
    KEY,
    PAYLOADS,
    SECRET,
    WEB_ORDER,
    connect_shop,
    inbox,
    jobs,
    payload,
    receive,
    set_secret,
    signed,
)
from tests.support.rpc import Refused, call

SHOPIFY = sorted(
    path.name.removesuffix(".headers.json")
    for path in PAYLOADS.glob("*.headers.json")
    if "X-Shopify" in path.read_text()
)


def stored(db: psycopg.Connection) -> int:
    row = db.execute("select count(*) from private.webhook_inbox").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("name", SHOPIFY)
def test_every_signed_payload_is_stored_byte_for_byte(db: psycopg.Connection, name: str) -> None:
    connect_shop(db)
    body, headers = payload(name)
    answer = receive(db, body, headers)
    assert answer["topic"] == headers["X-Shopify-Topic"]
    assert answer["duplicate"] is False
    row = db.execute("select raw, headers, verified from private.webhook_inbox").fetchone()
    assert row is not None
    assert bytes(row[0]) == body
    assert "x-shopify-hmac-sha256" not in row[1]
    assert row[2] is True
    assert jobs(db) == 1


def test_header_names_ignore_case_and_the_shop_may_be_its_domain(db: psycopg.Connection) -> None:
    connect_shop(db)
    body, headers = payload(WEB_ORDER)
    lower = {name.lower(): value for name, value in headers.items()}
    answer = receive(db, body, lower, shop="Example-Cakes.myshopify.com")
    row = inbox(db, answer["inbox_id"])
    assert row["store"] == "bannos"
    assert row["event_id"] == headers["X-Shopify-Event-Id"]
    assert row["api_version"] == "2026-10"


def _wrong(headers: dict[str, str]) -> dict[str, str]:
    return {**headers, "X-Shopify-Hmac-Sha256": base64.b64encode(bytes(32)).decode()}


def _unsigned(headers: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in headers.items() if k != "X-Shopify-Hmac-Sha256"}


def test_defect_hmac_log_only_what_is_not_signed_is_refused_and_not_stored(
    db: psycopg.Connection,
) -> None:
    connect_shop(db)
    body, headers = payload(WEB_ORDER)
    attempts = [
        (body, _wrong(headers), "shopify", "bannos"),
        (body, _unsigned(headers), "shopify", "bannos"),
        (body, {**headers, "X-Shopify-Hmac-Sha256": ""}, "shopify", "bannos"),
        (body + b" ", headers, "shopify", "bannos"),
        (body, signed(body, "orders/create", "another secret"), "shopify", "bannos"),
        (body, headers, "shopify", "flourlane"),
        (body, headers, "shopify", "no-such-shop"),
        (body, headers, "woocommerce", "bannos"),
        (body, headers, "nonsense", "bannos"),
    ]
    for content, given, source, shop in attempts:
        with pytest.raises(Refused) as refused:
            receive(db, content, given, source=source, shop=shop)
        assert (refused.value.status, refused.value.code) == (401, "webhook.bad_signature")
        assert SECRET not in str(refused.value)
    assert stored(db) == 0
    assert jobs(db) == 0


def test_a_body_over_three_megabytes_is_too_large(db: psycopg.Connection) -> None:
    connect_shop(db)
    body = b" " * (3 * 1024 * 1024)
    assert receive(db, body, signed(body, "products/update"))["duplicate"] is False
    for size in (len(body) + 1, 2 * len(body)):
        with pytest.raises(Refused) as refused:
            receive(db, b" " * size, {})
        assert (refused.value.status, refused.value.code) == (413, "webhook.too_large")
    assert stored(db) == 1


def test_the_same_delivery_twice_is_one(db: psycopg.Connection) -> None:
    connect_shop(db)
    first = receive(db, *payload(WEB_ORDER))
    again = receive(db, *payload(WEB_ORDER))
    assert again == {**first, "duplicate": True}
    assert (stored(db), jobs(db)) == (1, 1)


def test_two_topics_of_one_event_are_two_deliveries(db: psycopg.Connection) -> None:
    connect_shop(db)
    body, _ = payload(WEB_ORDER)
    one_event = {"X-Shopify-Event-Id": "the same"}
    receive(db, body, signed(body, "orders/create", **one_event))
    receive(db, body, signed(body, "orders/paid", **one_event))
    assert stored(db) == 2


def test_without_a_delivery_id_the_content_is_the_id(db: psycopg.Connection) -> None:
    connect_shop(db)
    body, headers = payload(WEB_ORDER)
    anonymous = {k: v for k, v in headers.items() if k != "X-Shopify-Webhook-Id"}
    first = receive(db, body, anonymous)
    assert receive(db, body, anonymous) == {**first, "duplicate": True}
    digest = hashlib.sha256(body).hexdigest()
    assert inbox(db, first["inbox_id"])["delivery_id"] == f"sha256:{digest}"


def test_two_secrets_are_accepted_while_a_rotation_overlaps(db: psycopg.Connection) -> None:
    connect_shop(db)
    answer = set_secret(db, "the new one", p_overlap_minutes=60)
    assert answer["previous_until"] is not None
    body, _ = payload(WEB_ORDER)
    for secret in (SECRET, "the new one"):
        receive(db, body, signed(body, "orders/create", secret))
    db.execute("update private.shop_secrets set not_after = now() where slot = 2")
    with pytest.raises(Refused, match=r"webhook\.bad_signature"):
        receive(db, body, signed(body, "orders/create"))
    set_secret(db, "the third", p_overlap_minutes=0)
    with pytest.raises(Refused, match=r"webhook\.bad_signature"):
        receive(db, body, signed(body, "orders/create", "the new one"))
    receive(db, body, signed(body, "orders/create", "the third"))


def test_the_key_of_the_secrets_must_be_there_and_the_right_one(db: psycopg.Connection) -> None:
    connect_shop(db)
    body, headers = payload(WEB_ORDER)
    encoded = base64.b64encode(body).decode()
    delivery = {"p_source": "shopify", "p_shop": "bannos", "p_body": encoded, "p_headers": headers}
    for given, code in (({}, "channels.no_key"), ({next(iter(KEY)): "x"}, "channels.wrong_key")):
        with pytest.raises(Refused) as refused:
            call(db, "service", "receive_webhook", headers=given, **delivery)
        assert (refused.value.status, refused.value.code) == (412, code)
    assert stored(db) == 0


def test_woocommerce_signs_and_names_its_headers_differently(db: psycopg.Connection) -> None:
    connect_shop(db, source="woocommerce")
    answer = receive(db, *payload("woocommerce_order_created"), source="woocommerce")
    assert answer["topic"] == "order.created"
    row = inbox(db, answer["inbox_id"])
    assert row["delivery_id"] == "36e520ebabc2fa725092ff4a47acedf2"


def _standard(body: bytes, secret: str, at: int) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"msg_1.{at}.".encode() + body, hashlib.sha256).digest()
    good = base64.b64encode(digest).decode()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{'A' * 43}= v1,{good}",
    }


def test_standard_webhooks_are_understood_and_old_ones_refused(db: psycopg.Connection) -> None:
    body, headers = payload("standard_webhooks_etsy_like")
    secret = headers["_note"].split()[-1]
    connect_shop(db, source="generic", secret=secret)
    now = int(time.time())
    answer = receive(db, body, _standard(body, secret, now), source="generic")
    assert answer["topic"] == "order.paid"
    for late in (now - 600, now + 600):
        with pytest.raises(Refused, match=r"webhook\.bad_signature"):
            receive(db, body, _standard(body, secret, late), source="generic")
    without_time = {**_standard(body, secret, now), "webhook-timestamp": "soon"}
    with pytest.raises(Refused, match=r"webhook\.bad_signature"):
        receive(db, body, without_time, source="generic")
    db.execute("update private.webhook_formats set tolerance = null, name = name")
    assert receive(db, body, headers, source="generic")["duplicate"] is False


def test_a_shared_secret_and_hex_are_enough_for_a_site_of_ones_own(db: psycopg.Connection) -> None:
    connect_shop(db, source="generic")
    body = json.dumps({"order_number": "7", "description": "Board"}).encode()
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Takt-Signature": digest.upper(), "X-Takt-Topic": "order"}
    assert receive(db, body, headers, source="generic")["topic"] == "order"


@pytest.mark.parametrize("who", ["anon", "stranger", "operator", "admin", "kiosk"])
def test_only_the_server_delivers_and_processes(db: psycopg.Connection, who: str) -> None:
    connect_shop(db)
    for rpc, arguments in (
        (
            "receive_webhook",
            {"p_source": "shopify", "p_shop": "bannos", "p_body": "", "p_headers": {}},
        ),
        ("process_webhook", {"p_inbox_id": 1}),
    ):
        with pytest.raises(Refused) as refused:
            call(db, who, rpc, **arguments)
        assert refused.value.sqlstate == "42501"
