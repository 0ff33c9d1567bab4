"""What the tests of the virtual printers share: a clock of their own, a raw socket client."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.simulator.printer.faults import Fault
from services.simulator.printer.spec import Spec
from services.simulator.printer.tspl import Tspl
from services.simulator.printer.zebra import Zebra

START = datetime(2026, 11, 21, 8, 0, 0, tzinfo=UTC)


@dataclass
class Clock:
    """Time stands still until somebody moves it."""

    seconds: float = 5000.0

    def __call__(self) -> float:
        return self.seconds

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.seconds - 5000)


@dataclass
class Bench:
    """A printer on the bench; a label takes one second."""

    zebra: Zebra
    clock: Clock = field(default_factory=Clock)

    @classmethod
    def make(cls, **settings: Any) -> Bench:
        clock = Clock()
        spec = Spec("z1", label_s=1.0, serial="XXZKJ181100602", **settings)
        return cls(Zebra(spec, clock=clock, wall=clock.wall), clock)

    def send(self, data: bytes) -> bytes:
        """What the printer says to these bytes."""
        return b"".join(reply.data for reply in self.zebra.receive(data))

    def wait(self, seconds: float) -> None:
        self.clock.seconds += seconds
        self.zebra.mechanism.advance()

    def strike(self, fault: str, **options: Any) -> None:
        self.zebra.strike(Fault.of({"fault": fault, **options}))

    def getvar(self, name: str) -> bytes:
        return self.send(f'! U1 getvar "{name}"\r\n'.encode())

    @property
    def odometer(self) -> int:
        return int(self.getvar("odometer.total_label_count").strip(b'"'))

    @property
    def serials(self) -> list[str]:
        """The data of every label on the paper; `½` marks a spoiled one, `` a blank."""
        return ["½" * label.spoiled + "".join(label.texts) for label in self.zebra.paper.labels]


@dataclass
class TsplBench:
    """The same for a TSC printer."""

    tspl: Tspl
    clock: Clock

    @classmethod
    def make(cls, **settings: Any) -> TsplBench:
        clock = Clock()
        spec = Spec("t1", language="tspl", label_s=1.0, model="TTP-245C", **settings)
        return cls(Tspl(spec, clock=clock, wall=clock.wall), clock)

    def send(self, data: bytes) -> bytes:
        return b"".join(reply.data for reply in self.tspl.receive(data))

    def wait(self, seconds: float) -> None:
        self.clock.seconds += seconds
        self.tspl.mechanism.advance()

    def strike(self, fault: str, **options: Any) -> None:
        self.tspl.strike(Fault.of({"fault": fault, **options}))

    @property
    def serials(self) -> list[str]:
        return ["½" * label.spoiled + "".join(label.texts) for label in self.tspl.paper.labels]


def label(serial: str, more: str = "") -> bytes:
    """One label that shows a serial."""
    return f"^XA^CI28^FO20,20^A0N,40,40^FH_^FD{serial}^FS{more}^XZ".encode()


class Client:
    """A raw socket to a printer."""

    def __init__(self, port: int, timeout: float = 10.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def until(self, end: bytes, count: int = 1) -> bytes:
        """Read until `end` has come `count` times. Errors: EOFError with what came before."""
        data = b""
        while data.count(end) < count:
            more = self.socket.recv(4096)
            if not more:
                raise EOFError(data)
            data += more
        return data

    def ask(self, command: bytes, end: bytes = b"\x03\r\n", count: int = 1) -> bytes:
        self.send(command)
        return self.until(end, count)

    def rest(self) -> bytes:
        """Say that nothing more will come, and read until the printer closes."""
        self.socket.shutdown(socket.SHUT_WR)
        data = b""
        while more := self.socket.recv(4096):
            data += more
        return data
