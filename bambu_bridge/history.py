"""Moonraker's job history, as runs. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from bambu_bridge.identity import Identity
from bambu_bridge.report import Told, iso, sealed
from bambu_bridge.run import Outcome

# The list is by the start of a job: look back as far as a job may have been running.
_LONGEST_JOB = 14 * 86400.0
_OUTCOMES = {
    "completed": Outcome.SUCCESS,
    "cancelled": Outcome.CANCELLED,
    "error": Outcome.FAILED,
    "klippy_shutdown": Outcome.FAILED,
    "klippy_disconnect": Outcome.FAILED,
    "server_exit": Outcome.FAILED,
    "interrupted": Outcome.FAILED,
}
_SENSIBLE = 946_684_800.0  # 2000: before that the printer's clock was never set


@dataclass
class Journey:
    """How far the history was read; wall seconds. What ended before `first_contact` is not ours."""

    first_contact: float | None = None
    last_seen: float | None = None

    @property
    def since(self) -> float:
        return max(0.0, (self.last_seen or self.first_contact or 0.0) - _LONGEST_JOB)

    def seen(self, wall: float) -> None:
        """The history was read to its end."""
        self.first_contact = self.first_contact or wall
        self.last_seen = wall

    def stored(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def restored(cls, stored: Mapping[str, Any] | None) -> Self:
        known = stored or {}
        return cls(known.get("first_contact"), known.get("last_seen"))


@dataclass(frozen=True)
class Job:
    """A job that is over."""

    job_id: str
    filename: str
    status: str
    outcome: Outcome
    started: float
    finished: float
    raw: Mapping[str, Any]


def finished_job(job: Mapping[str, Any], journey: Journey, now: float) -> Job | None:
    """None while it runs, without an id, or when it ended before the first contact."""
    status, job_id = str(job.get("status") or ""), str(job.get("job_id") or "")
    started, ended = _seconds(job.get("start_time")), _seconds(job.get("end_time"))
    if not job_id or status == "in_progress" or started is None:
        return None
    # Without an end Moonraker itself was interrupted: nobody knows more than the time printed.
    finished = ended or started + (_seconds(job.get("total_duration")) or 0.0)
    if journey.first_contact is None or finished < journey.first_contact:
        return None
    outcome = _OUTCOMES.get(status, Outcome.UNKNOWN)
    if started < _SENSIBLE or finished > now + 60:
        length = max(0.0, finished - started)
        started, finished = now - length, now
    return Job(job_id, str(job.get("filename") or ""), status, outcome, started, finished, job)


def told_job(serial: str, job: Job, evidence: str, bridge: Mapping[str, Any]) -> Told:
    """The row for the outbox. Ids may begin again after a reset of the history, starts do not."""
    identity = Identity.of({"gcode_file": job.filename, "subtask_name": ""})
    start = int(_seconds(job.raw.get("start_time")) or 0)
    native = {
        "name": identity.stem,
        "job_id": job.job_id,
        "filename": job.filename,
        "status": job.status,
        "filament_mm": _seconds(job.raw.get("filament_used")),
        "print_duration_s": _seconds(job.raw.get("print_duration")),
        "total_duration_s": _seconds(job.raw.get("total_duration")),
    }
    failed = job.outcome in (Outcome.FAILED, Outcome.UNKNOWN)
    facts = {
        "p_idempotency_key": f"moonraker:{serial}:{job.job_id}:{start}",
        "p_source": "moonraker",
        "p_printer_serial": serial,
        "p_outcome": job.outcome.value,
        "p_evidence": evidence,
        "p_gcode_filename": identity.filename,
        "p_candidates": identity.candidates(),
        "p_plate": identity.plate,
        "p_started_at": iso(job.started),
        "p_finished_at": iso(job.finished),
        "p_finished_not_before": None,
        "p_skipped_object_ids": [],
        "p_progress": {"adopted": False, "reason": job.status, "anomalies": []},
        "p_error": {"code": job.status, "text": job.status} if failed else {},
        "p_native": {name: value for name, value in native.items() if value is not None},
    }
    return sealed(facts, bridge)


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)
