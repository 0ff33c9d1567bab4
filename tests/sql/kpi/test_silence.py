"""A machine that says nothing: nobody knows, and nothing is made up."""

from __future__ import annotations

from datetime import datetime

import psycopg
from psycopg.types.json import Jsonb

from tests.sql.kpi import plant
from tests.sql.kpi.plant import START, at, count, figures, machine
from tests.support.rpc import call

MINUTE, HOUR = 60, 3600


def test_no_data_is_neither_running_nor_idle(db: psycopg.Connection) -> None:
    machine(db, silence_s=300)
    plant.around_the_clock(db)
    signal(db, "running", START, at(START, 200), at(START, 40 * MINUTE))
    f = figures(db, START, at(START, HOUR), as_of=at(START, HOUR))
    # silent from its last word on, twice
    assert (f["no_data_s"], f["run_s"]) == (HOUR - 200, 200)


def test_shorter_silence_is_nothing(db: psycopg.Connection) -> None:
    machine(db, silence_s=300)
    plant.around_the_clock(db)
    signal(db, "running", *(at(START, n * 300) for n in range(13)))
    f = figures(db, START, at(START, HOUR))
    assert (f["no_data_s"], f["run_s"]) == (0, HOUR)


def test_counting_breaks_the_silence(db: psycopg.Connection) -> None:
    machine(db, silence_s=300)
    plant.around_the_clock(db)
    signal(db, "running", START, at(START, 500))
    count(db, {"at": at(START, 250), "good": 1})
    assert figures(db, START, at(START, 500))["run_s"] == 500


def signal(db: psycopg.Connection, name: str, *times: datetime) -> None:
    rows = [{"machine": "m1", "at": t.isoformat(), "state": name} for t in times]
    call(db, "equipment", "record_machine_states", p_events=Jsonb(rows))
