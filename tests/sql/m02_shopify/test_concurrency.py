"""Many senders and workers at once: one delivery, one set of tickets, no deadlock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.sql.m02_shopify.shop import (
    WEB_ORDER,
    changed,
    connect_shop,
    jobs,
    merge,
    order,
    payload,
    process,
    receive,
    signed,
    tickets,
)
from tests.support.databases import Clone


def at_once(clone: Clone, works: list[Callable[[psycopg.Connection], Any]]) -> list[Any]:
    """Run each on a connection of its own, in parallel; their answers."""

    def run(work: Callable[[psycopg.Connection], Any]) -> Any:
        with clone.connect() as connection:
            return work(connection)

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_twenty_deliveries_of_one_webhook_are_one(clone: Clone) -> None:
    body, headers = payload(WEB_ORDER)
    with clone.connect() as db:
        connect_shop(db)
        answers = at_once(clone, [lambda c: receive(c, body, headers)] * 20)
        assert len({a["inbox_id"] for a in answers}) == 1
        assert sorted(a["duplicate"] for a in answers) == [False] + [True] * 19
        assert jobs(db) == 1
        inbox_id = answers[0]["inbox_id"]
        results = at_once(clone, [lambda c: process(c, inbox_id)] * 20)
        assert all(r["ok"] for r in results)
        assert sum(r["result"] == "created" for r in results) == 1
        assert len(tickets(db)) == 3
        count = db.execute("select count(*) from public.events where event = 'order.created'")
        assert count.fetchone() == (3,)


@pytest.mark.parametrize("turn", range(3))
def test_topics_of_one_order_in_parallel_make_one_set_of_tickets(clone: Clone, turn: int) -> None:
    topics = ("orders/create", "orders/paid", "orders/updated", "orders/fulfilled") * 3
    with clone.connect() as db:
        connect_shop(db)
        ids = []
        for n, topic in enumerate(topics):
            body = json.dumps(changed(order(), n % 4, note=f"note {n % 4}")).encode()
            ids.append(receive(db, body, signed(body, topic))["inbox_id"])
        answers = at_once(clone, [lambda c, i=i: process(c, i) for i in ids])
        assert [a["error"] for a in answers if not a["ok"]] == []
        found = tickets(db)
        assert sorted(found) == ["bannos-18617-A", "bannos-18617-B", "bannos-18617-C"]
        assert {t["notes"].split("\n")[0] for t in found.values()} == {"note 3"}


def test_pause_and_resume_lose_nothing_that_arrives_meanwhile(clone: Clone) -> None:
    def arrive(n: int) -> Callable[[psycopg.Connection], Any]:
        body = json.dumps(changed(order(), n, id=n)).encode()
        headers = signed(body, "orders/create")
        return lambda c: receive(c, body, headers)

    def switch(c: psycopg.Connection) -> None:
        c.execute(
            "select set_config('request.jwt.claims', %s, false)", ('{"role": "service_role"}',)
        )
        for _ in range(5):
            c.execute("select public.pause_webhooks()")
            c.execute("select public.resume_webhooks()")

    with clone.connect() as db:
        connect_shop(db)
        at_once(clone, [switch, *(arrive(n) for n in range(1, 20)), switch])
        stuck = db.execute(
            "select count(*) from private.webhook_inbox w where w.status = 'new' and not exists"
            " (select 1 from public.work_queue q where q.dedupe_key = w.id::text)"
        ).fetchone()
        assert stuck == (0,)
        assert jobs(db) == 19


def test_a_merge_waits_for_the_one_before_and_then_knows_it_is_older(clone: Clone) -> None:
    with (
        clone.connect() as first,
        clone.connect() as second,
        clone.connect() as watch,
        ThreadPoolExecutor(1) as pool,
    ):
        connect_shop(watch)
        merge(watch, order())
        older, newer = changed(order(), 1, note="older"), changed(order(), 2, note="newer")
        statement = "select private.merge_order('bannos', private.normalise_shopify(%s))"
        with first.transaction():
            first.execute(statement, (json.dumps(newer),))
            waiting = pool.submit(
                lambda: second.execute(statement, (json.dumps(older),)).fetchone()
            )
            deadline = time.monotonic() + 20
            while watch.execute("select 1 from pg_locks where not granted").fetchone() is None:
                assert time.monotonic() < deadline, "the second merge never waited"
        row = waiting.result(timeout=20)
        assert row is not None
        assert row[0]["result"] == "stale"
        assert tickets(watch)["bannos-18617-A"]["notes"].startswith("newer")


def test_orders_with_one_number_in_parallel_keep_apart(clone: Clone) -> None:
    def arrive(n: int) -> Callable[[psycopg.Connection], Any]:
        return lambda c: merge(c, changed(order(), n, id=n))

    with clone.connect() as db:
        connect_shop(db)
        answers = at_once(clone, [arrive(n % 10) for n in range(20)])
        assert [a["error"] for a in answers if not a["ok"]] == []
        assert len(tickets(db)) == 30
        numbers = db.execute("select count(distinct order_number) from public.channel_orders")
        assert numbers.fetchone() == (10,)
