"""PostgresServer and prepare_database, on their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from services.local import clone_database, control, lite, migrations, prepare_database
from services.local.gateway.admin_users import BadInput, parse_ban
from services.local.gateway.timestamps import repair, rfc3339
from services.local.paths import Paths
from services.local.postgres import PostgresError, PostgresServer
from services.local.settings import Ports, choose_ports, first_port
from takt.ports import free_port
from tests.local.support import ROOT


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A prepared server with the database `ready`."""
    mine = PostgresServer(tmp_path_factory.mktemp("pg") / "data", free_port())
    mine.init()
    mine.start()
    prepare_database(mine, "ready")
    yield mine
    mine.stop()


def test_a_killed_server_starts_again_with_its_data(server: PostgresServer) -> None:
    with psycopg.connect(server.url(dbname="ready"), autocommit=True) as connection:
        connection.execute("create table public.kept as select 1 as n")
    server.kill()
    assert not server.is_running()
    server.start()
    with psycopg.connect(server.url(dbname="ready")) as connection:
        assert connection.execute("select n from public.kept").fetchone() == (1,)
        connection.execute("drop table public.kept")


def test_a_pid_file_of_another_program_is_no_obstacle(server: PostgresServer) -> None:
    server.stop()
    (server.data_dir / "postmaster.pid").write_text("1\n")
    server.start()
    assert server.is_ready()


def test_a_second_server_object_sees_the_first(server: PostgresServer) -> None:
    other = PostgresServer(server.data_dir, server.port, passwords=server.passwords)
    assert other.pid == server.pid
    other.start()
    assert other.is_ready()


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(PostgresError, match="not empty"):
        PostgresServer(tmp_path, free_port()).init()
    assert (tmp_path / "precious").read_text() == "x"


def test_a_start_that_fails_shows_its_own_log_only(server: PostgresServer) -> None:
    server.stop()
    assert "shut down" in server.log_tail()
    broken = PostgresServer(
        server.data_dir, server.port, settings={"work_mem": "no"}, passwords=server.passwords
    )
    with pytest.raises(PostgresError, match="work_mem") as caught:
        broken.start()
    assert "shut down" not in str(caught.value)
    server.start()


def test_passwords_are_asked_for(server: PostgresServer) -> None:
    for password in ("wrong", ""):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url(password=password))


def test_preparing_twice_and_lite_again_change_nothing(server: PostgresServer) -> None:
    prepare_database(server, "ready")
    lite.create_tables(server.url(lite.ROLE, "ready"))
    prepare_database(server, "ready")
    with psycopg.connect(server.url(dbname="ready")) as connection:
        row = connection.execute(
            "select has_table_privilege('anon', 'auth.users', 'select'),"
            " has_table_privilege('authenticated', 'auth.users', 'select'),"
            " has_table_privilege('postgres', 'auth.users', 'references'),"
            " has_schema_privilege('authenticated', 'auth', 'usage')"
        ).fetchone()
    assert row == (False, False, True, True)


def test_roles_are_as_hosted(server: PostgresServer) -> None:
    with psycopg.connect(server.url(dbname="ready")) as connection:
        rows = connection.execute(
            "select rolname, rolsuper, rolbypassrls, rolcanlogin from pg_roles where rolname in"
            " ('postgres', 'anon', 'authenticated', 'service_role', 'authenticator')"
        ).fetchall()
        timeout = connection.execute(
            "select rolconfig from pg_roles where rolname = 'anon'"
        ).fetchone()
    assert set(rows) == {
        ("postgres", False, True, True),
        ("anon", False, False, False),
        ("authenticated", False, False, False),
        ("service_role", False, True, False),
        ("authenticator", False, False, True),
    }
    assert timeout == (["statement_timeout=3s"],)


