"""A scan at a work centre says what can be done, or what was expected, and is remembered."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.inventory.stock import refused
from tests.support.production import ASSEMBLE, CUT, PACK, events_of, make_centre, order, report
from tests.support.rpc import acting_as, call


def scan(db: psycopg.Connection, code: str, **more: Any) -> Any:
    arguments = {"p_code": code, "p_work_centre": "saw-1"} | more
    return call(db, "operator", "scan_step", **arguments)


def last_event(db: psycopg.Connection) -> tuple[str, str, dict[str, Any]]:
    row = db.execute(
        "select stream_id, event, payload from public.events where stream = 'production_order'"
        " order by id desc limit 1"
    ).fetchone()
    assert row is not None
    return row


def test_a_scan_says_what_can_be_done(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    answer = scan(plant, f" {code}\r\n")
    assert (answer["ok"], answer["action"], answer["can_start"]) == (True, "ready", 10)
    assert answer["step"]["sequence"] == CUT
    name, event, payload = last_event(plant)
    assert (name, event) == (code, "production.scanned")
    assert (payload["step"], payload["sequence"], payload["work_centre"]) == ("CUT", CUT, "saw-1")
    assert (
        call(plant, "operator", "scan_step", p_code=code, p_work_centre="saw-1")["event_id"]
        > (answer["event_id"])
    )


def test_the_same_request_is_the_first_event(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    request = uuid4()
    first = scan(plant, code, p_request_id=request)
    report(plant, code, CUT, 10)  # much later, from a queue of a station that was offline
    assert scan(plant, code, p_request_id=request) == first
    assert events_of(plant, code).count("production.scanned") == 1
    other = refused(
        plant, "operator", "scan_step", p_code="x", p_work_centre="saw-1", p_request_id=request
    )
    assert (other.status, other.code) == (422, "request.reused")


# What is scanned besides the order, where the case needs no more than that.
SCANNED: dict[str, dict[str, Any]] = {
    "work_centre.unknown": {"p_work_centre": "saw-9"},
    "work_centre.other_site": {"p_work_centre": "saw-w"},
    "production.which_step": {"p_work_centre": None},
    "production.no_step": {"p_sequence": 99},
    "production.wrong_step": {"p_work_centre": "booth"},
    "production.wrong_work_centre": {"p_work_centre": "saw-2"},
    "production.previous_step": {"p_work_centre": "pack-1"},
    "production.wrong_material": {"p_material": "LEG"},  # goes in at another step
    "lot.unknown": {"p_lot": "nowhere"},
    "lot.on_hold": {"p_material_lot": "B-7"},
}


def set_up(db: psycopg.Connection, case: str) -> str:
    """The plant as the case needs it; the code that is scanned."""
    code = order(db, 2, released=case != "production.not_released")
    match case:
        case "production.unknown":
            return "P-none"
        case "production.closed":
            call(db, "planner", "cancel_production_order", p_code=code, p_reason="Off")
        case "work_centre.disabled":
            ask = {"p_type": "DISABLE_EQUIPMENT", "p_work_centre": "saw-1"}
            asked = call(db, "operator", "request_approval", **ask, p_justification="Blunt")
            asked = asked["approval"]
            decision = {"p_id": asked["id"], "p_version": asked["version"]}
            call(db, "manager", "decide_approval", **decision, p_decision="APPROVED")
        case "production.wrong_step":
            call(db, "planner", "save_process_step", p_code="PAINT", p_kind="paint")
            make_centre(db, "booth", "PAINT")
        case "production.step_completed":
            report(db, code, CUT, 2)
        case "production.wrong_work_centre":
            make_centre(db, "saw-2", "CUT")
            steps = [{"step": "CUT", "work_centre": "saw-1", "materials": ["PANEL"]}]
            call(db, "planner", "save_routing", p_sku="TABLE", p_steps=Jsonb(steps))
            return order(db, 2)
        case "work_centre.other_site":
            call(db, "admin", "register_site", p_code="west", p_name="W", p_time_zone="UTC")
            west = {"p_code": "saw-w", "p_step": "CUT", "p_site": "west"}
            call(db, "admin", "save_work_centre", **west)
        case "lot.on_hold":
            call(db, "operator", "receive_lot", p_sku="PANEL", p_code="B-7", p_quantity=5)
            call(db, "supervisor", "hold_lot", p_code="B-7", p_reason="Damp")
    return code


@pytest.mark.parametrize(
    ("status", "case"),
    [
        (404, "production.unknown"),
        (409, "production.closed"),
        (409, "production.not_released"),
        (404, "work_centre.unknown"),
        (409, "work_centre.disabled"),
        (409, "work_centre.other_site"),
        (422, "production.which_step"),
        (404, "production.no_step"),
        (409, "production.wrong_step"),
        (409, "production.wrong_work_centre"),
        (409, "production.previous_step"),
        (409, "production.step_completed"),
        (404, "lot.unknown"),
        (423, "lot.on_hold"),
        (409, "production.wrong_material"),
    ],
)
def test_a_wrong_scan_says_why_and_is_remembered(
    plant: psycopg.Connection, status: int, case: str
) -> None:
    code = set_up(plant, case)
    answer = scan(plant, code, **SCANNED.get(case, {}))
    assert (answer["ok"], answer["status"], answer["hint"], answer["code"]) == (
        False,
        status,
        case,
        f"PT{status}",
    )
    name, event, payload = last_event(plant)
    assert (name, event, payload["reason"]) == (code, "production.scan_refused", case)
    if case.startswith("production.wrong") or case == "work_centre.other_site":
        assert {"expected", "actual"} <= set(answer["details"])


def test_a_refusal_is_an_http_error_that_commits(plant: psycopg.Connection) -> None:
    with acting_as(plant, "operator"):
        plant.execute("select public.scan_step('P-none', 'saw-1')")
        row = plant.execute("select current_setting('response.status', true)").fetchone()
    assert row == ("404",)
    assert last_event(plant)[1] == "production.scan_refused"


def test_the_right_material(plant: psycopg.Connection) -> None:
    code = order(plant, 2)
    call(plant, "operator", "receive_lot", p_sku="PANEL", p_code="B-8", p_quantity=5)
    assert scan(plant, code, p_material_lot="B-8")["ok"]
    assert scan(plant, code, p_material="PANEL")["ok"]
    assert scan(plant, code, p_lot=code)["ok"]


def test_the_step_is_the_first_one_that_can_go_on(plant: psycopg.Connection) -> None:
    """An order that is cut twice: the saw gets the step that has pieces."""
    steps = [{"step": s} for s in ("CUT", "PACK", "CUT")]
    call(plant, "planner", "save_routing", p_sku="TABLE", p_steps=Jsonb(steps))
    code = order(plant, 2)
    assert scan(plant, code)["step"]["sequence"] == CUT
    report(plant, code, CUT, 2)
    call(plant, "operator", "report_production", p_code=code, p_work_centre="pack-1", p_good=1)
    assert scan(plant, code)["step"]["sequence"] == PACK
    named = scan(plant, code, p_sequence=ASSEMBLE)
    assert (named["hint"], named["details"]["expected"]) == ("production.wrong_step", ["PACK"])


def test_a_scan_of_nothing_at_nowhere_is_told_to_no_site(plant: psycopg.Connection) -> None:
    """An unknown code at an unknown work centre: the event was of no site, and everybody's."""
    nothing = {"p_code": "P-none", "p_work_centre": "nowhere"}
    told = call(plant, "operator", "scan_step", **nothing)
    site = "select site from public.events where id = %s"
    assert plant.execute(site, (told["event_id"],)).fetchone() == ("main",)
    call(plant, "admin", "register_site", p_code="west", p_name="W", p_time_zone="UTC")
    untold = call(plant, "operator", "scan_step", **nothing)
    assert (untold["status"], untold["event_id"]) == (404, None), "at which of the two?"
    assert (
        plant.execute(
            "select 1 from public.events where event like 'production.scan%%' and site = '-'"
        ).fetchall()
        == []
    )
