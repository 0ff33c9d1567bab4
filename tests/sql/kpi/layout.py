"""One machine laid out from a description: its shifts, stops and pieces, through the RPCs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.types.json import Jsonb

from tests.sql.kpi import plant
from tests.sql.kpi.plant import BASE, at
from tests.sql.kpi.reading import Description, Numbers, Unread, agree
from tests.support.rpc import call

HOUR, DAY = 3600.0, 86400.0
MOST_PIECES = 5_000_000
CLASS = {
    "break": "break", "planned_down": "meeting", "maintenance": "planned_maintenance",
    "scheduled_down": "planned_maintenance", "idle": "no_order", "disconnected": "no_data",
    "setup": "changeover", "down": "breakdown",
}  # fmt: skip
PLANNED = ("break", "planned_down", "maintenance", "scheduled_down", "idle")
# As Takt counts unless it is told otherwise.
POLICY = {
    "break": "excluded", "meeting": "excluded", "planned_maintenance": "excluded",
    "no_order": "excluded", "no_data": "loss_availability", "changeover": "loss_availability",
    "breakdown": "loss_availability", "minor_stop": "loss_performance",
}  # fmt: skip


@dataclass
class Layout:
    """What a machine does one after the other, in seconds; what is left of `length` is run."""

    length: float
    planned: float
    run: float
    window: float
    pieces: list[tuple[str, float]] = field(default_factory=list)


def schedule(
    db: psycopg.Connection,
    length: float,
    code: str = "m1",
    centre: str = "CNC-1",
    begin: datetime = BASE,
    **more: int,
) -> None:
    """A machine that is scheduled for `length` seconds from `begin` on and not after, and runs."""
    plant.machine(db, code, centre, **{"micro_stop_s": 0, **more})
    whole, rest = divmod(length, DAY)
    day = begin.date() + timedelta(days=int(whole))
    if rest:
        end = at(begin, rest).time().isoformat()
        except_for(db, centre, day, day, [plant.shift("part", "00:00", end)])
        day += timedelta(days=1)
    last = datetime.now(UTC).date() + timedelta(days=15)
    while day <= last:
        until = min(last, day + timedelta(days=360))
        except_for(db, centre, day, until, None)
        day = until + timedelta(days=1)
    plant.around_the_clock(db, centre, since=begin.date())
    plant.state(db, "running", begin - timedelta(days=1), code)


def except_for(
    db: psycopg.Connection, centre: str, first: object, last: object, what: object
) -> None:
    shifts = None if what is None else Jsonb(what)
    call(
        db, "planner", "save_calendar_exception", p_from_day=first, p_to_day=last,
        p_reason="as the case says", p_shifts=shifts, p_work_centre=centre,
    )  # fmt: skip


def set_policies(db: psycopg.Connection, policies: dict[str, str]) -> None:
    for time_class, how in policies.items():
        call(
            db, "planner", "set_time_policy", p_time_class=time_class, p_policy=how, p_site="main",
            p_valid_from=BASE - timedelta(days=400),
        )  # fmt: skip


def policies_of(d: Description, printed: float | None) -> dict[str, str]:
    """What differs from the plain policies: said by a policy, by the vocabulary of the source
    (scheduled downtime is downtime, disconnected is not scheduled), or by the planned time that it
    prints: if that is the whole shift, its breaks are in the denominator."""
    found = {
        ("planned_maintenance" if c == "scheduled_down" else c): p for c, p in d.policies.items()
    }
    if d.has("scheduled_down"):
        if d.has("maintenance"):
            raise Unread("scheduled downtime and planned maintenance are one class of time")
        found.setdefault("planned_maintenance", "loss_availability")
    if d.has("disconnected") and any(n.startswith("scheduled") for n in d.names.get("length", [])):
        found.setdefault("no_data", "excluded")
    length = d.get("length") or d.get("planned")
    rests = [kind for kind in PLANNED if sum(d.all(kind)) > 0]
    is_whole = printed is not None and length is not None and abs(length - printed) < 0.5
    if is_whole and not found and d.has("length"):
        found.update({CLASS[kind]: "loss_availability" for kind in rests})
    return found


def arrange(d: Description, policies: dict[str, str], printed: float | None = None) -> Layout:
    """Lengths that the source leaves out follow from the others; none may contradict them."""
    how = {**POLICY, **policies}
    pieces = [(kind, s) for kind in CLASS for s in d.all(kind) if s > 0]

    def of(policy: str) -> float:
        return sum(s for kind, s in pieces if how[CLASS[kind]] == policy)

    length, planned, run = d.get("length"), d.get("planned"), d.get("run")
    outside = sum(d.all("disconnected")) if how["no_data"] == "excluded" else 0.0
    if length is not None:
        length += outside
    if (
        planned is not None
        and printed is not None
        and abs(planned - of("excluded") - printed) < 0.5
    ):
        length, planned = length or planned, None  # it says planned and means before the breaks
    if planned is None:
        planned = length - of("excluded") if length is not None else None
    if planned is None:
        planned = _planned_from(d, run, of("loss_availability"))
    if length is None:
        length = planned + of("excluded")
    missing = length - planned - of("excluded")
    if missing > 0.001 and not any(kind in PLANNED for kind, _ in pieces):
        pieces.append(("break", missing))
    elif abs(missing) > 0.001:
        raise Unread(f"shift, breaks and planned time contradict each other by {missing} s")
    given = [("run", run)]
    share = d.get("availability")
    given += [("availability", None if share is None else share * planned)]
    for name, ran in given:
        if ran is not None:
            lost = planned - of("loss_availability") - ran
            if lost > 0.001 and not d.has("down") and ("down", lost) not in pieces:
                pieces.append(("down", lost))
            # What is said to run in planned downtime is no run time.
            elif abs(lost) > 0.001 and not (d.has("down") and 0 < -lost <= of("excluded") + 0.001):
                raise Unread(f"{name} contradicts planned time and stops, by {lost} s")
    left = planned - of("loss_availability")
    if left < -0.001:
        raise Unread(f"more stops than planned time, by {-left} s")
    return Layout(length, planned, left, _window(d, length, planned), pieces)


def _planned_from(d: Description, run: float | None, lost: float) -> float:
    """Planned time of a source that gives none."""
    share, cycle, most = d.get("availability"), d.get("cycle"), d.get("capacity")
    if run is not None:
        return run / share if share else run + lost
    if cycle is not None and most is not None:
        return cycle * most
    if lost > 0:
        raise Unread("stops of an unknown time")
    if most is not None:
        return most  # a second a piece: the ratio is the same with any cycle
    return 100 * HOUR  # ratios alone say nothing of a length


def _window(d: Description, length: float, planned: float) -> float:
    window = d.get("calendar")
    for share, of in ((d.get("utilization"), planned), (d.get("loading"), length)):
        if share is not None:
            if window is not None:
                agree("utilization", window, of / share, 0.001)
            window = of / share
    return max(length, window or 0.0)


def lay(db: psycopg.Connection, it: Layout, begin: datetime, code: str = "m1") -> datetime:
    """The pieces one after the other from `begin` on; where the machine begins to run."""
    for kind, length in it.pieces:
        end = at(begin, length)
        if kind in PLANNED:
            plant.plan(db, begin, end, CLASS[kind], code)
        elif kind == "disconnected":
            silent(db, begin, code)
            plant.state(db, "running", end, code)
        else:
            plant.stop(db, begin, end, "changeover" if kind == "setup" else "breakdown", code)
        begin = end
    return begin


def silent(db: psycopg.Connection, when: datetime, code: str = "m1") -> None:
    """From now on the machine says nothing: a word of its own, and no other."""
    row = {"machine": code, "at": when.isoformat(), "state": "idle"}
    call(db, "equipment", "record_machine_states", p_events=Jsonb([row]))


def micro_stops(db: psycopg.Connection, d: Description, begin: datetime, code: str) -> None:
    """Short stops without a reason, each within the threshold of the machine (an hour)."""
    for length in d.all("micro"):
        parts = int(length // HOUR) + 1
        for _ in range(parts if length > 0 else 0):
            plant.stop(db, begin, at(begin, length / parts), None, code)
            begin = at(begin, length / parts + 1)


@dataclass
class Pieces:
    cycle: float | None
    good: float
    scrap: float
    rework: float

    @property
    def total(self) -> float:
        return self.good + self.scrap + self.rework


def pieces_of(d: Description, planned: float, run: float) -> Pieces:
    total, good, scrap, rework = (d.get(k) for k in ("total", "good", "scrap", "rework"))
    speed, share, oee = d.get("performance"), d.get("quality"), d.get("oee")
    cycle = _cycle(d, planned, run, total, speed)
    if good is not None and total is None and (scrap is not None or rework is not None):
        total = good + (scrap or 0) + (rework or 0)
    if total is None and (real := d.get("actual_cycle")):
        total = round(run / real, 3)
    if total is None and speed is not None and cycle:
        total = round(speed * run / cycle, 3)
    elif total is not None and speed is not None and cycle and run:
        agree("performance", total * cycle / run, speed, 0.001)
    if oee is not None and cycle:
        if total is not None or good is not None:
            agree("oee", ((good if good is not None else total) or 0) * cycle / planned, oee, 0.001)
        else:
            good = round(oee * planned / cycle, 3)
    if good is None and total is not None:
        good = (
            round(total * share, 3) if share is not None else total - (scrap or 0) - (rework or 0)
        )
    good = good or 0.0
    total = good if total is None else total
    rework = rework or 0.0
    rest = round(total - good - rework, 3)
    if scrap is not None:
        agree("scrap", rest, scrap, 1e-6)
    if rest < 0:
        raise Unread(f"more good pieces than pieces, by {-rest}")
    return Pieces(cycle, good, rest, rework)


def _cycle(
    d: Description, planned: float, run: float, total: float | None, speed: float | None
) -> float | None:
    cycle, most, meant = d.get("cycle"), d.get("capacity"), d.get("planned_pieces")
    if cycle is None and most:
        cycle = planned / most
    elif cycle is not None and most is not None:
        agree("capacity", planned / cycle, most, 0.001)
    if meant is not None:
        if cycle is None:
            raise Unread("planned pieces, and no ideal cycle")
        agree(
            "planned pieces",
            min((run / cycle, planned / cycle), key=lambda x: abs(x - meant)),
            meant,
            0.001,
        )
    if cycle is None and speed is not None and total:
        return speed * run / total
    if cycle is None and (speed is not None or d.has("oee")):
        return 1.0
    return cycle


def book(
    db: psycopg.Connection, found: Pieces, when: datetime, code: str = "m1", sku: str | None = None
) -> None:
    """All pieces in the minute before `when`, in as many bookings as they are too many for one."""
    if found.cycle is not None:
        plant.ideal(db, found.cycle, code, sku)
    parts = int(found.total // MOST_PIECES) + 1
    counts = {"good": found.good, "scrap": found.scrap, "rework": found.rework}
    done = dict.fromkeys(counts, 0.0)
    for n in range(parts if found.total else 0):
        upto = {k: round(v * (n + 1) / parts, 3) for k, v in counts.items()}
        row = {"at": at(when, -60), **{k: round(upto[k] - done[k], 3) for k in counts}}
        count(db, {**row, "key": f"{sku}/{when.isoformat()}/{n}", "sku": sku}, code)
        done = upto


def count(db: psycopg.Connection, row: Numbers, code: str = "m1") -> None:
    answer = plant.count(db, {k: v for k, v in row.items() if v is not None}, code=code)
    if answer["refused"]:
        raise Unread(f"not a count: {row} {answer}")


def named(figures: Numbers) -> Numbers:
    """Figures with what follows from them and has a name of its own."""
    run_s, setup, delay = figures["run_s"], figures["setup_s"], figures["delay_s"]
    ratios = [figures[k] for k in ("availability", "performance", "quality_pieces")]
    weighted = figures["quality"]
    return figures | {
        "aupt_s": run_s + setup,
        "aubt_s": run_s + setup + delay,
        # Without an ideal cycle pieces are all that quality can be of.
        "quality": weighted if weighted is not None else figures["quality_pieces"],
        "quality_weighted": weighted,
        "first_pass_yield": figures["quality_pieces"],
        "oee_with_quality_pieces": None if None in ratios else ratios[0] * ratios[1] * ratios[2],
    }
