"""The REST routes, with a person's own token, against the real RPCs."""

from __future__ import annotations

import asyncio
import signal
import uuid
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from services.api.app import create_app
from services.api.routes import ROUTES
from services.api.settings import ApiSettings
from tests.services.stack import Stack
from tests.services.test_commands import add, email, sign_in
from tests.takt.processes import python, read_until


def token(stack: Stack, role: str) -> str:
    who = email()
    add(stack, who, role, "pass-word-1")
    return str(sign_in(stack, who, "pass-word-1").json()["access_token"])


@pytest.fixture(scope="module")
def operator(stack: Stack) -> httpx.Client:
    return client(stack, token(stack, "operator"))


def client(stack: Stack, bearer: str) -> httpx.Client:
    headers = {"authorization": f"Bearer {bearer}", "apikey": stack.publishable_key}
    return httpx.Client(base_url=stack.url, headers=headers)


@pytest.fixture
def ticket(stack: Stack, db: psycopg.Connection) -> str:
    number = str(uuid.uuid4().int % 10**9)
    row = db.execute(
        "insert into public.orders (id, store, source, order_number, product_title)"
        " values ('bannos-' || %s, 'bannos', 'manual', %s, 'Confetti cake') returning id",
        (number, number),
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_a_ticket_goes_through_a_stage(operator: httpx.Client, ticket: str) -> None:
    assert operator.get("/api/v1/me").json()["role"] == "operator"
    queue = operator.get("/api/v1/queue", params={"store": "bannos", "limit": 200}).json()
    assert ticket in {order["id"] for order in queue["orders"]}
    printed = operator.post(f"/api/v1/orders/{ticket}/print-barcode", json={"station": "S1"})
    assert (printed.status_code, printed.json()["changed"]) == (200, True)
    key = {"idempotency-key": str(uuid.uuid4())}
    answers = [
        operator.post(f"/api/v1/orders/{ticket}/complete-filling", headers=key) for _ in range(2)
    ]
    assert [a.status_code for a in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["order_row"]["stage"] == "Covering"
    scanned = operator.post("/api/v1/scans", json={"code": ticket, "station": "S2"})
    assert (scanned.status_code, scanned.json()["action"]) == (200, "started")
    assert operator.get(f"/api/v1/orders/{ticket}/timeline").status_code == 200


def test_a_refusal_keeps_its_status_code_and_facts(operator: httpx.Client, ticket: str) -> None:
    early = operator.post(f"/api/v1/orders/{ticket}/complete-packing")
    assert early.status_code in (409, 422)
    assert early.json()["code"].startswith("order.")
    assert early.json()["sqlstate"] == f"PT{early.status_code}"
    unknown = operator.post("/api/v1/scans", json={"code": "bannos-0-nothing"})
    assert unknown.status_code == 404
    assert unknown.json()["ok"] is False  # the scan's own answer, which left an event
    assert "." in unknown.json()["code"]


def test_rights_are_the_callers_own(stack: Stack, ticket: str) -> None:
    with client(stack, token(stack, "viewer")) as viewer:
        assert viewer.get("/api/v1/queue").status_code == 200
        refused = viewer.post(f"/api/v1/orders/{ticket}/complete-filling")
    assert (refused.status_code, refused.json()["code"]) == (403, "auth.forbidden")
    assert httpx.get(f"{stack.url}/api/v1/queue").status_code == 401
    forged = {"authorization": "Bearer eyJhbGciOiJub25lIn0.e30.x"}
    assert httpx.get(f"{stack.api}/api/v1/queue", headers=forged).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("POST", "/api/v1/scans", b"not json"),
        ("POST", "/api/v1/scans", b"[1]"),
        ("POST", "/api/v1/scans", b"{}"),
        ("POST", "/api/v1/scans", b'{"code": "x", "actor_id": "me"}'),
        ("GET", "/api/v1/queue?p_actor=me", b""),
    ],
)
def test_what_does_not_fit_is_400_and_says_where(
    operator: httpx.Client, method: str, path: str, content: bytes
) -> None:
    answer = operator.request(method, path, content=content)
    assert (answer.status_code, answer.json()["code"]) == (400, "request.malformed")


