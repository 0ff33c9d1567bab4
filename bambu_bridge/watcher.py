"""One Bambu printer: what the link hears goes through the tracker into the store."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bambu_bridge import clock, measures
from bambu_bridge.inbox import Heard, Inbox
from bambu_bridge.memory import Memory
from bambu_bridge.merge import Garbled, Message, Version, parse
from bambu_bridge.mqtt import Link
from bambu_bridge.report import Told, iso, told
from bambu_bridge.run import Decision, Instant
from bambu_bridge.settings import BridgeSettings, PrinterConfig
from bambu_bridge.state import Store
from bambu_bridge.trace import Trace
from bambu_bridge.tracker import Tracker

log = logging.getLogger(__name__)

_TICK = 1.0
_CHECKPOINT = 30.0
_ASK_AGAIN = 30.0


@dataclass
class Bridge:
    """What all printers share. `host` and `version` are told with each run."""

    settings: BridgeSettings
    store: Store
    about: dict[str, str]
    outbox_news: Callable[[], None] = lambda: None
    card_news: Callable[[], None] = lambda: None
    alarms: dict[str, str] = field(default_factory=dict)


class BambuWatcher:
    """Watches until `stop`. A new one goes on where the last one stood."""

    def __init__(self, printer: PrinterConfig, bridge: Bridge) -> None:
        self.printer = printer
        self._bridge = bridge
        self._inbox = Inbox()
        self._link = Link(printer, bridge.settings, self._inbox)
        self._trace = Trace(bridge.settings.traces, printer.serial, bridge.settings.bambu_traces)
        self._tracker = Tracker(self._remembered())
        self._version = Version("", "", ())
        self._unsaved: list[Decision] = []
        self._stopping = False
        self._parse_errors = 0
        self._told = ("", "")
        self._asked_at = self._saved_at = clock.steady()
        self._saved_seen = self._tracker.memory.last_seen

    async def run(self) -> None:
        """Errors: whatever went wrong; the printer is then watched anew."""
        self._link.start()
        try:
            while not self._stopping:
                self._handle(await self._inbox.take(_TICK))
                if not self._stopping and not self._link.is_alive:
                    raise RuntimeError("the network thread has ended")
        finally:
            self._link.stop()
            self._save(clock.now(), force=True)

    def stop(self) -> None:
        """Hang up and end."""
        self._stopping = True
        self._link.stop()

    def card(self) -> dict[str, Any]:
        """What the server and `status` are told about this printer now."""
        link, memory, run = self._link.state, self._tracker.memory, self._tracker.memory.run
        seen = self._tracker.snapshot
        identity = run.identity if run else seen.identity if seen else None
        found: dict[str, Any] = {
            "serial": self.printer.serial,
            "kind": "bambu",
            "model": self._version.model,
            "firmware": self._version.firmware,
            "link": link.link,
            "link_text": link.text,
            "connected": link.connected,
            "phase": memory.phase.value,
            "last_report_at": iso(link.last_report_wall),
            "reports": link.reports,
            "reconnects": max(0, link.connects - 1),
            "parse_errors": self._parse_errors,
            "dropped": self._inbox.dropped,
        }
        if seen is not None:
            eta = seen.remaining_min if run else None
            found |= {
                "state": seen.state,
                "percent": seen.percent,
                "layer": seen.layer,
                "total_layers": seen.total_layers,
                "remaining_min": eta,
                "eta": iso(clock.now().wall + eta * 60) if eta else None,
                "print_error": seen.codes.get("print_error") or None,
                "hms": list(seen.hms[:10]),
                **seen.extra,
            }
        if identity is not None:
            found |= {"name": identity.stem, "filename": identity.filename}
            found |= {"candidates": identity.candidates(), "plate": identity.plate}
        if run is not None:
            found |= {"run_uid": run.uid}
            found |= {"run_started_at": iso(run.opened_wall) if run.start_seen else None}
        return found

    def _remembered(self) -> Memory:
        stored = self._bridge.store.load(self.printer.serial)
        if stored is None:
            return Memory()
        try:
            return Memory.restored(stored)
        except (KeyError, TypeError, ValueError):
            # Better to forget an open run, which a person sees, than not to watch at all.
            log.exception("memory unreadable", extra={"action": "memory.damaged", **self._who})
            return Memory()

    def _handle(self, items: list[Heard]) -> None:
        for item in items:
            self._trace.add(item.at, item.raw)
            if item.raw is None:
                self._tracker.reset()
                self._asked_at = item.at.steady
            else:
                self._feed(item.raw, item.at)
        now = clock.now()
        self._decided(self._tracker.tick(now), now)
        # A full report may get lost, and QoS 0 has no repeat.
        lacking = self._link.state.connected and not self._tracker.synced
        if lacking and now.steady - self._asked_at >= _ASK_AGAIN:
            self._asked_at = now.steady
            self._link.ask_full()
        self._save(now)
        told = (self._tracker.memory.phase.value, self._link.state.link)
        if told != self._told:
            self._told = told
            self._trace.mark(now)
            self._bridge.card_news()

    def _feed(self, raw: bytes, now: Instant) -> None:
        measures.REPORTS.labels(self.printer.serial).inc()
        message = self._parsed(raw)
        if isinstance(message, Version):
            self._version = message
            self._bridge.card_news()
        elif message is not None:
            self._decided(self._tracker.feed(message, now), now)

    def _parsed(self, raw: bytes) -> Message | None:
        try:
            return parse(raw)
        except Garbled as error:
            self._parse_errors += 1
            measures.GARBLED.labels(self.printer.serial).inc()
            fields = {"action": "report.garbled", "why": str(error)[:200], **self._who}
            log.debug("unreadable report", extra=fields)
            return None

    def _decided(self, decisions: list[Decision], now: Instant) -> None:
        self._unsaved += decisions
        for decision in decisions:
            measures.RUNS.labels(decision.outcome.value, decision.evidence.value).inc()
            self._trace.mark(now)
            fields = {
                "action": "run.decided",
                "outcome": decision.outcome.value,
                "evidence": decision.evidence.value,
                "run": decision.key(self.printer.serial),
                "file": decision.identity.filename,
                **self._who,
            }
            log.info(decision.reason, extra=fields)

    def _save(self, now: Instant, *, force: bool = False) -> None:
        """One transaction: where the printer stands and what is to be told."""
        tracker = self._tracker
        seen = tracker.memory.last_seen
        due = now.steady - self._saved_at >= _CHECKPOINT and seen != self._saved_seen
        if not (self._unsaved or tracker.changed or due or force):
            return
        rows: list[Told] = [
            told(self.printer.serial, decision, self._bridge.about) for decision in self._unsaved
        ]
        alarm = f"disk {self.printer.serial}"
        try:
            self._bridge.store.save(
                self.printer.serial, tracker.memory.stored(), rows, tracker.gaps
            )
        except sqlite3.Error as error:
            # Kept in memory and tried again each second: nothing is forgotten while it runs.
            self._bridge.alarms[alarm] = f"The disk takes nothing: {error}. Runs wait in memory."
            log.error(str(error), extra={"action": "store.failed", **self._who})
            return
        self._bridge.alarms.pop(alarm, None)
        tracker.changed, self._saved_at, self._saved_seen = False, now.steady, seen
        self._unsaved, tracker.gaps = [], []
        if rows:
            self._bridge.outbox_news()

    @property
    def _who(self) -> dict[str, str]:
        return {"printer": self.printer.serial}
