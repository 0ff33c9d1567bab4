"""One person asks, another one decides, and the decision does it."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest

from tests.support.databases import USER_IDS
from tests.support.printing import attempt
from tests.support.production import (
    CUT,
    make_centre,
    order,
    quality,
    replenishments,
    report,
    set_setting,
    step,
)
from tests.support.rpc import Refused, call


def ask(db: psycopg.Connection, kind: str = "DISABLE_EQUIPMENT", who: str = "operator",
        **more: Any) -> dict[str, Any]:  # fmt: skip
    arguments = {f"p_{name}": value for name, value in more.items()}
    if kind.endswith("EQUIPMENT"):
        arguments.setdefault("p_work_centre", "saw-1")
    answer = call(
        db, who, "request_approval", p_type=kind,
        **{"p_justification": "The blade is blunt", "p_site": "main", **arguments},
    )  # fmt: skip
    return dict(answer)


def decide(db: psycopg.Connection, asked: dict[str, Any], decision: str = "APPROVED",
           who: str = "manager", **more: Any) -> dict[str, Any]:  # fmt: skip
    seen = {"p_id": asked["approval"]["id"], "p_version": asked["approval"]["version"]}
    return dict(call(db, who, "decide_approval", **{**seen, "p_decision": decision, **more}))


def refusal(db: psycopg.Connection, asked: dict[str, Any], *args: Any, **more: Any) -> Any:
    with pytest.raises(Refused) as refused:
        decide(db, asked, *args, **more)
    return refused.value.status, refused.value.code


def centre(db: psycopg.Connection, code: str = "saw-1") -> tuple[Any, ...]:
    row = db.execute(
        "select is_enabled, disabled_reason, disabled_by from public.work_centres where code = %s",
        (code,),
    ).fetchone()
    assert row is not None
    return row


def test_a_press_is_disabled_and_enabled_again(plant: psycopg.Connection) -> None:
    code = order(plant, 5)
    asked = ask(plant)
    assert centre(plant) == (True, None, None), "asking does nothing"
    done = decide(plant, asked)
    assert done["approval"]["effect"] == {
        "work_centre": "saw-1",
        "is_enabled": False,
        "changed": True,
    }
    assert centre(plant) == (False, "The blade is blunt", USER_IDS["manager"])
    assert attempt(plant, "operator", "start_step", p_code=code, p_work_centre="saw-1") == (
        409,
        "work_centre.disabled",
    )
    again = ask(plant, "ENABLE_EQUIPMENT", justification="A new blade")
    decide(plant, again, who="planner")
    assert centre(plant) == (True, None, None)
    report(plant, code, CUT, good=1)


def test_a_rejection_says_why_and_does_nothing(plant: psycopg.Connection) -> None:
    asked = ask(plant)
    assert refusal(plant, asked, "REJECTED") == (422, "approval.reason_required")
    assert refusal(plant, asked, "REJECTED", p_notes=" ") == (422, "approval.reason_required")
    rejected = decide(plant, asked, "REJECTED", p_notes="It is new")
    assert (rejected["approval"]["status"], rejected["approval"]["effect"]) == ("REJECTED", None)
    assert centre(plant)[0] is True


def test_defect_7_approved_by_comes_from_the_session_never_from_the_body(
    plant: psycopg.Connection,
) -> None:
    """RENAR took approved_by as the body said, so that anybody approved as the manager."""
    asked = ask(plant)
    names = plant.execute(
        "select p.proargnames from pg_catalog.pg_proc p where p.proname = any (%s)",
        (["request_approval", "decide_approval"],),
    ).fetchall()
    assert not {n for (args,) in names for n in args if "_by" in n or "user" in n}
    for who in ("viewer", "operator", "technician", "supervisor"):
        assert refusal(plant, asked, who=who) == (403, "auth.forbidden")
    assert refusal(plant, asked, who="stranger") == (403, "auth.not_staff")
    decided = decide(plant, asked, who="planner")["approval"]
    assert decided["decided_by"] == str(USER_IDS["planner"])
    assert decided["requested_by"] == str(USER_IDS["operator"])


def test_who_asked_never_decides(plant: psycopg.Connection) -> None:
    asked = ask(plant, who="manager")
    assert refusal(plant, asked) == (403, "approval.own")
    (row,) = call(plant, "manager", "get_approvals")["approvals"]
    assert row["may_decide"] is False
    (row,) = call(plant, "admin", "get_approvals")["approvals"]
    assert (row["may_decide"], row["requested_by_name"]) == (True, "Manager")
    with pytest.raises(psycopg.errors.CheckViolation, match="approvals_two_people_check"):
        plant.execute(
            "update public.approvals set status = 'APPROVED', decided_at = now(),"
            " decided_by = requested_by"
        )


def test_a_decision_is_made_once(plant: psycopg.Connection) -> None:
    asked = ask(plant)
    key = uuid.uuid4()
    first, twin = (decide(plant, asked, p_request_id=key) for _ in range(2))
    assert first == twin
    assert decide(plant, asked, who="admin")["changed"] is False
    assert refusal(plant, asked, "REJECTED", p_notes="no") == (409, "approval.decided")
    assert refusal(plant, asked, "MAYBE") == (422, "approval.decision")
    assert refusal(plant, asked, "REJECTED", p_notes="x" * 1001) == (422, "request.too_long")
    assert refusal(plant, {"approval": {"id": 999, "version": 1}}) == (404, "approval.unknown")
    events = plant.execute(
        "select event, actor_id from public.events where stream = 'approval' order by id"
    ).fetchall()
    assert events == [
        ("approval.requested", USER_IDS["operator"]),
        ("approval.approved", USER_IDS["manager"]),
    ]


def test_asked_twice_is_one_request(plant: psycopg.Connection) -> None:
    first, second = ask(plant), ask(plant, who="technician")
    assert (second["changed"], second["approval"]) == (False, first["approval"])
    decide(plant, first)
    assert ask(plant, "ENABLE_EQUIPMENT")["changed"] is True


def test_overtime_is_in_force_by_being_approved(plant: psycopg.Connection) -> None:
    window = {"starts_at": "2030-01-05T06:00Z", "ends_at": "2030-01-05T12:00Z"}
    asked = ask(plant, "OVERTIME", work_centre="saw-1", **window)
    approved = decide(plant, asked)["approval"]
    assert (approved["status"], approved["effect"]) == ("APPROVED", {})
    assert ask(plant, "OVERTIME", **window)["approval"]["work_centre"] is None


def test_another_work_centre_takes_an_approval(plant: psycopg.Connection) -> None:
    make_centre(plant, "saw-2", "CUT")
    steps = [{"step": "CUT", "work_centre": "saw-1", "materials": ["PANEL"]}]
    call(plant, "planner", "save_routing", p_sku="TABLE", p_steps=psycopg.types.json.Jsonb(steps))
    code = order(plant, 5)
    there = {"p_code": code, "p_work_centre": "saw-2", "p_quantity": 1}
    assert attempt(plant, "operator", "start_step", **there) == (
        409,
        "production.wrong_work_centre",
    )
    special = {"operation": "other_work_centre", "order": code, "sequence": CUT}
    decide(plant, ask(plant, "SPECIAL_OPERATION", work_centre="saw-2", **special))
    assert attempt(plant, "operator", "start_step", **there)[0] == 200
    assert step(plant, code)["started"] == 1


def test_what_a_request_lacks(plant: psycopg.Connection) -> None:
    code = order(plant, 5)
    late = {"starts_at": "2030-01-05T06:00Z", "ends_at": "2030-01-05T06:00Z"}
    for kind, more, field in (
        ("HOLIDAY", {}, "p_type"),
        ("DISABLE_EQUIPMENT", {"justification": " "}, "p_justification"),
        ("DISABLE_EQUIPMENT", {"work_centre": None}, "p_work_centre"),
        ("OVERTIME", {}, "p_ends_at"),
        ("OVERTIME", late, "p_ends_at"),
        ("SPECIAL_OPERATION", {"operation": "replenishment"}, "p_operation"),
        ("SPECIAL_OPERATION", {"operation": "other_work_centre", "order": code}, "p_sequence"),
    ):
        with pytest.raises(Refused) as refused:
            ask(plant, kind, **more)
        assert (refused.value.code, refused.value.detail["field"]) == ("approval.incomplete", field)
    for kind, more, expected in (
        ("ENABLE_EQUIPMENT", {}, (409, "approval.needless")),
        ("DISABLE_EQUIPMENT", {"work_centre": "x"}, (404, "work_centre.unknown")),
        ("SPECIAL_OPERATION", {"order": "x"}, (404, "production.unknown")),
        ("SPECIAL_OPERATION", {"order": code, "sequence": 99}, (404, "production.no_step")),
        ("DISABLE_EQUIPMENT", {"justification": "x" * 1001}, (422, "request.too_long")),
    ):
        with pytest.raises(Refused) as refused:
            ask(plant, kind, **more)
        assert (refused.value.status, refused.value.code) == expected


def test_who_asked_may_withdraw(plant: psycopg.Connection) -> None:
    asked = ask(plant)
    number = {"p_id": asked["approval"]["id"]}
    withdraw = "withdraw_approval"
    assert attempt(plant, "technician", withdraw, **number) == (403, "approval.not_yours")
    assert attempt(plant, "operator", withdraw, p_id=999) == (404, "approval.unknown")
    assert call(plant, "operator", withdraw, **number)["approval"]["status"] == "WITHDRAWN"
    assert call(plant, "operator", withdraw, **number)["changed"] is False
    assert refusal(plant, asked) == (409, "approval.decided")
    other = ask(plant)
    decide(plant, other)
    assert attempt(plant, "operator", withdraw, p_id=other["approval"]["id"]) == (
        409,
        "approval.decided",
    )


def test_the_inbox(plant: psycopg.Connection) -> None:
    first = ask(plant)["approval"]["id"]
    code = order(plant, 10)
    quality(plant, code, "scrap", 6)
    page = call(plant, "planner", "get_approvals", p_limit=1)
    assert [r["code"] for r in page["approvals"]] == [code]
    rest = call(plant, "planner", "get_approvals", p_cursor=page["next_cursor"])
    assert [r["approval"]["id"] for r in rest["approvals"]] == [first]
    assert rest["approvals"][0]["work_centre_title"] == "saw-1"
    only = call(plant, "planner", "get_approvals", p_types=["OVERTIME"], p_site="main")
    assert only["approvals"] == []
    assert attempt(plant, "planner", "get_approvals", p_cursor="?") == (400, "request.bad_cursor")


def inbox(db: psycopg.Connection, who: str = "manager") -> list[dict[str, Any]]:
    return list(call(db, who, "get_approvals")["approvals"])


def test_who_decides_says_which_version_the_screen_showed(plant: psycopg.Connection) -> None:
    """A request grows with the loss: who saw six allowed ten."""
    code = order(plant, 10)
    quality(plant, code, "scrap", 6)
    (seen,) = inbox(plant)
    assert seen["approval"]["quantity"] == 6
    quality(plant, code, "scrap", 4)
    no = refusal(plant, seen)
    assert no == (409, "approval.stale")
    assert replenishments(plant, code) == []
    (now,) = inbox(plant)
    assert (now["approval"]["quantity"], now["approval"]["version"]) == (
        10,
        seen["approval"]["version"] + 1,
    )
    decide(plant, now)
    assert [q for _, q, _ in replenishments(plant, code)] == [10]
    assert decide(plant, now)["changed"] is False, "who allowed it has not asked for it"
    assert refusal(plant, seen, "REJECTED", p_notes="no") == (409, "approval.decided")


def test_a_decision_allows_no_more_than_the_request_says(plant: psycopg.Connection) -> None:
    """What is lost without being asked for is not in the request, so it is not allowed by it."""
    code = order(plant, 10)
    quality(plant, code, "scrap", 6)
    (seen,) = inbox(plant)
    set_setting(plant, "production.replenish_auto", value=False)
    quality(plant, code, "scrap", 4)
    decide(plant, seen)
    assert [q for _, q, _ in replenishments(plant, code)] == [6]


def test_what_a_request_still_asks_for_is_in_whole_lots(plant: psycopg.Connection) -> None:
    set_setting(plant, "production.replenish_lot", 4)
    code = order(plant, 10)
    quality(plant, code, "scrap", 6)
    quality(plant, code, "scrap", 3)
    call(plant, "operator", "undo_production", p_code=code)
    (seen,) = inbox(plant)
    assert seen["approval"]["quantity"] == 8
    decide(plant, seen)
    assert [q for _, q, _ in replenishments(plant, code)] == [8]


def test_may_decide_is_what_decide_approval_would_answer(plant: psycopg.Connection) -> None:
    """Whose loss is in the request does not decide it; the inbox offered it all the same."""
    code = order(plant, 10)
    quality(plant, code, "scrap", 6)
    quality(plant, code, "scrap", 1, who="manager")
    (seen,) = inbox(plant)
    assert seen["may_decide"] is False
    assert refusal(plant, seen) == (403, "approval.own")
    for who in ("operator", "viewer", "supervisor"):
        assert inbox(plant, who)[0]["may_decide"] is False
    assert inbox(plant, "planner")[0]["may_decide"] is True
    decide(plant, seen, who="planner")
