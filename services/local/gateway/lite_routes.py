"""`/auth/v1` and `/storage/v1`: lite behind keys, with what it lacks put right."""

from __future__ import annotations

import json
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.local.gateway.admin_users import AdminUsers, auth_error
from services.local.gateway.auth_routes import (
    SignIns,
    closed,
    is_sign_in,
    read_object,
    refuse_body,
)
from services.local.gateway.keys import Caller, KeyRefused, KeyRing
from services.local.gateway.proxy import (
    Header,
    Upstream,
    forward,
    problem,
    request_headers,
    response_headers,
    send,
)
from services.local.gateway.timestamps import repair

# Asked by monitors or followed from an <img>, so no key can come along: these are anonymous.
_OPEN_AUTH = ("/health", "/settings", "/.well-known/jwks.json")
_STORAGE = ("/bucket", "/object/", "/render/image/", "/status")
_OPEN_STORAGE = ("/object/public/", "/object/sign/", "/object/info/public/", "/render/image/")
# Answers about objects; everything else may be an object itself, and is streamed.
_STORAGE_JSON = ("/bucket", "/object/list", "/object/info/")
_SIGNING = ("/object/sign/", "/object/upload/sign/")
_ANONYMOUS = Caller("anon", None)


class Lite:
    """Handlers for both prefixes; lite never sees a request without a key."""

    def __init__(self, keys: KeyRing, upstream: Upstream, users: AdminUsers) -> None:
        self._keys = keys
        self._upstream = upstream
        self._users = users
        self._sign_ins = SignIns()

    async def auth(self, request: Request) -> Response:
        """Auth. Errors: KeyRefused."""
        path = _path(request).removeprefix("/auth/v1")
        caller = self._caller(request, path in _OPEN_AUTH)
        if path.startswith("/admin/"):
            return await self._users.handle(request, path.removeprefix("/admin"), caller)
        if refusal := closed(request, path):
            return refusal
        body = await request.body()
        if refusal := refuse_body(request, path, body):
            return refusal
        if not is_sign_in(request, path):
            return await self._auth(request, path, caller, body)
        if refusal := self._sign_ins.refuse(request, body):
            return refusal
        answer = await self._auth(request, path, caller, body)
        if answer.status_code == 200:
            self._sign_ins.succeeded(request, body)
        return answer

    async def _auth(self, request: Request, path: str, caller: Caller, body: bytes) -> Response:
        token = (read_object(body) or {}).get("refresh_token") if path == "/token" else None
        # lite answers with the newest token, whoever brings an old one.
        if token and await self._users.store.end_reused(str(token)):
            text = "Invalid Refresh Token: Already Used"
            return auth_error(400, "refresh_token_already_used", text)
        answer = await send(
            request, self._upstream, _path(request), self._headers(request, caller), body
        )
        if isinstance(answer, Response):
            return answer
        content = await answer.aread()
        if path == "/token" and answer.status_code >= 500 and await self._is_banned(body):
            return auth_error(400, "user_banned", "User is banned")
        return _repaired(answer, content)

    async def storage(self, request: Request) -> Response:
        """Storage; objects are streamed. Errors: KeyRefused."""
        path = _path(request).removeprefix("/storage/v1")
        reading = request.method in ("GET", "HEAD")
        caller = self._caller(request, reading and path.startswith(_OPEN_STORAGE))
        if not path.startswith(_STORAGE):
            return problem(404, "The embedded Storage has no such route.")
        headers = self._headers(request, caller)
        signing = request.method == "POST" and path.startswith(_SIGNING)
        token = request.query_params.get("token", "")
        # lite answers 500 to a token that it cannot read.
        if path.startswith(_SIGNING) and not signing and not self._keys.is_signed(token):
            return problem(400, "The signed address is not valid, or not any more.")
        if not signing and not path.startswith(_STORAGE_JSON):
            return await forward(request, self._upstream, _path(request), headers)
        answer = await send(request, self._upstream, _path(request), headers)
        return answer if isinstance(answer, Response) else _repaired(answer, await answer.aread())

    def _caller(self, request: Request, is_open: bool) -> Caller:
        try:
            return self._keys.identify(request)
        except KeyRefused:
            if is_open and "apikey" not in request.headers:
                return _ANONYMOUS
            raise

    def _headers(self, request: Request, caller: Caller) -> list[Header]:
        # lite announces a range and then sends the whole object: always ask for all of it.
        dropped = ("apikey", "authorization", "content-length", "range")
        headers = request_headers(request, drop=dropped)
        headers.append((b"apikey", self._keys.opaque(caller.role).encode("ascii")))
        token = caller.user_jwt
        if token is None and _path(request).startswith("/storage/"):
            token = self._keys.role_jwt(caller.role)
        if token is not None:
            headers.append((b"authorization", b"Bearer " + token.encode("ascii")))
        if "content-length" in request.headers and _path(request).startswith("/storage/"):
            headers.append((b"content-length", request.headers["content-length"].encode("ascii")))
        return headers

    async def _is_banned(self, body: bytes) -> bool:
        """lite answers 500 when the database refuses the session of a banned person."""
        asked = read_object(body) or {}
        email, token = asked.get("email"), asked.get("refresh_token")
        return await self._users.store.is_banned(
            email=email if isinstance(email, str) else None,
            refresh_token=token if isinstance(token, str) else None,
        )


def _path(request: Request) -> str:
    raw: bytes = request.scope["raw_path"]
    return raw.decode("ascii")


def _signed(value: Any) -> Any:
    """A signed address under the names, and relative to the prefix, that the clients expect."""
    if not isinstance(value, dict) or not isinstance(value.get("signedUrl"), str):
        return value
    relative = value["signedUrl"].removeprefix("/storage/v1")
    return {**value, "signedURL": relative, "url": relative}


def _repaired(answer: httpx.Response, content: bytes) -> Response:
    """The buffered answer, with its timestamps repaired when it is JSON."""
    drop = ("content-length", "content-encoding")
    headers = response_headers(answer.headers, drop=drop)
    try:
        is_json = "json" in answer.headers.get("content-type", "")
        response: Response = (
            JSONResponse(_signed(repair(json.loads(content))), answer.status_code)
            if is_json
            else Response(content, answer.status_code)
        )
    except ValueError:
        response = Response(content, answer.status_code)
    length = [header for header in response.raw_headers if header[0] == b"content-length"]
    response.raw_headers = headers + length
    return response