def test_claims_are_read_from_json_first(server: PostgresServer) -> None:
    uid = "7f2c1c9e-4d6e-4e6f-9d43-0d3f7a3b1b11"
    with psycopg.connect(server.url(dbname="ready")) as connection:
        connection.execute(
            "select set_config('request.jwt.claims', %s, true),"
            " set_config('request.jwt.claim.role', 'anon', true)",
            (f'{{"sub": "{uid}", "role": "authenticated", "email": "a@b.co"}}',),
        )
        row = connection.execute("select auth.uid()::text, auth.role(), auth.email()").fetchone()
        assert row == (uid, "authenticated", "a@b.co")
        connection.execute("select set_config('request.jwt.claims', '', true)")
        row = connection.execute("select auth.uid(), auth.role()").fetchone()
        assert row == (None, "anon")


def test_the_cli_pushes_and_a_clone_has_it(server: PostgresServer, tmp_path: Path) -> None:
    folder = tmp_path / "supabase" / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / "supabase" / "config.toml").write_text('project_id = "test"\n')
    (folder / "20260101000000_first.sql").write_text(
        "create table public.first (id uuid primary key references auth.users (id));\n"
        "create extension if not exists btree_gist with schema extensions;\n"
        "create policy select_first on storage.objects for select to authenticated using (true);\n"
    )
    prepare_database(server, "template")
    url = server.url(dbname="template")
    assert migrations.pending(url, tmp_path) == ["20260101000000"]
    migrations.push(url, tmp_path)
    assert migrations.pending(url, tmp_path) == []
    clone_database(server, "template", "clone")
    with psycopg.connect(server.url(dbname="clone")) as connection:
        row = connection.execute(
            "select to_regclass('public.first') is not null, current_setting('pgrst.db_schemas'),"
            " (select tableowner from pg_tables where tablename = 'first')"
        ).fetchone()
    assert row == (True, "public", "postgres")


def test_a_broken_migration_is_reported(server: PostgresServer, tmp_path: Path) -> None:
    folder = tmp_path / "supabase" / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / "supabase" / "config.toml").write_text('project_id = "test"\n')
    (folder / "20260101000000_bad.sql").write_text("create table public.bad (id nonsense);\n")
    prepare_database(server, "broken")
    with pytest.raises(migrations.MigrationError, match="nonsense"):
        migrations.push(server.url(dbname="broken"), tmp_path)


def test_a_full_disk_is_said_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=5 * 1024**2))
    with pytest.raises(control.ControlError, match="The disk is full: 5 MB are left"):
        control.up(Paths(ROOT, tmp_path), demo=False, timeout=5, notice=lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_taken_ports_move_by_ten(server: PostgresServer) -> None:
    wanted = Ports.starting_at(server.port)
    chosen = choose_ports(wanted)
    assert chosen.gateway != server.port
    assert (chosen.gateway - first_port()) % 10 == 0
    assert len({*vars(chosen).values()}) == len(vars(chosen))


@pytest.mark.parametrize(
    ("lite_text", "wanted"),
    [
        ("2026-11-21 05:34:12.713+00", "2026-11-21T05:34:12.713Z"),
        ("2026-11-21 05:34:12+05:30", "2026-11-21T05:34:12+05:30"),
        ("2026-11-21T05:34:12Z", "2026-11-21T05:34:12Z"),
        ("at 2026-11-21 05:34:12+00", "at 2026-11-21 05:34:12+00"),
    ],
)
def test_timestamps(lite_text: str, wanted: str) -> None:
    assert rfc3339(lite_text) == wanted
    assert repair({"user": {"created_at": lite_text}}) == {"user": {"created_at": wanted}}
    kept = {"user_metadata": {"born_at": lite_text}, "note": lite_text}
    assert repair(kept) == kept


def test_ban_durations() -> None:
    duration = parse_ban("1h30m")
    assert duration is not None
    assert duration.total_seconds() == 5400
    assert parse_ban("none") is None
    with pytest.raises(BadInput):
        parse_ban("1 day")
