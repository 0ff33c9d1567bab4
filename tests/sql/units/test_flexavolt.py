"""The seven defects of FlexaVolt, each by its name: none of them comes back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import psycopg
import pytest

from tests.sql.inventory.stock import ledger, on_hand
from tests.sql.units.waiting import SECONDS, blocked_by
from tests.support.databases import Clone
from tests.support.printing import attempt, begin, claim, mark_sent, sweep
from tests.support.rpc import call
from tests.support.units import (
    STATUSES,
    blockers,
    flash,
    label_printer,
    make_units,
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


def test_defect_1_the_migration_runs(db: psycopg.Connection) -> None:
    found = db.execute(
        "select to_regtype('public.unit_status'), to_regclass('public.units')"
    ).fetchone()
    assert found is not None
    assert None not in found


def test_defect_2_assigning_a_variant_is_one_event(db: psycopg.Connection) -> None:
    variant(db)
    sn = new_unit(db)
    again = call(db, "operator", "assign_unit_variant", p_sn=sn, p_variant="FX-EU")
    assert again["changed"] is False
    assert unit_events(db, sn) == ["unit.created", "unit.variant_assigned"]


@pytest.mark.parametrize("rpc", ["record_flash", "record_assembly", "record_test_result"])
def test_defect_3_no_step_from_any_status(db: psycopg.Connection, rpc: str) -> None:
    variant(db)
    open_to = {
        "record_flash": {"CREATED", "FLASHED", "TEST_PASS", "ASSEMBLED", "REWORK"},
        "record_assembly": {"FLASHED", "TEST_PASS", "ASSEMBLED", "REWORK"},
        "record_test_result": {"FLASHED", "TEST_PASS", "ASSEMBLED", "REWORK"},
    }[rpc]
    more = {"p_result": "PASS"} if rpc == "record_test_result" else {}
    outcome = {}
    for status in STATUSES:
        sn = to_status(db, status)
        outcome[status] = attempt(db, "operator", rpc, p_sn=sn, **more)
        if status not in open_to:
            assert status_of(db, sn) == status, "a refused step changes nothing"
    assert {s for s, (code, _) in outcome.items() if code == 200} == open_to
    assert {a for s, (_, a) in outcome.items() if s not in {*open_to, "ON_HOLD"}} == {
        "unit.wrong_state"
    }
    assert outcome["ON_HOLD"] == (423, "unit.on_hold")


def test_defect_3_a_flash_without_readings_keeps_what_was_known(db: psycopg.Connection) -> None:
    sn = new_unit(db, None)
    flash(db, sn)
    flash(db, sn, p_fw_version=None, p_fw_build_hash="", p_hw_rev=None)
    row = unit_row(db, sn)
    assert (row["hw_rev"], row["fw_version"], row["fw_build_hash"]) == ("B", "fw-1.4.0", "abc123")


def test_defect_3_move_to_stock_needs_packed_and_happens_once(db: psycopg.Connection) -> None:
    variant(db)
    for status in set(STATUSES) - {"PACKED", "IN_FINISHED_STOCK"}:
        code, _ = attempt(db, "operator", "move_unit_to_stock", p_sn=to_status(db, status))
        assert code in (409, 423), status
    sn = to_status(db, "PACKED")
    first = call(db, "operator", "move_unit_to_stock", p_sn=sn)
    second = call(db, "operator", "move_unit_to_stock", p_sn=sn)
    assert (first["changed"], second["changed"]) == (True, False)
    assert ledger(db, "FX-DONE") == [("produce", Decimal(1))]


def test_defect_4_a_pass_does_not_survive_a_reflash(db: psycopg.Connection) -> None:
    variant(db)
    sn = to_status(db, "ASSEMBLED")
    scan_kit(db, sn)
    assert blockers(db, sn) == []
    flash(db, sn)
    answer = pack(db, sn)
    assert [b["code"] for b in answer["blockers"]] == ["NO_TEST_RUN"]
    assert (answer["status"], answer["hint"]) == (409, "unit.pack_blocked")
    assert status_of(db, sn) == "FLASHED"
    measure(db, sn)
    assert pack(db, sn)["allowed"] is True


def test_defect_4_a_pass_does_not_survive_a_second_assembly(db: psycopg.Connection) -> None:
    variant(db)
    sn = to_status(db, "ASSEMBLED")
    scan_kit(db, sn)
    call(db, "operator", "record_assembly", p_sn=sn)
    assert blockers(db, sn) == ["NO_TEST_RUN"]


def test_defect_4_gate_and_pack_are_one(db: psycopg.Connection, clone: Clone) -> None:
    """A test that fails while somebody packs: one waits for the other, and both agree."""
    variant(db)
    sn = to_status(db, "TEST_PASS")
    scan_kit(db, sn)
    with clone.connect() as other, ThreadPoolExecutor(1) as pool:
        with db.transaction():
            measure(db, sn, "FAIL")
            packing = pool.submit(pack, other, sn)
            blocked_by(db, packing)
        answer = packing.result(SECONDS)
    assert [b["code"] for b in answer["blockers"]] == ["TEST_NOT_PASS"]
    assert status_of(db, sn) == "FLASHED"


def test_defect_5_a_label_whose_agent_died_is_not_printed(db: psycopg.Connection) -> None:
    label_printer(db)
    variant(db, rules={"packaging": {"require_device_label": True}})
    (sn,) = make_units(db, request_labels=True)
    call(db, "operator", "assign_unit_variant", p_sn=sn, p_variant="FX-EU")
    to_status(db, "TEST_PASS", sn)
    scan_kit(db, sn)
    assert blockers(db, sn) == ["DEVICE_LABEL_NOT_PRINTED"], "asked for is not printed"
    taken = claim(db)
    assert taken is not None
    begin(db, taken)
    mark_sent(db, taken)
    sweep(db, "1 hour")
    assert blockers(db, sn) == ["DEVICE_LABEL_NOT_PRINTED"], "nobody knows whether it came out"
    seen = call(db, "operator", "scan", p_code=sn.lower())
    assert (seen["action"], seen["details"]["sn"]) == ("unit", sn)
    assert blockers(db, sn) == [], "somebody read it: it came out"


def test_defect_6_failed_flash_rework_and_scrap_exist(db: psycopg.Connection) -> None:
    variant(db)
    sn = to_status(db, "TEST_PASS")
    call(db, "operator", "record_flash", p_sn=sn, p_ok=False)
    assert status_of(db, sn) == "FLASHED", "a failed flash may have left anything"
    call(db, "operator", "send_to_rework", p_sn=sn, p_reason="dead")
    call(db, "technician", "scrap_unit", p_sn=sn, p_reason="dead")
    assert unit_events(db, sn)[-3:] == ["unit.flash_failed", "unit.reworked", "unit.scrapped"]


def test_defect_6_nobody_reads_without_signing_in(db: psycopg.Connection) -> None:
    open_to = db.execute(
        "select c.relname from pg_catalog.pg_class c, aclexplode(c.relacl) a"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')"
        " and a.grantee in ('anon'::regrole, 0)"
    ).fetchall()
    assert open_to == []


def test_defect_7_the_finished_item_is_that_of_the_variant(db: psycopg.Connection) -> None:
    variant(db)
    call(db, "planner", "upsert_item", p_sku="GOLD", p_title="Gold")
    sn = to_status(db, "PACKED")
    assert attempt(db, "operator", "move_unit_to_stock", p_sn=sn, p_finished_item="GOLD") == (
        422,
        "unit.wrong_item",
    )
    call(db, "operator", "move_unit_to_stock", p_sn=sn, p_finished_item="fx-done")
    assert (int(on_hand(db, "FX-DONE")), int(on_hand(db, "GOLD"))) == (1, 0)
