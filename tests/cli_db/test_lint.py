"""`takt db lint`: squawk, on what is new since the last release."""

from __future__ import annotations

from pathlib import Path

from tests.cli_db.conftest import Takt
from tests.cli_db.test_build import git

LIMITS = "set local lock_timeout = '10s';\nset local statement_timeout = '5min';\n"


def test_before_the_first_release_there_is_nothing_to_do(takt: Takt) -> None:
    ran = takt("db", "lint", "--json")
    assert (ran.code, ran.data["checked"]) == (0, [])


def test_a_new_migration_that_would_lock_the_plant_is_found(takt: Takt, checkout: Path) -> None:
    git(checkout, "init", "-q")
    git(checkout, "add", "supabase")
    git(checkout, "commit", "-qm", "release")
    git(checkout, "tag", "v1.0.0")
    folder = checkout / "supabase" / "migrations"
    (folder / "20990101000000_good.sql").write_text(
        LIMITS + "alter table public.orders add column extra text;\n"
    )
    assert takt("db", "lint").code == 0

    (folder / "20990101000001_bad.sql").write_text(
        LIMITS + "create index orders_extra_idx on public.orders (extra);\n"
    )
    ran = takt("db", "lint", "--json")
    assert ran.code == 6
    assert list(ran.data["findings"]) == ["20990101000001_bad.sql"]
    found = ran.data["findings"]["20990101000001_bad.sql"]
    assert "require-concurrent-index-creation" in found

    (folder / "20990101000001_bad.sql").write_text(
        "create index concurrently if not exists orders_extra_idx on public.orders (extra);\n"
    )
    assert takt("db", "lint").code == 0
