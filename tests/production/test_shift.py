"""The furniture workshop's day: forty orders, three with scrap, one short of legs, a dead press."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from services.simulator.shift import Answer, Shift
from services.simulator.shift_plan import LEG, ORDERS, Plan, day
from tests.production.oracle import STEPS, Lot, Oracle
from tests.sql.inventory.stock import differences
from tests.support.databases import STAFF_ROLES, USER_IDS, Clone
from tests.support.production import selfcheck
from tests.support.rpc import call

_SEED = Path(__file__).parents[2] / "supabase" / "seed_dev_production.sql"
_BECOME = (
    "create or replace function pg_temp.become(p_role text) returns void language sql as $$"
    " select set_config('request.jwt.claims', json_build_object('role', 'authenticated',"
    " 'sub', u.user_id)::text, true) from pg_temp.demo_users u where u.role = p_role $$"
)


@dataclass(frozen=True)
class Day:
    """The plant after the day, and what the oracle says of it."""

    db: psycopg.Connection
    plan: Plan
    oracle: Oracle
    commands: list[tuple[str, str, Answer]]
    stock_before: dict[str, Decimal]


def stock(db: psycopg.Connection) -> dict[str, Decimal]:
    return dict(db.execute("select sku, on_hand from public.inventory_stock").fetchall())


def seed_plant(db: psycopg.Connection, orders: bool = False) -> None:
    """The dev seed of the workshop; with or without the orders of the demo."""
    with db.transaction():
        db.execute("create temporary table demo_users (user_id uuid, role text) on commit drop")
        for role in STAFF_ROLES:
            db.execute("insert into pg_temp.demo_users values (%s, %s)", (USER_IDS[role], role))
        db.execute(_BECOME)
        db.execute("select set_config('takt.seed_orders', %s, true)", ("on" if orders else "off",))
        db.execute(_SEED.read_bytes())


def say(db: psycopg.Connection, role: str, rpc: str, arguments: Answer) -> Any:
    given = {name: Jsonb(value) if name == "p_rows" else value for name, value in arguments.items()}
    return call(db, role, rpc, headers=None, **given)


@pytest.fixture(scope="module")
def shift(module_clone: Clone) -> Iterator[Day]:
    with module_clone.connect() as db:
        seed_plant(db)
        before = stock(db)
        commands: list[tuple[str, str, Answer]] = []

        def caller(role: str, rpc: str, arguments: Answer) -> Any:
            if "p_request_id" in arguments:
                commands.append((role, rpc, arguments))
            return say(db, role, rpc, arguments)

        oracle = Oracle()
        rows = db.execute("select code, received from public.production_lots p join public.lots l on l.id = p.lot_id")  # fmt: skip  # noqa: E501
        for code, received in rows.fetchall():
            oracle.lots[code] = Lot(received=received)
        plan = day()
        life = Shift(caller, plan, date(2026, 11, 23))
        life.run()
        yield Day(db, plan, oracle.hear(life.log), commands, before)


def test_every_self_check_is_empty(shift: Day) -> None:
    assert selfcheck(shift.db) == []
    assert differences(shift.db) == []


def test_every_order_is_closed_with_what_was_planned(shift: Day) -> None:
    rows = shift.db.execute(
        "select o.code, o.status, o.quantity, p.executed_good, p.replenished"
        " from public.production_orders o"
        " join public.production_order_progress p on p.order_id = o.id"
    ).fetchall()
    assert len(rows) == ORDERS + 3
    for code, status, quantity, good, replenished in rows:
        assert status == "CLOSED", code
        assert good == shift.oracle.good(code), code
        assert replenished == shift.oracle.replenished.get(code, 0), code
        assert good + replenished == quantity == shift.oracle.orders[code][1], code


def test_three_losses_were_made_again(shift: Day) -> None:
    rows = shift.db.execute(
        "select root.code, o.quantity, o.type, o.source, k.trigger from public.replenishments r"
        " join public.production_orders o on o.id = r.order_id"
        " join public.production_orders root on root.id = r.root_id"
        " join public.replenishment_links k on k.replenishment_id = r.order_id"
    ).fetchall()
    assert {row[0]: row[1] for row in rows} == shift.oracle.replenished
    assert len(rows) == 3
    assert {row[2:] for row in rows} == {("REPLENISHMENT", "replenishment", "SCRAP")}


def test_counters_of_every_step_are_the_oracle_s(shift: Day) -> None:
    names = "started, good, scrap, rework_open"
    rows = shift.db.execute(
        f"select o.code, s.sequence, {names} from public.production_order_steps s"
        " join public.production_orders o on o.id = s.order_id"
    ).fetchall()
    ours = {(code, sequence): tuple(counts) for code, sequence, *counts in rows}
    theirs = {
        key: (step.started, step.good, step.scrap, step.rework_open)
        for key, step in shift.oracle.steps.items()
    }
    assert ours == theirs


def test_stock_is_what_the_bills_of_materials_leave(shift: Day) -> None:
    expected = {sku: before + shift.oracle.stock[sku] for sku, before in shift.stock_before.items()}
    assert stock(shift.db) == expected


def test_balances_of_all_lots_are_the_oracle_s(shift: Day) -> None:
    rows = shift.db.execute(
        "select l.code, p.received, p.moved_in - p.moved_out, p.used, p.scrapped, p.remaining"
        " from public.production_lots p join public.lots l on l.id = p.lot_id"
    ).fetchall()
    ours = {code: tuple(figures) for code, *figures in rows}
    theirs = {
        code: (lot.received, lot.moved, lot.used, lot.scrapped, lot.remaining)
        for code, lot in shift.oracle.lots.items()
    }
    assert ours == theirs


def test_the_genealogy_is_complete_both_ways(shift: Day) -> None:
    """What a lot is made of is what was scanned into it; forward is backward, turned round."""
    forward: dict[str, set[str]] = {}
    for code in shift.oracle.orders:
        lot = call(shift.db, "planner", "get_lot", p_code=code, p_limit=1000)
        found = {e["key"] for e in lot["genealogy"]["made_of"] if e["kind"] == "lot"}
        assert found == shift.oracle.ancestors(code), code
        assert lot["mass"]["is_balanced"], code
        assert lot["genealogy"]["is_complete"], code
        orders = {e["key"] for e in lot["genealogy"]["made_of"] if e["kind"] != "lot"}
        assert code in orders, "and its order"
        for parent in found:
            forward.setdefault(parent, set()).add(code)
    split = {f"{shift.plan.jobs[0].code}-1"}
    for parent, children in forward.items():
        lot = call(shift.db, "planner", "get_lot", p_code=parent, p_limit=1000)
        reached = {e["key"] for e in lot["genealogy"]["went_into"] if e["kind"] == "lot"}
        assert reached - split == children, parent
    assert shift.oracle.materials_used > ORDERS


def test_quality_figures_are_the_oracle_s(shift: Day) -> None:
    found = call(shift.db, "planner", "get_quality")
    steps = {row["step"]: row for row in found["steps"]}
    for place, step in enumerate(STEPS, start=1):
        exact = shift.oracle.first_pass(place * 10)
        assert abs(Decimal(str(steps[step]["fpy"])) - exact) < Decimal("0.000001"), step
    assert abs(Decimal(str(found["rty"])) - shift.oracle.rolled()) < Decimal("0.00001")
    pareto = {row["reason"]: int(row["quantity"]) for row in found["reasons"]}
    assert pareto == dict(shift.oracle.reasons)
    assert [row["quantity"] for row in found["reasons"]] == sorted(pareto.values(), reverse=True)


def test_the_order_short_of_legs_waited_and_said_for_what(shift: Day) -> None:
    waits = shift.db.execute(
        "select distinct stream_id from public.events where event = 'production.released'"
        " and jsonb_path_exists(payload, '$.waits_for[*].missing[*] ? (@.sku == $leg)', %s)",
        (Jsonb({"leg": LEG}),),
    ).fetchall()
    assert len(waits) >= 1
    noted = shift.db.execute(
        "select sku, resolved_at is not null from public.production_discrepancies"
    ).fetchall()
    assert noted, "somebody had to get them"
    assert set(noted) == {(LEG, True)}


def test_the_dead_press_took_nothing_and_two_people_brought_it_back(shift: Day) -> None:
    rows = shift.db.execute(
        "select type, status, requested_by, decided_by from public.approvals order by id"
    ).fetchall()
    assert [row[0] for row in rows] == [
        "DISABLE_EQUIPMENT", "SPECIAL_OPERATION", "ENABLE_EQUIPMENT",
    ]  # fmt: skip
    assert {row[1:] for row in rows} == {("APPROVED", USER_IDS["operator"], USER_IDS["manager"])}
    off, on = (
        shift.db.execute(
            "select min(e.id), max(e.id) from public.events e where e.stream = 'work_centre'"
            " and e.stream_id = 'press-1' and e.event like %s",
            (f"%{word}",),
        ).fetchone()
        for word in ("disabled", "enabled")
    )
    assert off is not None
    assert on is not None
    refused = shift.db.execute(
        "select id, payload ->> 'reason' from public.events where event = 'production.scan_refused'"
    ).fetchall()
    assert [reason for _, reason in refused] == ["work_centre.disabled"]
    assert off[0] < refused[0][0] < on[1]
    there = shift.db.execute(
        "select count(*) from public.events where event = 'production.counted'"
        " and payload ->> 'work_centre' = 'press-1' and id between %s and %s",
        (off[0], on[1]),
    ).fetchone()
    assert there == (0,)


def test_the_whole_day_said_again_changes_nothing(shift: Day) -> None:
    """Every command with its request id once more: the first answers, and not one more event."""
    before = shift.db.execute("select count(*), max(id) from public.events").fetchone()
    for role, rpc, arguments in shift.commands:
        say(shift.db, role, rpc, arguments)
    assert shift.db.execute("select count(*), max(id) from public.events").fetchone() == before
    assert selfcheck(shift.db) == []


def test_the_demo_s_orders_add_up_too(clone: Clone) -> None:
    with clone.connect() as db:
        seed_plant(db, orders=True)
        seed_plant(db, orders=True)
        assert selfcheck(db) == []
        states: dict[str, str] = dict(
            db.execute("select code, status from public.production_orders").fetchall()
        )
    assert states["FU-1007"] == "CLOSED"
    assert {"IN_PROGRESS", "OPEN_NOT_STARTED"} <= set(states.values())
    assert "FU-1001-R1" in states
