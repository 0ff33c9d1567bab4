"""From a label, a lot or an order to everything behind it; and what a GS1 code means."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from services.api.gs1 import parse
from tests.support.lots import do, receive
from tests.support.printing import add_printer, new_job
from tests.support.production import CUT, order, quality, replenishments, report
from tests.support.rpc import Refused, call
from tests.support.units import make_units

Db = psycopg.Connection
Row = dict[str, Any]
GTIN = "04006381333931"


def keys(entries: list[Row], kind: str = "lot") -> set[str]:
    return {entry["key"] for entry in entries if entry["kind"] == kind}


@pytest.fixture
def made(plant: Db) -> str:
    """An order with material, scrap, rework and a replenishment."""
    receive(plant, "PNL-1", 50, sku="PANEL")
    code = order(plant, 5)
    do(plant, "consume_lot", code="PNL-1", quantity=5, order=code, sequence=CUT)
    report(plant, code, CUT, good=3, scrap=1, reason="KNOT")
    quality(plant, code, "rework", 1, reason="SCRATCH")
    return code


def test_the_timeline_of_a_lot_merges_its_events_and_its_order_s(plant: Db, made: str) -> None:
    events = do(plant, "get_lot_timeline", code=made)
    kinds = [event["event_type"] for event in events]
    assert {"PIECE_COUNTED", "QUALITY_RECORDED", "LOT_SAVED"} <= set(kinds)
    ids = [event["id"] for event in events]
    assert ids == sorted(ids, reverse=True)
    older = do(plant, "get_lot_timeline", code=made, before=ids[2], limit=2)
    assert [event["id"] for event in older] == ids[3:5]
    assert {event["actor_name"] for event in events} >= {"Operator"}


def test_an_order_is_shown_from_end_to_end(plant: Db, made: str) -> None:
    trace = do(plant, "trace_production_order", "planner", code=made)
    assert [step["sequence"] for step in trace["steps"]] == [10, 20, 30]
    assert [lot["lot"]["code"] for lot in trace["lots"]] == [made]
    assert keys(trace["genealogy"]["made_of"]) == {"PNL-1"}
    (again,) = trace["replenishments"]
    (known,) = replenishments(plant, made)
    assert (again["code"], again["quantity"]) == (known[0], known[1])
    assert [link["trigger"] for link in again["links"]] == ["SCRAP"]
    assert {q["disposition"] for q in trace["quality"]} == {"scrap", "rework"}
    back = do(plant, "trace_production_order", "planner", code=again["code"])
    assert back["replenishments"][0]["root"] == made, "linked both ways"
    timeline = do(plant, "get_production_order_timeline", "planner", code=made)
    assert {"production.released", "production.counted"} <= {e["event"] for e in timeline}


def test_lots_are_listed_and_found(plant: Db, made: str) -> None:
    receive(plant, "PNL-2", 5, sku="PANEL", supplier="Panel Trade")
    first = do(plant, "get_lots", limit=2)
    rest = do(plant, "get_lots", limit=2, cursor=first["next_cursor"])
    codes = [row["lot"]["code"] for row in first["lots"] + rest["lots"]]
    assert codes == ["PNL-2", made, "PNL-1"]
    assert rest["next_cursor"] is None
    found = {
        "search": do(plant, "get_lots", search="trade"),
        "order": do(plant, "get_lots", order=made),
        "kind": do(plant, "get_lots", kind="WIP"),
    }
    names = {how: [r["lot"]["code"] for r in page["lots"]] for how, page in found.items()}
    assert names == {"search": ["PNL-2"], "order": [made], "kind": [made]}
    do(plant, "hold_lot", "supervisor", code="PNL-2", reason="wet")
    held = do(plant, "get_lots", is_held=True)["lots"]
    assert [row["lot"]["code"] for row in held] == ["PNL-2"]
    with pytest.raises(Refused, match=r"request\.bad_cursor"):
        do(plant, "get_lots", cursor="x")


# Labels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["order", "lot"])
def test_from_a_label_to_order_lot_and_events(plant: Db, made: str, how: str) -> None:
    trace = do(plant, "trace_label", label=made if how == "order" else "PNL-1")
    codes = {row["lot"]["code"] for row in trace["lots"]}
    if how == "order":
        assert (trace["kind"], trace["production_order"]) == ("production_order", made)
        assert codes == {made, "PNL-1"}
    else:
        assert (trace["kind"], codes) == ("lot", {"PNL-1"})
    assert {e["stream"] for e in trace["events"]} >= {"lot"}


def test_from_the_label_of_a_unit_to_the_lots_in_it(db: Db) -> None:
    receive(db, "CELLS", 10, sku="CELL")
    (sn,) = make_units(db)
    call(db, "operator", "install_component", p_sn=sn, p_lot="CELLS")
    trace = do(db, "trace_label", label=sn)
    assert (trace["kind"], trace["unit_sn"]) == ("unit", sn)
    assert [row["lot"]["code"] for row in trace["lots"]] == ["CELLS"]
    assert {e["stream"] for e in trace["events"]} == {"unit", "lot"}


def test_from_the_id_of_a_printed_label(plant: Db, made: str) -> None:
    add_printer(plant)
    job = new_job(plant, made, p_printer="prn-1")
    trace = do(plant, "trace_label", label=str(job))
    assert trace["label"]["job_id"] == job
    assert (trace["subject"], trace["production_order"]) == (made, made)


def test_a_label_that_nobody_knows(db: Db) -> None:
    with pytest.raises(Refused) as caught:
        do(db, "trace_label", label="nothing")
    assert (caught.value.status, caught.value.code) == (404, "trace.unknown")
    for rpc in ("trace_production_order", "get_production_order_timeline"):
        with pytest.raises(Refused, match=r"production\.unknown"):
            do(db, rpc, "planner", code="nothing")


# GS1 --------------------------------------------------------------------------------------------


def scan(db: Db, code: str, **more: Any) -> Row:
    """What the edge makes of it, told to the database."""
    return dict(do(db, "scan_gs1", gs1=Jsonb(parse(code)), **more))


@pytest.fixture
def labelled(plant: Db) -> Db:
    """Panels have a GTIN and two lots."""
    do(plant, "save_item_gtin", "planner", gtin="4006381333931", sku="panel")
    for code in ("ABC", "L-7"):
        receive(plant, code, 50, sku="PANEL")
    return plant


def test_a_gs1_code_means_a_lot_a_unit_a_box_or_an_item(labelled: Db) -> None:
    lot = scan(labelled, f"]C101{GTIN}10L-7\x1d3725")
    assert (lot["action"], lot["details"]["lot"], lot["details"]["quantity"]) == (
        "lot",
        "L-7",
        "25",
    )
    assert scan(labelled, f"]d201{GTIN}")["action"] == "item"
    (sn,) = make_units(labelled)
    assert scan(labelled, f"]d201{GTIN}21{sn}")["details"]["sn"] == sn
    box = "395011015300000011"
    call(labelled, "operator", "create_box", p_kind="box", p_code=box, p_site="main")
    assert scan(labelled, f"]C100{box}")["details"]["stream"] == "box"
    kept = labelled.execute(
        "select payload -> 'ais' ->> '10', payload ->> 'scanned' from public.events"
        " where event = 'lot.scanned'"
    ).fetchone()
    assert kept == ("L-7", f"]C101{GTIN}10L-7\x1d3725"), "the raw text and what was read"


def test_an_unknown_gs1_code_is_refused_and_remembered(labelled: Db) -> None:
    lot = scan(labelled, f"]C101{GTIN}10NONE")
    assert (lot["ok"], lot["status"], lot["hint"]) == (False, 404, "lot.unknown")
    item = scan(labelled, "]C1010950600013435210L-7")
    assert (item["status"], item["hint"]) == (404, "gs1.unknown_item")
    refused = labelled.execute(
        "select count(*) from public.events where event = 'scan.refused'"
    ).fetchone()
    assert refused == (2,)
    with pytest.raises(Refused) as caught:
        do(labelled, "scan_gs1", gs1=Jsonb({"ais": []}))
    assert (caught.value.status, caught.value.code) == (422, "gs1.unreadable")


def test_a_dropped_separator_asks_and_never_guesses(labelled: Db) -> None:
    """`10ABC21XYZ`: lot ABC with serial XYZ, or a lot ABC21XYZ that does not exist."""
    answer = scan(labelled, f"01{GTIN}10ABC21XYZ")
    assert (answer["action"], answer["hint"]) == ("ask", "gs1.ambiguous")
    assert answer["candidates"] == [{"sku": "PANEL", "lot": "ABC"}]
    receive(labelled, "ABC21XYZ", 1, sku="PANEL")
    both = scan(labelled, f"01{GTIN}10ABC21XYZ")
    assert {c["lot"] for c in both["candidates"]} == {"ABC", "ABC21XYZ"}


def test_material_is_scanned_by_its_gs1_label(labelled: Db) -> None:
    code = order(labelled, 5)
    where = {"code": code, "work_centre": "saw-1"}
    good = do(labelled, "scan_step", gs1=Jsonb(parse(f"]C101{GTIN}10L-7")), **where)
    assert good["ok"], good
    for text, hint in (
        (f"]C101{GTIN}10NONE", "lot.unknown"),
        ("]C1010950600013435210L-7", "gs1.unknown_item"),
        (f"01{GTIN}10ABC21XYZ", "gs1.ambiguous"),
    ):
        answer = do(labelled, "scan_step", gs1=Jsonb(parse(text)), **where)
        assert (answer["ok"], answer["hint"]) == (False, hint)
    labelled.execute('set request.jwt.claims = \'{"role": "service_role"}\'')  # sees every site
    found = labelled.execute(
        "select (private.gs1_lot(%s)).code", (Jsonb(parse(f"]C101{GTIN}10L-7")),)
    ).fetchone()
    assert found == ("L-7",)
    with pytest.raises(psycopg.Error, match="names no lot"):
        labelled.execute(
            "select private.gs1_lot(%s)", (Jsonb(parse(f"]C101{GTIN}")),)
        )  # gs1.no_lot


def test_gtins_are_checked_and_belong_to_one_item(labelled: Db) -> None:
    for wrong in ("4006381333932", "12", "x"):
        with pytest.raises(Refused) as caught:
            do(labelled, "save_item_gtin", "planner", gtin=wrong, sku="PANEL")
        assert (caught.value.status, caught.value.code) == (422, "item.gtin")
    moved = do(labelled, "save_item_gtin", "planner", gtin="4006381333931", sku="LEG")
    assert moved == {"gtin": GTIN, "sku": "LEG"}
    do(labelled, "save_item_gtin", "planner", gtin=GTIN)
    assert scan(labelled, f"]d201{GTIN}")["hint"] == "gs1.unknown_item"
