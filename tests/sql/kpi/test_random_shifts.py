"""Ten thousand random shifts: live, kept, reported and exported, a figure is one figure."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from services.api.machine_export import FILES, cell
from takt.tables import csv_file
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


def test_report_and_file_show_what_was_kept(db: psycopg.Connection) -> None:
    """The file has every figure as the report has it, to the last digit."""
    kept = db.execute(
        "select o.machine || ' ' || i.shift_date || ' ' || i.shift, o.inputs, o.ratios"
        " from public.oee_shifts o join public.shift_instances i on i.id = o.shift_id"
    ).fetchall()
    begin = datetime.now(UTC) - timedelta(days=31)
    reported, exported = {}, {}
    for n in range(MACHINES):
        rows = plant.oee(db, begin, datetime.now(UTC), code=f"r{n}", by="shift")
        reported |= {f"r{n} {row['key']}": (row["inputs"], row["ratios"]) for row in rows}
        exported |= {f"r{n} {line['key']}": line for line in _file(rows)}
    assert len(kept) == MACHINES * SHIFTS
    assert reported == {key: (inputs, ratios) for key, inputs, ratios in kept}
    assert set(exported) == set(reported)
    figures = [path.split(".") for _, path in FILES["oee"].columns if "." in path]
    for key, inputs, ratios in kept:
        parts = {"inputs": inputs, "ratios": ratios}
        wanted = {name: parts[part][name] for part, name in figures}
        assert {n: _number(exported[key][n]) for n in wanted} == wanted, key


def _file(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Written as the export writes it, read as anybody would."""
    columns = FILES["oee"].columns
    content = csv_file(
        [name for name, _ in columns], [[cell(r, p) for _, p in columns] for r in rows]
    )
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def _number(text: str) -> float | None:
    return float(text) if text else None


def test_shifts_are_the_parts_of_their_machine(db: psycopg.Connection) -> None:
    """Σ of the kept shifts = the report over the whole time, of every machine and figure."""
    db.execute("reset role")
    kept = db.execute(
        "select o.machine, f.key, sum(f.value::numeric) from public.oee_shifts o"
        " cross join lateral jsonb_each_text(o.inputs) f group by 1, 2"
    ).fetchall()
    ends = db.execute("select min(starts_at), max(ends_at) from public.oee_shifts").fetchone()
    assert ends is not None
    whole = plant.oee(db, *ends, code=None, site="main", by="machine")
    reported = {row["key"]: row["inputs"] for row in whole}
    assert len(reported) == MACHINES
    beside = {"window_s", "unscheduled_pieces"}  # what is between the shifts is in these
    wrong = [
        (code, name, total, reported[code][name])
        for code, name, total in kept
        if name not in beside and total != Decimal(str(reported[code][name]))
    ]
    assert wrong == []


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
