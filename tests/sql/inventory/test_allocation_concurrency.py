"""Sixty-four people and one part: nothing promised twice, nobody waits for ever."""

from __future__ import annotations

import random
from collections.abc import Callable

import psycopg

from tests.sql.concurrency.together import together
from tests.sql.inventory.production import has, plan, produce, produce_lines
from tests.sql.inventory.stock import item, levels, requirements, track
from tests.support.databases import Clone
from tests.support.orders import advance, make_order
from tests.support.rpc import Refused, call

SESSIONS = 64
PARTS = ("ARM", "BOLT", "CAP")
# Refusals that a busy plant meets: somebody else was faster. A deadlock is none of them.
LOST_RACES = {"production.closed", "production.short", "production.below_used"}


def test_formset_1_of_64_parallel_orders_of_all_the_stock_one_gets_it(
    clone: Clone, db: psycopg.Connection
) -> None:
    item(db, "BRACKET", 10)
    codes = together(clone, SESSIONS, lambda c, _: produce(c, "BRACKET", 10))
    promised = [has(db, code) for code in codes]
    assert sorted(promised) == [0] * (SESSIONS - 1) + [10]
    assert levels(db, "BRACKET")["reserved"] == 10


def _commands(db: psycopg.Connection, rng: random.Random) -> list[Callable[[], object]]:
    def move(sku: str, quantity: int) -> None:
        call(db, "planner", "adjust_stock", p_sku=sku, p_quantity=quantity, p_reason="x")

    def order() -> str:
        skus = rng.sample(PARTS, rng.randint(1, 3))
        lines = {sku: rng.randint(1, 4) for sku in skus}
        return produce_lines(db, lines, priority=rng.choice(("critical", "rush", "normal")))

    def any_order() -> str:
        row = db.execute(
            "select code from public.production_orders order by random() limit 1"
        ).fetchone()
        return row[0] if row else order()

    return [
        order,
        lambda: move(rng.choice(PARTS), rng.randint(1, 9)),
        lambda: move(rng.choice(PARTS), -rng.randint(1, 5)),
        lambda: plan(db, "update", any_order(), priority=rng.choice(("rush", "normal"))),
        lambda: plan(db, "update", any_order(), quantity=rng.randint(1, 3)),
        lambda: plan(db, "cancel", any_order(), reason="x"),
        lambda: plan(db, "ship", any_order(), allow_partial=rng.random() < 0.5),
    ]


def _work(db: psycopg.Connection, number: int, rounds: int) -> int:
    rng = random.Random(number)
    commands = _commands(db, rng)
    done = 0
    for _ in range(rounds):
        try:
            rng.choice(commands)()
            done += 1
        except Refused as refused:
            if refused.code not in LOST_RACES:
                raise
    return done


def test_64_sessions_on_three_parts_do_not_deadlock(clone: Clone, db: psycopg.Connection) -> None:
    for sku in PARTS:
        item(db, sku, 20)
    done = together(clone, SESSIONS, lambda c, n: _work(c, n, 12))
    assert min(done) > 0


def test_tickets_and_orders_that_need_the_same_parts_do_not_deadlock(
    clone: Clone, db: psycopg.Connection
) -> None:
    """Tickets settle at the commit, orders in the command: both lock items in one order."""
    for sku in PARTS:
        item(db, sku, 500)
    requirements(db, *({"sku": sku, "quantity": 1} for sku in PARTS), title="Kiosk")
    requirements(db, *({"sku": sku, "quantity": 2} for sku in PARTS[::-1]), title="Lamp")
    track(db)

    def work(connection: psycopg.Connection, number: int) -> None:
        if number % 2:
            _work(connection, number, 8)
            return
        for n in range(4):
            title = ("Kiosk", "Lamp")[n % 2]
            order = make_order(connection, f"bannos-{number * 10 + n}", product_title=title)
            if n % 2:
                advance(connection, order, "Complete")
            else:
                cancel = {"p_order_id": order, "p_reason": "x"}
                call(connection, "supervisor", "cancel_order", **cancel)

    together(clone, 32, work)
    failed = db.execute("select failed from private.order_stock where failed is not null")
    assert failed.fetchall() == []


def test_two_orders_with_the_same_lines_in_opposite_order(
    clone: Clone, db: psycopg.Connection
) -> None:
    for sku in PARTS:
        item(db, sku, 6)
    lines = dict.fromkeys(PARTS, 1)
    backwards = dict(reversed(lines.items()))
    codes = together(
        clone,
        SESSIONS,
        lambda c, n: produce_lines(c, lines if n % 2 else backwards),
    )
    complete = [c for c in codes if has(db, c) == 3]
    assert len(complete) == 6, "who is older gets all of its parts, not each one of them"
