"""What an attacker, a planner in a hurry and another system tried on routed production."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.inventory.stock import levels, refused
from tests.support.production import (
    ASSEMBLE,
    CUT,
    PACK,
    make_plant,
    order,
    order_row,
    quality,
    release,
    replenishments,
    report,
    set_setting,
    shown,
)
from tests.support.rpc import Refused, call

Db = psycopg.Connection
STRANGER = "flourlane_operator"


def move_stranger_north(db: Db) -> None:
    """The operator whose token was stolen works at another site, and only there."""
    db.execute("insert into public.sites (code, name, time_zone) values ('north', 'North', 'UTC')")
    db.execute(
        "insert into public.stores (code, site, name, scan_prefix, currency)"
        " values ('northstore', 'north', 'North', 'N', 'AUD')"
    )
    db.execute(
        "update public.staff_shared set stores = '{northstore}' where email like 'flourlane_op%'"
    )


def disable(db: Db, centre: str = "saw-1") -> None:
    asked = call(
        db, "operator", "request_approval",
        p_type="DISABLE_EQUIPMENT", p_justification="Blade broken", p_work_centre=centre,
    )  # fmt: skip
    call(
        db,
        "manager",
        "decide_approval",
        **shown(db, asked["approval"]["id"]),
        p_decision="APPROVED",
    )


def pending(db: Db) -> list[tuple[Any, ...]]:
    return db.execute(
        "select id, quantity from public.approvals where operation = 'replenishment'"
        " and status = 'PENDING'"
    ).fetchall()


# A disabled work centre ------------------------------------------------------------------------


def test_1a_complete_step_counts_nothing_at_a_disabled_centre(plant: Db) -> None:
    steps = [{"step": "CUT", "work_centre": "saw-1", "materials": ["PANEL"]}]
    call(plant, "planner", "save_routing", p_sku="TABLE", p_steps=Jsonb(steps))
    code = order(plant, 5)
    disable(plant)
    with pytest.raises(Refused):
        call(plant, "operator", "complete_step", p_code=code, p_sequence=CUT, p_good=5)


def test_1b_start_without_a_centre_is_no_way_round(plant: Db) -> None:
    code = order(plant, 5)
    disable(plant)
    with pytest.raises(Refused):
        call(plant, "operator", "start_step", p_code=code, p_work_centre=None, p_sequence=CUT)


# Other sites ------------------------------------------------------------------------------------


def test_2a_a_receipt_of_another_site_is_not_undone(plant: Db) -> None:
    move_stranger_north(plant)
    query = "select code from public.locations where site = 'main' limit 1"
    shelf = plant.execute(query).fetchone()
    assert shelf is not None
    came = call(
        plant, "operator", "receive_lot",
        p_sku="LEG", p_code="RAW-1", p_quantity=50, p_location=shelf[0],
    )  # fmt: skip
    before = levels(plant, "LEG")
    activity = came["activity"]["id"]
    no = refused(plant, STRANGER, "undo_lot_activity", p_activity_id=activity)
    assert no.status == 403
    assert levels(plant, "LEG") == before


def test_2b_lots_of_orders_of_another_site_are_not_used_up(db: Db) -> None:
    make_plant(db, made_legs=True)
    move_stranger_north(db)
    legs = order(db, 10, "LEG")
    report(db, legs, CUT, 4)
    mine = order(db, 2, released=False, site="north")
    with pytest.raises(Refused) as no:
        call(
            db, STRANGER, "consume_lot", p_code=legs, p_quantity=4, p_order=mine, p_sku="LEG",
        )  # fmt: skip
    assert no.value.status == 403


def test_2c_nothing_is_merged_into_a_lot_of_another_site(db: Db) -> None:
    make_plant(db, made_legs=True)
    move_stranger_north(db)
    legs = order(db, 10, "LEG")
    report(db, legs, CUT, 4)
    call(db, STRANGER, "receive_lot", p_sku="LEG", p_code="FAKE", p_quantity=1000)
    with pytest.raises(Refused) as no:
        call(db, STRANGER, "merge_lots", p_codes=["FAKE"], p_into=legs, p_sku="LEG")
    assert no.value.status == 403


def test_2f_no_events_at_the_site_of_others(plant: Db) -> None:
    move_stranger_north(plant)
    no = refused(plant, STRANGER, "scan_step", p_code="P-9999", p_work_centre="saw-1")
    assert no.status == 403
    told = plant.execute(
        "select site from public.events where stream_id = 'P-9999' and site = 'main'"
    ).fetchall()
    assert told == []


def test_2g_no_request_about_an_order_of_another_site(plant: Db) -> None:
    move_stranger_north(plant)
    call(plant, "planner", "save_work_centre", p_code="saw-n", p_step="CUT", p_site="north")
    code = order(plant, 2)
    with pytest.raises(Refused):
        call(
            plant, STRANGER, "request_approval", p_type="SPECIAL_OPERATION", p_justification="x",
            p_operation="other_work_centre", p_work_centre="saw-n", p_order=code, p_sequence=CUT,
        )  # fmt: skip


# Orders that can never close, stock that disagrees ----------------------------------------------


def test_3a_unfinished_pieces_of_another_order_are_not_used(db: Db) -> None:
    make_plant(db, made_legs=True)
    legs = order(db, 10, "LEG")
    call(db, "operator", "start_step", p_code=legs, p_work_centre="saw-1")
    table = order(db, 2)
    wants = {"p_code": legs, "p_quantity": 8, "p_order": table, "p_sku": "LEG"}
    assert refused(db, "operator", "consume_lot", **wants).code == "lot.in_process"
    assert report(db, legs, CUT, 10)["order_row"]["status"] == "CLOSED"


# Replenishment ------------------------------------------------------------------------------------


def test_4a_a_reopened_order_gets_its_lost_pieces_again(plant: Db) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, 8, scrap=2, reason="KNOT")
    for sequence in (ASSEMBLE, PACK):
        report(plant, code, sequence, 8)
    call(plant, "planner", "close_order", p_code=code, p_reason="Enough")
    call(plant, "planner", "reopen_order", p_code=code, p_reason="Not enough after all")
    open_ones = [r for r in replenishments(plant, code) if r[2] != "CANCELLED"]
    assert [quantity for _, quantity, _ in open_ones] == [2]


def test_4c_undone_scrap_of_a_component_leaves_the_request_of_its_root(db: Db) -> None:
    make_plant(db, stock=0, made_legs=True)
    for sku in ("PANEL", "ROD"):
        call(db, "operator", "receive_stock", p_sku=sku, p_quantity=100)
    code = order(db, 10)
    ((legs, _, _),) = replenishments(db, code)
    release(db, legs)
    report(db, code, CUT, 4, scrap=6, reason="KNOT")  # beyond 50 per cent
    before = pending(db)
    assert len(before) == 1
    report(db, legs, CUT, 0, scrap=1, reason="KNOT")
    call(db, "operator", "undo_production", p_code=legs)
    assert pending(db) == before


def test_4d_who_made_the_first_scrap_does_not_withdraw_the_need(plant: Db) -> None:
    set_setting(plant, "production.replenish_cap_percent", 0)
    code = order(plant, 10)
    report(plant, code, CUT, 0, scrap=1, reason="KNOT")
    ((asked, _),) = pending(plant)
    with pytest.raises(Refused):
        call(plant, "operator", "withdraw_approval", p_id=asked)


def test_4e_who_made_it_larger_does_not_approve_it(plant: Db) -> None:
    set_setting(plant, "production.replenish_cap_percent", 0)
    code = order(plant, 10)
    report(plant, code, CUT, 0, scrap=1, reason="KNOT")
    quality(plant, code, "scrap", 5, who="manager")
    ((asked, quantity),) = pending(plant)
    assert quantity == 6
    no = refused(plant, "manager", "decide_approval", **shown(plant, asked), p_decision="APPROVED")
    assert no.code == "approval.own"


# ERP -------------------------------------------------------------------------------------------


def erp(db: Db, **fields: Any) -> Any:
    rows = Jsonb([{"external_id": "SO-1", "code": "OURS-1", "product_sku": "TABLE", **fields}])
    answer = call(db, "planner", "import_production_orders", p_system="erp", p_rows=rows)
    return answer["rows"][0]


@pytest.mark.parametrize("said", [{"cancelled": True, "quantity": 5}, {"quantity": 7}])
def test_6a_what_the_erp_says_when_it_first_names_our_order_is_not_lost(
    plant: Db, said: dict[str, Any]
) -> None:
    order(plant, 5, released=False, code="OURS-1")
    first = erp(plant, version=1, **said)
    again = erp(plant, version=2, **said)
    now = order_row(plant, "OURS-1")
    followed = now["status"] == "CANCELLED" or now["quantity"] == 7
    assert followed or first["notices"] or again["result"] != "unchanged"


def test_6b_a_second_cancellation_is_told_again(plant: Db) -> None:
    erp(plant, version=1, quantity=5)
    release(plant, "OURS-1")
    report(plant, "OURS-1", CUT, 1)
    assert erp(plant, version=2, quantity=5, cancelled=True)["result"] == "cancel_requested"
    assert erp(plant, version=3, quantity=6)["result"] == "updated"
    flag = plant.execute("select cancel_requested_at from public.production_order_refs").fetchone()
    again = erp(plant, version=4, quantity=6, cancelled=True)["result"]
    assert (flag, again) == ((None,), "cancel_requested")
