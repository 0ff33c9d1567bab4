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
