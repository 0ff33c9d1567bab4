"""`takt db build`: the migrations are what sql/ says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cli.db import sources
from tests.cli_db.conftest import Takt


def core(checkout: Path) -> Path:
    return next((checkout / "supabase" / "migrations").glob("*_M00_core.sql"))


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@takt.invalid", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, "-C", str(root), *arguments], check=True, capture_output=True)


def test_a_fresh_checkout_is_built(takt: Takt) -> None:
    ran = takt("db", "build", "--check", "--json")
    assert (ran.code, ran.data["changed"]) == (0, [])


def test_an_edited_living_file_makes_its_migration_stale_and_build_recuts_it(
    takt: Takt, checkout: Path
) -> None:
    file = checkout / "sql" / "M00_core" / "seed.sql"
    file.write_text(file.read_text() + "\nselect 1;\n")

    stale = takt("db", "build", "--check")
    assert stale.code == 6
    assert stale.out.split() == [core(checkout).name]
    assert "select 1;" not in core(checkout).read_text()

    assert takt("db", "build").out.split() == [core(checkout).name]
    assert "select 1;" in core(checkout).read_text()
    assert takt("db", "build", "--check").code == 0


def test_an_edited_migration_is_cut_back(takt: Takt, checkout: Path) -> None:
    before = core(checkout).read_text()
    core(checkout).write_text(before + "-- by hand\n")
    assert takt("db", "build", "--check").code == 6
    assert takt("db", "build").code == 0
    assert core(checkout).read_text() == before


def test_a_file_that_load_sql_does_not_list_is_refused(takt: Takt, checkout: Path) -> None:
    (checkout / "sql" / "M00_core" / "stray.sql").write_text("select 1;\n")
    ran = takt("db", "build")
    assert ran.code == 1
    assert "M00_core/stray.sql" in ran.err


def test_a_released_migration_is_frozen_and_drafts_beside_it_stay(
    takt: Takt, checkout: Path
) -> None:
    git(checkout, "init", "-q")
    git(checkout, "add", "supabase", "sql")
    git(checkout, "commit", "-qm", "release")
    git(checkout, "tag", "v1.0.0")
    before = core(checkout).read_text()
    draft = checkout / "supabase" / "migrations" / "20270101000000_later.sql"
    draft.write_text("select 1;\n")
    file = checkout / "sql" / "M00_core" / "seed.sql"
    file.write_text(file.read_text() + "\nselect 1;\n")

    ran = takt("db", "build", "--json")

    assert ran.code == 0
    assert ran.data["changed"] == []
    assert core(checkout).name in ran.data["frozen"]
    assert core(checkout).read_text() == before
    assert draft.is_file()


@pytest.mark.parametrize("tagged", [False, True])
def test_before_the_first_release_nothing_is_frozen(checkout: Path, tagged: bool) -> None:
    git(checkout, "init", "-q")
    git(checkout, "add", "supabase")
    git(checkout, "commit", "-qm", "begin")
    if tagged:
        git(checkout, "tag", "v0.1.0")
    assert bool(sources.released(checkout)) is tagged
