"""What the agent may do next with one job, from facts alone. No I/O, no clock of its own.

The database decides what a job's state is; these functions only decide which bytes may leave, when
to look again, and when what is known is worth telling.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import Any

POLL_FIRST, POLL_LAST = 1.0, 5.0
PATIENT_LOOKS = 3
LIVELY_SECONDS = 120.0  # so long after a job the next one is expected soon
PROBE_SILENT = 60.0
SETTLE_SECONDS = 5.0  # a counter may lag behind the label that has just come out
DRAINED_SECONDS = 2.0  # idle for so long after the last byte = drained, also when never seen busy
LONGEST_SILENCE = 600.0
LEASE_SECONDS = 30.0
_MOST_STRUCK = 20  # the first ones decide, and evidence is small


class Health(StrEnum):
    """What a printer is doing, as far as it says."""

    IDLE = "idle"
    BUSY = "busy"
    FAULT = "fault"
    UNREACHABLE = "unreachable"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"


_STATUS = {
    Health.IDLE: "idle",
    Health.BUSY: "printing",
    Health.UNREACHABLE: "unreachable",
}
_REASON = {
    Health.UNREADABLE: "unreadable",
    Health.FOREIGN: "not-a-printer",
    Health.UNREACHABLE: "unreachable",
}


@dataclass(frozen=True)
class Reading:
    """One look at a printer at `at` (seconds of `clock.now`). None = it did not say.

    `mute`: the way to it has no way back, so silence means nothing. `sized`: it says its own
    resolution, so a missing `dpi` is a reason to stop. `silent`: somebody took the questions and
    answered none of them. `openings`: how often the lid was opened in the printer's life.
    """

    health: Health
    at: float
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    detail: str = ""
    formats: int | None = None
    remaining: int | None = None
    partial: bool | None = None
    odometer: int | None = None
    openings: int | None = None
    uptime_s: int | None = None
    unique_id: str | None = None
    dpi: int | None = None
    mute: bool = False
    sized: bool = False
    silent: bool = False

    @property
    def reasons(self) -> tuple[str, ...]:
        """IPP words for people: why it does not print, then what it only warns of."""
        own = [_REASON[self.health]] if self.health in _REASON else []
        size = ["resolution-unknown"] if self.unsized else []
        return tuple(dict.fromkeys([*own, *self.faults, *size, *self.warnings]))

    @property
    def unsized(self) -> bool:
        """It answers, but its resolution cannot be read: the label's size would be a guess."""
        return self.sized and self.dpi is None and self.health in (Health.IDLE, Health.BUSY)

    @property
    def status(self) -> str:
        """idle, printing, stopped or unreachable."""
        return "stopped" if self.unsized else _STATUS.get(self.health, "stopped")

    @property
    def may_claim(self) -> bool:
        """A job could go to it now."""
        return self.health is Health.IDLE and not self.unsized

    def evidence(self, boot_id: str | None) -> dict[str, Any]:
        """The form in which the database judges it."""
        return {
            "odometer": self.odometer,
            "openings": self.openings,
            "boot_id": boot_id,
            "uptime_s": self.uptime_s,
            "formats": self.formats,
            "remaining": self.remaining,
            "partial": self.partial,
            "faults": list(self.faults or _REASON.get(self.health, "").split()),
            "idle": self.health is Health.IDLE,
            "dpi": self.dpi,
            "at_mono": round(self.at, 3),
        }


@dataclass(frozen=True)
class Claim:
    """A claimed job; `fence` proves the claim, `labels` pieces of paper are expected."""

    job_id: int
    fence: int
    printer: str
    payload: bytes = field(repr=False)
    sha256: str
    labels: int
    dpi: int | None
    send_window_s: float

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Claim:
        return cls(
            job_id=int(row["job_id"]),
            fence=int(row["fence"]),
            printer=str(row["printer"]),
            payload=str(row["payload"]).encode(),
            sha256=str(row["payload_sha256"]),
            labels=int(row["copies"]) * int(row["labels"]),
            dpi=row["dpi"],
            send_window_s=float(row["send_window_s"]),
        )

    @property
    def is_intact(self) -> bool:
        """The payload is the one that was compiled, to the bit."""
        return hashlib.sha256(self.payload).hexdigest() == self.sha256


