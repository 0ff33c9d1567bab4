"""Tickets print themselves where that is set up, and printing never stops the work."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.databases import USER_IDS
from tests.support.orders import events as order_events
from tests.support.orders import make_order, ticket
from tests.support.printing import (
    Row,
    add_printer,
    alarms,
    begin,
    bring,
    claim,
    confirm,
    events,
    job,
    labels_of,
    mark_sent,
    request,
    route,
    state_of,
)
from tests.support.rpc import call

ORDER = "bannos-18617"


def printed_for(db: psycopg.Connection, order_id: str = ORDER) -> list[str]:
    """Label types asked for, in order."""
    rows = db.execute(
        "select j.label_type from public.print_jobs j where j.subject = %s order by j.id",
        (order_id,),
    ).fetchall()
    return [row[0] for row in rows]


def setting(db: psycopg.Connection, key: str, value: Any, store: str = "bannos") -> None:
    call(db, "admin", "set_setting", p_key=f"printing.{key}", p_value=Jsonb(value), p_store=store)


def print_barcode(db: psycopg.Connection, order_id: str = ORDER, **more: Any) -> Row:
    return dict(call(db, "operator", "handle_print_barcode", p_order_id=order_id, **more))


@pytest.fixture
def printers(db: psycopg.Connection) -> None:
    add_printer(db)
    route(db, "prn-1", label_type="order_ticket")


def test_without_a_route_nothing_is_asked_for(db: psycopg.Connection) -> None:
    add_printer(db)
    make_order(db)
    assert print_barcode(db)["changed"]
    assert printed_for(db) == []
    assert alarms(db) == []


@pytest.mark.usefixtures("printers")
def test_printing_the_barcode_asks_for_the_ticket(db: psycopg.Connection) -> None:
    make_order(db)
    first = print_barcode(db)
    assert (first["changed"], order_events(db, ORDER)) == (True, ["filling.started"])
    assert printed_for(db) == ["order_ticket"]
    row = job(db, 1)
    assert (row["priority"], row["store"], row["requested_by"] is not None) == (10, "bannos", True)
    again = print_barcode(db)
    assert (again["changed"], order_events(db, ORDER)[-1]) == (False, "barcode.printed")
    assert printed_for(db) == ["order_ticket"], "one more on paper is a reprint"


@pytest.mark.usefixtures("printers")
def test_a_second_print_of_the_barcode_makes_a_label_that_never_came_out(
    db: psycopg.Connection,
) -> None:
    make_order(db)
    print_barcode(db)
    call(db, "supervisor", "cancel_print", p_job_id=1)
    print_barcode(db)
    assert printed_for(db) == ["order_ticket", "order_ticket"]


@pytest.mark.usefixtures("printers")
def test_a_scan_asks_for_nothing(db: psycopg.Connection) -> None:
    """A scanned barcode is a printed barcode."""
    make_order(db)
    call(db, "operator", "scan", p_code="#B18617")
    assert order_events(db, ORDER) == ["filling.started"]
    assert printed_for(db) == []


@pytest.mark.usefixtures("printers")
@pytest.mark.parametrize(
    ("barcodes", "labels", "expected"),
    [(True, True, ["order_ticket", "box"]), (True, False, ["order_ticket"]),
     (False, True, ["box"]), (False, False, [])],
)  # fmt: skip
def test_the_settings_of_the_store_say_which_labels(
    db: psycopg.Connection, barcodes: bool, labels: bool, expected: list[str]
) -> None:
    route(db, "prn-1", label_type="box")
    setting(db, "print_barcodes", barcodes)
    setting(db, "print_labels", labels)
    make_order(db)
    print_barcode(db)
    assert printed_for(db) == expected


def test_the_store_may_name_its_printer(db: psycopg.Connection) -> None:
    add_printer(db, "prn-1")
    add_printer(db, "prn-2")
    route(db, "prn-1", label_type="order_ticket")
    setting(db, "printer_name", "PRN-2")
    make_order(db)
    print_barcode(db)
    assert job(db, 1)["printer"] == "prn-2"
    setting(db, "printer_name", "not there")
    make_order(db, "bannos-2")
    print_barcode(db, "bannos-2")
    assert job(db, 2)["printer"] == "prn-1"


@pytest.mark.usefixtures("printers")
def test_the_station_says_where(db: psycopg.Connection) -> None:
    add_printer(db, "prn-2")
    call(db, "admin", "register_station", p_code="fill-1", p_name="Filling", p_site="main")
    route(db, "prn-2", label_type="order_ticket", station="fill-1")
    make_order(db)
    print_barcode(db, p_station="fill-1")
    assert job(db, 1)["printer"] == "prn-2"


# Printing never stops the work --------------------------------------------------------------


@pytest.mark.usefixtures("printers")
def test_a_refused_label_is_an_alarm_and_not_an_error(db: psycopg.Connection) -> None:
    db.execute("update public.printers set dpi = null")
    make_order(db)
    assert print_barcode(db)["changed"]
    assert ticket(db, ORDER)["filling_started_at"] is not None
    assert printed_for(db) == []
    assert alarms(db) == ["print.refused"]
    assert events(db, ORDER) == ["print.refused"]
    db.execute("update public.printers set dpi = 203")
    request(db, ORDER, p_label_type="order_ticket")
    assert alarms(db) == []


@pytest.mark.usefixtures("printers")
def test_even_a_broken_printing_schema_does_not_stop_the_work(db: psycopg.Connection) -> None:
    db.execute(
        "create or replace function private.add_prints(p_place private.print_place,"
        " p_wish private.print_wish, p_labels jsonb, p_actor uuid) returns setof"
        " private.print_demand language plpgsql set search_path = ''"
        " as $$ begin perform 1 / 0; end $$"
    )
    make_order(db)
    assert print_barcode(db)["changed"]
    alarm = call(db, "operator", "get_print_alarms")[0]
    assert "division by zero" in alarm["message"]


# As soon as the order arrives ---------------------------------------------------------------


@pytest.mark.usefixtures("printers")
def test_auto_print_prints_manual_orders_as_they_arrive(db: psycopg.Connection) -> None:
    setting(db, "auto_print", True)
    for store in ("bannos", "flourlane"):
        call(
            db, "planner", "create_manual_order", p_store=store, p_product_title="Bun", p_quantity=2
        )
    rows = db.execute("select subject, priority from public.print_jobs order by id").fetchall()
    assert rows == [("bannos-M1-A", 50), ("bannos-M1-B", 50)]


@pytest.mark.usefixtures("printers")
def test_auto_print_prints_imported_orders(db: psycopg.Connection) -> None:
    setting(db, "auto_print", True)
    call(db, "admin", "save_shop", p_store="bannos", p_source="generic")
    row = {"order_number": "77", "description": "Bun", "quantity": 1, "customer_name": "Ana"}
    arguments: Row = {"p_store": "bannos", "p_source": "generic", "p_rows": Jsonb([row])}
    call(db, "admin", "import_orders", **arguments)
    assert printed_for(db, "bannos-77") == [], "a dry run prints nothing"
    call(db, "admin", "import_orders", **arguments, p_dry_run=False)
    subjects = db.execute("select subject from public.print_jobs").fetchall()
    assert subjects == [("bannos-77",)]


@pytest.mark.usefixtures("printers")
def test_a_refused_label_does_not_lose_the_order(db: psycopg.Connection) -> None:
    setting(db, "auto_print", True)
    db.execute("update public.printers set is_enabled = false")
    made = call(db, "planner", "create_manual_order", p_store="bannos", p_product_title="Bun")
    assert len(made) == 1
    assert alarms(db) == ["print.refused"]


# A lost label turns up ----------------------------------------------------------------------


@pytest.mark.usefixtures("printers")
@pytest.mark.parametrize(("reason", "expected"), [("lost", 1), ("wrong_place", 1), ("damaged", 0)])
def test_a_lost_label_that_turns_up_is_told_once(
    db: psycopg.Connection, reason: str, expected: int
) -> None:
    make_order(db)
    done = bring(db, "printed", ORDER, p_label_type="order_ticket")
    again = call(db, "operator", "reprint", p_job_id=done["job_id"], p_reason=reason)
    taken = claim(db)
    assert taken is not None
    assert taken["job_id"] == again["job"]["id"]
    begin(db, taken, 101)
    mark_sent(db, taken)
    confirm(db, taken, 102)
    told = []
    for _ in range(3):
        db.execute("select private.settle_by_scan(%s, %s)", (ORDER, USER_IDS["operator"]))
        told.append(alarms(db).count("print.duplicate"))
    assert told == [0, expected, expected]
    assert events(db, str(taken["job_id"])).count("print.duplicate") == expected


# Who asks to be forgotten -------------------------------------------------------------------


@pytest.mark.usefixtures("printers")
def test_the_names_of_forgotten_customers_leave_the_labels(db: psycopg.Connection) -> None:
    for n in (1, 2, 3):
        make_order(db, f"bannos-{n}", customer_name=f"Ana {n}", cake_writing="For Ana")
    wish: Row = {"p_label_type": "order_ticket"}
    done = bring(db, "printed", "bannos-1", **wish)
    waiting = bring(db, "queued", "bannos-2", **wish)
    other = bring(db, "held", "bannos-3", **wish)
    request(db, "bannos-1", **wish, p_request_id=uuid4())
    db.execute("select private.redact_orders('bannos', '{ext-1,ext-2}', null)")
    kept = db.execute("select args from private.commands where rpc = 'request_print'").fetchall()
    assert kept == [([],)]
    for taken, state in [(done, "printed"), (waiting, "cancelled")]:
        row = job(db, taken["job_id"])
        assert (row["state"], row["payload"]) == (state, None)
        assert row["payload_sha256"], "the digest stays: it names nobody"
    rows = db.execute("select data from public.print_job_labels order by job_id").fetchall()
    assert ["customer" in data for (data,) in rows] == [False, False, True]
    assert state_of(db, other["job_id"]) == "held"
    assert labels_of(db, waiting["job_id"]) == ["void"]
    again = call(db, "operator", "reprint", p_job_id=done["job_id"], p_reason="lost")
    assert "Ana" not in job(db, again["job"]["id"])["payload"]
