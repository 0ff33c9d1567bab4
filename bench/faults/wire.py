"""The network between an agent and Takt, as a TCP proxy that loses, delays and cuts."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

_RPC = b"POST /rest/v1/rpc/"
_LATE_SECONDS = 7.0  # longer than an agent waits for an answer


@dataclass
class Wire:
    """A port of its own for one agent; `rate` is the chance of a fault per call.

    Lost answer: the call is committed, the agent never hears it. Lost call: it never arrives. Late
    call: it arrives after the agent has given up.
    """

    host: str
    port: int
    rng: random.Random
    rate: float
    struck: Counter[str] = field(default_factory=Counter)
    healthy: bool = False
    url: str = ""
    _dead_until: float = 0.0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def start(self) -> None:
        """Serve in a thread of its own; `url` is known afterwards."""
        ready = threading.Event()
        threading.Thread(target=self._serve, args=(ready,), daemon=True).start()
        ready.wait(10)

    def cut(self, seconds: float) -> None:
        """Nothing gets through, and what is open breaks."""
        self.struck["network cut"] += 1
        self._dead_until = time.monotonic() + seconds
        self._loop.call_soon_threadsafe(self._break_all)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _break_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        self._loop.run_forever()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if time.monotonic() < self._dead_until and not self.healthy:
            writer.transport.abort()
            return
        upstream: asyncio.StreamWriter | None = None
        self._writers.add(writer)
        lose = asyncio.Event()
        try:
            back, upstream = await asyncio.open_connection(self.host, self.port)
            answers = asyncio.create_task(self._answers(back, writer, lose))
            await self._calls(reader, writer, upstream, lose)
            # What was sent is carried out, also when nobody listens any more.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(answers, 30)
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            for side in (writer, upstream):
                if side is not None:
                    side.close()

    async def _calls(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream: asyncio.StreamWriter,
        lose: asyncio.Event,
    ) -> None:
        while data := await reader.read(65_536):
            fate = self._fate() if data.startswith(_RPC) else ""
            if fate:
                name = data[len(_RPC) :].split(b" ", 1)[0].decode("ascii", "replace")
                self.struck[f"{fate} ({name})"] += 1
            if fate == "lost call":
                writer.transport.abort()
                return
            if fate == "lost answer":
                lose.set()
            elif fate == "late call":
                await asyncio.sleep(_LATE_SECONDS)
            upstream.write(data)
            await upstream.drain()
        if not lose.is_set() and upstream.can_write_eof():
            upstream.write_eof()

    async def _answers(
        self, back: asyncio.StreamReader, writer: asyncio.StreamWriter, lose: asyncio.Event
    ) -> None:
        while data := await back.read(65_536):
            if lose.is_set():
                writer.transport.abort()
                return
            writer.write(data)
            with contextlib.suppress(ConnectionError):
                await writer.drain()

    def _fate(self) -> str:
        if self.healthy or self.rng.random() >= self.rate:
            return ""
        return self.rng.choices(("lost answer", "lost call", "late call"), (6, 2, 1))[0]
