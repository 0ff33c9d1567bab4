"""Replay and import go through the same merge: again changes nothing, dry runs change nothing."""

from __future__ import annotations

import csv
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.m02_shopify.shop import (
    PAYLOADS,
    WEB_ORDER,
    changed,
    connect_shop,
    deliver,
    deliver_order,
    dump,
    inbox,
    order,
    payload,
    receive,
    tickets,
)
from tests.sql.m02_shopify.test_process import work
from tests.support.orders import advance
from tests.support.rpc import Refused, call

NAMES = (
    "orders_updated__address_change_only",
    WEB_ORDER,
    "orders_create__pickup_iso_date_attributes",
    "orders_create__pos_sale_already_fulfilled",
    "orders_updated__after_edit_one_cake_removed_topper_added",
    "orders_edited__delta",
    "products_update",
    "customers_data_request",
)


@pytest.fixture
def db(db: psycopg.Connection) -> psycopg.Connection:
    connect_shop(db)
    return db


def import_rows(db: psycopg.Connection, rows: list[Any], **more: Any) -> list[dict[str, Any]]:
    who = more.pop("who", "planner")
    arguments = {"p_store": "bannos", "p_source": "generic", **more}
    return list(call(db, who, "import_orders", p_rows=Jsonb(rows), **arguments))


def csv_rows() -> list[dict[str, str | None]]:
    with (PAYLOADS / "generic_orders_import.csv").open(newline="") as file:
        return [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]


def test_a_replay_of_everything_changes_nothing(db: psycopg.Connection) -> None:
    for name in NAMES:
        deliver(db, name)
    advance(db, "bannos-18617-A", "Decorating")
    deliver_order(db, changed(order(), 3, note="late note"))
    db.execute("update public.work_queue set status = 'done'")
    before = dump(db)
    rows = call(db, "manager", "replay_webhooks", p_store="bannos", p_dry_run=False)
    assert [row["result"] for row in rows] == ["queued"] * (len(NAMES) + 1)
    assert len(work(db)) == len(NAMES) + 1
    after = dump(db)
    # A data request is shown to a person again, nothing else happens.
    shown = [e for e in after["public.events"] if e[0]["event"] == "channel.data_request"]
    after["public.events"] = [e for e in after["public.events"] if e not in shown[1:]]
    before["public.events"].sort(key=str)
    after["public.events"].sort(key=str)
    assert after == before
    statuses = {inbox(db, row["inbox_id"])["status"] for row in rows}
    assert statuses == {"done", "ignored"}


def test_a_dry_run_shows_what_the_merge_would_do_and_does_nothing(db: psycopg.Connection) -> None:
    first = receive(db, *payload(WEB_ORDER))["inbox_id"]
    bad = receive(db, *payload("orders_edited__delta"))["inbox_id"]
    db.execute("update private.webhook_inbox set topic = 'orders/create' where id = %s", (bad,))
    before = dump(db)
    shown, poison = call(db, "manager", "replay_webhooks", p_ids=[first, bad])
    assert (shown["ok"], shown["result"], len(shown["changes"])) == (True, "created", 3)
    assert (poison["ok"], poison["result"]) == (False, "error")
    assert "not an order" in poison["error"]
    assert dump(db) == before
    work(db)
    assert [c["id"] for c in shown["changes"]] == list(tickets(db))


def test_a_replay_needs_to_know_what(db: psycopg.Connection) -> None:
    with pytest.raises(Refused) as refused:
        call(db, "manager", "replay_webhooks")
    assert (refused.value.status, refused.value.code) == (400, "webhook.replay_what")
    assert call(db, "manager", "replay_webhooks", p_since="2100-01-01") == []


def test_a_replay_with_a_request_id_answers_the_same(db: psycopg.Connection) -> None:
    receive(db, *payload(WEB_ORDER))
    again = {"p_store": "bannos", "p_request_id": uuid4()}
    first = call(db, "manager", "replay_webhooks", **again)
    work(db)
    assert call(db, "manager", "replay_webhooks", **again) == first
    with pytest.raises(Refused, match=r"request\.reused"):
        call(db, "manager", "replay_webhooks", p_dry_run=False, **again)


