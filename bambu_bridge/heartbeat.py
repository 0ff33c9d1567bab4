"""What the bridge tells of itself, and what the server answers: whose is which printer?"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any

from bambu_bridge import measures
from bambu_bridge.report import iso
from bambu_bridge.sender import Sender
from bambu_bridge.state import Depth, Store
from takt.daemon import Run
from takt.errors import RpcError
from takt.rpc import RpcClient

log = logging.getLogger(__name__)

_TOGETHER = 0.5  # printers often change together
_OLD_SPOOL = 600.0
_DEPTH_UNKNOWN = Depth(0, 0, 0.0, None)


class Heartbeat:
    """`owners` says who else holds a printer, by serial."""

    def __init__(
        self,
        rpc: RpcClient,
        store: Store,
        sender: Sender,
        *,
        cards: Callable[[], list[dict[str, Any]]],
        alarms: Callable[[], list[str]],
        about: Mapping[str, str],
        every: float,
    ) -> None:
        self._rpc = rpc
        self._store = store
        self._sender = sender
        self._cards = cards
        self._alarms = alarms
        self._about = about
        self._every = every
        self._started_at = time.time()
        self._news = asyncio.Event()
        self.online = False
        self.owners: dict[str, str] = {}
        self.unknown: set[str] = set()

    def wake(self) -> None:
        """Something changed that people want to see."""
        self._news.set()

    async def pause(self, state: Run) -> None:
        """Until the next one is due, something changed or the stop."""
        stop = asyncio.create_task(state.pause(self._every))
        news = asyncio.create_task(self._news.wait())
        try:
            await asyncio.wait({stop, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stop, news):
                task.cancel()
        if not state.stopping and self._news.is_set():
            await state.pause(_TOGETHER)

    async def send(self, stopping: bool = False) -> None:
        """One heartbeat. A miss changes nothing: who owned a printer goes on watching it."""
        self._news.clear()
        cards, spool = self._cards(), self._spool()
        status = {
            "host": self._about["host"],
            "started_at": iso(self._started_at),
            "alarms": self._warnings(spool),
            "stopping": stopping,
        }
        self._keep(cards, spool, status)
        gaps = self._add_gaps(cards)
        self._add_told(cards)
        try:
            answer = await self._rpc.call(
                "bridge_heartbeat",
                tries=1,
                p_version=self._about["version"],
                p_printers=cards,
                p_spool=spool,
                p_status=status,
            )
        except RpcError as error:
            self.online = False
            log.warning(str(error), extra={"action": "heartbeat.missed", "code": error.code})
            return
        self.online = True
        try:
            self._store.drop_gaps(gaps)
            self._read(answer if isinstance(answer, dict) else {}, cards)
        except sqlite3.Error as error:
            log.error(str(error), extra={"action": "store.failed"})

    def _read(self, answer: Mapping[str, Any], cards: list[dict[str, Any]]) -> None:
        said = {
            str(row.get("serial")): row
            for row in answer.get("printers") or ()
            if isinstance(row, dict)
        }
        self.unknown = {str(card["serial"]) for card in cards} - set(said)
        for serial, row in said.items():
            owned = row.get("owned") is not False and row.get("enabled") is not False
            if owned:
                self.owners.pop(serial, None)
            else:
                self.owners[serial] = str(row.get("owner") or "the server")
            if owned != self._store.is_owned(serial):
                self._store.own(serial, owned)
                fields = {"action": "printer.lease", "printer": serial, "owned": owned}
                log.info(self.owners.get(serial, "ours"), extra=fields)
            if row.get("knows") is False:
                self._tell_again(serial)

    def _tell_again(self, serial: str) -> None:
        """A backup was restored there: what it does not know any more is still on this disk."""
        count = self._store.deliver_again(serial)
        log.warning(f"{count} prints are told again", extra={"action": "runs.again"})
        self._sender.wake()

    def _spool(self) -> dict[str, Any]:
        try:
            depth = self._store.state()
        except sqlite3.Error:
            depth = _DEPTH_UNKNOWN
        measures.READY.set(depth.ready)
        measures.PARKED.set(depth.parked)
        measures.OLDEST.set(depth.oldest_s)
        return {
            "ready": depth.ready,
            "parked": depth.parked,
            "oldest_s": round(depth.oldest_s),
            "last_error": depth.last_error,
            "paused": self._sender.paused,
        }

    def _warnings(self, spool: Mapping[str, Any]) -> list[str]:
        found = self._alarms()
        if spool["paused"]:
            found.append(f"Nothing is sent: {spool['paused']}")
        if spool["parked"]:
            found.append(f"{spool['parked']} prints need attention: takt-bambu-bridge status")
        if spool["oldest_s"] > _OLD_SPOOL:
            found.append(f"The oldest print waits for {spool['oldest_s'] // 60} minutes.")
        return found

    def _add_gaps(self, cards: list[dict[str, Any]]) -> list[str]:
        """Blind windows go with each heartbeat until one was answered."""
        told = []
        for card in cards:
            try:
                gaps = self._store.gaps(str(card["serial"]))
            except sqlite3.Error:
                gaps = []
            card["gaps"] = [
                {"id": gap.id, "from": iso(gap.start), "to": iso(gap.end)} for gap in gaps
            ]
            told += [gap.id for gap in gaps]
        return told

    def _add_told(self, cards: list[dict[str, Any]]) -> None:
        """The last print of each that the server took, so that it can say whether it has it."""
        for card in cards:
            with contextlib.suppress(sqlite3.Error):
                card["told"] = self._store.last_done(str(card["serial"]))

    def _keep(
        self, cards: list[dict[str, Any]], spool: dict[str, Any], status: dict[str, Any]
    ) -> None:
        """For `status`, which reads the store."""
        measures.ONLINE.set(sum(card["link"] == "online" for card in cards))
        facts = {"at": time.time(), "online": self.online, "version": self._about["version"]}
        try:
            self._store.note("status", {**facts, **status, "spool": spool, "printers": cards})
        except sqlite3.Error as error:
            log.error(str(error), extra={"action": "store.failed"})
