"""The routes of routed production, over HTTP, with people of every role."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
from fastapi import FastAPI

from services.api.app import create_app
from services.api.settings import ApiSettings
from tests.services.stack import Stack
from tests.services.test_rest import client, token

Row = dict[str, Any]
# The roles of the old system, and ours.
ROLES = {
    "OPERATOR": "operator",
    "SUPERVISOR": "supervisor",
    "PCP": "planner",
    "MANAGER": "manager",
}


@pytest.fixture(scope="module")
def people(stack: Stack) -> Iterator[dict[str, httpx.Client]]:
    """One signed-in person per old role."""
    clients = {old: client(stack, token(stack, ours)) for old, ours in ROLES.items()}
    yield clients
    for http in clients.values():
        http.close()


@pytest.fixture(scope="module")
def plant(stack: Stack) -> str:
    """A plant that saws and packs; the SKU of what it makes, of one panel each."""
    sku = f"TABLE-{uuid.uuid4().hex[:6].upper()}"
    panel = f"PANEL-{sku}"
    with stack.rpc() as rpc:
        for number, (step, centre) in enumerate((("SAWING", "saw-9"), ("PACKING", "pack-9")), 1):
            rpc.call("save_process_step", p_code=step, p_sequence=number)
            rpc.call("save_work_centre", p_code=centre, p_step=step, p_site="main")
        for item in (sku, panel):
            rpc.call("upsert_item", p_sku=item, p_title=item)
        rpc.call("receive_stock", p_sku=panel, p_quantity=1000, p_location="main")
        parts = [{"sku": panel, "quantity": 1}]
        rpc.call("save_requirements", p_parent_sku=sku, p_lines=parts)
        steps = [{"step": "SAWING", "materials": [panel]}, {"step": "PACKING"}]
        rpc.call("save_routing", p_sku=sku, p_steps=steps)
    return sku


@pytest.fixture
def op(stack: Stack, plant: str, people: dict[str, httpx.Client]) -> str:
    """An order for ten, on the floor."""
    with stack.rpc() as rpc:
        made = rpc.call(
            "create_production_order", p_product_sku=plant, p_quantity=10, p_site="main"
        )
    code = str(made["order_row"]["code"])
    released = people["PCP"].post(f"/api/v1/ops/{code}/release", json={})
    assert released.status_code == 200, released.text
    return code


def act(who: httpx.Client, op: str, sequence: int, action: str, **body: Any) -> httpx.Response:
    return who.post(f"/api/v1/ops/{op}/steps/{sequence}/{action}", json=body)


def test_an_order_through_its_steps(people: dict[str, httpx.Client], op: str) -> None:
    floor = people["OPERATOR"]
    scanned = floor.post("/scans", json={"op": op, "work_centre": "saw-9"})
    assert (scanned.status_code, scanned.json()["action"]) == (200, "ready"), scanned.text
    assert act(floor, op, 10, "start", work_centre="saw-9", quantity=4).status_code == 200
    counted = act(floor, op, 10, "count", work_centre="saw-9", quantity=3)
    assert counted.json()["step"]["good"] == 3, counted.text
    record = {"disposition": "scrap", "quantity": 1, "reason": "KNOT", "defect_position": "edge"}
    scrapped = act(floor, op, 10, "quality", **record)
    assert scrapped.status_code == 200, scrapped.text
    (notice,) = scrapped.json()["notices"]
    assert notice["details"]["replenishment"] == f"{op}-R1"
    reported = act(floor, op, 10, "report", work_centre="saw-9", good=6)
    assert reported.json()["step"]["status"] == "COMPLETED", reported.text
    completed = act(floor, op, 20, "complete", good=9)
    assert completed.status_code == 200, completed.text
    assert completed.json()["order_row"]["status"] == "OPEN_PARTIAL"
    page = floor.get(f"/api/v1/ops/{op}").json()
    assert [s["good"] for s in page["steps"]] == [9, 9]
    kinds = {"op": op, "type": "BARCODE_SCANNED,STEP_COMPLETED", "limit": 1000}
    told = floor.get("/api/v1/events", params=kinds).json()["events"]
    assert [e["event_type"] for e in told] == ["BARCODE_SCANNED"] + ["STEP_COMPLETED"] * 2


def test_codes_with_a_slash(stack: Stack, plant: str, people: dict[str, httpx.Client]) -> None:
    """Codes of other systems hold slashes: every route of an order and its lot takes them."""
    op = f"WO/26/{uuid.uuid4().hex[:6]}"
    with stack.rpc() as rpc:
        rpc.call(
            "create_production_order",
            **{"p_product_sku": plant, "p_quantity": 2, "p_site": "main", "p_code": op},
        )
    released = people["PCP"].post(f"/api/v1/ops/{op}/release", json={})
    assert released.status_code == 200, released.text
    started = act(people["OPERATOR"], op, 10, "start", work_centre="saw-9")
    assert started.status_code == 200, started.text
    for path in ("ops", "traceability/ops"):
        page = people["OPERATOR"].get(f"/api/v1/{path}/{op}")
        assert page.json()["order_row"]["code"] == op, page.text
    for path in (f"ops/{op}/timeline", f"lots/{op}/timeline"):
        told = people["OPERATOR"].get(f"/api/v1/traceability/{path}")
        assert "production.released" in [row["event"] for row in told.json()], told.text
    lot = people["OPERATOR"].get(f"/api/v1/traceability/lots/{op}").json()
    label = people["OPERATOR"].get(f"/api/v1/traceability/labels/{op}").json()
    assert (lot["order_code"], label["production_order"]) == (op, op)


def test_the_list_is_filtered_and_sorted(people: dict[str, httpx.Client], op: str) -> None:
    planner = people["PCP"]
    act(people["OPERATOR"], op, 10, "quality", disposition="scrap", quantity=1, reason="KNOT")
    urgent = planner.post(f"/api/v1/ops/{op}/priority", json={"priority": "critical"})
    assert urgent.json()["order_row"]["priority"] == "critical"

    def codes(**query: Any) -> list[str]:
        answer = planner.get("/api/v1/ops", params={"search": op, **query})
        assert answer.status_code == 200, answer.text
        return [row["order_row"]["code"] for row in answer.json()["orders"]]

    assert codes() == [op, f"{op}-R1"]
    assert codes(type="REPLENISHMENT") == [f"{op}-R1"]
    assert codes(type=["REPLENISHMENT", "PRODUCTION"], sort="newest") == [f"{op}-R1", op]
    assert codes(status="IN_PROGRESS,OPEN_PARTIAL") == [op]
    assert codes(due_from="2031-01-01", due_to="2031-12-31") == []
    page = planner.get("/api/v1/ops", params={"search": op, "limit": 1}).json()
    assert codes(cursor=page["next_cursor"]) == [f"{op}-R1"]
    assert planner.get("/api/v1/ops", params={"approved_by": "me"}).status_code == 400


def test_a_scan_says_expected_and_actual(people: dict[str, httpx.Client], op: str) -> None:
    floor = people["OPERATOR"]
    key = {"idempotency-key": str(uuid.uuid4())}
    body = {"op": op, "work_centre": "pack-9"}
    first, again = (floor.post("/api/v1/scans", json=body, headers=key) for _ in range(2))
    assert first.status_code == again.status_code == 409, first.text
    assert first.json()["code"] == "production.previous_step"
    assert (first.json()["ok"], first.json()["details"]["expected"]) == (False, "SAWING")
    assert first.json()["event_id"] == again.json()["event_id"]
    other = floor.post("/api/v1/scans", json={"code": op})
    assert other.json().get("code") != "request.malformed", "the universal scan is still there"
    missing = floor.post("/scans", json={"op": op})
    assert (missing.status_code, missing.json()["code"]) == (400, "request.malformed")


def test_defect_7_who_approves_is_who_is_signed_in(people: dict[str, httpx.Client]) -> None:
    """RENAR believed `approved_by` in the body, and let anybody register as MANAGER."""
    ask = {"type": "DISABLE_EQUIPMENT", "justification": "Blunt", "work_centre": "saw-9"}
    asked = people["SUPERVISOR"].post("/api/v1/approvals", json=ask)
    assert asked.status_code == 201, asked.text
    path = f"/api/v1/approvals/{asked.json()['approval']['id']}/decide"
    approve = {"decision": "APPROVED", "version": 1}
    blind = people["PCP"].post(path, json={"decision": "APPROVED"})
    assert (blind.status_code, blind.json()["code"]) == (400, "request.malformed")
    stale = people["PCP"].post(path, json={**approve, "version": 2})
    assert (stale.status_code, stale.json()["code"]) == (409, "approval.stale")
    forged = people["OPERATOR"].post(path, json={**approve, "approved_by": str(uuid.uuid4())})
    assert (forged.status_code, forged.json()["code"]) == (400, "request.malformed")
    for role in ("OPERATOR", "SUPERVISOR"):
        refused = people[role].post(path, json=approve)
        assert (refused.status_code, refused.json()["code"]) == (403, "auth.forbidden")
    inbox = people["PCP"].get("/api/v1/approvals", params={"type": "DISABLE_EQUIPMENT"}).json()
    assert [row["may_decide"] for row in inbox["approvals"]] == [True]
    decided = people["PCP"].post(path, json=approve)
    assert decided.json()["approval"]["effect"]["is_enabled"] is False
    back = people["PCP"].post("/api/v1/approvals", json={**ask, "type": "ENABLE_EQUIPMENT"})
    number = back.json()["approval"]["id"]
    own = people["PCP"].post(f"/api/v1/approvals/{number}/decide", json=approve)
    assert (own.status_code, own.json()["code"]) == (403, "approval.own")
    people["MANAGER"].post(f"/api/v1/approvals/{number}/decide", json=approve)


@pytest.mark.parametrize("role", ["MANAGER", "manager", "admin"])
def test_defect_7_nobody_registers_with_a_role(stack: Stack, role: str) -> None:
    person = {"email": f"{uuid.uuid4().hex}@example.com", "password": "pass-word-1"}
    register = httpx.post(f"{stack.url}/auth/register", json={**person, "role": role})
    assert register.status_code in (404, 405)
    keys = {"apikey": stack.publishable_key}
    metadata = {"role": role, "app_metadata": {"role": role}}
    signed_up = httpx.post(
        f"{stack.url}/auth/v1/signup", json={**person, "role": role, "data": metadata}, headers=keys
    )
    bearer = signed_up.json().get("access_token")
    if bearer is None:  # signing up is closed, or waits for the address to be confirmed
        return
    with client(stack, str(bearer)) as stranger:
        for path in ("/api/v1/ops", "/api/v1/approvals", "/api/v1/me"):
            answer = stranger.get(path)
            assert (answer.status_code, answer.json()["code"]) == (403, "auth.not_staff")


def test_without_a_sign_in_there_is_nothing(stack: Stack) -> None:
    for method, path in (("GET", "/api/v1/ops"), ("POST", "/scans"), ("GET", "/api/v1/quality")):
        answer = httpx.request(method, f"{stack.url}{path}", json={} if method == "POST" else None)
        assert answer.status_code == 401, path


def test_the_quality_page(people: dict[str, httpx.Client], op: str) -> None:
    floor = people["OPERATOR"]
    act(floor, op, 10, "report", work_centre="saw-9", good=9)
    act(floor, op, 10, "quality", disposition="rework", quantity=1, reason="TOO_LARGE")
    figures = floor.get("/api/v1/quality", params={"op": op}).json()
    assert [(r["reason"], r["quantity"]) for r in figures["reasons"]] == [("TOO_LARGE", 1)]
    assert (figures["steps"][0]["fpy"], figures["totals"]["rework_open"]) == (0.9, 1)


def test_orders_of_another_system_come_in(people: dict[str, httpx.Client], plant: str) -> None:
    code = f"E-{uuid.uuid4().hex[:8]}"
    rows = [{"external_id": code, "product_sku": plant, "quantity": "3", "site": "main"}]
    said = {"system": "erp", "rows": [*rows, {"external_id": f"{code}-X"}]}
    tried = people["PCP"].post("/api/v1/ops/import", json={**said, "dry_run": True}).json()
    assert tried["counts"] == {"created": 1, "error": 1}
    assert people["OPERATOR"].get(f"/api/v1/ops/{code}").status_code == 404
    done = people["PCP"].post("/api/v1/ops/import", json=said).json()
    assert [row["result"] for row in done["rows"]] == ["created", "error"]
    assert people["OPERATOR"].get(f"/api/v1/ops/{code}").json()["order_row"]["quantity"] == 3
    assert people["OPERATOR"].post("/api/v1/ops/import", json=said).status_code == 403
    known = people["OPERATOR"].get("/api/v1/routings", params={"search": plant}).json()
    assert [item["sku"] for item in known["items"]] == [plant]


def test_a_hundred_requests_a_minute_per_address(stack: Stack) -> None:
    settings = ApiSettings(supabase_url=stack.url, supabase_secret_key=stack.secret_key)
    assert settings.rate_per_minute == 100, "by default"
    asyncio.run(_ask_too_often(create_app(settings)))


async def _ask_too_often(app: FastAPI) -> None:
    ours = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=ours, base_url="http://takt.test") as http:
        statuses = [(await http.get("/api/v1/ops")).status_code for _ in range(100)]
        assert set(statuses) == {401}, "nobody is signed in, and none was too many"
        refused = await http.get("/api/v1/ops/P-1")
        assert (refused.status_code, refused.json()["code"]) == (429, "request.too_many")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await http.post("/scans", json={})).status_code == 429
        assert (await http.get("/auth/me")).status_code == 401, "machines poll the old routes"
    theirs = httpx.ASGITransport(app, client=("127.0.0.2", 1))
    async with httpx.AsyncClient(transport=theirs, base_url="http://takt.test") as http:
        assert (await http.get("/api/v1/ops")).status_code == 401, "another address"


def test_a_signed_in_station_is_not_starved_by_its_neighbours(stack: Stack) -> None:
    settings = ApiSettings(
        supabase_url=stack.url,
        supabase_publishable_key=stack.publishable_key,
        supabase_secret_key=stack.secret_key,
        rate_per_minute=6,
    )
    signed_in = [token(stack, "operator") for _ in range(2)]
    asyncio.run(_ask_beside_others(create_app(settings), *signed_in))


async def _ask_beside_others(app: FastAPI, station: str, neighbour: str) -> None:
    """Everybody sits behind one address."""
    one = httpx.ASGITransport(app, client=("127.0.0.3", 1))
    async with httpx.AsyncClient(transport=one, base_url="http://takt.test") as http:

        async def ask(bearer: str | None, times: int = 1) -> list[int]:
            headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
            return [
                (await http.get("/api/v1/me", headers=headers)).status_code for _ in range(times)
            ]

        assert await ask(neighbour, 7) == [200] * 6 + [429], "so many for each person"
        assert await ask(station, 1) == [200], "and the neighbour took none of ours"
        forged = jwt.encode(jwt.decode(station, options={"verify_signature": False}), "x" * 32)
        assert await ask(forged, 3) == [401] * 3, "a name that is not proven"
        assert await ask(None, 4) == [401] * 3 + [429], "counts for the address, as strangers do"
        assert await ask(forged) == [429]
        assert await ask(station, 6) == [200] * 5 + [429], "and costs whom it names nothing"
