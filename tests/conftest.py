"""One Postgres per run; a template made by the real CLI from the migrations; a clone per test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from services.local import prepare_database
from services.local.migrations import push
from services.local.postgres import PostgresServer
from takt.ports import free_port
from tests.support.databases import Clone, clones, seed_people

TEMPLATE = "takt_template"
_MEMORY = Path("/dev/shm")  # a throwaway cluster need not touch a disk
_ROOM = 4 * 2**30


def pytest_report_header() -> str:
    binaries = os.environ.get("TAKT_PG_BIN", "embedded")
    return f"postgres: {binaries}"


def _quickest_folder() -> Path | None:
    """Memory where there is plenty of it; None: wherever temporary files go."""
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK):
        return _MEMORY if shutil.disk_usage(_MEMORY).free > _ROOM else None
    return None


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A throwaway cluster; TAKT_PG_BIN chooses another Postgres than the embedded one."""
    with tempfile.TemporaryDirectory(prefix="takt-test-", dir=_quickest_folder()) as folder:
        Path(folder).chmod(0o755)
        # fsync off: a throwaway cluster; durability has its own tests with their own server.
        # No autovacuum: the snapshot of its ANALYZE would keep dead rows in the plans that tests
        # measure, and it visits hundreds of databases that live for a second.
        settings = {"fsync": "off", "max_connections": "300", "shared_buffers": "64MB"}
        settings["autovacuum"] = "off"
        postgres = PostgresServer(Path(folder) / "data", free_port(), settings=settings)
        postgres.init()
        postgres.start()
        yield postgres
        postgres.stop("immediate")


@pytest.fixture(scope="session")
def template(server: PostgresServer) -> str:
    """Name of the database that every test gets a copy of: migrated, with the test people."""
    prepare_database(server, TEMPLATE)
    push(server.url("postgres", TEMPLATE))
    with psycopg.connect(server.url("postgres", TEMPLATE), autocommit=True) as connection:
        seed_people(connection)
    return TEMPLATE


@pytest.fixture
def clone(server: PostgresServer, template: str) -> Iterator[Clone]:
    """A database of its own for one test."""
    with clones(server, template) as copy:
        yield copy


@pytest.fixture(scope="module")
def module_clone(server: PostgresServer, template: str) -> Iterator[Clone]:
    """A database shared by the tests of one module; they roll back what they do."""
    with clones(server, template) as copy:
        yield copy


@pytest.fixture
def db_url(clone: Clone) -> str:
    return clone.url()


@pytest.fixture
def db(clone: Clone) -> Iterator[psycopg.Connection]:
    """A connection as `postgres` (owner, not superuser) to a fresh clone, autocommit on."""
    with clone.connect() as connection:
        yield connection
