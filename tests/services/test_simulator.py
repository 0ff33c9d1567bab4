"""The demo shops: reproducible orders, through the real receiver."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from services.simulator.domain import FIRST_NUMBER, Shop
from services.simulator.shop import ShopifyShop, sign
from tests.services.stack import SECRET, STORE, Stack
from tests.takt.processes import python, read_until

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def story(seed: int, length: int = 300) -> list[tuple[str, dict[str, Any]]]:
    shop = Shop(seed)
    return [shop.next_webhook(NOW + timedelta(minutes=n)) for n in range(length)]


def test_the_same_seed_tells_the_same_story() -> None:
    first = json.dumps(story(1))
    assert first == json.dumps(story(1))
    assert first != json.dumps(story(2))


def test_orders_edits_and_cancels_in_a_number_range_of_their_own() -> None:
    told = story(3)
    assert {topic for topic, _ in told} == {"orders/create", "orders/updated", "orders/cancelled"}
    numbers = [p["order_number"] for topic, p in told if topic == "orders/create"]
    assert numbers == list(range(FIRST_NUMBER, FIRST_NUMBER + len(numbers)))
    seen: set[int] = set()
    for topic, payload in told:
        assert (payload["id"] in seen) == (topic != "orders/create")
        seen.add(payload["id"])


def test_the_signature_is_over_the_bytes_that_are_sent() -> None:
    body, headers = ShopifyShop("http://127.0.0.1:9", SECRET).request("orders/create", {"é": "🎂"})
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
    assert headers["x-shopify-hmac-sha256"] == base64.b64encode(digest).decode()
    assert sign(body + b" ", SECRET) != headers["x-shopify-hmac-sha256"]


def test_it_posts_to_the_real_receiver_and_stops_on_a_signal(
    stack: Stack, db: psycopg.Connection, tmp_path: Path
) -> None:
    with stack.rpc() as rpc:
        rpc.call("save_shop", p_store=STORE, p_source="shopify", p_domain="demo.myshopify.com")
        rpc.call("set_shop_secret", p_store=STORE, p_kind="webhook", p_secret=SECRET)
    (tmp_path / ".takt").mkdir()
    demo = {"shops": [{"shop": STORE, "secret": SECRET}]}
    (tmp_path / ".takt" / "demo.json").write_text(json.dumps(demo))
    env = {**stack.environment(), "TAKT_HOME": str(tmp_path), "TAKT_SIM_SECONDS": "0.2"}
    with python("-m", "services.simulator", env=env) as child:
        output = "".join(read_until(child, '"status": 200') for _ in range(3))
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=20)
    assert child.returncode == 0, output
    assert SECRET not in output
    count = db.execute(
        "select count(*) from private.webhook_inbox where delivery_id like 'sim-%'"
    ).fetchone()
    assert count is not None
    assert count[0] >= 3


def test_without_demo_data_it_says_what_to_do(stack: Stack, tmp_path: Path) -> None:
    env = {**stack.environment(), "TAKT_HOME": str(tmp_path)}
    with python("-m", "services.simulator", env=env) as child:
        output, _ = child.communicate(timeout=20)
    assert (child.returncode, "takt up --demo" in output) == (3, True)
