"""The first real job: a signed order arrives, becomes tickets, and scans take it to Complete."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from supabase import AsyncClient, Client, acreate_client, create_client

from services.local.processes import wait_until
from tests.support.shopify import case, shopify_cases

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 20.0


def sign_in(demo: dict[str, Any], role: str) -> Client:
    account = next(s for s in demo["demo_sign_ins"] if s["role"] == role)
    client = create_client(demo["api_url"], demo["publishable_key"])
    client.auth.sign_in_with_password({k: account[k] for k in ("email", "password")})
    return client


@pytest.fixture(scope="module")
def operator(demo: dict[str, Any]) -> Client:
    return sign_in(demo, "operator")


@pytest.fixture(scope="module")
def shop(demo: dict[str, Any]) -> str:
    return str(next(s["shop"] for s in demo["demo_shops"] if s["shop"] == "bannos"))


@pytest.fixture(scope="module")
def plain(demo: dict[str, Any]) -> Any:
    with httpx.Client(base_url=demo["api_url"], timeout=30) as client:
        yield client


def tickets(client: Client, number: str) -> list[dict[str, Any]]:
    answer = client.table("orders").select("*").eq("order_number", number).order("id").execute()
    return [dict(row) for row in answer.data]  # type: ignore[arg-type]


def post_and_await(
    plain: httpx.Client, shop: str, operator: Client, name: str
) -> list[dict[str, Any]]:
    delivery = case(name)
    assert delivery.post(plain, shop).status_code == 200
    number = delivery.payload["name"].removeprefix("#")
    assert wait_until(lambda: bool(tickets(operator, number)), DEADLINE, pause=0.1)
    return tickets(operator, number)


def rpc(client: Client, name: str, **arguments: Any) -> Any:
    return client.rpc(name, arguments).execute().data


def scan_to_complete(client: Client, order_id: str) -> list[str]:
    """Scan until it is complete, waiting out the double-scan window by asking again."""
    rpc(client, "handle_print_barcode", p_order_id=order_id, p_request_id=str(uuid4()))
    actions: list[str] = []

    def scanned() -> bool:
        answer = rpc(client, "scan", p_code=order_id, p_request_id=str(uuid4()))
        if answer["changed"]:
            actions.append(f"{answer['action']} {answer['order_row']['stage']}")
        return bool(answer["order_row"]["stage"] == "Complete")

    assert wait_until(scanned, 60, pause=0.25), actions
    return actions


def test_an_order_becomes_tickets_and_scans_take_it_to_complete(
    plain: httpx.Client, shop: str, operator: Client
) -> None:
    rows = post_and_await(plain, shop, operator, "orders_create__web_two_cakes_gelato_accessory")
    assert [row["id"] for row in rows] == ["bannos-18617-A", "bannos-18617-B", "bannos-18617-C"]
    first = rows[0]
    assert first["cake_writing"] == "Happy 40th Zoë 🎂"
    assert (first["size"], first["flavour"]) == ("Medium", "Vanilla")
    assert first["due_date"] == "2026-12-08", "the shop writes day first"
    assert [a["title"] for a in first["accessories"]] == ["Sparkler Candle (2 pack)"]
    assert [row["total_amount"] for row in rows] == [231.9, None, None]
    assert [row["accessories"] for row in rows[1:]] == [[], []]
    assert rows[2]["flavour"] == "Chocolate, Pistachio"
    assert scan_to_complete(operator, "bannos-18617-A") == [
        "completed Covering", "started Covering", "completed Decorating", "started Decorating",
        "completed Packing", "started Packing", "completed Complete",
    ]  # fmt: skip
    assert {row["stage"] for row in tickets(operator, "18617")[1:]} == {"Filling"}


def test_every_signed_case_is_accepted_and_replaying_all_changes_nothing(
    plain: httpx.Client, shop: str, operator: Client, demo: dict[str, Any]
) -> None:
    manager = sign_in(demo, "manager")
    for name in shopify_cases():
        if "redact" in name or "uninstalled" in name:  # these end the shop; they have their tests
            continue
        assert case(name).post(plain, shop).status_code == 200, name

    def settled() -> bool:
        inbox = rpc(manager, "list_inbox", p_store=shop, p_limit=200)
        return all(row["status"] in ("done", "ignored") for row in inbox)

    assert wait_until(settled, DEADLINE, pause=0.2), rpc(manager, "list_inbox", p_store=shop)
    before = operator.table("orders").select("*").order("id").execute().data
    again = rpc(manager, "replay_webhooks", p_store=shop, p_dry_run=False)
    assert again
    assert wait_until(settled, DEADLINE, pause=0.2)
    assert operator.table("orders").select("*").order("id").execute().data == before


@pytest.mark.parametrize("signature", ["", "AAAA", "not base64 at all"])
def test_a_bad_signature_is_401_and_nothing_is_stored(
    plain: httpx.Client, shop: str, demo: dict[str, Any], signature: str
) -> None:
    manager = sign_in(demo, "manager")
    delivery = case("orders_create__pickup_iso_date_attributes").again(id=1, name="#1")
    before = len(rpc(manager, "list_inbox", p_store=shop, p_limit=500))
    headers = {**delivery.headers, "X-Shopify-Hmac-Sha256": signature}
    answer = plain.post(f"/webhooks/shopify/{shop}", content=delivery.body, headers=headers)
    assert answer.status_code == 401
    assert len(rpc(manager, "list_inbox", p_store=shop, p_limit=500)) == before


def test_a_second_client_sees_each_change_and_catches_up_after_a_cut(
    demo: dict[str, Any], plain: httpx.Client, shop: str, operator: Client
) -> None:
    rows = post_and_await(plain, shop, operator, "orders_create__pickup_iso_date_attributes")
    order = rows[0]["id"]
    asyncio.run(_watch(demo, operator, order))


async def _watch(demo: dict[str, Any], operator: Client, order: str) -> None:
    account = next(s for s in demo["demo_sign_ins"] if s["role"] == "viewer")
    client: AsyncClient = await acreate_client(demo["api_url"], demo["publishable_key"])
    await client.auth.sign_in_with_password({k: account[k] for k in ("email", "password")})
    session = await client.auth.get_session()
    assert session is not None
    await client.realtime.set_auth(session.access_token)
    cursor = (await client.rpc("events_cursor", {}).execute()).data
    seen: asyncio.Queue[str] = asyncio.Queue()
    joined = asyncio.Event()

    def heard(message: Any) -> None:
        payload = message.get("payload", message)
        if payload.get("stream_id") == order:
            seen.put_nowait(str(payload["event_id"]))

    def state(status: Any, _error: Any = None) -> None:
        if "SUBSCRIBED" in str(status):
            joined.set()

    channel = client.channel("site:main:order", {"config": {"private": True}})
    for event in ("filling.started", "filling.completed", "order.assigned", "covering.started"):
        channel.on_broadcast(event, heard)
    await channel.subscribe(state)
    await asyncio.wait_for(joined.wait(), DEADLINE)

    loop = asyncio.get_running_loop()
    started = await loop.run_in_executor(
        None, lambda: rpc(operator, "handle_print_barcode", p_order_id=order)
    )
    assert await asyncio.wait_for(seen.get(), DEADLINE) == str(started["event_id"])

    await client.remove_channel(channel)  # the cut: what happens now is not heard
    missed = [started["event_id"]]
    for name in ("complete_filling", "assign_staff", "start_covering"):
        change = await loop.run_in_executor(None, lambda n=name: rpc(operator, n, p_order_id=order))
        missed.append(change["event_id"])
    caught: list[int] = []
    while True:
        page = (await client.rpc("events_since", {"p_cursor": cursor, "p_limit": 2}).execute()).data
        caught += [e["id"] for e in page if e["stream_id"] == order]
        if not page:
            break
        cursor = page[-1]["cursor"]
    assert caught == missed, "nothing missed, nothing twice, in order"
    assert seen.empty()
    await client.realtime.close()


def test_the_javascript_client_does_the_same_job(
    demo: dict[str, Any], plain: httpx.Client, shop: str, operator: Client
) -> None:
    delivery = case("orders_create__pickup_iso_date_attributes").again(
        id=5600000000777, name="#18777", order_number=18777
    )
    assert delivery.post(plain, shop).status_code == 200
    assert wait_until(lambda: bool(tickets(operator, "18777")), DEADLINE, pause=0.1)
    account = next(s for s in demo["demo_sign_ins"] if s["role"] == "operator")
    done = subprocess.run(
        ["node", "--experimental-websocket", "--no-warnings", "tests/http/first_job.mjs"],
        input=json.dumps({**{k: demo[k] for k in ("api_url", "publishable_key")}, **account,
                          "order": tickets(operator, "18777")[0]["id"]}),
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["stage"] == "Complete"
    assert answer["heard"] == answer["events"], "each change was heard once, in order"


def test_arrays_and_keyless_requests_are_refused(
    plain: httpx.Client, demo: dict[str, Any], operator: Client
) -> None:
    keyless = plain.post("/rest/v1/rpc/get_queue", json={})
    assert keyless.status_code == 401
    session = operator.auth.get_session()
    assert session is not None
    headers = {
        "apikey": demo["publishable_key"],
        "authorization": f"Bearer {session.access_token}",
    }
    array = plain.post(
        "/rest/v1/rpc/scan", json=[{"p_code": "a"}, {"p_code": "b"}], headers=headers
    )
    assert array.status_code == 400
    refused = plain.post("/rest/v1/rpc/scan", json={"p_code": "bannos-0"}, headers=headers)
    assert (refused.status_code, refused.json()["hint"]) == (404, "scan.unknown")
