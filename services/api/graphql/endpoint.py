"""`POST /graphql`: queries and mutations as JSON, subscriptions as server-sent events."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import strawberry
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from strawberry.extensions import MaskErrors
from strawberry.types import ExecutionContext

from services.api.answers import problem, refusal
from services.api.graphql.backend import Backend, Refusal
from services.api.graphql.limits import limiter
from services.api.graphql.mutations import Mutation
from services.api.graphql.queries import Query
from services.api.graphql.subscriptions import Subscription
from services.api.limits import TooLarge, read_limited
from services.api.rest import caller_headers
from services.api.settings import ApiSettings

_BODY_LIMIT = 64 * 1024
_STREAM = "text/event-stream"
log = logging.getLogger(__name__)


class _Schema(strawberry.Schema):
    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """A refusal is an answer; only what we did not foresee is logged."""
        for error in errors:
            if error.original_error is not None and not isinstance(
                error.original_error, GraphQLError
            ):
                log.error("graphql failed", exc_info=error.original_error)


def _is_ours(error: GraphQLError) -> bool:
    """True for what must not be shown: neither a refusal nor a fault of the request."""
    return error.original_error is not None and not isinstance(error.original_error, GraphQLError)


def make_schema(settings: ApiSettings) -> strawberry.Schema:
    """The schema with its limits."""
    limits = limiter(settings.graphql_max_depth, settings.graphql_max_cost)
    mask = MaskErrors(should_mask_error=_is_ours, error_message="Something went wrong here.")
    return _Schema(Query, Mutation, Subscription, extensions=[limits, lambda: mask])


class GraphQL:
    """The endpoint. Every request carries the caller's token; the database decides.

    It is asked who that is before anything is read: what needs no data runs for nobody either.
    """

    def __init__(self, http: httpx.AsyncClient, settings: ApiSettings) -> None:
        self._http = http
        self._settings = settings
        self._schema = make_schema(settings)

    async def __call__(self, request: Request) -> Response:
        headers = caller_headers(request, self._settings)
        if headers is None or "authorization" not in headers:
            return problem(401, "auth.required", "Sign in first.")
        caller = Backend(self._http, headers)
        try:
            await caller.call("whoami")
        except Refusal as refused:
            # Who may not ask that is signed in all the same; each field has its own permission.
            if refused.error.status != 403:
                return refusal(refused.error)
        return await self._answer(request, caller)

    async def _answer(self, request: Request, caller: Backend) -> Response:
        try:
            body = json.loads(await read_limited(request, _BODY_LIMIT))
        except TooLarge:
            return problem(413, "request.too_large", "The body may have at most 64 KB.")
        except ValueError:
            return problem(400, "request.malformed", "The body is not JSON.")
        if not isinstance(body, dict) or not isinstance(body.get("query"), str):
            return problem(400, "request.malformed", 'Send {"query": …, "variables": {…}}.')
        asked = {
            "query": body["query"],
            "variable_values": body.get("variables") or {},
            "operation_name": body.get("operationName"),
            "context_value": {"backend": caller},
        }
        if _STREAM in request.headers.get("accept", ""):
            return StreamingResponse(self._stream(asked), media_type=_STREAM)
        return JSONResponse(_shown(await self._schema.execute(**asked)))

    async def _stream(self, asked: dict[str, Any]) -> AsyncIterator[bytes]:
        """Events `next` with a result each, and `complete` at the end."""
        try:
            results = await self._schema.subscribe(**asked)
            if hasattr(results, "__aiter__"):
                async for result in results:
                    yield _event("next", _shown(result))
            else:
                yield _event("next", _shown(results))
        except Refusal as refused:
            yield _event("next", {"data": None, "errors": [refused.formatted]})
        yield _event("complete", None)


def _event(name: str, data: Any) -> bytes:
    text = "" if data is None else json.dumps(data, default=str)
    return f"event: {name}\ndata: {text}\n\n".encode()


def _shown(result: Any) -> dict[str, Any]:
    """A result as the specification writes it."""
    shown: dict[str, Any] = {"data": result.data}
    if result.errors:
        shown["errors"] = [error.formatted for error in result.errors]
    return shown
