"""A populated copy of the database, shared by the tests of a module: every probe rolls back."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.sql.rls.matrix import populate
from tests.support.databases import Clone


@pytest.fixture(scope="module")
def plant(module_clone: Clone) -> Iterator[psycopg.Connection]:
    with module_clone.connect() as connection:
        populate(connection)
        yield connection
