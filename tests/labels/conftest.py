from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.databases import Clone
from tests.support.labels import Pictures


@pytest.fixture(scope="session")
def pictures() -> Iterator[Pictures]:
    """One renderer for all tests."""
    with Pictures() as warm:
        yield warm


@pytest.fixture(scope="module")
def db(module_clone: Clone) -> Iterator[psycopg.Connection]:
    with module_clone.connect() as connection:
        yield connection
