"""A checkout that a test may edit, a server for building in, and the command line on both."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from cli.db import scratch
from cli.main import app
from services.local import clone_database
from services.local.paths import project_root
from services.local.postgres import SUPERUSER, PostgresServer


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)["data"]


Takt = Callable[..., Ran]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of sql/ and supabase/ that the commands take for the checkout; no stack in it."""
    root = project_root()
    for folder in ("sql", "supabase"):
        shutil.copytree(root / folder, tmp_path / folder)
    (tmp_path / "node_modules").symlink_to(root / "node_modules")
    monkeypatch.setenv("TAKT_HOME", str(tmp_path))
    for name in ("TAKT_DB_URL", "TAKT_DB_URL_STAGING", "TAKT_DB_URL_PROD"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def takt(checkout: Path) -> Takt:
    """Run `takt …` in the copied checkout."""

    def run(*arguments: str, input_text: str | None = None) -> Ran:
        done = CliRunner().invoke(app, list(arguments), input=input_text)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ran(done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def prepared(server: PostgresServer) -> PostgresServer:
    """The test server with a fresh Supabase project to copy from."""
    scratch.prepare(server)
    return server


@pytest.fixture
def fresh(prepared: PostgresServer) -> Iterator[str]:
    """Name of a database that is a fresh Supabase project: no migration applied."""
    name = "takt_fresh"
    clone_database(prepared, scratch.PREPARED, name)
    yield name
    drop(prepared, name)


def drop(server: PostgresServer, *names: str) -> None:
    """Drop databases, with whoever is connected."""
    with psycopg.connect(server.url(SUPERUSER, "postgres"), autocommit=True) as connection:
        for name in names:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )
