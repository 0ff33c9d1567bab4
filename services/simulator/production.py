"""The print farm's customers: production orders come in, and what has its parts is shipped."""

from __future__ import annotations

import itertools
import json
import logging
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from takt.daemon import Run
from takt.errors import RpcError
from takt.rpc import RpcClient

log = logging.getLogger(__name__)

PREFIX = "DEMO-"
_PRODUCTS = (("KIOSK-STAND", (1, 2, 3, 4)), ("PLANTER", (1, 2, 3)))
_PARTS = ("KIOSK-BRACKET", "PLANTER-FOOT")  # each product needs one of them
_PRIORITIES = ("normal", "normal", "normal", "rush", "critical")
_WAITING = 6  # so many orders wait for parts at a time
_SHIP_AFTER = timedelta(minutes=3)
_FIRST = 7  # the seed has six


class Customers:
    """One look per `seconds`. Orders whose code begins otherwise belong to people: left alone."""

    def __init__(self, rpc: RpcClient, seconds: float, home: Path) -> None:
        self._rpc = rpc
        self._seconds = seconds
        self._file = home / ".takt" / "production.json"
        self._number = self._read()
        # The story moves on with the number: a restart does not repeat the same orders.
        self._dice = random.Random(self._number)  # noqa: S311  # demo data

    async def run(self, state: Run) -> None:
        """A side task: until it is cancelled."""
        while True:
            try:
                await self.look(datetime.now(UTC))
            except RpcError as error:
                log.warning(str(error), extra={"action": "sim.production_missed"})
            await state.pause(self._seconds)

    async def look(self, now: datetime) -> None:
        """Order when little is waiting; ship what has been ready for a while. Errors: RpcError."""
        if len(await self._orders("waiting")) < _WAITING:
            await self._order(now)
        for order in await self._orders("fulfilled"):
            if datetime.fromisoformat(order["fulfilled_at"]) < now - _SHIP_AFTER:
                await self._rpc.call("ship_production_order", safe=True, p_code=order["code"])
                log.info("shipped", extra={"action": "sim.shipped", "order": order["code"]})

    async def _orders(self, status: str) -> list[dict[str, Any]]:
        # By part: the bakeries' tickets are in the same queue, and there are many of them.
        pages = [
            await self._rpc.call(
                "get_order_fulfilment", safe=True, p_status=status, p_sku=part, p_limit=200
            )
            for part in _PARTS
        ]
        rows = itertools.chain.from_iterable(pages)
        return [row for row in rows if str(row["code"]).startswith(PREFIX)]

    async def _order(self, now: datetime) -> None:
        product, quantities = self._dice.choice(_PRODUCTS)
        code = f"{PREFIX}{self._number}"
        self._number += 1
        self._file.write_text(json.dumps({"number": self._number}), encoding="utf-8")
        await self._rpc.call(
            "create_production_order",
            safe=True,
            p_product_sku=product,
            p_quantity=self._dice.choice(quantities),
            p_priority=self._dice.choice(_PRIORITIES),
            p_due_date=(now + timedelta(days=self._dice.randint(1, 7))).date().isoformat(),
            p_code=code,
            p_site="main",
            p_source="erp",
            p_external_id=code,
        )
        log.info("ordered", extra={"action": "sim.ordered", "order": code, "product": product})

    def _read(self) -> int:
        try:
            return int(json.loads(self._file.read_text(encoding="utf-8"))["number"])
        except (OSError, ValueError, KeyError, TypeError):
            return _FIRST
