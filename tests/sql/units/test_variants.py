"""Variants, versioned rules and kits; versions and ranges as npm reads them."""

from __future__ import annotations

import itertools
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.databases import Clone
from tests.support.printing import attempt
from tests.support.rpc import Refused, call
from tests.support.units import (
    blockers,
    kit,
    new_unit,
    pack,
    put_rules,
    scan_kit,
    to_status,
    variant,
)


def test_rules_are_drafts_until_they_are_put_in_force(db: psycopg.Connection) -> None:
    variant(db)
    sn = to_status(db, "TEST_PASS")
    scan_kit(db, sn)
    draft = call(
        db, "planner", "save_variant_rules",
        p_variant="FX-EU", p_rules={"allowed_hw_revs": ["C"]}, p_note="new board",
    )  # fmt: skip
    assert (draft["version"], draft["is_active"]) == (2, False)
    assert blockers(db, sn) == []
    call(db, "planner", "activate_variant_rules", p_variant="FX-EU", p_version=2)
    assert blockers(db, sn) == ["HW_REV_NOT_ALLOWED"]
    call(db, "planner", "activate_variant_rules", p_variant="FX-EU", p_version=1)
    assert blockers(db, sn) == [], "an older version can be in force again"
    assert attempt(db, "planner", "activate_variant_rules", p_variant="FX-EU", p_version=9) == (
        404,
        "rules.unknown",
    )


def test_preview_says_who_would_newly_fail_and_why(db: psycopg.Connection) -> None:
    variant(db)
    good, other = to_status(db, "TEST_PASS"), to_status(db, "TEST_PASS")
    scan_kit(db, good)
    packed = to_status(db, "PACKED")
    preview = call(
        db, "planner", "preview_variant_rules",
        p_variant="FX-EU", p_rules={"firmware": {"range": ">=2"}},
    )  # fmt: skip
    assert (preview["units"], preview["pass_now"], preview["pass_then"]) == (2, 1, 0)
    assert [f["sn"] for f in preview["newly_failing"]] == [good, other]
    assert {b["code"] for f in preview["newly_failing"] for b in f["blockers"]} == {
        "FW_VERSION_POLICY_FAIL"
    }
    assert packed not in str(preview)
    put_rules(db, "FX-EU", {"firmware": {"range": ">=2"}})
    milder = call(db, "planner", "preview_variant_rules", p_variant="FX-EU", p_rules={})
    assert [f["sn"] for f in milder["newly_passing"]] == [good, other]


BAD_RULES: list[Any] = [
    {"unheard": 1},
    {"allowed_hw_revs": "B"},
    {"allowed_hw_revs": [""]},
    {"firmware": {"range": "newer"}},
    {"firmware": {"require_build_hash": "yes"}},
    {"firmware": {"prefix": "1."}},
    {"packaging": {"kit": True}},
    {"manual": {"language_set": "english"}},
    {"manual": {"min_insert_versions": {"manual": 3}}},
    {"required_tests": [{"test": "Final!"}]},
    {"required_tests": [{"test": "a"}, {"test": "a"}]},
    {"required_tests": [{"test": "a", "limits": {"v": {"min": 2, "max": 1}}}]},
    {"required_tests": [{"test": "a", "limits": {"v": 3}}]},
    {"required_components": [{"sku": "NOPE"}]},
    {"required_components": [{"sku": "FX-DONE", "quantity": 0}]},
    ["a"],
]


def test_rules_that_cannot_be_used_are_refused(db: psycopg.Connection) -> None:
    variant(db)
    for rules in BAD_RULES:
        for rpc in ("save_variant_rules", "preview_variant_rules"):
            refused = attempt(db, "planner", rpc, p_variant="FX-EU", p_rules=Jsonb(rules))
            assert refused == (422, "rules.invalid"), rules


def test_a_variant_is_edited_by_one_at_a_time(db: psycopg.Connection) -> None:
    variant(db)
    for arguments, refusal in (
        ({"p_version": 7}, (409, "variant.stale")),
        ({"p_sku": "NOPE"}, (404, "item.unknown")),
    ):
        assert attempt(db, "planner", "upsert_variant", p_code="FX-EU", **arguments) == refusal
    changed = call(db, "planner", "upsert_variant", p_code="FX-EU", p_title="EU", p_version=1)
    assert (changed["title"], changed["sku"], changed["version"]) == ("EU", "FX-DONE", 2)
    with pytest.raises(Refused) as refused:
        call(db, "planner", "upsert_variant", p_code="FX-EU", p_product_code="x")
    assert refused.value.constraint == "product_variants_product_code_check"


