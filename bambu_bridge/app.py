"""The bridge: one watcher per printer, one sender, a heartbeat. It only reads from printers.

A watcher that fails is started anew where it stood. The server says who owns a printer; without
the server the last answer holds, because a print that nobody watches is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
import socket
from typing import Any, Protocol

from bambu_bridge import clock, measures
from bambu_bridge.heartbeat import Heartbeat
from bambu_bridge.moonraker import MoonrakerWatcher
from bambu_bridge.sender import Sender
from bambu_bridge.settings import BridgeSettings, PrinterConfig
from bambu_bridge.state import Store
from bambu_bridge.watcher import BambuWatcher, Bridge
from takt import daemon, logs
from takt.backoff import full_jitter
from takt.daemon import Run
from takt.device import DeviceSession
from takt.locks import only_one
from takt.metrics import metrics_server
from takt.rpc import RpcClient

WHAT = "A bridge"  # as a sentence begins
log = logging.getLogger(__name__)

VERSION = importlib.metadata.version("takt")
_LEASE_LOOK = 1.0
_FIRST_ANSWER = 5.0


class Watcher(Protocol):
    """A printer that is being watched."""

    async def run(self) -> None: ...
    def stop(self) -> None: ...
    def card(self) -> dict[str, Any]: ...


class Farm:
    """All printers of this bridge."""

    def __init__(
        self, printers: list[PrinterConfig], bridge: Bridge, rpc: RpcClient, sender: Sender
    ) -> None:
        self._printers = printers
        self._bridge = bridge
        self._sender = sender
        self._watchers: dict[str, Watcher] = {}
        self._ended = False
        self.heartbeat = Heartbeat(
            *(rpc, bridge.store, sender),
            cards=self.cards,
            alarms=self._alarms,
            about=bridge.about,
            every=bridge.settings.bambu_heartbeat,
        )
        bridge.outbox_news = sender.wake
        bridge.card_news = self.heartbeat.wake

    def cards(self) -> list[dict[str, Any]]:
        """One per printer, watched or not."""
        return [self._card(printer) for printer in self._printers]

    async def work(self, state: Run) -> None:
        """Watch and send until the stop; then hang up and finish what is being sent."""
        # Before the first connection: another bridge may own a printer. But prints do not wait.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.heartbeat.send(), _FIRST_ANSWER)
        tasks = [
            asyncio.create_task(self._keep(state, printer), name=f"printer {printer.serial}")
            for printer in self._printers
        ]
        tasks.append(asyncio.create_task(self._sender.work(state), name="sender"))
        tasks.append(asyncio.create_task(self._beat(state), name="heartbeat"))
        state.ready()
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def offline(self) -> None:
        """The last heartbeat: the printers are free for another bridge."""
        self._ended = True
        await self.heartbeat.send(stopping=True)

    async def _beat(self, state: Run) -> None:
        while not state.stopping:
            state.beat()
            await self.heartbeat.pause(state)
            if not state.stopping:
                await self.heartbeat.send()

    async def _keep(self, state: Run, printer: PrinterConfig) -> None:
        """Watch one printer while it is ours; start anew after a failure."""
        failures = 0
        while not state.stopping:
            if not self._is_ours(printer):
                await state.pause(_LEASE_LOOK)
                continue
            alarm = f"watcher {printer.serial}"
            try:
                await self._watch(state, printer)
                self._bridge.alarms.pop(alarm, None)
                failures = 0
            except Exception as error:  # whatever it was: this printer must be watched again
                fields = {"action": "watcher.failed", "printer": printer.serial}
                log.exception("watcher failed", extra=fields)
                self._bridge.alarms[alarm] = f"{printer.serial}: {type(error).__name__}: {error}"
                measures.RESTARTS.labels(printer.serial).inc()
                await state.pause(full_jitter(failures, 1.0))
                failures += 1

    async def _watch(self, state: Run, printer: PrinterConfig) -> None:
        watcher: Watcher
        if printer.kind == "moonraker":
            watcher = MoonrakerWatcher(printer, self._bridge)
        else:
            watcher = BambuWatcher(printer, self._bridge)
        self._watchers[printer.serial] = watcher
        task = asyncio.create_task(watcher.run())
        try:
            while not task.done() and not state.stopping and self._is_ours(printer):
                pause = asyncio.create_task(state.pause(_LEASE_LOOK))
                await asyncio.wait({task, pause}, return_when=asyncio.FIRST_COMPLETED)
                pause.cancel()
            watcher.stop()
            await task
        finally:
            self._watchers.pop(printer.serial, None)
            task.cancel()

    def _is_ours(self, printer: PrinterConfig) -> bool:
        return self._bridge.store.is_owned(printer.serial)

    def _card(self, printer: PrinterConfig) -> dict[str, Any]:
        watcher = self._watchers.get(printer.serial)
        if watcher is not None:
            return watcher.card()
        owner = self.heartbeat.owners.get(printer.serial)
        text = f"Watched by {owner}." if owner else "Not watched yet."
        text = "The bridge was stopped." if self._ended else text
        return {
            "serial": printer.serial,
            "kind": printer.kind,
            "link": "offline",
            "link_text": text,
            "connected": False,
        }

    def _alarms(self) -> list[str]:
        unknown = [f"{serial} is not registered." for serial in sorted(self.heartbeat.unknown)]
        return [*self._bridge.alarms.values(), *unknown]


async def run(settings: BridgeSettings) -> int:
    """Run until a signal; answers the exit code. Errors: ConfigError before anything is touched."""
    credentials = settings.credentials()
    printers = settings.printers()
    logs.hide(*(printer.access_code.get_secret_value() for printer in printers))
    settings = settings.with_address(credentials)
    url, key = settings.supabase_url, settings.supabase_publishable_key or ""
    with only_one(settings.lock, WHAT):
        store = Store(settings.store, clock.steady)
        session = DeviceSession(credentials)
        about = {"version": VERSION, "host": socket.gethostname()}
        try:
            async with RpcClient(url, key, session) as rpc:
                sender = Sender(rpc, store)
                farm = Farm(printers, Bridge(settings, store, about), rpc, sender)
                sides: dict[str, daemon.Work] = {}
                if settings.bambu_metrics_port:
                    sides["metrics"] = metrics_server(settings.bambu_metrics_port)
                return await daemon.run(
                    "bambu-bridge",
                    farm.work,
                    side_tasks=sides,
                    offline=farm.offline,
                    drain_seconds=settings.bambu_drain,
                )
        finally:
            await session.close()
            store.close()
