"""Hot paths keep their index, however much history lies behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from services.local.postgres import SUPERUSER
from tests.sql.plans.explain import Watcher, indexes, nodes, scans, sequential
from tests.support.databases import Clone

_FILL = [
    # Triggers would announce every row; the rows alone matter here.
    "set session_replication_role = replica",
    "insert into public.work_queue (topic, status, dedupe_key, finished_at)"
    " select 'demo', 'done', n::text, now() from generate_series(1, 200000) n",
    "insert into public.work_queue (topic, dedupe_key) select 'demo', n::text"
    " from generate_series(1, 200) n",
    "insert into public.orders (id, store, source, order_number, line_item_id,"
    " external_order_id, product_title, stage, packing_completed_at)"
    " select s || '-' || n, s, 'pos', n::text, '1', n::text, 'Cake', 'Complete',"
    " now() - n * interval '1 minute'"
    " from generate_series(1, 25000) n, unnest('{bannos,flourlane}'::text[]) s",
    "insert into public.orders (id, store, source, order_number, line_item_id,"
    " external_order_id, product_title, stage)"
    " select s || '-' || n, s, 'import', n::text, '1', n::text, 'Cake', 'Filling'"
    " from generate_series(30001, 30060) n, unnest('{bannos,flourlane}'::text[]) s",
    "insert into public.events (site, store, stream, stream_id, event)"
    " select 'main', 'bannos', 'order', 'bannos-' || n % 5000, 'demo.happened'"
    " from generate_series(1, 50000) n",
    "set session_replication_role = origin",
    "vacuum analyze public.work_queue",
    "vacuum analyze public.orders",
    "vacuum analyze public.events",
]


@pytest.fixture(scope="module")
def watcher(module_clone: Clone) -> Iterator[Watcher]:
    with module_clone.connect(SUPERUSER) as connection:
        for statement in _FILL:
            connection.execute(statement)
        yield Watcher(connection)


def test_claims_walk_the_index_of_ready_jobs(watcher: Watcher) -> None:
    plans = watcher.of_rpc("service", "claim_work", p_worker="w", p_limit=5)
    assert "work_queue_ready_idx" in indexes(plans)
    assert sequential(plans, "work_queue") == []


def test_the_sweep_and_requeue_do_not_read_done_jobs(watcher: Watcher) -> None:
    watcher.notices.clear()
    with watcher.connection.transaction(force_rollback=True):
        watcher.connection.execute("select private.sweep_queue(now())")
    plans = watcher.plans()
    assert "work_queue_lease_idx" in indexes(plans)
    assert sequential(plans, "work_queue") == []


def test_following_events_reads_the_primary_key_from_the_cursor_on(watcher: Watcher) -> None:
    row = watcher.connection.execute(
        "select (xid::text::numeric + 1)::text || ':0' from public.events order by id desc limit 1"
    ).fetchone()
    assert row is not None
    plans = watcher.of_rpc("operator", "events_since", p_cursor=row[0])
    read = scans(plans, "events_")
    assert read, "the partitions were read"
    big = [node for node in read if node["Node Type"] == "Seq Scan" and node["Plan Rows"] > 1000]
    assert big == []
    assert any(name.endswith("_pkey") and name.startswith("events_") for name in indexes(plans))


@pytest.mark.parametrize(
    "arguments", [{"p_store": "bannos"}, {"p_store": "bannos", "p_stage": "Filling"}, {}]
)
def test_the_queue_does_not_read_completed_tickets(
    watcher: Watcher, arguments: dict[str, Any]
) -> None:
    plans = watcher.of_rpc("operator", "get_queue", **arguments)
    assert sequential(plans, "orders") == []
    assert indexes(plans) & {"orders_open_idx", "orders_due_date_idx"}


def test_the_counts_do_not_read_completed_tickets(watcher: Watcher) -> None:
    plans = watcher.of_rpc("operator", "get_stage_counts")
    assert sequential(plans, "orders") == []


@pytest.mark.parametrize(
    ("rpc", "arguments", "index"),
    [
        ("handle_print_barcode", {"p_order_id": "bannos-30001"}, "orders_id_key"),
        ("why_not_shipping", {"p_order_id": "bannos-30001"}, "orders_id_key"),
        ("scan", {"p_code": "bannos-30001"}, "orders_scan_key"),
        ("scan", {"p_code": "#B30001"}, "orders_scan_key"),
        ("scan", {"p_code": "30001"}, "orders_store_number_idx"),
        ("get_order_for_scan", {"p_scan": "bannos-30001-a"}, "orders_store_number_idx"),
    ],
)
def test_a_ticket_is_found_by_an_index(
    watcher: Watcher, rpc: str, arguments: dict[str, Any], index: str
) -> None:
    plans = watcher.of_rpc("operator", rpc, **arguments)
    assert index in indexes(plans)
    assert sequential(plans, "orders") == []


def test_a_timeline_reads_only_its_ticket(watcher: Watcher) -> None:
    plans = watcher.of_rpc("operator", "get_order_timeline", p_order_id="bannos-30001")
    big = [n for n in scans(plans, "events_") if n["Node Type"] == "Seq Scan"]
    assert [n for n in big if n["Plan Rows"] > 1000] == []


@pytest.mark.parametrize("who", ["operator", "flourlane_operator"])
@pytest.mark.parametrize("table", ["orders", "events", "settings", "staff_shared", "work_queue"])
def test_policies_are_asked_once_per_query(watcher: Watcher, who: str, table: str) -> None:
    """An initplan runs once; a function in a filter would run for every row."""
    query = f"select * from public.{table}"
    plans = watcher.of_select(who, query)
    outer = next(p for p in plans if p["Query Text"] == query)
    every = list(nodes(outer["Plan"]))
    assert any(node.get("Parent Relationship") == "InitPlan" for node in every)
    for node in every:
        for part in ("Filter", "Index Cond", "One-Time Filter"):
            assert "private." not in node.get(part, ""), node
    asked = [p for p in plans if "role_permissions" in p["Query Text"] and p is not outer]
    assert len(asked) <= 4


def test_a_reader_of_many_rows_is_not_slower_per_row(watcher: Watcher) -> None:
    """The lookups do not grow with the rows: the same number for 10 and for 50,000."""
    few = watcher.of_select("operator", "select * from public.orders limit 10")
    many = watcher.of_select("operator", "select * from public.orders")
    assert len(few) == len(many)


def test_the_watcher_sees_a_sequential_scan(watcher: Watcher) -> None:
    plans = watcher.of_select("operator", "select 1 from public.orders where notes = 'x'")
    assert sequential(plans, "orders")


def test_a_superuser_is_needed_to_watch(module_clone: Clone) -> None:
    with module_clone.connect() as connection, pytest.raises(psycopg.Error):
        Watcher(connection)
