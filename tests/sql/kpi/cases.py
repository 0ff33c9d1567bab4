"""Worked examples: each is built by what its inputs say, never by its name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import psycopg

from tests.sql.kpi import instants, intervals, plant, reliability, streams, timelines
from tests.sql.kpi.examples import Case, look_up
from tests.sql.kpi.layout import (
    HOUR,
    arrange,
    book,
    lay,
    micro_stops,
    named,
    pieces_of,
    policies_of,
    schedule,
    set_policies,
)
from tests.sql.kpi.plant import BASE, at
from tests.sql.kpi.reading import Description, Numbers, Unread, describe
from tests.support.rpc import call

Build = Callable[[psycopg.Connection, Case], Numbers]


def run(db: psycopg.Connection, case: Case) -> Numbers:
    """What the RPCs say. Unread: an input is not understood, not used or contradicts another."""
    return next(build for says, build in BUILDERS if says(case.inputs))(db, case)


def _printed(case: Case) -> float | None:
    """The planned time that the source prints, in seconds."""
    for name, value in case.expected.items():
        marked = look_up(name, {"planned_s": 1.0}, case.inputs.get("unit", "min"))
        if isinstance(marked, float) and isinstance(value, int | float):
            return value / marked
    return None


def _one_machine(db: psycopg.Connection, case: Case) -> Numbers:
    """A shift, its breaks, stops and pieces; a part of calendar time if the source says so."""
    d = describe(case.inputs)
    return named(_build(db, d, _printed(case)))


def _build(
    db: psycopg.Connection, d: Description, printed: float | None, number: int = 0,
    base: datetime | None = None,
) -> Numbers:  # fmt: skip
    code, centre = ("m1", "CNC-1") if number == 0 else (f"m1-{number}", f"CNC-1-{number}")
    policies = policies_of(d, printed)
    it = arrange(d, policies, printed)
    base = base or plant.base(it.window)
    schedule(db, it.length, code, centre, base, micro_stop_s=3600 if d.has("micro") else 0,
             silence_s=1 if d.has("disconnected") else 300)  # fmt: skip
    set_policies(db, policies)
    begin = lay(db, it, base, code)
    micro_stops(db, d, begin, code)
    book(db, pieces_of(d, it.planned, it.run), at(base, it.length), code)
    d.check_used()
    return plant.figures(db, base, at(base, it.window), code=code)


def _groups(db: psycopg.Connection, case: Case) -> Numbers:
    """Several machines with a time each: sums, never the mean of percentages."""
    key, rows = _rows(case.inputs)
    d = describe(case.inputs, {key} if key else _zipped(case.inputs))
    shares = []
    base = plant.base(100 * 86400)
    for number, row in enumerate(rows):
        part = describe(row)
        part.policies = {**d.policies, **part.policies}
        shares.append(named(_build(db, part, None, number, base)))
    longest = max(share["window_s"] for share in shares)
    whole = named(plant.figures(db, base, at(base, longest), code=None, site="main"))
    d.check_used()
    return whole | _by(shares)


def _by(shares: list[Numbers]) -> Numbers:
    return {
        f"{name}_by": [s[name] for s in shares]
        for name in ("oee", "availability", "performance", "quality")
    }


def _several_products(db: psycopg.Connection, case: Case) -> Numbers:
    """Products one after the other on one machine, each with its own ideal cycle."""
    key, rows = _rows(case.inputs)
    d = describe(case.inputs, {key} if key else _zipped(case.inputs))
    parts = [describe(row) for row in rows]
    for part in parts:  # stops and breaks within a run are those of the machine
        for kind in ("down", "setup", "break", "planned_down", "micro"):
            if part.has(kind) and not part.has("run", "length"):
                d.add(kind, f"{kind} of a part", part.all(kind))
    times = [part.get("run") or part.get("length") or part.get("planned") for part in parts]
    if not d.has("length", "planned", "run"):
        if None in times:
            raise Unread("several products, and no time")
        d.add("planned", "the runs together", [sum(t for t in times if t)])
    policies = policies_of(d, _printed(case))
    it = arrange(d, policies, _printed(case))
    schedule(db, it.length, micro_stop_s=3600 if d.has("micro") else 0)
    set_policies(db, policies)
    first = begin = lay(db, it, BASE)
    micro_stops(db, d, begin, "m1")
    shares: list[Numbers] = []
    made = 0.0
    for number, (part, length) in enumerate(zip(parts, times, strict=True)):
        lost = sum(part.all("down")) + sum(part.all("setup")) if length else 0
        end = at(begin, length) if length else at(BASE, it.length)
        if length and lost:
            plant.stop(db, begin, at(begin, lost), "breakdown")
        call(db, "planner", "upsert_item", p_sku=f"P{number}", p_title=f"Product {number}")
        pieces = pieces_of(part, length or it.run, (length or it.run) - lost)
        made += pieces.total
        book(db, pieces, end, sku=f"P{number}")
        part.check_used()
        if length:
            shares.append(named(plant.figures(db, begin, end)))
            begin = end
    too_long = begin > at(BASE, it.length + 0.001)
    if too_long or (d.has("run") and at(first, it.run + 0.001) < begin):
        raise Unread("the runs together are longer than the time")
    if (total := d.get("total")) is not None and abs(total - made) > 0.001:
        raise Unread(f"total contradicts the runs: {total} and {made}")
    d.check_used()
    return named(plant.figures(db, BASE, at(BASE, it.window))) | _by(shares)


def _rows(inputs: Numbers) -> tuple[str, list[Numbers]]:
    """The list of parts, or lists of the same length side by side."""
    for name, value in inputs.items():
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            return name, value
    zipped = sorted(_zipped(inputs))
    length = len(inputs[zipped[0]])
    return "", [{name: inputs[name][n] for name in zipped} for n in range(length)]


def _zipped(inputs: Numbers) -> set[str]:
    """Lists that belong together: those as long as the list of ideal cycles, or of OEEs."""
    lists = {n: v for n, v in inputs.items() if isinstance(v, list) and len(v) > 1}
    plain = {n: v for n, v in lists.items() if not any(isinstance(x, list | dict) for x in v)}
    heads = [
        v for n, v in plain.items()
        if n not in ("x", "values") and not all(isinstance(x, str) for x in v)
        and describe({n: v}).has("cycle", "oee", "availability")
    ]  # fmt: skip
    return {n for n, v in plain.items() if heads and len(v) == len(heads[0])}


def _has_rows(inputs: Numbers) -> bool:
    rows = any(
        isinstance(v, list) and v and all(isinstance(one, dict) for one in v)
        for n, v in inputs.items() if n not in instants.NAMES
    )  # fmt: skip
    numbers = {n: v for n, v in inputs.items() if not _is_odd(v)}
    return rows or bool(_zipped(numbers)) if numbers or rows else rows


def _is_odd(value: object) -> bool:
    try:
        describe({"ideal_s": value})
    except Unread:
        return True
    return False


def _are_machines(inputs: Numbers) -> bool:
    """Does each part have a time of its own, and the whole none?"""
    if not _has_rows(inputs):
        return False
    key, rows = _rows(inputs)
    d = describe(inputs, {key} if key else _zipped(inputs))
    own = [describe(row).has("planned", "length", "oee", "availability") for row in rows]
    return all(own) and not d.has("run", "length") and not d.has("planned")


def _wall_clock(db: psycopg.Connection, case: Case) -> Numbers:
    inputs = case.inputs
    left = set(inputs) - {"timezone", "shift_date", "start", "end", "breaks"}
    if left:
        raise Unread(f"not used: {', '.join(sorted(left))}")
    asked = date.fromisoformat(inputs["shift_date"])
    day = plant.like_day(asked, inputs["timezone"], inputs["start"], inputs["end"])
    plant.machine(db, zone=inputs["timezone"])
    rests = [(a, b) for a, b in inputs.get("breaks", [])]
    plant.pattern(db, plant.shift("night", inputs["start"], inputs["end"], rests), since=day)
    hours = call(db, "viewer", "get_shift_board", p_machine="m1", p_shift_date=day, p_shift="night")
    first, last = (
        datetime.fromisoformat(hours[n][key]) for n, key in ((0, "starts_at"), (-1, "ends_at"))
    )
    (row,) = plant.oee(db, first, last, by="shift")
    owner = date.fromisoformat(row["key"].split()[0]) + (asked - day)
    minutes = (last - first).total_seconds() / 60
    return named({**row["inputs"], **row["ratios"]}) | {
        "shift_minutes": minutes,
        "shift_hours": minutes / 60,
        "shift_date_owner": owner.isoformat(),
    }


ISO = (
    "POT",
    "PBT",
    "APT",
    "AUST",
    "ADET",
    "ADOT",
    "PRI",
    "PRU",
    "PQ",
    "GQ",
    "SQ",
    "RQ",
    "CMT",
    "PMT",
)


def _iso(db: psycopg.Connection, case: Case) -> Numbers:
    """Time elements in one unit (minutes), without those that are 0."""
    left = {n for n in case.inputs if n.upper() not in ISO and n not in ("unit", "notes")}
    if left:
        raise Unread(f"not used: {', '.join(sorted(left))}")
    unit = {"s": 1.0, "min": 60.0, "h": HOUR}[case.inputs.get("unit", "min")]
    given = {n.upper(): float(v) for n, v in case.inputs.items() if n != "unit" and v is not None}
    setup, delay, down = (given.get(n, 0.0) * unit for n in ("AUST", "ADET", "ADOT"))
    if "PBT" not in given:
        given["PBT"] = given["APT"] + (setup + delay + down) / unit
    busy, end = given["PBT"] * unit, at(BASE, given["PBT"] * unit)
    ran = busy - setup - delay - down
    if abs(ran - given.get("APT", ran / unit) * unit) > 0.001:
        raise Unread("PBT is not APT + AUST + ADET + ADOT")
    if "POT" in given:  # what is left of it is planned downtime, after the rest
        end = at(BASE, given["POT"] * unit)
    schedule(db, (end - BASE).total_seconds())
    set_policies(db, {"no_order": "loss_availability"})
    marks = [at(BASE, s) for s in (setup, setup + delay, setup + delay + down)]
    if setup:
        plant.state(db, "setup", BASE)
        plant.state(db, "running", marks[0])
    if delay:
        plant.stop(db, marks[0], marks[1], "material")
    if down:
        plant.stop(db, marks[1], marks[2], "no-order")
    if at(BASE, busy) < end:
        plant.plan(db, at(BASE, busy), end)
    _iso_pieces(db, given, unit, at(BASE, busy), ran)
    later = at(end, HOUR)
    corrective, preventive = (given.get(n, 0.0) * unit for n in ("CMT", "PMT"))
    if corrective:
        plant.stop(db, later, at(later, corrective), "breakdown")
    planned = at(later, corrective + HOUR)
    if preventive:
        plant.plan(db, planned, at(planned, preventive), "planned_maintenance")
    (repair,) = call(
        db, "viewer", "get_mttr", p_machine="m1", p_from=end, p_to=at(planned, preventive + HOUR)
    )
    return named(plant.figures(db, BASE, end)) | {"corrective_ratio": repair["corrective_ratio"]}


def _iso_pieces(
    db: psycopg.Connection, given: Numbers, unit: float, end: datetime, ran: float
) -> None:
    d = Description()
    for name, kind in (("PQ", "total"), ("GQ", "good"), ("SQ", "scrap"), ("RQ", "rework")):
        if name in given:
            d.add(kind, name, [given[name]])
    cycle = given.get("PRI", given.get("PRU"))
    if cycle is not None:
        d.add("cycle", "PRI", [cycle * unit])
    book(db, pieces_of(d, ran, ran), end)


def _says(*names: str) -> Callable[[Numbers], bool]:
    return lambda inputs: set(names) <= set(inputs)


def _any_of(*names: str) -> Callable[[Numbers], bool]:
    return lambda inputs: bool(set(names) & set(inputs))


BUILDERS: list[tuple[Callable[[Numbers], bool], Build]] = [
    (_any_of("APT", "PBT", "apt", "pbt"), _iso),
    (streams.is_stream, streams.stream),
    (timelines.is_timeline, timelines.segments),
    (_says("timezone", "shift_date"), _wall_clock),
    (intervals.has_instants, intervals.clipped),
    (reliability.is_about_yields, reliability.step_yields),
    (_any_of("x", "values", "individuals"), reliability.daily_scrap),
    (reliability.is_about_failures, reliability.failures),
    (_are_machines, _groups),
    (_has_rows, _several_products),
    (lambda _: True, _one_machine),
]
