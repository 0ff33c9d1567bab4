"""At least one row in every table of machine time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.types.json import Jsonb

from tests.support.databases import USER_IDS
from tests.support.rpc import call


def populate_kpi(db: psycopg.Connection) -> None:
    """A machine at a work centre with shifts, states, counts, stops, overtime and a handover."""
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
    db.execute(
        "insert into public.process_steps (code, title, sequence) values ('KPI', 'KPI', 99);"
        "insert into public.work_centres (code, title, step, site)"
        " values ('KPI-1', 'K', 'KPI', 'main')"
    )
    call(
        db, "planner", "save_machine", p_code="kpi-1", p_name="K", p_site="main",
        p_work_centre="KPI-1",
    )  # fmt: skip
    rests = [{"starts": "10:00", "ends": "10:30"}]
    shifts = [{"shift": "day", "starts": "00:00", "ends": "22:00", "breaks": rests}]
    call(
        db, "planner", "save_shift_pattern", p_work_centre="KPI-1", p_valid_from=day.date(),
        p_shifts=Jsonb(shifts),
    )  # fmt: skip
    far = day.date() + timedelta(days=300)
    call(
        db, "planner", "save_calendar_exception", p_from_day=far, p_to_day=far, p_reason="holiday",
        p_site="main",
    )  # fmt: skip
    call(
        db, "planner", "set_time_policy", p_time_class="meeting", p_policy="loss_availability",
        p_site="main",
    )  # fmt: skip
    call(db, "planner", "set_ideal_cycle", p_machine="kpi-1", p_ideal_s=10)
    call(db, "operator", "record_machine_state", p_machine="kpi-1", p_state="running", p_at=day)
    row = {"machine": "kpi-1", "key": "1", "at": day.isoformat(), "good": 1}
    stale = {**row, "key": "2", "at": "1970-01-01T00:00:00Z"}
    call(db, "operator", "record_counts", p_counts=Jsonb([row, stale]))
    call(
        db, "operator", "report_repair", p_machine="kpi-1", p_description="broken", p_is_down=True,
        p_occurred_at=day + timedelta(hours=1),
    )  # fmt: skip
    _populate_kept(db, day)


def _populate_kept(db: psycopg.Connection, day: datetime) -> None:
    db.execute(
        "insert into public.approvals (type, site, work_centre, starts_at, ends_at, justification,"
        " requested_by) values ('OVERTIME', 'main', 'KPI-1', %s, %s, 'late order', %s)",
        (day + timedelta(hours=22), day + timedelta(hours=23), USER_IDS["planner"]),
    )
    db.execute(
        "update public.approvals set status = 'APPROVED', decided_at = now(), decided_by = %s"
        " where work_centre = 'KPI-1'",
        (USER_IDS["manager"],),
    )
    db.execute(
        "insert into private.andon_calls (machine, role, stands_since, called_at)"
        " values ('kpi-1', 'supervisor', now(), now())"
    )
    db.execute("select private.note_trouble('extend_shifts', 'kpi-1', 'an example')")
    db.execute("select private.snapshot_shifts(now())")
    call(db, "operator", "shift_handover", p_work_centre="KPI-1")
