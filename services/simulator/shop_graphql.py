"""A shop's Admin API, as far as stock goes: what Shopify checks, this checks.

Not a GraphQL engine: it knows the few operations that Takt sends, by the field they ask for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_IDEMPOTENT = re.compile(r"inventorySetQuantities\s*\([^)]*\)\s*@idempotent\(key: \$\w+\)")
_PAGE = 2  # small, so that paging is used


@dataclass
class SimulatedShop:
    """Stock of one shop: {sku: {location: available}}. Everything that is not allowed is refused.

    `before_set` runs before each write, as a customer who buys meanwhile. `down` is the number of
    requests that fail with HTTP 503 before it works again; `throttled` the same with THROTTLED.
    """

    token: str
    stock: dict[str, dict[str, int]] = field(default_factory=dict)
    before_set: Callable[[SimulatedShop], None] | None = None
    down: int = 0
    throttled: int = 0
    requests: int = 0
    writes: list[dict[str, Any]] = field(default_factory=list)
    _answers: dict[str, Any] = field(default_factory=dict)

    def app(self) -> Starlette:
        path = "/{domain}/admin/api/{version}/graphql.json"
        return Starlette(routes=[Route(path, self._serve, methods=["POST"])])

    async def _serve(self, request: Request) -> Response:
        self.requests += 1
        if self.down:
            self.down -= 1
            return Response(status_code=503)
        if request.headers.get("x-shopify-access-token") != self.token:
            text = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return JSONResponse({"errors": text}, 401)
        if self.throttled:
            self.throttled -= 1
            return _errors("Throttled", "THROTTLED")
        sent = await request.json()
        return await run_in_threadpool(
            self._answer, sent["query"], sent.get("variables") or {}, request.path_params["version"]
        )

    def _answer(self, query: str, variables: Mapping[str, Any], version: str) -> Response:
        if "inventorySetQuantities" in query:
            return self._set(query, variables, version)
        if "inventoryItems(" in query:
            return _data({"inventoryItems": self._items(variables)})
        if "inventoryItem(" in query:
            return _data({"inventoryItem": self._levels(variables)})
        return _errors("Field doesn't exist on type 'QueryRoot'", "undefinedField")

    def _items(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        found = re.fullmatch(r'sku:"((?:[^"\\]|\\.)*)"', str(variables["query"]))
        wanted = re.sub(r"\\(.)", r"\1", found[1]).lower() if found else ""
        # The search is by beginning, as in the real shop: the caller looks at the SKU itself.
        nodes = [
            {"id": _gid("InventoryItem", sku), "sku": sku}
            for sku in sorted(self.stock)
            if wanted and sku.lower().startswith(wanted)
        ]
        return _page(nodes, variables.get("after"))

    def _levels(self, variables: Mapping[str, Any]) -> dict[str, Any] | None:
        sku = self._sku(variables["id"])
        if sku is None:
            return None
        nodes = [
            {
                "location": {"id": _gid("Location", location)},
                "quantities": [{"name": "available", "quantity": available}],
            }
            for location, available in sorted(self.stock[sku].items())
        ]
        return {"inventoryLevels": _page(nodes, variables.get("after"))}

    def _set(self, query: str, variables: Mapping[str, Any], version: str) -> Response:
        given = variables["input"]
        if version >= "2026-04" and not _IDEMPOTENT.search(query):
            text = "The @idempotent directive is required for this mutation but was not provided."
            return _errors(text, "BAD_REQUEST")
        if any("changeFromQuantity" not in line for line in given["quantities"]):
            text = "InventoryQuantityInput must include the following argument: changeFromQuantity"
            return _errors(text, "INVALID_FIELD_ARGUMENTS")
        if self.before_set is not None:
            self.before_set(self)
        key = variables["key"]
        if key not in self._answers:
            self._answers[key] = self._apply(given)
        return _data({"inventorySetQuantities": {"userErrors": self._answers[key]}})

    def _apply(self, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        """All lines or none; the user errors."""
        errors = []
        if given["name"] not in ("available", "on_hand"):
            errors.append(_user_error("INVALID_NAME", "The quantity name is invalid."))
        for n, line in enumerate(given["quantities"]):
            sku, place = self._sku(line["inventoryItemId"]), line["locationId"].rpartition("/")[2]
            if sku is None or place not in self.stock[sku]:
                errors.append(_user_error("ITEM_NOT_STOCKED_AT_LOCATION", "Not stocked here.", n))
            elif line["changeFromQuantity"] not in (None, self.stock[sku][place]):
                text = "The specified compare quantity does not match the current quantity."
                errors.append(_user_error("CHANGE_FROM_QUANTITY_STALE", text, n))
        if errors:
            return errors
        for line in given["quantities"]:
            sku, place = self._sku(line["inventoryItemId"]), line["locationId"].rpartition("/")[2]
            self.stock[str(sku)][place] = int(line["quantity"])
            self.writes.append(dict(line))
        return []

    def _sku(self, gid: str) -> str | None:
        return next((sku for sku in self.stock if _gid("InventoryItem", sku) == gid), None)


def _gid(kind: str, name: str) -> str:
    return f"gid://shopify/{kind}/{name}"


def _page(nodes: list[dict[str, Any]], after: str | None) -> dict[str, Any]:
    start = int(after) if after else 0
    end = start + _PAGE
    info = {"hasNextPage": end < len(nodes), "endCursor": str(end)}
    return {"nodes": nodes[start:end], "pageInfo": info}


def _user_error(code: str, message: str, line: int | None = None) -> dict[str, Any]:
    place = ["input", "quantities", str(line)] if line is not None else ["input"]
    return {"code": code, "field": place, "message": message}


def _data(data: Mapping[str, Any]) -> Response:
    return JSONResponse({"data": dict(data)})


def _errors(message: str, code: str) -> Response:
    return JSONResponse({"errors": [{"message": message, "extensions": {"code": code}}]})
