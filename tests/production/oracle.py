"""What the day must come to, worked out from what was said and nothing else.

Knows the bills of materials and the routings by heart (they stand in the seed); asks no database.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from services.simulator.shift import Said
from services.simulator.shift_plan import CABINET, CHAIR, TABLE

ZERO = Decimal(0)
STEPS = ("OPTIMIZE", "PRE-CUT", "CNC", "SAND", "ASSEMBLE", "PAINT", "PACK")
# sequence → what one piece takes there
PARTS: dict[str, dict[int, dict[str, str]]] = {
    TABLE: {
        10: {"OAK-PLANK": "6"},
        50: {"LEG-STEEL": "4", "SCREW-SET": "1"},
        60: {"VARNISH": "0.5"},
        70: {"CARTON-L": "1"},
    },
    CHAIR: {
        10: {"PINE-PLANK": "3"},
        50: {"SCREW-SET": "1"},
        60: {"VARNISH": "0.25"},
        70: {"CARTON-L": "0.5"},
    },
    CABINET: {
        10: {"MDF-18": "4"},
        50: {"HINGE": "4", "DRAWER": "2", "SCREW-SET": "2"},
        60: {"PAINT-WHITE": "0.75"},
        70: {"CARTON-L": "2"},
    },
}


@dataclass
class Step:
    """Counters of one step of one order."""

    started: Decimal = ZERO
    good: Decimal = ZERO
    first_good: Decimal = ZERO
    scrap: Decimal = ZERO
    rework_open: Decimal = ZERO
    rework: Decimal = ZERO

    def report(self, good: Decimal, scrap: Decimal, rework: Decimal) -> None:
        waiting = self.started - self.good - self.scrap - self.rework_open
        self.started += max(good + scrap + rework - waiting, ZERO)
        self.good += good
        self.first_good += good
        self.scrap += scrap
        self.rework += rework
        self.rework_open += rework


@dataclass
class Lot:
    """What came into a lot, and left it."""

    received: Decimal = ZERO
    moved: Decimal = ZERO
    used: Decimal = ZERO
    scrapped: Decimal = ZERO
    parents: set[str] = field(default_factory=set)

    @property
    def remaining(self) -> Decimal:
        return self.received + self.moved - self.used - self.scrapped


@dataclass
class Oracle:
    """Feed it the day's commands in their order; then read the figures."""

    orders: dict[str, tuple[str, Decimal]] = field(default_factory=dict)
    steps: dict[tuple[str, int], Step] = field(default_factory=lambda: defaultdict(Step))
    lots: dict[str, Lot] = field(default_factory=lambda: defaultdict(Lot))
    stock: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    replenished: dict[str, Decimal] = field(default_factory=dict)
    materials_used: int = 0

    def hear(self, log: Iterable[Said]) -> Oracle:
        for said in log:
            getattr(self, f"_{said.rpc}", self._nothing)(said)
        for (code, sequence), step in self.steps.items():  # parts of a piece go in as it starts
            sku = self.orders[code][0]
            for part, each in PARTS[sku].get(sequence, {}).items():
                self.stock[part] -= Decimal(each) * step.started  # type: ignore[assignment]
        for code, (sku, _) in self.orders.items():
            self.stock[sku] += self.good(code)  # type: ignore[assignment]
        return self

    def good(self, code: str) -> Decimal:
        """Executed good: of the last step."""
        return self.steps[code, 70].good

    def first_pass(self, sequence: int) -> Decimal:
        """Good at the first go, of all that was good or found bad."""
        steps = [step for (_, place), step in self.steps.items() if place == sequence]
        first = sum((s.first_good for s in steps), ZERO)
        return first / (first + sum((s.scrap + s.rework for s in steps), ZERO))

    def rolled(self) -> Decimal:
        """Rolled throughput yield: the product of the first pass yields."""
        product = Decimal(1)
        for sequence in range(10, 80, 10):
            product *= self.first_pass(sequence)
        return product

    def ancestors(self, lot: str) -> set[str]:
        """Every lot that is in it, however deep."""
        found: set[str] = set()
        todo = [lot]
        while todo:
            for parent in self.lots[todo.pop()].parents - found:
                found.add(parent)
                todo.append(parent)
        return found - {lot}

    def _nothing(self, said: Said) -> None:
        """A command that moves nothing."""

    def _import_production_orders(self, said: Said) -> None:
        for row in said.arguments["rows"]:
            self.orders[row["code"]] = (row["product_sku"], Decimal(row["quantity"]))

    def _report_production(self, said: Said) -> None:
        given = said.arguments
        code, sequence = given["code"], given["sequence"]
        good, scrap, rework = (Decimal(given[name]) for name in ("good", "scrap", "rework"))
        before = self.steps[code, sequence].started
        self.steps[code, sequence].report(good, scrap, rework)
        if sequence == 10:
            self.lots[code].received += self.steps[code, sequence].started - before
        self.lots[code].scrapped += scrap
        if scrap + rework:
            self.reasons[given["reason"]] += int(scrap + rework)
        if scrap:  # one loss per order in this day, and none in what is made again
            self.replenished[code] = scrap
            self.orders[f"{code}-R1"] = (self.orders[code][0], scrap)

    def _record_quality(self, said: Said) -> None:
        step = self.steps[said.arguments["code"], said.arguments["sequence"]]
        step.rework_open -= Decimal(said.arguments["quantity"])
        step.good += Decimal(said.arguments["quantity"])

    def _receive_lot(self, said: Said) -> None:
        quantity = Decimal(said.arguments["quantity"])
        self.lots[said.arguments["code"]].received += quantity
        self.stock[said.arguments["sku"]] += quantity  # type: ignore[assignment]

    def _consume_lot(self, said: Said) -> None:
        self.lots[said.arguments["code"]].used += Decimal(said.arguments["quantity"])
        self.lots[said.arguments["order"]].parents.add(said.arguments["code"])
        self.materials_used += 1

    def _merge_lots(self, said: Said) -> None:
        into = self.lots[said.arguments["into"]]
        for code in said.arguments["codes"]:
            quantity = self.lots[code].remaining
            self.lots[code].moved -= quantity
            into.moved += quantity
            into.parents.add(code)

    def _split_lot(self, said: Said) -> None:
        quantity = Decimal(said.arguments["quantity"])
        code = said.arguments["code"]
        self.lots[code].moved -= quantity
        self.lots[f"{code}-1"].moved += quantity
        self.lots[f"{code}-1"].parents.add(code)
