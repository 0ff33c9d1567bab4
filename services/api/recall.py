"""`GET /api/v1/traceability/export.csv`: affected units as a file, however many.

The database keeps the list and hands it out in pages; one page at a time is in memory here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from services.api.answers import problem, refusal
from services.api.rest import caller_headers
from services.api.settings import ApiSettings
from takt.backoff import full_jitter
from takt.errors import RpcError, from_response, unreachable
from takt.recall import csv_lines

PATH = "/api/v1/traceability/export.csv"
QUERY = ("key", "kind", "sku", "first", "last", "since", "until", "with_removed")
_PAGE, _TRIES = 2000, 4
# Longer than the statement timeout of start_recall_export.
_SECONDS = httpx.Timeout(90, connect=5)


class RecallExport:
    """Starts an export as the caller, then streams its pages."""

    def __init__(self, http: httpx.AsyncClient, settings: ApiSettings) -> None:
        self._http = http
        self._settings = settings

    async def export(self, request: Request) -> Response:
        """CSV with a byte order mark (spreadsheets need it). Refusals come before the first line;
        a page that cannot be had later breaks the connection off: half a file is no file.
        """
        headers = caller_headers(request, self._settings)
        if headers is None:
            return problem(401, "auth.required", "Sign in first.")
        given = dict(request.query_params)
        if unknown := sorted(set(given) - set(QUERY)):
            text = f"Unknown: {', '.join(unknown)}. Accepted: {', '.join(QUERY)}."
            return problem(400, "request.malformed", text)
        try:
            started = await self._call("start_recall_export", {"p_trace": given}, headers, tries=1)
        except RpcError as error:
            return refusal(error)
        lines = self._lines(started["export_id"], headers)
        disposition = {"content-disposition": 'attachment; filename="recall.csv"'}
        return StreamingResponse(lines, 200, disposition, "text/csv; charset=utf-8")

    async def _lines(self, export_id: str, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
        yield b"\xef\xbb\xbf" + csv_lines([], head=True).encode()
        cursor = None
        while True:
            asked = {"p_export_id": export_id, "p_cursor": cursor, "p_limit": _PAGE}
            page = await self._call("get_recall_export", asked, headers, tries=_TRIES)
            yield csv_lines(page["rows"]).encode()
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def _call(
        self, rpc: str, arguments: Mapping[str, Any], headers: Mapping[str, str], tries: int
    ) -> Any:
        for attempt in range(tries):
            try:
                answer = await self._http.post(
                    f"rpc/{rpc}", json=arguments, headers=headers, timeout=_SECONDS
                )
                if answer.is_success:
                    return answer.json()
                error = from_response(answer)
            except httpx.TransportError as gone:
                error = unreachable(gone)
            if not error.temporary or attempt == tries - 1:
                raise error
            await asyncio.sleep(full_jitter(attempt, 0.2, 5.0))
        raise AssertionError("unreachable: the last try returns or raises")
