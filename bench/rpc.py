"""A guarded write RPC against the same statements in one hand-written function."""

from __future__ import annotations

from bench.harness import Ratio, Script, compare
from services.local.postgres import PostgresServer

OPERATOR = {"role": "authenticated", "sub": "00000000-0000-0000-0000-00000000000a"}
_PICK = "\\set n random(1, 20000)\n\\set place random(1, 2)\n"
_STORAGE = "case :place::integer when 1 then 'Store Fridge' else 'Store Freezer' end"


def run(server: PostgresServer) -> list[Ratio]:
    """Move a ticket to another storage place: guard, replay, lock, apply, emit, remember."""
    guarded = Script(
        f"{_PICK}select public.set_storage('bannos-' || :n, {_STORAGE}, gen_random_uuid());",
        role="authenticated",
        claims=OPERATOR,
    )
    plain = Script(f"{_PICK}select private.bench_store('bannos-' || :n, {_STORAGE});")
    lines = []
    for clients in (1, 8):
        ratio, ours, theirs = compare(
            lambda c=clients: guarded.rate(server, c), lambda c=clients: plain.rate(server, c)
        )
        name = f"set_storage, {clients} client{'s' if clients > 1 else ''}"
        lines.append(Ratio(name, "same statements, no guards", ratio, ours, theirs, "≥ 0.8"))
    return lines
