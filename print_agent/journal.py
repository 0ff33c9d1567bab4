"""What has left this computer, on its own disk: so that a crash cannot turn into a second label.

SQLite in WAL mode with synchronous FULL: what a method has answered survives a power cut. A send
only moves forward (`Step`), so that after a crash the stronger fact is told.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from print_agent.domain import Boot, Step

_SCHEMA = """
create table if not exists sends (
  id integer primary key autoincrement,
  job_id integer not null,
  fence integer not null,
  printer text not null,
  step text not null,
  rank integer not null,
  bytes integer not null default 0,
  total integer not null,
  evidence text not null,
  shown text,
  note text,
  begun_at real not null,
  changed_at real not null,
  unique (job_id, fence)
);
create index if not exists sends_by_printer on sends (printer, id);
create table if not exists boots (
  printer text primary key,
  boot_id text not null,
  unique_id text,
  machine text not null,
  earliest real not null,
  latest real not null,
  wall real not null,
  uptime_s integer not null
);
"""
_COLUMNS = "job_id, fence, printer, step, bytes, total, evidence, shown, note, begun_at, changed_at"
_RANK = {step: rank for rank, step in enumerate(Step)}


@dataclass(frozen=True)
class Send:
    """One try to send a job: `evidence` before the first byte, `shown` after the last. Times are
    seconds of the wall clock, for people."""

    job_id: int
    fence: int
    printer: str
    step: Step
    bytes: int
    total: int
    evidence: dict[str, Any]
    shown: dict[str, Any] | None
    note: str | None
    begun_at: float
    changed_at: float


class Journal:
    """Safe for several threads. `path` is made, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def begin(
        self, job_id: int, fence: int, printer: str, total: int, evidence: dict[str, Any]
    ) -> None:
        """Before the database is asked for `begin_send`; a repeat changes nothing."""
        now = time.time()
        row = (job_id, fence, printer, Step.BEGUN, 0, total, json.dumps(evidence), now, now)
        self._run(
            "insert into sends (job_id, fence, printer, step, rank, total, evidence, begun_at,"
            " changed_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
            row,
        )

    def advance(
        self, job_id: int, fence: int, step: Step, handed: int = 0, note: str | None = None
    ) -> bool:
        """Keep a stronger fact; `handed` bytes so far. False when it is not stronger."""
        return self._run(
            "update sends set step = ?, rank = ?, bytes = max(bytes, ?), changed_at = ?,"
            " note = coalesce(?, note) where job_id = ? and fence = ? and rank < ?",
            (step, _RANK[step], handed, time.time(), note, job_id, fence, _RANK[step]),
        )

    def show(self, job_id: int, fence: int, evidence: dict[str, Any]) -> None:
        """What the printer shows now, to be told as soon as somebody hears it."""
        self._run(
            "update sends set step = ?, rank = ?, shown = ?, changed_at = ?"
            " where job_id = ? and fence = ? and rank <= ?",
            (
                *(Step.SHOWN, _RANK[Step.SHOWN], json.dumps(evidence), time.time()),
                *(job_id, fence, _RANK[Step.SHOWN]),
            ),
        )

    def find(self, job_id: int, fence: int) -> Send | None:
        """What is known about one try, or None."""
        found = self._select("where job_id = ? and fence = ?", (job_id, fence))
        return found[0] if found else None

    def open(self, printer: str | None = None) -> list[Send]:
        """Tries that are not settled, oldest first."""
        if printer is None:
            return self._select("where step <> 'settled' order by id", ())
        return self._select("where step <> 'settled' and printer = ? order by id", (printer,))

    def recent(self, limit: int) -> list[Send]:
        """The newest tries first."""
        return self._select("order by id desc limit ?", (limit,))

    def adopt(self, job_id: int, fence: int, printer: str) -> None:
        """A job under way that this journal does not know: its bytes may have left."""
        self.begin(job_id, fence, printer, 0, {})
        self.advance(job_id, fence, Step.HANDING, note="found under way")

    def followed(self, job_id: int, printer: str) -> bool:
        """May bytes of another job have left for this printer after this job began?"""
        query = (
            "where printer = ? and job_id <> ? and rank >= ?"
            " and id > (select max(o.id) from sends o where o.job_id = ?) limit 1"
        )
        return bool(self._select(query, (printer, job_id, _RANK[Step.HANDING], job_id)))

    def boot(self, printer: str) -> Boot | None:
        """The printer's last known boot."""
        query = (
            "select boot_id, unique_id, machine, earliest, latest, wall, uptime_s"
            " from boots where printer = ?"
        )
        with self._lock:
            row = self._db.execute(query, (printer,)).fetchone()
        return Boot(*row) if row else None

    def keep_boot(self, printer: str, boot: Boot) -> None:
        self._run(
            "insert or replace into boots values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                printer,
                *astuple(boot),
            ),
        )

    def forget(self, older_than: float) -> int:
        """Drop settled tries that last changed so many seconds ago; answers how many."""
        with self._lock:
            return self._db.execute(
                "delete from sends where step = 'settled' and changed_at < ?",
                (time.time() - older_than,),
            ).rowcount

    def _select(self, rest: str, values: tuple[Any, ...]) -> list[Send]:
        with self._lock:
            rows = self._db.execute(f"select {_COLUMNS} from sends {rest}", values).fetchall()  # noqa: S608
        return [_send(row) for row in rows]

    def _run(self, sql: str, values: tuple[Any, ...]) -> bool:
        with self._lock:
            return self._db.execute(sql, values).rowcount > 0


def _send(row: tuple[Any, ...]) -> Send:
    job_id, fence, printer, step, handed, total, evidence, shown, *rest = row
    after = json.loads(shown) if shown else None
    return Send(
        job_id, fence, printer, Step(step), handed, total, json.loads(evidence), after, *rest
    )
