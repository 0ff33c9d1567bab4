"""What is refused before any route sees it: odd paths, large or slow bodies, floods."""

from __future__ import annotations

import asyncio
import functools
import re
from collections import Counter, deque
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.local.gateway.proxy import problem

CHUNK_SECONDS = 15.0  # the longest pause inside a body
SMALL = 64 * 1024  # bytes that are read before a service hears of the request
MOST_AT_ONCE = 100  # requests of one address

_KIB, _MIB = 1024, 1024 * 1024
_LIMITS = {
    # A webhook of 3 MiB goes on to an RPC as base64, with its headers.
    "/rest/v1": 4 * _MIB + 256 * _KIB,
    "/auth/v1": 64 * _KIB,
    # lite's file_size_limit, and a form around the file.
    "/storage/v1": 50 * _MIB + 64 * _KIB,
}
_OTHERWISE = 4 * _MIB
# Two layers of encoding: some service may decode once more than the one before it.
_ODD = re.compile(rb"//|\\|%(?:25)*(?:2e|2f|5c|00)|(?:^|/)\.\.?(?:/|$)|[\x00-\x20\x7f]", re.I)


class Refused(Exception):
    """The request goes no further; raised also while a service reads its body."""

    def __init__(self, status: int, message: str, *, hang_up: bool, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if hang_up:
            self.headers["connection"] = "close"


class Guard:
    """ASGI middleware in front of every route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._at_once: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400, 408, 413 or 429."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            if is_odd(scope):
                raise Refused(400, "The address is not a plain one.", hang_up=False)
            if scope["type"] == "websocket":
                await self._app(scope, receive, send)
                return
            await self._serve(scope, receive, answer)
        except Refused as error:
            if started:
                raise
            await _refuse(error, scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = client_key(scope)
        body = _Body(receive, scope)
        if address is None:
            await body.hold(SMALL)
            await self._app(scope, body, send)
            return
        if self._at_once[address] >= MOST_AT_ONCE:
            text = "Too many requests at once from this address."
            raise Refused(429, text, hang_up=False, retry_after="1")
        self._at_once[address] += 1
        try:
            await body.hold(SMALL)
            await self._app(scope, body, send)
        finally:
            self._at_once[address] -= 1
            if not self._at_once[address]:
                del self._at_once[address]


def is_odd(scope: Scope) -> bool:
    """Could two services read this path as two different ones?"""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    if _ODD.search(raw) is not None:
        return True
    return b"%" in raw and _ODD.search(_spaced(unquote_to_bytes(raw))) is not None


def client_key(scope: Scope) -> str | None:
    """Whose requests are counted together: an address, a network of IPv6 (/64), or None for this
    computer, whose daemons and TLS proxy speak for many.
    """
    return _counted_as(scope["client"][0] if scope.get("client") else "")


@functools.lru_cache(maxsize=4096)
def _counted_as(host: str) -> str | None:
    try:
        address = ip_address(host)
    except ValueError:
        return host or None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return None if address.is_loopback else str(int(address) >> 64)
        address = address.ipv4_mapped
    return None if address.is_loopback else str(address)


class _Body:
    """The receiving end of a request: counted, timed, its start read ahead."""

    def __init__(self, receive: Receive, scope: Scope) -> None:
        self._receive = receive
        self._held: deque[Message] = deque()
        self._size = 0
        self._limit = _limit(scope["path"])
        self._announced = _announced(scope)
        self._whole = False
        if self._announced is not None and self._announced > self._limit:
            raise self._too_large(hang_up=False)

    async def __call__(self) -> Message:
        return self._held.popleft() if self._held else await self._next()

    async def hold(self, size: int) -> None:
        """Read `size` bytes ahead, or all there are when that is less. Errors: Refused."""
        while not self._whole and self._size < size:
            self._held.append(await self._next())

    async def _next(self) -> Message:
        if self._whole:
            return await self._receive()  # nothing but the news that the caller is gone
        try:
            async with asyncio.timeout(CHUNK_SECONDS):
                message = await self._receive()
        except TimeoutError:
            raise Refused(408, "The body did not arrive in time.", hang_up=True) from None
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            raise self._too_large(hang_up=True)
        self._whole = not message.get("more_body", False)
        return message

    def _too_large(self, *, hang_up: bool) -> Refused:
        """Hang up on who may never stop; others may hear the answer to the end."""
        return Refused(413, f"The body may have at most {self._limit} bytes.", hang_up=hang_up)


def _limit(path: str) -> int:
    return next((size for prefix, size in _LIMITS.items() if path.startswith(prefix)), _OTHERWISE)


def _announced(scope: Scope) -> int | None:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else None


def _spaced(decoded: bytes) -> bytes:
    """Names of files and codes may hold spaces; a decoded one is no trick."""
    return decoded.replace(b" ", b"_")


async def _refuse(error: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    facts: dict[str, Any] = {"error_code": "over_request_rate_limit"} if error.status == 429 else {}
    response = problem(error.status, error.message, **facts)
    response.headers.update(error.headers)
    await response(scope, receive, send)
