"""What a token of one site reaches at another, and the second ways in past a rule."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.inventory.stock import refused
from tests.sql.production.test_attacks import STRANGER, move_stranger_north, pending
from tests.support.printing import add_printer, route
from tests.support.production import (
    CUT,
    make_plant,
    order,
    quality,
    release,
    replenishments,
    report,
    shown,
    step,
)
from tests.support.rpc import call
from tests.support.units import make_units

Db = psycopg.Connection


@pytest.mark.parametrize("rpc", ["request_print", "preview_print"])
@pytest.mark.parametrize("what", ["order", "lot", "unit"])
def test_labels_of_another_site_are_not_asked_for(plant: Db, rpc: str, what: str) -> None:
    """The order's own command refused it; the command for any label read it and took its place."""
    code = order(plant, 5)
    report(plant, code, CUT, 1)
    (sn,) = make_units(plant, 1)
    subject = {"order": code, "lot": f"TABLE {code}", "unit": sn}[what]
    move_stranger_north(plant)
    no = refused(
        plant, STRANGER, rpc, p_label_type="production_order", p_subject=subject, p_data=Jsonb({})
    )
    assert (no.status, no.code) == (403, "auth.other_site")


def test_labels_of_the_own_site_are(plant: Db) -> None:
    add_printer(plant, "prn-order")
    route(plant, "prn-order", label_type="production_order")
    code = order(plant, 5)
    asked = call(
        plant, "operator", "request_print", p_label_type="production_order", p_subject=code
    )
    assert asked["changed"]


def test_a_gs1_code_reads_no_unit_of_another_site(plant: Db) -> None:
    """A made-up serial told the state of a unit elsewhere, and settled its label there."""
    (sn,) = make_units(plant, 1)
    move_stranger_north(plant)
    code = Jsonb({"raw": f"21{sn}", "ais": {"21": sn}})
    before = _scans(plant, sn)
    said = call(plant, STRANGER, "scan_gs1", p_gs1=code)
    assert (said["ok"], _scans(plant, sn)) == (False, before)
    call(plant, "operator", "scan_gs1", p_gs1=code)
    assert _scans(plant, sn) == before + 1


def _scans(db: Db, sn: str) -> int:
    row = db.execute(
        "select count(*) from public.events where stream = 'unit' and stream_id = %s"
        " and event = 'unit.scanned'",
        (sn,),
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_what_waits_for_a_person_is_not_made_by_the_next_loss(plant: Db) -> None:
    """Ended early, three were asked for; one more scrapped piece made all four without asking."""
    code = order(plant, 100)
    report(plant, code, CUT, 10, scrap=4, reason="KNOT")
    again = f"{code}-R1"
    release(plant, again)
    report(plant, again, CUT, 1)
    ending: dict[str, Any] = {"p_code": again, "p_sequence": CUT, "p_reason": "No time"}
    call(plant, "operator", "complete_step", **ending)
    assert [quantity for _, quantity in pending(plant)] == [3]
    quality(plant, code, "scrap", 1)
    assert [quantity for _, quantity in pending(plant)] == [4]
    assert len(replenishments(plant, code)) == 1


def test_a_replenishment_that_is_ended_unstarted_is_not_topped_up(db: Db) -> None:
    """Nobody could start what was put on top of it: it swallowed every later need."""
    make_plant(db, stock=0)
    call(db, "operator", "receive_stock", p_sku="PANEL", p_quantity=10)
    code = order(db, 10)
    report(db, code, CUT, 8, scrap=2, reason="KNOT")
    again = f"{code}-R1"
    call(db, "planner", "release_order", p_code=again)
    assert step(db, again)["released"] == 0, "no panel is left"
    call(db, "operator", "complete_step", p_code=again, p_sequence=CUT, p_reason="No wood")
    ((asked, _),) = pending(db)
    call(db, "manager", "decide_approval", **shown(db, asked), p_decision="APPROVED")
    assert [(c, q) for c, q, _ in replenishments(db, code)] == [(again, 2), (f"{code}-R2", 2)]


def test_what_was_set_aside_is_decided_in_its_own_lot(plant: Db) -> None:
    """Another lot in the call moved the pieces past the hold of theirs."""
    code = order(plant, 10)
    report(plant, code, CUT, 4)
    made = quality(plant, code, "rework", 1)
    call(
        plant, "operator", "split_lot", p_code=code, p_sku="TABLE", p_quantity=2, p_new_code="HALF"
    )
    call(plant, "technician", "hold_lot", p_sku="TABLE", p_code=code, p_reason="check")
    no = refused(
        plant, "operator", "record_quality", p_code=code, p_disposition="accept", p_quantity=1,
        p_record=made["record"]["id"], p_sequence=CUT, p_lot="HALF",
    )  # fmt: skip
    assert (no.status, no.code) == (423, "lot.on_hold")
    assert step(plant, code)["rework_open"] == 1
