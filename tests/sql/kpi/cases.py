"""Worked examples: each is built by what its inputs say, never by its name."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, pairwise

import psycopg

from tests.sql.kpi import plant, reliability
from tests.sql.kpi.examples import Case, Numbers
from tests.support.rpc import call

BASE = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday, midnight
HOUR = 3600.0


def run(db: psycopg.Connection, case: Case) -> Numbers | None:
    """What the RPCs say, by the names of the expected values; None: nothing builds it."""
    for needs, build in BUILDERS:
        if needs <= set(case.inputs):
            return build(db, case.inputs)
    return None


def _machine(db: psycopg.Connection, code: str = "m1") -> None:
    """At work day and night, running since the day before, every stop longer than a micro-stop."""
    plant.machine(db, code, micro_stop_s=0)
    plant.around_the_clock(db, since=BASE.date())
    plant.state(db, "running", BASE - timedelta(days=1), code)


def _named(figures: Numbers) -> Numbers:
    """The figures under the names that the cases use."""
    planned, run_s = figures["planned_s"], figures["run_s"]
    setup, delay = figures["setup_s"], figures["delay_s"]
    return figures | {
        "planned_production_time_min": planned / 60,
        "planned_production_min": planned / 60,
        "planned_production": planned,
        "run_time_min": run_s / 60,
        "run_min": run_s / 60,
        "run_time_s": run_s,
        "operating": run_s,
        "window_min": figures["window_s"] / 60,
        "downtime_min": figures["availability_loss_s"] / 60,
        "total_count": figures["total"],
        "good_count": figures["good"],
        "bad_count": figures["scrap"],
        "utilization": figures["utilisation"],
        "availability_ours": figures["availability"],
        "effectiveness": figures["performance"],
        "quality_ratio": figures["quality_pieces"],
        "AUPT": (run_s + setup) / 60,
        "AUBT": (run_s + setup + delay) / 60,
    }


def _simple(db: psycopg.Connection, inputs: Numbers) -> Numbers:
    """Planned time, stops, an ideal cycle and counts, however the source calls them."""
    _machine(db)
    rests = [60 * m for m in inputs.get("breaks_min") or inputs.get("planned_down_min") or []]
    length = (
        _first(inputs, shift_min=60, planned_min=60, total_s=1, theoretical_max_count=1)
        or 100 * HOUR
    )
    planned = length - sum(rests)
    down = _first(inputs, stop_time_min=60, unplanned_down_min=60)
    ran = _first(inputs, run_min=60, run_s=1)
    if ran is None:
        ran = planned - down if down is not None else planned * inputs.get("availability", 1)
    begin = BASE
    for rest in rests:
        plant.plan(db, begin, plant.at(begin, rest))
        begin = plant.at(begin, rest)
    if ran < planned:
        plant.stop(db, begin, plant.at(begin, planned - ran), "breakdown")
    cycle = _cycle(inputs)
    total, good = _pieces(inputs, ran, planned, cycle)
    if total:
        plant.ideal(db, cycle)
        when = plant.at(BASE, length - 60)
        plant.count(db, {"at": when, "good": good, "scrap": round(total - good, 3)})
    return _named(plant.figures(db, BASE, plant.at(BASE, length)))


def _first(inputs: Numbers, **factors: float) -> float | None:
    return next((inputs[name] * f for name, f in factors.items() if name in inputs), None)


def _cycle(inputs: Numbers) -> float:
    rate = _first(inputs, ideal_rate_ppm=1, target_ppm=1)
    return float(inputs.get("ideal_cycle_s") or (60 / rate if rate else 1))


def _pieces(inputs: Numbers, ran: float, planned: float, cycle: float) -> tuple[float, float]:
    """(total, good)"""
    if "total_count" in inputs:
        total = inputs["total_count"]
        bad = _first(inputs, reject_count=1, defective=1, scrap=1) or 0
        return total, inputs.get("good_count", total - bad)
    if "good_count" in inputs:
        return inputs["good_count"], inputs["good_count"]
    if "oee" in inputs:
        good = round(inputs["oee"] * planned / cycle, 3)
        return good, good
    total = round(inputs.get("performance", 0) * ran / cycle, 3)
    return total, round(total * inputs.get("quality", 1), 3)


def _calendar_hours(db: psycopg.Connection, inputs: Numbers) -> Numbers:
    """So many scheduled hours of a week: whole days from Monday on, then the rest of one."""
    plant.machine(db)
    hours = inputs["scheduled_h"] if "scheduled_h" in inputs else inputs["planned_h"]
    whole, rest = divmod(hours, 24)
    shifts = [plant.shift("full", "00:00", "00:00", weekdays=list(range(1, int(whole) + 1)))]
    if rest:
        clock = f"{int(rest):02}:{round(rest % 1 * 60):02}"
        shifts.append(plant.shift("part", "00:00", clock, weekdays=[int(whole) + 1]))
    plant.pattern(db, *shifts, since=BASE.date())
    plant.state(db, "running", BASE)
    if "oee" in inputs:
        plant.ideal(db, 1)
        plant.count(
            db, {"at": plant.at(BASE, HOUR), "good": round(inputs["oee"] * hours * HOUR, 3)}
        )
    return _named(plant.figures(db, BASE, plant.at(BASE, inputs["calendar_h"] * HOUR)))


def _several_products(db: psycopg.Connection, inputs: Numbers) -> Numbers:
    _machine(db)
    begin, shares = BASE, []
    for number, part in enumerate(inputs["runs"]):
        sku = f"P{number}"
        call(db, "planner", "upsert_item", p_sku=sku, p_title=part["product"])
        plant.ideal(db, 60 / part["rate_ppm"], sku=sku)
        plant.count(db, {"at": plant.at(begin, 60), "good": part["actual"], "sku": sku})
        end = plant.at(begin, part["run_min"] * 60)
        shares.append(plant.figures(db, begin, end)["performance"])
        begin = end
    whole = plant.figures(db, BASE, plant.at(BASE, inputs["planned_min"] * 60))
    return _named(whole) | {"performance_by_run": shares}


def _event_stream(db: psycopg.Connection, inputs: Numbers) -> Numbers:
    """States with cumulative counters; what is planned beyond the window was not worked."""
    shown = [datetime.fromisoformat(x) for x in inputs["window"]]
    moved = timedelta(
        days=(BASE.date() - shown[0].date()).days
    )  # patterns do not reach back for ever
    begin, end = (x + moved for x in shown)
    _machine(db)
    plant.ideal(db, inputs["ideal_cycle_s"])
    rows = [(datetime.fromisoformat(t) + moved, s, n, bad) for t, s, n, bad in inputs["events"]]
    for when, name, _, _ in rows:
        plant.state(db, "running" if name == inputs["running_state"] else "stopped", when)
    plant.state(db, "stopped", end)
    for (_, _, n0, bad0), (when, _, n1, bad1) in pairwise(rows):
        if n1 > n0:
            bad = bad1 - bad0
            plant.count(db, {"at": when, "good": n1 - n0 - bad, "scrap": bad})
    return _named(plant.figures(db, begin, plant.at(begin, inputs["planned_time_h"] * HOUR)))


def _segments(db: psycopg.Connection, inputs: Numbers) -> Numbers:
    """A printed timeline: states one after another, each row with its part of planned downtime."""
    _machine(db)
    rows = inputs["segments"]
    starts = [0, *accumulate(row[2] for row in rows)]
    for n, (_, name, length, planned) in enumerate(rows):
        if length:
            now = "stopped" if name == "Faulted" else "running"
            plant.state(db, now, plant.at(BASE, starts[n]))
        if planned:
            begins = n > 0 and rows[n - 1][3] > 0
            first = starts[n] if begins else starts[n + 1] - planned
            plant.plan(db, plant.at(BASE, first), plant.at(BASE, first + planned))
    hours, percents = [], []
    for hour in dict.fromkeys(row[0] for row in rows):
        of = [n for n, row in enumerate(rows) if row[0] == hour]
        f = plant.figures(db, plant.at(BASE, starts[of[0]]), plant.at(BASE, starts[of[-1] + 1]))
        hours.append(
            [
                hour,
                0,
                f["scheduled_s"],
                f["planned_stop_s"],
                f["planned_s"],
                f["availability_loss_s"],
                f["run_s"],
            ]
        )
        percents.append(math.floor(100 * (f["availability"] or 0) + 0.5))
    whole = plant.figures(db, BASE, plant.at(BASE, starts[-1]))
    return {"hourly": hours, "hourly_availability_pct": percents, "shift": _shift(whole)}


def _shift(figures: Numbers) -> Numbers:
    return {
        "scheduled": figures["scheduled_s"],
        "planned_down": figures["planned_stop_s"],
        "planned_production": figures["planned_s"],
        "unplanned_down": figures["availability_loss_s"],
        "operating": figures["run_s"],
        "availability": figures["availability"],
    }


def _all_planned_down(db: psycopg.Connection, inputs: Numbers) -> Numbers:
    _machine(db)
    plant.plan(db, BASE, plant.at(BASE, inputs["planned_down"]))
    return _named(plant.figures(db, BASE, plant.at(BASE, inputs["scheduled"])))


def _clipped(db: psycopg.Connection, inputs: Numbers) -> Numbers:
    """Stops that reach over the shift, into a break, and one that is open."""
    begin, end = (datetime.fromisoformat(x) for x in inputs["shift"])
    _machine(db)
    for rest in inputs["breaks"]:
        first, last = (datetime.fromisoformat(f"{begin.date()}T{x}Z") for x in rest)
        plant.plan(db, first, last)
    now = datetime.fromisoformat(inputs["now"])
    for first, last, reason in inputs["downtimes"]:
        plant.stop(db, datetime.fromisoformat(first), last and datetime.fromisoformat(last), reason)
    return _named(plant.figures(db, begin, end, as_of=now))


def _wall_clock(db: psycopg.Connection, inputs: Numbers) -> Numbers:
    day = date.fromisoformat(inputs["shift_date"])
    plant.machine(db, zone=inputs["timezone"])
    plant.pattern(db, plant.shift("night", inputs["start"], inputs["end"]), since=day)
    hours = call(db, "viewer", "get_shift_board", p_machine="m1", p_shift_date=day, p_shift="night")
    first, last = (
        datetime.fromisoformat(hours[n][key]) for n, key in ((0, "starts_at"), (-1, "ends_at"))
    )
    (row,) = plant.oee(db, first, last, by="shift")
    return {
        "shift_minutes": (last - first).total_seconds() / 60,
        "shift_date_owner": row["key"].split()[0],
    }


def _iso(db: psycopg.Connection, inputs: Numbers) -> Numbers:
    _machine(db)
    call(
        db, "planner", "set_time_policy", p_time_class="no_order", p_policy="loss_availability",
        p_valid_from=BASE - timedelta(days=1), p_site="main",
    )  # fmt: skip
    marks = [
        plant.at(BASE, 60 * m) for m in accumulate([inputs["AUST"], inputs["ADET"], inputs["ADOT"]])
    ]
    plant.state(db, "setup", BASE)
    plant.state(db, "running", marks[0])
    plant.stop(db, marks[0], marks[1], "material")
    plant.stop(db, marks[1], marks[2], "no-order")
    plant.ideal(db, inputs["PRI"] * 60)
    end = plant.at(BASE, inputs["PBT"] * 60)
    counts = {"good": inputs["GQ"], "scrap": inputs["SQ"], "rework": inputs["RQ"]}
    plant.count(db, {"at": plant.at(end, -60), **counts})
    later = plant.at(end, HOUR)
    plant.stop(db, later, plant.at(later, inputs["CMT"] * 60), "breakdown")
    planned = plant.at(later, 10 * HOUR)
    plant.plan(db, planned, plant.at(planned, inputs["PMT"] * 60), "planned_maintenance")
    (repair,) = call(
        db, "viewer", "get_mttr", p_machine="m1", p_from=end, p_to=plant.at(end, 99 * HOUR)
    )
    return _named(plant.figures(db, BASE, end)) | {
        "corrective_maintenance_ratio": repair["corrective_ratio"]
    }


def _week(db: psycopg.Connection, inputs: Numbers) -> Numbers:
    _machine(db)
    return reliability.failing_week(db, inputs, BASE)


def _fleet(db: psycopg.Connection, inputs: Numbers) -> Numbers:
    _machine(db)
    return reliability.failing_fleet(db, inputs, BASE, _machine)


def _yields(db: psycopg.Connection, inputs: Numbers) -> Numbers:
    return reliability.step_yields(db, inputs, BASE)


def _chart(db: psycopg.Connection, inputs: Numbers) -> Numbers:
    _machine(db)
    return reliability.daily_scrap(db, inputs, BASE)


BUILDERS: list[tuple[set[str], Callable[[psycopg.Connection, Numbers], Numbers]]] = [
    ({"PBT", "APT"}, _iso),
    ({"window", "events"}, _event_stream),
    ({"segments"}, _segments),
    ({"scheduled", "planned_down", "operating"}, _all_planned_down),
    ({"shift", "downtimes"}, _clipped),
    ({"timezone", "shift_date"}, _wall_clock),
    ({"runs"}, _several_products),
    ({"calendar_h"}, _calendar_hours),
    ({"window_h", "failures"}, _week),
    ({"failures", "repair_h"}, _fleet),
    ({"failures", "repairs_h"}, _fleet),
    ({"mtbf_h", "mttr_h"}, _fleet),
    ({"step_yields"}, _yields),
    ({"x", "e2"}, _chart),
    ({"total_count"}, _simple),
    ({"good_count", "theoretical_max_count"}, _simple),
    ({"performance", "quality"}, _simple),
]
