"""`takt db backup` and `takt db restore`."""

from __future__ import annotations

import datetime
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

import psycopg
import typer

from cli.db import archive, pgdump, records, restoring, target
from cli.output import Exit, Failure, Json, say, show
from services.local.paths import Paths

_NOT_IN_IT = (
    "Not in it: uploaded files, sessions, and .takt/secrets.json with the key of the shop secrets. "
    "Keep those too."
)
Format = Annotated[
    str,
    typer.Option("--format", help="custom (pg_dump -Fc), takt (own), auto: custom where it fits."),
]


def backup(
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Where to.")] = None,
    format_: Format = "auto",
    db_url: target.DbUrl = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    as_json: Json = False,
) -> None:
    """Write a consistent backup of the database to a file."""
    where, paths = target.find(db_url), Paths.find()
    if file is not None and file.exists() and not force:
        raise Failure(f"{file} exists already. Choose another name, or --force overwrites it.")
    with where.connect() as connection:
        major = connection.info.server_version // 10000
    chosen, folder, why = _choose(format_, major)
    say(f"format {chosen}: {why}")
    now = datetime.datetime.now(datetime.UTC)
    path = (file or _default_file(paths, where, chosen, now)).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, facts = _beside(path), {}
    try:
        if folder is not None:
            pgdump.dump(folder, where.superuser_url or where.url, temporary)
        else:
            manifest = archive.write(where.url, temporary, now.isoformat(), lambda s: say(f"  {s}"))
            facts = {"tables": len(manifest["tables"]), "rows": _rows(manifest)}
        temporary.replace(path)
    except psycopg.Error as error:
        raise Failure(f"No backup was made: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    record = records.Backup(
        database=records.key(where.url),
        file=str(path),
        format=chosen,
        made_at=now.isoformat(),
        bytes=path.stat().st_size,
        sha256=archive.digest(path),
    )
    records.add(record, paths)
    show({**vars(record), **facts}, as_json)
    say(_NOT_IN_IT)


def restore(
    file: Annotated[Path, typer.Argument(help="A file of `takt db backup`.")],
    into: Annotated[str, typer.Option("--into", help="Address of an empty database.")] = "",
    yes: target.Yes = False,
    as_json: Json = False,
) -> None:
    """Load a backup into an empty database, and prove that every row came back."""
    if not file.is_file():
        raise Failure(f"There is no file {file}.", Exit.USAGE)
    where = target.find(into)
    with file.open("rb") as opened:
        custom = opened.read(5) == b"PGDMP"
    url = restoring.loader_url(where)
    restoring.refuse_non_empty(url)
    target.confirm(f"Restore {file.name} into {where.shown}?", yes=yes, as_json=as_json)
    step = lambda s: say(f"  {s}")  # noqa: E731
    result: dict[str, Any]
    if custom:
        result = restoring.from_dump(url, file, step)
    else:
        result = restoring.from_archive(url, file, step)
    show({"database": where.shown, "format": "custom" if custom else "takt", **result}, as_json)
    say(
        "The history was restored: every client has to start anew from events_cursor (events_since "
        "refuses a cursor that is ahead by events.cursor_ahead), and everybody signs in again.\n"
        "Shop secrets of another stack stay closed without its key (.takt/secrets.json): set each "
        "again by `takt channel secret STORE`. `takt channel status` shows which."
    )


def _choose(wanted: str, server_major: int) -> tuple[Literal["custom", "takt"], Path | None, str]:
    """The format, the folder of pg_dump for `custom`, and why."""
    if wanted not in ("auto", "custom", "takt"):
        raise Failure("--format is auto, custom or takt.", Exit.USAGE)
    if wanted == "takt":
        return "takt", None, "asked for"
    folder, why = pgdump.find(server_major)
    if folder is not None:
        return "custom", folder, why
    if wanted == "custom":
        raise Failure(
            f"No format custom: {why}. Install the PostgreSQL {server_major} client programs, or "
            "use --format takt.",
            Exit.CONFIG_MISSING,
        )
    return "takt", None, why


def _default_file(paths: Paths, where: target.Target, chosen: str, now: datetime.datetime) -> Path:
    ending = "dump" if chosen == "custom" else "tar.gz"
    database = records.key(where.url).replace(":", "_").replace("/", "_")
    paths.create()
    folder = paths.state / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{database}_{now:%Y%m%dT%H%M%SZ}.{ending}"


def _beside(path: Path) -> Path:
    """A new file of ours in the same folder. Errors: OSError that names `path`."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    os.close(handle)
    return Path(name)


def _rows(manifest: dict[str, Any]) -> int:
    return sum(table["rows"] for table in manifest["tables"])
