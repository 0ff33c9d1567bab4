"""From the outbox to record_print_completion: at least once, in order per printer, for ever.

A temporary failure is tried again without end. A refusal of the bridge itself (revoked, not
allowed, no such function) pauses everything and keeps it. A row the database cannot take is
parked for a person, and the printer's next one goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from enum import Enum

from bambu_bridge import measures
from bambu_bridge.state import TOPIC, Store
from takt.backoff import full_jitter
from takt.daemon import Run
from takt.errors import RpcError
from takt.rpc import RpcClient
from takt.spool import Item

log = logging.getLogger(__name__)

ACCEPTED = ("recorded", "duplicate", "unmapped", "review", "ignored", "conflict")
_AT_ONCE = 8
_POLL = 1.0
_PAUSE = 30.0
_TIDY_EVERY = 3600.0
_RETRY_BASE, _RETRY_CAP = 1.0, 60.0
_MISSING = ("PGRST202", "PGRST203")
_SERIALIZATION = "40001"
_OTHER_SITE = "auth.other_site"


class Fate(Enum):
    """What becomes of a row whose call failed."""

    RETRY = "retry"
    PAUSE = "pause"
    PARK = "park"


def fate(error: RpcError) -> Fate:
    """The error class decides, by SQLSTATE first."""
    if error.temporary or error.sqlstate == _SERIALIZATION or error.status == 429:
        return Fate.RETRY
    if error.code == _OTHER_SITE:  # it is about one printer: the others go on
        return Fate.RETRY
    if error.status in (401, 403) or error.sqlstate in _MISSING:
        return Fate.PAUSE
    if error.status >= 500 or error.status == 0:
        return Fate.RETRY
    return Fate.PARK


class Sender:
    """`paused` says why nothing is sent, or is None."""

    def __init__(self, rpc: RpcClient, store: Store) -> None:
        self._rpc = rpc
        self._store = store
        self._news = asyncio.Event()
        self.paused: str | None = None

    def wake(self) -> None:
        """There is something in the outbox."""
        self._news.set()

    async def work(self, state: Run) -> None:
        """Send until the stop; what is on its way then is finished."""
        tidy_at = 0.0
        loop = asyncio.get_running_loop()
        while not state.stopping:
            if loop.time() >= tidy_at:
                tidy_at = loop.time() + _TIDY_EVERY
                with contextlib.suppress(sqlite3.Error):  # a full disk: another time
                    self._store.tidy()
            self._news.clear()
            if await self.send_due():
                continue
            await self._wait(state, _PAUSE if self.paused else _POLL)

    async def send_due(self) -> bool:
        """Send what is due now; True when something was delivered or parked."""
        try:
            items = self._store.due(1 if self.paused else _AT_ONCE)
            done = await asyncio.gather(*(self._send(item) for item in items))
        except sqlite3.Error as error:
            log.error(str(error), extra={"action": "outbox.failed"})
            return False
        return any(done)

    async def _send(self, item: Item) -> bool:
        fields = {"run": item.key, "printer": item.entity, "attempts": item.attempts}
        try:
            answer = await self._rpc.call(TOPIC, tries=1, **item.payload)
        except RpcError as error:
            return self._failed(item, error)
        self.paused = None
        said = answer.get("status") if isinstance(answer, dict) else None
        if said not in ACCEPTED:
            self._store.bury(item.id, f"The answer was not understood: {answer!r:.500}")
            log.error("answer not understood", extra={"action": "run.parked", **fields})
            return True
        self._store.done(item.id)
        measures.TOLD.labels(str(said)).inc()
        log.info("told", extra={"action": "run.told", "answer": said, **fields})
        return True

    def _failed(self, item: Item, error: RpcError) -> bool:
        what = fate(error)
        fields = {"action": f"run.{what.value}", "run": item.key, "code": error.code}
        log.warning(str(error), extra={**fields, "sqlstate": error.sqlstate})
        measures.TOLD.labels(what.value).inc()
        if what is Fate.PARK:
            self._store.bury(item.id, str(error))
            return True
        if what is Fate.PAUSE:
            self.paused = str(error)
            self._store.retry(item.id, str(error), 0.0)
            return False
        self._store.retry(item.id, str(error), full_jitter(item.attempts, _RETRY_BASE, _RETRY_CAP))
        return False

    async def _wait(self, state: Run, seconds: float) -> None:
        """Until the stop, a new row (unless paused) or so many seconds."""
        stop = asyncio.create_task(state.pause(seconds))
        news = asyncio.create_task(self._news.wait())
        waited = {stop} if self.paused else {stop, news}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stop, news):
                task.cancel()
