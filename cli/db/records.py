"""Which backup of which database was made when: what the gate looks at."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cli.db import archive
from services.local.paths import Paths, write_atomic

_KEPT = 200


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

    `file` names a backup made elsewhere (by the hosting, or by pg_dump): its time counts.
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
    if not file.is_file() or file.stat().st_size == 0:
        return f"{file} is no file with a backup in it."
    made = datetime.datetime.fromtimestamp(file.stat().st_mtime, datetime.UTC)
    return None if now - made <= limit else f"{file} is {_hours(now - made)} old."


def _hours(age: datetime.timedelta) -> str:
    return f"{age.total_seconds() / 3600:.1f} h"


def _file(paths: Paths) -> Path:
    return paths.state / "backups.json"
