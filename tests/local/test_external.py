"""`TAKT_DB_URL`: the stack on a database of somebody else's server, Debian's PostgreSQL 15."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from supabase import Client, create_client

from services.local import prepare
from services.local.database import Database, normalise
from services.local.postgres import PostgresServer
from services.local.processes import wait_until
from takt.ports import free_port
from tests.local.support import Stack

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

DEBIAN = Path("/usr/lib/postgresql/15/bin")
PASSWORD = "s3cret pw/@é"  # everything that an address must quote
_ROLES = """
  select r.*, array(
    select m.roleid::regrole::text from pg_catalog.pg_auth_members as m
    where m.member = r.oid order by 1
  )
  from pg_catalog.pg_authid as r where r.rolname !~ '^pg_' order by r.rolname
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """As an administrator has it: superusers `postgres` and `boss`, some databases."""
    if not (DEBIAN / "postgres").exists():
        message = "the Debian package postgresql-15 is not installed"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    mine = PostgresServer(
        tmp_path_factory.mktemp("debian") / "data",
        free_port(),
        bin_dir=DEBIAN,
        superuser="postgres",
        passwords={"postgres": PASSWORD, "boss": PASSWORD, "joe": PASSWORD},
    )
    mine.init()
    mine.start()
    with psycopg.connect(mine.url(), autocommit=True) as connection:
        for name in ("takt", "second", "crm", "plain"):
            connection.execute(f"create database {name} encoding 'UTF8' template template0")
        for role in ("boss superuser", "joe"):
            connection.execute(f"create role {role} login password '{PASSWORD}'")
    yield mine
    mine.stop()


@pytest.fixture(scope="module")
def before(server: PostgresServer) -> list[Any]:
    """The roles before any stack came."""
    return roles(server)


