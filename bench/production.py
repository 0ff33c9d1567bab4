"""Imports of production orders against COPY and plain upserts; a scan at a station, end to end."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.types.json import Jsonb

from bench.harness import Ratio, owner
from services.local.postgres import PostgresServer
from tests.services.stack import Stack
from tests.services.test_rest import client, token

ROWS = 10_000
_SCANS = 300
_ROUNDS = 2
_PLANNER = json.dumps({"role": "service_role"})
# The yardstick writes the same rows by COPY and set-based upserts into copies of the tables: no
# guard, no report, no triggers, no foreign keys, nothing promised.
_COPIES = ("production_orders", "production_order_lines", "production_order_refs")
_QUEUE = ("order_fulfilments", "order_part_allocations", "events")
_SETUP = """
insert into public.inventory_items (sku, title, is_listed)
  values ('BENCH-TABLE', 'Table', false), ('BENCH-LEG', 'Leg', false), ('BENCH-TOP', 'Top', false)
  on conflict do nothing;
insert into public.product_requirements (parent_sku, sku, quantity)
  values ('BENCH-TABLE', 'BENCH-LEG', 4), ('BENCH-TABLE', 'BENCH-TOP', 1) on conflict do nothing;
create unlogged table if not exists private.bench_staged (
  external_id text, version bigint, code text, product_sku text, quantity numeric, due_date date,
  priority text, site text);
