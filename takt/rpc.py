"""Calls to the RPCs in the database, over PostgREST."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Mapping
from types import TracebackType
from typing import Any, Protocol, Self

import httpx

from takt.backoff import full_jitter
from takt.errors import RpcError, from_response, unreachable

log = logging.getLogger(__name__)

_RETRY_BASE, _RETRY_CAP = 0.2, 10.0


class TokenProvider(Protocol):
    """Gives the user or device token; `fresh` asks for a new one after a refusal."""

    def __call__(self, fresh: bool = False) -> Awaitable[str]: ...


class RpcClient:
    """Async client with a keep-alive pool.

    `url`: the Supabase address. `key`: publishable or secret key. `token_provider`: who is signed
    in; without it the key itself is the identity. `timeout` in seconds per try.
    """

    def __init__(
        self,
        url: str,
        key: str,
        token_provider: TokenProvider | None = None,
        *,
        timeout: float = 15.0,
        tries: int = 5,
        headers: Mapping[str, str] | None = None,
        connections: int = 20,
    ) -> None:
        self._token_provider = token_provider
        self._key = key
        self._tries = tries
        self._http = httpx.AsyncClient(
            base_url=f"{url.rstrip('/')}/rest/v1/rpc/",
            headers={"apikey": key, "user-agent": "takt", **(headers or {})},
            timeout=httpx.Timeout(timeout, connect=5.0),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def call(
        self,
        name: str,
        /,
        *,
        safe: bool = False,
        get: bool = False,
        tries: int | None = None,
        headers: Mapping[str, str] | None = None,
        **args: Any,
    ) -> Any:
        """Call one RPC; arguments carry their `p_` names. Answers the decoded JSON.

        `safe`: repeating has no second effect. `get`: a read, by HTTP GET. A call is repeated only
        when it is safe, a GET or carries `p_request_id`, and only for a temporary failure.
        Errors: RpcError.
        """
        repeatable = safe or get or args.get("p_request_id") is not None
        left = (self._tries if tries is None else tries) - 1
        attempt = 0
        renewed = False
        while True:
            try:
                return await self._once(name, args, get, headers or {}, renewed)
            except RpcError as error:
                if error.token_refused and self._token_provider is not None and not renewed:
                    renewed = True
                    continue
                if not error.temporary or attempt >= left or (error.sent and not repeatable):
                    raise
                wait = full_jitter(attempt, _RETRY_BASE, _RETRY_CAP)
                log.info(
                    "rpc again",
                    extra={"action": "rpc.retry", "rpc": name, "sqlstate": error.sqlstate},
                )
            attempt += 1
            await asyncio.sleep(wait)

    async def _once(
        self, name: str, args: Mapping[str, Any], get: bool, headers: Mapping[str, str], fresh: bool
    ) -> Any:
        sent = {**headers, **await self._authorization(fresh)}
        try:
            if get:
                params = {k: v if isinstance(v, str) else json.dumps(v) for k, v in args.items()}
                response = await self._http.get(name, params=params, headers=sent)
            else:
                response = await self._http.post(name, json=dict(args), headers=sent)
        except httpx.TransportError as error:
            raise unreachable(error) from error
        if response.is_success:
            return response.json() if response.content else None
        raise from_response(response)

    async def _authorization(self, fresh: bool) -> dict[str, str]:
        if self._token_provider is not None:
            return {"authorization": f"Bearer {await self._token_provider(fresh=fresh)}"}
        # An old-style key is a JWT and its own bearer token; sb_… keys are no tokens.
        return {"authorization": f"Bearer {self._key}"} if self._key.startswith("eyJ") else {}
