"""Enrolment and a device's own sign-in, over the real Auth service."""

from __future__ import annotations

import asyncio
import itertools
import stat
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from services.api.app import create_app
from services.api.settings import ApiSettings
from takt import device
from takt.daemon import Run
from takt.daemon import heartbeat as heartbeat_task
from takt.device import Credentials, DeviceSession
from takt.errors import RpcError
from takt.limits import TokenBucket
from takt.rpc import RpcClient
from takt.settings import ConfigError
from tests.services.stack import Stack
from tests.takt.processes import wait_for


def announce(stack: Stack, code: str) -> str:
    with stack.rpc() as rpc:
        made = rpc.call("create_device", p_code=code, p_kind="kiosk", p_name=code, p_site="main")
    return str(made["enrolment_code"])


def new_code() -> str:
    return f"kiosk-{uuid.uuid4().hex[:8]}"


def device_users(db: psycopg.Connection) -> int:
    row = db.execute("select count(*) from auth.users where email like '%@devices.invalid'")
    return int((row.fetchone() or (0,))[0])


async def heartbeat(session: DeviceSession, credentials: Credentials) -> Any:
    url, key = credentials.supabase_url, credentials.publishable_key
    async with RpcClient(url, key, session) as rpc:
        return await rpc.call("device_heartbeat", safe=True, p_version="1.2")


def signed_in(
    credentials: Credentials, use: Callable[[DeviceSession], Coroutine[Any, Any, Any]]
) -> Any:
    """Run `use` with a session, and close it."""

    async def run() -> Any:
        session = DeviceSession(credentials, spread_seconds=0.01)
        try:
            return await use(session)
        finally:
            await session.close()

    return asyncio.run(run())


def once(credentials: Credentials) -> Any:
    return signed_in(credentials, lambda session: heartbeat(session, credentials))


def test_a_code_becomes_a_sign_in_that_works(stack: Stack, tmp_path: Path) -> None:
    code = new_code()
    credentials = asyncio.run(device.enroll(stack.url, announce(stack, code)))
    file = tmp_path / "device.json"
    credentials.write(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert credentials.password not in repr(credentials)
    seen = once(Credentials.read(file))
    assert (seen["code"], seen["version"]) == (code, "1.2")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        Credentials.read(file)


def test_the_heartbeat_goes_on_until_the_stop(stack: Stack, db: psycopg.Connection) -> None:
    code = new_code()
    credentials = asyncio.run(device.enroll(stack.url, announce(stack, code)))
    seen: set[Any] = set()

    def twice() -> bool:
        query = "select last_seen_at, status ->> 'beat' from public.devices where code = %s"
        seen.add(db.execute(query, (code,)).fetchone())
        return len(seen - {(None, None)}) >= 2

    async def use(session: DeviceSession) -> None:
        url, key = credentials.supabase_url, credentials.publishable_key
        beats = itertools.count(1)
        async with RpcClient(url, key, session) as rpc:
            beat = heartbeat_task(rpc, "1", lambda: {"beat": next(beats)}, every=0.1)
            task = asyncio.create_task(beat(Run()))
            await asyncio.to_thread(wait_for, twice, "two heartbeats")
            task.cancel()

    signed_in(credentials, use)


def test_a_code_works_once_and_a_refusal_leaves_no_user(
    stack: Stack, db: psycopg.Connection
) -> None:
    enrolment = announce(stack, new_code())
    asyncio.run(device.enroll(stack.url, enrolment))
    before = device_users(db)
    with pytest.raises(RpcError) as caught:
        asyncio.run(device.enroll(stack.url, enrolment))
    assert (caught.value.status, caught.value.code) == (404, "device.bad_code")
    assert device_users(db) == before


def test_revoking_works_at_the_next_call(stack: Stack) -> None:
    code = new_code()
    credentials = asyncio.run(device.enroll(stack.url, announce(stack, code)))

    async def use(session: DeviceSession) -> None:
        await heartbeat(session, credentials)
        with stack.connect() as connection:
            connection.execute(
                "update public.devices set revoked_at = now() where code = %s", (code,)
            )
        await heartbeat(session, credentials)

    with pytest.raises(RpcError) as caught:
        signed_in(credentials, use)
    assert caught.value.status == 403


def test_a_session_is_renewed_and_falls_back_to_the_password(stack: Stack) -> None:
    credentials = asyncio.run(device.enroll(stack.url, announce(stack, new_code())))

    async def use(session: DeviceSession) -> None:
        assert await session() == await session()
        first = session._session
        assert first is not None
        first.expires_at = 0
        await session()
        second = session._session
        assert second is not None
        assert second.refresh_token != first.refresh_token
        second.expires_at = 0
        second.refresh_token = "used-up"
        await heartbeat(session, credentials)

    signed_in(credentials, use)


def test_a_wrong_password_is_refused_and_an_absent_auth_is_temporary(stack: Stack) -> None:
    wrong = Credentials(stack.url, stack.publishable_key, "dev-x@devices.invalid", "no", "x")
    with pytest.raises(RpcError) as caught:
        once(wrong)
    assert (caught.value.code, caught.value.temporary) == ("auth.refused", False)
    away = Credentials("http://127.0.0.1:9", "k", "dev-x@devices.invalid", "no", "x")
    with pytest.raises(RpcError) as caught:
        signed_in(away, lambda session: session())
    assert caught.value.temporary


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"code": ""}', b'{"code": 7}', b"\xff"])
def test_a_malformed_request_creates_nothing(
    stack: Stack, db: psycopg.Connection, body: bytes
) -> None:
    before = device_users(db)
    answer = httpx.post(f"{stack.api}/api/devices/enroll", content=body)
    assert answer.status_code == 400
    assert device_users(db) == before


def test_guessing_is_slowed_down_per_address(stack: Stack) -> None:
    app = create_app(
        ApiSettings(supabase_url=stack.url, supabase_secret_key=stack.secret_key, enroll_burst=3)
    )

    async def guess(address: str, times: int) -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            body = {"code": "XXXX-XXXX-XXXX-XXXX"}
            return [await http.post("/api/devices/enroll", json=body) for _ in range(times)]

    async def guess_from_two() -> tuple[list[httpx.Response], list[httpx.Response]]:
        async with app.router.lifespan_context(app):
            return await guess("203.0.113.7", 5), await guess("203.0.113.8", 1)

    many, other = asyncio.run(guess_from_two())
    assert [answer.status_code for answer in many] == [404] * 3 + [429] * 2
    assert int(many[3].headers["retry-after"]) >= 1
    assert other[0].status_code == 404


def test_a_bucket_refills_and_forgets() -> None:
    now = [0.0]
    bucket = TokenBucket(2, per_minute=60, clock=lambda: now[0])
    assert [bucket.take("a"), bucket.take("a")] == [0, 0]
    assert bucket.take("a") == pytest.approx(1)
    assert bucket.take("b") == 0
    now[0] = 1.0
    assert bucket.take("a") == 0
    for n in range(20_000):
        bucket.take(str(n))
    assert len(bucket._buckets) <= 10_000
