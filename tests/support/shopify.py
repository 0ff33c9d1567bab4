"""The signed payloads: byte-exact bodies with the headers a shop sends."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

SECRET = "test-secret-not-a-real-one"
_FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "shopify"


def cases_folder() -> Path:
    """TAKT_SHOPIFY_CASES, or the copy in tests/fixtures; fails when there are no cases in it."""
    folder = Path(os.environ.get("TAKT_SHOPIFY_CASES") or _FIXTURES)
    found = next(folder.rglob("orders_create__*.json"), None)
    assert found is not None, f"no Shopify cases in {folder}"
    return found.parent


@dataclass(frozen=True)
class Delivery:
    """One webhook: the exact bytes and its headers."""

    body: bytes
    headers: dict[str, str]

    @property
    def payload(self) -> Any:
        return json.loads(self.body)

    def again(self, **changes: Any) -> Delivery:
        """A new delivery of the payload with changed top-level fields, signed anew."""
        body = json.dumps({**self.payload, **changes}, ensure_ascii=False).encode()
        return Delivery(body, signed_headers(body, self.headers["X-Shopify-Topic"]))

    def post(self, client: httpx.Client, shop: str) -> httpx.Response:
        return client.post(f"/webhooks/shopify/{shop}", content=self.body, headers=self.headers)


def signed_headers(body: bytes, topic: str, secret: str = SECRET) -> dict[str, str]:
    """Headers of a fresh delivery."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {
        "X-Shopify-Topic": topic,
        "X-Shopify-Shop-Domain": "example-cakes.myshopify.com",
        "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
        "X-Shopify-Webhook-Id": str(uuid4()),
        "X-Shopify-Event-Id": str(uuid4()),
        "X-Shopify-Triggered-At": "2026-11-20T22:14:04.123456789Z",
        "X-Shopify-API-Version": "2026-10",
        "Content-Type": "application/json",
    }


def case(name: str) -> Delivery:
    """A case by its file name without .json."""
    folder = cases_folder()
    headers = json.loads((folder / f"{name}.headers.json").read_text())
    return Delivery(
        (folder / f"{name}.json").read_bytes(), {**headers, "Content-Type": "application/json"}
    )


def shopify_cases() -> list[str]:
    """Names of all signed Shopify cases of the folder."""
    names = []
    for file in sorted(cases_folder().glob("*.headers.json")):
        if "X-Shopify-Hmac-Sha256" in json.loads(file.read_text()):
            names.append(file.name.removesuffix(".headers.json"))
    return names
