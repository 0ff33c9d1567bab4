"""A lot is of the site where it lies, also when no order makes it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.sql.production.test_attacks import STRANGER, move_stranger_north
from tests.support.lots import code_of, do, receive, refused
from tests.support.production import CUT, order, quality, report
from tests.support.rpc import acting_as
from tests.support.units import make_units

Db = psycopg.Connection


@pytest.fixture
def bought(plant: Db) -> Db:
    """The plant with a lot that was bought, and somebody of another site."""
    receive(plant, "PNL-1", 50, sku="PANEL")
    move_stranger_north(plant)
    return plant


def site_of(db: Db, code: str) -> str | None:
    row = db.execute("select site from public.lots where code = %s", (code,)).fetchone()
    assert row is not None
    return str(row[0]) if row[0] else None


def test_a_lot_lies_where_it_came_in_or_was_made(plant: Db) -> None:
    receive(plant, "PNL-1", 50, sku="PANEL")
    do(plant, "split_lot", code="PNL-1", quantity=5, new_code="PNL-2")
    do(plant, "merge_lots", codes=["PNL-2"], into="PNL-3")
    code = order(plant, 2)
    report(plant, code, CUT, 1)
    move_stranger_north(plant)
    do(plant, "upsert_lot", "admin", sku="PANEL", code="SAID", site="north")
    do(plant, "upsert_lot", "admin", sku="PANEL", code="UNSAID")
    receive(plant, "SHELF", 1, sku="PANEL", location="main")
    sites = {c: site_of(plant, c) for c in ("PNL-1", "PNL-2", "PNL-3", code, "SHELF")}
    assert set(sites.values()) == {"main"}, sites
    assert (site_of(plant, "SAID"), site_of(plant, "UNSAID")) == ("north", None)


_USES: list[tuple[str, dict[str, Any]]] = [
    ("get_lot", {}),
    ("get_lot_timeline", {}),
    ("split_lot", {"quantity": 1}),
    ("dispose_lot", {"quantity": 1, "how": "scrap", "reason": "x"}),
    ("remove_lot", {"reason": "x"}),
    ("receive_lot", {"sku": "PANEL", "quantity": 1}),
    ("upsert_lot", {"sku": "PANEL", "notes": "mine"}),
    ("merge_lots", {"codes": ["PNL-1"], "into": "MINE"}),
]


@pytest.mark.parametrize(("rpc", "given"), _USES, ids=[rpc for rpc, _ in _USES])
def test_a_lot_of_another_site_is_neither_read_nor_used(
    bought: Db, rpc: str, given: dict[str, Any]
) -> None:
    """Without an order it had no site: everybody read it, and threw it away."""
    arguments = given if "codes" in given else {"code": "PNL-1"} | given
    no = refused(bought, rpc, STRANGER, **arguments)
    assert code_of(no) == (403, "auth.other_site")


def test_a_lot_of_another_site_is_not_held_listed_or_found(bought: Db) -> None:
    bought.execute(
        "update public.staff_shared set role = 'supervisor' where email like 'flourlane_op%'"
    )
    for rpc in ("hold_lot", "release_lot"):
        no = refused(bought, rpc, STRANGER, code="PNL-1", reason="mine")
        assert code_of(no) == (403, "auth.other_site")
    trace = psycopg.types.json.Jsonb({"kind": "lot", "key": "PNL-1"})
    no = refused(bought, "hold_all", STRANGER, trace=trace, reason="mine")
    assert code_of(no) == (403, "auth.other_site")
    assert do(bought, "get_lots", STRANGER)["lots"] == []
    assert do(bought, "get_order_for_scan", STRANGER, scan="PNL-1")["hint"] == "scan.unknown"
    assert refused(bought, "trace_label", STRANGER, label="PNL-1").status == 404
    with acting_as(bought, STRANGER):
        for table in ("lots", "production_lots", "trace_activities", "trace_outputs"):
            assert bought.execute(f"select * from public.{table}").fetchall() == [], table
    assert len(do(bought, "get_lots", "viewer")["lots"]) == 1


def test_who_works_at_one_site_takes_no_lot_of_all_sites(plant: Db) -> None:
    """Whoever received the first of a batch without a site had it alone from then on."""
    move_stranger_north(plant)
    do(plant, "upsert_lot", "admin", sku="PANEL", code="ALL")
    receive(plant, "ALL", 10, sku="PANEL", location="main")
    assert site_of(plant, "ALL") is None
    assert do(plant, "get_lot", STRANGER, sku="PANEL", code="ALL")["lot"]["code"] == "ALL"
    no = refused(plant, "upsert_lot", STRANGER, sku="PANEL", code="ALL", site="north")
    assert (no.status, no.code) == (403, "auth.other_site")
    do(plant, "upsert_lot", "admin", sku="PANEL", code="ALL", site="north")
    assert site_of(plant, "ALL") == "north"


def test_a_lot_goes_into_nothing_of_another_site(plant: Db) -> None:
    """Who works at both has to say that it was taken there."""
    (sn,) = make_units(plant)
    bought = plant
    receive(plant, "PNL-1", 50, sku="PANEL")
    move_stranger_north(plant)
    do(bought, "upsert_lot", "admin", sku="PANEL", code="PNL-1", site="north")
    code = order(bought, 2)
    no = refused(bought, "consume_lot", code="PNL-1", quantity=1, order=code)
    assert code_of(no) == (409, "lot.other_site")
    scan = do(bought, "scan_step", code=code, work_centre="saw-1", material_lot="PNL-1")
    assert (scan["status"], scan["hint"]) == (409, "lot.other_site")
    no = refused(bought, "install_component", sn=sn, lot="PNL-1", sku="PANEL")
    assert code_of(no) == (409, "lot.other_site")
    no = refused(bought, "receive_lot", code="PNL-1", sku="PANEL", quantity=1, location="main")
    assert code_of(no) == (409, "lot.other_site")
    do(bought, "upsert_lot", "admin", sku="PANEL", code="PNL-1", site="main")
    do(bought, "consume_lot", code="PNL-1", quantity=1, order=code)


def test_a_lot_event_is_told_at_its_site(bought: Db) -> None:
    do(bought, "hold_lot", "supervisor", code="PNL-1", reason="wet")
    do(bought, "release_lot", "supervisor", code="PNL-1", reason="dry")
    do(bought, "dispose_lot", code="PNL-1", quantity=1, how="scrap", reason="x")
    told = bought.execute("select distinct site from public.events where stream = 'lot'").fetchall()
    assert told == [("main",)]


def test_the_label_of_a_lot_is_of_its_site(bought: Db) -> None:
    no = refused(
        bought, "request_print", STRANGER, label_type="production_order", subject="PANEL PNL-1",
        data=psycopg.types.json.Jsonb({}),
    )  # fmt: skip
    assert code_of(no) == (403, "auth.other_site")


def test_history_names_reasons_by_their_titles(plant: Db) -> None:
    """People read SCRATCH instead of Scratch."""
    code = order(plant, 5)
    quality(plant, code, "rework", 1, reason="KNOT")
    told = do(plant, "get_production_order", code=code)["events"]
    told += do(plant, "get_production_order_timeline", code=code)
    told += do(plant, "get_lot_timeline", code=code)
    lot = do(plant, "get_lot", code=code)
    told += lot["events"]
    payloads = [e["payload"] for e in told if e["event"] == "production.quality"]
    assert len(payloads) == 4
    assert {(p["reason"], p["reason_title"]) for p in payloads} == {("KNOT", "Knot or crack")}
    assert lot["reason_titles"] == {"KNOT": "Knot or crack"}
