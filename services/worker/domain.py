"""What a job of the work queue is, and what may happen to it. No I/O."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

IDLE_FIRST, IDLE_LAST = 0.5, 2.0


@dataclass(frozen=True)
class Job:
    """A claimed row of work_queue; `fence` proves the claim."""

    id: int
    fence: int
    topic: str
    payload: Mapping[str, Any]
    retries: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Job:
        return cls(row["id"], row["fence"], row["topic"], row["payload"], row["retries"])


class JobFailed(Exception):
    """The handler could not do the job; the message is kept with it."""


def idle_wait(idle_polls: int) -> float:
    """Seconds until the next poll: 0.5 growing to 2, ± 20 % so that workers spread."""
    wait = min(IDLE_LAST, IDLE_FIRST * 1.5**idle_polls)
    return float(wait * random.uniform(0.8, 1.2))  # noqa: S311
