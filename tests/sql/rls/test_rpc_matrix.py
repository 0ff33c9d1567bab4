"""Every RPC × identity, against grants and role_permissions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import psycopg
import pytest

from services.local.postgres import SUPERUSER
from tests.sql.rls.matrix import rpc_violations, rpcs
from tests.sql.rls.rpc_grid import OPEN, PERMISSIONS
from tests.support.databases import Clone

ROLE_PERMISSIONS = Path(__file__).parent / "role_permissions.json"
_PERMISSION = re.compile(r"\b[a-z_]+\.[a-z_]+\b")


def test_every_cell_is_as_promised(plant: psycopg.Connection) -> None:
    assert rpc_violations(plant) == []


def test_the_grid_declares_nothing_that_is_gone(plant: psycopg.Connection) -> None:
    assert set(PERMISSIONS) == {r.name for r in rpcs(plant)}


def test_roles_start_with_the_reviewed_permissions(plant: psycopg.Connection) -> None:
    found = plant.execute(
        "select permission, array_agg(role order by role) from public.role_permissions group by 1"
    ).fetchall()
    assert dict(found) == json.loads(ROLE_PERMISSIONS.read_text())


def test_the_comment_and_the_code_name_the_permission(plant: psycopg.Connection) -> None:
    known = {r[0] for r in plant.execute("select permission from public.permissions").fetchall()}
    wrong = {}
    for name, comment, code in plant.execute(
        "select p.proname, obj_description(p.oid, 'pg_proc'), p.prosrc from pg_catalog.pg_proc p"
        " where p.pronamespace = 'public'::regnamespace and p.proname = any (%s)",
        (sorted(set(PERMISSIONS) - OPEN),),
    ).fetchall():
        line = next(x for x in comment.split("\n") if x.startswith("Permission:"))
        said = set(_PERMISSION.findall(line)) & known
        named = set(re.findall(r"'([a-z_]+\.[a-z_]+)'", code)) & known
        guards = re.findall(
            r"(?:authorize|find_production|begin_(?:order|family|floor|production|run|unit|box|repair|stop))"
            r"\(([^,)]*)",
            code,
        )
        asked = {p for guard in guards for p in re.findall(r"'([a-z_]+\.[a-z_]+)'", guard)}
        # The rest may be asked by may() or readable_stores(), but a guard asks for at least one.
        if said != set(PERMISSIONS[name]) or not asked or not asked <= said:
            wrong[name] = (said, asked)
        elif not said <= named:
            wrong[name] = (said, named)
    assert wrong == {}


def test_a_new_rpc_must_be_declared(plant: psycopg.Connection) -> None:
    with plant.transaction(force_rollback=True):
        plant.execute("create function public.novelty() returns integer language sql return 1")
        assert rpc_violations(plant, ["novelty"]) == ["novelty is not declared in rpc_grid.py"]


_UNGUARDED = (
    "create or replace function private.authorize(p_permission text, p_store text default null,"
    " p_site text default null) returns uuid language sql stable set search_path = ''"
    " as $$ select {} $$"
)
# Each breaks one guard; the matrix must report the call that came through.
BREAKS = {
    "authorize lets everybody in": (
        _UNGUARDED.format("'00000000-0000-0000-0000-000000000000'::uuid"),
        "whoami", "whoami stranger: allowed"),
    "authorize asks only for a sign-in": (
        _UNGUARDED.format("(private.claims() ->> 'sub')::uuid"),
        "set_role_permission", "set_role_permission operator: allowed"),
    "a disabled person stays active": (
        "alter table public.staff_shared disable trigger user;"
        " update public.staff_shared set is_active = true",
        "get_queue", "get_queue disabled: allowed"),
    "a revoked device stays a device": (
        "update public.devices set revoked_at = null",
        "whoami", "whoami revoked_device: allowed"),
    "an RPC forgot its guard": (
        "create or replace function public.tick() returns jsonb language plpgsql security definer"
        " set search_path = '' as $$ begin return private.tick(); end $$;"
        " grant execute on function public.tick to authenticated",
        "tick", "tick stranger: allowed"),
    "an RPC is granted to anon": (
        "grant execute on function public.get_stage_counts to anon",
        "get_stage_counts", "get_stage_counts anon: auth.required"),
    "an RPC asks for the wrong permission": (
        "create or replace function public.set_staff_active(p_user_id uuid, p_is_active boolean,"
        " p_request_id uuid default null) returns public.staff_shared language plpgsql"
        " security definer set search_path = '' as"
        " $$ begin perform private.authorize('orders.read'); return null; end $$",
        "set_staff_active", "set_staff_active viewer: allowed"),
    "a service call is opened": (
        "grant execute on function public.claim_work to authenticated",
        "claim_work", "claim_work operator: auth.forbidden"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(BREAKS))
def test_the_matrix_sees_that(module_clone: Clone, plant: psycopg.Connection, name: str) -> None:
    statement, rpc, expected = BREAKS[name]
    with module_clone.connect(SUPERUSER) as root, root.transaction(force_rollback=True):
        root.execute(statement)
        assert any(v.startswith(expected) for v in rpc_violations(root, [rpc]))
