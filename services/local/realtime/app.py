"""The routes of Realtime: the WebSocket and the two REST forms of sending a broadcast."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from services.local.realtime.authorise import (
    Authoriser,
    RealtimeSettings,
    Unauthorised,
    Unavailable,
    identify,
)
from services.local.realtime.channels import Hub
from services.local.realtime.listener import Listener
from services.local.realtime.protocol import (
    Broadcast,
    ProtocolError,
    parse_json,
    parse_name,
    parse_version,
)
from services.local.realtime.session import LONGEST_FRAME, Backend, Session


def realtime_routes(settings: RealtimeSettings) -> list[BaseRoute]:
    """Routes to mount under /realtime/v1; listening starts with the first request."""
    return RealtimeServer(settings).routes()


class RealtimeServer:
    """One hub and one database listener behind the routes."""

    def __init__(self, settings: RealtimeSettings) -> None:
        hub = Hub()
        self._settings = settings
        self._backend = Backend(
            settings, Authoriser(settings.db_url), hub, Listener(settings.db_url, hub.publish)
        )
        self._listening: asyncio.Task[None] | None = None

    def routes(self) -> list[BaseRoute]:
        """`/websocket`, `/api/broadcast`, `/api/broadcast/<topic>/events/<event>`."""
        events = "/api/broadcast/{topic:path}/events/{event:path}"
        return [
            WebSocketRoute("/websocket", self._websocket),
            Route("/api/broadcast", self._send_batch, methods=["POST"]),
            Route(events, self._send_event, methods=["POST"]),
        ]

    def start(self) -> None:
        """Start listening to the database; nothing to do when it does."""
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._backend.listener.run())

    async def stop(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listening

    # -- WebSocket ----------------------------------------------------------------------------

    async def _websocket(self, socket: WebSocket) -> None:
        token = socket.query_params.get("apikey") or socket.headers.get("x-api-key") or ""
        try:
            identify(self._settings, token)
            version = parse_version(socket.query_params.get("vsn"))
        except Unauthorised as error:
            return await socket.send_denial_response(_problem(401, str(error)))
        except ProtocolError as error:
            return await socket.send_denial_response(_problem(400, str(error)))
        self.start()
        await socket.accept()
        return await Session(socket, version, token, self._backend).run()

    # -- REST ---------------------------------------------------------------------------------

    async def _send_batch(self, request: Request) -> Response:
        """Body `{"messages": [{"topic", "event", "payload", "private"}]}`; 202 when all went."""
        try:
            sent = [_batch_item(item) for item in _json(await _body(request))["messages"]]
        except (KeyError, TypeError, ProtocolError) as error:
            return _problem(422, f"Expected messages with topic, event and payload: {error}")
        return await self._send(request, sent)

    async def _send_event(self, request: Request) -> Response:
        """The body is the payload: JSON, or raw bytes as application/octet-stream; 202."""
        body = await _body(request)
        raw = request.headers.get("content-type", "").startswith("application/octet-stream")
        try:
            message = Broadcast(
                parse_name(request.path_params["topic"]),
                parse_name(request.path_params["event"]),
                body if raw else _json(body),
            )
        except ProtocolError as error:
            return _problem(422, str(error))
        private = request.query_params.get("private") == "true"
        return await self._send(request, [(message, private)])

    async def _send(self, request: Request, messages: list[tuple[Broadcast, bool]]) -> Response:
        """Check all messages, then send all."""
        try:
            claims = identify(self._settings, _rest_token(request))
            for topic, private in {(message.topic, private) for message, private in messages}:
                if not private and self._settings.private_only:
                    return _problem(403, "This project only allows private channels")
                if private and not (await self._backend.authoriser.rights(claims, topic)).write:
                    return _problem(403, f"You may not send to the topic {topic}")
        except Unauthorised as error:
            return _problem(401, str(error))
        except Unavailable as error:
            return _problem(503, str(error))
        for message, private in messages:
            self._backend.hub.publish(message, private)
        return Response(status_code=202)


def _rest_token(connection: HTTPConnection) -> str | None:
    """The user's token when there is one, else the API key."""
    scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer:
        return bearer
    return connection.headers.get("apikey") or connection.headers.get("x-api-key")


def _batch_item(item: dict[str, Any]) -> tuple[Broadcast, bool]:
    message = Broadcast(parse_name(item["topic"]), parse_name(item["event"]), item["payload"])
    return message, item.get("private") is True


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FRAME:
            raise HTTPException(413, f"The body is at most {LONGEST_FRAME} bytes")
    return bytes(body)


def _json(body: bytes) -> Any:
    try:
        return parse_json(body)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("The body is not JSON.") from error


def _problem(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message, "message": message}, status_code=status)
