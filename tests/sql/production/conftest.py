"""Whatever happens in production: afterwards no piece was lost or invented."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.sql.inventory.stock import differences
from tests.support.databases import Clone
from tests.support.production import make_plant, selfcheck


@pytest.fixture
def db(clone: Clone) -> Iterator[psycopg.Connection]:
    """As everywhere; at the end pieces, lots, quality records and stock all add up."""
    with clone.connect() as connection:
        yield connection
    with clone.connect() as connection:
        assert selfcheck(connection) == []
        assert differences(connection) == []


@pytest.fixture
def plant(db: psycopg.Connection) -> psycopg.Connection:
    """The same database, with a plant that makes tables and parts for 250 of them."""
    make_plant(db)
    return db
