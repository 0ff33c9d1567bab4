"""A day on the line: 500 units; labels, yields, events, kits and stock are what the oracle says."""

from __future__ import annotations

from collections import Counter
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.sql.inventory.stock import levels
from tests.sql.units.oracle import Kit, Plant, Unit
from tests.support.printing import act, begin, claim, confirm, mark_sent, steps
from tests.support.rpc import acting_as, call
from tests.support.units import label_printer, make_units, unit_events, unit_row, variant

Row = dict[str, Any]
UNITS, TRAY, PER_JOB = 500, 25, 10
FAILS = set(range(7, UNITS, 20))  # five percent fail their first test
LOST = {n for n in FAILS if n % 5 == 2 and n > 300}  # and of those some are beyond repair
UNSEEN = UNITS // PER_JOB - 1  # of the labels of the last job nobody knows whether they came out
RULES = {
    "allowed_hw_revs": ["B"],
    "firmware": {"required_prefix": "1."},
    "packaging": {"require_device_label": True},
    "required_tests": [{"test": "final", "limits": {"vbat": {"min": 3}}}],
}


class Day:
    """The line and the oracle side by side; a tray of units passes a station in one go."""

    def __init__(self, db: psycopg.Connection) -> None:
        self.db = db
        self.kits = [f"KIT-{n:04}" for n in range(UNITS)]
        rows = [{"kit_id": k, "language_set": "EN", "variants": ["FX-EU"]} for k in self.kits]
        call(db, "planner", "register_kits", p_kits=Jsonb(rows))
        self.sns = make_units(db, UNITS, request_labels=True)
        self.plant = Plant(UNITS, {k: Kit("FX-EU") for k in self.kits})
        self.events = Counter({"unit.created": UNITS})

    def station(
        self, who: str, rpc: str, event: str, units: list[Unit], *each: Row, **same: Any
    ) -> list[Any]:
        """One call per unit, in one transaction; `each` is what differs. The answers."""
        given = [
            {"p_sn": self.sns[u.number], **same, **(each[n] if each else {})}
            for n, u in enumerate(units)
        ]
        if not given:
            return []
        named = sql.SQL(", ").join(sql.SQL("{0} => %({0})s").format(sql.SQL(k)) for k in given[0])
        ask = sql.SQL("select to_jsonb(answer) from public.{}({}) answer").format(
            sql.Identifier(rpc), named
        )
        self.events[event] += len(given)
        answers = []
        with acting_as(self.db, who), self.db.cursor() as cursor:
            cursor.executemany(ask, given, returning=True)
            while True:
                answers += [row[0] for row in cursor.fetchall()]
                if not cursor.nextset():
                    return answers

    def flash(self, units: list[Unit]) -> None:
        self.station(
            "operator", "record_flash", "unit.flashed", units, p_fw_version="1.4", p_hw_rev="B"
        )  # fmt: skip
        for unit in units:
            self.plant.flash(unit, True, "1.4", "B")

    def test(self, units: list[Unit], volts: dict[int, float]) -> None:
        each = [{"p_metrics": Jsonb({"vbat": volts.get(u.number, 3.7)})} for u in units]
        answers = self.station(
            "fixture", "record_test_result", "unit.tested", units, *each, p_result="PASS"
        )  # fmt: skip
        for unit, answer in zip(units, answers, strict=True):
            result = "FAIL" if volts.get(unit.number, 3.7) < 3 else "PASS"
            assert answer["result"] == result, "the limit decides, not what the fixture claims"
            self.plant.test(unit, result, None)

    def repair(self, units: list[Unit]) -> None:
        """What failed: some is lost, the rest passes after rework."""
        lost = [u for u in units if u.number in LOST]
        rest = [u for u in units if u.number in FAILS - LOST]
        self.station("technician", "scrap_unit", "unit.scrapped", lost, p_reason="burnt")
        self.station("technician", "send_to_rework", "unit.reworked", rest, p_reason="low")
        for unit in lost:
            self.plant.scrap(unit)
        for unit in rest:
            self.plant.rework(unit)
        self.flash(rest)
        self.test(rest, {})

    def finish(self, units: list[Unit]) -> None:
        self.station("operator", "record_assembly", "unit.assembled", units)
        each = [{"p_kit_id": self.kits[u.number]} for u in units]
        self.station("operator", "scan_pack_kit", "unit.kit_scanned", units, *each)
        for unit in units:
            self.plant.assemble(unit)
            self.plant.scan_kit(unit, self.kits[unit.number])
        self.read_unseen(self.pack(units))
        assert self.station("operator", "move_unit_to_stock", "unit.moved_to_stock", units)
        for unit in units:
            self.plant.to_stock(unit)

    def pack(self, units: list[Unit]) -> list[Unit]:
        """Whoever the gate refuses lacks a label that anybody has seen; those are answered."""
        blocked = []
        answers = self.station("operator", "finalize_pack", "unit.packed", units)
        for unit, answer in zip(units, answers, strict=True):
            if answer["allowed"]:
                assert self.plant.pack(unit) == []
            else:
                assert [b["code"] for b in answer["blockers"]] == ["DEVICE_LABEL_NOT_PRINTED"]
                blocked.append(unit)
        self.events["unit.packed"] -= len(blocked)
        self.events["unit.pack_refused"] += len(blocked)
        return blocked

    def read_unseen(self, blocked: list[Unit]) -> None:
        """Somebody reads the labels of which nothing was known: they came out."""
        for unit in blocked:
            assert unit.number // PER_JOB == UNSEEN
            call(self.db, "operator", "scan", p_code=self.sns[unit.number])
            self.events["unit.scanned"] += 1
        assert self.pack(blocked) == []


