"""Hints by realtime that there may be a job. Polling is the base: a hint lost is a second lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from realtime import AsyncRealtimeClient, RealtimeChannelOptions, RealtimeSubscribeStates

from print_agent.clock import Deadline, now
from takt.backoff import full_jitter
from takt.daemon import Run

log = logging.getLogger(__name__)

# Of everything that happens to jobs, these mean work for an agent.
_WORK = ("print.requested", "print.queued", "print.released", "print.resumed")
_FRESH_SECONDS = 300.0
_CHECK_SECONDS = 15.0
_PRIVATE: RealtimeChannelOptions = {
    "config": {
        "broadcast": {"ack": False, "self": False},
        "presence": {"key": "", "enabled": False},
        "private": True,
    }
}


class Listener:
    """Listens on `site:<code>:print` of every site; `heard` is called for each hint."""

    def __init__(
        self, url: str, key: str, token: Callable[[], Awaitable[str]], heard: Callable[[], None]
    ) -> None:
        self._url = f"{url.rstrip('/')}/realtime/v1"
        self._key = key
        self._token = token
        self._heard = heard
        self._sites: set[str] = set()
        self._changed = asyncio.Event()

    def listen_to(self, sites: set[str]) -> None:
        """From now on to these sites."""
        if sites != self._sites:
            self._sites = sites
            self._changed.set()

    async def run(self, _: Run) -> None:
        """A side task: never ends by itself, and its failures are only logged."""
        failures = 0
        while True:
            self._changed.clear()
            if self._sites:
                try:
                    await self._listen()
                    failures = 0
                    continue
                except Exception as error:
                    # Whatever the client throws: without hints the agent still polls.
                    failures += 1
                    log.warning(str(error) or type(error).__name__, extra={"action": "wake.lost"})
                await asyncio.sleep(1 + full_jitter(failures, 1))
            else:
                await self._changed.wait()

    async def _listen(self) -> None:
        """Until the sites change or the connection is lost, but only for some minutes: the token
        ends, and the client is known to fall silent without an error."""
        client = AsyncRealtimeClient(self._url, self._key, auto_reconnect=False)
        try:
            await client.connect()
            await client.set_auth(await self._token())
            joined = [await self._join(client, site) for site in sorted(self._sites)]
            log.info("listening", extra={"action": "wake.listening", "sites": sorted(self._sites)})
            self._heard()  # what happened before we listened
            fresh = Deadline(now() + _FRESH_SECONDS)
            while not fresh.passed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _CHECK_SECONDS)
                    return
                if not client.is_connected or not all(channel.is_joined for channel in joined):
                    raise ConnectionError("the connection was lost")
        finally:
            await client.close()

    async def _join(self, client: AsyncRealtimeClient, site: str) -> Any:
        told: list[tuple[RealtimeSubscribeStates, Exception | None]] = []
        channel = client.channel(f"site:{site}:print", _PRIVATE)
        channel.on_broadcast("*", self._on_message)
        await channel.subscribe(lambda status, error: told.append((status, error)))
        if not told or told[0][0] is not RealtimeSubscribeStates.SUBSCRIBED:
            why = told[0][1] if told else "no answer"
            raise ConnectionError(f"cannot listen to site {site}: {why}")
        return channel

    def _on_message(self, message: Any) -> None:
        event = message.get("event") if isinstance(message, dict) else None
        if event is None or event in _WORK:
            self._heard()
