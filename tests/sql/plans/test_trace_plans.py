"""A trace reads what it reaches, by index, both ways, however large the graph is."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from services.local.postgres import SUPERUSER
from tests.sql.plans.explain import Watcher, indexes, scans, sequential
from tests.support.databases import Clone

UNITS, LOTS = 60_000, 6_000
TABLES = ("trace_edges", "trace_nodes", "units", "lots")
_SERIALS = {"p_first": "2611-GN-00007", "p_last": "2611-GN-00009"}
_FILL = [
    "set session_replication_role = replica",
    "insert into public.inventory_items (sku, title) values ('CELL', 'Cell')",
    f"insert into public.lots (sku, code)"
    f" select 'CELL', 'L-' || n from generate_series(1, {LOTS}) n",
    "insert into public.trace_nodes (kind, key, sku) select 'lot', code, sku from public.lots",
    f"insert into public.units (sn, site, product_code)"
    f" select '2611-GN-' || lpad(n::text, 5, '0'), 'main', 'GN' from generate_series(1, {UNITS}) n",
    "insert into public.trace_nodes (kind, key) select 'unit', sn from public.units",
    f"insert into public.trace_nodes (kind, key) select 'box', 'BOX-' || n"
    f" from generate_series(1, {UNITS // 20}) n",
    # A lot in twenty units, a unit of two lots, twenty units in a box.
    f"insert into public.trace_edges (parent, child, quantity)"
    f" select 1 + (n * k) % {LOTS}, {LOTS} + n, 1 from generate_series(1, {UNITS}) n,"
    f" unnest(array[1, 7]) k on conflict do nothing",
    f"insert into public.trace_edges (parent, child, quantity)"
    f" select {LOTS} + n, {LOTS} + {UNITS} + 1 + (n - 1) / 20, 1"
    f" from generate_series(1, {UNITS}) n",
    "set session_replication_role = origin",
    *(f"vacuum analyze public.{table}" for table in TABLES),
]


@pytest.fixture(scope="module")
def watcher(module_clone: Clone) -> Iterator[Watcher]:
    with module_clone.connect(SUPERUSER) as connection:
        for statement in _FILL:
            connection.execute(statement)
        found = Watcher(connection)
        connection.execute("set auto_explain.log_analyze = on")
        connection.execute("set auto_explain.log_timing = off")
        yield found
        connection.execute("set auto_explain.log_nested_statements = off")


@pytest.mark.parametrize("mode", ["auto", "force_generic_plan"])
@pytest.mark.parametrize(
    ("start", "forward", "index"),
    [("L-7", True, "trace_edges_pkey"), ("BOX-7", False, "trace_edges_child_idx")],
)
def test_a_trace_reads_only_the_index_and_only_what_it_reaches(
    watcher: Watcher, mode: str, start: str, forward: bool, index: str
) -> None:
    db = watcher.connection
    watcher.notices.clear()
    db.execute("select set_config('plan_cache_mode', %s, false)", (mode,))
    reached = _count(db, start, forward)
    db.execute("reset plan_cache_mode")
    plans = watcher.plans()
    assert indexes(plans) >= {index}
    reads = [n for n in scans(plans, "trace_edges") if n["Actual Loops"] > 0]
    assert {n["Node Type"] for n in reads} == {"Index Only Scan"}
    read = sum(n["Actual Rows"] * n["Actual Loops"] for n in reads)
    assert read <= 3 * reached


def _count(db: psycopg.Connection, start: str, forward: bool) -> int:
    row = db.execute(
        "select count(*) from private.trace(array(select id from public.trace_nodes"
        " where key = %s), %s)",
        (start, forward),
    ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(
    ("rpc", "arguments"),
    [
        ("trace_forward", {"p_key": "L-7"}),
        ("trace_forward", {"p_sku": "CELL", "p_first": "L-7", "p_last": "L-7"}),
        ("trace_forward", {"p_kind": "unit", **_SERIALS}),
        ("trace_back", {"p_sn": "BOX-7"}),
        ("start_recall_export", {"p_trace": {"key": "L-7"}}),
        ("hold_all", {"p_trace": {"key": "L-7"}, "p_reason": "bad"}),
    ],
)  # fmt: skip
def test_no_command_reads_a_whole_table(
    watcher: Watcher, rpc: str, arguments: dict[str, object]
) -> None:
    plans = watcher.of_rpc("supervisor", rpc, **arguments)
    for table in TABLES:
        assert sequential(plans, table) == [], table
    edges = sum(n["Actual Rows"] * n["Actual Loops"] for n in scans(plans, "trace_edges"))
    assert edges <= 1_000


def test_the_gate_looks_at_components_by_index(watcher: Watcher) -> None:
    watcher.notices.clear()
    watcher.connection.execute("select private.held_components('2611-GN-00007')")
    plans = watcher.plans()
    for table in TABLES:
        assert sequential(plans, table) == [], table


def test_pages_of_an_export_read_their_rows(watcher: Watcher) -> None:
    db = watcher.connection
    with db.transaction(force_rollback=True):
        row = db.execute(
            "insert into private.recall_exports (actor_id, trace) values (gen_random_uuid(), '{}')"
            " returning id"
        ).fetchone()
        assert row is not None
        db.execute(
            "insert into private.recall_export_nodes (export_id, kind, key, node)"
            " select %s, kind, key, id from public.trace_nodes",
            row,
        )
        watcher.notices.clear()
        db.execute("select private.recall_rows(%s, '2611-GN-00100', 50, false)", row)
        plans = watcher.plans()
    for table in (*TABLES, "recall_export_nodes"):
        assert sequential(plans, table) == [], table
    read = sum(n["Actual Rows"] * n["Actual Loops"] for n in scans(plans, "recall_export_nodes"))
    assert read <= 200
