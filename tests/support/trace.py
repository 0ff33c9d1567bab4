"""Lots, components and traces, made by the real commands."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.support.rpc import call
from tests.support.units import make_units

Row = dict[str, Any]


def item(db: psycopg.Connection, sku: str) -> str:
    call(db, "planner", "upsert_item", p_sku=sku, p_title=sku.title())
    return sku


def lot(db: psycopg.Connection, code: str = "L-1", sku: str = "CELL", **fields: Any) -> str:
    """A lot (and its item); its code."""
    arguments = {f"p_{name}": value for name, value in fields.items()}
    item(db, sku)
    call(db, "operator", "upsert_lot", p_sku=sku, p_code=code, **arguments)
    return code


def install(db: psycopg.Connection, sn: str, **component: Any) -> Row:
    """The answer of install_component; `component` without its p_."""
    arguments = {f"p_{name}": value for name, value in component.items()}
    return dict(call(db, "operator", "install_component", p_sn=sn, **arguments))


def uninstall(db: psycopg.Connection, installed: Row, removal: str = "recovered") -> Row:
    component_id = installed["component"]["id"]
    return dict(
        call(
            db, "operator", "uninstall_component", p_component_id=component_id, p_removal=removal
        )
    )  # fmt: skip


def unit_of(db: psycopg.Connection, *lots: str) -> str:
    """A new unit with a piece of each lot."""
    (sn,) = make_units(db)
    for code in lots:
        install(db, sn, lot=code)
    return sn


def link(db: psycopg.Connection, *edge: str | None, quantity: Decimal | int = 1) -> None:
    """parent kind, key, child kind, key (, parent's SKU, child's SKU)."""
    parent_kind, parent_key, child_kind, child_key, *skus = edge
    db.execute(
        "select private.link(%s, %s, %s, %s, %s, %s, %s)",
        (parent_kind, parent_key, child_kind, child_key, quantity, *[*skus, None, None][:2]),
    )


def reached(answer: Row) -> set[str]:
    """Keys of everything a trace found, besides where it began."""
    starts = {e["node"] for e in answer["starts"]}
    return {e["key"] for e in answer["entries"] if e["node"] not in starts}


def forward(db: psycopg.Connection, key: str | None = None, **more: Any) -> Row:
    arguments = {f"p_{name}": value for name, value in more.items()}
    return dict(call(db, "operator", "trace_forward", p_key=key, **arguments))


def back(db: psycopg.Connection, key: str, **more: Any) -> Row:
    arguments = {f"p_{name}": value for name, value in more.items()}
    return dict(call(db, "operator", "trace_back", p_sn=key, **arguments))


def hold_all(db: psycopg.Connection, reason: str = "bad cells", **trace: Any) -> Row:
    return dict(call(db, "supervisor", "hold_all", p_trace=Jsonb(trace), p_reason=reason))


def export(db: psycopg.Connection, limit: int = 1000, **trace: Any) -> list[Row]:
    """All rows of an export, page by page."""
    started = call(db, "supervisor", "start_recall_export", p_trace=Jsonb(trace))
    page: Row = {"next_cursor": None}
    rows: list[Row] = []
    while True:
        page = call(
            db, "supervisor", "get_recall_export", p_export_id=started["export_id"],
            p_cursor=page["next_cursor"], p_limit=limit,
        )  # fmt: skip
        rows += page["rows"]
        if page["next_cursor"] is None:
            assert len(rows) == started["units"]
            return rows


def populate_trace(db: psycopg.Connection) -> None:
    """A row in every table of the genealogy."""
    lot(db)
    sn = unit_of(db, "L-1")
    export(db, key=sn)
    hold_all(db, key=sn)