def test_kits(db: psycopg.Connection) -> None:
    variant(db)
    name = kit(db)
    kit(db, name, language_set="NL-EN", insert_versions={"manual": "3.1"})
    row = call(db, "planner", "set_kit_active", p_kit_id=name, p_is_active=False)
    assert (row["language_set"], row["is_active"]) == ("NL-EN", False)
    call(db, "planner", "set_kit_active", p_kit_id=name, p_is_active=True)
    assert attempt(db, "planner", "set_kit_active", p_kit_id="no", p_is_active=True) == (
        404,
        "kit.unknown",
    )
    sn = to_status(db, "TEST_PASS")
    scan_kit(db, sn, name)
    pack(db, sn)
    again = Jsonb([{"kit_id": name, "language_set": "EN", "variants": ["FX-EU"]}])
    assert attempt(db, "planner", "register_kits", p_kits=again) == (409, "kit.used")


BAD_KITS: list[Any] = [
    {},
    [],
    [{"kit_id": ""}],
    [{"kit_id": "K", "language_set": "dutch", "variants": []}],
    [{"kit_id": "K", "language_set": "NL", "variants": ["NOPE"]}],
    [{"kit_id": "K", "language_set": "NL", "variants": "FX-EU"}],
    [{"kit_id": "K", "language_set": "NL", "variants": [], "insert_versions": {"m": 3}}],
]


def test_kits_that_cannot_be_read(db: psycopg.Connection) -> None:
    for kits in BAD_KITS:
        refused = attempt(db, "planner", "register_kits", p_kits=Jsonb(kits))
        assert refused == (422, "kit.invalid"), kits


# node-semver's own examples, and the traps: 1.10 after 1.9, candidates before releases.
IN_RANGE = [
    ("1.2.3", "^1.2", True), ("2.0.0", "^1.2", False), ("2.0.0-rc.1", "^1.2", False),
    ("0.2.5", "^0.2.3", True), ("0.3.0", "^0.2.3", False), ("0.0.3", "^0.0.3", True),
    ("0.0.4", "^0.0.3", False), ("1.2.9", "~1.2.3", True), ("1.3.0", "~1.2.3", False),
    ("1.9.9", "~1", True), ("1.10.0", ">=1.9.0", True), ("1.9.0", ">=1.10.0", False),
    ("1.2.3", ">1.2.3", False), ("1.2.4", ">1.2.3", True), ("1.2.4", ">1.2", False),
    ("1.3.0", ">1.2", True), ("1.2.3", "<=1.2", True), ("1.3.0", "<=1.2", False),
    ("1.2.3", "1.2.x", True), ("1.3.0", "1.2.x", False), ("9.9.9", "*", True),
    ("1.5.0", ">=1.2.0 <2", True), ("2.0.0", ">= 1.2.0 < 2", False),
    ("2.1.0", "^1.2 || ^2.1", True), ("1.2.3", "1.2.3", True), ("v1.2.3", "=1.2.3", True),
    ("1.2.3+build.9", "1.2.3", True), ("1.2.3-rc.2", ">=1.2.3-rc.1", True),
    ("1.2.3-rc.1", ">=1.2.3-rc.2", False), ("1.2.4-rc.1", ">=1.2.3-rc.1", False),
    ("1.2.3-rc.10", ">1.2.3-rc.9", True), ("1.2.3-rc", "<1.2.3", False), ("1.2", "^1.2.0", True),
    ("fw-1.2", "^1.2", False), ("", "*", False), ("2.0.0-rc.1", "<2", False),
]  # fmt: skip


def test_versions_lie_in_ranges_as_in_npm(module_clone: Clone) -> None:
    with module_clone.connect() as db:
        wrong = [
            (version, wanted)
            for version, wanted, expected in IN_RANGE
            if db.execute("select private.in_range(%s, %s)", (version, wanted)).fetchone()
            != (expected,)
        ]
    assert wrong == []


def test_versions_sort_as_semver_says(module_clone: Clone) -> None:
    order = [
        "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
        "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2", "1.10.0", "2",
    ]  # fmt: skip
    with module_clone.connect() as db:
        for older, newer in itertools.pairwise(order):
            found = db.execute(
                "select private.version_less(%s, %s), private.version_less(%s, %s)",
                (older, newer, newer, older),
            ).fetchone()
            assert found == (True, False), (older, newer)


def test_a_unit_of_a_variant_without_rules_cannot_be_packed(db: psycopg.Connection) -> None:
    call(db, "planner", "upsert_variant", p_code="BARE")
    assert "VARIANT_NOT_FOUND" in blockers(db, new_unit(db, "BARE"))
