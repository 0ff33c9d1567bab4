"""Feed a recording to the tracker on the recorded clock: what would the bridge have reported?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from bambu_bridge.memory import Memory
from bambu_bridge.merge import Garbled, Message, Status, Version, read
from bambu_bridge.recording import Kind, Record, TimeStyle
from bambu_bridge.recording import read as read_recording
from bambu_bridge.run import Decision, Instant, Outcome
from bambu_bridge.tracker import OFFLINE, UNSEEN_HOLD, Tracker

_OUTCOMES = {Outcome.IGNORED: "ignored_non_production"}


@dataclass
class _Printer:
    """One printer of the recording; run ids are counted, so that two replays are equal."""

    serial: str
    minted: int = 0
    tracker: Tracker = field(default_factory=Tracker)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """As after `kill -9`: only what was on the disk is known."""
        stored = json.loads(json.dumps(self.tracker.memory.stored()))
        self.tracker = Tracker(Memory.restored(stored), self._mint)

    def _mint(self) -> str:
        self.minted += 1
        return f"run-{self.minted}"


def replay(text: str) -> Iterator[dict[str, Any]]:
    """One row per decided run. Errors: Unreadable."""
    records, style = read_recording(text)
    messages = [_message(record) for record in records]
    if not any(isinstance(message, Status) and message.full for message in messages):
        messages = [_taken_as_full(*pair) for pair in zip(records, messages, strict=True)]
    printers: dict[str, _Printer] = {}
    at = -1.0
    for record, message in zip(records, messages, strict=True):
        # Time does not run backwards; a record without one comes a second later.
        at = at + 1 if record.at is None else max(at, record.at)
        now = Instant(at, at)
        printer = printers.setdefault(record.serial, _Printer(record.serial))
        for decision in _step(printer, record.kind, message, now):
            yield _row(printer, decision, style)
    # The recording is over: nothing more will come that could change what is waiting.
    end = Instant(at + UNSEEN_HOLD + 1, at + UNSEEN_HOLD + 1)
    for printer in printers.values():
        for decision in printer.tracker.tick(end):
            yield _row(printer, decision, style)


def _step(printer: _Printer, kind: Kind, message: Message | None, now: Instant) -> list[Decision]:
    decided = printer.tracker.tick(now)
    if kind is Kind.RESTART:
        printer.restart()
    elif kind is not Kind.REPORT:
        printer.tracker.reset()
    elif message is not None and not isinstance(message, Version):
        decided += printer.tracker.feed(message, now)
    return decided


def _message(record: Record) -> Message | None:
    try:
        return read(record.document) if record.kind is Kind.REPORT else None
    except Garbled:
        return None


def _taken_as_full(record: Record, message: Message | None) -> Message | None:
    """A recording without one full report: shortened by hand, so its reports stand for full."""
    if not isinstance(message, Status) or "gcode_state" not in message.fields:
        return message
    return replace(message, full="msg" not in record.document["print"])


def _row(printer: _Printer, decision: Decision, style: TimeStyle) -> dict[str, Any]:
    identity = decision.identity
    offline = "_while_offline" if decision.reason == OFFLINE else ""
    row = {
        "outcome": _OUTCOMES.get(decision.outcome, decision.outcome.value),
        "evidence": f"{decision.evidence}{offline}",
        "gcode_filename": identity.stem,
        "file": identity.filename,
        "plate": identity.plate,
        "started_at": style.show(decision.started_at),
        "finished_at": style.show(decision.finished_at),
        "finished_not_before": style.show(decision.finished_not_before),
        "skipped_object_ids": list(decision.skipped),
        "reason": decision.reason,
    }
    return {"serial": printer.serial, **row} if printer.serial else row
