"""Limits on what a stranger may send: bytes per body, calls per address."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.requests import Request

_MOST_ADDRESSES = 10_000


class TooLarge(Exception):
    """The body is longer than the limit. `endless`: its length was not announced."""

    def __init__(self, endless: bool) -> None:
        super().__init__("the body is too large")
        self.endless = endless

    @property
    def headers(self) -> dict[str, str]:
        """Hang up on a sender who may never stop; others may hear the answer to the end."""
        return {"connection": "close"} if self.endless else {}


async def read_limited(request: Request, limit: int) -> bytes:
    """The raw body, at most `limit` bytes. Errors: TooLarge, before more than that is kept."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise TooLarge(endless=False)
    parts: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge(endless=not announced)
        parts.append(chunk)
    return b"".join(parts)


class TokenBucket:
    """`burst` calls at once per key, then `per_minute`. Forgets the keys idle for longest."""

    def __init__(
        self, burst: int, per_minute: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._per_second = per_minute / 60
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """0 when the call may go on, otherwise the seconds to wait."""
        now = self._clock()
        tokens, at = self._buckets.pop(key, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - at) * self._per_second)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._per_second
        self._buckets[key] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > _MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        return wait
