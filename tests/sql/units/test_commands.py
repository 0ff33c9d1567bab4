"""What each command does, what it leaves behind, and what it refuses."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.sql.inventory.stock import ledger, on_hand, place
from tests.support.printing import attempt
from tests.support.rpc import call
from tests.support.units import (
    STATUSES,
    flash,
    kit,
    measure,
    new_unit,
    pack,
    scan_kit,
    status_of,
    to_status,
    unit_events,
    unit_row,
    variant,
)

ON_A_UNIT: dict[str, dict[str, Any]] = {
    "assign_unit_variant": {"p_variant": "FX-EU"},
    "record_flash": {},
    "record_assembly": {},
    "record_test_result": {"p_result": "PASS"},
    "scan_pack_kit": {"p_kit_id": "K"},
    "unpack_unit": {"p_reason": "x"},
    "send_to_rework": {"p_reason": "x"},
    "scrap_unit": {"p_reason": "x"},
    "hold_unit": {"p_reason": "x"},
    "release_unit": {},
    "move_unit_to_stock": {},
    "get_unit": {},
}


def do(db: psycopg.Connection, rpc: str, sn: str, **more: Any) -> dict[str, Any]:
    arguments = {f"p_{name}": value for name, value in more.items()}
    return dict(call(db, "supervisor", rpc, p_sn=sn, **arguments))


def test_an_unknown_serial(db: psycopg.Connection) -> None:
    variant(db)
    for rpc, arguments in ON_A_UNIT.items():
        for sn in ("2611-GN-00009", "nonsense", ""):
            refused = attempt(db, "supervisor", rpc, p_sn=sn, **arguments)
            assert refused == (404, "unit.unknown"), (rpc, sn)


def test_another_site_is_refused(db: psycopg.Connection) -> None:
    variant(db)
    sn = new_unit(db)
    db.execute("insert into public.sites (code, name) values ('away', 'Away')")
    db.execute("insert into public.stores (code, site, name) values ('away', 'away', 'Away')")
    db.execute("update public.staff_shared set stores = '{away}' where role = 'supervisor'")
    for rpc in ("finalize_pack", "check_pack_gate", *ON_A_UNIT):
        refused = attempt(db, "supervisor", rpc, p_sn=sn, **ON_A_UNIT.get(rpc, {}))
        assert refused == (403, "auth.other_site"), rpc


def test_a_reason_is_needed(db: psycopg.Connection) -> None:
    variant(db)
    sn = to_status(db, "PACKED")
    for rpc in ("unpack_unit", "send_to_rework", "scrap_unit", "hold_unit"):
        for reason in (None, "  "):
            refused = attempt(db, "supervisor", rpc, p_sn=sn, p_reason=reason)
            assert refused == (422, "unit.reason_required"), rpc
        assert attempt(db, "supervisor", rpc, p_sn=sn, p_reason="x" * 501)[0] == 422, rpc


def test_a_repeat_acts_once(db: psycopg.Connection) -> None:
    variant(db)
    for rpc in set(ON_A_UNIT) - {"get_unit"}:
        _acts_once(db, rpc)


def _acts_once(db: psycopg.Connection, rpc: str) -> None:
    sn = to_status(db, "PACKED" if rpc in ("unpack_unit", "move_unit_to_stock") else "FLASHED")
    arguments = {"p_sn": sn, "p_request_id": uuid4(), **ON_A_UNIT[rpc]}
    first = call(db, "supervisor", rpc, **arguments)
    count = len(unit_events(db, sn))
    assert call(db, "supervisor", rpc, **arguments) == first
    assert len(unit_events(db, sn)) == count
    arguments["p_sn"] = new_unit(db)
    assert attempt(db, "supervisor", rpc, **arguments) == (422, "request.reused")


def test_assigned_again_until_packed_never_after(db: psycopg.Connection) -> None:
    variant(db, product_code="EU1")
    variant(db, "FX-US", product_code="US1")
    sn = to_status(db, "ASSEMBLED")
    assert do(db, "assign_unit_variant", sn, variant="FX-US")["changed"] is True
    do(db, "assign_unit_variant", sn, variant="FX-EU")
    row = unit_row(db, sn)
    assert (row["sn"], row["serial_class"], row["product_code"]) == (sn, "FINAL", "EU1")
    scan_kit(db, sn)
    pack(db, sn)
    for status in ("PACKED", "IN_FINISHED_STOCK"):
        assert status_of(db, sn) == status
        refused = attempt(db, "operator", "assign_unit_variant", p_sn=sn, p_variant="FX-US")
        assert refused == (409, "unit.wrong_state")
        do(db, "move_unit_to_stock", sn)


def test_only_variants_that_are_made(db: psycopg.Connection) -> None:
    variant(db)
    sn = new_unit(db, None)
    assert attempt(db, "operator", "assign_unit_variant", p_sn=sn, p_variant="NO") == (
        404,
        "variant.unknown",
    )
    call(db, "planner", "upsert_variant", p_code="FX-EU", p_is_active=False)
    assert attempt(db, "operator", "assign_unit_variant", p_sn=sn, p_variant="FX-EU") == (
        409,
        "variant.inactive",
    )


def test_hold_and_release_go_back_to_where_it_was(db: psycopg.Connection) -> None:
    variant(db)
    for status in STATUSES:
        if status in ("SCRAPPED", "ON_HOLD"):
            continue
        sn = to_status(db, status)
        held = do(db, "hold_unit", sn, reason="scratch")
        assert (held["unit"]["status"], held["unit"]["status_before_hold"]) == ("ON_HOLD", status)
        assert "scratch" in held["next_action"]
        assert do(db, "hold_unit", sn, reason="again")["changed"] is False
        assert do(db, "release_unit", sn)["unit"]["status"] == status
        assert do(db, "release_unit", sn)["changed"] is False
    assert attempt(db, "supervisor", "hold_unit", p_sn=to_status(db, "SCRAPPED"), p_reason="x") == (
        409,
        "unit.wrong_state",
    )


def test_nothing_is_done_with_a_held_unit(db: psycopg.Connection) -> None:
    variant(db)
    sn = to_status(db, "ON_HOLD")
    for rpc in set(ON_A_UNIT) - {"hold_unit", "release_unit", "get_unit", "scrap_unit"}:
        refused = attempt(db, "supervisor", rpc, p_sn=sn, **ON_A_UNIT[rpc])
        assert refused == (423, "unit.on_hold"), rpc
    do(db, "scrap_unit", sn, reason="cracked")
    assert status_of(db, sn) == "SCRAPPED"


def test_the_next_step_is_said_in_words(db: psycopg.Connection) -> None:
    variant(db)
    sn = to_status(db, "CREATED")
    refused = [
        call(db, "operator", "get_unit", p_sn=sn)["next_action"],
        flash(db, sn)["next_action"],
        measure(db, sn)["next_action"],
    ]
    assert refused == ["Flash it.", "Test it.", "Assemble it, then pack it."]


def test_unpacked_the_kit_is_free_again(db: psycopg.Connection) -> None:
    variant(db)
    sn = to_status(db, "TEST_PASS")
    name = scan_kit(db, sn)
    pack(db, sn)
    done = do(db, "unpack_unit", sn, reason="wrong cable")
    assert (done["unit"]["status"], done["unit"]["kit_id"]) == ("TEST_PASS", None)
    used = db.execute("select used_by_sn from public.packaging_kits where kit_id = %s", (name,))
    assert used.fetchone() == (None,)
    scan_kit(db, sn, name)
    assert pack(db, sn)["allowed"] is True
    assert attempt(db, "operator", "unpack_unit", p_sn=sn, p_reason="x") == (403, "auth.forbidden")


@pytest.mark.parametrize("rpc", ["scrap_unit", "send_to_rework"])
def test_out_of_stock_it_leaves_the_ledger(db: psycopg.Connection, rpc: str) -> None:
    variant(db)
    sn = to_status(db, "IN_FINISHED_STOCK")
    do(db, "hold_unit", sn, reason="look")
    if rpc == "send_to_rework":
        do(db, "release_unit", sn)
    do(db, rpc, sn, reason="cracked")
    assert on_hand(db, "FX-DONE") == 0
    assert [kind for kind, _ in ledger(db, "FX-DONE") if kind != "transfer"] == [
        "produce",
        "scrap" if rpc == "scrap_unit" else "issue",
    ]
    assert do(db, rpc, sn, reason="again")["changed"] is False


def test_reworked_it_is_tested_again_and_comes_back_into_stock(db: psycopg.Connection) -> None:
    variant(db)
    sn = to_status(db, "IN_FINISHED_STOCK")
    row = do(db, "send_to_rework", sn, reason="returned")["unit"]
    assert (row["status"], row["kit_id"], row["packed_at"]) == ("REWORK", None, None)
    assert (row["assembled_at"], row["stock_location"]) == (None, None)
    measure(db, sn)
    scan_kit(db, sn)
    assert pack(db, sn)["allowed"] is True
    do(db, "move_unit_to_stock", sn)
    assert on_hand(db, "FX-DONE") == 1


def test_moved_to_a_place_of_its_site(db: psycopg.Connection) -> None:
    variant(db)
    place(db, "shelf-1", "finished_goods")
    sn = to_status(db, "PACKED")
    db.execute("insert into public.sites (code, name) values ('away', 'Away')")
    for where, refusal in (
        ("away", (422, "unit.other_site")),
        ("nowhere", (404, "location.unknown")),
    ):
        refused = attempt(db, "operator", "move_unit_to_stock", p_sn=sn, p_location=where)
        assert refused == refusal
    moved = call(db, "operator", "move_unit_to_stock", p_sn=sn, p_location="shelf-1")
    assert moved["unit"]["stock_location"] == "shelf-1"


def test_without_a_finished_item_it_cannot_go_into_stock(db: psycopg.Connection) -> None:
    variant(db, sku=None)
    refused = attempt(db, "operator", "move_unit_to_stock", p_sn=to_status(db, "PACKED"))
    assert refused == (422, "variant.no_item")


def test_what_lies_in_another_unit_is_left_alone(db: psycopg.Connection) -> None:
    variant(db)
    outer, inner = new_unit(db), to_status(db, "TEST_PASS")
    scan_kit(db, inner)
    call(
        db, "operator", "install_component",
        p_sn=outer, p_sku="FX-DONE", p_component_sn=inner,
    )  # fmt: skip
    for rpc in ("record_flash", "record_assembly", "send_to_rework", "scrap_unit", "finalize_pack"):
        refused = attempt(db, "supervisor", rpc, p_sn=inner, **ON_A_UNIT.get(rpc, {}))
        assert refused == (409, "unit.built_in"), rpc


def test_a_kit_code_is_needed_and_its_faults_are_told_at_once(db: psycopg.Connection) -> None:
    variant(db)
    sn = to_status(db, "TEST_PASS")
    for code in (None, " ", "x" * 101):
        refused = attempt(db, "operator", "scan_pack_kit", p_sn=sn, p_kit_id=code)
        assert refused == (422, "kit.empty")
    wrong = call(db, "operator", "scan_pack_kit", p_sn=sn, p_kit_id="unheard-of")
    assert [n["code"] for n in wrong["notices"]] == ["PACK_KIT_INVALID"]
    good = call(db, "operator", "scan_pack_kit", p_sn=sn, p_kit_id=kit(db))
    assert good["notices"] is None


def test_a_refused_pack_can_be_repeated_and_stays_refused(db: psycopg.Connection) -> None:
    variant(db)
    sn, key = new_unit(db), uuid4()
    first = pack(db, sn, p_request_id=key)
    to_status(db, "TEST_PASS", sn)
    scan_kit(db, sn)
    assert pack(db, sn, p_request_id=key) == first, "the same request, the same answer"
    assert unit_events(db, sn).count("unit.pack_refused") == 1
    assert pack(db, sn)["allowed"] is True
    assert attempt(db, "operator", "finalize_pack", p_sn=to_status(db, "SCRAPPED")) == (
        409,
        "unit.wrong_state",
    )


def test_a_scan_at_any_station_shows_the_unit(db: psycopg.Connection) -> None:
    variant(db)
    sn = to_status(db, "TEST_PASS")
    seen = call(db, "operator", "scan", p_code=f" {sn.lower()}\n", p_station="anywhere")
    assert (seen["action"], seen["ok"], seen["details"]["target"]) == (
        "unit",
        True,
        {"page": "unit", "sn": sn},
    )
    assert sn in seen["message"]
    assert call(db, "viewer", "get_order_for_scan", p_scan=sn)["action"] == "unit"
    assert unit_events(db, sn)[-1] == "unit.scanned"
    wrong = call(db, "operator", "scan", p_code=sn, p_expected_order="bannos-1")
    assert (wrong["status"], wrong["hint"]) == (409, "scan.wrong_order")
    unknown = call(db, "operator", "scan", p_code="2611-GN-99999")
    assert (unknown["status"], unknown["hint"]) == (404, "scan.unknown")
