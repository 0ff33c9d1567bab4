"""People decide: doubtful prints, corrections, plates, prints by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.farm.farm import NOON, machine, mapping, part, report, run_of
from tests.sql.inventory.production import fulfilment, has, plan, produce
from tests.sql.inventory.stock import ledger, on_hand, refused
from tests.support.rpc import call


@pytest.fixture
def farm(db: psycopg.Connection) -> psycopg.Connection:
    """One printer, two parts, one file of four brackets."""
    part(db)
    part(db, "KNOB")
    machine(db)
    mapping(db)
    return db


def decide(db: psycopg.Connection, rpc: str, run: int, who: str = "operator", **fields: Any) -> Any:
    arguments = {f"p_{name}": value for name, value in fields.items()}
    return call(db, who, rpc, p_run_id=run, **arguments)


def refusal(db: psycopg.Connection, rpc: str, run: int, **fields: Any) -> str | None:
    arguments = {f"p_{name}": value for name, value in fields.items()}
    return refused(db, "operator", rpc, p_run_id=run, **arguments).code


def parts(**quantities: int) -> Jsonb:
    return Jsonb([{"sku": sku, "quantity": n} for sku, n in quantities.items()])


def doubtful(db: psycopg.Connection) -> int:
    return int(report(db, outcome="unknown")["print_run_id"])


# Resolve ---------------------------------------------------------------------------------------


def test_a_doubtful_print_is_booked_once(farm: psycopg.Connection) -> None:
    order = produce(farm, quantity=4)
    run = doubtful(farm)
    request = uuid4()
    done = decide(farm, "resolve_print_run", run, action="book", request_id=request)
    assert (done["changed"], done["lines"][0]["qty"]) == (True, 4)
    again = decide(farm, "resolve_print_run", run, action="book", request_id=request)
    assert again == done
    assert decide(farm, "resolve_print_run", run, action="book")["changed"] is False
    assert (on_hand(farm, "BRACKET"), fulfilment(farm, order)) == (4, "fulfilled")
    assert run_of(farm, run)["decided_by"] is not None


@pytest.mark.parametrize(
    ("action", "outcome", "status"),
    [
        ("fail", "failed", "recorded"),
        ("cancel", "cancelled", "recorded"),
        ("ignore", "ignored", "ignored"),
    ],
)
def test_a_doubtful_print_is_rejected(
    farm: psycopg.Connection, action: str, outcome: str, status: str
) -> None:
    run = doubtful(farm)
    decide(farm, "resolve_print_run", run, action=action)
    kept = run_of(farm, run)
    assert (kept["outcome"], kept["status"], kept["is_counted"]) == (outcome, status, False)
    assert refusal(farm, "resolve_print_run", run, action="book") == "print_run.decided"
    assert on_hand(farm, "BRACKET") == 0


def test_a_person_may_name_the_parts(farm: psycopg.Connection) -> None:
    run = report(farm, gcode_filename="nobody knows.3mf")["print_run_id"]
    assert refusal(farm, "resolve_print_run", run, action="book") == "print_run.unmapped"
    for lines, code in (
        (parts(NOTHING=1), "part.unknown"),
        (parts(KNOB=-1), "print_run.lines"),
        (Jsonb([]), "print_run.lines"),
        (Jsonb({"sku": "KNOB"}), "print_run.lines"),
    ):
        assert refusal(farm, "resolve_print_run", run, action="book", lines=lines) == code
    assert refusal(farm, "resolve_print_run", run, action="sell") == "print_run.action"
    decide(farm, "resolve_print_run", run, action="book", lines=parts(knob=2, BRACKET=1))
    assert (on_hand(farm, "KNOB"), on_hand(farm, "BRACKET")) == (2, 1)


# Amend -----------------------------------------------------------------------------------------


def test_a_flip_compensates_and_never_deletes(farm: psycopg.Connection) -> None:
    order = produce(farm, quantity=3)
    run = report(farm)["print_run_id"]
    for outcome, stock, status in (
        ("failed", 0, "unfulfilled"),
        ("success", 4, "fulfilled"),
        ("cancelled", 0, "unfulfilled"),
    ):
        decide(farm, "amend_print_run", run, outcome=outcome, reason="looked at it")
        assert (on_hand(farm, "BRACKET"), fulfilment(farm, order)) == (stock, status)
        assert run_of(farm, run)["is_counted"] is (outcome == "success")
    assert ledger(farm, "BRACKET") == [
        ("produce", 4), ("adjust", -4), ("produce", 4), ("adjust", -4),
    ]  # fmt: skip
    same = decide(farm, "amend_print_run", run, outcome="cancelled")
    assert same["changed"] is False


def test_formset_5_a_correction_after_allocation_takes_it_back_newest_first(
    farm: psycopg.Connection,
) -> None:
    older, newer = produce(farm, quantity=2), produce(farm, quantity=2)
    run = report(farm)["print_run_id"]
    assert (has(farm, older), has(farm, newer)) == (2, 2)
    decide(farm, "amend_print_run", run, lines=parts(BRACKET=3), reason="one was bad")
    assert (has(farm, older), has(farm, newer)) == (2, 1)


def test_formset_5_a_correction_of_used_parts_is_not_clamped(farm: psycopg.Connection) -> None:
    order = produce(farm, quantity=4)
    run = report(farm)["print_run_id"]
    plan(farm, "ship", order)
    decide(farm, "amend_print_run", run, outcome="failed", reason="they were bad")
    assert on_hand(farm, "BRACKET") == -4
    call(farm, "planner", "adjust_stock", p_sku="BRACKET", p_quantity=4, p_reason="found")
    call(farm, "planner", "upsert_item", p_sku="BRACKET", p_forbid_negative=True)
    strict = report(farm)["print_run_id"]
    order = produce(farm, quantity=4)
    plan(farm, "ship", order)
    code = refusal(farm, "amend_print_run", strict, outcome="failed", reason="bad too")
    assert code == "stock.short"
    assert run_of(farm, strict)["outcome"] == "success"


def test_other_parts_than_the_mapping_said(farm: psycopg.Connection) -> None:
    run = report(farm)["print_run_id"]
    decide(farm, "amend_print_run", run, lines=parts(KNOB=4), reason="wrong file was mapped")
    assert (on_hand(farm, "BRACKET"), on_hand(farm, "KNOB")) == (0, 4)


def test_an_amendment_needs_a_reason_and_a_decision(farm: psycopg.Connection) -> None:
    run = report(farm)["print_run_id"]
    assert refusal(farm, "amend_print_run", run, outcome="failed") == "stock.reason_required"
    bad = {"outcome": "unknown", "reason": "x"}
    assert refusal(farm, "amend_print_run", run, **bad) == "print_run.action"
    undecided = {"outcome": "failed", "reason": "x"}
    assert refusal(farm, "amend_print_run", doubtful(farm), **undecided) == "print_run.undecided"
    for rpc, fields in (
        ("amend_print_run", {"outcome": "failed"}),
        ("resolve_print_run", {"action": "book"}),
        ("confirm_plate", {}),
    ):
        assert refusal(farm, rpc, 0, **fields) == "print_run.unknown"
        named = {f"p_{n}": v for n, v in fields.items()}
        assert refused(farm, "viewer", rpc, p_run_id=run, **named).code == "auth.forbidden"


# Plates ----------------------------------------------------------------------------------------


def plates(db: psycopg.Connection) -> list[int]:
    rows = call(db, "viewer", "get_print_machines")
    return list(rows[0]["plates"])


@pytest.mark.parametrize("outcome", ["success", "failed", "cancelled", "unknown"])
def test_every_end_leaves_a_plate_to_clear(farm: psycopg.Connection, outcome: str) -> None:
    run = report(farm, outcome=outcome)["print_run_id"]
    assert plates(farm) == [run]
    assert decide(farm, "confirm_plate", run)["changed"] is True
    assert plates(farm) == []
    assert decide(farm, "confirm_plate", run)["changed"] is False


def test_calibrations_and_ejectors_leave_none(farm: psycopg.Connection) -> None:
    report(farm, outcome="ignored")
    machine(farm, needs_plate_clear=False)
    report(farm)
    assert plates(farm) == []


def test_n_good_of_m_with_reason_and_photo(farm: psycopg.Connection) -> None:
    """47 of 50 done, 3 rejects: they leave as scrap, and what was promised from them is free."""
    older, newer = produce(farm, quantity=2), produce(farm, quantity=2)
    run = report(farm)["print_run_id"]
    assert refusal(farm, "confirm_plate", run, good=Jsonb(1)) == "stock.reason_required"
    fields = {"good": Jsonb(1), "reason": "warped", "photo": "prints/1.jpg"}
    request = uuid4()
    done = decide(farm, "confirm_plate", run, request_id=request, **fields)
    assert done["lines"][0]["qty"] == 1
    assert decide(farm, "confirm_plate", run, request_id=request, **fields) == done
    assert ledger(farm, "BRACKET") == [("produce", 4), ("scrap", -3)]
    assert (has(farm, older), has(farm, newer)) == (1, 0)
    kept = run_of(farm, run)
    assert (kept["plate_status"], kept["photo"]) == ("cleared", "prints/1.jpg")
    reason = farm.execute("select failure_reason from public.inventory_print_log").fetchone()
    assert reason == ("warped",)
    decide(farm, "confirm_plate", run, good=Jsonb(4))  # counted again: they were fine
    assert on_hand(farm, "BRACKET") == 4


def test_a_plate_of_several_parts_is_counted_part_by_part(farm: psycopg.Connection) -> None:
    mapping(farm, "mixed", {"BRACKET": 2, "KNOB": 6})
    run = report(farm, gcode_filename="mixed")["print_run_id"]
    for good in (
        Jsonb(5),
        Jsonb({"KNOB": 7}),
        Jsonb({"LAMP": 1}),
        Jsonb({"KNOB": "x"}),
        Jsonb("5"),
    ):
        assert refusal(farm, "confirm_plate", run, good=good, reason="x") == "print_run.good"
    decide(farm, "confirm_plate", run, good=Jsonb({"KNOB": 5}), reason="one fell off")
    assert (on_hand(farm, "BRACKET"), on_hand(farm, "KNOB")) == (2, 5)


def test_some_of_a_failed_print_may_be_good(farm: psycopg.Connection) -> None:
    run = report(farm, outcome="failed")["print_run_id"]
    decide(farm, "confirm_plate", run, good=Jsonb(3))
    kept = run_of(farm, run)
    assert (kept["outcome"], kept["is_counted"]) == ("success", True)
    assert on_hand(farm, "BRACKET") == 3


def test_a_print_that_waits_is_decided_before_its_parts_are_counted(
    farm: psycopg.Connection,
) -> None:
    run = doubtful(farm)
    assert refusal(farm, "confirm_plate", run, good=Jsonb(2)) == "print_run.undecided"
    decide(farm, "confirm_plate", run)  # but the plate may be cleared
    assert plates(farm) == []


# By hand ---------------------------------------------------------------------------------------


def log(db: psycopg.Connection, who: str = "operator", **fields: Any) -> Any:
    arguments = {f"p_{name}": value for name, value in fields.items()}
    return call(db, who, "log_manual_print", **arguments)


def test_a_print_that_no_bridge_saw(farm: psycopg.Connection) -> None:
    order = produce(farm, quantity=2)
    request = uuid4()
    done = log(farm, lines=parts(BRACKET=2), request_id=request)
    assert log(farm, lines=parts(BRACKET=2), request_id=request) == done
    assert (done["run"]["source"], done["run"]["evidence"]) == ("manual", "person")
    assert fulfilment(farm, order) == "fulfilled"
    log(farm, gcode_filename="Bracket.3mf", machine="a1")
    assert on_hand(farm, "BRACKET") == 6


def test_a_failed_print_by_hand_gives_nothing(farm: psycopg.Connection) -> None:
    done = log(farm, lines=parts(BRACKET=4), outcome="failed", reason="spaghetti")
    assert [(line["planned"], line["qty"]) for line in done["lines"]] == [(4, 0)]
    assert on_hand(farm, "BRACKET") == 0


def test_a_print_by_hand_of_a_time_that_is_counted_is_refused(farm: psycopg.Connection) -> None:
    report(farm, start=NOON)
    fields = {
        "machine": "a1",
        "lines": parts(BRACKET=4),
        "started_at": NOON + timedelta(minutes=10),
        "finished_at": NOON + timedelta(minutes=50),
    }
    arguments = {f"p_{name}": value for name, value in fields.items()}
    code = refused(farm, "operator", "log_manual_print", **arguments).code
    assert code == "print_run.overlap"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"machine": "b9"}, "print_machine.unknown"),
        ({"outcome": "cancelled"}, "print_run.action"),
        ({"started_at": NOON, "finished_at": NOON - timedelta(hours=1)}, "print_run.times"),
        ({"finished_at": NOON.replace(year=2099)}, "print_run.times"),
        ({"lines": None}, "print_run.unmapped"),
        ({"lines": None, "gcode_filename": "x.3mf"}, "print_run.unmapped"),
        ({"lines": parts(NOTHING=1)}, "part.unknown"),
    ],
)
def test_a_print_by_hand_that_cannot_be(
    farm: psycopg.Connection, fields: dict[str, Any], code: str
) -> None:
    arguments = {f"p_{n}": v for n, v in {"lines": parts(BRACKET=1), **fields}.items()}
    assert refused(farm, "operator", "log_manual_print", **arguments).code == code
    assert farm.execute("select count(*) from public.print_runs").fetchone() == (0,)


def test_waiting_prints_are_booked_for_those_chosen(farm: psycopg.Connection) -> None:
    runs = [report(farm, gcode_filename="lamp.3mf")["print_run_id"] for _ in range(3)]
    short = report(farm, gcode_filename="lamp.3mf", minutes=0.5)["print_run_id"]
    assert mapping(farm, "lamp", {"KNOB": 2})["waiting"] == 3  # the short one is for review
    request = uuid4()
    chosen = {"p_run_ids": runs[:2], "p_request_id": request}
    booked = call(farm, "operator", "book_waiting_prints", **chosen)
    assert [b["print_run_id"] for b in booked] == runs[:2]
    assert call(farm, "operator", "book_waiting_prints", **chosen) == booked
    assert on_hand(farm, "KNOB") == 4
    call(farm, "operator", "book_waiting_prints")
    assert (on_hand(farm, "KNOB"), run_of(farm, short)["status"]) == (6, "review")


def test_unmapping_makes_the_next_prints_wait(farm: psycopg.Connection) -> None:
    request = uuid4()
    gone = call(
        farm, "planner", "unmap_gcode", p_gcode_filename="BRACKET.gcode", p_request_id=request
    )
    assert gone["parts"] == []
    again = call(
        farm, "planner", "unmap_gcode", p_gcode_filename="BRACKET.gcode", p_request_id=request
    )
    assert again == gone
    assert report(farm)["status"] == "unmapped"
    assert on_hand(farm, "BRACKET") == 0


def test_a_new_set_of_parts_replaces_the_old_one(farm: psycopg.Connection) -> None:
    mapping(farm, "bracket", {"BRACKET": 2, "KNOB": 1})
    mapping(farm, "bracket", {"KNOB": 3})
    answer = report(farm)
    assert [(line["sku"], line["qty"]) for line in answer["lines"]] == [("KNOB", 3)]


def test_lists_of_prints(farm: psycopg.Connection) -> None:
    good = report(farm)["print_run_id"]
    bad = report(farm, outcome="failed")["print_run_id"]
    unmapped = report(farm, gcode_filename="lamp.3mf")["print_run_id"]
    unsure = doubtful(farm)
    decide(farm, "confirm_plate", good)
    for name, runs in {
        "all": [unsure, unmapped, bad, good], "attention": [unsure, unmapped],
        "unmapped": [unmapped], "review": [unsure], "plates": [unsure, unmapped, bad],
        "counted": [good], "failed": [bad],
    }.items():  # fmt: skip
        rows = call(farm, "viewer", "get_print_runs", p_filter=name)
        assert [r["run"]["id"] for r in rows] == runs
    older = call(farm, "viewer", "get_print_runs", p_before_id=unsure, p_limit=1, p_machine="a1")
    assert [r["run"]["id"] for r in older] == [unmapped]
    assert older[0]["expected"] is None
    code = refused(farm, "viewer", "get_print_runs", p_filter="mine").code
    assert code == "print_run.filter"
