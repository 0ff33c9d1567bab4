"""M03: items, places, bills of materials and rules."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.sql.concurrency.together import together
from tests.sql.inventory.stock import at, item, levels, place, refused, requirements, rule
from tests.support.databases import Clone
from tests.support.rpc import Refused, call


def test_an_item_is_added_and_changed_field_by_field(db: psycopg.Connection) -> None:
    made = call(
        db, "planner", "upsert_item", p_sku="CAN-01", p_title="Candle", p_kind="accessory",
        p_min_stock=5, p_supplier="Wax Ltd", p_unit_cost=Decimal("0.25"), p_version=0,
    )  # fmt: skip
    assert (made["version"], made["uom"], made["is_stocked"]) == (2, "pcs", True)
    assert levels(db, "CAN-01") == dict.fromkeys(("on_hand", "held", "reserved", "ats"), 0)
    changed = call(
        db, "planner", "upsert_item", p_sku="can-01", p_title="Gold candle", p_supplier="",
        p_version=made["version"],
    )  # fmt: skip
    assert changed == made | {
        "title": "Gold candle",
        "supplier": None,
        "version": 3,
        "updated_at": changed["updated_at"],
    }
    again = call(db, "planner", "upsert_item", p_sku="CAN-01", p_title="Gold candle")
    assert again == changed, "the same values change nothing"
    stale = refused(db, "planner", "upsert_item", p_sku="CAN-01", p_title="X", p_version=2)
    assert (stale.status, stale.code) == (409, "item.stale")
    events = db.execute(
        "select event, payload -> 'after' ->> 'title' from public.events"
        " where stream = 'item' order by id"
    ).fetchall()
    assert events == [("item.saved", "Candle"), ("item.saved", "Gold candle")]


def test_defect_case_sensitive_names_one_sku_in_two_spellings_is_one_item(
    db: psycopg.Connection,
) -> None:
    item(db, "Can-01")
    assert call(db, "planner", "upsert_item", p_sku="CAN-01", p_title="x")["sku"] == "Can-01"
    with pytest.raises(psycopg.errors.UniqueViolation):
        db.execute("insert into public.inventory_items (sku, title) values ('CAN-01', 'x')")


@pytest.mark.parametrize(("field", "value", "constraint"), [
    ("kind", "spaceship", "inventory_items_kind_check"),
    ("min_stock", -1, "inventory_items_min_stock_check"),
    ("unit_cost", Decimal("NaN"), "inventory_items_unit_cost_check"),
    ("uom", "", "inventory_items_uom_check"),
])  # fmt: skip
def test_a_wrong_value_names_its_field(
    db: psycopg.Connection, field: str, value: Any, constraint: str
) -> None:
    with pytest.raises(Refused) as refusal:
        item(db, **{field: value})
    assert refusal.value.constraint == constraint


@pytest.mark.parametrize("sku", ["", " X", "X ", "A\tB", "x" * 81])
def test_a_sku_is_short_and_visible(db: psycopg.Connection, sku: str) -> None:
    with pytest.raises(Refused) as refusal:
        item(db, sku)
    assert refusal.value.constraint == "inventory_items_sku_check"


def test_forbidding_negatives_needs_stock_that_is_not_negative(db: psycopg.Connection) -> None:
    item(db)
    call(db, "operator", "issue_stock", p_sku="FLOUR", p_quantity=1)
    refusal = refused(db, "planner", "upsert_item", p_sku="FLOUR", p_forbid_negative=True)
    assert (refusal.status, refusal.code) == (409, "item.negative")
    call(db, "operator", "receive_stock", p_sku="FLOUR", p_quantity=1)
    call(db, "planner", "upsert_item", p_sku="FLOUR", p_forbid_negative=True)
    assert refused(db, "operator", "issue_stock", p_sku="FLOUR", p_quantity=1).code == "stock.short"


def test_an_item_with_stock_stays_a_stocked_item(db: psycopg.Connection) -> None:
    item(db, on_hand=1)
    refusal = refused(db, "planner", "upsert_item", p_sku="FLOUR", p_is_stocked=False)
    assert (refusal.status, refusal.code) == (409, "item.in_use")


def test_the_minimum_is_set_by_whoever_adjusts(db: psycopg.Connection) -> None:
    item(db)
    arguments = {"p_sku": "FLOUR", "p_min_stock": 4, "p_request_id": uuid4()}
    first = call(db, "supervisor", "set_min_stock", **arguments)
    assert first["min_stock"] == 4
    assert call(db, "supervisor", "set_min_stock", **arguments) == first
    assert call(db, "supervisor", "set_min_stock", p_sku="FLOUR", p_min_stock=0)["min_stock"] == 0
    wrong = refused(db, "supervisor", "set_min_stock", p_sku="FLOUR", p_min_stock=-1)
    assert (wrong.status, wrong.code) == (422, "stock.quantity")
    unknown = refused(db, "supervisor", "set_min_stock", p_sku="NOPE", p_min_stock=1)
    assert unknown.code == "item.unknown"


def test_a_site_has_one_default_place(db: psycopg.Connection) -> None:
    place(db, "shelf", is_default=True)
    found = db.execute("select code from public.locations where is_default").fetchall()
    assert found == [("shelf",)]
    item(db, on_hand=2)
    assert at(db, "FLOUR", "shelf") == 2
    for change in ({"p_is_default": False}, {"p_is_active": False}):
        refusal = refused(db, "planner", "upsert_location", p_code="shelf", **change)
        assert (refusal.status, refusal.code) == (409, "location.is_default")


def test_a_place_with_stock_stays_what_it_is(db: psycopg.Connection) -> None:
    item(db)
    place(db, "shelf")
    call(db, "operator", "receive_stock", p_sku="FLOUR", p_quantity=1, p_location="shelf")
    for change in ({"p_kind": "quarantine"}, {"p_is_active": False}):
        refusal = refused(db, "planner", "upsert_location", p_code="shelf", **change)
        assert (refusal.status, refusal.code) == (409, "location.in_use")
    call(db, "planner", "upsert_location", p_code="shelf", p_title="Top shelf")
    unknown = refused(db, "admin", "upsert_location", p_code="x", p_site="moon")
    assert (unknown.status, unknown.code) == (404, "site.unknown")


# Bills of materials -------------------------------------------------------------------------


def tree(db: psycopg.Connection, sku: str, quantity: int = 1) -> list[tuple[int, str, Any]]:
    rows = call(db, "viewer", "get_requirements", p_sku=sku, p_quantity=quantity)
    return [(row["level"], row["sku"], row["quantity"]) for row in rows]


def test_a_bill_of_materials_has_levels(db: psycopg.Connection) -> None:
    for sku in ("CAKE", "SPONGE", "FLOUR", "EGG"):
        item(db, sku)
    requirements(
        db, {"sku": "sponge", "quantity": 2}, {"sku": "EGG", "quantity": 1}, parent_sku="CAKE"
    )
    requirements(db, {"sku": "FLOUR", "quantity": "0.5"}, parent_sku="SPONGE")
    assert tree(db, "cake", 3) == [(1, "EGG", 3), (1, "SPONGE", 6), (2, "FLOUR", 3)]
    assert refused(db, "viewer", "get_requirements", p_sku="NOPE").code == "item.unknown"
    assert exploded(db, "CAKE") == [("EGG", 1), ("SPONGE", 2)], "the sponge is kept in stock"
    call(db, "planner", "upsert_item", p_sku="SPONGE", p_is_stocked=False)
    assert exploded(db, "CAKE") == [("EGG", 1), ("FLOUR", 1)], "a phantom stands for its parts"


def exploded(db: psycopg.Connection, sku: str) -> list[tuple[str, Decimal]]:
    return db.execute("select sku, quantity from private.explode(%s, 1)", (sku,)).fetchall()


def test_saving_again_replaces_and_nothing_clears(db: psycopg.Connection) -> None:
    for sku in ("CAKE", "FLOUR", "EGG"):
        item(db, sku)
    line = {"sku": "EGG", "quantity": 1, "stage": "Filling", "is_optional": True}
    request = uuid4()
    first = requirements(db, line, parent_sku="CAKE", request_id=request)
    assert (first[0]["stage"], first[0]["is_optional"]) == ("Filling", True)
    assert requirements(db, line, parent_sku="CAKE", request_id=request) == first
    requirements(db, {"sku": "FLOUR", "quantity": 1}, parent_sku="CAKE")
    assert tree(db, "CAKE") == [(1, "FLOUR", 1)]
    assert requirements(db, parent_sku="CAKE") == []
    assert tree(db, "CAKE") == []


@pytest.mark.parametrize("length", [2, 3])
def test_a_product_is_not_made_of_itself(db: psycopg.Connection, length: int) -> None:
    names = [f"P{n}" for n in range(length)]
    for name in names:
        item(db, name)
    for parent, child in itertools.pairwise(names):
        requirements(db, {"sku": child, "quantity": 1}, parent_sku=parent)
    with pytest.raises(Refused) as refusal:
        requirements(db, {"sku": names[0], "quantity": 1}, parent_sku=names[-1])
    assert (refusal.value.status, refusal.value.code) == (422, "bom.cycle")
    assert refusal.value.detail["path"] == [names[-1], *names]
    with pytest.raises(Refused) as itself:
        requirements(db, {"sku": "P0", "quantity": 1}, parent_sku="P0")
    assert itself.value.constraint == "product_requirements_itself_check" or itself.value.code


def test_two_halves_of_a_cycle_at_once_make_one(clone: Clone, db: psycopg.Connection) -> None:
    for name in ("A", "B"):
        item(db, name)

    def half(connection: psycopg.Connection, number: int) -> str:
        parent, child = ("A", "B") if number else ("B", "A")
        try:
            requirements(connection, {"sku": child, "quantity": 1}, parent_sku=parent)
        except Refused as refusal:
            return str(refusal.code)
        return "made"

    assert sorted(together(clone, 2, half)) == ["bom.cycle", "made"]


@pytest.mark.parametrize("line", [
    {"sku": "FLOUR"}, {"sku": "FLOUR", "quantity": 0}, {"sku": "FLOUR", "quantity": -1},
    {"sku": "FLOUR", "quantity": "many"}, {"sku": "FLOUR", "quantity": 1, "stage": "Complete"},
    {"sku": "FLOUR", "quantity": 1, "is_optional": "perhaps"}, "FLOUR",
])  # fmt: skip
def test_lines_that_make_no_sense(db: psycopg.Connection, line: Any) -> None:
    item(db)
    with pytest.raises(Refused) as refusal:
        requirements(db, line, title="Cake")
    assert (refusal.value.status, refusal.value.code) == (422, "bom.lines")


@pytest.mark.parametrize("product", [
    {}, {"title": "Cake", "parent_sku": "FLOUR"}, {"title": "!!"},
    {"parent_sku": "FLOUR", "variant": "large"},
])  # fmt: skip
def test_the_product_is_named_one_way(db: psycopg.Connection, product: dict[str, str]) -> None:
    item(db)
    item(db, "EGG")
    with pytest.raises(Refused) as refusal:
        requirements(db, {"sku": "EGG", "quantity": 1}, **product)
    assert (refusal.value.status, refusal.value.code) == (422, "bom.product")


# Rules --------------------------------------------------------------------------------------


def test_a_rule_is_saved_changed_and_deleted(db: psycopg.Connection) -> None:
    item(db, "CANDLE")
    made = rule(db, "Gold candle", "candle", quantity=2, store="bannos")
    assert (made["sku"], made["quantity"], made["store"]) == ("CANDLE", 2, "bannos")
    again = rule(db, "Gold candle", "candle", quantity=3, store="bannos")
    assert (again["id"], again["quantity"]) == (made["id"], 3)
    arguments = {"p_id": made["id"], "p_request_id": uuid4()}
    assert call(db, "planner", "delete_deduction_rule", **arguments) is True
    assert call(db, "planner", "delete_deduction_rule", **arguments) is True
    assert call(db, "planner", "delete_deduction_rule", p_id=made["id"]) is False


def test_a_rule_needs_words_and_an_item(db: psycopg.Connection) -> None:
    item(db, "CANDLE")
    with pytest.raises(Refused) as refusal:
        rule(db, "?!", "CANDLE")
    assert (refusal.value.status, refusal.value.code) == (422, "stock.empty_pattern")
    with pytest.raises(Refused) as refusal:
        rule(db, "candle", "NOPE")
    assert refusal.value.code == "item.unknown"
    with pytest.raises(Refused) as refusal:
        rule(db, "candle", "CANDLE", match="fuzzy")
    assert refusal.value.constraint == "deduction_rules_match_check"


@pytest.mark.parametrize("rpc", ["upsert_item", "save_requirements", "save_deduction_rule"])
def test_operators_do_not_manage(db: psycopg.Connection, rpc: str) -> None:
    arguments: dict[str, dict[str, Any]] = {
        "upsert_item": {"p_sku": "X"},
        "save_requirements": {"p_lines": {}},
        "save_deduction_rule": {"p_pattern": "x", "p_sku": "X"},
    }
    assert refused(db, "operator", rpc, **arguments[rpc]).code == "auth.forbidden"
