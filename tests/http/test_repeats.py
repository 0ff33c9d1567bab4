"""200 parallel twins of one command through gateway and PostgREST: one effect, equal answers."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

TWINS = 200


def _token(demo: dict[str, Any], role: str) -> str:
    account = next(s for s in demo["demo_sign_ins"] if s["role"] == role)
    answer = httpx.post(
        f"{demo['api_url']}/auth/v1/token?grant_type=password",
        json={k: account[k] for k in ("email", "password")},
        headers={"apikey": demo["publishable_key"]},
        timeout=30,
    )
    return str(answer.raise_for_status().json()["access_token"])


async def _all(
    demo: dict[str, Any], role: str, rpc: str, bodies: list[dict[str, Any]]
) -> list[httpx.Response]:
    headers = {
        "apikey": demo["publishable_key"],
        "authorization": f"Bearer {_token(demo, role)}",
    }
    limits = httpx.Limits(max_connections=TWINS)
    async with httpx.AsyncClient(
        base_url=demo["api_url"], headers=headers, timeout=60, limits=limits
    ) as client:
        return await asyncio.gather(
            *(client.post(f"/rest/v1/rpc/{rpc}", json=body) for body in bodies)
        )


@pytest.fixture(scope="module")
def order(demo: dict[str, Any]) -> str:
    made = asyncio.run(
        _all(demo, "planner", "create_manual_order",
             [{"p_store": "bannos", "p_product_title": "Twin Cake"}])
    )  # fmt: skip
    return str(made[0].json()[0]["id"])


def test_200_parallel_twins_have_one_effect_and_equal_answers(
    demo: dict[str, Any], order: str
) -> None:
    body = {"p_code": order, "p_station": "bench", "p_request_id": str(uuid4())}
    answers = asyncio.run(_all(demo, "operator", "scan", [body] * TWINS))
    assert {a.status_code for a in answers} == {200}
    assert len({a.text for a in answers}) == 1
    timeline = asyncio.run(_all(demo, "viewer", "get_order_timeline", [{"p_order_id": order}]))
    started = [e for e in timeline[0].json() if e["event"] == "filling.started"]
    assert len(started) == 1
    other = asyncio.run(_all(demo, "operator", "scan", [{**body, "p_station": "another"}]))[0]
    assert (other.status_code, other.json()["code"]) == (422, "PT422")
    assert other.json()["hint"] == "request.reused"
