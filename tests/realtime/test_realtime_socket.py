"""The socket itself, spoken to in plain frames: keys, limits, clients that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import json
from functools import partial
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from services.local.realtime import session
from tests.realtime.harness import (
    PUBLISHABLE_KEY,
    PythonChannel,
    Stack,
    python_client,
    serve,
    subscribe,
    token,
    until,
)

pytestmark = pytest.mark.anyio


def address(stack: Stack, key: str = PUBLISHABLE_KEY, version: str = "2.0.0") -> str:
    base = stack.api_url.replace("http", "ws", 1)
    return f"{base}/realtime/v1/websocket?apikey={key}&vsn={version}"


async def receive(socket: ClientConnection) -> Any:
    async with asyncio.timeout(15):
        return json.loads(await socket.recv())


async def ask(socket: ClientConnection, *frame: Any) -> Any:
    """Send [join_ref, ref, topic, event, payload] and read one frame."""
    await socket.send(json.dumps(frame))
    return await receive(socket)


def private(user: str) -> dict[str, Any]:
    return {"config": {"private": True}, "access_token": token(user)}


@pytest.mark.parametrize(
    ("key", "version", "status"), [("", "2.0.0", 401), ("sb_x", "2.0.0", 401), ("", "3.0.0", 401)]
)
async def test_no_socket_without_a_key(stack: Stack, key: str, version: str, status: int) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await connect(address(stack, key, version))
    assert refused.value.response.status_code == status
    assert "message" in json.loads(refused.value.response.body)


async def test_expired_key_and_unknown_version_are_refused(stack: Stack) -> None:
    for url, status in (
        (address(stack, token("u", seconds=-5)), 401),
        (address(stack, version="9"), 400),
    ):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await connect(url)
        assert refused.value.response.status_code == status


async def test_heartbeats_keep_their_ref(stack: Stack) -> None:
    async with connect(address(stack)) as socket:
        reply = {"status": "ok", "response": {}}
        assert await ask(socket, None, "7", "phoenix", "heartbeat", {}) == [
            *(None, "7", "phoenix", "phx_reply", reply)
        ]
    async with connect(address(stack, version="1.0.0")) as socket:
        beat: dict[str, Any] = {
            "topic": "phoenix",
            "event": "heartbeat",
            "payload": {},
            "ref": None,
        }
        await socket.send(json.dumps(beat))
        assert await receive(socket) == {**beat, "event": "phx_reply", "payload": reply}


async def test_exact_frames_of_join_and_leave(stack: Stack) -> None:
    user, topic = stack.allow("listen", "see")
    name = f"realtime:{topic}"
    async with connect(address(stack)) as socket:
        config = {"private": True, "presence": {"enabled": True}, "postgres_changes": []}
        join = {"config": config, "access_token": token(user)}
        ok = {"status": "ok", "response": {"postgres_changes": []}}
        assert await ask(socket, "1", "1", name, "phx_join", join) == [
            *("1", "1", name, "phx_reply", ok)
        ]
        assert await receive(socket) == ["1", None, name, "presence_state", {}]
        assert await ask(socket, "1", "2", name, "phx_leave", {}) == [
            *("1", "2", name, "phx_reply", {"status": "ok", "response": {}})
        ]
        assert await receive(socket) == ["1", None, name, "phx_close", {}]
        gone = await ask(socket, "1", "3", name, "presence", {"event": "track", "payload": {}})
        assert gone[4] == {"status": "error", "response": {"reason": "unmatched topic"}}


@pytest.mark.parametrize("frame", ["{", "[]", '{"topic":"x"}', b"\x09abc", b"\x03\x05\x00"])
async def test_malformed_frames_end_the_socket(stack: Stack, frame: str | bytes) -> None:
    async with connect(address(stack)) as socket:
        await socket.send(frame)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await receive(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1003


async def test_oversized_frame_ends_the_socket(stack: Stack) -> None:
    async with connect(address(stack)) as socket:
        await socket.send("x" * (session.LONGEST_FRAME + 1))
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await receive(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_idle_socket_is_closed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "IDLE_SECONDS", 0.2)
    async with connect(address(stack)) as socket:
        with pytest.raises(websockets.ConnectionClosedOK):
            await receive(socket)


async def test_too_many_joins_are_slowed_down(stack: Stack) -> None:
    count = session.JOIN_BURST + 60
    async with connect(address(stack)) as socket:
        for n in range(count):
            await socket.send(json.dumps(["1", str(n), "realtime:public", "phx_join", {}]))
        answers = [await receive(socket) for _ in range(count)]
    reasons = {int(a[1]): a[4]["response"]["reason"] for a in answers}
    assert all(reasons[n].startswith("PrivateOnly") for n in range(session.JOIN_BURST))
    assert reasons[count - 1].startswith("ClientJoinRateLimitReached")


async def test_channels_of_a_socket_are_limited(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MOST_CHANNELS", 1)
    user, topic = stack.allow("listen")
    _, other = stack.allow("listen", user=user)
    async with connect(address(stack)) as socket:
        first = await ask(socket, "1", "1", f"realtime:{topic}", "phx_join", private(user))
        second = await ask(socket, "2", "2", f"realtime:{other}", "phx_join", private(user))
    assert first[4]["status"] == "ok"
    assert second[4]["response"]["reason"].startswith("ChannelRateLimitReached")


async def test_13_who_may_no_longer_listen_hears_nothing_more(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token stays valid for an hour; the account does not."""
    monkeypatch.setattr(session, "RECHECK_SECONDS", 0.1)
    user, topic = stack.allow("listen")
    _, kept = stack.allow("listen", user=user)
    async with connect(address(stack)) as socket:
        for number, name in (("1", topic), ("2", kept)):
            joined = await ask(
                socket, number, number, f"realtime:{name}", "phx_join", private(user)
            )
            assert joined[4]["status"] == "ok"
        stack.sql("delete from public.allowed where user_id = %s and topic = %s", user, topic)
        told = await receive(socket)
        assert (told[2], told[3]) == (f"realtime:{topic}", "system")
        assert told[4]["message"].startswith("Unauthorized")
        assert (await receive(socket))[2:4] == [f"realtime:{topic}", "phx_close"]
        stack.send(topic, n=1)
        stack.send(kept, n=2)
        assert (await receive(socket))[2] == f"realtime:{kept}"


