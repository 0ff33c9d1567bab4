"""Tickets in any stage, made by the real commands."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from tests.support.rpc import call

STAGES = ("Filling", "Covering", "Decorating", "Packing", "Complete")


def make_order(db: psycopg.Connection, order_id: str = "bannos-18617", **fields: Any) -> str:
    """Insert one imported ticket in Filling; `fields` are columns. Returns its id."""
    store, _, rest = order_id.partition("-")
    number, _, suffix = rest.partition("-")
    row: dict[str, Any] = {
        "id": order_id,
        "store": store,
        "source": "import",
        "external_order_id": f"ext-{number}",
        "line_item_id": "1",
        "unit_no": ord(suffix[0]) - 64 if suffix else 1,
        "order_number": number,
        "suffix": suffix or None,
        "product_title": "Confetti Cake",
        "flavour": "Vanilla",
        "size": "Medium",
        **fields,
    }
    db.execute(
        sql.SQL("insert into public.orders ({}) values ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(map(sql.Placeholder, row)),
        ),
        row,
    )
    return order_id


def advance(db: psycopg.Connection, order_id: str, stage: str, who: str = "operator") -> None:
    """Take a ticket from Filling to `stage` by its commands."""
    steps = [
        ("handle_print_barcode", "complete_filling"),
        ("start_covering", "complete_covering"),
        ("start_decorating", "complete_decorating"),
        ("start_packing", "complete_packing"),
    ]
    for start, complete in steps[: STAGES.index(stage)]:
        call(db, who, start, p_order_id=order_id)
        call(db, who, complete, p_order_id=order_id)


def ticket(db: psycopg.Connection, order_id: str) -> dict[str, Any]:
    """The row as JSON."""
    row = db.execute(
        "select to_jsonb(o) from public.orders o where o.id = %s", (order_id,)
    ).fetchone()
    assert row is not None
    return dict(row[0])


def events(db: psycopg.Connection, order_id: str) -> list[str]:
    """Names of the ticket's events, oldest first."""
    rows = db.execute(
        "select event from public.events where stream = 'order' and stream_id = %s order by id",
        (order_id,),
    ).fetchall()
    return [row[0] for row in rows]
