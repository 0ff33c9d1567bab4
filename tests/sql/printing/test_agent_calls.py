"""Every call of an agent in every state, and in every wrong hand."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.support.printing import (
    AGENT,
    OTHER_AGENT,
    act,
    add_printer,
    bring,
    evidence,
    history,
    refusal,
    rest,
    route,
    second_agent,
    state_of,
    sweep,
)
from tests.support.rpc import call


@pytest.fixture(autouse=True)
def printer(db: psycopg.Connection) -> None:
    second_agent(db)
    add_printer(db)
    route(db, "prn-1")


def refused(
    db: psycopg.Connection, rpc: str, taken: dict[str, Any], who: str = AGENT, **more: Any
) -> str | None:
    return refusal(db, who, rpc, p_job_id=taken["job_id"], p_fence=taken["fence"], **more)


# Every call, every wrong hand ---------------------------------------------------------------

CALLS: dict[str, dict[str, Any]] = {
    "begin_send": {"p_evidence": evidence()},
    "abort_send": {},
    "mark_sent": {"p_bytes": 10_000},
    "confirm_print": {"p_evidence": evidence(101)},
    "print_unknown": {},
    "release_print": {},
    "fail_print": {"p_reason": "x"},
    "extend_print": {},
    "print_job_state": {},
}


@pytest.mark.parametrize("rpc", CALLS)
def test_done_does_not_work_on_any_job_by_any_agent(db: psycopg.Connection, rpc: str) -> None:
    """FlexaVolt: the done call settled any job, whoever sent it."""
    taken = bring(db, "claimed")
    more = CALLS[rpc]
    assert refused(db, rpc, taken, OTHER_AGENT, **more) == "403 print.not_your_printer"
    assert refused(db, rpc, {**taken, "fence": 0}, **more) == "409 print.stale_fence"
    assert refused(db, rpc, {**taken, "fence": 2}, **more) == "409 print.stale_fence"
    assert refused(db, rpc, {**taken, "job_id": 999}, **more) == "404 print.no_job"
    for who in ("operator", "admin", "kiosk", "bambu_bridge"):
        assert refused(db, rpc, taken, who, **more) == "403 auth.forbidden"
    assert state_of(db, taken["job_id"]) == "claimed"


@pytest.mark.parametrize("rpc", CALLS)
def test_a_revoked_agent_is_out_at_once(db: psycopg.Connection, rpc: str) -> None:
    """Scenario 24: it may not even confirm what it has begun; that becomes unknown."""
    taken = bring(db, "sent")
    call(db, "admin", "revoke_device", p_code="print_agent")
    assert refused(db, rpc, taken, **CALLS[rpc]) == "403 auth.not_staff"
    assert refusal(db, AGENT, "claim_print_job", p_nonce=uuid4()) == "403 auth.not_staff"
    sweep(db, "1 hour")
    assert state_of(db, taken["job_id"]) == "unknown"


# What each call makes of each state: the state afterwards, or the refusal.
OUTCOMES: dict[str, dict[str, str]] = {
    "begin_send": {"claimed": "sending", "sending": "sending"},
    "abort_send": {"queued": "queued", "claimed": "queued", "sending": "queued",
                   "unknown": "queued", "cancelled": "cancelled"},
    "mark_sent": {"sending": "sent", "sent": "sent", "printed": "printed", "unknown": "unknown",
                  "failed": "failed"},
    "confirm_print": {"sending": "printed", "sent": "printed", "printed": "printed",
                      "unknown": "printed"},
    "print_unknown": {"sending": "unknown", "sent": "unknown", "printed": "printed",
                      "unknown": "unknown", "failed": "failed", "cancelled": "cancelled"},
    "release_print": {"queued": "queued", "held": "held", "claimed": "queued",
                      "cancelled": "cancelled"},
    "fail_print": {"claimed": "failed", "failed": "failed"},
    "extend_print": {"claimed": "claimed", "sending": "sending", "sent": "sent"},
}  # fmt: skip


@pytest.mark.parametrize("rpc", OUTCOMES)
@pytest.mark.parametrize(
    "state",
    ["queued", "held", "claimed", "sending", "sent", "printed", "unknown", "failed", "cancelled"],
)
def test_a_call_in_a_state(db: psycopg.Connection, rpc: str, state: str) -> None:
    taken = bring(db, state)
    expected = OUTCOMES[rpc].get(state)
    if expected is None:
        if rpc == "confirm_print" and state in ("failed", "cancelled"):
            return  # never begun: said below
        said = refused(db, rpc, taken, **CALLS[rpc])
        assert said in ("409 print.wrong_state", "409 print.lease_over")
        assert state_of(db, taken["job_id"]) == state
        return
    if state == "unknown" and rpc == "confirm_print":
        rest(db, taken["job_id"])
    verdict = act(db, rpc, taken, **CALLS[rpc])
    assert verdict["state"] == expected
    before = history(db, taken["job_id"])
    if rpc not in ("extend_print",):
        repeated = act(db, rpc, taken, **CALLS[rpc])
        assert (repeated["changed"], repeated["state"]) == (False, expected)
        assert history(db, taken["job_id"]) == before
