"""Files as they lie on somebody's computer, read as the command line reads them.

`POST /api/v1/tables` answers the rows of one, for who maps its columns before they are imported.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Iterator, Mapping
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.api.answers import problem, refusal
from services.api.limits import TooLarge, check_announced, read_limited
from services.api.rest import caller_headers
from services.api.settings import ApiSettings
from takt.errors import RpcError, from_response, unreachable
from takt.tables import Table, TableError, read_table

PATH = "/api/v1/tables"
QUERY = ("name",)
_LIMIT = 2 * 1024 * 1024
_PLACES = 20  # files on their way or waiting to be read: 40 MB at most
_AT_ONCE = 2
_READ_SECONDS = 30.0  # who sends slower must not keep the place of others
_SECONDS = httpx.Timeout(90, connect=5)


class Busy(Exception):
    """This person's file before is still on its way."""


class Files:
    """Few files are read at once, a workbook is much larger unpacked; more are on their way, so
    that a slow line keeps nobody else waiting. Each person sends one at a time."""

    def __init__(self, http: httpx.AsyncClient, settings: ApiSettings) -> None:
        self._http = http
        self._settings = settings
        self._place = asyncio.Semaphore(_PLACES)
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._senders: set[str] = set()

    async def read_file(self, request: Request) -> Response:
        """{columns, rows, lines}: names, cells as text or null, lines of the file."""
        headers = caller_headers(request, self._settings)
        if headers is None:
            return problem(401, "auth.required", "Sign in first.")
        if wrong := unknown(request.query_params, QUERY):
            return problem(400, "request.malformed", wrong)
        return await answered(self._rows(request, headers))

    async def _rows(self, request: Request, headers: Mapping[str, str]) -> Response:
        table = await self.table(request, headers)
        columns = list(dict.fromkeys(name for row in table.rows for name in row))
        return JSONResponse({"columns": columns, "rows": table.rows, "lines": table.lines})

    async def table(self, request: Request, headers: Mapping[str, str]) -> Table:
        """The body as a table. Errors: RpcError (a stranger's is not even taken), TooLarge, Busy,
        TableError, TimeoutError."""
        sender = await self.call("whoami", {}, headers)
        check_announced(request, _LIMIT)
        with self._alone(sender["user_id"]):
            async with self._place:
                async with asyncio.timeout(_READ_SECONDS):
                    content = await read_limited(request, _LIMIT)
                name = request.query_params.get("name", "file")
                async with self._turn:
                    return await asyncio.to_thread(read_table, name, content)

    @contextlib.contextmanager
    def _alone(self, sender: str) -> Iterator[None]:
        if sender in self._senders:
            raise Busy
        self._senders.add(sender)
        try:
            yield
        finally:
            self._senders.remove(sender)

    async def call(self, rpc: str, arguments: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        """What the RPC answers to who sent the file. Errors: RpcError."""
        try:
            answer = await self._http.post(
                f"rpc/{rpc}", json=arguments, headers=headers, timeout=_SECONDS
            )
        except httpx.TransportError as gone:
            raise unreachable(gone) from gone
        if not answer.is_success:
            raise from_response(answer)
        return answer.json()


async def answered(work: Awaitable[Response]) -> Response:
    """What came of a file, or why nothing did."""
    try:
        return await work
    except TooLarge as error:
        refused = problem(413, "request.too_large", "The file may have at most 2 MB. Split it.")
        refused.headers.update(error.headers)
        return refused
    except Busy:
        text = "A file of yours is on its way already. Wait until it is read."
        return problem(429, "request.too_many", text, retry_after=_READ_SECONDS)
    except TimeoutError:
        late = problem(408, "request.too_slow", "The file came too slowly. Send it again.")
        late.headers["connection"] = "close"
        return late
    except TableError as error:
        return problem(422, "import.file", f"{error}.")
    except RpcError as error:
        return refusal(error)


def unknown(asked: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """What is wrong with the names of a query."""
    if odd := sorted(set(asked) - set(names)):
        return f"Unknown: {', '.join(odd)}. Accepted: {', '.join(names)}."
    return None
