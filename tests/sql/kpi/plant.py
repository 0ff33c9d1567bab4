"""A machine in a plant, its shifts, and what it does, all through the RPCs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.types.json import Jsonb

from tests.support.rpc import call

ZONE = "Etc/UTC"
OLDEST = 400  # days that a pattern, a question or an exception may reach back


def monday_of_march() -> date:
    """The first Monday of the latest March of which two weeks are over: winter in Europe, summer in
    Sydney, and never further back than a pattern reaches."""
    for year in (date.today().year, date.today().year - 1):
        day = date(year, 3, 1)
        day += timedelta(days=-day.weekday() % 7)
        if day + timedelta(days=14) < date.today():
            break
    return day


def clock_change(zone: str, spring: bool) -> date:
    """The day before the latest night, over for two days, in which the clocks went forward."""
    for back in range(2, OLDEST):
        day = date.today() - timedelta(days=back)
        first, last = (
            datetime(d.year, d.month, d.day, 12, tzinfo=ZoneInfo(zone)).utcoffset() or timedelta()
            for d in (day, day + timedelta(days=1))
        )
        if (last > first) if spring else (last < first):
            return day
    raise LookupError(f"{zone} does not change its clocks")


def like_day(day: date, zone: str, starts: str, ends: str) -> date:
    """`day`, or if that is out of reach the latest one of the same weekday and the same clocks."""
    here = ZoneInfo(zone)

    def clocks(of: date) -> tuple[int, timedelta | None, timedelta | None]:
        first, last = (datetime.combine(of, time.fromisoformat(t), here) for t in (starts, ends))
        last += timedelta(days=last <= first)
        return of.weekday(), first.utcoffset(), last.utcoffset()

    if abs((date.today() - day).days) < OLDEST - 10:
        return day
    for back in range(2, OLDEST - 10):
        found = date.today() - timedelta(days=back)
        if clocks(found) == clocks(day):
            return found
    raise LookupError(f"no day like {day} in {zone}")


_DAY = monday_of_march()
START = datetime(_DAY.year, _DAY.month, _DAY.day, 6, tzinfo=UTC)
DAY = _DAY.isoformat()


def base(seconds: float = 0) -> datetime:
    """A Monday, midnight, with room for so much time until now, and five weeks at least. Shifts are
    made of every day since: the nearer the faster."""
    back = timedelta(seconds=max(seconds, 28 * 86400)) + timedelta(days=8)
    day = date.today() - back
    return datetime.combine(day - timedelta(days=day.weekday()), time(), UTC)


BASE = base()
Interval = tuple[datetime, datetime | None]


def at(start: datetime, seconds: float) -> datetime:
    return start + timedelta(seconds=seconds)


def zone_where_it_is(hour: int) -> str:
    """A zone whose clock shows this hour now, so that it is known how far midnight is."""
    west = datetime.now(UTC).hour - hour
    west -= 24 * (west > 12) - 24 * (west < -14)
    return f"Etc/GMT{'+' if west >= 0 else '-'}{abs(west)}"


def work_centre(
    db: psycopg.Connection, code: str = "CNC-1", zone: str = ZONE, **fields: Any
) -> str:
    """A work centre of the site `main`, whose clock is set to `zone`; `step`: its process step."""
    db.execute("reset role")  # in a transaction around several calls it is that of the last one
    db.execute("update public.sites set time_zone = %s where code = 'main'", (zone,))
    step = fields.pop("step", "CNC")
    db.execute(
        "insert into public.process_steps (code, title, sequence) values (%s, %s, 1)"
        " on conflict do nothing",
        (step, step),
    )
    db.execute(
        "insert into public.work_centres (code, title, step, site, capacity)"
        " values (%s, %s, %s, 'main', %s) on conflict do nothing",
        (code, code, step, fields.pop("capacity", 1)),
    )
    return code


def machine(
    db: psycopg.Connection, code: str = "m1", centre: str | None = "CNC-1", **fields: Any
) -> str:
    """A machine at a work centre; `fields` as save_machine takes them, without their p_."""
    if centre is not None:
        work_centre(db, centre, fields.pop("zone", ZONE))
    named = {f"p_{name}": value for name, value in fields.items()}
    call(
        db, "planner", "save_machine", p_code=code, p_name=code, p_site="main",
        p_work_centre=centre, **named,
    )  # fmt: skip
    return code


def shift(
    name: str, starts: str, ends: str, breaks: Iterable[tuple[str, str]] = (), **more: Any
) -> Any:
    """One shift of a pattern, as save_shift_pattern takes it."""
    rests = [{"starts": a, "ends": b} for a, b in breaks]
    return {"shift": name, "title": name, "starts": starts, "ends": ends, "breaks": rests, **more}


def pattern(
    db: psycopg.Connection, *shifts: Any, centre: str = "CNC-1", since: date | None = None
) -> Any:
    return call(
        db, "planner", "save_shift_pattern", p_work_centre=centre,
        p_valid_from=since or START.date(), p_shifts=Jsonb(list(shifts)),
    )  # fmt: skip


def around_the_clock(
    db: psycopg.Connection, centre: str = "CNC-1", since: date | None = None
) -> None:
    """One shift after the other, without a break, day and night."""
    pattern(db, shift("all", "00:00", "00:00"), centre=centre, since=since)


def state(db: psycopg.Connection, name: str, when: datetime, code: str = "m1", **more: Any) -> Any:
    """The machine does something else since `when`; as a person says it, so it holds."""
    named = {f"p_{key}": value for key, value in more.items()}
    return call(
        db, "operator", "record_machine_state", p_machine=code, p_state=name, p_at=when, **named
    )


def who_may_say(reason: str | None) -> str:
    """A planned reason takes time out of the plan: an operator may not."""
    return "supervisor" if reason in ("meeting", "planned-maintenance", "no-order") else "operator"


def stop(
    db: psycopg.Connection, begin: datetime, end: datetime | None = None, reason: str | None = None,
    code: str = "m1",
) -> Any:  # fmt: skip
    return call(
        db, who_may_say(reason), "start_stop", p_machine=code, p_reason=reason, p_at=begin,
        p_ended_at=end,
    )["stop"]  # fmt: skip


def plan(
    db: psycopg.Connection, begin: datetime, end: datetime, kind: str = "break", code: str = "m1"
) -> Any:
    return call(
        db, "planner", "plan_stop", p_machine=code, p_from=begin, p_to=end, p_time_class=kind
    )


def ideal(db: psycopg.Connection, seconds: float, code: str = "m1", sku: str | None = None) -> Any:
    exact = Decimal(str(seconds))
    return call(db, "planner", "set_ideal_cycle", p_machine=code, p_ideal_s=exact, p_sku=sku)


def count(db: psycopg.Connection, *rows: dict[str, Any], code: str = "m1") -> Any:
    """Counts of the machine; `at` is required in each row."""
    given = [
        {"machine": code, "key": f"{row['at'].isoformat()}/{n}", **row, "at": row["at"].isoformat()}
        for n, row in enumerate(rows)
    ]
    return call(db, "operator", "record_counts", p_counts=Jsonb(given))


def oee(
    db: psycopg.Connection, begin: datetime, end: datetime, *, code: str | None = "m1",
    by: str = "total", as_of: datetime | None = None, **more: Any,
) -> list[dict[str, Any]]:  # fmt: skip
    """get_oee as JSON: [{key, inputs, ratios, …}]."""
    answer = call(
        db, "viewer", "get_oee", p_machine=code, p_from=begin, p_to=end, p_by=by, p_as_of=as_of,
        **{f"p_{name}": value for name, value in more.items()},
    )  # fmt: skip
    return list(answer)


def figures(db: psycopg.Connection, begin: datetime, end: datetime, **more: Any) -> dict[str, Any]:
    """Inputs and ratios of one window in one dictionary."""
    (row,) = oee(db, begin, end, **more)
    return {**row["inputs"], **row["ratios"]}
