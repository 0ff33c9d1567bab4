"""Labels of orders and lots, and what their codes mean at any station."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from tests.sql.inventory.stock import refused
from tests.support.databases import USER_IDS
from tests.support.lots import do
from tests.support.printing import AGENT, act, add_printer, begin, claim, route, state_of
from tests.support.production import CUT, order, report

OWN = {"product": "Shelf", "sku": "S", "quantity": "1", "due": ""}


@pytest.fixture
def printer(plant: psycopg.Connection) -> psycopg.Connection:
    """The plant, with a printer that takes labels of orders."""
    add_printer(plant, "prn-order")
    route(plant, "prn-order", label_type="production_order")
    return plant


def data_of(db: psycopg.Connection, subject: str) -> dict[str, str]:
    """What the newest label of a subject says."""
    row = db.execute(
        "select data from public.print_job_labels where subject = %s order by print_no desc",
        (subject,),
    ).fetchone()
    assert row is not None
    return dict(row[0])


def test_the_label_of_an_order(printer: psycopg.Connection) -> None:
    code = order(printer, 12, due_date="2026-12-04")
    assert do(printer, "get_production_order", "viewer", code=code)["label"] is None
    first = do(printer, "print_order_label", code=code)
    assert (first["changed"], first["job"]["label_type"]) == (True, "production_order")
    assert data_of(printer, code) == {
        "code": code, "product": "Table", "sku": "TABLE", "quantity": "12 pcs", "due": "2026-12-04",
    }  # fmt: skip
    shown = do(printer, "get_production_order", "viewer", code=code)["label"]
    assert shown == {"state": "wanted", "job_state": "queued", "job_id": first["job"]["id"]}
    again = do(printer, "print_order_label", code=code)
    assert (again["changed"], again["job"]["id"]) == (False, first["job"]["id"])
    assert "reprint" in again["message"]


def test_the_label_of_a_lot_of_an_order(printer: psycopg.Connection) -> None:
    code = order(printer, 10)
    report(printer, code, CUT, 10)
    do(printer, "split_lot", code=code, sku="TABLE", quantity=4, new_code="HALF")
    do(printer, "print_order_label", code=code, lot="half")
    said = data_of(printer, "TABLE HALF")
    assert (said["code"], said["product"], said["sku"]) == ("HALF", "Table", "TABLE")
    lots = do(printer, "get_production_order", "viewer", code=code)["lots"]
    assert {lot["code"]: lot["label"] is not None for lot in lots} == {code: False, "HALF": True}
    other = refused(printer, "operator", "print_order_label", p_code=code, p_lot="B-1")
    assert (other.status, other.code) == (404, "lot.unknown")


def test_who_is_refused_a_label(printer: psycopg.Connection) -> None:
    code = order(printer, 1)
    unknown = refused(printer, "operator", "print_order_label", p_code="P-none")
    assert (unknown.status, unknown.code) == (404, "production.unknown")
    assert refused(printer, "viewer", "print_order_label", p_code=code).status == 403
    nowhere = refused(printer, "operator", "print_order_label", p_code=code, p_printer="nowhere")
    assert nowhere.code == "printer.unknown"


def test_a_scan_of_an_order_leads_to_it(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    looked = do(plant, "get_order_for_scan", scan=f" {code}\r")
    assert (looked["ok"], looked["action"], looked["changed"]) == (True, "production_order", False)
    assert looked["details"]["target"] == {"page": "production_order", "code": code}
    assert looked["message"].startswith(f"{code}: 10 of Table, not started.")
    assert do(plant, "scan", code=code)["action"] == "production_order"
    told = plant.execute(
        "select stream_id, site from public.events where event = 'production_order.scanned'"
    ).fetchall()
    assert told == [(code, "main")]
    other = do(plant, "scan", code=code, expected_order="bannos-1")
    assert (other["status"], other["hint"]) == (409, "scan.wrong_order")


def test_a_scan_proves_that_its_label_came_out(printer: psycopg.Connection) -> None:
    code = order(printer, 1)
    number = do(printer, "print_order_label", code=code)["job"]["id"]
    taken = claim(printer, AGENT)
    assert taken is not None
    begin(printer, taken)
    act(printer, "print_unknown", taken, p_reason="the line broke")
    assert state_of(printer, number) == "unknown"
    do(printer, "scan", code=code)
    assert state_of(printer, number) == "printed"


@pytest.mark.parametrize("where", ["saw-1", "nowhere"])
def test_a_scan_at_a_work_centre_proves_it_too(printer: psycopg.Connection, where: str) -> None:
    """Who scans the order at the saw, allowed there or not, has its label in the hand."""
    code = order(printer, 1)
    number = do(printer, "print_order_label", code=code)["job"]["id"]
    taken = claim(printer, AGENT)
    assert taken is not None
    begin(printer, taken)
    act(printer, "print_unknown", taken, p_reason="the line broke")
    assert do(printer, "scan_step", code=code, work_centre=where)["ok"] is (where == "saw-1")
    assert state_of(printer, number) == "printed"


def test_a_code_of_no_order_proves_no_label(printer: psycopg.Connection) -> None:
    """Whatever somebody typed at a work centre proved the label of a thing of another site."""
    asked = do(printer, "request_print", label_type="production_order", subject="X-1", data=OWN)
    taken = claim(printer, AGENT)
    assert taken is not None
    begin(printer, taken)
    act(printer, "print_unknown", taken, p_reason="the line broke")
    said = do(printer, "scan_step", code="X-1", work_centre="saw-1")
    assert (said["ok"], said["hint"]) == (False, "production.unknown")
    assert state_of(printer, asked["job"]["id"]) == "unknown"


def test_a_scan_of_the_order_of_a_store_is_told_in_that_store(plant: psycopg.Connection) -> None:
    """The event had no store, so that people of every store of the site read it."""
    code = order(plant, 10, store="bannos")
    do(plant, "scan", code=code)
    told = plant.execute(
        "select site, store from public.events where event = 'production_order.scanned'"
    ).fetchall()
    assert told == [("main", "bannos")]


def test_a_repeated_print_answers_the_first_and_other_data_is_refused(
    printer: psycopg.Connection,
) -> None:
    request = uuid4()
    ask = {"label_type": "production_order", "subject": "X-1", "request_id": request}
    own = OWN
    first = do(printer, "request_print", **ask, data=own)
    assert first["changed"]
    assert do(printer, "request_print", **ask, data=own) == first
    other = refused(printer, "operator", "request_print", **{f"p_{k}": v for k, v in ask.items()},
                    p_data=own | {"quantity": "2"})  # fmt: skip
    assert (other.status, other.code) == (422, "request.reused")
    ask.pop("request_id")
    again = do(printer, "request_print", **ask, data=own)
    assert (again["changed"], again["job"]["id"]) == (False, first["job"]["id"])
    other = refused(printer, "operator", "request_print", **{f"p_{k}": v for k, v in ask.items()},
                    p_data=own | {"quantity": "2"})  # fmt: skip
    assert (other.status, other.code) == (409, "print.other_data")


def test_what_the_database_knows_of_an_order_is_no_other_data(printer: psycopg.Connection) -> None:
    """The order's own product wins over what was given; asked again, that was called other data."""
    code = order(printer, 12)
    ask = {"label_type": "production_order", "subject": code, "data": {"product": "Mine"}}
    first = do(printer, "request_print", **ask)
    assert data_of(printer, code)["product"] == "Table"
    assert do(printer, "request_print", **ask)["job"]["id"] == first["job"]["id"]