@pytest.fixture(scope="module")
def adopted(
    server: PostgresServer, before: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A demo on the database `takt`; the address is given to the first `up` alone."""
    stack = Stack(tmp_path_factory.mktemp("adopted"), env={"TAKT_SIM_SECONDS": "3600"})
    first = replace(stack, env={**stack.env, "TAKT_DB_URL": server.url(dbname="takt")})
    first.up("--demo")
    yield stack
    assert stack.takt("down").returncode == 0


def roles(server: PostgresServer) -> list[Any]:
    """Every attribute, password and membership of every role."""
    with psycopg.connect(server.url()) as connection:
        return connection.execute(_ROLES).fetchall()


def operator(facts: dict[str, Any]) -> Client:
    """The demo's operator, signed in through the gateway."""
    account = next(s for s in facts["demo_sign_ins"] if s["role"] == "operator")
    client = create_client(facts["api_url"], facts["publishable_key"])
    client.auth.sign_in_with_password({key: account[key] for key in ("email", "password")})
    return client


def scan(facts: dict[str, Any]) -> str:
    """Scan a ticket that waits for Covering; its id."""
    client = operator(facts)
    waiting = client.table("orders").select("id").eq("stage", "Covering")
    found: Any = waiting.is_("covering_started_at", "null").limit(1).execute().data
    answer: Any = client.rpc("scan", {"p_code": found[0]["id"]}).execute().data
    assert answer["action"] == "started", answer
    return str(found[0]["id"])


def started_at(server: PostgresServer, order: str) -> Any:
    with psycopg.connect(server.url(dbname="takt")) as connection:
        row = connection.execute(
            "select covering_started_at from public.orders where id = %s", (order,)
        ).fetchone()
    return row and row[0]


def test_status_and_doctor_show_the_server_without_its_password(
    adopted: Stack, server: PostgresServer
) -> None:
    postgres = adopted.service("postgres")
    assert (postgres["state"], postgres["host"], postgres["pid"]) == ("external", "127.0.0.1", None)
    assert postgres["port"] == server.port
    with psycopg.connect(adopted.status()["db_url"]) as connection:
        assert connection.execute("select current_database()").fetchone() == ("takt",)
    assert not (adopted.home / ".takt" / "pgdata").exists()
    assert (adopted.home / ".takt" / "database.json").stat().st_mode & 0o077 == 0

    shown, doctor = adopted.takt("status"), adopted.takt("doctor")
    assert (shown.returncode, doctor.returncode) == (0, 0), doctor.stdout
    assert f"external    at 127.0.0.1:{server.port}" in shown.stdout
    assert f"service postgres: external, 127.0.0.1:{server.port}/takt" in doctor.stdout
    logs = [adopted.log(file.stem) for file in (adopted.home / ".takt" / "logs").glob("*.log")]
    for text in (shown.stdout, doctor.stdout, adopted.state_text(), *logs):
        assert "s3cret" not in text


def test_only_missing_roles_were_made(
    adopted: Stack, server: PostgresServer, before: list[Any]
) -> None:
    now = roles(server)
    assert [role for role in now if role in before] == before
    made = {role[1]: role for role in now if role not in before}
    assert {"anon", "authenticated", "service_role", "authenticator", "supabase_lite"} <= set(made)
    assert not {"postgres", "supabase_admin"} & set(made)
    kept = json.loads((adopted.home / ".takt" / "database.json").read_text())
    assert set(kept["roles"]) == {"authenticator", "supabase_auth_admin", "supabase_lite"}


def test_down_leaves_the_server_and_the_next_up_finds_the_data(
    adopted: Stack, server: PostgresServer
) -> None:
    pid, roles_then = server.pid, roles(server)
    order = scan(adopted.status())
    moment = started_at(server, order)
    assert moment is not None
    assert adopted.takt("down").returncode == 0
    assert server.pid == pid
    assert server.is_ready()
    assert adopted.status()["state"] == "stopped"
    assert adopted.service("postgres")["state"] == "external"
    assert started_at(server, order) == moment

    facts = adopted.up()
    assert adopted.service("postgres")["port"] == server.port
    assert started_at(server, order) == moment
    read = operator(facts).table("orders").select("id").eq("id", order).execute()
    assert read.data == [{"id": order}]
    assert roles(server) == roles_then


def test_the_stack_outlives_a_restart_of_the_server(adopted: Stack, server: PostgresServer) -> None:
    server.stop()
    assert adopted.takt("doctor").returncode == 1
    server.start()

    def works() -> bool:
        try:
            return bool(operator(adopted.status()).table("orders").select("id").execute().data)
        except Exception:  # anything that the official client raises
            return False

    assert wait_until(works, 60, 0.5), adopted.log("supervisor")


def test_a_running_stack_does_not_move(adopted: Stack, server: PostgresServer) -> None:
    elsewhere = replace(adopted, env={"TAKT_DB_URL": server.url(dbname="plain")})
    refused = elsewhere.takt("up")
    assert refused.returncode == 1
    assert "names another address" in refused.stderr
    same = replace(adopted, env={"TAKT_DB_URL": adopted.status()["db_url"]})
    assert "already running" in same.takt("up").stderr


def test_a_second_checkout_takes_on_the_roles_of_the_first(
    adopted: Stack, own_stack: Stack, server: PostgresServer
) -> None:
    """Their passwords are not its own, and its superuser has another name."""
    roles_then = roles(server)
    own_stack.env = {"TAKT_DB_URL": server.url("boss", "second"), "TAKT_SIM_SECONDS": "3600"}
    facts = own_stack.up("--demo")
    assert json.loads((own_stack.home / ".takt" / "database.json").read_text())["roles"] == []
    assert roles(server) == roles_then
    scan(facts)

    with psycopg.connect(facts["db_url"]) as connection:
        assert connection.execute("select current_user::text").fetchone() == ("postgres",)
        owners = connection.execute(
            "select distinct tableowner from pg_tables where schemaname in ('public', 'private')"
        ).fetchall()
        assert owners == [("postgres",)]
        opened = connection.execute(
            "select count(*) from pg_tables where schemaname in ('public', 'private')"
            " and has_table_privilege('anon', format('%I.%I', schemaname, tablename), 'select')"
        ).fetchone()
        assert opened == (0,)
        users = connection.execute("select count(*) from auth.users").fetchone()
    signed = httpx.post(
        f"{facts['api_url']}/auth/v1/signup",
        headers={"apikey": facts["publishable_key"]},
        json={"email": "new@takt.localhost", "password": "long-enough-1"},
    )
    assert signed.status_code == 501
    with psycopg.connect(facts["db_url"]) as connection:
        assert connection.execute("select count(*) from auth.users").fetchone() == users


def test_nobody_signs_up_past_lite(adopted: Stack, server: PostgresServer) -> None:
    """The trigger knows lite by its sign-in, and by the role that another sign-in took on."""
    database = Database(normalise(server.url(dbname="takt")), {}, external=True)
    with (
        psycopg.connect(database.sign_in("supabase_lite")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="signup_disabled"),
    ):
        connection.execute("insert into auth.users (id) values (gen_random_uuid())")


def test_every_role_is_made_where_there_is_none(own_stack: Stack, tmp_path: Path) -> None:
    """The embedded binaries as a server of their own; no role `postgres` on it."""
    empty = PostgresServer(
        tmp_path / "data", free_port(), superuser="boss", passwords={"boss": PASSWORD}
    )
    empty.init()
    empty.start()
    try:
        own_stack.env = {"TAKT_DB_URL": empty.url("boss")}
        facts = own_stack.up()
        with psycopg.connect(facts["db_url"]) as connection:
            row = connection.execute(
                "select session_user::text, rolsuper from pg_roles where rolname = current_user"
            ).fetchone()
        assert row == ("postgres", False)
        assert own_stack.takt("down").returncode == 0
    finally:
        empty.stop()


@pytest.mark.parametrize(
    ("user", "dbname", "sentence"),
    [
        ("joe", "plain", "signs in to .* as `joe`, who is not a superuser"),
        ("nobody", "plain", "Cannot sign in to .*password authentication failed"),
        ("postgres", "nowhere", "Cannot sign in to .*does not exist"),
        ("postgres", "crm", "already holds what is not Takt's: customers. Nothing was changed"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(
    own_stack: Stack, server: PostgresServer, user: str, dbname: str, sentence: str
) -> None:
    with psycopg.connect(server.url(dbname="crm"), autocommit=True) as connection:
        connection.execute("create table if not exists public.customers (id int primary key)")
    own_stack.env = {"TAKT_DB_URL": server.url(user, dbname, PASSWORD)}
    refused = own_stack.takt("up")
    assert refused.returncode == 1
    assert wait_until(lambda: '"failed"' in own_stack.state_text(), 10)
    assert re.search(sentence, refused.stderr), refused.stderr
    assert "s3cret" not in refused.stderr + own_stack.log("supervisor")
    assert not (own_stack.home / ".takt" / "database.json").exists()
    with psycopg.connect(server.url(dbname="crm")) as connection:
        found = connection.execute(
            "select nspname from pg_namespace where nspname !~ '^pg_'"
            " and nspname not in ('information_schema', 'public')"
        ).fetchall()
    assert found == []


def test_an_unreachable_server_is_refused_in_words(own_stack: Stack) -> None:
    own_stack.env = {"TAKT_DB_URL": f"postgresql://postgres:s3cret@127.0.0.1:{free_port()}/takt"}
    refused = own_stack.takt("up")
    assert refused.returncode == 1
    assert "Cannot sign in to 127.0.0.1:" in refused.stderr
    doctor = own_stack.takt("doctor")
    assert doctor.returncode == 1
    assert "fail  service postgres: Cannot sign in to" in doctor.stdout
    assert "s3cret" not in refused.stderr + doctor.stdout + own_stack.log("supervisor")
    own_stack.env = {"TAKT_DB_URL": "s3cret"}
    assert "must look like postgresql://USER" in own_stack.takt("up").stderr


def test_a_role_that_does_not_fit_is_named(adopted: Stack, server: PostgresServer) -> None:
    """A bypass of row level security would open every table."""
    there = [role[1] for role in roles(server)]
    for change, sentence in (
        ("alter role anon bypassrls", "alter role anon nosuperuser nobypassrls"),
        ("alter role supabase_lite superuser", "alter role supabase_lite nosuperuser"),
        ("revoke anon from authenticator", "grant anon to authenticator"),
    ):
        with psycopg.connect(server.url()) as connection:
            connection.execute(change)
            with pytest.raises(psycopg.errors.RaiseException, match=sentence):
                prepare.prepare_roles(connection, {}, foreign=there)
            connection.rollback()
