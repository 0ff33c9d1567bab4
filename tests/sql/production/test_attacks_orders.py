"""Whose orders are read, what becomes of stopped replenishments, and how urgent they are."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.inventory.stock import levels, refused
from tests.sql.production.test_attacks import STRANGER, disable, move_stranger_north, pending
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
    selfcheck,
    shown,
    step,
)
from tests.support.rpc import acting_as, call

Db = psycopg.Connection


@pytest.mark.parametrize("how", ["trace_label", "get_lot", "get_lot_timeline"])
def test_2d_orders_of_other_stores_are_not_read_by_their_lot(plant: Db, how: str) -> None:
    """What get_production_order refuses, the trace of its lot does not tell."""
    code = order(plant, 2, store="bannos")
    report(plant, code, CUT, 1, notes="secret")
    no = refused(plant, STRANGER, "get_production_order", p_code=code)
    assert no.code == "auth.other_store"
    said = call(plant, STRANGER, how, **{"p_label" if how == "trace_label" else "p_code": code})
    assert "lot.saved" in str(said), "what happened to the lot is told"
    assert "secret" not in str(said)


def test_2e_orders_of_other_sites_are_not_read_from_the_table(plant: Db) -> None:
    """An order of no store is of its site: the table says no more than get_production_order."""
    move_stranger_north(plant)
    code = order(plant, 2)
    assert refused(plant, STRANGER, "get_production_order", p_code=code).code == "auth.other_site"
    with acting_as(plant, STRANGER) as db:
        assert db.execute("select code from public.production_orders").fetchall() == []
        assert db.execute("select order_id from public.production_order_steps").fetchall() == []


def test_3b_a_routed_order_is_not_shipped_in_part(db: Db) -> None:
    """OPEN_PARTIAL → OPEN_PARTIAL is no change of state, and yet parts would be used up."""
    make_plant(db, stock=0)
    call(db, "operator", "receive_stock", p_sku="PANEL", p_quantity=10)
    code = order(db, 10)
    report(db, code, CUT, 8, scrap=2, reason="KNOT")
    call(db, "operator", "receive_stock", p_sku="LEG", p_quantity=36)
    for sequence in (ASSEMBLE, PACK):
        report(db, code, sequence, 8)
    assert order_row(db, code)["status"] == "OPEN_PARTIAL"
    before = levels(db, "LEG")["on_hand"]
    shipping = {"p_code": code, "p_allow_partial": True}
    no = refused(db, "planner", "ship_production_order", **shipping)
    assert (no.status, no.code) == (409, "production.routed")
    assert (levels(db, "LEG")["on_hand"], selfcheck(db)) == (before, [])


def test_4b_a_replenishment_that_is_ended_early_leaves_a_need(plant: Db) -> None:
    """An operator ends it: somebody is told that the root still needs the rest."""
    code = order(plant, 10)
    report(plant, code, CUT, 6, scrap=4, reason="KNOT")
    ((again, _, _),) = replenishments(plant, code)
    release(plant, again)
    report(plant, again, CUT, 1)
    ended = call(
        plant, "operator", "complete_step", p_code=again, p_sequence=CUT, p_reason="No time"
    )
    assert [n["code"] for n in ended["notices"]] == ["production.replenish_approval"]
    assert [quantity for _, quantity in pending(plant)] == [3]
    call(plant, "operator", "undo_production", p_code=again, p_count_id=ended["count_id"])
    assert pending(plant) == [], "it goes on: nothing has to be allowed"
    report(plant, again, CUT, 3)
    assert step(plant, again)["good"] == 4


def test_4f_a_replenishment_becomes_as_urgent_as_its_root(plant: Db) -> None:
    """What is made again for an order is not left behind."""
    code = order(plant, 10)
    report(plant, code, CUT, 8, scrap=2, reason="KNOT")
    call(plant, "planner", "change_priority", p_code=code, p_priority="critical")
    assert order_row(plant, f"{code}-R1")["priority"] == "critical"


# More of the same -------------------------------------------------------------------------------


def test_2d_the_lot_itself_stays_readable(plant: Db) -> None:
    """Whoever stands before a lot sees it, and not what happened at the order of another store."""
    code = order(plant, 2, store="bannos")
    report(plant, code, CUT, 1, scrap=1, reason="KNOT", notes="secret")
    stranger = call(plant, STRANGER, "get_lot", p_code=code)
    assert stranger["mass"]["received"] == 2
    assert (stranger["order_code"], stranger["quality"]) == (None, [])
    assert {a["order"] for a in stranger["activities"]} == {None}
    label = call(plant, STRANGER, "trace_label", p_label=code)
    assert (label["kind"], label["production_order"]) == ("lot", None)
    for answer in (stranger, label):
        assert {e["stream"] for e in answer["events"]} == {"lot"}
    own = call(plant, "operator", "get_lot", p_code=code)
    assert (own["order_code"], len(own["quality"])) == (code, 1)
    assert {a["order"] for a in own["activities"]} == {code}
    assert call(plant, "operator", "trace_label", p_label=code)["production_order"] == code


def test_2d_an_order_without_a_lot_is_refused_by_its_label(plant: Db) -> None:
    code = order(plant, 2, store="bannos")
    no = refused(plant, STRANGER, "trace_label", p_label=code)
    assert (no.status, no.code) == (403, "auth.other_store")


def test_2e_nothing_of_an_order_of_another_site_is_read(plant: Db) -> None:
    """Tables that hang on an order, who waits for parts, and what was asked there."""
    own = order(plant, 3)
    report(plant, own, CUT, 0, scrap=3, reason="KNOT")  # beyond the caps: a request
    move_stranger_north(plant)
    tables = (
        *("production_orders", "production_order_lines", "production_order_steps", "piece_counts"),
        *("production_order_progress", "quality_records", "order_fulfilments"),
        *("order_part_allocations", "approvals", "replenishment_links"),
    )

    def rows(who: str) -> dict[str, int]:
        with acting_as(plant, who) as db:
            counts = [db.execute(f"select count(*) from public.{t}").fetchone() for t in tables]
        return {t: c[0] for t, c in zip(tables, counts, strict=True) if c is not None}

    assert all(rows("operator").values()), "each has a row that a colleague reads"
    assert rows(STRANGER) == dict.fromkeys(tables, 0)
    assert call(plant, STRANGER, "get_order_fulfilment") == []
    assert call(plant, STRANGER, "explain_allocation", p_code=own) == []


def test_4b_a_replenishment_that_a_planner_cancels_asks_once(plant: Db) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, 8, scrap=2, reason="KNOT")
    call(plant, "planner", "cancel_production_order", p_code=f"{code}-R1", p_reason="No wood")
    ((asked, quantity),) = pending(plant)
    assert quantity == 2
    no = refused(plant, "planner", "decide_approval", **shown(plant, asked), p_decision="APPROVED")
    assert no.code == "approval.own", "who took it off asked"
    call(plant, "manager", "decide_approval", **shown(plant, asked), p_decision="APPROVED")
    assert replenishments(plant, code) == [
        (f"{code}-R1", 2, "CANCELLED"),
        (f"{code}-R2", 2, "OPEN_NOT_STARTED"),
    ]


def test_4b_closed_it_asks_and_reopened_it_does_not(plant: Db) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, 8, scrap=2, reason="KNOT")
    again = f"{code}-R1"
    release(plant, again)
    closed = call(plant, "planner", "close_order", p_code=again, p_reason="No wood")
    assert [n["code"] for n in closed["notices"]] == ["production.replenish_approval"]
    assert [quantity for _, quantity in pending(plant)] == [2]
    call(plant, "planner", "reopen_order", p_code=again, p_reason="Found some")
    assert (pending(plant), len(replenishments(plant, code))) == ([], 1)


def test_4b_what_was_refused_is_not_asked_again(plant: Db) -> None:
    """Ended early, refused, then closed: nothing more is missing than before."""
    code = order(plant, 10)
    report(plant, code, CUT, 6, scrap=4, reason="KNOT")
    again = f"{code}-R1"
    release(plant, again)
    report(plant, again, CUT, 1)
    ending = {"p_code": again, "p_sequence": CUT, "p_reason": "No time"}
    call(plant, "operator", "complete_step", **ending)
    ((asked, quantity),) = pending(plant)
    assert quantity == 3
    call(
        plant, "manager", "decide_approval", **shown(plant, asked), p_decision="REJECTED",
        p_notes="Enough",
    )  # fmt: skip
    for sequence in (ASSEMBLE, PACK):
        report(plant, again, sequence, 1)
    closed = call(plant, "planner", "close_order", p_code=again, p_reason="As refused")
    assert (closed["notices"], pending(plant)) == ([], [])


def test_4b_a_stopped_component_is_told(db: Db) -> None:
    """Legs are made whatever it takes: the root asks for them again at its next release."""
    make_plant(db, stock=0, made_legs=True)
    for sku in ("PANEL", "ROD"):
        call(db, "operator", "receive_stock", p_sku=sku, p_quantity=100)
    code = order(db, 10)
    ((legs, _, _),) = replenishments(db, code)
    release(db, legs)
    closed = call(db, "planner", "close_order", p_code=legs, p_reason="The lathe is down")
    assert [n["code"] for n in closed["notices"]] == ["production.still_missing"]
    assert pending(db) == []
    release(db, code)
    assert [(q, s) for _, q, s in replenishments(db, code)] == [
        (40, "CLOSED"),
        (40, "OPEN_NOT_STARTED"),
    ]


def test_4f_all_generations_and_their_promises_follow(db: Db) -> None:
    """A released one, one for its losses, one of a component: however the priority changes."""
    make_plant(db, stock=0, made_legs=True)
    for sku in ("PANEL", "ROD"):
        call(db, "operator", "receive_stock", p_sku=sku, p_quantity=100)
    code = order(db, 10)
    report(db, code, CUT, 8, scrap=2, reason="KNOT")
    table = next(c for c, q, _ in replenishments(db, code) if q == 2)
    release(db, table)
    report(db, table, CUT, 1, scrap=1, reason="KNOT")
    family = [c for c, _, _ in replenishments(db, code)]
    assert len(family) == 3

    def ranks() -> set[tuple[str, int, int]]:
        rows = db.execute(
            "select o.priority, f.rank, l.rank from public.production_orders o"
            " join public.order_fulfilments f on f.production_order_id = o.id"
            " join public.order_part_allocations l on l.fulfilment_id = f.id"
            " where o.code = any (%s)",
            (family,),
        ).fetchall()
        return {(str(p), int(f), int(r)) for p, f, r in rows}

    call(db, "planner", "update_production_order", p_code=code, p_priority="critical")
    assert ranks() == {("critical", 0, 0)}
    sent = {"external_id": "E-1", "code": code, "product_sku": "TABLE", "priority": "rush"}
    imported = call(db, "planner", "import_production_orders", p_system="erp", p_rows=Jsonb([sent]))
    assert imported["rows"][0]["result"] == "updated"
    assert ranks() == {("rush", 1, 1)}


def test_4f_parts_go_to_the_urgent_family(db: Db) -> None:
    make_plant(db, stock=0)
    call(db, "operator", "receive_stock", p_sku="PANEL", p_quantity=10)
    code = order(db, 10)
    report(db, code, CUT, 8, scrap=2, reason="KNOT")
    other = order(db, 2, released=False, priority="rush")
    call(db, "operator", "receive_stock", p_sku="PANEL", p_quantity=2)

    def panels(of: str) -> int:
        row = db.execute(
            "select l.allocated from public.order_part_allocations l"
            " join public.production_orders o on o.id = l.production_order_id"
            " where o.code = %s and l.sku = 'PANEL'",
            (of,),
        ).fetchone()
        assert row is not None
        return int(row[0])

    assert (panels(other), panels(f"{code}-R1")) == (2, 0)
    call(db, "planner", "change_priority", p_code=code, p_priority="critical")
    assert (panels(other), panels(f"{code}-R1")) == (0, 2)


# At the station -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_named", [True, False])
def test_quality_without_a_centre_passes_no_disabled_one(plant: Db, is_named: bool) -> None:
    """The saw of the routing, or the only saw there is, is out of use: nothing is counted there."""
    if is_named:
        steps = [{"step": "CUT", "work_centre": "saw-1", "materials": ["PANEL"]}]
        call(plant, "planner", "save_routing", p_sku="TABLE", p_steps=Jsonb(steps))
    code = order(plant, 5)
    aside = quality(plant, code, "hold", 1)["record"]["id"]
    disable(plant)
    record = {"p_code": code, "p_disposition": "scrap", "p_quantity": 1, "p_reason": "KNOT"}
    no = refused(plant, "operator", "record_quality", **record, p_sequence=CUT)
    assert (no.status, no.code) == (409, "work_centre.disabled")
    ended = refused(plant, "operator", "complete_step", p_code=code, p_sequence=CUT, p_good=4)
    assert ended.code == "work_centre.disabled"
    decided = call(plant, "supervisor", "record_quality", **record, p_record=aside)
    assert decided["record"]["disposition"] == "scrap", "what lies aside is decided anywhere"
    if not is_named:
        call(plant, "planner", "save_work_centre", p_code="saw-2", p_step="CUT", p_site="main")
        assert call(plant, "operator", "record_quality", **record, p_sequence=CUT)["changed"]


def test_a_paused_step_is_not_completed_with_pieces(plant: Db) -> None:
    code = order(plant, 5)
    report(plant, code, CUT, 2)
    call(plant, "operator", "pause_step", p_code=code, p_sequence=CUT, p_reason="Lunch")
    no = refused(plant, "operator", "complete_step", p_code=code, p_sequence=CUT, p_good=3)
    assert (no.status, no.code) == (409, "production.step_paused")
    call(plant, "operator", "start_step", p_code=code, p_work_centre="saw-1", p_sequence=CUT)
    done = call(plant, "operator", "complete_step", p_code=code, p_sequence=CUT, p_good=3)
    assert done["step"]["status"] == "COMPLETED"


@pytest.mark.parametrize("field", ["code", "work_centre", "lot", "material", "material_lot", "gs1"])
def test_a_scan_that_no_scanner_reads_leaves_nothing(plant: Db, field: str) -> None:
    long: Any = Jsonb({"ais": {"10": "x" * 10_000}}) if field == "gs1" else "x" * 201
    scan = {"p_code": order(plant, 2), "p_work_centre": "saw-1", f"p_{field}": long}
    no = refused(plant, "operator", "scan_step", **scan)
    assert (no.status, no.code) == (422, "request.too_long")
    longest = plant.execute("select max(length(payload::text)) from public.events").fetchone()
    assert longest is not None
    assert longest[0] < 5000
