"""A throwaway Postgres for building the schema in, beside the running stack and never in it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from cli.db import sources
from cli.output import Failure
from services.local import clone_database, migrations, prepare_database
from services.local.binaries import MissingProgram
from services.local.lite import LiteError
from services.local.postgres import PostgresError, PostgresServer
from takt.ports import free_port

PREPARED = "takt_prepared"


@contextmanager
def server() -> Iterator[PostgresServer]:
    """A cluster of its own in a temporary folder, with the database PREPARED: a fresh Supabase
    project. Errors: Failure.
    """
    with tempfile.TemporaryDirectory(prefix="takt-scratch-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # Postgres may run as another user than we do
        try:
            # fsync off: nothing in it is worth keeping.
            postgres = PostgresServer(folder / "data", free_port(), settings={"fsync": "off"})
            postgres.init()
            postgres.start()
        except (PostgresError, MissingProgram) as error:
            raise Failure(f"No scratch Postgres: {error}") from error
        try:
            prepare(postgres)
            yield postgres
        finally:
            postgres.stop("immediate")


def prepare(postgres: PostgresServer) -> None:
    """Make PREPARED on a server. Errors: Failure."""
    try:
        prepare_database(postgres, PREPARED)
    except (LiteError, MissingProgram, psycopg.Error) as error:
        raise Failure(f"The scratch database cannot be prepared: {error}") from error


def from_migrations(postgres: PostgresServer, dbname: str, workdir: Path | None = None) -> str:
    """Create `dbname` from supabase/migrations by the real CLI; its address as role postgres.

    Errors: Failure with what the CLI said.
    """
    clone_database(postgres, PREPARED, dbname)
    url = postgres.url("postgres", dbname)
    try:
        migrations.push(url, workdir)
    except migrations.MigrationError as error:
        raise Failure(f"The migrations do not build: {error}") from error
    return url


def from_living(postgres: PostgresServer, dbname: str, sql_dir: Path) -> str:
    """Create `dbname` from the files of sql/ in load order; its address as role postgres.

    Errors: Failure that names the file.
    """
    try:
        files = sources.living_sql(sql_dir)
    except sources.SourceError as error:
        raise Failure(str(error)) from error
    clone_database(postgres, PREPARED, dbname)
    url = postgres.url("postgres", dbname)
    with psycopg.connect(url, autocommit=True) as connection:
        for file, text in files:
            try:
                with connection.transaction():
                    connection.execute(text.encode())
            except psycopg.Error as error:
                shown = file.relative_to(sql_dir.parent).as_posix()
                raise Failure(f"{shown} does not load: {error}") from error
    return url
