"""Whatever a test does: afterwards the books agree."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.sql.inventory.stock import differences
from tests.support.databases import Clone


@pytest.fixture
def db(clone: Clone) -> Iterator[psycopg.Connection]:
    """As everywhere, and `inventory_selfcheck` must be empty at the end."""
    with clone.connect() as connection:
        yield connection
    with clone.connect() as connection:
        assert differences(connection) == []
