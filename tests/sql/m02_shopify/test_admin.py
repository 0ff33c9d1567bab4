"""Shops, secrets and the inbox: who may, what it answers, what it never shows."""

from __future__ import annotations

import base64
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.m02_shopify.shop import (
    KEY,
    SECRET,
    WEB_ORDER,
    connect_shop,
    deliver,
    payload,
    receive,
    set_secret,
    tickets,
)
from tests.support.rpc import Refused, acting_as, call

SHOP = {"p_store": "bannos", "p_source": "shopify", "p_domain": "Example-Cakes.myshopify.com"}
CALLS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "save_shop": (SHOP, {"manager", "admin", "service"}),
    "set_shop_secret": (
        {"p_store": "bannos", "p_kind": "webhook", "p_secret": "another"},
        {"admin", "service"},
    ),
    "pause_webhooks": ({}, {"manager", "admin", "service"}),
    "resume_webhooks": ({}, {"manager", "admin", "service"}),
    "channel_status": ({}, {"supervisor", "planner", "manager", "admin", "service"}),
    "list_inbox": ({}, {"supervisor", "planner", "manager", "admin", "service"}),
    "get_inbox_body": ({"p_id": 1}, {"manager", "admin", "service"}),
    "replay_webhooks": ({"p_store": "bannos"}, {"manager", "admin", "service"}),
    "requeue_dead_webhooks": ({"p_ids": [1]}, {"manager", "admin", "service"}),
    "import_orders": (
        {"p_store": "bannos", "p_source": "generic", "p_rows": Jsonb([{"order_number": "1"}])},
        {"planner", "manager", "admin", "service"},
    ),
    "try_extraction": (
        {"p_store": "bannos", "p_payload": {"id": 1, "line_items": []}},
        {"supervisor", "planner", "manager", "admin", "service"},
    ),
    "upsert_extraction_rule": (
        {"p_scope": "tag", "p_match": "exact", "p_pattern": "x", "p_target": "skip"},
        {"manager", "admin", "service"},
    ),
    "delete_extraction_rule": ({"p_id": 1}, {"manager", "admin", "service"}),
}
PEOPLE = (
    *("anon", "stranger", "disabled", "viewer", "operator", "technician", "supervisor", "planner"),
    *("manager", "admin", "kiosk", "print_agent", "revoked_device", "service"),
)


@pytest.mark.parametrize("rpc", CALLS)
def test_who_may(db: psycopg.Connection, rpc: str) -> None:
    connect_shop(db)
    receive(db, *payload(WEB_ORDER))
    arguments, allowed = CALLS[rpc]
    for who in PEOPLE:
        if who in allowed:
            call(db, who, rpc, headers=KEY, **arguments)
            continue
        with pytest.raises(Refused) as refused:
            call(db, who, rpc, headers=KEY, **arguments)
        assert refused.value.sqlstate == "42501" or refused.value.status == 403, who


@pytest.mark.parametrize("rpc", [r for r, (a, _) in CALLS.items() if "p_store" in a])
def test_other_stores_are_out_of_reach(db: psycopg.Connection, rpc: str) -> None:
    connect_shop(db)
    db.execute("update public.staff_shared set stores = '{flourlane}' where role = 'admin'")
    with pytest.raises(Refused, match=r"auth\.other_store"):
        call(db, "admin", rpc, headers=KEY, **CALLS[rpc][0])


def test_what_belongs_to_other_stores_is_not_listed(db: psycopg.Connection) -> None:
    connect_shop(db)
    inbox_id = deliver(db, WEB_ORDER) and 1
    db.execute("update public.staff_shared set stores = '{flourlane}' where role = 'manager'")
    assert call(db, "manager", "list_inbox") == []
    assert call(db, "manager", "channel_status") == []
    assert call(db, "manager", "replay_webhooks", p_ids=[inbox_id]) == []
    assert call(db, "manager", "pause_webhooks") == []
    with pytest.raises(Refused, match=r"auth\.other_store"):
        call(db, "manager", "get_inbox_body", p_id=inbox_id)
    with acting_as(db, "manager"):
        for table in ("shop_tokens", "channel_orders", "orders_bannos"):
            count = db.execute(f"select count(*) from public.{table}").fetchone()
            assert count == (0,)


