"""The old routes of the unit MES, over HTTP, with people and a fixture."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from takt import device
from tests.services.stack import Stack
from tests.services.test_rest import client, token

Row = dict[str, Any]


@pytest.fixture(scope="module")
def variant(stack: Stack) -> str:
    """A variant that asks for hardware B, one test and a kit; and its finished item."""
    code = f"FX-{uuid.uuid4().hex[:6].upper()}"
    with stack.rpc() as rpc:
        rpc.call("upsert_item", p_sku=code, p_title=code)
        rpc.call("upsert_variant", p_code=code, p_title=code, p_sku=code)
        rpc.call("save_variant_rules", p_variant=code, p_rules={"allowed_hw_revs": ["B"]})
        rpc.call("activate_variant_rules", p_variant=code, p_version=1)
        kit = {"kit_id": f"KIT-{code}", "language_set": "EN", "variants": [code]}
        rpc.call("register_kits", p_kits=[kit])
    return code


@pytest.fixture(scope="module")
def operator(stack: Stack) -> Iterator[httpx.Client]:
    with client(stack, token(stack, "operator")) as http:
        yield http


@pytest.fixture(scope="module")
def fixture_token(stack: Stack) -> str:
    """The access token of a test fixture that has signed in as a device."""
    code = f"fixture-{uuid.uuid4().hex[:6]}"
    with stack.rpc() as rpc:
        made = rpc.call("create_device", p_kind="fixture", p_code=code, p_name=code, p_site="main")
    who = asyncio.run(device.enroll(stack.url, made["enrolment_code"]))
    signed_in = httpx.post(
        f"{stack.url}/auth/v1/token?grant_type=password",
        json={"email": who.email, "password": who.password},
        headers={"apikey": stack.publishable_key},
    )
    return str(signed_in.json()["access_token"])


def create(operator: httpx.Client) -> str:
    answer = operator.post("/units/create-generic", json={"count": 1})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["sns"][0])


def act(operator: httpx.Client, sn: str, action: str, **body: Any) -> Row:
    answer = operator.post(f"/units/{sn}/{action}", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def report(stack: Stack, headers: Row, sn: str, **more: Any) -> httpx.Response:
    body = {"sn": sn, "result": "PASS", "metrics": {"vbat": 3.7}, **more}
    return httpx.post(f"{stack.url}/test-results", json=body, headers=headers)


def test_a_unit_from_serial_to_stock(
    stack: Stack, operator: httpx.Client, fixture_token: str, variant: str
) -> None:
    sn = create(operator)
    act(operator, sn, "assign-variant", variant=variant)
    act(operator, sn, "flash", ok=True, fw_version="1.0.0", hw_rev="B")
    tested = report(stack, {"x-fixture-token": fixture_token}, sn)
    assert (tested.status_code, tested.json()["unit"]["status"]) == (201, "TEST_PASS")
    assert act(operator, sn, "assemble", notes="ok")["unit"]["status"] == "ASSEMBLED"
    act(operator, sn, "pack/scan-kit", kit_id=f"KIT-{variant}")
    packed = act(operator, sn, "pack/finalize")
    assert (packed["allowed"], packed["unit"]["status"]) == (True, "PACKED")
    moved = act(operator, sn, "move-to-stock", finished_item=variant)
    assert moved["unit"]["status"] == "IN_FINISHED_STOCK"
    page = operator.get(f"/units/{sn}").json()
    assert page["unit"]["sn"] == sn
    assert page["events"][0]["event"] == "unit.moved_to_stock"
    again = operator.post(f"/units/{sn}/move-to-stock", json={}).json()
    assert again["changed"] is False


def test_a_closed_gate_is_a_409_with_everything(operator: httpx.Client) -> None:
    sn = create(operator)
    answer = operator.post(f"/units/{sn}/pack/finalize", json={})
    body = answer.json()
    assert (answer.status_code, body["code"], body["sqlstate"]) == (
        409,
        "unit.pack_blocked",
        "PT409",
    )
    assert body["allowed"] is False
    assert [b["code"] for b in body["blockers"]] == [
        "UNIT_NOT_ASSIGNED",
        "NO_TEST_RUN",
        "HW_REV_UNKNOWN",
        "PACK_KIT_NOT_SCANNED",
    ]
    assert set(body["expected"]) >= {"firmware_policy", "packaging_kit", "variant"}
    event = operator.get(f"/units/{sn}").json()["events"][0]
    assert (event["event"], event["payload"]["allowed"]) == ("unit.pack_refused", False)
    unknown = operator.post("/units/2611-GN-99999/pack/finalize", json={})
    assert (unknown.status_code, unknown.json()["blockers"][0]["code"]) == (409, "UNIT_NOT_FOUND")


def test_defect_5_a_test_result_needs_a_good_token_always(
    stack: Stack, operator: httpx.Client, fixture_token: str
) -> None:
    sn = create(operator)
    act(operator, sn, "flash", ok=True)
    refused = [
        {},
        {"x-fixture-token": ""},
        {"x-fixture-token": "wrong"},
        {"x-fixture-token": fixture_token[:-2]},
        {"apikey": stack.publishable_key},
        {"apikey": stack.secret_key},
        {"authorization": "Bearer wrong"},
        # A wrong token is not made good by a right one elsewhere.
        {"x-fixture-token": "wrong", "authorization": f"Bearer {fixture_token}"},
    ]
    for headers in refused:
        answer = report(stack, headers, sn)
        assert answer.status_code in (401, 403), (headers, answer.text)
    assert operator.get(f"/units/{sn}").json()["tests"] == []
    for headers in (
        {"x-fixture-token": fixture_token},
        {"authorization": f"Bearer {fixture_token}", "apikey": stack.publishable_key},
    ):
        assert report(stack, headers, sn).status_code == 201


def test_a_result_sent_twice_is_one_run(
    stack: Stack, operator: httpx.Client, fixture_token: str
) -> None:
    sn = create(operator)
    act(operator, sn, "flash", ok=True)
    headers = {"x-fixture-token": fixture_token, "idempotency-key": str(uuid.uuid4())}
    first, second = (report(stack, headers, sn) for _ in range(2))
    assert first.json() == second.json()
    assert len(operator.get(f"/units/{sn}").json()["tests"]) == 1


def test_a_fixture_may_test_and_nothing_else(
    stack: Stack, operator: httpx.Client, fixture_token: str
) -> None:
    sn = create(operator)
    with client(stack, fixture_token) as fixture:
        assert fixture.get(f"/units/{sn}").status_code == 200
        assert fixture.post(f"/units/{sn}/flash", json={"ok": True}).status_code == 200
        for action, body in (
            ("assemble", {}),
            ("pack/finalize", {}),
            ("assign-variant", {"variant": "X"}),
        ):
            refused = fixture.post(f"/units/{sn}/{action}", json=body)
            assert (refused.status_code, refused.json()["code"]) == (403, "auth.forbidden")


def test_stock_is_moved_by_the_old_route(
    stack: Stack, operator: httpx.Client, variant: str
) -> None:
    place = f"shelf-{uuid.uuid4().hex[:6]}"
    with stack.rpc() as rpc:
        rpc.call("upsert_location", p_code=place, p_title=place, p_site="main")
        rpc.call("receive_stock", p_sku=variant, p_quantity=3, p_location="main")
    body = {"item": variant, "quantity": 2, "from": "main", "to": place}
    answer = operator.post("/inventory/move", json=body)
    assert (answer.status_code, answer.json()["balance"]) == (200, 2)
    missing = operator.post("/inventory/move", json={"item": variant})
    assert (missing.status_code, missing.json()["code"]) == (400, "request.malformed")


def test_who_am_i_and_are_you_well(stack: Stack, operator: httpx.Client) -> None:
    assert operator.get("/auth/me").json()["role"] == "operator"
    assert httpx.get(f"{stack.url}/auth/me").status_code == 401
    health = httpx.get(f"{stack.url}/health")
    assert (health.status_code, health.json()["status"]) == (200, "ok")


def test_a_browser_gets_the_page_and_a_program_the_unit(
    stack: Stack, operator: httpx.Client
) -> None:
    sn = create(operator)
    page = httpx.get(f"{stack.url}/units/{sn}", headers={"accept": "text/html,*/*"})
    assert (page.status_code, page.headers["content-type"].split(";")[0]) == (200, "text/html")
    assert operator.get(f"/units/{sn}").json()["unit"]["sn"] == sn


def test_the_routes_are_described(stack: Stack) -> None:
    paths = httpx.get(f"{stack.url}/api/openapi.json").json()["paths"]
    assert {
        "/units/create-generic", "/units/{sn}", "/units/{sn}/assign-variant", "/units/{sn}/flash",
        "/units/{sn}/assemble", "/units/{sn}/pack/scan-kit", "/units/{sn}/pack/finalize",
        "/units/{sn}/move-to-stock", "/test-results", "/inventory/move", "/auth/me",
    } <= set(paths)  # fmt: skip
    header = paths["/test-results"]["post"]["parameters"]
    assert [p["name"] for p in header if p["in"] == "header"] == ["x-fixture-token"]
    ids = [o["operationId"] for p in paths.values() for o in p.values() if "operationId" in o]
    assert len(ids) == len(set(ids))
