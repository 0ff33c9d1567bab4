"""A machine in a plant, its shifts, and what it does, all through the RPCs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.support.rpc import call

ZONE = "Etc/UTC"
START = datetime(2026, 3, 2, 6, tzinfo=UTC)  # a Monday
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
    exact = Decimal(str(round(seconds, 4)))
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
