-- A plant with one operator and 20,000 tickets, and the yardsticks: the same statements without guards.
insert into public.sites (code, name, time_zone) values ('main', 'Main', 'UTC');
insert into public.stores (code, site, name, scan_prefix) values ('bannos', 'main', 'Bannos', 'B'), ('flourlane', 'main', 'Flourlane', 'F');
insert into auth.users (id, email) values ('00000000-0000-0000-0000-00000000000a', 'operator@takt.localhost');
insert into public.staff_shared (user_id, full_name, role, stores) values ('00000000-0000-0000-0000-00000000000a', 'Operator', 'operator', '{*}');
insert into public.orders (id, store, source, order_number, product_title, flavour, size, due_date)
select 'bannos-' || n, 'bannos', 'import', n::text, 'Confetti Cake', 'Vanilla', 'Medium', date '2026-12-01' + n % 60 from generate_series(1, 20000) n;
insert into public.orders (id, store, source, order_number, product_title, flavour, size)
select 'flourlane-' || n, 'flourlane', 'import', n::text, 'Lemon Cake', 'Lemon', 'Small' from generate_series(1, 5000) n;

insert into public.orders (id, store, source, order_number, product_title, stage, packing_completed_at, due_date)
select 'bannos-' || n, 'bannos', 'pos', n::text, 'Sparkler', 'Complete', now() - n * interval '1 minute', '2026-01-01'
from generate_series(100001, 130000) n;

create function private.bench_store(p_order_id text, p_storage text) returns public.orders
language plpgsql set search_path = '' as $$
declare
  v_old public.orders;
  v_order public.orders;
begin
  select o.* into v_old from public.orders o where o.id = p_order_id for update;
  update public.orders o set storage = p_storage where o.row_id = v_old.row_id returning o.* into v_order;
  insert into public.events (site, store, stream, stream_id, event, actor_id, payload)
  values ('main', v_order.store, 'order', v_order.id, 'order.stored', '00000000-0000-0000-0000-00000000000a', jsonb_build_object(
    'version', v_order.version, 'stage', v_order.stage, 'before', jsonb_build_object('storage', v_old.storage),
    'after', jsonb_build_object('storage', v_order.storage)));
  return v_order;
end $$;

create table private.bench_queue (like public.work_queue including defaults including identity including indexes);
analyze;
