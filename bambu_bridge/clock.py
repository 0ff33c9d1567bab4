"""The two clocks of the bridge: the one people read, and one that never runs backwards.

To rehearse a recording of days in seconds, `TAKT_BAMBU_CLOCK_SHIFT` names a file that holds the
seconds by which both are ahead (or, negative, behind).
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from bambu_bridge.run import Instant

# macOS has no CLOCK_BOOTTIME; its CLOCK_MONOTONIC counts sleep already.
_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
# Close to wall time, so that a stored steady moment still means something after a restart.
_OFFSET = time.time() - time.clock_gettime(_CLOCK)
_SHIFT = os.environ.get("TAKT_BAMBU_CLOCK_SHIFT")


def steady() -> float:
    """Seconds since 1970 as this process counts them, time in suspend included."""
    return _OFFSET + time.clock_gettime(_CLOCK) + _shift()


def now() -> Instant:
    shift = _shift()
    return Instant(time.time() + shift, _OFFSET + time.clock_gettime(_CLOCK) + shift)


def _shift() -> float:
    if _SHIFT:
        with contextlib.suppress(OSError, ValueError):
            return float(Path(_SHIFT).read_text(encoding="ascii"))
    return 0.0
