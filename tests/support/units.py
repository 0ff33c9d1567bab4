"""Variants, rules, kits and units in any status, made by the real commands."""

from __future__ import annotations

import itertools
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.support.printing import add_printer, route
from tests.support.rpc import call

Row = dict[str, Any]
STATUSES = (
    "CREATED", "FLASHED", "TEST_PASS", "ASSEMBLED", "PACKED", "IN_FINISHED_STOCK", "REWORK",
    "SCRAPPED", "ON_HOLD",
)  # fmt: skip
FIRMWARE = {"p_fw_version": "fw-1.4.0", "p_fw_build_hash": "abc123", "p_hw_rev": "B"}
_kits = itertools.count(1)


def variant(
    db: psycopg.Connection,
    code: str = "FX-EU",
    rules: Row | None = None,
    sku: str | None = "FX-DONE",
    **fields: Any,
) -> str:
    """A variant with rules in force (none asked for unless given) and its finished item."""
    if sku is not None:
        call(db, "planner", "upsert_item", p_sku=sku, p_title=sku, p_kind="finished_good")
    arguments = {f"p_{name}": value for name, value in fields.items()}
    call(db, "planner", "upsert_variant", p_code=code, p_title=code, p_sku=sku, **arguments)
    put_rules(db, code, rules or {})
    return code


def put_rules(db: psycopg.Connection, code: str, rules: Row) -> int:
    """Save rules and put them in force; their version."""
    saved = call(db, "planner", "save_variant_rules", p_variant=code, p_rules=rules)
    version = int(saved["version"])
    call(db, "planner", "activate_variant_rules", p_variant=code, p_version=version)
    return version


def kit(db: psycopg.Connection, kit_id: str | None = None, **fields: Any) -> str:
    """A kit in English for FX-EU; `fields` replace language_set, variants, insert_versions."""
    name = kit_id or f"KIT-{next(_kits)}"
    row = {"kit_id": name, "language_set": "EN", "variants": ["FX-EU"], **fields}
    call(db, "planner", "register_kits", p_kits=Jsonb([row]))
    return name


def make_units(db: psycopg.Connection, count: int = 1, **more: Any) -> list[str]:
    """Serials of new generic units, in order."""
    arguments = {f"p_{name}": value for name, value in more.items()}
    answer = call(db, "operator", "create_generic_units", p_count=count, **arguments)
    return list(answer["sns"])


def new_unit(db: psycopg.Connection, code: str | None = "FX-EU") -> str:
    """One unit, with a variant unless `code` is None."""
    (sn,) = make_units(db)
    if code is not None:
        call(db, "operator", "assign_unit_variant", p_sn=sn, p_variant=code)
    return sn


def flash(db: psycopg.Connection, sn: str, **changes: Any) -> Row:
    return dict(call(db, "operator", "record_flash", p_sn=sn, **{**FIRMWARE, **changes}))


def measure(db: psycopg.Connection, sn: str, result: str = "PASS", **more: Any) -> Row:
    """A result of the fixture; `more` without their p_."""
    arguments = {f"p_{name}": value for name, value in more.items()}
    answer = call(db, "fixture", "record_test_result", p_sn=sn, p_result=result, **arguments)
    return dict(answer)


def scan_kit(db: psycopg.Connection, sn: str, kit_id: str | None = None) -> str:
    """Scan a kit (a fresh one unless named) for the unit; its id."""
    name = kit_id or kit(db)
    call(db, "operator", "scan_pack_kit", p_sn=sn, p_kit_id=name)
    return name


def pack(db: psycopg.Connection, sn: str, who: str = "operator", **more: Any) -> Row:
    """The answer of the gate, open or closed."""
    return dict(call(db, who, "finalize_pack", p_sn=sn, **more))


def to_status(db: psycopg.Connection, status: str, sn: str | None = None) -> str:
    """A unit of FX-EU in a status, by its commands; the variant is there already."""
    unit = sn or new_unit(db)
    steps = ("CREATED", "FLASHED", "TEST_PASS", "ASSEMBLED", "PACKED", "IN_FINISHED_STOCK")
    if status in ("REWORK", "SCRAPPED", "ON_HOLD"):
        flash(db, unit)
        rpc = {"REWORK": "send_to_rework", "SCRAPPED": "scrap_unit", "ON_HOLD": "hold_unit"}
        call(db, "supervisor", rpc[status], p_sn=unit, p_reason="for a test")
        return unit
    for step in steps[1 : steps.index(status) + 1]:
        if step == "FLASHED":
            flash(db, unit)
        elif step == "TEST_PASS":
            measure(db, unit)
        elif step == "ASSEMBLED":
            call(db, "operator", "record_assembly", p_sn=unit)
        elif step == "PACKED":
            scan_kit(db, unit)
            answer = pack(db, unit)
            assert answer["allowed"], answer["blockers"]
        else:
            call(db, "operator", "move_unit_to_stock", p_sn=unit)
    return unit


def unit_row(db: psycopg.Connection, sn: str) -> Row:
    row = db.execute("select to_jsonb(u) from public.units u where u.sn = %s", (sn,)).fetchone()
    assert row is not None
    return dict(row[0])


def status_of(db: psycopg.Connection, sn: str) -> str:
    return str(unit_row(db, sn)["status"])


def blockers(db: psycopg.Connection, sn: str) -> list[str]:
    """Codes of the gate as it is now, in order."""
    gate = call(db, "operator", "check_pack_gate", p_sn=sn)
    assert gate["allowed"] == (gate["blockers"] == [])
    return [b["code"] for b in gate["blockers"]]


def unit_events(db: psycopg.Connection, sn: str) -> list[str]:
    """Names of the unit's events, oldest first."""
    rows = db.execute(
        "select event from public.events where stream = 'unit' and stream_id = %s order by id",
        (sn,),
    ).fetchall()
    return [row[0] for row in rows]


def label_printer(db: psycopg.Connection) -> None:
    """A printer that takes device labels."""
    add_printer(db, "prn-unit")
    route(db, "prn-unit", label_type="unit_device")


def populate_units(db: psycopg.Connection) -> None:
    """A packed unit in a box, with its rules, kit and measured test: a row in every table."""
    variant(db, rules={"allowed_hw_revs": ["B"]})
    sn = to_status(db, "FLASHED")
    measure(db, sn, metrics={"vbat": 3.7})
    scan_kit(db, sn)
    assert pack(db, sn)["allowed"]
    box = call(db, "operator", "create_box")["box"]["code"]
    call(db, "operator", "put_in_box", p_box=box, p_what=sn)
