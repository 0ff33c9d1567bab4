"""`/rest/v1`: PostgREST behind publishable and secret keys."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response

from services.local.gateway.keys import KeyRing
from services.local.gateway.proxy import Upstream, forward, problem, request_headers

_SPACE = b" \t\r\n"


class ArrayBody(Exception):
    """The body of a function call is a JSON array."""


class Rest:
    """ASGI-free handler; one per gateway."""

    def __init__(self, keys: KeyRing, upstream: Upstream) -> None:
        self._keys = keys
        self._upstream = upstream

    async def __call__(self, request: Request) -> Response:
        """Forward one request with the caller's role as a JWT. Errors: KeyRefused."""
        caller = self._keys.identify(request)
        token = caller.user_jwt or self._keys.role_jwt(caller.role)
        headers = request_headers(request, drop=("apikey", "authorization"))
        headers.append((b"authorization", b"Bearer " + token.encode("ascii")))
        path = request.scope["raw_path"].decode("ascii").removeprefix("/rest/v1") or "/"
        body: AsyncIterator[bytes] | None = None
        if request.method == "POST" and path.startswith("/rpc/"):
            if request.headers.get("content-type", "").startswith("text/csv"):
                return _refuse_rows()
            try:
                body = await _checked_body(request)
            except ArrayBody:
                return _refuse_rows()
        return await forward(request, self._upstream, path, headers, body)


def _refuse_rows() -> Response:
    # PostgREST would run the first element and drop the others without a word.
    return problem(
        400,
        "A function call takes one JSON object with the arguments by name, not an array. "
        "Call the function once for each element.",
        hint="rpc.array_body",
    )


async def _checked_body(request: Request) -> AsyncIterator[bytes]:
    """The body as a stream, once its first byte is known. Errors: ArrayBody."""
    is_json = "json" in request.headers.get("content-type", "json")
    stream = request.stream()
    start = b""
    async for chunk in stream:
        start += chunk
        if start.lstrip(_SPACE):
            break
    if is_json and start.lstrip(_SPACE).startswith(b"["):
        raise ArrayBody

    async def whole() -> AsyncIterator[bytes]:
        if start:
            yield start
        async for chunk in stream:
            if chunk:
                yield chunk

    return whole()
