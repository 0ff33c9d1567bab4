"""The worker: claims jobs, runs their handlers, settles them.

A job is settled only after its handler's RPC committed. A worker that dies in the middle loses
nothing: its lease ends and the job is claimed again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping

import httpx
from prometheus_client import Counter, Histogram

from services.worker.domain import Job, JobFailed, idle_wait
from services.worker.handlers import Handler, all_handlers
from services.worker.settings import WorkerSettings
from takt import daemon
from takt.backoff import full_jitter
from takt.daemon import Run
from takt.errors import RpcError
from takt.metrics import metrics_server
from takt.rpc import RpcClient

log = logging.getLogger(__name__)

JOBS = Counter("takt_worker_jobs", "Jobs by topic and result", ["topic", "result"])
SECONDS = Histogram("takt_worker_job_seconds", "Time in a handler", ["topic"])
_OUTAGE_CAP = 15.0


class Worker:
    """Takes up to `worker_concurrency` jobs at a time, of the topics it has handlers for."""

    def __init__(
        self,
        rpc: RpcClient,
        settings: WorkerSettings,
        handlers: Mapping[str, Handler],
    ) -> None:
        self._rpc = rpc
        self._settings = settings
        self._handlers = handlers
        self._name = settings.worker_name
        self._topics = sorted(handlers)
        self._busy: set[asyncio.Task[None]] = set()

    async def work(self, state: Run) -> None:
        """Claim until the stop, then wait for what was claimed."""
        idle = outages = 0
        while not state.stopping:
            state.beat()
            free = self._settings.worker_concurrency - len(self._busy)
            try:
                jobs = await self._claim(free) if free else []
                state.ready()
                outages = 0
            except RpcError as error:
                log.warning(str(error), extra={"action": "work.claim_failed", "code": error.code})
                await state.pause(full_jitter(outages, cap=_OUTAGE_CAP))
                outages += 1
                continue
            for job in jobs:
                task = asyncio.create_task(self._chain(state, job))
                self._busy.add(task)
                task.add_done_callback(self._busy.discard)
            idle = 0 if jobs or self._busy else idle + 1
            await state.pause(idle_wait(idle))
        await asyncio.gather(*self._busy)

    async def tick(self, state: Run) -> None:
        """The plant's clock, for servers without pg_cron."""
        while not state.stopping:
            try:
                ran = await self._rpc.call("tick", tries=1)
                for name, result in (ran or {}).items():
                    if result != "ok":
                        fields = {"action": "tick.failed", "job": name}
                        log.error(str(result), extra=fields)
            except RpcError as error:
                log.warning(str(error), extra={"action": "tick.missed", "code": error.code})
            await state.pause(self._settings.worker_tick)
        await asyncio.Event().wait()  # a side task ends by being cancelled

    async def _claim(self, limit: int) -> list[Job]:
        rows = await self._rpc.call(
            "claim_work",
            tries=1,
            p_worker=self._name,
            p_topics=self._topics,
            p_limit=limit,
            p_lease_seconds=self._settings.worker_lease,
        )
        return [Job.of(row) for row in rows]

    async def _chain(self, state: Run, job: Job) -> None:
        """Do a job, then the one that settling it gave, until none is left."""
        following: Job | None = job
        while following is not None:
            current = following
            try:
                done = await self._do(current)
                following = await self._settle(state, current) if done else None
            except RpcError as error:
                # Not settled: the lease ends and the job, which is safe to repeat, comes back.
                following = None
                log.warning(str(error), extra={"action": "work.unsettled", "job": current.id})

    async def _do(self, job: Job) -> bool:
        """Run the handler under a lease that is kept alive. True when the job is done."""
        started = time.monotonic()
        handler = asyncio.ensure_future(self._handlers[job.topic](self._rpc, job))
        keeper = asyncio.create_task(self._keep(job, handler))
        fields = {"job": job.id, "topic": job.topic, "retries": job.retries}
        error: Exception | None = None
        try:
            await handler
        except asyncio.CancelledError:
            if not keeper.done():
                handler.cancel()
                raise
            log.warning("lease lost", extra={"action": "work.lost", **fields})
            return False
        except Exception as failure:  # whatever a handler raises is the job's failure, not ours
            error = failure
        finally:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        seconds = time.monotonic() - started
        SECONDS.labels(job.topic).observe(seconds)
        JOBS.labels(job.topic, "failed" if error else "done").inc()
        fields["seconds"] = round(seconds, 4)
        if error is None:
            log.info("job done", extra={"action": "work.done", **fields})
            return True
        log.warning(_text(error), extra={"action": "work.failed", **fields})
        await self._fail(job, error)
        return False

    async def _keep(self, job: Job, handler: asyncio.Future[None]) -> None:
        """Extend the lease while the handler runs; stop the handler when the job was taken over."""
        lease = self._settings.worker_lease
        while True:
            await asyncio.sleep(lease / 3)
            try:
                await self._rpc.call(
                    "extend_work", tries=1, p_id=job.id, p_fence=job.fence, p_lease_seconds=lease
                )
            except RpcError as error:
                if error.code == "work.not_yours":
                    handler.cancel()
                    return

    async def _settle(self, state: Run, job: Job) -> Job | None:
        if state.stopping:
            await self._rpc.call("complete_work", safe=True, p_ids=[job.id], p_fences=[job.fence])
            return None
        rows = await self._rpc.call(
            "complete_and_claim_work",
            safe=True,
            p_id=job.id,
            p_fence=job.fence,
            p_worker=self._name,
            p_topics=self._topics,
            p_lease_seconds=self._settings.worker_lease,
        )
        return Job.of(rows[0]) if rows else None

    async def _fail(self, job: Job, error: Exception) -> None:
        await self._rpc.call(
            "fail_work", safe=True, p_id=job.id, p_fence=job.fence, p_error=_text(error)
        )


def _text(error: Exception) -> str:
    known = isinstance(error, RpcError | JobFailed)
    return str(error) if known else f"{type(error).__name__}: {error}"


async def run(settings: WorkerSettings, handlers: Mapping[str, Handler] | None = None) -> int:
    """Run until a signal, with all handlers or those given; answers the exit code."""
    connections = settings.worker_concurrency * 2 + 4
    key = settings.secret_key
    async with (
        RpcClient(settings.supabase_url, key, connections=connections) as rpc,
        httpx.AsyncClient(timeout=settings.worker_shop_timeout) as http,
    ):
        worker = Worker(rpc, settings, handlers or all_handlers(settings, http))
        sides: dict[str, daemon.Work] = {"tick": worker.tick}
        if settings.worker_metrics_port:
            sides["metrics"] = metrics_server(settings.worker_metrics_port)
        drain = settings.worker_drain
        return await daemon.run("worker", worker.work, side_tasks=sides, drain_seconds=drain)
