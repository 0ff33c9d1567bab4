"""The database as the caller sees it: RPCs and filtered reads with the caller's token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from graphql import GraphQLError

from takt.errors import RpcError, from_response, unreachable


class Refusal(GraphQLError):
    """What the database refused, with its code and facts as extensions."""

    def __init__(self, error: RpcError) -> None:
        self.error = error
        facts = {
            "code": error.code or error.sqlstate,
            "status": error.status,
            "detail": error.detail,
        }
        super().__init__(error.message, extensions=facts)


class Backend:
    """One caller. `headers`: what is passed on of the request. Errors of all methods: Refusal."""

    def __init__(self, http: httpx.AsyncClient, headers: Mapping[str, str]) -> None:
        self._http = http
        self._headers = headers
        self._known: dict[tuple[str, str], Any] = {}

    async def call(self, rpc: str, **arguments: Any) -> Any:
        """The RPC's answer. Arguments that are None are left out: the RPC has its defaults."""
        given = {f"p_{name}": value for name, value in arguments.items() if value is not None}
        return await self._ask("POST", f"rpc/{rpc}", json=given)

    async def once(self, rpc: str, **arguments: Any) -> Any:
        """The same for a read, asked once per request however many fields want it."""
        key = (rpc, repr(sorted(arguments.items())))
        if key not in self._known:
            self._known[key] = await self.call(rpc, **arguments)
        return self._known[key]

    async def rows(
        self, table: str, query: Mapping[str, str], *, with_total: bool = False
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Rows of a table, view or read, by PostgREST's filters, under the caller's policies;
        how many there are in all only when asked."""
        told = {"prefer": "count=exact"} if with_total else {}
        answer = await self._answer("GET", table, params=query, headers={**self._headers, **told})
        total = answer.headers.get("content-range", "").rpartition("/")[2]
        return list(answer.json()), int(total) if with_total else None

    async def _ask(self, method: str, path: str, **more: Any) -> Any:
        answer = await self._answer(method, path, headers=self._headers, **more)
        return answer.json() if answer.content else None

    async def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, **more)
        except httpx.TransportError as error:
            raise Refusal(unreachable(error)) from error
        if not answer.is_success:
            raise Refusal(from_response(answer))
        return answer
