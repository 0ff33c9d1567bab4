"""The life of a repair: reported → acknowledged → in_repair ⇄ waiting → repaired → verified →
closed, its side exits, and coming back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.databases import USER_IDS, Clone
from tests.support.maintenance import WAY, bring, events, machine, report, status_of
from tests.support.printing import attempt
from tests.support.rpc import Refused, call

STATUSES = ("reported", "acknowledged", "in_repair", "waiting", "repaired", "verified", "closed")
# Command → the statuses in which it does something. In those of SAID it was done already.
DOES: dict[str, tuple[str, ...]] = {
    "acknowledge_repair": ("reported",),
    "start_repair": ("reported", "acknowledged", "waiting"),
    "wait_repair": ("in_repair",),
    "complete_repair": ("in_repair",),
    "verify_repair": ("repaired",),
    "close_repair": ("verified",),
    "reopen_repair": ("verified", "closed"),
    "dismiss_repair": ("reported", "acknowledged", "in_repair", "waiting"),
}
SAID: dict[str, tuple[str, ...]] = {
    "acknowledge_repair": ("acknowledged", "in_repair", "waiting"),
    "start_repair": ("in_repair",),
    "wait_repair": ("waiting",),
    "complete_repair": ("repaired",),
    "verify_repair": ("verified",),
    "close_repair": ("closed",),
}
MORE: dict[str, dict[str, Any]] = {
    "wait_repair": {"p_waits_for": "parts"},
    "complete_repair": {"p_actions_taken": "New belt"},
    "verify_repair": {"p_is_ok": True},
    "reopen_repair": {"p_reason": "Again"},
    "dismiss_repair": {"p_as": "cancelled", "p_reason": "Nothing found"},
}


def in_status(db: psycopg.Connection, code: str, status: str) -> int:
    repair = report(db, code, None, p_description=status, p_is_down=True)
    if status == "waiting":
        bring(db, repair, "in_repair")
        call(db, "technician", "wait_repair", p_id=repair, p_waits_for="parts")
    elif status != "reported":
        bring(db, repair, status)
    return repair


def test_the_whole_way_with_its_instants(db: psycopg.Connection) -> None:
    code = machine(db, p_asset_number="A-7")
    repair = report(db, code, p_is_down=True)
    assert status_of(db, code) == "broken"
    closed = bring(db, repair)
    steps = ("reported", "acknowledged", "started", "repaired", "verified", "closed")
    instants = [closed[f"{name}_at"] for name in steps]
    assert None not in instants
    assert instants == sorted(instants)
    assert closed["asset_number"] == "A-7"
    assert closed["assignee_id"] == str(USER_IDS["technician"])
    assert closed["performed_by"] == "Technician"
    assert status_of(db, code) == "operational"
    assert events(db, "repair", repair) == [
        *("repair.reported", "repair.acknowledged", "repair.started", "repair.repaired"),
        *("repair.verified", "repair.closed"),
    ]
    history = call(db, "viewer", "get_repair", p_id=repair)["history"]
    assert [h["status"] for h in history] == ["reported", *(s for _, s, _ in WAY)]


@pytest.mark.parametrize("rpc", DOES)
def test_each_command_in_each_status(db: psycopg.Connection, rpc: str) -> None:
    code = machine(db)
    for status in STATUSES:
        repair = in_status(db, code, status)
        answer = attempt(db, "technician", rpc, p_id=repair, **MORE.get(rpc, {}))
        offered = call(db, "technician", "get_repair", p_id=repair)["actions"]
        if status in DOES[rpc]:
            assert (answer[0], answer[1]["changed"]) == (200, True), status
        elif status in SAID.get(rpc, ()):
            assert (answer[0], answer[1]["changed"]) == (200, False), status
            assert rpc not in offered or rpc == "wait_repair"
        else:
            assert answer == (409, "repair.status"), status
            assert rpc not in offered


@pytest.mark.parametrize("rpc", DOES)
def test_a_repeat_answers_the_same_and_another_role_is_refused(
    db: psycopg.Connection, rpc: str
) -> None:
    repair, more = in_status(db, machine(db), DOES[rpc][0]), MORE.get(rpc, {})
    for who in ("viewer", "planner", "kiosk", "disabled"):
        assert attempt(db, who, rpc, p_id=repair, **more)[0] == 403
    key = uuid4()
    first = call(db, "technician", rpc, p_id=repair, p_request_id=key, **more)
    assert call(db, "technician", rpc, p_id=repair, p_request_id=key, **more) == first
    other = attempt(db, "technician", rpc, p_id=repair, p_request_id=key, **_other(rpc))
    assert other == (422, "request.reused")
    assert attempt(db, "technician", rpc, p_id=10**9, **more) == (404, "repair.unknown")


def _other(rpc: str) -> dict[str, Any]:
    """Other arguments than those of MORE."""
    at = {"p_at": "2026-01-01T00:00:00Z"}
    more: dict[str, dict[str, Any]] = {
        "reopen_repair": {"p_reason": "Other"},
        "dismiss_repair": {"p_as": "cancelled", "p_reason": "Other"},
    }
    return more.get(rpc, MORE.get(rpc, {}) | at)


def test_waiting_for_parts_people_vendor_and_going_on(db: psycopg.Connection) -> None:
    repair = in_status(db, machine(db), "in_repair")
    assert attempt(db, "technician", "wait_repair", p_id=repair, p_waits_for="luck") == (
        *(422, "repair.choice"),
    )
    for what in ("parts", "people", "vendor"):
        answer = call(db, "technician", "wait_repair", p_id=repair, p_waits_for=what)
        assert answer["repair"]["waits_for"] == what
    assert call(db, "technician", "start_repair", p_id=repair)["repair"]["waits_for"] is None
    assert events(db, "repair", repair)[-1] == "repair.resumed"


def test_times_may_be_given_later_but_never_go_back(db: psycopg.Connection) -> None:
    code, now = machine(db), datetime.now(UTC)
    repair = report(db, code, p_occurred_at=now - timedelta(hours=2))
    db.execute(
        "update public.repairs set reported_at = %(at)s, status_since = %(at)s where id = %(id)s",
        {"at": now - timedelta(hours=1), "id": repair},
    )
    early = {"p_id": repair, "p_at": now - timedelta(hours=3)}
    late = {"p_id": repair, "p_at": now + timedelta(hours=3)}
    for wrong in (early, late):
        assert attempt(db, "technician", "start_repair", **wrong) == (422, "repair.time")
    at = now - timedelta(minutes=30)
    begun = call(db, "technician", "start_repair", p_id=repair, p_at=at)["repair"]
    assert datetime.fromisoformat(begun["started_at"]) == at
    row = call(db, "viewer", "get_repair", p_id=repair)
    assert row["reaction_min"] == 30
    assert attempt(db, "operator", "report_repair", p_machine=code, p_symptom="noise",
                   p_occurred_at=now + timedelta(days=1)) == (422, "repair.time")  # fmt: skip


def test_completing_asks_what_was_done_and_what_it_cost(db: psycopg.Connection) -> None:
    repair = in_status(db, machine(db), "in_repair")
    finish: dict[str, Any] = {"p_id": repair, "p_actions_taken": "New belt"}
    assert attempt(db, "technician", "complete_repair", **finish | {"p_actions_taken": " "}) == (
        *(422, "repair.actions"),
    )
    assert attempt(db, "technician", "complete_repair", **finish, p_cost=-1) == (
        *(422, "repair.cost"),
    )
    done = call(db, "technician", "complete_repair", **finish, p_cost=80, p_cause="Wear",
                p_performed_by="Acme Ltd")["repair"]  # fmt: skip
    assert (done["cost"], done["cause"], done["performed_by"]) == (80, "Wear", "Acme Ltd")


def test_failed_verification_is_the_same_failure(db: psycopg.Connection) -> None:
    code = machine(db)
    repair = in_status(db, code, "repaired")
    assert attempt(db, "operator", "verify_repair", p_id=repair, p_is_ok=False) == (
        *(422, "repair.why"),
    )
    call(db, "operator", "verify_repair", p_id=repair, p_is_ok=False, p_note="Still noisy")
    assert status_of(db, code) == "broken"
    closed = bring(db, repair)
    assert closed["reopened"] == 0
    assert closed["is_failure"]


def test_coming_back_within_the_hours_is_the_same_failure_and_later_a_new_one(
    db: psycopg.Connection,
) -> None:
    code = machine(db)
    repair = report(db, code, p_is_down=True)
    first = bring(db, repair)
    assert report(db, code) == repair
    again = call(db, "viewer", "get_repair", p_id=repair)["repair"]
    assert (again["status"], again["reopened"], again["closed_at"]) == ("reported", 1, None)
    assert again["acknowledged_at"] == first["acknowledged_at"]
    bring(db, repair)
    call(db, "technician", "reopen_repair", p_id=repair, p_reason="Belt slips")
    bring(db, repair)
    _age(db, repair, 25)
    assert attempt(db, "technician", "reopen_repair", p_id=repair, p_reason="Again") == (
        *(409, "repair.too_late"),
    )
    other = report(db, code)
    assert other != repair
    call(db, "admin", "set_setting", p_key="maintenance.same_failure_hours",
         p_value=Jsonb(48), p_site="main")  # fmt: skip
    assert attempt(db, "technician", "reopen_repair", p_id=repair, p_reason=" ") == (
        *(422, "repair.why"),
    )
    assert attempt(db, "technician", "reopen_repair", p_id=repair, p_reason="Again") == (
        *(409, "repair.other_open"),
    )


def _age(db: psycopg.Connection, repair: int, hours: int) -> None:
    """As if it had all happened so many hours earlier."""
    names = ("occurred", "reported", "acknowledged", "started", "repaired", "verified", "closed")
    moved = ", ".join(f"{n}_at = {n}_at - make_interval(hours => {hours})" for n in names)
    db.execute(
        f"update public.repairs set {moved},"
        " status_since = status_since - make_interval(hours => %s) where id = %s",
        (hours, repair),
    )


def test_dismissed_as_rejected_duplicate_or_cancelled(db: psycopg.Connection) -> None:
    code, other_machine = machine(db), machine(db, "press-2")
    real, twin, strange = report(db, code), report(db, code, "noise"), report(db, other_machine)
    dismiss: dict[str, Any] = {"p_id": twin, "p_as": "duplicate", "p_reason": "Same thing"}
    for wrong in (None, twin, strange):
        assert attempt(db, "technician", "dismiss_repair", **dismiss, p_duplicate_of=wrong) == (
            *(422, "repair.duplicate_of"),
        )
    assert attempt(db, "technician", "dismiss_repair", **dismiss | {"p_as": "lost"}) == (
        *(422, "repair.choice"),
    )
    done = call(db, "technician", "dismiss_repair", **dismiss, p_duplicate_of=real)["repair"]
    assert (done["is_open"], done["is_failure"], done["duplicate_of"]) == (False, False, real)
    assert attempt(db, "technician", "dismiss_repair", p_id=real, p_as="rejected", p_reason="") == (
        *(422, "repair.why"),
    )
    call(db, "technician", "dismiss_repair", p_id=real, p_as="rejected", p_reason="Was off")
    assert status_of(db, code) == "operational"


def test_two_technicians_and_one_version(db: psycopg.Connection) -> None:
    repair = report(db, machine(db))
    seen = call(db, "technician", "get_repair", p_id=repair)["repair"]["version"]
    change = {"p_id": repair, "p_version": seen, "p_priority": "high"}
    assert call(db, "technician", "update_repair", **change)["changed"] is True
    assert attempt(db, "supervisor", "update_repair", **change | {"p_priority": "low"}) == (
        *(409, "repair.changed"),
    )
    assert call(db, "supervisor", "update_repair", p_id=repair, p_priority="high")["changed"] is (
        False
    )
    nobody = {"p_id": repair, "p_assignee_id": uuid4()}
    assert attempt(db, "supervisor", "update_repair", **nobody) == (404, "staff.unknown")
    payload = db.execute(
        "select payload from public.events where event = 'repair.updated'"
    ).fetchone()
    assert payload is not None
    assert payload[0]["before"] == {"priority": "normal"}
    assert payload[0]["after"] == {"priority": "high"}


def test_two_technicians_acknowledge_at_once(clone: Clone, db: psycopg.Connection) -> None:
    """One wins; the other waits for the machine and then sees who has it."""
    repair = report(db, machine(db))
    with clone.connect() as one, clone.connect() as two:
        with one.transaction():
            assert call(one, "technician", "acknowledge_repair", p_id=repair)["changed"] is True
            two.execute("set lock_timeout = '100ms'")
            with pytest.raises(Refused) as waiting:
                call(two, "supervisor", "acknowledge_repair", p_id=repair)
            assert waiting.value.sqlstate == "55P03"
        answer = call(two, "supervisor", "acknowledge_repair", p_id=repair)
    assert answer["changed"] is False
    assert answer["repair"]["assignee_id"] == str(USER_IDS["technician"])