""" + "".join(
    f"create table if not exists private.bench_{table} (like public.{table}"
    " including defaults including identity including generated including indexes);\n"
    for table in (*_COPIES, *_QUEUE)
)
_UPSERTS = (
    "insert into private.bench_production_orders as o (code, site, source, product_sku, quantity,"
    " priority, due_date) select code, site, 'erp', product_sku, quantity, priority, due_date"
    " from private.bench_staged on conflict (code) do update set quantity = excluded.quantity,"
    " due_date = excluded.due_date where o.quantity <> excluded.quantity",
    "insert into private.bench_production_order_refs as f (system, external_id, order_id, version,"
    " payload_hash) select 'erp', s.external_id, o.id, s.version, md5(s::text)"
    " from private.bench_staged s join private.bench_production_orders o on o.code = s.code"
    " on conflict (order_id, system) do update set version = excluded.version,"
    " payload_hash = excluded.payload_hash where f.version < excluded.version",
    "insert into private.bench_production_order_lines select o.id, row_number() over (partition by"
    " o.id order by r.sku), r.sku, r.quantity from private.bench_staged s"
    " join private.bench_production_orders o on o.code = s.code"
    " join public.product_requirements r on r.parent_sku = s.product_sku on conflict do nothing",
    "insert into private.bench_order_fulfilments (production_order_id, code, site, rank, since)"
    " select o.id, o.code, o.site, 2, o.created_at from private.bench_staged s"
    " join private.bench_production_orders o on o.code = s.code on conflict do nothing",
    "insert into private.bench_order_part_allocations as a (fulfilment_id, production_order_id,"
    " line, sku, needed, rank, since) select f.id, l.order_id, l.line, l.sku,"
    " l.quantity * o.quantity, 2, f.since from private.bench_staged s"
    " join private.bench_production_orders o on o.code = s.code"
    " join private.bench_order_fulfilments f on f.production_order_id = o.id"
    " join private.bench_production_order_lines l on l.order_id = o.id"
    " on conflict (production_order_id, line) do update set needed = excluded.needed"
    " where a.needed <> excluded.needed",
)
_EVENTS = (
    "insert into private.bench_events (site, stream, stream_id, event, payload)"
    " select site, 'production_order', code, 'production.imported', jsonb_build_object('quantity',"
    " quantity, 'version', version, 'external_id', external_id, 'product_sku', product_sku)"
    " from private.bench_staged"
)
_CENTRE, _PIECES = "bench-saw", 5
# The bare statement asks for the same right of the same person.
_AS_OPERATOR = (
    "select set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub',"
    " user_id, 'email', email)::text, false) from public.staff_shared where role = 'operator'"
)


def run(server: PostgresServer) -> list[Ratio]:
    """Rows per second into a new system, the same once more, a newer version; then scans."""
    with owner(server) as db:
        db.execute(_SETUP.encode())
        db.execute("select set_config('request.jwt.claims', %s, false)", (_PLANNER,))
        pairs = [(_imports(db), _copies(db)) for _ in range(_ROUNDS)]
    lines = []
    for n, name in enumerate(("new orders", "the same rows again", "a newer version of each")):
        rates = [(ROWS / ours[n], ROWS / theirs[n]) for ours, theirs in pairs]
        ours, theirs = (statistics.median(rate[side] for rate in rates) for side in (0, 1))
        title = f"import of {ROWS:,} production orders, {name}"
        lines.append(Ratio(title, "COPY + upserts, same rows", ours / theirs, ours, theirs))
    return [*lines, *_scan_lines()]


def _rows(system: str, version: int) -> list[dict[str, Any]]:
    return [
        {
            **{"external_id": f"{system}-{n}", "version": version, "code": f"{system}-{n}"},
            **{"product_sku": "BENCH-TABLE", "quantity": n % 50 + version, "site": "main"},
            **{"due_date": f"2026-12-{n % 28 + 1:02}", "priority": "normal"},
        }
        for n in range(ROWS)
    ]


_VERSIONS = (1, 1, 2)


def _imports(db: psycopg.Connection) -> list[float]:
    """Seconds of an import of each of the versions, one after the other."""
    system = f"b{uuid.uuid4().hex[:8]}"
    query = "select (public.import_production_orders(%s, %s)).counts"
    took = []
    for version in _VERSIONS:
        rows = Jsonb(_rows(system, version))
        started = time.perf_counter()
        counts = db.execute(query, (system, rows)).fetchone()
        took.append(time.perf_counter() - started)
        assert counts is not None
        assert list(counts[0].values()) == [ROWS], counts
        db.execute("analyze public.production_orders, public.production_order_refs")
    return took


def _copies(db: psycopg.Connection) -> list[float]:
    """The same rows by COPY and plain upserts."""
    system = f"c{uuid.uuid4().hex[:8]}"
    names = ("external_id", "version", "code", "product_sku", "quantity", "due_date")
    took, before = [], 0
    for version in _VERSIONS:
        rows = _rows(system, version)
        started = time.perf_counter()
        text = "".join(
            "\t".join(str(row[name]) for name in names) + "\tnormal\tmain\n" for row in rows
        )
        with db.transaction(), db.cursor() as cursor:
            cursor.execute("truncate private.bench_staged")
            with cursor.copy("copy private.bench_staged from stdin") as copy:
                copy.write(text)
            for statement in (*_UPSERTS, *([_EVENTS] if version != before else [])):
                cursor.execute(statement.encode())
        took.append(time.perf_counter() - started)
        before = version
    return took


# A scan at a station -------------------------------------------------------------------------


def _scan_lines() -> list[Ratio]:
    """scan_step through gateway and PostgREST, as a signed-in operator, against the statement."""
    with tempfile.TemporaryDirectory(prefix="takt-bench-") as folder:
        Path(folder).chmod(0o755)
        stack = Stack.start(Path(folder))
        try:
            code = _released_order(stack)
            with stack.connect() as db, client(stack, token(stack, "operator")) as http:
                db.execute(_AS_OPERATOR)
                return _scan_line(lambda: _http(http, code), lambda: _sql(db, code))
        finally:
            stack.stop()


def _released_order(stack: Stack) -> str:
    with stack.rpc() as rpc:
        rpc.call("register_site", p_code="main", p_name="Main", p_time_zone="UTC")
        rpc.call("save_process_step", p_code="BENCH", p_sequence=1)
        rpc.call("save_work_centre", p_code=_CENTRE, p_step="BENCH", p_site="main")
        rpc.call("upsert_item", p_sku="BENCH-SHELF", p_title="Shelf")
        rpc.call("save_routing", p_sku="BENCH-SHELF", p_steps=[{"step": "BENCH"}])
        rpc.call("upsert_item", p_sku="BENCH-WOOD", p_title="Wood")
        rpc.call("receive_stock", p_sku="BENCH-WOOD", p_quantity=100, p_location="main")
        made = rpc.call(
            "create_production_order",
            p_product_sku="BENCH-SHELF",
            p_lines=[{"sku": "BENCH-WOOD", "quantity": 1}],
            p_quantity=_PIECES,
            p_site="main",
        )
        code = str(made["order_row"]["code"])
        rpc.call("release_order", p_code=code)
    return code


def _scan_line(ours: Callable[[], float], theirs: Callable[[], float]) -> list[Ratio]:
    """p50 and p95: how many times as long the whole way takes."""
    for work in (ours, theirs):
        for _ in range(20):
            work()
    way = sorted(ours() for _ in range(_SCANS))
    bare = sorted(theirs() for _ in range(_SCANS))
    lines = []
    for percent, place in (("p50", 0.5), ("p95", 0.95)):
        a, b = way[int(place * _SCANS)], bare[int(place * _SCANS)]
        title = f"scan of an order at its work centre, {percent}: {a * 1000:.1f} ms"
        than = f"the bare statement: {b * 1000:.1f} ms"
        lines.append(Ratio(title, than, b / a, 1 / a, 1 / b))
    return lines


def _http(http: httpx.Client, code: str) -> float:
    body = {"p_code": code, "p_work_centre": _CENTRE, "p_request_id": str(uuid.uuid4())}
    started = time.perf_counter()
    answer = http.post("/rest/v1/rpc/scan_step", json=body)
    took = time.perf_counter() - started
    assert answer.json()["ok"], answer.text
    return took


def _sql(db: psycopg.Connection, code: str) -> float:
    query = "select (public.scan_step(%s, %s, p_request_id => gen_random_uuid())).ok"
    started = time.perf_counter()
    row = db.execute(query, (code, _CENTRE)).fetchone()
    took = time.perf_counter() - started
    assert row == (True,)
    return took
