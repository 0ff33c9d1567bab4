"""From the network thread of one printer to the event loop, within bounds."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from dataclasses import dataclass

from bambu_bridge.run import Instant

_MOST = 500
_MOST_BYTES = 16_000_000


@dataclass(frozen=True)
class Heard:
    """A message, or news of the connection: `raw` is None when it was made or lost (or when
    messages had to be dropped), so that nothing counts until the next full report."""

    at: Instant
    raw: bytes | None = None


class Inbox:
    """`put` may be called by any thread and never blocks; `take` by the loop that made it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._items: deque[Heard] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self.dropped = 0

    def put(self, item: Heard) -> None:
        size = len(item.raw or b"")
        with self._lock:
            if len(self._items) >= _MOST or self._bytes + size > _MOST_BYTES:
                # Some are lost, so the rest is no story any more: all go, and a full report comes.
                self.dropped += len(self._items)
                self._items.clear()
                self._bytes = 0
                item = Heard(item.at)
            self._items.append(item)
            self._bytes += len(item.raw or b"")
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._news.set)

    async def take(self, seconds: float) -> list[Heard]:
        """Everything that is there; waits for the first, but not longer than `seconds`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        with self._lock:
            items = list(self._items)
            self._items.clear()
            self._bytes = 0
            self._news.clear()
        return items
