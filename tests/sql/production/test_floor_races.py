"""Several stations, counters, planners and an undo on the same orders, on real connections."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.concurrency.together import together
from tests.support.databases import Clone
from tests.support.production import (
    ASSEMBLE,
    CENTRES,
    CUT,
    PACK,
    make_centre,
    order,
    order_row,
    release,
    report,
    selfcheck,
    step,
)
from tests.support.rpc import Refused, call

# What a busy floor meets: somebody else was faster. A deadlock is none of them.
LOST_RACES = {
    "production.closed",
    "production.in_process",
    "production.more_than_input",
    "production.more_than_in_process",
    "production.not_running",
    "production.parts_missing",
    "production.previous_step",
    "production.step_completed",
    "production.step_paused",
    "production.complete",
    "undo.blocked",
    "undo.nothing",
    "quality.too_many",
    "work_centre.disabled",
    "production.no_step",  # legs are made in one step
    "production.wrong_step",
}


def lost(work: Callable[[], Any]) -> str | None:
    """The code of a race that was lost; None when it was not. Raises what is no race."""
    try:
        work()
    except Refused as refused:
        if refused.code not in LOST_RACES:
            raise
        return refused.code
    return None


def test_stations_share_the_pieces_of_a_step(plant: psycopg.Connection, clone: Clone) -> None:
    """Three saws report more than there is: never more pieces than came."""
    for name in ("saw-2", "saw-3"):
        make_centre(plant, name, "CUT")
    code = order(plant, 20)

    def work(connection: psycopg.Connection, n: int) -> int:
        done = 0
        said = {"p_code": code, "p_work_centre": f"saw-{n % 3 + 1}", "p_good": 2}
        for _ in range(5):
            if lost(lambda: call(connection, "operator", "report_production", **said)) is None:
                done += 2
        return done

    assert sum(together(clone, 6, work)) == 20
    assert step(plant, code)["good"] == 20
    assert len(plant.execute("select distinct work_centre from public.piece_counts").fetchall()) > 1


def test_one_request_by_many_is_one_report(plant: psycopg.Connection, clone: Clone) -> None:
    code, request = order(plant, 20), uuid4()
    answers = together(
        clone, 8, lambda c, _: report(c, code, CUT, 3, scrap=1, reason="KNOT", request_id=request)
    )
    assert all(answer == answers[0] for answer in answers)
    assert (step(plant, code)["good"], step(plant, code)["scrap"]) == (3, 1)


def test_readings_of_one_counter_count_every_cycle_once(
    plant: psycopg.Connection, clone: Clone
) -> None:
    code = order(plant, 100)
    said = {"p_code": code, "p_work_centre": "saw-1"}
    call(plant, "equipment", "record_count", p_counter=0, **said)
    together(clone, 8, lambda c, n: call(c, "equipment", "record_count", p_counter=40, **said))
    assert step(plant, code)["good"] == 40


def test_an_order_is_released_once(plant: psycopg.Connection, clone: Clone) -> None:
    code = order(plant, 10, released=False)
    answers = together(clone, 6, lambda c, _: release(c, code))
    assert Counter(answer["changed"] for answer in answers) == {True: 1, False: 5}
    row = plant.execute("select on_hand from public.inventory_stock where sku = 'LEG'").fetchone()
    assert row == (960,)


def test_scarce_parts_are_handed_over_once(plant: psycopg.Connection, clone: Clone) -> None:
    """Six orders want 24 legs each, and there are 100: four orders' worth and a table."""
    call(plant, "operator", "issue_stock", p_sku="LEG", p_quantity=900)
    codes = [order(plant, 6, released=False) for _ in range(6)]
    together(clone, 6, lambda c, n: release(c, codes[n]))
    assert sorted(step(plant, c, ASSEMBLE)["released"] for c in codes) == [0, 1, 6, 6, 6, 6]