def test_a_day_adds_up(db: psycopg.Connection) -> None:
    label_printer(db)
    variant(db, rules=RULES)
    day = Day(db)
    jobs = _print_everything(db)
    for first in range(0, UNITS, TRAY):
        tray = day.plant.units[first : first + TRAY]
        day.station("operator", "assign_unit_variant", "unit.variant_assigned", tray,
                    p_variant="FX-EU")  # fmt: skip
        for unit in tray:
            day.plant.assign(unit, "FX-EU")
        day.flash(tray)
        day.test(tray, dict.fromkeys(FAILS, 2.5))
        day.repair(tray)
        day.finish([u for u in tray if u.status != "SCRAPPED"])
    _units_agree(db, day)
    _books_agree(db, day)
    _labels_agree(db, jobs)


def _print_everything(db: psycopg.Connection) -> list[Row]:
    """The agent carries every label to the printer; once the line breaks before the answer."""
    counter, jobs = 100, []
    while (taken := claim(db)) is not None:
        begin(db, taken, counter)
        mark_sent(db, taken)
        counter += taken["labels"]
        if len(jobs) == UNSEEN:
            act(db, "print_unknown", taken, p_reason="the line broke")
        else:
            confirm(db, taken, counter)
        jobs.append(taken)
    assert counter == 100 + UNITS, "the printer's own counter"
    return jobs


def _units_agree(db: psycopg.Connection, day: Day) -> None:
    found = dict(db.execute("select sn, status::text from public.units").fetchall())
    assert found == {sn: u.status for sn, u in zip(day.sns, day.plant.units, strict=True)}
    assert Counter(found.values()) == {
        "IN_FINISHED_STOCK": UNITS - len(LOST), "SCRAPPED": len(LOST),
    }  # fmt: skip
    events = db.execute(
        "select event, count(*) from public.events where stream = 'unit' group by 1"
    )
    assert dict(events.fetchall()) == day.events
    sample = min(FAILS - LOST)
    assert unit_events(db, day.sns[sample]) == [
        "unit.created", "unit.variant_assigned", "unit.flashed", "unit.tested", "unit.reworked",
        "unit.flashed", "unit.tested", "unit.assembled", "unit.kit_scanned", "unit.packed",
        "unit.moved_to_stock",
    ]  # fmt: skip
    assert unit_row(db, day.sns[sample])["build_no"] == day.plant.units[sample].build


def _books_agree(db: psycopg.Connection, day: Day) -> None:
    """Stock, kits and first-pass yield."""
    stock = levels(db, "FX-DONE")
    assert (stock["on_hand"], stock["held"]) == (day.plant.stock, 0)
    runs = [run for u in day.plant.units for run in u.runs]
    first = [u.runs[0][1] for u in day.plant.units]
    (told,) = call(db, "viewer", "get_yield", p_test="final")
    assert (told["units"], told["passed"]) == (UNITS, first.count("PASS"))
    assert told["first_pass_yield"] == 0.95
    assert (told["runs"], told["runs_passed"]) == (
        len(runs), sum(result == "PASS" for _, result in runs),
    )  # fmt: skip
    kits = db.execute("select kit_id, used_by_sn from public.packaging_kits").fetchall()
    used = {k: v.used_by for k, v in day.plant.kits.items()}
    assert dict(kits) == {k: None if n is None else day.sns[n] for k, n in used.items()}
    finished = call(db, "viewer", "get_finished_units", p_with_total=True)
    assert finished["total"] == day.plant.stock


def _labels_agree(db: psycopg.Connection, jobs: list[Row]) -> None:
    """Fifty jobs, each through the states of its kind, and every label printed once."""
    ways = Counter(" ".join(steps(db, taken["job_id"])) for taken in jobs)
    usual = "queued claimed sending sent printed"
    assert ways == {usual: UNITS // PER_JOB - 1, "queued claimed sending sent unknown printed": 1}
    labels = db.execute(
        "select state, count(*), count(distinct subject) from public.print_job_labels group by 1"
    ).fetchall()
    assert labels == [("printed", UNITS, UNITS)]
