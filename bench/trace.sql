-- A million edges: 300,000 units of two or three lots each, in boxes; one lot in 250,000 of them; ten levels of lots that fan out and in.
insert into public.inventory_items (sku, title) select 'LEVEL-' || n, 'Level ' || n from generate_series(0, 10) n;
-- Not for the measured reads, only for the minute it takes to fill: two million checks of foreign keys.
alter table public.trace_edges drop constraint trace_edges_parent_fkey, drop constraint trace_edges_child_fkey;
insert into public.lots (sku, code) select 'LEVEL-' || n % 11, 'LOT-' || n from generate_series(1, 20000) n;
insert into public.lots (sku, code) select 'LEVEL-' || l, 'TREE-' || l || '-' || n from generate_series(0, 9) l, generate_series(0, (2 ^ l)::integer - 1) n;
insert into public.lots (sku, code) select 'LEVEL-' || l, 'ROOT-' || l || '-' || n from generate_series(0, 9) l, generate_series(0, (2 ^ l)::integer - 1) n;
insert into public.trace_nodes (kind, key, sku) select 'lot', code, sku from public.lots;
insert into public.units (sn, site, product_code) select '2611-GN-' || lpad(n::text, 6, '0'), 'main', 'GN' from generate_series(1, 300000) n;
insert into public.trace_nodes (kind, key) select 'box', 'BOX-' || n from generate_series(0, 15000) n;

create temporary table bench_units as select id, row_number() over (order by key) as n from public.trace_nodes where kind = 'unit';
create temporary table bench_lots as
  select id, row_number() over (order by id) as n from public.trace_nodes where kind = 'lot' and key like 'LOT-%' and key <> 'LOT-1';
create temporary table bench_boxes as select id, row_number() over (order by id) as n from public.trace_nodes where kind = 'box';
insert into public.trace_edges (parent, child, quantity)
  select l.id, u.id, 1 from bench_units u join public.trace_nodes l on l.kind = 'lot' and l.key = 'LOT-1' where u.n <= 250000;
insert into public.trace_edges (parent, child, quantity)
  select l.id, u.id, 1 from bench_units u join bench_lots l on l.n = u.n * 7919 % 19000 + 1
  union
  select l.id, u.id, 1 from bench_units u join bench_lots l on l.n = u.n * 104729 % 19000 + 1 where u.n % 2 = 0;
insert into public.trace_edges (parent, child, quantity)
  select u.id, b.id, 1 from bench_units u join bench_boxes b on b.n = u.n / 20 + 1;

create function private.bench_node(p_key text) returns bigint language sql as 'select id from public.trace_nodes where key = p_key';
-- TREE: each lot went into two of the next level. ROOT: each was made of two of the next.
insert into public.trace_edges (parent, child, quantity)
  select private.bench_node('TREE-' || l || '-' || n), private.bench_node('TREE-' || l + 1 || '-' || 2 * n + k), 1
    from generate_series(0, 8) l cross join lateral generate_series(0, (2 ^ l)::integer - 1) n cross join generate_series(0, 1) k;
insert into public.trace_edges (parent, child, quantity)
  select private.bench_node('ROOT-' || l + 1 || '-' || 2 * n + k), private.bench_node('ROOT-' || l || '-' || n), 1
    from generate_series(0, 8) l cross join lateral generate_series(0, (2 ^ l)::integer - 1) n cross join generate_series(0, 1) k;
vacuum analyze public.trace_nodes;
vacuum analyze public.trace_edges;
vacuum analyze public.units;
vacuum analyze public.lots;
