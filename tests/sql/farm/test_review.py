"""People decide: doubtful prints, corrections, plates, prints by hand."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.core.photos import photo
from tests.sql.farm.farm import machine, mapping, part, report, run_of
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
    fields = {"good": Jsonb(1), "reason": "warped", "photo": photo(farm)}
    request = uuid4()
    done = decide(farm, "confirm_plate", run, request_id=request, **fields)
    assert done["lines"][0]["qty"] == 1
    assert decide(farm, "confirm_plate", run, request_id=request, **fields) == done
    assert ledger(farm, "BRACKET") == [("produce", 4), ("scrap", -3)]
    assert (has(farm, older), has(farm, newer)) == (1, 0)
    kept = run_of(farm, run)
    assert (kept["plate_status"], kept["photo"]) == ("cleared", fields["photo"])
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
