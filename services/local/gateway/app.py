"""The gateway's routes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import psycopg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from services.local.gateway.admin_store import UserStore
from services.local.gateway.admin_users import AdminUsers
from services.local.gateway.keys import KeyRefused, KeyRing
from services.local.gateway.lite_routes import Lite
from services.local.gateway.middleware import middleware
from services.local.gateway.paper import Paper
from services.local.gateway.proxy import Upstream, forward, problem, request_headers
from services.local.gateway.rest import Rest
from services.local.gateway.web import ApiRoute, WebClient, web_folder
from services.local.realtime.app import realtime_routes
from services.local.realtime.authorise import RealtimeSettings
from services.local.settings import Settings
from services.local.simulated import PAPER_PATH
from takt.ports import HOST

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_LIMITS = httpx.Limits(max_connections=500, max_keepalive_connections=100, keepalive_expiry=30)
# Addresses that older clients know, outside /api.
_OLD_ROUTES = (
    ("POST", "/scans"),
    ("POST", "/test-results"),
    ("POST", "/inventory/move"),
    ("GET", "/auth/me"),
    ("GET", "/health"),
)
Handler = Callable[[Request], Awaitable[Response]]


def build_app(settings: Settings) -> Starlette:
    """The ASGI application; it owns the connections to the services behind it."""
    ports, keys = settings.ports, KeyRing(settings.secrets)
    postgrest = _upstream("postgrest", ports.postgrest)
    lite_upstream = _upstream("lite", ports.lite)
    api = _upstream("api", ports.api)
    users = AdminUsers(UserStore(settings.db_url("supabase_auth_admin")))
    lite = Lite(keys, lite_upstream, users)
    paper = Paper(settings.paths)

    async def to_api(request: Request) -> Response:
        path = request.scope["raw_path"].decode("ascii")
        return await forward(request, api, path, request_headers(request))

    async def public_settings(_: Request) -> Response:
        public = {"supabase_url": "", "publishable_key": settings.secrets.publishable_key}
        return JSONResponse(public, headers={"cache-control": "no-store"})

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for part in (postgrest.transport, lite_upstream.transport, api.transport, paper):
                await stack.enter_async_context(part)
            yield

    routes: list[BaseRoute] = [
        Route("/healthz", _healthy),
        Route("/config.json", public_settings),
        *_prefix("/rest/v1", Rest(keys, postgrest).__call__),
        *_prefix("/auth/v1", lite.auth),
        *_prefix("/storage/v1", lite.storage),
        *_prefix(PAPER_PATH.rstrip("/"), paper.__call__),
        Mount("/realtime/v1", routes=realtime_routes(_realtime(settings))),
        *(
            route
            for prefix in ("/api", "/graphql", "/webhooks", "/print-jobs")
            for route in _prefix(prefix, to_api)
        ),
        *(Route(path, to_api, methods=[method]) for method, path in _OLD_ROUTES),
        ApiRoute("/units/{path:path}", to_api, methods=["GET", "POST"]),
    ]
    folder = web_folder(settings.paths.root)
    if folder is not None:
        routes.append(Mount("/", WebClient(directory=folder, html=True)))
    return Starlette(
        routes=routes,
        middleware=middleware(),
        lifespan=lifespan,
        exception_handlers={KeyRefused: _refuse_key, psycopg.OperationalError: _no_database},
    )


def _upstream(name: str, port: int) -> Upstream:
    return Upstream(name, f"http://{HOST}:{port}", httpx.AsyncHTTPTransport(limits=_LIMITS))


def _prefix(prefix: str, handler: Handler) -> list[BaseRoute]:
    async def endpoint(request: Request) -> Response:
        return await handler(request)

    return [
        Route(prefix, endpoint, methods=_METHODS),
        Route(prefix + "/{path:path}", endpoint, methods=_METHODS),
    ]


def _realtime(settings: Settings) -> RealtimeSettings:
    return RealtimeSettings(
        db_url=settings.db_url("supabase_admin"),
        jwt_secret=settings.secrets.jwt_secret,
        publishable_key=settings.secrets.publishable_key,
        secret_key=settings.secrets.secret_key,
    )


async def _healthy(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _no_database(_: Request, __: Exception) -> Response:
    return problem(
        503, "The database cannot be reached. Try again in a moment.", service="postgres"
    )


async def _refuse_key(_: Request, error: Exception) -> Response:
    hint = "Send a publishable or secret key in the `apikey` header; `takt status` shows them."
    if "browser" in str(error):
        hint = "A secret key must stay on a server. Use the publishable key in a browser."
    return problem(401, str(error), hint=hint)
