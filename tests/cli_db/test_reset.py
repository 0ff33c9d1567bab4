"""`takt db reset`, and backup and restore with a running stack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cli.db import reset
from services.local import control
from services.local.paths import Paths
from tests.cli_db.conftest import Takt
from tests.local.support import Stack
from tests.support.databases import Clone


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack for one test; pytest's folders are closed to other users, Postgres must pass."""
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    mine = Stack(tmp_path)
    yield mine
    mine.takt("down")


def add_site(stack: Stack) -> None:
    with psycopg.connect(stack.status()["db_url"]) as connection:
        connection.execute("insert into public.sites (code, name) values ('kept', 'Kept')")


def age(stack: Stack) -> None:
    """An event whose transaction id lies in the future of a new cluster."""
    with psycopg.connect(stack.status()["db_url"], autocommit=True) as connection:
        connection.execute(
            "do $$ begin for i in 1..20000 loop"
            " perform pg_current_xact_id(); commit; end loop; end $$"
        )
        connection.execute(
            "insert into public.events (site, stream, stream_id, event)"
            " values ('kept', 'site', 'kept', 'site.registered')"
        )


def sites(stack: Stack) -> list[str]:
    with psycopg.connect(stack.status()["db_url"]) as connection:
        return [row[0] for row in connection.execute("select code from public.sites order by 1")]


def test_another_database_is_refused_and_untouched(takt: Takt, clone: Clone) -> None:
    ran = takt("db", "reset", "--yes", "--db-url", clone.url())
    assert ran.code == 5
    assert "development only" in ran.err
    with clone.connect() as connection:
        row = connection.execute("select count(*) from public.sites").fetchone()
    assert row == (1,)


def test_backup_reset_restore(own_stack: Stack, tmp_path: Path) -> None:
    """The round trip an admin makes, with every service of the stack running."""
    own_stack.up()
    add_site(own_stack)
    age(own_stack)
    file = tmp_path / "before.tar.gz"
    made = own_stack.takt("db", "backup", "-f", str(file), "--format", "takt", "--json")
    assert made.returncode == 0, made.stderr

    asked = own_stack.takt("db", "reset", "--json")
    assert asked.returncode == 2
    assert sites(own_stack) == ["kept"]

    reset = own_stack.takt("db", "reset", "--yes", "--json")
    assert reset.returncode == 0, reset.stderr
    facts = json.loads(reset.stdout)["data"]
    assert (facts["running"], facts["seeded"]) == (True, False)
    assert sites(own_stack) == []
    assert own_stack.takt("db", "status").returncode == 0

    back = own_stack.takt("db", "restore", str(file), "--yes", "--json")
    assert back.returncode == 0, back.stderr
    assert sites(own_stack) == ["kept"]
    assert json.loads(back.stdout)["data"]["rebased"] == 1
    again = own_stack.takt("db", "restore", str(file), "--yes")
    assert again.returncode == 5


def test_reset_brings_the_dev_seed_back(own_stack: Stack) -> None:
    facts = own_stack.up("--demo")
    seeded = sites(own_stack)
    assert seeded
    add_site(own_stack)

    ran = own_stack.takt("db", "reset", "--yes", "--json")

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["data"]["seeded"] is True
    assert sites(own_stack) == seeded
    assert own_stack.status()["demo_sign_ins"] == facts["demo_sign_ins"]

    bare = own_stack.takt("db", "reset", "--yes", "--no-seed")
    assert bare.returncode == 0, bare.stderr
    assert sites(own_stack) == []
    assert "demo_sign_ins" not in own_stack.status()


def test_the_old_data_comes_back_when_the_new_does_not_start(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = Paths.find()
    paths.create()
    paths.pgdata.mkdir()
    (paths.pgdata / "PG_VERSION").write_text("17")

    def broken(*_: object, **__: object) -> bool:
        paths.pgdata.mkdir()
        raise control.ControlError("no")

    monkeypatch.setattr(control, "up", broken)
    with pytest.raises(control.ControlError):
        reset._rebuild(paths, demo=False)
    assert [f.name for f in paths.pgdata.iterdir()] == ["PG_VERSION"]
    assert not list(paths.state.glob("pgdata.reset-*"))


def test_reset_of_a_stopped_stack_leaves_it_stopped(own_stack: Stack) -> None:
    own_stack.up()
    add_site(own_stack)
    assert own_stack.takt("down").returncode == 0
    ran = own_stack.takt("db", "reset", "--yes", "--json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["data"]["running"] is False
    assert own_stack.takt("status").returncode == 4
    own_stack.up()
    assert sites(own_stack) == []
