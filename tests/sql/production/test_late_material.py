"""Material that is found missing after completion still goes into the lot of the order."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.sql.inventory.stock import refused
from tests.support.production import ASSEMBLE, CUT, PACK, order, report, selfcheck
from tests.support.rpc import call

Db = psycopg.Connection


def finished(db: Db) -> tuple[str, dict[str, Any]]:
    """A closed order, and what takes three legs of a lot for it."""
    call(db, "operator", "receive_lot", p_sku="LEG", p_code="LEGS-1", p_quantity=10)
    code = order(db, 1)
    for sequence in (CUT, ASSEMBLE, PACK):
        report(db, code, sequence, 1)
    return code, {"p_code": "LEGS-1", "p_quantity": 3, "p_order": code, "p_sku": "LEG"}


def test_a_supervisor_books_material_after_completion_and_it_is_traced(plant: Db) -> None:
    code, legs = finished(plant)
    no = refused(plant, "operator", "consume_lot", **legs)
    assert (no.status, no.code) == (409, "production.closed")
    used = call(plant, "supervisor", "consume_lot", **legs)
    assert used["changed"] is True
    event = plant.execute(
        "select payload ->> 'is_late', actor_id is not null from public.events"
        " where event = 'production.material_used'"
    ).fetchall()
    assert event == [("true", True)]
    parents = call(plant, "viewer", "get_lot", p_code=code)["genealogy"]["made_of"]
    assert "LEGS-1" in {parent["key"] for parent in parents}
    assert selfcheck(plant) == []
    undo = {"p_activity_id": used["activity"]["id"]}
    assert call(plant, "supervisor", "undo_lot_activity", **undo)["changed"] is True


def test_material_for_an_open_order_is_not_late(plant: Db) -> None:
    call(plant, "operator", "receive_lot", p_sku="LEG", p_code="LEGS-1", p_quantity=10)
    code = order(plant, 1)
    call(
        plant, "operator", "consume_lot",
        p_code="LEGS-1", p_quantity=3, p_order=code, p_sku="LEG",
    )  # fmt: skip
    row = plant.execute(
        "select payload ? 'is_late' from public.events where event = 'production.material_used'"
    ).fetchone()
    assert row == (False,)


def test_nothing_goes_into_an_order_that_is_cancelled(plant: Db) -> None:
    _, legs = finished(plant)
    code = order(plant, 1)
    call(plant, "planner", "cancel_production_order", p_code=code, p_reason="Off")
    no = refused(plant, "manager", "consume_lot", **(legs | {"p_order": code}))
    assert (no.status, no.code) == (409, "production.closed")
