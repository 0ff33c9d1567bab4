"""The gateway: keys, refusals, streams, headers."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import httpx
import jwt
import psycopg
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from services.local.processes import wait_until
from services.local.settings import Settings
from tests.local.support import Stack

WHO = """
  create or replace function public.test_who(p_text text default '') returns jsonb
  language sql stable set search_path = '' as $$
    select jsonb_build_object('role', auth.role(), 'uid', auth.uid(), 'length', length(p_text),
      'headers', current_setting('request.headers', true)::jsonb)
  $$;
  grant execute on function public.test_who(text) to anon, authenticated, service_role;
"""


@pytest.fixture
def who(facts: dict[str, Any]) -> str:
    """Address of a function that tells who calls; made without a word to PostgREST."""
    with psycopg.connect(facts["db_url"], autocommit=True) as connection:
        connection.execute(WHO)
    url = f"{facts['api_url']}/rest/v1/rpc/test_who"
    key = {"apikey": facts["publishable_key"]}
    # The event trigger makes PostgREST read the catalog again.
    assert wait_until(lambda: httpx.post(url, headers=key, json={}).status_code == 200, 10, 0.05)
    return url


def test_keys_become_roles(who: str, facts: dict[str, Any], settings: Settings) -> None:
    publishable, secret = facts["publishable_key"], facts["secret_key"]
    cases = [
        ({"apikey": publishable}, "anon"),
        ({"apikey": publishable, "authorization": f"Bearer {publishable}"}, "anon"),
        ({"authorization": f"Bearer {secret}"}, "service_role"),
        ({"apikey": secret, "authorization": f"Bearer {secret}"}, "service_role"),
    ]
    for headers, role in cases:
        answer = httpx.post(who, headers=headers, json={}).json()
        assert answer["role"] == role
        assert "apikey" not in answer["headers"]
    user = {"sub": "7f2c1c9e-4d6e-4e6f-9d43-0d3f7a3b1b11", "role": "authenticated"}
    token = jwt.encode(user, settings.secrets.jwt_secret, algorithm="HS256")
    headers = {"apikey": publishable, "authorization": f"Bearer {token}"}
    assert httpx.post(who, headers=headers, json={}).json()["uid"] == user["sub"]


def test_a_key_in_the_address_is_no_filter(who: str, facts: dict[str, Any]) -> None:
    answer = httpx.get(who, params={"apikey": facts["publishable_key"], "p_text": "abc"})
    assert answer.json()["length"] == 3


@pytest.mark.parametrize("path", ["/rest/v1/", "/auth/v1/user", "/storage/v1/bucket"])
def test_keyless_and_wrong_keys_are_refused(facts: dict[str, Any], path: str) -> None:
    url = facts["api_url"] + path
    forged = jwt.encode({"role": "service_role"}, "x" * 40, algorithm="HS256")
    for headers in (
        {},
        {"apikey": "sb_publishable_wrong"},
        {"authorization": "Bearer sb_secret_wrong"},
        {"apikey": forged},
        {"authorization": f"Bearer {forged}"},
    ):
        answer = httpx.get(url, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["hint"]


def test_a_browser_may_not_use_the_secret_key(facts: dict[str, Any]) -> None:
    headers = {"apikey": facts["secret_key"], "user-agent": "Mozilla/5.0 (X11; Linux x86_64)"}
    assert httpx.get(f"{facts['api_url']}/rest/v1/", headers=headers).status_code == 401


@pytest.mark.parametrize("body", [b'[{"p_text":"a"}]', b" \n\t [1]", b"[]"])
def test_arrays_are_refused_on_rpc(who: str, facts: dict[str, Any], body: bytes) -> None:
    headers = {"apikey": facts["publishable_key"], "content-type": "application/json"}
    answer = httpx.post(who, headers=headers, content=body)
    assert answer.status_code == 400
    assert "array" in answer.json()["message"]


def test_a_large_body_in_pieces_arrives_whole(who: str, facts: dict[str, Any]) -> None:
    pieces = [b'  {"p_text": "', *([b"x" * 65_536] * 32), b'"}']
    headers = {"apikey": facts["publishable_key"], "content-type": "application/json"}
    answer = httpx.post(who, headers=headers, content=iter(pieces))
    assert answer.json()["length"] == 32 * 65_536


def test_forwarded_headers_are_ours_alone(who: str, facts: dict[str, Any]) -> None:
    headers = {
        "apikey": facts["publishable_key"],
        "x-forwarded-for": "6.6.6.6",
        "connection": "x-private",
        "x-private": "1",
    }
    seen = httpx.post(who, headers=headers, json={}).json()["headers"]
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert "x-private" not in seen


def test_security_and_cors_headers(facts: dict[str, Any]) -> None:
    url, key = f"{facts['api_url']}/rest/v1/", facts["publishable_key"]
    near = httpx.get(url, headers={"apikey": key, "origin": "http://localhost:5173"})
    assert near.headers["x-content-type-options"] == "nosniff"
    assert near.headers["access-control-allow-origin"] == "http://localhost:5173"
    far = httpx.get(url, headers={"apikey": key, "origin": "https://evil.example"})
    assert "access-control-allow-origin" not in far.headers


def test_a_service_that_is_down_is_named(stack: Stack, facts: dict[str, Any]) -> None:
    """A stopped lite keeps its port closed only until it is restarted; 503 or the answer."""
    url = f"{facts['api_url']}/auth/v1/settings"
    headers = {"apikey": facts["publishable_key"]}
    pid = stack.service("lite")["pid"]
    os.kill(pid, signal.SIGKILL)
    seen: list[httpx.Response] = []

    def refused() -> bool:
        seen.append(httpx.get(url, headers=headers))
        return seen[-1].status_code == 503

    assert wait_until(refused, 5, 0.01)
    assert seen[-1].json()["service"] == "lite"
    assert wait_until(lambda: httpx.get(url, headers=headers).status_code == 200, 30, 0.1)
    # Restarted lite has put its own auth functions back; the supervisor repairs them.
    with psycopg.connect(facts["db_url"]) as connection:

        def repaired() -> bool:
            found = connection.execute(
                "select prosrc like '%%request.jwt.claims%%' from pg_proc"
                " where oid = 'auth.uid()'::regprocedure"
            )
            return found.fetchone() == (True,)

        assert wait_until(repaired, 20, 0.1)


def test_realtime_answers_behind_the_gateway(facts: dict[str, Any]) -> None:
    base = facts["api_url"].replace("http", "ws") + "/realtime/v1/websocket?apikey="
    beat = {"topic": "phoenix", "event": "heartbeat", "payload": {}, "ref": "1"}
    with connect(base + facts["publishable_key"]) as socket:
        socket.send(json.dumps(beat))
        reply = json.loads(socket.recv(timeout=5))
    assert (reply["event"], reply["ref"]) == ("phx_reply", "1")
    with pytest.raises(InvalidStatus, match="401"):
        connect(base + "sb_publishable_wrong").close()
