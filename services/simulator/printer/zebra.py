"""A Zebra: ZPL and Set-Get-Do, on the common mechanics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from services.simulator.printer import replies
from services.simulator.printer.alerts import Alerts
from services.simulator.printer.batch import Batch, Event, number
from services.simulator.printer.device import Device, Reply
from services.simulator.printer.paper import field_commands
from services.simulator.printer.sgd import Variables
from services.simulator.printer.spec import Spec
from services.simulator.printer.zpl import Caret, Sgd, Tilde, ZplFormat, ZplParser

_MOST_COPIES = 99_999_999
_LONGEST = 9999  # dots, as ~HS has room for


class Zebra(Device):
    """Understands what the print agent and its enemies send; ignores the rest, as a Zebra does."""

    def __init__(self, spec: Spec, **options: Any) -> None:
        super().__init__(spec, **options)
        self.alerts = Alerts()
        self.on_alert: Callable[[str, int, bytes], None] = lambda host, port, line: None
        self.variables = Variables(self)
        self.label_dots = spec.dots(spec.height_mm)
        self._parser = ZplParser()
        self._reprints = True  # ^JZ: Y at every power-up
        self._tildes: dict[str, Callable[[], Any]] = {
            "JA": self.cancel_all,
            "JX": self._parser.drop_format,
            "JP": self._pause_and_cancel,
            "JC": lambda: self.mechanism.feed(2),
            "PH": self.mechanism.feed,
            "PP": self.mechanism.pause,
            "PS": self.mechanism.resume,
            "JR": self.power_cycle,
        }

    @property
    def is_partial(self) -> bool:
        return self._parser.is_partial

    @property
    def is_silent(self) -> bool:
        """Is it in a state in which it does not answer ~HS?"""
        held = self.mechanism.conditions & replies.SILENT_IN
        return bool(held) and not self.spec.hs_talks_in_fault

    def read(self, data: bytes) -> list[Reply]:
        answers: list[Reply] = []
        boots = self.mechanism.boots
        self._parser.sgd_inside_format = self.spec.sgd_inside_format
        for command in self._parser.feed(data):
            match command:
                case Tilde():
                    answers += self._tilde(command)
                case Sgd() if self.spec.answers_sgd:
                    found = self.variables.line(command.line)
                    answers += [Reply(*found)] if found else []
                case ZplFormat():
                    answers += self._format(command)
                case Caret():
                    answers += self._caret(command)
            if self.mechanism.boots != boots:
                return []  # it was switched off and on: nobody is there to answer
        return answers

    def host_status(self) -> bytes:
        return replies.host_status(
            self.mechanism, partial=self.is_partial, label_dots=self.label_dots
        )

    def cancel_all(self) -> None:
        """~JA: everything that came before it."""
        self._parser.drop_format()
        self.mechanism.cancel_all()

    def disconnected(self) -> None:
        if not self.spec.partial_survives:
            self._parser.drop_format()

    def forget(self) -> None:
        self._parser.reset()
        self._reprints = True

    def on_event(self, event: Event) -> None:
        at: datetime = self.wall()
        for message in self.alerts.messages(
            event, at, self.spec.serial, self.spec.display_language
        ):
            self.on_alert(*message)

    def _tilde(self, command: Tilde) -> list[Reply]:
        """Act at once."""
        action = self._tildes.get(command.name)
        if action is not None:
            action()
            return []
        name = f"~{command.name}{command.params.decode('latin-1')}"
        answer: bytes | None = None
        if command.name == "HS" and not self.is_silent:
            answer = self.host_status()
        elif command.name == "HI":
            answer = replies.host_identification(self.mechanism)
        elif command.name == "HM":
            answer = replies.memory_status()
        elif command.name == "HQ" and self.spec.answers_hqes:
            answer = replies.host_query(self.mechanism, command.params.decode("latin-1").upper())
        return [Reply(name.upper(), answer)] if answer is not None else []

    def _format(self, command: ZplFormat) -> list[Reply]:
        """A whole format: settings first, then the labels, if it draws anything."""
        answers: list[Reply] = []
        for caret in command.carets:
            answers += self._caret(caret)
        text = command.source.decode("utf-8", "replace")
        copies, pause_every = _quantity(command.last("PQ"))
        feeds = sum(caret.name == "PH" for caret in command.carets)
        pauses = command.last("PP") is not None
        if field_commands(text) and command.last("DF") is None:
            self.mechanism.print(
                Batch(command.source, text, copies, self._reprints, pause_every, pauses, feeds)
            )
        else:
            self.mechanism.feed(feeds)
            if pauses:
                self.mechanism.pause()
        return answers

    def _caret(self, caret: Caret) -> list[Reply]:
        """A setting, or ^HH."""
        params = caret.params.strip()
        if caret.name == "JZ" and params[:1].upper() in (b"Y", b"N"):
            self._reprints = params[:1].upper() == b"Y"
        elif caret.name == "LL":
            self.label_dots = number(params, _LONGEST, self.label_dots)
        elif caret.name == "SX":
            self.alerts.add_sx(params.decode("latin-1"))
        elif caret.name == "HH":
            answer = replies.configuration(self.mechanism, self.label_dots)
            return [Reply("^HH", answer)]
        return []

    def _pause_and_cancel(self) -> None:
        self.mechanism.pause()
        self.mechanism.cancel_one()


def _quantity(params: bytes | None) -> tuple[int, int]:
    """(copies, labels between pauses) of ^PQ."""
    parts = [part.strip() for part in (params or b"").split(b",")] + [b""] * 4
    every = 0 if parts[3].upper() == b"Y" else number(parts[1], _MOST_COPIES, 0)
    return max(number(parts[0], _MOST_COPIES, 1), 1), every
