"""Production orders that wait for parts, and what they have."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.support.rpc import call


def produce(db: psycopg.Connection, sku: str = "BRACKET", quantity: int = 1, **fields: Any) -> str:
    """A production order of `quantity` pieces of an item; `fields` without their p_. Its code."""
    arguments = {f"p_{name}": value for name, value in fields.items()}
    made = call(
        db,
        "planner",
        "create_production_order",
        **{"p_product_sku": sku, "p_quantity": quantity, **arguments},
    )
    return str(made["order_row"]["code"])


def produce_lines(db: psycopg.Connection, lines: dict[str, int], **fields: Any) -> str:
    """A production order of several parts {sku: quantity}."""
    rows = Jsonb([{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()])
    return produce(db, lines=rows, **{"product_sku": None, **fields})


def plan(db: psycopg.Connection, rpc: str, code: str, **fields: Any) -> Any:
    """A command on an order: update, cancel or ship."""
    arguments = {f"p_{name}": value for name, value in fields.items()}
    return call(db, "planner", f"{rpc}_production_order", p_code=code, **arguments)


def has(db: psycopg.Connection, code: str, sku: str | None = None) -> Decimal:
    """What is promised to an order, of one item or of all."""
    row = db.execute(
        "select coalesce(sum(l.allocated), 0) from public.order_part_allocations l"
        " join public.order_fulfilments f on f.id = l.fulfilment_id"
        " where f.code = %s and (%s::text is null or l.sku = %s)",
        (code, sku, sku),
    ).fetchone()
    assert row is not None
    return Decimal(row[0])


def used(db: psycopg.Connection, code: str) -> Decimal:
    row = db.execute(
        "select coalesce(sum(l.consumed), 0) from public.order_part_allocations l"
        " join public.order_fulfilments f on f.id = l.fulfilment_id where f.code = %s",
        (code,),
    ).fetchone()
    assert row is not None
    return Decimal(row[0])


def fulfilment(db: psycopg.Connection, code: str) -> str | None:
    row = db.execute(
        "select fulfillment_status from public.order_fulfilments where code = %s", (code,)
    ).fetchone()
    return row[0] if row else None


def why(db: psycopg.Connection, code: str) -> dict[str, Any]:
    """Why the first line of an order has what it has."""
    row = db.execute(
        "select l.why from public.order_part_allocations l"
        " join public.order_fulfilments f on f.id = l.fulfilment_id where f.code = %s"
        " order by l.id",
        (code,),
    ).fetchone()
    assert row is not None
    return dict(row[0])
