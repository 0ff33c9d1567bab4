"""`takt db diff`: a migration drafted from the difference of the two builds, and then tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from cli.db import parity, scratch
from services.local.postgres import PostgresServer

_HEADER = """\
-- Drafted by `takt db diff`; read it line by line: it knows the catalog, not the data.
set local lock_timeout = '10s';
set local statement_timeout = '5min';

"""


@dataclass(frozen=True)
class Draft:
    """`sql` is empty when there is nothing to do; `open` lists what the draft does not reach."""

    sql: str
    open: tuple[str, ...]


def draft(root: Path, notice: Callable[[str], None]) -> Draft:
    """Build both databases on a scratch server and draft the way from one to the other.

    Errors: Failure when one of them does not build.
    """
    notice("starting a scratch Postgres")
    with scratch.server() as postgres:
        return on_server(postgres, root, notice)


def on_server(
    postgres: PostgresServer, root: Path, notice: Callable[[str], None], suffix: str = ""
) -> Draft:
    """The same on a server that is prepared already."""
    notice("building from the migrations and from sql/")
    left = scratch.from_migrations(postgres, f"takt_from{suffix}", root)
    right = scratch.from_living(postgres, f"takt_to{suffix}", root / "sql")
    if not parity.differences(left, right, root):
        return Draft("", ())
    notice("comparing, then trying the draft")
    statements = parity.cli_diff(left, right)
    problem: tuple[str, ...] = ()
    if statements:
        try:
            # Names without a schema would mean something else in a migration.
            with psycopg.connect(left) as connection:
                connection.execute(statements.encode())
        except psycopg.Error as error:
            problem = (f"The draft does not run as it is: {str(error).strip()}",)
    rest = (d.sentence("the draft", "sql") for d in parity.differences(left, right, root))
    return Draft(_HEADER + statements + "\n" if statements else "", (*problem, *rest))
