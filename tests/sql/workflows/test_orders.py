"""M05: assigning, editing, cancelling and taking orders by hand."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.databases import USER_IDS
from tests.support.orders import advance, events, make_order, ticket
from tests.support.rpc import Refused, call

OPERATOR = USER_IDS["operator"]


def refused_code(db: psycopg.Connection, who: str, rpc: str, **arguments: Any) -> str | None:
    with pytest.raises(Refused) as refused:
        call(db, who, rpc, **arguments)
    return refused.value.code


def test_people_take_tickets_and_supervisors_give_them(db: psycopg.Connection) -> None:
    make_order(db)
    order = {"p_order_id": "bannos-18617"}
    assert call(db, "operator", "assign_staff", **order)["order_row"]["assignee_id"] == str(
        OPERATOR
    )
    assert call(db, "operator", "assign_staff", **order)["changed"] is False
    other = {"p_staff_id": USER_IDS["technician"]}
    assert refused_code(db, "operator", "assign_staff", **order, **other) == "auth.forbidden"
    assert call(db, "supervisor", "assign_staff", **order, **other)["changed"] is True
    assert refused_code(db, "operator", "unassign_staff", **order) == "auth.forbidden"
    assert call(db, "technician", "unassign_staff", **order)["order_row"]["assignee_id"] is None
    assert call(db, "supervisor", "unassign_staff", **order)["changed"] is False


@pytest.mark.parametrize("who", ["disabled", "flourlane_operator", "stranger", "kiosk"])
def test_tickets_go_to_active_people_of_the_store(db: psycopg.Connection, who: str) -> None:
    make_order(db)
    code = refused_code(
        db, "supervisor", "assign_staff", p_order_id="bannos-18617", p_staff_id=USER_IDS[who]
    )
    assert code == "order.bad_assignee"


def test_closed_tickets_are_not_assigned(db: psycopg.Connection) -> None:
    make_order(db)
    advance(db, "bannos-18617", "Complete")
    code = refused_code(db, "operator", "assign_staff", p_order_id="bannos-18617")
    assert code == "order.closed"


def test_bulk_assignment_is_all_or_nothing(db: psycopg.Connection) -> None:
    orders = [make_order(db, f"bannos-{n}") for n in (1, 2, 3)]
    bulk = {"p_staff_id": OPERATOR}
    with pytest.raises(Refused) as refused:
        call(db, "supervisor", "assign_staff_bulk", p_order_ids=[*orders, "bannos-9"], **bulk)
    assert refused.value.detail == {"ids": ["bannos-9"]}
    assert all(ticket(db, o)["assignee_id"] is None for o in orders)
    request = uuid4()
    changes = call(
        db, "supervisor", "assign_staff_bulk", p_order_ids=orders, p_request_id=request, **bulk
    )
    assert [c["changed"] for c in changes] == [True] * 3
    again = call(
        db, "supervisor", "assign_staff_bulk", p_order_ids=orders, p_request_id=request, **bulk
    )
    assert again == changes
    assert refused_code(db, "supervisor", "assign_staff_bulk", p_order_ids=[], **bulk) == (
        "order.bulk_size"
    )
    mixed = [*orders, make_order(db, "flourlane-5")]
    db.execute("update public.staff_shared set stores = '{bannos}' where role = 'supervisor'")
    assert refused_code(db, "supervisor", "assign_staff_bulk", p_order_ids=mixed, **bulk) == (
        "auth.other_store"
    )


def test_storage_is_one_of_the_settings(db: psycopg.Connection) -> None:
    make_order(db)
    place = {"p_order_id": "bannos-18617", "p_storage": "Store Fridge"}
    assert call(db, "operator", "set_storage", **place)["order_row"]["storage"] == "Store Fridge"
    assert call(db, "operator", "set_storage", **place)["changed"] is False
    with pytest.raises(Refused) as refused:
        call(db, "operator", "set_storage", p_order_id="bannos-18617", p_storage="Moon")
    assert refused.value.code == "order.unknown_storage"
    assert "Store Fridge" in refused.value.detail["expected"]
    out = call(db, "operator", "set_storage", p_order_id="bannos-18617")
    assert out["order_row"]["storage"] is None


def test_a_due_date_moves_the_priority_unless_fixed_by_hand(db: psycopg.Connection) -> None:
    make_order(db)
    order = {"p_order_id": "bannos-18617"}
    late = call(db, "planner", "set_due_date", p_due_date="2001-01-01", **order)
    assert late["order_row"]["priority"] == "High"
    far = call(db, "planner", "set_due_date", p_due_date="2101-01-01", p_due_time="10–14", **order)
    assert (far["order_row"]["priority"], far["order_row"]["due_time"]) == ("Low", "10–14")
    fixed = call(db, "planner", "set_priority", p_priority="Medium", **order)
    assert fixed["order_row"]["priority_is_manual"] is True
    kept = call(db, "planner", "set_due_date", p_due_date="2001-01-01", **order)
    assert kept["order_row"]["priority"] == "Medium"
    back = call(db, "planner", "set_priority", **order)
    assert (back["order_row"]["priority"], back["order_row"]["priority_is_manual"]) == (
        "High", False,
    )  # fmt: skip
    assert call(db, "planner", "set_priority", **order)["changed"] is False


def test_blackout_dates_and_weekdays_are_refused(db: psycopg.Connection) -> None:
    make_order(db)
    for key, value in (
        ("due_dates.blackout_dates", ["2026-12-25"]),
        ("due_dates.allowed_days", ["mon", "fri"]),
    ):
        call(db, "manager", "set_setting", p_key=key, p_value=Jsonb(value), p_store="bannos")
    for day in ("2026-12-25", "2026-12-26"):  # a Friday that is closed; a Saturday
        code = refused_code(
            db, "planner", "set_due_date", p_order_id="bannos-18617", p_due_date=day
        )
        assert code == "order.due_date_blocked"


def test_an_edit_needs_the_version_it_saw(db: psycopg.Connection) -> None:
    make_order(db)
    edit = {"p_order_id": "bannos-18617", "p_version": 1}
    done = call(
        db, "supervisor", "update_order_core", p_cake_writing="Zoë 🎂", p_flavour="", **edit
    )
    row = done["order_row"]
    assert (row["cake_writing"], row["flavour"], row["size"], row["version"]) == (
        "Zoë 🎂", None, "Medium", 2,
    )  # fmt: skip
    code = refused_code(db, "supervisor", "update_order_core", p_notes="x", **edit)
    assert code == "order.stale"
    same = call(
        db,
        "supervisor",
        "update_order_core",
        p_order_id="bannos-18617",
        p_version=2,
        p_size="Medium",
    )
    assert same["changed"] is False
    with pytest.raises(Refused) as refused:
        call(
            db,
            "supervisor",
            "update_order_core",
            p_order_id="bannos-18617",
            p_version=2,
            p_delivery_method="Drone",
        )
    assert refused.value.constraint == "orders_delivery_method_check"
    code = refused_code(
        db,
        "supervisor",
        "update_order_core",
        p_order_id="bannos-18617",
        p_version=2,
        p_notes="x" * 2001,
    )
    assert code == "request.too_long"


@pytest.mark.parametrize("stage", ["Filling", "Covering", "Decorating", "Packing"])
def test_defect_cancel_consumes_a_cancelled_ticket_keeps_its_stage(
    db: psycopg.Connection, stage: str
) -> None:
    make_order(db)
    advance(db, "bannos-18617", stage)
    call(db, "operator", "assign_staff", p_order_id="bannos-18617")
    cancel = {"p_order_id": "bannos-18617", "p_reason": "customer rang"}
    row = call(db, "supervisor", "cancel_order", **cancel)["order_row"]
    assert (row["stage"], row["assignee_id"]) == (stage, None)
    assert row["packing_completed_at"] is None
    assert call(db, "supervisor", "cancel_order", **cancel)["changed"] is False
    queue = call(db, "supervisor", "get_queue", p_store="bannos")
    assert queue["orders"] == []
    moves = {
        "Filling": "stage = 'Covering', filling_started_at = now(), filling_completed_at = now()",
        "Covering": "stage = 'Filling', filling_completed_at = null",
        "Decorating": "stage = 'Covering', covering_completed_at = null",
        "Packing": "stage = 'Decorating', decorating_completed_at = null",
    }
    with pytest.raises(psycopg.Error) as refused:
        db.execute(f"update public.orders set {moves[stage]}")
    assert refused.value.diag.message_hint == "order.cancelled"


def test_cancelling_needs_a_reason_and_an_open_order(db: psycopg.Connection) -> None:
    make_order(db)
    order = {"p_order_id": "bannos-18617"}
    assert refused_code(db, "supervisor", "cancel_order", p_reason=" ", **order) == (
        "order.reason_required"
    )
    assert refused_code(db, "operator", "cancel_order", p_reason="x", **order) == "auth.forbidden"
    advance(db, "bannos-18617", "Complete")
    assert refused_code(db, "supervisor", "cancel_order", p_reason="x", **order) == "order.closed"


def test_a_manual_order_is_one_ticket_per_piece(db: psycopg.Connection) -> None:
    request = uuid4()
    order = {
        "p_store": "bannos",
        "p_product_title": "Lemon Cake",
        "p_quantity": 3,
        "p_request_id": request,
    }
    made = call(db, "planner", "create_manual_order", **order)
    assert [o["id"] for o in made] == ["bannos-M1-A", "bannos-M1-B", "bannos-M1-C"]
    assert call(db, "planner", "create_manual_order", **order) == made
    single = call(db, "planner", "create_manual_order", p_store="bannos", p_product_title="Pie")
    assert [o["id"] for o in single] == ["bannos-M2"]
    assert call(db, "operator", "get_order_for_scan", p_scan="bannos-m2")["action"] == "found"
    other = call(db, "planner", "create_manual_order", p_store="flourlane", p_product_title="Pie")
    assert [o["id"] for o in other] == ["flourlane-M1"]
    many = call(
        db,
        "planner",
        "create_manual_order",
        p_store="bannos",
        p_product_title="Cupcake",
        p_quantity=28,
    )
    assert [o["suffix"] for o in many][24:] == ["Y", "Z", "27", "28"]
    assert events(db, "bannos-M2") == ["order.created"]


def test_a_manual_order_without_a_date_takes_the_first_open_day(db: psycopg.Connection) -> None:
    day = db.execute("select private.plant_day('bannos') + 2").fetchone()[0]  # type: ignore[index]
    closed = [day.isoformat()]
    call(
        db,
        "manager",
        "set_setting",
        p_key="due_dates.blackout_dates",
        p_value=Jsonb(closed),
        p_store="bannos",
    )
    made = call(db, "planner", "create_manual_order", p_store="bannos", p_product_title="Pie")
    expected = db.execute("select (%s::date + 1)::text", (day,)).fetchone()
    assert (made[0]["due_date"],) == expected


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"p_store": "bannos", "p_product_title": " "}, "order.title_required"),
        ({"p_store": "bannos", "p_product_title": "x", "p_quantity": 0}, "order.quantity"),
        ({"p_store": "bannos", "p_product_title": "x", "p_quantity": 101}, "order.quantity"),
        ({"p_store": "nowhere", "p_product_title": "x"}, "store.unknown"),
        ({"p_store": "bannos", "p_product_title": "x" * 2001}, "request.too_long"),
    ],
)
def test_a_manual_order_is_checked(
    db: psycopg.Connection, arguments: dict[str, Any], code: str
) -> None:
    assert refused_code(db, "planner", "create_manual_order", **arguments) == code


def test_a_changed_order_is_acknowledged_and_taken_over(db: psycopg.Connection) -> None:
    make_order(db)
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617")
    db.execute(
        "update public.orders set pending_change = %s",
        (Jsonb({"reason": "edited", "changes": {"flavour": "Lemon", "stage": "Complete"}}),),
    )
    order = {"p_order_id": "bannos-18617"}
    assert refused_code(db, "operator", "complete_filling", **order) == "order.change_pending"
    row = call(db, "operator", "acknowledge_order_change", **order)["order_row"]
    assert (row["flavour"], row["stage"], row["pending_change"]) == ("Lemon", "Filling", None)
    assert call(db, "operator", "acknowledge_order_change", **order)["changed"] is False
    db.execute('update public.orders set pending_change = \'{"reason": "cancelled"}\'')
    row = call(db, "operator", "acknowledge_order_change", **order)["order_row"]
    assert row["cancelled_at"] is not None


def test_reviewed_tickets_no_longer_ask(db: psycopg.Connection) -> None:
    make_order(db, needs_review=["no_due_date"])
    why = call(db, "viewer", "why_not_shipping", p_order_id="bannos-18617")
    assert "order.needs_review" in [b["code"] for b in why]
    call(db, "supervisor", "mark_reviewed", p_order_id="bannos-18617")
    assert ticket(db, "bannos-18617")["needs_review"] == []
    repeat = call(db, "supervisor", "mark_reviewed", p_order_id="bannos-18617")
    assert repeat["changed"] is False


def test_a_station_needs_a_known_site(db: psycopg.Connection) -> None:
    code = refused_code(db, "admin", "register_station", p_code="x", p_name="X", p_site="moon")
    assert code in ("site.unknown", "auth.other_site")
