"""Turns an empty database into what a fresh Supabase project is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from services.local import lite
from services.local.database import Database
from services.local.postgres import PostgresServer

_PLATFORM = Path(__file__).parent / "platform"
_REALTIME = Path(__file__).parent / "realtime" / "schema.sql"


def prepare_database(server: PostgresServer, dbname: str = "postgres") -> None:
    """Do everything up to "ready for `supabase db push`"; creates the database if need be.

    Safe to repeat. Errors: psycopg.Error, LiteError, MissingProgram.
    """
    with _connect(server, "postgres") as connection:
        prepare_roles(connection, server.passwords, foreign=[server.superuser])
        found = connection.execute(
            "select from pg_catalog.pg_database where datname = %s", (dbname,)
        ).fetchone()
        if found is None:
            connection.execute(
                sql.SQL("create database {} owner postgres").format(sql.Identifier(dbname))
            )
    prepare_schemas(Database(server.url(server.superuser, dbname), server.passwords))


def prepare_roles(
    connection: psycopg.Connection, passwords: Mapping[str, str], *, foreign: Sequence[str]
) -> None:
    """Make the platform's roles and set passwords; `foreign` roles stay exactly as they are.

    Errors: psycopg.errors.RaiseException when a foreign role does not fit.
    """
    with connection.transaction():
        connection.execute(
            "select set_config('takt.foreign_roles', %s::text[]::text, true)", (list(foreign),)
        )
        apply_file(connection, _PLATFORM / "roles.sql")
        _set_passwords(connection, {r: p for r, p in passwords.items() if r not in foreign})


def prepare_schemas(database: Database) -> None:
    """Make everything inside the database, once the roles are there."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        apply_file(connection, _PLATFORM / "schemas.sql")
        ready = connection.execute(
            "select to_regclass('auth.users') is not null"
            " and to_regclass('storage.objects') is not null"
        ).fetchone()
        if ready != (True,):
            lite.create_tables(database.sign_in(lite.ROLE))
        apply_auth(connection)
        if _REALTIME.is_file():
            apply_file(connection, _REALTIME)
        apply_file(connection, _PLATFORM / "postgrest_reload.sql")


def clone_database(server: PostgresServer, template: str, dbname: str) -> None:
    """Create `dbname` as a copy of a prepared database that nobody is connected to."""
    with _connect(server, "postgres") as connection:
        connection.execute(
            sql.SQL("create database {} template {} owner postgres").format(
                sql.Identifier(dbname), sql.Identifier(template)
            )
        )
        # Settings of a database are not part of the copy.
        connection.execute(
            sql.SQL("alter database {} set pgrst.db_schemas = 'public'").format(
                sql.Identifier(dbname)
            )
        )


def apply_auth(connection: psycopg.Connection) -> None:
    """Install Supabase's auth functions and rules; needed after every start of lite."""
    apply_file(connection, _PLATFORM / "auth.sql")
    apply_file(connection, _PLATFORM / "lite_guards.sql")


def apply_file(connection: psycopg.Connection, file: Path) -> None:
    """Run one SQL file in one transaction."""
    with connection.transaction():
        connection.execute(file.read_bytes())


def _connect(server: PostgresServer, dbname: str) -> psycopg.Connection:
    return psycopg.connect(server.url(server.superuser, dbname), autocommit=True)


def _set_passwords(connection: psycopg.Connection, passwords: Mapping[str, str]) -> None:
    """Give each login role its password, hashed here so that no log can hold it."""
    for role, password in passwords.items():
        hashed = connection.pgconn.encrypt_password(
            password.encode(), role.encode(), b"scram-sha-256"
        )
        connection.execute(
            sql.SQL("alter role {} password {}").format(
                sql.Identifier(role), sql.Literal(hashed.decode())
            )
        )
