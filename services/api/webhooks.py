"""The receiver: raw bytes in, one RPC, an answer that is 200 only when the webhook is stored."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Mapping

from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.api.answers import problem, unavailable
from services.api.limits import TooLarge, read_limited
from services.api.settings import ApiSettings
from takt.errors import RpcError
from takt.limits import TokenBucket
from takt.rpc import RpcClient

log = logging.getLogger(__name__)

BODY_LIMIT = 3 * 1024 * 1024
RECEIVED = Counter("takt_webhooks", "Webhooks by source and result", ["source", "result"])
_BAD_SIGNATURE = "webhook.bad_signature"
# How the headers with a signature end, in every format of private.webhook_formats.
_SIGNATURES = ("-signature", "-sha256")
_AT_ONCE = 8  # verifications; more would take the database's connections from the floor
# Bad signatures: of one address for one shop, and of one address. Far apart, because a sender
# such as Shopify speaks for many shops, and one with a wrong secret must not shut out the others.
_SHOP_BURST, _SHOP_PER_MINUTE = 20, 20.0
_ADDRESS_BURST, _ADDRESS_PER_MINUTE = 200, 200.0
# Ours or the proxies', not the sender's; credentials must not end up in the inbox.
_NOT_STORED = ("authorization", "cookie", "apikey", "host", "connection", "content-length")


class Receiver:
    """`POST /webhooks/{source}/{shop}`. The signature is checked in the database."""

    def __init__(self, rpc: RpcClient, settings: ApiSettings) -> None:
        self._rpc = rpc
        self._seconds = settings.webhook_seconds
        key = settings.secrets_key
        self._headers = {"x-takt-secrets-key": key.get_secret_value()} if key else {}
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._per_shop = TokenBucket(_SHOP_BURST, _SHOP_PER_MINUTE)
        self._per_address = TokenBucket(_ADDRESS_BURST, _ADDRESS_PER_MINUTE)

    async def receive(self, request: Request, source: str, shop: str) -> Response:
        """200 stored (also a duplicate), 401 signature, 413 too large, 429 too many bad
        signatures, otherwise 503.
        """
        if refusal := self._before_body(request, source, shop):
            return refusal
        try:
            body = await read_limited(request, BODY_LIMIT)
        except TooLarge as error:
            return self._too_large(source, error.headers)
        try:
            async with asyncio.timeout(self._seconds), self._free:
                stored = await self._rpc.call(
                    "receive_webhook",
                    safe=True,
                    headers=self._headers,
                    p_source=source,
                    p_shop=shop,
                    p_body=base64.b64encode(body).decode("ascii"),
                    p_headers=_sender_headers(request),
                )
            inbox_id = int(stored["inbox_id"])
        except RpcError as error:
            return self._refused(request, source, shop, error)
        except (TimeoutError, TypeError, KeyError) as error:
            log.error(
                "not stored", extra=_fields("webhook.not_stored", source, shop), exc_info=error
            )
            return self._not_stored(source)
        duplicate = bool(stored.get("duplicate"))
        _count(source, "duplicate" if duplicate else "stored")
        fields = {**_fields("webhook.stored", source, shop), "inbox_id": inbox_id}
        log.info("stored", extra={**fields, "topic": stored.get("topic"), "duplicate": duplicate})
        return JSONResponse({"stored": True, "duplicate": duplicate, "inbox_id": inbox_id})

    def _before_body(self, request: Request, source: str, shop: str) -> Response | None:
        """The refusal of a sender who cannot have signed anything, or too often did so badly."""
        address, pair = _keys(request, source, shop)
        if wait := max(self._per_shop.wait(pair), self._per_address.wait(address)):
            _count(source, "too_many")
            text = "Too many bad signatures from this address. Wait a moment."
            return problem(429, "webhook.too_many", text, retry_after=wait)
        if _has_signature(request):
            return None
        answer = self._bad_signature(request, source, shop)
        if "content-length" not in request.headers:
            answer.headers["connection"] = "close"  # the body may be endless
        return answer

    def _refused(self, request: Request, source: str, shop: str, error: RpcError) -> Response:
        if error.status == 413:
            return self._too_large(source)
        if error.code == _BAD_SIGNATURE:
            return self._bad_signature(request, source, shop)
        log.error(str(error), extra=_fields("webhook.not_stored", source, shop))
        return self._not_stored(source)

    def _bad_signature(self, request: Request, source: str, shop: str) -> Response:
        address, pair = _keys(request, source, shop)
        self._per_shop.take(pair)
        self._per_address.take(address)
        _count(source, "bad_signature")
        log.warning("bad signature", extra=_fields("webhook.bad_signature", source, shop))
        return problem(401, _BAD_SIGNATURE, "The signature is missing or wrong.")

    @staticmethod
    def _too_large(source: str, headers: Mapping[str, str] | None = None) -> Response:
        _count(source, "too_large")
        answer = problem(413, "webhook.too_large", "A webhook may have at most 3 MB.")
        answer.headers.update(headers or {})
        return answer

    @staticmethod
    def _not_stored(source: str) -> Response:
        _count(source, "not_stored")
        return unavailable("webhook.not_stored", "Not stored. Send it again.")


def _has_signature(request: Request) -> bool:
    return any(value and name.endswith(_SIGNATURES) for name, value in request.headers.items())


def _keys(request: Request, source: str, shop: str) -> tuple[str, str]:
    """Who is counted: the address, and the address with the shop."""
    address = request.client.host if request.client else "-"
    return address, f"{address} {source[:40]}/{shop[:100]}"


def _sender_headers(request: Request) -> Mapping[str, str]:
    return {
        name: value
        for name, value in request.headers.items()
        if name not in _NOT_STORED and not name.startswith("x-forwarded-")
    }


def _fields(action: str, source: str, shop: str) -> dict[str, object]:
    return {"action": action, "source": source, "shop": shop}


def _count(source: str, result: str) -> None:
    # The path is a stranger's text: only known sources may become a label.
    known = source if source in ("shopify", "woocommerce", "generic") else "other"
    RECEIVED.labels(known, result).inc()
