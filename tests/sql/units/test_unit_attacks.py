"""A stolen token, a stale page, a hurried hand: what units let nobody do."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.inventory.stock import at, levels, place, refused
from tests.support.orders import make_order
from tests.support.printing import AGENT, begin, claim, confirm, mark_sent
from tests.support.rpc import call
from tests.support.trace import install, item, lot, uninstall, unit_of
from tests.support.units import (
    blockers,
    label_printer,
    measure,
    new_unit,
    scan_kit,
    status_of,
    to_status,
    variant,
)

ITEM = "FX-DONE"


def print_all(db: psycopg.Connection) -> None:
    counter = 100
    while (taken := claim(db, AGENT)) is not None:
        begin(db, taken, counter)
        mark_sent(db, taken)
        counter += taken["labels"]
        confirm(db, taken, counter)


def test_nobody_prints_a_device_label_that_says_something_else(db: psycopg.Connection) -> None:
    """The gate counts a printed label: one with the serial of another unit must not come out."""
    label_printer(db)
    variant(db, rules={"packaging": {"require_device_label": True}})
    sn, other = new_unit(db), new_unit(db)
    fake = {"code": other, "product": "Gold", "variant": "FX-GOLD", "made": "1999-01-01"}
    label = {"p_label_type": "unit_device", "p_subject": sn}
    asked = call(db, "operator", "request_print", **label, p_data=fake)
    data = "select data from public.print_job_labels where job_id = %s"
    row = db.execute(data, (asked["job"]["id"],)).fetchone()
    assert row is not None
    assert {k: row[0][k] for k in ("code", "product", "variant")} == {
        "code": sn, "product": "FX-EU", "variant": "FX-EU",
    }  # fmt: skip
    assert row[0]["made"] != "1999-01-01"
    body = db.execute(
        "select payload from public.print_jobs where id = %s", (asked["job"]["id"],)
    ).fetchone()
    assert body is not None
    assert other not in body[0]
    assert "Gold" not in body[0]


def test_a_label_changed_after_the_variant_says_the_variant(db: psycopg.Connection) -> None:
    label_printer(db)
    variant(db)
    sn = new_unit(db, None)
    job = call(db, "operator", "print_unit_label", p_sn=sn)["job"]["id"]
    print_all(db)
    call(db, "operator", "assign_unit_variant", p_sn=sn, p_variant="FX-EU")
    again = call(db, "supervisor", "reprint", p_job_id=job, p_reason="changed")
    row = db.execute(
        "select data ->> 'variant' from public.print_job_labels where job_id = %s",
        (again["job"]["id"],),
    ).fetchone()
    assert row == ("FX-EU",)


def boxed(db: psycopg.Connection, sn: str) -> str:
    box = str(call(db, "operator", "create_box")["box"]["code"])
    call(db, "operator", "put_in_box", p_box=box, p_what=sn)
    call(db, "operator", "seal_box", p_box=box)
    return box


def test_nothing_is_shipped_with_a_cancelled_order(db: psycopg.Connection) -> None:
    """A page that was open since before the customer cancelled."""
    variant(db)
    sn = to_status(db, "IN_FINISHED_STOCK")
    box = boxed(db, sn)
    make_order(db, "bannos-1", cancelled_at="2026-11-20T00:00:00Z")
    error = refused(db, "operator", "ship_box", p_box=box, p_order="bannos-1")
    assert (error.status, error.code) == (409, "order.cancelled")
    order = call(db, "planner", "create_production_order", p_product_sku=ITEM, p_quantity=1)
    code = order["order_row"]["code"]
    call(db, "planner", "cancel_production_order", p_code=code, p_reason="x")
    error = refused(db, "operator", "ship_box", p_box=box, p_order=code)
    assert (error.status, error.code) == (409, "production.closed")
    make_order(db, "bannos-2")
    call(db, "operator", "ship_box", p_box=box, p_order="bannos-2")
    db.execute("update public.orders set cancelled_at = now() where id = 'bannos-2'")
    again = call(db, "operator", "ship_box", p_box=box, p_order="bannos-2")
    assert again["changed"] is False, "it has left"


def test_nobody_ships_with_an_order_of_a_store_that_is_not_theirs(db: psycopg.Connection) -> None:
    variant(db)
    box = boxed(db, to_status(db, "IN_FINISHED_STOCK"))
    make_order(db, "bannos-1")
    error = refused(db, "flourlane_operator", "ship_box", p_box=box, p_order="bannos-1")
    assert error.status == 403
    assert call(db, "operator", "ship_box", p_box=box, p_order="bannos-1")["changed"]


@pytest.mark.parametrize("rpc", ["scrap_unit", "send_to_rework"])
def test_a_unit_leaves_the_shelf_it_was_moved_to(db: psycopg.Connection, rpc: str) -> None:
    """Somebody tidied the stock: its piece lies elsewhere, and nothing goes below zero."""
    variant(db)
    sn = to_status(db, "IN_FINISHED_STOCK")
    call(db, "planner", "upsert_item", p_sku=ITEM, p_forbid_negative=True)
    place(db, "shelf-2")
    move = {"p_sku": ITEM, "p_quantity": 1, "p_from": "main", "p_to": "shelf-2"}
    call(db, "operator", "transfer_stock", **move)
    call(db, "supervisor", rpc, p_sn=sn, p_reason="returned")
    assert (at(db, ITEM, "shelf-2"), at(db, ITEM, "main")) == (0, 0)


def test_a_held_unit_inside_another_takes_no_piece_from_the_shelf(db: psycopg.Connection) -> None:
    """Its own piece was used up when it was built in; and comes back aside, not to the shelf."""
    variant(db)
    inner, other = (to_status(db, "IN_FINISHED_STOCK") for _ in range(2))
    outer = new_unit(db, None)
    built = install(db, outer, component_sn=inner, sku=ITEM, location="main")
    call(db, "technician", "hold_unit", p_sn=inner, p_reason="smells")
    found = levels(db, ITEM)
    assert (found["on_hand"], found["held"]) == (1, 0), "the other one is free"
    uninstall(db, built)
    found = levels(db, ITEM)
    assert (found["on_hand"], found["held"]) == (1, 1)
    call(db, "technician", "release_unit", p_sn=inner, p_reason="aired")
    assert levels(db, ITEM)["on_hand"] == 2
    assert status_of(db, other) == "IN_FINISHED_STOCK"


def test_a_kit_read_for_the_unit_before_is_not_used_twice(db: psycopg.Connection) -> None:
    """Two stations hold the same kit code; one of them packs, the other is told."""
    variant(db)
    first, second = (to_status(db, "TEST_PASS") for _ in range(2))
    name = scan_kit(db, first)
    scan_kit(db, second, name)
    assert call(db, "operator", "finalize_pack", p_sn=first)["allowed"]
    assert blockers(db, second) == ["KIT_ALREADY_USED"]


def test_a_test_of_a_unit_that_waits_for_the_recall_is_refused(db: psycopg.Connection) -> None:
    item(db, "CELL")
    lot(db)
    variant(db)
    sn = unit_of(db, "L-1")
    call(db, "operator", "assign_unit_variant", p_sn=sn, p_variant="FX-EU")
    to_status(db, "FLASHED", sn)
    call(db, "supervisor", "hold_all", p_trace={"key": "L-1"}, p_reason="swollen")
    error = refused(db, "fixture", "record_test_result", p_sn=sn, p_result="PASS")
    assert (error.status, error.code) == (423, "unit.on_hold")
    call(db, "technician", "release_unit", p_sn=sn, p_reason="checked")
    assert measure(db, sn)["result"] == "PASS"
