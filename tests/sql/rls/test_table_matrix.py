"""Every table and view × command × identity, against the grid."""

from __future__ import annotations

import psycopg
import pytest

from services.local.postgres import SUPERUSER
from tests.sql.rls.grid import READERS
from tests.sql.rls.matrix import relations, table_violations
from tests.support.databases import Clone


def test_every_cell_is_as_declared(plant: psycopg.Connection) -> None:
    assert table_violations(plant) == []


def test_the_grid_declares_nothing_that_is_gone(plant: psycopg.Connection) -> None:
    assert set(READERS) <= {r.name for r in relations(plant)}


def test_a_new_table_must_be_declared(plant: psycopg.Connection) -> None:
    with plant.transaction(force_rollback=True):
        plant.execute("create table public.novelty (id integer)")
        assert any(
            "novelty is not declared" in v for v in table_violations(plant, ["public.novelty"])
        )


# Each breaks one wall; the matrix must report that very wall.
BREAKS = {
    "a policy is gone": ("drop policy select_store on public.orders", "public.orders select"),
    "a policy lets everybody in": (
        "alter policy select_store on public.events using (true)", "public.events select"),
    "row level security is off": (
        "alter table public.staff_shared disable row level security", "public.staff_shared select"),
    "a view runs as its owner": (
        "alter view public.orders_bannos reset (security_invoker)", "public.orders_bannos select"),
    "an update is granted": (
        "grant update on public.orders to authenticated;"
        " create policy update_any on public.orders for update to authenticated using (true)",
        "public.orders update"),
    "a delete is granted to the server": (
        "grant delete on public.settings to service_role", "public.settings delete"),
    "truncate is granted": (
        "grant truncate on public.stage_transitions to authenticated",
        "public.stage_transitions truncate"),
    "an insert is granted": (
        "grant insert on public.stage_transitions to authenticated;"
        " create policy insert_any on public.stage_transitions for insert to authenticated"
        " with check (true)", "public.stage_transitions insert"),
    "anon reads": ("grant select on public.sites to anon", "public.sites select anon"),
    "secrets are granted": (
        "grant select on private.device_enrolments to authenticated",
        "private.device_enrolments select"),
    "a partition is granted": (
        "grant select on private.events_default to authenticated", "private.events_default select"),
    "the helper forgets who is active": (
        "create or replace function private.may(p_permission text) returns boolean language sql"
        " stable security definer set search_path = '' as $$ select true $$",
        "public.staff_shared select disabled"),
    "the helper forgets the store": (
        "create or replace function private.readable_stores(p_permission text) returns text[]"
        " language sql stable security definer set search_path = ''"
        " as $$ select array['bannos', 'flourlane'] from private.identify() w"
        " where w.actor_id is not null $$",
        "public.orders select flourlane_operator"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(BREAKS))
def test_the_matrix_sees_that(module_clone: Clone, plant: psycopg.Connection, name: str) -> None:
    statement, expected = BREAKS[name]
    relation = expected.split()[0]
    with module_clone.connect(SUPERUSER) as root, root.transaction(force_rollback=True):
        root.execute(statement)
        assert any(v.startswith(expected) for v in table_violations(root, [relation]))
