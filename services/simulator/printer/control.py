"""The hands and eyes at the virtual printers, over HTTP on loopback: faults, power, paper.

Paths are relative to wherever it is mounted; the page at `/` shows the paper as it comes out.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.simulator.printer.device import Device
from services.simulator.printer.faults import KINDS, Fault
from services.simulator.printer.fleet import Fleet
from services.simulator.printer.paper import Label, Renderer

log = logging.getLogger(__name__)

_PAGE = Path(__file__).with_name("page")
_MOST_LABELS = 500
_HEADERS = (
    (b"content-security-policy", b"default-src 'self'; object-src 'none'; base-uri 'none'; "
     b"form-action 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)  # fmt: skip
Action = Callable[[Device, dict[str, Any]], None]


class _Refused(Exception):
    """Answers `status` with a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class _SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await self._app(scope, receive, secured)


def create_app(fleet: Fleet, renderer: Renderer) -> Starlette:
    """The ASGI application. It changes things only for JSON: no page elsewhere can send that."""
    control = _Control(fleet, renderer)
    actions: dict[str, Action] = {
        "faults": _faults,
        "power": _power,
        "feed": _feed,
        "load": _load,
        "settings": _settings,
    }
    routes: list[Route | Mount] = [
        Route("/printers", control.printers),
        Route("/printers/{code}", control.printer),
        Route("/printers/{code}/paper", control.paper),
        Route("/printers/{code}/paper/{n:int}.png", control.picture),
        *(
            Route(f"/printers/{{code}}/{name}", control.acting(action), methods=["POST"])
            for name, action in actions.items()
        ),
        Mount("/", StaticFiles(directory=_PAGE, html=True)),
    ]
    hosts = ["127.0.0.1", "localhost", "*.localhost", "testserver"]
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(_SecurityHeaders),
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts),
        ],
        exception_handlers={_Refused: _refuse},
    )


class _Control:
    def __init__(self, fleet: Fleet, renderer: Renderer) -> None:
        self._fleet, self._renderer = fleet, renderer

    def _device(self, request: Request) -> Device:
        device = self._fleet.devices.get(request.path_params["code"])
        if device is None:
            raise _Refused(404, "There is no such printer.")
        return device

    async def printers(self, _: Request) -> Response:
        """Every printer: where it is and how it is."""
        places = {place["code"]: place for place in self._fleet.addresses()}
        devices = self._fleet.devices
        return JSONResponse([{**places[code], **d.state()} for code, d in devices.items()])

    async def printer(self, request: Request) -> Response:
        return JSONResponse(self._device(request).state())

    async def paper(self, request: Request) -> Response:
        """What came out, newest first; `?limit=` and `?before=n`."""
        device = self._device(request)
        device.mechanism.advance()
        limit = min(_number(request, "limit", 50), _MOST_LABELS)
        before = _number(request, "before", len(device.paper) + 1)
        labels = [label for label in reversed(device.paper.labels) if label.n < before]
        return JSONResponse([_shown(label) for label in labels[:limit]])

    async def picture(self, request: Request) -> Response:
        """PNG of one label. 503 when it cannot be drawn here."""
        device = self._device(request)
        device.mechanism.advance()
        label = device.paper.get(request.path_params["n"])
        if label is None:
            raise _Refused(404, "That label has not come out, or is forgotten by now.")
        try:
            png = await device.paper.picture(label, self._renderer)
        except Exception as error:  # whatever a renderer raises: the paper stays, without picture
            log.warning(str(error), extra={"action": "printer.picture"})
            raise _Refused(503, f"This label cannot be drawn: {error}") from error
        return Response(png, media_type="image/png", headers={"cache-control": "max-age=3600"})

    def acting(self, action: Action) -> Callable[[Request], Awaitable[Response]]:
        """A handler: the JSON object in the body goes to `action`; answers the printer's state."""

        async def endpoint(request: Request) -> Response:
            device = self._device(request)
            if request.headers.get("content-type", "").split(";")[0] != "application/json":
                raise _Refused(415, "Send JSON, as application/json.")
            try:
                facts = json.loads(await request.body() or b"{}")
                if not isinstance(facts, dict):
                    raise ValueError("Send a JSON object.")
                action(device, facts)
            except ValueError as error:
                raise _Refused(400, str(error)) from error
            return JSONResponse(device.state())

        return endpoint


def _faults(device: Device, facts: dict[str, Any]) -> None:
    """`{"fault": kind, …}` (see `Fault`), or `{"clear": kind}`, or `{"clear": "all"}`."""
    if "clear" not in facts:
        device.strike(Fault.of(facts))
        return
    kind = facts["clear"]
    if kind != "all" and kind not in KINDS:
        raise ValueError(f"Clear `all`, or one of {', '.join(KINDS)}.")
    device.clear(None if kind == "all" else KINDS[kind])


def _power(device: Device, facts: dict[str, Any]) -> None:
    """`{"state": "off" | "on" | "cycle"}`."""
    actions = {"off": device.power_off, "on": device.power_on, "cycle": device.power_cycle}
    if facts.get("state") not in actions:
        raise ValueError("`state` must be off, on or cycle.")
    actions[facts["state"]]()


def _feed(device: Device, facts: dict[str, Any]) -> None:
    """`{"times": 1}`: the feed button; `{"calibrate": true}` moves on by two."""
    device.feed(2 if facts.get("calibrate") is True else _count(facts, "times") or 1)


def _load(device: Device, facts: dict[str, Any]) -> None:
    """`{"labels": 500, "width_mm": 100, "height_mm": 60}`: a new roll and ribbon, lid closed."""
    device.spec.change({k: v for k, v in facts.items() if k in ("width_mm", "height_mm")})
    device.load(_count(facts, "labels"))


def _settings(device: Device, facts: dict[str, Any]) -> None:
    """Values of `Spec`, also how its firmware behaves."""
    device.spec.change(facts)
    device.changed()


def _count(facts: dict[str, Any], name: str) -> int | None:
    value = facts.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ValueError(f"`{name}` must be a whole number from 1 on.")
    return value


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isdigit():
        raise _Refused(400, f"`{name}` must be a number.")
    return int(text)


def _shown(label: Label) -> dict[str, Any]:
    return {
        "n": label.n,
        "at": label.at.isoformat(timespec="milliseconds"),
        "kind": label.kind,
        "copy": label.copy,
        "spoiled": label.spoiled,
        "texts": label.texts,
        "source": label.source.decode("utf-8", "replace"),
        "zpl": label.zpl,
        "width_mm": label.width_mm,
        "height_mm": label.height_mm,
        "dots_per_mm": label.dots_per_mm,
    }


async def _refuse(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, _Refused) else 500
    return JSONResponse({"message": str(error)}, status_code=status)