def has(channel: PythonChannel, count: int) -> bool:
    return len(channel.messages) == count


async def test_slow_client_is_dropped_and_the_others_go_on(stack: Stack) -> None:
    user, topic = stack.allow("listen")
    batch, batches = 100, 25
    async with (
        python_client(stack, token(user)) as client,
        connect(address(stack), compression=None) as slow,  # or the network would hold it all
    ):
        healthy = await subscribe(client, topic)
        joined = await ask(slow, "1", "1", f"realtime:{topic}", "phx_join", private(user))
        assert joined[4]["status"] == "ok"
        for n in range(1, batches + 1):
            stack.sql(
                "select realtime.send(jsonb_build_object('x', repeat('x', 20000)), 'changed', %s)"
                " from generate_series(1, %s)",
                *(topic, batch),
            )
            sent = n * batch
            await until(partial(has, healthy, sent), f"message {sent}")
        received = 0
        with contextlib.suppress(websockets.ConnectionClosed):
            while await receive(slow):
                received += 1
    assert received < batch * batches


async def test_public_channels_where_they_are_allowed(stack: Stack) -> None:
    with serve(stack.db_url, private_only=False) as api_url:
        public = Stack(stack.db_url, api_url)
        _, topic = stack.allow()
        async with python_client(public) as client:
            channel = await subscribe(client, topic, private=False)
            stack.send(topic, n=1)  # private: not for this room
            stack.sql("select realtime.send('{\"n\": 2}', 'changed', %s, false)", topic)
            await until(lambda: channel.payloads, "the public message")
            assert channel.payloads == [{"n": 2}]
