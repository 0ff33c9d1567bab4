"""Random histories of stock and orders against a plain Python model of the rule."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.types.json import Jsonb

from tests.sql.inventory.stock import differences, item
from tests.support.databases import Clone
from tests.support.rpc import Refused, call

EXAMPLES, STEPS = int(os.environ.get("TAKT_MODEL_SEQUENCES", "350")), 14
RANKS = {"critical": 0, "rush": 1, "normal": 2}
PARTS = (0, 1)
_numbers = itertools.count(1)
_quantities = st.integers(1, 9)


@dataclass
class Order:
    """An order as the model knows it: what it still wants, and what it used, per part."""

    number: int
    per_piece: dict[int, int]
    pieces: int
    priority: str
    is_for_stock: bool
    used: dict[int, int] = field(default_factory=dict)
    is_open: bool = True

    def wants(self, part: int) -> int:
        return self.per_piece.get(part, 0) * self.pieces - self.used.get(part, 0)

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands in the queue."""
        return (4 if self.is_for_stock else RANKS[self.priority], self.number)


class Model:
    """Stock and orders; promises are worked out anew each time, from the top of the queue."""

    def __init__(self) -> None:
        self.stock = dict.fromkeys(PARTS, 0)
        self.orders: dict[str, Order] = {}

    def promised(self, part: int) -> dict[str, int]:
        """Order code → parts promised to it."""
        left = max(self.stock[part], 0)
        found = {}
        for code, order in sorted(self.orders.items(), key=lambda o: o[1].place):
            if order.is_open:
                found[code] = min(left, order.wants(part))
                left -= found[code]
        return found

    def status(self, code: str) -> str:
        order = self.orders[code]
        have = sum(self.promised(p).get(code, 0) + order.used.get(p, 0) for p in PARTS)
        want = sum(order.per_piece.values()) * order.pieces
        return "fulfilled" if have == want else "partial" if have else "unfulfilled"

    def ship(self, code: str, partial: bool) -> bool:
        """False when it must be refused."""
        order = self.orders[code]
        have = {p: self.promised(p)[code] for p in PARTS}
        complete = all(have[p] == order.wants(p) for p in PARTS)
        if not complete and not (partial and any(have.values())):
            return False
        if not order.is_for_stock:
            for part, quantity in have.items():
                self.stock[part] -= quantity
                order.used[part] = order.used.get(part, 0) + quantity
        order.is_open = not complete
        return True


