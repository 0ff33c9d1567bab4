"""The demo's world: shops that post signed orders to the real receiver, printers, customers."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
from datetime import UTC, datetime
from typing import Any

import httpx

from services.simulator.bambu.farm import Farm
from services.simulator.domain import FIRST_NUMBER, Shop
from services.simulator.machines import Machines
from services.simulator.printer.plant import Plant
from services.simulator.production import Customers
from services.simulator.settings import SimulatorSettings
from services.simulator.shop import ShopifyShop
from services.simulator.shop_api import ShopApi
from takt import daemon
from takt.backoff import full_jitter
from takt.daemon import Run
from takt.errors import RpcError
from takt.labels.picture import Picturer
from takt.rpc import RpcClient
from takt.settings import ConfigError

log = logging.getLogger(__name__)

_SHOP_STEP = 1000
_LOOK = 3.0  # seconds between two looks at a plate


class Simulator:
    """One delivery per `sim_seconds`, from the shops in turn."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self._settings = settings
        self._counter = settings.home / ".takt" / "simulator.json"
        numbers = _read_json(self._counter)
        self._shops: list[tuple[str, Shop, ShopifyShop]] = []
        for place, shop in enumerate(_demo_shops(settings)):
            name = shop["shop"]
            number = int(numbers.get(name, FIRST_NUMBER + place * _SHOP_STEP))
            url = f"{settings.supabase_url.rstrip('/')}/webhooks/shopify/{name}"
            # The seed moves on with the number: a restart does not repeat the same cakes.
            domain = Shop(settings.sim_seed + number, number)
            self._shops.append((name, domain, ShopifyShop(url, shop["secret"])))

    async def work(self, state: Run) -> None:
        """Send until the stop. What is not accepted is sent again, as a shop does."""
        state.ready()
        turn = 0
        while not state.stopping:
            name, domain, shop = self._shops[turn % len(self._shops)]
            turn += 1
            topic, payload = domain.next_webhook(datetime.now(UTC))
            self._remember()
            await self._deliver(state, shop, name, topic, payload)
            state.beat()
            await state.pause(self._settings.sim_seconds)

    async def _deliver(
        self, state: Run, shop: ShopifyShop, name: str, topic: str, payload: dict[str, Any]
    ) -> None:
        delivery_id = f"sim-{payload['id']}-{topic}-{payload['updated_at']}"
        fields = {"action": "sim.sent", "shop": name, "topic": topic, "order": payload["name"]}
        for attempt in range(8):
            try:
                answer = await asyncio.to_thread(shop.send, topic, payload, delivery_id=delivery_id)
                log.info("sent", extra={**fields, "status": answer.status_code})
                if answer.is_success or answer.status_code in (401, 404, 413):
                    return
            except httpx.TransportError as error:
                log.warning(type(error).__name__, extra=fields)
            if await state.pause(1 + full_jitter(attempt)):
                return

    def _remember(self) -> None:
        """Numbers go on after a restart, so that no order is overwritten."""
        numbers = {name: shop.number for name, shop, _ in self._shops}
        self._counter.write_text(json.dumps(numbers), encoding="utf-8")


def _demo_shops(settings: SimulatorSettings) -> list[dict[str, str]]:
    shops: list[dict[str, str]] = _read_json(settings.demo_file).get("shops", [])
    if not shops:
        raise ConfigError(f"{settings.demo_file} names no shops. Run `takt up --demo`.")
    return shops


def _read_json(path: Any) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


async def run(settings: SimulatorSettings) -> int:
    """Run until a signal; answers the exit code."""
    simulator = Simulator(settings)
    async with contextlib.AsyncExitStack() as stack:
        pictures = await stack.enter_async_context(Picturer())
        rpc = None
        tells = settings.sim_machine_seconds and settings.supabase_secret_key is not None
        if settings.sim_bambu or tells:
            client = RpcClient(settings.supabase_url, settings.secret_key, connections=2)
            rpc = await stack.enter_async_context(client)
        sides = _side_tasks(settings, pictures, rpc)
        return await daemon.run(
            "simulator", simulator.work, side_tasks=sides, drain_seconds=settings.sim_drain
        )


def _side_tasks(
    settings: SimulatorSettings, pictures: Picturer, rpc: RpcClient | None
) -> dict[str, daemon.Work]:
    """What goes on beside the shops' orders, as far as it is wanted."""
    sides: dict[str, daemon.Work] = {}
    if settings.sim_printers:
        sides["printers"] = Plant(settings, pictures).run
    if rpc is not None and settings.sim_machine_seconds:
        sides["machines"] = Machines(rpc, settings.sim_machine_seconds, settings.home).run
    if rpc is not None and settings.sim_bambu:
        sides["bambu"] = _farm(settings, rpc)
        if settings.sim_production_seconds:
            customers = Customers(rpc, settings.sim_production_seconds, settings.home)
            sides["production"] = customers.run
    if settings.sim_shop_port:
        token = str(_read_json(settings.demo_file).get("shop_token", ""))
        sides["shop"] = ShopApi(token, settings.sim_shop_port).run
    return sides


def _farm(settings: SimulatorSettings, rpc: RpcClient) -> daemon.Work:
    async def work(state: Run) -> None:
        async def until_clear(serial: str) -> None:
            while not await _is_clear(rpc, serial):
                await state.pause(_LOOK)

        # The keys of its printers take a while.
        farm = await asyncio.to_thread(functools.partial(Farm, settings, until_clear=until_clear))
        await farm.run(state)

    return work


async def _is_clear(rpc: RpcClient, serial: str) -> bool:
    """Has a person taken the last print off, where a person has to?"""
    try:
        rows = await rpc.call("get_print_machines", safe=True, p_site="main")
    except RpcError as error:
        log.warning(str(error), extra={"action": "sim.plate_unknown", "printer": serial})
        return False
    return not any(row["plates"] for row in rows if row["machine"]["serial"] == serial)
