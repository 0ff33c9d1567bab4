"""Print jobs: claim and complete against hand-written SKIP LOCKED, and from the button to paper."""

from __future__ import annotations

import functools
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.harness import Ratio, Script, compare, owner
from services.local.postgres import PostgresServer
from services.simulator.printer.spec import Spec
from services.simulator.printer.thread import RunningPrinter, running_printers
from tests.print_agent.plant import Plant
from tests.services.stack import Stack
from tests.takt.processes import wait_for

JOBS = 16_000
PRESSES = 60
BUDGET_MS = 300.0
_LABEL_S = 0.001
_SECONDS = 6  # PostgREST keeps its connections: what each one compiles once must not count
_DEVICE = "00000000-0000-0000-0000-00000000000d"
_AGENT = {"role": "authenticated", "sub": _DEVICE}
_SHOWS = (
    "jsonb_build_object('odometer', :job::bigint * 2{plus}, 'boot_id', 'b', 'uptime_s', 100,"
    " 'formats', 0, 'remaining', 0, 'partial', false, 'faults', '[]'::jsonb, 'idle', true,"
    " 'dpi', 203)"
)
# One printer a client: a printer prints one job at a time.
_OURS = Script(
    "select job_id as job, fence from public.claim_print_job(gen_random_uuid(),"
    " array['bench-' || :client_id]) \\gset\n"
    "select state from public.begin_send(:job::bigint, :fence::integer,"
    f" {_SHOWS.format(plus='')});\n"
    "select state from public.mark_sent(:job::bigint, :fence::integer, 100);\n"
    "select state from public.confirm_print(:job::bigint, :fence::integer,"
    f" {_SHOWS.format(plus=' + 1')});\n",
    role="authenticated",
    claims=_AGENT,
)
# The same four states in four transactions, without evidence, history, events or rights.
_STEP = "update private.bench_queue set status = 'running', locked_at = now() where id = :id;\n"
_RAW = Script(f"""
update private.bench_queue set status = 'running', locked_at = now() where id = (
  select id from private.bench_queue where status = 'ready' and next_retry_at <= now()
  order by priority, id limit 1 for update skip locked) returning id \\gset
{_STEP * 2}
update private.bench_queue set status = 'done', finished_at = now() where id = :id;
""")

_PLANT = f"""
insert into auth.users (id, email) values ('{_DEVICE}', 'agent@takt.localhost')
  on conflict do nothing;
insert into public.devices (code, kind, name, site, user_id)
  values ('bench-agent', 'print_agent', 'Agent', 'main', '{_DEVICE}') on conflict do nothing;
insert into public.printers
  (code, site, name, language, dpi, evidence_level, device_id, status)
  select 'bench-' || n, 'main', 'Printer ' || n, 'zpl', 203, 2, d.id, 'idle'
  from public.devices d, generate_series(0, 15) n where d.code = 'bench-agent'
  on conflict do nothing;
"""
_FILL = """
alter table public.print_jobs disable trigger user;
alter table public.print_job_events disable trigger user;
truncate public.print_jobs, public.print_job_labels, public.print_job_events;
insert into public.print_jobs (site, printer, label_type, version_id, subject, language, dpi,
    payload, payload_sha256, expires_at)
  select 'main', 'bench-' || n % {workers}, 'item', v.id, 'S' || n, 'zpl', 203,
    repeat('x', 100), 'x', now() + interval '8 hours'
  from generate_series(1, {jobs}) n, public.label_template_versions v
  where v.template = 'item' and v.status = 'active';
insert into public.print_job_labels (job_id, seq, purpose, subject, template)
  select j.id, 1, 'item', j.subject, 'item' from public.print_jobs j;
alter table public.print_jobs enable trigger user;
alter table public.print_job_events enable trigger user;
"""
_TABLES = ("public.print_jobs", "public.print_job_labels", "private.bench_queue")


def run(server: PostgresServer) -> list[Ratio]:
    """Jobs per second with 1, 4 and 16 agents, then the time from the button to the printer."""
    with owner(server) as connection:
        connection.execute(_PLANT)
    lines = []
    for workers in (1, 4, 16):
        ratio, ours, theirs = compare(
            functools.partial(_drain, server, _OURS, workers),
            functools.partial(_drain, server, _RAW, workers),
        )
        title = f"print job through its states, {workers} agent{'s' if workers > 1 else ''}"
        lines.append(Ratio(title, "hand-written SKIP LOCKED", ratio, ours, theirs))
    return lines + latencies()


def _drain(server: PostgresServer, script: Script, workers: int) -> float:
    with owner(server) as connection:
        connection.execute(_FILL.format(workers=workers, jobs=JOBS))
        connection.execute("truncate private.bench_queue")
        connection.execute(
            "insert into private.bench_queue (topic)"
            f" select 'bench' from generate_series(1, {JOBS * 4})"
        )
        for table in _TABLES:
            connection.execute(f"vacuum analyze {table}")
    return script.rate(server, workers, seconds=_SECONDS)


# From the button to the first byte ---------------------------------------------------------------

_DEAF = """
import asyncio
from print_agent.wake import Listener
async def nothing(self, run): await asyncio.Event().wait()
Listener.run = nothing
"""


def latencies() -> list[Ratio]:
    """Request by HTTP until the label is there, with hints by realtime and by polling alone."""
    lines = []
    with _plant() as (plant, printer):
        code = plant.printer(printer, p_dpi=203)
        for name, before in (("woken", ""), ("poll only", _DEAF)):
            with plant.running(before):
                times = sorted(_presses(plant, printer, code, woken=not before))
            p50, p95 = statistics.median(times), times[int(len(times) * 0.95)]
            for share, value in (("p50", p50), ("p95", p95)):
                budget = "≥ 1" if share == "p95" and not before else ""
                lines.append(
                    Ratio(
                        f"button to first byte, {name}, {share} {value:.0f} ms",
                        f"budget of {BUDGET_MS:.0f} ms",
                        *(BUDGET_MS / value, 1000 / value, 1000 / BUDGET_MS, budget),
                    )
                )
    return lines


@contextmanager
def _plant() -> Iterator[tuple[Plant, RunningPrinter]]:
    with tempfile.TemporaryDirectory(prefix="takt-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "stack").mkdir()
        stack = Stack.start(folder / "stack")
        try:
            with stack.rpc() as rpc:
                rpc.call("register_site", p_code="main", p_name="Main", p_time_zone="UTC")
            plant = Plant(stack, folder)
            plant.enroll()
            with running_printers([Spec("prn", label_s=_LABEL_S)]) as printers:
                yield plant, printers["prn"]
        finally:
            stack.stop()


def _presses(plant: Plant, printer: RunningPrinter, code: str, *, woken: bool) -> Iterator[float]:
    """Milliseconds of each press, one after the other; the printer stands still in between."""
    log = plant.folder / "agent.log"
    seen = log.stat().st_size if log.exists() else 0
    last = plant.request(code)
    plant.wait(last, "printed")
    if woken:
        wait_for(lambda: "wake.listening" in log.read_text()[seen:] or None, "it listens", 30)
    with plant.person() as rpc:
        for _ in range(PRESSES):
            subject = f"IT-{uuid.uuid4().hex[:8].upper()}"
            pressed = time.time()
            answer = rpc.call(
                "request_print",
                p_label_type="item",
                p_subject=subject,
                p_data={"code": subject, "name": "Sprinkles"},
                p_printer=code,
            )
            plant.wait(int(answer["job"]["id"]), "printed")
            out = next(label for label in reversed(printer.paper) if subject in label.texts)
            yield (out.at.timestamp() - _LABEL_S - pressed) * 1000
