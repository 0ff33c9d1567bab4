"""Sixteen workers and one queue."""

from __future__ import annotations

from collections import Counter

import psycopg

from tests.sql.concurrency.together import together
from tests.support.databases import Clone
from tests.support.rpc import call

JOBS, WORKERS = 2000, 16


def test_16_workers_do_2000_jobs_exactly_once_each(clone: Clone, db: psycopg.Connection) -> None:
    db.execute(
        "select private.enqueue('demo', jsonb_build_object('n', n)) from generate_series(1, %s) n",
        (JOBS,),
    )

    def work(connection: psycopg.Connection, number: int) -> list[int]:
        done: list[int] = []
        while jobs := call(connection, "service", "claim_work", p_worker=f"w{number}", p_limit=10):
            settled = call(
                connection,
                "service",
                "complete_work",
                p_ids=[job["id"] for job in jobs],
                p_fences=[job["fence"] for job in jobs],
            )
            done += settled
        return done

    done = Counter(job for worker in together(clone, WORKERS, work) for job in worker)
    assert len(done) == JOBS
    assert set(done.values()) == {1}
    left = db.execute(
        "select status, count(*), max(fence), max(retries) from public.work_queue group by 1"
    ).fetchall()
    assert left == [("done", JOBS, 1, 0)]


def test_one_tick_runs_a_job_whoever_calls(clone: Clone, db: psycopg.Connection) -> None:
    answers = together(clone, 8, lambda c, _: call(c, "service", "tick"))
    ran = Counter(job for answer in answers for job in answer)
    assert set(ran.values()) == {1}
    assert set(ran) == {r[0] for r in db.execute("select name from private.scheduled_jobs")}
