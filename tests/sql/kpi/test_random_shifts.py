"""Ten thousand random shifts: what is live, what was kept and what is reported are one figure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.sql.kpi import plant
from tests.support.databases import Clone

MACHINES, SHIFTS = 40, 250
pytestmark = pytest.mark.timeout(600)  # a minute of Postgres, on a machine that does other things
_STATES = ("running", "running", "setup", "idle", "stopped", "fault", "off")
_REASONS = (None, "breakdown", "material", "no-order", "jam")
Row = tuple[Any, ...]


@pytest.fixture(scope="module")
def db(module_clone: Clone) -> Iterator[psycopg.Connection]:
    """The shifts, what happened in them, and their kept figures."""
    with module_clone.connect() as connection:
        plant.work_centre(connection)
        dice = random.Random(4)
        for n in range(MACHINES):
            plant.machine(connection, f"r{n}", silence_s=dice.choice((60, 600, 3600)))
            _fill(connection, f"r{n}", dice)
        connection.execute("select private.snapshot_shifts(now())")
        connection.execute("analyze")  # no autovacuum does it here
        _keep(connection)
        yield connection


def _fill(db: psycopg.Connection, code: str, dice: random.Random) -> None:
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=30)
    shifts: list[Row] = []
    states: list[Row] = []
    counts: list[Row] = []
    planned: list[Row] = []
    stops: list[Row] = []
    for n in range(SHIFTS):
        begin = at + timedelta(seconds=dice.choice((0, 0, dice.randint(1, 2400))))
        at = begin + timedelta(seconds=dice.randint(1800, 7200))
        during = _range(begin, at)
        shifts.append((code, "main", "CNC-1", f"s{n}", f"s{n}", begin.date(), during))
        for k in range(dice.randint(0, 6)):
            when = begin + (at - begin) * dice.random()
            states.append((code, when, k, dice.choice(_STATES), dice.choice(("signal", "person"))))
            good, scrap = dice.randint(0, 9), dice.randint(0, 2)
            if good + scrap:
                counts.append((code, f"{n}/{k}", when, good, scrap, 0, dice.choice((7, 7, 12.5))))
        if dice.random() < 0.2:
            planned.append(
                (code, "main", dice.choice(("break", "meeting")), _part(begin, at, dice))
            )
        if dice.random() < 0.15:
            stops.append(_stop(code, _part(begin, at, dice), dice))
    _copy(
        db, "shift_instances (machine, site, work_centre, shift, title, shift_date, during)", shifts
    )
    _copy(db, "machine_state_events (machine, at, seq, state, source)", states)
    _copy(db, "count_events (machine, key, at, good, scrap, rework, ideal_s)", counts)
    _copy(db, "planned_stops (machine, site, time_class, during)", planned)
    _copy(db, "stops (machine, site, during, source, reason, time_class)", stops)


def _range(begin: datetime, end: datetime) -> str:
    return f"[{begin.isoformat()},{end.isoformat()})"


def _part(begin: datetime, end: datetime, dice: random.Random) -> str:
    first = begin + (end - begin) * dice.random() * 0.8
    return _range(first, first + (end - first) * max(dice.random(), 0.01))


def _stop(code: str, during: str, dice: random.Random) -> Row:
    reason = dice.choice(_REASONS)
    classes = {"breakdown": "breakdown", "material": "material", "no-order": "no_order"}
    kind = None if reason is None else classes.get(reason, "breakdown")
    return (code, "main", during, dice.choice(("signal", "person")), reason, kind)


def _copy(db: psycopg.Connection, target: str, rows: list[Row]) -> None:
    with db.cursor() as cursor, cursor.copy(f"copy public.{target} from stdin") as copy:
        for row in rows:
            copy.write_row(row)


def _keep(db: psycopg.Connection) -> None:
    """The job of the clock, until nothing is left to do."""
    for _ in range(2 + MACHINES * SHIFTS // 100):
        db.execute("select private.snapshot_shifts(now())")
    left = db.execute(
        "select count(*) from public.shift_instances i"
        " left join public.oee_shifts o on o.shift_id = i.id"
        " where not i.is_closed or o.shift_id is null or o.is_dirty"
    ).fetchone()
    assert left == (0,)


def _different(db: psycopg.Connection, where: str = "") -> tuple[int, int]:
    """How many shifts there are, and of how many the kept figures are not the live ones."""
    row = db.execute(
        "select count(*), count(*) filter (where x.kept <> x.live or x.kept_ratios <> x.ratios)"
        " from (select o.inputs as kept, o.ratios as kept_ratios, to_jsonb(k.live) as live,"
        " to_jsonb(private.kpi_ratios(k.live)) as ratios from public.oee_shifts o"
        " cross join lateral (select private.kpi_window(o.machine, o.starts_at, o.ends_at, now())"
        f" as live offset 0) k {where}) x"
    ).fetchone()  # fmt: skip
    assert row is not None
    return int(row[0]), int(row[1])


def test_live_is_what_was_kept_of_ten_thousand_shifts(db: psycopg.Connection) -> None:
    assert _different(db) == (MACHINES * SHIFTS, 0)


def test_the_report_shows_what_was_kept(db: psycopg.Connection) -> None:
    kept = db.execute(
        "select o.machine || ' ' || i.shift_date || ' ' || i.shift, o.inputs, o.ratios"
        " from public.oee_shifts o join public.shift_instances i on i.id = o.shift_id"
    ).fetchall()
    begin = datetime.now(UTC) - timedelta(days=31)
    reported = {
        f"r{n} {row['key']}": (row["inputs"], row["ratios"])
        for n in range(MACHINES)
        for row in plant.oee(db, begin, datetime.now(UTC), code=f"r{n}", by="shift")
    }
    assert len(kept) == MACHINES * SHIFTS
    assert reported == {key: (inputs, ratios) for key, inputs, ratios in kept}


def test_shifts_are_the_parts_of_their_machine(db: psycopg.Connection) -> None:
    """Σ of the kept shifts = the whole window at once, for every machine."""
    db.execute("reset role")
    rows = db.execute(
        "select k.machine, (k.whole).planned_s - k.planned, (k.whole).run_s - k.run,"
        " (k.whole).total - k.total from (select o.machine,"
        " private.kpi_window(o.machine, min(o.starts_at), max(o.ends_at), now()) as whole,"
        " sum((o.inputs ->> 'planned_s')::numeric) as planned,"
        " sum((o.inputs ->> 'run_s')::numeric) as run,"
        " sum((o.inputs ->> 'total')::numeric) as total"
        " from public.oee_shifts o group by o.machine) k"
    ).fetchall()
    assert len(rows) == MACHINES
    assert [row for row in rows if any(row[1:])] == []


def test_late_facts_correct_what_was_kept(db: psycopg.Connection) -> None:
    dice = random.Random(5)
    db.execute("reset role")
    rows = db.execute("select machine, starts_at, ends_at from public.oee_shifts order by 1, 2")
    some = dice.sample(rows.fetchall(), 60)
    for n, (code, begin, end) in enumerate(some):
        when = begin + (end - begin) * dice.random()
        if n % 2:
            _copy(db, "machine_state_events (machine, at, state)", [(code, when, "idle")])
        else:
            count = (code, f"late{n}", when, 3, 0, 0, 7)
            _copy(db, "count_events (machine, key, at, good, scrap, rework, ideal_s)", [count])
    dirty = db.execute("select count(*) from public.oee_shifts where is_dirty").fetchone()
    assert dirty is not None
    assert dirty[0] >= 50
    _keep(db)
    changed, different = _different(db, "where o.recomputed > 0")
    assert changed >= 30
    assert different == 0
    assert _different(db, "where o.shift_id % 10 = 0")[1] == 0
