"""Sites and stores."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.orders import make_order
from tests.support.rpc import Refused, acting_as, call

STORE: dict[str, Any] = {
    "p_code": "crumbs",
    "p_name": "Crumbs",
    "p_site": "main",
    "p_scan_prefix": "C",
}


def refused(db: psycopg.Connection, rpc: str, **arguments: Any) -> tuple[Any, Any]:
    with pytest.raises(Refused) as caught:
        call(db, "admin", rpc, **arguments)
    return caught.value.status, caught.value.code


def test_a_site_is_added_and_changed(db: psycopg.Connection) -> None:
    site: dict[str, Any] = {"p_code": "north", "p_name": "North", "p_time_zone": "Europe/Vienna"}
    assert call(db, "admin", "register_site", **site)["time_zone"] == "Europe/Vienna"
    moved = call(db, "admin", "register_site", **site | {"p_time_zone": "UTC"})
    assert moved["time_zone"] == "UTC"
    assert db.execute("select count(*) from public.sites").fetchone() == (2,)


@pytest.mark.parametrize("zone", ["Sydney", "Mars/Base", "+25", ""])
def test_a_time_zone_must_exist(db: psycopg.Connection, zone: str) -> None:
    site: dict[str, Any] = {"p_code": "north", "p_name": "North", "p_time_zone": zone}
    assert refused(db, "register_site", **site) == (422, "site.time_zone")


def test_a_store_comes_with_its_read_view(db: psycopg.Connection) -> None:
    for name in ("Crumbs", "Crumbs & Co"):  # again = change
        assert call(db, "admin", "register_store", **STORE | {"p_name": name})["name"] == name
    row = db.execute(
        "select c.reloptions, array(select a.grantee::regrole::text || ':' || a.privilege_type"
        " from aclexplode(c.relacl) a where a.grantee <> c.relowner),"
        " obj_description(c.oid) is not null"
        " from pg_catalog.pg_class c where c.oid = 'public.orders_crumbs'::regclass"
    ).fetchone()
    assert row == (["security_invoker=on"], ["authenticated:SELECT"], True)
    make_order(db, "crumbs-1")
    make_order(db, "bannos-1")
    with acting_as(db, "operator"):
        seen = db.execute("select id from public.orders_crumbs").fetchall()
    assert seen == [("crumbs-1",)]
    with acting_as(db, "flourlane_operator"):
        assert db.execute("select id from public.orders_crumbs").fetchall() == []


def test_a_short_barcode_of_the_new_store_works_at_once(db: psycopg.Connection) -> None:
    call(db, "admin", "register_store", **STORE)
    make_order(db, "crumbs-7")
    assert call(db, "operator", "scan", p_code="#C7")["order_row"]["id"] == "crumbs-7"


def test_what_is_refused(db: psycopg.Connection) -> None:
    assert refused(db, "register_store", **STORE | {"p_site": "nowhere"}) == (404, "site.unknown")
    for arguments, constraint in (
        ({"p_code": "Crumbs"}, "stores_code_check"),
        ({"p_code": 'x"; drop table orders; --'}, "stores_code_check"),
        ({"p_scan_prefix": "B"}, "stores_scan_prefix_key"),
        ({"p_scan_prefix": "b1"}, "stores_scan_prefix_check"),
        ({"p_currency": "euro"}, "stores_currency_check"),
        ({"p_name": ""}, "stores_name_check"),
    ):
        with pytest.raises(Refused) as caught:
            call(db, "admin", "register_store", **STORE | arguments)
        assert caught.value.constraint == constraint
