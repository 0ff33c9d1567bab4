"""Worked examples that are told by instants: states, counters, stops from here to there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any

import psycopg

from tests.sql.kpi import plant
from tests.sql.kpi.examples import Case, look_up
from tests.sql.kpi.layout import HOUR, book, count, named, pieces_of, schedule, set_policies, silent
from tests.sql.kpi.plant import BASE, at
from tests.sql.kpi.reading import UNITS, Description, Numbers, Unread, describe
from tests.support.rpc import Refused, call

EVENTS = ("events", "state_events", "production_events", "states")
PARTS = ("part_events", "count_events", "parts", "counts", "counters")
STOPS = ("downtimes", "stops", "stop_intervals", "downtime_intervals")
ROWS = ("intervals", "rows", "productivity", "losses")
RESTS = ("breaks", "planned_stops", "planned_downtimes", "breaks_at")
NAMES = {*EVENTS, *PARTS, *STOPS, *ROWS, *RESTS, "segments", "timeline", "failures"}
RUNNING = {"running", "run", "welding", "processing", "executing", "producing", "production"}
RUNNING |= {"productive", "working", "work", "up", "on", "active"}
SAID = {
    "idle": "idle", "setup": "setup", "changeover": "setup", "off": "off", "power off": "off",
    "stopped": "stopped", "stop": "stopped", "down": "stopped", "fault": "fault",
    "faulted": "fault", "error": "fault", "starved": "starved", "blocked": "blocked",
    "maintenance": "maintenance",
}  # fmt: skip
SILENT = {"disconnected", "unknown", "no signal", "no_signal", "offline", "no data", "no_data"}
DATED = re.compile(r"\d{4}-\d\d-\d\d[T ]")
TOTAL = re.compile("count|part|total|pieces|n$")
Span = tuple[datetime, datetime]


def state_of(name: str) -> str:
    """Takt's word for a state; `silent` for none at all."""
    word = str(name).strip().lower()
    if word in RUNNING:
        return "running"
    if word in SILENT:
        return "silent"
    if word not in SAID:
        raise Unread(f"not understood: state {name}")
    return SAID[word]


def _say(db: psycopg.Connection, word: str, when: datetime) -> None:
    if word == "silent":
        silent(db, when)
    else:
        plant.state(db, word, when)


# States and counters --------------------------------------------------------------------------


def is_stream(inputs: Numbers) -> bool:
    return any(isinstance(inputs.get(name), list) for name in EVENTS)


def _column(columns: list[str], *words: str) -> int | None:
    return next((n for n, c in enumerate(columns) if any(w in c.lower() for w in words)), None)


def _read_events(inputs: Numbers) -> tuple[list[tuple[datetime, Any]], list[Numbers]]:
    """(instants and states, instants and counters)"""
    states, counters = [], []
    for name in (*EVENTS, *PARTS):
        rows = inputs.get(name) or []
        columns = inputs.get(f"{name}_columns") or inputs.get("columns") or []
        if not columns or (rows and not isinstance(rows[0], dict) and len(columns) != len(rows[0])):
            kinds = ["time", "state", "total", "bad"] if name == "events" else None
            columns = kinds or (["time", "state"] if name in EVENTS else ["time", "total", "bad"])
        when, state = _column(columns, "time", "at", "start"), _column(columns, "state", "status")
        bad = _column(columns, "bad", "scrap", "reject", "defect")
        good = _column(columns, "good")
        total = next(
            (n for n, c in enumerate(columns)
             if n not in (when, state, bad, good) and TOTAL.search(c.lower())),
            None,
        )  # fmt: skip
        for given in rows:
            row = list(given.values()) if isinstance(given, dict) else given
            if isinstance(given, dict) and columns != list(given):
                return _read_events(
                    {**inputs, name: [list(g.values()) for g in rows], "columns": list(given)}
                )
            instant = instant_of(row[when or 0])
            if state is not None and state < len(row) and row[state] is not None:
                states.append((instant, row[state]))
            found = {
                k: row[n]
                for k, n in (("total", total), ("bad", bad), ("good", good))
                if n is not None and n < len(row) and row[n] is not None
            }
            if found:
                counters.append(
                    {"at": instant, "delta": any("delta" in c.lower() for c in columns), **found}
                )
    return states, counters


