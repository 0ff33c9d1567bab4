"""What machines do, before anybody is told: days of running, small stops, silence, breakdowns.

Pure, and the same for the same seed: the demo tells it live, a test works a month of it out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

DAY_S = 86_400
_MINUTE = 60
# What interrupts a run: (name, weight, shortest and longest in seconds).
_INTERRUPTIONS = (
    ("micro", 52, 15, 115),
    ("stopped", 10, 3 * _MINUTE, 25 * _MINUTE),
    ("starved", 6, 3 * _MINUTE, 15 * _MINUTE),
    ("blocked", 6, 3 * _MINUTE, 15 * _MINUTE),
    ("idle", 6, 5 * _MINUTE, 40 * _MINUTE),
    ("setup", 12, 10 * _MINUTE, 30 * _MINUTE),
    ("silence", 4, 35 * _MINUTE, 70 * _MINUTE),
    ("off", 2, 30 * _MINUTE, 90 * _MINUTE),
    ("fault", 2, 40 * _MINUTE, 150 * _MINUTE),
)
_WEIGHTS = [weight for _, weight, _, _ in _INTERRUPTIONS]
_ON_THE_HOUR = 0.06  # so many runs end exactly on an hour: where shifts meet


@dataclass(frozen=True)
class Pace:
    """How often a machine speaks: seconds between counts while it runs, and between repeats."""

    count_s: tuple[int, int] = (90, 150)
    beat_s: int = 240


@dataclass(frozen=True)
class Count:
    """Pieces that came out at an instant; `key` names the count within its machine."""

    key: str
    at: datetime
    good: int
    scrap: int
    rework: int


@dataclass(frozen=True)
class Interruption:
    """Time in which it did not run, as it was; `kind` as in the states, or micro or silence."""

    kind: str
    begins: datetime
    ends: datetime


@dataclass
class MachineDay:
    """A day of one machine, 00:00 to 24:00 UTC; states as (instant, state)."""

    states: list[tuple[datetime, str]] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)
    interruptions: list[Interruption] = field(default_factory=list)


def machine_day(code: str, day: date, pace: Pace, seed: int = 1) -> MachineDay:
    """The same for the same arguments."""
    dice = random.Random(f"{seed}/{code}/{day}")  # noqa: S311  # made-up data
    teller = _Teller(datetime.combine(day, time(), UTC), pace, dice)
    second = 0
    while second < DAY_S:
        second = teller.run(second)
        if second < DAY_S:
            second = teller.interrupt(second)
    return teller.story


class _Teller:
    """Tells a day from its beginning; seconds since then."""

    def __init__(self, begin: datetime, pace: Pace, dice: random.Random) -> None:
        self._begin = begin
        self._pace = pace
        self._dice = dice
        self.story = MachineDay()

    def run(self, first: int) -> int:
        """It runs, and counts; until when."""
        dice = self._dice
        last = first + dice.randint(20 * _MINUTE, 90 * _MINUTE)
        if dice.random() < _ON_THE_HOUR:
            last = (last // 3600 + 1) * 3600
        last = min(last, DAY_S)
        self.story.states.append((self._at(first), "running"))
        second = first + dice.randint(*self._pace.count_s)
        while second < last:
            scrap, rework = int(dice.random() < 0.06), int(dice.random() < 0.03)
            good = dice.randint(1, 4) if scrap + rework == 0 else 1
            key = f"{self._begin.date()}/{second}"
            self.story.counts.append(Count(key, self._at(second), good, scrap, rework))
            second += dice.randint(*self._pace.count_s)
        return last

    def interrupt(self, first: int) -> int:
        """It stands, is set up, or says nothing; until when."""
        kind, _, shortest, longest = self._dice.choices(_INTERRUPTIONS, _WEIGHTS)[0]
        last = min(first + self._dice.randint(shortest, longest), DAY_S)
        self.story.interruptions.append(Interruption(kind, self._at(first), self._at(last)))
        if kind != "silence":
            said = "stopped" if kind == "micro" else kind
            beats = range(first, last, self._pace.beat_s) if kind != "off" else (first,)
            self.story.states += [(self._at(second), said) for second in beats]
        return last

    def _at(self, second: int) -> datetime:
        return self._begin + timedelta(seconds=second)


def told_between(
    code: str, since: datetime, until: datetime, pace: Pace, seed: int = 1
) -> tuple[list[tuple[datetime, str]], list[Count]]:
    """What a machine says in (since, until]: states and counts in their order."""
    states: list[tuple[datetime, str]] = []
    counts: list[Count] = []
    for day in days(since.date(), until.date()):
        story = machine_day(code, day, pace, seed)
        states += [(at, state) for at, state in story.states if since < at <= until]
        counts += [count for count in story.counts if since < count.at <= until]
    return states, counts


def days(first: date, last: date) -> Iterator[date]:
    """Every day from the first to the last, both of them too."""
    for n in range((last - first).days + 1):
        yield first + timedelta(days=n)
