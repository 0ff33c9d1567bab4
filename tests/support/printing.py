"""A printer, its agent and a way through the states of a print job, by the real calls."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb

from tests.support.databases import USER_IDS
from tests.support.rpc import Refused, call

AGENT, OTHER_AGENT = "print_agent", "stranger"  # a stranger becomes the second agent
Row = dict[str, Any]
# Every state that a job can be brought into.
STATES = (
    "queued", "held", "claimed", "sending", "sent", "printed", "unknown", "failed", "cancelled",
    "expired",
)  # fmt: skip


def evidence(odometer: int | None = 100, **changes: Any) -> Row:
    """What an idle, healthy, empty printer shows."""
    return {
        "odometer": odometer,
        "boot_id": "boot-1",
        "uptime_s": 1000,
        "formats": 0,
        "remaining": 0,
        "partial": False,
        "faults": [],
        "idle": True,
        "dpi": 203,
        **changes,
    }


def second_agent(db: psycopg.Connection) -> None:
    """The persona `stranger` signs in as another print agent of the site."""
    db.execute(
        "insert into public.devices (code, kind, name, site, user_id)"
        " values ('agent2', 'print_agent', 'Second agent', 'main', %s)"
        " on conflict on constraint devices_code_key do nothing",
        (USER_IDS[OTHER_AGENT],),
    )


def add_printer(db: psycopg.Connection, name: str = "prn-1", **changes: Any) -> Row:
    """A 203 dpi Zebra of the agent, seen a moment ago. `changes` are arguments of the RPC."""
    arguments = {
        "p_code": name,
        "p_name": name.upper(),
        "p_site": "main",
        "p_language": "zpl",
        "p_address": "127.0.0.1:9100",
        "p_device": "print_agent",
        "p_dpi": 203,
        **changes,
    }
    printer = call(db, "planner", "upsert_printer", **arguments)
    owner = {"print_agent": AGENT, "agent2": OTHER_AGENT}.get(str(arguments["p_device"]))
    if owner is not None:
        heartbeat(db, {"code": name, "status": "idle"}, who=owner)
    return dict(printer)


def heartbeat(db: psycopg.Connection, *printers: Row, who: str = AGENT, **changes: Any) -> Row:
    answer = call(
        db, who, "agent_heartbeat", p_version="1.0", p_printers=Jsonb(list(printers)), **changes
    )
    return dict(answer)


def route(
    db: psycopg.Connection, *printers: str, label_type: str = "item", station: str | None = None
) -> None:
    call(
        db,
        "planner",
        "set_print_routes",
        p_site="main",
        p_label_type=label_type,
        p_printers=list(printers),
        p_station=station,
    )


def request(
    db: psycopg.Connection, subject: str = "SKU-1", who: str = "operator", **more: Any
) -> Row:
    """Ask for one item label; the answer."""
    arguments: Row = {"p_label_type": "item", "p_subject": subject, **more}
    if arguments["p_label_type"] == "item" and "p_data" not in arguments:
        arguments["p_data"] = {"name": "Flour", "sku": subject}
    return dict(call(db, who, "request_print", **arguments))


def new_job(db: psycopg.Connection, subject: str = "SKU-1", **more: Any) -> int:
    answer = request(db, subject, **more)
    assert answer["changed"], answer
    return int(answer["job"]["id"])


def claim(db: psycopg.Connection, who: str = AGENT, nonce: Any = None, **more: Any) -> Row | None:
    """A claim, or None when there is nothing to do."""
    answer = call(db, who, "claim_print_job", p_nonce=nonce or uuid4(), **more)
    return dict(answer) if answer and answer["job_id"] is not None else None


def act(db: psycopg.Connection, rpc: str, taken: Row, who: str = AGENT, **more: Any) -> Row:
    """A call of the agent for its claim; the verdict."""
    answer = call(db, who, rpc, p_job_id=taken["job_id"], p_fence=taken["fence"], **more)
    return dict(answer)


def begin(db: psycopg.Connection, taken: Row, odometer: int | None = 100, **changes: Any) -> Row:
    return act(db, "begin_send", taken, p_evidence=evidence(odometer, **changes))


def mark_sent(db: psycopg.Connection, taken: Row) -> Row:
    return act(db, "mark_sent", taken, p_bytes=len(taken["payload"].encode()))


def confirm(db: psycopg.Connection, taken: Row, odometer: int | None = 101, **changes: Any) -> Row:
    return act(db, "confirm_print", taken, p_evidence=evidence(odometer, **changes))


def taken_job(db: psycopg.Connection, subject: str = "SKU-1", **more: Any) -> Row:
    """A fresh job, claimed."""
    job_id = new_job(db, subject, **more)
    taken = claim(db, p_printers=[job(db, job_id)["printer"]])
    assert taken is not None
    assert taken["job_id"] == job_id
    return taken


def bring(db: psycopg.Connection, state: str, subject: str = "SKU-1", **more: Any) -> Row:
    """A job in a state, by the real calls. Returns its claim, or {job_id, fence 0} before one."""
    if state in ("queued", "held", "cancelled", "expired"):
        job = {"job_id": new_job(db, subject, **more), "fence": 0}
        if state == "held":
            call(db, "supervisor", "hold_print", p_job_id=job["job_id"])
        elif state == "cancelled":
            call(db, "supervisor", "cancel_print", p_job_id=job["job_id"])
        elif state == "expired":
            sweep(db, "1 day")
        return job
    taken = taken_job(db, subject, **more)
    if state == "failed":
        act(db, "fail_print", taken, p_reason="damaged")
    if state in ("sending", "sent", "unknown", "printed"):
        begin(db, taken)
    if state in ("sent", "printed"):
        mark_sent(db, taken)
    if state == "unknown":
        act(db, "print_unknown", taken, p_reason="the line broke")
    if state == "printed":
        confirm(db, taken, 100 + taken["copies"] * taken["labels"])
    return taken


def sweep(db: psycopg.Connection, later: str = "0") -> None:
    """The clock strikes, as if `later` (an interval) had passed."""
    db.execute("select private.sweep_prints(now() + %s::interval)", (later,))


def rest(db: psycopg.Connection, job_id: int | None = None, ago: str = "1 minute") -> None:
    """The counter has had its time, for a job or for all: what it says now is believed."""
    db.execute(
        "update public.print_jobs set settle_after = now() - %s::interval"
        " where id = coalesce(%s, id)",
        (ago, job_id),
    )


def job(db: psycopg.Connection, job_id: int) -> Row:
    row = db.execute(
        "select to_jsonb(j) from public.print_jobs j where j.id = %s", (job_id,)
    ).fetchone()
    assert row is not None
    return dict(row[0])


def state_of(db: psycopg.Connection, job_id: int) -> str:
    return str(job(db, job_id)["state"])


def labels_of(db: psycopg.Connection, job_id: int) -> list[str]:
    """States of the labels of a job, in order."""
    rows = db.execute(
        "select state from public.print_job_labels where job_id = %s order by seq", (job_id,)
    ).fetchall()
    return [row[0] for row in rows]


def history(db: psycopg.Connection, job_id: int) -> list[tuple[str | None, str]]:
    """(from, to) of every step of a job; a remark has both the same."""
    return db.execute(
        "select from_state::text, to_state::text from public.print_job_events"
        " where job_id = %s order by id",
        (job_id,),
    ).fetchall()


def steps(db: psycopg.Connection, job_id: int) -> list[str]:
    """The states a job went through, without remarks."""
    return [to for old, to in history(db, job_id) if old != to]


def events(db: psycopg.Connection, stream_id: str | None = None) -> list[str]:
    """Names of the events of the stream print, oldest first."""
    rows = db.execute(
        "select event from public.events where stream = 'print'"
        " and (%s::text is null or stream_id = %s) order by id",
        (stream_id, stream_id),
    ).fetchall()
    return [row[0] for row in rows]


def alarms(db: psycopg.Connection, who: str = "operator") -> list[str]:
    return [a["kind"] for a in call(db, who, "get_print_alarms")]


def refusal(db: psycopg.Connection, who: str, rpc: str, **arguments: Any) -> str | None:
    """The code of the refusal with its status; None (and no trace) when it was let through."""
    try:
        with db.transaction(force_rollback=True):
            call(db, who, rpc, **arguments)
    except Refused as refused:
        return f"{refused.status} {refused.code}"
    return None


def attempt(db: psycopg.Connection, who: str, rpc: str, **arguments: Any) -> tuple[int, Any]:
    """(200, the answer), or (HTTP status, code) of a refusal."""
    try:
        return 200, call(db, who, rpc, **arguments)
    except Refused as refused:
        if refused.status is None:
            raise
        return refused.status, refused.code
