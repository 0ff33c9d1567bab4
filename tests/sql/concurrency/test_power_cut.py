"""kill -9 of Postgres in the middle of a stream of commands."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

import psycopg
import pytest

from services.local import prepare_database
from services.local.migrations import push
from services.local.postgres import PostgresServer
from services.local.processes import wait_until
from takt.ports import free_port
from tests.support.databases import seed_people
from tests.support.rpc import Refused, call

SENDERS = 4
DATABASE = "takt"


@dataclass
class Stream:
    """What one station sent: command number → request id, and which were acknowledged."""

    sent: dict[str, UUID] = field(default_factory=dict)
    acknowledged: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def plant() -> Iterator[PostgresServer]:
    """A server that keeps its promises: fsync and synchronous_commit are on."""
    with TemporaryDirectory(prefix="takt-cut-") as folder:
        Path(folder).chmod(0o755)
        server = PostgresServer(Path(folder) / "data", free_port(), settings={"fsync": "on"})
        server.init()
        server.start()
        try:
            prepare_database(server, DATABASE)
            push(server.url("postgres", DATABASE))
            with _connect(server) as db:
                seed_people(db)
            yield server
        finally:
            server.stop("immediate")


def _connect(server: PostgresServer) -> psycopg.Connection:
    return psycopg.connect(server.url("postgres", DATABASE), autocommit=True)


def _create(db: psycopg.Connection, title: str, request_id: UUID) -> str:
    """A command that is not repeatable by nature: every call without its id makes a new order."""
    made = call(
        db,
        "planner",
        "create_manual_order",
        p_store="bannos",
        p_product_title=title,
        p_request_id=request_id,
    )
    return str(made[0]["id"])


def _send(server: PostgresServer, name: int, stream: Stream) -> None:
    """Send until the lights go out."""
    try:
        with _connect(server) as db:
            while True:
                title = f"cake {name}/{len(stream.sent)}"
                stream.sent[title] = uuid4()
                stream.acknowledged[title] = _create(db, title, stream.sent[title])
    except psycopg.OperationalError:
        return
    except Refused as refused:
        if refused.sqlstate[:2] not in ("", "57", "08"):  # '' = the line went dead
            raise


def test_every_acknowledged_command_survives_once(plant: PostgresServer) -> None:
    with _connect(plant) as db:
        assert db.execute("show fsync").fetchone() == ("on",)
        assert db.execute("show synchronous_commit").fetchone() == ("on",)
    streams = [Stream() for _ in range(SENDERS)]
    threads = [
        threading.Thread(target=_send, args=(plant, n, stream), daemon=True)
        for n, stream in enumerate(streams)
    ]
    for thread in threads:
        thread.start()
    assert wait_until(lambda: min(len(s.acknowledged) for s in streams) >= 25, 60)
    plant.kill()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    plant.start()

    acknowledged = {t: i for s in streams for t, i in s.acknowledged.items()}
    sent = {t: r for s in streams for t, r in s.sent.items()}
    with _connect(plant) as db:
        kept = _orders(db)
        assert acknowledged.items() <= kept.items()
        assert kept.keys() <= sent.keys()
        for title, request_id in sent.items():  # every station sends everything again
            made = _create(db, title, request_id)
            assert made == kept.get(title, made)
        assert _orders(db).keys() == sent.keys()
        rows = db.execute("select count(*) from public.orders").fetchone()
        assert rows == (len(sent),)
        told = db.execute(
            "select count(*), count(distinct stream_id) from public.events"
            " where event = 'order.created'"
        ).fetchone()
        assert told == (len(sent), len(sent))


def _orders(db: psycopg.Connection) -> dict[str, str]:
    """Product title → ticket id."""
    return dict(db.execute("select product_title, id from public.orders").fetchall())
