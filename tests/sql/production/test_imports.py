"""Production orders from an ERP: versions, what may still change, a report for every row."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from cli.production import batches
from tests.sql.concurrency.together import together
from tests.support.databases import Clone
from tests.support.lots import import_orders
from tests.support.production import CUT, events_of, make_plant, order, order_row, report, step
from tests.support.rpc import Refused, call

Db = psycopg.Connection
Row = dict[str, Any]


def row(version: int | None = 1, external_id: str = "E-1", **fields: Any) -> Row:
    """A row for ten tables."""
    given = {"product_sku": "TABLE", "quantity": 10} | fields
    return {"external_id": external_id, "version": version, **given}


def result(answer: Row, number: int = 0) -> str:
    return str(answer["rows"][number]["result"])


def notes(answer: Row, number: int = 0) -> list[str]:
    return [note["code"] for note in answer["rows"][number]["notices"]]


def test_a_new_order_gets_its_parts_and_its_event(plant: Db) -> None:
    answer = import_orders(plant, row(due_date="2026-12-01", priority="rush", notes="urgent"))
    assert (result(answer), answer["applied"]) == ("created", True)
    made = order_row(plant, "E-1")
    assert (made["source"], made["quantity"], made["priority"]) == ("erp", 10, "rush")
    lines = plant.execute(
        "select l.sku, l.needed, l.allocated from public.order_part_allocations l"
        " join public.production_orders o on o.id = l.production_order_id order by 1"
    ).fetchall()
    assert lines == [("LEG", 40, 40), ("PANEL", 10, 10)]
    assert events_of(plant, "E-1") == ["production.imported"]
    name = plant.execute("select event_type from public.execution_events").fetchone()
    assert name == ("OP_IMPORTED_FROM_ERP",)


def test_versions_never_go_backwards(plant: Db) -> None:
    """v3, v2, v3: v3 is applied once."""
    first = import_orders(plant, row(3, quantity=30), row(2, quantity=20), row(3, quantity=30))
    assert [r["result"] for r in first["rows"]] == ["created", "ignored", "ignored"]
    assert notes(first, 1) == ["import.superseded"]
    assert result(import_orders(plant, row(2, quantity=20))) == "ignored"
    again = import_orders(plant, row(3, quantity=30))
    assert (result(again), again["counts"]) == ("unchanged", {"unchanged": 1})
    other = import_orders(plant, row(3, quantity=31))
    assert (result(other), notes(other)) == ("ignored", ["import.older"])
    assert order_row(plant, "E-1")["quantity"] == 30
    assert events_of(plant, "E-1") == ["production.imported"], "nothing new, no event"


def test_the_external_id_knows_no_case(plant: Db) -> None:
    import_orders(plant, row(1, external_id="Abc-7", code="AB7"))
    assert result(import_orders(plant, row(2, external_id="aBC-7", quantity=11))) == "updated"
    assert order_row(plant, "AB7")["quantity"] == 11


def test_without_versions_a_row_that_differs_is_newer(plant: Db) -> None:
    assert result(import_orders(plant, row(None))) == "created"
    assert result(import_orders(plant, row(None))) == "unchanged"
    assert result(import_orders(plant, row(None, quantity=12))) == "updated"
    assert result(import_orders(plant, row(None, quantity=10))) == "updated"


def test_planned_orders_follow_in_everything(plant: Db) -> None:
    import_orders(plant, row(1))
    changed: Row = {"quantity": 4, "due_date": "2027-01-01", "priority": "critical", "notes": "x"}
    assert result(import_orders(plant, row(2, product_sku="LEG", **changed))) == "updated"
    made = order_row(plant, "E-1")
    assert (made["product_sku"], made["quantity"], made["priority"]) == ("LEG", 4, "critical")
    lines = plant.execute("select sku, needed from public.order_part_allocations").fetchall()
    assert lines == [("LEG", Decimal(4))], "other parts"


def test_what_a_row_does_not_name_stays(plant: Db) -> None:
    import_orders(plant, row(1, due_date="2026-12-01", priority="rush"))
    import_orders(plant, {"external_id": "E-1", "version": 2, "quantity": 7})
    made = order_row(plant, "E-1")
    assert (made["quantity"], made["due_date"], made["priority"]) == (7, "2026-12-01", "rush")


def test_released_orders_follow_in_quantity_and_date_but_not_in_product(plant: Db) -> None:
    import_orders(plant, row(1))
    call(plant, "planner", "release_order", p_code="E-1")
    assert result(import_orders(plant, row(2, quantity=6))) == "updated"
    assert {step(plant, "E-1")[name] for name in ("planned", "released")} == {Decimal(6)}
    answer = import_orders(plant, row(3, product_sku="LEG", quantity=6))
    assert (result(answer), notes(answer)) == ("review", ["import.review"])
    assert order_row(plant, "E-1")["product_sku"] == "TABLE"
    review = plant.execute("select review, version from public.production_order_refs").fetchone()
    assert review is not None
    assert review[0]["version"] == review[1] == 3


def test_a_quantity_below_what_was_made_becomes_what_was_made(plant: Db) -> None:
    """100 → 60 when 75 are made: 75, and flagged."""
    import_orders(plant, row(1, quantity=100))
    call(plant, "planner", "release_order", p_code="E-1")
    report(plant, "E-1", CUT, good=75)
    answer = import_orders(plant, row(2, quantity=60))
    assert (result(answer), notes(answer)) == ("updated", ["import.clamped"])
    assert order_row(plant, "E-1")["quantity"] == 75


def test_cancelled_before_the_start_it_is_off_and_after_it_a_person_decides(plant: Db) -> None:
    import_orders(plant, row(1), row(1, "E-2"), row(1, "E-3"))
    for code in ("E-2", "E-3"):
        call(plant, "planner", "release_order", p_code=code)
    report(plant, "E-3", CUT, good=1)
    answer = import_orders(plant, *(row(2, f"E-{n}", cancelled=True) for n in (1, 2, 3)))
    assert [r["result"] for r in answer["rows"]] == ["cancelled", "cancelled", "cancel_requested"]
    assert notes(answer, 2) == ["import.started"]
    assert [order_row(plant, f"E-{n}")["status"] for n in (1, 2)] == ["CANCELLED"] * 2
    assert order_row(plant, "E-3")["status"] == "IN_PROGRESS", "never deleted"
    asked = plant.execute(
        "select external_id from public.production_order_refs where cancel_requested_at is not null"
    ).fetchall()
    assert asked == [("E-3",)]
    parts = plant.execute("select on_hand from public.inventory_stock where sku = 'PANEL'")
    assert parts.fetchone() == (Decimal(990),), "of the second the parts are back"


def test_an_order_that_comes_back_is_the_same_order(plant: Db) -> None:
    import_orders(plant, row(1))
    import_orders(plant, row(2, cancelled=True))
    assert result(import_orders(plant, row(3, quantity=5))) == "reopened"
    assert order_row(plant, "E-1")["status"] == "OPEN_NOT_STARTED"
    assert plant.execute("select count(*) from public.production_orders").fetchone() == (1,)
    call(plant, "planner", "cancel_production_order", p_code="E-1", p_reason="no wood")
    answer = import_orders(plant, row(4, quantity=6))
    assert (result(answer), notes(answer)) == ("review", ["import.review"]), "people said no"


def test_a_cancellation_that_comes_first_is_remembered(plant: Db) -> None:
    assert result(import_orders(plant, row(2, cancelled="yes"))) == "cancelled"
    assert result(import_orders(plant, row(1))) == "ignored"
    assert order_row(plant, "E-1")["status"] == "CANCELLED"


def test_our_own_order_that_comes_back_is_matched(plant: Db) -> None:
    """A replenishment that we sent out is echoed by the ERP: no second order."""
    root = order(plant, 10)
    report(plant, root, CUT, good=9, scrap=1, reason="KNOT")
    echo = row(1, external_id="SO-99", code=f"{root}-R1", quantity=1)
    assert result(import_orders(plant, echo)) == "matched"
    assert result(import_orders(plant, echo)) == "unchanged"
    answer = import_orders(plant, {**echo, "version": 2, "quantity": 5})
    assert result(answer) == "review"
    assert order_row(plant, f"{root}-R1")["quantity"] == 1
    assert plant.execute("select count(*) from public.production_orders").fetchone() == (2,)


@pytest.mark.parametrize(
    "said", [{"cancelled": True}, {"quantity": 5}, {"quantity": 1, "cancelled": True}]
)
def test_another_system_neither_cancels_nor_changes_what_is_made_again(
    plant: Db, said: Row
) -> None:
    """By its code, without having made it: the cancellation went through."""
    root = order(plant, 10)
    report(plant, root, CUT, good=9, scrap=1, reason="KNOT")
    answer = import_orders(plant, row(1, external_id="SO-99", code=f"{root}-R1") | said)
    assert result(answer) == "review"
    now = order_row(plant, f"{root}-R1")
    assert (now["status"], now["quantity"]) == ("OPEN_NOT_STARTED", 1)


def test_a_closed_order_is_looked_at_by_a_person(plant: Db) -> None:
    import_orders(plant, row(1, quantity=1))
    call(plant, "planner", "release_order", p_code="E-1")
    for sequence in (10, 20, 30):
        report(plant, "E-1", sequence, good=1)
    assert result(import_orders(plant, row(2, quantity=2))) == "review"
    assert result(import_orders(plant, row(3, cancelled=True))) == "review"


_BAD: tuple[tuple[Row, str, str], ...] = (
    ({"external_id": None}, "external_id", "import.bad_value"),
    ({"version": "two"}, "version", "import.bad_value"),
    ({"quantity": "ten"}, "quantity", "import.bad_value"),
    ({"quantity": 0}, "quantity", "import.bad_value"),
    ({"quantity": None}, "quantity", "import.bad_value"),
    ({"due_date": "2026-02-30"}, "due_date", "import.bad_value"),
    ({"priority": "high"}, "priority", "import.bad_value"),
    ({"type": "SALE"}, "type", "import.bad_value"),
    ({"cancelled": "perhaps"}, "cancelled", "import.bad_value"),
    ({"code": "a b"}, "code", "import.bad_value"),
    ({"colour": "red"}, "colour", "import.bad_value"),
    ({"product_sku": "NO"}, "product_sku", "item.unknown"),
    ({"product_sku": None}, "product_sku", "import.bad_value"),
    ({"store": "no"}, "store", "store.unknown"),
    ({"site": "moon"}, "site", "site.unknown"),
)


def test_a_bad_row_is_reported_and_the_others_are_imported(plant: Db) -> None:
    bad = [row(1, f"BAD-{n}") | fields for n, (fields, _, _) in enumerate(_BAD)]
    answer = import_orders(plant, row(1, "GOOD"), *bad, row(1, "GOOD-2"))
    assert answer["counts"] == {"created": 2, "error": len(_BAD)}
    for reported, (fields, field, code) in zip(answer["rows"][1:-1], _BAD, strict=True):
        assert reported["result"] == "error", fields
        assert (reported["errors"][0]["field"], reported["errors"][0]["code"]) == (field, code)
        assert reported["errors"][0]["message"], "in words"


def test_codes_are_never_given_twice(plant: Db) -> None:
    taken = order(plant, 1, sku="LEG", released=False)
    answer = import_orders(
        plant, row(1, "A", code=taken), row(1, "B", code="X"), row(1, "C", code="X")
    )
    assert [r["result"] for r in answer["rows"]] == ["error", "created", "error"]
    assert {r["errors"][0]["code"] for r in answer["rows"] if r["errors"]} == {"production.exists"}


def test_people_import_where_they_work(plant: Db) -> None:
    plant.execute("update public.staff_shared set stores = '{flourlane}' where role = 'planner'")
    answer = import_orders(plant, row(1, "A", store="bannos"), row(1, "B", store="flourlane"))
    assert [r["result"] for r in answer["rows"]] == ["error", "created"]
    assert answer["rows"][0]["errors"][0]["code"] == "auth.other_store"
    with pytest.raises(Refused) as caught:
        import_orders(plant, row(), who="operator")
    assert caught.value.status == 403


def test_nobody_imports_into_a_site_of_others(plant: Db) -> None:
    call(plant, "admin", "register_site", p_code="north", p_name="North", p_time_zone="UTC")
    plant.execute("update public.staff_shared set stores = '{flourlane}' where role = 'planner'")
    answer = import_orders(plant, row(1, "A", site="north"))
    assert answer["rows"][0]["errors"][0]["code"] == "auth.other_site"


def test_a_dry_run_says_the_same_and_changes_nothing(plant: Db) -> None:
    rows = (row(1, "A"), row(1, "B", quantity="x"))
    dry = import_orders(plant, *rows, dry_run=True)
    assert not dry["applied"]
    assert plant.execute("select count(*) from public.production_orders").fetchone() == (0,)
    real = import_orders(plant, *rows)
    assert (real["rows"], real["counts"]) == (dry["rows"], dry["counts"])


def test_one_order_by_itself(plant: Db) -> None:
    answer = call(
        plant, "service", "import_production_order", p_system="erp", p_order=row(1, site="main")
    )
    assert result(answer) == "created"


def test_calls_that_make_no_sense(plant: Db) -> None:
    for system, rows, code in (
        ("My ERP", '[{"external_id": "1"}]', "import.system"),
        ("erp", "[]", "import.table"),
        ("erp", "{}", "import.table"),
        ("erp", "[1]", "import.table"),
    ):
        with pytest.raises(Refused) as caught:
            call(plant, "planner", "import_production_orders", p_system=system, p_rows=rows)
        assert (caught.value.status, caught.value.code) == (422, code)


def test_repeats_answer_the_first_and_a_stale_id_is_refused(plant: Db) -> None:
    request = uuid4()
    first = import_orders(plant, row(1), request_id=request)
    assert import_orders(plant, row(1), request_id=request) == first
    with pytest.raises(Refused, match=r"request\.reused"):
        import_orders(plant, row(2), request_id=request)


def test_many_rows_at_once_are_idempotent_and_told_of_once(plant: Db) -> None:
    rows = [row(1, f"M-{n}", quantity=n % 7 + 1) for n in range(300)]
    assert import_orders(plant, *rows)["counts"] == {"created": 300}
    told = plant.execute(
        "select count(*) from realtime.messages where event = 'production.imported'"
    ).fetchone()
    assert told == (1,), "who listens is told once"
    assert import_orders(plant, *rows)["counts"] == {"unchanged": 300}
    assert plant.execute("select count(*) from public.production_orders").fetchone() == (300,)
    newer = [{**r, "version": 2, "quantity": 9} for r in rows]
    assert import_orders(plant, *newer)["counts"] == {"updated": 300}


def test_the_same_import_five_times_at_once_is_one(clone: Clone) -> None:
    with clone.connect() as db:
        make_plant(db)
    rows = [row(1, f"T-{n}") for n in range(20)]

    def once(connection: Db, _: int) -> Row:
        return dict(import_orders(connection, *rows)["counts"])

    answers = together(clone, 5, once)
    assert sorted(answers, key=str) == [{"created": 20}] + [{"unchanged": 20}] * 4


def test_what_a_dry_run_says_in_batches_is_what_the_import_does(plant: Db) -> None:
    """An order and its change in two batches were two new orders; so were two of one code."""
    rows = [
        row(1, "E-1"), row(1, "E-2", code="C-2"), row(1, "E-3"), row(1, "E-4", code="C-2"),
        row(2, "e-1", quantity=11), row(1, "E-5"), row(1, "C-2"), row(3, "E-3", cancelled=True),
    ]  # fmt: skip
    assert batches(rows, 2) == [[0, 4], [1, 3, 6], [2, 7], [5]]

    def run(**more: Any) -> list[Row]:
        answers = [
            import_orders(plant, *(rows[n] for n in numbers), **more)
            for numbers in batches(rows, 2)
        ]
        return [said for answer in answers for said in answer["rows"]]

    tried = run(dry_run=True)
    assert run() == tried
    assert [said["result"] for said in tried] == [
        "ignored", "created", "created", "error", "error", "ignored", "cancelled", "created",
    ]  # fmt: skip


def test_many_rows_are_put_into_batches_once_each(db: Db) -> None:
    rows = [row(n, f"E-{n % 700}", code=f"C-{n % 900}") for n in range(3000)]
    found = batches(rows, 500)
    assert sorted(n for numbers in found for n in numbers) == list(range(3000))
    assert len(batches([row(1, f"E-{n}") for n in range(3000)], 500)) == 6
