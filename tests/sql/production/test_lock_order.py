"""The order of locks (sql/README.md): whoever waits for one holds none that come after it."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.concurrency.together import together
from tests.sql.production.test_floor_races import LOST_RACES
from tests.sql.units.waiting import blocked_by
from tests.support.databases import Clone
from tests.support.lots import do, receive
from tests.support.production import (
    CUT,
    make_plant,
    order,
    order_row,
    quality,
    release,
    replenishments,
    report,
    selfcheck,
)
from tests.support.rpc import Refused, call

Db = psycopg.Connection
PATIENCE = "set lock_timeout = '20s'"  # longer than a deadlock takes to be found


def first_one_waits(
    clone: Clone, first: str, act: Callable[[Db], Any], then: str, *arguments: Any
) -> Any:
    """`act` waits for `first`, which another session holds; that one gets `then` as well.

    Answers what the act gave, or what refused it. Errors: DeadlockDetected in either session.
    """

    def run() -> Any:
        with clone.connect() as mine:
            mine.execute(PATIENCE)
            try:
                return act(mine)
            except Refused as refused:
                return refused

    with clone.connect() as other, ThreadPoolExecutor(1) as pool:
        other.execute(PATIENCE)
        with other.transaction():
            other.execute(first, arguments[:1])
            acting = pool.submit(run)
            blocked_by(other, acting)
            other.execute(then, arguments[1:])
        return acting.result(60)


def lot_id(db: Db, code: str) -> int:
    row = db.execute("select id from public.lots where code = %s", (code,)).fetchone()
    assert row is not None
    return int(row[0])


LOT = "select 1 from public.lots where id = %s for update"


@pytest.mark.parametrize("how", ["scan_step", "consume_lot"])
@pytest.mark.parametrize("is_older", [True, False])
def test_lots_are_locked_by_id(plant: Db, clone: Clone, how: str, is_older: bool) -> None:
    """A hold takes the older lot, then the newer one; who uses both takes them in that order."""
    code = order(plant, 10)
    makers: list[Callable[[], Any]] = [
        lambda: receive(plant, "PNL-1", 100, sku="PANEL"),
        lambda: report(plant, code, CUT, 1),
    ]
    for make in makers if is_older else reversed(makers):
        make()
    lots = sorted((lot_id(plant, "PNL-1"), lot_id(plant, code)))

    def use(db: Db) -> Any:
        if how == "scan_step":
            scan = {"p_code": code, "p_work_centre": "saw-1", "p_material_lot": "PNL-1"}
            return call(db, "operator", "scan_step", **scan)["ok"]
        return do(db, "consume_lot", code="PNL-1", quantity=1, order=code)["changed"]

    assert first_one_waits(clone, LOT, use, LOT, *lots) is True


def test_the_lot_that_becomes_finished_is_locked_alone(db: Db, clone: Clone) -> None:
    """Who uses legs shares their lot, then takes what is left of it: no upgrade between."""
    make_plant(db, made_legs=True)
    legs = order(db, 10, "LEG")
    call(db, "operator", "start_step", p_code=legs, p_work_centre="saw-1")
    lot = lot_id(db, legs)
    answer = first_one_waits(
        clone,
        "select 1 from public.lots where id = %s for share",
        lambda other: report(other, legs, CUT, 10)["order_row"]["status"],
        "select 1 from public.production_lots where lot_id = %s for update",
        *(lot, lot),
    )
    assert answer == "CLOSED"


def test_the_genealogy_comes_before_the_order(plant: Db, clone: Clone) -> None:
    """The first report makes the lot of its order: a recall is waited for without the row."""
    code = order(plant, 10)
    answer = first_one_waits(
        clone,
        "select private.begin_genealogy(%s)",
        lambda other: report(other, code, CUT, 4)["changed"],
        "select 1 from public.production_orders where code = %s for update",
        *(True, code),
    )
    assert answer is True


def test_two_who_use_material_first_make_one_lot(plant: Db, clone: Clone) -> None:
    for lot in ("PNL-1", "PNL-2"):
        receive(plant, lot, 100, sku="PANEL")
    code = order(plant, 10)
    use = {"p_quantity": 1, "p_order": code}
    together(
        clone, 2, lambda db, n: call(db, "operator", "consume_lot", p_code=f"PNL-{n + 1}", **use)
    )
    lots = plant.execute(
        "select l.code from public.production_lots p join public.lots l on l.id = p.lot_id"
        " join public.production_orders o on o.id = p.order_id where o.code = %s",
        (code,),
    ).fetchall()
    assert lots == [(code,)]


def test_the_clock_waits_for_no_order(plant: Db, clone: Clone) -> None:
    """An import holds one of the families that are to be cleared: it is cleared a minute later."""
    codes = [order(plant, 10) for _ in range(2)]
    for code in codes:
        report(plant, code, CUT, 8, scrap=2, reason="KNOT")
        call(plant, "planner", "cancel_production_order", p_code=code, p_reason="Off")
    clear = "select private.drop_needless_replenishments(now())"
    with clone.connect() as busy, busy.transaction():
        busy.execute(
            "select 1 from public.production_orders where code = %s for update",
            (f"{codes[0]}-R1",),
        )
        plant.execute("set lock_timeout = '5s'")
        plant.execute(clear)
        states = [replenishments(plant, code)[0][2] for code in codes]
        assert states == ["OPEN_NOT_STARTED", "CANCELLED"]
    plant.execute(clear)
    assert replenishments(plant, codes[0])[0][2] == "CANCELLED"


def recall(db: Db) -> None:
    """As hold_affected takes them: the genealogy alone, then every lot."""
    with db.transaction():
        db.execute("select private.begin_genealogy(true)")
        db.execute("select 1 from public.lots order by id for update")


def acts(db: Db, dice: random.Random, codes: list[str]) -> list[Callable[[], Any]]:
    """What people, another system and the clock do to three orders of tables and one of legs."""
    code = dice.choice([*codes, *(f"{root}-R1" for root in codes[:3])])
    lot, urgent = dice.choice(["PNL-1", "PNL-2"]), dice.choice(["critical", "rush", "normal"])
    rows = [
        {"external_id": c, "code": c, "priority": urgent, "product_sku": "TABLE"}
        for c in dice.sample(codes[:3], 2)
    ]
    scan = {"p_code": code, "p_work_centre": "saw-1", "p_material_lot": lot}
    cancel = {"p_code": f"{codes[0]}-R1", "p_reason": "No wood"}
    imported = {"p_system": "erp", "p_rows": Jsonb(rows)}
    return [
        lambda: call(db, "operator", "scan_step", **scan),
        lambda: do(db, "consume_lot", code=lot, quantity=1, order=code),
        lambda: do(db, "consume_lot", code=codes[3], quantity=1, order=code, sku="LEG"),
        lambda: report(db, code, CUT, 1),
        lambda: quality(db, code, "scrap", 1),
        lambda: release(db, code),
        lambda: call(db, "planner", "change_priority", p_code=code, p_priority=urgent),
        lambda: call(db, "planner", "import_production_orders", **imported),
        lambda: call(db, "planner", "cancel_production_order", **cancel),
        lambda: db.execute("select private.drop_needless_replenishments(now())"),
        lambda: recall(db),
    ]


def test_a_plant_in_a_hurry_has_no_deadlock(db: Db, clone: Clone) -> None:
    """Stations, planners, imports, the clock and a recall on the same few families, at random."""
    make_plant(db, made_legs=True)
    for lot in ("PNL-1", "PNL-2"):
        receive(db, lot, 500, sku="PANEL")
    codes = [order(db, 30) for _ in range(3)] + [order(db, 50, "LEG")]
    for code in codes[:3]:
        quality(db, code, "scrap", 2)

    def work(mine: Db, n: int) -> int:
        dice = random.Random(n)
        done = 0
        for _ in range(15):
            try:
                dice.choice(acts(mine, dice, codes))()
                done += 1
            except Refused as no:
                if no.code not in LOST_RACES | OTHERS:
                    raise
        return done

    assert all(together(clone, 6, work)), "each of them got something done"
    assert selfcheck(db) == []
    assert order_row(db, codes[1])["status"] == "IN_PROGRESS"


# What a mix at random meets besides.
OTHERS = {
    *("lot.in_process", "lot.short", "lot.used_up", "lot.unknown"),
    *("production.wrong_material", "production.wrong_work_centre", "production.not_released"),
}
