"""Whole orders: released as far as parts allow, closed, opened again, cancelled, made urgent."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from tests.sql.inventory.stock import refused
from tests.support.production import (
    ASSEMBLE,
    CUT,
    PACK,
    events_of,
    make_plant,
    order,
    order_row,
    release,
    report,
    route,
    step,
)
from tests.support.rpc import call


def on_hand(db: psycopg.Connection, sku: str) -> int:
    row = db.execute("select on_hand from public.inventory_stock where sku = %s", (sku,)).fetchone()
    assert row is not None
    return int(row[0])


def close(db: psycopg.Connection, code: str, reason: str = "Enough") -> dict[str, object]:
    return dict(call(db, "planner", "close_order", p_code=code, p_reason=reason))


def test_the_routing_is_copied_when_the_order_is_released(plant: psycopg.Connection) -> None:
    code = order(plant, 10, released=False)
    answer = release(plant, code)
    assert (answer["changed"], answer["progress"]["waits_for"]) == (True, [])
    route(plant, "TABLE", ("PACK", []))  # made otherwise from now on
    steps = plant.execute(
        "select sequence, step, is_first, is_last, materials, planned, released"
        " from public.production_order_steps order by sequence"
    ).fetchall()
    assert steps == [
        (CUT, "CUT", True, False, [{"line": 2, "sku": "PANEL", "quantity": 1}], 10, 10),
        (ASSEMBLE, "ASSEMBLE", False, False, [{"line": 1, "sku": "LEG", "quantity": 4}], 10, 10),
        (PACK, "PACK", False, True, [], 10, 10),
    ]
    assert release(plant, code)["changed"] is False
    assert events_of(plant, code).count("production.released") == 1


def test_parts_leave_stock_when_they_are_released(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    assert (on_hand(plant, "PANEL"), on_hand(plant, "LEG")) == (990, 960)
    call(plant, "planner", "cancel_production_order", p_code=code, p_reason="Off")
    assert (on_hand(plant, "PANEL"), on_hand(plant, "LEG")) == (1000, 1000)


def test_only_what_components_allow_is_released_and_the_rest_waits(
    db: psycopg.Connection,
) -> None:
    make_plant(db, stock=30)  # panels for 30, legs for seven and a half
    code = order(db, 10)
    assert (step(db, code, CUT)["released"], step(db, code, ASSEMBLE)["released"]) == (10, 7)
    (waits,) = release(db, code)["progress"]["waits_for"]
    assert waits == {
        "sequence": ASSEMBLE,
        "step": "ASSEMBLE",
        "sets": 3,
        "missing": [{"sku": "LEG", "needed": 12, "available": 2, "missing": 10}],
    }
    report(db, code, CUT, 10)
    report(db, code, ASSEMBLE, 7)
    short = refused(
        db, "operator", "report_production", p_code=code, p_work_centre="bench-1", p_good=1
    )
    assert (short.status, short.code) == (409, "production.parts_missing")
    assert short.detail["missing"] == waits["missing"]
    call(db, "operator", "receive_stock", p_sku="LEG", p_quantity=10)
    assert report(db, code, ASSEMBLE, 3)["step"]["status"] == "COMPLETED"  # the station takes them


def test_what_an_order_was_given_nobody_takes(db: psycopg.Connection) -> None:
    make_plant(db, stock=40)
    first, second = order(db, 10), order(db, 10, priority="critical")
    assert (step(db, first, ASSEMBLE)["released"], step(db, second, ASSEMBLE)["released"]) == (
        10,
        0,
    )
    call(db, "planner", "cancel_production_order", p_code=first, p_reason="Off")
    assert release(db, second)["changed"] is True
    assert step(db, second, ASSEMBLE)["released"] == 10


def test_an_order_that_cannot_be_released(plant: psycopg.Connection) -> None:
    code = order(plant, 5, sku="ROD", released=False)
    nothing = refused(plant, "planner", "release_order", p_code=code)
    assert (nothing.status, nothing.code) == (409, "production.no_routing")
    unknown = refused(plant, "planner", "release_order", p_code="P-none")
    assert (unknown.status, unknown.code) == (404, "production.unknown")
    call(plant, "planner", "cancel_production_order", p_code=code, p_reason="Off")
    closed = refused(plant, "planner", "release_order", p_code=code)
    assert (closed.status, closed.code) == (409, "production.closed")
    assert refused(plant, "operator", "release_order", p_code=code).code == "auth.forbidden"


def test_nothing_is_done_on_an_order_that_is_not_released(plant: psycopg.Connection) -> None:
    code = order(plant, 5, released=False)
    early = refused(plant, "operator", "start_step", p_code=code, p_work_centre="saw-1")
    assert (early.status, early.code) == (409, "production.not_released")
    closing = refused(plant, "planner", "close_order", p_code=code, p_reason="x")
    assert (closing.status, closing.code) == (409, "production.not_released")


def test_a_routed_order_is_not_shipped_into_a_state(plant: psycopg.Connection) -> None:
    """Shipping sets the state of an order; that of a routed one follows from its steps."""
    code = order(plant, 2)
    for partial in (True, False):
        routed = refused(
            plant, "planner", "ship_production_order", p_code=code, p_allow_partial=partial
        )
        assert routed.code in ("production.routed", "production.short")
    assert order_row(plant, code)["status"] == "OPEN_NOT_STARTED"
    for sequence in (CUT, ASSEMBLE, PACK):
        report(plant, code, sequence, 2)
    assert call(plant, "planner", "ship_production_order", p_code=code)["changed"] is False


def test_close_early_and_open_again(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, 4)
    report(plant, code, ASSEMBLE, 3)
    report(plant, code, PACK, 2)
    answer = close(plant, code)
    assert (answer["changed"], order_row(plant, code)["status"]) == (True, "CLOSED")
    assert (on_hand(plant, "PANEL"), on_hand(plant, "LEG"), on_hand(plant, "TABLE")) == (
        996,
        988,
        2,
    )
    assert close(plant, code)["changed"] is False
    late = refused(
        plant, "operator", "report_production", p_code=code, p_work_centre="saw-1", p_good=1
    )
    assert (late.status, late.code) == (409, "production.closed")
    opened = call(plant, "planner", "reopen_order", p_code=code, p_reason="More")
    assert (opened["changed"], opened["order_row"]["status"]) == (True, "IN_PROGRESS")
    again = call(plant, "planner", "reopen_order", p_code=code, p_reason="More")
    assert again["changed"] is False
    for sequence, good in ((CUT, 6), (ASSEMBLE, 7), (PACK, 8)):
        report(plant, code, sequence, good)
    assert order_row(plant, code)["status"] == "CLOSED"
    assert events_of(plant, code)[-1] == "production.counted"


def test_pieces_in_process_are_reported_before_an_order_is_closed(
    plant: psycopg.Connection,
) -> None:
    code = order(plant, 10)
    call(plant, "operator", "start_step", p_code=code, p_work_centre="saw-1", p_quantity=3)
    busy = refused(plant, "planner", "close_order", p_code=code, p_reason="x")
    assert (busy.status, busy.code, busy.detail["in_process"]) == (409, "production.in_process", 3)
    unsaid = refused(plant, "planner", "close_order", p_code=code, p_reason=" ")
    assert unsaid.code == "stock.reason_required"


def test_more_of_a_complete_order(plant: psycopg.Connection) -> None:
    code = order(plant, 2)
    for sequence in (CUT, ASSEMBLE, PACK):
        report(plant, code, sequence, 2)
    for quantity in (None, 2):
        done = refused(
            plant, "planner", "reopen_order", p_code=code, p_reason="x", p_quantity=quantity
        )
        assert (done.status, done.code) == (422, "production.complete")
    answer = call(plant, "planner", "reopen_order", p_code=code, p_reason="x", p_quantity=3)
    assert (answer["order_row"]["status"], answer["order_row"]["quantity"]) == ("IN_PROGRESS", 3)
    release(plant, code)
    for sequence in (CUT, ASSEMBLE, PACK):
        report(plant, code, sequence, 1)
    assert (order_row(plant, code)["status"], on_hand(plant, "TABLE")) == ("CLOSED", 3)


def test_a_cancelled_order_stays_cancelled(plant: psycopg.Connection) -> None:
    code = order(plant, 2)
    call(plant, "planner", "cancel_production_order", p_code=code, p_reason="Off")
    for rpc in ("close_order", "reopen_order"):
        off = refused(plant, "planner", rpc, p_code=code, p_reason="x")
        assert (off.status, off.code) == (409, "production.closed")


def test_steps_follow_the_quantity_of_their_order(plant: psycopg.Connection) -> None:
    code = order(plant, 5)
    call(plant, "planner", "update_production_order", p_code=code, p_quantity=8)
    assert [step(plant, code, s)["planned"] for s in (CUT, ASSEMBLE, PACK)] == [8, 8, 8]
    assert [step(plant, code, s)["released"] for s in (CUT, ASSEMBLE, PACK)] == [5, 5, 8]
    report(plant, code, CUT, 6)
    fewer = refused(plant, "planner", "update_production_order", p_code=code, p_quantity=5)
    assert (fewer.status, fewer.code) == (422, "production.below_used")


def test_priority(plant: psycopg.Connection) -> None:
    code = order(plant, 2)
    answer = call(plant, "planner", "change_priority", p_code=code, p_priority="rush")
    assert (answer["changed"], answer["order_row"]["priority"]) == (True, "rush")
    again = call(plant, "planner", "change_priority", p_code=code, p_priority="rush")
    assert again["changed"] is False
    odd = refused(plant, "planner", "change_priority", p_code=code, p_priority="now")
    assert (odd.status, odd.code) == (422, "production.priority")
    assert (
        refused(plant, "operator", "change_priority", p_code=code, p_priority="rush").code
        == "auth.forbidden"
    )


@pytest.mark.parametrize(
    ("rpc", "arguments"),
    [
        ("release_order", {}),
        ("close_order", {"p_reason": "Enough"}),
        ("change_priority", {"p_priority": "rush"}),
    ],
)
def test_a_repeat_answers_the_same(
    plant: psycopg.Connection, rpc: str, arguments: dict[str, str]
) -> None:
    code = order(plant, 5, released=rpc != "release_order")
    request = uuid4()
    first = call(plant, "planner", rpc, p_code=code, p_request_id=request, **arguments)
    events = events_of(plant, code)
    assert call(plant, "planner", rpc, p_code=code, p_request_id=request, **arguments) == first
    assert events_of(plant, code) == events
    other = refused(plant, "planner", rpc, p_code="x", p_request_id=request, **arguments)
    assert other.code in ("request.reused", "production.unknown")
