"""Parts, printers, and prints as a bridge reports them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb

from tests.support.rpc import call

SERIAL = "01S00A123"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def part(db: psycopg.Connection, sku: str = "BRACKET", **fields: Any) -> str:
    arguments = {f"p_{name}": value for name, value in fields.items()}
    call(db, "planner", "upsert_part", p_sku=sku, **{"p_title": sku.title(), **arguments})
    return sku


def machine(db: psycopg.Connection, code: str = "a1", serial: str = SERIAL, **fields: Any) -> str:
    arguments = {f"p_{name}": value for name, value in fields.items()}
    call(
        db, "planner", "upsert_print_machine",
        **{"p_code": code, "p_serial": serial, "p_kind": "bambu", **arguments},
    )  # fmt: skip
    return code


def mapping(
    db: psycopg.Connection, name: str = "bracket.3mf", parts: dict[str, int] | None = None,
    plate: int | None = None, objects: dict[str, list[int]] | None = None,
) -> Any:  # fmt: skip
    """The file gives these parts {sku: quantity}; `objects` {sku: ids on the plate}."""
    lines = [
        {"sku": sku, "quantity": quantity, "object_ids": (objects or {}).get(sku)}
        for sku, quantity in (parts or {"BRACKET": 4}).items()
    ]
    return call(
        db, "planner", "map_gcode", p_gcode_filename=name, p_parts=Jsonb(lines), p_plate=plate
    )


def report(db: psycopg.Connection, **fields: Any) -> Any:
    """A run as the bridge sends it: an hour long, a success, and later than every other one.

    `start` and `minutes` place it; the other `fields` are arguments without their p_.
    """
    last = db.execute("select max(finished_at) from public.print_runs").fetchone()
    begin = fields.pop("start", max(NOON, last[0] if last and last[0] else NOON))
    end = begin + timedelta(minutes=fields.pop("minutes", 60))
    arguments: dict[str, Any] = {
        "idempotency_key": f"bambu:{SERIAL}:{uuid4()}",
        "source": "bambu_auto",
        "printer_serial": SERIAL,
        "outcome": "success",
        "evidence": "observed",
        "gcode_filename": "bracket.3mf",
        "candidates": None,
        "plate": None,
        "started_at": begin,
        "finished_at": end,
        "finished_not_before": None,
        "skipped_object_ids": None,
        "progress": None,
        "error": None,
        "native": None,
        "bridge": None,
        "payload_hash": "hash",
        **fields,
    }
    named = {f"p_{name}": value for name, value in arguments.items()}
    return call(db, "bambu_bridge", "record_print_completion", **named)


def run_of(db: psycopg.Connection, run_id: int) -> dict[str, Any]:
    row = db.execute(
        "select to_jsonb(r) from public.print_runs r where r.id = %s", (run_id,)
    ).fetchone()
    assert row is not None
    return dict(row[0])


def beat(db: psycopg.Connection, *printers: dict[str, Any], who: str = "bambu_bridge") -> Any:
    """A heartbeat with these printers (default: the one, online and idle)."""
    usual = {"serial": SERIAL, "link": "online", "connected": True, "phase": "idle"}
    rows = [{**usual, **printer} for printer in printers or ({},)]
    return call(db, who, "bridge_heartbeat", p_version="1.0", p_printers=Jsonb(rows))
