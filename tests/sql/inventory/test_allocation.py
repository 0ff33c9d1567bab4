"""Who gets which part: critical, rush, normal, then the oldest; on every change."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.sql.inventory.production import fulfilment, has, plan, produce, produce_lines, used, why
from tests.sql.inventory.stock import item, levels, on_hand, refused, requirements
from tests.support.rpc import call


def receive(db: psycopg.Connection, quantity: int, sku: str = "BRACKET") -> Any:
    return call(db, "operator", "receive_stock", p_sku=sku, p_quantity=quantity)


def lose(db: psycopg.Connection, quantity: int, sku: str = "BRACKET") -> Any:
    return call(
        db, "supervisor", "adjust_stock", p_sku=sku, p_quantity=-quantity, p_reason="miscounted"
    )


def test_stock_goes_to_critical_then_rush_then_normal_then_the_oldest(
    db: psycopg.Connection,
) -> None:
    item(db, "BRACKET")
    normal, later = produce(db, quantity=4), produce(db, quantity=4)
    rush = produce(db, quantity=4, priority="rush")
    critical = produce(db, quantity=4, priority="critical")
    for quantity, expected in (
        (3, {critical: 3}),
        (3, {critical: 4, rush: 2}),
        (5, {critical: 4, rush: 4, normal: 3}),
        (9, {critical: 4, rush: 4, normal: 4, later: 4}),
    ):
        receive(db, quantity)
        found = {code: has(db, code) for code in (critical, rush, normal, later)}
        assert {code: n for code, n in found.items() if n} == expected
    assert levels(db, "BRACKET")["ats"] == 4


def test_an_order_is_fulfilled_when_all_its_lines_are_allocated(db: psycopg.Connection) -> None:
    item(db, "BRACKET", 2)
    item(db, "KNOB")
    order = produce_lines(db, {"BRACKET": 1, "KNOB": 2}, quantity=2)
    assert fulfilment(db, order) == "partial"
    receive(db, 3, "KNOB")
    assert fulfilment(db, order) == "partial"
    receive(db, 1, "KNOB")
    assert fulfilment(db, order) == "fulfilled"
    told = db.execute(
        "select event, payload -> 'cause' ->> 'ref' from public.events"
        " where stream = 'allocation' and stream_id = %s order by id",
        (order,),
    ).fetchall()
    assert [event for event, _ in told] == ["allocation.partial", "allocation.fulfilled"]
    assert told[0][1] == order


def test_a_correction_takes_from_the_newest_first(db: psycopg.Connection) -> None:
    item(db, "BRACKET", 10)
    orders = [produce(db, quantity=3) for _ in range(3)]
    lose(db, 5)
    assert [has(db, code) for code in orders] == [3, 2, 0]
    assert [fulfilment(db, code) for code in orders] == ["fulfilled", "partial", "unfulfilled"]
    assert why(db, orders[2])["change"] == -3
    receive(db, 4)
    assert [has(db, code) for code in orders] == [3, 3, 3]


def test_a_better_order_outranks_and_says_so(db: psycopg.Connection) -> None:
    item(db, "BRACKET", 5)
    normal = produce(db, quantity=5)
    assert fulfilment(db, normal) == "fulfilled"
    critical = produce(db, quantity=2, priority="critical")
    assert (has(db, critical), has(db, normal)) == (2, 3)
    row = db.execute(
        "select f.code from public.order_part_allocations l"
        " join public.order_fulfilments f on f.id = l.fulfilment_id where l.id = %s",
        (why(db, normal)["outranked_by"],),
    ).fetchone()
    assert row == (critical,)
    assert fulfilment(db, normal) == "partial"


def test_quarantine_and_work_in_progress_are_not_promised(db: psycopg.Connection) -> None:
    item(db, "BRACKET")
    call(db, "planner", "upsert_location", p_code="hold", p_kind="quarantine", p_site="main")
    order = produce(db, quantity=2)
    call(db, "operator", "receive_stock", p_sku="BRACKET", p_quantity=5, p_location="hold")
    assert has(db, order) == 0
    call(
        db, "operator", "transfer_stock", p_sku="BRACKET", p_quantity=5, p_from="hold", p_to="main"
    )
    assert has(db, order) == 2


def test_an_order_for_stock_waits_behind_all_and_uses_nothing(db: psycopg.Connection) -> None:
    item(db, "BRACKET", 4)
    shelf = produce(db, quantity=4, type="REPLENISHMENT", priority="critical")
    assert has(db, shelf) == 4
    customer = produce(db, quantity=3)
    assert (has(db, shelf), has(db, customer)) == (1, 3)
    receive(db, 3)
    done = plan(db, "ship", shelf)
    assert (done["order_row"]["status"], done["fulfillment_status"]) == ("CLOSED", "fulfilled")
    assert (on_hand(db, "BRACKET"), levels(db, "BRACKET")["ats"]) == (7, 4)


def test_a_product_waits_for_its_components(db: psycopg.Connection) -> None:
    for sku in ("KIOSK", "BRACKET", "SCREW", "STICKER"):
        item(db, sku)
    requirements(
        db,
        {"sku": "BRACKET", "quantity": 2},
        {"sku": "SCREW", "quantity": 8},
        {"sku": "STICKER", "quantity": 1, "is_optional": True},
        parent_sku="KIOSK",
    )
    order = produce(db, "KIOSK", quantity=3)
    lines = db.execute(
        "select sku, needed from public.order_part_allocations order by sku"
    ).fetchall()
    assert lines == [("BRACKET", 6), ("SCREW", 24)]
    receive(db, 6)
    receive(db, 24, "SCREW")
    assert fulfilment(db, order) == "fulfilled"
    plan(db, "ship", order)
    assert (on_hand(db, "BRACKET"), on_hand(db, "SCREW")) == (0, 0)


# The defects of FORMSET, each by its number in the field study ---------------------------------


def test_formset_1_ten_on_hand_are_not_reserved_twenty_times(db: psycopg.Connection) -> None:
    """The concurrent form stands in test_allocation_concurrency.py."""
    item(db, "BRACKET", 10)
    first, second = produce(db, quantity=10), produce(db, quantity=10)
    assert (fulfilment(db, first), fulfilment(db, second)) == ("fulfilled", "unfulfilled")
    assert levels(db, "BRACKET")["reserved"] == 10


def test_formset_2_thirty_are_not_promised_from_ten(db: psycopg.Connection) -> None:
    item(db, "BRACKET", 10)
    orders = [produce(db, quantity=10) for _ in range(3)]
    plan(db, "ship", orders[0])
    assert (on_hand(db, "BRACKET"), used(db, orders[0])) == (0, 10)
    assert [fulfilment(db, code) for code in orders] == ["fulfilled", "unfulfilled", "unfulfilled"]


def test_formset_3_freed_stock_is_offered_again(db: psycopg.Connection) -> None:
    item(db, "BRACKET", 10)
    cancelled, waiting = produce(db, quantity=10), produce(db, quantity=10)
    plan(db, "cancel", cancelled, reason="not wanted")
    assert (has(db, cancelled), fulfilment(db, waiting)) == (0, "fulfilled")
    assert on_hand(db, "BRACKET") == 10  # cancelling consumes nothing


def test_formset_4_an_order_delivered_again_waits_once(db: psycopg.Connection) -> None:
    """Tickets of a shop are in test_allocation_tickets.py."""
    item(db, "BRACKET", 10)
    delivered = {"source": "shopify", "external_id": "gid://1", "quantity": 4}
    assert produce(db, **delivered) == produce(db, **delivered)
    assert levels(db, "BRACKET")["reserved"] == 4


def test_formset_5_stock_below_zero_is_shown_not_clamped(db: psycopg.Connection) -> None:
    item(db, "BRACKET", 3)
    order = produce(db, quantity=3)
    lose(db, 5)
    assert on_hand(db, "BRACKET") == -2
    assert (has(db, order), fulfilment(db, order)) == (0, "unfulfilled")
    receive(db, 4)
    assert has(db, order) == 2


def test_formset_5_a_changed_quantity_changes_the_allocation(db: psycopg.Connection) -> None:
    item(db, "BRACKET", 10)
    first, second = produce(db, quantity=8), produce(db, quantity=8)
    plan(db, "update", first, quantity=3)
    assert (has(db, first), has(db, second)) == (3, 7)
    plan(db, "update", first, quantity=5)
    assert (has(db, first), has(db, second)) == (5, 5)


def test_formset_5_a_changed_priority_ranks_anew(db: psycopg.Connection) -> None:
    item(db, "BRACKET", 5)
    first, second = produce(db, quantity=5), produce(db, quantity=5)
    plan(db, "update", second, priority="rush")
    assert (has(db, first), has(db, second)) == (0, 5)
    plan(db, "update", second, priority="normal")
    assert (has(db, first), has(db, second)) == (5, 0)


def test_formset_5_no_path_leaks_a_reservation(db: psycopg.Connection) -> None:
    item(db, "BRACKET", 9)
    orders = [produce(db, quantity=3) for _ in range(3)]
    plan(db, "cancel", orders[0], reason="x")
    plan(db, "ship", orders[1])
    plan(db, "update", orders[2], quantity=1)
    assert levels(db, "BRACKET") == {"on_hand": 6, "held": 0, "reserved": 1, "ats": 5}


def test_formset_6_closed_orders_are_no_demand(db: psycopg.Connection) -> None:
    item(db, "BRACKET", 3)
    call(db, "planner", "upsert_part", p_sku="BRACKET", p_parts_per_print=2)
    shipped, cancelled = produce(db, quantity=3), produce(db, quantity=7)
    plan(db, "ship", shipped)
    plan(db, "cancel", cancelled, reason="x")
    produce(db, quantity=5)
    [row] = call(db, "viewer", "get_part_demand")
    assert (row["demand"], row["available"], row["deficit"], row["prints_required"]) == (5, 0, 5, 3)


def test_formset_7_a_command_without_effect_says_so(db: psycopg.Connection) -> None:
    item(db, "BRACKET", 3)
    order = produce(db, quantity=3)
    assert plan(db, "update", order, priority="normal")["changed"] is False
    assert plan(db, "ship", order)["changed"] is True
    assert plan(db, "ship", order)["changed"] is False
    assert refused(db, "planner", "update_production_order", p_code="P-0").code == (
        "production.unknown"
    )


# Reads ---------------------------------------------------------------------------------------


def test_an_order_explains_what_it_has(db: psycopg.Connection) -> None:
    item(db, "BRACKET", 4)
    first, second = produce(db, quantity=3), produce(db, quantity=3)
    third = produce(db, quantity=2)
    [line] = call(db, "viewer", "explain_allocation", p_code=third)
    assert (line["allocated"], line["missing"], line["missing_ahead"]) == (0, 2, 2)
    assert line["held_by"] == [second, first]
    assert line["said"] == (
        "0 of 2 are set aside. Of 4 on hand 4 are promised to orders before it (critical, rush,"
        " normal, then the oldest first). Orders before it still wait for 2."
    )
    [line] = call(db, "viewer", "explain_allocation", p_code=first)
    assert line["said"] == "All 3 are set aside for it."
    plan(db, "ship", first)
    [line] = call(db, "viewer", "explain_allocation", p_code=first)
    assert line["said"] == "3 of 3 were used."
    queue = call(db, "viewer", "explain_allocation", p_sku="BRACKET")
    assert [(r["code"], r["missing"]) for r in queue] == [(second, 2), (third, 2)]
    rest = call(db, "viewer", "explain_allocation", p_sku="BRACKET", p_cursor=queue[0]["cursor"])
    assert [r["code"] for r in rest] == [third]
    code = refused(db, "viewer", "explain_allocation").code
    assert code == "production.explain_what"


def test_who_counts_an_item_does_not_read_its_stock_here(db: psycopg.Connection) -> None:
    item(db, "BRACKET", 4)
    order = produce(db, quantity=9)
    call(db, "operator", "start_count", p_skus=["BRACKET"])
    [line] = call(db, "operator", "explain_allocation", p_code=order)
    assert (line["on_hand"], line["reserved"]) == (None, None)
    assert line["said"] == "4 of 9 are set aside."
    [line] = call(db, "viewer", "explain_allocation", p_code=order)
    assert line["on_hand"] == 4


def test_the_fulfilment_list_is_the_queue(db: psycopg.Connection) -> None:
    item(db, "BRACKET", 5)
    normal, rush = produce(db, quantity=2), produce(db, quantity=4, priority="rush")
    waiting = produce(db, quantity=1, due_date="2026-12-24")
    rows = call(db, "viewer", "get_order_fulfilment")
    assert [r["code"] for r in rows] == [rush, normal, waiting]
    assert rows[0]["lines"] == [
        {
            "sku": "BRACKET",
            "title": "Bracket",
            "needed": 4,
            "allocated": 4,
            "consumed": 0,
            "is_closed": False,
        }
    ]
    assert rows[2]["due_date"] == "2026-12-24"
    first = call(db, "viewer", "get_order_fulfilment", p_limit=1)
    rest = call(db, "viewer", "get_order_fulfilment", p_cursor=first[0]["cursor"])
    assert [r["code"] for r in rest] == [normal, waiting]
    for status, codes in (("fulfilled", [rush]), ("waiting", [normal, waiting])):
        rows = call(db, "viewer", "get_order_fulfilment", p_status=status, p_sku="BRACKET")
        assert [r["code"] for r in rows] == codes
    code = refused(db, "viewer", "get_order_fulfilment", p_status="late").code
    assert code == "production.status_filter"
    bad = refused(db, "viewer", "get_order_fulfilment", p_cursor="x").code
    assert bad == "request.bad_cursor"


@pytest.mark.parametrize("quantity", [Decimal("0.5"), Decimal("0.125")])
def test_fractions_are_promised_exactly(db: psycopg.Connection, quantity: Decimal) -> None:
    item(db, "FLOUR", Decimal("0.6"))
    first, second = produce(db, "FLOUR", quantity), produce(db, "FLOUR", quantity)  # type: ignore[arg-type]
    assert has(db, first) == quantity
    assert has(db, second) == min(quantity, Decimal("0.6") - quantity)
