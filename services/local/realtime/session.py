"""One WebSocket: reads the client's frames, keeps its channels, writes from a bounded queue."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from services.local.realtime.authorise import (
    FULL_RIGHTS,
    Authoriser,
    Claims,
    RealtimeSettings,
    Rights,
    Unauthorised,
    Unavailable,
    identify,
)
from services.local.realtime.channels import Hub, Member
from services.local.realtime.listener import Listener
from services.local.realtime.protocol import (
    TOPIC_PREFIX,
    Broadcast,
    Frame,
    ProtocolError,
    Version,
    decode,
    encode,
    parse_name,
)

log = logging.getLogger(__name__)

IDLE_SECONDS = 60.0
LONGEST_FRAME = 1024 * 1024  # bytes
QUEUE_FRAMES = 1024
MOST_CHANNELS = 100
JOIN_BURST, JOINS_PER_SECOND = 100, 10.0
ERROR_DELAY = 1.0  # seconds; a refused client tries again at once otherwise
READY_SECONDS = 5.0
RECHECK_SECONDS = 60.0  # an account may be shut out, a role changed, while a channel is open

_NO_POSTGRES_CHANGES = (
    "postgres_changes is not offered here: changes are announced by broadcast; "
    "subscribe to a private channel's broadcasts instead"
)


class JoinRefused(Exception):
    """The channel may not be joined; the message is the reason sent to the client."""


@dataclass(frozen=True)
class Backend:
    """What all sockets of one server share."""

    settings: RealtimeSettings
    authoriser: Authoriser
    hub: Hub
    listener: Listener


class Session:
    """The life of one socket; `run` returns when it is over."""

    def __init__(self, socket: WebSocket, version: Version, token: str, backend: Backend) -> None:
        self.version: Version = version
        self._socket = socket
        self._token = token
        self._backend = backend
        self._hub = backend.hub
        self._members: dict[str, Member] = {}
        self._expiries: dict[Member, asyncio.TimerHandle] = {}
        self._claims: dict[Member, Claims] = {}
        self._queue: asyncio.Queue[str | bytes] = asyncio.Queue(QUEUE_FRAMES)
        self._tasks: set[asyncio.Task[None]] = set()
        self._reader: asyncio.Task[None] | None = None
        self._close = (1000, "")
        self._joins = _Bucket(JOIN_BURST, JOINS_PER_SECOND)

    async def run(self) -> None:
        """Serve the socket until either side ends it."""
        self._reader = self._spawn(self._read())
        writer = self._spawn(self._write())
        self._spawn(self._recheck())
        try:
            await asyncio.wait((self._reader, writer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks = tuple(self._tasks)
            for task in tasks:
                task.cancel()
            for topic in tuple(self._members):
                self._remove(topic)
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(Exception):  # it may be gone already
                await asyncio.wait_for(self._socket.close(*self._close), 5)

    def push(self, data: str | bytes) -> None:
        """Queue a frame; a client that does not keep up is dropped, it must not slow others."""
        try:
            self._queue.put_nowait(data)
        except asyncio.QueueFull:
            self._end(1013, "The client is too slow")

    def _end(self, code: int, reason: str) -> None:
        self._close = (code, reason)
        if self._reader is not None:
            self._reader.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # -- frames -------------------------------------------------------------------------------

    async def _write(self) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the client is gone
            while True:
                data = await self._queue.get()
                if isinstance(data, bytes):
                    await self._socket.send_bytes(data)
                else:
                    await self._socket.send_text(data)

    async def _read(self) -> None:
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                data = message.get("text") or message.get("bytes") or ""
                if len(data) > LONGEST_FRAME:
                    self._close = (1009, f"Frames are at most {LONGEST_FRAME} bytes")
                    return
                await self._handle(decode(data, self.version))
        except TimeoutError:
            self._close = (1000, "Idle")
        except ProtocolError as error:
            self._close = (1003, str(error))
        except Exception:
            log.exception("a realtime socket failed")
            self._close = (1011, "Internal error")

    async def _handle(self, frame: Frame) -> None:
        member = self._members.get(frame.topic)
        match frame.event:
            case "heartbeat":
                self._reply(frame, {})
            case "phx_join":
                await self._join(frame)
            case "phx_leave":
                self._leave(frame)
            case _ if member is None:
                self._reply(frame, {"reason": "unmatched topic"}, "error")
            case "access_token":
                await self._renew(member, frame.payload.get("access_token"))
            case "broadcast":
                self._broadcast(member, frame)
            case "presence":
                self._presence(member, frame)

    def _reply(self, frame: Frame, response: dict[str, Any], status: str = "ok") -> None:
        payload = {"status": status, "response": response}
        answer = Frame(frame.topic, "phx_reply", payload, frame.ref, frame.join_ref)
        self.push(encode(answer, self.version))

    # -- channels -----------------------------------------------------------------------------

    async def _join(self, frame: Frame) -> None:
        try:
            member, claims = await self._admit(frame)
        except (JoinRefused, Unauthorised, Unavailable, ProtocolError) as error:
            reason = str(error)
            self._spawn(self._refuse(frame, reason))
            return
        self._remove(frame.topic)  # a second join replaces the first
        self._members[frame.topic] = member
        self._hub.join(member)
        self._keep(member, claims)
        self._reply(frame, {"postgres_changes": []})
        if member.presence and member.rights.presence_read:
            self._hub.send_presence_state(member)

    async def _refuse(self, frame: Frame, reason: str) -> None:
        await asyncio.sleep(ERROR_DELAY)
        self._reply(frame, {"reason": reason}, "error")

    async def _admit(self, frame: Frame) -> tuple[Member, Claims]:
        """Check everything a join needs; the member is not in the hub yet."""
        if not self._joins.take():
            raise JoinRefused("ClientJoinRateLimitReached: Too many joins per second")
        if len(self._members) >= MOST_CHANNELS and frame.topic not in self._members:
            raise JoinRefused("ChannelRateLimitReached: Too many channels")
        if not frame.topic.startswith(TOPIC_PREFIX):
            raise JoinRefused("unmatched topic")
        topic = parse_name(frame.topic.removeprefix(TOPIC_PREFIX))
        config = _object(frame.payload.get("config"))
        if config.get("postgres_changes"):
            raise JoinRefused(_NO_POSTGRES_CHANGES)
        private = config.get("private") is True
        if self._backend.settings.private_only and not private:
            raise JoinRefused("PrivateOnly: This project only allows private channels")
        claims, rights = await self._rights(frame.payload.get("access_token"), topic, private)
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._backend.listener.ready.wait()
        except TimeoutError as error:
            raise Unavailable("DatabaseUnavailable: The database does not answer") from error
        broadcast, presence = _object(config.get("broadcast")), _object(config.get("presence"))
        member = Member(self, topic, private, rights, frame.join_ref or frame.ref)
        member.receive_own = broadcast.get("self") is True
        member.acknowledge = broadcast.get("ack") is True
        member.presence = presence.get("enabled") is True
        member.presence_key = str(presence.get("key") or member.presence_key)
        return member, claims

    async def _rights(self, token: object, topic: str, private: bool) -> tuple[Claims, Rights]:
        claims = identify(
            self._backend.settings, token if token and isinstance(token, str) else self._token
        )
        rights = await self._backend.authoriser.rights(claims, topic) if private else FULL_RIGHTS
        if not rights.read:
            raise Unauthorised(_no_reading(topic))
        return claims, rights

    async def _renew(self, member: Member, token: object) -> None:
        """A new token: keep the channel only if it still may be read."""
        try:
            claims, rights = await self._rights(token, member.topic, member.private)
        except Unauthorised as error:
            self._shut(member, str(error))
        except Unavailable as error:
            self._remove(TOPIC_PREFIX + member.topic)
            member.send("phx_error", {"reason": str(error)})  # clients join again by themselves
        else:
            member.rights = rights
            self._keep(member, claims)

    async def _recheck(self) -> None:
        """Ask the policies again, now and then; a channel that may not be read is closed."""
        while True:
            # Spread out: after a restart all sockets are equally old.
            await asyncio.sleep(RECHECK_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311
            for member, claims in tuple(self._claims.items()):
                if member.private:
                    await self._ask_again(member, claims)

    async def _ask_again(self, member: Member, claims: Claims) -> None:
        try:
            rights = await self._backend.authoriser.rights(claims, member.topic)
        except Unavailable:
            return  # no reason to close: the listener tells when the database is gone
        if self._claims.get(member) is not claims:
            return  # left, or renewed with another token meanwhile
        member.rights = rights
        if not rights.read:
            self._shut(member, _no_reading(member.topic))

    def _keep(self, member: Member, claims: Claims) -> None:
        """Remember whose channel it is, and close it when the token expires."""
        self._claims[member] = claims
        if member in self._expiries:
            self._expiries.pop(member).cancel()
        if "exp" in claims:
            self._expiries[member] = asyncio.get_running_loop().call_later(
                float(claims["exp"]) - time.time(), self._shut, member, "Token has expired"
            )

    def _shut(self, member: Member, reason: str) -> None:
        """Close a channel from this side and say why."""
        self._remove(TOPIC_PREFIX + member.topic)
        message = {"extension": "system", "status": "error", "message": reason}
        member.send("system", {**message, "channel": member.topic})
        member.send("phx_close", {})

    def _leave(self, frame: Frame) -> None:
        self._remove(frame.topic)
        self._reply(frame, {})
        closed = Frame(frame.topic, "phx_close", {}, None, frame.join_ref)
        self.push(encode(closed, self.version))

    def _remove(self, topic: str) -> None:
        member = self._members.pop(topic, None)
        if member is None:
            return
        self._claims.pop(member, None)
        if member in self._expiries:
            self._expiries.pop(member).cancel()
        self._hub.leave(member)

    def _broadcast(self, member: Member, frame: Frame) -> None:
        if not member.rights.write:
            reason = f"You do not have permissions to write to this Channel topic: {member.topic}"
            if member.acknowledge:
                self._reply(frame, {"reason": reason}, "error")
            return
        event = parse_name(frame.payload.get("event"))
        message = Broadcast(member.topic, event, frame.payload.get("payload", {}))
        self._hub.publish(message, member.private, sender=member)
        if member.acknowledge:
            self._reply(frame, {})

    def _presence(self, member: Member, frame: Frame) -> None:
        if not member.rights.presence_write:
            reason = f"You do not have permissions to track presence on: {member.topic}"
            self._reply(frame, {"reason": reason}, "error")
            return
        event = str(frame.payload.get("event", "")).lower()
        if event == "track":
            member.presence = True
            self._hub.track(member, _object(frame.payload.get("payload")))
        elif event == "untrack":
            self._hub.untrack(member)
        self._reply(frame, {})


class _Bucket:
    """A token bucket: `burst` at once, refilled by `rate` per second."""

    def __init__(self, burst: int, rate: float) -> None:
        self._burst, self._rate = burst, rate
        self._left, self._at = float(burst), time.monotonic()

    def take(self) -> bool:
        """Take one token; False when there is none."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _no_reading(topic: str) -> str:
    return f"Unauthorized: You do not have permissions to read from this Channel topic: {topic}"


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