def test_a_shop_is_saved_once(db: psycopg.Connection) -> None:
    first = call(db, "manager", "save_shop", **SHOP)
    assert (first["shop_domain"], first["status"], first["version"]) == (
        "example-cakes.myshopify.com",
        "active",
        1,
    )
    assert call(db, "manager", "save_shop", **SHOP) == first
    changed = call(db, "manager", "save_shop", p_date_format="mdy", **SHOP)
    assert (changed["date_format"], changed["version"]) == ("mdy", 2)
    names = db.execute("select event from public.events where stream = 'channel'").fetchall()
    assert names == [("channel.saved",), ("channel.saved",)]


def test_a_request_id_answers_the_same_and_is_used_once(db: psycopg.Connection) -> None:
    request = {"p_request_id": uuid4()}
    first = call(db, "manager", "save_shop", **SHOP, **request)
    call(db, "manager", "save_shop", p_date_format="mdy", **SHOP)
    assert call(db, "manager", "save_shop", **SHOP, **request) == first
    with pytest.raises(Refused, match=r"request\.reused"):
        call(db, "manager", "save_shop", p_date_format="iso", **SHOP, **request)


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        ({"p_store": "nowhere"}, 404, "store.unknown"),
        ({"p_store": "flourlane"}, 409, "channels.domain_taken"),
        ({"p_source": "woocommerce"}, 409, "channels.source_fixed"),
    ],
)
def test_shops_that_cannot_be(
    db: psycopg.Connection, arguments: dict[str, Any], status: int, code: str
) -> None:
    connect_shop(db)
    deliver(db, WEB_ORDER)
    with pytest.raises(Refused) as refused:
        call(db, "admin", "save_shop", **{**SHOP, **arguments})
    assert (refused.value.status, refused.value.code) == (status, code)


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        ({"p_store": "flourlane"}, 404, "channels.unknown_shop"),
        ({"p_kind": "password"}, 422, "channels.secret_kind"),
        ({"p_secret": ""}, 422, "channels.bad_secret"),
        ({"p_secret": "whsec_not base64"}, 422, "channels.bad_secret"),
        ({"p_overlap_minutes": 10081}, 422, "channels.overlap"),
        ({"p_overlap_minutes": -1}, 422, "channels.overlap"),
    ],
)
def test_secrets_that_cannot_be(
    db: psycopg.Connection, arguments: dict[str, Any], status: int, code: str
) -> None:
    connect_shop(db)
    known = {"p_store": "bannos", "p_kind": "webhook", "p_secret": "x"}
    with pytest.raises(Refused) as refused:
        call(db, "admin", "set_shop_secret", headers=KEY, **{**known, **arguments})
    assert (refused.value.status, refused.value.code) == (status, code)


def test_without_a_key_no_secret_is_kept(db: psycopg.Connection) -> None:
    connect_shop(db)
    with pytest.raises(Refused) as refused:
        call(db, "admin", "set_shop_secret", p_store="bannos", p_kind="access_token", p_secret="x")
    assert (refused.value.status, refused.value.code) == (412, "channels.no_key")
    assert "TAKT_SECRETS_KEY" in refused.value.message


def test_a_secret_is_nowhere_to_be_read(db: psycopg.Connection) -> None:
    connect_shop(db)
    answer = set_secret(db, "s3cret-of-the-shop", p_request_id=uuid4())
    assert set_secret(db, "s3cret-of-the-shop")["changed"] is False
    deliver(db, WEB_ORDER)
    assert "s3cret" not in str(answer)
    tables = db.execute(
        "select format('%I.%I', schemaname, tablename) from pg_catalog.pg_tables"
        " where schemaname in ('public', 'private')"
    ).fetchall()
    for (table,) in tables:
        for (text,) in db.execute(f"select to_jsonb(t)::text from {table} t").fetchall():
            assert "s3cret" not in text, table
            assert SECRET not in text, table
            assert b"s3cret".hex() not in text, table


