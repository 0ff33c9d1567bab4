"""Units of a routed order: the piece that the last step counted good is the unit, once."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest

from tests.sql.concurrency.together import together
from tests.sql.inventory.stock import refused
from tests.support.databases import Clone
from tests.support.production import (
    ASSEMBLE,
    CUT,
    PACK,
    order,
    quality,
    release,
    report,
    selfcheck,
    set_setting,
)
from tests.support.rpc import Refused, call
from tests.support.units import make_units, to_status, unit_row, variant

Db = psycopg.Connection


@pytest.fixture
def factory(plant: Db) -> Db:
    """Tables are serialised: what is packed as FX-EU becomes a TABLE in stock."""
    variant(plant, sku="TABLE")
    return plant


def packed(db: Db, code: str | None, count: int = 1) -> list[str]:
    """Units of an order, packed and not in stock yet."""
    made = make_units(db, count, **({"production_order": code} if code else {}))
    for sn in made:
        call(db, "operator", "assign_unit_variant", p_sn=sn, p_variant="FX-EU")
        to_status(db, "PACKED", sn)
    return made


def finish(db: Db, code: str, good: int) -> None:
    for sequence in (CUT, ASSEMBLE, PACK):
        report(db, code, sequence, good)


def to_stock(db: Db, sn: str, **more: object) -> None:
    call(db, "operator", "move_unit_to_stock", p_sn=sn, **more)


def tables(db: Db) -> Decimal:
    row = db.execute("select on_hand from public.inventory_stock where sku = 'TABLE'").fetchone()
    return Decimal(row[0] if row else 0)


def at_places(db: Db) -> dict[str, Decimal]:
    return dict(
        db.execute(
            "select location, on_hand from public.inventory_balances"
            " where sku = 'TABLE' and on_hand <> 0"
        ).fetchall()
    )


def default_place(db: Db) -> str:
    row = db.execute("select private.default_location('main')").fetchone()
    assert row is not None
    return str(row[0])


def test_a_serialised_piece_of_a_routed_order_is_in_stock_once(factory: Db) -> None:
    code = order(factory, 1)
    (sn,) = packed(factory, code)
    finish(factory, code, 1)
    to_stock(factory, sn)
    assert tables(factory) == 1
    row = unit_row(factory, sn)
    assert (row["status"], row["stock_sku"], row["is_counted"]) == (
        "IN_FINISHED_STOCK", "TABLE", True,
    )  # fmt: skip


def test_the_piece_goes_to_the_place_of_the_unit(factory: Db) -> None:
    call(
        factory, "planner", "upsert_location",
        p_code="FG-2", p_site="main", p_title="Shelf", p_kind="finished_goods",
    )  # fmt: skip
    code = order(factory, 2)
    (sn,) = packed(factory, code)
    finish(factory, code, 2)
    to_stock(factory, sn, p_location="FG-2")
    assert at_places(factory) == {default_place(factory): 1, "FG-2": 1}


def test_a_unit_waits_until_its_piece_was_counted_good(factory: Db) -> None:
    code = order(factory, 2)
    first, second = packed(factory, code, 2)
    no = refused(factory, "operator", "move_unit_to_stock", p_sn=first)
    assert (no.status, no.code, no.detail["code"]) == (409, "unit.not_counted", code)
    finish(factory, code, 1)
    to_stock(factory, first)
    no = refused(factory, "operator", "move_unit_to_stock", p_sn=second)
    assert (no.code, no.detail["good"], no.detail["units"]) == ("unit.not_counted", 1, 1)
    assert tables(factory) == 1


def test_a_unit_without_an_order_or_of_one_without_steps_comes_into_stock_itself(
    factory: Db,
) -> None:
    code = order(factory, 1, released=False)
    for sn in (*packed(factory, None), *packed(factory, code)):
        to_stock(factory, sn)
        assert unit_row(factory, sn)["is_counted"] is False
    assert tables(factory) == 2


def test_an_order_whose_units_are_in_stock_is_not_made_again_step_by_step(factory: Db) -> None:
    code = order(factory, 1, released=False)
    (sn,) = packed(factory, code)
    to_stock(factory, sn)
    no = refused(factory, "planner", "release_order", p_code=code)
    assert (no.status, no.code) == (409, "production.units_in_stock")


def test_good_pieces_that_are_units_in_stock_are_not_taken_back(factory: Db) -> None:
    code = order(factory, 2)
    (sn,) = packed(factory, code)
    finish(factory, code, 1)
    to_stock(factory, sn)
    undone = refused(factory, "operator", "undo_production", p_code=code)
    assert (undone.status, undone.code, undone.detail["units"]) == (409, "undo.blocked", 1)
    with pytest.raises(Refused) as no:
        quality(factory, code, "scrap", 1, sequence=PACK, **{"from": "good"})
    assert no.value.code == "production.used_further"
    assert tables(factory) == 1


def test_a_unit_that_comes_back_from_rework_is_in_stock_once_more(factory: Db) -> None:
    code = order(factory, 2)
    (sn,) = packed(factory, code)
    finish(factory, code, 1)
    to_stock(factory, sn)
    call(factory, "supervisor", "send_to_rework", p_sn=sn, p_reason="Scratched")
    assert tables(factory) == 0
    to_status(factory, "PACKED", sn)
    to_stock(factory, sn)
    assert tables(factory) == 1
    call(factory, "supervisor", "scrap_unit", p_sn=sn, p_reason="Dropped")
    assert tables(factory) == 0


def test_a_unit_takes_the_piece_that_was_made_in_place_of_a_lost_one(factory: Db) -> None:
    set_setting(factory, "production.replenish_cap_percent", 100)
    code = order(factory, 2)
    first, second = packed(factory, code, 2)
    report(factory, code, CUT, 1, scrap=1, reason="KNOT")
    for sequence in (ASSEMBLE, PACK):
        report(factory, code, sequence, 1)
    again = factory.execute(
        "select o.code from public.replenishments r join public.production_orders o"
        " on o.id = r.order_id"
    ).fetchone()
    assert again is not None
    to_stock(factory, first)
    release(factory, again[0])
    finish(factory, again[0], 1)
    to_stock(factory, second)
    assert tables(factory) == 2
    no = refused(factory, "operator", "undo_production", p_code=again[0])
    assert no.code == "undo.blocked"


def test_units_and_an_undo_at_once_share_the_pieces(factory: Db, clone: Clone) -> None:
    code = order(factory, 4)
    units = packed(factory, code, 3)
    for sequence in (CUT, ASSEMBLE):
        report(factory, code, sequence, 3)
    for _ in range(3):
        report(factory, code, PACK, 1)

    def work(connection: Db, n: int) -> str | None:
        try:
            if n < 3:
                to_stock(connection, units[n])
            else:
                call(connection, "operator", "undo_production", p_code=code)
        except Refused as no:
            return no.code
        return None

    answers = together(clone, 4, work)
    assert sorted(filter(None, answers)) in (["undo.blocked"], ["unit.not_counted"])
    counted = factory.execute("select count(*) from public.units where is_counted").fetchone()
    assert counted == (tables(factory),)


def test_the_selfcheck_sees_a_unit_beside_the_pieces_of_its_order(factory: Db) -> None:
    code = order(factory, 2)
    sn, other = packed(factory, code, 2)
    finish(factory, code, 1)
    to_stock(factory, sn)

    def check(what: str, is_counted: bool) -> list[tuple[object, ...]]:
        """What is told about a unit whose mark is wrong; then it is as it was."""
        mark = "update public.units set is_counted = %s where sn = %s"
        factory.execute(mark, (is_counted, what))
        told = [tuple(row[:2]) for row in selfcheck(factory)]
        factory.execute(mark, (not is_counted, what))
        return told

    assert check(sn, False) == [(sn, "unit in stock beside the pieces of its order")]
    assert check(other, True) == [(code, "units in stock of its good pieces")]
