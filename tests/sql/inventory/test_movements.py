"""M03: every movement of stock by hand: what it books, what it refuses, and its repeats."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.sql.inventory.stock import at, item, ledger, levels, on_hand, place, refused
from tests.support.databases import USER_IDS
from tests.support.rpc import call

MOVES: dict[str, dict[str, Any]] = {
    "receive_stock": {"p_sku": "FLOUR", "p_quantity": 2},
    "issue_stock": {"p_sku": "FLOUR", "p_quantity": 2, "p_to": "wip"},
    "transfer_stock": {"p_sku": "FLOUR", "p_quantity": 2, "p_from": "main", "p_to": "shelf"},
    "adjust_stock": {"p_sku": "FLOUR", "p_quantity": -2, "p_reason": "spilt"},
    "scrap_stock": {"p_sku": "FLOUR", "p_quantity": 2, "p_reason": "mouldy"},
}
PERMITTED = {rpc: "operator" for rpc in MOVES} | {"adjust_stock": "supervisor"}


@pytest.fixture
def shelves(db: psycopg.Connection) -> psycopg.Connection:
    """Ten of FLOUR at the default place; a shelf, work in progress and quarantine."""
    item(db, on_hand=10, min_stock=3)
    place(db, "shelf")
    place(db, "wip", "wip")
    place(db, "jail", "quarantine")
    return db


def test_a_receipt_is_there_with_who_what_and_how_much(db: psycopg.Connection) -> None:
    item(db, unit_cost=Decimal("1.5"))
    answer = call(
        db, "operator", "receive_stock", p_sku="flour", p_quantity=Decimal("2.5"),
        p_ref="DN-77", p_reason="Monday's van",
    )  # fmt: skip
    assert (answer["changed"], answer["sku"], answer["location"]) == (True, "FLOUR", "main")
    assert (answer["balance"], answer["on_hand"], answer["ats"]) == (2.5, 2.5, 2.5)
    row = db.execute(
        "select kind, quantity, balance, ref_stream, ref_id, reason, unit_cost, actor_id"
        " from public.inventory_txn where id = any (%s)",
        (answer["txn_ids"],),
    ).fetchone()
    assert row == (
        "receipt", Decimal("2.5"), Decimal("2.5"), "delivery", "DN-77", "Monday's van",
        Decimal("1.5"), USER_IDS["operator"],
    )  # fmt: skip
    told = db.execute(
        "select site, stream, stream_id, event, payload ->> 'quantity' from public.events"
        " where id = %s",
        (answer["event_id"],),
    ).fetchone()
    assert told == ("main", "stock", "FLOUR", "stock.received", "2.5")


def test_issue_hands_stock_to_work_where_nobody_else_can_have_it(
    shelves: psycopg.Connection,
) -> None:
    answer = call(shelves, "operator", "issue_stock", **MOVES["issue_stock"])
    assert levels(shelves) == {"on_hand": 8, "held": 2, "reserved": 0, "ats": 8}
    assert (at(shelves, "FLOUR", "main"), at(shelves, "FLOUR", "wip")) == (8, 2)
    assert (len(answer["txn_ids"]), answer["balance"]) == (2, 8)


def test_issue_without_a_target_uses_it_up(shelves: psycopg.Connection) -> None:
    call(shelves, "operator", "issue_stock", p_sku="FLOUR", p_quantity=4)
    assert levels(shelves) == {"on_hand": 6, "held": 0, "reserved": 0, "ats": 6}


def test_transfer_keeps_the_sum_and_quarantine_takes_it_out_of_what_is_free(
    shelves: psycopg.Connection,
) -> None:
    call(shelves, "operator", "transfer_stock", **MOVES["transfer_stock"])
    assert on_hand(shelves) == 10
    call(
        shelves, "operator", "transfer_stock", p_sku="FLOUR", p_quantity=3, p_from="main",
        p_to="jail",
    )  # fmt: skip
    assert levels(shelves) == {"on_hand": 7, "held": 3, "reserved": 0, "ats": 7}
    assert [at(shelves, "FLOUR", p) for p in ("main", "shelf", "jail")] == [5, 2, 3]


def test_adjust_is_a_difference_and_scrap_takes_away(shelves: psycopg.Connection) -> None:
    call(shelves, "supervisor", "adjust_stock", p_sku="FLOUR", p_quantity=3, p_reason="found")
    call(shelves, "supervisor", "adjust_stock", p_sku="FLOUR", p_quantity=-1, p_reason="spilt")
    call(shelves, "operator", "scrap_stock", **MOVES["scrap_stock"])
    assert ledger(shelves) == [("receipt", 10), ("adjust", 3), ("adjust", -1), ("scrap", -2)]
    assert on_hand(shelves) == 10


def test_defect_negatives_are_not_clamped_they_are_shown(shelves: psycopg.Connection) -> None:
    answer = call(shelves, "operator", "issue_stock", p_sku="FLOUR", p_quantity=12)
    assert (answer["on_hand"], answer["ats"]) == (-2, -2)
    assert ledger(shelves)[-1] == ("issue", -12), "the ledger says what was really taken"
    call(shelves, "operator", "receive_stock", p_sku="FLOUR", p_quantity=5)
    assert on_hand(shelves) == 3


@pytest.mark.parametrize("rpc", ["issue_stock", "transfer_stock", "adjust_stock", "scrap_stock"])
def test_an_item_that_forbids_negatives_refuses_to_go_below_zero(
    shelves: psycopg.Connection, rpc: str
) -> None:
    call(shelves, "planner", "upsert_item", p_sku="FLOUR", p_forbid_negative=True)
    quantity = -11 if rpc == "adjust_stock" else 11
    arguments = {**MOVES[rpc], "p_quantity": quantity}
    refusal = refused(shelves, PERMITTED[rpc], rpc, **arguments)
    assert (refusal.status, refusal.code) == (409, "stock.short")
    assert refusal.detail == {"sku": "FLOUR", "location": "main", "needed": 11, "there": 10}
    assert on_hand(shelves) == 10


def test_the_constraint_holds_even_past_the_commands(shelves: psycopg.Connection) -> None:
    call(shelves, "planner", "upsert_item", p_sku="FLOUR", p_forbid_negative=True)
    with pytest.raises(psycopg.errors.CheckViolation) as refusal:
        shelves.execute(
            "insert into public.inventory_txn (sku, location, kind, quantity)"
            " values ('FLOUR', 'main', 'issue', -11)"
        )
    assert refusal.value.diag.constraint_name == "inventory_stock_on_hand_check"


@pytest.mark.parametrize("rpc", list(MOVES))
def test_the_same_request_id_moves_once(shelves: psycopg.Connection, rpc: str) -> None:
    arguments = {**MOVES[rpc], "p_request_id": uuid4()}
    first = call(shelves, PERMITTED[rpc], rpc, **arguments)
    before = ledger(shelves)
    assert call(shelves, PERMITTED[rpc], rpc, **arguments) == first
    assert ledger(shelves) == before
    refusal = refused(shelves, PERMITTED[rpc], rpc, **{**arguments, "p_quantity": 1})
    assert (refusal.status, refusal.code) == (422, "request.reused")


@pytest.mark.parametrize("rpc", list(MOVES))
@pytest.mark.parametrize("quantity", [0, -1, "NaN", "0.0001", 2_000_000_000])
def test_quantities_that_make_no_sense(
    shelves: psycopg.Connection, rpc: str, quantity: Any
) -> None:
    if rpc == "adjust_stock" and quantity == -1:
        return
    refusal = refused(
        shelves, PERMITTED[rpc], rpc, **{**MOVES[rpc], "p_quantity": Decimal(quantity)}
    )
    assert (refusal.status, refusal.code) == (422, "stock.quantity")
    assert len(ledger(shelves)) == 1


@pytest.mark.parametrize("rpc", list(MOVES))
def test_items_that_cannot_be_moved(shelves: psycopg.Connection, rpc: str) -> None:
    who = PERMITTED[rpc]
    unknown = refused(shelves, who, rpc, **{**MOVES[rpc], "p_sku": "NOPE"})
    assert (unknown.status, unknown.code) == (404, "item.unknown")
    item(shelves, "HOUR", kind="labour", is_stocked=False)
    labour = refused(shelves, who, rpc, **{**MOVES[rpc], "p_sku": "HOUR"})
    assert (labour.status, labour.code) == (422, "item.not_stocked")


def test_nothing_comes_in_for_an_item_that_is_no_longer_used_but_it_can_go(
    shelves: psycopg.Connection,
) -> None:
    call(shelves, "planner", "upsert_item", p_sku="FLOUR", p_is_active=False)
    refusal = refused(shelves, "operator", "receive_stock", **MOVES["receive_stock"])
    assert (refusal.status, refusal.code) == (409, "item.inactive")
    assert call(shelves, "operator", "scrap_stock", **MOVES["scrap_stock"])["on_hand"] == 8


@pytest.mark.parametrize("rpc", list(MOVES))
def test_places_that_cannot_be_used(shelves: psycopg.Connection, rpc: str) -> None:
    name = {"issue_stock": "p_from", "transfer_stock": "p_from"}.get(rpc, "p_location")
    who = PERMITTED[rpc]
    unknown = refused(shelves, who, rpc, **{**MOVES[rpc], name: "attic"})
    assert (unknown.status, unknown.code) == (404, "location.unknown")
    place(shelves, "cellar", is_active=False)
    closed = refused(shelves, who, rpc, **{**MOVES[rpc], name: "cellar"})
    assert (closed.status, closed.code) == (409, "location.inactive")


def test_a_transfer_goes_somewhere_else(shelves: psycopg.Connection) -> None:
    refusal = refused(
        shelves, "operator", "transfer_stock", **{**MOVES["transfer_stock"], "p_to": "main"}
    )
    assert (refusal.status, refusal.code) == (422, "stock.same_place")


def test_with_two_sites_the_place_must_be_named(shelves: psycopg.Connection) -> None:
    call(shelves, "admin", "register_site", p_code="north", p_name="North", p_time_zone="UTC")
    assert at(shelves, "FLOUR", "north") == 0
    refusal = refused(shelves, "operator", "receive_stock", **MOVES["receive_stock"])
    assert (refusal.status, refusal.code) == (422, "location.required")
    call(shelves, "operator", "receive_stock", **MOVES["receive_stock"], p_location="north")
    assert at(shelves, "FLOUR", "north") == 2, "a new site has its place at once"


def test_a_place_of_another_site_is_out_of_reach(shelves: psycopg.Connection) -> None:
    call(shelves, "admin", "register_site", p_code="north", p_name="North", p_time_zone="UTC")
    refusal = refused(
        shelves, "flourlane_operator", "receive_stock", **MOVES["receive_stock"],
        p_location="north",
    )  # fmt: skip
    assert (refusal.status, refusal.code) == (403, "auth.other_site")
    refusal = refused(
        shelves, "flourlane_operator", "transfer_stock",
        **{**MOVES["transfer_stock"], "p_to": "north"},
    )  # fmt: skip
    assert refusal.code == "auth.other_site"


@pytest.mark.parametrize("rpc", ["adjust_stock", "scrap_stock"])
def test_a_correction_says_why(shelves: psycopg.Connection, rpc: str) -> None:
    refusal = refused(shelves, PERMITTED[rpc], rpc, **{**MOVES[rpc], "p_reason": "  "})
    assert (refusal.status, refusal.code) == (422, "stock.reason_required")
    refusal = refused(shelves, PERMITTED[rpc], rpc, **{**MOVES[rpc], "p_reason": "x" * 501})
    assert (refusal.status, refusal.code) == (422, "request.too_long")


@pytest.mark.parametrize("rpc", list(MOVES))
def test_viewers_look_and_operators_do_not_adjust(shelves: psycopg.Connection, rpc: str) -> None:
    assert refused(shelves, "viewer", rpc, **MOVES[rpc]).code == "auth.forbidden"
    if rpc == "adjust_stock":
        assert refused(shelves, "operator", rpc, **MOVES[rpc]).code == "auth.forbidden"


@pytest.mark.parametrize("statement", [
    "update public.inventory_txn set quantity = 1",
    "delete from public.inventory_txn",
    "truncate public.inventory_txn cascade",
])  # fmt: skip
def test_the_ledger_is_append_only(shelves: psycopg.Connection, statement: str) -> None:
    with pytest.raises(psycopg.Error) as refusal:
        shelves.execute(statement)
    assert refusal.value.diag.message_hint == "stock.append_only"


@pytest.mark.parametrize("rpc", list(MOVES))
def test_one_command_made_by_hand_can_be_taken_back_once(
    shelves: psycopg.Connection, rpc: str
) -> None:
    before = levels(shelves)
    ids = call(shelves, PERMITTED[rpc], rpc, **MOVES[rpc])["txn_ids"]
    arguments = {"p_txn_ids": ids, "p_reason": "wrong button"}
    back = call(shelves, "supervisor", "reverse_stock", **arguments)
    assert levels(shelves) == before
    assert len(back["txn_ids"]) == len(ids)
    again = refused(shelves, "supervisor", "reverse_stock", **arguments)
    assert (again.status, again.code) == (409, "stock.reversed")
    twice = refused(shelves, "supervisor", "reverse_stock", p_txn_ids=back["txn_ids"], p_reason="x")
    assert (twice.status, twice.code) == (409, "stock.not_reversible")


def test_half_a_transfer_is_not_taken_back(shelves: psycopg.Connection) -> None:
    ids = call(shelves, "operator", "transfer_stock", **MOVES["transfer_stock"])["txn_ids"]
    refusal = refused(shelves, "supervisor", "reverse_stock", p_txn_ids=ids[:1], p_reason="x")
    assert refusal.code == "stock.not_reversible"
    refusal = refused(shelves, "supervisor", "reverse_stock", p_txn_ids=[999], p_reason="x")
    assert (refusal.status, refusal.code) == (404, "stock.unknown")