def test_every_route_calls_an_rpc_with_arguments_it_has(db: psycopg.Connection) -> None:
    for route in ROUTES:
        names = [n for n in route.written.replace("}", "{").split("{")[1::2]]
        wanted = {route.argument(n.strip("!*")) for n in (*names, *route.query, *route.body)}
        row = db.execute(
            "select coalesce(proargnames[1:pronargs], '{}') from pg_proc"
            " where pronamespace = 'public'::regnamespace and proname = %s",
            (route.rpc,),
        ).fetchone()
        assert row is not None, route.rpc
        assert wanted <= set(row[0]), route.path


def test_openapi_and_headers(stack: Stack) -> None:
    answer = httpx.get(f"{stack.url}/api/openapi.json")
    spec: dict[str, Any] = answer.json()
    assert spec["openapi"].startswith("3.1")
    assert spec["info"]["title"] == "Takt"
    assert {route.written for route in ROUTES} <= set(spec["paths"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers


def test_metrics_and_probes(stack: Stack, operator: httpx.Client) -> None:
    operator.get("/api/v1/me")
    httpx.get(f"{stack.api}/somewhere/{uuid.uuid4()}")
    text = httpx.get(f"{stack.api}/metrics").text
    assert 'http_request_duration_seconds_count{handler="/api/v1/me",method="GET"' in text
    assert "/somewhere/" not in text  # a stranger cannot make new series
    for path in ("/livez", "/readyz", "/health"):
        assert httpx.get(f"{stack.api}{path}").status_code == 200
    assert "http_request_duration" not in httpx.get(f"{stack.url}/metrics").text


def test_the_queue_can_be_watched(stack: Stack, db: psycopg.Connection) -> None:
    topic = f"test.{uuid.uuid4().hex[:8]}"
    db.execute("select private.enqueue(%s)", (topic,))
    text = httpx.get(f"{stack.api}/metrics").text
    assert f'work_queue_jobs{{status="ready",topic="{topic}"}} 1.0' in text


def test_the_gatekeeper_exits_0_after_a_signal(stack: Stack) -> None:
    env = {**stack.environment(), "TAKT_API_PORT": "0"}
    with python("-m", "services.api", env=env) as child:
        read_until(child, "Uvicorn running")
        child.send_signal(signal.SIGTERM)
        output, _ = child.communicate(timeout=20)
    assert child.returncode == 0, output


@pytest.mark.parametrize("module", ["services.api", "services.worker", "services.simulator"])
def test_a_missing_setting_is_named_and_exits_3(stack: Stack, tmp_path: Path, module: str) -> None:
    env = {**stack.environment(), "SUPABASE_SECRET_KEY": "", "TAKT_HOME": str(tmp_path)}
    del env["SUPABASE_URL"]
    with python("-m", module, env=env) as child:
        output, _ = child.communicate(timeout=20)
    assert (child.returncode, "SUPABASE_URL" in output) == (3, True)


def test_only_listed_origins_may_call_from_a_browser(stack: Stack) -> None:
    origin = "http://board.localhost"
    settings = ApiSettings(
        supabase_url=stack.url, supabase_secret_key=stack.secret_key, cors_origins=[origin]
    )
    asked = {"access-control-request-method": "POST"}

    async def preflight(who: str) -> str | None:
        transport = httpx.ASGITransport(create_app(settings))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            answer = await http.options("/api/v1/scans", headers={**asked, "origin": who})
            return answer.headers.get("access-control-allow-origin")

    assert asyncio.run(preflight(origin)) == origin
    assert asyncio.run(preflight("http://evil.localhost")) is None
