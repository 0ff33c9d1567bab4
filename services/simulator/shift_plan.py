"""The day of the furniture workshop (supabase/seed_dev_production.sql), before it happens.

Pure: what is ordered, where it is made, what goes wrong. Nothing here knows what comes of it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

ORDERS = 40
OPTIMIZE, PRE_CUT, CNC, SAND, ASSEMBLE, PAINT, PACK = range(10, 80, 10)
TABLE, CHAIR, CABINET = "TABLE-OAK", "CHAIR-PINE", "CABINET"
PRESS, OTHER_TABLE = "press-1", "asm-1"
LEG = "LEG-STEEL"

# Work centres by turns, and what is scanned by the lot: (item, per piece).
CENTRES: Mapping[str, Mapping[int, tuple[str, ...]]] = {
    TABLE: {
        **{OPTIMIZE: ("opt-1",), PRE_CUT: ("cut-1",), CNC: ("cnc-1", "cnc-2"), SAND: ("cal-1",)},
        **{ASSEMBLE: ("asm-1", "asm-2"), PAINT: ("paint-1",), PACK: ("pack-1",)},
    },
    CHAIR: {
        **{OPTIMIZE: ("opt-1",), PRE_CUT: ("cut-1",), CNC: ("cnc-1", "cnc-2"), SAND: ("brush-1",)},
        **{ASSEMBLE: (PRESS,), PAINT: ("paint-1",), PACK: ("pack-1",)},
    },
    CABINET: {
        **{OPTIMIZE: ("opt-1",), PRE_CUT: ("cut-1",), CNC: ("cnc-2",), SAND: ("cal-1", "brush-1")},
        **{ASSEMBLE: ("asm-2",), PAINT: ("paint-1",), PACK: ("pack-1",)},
    },
}
LOT_PARTS: Mapping[tuple[str, int], tuple[str, Decimal]] = {
    (TABLE, OPTIMIZE): ("OAK-PLANK", Decimal(6)),
    (TABLE, ASSEMBLE): (LEG, Decimal(4)),
    (TABLE, PAINT): ("VARNISH", Decimal("0.5")),
    (CHAIR, OPTIMIZE): ("PINE-PLANK", Decimal(3)),
    (CHAIR, PAINT): ("VARNISH", Decimal("0.25")),
    (CABINET, OPTIMIZE): ("MDF-18", Decimal(4)),
    (CABINET, PAINT): ("PAINT-WHITE", Decimal("0.75")),
}


@dataclass(frozen=True)
class Fault:
    """So many pieces of a step are not good at first, for a reason of the catalogue."""

    sequence: int
    pieces: int
    reason: str


@dataclass(frozen=True)
class Job:
    """An order of the day."""

    number: int
    sku: str
    quantity: int
    due_in: int
    priority: str
    scrap: Fault | None = None
    rework: Fault | None = None

    @property
    def code(self) -> str:
        return f"SH-{self.number:02}"


@dataclass(frozen=True)
class Plan:
    """The orders in their turn; after how many of them the press fails, and works again."""

    jobs: tuple[Job, ...]
    press_fails_after: int = 18
    press_works_after: int = 30
    legs_delivered: int = 120
    lots: Mapping[str, str] = field(default_factory=lambda: {LEG: "LEG-78"})


_SCRAP = {
    5: Fault(CNC, 1, "TOOL"),
    14: Fault(SAND, 1, "BROKEN"),
    24: Fault(PAINT, 1, "BROKEN"),
}
_REWORK = {
    3: Fault(SAND, 1, "SCRATCH"),
    9: Fault(PAINT, 1, "PAINT"),
    17: Fault(PRE_CUT, 2, "TOO_LARGE"),
    33: Fault(ASSEMBLE, 1, "MISASSEMBLED"),
}
_SHORT = 37  # a large order of tables: there are not legs enough


def day(seed: int = 7) -> Plan:
    """Forty orders, three with scrap, four with rework, one that runs out of legs."""
    dice = random.Random(seed)  # noqa: S311  # made-up data
    jobs = []
    for number in range(1, ORDERS + 1):
        sku = (TABLE, CHAIR, CABINET)[number % 3 if number != _SHORT else 0]
        quantity = dice.randint(2, 3) if sku == CABINET else dice.randint(3, 6)
        jobs.append(
            Job(
                number,
                sku,
                22 if number == _SHORT else quantity,
                dice.randint(0, 9),
                dice.choice(("normal", "normal", "normal", "rush")),
                _SCRAP.get(number),
                _REWORK.get(number),
            )
        )
    return Plan(tuple(jobs))
