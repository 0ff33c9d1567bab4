"""Auth users, through Supabase's admin API. Needs the secret key: servers and admins only."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import httpx

from takt.errors import RpcError, from_response, unreachable

_PAGE = 200
_FOR_EVER = "876000h"  # 100 years: Auth knows no ban without an end


class AuthAdmin:
    """Create, find, change, ban and delete Auth users. Errors of every method: RpcError."""

    def __init__(self, url: str, secret_key: str, timeout: float = 15.0) -> None:
        headers = {"apikey": secret_key, "authorization": f"Bearer {secret_key}"}
        self._http = httpx.AsyncClient(
            base_url=f"{url.rstrip('/')}/auth/v1/admin/", headers=headers, timeout=timeout
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def create_user(self, email: str, password: str) -> str:
        """A confirmed user; answers the user id."""
        body = {"email": email, "password": password, "email_confirm": True}
        return str((await self._send("POST", "users", json=body))["id"])

    async def delete_user(self, user_id: str) -> None:
        """Gone for good. A user who is gone already is no error."""
        try:
            await self._send("DELETE", f"users/{user_id}")
        except RpcError as error:
            if error.status != 404:
                raise

    async def set_password(self, user_id: str, password: str) -> None:
        """Give the user another password."""
        await self._send("PUT", f"users/{user_id}", json={"password": password})

    async def ban_user(self, user_id: str, *, banned: bool) -> None:
        """No session for the user any more; or again. An unknown user is no error."""
        try:
            duration = _FOR_EVER if banned else "none"
            await self._send("PUT", f"users/{user_id}", json={"ban_duration": duration})
        except RpcError as error:
            if error.status != 404:
                raise

    async def find_user(self, email: str) -> dict[str, Any] | None:
        """The user with this e-mail, or None."""
        page = 1
        while True:
            answer = await self._send("GET", "users", params={"page": page, "per_page": _PAGE})
            users = answer.get("users", [])
            for user in users:
                if str(user.get("email", "")).lower() == email.lower():
                    return dict(user)
            if len(users) < _PAGE:
                return None
            page += 1

    async def _send(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = await self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise unreachable(error) from error
        if response.is_success:
            return response.json() if response.content else None
        found = from_response(response)
        body = response.json() if _is_json(response) else {}
        if isinstance(body, dict) and (text := body.get("msg") or body.get("message")):
            found.message = str(text)
        raise found


def _is_json(response: httpx.Response) -> bool:
    return "json" in response.headers.get("content-type", "")
