"""The control page on a port of its own, inside a loop that somebody else runs."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from services.simulator.printer.control import create_app
from services.simulator.printer.fleet import Fleet
from services.simulator.printer.paper import Renderer
from services.simulator.printer.server import HOST


class _Server(uvicorn.Server):
    """Signals are the daemon's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ControlServer:
    """On loopback only. `port` 0, or one that is taken, becomes another: `url` says which."""

    def __init__(self, fleet: Fleet, renderer: Renderer, port: int = 0) -> None:
        self._app = create_app(fleet, renderer)
        self._socket = _listen(port)
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}/"

    async def run(self) -> None:
        """Serve until it is cancelled."""
        config = uvicorn.Config(
            self._app,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        server = _Server(config)
        try:
            await server.serve([self._socket])
        finally:
            if server.started:
                await server.shutdown([self._socket])
            self._socket.close()


def _listen(port: int) -> socket.socket:
    with contextlib.suppress(OSError):
        return socket.create_server((HOST, port))
    return socket.create_server((HOST, 0))
