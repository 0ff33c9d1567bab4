"""One scan → what is affected, and who has it → hold → export."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.concurrency.together import together
from tests.sql.inventory.stock import refused
from tests.support.databases import Clone
from tests.support.orders import make_order
from tests.support.rpc import Refused, call
from tests.support.trace import (
    back,
    export,
    forward,
    hold_all,
    install,
    item,
    link,
    lot,
    reached,
    unit_of,
)
from tests.support.units import make_units, status_of, to_status, unit_events, unit_row, variant


def ship(db: psycopg.Connection, sn: str, order: str) -> str:
    """A unit in stock leaves in a box on a pallet; the pallet."""
    box, pallet = (
        call(db, "operator", "create_box", p_kind=kind)["box"]["code"] for kind in ("box", "pallet")
    )
    call(db, "operator", "put_in_box", p_box=box, p_what=sn)
    for code in (box, pallet):
        if code == pallet:
            call(db, "operator", "put_in_box", p_box=pallet, p_what=box)
        call(db, "operator", "seal_box", p_box=code)
    call(db, "operator", "ship_box", p_box=pallet, p_order=order)
    return str(pallet)


@pytest.fixture
def plant(db: psycopg.Connection) -> dict[str, str]:
    """A raw lot in a WIP lot; of that a shipped, a stocked, a scrapped, a held and a new unit."""
    lot(db, "RAW-1", "FOIL")
    lot(db, "WIP-1", "CELL", kind="WIP")
    link(db, "lot", "RAW-1", "lot", "WIP-1", "FOIL", "CELL")
    make_order(db, "bannos-18617", customer_name="Ada Byron")
    variant(db)
    states = {"shipped": "IN_FINISHED_STOCK", "stocked": "IN_FINISHED_STOCK", "fresh": "FLASHED"}
    states |= {"scrapped": "SCRAPPED", "held": "ON_HOLD", "other": "CREATED"}
    found = {}
    for name, status in states.items():
        found[name] = sn = unit_of(db, *(["WIP-1"] if name != "other" else []))
        if status != "CREATED":
            call(db, "operator", "assign_unit_variant", p_sn=sn, p_variant="FX-EU")
            to_status(db, status, sn)
    found["pallet"] = ship(db, found["shipped"], "bannos-18617")
    return found


def test_from_a_lot_to_the_customers_and_back(
    db: psycopg.Connection, plant: dict[str, str]
) -> None:
    answer = forward(db, "RAW-1")
    affected = {plant[name] for name in ("shipped", "stocked", "fresh", "scrapped", "held")}
    assert {e["key"] for e in answer["entries"] if e["kind"] == "unit"} == affected
    assert answer["counts"] == {
        "lot": 2, "unit": 5, "box": 1, "pallet": 1, "order": 1, "customer_orders": 1,
        "status": {"IN_FINISHED_STOCK": 2, "FLASHED": 1, "SCRAPPED": 1, "ON_HOLD": 1},
    }  # fmt: skip
    assert answer["is_complete"]
    assert len(answer["edges"]) == 9
    (order,) = [e for e in answer["entries"] if e["kind"] == "order"]
    assert order["details"]["customer_name"] == "Ada Byron"
    elsewhere = call(db, "flourlane_operator", "trace_forward", p_key="RAW-1")
    (order,) = [e for e in elsewhere["entries"] if e["kind"] == "order"]
    assert order["details"]["customer_name"] is None, "somebody else's customer"
    below = back(db, "bannos-18617")
    assert {plant["shipped"], "WIP-1", "RAW-1"} < reached(below)
    assert plant["stocked"] not in reached(below)
    told = call(db, "operator", "get_unit", p_sn=plant["shipped"])["genealogy"]
    assert {e["key"] for e in told["made_of"]} == {"WIP-1", "RAW-1"}
    assert {e["kind"] for e in told["went_into"]} == {"box", "pallet", "order"}


def test_a_long_list_is_cut_but_counted(db: psycopg.Connection, plant: dict[str, str]) -> None:
    answer = forward(db, "RAW-1", limit=2)
    assert [e["kind"] for e in answer["entries"]].count("unit") == 2
    assert (answer["counts"]["unit"], answer["is_complete"], answer["edges"]) == (5, False, [])


def test_ranges_of_codes_of_time_and_of_serials(db: psycopg.Connection) -> None:
    for code in ("L-1", "L-2", "L-3"):
        lot(db, code)
    variant(db)
    units = [unit_of(db, code) for code in ("L-1", "L-2", "L-3")]
    call(db, "operator", "assign_unit_variant", p_sn=units[0], p_variant="FX-EU")
    item(db, "SCREW")
    install(db, units[1], sku="SCREW")
    db.execute(
        "update public.trace_edges e set at = '2020-01-02' from public.trace_nodes n"
        " where n.id = e.child and n.key = %s",
        (units[0],),
    )

    def found(**trace: Any) -> list[str]:
        answer = forward(db, **trace)
        return sorted(e["key"] for e in answer["entries"] if e["kind"] == "unit")

    assert found(sku="cell", first="L-2", last="L-3") == units[1:]
    assert found(sku="CELL", last="L-1") == units[:1]
    assert found(sku="CELL", since="2020-01-01", until="2020-02-01") == units[:1]
    assert found(sku="CELL", since="2020-02-01") == units[1:]
    assert found(sku="CELL", since="2020-02-01", last="L-2") == units[1:2]
    assert found(sku="SCREW") == units[1:2]
    assert found(sku="FX-DONE") == units[:1]
    assert found(kind="unit", first=units[1], last=units[1]) == units[1:2]
    # A lot of which more was used at other times is not to blame as a whole.
    in_time = forward(db, sku="CELL", since="2020-02-01")
    assert "lot" not in in_time["counts"]


@pytest.mark.parametrize(
    ("trace", "status", "code"),
    [
        ({}, 422, "trace.query"),
        ({"p_key": "L-1", "p_first": "A"}, 422, "trace.query"),
        ({"p_kind": "lot", "p_first": "A"}, 422, "trace.query"),
        ({"p_key": "NOWHERE"}, 404, "trace.unknown"),
        ({"p_sku": "NOTHING"}, 404, "item.unknown"),
        ({"p_key": "SAME"}, 409, "trace.ambiguous"),
    ],
)
def test_a_trace_that_cannot_be_made_says_why(
    db: psycopg.Connection, trace: dict[str, str], status: int, code: str
) -> None:
    lot(db, "SAME", "CELL")
    lot(db, "SAME", "FOIL")
    error = refused(db, "operator", "trace_forward", **trace)
    assert (error.status, error.code) == (status, code)
    if code == "trace.ambiguous":
        assert {c["sku"] for c in error.detail["candidates"]} == {"CELL", "FOIL"}
        assert forward(db, "SAME", sku="FOIL")["starts"][0]["sku"] == "FOIL"


@pytest.mark.parametrize(
    "trace",
    [[], "L-1", {"lot": "L-1"}, {"key": "L-1", "since": "soon"}, {"sku": "CELL", "since": "x"}],
)
def test_a_trace_of_another_shape_is_refused(db: psycopg.Connection, trace: Any) -> None:
    lot(db, "L-1")
    for rpc, more in (("hold_all", {"p_reason": "bad"}), ("start_recall_export", {})):
        error = refused(db, "supervisor", rpc, p_trace=Jsonb(trace), **more)
        assert (error.status, error.code) == (422, "trace.query")


def test_hold_all_holds_everything_once(db: psycopg.Connection, plant: dict[str, str]) -> None:
    key = uuid4()
    arguments: dict[str, Any] = {"p_trace": {"key": "RAW-1"}, "p_reason": "bad foil"}
    arguments["p_request_id"] = key
    first = call(db, "supervisor", "hold_all", **arguments)
    counts = {k: v for k, v in first.items() if k not in ("changed", "event_id", "recall_id")}
    assert first["changed"]
    assert counts == {
        "units_held": 3, "units_held_before": 1, "units_scrapped": 1,
        "lots_held": 2, "lots_held_before": 0, "customer_orders": 1,
    }  # fmt: skip
    assert call(db, "supervisor", "hold_all", **arguments) == first
    again = hold_all(db, key="RAW-1")
    assert (again["changed"], again["event_id"], again["units_held_before"]) == (False, None, 4)
    for name in ("shipped", "stocked", "fresh", "held"):
        assert status_of(db, plant[name]) == "ON_HOLD"
    assert status_of(db, plant["other"]) == "CREATED"
    assert unit_row(db, plant["stocked"])["hold_reason"] == "bad foil"
    assert unit_row(db, plant["held"])["hold_reason"] != "bad foil", "held for its own reason"
    assert unit_events(db, plant["fresh"]).count("unit.held") == 1
    error = refused(db, "operator", "install_component", p_sn=plant["other"], p_lot="WIP-1")
    assert error.code == "lot.on_hold"
    call(db, "supervisor", "release_unit", p_sn=plant["fresh"], p_reason="it is fine")
    assert status_of(db, plant["fresh"]) == "FLASHED"
    error = refused(db, "supervisor", "hold_all", p_trace=Jsonb({"key": "RAW-1"}), p_reason="")
    assert error.code == "unit.reason_required"
    for rpc, more in (("hold_all", {"p_reason": "x"}), ("start_recall_export", {})):
        error = refused(db, "operator", rpc, p_trace=Jsonb({"key": "RAW-1"}), **more)
        assert error.status == 403


def test_an_export_says_what_where_and_whose(db: psycopg.Connection, plant: dict[str, str]) -> None:
    rows = export(db, limit=2, key="RAW-1")
    assert [r["sn"] for r in rows] == sorted(
        plant[n] for n in ("shipped", "stocked", "fresh", "scrapped", "held")
    )
    (row,) = [r for r in rows if r["sn"] == plant["shipped"]]
    assert row["through"] == ["lot CELL WIP-1"]
    assert (row["pallet_code"], row["order_id"]) == (plant["pallet"], "bannos-18617")
    assert (row["customer_name"], row["store"]) == ("Ada Byron", "bannos")
    assert row["variant_code"] == "FX-EU"
    (row,) = [r for r in rows if r["sn"] == plant["stocked"]]
    assert (row["box_code"], row["order_id"], row["status"]) == (None, None, "IN_FINISHED_STOCK")
    # A unit inside another is where the other one is.
    inner, outer = make_units(db, 2)
    install(db, inner, lot="WIP-1")
    install(db, outer, component_sn=inner, sku="CELL")
    link(db, "unit", outer, "box", "BOX-X")
    of = {r["sn"]: r for r in export(db, key=inner)}
    assert of[inner]["box_code"] == of[outer]["box_code"] == "BOX-X"
    assert of[outer]["through"] == [f"unit {inner}"]


def test_an_export_belongs_to_who_started_it_and_goes_after_a_day(db: psycopg.Connection) -> None:
    lot(db, "L-1")
    unit_of(db, "L-1")
    started = call(db, "supervisor", "start_recall_export", p_trace={"key": "L-1"})
    mine: dict[str, Any] = {"p_export_id": started["export_id"]}
    assert len(call(db, "supervisor", "get_recall_export", **mine)["rows"]) == 1
    error = refused(db, "admin", "get_recall_export", **mine)
    assert (error.status, error.code) == (404, "recall.no_export")
    error = refused(db, "supervisor", "get_recall_export", **mine, p_cursor="x")
    assert error.code == "request.bad_cursor"
    db.execute("select private.purge_recall_exports(now() + interval '25 hours')")
    assert refused(db, "supervisor", "get_recall_export", **mine).code == "recall.no_export"
    left = db.execute("select count(*) from private.recall_export_nodes").fetchone()
    assert left == (0,)
    events = db.execute("select event from public.events where stream = 'recall'").fetchall()
    assert events == [("recall.exported",)]


def _install_or_hold(code: str, sns: list[str], db: psycopg.Connection, n: int) -> bool:
    """The last session holds the lot; the others put it in, or are refused: False."""
    if n == len(sns):
        return bool(hold_all(db, key=code)["changed"])
    try:
        return bool(install(db, sns[n], lot=code)["changed"])
    except Refused as error:
        if error.code != "lot.on_hold":
            raise
        return False


def test_nothing_is_built_from_a_lot_between_trace_and_hold(
    db: psycopg.Connection, clone: Clone
) -> None:
    """Installs and a hold of everything at the same instant: no unit slips through."""
    for number in range(3):
        code = lot(db, f"L-{number}")
        units = make_units(db, 7)

        went_in = together(clone, 8, partial(_install_or_hold, code, units))[:7]
        for sn, is_in in zip(units, went_in, strict=True):
            assert status_of(db, sn) == ("ON_HOLD" if is_in else "CREATED")


def test_thousands_are_announced_once(db: psycopg.Connection) -> None:
    """Every unit has its event; who listens to units is told once, and then as before."""
    sns = make_units(db, 101)
    told = "select count(*) from realtime.messages where event = 'unit.held'"
    before = db.execute(told).fetchone()
    held = hold_all(db, kind="unit", first=sns[0], last=sns[-1])
    assert held["units_held"] == 101
    assert before == (0,)
    assert db.execute(told).fetchone() == (1,)
    assert {tuple(unit_events(db, sn)) for sn in sns} == {("unit.created", "unit.held")}
    (sn,) = make_units(db)
    call(db, "supervisor", "hold_unit", p_sn=sn, p_reason="look at it")
    assert db.execute(told).fetchone() == (2,)
