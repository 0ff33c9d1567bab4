"""A printer by its address, without the database: for the person who sets it up."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime
from typing import Any

from print_agent import testlabel
from print_agent.clock import now
from print_agent.domain import Health, Next, Reading, Watch
from print_agent.drivers.base import Driver, Order

_WORDS = {
    Health.IDLE: "ready",
    Health.BUSY: "printing",
    Health.FAULT: "stopped",
    Health.UNREACHABLE: "not reachable",
    Health.UNREADABLE: "answers nothing that makes sense",
    Health.FOREIGN: "not a printer",
}


def describe(driver: Driver, reading: Reading) -> dict[str, Any]:
    """A reading in words and figures."""
    return {
        "state": _WORDS[reading.health],
        "reasons": list(reading.reasons),
        "detail": reading.detail or None,
        "dpi": reading.dpi,
        "odometer": reading.odometer,
        "uptime_s": reading.uptime_s,
        "formats": reading.formats,
        "remaining": reading.remaining,
        "partial": reading.partial,
        "evidence_level": driver.evidence_level,
        **driver.capabilities,
    }


def raw_replies(driver: Driver) -> dict[str, str]:
    """What it answered, byte for byte, for a support bundle."""
    raw: dict[str, bytes] = getattr(driver, "raw", {})
    return {question: repr(reply)[2:-1] for question, reply in raw.items()}


async def print_test(driver: Driver, language: str, name: str, dpi: int | None) -> dict[str, Any]:
    """Print one label and watch it come out. Errors: SendError; ValueError when it must not go."""
    before = await driver.status()
    size = before.dpi or dpi
    if not before.may_claim and before.health is not Health.IDLE:
        reasons = " ".join(before.reasons) or before.detail
        raise ValueError(f"The printer is {_WORDS[before.health]} ({reasons}).")
    if size is None:
        raise ValueError("The printer does not say its resolution. Look at it and name it: --dpi.")
    if before.partial:
        with contextlib.suppress(OSError):
            await driver.abort()
    at = datetime.now()

    async def first() -> None:
        """A test label is nobody's job: nothing to write down."""

    payload = testlabel.label(language, size, name, at)
    handed = await driver.send(Order(payload, first, lambda: True))
    outcome = await _watch(driver, before)
    return {"outcome": outcome, "code": testlabel.code(at), "dpi": size, "bytes": handed}


async def _watch(driver: Driver, before: Reading) -> str:
    watch = Watch(1, before.odometer, now())
    end = now() + 60
    while True:
        reading = await driver.status()
        step, _ = watch.next(reading)
        if step is Next.UNKNOWN or now() > end:
            return f"unknown: the printer is {_WORDS[reading.health]}"
        if step is Next.CONFIRM and reading.mute:
            return "handed over; look whether it came out"
        if step is Next.CONFIRM and reading.odometer is None:
            return "drained; look whether it came out"
        if step is Next.CONFIRM:
            count = (reading.odometer or 0) - (before.odometer or 0)
            return "printed" if count == 1 else f"unknown: the counter moved by {count}"
        await asyncio.sleep(0.2)