class Plant(RuleBasedStateMachine):
    """The same history in both; each example has parts of its own."""

    db: psycopg.Connection
    orders: Bundle[str] = Bundle("orders")

    @initialize()
    def begin(self) -> None:
        self.model = Model()
        self.run = next(_numbers)
        for part in PARTS:
            item(self.db, self.sku(part))

    def sku(self, part: int) -> str:
        return f"P{part}-{self.run}"

    def command(self, rpc: str, code: str, **fields: Any) -> Any:
        named = {f"p_{n}": v for n, v in fields.items()}
        return call(self.db, "planner", f"{rpc}_production_order", p_code=code, **named)

    @rule(part=st.sampled_from(PARTS), quantity=_quantities)
    def receive(self, part: int, quantity: int) -> None:
        call(self.db, "operator", "receive_stock", p_sku=self.sku(part), p_quantity=quantity)
        self.model.stock[part] += quantity

    @rule(part=st.sampled_from(PARTS), quantity=_quantities)
    def correct_downwards(self, part: int, quantity: int) -> None:
        fields = {"p_quantity": -quantity, "p_reason": "counted"}
        call(self.db, "planner", "adjust_stock", p_sku=self.sku(part), **fields)
        self.model.stock[part] -= quantity

    @rule(
        target=orders,
        lines=st.dictionaries(st.sampled_from(PARTS), st.integers(1, 3), min_size=1),
        pieces=st.integers(1, 3),
        priority=st.sampled_from(tuple(RANKS)),
    )
    def order(self, lines: dict[int, int], pieces: int, priority: str) -> str:
        rows = [{"sku": self.sku(p), "quantity": q} for p, q in lines.items()]
        return self._create(lines, pieces, priority, p_lines=Jsonb(rows))

    @rule(target=orders, part=st.sampled_from(PARTS), pieces=_quantities)
    def replenish(self, part: int, pieces: int) -> str:
        product = {"p_product_sku": self.sku(part), "p_type": "REPLENISHMENT"}
        return self._create({part: 1}, pieces, "normal", **product)

    def _create(self, lines: dict[int, int], pieces: int, priority: str, **fields: Any) -> str:
        quantity = {"p_quantity": pieces, "p_priority": priority}
        made = call(self.db, "planner", "create_production_order", **quantity, **fields)
        code = str(made["order_row"]["code"])
        for_stock = made["order_row"]["type"] == "REPLENISHMENT"
        number = made["order_row"]["id"]
        self.model.orders[code] = Order(number, lines, pieces, priority, for_stock)
        return code

    @rule(code=orders, priority=st.sampled_from(tuple(RANKS)))
    def change_priority(self, code: str, priority: str) -> None:
        if self._refused("update", code, not self.model.orders[code].is_open, priority=priority):
            return
        self.model.orders[code].priority = priority

    @rule(code=orders, pieces=st.integers(1, 4))
    def change_quantity(self, code: str, pieces: int) -> None:
        order = self.model.orders[code]
        below = any(order.used.get(p, 0) > n * pieces for p, n in order.per_piece.items())
        if not self._refused("update", code, not order.is_open or below, quantity=pieces):
            order.pieces = pieces

    @rule(code=orders)
    def cancel(self, code: str) -> None:
        order = self.model.orders[code]
        if order.is_open:
            self.command("cancel", code, reason="not wanted")
            order.is_open = False

    @precondition(lambda self: any(o.is_open for o in self.model.orders.values()))
    @rule(code=orders, partial=st.booleans())
    def ship(self, code: str, partial: bool) -> None:
        if self.model.orders[code].is_open:
            possible = self.model.ship(code, partial)
            self._refused("ship", code, not possible, allow_partial=partial)

    def _refused(self, rpc: str, code: str, expected: bool, **fields: Any) -> bool:
        try:
            self.command(rpc, code, **fields)
            refusal = None
        except Refused as refused:
            refusal = refused.code or refused.sqlstate
        assert (refusal is not None) == expected, f"{rpc} {code} {fields}: {refusal}"
        assert refusal is None or refusal.startswith("production.")
        return expected

    @invariant()
    def the_database_says_the_same(self) -> None:
        for part in PARTS:
            row = self.db.execute(
                "select s.on_hand, s.reserved, (select coalesce(sum(t.quantity), 0)"
                " from public.inventory_txn t where t.sku = s.sku)"
                " from public.inventory_stock s where s.sku = %s",
                (self.sku(part),),
            ).fetchone()
            promised = self.model.promised(part)
            stock = self.model.stock[part]
            assert row == (stock, sum(promised.values()), stock)
            lines = self.db.execute(
                "select f.code, l.allocated from public.order_part_allocations l"
                " join public.order_fulfilments f on f.id = l.fulfilment_id"
                " where l.sku = %s and not l.is_closed",
                (self.sku(part),),
            ).fetchall()
            assert dict(lines) == {c: Decimal(n) for c, n in promised.items() if c in dict(lines)}
            assert {c for c, n in promised.items() if n} <= dict(lines).keys()

    @invariant()
    def open_orders_are_fulfilled_when_they_have_everything(self) -> None:
        open_codes = [c for c, o in self.model.orders.items() if o.is_open]
        found = self.db.execute(
            "select code, fulfillment_status from public.order_fulfilments where code = any (%s)",
            (open_codes,),
        ).fetchall()
        assert dict(found) == {code: self.model.status(code) for code in open_codes}


@pytest.fixture(scope="module")
def plant(module_clone: Clone) -> Iterator[psycopg.Connection]:
    with module_clone.connect() as connection:
        yield connection


def test_after_any_history_the_promises_equal_a_full_recompute(plant: psycopg.Connection) -> None:
    Plant.db = plant
    run_state_machine_as_test(
        Plant,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize="TAKT_MODEL_SEQUENCES" not in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert differences(plant) == []
    runs = plant.execute(
        "select count(distinct split_part(sku, '-', 2)) from public.inventory_items"
    ).fetchone()
    assert runs is not None
    assert runs[0] >= EXAMPLES
