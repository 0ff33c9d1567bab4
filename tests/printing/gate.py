"""The way from an agent to Takt, as an HTTP proxy that holds or loses exactly one call."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_RPC = re.compile(rb"POST /rest/v1/rpc/(\w+) ")
_JOB = re.compile(rb'job_id": ?(\d+)')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class _Dropped(Exception):
    """This call, or its answer, does not arrive."""


@dataclass
class Held:
    """One call (about `job`, when given) that stops at the gate: before it arrives, or its answer.

    It stays there until `release`; after `drop` it never arrives. `is_lost`: dropped at once.
    """

    name: str
    job: int | None
    is_answer: bool
    is_lost: bool
    _loop: asyncio.AbstractEventLoop
    _reached: threading.Event = field(default_factory=threading.Event)
    _go: asyncio.Event = field(default_factory=asyncio.Event)

    def wait(self, seconds: float = 60) -> None:
        """Until a call stands at the gate. Errors: AssertionError."""
        assert self._reached.wait(seconds), f"nobody called {self.name} about {self.job}"

    def release(self) -> None:
        self._loop.call_soon_threadsafe(self._go.set)

    def drop(self) -> None:
        self.is_lost = True
        self.release()

    def is_about(self, name: str, is_answer: bool, text: bytes) -> bool:
        if self._reached.is_set() or (name, is_answer) != (self.name, self.is_answer):
            return False
        return self.job is None or self.job in {int(n) for n in _JOB.findall(text)}

    async def stop(self) -> None:
        self._reached.set()
        if not self.is_lost:
            await self._go.wait()
        if self.is_lost:
            raise _Dropped


class Gate:
    """A port of its own in front of `url`; what is not held passes unchanged, websockets too."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self._loop = asyncio.new_event_loop()
        self._held: list[Held] = []
        self._calls: list[tuple[str, bytes]] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_shut = False
        self._end = asyncio.Event()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)

    # -- what a test does -----------------------------------------------------------------------

    def hold(self, name: str, job: int | None = None) -> Held:
        """Stop the next call of `name` before it arrives."""
        return self._add(name, job, is_answer=False, is_lost=False)

    def hold_answer(self, name: str, job: int | None = None) -> Held:
        """Let the next call of `name` do its work, and stop the answer."""
        return self._add(name, job, is_answer=True, is_lost=False)

    def lose_answer(self, name: str, job: int | None = None) -> Held:
        """The next call of `name` does its work; the line breaks before the answer."""
        return self._add(name, job, is_answer=True, is_lost=True)

    def count(self, name: str, job: int | None = None) -> int:
        """Calls of `name` that came to the gate."""
        wanted = b"%d" % job if job is not None else None
        return sum(
            called == name and (wanted is None or wanted in _JOB.findall(body))
            for called, body in list(self._calls)
        )

    def shut(self) -> None:
        """Nothing gets through, and what is open breaks."""
        self._is_shut = True
        self._loop.call_soon_threadsafe(self._break_all)

    def open(self) -> None:
        self._is_shut = False

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def _add(self, name: str, job: int | None, *, is_answer: bool, is_lost: bool) -> Held:
        held = Held(name, job, is_answer, is_lost, self._loop)
        self._held.append(held)
        return held

    # -- the proxy ------------------------------------------------------------------------------

    def _serve(self, ready: threading.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._listen(ready))

    async def _listen(self, ready: threading.Event) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await self._end.wait()
        server.close()
        self._break_all()

    def _break_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_shut:
            writer.transport.abort()
            return
        self._writers.add(writer)
        upstream: asyncio.StreamWriter | None = None
        try:
            back, upstream = await asyncio.open_connection(*self._upstream)
            while not self._is_shut and await self._pass_one(reader, writer, back, upstream):
                pass
        except (_Dropped, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._writers.discard(writer)
            for side in (writer, upstream):
                if side is not None:
                    side.close()

    async def _pass_one(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        back: asyncio.StreamReader,
        upstream: asyncio.StreamWriter,
    ) -> bool:
        """One request and its answer. False at the end of the connection."""
        head, body = await _read_message(reader)
        found = _RPC.match(head)
        name = found[1].decode() if found else ""
        if name:
            self._calls.append((name, body))
        await self._stop(name, False, body)
        upstream.write(head + body)
        await upstream.drain()
        if _UPGRADE.search(head):
            await asyncio.gather(_pump(reader, upstream), _pump(back, writer))
            return False
        answer_head, answer = await _read_message(back)
        await self._stop(name, True, body + answer)
        writer.write(answer_head + answer)
        await writer.drain()
        return True

    async def _stop(self, name: str, is_answer: bool, text: bytes) -> None:
        for held in self._held:
            if held.is_about(name, is_answer, text):
                await held.stop()


async def _read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body, as they are. Errors: IncompleteReadError at the end of the stream."""
    head = await reader.readuntil(b"\r\n\r\n")
    if _CHUNKED.search(head):
        body = b""
        while True:
            size = await reader.readuntil(b"\r\n")
            body += size + await reader.readexactly(int(size, 16) + 2)
            if int(size, 16) == 0:
                return head, body
    length = _LENGTH.search(head)
    return head, await reader.readexactly(int(length[1])) if length else b""


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
