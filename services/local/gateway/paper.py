"""`/simulator/`: the virtual printers and their paper, while the demo runs; otherwise 404."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import httpx
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.local.gateway.proxy import Upstream, forward, problem, request_headers
from services.local.paths import Paths
from services.local.simulated import PAPER_PATH, SIMULATOR, running_simulator


class Paper:
    """Passes requests on to the simulator's own page, of this origin for the browser."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._transport = httpx.AsyncHTTPTransport()

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    async def __call__(self, request: Request) -> Response:
        found = running_simulator(self._paths)
        if found is None:
            return problem(404, "There are virtual printers in the demo only: `takt up --demo`.")
        path = request.scope["raw_path"].decode("ascii")
        if not path.startswith(PAPER_PATH):
            return RedirectResponse(PAPER_PATH)  # the page's own links are relative
        upstream = Upstream(SIMULATOR, found.control_url.rstrip("/"), self._transport)
        # Tokens are none of its business.
        headers = request_headers(request, drop=("authorization", "apikey", "cookie"))
        rest = "/" + path.removeprefix(PAPER_PATH)
        return await forward(request, upstream, rest, headers)
