"""Which backup of which database was made when: what the gate looks at."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cli.db import archive, pgdump
from cli.output import Failure
from services.local.paths import Paths, write_atomic

_KEPT = 200
_GZIP = b"\x1f\x8b"
_AHEAD = datetime.timedelta(hours=15)  # a dump's own time is local, and zones lie that far apart


@dataclass(frozen=True)
class Backup:
    """`made_at`: RFC 3339; `format`: takt or custom; `database`: host:port/name."""

    database: str
    file: str
    format: str
    made_at: str
    bytes: int
    sha256: str

    def age(self, now: datetime.datetime) -> datetime.timedelta:
        return now - datetime.datetime.fromisoformat(self.made_at)


def key(url: str) -> str:
    """host:port/name of a database."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}"


def add(backup: Backup, paths: Paths) -> None:
    """Remember a backup."""
    paths.create()
    kept = [asdict(b) for b in read(paths)][-_KEPT + 1 :]
    write_atomic(_file(paths), json.dumps([*kept, asdict(backup)], indent=1) + "\n")


def read(paths: Paths) -> list[Backup]:
    """All remembered backups, oldest first; none when the record cannot be read."""
    try:
        stored: list[dict[str, Any]] = json.loads(_file(paths).read_text(encoding="utf-8"))
        return [Backup(**entry) for entry in stored]
    except (OSError, ValueError, TypeError):
        return []


def problem(
    database: str, paths: Paths, file: Path | None, hours: float, now: datetime.datetime
) -> str | None:
    """Why there is no fresh backup of this database; None when there is one.

    `file` names a backup made elsewhere, by `takt db backup` or pg_dump: the time in it counts.
    """
    limit = datetime.timedelta(hours=hours)
    if file is not None:
        return _file_problem(file, limit, now)
    known = [b for b in read(paths) if b.database == database]
    if not known:
        return f"No backup of {database} is on record. Run `takt db backup`, or give --backup FILE."
    last = max(known, key=lambda b: datetime.datetime.fromisoformat(b.made_at))
    path = Path(last.file)
    found = None
    if last.age(now) > limit:
        found = f"The last backup of {database} is {_hours(last.age(now))} old: {path}."
    elif not path.is_file():
        found = f"The last backup is gone: {path}."
    elif path.stat().st_size != last.bytes or archive.digest(path) != last.sha256:
        found = f"The last backup was changed after it was made: {path}."
    return found


def _file_problem(file: Path, limit: datetime.timedelta, now: datetime.datetime) -> str | None:
    if not file.is_file():
        return f"There is no file {file}."
    try:
        age = now - made_at(file)
    except Failure as error:
        return str(error)
    if age < -_AHEAD:
        return f"{file} says that it was made in the future: mend the clock, or make it again."
    return None if age <= limit else f"{file} is {_hours(age)} old."


def made_at(file: Path) -> datetime.datetime:
    """When a backup was made, from its own manifest or header.

    Errors: Failure when the file is not a whole backup: a dump of format custom, or a takt archive.
    """
    with file.open("rb") as opened:
        first = opened.read(len(pgdump.MAGIC))
    if first == pgdump.MAGIC:
        return pgdump.made_at(file)
    if not first.startswith(_GZIP):
        raise Failure(f"{file} is no backup: neither of `takt db backup` nor of `pg_dump -Fc`.")
    try:
        return datetime.datetime.fromisoformat(archive.verify(file)["made_at"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Failure(f"{file} is no backup of `takt db backup`.") from error


def _hours(age: datetime.timedelta) -> str:
    return f"{age.total_seconds() / 3600:.1f} h"


def _file(paths: Paths) -> Path:
    return paths.state / "backups.json"
