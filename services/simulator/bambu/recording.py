"""A virtual printer that tells a recording: JSON lines with `t` and a `payload` or an `event`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.simulator.bambu.printer import VirtualPrinter


@dataclass(frozen=True)
class Step:
    """At `at` seconds: a report, or (`document` None) an event such as `connect`."""

    at: float
    event: str = ""
    document: Any = None


def read_steps(text: str) -> list[Step]:
    """The steps of a recording; other lines, such as its heading, are skipped."""
    found = []
    for line in text.splitlines():
        entry = json.loads(line)
        if "payload" in entry:
            found.append(Step(float(entry["t"]), document=entry["payload"]))
        elif "event" in entry:
            found.append(Step(float(entry["t"]), str(entry["event"])))
    return found


def tell(
    printer: VirtualPrinter,
    steps: list[Step],
    before: Callable[[Step], None],
    after: Callable[[Step], None],
) -> None:
    """Tell it step by step; a second `connect` breaks the connections first.

    The printer says nothing else meanwhile. `before` and `after` wait, or restart a bridge.
    """
    printer.answers = False
    was_connected = False
    for step in steps:
        before(step)
        if step.document is not None:
            printer.say(step.document)
        elif step.event == "connect":
            if was_connected:
                printer.break_connections()
            was_connected = True
        else:
            was_connected = False
        after(step)
    printer.answers = True
