"""The realtime server on a free port, and both official clients, for the tests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import psycopg
import uvicorn
from realtime import AsyncRealtimeChannel, RealtimeChannelOptions, RealtimeSubscribeStates
from starlette.applications import Starlette
from starlette.routing import Mount
from supabase import AsyncClient, acreate_client

from services.local.realtime.app import realtime_routes
from services.local.realtime.authorise import RealtimeSettings

JWT_SECRET = "a-secret-of-the-tests-with-more-than-32-characters"
PUBLISHABLE_KEY = "sb_publishable_of_the_tests"
SECRET_KEY = "sb_secret_of_the_tests"
SCRIPT = Path(__file__).parent / "client.mjs"
DEADLINE = 15.0


def token(user: str, seconds: float = 600, role: str = "authenticated") -> str:
    """A user's access token that is valid for `seconds`."""
    claims = {"sub": user, "role": role, "aud": role, "exp": time.time() + seconds}
    return jwt.encode(claims, JWT_SECRET, algorithm="HS256")


async def until(condition: Callable[[], Any], what: str) -> Any:
    """Poll until the condition holds and return its value; fails after the deadline."""
    end = time.monotonic() + DEADLINE
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {DEADLINE} s: {what}"
        await asyncio.sleep(0.01)
    return value


@dataclass
class Stack:
    """A prepared database with the app in front of it."""

    db_url: str
    api_url: str

    def sql(self, query: str, *args: Any, role: str = "postgres") -> list[Any]:
        """Run one statement as `role` and commit."""
        with psycopg.connect(self.db_url, autocommit=True) as connection:
            connection.execute(f"set role {role}")
            cursor = connection.execute(query, args)
            return cursor.fetchall() if cursor.description else []

    def send(self, topic: str, **payload: Any) -> None:
        """Broadcast from SQL, as triggers do."""
        self.sql("select realtime.send(%s, 'changed', %s)", json.dumps(payload), topic)

    def allow(
        self, *may: str, user: str | None = None, topic: str | None = None
    ) -> tuple[str, str]:
        """Give a (new) user `listen`, `speak` … on a (new) topic; returns both."""
        user, topic = user or str(uuid.uuid4()), topic or f"site:{uuid.uuid4()}:units"
        for what in may:
            self.sql("insert into public.allowed values (%s, %s, %s)", user, topic, what)
        return user, topic


@contextlib.contextmanager
def serve(db_url: str, *, private_only: bool = True) -> Iterator[str]:
    """Run the app in a thread; yields its base URL."""
    settings = RealtimeSettings(db_url, JWT_SECRET, PUBLISHABLE_KEY, SECRET_KEY, private_only)
    app = Starlette(routes=[Mount("/realtime/v1", routes=realtime_routes(settings))])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@dataclass
class PythonChannel:
    """A channel of the official Python client that remembers what it was told."""

    channel: AsyncRealtimeChannel
    messages: list[dict[str, Any]] = field(default_factory=list)
    states: list[RealtimeSubscribeStates] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def payloads(self) -> list[Any]:
        """The payloads received, without the id that the database adds."""
        return [{k: v for k, v in m["payload"].items() if k != "id"} for m in self.messages]


@contextlib.asynccontextmanager
async def python_client(
    stack: Stack, access_token: str | None = None
) -> AsyncIterator[AsyncClient]:
    """The official Python client, signed in with the token."""
    client = await acreate_client(stack.api_url, PUBLISHABLE_KEY)
    await client.realtime.connect()
    if access_token:
        await client.realtime.set_auth(access_token)
    try:
        yield client
    finally:
        await client.realtime.close()


def config(*, private: bool, presence: bool = False) -> RealtimeChannelOptions:
    """What the Python client sends at a join."""
    return {
        "config": {
            "broadcast": {"ack": False, "self": False},
            "presence": {"key": "", "enabled": presence},
            "private": private,
        }
    }


async def subscribe(
    client: AsyncClient, topic: str, *, private: bool = True, presence: bool = False
) -> PythonChannel:
    """Join with the Python client and wait for the answer, good or bad."""
    found = PythonChannel(client.channel(topic, config(private=private, presence=presence)))

    def told(state: RealtimeSubscribeStates, error: Exception | None) -> None:
        found.states.append(state)
        if error is not None:
            found.errors.append(str(error))

    found.channel.on_broadcast("*", lambda message: found.messages.append(dict(message)))
    await found.channel.subscribe(told)
    await until(lambda: found.states, "an answer to the join")
    return found


class NodeClient:
    """supabase-js in a Node process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.events: list[dict[str, Any]] = []
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.events.append(json.loads(line))

    def do(self, command: str, **arguments: Any) -> None:
        """Give the script a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": command, **arguments}).encode() + b"\n")

    async def wait(self, kind: str, **values: Any) -> dict[str, Any]:
        """The first event of this kind with these values."""
        wanted = {"kind": kind, **values}
        found: dict[str, Any] = await until(
            lambda: next((e for e in self.events if wanted.items() <= e.items()), None),
            f"{wanted} in {self.events}",
        )
        return found

    def payloads(self) -> list[Any]:
        """The broadcast payloads received, without the id that the database adds."""
        got = [e["payload"] for e in self.events if e["kind"] == "broadcast"]
        return [{k: v for k, v in p.items() if k != "id"} for p in got]

    async def close(self) -> None:
        """End the script and wait for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reader


@contextlib.asynccontextmanager
async def node_client(stack: Stack, access_token: str | None = None) -> AsyncIterator[NodeClient]:
    """supabase-js, signed in with the token."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        "node",
        "--experimental-websocket",
        str(SCRIPT),
        stack.api_url,
        PUBLISHABLE_KEY,
        stdin=pipe,
        stdout=pipe,
    )
    client = NodeClient(process)
    try:
        if access_token:
            client.do("auth", token=access_token)
            await client.wait("auth")
        yield client
    finally:
        await client.close()
