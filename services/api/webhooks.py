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
from takt.rpc import RpcClient

log = logging.getLogger(__name__)

BODY_LIMIT = 3 * 1024 * 1024
RECEIVED = Counter("takt_webhooks", "Webhooks by source and result", ["source", "result"])
_BAD_SIGNATURE = "webhook.bad_signature"
# Ours or the proxies', not the sender's; credentials must not end up in the inbox.
_NOT_STORED = ("authorization", "cookie", "apikey", "host", "connection", "content-length")


class Receiver:
    """`POST /webhooks/{source}/{shop}`. The signature is checked in the database."""

    def __init__(self, rpc: RpcClient, settings: ApiSettings) -> None:
        self._rpc = rpc
        self._seconds = settings.webhook_seconds
        key = settings.secrets_key
        self._headers = {"x-takt-secrets-key": key.get_secret_value()} if key else {}

    async def receive(self, request: Request, source: str, shop: str) -> Response:
        """200 stored (also a duplicate), 401 signature, 413 too large, otherwise 503."""
        try:
            body = await read_limited(request, BODY_LIMIT)
        except TooLarge as error:
            return self._too_large(source, error.headers)
        try:
            async with asyncio.timeout(self._seconds):
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
            return self._refused(source, shop, error)
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

    def _refused(self, source: str, shop: str, error: RpcError) -> Response:
        if error.status == 413:
            return self._too_large(source)
        if error.code == _BAD_SIGNATURE:
            _count(source, "bad_signature")
            log.warning("bad signature", extra=_fields("webhook.bad_signature", source, shop))
            return problem(401, _BAD_SIGNATURE, "The signature is missing or wrong.")
        log.error(str(error), extra=_fields("webhook.not_stored", source, shop))
        return self._not_stored(source)

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
