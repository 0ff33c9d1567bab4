"""The gatekeeper: webhooks, REST routes, GraphQL. It holds no rule and no database connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from services.api.devices import Enrolment
from services.api.files import PATH as TABLES_PATH
from services.api.files import QUERY as TABLES_QUERY
from services.api.files import Files
from services.api.graphql.endpoint import GraphQL
from services.api.limits import Limited
from services.api.machine_export import FILES as EXPORT_FILES
from services.api.machine_export import PATH as EXPORT_PATH
from services.api.machine_export import MachineExport
from services.api.observe import Health, Observed
from services.api.recall import PATH as RECALL_PATH
from services.api.recall import QUERY as RECALL_QUERY
from services.api.recall import RecallExport
from services.api.rest import add_routes
from services.api.routes import ROUTES
from services.api.settings import ApiSettings
from services.api.stock_import import PATH as IMPORT_PATH
from services.api.stock_import import QUERY as IMPORT_QUERY
from services.api.stock_import import StockImport
from services.api.webhooks import Receiver
from takt.auth_admin import AuthAdmin
from takt.notify import notify
from takt.rpc import RpcClient


def create_app(settings: ApiSettings) -> FastAPI:
    """The ASGI application. Errors: ConfigError when there is no secret key."""
    url = settings.supabase_url.rstrip("/")
    rpc = RpcClient(url, settings.secret_key, timeout=10, tries=3)
    auth = AuthAdmin(url, settings.secret_key)
    http = httpx.AsyncClient(base_url=f"{url}/rest/v1/", timeout=httpx.Timeout(60, connect=5))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with rpc, auth, http:
            notify("READY=1")
            yield
            notify("STOPPING=1")

    app = FastAPI(
        title="Takt",
        version="1",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    _add_own_routes(app, Receiver(rpc, settings), Enrolment(rpc, auth, settings))
    add_routes(app, ROUTES, http, settings)
    _add_recall(app, RecallExport(http, settings))
    _add_machine_export(app, MachineExport(http, settings))
    _add_files(app, Files(http, settings), settings)
    _add_graphql(app, GraphQL(http, settings))
    Health(rpc).add_routes(app)
    app.add_middleware(Limited, per_minute=settings.rate_per_minute)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "apikey", "content-type", "idempotency-key"],
        )
    app.add_middleware(Observed)
    return app


def _add_own_routes(app: FastAPI, receiver: Receiver, enrolment: Enrolment) -> None:
    """What is more than one call of an RPC."""

    async def webhook(request: Request, source: str, shop: str) -> Response:
        return await receiver.receive(request, source, shop)

    async def enroll(request: Request) -> Response:
        return await enrolment.enroll(request)

    app.add_api_route(
        "/webhooks/{source}/{shop}",
        webhook,
        methods=["POST"],
        response_model=None,
        summary="A shop's signed webhook",
    )
    app.add_api_route(
        "/api/devices/enroll",
        enroll,
        methods=["POST"],
        status_code=201,
        response_model=None,
        summary="Exchange a one-time code for a device's sign-in",
    )


def _add_recall(app: FastAPI, recall: RecallExport) -> None:
    async def export(request: Request) -> Response:
        return await recall.export(request)

    text = {"schema": {"type": "string"}}
    app.add_api_route(
        RECALL_PATH,
        export,
        methods=["GET"],
        operation_id="recall_export",
        response_model=None,
        summary="Units that a trace reaches, where they are and whose, as CSV",
        openapi_extra={
            "parameters": [{"name": name, "in": "query", **text} for name in RECALL_QUERY],
            "responses": {"200": {"description": "A file", "content": {"text/csv": {}}}},
        },
    )


def _add_machine_export(app: FastAPI, files: MachineExport) -> None:
    async def export(request: Request, what: str, form: str) -> Response:
        return await files.export(request, what, form)

    text = {"schema": {"type": "string"}}
    query = sorted({name for file in EXPORT_FILES.values() for name in file.query})
    app.add_api_route(
        EXPORT_PATH,
        export,
        methods=["GET"],
        operation_id="machine_export",
        response_model=None,
        summary="OEE, stops or repairs as a file: oee, stops or repairs, csv or xlsx",
        openapi_extra={"parameters": [{"name": name, "in": "query", **text} for name in query]},
    )


def _add_files(app: FastAPI, files: Files, settings: ApiSettings) -> None:
    """Bodies that are files: CSV, or an .xlsx workbook."""
    stock = StockImport(files, settings)

    async def read_file(request: Request) -> Response:
        return await files.read_file(request)

    async def import_file(request: Request) -> Response:
        return await stock.import_file(request)

    text = {"schema": {"type": "string"}}
    binary = {"schema": {"type": "string", "format": "binary"}}
    for path, endpoint, name, query, summary in (
        (TABLES_PATH, read_file, "read_table", TABLES_QUERY, "The rows of a file"),
        (IMPORT_PATH, import_file, "import_stock_file", IMPORT_QUERY, "Stock: tried, or done"),
    ):
        app.add_api_route(
            path,
            endpoint,
            methods=["POST"],
            operation_id=name,
            response_model=None,
            summary=f"{summary}, from a CSV file or an .xlsx workbook",
            openapi_extra={
                "parameters": [{"name": key, "in": "query", **text} for key in query],
                "requestBody": {"content": {"application/octet-stream": binary}},
            },
        )


def _add_graphql(app: FastAPI, graphql: GraphQL) -> None:
    async def endpoint(request: Request) -> Response:
        return await graphql(request)

    app.add_api_route(
        "/graphql",
        endpoint,
        methods=["POST"],
        response_model=None,
        summary="Machines, lines, repairs, downtimes, users and roles as GraphQL",
    )
