"""Sets, counters and undo under attack: fractions, losses, rework into itself, late readings."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.sql.inventory.stock import refused
from tests.support.production import (
    ASSEMBLE,
    CENTRES,
    CUT,
    PACK,
    make_plant,
    order,
    order_row,
    quality,
    release,
    replenishments,
    report,
    route,
    step,
)
from tests.support.rpc import call

Db = psycopg.Connection


def legs_of(db: Db, code: str) -> tuple[Any, ...]:
    """(needed, allocated, consumed) of the legs of an order."""
    row = db.execute(
        "select l.needed, l.allocated, l.consumed from public.order_part_allocations l"
        " join public.production_orders o on o.id = l.production_order_id"
        " where o.code = %s and l.sku = 'LEG'",
        (code,),
    ).fetchone()
    assert row is not None
    return tuple(row)


def left(db: Db, code: str) -> tuple[Any, ...]:
    """(remaining, used) of a lot of legs."""
    row = db.execute(
        "select p.remaining, p.used from public.production_lots p"
        " join public.lots l on l.id = p.lot_id where l.code = %s and l.sku = 'LEG'",
        (code,),
    ).fetchone()
    assert row is not None
    return tuple(row)


def undo(db: Db, code: str, who: str = "operator", count_id: int | None = None) -> Any:
    return call(db, who, "undo_production", p_code=code, p_count_id=count_id)


# Sets follow what the order still needs -----------------------------------------------------------


def test_3c_a_fraction_of_a_piece_gets_its_set(db: Db) -> None:
    make_plant(db, stock=1000)
    call(
        db, "planner", "save_requirements", p_parent_sku="TABLE",
        p_lines=Jsonb([{"sku": "PANEL", "quantity": 0.333}]),
    )  # fmt: skip
    route(db, "TABLE", ("CUT", ["PANEL"]))
    made = call(
        db, "planner", "create_production_order",
        p_product_sku="TABLE", p_quantity="1.1", p_site="main",
    )  # fmt: skip
    code = made["order_row"]["code"]
    release(db, code)
    assert str(step(db, code)["released"]) == "1.100"


def test_3c_a_fraction_that_is_there_is_not_made_again(db: Db) -> None:
    """1.1 × 0.333 legs are 0.3663; the 0.366 that were promised are enough."""
    make_plant(db, stock=10, made_legs=True)
    call(db, "operator", "issue_stock", p_sku="LEG", p_quantity="9.634")
    lines = Jsonb([{"sku": "PANEL", "quantity": 1}, {"sku": "LEG", "quantity": 0.333}])
    call(db, "planner", "save_requirements", p_parent_sku="TABLE", p_lines=lines)
    code = order(db, "1.1")  # type: ignore[arg-type]
    assert replenishments(db, code) == []
    assert str(step(db, code, ASSEMBLE)["released"]) == "1.100"


def test_3c_so_many_whole_sets_and_not_one_more(db: Db) -> None:
    """However much of a material lies there, whatever a piece takes, whatever went out before."""
    wrong = db.execute(
        "select * from (select m, r::numeric / 10 as before, p::numeric / 1000 as there,"
        "   private.whole_sets(m, r::numeric / 10, p::numeric / 1000) as sets"
        "   from (values (0.333), (1), (4), (2.5), (0.001), (0.667), (1.999)) as q (each)"
        "   cross join lateral jsonb_build_object('quantity', q.each) m,"
        "   generate_series(0, 40, 3) r, generate_series(0, 4000, 37) p) x"
        " where sets <> floor(sets) or private.set_quantity(m, before, before + sets) > there"
        "   or private.set_quantity(m, before, before + sets + 1) <= there"
    ).fetchall()
    assert wrong == []


def test_3d_what_a_lost_piece_does_not_need_is_free_for_its_replacement(db: Db) -> None:
    make_plant(db, stock=0)
    call(db, "operator", "receive_stock", p_sku="PANEL", p_quantity=12)
    code = order(db, 10)
    report(db, code, CUT, 8, scrap=2, reason="KNOT")
    ((again, _, _),) = replenishments(db, code)
    release(db, again)
    report(db, again, CUT, 2)
    call(db, "operator", "receive_stock", p_sku="LEG", p_quantity=40)  # 8 + 2 tables
    for one, pieces in ((code, 8), (again, 2)):
        for sequence in (ASSEMBLE, PACK):
            report(db, one, sequence, pieces)
    assert order_row(db, code)["status"] == "CLOSED"


def test_3e_sets_at_the_bench_that_no_piece_needs_come_back(db: Db) -> None:
    make_plant(db, stock=0)
    call(db, "operator", "receive_stock", p_sku="PANEL", p_quantity=12)
    call(db, "operator", "receive_stock", p_sku="LEG", p_quantity=40)
    code = order(db, 10)
    report(db, code, CUT, 8, scrap=2, reason="KNOT")
    ((again, _, _),) = replenishments(db, code)
    release(db, again)
    report(db, again, CUT, 2)
    for one, pieces in ((code, 8), (again, 2)):
        for sequence in (ASSEMBLE, PACK):
            report(db, one, sequence, pieces)
    assert order_row(db, code)["status"] == "CLOSED"


def test_3e_who_takes_a_loss_back_gets_the_sets_back(db: Db) -> None:
    make_plant(db, stock=0)
    call(db, "operator", "receive_stock", p_sku="PANEL", p_quantity=12)
    call(db, "operator", "receive_stock", p_sku="LEG", p_quantity=40)
    code = order(db, 10)
    report(db, code, CUT, 8, scrap=2, reason="KNOT")
    assert step(db, code, ASSEMBLE)["released"] == 8
    assert legs_of(db, code) == (32, 0, 32)
    assert legs_of(db, f"{code}-R1") == (8, 8, 0)
    call(db, "operator", "undo_production", p_code=code)
    assert legs_of(db, code) == (40, 8, 32)
    report(db, code, CUT, 10)
    for sequence in (ASSEMBLE, PACK):
        report(db, code, sequence, 10)
    assert order_row(db, code)["status"] == "CLOSED"


def test_3e_the_lines_stay_fitted_whatever_is_changed_later(db: Db) -> None:
    """Priority, quantity and an end write the lines of an order anew."""
    make_plant(db, stock=100)
    code = order(db, 10)
    report(db, code, CUT, 4, scrap=2, reason="KNOT")
    call(db, "planner", "change_priority", p_code=code, p_priority="rush")
    assert legs_of(db, code) == (32, 0, 32)
    call(db, "planner", "update_production_order", p_code=code, p_quantity=12)
    assert legs_of(db, code) == (40, 8, 32)
    call(db, "planner", "close_order", p_code=code, p_reason="Enough")
    call(db, "planner", "reopen_order", p_code=code, p_reason="Not enough")
    assert legs_of(db, code) == (40, 40, 0)


def test_3e_an_early_end_frees_what_was_for_the_rest(db: Db) -> None:
    make_plant(db, stock=0)
    call(db, "operator", "receive_stock", p_sku="PANEL", p_quantity=20)
    call(db, "operator", "receive_stock", p_sku="LEG", p_quantity=40)
    code, waiting = order(db, 10), order(db, 5)
    assert legs_of(db, waiting) == (20, 0, 0)
    report(db, code, CUT, 5)
    call(db, "operator", "complete_step", p_code=code, p_sequence=CUT, p_reason="No boards")
    assert legs_of(db, code) == (20, 0, 20)
    assert legs_of(db, waiting) == (20, 20, 0)
    assert step(db, code)["released"] == 5, "boards for pieces that nobody saws"


# Lots -------------------------------------------------------------------------------------------


def test_3f_rework_within_an_order_does_not_eat_its_pieces(db: Db) -> None:
    make_plant(db, made_legs=True)
    legs = order(db, 10, "LEG")
    call(db, "operator", "start_step", p_code=legs, p_work_centre="saw-1")
    call(db, "operator", "consume_lot", p_code=legs, p_quantity=4, p_order=legs, p_sku="LEG")
    assert report(db, legs, CUT, 10)["order_row"]["status"] == "CLOSED"


def test_3f_a_lot_that_was_split_off_goes_back_into_its_order(db: Db) -> None:
    """It moves: what the lots of the order hold together stays the same, undone or not."""
    make_plant(db, made_legs=True)
    legs = order(db, 10, "LEG")
    call(db, "operator", "start_step", p_code=legs, p_work_centre="saw-1")
    split = {"p_code": legs, "p_sku": "LEG", "p_quantity": 4, "p_part": "in_process"}
    call(db, "operator", "split_lot", **split, p_new_code="REWORK")
    back = {"p_code": "REWORK", "p_order": legs, "p_sku": "LEG"}
    many = refused(db, "operator", "consume_lot", **back, p_quantity=5)
    assert (many.status, many.code) == (409, "lot.short")
    moved = call(db, "operator", "consume_lot", **back, p_quantity=3)
    assert (left(db, "REWORK"), left(db, legs)) == ((1, 0), (9, 0))
    call(db, "operator", "undo_lot_activity", p_activity_id=moved["activity"]["id"])
    assert (left(db, "REWORK"), left(db, legs)) == ((4, 0), (6, 0))
    call(db, "operator", "consume_lot", **back, p_quantity=4)
    assert report(db, legs, CUT, 10)["order_row"]["status"] == "CLOSED"


def test_3f_no_more_is_reworked_than_there_is(db: Db) -> None:
    make_plant(db, made_legs=True)
    legs = order(db, 10, "LEG")
    call(db, "operator", "start_step", p_code=legs, p_work_centre="saw-1", p_quantity=3)
    itself = {"p_code": legs, "p_order": legs, "p_sku": "LEG"}
    many = refused(db, "operator", "consume_lot", **itself, p_quantity=4)
    assert (many.status, many.code) == (409, "lot.short")
    done = call(db, "operator", "consume_lot", **itself, p_quantity=3)
    assert done["activity"]["kind"] == "rework"
    assert left(db, legs) == (3, 0)
    activity = {"p_activity_id": done["activity"]["id"]}
    assert call(db, "operator", "undo_lot_activity", **activity)["changed"] is True
    assert left(db, legs) == (3, 0)


# Undo -------------------------------------------------------------------------------------------


def test_5a_undo_takes_back_the_concession_not_the_report_before_it(plant: Db) -> None:
    code = order(plant, 10)
    call(
        plant, "supervisor", "report_production",
        p_code=code, p_work_centre="saw-1", p_good=3,
    )  # fmt: skip
    made = quality(plant, code, "use_as_is", 1, who="supervisor", **{"from": "good"})
    call(plant, "supervisor", "undo_production", p_code=code)
    reversed_at = plant.execute(
        "select reversed_at is not null from public.quality_records where id = %s",
        (made["record"]["id"],),
    ).fetchone()
    assert (step(plant, code)["good"], reversed_at) == (3, (True,))


def test_5b_undo_after_an_early_end_does_not_lose_the_pieces(plant: Db) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, 4)
    call(plant, "operator", "complete_step", p_code=code, p_sequence=CUT, p_reason="oops")
    call(plant, "operator", "undo_production", p_code=code)
    rest = 10 - int(step(plant, code)["good"])
    report(plant, code, CUT, rest)
    assert step(plant, code)["good"] == 10


def test_5a_undo_takes_back_repair_instead_of_rework(plant: Db) -> None:
    """From rework to repair no counter changes: the pieces are open all the same."""
    code = order(plant, 10)
    report(plant, code, CUT, 3)
    first = quality(plant, code, "rework", 2)["record"]["id"]
    quality(plant, code, "repair", 2, who="supervisor", record=first)
    undo(plant, code, "supervisor")
    open_ones = plant.execute(
        "select disposition, open_quantity from public.quality_records"
        " where reversed_at is null order by id"
    ).fetchall()
    assert open_ones == [("rework", 2)]
    assert step(plant, code)["rework_open"] == 2


def test_5b_what_was_ended_early_goes_on_for_everybody(plant: Db) -> None:
    """The order was opened again: its end is taken back then, and undo takes the report."""
    code = order(plant, 10)
    report(plant, code, CUT, 4)
    call(plant, "operator", "complete_step", p_code=code, p_sequence=CUT, p_reason="oops")
    for sequence in (ASSEMBLE, PACK):
        call(plant, "supervisor", "report_production", p_code=code, p_sequence=sequence,
             p_work_centre=CENTRES[sequence], p_good=4)  # fmt: skip
    call(plant, "planner", "close_order", p_code=code, p_reason="Enough")
    call(plant, "planner", "reopen_order", p_code=code, p_reason="Not enough")
    blocked = refused(plant, "operator", "undo_production", p_code=code)
    assert (blocked.code, blocked.detail["step"]) == ("undo.blocked", "ASSEMBLE")
    report(plant, code, CUT, 6)
    assert step(plant, code)["good"] == 10


def test_two_quick_taps_take_back_one_report(plant: Db) -> None:
    """The second one says what it saw, and that is gone: the report before it stays."""
    code = order(plant, 10)
    first = report(plant, code, CUT, 2)["count_id"]
    last = report(plant, code, CUT, 3, scrap=1, reason="KNOT")["count_id"]
    assert undo(plant, code, count_id=last)["step"]["good"] == 2
    stale = refused(plant, "operator", "undo_production", p_code=code, p_count_id=last)
    assert (stale.status, stale.code) == (409, "undo.stale")
    assert stale.detail == {"expected": last, "actual": first}
    assert step(plant, code)["good"] == 2
    assert undo(plant, code, count_id=first)["step"]["good"] == 0
    gone = refused(plant, "operator", "undo_production", p_code=code, p_count_id=first)
    assert (gone.status, gone.code) == (409, "undo.stale")


def test_any_count_of_a_command_names_it(plant: Db) -> None:
    """Good, scrap and rework are three counts and one report; each command says its last one."""
    code = order(plant, 10)
    report(plant, code, CUT, 3, scrap=1, rework=1, reason="KNOT")
    ids = [row[0] for row in plant.execute("select id from public.piece_counts order by id")]
    assert len(ids) == 3
    undo(plant, code, count_id=ids[0])
    started = call(plant, "operator", "start_step", p_code=code, p_work_centre="saw-1")
    queue = call(plant, "operator", "get_work_centre_queue", p_work_centre="saw-1")
    assert queue["items"][0]["undo_id"] == started["count_id"]
    found = quality(plant, code, "hold", 2)["record"]["count_id"]
    undone = undo(plant, code, count_id=found)
    assert (undone["count_id"], undone["step"]["held_open"]) == (None, 0)
    other = call(plant, "technician", "get_work_centre_queue", p_work_centre="saw-1")
    assert other["items"][0]["undo_id"] is None, "it is not theirs"
    paused = call(plant, "operator", "pause_step", p_code=code, p_sequence=CUT)
    queue = call(plant, "operator", "get_work_centre_queue", p_work_centre="saw-1")
    assert queue["items"][0]["undo_id"] == paused["count_id"]
    again = call(plant, "operator", "pause_step", p_code=code, p_sequence=CUT)
    assert (again["changed"], again["count_id"]) == (False, None)


def test_commands_are_numbered_by_what_a_dump_keeps(plant: Db) -> None:
    """Transaction ids start over in another cluster: two commands would look like one."""
    code = order(plant, 10)
    report(plant, code, CUT, 2, scrap=1, reason="KNOT")
    report(plant, code, CUT, 3)
    commands = plant.execute("select command from public.piece_counts order by id").fetchall()
    drawn = plant.execute("select last_value from private.command_seq").fetchone()
    assert drawn is not None
    assert commands == [(drawn[0] - 1,), (drawn[0] - 1,), (drawn[0],)]
