"""How often somebody may do something: token buckets in memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

_MOST_KEYS = 10_000


class TokenBucket:
    """`burst` calls at once per key, then `per_minute`. Forgets the keys idle for longest."""

    def __init__(
        self, burst: int, per_minute: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._per_second = per_minute / 60
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, key: str) -> float:
        """0 when a call may go on now, otherwise the seconds until then; takes nothing."""
        tokens = self._tokens(key, self._clock())
        return 0.0 if tokens >= 1 else (1 - tokens) / self._per_second

    def take(self, key: str) -> float:
        """0 when the call may go on, otherwise the seconds to wait."""
        now = self._clock()
        tokens = self._tokens(key, now)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._per_second
        self._keep(key, tokens if wait else tokens - 1, now)
        return wait

    def refund(self, key: str) -> None:
        """Give back what `take` took: the call turned out to be harmless."""
        now = self._clock()
        self._keep(key, min(float(self._burst), self._tokens(key, now) + 1), now)

    def _tokens(self, key: str, now: float) -> float:
        tokens, at = self._buckets.get(key, (float(self._burst), now))
        return min(float(self._burst), tokens + (now - at) * self._per_second)

    def _keep(self, key: str, tokens: float, now: float) -> None:
        self._buckets[key] = (tokens, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
