"""Clones of the template database, and the people in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg import sql
from pytest_postgresql.janitor import DatabaseJanitor

from services.local.postgres import SUPERUSER, PostgresServer

_numbers = itertools.count(1)

STAFF_ROLES = ("viewer", "operator", "technician", "supervisor", "planner", "manager", "admin")
DEVICE_KINDS = ("print_agent", "bambu_bridge", "fixture", "kiosk", "equipment")
STORES = ("bannos", "flourlane")

_OTHERS = ("flourlane_operator", "disabled", "stranger", "revoked_device")
# Every persona has a fixed Auth user id, so that a failing test names the same one each time.
USER_IDS: dict[str, UUID] = {
    name: UUID(int=0xA000 + n)
    for n, name in enumerate((*STAFF_ROLES, *_OTHERS, *DEVICE_KINDS), start=1)
}


@dataclass(frozen=True)
class Clone:
    """A database of one test."""

    server: PostgresServer
    name: str

    def url(self, user: str = "postgres") -> str:
        return self.server.url(user, self.name)

    def connect(self, user: str = "postgres") -> psycopg.Connection:
        """A new connection, autocommit on."""
        return psycopg.connect(self.url(user), autocommit=True)


class _Copy(DatabaseJanitor):
    """A copy that owner and settings come with; they are not part of a copy by themselves."""

    def init(self) -> None:
        name = sql.Identifier(self.dbname)
        # Copying files takes a quarter of the time of the default, which writes every page
        # to the log; and it was most of the time of a test.
        create = "create database {} template {} strategy file_copy owner postgres"
        with self.cursor() as cursor:
            cursor.execute(sql.SQL(create).format(name, sql.Identifier(self.template_dbname or "")))
            settings = sql.SQL("alter database {} set pgrst.db_schemas = 'public'")
            cursor.execute(settings.format(name))


@contextmanager
def clones(server: PostgresServer, template: str) -> Iterator[Clone]:
    """Create a copy of the template, and drop it afterwards with whoever is still connected."""
    name = f"test_{next(_numbers)}"
    with _Copy(
        user=SUPERUSER,
        host="127.0.0.1",
        port=server.port,
        password=server.passwords[SUPERUSER],
        dbname=name,
        template_dbname=template,
    ):
        yield Clone(server, name)


def seed_people(connection: psycopg.Connection) -> None:
    """Two stores in one Sydney plant, one person per role, the refused, a device per kind."""
    connection.execute(
        "insert into public.sites (code, name, time_zone) values"
        " ('main', 'Main plant', 'Australia/Sydney')"
    )
    for store, prefix in zip(STORES, "BF", strict=True):
        connection.execute(
            "insert into public.stores (code, site, name, scan_prefix, currency)"
            " values (%s, 'main', initcap(%s), %s, 'AUD')",
            (store, store, prefix),
        )
        connection.execute("select private.create_store_view(%s)", (store,))
    for name, user_id in USER_IDS.items():
        connection.execute(
            "insert into auth.users (id, email) values (%s, %s)",
            (user_id, f"{name}@takt.localhost"),
        )
        if name in DEVICE_KINDS or name == "revoked_device":
            connection.execute(
                "insert into public.devices (code, kind, name, site, user_id, revoked_at)"
                " values (%s, %s, %s, 'main', %s, %s)",
                (
                    name,
                    name if name in DEVICE_KINDS else "kiosk",
                    name.replace("_", " "),
                    user_id,
                    "now" if name == "revoked_device" else None,
                ),
            )
        elif name != "stranger":
            role = name if name in STAFF_ROLES else "operator"
            stores = ["flourlane"] if name == "flourlane_operator" else ["*"]
            connection.execute(
                "insert into public.staff_shared"
                " (user_id, full_name, email, role, stores, is_active)"
                " values (%s, %s, %s, %s, %s, %s)",
                (
                    user_id,
                    name.replace("_", " ").title(),
                    f"{name}@takt.localhost",
                    role,
                    stores,
                    name != "disabled",
                ),
            )
