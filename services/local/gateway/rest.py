"""`/rest/v1`: PostgREST behind publishable and secret keys."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from urllib.parse import unquote_plus

import httpx
from starlette.requests import Request
from starlette.responses import Response

from services.local.gateway.keys import KeyRing
from services.local.gateway.proxy import (
    Upstream,
    problem,
    request_headers,
    response_headers,
    send,
    stream,
)

_SPACE = b" \t\r\n"
# A pattern of a stranger can keep a connection busy until its statement_timeout.
_REGEX = re.compile(r"(?:not\s*\.\s*)?i?match\s*(?:\(\s*(?:any|all)\s*\)\s*)?\.")
_REGEX_INSIDE = re.compile(r"\." + _REGEX.pattern)
_LOGIC = re.compile(r"(?:.*\.)?(?:and|or)")
_INTEGRITY = "23"  # SQLSTATE class of violated constraints


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
        server = caller.role == "service_role"
        headers = request_headers(request, drop=("apikey", "authorization"), server=server)
        headers.append((b"authorization", b"Bearer " + token.encode("ascii")))
        path = request.scope["raw_path"].decode("ascii").removeprefix("/rest/v1") or "/"
        # As PostgREST reads it: an encoded letter does not make it another route.
        is_call = request.scope["path"].startswith("/rest/v1/rpc/")
        if has_regex(request.scope["query_string"], is_call=is_call):
            return _refuse_regex()
        body: AsyncIterator[bytes] | None = None
        if request.method == "POST" and is_call:
            if request.headers.get("content-type", "").lower().startswith("text/csv"):
                return _refuse_rows()
            try:
                body = await _checked_body(request)
            except ArrayBody:
                return _refuse_rows()
        answer = await send(request, self._upstream, path, headers, body)
        if isinstance(answer, Response):
            return answer
        is_refusal = 400 <= answer.status_code < 500
        return await _refusal(answer) if is_refusal else stream(answer)


def has_regex(query: bytes, *, is_call: bool) -> bool:
    """Does a filter use `match` or `imatch`? `is_call`: names with `p_` are arguments."""
    if b"match" not in query.lower() and b"%" not in query:
        return False
    for part in re.split(r"[&;]", query.decode("latin-1")):
        name, _, value = (unquote_plus(text).strip() for text in part.partition("="))
        if is_call and name.startswith("p_"):
            continue
        found = _REGEX_INSIDE.search(value) if _LOGIC.fullmatch(name) else _REGEX.match(value)
        if found:
            return True
    return False


async def _refusal(answer: httpx.Response) -> Response:
    """PostgREST's refusal; that of a constraint without the row, which is not the caller's."""
    content = await answer.aread()
    headers = response_headers(answer.headers, drop=("content-length", "content-encoding"))
    try:
        facts = json.loads(content) if answer.headers.get("content-type", "") else None
    except ValueError:
        facts = None
    if isinstance(facts, dict) and str(facts.get("code", "")).startswith(_INTEGRITY):
        content = json.dumps({**facts, "details": None}).encode()
    response = Response(content, answer.status_code)
    length = [header for header in response.raw_headers if header[0] == b"content-length"]
    response.raw_headers = headers + length
    return response


def _refuse_regex() -> Response:
    return problem(
        400,
        "Filters by regular expression (match, imatch) are not offered. Use like, ilike or eq.",
        hint="rest.regex_filter",
    )


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
    is_json = "json" in request.headers.get("content-type", "json").lower()
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
