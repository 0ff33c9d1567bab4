"""Reads committed broadcasts from Postgres, each exactly once, and hands them on."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Any

import psycopg

from services.local.realtime.protocol import Broadcast

log = logging.getLogger(__name__)

_SWEEP_SECONDS = 30.0
_UPKEEP_SECONDS = 3600.0
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0

# A notification only wakes us. What is new is what this statement's snapshot sees and the last
# one's did not: a transaction that commits late, or while we were away, is never skipped.
_NEWS = """
  select
    pg_current_snapshot()::text, m.id::text, m.topic, m.event, m.payload,
    coalesce(m.private, false)
  from (select) one
  left join realtime.messages m
    on m.xid >= pg_snapshot_xmin(%(last)s::pg_snapshot)
    and not pg_visible_in_snapshot(m.xid, %(last)s::pg_snapshot)
    and pg_visible_in_snapshot(m.xid, pg_current_snapshot())
    and m.extension = 'broadcast'
    and m.event is not null
  order by m.inserted_at
"""


class Listener:
    """One LISTEN connection that comes back; `deliver(message, private)` must not block."""

    def __init__(self, db_url: str, deliver: Callable[[Broadcast, bool], None]) -> None:
        self._db_url = db_url
        self._deliver = deliver
        self._cluster: object = None
        self._snapshot = ""
        self._upkeep_due = 0.0
        self._failures = 0
        self.ready = asyncio.Event()  # from here on no committed message is missed

    async def run(self) -> None:
        """Listen until cancelled; reconnects with full jitter."""
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as error:
                log.warning("realtime lost its database connection: %s", error)
            self._failures += 1
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures, 10))
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 (no secret)

    async def _listen(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._db_url, autocommit=True, connect_timeout=5, application_name="takt-realtime"
        )
        async with connection:
            await connection.execute("listen realtime")
            await self._start(connection)
            self._failures = 0
            while True:
                await self._deliver_news(connection)
                await self._upkeep(connection)
                async for _ in connection.notifies(timeout=_SWEEP_SECONDS, stop_after=1):
                    pass

    async def _start(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Begin here at the first connection; go on from the last snapshot at later ones."""
        cursor = await connection.execute(
            "select system_identifier, pg_current_snapshot()::text from pg_control_system()"
        )
        row = await cursor.fetchone()
        if row is not None and row[0] != self._cluster:
            # Transaction numbers of another cluster (a restored one, say) mean nothing here.
            self._cluster, self._snapshot = row
        self.ready.set()

    async def _deliver_news(self, connection: psycopg.AsyncConnection[Any]) -> None:
        rows = await (await connection.execute(_NEWS, {"last": self._snapshot})).fetchall()
        self._snapshot = rows[0][0]
        for _, row_id, topic, event, payload, private in rows:
            if row_id is not None:
                self._deliver(Broadcast(topic, event, payload, row_id), private)
                # Lets the sockets' writers empty their queues while we replay a long gap.
                await asyncio.sleep(0)

    async def _upkeep(self, connection: psycopg.AsyncConnection[Any]) -> None:
        if time.monotonic() < self._upkeep_due:
            return
        await connection.execute("select realtime.ensure_partitions(), realtime.prune()")
        self._upkeep_due = time.monotonic() + _UPKEEP_SECONDS
