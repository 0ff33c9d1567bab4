"""Claim and complete jobs, against hand-written SKIP LOCKED in two transactions."""

from __future__ import annotations

from bench.harness import Ratio, Script, compare, owner
from services.local.postgres import PostgresServer

JOBS = 60_000
BATCH = 50
_SERVICE = {"role": "service_role"}

_RAW = Script("""
update private.bench_queue set status = 'running', locked_at = now() where id = (
  select id from private.bench_queue where status = 'ready' and next_retry_at <= now()
  order by priority, id limit 1 for update skip locked) returning id \\gset
update private.bench_queue set status = 'done', finished_at = now() where id = :id;
""")
_TWO = Script(
    "select id, fence from public.claim_work('bench') \\gset\n"
    "select public.complete_work(array[:id::bigint], array[:fence::bigint]);\n",
    role="service_role",
    claims=_SERVICE,
)
_BATCH = Script(
    f"select array_agg(id) as ids, array_agg(fence) as fences"
    f" from public.claim_work('bench', p_limit => {BATCH}) \\gset\n"
    "select count(c) from public.complete_work(:ids::bigint[], :fences::bigint[]) c;\n",
    role="service_role",
    claims=_SERVICE,
)


def run(server: PostgresServer) -> list[Ratio]:
    """Jobs per second with 1, 4 and 16 workers: one by one, and in batches of 50."""
    lines = []
    for workers in (1, 4, 16):
        for name, script, jobs, budget in (
            ("one by one", _TWO, 1, "≥ 0.58"),
            (f"batches of {BATCH}", _BATCH, BATCH, "≥ 5"),
        ):
            ratio, ours, theirs = compare(
                lambda s=script, w=workers, j=jobs: _drain(server, "public.work_queue", s, w, j),
                lambda w=workers: _drain(server, "private.bench_queue", _RAW, w, 1),
            )
            title = f"queue, {workers} worker{'s' if workers > 1 else ''}, {name}"
            lines.append(Ratio(title, "hand-written SKIP LOCKED", ratio, ours, theirs, budget))
    return lines


def _drain(server: PostgresServer, table: str, script: Script, workers: int, jobs: int) -> float:
    count = JOBS * 8 if jobs > 1 else JOBS
    with owner(server) as connection:
        connection.execute(f"truncate {table}")
        connection.execute(
            f"insert into {table} (topic) select 'bench' from generate_series(1, {count})"
        )
        connection.execute(f"vacuum analyze {table}")
    return script.rate(server, workers, per_run=jobs)
