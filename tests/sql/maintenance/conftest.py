"""Whatever is done to machines: afterwards the books and the histories agree."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.sql.inventory.stock import differences
from tests.support.databases import Clone


@pytest.fixture
def db(clone: Clone) -> Iterator[psycopg.Connection]:
    """As everywhere; at the end stock equals the ledger, and each repair is in the status that
    its history ends with."""
    with clone.connect() as connection:
        yield connection
    with clone.connect() as connection:
        assert differences(connection) == []
        torn = connection.execute(
            "select r.id, r.status, s.status from public.repairs r left join lateral ("
            "  select x.status, x.waits_for from public.repair_statuses x"
            "   where x.repair_id = r.id order by x.n desc limit 1) s on true"
            " where (r.status, r.waits_for) is distinct from (s.status, s.waits_for)"
        ).fetchall()
        assert torn == [], "the history of a repair ends with its status"
