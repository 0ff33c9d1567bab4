"""Turns an empty database into what a fresh Supabase project is."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg import sql

from services.local import lite
from services.local.postgres import SUPERUSER, PostgresServer

_PLATFORM = Path(__file__).parent / "platform"
_REALTIME = Path(__file__).parent / "realtime" / "schema.sql"


def prepare_database(server: PostgresServer, dbname: str = "postgres") -> None:
    """Do everything up to "ready for `supabase db push`"; creates the database if need be.

    Safe to repeat. Errors: psycopg.Error, LiteError, MissingProgram.
    """
    with _connect(server, "postgres") as connection:
        apply_file(connection, _PLATFORM / "roles.sql")
        _set_passwords(connection, server)
        found = connection.execute(
            "select from pg_catalog.pg_database where datname = %s", (dbname,)
        ).fetchone()
        if found is None:
            connection.execute(
                sql.SQL("create database {} owner postgres").format(sql.Identifier(dbname))
            )
    with _connect(server, dbname) as connection:
        apply_file(connection, _PLATFORM / "schemas.sql")
        ready = connection.execute(
            "select to_regclass('auth.users') is not null"
            " and to_regclass('storage.objects') is not null"
        ).fetchone()
        if ready != (True,):
            lite.create_tables(server.url(lite.ROLE, dbname))
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
    return psycopg.connect(server.url(SUPERUSER, dbname), autocommit=True)


def _set_passwords(connection: psycopg.Connection, server: PostgresServer) -> None:
    """Give each login role its password, hashed here so that no log can hold it."""
    for role, password in server.passwords.items():
        hashed = connection.pgconn.encrypt_password(
            password.encode(), role.encode(), b"scram-sha-256"
        )
        connection.execute(
            sql.SQL("alter role {} password {}").format(
                sql.Identifier(role), sql.Literal(hashed.decode())
            )
        )
