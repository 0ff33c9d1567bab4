"""What a stolen token must not do; and who asks to be forgotten is forgotten."""

from __future__ import annotations

import json
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.m02_shopify.shop import connect_shop, deliver, order, process, receive, signed
from tests.support.orders import make_order, ticket
from tests.support.rpc import Refused, acting_as, call


def test_a_station_name_of_three_megabytes_is_cut(db: psycopg.Connection) -> None:
    make_order(db)
    call(
        db, "operator", "handle_print_barcode", p_order_id="bannos-18617", p_station="s" * 3_000_000
    )
    call(db, "operator", "scan", p_code="x" * 3_000_000, p_station="s" * 3_000_000)
    rows = db.execute("select max(length(station)), max(length(stream_id)) from public.events")
    assert rows.fetchone() == (64, 200)


def test_long_arguments_are_kept_as_a_digest(db: psycopg.Connection) -> None:
    request = uuid4()
    first = call(db, "operator", "scan", p_code="y" * 9000, p_request_id=request)
    assert call(db, "operator", "scan", p_code="y" * 9000, p_request_id=request) == first
    with pytest.raises(Refused) as refused:
        call(db, "operator", "scan", p_code="y" * 8999, p_request_id=request)
    assert refused.value.code == "request.reused"
    size = db.execute("select max(length(args::text)) from private.commands").fetchone()
    assert size is not None
    assert size[0] < 200


@pytest.mark.parametrize("status", [[1], "text", {"a": "x" * 8001}])
def test_a_device_reports_a_small_object(db: psycopg.Connection, status: object) -> None:
    with pytest.raises(Refused) as refused:
        call(db, "print_agent", "device_heartbeat", p_status=Jsonb(status))
    assert (refused.value.status, refused.value.code) == (422, "device.status")


def test_accessories_have_a_limit(db: psycopg.Connection) -> None:
    make_order(db)
    with pytest.raises(Refused) as refused:
        call(db, "supervisor", "update_order_core", p_order_id="bannos-18617", p_version=1,
             p_accessories=Jsonb([{"title": "x" * 20_001}]))  # fmt: skip
    assert refused.value.code == "request.too_long"


def test_nothing_scanned_at_all_is_refused_in_words(db: psycopg.Connection) -> None:
    with acting_as(db, "operator"):
        row = db.execute("select (s).hint from public.scan(null) s").fetchone()
    assert row == ("scan.empty",)


def test_a_station_of_another_site_is_not_taken_over(db: psycopg.Connection) -> None:
    db.execute("insert into public.sites (code, name) values ('berlin', 'Berlin')")
    db.execute("insert into public.stations (code, site, name) values ('kiez', 'berlin', 'Kiez')")
    db.execute("update public.staff_shared set stores = '{bannos}' where role = 'manager'")
    with pytest.raises(Refused) as refused:
        call(db, "manager", "register_station", p_code="kiez", p_name="Mine", p_site="main",
             p_store="bannos", p_is_active=False)  # fmt: skip
    assert refused.value.code == "auth.other_site"


def test_a_regular_expression_that_refers_back_is_refused(db: psycopg.Connection) -> None:
    with pytest.raises(Refused) as refused:
        call(db, "admin", "upsert_extraction_rule", p_scope="title", p_match="regex",
             p_pattern=r"(.+)(.+)\2\1", p_target="size")  # fmt: skip
    assert (refused.value.status, refused.value.code) == (422, "channels.bad_pattern")


@pytest.mark.parametrize("topic", ["shop/redact", "app/uninstalled", "customers/redact"])
def test_a_signed_order_is_no_order_to_forget(db: psycopg.Connection, topic: str) -> None:
    """The signature covers the body, not the topic: a captured order must not end a shop."""
    connect_shop(db)
    deliver(db, "orders_create__web_two_cakes_gelato_accessory")
    body = json.dumps(order()).encode()
    answer = process(db, receive(db, body, signed(body, topic))["inbox_id"])
    assert answer["ok"] is False
    assert "webhook.not_this_shop" in answer["error"]
    assert ticket(db, "bannos-18617-A")["customer_name"] is not None
    assert db.execute("select status from public.shop_tokens").fetchone() == ("active",)


def test_who_asks_to_be_forgotten_is_out_of_events_and_answers_too(db: psycopg.Connection) -> None:
    connect_shop(db)
    deliver(db, "orders_create__web_two_cakes_gelato_accessory")
    request = uuid4()
    call(db, "operator", "scan", p_code="bannos-18617-A", p_request_id=request)
    edit = {"p_order_id": "bannos-18617-A", "p_version": 2, "p_customer_name": "Zora Secret"}
    call(db, "supervisor", "update_order_core", p_request_id=uuid4(), **edit)
    deliver(db, "customers_redact")
    everything = db.execute(
        "select string_agg(x, ' ') from ("
        " select e.payload::text from public.events e union all"
        " select c.answer::text || c.args::text from private.commands c union all"
        " select o::text from public.orders o) as t (x)"
    ).fetchone()
    assert everything is not None
    for word in ("Zora Secret", "Test Customer", "Happy 40th"):
        assert word not in everything[0], word
    again = call(db, "operator", "scan", p_code="bannos-18617-A", p_request_id=request)
    assert (again["changed"], again["order_row"]["customer_name"]) == (True, None)
    with pytest.raises(psycopg.Error, match="never changed"):
        db.execute("update public.events set payload = '{}'")
