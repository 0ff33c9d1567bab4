"""Safe repeats and the guard."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.support.databases import USER_IDS
from tests.support.orders import events, make_order
from tests.support.rpc import Refused, acting_as, call, claims_of

NIL = UUID(int=0)


def authorize(
    db: psycopg.Connection, who: str, permission: str, store: str | None, site: str | None
) -> UUID | str | None:
    """The actor, or the code of the refusal."""
    _, claims = claims_of(who)
    try:
        with db.transaction():
            db.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))
            row = db.execute(
                "select private.authorize(%s, %s, %s)", (permission, store, site)
            ).fetchone()
    except psycopg.Error as error:
        return error.diag.message_hint
    assert row is not None
    return UUID(str(row[0]))


GUARD: list[tuple[str, str, str | None, str | None, UUID | str]] = [
    ("anon", "plant.read", None, None, "auth.required"),
    ("stranger", "plant.read", None, None, "auth.not_staff"),
    ("disabled", "plant.read", None, None, "auth.not_staff"),
    ("revoked_device", "plant.read", None, None, "auth.not_staff"),
    ("viewer", "orders.scan", None, None, "auth.forbidden"),
    ("viewer", "no.such_permission", None, None, "auth.forbidden"),
    ("flourlane_operator", "orders.scan", "bannos", None, "auth.other_store"),
    ("flourlane_operator", "orders.scan", None, "elsewhere", "auth.other_site"),
    ("kiosk", "settings.read", None, "elsewhere", "auth.other_site"),
    ("kiosk", "settings.read", "nowhere", None, "auth.other_store"),
    ("operator", "orders.scan", "bannos", "main", USER_IDS["operator"]),
    ("flourlane_operator", "orders.scan", "flourlane", "main", USER_IDS["flourlane_operator"]),
    ("kiosk", "settings.read", "bannos", "main", USER_IDS["kiosk"]),
    ("service", "work.run", "bannos", "main", NIL),
    ("service", "orders.scan", None, None, "auth.forbidden"),
]


@pytest.mark.parametrize("case", GUARD, ids=lambda case: "-".join(map(str, case[:4])))
def test_the_guard(
    db: psycopg.Connection, case: tuple[str, str, str | None, str | None, UUID | str]
) -> None:
    who, permission, store, site, expected = case
    db.execute("insert into public.sites (code, name) values ('elsewhere', 'Elsewhere')")
    assert authorize(db, who, permission, store, site) == expected


def test_request_ids_belong_to_their_actor(db: psycopg.Connection) -> None:
    request_id = uuid4()
    for number, who in enumerate(("planner", "manager"), start=1):
        made = call(
            db,
            who,
            "create_manual_order",
            p_store="bannos",
            p_product_title="Bun",
            p_request_id=request_id,
        )
        assert made[0]["order_number"] == f"M{number}"


def test_a_request_id_belongs_to_one_command(db: psycopg.Connection) -> None:
    make_order(db)
    request_id = uuid4()
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617", p_request_id=request_id)
    with pytest.raises(Refused) as refused:
        call(db, "operator", "complete_filling", p_order_id="bannos-18617", p_request_id=request_id)
    assert (refused.value.status, refused.value.code) == (422, "request.reused")
    assert refused.value.detail == {"first": "handle_print_barcode"}


def test_a_refused_command_leaves_its_request_id_free(db: psycopg.Connection) -> None:
    make_order(db)
    arguments: dict[str, Any] = {"p_order_id": "bannos-18617", "p_request_id": uuid4()}
    with pytest.raises(Refused):
        call(db, "operator", "complete_filling", **arguments)
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617")
    assert call(db, "operator", "complete_filling", **arguments)["changed"] is True


def test_a_repeat_by_somebody_disabled_meanwhile_is_refused(db: psycopg.Connection) -> None:
    make_order(db)
    arguments: dict[str, Any] = {"p_order_id": "bannos-18617", "p_request_id": uuid4()}
    call(db, "operator", "handle_print_barcode", **arguments)
    call(db, "admin", "set_staff_active", p_user_id=USER_IDS["operator"], p_is_active=False)
    with pytest.raises(Refused) as refused:
        call(db, "operator", "handle_print_barcode", **arguments)
    assert refused.value.code == "auth.not_staff"
    assert events(db, "bannos-18617") == ["filling.started"]


def test_the_station_is_a_label_of_bounded_length(db: psycopg.Connection) -> None:
    with acting_as(db, "operator", {"x-takt-station": "  " + "s" * 100}):
        db.execute("reset role")
        assert db.execute("select private.station()").fetchone() == ("s" * 64,)
    for headers in ({}, {"x-takt-station": "  "}):
        with acting_as(db, "operator", headers):
            db.execute("reset role")
            assert db.execute("select private.station()").fetchone() == (None,)
