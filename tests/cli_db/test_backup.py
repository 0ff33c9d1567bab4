"""`takt db backup` and `restore`: every row there and back."""

from __future__ import annotations

import datetime
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cli.db import archive, pgdump, records, restoring, scratch, tables, target
from services.local import clone_database, prepare_database
from services.local.postgres import SUPERUSER, PostgresServer
from takt.ports import free_port
from tests.cli_db.conftest import Takt
from tests.support.databases import Clone
from tests.support.orders import advance, make_order
from tests.support.rpc import Refused, call

DEBIAN = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def lived_in(clone: Clone) -> Clone:
    """A database with people, settings, and orders with awkward texts in several stages."""
    with clone.connect() as connection:
        for number, stage in enumerate(("Filling", "Covering", "Packing", "Complete")):
            name = f"bannos-{18617 + number}-A"
            make_order(
                connection, name, customer_name='Zoë "🎂" \\ Ba\tker\nline', cake_writing="\\N"
            )
            advance(connection, name, stage)
        connection.execute(
            "insert into public.events (at, site, stream, stream_id, event)"
            " values ('2019-05-01', 'main', 'order', 'old', 'order.created')"
        )
    return clone


@pytest.fixture
def empty(prepared: PostgresServer, fresh: str) -> str:
    """The superuser's address of a fresh project."""
    return prepared.url(SUPERUSER, fresh)


def contents(url: str, *, without_xid: bool = False) -> dict[str, tuple[int, str]]:
    """table → (rows, checksum). A restore changes the events' xid and the epoch of cursors only."""
    with psycopg.connect(url) as connection:
        tables.set_text(connection)
        found = {}
        for table in tables.tables(connection):
            if without_xid and table.shown == "private.event_epoch":
                continue
            kept = tuple(c for c in table.columns if not (without_xid and c == "xid"))
            counted = tables.tally(connection, tables.Table(table.schema, table.name, kept))
            found[table.shown] = (counted.rows, counted.checksum)
        return found


def sequences(url: str) -> list[dict[str, object]]:
    with psycopg.connect(url) as connection:
        return tables.sequences(connection)


def test_round_trip(takt: Takt, lived_in: Clone, empty: str, tmp_path: Path) -> None:
    file = tmp_path / "takt.tar.gz"
    made = takt(
        "db", "backup", "-f", str(file), "--format", "takt", "--json", "--db-url", lived_in.url()
    )
    assert made.code == 0
    assert made.data["format"] == "takt"
    assert "format takt" in made.err
    assert file.stat().st_mode & 0o777 == 0o600
    before = contents(lived_in.url(), without_xid=True)
    assert before["public.orders"][0] == 4

    ran = takt("db", "restore", str(file), "--into", empty, "--yes", "--json")

    assert ran.code == 0
    assert contents(empty, without_xid=True) == before
    assert sequences(empty) == sequences(lived_in.url())
    assert "events_cursor" in ran.err
    assert "takt channel secret" in ran.err
    assert takt("db", "status", "--db-url", empty).code == 0


def test_a_restored_database_goes_on(
    takt: Takt, lived_in: Clone, empty: str, tmp_path: Path
) -> None:
    file = tmp_path / "takt.tar.gz"
    takt("db", "backup", "-f", str(file), "--format", "takt", "--db-url", lived_in.url())
    with lived_in.connect() as connection:
        last = connection.execute("select max(id) from public.events").fetchone()
        told = call(connection, "manager", "events_since", p_limit=1000)
    takt("db", "restore", str(file), "--into", empty, "--yes")

    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("set session_authorization = postgres")
        found = call(connection, "manager", "events_since", p_limit=1000)
        assert [e["id"] for e in found] == sorted(e["id"] for e in told)
        with pytest.raises(Refused) as refused:
            call(connection, "manager", "events_since", p_cursor=told[0]["cursor"])
        assert refused.value.code == "events.cursor_ahead"
        cursor = call(connection, "operator", "events_cursor")
        advance(connection, "bannos-18617-A", "Covering")
        new = call(connection, "operator", "events_since", p_cursor=cursor)
        assert new
        assert last is not None
        assert min(event["id"] for event in new) > last[0]
        row = connection.execute("select count(*) from public.orders_bannos").fetchone()
        assert row == (4,)


def test_restore_into_a_migrated_but_unused_database(
    takt: Takt, lived_in: Clone, empty: str, tmp_path: Path
) -> None:
    file = tmp_path / "takt.tar.gz"
    takt("db", "backup", "-f", str(file), "--format", "takt", "--db-url", lived_in.url())
    assert takt("db", "push", "--yes", "--db-url", empty).code == 0
    assert takt("db", "restore", str(file), "--into", empty, "--yes").code == 0
    assert contents(empty, without_xid=True) == contents(lived_in.url(), without_xid=True)


def test_a_used_database_is_refused_and_stays_as_it_is(
    takt: Takt, lived_in: Clone, tmp_path: Path
) -> None:
    file = tmp_path / "takt.tar.gz"
    takt("db", "backup", "-f", str(file), "--format", "takt", "--db-url", lived_in.url())
    before = contents(lived_in.url())
    ran = takt("db", "restore", str(file), "--into", lived_in.url(SUPERUSER), "--yes")
    assert ran.code == 5
    assert "empty" in ran.err
    assert contents(lived_in.url()) == before


def test_a_database_of_something_else_is_refused(takt: Takt, empty: str, tmp_path: Path) -> None:
    file = tmp_path / "x.tar.gz"
    file.write_bytes(b"")
    with psycopg.connect(empty) as connection:
        connection.execute("create table public.accounts (id int)")
    assert takt("db", "restore", str(file), "--into", empty, "--yes").code == 5


