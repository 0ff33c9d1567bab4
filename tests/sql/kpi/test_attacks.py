"""Machine time under bad luck and bad will: plans changed at ten, figures kept over a batch on its
way, work by plan that is corrected, batches, taps and questions that are too much."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.kpi import plant
from tests.sql.kpi.plant import START, at, count, figures, machine, pattern, shift, state
from tests.support import maintenance
from tests.support.databases import Clone
from tests.support.printing import attempt
from tests.support.rpc import Refused, call

MINUTE, HOUR = 60, 3600
DAY = (
    shift("early", "06:00", "14:00"),
    shift("late", "14:00", "22:00"),
    shift("night", "22:00", "06:00"),
)


@pytest.fixture
def m1(db: psycopg.Connection) -> psycopg.Connection:
    """m1 runs since the day before the first shift; it has produced to no shift yet."""
    machine(db)
    state(db, "running", at(START, -24 * HOUR))
    return db


# Shifts -----------------------------------------------------------------------------------------


def _shifts(db: psycopg.Connection, since: Any) -> list[tuple[Any, ...]]:
    """(day after today, shift) of today and tomorrow."""
    db.execute("reset role")
    rows = db.execute(
        "select shift_date - %(day)s, shift from public.shift_instances where machine = 'm1'"
        " and shift_date between %(day)s and %(day)s + 1 order by during",
        {"day": since},
    )
    return rows.fetchall()


def test_a_pattern_saved_at_ten_leaves_the_rest_of_the_day(db: psycopg.Connection) -> None:
    """The late and the night shift of today are neither lost nor made anew."""
    zone = plant.zone_where_it_is(10)
    machine(db, zone=zone)
    today = datetime.now(ZoneInfo(zone)).date()
    pattern(db, *DAY, since=today)
    before = [(0, "early"), (0, "late"), (0, "night")]
    assert _shifts(db, today) == [*before, (1, "early"), (1, "late"), (1, "night")]
    pattern(db, shift("new", "08:00", "16:00"), since=today)
    assert _shifts(db, today) == [*before, (1, "new")]
    call(
        db, "planner", "save_calendar_exception", p_from_day=today + timedelta(days=1),
        p_to_day=today + timedelta(days=1), p_reason="feast", p_site="main",
    )  # fmt: skip
    assert _shifts(db, today) == before


def test_a_machine_back_in_use_has_its_shifts_by_the_day_of_the_plant(
    db: psycopg.Connection,
) -> None:
    """The clock of the server is a day and two hours behind; what was begun is not made twice."""
    db.execute("set local time zone 'Etc/GMT+12'")
    machine(db, zone="Etc/GMT-14")
    today = datetime.now(ZoneInfo("Etc/GMT-14")).date()
    plant.around_the_clock(db, since=today)
    db.execute("reset role")
    for used in (False, True):
        db.execute("update public.machines set is_active = %s where code = 'm1'", (used,))
    assert _shifts(db, today) == [(0, "all"), (1, "all")]


# Figures that are kept --------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["counts", "states"])
def test_figures_are_not_called_clean_over_a_batch_on_its_way(clone: Clone, what: str) -> None:
    """The shift is dirty when the batch begins, so only the machine itself holds the clock off."""
    with clone.connect() as db, clone.connect() as teller, clone.connect() as clock:
        machine(db)
        pattern(db, shift("early", "06:00", "14:00"))
        for name, hours in (("running", -24), ("off", 9)):  # nothing reaches the next day
            state(db, name, at(START, hours * HOUR))
        _keep(db)
        count(db, {"at": at(START, HOUR), "good": 1})
        with teller.transaction():
            if what == "counts":
                count(teller, {"at": at(START, 2 * HOUR), "good": 10})
            else:
                state(teller, "idle", at(START, 2 * HOUR))
            clock.execute("set lock_timeout = '20s'; select private.snapshot_shifts(now())")
            dirty = clock.execute("select count(*) from public.oee_shifts where is_dirty")
            assert dirty.fetchone() != (0,), "it has its turn later"
        _keep(clock)
        kept = db.execute(
            "select o.inputs, to_jsonb(private.kpi_window('m1', o.starts_at, o.ends_at)),"
            " o.is_dirty from public.oee_shifts o where o.starts_at = %s",
            (START,),
        ).fetchone()
    assert kept is not None
    assert kept[0] == kept[1], "what is kept is what is"
    assert (kept[0]["good"], kept[0]["run_s"]) == (
        (11, 8 * HOUR) if what == "counts" else (1, 2 * HOUR)
    )
    assert kept[2] is False


def _keep(db: psycopg.Connection) -> None:
    """The job of the clock, until no shift is left that it has to keep."""
    while True:
        db.execute("select private.snapshot_shifts(now())")
        left = db.execute(
            "select count(*) from public.shift_instances i left join public.oee_shifts o"
            " on o.shift_id = i.id where upper(i.during) <= now()"
            " and (not i.is_closed or o.is_dirty)"
        ).fetchone()
        if left == (0,):
            return


# Work by plan -----------------------------------------------------------------------------------


def _work_by_plan(db: psycopg.Connection) -> int:
    repair = call(
        db, "operator", "report_repair", p_machine="m1", p_symptom="noise", p_type="scheduled",
        p_is_down=True,
    )["repair"]["id"]  # fmt: skip
    call(db, "technician", "start_repair", p_id=repair)
    return int(repair)


def _planned(db: psycopg.Connection) -> list[tuple[Any, ...]]:
    db.execute("reset role")
    return db.execute(
        "select lower(during), upper(during) from public.planned_stops where repair_id is not null"
        " order by 1"
    ).fetchall()


def test_work_for_which_the_machine_need_not_stand_ends_its_planned_stop(
    m1: psycopg.Connection,
) -> None:
    repair = _work_by_plan(m1)
    assert [end for _, end in _planned(m1)] == [None]
    call(m1, "technician", "update_repair", p_id=repair, p_is_down=False)
    ((_, end),) = _planned(m1)
    assert end is not None
    call(m1, "technician", "update_repair", p_id=repair, p_is_down=True)
    assert [e for _, e in _planned(m1)] == [end, None]


def test_work_by_plan_opened_again_leaves_what_was_produced_in_between(
    m1: psycopg.Connection,
) -> None:
    repair = _work_by_plan(m1)
    maintenance.bring(m1, repair, "closed")
    m1.execute("reset role")
    m1.execute(
        "update public.planned_stops set during = tstzrange(now() - interval '3 hours',"
        " now() - interval '2 hours') where repair_id = %s",
        (repair,),
    )
    ((began, ended),) = _planned(m1)
    again = call(m1, "technician", "reopen_repair", p_id=repair, p_reason="drips again")["repair"]
    second = datetime.fromisoformat(again["status_since"])
    assert _planned(m1) == [(began, ended), (second, None)]
    maintenance.bring(m1, repair, "repaired")
    rows = _planned(m1)
    assert rows[0] == (began, ended)
    assert rows[1][1] is not None


# Batches ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rpc", "field", "code"),
    [
        ("record_machine_states", "p_events", "machine.too_many"),
        ("record_counts", "p_counts", "count.too_many"),
    ],
)
def test_a_batch_that_is_too_long_is_refused_and_not_cut(
    m1: psycopg.Connection, rpc: str, field: str, code: str
) -> None:
    given: dict[str, Any] = {field: Jsonb([{"machine": "none"}] * 50001)}
    assert attempt(m1, "operator", rpc, **given) == (422, code)
    given = {field: Jsonb([{"machine": "none"}] * 50000)}
    assert len(call(m1, "operator", rpc, **given)["refused"]) == 50000


@pytest.mark.parametrize("order", [1, -1])
def test_a_count_and_what_takes_it_back_in_one_batch(m1: psycopg.Connection, order: int) -> None:
    rows = [
        {"machine": "m1", "key": "a", "at": START.isoformat(), "good": 5},
        {"machine": "m1", "key": "b", "at": START.isoformat(), "reverses": "a"},
        {"machine": "m1", "key": "c", "at": START.isoformat(), "good": 2},
    ][::order]
    answer = call(m1, "operator", "record_counts", p_counts=Jsonb(rows))
    assert answer == {"accepted": 3, "duplicates": 0, "refused": []}
    assert call(m1, "operator", "record_counts", p_counts=Jsonb(rows))["duplicates"] == 3
    assert figures(m1, START, at(START, HOUR))["unscheduled_pieces"] == 2


def test_a_refused_count_is_not_there_to_be_taken_back(m1: psycopg.Connection) -> None:
    rows = [
        {"machine": "m1", "key": "a", "at": START.isoformat(), "good": 0},
        {"machine": "m1", "key": "b", "at": START.isoformat(), "reverses": "a"},
        {"machine": "m1", "key": "c", "at": START.isoformat(), "reverses": "b"},
    ]
    answer = call(m1, "operator", "record_counts", p_counts=Jsonb(rows))
    assert (answer["accepted"], answer["refused"]) == (
        0,
        [
            {"n": 1, "code": "count.quantity"},
            {"n": 2, "code": "count.unknown"},
            {"n": 3, "code": "count.unknown"},
        ],
    )


@pytest.mark.parametrize(("times", "is_set_aside"), [
    ({"from": at(START, -32 * 24 * HOUR).isoformat(), "at": START.isoformat()}, True),
    ({"from": "-infinity", "at": START.isoformat()}, True),
    ({"at": "-infinity"}, False),
    ({"at": "infinity"}, False),
])  # fmt: skip
def test_a_count_of_more_than_a_month_or_of_no_time_is_refused(
    m1: psycopg.Connection, times: dict[str, str], is_set_aside: bool
) -> None:
    rows = Jsonb([{"machine": "m1", "key": "k", "good": 1, **times}])
    (refused,) = call(m1, "operator", "record_counts", p_counts=rows)["refused"]
    assert (refused["n"], refused["code"]) == (1, "machine.time")
    assert refused.get("is_quarantined", False) == is_set_aside


@pytest.mark.parametrize("when", ["-infinity", "infinity"])
def test_a_state_of_no_time_is_refused(m1: psycopg.Connection, when: str) -> None:
    events = Jsonb([{"machine": "m1", "state": "idle", "at": when}])
    refused = call(m1, "operator", "record_machine_states", p_events=events)["refused"]
    assert refused == [{"n": 1, "code": "machine.time"}]
    alone: dict[str, Any] = {"p_machine": "m1", "p_state": "idle", "p_at": when}
    assert attempt(m1, "operator", "record_machine_state", **alone) == (422, "machine.time")


# Stops ------------------------------------------------------------------------------------------


def test_a_stop_is_not_split_in_the_future(m1: psycopg.Connection) -> None:
    stop = plant.stop(m1, at(datetime.now(UTC), -HOUR))
    soon = {"p_stop_id": stop["id"], "p_at": at(datetime.now(UTC), HOUR)}
    assert attempt(m1, "operator", "split_stop", **soon) == (422, "machine.time")
    never = {"p_stop_id": stop["id"], "p_at": None}
    assert attempt(m1, "operator", "split_stop", **never) == (422, "stop.split_outside")


@pytest.mark.parametrize("half", ["first", "second"])
def test_a_split_repeated_by_either_half_changes_nothing(m1: psycopg.Connection, half: str) -> None:
    first = plant.stop(m1, START, at(START, HOUR))
    cut = at(START, 20 * MINUTE)
    second = call(m1, "operator", "split_stop", p_stop_id=first["id"], p_at=cut)["stop"]
    named = {"first": first, "second": second}[half]["id"]
    again = call(m1, "operator", "split_stop", p_stop_id=named, p_at=cut)
    assert (again["changed"], again["stop"]) == (False, second)


def test_two_first_taps_one_after_the_other_and_the_later_is_told(m1: psycopg.Connection) -> None:
    """Both saw a stop without a reason; neither knew a version that they could name."""
    state(m1, "stopped", START)
    state(m1, "running", at(START, HOUR))
    tap: dict[str, Any] = {"p_machine": "m1", "p_at": at(START, MINUTE)}
    stop = call(m1, "operator", "classify_stop", p_reason="jam", **tap)["stop"]
    with pytest.raises(Refused) as refused:
        call(m1, "technician", "classify_stop", p_reason="material", **tap)
    assert (refused.value.status, refused.value.code) == (409, "stop.changed")
    assert refused.value.detail["reason"] == "jam"
    assert not call(m1, "technician", "classify_stop", p_reason="jam", **tap)["changed"]
    seen = {**tap, "p_version": stop["version"]}
    assert call(m1, "technician", "classify_stop", p_reason="material", **seen)["changed"]


def test_the_reason_that_repairs_give_stays_in_use(m1: psycopg.Connection) -> None:
    off: dict[str, Any] = {"p_code": "breakdown", "p_is_active": False}
    assert attempt(m1, "planner", "save_stop_reason", **off) == (409, "stop.reason_needed")
    named = call(m1, "planner", "save_stop_reason", p_code="breakdown", p_title="Broken")
    assert (named["title"], named["is_active"]) == ("Broken", True)
    assert not call(m1, "planner", "save_stop_reason", p_code="jam", p_is_active=False)["is_active"]


# Questions --------------------------------------------------------------------------------------

_RANGES: dict[str, dict[str, Any]] = {
    "for ever": {"p_from": "-infinity", "p_to": "infinity"},
    "since ever": {"p_from": "-infinity"},
    "until ever": {"p_to": "infinity"},
    "from never": {"p_from": "infinity"},
    "until never": {"p_to": "-infinity"},
    "too long ago": {"p_from": "2001-01-01T00:00Z"},
    "from tomorrow": {"p_from": "2999-01-01T00:00Z"},
    "backwards": {"p_from": "2026-03-02T00:00Z", "p_to": "2026-03-01T00:00Z"},
}


@pytest.mark.parametrize("asked", sorted(_RANGES))
@pytest.mark.parametrize("rpc", [
    "get_oee", "get_losses", "get_machine_timeline", "get_stops", "get_mtbf", "get_mttr",
    "get_microstops", "get_quality_breakdown", "get_table_utilization",
])  # fmt: skip
def test_no_question_is_without_an_end(m1: psycopg.Connection, rpc: str, asked: str) -> None:
    whose = {} if rpc == "get_table_utilization" else {"p_machine": "m1"}
    assert attempt(m1, "viewer", rpc, **whose, **_RANGES[asked]) == (422, "kpi.range")
