"""RENAR's defects of execution (A2), each by its name and number."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.concurrency.together import together
from tests.support.databases import Clone
from tests.support.production import CUT, make_centre, order, order_row, report, step
from tests.support.rpc import Refused, call

SEVEN = ("OPTIMIZE", "PRECUT", "CNC", "SAND", "GLUE", "PAINT", "BOX")


def seven_steps(db: psycopg.Connection) -> None:
    for name in SEVEN:
        call(db, "planner", "save_process_step", p_code=name, p_kind="process")
        make_centre(db, name.lower(), name)
    steps = [{"step": name} for name in SEVEN]
    call(db, "planner", "upsert_item", p_sku="DOOR", p_title="Door")
    call(db, "planner", "save_routing", p_sku="DOOR", p_steps=Jsonb(steps))


def made(db: psycopg.Connection, code: str, centre: str, good: int) -> dict[str, object]:
    return dict(
        call(db, "operator", "report_production", p_code=code, p_work_centre=centre, p_good=good)
    )


def test_defect_2_executed_good_is_that_of_the_last_step(plant: psycopg.Connection) -> None:
    """Summed over all steps, an order of seven steps closes at a seventh of its plan."""
    seven_steps(plant)
    code = order(plant, 7, sku="DOOR")
    for name in SEVEN:
        made(plant, code, name.lower(), 1)
    row = plant.execute("select executed_good from public.production_order_progress").fetchone()
    assert row == (1,)
    assert order_row(plant, code)["status"] == "IN_PROGRESS"
    for name in SEVEN:
        assert order_row(plant, code)["status"] == "IN_PROGRESS"
        made(plant, code, name.lower(), 6)
    assert order_row(plant, code)["status"] == "CLOSED"


def test_defect_1_a_count_is_of_its_work_centre(plant: psycopg.Connection) -> None:
    """Counts went to an empty work centre, and so to no execution at all."""
    code = order(plant, 10)
    report(plant, code, CUT, 1)
    call(plant, "operator", "record_count", p_code=code, p_work_centre="saw-1", p_delta=2)
    found = plant.execute(
        "select order_id is not null, sequence, work_centre, good from public.piece_counts"
        " order by id"
    ).fetchall()
    assert found == [(True, CUT, "saw-1", 1), (True, CUT, "saw-1", 2)]
    assert step(plant, code)["good"] == 3


def test_defect_7_counters_are_not_read_and_written_back(
    plant: psycopg.Connection, clone: Clone
) -> None:
    """Ten stations report at one instant: none of their pieces is lost."""
    code = order(plant, 100)
    for _ in range(2):
        together(clone, 10, lambda c, n: report(c, code, CUT, n % 3 + 1))
    assert step(plant, code)["good"] == 2 * sum(n % 3 + 1 for n in range(10))


def test_defect_5_a_failed_first_try_poisons_no_key(plant: psycopg.Connection) -> None:
    """The key was set before the command ran: after a failure every retry answered null."""
    code = order(plant, 10)
    request = uuid4()
    said = {"p_code": code, "p_work_centre": "bench-1", "p_good": 2, "p_request_id": request}
    with pytest.raises(Refused) as early:
        call(plant, "operator", "report_production", **said)
    assert early.value.code == "production.previous_step"
    report(plant, code, CUT, 2)
    answer = call(plant, "operator", "report_production", **said)
    assert answer["step"]["good"] == 2
    assert call(plant, "operator", "report_production", **said) == answer


def test_defect_6_scrap_is_no_part_of_what_is_good(plant: psycopg.Connection) -> None:
    code = order(plant, 4)
    answer = report(plant, code, CUT, 3, scrap=1, reason="KNOT")
    assert (answer["step"]["good"], answer["step"]["scrap"]) == (3, 1)
    assert answer["progress"]["executed_good"] == 0
    assert answer["progress"]["lost"] == 1
