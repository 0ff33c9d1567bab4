"""M05: stages move forward by commands, and by nothing else."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from tests.support.databases import USER_IDS
from tests.support.orders import STAGES, advance, events, make_order, ticket
from tests.support.rpc import Refused, call

STARTS = {
    "Filling": "handle_print_barcode",
    "Covering": "start_covering",
    "Decorating": "start_decorating",
    "Packing": "start_packing",
}
COMPLETES = {stage: f"complete_{stage.lower()}" for stage in STARTS}


def test_a_ticket_goes_from_filling_to_complete(db: psycopg.Connection) -> None:
    make_order(db)
    for stage, following in zip(STARTS, STAGES[1:], strict=True):
        call(
            db,
            "supervisor",
            "assign_staff",
            p_order_id="bannos-18617",
            p_staff_id=USER_IDS["operator"],
        )
        started = call(db, "operator", STARTS[stage], p_order_id="bannos-18617")
        assert started["changed"] is True
        assert started["offer"] == COMPLETES[stage]
        done = call(db, "operator", COMPLETES[stage], p_order_id="bannos-18617", p_notes="ok")
        assert done["order_row"]["stage"] == following
        assert done["order_row"]["assignee_id"] is None, "completion returns it to the pool"
    assert [e for e in events(db, "bannos-18617") if e != "order.assigned"] == [
        "filling.started", "filling.completed", "covering.started", "covering.completed",
        "decorating.started", "decorating.completed", "packing.started", "packing.completed",
    ]  # fmt: skip


def test_completing_decorating_offers_packing_and_starts_nothing(db: psycopg.Connection) -> None:
    make_order(db)
    advance(db, "bannos-18617", "Decorating")
    call(db, "operator", "start_decorating", p_order_id="bannos-18617")
    done = call(db, "operator", "complete_decorating", p_order_id="bannos-18617")
    assert done["offer"] == "start_packing"
    assert done["order_row"]["packing_started_at"] is None


def test_every_event_carries_actor_station_and_time(db: psycopg.Connection) -> None:
    make_order(db)
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617", p_station="fill-1")
    call(
        db,
        "operator",
        "complete_filling",
        p_order_id="bannos-18617",
        headers={"x-takt-station": "fill-2"},
    )
    rows = db.execute(
        "select actor_id, station, at is not null from public.events order by id"
    ).fetchall()
    operator = USER_IDS["operator"]
    assert rows == [(operator, "fill-1", True), (operator, "fill-2", True)]


@pytest.mark.parametrize("stage", list(STARTS))
def test_defect_repeats_raise_a_repeat_answers_changed_false(
    db: psycopg.Connection, stage: str
) -> None:
    make_order(db)
    advance(db, "bannos-18617", stage)
    call(db, "operator", STARTS[stage], p_order_id="bannos-18617")
    assert call(db, "operator", STARTS[stage], p_order_id="bannos-18617")["changed"] is False
    call(db, "operator", COMPLETES[stage], p_order_id="bannos-18617")
    before = ticket(db, "bannos-18617")
    again = call(db, "operator", COMPLETES[stage], p_order_id="bannos-18617")
    assert again["changed"] is False
    assert call(db, "operator", STARTS[stage], p_order_id="bannos-18617")["changed"] is False
    assert ticket(db, "bannos-18617") == before


def test_the_same_request_id_gives_the_same_answer_and_one_effect(db: psycopg.Connection) -> None:
    make_order(db)
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617")
    arguments = {"p_order_id": "bannos-18617", "p_notes": "x", "p_request_id": uuid4()}
    first = call(db, "operator", "complete_filling", **arguments)
    advance_to = call(db, "operator", "start_covering", p_order_id="bannos-18617")
    assert advance_to["changed"] is True
    assert call(db, "operator", "complete_filling", **arguments) == first
    assert events(db, "bannos-18617").count("filling.completed") == 1
    with pytest.raises(Refused) as refused:
        call(db, "operator", "complete_filling", **{**arguments, "p_notes": "y"})
    assert (refused.value.status, refused.value.code) == (422, "request.reused")


def test_request_ids_belong_to_the_person(db: psycopg.Connection) -> None:
    make_order(db)
    request = uuid4()
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617", p_request_id=request)
    other = call(db, "admin", "complete_filling", p_order_id="bannos-18617", p_request_id=request)
    assert other["changed"] is True


@pytest.mark.parametrize("at", STAGES)
@pytest.mark.parametrize("to", STAGES)
def test_plain_sql_cannot_jump(db: psycopg.Connection, at: str, to: str) -> None:
    make_order(db)
    advance(db, "bannos-18617", at)
    if at == to:
        db.execute("update public.orders set stage = %s", (to,))
        return
    with pytest.raises(psycopg.Error) as refused:
        db.execute("update public.orders set stage = %s", (to,))
    hops = abs(STAGES.index(at) - STAGES.index(to))
    if hops > 1:
        assert refused.value.diag.message_hint == "order.illegal_move"
    else:  # a neighbour: what the row says about its stages no longer fits
        assert refused.value.diag.constraint_name is not None


@pytest.mark.parametrize("stage", STAGES[1:])
def test_a_new_ticket_starts_in_filling(db: psycopg.Connection, stage: str) -> None:
    with pytest.raises(psycopg.Error) as refused:
        make_order(db, stage=stage)
    assert refused.value.diag.message_hint == "order.illegal_move"


def test_a_pos_sale_is_stored_as_complete(db: psycopg.Connection) -> None:
    make_order(db, source="pos", stage="Complete")
    assert ticket(db, "bannos-18617")["stage"] == "Complete"


@pytest.mark.parametrize("stage", list(STARTS))
def test_completing_what_was_not_started_says_what_to_do(
    db: psycopg.Connection, stage: str
) -> None:
    make_order(db)
    advance(db, "bannos-18617", stage)
    with pytest.raises(Refused) as refused:
        call(db, "operator", COMPLETES[stage], p_order_id="bannos-18617")
    assert (refused.value.status, refused.value.code) == (409, "order.not_started")
    assert "first" in refused.value.message


def test_a_stage_ahead_is_the_wrong_stage(db: psycopg.Connection) -> None:
    make_order(db)
    for rpc in ("start_packing", "complete_packing"):
        with pytest.raises(Refused) as refused:
            call(db, "operator", rpc, p_order_id="bannos-18617")
        assert refused.value.code == "order.wrong_stage"
        assert refused.value.detail == {"expected": "Packing", "actual": "Filling"}


@pytest.mark.parametrize("rpc", [*STARTS.values(), *COMPLETES.values(), "qc_return_to_decorating"])
def test_an_unknown_order_and_the_wrong_people_are_refused(
    db: psycopg.Connection, rpc: str
) -> None:
    make_order(db)
    more = {"p_reason": "x"} if rpc == "qc_return_to_decorating" else {}
    expected = {
        "viewer": "auth.forbidden",
        "stranger": "auth.not_staff",
        "disabled": "auth.not_staff",
        "flourlane_operator": "auth.other_store",
        "print_agent": "auth.forbidden",
        "revoked_device": "auth.not_staff",
    }
    for who, code in expected.items():
        with pytest.raises(Refused) as refused:
            call(db, who, rpc, p_order_id="bannos-18617", **more)
        assert (who, refused.value.status, refused.value.code) == (who, 403, code)
    with pytest.raises(Refused) as refused:
        call(db, "operator", rpc, p_order_id="bannos-0", **more)
    assert (refused.value.status, refused.value.code) == (404, "order.unknown")
    assert events(db, "bannos-18617") == []


def test_qc_returns_to_decorating_with_a_reason_and_keeps_history(db: psycopg.Connection) -> None:
    make_order(db)
    advance(db, "bannos-18617", "Packing")
    call(db, "operator", "start_packing", p_order_id="bannos-18617")
    call(db, "operator", "assign_staff", p_order_id="bannos-18617")
    with pytest.raises(Refused) as refused:
        call(db, "operator", "qc_return_to_decorating", p_order_id="bannos-18617", p_reason=" ")
    assert refused.value.code == "order.reason_required"
    back = call(
        db,
        "operator",
        "qc_return_to_decorating",
        p_order_id="bannos-18617",
        p_reason="Wrong spelling",
        p_notes="Zoe, not Zoë",
    )
    row = back["order_row"]
    assert (row["stage"], row["assignee_id"]) == ("Decorating", None)
    assert row["decorating_completed_at"] is None
    assert row["packing_started_at"] is None
    assert row["covering_completed_at"] is not None
    history = events(db, "bannos-18617")
    assert "decorating.completed" in history
    assert history[-1] == "order.qc_returned"
    repeat = call(
        db,
        "operator",
        "qc_return_to_decorating",
        p_order_id="bannos-18617",
        p_reason="Wrong spelling",
    )
    assert repeat["changed"] is False
    call(db, "operator", "start_decorating", p_order_id="bannos-18617")
    call(db, "operator", "complete_decorating", p_order_id="bannos-18617")
    assert ticket(db, "bannos-18617")["stage"] == "Packing"


@pytest.mark.parametrize("stage", ["Filling", "Covering", "Decorating", "Complete"])
def test_qc_return_is_for_packing_only(db: psycopg.Connection, stage: str) -> None:
    make_order(db)
    advance(db, "bannos-18617", stage)
    with pytest.raises(Refused) as refused:
        call(db, "operator", "qc_return_to_decorating", p_order_id="bannos-18617", p_reason="x")
    assert refused.value.code == "order.wrong_stage"


def test_printing_again_changes_nothing_and_is_remembered(db: psycopg.Connection) -> None:
    make_order(db)
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617")
    again = call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617")
    assert again["changed"] is False
    assert events(db, "bannos-18617") == ["filling.started", "barcode.printed"]


def test_defect_sign_in_is_enough_a_role_or_store_change_works_at_once(
    db: psycopg.Connection,
) -> None:
    make_order(db)
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617")
    call(db, "admin", "set_staff_active", p_user_id=USER_IDS["operator"], p_is_active=False)
    with pytest.raises(Refused) as refused:
        call(db, "operator", "complete_filling", p_order_id="bannos-18617")
    assert refused.value.code == "auth.not_staff"
