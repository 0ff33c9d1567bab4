"""`takt db status` and `push`: what runs, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from services.local.postgres import PostgresServer
from takt.ports import free_port
from tests.cli_db.conftest import Takt
from tests.support.databases import Clone


def migrations(checkout: Path) -> list[Path]:
    return sorted((checkout / "supabase" / "migrations").glob("*.sql"))


@pytest.fixture
def url(prepared: PostgresServer, fresh: str) -> str:
    """A fresh project: nothing applied."""
    return prepared.url("postgres", fresh)


def test_status_and_push_on_a_fresh_project(takt: Takt, checkout: Path, url: str) -> None:
    names = [f.name for f in migrations(checkout)]

    before = takt("db", "status", "--json", "--db-url", url)
    assert before.code == 6
    assert before.data["schema_version"] is None
    assert [m["state"] for m in before.data["migrations"]] == ["pending"] * len(names)

    pushed = takt("db", "push", "--yes", "--json", "--db-url", url)
    assert (pushed.code, pushed.data["applied"]) == (0, names)
    for name in names:
        assert name in pushed.err

    after = takt("db", "status", "--json", "--db-url", url)
    assert after.code == 0
    assert after.data["clean"] is True
    assert after.data["schema_version"] == names[-1].split("_")[0]

    again = takt("db", "push", "--yes", "--json", "--db-url", url)
    assert (again.code, again.data["applied"]) == (0, [])


def test_push_asks_and_a_no_changes_nothing(takt: Takt, url: str) -> None:
    ran = takt("db", "push", "--db-url", url, input_text="n\n")
    assert (ran.code, ran.out) == (1, "")
    assert "Run them? [y/N]: " in ran.err
    assert "Nothing was changed." in ran.err
    assert takt("db", "status", "--json", "--db-url", url).data["schema_version"] is None


def test_push_never_asks_with_json(takt: Takt, url: str) -> None:
    ran = takt("db", "push", "--json", "--db-url", url)
    assert ran.code == 2
    assert "--yes" in ran.err
    error = json.loads(ran.out)["error"]
    assert (error["code"], error["message"] in ran.err) == ("usage", True)


def test_an_edited_applied_migration_is_refused_by_name(
    takt: Takt, checkout: Path, clone: Clone
) -> None:
    file = migrations(checkout)[0]
    text = file.read_text()
    assert "A plant: one address" in text
    file.write_text(text.replace("A plant: one address", "A place: one address"))

    ran = takt("db", "push", "--yes", "--db-url", clone.url())

    assert ran.code == 6
    assert file.name in ran.err
    status = takt("db", "status", "--json", "--db-url", clone.url())
    assert status.code == 6
    assert [m["file"] for m in status.data["migrations"] if m["state"] == "edited"] == [file.name]


def test_blank_lines_are_no_edit(takt: Takt, checkout: Path, clone: Clone) -> None:
    file = migrations(checkout)[0]
    file.write_text(file.read_text().replace(";\n", ";\n\n   \n", 20))
    assert takt("db", "status", "--db-url", clone.url()).code == 0


def test_an_applied_migration_without_a_file_is_refused(
    takt: Takt, checkout: Path, clone: Clone
) -> None:
    file = migrations(checkout)[-1]
    file.unlink()
    ran = takt("db", "push", "--yes", "--db-url", clone.url())
    assert ran.code == 6
    assert file.name in ran.err


def test_a_pending_migration_older_than_an_applied_one_is_refused(
    takt: Takt, checkout: Path, clone: Clone
) -> None:
    early = checkout / "supabase" / "migrations" / "20200101000000_too_late.sql"
    early.write_text("select 1;\n")
    ran = takt("db", "push", "--yes", "--db-url", clone.url())
    assert ran.code == 6
    assert early.name in ran.err


def test_a_migration_that_fails_is_said_and_leaves_the_history_alone(
    takt: Takt, checkout: Path, clone: Clone
) -> None:
    bad = checkout / "supabase" / "migrations" / "20990101000000_bad.sql"
    bad.write_text("create table public.half (id int);\nselect 1 / 0;\n")
    ran = takt("db", "push", "--yes", "--db-url", clone.url())
    assert ran.code == 1
    assert "division by zero" in ran.err
    assert f"Nothing of {bad.name} was kept; correct it and push again." in ran.err
    with psycopg.connect(clone.url()) as connection:
        row = connection.execute("select to_regclass('public.half')").fetchone()
    assert row == (None,)


@pytest.mark.parametrize(
    "text",
    [
        "create table public.half (id int);\ncommit;\nselect 1;\n",
        "create table public.half (id int);\nvacuum public.half;\n",
    ],
)
def test_what_could_stay_half_applied_is_refused_before_anything_runs(
    takt: Takt, checkout: Path, clone: Clone, text: str
) -> None:
    good = checkout / "supabase" / "migrations" / "20990101000000_good.sql"
    good.write_text("create table public.good (id int);\n")
    bad = checkout / "supabase" / "migrations" / "20990101000001_bad.sql"
    bad.write_text(text)
    ran = takt("db", "push", "--yes", "--db-url", clone.url())
    assert ran.code == 1
    assert f"{bad.name}:2: " in ran.err
    with psycopg.connect(clone.url()) as connection:
        row = connection.execute("select to_regclass('public.good')").fetchone()
    assert row == (None,)


def test_codes_for_no_database_nobody_there_and_a_wrong_password(
    takt: Takt, prepared: PostgresServer, url: str
) -> None:
    assert takt("db", "status").code == 3
    nobody = f"postgresql://postgres:secret-word@127.0.0.1:{free_port()}/postgres"
    ran = takt("db", "status", "--db-url", nobody)
    assert ran.code == 4
    assert "secret-word" not in ran.err
    assert "Connection refused" in ran.err  # the whole sentence, not its last line
    assert "accepting TCP/IP connections?" in ran.err
    wrong = prepared.url("postgres", "postgres", "wrong")
    assert takt("db", "status", "--db-url", wrong).code == 5
    assert takt("db", "status", "--db-url", "mysql://x").code == 2
