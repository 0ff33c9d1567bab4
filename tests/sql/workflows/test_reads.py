"""M05: queues, counts, timeline and the reasons why something does not ship."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.databases import USER_IDS
from tests.support.orders import advance, make_order
from tests.support.rpc import Refused, call


def ids(page: dict[str, Any]) -> list[str]:
    return [o["id"] for o in page["orders"]]


def all_pages(db: psycopg.Connection, rpc: str, **arguments: Any) -> list[str]:
    seen: list[str] = []
    cursor = None
    while True:
        page = call(db, "viewer", rpc, p_cursor=cursor, **arguments)
        seen += ids(page)
        cursor = page["next_cursor"]
        if cursor is None:
            return seen


def test_defect_limit_per_store_the_limit_is_for_the_page(db: psycopg.Connection) -> None:
    for n in range(5):
        make_order(db, f"bannos-{n + 1}", priority="Low" if n % 2 else "High")
        make_order(db, f"flourlane-{n + 1}", priority="High" if n % 2 else "Low")
    page = call(db, "viewer", "get_queue", p_limit=5, p_with_total=True)
    assert len(page["orders"]) == 5
    assert page["total"] == 10
    assert {o["priority"] for o in page["orders"]} == {"High"}, "one order over all stores"


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("Filling", ["c", "a", "b", "d"]),  # flavour, then number
        ("Covering", ["b", "a", "d", "c"]),  # product, then size
        ("Decorating", ["b", "a", "d", "c"]),
        ("Packing", ["a", "b", "d", "c"]),  # size, then due date, then id
    ],
)
def test_each_stage_has_its_own_secondary_sort(
    db: psycopg.Connection, stage: str, expected: list[str]
) -> None:
    rows = {  # number, product, size, flavour
        "a": ("12", "Apple", "M", "Vanilla"),
        "b": ("100", "Apple", "L", "Vanilla"),
        "c": ("11", "Zebra", "S", "Chocolate"),
        "d": ("7", "Pear", "M", "Walnut"),
    }
    names = {}
    for name, (number, product, size, flavour) in rows.items():
        order = make_order(
            db, f"bannos-{number}", product_title=product, size=size, flavour=flavour
        )
        advance(db, order, stage)
        names[order] = name
    got = [names[i] for i in all_pages(db, "get_queue", p_stage=stage, p_limit=1)]
    if stage == "Packing":
        by_size = sorted(rows, key=lambda n: (rows[n][2], f"bannos-{rows[n][0]}"))
        assert got == by_size
    else:
        assert got == expected


def test_pages_show_every_ticket_once_whatever_the_limit(db: psycopg.Connection) -> None:
    for n in range(23):
        make_order(
            db,
            f"bannos-{n + 1}",
            priority=("High", "Medium", "Low")[n % 3],
            due_date=f"2026-12-{n % 7 + 1:02}" if n % 4 else None,
        )
    whole = ids(call(db, "viewer", "get_queue", p_limit=500))
    assert len(whole) == 23
    for limit in (1, 5, 22, 23):
        assert all_pages(db, "get_queue", p_limit=limit) == whole
    assert all_pages(db, "get_orders_for_dashboard", p_limit=4) == whole
    assert all_pages(db, "get_unassigned_list", p_limit=4) == whole


def test_filters(db: psycopg.Connection) -> None:
    make_order(db, "bannos-1", customer_name="Ana & Rui")
    make_order(db, "bannos-2", storage="Store Fridge", priority="High")
    make_order(db, "flourlane-3", cake_writing="Happy 40th Zoë")
    call(db, "operator", "assign_staff", p_order_id="bannos-1")
    advance(db, make_order(db, "bannos-4"), "Complete")
    make_order(db, "bannos-5", is_test=True)

    def queue(**f: Any) -> list[str]:
        return sorted(ids(call(db, "viewer", "get_queue", **f)))

    assert queue() == ["bannos-1", "bannos-2", "flourlane-3"]
    assert queue(p_store="flourlane") == ["flourlane-3"]
    assert queue(p_search="ana & r") == ["bannos-1"]
    assert queue(p_search="ZOË") == ["flourlane-3"]
    assert queue(p_storage="Store Fridge") == ["bannos-2"]
    assert queue(p_priority="High") == ["bannos-2"]
    assert queue(p_assignee_id=USER_IDS["operator"]) == ["bannos-1"]
    assert queue(p_stage="Complete") == ["bannos-4"]
    unassigned = call(db, "viewer", "get_unassigned_list", p_store="bannos")
    assert ids(unassigned) == ["bannos-2"]
    mine = call(db, "flourlane_operator", "get_queue")
    assert ids(mine) == ["flourlane-3"]


@pytest.mark.parametrize("cursor", ["x", "bm90IGpzb24=", "W10=", "eyJhIjoxfQ==", "////"])
def test_a_foreign_cursor_is_refused(db: psycopg.Connection, cursor: str) -> None:
    with pytest.raises(Refused) as refused:
        call(db, "viewer", "get_queue", p_cursor=cursor)
    assert (refused.value.status, refused.value.code) == (400, "request.bad_cursor")


def test_counts(db: psycopg.Connection) -> None:
    make_order(db, "bannos-1", due_date="2001-01-01", priority="High")
    make_order(db, "bannos-2")
    call(db, "operator", "assign_staff", p_order_id="bannos-2")
    counts = call(db, "viewer", "get_stage_counts", p_store="bannos")
    assert [c["stage"] for c in counts] == ["Filling", "Covering", "Decorating", "Packing"]
    assert counts[0] == {
        "store": "bannos",
        "stage": "Filling",
        "tickets": 2,
        "unassigned": 1,
        "high": 1,
        "overdue": 1,
    }
    waiting = call(db, "viewer", "get_unassigned_counts")
    assert [(c["store"], c["stage"], c["unassigned"]) for c in waiting] == [
        ("bannos", "Filling", 1)
    ]


def test_the_timeline_names_people_newest_first(db: psycopg.Connection) -> None:
    make_order(db)
    advance(db, "bannos-18617", "Decorating")
    lines = call(db, "viewer", "get_order_timeline", p_order_id="bannos-18617", p_limit=3)
    assert [(e["event"], e["actor_name"]) for e in lines] == [
        ("covering.completed", "Operator"),
        ("covering.started", "Operator"),
        ("filling.completed", "Operator"),
    ]
    older = call(
        db, "viewer", "get_order_timeline", p_order_id="bannos-18617", p_before=lines[-1]["id"]
    )
    assert [e["event"] for e in older] == ["filling.started"]


def test_why_not_shipping_names_every_reason_and_the_next_action(db: psycopg.Connection) -> None:
    make_order(db, due_date="2001-01-01", needs_review=["no_size"])
    why = call(db, "viewer", "why_not_shipping", p_order_id="bannos-18617")
    assert {(b["code"], b["next_action"]) for b in why} == {
        ("order.needs_review", "mark_reviewed"),
        ("order.not_started", "handle_print_barcode"),
        ("order.unassigned", "assign_staff"),
        ("order.overdue", "set_due_date"),
    }
    call(db, "supervisor", "mark_reviewed", p_order_id="bannos-18617")
    advance(db, "bannos-18617", "Complete")
    assert call(db, "viewer", "why_not_shipping", p_order_id="bannos-18617") == []


@pytest.mark.parametrize("rpc", ["get_order_timeline", "why_not_shipping"])
def test_unknown_and_foreign_orders(db: psycopg.Connection, rpc: str) -> None:
    make_order(db)
    for who, order, code in (
        ("viewer", "bannos-0", "order.unknown"),
        ("flourlane_operator", "bannos-18617", "auth.other_store"),
    ):
        with pytest.raises(Refused) as refused:
            call(db, who, rpc, p_order_id=order)
        assert refused.value.code == code


def test_the_old_view_of_stage_events(db: psycopg.Connection) -> None:
    make_order(db)
    advance(db, "bannos-18617", "Covering")
    rows = db.execute(
        "select stage, event_type, ok from public.stage_events order by id"
    ).fetchall()
    assert rows == [("Filling", "start", True), ("Filling", "complete", True)]


@pytest.mark.parametrize(
    ("before", "after", "zone"),
    [
        ("2026-10-03 13:59+00", "2026-10-03 14:01+00", "Australia/Sydney"),  # night of the jump
        ("2026-10-04 12:59+00", "2026-10-04 13:01+00", "Australia/Sydney"),  # the night after
        ("2026-11-02 07:59+00", "2026-11-02 08:01+00", "America/Los_Angeles"),
    ],
)
def test_priorities_turn_with_the_plant_day_through_daylight_saving(
    db: psycopg.Connection, before: str, after: str, zone: str
) -> None:
    db.execute("update public.sites set time_zone = %s", (zone,))
    due = db.execute("select (%s::timestamptz at time zone %s)::date + 1", (after, zone)).fetchone()
    assert due is not None
    make_order(db, due_date=due[0], priority="Medium")
    make_order(db, "bannos-2", due_date=due[0], priority="Low", priority_is_manual=True)
    make_order(db, "bannos-3", priority="Medium")
    db.execute("select private.refresh_priorities(%s)", (before,))

    def priorities() -> list[tuple[str, str]]:
        return db.execute("select id, priority::text from public.orders order by id").fetchall()

    unchanged = [("bannos-18617", "Medium"), ("bannos-2", "Low"), ("bannos-3", "Medium")]
    assert priorities() == unchanged
    db.execute("select private.refresh_priorities(%s)", (after,))
    assert priorities() == [("bannos-18617", "High"), *unchanged[1:]]
    count = db.execute("select count(*) from public.events").fetchone()
    db.execute("select private.refresh_priorities(%s)", (after,))
    assert db.execute("select count(*) from public.events").fetchone() == count
