"""`POST /api/v1/stock/import`: a file of items or of stock, as it lies on somebody's computer.

The body is the file. It is read here as `takt stock import` reads it, and the database decides:
without `apply=true` every error of every row is told and nothing is changed.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.api.answers import problem, refusal
from services.api.limits import TooLarge, read_limited
from services.api.rest import caller_headers
from services.api.settings import ApiSettings
from takt.errors import RpcError, from_response, unreachable
from takt.tables import TableError, kind_of, read_table

PATH = "/api/v1/stock/import"
QUERY = ("name", "kind", "apply")
_LIMIT = 2 * 1024 * 1024
_AT_ONCE = 2
_SECONDS = httpx.Timeout(90, connect=5)


class StockImport:
    """Few files at once: a workbook is much larger unpacked."""

    def __init__(self, http: httpx.AsyncClient, settings: ApiSettings) -> None:
        self._http = http
        self._settings = settings
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def import_file(self, request: Request) -> Response:
        """The answer of import_items or import_stock, with `kind` and the `lines` of its rows."""
        headers = caller_headers(request, self._settings)
        if headers is None:
            return problem(401, "auth.required", "Sign in first.")
        asked = dict(request.query_params)
        key = request.headers.get("idempotency-key")
        if wrong := _misfit(asked, key):
            return problem(400, "request.malformed", wrong)
        try:
            await self._call("whoami", {}, headers)  # a stranger's file is not even read
            content = await read_limited(request, _LIMIT)
            async with self._turn:
                table = await asyncio.to_thread(read_table, asked.get("name", "file"), content)
            kind = asked.get("kind") or kind_of(table.rows)
            arguments = {"p_rows": table.rows, "p_dry_run": asked.get("apply") != "true"}
            if key:
                arguments["p_request_id"] = key
            answer = await self._call(f"import_{kind}", arguments, headers)
        except TooLarge as error:
            text = "The file may have at most 2 MB. Split it."
            refused = problem(413, "request.too_large", text)
            refused.headers.update(error.headers)
            return refused
        except TableError as error:
            return problem(422, "import.file", f"{error}.")
        except RpcError as error:
            return refusal(error)
        return JSONResponse({**answer, "kind": kind, "lines": table.lines})

    async def _call(
        self, rpc: str, arguments: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Any:
        try:
            answer = await self._http.post(
                f"rpc/{rpc}", json=arguments, headers=headers, timeout=_SECONDS
            )
        except httpx.TransportError as gone:
            raise unreachable(gone) from gone
        if not answer.is_success:
            raise from_response(answer)
        return answer.json()


def _misfit(asked: Mapping[str, str], key: str | None) -> str | None:
    if unknown := sorted(set(asked) - set(QUERY)):
        return f"Unknown: {', '.join(unknown)}. Accepted: {', '.join(QUERY)}."
    if asked.get("kind", "items") not in ("items", "stock"):
        return "kind is items or stock."
    if asked.get("apply", "false") not in ("true", "false"):
        return "apply is true or false."
    try:
        uuid.UUID(key or str(uuid.uuid4()))
    except ValueError:
        return "Idempotency-Key must be a UUID."
    return None
