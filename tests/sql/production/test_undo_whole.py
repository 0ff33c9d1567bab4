"""Undo leaves nothing behind: the counter stands as it stood, a lot is what it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from tests.support.production import ASSEMBLE, CUT, PACK, order, report, step
from tests.support.rpc import call

Db = psycopg.Connection


def read(db: Db, code: str, counter: int, at: datetime | None = None) -> Any:
    return call(
        db, "equipment", "record_count",
        p_code=code, p_work_centre="saw-1", p_counter=counter, p_read_at=at,
    )  # fmt: skip


def by_hand(db: Db, code: str, start: int, end: int) -> None:
    report(db, code, CUT, counter_start=start, counter_end=end, good=end - start)


def undo(db: Db, code: str) -> None:
    call(db, "operator", "undo_production", p_code=code)


def counter(db: Db) -> tuple[Any, ...] | None:
    return db.execute("select value, by_hand, read_at from public.piece_counters").fetchone()


def test_pieces_between_the_last_reading_and_an_undone_report_are_counted(plant: Db) -> None:
    """Machine at 100, a report 120 → 130 is taken back, machine at 130: thirty, not ten."""
    code = order(plant, 60)
    read(plant, code, 100)
    before = counter(plant)
    by_hand(plant, code, 120, 130)
    undo(plant, code)
    assert counter(plant) == before
    assert read(plant, code, 130)["step"]["good"] == 30


def test_a_reading_kept_offline_is_not_late_after_the_report_is_undone(plant: Db) -> None:
    code = order(plant, 60)
    start = datetime.now(UTC) - timedelta(minutes=10)
    read(plant, code, 100, start)
    by_hand(plant, code, 100, 105)
    undo(plant, code)
    kept = read(plant, code, 103, start + timedelta(minutes=5))
    assert (kept["notices"], kept["step"]["good"]) == ([], 3)


def test_a_first_reading_by_hand_that_is_undone_leaves_no_counter(plant: Db) -> None:
    code = order(plant, 60)
    by_hand(plant, code, 50, 55)
    undo(plant, code)
    assert counter(plant) is None
    assert read(plant, code, 58)["notices"][0]["code"] == "production.counter_base"


def test_an_undone_count_of_the_machine_restores_the_reading_before(plant: Db) -> None:
    code = order(plant, 60)
    for reading in (10, 15):
        call(
            plant, "operator", "record_count",
            p_code=code, p_work_centre="saw-1", p_counter=reading, p_read_at=None,
        )  # fmt: skip
    by_hand(plant, code, 15, 18)
    before = counter(plant)
    call(plant, "operator", "record_count", p_code=code, p_work_centre="saw-1", p_counter=20)
    undo(plant, code)
    assert counter(plant) == before
    assert step(plant, code)["good"] == 8


def test_the_event_of_a_count_does_not_tell_the_counter_before(plant: Db) -> None:
    code = order(plant, 60)
    by_hand(plant, code, 50, 55)
    row = plant.execute(
        "select payload from public.events where event = 'production.counted'"
    ).fetchone()
    assert row is not None
    assert "counter_before" not in row[0]


def kinds(db: Db) -> list[str]:
    rows = db.execute("select kind from public.lots where sku = 'TABLE' order by id").fetchall()
    return [row[0] for row in rows]


def test_a_lot_whose_only_finished_pieces_are_undone_is_in_process_again(plant: Db) -> None:
    code = order(plant, 4)
    for sequence in (CUT, ASSEMBLE, PACK):
        report(plant, code, sequence, 2)
    assert kinds(plant) == ["FINISHED"]
    undo(plant, code)
    assert kinds(plant) == ["WIP"]
    report(plant, code, PACK, 1)
    report(plant, code, PACK, 1)
    undo(plant, code)
    assert kinds(plant) == ["FINISHED"]  # one is still finished
    undo(plant, code)
    assert kinds(plant) == ["WIP"]


def test_the_first_start_of_a_step_answers_with_its_event(plant: Db) -> None:
    code = order(plant, 4)
    started = call(plant, "operator", "start_step", p_code=code, p_work_centre="saw-1")
    row = plant.execute(
        "select id from public.events where event = 'production.step_started'"
    ).fetchone()
    assert row == (started["event_id"],)


def test_a_report_undone_after_its_step_was_ended_gives_its_parts_back(plant: Db) -> None:
    """Nobody starts those pieces again: what was handed over for them is free."""
    code = order(plant, 10)
    report(plant, code, CUT, 4)
    call(
        plant, "technician", "complete_step",
        p_code=code, p_sequence=CUT, p_reason="No boards",
    )  # fmt: skip
    undo(plant, code)
    assert step(plant, code)["released"] == 0
    row = plant.execute("select on_hand from public.inventory_stock where sku = 'PANEL'").fetchone()
    assert row == (1000,)
