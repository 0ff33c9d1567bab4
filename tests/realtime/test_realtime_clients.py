"""Both official clients against the app: join, receive, send, presence, leave, losing rights."""

from __future__ import annotations

import httpx
import pytest
from realtime import RealtimePostgresChangesListenEvent, RealtimeSubscribeStates

from tests.realtime.harness import (
    PUBLISHABLE_KEY,
    SECRET_KEY,
    Stack,
    config,
    node_client,
    python_client,
    subscribe,
    token,
    until,
)

pytestmark = pytest.mark.anyio

JOINED = RealtimeSubscribeStates.SUBSCRIBED
REFUSED = RealtimeSubscribeStates.CHANNEL_ERROR
CLOSED = RealtimeSubscribeStates.CLOSED


async def test_both_clients_receive_what_sql_sends(stack: Stack) -> None:
    user, topic = stack.allow("listen")
    async with (
        python_client(stack, token(user)) as client,
        node_client(stack, token(user)) as node,
    ):
        channel = await subscribe(client, topic)
        assert channel.states == [JOINED]
        node.do("subscribe", topic=topic)
        await node.wait("status", status="SUBSCRIBED")

        stack.send(topic, unit="SN-1", version=1)
        stack.send(f"{topic}:other", unit="SN-2")
        stack.send(topic, unit="Gewürz ☕", version=2)

        expected = [{"unit": "SN-1", "version": 1}, {"unit": "Gewürz ☕", "version": 2}]
        await until(lambda: len(channel.payloads) == 2, "two messages in Python")
        await until(lambda: len(node.payloads()) == 2, "two messages in JavaScript")
        assert channel.payloads == expected
        assert node.payloads() == expected
        rows = stack.sql("select id::text from realtime.messages where topic = %s", topic)
        assert {m["meta"]["id"] for m in channel.messages} == {row[0] for row in rows}


async def test_one_transaction_keeps_its_order(stack: Stack) -> None:
    user, topic = stack.allow("listen")
    async with python_client(stack, token(user)) as client:
        channel = await subscribe(client, topic)
        stack.sql(
            "select realtime.send(jsonb_build_object('n', n), 'changed', %s)"
            " from generate_series(1, 300) n",
            topic,
        )
        await until(lambda: len(channel.payloads) >= 300, "300 messages")
        assert [p["n"] for p in channel.payloads] == list(range(1, 301))


async def test_private_channel_is_refused_without_a_policy(stack: Stack) -> None:
    stranger, topic = stack.allow()
    async with (
        python_client(stack, token(stranger)) as client,
        node_client(stack, token(stranger)) as node,
    ):
        channel = await subscribe(client, topic)
        assert channel.states == [REFUSED]
        assert "do not have permissions to read" in channel.errors[0]
        node.do("subscribe", topic=topic)
        refused = await node.wait("status", status="CHANNEL_ERROR")
        assert "do not have permissions to read" in refused["error"]


async def test_a_key_alone_joins_nothing(stack: Stack) -> None:
    _, topic = stack.allow("listen")
    async with python_client(stack) as client:
        assert (await subscribe(client, topic)).states == [REFUSED]
        public = await subscribe(client, "anything", private=False)
        assert public.states == [REFUSED]
        assert "PrivateOnly" in public.errors[0]


async def test_postgres_changes_are_refused_with_the_reason(stack: Stack) -> None:
    user, topic = stack.allow("listen")
    async with python_client(stack, token(user)) as client:
        client.channel(topic, config(private=True)).on_postgres_changes(
            RealtimePostgresChangesListenEvent.All, lambda _: None, table="orders"
        )
        channel = await subscribe(client, topic)
        assert channel.states == [REFUSED]
        assert "postgres_changes is not offered" in channel.errors[0]


async def test_new_token_without_rights_closes_the_channel(stack: Stack) -> None:
    user, topic = stack.allow("listen")
    async with (
        python_client(stack, token(user)) as client,
        node_client(stack, token(user)) as node,
    ):
        channel = await subscribe(client, topic)
        node.do("subscribe", topic=topic)
        await node.wait("status", status="SUBSCRIBED")

        stack.sql("delete from public.allowed where user_id = %s", user)
        await client.realtime.set_auth(token(user, seconds=601))
        node.do("auth", token=token(user, seconds=601))
        await until(lambda: CLOSED in channel.states, "closed in Python")
        await node.wait("status", status="CLOSED")

        stack.send(topic, n=1)
        witness, _ = stack.allow("listen", topic=topic)
        async with python_client(stack, token(witness)) as other:
            seen = await subscribe(other, topic)
            stack.send(topic, n=2)
            await until(lambda: {"n": 2} in seen.payloads, "the witness's message")
        assert channel.payloads == []
        assert node.payloads() == []


async def test_new_token_that_is_valid_keeps_the_channel(stack: Stack) -> None:
    user, topic = stack.allow("listen")
    async with python_client(stack, token(user, seconds=3)) as client:
        channel = await subscribe(client, topic)
        await client.realtime.set_auth(token(user))
        other = await subscribe(client, stack.allow("listen", user=user)[1])
        await client.realtime.set_auth(token(user, seconds=2))
        await until(lambda: CLOSED in channel.states, "expiry of the last token")
        await until(lambda: CLOSED in other.states, "expiry of the last token")


async def test_bad_token_closes_the_channel(stack: Stack) -> None:
    user, topic = stack.allow("listen")
    async with python_client(stack, token(user)) as client:
        channel = await subscribe(client, topic)
        await client.realtime.set_auth(token(user)[:-4] + "AAAA")
        await until(lambda: CLOSED in channel.states, "closed by the bad token")
        assert "The token is not valid" in channel.errors[0]


