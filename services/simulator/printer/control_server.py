"""The control page on a port of its own, inside a loop that somebody else runs."""

from __future__ import annotations

import socket

from services.simulator.printer.control import create_app
from services.simulator.printer.fleet import Fleet
from services.simulator.printer.paper import Renderer
from services.simulator.serving import listen, serve
from takt.ports import HOST


class ControlServer:
    """On loopback only. `port` 0, or one that is taken, becomes another: `url` says which."""

    def __init__(self, fleet: Fleet, renderer: Renderer, port: int = 0) -> None:
        self._app = create_app(fleet, renderer)
        self._socket = _listen(port)
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}/"

    async def run(self) -> None:
        """Serve until it is cancelled."""
        await serve(self._app, self._socket)


def _listen(port: int) -> socket.socket:
    try:
        return listen(port)
    except OSError:
        return listen(0)
