"""What can go wrong with a printer, as data: its mechanics, its line, its replies."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Condition(StrEnum):
    """Of the mechanics: nothing is printed while one holds."""

    PAPER_OUT = "paper_out"
    RIBBON_OUT = "ribbon_out"
    HEAD_OPEN = "head_open"
    OVER_TEMP = "over_temp"
    PAUSED = "paused"


class LineFault(StrEnum):
    """Of the TCP line."""

    REFUSE = "refuse"  # connections are refused; open ones stay
    DEAF = "deaf"  # accepts and never reads
    SLOW = "slow_read"  # reads `rate` bytes per second
    RESET = "reset"  # RST after `after_bytes`
    EARLY_FIN = "early_fin"  # closes its side after `after_bytes`, drops what still comes
    HALF_OPEN = "half_open"  # after `after_bytes`: reads nothing, says nothing, closes nothing
    SSH = "ssh"  # another machine has the address now
    WRONG_LANGUAGE = "wrong_language"  # what it is sent comes out as text


class ReplyFault(StrEnum):
    """Of what the printer says."""

    SILENT = "silent"
    GARBAGE = "garbage"
    TWO_FRAMES = "two_frames"  # of the three of ~HS
    WRONG_COUNTS = "wrong_counts"  # one field of the first frame is missing
    CUT = "cut"  # the first half only
    LATE = "late"  # `delay_s` too late


Kind = Condition | LineFault | ReplyFault
KINDS: dict[str, Kind] = {
    kind.value: kind for family in (Condition, LineFault, ReplyFault) for kind in family
}
# A roll ends and a head heats up between two labels; a lid is opened at any time.
_STRIKES_MID_LABEL = {Condition.HEAD_OPEN}


@dataclass(frozen=True)
class Fault:
    """One fault, now or later.

    It strikes once `after_labels` more labels are out and `after_s` seconds have gone, and lasts
    until it is cleared, for `lasts_s` seconds, or for `times` connections (replies). `mid_label`:
    true spoils a label, the one in motion or else the next; false waits for the end of the one in
    motion. `command`: only replies to it.
    """

    kind: Kind
    after_labels: int = 0
    after_s: float = 0.0
    lasts_s: float | None = None
    times: int | None = None
    mid_label: bool | None = None
    after_bytes: int = 0
    rate: int = 100
    delay_s: float = 3.0
    command: str | None = None

    @property
    def strikes_mid_label(self) -> bool:
        wanted = self.kind in _STRIKES_MID_LABEL if self.mid_label is None else self.mid_label
        return wanted and self.kind != Condition.PAUSED  # pause waits for the label's end, always

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Fault:
        """From `{"fault": kind, …}`. Errors: ValueError with a sentence."""
        options = dict(facts)
        kind = KINDS.get(str(options.pop("fault", "")))
        if kind is None:
            raise ValueError(f"Name a `fault`: {', '.join(KINDS)}.")
        known = {f.name for f in dataclasses.fields(cls)} - {"kind"}
        if unknown := set(options) - known:
            raise ValueError(f"A fault has no {', '.join(sorted(unknown))}. It has {_list(known)}.")
        for name, value in options.items():
            number = name not in ("command", "mid_label")
            if not number and not isinstance(value, str if name == "command" else bool):
                raise ValueError(f"`{name}` is of another kind.")
            if number and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise ValueError(f"`{name}` must be a number.")
            if number and (value < 0 or (name == "rate" and value < 1)):
                raise ValueError(f"`{name}` is too small.")
        return cls(kind, **options)


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))


@dataclass
class _Planned:
    fault: Fault
    at_count: int
    at_time: float

    @property
    def in_label(self) -> bool:
        """Does it wait for the middle of a label?"""
        wanted = self.fault.mid_label is True or self.fault.after_labels > 0
        return wanted and self.fault.strikes_mid_label

    def due(self, count: int, now: float) -> bool:
        return count >= self.at_count and now >= self.at_time


@dataclass
class Script:
    """The faults to come, and the end of those that end by themselves. `count`: labels out."""

    _planned: list[_Planned] = field(default_factory=list)
    _ends: list[tuple[float, Kind]] = field(default_factory=list)

    def plan(self, fault: Fault, count: int, now: float) -> None:
        self._planned.append(_Planned(fault, count + fault.after_labels, now + fault.after_s))

    def take(self, count: int, now: float, *, moving: bool) -> list[Fault]:
        """The faults whose time has come; some of them strike only while a label is in motion."""
        due = [p for p in self._planned if p.due(count, now) and (moving or not p.in_label)]
        self._planned = [p for p in self._planned if p not in due]
        return [p.fault for p in due]

    def take_for_label(self, count: int, now: float) -> Fault | None:
        """The fault that strikes in the middle of the label which begins now."""
        for planned in self._planned:
            if planned.in_label and planned.due(count, now):
                self._planned.remove(planned)
                return planned.fault
        return None

    def end(self, kind: Kind, at: float) -> None:
        """A fault that holds will be over at `at`."""
        self._ends.append((at, kind))

    def take_ended(self, now: float) -> list[Kind]:
        over = [kind for at, kind in self._ends if at <= now]
        self._ends = [(at, kind) for at, kind in self._ends if at > now]
        return over

    def forget(self, kind: Kind | None = None) -> None:
        """Drop what is planned about `kind`; everything without one."""
        self._planned = [p for p in self._planned if kind and p.fault.kind != kind]
        self._ends = [(at, k) for at, k in self._ends if kind and k != kind]

    def next_time(self, count: int, now: float) -> float | None:
        """When something happens by time alone."""
        times = [p.at_time for p in self._planned if count >= p.at_count and p.at_time > now]
        return min(times + [at for at, _ in self._ends], default=None)


class Line:
    """The faults of line and replies that hold now."""

    def __init__(self) -> None:
        self._active: dict[Kind, tuple[Fault, int | None]] = {}

    def add(self, fault: Fault) -> None:
        self._active[fault.kind] = (fault, fault.times)

    def clear(self, kind: Kind | None = None) -> None:
        """Lift one fault; all of them without a `kind`."""
        if kind is None:
            self._active.clear()
        else:
            self._active.pop(kind, None)

    def get(self, kind: Kind) -> Fault | None:
        found = self._active.get(kind)
        return found[0] if found else None

    def spend(self, kind: Kind) -> Fault | None:
        """The fault, for one connection or reply: it is used up after `times`."""
        found = self._active.get(kind)
        if found is None:
            return None
        fault, left = found
        if left is not None and left <= 1:
            del self._active[kind]
        elif left is not None:
            self._active[kind] = (fault, left - 1)
        return fault

    def names(self) -> list[str]:
        return [kind.value for kind in self._active]

    def distort(self, command: str, data: bytes) -> tuple[float, bytes]:
        """Seconds to wait and the bytes to send for a reply, as the faults have it."""
        delay = 0.0
        for kind in ReplyFault:
            fault = self.get(kind)
            if fault is None or (fault.command and fault.command != command):
                continue
            if kind in (ReplyFault.TWO_FRAMES, ReplyFault.WRONG_COUNTS) and data.count(b"\x02") < 3:
                continue  # these two are about ~HS
            self.spend(kind)
            if kind is ReplyFault.LATE:
                delay = fault.delay_s
            else:
                data = _DISTORTED[kind](data)
        return delay, data


_DISTORTED: dict[Kind, Callable[[bytes], bytes]] = {
    ReplyFault.SILENT: lambda data: b"",
    ReplyFault.GARBAGE: lambda data: b"\x15\xfe\x00,,\x03?\r\n" * 3,
    ReplyFault.TWO_FRAMES: lambda data: data[: data.rindex(b"\x02")],
    ReplyFault.WRONG_COUNTS: lambda data: data.replace(b",", b"", 1),
    ReplyFault.CUT: lambda data: data[: len(data) // 2],
}
