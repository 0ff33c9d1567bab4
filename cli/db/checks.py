"""`takt db check`: the files, the two builds and the catalog, each proved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from cli.db import parity, scratch, sources
from cli.output import Failure
from services.local.postgres import PostgresServer

_FROM_MIGRATIONS, _FROM_SQL = "supabase/migrations", "sql"
_LINES = 12


@dataclass(frozen=True)
class Check:
    """`findings` is empty when the check passed; each is a line for a person."""

    name: str
    findings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.findings

    def as_dict(self) -> dict[str, object]:
        return {"check": self.name, "ok": self.ok, "findings": list(self.findings)}


def stale_files(root: Path) -> Check:
    """Do the migrations say what sql/ says?"""
    try:
        folder = root / "supabase" / "migrations"
        stale = sources.stale(root / "sql", folder, sources.released(root))
    except sources.SourceError as error:
        return Check("migrations are built", (str(error),))
    lines = tuple(f"{f.name} is not what sql/ says: run `takt db build`." for f in stale)
    return Check("migrations are built", lines)


def run(root: Path, notice: Callable[[str], None]) -> list[Check]:
    """All checks on a scratch server; `notice` hears each step. Errors: Failure when there is no
    scratch server at all.
    """
    found = [stale_files(root)]
    notice("starting a scratch Postgres")
    with scratch.server() as postgres:
        found.extend(on_server(postgres, root, notice))
    return found


def on_server(
    postgres: PostgresServer, root: Path, notice: Callable[[str], None], suffix: str = ""
) -> Iterator[Check]:
    """Parity and catalog checks with databases of a prepared server."""
    try:
        notice("building from the migrations")
        left = scratch.from_migrations(postgres, f"takt_left{suffix}", root)
        yield Check("migrations build", ())
    except Failure as error:
        yield Check("migrations build", (str(error),))
        return
    try:
        notice("building from sql/")
        right = scratch.from_living(postgres, f"takt_right{suffix}", root / "sql")
        yield Check("sql/ builds", ())
    except Failure as error:
        yield Check("sql/ builds", (str(error),))
        return
    notice("comparing")
    yield compare(left, right, root)
    yield second_opinion(left, right)
    yield catalog(left, root)


def compare(left: str, right: str, root: Path) -> Check:
    """Catalog facts of the database from the migrations against that from sql/."""
    lines = (
        found.sentence(_FROM_MIGRATIONS, _FROM_SQL)
        for found in parity.differences(left, right, root)
    )
    return Check("parity: catalog facts", tuple(lines))


def second_opinion(left: str, right: str) -> Check:
    """The Supabase CLI's diff of the same two databases."""
    name = "parity: supabase db diff"
    try:
        said = parity.cli_diff(left, right)
    except Failure as error:
        return Check(name, (str(error),))
    lines = said.splitlines()
    more = [f"… and {len(lines) - _LINES} more lines"] if len(lines) > _LINES else []
    return Check(name, ("\n".join([*lines[:_LINES], *more]),) if said else ())


def catalog(url: str, root: Path) -> Check:
    """sql/checks/catalog_checks.sql: every row is a finding."""
    name = "catalog checks"
    file = root / "sql" / "checks" / "catalog_checks.sql"
    if not file.is_file():
        return Check(name, ("sql/checks/catalog_checks.sql is missing.",))
    with psycopg.connect(url) as connection:
        try:
            rows = connection.execute(file.read_bytes()).fetchall()
        except psycopg.Error as error:
            return Check(name, (f"sql/checks/catalog_checks.sql does not run: {error}",))
    return Check(name, tuple(" · ".join(str(value) for value in row if value) for row in rows))
