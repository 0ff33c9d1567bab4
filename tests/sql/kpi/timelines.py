"""Worked examples that are told by a printed timeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise

import psycopg

from tests.sql.kpi import plant
from tests.sql.kpi.examples import Case, look_up
from tests.sql.kpi.instants import clock_s, column, say, state_of
from tests.sql.kpi.layout import named, schedule, set_policies
from tests.sql.kpi.plant import BASE, at
from tests.sql.kpi.reading import UNITS, Numbers, Unread, describe

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
    at_planned, at_hour = column(columns, "planned"), column(columns, "hour")
    at_state = column(columns, "state", "status")
    at_from, at_to = column(columns, "from", "start", "begin"), column(columns, "to", "end")
    at_length = column(columns, "duration", "total", "minutes", "seconds", "length")
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


def segments(db: psycopg.Connection, case: Case) -> Numbers:
    """States one after another, each row with its part of planned downtime. Where the table has a
    column of its own for disconnected time that time is not scheduled; `…_ours`: it is a loss."""
    rows = _read_segments(case.inputs)
    d = describe(case.inputs, {"segments", "timeline", "idle_threshold_s", "idle_threshold_min"})
    starts = [0.0, *accumulate(row.length for row in rows)]
    schedule(db, starts[-1], silence_s=1)
    for n, word in enumerate(_words(rows, case.inputs)):
        if rows[n].length:
            say(db, word, at(BASE, starts[n]))
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
