"""Set-Get-Do: the printer's named variables, as lines on 9100 and as JSON on 9200."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from typing import Any, Protocol

from services.simulator.printer import replies
from services.simulator.printer.alerts import Alerts
from services.simulator.printer.faults import Condition
from services.simulator.printer.mechanism import Mechanism
from services.simulator.printer.spec import Spec

_LINE = re.compile(r'!\s?U1?\s+(getvar|setvar|do)\s+"([^"]*)"(?:\s+"([^"]*)")?', re.IGNORECASE)
_SILENT = "device.host_status"  # as silent as ~HS


class Printer(Protocol):
    """What the variables speak of."""

    spec: Spec
    mechanism: Mechanism
    alerts: Alerts
    label_dots: int

    @property
    def is_silent(self) -> bool: ...
    def host_status(self) -> bytes: ...
    def cancel_all(self) -> None: ...
    def power_cycle(self) -> None: ...


class Variables:
    """Reads and writes a Zebra by the names that Link-OS uses."""

    def __init__(self, zebra: Printer) -> None:
        self._zebra = zebra
        self._getters: dict[str, Callable[[], str]] = {
            "alerts.configured": zebra.alerts.configured,
            "appl.name": lambda: self._spec.firmware,
            "device.friendly_name": lambda: self._spec.name or self._spec.serial,
            "device.host_identification": lambda: replies.identification(zebra.mechanism),
            _SILENT: lambda: zebra.host_status().decode("ascii"),
            "device.languages": lambda: "hybrid_xml_zpl",
            "device.unique_id": lambda: self._spec.serial,
            "device.uptime": lambda: replies.uptime(zebra.mechanism.uptime_s),
            "display.language": lambda: self._spec.display_language,
            "ezpl.print_width": lambda: str(self._spec.dots(self._spec.width_mm)),
            "head.latch": lambda: self._one_of(Condition.HEAD_OPEN, "open"),
            "head.resolution.in_dpi": lambda: "?" if self._spec.dpi_unreadable else self._dpi,
            "media.status": lambda: self._one_of(Condition.PAPER_OUT, "out"),
            "odometer.latch_open_count": self._openings,
            "odometer.total_label_count": lambda: str(zebra.mechanism.odometer),
            "odometer.total_print_length": self._print_length,
            "zpl.label_length": lambda: str(zebra.label_dots),
            "zpl.system_error": self._errors,
            "zpl.system_status": lambda: f"{self._errors()},0,00000000,00000000",
        }

    @property
    def _spec(self) -> Spec:
        return self._zebra.spec

    @property
    def _dpi(self) -> str:
        return str(self._spec.dpi)

    def line(self, line: str) -> tuple[str, bytes] | None:
        """The name that was asked for and the answer; None when there is nothing to say."""
        found = _LINE.match(line)
        if found is None:
            return None
        verb, name, value = found[1].lower(), found[2], found[3]
        if verb == "getvar":
            if name == _SILENT and self._zebra.is_silent:
                return None
            return name, f'"{self.get(name)}"'.encode()
        self.set(name, value or "")
        return None

    def get(self, name: str) -> str:
        """The value; `?` when there is no such variable."""
        getter = self._getters.get(name)
        return "?" if getter is None else getter()

    def set(self, name: str, value: str) -> None:
        """Write a variable, or do what it stands for. Unknown names are ignored."""
        zebra = self._zebra
        if name in ("device.reset", "device.restore_defaults"):
            zebra.power_cycle()
        elif name == "formats.cancel_all":
            zebra.cancel_all()
        elif name == "zpl.calibrate":
            zebra.mechanism.feed(2)
        elif name == "alerts.add":
            zebra.alerts.add(value)
        elif name == "alerts.configured":
            zebra.alerts.replace(value)
        elif name == "device.friendly_name":
            self._spec.name = value
        elif name == "display.language":
            with contextlib.suppress(ValueError):
                self._spec.change({"display_language": value})

    def answer_json(self, asked: Any) -> dict[str, Any]:
        """`{"name": null}` reads, `{"name": "value"}` writes; both answer the value."""
        if not isinstance(asked, dict):
            return {}
        if "allvalues" in asked:
            return {"allvalues": {name: self.get(name) for name in self._getters}}
        for name, value in asked.items():
            if value is not None:
                self.set(name, str(value))
        silent = {_SILENT} if self._zebra.is_silent else set()
        return {name: self.get(name) for name in asked if name not in silent}

    def _one_of(self, condition: Condition, word: str) -> str:
        return word if condition in self._zebra.mechanism.conditions else "ok"

    def _openings(self) -> str:
        return str(self._zebra.mechanism.openings) if self._spec.counts_openings else "?"

    def _print_length(self) -> str:
        inches = replies.print_inches(self._zebra.mechanism)
        return f"{inches} INCHES, {round(inches * 2.54)} CENTIMETERS"

    def _errors(self) -> str:
        held = self._zebra.mechanism.conditions
        flag, bits = replies.error_flags(held - {Condition.PAUSED})  # it stands by itself here
        return f"{int(Condition.PAUSED in held)},{flag},00000000,{bits:08X}"


def take_json(buffer: bytearray) -> list[Any]:
    """The complete `{}{…}` commands in the buffer; they are removed, with all before them."""
    found: list[Any] = []
    decoder = json.JSONDecoder()
    while True:
        text = buffer.decode("utf-8", "replace")
        start = text.find("{}")
        if start < 0:
            # Nothing else is understood on this port; a `{` at the end may become a command.
            buffer[:] = b"{" if text.endswith("{") else b""
            return found
        try:
            value, end = decoder.raw_decode(text, start + 2)
        except (json.JSONDecodeError, RecursionError):
            return found
        found.append(value)
        buffer[:] = text[end:].encode()
