"""The agent: a heartbeat from the main loop, one worker per printer, hints from realtime.

The database says which printers are ours. A signal stops intake; jobs in hand are finished, or
stay in the journal for the next start; then the agent says good-bye.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import json
import logging
import os
import time
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

from print_agent.desk import Desk, Orders, PrinterConfig
from print_agent.drivers import open_driver
from print_agent.drivers.base import AddressError
from print_agent.journal import Journal
from print_agent.measures import OPEN
from print_agent.post import Post
from print_agent.settings import AgentSettings
from print_agent.sight import Sight
from print_agent.wake import Listener
from print_agent.worker import Worker
from takt import daemon
from takt.daemon import Run
from takt.device import DeviceSession
from takt.errors import RpcError
from takt.locks import only_one
from takt.metrics import metrics_server
from takt.rpc import RpcClient

WHAT = "A print agent"  # as a sentence begins
log = logging.getLogger(__name__)

VERSION = importlib.metadata.version("takt")
_RPC_SECONDS = 5.0  # the window to send is short: a late answer is no answer
_KEEP_SECONDS = 30 * 86_400.0
_FORGET_EVERY = 3600.0


class Agent:
    """All printers of one computer."""

    def __init__(self, settings: AgentSettings, desk: Desk, journal: Journal) -> None:
        self._settings = settings
        self._desk = desk
        self._journal = journal
        self._workers: dict[str, Worker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # Printers whose address makes no sense.
        self._wrong: dict[str, tuple[PrinterConfig, dict[str, Any]]] = {}
        self._news = asyncio.Event()
        self._missed = 0
        self._error: str | None = None
        self._about = {"instance": str(uuid.uuid4()), "started_at": time.time(), "pid": os.getpid()}
        self.listener: Listener | None = None

    def wake(self) -> None:
        """There may be a job somewhere."""
        for worker in self._workers.values():
            worker.wake()

    async def work(self, state: Run) -> None:
        """Heartbeats until the stop, then wait for the jobs in hand."""
        forget_at = 0.0
        while not state.stopping:
            state.beat()
            self._news.clear()
            orders = await self._heartbeat()
            if orders is not None:
                self._follow(orders, state)
                state.ready()
            self._write_state(orders)
            if time.monotonic() > forget_at:
                forget_at = time.monotonic() + _FORGET_EVERY
                await asyncio.to_thread(self._journal.forget, _KEEP_SECONDS)
            await self._pause(state)
            self._bury()
        self.wake()
        await asyncio.gather(*self._tasks.values())

    async def offline(self) -> None:
        """The last heartbeat."""
        status = {"state": "stopped", **self._about}
        await self._desk.heartbeat(VERSION, self._reports(), status)

    async def _heartbeat(self) -> Orders | None:
        OPEN.set(len(self._journal.open()))
        status = {"state": "running", **self._about}
        try:
            orders = await self._desk.heartbeat(VERSION, self._reports(), status)
        except RpcError as error:
            level = logging.DEBUG if self._missed else logging.WARNING  # once per outage
            log.log(level, str(error), extra={"action": "heartbeat.missed", "code": error.code})
            self._missed += 1
            self._error = str(error)
            return None
        self._error = None
        if self._missed:
            fields = {"action": "heartbeat.back", "missed": self._missed}
            log.info("Takt answers again", extra=fields)
            self._missed = 0
        return orders

    def _reports(self) -> list[dict[str, Any]]:
        return [report for _, report in self._printers()]

    def _printers(self) -> list[tuple[PrinterConfig, dict[str, Any]]]:
        posts = [worker.post for worker in self._workers.values()]
        return [*((post.config, post.sight.report()) for post in posts), *self._wrong.values()]

    def _follow(self, orders: Orders, state: Run) -> None:
        """Start and end workers so that they are those of the orders."""
        wanted = {config.code: config for config in orders.printers}
        for code, worker in self._workers.items():
            if wanted.get(code) != worker.post.config:
                worker.retire()  # its place is free once its job is over
        self._wrong = {code: wrong for code, wrong in self._wrong.items() if code in wanted}
        for code, config in wanted.items():
            if code not in self._workers:
                self._start(config, state)
        if self.listener is not None:
            self.listener.listen_to({config.site for config in orders.printers if config.site})

    def _start(self, config: PrinterConfig, state: Run) -> None:
        code = config.code
        try:
            driver = open_driver(config.language, config.address, self._settings.files)
        except AddressError as error:
            if code not in self._wrong:
                log.error(str(error), extra={"action": "printer.address", "printer": code})
            detail = {"detail": str(error)}
            gone = {"status": "unreachable", "reasons": ["unreachable"], "capabilities": detail}
            self._wrong[code] = (config, {"code": code, **gone})
            return
        self._wrong.pop(code, None)
        sight = Sight(code, driver, self._journal, self._news.set)
        post = Post(config, self._desk, driver, sight, self._journal)
        self._workers[code] = worker = Worker(post, lambda: state.stopping, self._settings.pace)
        self._tasks[code] = asyncio.create_task(worker.run(), name=f"printer {code}")
        fields = {"action": "printer.taken", "printer": code, "address": config.address}
        log.info("printer taken", extra={**fields, "language": config.language})

    def _bury(self) -> None:
        """Clear away workers that have ended. Errors: whatever ended one that should not have."""
        for code, task in list(self._tasks.items()):
            if task.done():
                task.result()
                del self._tasks[code], self._workers[code]

    async def _pause(self, state: Run) -> None:
        """Until the next heartbeat, news of a printer, the end of a worker or the stop."""
        stop = asyncio.create_task(state.pause(self._settings.print_heartbeat))
        news = asyncio.create_task(self._news.wait())
        waited = {stop, news, *self._tasks.values()}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stop, news):
                task.cancel()
        if not state.stopping and news.done():
            await state.pause(0.2)  # several printers often change together

    def _write_state(self, orders: Orders | None) -> None:
        facts = {
            "pid": os.getpid(),
            "version": VERSION,
            "url": self._settings.supabase_url,
            "at": time.time(),
            "online": orders is not None,
            "clock_skew_ms": orders.clock_skew_ms if orders else None,
            "error": self._error,
            "printers": [{**asdict(config), **report} for config, report in self._printers()],
        }
        with contextlib.suppress(OSError):  # a full disk must not stop printing
            _replace(self._settings.state, json.dumps(facts))


def _replace(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


async def run(settings: AgentSettings) -> int:
    """Run until a signal; answers the exit code. Errors: ConfigError before anything is touched."""
    credentials = settings.credentials()
    settings = settings.with_address(credentials)
    url, key = settings.supabase_url, settings.supabase_publishable_key or ""
    with only_one(settings.lock, WHAT):
        journal = Journal(settings.journal)
        session = DeviceSession(credentials)
        try:
            async with RpcClient(url, key, session, timeout=_RPC_SECONDS) as rpc:
                agent = Agent(settings, Desk(rpc), journal)
                agent.listener = Listener(url, key, session, agent.wake)
                sides: dict[str, daemon.Work] = {"wake": agent.listener.run}
                if settings.print_metrics_port:
                    sides["metrics"] = metrics_server(settings.print_metrics_port)
                return await daemon.run(
                    "print-agent",
                    agent.work,
                    side_tasks=sides,
                    offline=agent.offline,
                    drain_seconds=settings.print_drain,
                )
        finally:
            await session.close()
            journal.close()