class Go(Enum):
    """What comes before the first byte."""

    SEND = "send"
    WAIT = "wait"
    CLEAR = "clear"
    RELEASE = "release"


def before_send(claim: Claim, reading: Reading) -> tuple[Go, str]:
    """(step, reason). Without an idle printer that says so nothing is sent."""
    if reading.health is Health.BUSY:
        return Go.WAIT, "printing"
    if not reading.may_claim:
        return Go.RELEASE, " ".join(reading.reasons) or reading.health.value
    if reading.sized and reading.dpi != claim.dpi:
        return Go.RELEASE, "resolution-changed"
    if reading.partial:
        return Go.CLEAR, "partial-format"
    if (reading.formats or 0) + (reading.remaining or 0) > 0:
        return Go.WAIT, "printing"
    return Go.SEND, ""


class Next(Enum):
    """What comes after the last byte."""

    WAIT = "wait"
    CLEAR = "clear"
    CONFIRM = "confirm"
    UNKNOWN = "unknown"


class Watch:
    """Looks at a printer after the last byte until there is something worth telling."""

    def __init__(self, labels: int, before: int | None, sent_at: float) -> None:
        self._labels = labels
        self._before = before
        self._limit = min(LONGEST_SILENCE, 5 + 1.5 * labels)
        self._seen_busy = False
        self._heard_at = self._moved_at = sent_at
        self._last: tuple[int | None, ...] = ()
        self._faults: tuple[str, ...] = ()
        self.struck: list[str] = []  # every fault when it came; of several at once the lid first

    def next(self, reading: Reading) -> tuple[Next, str]:
        """(step, reason) after another look. A fault that a person can see has all the time."""
        if reading.mute:
            return Next.CONFIRM, ""
        if reading.health in (Health.UNREACHABLE, Health.UNREADABLE, Health.FOREIGN):
            if reading.at - self._heard_at > self._limit:
                return Next.UNKNOWN, reading.reasons[0]
            return Next.WAIT, ""
        self._heard_at = reading.at
        came = [fault for fault in reading.faults if fault not in self._faults]
        came.sort(key=lambda fault: fault != "cover-open")
        self.struck = [*self.struck, *came][:_MOST_STRUCK]
        self._faults = reading.faults
        seen = (reading.odometer, reading.formats, reading.remaining)
        if reading.health is not Health.IDLE or seen != self._last:
            self._moved_at = reading.at
        self._last = seen
        if reading.health is not Health.IDLE:
            self._seen_busy = self._seen_busy or reading.health is Health.BUSY
            return Next.WAIT, ""
        still = reading.at - self._moved_at
        if reading.partial:
            # The end of a label never arrived; nothing else can be asked before it is gone.
            return (Next.CLEAR, "partial-format") if still >= DRAINED_SECONDS else (Next.WAIT, "")
        return (Next.CONFIRM if self._is_over(reading, still) else Next.WAIT), ""

    def _is_over(self, reading: Reading, still: float) -> bool:
        if reading.odometer is not None and self._before is not None:
            return reading.odometer - self._before >= self._labels or still >= SETTLE_SECONDS
        return self._seen_busy or still >= DRAINED_SECONDS


IN_DOUBT = ("sending", "sent", "unknown", "")  # states in which the database still wants to hear


class Step(StrEnum):
    """How far a job came, as the journal knows it; a later one is the stronger fact."""

    BEGUN = "begun"  # write-ahead: the database was asked, no byte has left
    HANDING = "handing"  # from here on bytes may be on their way
    HANDED = "handed"  # so many bytes, not all
    NOTHING = "nothing"  # the sending failed, and certainly no byte left
    SENT = "sent"  # all bytes
    SHOWN = "shown"  # the printer has shown the outcome; the evidence waits to be told
    SETTLED = "settled"  # the database knows


