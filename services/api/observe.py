"""What the gatekeeper shows of itself: metrics, health, readiness."""

from __future__ import annotations

import logging
import time
from typing import Any

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from takt.errors import RpcError
from takt.rpc import RpcClient

log = logging.getLogger(__name__)

SECONDS = Histogram(
    "http_request_duration_seconds", "Time to answer", ["method", "handler", "status"]
)
JOBS = Gauge("work_queue_jobs", "Jobs by topic and status", ["topic", "status"])
OLDEST = Gauge("work_queue_oldest_seconds", "Age of the oldest job", ["topic", "status"])
_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]
_ABSENT = "PGRST202"
_ASK_AGAIN_SECONDS = 60.0


class Observed:
    """Middleware: times each request by its route and adds the security headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = {name for name, _ in message["headers"]}
                ours = [header for header in _SECURITY if header[0] not in given]
                message["headers"] = [*message["headers"], *ours]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            # The route's pattern, not the path: a stranger must not make new time series.
            handler = getattr(scope.get("route"), "path", "-")
            elapsed = time.perf_counter() - started
            method = scope["method"] if handler != "-" else "-"
            SECONDS.labels(method, handler, str(status)).observe(elapsed)


class Health:
    """Asks the database a question that only the database can answer."""

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc
        self._ask_queue_after = 0.0

    def add_routes(self, app: FastAPI) -> None:
        """/metrics, /livez, /readyz, /health: for the operators, not part of the API."""
        for path, endpoint in (
            ("/metrics", self.metrics),
            ("/livez", self.live),
            ("/readyz", self.ready),
            ("/health", self.health),
        ):
            app.add_api_route(path, endpoint, include_in_schema=False, response_model=None)

    async def live(self) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(self) -> Response:
        problem = await self._database_problem()
        return PlainTextResponse("ok\n" if not problem else f"{problem}\n", 503 if problem else 200)

    async def health(self) -> Response:
        problem = await self._database_problem()
        checks = {"database": {"ok": problem is None, "problem": problem}}
        status = "ok" if problem is None else "unavailable"
        return JSONResponse({"status": status, "checks": checks}, 200 if problem is None else 503)

    async def metrics(self, _: Request) -> Response:
        await self._read_queue()
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def _database_problem(self) -> str | None:
        """None when Postgres answered. A refusal is an answer: it carries Postgres' SQLSTATE."""
        try:
            await self._rpc.call("whoami", tries=1)
        except RpcError as error:
            if error.temporary or error.status >= 500:
                return str(error)
            if error.sqlstate[:2] not in ("PT", "42") and error.sqlstate != _ABSENT:
                return f"The key or the address is wrong: {error}"
        return None

    async def _read_queue(self) -> None:
        if time.monotonic() < self._ask_queue_after:
            return
        try:
            rows: list[dict[str, Any]] = await self._rpc.call("work_queue_status", tries=1) or []
        except RpcError as error:
            if error.sqlstate == _ABSENT:
                self._ask_queue_after = time.monotonic() + _ASK_AGAIN_SECONDS
            log.debug(str(error), extra={"action": "metrics.queue"})
            return
        JOBS.clear()
        OLDEST.clear()
        for row in rows:
            JOBS.labels(row["topic"], row["status"]).set(row["jobs"])
            OLDEST.labels(row["topic"], row["status"]).set(row["oldest_seconds"])
