"""The Admin API of the demo's shops, where Takt says that something ran out."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from services.simulator.serving import listen, serve
from services.simulator.shop_graphql import SimulatedShop
from takt.daemon import Run

log = logging.getLogger(__name__)

_LOCATIONS = {"warehouse": 5, "store": 2}
_NAMED = re.compile(r'sku:"((?:[^"\\]|\\.)+)"')


class DemoShop(SimulatedShop):
    """Has everything that Takt asks for, at two locations, until it is told otherwise."""

    def _items(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        if named := _NAMED.fullmatch(str(variables["query"])):
            sku = re.sub(r"\\(.)", r"\1", named[1])
            if sku.lower() not in {known.lower() for known in self.stock}:
                self.stock[sku] = dict(_LOCATIONS)
        return super()._items(variables)

    def _apply(self, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        errors = super()._apply(given)
        lines = [
            f"{line['inventoryItemId']} at {line['locationId']}" for line in given["quantities"]
        ]
        log.info("stock set", extra={"action": "sim.stock_set", "lines": lines, "errors": errors})
        return errors


class ShopApi:
    """On loopback only. Errors: OSError when the port is taken."""

    def __init__(self, token: str, port: int) -> None:
        self._shop = DemoShop(token)
        self._socket = listen(port)

    async def run(self, _: Run) -> None:
        """A side task: serve until it is cancelled."""
        await serve(self._shop.app(), self._socket)
