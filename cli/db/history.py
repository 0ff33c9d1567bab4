"""The migrations a database has, beside the files it should have them from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psycopg

State = Literal["applied", "pending", "edited", "unknown", "late"]


@dataclass(frozen=True)
class Migration:
    """`edited`: applied, but its file says something else now. `unknown`: applied, no file.
    `late`: pending, though a later one is applied already.
    """

    version: str
    name: str
    state: State

    @property
    def file(self) -> str:
        return f"{self.version}_{self.name}.sql"

    def as_dict(self) -> dict[str, str]:
        return {"version": self.version, "name": self.name, "state": self.state, "file": self.file}


@dataclass(frozen=True)
class History:
    """All migrations of files and database, oldest first."""

    migrations: tuple[Migration, ...]

    def those(self, *states: State) -> list[Migration]:
        return [m for m in self.migrations if m.state in states]

    @property
    def pending(self) -> list[Migration]:
        return self.those("pending", "late")

    @property
    def schema_version(self) -> str | None:
        """Version of the newest applied migration."""
        applied = self.those("applied", "edited", "unknown")
        return max((m.version for m in applied), default=None)

    @property
    def complaints(self) -> list[str]:
        """Why nothing may be pushed onto this history, each as a sentence; empty when clean."""
        return [_COMPLAINTS[m.state].format(file=m.file) for m in self.those(*_DIRTY)]


_DIRTY: tuple[State, ...] = ("unknown", "edited", "late")
_COMPLAINTS = {
    "unknown": "{file} is applied, but there is no such file here. Check out the version that has "
    "it, or bring the file back.",
    "edited": "{file} was changed after it was applied. Bring the old text back and put the change "
    "into a new migration (a development database: `takt db reset`).",
    "late": "{file} is older than the newest applied migration. Give it a newer version (a "
    "development database: `takt db reset`).",
}


def read(connection: psycopg.Connection, folder: Path) -> History:
    """Compare `supabase_migrations.schema_migrations` with the files of `folder`."""
    applied = _applied(connection)
    files = {f.name.split("_")[0]: f for f in sorted(folder.glob("[0-9]*_*.sql"))}
    newest = max(applied, default="")
    found: list[Migration] = []
    for version in sorted(applied.keys() | files.keys()):
        file = files.get(version)
        if file is None:
            found.append(Migration(version, applied[version][0], "unknown"))
            continue
        name = file.stem.partition("_")[2]
        if version not in applied:
            found.append(Migration(version, name, "late" if version < newest else "pending"))
        else:
            same = _same(applied[version][1], file.read_text(encoding="utf-8"))
            found.append(Migration(version, name, "applied" if same else "edited"))
    return History(tuple(found))


def normalised(text: str) -> str:
    """SQL with every run of blanks and semicolons as one blank: the CLI stores statements without
    what stands between them.
    """
    return re.sub(r"[\s;]+", " ", text).strip()


def _same(statements: list[str] | None, text: str) -> bool:
    # `migration repair` leaves no statements: there is nothing to compare then.
    return not statements or normalised(";\n".join(statements)) == normalised(text)


def _applied(connection: psycopg.Connection) -> dict[str, tuple[str, list[str] | None]]:
    """version → (name, statements); empty when nothing was ever pushed."""
    there = connection.execute(
        "select to_regclass('supabase_migrations.schema_migrations') is not null"
    ).fetchone()
    if there != (True,):
        return {}
    rows = connection.execute(
        "select version, coalesce(name, ''), statements from supabase_migrations.schema_migrations"
    ).fetchall()
    return {version: (name, statements) for version, name, statements in rows}
