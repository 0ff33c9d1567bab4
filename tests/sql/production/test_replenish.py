"""What an order lost is made again: reckoned at the root, once, within caps, and taken back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.support.printing import attempt
from tests.support.production import (
    ASSEMBLE,
    CUT,
    PACK,
    events_of,
    order,
    order_row,
    quality,
    release,
    replenishments,
    report,
    set_setting,
    shown,
    step,
)
from tests.support.rpc import call


def quantities(db: psycopg.Connection, code: str) -> list[Decimal]:
    """Of the replenishments that are not cancelled."""
    return [q for _, q, status in replenishments(db, code) if status != "CANCELLED"]


def codes(answer: dict[str, Any]) -> list[str]:
    return [notice["code"] for notice in answer["notices"]]


def links(db: psycopg.Connection, code: str) -> list[tuple[Any, ...]]:
    """(trigger, quantity, code of the replenishment) of a root, oldest first."""
    return db.execute(
        "select l.trigger, l.quantity, r.code from public.replenishment_links l"
        " join public.production_orders o on o.id = l.root_id"
        " left join public.production_orders r on r.id = l.replenishment_id"
        " where o.code = %s order by l.id",
        (code,),
    ).fetchall()


def test_defect_3_scrap_is_made_again_by_a_real_order(plant: psycopg.Connection) -> None:
    """RENAR reckoned scrap - executed good, which is almost never above 0, and made no order."""
    code = order(plant, 10, priority="rush", due_date="2030-01-02")
    for sequence in (CUT, ASSEMBLE, PACK):
        report(plant, code, sequence, good=8)
    answer = report(plant, code, CUT, scrap=2, reason="KNOT")
    assert codes(answer) == ["production.replenished"]
    made = order_row(plant, f"{code}-R1")
    assert {
        n: made[n] for n in ("type", "source", "quantity", "priority", "due_date", "product_sku")
    } == {
        "type": "REPLENISHMENT",
        "source": "replenishment",
        "quantity": 2,
        "priority": "rush",
        "due_date": "2030-01-02",
        "product_sku": "TABLE",
    }
    assert links(plant, code) == [("SCRAP", 2, f"{code}-R1")]
    assert events_of(plant, f"{code}-R1") == ["production.replenished"]
    told = plant.execute(
        "select event_type, payload ->> 'root' from public.execution_events where code = %s",
        (f"{code}-R1",),
    ).fetchone()
    assert told == ("REPLENISHMENT_OP_CREATED", code)


@pytest.mark.parametrize("good", [0, 2, 7])
def test_defect_10_the_shortage_is_what_is_missing_not_scrap_minus_good(
    plant: psycopg.Connection, good: int
) -> None:
    """planned - good - (planned - scrap) is scrap - good: almost never above 0."""
    code = order(plant, 10)
    if good:
        report(plant, code, CUT, good=good)
    report(plant, code, CUT, scrap=2, reason="KNOT")
    assert quantities(plant, code) == [2]


def test_it_is_as_urgent_as_its_root_for_parts(plant: psycopg.Connection) -> None:
    code = order(plant, 10, priority="critical")
    report(plant, code, CUT, good=9, scrap=1, reason="KNOT")
    rank = plant.execute(
        "select rank from public.order_fulfilments where code = %s", (f"{code}-R1",)
    ).fetchone()
    assert rank == (0,)


def test_one_open_order_is_topped_up(plant: psycopg.Connection) -> None:
    code = order(plant, 100)
    quality(plant, code, "scrap", 5)
    quality(plant, code, "return", 1, "manager")
    assert replenishments(plant, code) == [(f"{code}-R1", 6, "OPEN_NOT_STARTED")]
    assert links(plant, code) == [
        ("SCRAP", 5, f"{code}-R1"),
        ("RETURN", 1, f"{code}-R1"),
    ]
    needed = plant.execute(
        "select l.sku, l.needed from public.order_part_allocations l"
        " join public.production_orders o on o.id = l.production_order_id"
        " where o.code = %s order by l.sku",
        (f"{code}-R1",),
    ).fetchall()
    assert needed == [("LEG", 24), ("PANEL", 6)]


def test_once_released_another_one_is_made(plant: psycopg.Connection) -> None:
    code = order(plant, 100)
    quality(plant, code, "scrap", 5)
    release(plant, f"{code}-R1")
    quality(plant, code, "scrap", 3)
    assert quantities(plant, code) == [5, 3]


def test_rework_and_work_in_process_are_no_loss(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    quality(plant, code, "rework", 4)
    quality(plant, code, "hold", 4)
    assert replenishments(plant, code) == []


def test_rework_that_is_expected_to_fail_counts_in_part(plant: psycopg.Connection) -> None:
    set_setting(plant, "production.rework_yield", 50)
    code = order(plant, 10)
    quality(plant, code, "rework", 2)
    quality(plant, code, "scrap", 1)
    assert quantities(plant, code) == [2]


def test_what_was_made_in_place_of_losses_closes_the_root(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, good=9, scrap=1, reason="KNOT")
    for sequence in (ASSEMBLE, PACK):
        report(plant, code, sequence, good=9)
    assert order_row(plant, code)["status"] == "OPEN_PARTIAL"
    release(plant, f"{code}-R1")
    for sequence in (CUT, ASSEMBLE, PACK):
        report(plant, f"{code}-R1", sequence, good=1)
    assert order_row(plant, code)["status"] == order_row(plant, f"{code}-R1")["status"] == "CLOSED"


def test_scrap_of_a_replenishment_is_needed_at_the_root(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    quality(plant, code, "scrap", 4)
    release(plant, f"{code}-R1")
    quality(plant, f"{code}-R1", "scrap", 1)
    assert replenishments(plant, code)[1] == (f"{code}-R2", 1, "OPEN_NOT_STARTED")
    generations = plant.execute(
        "select r.generation from public.replenishments r order by r.order_id"
    ).fetchall()
    assert generations == [(1,), (2,)]
    assert replenishments(plant, f"{code}-R1") == [], "never a child of a child"


def test_generations_are_capped_then_a_person_decides(plant: psycopg.Connection) -> None:
    set_setting(plant, "production.replenish_generations", 2)
    code = order(plant, 10)
    last = code
    for number in (1, 2):
        quality(plant, last, "scrap", 1)
        last = f"{code}-R{number}"
        release(plant, last)
    answer = quality(plant, last, "scrap", 1)
    assert codes(answer) == ["production.replenish_approval"]
    assert quantities(plant, code) == [1, 1]
    (asked,) = call(plant, "manager", "get_approvals")["approvals"]
    assert (asked["code"], asked["approval"]["operation"], asked["approval"]["quantity"]) == (
        code,
        "replenishment",
        1,
    )
    assert "2 times" in asked["approval"]["justification"]
    decided = call(plant, "manager", "decide_approval", **shown(plant, asked["approval"]["id"]),
                   p_decision="APPROVED")  # fmt: skip
    assert decided["approval"]["effect"]["replenishment"] == f"{code}-R3"
    assert quantities(plant, code) == [1, 1, 1]
    generation = plant.execute("select max(generation) from public.replenishments").fetchone()
    assert generation == (3,)
    assert [trigger for trigger, *_ in links(plant, code)] == ["SCRAP"] * 3 + ["APPROVAL"]


def test_the_sum_is_capped_and_the_request_grows(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    quality(plant, code, "scrap", 4)
    assert codes(quality(plant, code, "scrap", 2)) == ["production.replenish_approval"]
    assert codes(quality(plant, code, "scrap", 1)) == ["production.replenish_approval"]
    assert quantities(plant, code) == [4]
    (asked,) = call(plant, "manager", "get_approvals")["approvals"]
    assert asked["approval"]["quantity"] == 3
    # Who scrapped asked for it, whoever that is: it is decided by somebody else.
    assert asked["approval"]["requested_by"] is not None
    call(
        plant,
        "planner",
        "decide_approval",
        **shown(plant, asked["approval"]["id"]),
        p_decision="APPROVED",
    )
    assert quantities(plant, code) == [7]


def test_a_rejected_request_makes_nothing(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    quality(plant, code, "scrap", 6)
    (asked,) = call(plant, "manager", "get_approvals")["approvals"]
    no = {"p_decision": "REJECTED", "p_notes": "The customer takes four"}
    call(plant, "manager", "decide_approval", **shown(plant, asked["approval"]["id"]), **no)
    assert replenishments(plant, code) == []
    assert links(plant, code) == [("SCRAP", 0, None)]


def test_small_needs_wait_and_lots_are_rounded_up(plant: psycopg.Connection) -> None:
    set_setting(plant, "production.replenish_min", 1)
    set_setting(plant, "production.replenish_lot", 5)
    code = order(plant, 100)
    assert codes(quality(plant, code, "scrap", 1)) == []
    quality(plant, code, "scrap", 1)
    assert quantities(plant, code) == [5], "the first piece is not forgotten"
    quality(plant, code, "scrap", 3)
    assert quantities(plant, code) == [5], "they are coming already"


def test_what_is_not_wanted_any_more_is_no_loss(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, good=7)
    call(plant, "operator", "complete_step", p_code=code, p_sequence=CUT, p_reason="Seven will do")
    quality(plant, code, "scrap", 1, sequence=ASSEMBLE)
    assert quantities(plant, code) == [1]


def test_a_plant_may_plan_by_itself(plant: psycopg.Connection) -> None:
    set_setting(plant, "production.replenish_auto", False)
    code = order(plant, 10)
    quality(plant, code, "scrap", 3)
    assert replenishments(plant, code) == []


def test_undone_scrap_takes_its_replenishment_back(plant: psycopg.Connection) -> None:
    code = order(plant, 100)
    quality(plant, code, "scrap", 5)
    quality(plant, code, "scrap", 2)
    call(plant, "operator", "undo_production", p_code=code)
    assert quantities(plant, code) == [5]
    call(plant, "operator", "undo_production", p_code=code)
    assert replenishments(plant, code) == [(f"{code}-R1", 5, "CANCELLED")]
    assert sum(quantity for _, quantity, _ in links(plant, code)) == 0
    quality(plant, code, "scrap", 1)
    assert replenishments(plant, code)[1] == (f"{code}-R2", 1, "OPEN_NOT_STARTED")


def test_undone_scrap_withdraws_the_request(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    quality(plant, code, "scrap", 6)
    call(plant, "operator", "undo_production", p_code=code)
    (asked,) = call(plant, "manager", "get_approvals", p_statuses=None)["approvals"]
    assert asked["approval"]["status"] == "WITHDRAWN"
    refused = attempt(plant, "manager", "decide_approval", **shown(plant, asked["approval"]["id"]),
                      p_decision="APPROVED")  # fmt: skip
    assert refused == (409, "approval.decided")


def test_what_is_released_is_told_as_surplus(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    quality(plant, code, "scrap", 2)
    release(plant, f"{code}-R1")
    answer = call(plant, "operator", "undo_production", p_code=code)
    assert codes(answer) == ["production.surplus"]
    assert "production.surplus" in events_of(plant, code)
    assert quantities(plant, code) == [2]


def test_what_a_planner_added_stays(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    quality(plant, code, "scrap", 2)
    call(plant, "planner", "update_production_order", p_code=f"{code}-R1", p_quantity=3)
    call(plant, "operator", "undo_production", p_code=code)
    assert quantities(plant, code) == [1]


@pytest.mark.parametrize("rpc", ["cancel_production_order", "close_order"])
def test_a_root_that_ends_needs_nothing_more(plant: psycopg.Connection, rpc: str) -> None:
    code = order(plant, 10)
    quality(plant, code, "scrap", 2)
    quality(plant, code, "scrap", 4)
    call(plant, "planner", rpc, p_code=code, p_reason="The customer is gone")
    call(plant, "service", "tick")  # cancelling leaves it to the clock
    assert replenishments(plant, code) == [(f"{code}-R1", 2, "CANCELLED")]
    assert call(plant, "manager", "get_approvals")["approvals"] == []


def test_a_released_replenishment_without_parts_is_still_topped_up(
    plant: psycopg.Connection,
) -> None:
    call(plant, "manager", "adjust_stock", p_sku="PANEL", p_quantity=-990, p_reason="lost")
    code = order(plant, 10)
    quality(plant, code, "scrap", 2)
    release(plant, f"{code}-R1")
    assert step(plant, f"{code}-R1")["released"] == 0
    quality(plant, code, "scrap", 1)
    assert quantities(plant, code) == [3]
    call(plant, "operator", "receive_stock", p_sku="PANEL", p_quantity=3)
    release(plant, f"{code}-R1")
    assert step(plant, f"{code}-R1")["released"] == 3


def test_an_event_replenishes_once(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    quality(plant, code, "scrap", 1)
    set_setting(plant, "production.replenish_auto", value=False)
    quality(plant, code, "scrap", 2)
    set_setting(plant, "production.replenish_auto", value=True)
    again = (
        "select private.replenish(o.id, o, o.product_sku, 'SCRAP', %s, null)"
        " from public.production_orders o where o.code = %s"
    )
    event = plant.execute("select trigger_event from public.replenishment_links").fetchone()
    assert event is not None
    assert plant.execute(again, (event[0], code)).fetchone() == (None,)
    assert quantities(plant, code) == [1]
    plant.execute(again, (event[0] + 100000, code))
    assert quantities(plant, code) == [3]
