"""Whatever a printer does: afterwards the books agree."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.sql.inventory.stock import differences
from tests.support.databases import Clone


@pytest.fixture
def db(clone: Clone) -> Iterator[psycopg.Connection]:
    """As everywhere; at the end stock equals the ledger and every counted run is in it once."""
    with clone.connect() as connection:
        yield connection
    with clone.connect() as connection:
        assert differences(connection) == []
        uneven = connection.execute(
            "select g.run_id, g.sku, g.quantity, t.total from public.inventory_print_log g"
            " left join lateral (select coalesce(sum(x.quantity), 0) as total"
            "   from public.inventory_txn x where x.ref_stream = 'print_run'"
            "   and x.ref_id = g.run_id::text and x.sku = g.sku) t on true"
            " where t.total <> g.quantity"
        ).fetchall()
        assert uneven == [], "what the print log says is what the ledger got"
