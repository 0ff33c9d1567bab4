"""`takt db gate`: nothing happens without a backup, and webhooks meet no half-made schema."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cli.db import archive, smoke
from cli.db import gate as gates
from cli.output import Failure
from tests.cli_db.conftest import Ran, Takt
from tests.support.databases import Clone

STEPS = ["backup", "pending migrations", "pause webhooks", "push", "smoke test", "resume webhooks"]


@pytest.fixture
def plant(clone: Clone) -> Clone:
    """Two shops: bannos takes webhooks, flourlane was paused by somebody."""
    with clone.connect() as connection:
        connection.execute(
            "insert into public.shop_tokens (store, source, shop_domain, status) values"
            " ('bannos', 'shopify', 'bannos.example', 'active'),"
            " ('flourlane', 'shopify', 'flourlane.example', 'paused')"
        )
    return clone


@pytest.fixture
def backup(clone: Clone, tmp_path: Path) -> Path:
    file = tmp_path / "kept.tar.gz"
    now = datetime.datetime.now(datetime.UTC).isoformat()
    archive.write(clone.url(), file, now, lambda _: None)
    return file


def run(takt: Takt, plant: Clone, backup: Path, *more: str) -> Ran:
    options = ("--json", "--db-url", plant.url(), "--backup", str(backup))
    return takt("db", "gate", "--env", "staging", *options, *more)


def results(ran: Ran) -> dict[str, Any]:
    return {step["step"]: step["ok"] for step in ran.data["steps"]}


def shops(plant: Clone) -> dict[str, str]:
    with plant.connect() as connection:
        rows = connection.execute("select store, status from public.shop_tokens").fetchall()
    return dict(rows)


def add_migration(checkout: Path, text: str) -> str:
    file = checkout / "supabase" / "migrations" / "20990101000000_next.sql"
    file.write_text(text)
    return file.name


def test_a_release_goes_through(takt: Takt, checkout: Path, plant: Clone, backup: Path) -> None:
    name = add_migration(checkout, "comment on schema private is 'Next.';\n")
    ran = run(takt, plant, backup, "--yes")
    assert ran.code == 0
    assert list(results(ran)) == STEPS
    assert all(results(ran).values())
    assert ran.data["pending"] == [name]
    assert shops(plant) == {"bannos": "active", "flourlane": "paused"}
    with plant.connect() as connection:
        rows = connection.execute(
            "select event from public.events where stream_id = 'bannos' order by id"
        ).fetchall()
    assert [row[0] for row in rows] == ["channel.paused", "channel.resumed"]
    assert "Tag" in ran.err


def test_prod_reminds_of_the_tag(takt: Takt, plant: Clone, backup: Path) -> None:
    ran = takt(
        *("db", "gate", "--env", "prod", "--yes", "--db-url", plant.url()),
        *("--backup", str(backup)),
    )
    assert ran.code == 0
    assert "git tag" in ran.err


def test_without_a_backup_nothing_is_changed(takt: Takt, checkout: Path, plant: Clone) -> None:
    add_migration(checkout, "create table public.never (id int);\n")
    ran = takt("db", "gate", "--env", "staging", "--yes", "--json", "--db-url", plant.url())
    assert ran.code == 6
    assert results(ran) == {"backup": False, "pending migrations": True}
    assert takt("db", "status", "--json", "--db-url", plant.url()).data["pending"] == 1
    assert shops(plant) == {"bannos": "active", "flourlane": "paused"}


def test_a_dirty_history_stops_it(takt: Takt, checkout: Path, plant: Clone, backup: Path) -> None:
    file = next((checkout / "supabase" / "migrations").glob("*_M00_core.sql"))
    file.write_text(file.read_text() + "select 1;\n")
    ran = run(takt, plant, backup, "--yes")
    assert ran.code == 6
    assert results(ran)["pending migrations"] is False
    assert file.name in ran.data["steps"][1]["reason"]


def test_a_dry_run_changes_nothing(takt: Takt, checkout: Path, plant: Clone, backup: Path) -> None:
    name = add_migration(checkout, "create table public.never (id int);\n")
    ran = run(takt, plant, backup, "--dry-run")
    assert ran.code == 0
    assert ran.data["pending"] == [name]
    assert [results(ran)[step] for step in STEPS[2:]] == [None] * 4
    assert takt("db", "status", "--json", "--db-url", plant.url()).data["pending"] == 1


def test_webhooks_are_resumed_after_a_push_that_changed_nothing(
    takt: Takt, checkout: Path, plant: Clone, backup: Path
) -> None:
    name = add_migration(checkout, "select 1 / 0;\n")
    ran = run(takt, plant, backup, "--yes")
    assert ran.code == 1
    assert results(ran)["push"] is False
    assert f"Nothing of {name} was kept" in ran.err
    assert "smoke test" not in results(ran)
    assert results(ran)["resume webhooks"] is True
    assert shops(plant) == {"bannos": "active", "flourlane": "paused"}


def stays_paused(ran: Ran, plant: Clone) -> bool:
    return (
        results(ran)["resume webhooks"] is None
        and "mend what failed, then `takt channel resume bannos`" in ran.err
        and shops(plant) == {"bannos": "paused", "flourlane": "paused"}
    )


def test_webhooks_stay_paused_when_the_first_of_two_was_applied(
    takt: Takt, checkout: Path, plant: Clone, backup: Path
) -> None:
    name = add_migration(checkout, "comment on schema private is 'Next.';\n")
    bad = checkout / "supabase" / "migrations" / "20990101000001_bad.sql"
    bad.write_text("select 1 / 0;\n")
    ran = run(takt, plant, backup, "--yes")
    assert ran.code == 1
    assert f"Applied before it: {name}." in ran.err
    assert f"Nothing of {bad.name} was kept; correct it and push again." in ran.err
    assert stays_paused(ran, plant)


def test_webhooks_stay_paused_when_a_file_without_a_transaction_failed(
    takt: Takt, checkout: Path, plant: Clone, backup: Path
) -> None:
    text = "create unique index concurrently one_site on public.stores (site);\n"
    add_migration(checkout, text)
    ran = run(takt, plant, backup, "--yes")
    assert ran.code == 1
    assert "invalid index" in ran.err
    assert stays_paused(ran, plant)


def test_a_failed_smoke_test_is_code_1_and_webhooks_stay_paused(
    takt: Takt, checkout: Path, plant: Clone, backup: Path
) -> None:
    add_migration(checkout, "revoke execute on function public.start_packing from authenticated;\n")
    ran = run(takt, plant, backup, "--yes")
    assert ran.code == 1
    assert results(ran)["smoke test"] is False
    reason = next(s["reason"] for s in ran.data["steps"] if s["step"] == "smoke test")
    assert reason.startswith("start_packing: permission denied")
    assert stays_paused(ran, plant)


def test_a_file_that_could_stay_half_applied_stops_it(
    takt: Takt, checkout: Path, plant: Clone, backup: Path
) -> None:
    name = add_migration(checkout, "create table public.half (id int);\ncommit;\n")
    ran = run(takt, plant, backup, "--yes")
    assert ran.code == 6
    assert f"{name}:2: COMMIT" in ran.data["steps"][1]["reason"]


def test_webhooks_are_resumed_when_ctrl_c_comes_before_a_change(
    takt: Takt, plant: Clone, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, str]] = []

    def interrupted(*_: Any) -> str:
        seen.append(shops(plant))
        raise KeyboardInterrupt

    monkeypatch.setattr(gates, "_push", interrupted)
    ran = run(takt, plant, backup, "--yes")
    assert ran.code != 0
    assert seen == [{"bannos": "paused", "flourlane": "paused"}]
    assert shops(plant) == {"bannos": "active", "flourlane": "paused"}


def test_json_never_asks_and_the_environment_must_be_known(
    takt: Takt, plant: Clone, backup: Path
) -> None:
    assert run(takt, plant, backup).code == 2
    assert takt("db", "gate", "--env", "moon", "--db-url", plant.url()).code == 2


def test_the_address_comes_from_the_environment_of_that_name(
    takt: Takt, plant: Clone, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAKT_DB_URL_PROD", plant.url())
    ran = takt("db", "gate", "--env", "prod", "--dry-run", "--json", "--backup", str(backup))
    assert ran.code == 0
    assert ran.data["database"].endswith(plant.name)


def test_the_smoke_test_leaves_no_row(plant: Clone) -> None:
    def counts(connection: psycopg.Connection) -> Any:
        return connection.execute(
            "select (select count(*) from public.orders), (select count(*) from public.events),"
            " (select count(*) from auth.users), (select count(*) from public.sites),"
            " (select count(*) from public.work_queue), (select count(*) from public.sync_runs)"
        ).fetchone()

    with plant.connect() as connection:
        before = counts(connection)
        assert "Complete" in smoke.run(connection)
        assert counts(connection) == before


def test_the_smoke_test_names_the_step_that_fails(plant: Clone) -> None:
    with plant.connect() as connection:
        connection.execute("delete from public.stage_transitions where to_stage = 'Packing'")
        with pytest.raises(Failure, match=r"^complete_decorating: "):
            smoke.run(connection)
