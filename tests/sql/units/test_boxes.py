"""Boxes and pallets: what goes in, what is sealed, what leaves with an order; and the lists."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.support.orders import make_order
from tests.support.printing import attempt
from tests.support.rpc import call
from tests.support.units import make_units, status_of, to_status, unit_events, unit_row, variant


def box(db: psycopg.Connection, kind: str = "box", **more: Any) -> str:
    answer = call(db, "operator", "create_box", p_kind=kind, **more)
    return str(answer["box"]["code"])


def put(db: psycopg.Connection, into: str, what: str) -> dict[str, Any]:
    return dict(call(db, "operator", "put_in_box", p_box=into, p_what=what))


def seal(db: psycopg.Connection, code: str, who: str = "operator", sealed: bool = True) -> Any:
    return call(db, who, "seal_box", p_box=code, p_is_sealed=sealed)


def edges(db: psycopg.Connection) -> set[tuple[str, str]]:
    """(parent, child) of everything that is in something now."""
    rows = db.execute(
        "select p.key, c.key from public.trace_edges e join public.trace_nodes p on p.id = e.parent"
        " join public.trace_nodes c on c.id = e.child where e.removed_at is null"
    ).fetchall()
    return set(rows)


def test_boxes_are_numbered_or_named(db: psycopg.Connection) -> None:
    first, pallet, named = box(db), box(db, "pallet"), box(db, p_code="blue-1")
    assert first[4:] == "-BOX-00001"
    assert pallet[4:] == "-PALLET-00001"
    assert named == "BLUE-1"
    assert attempt(db, "operator", "create_box", p_code="BLUE-1") == (409, "box.exists")
    assert attempt(db, "operator", "create_box", p_kind="crate") == (422, "box.kind")


def test_a_unit_in_a_box_on_a_pallet_with_an_order(db: psycopg.Connection) -> None:
    variant(db)
    sn = to_status(db, "IN_FINISHED_STOCK")
    carton, pallet, order = box(db), box(db, "pallet"), make_order(db)
    assert put(db, carton, sn)["units"] == 1
    assert put(db, carton, sn)["changed"] is False
    assert put(db, pallet, carton)["units"] == 1
    assert edges(db) == {(sn, carton), (carton, pallet)}
    assert attempt(db, "operator", "ship_box", p_box=pallet, p_order=order) == (
        409,
        "box.not_sealed",
    )
    seal(db, pallet)
    assert attempt(db, "operator", "ship_box", p_box=pallet, p_order="no") == (404, "order.unknown")
    assert attempt(db, "operator", "ship_box", p_box=carton, p_order=order) == (
        409,
        "box.elsewhere",
    )
    shipped = call(db, "operator", "ship_box", p_box=pallet, p_order=order)
    again = call(db, "operator", "ship_box", p_box=pallet, p_order=order)
    assert (shipped["changed"], again["changed"]) == (True, False)
    assert (pallet, order) in edges(db)
    assert unit_row(db, sn)["shipped_at"] is not None
    assert unit_events(db, sn)[-1] == "unit.shipped"
    for rpc in ("put_in_box", "take_from_box"):
        assert attempt(db, "operator", rpc, p_box=carton, p_what=sn) == (409, "box.shipped")
    assert attempt(db, "supervisor", "seal_box", p_box=pallet, p_is_sealed=False) == (
        409,
        "box.shipped",
    )


def test_what_came_back_is_reworked_without_touching_stock(db: psycopg.Connection) -> None:
    variant(db)
    sn, carton = to_status(db, "IN_FINISHED_STOCK"), box(db)
    put(db, carton, sn)
    seal(db, carton)
    call(db, "operator", "ship_box", p_box=carton, p_order=make_order(db))
    # The order takes the piece out of stock as everything else; here a person does.
    call(db, "operator", "issue_stock", p_sku="FX-DONE", p_quantity=1)
    call(db, "supervisor", "send_to_rework", p_sn=sn, p_reason="returned")
    row = unit_row(db, sn)
    assert (row["status"], row["box_code"], row["shipped_at"]) == ("REWORK", None, None)
    assert (sn, carton) in edges(db), "it was shipped in that box: that stays true"
    stock = db.execute("select on_hand from public.inventory_stock where sku = 'FX-DONE'")
    assert stock.fetchone() == (0,)


def test_only_packed_units_and_only_into_boxes(db: psycopg.Connection) -> None:
    variant(db)
    carton, pallet = box(db), box(db, "pallet")
    sn = to_status(db, "TEST_PASS")
    assert attempt(db, "operator", "put_in_box", p_box=carton, p_what=sn) == (
        409,
        "unit.wrong_state",
    )
    packed = to_status(db, "PACKED")
    for into, what, refusal in (
        (pallet, packed, (409, "box.kind_mismatch")),
        (carton, pallet, (409, "box.kind_mismatch")),
        ("NOWHERE", packed, (404, "box.unknown")),
        (carton, "2611-GN-99999", (404, "unit.unknown")),
    ):
        assert attempt(db, "operator", "put_in_box", p_box=into, p_what=what) == refusal
    put(db, carton, packed)
    other = box(db)
    assert attempt(db, "operator", "put_in_box", p_box=other, p_what=packed) == (
        409,
        "box.elsewhere",
    )
    call(db, "supervisor", "hold_unit", p_sn=packed, p_reason="look")
    assert attempt(db, "operator", "put_in_box", p_box=other, p_what=packed) == (
        423,
        "unit.on_hold",
    )


def test_what_is_sealed_stays_as_it_is(db: psycopg.Connection) -> None:
    variant(db)
    sn, carton = to_status(db, "PACKED"), box(db)
    put(db, carton, sn)
    assert seal(db, carton)["changed"] is True
    assert seal(db, carton)["changed"] is False
    for rpc in ("unpack_unit", "send_to_rework", "scrap_unit"):
        assert attempt(db, "supervisor", rpc, p_sn=sn, p_reason="x") == (409, "box.sealed")
    assert attempt(db, "operator", "take_from_box", p_box=carton, p_what=sn) == (409, "box.sealed")
    assert attempt(db, "operator", "seal_box", p_box=carton, p_is_sealed=False) == (
        403,
        "auth.forbidden",
    )
    seal(db, carton, "supervisor", False)
    call(db, "supervisor", "unpack_unit", p_sn=sn, p_reason="wrong cable")
    assert edges(db) == set()
    assert unit_row(db, sn)["box_code"] is None


def test_taken_out_again(db: psycopg.Connection) -> None:
    variant(db)
    sn, carton, pallet = to_status(db, "PACKED"), box(db), box(db, "pallet")
    put(db, carton, sn)
    put(db, pallet, carton)
    for code, what in ((pallet, carton), (carton, sn)):
        taken = call(db, "operator", "take_from_box", p_box=code, p_what=what)
        again = call(db, "operator", "take_from_box", p_box=code, p_what=what)
        assert (taken["changed"], again["changed"]) == (True, False)
    assert edges(db) == set()
    assert status_of(db, sn) == "PACKED"


def test_a_held_unit_keeps_its_box_from_leaving(db: psycopg.Connection) -> None:
    variant(db)
    sn, carton = to_status(db, "IN_FINISHED_STOCK"), box(db)
    put(db, carton, sn)
    seal(db, carton)
    call(db, "supervisor", "hold_unit", p_sn=sn, p_reason="recall")
    refused = attempt(db, "operator", "ship_box", p_box=carton, p_order=make_order(db))
    assert refused == (423, "unit.on_hold")
    call(db, "supervisor", "release_unit", p_sn=sn)
    call(db, "operator", "ship_box", p_box=carton, p_order="bannos-18617")


# Lists --------------------------------------------------------------------------------------


def test_units_page_by_page(db: psycopg.Connection) -> None:
    variant(db)
    sns = make_units(db, 5)
    call(db, "operator", "assign_unit_variant", p_sn=sns[1], p_variant="FX-EU")
    first = call(db, "viewer", "get_units", p_limit=3, p_with_total=True)
    assert [u["sn"] for u in first["units"]] == sns[:1:-1]
    assert first["total"] == 5
    rest = call(db, "viewer", "get_units", p_limit=3, p_cursor=first["next_cursor"])
    assert [u["sn"] for u in rest["units"]] == sns[1::-1]
    assert rest["next_cursor"] is None
    only = call(db, "viewer", "get_units", p_variant="FX-EU")
    assert [u["sn"] for u in only["units"]] == [sns[1]]
    found = call(db, "viewer", "get_units", p_search=sns[4][-6:].lower())
    assert [u["sn"] for u in found["units"]] == [sns[4]]
    assert attempt(db, "viewer", "get_units", p_cursor="x") == (400, "request.bad_cursor")


def test_finished_units_are_those_in_stock(db: psycopg.Connection) -> None:
    variant(db)
    here, gone, _ = (to_status(db, s) for s in ("IN_FINISHED_STOCK", "IN_FINISHED_STOCK", "PACKED"))
    carton = box(db)
    put(db, carton, gone)
    seal(db, carton)
    call(db, "operator", "ship_box", p_box=carton, p_order=make_order(db))
    page = call(db, "viewer", "get_finished_units", p_with_total=True)
    assert ([u["sn"] for u in page["units"]], page["total"]) == ([here], 1)


def test_everything_about_one_unit(db: psycopg.Connection) -> None:
    variant(db)
    sn, carton = to_status(db, "PACKED"), box(db)
    put(db, carton, sn)
    answer = call(db, "fixture", "get_unit", p_sn=sn.lower())
    assert answer["unit"]["sn"] == sn
    assert answer["variant"]["code"] == "FX-EU"
    assert answer["last_test"]["result"] == "PASS"
    assert answer["kit"]["used_by_sn"] == sn
    assert answer["box"]["code"] == carton
    assert answer["next_statuses"] == [
        "TEST_PASS", "ASSEMBLED", "IN_FINISHED_STOCK", "REWORK", "SCRAPPED",
    ]  # fmt: skip
    assert [e["event"] for e in answer["events"]] == unit_events(db, sn)[::-1]
    assert [n["key"] for n in answer["genealogy"]["went_into"]] == [carton]
    assert set(answer["gate"]) == {"allowed", "blockers", "expected"}


def test_the_old_names_of_what_happened(db: psycopg.Connection) -> None:
    variant(db)
    sn = to_status(db, "IN_FINISHED_STOCK")
    rows = db.execute(
        "select event_type from public.unit_events where sn = %s order by id", (sn,)
    ).fetchall()
    assert [r[0] for r in rows] == [
        "UNIT_CREATED", "UNIT_ASSIGNED_TO_VARIANT", "FLASH_OK", "TEST_PASS", "ASSEMBLY_DONE",
        "PACK_KIT_SCANNED", "PACK_FINALIZED", "MOVE_TO_STOCK",
    ]  # fmt: skip
