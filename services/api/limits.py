"""Limits on what a stranger may send: bytes per body, requests a minute."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import jwt
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.answers import problem
from takt.limits import TokenBucket

_MOST_TOKENS = 10_000
# Machines that poll the old routes are spared. Of all these a 2xx means that the database took the
# caller; `learn` builds on it. A subscription is one request, however long it lasts.
_LIMITED = ("/api/v1/", "/scans", "/graphql")


class TooLarge(Exception):
    """The body is longer than the limit. `endless`: its length was not announced."""

    def __init__(self, endless: bool) -> None:
        super().__init__("the body is too large")
        self.endless = endless

    @property
    def headers(self) -> dict[str, str]:
        """Hang up on a sender who may never stop; others may hear the answer to the end."""
        return {"connection": "close"} if self.endless else {}


def check_announced(request: Request, limit: int) -> str:
    """What the sender says the length is; empty when nothing. Errors: TooLarge."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise TooLarge(endless=False)
    return announced


async def read_limited(request: Request, limit: int) -> bytes:
    """The raw body, at most `limit` bytes. Errors: TooLarge, before more than that is kept."""
    announced = check_announced(request, limit)
    parts: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge(endless=not announced)
        parts.append(chunk)
    return b"".join(parts)


class Limited:
    """Middleware: the one limit of /api/v1, scans and GraphQL, before a body is read."""

    def __init__(self, app: ASGIApp, per_minute: int) -> None:
        self._app = app
        self._limit = CallerLimit(per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_LIMITED):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if wait := self._limit.take(request):
            text = "Too many requests in one minute. Wait a moment."
            refused = problem(429, "request.too_many", text, retry_after=wait)
            await refused(scope, receive, send)
            return

        async def learn(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._limit.learn(request, message["status"])
            await send(message)

        await self._app(scope, receive, learn)


class CallerLimit:
    """So many requests a minute for each signed-in caller, and for each address of all others.

    Who signs a token is the database's to judge: a caller counts as signed in from the first
    request that it answered on, and no longer once it takes the token no more.
    """

    def __init__(self, per_minute: int) -> None:
        self._bucket = TokenBucket(per_minute, per_minute)
        self._subjects: OrderedDict[str, str] = OrderedDict()

    def take(self, request: Request) -> float:
        """0 when the request may go on, otherwise the seconds to wait."""
        return self._bucket.take(self._payer(request))

    def learn(self, request: Request, status: int) -> None:
        """What the database answered. Its first yes to a token gives back what it cost others."""
        token = _digest(request)
        if status == 401:
            self._subjects.pop(token, None)
        if not 200 <= status < 300 or token in self._subjects:
            return
        if subject := _subject(request):
            self._bucket.refund(self._payer(request))
            self._subjects[token] = subject
            self._bucket.take(self._payer(request))
        if len(self._subjects) > _MOST_TOKENS:
            self._subjects.popitem(last=False)

    def _payer(self, request: Request) -> str:
        token = _digest(request)
        if token in self._subjects:
            self._subjects.move_to_end(token)
            return f"subject {self._subjects[token]}"
        return f"address {request.client.host if request.client else '-'}"


def _digest(request: Request) -> str:
    return hashlib.sha256(_bearer(request).encode()).hexdigest()


def _bearer(request: Request) -> str:
    """The token that the database reads; of any other scheme it reads nothing."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _subject(request: Request) -> str:
    """Whom the token names; empty for a key. Not proven: ask only when the database took it."""
    try:
        claims = jwt.decode(_bearer(request), options={"verify_signature": False})
    except jwt.PyJWTError:
        return ""
    return str(claims.get("sub") or "")
