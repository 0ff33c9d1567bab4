"""/metrics, /healthz, /livez and /readyz of a daemon: a few lines of HTTP, GET only."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from takt.daemon import Run, Work

_LONGEST_HEAD = 16_384
_GONE = (ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
_PLAIN = "text/plain; charset=utf-8"


def metrics_server(
    port: int,
    host: str = "127.0.0.1",
    ready: Callable[[Run], bool] = lambda state: state.is_ready and not state.stopping,
    registry: CollectorRegistry = REGISTRY,
) -> Work:
    """A side task that serves until it is cancelled. Errors: OSError when the port is taken."""

    async def serve(state: Run) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(*_GONE):
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
                writer.write(_respond(head, ready(state), registry))
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, host, port, limit=_LONGEST_HEAD)
        async with server:
            await server.serve_forever()

    return serve


def _respond(head: bytes, is_ready: bool, registry: CollectorRegistry) -> bytes:
    method, _, rest = head.decode("latin-1").partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    if method != "GET":
        return _http("405 Method Not Allowed", b"GET only\n")
    if path == "/metrics":
        return _http("200 OK", generate_latest(registry), CONTENT_TYPE_LATEST)
    if path == "/livez":
        return _http("200 OK", b"ok\n")
    if path in ("/readyz", "/healthz"):
        if is_ready:
            return _http("200 OK", b"ok\n")
        return _http("503 Service Unavailable", b"not ready\n")
    return _http("404 Not Found", b"not found\n")


def _http(status: str, body: bytes, kind: str = _PLAIN) -> bytes:
    lines = (
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
