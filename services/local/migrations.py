"""Migrations through the real Supabase CLI."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg

from services.local import binaries
from services.local.paths import project_root


class MigrationError(RuntimeError):
    """The Supabase CLI refused or failed; the message is what it said."""


def run_cli(
    *arguments: str, remote: str | None = None, workdir: Path | None = None, check: bool = True
) -> str:
    """Run the Supabase CLI and return its stdout. Errors: MigrationError with its stderr.

    `remote` is the database's address; its password goes by the environment, since everybody on
    this computer can read the arguments of a program.
    """
    root = workdir or project_root()
    address, password = _without_password(remote or "")
    target = [f"--remote={address}"] if address else []
    environment = {
        **os.environ,
        "SUPABASE_TELEMETRY_DISABLED": "1",
        "DO_NOT_TRACK": "1",
        "NO_COLOR": "1",
        **({"PGPASSWORD": password} if password else {}),
    }
    done = subprocess.run(
        [binaries.supabase_cli(), *arguments, *target, "--workdir", root],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd=root,
        stdin=subprocess.DEVNULL,
    )
    if check and done.returncode != 0:
        raise MigrationError(f"supabase {' '.join(arguments[:2])} failed:\n{done.stderr.strip()}")
    return done.stdout


def push(db_url: str, workdir: Path | None = None) -> str:
    """Apply the pending files of supabase/migrations to `db_url` (role postgres).

    Returns what the CLI printed; PostgREST is told to read the catalog again.
    """
    root = workdir or project_root()
    if not any((root / "supabase" / "migrations").glob("*.sql")):
        return ""
    said = run_cli("db", "push", "--yes", remote=db_url, workdir=root)
    with psycopg.connect(db_url, autocommit=True) as connection:
        connection.execute("notify pgrst, 'reload schema'")
    return said


def pending(db_url: str, workdir: Path | None = None) -> list[str]:
    """Versions of migration files that `db_url` does not have yet, oldest first."""
    root = workdir or project_root()
    files = sorted((root / "supabase" / "migrations").glob("[0-9]*_*.sql"))
    with psycopg.connect(db_url) as connection:
        rows = connection.execute(
            "select version from supabase_migrations.schema_migrations"
        ).fetchall()
    applied = {row[0] for row in rows}
    return [f.name.split("_")[0] for f in files if f.name.split("_")[0] not in applied]


def _without_password(url: str) -> tuple[str, str]:
    """The address without its password, and the password."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    return urlunsplit(parts._replace(netloc=f"{user}{at}{host}")), unquote(password)
