"""Worked examples that are told by stops with a beginning and an end."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from tests.sql.kpi import plant
from tests.sql.kpi.examples import Case
from tests.sql.kpi.instants import DATED, RESTS, ROWS, RUNNING, STOPS, Span, clock_s, instant_of
from tests.sql.kpi.layout import HOUR, book, named, pieces_of, schedule, set_policies
from tests.sql.kpi.plant import BASE, at
from tests.sql.kpi.reading import UNITS, Numbers, Unread, describe
from tests.support.rpc import Refused, call

# Stops with a beginning and an end --------------------------------------------------------------


def has_instants(inputs: Numbers) -> bool:
    """Are there intervals, [from, to, what], rather than lengths?"""
    lists = [inputs[name] for name in (*STOPS, *ROWS) if isinstance(inputs.get(name), list)]
    if any(rows and isinstance(rows[0], list | dict) for rows in lists):
        return True
    shift = inputs.get("shift")
    return isinstance(shift, list) and isinstance(shift[0], str) and "failures" not in inputs


class Clock:
    """Instants, wall times and minutes of a case, moved by whole weeks into reach of a pattern."""

    def __init__(self, first: Any, unit: float) -> None:
        self.unit = unit
        self.day, self.moved = BASE, timedelta()
        self.begin: datetime | None = None
        if isinstance(first, str) and DATED.match(first):
            shown = instant_of(first)
            monday = shown.date() - timedelta(days=shown.weekday())
            self.moved = BASE.date() - monday
            self.day = datetime(shown.year, shown.month, shown.day, tzinfo=shown.tzinfo)
        self.begin = self.read(first)

    def read(self, given: Any) -> datetime:
        if isinstance(given, int | float):
            return at(BASE, given * self.unit)
        if DATED.match(given):
            return instant_of(given) + self.moved
        found = at(self.day + self.moved, clock_s(given))
        if self.begin is not None and found < self.begin and not self._just_before(found):
            found += timedelta(days=1)  # after midnight
        return found

    def _just_before(self, when: datetime) -> bool:
        """What reaches into a shift from before began in the hours before it."""
        assert self.begin is not None
        return (self.begin - when).total_seconds() < 4 * HOUR and self.begin.hour >= 4


def _intervals(inputs: Numbers, names: tuple[str, ...]) -> list[list[Any]]:
    """[from, to, what] each."""
    found = []
    for name in names:
        for row in inputs.get(name) or []:
            cells = list(row.values()) if isinstance(row, dict) else list(row)
            if isinstance(row, dict):
                cells.sort(key=lambda c: not _is_time(c))
            times = [c for c in cells if c is None or _is_time(c)][:2]
            words = [c for c in cells if isinstance(c, str) and not _is_time(c)]
            found.append([times[0], times[1] if len(times) > 1 else None, *words[:1]])
    return found


def _is_time(cell: Any) -> bool:
    number = isinstance(cell, int | float) and not isinstance(cell, bool)
    return number or (isinstance(cell, str) and re.match(r"\d+:\d|\d{4}-\d", cell) is not None)


def clipped(db: psycopg.Connection, case: Case) -> Numbers:
    """Stops that reach over the shift, into a break, overlap, or are open; seen at an instant."""
    inputs = case.inputs
    worked = {n for n, v in inputs.items() if n in RUNNING and isinstance(v, list)}
    stops, rows = _intervals(inputs, STOPS), _intervals(inputs, ROWS)
    for name in sorted(worked):
        spans = inputs[name] if isinstance(inputs[name][0], list) else [inputs[name]]
        rows += [[first, last, name] for first, last in spans]
    works = [row for row in rows if len(row) > 2 and str(row[2]).lower() in RUNNING]
    shift = inputs.get("shift") or inputs.get("window")
    unit = UNITS[inputs.get("unit") or _unit_of(inputs.get("columns") or []) or "min"]
    clock = Clock(shift[0] if shift else rows[0][0], unit)
    spans = [
        (clock.read(a), clock.read(b)) for a, b in ([shift] if shift else [r[:2] for r in rows])
    ]
    begin, end = min(a for a, _ in spans), max(b for _, b in spans)
    taken = {"shift", "window", "now", "as_of", *STOPS, *ROWS, *RESTS, *worked}
    d = describe(inputs, taken)
    schedule(db, 14 * 86400)
    set_policies(db, d.policies)
    for row in _intervals(inputs, RESTS):
        plant.plan(db, clock.read(row[0]), clock.read(row[1]))
    if not shift:  # what no row tells of is not counted
        for first, last in _gaps(spans):
            plant.plan(db, first, last)
    now = inputs.get("now") or inputs.get("as_of")
    told = [row for row in (*stops, *rows) if row not in works]
    for (first, last), reason in _cut(clock, told):
        _stop(db, first, last, reason)
    as_of = clock.read(now) if now else None
    before = named(plant.figures(db, begin, end, as_of=as_of))
    pieces = pieces_of(d, before["planned_s"], before["run_s"])
    if works and pieces.cycle is None and not pieces.total:
        # Productive time is all good and at best speed, as far as the rows say.
        pieces = pieces_of(describe({"ideal_cycle_s": 1, "good_count": before["run_s"]}), 1, 1)
    book(db, pieces, min(end, as_of) if as_of else end)
    d.check_used()
    return named(plant.figures(db, begin, end, as_of=as_of))


def _unit_of(columns: list[str]) -> str | None:
    return next((w for c in columns for w in [c.split("_")[-1]] if w in UNITS), None)


def _gaps(spans: list[Span]) -> list[Span]:
    found, until = [], min(a for a, _ in spans)
    for first, last in sorted(spans):
        if first > until:
            found.append((until, first))
        until = max(until, last)
    return found


def _cut(clock: Clock, rows: list[list[Any]]) -> list[tuple[tuple[datetime, datetime | None], Any]]:
    """Time that several stops tell of counts once: the earlier one keeps it."""
    found: list[tuple[tuple[datetime, datetime | None], Any]] = []
    until: datetime | None = datetime.min.replace(tzinfo=UTC)
    for row in sorted(rows, key=lambda r: clock.read(r[0])):
        first = clock.read(row[0])
        last = clock.read(row[1]) if row[1] is not None else None
        if last is not None and last < first:
            raise Unread(f"a stop that ends before it begins: {row}")
        if until is None or (last is not None and last <= until):
            continue
        found.append(((max(first, until), last), row[2] if len(row) > 2 else None))
        until = last
    return found


def _stop(db: psycopg.Connection, first: datetime, last: datetime | None, reason: Any) -> None:
    code = re.sub(r"[^a-z0-9]+", "-", str(reason or "breakdown").lower()).strip("-")
    if last is not None and re.search(r"(^|-)(break|lunch|pause|planned|scheduled)(-|$)", code):
        plant.plan(db, first, last)
        return
    try:
        plant.stop(db, first, last, code)
    except Refused as error:
        if error.code != "stop.unknown_reason":
            raise
        is_setup = re.search("setup|changeover|tool", code) is not None
        call(
            db, "planner", "save_stop_reason", p_code=code, p_title=code, p_parent="unplanned",
            p_time_class="changeover" if is_setup else "breakdown",
        )  # fmt: skip
        plant.stop(db, first, last, code)
