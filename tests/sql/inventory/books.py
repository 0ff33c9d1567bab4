"""The stock rules once more, in plain Python, independent of the SQL: the model's oracle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

FREE = ("main", "shelf")  # the default place first
HELD = ("jail", "wip")
PLACES = FREE + HELD


class Short(Exception):
    """An item that forbids negatives would go below zero."""


@dataclass
class Order:
    """A ticket: what it wants from the shelf, and each move it made, in order."""

    wanted: dict[str, int]
    is_cancelled: bool = False
    is_restocked: bool = False
    has_failed: bool = False
    moves: list[tuple[str, str, int]] = field(default_factory=list)  # sku, place, signed
    stage: str = "Filling"
    used: list[tuple[str, str, int]] | None = None  # by completing Filling; None = owed or not yet


@dataclass
class Books:
    """Balances per item and place; `strict` items never go below zero."""

    strict: frozenset[str]
    bill: dict[str, int]  # what Filling needs, all or nothing
    extra: dict[str, int]  # what it uses when it is there
    balances: dict[tuple[str, str], int] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)

    def at(self, sku: str, place: str) -> int:
        return self.balances.get((sku, place), 0)

    def free(self, sku: str) -> int:
        return sum(self.at(sku, place) for place in FREE)

    def held(self, sku: str) -> int:
        return sum(self.at(sku, place) for place in HELD)

    def post(self, sku: str, place: str, quantity: int) -> None:
        """One movement. Errors: Short."""
        after = self.at(sku, place) + quantity
        if after < 0 and quantity < 0 and sku in self.strict:
            raise Short
        self.balances[sku, place] = after

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What is posted inside counts only when the block ends well."""
        before = dict(self.balances)
        try:
            yield
        except Short:
            self.balances = before
            raise

    def move(self, sku: str, origin: str, target: str | None, quantity: int) -> None:
        with self.all_or_nothing():
            self.post(sku, origin, -quantity)
            if target is not None:
                self.post(sku, target, quantity)

    def taken_from(self, sku: str, quantity: int) -> list[tuple[str, int]]:
        """Free places in their order; what is missing comes from the default one."""
        parts: dict[str, int] = {}
        for place in FREE:
            part = min(max(self.at(sku, place), 0), quantity)
            if part:
                parts[place] = part
            quantity -= part
        if quantity:
            parts[FREE[0]] = parts.get(FREE[0], 0) + quantity
        return list(parts.items())

    # Orders -----------------------------------------------------------------------------

    def settle(self, order: Order) -> None:
        """The shelf follows the ticket, or the ticket fails as a whole."""
        wanted = {} if order.is_cancelled or order.is_restocked else order.wanted
        moves: list[tuple[str, str, int]] = []
        try:
            with self.all_or_nothing():
                for sku in sorted({*wanted, *(m[0] for m in order.moves)}):
                    took = -sum(m[2] for m in order.moves if m[0] == sku)
                    moves += self._difference(order, sku, wanted.get(sku, 0) - took)
        except Short:
            order.has_failed = True
        else:
            order.has_failed = False
            order.moves += moves

    def _difference(self, order: Order, sku: str, missing: int) -> list[tuple[str, str, int]]:
        if missing > 0:
            parts = [(place, -part) for place, part in self.taken_from(sku, missing)]
        else:
            parts = self._given_back(order, sku, -missing)
        for place, quantity in parts:
            self.post(sku, place, quantity)
        return [(sku, place, quantity) for place, quantity in parts]

    @staticmethod
    def _given_back(order: Order, sku: str, quantity: int) -> list[tuple[str, int]]:
        """To where it was taken, the place that moved last first."""
        mine = [m for m in order.moves if m[0] == sku]
        last_first = list(dict.fromkeys(place for _, place, _ in reversed(mine)))
        parts = []
        for place in last_first:
            owed = -sum(q for _, p, q in mine if p == place)
            part = min(max(owed, 0), quantity)
            if part:
                parts.append((place, part))
            quantity -= part
        return parts

    def complete_filling(self, order: Order) -> None:
        """All that is needed or nothing; an extra only when there is enough of it."""
        order.stage = "Covering"
        self.use_bill(order)

    def use_bill(self, order: Order) -> None:
        if order.used is not None or any(self.free(s) < q for s, q in self.bill.items()):
            return
        order.used = []
        needs = {**self.bill, **{s: q for s, q in self.extra.items() if self.free(s) >= q}}
        for sku, quantity in sorted(needs.items()):
            for place, part in self.taken_from(sku, quantity):
                self.post(sku, place, -part)
                order.used.append((sku, place, part))

    def undo_filling(self, order: Order) -> None:
        order.stage = "Filling"
        for sku, place, quantity in order.used or []:
            self.post(sku, place, quantity)
        order.used = None
