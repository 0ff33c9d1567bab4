"""sql/checks/catalog_checks.sql: silent on the schema, and each check still able to fire."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from services.local.postgres import SUPERUSER
from tests.support.databases import Clone

CHECKS = Path(__file__).parents[3] / "sql" / "checks" / "catalog_checks.sql"

_FUNCTION = (
    "create function public.z({args}) returns integer language plpgsql {more} as $$ {body} $$"
)
_POLICY = "create policy z on public.orders for {cmd} to {to} using ({using})"


def _function(body: str = "begin return 1; end", more: str = "stable", args: str = "") -> str:
    return _FUNCTION.format(args=args, body=body, more=f"set search_path = '' {more}")


def _policy(cmd: str = "select", to: str = "authenticated", using: str = "true") -> str:
    return _POLICY.format(cmd=cmd, to=to, using=using)


# One seeded defect per check; run as the superuser, who owns what it creates.
DEFECTS: dict[str, list[str]] = {
    "T01": ["create table private.z (id integer)"],
    "T02": ["grant insert on public.orders to authenticated"],
    "T03": ["grant update (notes) on public.orders to authenticated"],
    "T04": ["grant select on public.orders to anon"],
    "T05": ["grant usage on sequence private.events_id_seq to authenticated"],
    "V01": ["create view public.z as select 1 as one"],
    "V02": ["create materialized view public.z as select 1 as one"],
    "P01": [_policy("delete")],
    "P02": [_policy(to="anon")],
    "P03": [_policy(using="(select auth.jwt()) -> 'user_metadata' ->> 'role' = 'admin'")],
    "P04": [_policy(using="private.may('orders.read')")],
    "P05": ["drop policy select_store on public.orders"],
    "F01": [_function(), "grant execute on function public.z to public"],
    "F02": [_function(), "grant execute on function public.z to anon"],
    "F03": ["alter function public.tick reset search_path"],
    "F04": [_function(more="stable security definer")],
    "F05": [
        _function(more="stable security definer"),
        "alter function public.z owner to postgres",
        "grant execute on function public.z to service_role",
    ],
    "F06": ["grant execute on function private.tg__stamp to authenticated"],
    "F07": [_function(), _function(args="p_a text")],
    "F08": [_function(args="text")],
    "F09": [_function("begin execute 'select 1'; return 1; end", "volatile")],
    "F10": [_function("begin raise exception using errcode = '40001'; end")],
    "F11": [
        _function(
            "declare v public.orders; begin v := jsonb_populate_record(v, p_row); return 1; end",
            args="p_row jsonb",
        )
    ],
    "F12": [_function("begin perform set_config('role', 'postgres', true); return 1; end")],
    "F13": [
        "create function private.z() returns uuid language c"
        " as '$libdir/pgcrypto', 'pg_random_uuid'"
    ],
    "F14": [_function(more="volatile")],
    "D01": ["alter default privileges for role postgres grant select on tables to anon"],
    "D02": ["alter default privileges for role postgres grant execute on functions to public"],
    "S01": ["grant create on schema public to authenticated"],
    "S02": ["grant usage on schema private to anon"],
    "R01": ["alter role anon bypassrls"],
    "R02": ["grant service_role to authenticated"],
    "R03": ["alter role authenticator inherit"],
    "R04": ["alter role anon reset statement_timeout"],
    "G01": ["alter table public.orders disable trigger _200_stage"],
    "K01": [
        "alter table public.devices add constraint z foreign key (user_id)"
        " references auth.users (id) on delete cascade"
    ],
    "K02": ["alter table public.orders add constraint z check (item_qty < 9) not valid"],
    "I01": [
        "update pg_catalog.pg_index set indisvalid = false"
        " where indexrelid = 'public.orders_open_idx'::regclass"
    ],
    "E01": ["create extension citext with schema public"],
    "U01": ["create publication z for all tables"],
    "Z01": ["drop function private.create_store_view(text) cascade"],
}


def findings(connection: psycopg.Connection) -> list[tuple[str, str, str]]:
    """(check, object, detail) of everything the catalog checks report."""
    return connection.execute(CHECKS.read_bytes()).fetchall()


def test_the_schema_has_no_finding(module_clone: Clone) -> None:
    with module_clone.connect() as connection:
        assert findings(connection) == []


def test_every_check_has_a_seeded_defect() -> None:
    listed = set(re.findall(r"select '([A-Z]\d\d)(?: [^']*)?'", CHECKS.read_text()))
    assert listed == set(DEFECTS)


@pytest.mark.parametrize("check", sorted(DEFECTS))
def test_the_check_fires(module_clone: Clone, check: str) -> None:
    with module_clone.connect(SUPERUSER) as connection, connection.transaction(force_rollback=True):
        for statement in DEFECTS[check]:
            connection.execute(statement)
        assert check in {name[:3] for name, _, _ in findings(connection)}


def test_a_function_body_without_quotes_is_seen_too(module_clone: Clone) -> None:
    with module_clone.connect(SUPERUSER) as connection, connection.transaction(force_rollback=True):
        connection.execute(
            "create function public.z() returns text language sql set search_path = ''"
            " begin atomic select set_config('role', 'postgres', true); end"
        )
        assert "F12" in {name[:3] for name, _, _ in findings(connection)}
