"""Which of lite's Auth routes are open, what they accept, and how often a password may be tried."""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.local.gateway.admin_users import auth_error
from services.local.gateway.guard import client_key
from takt.limits import TokenBucket

# Everything else works with codes and links by mail, which lite does not deliver: a code of six
# digits is guessed in an hour, and whoever guesses it has the account.
_ROUTES = {
    "/token": ("POST",),
    "/user": ("GET", "PUT"),
    "/logout": ("POST",),
    "/health": ("GET",),
    "/settings": ("GET",),
    "/.well-known/jwks.json": ("GET",),
}
_GRANTS = {"password": ("email", "password"), "refresh_token": ("refresh_token",)}
_BY_ADMIN = (
    "The embedded Auth has no such route. Ask an admin for a new password: takt user password"
)


def closed(request: Request, path: str) -> Response | None:
    """The refusal of a route that Takt does not use; None when it is open."""
    methods = _ROUTES.get(path)
    if methods is None or (path == "/token" and _grant(request) not in _GRANTS):
        return auth_error(501, "not_implemented", _BY_ADMIN)
    if request.method not in methods:
        return auth_error(405, "method_not_allowed", f"Use {' or '.join(methods)}.")
    return None


def refuse_body(request: Request, path: str, body: bytes) -> Response | None:
    """The refusal of a body that lite would stumble over, or that it should not see."""
    if request.method not in ("POST", "PUT") or path == "/logout":
        return None
    asked = read_object(body)
    if asked is None:
        return auth_error(400, "bad_json", "Could not parse request body as a JSON object")
    if path == "/user":
        if asked.get("email") or asked.get("phone"):
            return auth_error(501, "not_implemented", "Ask an admin for another e-mail address.")
        if not isinstance(asked.get("data") or {}, dict):
            return auth_error(400, "validation_failed", "data must be an object")
        wanted = ["password"] if asked.get("password") is not None else []
    else:
        wanted = list(_GRANTS[_grant(request)])
    for name in wanted:
        if not isinstance(asked.get(name), str) or "\0" in asked[name]:
            return auth_error(400, "validation_failed", f"{name} must be a text")
    return None


def read_object(body: bytes) -> dict[str, Any] | None:
    """A JSON object, or None when the body is anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class SignIns:
    """Tries of passwords: per address and e-mail, and per address. Right ones cost nothing."""

    def __init__(self) -> None:
        self._one = TokenBucket(10, per_minute=10)
        # A whole shift signs in at once behind one address.
        self._all = TokenBucket(40, per_minute=30)

    def refuse(self, request: Request, body: bytes) -> Response | None:
        """Count a try; 429 when it is one too many."""
        pair, address = _keys(request, body)
        wait = max(self._one.wait(pair), self._all.wait(address))
        if not wait:
            self._one.take(pair)
            self._all.take(address)
            return None
        text = "Too many sign-ins with a wrong password. Wait a moment."
        answer = auth_error(429, "over_request_rate_limit", text)
        answer.headers["retry-after"] = str(math.ceil(wait))
        return answer

    def succeeded(self, request: Request, body: bytes) -> None:
        """The password was right."""
        pair, address = _keys(request, body)
        self._one.refund(pair)
        self._all.refund(address)


def is_sign_in(request: Request, path: str) -> bool:
    """Is a password tried?"""
    return path == "/token" and _grant(request) == "password"


def _grant(request: Request) -> str:
    """The grant type; none when there are two, of which lite might take the other."""
    given = request.query_params.getlist("grant_type")
    return given[0] if len(given) == 1 else ""


def _keys(request: Request, body: bytes) -> tuple[str, str]:
    address = client_key(request.scope) or "here"
    email = str((read_object(body) or {}).get("email", "")).strip().lower()
    return f"{address} {email[:320]}", address