def instant_of(text: Any) -> datetime:
    found = datetime.fromisoformat(str(text))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def stream(db: psycopg.Connection, case: Case) -> Numbers:
    """States with cumulative counters; the last state extends to the end of the window. What is
    planned beyond the window was not worked; what is not planned of it is taken from its stops."""
    inputs = case.inputs
    states, counters = _read_events(inputs)
    states.sort(key=lambda s: s[0])
    counters.sort(key=lambda c: c["at"])
    window = inputs.get("window") or inputs.get("shift")
    if window is None:
        raise Unread("events, and no window")
    shown = [instant_of(x) for x in window]
    moved = timedelta(days=(BASE.date() - shown[0].date()).days)
    begin, end = (x + moved for x in shown)
    taken = {*EVENTS, *PARTS, "window", "shift", "running_state", "columns"}
    d = describe(inputs, taken | {f"{n}_columns" for n in (*EVENTS, *PARTS)})
    length = (end - begin).total_seconds()
    planned = d.get("planned") or d.get("length") or length
    schedule(db, (begin - BASE).total_seconds() + max(planned, length), silence_s=1)
    running = inputs.get("running_state")
    marks = []
    for when, name in states:
        said = "running" if running is not None and name == running else None
        word = said or (
            "stopped"
            if running is not None and str(name).lower() not in (*SAID, *SILENT)
            else state_of(name)
        )
        if running is not None and said is None and word == "running":
            word = "stopped"
        marks.append((max(when + moved, begin), word))
    if marks and marks[0][0] > begin:  # before the first word it did not run
        marks.insert(0, (begin, "stopped"))
    for when, word in marks:
        _say(db, word, when)
    if planned >= length:
        plant.state(db, "stopped", end)
    else:
        _plan_in_stops(db, marks, end, length - planned)
    counts = [{**row, "at": row["at"] + moved} for row in _deltas(counters)]
    _book_counters(db, d, counts, (begin, end))
    d.check_used()
    return named(plant.figures(db, begin, at(begin, max(planned, length))))


def _plan_in_stops(
    db: psycopg.Connection, marks: list[tuple[datetime, str]], end: datetime, left: float
) -> None:
    for (first, word), (last, _) in pairwise([*marks, (end, "")]):
        length = min(left, (last - first).total_seconds())
        if word != "running" and length > 0:
            plant.plan(db, first, at(first, length))
            left -= length
    if left > 0.001:
        raise Unread("the window is longer than planned time and stops")


def _deltas(counters: list[Numbers]) -> list[Numbers]:
    """Pieces since the counter before. A counter that fell has begun anew; a piece that is found to
    be bad later is one of those before."""
    rows: list[Numbers] = []
    for before, now in pairwise(
        [{**counters[0], "first": True}, *counters[1:]] if counters else []
    ):
        if now["delta"]:
            continue
        step = {
            k: now[k] - before.get(k, 0) if now[k] >= before.get(k, 0) else now[k]
            for k in ("total", "bad", "good") if k in now
        }  # fmt: skip
        rows.append({"at": now["at"], **step})
    if counters and counters[0]["delta"]:
        rows = counters
    found = []
    for row in rows:
        bad = row.get("bad", 0)
        good = row["good"] if "good" in row else row.get("total", 0) - bad
        found.append({"at": row["at"], "good": good, "scrap": bad})
        for earlier in reversed(found[:-1]):
            late = min(-found[-1]["good"], earlier["good"])
            if late > 0:
                earlier["good"] -= late
                earlier["scrap"] += late
                found[-1]["good"] += late
                found[-1]["scrap"] -= late
        if found[-1]["good"] < 0:
            raise Unread("more bad pieces than pieces")
    return [row for row in found if row["good"] + row["scrap"] > 0]


def _book_counters(
    db: psycopg.Connection, d: Description, rows: list[Numbers], window: Span
) -> None:
    begin, end = window
    if (cycle := d.get("cycle")) is not None:
        plant.ideal(db, cycle)
    for number, row in enumerate(rows):  # what a counter shows was made before
        when = max(begin, at(min(row["at"], end), -60))
        count(db, {"at": when, "key": f"c{number}", "good": row["good"], "scrap": row["scrap"]})


# A printed timeline ---------------------------------------------------------------------------


def is_timeline(inputs: Numbers) -> bool:
    return any(isinstance(inputs.get(name), list) for name in ("segments", "timeline"))


@dataclass
class Segment:
    hour: str
    state: str
    length: float
    planned: float


HOURLY = "hour disconnected scheduled planned_down planned_production unplanned_down operating"


def _read_segments(inputs: Numbers) -> list[Segment]:
    rows = inputs.get("segments") or inputs.get("timeline") or []
    if rows and isinstance(rows[0], dict):
        inputs = {**inputs, "columns": list(rows[0])}
        rows = [list(row.values()) for row in rows]
    columns = inputs.get("columns") or {
        4: ["hour", "state", "duration", "planned"], 3: ["state", "duration", "planned"],
        2: ["state", "duration"],
    }[len(rows[0])]  # fmt: skip
    unit = UNITS[inputs["unit"]] if "unit" in inputs else None
    at_planned, at_hour = _column(columns, "planned"), _column(columns, "hour")
    at_state = _column(columns, "state", "status")
    at_from, at_to = _column(columns, "from", "start", "begin"), _column(columns, "to", "end")
    at_length = _column(columns, "duration", "total", "minutes", "seconds", "length")
    if at_state is None or (at_length is None and (at_from is None or at_to is None)):
        raise Unread(f"not understood: columns {columns}")
    if at_length is not None and unit is None:
        unit = next(
            (UNITS[w] for w in reversed(columns[at_length].lower().split("_")) if w in UNITS), None
        )
        if unit is None:
            raise Unread("a timeline without a unit")
    found = []
    for row in rows:
        if at_length is None:
            assert at_from is not None
            assert at_to is not None
            first, last = clock_s(row[at_from]), clock_s(row[at_to])
            parts = _by_hours(first, last if last > first else last + 86400)
        else:
            parts = [
                (
                    str(row[at_hour]) if at_hour is not None else "",
                    float(row[at_length]) * (unit or 1),
                )
            ]
        says = row[at_planned] if at_planned is not None else 0
        for hour, length in parts:
            if isinstance(says, str | bool):
                planned = length if str(says).lower() in ("yes", "true", "y") else 0.0
            else:
                planned = min(float(says) * (unit or 1), length)
            found.append(Segment(hour, str(row[at_state]), length, planned))
    return found


