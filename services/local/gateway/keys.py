"""Who is calling: publishable and secret keys, and the JWTs that stand behind them."""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from typing import Any, Literal

import jwt
from starlette.requests import HTTPConnection

from services.local.settings import Secrets

Role = Literal["anon", "service_role"]
_LIFETIME = 3600  # seconds
_RENEW_BEFORE = 300  # seconds


class KeyRefused(Exception):
    """No key, a wrong key, or a secret key from a browser; `args[0]` is for a person."""


@dataclass(frozen=True)
class Caller:
    """The key's role, and the user's own JWT when the request carries one."""

    role: Role
    user_jwt: str | None


class KeyRing:
    """Checks keys and mints the short-lived role JWTs that PostgREST understands."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._minted: dict[Role, tuple[str, float]] = {}

    def identify(self, request: HTTPConnection) -> Caller:
        """The caller of a request. Errors: KeyRefused."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        bearer = bearer.strip() if scheme.lower() == "bearer" else ""
        key = request.headers.get("apikey") or request.query_params.get("apikey") or ""
        if not bearer.isascii():
            raise KeyRefused("Invalid JWT")
        bearer_role = self._role_of(bearer) if bearer else None
        role = bearer_role or (self._role_of(key) if key else None)
        if role is None:
            raise KeyRefused("Invalid API key" if key else "No API key found in request")
        agent = request.headers.get("user-agent", "")
        if role == "service_role" and agent.startswith("Mozilla/"):
            raise KeyRefused("Forbidden use of secret API key in browser")
        return Caller(role, bearer if bearer and bearer_role is None else None)

    def role_jwt(self, role: Role) -> str:
        """A JWT for a bare role, minted at most once per lifetime."""
        token, expires = self._minted.get(role, ("", 0.0))
        now = time.time()
        if expires - _RENEW_BEFORE < now:
            expires = now + _LIFETIME
            claims = {"iss": "supabase", "role": role, "iat": int(now), "exp": int(expires)}
            token = jwt.encode(claims, self._secrets.jwt_secret, algorithm="HS256")
            self._minted[role] = (token, expires)
        return token

    def opaque(self, role: Role) -> str:
        """The publishable or secret key of a role."""
        return self._secrets.secret_key if role == "service_role" else self._secrets.publishable_key

    def is_signed(self, token: str) -> bool:
        """Is this a JWT of this stack that has not expired, whatever it is for?"""
        try:
            self._claims(token)
        except jwt.PyJWTError:
            return False
        return True

    def _claims(self, token: str) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token, self._secrets.jwt_secret, algorithms=["HS256"], options={"verify_aud": False}
        )
        return claims

    def _role_of(self, key: str) -> Role | None:
        if hmac.compare_digest(key.encode(), self._secrets.publishable_key.encode()):
            return "anon"
        if hmac.compare_digest(key.encode(), self._secrets.secret_key.encode()):
            return "service_role"
        return self._legacy_role(key)

    def _legacy_role(self, key: str) -> Role | None:
        """The older kind of key: a role JWT without a subject, signed by this stack."""
        if key.count(".") != 2:
            return None
        try:
            claims = self._claims(key)
        except jwt.PyJWTError:
            return None
        if claims.get("sub"):
            return None
        role = claims.get("role")
        return role if role in ("anon", "service_role") else None
