"""Users in lite's own tables, as the admin API reads and writes them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

Row = Mapping[str, Any]

_USER = """
  select u.*, coalesce((
    select jsonb_agg(to_jsonb(i) order by i.created_at) from auth.identities as i
    where i.user_id = u.id
  ), '[]') as identities
  from auth.users as u
"""
_BANNED = """
  select exists (
    select from auth.users as u
    where u.banned_until > now() and (
      u.email = lower(%(email)s)
      or u.id = (select t.user_id from auth.refresh_tokens as t where t.token = %(token)s)
    )
  ) as banned
"""
# After a moment, in which two tabs may refresh at once, an old token is a stolen one.
_END_REUSED = """
  with reused as (
    select t.session_id from auth.refresh_tokens as t
    where t.token = %s and t.revoked and t.updated_at < now() - interval '10 seconds'
  ),
  ended as (delete from auth.sessions where id in (select session_id from reused))
  select exists (select from reused) as found
"""
_MOST_CONNECTIONS = 8
# The hash keeps the address unique without keeping it.
_FORGET = """
  update auth.users
  set deleted_at = now(), phone = null, encrypted_password = null, raw_user_meta_data = '{}',
    email = encode(sha256(convert_to(coalesce(email, '') || id::text, 'utf8')), 'hex')
  where id = %s and deleted_at is null
"""
_COLUMNS = frozenset(
    {"email", "phone", "role", "encrypted_password", "email_confirmed_at", "phone_confirmed_at"}
    | {"raw_app_meta_data", "raw_user_meta_data", "banned_until", "deleted_at"}
)


class EmailTaken(Exception):
    """Another user has this e-mail address or phone number."""


class UserStore:
    """One short connection for each call: the admin API is for people, not for load."""

    def __init__(self, db_url: str) -> None:
        self._db_url = db_url
        self._free = asyncio.Semaphore(_MOST_CONNECTIONS)

    async def page(self, limit: int, offset: int) -> tuple[list[Row], int]:
        """Users by age, newest first, and how many there are."""
        async with self._connect() as connection:
            found = await connection.execute(
                _USER + " where u.deleted_at is null order by u.created_at desc, u.id"
                " limit %s offset %s",
                (limit, offset),
            )
            rows = await found.fetchall()
            counted = await connection.execute(
                "select count(*) as n from auth.users where deleted_at is null"
            )
            total = await counted.fetchone()
        return [_plain(row) for row in rows], total["n"] if total else 0

    async def get(self, user_id: UUID) -> Row | None:
        """One user."""
        async with self._connect() as connection:
            return await _get(connection, user_id)

    async def create(self, values: Row, password: str | None) -> Row:
        """Add a user with an e-mail identity. Errors: EmailTaken."""
        user_id = uuid4()
        async with self._connect() as connection:
            await connection.execute(
                "insert into auth.users (id, aud, raw_app_meta_data, raw_user_meta_data)"
                " values (%s, 'authenticated', '{}', '{}')",
                (user_id,),
            )
            await _write(connection, user_id, values, password)
            row = await _get(connection, user_id)
        if row is None:
            raise LookupError(user_id)
        return row

    async def update(self, user_id: UUID, values: Row, password: str | None) -> Row | None:
        """Change a user; None when there is none. Errors: EmailTaken.

        A new password or a ban ends the person's sessions.
        """
        async with self._connect() as connection:
            found = await connection.execute(
                "select from auth.users where id = %s for update", (user_id,)
            )
            if await found.fetchone() is None:
                return None
            await _write(connection, user_id, values, password)
            if password is not None or values.get("banned_until"):
                await connection.execute("delete from auth.sessions where user_id = %s", (user_id,))
            return await _get(connection, user_id)

    async def delete(self, user_id: UUID, *, soft: bool) -> bool:
        """Remove a user; softly: kept as a row without any personal data."""
        async with self._connect() as connection:
            await connection.execute("delete from auth.sessions where user_id = %s", (user_id,))
            if not soft:
                gone = await connection.execute("delete from auth.users where id = %s", (user_id,))
                return gone.rowcount == 1
            await connection.execute("delete from auth.identities where user_id = %s", (user_id,))
            gone = await connection.execute(_FORGET, (user_id,))
            return gone.rowcount == 1

    async def is_banned(self, *, email: str | None, refresh_token: str | None) -> bool:
        """Is the person with this address, or behind this refresh token, banned?"""
        async with self._connect() as connection:
            found = await connection.execute(_BANNED, {"email": email, "token": refresh_token})
            row = await found.fetchone()
        return bool(row and row["banned"])

    async def end_reused(self, refresh_token: str) -> bool:
        """End the session of a refresh token that was exchanged before; was it one?"""
        async with self._connect() as connection:
            found = await connection.execute(_END_REUSED, (refresh_token,))
            row = await found.fetchone()
        return bool(row and row["found"])

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[psycopg.AsyncConnection[DictRow]]:
        async with self._free:
            connection = await psycopg.AsyncConnection.connect(
                self._db_url, row_factory=dict_row, connect_timeout=5
            )
            async with connection:
                try:
                    yield connection
                except psycopg.errors.UniqueViolation as error:
                    raise EmailTaken from error


async def _get(connection: psycopg.AsyncConnection[DictRow], user_id: UUID) -> Row | None:
    found = await connection.execute(_USER + " where u.id = %s", (user_id,))
    row = await found.fetchone()
    return None if row is None else _plain(row)


async def _write(
    connection: psycopg.AsyncConnection[DictRow],
    user_id: UUID,
    values: Row,
    password: str | None,
) -> None:
    """Set columns of a user, the password's hash and the e-mail identity that lite expects."""
    changes = {name: value for name, value in values.items() if name in _COLUMNS}
    parameters = {k: Jsonb(v) if isinstance(v, dict) else v for k, v in changes.items()}
    assignments = [f"{name} = %({name})s" for name in changes]
    if password is not None:
        assignments.append(
            "encrypted_password = extensions.crypt(%(password)s, extensions.gen_salt('bf', 10))"
        )
    await connection.execute(
        f"update auth.users set {', '.join([*assignments, 'updated_at = now()'])}"  # noqa: S608
        " where id = %(id)s",
        {**parameters, "password": password, "id": user_id},
    )
    if values.get("email"):
        data = Jsonb({"sub": str(user_id), "email": values["email"], "email_verified": True})
        await connection.execute(
            "insert into auth.identities (id, provider, provider_id, user_id, identity_data)"
            " values (%s, 'email', %s, %s, %s) on conflict (provider, provider_id)"
            " do update set identity_data = excluded.identity_data, updated_at = now()",
            (uuid4(), str(user_id), user_id, data),
        )


def _plain(row: Row) -> Row:
    """A row whose JSON columns are objects; lite stores some as a JSON text inside JSON."""
    plain = dict(row)
    for name in ("raw_app_meta_data", "raw_user_meta_data"):
        plain[name] = _decoded(plain.get(name))
    identities: Sequence[dict[str, Any]] = plain["identities"]
    plain["identities"] = [
        {**item, "identity_data": _decoded(item.get("identity_data"))} for item in identities
    ]
    return plain


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value or {}
