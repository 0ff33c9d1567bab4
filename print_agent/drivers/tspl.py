"""TSC printers and what speaks TSPL, over any two-way line.

<ESC>!S answers at any time, also in a fault. There is no label counter and no way to ask for the
resolution, so the best it can show is "drained", and dots per inch are what an admin entered.
"""

from __future__ import annotations

from typing import Any

from print_agent import replies
from print_agent.clock import now
from print_agent.domain import Health, Reading
from print_agent.drivers.base import Order
from print_agent.drivers.line import Dial, Line, Talk, hand_over, words

_STATUS, _CANCEL, _MODEL = b"\x1b!S", b"\x1b!.", b"~!T\r\n"


class Tspl:
    """A printer behind `dial`."""

    evidence_level = 1

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._model: str | None = None
        self.raw: dict[str, bytes] = {}

    @property
    def capabilities(self) -> dict[str, Any]:
        return {"model": self._model, "counter": False}

    async def status(self) -> Reading:
        try:
            async with Talk(self._dial) as talk:
                reply = await talk.ask(_STATUS, replies.tspl_complete)
                reading = self._read(reply)
                if self._model is None and reading.health is Health.IDLE:
                    # Only a printer that is ready answers a question that begins with ~.
                    self._model = await self._ask_model(talk)
                return reading
        except OSError as error:
            self._model = None
            return Reading(Health.UNREACHABLE, now(), detail=words(error))

    async def send(self, order: Order) -> int:
        return await hand_over(self._dial, order)

    async def abort(self) -> None:
        """Cancel everything that waits or prints."""
        async with Line(await self._dial()) as line:
            await line.say(_CANCEL)

    def _read(self, reply: bytes) -> Reading:
        self.raw["<ESC>!S"] = reply
        if replies.foreign(reply):
            detail = reply[:60].decode("ascii", "replace").strip()
            return Reading(Health.FOREIGN, now(), detail=detail)
        status = replies.tspl_status(reply)
        if status is None:
            said = "the answer to <ESC>!S makes no sense" if reply else "no answer to <ESC>!S"
            return Reading(Health.UNREADABLE, now(), detail=said, silent=not reply)
        if status.faults:
            return Reading(Health.FAULT, now(), status.faults)
        return Reading(Health.BUSY if status.busy else Health.IDLE, now())

    async def _ask_model(self, talk: Talk) -> str:
        reply = await talk.ask(_MODEL, lambda text: text.endswith((b"\r", b"\n")))
        self.raw["~!T"] = reply
        return reply.decode("ascii", "replace").strip()
