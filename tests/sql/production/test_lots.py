"""Lots: how much there is, what they are made of, and what may not be done with them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg

from tests.support.lots import balance, code_of, do, made_of, receive, refused
from tests.support.production import CUT, PACK, make_plant, order, quality, report
from tests.support.rpc import call
from tests.support.units import make_units

Db = psycopg.Connection


# What is there ----------------------------------------------------------------------------------


def test_a_lot_is_received_and_counted(db: Db) -> None:
    receive(db, "OAK-1", 40, location="main")
    receive(db, "oak-1", 10)
    mass = balance(db, "OAK-1")
    assert (mass["received"], mass["remaining"], mass["is_balanced"]) == (50, 50, True)
    shelf = db.execute("select on_hand from public.inventory_stock where sku = 'OAK'").fetchone()
    assert shelf == (Decimal(40),), "only what was put on the shelf"


def test_mass_balance_counts_every_way_out(db: Db) -> None:
    """received + moved in = used + moved out + scrapped + returned + remaining."""
    make_plant(db)
    receive(db, "PNL-1", 100, sku="PANEL")
    code = order(db, 10)
    do(db, "consume_lot", code="PNL-1", quantity=10, order=code, sequence=CUT)
    do(db, "split_lot", code="PNL-1", quantity=30, new_code="PNL-2")
    do(db, "dispose_lot", code="PNL-1", quantity=4, how="scrap", reason="wet")
    do(db, "dispose_lot", code="PNL-1", quantity=6, how="return", reason="warped")
    mass = balance(db, "PNL-1")
    kept = {name: mass[name] for name in ("used", "moved_out", "scrapped", "returned", "remaining")}
    assert kept == {"used": 10, "moved_out": 30, "scrapped": 4, "returned": 6, "remaining": 50}
    assert mass["is_balanced"]
    assert balance(db, "PNL-2")["remaining"] == 30
    assert made_of(db, "PNL-2") == {"PNL-1"}


def test_a_lot_that_nobody_counted_may_be_used_and_stays_unknown(db: Db) -> None:
    make_plant(db)
    call(db, "operator", "upsert_lot", p_sku="PANEL", p_code="OLD")
    do(db, "consume_lot", code="OLD", quantity=5, order=order(db))
    mass = balance(db, "OLD")
    assert (mass["used"], mass["remaining"], mass["is_counted"]) == (5, None, False)
    assert code_of(refused(db, "split_lot", code="OLD", quantity=1)) == (409, "lot.not_counted")


def test_pieces_in_units_stay_part_of_their_lot(db: Db) -> None:
    receive(db, "CELLS", 10, sku="CELL")
    (sn,) = make_units(db)
    call(db, "operator", "install_component", p_sn=sn, p_lot="CELLS", p_quantity=2)
    mass = balance(db, "CELLS")
    assert (mass["in_units"], mass["remaining"], mass["is_balanced"]) == (2, 10, True)


# Lots of orders ---------------------------------------------------------------------------------


def test_an_order_has_a_lot_that_follows_its_counts(plant: Db) -> None:
    code = order(plant, 10)
    report(plant, code, 10, good=8, scrap=1, reason="KNOT")
    mass = balance(plant, code)
    assert (mass["received"], mass["scrapped"], mass["in_process"]) == (9, 1, 8)
    report(plant, code, 20, good=8)
    report(plant, code, PACK, good=6)
    mass = balance(plant, code)
    assert (mass["finished"], mass["in_process"], mass["remaining"]) == (6, 2, 8)
    lot = do(plant, "get_lot", code=code)
    assert (lot["lot"]["kind"], lot["order_code"]) == ("FINISHED", code)
    assert {e["key"] for e in lot["genealogy"]["made_of"]} == {code}, "its order"


def test_a_good_piece_that_became_scrap_leaves_the_lot(plant: Db) -> None:
    code = order(plant, 3)
    for sequence in (10, 20, 30):
        report(plant, code, sequence, good=2)
    quality(plant, code, "scrap", 1, sequence=PACK, **{"from": "good"})
    mass = balance(plant, code)
    assert (mass["finished"], mass["scrapped"], mass["remaining"]) == (1, 1, 1)


def test_undone_counts_leave_the_lot_as_it_was(plant: Db) -> None:
    code = order(plant, 5)
    report(plant, code, CUT, good=3)
    before = balance(plant, code)
    report(plant, code, CUT, good=1, scrap=1, reason="KNOT")
    call(plant, "operator", "undo_production", p_code=code)
    assert balance(plant, code) == before


def test_material_goes_into_the_order_s_lot_and_is_traced_both_ways(plant: Db) -> None:
    receive(plant, "PNL-1", 50, sku="PANEL")
    receive(plant, "LEG-1", 50, sku="LEG")
    code = order(plant, 5)
    do(plant, "consume_lot", code="PNL-1", quantity=5, order=code, sequence=10)
    used = do(plant, "consume_lot", code="LEG-1", quantity=20, order=code, sequence=20)
    assert made_of(plant, code) == {"PNL-1", "LEG-1"}
    assert made_of(plant, "LEG-1", "went_into") == {code}
    activity = do(plant, "get_lot", code="LEG-1")["activities"][0]
    assert activity["id"] == used["activity"]["id"]
    assert (activity["kind"], activity["order"], activity["sequence"]) == ("consume", code, 20)
    assert activity["inputs"] == [{"lot": "LEG-1", "sku": "LEG", "quantity": 20}]
    assert activity["outputs"] == [{"lot": code, "sku": "TABLE", "quantity": None}]


def test_material_may_come_from_the_shelf(plant: Db) -> None:
    receive(plant, "LEG-1", 50, sku="LEG", location="main")
    before = plant.execute("select on_hand from public.inventory_stock where sku = 'LEG'")
    (there,) = before.fetchone() or (None,)
    used = do(
        plant, "consume_lot", code="LEG-1", quantity=4, order=order(plant, released=False),
        location="main",
    )  # fmt: skip
    assert used["activity"]["txn_id"] is not None
    after = plant.execute("select on_hand from public.inventory_stock where sku = 'LEG'")
    assert after.fetchone() == (there - 4,)
    do(plant, "undo_lot_activity", activity_id=used["activity"]["id"])
    again = plant.execute("select on_hand from public.inventory_stock where sku = 'LEG'")
    assert again.fetchone() == (there,)


def test_reports_of_a_split_lot_go_to_it(plant: Db) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, good=10)
    do(plant, "split_lot", code=code, quantity=4, new_code="SIDE")
    report(plant, code, 20, good=4, lot="SIDE")
    report(plant, code, 20, good=6)
    report(plant, code, 30, good=4, lot="SIDE")
    assert (balance(plant, "SIDE")["finished"], balance(plant, code)["finished"]) == (4, 0)
    other = order(plant, 1)
    error = refused(plant, "report_production", code=other, work_centre="saw-1", good=1, lot="SIDE")
    assert code_of(error) == (409, "lot.other_order")


# Split, merge, rework ---------------------------------------------------------------------------


def test_split_names_itself_and_asks_which_part(plant: Db) -> None:
    code = order(plant, 4)
    for sequence, good in ((10, 4), (20, 4), (30, 2)):
        report(plant, code, sequence, good=good)
    assert code_of(refused(plant, "split_lot", code=code, quantity=1)) == (422, "lot.which_part")
    wrong = refused(plant, "split_lot", code=code, quantity=1, part="half")
    assert code_of(wrong) == (422, "lot.which_part")
    first = do(plant, "split_lot", code=code, quantity=1, part="finished")
    second = do(plant, "split_lot", code=code, quantity=1, part="in_process")
    assert [a["lots"][0]["lot"]["code"] for a in (first, second)] == [f"{code}-1", f"{code}-2"]
    assert balance(plant, f"{code}-1")["finished"] == 1
    assert balance(plant, f"{code}-2")["in_process"] == 1


def test_merged_lots_are_one_and_the_old_ones_empty(db: Db) -> None:
    for code in ("A", "B"):
        receive(db, code, 10)
    merged = do(db, "merge_lots", codes=["A", "B"], into="AB")
    assert merged["lots"][0]["balance"]["remaining"] == 20
    assert made_of(db, "AB") == {"A", "B"}
    assert balance(db, "A")["remaining"] == 0
    assert not do(db, "merge_lots", codes=["A", "B"], into="AB")["changed"]


def test_a_lot_that_comes_back_is_a_loop_and_ends(db: Db) -> None:
    """Split off, reworked, merged again: both are in each other, and every trace ends."""
    receive(db, "A", 10)
    do(db, "split_lot", code="A", quantity=4, new_code="A-REWORK")
    do(db, "merge_lots", codes=["A-REWORK"], into="A")
    genealogy = do(db, "get_lot", code="A")["genealogy"]
    assert {e["key"] for e in genealogy["made_of"]} == {"A-REWORK"}
    assert {e["key"] for e in genealogy["went_into"]} == {"A-REWORK"}
    assert genealogy["loops"], "shown as a loop"
    assert genealogy["is_complete"]
    assert balance(db, "A")["remaining"] == 10


def test_rework_that_consumes_itself_terminates(plant: Db) -> None:
    code = order(plant, 3)
    report(plant, code, CUT, good=3)
    do(plant, "consume_lot", code=code, quantity=1, order=code)
    genealogy = do(plant, "get_lot", code=code)["genealogy"]
    assert genealogy["loops"] == [genealogy["node"]]
    mass = balance(plant, code)
    assert (mass["used"], mass["remaining"]) == (0, 3), "rework uses nothing up"


def test_merging_pieces_in_process_across_orders_is_refused(plant: Db) -> None:
    first, second = order(plant, 3), order(plant, 3)
    for code in (first, second):
        report(plant, code, CUT, good=3)
    error = refused(plant, "merge_lots", codes=[first], into=second)
    assert code_of(error) == (409, "lot.other_order")
    for code in (first, second):
        report(plant, code, 20, good=3)
        report(plant, code, 30, good=3)
    merged = do(plant, "merge_lots", codes=[first], into=second)
    assert merged["lots"][0]["balance"]["good"] == 6, "finished ones may"


# Undo -------------------------------------------------------------------------------------------


def test_every_movement_can_be_taken_back_once(plant: Db) -> None:
    receive(plant, "PNL-1", 50, sku="PANEL")
    before = balance(plant, "PNL-1")
    code = order(plant, 5)
    steps = [
        do(plant, "consume_lot", code="PNL-1", quantity=5, order=code),
        do(plant, "split_lot", code="PNL-1", quantity=5, new_code="PNL-2"),
        do(plant, "dispose_lot", code="PNL-1", quantity=5, how="scrap", reason="wet"),
    ]
    for step in reversed(steps):
        undo: dict[str, Any] = {"activity_id": step["activity"]["id"], "reason": "mistake"}
        assert do(plant, "undo_lot_activity", **undo)["changed"]
        assert not do(plant, "undo_lot_activity", **undo)["changed"]
    assert balance(plant, "PNL-1") == before
    assert made_of(plant, "PNL-1", "went_into") == set()
    everything = do(plant, "get_lot", code="PNL-1", with_removed=True)["genealogy"]["went_into"]
    assert {e["key"] for e in everything} == {code, "PNL-2"}, "that it was there stays known"


def test_a_split_cannot_be_undone_once_the_pieces_went_on(db: Db) -> None:
    receive(db, "A", 10)
    split = do(db, "split_lot", code="A", quantity=5, new_code="B")
    do(db, "dispose_lot", code="B", quantity=2, how="scrap", reason="wet")
    error = refused(db, "undo_lot_activity", activity_id=split["activity"]["id"])
    assert code_of(error) == (409, "lot.short")
    assert code_of(refused(db, "undo_lot_activity", activity_id=0)) == (404, "lot.activity")


def test_what_a_count_did_is_undone_with_the_count(plant: Db) -> None:
    code = order(plant, 2)
    report(plant, code, CUT, good=1)
    started = do(plant, "get_lot", code=code)["activities"][-1]
    assert not started["can_undo"]
    error = refused(plant, "undo_lot_activity", activity_id=started["id"])
    assert code_of(error) == (409, "lot.of_count")
