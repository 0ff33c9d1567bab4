-- Parts and queues for bench/allocation.py, and the yardstick of a completion.
insert into public.inventory_items (sku, title)
select s, s from unnest('{Q10K,Q100K,Q1M,PRINTED}'::text[]) s;
insert into auth.users (id, email) values ('00000000-0000-0000-0000-00000000000b', 'bridge@takt.localhost');
insert into public.devices (code, kind, name, site, user_id) values ('bridge', 'bambu_bridge', 'Bridge', 'main', '00000000-0000-0000-0000-00000000000b');
insert into public.parts (sku) values ('PRINTED');
insert into public.gcode_part_mappings (gcode_filename, sku, quantity) values ('bench.3mf', 'PRINTED', 1);
insert into public.print_machines (code, name, site, kind, serial) select 'bench' || n, 'Bench', 'main', 'bambu', 'BENCH' || n from generate_series(0, 15) n;

create function private.bench_queue_for(p_sku text, p_lines integer) returns void language plpgsql set search_path = '' as $$
begin
  insert into public.production_orders (code, site, product_sku, quantity) select p_sku || n, 'main', p_sku, 1 from generate_series(1, p_lines) n;
  insert into public.production_order_lines (order_id, line, sku, quantity)
  select o.id, 1, p_sku, 1 from public.production_orders o where o.product_sku = p_sku;
  insert into public.order_fulfilments (production_order_id, code, site, rank, since, lines, open_lines)
  select o.id, o.code, 'main', 2, o.created_at, 1, 1 from public.production_orders o where o.product_sku = p_sku order by o.id;
  insert into public.order_part_allocations (fulfilment_id, production_order_id, line, sku, needed, rank, since)
  select f.id, o.id, 1, p_sku, 1, 2, f.since from public.production_orders o join public.order_fulfilments f on f.production_order_id = o.id
   where o.product_sku = p_sku order by f.id;
  update public.order_part_allocations l set allocated = 1 where l.sku = p_sku and l.fulfilment_id <= (
    select min(f.fulfilment_id) + p_lines / 2 - 1 from public.order_part_allocations f where f.sku = p_sku);
  insert into public.demand_totals (sku, rank, demand, allocated, lines) values (p_sku, 2, p_lines, p_lines / 2, p_lines);
  update public.inventory_stock s set reserved = p_lines / 2 where s.sku = p_sku;
end $$;
comment on function private.bench_queue_for is 'So many orders of one piece, the older half of them satisfied, as the commands would leave it. Runs without triggers.';

create sequence private.bench_line increment -1 maxvalue 9223372036854775807 start 9223372036854775807;   -- from the end of the queue
create function private.bench_completion(p_client integer) returns void language plpgsql set search_path = '' as $$
declare
  v_line bigint := nextval('private.bench_line');
begin
  insert into public.print_runs (idempotency_key, site, machine_id, source, outcome, evidence, status, gcode_filename, finished_at, payload_hash)
  values ('hand:' || v_line, 'main', (select m.id from public.print_machines m where m.serial = 'BENCH' || p_client), 'bambu_auto', 'success',
    'observed', 'recorded', 'bench.3mf', clock_timestamp(), '');
  insert into public.inventory_txn (sku, location, kind, quantity) values ('PRINTED', 'main', 'produce', 1);
  update public.order_part_allocations l set why = '{"by": "hand"}' where l.id = v_line;
  update public.order_fulfilments f set lines = 1 from public.order_part_allocations l where l.id = v_line and f.id = l.fulfilment_id;
end $$;
