"""Printers, routes, rolls, and the agent's word about them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.support.printing import (
    AGENT,
    OTHER_AGENT,
    Row,
    add_printer,
    bring,
    claim,
    events,
    refusal,
    route,
    second_agent,
)
from tests.support.rpc import Refused, call

PRINTER: Row = {
    "p_code": "prn-1", "p_name": "Bench", "p_site": "main", "p_language": "zpl",
    "p_address": "10.0.0.9:9100", "p_device": "print_agent", "p_dpi": 203,
}  # fmt: skip


def printer(db: psycopg.Connection, code: str = "prn-1") -> Row:
    row = db.execute(
        "select to_jsonb(p) from public.printers p where p.code = %s", (code,)
    ).fetchone()
    assert row is not None
    return dict(row[0])


# Setting up ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "level"), [("zpl", 2), ("tspl", 1), ("spooler", 0), ("file", 0)]
)
def test_a_printer_is_added_with_what_its_language_can_prove(
    db: psycopg.Connection, language: str, level: int
) -> None:
    row = call(db, "planner", "upsert_printer", **PRINTER | {"p_language": language})
    assert (row["evidence_level"], row["owner_epoch"], row["status"]) == (level, 1, "unknown")
    assert events(db, "prn-1") == ["printer.changed"]


def test_a_printer_is_changed_and_keeps_its_resolution(db: psycopg.Connection) -> None:
    request_id = uuid4()
    first = call(db, "planner", "upsert_printer", **PRINTER, p_request_id=request_id)
    assert call(db, "planner", "upsert_printer", **PRINTER, p_request_id=request_id) == first
    changed = call(db, "manager", "upsert_printer", **PRINTER | {"p_name": "New", "p_dpi": None})
    assert (changed["name"], changed["dpi"], changed["owner_epoch"]) == ("New", 203, 1)
    said = refusal(
        db, "planner", "upsert_printer", **PRINTER | {"p_name": "X"}, p_request_id=request_id
    )
    assert said == "422 request.reused"


def test_another_owner_is_another_epoch(db: psycopg.Connection) -> None:
    second_agent(db)
    add_printer(db)
    changed = add_printer(db, p_device="agent2")
    assert changed["owner_epoch"] == 2
    new: Row = {"p_label_type": "item", "p_subject": "S-1", "p_printer": "prn-1"}
    call(db, "operator", "request_print", **new, p_data={"name": "x", "sku": "1"})
    assert claim(db, AGENT) is None
    assert claim(db, OTHER_AGENT) is not None


BAD_PRINTERS: list[tuple[Row, str]] = [
    ({"p_site": "nowhere"}, "404 site.unknown"),
    ({"p_device": "kiosk"}, "422 printer.agent"),
    ({"p_device": "nothing"}, "422 printer.agent"),
    ({"p_device": "revoked_device"}, "422 printer.agent"),
    ({"p_dpi": 200}, "printers_dpi_check"),
    ({"p_language": "epl"}, "printers_language_check"),
    ({"p_code": "PRN 1"}, "printers_code_check"),
    ({"p_name": ""}, "printers_name_check"),
    ({"p_evidence_level": 3}, "printers_evidence_level_check"),
    ({"p_media_width_mm": 0}, "printers_media_width_mm_check"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD_PRINTERS)
def test_a_printer_that_is_refused(db: psycopg.Connection, arguments: Row, said: str) -> None:
    with pytest.raises(Refused) as refused:
        call(db, "admin", "upsert_printer", **PRINTER | arguments)
    assert said in (refused.value.constraint, f"{refused.value.status} {refused.value.code}")


def test_a_printer_at_work_is_not_moved(db: psycopg.Connection) -> None:
    add_printer(db)
    route(db, "prn-1")
    bring(db, "sending")
    said = refusal(db, "planner", "upsert_printer", **PRINTER | {"p_address": "elsewhere"})
    assert said == "409 printer.busy"
    assert add_printer(db, p_name="Only the name")["name"] == "Only the name"


COMMANDS: dict[str, Row] = {
    "remove_printer": {},
    "halt_printer": {"p_reason": "cleaning"},
    "resume_printer": {},
    "set_loaded_media": {"p_media": "gold"},
}
MAY = {
    "remove_printer": "planner", "halt_printer": "supervisor", "resume_printer": "supervisor",
    "set_loaded_media": "operator",
}  # fmt: skip


@pytest.mark.parametrize("rpc", COMMANDS)
def test_a_command_for_a_printer(db: psycopg.Connection, rpc: str) -> None:
    add_printer(db)
    if rpc == "resume_printer":
        call(db, "supervisor", "halt_printer", p_printer="prn-1")
    request_id = uuid4()
    more: Row = {"p_printer": "prn-1", **COMMANDS[rpc], "p_request_id": request_id}
    first = call(db, MAY[rpc], rpc, **more)
    told = events(db, "prn-1")
    assert call(db, MAY[rpc], rpc, **more) == first
    assert events(db, "prn-1") == told
    reused = refusal(db, MAY[rpc], rpc, **more | {"p_printer": "prn-2"})
    assert reused == "422 request.reused"
    nothing: Row = {"p_printer": "nothing", **COMMANDS[rpc]}
    assert refusal(db, MAY[rpc], rpc, **nothing) == "404 printer.unknown"
    for who in ("viewer", "print_agent", "bambu_bridge"):
        said = refusal(db, who, rpc, p_printer="prn-1", **COMMANDS[rpc])
        assert said == "403 auth.forbidden"


@pytest.mark.parametrize("rpc", COMMANDS)
def test_a_printer_of_another_site_is_out_of_reach(db: psycopg.Connection, rpc: str) -> None:
    call(db, "admin", "register_site", p_code="west", p_name="West", p_time_zone="UTC")
    add_printer(db, "far", p_site="west", p_device=None)
    db.execute("update public.staff_shared set stores = '{bannos}' where role <> 'admin'")
    more: Row = {"p_printer": "far", **COMMANDS[rpc]}
    assert refusal(db, MAY[rpc], rpc, **more) == "403 auth.other_site"
    take: Row = PRINTER | {"p_code": "far"}
    assert refusal(db, "planner", "upsert_printer", **take) == "403 auth.other_site"


def test_a_halt_says_why(db: psycopg.Connection) -> None:
    add_printer(db)
    assert call(db, "supervisor", "halt_printer", p_printer="prn-1")["halted_reason"] == "by hand"
    board = call(db, "viewer", "get_printers_board")
    assert (board[0]["state"], board[0]["message"]) == (
        "halted", "Stopped here: by hand. Resume it when it may print.",
    )  # fmt: skip
    call(db, "supervisor", "resume_printer", p_printer="prn-1")
    assert call(db, "viewer", "get_printers_board")[0]["state"] == "ready"


# Routes -------------------------------------------------------------------------------------


def routes(db: psycopg.Connection, *printers: str, who: str = "planner", **more: Any) -> list[Row]:
    arguments: Row = {
        "p_site": "main",
        "p_label_type": "item",
        "p_printers": list(printers),
        **more,
    }
    return list(call(db, who, "set_print_routes", **arguments))


def test_a_route_is_replaced_as_a_whole(db: psycopg.Connection) -> None:
    for name in ("prn-1", "prn-2"):
        add_printer(db, name)
    assert [r["printer"] for r in routes(db, "prn-2", "prn-1", "prn-2")] == ["prn-2", "prn-1"]
    request_id = uuid4()
    assert [r["printer"] for r in routes(db, "prn-1", p_request_id=request_id)] == ["prn-1"]
    assert [r["printer"] for r in routes(db, "prn-1", p_request_id=request_id)] == ["prn-1"]
    assert routes(db) == []
    rows = db.execute("select count(*) from public.print_routes").fetchone()
    assert rows == (0,)


def test_a_route_that_is_refused(db: psycopg.Connection) -> None:
    add_printer(db)
    call(db, "admin", "register_site", p_code="west", p_name="West", p_time_zone="UTC")
    add_printer(db, "far", p_site="west", p_device=None)
    arguments: Row = {"p_site": "main", "p_label_type": "item", "p_printers": ["prn-1"]}
    changed: list[tuple[Row, str]] = [
        ({"p_printers": ["nothing"]}, "404 printer.unknown"),
        ({"p_printers": ["far"]}, "422 print.other_site"),
        ({"p_station": "nowhere"}, "404 print.no_station"),
    ]
    for changes, said in changed:
        assert refusal(db, "planner", "set_print_routes", **arguments | changes) == said
    with pytest.raises(Refused) as refused:
        routes(db, "prn-1", p_label_type="Not a type")
    assert refused.value.constraint == "print_routes_label_type_check"
    for who in ("operator", "supervisor", "print_agent"):
        assert refusal(db, who, "set_print_routes", **arguments) == "403 auth.forbidden"


def test_a_station_learns_what_it_prints_with(db: psycopg.Connection) -> None:
    call(db, "admin", "register_station", p_code="pack-1", p_name="Packing", p_site="main")
    for name in ("prn-1", "prn-2"):
        add_printer(db, name)
    routes(db, "prn-1")
    routes(db, "prn-2", "prn-1", p_station="pack-1")
    routes(db, "prn-1", p_label_type="box")
    here = {
        r["label_type"]: r for r in call(db, "viewer", "get_station_printing", p_station="pack-1")
    }
    assert (here["item"]["printer"], here["box"]["printer"]) == ("prn-2", "prn-1")
    assert [p["code"] for p in here["item"]["printers"]] == ["prn-2", "prn-1"]
    assert here["item"]["template"] == "item"
    assert here["item"]["state"] == "ready"
    anywhere = {r["label_type"]: r["printer"] for r in call(db, "viewer", "get_station_printing")}
    assert anywhere == {"item": "prn-1", "box": "prn-1"}
    said = refusal(db, "viewer", "get_station_printing", p_station="nowhere")
    assert said == "404 print.no_station"
