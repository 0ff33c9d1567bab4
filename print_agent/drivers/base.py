"""What every way to a printer offers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from print_agent.domain import Reading


class SendError(Exception):
    """Not all bytes were handed over. `handed`: how many may have left; 0 = certainly none."""

    def __init__(self, reason: str, handed: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.handed = handed


class AddressError(ValueError):
    """The address cannot be one of this kind of printer; the message says why."""


@dataclass(frozen=True)
class Order:
    """Bytes to hand over, and the say of who ordered it.

    `first` runs right before the first byte: what it has written down is true from then on.
    `may_go` is asked before every piece: False = no further byte may leave.
    """

    payload: bytes
    first: Callable[[], Awaitable[None]]
    may_go: Callable[[], bool]


class Driver(Protocol):
    """One printer. Never two calls at a time; each call opens and closes its own connection.

    `evidence_level`: 0 accepted, 1 drained, 2 counted: the best it can show.
    """

    @property
    def evidence_level(self) -> int: ...

    @property
    def capabilities(self) -> dict[str, Any]:
        """What the printer has shown so far: model, firmware, counter, …"""
        ...

    async def status(self) -> Reading:
        """One look: state, faults, buffer, counter, uptime, resolution. Never raises."""
        ...

    async def send(self, order: Order) -> int:
        """Hand the bytes over and answer how many. Errors: SendError."""
        ...

    async def abort(self) -> None:
        """Throw away what is in the printer's buffer. Errors: OSError."""
        ...