def _by_hours(first: float, last: float) -> list[tuple[str, float]]:
    marks = [first, *(h for h in range(0, 2 * 86400, 3600) if first < h < last), last]
    return [(f"{int(a // 3600) % 24:02}", b - a) for a, b in pairwise(marks)]


def clock_s(text: str) -> float:
    """Seconds since midnight of 07:05, 7:05 AM or 10:43:22."""
    found = re.fullmatch(r"\s*(\d+):(\d+)(?::([\d.]+))?\s*([AaPp][Mm])?Z?\s*", str(text))
    if found is None:
        raise Unread(f"not understood: time {text}")
    hours, minutes, seconds, half = found.groups()
    hour = int(hours) if half is None else int(hours) % 12 + 12 * (half.lower() == "pm")
    return hour * 3600 + int(minutes) * 60 + float(seconds or 0)


def segments(db: psycopg.Connection, case: Case) -> Numbers:
    """States one after another, each row with its part of planned downtime. Where the table has a
    column of its own for disconnected time that time is not scheduled; `…_ours`: it is a loss."""
    rows = _read_segments(case.inputs)
    d = describe(case.inputs, {"segments", "timeline", "idle_threshold_s", "idle_threshold_min"})
    starts = [0.0, *accumulate(row.length for row in rows)]
    schedule(db, starts[-1], silence_s=1)
    for n, word in enumerate(_words(rows, case.inputs)):
        if rows[n].length:
            _say(db, word, at(BASE, starts[n]))
        if rows[n].planned:
            goes_on = n > 0 and rows[n - 1].planned > 0
            first = starts[n] if goes_on else starts[n + 1] - rows[n].planned
            plant.plan(db, at(BASE, first), at(BASE, first + rows[n].planned))
    end = at(BASE, starts[-1])
    ours = named(plant.figures(db, BASE, end))
    columns = case.expected.get("hourly_columns", HOURLY.split())
    if "disconnected" in columns or "no_data" in d.policies:
        set_policies(db, {"no_data": d.policies.get("no_data", "excluded")})
    hours = [_table(db, at(BASE, a), at(BASE, b)) for a, b in _hours(rows, starts)]
    unit = case.inputs.get("unit", "s")
    labels = list(dict.fromkeys(row.hour for row in rows))
    whole = _table(db, BASE, end)
    d.check_used()
    return whole | {f"{name}_ours": value for name, value in ours.items()} | {
        "hourly": [
            [label if c == "hour" else look_up(c, f, unit) for c in columns]
            for label, f in zip(labels, hours, strict=True)
        ],
        "hourly_availability_pct": [_percent(f["availability"]) for f in hours],
        "shift": whole,
    }  # fmt: skip


def _hours(rows: list[Segment], starts: list[float]) -> list[tuple[float, float]]:
    found = []
    for hour in dict.fromkeys(row.hour for row in rows):
        of = [n for n, row in enumerate(rows) if row.hour == hour]
        found.append((starts[of[0]], starts[of[-1] + 1]))
    return found


def _percent(share: float | None) -> int | None:
    return None if share is None else int(100 * share + 0.5)


def _table(db: psycopg.Connection, first: datetime, last: datetime) -> Numbers:
    """Figures of a time in which disconnected time may be excluded, and then is not scheduled."""
    f = named(plant.figures(db, first, last))
    silent_s = f["excluded_s"] - f["planned_stop_s"]
    return f | {"scheduled_s": f["scheduled_s"] - silent_s}


def _words(rows: list[Segment], inputs: Numbers) -> list[str]:
    """Idle is at work, unless it lasts longer than a threshold that is given."""
    limit = inputs.get("idle_threshold_s", inputs.get("idle_threshold_min"))
    if limit is not None and "idle_threshold_min" in inputs:
        limit = limit * 60
    words = [state_of(row.state) for row in rows]
    lasting = [0.0] * len(rows)
    first = 0
    for n in range(1, len(rows) + 1):
        if n == len(rows) or words[n] != words[first]:
            lasting[first:n] = [sum(row.length for row in rows[first:n])] * (n - first)
            first = n
    return [
        "running" if word == "idle" and (limit is None or lasting[n] <= limit) else word
        for n, word in enumerate(words)
    ]


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
