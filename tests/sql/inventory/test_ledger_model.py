"""Random sequences of stock commands, against plain Python: after each the books agree."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.types.json import Jsonb

from tests.sql.inventory.books import FREE, PLACES, Books, Order, Short
from tests.sql.inventory.stock import place, track
from tests.support.orders import make_order
from tests.support.rpc import Refused, call

SEQUENCES = int(os.environ.get("TAKT_MODEL_SEQUENCES", "250"))
STEPS = 14

# One letter each; the real SKUs carry the number of the sequence. STRICT forbids negatives.
LOOSE, STRICT, KIT = "L", "S", "K"
skus = st.sampled_from((LOOSE, STRICT))
places = st.sampled_from(PLACES)
free_places = st.sampled_from(FREE)
quantities = st.integers(1, 9)
wishes = st.fixed_dictionaries({}, optional={LOOSE: quantities, STRICT: quantities})
_numbers = itertools.count(1)


class Ledger(RuleBasedStateMachine):
    """Every command that moves stock, in any order, some of them twice."""

    def __init__(self, db: psycopg.Connection) -> None:
        super().__init__()
        self.db = db
        self.n = next(_numbers)
        self.books = Books(frozenset({STRICT}), bill={STRICT: 2}, extra={LOOSE: 3})
        self.ids: list[str] = []
        self.once_cancelled: set[str] = set()  # a cancellation stands between an undo and the past
        self.reversible: list[tuple[list[int], list[tuple[str, str, int]]]] = []
        self.imports: list[tuple[int, list[tuple[str, str, int]]]] = []
        db.execute(
            "insert into public.inventory_items (sku, title, forbid_negative)"
            " values (%(l)s, 'Loose', false), (%(s)s, 'Strict', true), (%(k)s, 'Kit', false)",
            {"l": self.sku(LOOSE), "s": self.sku(STRICT), "k": self.sku(KIT)},
        )
        for parent, title in ((self.sku(KIT), None), (None, f"cake {self.n}")):
            db.execute(
                "insert into public.product_requirements"
                " (parent_sku, title, sku, quantity, stage, is_optional)"
                " values (%(p)s, %(t)s, %(s)s, 2, 'Filling', false),"
                " (%(p)s, %(t)s, %(l)s, 3, 'Filling', true)",
                {"p": parent, "t": title, "s": self.sku(STRICT), "l": self.sku(LOOSE)},
            )
        for letter in (LOOSE, STRICT):
            db.execute(
                "insert into public.deduction_rules (match, pattern, sku) values ('exact', %s, %s)",
                (f"{letter} {self.n}", self.sku(letter)),
            )

    def teardown(self) -> None:
        self.db.execute("delete from public.deduction_rules")
        self.db.execute("delete from public.product_requirements")

    def sku(self, letter: str) -> str:
        return f"{letter}-{self.n}"

    def attempt(self, expect: Callable[[], None], who: str, rpc: str, **arguments: Any) -> Any:
        """The command and the oracle end alike; None when both refuse. Sent twice, it acts once."""
        arguments["p_request_id"] = uuid4()
        try:
            expect()
        except Short:
            with pytest.raises(Refused) as refusal:
                call(self.db, who, rpc, **arguments)
            assert refusal.value.code in ("stock.short", "stock.components_short")
            return None
        answer = call(self.db, who, rpc, **arguments)
        assert call(self.db, who, rpc, **arguments) == answer
        return answer

    # By hand ----------------------------------------------------------------------------

    @rule(letter=skus, where=places, quantity=quantities)
    def receive(self, letter: str, where: str, quantity: int) -> None:
        answer = self.attempt(
            lambda: self.books.post(letter, where, quantity),
            "operator", "receive_stock",
            p_sku=self.sku(letter), p_quantity=quantity, p_location=where,
        )  # fmt: skip
        self.reversible.append((answer["txn_ids"], [(letter, where, quantity)]))

    @rule(letter=skus, origin=places, goal=st.none() | places, quantity=quantities)
    def issue(self, letter: str, origin: str, goal: str | None, quantity: int) -> None:
        answer = self.attempt(
            lambda: self.books.move(letter, origin, goal, quantity),
            "operator", "issue_stock",
            p_sku=self.sku(letter), p_quantity=quantity, p_from=origin, p_to=goal,
        )  # fmt: skip
        if answer is not None:
            moves = [(letter, origin, -quantity)]
            moves += [(letter, goal, quantity)] if goal is not None else []
            self.reversible.append((answer["txn_ids"], moves))

    @rule(letter=skus, way=st.permutations(PLACES), quantity=quantities)
    def transfer(self, letter: str, way: list[str], quantity: int) -> None:
        self.attempt(
            lambda: self.books.move(letter, way[0], way[1], quantity),
            "operator", "transfer_stock",
            p_sku=self.sku(letter), p_quantity=quantity, p_from=way[0], p_to=way[1],
        )  # fmt: skip

    @rule(letter=skus, where=places, quantity=st.integers(-9, 9).filter(bool))
    def adjust(self, letter: str, where: str, quantity: int) -> None:
        self.attempt(
            lambda: self.books.post(letter, where, quantity),
            "supervisor", "adjust_stock",
            p_sku=self.sku(letter), p_quantity=quantity, p_location=where, p_reason="model",
        )  # fmt: skip

    @rule(letter=skus, where=places, quantity=quantities)
    def scrap(self, letter: str, where: str, quantity: int) -> None:
        self.attempt(
            lambda: self.books.post(letter, where, -quantity),
            "operator", "scrap_stock",
            p_sku=self.sku(letter), p_quantity=quantity, p_location=where, p_reason="model",
        )  # fmt: skip

    @precondition(lambda self: self.reversible)
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        ids, moves = self.reversible.pop(data.draw(st.integers(0, len(self.reversible) - 1)))

        def expect() -> None:
            with self.books.all_or_nothing():  # what comes back before what goes
                for sku, where, quantity in sorted(moves, key=lambda m: m[2]):
                    self.books.post(sku, where, -quantity)

        self.attempt(expect, "supervisor", "reverse_stock", p_txn_ids=ids, p_reason="model")

    @rule(where=free_places, quantity=st.integers(1, 3), produce=st.booleans())
    def build(self, where: str, quantity: int, produce: bool) -> None:
        def expect() -> None:
            if self.books.at(STRICT, where) < 2 * quantity:
                raise Short
            self.books.post(STRICT, where, -2 * quantity)
            if self.books.at(LOOSE, where) >= 3 * quantity:
                self.books.post(LOOSE, where, -3 * quantity)
            if produce:
                self.books.post(KIT, where, quantity)

        self.attempt(
            expect, "operator", "consume_bom",
            p_sku=self.sku(KIT), p_quantity=quantity, p_location=where, p_produce=produce,
        )  # fmt: skip

    @rule(letter=skus, where=places, counted=st.integers(0, 12), later=st.integers(0, 3))
    def count(self, letter: str, where: str, counted: int, later: int) -> None:
        """Counted, something came in meanwhile, approved: the difference is booked."""
        sku = self.sku(letter)
        begun = call(self.db, "operator", "start_count", p_location=where, p_skus=[sku])
        count = begun["count_row"]["id"]
        lines = Jsonb([{"sku": sku, "counted": counted}])
        done = call(self.db, "operator", "submit_count", p_count_id=count, p_lines=lines)
        difference = counted - self.books.at(letter, where)
        assert done["lines"][0]["variance"] == difference
        if later:
            self.receive(letter, where, later)
        if done["count_row"]["status"] == "approval":
            call(self.db, "manager", "approve_count", p_count_id=count)
        self.books.post(letter, where, difference)

    @rule(letter=skus, where=places, there=st.integers(0, 9), came=quantities)
    def bring_in_a_file(self, letter: str, where: str, there: int, came: int) -> None:
        rows = Jsonb([
            {"sku": self.sku(letter), "location": where, "on_hand": str(there)},
            {"sku": self.sku(letter), "location": where, "quantity": str(came)},
        ])  # fmt: skip
        answer = call(self.db, "planner", "import_stock", p_rows=rows, p_dry_run=False)
        assert answer["applied"] is True
        if any(batch == answer["batch_id"] for batch, _ in self.imports):
            assert answer["counts"] == {"unchanged": 2}, "the same file is not added twice"
            return
        difference = there - self.books.at(letter, where)
        moves = [(letter, where, difference), (letter, where, came)]
        self.imports.append((answer["batch_id"], moves))
        for sku, at, quantity in moves:
            self.books.post(sku, at, quantity)

    @precondition(lambda self: self.imports)
    @rule(data=st.data())
    def take_a_file_back(self, data: st.DataObject) -> None:
        place_in_list = data.draw(st.integers(0, len(self.imports) - 1))
        batch, moves = self.imports[place_in_list]

        def expect() -> None:
            with self.books.all_or_nothing():
                for sku, where, quantity in moves:
                    self.books.post(sku, where, -quantity)

        undone = self.attempt(expect, "planner", "undo_import", p_batch_id=batch)
        if undone is not None:
            del self.imports[place_in_list]

    # Orders -----------------------------------------------------------------------------

    def lines(self, wanted: dict[str, int]) -> Jsonb:
        return Jsonb([{"title": f"{k} {self.n}", "quantity": q} for k, q in wanted.items()])

    @rule(wanted=wishes)
    def an_order_comes_in(self, wanted: dict[str, int]) -> None:
        ticket = f"bannos-{self.n}x{len(self.ids)}"
        make_order(self.db, ticket, accessories=self.lines(wanted), product_title=f"Cake {self.n}")
        call(self.db, "operator", "handle_print_barcode", p_order_id=ticket)
        self.ids.append(ticket)
        self.books.orders.append(Order(wanted))
        self.books.settle(self.books.orders[-1])

    def pick(self, data: st.DataObject) -> tuple[str, Order]:
        n = data.draw(st.integers(0, len(self.ids) - 1))
        return self.ids[n], self.books.orders[n]

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), wanted=wishes)
    def the_customer_changes_it(self, data: st.DataObject, wanted: dict[str, int]) -> None:
        ticket, order = self.pick(data)
        row = self.db.execute("select version from public.orders where id = %s", (ticket,))
        version = (row.fetchone() or (0,))[0]
        call(
            self.db, "supervisor", "update_order_core",
            p_order_id=ticket, p_version=version, p_accessories=self.lines(wanted),
        )  # fmt: skip
        if wanted != order.wanted:
            order.wanted = wanted
            self.books.settle(order)

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def it_is_cancelled_or_not_after_all(self, data: st.DataObject) -> None:
        ticket, order = self.pick(data)
        if order.is_cancelled:
            self.db.execute(
                "update public.orders set cancelled_at = null, cancel_reason = null where id = %s",
                (ticket,),
            )
        else:
            call(self.db, "supervisor", "cancel_order", p_order_id=ticket, p_reason="model")
            self.once_cancelled.add(ticket)
        order.is_cancelled = not order.is_cancelled
        self.books.settle(order)

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def it_is_restocked(self, data: st.DataObject) -> None:
        ticket, order = self.pick(data)
        order.is_restocked = True
        self.attempt(
            lambda: self.books.settle(order), "supervisor", "restock_order", p_order_id=ticket
        )

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), undo=st.booleans())
    def filling_is_done_undone_or_made_good(self, data: st.DataObject, undo: bool) -> None:
        ticket, order = self.pick(data)
        if order.is_cancelled:
            return
        if order.stage == "Filling":
            call(self.db, "operator", "complete_filling", p_order_id=ticket)
            self.books.complete_filling(order)
        elif undo and ticket not in self.once_cancelled:
            call(self.db, "operator", "undo_last", p_order_id=ticket)
            self.books.undo_filling(order)
        else:
            call(self.db, "operator", "consume_order_stage", p_order_id=ticket, p_stage="Filling")
            self.books.use_bill(order)

    @invariant()
    def the_books_agree(self) -> None:
        kept = dict(
            ((sku[0], where), quantity)
            for sku, where, quantity in self.db.execute(
                "select sku, location, on_hand from public.inventory_balances"
                " where sku = any (%s) and on_hand <> 0",
                ([self.sku(k) for k in (LOOSE, STRICT, KIT)],),
            )
        )
        assert kept == {k: q for k, q in self.books.balances.items() if q}
        for letter in (LOOSE, STRICT, KIT):
            row = self.db.execute(
                "select on_hand, held from public.inventory_stock where sku = %s",
                (self.sku(letter),),
            ).fetchone()
            assert row == (self.books.free(letter), self.books.held(letter))


@pytest.mark.timeout(1200)
def test_after_any_sequence_the_books_agree(db: psycopg.Connection) -> None:
    place(db, "shelf")
    place(db, "wip", "wip")
    place(db, "jail", "quarantine")
    track(db)
    run_state_machine_as_test(
        lambda: Ledger(db),
        settings=settings(
            max_examples=SEQUENCES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize="TAKT_MODEL_SEQUENCES" not in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )
