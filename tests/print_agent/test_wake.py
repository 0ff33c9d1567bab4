"""Hints by realtime, against the real server; and what becomes of them when it goes away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator

import pytest

from print_agent.wake import Listener
from takt.daemon import Run
from tests.realtime.conftest import realtime_server, stack  # noqa: F401
from tests.realtime.harness import PUBLISHABLE_KEY, Stack, token, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def say(stack: Stack, event: str, site: str) -> None:  # noqa: F811
    query = "select realtime.send(%s, %s, %s)"
    stack.sql(query, json.dumps({"stream": "print"}), event, f"site:{site}:print")


@contextlib.asynccontextmanager
async def listener(url: str, user: str, sites: set[str]) -> AsyncIterator[list[int]]:
    """A running listener; the list grows with each hint. The first says that it listens."""
    heard: list[int] = []

    async def give_token() -> str:
        return token(user)

    listening = Listener(url, PUBLISHABLE_KEY, give_token, lambda: heard.append(1))
    task = asyncio.create_task(listening.run(Run()))
    listening.listen_to(sites)
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_new_job_wakes_and_other_steps_do_not(stack: Stack) -> None:  # noqa: F811
    site = uuid.uuid4().hex[:8]
    user, _ = stack.allow("listen", topic=f"site:{site}:print")
    async with listener(stack.api_url, user, {site}) as heard:
        await until(lambda: len(heard) == 1, "it listens")
        for event in ("print.claimed", "print.sent", "print.printed", "print.requested"):
            say(stack, event, site)
        await until(lambda: len(heard) == 2, "the hint")
        say(stack, "print.queued", site)
        await until(lambda: len(heard) == 3, "the next hint")


class Relay:
    """A way to the server that can be cut."""

    def __init__(self, url: str) -> None:
        self._to = int(url.rpartition(":")[2])
        self._ways: list[asyncio.StreamWriter] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", self._to)
        self._ways += [writer, forth]
        await asyncio.gather(pump(reader, forth), pump(back, writer))

    def cut(self) -> None:
        for way in self._ways:
            way.transport.abort()
        self._ways.clear()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(4096):
            writer.write(data)
    writer.close()


# The client reads attributes of its own dependency that are on their way out.
@pytest.mark.filterwarnings("ignore:ConnectionClosed.(code|reason) is:DeprecationWarning")
async def test_it_comes_back_after_the_line_was_cut(
    stack: Stack,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("print_agent.wake._CHECK_SECONDS", 0.1)
    site = uuid.uuid4().hex[:8]
    user, _ = stack.allow("listen", topic=f"site:{site}:print")
    relay = Relay(stack.api_url)
    async with await asyncio.start_server(relay, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with listener(url, user, {site}) as heard:
            await until(lambda: len(heard) == 1, "it listens")
            relay.cut()
            await until(lambda: len(heard) == 2, "it listens again, and asks what it missed")
            say(stack, "print.requested", site)
            await until(lambda: len(heard) == 3, "the hint")


async def test_a_client_that_fell_silent_is_replaced(
    stack: Stack,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("print_agent.wake._CHECK_SECONDS", 0.1)
    monkeypatch.setattr("print_agent.wake._FRESH_SECONDS", 0.5)
    user, _ = stack.allow("listen", topic="site:quiet:print")
    async with listener(stack.api_url, user, {"quiet"}) as heard:
        await until(lambda: len(heard) >= 3, "it joined again, and asked what it missed")


async def test_a_site_it_may_not_hear_is_only_logged(
    stack: Stack,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    user, _ = stack.allow()
    async with listener(stack.api_url, user, {"nowhere"}) as heard:
        await until(lambda: "cannot listen to site nowhere" in caplog.text, "it says so")
        assert heard == []
