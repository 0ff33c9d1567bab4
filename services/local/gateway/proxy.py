"""Streams a request to one service of the stack and its answer back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import httpx
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OURS = frozenset({"server", "date"})
_CLIENT_GONE = 499
# Longer than any statement_timeout of the API roles, so that Postgres is the one to say stop.
_TIMEOUT = httpx.Timeout(120, connect=5, pool=10).as_dict()

Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Upstream:
    """A service behind the gateway; `name` is the one that `takt status` shows.

    A bare transport, not a client: no cookies kept between callers, no redirects followed, no
    headers added.
    """

    name: str
    base_url: str
    transport: httpx.AsyncHTTPTransport

    async def send(self, request: httpx.Request) -> httpx.Response:
        request.extensions["timeout"] = _TIMEOUT
        return await self.transport.handle_async_request(request)


def problem(status: int, message: str, **facts: object) -> JSONResponse:
    """A refusal by the gateway itself, in the shape the clients show to people."""
    return JSONResponse({"code": status, "message": message, "msg": message, **facts}, status)


def request_headers(
    request: Request, drop: Iterable[str] = (), *, server: bool = False
) -> list[Header]:
    """Headers to pass on: no hop-by-hop ones, and X-Forwarded-* set by us alone.

    `server`: the caller has the secret key, so it may name the key of the shops' secrets.
    """
    nominated = request.headers.get("connection", "").lower().split(",")
    unwanted = _HOP_BY_HOP | {"host", *drop, *(name.strip() for name in nominated)}
    if not server:
        unwanted |= {"x-takt-secrets-key"}
    kept = [
        (name, value)
        for name, value in request.headers.raw
        if name.decode("latin-1") not in unwanted and not name.startswith(b"x-forwarded-")
    ]
    client = request.client.host if request.client else ""
    host = request.headers.get("host", "")
    return [
        *kept,
        (b"x-forwarded-for", client.encode("latin-1")),
        (b"x-forwarded-host", host.encode("latin-1")),
        (b"x-forwarded-proto", request.url.scheme.encode("latin-1")),
    ]


def response_headers(headers: httpx.Headers, drop: Iterable[str] = ()) -> list[Header]:
    """Headers to pass back; CORS is the gateway's own business."""
    nominated = headers.get("connection", "").lower().split(",")
    unwanted = _HOP_BY_HOP | _OURS | {*drop, *(name.strip() for name in nominated)}
    lowered = ((name.lower(), value) for name, value in headers.raw)
    return [
        (name, value)
        for name, value in lowered
        if name.decode("latin-1") not in unwanted and not name.startswith(b"access-control-")
    ]


def query_without_key(request: Request) -> bytes:
    """The query string as it came, but without `apikey`: PostgREST would filter by it."""
    query: bytes = request.scope.get("query_string", b"")
    parts = query.split(b"&")
    return b"&".join(part for part in parts if part and not part.startswith(b"apikey="))


async def send(
    request: Request,
    upstream: Upstream,
    path: str,
    headers: list[Header],
    body: bytes | AsyncIterator[bytes] | None = None,
) -> httpx.Response | Response:
    """Send the request on; the upstream's open answer, or our own Response when there is none.

    `body` replaces the caller's (default: streamed as it arrives). When the caller hangs up the
    upstream request is cancelled.
    """
    reader = _Body(request, body)
    url = httpx.URL(upstream.base_url).copy_with(
        raw_path=path.encode("ascii") + b"?" + query_without_key(request)
    )
    outgoing = httpx.Request(request.method, url, headers=headers, content=reader.content)
    sending = asyncio.create_task(upstream.send(outgoing))
    leaving = asyncio.create_task(reader.disconnected())
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not sending.done():
            return Response(status_code=_CLIENT_GONE)
        return sending.result()
    except ClientDisconnect:
        return Response(status_code=_CLIENT_GONE)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        return _down(upstream)
    except httpx.TimeoutException:
        return problem(504, f"{upstream.name} did not answer in time.", service=upstream.name)
    except httpx.TransportError:
        # The request may have been carried out: never repeated here.
        message = f"{upstream.name} closed the connection before it answered."
        return problem(502, message, service=upstream.name)
    finally:
        leaving.cancel()
        sending.cancel()


async def forward(
    request: Request,
    upstream: Upstream,
    path: str,
    headers: list[Header],
    body: bytes | AsyncIterator[bytes] | None = None,
) -> Response:
    """Like `send`, with the answer streamed back to the caller."""
    answer = await send(request, upstream, path, headers, body)
    return answer if isinstance(answer, Response) else stream(answer)


def stream(answer: httpx.Response) -> Response:
    """The upstream's open answer as ours, passed on as it arrives."""
    response = StreamingResponse(
        answer.aiter_raw(), answer.status_code, background=BackgroundTask(answer.aclose)
    )
    response.raw_headers = response_headers(answer.headers)
    return response


class _Body:
    """The body to send on, and the news that the caller has hung up."""

    def __init__(self, request: Request, body: bytes | AsyncIterator[bytes] | None) -> None:
        self._request = request
        self._finished = asyncio.Event()
        if body is None and _has_body(request):
            body = request.stream()
        self.content: bytes | AsyncIterator[bytes] | None
        if body is None or isinstance(body, bytes):
            self.content = body
            self._finished.set()
        else:
            self.content = self._stream(body)

    async def _stream(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            if chunk:
                yield chunk
        self._finished.set()

    async def disconnected(self) -> None:
        """Returns when the caller has gone; messages are read only once the body is in."""
        await self._finished.wait()
        while (await self._request.receive())["type"] != "http.disconnect":
            continue


def _has_body(request: Request) -> bool:
    length = request.headers.get("content-length", "0")
    return length != "0" or "transfer-encoding" in request.headers


def _down(upstream: Upstream) -> JSONResponse:
    return problem(
        503,
        f"The service {upstream.name} is not running. `takt status` shows the services.",
        service=upstream.name,
    )
