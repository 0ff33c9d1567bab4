"""A held unit is no stock: nobody is promised its piece, and nobody moves it away."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest

from tests.sql.inventory.production import has, produce
from tests.sql.inventory.stock import at, levels, place, refused
from tests.support.rpc import call
from tests.support.units import status_of, to_status, unit_row, variant

ITEM = "FX-DONE"
ASIDE = "main-on-hold"


@pytest.fixture
def stocked(db: psycopg.Connection) -> list[str]:
    """Two units in finished stock."""
    variant(db)
    return [to_status(db, "IN_FINISHED_STOCK") for _ in range(2)]


def hold(db: psycopg.Connection, sn: str) -> None:
    call(db, "technician", "hold_unit", p_sn=sn, p_reason="scratched")


def release(db: psycopg.Connection, sn: str) -> None:
    call(db, "technician", "release_unit", p_sn=sn, p_reason="polished")


def free_and_held(db: psycopg.Connection) -> tuple[int, int]:
    found = levels(db, ITEM)
    return int(found["on_hand"]), int(found["held"])


def test_a_held_unit_is_promised_to_nobody(db: psycopg.Connection, stocked: list[str]) -> None:
    first, later = produce(db, ITEM), produce(db, ITEM)
    assert (has(db, first), has(db, later)) == (1, 1)
    hold(db, stocked[0])
    assert (has(db, first), has(db, later)) == (1, 0), "the promise is taken back, the last first"
    assert free_and_held(db) == (1, 1)
    assert at(db, ITEM, ASIDE) == 1
    hold(db, stocked[1])
    assert (has(db, first), levels(db, ITEM)["ats"]) == (0, 0)
    release(db, stocked[0])
    assert (has(db, first), has(db, later)) == (1, 0), "what is free again is offered again"
    release(db, stocked[1])
    assert (has(db, later), free_and_held(db)) == (1, (2, 0))
    assert unit_row(db, stocked[0])["hold_location"] is None


def test_a_hold_and_its_end_repeat_without_moving_stock(
    db: psycopg.Connection, stocked: list[str]
) -> None:
    for _ in range(2):
        hold(db, stocked[0])
        assert free_and_held(db) == (1, 1)
    for _ in range(2):
        release(db, stocked[0])
        assert free_and_held(db) == (2, 0)


def test_what_orders_have_taken_is_not_set_aside(
    db: psycopg.Connection, stocked: list[str]
) -> None:
    """An order took its piece by item before the box left: the hold comes all the same."""
    call(db, "planner", "upsert_item", p_sku=ITEM, p_forbid_negative=True)
    call(db, "operator", "issue_stock", p_sku=ITEM, p_quantity=1)
    for sn in stocked:
        hold(db, sn)
    assert [status_of(db, sn) for sn in stocked] == ["ON_HOLD"] * 2
    assert free_and_held(db) == (0, 1)
    for sn in stocked:
        release(db, sn)
    assert free_and_held(db) == (1, 0)


def test_the_piece_is_found_on_another_shelf(db: psycopg.Connection, stocked: list[str]) -> None:
    place(db, "shelf-2")
    call(db, "operator", "transfer_stock", p_sku=ITEM, p_quantity=2, p_from="main", p_to="shelf-2")
    hold(db, stocked[0])
    assert (at(db, ITEM, "shelf-2"), at(db, ITEM, ASIDE)) == (1, 1)
    release(db, stocked[0])
    assert (at(db, ITEM, "shelf-2"), at(db, ITEM, "main")) == (1, 1), "back where it belongs"


def test_a_plant_with_a_quarantine_uses_it(db: psycopg.Connection, stocked: list[str]) -> None:
    place(db, "cage", "quarantine")
    hold(db, stocked[0])
    assert at(db, ITEM, "cage") == 1


def test_pieces_of_held_units_leave_with_their_units_only(
    db: psycopg.Connection, stocked: list[str]
) -> None:
    """A stolen operator token, or somebody who tidies the cage."""
    hold(db, stocked[0])
    call(db, "operator", "receive_stock", p_sku=ITEM, p_quantity=1, p_location=ASIDE)
    move = {"p_sku": ITEM, "p_from": ASIDE}
    error = refused(db, "operator", "transfer_stock", **move, p_quantity=2, p_to="main")
    assert (error.status, error.code) == (423, "stock.on_hold")
    for rpc, more in (
        ("issue_stock", {"p_from": ASIDE, "p_quantity": 2}),
        ("scrap_stock", {"p_location": ASIDE, "p_quantity": 2, "p_reason": "x"}),
        ("adjust_stock", {"p_location": ASIDE, "p_quantity": -2, "p_reason": "x"}),
    ):
        assert refused(db, "manager", rpc, p_sku=ITEM, **more).code == "stock.on_hold"
    call(db, "operator", "transfer_stock", **move, p_quantity=1, p_to="main")
    assert free_and_held(db) == (2, 1), "the other piece is nobody's"
    release(db, stocked[0])
    assert free_and_held(db) == (3, 0)


def test_a_held_unit_is_scrapped_from_where_it_lies(
    db: psycopg.Connection, stocked: list[str]
) -> None:
    hold(db, stocked[0])
    call(db, "technician", "scrap_unit", p_sn=stocked[0], p_reason="beyond repair")
    assert free_and_held(db) == (1, 0)
    assert at(db, ITEM, "main") == Decimal(1)


def test_the_variant_got_another_item_meanwhile(db: psycopg.Connection, stocked: list[str]) -> None:
    """What was booked as one item leaves as that item."""
    variant(db, sku="FX-NEW")
    hold(db, stocked[0])
    assert free_and_held(db) == (1, 1)
    call(db, "technician", "scrap_unit", p_sn=stocked[0], p_reason="old")
    call(db, "operator", "send_to_rework", p_sn=stocked[1], p_reason="old")
    assert free_and_held(db) == (0, 0)
    assert levels(db, "FX-NEW")["on_hand"] == 0