def test_a_scan_of_a_lot_leads_to_it_or_asks(plant: psycopg.Connection) -> None:
    do(plant, "receive_lot", sku="PANEL", code="B-7", quantity=5)
    one = do(plant, "get_order_for_scan", scan="b-7")
    assert (one["action"], one["details"]["target"]) == (
        "lot",
        {"page": "lot", "sku": "PANEL", "lot": "B-7"},
    )
    assert do(plant, "scan", code="B-7")["action"] == "lot"
    do(plant, "receive_lot", sku="LEG", code="B-7", quantity=5)
    several = do(plant, "get_order_for_scan", scan="B-7")
    assert (several["action"], several["hint"]) == ("ask", "lot.ambiguous")
    assert several["candidates"] == [
        {"sku": "LEG", "lot": "B-7"},
        {"sku": "PANEL", "lot": "B-7"},
    ]


def test_the_code_of_an_order_means_the_order_not_its_lot(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, 1)
    assert plant.execute("select 1 from public.lots where code = %s", (code,)).fetchone()
    assert do(plant, "get_order_for_scan", scan=code)["action"] == "production_order"


def test_who_may_not_see_an_order_finds_nothing(plant: psycopg.Connection) -> None:
    code = order(plant, 10, store="bannos")
    plant.execute(
        "update public.staff_shared set stores = '{flourlane}' where user_id = %s",
        (USER_IDS["operator"],),
    )
    hidden = do(plant, "get_order_for_scan", scan=code)
    assert (hidden["ok"], hidden["hint"]) == (False, "scan.unknown")
    assert do(plant, "get_order_for_scan", "viewer", scan=code)["ok"] is True
