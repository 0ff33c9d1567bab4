"""Promising parts: one more in stock, with ten thousand and with a million orders waiting."""

from __future__ import annotations

from pathlib import Path

import psycopg

from bench.harness import DATABASE, Ratio, Script, compare, owner
from services.local.postgres import SUPERUSER, PostgresServer

QUEUES = {"Q10K": 10_000, "Q100K": 100_000, "Q1M": 1_000_000}
BRIDGE = {"role": "authenticated", "sub": "00000000-0000-0000-0000-00000000000b"}
# One piece comes and goes, each in a transaction of its own: the queue stays as long as it is.
_CHANGE = "\n".join(
    f"select private.post_txn('{{sku}}', 'main', 'adjust', {quantity}, null, null, 'bench', null),"
    " private.allocate(array['{sku}']);"
    for quantity in (1, -1)
)
_COMPLETION = """
\\set n random(1, 2000000000)
select public.record_print_completion('bench:' || :n || clock_timestamp(), 'bambu_auto',
  'BENCH' || :client_id, 'success', p_gcode_filename => 'bench.3mf',
  p_finished_at => clock_timestamp());
"""
_BY_HAND = "select private.bench_completion(:client_id);"


def run(server: PostgresServer) -> list[Ratio]:
    """Changes of stock per second by length of the queue; completions that fulfil an order."""
    _prepare(server)
    lines = []
    few = Script(_CHANGE.format(sku="Q10K"))
    for sku in ("Q100K", "Q1M"):
        many = Script(_CHANGE.format(sku=sku))
        ratio, ours, theirs = compare(
            lambda s=many: s.rate(server, per_run=2), lambda: few.rate(server, per_run=2)
        )
        name = f"one piece more or less, {QUEUES[sku]:,} open lines"
        lines.append(Ratio(name, "10,000 open lines", ratio, ours, theirs, "≥ 0.5"))
    completion = Script(_COMPLETION, role="authenticated", claims=BRIDGE)
    for clients in (1, 8):
        ratio, ours, theirs = compare(
            lambda c=clients: completion.rate(server, c),
            lambda c=clients: Script(_BY_HAND).rate(server, c),
        )
        name = f"print completion → order fulfilled, {clients} client{'s' if clients > 1 else ''}"
        lines.append(Ratio(name, "its four writes, no rules", ratio, ours, theirs))
    return lines


def _prepare(server: PostgresServer) -> None:
    """Queues with the older half satisfied, and the yardstick of a completion."""
    queues = {**QUEUES, "PRINTED": 200_000}
    with owner(server) as connection:
        connection.execute((Path(__file__).parent / "allocation.sql").read_bytes())
        for sku, lines in queues.items():
            connection.execute(
                "select private.post_txn(%s, 'main', 'adjust', %s, null, null, 'bench', null)",
                (sku, lines // 2),
            )
    with psycopg.connect(server.url(SUPERUSER, DATABASE), autocommit=True) as root:
        root.execute("set session_replication_role = replica")
        for sku, lines in queues.items():
            root.execute("select private.bench_queue_for(%s, %s)", (sku, lines))
        root.execute(
            "select setval('private.bench_line', max(id)) from public.order_part_allocations"
        )
        root.execute("vacuum analyze")
