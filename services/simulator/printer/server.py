"""A printer on the network: raw TCP as on port 9100, JSON as on port 9200, alerts going out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from dataclasses import dataclass

from services.simulator.printer.device import Device
from services.simulator.printer.faults import Fault, LineFault
from services.simulator.printer.port import Port, Signal, reset
from services.simulator.printer.sgd import take_json
from services.simulator.printer.zebra import Zebra

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
SSH_BANNER = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"
_SSH_COMPLAINT = b"Invalid SSH identification string.\r\n"
_CHUNK = 4096
_JSON_CONNECTIONS = 8
# In this order a connection meets them.
_OF_CONNECTIONS = (
    LineFault.SSH,
    LineFault.DEAF,
    LineFault.RESET,
    LineFault.EARLY_FIN,
    LineFault.HALF_OPEN,
    LineFault.SLOW,
)


@dataclass
class _Connection:
    socket: socket.socket
    fault: Fault | None = None
    received: int = 0

    @property
    def left(self) -> int:
        """Bytes that may still be read before the fault of this connection."""
        kind = self.fault.kind if self.fault else None
        if self.fault is None or kind in (LineFault.SLOW, LineFault.SSH):
            return _CHUNK
        allowed = 0 if kind is LineFault.DEAF else self.fault.after_bytes
        return max(allowed - self.received, 0)


class PrinterServer:
    """Ports on loopback (0 chooses one); `json_port` None: no port for JSON."""

    def __init__(self, device: Device, port: int = 0, json_port: int | None = None) -> None:
        self.device = device
        self._port = Port(HOST, port)
        self._json = Port(HOST, json_port) if json_port is not None else None
        self._signal = Signal()
        self._busy = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._parked: list[socket.socket] = []  # open for ever, and never read
        self._alerts: asyncio.Queue[tuple[str, int, bytes]] = asyncio.Queue()
        self._boots = device.mechanism.boots
        self._plug()
        if self._json is not None:
            self._json.open()
        device.changed = self._changed
        if isinstance(device, Zebra):
            device.on_alert = lambda *alert: self._alerts.put_nowait(alert)

    @property
    def port(self) -> int:
        return self._port.number

    @property
    def json_port(self) -> int | None:
        return self._json.number if self._json else None

    async def run(self) -> None:
        """Serve until it is cancelled. Connections may come before: they wait."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_time())
                group.create_task(self._accept())
                group.create_task(self._send_alerts())
                if self._json is not None and isinstance(self.device, Zebra):
                    group.create_task(self._accept_json(self._json, self.device))
        finally:
            for task in self._tasks:
                task.cancel()
            self._port.close()
            if self._json is not None:
                self._json.close()
            self._drop_parked()

    # -- state ----------------------------------------------------------------------------------

    def _changed(self) -> None:
        if self._boots != self.device.mechanism.boots:
            self._boots = self.device.mechanism.boots
            self._drop_parked()
        self._signal.fire()

    def _plug(self) -> None:
        """Open or shut the ports as the printer's state has it. Never while an accept waits."""
        powered = self.device.mechanism.powered
        alone = self._busy and self.device.spec.second_connection == "refuse"
        if powered and not alone and not self.device.line.get(LineFault.REFUSE):
            self._port.open()
        else:
            self._port.shut()

    def _drop_parked(self) -> None:
        for parked in self._parked:
            reset(parked)
        self._parked.clear()

    async def _keep_time(self) -> None:
        """Let labels come out when they are due."""
        mechanism = self.device.mechanism
        while True:
            mechanism.advance()
            self._signal.fire()
            due = mechanism.next_due()
            await self._signal.wait(None if due is None else max(due - self.device.clock(), 0))

    # -- 9100 -----------------------------------------------------------------------------------

    async def _accept(self) -> None:
        """One connection after the other: who comes later waits until the first has gone."""
        while True:
            self._plug()
            if not self._port.is_open:
                await self._signal.wait()
                continue
            if not await self._signal.or_ready(self._port):
                continue
            accepted = self._port.accept()
            if accepted is None:
                continue
            self._busy = True
            self._plug()
            try:
                await self._serve(_Connection(accepted))
            finally:
                self._busy = False

    async def _serve(self, connection: _Connection) -> None:
        try:
            await self._talk(connection)
        except OSError as error:
            log.debug(type(error).__name__, extra={"action": "printer.connection"})
        finally:
            if connection.socket not in self._parked:
                connection.socket.close()
            self.device.end_of_connection()

    async def _talk(self, connection: _Connection) -> None:
        boots, greeted = self.device.mechanism.boots, False
        while True:
            self._plug()
            if not self.device.mechanism.powered or self.device.mechanism.boots != boots:
                reset(connection.socket)
                return
            connection.fault = connection.fault or self._next_fault()
            if connection.fault and connection.fault.kind is LineFault.SSH and not greeted:
                await self._send(connection, SSH_BANNER)
                greeted = True
            if connection.left == 0:
                await self._trip(connection)
                return
            if not self.device.mechanism.has_room:
                await self._signal.wait()
            elif await self._signal.or_ready(connection.socket):
                data = connection.socket.recv(min(connection.left, _CHUNK))
                if not data:
                    return
                await self._take(connection, data)

    def _next_fault(self) -> Fault | None:
        line = self.device.line
        return next((line.spend(kind) for kind in _OF_CONNECTIONS if line.get(kind)), None)

    async def _trip(self, connection: _Connection) -> None:
        """The fault of this connection happens."""
        kind = connection.fault.kind if connection.fault else None
        if kind is LineFault.RESET:
            reset(connection.socket)
        elif kind is LineFault.EARLY_FIN:
            connection.socket.shutdown(socket.SHUT_WR)
            loop = asyncio.get_running_loop()
            while await loop.sock_recv(connection.socket, _CHUNK):
                pass
        else:
            self._parked.append(connection.socket)

    async def _take(self, connection: _Connection, data: bytes) -> None:
        connection.received += len(data)
        fault = connection.fault
        if fault is not None and fault.kind is LineFault.SSH:
            await self._send(connection, _SSH_COMPLAINT)
            raise ConnectionAbortedError
        for reply in self.device.receive(data):
            delay, out = self.device.line.distort(reply.command, reply.data)
            if delay:
                await asyncio.sleep(delay)
            await self._send(connection, out)
        if fault is not None and fault.kind is LineFault.SLOW:
            await asyncio.sleep(len(data) / fault.rate)

    async def _send(self, connection: _Connection, data: bytes) -> None:
        if data:
            await asyncio.get_running_loop().sock_sendall(connection.socket, data)

    # -- 9200 and alerts ------------------------------------------------------------------------

    async def _accept_json(self, port: Port, zebra: Zebra) -> None:
        """Several connections at a time, and answers while it prints."""
        while True:
            if zebra.mechanism.powered:
                port.open()
            else:
                port.shut()
                await self._signal.wait()
                continue
            if not await self._signal.or_ready(port):
                continue
            accepted = port.accept()
            if accepted is None:
                continue
            if len(self._tasks) >= _JSON_CONNECTIONS:
                reset(accepted)
                continue
            task = asyncio.create_task(self._answer_json(accepted, zebra))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer_json(self, connection: socket.socket, zebra: Zebra) -> None:
        loop, buffer, boots = asyncio.get_running_loop(), bytearray(), zebra.mechanism.boots
        with connection, contextlib.suppress(OSError):
            while zebra.mechanism.powered and zebra.mechanism.boots == boots:
                if not await self._signal.or_ready(connection):
                    continue
                data = connection.recv(_CHUNK)
                if not data:
                    return
                buffer += data
                zebra.mechanism.advance()
                for asked in take_json(buffer):
                    answer = zebra.variables.answer_json(asked)
                    await loop.sock_sendall(connection, json.dumps(answer).encode())
                self._signal.fire()
            reset(connection)

    async def _send_alerts(self) -> None:
        """To loopback only: a simulator sends nothing into the world."""
        while True:
            host, port, line = await self._alerts.get()
            if host not in (HOST, "localhost"):
                continue
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, port)
                writer.write(line)
                await writer.drain()
                writer.close()
                await writer.wait_closed()
