"""The REST routes: one line each. A route names an RPC and where its arguments come from.

`{name}` in the path, the names in `query` and the names in `body` become `p_<name>` unless
`rename` says otherwise. `{name:path}` may hold slashes, written as they are: the longer path
stands first. The caller's own token is passed on; the database decides.
"""

from __future__ import annotations

from services.api.machine_routes import MACHINE_TIME
from services.api.route import Route

_ORDER = {"id": "p_order_id"}
_PRINT = {"id": "p_job_id"}
_MOVE = {"item": "p_sku"}
_READ = ("hw_rev", "fw_version", "fw_build_hash")
_PAGE = ("cursor", "limit", "with_total")
_OP = {"id": "p_code", "step": "p_sequence"}


def _order(action: str, rpc: str, summary: str, *body: str) -> Route:
    path = f"/api/v1/orders/{{id}}/{action}"
    return Route("POST", path, rpc, summary, body=(*body, "request_id"), rename=_ORDER)


def _print(action: str, rpc: str, summary: str, *body: str) -> Route:
    names = ("!fence", *(f"!{name}" for name in body))
    return Route("POST", f"/print-jobs/{{id}}/{action}", rpc, summary, body=names, rename=_PRINT)


def _unit(action: str, rpc: str, summary: str, *body: str) -> Route:
    return Route("POST", f"/units/{{sn}}/{action}", rpc, summary, body=(*body, "request_id"))


def _op(action: str, rpc: str, summary: str, *body: str, **rename: str) -> Route:
    names = (*body, "request_id")
    path = f"/api/v1/ops/{{id:path}}/{action}"
    return Route("POST", path, rpc, summary, body=names, rename={**_OP, **rename})


def _read(path: str, rpc: str, summary: str, *query: str) -> Route:
    return Route("GET", f"/api/v1/{path}", rpc, summary, query=query, rename=_ORDER)


