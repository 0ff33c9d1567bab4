"""Items, movements and tickets that take them, made by the real commands."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.rpc import Refused, call


def item(
    db: psycopg.Connection, sku: str = "FLOUR", on_hand: int | Decimal = 0, **fields: Any
) -> str:
    """An item, perhaps with stock at the default place; `fields` without their p_."""
    arguments = {f"p_{name}": value for name, value in fields.items()}
    call(db, "planner", "upsert_item", p_sku=sku, **{"p_title": sku.title(), **arguments})
    if on_hand:
        call(db, "operator", "receive_stock", p_sku=sku, p_quantity=on_hand)
    return sku


def place(db: psycopg.Connection, code: str, kind: str = "warehouse", **fields: Any) -> str:
    arguments = {f"p_{name}": value for name, value in fields.items()}
    call(db, "planner", "upsert_location", p_code=code, p_kind=kind, p_site="main", **arguments)
    return code


def levels(db: psycopg.Connection, sku: str = "FLOUR") -> dict[str, Decimal]:
    """on_hand, held, reserved, ats of an item."""
    row = db.execute(
        "select on_hand, held, reserved, ats from public.inventory_stock where sku = %s", (sku,)
    ).fetchone()
    assert row is not None
    return dict(zip(("on_hand", "held", "reserved", "ats"), row, strict=True))


def on_hand(db: psycopg.Connection, sku: str = "FLOUR") -> Decimal:
    return levels(db, sku)["on_hand"]


def at(db: psycopg.Connection, sku: str, location: str) -> Decimal:
    row = db.execute(
        "select on_hand from public.inventory_balances where sku = %s and location = %s",
        (sku, location),
    ).fetchone()
    return row[0] if row else Decimal(0)


def ledger(db: psycopg.Connection, sku: str = "FLOUR") -> list[tuple[str, Decimal]]:
    """(kind, quantity), oldest first."""
    return db.execute(
        "select kind, quantity from public.inventory_txn where sku = %s order by id", (sku,)
    ).fetchall()


def track(db: psycopg.Connection, store: str = "bannos", **settings: Any) -> None:
    """Switch stock on for a store; `settings` are keys of inventory.…"""
    for key, value in {"tracking_enabled": True, **settings}.items():
        call(
            db,
            "admin",
            "set_setting",
            p_key=f"inventory.{key}",
            p_value=Jsonb(value),
            p_store=store,
        )


def requirements(db: psycopg.Connection, *lines: dict[str, Any], **product: Any) -> Any:
    """The bill of materials of a product named by `title=` or `parent_sku=`."""
    arguments = {f"p_{name}": value for name, value in product.items()}
    return call(db, "planner", "save_requirements", p_lines=Jsonb(list(lines)), **arguments)


def rule(db: psycopg.Connection, pattern: str, sku: str, **fields: Any) -> Any:
    arguments = {f"p_{name}": value for name, value in fields.items()}
    return call(db, "planner", "save_deduction_rule", p_pattern=pattern, p_sku=sku, **arguments)


def differences(db: psycopg.Connection) -> list[Any]:
    """What inventory_selfcheck finds."""
    return db.execute(
        "select d from private.stock_differences() d"
        " union all select a from private.allocation_differences() a"
    ).fetchall()


def refused(db: psycopg.Connection, who: str, rpc: str, **arguments: Any) -> Refused:
    """The refusal of a call that must be refused."""
    with pytest.raises(Refused) as caught:
        call(db, who, rpc, **arguments)
    return caught.value
