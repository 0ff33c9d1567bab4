"""Whatever happens to units: afterwards the books agree."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.sql.inventory.stock import differences
from tests.support.databases import Clone


@pytest.fixture
def db(clone: Clone) -> Iterator[psycopg.Connection]:
    """As everywhere; at the end stock equals the ledger, and units in stock equal what it made."""
    with clone.connect() as connection:
        yield connection
    with clone.connect() as connection:
        assert differences(connection) == []
        uneven = connection.execute(
            "select u.sn, u.status, t.made from public.units u left join lateral ("
            "   select coalesce(sum(x.quantity), 0) as made from public.inventory_txn x"
            "    where x.ref_stream = 'unit' and x.ref_id = u.sn"
            "    and x.kind in ('produce', 'scrap', 'issue')) t on true"
            " where t.made <> case when coalesce(u.status_before_hold, u.status)"
            "   = 'IN_FINISHED_STOCK' then 1 else 0 end and not exists (select from public.events e"
            "   where e.stream = 'unit' and e.stream_id = u.sn and e.event = 'unit.shipped')"
        ).fetchall()
        assert uneven == [], "a unit in stock is one piece in the ledger"
        twice = connection.execute(
            "select u.sn from public.units u join public.packaging_kits k"
            " on k.used_by_sn = u.sn where u.kit_id is distinct from k.kit_id"
            " and u.status <> 'REWORK'"
        ).fetchall()
        assert twice == [], "a used kit is the kit of its unit"
