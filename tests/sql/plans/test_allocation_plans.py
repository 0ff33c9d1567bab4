"""Promising one part costs the lines that get it, however many orders wait."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from services.local.postgres import SUPERUSER
from tests.sql.inventory.stock import differences, item
from tests.sql.plans.explain import Watcher, indexes, nodes, scans, sequential
from tests.support.databases import Clone

FEW, MANY = 200, 60_000
_QUEUE = (
    "insert into public.production_orders (code, site, product_sku, quantity)"
    " select %(sku)s || n, 'main', %(sku)s, 1 from generate_series(1, %(n)s) n",
    "insert into public.production_order_lines (order_id, line, sku, quantity)"
    " select id, 1, product_sku, 1 from public.production_orders where product_sku = %(sku)s",
    "insert into public.order_fulfilments (production_order_id, code, site, rank, since, lines,"
    " open_lines) select id, code, 'main', 2, created_at, 1, 1 from public.production_orders"
    " where product_sku = %(sku)s order by id",
    "insert into public.order_part_allocations (fulfilment_id, production_order_id, line, sku,"
    " needed, rank, since) select f.id, o.id, 1, o.product_sku, 1, 2, f.since"
    " from public.production_orders o join public.order_fulfilments f"
    " on f.production_order_id = o.id where o.product_sku = %(sku)s order by f.id",
    "insert into public.demand_totals (sku, rank, demand, lines) values (%(sku)s, 2, %(n)s, %(n)s)",
)


def fill_queue(db: psycopg.Connection, sku: str, lines: int) -> None:
    """`lines` orders of one piece each, as they would stand after their commands; superuser."""
    db.execute("set session_replication_role = replica")
    for statement in _QUEUE:
        db.execute(statement, {"sku": sku, "n": lines})
    db.execute("set session_replication_role = origin")


@pytest.fixture(scope="module")
def watcher(module_clone: Clone) -> Iterator[Watcher]:
    """FEW orders wait for one part and MANY for another; half of each have it."""
    with module_clone.connect(SUPERUSER) as connection:
        for sku, lines in (("FEW", FEW), ("MANY", MANY)):
            item(connection, sku)
            fill_queue(connection, sku, lines)
            receive = {"p_sku": sku, "p_quantity": lines // 2}
            _receive(connection, **receive)
        connection.execute("vacuum analyze public.order_part_allocations")
        connection.execute("vacuum analyze public.order_fulfilments")
        found = Watcher(connection)
        for name in ("log_analyze", "log_buffers"):
            connection.execute(f"set auto_explain.{name} = on")
        connection.execute("set auto_explain.log_timing = off")
        yield found
        connection.execute("set auto_explain.log_nested_statements = off")
        assert differences(connection) == []


def _receive(db: psycopg.Connection, **arguments: Any) -> None:
    with db.transaction():
        db.execute("select private.lock_stock(array[%(p_sku)s])", arguments)
        db.execute(
            "select private.post_txn(%(p_sku)s, 'main', 'adjust', %(p_quantity)s, null, null, 'x',"
            " null)",
            arguments,
        )
        db.execute("select private.allocate(array[%(p_sku)s])", arguments)


def cost(watcher: Watcher, sku: str, quantity: int) -> tuple[list[dict[str, Any]], int]:
    """The plans of one change of stock, and the pages read of lines and fulfilments."""
    watcher.notices.clear()
    with watcher.connection.transaction(force_rollback=True):
        _receive(watcher.connection, p_sku=sku, p_quantity=quantity)
        watcher.connection.execute("set constraints all immediate")
    plans = watcher.plans()
    pages = 0
    for plan in plans:
        for node in nodes(plan["Plan"]):
            if node.get("Relation Name") in ("order_part_allocations", "order_fulfilments"):
                pages += node.get("Shared Hit Blocks", 0) + node.get("Shared Read Blocks", 0)
    return plans, pages


@pytest.mark.parametrize("quantity", [1, 5, -1, -5])
def test_one_change_of_stock_costs_the_lines_it_touches(watcher: Watcher, quantity: int) -> None:
    few, pages_of_few = cost(watcher, "FEW", quantity)
    many, pages_of_many = cost(watcher, "MANY", quantity)
    for plans in (few, many):
        for table in ("order_part_allocations", "order_fulfilments"):
            assert sequential(plans, table) == []
    assert {"order_part_allocations_waiting_idx", "order_part_allocations_holding_idx"} <= indexes(
        many
    )
    assert not [n for p in many for n in nodes(p["Plan"]) if n["Node Type"] == "Sort"
                and n["Actual Rows"] > 100]  # fmt: skip
    read = sum(n["Actual Rows"] * n["Actual Loops"] for n in scans(many, "order_part_allocations"))
    assert read <= 12 * abs(quantity) + 12
    assert pages_of_many <= 2 * pages_of_few + 40  # an index of many is a level or two deeper


def test_a_new_critical_order_costs_the_lines_it_outranks(watcher: Watcher) -> None:
    plans = watcher.of_rpc(
        "planner", "create_production_order", p_product_sku="MANY", p_quantity=3,
        p_priority="critical",
    )  # fmt: skip
    assert sequential(plans, "order_part_allocations") == []
    read = sum(n["Actual Rows"] * n["Actual Loops"] for n in scans(plans, "order_part_allocations"))
    assert read <= 60


@pytest.mark.parametrize(
    ("rpc", "arguments"),
    [
        ("explain_allocation", {"p_code": "MANY59000"}),
        ("explain_allocation", {"p_sku": "MANY", "p_limit": 20}),
        ("get_order_fulfilment", {"p_limit": 20}),
        ("get_order_fulfilment", {"p_limit": 20, "p_status": "waiting"}),
    ],
)
def test_reads_do_not_read_the_whole_queue(
    watcher: Watcher, rpc: str, arguments: dict[str, Any]
) -> None:
    plans = watcher.of_rpc("viewer", rpc, **arguments)
    for table in ("order_part_allocations", "order_fulfilments"):
        assert sequential(plans, table) == []
