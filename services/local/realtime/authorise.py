"""Who is asking, and what the policies on realtime.messages let them do on a topic."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import uuid
from dataclasses import dataclass, field
from typing import Any

import jwt
import psycopg

log = logging.getLogger(__name__)

Claims = dict[str, Any]

_API_ROLES = ("anon", "authenticated", "service_role")
_EXTENSIONS = ("broadcast", "presence")
_PARALLEL_PROBES = 8
_INSERT = """
  insert into realtime.messages (id, topic, extension, event, payload, private)
  values (%s, %s, %s, 'authorise', '{}', true)
"""
_BECOME = """
  select
    set_config('role', %(role)s, true),
    set_config('realtime.topic', %(topic)s, true),
    set_config('request.jwt.claims', %(claims)s, true),
    set_config('request.jwt.claim.sub', %(sub)s, true),
    set_config('request.jwt.claim.role', %(role)s, true)
"""


@dataclass(frozen=True)
class RealtimeSettings:
    """What the server needs from its caller; `db_url` is the superuser's."""

    db_url: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    publishable_key: str
    secret_key: str = field(repr=False)
    private_only: bool = True


@dataclass(frozen=True)
class Rights:
    """What one identity may do on one topic."""

    read: bool = False
    write: bool = False
    presence_read: bool = False
    presence_write: bool = False


FULL_RIGHTS = Rights(read=True, write=True, presence_read=True, presence_write=True)


class Unauthorised(Exception):
    """The key or token is not valid (any more); the message says why."""


class Unavailable(Exception):
    """The database cannot be asked at the moment."""


def identify(settings: RealtimeSettings, token: str | None) -> Claims:
    """The claims behind an API key or user token (HS256); Unauthorised when there are none."""
    if not token:
        raise Unauthorised("No API key found in request")
    for key, role in ((settings.publishable_key, "anon"), (settings.secret_key, "service_role")):
        if hmac.compare_digest(token.encode(), key.encode()):
            return {"role": role}
    try:
        claims: Claims = jwt.decode(
            token, settings.jwt_secret, algorithms=["HS256"], options={"verify_aud": False}
        )
    except jwt.ExpiredSignatureError as error:
        raise Unauthorised("InvalidJWTToken: Token has expired") from error
    except jwt.InvalidTokenError as error:
        raise Unauthorised("InvalidJWTToken: The token is not valid") from error
    if claims.get("role") not in _API_ROLES:
        raise Unauthorised("InvalidJWTToken: The token names no API role")
    return claims


class Authoriser:
    """Asks the policies, as hosted does: probe rows, seen and written as the client, undone."""

    def __init__(self, db_url: str) -> None:
        self._db_url = db_url
        self._slots = asyncio.Semaphore(_PARALLEL_PROBES)

    async def rights(self, claims: Claims, topic: str) -> Rights:
        """Rights on a private topic (without prefix); Unavailable when Postgres is down."""
        try:
            async with self._slots, await self._connect() as connection:
                return await _probe(connection, claims, topic)
        except psycopg.Error as error:
            log.warning("cannot ask the policies about %s: %s", topic, error)
            raise Unavailable("DatabaseUnavailable: The database does not answer") from error

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(
            self._db_url,
            connect_timeout=5,
            application_name="takt-realtime-authorise",
            options="-c statement_timeout=5s",
        )


async def _probe(connection: psycopg.AsyncConnection[Any], claims: Claims, topic: str) -> Rights:
    async with connection.transaction(force_rollback=True):
        await connection.execute("select realtime.ensure_partitions(0)")
        ids = {extension: str(uuid.uuid4()) for extension in _EXTENSIONS}
        for extension, row_id in ids.items():
            await connection.execute(_INSERT, (row_id, topic, extension))
        become = {"role": claims["role"], "topic": topic, "sub": str(claims.get("sub") or "")}
        await connection.execute(_BECOME, become | {"claims": json.dumps(claims)})
        may_read = [await _may_read(connection, ids[name], topic) for name in _EXTENSIONS]
        may_write = [await _may_write(connection, name, topic) for name in _EXTENSIONS]
    return Rights(may_read[0], may_write[0], may_read[1], may_write[1])


async def _may_read(connection: psycopg.AsyncConnection[Any], row_id: str, topic: str) -> bool:
    query = "select 1 from realtime.messages where id = %s"
    try:
        async with connection.transaction():
            return await (await connection.execute(query, (row_id,))).fetchone() is not None
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        log.warning("the select policies on realtime.messages fail for %s: %s", topic, error)
        return False


async def _may_write(connection: psycopg.AsyncConnection[Any], extension: str, topic: str) -> bool:
    try:
        async with connection.transaction():
            await connection.execute(_INSERT, (str(uuid.uuid4()), topic, extension))
    except psycopg.errors.InsufficientPrivilege:
        return False
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        log.warning("the insert policies on realtime.messages fail for %s: %s", topic, error)
        return False
    return True
