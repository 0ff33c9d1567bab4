"""One handler per topic. A handler calls an RPC; the rules are in the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from services.worker.domain import Job, JobFailed
from takt.rpc import RpcClient

Handler = Callable[[RpcClient, Job], Awaitable[None]]


async def process_webhook(rpc: RpcClient, job: Job) -> None:
    """Merge one stored webhook. The RPC is idempotent. Errors: JobFailed, RpcError."""
    answer = await rpc.call("process_webhook", safe=True, p_inbox_id=job.payload["inbox_id"])
    if isinstance(answer, Mapping) and answer.get("ok") is False:
        raise JobFailed(str(answer.get("error") or "The webhook could not be processed."))


HANDLERS: Mapping[str, Handler] = {
    "channel.process": process_webhook,
}
