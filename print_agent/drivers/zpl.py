"""Zebra printers and what speaks their language, over any two-way line.

Asked in this order: ~HI (who is there, dots per mm), ~HQES (answers in a fault), ~HS (says nothing
in a fault), then the counters by SGD. What a model does not know is asked once and remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from print_agent import replies
from print_agent.clock import now
from print_agent.domain import Health, Reading
from print_agent.drivers.base import Order
from print_agent.drivers.line import Dial, Line, Talk, hand_over, words

_ODOMETER, _UPTIME = "odometer.total_label_count", "device.uptime"
_OPENINGS = "odometer.latch_open_count"
_UNIQUE, _DPI = "device.unique_id", "head.resolution.in_dpi"


class Zpl:
    """A printer behind `dial`."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._forget()

    def _forget(self) -> None:
        """Another printer may stand there next time."""
        self._extended: bool | None = None  # knows ~HQES
        self._values: dict[str, bool] = {}  # knows this SGD name
        self._unique: str | None = None
        self._who: replies.Identity | None = None
        self.raw: dict[str, bytes] = {}

    @property
    def evidence_level(self) -> int:
        return 2 if self._values.get(_ODOMETER) else 1

    @property
    def capabilities(self) -> dict[str, Any]:
        return {
            "model": self._who.model if self._who else None,
            "firmware": self._who.firmware if self._who else None,
            "extended_status": self._extended,
            "counter": self._values.get(_ODOMETER),
            "lid_counter": self._values.get(_OPENINGS),
            "uptime": self._values.get(_UPTIME),
            "unique_id": self._unique,
        }

    async def status(self) -> Reading:
        try:
            async with Talk(self._dial) as talk:
                return await self._look(talk)
        except OSError as error:
            self._forget()
            return Reading(Health.UNREACHABLE, now(), detail=words(error), sized=True)

    async def send(self, order: Order) -> int:
        return await hand_over(self._dial, order)

    async def abort(self) -> None:
        """~JA: cancel every format in the buffer and the batch that prints."""
        async with Line(await self._dial()) as line:
            await line.say(b"~JA")

    async def _look(self, talk: Talk) -> Reading:
        hello = await self._ask(talk, b"~HI\r\n", replies.text_complete)
        if replies.foreign(hello):
            self._forget()
            detail = hello[:60].decode("ascii", "replace").strip()
            return Reading(Health.FOREIGN, now(), detail=detail, sized=True)
        self._who = replies.identity(hello)
        reading = await self._state(talk)
        if reading.health is Health.UNREADABLE and not hello:
            self._forget()
            return replace(reading, silent=True)
        dpi = self._who.dpi if self._who else None
        reading = replace(reading, at=now(), dpi=dpi, unique_id=self._unique)
        if reading.health not in (Health.IDLE, Health.BUSY) or reading.partial:
            # A fault may answer with silence, and half a format would swallow the question.
            return reading
        if dpi is None:
            dpi = replies.resolution(await self._value(talk, _DPI))
        odometer = replies.count(await self._value(talk, _ODOMETER))
        openings = replies.count(await self._value(talk, _OPENINGS))
        uptime = replies.uptime(await self._value(talk, _UPTIME))
        if self._unique is None:
            self._unique = await self._value(talk, _UNIQUE)
        return replace(
            reading,
            at=now(),
            dpi=dpi,
            odometer=odometer,
            openings=openings,
            uptime_s=uptime,
            unique_id=self._unique,
        )

    async def _state(self, talk: Talk) -> Reading:
        """Faults by ~HQES, buffer by ~HS."""
        errors = None
        if self._extended is not False:
            reply = await self._ask(talk, b"~HQES\r\n", replies.text_complete)
            errors = replies.errors(reply)
            if reply and errors is None:
                return _unreadable("the answer to ~HQES makes no sense")
        warnings = errors.warnings if errors else ()
        if errors and errors.faults:
            # ~HS would be silence now, and the silence costs two seconds.
            self._extended = True
            return Reading(Health.FAULT, now(), errors.faults, warnings, sized=True)
        reply = await self._ask(talk, b"~HS\r\n", replies.host_status_complete)
        host = replies.host_status(reply)
        if host is None:
            return _unreadable("the answer to ~HS makes no sense" if reply else "no answer to ~HS")
        self._extended = errors is not None
        busy = host.formats + host.remaining > 0
        health = Health.FAULT if host.faults else Health.BUSY if busy else Health.IDLE
        return Reading(
            health,
            now(),
            host.faults,
            warnings,
            formats=host.formats,
            remaining=host.remaining,
            partial=host.partial,
            sized=True,
        )

    async def _value(self, talk: Talk, name: str) -> str | None:
        if self._values.get(name) is False:
            return None
        question = f'! U1 getvar "{name}"\r\n'.encode()
        reply = await self._ask(talk, question, replies.value_complete)
        found = replies.value(reply)
        if found is not None or name not in self._values:
            self._values[name] = found is not None
        if not reply and not any(self._values.values()):
            # Not even "?": it does not know the language, and each question would cost two seconds.
            self._values = dict.fromkeys((_ODOMETER, _OPENINGS, _UPTIME, _UNIQUE, _DPI), False)
        return found

    async def _ask(self, talk: Talk, question: bytes, complete: Callable[[bytes], bool]) -> bytes:
        reply = await talk.ask(question, complete)
        self.raw[question.decode().strip()] = reply
        return reply


def _unreadable(detail: str) -> Reading:
    return Reading(Health.UNREADABLE, now(), detail=detail, sized=True)
