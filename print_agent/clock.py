"""Time that goes on while the computer sleeps: a laptop lid must not stretch a deadline."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

# macOS has no CLOCK_BOOTTIME; its CLOCK_MONOTONIC counts sleep already.
_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Seconds since the computer started, time in suspend included."""
    return time.clock_gettime(_CLOCK)


def machine_boot() -> str:
    """The same text as long as this computer, and with it `now()`, has not been restarted."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return str(round((time.time() - now()) / 600))


@dataclass(frozen=True)
class Deadline:
    """A moment of `now()` after which something must not begin any more."""

    at: float

    @property
    def left(self) -> float:
        """Seconds until then; negative afterwards."""
        return self.at - now()

    @property
    def passed(self) -> bool:
        return self.left <= 0
