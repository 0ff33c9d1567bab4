"""MTTR and MTBF: each failure once, each second of it once, in the window where it belongs."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from tests.sql.kpi import failures, plant
from tests.sql.kpi.failures import BASE, SPAN, Failure, Sums
from tests.support.printing import attempt
from tests.support.rpc import call

DAY = 86400


@pytest.fixture
def m1(db: psycopg.Connection) -> psycopg.Connection:
    """m1 works day and night, and runs unless somebody says that it stands."""
    plant.machine(db)
    plant.around_the_clock(db, since=BASE.date())
    plant.state(db, "running", BASE - timedelta(days=1))
    return db


def asked(
    db: psycopg.Connection, begin: int, end: int, as_of: int | None = None, **more: Any
) -> Any:
    """(MTTR, MTBF) rows of the window."""
    span = {
        "p_from": failures.when(begin), "p_to": failures.when(end),
        "p_as_of": failures.when(as_of), **(more or {"p_machine": "m1"}),
    }  # fmt: skip
    return call(db, "viewer", "get_mttr", **span), call(db, "viewer", "get_mtbf", **span)


def figures(db: psycopg.Connection, begin: int, end: int, as_of: int | None = None) -> Sums:
    (mttr,), (mtbf,) = asked(db, begin, end, as_of)
    assert mttr["failures"] == mtbf["failures"]
    assert mttr["mttr_s"] == mtbf["mttr_s"]
    if mtbf["failures"]:
        assert mtbf["mtbf_s"] == pytest.approx(mtbf["operating_s"] / mtbf["failures"])
        assert mtbf["at_least_s"] is None
    else:
        assert (mtbf["mtbf_s"], mtbf["at_least_s"]) == (None, mtbf["operating_s"])
    whole = round((mttr["mttr_s"] or 0) * mttr["restored"], 6)
    return Sums(mttr["failures"], mttr["restored"], mttr["open"], whole, mtbf["operating_s"])


@pytest.mark.parametrize("seed", range(12))
def test_every_window_is_what_the_oracle_says(m1: psycopg.Connection, seed: int) -> None:
    dice = random.Random(seed)
    story = failures.tell(dice)
    failures.write(m1, "m1", story)
    bounds = [b for one in story for stop in one.stops for b in stop if b is not None]
    for _ in range(12):
        begin, end = sorted(
            dice.choice((dice.randint(0, SPAN), dice.choice(bounds), dice.choice(bounds) + 1))
            for _ in range(2)
        )
        as_of = dice.choice((SPAN * 2, dice.randint(begin, SPAN), dice.choice(bounds)))
        if end > begin:
            wanted = failures.sums(story, begin, end, as_of)
            assert figures(m1, begin, end, as_of) == wanted, (begin, end, as_of)
            (mttr,), _ = asked(m1, begin, end, as_of)
            assert mttr["corrective_s"] == failures.clipped(story, begin, end, as_of)


def test_windows_side_by_side_add_up(m1: psycopg.Connection) -> None:
    """Open before + began = restored + open after, over every cut."""
    story = failures.tell(random.Random(99))
    failures.write(m1, "m1", story)
    cuts = sorted({0, SPAN, *(s[0] for one in story for s in one.stops)})
    parts = [figures(m1, a, b) for a, b in pairwise(cuts)]
    whole = figures(m1, 0, SPAN)
    for name in ("failures", "restored", "down", "ran"):
        assert sum(getattr(p, name) for p in parts) == getattr(whole, name), name
    before = 0
    for part in parts:
        assert before + part.failures == part.restored + part.open
        before = part.open


def test_stops_are_added_up_and_not_the_time_between_them(m1: psycopg.Connection) -> None:
    failures.write(m1, "m1", [Failure(((1000, 1600), (9000, 9300)), repaired=True)])
    assert figures(m1, 0, DAY) == Sums(1, 1, 0, 900, DAY - 900)


def test_a_failure_that_lasts_over_the_end_is_open(m1: psycopg.Connection) -> None:
    failures.write(m1, "m1", [Failure(((1000, 5000),), repaired=True)])
    assert figures(m1, 0, 3000) == Sums(1, 0, 1, 0, 1000)
    assert figures(m1, 3000, DAY) == Sums(0, 1, 0, 4000, DAY - 5000)
    assert figures(m1, 0, DAY, as_of=3000) == Sums(1, 0, 1, 0, 1000)


def test_a_repair_that_joins_an_older_stop_did_not_happen_with_it(m1: psycopg.Connection) -> None:
    """It stood for material since Monday; on Tuesday somebody found that it is broken, too."""
    story = [Failure(((DAY + 100, DAY + 700),), repaired=True, shared=1000)]
    failures.write(m1, "m1", story)
    assert figures(m1, 0, DAY).failures == 0
    assert figures(m1, DAY, 2 * DAY) == Sums(1, 1, 0, 600, DAY - 700)


@pytest.mark.parametrize("repaired", [True, False])
def test_a_failure_at_the_boundary_is_in_one_window(m1: psycopg.Connection, repaired: bool) -> None:
    """Also when it was reported more than a day after it stood."""
    failures.write(m1, "m1", [Failure(((DAY, DAY + 600),), repaired=repaired)])
    m1.execute("alter table public.repairs disable trigger _500_stops")
    m1.execute(
        "update public.repairs set occurred_at = occurred_at + interval '3 days',"
        " reported_at = reported_at + interval '3 days', acknowledged_at = null, started_at = null,"
        " repaired_at = null, verified_at = null, closed_at = closed_at + interval '4 days'"
    )
    assert [figures(m1, d * DAY, (d + 1) * DAY).failures for d in range(5)] == [0, 1, 0, 0, 0]
    assert [figures(m1, d * DAY, (d + 1) * DAY).restored for d in range(5)] == [0, 1, 0, 0, 0]


def test_a_machine_that_moved_has_failed_once(m1: psycopg.Connection) -> None:
    """It broke on line A and stood still when it was moved to B."""
    for line in ("A", "B"):
        call(m1, "planner", "save_line", p_code=line, p_title=f"Line {line}", p_site="main")
    failures.write(m1, "m1", [Failure(((1000, 9000),), repaired=True), Failure(((DAY, None),))])
    m1.execute("update public.machine_versions set line = 'A'")
    m1.execute(
        "insert into public.machine_versions (machine, valid_from, line, work_centre, micro_stop_s,"
        " silence_s) values ('m1', %s, 'B', 'CNC-1', 120, 300)",
        (failures.when(5000),),
    )
    mttr, mtbf = asked(m1, 0, 2 * DAY, p_site="main", p_by="line")
    told = [(r["key"], r["title"], r["failures"], r["restored"], r["open"]) for r in mttr]
    assert told == [("A", "Line A", 1, 0, 0), ("B", "Line B", 1, 1, 1)]
    assert [(r["key"], r["title"], r["failures"]) for r in mtbf] == [
        ("A", "Line A", 1),
        ("B", "Line B", 1),
    ]
    ((whole,), _) = asked(m1, 0, 2 * DAY, p_site="main", p_by="machine")
    assert (whole["title"], whole["failures"], whole["restored"], whole["open"]) == ("m1", 2, 1, 1)


@pytest.mark.parametrize("told", [True, False])
def test_a_breakdown_that_was_split_is_one_failure(m1: psycopg.Connection, told: bool) -> None:
    """Also when the repair was told of one half only."""
    stop = plant.stop(m1, BASE, BASE + timedelta(hours=1), "breakdown")
    for minutes in (20, 40):
        call(
            m1, "operator", "split_stop", p_machine="m1", p_at=BASE + timedelta(minutes=minutes),
            p_reason="breakdown",
        )  # fmt: skip
    if told:
        half = Failure(((90_000, 90_001),), repaired=True)
        failures.write(m1, "m1", [half])
        m1.execute("delete from public.stop_repairs where stop_id <> %s", (stop["id"],))
        m1.execute(
            "insert into public.stop_repairs (stop_id, repair_id)"
            " select %s, id from public.repairs",
            (stop["id"],),
        )
        m1.execute("delete from public.stops where lower(during) = %s", (failures.when(90_000),))
    assert figures(m1, 0, DAY) == Sums(1, 1, 0, 3600, DAY - 3600)


@pytest.mark.parametrize("runs", [True, False])
def test_without_a_stop_it_runs_again_when_the_repair_is_closed(
    m1: psycopg.Connection, runs: bool
) -> None:
    """As with a stop, which closing ends; verified is not closed."""
    failures.write(m1, "m1", [Failure(((1000, 5000),), repaired=True)])
    m1.execute("delete from public.stop_repairs; delete from public.stops")
    m1.execute("alter table public.repairs disable trigger _500_stops")
    m1.execute("update public.repairs set runs_again = %s", (runs,))
    (mttr,), _ = asked(m1, 0, DAY)
    assert (mttr["restored"], mttr["open"]) == (int(runs), int(not runs))
    assert mttr["mttr_s"] == (5000 + 3600 - 1010 if runs else None)


# The last weeks ---------------------------------------------------------------------------------


def test_the_last_weeks_are_what_mttr_and_mtbf_say(db: psycopg.Connection) -> None:
    plant.machine(db, zone="America/New_York")
    today = datetime.now(UTC).date()
    plant.around_the_clock(db, since=today - timedelta(days=60))
    plant.state(db, "running", datetime.now(UTC) - timedelta(days=61))
    begin = datetime.now(UTC) - timedelta(days=40)
    for n in range(6):
        at = begin + timedelta(days=6 * n)
        plant.stop(db, at, at + timedelta(hours=n + 1), "breakdown")
    plant.stop(db, datetime.now(UTC) - timedelta(hours=2), None, "breakdown")
    weeks = call(db, "viewer", "get_reliability_weeks", p_weeks=6, p_site="main")
    assert len(weeks) == 6
    assert weeks[-1]["open"] == 1
    assert sum(w["failures"] for w in weeks) >= 6
    for week in weeks:
        assert datetime.fromisoformat(week["week"]).weekday() == 0
        span = {"p_site": "main", "p_from": week["starts_at"], "p_to": week["ends_at"]}
        (mttr,) = call(db, "viewer", "get_mttr", **span)
        (mtbf,) = call(db, "viewer", "get_mtbf", **span)
        for name in ("failures", "restored", "open", "mttr_s"):
            assert week[name] == mttr[name]
        for name in ("operating_s", "mtbf_s", "at_least_s", "inherent_availability"):
            assert week[name] == mtbf[name]


@pytest.mark.parametrize("weeks", [0, 54, None])
def test_weeks_that_there_are_not(m1: psycopg.Connection, weeks: int | None) -> None:
    assert attempt(m1, "viewer", "get_reliability_weeks", p_weeks=weeks) == (422, "kpi.range")
