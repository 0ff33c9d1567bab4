"""What can run and why not, whose lots and figures they are, and orders that nothing moves on."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.inventory.stock import refused
from tests.sql.production.test_attacks import STRANGER, disable, move_stranger_north
from tests.support.lots import balance, do
from tests.support.production import (
    ASSEMBLE,
    CUT,
    PACK,
    make_centre,
    make_plant,
    order,
    order_row,
    release,
    replenishments,
    report,
    step,
)
from tests.support.rpc import acting_as, call

Db = psycopg.Connection


def board_row(db: Db, code: str, who: str = "planner") -> Any:
    rows = call(db, who, "get_production_board", p_search=code)["orders"]
    return next(row for row in rows if row["order_row"]["code"] == code)


def said(db: Db, code: str) -> tuple[bool, list[tuple[str, int | None]]]:
    """Can it run, and why not: by the row, which the filter and the order page bear out."""
    row = board_row(db, code)
    for can_run in (True, False):
        page = call(db, "planner", "get_production_board", p_search=code, p_can_run=can_run)
        found = code in [one["order_row"]["code"] for one in page["orders"]]
        assert found == (row["can_run"] == can_run), "the filter says the same"
    page = call(db, "planner", "get_production_order", p_code=code)
    steps = [one["can_run"] for one in page["steps"] if one["status"] != "COMPLETED"]
    assert any(steps) == row["can_run"] == page["can_run"]
    return row["can_run"], [(why["code"], why.get("sequence")) for why in row["why"]]


def north(db: Db) -> None:
    """Another site, with a saw of its own, and a person who works only there."""
    move_stranger_north(db)
    call(db, "admin", "save_work_centre", p_code="saw-n", p_step="CUT", p_site="north")


# What can run now --------------------------------------------------------------------------------


def test_an_order_whose_only_centre_is_disabled_cannot_run(plant: Db) -> None:
    """The board said that it could, with no reason why not."""
    code = order(plant, 2)
    assert said(plant, code) == (True, [])
    disable(plant)
    assert said(plant, code) == (False, [("work_centre.disabled", CUT)])
    make_centre(plant, "saw-2", "CUT")
    assert said(plant, code) == (True, [])


def test_a_centre_that_the_routing_names_is_the_only_one(plant: Db) -> None:
    make_centre(plant, "saw-2", "CUT")
    steps = [{"step": "CUT", "work_centre": "saw-1"}]
    call(plant, "planner", "save_routing", p_sku="TABLE", p_steps=Jsonb(steps))
    code = order(plant, 2)
    disable(plant)
    assert said(plant, code) == (False, [("work_centre.disabled", CUT)])


def test_a_full_table_lets_nothing_run(plant: Db) -> None:
    call(plant, "planner", "save_work_centre", p_code="saw-1", p_capacity=1)
    first, second = order(plant, 2), order(plant, 2)
    call(plant, "operator", "start_step", p_code=first, p_work_centre="saw-1")
    assert said(plant, first) == (True, [])
    assert said(plant, second) == (False, [("work_centre.full", CUT)])
    saw = call(plant, "viewer", "get_work_centres")[0]
    assert (saw["work_centre"]["code"], saw["can_run"]) == ("saw-1", 1)


def test_a_paused_step_needs_a_position_to_go_on(plant: Db) -> None:
    call(plant, "planner", "save_work_centre", p_code="saw-1", p_capacity=1)
    first, second = order(plant, 2), order(plant, 2)
    call(plant, "operator", "start_step", p_code=first, p_work_centre="saw-1")
    call(plant, "operator", "pause_step", p_code=first, p_sequence=CUT)
    call(plant, "operator", "start_step", p_code=second, p_work_centre="saw-1")
    assert said(plant, first) == (False, [("work_centre.full", CUT)])


def test_a_site_without_a_centre_of_the_step_cannot_run(plant: Db) -> None:
    north(plant)
    call(plant, "admin", "receive_stock", p_sku="PANEL", p_quantity=5, p_location="north")
    code = order(plant, 2, site="north", lines=Jsonb([{"sku": "PANEL", "quantity": 1}]))
    assert said(plant, code) == (True, [])
    call(
        plant, "admin", "report_production",
        p_code=code, p_work_centre="saw-n", p_sequence=CUT, p_good=2,
    )  # fmt: skip
    assert said(plant, code) == (False, [("work_centre.none", ASSEMBLE)])


def test_parts_that_came_since_let_it_run(db: Db) -> None:
    """As the station sees it: what could be released now counts."""
    make_plant(db, stock=0)
    code = order(db, 2)
    assert said(db, code) == (False, [("production.parts_missing", CUT)])
    call(db, "operator", "receive_stock", p_sku="PANEL", p_quantity=1)
    assert said(db, code) == (True, [])


# Holds of other sites ----------------------------------------------------------------------------


def hold_from_afar(db: Db) -> None:
    """The technician works in the north only, and may hold and release lots there."""
    move_stranger_north(db)
    db.execute(
        "update public.staff_shared set stores = '{northstore}'"
        " where email like 'technician%' or email like 'supervisor%'"
    )


@pytest.mark.parametrize("rpc", ["hold_lot", "release_lot"])
def test_a_lot_of_another_site_is_neither_held_nor_released(plant: Db, rpc: str) -> None:
    code = order(plant, 5)
    report(plant, code, CUT, 1)
    if rpc == "release_lot":
        do(plant, "hold_lot", "technician", code=code, reason="wet")
    hold_from_afar(plant)
    no = refused(plant, "technician", rpc, p_code=code, p_reason="not mine")
    assert (no.status, no.code) == (403, "auth.other_site")
    held = do(plant, "get_lot", code=code)["lot"]["held_at"] is not None
    assert held == (rpc == "release_lot")


def test_a_recall_reaches_no_lot_of_another_site(plant: Db) -> None:
    do(plant, "receive_lot", sku="PANEL", code="PNL-1", quantity=50)
    code = order(plant, 5)
    do(plant, "consume_lot", code="PNL-1", quantity=5, order=code)
    held = call(
        plant, "supervisor", "hold_all",
        p_trace=Jsonb({"kind": "lot", "key": "PNL-1", "sku": "PANEL"}), p_reason="wet",
    )  # fmt: skip
    hold_from_afar(plant)
    said = {"p_recall_id": held["recall_id"], "p_reason": "dry"}
    assert refused(plant, "supervisor", "release_all", **said).code == "auth.other_site"
    again = {"p_code": "PNL-1", "p_reason": "wet", "p_onward": True}
    assert refused(plant, "supervisor", "hold_lot", **again).code == "auth.other_site"


def test_the_kind_of_a_lot_of_another_site_is_not_changed(plant: Db) -> None:
    code = order(plant, 5)
    report(plant, code, CUT, 1)
    move_stranger_north(plant)
    change = {"p_sku": "TABLE", "p_code": code, "p_kind": "FINISHED"}
    no = refused(plant, STRANGER, "upsert_lot", **change)
    assert (no.status, no.code) == (403, "auth.other_site")
    assert do(plant, "get_lot", code=code)["lot"]["kind"] == "WIP"
    assert call(plant, "operator", "upsert_lot", **change)["changed"] is True


# Shipped in part ---------------------------------------------------------------------------------


def shipped_in_part(db: Db) -> str:
    """Parts for six of ten left."""
    make_plant(db, stock=0)
    for sku, number in (("PANEL", 6), ("LEG", 24)):
        call(db, "operator", "receive_stock", p_sku=sku, p_quantity=number)
    code = order(db, 10, released=False)
    call(db, "planner", "ship_production_order", p_code=code, p_allow_partial=True)
    return code


def test_an_order_shipped_in_part_is_not_released(db: Db) -> None:
    """Its steps would have taken the parts of all ten again."""
    code = shipped_in_part(db)
    no = refused(db, "planner", "release_order", p_code=code)
    assert (no.status, no.code) == (409, "production.part_shipped")
    assert (no.detail["sku"], no.detail["consumed"]) == ("LEG", 24)
    assert order_row(db, code)["status"] == "OPEN_PARTIAL"


# A counter and the lot on the bench -------------------------------------------------------------


def test_a_counter_counts_into_the_lot_that_was_scanned(plant: Db) -> None:
    """Its pieces went into the first lot of the order, whichever lay there."""
    code = order(plant, 10)
    call(plant, "operator", "start_step", p_code=code, p_work_centre="saw-1")
    report(plant, code, CUT, 10)
    do(plant, "split_lot", code=code, sku="TABLE", quantity=4, new_code="HALF")
    report(plant, code, ASSEMBLE, 10)
    counting = {"p_code": code, "p_work_centre": "pack-1", "p_source": "counter", "p_lot": "HALF"}
    call(plant, "operator", "record_count", p_delta=3, **counting)
    assert (balance(plant, "HALF")["finished"], balance(plant, code)["finished"]) == (3, 0)
    other = order(plant, 1)
    no = refused(plant, "operator", "record_count", **{**counting, "p_delta": 1, "p_lot": other})
    assert no.code in ("lot.unknown", "lot.other_order")


# Figures of other sites ---------------------------------------------------------------------------

_FIGURES = {
    "balances": "select remaining from public.production_lots where order_id is not null",
    "activities": "select kind, note from public.trace_activities where order_id is not null",
    "what came out": "select quantity from public.trace_outputs",
    "what went in": "select quantity from public.trace_inputs",
    "both": "select a.at, i.quantity from public.trace_activities a"
    " join public.trace_inputs i on i.activity_id = a.id",
}


def figures_of_an_order(db: Db) -> None:
    """Every kind of activity about a lot of an order: counted, split, merged, scrapped."""
    code = order(db, 5)
    for sequence in (CUT, ASSEMBLE, PACK):
        report(db, code, sequence, 5)
    do(db, "split_lot", code=code, sku="TABLE", quantity=2, new_code="HALF")
    do(db, "merge_lots", codes=["HALF"], into="REST", sku="TABLE")
    do(db, "dispose_lot", code="REST", sku="TABLE", quantity=1, how="scrap", reason="secret")


@pytest.mark.parametrize("what", _FIGURES)
def test_figures_of_orders_of_others_are_not_read_from_tables(plant: Db, what: str) -> None:
    """What get_production_order refuses, a table told to whoever may read units."""
    figures_of_an_order(plant)
    do(plant, "receive_lot", sku="PANEL", code="PNL-1", quantity=50)
    move_stranger_north(plant)
    query = _FIGURES[what].encode()
    with acting_as(plant, STRANGER) as db:
        assert [row for row in db.execute(query) if row != (50,)] == []
        assert db.execute("select count(*) from public.lots").fetchone() == (0,), (
            "all lie elsewhere"
        )
    with acting_as(plant, "operator") as db:
        assert db.execute(query).fetchall() != []


def test_what_was_disposed_of_a_lot_is_an_activity_of_its_order(plant: Db) -> None:
    figures_of_an_order(plant)
    row = plant.execute("select order_id from public.trace_activities where kind = 'scrap'")
    assert row.fetchone() != (None,)


# Work centres that routings and orders name ------------------------------------------------------


def route_to(db: Db, centre: str) -> None:
    steps = [{"step": "CUT", "work_centre": centre}]
    call(db, "admin", "save_routing", p_sku="TABLE", p_steps=Jsonb(steps))


@pytest.mark.parametrize("by", ["an active routing", "an open order"])
def test_a_centre_that_is_named_goes_on_with_its_step(plant: Db, by: str) -> None:
    """Nothing could be made where the order said, and nowhere else."""
    route_to(plant, "saw-1")
    code = order(plant, 2)
    if by == "an open order":
        call(plant, "planner", "activate_routing", p_sku="TABLE", p_version=1)
    change = {"p_code": "saw-1", "p_step": "PACK"}
    no = refused(plant, "planner", "save_work_centre", **change)
    assert (no.status, no.code) == (409, "work_centre.named")
    assert no.detail["named_by"] == (
        [f"order {code}"] if by == "an open order" else [f"order {code}", "the routing of TABLE"]
    )
    call(plant, "planner", "save_work_centre", p_code="saw-1", p_title="Old saw", p_step="CUT")
    if by == "an open order":
        call(plant, "planner", "cancel_production_order", p_code=code, p_reason="Off")
        assert call(plant, "planner", "save_work_centre", **change)["step"] == "PACK"


def test_an_order_is_not_bound_to_a_centre_of_another_site(plant: Db) -> None:
    north(plant)
    route_to(plant, "saw-n")
    code = order(plant, 2)
    assert _centre(plant, code) is None
    assert report(plant, code, CUT, 2)["changed"]


def test_an_old_routing_binds_to_no_centre_of_another_step(plant: Db) -> None:
    make_centre(plant, "saw-2", "CUT")
    route_to(plant, "saw-2")
    call(plant, "planner", "activate_routing", p_sku="TABLE", p_version=1)
    call(plant, "planner", "save_work_centre", p_code="saw-2", p_step="PACK")
    call(plant, "planner", "activate_routing", p_sku="TABLE", p_version=2)
    assert _centre(plant, order(plant, 2)) is None


def _centre(db: Db, code: str) -> Any:
    row = db.execute(
        "select s.work_centre from public.production_order_steps s"
        " join public.production_orders o on o.id = s.order_id where o.code = %s and s.is_first",
        (code,),
    ).fetchone()
    assert row is not None
    return row[0]


# Ended before it was started ----------------------------------------------------------------------


def test_an_order_ended_unstarted_is_not_open_for_ever(db: Db) -> None:
    """All steps were completed, and the order stood at not started, with no reason."""
    make_plant(db, stock=0)
    call(db, "operator", "receive_stock", p_sku="PANEL", p_quantity=10)
    code = order(db, 10)
    report(db, code, CUT, 8, scrap=2, reason="KNOT")
    again = f"{code}-R1"
    release(db, again)
    ended = call(db, "operator", "complete_step", p_code=again, p_sequence=CUT, p_reason="No wood")
    assert ended["order_row"]["status"] == "OPEN_PARTIAL"
    assert said(db, again) == (False, [("production.ended", None)])
    call(db, "operator", "undo_production", p_code=again, p_count_id=ended["count_id"])
    assert order_row(db, again)["status"] == "OPEN_NOT_STARTED"
    call(db, "planner", "complete_step", p_code=again, p_sequence=CUT, p_reason="No wood")
    call(db, "planner", "close_order", p_code=again, p_reason="No wood")
    assert replenishments(db, code)[0][2] == "CLOSED"


def test_who_asked_for_an_order_decides_that_it_is_not_made(plant: Db) -> None:
    """An operator ended an order of a customer before anything of it was started."""
    code = order(plant, 10)
    ending = {"p_code": code, "p_sequence": CUT, "p_reason": "No time"}
    no = refused(plant, "operator", "complete_step", **ending)
    assert (no.status, no.code) == (403, "auth.forbidden")
    assert step(plant, code)["released"] == 10
    ended = call(plant, "planner", "complete_step", **ending)
    assert ended["order_row"]["status"] == "OPEN_PARTIAL"
    assert said(plant, code) == (False, [("production.ended", None)])


def test_what_replenishments_make_is_the_reason_of_the_board(plant: Db) -> None:
    code = order(plant, 4)
    report(plant, code, CUT, 3, scrap=1, reason="KNOT")
    for sequence in (ASSEMBLE, PACK):
        report(plant, code, sequence, 3)
    (why,) = board_row(plant, code)["why"]
    assert (why["code"], why["details"]["replenishments"]) == ("production.ended", [f"{code}-R1"])
