"""What holds for every story of a machine: an oracle agrees, windows add up, order is nothing."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Any
from zoneinfo import ZoneInfo

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
MANY = settings(
    max_examples=60, deadline=None, derandomize=True,
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


Counted = tuple[int, int, int, int]  # second, good, scrap, rework


def tell(db: psycopg.Connection, day: Day, code: str = "m1", said: Any = None) -> None:
    """The story, through the RPCs; `said`: its states in another order. One call for all that comes
    from one mouth, one after the other."""
    db.execute("reset role")
    db.execute(
        "update public.machine_versions set silence_s = %s, micro_stop_s = %s where machine = %s",
        (day.silence_s, day.micro_s, code),
    )
    for holds, of in groupby(said or sorted(day.said, key=lambda s: s.holds), lambda s: s.holds):
        rows = [{"machine": code, "at": at(START, s.at).isoformat(), "state": s.state} for s in of]
        who = "operator" if holds else "equipment"
        call(db, who, "record_machine_states", p_events=Jsonb(rows))
    for a, b, reason in day.stops:
        plant.stop(db, at(START, a), at(START, b), reason, code)
    for a, b in day.planned:
        plant.plan(db, at(START, a), at(START, b), "meeting", code)


def tell_counts(db: psycopg.Connection, counts: list[tuple[int, Counted]], code: str) -> None:
    """[(key, count)], in one call."""
    rows = [
        {"machine": code, "key": f"k{key}", "at": at(START, second).isoformat(), "good": good,
         "scrap": scrap, "rework": rework}
        for key, (second, good, scrap, rework) in counts
    ]  # fmt: skip
    if rows:
        assert call(db, "operator", "record_counts", p_counts=Jsonb(rows))["refused"] == []


def windows(
    db: psycopg.Connection, spans: list[tuple[datetime, datetime]], code: str = "m1",
    as_of: datetime | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """kpi_window of many windows in one question."""
    db.execute("reset role")
    rows = db.execute(
        "select to_jsonb(private.kpi_window(%s, w.a, w.b, %s))"
        " from unnest(%s::timestamptz[], %s::timestamptz[]) with ordinality as w (a, b, n)"
        " order by w.n",
        (code, as_of or at(START, LENGTH), [a for a, _ in spans], [b for _, b in spans]),
    ).fetchall()
    return [dict(row[0]) for row in rows]


def assert_adds_up(parts: list[dict[str, Any]], whole: dict[str, Any]) -> None:
    assert {name: sum(Decimal(str(p[name])) for p in parts) for name in whole} == {
        name: Decimal(str(value)) for name, value in whole.items()
    }


@st.composite
def counted(draw: st.DrawFn) -> list[tuple[int, Counted]]:
    piece = st.integers(0, 9)
    found = draw(st.lists(st.tuples(st.integers(0, LENGTH - 1), piece, piece, piece), max_size=12))
    return [(n, row) for n, row in enumerate(found) if sum(row[1:])]


@MANY
@given(day=days(), asked=st.lists(st.tuples(seconds, seconds), min_size=1, max_size=6))
def test_an_oracle_agrees_to_the_second(
    db: psycopg.Connection, day: Day, asked: list[tuple[int, int]]
) -> None:
    with db.transaction(force_rollback=True):
        tell(db, day)
        found = windows(db, [(at(START, a), at(START, a + length)) for a, length in asked])
    for (first, length), actual in zip(asked, found, strict=True):
        said = {k: v for k, v in vars(sums(day, first, first + length)).items() if k != "kinds"}
        assert {name: actual[name] for name in said} == said


@MANY
@given(day=days(), counts=counted(), marks=st.sets(seconds, min_size=1, max_size=8))
def test_a_window_is_the_sum_of_its_parts(
    db: psycopg.Connection, day: Day, counts: list[tuple[int, Counted]], marks: set[int]
) -> None:
    with db.transaction(force_rollback=True):
        tell(db, day)
        plant.ideal(db, 7.0625)
        tell_counts(db, counts, "m1")
        cuts = [at(START, mark) for mark in sorted({0, LENGTH, *marks})]
        whole, *parts = windows(db, [(cuts[0], cuts[-1]), *pairwise(cuts)])
    assert_adds_up(parts, whole)


@MANY
@given(day=days(), counts=counted(), data=st.data())
def test_order_and_repeats_change_nothing(
    db: psycopg.Connection, day: Day, counts: list[tuple[int, Counted]], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(day.said), max_size=8)) if day.said else []
    said = data.draw(st.permutations([*day.said, *again]))
    repeated = data.draw(st.lists(st.sampled_from(counts), max_size=8)) if counts else []
    shuffled = data.draw(st.permutations([*counts, *repeated]))
    cut = data.draw(st.integers(0, len(shuffled)))
    with db.transaction(force_rollback=True):
        for code in ("m1", "m2"):
            plant.ideal(db, 7.0625, code)
        tell(db, day)
        tell_counts(db, counts, "m1")
        tell_counts(db, shuffled[:cut], "m2")  # before the states that they came with
        tell(db, day, "m2", said)
        tell_counts(db, shuffled[cut:], "m2")
        spans = [(START, at(START, LENGTH)), (at(START, 1000), at(START, 4000))]
        assert windows(db, spans) == windows(db, spans, "m2")


NIGHTS = [
    ("Europe/Berlin", True), ("Europe/Berlin", False), ("America/New_York", False),
    ("Australia/Lord_Howe", True), ("Australia/Lord_Howe", False),
]  # fmt: skip
A_DAY = 24 * HOUR


@pytest.mark.parametrize(("zone", "spring"), NIGHTS)
def test_days_of_daylight_saving_add_up(
    shared: psycopg.Connection, zone: str, spring: bool
) -> None:
    """Wherever a night in which the clocks change is cut, also within the hour that comes twice."""
    eve = plant.clock_change(zone, spring)
    noon = datetime.combine(eve, time(12), ZoneInfo(zone)).astimezone(UTC)
    begin, end = noon, at(noon, A_DAY)
    when = st.integers(0, A_DAY)

    @settings(MANY, max_examples=15)
    @given(
        said=st.lists(st.tuples(when, st.sampled_from(STATES)), max_size=12),
        made=st.lists(st.tuples(st.integers(0, A_DAY - 1), st.integers(1, 9)), max_size=8),
        marks=st.sets(when, min_size=1, max_size=8),
    )
    def cut_anywhere(
        said: list[tuple[int, str]], made: list[tuple[int, int]], marks: set[int]
    ) -> None:
        with shared.transaction(force_rollback=True):
            states = [
                {"machine": "m1", "at": at(begin, s).isoformat(), "state": x} for s, x in said
            ]
            call(shared, "operator", "record_machine_states", p_events=Jsonb(states))
            counts = [
                {"machine": "m1", "key": str(n), "at": at(begin, s).isoformat(), "good": good}
                for n, (s, good) in enumerate(made)
            ]
            if counts:
                call(shared, "operator", "record_counts", p_counts=Jsonb(counts))
            cuts = [at(begin, mark) for mark in sorted({0, A_DAY, *marks})]
            found = windows(shared, [(begin, end), *pairwise(cuts)], as_of=end)
        assert_adds_up(found[1:], found[0])
        assert found[0]["window_s"] == found[0]["scheduled_s"] == A_DAY

    with shared.transaction(force_rollback=True):
        machine(shared, zone=zone)
        plant.pattern(
            shared, plant.shift("night", "22:00", "06:00", [("02:15", "02:45")]),
            plant.shift("rest", "06:00", "22:00"), since=eve,
        )  # fmt: skip
        plant.state(shared, "running", at(begin, -A_DAY))
        cut_anywhere()
        rows = plant.oee(shared, begin, end, by="hour")
        (whole,) = plant.oee(shared, begin, end)
    assert len({row["key"] for row in rows}) in (24, 25)  # 25 half-hour zones begin within one
    for name in ("window_s", "scheduled_s", "planned_s", "run_s"):
        assert sum(row["inputs"][name] for row in rows) == whole["inputs"][name]


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
