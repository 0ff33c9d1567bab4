"""Turns the table of routes into endpoints."""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.api import gs1
from services.api.answers import problem, refusal, unavailable
from services.api.limits import TooLarge, read_limited
from services.api.route import Route
from services.api.settings import ApiSettings
from takt.errors import from_response, unreachable

Endpoint = Callable[[Request], Awaitable[Response]]

_BODY_LIMIT = 1024 * 1024
_PASSED_ON = ("authorization", "apikey", "x-takt-station", "user-agent")
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "string", "description": "stable machine code, domain.reason"},
        "message": {"type": "string"},
        "detail": {"description": "the facts"},
        "sqlstate": {"type": "string"},
    },
}


class BadRequest(ValueError):
    """The request does not fit the route; the message says where."""


def add_routes(
    app: FastAPI, table: tuple[Route, ...], http: httpx.AsyncClient, settings: ApiSettings
) -> None:
    """Register every line of the table."""
    seen: Counter[str] = Counter()
    for route in table:
        seen[route.rpc] += 1
        endpoint = _endpoint(route, http, settings)
        again = f"_{seen[route.rpc]}" if seen[route.rpc] > 1 else ""
        app.add_api_route(
            route.path,
            endpoint,
            methods=[route.method],
            operation_id=route.rpc + again,
            summary=route.summary,
            status_code=route.status,
            response_model=None,
            openapi_extra=_described(route),
        )


def _endpoint(route: Route, http: httpx.AsyncClient, settings: ApiSettings) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        headers = caller_headers(request, settings, route.bearer_header)
        if headers is None:
            return problem(401, "auth.required", "Sign in first.")
        try:
            chosen, arguments = await _arguments(route, request)
        except TooLarge:
            return problem(413, "request.too_large", "The body may have at most 1 MB.")
        except BadRequest as error:
            return problem(400, "request.malformed", str(error))
        try:
            answer = await http.post(f"rpc/{chosen.rpc}", json=arguments, headers=headers)
        except httpx.TransportError as error:
            return unavailable(unreachable(error).code)
        if answer.is_success:
            return JSONResponse(answer.json() if answer.content else None, _status(answer, chosen))
        return refusal(from_response(answer), _remembered(answer))

    return endpoint


def caller_headers(
    request: Request, settings: ApiSettings, bearer_header: str = ""
) -> dict[str, str] | None:
    """What is passed on so that the database sees the caller; None when nobody is signed in.

    `bearer_header`: may carry the access token too, and then nothing less than a token will do.
    """
    headers = {n: request.headers[n] for n in _PASSED_ON if n in request.headers}
    if bearer_header:
        if token := request.headers.get(bearer_header, "").strip():
            headers["authorization"] = f"Bearer {token}"
        if "authorization" not in headers:
            return None
    if "authorization" not in headers and "apikey" not in headers:
        return None
    headers.setdefault("apikey", settings.supabase_publishable_key or "")
    return headers


def _remembered(answer: httpx.Response) -> dict[str, Any] | None:
    """The RPC's own answer when it refused without an error, to leave an event behind."""
    try:
        body = answer.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) and "ok" in body else None


def _status(answer: httpx.Response, route: Route) -> int:
    """An RPC may set its own success status; plain 200 and 204 become the route's."""
    return route.status if answer.status_code in (200, 204) else answer.status_code


async def _arguments(route: Route, request: Request) -> tuple[Route, dict[str, Any]]:
    """The line that the body fits, and the arguments of its RPC."""
    values: dict[str, Any] = dict(request.path_params)
    if route.method == "GET":
        values |= _query(route, request)
    else:
        body = await _body(request)
        if route.instead and route.instead.body[0].strip("!") in body:
            route = route.instead
        values |= _checked(route, body, request)
    if isinstance(code := values.get(route.gs1), str):
        values[route.gs1] = gs1.parse(code) or {"raw": code, "ais": {}}
    return route, {route.argument(name): value for name, value in values.items()}


def _query(route: Route, request: Request) -> dict[str, Any]:
    query = request.query_params
    lists = {name[:-1] for name in route.query if name.endswith("*")}
    _refuse_misfit(query, route.query)
    found = {name: query.getlist(name) for name in query}
    return {
        name: [part for value in got for part in value.split(",") if part]
        if name in lists
        else (got[0] if len(got) == 1 else got)
        for name, got in found.items()
    }


async def _body(request: Request) -> dict[str, Any]:
    raw = await read_limited(request, _BODY_LIMIT)
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        raise BadRequest("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise BadRequest("The body must be one JSON object.")
    return body


def _checked(route: Route, body: dict[str, Any], request: Request) -> dict[str, Any]:
    _refuse_misfit(body, route.body)
    if "request_id" in route.body and (key := request.headers.get("idempotency-key")):
        try:
            body.setdefault("request_id", str(uuid.UUID(key)))
        except ValueError:
            raise BadRequest("Idempotency-Key must be a UUID.") from None
    return body


def _refuse_misfit(given: Mapping[str, Any], names: tuple[str, ...]) -> None:
    known = [name.strip("!*") for name in names]
    if unknown := sorted(set(given) - set(known)):
        allowed = ", ".join(known) or "nothing"
        raise BadRequest(f"Unknown: {', '.join(unknown)}. Accepted: {allowed}.")
    missing = [name[1:] for name in names if name.startswith("!") and given.get(name[1:]) is None]
    if missing:
        raise BadRequest(f"Missing: {', '.join(missing)}.")


def _described(route: Route) -> dict[str, Any]:
    """The OpenAPI part of a route."""
    text = {"schema": {"type": "string"}}
    path = [
        {"name": name, "in": "path", "required": True, **text}
        for name in re.findall(r"{(\w+)}", route.written)
    ]
    query = [
        {"name": name.strip("!*"), "in": "query", "required": name.startswith("!"), **text}
        for name in route.query
    ]
    content = {"application/json": {"schema": _PROBLEM}}
    header = [
        {"name": name, "in": "header", "required": False, **text}
        for name in (route.bearer_header,)
        if name
    ]
    described: dict[str, Any] = {
        "parameters": path + query + header,
        "responses": {"4XX": {"description": "Refused", "content": content}},
    }
    if route.method != "GET":
        schema = _schema(route)
        if route.instead:
            schema = {"oneOf": [schema, _schema(route.instead)]}
        described["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return described


def _schema(route: Route) -> dict[str, Any]:
    """The body of a route as a JSON schema."""
    names: dict[str, Any] = {name.lstrip("!"): {} for name in route.body}
    return {
        "type": "object",
        "properties": names,
        "required": [name[1:] for name in route.body if name.startswith("!")],
        "additionalProperties": False,
    }
