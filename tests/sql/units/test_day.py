"""A day on the line: labels, yields, events and stock add up at its end."""

from __future__ import annotations

from collections import Counter

import psycopg
from psycopg.types.json import Jsonb

from tests.sql.inventory.stock import on_hand
from tests.support.printing import begin, claim, confirm, mark_sent
from tests.support.rpc import call
from tests.support.units import (
    flash,
    label_printer,
    make_units,
    measure,
    pack,
    status_of,
    unit_events,
    variant,
)

UNITS = 100
FAILS = {7, 23, 50, 66, 91}  # five percent fail their first test; the last one is beyond repair


def test_a_day_adds_up(db: psycopg.Connection) -> None:
    label_printer(db)
    variant(
        db,
        rules={
            "packaging": {"require_device_label": True},
            "required_tests": [{"test": "final", "limits": {"vbat": {"min": 3}}}],
        },
    )
    kits = [
        {"kit_id": f"KIT-{n:04}", "language_set": "EN", "variants": ["FX-EU"]} for n in range(UNITS)
    ]
    call(db, "planner", "register_kits", p_kits=Jsonb(kits))
    sns = make_units(db, UNITS, request_labels=True)
    _print_everything(db)
    for number, sn in enumerate(sns):
        _make(db, number, sn)

    lost = max(FAILS)
    good = UNITS - 1
    assert on_hand(db, "FX-DONE") == good
    states = Counter(row[0] for row in db.execute("select status::text from public.units"))
    assert states == {"IN_FINISHED_STOCK": good, "SCRAPPED": 1}
    assert status_of(db, sns[lost]) == "SCRAPPED"
    (day,) = call(db, "viewer", "get_yield", p_test="final")
    assert (day["units"], day["passed"]) == (UNITS, UNITS - len(FAILS))
    assert (day["runs"], day["runs_passed"]) == (UNITS + len(FAILS) - 1, good)
    used = db.execute("select count(*) from public.packaging_kits where used_by_sn is not null")
    assert used.fetchone() == (good,)
    labels = db.execute("select state, count(*) from public.print_job_labels group by 1")
    assert labels.fetchall() == [("printed", UNITS)]
    assert unit_events(db, sns[23]) == [
        "unit.created", "unit.variant_assigned", "unit.flashed", "unit.tested", "unit.reworked",
        "unit.flashed", "unit.tested", "unit.assembled", "unit.kit_scanned", "unit.packed",
        "unit.moved_to_stock",
    ]  # fmt: skip
    finished = call(db, "viewer", "get_finished_units", p_with_total=True)
    assert finished["total"] == good


def _print_everything(db: psycopg.Connection) -> None:
    """The agent carries every label to the printer, ten to a job."""
    counter = 100
    while (taken := claim(db)) is not None:
        begin(db, taken, counter)
        mark_sent(db, taken)
        counter += taken["labels"]
        confirm(db, taken, counter)


def _make(db: psycopg.Connection, number: int, sn: str) -> None:
    """One unit along the line; some fail, one for good."""
    call(db, "operator", "assign_unit_variant", p_sn=sn, p_variant="FX-EU")
    flash(db, sn)
    vbat = 2.5 if number in FAILS else 3.7
    tested = measure(db, sn, metrics={"vbat": vbat})
    assert tested["result"] == ("FAIL" if number in FAILS else "PASS")
    if number == max(FAILS):
        call(db, "technician", "scrap_unit", p_sn=sn, p_reason="short circuit")
        return
    if number in FAILS:
        call(db, "technician", "send_to_rework", p_sn=sn, p_reason="low voltage")
        flash(db, sn)
        measure(db, sn, metrics={"vbat": 3.6})
    call(db, "operator", "record_assembly", p_sn=sn)
    call(db, "operator", "scan_pack_kit", p_sn=sn, p_kit_id=f"KIT-{number:04}")
    answer = pack(db, sn)
    assert answer["allowed"], answer["blockers"]
    call(db, "operator", "move_unit_to_stock", p_sn=sn)
