"""Loading a backup: schema by migrations, rows with triggers off, everything counted again."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from cli.db import archive, history, pgdump, tables, target
from cli.db.tables import Table, set_text
from cli.output import Exit, Failure
from services.local import migrations
from services.local.paths import Paths
from services.local.postgres import SUPERUSER

Notice = Callable[[str], None]

# A database with the schema in it counts as empty while nothing has happened in it.
_USED = ("auth.users", "public.events", "public.sites", "public.staff_shared", "public.orders")


def loader_url(where: target.Target) -> str:
    """An address whose role may load with triggers off. Errors: Failure (not allowed)."""
    if _may_load(where.url):
        return where.url
    own = _stack_superuser(where)
    if own is not None and _may_load(own):
        return own
    raise Failure(
        "This role may not switch triggers off (session_replication_role), and without that a "
        "restore would run them again. Give --into the address of a superuser, or restore into "
        "the local stack.",
        Exit.NOT_ALLOWED,
    )


def refuse_non_empty(url: str) -> None:
    """Errors: Failure (not allowed) that names what is in the way."""
    with target.connect(url) as connection:
        for name in _USED:
            if not _exists(connection, name):
                continue
            found = connection.execute(
                sql.SQL("select exists (select from {})").format(_identifier(name))
            ).fetchone()
            if found == (True,):
                raise Failure(
                    f"{name} has rows: a restore goes into an empty database only.",
                    Exit.NOT_ALLOWED,
                )
        if not _exists(connection, "public.events") and _tables_in_public(connection):
            raise Failure(
                "Schema public has tables of something else: a restore goes into an empty "
                "database only.",
                Exit.NOT_ALLOWED,
            )


def from_archive(url: str, file: Path, notice: Notice) -> dict[str, Any]:
    """Restore format `takt`. Errors: Failure; the rows come in one transaction or not at all."""
    notice("reading the file and its checksums")
    manifest = archive.verify(file)
    notice("building the schema")
    _build(url, manifest["migrations"])
    with target.connect(url) as connection:
        set_text(connection)
        with connection.transaction():
            connection.execute("set local session_replication_role = replica")
            wanted = _match(connection, manifest)
            _clear(connection, wanted)
            _load(connection, wanted, file, notice)
            notice("counting again")
            _compare(connection, wanted, manifest)
            _set_sequences(connection, manifest["sequences"])
    rebased = _finish(url)
    rows = sum(t["rows"] for t in manifest["tables"])
    return {"made_at": manifest["made_at"], "tables": len(wanted), "rows": rows, "rebased": rebased}


def from_dump(url: str, file: Path, notice: Notice) -> dict[str, Any]:
    """Restore the rows of a `pg_dump -Fc` into the schema of this checkout. Errors: Failure."""
    with target.connect(url) as connection:
        major = connection.info.server_version // 10000
    folder, why = pgdump.find(major)
    if folder is None:
        raise Failure(f"No pg_restore: {why}.", Exit.CONFIG_MISSING)
    notice("building the schema")
    _push(url, Paths.find().root)
    with target.connect(url) as connection, connection.transaction():
        connection.execute("set local session_replication_role = replica")
        found = tables.tables(connection)
        _clear(connection, found)
    notice(f"loading by pg_restore in {folder}")
    with tempfile.TemporaryDirectory(prefix="takt-restore-") as work:
        pgdump.restore(folder, url, file, Path(work))
    with target.connect(url) as connection:
        rows = sum(tables.tally(connection, table).rows for table in found)
    return {"tables": len(found), "rows": rows, "rebased": _finish(url)}


# -- schema -----------------------------------------------------------------------------------


def _build(url: str, applied: list[dict[str, Any]]) -> None:
    """Apply exactly the migrations that the backup was made with."""
    root = Paths.find().root
    with tempfile.TemporaryDirectory(prefix="takt-restore-") as name:
        work = Path(name)
        folder = work / "supabase" / "migrations"
        folder.mkdir(parents=True)
        shutil.copy(root / "supabase" / "config.toml", work / "supabase" / "config.toml")
        for entry in applied:
            file = f"{entry['version']}_{entry['name']}.sql"
            if entry["statements"]:
                text = "".join(f"{statement}\n;\n" for statement in entry["statements"])
            else:
                text = (root / "supabase" / "migrations" / file).read_text(encoding="utf-8")
            (folder / file).write_text(text, encoding="utf-8")
        with target.connect(url) as connection:
            there = history.read(connection, folder)
        if there.complaints or (there.pending and there.schema_version):
            raise Failure(
                "The database has other migrations than the backup. Use an empty one, or check "
                "out the version that made the backup and run `takt db reset`.",
                Exit.DRIFT,
            )
        _push(url, work)


def _push(url: str, workdir: Path) -> None:
    try:
        migrations.push(url, workdir)
    except (migrations.MigrationError, psycopg.Error) as error:
        raise Failure(f"The schema does not build: {error}") from error


# -- rows -------------------------------------------------------------------------------------


def _match(connection: psycopg.Connection, manifest: dict[str, Any]) -> list[Table]:
    """The tables of the backup as they are here. Errors: Failure when one does not fit."""
    here = {table.shown: table for table in tables.tables(connection)}
    found: list[Table] = []
    for entry in manifest["tables"]:
        name = f"{entry['schema']}.{entry['name']}"
        table = here.pop(name, None)
        if table is None and entry["rows"] == 0:
            continue
        missing = set(entry["columns"]) - set(table.columns if table else ())
        if table is None or missing:
            raise Failure(f"{name} of the backup does not fit here: {sorted(missing)}", Exit.DRIFT)
        found.append(Table(table.schema, table.name, tuple(entry["columns"])))
    return found


def _clear(connection: psycopg.Connection, found: list[Table]) -> None:
    """Take out the seed rows: the backup brings its own."""
    for table in found:
        connection.execute(sql.SQL("delete from {}").format(table.quoted))


def _load(connection: psycopg.Connection, wanted: list[Table], file: Path, notice: Notice) -> None:
    by_name = {table.shown: table for table in wanted}
    last = ""
    for name, content in archive.pieces(file):
        if name not in by_name:
            continue
        if name != last:
            notice(f"loading {name}")
            last = name
        table = by_name[name]
        query = sql.SQL("copy {} ({}) from stdin").format(table.quoted, table.column_list)
        try:
            with connection.cursor() as cursor, cursor.copy(query) as copy:
                copy.write(content)
        except psycopg.Error as error:
            raise Failure(f"{name} cannot be loaded: {str(error).strip()}") from error


def _compare(connection: psycopg.Connection, wanted: list[Table], manifest: dict[str, Any]) -> None:
    expected = {f"{t['schema']}.{t['name']}": t for t in manifest["tables"]}
    for table in wanted:
        found, entry = tables.tally(connection, table), expected[table.shown]
        if (found.rows, found.checksum) != (entry["rows"], entry["checksum"]):
            raise Failure(
                f"{table.shown} came back with {found.rows} rows where the backup has "
                f"{entry['rows']}, or with other values. Nothing was kept."
            )


def _set_sequences(connection: psycopg.Connection, found: list[dict[str, Any]]) -> None:
    for entry in found:
        name = sql.Identifier(entry["schema"], entry["name"]).as_string(connection)
        connection.execute(
            "select pg_catalog.setval(%s::regclass, %s, %s)",
            (name, entry["last_value"], entry["is_called"]),
        )


def _finish(url: str) -> int:
    """What the rows alone do not bring back: views per store, and a past for the events.

    Returns how many events were rebased.
    """
    with target.connect(url) as connection, connection.transaction():
        # What is made here belongs to the role that migrations run as.
        connection.execute("set local role postgres")
        connection.execute(
            "select private.create_store_view(s.code) from public.stores s"
            " where to_regclass(format('public.%I', 'orders_' || s.code)) is null"
        )
        connection.execute("select private.ensure_event_partitions(now())")
        row = connection.execute("select private.rebase_events(p_all => true)").fetchone()
        connection.execute("notify pgrst, 'reload schema'")
    return int(row[0]) if row else 0


# -- rights -----------------------------------------------------------------------------------


def _may_load(url: str) -> bool:
    with target.connect(url) as connection:
        row = connection.execute(
            "select pg_catalog.has_parameter_privilege('session_replication_role', 'set')"
        ).fetchone()
    return row == (True,)


def _stack_superuser(where: target.Target) -> str | None:
    """The superuser's address of that database when it is on the embedded stack's server."""
    if where.stack is None:
        return None
    return where.stack.db_url(SUPERUSER, urlsplit(where.url).path.strip("/"))


def _exists(connection: psycopg.Connection, name: str) -> bool:
    row = connection.execute("select to_regclass(%s) is not null", (name,)).fetchone()
    return row == (True,)


def _identifier(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))


def _tables_in_public(connection: psycopg.Connection) -> bool:
    row = connection.execute(
        "select exists (select from pg_catalog.pg_tables where schemaname = 'public')"
    ).fetchone()
    return row == (True,)
