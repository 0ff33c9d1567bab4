"""Machines, and repairs on their way."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.support.rpc import call

# The commands that bring a repair on, in their order, and the status each leads to.
WAY: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("acknowledge_repair", "acknowledged", {}),
    ("start_repair", "in_repair", {}),
    ("complete_repair", "repaired", {"p_actions_taken": "New belt"}),
    ("verify_repair", "verified", {"p_is_ok": True}),
    ("close_repair", "closed", {}),
)


def machine(db: psycopg.Connection, code: str = "press-1", **more: Any) -> str:
    """A machine at `main`; its code."""
    call(db, "supervisor", "save_machine", p_code=code, p_site="main", **more)
    return code


def line(db: psycopg.Connection, code: str = "line-1", **more: Any) -> str:
    """A line at `main`; its code."""
    call(db, "supervisor", "save_line", p_code=code, p_site="main", **more)
    return code


def report(db: psycopg.Connection, code: str, symptom: str | None = "stopped", **more: Any) -> int:
    """An operator reports; number of the repair."""
    answer = call(db, "operator", "report_repair", p_machine=code, p_symptom=symptom, **more)
    return int(answer["repair"]["id"])


def bring(db: psycopg.Connection, repair_id: int, until: str = "closed") -> dict[str, Any]:
    """A technician brings the repair to a status; the repair then."""
    now: dict[str, Any] = call(db, "technician", "get_repair", p_id=repair_id)["repair"]
    done = [status for _, status, _ in WAY]
    start = done.index(now["status"]) + 1 if now["status"] in done else 0
    for rpc, status, more in WAY[start : done.index(until) + 1]:
        now = call(db, "technician", rpc, p_id=repair_id, **more)["repair"]
        assert now["status"] == status
    return now


def status_of(db: psycopg.Connection, code: str) -> str:
    """What state the machine is in, as everybody reads it."""
    page = call(db, "viewer", "get_machines", p_search=code)
    return str(page["machines"][0]["status"])


def plan(db: psycopg.Connection, code: str, title: str = "Grease", **more: Any) -> dict[str, Any]:
    """A plan that is due every 30 days unless said otherwise."""
    rule: dict[str, Any] = {"p_based_on": "calendar", "p_every": 30} | more
    answer = call(db, "supervisor", "save_maintenance_plan", p_machine=code, p_title=title, **rule)
    return dict(answer["plan"])


def checklist(*items: dict[str, Any]) -> Jsonb:
    return Jsonb(list(items))


def token(db: psycopg.Connection, code: str) -> str:
    """What the QR code of the machine carries."""
    return str(call(db, "supervisor", "get_machine_qr", p_machine=code)["token"])


def events(db: psycopg.Connection, stream: str, stream_id: str | int) -> list[str]:
    """Names of what happened, in order."""
    rows = db.execute(
        "select event from public.events where stream = %s and stream_id = %s order by id",
        (stream, str(stream_id)),
    ).fetchall()
    return [row[0] for row in rows]


def scanned_from(address: str) -> dict[str, str]:
    """Headers as the gateway sets them for somebody at this address."""
    return {"x-forwarded-for": address}


def populate_maintenance(db: psycopg.Connection) -> None:
    """A row in every table of the domain, for the matrix."""
    line(db, "line-1")
    machine(db, "press-1", p_line="line-1")
    plan(db, "press-1", p_items=checklist({"title": "Belt tight?"}))
    order = call(
        db, "technician", "start_work_order", p_plan_id=_plan_id(db, "press-1")
    )["repair"]["id"]  # fmt: skip
    call(db, "technician", "add_repair_attachment", p_id=order, p_name="a.pdf",
         p_mime_type="application/pdf")  # fmt: skip
    call(db, "anon", "report_problem", p_token=token(db, "press-1"), p_symptom="noise")


def _plan_id(db: psycopg.Connection, code: str) -> int:
    row = db.execute(
        "select id from public.maintenance_plans where machine = %s", (code,)
    ).fetchone()
    assert row is not None
    return int(row[0])
