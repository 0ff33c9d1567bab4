"""Worked examples from a file, and how what Takt says is held against them."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sql.kpi.reading import PERCENT, UNITS, Numbers

FIXTURES = Path(__file__).parents[2] / "fixtures" / "oee"
FIXTURE = FIXTURES / "oee_cases.json"
MORE = FIXTURES / "more_cases.json"


@dataclass(frozen=True)
class Case:
    """`provenance` says how far the expected numbers can be trusted."""

    id: str
    inputs: Numbers
    expected: Numbers
    category: str = ""
    provenance: str = "unknown"
    tolerance: float = 1e-9

    @property
    def is_wrong(self) -> bool:
        """The source claims something false: a negative control."""
        return "wrong" in self.provenance or any(_is_claim(name) for name in self.expected)

    @property
    def is_about_a_scan(self) -> bool:
        return self.category == "barcode" or "scan" in self.inputs

    @property
    def claimed(self) -> Numbers:
        """What must not come out: `claimed_…`, else what stands beside a `correct_…` or alone."""
        named = {n: v for n, v in self.expected.items() if _is_claim(n)}
        if named:
            return {_claimed_name(n): v for n, v in named.items()}
        right = {n.split("_", 1)[1] for n in self.expected if RIGHT.match(n)}
        return {n: v for n, v in self.expected.items() if (n in right if right else True)}

    @property
    def stated(self) -> Numbers:
        """What has to come out."""
        right = {n.split("_", 1)[1]: v for n, v in self.expected.items() if RIGHT.match(n)}
        if not self.is_wrong:
            return self.expected
        if any(_is_claim(n) for n in self.expected):
            return {n: v for n, v in self.expected.items() if not _is_claim(n)} | right
        return right


RIGHT = re.compile(r"(correct|right|true|truth)_")


def _is_claim(name: str) -> bool:
    return name.startswith("claimed") or "wrong" in name.split("_")


def _claimed_name(name: str) -> str:
    words = [w for w in name.split("_") if w not in ("claimed", "by", "readme", "wrong", "source")]
    return "_".join(words) or "oee"


def load(path: Path | None = None) -> list[Case]:
    """All cases of a file, else of TAKT_KPI_CASES, else of the fixture."""
    path = path or Path(os.environ.get("TAKT_KPI_CASES") or FIXTURE)
    rows = json.loads(path.read_text("utf-8"))
    rows = rows["cases"] if isinstance(rows, dict) else rows
    by_id = {row["id"]: row["inputs"] for row in rows}
    return [_case(row, by_id) for row in rows if row.get("inputs") and row.get("expected")]


def _case(row: Numbers, by_id: dict[str, Numbers]) -> Case:
    names = ("id", "category", "provenance", "inputs", "expected", "tolerance")
    given = {name: row[name] for name in names if row.get(name) is not None}
    columns = given["inputs"].get("columns")
    given["inputs"] = {n: _plain(v, by_id, columns) for n, v in given["inputs"].items()}
    return Case(**given)


def _plain(value: Any, by_id: dict[str, Numbers], columns: list[str] | None) -> Any:
    """Numbers by name as a list of them, ids of other cases as what those give, rows of a table
    that tells no instants as parts."""
    if isinstance(value, dict) and all(isinstance(one, int | float) for one in value.values()):
        return list(value.values())
    if not isinstance(value, list) or not value:
        return value
    if all(isinstance(one, str) for one in value) and set(value) <= set(by_id):
        return [by_id[one] for one in value]
    told = re.compile(r"(^|_)(time|at|state|status|from|to|start|end|duration)(_|$)")
    is_table = columns and not any(told.search(column) for column in columns)
    if is_table and all(isinstance(one, list) and len(one) == len(columns or []) for one in value):
        return [dict(zip(columns or [], one, strict=True)) for one in value]
    return value


def differences(case: Case, actual: Numbers) -> list[str]:
    """Expected values that the actual ones miss by more than the tolerance."""
    wrong = []
    unit = case.inputs.get("unit", "min")
    for name, value in case.stated.items():
        if not_ours(name):
            continue
        got, expected = look_up(name, actual, unit), value
        if isinstance(value, dict):
            inner = got if isinstance(got, dict) else actual
            expected = {n: one for n, one in value.items() if not not_ours(n)}
            got = {n: look_up(n, inner, unit) for n in expected}
        elif name.endswith("availability_pct") and isinstance(value, list):
            # A table of percentages prints 0/0 as 0.
            got = [0 if g is None and e == 0 else g for e, g in zip(value, got, strict=False)]
        if not close(expected, got, case.tolerance):
            wrong.append(f"{name}: {got}, expected {expected}")
    return wrong


# Expected values that no RPC gives: what a source shows instead of a null, the defects that it
# warns of, names of columns.
NOT_OURS = re.compile(
    r"(^|_)(vendor|naive|row_sums?|by_rows?|sum_of_rows|odoo|columns|simple|unweighted)(_|$)"
)


def not_ours(name: str) -> bool:
    return NOT_OURS.search(name) is not None


SECONDS = {
    "planned_s": "planned planned_time planned_production planned_production_time ppt loading_time"
    " net_available net_available_time pbt planned_busy_time",
    "run_s": "run run_time operating operating_time uptime apt running actual_run productive"
    " productive_time net_operating_time actual_production_time operating_run",
    "window_s": "window calendar calendar_time total_time",
    "scheduled_s": "scheduled scheduled_time shift shift_length pot planned_operation_time",
    "availability_loss_s": "downtime down_time down unplanned_down unplanned_downtime stop_time"
    " availability_loss stop stops blocked_time loss lost",
    "planned_stop_s": "planned_down planned_downtime planned_stop planned_stops break breaks",
    "excluded_s": "excluded",
    "setup_s": "setup setup_time aust changeover",
    "delay_s": "adet delay delay_time",
    "no_order_s": "adot no_order",
    "aupt_s": "aupt",
    "aubt_s": "aubt busy busy_time",
    "no_data_s": "disconnected no_data unknown no_signal",
    "micro_s": "micro micro_stops micro_stop minor_stops",
    "pending_s": "pending",
    "unclassified_s": "unclassified",
    "performance_loss_s": "performance_loss",
    "speed_loss_s": "speed_loss speed_residual",
    "ideal_s": "ideal_time iot net_run ideal_production",
    "mtbf_s": "mtbf",
    "mttr_s": "mttr mean_down_time restoration",
    "mttf_s": "mttf",
    "mtta_s": "mtta",
    "response_s": "response response_time",
    "wrench_s": "wrench wrench_time",
    "waiting_s": "waiting",
    "at_least_s": "mtbf_at_least at_least",
    "corrective_s": "repair repair_time cmt corrective",
    "preventive_s": "pmt preventive",
}
PLAIN = {
    "total": "total_count count pieces pq parts units total_pieces produced",
    "good": "good_count good_pieces good_units gq",
    "scrap": "bad_count reject_count rejects defects defective scrap_count bad sq reject",
    "rework": "rework_count rq reworked",
    "unscheduled_pieces": "unscheduled_production unscheduled_count unscheduled",
    "failures": "failure_count n_failures number_of_failures",
    "micro_stops": "micro_stop_count",
    "stops": "stop_count",
    "availability": "a",
    "performance": "effectiveness p performance_efficiency",
    "quality": "q quality_weighted",
    "quality_pieces": "quality_ratio quality_by_pieces",
    "oee": "oee_index simple_oee",
    "nee": "nee_index",
    "ooe": "",
    "teep": "",
    "loading": "",
    "utilisation": "utilization",
    "utilization_efficiency": "utilisation_efficiency",
    "first_pass_yield": "fpy first_pass fty ftq",
    "rolled_yield": "rty rolled_throughput_yield",
    "corrective_ratio": "corrective_maintenance_ratio",
    "ideal_cycle_suspect": "suspect performance_suspect flag flagged ideal_suspect",
}
TIME_NAMES = {n: k for k, names in SECONDS.items() for n in (k.removesuffix("_s"), *names.split())}
PLAIN_NAMES = {n: k for k, names in PLAIN.items() for n in (k, *names.split())}
OURS = {"ours", "exclusive", "clipped", "union", "takt", "timeline"}
WEIGHTED = re.compile(r"^weighted_(average_)?(?!q)|(?<!quality)_weighted(_average)?$")
WITH_PIECES = re.compile(r"(oee|product|apq|apxq).*piece|piece.*(oee|product|apq)")


def look_up(name: str, actual: Numbers, unit: str) -> Any:
    """The value of an expected name: by its stem and its unit, `missing` if there is none."""
    if name in actual:
        return actual[name]
    key, per = _key(name, unit)
    value = actual.get(key, "missing")
    return value / per if isinstance(value, int | float) and per != 1 else value


def _key(name: str, unit: str) -> tuple[str, float]:
    """What a name means, and what one of its unit is."""
    if WITH_PIECES.search(name):
        return "oee_with_quality_pieces", 1
    words = [word for word in name.lower().split("_") if word not in OURS]
    stem = WEIGHTED.sub("", "_".join(words))
    words = stem.split("_")
    if "by" in words[1:]:
        return f"{words[0]}_by", 1
    if words[-1] in PERCENT:
        key, per = _key("_".join(words[:-1]), unit)
        return key, per / 100
    if words[-1] in UNITS and len(words) > 1:
        return TIME_NAMES.get("_".join(words[:-1]), ""), UNITS[words[-1]]
    if stem in PLAIN_NAMES:
        return PLAIN_NAMES[stem], 1
    return TIME_NAMES.get(stem, ""), UNITS[unit]


def close(expected: Any, got: Any, tolerance: float) -> bool:
    if isinstance(expected, list):
        same = isinstance(got, list) and len(got) == len(expected)
        return same and all(close(e, g, tolerance) for e, g in zip(expected, got, strict=True))
    if isinstance(expected, dict):
        return isinstance(got, dict) and all(
            close(value, got.get(name), tolerance) for name, value in expected.items()
        )
    if expected is None or got is None or isinstance(expected, str | bool) or isinstance(got, str):
        return bool(expected == got)
    allowed = max(tolerance, rounding(expected))
    return math.isclose(float(expected), float(got), rel_tol=0, abs_tol=allowed)


def rounding(expected: float) -> float:
    """Half of the last decimal of a number that was cut at six (the sixth may be a 0)."""
    text = f"{expected!r}"
    decimals = 6 if "e" in text else len(text.partition(".")[2])
    return 0.5000001e-6 if decimals in (5, 6) else 1e-12 * max(1.0, abs(expected))
