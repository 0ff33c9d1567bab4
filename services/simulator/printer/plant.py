"""The printers of the demo plant: two Zebras and a TSC, with a control page."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from typing import Any

from services.simulator.printer.control_server import ControlServer
from services.simulator.printer.fleet import Fleet
from services.simulator.printer.paper import Renderer
from services.simulator.printer.settings import PrinterSettings
from services.simulator.printer.spec import Spec
from takt.daemon import Run

log = logging.getLogger(__name__)

_SAVE_EVERY = 1.0
_RAW, _JSON = 1, 11  # offsets of the ports from that of the control page


def demo_specs(seconds: float) -> list[Spec]:
    """The same three at every start; `seconds` per label."""
    return [
        Spec(
            "prn-1",
            "Packing bench",
            dpi=203,
            width_mm=100.0,
            height_mm=60.0,
            model="ZTC ZD421-203dpi ZPL",
            serial="D2J230000001",
            label_s=seconds,
        ),
        Spec(
            "prn-2",
            "Electronics bench",
            dpi=300,
            width_mm=60.0,
            height_mm=30.0,
            model="ZTC ZD621-300dpi ZPL",
            serial="D6J230000002",
            label_s=seconds,
        ),
        Spec(
            "prn-3",
            "Dispatch",
            language="tspl",
            dpi=203,
            width_mm=100.0,
            height_mm=60.0,
            model="TTP-245C",
            serial="T2450000003",
            label_s=seconds,
        ),
    ]


class Plant:
    """The demo printers, their control page and `.takt/printers.json`.

    The file keeps ports and odometers over a restart, as printers do; the paper is not kept.
    """

    def __init__(self, settings: PrinterSettings, renderer: Renderer) -> None:
        self._file = settings.file
        known = {p["code"]: p for p in self._read().get("printers", [])}
        specs = demo_specs(settings.sim_printer_seconds)
        ports = {}
        for n, spec in enumerate(specs):
            kept = known.get(spec.code, {})
            spec.odometer = int(kept.get("odometer", spec.odometer))
            base = settings.sim_printer_port + n
            raw, json_port = _port(kept.get("address")), _port(kept.get("json_address"))
            ports[spec.code] = (raw or base + _RAW, json_port or base + _JSON)
        self.fleet = Fleet(specs, ports, settings.sim_printer_paper)
        wanted = _port(self._read().get("control_url")) or settings.sim_printer_port
        self._control = ControlServer(self.fleet, renderer, wanted)
        self._saved: dict[str, Any] = {}

    @property
    def control_url(self) -> str:
        return self._control.url

    async def run(self, _: Run) -> None:
        """A side task: serve until it is cancelled."""
        self._save()
        log.info(
            "virtual printers", extra={"action": "printer.serving", "control_url": self.control_url}
        )
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._control.run())
                group.create_task(self.fleet.run())
                group.create_task(self._keep_saving())
        finally:
            self._save()

    async def _keep_saving(self) -> None:
        while True:
            await asyncio.sleep(_SAVE_EVERY)
            self._save()

    def _save(self) -> None:
        odometers = {code: d.mechanism.odometer for code, d in self.fleet.devices.items()}
        printers = [{**p, "odometer": odometers[p["code"]]} for p in self.fleet.addresses()]
        facts = {"pid": os.getpid(), "control_url": self.control_url, "printers": printers}
        if facts == self._saved:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            new = self._file.with_suffix(".json.new")
            new.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
            os.replace(new, self._file)
        except OSError as error:
            log.warning(str(error), extra={"action": "printer.save"})
            return
        self._saved = facts

    def _read(self) -> dict[str, Any]:
        try:
            kept: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}


def _port(place: Any) -> int | None:
    """The port at the end of an address; None without one."""
    digits = str(place or "").rstrip("/").rpartition(":")[2]
    return int(digits) if digits.isdigit() else None
