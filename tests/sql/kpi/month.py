"""A month of twelve machines, and what it has to add up to: interval arithmetic, without SQL.

The story is the simulator's. The oracle lays instants beside each other and knows nothing of how
Takt computes: shifts by the plant's clock, silence, micro-stops, what people and repairs say.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from zoneinfo import ZoneInfo

from services.simulator.machines_plan import Count, Interruption, Pace, days, machine_day

ZONE = ZoneInfo("Europe/Berlin")
PACE = Pace(count_s=(600, 900), beat_s=1500)
SILENCE_S, MICRO_S, IDEAL_S = 1800, 120, 250
MACHINES = tuple(f"m{n:02}" for n in range(1, 13))
SHIFTS = (
    ("early", "06:00", "14:00", ("10:00", "10:30"), (1, 2, 3, 4, 5, 6)),
    ("late", "14:00", "22:00", ("18:00", "18:30"), (1, 2, 3, 4, 5)),
    ("night", "22:00", "06:00", ("03:30", "04:00"), (1, 2, 3, 4, 5, 6, 7)),
)
_EXCLUDED = {"no-order", "meeting"}
_SAID = {  # of a kind of interruption: what people say about some of them
    "micro": ("jam",),
    "stopped": ("material", "jam", "quality"),
    "starved": ("starved",),
    "blocked": ("blocked",),
    "idle": ("no-order", "operator"),
    "silence": ("utilities",),
}


def the_month(today: date) -> tuple[date, date]:
    """The last month (31 days, the last one excluded) around a change of the clocks."""
    change = today - timedelta(days=16)
    while _offset(change) == _offset(change + timedelta(days=1)):
        change -= timedelta(days=1)
    return change - timedelta(days=15), change + timedelta(days=16)


def _offset(day: date) -> timedelta | None:
    return datetime.combine(day, time(), ZONE).utcoffset()


@dataclass(frozen=True)
class Row:
    """What somebody says about time; `source` as in stops; a repair names when it was known."""

    begins: datetime
    ends: datetime
    reason: str
    source: str


@dataclass(frozen=True)
class Shift:
    key: str
    begins: datetime
    ends: datetime
    rest: tuple[datetime, datetime]


def shifts(first: date, last: date) -> Iterator[Shift]:
    """By the plant's clock, of the days from `first` to before `last`."""
    for day in days(first, last - timedelta(days=1)):
        for name, starts, ends, rest, weekdays in SHIFTS:
            if day.isoweekday() in weekdays:
                begins = _wall(day, starts)
                span = [_wall(day, at, begins) for at in (ends, *rest)]
                yield Shift(f"{day} {name}", begins, span[0], (span[1], span[2]))


def _wall(day: date, clock: str, after: datetime | None = None) -> datetime:
    at = datetime.combine(day, time.fromisoformat(clock), ZONE).astimezone(UTC)
    if after is not None and at <= after:
        return _wall(day + timedelta(days=1), clock)
    return at


@dataclass
class Story:
    """A machine's month: what it says, and what people say about it."""

    code: str
    first: date
    last: date
    states: list[tuple[datetime, str]] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    @classmethod
    def of(cls, code: str, first: date, last: date) -> Story:
        """From the noon before the first day on, so that the month begins in the middle."""
        story = cls(code, first, last)
        dice = random.Random(code)
        for day in days(first - timedelta(days=1), last):
            told = machine_day(code, day, PACE)
            story.states += told.states
            story.counts += told.counts
            for stop in told.interruptions:
                story.rows += _said(stop, dice)
        return story

    @cached_property
    def signals(self) -> list[datetime]:
        return sorted({at for at, _ in self.states} | {count.at for count in self.counts})

    def span(self, row: Row) -> tuple[datetime, datetime]:
        """From when to when it holds; what was classified: the whole stretch that was shown."""
        if row.source in ("person", "repair"):
            return row.begins, row.ends
        begins = row.begins
        if row.source == "silence":
            begins = max(at for at in self.signals if at <= begins)
        return begins, min(at for at, s in self.states if at > begins and s in ("running", "setup"))


def _said(stop: Interruption, dice: random.Random) -> list[Row]:
    """What people say about it, and about the run after it."""
    length = stop.ends - stop.begins
    if stop.kind == "fault" and dice.random() < 0.3:
        after = dice.choice((-180, 0, 240))
        return [Row(stop.begins, stop.ends + timedelta(seconds=after), "breakdown", "repair")]
    if stop.kind == "setup" and dice.random() < 0.1:
        begins = stop.ends + timedelta(minutes=6)
        reason = dice.choice(("meeting", "quality"))
        return [Row(begins, begins + timedelta(minutes=9), reason, "person")]
    if stop.kind == "silence" and length.total_seconds() <= SILENCE_S:
        return []  # midnight cut it: nobody noticed
    if stop.kind in _SAID and dice.random() < (0.02 if stop.kind == "micro" else 0.15):
        source = "silence" if stop.kind == "silence" else "signal"
        return [Row(stop.begins, stop.begins + length, dice.choice(_SAID[stop.kind]), source)]
    return []


