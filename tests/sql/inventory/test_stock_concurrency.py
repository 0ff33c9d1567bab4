"""M03: many people at one shelf: nothing is taken twice, nobody waits for ever."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg

from tests.sql.concurrency.together import together
from tests.sql.inventory.stock import item, ledger, on_hand, requirements
from tests.support.databases import Clone
from tests.support.rpc import Refused, call


def test_ten_pieces_are_taken_ten_times_whoever_comes(clone: Clone, db: psycopg.Connection) -> None:
    item(db, on_hand=10, forbid_negative=True)

    def take(connection: psycopg.Connection, _: int) -> str:
        try:
            call(connection, "operator", "issue_stock", p_sku="FLOUR", p_quantity=1)
        except Refused as refusal:
            return str(refusal.code)
        return "taken"

    answers = together(clone, 32, take)
    assert (answers.count("taken"), answers.count("stock.short")) == (10, 22)
    assert on_hand(db) == 0


def test_the_history_of_an_item_is_in_the_order_of_its_numbers(
    clone: Clone, db: psycopg.Connection
) -> None:
    item(db)
    together(
        clone,
        16,
        lambda c, n: [
            call(c, "operator", "receive_stock", p_sku="FLOUR", p_quantity=n + 1) for _ in range(5)
        ],
    )
    rows = db.execute(
        "select balance, sum(quantity) over (order by id), at = max(at) over (order by id)"
        " from public.inventory_txn order by id"
    ).fetchall()
    assert len(rows) == 80
    assert all(balance == total and in_time for balance, total, in_time in rows)


def test_one_request_sent_many_times_moves_once(clone: Clone, db: psycopg.Connection) -> None:
    item(db)
    arguments: dict[str, Any] = {"p_sku": "FLOUR", "p_quantity": 3, "p_request_id": uuid4()}
    answers = together(clone, 24, lambda c, _: call(c, "operator", "receive_stock", **arguments))
    assert all(answer == answers[0] for answer in answers)
    assert ledger(db) == [("receipt", 3)]


def test_products_that_share_components_do_not_wait_for_each_other_for_ever(
    clone: Clone, db: psycopg.Connection
) -> None:
    for sku in ("A", "B", "C", "KIT-1", "KIT-2"):
        item(db, sku)
    for sku in "ABC":
        call(db, "operator", "receive_stock", p_sku=sku, p_quantity=1000)
    for kit, parts in (("KIT-1", "ABC"), ("KIT-2", "CBA")):
        requirements(db, *({"sku": sku, "quantity": 1} for sku in parts), parent_sku=kit)

    def build(connection: psycopg.Connection, number: int) -> None:
        for _ in range(5):
            call(
                connection,
                "operator",
                "consume_bom",
                p_sku=f"KIT-{number % 2 + 1}",
                p_quantity=1,
                p_produce=True,
            )

    together(clone, 16, build)
    assert [on_hand(db, sku) for sku in "ABC"] == [920, 920, 920]
    assert on_hand(db, "KIT-1") + on_hand(db, "KIT-2") == 80
