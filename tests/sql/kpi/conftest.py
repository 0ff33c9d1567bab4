"""One database for the tests of a module; each rolls back what it did."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.databases import Clone


@pytest.fixture(scope="module")
def shared(module_clone: Clone) -> Iterator[psycopg.Connection]:
    with module_clone.connect() as connection:
        yield connection


@pytest.fixture
def db(shared: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A transaction that is rolled back: now() stands still in it."""
    with shared.transaction(force_rollback=True):
        yield shared
