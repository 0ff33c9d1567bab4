"""One Klipper printer behind Moonraker: its job history says exactly what was printed.

Jobs that end while the bridge listens come as notify_history_changed; after every connect the
history is read from where it was left, so that nothing is missed and nothing has to be guessed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException

from bambu_bridge import clock, measures
from bambu_bridge.history import Journey, finished_job, told_job
from bambu_bridge.report import Told, iso
from bambu_bridge.settings import PrinterConfig
from bambu_bridge.watcher import Bridge
from takt.backoff import full_jitter

log = logging.getLogger(__name__)

_PAGE = 100
_ANSWER_SECONDS = 15.0
_CATCH_UP_EVERY = 600.0
_LONGEST_MESSAGE = 8_000_000
_GONE = (OSError, WebSocketException, TimeoutError)
_OBJECTS = {
    "print_stats": ["state", "filename", "print_duration"],
    "display_status": ["progress"],
    "extruder": ["temperature"],
    "heater_bed": ["temperature"],
}


class Refused(Exception):
    """Moonraker answered with an error."""


class MoonrakerWatcher:
    """Watches until `stop`."""

    def __init__(self, printer: PrinterConfig, bridge: Bridge) -> None:
        self.printer = printer
        self._bridge = bridge
        self._journey = Journey.restored(bridge.store.load(printer.serial))
        self._stopping = asyncio.Event()
        self._link, self._detail = "connecting", ""
        self._connects = self._reports = self._errors = 0
        self._last_report: float | None = None
        self._status: dict[str, dict[str, Any]] = {}
        self._server: dict[str, Any] = {}
        self._number = 0

    async def run(self) -> None:
        """Connect, catch up, listen; again and again."""
        attempt = 0
        while not self._stopping.is_set():
            before = self._reports
            try:
                async with self._session() as socket:
                    await self._listen(socket)
            except _GONE as error:
                self._say(*_ended(error))
            except Refused as error:
                self._say("auth", str(error))
            attempt = 0 if self._reports > before else attempt + 1
            await self._pause(1 + full_jitter(attempt, 1, self._bridge.settings.bambu_backoff))

    def stop(self) -> None:
        """Hang up and end."""
        self._stopping.set()

    def card(self) -> dict[str, Any]:
        """What the server and `status` are told about this printer now."""
        stats = self._status.get("print_stats", {})
        progress = self._status.get("display_status", {}).get("progress")
        return {
            "serial": self.printer.serial,
            "kind": "moonraker",
            "model": "",
            "firmware": self._server.get("moonraker_version", ""),
            "link": self._link,
            "link_text": self._detail or self._link,
            "connected": self._link == "online",
            "state": str(stats.get("state") or ""),
            "phase": _PHASES.get(str(stats.get("state")), "idle"),
            "name": stats.get("filename") or None,
            "filename": stats.get("filename") or None,
            "percent": round(progress * 100) if isinstance(progress, int | float) else None,
            "nozzle_temper": self._status.get("extruder", {}).get("temperature"),
            "bed_temper": self._status.get("heater_bed", {}).get("temperature"),
            "last_report_at": iso(self._last_report),
            "reports": self._reports,
            "reconnects": max(0, self._connects - 1),
            "parse_errors": self._errors,
        }

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[ClientConnection]:
        host, port = self.printer.address
        key = self.printer.access_code.get_secret_value()
        headers = {"X-Api-Key": key} if key else None
        url = f"ws://{host}:{port}/websocket"
        async with connect(
            url, additional_headers=headers, max_size=_LONGEST_MESSAGE, open_timeout=8
        ) as socket:
            closer = asyncio.create_task(self._close_on_stop(socket))
            try:
                yield socket
            finally:
                closer.cancel()

    async def _close_on_stop(self, socket: ClientConnection) -> None:
        await self._stopping.wait()
        await socket.close()

    async def _listen(self, socket: ClientConnection) -> None:
        self._server = await self._ask(socket, "server.info", {})
        found = await self._ask(socket, "printer.objects.subscribe", {"objects": _OBJECTS})
        self._take_status(found.get("status"))
        self._connects += 1
        self._say("online", "")
        await self._catch_up(socket)
        next_look = clock.steady() + _CATCH_UP_EVERY
        while not self._stopping.is_set():
            try:
                raw = await asyncio.wait_for(socket.recv(), max(0.1, next_look - clock.steady()))
            except TimeoutError:
                raw = None
            if raw is not None:
                self._take(raw)
            if clock.steady() >= next_look:  # a notification may get lost
                await self._catch_up(socket)
                next_look = clock.steady() + _CATCH_UP_EVERY

    async def _ask(
        self, socket: ClientConnection, method: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Call a method; notifications that come first are taken. Errors: Refused, `_GONE`."""
        self._number += 1
        request = {"jsonrpc": "2.0", "method": method, "params": params, "id": self._number}
        await socket.send(json.dumps(request))
        async with asyncio.timeout(_ANSWER_SECONDS):
            while True:
                answer = self._take(await socket.recv())
                if answer.get("id") == self._number:
                    break
        if "error" in answer:
            raise Refused(f"{method}: {answer['error']}")
        result = answer.get("result")
        return result if isinstance(result, dict) else {}

    async def _catch_up(self, socket: ClientConnection) -> None:
        start = 0
        while self._journey.first_contact is not None:
            asked = {"limit": _PAGE, "start": start, "order": "asc", "since": self._journey.since}
            found = await self._ask(socket, "server.history.list", asked)
            jobs = [job for job in found.get("jobs", ()) if isinstance(job, dict)]
            self._jobs(jobs, "recovered")
            if len(jobs) < _PAGE:
                break
            start += _PAGE
        self._journey.seen(clock.now().wall)
        self._save([])

    def _take(self, raw: str | bytes) -> dict[str, Any]:
        """One message; answers are handed back, notifications are worked off here."""
        self._reports += 1
        self._last_report = clock.now().wall
        try:
            message = json.loads(raw)
        except ValueError:
            self._errors += 1
            return {}
        if not isinstance(message, dict):
            return {}
        params = message.get("params")
        first = params[0] if isinstance(params, list) and params else None
        if message.get("method") == "notify_status_update":
            self._take_status(first)
        elif message.get("method") == "notify_history_changed" and isinstance(first, dict):
            if first.get("action") == "finished" and isinstance(first.get("job"), dict):
                self._jobs([first["job"]], "observed")
            self._bridge.card_news()
        return message

    def _take_status(self, status: Any) -> None:
        for name, fields in status.items() if isinstance(status, dict) else ():
            if isinstance(fields, dict):
                self._status.setdefault(name, {}).update(fields)

    def _jobs(self, jobs: list[dict[str, Any]], evidence: str) -> None:
        rows = []
        for job in jobs:
            if done := finished_job(job, self._journey, clock.now().wall):
                rows.append(told_job(self.printer.serial, done, evidence, self._bridge.about))
                measures.RUNS.labels(done.outcome.value, evidence).inc()
        if rows:
            self._save(rows)

    def _save(self, rows: list[Told]) -> None:
        """A job the disk did not take is read again from the history: so hang up and start over."""
        serial, alarms = self.printer.serial, self._bridge.alarms
        try:
            self._bridge.store.save(serial, self._journey.stored(), rows)
        except sqlite3.Error as error:
            alarms[f"disk {serial}"] = f"The disk takes nothing: {error}."
            raise OSError(str(error)) from error
        alarms.pop(f"disk {serial}", None)
        if rows:
            self._bridge.outbox_news()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    def _say(self, link: str, detail: str) -> None:
        if (link, detail) == (self._link, self._detail):
            return
        self._link, self._detail = link, detail
        fields = {"action": "link.changed", "link": link, "printer": self.printer.serial}
        log.info(detail or link, extra=fields)
        self._bridge.card_news()


def _ended(error: Exception) -> tuple[str, str]:
    if isinstance(error, InvalidHandshake | InvalidURI):
        return "auth", f"Moonraker refused the connection: {error}"
    return "offline", f"Not reachable ({type(error).__name__})."


_PHASES = {"printing": "printing", "paused": "paused"}
