"""A durable queue on the disk of a shop-floor computer, for facts that must reach the database.

SQLite in WAL mode with synchronous FULL: what `put` has answered survives a power cut. Each item
has a unique idempotency key and belongs to an entity; within one entity the order is kept. What
can never be delivered becomes a dead letter and steps aside.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
create table if not exists spool (
  id integer primary key autoincrement,
  key text not null unique,
  entity text not null,
  topic text not null,
  payload text not null,
  status text not null default 'ready' check (status in ('ready', 'done', 'dead')),
  attempts integer not null default 0,
  next_at real not null default 0,
  error text,
  created_at real not null,
  finished_at real
);
create index if not exists spool_waiting on spool (entity, id) where status = 'ready';
"""
# Only the oldest waiting item of an entity may go: a later one never overtakes it.
_NEXT = """
select id, key, entity, topic, payload, attempts, error from spool s
 where status = 'ready' and next_at <= ?
   and not exists (select 1 from spool o
                    where o.status = 'ready' and o.entity = s.entity and o.id < s.id)
 order by id limit ?
"""


@dataclass(frozen=True)
class Item:
    """One fact to deliver; `attempts` already made, `error` of the last one."""

    id: int
    key: str
    entity: str
    topic: str
    payload: dict[str, Any]
    attempts: int
    error: str | None


class Spool:
    """Safe for several threads. `clock` gives seconds; it is only compared with itself."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_SCHEMA)
        # The clock may have begun anew, in the past: waits of an earlier start mean nothing now.
        with contextlib.suppress(sqlite3.Error):  # a full disk: then they wait
            self._db.execute("update spool set next_at = 0 where status = 'ready' and next_at > 0")

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def put(self, topic: str, entity: str, payload: dict[str, Any], key: str) -> bool:
        """Keep a fact. False when this key is known already (waiting, delivered or dead)."""
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        return self._change(
            "insert into spool (key, entity, topic, payload, created_at) values (?, ?, ?, ?, ?)"
            " on conflict (key) do nothing",
            (key, entity, topic, text, self._clock()),
        )

    def due(self, limit: int = 1) -> list[Item]:
        """The next items to deliver, oldest first, at most one per entity."""
        with self._lock:
            rows = self._db.execute(_NEXT, (self._clock(), limit)).fetchall()
        return [_item(row) for row in rows]

    def done(self, item_id: int) -> None:
        """Delivered. The key is remembered until `forget`."""
        self._finish("done", item_id, None)

    def retry(self, item_id: int, error: str, after: float) -> None:
        """Not delivered; try again in `after` seconds. Its entity waits with it."""
        self._change(
            "update spool set attempts = attempts + 1, error = ?, next_at = ?"
            " where id = ? and status = 'ready'",
            (error, self._clock() + after, item_id),
        )

    def bury(self, item_id: int, error: str) -> None:
        """It can never be delivered: a dead letter, and the next of its entity may go."""
        self._finish("dead", item_id, error)

    def requeue(self, item_id: int) -> bool:
        """Try a dead letter again, in its old place. False when it is not dead."""
        return self._change(
            "update spool set status = 'ready', attempts = 0, next_at = 0, finished_at = null"
            " where id = ? and status = 'dead'",
            (item_id,),
        )

    def last_done(self, entity: str) -> str | None:
        """The key of what was delivered last of this entity; None before the first."""
        with self._lock:
            row = self._db.execute(
                "select key from spool where status = 'done' and entity = ?"
                " order by id desc limit 1",
                (entity,),
            ).fetchone()
        return str(row[0]) if row else None

    def deliver_again(self, entity: str) -> int:
        """Everything of this entity that is still remembered goes once more, in its old order: the
        other side has lost it. Answers how many."""
        with self._lock:
            return self._db.execute(
                "update spool set status = 'ready', attempts = 0, next_at = 0, finished_at = null"
                " where status = 'done' and entity = ?",
                (entity,),
            ).rowcount

    def dead(self) -> list[Item]:
        """All dead letters, oldest first."""
        with self._lock:
            rows = self._db.execute(
                "select id, key, entity, topic, payload, attempts, error from spool"
                " where status = 'dead' order by id"
            ).fetchall()
        return [_item(row) for row in rows]

    def depth(self) -> dict[str, int]:
        """How many items are ready, done and dead."""
        with self._lock:
            rows = self._db.execute("select status, count(*) from spool group by status").fetchall()
        return {"ready": 0, "done": 0, "dead": 0} | dict(rows)

    def forget(self, older_than: float) -> int:
        """Drop delivered items (and their keys) older than so many seconds; answers how many."""
        with self._lock:
            return self._db.execute(
                "delete from spool where status = 'done' and finished_at < ?",
                (self._clock() - older_than,),
            ).rowcount

    def _finish(self, status: str, item_id: int, error: str | None) -> None:
        self._change(
            "update spool set status = ?, error = coalesce(?, error), finished_at = ?,"
            " attempts = attempts + 1 where id = ? and status = 'ready'",
            (status, error, self._clock(), item_id),
        )

    def _change(self, sql: str, values: tuple[Any, ...]) -> bool:
        with self._lock:
            return self._db.execute(sql, values).rowcount > 0


def _item(row: tuple[Any, ...]) -> Item:
    item_id, key, entity, topic, payload, attempts, error = row
    return Item(item_id, key, entity, topic, json.loads(payload), attempts, error)