def test_a_press_that_is_disabled_takes_no_more(plant: psycopg.Connection, clone: Clone) -> None:
    code = order(plant, 40)
    ask = {"p_type": "DISABLE_EQUIPMENT", "p_work_centre": "saw-1", "p_justification": "Blunt"}
    asked = call(plant, "operator", "request_approval", **ask)

    def work(connection: psycopg.Connection, n: int) -> int:
        if n == 0:
            decision = {"p_id": asked["approval"]["id"], "p_version": asked["approval"]["version"]}
            call(connection, "manager", "decide_approval", **decision, p_decision="APPROVED")
            return 0
        return int(lost(lambda: report(connection, code, CUT, 1)) is None)

    reported = sum(together(clone, 8, work))
    assert step(plant, code)["good"] == reported
    with pytest.raises(Refused, match=r"work_centre\.disabled"):
        report(plant, code, CUT, 1)


def moves(db: psycopg.Connection, rng: random.Random, codes: list[str]) -> list[Callable[[], Any]]:
    """What somebody at one station, the planner or a supervisor may do next."""
    code, sequence = rng.choice(codes), rng.choice((CUT, CUT, ASSEMBLE, ASSEMBLE, PACK))
    said = {"p_code": code, "p_work_centre": CENTRES[sequence], "p_sequence": sequence}
    wrong = {"p_reason": "NOT_SQUARE"}
    return [
        lambda: call(db, "operator", "start_step", **said, p_quantity=rng.randint(1, 3)),
        *([lambda: report(db, code, sequence, rng.randint(1, 3))] * 6),
        lambda: call(
            db, "operator", "report_production", **said, **wrong, p_good=1, p_scrap=1
        ),
        lambda: call(
            db, "manager", "record_quality",
            **said, **wrong, p_disposition=rng.choice(("rework", "scrap", "hold")), p_quantity=1,
        ),
        lambda: call(db, "equipment", "record_count", **said, p_delta=1),
        lambda: call(db, "supervisor", "undo_production", p_code=code),
        lambda: call(db, "operator", "pause_step", p_code=code, p_sequence=sequence),
        lambda: call(db, "operator", "scan_step", **said),
        lambda: release(db, code),
        lambda: call(
            db, "planner", "close_order" if rng.random() < 0.3 else "reopen_order",
            p_code=code, p_reason="race",
        ),
        lambda: call(db, "planner", "reopen_order", p_code=code, p_reason="race"),
        lambda: call(
            db, "planner", "change_priority",
            p_code=code, p_priority=rng.choice(("rush", "normal", "critical")),
        ),
        lambda: call(db, "operator", "receive_stock", p_sku="LEG", p_quantity=4),
    ]  # fmt: skip


def test_a_busy_floor_keeps_every_piece(plant: psycopg.Connection, clone: Clone) -> None:
    """Eight people at three orders that make and need each other's parts: no deadlock, no loss."""
    call(plant, "planner", "save_routing", p_sku="LEG", p_steps=Jsonb([{"step": "CUT"}]))
    call(
        plant, "planner", "save_requirements",
        p_parent_sku="LEG", p_lines=Jsonb([{"sku": "ROD", "quantity": 1}]),
    )  # fmt: skip
    call(plant, "operator", "issue_stock", p_sku="LEG", p_quantity=960)
    codes = [order(plant, 10), order(plant, 10), order(plant, 30, sku="LEG")]

    def work(connection: psycopg.Connection, n: int) -> int:
        rng, done = random.Random(n), 0
        for _ in range(25):
            done += lost(rng.choice(moves(connection, rng, codes))) is None
        return done

    assert sum(together(clone, 8, work)) > 40
    assert selfcheck(plant) == []
    assert {order_row(plant, code)["status"] for code in codes} <= {
        "OPEN_NOT_STARTED", "IN_PROGRESS", "OPEN_PARTIAL", "CLOSED",
    }  # fmt: skip
