"""So many steps run at a work centre as it has positions, and not one more."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.sql.concurrency.together import together
from tests.sql.inventory.stock import refused
from tests.support.databases import Clone
from tests.support.production import CUT, make_centre, order, quality, report, step
from tests.support.rpc import Refused, call

Db = psycopg.Connection


def positions(db: Db, number: int, centre: str = "saw-1") -> Any:
    return call(db, "planner", "save_work_centre", p_code=centre, p_capacity=number)


def start(db: Db, code: str, centre: str = "saw-1", **more: Any) -> Any:
    return call(db, "operator", "start_step", p_code=code, p_work_centre=centre, **more)


def full(db: Db, code: str, rpc: str = "start_step", who: str = "operator", **more: Any) -> Refused:
    """The refusal of something at the saw; its positions are all taken."""
    no = refused(db, who, rpc, p_code=code, p_work_centre="saw-1", **more)
    assert (no.status, no.code) == (409, "work_centre.full")
    return no


def test_without_a_capacity_there_is_no_limit(plant: Db) -> None:
    for _ in range(3):
        start(plant, order(plant, 2))
    assert positions(plant, 1)["capacity"] == 1
    full(plant, order(plant, 2))
    assert positions(plant, 0)["capacity"] is None
    start(plant, order(plant, 2))


def test_all_positions_are_taken(plant: Db) -> None:
    positions(plant, 2)
    first, second, third = (order(plant, 4) for _ in range(3))
    start(plant, first, p_quantity=1)
    start(plant, second)
    no = full(plant, third)
    assert (no.detail["capacity"], no.detail["running"]) == (2, [first, second])
    assert start(plant, first)["step"]["started"] == 4, "it lies there already"
    report(plant, first, CUT, 4)
    assert start(plant, third)["changed"] is True
    full(plant, order(plant, 4))


def test_what_is_set_aside_or_paused_takes_no_position(plant: Db) -> None:
    positions(plant, 1)
    first, second = order(plant, 2), order(plant, 2)
    start(plant, first)
    quality(plant, first, "rework", 2)
    start(plant, second)
    quality(plant, first, "hold", 1, who="supervisor", record=1)
    call(plant, "operator", "pause_step", p_code=second, p_sequence=CUT)
    third = order(plant, 2)
    start(plant, third)
    full(plant, second)  # it cannot go on as long as the third one lies there
    report(plant, third, CUT, 2)
    assert start(plant, second)["step"]["status"] == "IN_PROGRESS"


def test_pieces_that_nobody_started_find_no_position_either(plant: Db) -> None:
    positions(plant, 1)
    first, second = order(plant, 2), order(plant, 2)
    start(plant, first)
    full(plant, second, "report_production", p_good=1)
    full(plant, second, "record_count", "equipment", p_delta=1)
    report(plant, first, CUT, 1)
    full(plant, second, "report_production", p_good=1)
    report(plant, first, CUT, 1)
    assert report(plant, second, CUT, 1)["step"]["good"] == 1


@pytest.mark.parametrize("where", [None, "saw-1"])
def test_a_quality_record_of_pieces_that_nobody_started_finds_no_position_either(
    plant: Db, where: str | None
) -> None:
    positions(plant, 1)
    first, second = order(plant, 2), order(plant, 2)
    start(plant, first)
    bad = {"p_code": second, "p_disposition": "scrap", "p_quantity": 1, "p_reason": "KNOT"}
    no = refused(plant, "operator", "record_quality", **bad, p_sequence=CUT, p_work_centre=where)
    assert (no.status, no.code) == (409, "work_centre.full")
    quality(plant, first, "scrap", 1)
    report(plant, first, CUT, 1)
    quality(plant, second, "scrap", 1)
    assert step(plant, second)["scrap"] == 1


def test_completing_a_step_with_pieces_that_nobody_started_takes_a_position(plant: Db) -> None:
    """Whether the routing names a work centre or not; a free one of the step will do."""
    positions(plant, 1)
    first, second = order(plant, 2), order(plant, 2)
    start(plant, first)
    done = {"p_code": second, "p_sequence": CUT, "p_good": 2}
    no = refused(plant, "operator", "complete_step", **done)
    assert (no.status, no.code) == (409, "work_centre.full")
    make_centre(plant, "saw-2", "CUT")
    assert call(plant, "operator", "complete_step", **done)["step"]["good"] == 2


def test_what_is_paused_is_recorded_by_hand_nowhere(plant: Db) -> None:
    code = order(plant, 4)
    start(plant, code, p_quantity=3)
    quality(plant, code, "rework", 1)
    call(plant, "operator", "pause_step", p_code=code, p_sequence=CUT)
    bad = {"p_code": code, "p_disposition": "scrap", "p_quantity": 1, "p_reason": "KNOT"}
    no = refused(plant, "operator", "record_quality", **bad, p_sequence=CUT)
    assert (no.status, no.code) == (409, "production.step_paused")
    no = refused(plant, "operator", "complete_step", p_code=code, p_sequence=CUT, p_good=2)
    assert (no.status, no.code) == (409, "production.step_paused")
    call(plant, "operator", "record_quality", **{**bad, "p_record": 1})  # lies aside already


def job(db: Db, code: str) -> dict[str, Any]:
    queue = call(db, "operator", "get_work_centre_queue", p_work_centre="saw-1", p_code=code)
    return dict(queue["items"][0])


def looks(db: Db, code: str) -> tuple[Any, ...]:
    """What a scan and the queue say: both the same."""
    scan = call(db, "operator", "scan_step", p_code=code, p_work_centre="saw-1")
    seen = job(db, code)
    assert (scan["ok"], scan["hint"]) == (seen["can_run"], seen["hint"])
    return scan["ok"], scan["hint"]


def test_a_scan_asks_for_a_position_only_where_one_is_needed(plant: Db) -> None:
    positions(plant, 1)
    first, second = order(plant, 2), order(plant, 2)
    start(plant, first)
    assert looks(plant, first) == (True, None)
    call(plant, "operator", "pause_step", p_code=first, p_sequence=CUT)
    assert looks(plant, first) == (True, None)
    start(plant, second)
    assert looks(plant, first) == (False, "work_centre.full"), "to go on it needs a position"
    assert looks(plant, second) == (True, None)


def test_pieces_that_lie_elsewhere_are_reported_at_a_full_work_centre(plant: Db) -> None:
    positions(plant, 1)
    make_centre(plant, "saw-2", "CUT")
    first, second = order(plant, 2), order(plant, 2)
    start(plant, first)
    start(plant, second, "saw-2")
    assert looks(plant, second) == (True, None)
    assert report(plant, second, CUT, 2)["step"]["good"] == 2


def test_what_is_only_reworked_needs_no_position(plant: Db) -> None:
    positions(plant, 1)
    first, second = order(plant, 2), order(plant, 2)
    start(plant, first)
    quality(plant, first, "rework", 2)
    start(plant, second)
    scan = call(plant, "operator", "scan_step", p_code=first, p_work_centre="saw-1")
    assert scan["ok"] is True
    assert job(plant, first)["hint"] == "production.only_rework"


def test_running_is_how_many_positions_are_taken(plant: Db) -> None:
    """The list of work centres counted what runs at its neighbour, and what lies aside."""
    make_centre(plant, "saw-2", "CUT")
    first, second = order(plant, 2), order(plant, 2)
    start(plant, first)
    start(plant, second, "saw-2")
    quality(plant, second, "rework", 2)
    centres = call(plant, "operator", "get_work_centres", p_site="main")
    assert {c["work_centre"]["code"]: c["running"] for c in centres} == {
        "saw-1": 1, "saw-2": 0, "bench-1": 0, "pack-1": 0,
    }  # fmt: skip


def test_what_goes_on_elsewhere_takes_its_position_there(plant: Db) -> None:
    """It was still counted where it had been paused: one too many ran where it went."""
    make_centre(plant, "saw-2", "CUT")
    positions(plant, 1)
    positions(plant, 1, "saw-2")
    moved, stayed, third = (order(plant, 2) for _ in range(3))
    start(plant, moved)
    call(plant, "operator", "pause_step", p_code=moved, p_sequence=CUT)
    start(plant, stayed)
    assert start(plant, moved, "saw-2")["changed"]
    for centre, runs in (("saw-1", stayed), ("saw-2", moved)):
        no = refused(plant, "operator", "start_step", p_code=third, p_work_centre=centre)
        assert (no.code, no.detail["running"]) == ("work_centre.full", [runs])
    assert step(plant, moved, CUT)["started"] == 2


def test_scan_and_queue_say_it_before(plant: Db) -> None:
    positions(plant, 1)
    first, second = order(plant, 2), order(plant, 2)
    start(plant, first)
    scan = call(plant, "operator", "scan_step", p_code=second, p_work_centre="saw-1")
    assert (scan["ok"], scan["status"], scan["hint"]) == (False, 409, "work_centre.full")
    queue = call(plant, "operator", "get_work_centre_queue", p_work_centre="saw-1")
    seen = {item["code"]: (item["can_run"], item["hint"]) for item in queue["items"]}
    assert seen == {first: (True, None), second: (False, "work_centre.full")}


def test_each_work_centre_has_its_own(plant: Db) -> None:
    positions(plant, 1)
    make_centre(plant, "saw-2", "CUT")
    first, second = order(plant, 2), order(plant, 2)
    start(plant, first)
    start(plant, second, "saw-2")
    full(plant, second)
    call(plant, "operator", "undo_production", p_code=first)
    assert start(plant, order(plant, 2))["changed"] is True, "nothing lies there any more"


def test_an_approval_lets_one_more_in(plant: Db) -> None:
    positions(plant, 1)
    first, second = order(plant, 2), order(plant, 2)
    start(plant, first)
    ask: dict[str, Any] = {
        "p_type": "SPECIAL_OPERATION", "p_operation": "over_capacity",
        "p_justification": "The customer waits", "p_work_centre": "saw-1",
    }  # fmt: skip
    vague = refused(plant, "operator", "request_approval", **ask)
    assert (vague.status, vague.code, vague.detail["field"]) == (
        422,
        "approval.incomplete",
        "p_order",
    )
    asked = call(plant, "operator", "request_approval", **ask, p_order=second)
    full(plant, second)
    decide = {"p_id": asked["approval"]["id"], "p_decision": "APPROVED", "p_version": 1}
    call(plant, "manager", "decide_approval", **decide)
    start(plant, second)
    full(plant, order(plant, 2))


def test_of_many_who_start_at_once_as_many_as_fit(plant: Db, clone: Clone) -> None:
    positions(plant, 2)
    codes = [order(plant, 2) for _ in range(6)]

    def one(db: Db, number: int) -> str | None:
        try:
            start(db, codes[number])
        except Refused as no:
            return no.code
        return "started"

    answers = together(clone, 6, one)
    assert sorted(map(str, answers)) == ["started"] * 2 + ["work_centre.full"] * 4
