"""One test order from its arrival to Complete, in a transaction that is rolled back."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from cli.output import Failure

_CODE = "takt_smoke"
_USER = UUID(int=0x7A4B7)
_ORDER = {
    "id": 1,
    "name": "#1",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "line_items": [{"id": 1, "title": "Smoke test", "quantity": 1, "price": "1.00"}],
}
_STEPS = (
    ("handle_print_barcode", "Filling"),
    ("complete_filling", "Covering"),
    ("start_covering", "Covering"),
    ("complete_covering", "Decorating"),
    ("start_decorating", "Decorating"),
    ("complete_decorating", "Packing"),
    ("start_packing", "Packing"),
    ("complete_packing", "Complete"),
)


def run(connection: psycopg.Connection) -> str:
    """Walk a test order through every stage; nothing of it stays. Returns what was done.

    `connection`: role postgres, no transaction open. Errors: Failure that names the step.
    """
    step = "set-up"
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("set local statement_timeout = '60s'")
            connection.execute("set local lock_timeout = '10s'")
            _people(connection)
            step = "ingest"
            order = _ingest(connection)
            for step, expected in _STEPS:
                _call(connection, step, order, expected)
            step = "events"
            events = _events(connection, order)
    except psycopg.Error as error:
        raise Failure(f"{step}: {str(error).strip()}") from error
    return f"{order} went to Complete in {len(_STEPS)} steps, {events} events; rolled back"


def _people(connection: psycopg.Connection) -> None:
    """A site, a store and an admin of their own: real ones stay untouched and unlocked."""
    connection.execute(
        "insert into public.sites (code, name, time_zone) values (%s, 'Smoke test', 'UTC')",
        (_CODE,),
    )
    connection.execute(
        "insert into public.stores (code, site, name) values (%s, %s, 'Smoke test')",
        (_CODE, _CODE),
    )
    connection.execute(
        "insert into auth.users (id, email) values (%s, %s)", (_USER, f"{_CODE}@takt.invalid")
    )
    connection.execute(
        "insert into public.staff_shared (user_id, full_name, role, stores)"
        " values (%s, 'Smoke test', 'admin', %s)",
        (_USER, [_CODE]),
    )


def _ingest(connection: psycopg.Connection) -> str:
    """The id of the ticket that a shop's order becomes, through the merge all channels share."""
    _sign_in(connection)
    row = connection.execute(
        "select r.order_ids, r.error from public.import_orders(p_store => %s,"
        " p_source => 'shopify', p_rows => %s, p_dry_run => false) r",
        (_CODE, Jsonb([_ORDER])),
    ).fetchone()
    connection.execute("reset role")
    if row is None or not row[0] or len(row[0]) != 1:
        raise Failure(f"ingest: expected one ticket; {row[1] if row else 'no answer'}")
    return str(row[0][0])


def _call(connection: psycopg.Connection, rpc: str, order: str, expected: str) -> None:
    """One RPC, with the rights of a signed-in person, and the stage it must lead to."""
    _sign_in(connection)
    query = sql.SQL("select to_jsonb(c) from public.{}(p_order_id => %s) c")
    row = connection.execute(query.format(sql.Identifier(rpc)), (order,)).fetchone()
    connection.execute("reset role")
    answer: dict[str, Any] = row[0] if row else {}
    stage = connection.execute(
        "select o.stage::text from public.orders o where o.id = %s", (order,)
    ).fetchone()
    if not answer.get("changed") or stage != (expected,):
        actual = stage[0] if stage else None
        raise Failure(f"{rpc}: expected the ticket in {expected}, found it in {actual}.")


def _events(connection: psycopg.Connection, order: str) -> int:
    """How many events the walk left. Errors: Failure when a step left none."""
    row = connection.execute(
        "select count(*) from public.events e where e.stream = 'order' and e.stream_id = %s",
        (order,),
    ).fetchone()
    found = int(row[0]) if row else 0
    if found < len(_STEPS) + 1:
        raise Failure(f"events: {found} events for {len(_STEPS) + 1} steps.")
    return found


def _sign_in(connection: psycopg.Connection) -> None:
    claims = json.dumps({"sub": str(_USER), "role": "authenticated"})
    connection.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
    connection.execute("set local role authenticated")
