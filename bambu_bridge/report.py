"""A decision, as the arguments of record_print_completion. No I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bambu_bridge.run import Decision

_INSTANTS = ("first_seen_at", "running_at", "last_seen_at")


@dataclass(frozen=True)
class Told:
    """One row for the outbox: the arguments of the RPC."""

    key: str
    arguments: dict[str, Any]


def iso(wall: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC."""
    return None if wall is None else datetime.fromtimestamp(wall, UTC).isoformat()


def told(serial: str, decision: Decision, bridge: Mapping[str, Any]) -> Told:
    """The row for the outbox. What is told of one run never changes, so neither does its hash."""
    identity = decision.identity
    progress = {
        name: iso(value) if name in _INSTANTS else value
        for name, value in decision.progress.items()
    }
    native = identity.stored() | {"name": identity.stem, "print_type": decision.print_type}
    native.pop("stem", None)
    facts = {
        "p_idempotency_key": decision.key(serial),
        "p_source": "bambu_auto",
        "p_printer_serial": serial,
        "p_outcome": decision.outcome.value,
        "p_evidence": decision.evidence.value,
        "p_gcode_filename": identity.filename,
        "p_candidates": identity.candidates(),
        "p_plate": identity.plate,
        "p_started_at": iso(decision.started_at),
        "p_finished_at": iso(decision.finished_at),
        "p_finished_not_before": iso(decision.finished_not_before),
        "p_skipped_object_ids": list(decision.skipped),
        "p_progress": {**progress, "reason": decision.reason},
        "p_error": dict(decision.error),
        "p_native": {name: value for name, value in native.items() if value not in (None, "")},
    }
    return sealed(facts, bridge)


def sealed(facts: dict[str, Any], bridge: Mapping[str, Any]) -> Told:
    """With the hash of the facts, and with who tells them (which the hash leaves out)."""
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    arguments = {**facts, "p_bridge": dict(bridge), "p_payload_hash": digest}
    return Told(str(facts["p_idempotency_key"]), arguments)
