"""sql/down: each way back leaves exactly what the domains before it build."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from cli.db import parity, scratch, sources
from services.local import clone_database
from services.local.paths import project_root
from services.local.postgres import PostgresServer
from tests.cli_db.conftest import drop

DOWN = sorted((project_root() / "sql" / "down").glob("*.sql"))


def build(server: PostgresServer, dbname: str, domains: list[sources.Domain]) -> str:
    clone_database(server, scratch.PREPARED, dbname)
    url = server.url("postgres", dbname)
    with psycopg.connect(url) as connection:
        for domain in domains:
            for file in domain.files:
                connection.execute(file.read_bytes())
    return url


@pytest.mark.parametrize("file", DOWN, ids=lambda file: file.stem)
def test_down_leaves_what_was_there_before(prepared: PostgresServer, file: Path) -> None:
    root = project_root()
    domains = sources.domains(root / "sql")
    place = [d.name for d in domains].index(file.stem)
    before = build(prepared, "takt_before", domains[:place])
    after = build(prepared, "takt_after", domains[: place + 1])
    try:
        with psycopg.connect(after) as connection:
            connection.execute(file.read_bytes())
        left = [f"{d.kind} {d.name}" for d in parity.differences(before, after, root)]
        assert left == []
    finally:
        drop(prepared, "takt_before", "takt_after")
