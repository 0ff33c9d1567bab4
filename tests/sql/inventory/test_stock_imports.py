"""M03: items and stock from tables: every error at once, all or nothing, and back again."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.inventory.stock import at, item, levels, on_hand, place, refused, requirements
from tests.support.rpc import call

ITEMS = [
    {"sku": "FLOUR", "title": "Wheat flour", "kind": "raw_material", "uom": "kg", "min_stock": "5"},
    {"sku": "CANDLE", "title": "Candle", "kind": "accessory", "forbid_negative": "yes"},
]


def send(db: psycopg.Connection, rpc: str, rows: Any, **more: Any) -> Any:
    return call(db, "planner", rpc, p_rows=Jsonb(rows), **more)


def apply(db: psycopg.Connection, rpc: str, rows: Any, **more: Any) -> Any:
    return send(db, rpc, rows, p_dry_run=False, **more)


def skus(db: psycopg.Connection) -> list[str]:
    return [r[0] for r in db.execute("select sku from public.inventory_items order by 1")]


def test_a_dry_run_changes_nothing_and_says_what_would_happen(db: psycopg.Connection) -> None:
    answer = send(db, "import_items", ITEMS)
    assert (answer["applied"], answer["batch_id"]) == (False, None)
    assert answer["counts"] == {"created": 2}
    assert skus(db) == []
    assert db.execute("select from public.stock_imports").fetchall() == []


def test_every_error_of_every_row_is_told_at_once_and_nothing_is_written(
    db: psycopg.Connection,
) -> None:
    rows = [
        {"sku": "", "min_stock": "lots", "colour": "red"},
        {"sku": "FINE"},
        {"sku": "X", "kind": "spaceship"},
        {"sku": "Y", "forbid_negative": "perhaps", "unit_cost": "1,5"},
        {"sku": "TWICE"},
        {"sku": "twice"},
    ]
    for dry_run in (True, False):
        answer = send(db, "import_items", rows, p_dry_run=dry_run)
        assert answer["applied"] is False
        assert [row["ok"] for row in answer["rows"]] == [False, True, False, False, False, False]
        found = [{e["field"] for e in row["errors"]} for row in answer["rows"]]
        assert found == [
            {"sku", "min_stock", "colour"}, set(), {"kind"}, {"forbid_negative", "unit_cost"},
            {"sku"}, {"sku"},
        ]  # fmt: skip
        assert answer["rows"][2]["errors"][0]["code"] == "inventory_items_kind_check"
        assert skus(db) == []


def test_applying_twice_changes_nothing_the_second_time(db: psycopg.Connection) -> None:
    first = apply(db, "import_items", ITEMS)
    assert (first["applied"], first["counts"]) == (True, {"created": 2})
    again = apply(db, "import_items", ITEMS)
    assert again["counts"] == {"unchanged": 2}
    changed = apply(db, "import_items", [{"sku": "flour", "title": "Rye flour", "uom": ""}])
    assert changed["rows"][0]["result"] == "updated"
    row = db.execute(
        "select title, uom, min_stock from public.inventory_items where sku = 'FLOUR'"
    ).fetchone()
    assert row == ("Rye flour", "kg", 5), "an empty cell leaves the field alone"


def test_an_import_of_items_is_taken_back(db: psycopg.Connection) -> None:
    item(db, "FLOUR", supplier="Mill", kind="component")
    before = call(db, "planner", "upsert_item", p_sku="FLOUR")
    item(db, "CAKE")
    batch = apply(db, "import_items", [*ITEMS, {"sku": "USED"}])["batch_id"]
    requirements(db, {"sku": "USED", "quantity": 1}, parent_sku="CAKE")
    request = uuid4()
    answer = call(db, "planner", "undo_import", p_batch_id=batch, p_request_id=request)
    assert answer["undone_at"] is not None
    assert call(db, "planner", "undo_import", p_batch_id=batch, p_request_id=request) == answer
    assert call(db, "planner", "undo_import", p_batch_id=batch) == answer
    after = call(db, "planner", "upsert_item", p_sku="FLOUR")
    same = {"version", "updated_at"}
    assert {k: v for k, v in after.items() if k not in same} == {
        k: v for k, v in before.items() if k not in same
    }
    rows = db.execute("select sku, is_active from public.inventory_items order by 1").fetchall()
    assert rows == [("CAKE", True), ("FLOUR", True), ("USED", False)]


def test_what_was_changed_since_is_not_overwritten_by_the_undo(db: psycopg.Connection) -> None:
    batch = apply(db, "import_items", ITEMS)["batch_id"]
    call(db, "planner", "upsert_item", p_sku="CANDLE", p_title="Golden candle")
    refusal = refused(db, "planner", "undo_import", p_batch_id=batch)
    assert (refusal.status, refusal.code) == (409, "import.changed_since")
    assert refusal.detail == {"skus": ["CANDLE"]}
    unknown = refused(db, "planner", "undo_import", p_batch_id=4711)
    assert (unknown.status, unknown.code) == (404, "import.unknown")


# Stock --------------------------------------------------------------------------------------


@pytest.fixture
def goods(db: psycopg.Connection) -> psycopg.Connection:
    item(db, "FLOUR", on_hand=4)
    item(db, "CANDLE")
    place(db, "shelf")
    return db


def test_a_table_says_what_is_there_or_what_came_in(goods: psycopg.Connection) -> None:
    rows = [
        {"sku": "flour", "on_hand": "10.5"},
        {"sku": "FLOUR", "on_hand": "2", "location": "shelf"},
        {"sku": "CANDLE", "quantity": "7", "unit_cost": "0.2", "reason": "Opening stock"},
    ]
    assert send(goods, "import_stock", rows)["counts"] == {"booked": 3}
    assert on_hand(goods) == 4
    answer = apply(goods, "import_stock", rows)
    assert (answer["applied"], answer["counts"]) == (True, {"booked": 3})
    assert [at(goods, "FLOUR", p) for p in ("main", "shelf")] == [
        pytest.approx(10.5), 2,
    ]  # fmt: skip
    rows_booked = goods.execute(
        "select kind, quantity, reason, ref_stream, batch_id from public.inventory_txn"
        " where batch_id is not null order by id"
    ).fetchall()
    assert [(r[0], float(r[1])) for r in rows_booked] == [
        ("adjust", 6.5), ("adjust", 2), ("receipt", 7),
    ]  # fmt: skip
    assert rows_booked[2][2:] == ("Opening stock", "import", answer["batch_id"])


def test_a_file_that_adds_is_not_added_twice(goods: psycopg.Connection) -> None:
    rows = [{"sku": "CANDLE", "quantity": "7"}]
    first = apply(goods, "import_stock", rows)
    again = apply(goods, "import_stock", rows)
    assert (again["batch_id"], again["counts"]) == (first["batch_id"], {"unchanged": 1})
    assert on_hand(goods, "CANDLE") == 7
    call(goods, "planner", "undo_import", p_batch_id=first["batch_id"])
    assert on_hand(goods, "CANDLE") == 0
    assert apply(goods, "import_stock", rows)["counts"] == {"booked": 1}, "after the undo it may"


def test_a_file_that_says_what_is_there_books_nothing_the_second_time(
    goods: psycopg.Connection,
) -> None:
    rows = [{"sku": "FLOUR", "on_hand": "9"}]
    request = uuid4()
    first = apply(goods, "import_stock", rows, p_request_id=request)
    assert apply(goods, "import_stock", rows, p_request_id=request) == first
    assert apply(goods, "import_stock", rows)["counts"] == {"unchanged": 1}
    assert on_hand(goods) == 9


def test_errors_of_stock_rows_are_the_errors_of_the_commands(goods: psycopg.Connection) -> None:
    item(goods, "HOUR", kind="labour", is_stocked=False)
    rows = [
        {"sku": "NOPE", "on_hand": "1"},
        {"sku": "HOUR", "on_hand": "1"},
        {"sku": "FLOUR", "on_hand": "1", "location": "moon"},
        {"sku": "FLOUR", "on_hand": "1", "quantity": "1"},
        {"sku": "FLOUR"},
        {"sku": "FLOUR", "on_hand": "-1"},
        {"sku": "FLOUR", "quantity": "1.23456"},
        {"sku": "CANDLE", "on_hand": "3"},
    ]
    answer = apply(goods, "import_stock", rows)
    codes = [row["errors"][0]["code"] if row["errors"] else None for row in answer["rows"]]
    assert codes == [
        "item.unknown", "item.not_stocked", "location.unknown", "import.bad_value",
        "import.bad_value", "import.bad_value", "import.bad_value", None,
    ]  # fmt: skip
    assert answer["applied"] is False
    assert on_hand(goods, "CANDLE") == 0


def test_an_import_of_stock_is_taken_back_unless_it_is_gone(goods: psycopg.Connection) -> None:
    call(goods, "planner", "upsert_item", p_sku="CANDLE", p_forbid_negative=True)
    batch = apply(goods, "import_stock", [{"sku": "CANDLE", "on_hand": "5"}])["batch_id"]
    call(goods, "operator", "issue_stock", p_sku="CANDLE", p_quantity=3)
    refusal = refused(goods, "planner", "undo_import", p_batch_id=batch)
    assert (refusal.status, refusal.code) == (409, "stock.short")
    call(goods, "operator", "receive_stock", p_sku="CANDLE", p_quantity=3)
    call(goods, "planner", "undo_import", p_batch_id=batch)
    assert levels(goods, "CANDLE")["on_hand"] == 0


@pytest.mark.parametrize("rpc", ["import_items", "import_stock"])
def test_a_table_has_rows_and_the_right_reader(goods: psycopg.Connection, rpc: str) -> None:
    for rows in ([], {}, ["x"], [{"sku": "X"}] * 5001):
        refusal = refused(goods, "planner", rpc, p_rows=Jsonb(rows))
        assert (refusal.status, refusal.code) == (422, "import.table")
    assert refused(goods, "supervisor", rpc, p_rows=Jsonb([])).code == "auth.forbidden"
    assert refused(goods, "operator", "undo_import", p_batch_id=1).code == "auth.forbidden"