Totals = Counter[str]


class Oracle:
    """Seconds and pieces of a machine in any window."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._shifts = list(shifts(story.first, story.last))
        self._rows = sorted(((*story.span(row), row) for row in story.rows), key=lambda r: r[0])
        self._segments = list(self._judged())

    def sums(self, begin: datetime, end: datetime) -> Totals:
        """What kpi_window has to say about [begin, end), where shifts cut it."""
        total: Totals = Counter()
        for a, b, kind, first in self._segments:
            if a < end and b > begin:
                seconds = int((min(b, end) - max(a, begin)).total_seconds())
                _add(total, kind, seconds, first and a >= begin)
        for count in self._story.counts:
            if begin <= count.at.replace(second=0) < end:
                _count(total, count, self._kind_at(count.at.replace(second=0)))
        return total

    def _kind_at(self, at: datetime) -> str:
        return next(kind for a, b, kind, _ in self._segments if a <= at < b)

    def _judged(self) -> Iterator[tuple[datetime, datetime, str, bool]]:
        """(from, to, kind, is this where its stop begins)"""
        pieces = list(self._laid())
        first = 0
        for n in range(1, len(pieces) + 1):
            if n < len(pieces) and pieces[n][2] == pieces[first][2]:
                continue
            island = pieces[first:n]
            length = (island[-1][1] - island[0][0]).total_seconds()
            for m, (a, b, key, state) in enumerate(island):
                yield a, b, self._kind(a, key, state, length), key is not None and m == 0
            first = n

    def _kind(self, at: datetime, key: tuple[str, int] | None, state: str, length: float) -> str:
        shift = next((s for s in self._shifts if s.begins <= at < s.ends), None)
        if shift is None:
            return "off"
        if shift.rest[0] <= at < shift.rest[1]:
            return "break"
        if key is None:
            return state
        reason = self._rows[key[1]][2].reason if key[0] == "row" else None
        if reason is None and length <= MICRO_S:
            return "micro"
        if reason is None:
            return "no_data" if state == "no_data" else "unclassified"
        return "excluded" if reason in _EXCLUDED else "stop"

    def _laid(self) -> Iterator[tuple[datetime, datetime, tuple[str, int] | None, str]]:
        """(from, to, what stop it is part of, state) of every stretch between two changes."""
        words = dict(self._story.states)  # the last of equal instants holds
        cuts = {
            *self._story.signals,
            *(c for s in self._shifts for c in (s.begins, s.ends, *s.rest)),
        }
        cuts |= {c for row in self._rows for c in row[:2]}
        signals = self._story.signals
        heard = -1
        said, number, before_up = "no_data", 0, True
        row = 0
        for a, b in pairwise(sorted(cuts)):
            while heard + 1 < len(signals) and signals[heard + 1] <= a:
                heard += 1
                said = words.get(signals[heard], said)
            state = said
            if heard + 1 < len(signals) and heard >= 0 and said != "off":
                gap = (signals[heard + 1] - signals[heard]).total_seconds()
                state = "no_data" if gap > SILENCE_S else said
            up = state in ("running", "setup")
            number += not up and (before_up or words.get(a) in ("running", "setup"))
            before_up = up
            while row < len(self._rows) and self._rows[row][1] <= a:
                row += 1
            inside = row < len(self._rows) and self._rows[row][0] <= a
            holds = inside and (not up or self._rows[row][2].source in ("person", "repair"))
            yield a, b, ("row", row) if holds else None if up else ("shown", number), state


def _add(total: Totals, kind: str, seconds: int, first: bool) -> None:
    total["window_s"] += seconds
    if kind == "off":
        return
    total["scheduled_s"] += seconds
    if kind in ("break", "excluded"):
        total["excluded_s"] += seconds
        total["planned_stop_s"] += seconds * (kind == "break")
        total["stops"] += first and kind == "excluded"
        return
    total["planned_s"] += seconds
    if kind in ("running", "micro"):
        total["run_s"] += seconds
        total["micro_s"] += seconds * (kind == "micro")
        total["micro_stops"] += first and kind == "micro"
        return
    total["availability_loss_s"] += seconds
    total["setup_s" if kind == "setup" else "delay_s"] += seconds
    total["no_data_s"] += seconds * (kind == "no_data")
    total["unclassified_s"] += seconds * (kind == "unclassified")
    total["stops"] += first and kind != "setup"


def _count(total: Totals, count: Count, kind: str) -> None:
    pieces = count.good + count.scrap + count.rework
    if kind in ("off", "break", "excluded"):
        total["unscheduled_pieces"] += pieces
        return
    total["total"] += pieces
    total["good"] += count.good
    total["scrap"] += count.scrap
    total["rework"] += count.rework
    total["ideal_s"] += pieces * IDEAL_S
    total["ideal_good_s"] += count.good * IDEAL_S
