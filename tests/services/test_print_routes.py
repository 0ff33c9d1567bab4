"""The old routes of print jobs, for people and for agents, with the fence."""

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

EVIDENCE = {
    "odometer": 100,
    "boot_id": "boot-1",
    "uptime_s": 1000,
    "formats": 0,
    "remaining": 0,
    "partial": False,
    "faults": [],
    "idle": True,
    "dpi": 203,
}
Row = dict[str, Any]


@pytest.fixture(scope="module")
def operator(stack: Stack) -> Iterator[httpx.Client]:
    with client(stack, token(stack, "operator")) as http:
        yield http


@pytest.fixture(scope="module")
def agent(stack: Stack) -> Iterator[httpx.Client]:
    """A print agent that owns the printer of items."""
    code = f"agent-{uuid.uuid4().hex[:6]}"
    names = {"p_code": code, "p_name": code, "p_site": "main"}
    with stack.rpc() as rpc:
        made = rpc.call("create_device", p_kind="print_agent", **names)
        who = asyncio.run(device.enroll(stack.url, made["enrolment_code"]))
        place = {"p_language": "zpl", "p_address": "127.0.0.1:9100", "p_device": code}
        rpc.call("upsert_printer", **names, **place, p_dpi=203)
        rpc.call("set_print_routes", p_site="main", p_label_type="item", p_printers=[code])
    signed_in = httpx.post(
        f"{stack.url}/auth/v1/token?grant_type=password",
        json={"email": who.email, "password": who.password},
        headers={"apikey": stack.publishable_key},
    )
    with client(stack, signed_in.json()["access_token"]) as http:
        report = {"p_version": "1", "p_printers": [{"code": code, "status": "idle"}]}
        assert http.post("/rest/v1/rpc/agent_heartbeat", json=report).status_code == 200
        yield http


@pytest.fixture
def claimed(operator: httpx.Client, agent: httpx.Client) -> Row:
    """A label on its way to the printer."""
    job_id = request(operator).json()["job"]["id"]
    claim = take(agent)
    assert claim["job_id"] == job_id
    return claim


def request(operator: httpx.Client, subject: str | None = None, **more: Any) -> httpx.Response:
    name = subject or f"IT-{uuid.uuid4().hex[:6].upper()}"
    body = {"label_type": "item", "subject": name, "data": {"code": name, "name": "Flour"}}
    return operator.post("/print-jobs", json={**body, **more})


def take(agent: httpx.Client, nonce: str | None = None) -> Row:
    answer = agent.get("/print-jobs/next", params={"nonce": nonce or str(uuid.uuid4())})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def begin(agent: httpx.Client, claim: Row) -> None:
    who = {"p_job_id": claim["job_id"], "p_fence": claim["fence"]}
    begun = agent.post("/rest/v1/rpc/begin_send", json={**who, "p_evidence": EVIDENCE})
    assert begun.status_code == 200, begun.text


def test_a_label_is_asked_for_once(operator: httpx.Client, agent: httpx.Client) -> None:
    key = {"request_id": str(uuid.uuid4())}
    first = request(operator, "IT-ONCE", **key)
    assert (first.status_code, first.json()["changed"]) == (200, True)
    assert request(operator, "IT-ONCE", **key).json() == first.json()
    assert request(operator, "IT-ONCE").json()["changed"] is False
    other = request(operator, "IT-ONCE", data={"code": "IT-ONCE", "name": "Sugar"})
    assert (other.status_code, other.json()["code"]) == (409, "print.other_data")
    claim = take(agent)
    path = f"/print-jobs/{claim['job_id']}/fail"
    agent.post(path, json={"fence": claim["fence"], "reason": "not wanted"})


def test_the_same_nonce_is_the_same_job_and_none_is_no_job(
    operator: httpx.Client, agent: httpx.Client
) -> None:
    request(operator)
    nonce = str(uuid.uuid4())
    claim = take(agent, nonce)
    assert claim["payload"].startswith("^XA")
    again = take(agent, nonce)
    for name in ("job_id", "fence", "payload_sha256"):
        assert again[name] == claim[name]
    assert take(agent)["job_id"] is None
    missing = agent.get("/print-jobs/next")
    assert (missing.status_code, missing.json()["code"]) == (400, "request.malformed")
    path = f"/print-jobs/{claim['job_id']}/fail"
    agent.post(path, json={"fence": claim["fence"], "reason": "not wanted"})


def test_done_is_decided_by_the_counter_and_may_be_repeated(
    agent: httpx.Client, claimed: Row
) -> None:
    begin(agent, claimed)
    path, after = f"/print-jobs/{claimed['job_id']}/done", {**EVIDENCE, "odometer": 101}
    body = {"fence": claimed["fence"], "evidence": after}
    done = agent.post(path, json=body)
    assert (done.status_code, done.json()["state"]) == (200, "printed")
    again = agent.post(path, json=body)
    assert (again.status_code, again.json()["state"], again.json()["changed"]) == (
        200,
        "printed",
        False,
    )


def test_fail_needs_the_fence_and_a_reason(agent: httpx.Client, claimed: Row) -> None:
    path, fence = f"/print-jobs/{claimed['job_id']}/fail", claimed["fence"]
    for body in ({"reason": "damaged"}, {"fence": fence}):
        assert agent.post(path, json=body).status_code == 400
    stale = agent.post(path, json={"fence": fence + 1, "reason": "damaged"})
    assert (stale.status_code, stale.json()["code"]) == (409, "print.stale_fence")
    failed = agent.post(path, json={"fence": fence, "reason": "damaged"})
    assert (failed.status_code, failed.json()["state"]) == (200, "failed")
    again = agent.post(path, json={"fence": fence, "reason": "damaged"})
    assert (again.status_code, again.json()["changed"]) == (200, False)


def test_done_with_a_wrong_fence_or_for_an_unknown_job_is_refused(
    agent: httpx.Client, operator: httpx.Client, claimed: Row
) -> None:
    begin(agent, claimed)
    body = {"fence": claimed["fence"], "evidence": {**EVIDENCE, "odometer": 101}}
    path = f"/print-jobs/{claimed['job_id']}/done"
    stale = agent.post(path, json={**body, "fence": claimed["fence"] + 1})
    assert (stale.status_code, stale.json()["code"]) == (409, "print.stale_fence")
    nobody = agent.post("/print-jobs/999999999/done", json=body)
    assert (nobody.status_code, nobody.json()["code"]) == (404, "print.no_job")
    person = operator.post(path, json=body)
    assert (person.status_code, person.json()["code"]) == (403, "auth.forbidden")
    assert agent.post(path, json=body).json()["state"] == "printed"
