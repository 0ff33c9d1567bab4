"""Stops, and the repairs that open and end them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.sql.kpi import plant
from tests.sql.kpi.plant import START, at, figures, machine, state, stop
from tests.support.maintenance import bring
from tests.support.rpc import Refused, call

HOUR = 3600
END = at(START, 8 * HOUR)


@pytest.fixture
def m1(db: psycopg.Connection) -> psycopg.Connection:
    """m1 works around the clock and runs; it stands from 07:00 to 08:00, as it says itself."""
    machine(db)
    plant.around_the_clock(db)
    state(db, "running", START)
    state(db, "fault", at(START, HOUR))
    state(db, "stopped", at(START, 1.5 * HOUR))
    state(db, "running", at(START, 2 * HOUR))
    return db


def classify(db: psycopg.Connection, reason: str = "material", **more: Any) -> Any:
    return call(
        db, "operator", "classify_stop", p_reason=reason, **{f"p_{k}": v for k, v in more.items()}
    )


def stops(db: psycopg.Connection) -> list[Any]:
    db.execute("reset role")
    return db.execute(
        "select lower(during), upper(during), reason, source from public.stops order by 1"
    ).fetchall()


def test_one_tap_says_why_a_stop_that_only_the_states_show(m1: psycopg.Connection) -> None:
    (shown,) = call(m1, "viewer", "get_stops", p_machine="m1", p_from=START, p_to=END)
    assert (shown["stop_id"], shown["seconds"], shown["reason"]) == (None, HOUR, None)
    classify(m1, machine="m1", at=shown["starts_at"])
    assert stops(m1) == [(at(START, HOUR), at(START, 2 * HOUR), "material", "signal")]
    (known,) = call(m1, "viewer", "get_stops", p_machine="m1", p_from=START, p_to=END)
    assert (known["reason"], known["seconds"]) == ("material", HOUR)
    assert figures(m1, START, END)["availability_loss_s"] == HOUR


def test_a_stop_in_progress_ends_when_the_machine_runs(m1: psycopg.Connection) -> None:
    state(m1, "stopped", at(START, 3 * HOUR))
    classify(m1, machine="m1")
    assert stops(m1)[-1][1] is None
    state(m1, "running", at(START, 4 * HOUR))
    state(m1, "stopped", at(START, 5 * HOUR))
    assert stops(m1)[-1][:2] == (at(START, 3 * HOUR), at(START, 4 * HOUR))


def test_a_late_word_that_it_ran_shortens_the_stop(m1: psycopg.Connection) -> None:
    classify(m1, machine="m1", at=at(START, 1.2 * HOUR))
    state(m1, "running", at(START, 1.75 * HOUR))
    assert stops(m1)[0][1] == at(START, 1.75 * HOUR)
    assert figures(m1, START, END)["availability_loss_s"] == 0.75 * HOUR


def test_the_class_of_a_reason_stays_with_the_stop(m1: psycopg.Connection) -> None:
    classify(m1, machine="m1", at=at(START, HOUR))
    call(m1, "planner", "save_stop_reason", p_code="material", p_time_class="no_order")
    assert figures(m1, START, END)["availability_loss_s"] == HOUR


def test_both_conventions_can_be_configured(m1: psycopg.Connection) -> None:
    """Breaks leave the denominator, or stay in it as a loss."""
    plant.plan(m1, at(START, 4 * HOUR), at(START, 5 * HOUR), "break")
    assert figures(m1, START, END)["planned_s"] == 7 * HOUR
    call(
        m1, "planner", "set_time_policy", p_time_class="break", p_policy="loss_availability",
        p_site="main", p_valid_from=START,
    )  # fmt: skip
    f = figures(m1, START, END)
    assert (f["planned_s"], f["availability_loss_s"]) == (8 * HOUR, 2 * HOUR)


def test_starting_twice_is_one_stop(m1: psycopg.Connection) -> None:
    request = uuid4()
    first = call(m1, "operator", "start_stop", p_machine="m1", p_request_id=request)
    assert call(m1, "operator", "start_stop", p_machine="m1", p_request_id=request) == first
    again = call(m1, "operator", "start_stop", p_machine="m1")
    assert (again["changed"], again["stop"]["id"]) == (False, first["stop"]["id"])


def test_ending_and_ending_again(m1: psycopg.Connection) -> None:
    stop(m1, at(START, 3 * HOUR))
    ended = call(m1, "operator", "end_stop", p_machine="m1", p_at=at(START, 4 * HOUR))
    assert ended["changed"]
    again = call(m1, "operator", "end_stop", p_stop_id=ended["stop"]["id"])
    assert not again["changed"]
    assert stops(m1)[0][1] == at(START, 4 * HOUR)


def test_splitting_keeps_the_time_and_both_reasons(m1: psycopg.Connection) -> None:
    middle = at(START, 1.25 * HOUR)
    second = call(m1, "operator", "split_stop", p_machine="m1", p_at=middle, p_reason="tool")
    classify(m1, "material", stop_id=second["stop"]["split_of"])
    f = figures(m1, START, END)
    assert (f["setup_s"], f["delay_s"]) == (0.75 * HOUR, 0.25 * HOUR)
    again = call(m1, "operator", "split_stop", p_stop_id=second["stop"]["id"], p_at=middle)
    assert not again["changed"]


def test_a_relabel_within_a_class_changes_no_figure(m1: psycopg.Connection) -> None:
    done = classify(m1, "breakdown", machine="m1", at=at(START, HOUR))["stop"]
    before = figures(m1, START, END)
    classify(m1, "jam", stop_id=done["id"], version=done["version"])
    assert figures(m1, START, END) == before


REFUSALS: dict[str, tuple[int, str, dict[str, Any]]] = {
    "stop.unknown": (404, "end_stop", {"p_stop_id": 99}),
    "machine.unknown": (404, "start_stop", {"p_machine": "none"}),
    "stop.unknown_reason": (404, "start_stop", {"p_machine": "m1", "p_reason": "nope"}),
    "stop.none": (404, "end_stop", {"p_machine": "m1"}),
    "stop.none_then": (409, "classify_stop", {"p_machine": "m1", "p_reason": "jam", "p_at": START}),
    "stop.ends_before": (
        422, "start_stop", {"p_machine": "m1", "p_at": END, "p_ended_at": START}),
    "machine.time": (422, "start_stop", {"p_machine": "m1", "p_at": at(START, 9**9)}),
    "stop.split_outside": (422, "split_stop", {"p_machine": "m1", "p_at": at(START, HOUR)}),
    "request.too_long": (422, "start_stop", {"p_machine": "m1", "p_comment": "x" * 2001}),
    "stop.not_planned": (
        422, "plan_stop",
        {"p_machine": "m1", "p_from": START, "p_to": END, "p_time_class": "breakdown"}),
}  # fmt: skip


@pytest.mark.parametrize("code", REFUSALS)
def test_refused(m1: psycopg.Connection, code: str) -> None:
    status, rpc, arguments = REFUSALS[code]
    with pytest.raises(Refused) as refused:
        call(m1, "supervisor", rpc, **arguments)
    assert (refused.value.code, refused.value.status) == (code, status)


def test_a_second_stop_at_the_same_time_names_the_first(m1: psycopg.Connection) -> None:
    first = stop(m1, at(START, 3 * HOUR), at(START, 5 * HOUR))
    with pytest.raises(Refused, match="overlap") as refused:
        stop(m1, at(START, 4 * HOUR), at(START, 6 * HOUR))
    assert refused.value.code == "stop.overlap"
    assert refused.value.detail["stop"] == first["id"]


def test_nobody_overwrites_what_another_one_said(m1: psycopg.Connection) -> None:
    seen = stop(m1, at(START, 3 * HOUR))
    classify(m1, "jam", stop_id=seen["id"], version=seen["version"])
    with pytest.raises(Refused) as refused:
        classify(m1, "tool", stop_id=seen["id"], version=seen["version"])
    assert refused.value.code == "stop.changed"


# Repairs ----------------------------------------------------------------------------------


def report(db: psycopg.Connection, occurred: datetime | None = None, **more: Any) -> int:
    answer = call(
        db, "operator", "report_repair", p_machine="m1", p_symptom="stopped",
        p_occurred_at=occurred, **more,
    )  # fmt: skip
    return int(answer["repair"]["id"])


def test_a_repair_opens_a_stop_and_closing_it_ends_it(m1: psycopg.Connection) -> None:
    begin = at(START, 3 * HOUR)
    repair = report(m1, begin)
    assert stops(m1) == [(begin, None, "breakdown", "repair")]
    bring(m1, repair)
    (ended,) = stops(m1)
    assert ended[1] is not None
    later = at(START, 390 * 24 * HOUR)
    (row,) = call(m1, "viewer", "get_mttr", p_machine="m1", p_from=START, p_to=later)
    assert (row["failures"], row["restored"], row["open"]) == (1, 1, 0)
    assert row["mttr_s"] == pytest.approx((ended[1] - begin).total_seconds())


def test_a_repair_joins_the_stop_that_is_there(m1: psycopg.Connection) -> None:
    begin = at(START, 3 * HOUR)
    there = stop(m1, begin)
    report(m1, at(START, 4 * HOUR))
    assert stops(m1) == [(begin, None, "breakdown", "person")]
    (row,) = call(m1, "viewer", "get_stops", p_machine="m1", p_from=at(START, 3 * HOUR), p_to=END)
    assert (row["stop_id"], len(row["repair_ids"])) == (there["id"], 1)


def test_a_repair_reaches_back_to_when_the_machine_stood(m1: psycopg.Connection) -> None:
    state(m1, "fault", at(START, 3 * HOUR))
    report(m1, at(START, 4 * HOUR))
    assert stops(m1)[0][:2] == (at(START, 3 * HOUR), None)


def test_a_machine_that_still_stands_keeps_its_stop(m1: psycopg.Connection) -> None:
    repair = report(m1, at(START, 3 * HOUR))
    bring(m1, repair, "verified")
    call(m1, "technician", "close_repair", p_id=repair, p_runs_again=False)
    assert stops(m1)[0][1] is None


def test_a_reopened_repair_is_one_failure(m1: psycopg.Connection) -> None:
    repair = report(m1, at(START, 3 * HOUR))
    bring(m1, repair)
    call(m1, "technician", "reopen_repair", p_id=repair, p_reason="again")
    (row,) = call(m1, "viewer", "get_mtbf", p_machine="m1", p_from=START)
    assert row["failures"] == 1
    assert stops(m1)[-1][1] is None


def test_two_crafts_end_a_stop_together(m1: psycopg.Connection) -> None:
    first = report(m1, at(START, 3 * HOUR))
    answer = call(
        m1, "operator", "report_repair", p_machine="m1", p_symptom="damage", p_is_down=True
    )
    bring(m1, first)
    assert stops(m1)[0][1] is None
    bring(m1, answer["repair"]["id"])
    assert stops(m1)[0][1] is not None


def test_work_by_plan_is_a_planned_stop(m1: psycopg.Connection) -> None:
    answer = call(
        m1, "supervisor", "report_repair", p_machine="m1", p_description="grease",
        p_type="scheduled", p_is_down=True,
    )  # fmt: skip
    bring(m1, answer["repair"]["id"], "in_repair")
    m1.execute("reset role")
    rows = "select time_class, upper_inf(during) from public.planned_stops"
    assert m1.execute(rows).fetchall() == [("planned_maintenance", True)]
    bring(m1, answer["repair"]["id"])
    m1.execute("reset role")
    assert m1.execute(rows).fetchall() == [("planned_maintenance", False)]
    assert stops(m1) == []


def test_the_register_and_the_status_say_the_same(m1: psycopg.Connection) -> None:
    stop(m1, at(START, 3 * HOUR), None, "material")
    m1.execute("reset role")
    row = m1.execute("select reason, ended_at, repair_ids from public.downtimes").fetchone()
    assert row == ("material", None, [])
    assert m1.execute("select status from public.machine_status").fetchone() == ("stopped",)
