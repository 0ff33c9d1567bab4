"""M03: blind counts: nobody is told before they say, and nothing that moved is lost."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.inventory.stock import at, item, ledger, on_hand, place, refused
from tests.support.rpc import acting_as, call


@pytest.fixture
def shelf(db: psycopg.Connection) -> psycopg.Connection:
    """A hundred of FLOUR and ten of EGG at the default place."""
    item(db, "FLOUR", on_hand=100)
    item(db, "EGG", on_hand=10)
    return db


def start(db: psycopg.Connection, **arguments: Any) -> int:
    answer = call(db, "operator", "start_count", **arguments)
    return int(answer["count_row"]["id"])


def submit(db: psycopg.Connection, count: int, *lines: dict[str, Any], **more: Any) -> Any:
    """{sku: line} of the answer."""
    answer = call(
        db, "operator", "submit_count", p_count_id=count, p_lines=Jsonb(list(lines)), **more
    )
    return {line["sku"]: line for line in answer["lines"]} | {
        "status": answer["count_row"]["status"]
    }


def instant(db: psycopg.Connection) -> str:
    row = db.execute("select clock_timestamp()::text").fetchone()
    assert row is not None
    return str(row[0])


def test_a_count_says_nothing_before_it_is_submitted(shelf: psycopg.Connection) -> None:
    answer = call(shelf, "operator", "start_count", p_note="Friday")
    assert answer["count_row"]["status"] == "open"
    assert [(line["sku"], line["expected"], line["variance"]) for line in answer["lines"]] == [
        ("EGG", None, None),
        ("FLOUR", None, None),
    ]


@pytest.mark.parametrize("relation", ["inventory_stock", "inventory_balances", "inventory_txn"])
def test_who_counts_sees_the_figures_nowhere(shelf: psycopg.Connection, relation: str) -> None:
    count = start(shelf, p_skus=["flour"])
    query = f"select distinct sku from public.{relation} order by 1"
    with acting_as(shelf, "operator") as connection:
        assert connection.execute(query).fetchall() == [("EGG",)]
    with acting_as(shelf, "supervisor") as connection:
        assert connection.execute(query).fetchall() == [("EGG",), ("FLOUR",)]
    seen = call(shelf, "operator", "get_inventory")
    assert [row["sku"] for row in seen["items"]] == ["EGG"]
    blind = refused(shelf, "operator", "get_item_ledger", p_sku="FLOUR")
    assert (blind.status, blind.code) == (403, "count.blind")
    submit(shelf, count, {"sku": "FLOUR", "counted": 100})
    assert len(call(shelf, "operator", "get_inventory")["items"]) == 2


def test_what_fits_is_done_and_small_differences_are_booked(shelf: psycopg.Connection) -> None:
    count = start(shelf)
    seen = submit(shelf, count, {"sku": "FLOUR", "counted": 97}, {"sku": "EGG", "counted": 10})
    assert seen["status"] == "applied"
    assert (seen["FLOUR"]["expected"], seen["FLOUR"]["variance"]) == (100, -3)
    assert ledger(shelf)[-1] == ("adjust", -3)
    assert ledger(shelf, "EGG") == [("receipt", 10)], "nothing to book"
    row = shelf.execute(
        "select ref_stream, ref_id from public.inventory_txn where id = %s",
        (seen["FLOUR"]["txn_id"],),
    ).fetchone()
    assert row == ("count", str(count))


def test_a_large_difference_waits_for_another_person(shelf: psycopg.Connection) -> None:
    count = start(shelf)
    seen = submit(shelf, count, {"sku": "FLOUR", "counted": 80}, {"sku": "EGG", "counted": 10})
    assert (seen["status"], seen["FLOUR"]["status"]) == ("approval", "approval")
    assert on_hand(shelf) == 100
    assert refused(shelf, "operator", "approve_count", p_count_id=count).code == "auth.forbidden"
    arguments = {"p_count_id": count, "p_request_id": uuid4()}
    answer = call(shelf, "supervisor", "approve_count", **arguments)
    assert answer["count_row"]["status"] == "applied"
    assert on_hand(shelf) == 80
    assert call(shelf, "supervisor", "approve_count", **arguments) == answer
    closed = refused(shelf, "supervisor", "approve_count", p_count_id=count)
    assert (closed.status, closed.code) == (409, "count.closed")


def test_nobody_approves_their_own_count(shelf: psycopg.Connection) -> None:
    answer = call(shelf, "supervisor", "start_count", p_skus=["FLOUR"])
    count = answer["count_row"]["id"]
    lines = Jsonb([{"sku": "FLOUR", "counted": 50}])
    call(shelf, "supervisor", "submit_count", p_count_id=count, p_lines=lines)
    refusal = refused(shelf, "supervisor", "approve_count", p_count_id=count)
    assert (refusal.status, refusal.code) == (403, "count.same_person")
    call(shelf, "manager", "approve_count", p_count_id=count)
    assert on_hand(shelf) == 50


def test_the_tolerance_is_a_setting(shelf: psycopg.Connection) -> None:
    call(
        shelf, "admin", "set_setting", p_key="inventory.count_tolerance", p_value=Jsonb(25),
        p_site="main",
    )  # fmt: skip
    count = start(shelf)
    seen = submit(shelf, count, {"sku": "FLOUR", "counted": 76}, {"sku": "EGG", "counted": 7})
    assert (seen["FLOUR"]["status"], seen["EGG"]["status"]) == ("applied", "approval")


def test_a_count_is_safe_from_movements_before_and_after_the_look(
    shelf: psycopg.Connection,
) -> None:
    count = start(shelf, p_skus=["FLOUR"])
    call(shelf, "operator", "issue_stock", p_sku="FLOUR", p_quantity=10)
    looked = instant(shelf)  # 90 there; the counter sees 88
    call(shelf, "operator", "issue_stock", p_sku="FLOUR", p_quantity=30)
    call(shelf, "operator", "receive_stock", p_sku="FLOUR", p_quantity=5)
    seen = submit(shelf, count, {"sku": "FLOUR", "counted": 88, "counted_at": looked})
    assert (seen["FLOUR"]["expected"], seen["FLOUR"]["variance"]) == (90, -2)
    assert seen["FLOUR"]["moved"] is False
    assert on_hand(shelf) == 100 - 10 - 30 + 5 - 2


def test_what_moved_while_nobody_said_when_they_looked_is_not_booked_blindly(
    shelf: psycopg.Connection,
) -> None:
    count = start(shelf, p_skus=["FLOUR"])
    call(shelf, "operator", "issue_stock", p_sku="FLOUR", p_quantity=1)
    seen = submit(shelf, count, {"sku": "FLOUR", "counted": 100})
    assert (seen["FLOUR"]["moved"], seen["FLOUR"]["status"]) == (True, "approval")
    assert on_hand(shelf) == 99


def test_movements_between_submission_and_approval_stay(shelf: psycopg.Connection) -> None:
    count = start(shelf, p_skus=["FLOUR"])
    submit(shelf, count, {"sku": "FLOUR", "counted": 60})
    call(shelf, "operator", "issue_stock", p_sku="FLOUR", p_quantity=25)
    call(shelf, "supervisor", "approve_count", p_count_id=count)
    assert on_hand(shelf) == 100 - 25 - 40


def test_a_recount_forgets_the_figure_and_is_blind_again(shelf: psycopg.Connection) -> None:
    count = start(shelf, p_skus=["FLOUR"])
    submit(shelf, count, {"sku": "FLOUR", "counted": 50})
    arguments = {"p_count_id": count, "p_request_id": uuid4()}
    answer = call(shelf, "supervisor", "recount", **arguments)
    assert answer["count_row"]["status"] == "recount"
    line = answer["lines"][0]
    assert (line["status"], line["counted"], line["expected"]) == ("recount", None, None)
    assert call(shelf, "supervisor", "recount", **arguments) == answer
    nothing = refused(shelf, "supervisor", "recount", p_count_id=count)
    assert (nothing.status, nothing.code) == (409, "count.nothing_waits")
    assert refused(shelf, "operator", "get_item_ledger", p_sku="FLOUR").code == "count.blind"
    seen = submit(shelf, count, {"sku": "FLOUR", "counted": 99})
    assert (seen["status"], seen["FLOUR"]["rounds"]) == ("applied", 2)
    assert on_hand(shelf) == 99


def test_a_count_may_be_submitted_in_parts_with_what_nobody_expected(
    shelf: psycopg.Connection,
) -> None:
    place(shelf, "attic")
    count = start(shelf, p_location="attic", p_skus=["FLOUR", "EGG"])
    seen = submit(shelf, count, {"sku": "flour", "counted": 0})
    assert (seen["status"], seen["FLOUR"]["status"]) == ("open", "applied")
    item(shelf, "SUGAR")
    seen = submit(shelf, count, {"sku": "EGG", "counted": 0}, {"sku": "SUGAR", "counted": 3})
    assert (seen["status"], seen["SUGAR"]["variance"]) == ("approval", 3)
    call(shelf, "supervisor", "approve_count", p_count_id=count, p_skus=["SUGAR"])
    assert at(shelf, "SUGAR", "attic") == 3


def test_a_line_is_submitted_once_and_by_whoever_began(shelf: psycopg.Connection) -> None:
    count = start(shelf, p_skus=["FLOUR", "EGG"])
    lines = [{"sku": "FLOUR", "counted": 100}]
    request = uuid4()
    first = submit(shelf, count, *lines, p_request_id=request)
    assert submit(shelf, count, *lines, p_request_id=request) == first
    again = refused(shelf, "operator", "submit_count", p_count_id=count, p_lines=Jsonb(lines))
    assert (again.status, again.code) == (409, "count.submitted")
    other = refused(shelf, "manager", "submit_count", p_count_id=count, p_lines=Jsonb(lines))
    assert (other.status, other.code) == (403, "count.not_yours")


BAD_LINES: list[tuple[Any, str]] = [
    ([], "count.lines"),
    ([{"sku": "FLOUR"}], "count.lines"),
    ([{"sku": "FLOUR", "counted": -1}], "count.lines"),
    ([{"sku": "FLOUR", "counted": 1}, {"sku": "flour", "counted": 2}], "count.lines"),
    ([{"sku": "FLOUR", "counted": 1, "counted_at": "yesterdayish"}], "count.counted_at"),
    ([{"sku": "FLOUR", "counted": 1, "counted_at": "2020-01-01T00:00:00Z"}], "count.counted_at"),
    ([{"sku": "FLOUR", "counted": 1, "counted_at": "2099-01-01T00:00:00Z"}], "count.counted_at"),
]


@pytest.mark.parametrize(("lines", "code"), BAD_LINES)
def test_figures_that_make_no_sense(shelf: psycopg.Connection, lines: Any, code: str) -> None:
    count = start(shelf, p_skus=["FLOUR"])
    refusal = refused(shelf, "operator", "submit_count", p_count_id=count, p_lines=Jsonb(lines))
    assert (refusal.status, refusal.code) == (422, code)


def test_starting_a_count(shelf: psycopg.Connection) -> None:
    place(shelf, "attic")
    empty = refused(shelf, "operator", "start_count", p_location="attic")
    assert (empty.status, empty.code) == (422, "count.empty")
    start(shelf, p_skus=["FLOUR"])
    busy = refused(shelf, "supervisor", "start_count")
    assert (busy.status, busy.code) == (409, "count.running")
    assert busy.detail["sku"] == "FLOUR"
    start(shelf, p_skus=["EGG"])
    assert refused(shelf, "viewer", "start_count").code == "auth.forbidden"


def test_giving_up_keeps_what_was_booked(shelf: psycopg.Connection) -> None:
    count = start(shelf)
    submit(shelf, count, {"sku": "FLOUR", "counted": 99}, {"sku": "EGG", "counted": 1})
    answer = call(shelf, "operator", "cancel_count", p_count_id=count)
    assert answer["count_row"]["status"] == "cancelled"
    assert (on_hand(shelf), on_hand(shelf, "EGG")) == (99, 10)
    again = refused(shelf, "operator", "cancel_count", p_count_id=count)
    assert again.code == "count.closed"
    start(shelf)
    unknown = refused(shelf, "operator", "cancel_count", p_count_id=4711)
    assert (unknown.status, unknown.code) == (404, "count.unknown")
    assert call(shelf, "operator", "get_count", p_count_id=count) == answer
