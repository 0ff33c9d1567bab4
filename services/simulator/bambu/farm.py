"""The demo's 3D printers: they print one job after the other, some of which go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from services.simulator.bambu.broker import end_broker
from services.simulator.bambu.certs import Authority
from services.simulator.bambu.jobs import Job, frames, next_jobs
from services.simulator.bambu.printer import VirtualPrinter
from services.simulator.bambu.profiles import PROFILES
from services.simulator.bambu.settings import BambuSettings
from takt.daemon import Run
from takt.ports import free_port, port_is_free

log = logging.getLogger(__name__)

PRINTERS = (
    ("SIMA1M000000001", "A1 mini", "A1 mini by the window"),
    ("SIMP1S000000002", "P1S", "P1S on the left"),
    ("SIMX1C000000003", "X1C", "X1C on the right"),
)
_PAUSE = 0.15  # of a print's length, between two

UntilClear = Callable[[str], Awaitable[None]]


class Farm:
    """Starts them, and keeps ports, access codes and job numbers over a restart.

    `started` is set when they can be reached; they print nothing unless `is_printing`.
    `until_clear` waits until the plate of a printer, given by its serial, is free again.
    """

    def __init__(
        self,
        settings: BambuSettings,
        *,
        is_printing: bool = True,
        until_clear: UntilClear | None = None,
    ) -> None:
        self.started = asyncio.Event()
        self._is_printing = is_printing
        self._until_clear = until_clear
        self._folder = settings.bambu_folder
        self._seconds = settings.sim_bambu_seconds
        self._file = self._folder / "farm.json"
        known = {p["serial"]: p for p in self._read().get("printers", [])}
        self._folder.mkdir(parents=True, exist_ok=True)
        authority = Authority(self._folder)
        self._facts: list[dict[str, Any]] = []
        self.printers: list[VirtualPrinter] = []
        brokers = self._folder / "brokers"
        for serial, model, name in PRINTERS[: settings.sim_bambu]:
            end_broker(brokers / serial)
            kept = known.get(serial, {})
            port = _port(kept.get("port"))
            code = str(kept.get("code") or f"{secrets.randbelow(10**8):08}")
            printer = VirtualPrinter(
                serial, code, authority, brokers, PROFILES[model], port=port, chatty=is_printing
            )
            self.printers.append(printer)
            self._facts.append(
                {
                    "serial": serial,
                    "model": model,
                    "name": name,
                    "port": port,
                    "code": code,
                    "number": int(kept.get("number") or 1),
                }
            )

    async def run(self, _: Run) -> None:
        """A side task: print until it is cancelled."""
        self._save()  # a bridge may start now; it finds the printers as they come up
        try:
            for printer in self.printers:
                await asyncio.to_thread(printer.start)
            log.info("virtual 3D printers", extra={"action": "bambu.serving"})
            self.started.set()
            if not self._is_printing:
                await asyncio.Event().wait()  # a side task ends by being cancelled
            async with asyncio.TaskGroup() as group:
                for place, printer in enumerate(self.printers):
                    group.create_task(self._print_for_ever(place, printer))
        finally:
            for printer in self.printers:
                printer.stop()

    async def _print_for_ever(self, place: int, printer: VirtualPrinter) -> None:
        fact = self._facts[place]
        await asyncio.sleep(self._seconds * 0.1 * (place + 1))
        for job in next_jobs(place, int(fact["number"])):
            await self.print_one(printer, job)
            fact["number"] = job.number + 1
            self._save()
            await asyncio.sleep(self._seconds * _PAUSE)
            if self._until_clear is not None:
                await self._until_clear(printer.serial)

    async def print_one(self, printer: VirtualPrinter, job: Job) -> None:
        """From the start to FINISH or FAILED, in `sim_bambu_seconds` when it goes well."""
        profile = printer.profile
        name = job.file.name if profile.plates else f"{job.file.name}_plate_{job.file.plate}"
        named = profile.job_fields(name, job.file.plate, str(900_000 + job.number))
        fields = {"action": "bambu.print", "printer": printer.serial, "file": name}
        log.info("print starts", extra={**fields, "end": job.end})
        at = 0.0
        for frame in frames(job, named):
            await asyncio.sleep(max(0.0, frame.at - at) * self._seconds)
            at = frame.at
            # A dead connection blocks nobody: the next frame tells it all again.
            with contextlib.suppress(OSError, RuntimeError):
                await asyncio.to_thread(printer.set, **frame.fields)

    def _save(self) -> None:
        tables = [
            f'[[printer]]\nserial = "{fact["serial"]}"\nhost = "127.0.0.1"\n'
            f'port = {fact["port"]}\naccess_code = "{fact["code"]}"\n'
            for fact in self._facts
        ]
        facts = {"pid": os.getpid(), "printers": self._facts}
        _write(self._file, json.dumps(facts, indent=2) + "\n")
        _write(self._folder / "printers.toml", "\n".join(tables))

    def _read(self) -> dict[str, Any]:
        try:
            kept: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}


def _port(kept: Any) -> int:
    """The same as last time, unless somebody else has it now."""
    return kept if isinstance(kept, int) and port_is_free(kept) else free_port()


def _write(file: Path, text: str) -> None:
    """Replace it in one step; access codes are in it, so it is its owner's only."""
    fresh = file.with_name(f"{file.name}.new")
    handle = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as opened:
        opened.write(text)
    fresh.replace(file)
