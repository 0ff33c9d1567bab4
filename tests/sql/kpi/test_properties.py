"""What holds for every story of a machine: an oracle agrees, windows add up, order is nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.sql.kpi import plant
from tests.sql.kpi.oracle import Day, Said, sums
from tests.sql.kpi.plant import START, at, machine
from tests.support.rpc import call

HOUR = 3600
LENGTH = 5400
STATES = ("running", "running", "setup", "idle", "stopped", "fault", "off")
FEW = settings(
    max_examples=10, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
seconds = st.integers(0, LENGTH)


@st.composite
def ranges(draw: st.DrawFn, most: int) -> tuple[tuple[int, int], ...]:
    """Ranges that do not touch, in order."""
    marks = sorted(draw(st.sets(st.integers(0, LENGTH - 1), max_size=2 * most)))
    return tuple((marks[n], marks[n + 1]) for n in range(0, len(marks) - 1, 2))


@st.composite
def days(draw: st.DrawFn) -> Day:
    said = draw(
        st.lists(
            st.builds(Said, seconds, st.sampled_from(STATES), st.booleans()),
            max_size=25,
            unique_by=lambda s: s.at,
        )
    )
    reasons = st.sampled_from([None, "breakdown", "material"])
    stops = tuple((a, b, draw(reasons)) for a, b in draw(ranges(3)))
    return Day(
        end=LENGTH,
        said=tuple(said),
        shifts=((0, 2400), (3600, LENGTH)),
        planned=draw(ranges(2)),
        stops=stops,
        silence_s=draw(st.sampled_from([60, 300, 900])),
        micro_s=draw(st.sampled_from([0, 120, 900])),
    )


@pytest.fixture
def db(db: psycopg.Connection) -> psycopg.Connection:
    """06:00–06:40 and 07:00–07:30 every day; machines m1 and m2."""
    plant.work_centre(db)
    plant.pattern(db, plant.shift("a", "06:00", "06:40"), plant.shift("b", "07:00", "07:30"))
    for code in ("m1", "m2"):
        machine(db, code)
    return db


def tell(db: psycopg.Connection, day: Day, code: str = "m1", said: Any = None) -> None:
    """The story, through the RPCs; `said`: its states in another order."""
    db.execute("reset role")
    db.execute(
        "update public.machine_versions set silence_s = %s, micro_stop_s = %s where machine = %s",
        (day.silence_s, day.micro_s, code),
    )
    for one in day.said if said is None else said:
        row = {"machine": code, "at": at(START, one.at).isoformat(), "state": one.state}
        who = "operator" if one.holds else "equipment"
        call(db, who, "record_machine_states", p_events=Jsonb([row]))
    for a, b, reason in day.stops:
        plant.stop(db, at(START, a), at(START, b), reason, code)
    for a, b in day.planned:
        plant.plan(db, at(START, a), at(START, b), "meeting", code)


def window(
    db: psycopg.Connection, begin: datetime, end: datetime, code: str = "m1"
) -> dict[str, Any]:
    db.execute("reset role")
    row = db.execute(
        "select to_jsonb(private.kpi_window(%s, %s, %s, %s))", (code, begin, end, at(START, LENGTH))
    ).fetchone()
    assert row is not None
    return dict(row[0])


@FEW
@given(day=days(), first=seconds, length=seconds)
def test_an_oracle_agrees_to_the_second(
    db: psycopg.Connection, day: Day, first: int, length: int
) -> None:
    with db.transaction(force_rollback=True):
        tell(db, day)
        actual = window(db, at(START, first), at(START, first + length))
    expected = {k: v for k, v in vars(sums(day, first, first + length)).items() if k != "kinds"}
    assert {name: actual[name] for name in expected} == expected


@FEW
@given(day=days(), marks=st.sets(seconds, min_size=1, max_size=4))
def test_a_window_is_the_sum_of_its_parts(
    db: psycopg.Connection, day: Day, marks: set[int]
) -> None:
    with db.transaction(force_rollback=True):
        tell(db, day)
        plant.ideal(db, 7)
        plant.count(db, *({"at": at(START, n * 400), "good": 3, "scrap": 1} for n in range(13)))
        cuts = [0, *sorted(marks), LENGTH]
        parts = [window(db, at(START, a), at(START, b)) for a, b in pairwise(cuts)]
        whole = window(db, START, at(START, LENGTH))
    assert {name: sum(Decimal(str(p[name])) for p in parts) for name in whole} == {
        name: Decimal(str(value)) for name, value in whole.items()
    }


@FEW
@given(day=days(), data=st.data())
def test_order_and_repeats_change_nothing(
    db: psycopg.Connection, day: Day, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations([*day.said, *day.said[:5]]))
    with db.transaction(force_rollback=True):
        tell(db, day)
        tell(db, day, "m2", shuffled)
        assert window(db, START, at(START, LENGTH)) == window(db, START, at(START, LENGTH), "m2")


@pytest.mark.parametrize("spring", [True, False])
def test_days_of_daylight_saving_add_up(shared: psycopg.Connection, spring: bool) -> None:
    day = datetime(2026, 3, 28, tzinfo=UTC) if spring else datetime(2026, 10, 24, tzinfo=UTC)
    with shared.transaction(force_rollback=True):
        machine(shared, zone="Europe/Berlin")
        plant.pattern(
            shared, plant.shift("night", "22:00", "06:00", [("02:15", "02:45")]),
            plant.shift("rest", "06:00", "22:00"), since=day.date(),
        )  # fmt: skip
        plant.state(shared, "running", day)
        rows = plant.oee(shared, at(day, 12 * HOUR), at(day, 36 * HOUR), by="hour")
        (whole,) = plant.oee(shared, at(day, 12 * HOUR), at(day, 36 * HOUR))
    assert len({row["key"] for row in rows}) == 24
    for name in ("window_s", "scheduled_s", "planned_s", "run_s"):
        assert sum(row["inputs"][name] for row in rows) == whole["inputs"][name]
    assert whole["inputs"]["window_s"] == 24 * HOUR


def test_kept_figures_live_ones_and_reports_are_the_same(db: psycopg.Connection) -> None:
    """Every shift of a week: the snapshot, kpi_window now, and get_oee by shift."""
    for n in range(150):
        begin = at(START, n * 4321)
        rows = [
            {"machine": "m1", "at": at(begin, k * 97).isoformat(), "state": STATES[(n * 7 + k) % 7]}
            for k in range(1 + n % 4)
        ]
        call(
            db, "equipment" if n % 3 else "operator", "record_machine_states", p_events=Jsonb(rows)
        )
    db.execute("reset role")
    end = at(START, 150 * 4321)
    db.execute(
        "select private.snapshot_shift(i, now()) from public.shift_instances i"
        " where i.machine = 'm1' and upper(i.during) < %s",
        (end,),
    )
    found = db.execute(
        "select i.shift_date || ' ' || i.shift, o.inputs = to_jsonb(private.kpi_window(o.machine,"
        " o.starts_at, o.ends_at, now())), o.inputs from public.oee_shifts o"
        " join public.shift_instances i on i.id = o.shift_id"
        " where o.machine = 'm1' and o.ends_at < %s order by o.starts_at",
        (end,),
    ).fetchall()
    assert len(found) > 12
    assert all(same for _, same, _ in found)
    reported = plant.oee(db, START, end, by="shift")
    assert {r["key"]: r["inputs"] for r in reported if r["key"] in {k for k, *_ in found}} == {
        key: inputs for key, _, inputs in found
    }
