"""Movements per second: the ledger with balances and history, against a bare insert."""

from __future__ import annotations

from bench.harness import Ratio, Script, compare, owner
from services.local.postgres import PostgresServer

ITEMS = 5000
_OPERATOR = {"role": "authenticated", "sub": "00000000-0000-0000-0000-00000000000a"}
_SETUP = f"""
insert into public.inventory_items (sku, title, is_listed)
  select 'BENCH-' || n, 'Bench', false from generate_series(1, {ITEMS}) n on conflict do nothing;
create table if not exists private.bench_ledger (
  like public.inventory_txn including defaults including indexes);
create sequence if not exists private.bench_ledger_seq;
create or replace function private.bench_receive(p_sku text) returns public.stock_change
language plpgsql set search_path = '' as $$
declare
  v_change public.stock_change;
  v_id bigint;
begin
  insert into public.inventory_txn (sku, location, kind, quantity)
  values (p_sku, 'main', 'receipt', 1) returning id into v_id;
  perform private.allocate(array[p_sku]);
  select true, array[v_id], null, s.sku, b.location, b.on_hand, s.on_hand, s.reserved, s.ats, null
  into v_change from public.inventory_stock s
  join public.inventory_balances b on b.sku = s.sku and b.location = 'main' where s.sku = p_sku;
  insert into public.events (site, stream, stream_id, event, actor_id, payload)
  values ('main', 'stock', p_sku, 'stock.received', '00000000-0000-0000-0000-00000000000a',
    jsonb_build_object('quantity', 1, 'location', 'main', 'txn_ids', array[v_id],
      'on_hand', v_change.on_hand, 'ats', v_change.ats))
  returning id into v_change.event_id;
  return v_change;
end $$;
"""
_PICK = f"\\set n random(1, {ITEMS})\n"
_COLUMNS = "sku, location, kind, quantity"
_VALUES = "'BENCH-' || :n, 'main', 'adjust', 1"
_BARE = Script(
    f"{_PICK}insert into private.bench_ledger (id, at, {_COLUMNS}, balance)"
    f" values (nextval('private.bench_ledger_seq'), clock_timestamp(), {_VALUES}, 0);"
)
_BOOKED = Script(f"{_PICK}insert into public.inventory_txn ({_COLUMNS}) values ({_VALUES});")
_PLAIN = Script(f"{_PICK}select private.bench_receive('BENCH-' || :n);")
_COMMAND = Script(
    f"{_PICK}select public.receive_stock('BENCH-' || :n, 1, p_request_id => gen_random_uuid());",
    role="authenticated",
    claims=_OPERATOR,
)


def run(server: PostgresServer) -> list[Ratio]:
    """One movement at a time, by 1 and by 8 clients."""
    with owner(server) as connection:
        connection.execute(_SETUP.encode())
    lines = []
    for clients in (1, 8):
        for name, script, yardstick, than, budget in (
            ("insert with balance trigger", _BOOKED, _BARE, "bare insert, same indexes", ""),
            ("receive_stock", _COMMAND, _PLAIN, "same statements, no guards", "≥ 0.8"),
        ):
            ratio, ours, theirs = compare(
                lambda s=script, c=clients: s.rate(server, c),
                lambda s=yardstick, c=clients: s.rate(server, c),
            )
            title = f"ledger, {clients} client{'s' if clients > 1 else ''}, {name}"
            lines.append(Ratio(title, than, ratio, ours, theirs, budget))
    return lines
