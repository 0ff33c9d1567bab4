"""One database for the tests of a module; each rolls back what it did."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.sql.kpi.plant import START, at, ideal, machine, pattern, shift, state
from tests.support.databases import Clone

DAY = 24 * 3600


@pytest.fixture(scope="module")
def shared(module_clone: Clone) -> Iterator[psycopg.Connection]:
    with module_clone.connect() as connection:
        yield connection


@pytest.fixture
def db(shared: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A transaction that is rolled back: now() stands still in it."""
    with shared.transaction(force_rollback=True):
        yield shared


@pytest.fixture
def m1(db: psycopg.Connection) -> psycopg.Connection:
    """m1 works 06–14 with a break 10:00–10:30 and 14–22, and runs since the day before."""
    machine(db)
    pattern(
        db, shift("early", "06:00", "14:00", [("10:00", "10:30")]), shift("late", "14:00", "22:00")
    )
    state(db, "running", at(START, -DAY))
    ideal(db, 60)
    return db
