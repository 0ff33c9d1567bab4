"""Schema realtime: what migrations and triggers rely on, the same as on hosted."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import services.local.realtime
from tests.realtime.harness import Stack

SCHEMA = Path(services.local.realtime.__file__).parent / "schema.sql"


def test_schema_can_be_applied_again(stack: Stack) -> None:
    stack.send("again", n=1)
    with psycopg.connect(stack.db_url, autocommit=True) as connection:
        connection.execute(SCHEMA.read_bytes())
    assert stack.sql("select count(*) from realtime.messages where topic = 'again'") == [(1,)]


def test_send_adds_an_id_and_keeps_a_given_one(stack: Stack) -> None:
    stack.send("ids", n=1)
    stack.send("ids", n=2, id="mine")
    rows = stack.sql(
        "select id::text, payload, event, private, extension from realtime.messages"
        " where topic = 'ids' order by inserted_at"
    )
    assert rows == [
        (rows[0][0], {"n": 1, "id": rows[0][0]}, "changed", True, "broadcast"),
        (rows[1][0], {"n": 2, "id": "mine"}, "changed", True, "broadcast"),
    ]


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_sending_without_a_policy_warns_and_undoes_nothing(stack: Stack, role: str) -> None:
    warnings: list[str] = []
    with psycopg.connect(stack.db_url) as connection:
        connection.add_notice_handler(lambda d: warnings.append(d.message_primary or ""))
        connection.execute("create table public.work (id int)")
        connection.execute(f"set local role {role}")
        connection.execute("select realtime.send('{}', 'e', 'refused')")
        connection.execute("set local role supabase_admin")
        assert connection.execute("select to_regclass('public.work') is not null").fetchone() == (
            True,
        )
        connection.rollback()
    assert warnings[0].startswith("ErrorSendingBroadcastMessage: new row violates row-level")


def test_a_definer_function_of_postgres_may_send(stack: Stack) -> None:
    stack.sql(
        "create or replace function public.announce() returns void language sql security definer"
        " set search_path = '' as $$ select realtime.send('{}', 'e', 'announced') $$"
    )
    stack.sql("select public.announce()", role="authenticated")
    rows = stack.sql("select count(*) from realtime.messages where topic = 'announced'")
    assert rows == [(1,)]


def test_api_roles_see_no_message_without_a_policy(stack: Stack) -> None:
    stack.send("secret", n=1)
    for role in ("anon", "authenticated"):
        assert stack.sql("select id from realtime.messages", role=role) == []
        for statement in (
            "update realtime.messages set event = ''",
            "delete from realtime.messages",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                stack.sql(statement, role=role)
        leaf = stack.sql("select tableoid::regclass::text from realtime.messages limit 1")[0][0]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            stack.sql(f"select id from {leaf}", role=role)


def test_broadcast_changes_in_a_row_trigger(stack: Stack) -> None:
    stack.sql("create table public.thing (id int, name text)")
    stack.sql(
        "create function public.tell() returns trigger language plpgsql set search_path = '' as $$"
        " begin perform realtime.broadcast_changes('thing:' || coalesce(new.id, old.id), tg_op,"
        " tg_op, tg_table_name, tg_table_schema, new, old); return null; end $$"
    )
    stack.sql(
        "create trigger tell after insert or update or delete on public.thing"
        " for each row execute function public.tell()"
    )
    stack.sql("insert into public.thing values (1, 'a')")
    stack.sql("update public.thing set name = 'b'")
    stack.sql("delete from public.thing")
    rows = stack.sql(
        "select event, payload -> 'record', payload -> 'old_record', payload ->> 'table'"
        " from realtime.messages where topic = 'thing:1' order by inserted_at"
    )
    one, two = {"id": 1, "name": "a"}, {"id": 1, "name": "b"}
    assert rows == [
        ("INSERT", one, {}, "thing"),
        ("UPDATE", two, one, "thing"),
        ("DELETE", {}, two, "thing"),
    ]


def test_one_notification_per_transaction(stack: Stack) -> None:
    with psycopg.connect(stack.db_url, autocommit=True) as connection:
        connection.execute("listen realtime")
        with connection.transaction():
            for _ in range(5):
                connection.execute("select realtime.send('{}', 'e', 'once')")
        own = connection.info.backend_pid
        heard = [n for n in connection.notifies(timeout=0.5) if n.pid == own]
    assert len(heard) == 1


def test_partitions_come_and_go(stack: Stack) -> None:
    names = (
        "select inhrelid::regclass::text, c.relrowsecurity from pg_inherits"
        " join pg_class c on c.oid = inhrelid"
        " where inhparent = 'realtime.messages'::regclass order by 1"
    )
    with psycopg.connect(stack.db_url) as connection:  # rolled back: others need theirs
        connection.execute("select realtime.ensure_partitions(6)")
        before = connection.execute(names).fetchall()
        assert len(before) == 7
        assert all(secured for _, secured in before)
        assert connection.execute("select realtime.prune(-3)").fetchone() == (3,)
        assert connection.execute(names).fetchall() == before[3:]
        connection.execute("select realtime.prune(-100)")
        connection.execute("select realtime.send('{}', 'e', 'after')")
        sent = connection.execute("select topic from realtime.messages").fetchall()
        assert sent == [("after",)]
        connection.rollback()


def test_prune_gives_up_while_somebody_sends(stack: Stack) -> None:
    with psycopg.connect(stack.db_url) as sender:
        sender.execute("select realtime.send('{}', 'e', 'busy')")
        assert stack.sql("select realtime.prune(-1)") == [(0,)]
        sender.rollback()
