"""What the bridge must not lose, on its own disk: where each printer stands, and the outbox.

The end of a run and the row that tells it are one SQLite transaction: after a crash either both
are there or neither, and then the run is still open and its end is seen again. The outbox is the
kernel's spool; one printer is one entity, so its runs are told in their order.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bambu_bridge.memory import Gap
from bambu_bridge.report import Told
from takt.spool import Spool

TOPIC = "record_print_completion"
_REMEMBERED = 90 * 86400.0
_SCHEMA = """
create table if not exists printers (
  serial text primary key,
  memory text not null,
  owned integer,
  saved_at real not null
);
create table if not exists gaps (
  id text primary key,
  serial text not null,
  start real not null,
  finish real not null
);
create table if not exists facts (
  name text primary key,
  value text not null
);
"""


@dataclass(frozen=True)
class Depth:
    """The outbox: rows waiting and parked, age in seconds of the oldest that waits."""

    ready: int
    parked: int
    oldest_s: float
    last_error: str | None


class Store(Spool):
    """Safe for several threads. Errors of every method: sqlite3.Error (the disk is full)."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        super().__init__(path, clock)
        self._db.executescript(_SCHEMA)

    def save(
        self,
        serial: str,
        memory: dict[str, Any],
        told: Sequence[Told] = (),
        gaps: Sequence[Gap] = (),
    ) -> None:
        """Where the printer stands and what is to be told: all of it or nothing."""
        with self._transaction():
            self._db.execute(
                "insert into printers (serial, memory, saved_at) values (?, ?, ?)"
                " on conflict (serial) do update"
                " set memory = excluded.memory, saved_at = excluded.saved_at",
                (serial, json.dumps(memory, ensure_ascii=False), self._clock()),
            )
            for row in told:
                self.put(TOPIC, serial, row.arguments, row.key)
            for gap in gaps:
                self._db.execute(
                    "insert or ignore into gaps values (?, ?, ?, ?)",
                    (gap.id, serial, gap.start, gap.end),
                )

    def load(self, serial: str) -> dict[str, Any] | None:
        """What `save` stored last; None for a printer that was never seen."""
        with self._lock:
            row = self._db.execute(
                "select memory from printers where serial = ?", (serial,)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def own(self, serial: str, owned: bool) -> None:
        """Keep what the server said about the lease, for a start without the server."""
        self._change(
            "insert into printers (serial, memory, owned, saved_at) values (?, 'null', ?, ?)"
            " on conflict (serial) do update set owned = excluded.owned",
            (serial, int(owned), self._clock()),
        )

    def is_owned(self, serial: str) -> bool:
        """True until the server said otherwise: a print that is not watched is lost."""
        with self._lock:
            row = self._db.execute(
                "select owned from printers where serial = ?", (serial,)
            ).fetchone()
        return row is None or row[0] != 0

    def gaps(self, serial: str) -> list[Gap]:
        """Blind windows the server has not confirmed, oldest first."""
        with self._lock:
            rows = self._db.execute(
                "select id, start, finish from gaps where serial = ? order by start limit 50",
                (serial,),
            ).fetchall()
        return [Gap(*row) for row in rows]

    def drop_gaps(self, ids: Sequence[str]) -> None:
        with self._lock:
            self._db.executemany("delete from gaps where id = ?", [(gap,) for gap in ids])

    def state(self) -> Depth:
        """The outbox in numbers."""
        depth = self.depth()
        with self._lock:
            (oldest,) = self._db.execute(
                "select min(created_at) from spool where status = 'ready'"
            ).fetchone()
            error = self._db.execute(
                "select error from spool where status <> 'done' and error is not null"
                " order by id desc limit 1"
            ).fetchone()
        age = max(0.0, self._clock() - oldest) if oldest is not None else 0.0
        return Depth(depth["ready"], depth["dead"], age, error[0] if error else None)

    def note(self, name: str, value: Any) -> None:
        """Keep a fact for `status`, which reads this file while the bridge runs."""
        self._change("insert or replace into facts values (?, ?)", (name, json.dumps(value)))

    def fact(self, name: str) -> Any:
        """What `note` kept, or None."""
        with self._lock:
            row = self._db.execute("select value from facts where name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def tidy(self) -> None:
        """Forget what was delivered long ago."""
        self.forget(_REMEMBERED)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("begin immediate")
            try:
                yield self._db
                self._db.execute("commit")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise
