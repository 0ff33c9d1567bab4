"""What goes into a unit and comes out again, and what the gate makes of it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.sql.inventory.stock import on_hand, refused
from tests.support.databases import Clone
from tests.support.rpc import Refused, call
from tests.support.trace import back, forward, install, item, lot, reached, uninstall, unit_of
from tests.support.units import (
    blockers,
    make_units,
    new_unit,
    pack,
    scan_kit,
    status_of,
    to_status,
    unit_events,
    unit_row,
    variant,
)


def test_a_lot_goes_in_and_comes_out(db: psycopg.Connection) -> None:
    lot(db, "L-1")
    (sn,) = make_units(db)
    installed = install(db, sn.lower(), lot="l-1", quantity=3)
    assert installed["changed"]
    assert installed["component"]["sku"] == "CELL"
    assert reached(forward(db, "L-1")) == {sn}
    assert reached(back(db, sn)) == {"L-1"}
    out = uninstall(db, installed)
    assert (out["changed"], out["component"]["removal"]) == (True, "recovered")
    assert reached(forward(db, "L-1")) == set()
    assert reached(forward(db, "L-1", with_removed=True)) == {sn}
    again = uninstall(db, installed)
    assert (again["changed"], again["event_id"]) == (False, None)
    assert unit_events(db, sn)[1:] == ["unit.component_installed", "unit.component_removed"]


def test_a_serial_sits_in_one_unit_at_a_time(db: psycopg.Connection) -> None:
    item(db, "BOARD")
    first, second = make_units(db, 2)
    installed = install(db, first, sku="board", component_sn="SUP-77")
    assert not install(db, first, sku="BOARD", component_sn="SUP-77")["changed"]
    error = refused(
        db, "operator", "install_component", p_sn=second, p_sku="BOARD", p_component_sn="SUP-77"
    )
    assert (error.status, error.code) == (409, "component.elsewhere")
    assert error.detail["built_into"] == first
    uninstall(db, installed)
    assert install(db, second, sku="BOARD", component_sn="SUP-77")["changed"]
    assert reached(forward(db, "SUP-77")) == {second}
    assert reached(forward(db, "SUP-77", with_removed=True)) == {first, second}


def test_pieces_without_lot_or_serial_are_traced_by_item(db: psycopg.Connection) -> None:
    item(db, "SCREW")
    (sn,) = make_units(db)
    install(db, sn, sku="SCREW", quantity=4)
    assert reached(forward(db, sku="SCREW")) == {sn}
    assert forward(db, sku="SCREW")["starts"][0]["kind"] == "item"


def test_a_unit_in_a_unit(db: psycopg.Connection) -> None:
    lot(db, "L-1")
    variant(db)
    inner = new_unit(db)
    install(db, inner, lot="L-1")
    (outer,) = make_units(db)
    installed = install(db, outer, component_sn=inner)
    assert installed["component"]["sku"] == "FX-DONE"
    assert reached(back(db, outer)) == {inner, "L-1"}
    assert reached(forward(db, "L-1")) == {inner, outer}
    for rpc, arguments in (
        ("install_component", {"p_lot": "L-1"}),
        ("record_flash", {"p_ok": True, "p_fw_version": "1"}),
        ("scrap_unit", {"p_reason": "broken"}),
    ):
        error = refused(db, "supervisor", rpc, p_sn=inner, **arguments)
        assert (error.status, error.code) == (409, "unit.built_in"), rpc
    error = refused(db, "operator", "install_component", p_sn=inner, p_component_sn=outer)
    assert error.status == 409
    error = refused(
        db, "operator", "uninstall_component", p_component_id=installed["component"]["id"],
        p_removal="scrapped",
    )  # fmt: skip
    assert (error.status, error.code) == (422, "component.is_unit")
    uninstall(db, installed)
    call(db, "supervisor", "scrap_unit", p_sn=inner, p_reason="broken")
    error = refused(db, "operator", "install_component", p_sn=outer, p_component_sn=inner)
    assert (error.status, error.code) == (409, "unit.wrong_state")


def test_what_is_taken_from_the_shelf_goes_back_there(db: psycopg.Connection) -> None:
    lot(db, "L-1")
    call(db, "operator", "receive_stock", p_sku="CELL", p_quantity=10)
    (sn,) = make_units(db)
    kept = install(db, sn, lot="L-1", quantity=4, location="main")
    broken = install(db, sn, lot="L-1", quantity=1, location="main")
    free = install(db, sn, lot="L-1", quantity=2)
    assert on_hand(db, "CELL") == 5
    uninstall(db, broken, "scrapped")
    assert on_hand(db, "CELL") == 5
    uninstall(db, free)
    assert on_hand(db, "CELL") == 5
    uninstall(db, kept)
    assert on_hand(db, "CELL") == 9
    call(db, "planner", "upsert_item", p_sku="CELL", p_forbid_negative=True)
    error = refused(
        db, "operator", "install_component", p_sn=sn, p_lot="L-1", p_quantity=10, p_location="main"
    )
    assert (error.status, error.code) == (409, "stock.short")
    assert reached(back(db, sn)) == set()


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        ({"p_lot": "L-0"}, 404, "lot.unknown"),
        ({"p_lot": "SAME"}, 409, "lot.ambiguous"),
        ({"p_sku": "NONE"}, 404, "item.unknown"),
        ({"p_component_sn": "SUP-1"}, 422, "component.sku_required"),
        ({"p_sku": "CELL", "p_component_sn": "S", "p_quantity": 2}, 422, "component.one_serial"),
        ({"p_sku": "CELL", "p_quantity": 0}, 422, "stock.quantity"),
        ({"p_sku": "CELL", "p_location": "moon"}, 404, "location.unknown"),
        ({"p_lot": "HELD"}, 423, "lot.on_hold"),
        ({"p_component_sn": "{boxed}"}, 409, "component.in_box"),
        ({"p_component_sn": "{held}"}, 423, "unit.on_hold"),
        ({"p_component_sn": "{self}", "p_sku": "CELL"}, 409, "trace.circle"),
    ],
)
def test_what_cannot_go_in_says_why(
    asked: dict[str, Any], arguments: dict[str, Any], status: int, code: str
) -> None:
    names = {k: v.format(**asked["sns"]) if isinstance(v, str) else v for k, v in arguments.items()}
    db = asked["db"]
    with db.transaction(force_rollback=True):
        error = refused(db, "operator", "install_component", p_sn=asked["sns"]["self"], **names)
    assert (error.status, error.code) == (status, code)


@pytest.fixture(scope="module")
def asked(module_clone: Clone) -> Any:
    with module_clone.connect() as db:
        for sku in ("CELL", "BOARD"):
            lot(db, "SAME", sku)
        lot(db, "HELD")
        call(db, "supervisor", "hold_lot", p_code="HELD", p_reason="dented")
        variant(db)
        boxed, held = to_status(db, "IN_FINISHED_STOCK"), to_status(db, "ON_HOLD")
        box = call(db, "operator", "create_box")["box"]["code"]
        call(db, "operator", "put_in_box", p_box=box, p_what=boxed)
        (own,) = make_units(db)
        yield {"db": db, "sns": {"self": own, "boxed": boxed, "held": held}}


def test_a_unit_that_is_packed_or_held_is_not_changed(db: psycopg.Connection) -> None:
    lot(db, "L-1")
    variant(db)
    for status, code in (("PACKED", "unit.wrong_state"), ("ON_HOLD", "unit.on_hold")):
        error = refused(
            db, "operator", "install_component", p_sn=to_status(db, status), p_lot="L-1"
        )
        assert error.code == code
    error = refused(db, "operator", "uninstall_component", p_component_id=999)
    assert (error.status, error.code) == (404, "component.unknown")
    sn = unit_of(db, "L-1")
    component = db.execute("select id from public.unit_components where sn = %s", (sn,)).fetchone()
    assert component is not None
    error = refused(
        db, "operator", "uninstall_component", p_component_id=component[0], p_removal="lost"
    )
    assert (error.status, error.code) == (422, "component.removal")


def test_a_changed_unit_must_be_tested_again(db: psycopg.Connection) -> None:
    lot(db, "L-1")
    variant(db)
    sn = to_status(db, "TEST_PASS")
    build = unit_row(db, sn)["build_no"]
    installed = install(db, sn, lot="L-1")
    assert unit_row(db, sn)["build_no"] == build, "assembly comes after the test"
    call(db, "operator", "record_assembly", p_sn=sn)
    assert "NO_TEST_RUN" not in blockers(db, sn)
    install(db, sn, lot="L-1")
    assert "NO_TEST_RUN" in blockers(db, sn), "an assembled unit was changed"
    build = unit_row(db, sn)["build_no"]
    uninstall(db, installed)
    assert unit_row(db, sn)["build_no"] == build + 1


def test_the_gate_knows_what_is_missing_and_what_is_held_however_deep(
    db: psycopg.Connection,
) -> None:
    lot(db, "L-1")
    item(db, "SCREW")
    needed = [{"sku": "FX-INNER", "quantity": 1}, {"sku": "SCREW", "quantity": 4}]
    variant(db, "INNER", sku="FX-INNER")
    variant(db, rules={"required_components": needed})
    inner = new_unit(db, "INNER")
    install(db, inner, lot="L-1")
    sn = to_status(db, "TEST_PASS")
    install(db, sn, sku="SCREW", quantity=3)
    install(db, sn, component_sn=inner)
    scan_kit(db, sn)
    assert blockers(db, sn) == ["COMPONENT_MISSING"]
    install(db, sn, sku="screw")
    assert blockers(db, sn) == []
    call(db, "supervisor", "hold_lot", p_code="L-1", p_reason="swollen")
    assert blockers(db, sn) == ["COMPONENT_ON_HOLD"]
    held = db.execute("select private.held_components(%s)", (sn,)).fetchone()
    assert held == ([{"sku": "CELL", "lot": "L-1", "component_sn": None, "reason": "swollen"}],)
    assert not pack(db, sn)["allowed"]
    call(db, "supervisor", "release_lot", p_code="L-1", p_reason="a scratch")
    call(db, "supervisor", "hold_unit", p_sn=inner, p_reason="look at it")
    assert blockers(db, sn) == ["COMPONENT_ON_HOLD"]
    call(db, "supervisor", "release_unit", p_sn=inner, p_reason="fine")
    assert pack(db, sn)["allowed"]
    assert status_of(db, sn) == "PACKED"


def test_lots_are_added_changed_held_and_released(db: psycopg.Connection) -> None:
    item(db, "CELL")
    save: dict[str, Any] = {"p_sku": "cell", "p_code": "L-1"}
    first = call(db, "operator", "upsert_lot", **save, p_supplier="Volta")
    assert (first["changed"], first["lot"]["kind"]) == (True, "RAW")
    assert not call(db, "operator", "upsert_lot", **save)["changed"]
    again = call(db, "operator", "upsert_lot", p_sku="CELL", p_code="l-1", p_kind="WIP")
    assert (again["changed"], again["lot"]["id"]) == (True, first["lot"]["id"])
    assert (again["lot"]["supplier"], again["lot"]["code"]) == ("Volta", "L-1")
    hold: dict[str, Any] = {"p_code": "l-1", "p_reason": "swollen"}
    assert call(db, "supervisor", "hold_lot", **hold)["changed"]
    assert not call(db, "supervisor", "hold_lot", **hold)["changed"]
    free = call(db, "supervisor", "release_lot", **hold)
    assert (free["changed"], free["lot"]["held_at"]) == (True, None)
    assert not call(db, "supervisor", "release_lot", **hold)["changed"]
    rows = db.execute(
        "select event from public.events where stream = 'lot' and stream_id = 'CELL L-1'"
        " order by id"
    ).fetchall()
    names = ["lot.saved", "lot.saved", "lot.held", "lot.released"]
    assert [row[0] for row in rows] == names
    error = refused(db, "supervisor", "hold_lot", p_code="L-1", p_reason=" ")
    assert (error.status, error.code) == (422, "unit.reason_required")
    with pytest.raises(Refused) as caught:
        call(db, "operator", "hold_lot", **hold)
    assert caught.value.status == 403
