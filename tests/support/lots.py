"""Lots with quantities, and what is done with them, by the real commands."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.rpc import Refused, call
from tests.support.trace import item

Row = dict[str, Any]


def do(db: psycopg.Connection, rpc: str, who: str = "operator", **arguments: Any) -> Any:
    """The RPC's answer; arguments without their p_."""
    return call(db, who, rpc, **{f"p_{name}": value for name, value in arguments.items()})


def refused(db: psycopg.Connection, rpc: str, who: str = "operator", **arguments: Any) -> Refused:
    """The refusal of a call that must be refused."""
    with pytest.raises(Refused) as caught:
        do(db, rpc, who, **arguments)
    return caught.value


def code_of(error: Refused) -> tuple[int | None, str | None]:
    return error.status, error.code


def receive(
    db: psycopg.Connection, code: str, quantity: float = 100, sku: str = "OAK", **more: Any
) -> str:
    """A lot (of a new item, when it is new) with so much in it; its code."""
    item(db, sku)
    do(db, "receive_lot", sku=sku, code=code, quantity=quantity, **more)
    return code


def balance(db: psycopg.Connection, code: str, sku: str | None = None) -> Row:
    """The mass balance of a lot."""
    return dict(do(db, "get_lot", code=code, sku=sku)["mass"])


def made_of(db: psycopg.Connection, code: str, side: str = "made_of") -> set[str]:
    """Codes of the lots on one side of a lot."""
    entries = do(db, "get_lot", code=code)["genealogy"][side]
    return {entry["key"] for entry in entries if entry["kind"] == "lot"}


def import_orders(
    db: psycopg.Connection, *rows: Row, system: str = "erp", who: str = "planner", **more: Any
) -> Row:
    """The answer of import_production_orders."""
    return dict(do(db, "import_production_orders", who, system=system, rows=Jsonb(rows), **more))


def populate_lots(db: psycopg.Connection) -> None:
    """A row in every table of lots and imports."""
    receive(db, "OAK-1")
    do(db, "split_lot", code="OAK-1", quantity=10)
    do(db, "save_item_gtin", "planner", gtin="09506000134352", sku="OAK")
    for store in ("bannos", "flourlane", None):
        ref = f"E-{store}"
        import_orders(db, {"external_id": ref, "product_sku": "OAK", "quantity": 1, "store": store})
