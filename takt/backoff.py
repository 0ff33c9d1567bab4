"""How long to wait before trying again."""

from __future__ import annotations

import random

CAP_SECONDS = 60.0


def full_jitter(attempt: int, base: float = 0.5, cap: float = CAP_SECONDS) -> float:
    """Seconds before try number `attempt` (0 = first repeat): uniform in 0 … min(cap, base·2^n).

    Full jitter spreads clients that lost the same server, so that they do not return at once.
    """
    ceiling = min(cap, CAP_SECONDS, base * 2.0 ** min(attempt, 32))
    return random.uniform(0.0, ceiling)  # noqa: S311  # spreading load, not keeping a secret
