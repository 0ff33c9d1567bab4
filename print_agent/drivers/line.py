"""A two-way line to a printer: a TCP connection or a device file. One question at a time."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import sys
import termios
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Protocol, Self

from print_agent.clock import now
from print_agent.drivers.base import AddressError, Order, SendError

CONNECT, FIRST_REPLY, REPLY_IDLE, PROGRESS, FAREWELL = 3.0, 2.0, 0.3, 10.0, 2.0
GAP = 0.05  # a printer needs a moment between two connections
RAW_PORT = 9100
_PIECE = 2048
_LONGEST_REPLY = 65_536


class Channel(Protocol):
    """Bytes in and out without blocking; BlockingIOError = not now.

    `exact`: a write that failed has certainly sent nothing.
    """

    exact: bool

    def fileno(self) -> int: ...
    def read(self, most: int) -> bytes:
        """b"" at the end of the stream."""
        ...

    def write(self, data: bytes) -> int: ...
    def guard(self) -> None:
        """Until `finish`, closing (a kill too) throws away what has not arrived yet."""
        ...

    def finish(self) -> bool:
        """Nothing more will be written. True when the other side will hang up.

        Errors: OSError, also when the other side has hung up before.
        """
        ...

    def unsent(self) -> int:
        """Bytes the other side has not taken yet, as far as the system says."""
        ...

    def close(self) -> None: ...


Dial = Callable[[], Awaitable[Channel]]


class SocketChannel:
    """A connected, non-blocking TCP socket."""

    exact = True

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, most: int) -> bytes:
        return self._socket.recv(most)

    def write(self, data: bytes) -> int:
        return self._socket.send(data)

    def guard(self) -> None:
        # Nothing must trickle out of the kernel while others decide what became of a killed agent.
        self._linger(discard=True)

    def finish(self) -> bool:
        self._linger(discard=False)
        with contextlib.suppress(BlockingIOError):
            if not self._socket.recv(1, socket.MSG_PEEK):
                raise ConnectionAbortedError("hung up before the end")
        self._socket.shutdown(socket.SHUT_WR)
        return True

    def unsent(self) -> int:
        if sys.platform != "linux":
            return 0
        answer = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
        return int(struct.unpack("i", answer)[0])

    def close(self) -> None:
        self._socket.close()

    def _linger(self, *, discard: bool) -> None:
        value = struct.pack("ii", int(discard), 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, value)


def tcp_address(address: str) -> tuple[str, int]:
    """(host, port) of "host", "host:port" or "[v6]:port"; port 9100. Errors: AddressError."""
    host, colon, port = address.strip().rpartition(":")
    bare_v6 = address.count(":") > 1 and not address.lstrip().startswith("[")
    if not colon or bare_v6 or port.endswith("]"):
        host, port = address.strip(), str(RAW_PORT)
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise AddressError(f"`{address}` is no address: expected host or host:port.")
    host = host.strip("[]")
    if not host or any(c.isspace() or c == "/" for c in host):
        raise AddressError(f"`{address}` is no address: expected host or host:port.")
    return host, int(port)


async def dial_tcp(address: str) -> Channel:
    """Connect within 3 s. Errors: OSError, TimeoutError, AddressError."""
    host, port = tcp_address(address)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CONNECT):
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, place = found[0]
        connection = socket.socket(family, kind, protocol)
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(connection, place)
        except BaseException:
            connection.close()
            raise
    return SocketChannel(connection)


class Line:
    """Questions and bytes over one channel. Close it after a question without a full answer:
    what arrives late must not be taken for the answer to the next one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.ended = False  # the printer has hung up

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

    async def ask(self, question: bytes, complete: Callable[[bytes], bool]) -> bytes:
        """Send a question and read until the answer is complete, the end, or silence.

        Answers what arrived, b"" for nothing. Errors: OSError, TimeoutError when it takes no byte.
        """
        await self._put(question)
        reply = b""
        while not complete(reply) and len(reply) < _LONGEST_REPLY:
            try:
                async with asyncio.timeout(REPLY_IDLE if reply else FIRST_REPLY):
                    more = await self._get()
            except TimeoutError:
                break
            if not more:
                self.ended = True
                break
            reply += more
        return reply

    async def say(self, words: bytes) -> None:
        """Something that has no answer. Errors: OSError."""
        await self._put(words)
        await self._is_taken()

    async def hand_over(self, order: Order) -> int:
        """All bytes of the order, then the end of the stream; waits until the printer hangs up.

        Errors: SendError, which knows how many bytes may have left.
        """
        self._channel.guard()
        await order.first()
        view, handed = order.payload, 0
        try:
            while handed < len(view):
                if not order.may_go():
                    raise SendError("the time to send was over", handed)
                handed += await self._some(view[handed : handed + _PIECE])
            await self._until_taken()
        except TimeoutError:
            raise SendError("the printer took no byte for 10 s", handed) from None
        except OSError as error:
            sure = handed if self._channel.exact else max(handed, 1)
            raise SendError(words(error), sure) from error
        if not await self._is_taken():
            raise SendError("the printer broke the connection off", handed)
        return handed

    async def _until_taken(self) -> None:
        """Wait until the other side has every byte. Errors: TimeoutError after 10 s of no move."""
        left, moved_at = self._channel.unsent(), now()
        while left > 0:
            await asyncio.sleep(0.01)
            if (still := self._channel.unsent()) != left:
                left, moved_at = still, now()
            elif now() - moved_at > PROGRESS:
                raise TimeoutError

    async def _is_taken(self) -> bool:
        """Wait for the printer's goodbye. False: it closed or broke off before it had everything.

        What became of everything else the next look tells; many printers never say goodbye.
        """
        try:
            if self._channel.finish():
                async with asyncio.timeout(FAREWELL):
                    while await self._get():
                        pass
        except TimeoutError:
            return True
        except OSError:
            return False
        return True

    async def _put(self, data: bytes) -> None:
        sent = 0
        while sent < len(data):
            sent += await self._some(data[sent:])

    async def _some(self, data: bytes) -> int:
        """Write what fits now; without room wait for it, at most 10 s, and answer 0."""
        try:
            return self._channel.write(data)
        except BlockingIOError:
            async with asyncio.timeout(PROGRESS):
                await self._until("writer")
            return 0

    async def _get(self) -> bytes:
        while True:
            try:
                return self._channel.read(4096)
            except BlockingIOError:
                await self._until("reader")

    async def _until(self, which: str) -> None:
        """Wait until the channel can be written to or read from."""
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        number = self._channel.fileno()
        add, remove = getattr(loop, f"add_{which}"), getattr(loop, f"remove_{which}")
        add(number, _wake, ready)
        try:
            await ready
        finally:
            remove(number)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


