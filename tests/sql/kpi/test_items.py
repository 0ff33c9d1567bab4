"""OEE by what was made, and from a figure down to the facts behind it."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.sql.kpi import plant
from tests.sql.kpi.plant import (
    START,
    at,
    count,
    figures,
    ideal,
    machine,
    oee,
    pattern,
    shift,
    state,
)
from tests.support.printing import attempt
from tests.support.rpc import call

MINUTE, HOUR = 60, 3600
END = at(START, 8 * HOUR)


@pytest.fixture
def m1(db: psycopg.Connection) -> psycopg.Connection:
    """m1 works from 06:00 to 14:00 with a break at 10:00, and runs. A takes 60 s, B 30 s."""
    machine(db)
    pattern(db, shift("early", "06:00", "14:00", [("10:00", "10:30")]))
    state(db, "running", at(START, -HOUR))
    for sku, seconds in (("A", 60), ("B", 30)):
        call(db, "planner", "upsert_item", p_sku=sku, p_title=sku)
        ideal(db, seconds, sku=sku)
    return db


def by_item(db: psycopg.Connection, begin: datetime, end: datetime, **more: Any) -> dict[str, Any]:
    rows = oee(db, begin, end, by="item", **more)
    return {row["key"]: {**row["inputs"], **row["ratios"]} for row in rows}


def test_time_is_of_the_item_that_comes_out_next(m1: psycopg.Connection) -> None:
    """A from 06:00 to its last piece at 08:00; set up for B from 08:00 to 09:00; B until 14:00."""
    count(
        m1,
        {"at": at(START, HOUR), "sku": "A", "good": 50},
        {"at": at(START, 2 * HOUR), "sku": "A", "good": 40, "scrap": 10},
    )
    state(m1, "setup", at(START, 2 * HOUR + 1))
    state(m1, "running", at(START, 3 * HOUR))
    count(m1, {"at": at(START, 7 * HOUR), "sku": "B", "good": 300})
    told = by_item(m1, START, END)
    assert set(told) == {"A", "B"}
    a, b = told["A"], told["B"]
    assert (round(a["run_s"], 3), a["good"], a["scrap"]) == (2 * HOUR, 90, 10)
    assert a["performance"] == pytest.approx(100 * 60 / (2 * HOUR), abs=1e-6)
    assert b["setup_s"] == HOUR - 1
    assert b["planned_s"] == pytest.approx(5.5 * HOUR, abs=1e-3)  # without the break
    assert b["oee"] == pytest.approx(300 * 30 / (5.5 * HOUR), abs=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_items_together_are_the_machine(m1: psycopg.Connection, seed: int) -> None:
    """Whatever happens: breaks, stops, pieces of two items at one instant, taken back, unknown."""
    dice = random.Random(seed)
    rows = []
    for n in range(60):
        when = at(START, dice.choice((dice.randint(-1800, 9 * HOUR), dice.randint(0, 20) * 1200)))
        row = {
            "at": when,
            "key": f"k{n}",
            "sku": dice.choice(("A", "A", "B", None)),
            "good": dice.randint(1, 5),
        }
        rows.append(row)
        if dice.random() < 0.1:
            rows.append({"at": when, "key": f"x{n}", "reverses": f"k{n}"})
    count(m1, *rows)
    for _ in range(6):
        begin = at(START, dice.randint(0, 8 * HOUR))
        state(m1, dice.choice(("stopped", "setup", "running")), begin)
    plant.stop(m1, at(START, 5 * HOUR), at(START, 6 * HOUR), "no-order")
    begin = at(START, dice.choice((0, dice.randint(0, 4 * HOUR))))
    for as_of in (None, at(START, dice.randint(2 * HOUR, 7 * HOUR))):
        whole = figures(m1, begin, END, as_of=as_of)
        told = by_item(m1, begin, END, as_of=as_of)
        for name in oee(m1, begin, END, as_of=as_of)[0]["inputs"]:
            total = sum(part[name] for part in told.values())
            assert total == pytest.approx(whole[name], abs=1e-6), name


def test_a_shift_without_a_piece_is_of_no_item(m1: psycopg.Connection) -> None:
    told = by_item(m1, START, END)
    assert set(told) == {"-"}
    assert told["-"]["planned_s"] == 7.5 * HOUR


def test_an_item_is_added_up_over_machines(m1: psycopg.Connection) -> None:
    machine(m1, "m2")
    state(m1, "running", at(START, -HOUR), "m2")
    for code in ("m1", "m2"):
        count(m1, {"at": at(START, HOUR), "sku": "A", "good": 60}, code=code)
    (row,) = oee(m1, START, at(START, HOUR + 1), code=None, by="item", site="main")
    assert (row["key"], row["machines"], row["inputs"]["good"]) == ("A", 2, 120)


def test_by_item_for_a_quarter_at_most(m1: psycopg.Connection) -> None:
    asked = {"p_machine": "m1", "p_by": "item", "p_from": START, "p_to": START + timedelta(days=94)}
    assert attempt(m1, "viewer", "get_oee", **asked) == (422, "kpi.range")


# Facts ------------------------------------------------------------------------------------------


def facts(db: psycopg.Connection, **more: Any) -> list[dict[str, Any]]:
    """All of them, page by page."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = call(
            db, "viewer", "get_oee_facts", p_machine="m1", p_from=START, p_to=END,
            p_cursor=cursor, **{f"p_{name}": value for name, value in more.items()},
        )  # fmt: skip
        found += page["facts"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found
        assert len(page["facts"]) == more["limit"]


@pytest.fixture
def busy(m1: psycopg.Connection) -> psycopg.Connection:
    """A shift with stops of every kind, states and counts, some of them in the break."""
    dice = random.Random(7)
    names = ("running", "stopped", "setup", "idle")
    for n in range(25):
        state(m1, names[n % 4], at(START, n * 1000), seq=n)
        state(m1, names[n % 4], at(START, n * 1000), seq=n + 100)
    count(m1, *[
        {"at": at(START, dice.randint(0, 8 * HOUR - 1) // 600 * 600), "key": f"k{n}", "good": n,
         "scrap": 1, "sku": dice.choice(("A", "B"))}
        for n in range(1, 60)
    ])  # fmt: skip
    plant.stop(m1, at(START, 2 * HOUR), at(START, 2.5 * HOUR), "breakdown")
    plant.plan(m1, at(START, 6 * HOUR), at(START, 6.25 * HOUR), "meeting")
    return m1


@pytest.mark.parametrize("limit", [1, 7, 500])
def test_the_facts_add_up_to_the_figure(busy: psycopg.Connection, limit: int) -> None:
    told = facts(busy, limit=limit)
    assert [(f["at"], f"{f['kind']}/{f['key']}") for f in told] == sorted(
        (f["at"], f"{f['kind']}/{f['key']}") for f in told
    )
    assert len({(f["at"], f["kind"], f["key"]) for f in told}) == len(told)
    f = figures(busy, START, END)
    counts = [x for x in told if x["kind"] == "count"]
    assert len(counts) == 59
    for name in ("good", "scrap"):
        assert sum(x[name] for x in counts if x["is_planned"]) == f[name]
    assert (
        sum(x["good"] + x["scrap"] for x in counts if not x["is_planned"])
        == f["unscheduled_pieces"]
    )
    stops = [x for x in told if x["kind"] == "stop"]
    lost = sum(x["lost_s"] for x in stops if x["policy"] == "loss_availability")
    assert lost == f["availability_loss_s"]
    assert sum(x["lost_s"] for x in stops if x["policy"] == "excluded") == f["excluded_s"]
    assert len([x for x in told if x["kind"] == "state"]) == 50


def test_facts_of_one_kind_or_one_item(busy: psycopg.Connection) -> None:
    whole = facts(busy, limit=500)
    for kind in ("stop", "count", "state"):
        assert facts(busy, limit=500, kind=kind) == [f for f in whole if f["kind"] == kind]
    item = facts(busy, limit=500, sku="A")
    assert item == [f for f in whole if f["sku"] == "A"]
    assert sum(f["good"] for f in item if f["is_planned"]) == by_item(busy, START, END)["A"]["good"]


@pytest.mark.parametrize(("given", "refused"), [
    ({"p_machine": "none"}, (404, "machine.unknown")),
    ({"p_kind": "moon"}, (422, "kpi.by")),
    ({"p_to": START + timedelta(days=32)}, (422, "kpi.range")),
    ({"p_cursor": "nonsense"}, (400, "request.bad_cursor")),
])  # fmt: skip
def test_questions_for_facts_that_are_refused(
    m1: psycopg.Connection, given: dict[str, Any], refused: tuple[int, str]
) -> None:
    asked = {"p_machine": "m1", "p_from": START, "p_to": END, **given}
    assert attempt(m1, "viewer", "get_oee_facts", **asked) == refused