_STEP = "steps/{step}"
_STEP_SCAN = Route(
    "POST",
    "/scans",
    "scan_step",
    "An order was scanned at a work centre, with its lot and material",
    body=(
        *("!op", "!work_centre", "step", "lot", "material", "material_lot", "gs1"),
        "request_id",
    ),
    rename={"op": "p_code", "step": "p_sequence"},
    gs1="gs1",
)
PRODUCTION: tuple[Route, ...] = (
    Route(
        "GET",
        "/api/v1/ops",
        "get_production_board",
        "Production orders: what can run now, and why not",
        query=(
            *("status*", "type*", "due_from", "due_to", "search", "can_run", "sort", "site"),
            *("cursor", "limit"),
        ),
        rename={"status": "p_statuses", "type": "p_types"},
    ),
    Route(
        "GET",
        "/api/v1/ops/{id:path}",
        "get_production_order",
        "An order: its steps with their counts, lots, replenishments, events",
        rename=_OP,
    ),
    Route(
        "POST",
        "/api/v1/ops/import",
        "import_production_orders",
        "Orders of another system, tried or done, with a report per row",
        body=("!system", "!rows", "dry_run", "request_id"),
    ),
    _op("label", "print_order_label", "Its label, or that of a lot", "lot", "station", "printer"),
    _read("routings", "get_routings", "How items are made", "search", *_PAGE),
    _op("release", "release_order", "To the floor, as far as parts allow"),
    _op("priority", "change_priority", "What is made first", "!priority"),
    _op("close", "close_order", "It ends before all is made", "!reason"),
    _op("reopen", "reopen_order", "It goes on", "!reason", "quantity"),
    _op(f"{_STEP}/start", "start_step", "Pieces enter a step", "!work_centre", "quantity", "lot"),
    _op(f"{_STEP}/pause", "pause_step", "The step rests", "reason"),
    _op(
        f"{_STEP}/count",
        "record_count",
        "Pieces, or the reading of a counter",
        *("!work_centre", "quantity", "counter", "pieces_per_cycle", "source", "read_at", "lot"),
        quantity="p_delta",
    ),
    _op(
        f"{_STEP}/report",
        "report_production",
        "Good, scrap and rework in one",
        *("!work_centre", "good", "scrap", "rework", "reason", "cause", "defect_position"),
        *("counter_start", "counter_end", "pieces_per_cycle", "photo", "lot", "notes"),
    ),
    _op(
        f"{_STEP}/quality",
        "record_quality",
        "Pieces that are not simply good, and what becomes of them",
        *("!disposition", "!quantity", "reason", "cause", "defect_position", "work_centre"),
        *("from", "record", "lot", "notes", "photo"),
    ),
    _op(f"{_STEP}/complete", "complete_step", "The step is done", "good", "reason"),
    _STEP_SCAN,
    Route(
        "GET",
        "/api/v1/approvals",
        "get_approvals",
        "What waits for a decision",
        query=("status*", "type*", "site", "cursor", "limit"),
        rename={"status": "p_statuses", "type": "p_types"},
    ),
    Route(
        "POST",
        "/api/v1/approvals",
        "request_approval",
        "Ask for overtime, equipment or a special operation",
        body=(
            *("!type", "!justification", "work_centre", "op", "step", "operation"),
            *("starts_at", "ends_at", "site", "request_id"),
        ),
        rename={"op": "p_order", "step": "p_sequence"},
        status=201,
    ),
    Route(
        "POST",
        "/api/v1/approvals/{id}/decide",
        "decide_approval",
        "Approve or reject: the caller decides, and never who asked",
        body=("!decision", "!version", "notes", "request_id"),
    ),
    Route(
        "GET",
        "/api/v1/quality",
        "get_quality",
        "Pareto of reasons, yields, scrap and rework by step",
        query=("site", "from", "to", "sku", "op", "by"),
        rename={"op": "p_code"},
    ),
    Route(
        "GET",
        "/api/v1/events",
        "get_execution_events",
        "What happened to orders, in the old words, by cursor",
        query=("cursor", "type*", "op", "limit"),
        rename={"type": "p_types", "op": "p_code"},
    ),
    Route(
        "POST",
        "/api/v1/scans/gs1",
        "scan_gs1",
        "A GS1 code was scanned: a lot, a unit, a box or an item",
        body=("!code", "station", "request_id"),
        rename={"code": "p_gs1"},
        gs1="code",
    ),
    *(
        Route("GET", f"/api/v1/traceability/{path}", rpc, summary, query=query, rename=rename)
        for path, rpc, summary, query, rename in (
            (
                *("lots/{id:path}/timeline", "get_lot_timeline", "What happened to it"),
                *(("sku", "before", "limit"), {"id": "p_code"}),
            ),
            (
                *("lots/{id:path}", "get_lot", "A lot: mass balance, genealogy, timeline, hold"),
                *(("sku", "limit", "with_removed"), {"id": "p_code"}),
            ),
            (
                *("ops/{id:path}/timeline", "get_production_order_timeline"),
                *("What happened to it", ("before", "limit"), {"id": "p_code"}),
            ),
            (
                *("ops/{id:path}", "trace_production_order"),
                *("Steps, lots, replenishments, events", ("limit", "with_removed")),
                {"id": "p_code"},
            ),
            (
                *("labels/{id:path}", "trace_label", "From a label to its order, lots and events"),
                *((), {"id": "p_label"}),
            ),
        )
    ),
)

