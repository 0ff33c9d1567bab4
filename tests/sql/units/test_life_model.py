"""Random lives of units, by every role, against plain Python: status, gate, kits and stock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.inventory.stock import levels
from tests.sql.units.life import RULES, Row, live
from tests.support.rpc import Refused, call
from tests.support.units import unit_row, variant

SEQUENCES = 20


class Direct:
    """One session, the claims set as PostgREST would."""

    def __init__(self, db: psycopg.Connection) -> None:
        self.db = db

    def ask(self, who: str, rpc: str, **arguments: Any) -> tuple[str | None, Any]:
        given = {k: Jsonb(v) if isinstance(v, list) else v for k, v in arguments.items()}
        try:
            return None, call(self.db, who, rpc, **given)
        except Refused as refused:
            return refused.code, None

    def unit(self, sn: str) -> Row:
        return unit_row(self.db, sn)

    def free_stock(self) -> int:
        return int(levels(self.db, "FX-DONE")["on_hand"])

    def bystanders(self) -> Iterator[str]:
        return iter(())


@pytest.mark.timeout(1200)
def test_any_life_is_as_the_oracle_says(db: psycopg.Connection) -> None:
    variant(db, "FX-EU", RULES)
    variant(db, "FX-US", RULES, sku=None)
    live(Direct(db), SEQUENCES)
