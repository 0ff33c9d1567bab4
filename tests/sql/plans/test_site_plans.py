"""Who may see a row is asked once per question, not once per row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from services.local.postgres import SUPERUSER
from tests.support.databases import Clone
from tests.support.rpc import acting_as

WHO = "flourlane_operator"
ROWS = (
    "insert into public.sites (code, name) values ('far', 'Far')",
    "insert into public.machines (code, name, site) select 'm' || n, 'm', case n % 2 when 0"
    " then 'main' else 'far' end from generate_series(1, 400) n",
    "insert into public.count_minute (machine, minute, good, scrap, rework, first_at, last_at)"
    " select 'm' || n % 400 + 1, t, 1, 0, 0, t, t from generate_series(1, 40000) n,"
    " lateral (select '2026-01-01Z'::timestamptz + n * interval '1 minute' as t) x",
    "insert into public.repairs (machine, site, type, source, is_down, occurred_at, reported_at,"
    " status_since, status) select m.code, m.site, 'unscheduled', 'staff', false, now(), now(),"
    " now(), 'rejected' from public.machines m, generate_series(1, 25) n",
    "insert into public.repair_statuses (repair_id, n, at, status)"
    " select id, 1, now(), 'reported' from public.repairs",
)


@pytest.fixture(scope="module")
def plant(module_clone: Clone) -> Iterator[psycopg.Connection]:
    with module_clone.connect(SUPERUSER) as db:
        for rows in ROWS:
            db.execute(rows)
        db.execute("analyze")
        yield db


def plan(db: psycopg.Connection, query: str) -> dict[str, Any]:
    with acting_as(db, WHO):
        row = db.execute(f"explain (analyze, timing off, format json) {query}").fetchone()
    assert row is not None
    return dict(row[0][0]["Plan"])


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.parametrize(
    ("table", "rows"),
    [("machines", 200), ("machine_versions", 200), ("count_minute", 20000), ("repairs", 5000)],
)
def test_the_right_is_looked_up_once(plant: psycopg.Connection, table: str, rows: int) -> None:
    found = plan(plant, f"select * from public.{table}")
    assert found["Actual Rows"] == rows
    asked = [n for n in nodes(found) if "Subplan Name" in n]
    assert asked
    assert [n["Actual Loops"] for n in asked] == [1] * len(asked), asked


def test_the_history_of_one_repair_looks_at_one_repair(plant: psycopg.Connection) -> None:
    row = plant.execute("select min(id) from public.repairs where site = 'main'").fetchone()
    assert row is not None
    found = plan(plant, f"select * from public.repair_statuses where repair_id = {row[0]}")
    assert found["Actual Rows"] == 1
    read = [n for n in nodes(found) if n.get("Relation Name") == "repairs"]
    assert [n["Actual Rows"] for n in read] == [1]
