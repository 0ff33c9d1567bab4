"""A folder instead of a printer: each job becomes a file. For trials and for other programs."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

from print_agent.clock import now
from print_agent.domain import Health, Reading
from print_agent.drivers.base import AddressError, Order, SendError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")


class FileDriver:
    """Files `<time>.prn` in `folder`/`name`; the database may name a folder, never a path."""

    evidence_level = 0

    def __init__(self, folder: Path, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise AddressError(f"`{name}` is no name of a folder.")
        self._folder = folder / name

    @property
    def capabilities(self) -> dict[str, Any]:
        return {"model": "folder", "counter": False}

    async def status(self) -> Reading:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return Reading(Health.UNREACHABLE, now(), detail=error.strerror or "", mute=True)
        return Reading(Health.IDLE, now(), mute=True)

    async def send(self, order: Order) -> int:
        await order.first()
        if not order.may_go():
            raise SendError("the time to send was over")
        try:
            await asyncio.to_thread(self._write, order.payload)
        except OSError as error:
            raise SendError(error.strerror or type(error).__name__) from error
        return len(order.payload)

    async def abort(self) -> None:
        """Nothing waits anywhere."""

    def _write(self, payload: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=".")
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        # A reader never sees half a job, and names sort in the order of printing.
        Path(name).rename(self._folder / f"{time.time_ns()}.prn")
