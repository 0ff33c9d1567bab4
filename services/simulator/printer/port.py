"""A TCP port that can be shut and opened again, and sockets that wait for readiness."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

_BACKLOG = 16


class Port:
    """A listening port on one address. It keeps its number while it is shut (0 chooses one)."""

    def __init__(self, host: str, number: int = 0) -> None:
        self._host = host
        self._socket = _bound(host, number)
        self.number: int = self._socket.getsockname()[1]
        self.is_open = False

    def open(self) -> None:
        """Let connections in."""
        if not self.is_open:
            self._socket.listen(_BACKLOG)
            self.is_open = True

    def shut(self) -> None:
        """Refuse connections, also those that nobody has accepted yet."""
        if self.is_open:
            before = self._socket
            _share(before, True)
            self._socket = _bound(self._host, self.number, shared=True)
            before.close()  # only now: in between somebody else could take the number
            _share(self._socket, False)
            self.is_open = False

    async def ready(self) -> None:
        """Wait for a connection. Safe to cancel: nothing is accepted yet."""
        await readable(self._socket)

    def accept(self) -> socket.socket | None:
        """The next connection; None when it went away again."""
        try:
            accepted, _ = self._socket.accept()
        except OSError:
            return None
        accepted.setblocking(False)
        return accepted

    def close(self) -> None:
        self._socket.close()


class Signal:
    """Wakes everybody who waits for a change; no wake-up is lost in between."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def fire(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float | None = None) -> None:
        """Until the next `fire`, but not longer than `seconds`."""
        event = self._event
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)

    async def or_ready(self, source: socket.socket | Port) -> bool:
        """Wait for readiness or a change, whichever comes first; True when ready."""
        event = self._event
        ready = source.ready() if isinstance(source, Port) else readable(source)
        tasks = [asyncio.ensure_future(ready), asyncio.ensure_future(event.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return tasks[0].done() and not tasks[0].cancelled()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def readable(source: socket.socket) -> None:
    """Wait until a read (or an accept) would not block."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(source, wake)
    try:
        await ready
    finally:
        loop.remove_reader(source)


def reset(connection: socket.socket) -> None:
    """Close with RST instead of FIN."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _share(bound: socket.socket, shared: bool) -> None:
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))


def _bound(host: str, number: int, *, shared: bool = False) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _share(made, shared)
    try:
        made.bind((host, number))
    except OSError:
        made.close()
        raise
    return made
