"""What the tracker of one printer knows across restarts. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

from bambu_bridge.identity import Identity
from bambu_bridge.run import Instant, Run


class Phase(StrEnum):
    """Where the open run is; IDLE = there is none."""

    IDLE = "idle"
    STARTING = "starting"
    PRINTING = "printing"
    PAUSED = "paused"
    ENDING = "ending"


@dataclass(frozen=True)
class Shown:
    """The last end a printer showed: FINISH of this again is no news."""

    state: str
    identity: Identity


@dataclass(frozen=True)
class Held:
    """A finish that nobody saw, until it is sure that it is not the next job's name.

    `since` steady, `wall` and `not_before` wall seconds.
    """

    identity: Identity
    skipped: tuple[int, ...]
    percent: int | None
    since: float
    wall: float
    not_before: float


@dataclass(frozen=True)
class Ending:
    """The run stopped at `at` in this state; `not_before` wall when that was not seen."""

    state: str
    at: Instant
    not_before: float | None = None


@dataclass(frozen=True)
class Gap:
    """The bridge was blind from … to …, wall seconds."""

    id: str
    start: float
    end: float


@dataclass
class Memory:
    """All that outlives a restart. `stuck_since` steady: FINISH shown before it ever ran."""

    phase: Phase = Phase.IDLE
    run: Run | None = None
    ending: Ending | None = None
    shown: Shown | None = None
    held: Held | None = None
    stuck_since: float | None = None
    known: bool = False
    last_seen: Instant | None = None
    last_finished: float | None = None

    @property
    def state(self) -> tuple[object, ...]:
        """What must reach the disk when it changes."""
        run = self.run
        noted = run and (run.identity, tuple(run.skipped), run.cancelled_at, run.stopped_at)
        return (self.phase, run and run.uid, noted, self.held, self.shown, self.ending)

    def stored(self) -> dict[str, Any]:
        shown, held, ending = self.shown, self.held, self.ending
        return vars(self) | {
            "run": self.run and self.run.stored(),
            "shown": shown and {"state": shown.state, "identity": shown.identity.stored()},
            "held": held and vars(held) | {"identity": held.identity.stored()},
            "ending": ending and vars(ending),
        }

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Self:
        """From decoded JSON. Errors: KeyError, TypeError or ValueError when it is damaged."""
        known = {field.name for field in fields(cls)}
        found = cls(**{name: value for name, value in stored.items() if name in known})
        found.phase = Phase(stored["phase"])
        found.run = Run.restored(stored["run"]) if stored.get("run") else None
        found.last_seen = Instant(*stored["last_seen"]) if stored.get("last_seen") else None
        if shown := stored.get("shown"):
            found.shown = Shown(shown["state"], Identity.restored(shown["identity"]))
        if ending := stored.get("ending"):
            found.ending = Ending(**{**ending, "at": Instant(*ending["at"])})
        if held := stored.get("held"):
            identity = Identity.restored(held["identity"])
            found.held = Held(**{**held, "identity": identity, "skipped": tuple(held["skipped"])})
        return found