class Settle(Enum):
    """What to do about a job that is neither printed nor waiting."""

    ABORT = "abort"
    SHOW = "show"
    WATCH = "watch"
    TELL_UNKNOWN = "tell unknown"
    LEAVE = "leave"


def settle(state: str, step: Step | None, deaf: bool, counted: bool, reading: Reading) -> Settle:
    """What the resolver does with a job that this agent began, or that became unknown.

    `deaf`: evidence says nothing any more, because another job began on this printer since and the
    counter speaks for both, or because it was all heard before. `counted`: the counter was read
    before. Without one, what happened while nobody looked cannot be known.
    """
    if step in (Step.BEGUN, Step.NOTHING) and state != "sent":
        return Settle.ABORT
    if step is Step.SHOWN:
        return Settle.SHOW
    halfway = state == "sending" and step is not Step.SENT
    if (deaf or halfway or reading.mute or not counted) and state != "unknown":
        return Settle.TELL_UNKNOWN
    if deaf or reading.mute or not counted or reading.health is not Health.IDLE:
        return Settle.LEAVE
    return Settle.WATCH


@dataclass(frozen=True)
class Boot:
    """When a printer was switched on, in seconds of one of this computer's clocks."""

    boot_id: str
    unique_id: str | None
    machine: str  # the computer's own boot; its monotonic clock restarts with it
    earliest: float
    latest: float
    wall: float  # the same moment by the wall clock, for after a restart of the computer
    uptime_s: int


def next_boot(known: Boot | None, reading: Reading, machine: str, wall: float) -> Boot | None:
    """The printer's boot as of this reading; a new `boot_id` when it was off in between.

    None without an uptime. Doubt counts as a power cycle: then a person or the counter decides.
    """
    if reading.uptime_s is None:
        return None
    up = reading.uptime_s
    # The uptime is cut to whole seconds and was read within two seconds before `at`.
    latest = reading.at - up
    boot_id = f"{reading.unique_id or '-'}@{int(wall - up)}"
    found = Boot(boot_id, reading.unique_id, machine, latest - 3, latest, wall - up, up)
    if known is not None and _is_same_boot(known, found):
        return replace(found, boot_id=known.boot_id)
    return found


def _is_same_boot(known: Boot, found: Boot) -> bool:
    if known.unique_id != found.unique_id or found.uptime_s < known.uptime_s:
        return False
    if known.machine != found.machine:
        return abs(known.wall - found.wall) < 60
    drift = 0.5 + 5e-4 * abs(found.uptime_s - known.uptime_s)
    return found.earliest - drift <= known.latest and known.earliest - drift <= found.latest


@dataclass(frozen=True)
class Pace:
    """Seconds between two looks at a printer that is idle (one that is stopped is looked at twice
    as often), and between two rounds of the resolver."""

    look: float = 10.0
    resolve: float = 10.0


def probe_wait(reading: Reading, silent_looks: int, pace: Pace) -> float:
    """Seconds until the next look at a printer without a job.

    `silent_looks`: how many in a row were silent. It may be printing our questions as text.
    """
    if silent_looks > PATIENT_LOOKS:
        return PROBE_SILENT
    return pace.look if reading.may_claim else pace.look / 2


def poll_wait(since_job: float, quiet_polls: int) -> float:
    """Seconds until the next claim: 1 ± 20 % near a job, growing to 5 when it stays quiet.

    A printer that is stopped is not polled for at all, only looked at.
    """
    wait = POLL_FIRST
    if since_job > LIVELY_SECONDS:
        wait = min(POLL_LAST, POLL_FIRST * 1.1 ** min(quiet_polls, 100))
    return float(wait * random.uniform(0.8, 1.2))  # noqa: S311
