"""The gateway's guard alone: slow senders and floods, from addresses that no test may have."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from services.local.gateway import guard
from services.local.gateway.guard import Guard

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Service:
    """Reads the whole body, then answers 200 once it may."""

    def __init__(self) -> None:
        self.called = 0
        self.bodies: list[bytes] = []
        self.may_answer = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.called += 1
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.bodies.append(body)
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Sender:
    """One request whose body comes piece by piece; `status` is None until the answer."""

    def __init__(self, app: Guard, address: str = "203.0.113.7", path: str = "/rest/v1/x") -> None:
        self.pieces: asyncio.Queue[Message] = asyncio.Queue()
        self.status: int | None = None
        self.headers: dict[bytes, bytes] = {}
        raw = path.encode()
        self._scope: Scope = {
            **{"type": "http", "method": "POST", "path": path, "raw_path": raw},
            **{"query_string": b"", "headers": [], "client": (address, 1), "scheme": "http"},
        }
        self.done = asyncio.create_task(self._run(app))

    async def _run(self, app: Guard) -> None:
        await app(self._scope, self.pieces.get, self._hear)

    async def _hear(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])

    def give(self, body: bytes, *, more: bool = False) -> None:
        self.pieces.put_nowait({"type": "http.request", "body": body, "more_body": more})


async def turn() -> None:
    """Let every task that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_9_a_sender_who_stops_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "CHUNK_SECONDS", 0.05)
    service = Service()
    small, large = Sender(Guard(service)), Sender(Guard(service))
    small.give(b"{", more=True)
    large.give(b"x" * (guard.SMALL + 1), more=True)
    await asyncio.wait_for(asyncio.gather(small.done, large.done), 5)
    for sender in (small, large):
        assert (sender.status, sender.headers[b"connection"]) == (408, b"close")
    assert service.called == 1  # the large one: what comes slowly and small never got so far


async def test_9_a_small_body_is_whole_before_a_service_hears_of_it() -> None:
    service = Service()
    service.may_answer.set()
    sender = Sender(Guard(service))
    sender.give(b'{"a":', more=True)
    await turn()
    assert service.called == 0
    sender.give(b"1}")
    await asyncio.wait_for(sender.done, 5)
    assert (sender.status, service.bodies) == (200, [b'{"a":1}'])


async def test_8_a_body_of_unknown_length_is_counted() -> None:
    service = Service()
    sender = Sender(Guard(service), path="/auth/v1/token")
    for _ in range(3):
        sender.give(b"x" * 30_000, more=True)
    await asyncio.wait_for(sender.done, 5)
    assert (sender.status, service.called) == (413, 0)


async def test_8_one_address_cannot_take_every_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MOST_AT_ONCE", 3)
    service = Service()
    app = Guard(service)

    def start(address: str) -> Sender:
        sender = Sender(app, address)
        sender.give(b"{}")
        return sender

    waiting: list[Any] = [start("203.0.113.7") for _ in range(3)]
    await turn()
    refused = start("203.0.113.7")
    await asyncio.wait_for(refused.done, 5)
    assert (refused.status, refused.headers[b"retry-after"]) == (429, b"1")
    # Others, and our own services on this computer, are not counted with it.
    waiting += [start("203.0.113.8"), *(start("127.0.0.1") for _ in range(5))]
    await turn()
    service.may_answer.set()
    await asyncio.wait_for(asyncio.gather(*(sender.done for sender in waiting)), 5)
    assert {sender.status for sender in waiting} == {200}
    later = start("203.0.113.7")
    await asyncio.wait_for(later.done, 5)
    assert later.status == 200
