"""Events: commit-ordered, append-only, partitioned by month, announced by id."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import psycopg
import pytest

from tests.sql.concurrency.together import together
from tests.support.databases import Clone
from tests.support.orders import make_order
from tests.support.rpc import Refused, call

_EMIT = "select private.emit('order', %s, 'demo.happened', null, '{}', 'bannos')"


def emit(connection: psycopg.Connection, stream_id: str) -> None:
    connection.execute(_EMIT, (stream_id,))


def since(db: psycopg.Connection, cursor: str, who: str = "operator", **more: Any) -> list[Any]:
    return list(call(db, who, "events_since", p_cursor=cursor, **more))


def test_a_transaction_that_commits_late_is_neither_skipped_nor_told_twice(
    clone: Clone, db: psycopg.Connection
) -> None:
    cursor = call(db, "operator", "events_cursor")
    with clone.connect() as early, clone.connect() as late:
        early.autocommit = late.autocommit = False
        emit(early, "early")
        emit(late, "late")
        late.commit()
        assert since(db, cursor) == [], "the open one may still come before it"
        early.commit()
    told = since(db, cursor)
    assert [e["stream_id"] for e in told] == ["early", "late"]
    assert since(db, told[0]["cursor"]) == told[1:]
    assert since(db, told[1]["cursor"]) == []


def test_a_rolled_back_event_is_never_told_and_holds_up_nobody(
    clone: Clone, db: psycopg.Connection
) -> None:
    cursor = call(db, "operator", "events_cursor")
    with clone.connect() as undone:
        undone.autocommit = False
        emit(undone, "undone")
        emit(db, "kept")
        undone.rollback()
    assert [e["stream_id"] for e in since(db, cursor)] == ["kept"]


def test_a_follower_of_eight_writers_hears_each_event_once_and_in_order(
    clone: Clone, db: psycopg.Connection
) -> None:
    writers, each = 8, 40
    cursor = call(db, "operator", "events_cursor")
    heard: list[dict[str, Any]] = []
    finished = threading.Event()

    def follow() -> None:
        position = cursor
        with clone.connect() as connection:
            while True:
                last_round = finished.is_set()
                while page := since(connection, position, p_limit=7):
                    heard.extend(page)
                    position = page[-1]["cursor"]
                if last_round:
                    return

    def write(connection: psycopg.Connection, number: int) -> None:
        connection.autocommit = False
        for n in range(each):
            emit(connection, f"{number}/{n}")
            if n % 3:
                connection.commit()
        connection.commit()

    follower = threading.Thread(target=follow)
    follower.start()
    together(clone, writers, write)
    finished.set()
    follower.join(60)
    ids = Counter(event["stream_id"] for event in heard)
    assert len(ids) == writers * each
    assert set(ids.values()) == {1}
    for writer in range(writers):
        own = [e["stream_id"] for e in heard if e["stream_id"].startswith(f"{writer}/")]
        assert own == [f"{writer}/{n}" for n in range(each)]


@pytest.mark.parametrize(
    "cursor", ["", "x", "1", "-1:0", "1:", ":1", "1:2:3", " 1:2", "1:2;", None]
)
def test_what_is_no_cursor_is_refused(db: psycopg.Connection, cursor: str | None) -> None:
    with pytest.raises(Refused) as refused:
        call(db, "operator", "events_since", p_cursor=cursor)
    assert (refused.value.status, refused.value.code) == (400, "events.bad_cursor")


def test_a_cursor_from_the_future_says_that_the_history_was_restored(
    db: psycopg.Connection,
) -> None:
    for cursor in ("9999999999999999999:0", "4000000000:17"):
        with pytest.raises(Refused) as refused:
            since(db, cursor)
        assert (refused.value.status, refused.value.code) == (409, "events.cursor_ahead")


def test_restored_events_become_the_past(db: psycopg.Connection) -> None:
    """A backup put into a younger cluster brings transaction ids that it has not reached."""
    db.execute(
        "insert into public.events (xid, site, store, stream, stream_id, event)"
        " values ('4000000000', 'main', 'bannos', 'order', 'restored', 'demo.happened')"
    )
    emit(db, "new")
    assert [e["stream_id"] for e in since(db, "0:0")] == ["new"]
    assert db.execute("select private.rebase_events()").fetchone() == (1,)
    told = since(db, "0:0")
    assert [e["stream_id"] for e in told] == ["restored", "new"]
    assert since(db, told[0]["cursor"]) == told[1:]
    assert db.execute("select private.rebase_events()").fetchone() == (0,)


def test_a_restore_resets_every_cursor_and_keeps_the_order(db: psycopg.Connection) -> None:
    """Into a cluster that lived longer: the old ids look like its past, in a foreign order."""
    emit(db, "first")
    emit(db, "second")
    before = since(db, "0:0")
    db.execute("update public.events set xid = '0' where stream_id = 'second'")  # a foreign order
    assert [e["stream_id"] for e in since(db, "0:0")] == ["second", "first"]
    assert db.execute("select private.rebase_events(p_all => true)").fetchone() == (1,)
    assert [e["stream_id"] for e in since(db, "0:0")] == ["first", "second"]
    for old in (before[0]["cursor"], before[1]["cursor"]):
        with pytest.raises(Refused) as refused:
            since(db, old)
        assert (refused.value.status, refused.value.code) == (409, "events.cursor_ahead")
    emit(db, "third")
    told = since(db, "0:0")
    assert since(db, told[1]["cursor"]) == told[2:]


def test_streams_limit_and_audience(db: psycopg.Connection) -> None:
    make_order(db)
    call(db, "operator", "scan", p_code="#B18617")
    call(
        db,
        "admin",
        "set_role_permission",
        p_role="viewer",
        p_permission="orders.scan",
        p_granted=True,
    )
    assert {e["stream"] for e in since(db, "0:0", "operator")} == {"order"}
    assert {e["stream"] for e in since(db, "0:0", "manager")} == {"order", "role"}
    assert {e["stream"] for e in since(db, "0:0", "manager", p_streams=["role"])} == {"role"}
    assert len(since(db, "0:0", "manager", p_limit=1)) == 1
    assert len(since(db, "0:0", "manager", p_limit=-5)) == 1


def test_every_event_is_broadcast_with_ids_only(db: psycopg.Connection) -> None:
    make_order(db, customer_name="Ada", notes="allergic to nuts")
    call(db, "operator", "scan", p_code="#B18617")
    event = db.execute("select id, payload ->> 'version' from public.events").fetchone()
    assert event is not None
    sent = db.execute("select topic, event, private, payload from realtime.messages").fetchall()
    assert len(sent) == 1
    topic, name, is_private, payload = sent[0]
    assert (topic, name, is_private) == ("site:main:order", "filling.started", True)
    payload.pop("id")
    assert payload == {
        "event_id": event[0],
        "stream": "order",
        "stream_id": "bannos-18617",
        "store": "bannos",
        "version": int(event[1]),
    }


def test_a_command_that_fails_broadcasts_nothing(db: psycopg.Connection) -> None:
    make_order(db)
    with pytest.raises(Refused):
        call(db, "operator", "complete_filling", p_order_id="bannos-18617")
    assert db.execute("select count(*) from realtime.messages").fetchone() == (0,)


def test_partitions_are_made_ahead_and_out_of_reach(db: psycopg.Connection) -> None:
    for _ in range(2):  # safe to repeat
        db.execute("select private.ensure_event_partitions('2031-11-15 12:00+00')")
    found = db.execute(
        "select c.relname, c.relrowsecurity, c.relacl is null or not exists (select from"
        " aclexplode(c.relacl) a where a.grantee <> c.relowner), (select count(*) from"
        " pg_catalog.pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal)"
        " from pg_catalog.pg_class c where c.relname ~ '^events_203[12]..$' and c.relkind = 'r'"
        " order by 1"
    ).fetchall()
    months = ("203111", "203112", "203201", "203202")
    triggers = db.execute(
        "select count(*) from pg_catalog.pg_trigger t"
        " where t.tgrelid = 'public.events'::regclass and not t.tgisinternal"
    ).fetchone()
    assert triggers is not None
    assert triggers[0] >= 3
    assert found == [(f"events_{month}", True, True, *triggers) for month in months]
    db.execute(
        "insert into public.events (at, site, store, stream, stream_id, event)"
        " values ('2031-12-31 23:59:59.9+00', 'main', 'bannos', 'order', 'x', 'demo.happened')"
    )
    where = db.execute("select tableoid::regclass::text from public.events").fetchall()
    assert where == [("private.events_203112",)]


def test_a_month_that_the_default_partition_holds_stays_there(db: psycopg.Connection) -> None:
    db.execute(
        "insert into public.events (at, site, stream, stream_id, event)"
        " values ('2041-06-15', '-', 'order', 'x', 'demo.happened')"
    )
    db.execute("select private.ensure_event_partitions('2041-05-01')")
    where = db.execute("select tableoid::regclass::text from public.events").fetchall()
    assert where == [("private.events_default",)]
    made = db.execute("select to_regclass('private.events_204106')").fetchone()
    assert made == (None,)


@pytest.mark.parametrize(
    "statement",
    ["update public.events set event = 'x'", "delete from public.events", "truncate public.events"],
)
def test_events_are_append_only(db: psycopg.Connection, statement: str) -> None:
    emit(db, "x")
    with pytest.raises(psycopg.Error) as refused:
        db.execute(statement)
    assert refused.value.diag.message_hint == "events.append_only"
