"""`GET /api/v1/exports/{oee|stops|repairs}.{csv|xlsx}`: figures, stops and repairs as a file.

The rows are those of the RPCs, for the caller; here they only become lines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import Response

from services.api.answers import problem, refusal
from services.api.rest import caller_headers
from services.api.settings import ApiSettings
from takt.errors import RpcError, from_response, unreachable
from takt.tables import csv_file
from takt.workbook import sheet_file

PATH = "/api/v1/exports/{what}.{form}"
_TIME = ("machine", "from", "to", "site")
_SECONDS = httpx.Timeout(90, connect=5)
_MOST = 10_000  # rows of a file
_PAGE = 200
_FORMS = {
    "csv": ("text/csv; charset=utf-8", csv_file),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", sheet_file),
}


@dataclass(frozen=True)
class File:
    """An RPC, what may be asked, and its columns as (name, where in a row)."""

    rpc: str
    query: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    limit: int | None = None


def _same(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, name) for name in names)


def _within(part: str, *names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"{part}.{name}") for name in names)


FILES = {
    "oee": File(
        "get_oee",
        (*_TIME, "line", "work_centre", "by", "as_of"),
        (
            *_same("key", "machines", "starts_at", "ends_at"),
            *_within("ratios", "availability", "performance", "quality", "oee", "teep", "nee"),
            *_within("inputs", "scheduled_s", "planned_s", "run_s", "setup_s"),
            *_within("inputs", "availability_loss_s", "performance_loss_s", "no_data_s"),
            *_within("inputs", "stops", "micro_stops", "micro_s", "total", "good", "scrap"),
            *_within("inputs", "rework", "ideal_s", "without_ideal", "unscheduled_pieces"),
        ),
    ),
    "stops": File(
        "get_stops",
        (*_TIME, "only_unclassified"),
        (
            *_same("machine", "stop_id", "starts_at", "ends_at", "seconds", "lost_s", "kind"),
            *_same("reason", "title", "time_class", "state", "comment", "repair_ids"),
        ),
        limit=1000,
    ),
    "repairs": File(
        "get_repairs",
        (*_TIME, "line", "type", "is_open", "search"),
        (
            *_within("repair", "id", "machine"),
            *_same("machine_name", "line"),
            *_within("repair", "type", "status", "waits_for", "priority"),
            *(("symptom", "symptom"), ("description", "repair.description")),
            *_within("repair", "is_down", "occurred_at", "reported_at", "acknowledged_at"),
            *_within("repair", "started_at", "repaired_at", "verified_at", "closed_at"),
            *_within("repair", "cause", "actions_taken", "performed_by", "cost", "reopened"),
            *_same("assignee", "reported_by", "reaction_min", "downtime_h"),
        ),
    ),
}


class MachineExport:
    """Reads as the caller and answers a file."""

    def __init__(self, http: httpx.AsyncClient, settings: ApiSettings) -> None:
        self._http = http
        self._settings = settings

    async def export(self, request: Request, what: str, form: str) -> Response:
        """The file, or the refusal of the RPC; more than 10,000 rows are refused."""
        headers = caller_headers(request, self._settings)
        if headers is None:
            return problem(401, "auth.required", "Sign in first.")
        file, given = FILES.get(what), dict(request.query_params)
        if file is None or form not in _FORMS:
            text = f"There are {', '.join(FILES)}, as {' or '.join(_FORMS)}."
            return problem(404, "request.unknown_path", text)
        if unknown := sorted(set(given) - set(file.query)):
            text = f"Unknown: {', '.join(unknown)}. Accepted: {', '.join(file.query)}."
            return problem(400, "request.malformed", text)
        try:
            rows = await self._rows(file, {f"p_{k}": v for k, v in given.items()}, headers)
        except RpcError as error:
            return refusal(error)
        if rows is None:
            return problem(422, "export.too_many", "That is too much for a file: ask for less.")
        kind, write = _FORMS[form]
        names = [name for name, _ in file.columns]
        lines = [[cell(row, path) for _, path in file.columns] for row in rows]
        content = await asyncio.to_thread(write, names, lines)
        disposition = {"content-disposition": f'attachment; filename="{what}.{form}"'}
        return Response(content, 200, disposition, kind)

    async def _rows(
        self, file: File, arguments: Mapping[str, Any], headers: Mapping[str, str]
    ) -> list[dict[str, Any]] | None:
        """All rows; None when there are more than a file takes."""
        if file.rpc != "get_repairs":
            asked = {**arguments, **({"p_limit": file.limit} if file.limit else {})}
            rows = list(await self._call(file.rpc, asked, headers))
            return None if len(rows) >= (file.limit or _MOST) else rows
        found: list[dict[str, Any]] = []
        asked = {**arguments, "p_limit": _PAGE}
        while len(found) <= _MOST:
            page = await self._call(file.rpc, asked, headers)
            found += page["repairs"]
            if page["next_cursor"] is None:
                return found
            asked["p_cursor"] = page["next_cursor"]
        return None

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


def cell(row: Mapping[str, Any], path: str) -> Any:
    """What stands in a line: the value at a path of the row; lists as one text."""
    value: Any = row
    for name in path.split("."):
        value = None if value is None else value[name]
    return "; ".join(map(str, value)) if isinstance(value, list) else value
