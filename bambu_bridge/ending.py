"""From an open run to the decision about it. No I/O."""

from __future__ import annotations

from typing import Any

from bambu_bridge import classify
from bambu_bridge.identity import Identity
from bambu_bridge.memory import Ending, Held
from bambu_bridge.merge import Snapshot
from bambu_bridge.run import SHORT_RUN, Decision, Evidence, Instant, Outcome, Run


def classify_end(run: Run, ending: Ending, snapshot: Snapshot | None) -> tuple[Outcome, str]:
    """(outcome, reason) of a run that stopped in FAILED or IDLE, with all codes that came."""
    if reason := run.cancel_reason(ending.at.steady):
        return Outcome.CANCELLED, reason
    if ending.state == "FAILED":
        code = run.failure(snapshot)
        told = f"failed: {classify.show(code)} {classify.explain(code)}".strip()
        return Outcome.FAILED, told if code else "failed without a code"
    if not run.saw_running and ending.not_before is None:
        return Outcome.CANCELLED, "it was called off before it ran"
    return Outcome.UNKNOWN, "the printer went idle without a word"


def of_run(
    run: Run,
    outcome: Outcome,
    evidence: Evidence,
    reason: str,
    end: Instant,
    *,
    floor: float | None,
    not_before: float | None,
    snapshot: Snapshot | None,
) -> Decision:
    """`floor`: the end of the print before; `not_before`: last report before a blind window."""
    if run.is_system:
        outcome, reason = Outcome.IGNORED, "not production: a job of the printer itself"
    started, finished = run.close(end, floor)
    progress: dict[str, Any] = {
        "percent": run.percent,
        "layer": run.layer,
        "total_layers": run.total_layers,
        "first_seen_at": run.opened_wall,
        "running_at": run.running_wall,
        "last_seen_at": run.last_seen_wall,
        "paused_s": round(run.paused_s),
        "adopted": not run.start_seen,
        "dispatch_seen": run.dispatch_seen,
        "suggestion": _suggestion(run, outcome, end),
        "anomalies": _anomalies(run, outcome, end),
    }
    return Decision(
        *(run.uid, None, outcome, evidence, reason, run.identity, started, finished),
        finished_not_before=not_before,
        skipped=tuple(sorted(run.skipped)),
        progress=progress,
        error=_error(run, outcome, snapshot),
        print_type=run.print_type,
    )


def unseen(uid: str, held: Held, floor: float | None) -> Decision:
    """A finish nobody saw. Without an id of its own it may be an old one: a person decides."""
    identity = held.identity
    key = native_key(identity)
    outcome = Outcome.SUCCESS if key else Outcome.UNKNOWN
    if identity.is_system:
        outcome = Outcome.IGNORED
    progress = {
        "percent": held.percent,
        "total_layers": identity.total_layers,
        "first_seen_at": max(held.not_before, floor or 0.0),
        "last_seen_at": held.wall,
        "adopted": True,
        "suggestion": None if key else "probably_finished",
        "anomalies": _unnamed(identity),
    }
    return Decision(
        *(uid, key, outcome, Evidence.RECOVERED_UNSEEN, "finished unseen, while offline"),
        identity=identity,
        started_at=None,
        finished_at=held.wall,
        finished_not_before=held.not_before,
        skipped=held.skipped,
        progress=progress,
        error={},
    )


def native_key(identity: Identity) -> str | None:
    """The best id of the printer or its cloud, e.g. "job_id:500001"; None without one."""
    for name, value in identity.ids.items():
        return f"{name}:{value}"
    return None


def _suggestion(run: Run, outcome: Outcome, end: Instant) -> str | None:
    if outcome is Outcome.UNKNOWN and run.probably_finished(end):
        return "probably_finished"
    return None


def _anomalies(run: Run, outcome: Outcome, end: Instant) -> list[str]:
    found = _unnamed(run.identity)
    if outcome is Outcome.SUCCESS:
        if run.percent is not None and run.percent < 99:
            found.append("finish_below_100")
        if end.steady - run.opened < SHORT_RUN:
            found.append("short_run")
    return found


def _unnamed(identity: Identity) -> list[str]:
    return [] if identity.filename else ["unnamed"]


def _error(run: Run, outcome: Outcome, snapshot: Snapshot | None) -> dict[str, Any]:
    if outcome in (Outcome.SUCCESS, Outcome.IGNORED):
        return {}
    code = run.cancel_code if outcome is Outcome.CANCELLED else run.failure(snapshot)
    found: dict[str, Any] = {}
    if code:
        found |= {"code": classify.show(code), "text": classify.explain(code), "print_error": code}
    if hms := classify.serious(run.hms):
        found["hms"] = hms
    return found