ROUTES: tuple[Route, ...] = (
    _read("me", "whoami", "Who am I, and what may I do"),
    Route(
        "POST",
        "/api/v1/scans",
        "scan",
        "A code was scanned at a station; with `op`, an order at a work centre",
        body=("!code", "station", "expected_order", "request_id"),
        instead=_STEP_SCAN,
    ),
    _read(
        "queue",
        "get_queue",
        "Open tickets, most urgent first",
        *("store", "stage", "assignee_id", "search", "priority", "storage", *_PAGE),
    ),
    _read("unassigned", "get_unassigned_list", "Tickets nobody has", "store", "stage", *_PAGE),
    _read("unassigned/counts", "get_unassigned_counts", "How many per stage", "store"),
    _read("dashboard/orders", "get_orders_for_dashboard", "Tickets of the board", "store", *_PAGE),
    _read("dashboard/stages", "get_stage_counts", "Counts per store and stage", "store"),
    Route(
        "GET",
        "/api/v1/orders/{id}",
        "get_order_for_scan",
        "What a code means",
        rename={"id": "p_scan"},
    ),
    _read("orders/{id}/timeline", "get_order_timeline", "What happened", "before", "limit"),
    _read("orders/{id}/blockers", "why_not_shipping", "What keeps it from going out"),
    _order("print-barcode", "handle_print_barcode", "The barcode was printed", "station"),
    _order("complete-filling", "complete_filling", "Filling is done", "notes"),
    _order("start-covering", "start_covering", "Covering begins"),
    _order("complete-covering", "complete_covering", "Covering is done", "notes"),
    _order("start-decorating", "start_decorating", "Decorating begins"),
    _order("complete-decorating", "complete_decorating", "Decorating is done", "notes"),
    _order("start-packing", "start_packing", "Packing begins"),
    _order("complete-packing", "complete_packing", "Packing is done", "notes"),
    _order("qc-return", "qc_return_to_decorating", "Back to Decorating", "!reason", "notes"),
    _order("assign", "assign_staff", "Take it, or give it to somebody", "staff_id"),
    _order("unassign", "unassign_staff", "Give it back"),
    _order("storage", "set_storage", "Where it stands", "storage"),
    _order("priority", "set_priority", "Fix the priority; none = by date", "priority"),
    _order("due-date", "set_due_date", "Change the due date", "due_date", "due_time"),
    _order("cancel", "cancel_order", "Cancel it", "!reason"),
    _order("acknowledge", "acknowledge_order_change", "The change was seen"),
    _order("undo", "undo_last", "Take back the last action"),
    Route(
        "POST",
        "/print-jobs",
        "request_print",
        "Print one label",
        body=(
            *("!label_type", "!subject", "data", "copies", "station", "printer", "template"),
            *("priority", "request_id"),
        ),
    ),
    Route("GET", "/print-jobs/next", "claim_print_job", "Work for an agent", query=("!nonce",)),
    _print("done", "confirm_print", "What the printer shows after a label", "evidence"),
    _print("fail", "fail_print", "A label that cannot be printed", "reason"),
    Route(
        "POST",
        "/units/create-generic",
        "create_generic_units",
        "New units with new serials",
        body=(
            *("count", "product_code", "site", "production_order", "request_labels", "station"),
            "request_id",
        ),
        status=201,
    ),
    Route("GET", "/units/{sn}", "get_unit", "A unit: tests, live gate, events, genealogy"),
    _unit("assign-variant", "assign_unit_variant", "What the unit becomes", "!variant"),
    _unit("flash", "record_flash", "It was flashed, or could not be", "ok", *_READ, "detail"),
    _unit("assemble", "record_assembly", "It was assembled", "notes"),
    _unit("pack/scan-kit", "scan_pack_kit", "A kit for its box", "!kit_id"),
    _unit("pack/finalize", "finalize_pack", "Pack it; 409 with all blockers when it may not be"),
    _unit(
        "move-to-stock", "move_unit_to_stock", "Into finished stock", "finished_item", "location"
    ),
    Route(
        "POST",
        "/test-results",
        "record_test_result",
        "A unit was tested on a fixture",
        body=(
            *("!sn", "!result", "test", "metrics", "fw_readback", *_READ, "started_at"),
            "request_id",
        ),
        status=201,
        bearer_header="x-fixture-token",
    ),
    Route(
        "POST",
        "/inventory/move",
        "transfer_stock",
        "Stock goes from one place to another",
        body=("!item", "!quantity", "!from", "!to", "reason", "request_id"),
        rename=_MOVE,
    ),
    *MACHINE_TIME,
    Route("GET", "/auth/me", "whoami", "Who am I, and what may I do"),
    *PRODUCTION,
)