def test_replays_and_imports_are_on_record(db: psycopg.Connection) -> None:
    deliver(db, WEB_ORDER)
    call(db, "manager", "replay_webhooks", p_store="bannos")
    import_rows(db, csv_rows(), p_dry_run=False)
    rows = db.execute(
        "select kind, dry_run, counts, finished_at is not null, actor_id is not null"
        " from public.sync_runs order by id"
    ).fetchall()
    assert rows == [
        ("replay", True, {"unchanged": 1}, True, True),
        ("import", False, {"created": 2}, True, True),
    ]


def test_a_csv_is_imported_once(db: psycopg.Connection) -> None:
    rows = csv_rows()
    shown = import_rows(db, rows)
    assert [(r["row"], r["ok"], r["result"]) for r in shown] == [
        (1, True, "created"),
        (2, True, "created"),
    ]
    assert tickets(db) == {}
    done = import_rows(db, rows, p_dry_run=False)
    assert [r["order_ids"] for r in done] == [r["order_ids"] for r in shown]
    found = tickets(db)
    assert len(found) == 26
    phone = found["bannos-P-1001"]
    assert (phone["source"], phone["external_order_id"]) == ("import", "phone:P-1001")
    assert (phone["due_date"], phone["due_time"], phone["priority"]) == (
        "2026-12-08",
        "10:00",
        "High",
    )
    assert (phone["size"], phone["flavour"], phone["cake_writing"], phone["notes"]) == (
        "Medium",
        "Vanilla",
        "Happy 40th",
        "nut free",
    )
    before = dump(db)
    assert {r["result"] for r in import_rows(db, rows, p_dry_run=False)} == {"unchanged"}
    assert dump(db) == before


def test_rows_of_one_order_are_its_lines(db: psycopg.Connection) -> None:
    rows = [
        {"order_number": "9", "description": "Cake", "sku": "CAKE-1"},
        {"order_number": "8", "description": "Cake"},
        {"order_number": "9", "description": "Candle", "sku": "ACC-1"},
        {"order_number": "9", "description": "Cake", "sku": "CAKE-1", "option_size": "Large"},
    ]
    done = import_rows(db, rows, p_dry_run=False)
    assert [r["row"] for r in done] == [1, 2, 3, 4]
    assert done[0]["order_ids"] == done[3]["order_ids"] == ["bannos-9-A", "bannos-9-B"]
    assert tickets(db)["bannos-9-A"]["accessories"][0]["title"] == "Candle"
    rows[3]["option_size"] = "Small"
    again = import_rows(db, rows, p_dry_run=False)
    assert [r["result"] for r in again] == ["updated", "unchanged", "updated", "updated"]
    assert tickets(db)["bannos-9-B"]["size"] == "Small"


def test_one_bad_row_does_not_stop_the_others(db: psycopg.Connection) -> None:
    rows = [
        {"description": "nameless"},
        {"order_number": "1", "quantity": "x"},
        {"order_number": "2"},
        7,
    ]
    done = import_rows(db, rows, p_dry_run=False)
    assert [r["ok"] for r in done] == [False, False, True, False]
    assert "order_number" in done[0]["error"]
    assert list(tickets(db)) == ["bannos-2"]


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        ({"p_store": "nowhere"}, 404, "store.unknown"),
        ({"p_source": "etsy"}, 422, "import.source"),
        ({"p_rows": Jsonb([])}, 422, "import.rows"),
        ({"p_rows": Jsonb({"order_number": "1"})}, 422, "import.rows"),
        ({"p_rows": Jsonb([1] * 1001)}, 422, "import.rows"),
    ],
)
def test_imports_that_cannot_be_read(
    db: psycopg.Connection, arguments: dict[str, Any], status: int, code: str
) -> None:
    known = {"p_store": "bannos", "p_source": "generic", "p_rows": Jsonb([{}])}
    with pytest.raises(Refused) as refused:
        call(db, "planner", "import_orders", **{**known, **arguments})
    assert (refused.value.status, refused.value.code) == (status, code)


@pytest.mark.parametrize(
    ("column", "value"),
    [("quantity", "-3"), ("quantity", "0"), ("quantity", "abc"), ("total", "ten"),
     ("created_at", "31.02.2026 x")],
)  # fmt: skip
def test_a_bad_value_names_its_column(db: psycopg.Connection, column: str, value: str) -> None:
    row = {"channel": "phone", "order_number": "P-9", "description": "Cake", column: value}
    (result,) = call(db, "planner", "import_orders", p_store="bannos", p_source="generic",
                     p_rows=Jsonb([row]))  # fmt: skip
    assert result["ok"] is False
    assert column in str(result["error"]), "import.bad_value"