def test_a_role_that_cannot_switch_triggers_off_is_refused(
    takt: Takt, prepared: PostgresServer, fresh: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.tar.gz"
    file.write_bytes(b"")
    ran = takt("db", "restore", str(file), "--into", prepared.url("postgres", fresh), "--yes")
    assert ran.code == 5
    assert "session_replication_role" in ran.err


def test_damage_is_found_before_anything_is_touched(
    takt: Takt, lived_in: Clone, empty: str, tmp_path: Path
) -> None:
    file, cut = tmp_path / "takt.tar.gz", tmp_path / "cut.tar.gz"
    takt("db", "backup", "-f", str(file), "--format", "takt", "--db-url", lived_in.url())
    whole = gzip.decompress(file.read_bytes())
    assert b"Confetti Cake" in whole
    changed = tmp_path / "changed.tar.gz"
    changed.write_bytes(gzip.compress(whole.replace(b"Confetti Cake", b"Confetti Bake", 1)))
    cut.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    for broken, word in ((changed, "public.orders"), (cut, str(cut))):
        ran = takt("db", "restore", str(broken), "--into", empty, "--yes")
        assert ran.code == 1
        assert word in ran.err
    with psycopg.connect(empty) as connection:
        row = connection.execute("select to_regclass('public.orders')").fetchone()
    assert row == (None,)


def test_rows_that_come_back_different_are_rolled_back(
    lived_in: Clone, empty: str, checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "takt.tar.gz"
    archive.write(lived_in.url(), file, "2026-11-21T00:00:00+00:00", lambda _: None)
    honest = archive.pieces

    def lossy(path: Path) -> Iterator[tuple[str, bytes]]:
        for name, content in honest(path):
            if name == "public.orders":
                yield name, content.replace(b"Confetti", b"Biscuit!", 1)
            else:
                yield name, content

    monkeypatch.setattr(archive, "pieces", lossy)
    with pytest.raises(Exception, match=r"public\.orders came back"):
        restoring.from_archive(empty, file, lambda _: None)
    with psycopg.connect(empty) as connection:
        assert connection.execute("select count(*) from public.orders").fetchone() == (0,)
        assert connection.execute("select count(*) > 0 from public.roles").fetchone() == (True,)


def test_the_backup_is_one_snapshot(lived_in: Clone, tmp_path: Path, checkout: Path) -> None:
    """Rows committed while it runs are in none of its tables."""
    file = tmp_path / "takt.tar.gz"
    seen: list[str] = []

    def meanwhile(line: str) -> None:
        if not seen:
            with lived_in.connect() as connection:
                make_order(connection, "bannos-99999")
        seen.append(line)

    manifest = archive.write(lived_in.url(), file, "2026-11-21T00:00:00+00:00", meanwhile)
    rows = {f"{t['schema']}.{t['name']}": t["rows"] for t in manifest["tables"]}
    assert seen
    assert rows["public.orders"] == 4
    assert archive.verify(file) == json.loads(json.dumps(manifest))


def test_large_tables_go_in_pieces(
    lived_in: Clone, tmp_path: Path, empty: str, takt: Takt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_PIECE", 300)
    file = tmp_path / "takt.tar.gz"
    takt("db", "backup", "-f", str(file), "--format", "takt", "--db-url", lived_in.url())
    names = [name for name, _ in archive.pieces(file)]
    assert names.count("public.orders") > 1
    assert takt("db", "restore", str(file), "--into", empty, "--yes").code == 0
    assert contents(empty, without_xid=True) == contents(lived_in.url(), without_xid=True)


def test_without_a_fitting_pg_dump_it_says_so(
    takt: Takt, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgdump, "_versions", lambda: iter([(9, Path("/nowhere"))]))
    made = takt("db", "backup", "--json", "--db-url", clone.url())
    assert made.code == 0
    assert made.data["format"] == "takt"
    assert "too old" in made.err
    refused = takt("db", "backup", "--format", "custom", "--db-url", clone.url())
    assert refused.code == 3
    assert takt("db", "backup", "--format", "zip", "--db-url", clone.url()).code == 2


@pytest.mark.skipif(not (DEBIAN / "pg_dump").is_file(), reason="no PostgreSQL 15 with pg_dump")
def test_round_trip_by_pg_dump(takt: Takt, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("pg15")
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o755)
    server = PostgresServer(folder / "data", free_port(), DEBIAN, {"fsync": "off"})
    server.init()
    server.start()
    try:
        prepare_database(server, scratch.PREPARED)
        clone_database(server, scratch.PREPARED, "one")
        clone_database(server, scratch.PREPARED, "two")
        one, two = server.url(SUPERUSER, "one"), server.url(SUPERUSER, "two")
        assert takt("db", "push", "--yes", "--db-url", one).code == 0
        with psycopg.connect(one) as connection:
            connection.execute("insert into public.sites (code, name) values ('main', 'Main')")
            connection.execute(
                "insert into public.stores (code, site, name, scan_prefix)"
                " values ('bannos', 'main', 'B', 'B')"
            )
            make_order(connection)
        made = takt("db", "backup", "--json", "--db-url", one)
        assert (made.code, made.data["format"]) == (0, "custom")
        age = datetime.datetime.now(datetime.UTC) - records.made_at(Path(made.data["file"]))
        assert abs(age) < datetime.timedelta(minutes=5)
        ran = takt("db", "restore", made.data["file"], "--into", two, "--yes", "--json")
        assert (ran.code, ran.data["format"]) == (0, "custom")
        assert contents(two, without_xid=True) == contents(one, without_xid=True)
    finally:
        server.stop("immediate")


def test_an_address_is_never_shown_with_its_password(clone: Clone, checkout: Path) -> None:
    found = target.find(clone.url())
    assert clone.server.passwords["postgres"] not in found.shown
