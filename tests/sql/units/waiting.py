"""Two sessions, one of which must wait for the other."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any

import psycopg

SECONDS = 60


def blocked_by(db: psycopg.Connection, later: Future[Any]) -> None:
    """Return once another session waits for this one's locks."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        assert not later.done(), f"it did not wait: {later.result()}"
        db.execute("select pg_catalog.pg_stat_clear_snapshot()")  # kept within a transaction
        waiting = db.execute(
            "select 1 from pg_catalog.pg_stat_activity"
            " where pg_backend_pid() = any (pg_blocking_pids(pid))"
        ).fetchone()
        if waiting:
            return
    raise AssertionError("it never waited")
