"""A Shopify shop as the receiver sees it: signed webhooks with Shopify's headers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

API_VERSION = "2026-10"


def sign(body: bytes, secret: str) -> str:
    """base64(HMAC-SHA256) over the exact bytes, as Shopify sends it."""
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode("ascii")


class ShopifyShop:
    """Sends webhooks to `url` (…/webhooks/shopify/<shop>), signed with `secret`."""

    def __init__(
        self, url: str, secret: str, domain: str = "demo.myshopify.com", timeout: float = 10.0
    ) -> None:
        self._url = url
        self._secret = secret
        self._domain = domain
        self._timeout = timeout

    def request(
        self, topic: str, payload: Mapping[str, Any] | bytes, delivery_id: str | None = None
    ) -> tuple[bytes, dict[str, str]]:
        """Body and headers of one delivery. Bytes are sent as they are."""
        body = (
            payload
            if isinstance(payload, bytes)
            else json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        )
        return body, {
            "content-type": "application/json",
            "x-shopify-topic": topic,
            "x-shopify-shop-domain": self._domain,
            "x-shopify-hmac-sha256": sign(body, self._secret),
            "x-shopify-webhook-id": delivery_id or str(uuid.uuid4()),
            "x-shopify-event-id": str(uuid.uuid4()),
            "x-shopify-triggered-at": datetime.now(UTC).isoformat(),
            "x-shopify-api-version": API_VERSION,
        }

    def send(
        self,
        topic: str,
        payload: Mapping[str, Any] | bytes,
        *,
        delivery_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Post one webhook; `headers` replace ours. Errors: httpx.TransportError."""
        body, ours = self.request(topic, payload, delivery_id)
        return httpx.post(
            self._url, content=body, headers={**ours, **(headers or {})}, timeout=self._timeout
        )
