"""The stack on a database of somebody else's server: `TAKT_DB_URL`, remembered in `.takt/`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

import psycopg
from psycopg.rows import class_row

from services.local import prepare
from services.local.database import BadAddress, Database, normalise
from services.local.guards import StartFailed
from services.local.postgres import LOGIN_ROLES, SUPERUSER
from services.local.settings import Settings, write_external

log = logging.getLogger("takt.supervisor")

VARIABLE = "TAKT_DB_URL"
OLDEST = 15
_SECONDS = 10
# The schema `lite` comes in one transaction with everything else that `prepare` makes first.
_FACTS = """
  select
    current_setting('server_version') as version,
    current_setting('server_version_num')::int / 10000 as major,
    (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = current_user) as superuser,
    current_user::text as who,
    current_setting('server_encoding') as encoding,
    pg_catalog.pg_is_in_recovery() as standby,
    to_regclass('lite.pg_class') is not null as prepared,
    array(
      select c.oid::regclass::text
      from pg_catalog.pg_class as c
      where c.relnamespace = to_regnamespace('public') and c.relkind in ('r', 'p', 'v', 'm', 'f')
        and not exists (
          select from pg_catalog.pg_depend as d
          where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
        )
      order by c.relname
    ) as relations,
    array(
      select n.nspname::text from pg_catalog.pg_namespace as n
      where n.nspname in ('auth', 'storage', 'realtime', 'private', 'lite', 'supabase_migrations')
      order by n.nspname
    ) as schemas
"""


@dataclass(frozen=True)
class Facts:
    """What must be known of a database before anything in it is touched."""

    version: str
    major: int
    superuser: bool
    who: str
    encoding: str
    standby: bool
    prepared: bool
    relations: list[str]
    schemas: list[str]


def wanted(settings: Settings) -> str | None:
    """Address of the database that `takt up` is to use; None for the embedded server.

    The one of the environment, else the remembered one. Errors: StartFailed (no address).
    """
    known = settings.external.url if settings.external else None
    given = os.environ.get(VARIABLE)
    if not given:
        return known
    try:
        url = normalise(given)
    except BadAddress as error:
        raise StartFailed(f"{VARIABLE} cannot be used: {error}") from error
    # What `takt status` printed for scripts names the same database, not another one.
    return known if url == normalise(settings.db_url()) else url


def adopt(settings: Settings, url: str) -> Settings:
    """Check and prepare the database at `url`, remember it, and return the settings with it.

    Only missing roles are made; those that are there stay as they are. Errors: StartFailed.
    """
    paths, known = settings.paths, settings.external
    database = Database(url, {}, external=True)
    passwords = {r: p for r, p in settings.secrets.db_passwords.items() if r != SUPERUSER}
    with _connect(database) as connection:
        log.info("using %s, Postgres %s", database.where, _check(database, connection).version)
        made = _prepare_roles(connection, passwords)
        if known is not None:
            made |= known.passwords.keys()
        ours = {r: p for r, p in passwords.items() if r in made and _signs_in(database, r, p)}
        database = replace(database, passwords=ours, settings=_role_settings(connection))
    if known is None or known.where != database.where:
        paths.demo_file.unlink(missing_ok=True)  # it tells of another database
    write_external(paths, database)
    prepare.prepare_schemas(database)
    return replace(settings, external=database)


def examine(url: str) -> str:
    """One line about the database at `url`. Errors: StartFailed when Takt cannot use it."""
    database = Database(url, {}, external=True)
    with _connect(database) as connection:
        facts = _check(database, connection)
    return f"external, {database.where}, Postgres {facts.version}"


def refusal(facts: Facts, where: str) -> str | None:
    """Why Takt does not use this database; None when it does."""
    own = "create database takt encoding 'UTF8' template template0;"
    if facts.major < OLDEST:
        return f"The server of {where} is Postgres {facts.version}; Takt needs {OLDEST} or newer."
    if not facts.superuser:
        return (
            f"{VARIABLE} signs in to {where} as `{facts.who}`, who is not a superuser. Give the "
            "address of one: only a superuser can make a database what a Supabase project is."
        )
    if facts.standby:
        return f"The server of {where} is a standby. Give the address of its primary."
    if facts.encoding != "UTF8":
        return f"The database {where} has the encoding {facts.encoding}, not UTF8: {own}"
    foreign = [*facts.relations, *(f"schema {name}" for name in facts.schemas)]
    if foreign and not facts.prepared:
        shown = ", ".join(foreign[:5]) + (" …" if len(foreign) > 5 else "")
        return (
            f"The database {where} already holds what is not Takt's: {shown}. Nothing was changed. "
            f"Give Takt a database of its own: {own}"
        )
    return None


def _check(database: Database, connection: psycopg.Connection) -> Facts:
    with connection.cursor(row_factory=class_row(Facts)) as cursor:
        facts = cursor.execute(_FACTS).fetchone()
    if facts is None:
        raise StartFailed(f"{database.where} does not answer.")
    problem = refusal(facts, database.where)
    if problem is not None:
        raise StartFailed(problem)
    return facts


def _connect(database: Database) -> psycopg.Connection:
    try:
        return psycopg.connect(database.url, autocommit=True, connect_timeout=_SECONDS)
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        raise StartFailed(f"Cannot sign in to {database.where}: {said}") from error


def _prepare_roles(connection: psycopg.Connection, passwords: Mapping[str, str]) -> set[str]:
    """Make the missing roles; the login roles among them. Errors: StartFailed (one is unfit)."""
    there = [row[0] for row in connection.execute("select rolname from pg_catalog.pg_roles")]
    try:
        prepare.prepare_roles(connection, passwords, foreign=there)
    except psycopg.errors.RaiseException as error:
        raise StartFailed(str(error.diag.message_primary)) from error
    return passwords.keys() - set(there)


def _signs_in(database: Database, role: str, password: str) -> bool:
    """Does the role sign in by itself? The server's rules may allow the given user alone."""
    url = replace(database, passwords={role: password}).sign_in(role)
    try:
        psycopg.connect(url, connect_timeout=_SECONDS).close()
    except psycopg.OperationalError:
        return False
    return True


def _role_settings(connection: psycopg.Connection) -> dict[str, list[str]]:
    rows = connection.execute(
        "select rolname, rolconfig from pg_catalog.pg_roles"
        " where rolname = any(%s) and rolconfig is not null",
        (list(LOGIN_ROLES),),
    )
    return dict(rows.fetchall())
