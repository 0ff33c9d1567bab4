"""Order edits: what was not started follows, what was started asks, the floor's own work stays."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.sql.m02_shopify.shop import (
    WEB_ORDER,
    changed,
    connect_shop,
    deliver,
    deliver_order,
    floor_state,
    merge,
    order,
    tickets,
)
from tests.support.orders import advance, events
from tests.support.rpc import call

Order = dict[str, Any]
A, B, C = "bannos-18617-A", "bannos-18617-B", "bannos-18617-C"


@pytest.fixture
def db(db: psycopg.Connection) -> psycopg.Connection:
    connect_shop(db)
    return db


def cake_order(quantity: int = 1, **top: Any) -> Order:
    """The web order with only its first line."""
    data = order()
    data["line_items"] = data["line_items"][:1]
    data["line_items"][0] |= {"quantity": quantity, "current_quantity": quantity}
    return {**data, **top}


def resized(data: Order, minutes: int, quantity: int, line: int = 0) -> Order:
    data = changed(data, minutes)
    data["line_items"][line]["current_quantity"] = quantity
    return data


# Edits: every stage × every change ----------------------------------------------------------------


def _flavour(data: Order) -> Order:
    data["line_items"][0]["variant_title"] = "Medium / Lemon"
    return data


def _due(data: Order) -> Order:
    data["note_attributes"][1]["value"] = "09/12/2026 between 1:00 PM and 2:00 PM"
    return data


def _note(data: Order) -> Order:
    return data | {"note": "nut free"}


def _fewer(data: Order) -> Order:
    data["line_items"][0]["current_quantity"] = 0
    return data


def _more(data: Order) -> Order:
    data["line_items"][0]["current_quantity"] = 2
    return data


def _swapped(data: Order) -> Order:
    data["line_items"][0] |= {"id": 99, "title": "Carrot Cake"}
    return data


def _topper(data: Order) -> Order:
    data["line_items"].append(order()["line_items"][2])
    return data


def _cancelled(data: Order) -> Order:
    return data | {"cancelled_at": "2026-11-21T00:30:00Z"}


EDITS: dict[str, tuple[Callable[[Order], Order], str | None, dict[str, Any]]] = {
    # change: (how, reason of the pending change once started, what the open change holds)
    "flavour": (_flavour, "edited", {"flavour": "Lemon"}),
    "due date": (_due, "edited", {"due_date": "2026-12-09", "due_time": "1:00 PM and 2:00 PM"}),
    "note": (_note, "edited", {"notes": "nut free\nCandle colour: Gold"}),
    "piece removed": (_fewer, "removed", {}),
    "piece added": (_more, None, {}),
    "line swapped": (_swapped, "removed", {}),
    "topper added": (_topper, "edited", {"accessories": [{"title": "Sparkler Candle (2 pack)"}]}),
    "cancelled": (_cancelled, "cancelled", {}),
}
STATES = ("new", "Filling", "Covering", "Decorating", "Packing", "Complete")
ONE = "bannos-18617"


def reach(db: psycopg.Connection, state: str) -> None:
    """Bring the ticket to a state; Filling = begun, the later ones just entered."""
    if state == "Filling":
        call(db, "operator", "handle_print_barcode", p_order_id=ONE)
    elif state != "new":
        advance(db, ONE, state)


def _shown(changes: dict[str, Any]) -> dict[str, Any]:
    if "accessories" in changes:
        changes["accessories"] = [{"title": a["title"]} for a in changes["accessories"]]
    changes.pop("priority", None)
    return changes


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_follows_or_asks_and_never_touches_the_floor(
    db: psycopg.Connection, state: str, edit: str
) -> None:
    how, reason, changes = EDITS[edit]
    merge(db, cake_order())
    reach(db, state)
    before, floor = tickets(db)[ONE], floor_state(db)
    merge(db, how(changed(cake_order(), 40)))
    after = tickets(db)[ONE]
    assert [row for row in floor_state(db) if row[0] == ONE] == floor
    names = events(db, ONE)
    if state != "new" and reason is not None:
        assert after["pending_change"]["reason"] == reason
        assert _shown(after["pending_change"]["changes"]) == changes
        assert names[-1] == "order.changed"
        assert after["cancelled_at"] is None
        for field in ("flavour", "due_date", "notes", "accessories", "product_title"):
            assert after[field] == before[field]
    elif reason in ("removed", "cancelled"):
        assert after["cancelled_at"] is not None
        assert names[-1] == "order.cancelled"
    elif reason == "edited":
        assert _shown({key: after[key] for key in changes}) == changes
        assert (after["pending_change"], names[-1]) == (None, "order.updated")
    if edit in ("piece added", "line swapped"):
        assert tickets(db)["bannos-18617-B"]["stage"] == "Filling"
    assert merge(db, how(changed(cake_order(), 40)))["result"] in ("unchanged", "cancelled")


def test_defect_cancel_consumes_a_cancelled_ticket_is_never_complete(
    db: psycopg.Connection,
) -> None:
    deliver(db, WEB_ORDER)
    advance(db, A, "Decorating")
    deliver(db, "orders_cancelled__all_lines_zero")
    found = tickets(db)
    assert found[A]["stage"] == "Decorating"
    assert found[A]["pending_change"]["reason"] == "cancelled"
    for one in (B, C):
        assert (found[one]["stage"], found[one]["cancel_reason"]) == (
            "Filling",
            "Cancelled by the customer",
        )


def test_defect_redelivery_resets_a_stage_nothing_is_reset(db: psycopg.Connection) -> None:
    deliver(db, WEB_ORDER)
    advance(db, A, "Packing")
    floor, before = floor_state(db), tickets(db)
    deliver(db, WEB_ORDER)
    deliver_order(db, order(), "orders/create")
    assert tickets(db) == before
    deliver(db, "orders_updated__address_change_only")
    assert floor_state(db) == floor


def test_what_the_floor_corrected_stays(db: psycopg.Connection) -> None:
    merge(db, cake_order())
    db.execute("update public.orders set flavour = 'Nut free vanilla', needs_review = '{}'")
    merge(db, changed(cake_order(), 5, note="by phone"))
    ticket = tickets(db)[ONE]
    assert ticket["flavour"] == "Nut free vanilla"
    assert "by phone" in ticket["notes"]


def test_what_the_floor_cancelled_stays_cancelled(db: psycopg.Connection) -> None:
    merge(db, cake_order(2))
    db.execute(
        "update public.orders set cancelled_at = now(), cancel_reason = 'By phone' where id = %s",
        (A,),
    )
    merge(db, changed(cake_order(2), 5, note="x"))
    merge(db, resized(cake_order(2), 6, 1))
    found = tickets(db)
    assert list(found) == [A, B]
    assert (found[A]["cancel_reason"], found[B]["cancelled_at"]) == ("By phone", None)


def test_open_changes_add_up_and_vanish_when_taken_back(db: psycopg.Connection) -> None:
    merge(db, cake_order())
    reach(db, "Filling")
    merge(db, _flavour(changed(cake_order(), 5)))
    merge(db, _due(_flavour(changed(cake_order(), 6))))
    assert set(tickets(db)[ONE]["pending_change"]["changes"]) == {
        "flavour",
        "due_date",
        "due_time",
    }
    merge(db, changed(cake_order(), 7))
    assert tickets(db)[ONE]["pending_change"] is None


def test_a_piece_wanted_again_before_it_was_acknowledged(db: psycopg.Connection) -> None:
    merge(db, cake_order())
    reach(db, "Filling")
    merge(db, resized(cake_order(), 5, 0))
    assert tickets(db)[ONE]["pending_change"]["reason"] == "removed"
    merge(db, resized(cake_order(), 6, 1))
    (ticket,) = tickets(db).values()
    assert (ticket["id"], ticket["pending_change"]) == (ONE, None)


@pytest.mark.parametrize("change", ["flavour", "piece removed", "cancelled"])
def test_the_floor_acknowledges_what_changed(db: psycopg.Connection, change: str) -> None:
    merge(db, cake_order())
    reach(db, "Covering")
    merge(db, EDITS[change][0](changed(cake_order(), 5)))
    call(db, "operator", "acknowledge_order_change", p_order_id=ONE)
    ticket = tickets(db)[ONE]
    assert ticket["pending_change"] is None
    assert (ticket["cancelled_at"] is None) == (change == "flavour")
    after = copy.deepcopy(ticket)
    merge(db, EDITS[change][0](changed(cake_order(), 6)))
    assert tickets(db) == {ONE: after}


def test_a_new_due_date_makes_a_new_priority_unless_a_person_set_one(
    db: psycopg.Connection,
) -> None:
    day = db.execute("select private.plant_day('bannos')::text").fetchone()
    assert day is not None
    soon = changed(cake_order(), 5)
    soon["note_attributes"][1] = {"name": "due date", "value": day[0]}
    merge(db, cake_order(2))
    call(db, "supervisor", "set_priority", p_order_id=A, p_priority="Low")
    soon["line_items"][0]["current_quantity"] = 2
    merge(db, soon)
    found = tickets(db)
    assert (found[A]["priority"], found[B]["priority"]) == ("Low", "High")


def test_events_do_not_quote_personal_text(db: psycopg.Connection) -> None:
    deliver(db, WEB_ORDER)
    deliver(db, "orders_updated__address_change_only")
    rows = db.execute("select payload::text, station from public.events where stream = 'order'")
    for text, station in rows.fetchall():
        assert station == "channel:bannos"
        for private in ("Zoë", "Test Customer", "sparkler", "phone"):
            assert private not in text
