"""Stock commands touch the rows of their item, however long the ledger is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from services.local.postgres import SUPERUSER
from tests.sql.plans.explain import Watcher, indexes, sequential
from tests.support.databases import Clone
from tests.support.orders import make_order

_ITEMS, _MOVES = 2000, 200_000
_FILL = [
    f"insert into public.inventory_items (sku, title)"
    f" select 'ITEM-' || n, 'Item ' || n from generate_series(1, {_ITEMS}) n",
    "set session_replication_role = replica",
    f"insert into public.inventory_txn"
    f" (id, at, sku, location, kind, quantity, balance, ref_stream, ref_id)"
    f" select n, now() - ({_MOVES} - n) * interval '1 second', 'ITEM-' || 1 + n % {_ITEMS},"
    f" 'main', 'order_restock', 1, 1 + n / {_ITEMS}, 'order', 'bannos-' || n % 20000"
    f" from generate_series(1, {_MOVES}) n",
    "insert into public.inventory_balances (sku, location, on_hand)"
    " select sku, location, sum(quantity) from public.inventory_txn group by 1, 2",
    "update public.inventory_stock s set on_hand = b.on_hand"
    " from public.inventory_balances b where b.sku = s.sku",
    f"select setval('private.inventory_txn_id_seq', {_MOVES})",
    "set session_replication_role = origin",
    "vacuum analyze public.inventory_txn",
    "vacuum analyze public.inventory_items",
    "vacuum analyze public.inventory_stock",
    "vacuum analyze public.inventory_balances",
]


@pytest.fixture(scope="module")
def watcher(module_clone: Clone) -> Iterator[Watcher]:
    with module_clone.connect(SUPERUSER) as connection:
        for statement in _FILL:
            connection.execute(statement)
        make_order(connection, "bannos-17")
        yield Watcher(connection)


COMMANDS: dict[str, tuple[str, dict[str, Any]]] = {
    "receive_stock": ("operator", {"p_sku": "ITEM-7", "p_quantity": 1}),
    "issue_stock": ("operator", {"p_sku": "ITEM-7", "p_quantity": 1}),
    "deduct_on_order_create": ("service", {"p_order_id": "bannos-17"}),
    "get_item_ledger": ("viewer", {"p_sku": "ITEM-7", "p_limit": 20}),
}


@pytest.mark.parametrize("rpc", list(COMMANDS))
def test_no_command_reads_the_whole_ledger(watcher: Watcher, rpc: str) -> None:
    who, arguments = COMMANDS[rpc]
    plans = watcher.of_rpc(who, rpc, **arguments)
    for table in ("inventory_txn", "inventory_balances", "inventory_stock"):
        assert sequential(plans, table) == []


def test_the_ledger_of_an_item_is_one_walk_backwards(watcher: Watcher) -> None:
    plans = watcher.of_rpc("viewer", "get_item_ledger", p_sku="ITEM-7", p_limit=20)
    assert {"inventory_txn_sku_idx", "inventory_txn_reverses_key"} <= indexes(plans)
