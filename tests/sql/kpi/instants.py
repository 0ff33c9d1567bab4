"""Words of worked examples that are told by instants."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import psycopg

from tests.sql.kpi import plant
from tests.sql.kpi.layout import silent
from tests.sql.kpi.reading import Unread

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


def say(db: psycopg.Connection, word: str, when: datetime) -> None:
    if word == "silent":
        silent(db, when)
    else:
        plant.state(db, word, when)


def column(columns: list[str], *words: str) -> int | None:
    return next((n for n, c in enumerate(columns) if any(w in c.lower() for w in words)), None)


def instant_of(text: Any) -> datetime:
    found = datetime.fromisoformat(str(text))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def clock_s(text: str) -> float:
    """Seconds since midnight of 07:05, 7:05 AM or 10:43:22."""
    found = re.fullmatch(r"\s*(\d+):(\d+)(?::([\d.]+))?\s*([AaPp][Mm])?Z?\s*", str(text))
    if found is None:
        raise Unread(f"not understood: time {text}")
    hours, minutes, seconds, half = found.groups()
    hour = int(hours) if half is None else int(hours) % 12 + 12 * (half.lower() == "pm")
    return hour * 3600 + int(minutes) * 60 + float(seconds or 0)
