"""Machine time: figures that cost the same after years, states that come in, a wall of machines."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from bench.harness import Ratio, Script, compare, owner
from services.local.postgres import PostgresServer

_HERE = Path(__file__).parent
_WINDOW = (
    "select private.kpi_window('{machine}', '{begin}', '{begin}'::timestamptz + interval '8 hours')"
)
_BOARD = (
    "select sum((k.i).run_s) from public.machines m cross join lateral"
    " (select private.kpi_window(m.code, '{begin}', '{begin}'::timestamptz + interval '8 hours')"
    " as i offset 0) k"
    " where m.code like 'long-%'"
)
_WALL = "select count(*) from public.get_andon(p_site => 'kpi')"
_BATCH = 200
_numbers = itertools.count()


def run(server: PostgresServer) -> list[Ratio]:
    """Ratios, each against a yardstick of the same run."""
    with owner(server) as db:
        db.execute((_HERE / "kpi.sql").read_bytes())
        db.execute("analyze")
        row = db.execute("select date_trunc('day', now()) - interval '1 day'").fetchone()
        assert row is not None
        begin = row[0].isoformat()
        return [
            _history(server, begin),
            _ingest(db),
            _counts(db),
            _board(server, begin),
            _wall(server, begin),
            _tick(db),
        ]


def _history(server: PostgresServer, begin: str) -> Ratio:
    long, short = (
        Script(_WINDOW.format(machine=machine, begin=begin)) for machine in ("long-1", "short-1")
    )
    ratio, ours, theirs = compare(lambda: long.rate(server), lambda: short.rate(server))
    name = "OEE of a machine-shift, 90 days × 50 machines"
    return Ratio(name, "1 day of one machine", ratio, ours, theirs, "≥ 0.83")


def _rate(db: psycopg.Connection, statement: str, per_run: float = _BATCH) -> float:
    """Rows a second of a statement that takes the number of its run."""
    begin, done = time.monotonic(), 0.0
    while time.monotonic() - begin < 2:
        db.execute(statement, (next(_numbers),))
        done += per_run
    return done / (time.monotonic() - begin)


def _ingest(db: psycopg.Connection) -> Ratio:
    """States in batches through the private function that every RPC uses, against bare inserts."""
    rows = (
        "select row(n, 'new-1', '2026-01-01'::timestamptz"
        f" + (%s * {_BATCH} + n) * interval '1 second', 0,"
        " (array['running', 'stopped'])[n %% 2 + 1], null)::private.state_row"
        f" from generate_series(1, {_BATCH}) n"
    )
    checked = f"select private.add_states(array({rows}), 'signal', null)"
    bare = (
        "insert into bench_states (machine, at, seq, state, source) select (r).machine, (r).at,"
        f" (r).seq, (r).state, 'signal' from ({rows}) as x (r)"
    )
    ratio, ours, theirs = compare(lambda: _rate(db, checked), lambda: _rate(db, bare))
    return Ratio(f"states taken in, batches of {_BATCH}", "bare insert", ratio, ours, theirs)


_COUNT_ROWS = (
    "select 'new-1' as machine, r.run || ' ' || n as key, '2026-01-01'::timestamptz"
    f" + (r.run * {_BATCH} + n) * interval '1 second' as at, 1 as good"
    f" from (values (%s::bigint)) as r (run), generate_series(1, {_BATCH}) n"
)
_BARE_COUNTS = f"insert into bench_counts (machine, key, at, good) {_COUNT_ROWS}"


def _counts(db: psycopg.Connection) -> Ratio:
    """Counts through the RPC that machines call, JSON, guard and all, against bare inserts."""
    asked = (
        "select public.record_counts((select jsonb_agg(to_jsonb(c)) from"
        f" ({_COUNT_ROWS}) c), gen_random_uuid())"
    )
    claims = "select set_config('request.jwt.claims', %s, false)"
    db.execute(claims, ('{"role": "service_role"}',))
    ratio, ours, theirs = compare(lambda: _rate(db, asked), lambda: _rate(db, _BARE_COUNTS))
    db.execute(claims, ("",))
    name = f"counts taken in by record_counts, batches of {_BATCH}"
    return Ratio(name, "bare insert", ratio, ours, theirs)


def _tick(db: psycopg.Connection) -> Ratio:
    """The clock with every job of it due; figures of shifts that are over are kept by then."""
    due = "update private.scheduled_jobs set last_run_at = null where %s::bigint is not null"

    def tick() -> float:
        begin, done = time.monotonic(), 0
        while time.monotonic() - begin < 2:
            db.execute(due, (0,))
            db.execute("select private.tick(now())")
            done += 1
        return done / (time.monotonic() - begin)

    tick()
    # Months of shifts that nobody has kept yet are no minute of a plant: only the last day is.
    old = "update public.shift_instances set is_closed = true where upper(during) < %s"
    db.execute(old, (datetime.now(UTC) - timedelta(days=1),))
    ratio, ours, theirs = compare(tick, lambda: _rate(db, _BARE_COUNTS, 1))
    yardstick = f"a bare insert of {_BATCH} rows"
    return Ratio("the clock, every job due, 52 machines", yardstick, ratio, ours, theirs)


def _wall(server: PostgresServer, begin: str) -> Ratio:
    """What the andon asks for: state, stop, call and the figures of the shift that is on."""
    wall = Script(_WALL, role="service_role", claims={"role": "service_role"})
    one = Script(_WINDOW.format(machine="long-1", begin=begin))
    ratio, ours, theirs = compare(lambda: wall.rate(server, per_run=52), lambda: one.rate(server))
    name = "the andon wall of 52 machines in one read, per machine"
    return Ratio(name, "OEE of one machine-shift", ratio, ours, theirs)


def _board(server: PostgresServer, begin: str) -> Ratio:
    board = Script(_BOARD.format(begin=begin))
    one = Script(_WINDOW.format(machine="long-1", begin=begin))
    ratio, ours, theirs = compare(lambda: board.rate(server, per_run=50), lambda: one.rate(server))
    name = "figures of all 50 machines in one read, per machine"
    return Ratio(name, "one machine", ratio, ours, theirs)
