"""The demo's machines: the same story twice, and told once however often it is told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.simulator.machines import MACHINES, Machines
from services.simulator.machines_plan import Pace, machine_day, told_between
from takt.rpc import RpcClient
from tests.services.stack import Stack

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_day_is_the_same_for_the_same_machine_and_ends_at_midnight() -> None:
    first, again = (machine_day("cnc-1", NOON.date(), Pace()) for _ in range(2))
    assert (first.states, first.counts) == (again.states, again.counts)
    assert first.states != machine_day("cnc-2", NOON.date(), Pace()).states
    times = [at for at, _ in first.states]
    assert times == sorted(times)
    assert times[0] == NOON - timedelta(hours=12)
    assert max(times[-1], first.counts[-1].at) < NOON + timedelta(hours=12)
    assert len({count.key for count in first.counts}) == len(first.counts)
    assert all(a.ends <= b.begins for a, b in pairwise(first.interruptions))


def test_what_is_told_in_parts_is_what_is_told_at_once() -> None:
    marks = [NOON - timedelta(hours=30), NOON - timedelta(hours=11), NOON]
    parts = [told_between("cnc-1", a, b, Pace()) for a, b in pairwise(marks)]
    states, counts = told_between("cnc-1", marks[0], marks[-1], Pace())
    assert [row for part in parts for row in part[0]] == states
    assert [row for part in parts for row in part[1]] == counts


@pytest.fixture
def machine(stack: Stack) -> str:
    """The first of the demo's machines, at the site of the demo."""
    with stack.rpc() as rpc:
        rpc.call("save_machine", p_code=MACHINES[0], p_site="main")
    return MACHINES[0]


def _look(stack: Stack, home: Path, *at: datetime) -> None:
    async def look() -> None:
        async with RpcClient(stack.url, stack.secret_key) as rpc:
            machines = Machines(rpc, 1, home)
            for now in at:
                await machines.look(now)

    asyncio.run(look())


def _facts(db: psycopg.Connection, code: str) -> tuple[Any, ...] | None:
    return db.execute(
        "select (select count(*) from public.machine_state_events where machine = %(code)s),"
        " (select count(*) from public.count_events where machine = %(code)s),"
        " (select count(*) from public.stops where machine = %(code)s and reason is not null)",
        {"code": code},
    ).fetchone()


def test_history_then_news_and_nothing_twice(
    stack: Stack, db: psycopg.Connection, machine: str, tmp_path: Path
) -> None:
    (tmp_path / ".takt").mkdir()
    now = datetime.now(UTC) - timedelta(minutes=10)
    _look(stack, tmp_path, now - timedelta(hours=1), now)
    states, counts = told_between(machine, now - timedelta(hours=73), now, Pace())
    facts = _facts(db, machine)
    assert facts is not None
    assert facts[:2] == (len(states), len(counts))
    assert facts[2] > 5, "people said why it stood"
    _look(stack, tmp_path, now)
    assert _facts(db, machine) == facts, "a restart goes on where it was"
    (tmp_path / ".takt" / "machines.json").unlink()
    _look(stack, tmp_path, now)
    assert _facts(db, machine) == facts, "told again, it is there already"
