"""Commands that meet: the same one many times, and different ones on the same tickets."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.sql.concurrency.together import together
from tests.support.databases import USER_IDS, Clone
from tests.support.orders import events, make_order, ticket
from tests.support.rpc import Refused, call

PARALLEL = 200


def test_200_identical_commands_have_one_effect_and_200_equal_answers(
    clone: Clone, db: psycopg.Connection
) -> None:
    make_order(db)
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617")
    arguments: dict[str, Any] = {
        "p_order_id": "bannos-18617",
        "p_notes": "ok",
        "p_request_id": uuid4(),
    }
    answers = together(
        clone, PARALLEL, lambda c, _: call(c, "operator", "complete_filling", **arguments)
    )
    assert len(answers) == PARALLEL
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["changed"] is True
    assert events(db, "bannos-18617") == ["filling.started", "filling.completed"]
    refused_with_422(db, "complete_filling", {**arguments, "p_notes": "other"})


def test_200_identical_scans_have_one_effect_and_200_equal_answers(
    clone: Clone, db: psycopg.Connection
) -> None:
    make_order(db)
    arguments: dict[str, Any] = {
        "p_code": "#B18617",
        "p_station": "fill-1",
        "p_request_id": uuid4(),
    }
    answers = together(clone, PARALLEL, lambda c, _: call(c, "operator", "scan", **arguments))
    assert len(answers) == PARALLEL
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["action"] == "started"
    assert events(db, "bannos-18617") == ["filling.started"]
    refused_with_422(db, "scan", {**arguments, "p_code": "bannos-18617"})


def test_scans_without_a_request_id_at_the_same_instant_are_one_scan(
    clone: Clone, db: psycopg.Connection
) -> None:
    make_order(db)
    answers = together(clone, 20, lambda c, _: call(c, "operator", "scan", p_code="#B18617"))
    assert sum(answer["changed"] for answer in answers) == 1
    assert events(db, "bannos-18617") == ["filling.started"]


def refused_with_422(db: psycopg.Connection, rpc: str, arguments: dict[str, Any]) -> None:
    """The request id of another command is refused."""
    with pytest.raises(Refused) as refused:
        call(db, "operator", rpc, **arguments)
    assert (refused.value.status, refused.value.code) == (422, "request.reused")


def test_two_people_complete_the_same_ticket_and_one_did_it(
    clone: Clone, db: psycopg.Connection
) -> None:
    ids = [make_order(db, f"bannos-{n}") for n in range(20001, 20021)]
    for order_id in ids:
        call(db, "operator", "handle_print_barcode", p_order_id=order_id)
    people = ("operator", "supervisor")
    results = together(
        clone,
        2,
        lambda c, n: [call(c, people[n], "complete_filling", p_order_id=i) for i in ids],
    )
    for order_id, one, other in zip(ids, *results, strict=True):
        assert {one["changed"], other["changed"]} == {True, False}
        assert events(db, order_id).count("filling.completed") == 1
        assert ticket(db, order_id)["stage"] == "Covering"


def test_bulk_and_single_assignments_in_opposite_order_do_not_deadlock(
    clone: Clone, db: psycopg.Connection
) -> None:
    ids = [make_order(db, f"bannos-{n}") for n in range(30001, 30031)]

    def assign(connection: psycopg.Connection, number: int) -> None:
        staff = USER_IDS[("operator", "technician", "planner", "manager")[number]]
        for _ in range(8):
            if number < 2:
                order = ids if number == 0 else ids[::-1]
                call(
                    connection,
                    "supervisor",
                    "assign_staff_bulk",
                    p_order_ids=order,
                    p_staff_id=staff,
                )
            else:
                for order_id in ids[:: -1 if number == 2 else 1]:
                    call(
                        connection,
                        "supervisor",
                        "assign_staff",
                        p_order_id=order_id,
                        p_staff_id=staff,
                    )

    together(clone, 4, assign)
    assert all(ticket(db, order_id)["assignee_id"] for order_id in ids)


def test_200_manual_orders_at_once_get_200_numbers(clone: Clone, db: psycopg.Connection) -> None:
    answers = together(
        clone,
        PARALLEL,
        lambda c, _: call(
            c, "planner", "create_manual_order", p_store="bannos", p_product_title="Bun"
        ),
    )
    numbers = sorted(int(answer[0]["order_number"][1:]) for answer in answers)
    assert numbers == list(range(1, PARALLEL + 1))
