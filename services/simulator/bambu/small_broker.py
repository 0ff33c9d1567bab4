"""A broker for computers without mosquitto: MQTT 3.1.1, QoS 0, exact topics, TLS. No more."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
import threading
from dataclasses import dataclass, field

from services.simulator.bambu.broker import INNER_USER, BrokerSpec, wait_for_port
from takt.ports import HOST

_CONNECT, _PUBLISH, _SUBSCRIBE, _UNSUBSCRIBE, _PING, _BYE = 1, 3, 8, 10, 12, 14
_BAD_USER = 4
_LONGEST = 1_000_000
_GONE = (OSError, asyncio.IncompleteReadError, struct.error, ssl.SSLError, ValueError)


@dataclass(eq=False)
class _Session:
    writer: asyncio.StreamWriter
    inner: bool
    topics: set[str] = field(default_factory=set)


class SmallBroker:
    """Runs in a thread of this process. `freeze` stops reading and writing, sockets stay open."""

    def __init__(self, spec: BrokerSpec) -> None:
        self.spec = spec
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._sessions: set[_Session] = set()
        self._servers: list[asyncio.Server] = []
        self._flowing = threading.Event()

    def start(self) -> None:
        self._flowing.set()
        loop = self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._run, args=(loop,), name=f"broker {self.spec.serial}", daemon=True
        )
        self._thread.start()
        wait_for_port(self.spec.inner_port)
        wait_for_port(self.spec.port)

    def stop(self) -> None:
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._flowing.set()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        self._loop = self._thread = None

    def freeze(self) -> None:
        self._flowing.clear()
        if self._loop is not None:
            # The whole loop waits, as a stopped process does.
            self._loop.call_soon_threadsafe(self._flowing.wait)

    def thaw(self) -> None:
        self._flowing.set()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(lambda *_: None)  # clients that vanish are the daily business
        loop.run_until_complete(self._listen())
        loop.run_forever()
        loop.run_until_complete(self._close())
        loop.close()

    async def _listen(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.spec.leaf.certificate, self.spec.leaf.key)
        ports = ((self.spec.inner_port, None), (self.spec.port, context))
        for port, tls in ports:
            serve = self._serve_inner if tls is None else self._serve_outer
            self._servers.append(await asyncio.start_server(serve, HOST, port, ssl=tls))

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for session in self._sessions:
            session.writer.transport.abort()
        self._servers, self._sessions = [], set()
        waiting = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _serve_inner(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await self._serve(reader, _Session(writer, inner=True))

    async def _serve_outer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await self._serve(reader, _Session(writer, inner=False))

    async def _serve(self, reader: asyncio.StreamReader, session: _Session) -> None:
        with contextlib.suppress(*_GONE):
            kind, _, body = await _packet(reader)
            if kind == _CONNECT and self._admit(session, body):
                self._sessions.add(session)
                while await self._handle(session, *await _packet(reader)):
                    await session.writer.drain()
        self._sessions.discard(session)
        session.writer.close()

    def _admit(self, session: _Session, body: bytes) -> bool:
        # protocol name, level, flags, keepalive, client id, user, password
        rest = body[2 + struct.unpack(">H", body[:2])[0] + 4 :]
        _, rest = _text(rest)
        user, rest = _text(rest)
        password, _ = _text(rest)
        wanted = (
            (INNER_USER, self.spec.inner_password) if session.inner else ("bblp", self.spec.code)
        )
        is_known = (user, password) == wanted
        session.writer.write(bytes([0x20, 2, 0, 0 if is_known else _BAD_USER]))
        return is_known

    async def _handle(self, session: _Session, kind: int, flags: int, body: bytes) -> bool:
        """False when the client hangs up."""
        if kind == _PUBLISH:
            topic, rest = _text(body)
            # QoS 1 has a packet id; nobody here sends it, but it must not end up in the payload.
            self._publish(session, topic, rest[2:] if flags & 0x06 else rest)
        elif kind == _SUBSCRIBE:
            topic, _ = _text(body[2:])
            session.topics.add(topic)
            session.writer.write(bytes([0x90, 3, *body[:2], 0]))
        elif kind == _UNSUBSCRIBE:
            topic, _ = _text(body[2:])
            session.topics.discard(topic)
            session.writer.write(bytes([0xB0, 2, *body[:2]]))
        elif kind == _PING:
            session.writer.write(bytes([0xD0, 0]))
        return kind != _BYE

    def _publish(self, session: _Session, topic: str, payload: bytes) -> None:
        device = f"device/{self.spec.serial}"
        if topic != f"{device}/{'report' if session.inner else 'request'}":
            return
        name = topic.encode()
        body = struct.pack(">H", len(name)) + name + payload
        packet = bytes([0x30]) + _length(len(body)) + body
        for other in self._sessions:
            # Outside only reports are readable; a wrong topic is accepted and stays silent.
            if topic in other.topics and (other.inner or topic.endswith("/report")):
                other.writer.write(packet)


async def _packet(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    """(type, flags, body) of the next packet."""
    first = (await reader.readexactly(1))[0]
    length, shift = 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
        if shift > 21:
            raise ValueError("length")
    if length > _LONGEST:
        raise ValueError("too long")
    return first >> 4, first & 0x0F, await reader.readexactly(length)


def _text(body: bytes) -> tuple[str, bytes]:
    (size,) = struct.unpack(">H", body[:2])
    return body[2 : 2 + size].decode("utf-8", "replace"), body[2 + size :]


def _length(number: int) -> bytes:
    encoded = bytearray()
    while True:
        number, low = divmod(number, 128)
        encoded.append(low | (0x80 if number else 0))
        if not number:
            return bytes(encoded)
