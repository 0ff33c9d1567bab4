"""New serials per second in batches, against plain inserts of the same rows."""

from __future__ import annotations

from functools import partial

from bench.harness import Ratio, Script, compare, owner
from services.local.postgres import PostgresServer

BATCH = 500
_OPERATOR = {"role": "authenticated", "sub": "00000000-0000-0000-0000-00000000000a"}
# The rows that a batch leaves behind, without a sequence, a guard, triggers or foreign keys.
_SETUP = """
create table if not exists private.bench_units (
  like public.units including defaults including indexes);
create table if not exists private.bench_unit_nodes (
  like public.trace_nodes including defaults including identity including indexes);
create table if not exists private.bench_unit_events (
  like public.events including defaults including indexes);
create sequence if not exists private.bench_serial_seq;
"""
_PLAIN = Script(
    "with made as (insert into private.bench_units (sn, site, product_code)"
    " select '2611-GN-' || lpad(nextval('private.bench_serial_seq')::text, 9, '0'), 'main', 'GN'"
    f" from generate_series(1, {BATCH}) returning sn),"
    " nodes as (insert into private.bench_unit_nodes (kind, key) select 'unit', sn from made)"
    " insert into private.bench_unit_events (site, stream, stream_id, event, payload)"
    " select 'main', 'unit', sn, 'unit.created',"
    ' \'{"version": 1, "status": "CREATED"}\' from made;'
)
_BATCH = Script(
    f"select public.create_generic_units({BATCH}, p_site => 'main',"
    " p_request_id => gen_random_uuid());",
    role="authenticated",
    claims=_OPERATOR,
)


def run(server: PostgresServer) -> list[Ratio]:
    """Serials per second by 1 and by 8 clients; the budget is ≥ 5,000 per second."""
    with owner(server) as connection:
        connection.execute(_SETUP.encode())
    lines = []
    for clients in (1, 8):
        ratio, ours, theirs = compare(
            partial(_BATCH.rate, server, clients, BATCH),
            partial(_PLAIN.rate, server, clients, BATCH),
        )
        title = f"serials in batches of {BATCH}, {clients} client{'s' if clients > 1 else ''}"
        budget = "≥ 5,000/s"
        lines.append(Ratio(title, "plain inserts, same rows", ratio, ours, theirs, budget))
    return lines
