"""The pack gate: every blocker alone and in all pairs, its order, and what each says."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.databases import Clone
from tests.support.printing import begin, claim, confirm, mark_sent
from tests.support.rpc import call
from tests.support.units import (
    blockers,
    flash,
    kit,
    label_printer,
    make_units,
    measure,
    new_unit,
    pack,
    put_rules,
    scan_kit,
    to_status,
    unit_row,
    variant,
)

ORDER = (
    "UNIT_NOT_ASSIGNED", "VARIANT_NOT_FOUND", "NO_TEST_RUN", "TEST_NOT_PASS", "HW_REV_UNKNOWN",
    "HW_REV_NOT_ALLOWED", "FW_VERSION_POLICY_FAIL", "FW_BUILD_HASH_MISSING",
    "PACK_KIT_NOT_SCANNED", "PACK_KIT_INVALID", "PACK_KIT_WRONG_VARIANT",
    "DEVICE_LABEL_NOT_PRINTED", "MANUAL_LANGUAGE_MISMATCH", "MANUAL_VERSION_OUTDATED",
    "UNIT_ON_HOLD", "COMPONENT_ON_HOLD", "COMPONENT_MISSING", "KIT_ALREADY_USED",
)  # fmt: skip
# What cannot be at once: a unit without a variant has no rules, a kit that was not scanned or may
# not be used is not looked into.
_BY_RULE = {
    "VARIANT_NOT_FOUND", "HW_REV_NOT_ALLOWED", "FW_VERSION_POLICY_FAIL", "FW_BUILD_HASH_MISSING",
    "PACK_KIT_WRONG_VARIANT", "DEVICE_LABEL_NOT_PRINTED", "MANUAL_LANGUAGE_MISMATCH",
    "MANUAL_VERSION_OUTDATED", "COMPONENT_MISSING",
}  # fmt: skip
_IN_KIT = {"PACK_KIT_WRONG_VARIANT", "MANUAL_LANGUAGE_MISMATCH", "MANUAL_VERSION_OUTDATED"}
IMPOSSIBLE = {
    frozenset({"HW_REV_UNKNOWN", "HW_REV_NOT_ALLOWED"}),
    frozenset({"PACK_KIT_NOT_SCANNED", "PACK_KIT_INVALID"}),
    frozenset({"PACK_KIT_NOT_SCANNED", "KIT_ALREADY_USED"}),
    *(frozenset({"UNIT_NOT_ASSIGNED", code}) for code in _BY_RULE),
    *(frozenset({"PACK_KIT_NOT_SCANNED", code}) for code in _IN_KIT),
    *(frozenset({"PACK_KIT_INVALID", code}) for code in _IN_KIT),
}
PAIRS = [p for p in itertools.combinations(ORDER, 2) if frozenset(p) not in IMPOSSIBLE]
RULES = {
    "allowed_hw_revs": ["A", "B"],
    "firmware": {"required_prefix": "1.", "range": ">=1.2.0 <2", "require_build_hash": True},
    "packaging": {"require_device_label": True},
    "manual": {"min_insert_versions": {"manual": "2.0"}},
    "required_tests": [
        {"test": "final", "limits": {"vbat": {"min": 3.0, "max": 4.2, "unit": "V"}}},
        {"test": "safety"},
    ],
    "required_components": [{"sku": "SCREW", "quantity": 2}],
}


@pytest.fixture(scope="module")
def plant(module_clone: Clone) -> Iterator[psycopg.Connection]:
    """Two variants, and a unit with a printed label; the tests roll back what they do."""
    with module_clone.connect() as db:
        label_printer(db)
        for sku in ("SCREW", "CELL"):
            call(db, "planner", "upsert_item", p_sku=sku, p_title=sku)
        call(db, "operator", "upsert_lot", p_sku="CELL", p_code="L-1")
        variant(db, "FX-EU", RULES)
        variant(db, "FX-NL", sku=None, language_set="NL")
        make_units(db, request_labels=True)
        taken = claim(db)
        assert taken is not None
        begin(db, taken)
        mark_sent(db, taken)
        confirm(db, taken)
        to_status(db, "TEST_PASS", new_unit(db, "FX-NL"))  # to pack a kit before somebody else
        yield db


def build(db: psycopg.Connection, broken: set[str]) -> str:
    """A unit whose gate is closed by exactly these; its serial."""
    bare = "DEVICE_LABEL_NOT_PRINTED" in broken
    (labelled,) = db.execute("select min(sn) from public.units").fetchone() or ("",)
    sn = make_units(db)[0] if bare else labelled
    if "UNIT_NOT_ASSIGNED" not in broken:
        call(db, "operator", "assign_unit_variant", p_sn=sn, p_variant="FX-EU")
    flash(
        db,
        sn,
        p_fw_version="2.0.0" if "FW_VERSION_POLICY_FAIL" in broken else "1.4.0",
        p_fw_build_hash=None if "FW_BUILD_HASH_MISSING" in broken else "abc",
        p_hw_rev={"HW_REV_UNKNOWN": None, "HW_REV_NOT_ALLOWED": "Z"}.get(
            next((c for c in broken if c.startswith("HW_")), ""), "B"
        ),
    )
    _install(db, sn, broken)
    _test(db, sn, broken)
    if "PACK_KIT_NOT_SCANNED" not in broken:
        _kit(db, sn, broken)
    if "UNIT_ON_HOLD" in broken:
        call(db, "supervisor", "hold_unit", p_sn=sn, p_reason="a scratch")
    if "VARIANT_NOT_FOUND" in broken:
        call(db, "planner", "upsert_variant", p_code="FX-EU", p_is_active=False)
    return sn


def _install(db: psycopg.Connection, sn: str, broken: set[str]) -> None:
    screws = 1 if "COMPONENT_MISSING" in broken else 2
    call(db, "operator", "install_component", p_sn=sn, p_sku="SCREW", p_quantity=screws)
    if "COMPONENT_ON_HOLD" in broken:
        call(db, "operator", "install_component", p_sn=sn, p_sku="CELL", p_lot="L-1")
        call(db, "supervisor", "hold_lot", p_code="L-1", p_reason="swollen")


def _test(db: psycopg.Connection, sn: str, broken: set[str]) -> None:
    if "NO_TEST_RUN" not in broken:
        measure(db, sn, metrics=Jsonb({"vbat": {"value": 3.7, "unit": "V"}}))
    if not broken >= {"NO_TEST_RUN", "UNIT_NOT_ASSIGNED"}:
        measure(db, sn, "FAIL" if "TEST_NOT_PASS" in broken else "PASS", test="safety")


def _kit(db: psycopg.Connection, sn: str, broken: set[str]) -> None:
    """A kit that is wrong in these ways; another variant has packed it before when used."""
    language = "NL" if "MANUAL_LANGUAGE_MISMATCH" in broken else "NL-EN"
    name = kit(
        db,
        language_set=language,
        variants=["FX-NL"] if "PACK_KIT_WRONG_VARIANT" in broken else ["FX-NL", "FX-EU"],
        insert_versions={"manual": "1.9" if "MANUAL_VERSION_OUTDATED" in broken else "2.0"},
    )
    if "KIT_ALREADY_USED" in broken:
        (other,) = db.execute(
            "select sn from public.units where variant_code = 'FX-NL'"
        ).fetchone() or ("",)
        scan_kit(db, other, name)
        assert pack(db, other)["allowed"]
    scan_kit(db, sn, name)
    if "PACK_KIT_INVALID" in broken:
        call(db, "planner", "set_kit_active", p_kit_id=name, p_is_active=False)


def expect(db: psycopg.Connection, *codes: str) -> None:
    """The gate has exactly these blockers, in order, and the pack is refused with them."""
    with db.transaction(force_rollback=True):
        sn = build(db, set(codes))
        assert blockers(db, sn) == [c for c in ORDER if c in codes]
        answer = pack(db, sn)
        assert answer["allowed"] is (codes == ())
        assert [b["code"] for b in answer["blockers"]] == [c for c in ORDER if c in codes]
        for blocker in answer["blockers"]:
            assert set(blocker) == {"code", "message", "next_action", "target"}
            assert blocker["message"].endswith(".")
            assert blocker["next_action"]
            assert blocker["target"]["page"]


def test_the_gate_is_open_when_nothing_is_wrong(plant: psycopg.Connection) -> None:
    expect(plant)


@pytest.mark.parametrize("code", ORDER)
def test_each_blocker_alone(plant: psycopg.Connection, code: str) -> None:
    expect(plant, code)


def test_all_pairs(plant: psycopg.Connection) -> None:
    for pair in PAIRS:
        try:
            expect(plant, *pair)
        except AssertionError as error:
            raise AssertionError(f"{pair}: {error}") from None
    assert len(PAIRS) == 153 - len(IMPOSSIBLE)


def test_many_at_once_come_together(plant: psycopg.Connection) -> None:
    expect(
        plant, *(set(ORDER) - {"UNIT_NOT_ASSIGNED", "HW_REV_UNKNOWN", "PACK_KIT_NOT_SCANNED",
                               "PACK_KIT_INVALID"})
    )  # fmt: skip


def test_an_unknown_unit_stands_alone(plant: psycopg.Connection) -> None:
    assert blockers(plant, "2611-GN-99999") == ["UNIT_NOT_FOUND"]
    with plant.transaction(force_rollback=True):
        answer = pack(plant, "nonsense")
        assert (answer["status"], answer["allowed"]) == (409, False)
        assert [b["code"] for b in answer["blockers"]] == ["UNIT_NOT_FOUND"]


def test_a_refusal_is_an_http_409_and_is_remembered(plant: psycopg.Connection) -> None:
    with plant.transaction(force_rollback=True):
        sn = build(plant, {"NO_TEST_RUN", "HW_REV_UNKNOWN"})
        pack(plant, sn)
        status = plant.execute("select current_setting('response.status')").fetchone()
        assert status == ("409",)
        plant.execute("reset role")
        event = plant.execute(
            "select event_type, payload -> 'allowed', payload -> 'codes' from public.unit_events"
            " where sn = %s order by id desc limit 1",
            (sn,),
        ).fetchone()
        assert event == ("PACK_FINALIZED", False, ["NO_TEST_RUN", "HW_REV_UNKNOWN"])


def test_the_gate_says_what_it_expects(plant: psycopg.Connection) -> None:
    with plant.transaction(force_rollback=True):
        sn = build(plant, {"NO_TEST_RUN"})
        expected = pack(plant, sn)["expected"]
        assert expected["firmware_policy"] == RULES["firmware"]
        assert expected["variant"]["code"] == "FX-EU"
        assert expected["packaging_kit"]["required"] is True


def test_a_kit_is_not_asked_where_none_is_required(plant: psycopg.Connection) -> None:
    with plant.transaction(force_rollback=True):
        put_rules(plant, "FX-EU", RULES | {"packaging": {"kit_required": False}})
        sn = build(plant, {"PACK_KIT_NOT_SCANNED"})
        assert pack(plant, sn)["allowed"] is True


def test_stricter_limits_hold_for_what_was_measured_before(plant: psycopg.Connection) -> None:
    with plant.transaction(force_rollback=True):
        sn = build(plant, set())
        limits = {"vbat": {"min": 3.8, "max": 4.2, "unit": "V"}}
        put_rules(plant, "FX-EU", RULES | {"required_tests": [{"test": "final", "limits": limits}]})
        assert blockers(plant, sn) == ["TEST_NOT_PASS"]


def test_a_build_must_be_exactly_this_one(plant: psycopg.Connection) -> None:
    with plant.transaction(force_rollback=True):
        sn = build(plant, set())
        put_rules(plant, "FX-EU", RULES | {"firmware": {"build_hash": "def"}})
        assert blockers(plant, sn) == ["FW_VERSION_POLICY_FAIL"]


def test_a_unit_that_was_packed_stays_packed(plant: psycopg.Connection) -> None:
    with plant.transaction(force_rollback=True):
        sn = build(plant, set())
        first = pack(plant, sn)
        call(plant, "planner", "upsert_variant", p_code="FX-EU", p_is_active=False)
        again = pack(plant, sn)
        assert (first["changed"], again["changed"], again["allowed"]) == (True, False, True)
        assert unit_row(plant, sn)["status"] == "PACKED"
