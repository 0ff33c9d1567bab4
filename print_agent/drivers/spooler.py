"""A queue of the operating system (CUPS, Windows) through the `zebra` package: bytes only.

The queue says that it took a job, not that a label came out: evidence level 0.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from typing import Any

from zebra import Zebra

from print_agent.clock import now
from print_agent.domain import Health, Reading
from print_agent.drivers.base import AddressError, Order, SendError

_QUEUE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,126}")
_PATIENCE = 20.0


class _CheckedZebra(Zebra):
    """`zebra` pipes to lpr and looks neither at its exit code nor at the time."""

    def _output_unix(self, commands: bytes) -> None:
        subprocess.run(
            ["lpr", f"-P{self.queue}", "-oraw"],
            input=commands,
            capture_output=True,
            check=True,
            timeout=_PATIENCE,
        )


class Spooler:
    """One queue, by its name."""

    evidence_level = 0

    def __init__(self, queue: str) -> None:
        if not _QUEUE.fullmatch(queue):
            raise AddressError(f"`{queue}` is no name of a print queue.")
        self._queue = queue

    @property
    def capabilities(self) -> dict[str, Any]:
        return {"model": f"queue {self._queue}", "counter": False}

    async def status(self) -> Reading:
        """Whether the queue takes jobs; what the printer does stays unknown."""
        if sys.platform == "win32":
            return Reading(Health.IDLE, now(), mute=True)
        return await asyncio.to_thread(self._lpstat)

    async def send(self, order: Order) -> int:
        await order.first()
        if not order.may_go():
            raise SendError("the time to send was over")
        try:
            await asyncio.to_thread(self._output, order.payload)
        except FileNotFoundError as error:
            raise SendError("lpr is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise SendError("lpr took too long", len(order.payload)) from error
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip()[:200]
            raise SendError(f"lpr refused the job: {said}") from error
        return len(order.payload)

    async def abort(self) -> None:
        """Nothing: the queue may hold the jobs of others."""

    def _output(self, payload: bytes) -> None:
        _CheckedZebra(self._queue).output(payload)  # type: ignore[no-untyped-call]

    def _lpstat(self) -> Reading:
        command, english = ["lpstat", "-p", self._queue], {**os.environ, "LC_ALL": "C"}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=5, check=False, env=english
            )
        except FileNotFoundError:
            return _unreachable("lpstat is not installed")
        except subprocess.TimeoutExpired:
            return _unreachable("lpstat does not answer")
        if done.returncode != 0:
            return _unreachable(done.stderr.strip()[:200] or "there is no such queue")
        if "disabled" in done.stdout:
            return Reading(Health.FAULT, now(), ("paused",), detail=done.stdout.strip(), mute=True)
        return Reading(Health.IDLE, now(), mute=True)


def _unreachable(detail: str) -> Reading:
    return Reading(Health.UNREACHABLE, now(), detail=detail, mute=True)
