"""What the server needs of a printer, whatever language it speaks."""

from __future__ import annotations

import abc
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.simulator.printer.batch import Event
from services.simulator.printer.faults import Condition, Fault, Line, LineFault
from services.simulator.printer.mechanism import Mechanism
from services.simulator.printer.paper import Paper
from services.simulator.printer.spec import Spec

_TEXT_LINE = 200  # bytes that another language prints on one label at most


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Reply:
    """An answer, and the command that it answers (`~HS`, `device.uptime`)."""

    command: str
    data: bytes


class Device(abc.ABC):
    """A printer without its plug: bytes in, answers out. `changed` is called after each change."""

    def __init__(
        self,
        spec: Spec,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = utc_now,
        keep: int = 10_000,
    ) -> None:
        self.spec, self.clock, self.wall = spec, clock, wall
        self.paper = Paper(wall, keep)
        self.mechanism = Mechanism(spec, clock, self.paper)
        self.line = Line()
        self.changed: Callable[[], None] = lambda: None
        self.mechanism.on_line_fault = self.line.add
        self.mechanism.on_fault_end = self.line.clear
        self.mechanism.on_event = self.on_event
        self._text = bytearray()

    # -- bytes ----------------------------------------------------------------------------------

    def receive(self, data: bytes) -> list[Reply]:
        """Take bytes as they come off the line."""
        self.mechanism.advance()
        if not self.mechanism.powered:
            return []
        if self.line.get(LineFault.WRONG_LANGUAGE):
            self._receive_text(data)
            replies = []
        else:
            replies = self.read(data)
        self.changed()
        return replies

    def end_of_connection(self) -> None:
        """The sender has gone."""
        if self._text:
            self._print_text()
        self.disconnected()
        self.changed()

    @abc.abstractmethod
    def read(self, data: bytes) -> list[Reply]:
        """Understand bytes in the printer's language."""

    @abc.abstractmethod
    def disconnected(self) -> None:
        """What the end of a connection does to half a format."""

    @abc.abstractmethod
    def forget(self) -> None:
        """What switching off does to the interpreter."""

    @property
    @abc.abstractmethod
    def is_partial(self) -> bool:
        """Does half a format wait for its end?"""

    @abc.abstractmethod
    def on_event(self, event: Event) -> None:
        """Something happened that a printer may tell of by itself."""

    def _receive_text(self, data: bytes) -> None:
        for byte in data:
            self._text.append(byte)
            if byte == ord("\n") or len(self._text) >= _TEXT_LINE:
                self._print_text()

    def _print_text(self) -> None:
        self.mechanism.print_text(bytes(self._text))
        self._text.clear()

    # -- what people do to it -------------------------------------------------------------------

    def strike(self, fault: Fault) -> None:
        """Let a fault happen, now or when its time comes."""
        self.mechanism.plan(fault)
        self.changed()

    def clear(self, kind: Any = None) -> None:
        """End a fault and forget what is planned of it; all without a `kind`."""
        self.mechanism.clear(kind)
        self.line.clear(kind)
        self.changed()

    def feed(self, times: int = 1) -> None:
        self.mechanism.feed(times)
        self.changed()

    def load(self, labels: int | None = None) -> None:
        """Put in a new roll and ribbon, and close the lid."""
        self.mechanism.load(labels)
        self.changed()

    def power_off(self) -> None:
        self.mechanism.power_off()
        self._text.clear()
        self.forget()
        self.changed()

    def power_on(self) -> None:
        if not self.mechanism.powered:
            self.mechanism.power_on()
            self.changed()

    def power_cycle(self) -> None:
        self.power_off()
        self.power_on()

    # -- what people see ------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All that can be seen from outside, for the control page and for tests."""
        self.mechanism.advance()
        mechanism, spec = self.mechanism, self.spec
        planned = [c.value for c in Condition if c in mechanism.conditions]
        return {
            "code": spec.code,
            "name": spec.name,
            "language": spec.language,
            "dpi": spec.dpi,
            "width_mm": spec.width_mm,
            "height_mm": spec.height_mm,
            "powered": mechanism.powered,
            "boots": mechanism.boots,
            "uptime_s": mechanism.uptime_s,
            "conditions": planned,
            "line": self.line.names(),
            "is_moving": mechanism.is_moving,
            "is_partial": self.is_partial,
            "formats": mechanism.formats,
            "remaining": mechanism.remaining,
            "odometer": mechanism.odometer,
            "roll": mechanism.roll,
            "paper": len(self.paper),
        }
