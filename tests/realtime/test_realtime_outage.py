"""Nothing is lost and nothing comes twice when the database goes away and returns."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from realtime import RealtimeSubscribeStates

from services.local.postgres import PostgresServer
from tests.realtime.conftest import DATABASE
from tests.realtime.harness import Stack, python_client, serve, subscribe, token, until

pytestmark = pytest.mark.anyio

LISTENER = "realtime_listener"


@pytest.fixture
def cut(realtime_server: PostgresServer, stack: Stack) -> Iterator[Stack]:
    """An app whose database role can be locked out: an outage of a known length."""
    stack.sql(f"create role {LISTENER} superuser login password 'x'", role="supabase_admin")
    with serve(realtime_server.url(LISTENER, DATABASE, "x")) as api_url:
        yield Stack(stack.db_url, api_url)
    stack.sql(f"drop role {LISTENER}", role="supabase_admin")


def lock_out(stack: Stack) -> None:
    stack.sql(f"alter role {LISTENER} nologin", role="supabase_admin")
    stack.sql(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = %s",
        LISTENER,
        role="supabase_admin",
    )


async def test_gap_is_delivered_once_also_from_a_late_commit(cut: Stack) -> None:
    user, topic = cut.allow("listen")
    with psycopg.connect(cut.db_url) as late:
        async with python_client(cut, token(user)) as client:
            channel = await subscribe(client, topic)
            # Written first, committed last: during the outage.
            late.execute("""select realtime.send('{"n": 2}', 'changed', %s)""", (topic,))
            cut.send(topic, n=1)
            await until(lambda: channel.payloads, "the message before the outage")

            lock_out(cut)
            late.commit()
            cut.send(topic, n=3)
            cut.sql(f"alter role {LISTENER} login", role="supabase_admin")
            await until(lambda: len(channel.payloads) == 3, "the messages of the outage")

            cut.send(topic, n=4)
            await until(lambda: {"n": 4} in channel.payloads, "the message after the outage")
            assert [p["n"] for p in channel.payloads] == [1, 2, 3, 4]


async def test_postgres_killed_and_started_again(
    stack: Stack, realtime_server: PostgresServer
) -> None:
    user, topic = stack.allow("listen")
    _, second = stack.allow("listen", user=user)
    async with python_client(stack, token(user)) as client:
        channel = await subscribe(client, topic)
        stack.send(topic, n=1)
        await until(lambda: channel.payloads, "a message before")

        await asyncio.to_thread(realtime_server.kill)
        refused = await subscribe(client, second)
        assert "DatabaseUnavailable" in refused.errors[0]
        await asyncio.to_thread(realtime_server.start)

        stack.send(topic, n=2)
        await until(lambda: len(channel.payloads) == 2, "the message after the restart")
        await until(
            lambda: RealtimeSubscribeStates.SUBSCRIBED in refused.states, "the client's own retry"
        )
        stack.send(second, n=3)
        await until(lambda: refused.payloads, "a message for the late channel")
        assert [p["n"] for p in channel.payloads] == [1, 2]
