"""M03 under bad luck and bad will: a place changed under a movement, a file sent twice, rights."""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.inventory.stock import at, item, levels, on_hand, place, refused
from tests.support.databases import USER_IDS, Clone
from tests.support.rpc import Refused, acting_as, call
from tests.takt.processes import wait_for


def is_waiting(db: psycopg.Connection, other: psycopg.Connection) -> bool:
    row = db.execute(
        "select wait_event_type = 'Lock' from pg_stat_activity where pid = %s",
        (other.info.backend_pid,),
    ).fetchone()
    return row is not None and bool(row[0])


@pytest.mark.parametrize("change", [{"p_kind": "quarantine"}, {"p_is_active": False}])
def test_a_place_is_not_changed_under_a_movement_that_is_on_its_way(
    clone: Clone, db: psycopg.Connection, change: dict[str, Any]
) -> None:
    """Stock that lands in quarantine as free stock would be promised, and the books differ."""
    item(db)
    place(db, "shelf")
    answers: list[str | None] = []

    def switch(connection: psycopg.Connection) -> None:
        try:
            call(connection, "planner", "upsert_location", p_code="shelf", **change)
            answers.append("changed")
        except Refused as refusal:
            answers.append(refusal.code)

    with clone.connect() as mover, clone.connect() as planner:
        thread = threading.Thread(target=switch, args=(planner,))
        with acting_as(mover, "operator"):
            mover.execute("select public.receive_stock('FLOUR', 5, 'shelf')")
            thread.start()
            wait_for(lambda: bool(answers) or is_waiting(db, planner), "the other waits")
        thread.join(30)
    assert answers == ["location.in_use"]
    assert levels(db)["on_hand"] == 5


def test_a_movement_sees_the_place_as_it_is_when_it_lands(
    clone: Clone, db: psycopg.Connection
) -> None:
    """The other way round: the place is being made a quarantine while goods are on their way."""
    item(db)
    place(db, "shelf")
    done: list[Any] = []
    with clone.connect() as planner, clone.connect() as mover:
        arguments = {"p_sku": "FLOUR", "p_quantity": 5, "p_location": "shelf"}
        thread = threading.Thread(
            target=lambda: done.append(call(mover, "operator", "receive_stock", **arguments))
        )
        with acting_as(planner, "planner"):
            planner.execute("select public.upsert_location('shelf', p_kind => 'quarantine')")
            thread.start()
            wait_for(lambda: bool(done) or is_waiting(db, mover), "the other waits")
        thread.join(30)
    assert (levels(db)["on_hand"], levels(db)["held"]) == (0, 5)


def test_a_movement_between_two_sites_is_taken_back_by_who_works_at_both(
    db: psycopg.Connection,
) -> None:
    db.execute("insert into public.sites (code, name) values ('second', 'Second')")
    db.execute(
        "insert into public.stores (code, site, name, scan_prefix)"
        " values ('secondshop', 'second', 'Second shop', 'S')"
    )
    item(db)
    call(db, "operator", "receive_stock", p_sku="FLOUR", p_quantity=5, p_location="main")
    moved = call(
        db, "operator", "transfer_stock", p_sku="FLOUR", p_quantity=5, p_from="main", p_to="second"
    )
    db.execute(
        "update public.staff_shared set stores = '{bannos}' where user_id = %s",
        (USER_IDS["supervisor"],),
    )
    arguments = {"p_txn_ids": moved["txn_ids"], "p_reason": "Not theirs"}
    assert refused(db, "supervisor", "reverse_stock", **arguments).code == "auth.other_site"
    assert at(db, "FLOUR", "second") == 5
    call(db, "admin", "reverse_stock", **arguments)
    assert at(db, "FLOUR", "main") == 5


@pytest.mark.parametrize("cost", ["NaN", "-1"])
def test_a_cost_is_a_number_of_zero_or_more(db: psycopg.Connection, cost: str) -> None:
    item(db)
    wrong = refused(db, "operator", "receive_stock", p_sku="FLOUR", p_quantity=1, p_unit_cost=cost)
    assert wrong.constraint == "inventory_txn_unit_cost_check"
    assert on_hand(db) == 0


def test_a_file_that_adds_is_not_added_twice_however_its_columns_are_spelt(
    db: psycopg.Connection,
) -> None:
    item(db, "CANDLE")
    rows = [{"SKU": "CANDLE", " Quantity": "7"}]
    for _ in range(2):
        call(db, "planner", "import_stock", p_rows=Jsonb(rows), p_dry_run=False)
    assert on_hand(db, "CANDLE") == 7


def test_the_columns_of_a_file_may_be_spelt_in_capitals(db: psycopg.Connection) -> None:
    for sku in ("FLOUR", "CANDLE"):
        item(db, sku)
    rows = [{"SKU": "FLOUR", "On_Hand": "3"}, {"SKU": "CANDLE", "On_Hand": "4"}]
    answer = call(db, "planner", "import_stock", p_rows=Jsonb(rows), p_dry_run=False)
    assert (answer["applied"], answer["counts"]) == (True, {"booked": 2})
    twice = [{"SKU": "FLOUR", "ON_HAND": "5"}, {"SKU": "flour", "ON_HAND": "6"}]
    answer = call(db, "planner", "import_stock", p_rows=Jsonb(twice), p_dry_run=False)
    assert answer["counts"] == {"error": 2}


def test_a_column_that_stands_there_twice_is_refused(db: psycopg.Connection) -> None:
    item(db)
    rows = [{"sku": "FLOUR", "on_hand": "3", "On_Hand": "4"}]
    wrong = refused(db, "planner", "import_stock", p_rows=Jsonb(rows), p_request_id=uuid4())
    assert (wrong.status, wrong.code) == (422, "import.table")
