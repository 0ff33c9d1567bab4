"""Failures as they happened, and what MTTR and MTBF have to say of them: seconds, without SQL."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

BASE = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
SPAN = 14 * 86400
Part = tuple[int, int | None]


def when(second: float | None) -> datetime | None:
    return None if second is None else BASE + timedelta(seconds=second)


@dataclass(frozen=True)
class Failure:
    """Stops in seconds from BASE; `shared`: up to there they had another reason already."""

    stops: tuple[Part, ...]
    repaired: bool = False
    unlinked: frozenset[int] = frozenset()  # stops that the repair was never told of
    shared: int | None = None  # the first stop began here, for another reason

    @property
    def occurred(self) -> int:
        return self.stops[0][0]

    @property
    def restored(self) -> int | None:
        return self.stops[-1][1]

    @property
    def down(self) -> int:
        return sum((end or 0) - begin for begin, end in self.stops)


@dataclass(frozen=True)
class Sums:
    failures: int
    restored: int
    open: int
    down: int
    ran: int


def sums(story: list[Failure], begin: int, end: int, as_of: int) -> Sums:
    """Of the window [begin, end), as far as it was over at as_of."""
    new = restored = still = down = stood = 0
    upto = min(end, as_of)
    for one in story:
        known = Failure(tuple(s for s in one.stops if s[0] <= as_of))
        if not known.stops or known.occurred >= end:
            continue
        over = known.restored is not None and known.restored <= as_of
        new += begin <= known.occurred
        if over and known.restored is not None and begin <= known.restored < end:
            restored += 1
            down += known.down
        still += not (over and known.restored is not None and known.restored < end)
        first = one.shared if one.shared is not None else known.occurred
        for n, (since, until) in enumerate(known.stops):
            stands = max(begin, since if n else first)
            stood += max(0, min(until if until is not None else upto, upto) - stands)
    return Sums(new, restored, still, down, max(0, upto - begin) - stood)


def clipped(story: list[Failure], begin: int, end: int, as_of: int) -> int:
    """What of all failures lies in the window."""
    upto = min(end, as_of)
    return sum(
        max(0, min(upto if until is None else until, upto) - max(begin, since))
        for one in story
        for since, until in one.stops
    )


def tell(dice: random.Random) -> list[Failure]:
    """Two weeks of one machine: alone, split, with pauses, reported late, one that still lasts."""
    story, at = [], dice.randint(0, 40000)
    while at < SPAN - 200_000:
        kind = dice.choice(("alone", "split", "repair", "paused", "joined", "half-told"))
        stops, shared = [], None
        if kind == "joined":
            shared = at
            at += dice.randint(1, 9000)
        for n in range({"alone": 1, "repair": 1, "joined": 1}.get(kind, dice.randint(2, 3))):
            at += dice.randint(600, 30000) if n and kind == "paused" else 0
            stops.append((at, at + dice.randint(130, 20000)))
            at = stops[-1][1]
        repaired = kind not in ("alone", "split")
        left_out = frozenset({len(stops) - 1} if kind == "half-told" else set())
        story.append(Failure(tuple(stops), repaired, left_out, shared))
        at += dice.randint(600, 90000)
    if dice.random() < 0.5:
        story.append(Failure(((at, None),), dice.random() < 0.5))
    return story


def write(db: psycopg.Connection, code: str, story: list[Failure]) -> None:
    """As rows, without the trigger that would open and end stops by itself."""
    db.execute("reset role; alter table public.repairs disable trigger _500_stops")
    for one in story:
        repair = _repair(db, code, one) if one.repaired else None
        for n, (begin, end) in enumerate(one.stops):
            odd = n == 0 and one.shared is not None
            row = db.execute(
                "insert into public.stops (machine, site, during, source, reason, time_class,"
                " is_failure) values (%s, 'main', tstzrange(%s, %s), 'person', %s, %s, %s)"
                " returning id",
                (
                    code, when(one.shared if odd else begin), when(end),
                    "material" if odd else "breakdown", "material" if odd else "breakdown", not odd,
                ),
            ).fetchone()  # fmt: skip
            if repair is not None and n not in one.unlinked and row is not None:
                db.execute(
                    "insert into public.stop_repairs (stop_id, repair_id) values (%s, %s)",
                    (row[0], repair),
                )
    db.execute("alter table public.repairs enable trigger _500_stops")


def _repair(db: psycopg.Connection, code: str, one: Failure) -> int:
    """Reported ten seconds after it stood; where a stop is shared, its own time is what counts."""
    own = one.occurred + (0 if one.shared is not None else 10)
    row = db.execute(
        "insert into public.repairs (machine, site, type, source, status, is_down, occurred_at,"
        " reported_at, acknowledged_at, started_at, repaired_at, verified_at, closed_at,"
        " runs_again, status_since) values (%(code)s, 'main', 'unscheduled', 'staff', %(status)s,"
        " true, %(at)s, %(at)s, %(done)s, %(done)s, %(done)s, %(verified)s, %(closed)s, true,"
        " %(at)s) returning id",
        {
            "code": code, "status": "reported" if one.restored is None else "closed",
            "at": when(own), "done": when(one.restored and max(own, one.restored)),
            "verified": when(one.restored and max(own, one.restored)),
            "closed": when(one.restored and max(own, one.restored) + 3600),
        },
    ).fetchone()  # fmt: skip
    assert row is not None
    return int(row[0])
