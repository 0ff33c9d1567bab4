"""Worked examples of failures, yields and charts, built as tests/sql/kpi/cases.py says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg

from tests.sql.kpi import plant
from tests.sql.kpi.examples import Case
from tests.sql.kpi.layout import DAY, HOUR, count, pieces_of, schedule
from tests.sql.kpi.plant import BASE, at
from tests.sql.kpi.reading import UNITS, Numbers, Unread, as_list, describe, split
from tests.support.rpc import call

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST = 8700 * HOUR  # one machine, one window of a year

# Failures ---------------------------------------------------------------------------------------

REPAIRS = {"repair", "repairs", "downtime", "down", "restoration", "ttr"}
WORK = {"operating", "uptime", "operation", "run", "running", "work"}
LIVES = {"life", "lives", "lifetime", "lifetimes", "ttf", "lifes"}
FAILURES = {"failures", "failure", "breakdowns"}
REQUIRED = {"required", "working", "shift", "shifts", "needed"}


def is_about_failures(inputs: Numbers) -> bool:
    """Failures by number, or repairs and lives; how long a breakdown was is a stop of a shift."""
    words = {word for name in inputs for word in split(name)[0]}
    if words & {"cycle", "ideal", "breaks", "good", "scrap"}:
        return False
    if words & {"mtbf", "mttr", *LIVES}:
        return True
    if any(split(n)[1] is None for n in inputs if set(split(n)[0]) & FAILURES):
        return True
    return bool(words & {"repair", "repairs", "ttr"}) and not words & {"shift", "planned", "total"}


class Told:
    """What a case of failures gives, taken by meaning; what is not taken is an error."""

    def __init__(self, inputs: Numbers) -> None:
        self.unit = UNITS[inputs["unit"]] if "unit" in inputs else None
        self.left = {
            n: v for n, v in inputs.items() if v is not None and n not in ("unit", "notes")
        }

    def raw(self, words: set[str]) -> Any:
        """The first value whose name has one of the words."""
        name = next((n for n in self.left if set(split(n)[0]) & words), None)
        return None if name is None else self.left.pop(name)

    def times(self, words: set[str]) -> list[float] | None:
        name = next((n for n in self.left if set(split(n)[0]) & words), None)
        if name is None or isinstance(self.left[name], str | dict):
            return None
        seconds = split(name)[1] or self.unit
        if seconds is None:
            raise Unread(f"not understood: {name} has no unit")
        return [x * seconds for x in as_list(self.left.pop(name))]

    def check_used(self) -> None:
        if self.left:
            raise Unread(f"not used: {', '.join(sorted(self.left))}")


def failures(db: psycopg.Connection, case: Case) -> Numbers:
    told = Told(case.inputs)
    lives = told.times(LIVES)
    failed = told.raw(FAILURES) if not _lasting(case.inputs) else None
    if isinstance(failed, list) and failed and isinstance(failed[0], list):
        found = _week(db, told, failed)
    else:
        found = _fleet(db, told, len(failed) if isinstance(failed, list) else failed, lives)
    if lives is not None:
        with put_back(db):
            found["mttf_s"] = _laid_over(db, sum(lives), [], len(lives))["mtbf_s"]
    told.check_used()
    return found


def _lasting(inputs: Numbers) -> bool:
    """failure_h: how long, not how often."""
    return any(split(n)[1] is not None for n in inputs if set(split(n)[0]) & FAILURES)


@contextmanager
def put_back(db: psycopg.Connection) -> Iterator[None]:
    with db.transaction(force_rollback=True):
        yield


def _week(db: psycopg.Connection, told: Told, failed: list[list[str]]) -> Numbers:
    """Failures by weekday and time, in a window of hours from Monday on, or in required time."""
    clocks = {n for n, v in told.left.items() if re.search(r"\d:\d\d", str(v)) and n != "window"}
    required = told.raw(REQUIRED) or (told.left.pop(min(clocks)) if clocks else None)
    window = (
        told.times({"window", "calendar", "week", "total", *WORK}) if not _says_when(told) else None
    )
    begin, end = BASE, at(BASE, window[0] if window else 7 * DAY)
    if window is None and (span := told.raw({"window", "from", "week"})) is not None:
        begin, end = (weekday(text) for text in span)
    elif window is None and required is None:
        raise Unread("failures, and no window")
    if required is None:
        schedule(db, 14 * DAY)
    else:
        plant.machine(db, micro_stop_s=0)
        plant.pattern(db, *_shifts(required, (end - begin) / timedelta(days=1)), since=BASE.date())
        plant.state(db, "running", BASE - timedelta(days=1))
    for first, last in failed:
        plant.stop(db, weekday(first), None if last is None else weekday(last, first), "breakdown")
    figures = plant.figures(db, begin, end)
    return means(db, begin, end, "m1") | figures


def _says_when(told: Told) -> bool:
    return isinstance(told.left.get("window"), list)


def weekday(text: str, after: str | None = None) -> datetime:
    """Of the week of BASE; before `after` it is of the next one."""
    day, clock = text.split()
    hours, minutes = clock.split(":")[:2]
    found = BASE + timedelta(
        days=DAYS.index(day[:3].lower()), hours=int(hours), minutes=int(minutes)
    )
    return found + timedelta(days=7 * (after is not None and found < weekday(after)))


def _shifts(required: Any, days: float) -> list[Any]:
    """Required time: ["Mon 08:00", "Mon 17:00"] each, ["08:00", "17:00"] of every day of the
    window, "Mon-Fri 07:00-17:00", or {days, start, end}."""
    every = list(range(1, min(7, int(days)) + 1))
    if isinstance(required, dict):
        values = list(required.values())
        clocks = [v for v in values if isinstance(v, str) and re.match(r"\d+:", v)]
        said = next((v for v in values if v not in clocks), None)
        return [
            plant.shift("required", clocks[0], clocks[1], weekdays=_days(said) if said else every)
        ]
    if isinstance(required, str):
        clocks = re.findall(r"\d+:\d+", required)
        said = required.split(clocks[0])[0].strip()
        return [
            plant.shift("required", clocks[0], clocks[1], weekdays=_days(said) if said else every)
        ]
    if isinstance(required[0], list):
        return [
            plant.shift(f"r{n}", a.split()[1], b.split()[1], weekdays=_days(a.split()[0]))
            for n, (a, b) in enumerate(required)
        ]
    if " " in required[0]:
        return _shifts([required], days)
    return [plant.shift("required", required[0], required[1], weekdays=every)]


def _days(said: Any) -> list[int]:
    names = said if isinstance(said, list) else re.split(r"\s*(?:-|–|to|\.\.)\s*", said.strip())
    numbers = [n if isinstance(n, int) else DAYS.index(n[:3].lower()) + 1 for n in names]
    if not isinstance(said, list) and len(numbers) == 2:
        return list(range(numbers[0], numbers[1] + 1))
    return sorted(numbers)


def _fleet(
    db: psycopg.Connection, told: Told, failed: int | None, lives: list[float] | None
) -> Numbers:
    mtbf, mttr = told.times({"mtbf"}), told.times({"mttr"})
    repairs = told.times(REPAIRS)
    worked, window = told.times(WORK), told.times({"window", "calendar", "period", "total"})
    if failed is None:
        failed = (
            len(repairs) if repairs and len(repairs) > 1 else 1 if mtbf or mttr or repairs else 0
        )
    failed = int(failed)
    if mttr is not None and repairs is None:
        repairs = [mttr[0]] * failed
    if mtbf is not None and worked is None:
        worked = [mtbf[0] * failed]
    if repairs is not None and len(repairs) == 1 and failed > 1:
        repairs = [repairs[0] / failed] * failed
    if worked is None and window is not None:
        worked = [sum(window) - sum(repairs or [])]
    elif (
        worked is not None
        and window is not None
        and abs(sum(window) - sum(worked) - sum(repairs or [])) > 1
    ):
        raise Unread("window, operating time and repairs contradict each other")
    if lives is not None and worked is None and repairs is None:
        return {}
    with put_back(db):
        found = _laid_over(db, sum(worked or [100 * HOUR]), repairs or [], failed)
    if worked is None:  # nobody says how long it ran
        for name in ("mtbf_s", "availability", "run_s", "at_least_s"):
            found.pop(name)
    return found


def _laid_over(
    db: psycopg.Connection, operating: float, repairs: list[float], failed: int
) -> Numbers:
    """So much work and so many failures, laid over as many machines as the time needs."""
    machines = max(1, int(operating // MOST) + 1)
    repairs = [length for length in repairs if length > 0] if failed else []
    base = plant.base(operating / machines + sum(repairs) + 60 * len(repairs))
    plant.work_centre(db)
    plant.around_the_clock(db, since=base.date())
    end = base
    for number in range(machines):
        code = "m1" if number == 0 else f"m1-{number}"
        _at_work(db, code, base)
        begin = base
        mine = repairs[number::machines]
        for length in mine:
            plant.stop(db, begin, at(begin, length), "breakdown", code)
            begin = at(begin, length + 60)
        last = at(base, operating / machines + sum(mine))
        plant.state(db, "off", last, code)
        plant.stop(db, last, None, "no-order", code)
        end = max(end, last)
    for number in range(failed - len(repairs)):  # failed, and nobody has repaired them yet
        code = f"m1-open-{number}"
        _at_work(db, code, base)
        plant.stop(db, base, None, "breakdown", code)
    return means(db, base, end, None)


def _at_work(db: psycopg.Connection, code: str, base: datetime) -> None:
    plant.machine(db, code, micro_stop_s=0)
    plant.state(db, "running", base - timedelta(days=1), code)


def means(db: psycopg.Connection, begin: datetime, end: datetime, code: str | None) -> Numbers:
    asked: Numbers = {"p_machine": code, "p_site": "main", "p_from": begin, "p_to": end}
    (repair,) = call(db, "viewer", "get_mttr", **asked)
    (failure,) = call(db, "viewer", "get_mtbf", **asked)
    return {
        **{name: repair[name] for name in repair if name != "key"},
        "mtbf_s": failure["mtbf_s"],
        "at_least_s": failure["at_least_s"],
        "failures": failure["failures"],
        "run_s": failure["operating_s"],
        "availability": failure["inherent_availability"],
        "availability_loss_s": repair["corrective_s"],
    }


# Yields -----------------------------------------------------------------------------------------

YIELDS = ("step_yields", "yields", "throughput_yields", "first_pass_yields", "fpy", "steps")


def is_about_yields(inputs: Numbers) -> bool:
    return any(isinstance(inputs.get(name), list) for name in YIELDS)


def step_yields(db: psycopg.Connection, case: Case) -> Numbers:
    """One machine per step; what is good at one goes into the next."""
    name = next(name for name in YIELDS if isinstance(case.inputs.get(name), list))
    left = set(case.inputs) - {name, "units_in", "notes"}
    if left:
        raise Unread(f"not used: {', '.join(sorted(left))}")
    pieces = float(case.inputs.get("units_in", 1_000_000))
    for number, step in enumerate(case.inputs[name]):
        code = plant.machine(
            db, f"y{number}", plant.work_centre(db, f"Y-{number}", step=f"S{number}")
        )
        counts = _step(step, pieces)
        plant.count(db, {"at": BASE, **counts}, code=code)
        pieces = counts["good"]
    return quality(db, BASE, 1)


def _step(step: Any, pieces: float) -> Numbers:
    if not isinstance(step, dict):
        good = round(pieces * step, 3)
        return {"good": good, "scrap": round(pieces - good, 3)}
    d = describe(
        {
            ("total" if n in ("in", "units_in", "inspected", "input") else n): v
            for n, v in step.items()
        }
    )
    found = pieces_of(d, 0, 0)
    d.check_used()
    return {"good": found.good, "scrap": found.scrap, "rework": found.rework}


# Charts -----------------------------------------------------------------------------------------


def daily_scrap(db: psycopg.Connection, case: Case) -> Numbers:
    """One value a day, as scrap of the day; a day without scrap has a good piece."""
    plain = {"e2": 2.66, "d4": 3.267}
    values = next(case.inputs[n] for n in ("x", "values", "individuals") if n in case.inputs)
    for name, value in case.inputs.items():
        if name in plain and abs(value - plain[name]) > 0.001:
            raise Unread(f"not ours: {name} = {value}")
        if name not in (*plain, "x", "values", "individuals", "notes"):
            raise Unread(f"not used: {name}")
    base = plant.base(len(values) * DAY)
    schedule(db, DAY, begin=base)
    for day, value in enumerate(values):
        counts = {"scrap": value} if value else {"good": 1}
        count(db, {"at": base + timedelta(days=day, hours=12), **counts})
    chart: Numbers = quality(db, base, len(values))["chart"]
    return chart


def quality(db: psycopg.Connection, base: datetime, days: int) -> Numbers:
    answer = call(
        db, "viewer", "get_quality_breakdown", p_site="main", p_from=base,
        p_to=base + timedelta(days=days),
    )  # fmt: skip
    return dict(answer)
