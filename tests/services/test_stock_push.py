"""What runs out is set to nothing at every location of every shop, over a real socket."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest
import uvicorn

from services.simulator.shop_graphql import SimulatedShop
from services.worker.shopify import Shop, ShopError
from takt.ports import free_port
from tests.services.stack import Stack
from tests.takt.processes import wait_for

TOKEN = "shpat_not_a_real_one"
STOCK = {
    "CANDLE": {"warehouse": 5, "store": 2, "market": 0, "attic": 9, "van": -1},
    "CANDLE-XL": {"warehouse": 7},
}


@contextmanager
def serving(shop: SimulatedShop, port: int) -> Iterator[str]:
    """The shop's API on a port of this computer; its address without the domain."""
    config = uvicorn.Config(shop.app(), "127.0.0.1", port, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started, "the shop listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def shop() -> SimulatedShop:
    return SimulatedShop(TOKEN, {sku: dict(levels) for sku, levels in STOCK.items()})


def push(shop: SimulatedShop, sku: str = "CANDLE", token: str = TOKEN, **client: Any) -> int:
    """Set a SKU to nothing in a shop that serves for just this."""

    async def main(address: str) -> int:
        async with httpx.AsyncClient(timeout=5) as http:
            target = Shop(http, f"{address}/cakes.example", token, **client)
            return await target.set_out_of_stock(sku, "takt://test")

    with serving(shop, free_port()) as address:
        return asyncio.run(main(address))


def test_every_location_is_set_to_nothing_and_no_other_item(shop: SimulatedShop) -> None:
    assert push(shop) == 5
    nothing = {"warehouse": 0, "store": 0, "market": 0, "attic": 0, "van": -1}
    assert shop.stock == {**STOCK, "CANDLE": nothing}
    assert sorted(w["changeFromQuantity"] for w in shop.writes) == [2, 5, 9]
    assert push(shop) == 5
    assert len(shop.writes) == 3, "there was nothing left to set"


def test_a_sale_meanwhile_is_read_again(shop: SimulatedShop) -> None:
    def buy(simulated: SimulatedShop) -> None:
        simulated.before_set = None
        simulated.stock["CANDLE"]["store"] -= 1

    shop.before_set = buy
    assert push(shop) == 5
    assert max(shop.stock["CANDLE"].values()) == 0


def test_a_shop_that_never_stands_still_is_given_up(shop: SimulatedShop) -> None:
    def sell_and_return(simulated: SimulatedShop) -> None:
        simulated.stock["CANDLE"]["store"] += 1

    shop.before_set = sell_and_return
    with pytest.raises(ShopError, match="kept changing"):
        push(shop)
    assert shop.writes == []


def test_a_sku_the_shop_does_not_know(shop: SimulatedShop) -> None:
    assert push(shop, "CAND") == 0
    assert push(shop, 'A "quoted" \\ one') == 0


def test_refusals_say_what_the_shop_said(shop: SimulatedShop) -> None:
    with pytest.raises(ShopError, match="HTTP 401"):
        push(shop, token="wrong")
    shop.throttled = 1
    with pytest.raises(ShopError, match="Throttled"):
        push(shop)
    shop.down = 1
    with pytest.raises(ShopError, match="HTTP 503"):
        push(shop)


def test_nobody_there_is_an_error_of_the_shop() -> None:
    async def main() -> None:
        async with httpx.AsyncClient(timeout=5) as http:
            await Shop(http, f"http://127.0.0.1:{free_port()}/x", TOKEN).set_out_of_stock("A", "b")

    with pytest.raises(ShopError, match="does not answer"):
        asyncio.run(main())


# With the worker ----------------------------------------------------------------------------


@pytest.fixture
def sku(stack: Stack) -> str:
    """An item of its own with one piece, on sale in the shops of both stores."""
    name = f"CANDLE-{uuid.uuid4().hex[:6]}"
    with stack.rpc() as rpc:
        for store in ("bannos", "flourlane"):
            rpc.call(
                "save_shop",
                p_store=store,
                p_source="shopify",
                p_domain=f"example-{store}.myshopify.com",
            )
            rpc.call("set_shop_secret", p_store=store, p_kind="access_token", p_secret=TOKEN)
        rpc.call("upsert_item", p_sku=name, p_title="Candle")
        rpc.call("receive_stock", p_sku=name, p_quantity=1)
    return name


def states(db: psycopg.Connection, sku: str) -> list[tuple[Any, ...]]:
    return db.execute(
        "select store, state, locations from public.stock_pushes where sku = %s order by 1", (sku,)
    ).fetchall()


def test_what_runs_out_here_is_out_in_both_shops(
    stack: Stack, db: psycopg.Connection, sku: str
) -> None:
    simulated = SimulatedShop(TOKEN, {sku: {"warehouse": 3, "store": 4}})
    expected = [("bannos", "pushed", 2), ("flourlane", "pushed", 2)]
    with serving(simulated, stack.shop_port), stack.rpc() as rpc:
        rpc.call("issue_stock", p_sku=sku, p_quantity=1)
        wait_for(lambda: states(db, sku) == expected, "both shops were told", 30)
    assert simulated.stock == {sku: {"warehouse": 0, "store": 0}}


def test_a_shop_that_is_down_is_tried_again(stack: Stack, db: psycopg.Connection, sku: str) -> None:
    simulated = SimulatedShop(TOKEN, {sku: {"warehouse": 3}}, down=2)
    with serving(simulated, stack.shop_port), stack.rpc() as rpc:
        rpc.call("issue_stock", p_sku=sku, p_quantity=1)
        wait_for(
            lambda: [state for _, state, _ in states(db, sku)] == ["pushed", "pushed"],
            "both shops were told at last",
            60,
        )
    assert simulated.stock == {sku: {"warehouse": 0}}
    tries = db.execute(
        "select sum(retries) from public.work_queue where topic = 'stock.push'"
        " and payload ->> 'sku' = %s",
        (sku,),
    ).fetchone()
    assert tries == (2,)


def test_after_three_tries_it_is_an_alarm(stack: Stack, db: psycopg.Connection, sku: str) -> None:
    with stack.rpc() as rpc:  # nobody listens at the shop's address
        rpc.call("issue_stock", p_sku=sku, p_quantity=1)
        wait_for(
            lambda: [state for _, state, _ in states(db, sku)] == ["failed", "failed"],
            "the worker gave up",
            60,
        )
        alarms = [a for a in rpc.call("get_stock_alarms") if a["sku"] == sku]
        assert {a["kind"] for a in alarms} == {"push_failed"}
        assert "does not answer" in alarms[0]["message"]


def test_an_order_that_could_not_take_its_stock_takes_it_when_the_worker_tries_again(
    stack: Stack, db: psycopg.Connection, sku: str
) -> None:
    ticket = f"bannos-{uuid.uuid4().hex[:8]}"
    db.execute(
        "select private.enqueue('stock.deduct', jsonb_build_object('order_id', %s::text))",
        (ticket,),
    )
    job = db.execute(
        "select max(id) from public.work_queue where topic = 'stock.deduct'"
    ).fetchone()
    assert job is not None
    with stack.rpc() as rpc:
        rpc.call("save_deduction_rule", p_pattern=sku, p_sku=sku, p_match="exact")
    db.execute(
        "insert into public.orders (id, store, source, external_order_id, line_item_id,"
        " order_number, product_title) values (%s, 'bannos', 'import', %s, '1', %s, %s)",
        (ticket, ticket, ticket, sku),
    )

    def taken() -> bool:
        row = db.execute(
            "select sum(quantity) from public.inventory_txn where ref_id = %s", (ticket,)
        ).fetchone()
        return row == (-1,)

    wait_for(taken, "the worker has settled the order", 30)
