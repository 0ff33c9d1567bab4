"""Several virtual printers together, and their addresses."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Any

from services.simulator.printer.device import Device
from services.simulator.printer.server import HOST, PrinterServer
from services.simulator.printer.spec import Spec
from services.simulator.printer.tspl import Tspl
from services.simulator.printer.zebra import Zebra

log = logging.getLogger(__name__)


def make_device(spec: Spec, keep: int = 10_000) -> Device:
    """The printer that speaks the language of `spec`."""
    return Tspl(spec, keep=keep) if spec.language == "tspl" else Zebra(spec, keep=keep)


class Fleet:
    """Printers by code. Ports are taken when it is made and served while `run` runs.

    `ports` maps a code to the wanted (raw, JSON) ports; a missing one is chosen. A taken one too:
    the addresses say which it became.
    """

    def __init__(
        self,
        specs: Iterable[Spec],
        ports: dict[str, tuple[int, int]] | None = None,
        keep: int = 10_000,
    ) -> None:
        self.devices: dict[str, Device] = {}
        self.servers: dict[str, PrinterServer] = {}
        for spec in specs:
            device = make_device(spec, keep)
            raw, json_port = (ports or {}).get(spec.code, (0, 0))
            self.devices[spec.code] = device
            self.servers[spec.code] = _server(device, raw, json_port)

    async def run(self) -> None:
        """Serve until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for server in self.servers.values():
                group.create_task(server.run())

    def addresses(self) -> list[dict[str, Any]]:
        """Code, language, dpi and `host:port` of each printer."""
        return [
            {
                "code": code,
                "name": server.device.spec.name,
                "language": server.device.spec.language,
                "dpi": server.device.spec.dpi,
                "width_mm": server.device.spec.width_mm,
                "height_mm": server.device.spec.height_mm,
                "address": f"{HOST}:{server.port}",
                "json_address": server.json_port and f"{HOST}:{server.json_port}",
            }
            for code, server in self.servers.items()
        ]


def _server(device: Device, raw: int, json_port: int) -> PrinterServer:
    wanted_json = json_port if device.spec.language == "zpl" else None
    with contextlib.suppress(OSError):
        return PrinterServer(device, raw, wanted_json)
    log.warning(
        "a wanted port is taken", extra={"action": "printer.port", "printer": device.spec.code}
    )
    return PrinterServer(device, 0, None if wanted_json is None else 0)
