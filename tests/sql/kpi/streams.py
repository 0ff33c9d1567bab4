"""Worked examples that are told by states and counters."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg

from tests.sql.kpi import plant
from tests.sql.kpi.examples import Case
from tests.sql.kpi.instants import (
    EVENTS,
    PARTS,
    SAID,
    SILENT,
    TOTAL,
    Span,
    column,
    instant_of,
    say,
    state_of,
)
from tests.sql.kpi.layout import count, named, schedule
from tests.sql.kpi.plant import BASE, at
from tests.sql.kpi.reading import Description, Numbers, Unread, describe

# States and counters --------------------------------------------------------------------------


def is_stream(inputs: Numbers) -> bool:
    return any(isinstance(inputs.get(name), list) for name in EVENTS)


def _read_events(inputs: Numbers) -> tuple[list[tuple[datetime, Any]], list[Numbers]]:
    """(instants and states, instants and counters)"""
    states, counters = [], []
    for name in (*EVENTS, *PARTS):
        rows = inputs.get(name) or []
        columns = inputs.get(f"{name}_columns") or inputs.get("columns") or []
        if not columns or (rows and not isinstance(rows[0], dict) and len(columns) != len(rows[0])):
            kinds = ["time", "state", "total", "bad"] if name == "events" else None
            columns = kinds or (["time", "state"] if name in EVENTS else ["time", "total", "bad"])
        when, state = column(columns, "time", "at", "start"), column(columns, "state", "status")
        bad = column(columns, "bad", "scrap", "reject", "defect")
        good = column(columns, "good")
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
        say(db, word, when)
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
