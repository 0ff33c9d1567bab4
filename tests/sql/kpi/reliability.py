"""Worked examples of failures, yields and charts, built as tests/sql/kpi/cases.py says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg

from tests.sql.kpi import plant
from tests.support.rpc import call

Numbers = dict[str, Any]
HOUR = 3600.0
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MOST = 4000 * HOUR  # one machine, one window


def failing_week(db: psycopg.Connection, inputs: Numbers, base: datetime) -> Numbers:
    """Failures by weekday and time, in a window of hours from Monday on."""
    end = plant.at(base, inputs["window_h"] * HOUR)
    for first, last in inputs["failures"]:
        plant.stop(db, _weekday(base, first), _weekday(base, last), "breakdown")
    figures = plant.figures(db, base, end)
    down = figures["availability_loss_s"] / HOUR
    return {
        **_means(db, base, end, "m1"),
        "downtime_h": down,
        "uptime_h": figures["run_s"] / HOUR,
        "availability": figures["availability"],
    }


def _weekday(base: datetime, text: str) -> datetime:
    day, clock = text.split()
    hours, minutes = clock.split(":")
    return base + timedelta(days=DAYS.index(day), hours=int(hours), minutes=int(minutes))


def failing_fleet(
    db: psycopg.Connection, inputs: Numbers, base: datetime, machine: Callable[..., None]
) -> Numbers:
    """So many hours of work and failures, laid over as many machines as the time needs."""
    failures = int(inputs.get("failures", 1))
    repairs = inputs.get("repairs_h")
    if repairs is None:
        hours = inputs["repair_h"] if "repair_h" in inputs else inputs["mttr_h"]
        repairs = [hours / failures] * failures
    operating = HOUR * float(inputs.get("operating_h") or inputs.get("mtbf_h") or 100)
    machines = max(1, int(operating // MOST) + 1)
    end = base
    for number in range(machines):
        code = "m1" if number == 0 else f"m1-{number}"
        if number:
            machine(db, code)
        mine = repairs[number::machines]
        begin = base
        for hours in mine:
            plant.stop(db, begin, plant.at(begin, hours * HOUR), "breakdown", code)
            begin = plant.at(begin, hours * HOUR + 60)
        last = plant.at(base, operating / machines + sum(mine) * HOUR)
        plant.state(db, "off", last, code)
        plant.stop(db, last, None, "no-order", code)
        end = max(end, last)
    for number in range(failures - len(repairs)):  # failed, and nobody has repaired them yet
        code = f"m1-open-{number}"
        machine(db, code)
        plant.stop(db, base, None, "breakdown", code)
    return _means(db, base, end, None)


def _means(db: psycopg.Connection, begin: datetime, end: datetime, code: str | None) -> Numbers:
    asked: Numbers = {"p_machine": code, "p_site": "main", "p_from": begin, "p_to": end}
    (repair,) = call(db, "viewer", "get_mttr", **asked)
    (failure,) = call(db, "viewer", "get_mtbf", **asked)
    return {
        "mttr_h": _hours(repair["mttr_s"]),
        "mtbf_h": _hours(failure["mtbf_s"]),
        "availability": failure["inherent_availability"],
    }


def _hours(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / HOUR


def step_yields(db: psycopg.Connection, inputs: Numbers, base: datetime) -> Numbers:
    """One machine per step; what is good at one goes into the next."""
    pieces = float(inputs["units_in"])
    for number, share in enumerate(inputs["step_yields"]):
        code = plant.machine(
            db, f"y{number}", plant.work_centre(db, f"Y-{number}", step=f"S{number}")
        )
        good = round(pieces * share, 3)
        plant.count(db, {"at": base, "good": good, "scrap": round(pieces - good, 3)}, code=code)
        pieces = good
    return {"rty": quality(db, base, 1)["rolled_yield"]}


def daily_scrap(db: psycopg.Connection, inputs: Numbers, base: datetime) -> Numbers:
    """One value a day, as scrap of the day."""
    for day, value in enumerate(inputs["x"]):
        plant.count(db, {"at": base + timedelta(days=day, hours=12), "scrap": value})
    return dict(quality(db, base, len(inputs["x"]))["chart"])


def quality(db: psycopg.Connection, base: datetime, days: int) -> Numbers:
    answer = call(
        db, "viewer", "get_quality_breakdown", p_site="main", p_from=base,
        p_to=base + timedelta(days=days),
    )  # fmt: skip
    return dict(answer)
