"""Take back: the own last report, as a whole, as long as nothing was done with its pieces."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests.sql.inventory.stock import refused
from tests.support.production import ASSEMBLE, CUT, PACK, order, order_row, report, step
from tests.support.rpc import call


def counters(db: psycopg.Connection, code: str, sequence: int = CUT) -> tuple[Any, ...]:
    """(started, good, scrap, waiting) of a step."""
    row = step(db, code, sequence)
    return row["started"], row["good"], row["scrap"], row["waiting"]


def undo(db: psycopg.Connection, code: str | None = None, who: str = "operator") -> Any:
    return call(db, who, "undo_production", p_code=code)


def test_undo_takes_back_a_whole_report(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, 2)
    report(plant, code, CUT, 3, scrap=1, rework=1, reason="KNOT")
    answer = undo(plant, code)
    assert (answer["changed"], answer["step"]["good"], answer["step"]["started"]) == (True, 2, 2)
    assert counters(plant, code) == (2, 2, 0, 0)
    undo(plant)  # wherever it was
    assert counters(plant, code) == (0, 0, 0, 0)
    assert order_row(plant, code)["status"] == "OPEN_NOT_STARTED"
    nothing = refused(plant, "operator", "undo_production", p_code=code)
    assert (nothing.status, nothing.code) == (404, "undo.nothing")


def test_undo_takes_finished_pieces_out_of_stock_and_opens_the_order(
    plant: psycopg.Connection,
) -> None:
    code = order(plant, 2)
    for sequence in (CUT, ASSEMBLE, PACK):
        report(plant, code, sequence, 2)
    assert order_row(plant, code)["status"] == "CLOSED"
    assert undo(plant, code)["order_row"]["status"] == "IN_PROGRESS"
    row = plant.execute("select on_hand from public.inventory_stock where sku = 'TABLE'").fetchone()
    assert row == (0,)
    assert report(plant, code, PACK, 2)["order_row"]["status"] == "CLOSED"


def test_what_went_on_is_not_taken_back(plant: psycopg.Connection) -> None:
    code = order(plant, 4)
    report(plant, code, CUT, 4)
    call(
        plant, "supervisor", "report_production",
        p_code=code, p_work_centre="bench-1", p_good=1,
    )  # fmt: skip
    blocked = refused(plant, "operator", "undo_production", p_code=code)
    assert (blocked.status, blocked.code, blocked.detail["step"]) == (
        409,
        "undo.blocked",
        "ASSEMBLE",
    )


def test_undo_of_a_count_puts_the_counter_back(plant: psycopg.Connection) -> None:
    code = order(plant, 20)
    for reading in (10, 15):
        call(
            plant, "operator", "record_count",
            p_code=code, p_work_centre="saw-1", p_counter=reading,
        )  # fmt: skip
    undo(plant, code)
    again = call(
        plant, "operator", "record_count", p_code=code, p_work_centre="saw-1", p_counter=15
    )
    assert again["step"]["good"] == 5


def test_undo_has_its_time_and_its_people(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, 2)
    other = refused(plant, "technician", "undo_production", p_code=code)
    assert (other.status, other.code) == (404, "undo.nothing")
    plant.execute("alter table public.piece_counts disable trigger _200_append_only")
    plant.execute("update public.piece_counts set at = at - %s", (timedelta(hours=1),))
    plant.execute("alter table public.piece_counts enable trigger _200_append_only")
    late = refused(plant, "operator", "undo_production", p_code=code)
    assert (late.status, late.code) == (403, "undo.too_late")
    assert undo(plant, code, "supervisor")["step"]["good"] == 0
    unknown = refused(plant, "operator", "undo_production", p_code="P-none")
    assert (unknown.status, unknown.code) == (404, "production.unknown")


def test_an_ended_order_is_not_undone(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, 2)
    call(plant, "planner", "cancel_production_order", p_code=code, p_reason="Off")
    ended = refused(plant, "operator", "undo_production", p_code=code)
    assert (ended.status, ended.code) == (409, "production.closed")


def test_counts_are_never_changed(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, 2)
    for statement in ("update public.piece_counts set good = 3", "delete from public.piece_counts"):
        with pytest.raises(psycopg.Error) as no, plant.transaction():
            plant.execute(statement)
        assert no.value.diag.message_hint == "production.append_only"


def state(db: psycopg.Connection, code: str) -> Any:
    return call(db, "operator", "get_production_order", p_code=code)["steps"][0]["status"]


def pause(db: psycopg.Connection, code: str, **more: Any) -> Any:
    return call(db, "operator", "pause_step", p_code=code, p_sequence=CUT, **more)


def test_a_pause_is_undone_like_anything_else(plant: psycopg.Connection) -> None:
    """Undo took back the start before it, and left the step paused."""
    code = order(plant, 10)
    call(plant, "operator", "start_step", p_code=code, p_work_centre="saw-1", p_quantity=4)
    paused = pause(plant, code, p_reason="Lunch")
    queue = call(plant, "operator", "get_work_centre_queue", p_work_centre="saw-1")
    assert queue["items"][0]["undo_id"] == paused["count_id"] is not None
    back = call(plant, "operator", "undo_production", p_code=code, p_count_id=paused["count_id"])
    assert (back["step"]["status"], back["step"]["pause_reason"]) == ("IN_PROGRESS", None)
    assert counters(plant, code) == (4, 0, 0, 4)
    assert undo(plant, code)["step"]["started"] == 0, "the next one is the start"


def test_a_pause_that_is_over_is_not_undone(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    call(plant, "operator", "start_step", p_code=code, p_work_centre="saw-1")
    pause(plant, code)
    call(plant, "operator", "start_step", p_code=code, p_work_centre="saw-1")
    assert undo(plant, code)["step"]["started"] == 0


def test_undoing_a_pause_needs_its_position_again(plant: psycopg.Connection) -> None:
    call(plant, "planner", "save_work_centre", p_code="saw-1", p_capacity=1)
    first, second = order(plant, 2), order(plant, 2)
    call(plant, "operator", "start_step", p_code=first, p_work_centre="saw-1")
    pause(plant, first)
    call(plant, "operator", "start_step", p_code=second, p_work_centre="saw-1")
    no = refused(plant, "operator", "undo_production", p_code=first)
    assert (no.status, no.code) == (409, "work_centre.full")
    assert state(plant, first) == "PAUSED"


def test_no_counter_is_called_like_a_pause(plant: psycopg.Connection) -> None:
    no = refused(
        plant, "equipment", "record_count", p_code=order(plant, 2), p_work_centre="saw-1",
        p_delta=1, p_source="pause",
    )  # fmt: skip
    assert (no.status, no.code) == (422, "production.counter_name")
