"""A small plant that makes tables, by the real commands: saw, assembly bench, packing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.support.rpc import call

Row = dict[str, Any]
CUT, ASSEMBLE, PACK = 10, 20, 30
CENTRES = {CUT: "saw-1", ASSEMBLE: "bench-1", PACK: "pack-1"}


def make_plant(db: psycopg.Connection, stock: int = 1000, made_legs: bool = False) -> None:
    """TABLE of 1 PANEL (sawn) and 4 LEG (assembled, complete sets only); so much of each part.

    `made_legs`: legs are made here too, of 1 ROD each.
    """
    for code, sequence, kind, centre in (
        ("CUT", 1, "cut", "saw-1"),
        ("ASSEMBLE", 2, "assemble", "bench-1"),
        ("PACK", 3, "pack", "pack-1"),
    ):
        call(db, "planner", "save_process_step", p_code=code, p_sequence=sequence, p_kind=kind)
        make_centre(db, centre, code)
    for sku in ("TABLE", "PANEL", "LEG", "ROD"):
        call(db, "planner", "upsert_item", p_sku=sku, p_title=sku.title())
    for sku in ("PANEL", "LEG", "ROD"):
        if stock:
            call(db, "operator", "receive_stock", p_sku=sku, p_quantity=stock)
    made_of(db, "TABLE", PANEL=1, LEG=4)
    route(db, "TABLE", ("CUT", ["PANEL"]), ("ASSEMBLE", ["LEG"]), ("PACK", []))
    if made_legs:
        made_of(db, "LEG", ROD=1)
        route(db, "LEG", ("CUT", ["ROD"]))


def make_centre(db: psycopg.Connection, code: str, step: str) -> None:
    call(db, "planner", "save_work_centre", p_code=code, p_step=step, p_site="main")


def made_of(db: psycopg.Connection, sku: str, **parts: int) -> None:
    lines = Jsonb([{"sku": part, "quantity": number} for part, number in parts.items()])
    call(db, "planner", "save_requirements", p_parent_sku=sku, p_lines=lines)


def route(db: psycopg.Connection, sku: str, *steps: tuple[str, list[str]]) -> None:
    """Its routing: steps with the parts that go in; sequences 10, 20, 30 …"""
    rows = [{"step": step, "materials": parts, "run_min": 1} for step, parts in steps]
    call(db, "planner", "save_routing", p_sku=sku, p_steps=Jsonb(rows))


def order(
    db: psycopg.Connection,
    quantity: int = 10,
    sku: str = "TABLE",
    released: bool = True,
    **more: Any,
) -> str:
    """Code of a new production order, on the floor unless `released` is False."""
    arguments = {f"p_{name}": value for name, value in more.items()}
    made = call(
        db,
        "planner",
        "create_production_order",
        **{"p_product_sku": sku, "p_quantity": quantity, "p_site": "main", **arguments},
    )
    code = str(made["order_row"]["code"])
    if released:
        release(db, code)
    return code


def release(db: psycopg.Connection, code: str, **more: Any) -> Row:
    return dict(call(db, "planner", "release_order", p_code=code, **more))


def report(db: psycopg.Connection, code: str, sequence: int, good: int = 0, **more: Any) -> Row:
    """Good pieces, and by keyword scrap, rework, reason … at the centre of the step."""
    arguments = {f"p_{name}": value for name, value in more.items()}
    return dict(
        call(
            db,
            "operator",
            "report_production",
            **{
                "p_code": code,
                "p_work_centre": CENTRES[sequence],
                "p_sequence": sequence,
                "p_good": good,
                **arguments,
            },
        )
    )


def quality(
    db: psycopg.Connection,
    code: str,
    disposition: str,
    quantity: int = 1,
    who: str = "operator",
    **more: Any,
) -> Row:
    """Pieces of the saw unless `sequence` says otherwise, out of square."""
    arguments = {f"p_{name}": value for name, value in more.items()}
    return dict(
        call(
            db,
            who,
            "record_quality",
            **{
                "p_code": code,
                "p_disposition": disposition,
                "p_quantity": quantity,
                "p_sequence": CUT,
                "p_reason": "NOT_SQUARE",
                **arguments,
            },
        )
    )


def step(db: psycopg.Connection, code: str, sequence: int = CUT) -> dict[str, Decimal]:
    """The counters of a step."""
    names = "planned,released,started,good,scrap,returned,rework_open,held_open,waiting,in_process"
    row = db.execute(
        f"select {names} from public.production_order_steps s"
        " join public.production_orders o on o.id = s.order_id where o.code = %s and sequence = %s",
        (code, sequence),
    ).fetchone()
    assert row is not None, f"{code} has no step {sequence}"
    return dict(zip(names.split(","), row, strict=True))


def order_row(db: psycopg.Connection, code: str) -> Row:
    row = db.execute(
        "select to_jsonb(o) from public.production_orders o where o.code = %s", (code,)
    ).fetchone()
    assert row is not None
    return dict(row[0])


def replenishments(db: psycopg.Connection, code: str) -> list[tuple[str, Decimal, str]]:
    """(code, quantity, status) of what is made again for an order, oldest first."""
    return db.execute(
        "select o.code, o.quantity, o.status from public.replenishments r"
        " join public.production_orders o on o.id = r.order_id"
        " join public.production_orders root on root.id = r.root_id"
        " where root.code = %s order by o.id",
        (code,),
    ).fetchall()


def selfcheck(db: psycopg.Connection) -> list[tuple[Any, ...]]:
    """What does not add up; empty when all is well."""
    return db.execute("select * from private.production_selfcheck").fetchall()


def events_of(db: psycopg.Connection, code: str) -> list[str]:
    """Names of an order's events, oldest first."""
    rows = db.execute(
        "select event from public.events where stream = 'production_order' and stream_id = %s"
        " order by id",
        (code,),
    ).fetchall()
    return [row[0] for row in rows]


def set_setting(db: psycopg.Connection, key: str, value: Any) -> None:
    """A setting of the plant."""
    call(db, "manager", "set_setting", p_key=key, p_value=Jsonb(value), p_site="main")


def shown(db: psycopg.Connection, number: int) -> Row:
    """A request as a screen shows it now: what decide_approval takes."""
    row = db.execute("select version from public.approvals where id = %s", (number,)).fetchone()
    assert row is not None
    return {"p_id": number, "p_version": row[0]}


def populate_production(db: psycopg.Connection) -> None:
    """An order with scrap made again, one short of legs, a request: a row in every table."""
    make_plant(db, stock=60)
    code = order(db, 5)
    report(db, code, CUT, good=4, scrap=1, reason="KNOT")
    call(db, "operator", "record_count", p_code=code, p_work_centre="bench-1", p_counter=7)
    order(db, 20)
    call(
        db,
        "operator",
        "request_approval",
        p_type="DISABLE_EQUIPMENT",
        p_justification="The blade is blunt",
        p_work_centre="saw-1",
    )
