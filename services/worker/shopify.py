"""Shopify's Admin API, as far as stock goes: find an item by SKU, set it to nothing everywhere."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

# inventorySetQuantities with changeFromQuantity and @idempotent, as it is required from 2026-04 on.
API_VERSION = "2026-10"
STALE = "CHANGE_FROM_QUANTITY_STALE"
_READS, _LINES = 3, 100

_ITEMS = """
query Items($query: String!, $after: String) {
  inventoryItems(first: 25, query: $query, after: $after) {
    nodes { id sku }
    pageInfo { hasNextPage endCursor }
  }
}"""
_LEVELS = """
query Levels($id: ID!, $after: String) {
  inventoryItem(id: $id) {
    inventoryLevels(first: 50, after: $after) {
      nodes { location { id } quantities(names: ["available"]) { name quantity } }
      pageInfo { hasNextPage endCursor }
    }
  }
}"""
_SET = """
mutation Set($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    userErrors { code field message }
  }
}"""


class ShopError(Exception):
    """The shop refused or could not be reached; the message says what it said."""


@dataclass(frozen=True)
class Level:
    """What a shop has of an item at one of its locations."""

    item: str
    location: str
    available: int


class Shop:
    """One shop. `address`: https://<domain>; `token`: its access token."""

    def __init__(
        self, http: httpx.AsyncClient, address: str, token: str, version: str = API_VERSION
    ) -> None:
        self._http = http
        self._url = f"{address}/admin/api/{version}/graphql.json"
        self._token = token

    async def set_out_of_stock(self, sku: str, reference: str) -> int:
        """Set a SKU to 0 at every location where more is on sale; answers how many locations have
        it (0: the shop does not know the SKU).

        Compare-and-set: what was sold meanwhile is read again, three times. `reference`: a URI
        that the shop keeps with the change. Errors: ShopError.
        """
        for _ in range(_READS):
            levels = [level async for level in self._levels(sku)]
            on_sale = [level for level in levels if level.available > 0]
            if not on_sale or await self._set_to_nothing(on_sale, reference):
                return len(levels)
        raise ShopError(f"{sku} kept changing in the shop while it was set to nothing.")

    async def _levels(self, sku: str) -> AsyncIterator[Level]:
        quoted = sku.replace("\\", "\\\\").replace('"', '\\"')
        async for item in self._pages(_ITEMS, {"query": f'sku:"{quoted}"'}, "inventoryItems"):
            if (item["sku"] or "").lower() != sku.lower():
                continue  # the search also finds longer ones
            path = ("inventoryItem", "inventoryLevels")
            async for level in self._pages(_LEVELS, {"id": item["id"]}, *path):
                available = {q["name"]: q["quantity"] for q in level["quantities"]}["available"]
                yield Level(item["id"], level["location"]["id"], available)

    async def _pages(
        self, query: str, variables: Mapping[str, Any], *path: str
    ) -> AsyncIterator[dict[str, Any]]:
        """The nodes of every page of a connection."""
        after = None
        while True:
            page: Any = await self._ask(query, {**variables, "after": after})
            for name in path:
                page = (page or {}).get(name)
            for node in (page or {}).get("nodes", []):
                yield node
            if not page or not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    async def _set_to_nothing(self, levels: list[Level], reference: str) -> bool:
        """False when one of them was changed since it was read. Errors: ShopError."""
        for start in range(0, len(levels), _LINES):
            lines = [
                {
                    "inventoryItemId": level.item,
                    "locationId": level.location,
                    "quantity": 0,
                    "changeFromQuantity": level.available,
                }
                for level in levels[start : start + _LINES]
            ]
            wanted = {"name": "available", "reason": "correction", "quantities": lines}
            variables = {
                "input": {**wanted, "referenceDocumentUri": reference},
                "key": str(uuid.uuid4()),
            }
            answer = await self._ask(_SET, variables)
            errors = answer["inventorySetQuantities"]["userErrors"]
            if any(error.get("code") == STALE for error in errors):
                return False
            if errors:
                raise ShopError("; ".join(str(error["message"]) for error in errors))
        return True

    async def _ask(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        try:
            response = await self._http.post(
                self._url,
                json={"query": query, "variables": dict(variables)},
                headers={"x-shopify-access-token": self._token},
            )
        except httpx.TransportError as error:
            raise ShopError(f"The shop does not answer ({type(error).__name__}).") from error
        if not response.is_success:
            raise ShopError(f"The shop answered with HTTP {response.status_code}.")
        try:
            answer = response.json()
            if answer.get("errors"):
                raise ShopError(_said(answer["errors"]))
            return dict(answer["data"])
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise ShopError("The shop's answer cannot be read.") from error


def _said(errors: Any) -> str:
    """What Shopify's top-level errors say: a text, or a list of objects with a message."""
    if not isinstance(errors, list):
        return str(errors)
    return "; ".join(str(e.get("message") if isinstance(e, dict) else e) for e in errors)
