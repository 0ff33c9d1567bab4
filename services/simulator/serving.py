"""An ASGI app on a port of its own, inside a loop that somebody else runs."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from takt.ports import HOST


class _Server(uvicorn.Server):
    """Signals are the daemon's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(port: int) -> socket.socket:
    """On loopback only. Errors: OSError when the port is taken."""
    return socket.create_server((HOST, port))


async def serve(app: Any, listening: socket.socket) -> None:
    """Until it is cancelled; closes the socket."""
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    try:
        await server.serve([listening])
    finally:
        if server.started:
            await server.shutdown([listening])
        listening.close()