def test_vault_keeps_the_secret_where_there_is_one(db: psycopg.Connection) -> None:
    db.execute("""
        create schema vault;
        create table vault.secrets (id uuid default gen_random_uuid() primary key, secret text);
        create view vault.decrypted_secrets as
          select id, secret as decrypted_secret from vault.secrets;
        create function vault.create_secret(new_secret text) returns uuid language sql as
          $$ insert into vault.secrets (secret) values (new_secret) returning id $$;
    """)
    connect_shop(db)
    for secret in ("second", "third"):
        set_secret(db, secret)
    rows = db.execute(
        "select s.slot, v.decrypted_secret, s.ciphertext from private.shop_secrets s"
        " join vault.decrypted_secrets v on v.id = s.vault_id order by 1"
    ).fetchall()
    assert rows == [(1, "third", None), (2, "second", None)]
    assert db.execute("select count(*) from vault.secrets").fetchone() == (2,)


def test_the_inbox_is_listed_in_pages_without_content(db: psycopg.Connection) -> None:
    connect_shop(db)
    ids = [
        receive(db, *payload(name))["inbox_id"]
        for name in (WEB_ORDER, "products_update", "orders_edited__delta")
    ]
    page = call(db, "supervisor", "list_inbox", p_limit=2)
    assert [row["id"] for row in page] == [ids[2], ids[1]]
    assert not {"raw", "headers"} & set(page[0])
    rest = call(db, "supervisor", "list_inbox", p_limit=2, p_before=ids[1])
    assert [row["id"] for row in rest] == [ids[0]]
    assert call(db, "supervisor", "list_inbox", p_status="dead", p_store="bannos") == []


def test_the_content_of_a_webhook_is_for_managers(db: psycopg.Connection) -> None:
    connect_shop(db)
    inbox_id = receive(db, *payload(WEB_ORDER))["inbox_id"]
    body = call(db, "manager", "get_inbox_body", p_id=inbox_id)
    assert body["json"]["name"] == "#18617"
    assert "hmac" not in str(body["headers"])
    with pytest.raises(Refused, match=r"webhook\.unknown"):
        call(db, "manager", "get_inbox_body", p_id=4711)


@pytest.mark.parametrize("rpc", ["pause_webhooks", "resume_webhooks"])
def test_only_a_shop_can_be_paused(db: psycopg.Connection, rpc: str) -> None:
    with pytest.raises(Refused) as refused:
        call(db, "admin", rpc, p_store="bannos")
    assert (refused.value.status, refused.value.code) == (404, "channels.unknown_shop")


def test_staff_read_shops_and_rules_but_no_secret(db: psycopg.Connection) -> None:
    connect_shop(db)
    deliver(db, WEB_ORDER)
    assert len(tickets(db)) == 3
    for who, rows in (("supervisor", 1), ("viewer", 0)):
        with acting_as(db, who):
            for table in ("shop_tokens", "channel_orders"):
                count = db.execute(f"select count(*) from public.{table}").fetchone()
                assert count == (rows,)
    with pytest.raises(Refused) as refused, acting_as(db, "admin"):
        db.execute("select * from private.shop_secrets")
    assert refused.value.sqlstate == "42501"


def test_a_secret_of_another_server_is_said_and_replaced(db: psycopg.Connection) -> None:
    """After a restore into another stack the key is another: webhooks must be mendable."""
    connect_shop(db)
    other = {"x-takt-secrets-key": "the key of another server"}

    def state(headers: dict[str, str]) -> str:
        (health,) = call(db, "service", "channel_status", headers=headers)
        return str(health["secret_state"])

    assert (state(KEY), state(other), state({})) == ("ok", "unreadable", "unknown")
    arguments = {"p_store": "bannos", "p_kind": "webhook", "p_secret": "a new secret"}
    with pytest.raises(Refused) as refused:
        receive_with(db, other)
    assert (refused.value.status, refused.value.code) == (412, "channels.wrong_key")
    call(db, "admin", "set_shop_secret", headers=other, **arguments)
    assert state(other) == "ok"
    with pytest.raises(Refused) as refused:
        receive_with(db, other)
    assert refused.value.code == "webhook.bad_signature"


def receive_with(db: psycopg.Connection, headers: dict[str, str]) -> None:
    body, signature = payload(WEB_ORDER)
    arguments = {"p_source": "shopify", "p_shop": "bannos", "p_headers": signature}
    encoded = base64.b64encode(body).decode()
    call(db, "service", "receive_webhook", headers=headers, p_body=encoded, **arguments)