class Talk:
    """Several questions over one line; a fresh line after every one without a full answer."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._line: Line | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hang_up()

    async def ask(self, question: bytes, complete: Callable[[bytes], bool]) -> bytes:
        """See `Line.ask`. Errors: OSError (a TimeoutError is one)."""
        fresh = self._line is None
        reply, ended = await self._once(question, complete)
        if ended and not reply and not fresh:
            # It hangs up after every answer: the question has not been heard.
            reply, _ = await self._once(question, complete)
        return reply

    async def _once(self, question: bytes, complete: Callable[[bytes], bool]) -> tuple[bytes, bool]:
        if self._line is None:
            self._line = Line(await self._dial())
        line, reply = self._line, b""
        try:
            reply = await line.ask(question, complete)
        except (ConnectionResetError, BrokenPipeError):
            line.ended = True
        if not complete(reply):
            self._hang_up()
            await asyncio.sleep(GAP)
        return reply, line.ended

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


async def hand_over(dial: Dial, order: Order) -> int:
    """Open a line of its own for an order. Errors: SendError."""
    try:
        line = Line(await dial())
    except OSError as error:
        raise SendError(words(error)) from error
    async with line:
        handed = await line.hand_over(order)
    await asyncio.sleep(GAP)
    return handed


def words(error: OSError) -> str:
    """Why there is no line, for a person."""
    if isinstance(error, TimeoutError) and not error.strerror:
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    return error.strerror or type(error).__name__
