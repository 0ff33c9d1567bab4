"""The REST routes: one line each. A route names an RPC and where its arguments come from.

`{name}` in the path, the names in `query` and the names in `body` become `p_<name>` unless
`rename` says otherwise. The caller's own token is passed on; the database decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Route:
    """`body`: names accepted in the JSON object; a leading "!" marks a required one."""

    method: str
    path: str
    rpc: str
    summary: str
    query: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    status: int = 200

    def argument(self, name: str) -> str:
        """The RPC's argument for a name of the route."""
        return self.rename.get(name, f"p_{name}")


_ORDER = {"id": "p_order_id"}
_QUEUE = ("store", "stage", "assignee", "search", "priority", "storage", "limit", "after")


def _order(action: str, rpc: str, summary: str, *body: str) -> Route:
    path = f"/api/v1/orders/{{id}}/{action}"
    return Route("POST", path, rpc, summary, body=(*body, "request_id"), rename=_ORDER)


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/v1/me", "whoami", "Who am I, and what may I do"),
    Route(
        "POST",
        "/api/v1/scans",
        "scan",
        "A code was scanned at a station",
        body=("!code", "station", "request_id"),
    ),
    Route("GET", "/api/v1/queue", "get_queue", "Open tickets", query=_QUEUE),
    Route(
        "GET", "/api/v1/orders/{id}", "get_order_for_scan", "One ticket", rename={"id": "p_code"}
    ),
    _order("print-barcode", "handle_print_barcode", "The barcode was printed", "station"),
    _order("complete-filling", "complete_filling", "Filling is done", "notes"),
    _order("start-covering", "start_covering", "Covering begins"),
    _order("complete-covering", "complete_covering", "Covering is done", "notes"),
    _order("start-decorating", "start_decorating", "Decorating begins"),
    _order("complete-decorating", "complete_decorating", "Decorating is done", "notes"),
    _order("start-packing", "start_packing", "Packing begins"),
    _order("complete-packing", "complete_packing", "Packing is done", "notes"),
    _order("qc-return", "qc_return_to_decorating", "Back to Decorating", "!reason", "notes"),
)
