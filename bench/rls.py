"""The same reads under row level security and without."""

from __future__ import annotations

from bench.harness import Ratio, Script, compare
from bench.rpc import OPERATOR
from services.local.postgres import PostgresServer

READS = {
    "one ticket by id": "\\set n random(1, 20000)\n"
    "select * from public.orders where id = 'bannos-' || :n;",
    "50 open tickets of a store": "select * from public.orders where store = 'bannos'"
    " and cancelled_at is null and stage <> 'Complete' order by due_date limit 50;",
    "count of a store": "select count(*) from public.orders where store = 'bannos';",
}


def run(server: PostgresServer) -> list[Ratio]:
    """Reads of orders as an operator and as the owner, to whom no policy applies."""
    lines = []
    for name, text in READS.items():
        under = Script(text, role="authenticated", claims=OPERATOR)
        without = Script(text)
        ratio, ours, theirs = compare(
            lambda s=under: s.rate(server, 2), lambda s=without: s.rate(server, 2)
        )
        lines.append(Ratio(f"RLS: {name}", "without RLS", ratio, ours, theirs, "≥ 0.9"))
    return lines
