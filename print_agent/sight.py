"""What one printer looks like: the last reading, its boot, and the report for the board."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from print_agent.clock import machine_boot, now
from print_agent.domain import Boot, Health, Reading, next_boot
from print_agent.drivers.base import Driver
from print_agent.journal import Journal


class Sight:
    """`changed` is called when the board should hear of it before the next heartbeat."""

    def __init__(
        self, printer: str, driver: Driver, journal: Journal, changed: Callable[[], None]
    ) -> None:
        self._printer = printer
        self._driver = driver
        self._journal = journal
        self._changed = changed
        self._boot: Boot | None = journal.boot(printer)
        self._machine = machine_boot()
        self._odometer: int | None = None
        self.last = Reading(Health.UNREACHABLE, now(), detail="not looked at yet")

    async def look(self) -> Reading:
        """Ask the printer now."""
        reading = await self._driver.status()
        boot = next_boot(self._boot, reading, self._machine, time.time())
        if boot is not None:
            if self._boot is None or boot.boot_id != self._boot.boot_id:
                self._journal.keep_boot(self._printer, boot)
            self._boot = boot
        if reading.odometer is not None:
            self._odometer = reading.odometer
        before, self.last = self.last, reading
        if _shown(before) != _shown(reading):
            self._changed()
        return reading

    def evidence(self, reading: Reading) -> dict[str, Any]:
        """A reading in the form in which the database judges it."""
        boot_id = self._boot.boot_id if self._boot and reading.uptime_s is not None else None
        return reading.evidence(boot_id)

    def keep(self) -> None:
        """Write the boot down: what comes next is measured against it."""
        if self._boot is not None:
            self._journal.keep_boot(self._printer, self._boot)

    def report(self) -> dict[str, Any]:
        """This printer's part of a heartbeat."""
        return {
            "code": self._printer,
            "status": self.last.status,
            "reasons": list(self.last.reasons),
            "odometer": self._odometer,
            "boot_id": self._boot.boot_id if self._boot else None,
            "dpi": self.last.dpi,
            "capabilities": {
                **self._driver.capabilities,
                "evidence_level": self._driver.evidence_level,
                "detail": self.last.detail or None,
            },
        }


def _shown(reading: Reading) -> tuple[object, ...]:
    """What cannot wait for the next heartbeat; idle and printing alternate all the time."""
    return reading.status in ("idle", "printing"), reading.reasons, reading.dpi
