from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.services.stack import Stack


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all tests of the services, with one site, two stores and no orders."""
    running = Stack.start(tmp_path_factory.mktemp("stack"))
    try:
        with running.rpc() as rpc:
            rpc.call("register_site", p_code="main", p_name="Main", p_time_zone="Australia/Sydney")
            for store in ("bannos", "flourlane"):
                rpc.call("register_store", p_code=store, p_site="main", p_name=store.title())
        yield running
    finally:
        running.stop()


@pytest.fixture
def db(stack: Stack) -> Iterator[psycopg.Connection]:
    with stack.connect() as connection:
        yield connection
