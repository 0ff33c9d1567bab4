"""The backup file of format `takt`: a tar.gz of COPY pieces with a manifest at its end.

data/<schema>.<table>/000001.copy   rows as COPY text (UTF-8), at most some MiB each
manifest.json                       versions, migrations, tables with counts and checksums
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from cli.db import target
from cli.db.tables import Table, Tally, lines, sequences, set_text, tables
from cli.output import Failure

FORMAT = 1
_PIECE = 4 << 20  # bytes of a piece: what is held in memory at a time
_MIGRATIONS = """\
select version, coalesce(name, ''), statements
  from supabase_migrations.schema_migrations order by version
"""
Notice = Callable[[str], None]


class ArchiveError(Failure):
    """The file is no backup, or a damaged one."""


def write(url: str, file: Path, made_at: str, notice: Notice) -> dict[str, Any]:
    """Write one consistent snapshot of the database; returns the manifest.

    `made_at` is an RFC 3339 time. Errors: psycopg.Error, OSError.
    """
    with target.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        set_text(connection)
        manifest = _manifest(connection, made_at)
        found = tables(connection)
        with (
            gzip.open(file, "wb", compresslevel=6) as zipped,
            tarfile.open(fileobj=zipped, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        ):
            for table in found:
                _add_table(tar, connection, table)
                notice(f"{table.shown}: {table.tally.rows} rows")
            manifest["tables"] = [
                {
                    "schema": t.schema,
                    "name": t.name,
                    "columns": list(t.columns),
                    "rows": t.tally.rows,
                    "checksum": t.tally.checksum,
                }
                for t in found
            ]
            # After the rows: a sequence may be ahead of the snapshot, never behind it.
            manifest["sequences"] = sequences(connection)
            _add(tar, "manifest.json", json.dumps(manifest, indent=1).encode())
    return manifest


def verify(file: Path) -> dict[str, Any]:
    """Read the whole file and compare every checksum; returns the manifest.

    Errors: ArchiveError.
    """
    counted: dict[str, Tally] = {}
    manifest: dict[str, Any] | None = None
    for name, content in _members(file):
        if name == "manifest.json":
            manifest = json.loads(content)
            continue
        tally = counted.setdefault(name.split("/")[1], Tally())
        for line in content.splitlines(keepends=True):
            tally.add(line)
    if manifest is None:
        raise ArchiveError(f"{file} is cut off: it has no manifest.")
    if manifest.get("format") != FORMAT:
        raise ArchiveError(f"{file} has format {manifest.get('format')}; this is {FORMAT}.")
    for table in manifest["tables"]:
        name = f"{table['schema']}.{table['name']}"
        found = counted.pop(name, Tally())
        if (found.rows, found.checksum) != (table["rows"], table["checksum"]):
            raise ArchiveError(f"{file} is damaged: {name} does not fit its checksum.")
    if counted:
        raise ArchiveError(f"{file} is damaged: rows of {min(counted)} are not in the manifest.")
    return manifest


def pieces(file: Path) -> Iterator[tuple[str, bytes]]:
    """(schema.table, COPY text) in the order of the file. Errors: ArchiveError."""
    for name, content in _members(file):
        if name.startswith("data/"):
            yield name.split("/")[1], content


def digest(file: Path) -> str:
    """SHA-256 of the file, hex."""
    found = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def _manifest(connection: psycopg.Connection, made_at: str) -> dict[str, Any]:
    row = connection.execute(
        "select current_database(), current_setting('server_version'), pg_current_snapshot()::text"
    ).fetchone()
    database, server, snapshot = row if row is not None else ("", "", "")
    migrations = connection.execute(_MIGRATIONS).fetchall()
    return {
        "format": FORMAT,
        "made_at": made_at,
        "database": database,
        "server_version": server,
        "snapshot": snapshot,
        "migrations": [{"version": v, "name": n, "statements": s} for v, n, s in migrations],
    }


def _add_table(tar: tarfile.TarFile, connection: psycopg.Connection, table: Table) -> None:
    buffer, number = bytearray(), 0

    def flush() -> None:
        nonlocal number
        number += 1
        _add(tar, f"data/{table.shown}/{number:06}.copy", bytes(buffer))
        buffer.clear()

    for line in lines(connection, table):
        table.tally.add(line)
        buffer += line
        if len(buffer) >= _PIECE:
            flush()
    if buffer:
        flush()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o600
    tar.addfile(info, io.BytesIO(content))


def _members(file: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(file, "r|gz") as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is not None:
                    yield member.name, content.read()
    except FileNotFoundError as error:
        raise ArchiveError(f"There is no file {file}.") from error
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise ArchiveError(f"{file} cannot be read as a backup: {error}") from error
