"""Prints logged by hand, mappings and lists."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.farm.farm import NOON, machine, mapping, part, report, run_of
from tests.sql.inventory.production import fulfilment, produce
from tests.sql.inventory.stock import on_hand, refused
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


def test_a_print_by_hand_of_which_some_are_bad(farm: psycopg.Connection) -> None:
    part(farm, grams_per_print=80, parts_per_print=8)
    lines = Jsonb([{"sku": "bracket", "quantity": 7, "planned": 8}])
    done = log(farm, lines=lines, machine="a1", reason="warped")
    assert [(line["planned"], line["qty"]) for line in done["lines"]] == [(8, 7)]
    assert (on_hand(farm, "BRACKET"), done["run"]["grams"]) == (7, 80)
    for planned in (6, "many", 100_000):
        lines = Jsonb([{"sku": "BRACKET", "quantity": 7, "planned": planned}])
        answer = refused(farm, "operator", "log_manual_print", p_lines=lines)
        assert answer.code == "print_run.lines"


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


def test_what_a_file_gives_now(farm: psycopg.Connection) -> None:
    mapping(farm, "plates/Feet plate 2.3mf", {"BRACKET": 1, "KNOB": 2})
    found = call(farm, "viewer", "get_gcode", p_gcode_filename="FEET_plate_2.gcode")
    assert (found["stem"], found["plate"], found["waiting"]) == ("feet", 2, 0)
    assert {row["sku"]: row["quantity"] for row in found["parts"]} == {"BRACKET": 1, "KNOB": 2}
    assert call(farm, "viewer", "get_gcode", p_gcode_filename="feet", p_plate=3)["parts"] == []


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
