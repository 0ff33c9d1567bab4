"""Complete sets only: what is released, and what is said about the rest."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.support.production import (
    ASSEMBLE,
    events_of,
    make_centre,
    make_plant,
    order,
    release,
    replenishments,
    report,
    route,
    step,
)
from tests.support.rpc import call


def discrepancies(db: psycopg.Connection) -> list[tuple[Any, ...]]:
    return db.execute(
        "select o.code, d.sku, d.missing, d.resolved_at is not null"
        " from public.production_discrepancies d"
        " join public.production_orders o on o.id = d.order_id order by d.id"
    ).fetchall()


def receive(db: psycopg.Connection, sku: str, quantity: int) -> None:
    call(db, "operator", "receive_stock", p_sku=sku, p_quantity=quantity)


def legs(db: psycopg.Connection, made_legs: bool = False) -> None:
    """A plant with 20 panels and rods, and 21 legs: five whole sets and a leg."""
    make_plant(db, stock=20, made_legs=made_legs)
    receive(db, "LEG", 1)


def test_only_whole_sets_are_released_and_the_rest_is_a_discrepancy(
    db: psycopg.Connection,
) -> None:
    legs(db)
    code = order(db, 8, released=False)
    answer = release(db, code)
    assert step(db, code, ASSEMBLE)["released"] == 5
    (notice,) = answer["notices"]
    assert (notice["code"], notice["details"]["missing"]) == ("production.discrepancy", 11)
    assert discrepancies(db) == [(code, "LEG", 11, False)]
    assert replenishments(db, code) == []
    release(db, code)
    assert events_of(db, code).count("production.discrepancy") == 1, "said once"


def test_it_is_resolved_when_the_sets_are_complete(db: psycopg.Connection) -> None:
    legs(db)
    code = order(db, 8)
    receive(db, "LEG", 4)
    release(db, code)
    assert discrepancies(db) == [(code, "LEG", 7, False)]
    receive(db, "LEG", 7)
    release(db, code)
    assert step(db, code, ASSEMBLE)["released"] == 8
    assert discrepancies(db) == [(code, "LEG", 7, True)]


def test_what_is_made_here_is_replenished_once(db: psycopg.Connection) -> None:
    legs(db, made_legs=True)
    code = order(db, 8, released=False)
    answer = release(db, code)
    assert [n["code"] for n in answer["notices"]] == ["production.replenished"]
    assert replenishments(db, code) == [(f"{code}-R1", 11, "OPEN_NOT_STARTED")]
    assert release(db, code)["notices"] == []
    assert discrepancies(db) == []


def test_its_pieces_come_to_the_order_that_waits(db: psycopg.Connection) -> None:
    legs(db, made_legs=True)
    code = order(db, 8)
    made = f"{code}-R1"
    release(db, made)
    report(db, made, 10, good=7)
    assert release(db, code)["notices"] == []
    assert step(db, code, ASSEMBLE)["released"] == 7, "7 and the odd one: two more sets"
    report(db, made, 10, good=3, scrap=1, reason="KNOT")
    assert [q for _, q, _ in replenishments(db, code)] == [11, 1], "a leg is short again"
    release(db, f"{code}-R2")
    report(db, f"{code}-R2", 10, good=1)
    release(db, code)
    assert step(db, code, ASSEMBLE)["released"] == 8


def test_what_was_lost_before_needs_no_set(db: psycopg.Connection) -> None:
    legs(db)
    code = order(db, 5)
    waiting = order(db, 2, priority="normal")
    report(db, code, 10, good=5)
    assert discrepancies(db)[0][:3] == (waiting, "LEG", 7)
    # Of its own two tables one is sawn to waste: one set is wanted, not two.
    report(db, waiting, 10, scrap=1, reason="KNOT")
    release(db, waiting)
    assert discrepancies(db)[0] == (waiting, "LEG", 3, False)


def test_painting_gets_whole_sets_only_too(db: psycopg.Connection) -> None:
    legs(db)
    call(db, "planner", "save_process_step", p_code="PAINT", p_kind="paint")
    make_centre(db, "booth", "PAINT")
    route(db, "TABLE", ("CUT", ["PANEL"]), ("PAINT", ["LEG"]))
    code = order(db, 8, released=False)
    (notice,) = release(db, code)["notices"]
    assert (step(db, code, 20)["released"], notice["code"]) == (5, "production.discrepancy")
