"""The worker against the real queue: nothing lost, nothing stolen, a clean end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from services.worker.app import Worker
from services.worker.domain import Job, JobFailed, idle_wait
from services.worker.handlers import Handler
from services.worker.settings import WorkerSettings
from takt.daemon import Run
from takt.rpc import RpcClient
from tests.services.stack import Stack
from tests.takt.processes import python, read_until, wait_for

# A worker process of its own, whose handler counts its runs in a table and then waits for a lock
# that the test holds: so the test decides when a job is in the middle.
_CHILD = """
import asyncio, os, sys
import psycopg
from services.worker import app
from services.worker.settings import WorkerSettings
from takt import daemon, logs

async def handle(rpc, job):
    async with await psycopg.AsyncConnection.connect(os.environ["TEST_DB"], autocommit=True) as db:
        await db.execute("insert into private.test_runs values (%s)", (job.id,))
        print("in the middle", flush=True)
        await db.execute("select pg_advisory_lock_shared(4711)")

logs.set_up()
settings = WorkerSettings.load(worker_lease=3, worker_tick=0.5)
sys.exit(daemon.main(app.run(settings, {sys.argv[1]: handle})))
"""


@pytest.fixture
def topic(db: psycopg.Connection) -> Iterator[str]:
    db.execute("create table if not exists private.test_runs (job bigint)")
    yield f"test.{uuid.uuid4().hex[:8]}"
    db.execute("drop table private.test_runs")


def enqueue(db: psycopg.Connection, topic: str, retries: int = 8, **payload: Any) -> int:
    row = db.execute(
        "select private.enqueue(%s, %s::jsonb, p_max_retries => %s)",
        (topic, psycopg.types.json.Json(payload), retries),
    ).fetchone()
    assert row is not None
    return int(row[0])


def job_row(db: psycopg.Connection, job: int) -> Mapping[str, Any]:
    with db.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        row = cursor.execute("select * from public.work_queue where id = %s", (job,)).fetchone()
    assert row is not None
    return row


def status(db: psycopg.Connection, job: int) -> str:
    return str(job_row(db, job)["status"])


def work_until(stack: Stack, handlers: Mapping[str, Handler], done: Any, **options: Any) -> None:
    """Run a worker in this process until `done()` answers true, then drain it."""
    settings = WorkerSettings(
        supabase_url=stack.url, supabase_secret_key=stack.secret_key, **options
    )

    async def main() -> None:
        state = Run()
        async with RpcClient(stack.url, stack.secret_key) as rpc:
            work = asyncio.create_task(Worker(rpc, settings, handlers).work(state))
            try:
                await asyncio.to_thread(wait_for, done, "the jobs are settled")
            finally:
                state.stop()
                await work

    asyncio.run(main())


def test_jobs_run_at_once_up_to_the_limit_and_each_once(
    stack: Stack, db: psycopg.Connection, topic: str
) -> None:
    jobs = [enqueue(db, topic, n=n) for n in range(30)]
    ran: list[int] = []
    now = most = 0

    async def handle(rpc: RpcClient, job: Job) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)  # work takes time; nothing waits for it
        now -= 1
        ran.append(job.payload["n"])

    def all_done() -> bool:
        return all(status(db, job) == "done" for job in jobs)

    work_until(stack, {topic: handle}, all_done, worker_concurrency=3)
    assert sorted(ran) == list(range(30))
    assert most == 3


def test_unknown_topics_are_left_alone(stack: Stack, db: psycopg.Connection, topic: str) -> None:
    other = enqueue(db, f"{topic}.other")
    job = enqueue(db, topic)

    async def handle(rpc: RpcClient, job: Job) -> None:
        return

    work_until(stack, {topic: handle}, lambda: status(db, job) == "done")
    assert job_row(db, other)["fence"] == 0


def test_a_failing_job_is_kept_with_its_message_and_blocks_nobody(
    stack: Stack, db: psycopg.Connection, topic: str
) -> None:
    poison = enqueue(db, topic, retries=0, poison=True)
    good = enqueue(db, topic, poison=False)

    async def handle(rpc: RpcClient, job: Job) -> None:
        if job.payload["poison"]:
            raise JobFailed("this payload makes no sense")

    def settled() -> bool:
        return status(db, good) == "done" and status(db, poison) == "dead"

    work_until(stack, {topic: handle}, settled, worker_concurrency=1)
    assert job_row(db, poison)["last_error"] == "this payload makes no sense"


def test_a_long_job_keeps_its_lease(stack: Stack, db: psycopg.Connection, topic: str) -> None:
    job = enqueue(db, topic)
    release = asyncio.Event()
    first = []

    async def handle(rpc: RpcClient, job: Job) -> None:
        await release.wait()

    def extended() -> bool:
        row = job_row(db, job)
        if row["status"] == "running":
            first.append(row["lease_until"])
            if row["lease_until"] > first[0]:
                release._loop.call_soon_threadsafe(release.set)  # type: ignore[attr-defined]
        return bool(row["status"] == "done")

    work_until(stack, {topic: handle}, extended, worker_lease=3)
    assert job_row(db, job)["fence"] == 1


def test_a_job_that_was_taken_over_is_let_go(
    stack: Stack, db: psycopg.Connection, topic: str
) -> None:
    job = enqueue(db, topic)
    stopped = []

    async def handle(rpc: RpcClient, _: Job) -> None:
        with stack.connect() as other:
            other.execute("update public.work_queue set fence = fence + 1 where id = %s", (job,))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(True)
            raise

    work_until(stack, {topic: handle}, lambda: bool(stopped), worker_lease=3)
    assert status(db, job) == "running"


@contextmanager
def child_worker(stack: Stack, topic: str) -> Iterator[subprocess.Popen[str]]:
    with stack.connect() as connection:
        info = connection.info
        address = f"postgresql://postgres:{info.password}@127.0.0.1:{info.port}/postgres"
    env = {**stack.environment(), "TEST_DB": address}
    with python(topic, env=env, code=_CHILD) as child:
        yield child


def runs(db: psycopg.Connection, job: int) -> int:
    row = db.execute("select count(*) from private.test_runs where job = %s", (job,)).fetchone()
    return int(row[0]) if row else 0


def test_kill_9_in_the_middle_loses_nothing(
    stack: Stack, db: psycopg.Connection, topic: str
) -> None:
    job = enqueue(db, topic)
    db.execute("select pg_advisory_lock(4711)")
    with child_worker(stack, topic) as first:
        read_until(first, "in the middle")
        first.kill()
        first.wait(10)
    assert status(db, job) == "running"
    db.execute("select pg_advisory_unlock(4711)")
    with child_worker(stack, topic) as second:
        wait_for(lambda: status(db, job) == "done", "the next worker has done the job", 40)
        second.send_signal(signal.SIGTERM)
        second.communicate(timeout=20)
        assert second.returncode == 0
    assert runs(db, job) == 2
    assert job_row(db, job)["fence"] == 2


def test_sigterm_finishes_the_job_and_takes_no_other(
    stack: Stack, db: psycopg.Connection, topic: str
) -> None:
    db.execute("select pg_advisory_lock(4711)")
    with child_worker(stack, topic) as child:
        jobs = [enqueue(db, topic, n=n) for n in range(6)]
        read_until(child, "in the middle")
        wait_for(lambda: sum(status(db, j) == "running" for j in jobs) == 4, "four are running")
        os.kill(child.pid, signal.SIGTERM)
        read_until(child, "daemon.stopping")
        db.execute("select pg_advisory_unlock(4711)")
        child.communicate(timeout=20)
        assert child.returncode == 0
    assert sorted(status(db, job) for job in jobs) == ["done"] * 4 + ["ready"] * 2


def test_it_waits_longer_when_there_is_nothing_to_do() -> None:
    assert 0.4 <= idle_wait(0) <= 0.6
    assert 1.6 <= idle_wait(50) <= 2.4
