"""One row that cannot be written is that row's error, never the end of the import."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.production.test_board_and_reach import shipped_in_part
from tests.sql.production.test_imports import notes, result, row
from tests.support.lots import import_orders
from tests.support.production import CUT, order_row, report
from tests.support.rpc import Refused, call

Db = psycopg.Connection


def shipped(db: Db) -> str:
    """Six of ten left; the other system knows the order."""
    code = shipped_in_part(db)
    assert result(import_orders(db, row(1, code, code=code))) == "matched"
    return code


def lines(db: Db) -> list[tuple[object, ...]]:
    return db.execute(
        "select sku, needed, consumed from public.order_part_allocations order by line"
    ).fetchall()


def test_fewer_than_were_shipped_become_what_was_shipped(db: Db) -> None:
    """Four were less than the six that left: that one row ended the import of all."""
    code = shipped(db)
    answer = import_orders(db, row(1, "NEW"), row(2, code, code=code, quantity=4))
    assert [r["result"] for r in answer["rows"]] == ["created", "updated"]
    assert notes(answer, 1) == ["import.clamped"]
    assert order_row(db, code)["quantity"] == 6
    shipped_all = call(db, "planner", "ship_production_order", p_code=code)
    assert shipped_all["order_row"]["status"] == "CLOSED"


def test_another_product_than_was_shipped_is_for_a_person(db: Db) -> None:
    """Its lines went, and with them what had left: all parts were wanted again."""
    code = shipped(db)
    before = lines(db)
    answer = import_orders(db, row(2, code, code=code, product_sku="LEG"))
    assert (result(answer), notes(answer)) == ("review", ["import.review"])
    assert (order_row(db, code)["product_sku"], lines(db)) == ("TABLE", before)


def test_a_row_that_the_database_refuses_is_reported_and_the_others_are_written(plant: Db) -> None:
    """Whatever a row runs into, the other rows are not for it to stop."""
    plant.execute(
        "create function private.tg_sabotage() returns trigger language plpgsql as $$ begin"
        " if new.code = 'BAD-1' then perform private.fail(409, 'bad.one', 'Not this one.'); end if;"
        " if new.code = 'BAD-2' then raise check_violation using message = 'odd'; end if;"
        " return new; end $$;"
        "create trigger _200_sabotage before insert on public.production_orders"
        " for each row execute function private.tg_sabotage()"
    )
    names = ["BAD-1", *(f"GOOD-{n}" for n in range(7)), "BAD-2"]
    answer = import_orders(plant, *(row(1, name) for name in names))
    assert answer["counts"] == {"created": 7, "error": 2}
    assert [r["external_id"] for r in answer["rows"]] == names
    assert [(e["code"], e["message"]) for r in answer["rows"] for e in r["errors"]] == [
        ("bad.one", "Not this one."),
        ("import.refused", "odd"),
    ]
    made = plant.execute("select code from public.production_orders order by 1").fetchall()
    assert [code for (code,) in made] == names[1:-1]
    told = plant.execute("select count(*) from public.events where event = 'production.imported'")
    assert told.fetchone() == (7,)
    plant.execute("drop trigger _200_sabotage on public.production_orders")
    again = import_orders(plant, *(row(1, name) for name in names))
    assert again["counts"] == {"created": 2, "unchanged": 7}


def test_what_is_no_fault_of_a_row_ends_the_import(plant: Db) -> None:
    plant.execute(
        "create function private.tg_sabotage() returns trigger language plpgsql as $$ begin"
        " raise lock_not_available; end $$;"
        "create trigger _200_sabotage before insert on public.production_orders"
        " for each row execute function private.tg_sabotage()"
    )
    with pytest.raises(Refused) as error:
        import_orders(plant, row(1, "A"), row(1, "B"))
    assert error.value.sqlstate == "55P03"


def test_a_started_order_keeps_its_clamp(plant: Db) -> None:
    import_orders(plant, row(1))
    call(plant, "planner", "release_order", p_code="E-1")
    report(plant, "E-1", CUT, good=6)
    answer = import_orders(plant, row(2, quantity=4))
    assert (result(answer), notes(answer)) == ("updated", ["import.clamped"])
    assert "started" in answer["rows"][0]["notices"][0]["message"]
