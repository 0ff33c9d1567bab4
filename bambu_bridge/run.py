"""One physical print while it lasts, and what is decided of it at its end. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, NamedTuple, Self

from bambu_bridge import classify
from bambu_bridge.identity import Identity
from bambu_bridge.merge import Snapshot

CANCEL_VALID = 600.0  # so long after its code an end still is that cancel
STOP_VALID = 120.0
SHORT_RUN = 60.0
_MOST_SHIFT = 3600.0  # a clock that was wrong by more is not followed into the future


class Instant(NamedTuple):
    """A moment: `wall` for people; `steady` never runs backwards. Both in seconds since 1970."""

    wall: float
    steady: float


class Outcome(StrEnum):
    """What became of a print."""

    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    IGNORED = "ignored"


class Evidence(StrEnum):
    """How the bridge knows."""

    OBSERVED = "observed"
    RECOVERED = "recovered"
    RECOVERED_UNSEEN = "recovered_unseen"
    SUPERSEDED = "superseded"
    LOST = "lost"


@dataclass
class Run:
    """An open print. Times are steady seconds unless the name says wall.

    `start_seen` is False for a print that was running when the bridge first saw it. What the
    printer still showed of the job before (`stale_…`) is not counted for this one.
    """

    uid: str
    identity: Identity
    opened: float
    opened_wall: float
    start_seen: bool
    settled: bool = False
    running_since: float | None = None
    running_wall: float | None = None
    last_seen_wall: float = 0.0
    print_type: str = ""
    percent: int | None = None
    layer: int | None = None
    total_layers: int | None = None
    eta: float | None = None
    paused_since: float | None = None
    paused_s: float = 0.0
    skipped: set[int] = field(default_factory=set)
    stale_skipped: set[int] = field(default_factory=set)
    stale_percent: int | None = None
    codes: dict[str, int] = field(default_factory=dict)
    hms: list[str] = field(default_factory=list)
    stale_hms: list[str] = field(default_factory=list)
    error: int = 0
    cancel_code: int = 0
    cancelled_at: float | None = None
    stopped_at: float | None = None
    dispatch_seen: bool = False

    @classmethod
    def open(cls, uid: str, snapshot: Snapshot, now: Instant, start_seen: bool) -> Self:
        run = cls(uid, snapshot.identity, now.steady, now.wall, start_seen)
        run.codes = dict(snapshot.codes)
        if start_seen:
            run.stale_skipped = set(snapshot.skipped)
            run.stale_percent = snapshot.percent
            run.stale_hms = list(snapshot.hms)
        run.observe(snapshot, now)
        return run

    @property
    def saw_running(self) -> bool:
        return self.running_since is not None

    @property
    def is_system(self) -> bool:
        return self.print_type == "system" or self.identity.is_system

    def observe(self, snapshot: Snapshot, now: Instant) -> None:
        """Keep what an active report says."""
        self.observe_codes(snapshot, now)
        self.observe_skipped(snapshot)
        self.last_seen_wall = now.wall
        if snapshot.print_type not in ("", "idle"):
            self.print_type = snapshot.print_type
        self.observe_percent(snapshot)
        self.total_layers = snapshot.total_layers or self.total_layers
        layer = snapshot.layer
        if self.stale_percent is None and layer is not None and layer <= (self.total_layers or 0):
            self.layer = max(self.layer or 0, layer)
        if snapshot.remaining_min:
            self.eta = now.steady + snapshot.remaining_min * 60
        self.hms += [c for c in snapshot.hms if c not in self.stale_hms and c not in self.hms]
        del self.hms[20:]

    def observe_percent(self, snapshot: Snapshot) -> None:
        if snapshot.percent is not None and snapshot.percent != self.stale_percent:
            self.stale_percent = None
            self.percent = max(self.percent or 0, min(max(snapshot.percent, 0), 100))

    def observe_codes(self, snapshot: Snapshot, now: Instant) -> None:
        """A code counts when it appears, not while it stays: it may be the last job's."""
        for name, value in snapshot.codes.items():
            if value == self.codes.get(name, 0):
                continue
            self.codes[name] = value
            if classify.is_cancel(name, value):
                self.cancel_code, self.cancelled_at = value, now.steady
            elif classify.is_error(value):
                self.error = value

    def observe_skipped(self, snapshot: Snapshot) -> None:
        """Objects stay skipped, also when the printer forgets them before the end."""
        if not self.stale_skipped <= snapshot.skipped:
            self.stale_skipped = set()
        self.skipped |= snapshot.skipped - self.stale_skipped

    def resume(self, now: Instant) -> None:
        """It moves (again)."""
        if self.running_since is None:
            self.running_since, self.running_wall = now.steady, now.wall
        self._end_pause(now)

    def pause(self, now: Instant) -> None:
        if self.running_since is None:
            self.running_since, self.running_wall = now.steady, now.wall
        self.paused_since = self.paused_since or now.steady

    def cancel_reason(self, at: float) -> str | None:
        """Why an end at this moment is a cancel; None when nothing says so."""
        if self.cancelled_at is not None and abs(at - self.cancelled_at) <= CANCEL_VALID:
            return f"cancelled by code {classify.show(self.cancel_code)}"
        if self.stopped_at is not None and abs(at - self.stopped_at) <= STOP_VALID:
            return "stopped by a command"
        return None

    def failure(self, snapshot: Snapshot | None) -> int:
        """The code that explains a failure; 0 when there is none."""
        return self.error or (classify.best_code(snapshot.codes) if snapshot else 0)

    def probably_finished(self, now: Instant) -> bool:
        return (self.percent or 0) >= 99 or (self.eta is not None and now.steady >= self.eta)

    def has_regressed(self, snapshot: Snapshot) -> bool:
        """Its progress is behind what it has been: another print, not this one."""
        return snapshot.percent is not None and snapshot.percent < (self.percent or 0) - 5

    def close(self, end: Instant, floor: float | None) -> tuple[float | None, float]:
        """(started, finished), wall. `floor`: the end of the print before on this printer.

        Lengths come from the steady clock and the end from the wall clock of now, so that a
        clock that was set in between bends no interval.
        """
        self._end_pause(end)
        length = max(0.0, end.steady - self.opened)
        start = end.wall - length
        if floor is not None and start < floor <= start + _MOST_SHIFT:
            start = floor
        finish = max(end.wall, start + length)
        return (start if self.start_seen else None), finish

    def stored(self) -> dict[str, Any]:
        found = asdict(self) | {"identity": self.identity.stored()}
        return found | {
            "skipped": sorted(self.skipped),
            "stale_skipped": sorted(self.stale_skipped),
        }

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Self:
        known = {f.name for f in fields(cls)}
        values = {name: value for name, value in stored.items() if name in known}
        values["identity"] = Identity.restored(stored["identity"])
        values["skipped"] = set(stored.get("skipped", ()))
        values["stale_skipped"] = set(stored.get("stale_skipped", ()))
        return cls(**values)

    def _end_pause(self, now: Instant) -> None:
        if self.paused_since is not None:
            self.paused_s += max(0.0, now.steady - self.paused_since)
            self.paused_since = None


@dataclass(frozen=True)
class Decision:
    """A print that is over. Times are wall seconds; `started_at` None = the start was not seen."""

    uid: str
    native_key: str | None
    outcome: Outcome
    evidence: Evidence
    reason: str
    identity: Identity
    started_at: float | None
    finished_at: float
    finished_not_before: float | None
    skipped: tuple[int, ...]
    progress: Mapping[str, Any]
    error: Mapping[str, Any]
    print_type: str = ""

    def key(self, serial: str) -> str:
        """One per physical print. A print nobody saw has a key that a lost disk gives again."""
        last = self.uid if self.native_key is None else f"native:{self.native_key}"
        return f"bambu:{serial}:{last}"
