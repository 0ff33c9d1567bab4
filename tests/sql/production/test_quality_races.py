"""Two people at once: one replenishment, one decision, no piece twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import psycopg
import pytest

from tests.support.databases import Clone
from tests.support.printing import attempt
from tests.support.production import order, quality, release, replenishments, selfcheck, shown, step
from tests.support.rpc import Refused


def together(clone: Clone, *acts: Callable[[psycopg.Connection], Any]) -> list[Any]:
    """Each in a session of its own, at the same moment; their answers, or what refused them."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[psycopg.Connection], Any]) -> Any:
        with clone.connect() as db:
            barrier.wait(30)
            try:
                return act(db)
            except Refused as refused:
                return refused

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@pytest.mark.parametrize("sessions", [2, 6])
def test_scrap_from_several_stations_is_one_replenishment(
    plant: psycopg.Connection, clone: Clone, sessions: int
) -> None:
    """Five of a hundred, then one more from each: one order, topped up."""
    code = order(plant, 100)
    quality(plant, code, "scrap", 5)
    answers = together(clone, *[lambda db: quality(db, code, "scrap", 1)] * sessions)
    assert all(answer["changed"] for answer in answers)
    assert replenishments(plant, code) == [(f"{code}-R1", 5 + sessions, "OPEN_NOT_STARTED")]
    triggers = plant.execute(
        "select count(*), count(distinct trigger_event) from public.replenishment_links"
    ).fetchone()
    assert triggers == (1 + sessions, 1 + sessions)


def test_the_first_scraps_at_once_make_one_order(plant: psycopg.Connection, clone: Clone) -> None:
    code = order(plant, 100)
    together(clone, *[lambda db: quality(db, code, "scrap", 2)] * 4)
    assert replenishments(plant, code) == [(f"{code}-R1", 8, "OPEN_NOT_STARTED")]


def test_scrap_of_root_and_replenishment_while_it_is_released(
    plant: psycopg.Connection, clone: Clone
) -> None:
    """Whatever comes first, all that is lost is made again, and nobody waits for ever."""
    code = order(plant, 100)
    quality(plant, code, "scrap", 5)
    release(plant, f"{code}-R1")
    quality(plant, code, "scrap", 1)
    together(
        clone,
        lambda db: quality(db, code, "scrap", 1),
        lambda db: quality(db, f"{code}-R1", "scrap", 1),
        lambda db: release(db, f"{code}-R2"),
        lambda db: quality(db, f"{code}-R1", "scrap", 1),
    )
    made = sum(quantity for _, quantity, _ in replenishments(plant, code))
    assert made == step(plant, code)["scrap"] + step(plant, f"{code}-R1")["scrap"] == 9
    assert selfcheck(plant) == []


def test_the_same_open_pieces_are_decided_once(plant: psycopg.Connection, clone: Clone) -> None:
    code = order(plant, 10)
    record = quality(plant, code, "rework", 3)["record"]["id"]
    answers = together(
        clone,
        lambda db: quality(db, code, "accept", 3, record=record, reason=None),
        lambda db: quality(db, code, "scrap", 3, record=record),
    )
    (refused,) = [a for a in answers if isinstance(a, Refused)]
    assert (refused.status, refused.code) == (409, "quality.decided")
    after = step(plant, code)
    assert (after["good"] + after["scrap"], after["rework_open"]) == (3, 0)


def test_two_managers_decide_at_once(plant: psycopg.Connection, clone: Clone) -> None:
    code = order(plant, 10)
    quality(plant, code, "scrap", 6)
    decide = shown(plant, 1)
    answers = together(
        clone,
        lambda db: attempt(db, "manager", "decide_approval", **decide, p_decision="APPROVED"),
        lambda db: attempt(
            db, "planner", "decide_approval", **decide, p_decision="REJECTED", p_notes="no"
        ),
        lambda db: attempt(db, "admin", "decide_approval", **decide, p_decision="APPROVED"),
        lambda db: quality(db, code, "scrap", 1),
    )
    approved = plant.execute("select status from public.approvals where id = 1").fetchone()
    made = sum(quantity for _, quantity, _ in replenishments(plant, code))
    refused = {a for a in answers[:3] if isinstance(a, tuple) and a[0] != 200}
    late = {(409, "approval.decided")}  # or the loss came first, and nobody had seen that
    assert refused == (late if approved != ("PENDING",) else {(409, "approval.stale")})
    assert (made >= 6) == (approved == ("APPROVED",))
