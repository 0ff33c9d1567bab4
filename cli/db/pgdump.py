"""Backups by pg_dump and pg_restore, where a fitting pair is installed."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from cli.output import Exit, Failure

# What `takt db restore` takes out of a dump; the rest of it the migrations build.
_DATA = re.compile(
    r"^\d+; \d+ \d+ (?:TABLE DATA|SEQUENCE SET) "
    r"(?:(?:public|private) \S+|auth (?:users|identities)|storage (?:buckets|objects)) "
)
# Whoever reads a backup must not be signed in by it.
_SIGNED_IN = ("sessions", "refresh_tokens", "one_time_tokens", "flow_state")

MAGIC = b"PGDMP"
_CUSTOM = 1  # the format byte
_ONE_BYTE_COMPRESSION = (1, 15)  # archive version from which compression is a byte
_SANE = 8  # bytes of an integer


def made_at(file: Path) -> datetime.datetime:
    """When pg_dump made this file (format custom), from its header.

    The header has the local time of the computer that made it; it is taken for one of ours.
    Errors: Failure when the file is no such dump.
    """
    with file.open("rb") as opened:
        try:
            return _header_time(opened)
        except (ValueError, IndexError, OverflowError) as error:
            raise Failure(
                f"{file} is no dump of pg_dump (format custom), or is cut off."
            ) from error


def _header_time(opened: BinaryIO) -> datetime.datetime:
    """Errors: ValueError or IndexError when this is not a whole header."""
    head = opened.read(len(MAGIC) + 6)
    major, minor, _, size, _, form = head[len(MAGIC) :]
    if not head.startswith(MAGIC) or form != _CUSTOM or not 1 <= size <= _SANE:
        raise ValueError
    opened.read(1 if (major, minor) >= _ONE_BYTE_COMPRESSION else size + 1)
    second, minute, hour, day, month, year, _ = (_integer(opened, size) for _ in range(7))
    for _ in range(3):  # the names of database, server version and pg_dump version
        length = _integer(opened, size)
        if len(opened.read(max(length, 0))) < length:
            raise ValueError
    if _integer(opened, size) <= 0 or not opened.read(1):  # entries of the table of contents
        raise ValueError
    moment = datetime.datetime(1900 + year, 1 + month, day, hour, minute, min(second, 59))
    return moment.astimezone(datetime.UTC)


def _integer(opened: BinaryIO, size: int) -> int:
    """A sign byte, then the magnitude, lowest byte first."""
    content = opened.read(1 + size)
    value = int.from_bytes(content[1:], "little")
    if len(content) <= size:
        raise ValueError
    return -value if content[0] else value


def _versions() -> Iterator[tuple[int, Path]]:
    """(major, folder) of each installed pg_dump, newest first."""
    folders = {Path(p) for p in os.environ.get("PATH", "").split(os.pathsep) if p}
    folders |= set(Path("/usr/lib/postgresql").glob("*/bin"))
    found: set[tuple[int, Path]] = set()
    for folder in folders:
        program = shutil.which("pg_dump", path=str(folder))
        if program is None or shutil.which("pg_restore", path=str(folder)) is None:
            continue
        said = subprocess.run([program, "--version"], check=False, capture_output=True, text=True)
        major = re.search(r"\) (\d+)", said.stdout)
        if major:
            found.add((int(major[1]), folder))
    yield from sorted(found, reverse=True)


def find(server_major: int) -> tuple[Path | None, str]:
    """The folder with a pg_dump that can read this server, and a sentence about the choice."""
    found = list(_versions())
    fitting = [folder for major, folder in found if major >= server_major]
    if fitting:
        return fitting[-1], f"pg_dump in {fitting[-1]}"
    if found:
        newest = f"the newest pg_dump here is {found[0][0]}, too old for a server {server_major}"
    else:
        newest = "there is no pg_dump here"
    return None, newest


def dump(folder: Path, url: str, file: Path) -> None:
    """`pg_dump -Fc` of the whole database. Errors: Failure."""
    # By the root: the partitions of another month or server may not be there at a restore.
    how = ["--format=custom", "--load-via-partition-root", "--no-password"]
    how += [f"--exclude-table-data=auth.{name}" for name in _SIGNED_IN]
    _run([folder / "pg_dump", *how, "--file", file], url)


def restore(folder: Path, url: str, file: Path, work: Path) -> None:
    """Load the rows of a dump (not its schema) with triggers off. Errors: Failure."""
    listed = _run([folder / "pg_restore", "--list", file])
    wanted = work / "wanted.list"
    wanted.write_text("".join(f"{x}\n" for x in listed.splitlines() if _DATA.match(x)))
    command: list[str | Path] = [
        folder / "pg_restore",
        *("--data-only", "--exit-on-error"),
        *("--single-transaction", "--no-password", "--use-list", wanted, "--dbname", ""),
    ]
    _run([*command, file], url, "-c session_replication_role=replica")


def _run(command: list[str | Path], url: str = "", options: str = "") -> str:
    """The address goes by the environment: a command line is for everybody to read."""
    parts = urlsplit(url)
    environment = dict(os.environ)
    if url:
        environment |= {
            "PGHOST": parts.hostname or "",
            "PGPORT": str(parts.port or 5432),
            "PGUSER": unquote(parts.username or "postgres"),
            "PGPASSWORD": unquote(parts.password or ""),
            "PGDATABASE": unquote(parts.path.strip("/")),
            "PGOPTIONS": options,
        }
    name = unquote(parts.path.strip("/"))
    words = [name if str(word) == "" else str(word) for word in command]
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        program = Path(words[0]).name
        raise Failure(f"{program} failed:\n{done.stderr.strip()[-2000:]}", Exit.FAILED)
    return done.stdout
