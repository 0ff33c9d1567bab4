"""`takt db check` and `diff`: every kind of drift between migrations and sql/ is noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from cli.db import checks, drafts, parity, scratch
from services.local import clone_database
from services.local.paths import project_root
from services.local.postgres import PostgresServer
from tests.cli_db.conftest import Takt, drop

LEFT, CHANGED = "takt_parity_left", "takt_parity_changed"

# What somebody might change in one place only, by the kind of fact that must show it.
DRIFT = {
    "policy": "alter policy select_active on public.sites using (true)",
    "function access": "grant execute on function private.fail to anon",
    "relation access": "grant insert on public.orders to authenticated",
    "schema access": "grant usage on schema private to anon",
    "default access": "alter default privileges for role postgres in schema public"
    " grant select on tables to anon",
    "comment": "comment on column public.sites.time_zone is 'Something else.'",
    "function": "create or replace function private.claims() returns jsonb"
    " language sql stable set search_path = '' as $$ select '{}'::jsonb $$",
    "row": "update public.roles set rank = rank + 1 where role = 'operator'",
    "relation": "alter table public.orders disable row level security",
    "column": "alter table public.sites alter column name drop not null",
    "constraint": "alter table public.sites drop constraint sites_name_check",
    "index": "drop index public.orders_due_date_idx",
    "trigger": "alter table public.orders disable trigger _100_stamp",
    "type": "alter type public.priority_level add value 'Never'",
    "view": "create or replace view public.stage_events with (security_invoker = on) as"
    " select e.id, e.store, e.stream_id as order_id, ''::text as stage, ''::text as event_type,"
    " e.actor_id as staff_id, e.at as at_ts, true as ok, e.payload as meta from public.events e",
    "sequence": "alter sequence private.events_id_seq increment by 2",
    "type access": "revoke usage on type public.stage_type from public",
}


@pytest.fixture(scope="module")
def left(prepared: PostgresServer) -> Iterator[str]:
    """A database from the migrations, by the real CLI."""
    yield scratch.from_migrations(prepared, LEFT)
    drop(prepared, LEFT)


@pytest.fixture
def change(prepared: PostgresServer, left: str) -> Iterator[Callable[[str], str]]:
    """Make a copy of it in which one statement ran."""

    def run(statement: str) -> str:
        clone_database(prepared, LEFT, CHANGED)
        with psycopg.connect(prepared.url("postgres", CHANGED), autocommit=True) as connection:
            connection.execute(statement.encode())
        return prepared.url("postgres", CHANGED)

    yield run
    drop(prepared, CHANGED)


def test_migrations_and_sql_build_the_same_database(
    takt: Takt, prepared: PostgresServer, checkout: Path
) -> None:
    found = list(checks.on_server(prepared, checkout, lambda _: None, "_equal"))
    drop(prepared, "takt_left_equal", "takt_right_equal")
    by_name = {check.name: check.findings for check in found}
    assert by_name["parity: catalog facts"] == ()
    assert by_name["parity: supabase db diff"] == ()
    assert by_name["catalog checks"] == ()


@pytest.mark.parametrize("kind", DRIFT)
def test_drift_is_noticed(kind: str, left: str, change: Callable[[str], str]) -> None:
    changed = change(DRIFT[kind])
    found = parity.differences(left, changed, project_root())
    assert {difference.kind for difference in found} == {kind}
    said = found[0].sentence("supabase/migrations", "sql")
    assert said.startswith(f"{kind} ")


def test_two_copies_of_one_database_do_not_differ(left: str, change: Callable[[str], str]) -> None:
    assert parity.differences(left, change("select 1"), project_root()) == []


def test_check_says_what_is_wrong_in_a_drifted_checkout(takt: Takt, checkout: Path) -> None:
    file = checkout / "sql" / "M00_core" / "tables.sql"
    file.write_text(file.read_text().replace("A plant: one address", "A place: one address"))

    ran = takt("db", "check", "--json")

    assert ran.code == 6
    result = {check["check"]: check for check in ran.data}
    assert result["migrations are built"]["ok"] is False
    assert result["parity: supabase db diff"]["ok"] is False
    (fact,) = result["parity: catalog facts"]["findings"]
    assert fact.startswith("comment relation public.sites:")
    assert "A place: one address" in fact


def test_check_says_which_file_does_not_load(takt: Takt, checkout: Path) -> None:
    file = checkout / "sql" / "M01_settings" / "seed.sql"
    file.write_text(file.read_text() + "\nselect 1 / 0;\n")
    ran = takt("db", "check", "--json")
    assert ran.code == 6
    failed = next(c for c in ran.data if c["check"] == "sql/ builds")
    assert "sql/M01_settings/seed.sql" in failed["findings"][0]


def test_diff_drafts_a_migration_that_runs_and_names_what_it_does_not_reach(
    prepared: PostgresServer, checkout: Path
) -> None:
    orders = checkout / "sql" / "M00_core" / "orders.sql"
    orders.write_text(
        orders.read_text().replace("  assignee_id uuid,", "  extra text,\n  assignee_id uuid,")
    )
    seed = checkout / "sql" / "M00_core" / "seed.sql"
    seed.write_text(seed.read_text().replace("'Operator', 20", "'Operator', 21"))

    draft = drafts.on_server(prepared, checkout, lambda _: None, "_draft")
    drop(prepared, "takt_from_draft", "takt_to_draft")

    assert 'ADD COLUMN "extra" text' in draft.sql
    assert "set local lock_timeout" in draft.sql
    assert draft.open
    assert all(line.startswith("row public.roles") for line in draft.open)


def test_diff_before_the_first_release_says_that_migrations_are_recut(takt: Takt) -> None:
    ran = takt("db", "diff", "add_something")
    assert ran.code == 1
    assert "takt db build" in ran.err
    assert takt("db", "diff", "Not-a-name").code == 2
