"""One handler per topic. A handler calls an RPC; the rules are in the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import httpx

from services.worker.domain import Job, JobFailed
from services.worker.settings import WorkerSettings
from services.worker.shopify import Shop, ShopError
from takt.rpc import RpcClient

Handler = Callable[[RpcClient, Job], Awaitable[None]]


async def process_webhook(rpc: RpcClient, job: Job) -> None:
    """Merge one stored webhook. The RPC is idempotent. Errors: JobFailed, RpcError."""
    answer = await rpc.call("process_webhook", safe=True, p_inbox_id=job.payload["inbox_id"])
    if isinstance(answer, Mapping) and answer.get("ok") is False:
        raise JobFailed(str(answer.get("error") or "The webhook could not be processed."))


async def deduct_stock(rpc: RpcClient, job: Job) -> None:
    """An order whose stock could not be settled as it came in. Errors: RpcError."""
    await rpc.call("deduct_on_order_create", safe=True, p_order_id=job.payload["order_id"])


class StockPush:
    """Tell a shop that an item ran out. Safe to repeat: the shop is asked first."""

    def __init__(self, settings: WorkerSettings, http: httpx.AsyncClient) -> None:
        self._address = settings.worker_shop_url
        key = settings.secrets_key
        self._headers = {"x-takt-secrets-key": key.get_secret_value()} if key else {}
        self._http = http

    async def __call__(self, rpc: RpcClient, job: Job) -> None:
        """Errors: JobFailed, RpcError."""
        what = {"p_store": job.payload["store"], "p_sku": job.payload["sku"]}
        task = await rpc.call("begin_stock_push", safe=True, headers=self._headers, **what)
        if not task["wanted"]:
            return
        address = self._address.format(domain=task["shop_domain"])
        shop = Shop(self._http, address, task["access_token"])
        try:
            count = await shop.set_out_of_stock(task["sku"], f"takt://stock/{job.id}")
        except ShopError as error:
            raise JobFailed(str(error)) from error
        await rpc.call("finish_stock_push", safe=True, p_locations=count, **what)


HANDLERS: Mapping[str, Handler] = {
    "channel.process": process_webhook,
    "stock.deduct": deduct_stock,
}


def all_handlers(settings: WorkerSettings, http: httpx.AsyncClient) -> dict[str, Handler]:
    """The handlers of a worker; `http` is for what lies outside."""
    return {**HANDLERS, "stock.push": StockPush(settings, http)}