async def test_leave_ends_delivery_and_the_topic_can_be_joined_again(stack: Stack) -> None:
    user, topic = stack.allow("listen")
    async with (
        python_client(stack, token(user)) as client,
        node_client(stack, token(user)) as node,
    ):
        channel = await subscribe(client, topic)
        node.do("subscribe", topic=topic)
        await node.wait("status", status="SUBSCRIBED")
        await channel.channel.unsubscribe()
        node.do("leave", topic=topic)
        await until(lambda: CLOSED in channel.states, "left in Python")
        await node.wait("left", answer="ok")

        stack.send(topic, n=1)
        again = await subscribe(client, topic)
        stack.send(topic, n=2)
        await until(lambda: {"n": 2} in again.payloads, "a message after joining again")
        assert channel.payloads == []
        assert node.payloads() == []


async def test_clients_broadcast_only_with_an_insert_policy(stack: Stack) -> None:
    speaker, topic = stack.allow("listen", "speak")
    listener, _ = stack.allow("listen", topic=topic)
    async with (
        python_client(stack, token(listener)) as client,
        node_client(stack, token(speaker)) as node,
        node_client(stack, token(listener)) as mute,
    ):
        channel = await subscribe(client, topic)
        for one, own in ((node, False), (mute, True)):
            one.do("subscribe", topic=topic, config={"broadcast": {"ack": True, "self": own}})
            await one.wait("status", status="SUBSCRIBED")

        mute.do("send", topic=topic, event="changed", payload={"n": 1})
        assert (await mute.wait("sent"))["answer"] == "error"
        node.do("send", topic=topic, event="changed", payload={"n": 2})  # a binary frame
        assert (await node.wait("sent"))["answer"] == "ok"
        await until(lambda: channel.payloads, "a message from JavaScript")
        await until(mute.payloads, "a message between two JavaScript clients")
        assert channel.payloads == mute.payloads() == [{"n": 2}]
        assert node.payloads() == []  # self is off

        await client.realtime.set_auth(token(stack.allow("listen", "speak", topic=topic)[0]))
        await channel.channel.send_broadcast("changed", {"n": 3})
        await until(lambda: {"n": 3} in node.payloads(), "a message from Python")


async def test_rest_sends_with_the_same_policies(stack: Stack) -> None:
    speaker, topic = stack.allow("listen", "speak")
    async with (
        python_client(stack, token(speaker)) as client,
        node_client(stack, token(speaker)) as node,
        httpx.AsyncClient(base_url=f"{stack.api_url}/realtime/v1/api") as http,
    ):
        channel = await subscribe(client, topic)
        await channel.channel.http_send("changed", {"n": 1})
        node.do("subscribe", topic=topic)
        await node.wait("status", status="SUBSCRIBED")
        node.do("httpSend", topic=topic, event="changed", payload={"n": 2})
        assert (await node.wait("http"))["error"] is None

        item = {"topic": topic, "event": "changed", "payload": {"n": 3}, "private": True}
        answers = {
            "secret": await http.post(
                "/broadcast", json={"messages": [item]}, headers={"apikey": SECRET_KEY}
            ),
            "anon": await http.post(
                "/broadcast", json={"messages": [item]}, headers={"apikey": PUBLISHABLE_KEY}
            ),
            "keyless": await http.post("/broadcast", json={"messages": [item]}),
            "public": await http.post(
                "/broadcast",
                json={"messages": [{**item, "private": False}]},
                headers={"apikey": SECRET_KEY},
            ),
            "malformed": await http.post(
                "/broadcast", json={"messages": [{}]}, headers={"apikey": SECRET_KEY}
            ),
        }
        codes = {name: answer.status_code for name, answer in answers.items()}
        assert codes == {
            "secret": 202,
            "anon": 403,
            "keyless": 401,
            "public": 403,
            "malformed": 422,
        }
        await until(lambda: len(channel.payloads) == 3, "three messages by REST")
        assert [p["n"] for p in channel.payloads] == [1, 2, 3]


async def test_presence_of_both_clients(stack: Stack) -> None:
    user, topic = stack.allow("listen", "see", "appear")
    spy, _ = stack.allow("listen", "see", topic=topic)
    async with (
        python_client(stack, token(user)) as client,
        python_client(stack, token(spy)) as watcher,
        node_client(stack, token(user)) as node,
    ):
        seen = await subscribe(watcher, topic, presence=True)
        channel = await subscribe(client, topic, presence=True)
        await channel.channel.track({"name": "bench 1"})
        node.do("subscribe", topic=topic, config={"presence": {"key": "kiosk"}})
        await node.wait("status", status="SUBSCRIBED")
        node.do("track", topic=topic, payload={"name": "bench 2"})
        assert (await node.wait("tracked"))["answer"] == "ok"

        def names() -> set[str]:
            state = seen.channel.presence_state()
            return {str(dict(meta)["name"]) for metas in state.values() for meta in metas}

        await until(lambda: names() == {"bench 1", "bench 2"}, "both present")
        states = [e["state"] for e in node.events if e["kind"] == "presence"]
        assert states[-1]["kiosk"][0]["name"] == "bench 2"
        assert len(states[-1]) == 2

        await seen.channel.track({"name": "uninvited"})
        await channel.channel.track({"name": "bench 3"})
        await until(lambda: names() == {"bench 3", "bench 2"}, "an update")
        node.do("leave", topic=topic)
        await until(lambda: names() == {"bench 3"}, "one left")
        await channel.channel.untrack()
        await until(lambda: names() == set(), "nobody")
