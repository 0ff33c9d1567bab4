"""What the agent says to the database, and what it hears. Every call may be repeated.

A refusal is an RpcError that is not `temporary`: the database has decided. Everything else means
that nobody knows whether the call arrived.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from print_agent.domain import Claim
from takt.errors import RpcError
from takt.rpc import RpcClient

Evidence = Mapping[str, Any]


@dataclass(frozen=True)
class PrinterConfig:
    """A printer that this agent owns."""

    code: str
    site: str
    language: str
    address: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> PrinterConfig:
        return cls(*(str(row[name]) for name in ("code", "site", "language", "address")))


@dataclass(frozen=True)
class Orders:
    """The answer to a heartbeat."""

    printers: tuple[PrinterConfig, ...]
    clock_skew_ms: float


@dataclass(frozen=True)
class Unsettled:
    """A job of an own printer in sending, sent or unknown. `wants_evidence`: False when only a
    person, or our certainty that no byte left, can settle it."""

    job_id: int
    fence: int
    printer: str
    state: str
    labels: int
    odometer: int | None
    wants_evidence: bool

    @property
    def key(self) -> tuple[int, int]:
        return self.job_id, self.fence

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Unsettled:
        before = row.get("evidence_before") or {}
        return cls(
            int(row["job_id"]),
            int(row["fence"]),
            str(row["printer"]),
            str(row["state"]),
            int(row["copies"]) * int(row["labels"]),
            before.get("odometer"),
            bool(row["wants_evidence"]),
        )


class Desk:
    """One method per RPC of an agent. Errors of every method: RpcError."""

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc

    async def heartbeat(
        self, version: str, printers: list[dict[str, Any]], status: Mapping[str, Any]
    ) -> Orders:
        """Report, and learn which printers are ours."""
        answer = await self._rpc.call(
            "agent_heartbeat",
            tries=1,
            p_version=version,
            p_clock=datetime.now(UTC).isoformat(),
            p_printers=printers,
            p_status=dict(status),
        )
        configs = (PrinterConfig.of(row) for row in answer["printers"] if row["is_enabled"])
        return Orders(tuple(configs), float(answer["clock_skew_ms"] or 0))

    async def claim(self, nonce: uuid.UUID, printer: str) -> Claim | None:
        """A job for this printer; the same nonce gives the same job."""
        row = await self._rpc.call(
            "claim_print_job", tries=1, p_nonce=str(nonce), p_printers=[printer]
        )
        return Claim.of(row) if row and row.get("job_id") is not None else None

    async def begin(self, claim: Claim, evidence: Evidence) -> tuple[float, float]:
        """May the first byte leave? (seconds to begin, seconds of the lease), from asking on."""
        answer = await self._rpc.call("begin_send", tries=1, **_who(claim), p_evidence=evidence)
        return float(answer["send_seconds"] or 0), float(answer["lease_seconds"] or 0)

    async def state(self, claim: Claim) -> str:
        """What the database thinks of a job whose answer was lost."""
        return _state(await self._call("print_job_state", claim, tries=1))

    async def extend(self, claim: Claim) -> None:
        await self._call("extend_print", claim, tries=1)

    async def release(self, claim: Claim, reason: str, retry_s: int) -> str:
        return _state(await self._call("release_print", claim, p_reason=reason, p_retry_s=retry_s))

    async def fail(self, claim: Claim, reason: str) -> str:
        return _state(await self._call("fail_print", claim, p_reason=reason))

    async def abort(self, job: Claim | Unsettled, reason: str) -> str:
        """Certainly not one byte has left."""
        return _state(await self._call("abort_send", job, p_reason=reason))

    async def mark_sent(self, job: Claim | Unsettled, handed: int) -> str:
        return _state(await self._call("mark_sent", job, p_bytes=handed))

    async def confirm(self, job: Claim | Unsettled, evidence: Evidence) -> str:
        """Here is what the printer shows; the database decides and answers the state."""
        return _state(await self._call("confirm_print", job, p_evidence=evidence))

    async def unknown(self, job: Claim | Unsettled, reason: str, evidence: Evidence | None) -> str:
        return _state(await self._call("print_unknown", job, p_reason=reason, p_evidence=evidence))

    async def unsettled(self, printer: str) -> list[Unsettled]:
        rows = await self._rpc.call("my_unsettled_prints", safe=True, tries=1)
        return [job for row in rows or () if (job := Unsettled.of(row)).printer == printer]

    async def _call(
        self, name: str, job: Claim | Unsettled, tries: int = 3, **arguments: Any
    ) -> Any:
        return await self._rpc.call(name, safe=True, tries=tries, **_who(job), **arguments)


def refused(error: RpcError) -> bool:
    """The database has decided; asking again changes nothing."""
    return not error.temporary


def _who(job: Claim | Unsettled) -> dict[str, Any]:
    return {"p_job_id": job.job_id, "p_fence": job.fence}


def _state(verdict: Mapping[str, Any]) -> str:
    return str(verdict["state"])
