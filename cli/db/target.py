"""Which database a `takt db` command works on, and connections to it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import psycopg
import typer

from cli.output import Exit, Failure, prompts
from services.local.paths import Paths
from services.local.postgres import SUPERUSER
from services.local.settings import Settings, SettingsError
from takt import logs
from takt.ports import HOST

DbUrl = Annotated[
    str,
    typer.Option("--db-url", help="Database address; default TAKT_DB_URL, then the local stack."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@dataclass(frozen=True)
class Target:
    """`url` signs in as role postgres; `stack` is set for the embedded stack's own database."""

    url: str
    stack: Settings | None = None

    @property
    def shown(self) -> str:
        """The address without its password."""
        parts = urlsplit(self.url)
        name = "the local stack" if self.stack else "database"
        return f"{name} {parts.hostname}:{parts.port or 5432}{parts.path}"

    @property
    def superuser_url(self) -> str | None:
        """Sign-in as superuser; only the embedded stack has one for us."""
        name = urlsplit(self.url).path.strip("/")
        return self.stack.db_url(SUPERUSER, name) if self.stack else None

    def connect(self, **options: Any) -> psycopg.Connection:
        """A connection as role postgres. Errors: Failure (cannot reach, or not allowed)."""
        return connect(self.url, **options)


def find(db_url: str = "", paths: Paths | None = None) -> Target:
    """The database named by the option, by TAKT_DB_URL, or the embedded stack's.

    Errors: Failure (configuration missing).
    """
    stack: Settings | None = None
    try:
        stack = Settings.load(paths)
    except SettingsError as error:
        missing = error
    url = db_url or os.environ.get("TAKT_DB_URL", "")
    if not url:
        if stack is None:
            raise Failure(
                f"Which database? Give --db-url or TAKT_DB_URL, or run `takt up`. ({missing})",
                Exit.CONFIG_MISSING,
            )
        url = stack.db_url()
    parts = _parts(url)
    if parts.password:
        logs.hide(parts.password)
    return Target(url, stack if stack is not None and _is_stack(url, stack) else None)


def connect(url: str, **options: Any) -> psycopg.Connection:
    """A connection with nothing on its search_path. Errors: Failure."""
    try:
        connection = psycopg.connect(url, connect_timeout=10, application_name="takt", **options)
        # Afterwards, not as a start-up option: poolers refuse those.
        connection.execute("select pg_catalog.set_config('search_path', '', false)")
        if not connection.autocommit:
            connection.commit()
        return connection
    except psycopg.OperationalError as error:
        refused = "authentication failed" in str(error) or "no pg_hba" in str(error)
        where = _parts(url)
        raise Failure(
            f"Cannot connect to {where.hostname}:{where.port or 5432}{where.path}: "
            f"{' '.join(str(error).split())}",
            Exit.NOT_ALLOWED if refused else Exit.UNREACHABLE,
        ) from error


def confirm(question: str, *, yes: bool, as_json: bool) -> None:
    """Ask unless --yes. Errors: Failure when the answer is no or nobody can be asked."""
    if yes:
        return
    if as_json:
        raise Failure("With --json nothing is asked: add --yes.", Exit.USAGE)
    try:
        with prompts():
            agreed = typer.confirm(question, err=True)
    except typer.Abort:
        agreed = False
    if not agreed:
        raise Failure("Nothing was changed.", Exit.FAILED)


def migrations_dir() -> Path:
    """The folder that the Supabase CLI runs."""
    return Paths.find().migrations


def sql_dir() -> Path:
    """The living schema."""
    return Paths.find().root / "sql"


def _parts(url: str) -> Any:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise Failure("This is not a database address.", Exit.USAGE) from error
    if parts.scheme not in ("postgresql", "postgres"):
        raise Failure("A database address begins with postgresql://.", Exit.USAGE)
    return parts


def _is_stack(url: str, stack: Settings) -> bool:
    parts, own = urlsplit(url), urlsplit(stack.db_url())
    return parts.hostname in (HOST, "localhost") and (parts.port, parts.path) == (
        own.port,
        own.path,
    )
