"""A device's own sign-in: one Auth user per device, made by enrolment, kept in a 0600 file."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import httpx
from supabase import AsyncClient, AsyncClientOptions, acreate_client
from supabase_auth.errors import AuthError, AuthRetryableError
from supabase_auth.types import Session

from takt.backoff import full_jitter
from takt.errors import UNREACHABLE, RpcError
from takt.settings import ConfigError

_EARLY_SECONDS = 60.0


@dataclass(frozen=True)
class Credentials:
    """What a device needs to sign in. `password` never leaves its file and the Auth service."""

    supabase_url: str
    publishable_key: str
    email: str
    password: str
    device: str

    def __repr__(self) -> str:
        return f"Credentials(device={self.device!r}, email={self.email!r})"

    @classmethod
    def read(cls, path: Path) -> Credentials:
        """Errors: ConfigError when missing, damaged or readable by others."""
        try:
            mode = path.stat().st_mode
            stored = json.loads(path.read_text(encoding="utf-8"))
            found = cls(**{field.name: str(stored[field.name]) for field in fields(cls)})
        except FileNotFoundError as error:
            raise ConfigError(f"{path} is missing. Run `takt device enroll CODE`.") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path} cannot be used. Enrol the device again.") from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(f"{path} can be read by others. Run `chmod 600 {path}`.")
        return found

    def write(self, path: Path) -> None:
        """Replace `path` in one step, readable by its owner only."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent)  # made with 0600
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)


class DeviceSession:
    """A token provider for `RpcClient`: signs in, refreshes, falls back to the password."""

    def __init__(self, credentials: Credentials, spread_seconds: float = 5.0) -> None:
        self._credentials = credentials
        self._spread = spread_seconds
        self._client: AsyncClient | None = None
        self._session: Session | None = None
        self._lock = asyncio.Lock()
        self._http = httpx.AsyncClient(timeout=15)

    async def close(self) -> None:
        """Close the connections; the session stays valid until it ends by itself."""
        await self._http.aclose()

    async def __call__(self, fresh: bool = False) -> str:
        """A token with at least a minute left. Errors: RpcError, temporary when Auth is away."""
        before = self._session
        async with self._lock:
            if fresh and self._session is before:
                self._session = None
            if self._session is None or _ends_soon(self._session):
                self._session = await self._renew()
            return self._session.access_token

    async def _renew(self) -> Session:
        try:
            return await self._refresh() or await self._sign_in()
        except (AuthRetryableError, httpx.TransportError) as error:
            text = f"The sign-in service does not answer ({type(error).__name__})."
            raise RpcError(0, UNREACHABLE, "auth.unreachable", text, sent=False) from error
        except AuthError as error:
            raise RpcError(401, "", "auth.refused", f"Sign-in was refused: {error}.") from error

    async def _refresh(self) -> Session | None:
        """A new session from the refresh token; None when there is none or it was refused."""
        if self._session is None or self._client is None:
            return None
        try:
            answer = await self._client.auth.refresh_session(self._session.refresh_token)
        except AuthRetryableError:
            raise
        except AuthError:
            # All devices of a plant may fall back at once, and Auth limits sign-ins per address.
            await asyncio.sleep(full_jitter(0, self._spread, self._spread))
            return None
        return answer.session

    async def _sign_in(self) -> Session:
        if self._client is None:
            options = AsyncClientOptions(
                auto_refresh_token=False, persist_session=False, httpx_client=self._http
            )
            self._client = await acreate_client(
                self._credentials.supabase_url, self._credentials.publishable_key, options
            )
        answer = await self._client.auth.sign_in_with_password(
            {"email": self._credentials.email, "password": self._credentials.password}
        )
        if answer.session is None:
            raise AuthError("no session was given", None)
        return answer.session


def _ends_soon(session: Session) -> bool:
    return (session.expires_at or 0) - time.time() < _EARLY_SECONDS


async def enroll(api_url: str, code: str) -> Credentials:
    """Exchange a one-time enrolment code for credentials. Errors: RpcError."""
    try:
        async with httpx.AsyncClient(timeout=20) as http:
            response = await http.post(
                f"{api_url.rstrip('/')}/api/devices/enroll", json={"code": code}
            )
    except httpx.TransportError as error:
        text = f"No answer from the server ({type(error).__name__})."
        raise RpcError(0, UNREACHABLE, "rpc.unreachable", text) from error
    try:
        body = response.json()
        if response.is_success:
            return Credentials(**{f.name: str(body[f.name]) for f in fields(Credentials)})
        message, reason = str(body["message"]), str(body.get("code", ""))
    except (ValueError, KeyError, TypeError):
        message, reason = f"HTTP {response.status_code}", "rpc.unexpected"
    raise RpcError(response.status_code, "", reason, message)
