"""Call RPCs as somebody: the claims and role that PostgREST would set, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.support.databases import USER_IDS


class Refused(Exception):
    """The database refused: `status` (HTTP), `code` (hint), `message`, `detail` (facts)."""

    def __init__(self, error: psycopg.Error) -> None:
        diag = error.diag
        self.sqlstate = diag.sqlstate or ""
        self.status = int(self.sqlstate[2:]) if self.sqlstate.startswith("PT") else None
        self.code = diag.message_hint
        self.message = diag.message_primary or ""
        try:
            self.detail = json.loads(diag.message_detail or "{}")
        except ValueError:
            self.detail = {"text": diag.message_detail}
        self.constraint = diag.constraint_name
        super().__init__(f"{self.sqlstate} {self.code}: {self.message} {self.detail}")


def claims_of(who: str) -> tuple[str, dict[str, Any]]:
    """Database role and token claims of a persona, `anon` or `service`."""
    if who == "anon":
        return "anon", {"role": "anon"}
    if who == "service":
        return "service_role", {"role": "service_role"}
    return "authenticated", {
        "role": "authenticated",
        "sub": str(USER_IDS[who]),
        "email": f"{who}@takt.localhost",
    }


@contextmanager
def acting_as(
    connection: psycopg.Connection, who: str, headers: dict[str, str] | None = None
) -> Iterator[psycopg.Connection]:
    """A transaction as `who`; commits when the block ends well."""
    role, claims = claims_of(who)
    with connection.transaction():
        connection.execute(
            "select set_config('request.jwt.claims', %s, true),"
            " set_config('request.headers', %s, true)",
            (json.dumps(claims), json.dumps(headers or {})),
        )
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        try:
            yield connection
        except psycopg.Error as error:
            raise Refused(error) from error


def _adapt(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict) else value


def call(
    connection: psycopg.Connection,
    who: str,
    rpc: str,
    *,
    headers: dict[str, str] | None = None,
    **arguments: Any,
) -> Any:
    """The RPC's answer as JSON would show it: a dict or scalar, or a list for a set.

    Dicts become jsonb; wrap other jsonb arguments in `Jsonb`. Errors: Refused.
    """
    named = sql.SQL(", ").join(
        sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name))
        for name in arguments
    )
    statement = sql.SQL("select to_jsonb(answer) from public.{}({}) as answer").format(
        sql.Identifier(rpc), named
    )
    with acting_as(connection, who, headers):
        rows = connection.execute(
            statement, {name: _adapt(value) for name, value in arguments.items()}
        ).fetchall()
        returns_set = connection.execute(
            "select proretset from pg_catalog.pg_proc"
            " where pronamespace = 'public'::regnamespace and proname = %s",
            (rpc,),
        ).fetchone()
    answers = [row[0] for row in rows]
    return answers if returns_set == (True,) else answers[0]
