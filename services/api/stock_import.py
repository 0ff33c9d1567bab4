"""`POST /api/v1/stock/import`: a file of items or of stock, as it lies on somebody's computer.

The body is the file. It is read here as `takt stock import` reads it, and the database decides:
without `apply=true` every error of every row is told and nothing is changed.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.api.answers import problem
from services.api.files import Files, answered, unknown
from services.api.rest import caller_headers
from services.api.settings import ApiSettings
from takt.tables import kind_of

PATH = "/api/v1/stock/import"
QUERY = ("name", "kind", "apply")


class StockImport:
    """A file of the stock, tried or done."""

    def __init__(self, files: Files, settings: ApiSettings) -> None:
        self._files = files
        self._settings = settings

    async def import_file(self, request: Request) -> Response:
        """The answer of import_items or import_stock, with `kind` and the `lines` of its rows."""
        headers = caller_headers(request, self._settings)
        if headers is None:
            return problem(401, "auth.required", "Sign in first.")
        if wrong := _misfit(request.query_params, request.headers.get("idempotency-key")):
            return problem(400, "request.malformed", wrong)
        return await answered(self._import(request, headers))

    async def _import(self, request: Request, headers: Mapping[str, str]) -> Response:
        asked = request.query_params
        table = await self._files.table(request, headers)
        kind = asked.get("kind") or kind_of(table.rows)
        arguments = {"p_rows": table.rows, "p_dry_run": asked.get("apply") != "true"}
        if key := request.headers.get("idempotency-key"):
            arguments["p_request_id"] = key
        answer = await self._files.call(f"import_{kind}", arguments, headers)
        return JSONResponse({**answer, "kind": kind, "lines": table.lines})


def _misfit(asked: Mapping[str, str], key: str | None) -> str | None:
    if wrong := unknown(asked, QUERY):
        return wrong
    if asked.get("kind", "items") not in ("items", "stock"):
        return "kind is items or stock."
    if asked.get("apply", "false") not in ("true", "false"):
        return "apply is true or false."
    try:
        uuid.UUID(key or str(uuid.uuid4()))
    except ValueError:
        return "Idempotency-Key must be a UUID."
    return None
