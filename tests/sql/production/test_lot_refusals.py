"""Lots on hold, lots out of use, and what may not be done with a lot."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.concurrency.together import together
from tests.support.databases import Clone
from tests.support.lots import balance, code_of, do, made_of, receive, refused
from tests.support.production import CUT, order, quality, report
from tests.support.rpc import Refused, call
from tests.support.units import make_units

Db = psycopg.Connection


# Hold, removal ----------------------------------------------------------------------------------


def test_holds_propagate_by_choice(plant: Db) -> None:
    receive(plant, "PNL-1", 50, sku="PANEL")
    code = order(plant, 5)
    do(plant, "consume_lot", code="PNL-1", quantity=5, order=code)
    do(plant, "hold_lot", "supervisor", code="PNL-1", reason="wet")
    assert do(plant, "get_lot", code=code)["lot"]["held_at"] is None, "only the lot itself"
    do(plant, "release_lot", "supervisor", code="PNL-1", reason="dry")
    held = do(plant, "hold_lot", "supervisor", code="PNL-1", reason="wet", onward=True)
    assert held["changed"]
    assert do(plant, "get_lot", code=code)["lot"]["hold_reason"] == "wet"
    error = refused(plant, "report_production", code=code, work_centre="saw-1", good=1)
    assert code_of(error) == (423, "lot.on_hold")
    do(plant, "release_lot", "supervisor", code="PNL-1", reason="dry", onward=True)
    assert do(plant, "get_lot", code=code)["lot"]["held_at"] is None
    report(plant, code, CUT, good=1)


def test_a_release_onward_leaves_what_is_held_for_another_reason(plant: Db) -> None:
    receive(plant, "PNL-1", 50, sku="PANEL")
    codes = [order(plant, 1) for _ in range(2)]
    for code in codes:
        do(plant, "consume_lot", code="PNL-1", quantity=1, order=code)
    do(plant, "hold_lot", "supervisor", code=codes[0], reason="dented")
    do(plant, "hold_lot", "supervisor", code="PNL-1", reason="wet", onward=True)
    do(plant, "release_lot", "supervisor", code="PNL-1", reason="dry", onward=True)
    reasons = [do(plant, "get_lot", code=code)["lot"]["hold_reason"] for code in codes]
    assert reasons == ["dented", None]


def test_hold_onward_reaches_units_and_takes_the_right_to_recall(db: Db) -> None:
    receive(db, "CELLS", 10, sku="CELL")
    (sn,) = make_units(db)
    call(db, "operator", "install_component", p_sn=sn, p_lot="CELLS")
    hold: dict[str, Any] = {"code": "CELLS", "reason": "swollen", "onward": True}
    assert refused(db, "hold_lot", "technician", **hold).status == 403
    do(db, "hold_lot", "supervisor", **hold)
    unit = "select status::text from public.units where sn = %s"
    assert db.execute(unit, (sn,)).fetchone() == ("ON_HOLD",)
    do(db, "release_lot", "supervisor", code="CELLS", reason="good after all", onward=True)
    assert db.execute(unit, (sn,)).fetchone() == ("CREATED",)


def test_a_removed_lot_goes_nowhere_and_is_still_traced(plant: Db) -> None:
    """Soft-deleted in the middle of a chain: the trace goes through it."""
    receive(plant, "PNL-1", 50, sku="PANEL")
    do(plant, "split_lot", code="PNL-1", quantity=20, new_code="PNL-2")
    code = order(plant, 5)
    do(plant, "consume_lot", code="PNL-2", quantity=5, order=code)
    remove: dict[str, Any] = {"code": "PNL-2", "reason": "label lost"}
    assert do(plant, "remove_lot", **remove)["changed"]
    assert not do(plant, "remove_lot", **remove)["changed"]
    assert made_of(plant, code) == {"PNL-1", "PNL-2"}
    assert made_of(plant, "PNL-1", "went_into") == {"PNL-2", code}
    error = refused(plant, "consume_lot", code="PNL-2", quantity=1, order=code)
    assert code_of(error) == (409, "lot.removed")
    (sn,) = make_units(plant)
    with pytest.raises(Refused, match=r"lot\.removed"):
        call(plant, "operator", "install_component", p_sn=sn, p_lot="PNL-2", p_sku="PANEL")
    listed = {row["lot"]["code"] for row in do(plant, "get_lots")["lots"]}
    assert "PNL-2" not in listed
    do(plant, "remove_lot", code="PNL-2", is_removed=False)
    do(plant, "consume_lot", code="PNL-2", quantity=1, order=code)


@pytest.mark.parametrize("how", ["scrap", "return", "hold"])
def test_bad_pieces_of_a_held_lot_leave_it(plant: Db, how: str) -> None:
    """A hold stops what goes on; what is bad could not even be thrown away."""
    code = order(plant, 10)
    report(plant, code, CUT, good=4)
    call(plant, "operator", "start_step", p_code=code, p_work_centre="saw-1", p_quantity=4)
    do(plant, "hold_lot", "supervisor", code=code, reason="wet")
    quality(plant, code, how, 2, who="supervisor")
    if how == "scrap":
        quality(plant, code, "scrap", 1, **{"from": "good"})
        report(plant, code, CUT, scrap=1, reason="KNOT")
    for rpc, given in (
        ("start_step", {"work_centre": "saw-1"}),
        ("report_production", {"work_centre": "saw-1", "good": 1}),
        ("report_production", {"work_centre": "saw-1", "scrap": 1, "rework": 1, "reason": "KNOT"}),
        ("complete_step", {"sequence": CUT, "good": 1}),
    ):
        assert code_of(refused(plant, rpc, code=code, **given)) == (423, "lot.on_hold")
    for disposition in ("rework", "repair", "use_as_is"):
        with pytest.raises(Refused, match=r"lot\.on_hold"):
            quality(plant, code, disposition, 1, who="supervisor")


# Refusals ---------------------------------------------------------------------------------------


def test_material_that_does_not_belong_is_refused_and_says_what_does(plant: Db) -> None:
    receive(plant, "ROD-1", 50, sku="ROD")
    receive(plant, "LEG-1", 3, sku="LEG")
    code = order(plant, 5)
    error = refused(plant, "consume_lot", code="ROD-1", quantity=1, order=code)
    assert code_of(error) == (409, "production.wrong_material")
    assert (error.detail["expected"], error.detail["actual"]) == (["LEG", "PANEL"], "ROD")
    error = refused(plant, "consume_lot", code="LEG-1", quantity=1, order=code, sequence=CUT)
    assert error.detail["expected"] == ["PANEL"], "legs go in at another step"
    error = refused(plant, "consume_lot", code="LEG-1", quantity=4, order=code)
    assert code_of(error) == (409, "lot.short")
    do(plant, "consume_lot", code="LEG-1", quantity=3, order=code)
    error = refused(plant, "consume_lot", code="LEG-1", quantity=1, order=code)
    assert code_of(error) == (409, "lot.used_up")
    error = refused(plant, "consume_lot", code="LEG-1", quantity=1, order=code, sequence=7)
    assert code_of(error) == (404, "production.no_step")
    error = refused(plant, "consume_lot", code="LEG-1", quantity=1, order="P-0")
    assert code_of(error) == (404, "production.unknown")


def test_a_circle_of_lots_of_different_orders_is_refused(plant: Db) -> None:
    for code, product, part in (("LOOP", "PANEL", "TABLE"), ("BACK", "TABLE", "PANEL")):
        lines = Jsonb([{"sku": part, "quantity": 1}])
        make = {"code": code, "product_sku": product, "lines": lines, "site": "main"}
        do(plant, "create_production_order", "planner", **make)
    receive(plant, "T-1", 5, sku="TABLE")
    do(plant, "consume_lot", code="T-1", quantity=1, order="LOOP")
    do(plant, "consume_lot", code="LOOP", quantity=1, order="BACK")
    error = refused(plant, "consume_lot", code="BACK", sku="TABLE", quantity=1, order="LOOP")
    assert code_of(error) == (409, "trace.circle")


_REFUSED: tuple[tuple[str, dict[str, Any], tuple[int, str]], ...] = (
    ("split_lot", {"code": "NO", "quantity": 1}, (404, "lot.unknown")),
    ("split_lot", {"code": "A", "quantity": 99}, (409, "lot.short")),
    ("split_lot", {"code": "A", "quantity": 1, "new_code": "B"}, (409, "lot.exists")),
    ("split_lot", {"code": "A", "quantity": 0}, (422, "stock.quantity")),
    ("merge_lots", {"codes": [], "into": "C"}, (422, "lot.merge")),
    ("merge_lots", {"codes": ["A", "X"], "into": "C"}, (422, "lot.merge")),
    ("merge_lots", {"codes": ["A", "a"], "into": "C"}, (422, "lot.merge")),
    ("dispose_lot", {"code": "A", "quantity": 1, "how": "eat", "reason": "x"}, (422, "lot.how")),
    (
        *("dispose_lot", {"code": "A", "quantity": 1, "how": "scrap", "reason": " "}),
        (422, "unit.reason_required"),
    ),
    ("remove_lot", {"code": "A"}, (422, "unit.reason_required")),
    ("receive_lot", {"sku": "NO", "code": "A", "quantity": 1}, (404, "item.unknown")),
)


def test_refusals(db: Db) -> None:
    receive(db, "A", 10)
    receive(db, "B", 10)
    receive(db, "X", 10, sku="PINE")
    for rpc, arguments, expected in _REFUSED:
        assert code_of(refused(db, rpc, **arguments)) == expected, arguments


def test_an_order_s_lot_is_neither_received_nor_disposed_of_in_process(plant: Db) -> None:
    code = order(plant, 2)
    report(plant, code, CUT, good=2)
    error = refused(plant, "receive_lot", sku="TABLE", code=code, quantity=1)
    assert code_of(error) == (409, "lot.of_order")
    dispose: dict[str, Any] = {"code": code, "quantity": 1, "how": "scrap", "reason": "dropped"}
    assert code_of(refused(plant, "dispose_lot", **dispose)) == (409, "lot.in_process")


def test_repeats_answer_the_first_and_other_arguments_are_refused(db: Db) -> None:
    receive(db, "A", 10)
    again: dict[str, Any] = {"code": "A", "quantity": 2, "request_id": uuid4()}
    first = do(db, "split_lot", **again)
    assert do(db, "split_lot", **again) == first
    assert balance(db, "A")["remaining"] == 8
    error = refused(db, "split_lot", **(again | {"quantity": 3}))
    assert code_of(error) == (422, "request.reused")


def test_two_people_never_take_more_than_there_is(clone: Clone) -> None:
    """Ten at once split two of ten pieces each: five get them, five are told."""
    with clone.connect() as db:
        receive(db, "A", 10)

    def split(connection: Db, number: int) -> str:
        try:
            do(connection, "split_lot", code="A", quantity=2, new_code=f"S-{number}")
        except Refused as error:
            return str(error.code)
        return "split"

    answers = together(clone, 10, split)
    assert sorted(answers) == ["lot.short"] * 5 + ["split"] * 5
    with clone.connect() as db:
        assert balance(db, "A")["remaining"] == 0
