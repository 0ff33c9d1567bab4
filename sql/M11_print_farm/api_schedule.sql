create type public.part_demand_row as (
  sku text, title text, material text, color text, demand numeric, available numeric, reserved numeric, deficit numeric, by_priority jsonb,
  min_stock numeric, parts_per_print integer, prints_required bigint, printing_now bigint, print_minutes numeric, minutes_required numeric,
  grams_required numeric, files jsonb);
comment on type public.part_demand_row is
$$demand: what open orders still need; available: on hand; deficit: demand that is not covered; prints_required = ceil(deficit / parts_per_print).
by_priority {critical, rush, normal, low, stock, minimum: missing}. printing_now: printers that make it now. files: [{gcode_filename, plate, quantity}];
empty: no print of it can be booked. available and reserved are null while the caller is counting the item.$$;

create function private.printing_now(p_site text default null)
returns table (sku text, machines bigint, parts numeric) language plpgsql stable set search_path = '' as $$
begin
  return query
    select p.sku, count(*), sum(p.planned) from public.print_machine_states s join public.print_machines m on m.id = s.machine_id
     cross join lateral unnest((private.resolve_gcode(s.candidates || s.job_name, s.plate)).parts) p
     where s.state in ('printing', 'paused') and (p_site is null or m.site = p_site) group by p.sku;
end $$;

create function private.part_files(p_sku text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select jsonb_agg(jsonb_build_object('gcode_filename', m.gcode_filename, 'plate', m.plate, 'quantity', trim_scale(m.quantity),
      'object_ids', m.object_ids, 'notes', m.notes) order by m.gcode_filename, m.plate)
    from public.gcode_part_mappings m where m.sku = p_sku and m.is_active), '[]');
end $$;

create function public.get_part_demand(
  p_sku text default null, p_only_deficit boolean default false, p_search text default null, p_limit integer default 200,
  p_after text default null)
returns setof public.part_demand_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_blind text[];
begin
  perform private.authorize('farm.read');
  v_blind := private.blind_skus();
  return query
    with needs as (
      select n.sku, sum(n.demand) as demand, coalesce(sum(n.missing) filter (where n.rank < 5), 0) as deficit,
        jsonb_object_agg(private.priority_name(n.rank), trim_scale(n.missing)) as by_rank
        from private.prints_needed() n group by n.sku
    ), now_printing as (select p.sku, p.machines from private.printing_now() p)
    select p.sku, i.title, p.material, p.color, trim_scale(coalesce(n.demand, 0)), case when p.sku <> all (v_blind) then trim_scale(s.on_hand) end,
      case when p.sku <> all (v_blind) then trim_scale(s.reserved) end, trim_scale(coalesce(n.deficit, 0)), coalesce(n.by_rank, '{}'), trim_scale(i.min_stock),
      p.parts_per_print, ceil(coalesce(n.deficit, 0) / p.parts_per_print)::bigint, coalesce(w.machines, 0), p.print_minutes,
      ceil(coalesce(n.deficit, 0) / p.parts_per_print) * p.print_minutes, ceil(coalesce(n.deficit, 0) / p.parts_per_print) * p.grams_per_print,
      private.part_files(p.sku)
      from public.parts p
      join public.inventory_items i on i.sku = p.sku
      join public.inventory_stock s on s.sku = p.sku
      left join needs n on n.sku = p.sku
      left join now_printing w on w.sku = p.sku
     where (p.is_active or n.demand > 0) and (p_sku is null or lower(p.sku) = lower(p_sku)) and (not p_only_deficit or n.deficit > 0)
       and (p_search is null or position(lower(p_search) in lower(concat_ws(' ', p.sku, i.title, p.material, p.color))) > 0)
       and (p_after is null or p.sku > p_after)
     order by p.sku limit least(greatest(coalesce(p_limit, 200), 1), 500);
end $$;
comment on function public.get_part_demand is
$$Printed parts: demand of open orders, what is there, the deficit and the prints it takes; with the files that make them (Parts page).
p_after: sku of the last row seen.
Permission: farm.read.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;

create type public.schedule_row as (
  priority text, sku text, title text, material text, color text, demand numeric, available numeric, deficit numeric, parts_per_print integer,
  prints_required bigint, printing_now bigint, print_minutes numeric, minutes_required numeric, grams_required numeric, orders jsonb,
  waiting_orders bigint, due_date date, planned_start timestamptz, planned_finish timestamptz, machines text[], unplanned bigint, is_late boolean, has_file boolean);
comment on type public.schedule_row is
$$What to print next: one row per priority (critical, rush, normal, low, stock, minimum) and part. orders: the first of those that wait,
[{code, missing, due_date}]. planned_*: by the forecast in working hours; unplanned: prints beyond it. is_late: planned_finish after the due date.$$;

create type private.order_scope as (sites text[], stores text[]);

create function private.orders_named()
returns private.order_scope language plpgsql stable set search_path = '' as $$
begin
  return row(private.readable_sites('production.read'), private.readable_stores('production.read'))::private.order_scope;
end $$;

create function private.is_named(p_scope private.order_scope, p_order public.order_fulfilments)
returns boolean language sql immutable set search_path = '' as $$
  select p_order.site = any (p_scope.sites) and (p_order.store is null or p_order.store = any (p_scope.stores))
$$;
comment on function private.is_named is 'Is this order of a site and store of the caller? Those of no store are of their site alone.';

create function private.waiting_orders(p_sku text, p_rank smallint, p_scope private.order_scope)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((
    select jsonb_agg(jsonb_build_object('code', f.code, 'missing', trim_scale(w.missing), 'due_date', coalesce(p.due_date, o.due_date)) order by w.since, w.fulfilment_id)
      from (select l.fulfilment_id, l.needed - l.allocated - l.consumed as missing, l.since from public.order_part_allocations l
             where l.sku = p_sku and l.rank = p_rank and not l.is_closed and l.allocated + l.consumed < l.needed
               and exists (select from public.order_fulfilments n where n.id = l.fulfilment_id and private.is_named(p_scope, n))
             order by l.sku, l.rank, l.since, l.fulfilment_id limit 20) w
      join public.order_fulfilments f on f.id = w.fulfilment_id
      left join public.production_orders p on p.id = f.production_order_id
      left join public.orders o on o.row_id = f.order_row_id), '[]');
end $$;

create function public.get_schedule(p_site text default null)
returns setof public.schedule_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text := private.caller_site(p_site, null);
  v_scope private.order_scope;
  v_blind text[];
begin
  perform private.authorize('farm.read', null, v_site);
  v_scope := private.orders_named();
  v_blind := private.blind_skus();
  return query
    with plan as (select * from private.plan_prints(v_site, now())),
    now_printing as (select p.sku, p.machines from private.printing_now(v_site) p)
    select private.priority_name(n.rank), n.sku, i.title, p.material, p.color, trim_scale(n.demand),
      case when n.sku <> all (v_blind) then trim_scale(s.on_hand) end, trim_scale(n.missing), p.parts_per_print, n.prints, coalesce(w.machines, 0),
      p.print_minutes, n.prints * p.print_minutes, n.prints * p.grams_per_print, o.list, t.lines, o.due, g.first_start, g.last_finish, g.machines,
      g.unplanned, (g.last_finish at time zone si.time_zone)::date > o.due,
      exists (select 1 from public.gcode_part_mappings m where m.sku = n.sku and m.is_active)
      from private.prints_needed() n
      join public.parts p on p.sku = n.sku
      join public.inventory_items i on i.sku = n.sku
      join public.inventory_stock s on s.sku = n.sku
      left join public.sites si on si.code = v_site
      left join plan g on g.rank = n.rank and g.sku = n.sku
      left join now_printing w on w.sku = n.sku
      left join public.demand_totals t on t.sku = n.sku and t.rank = n.rank
     cross join lateral (select x.list, (select min((e ->> 'due_date')::date) from jsonb_array_elements(x.list) e) as due
        from (select private.waiting_orders(n.sku, n.rank, v_scope) as list) x) o
     where n.missing > 0
     order by n.rank, n.oldest nulls last, n.sku;
end $$;
comment on function public.get_schedule is
$$What the print farm has to make, in the order it is needed: critical, rush, normal, for stock, up to the minimum; with deficit, prints, plate
time, filament, the orders that wait, and when it will be done by the working hours of the printers of the site.
Permission: farm.read at the site.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create type public.order_print_row as (
  code text, sku text, missing numeric, prints_required bigint, minutes_required numeric, has_file boolean);
comment on type public.order_print_row is
  'A printed part that an order still misses, and the prints of it for this order alone: ceil(missing / parts_per_print).';

create function public.get_order_prints(p_codes text[])
returns setof public.order_print_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_scope private.order_scope;
begin
  perform private.authorize('farm.read');
  v_scope := private.orders_named();
  return query
    select f.code, l.sku, trim_scale(m.missing), ceil(m.missing / p.parts_per_print)::bigint, ceil(m.missing / p.parts_per_print) * p.print_minutes,
      exists (select 1 from public.gcode_part_mappings g where g.sku = l.sku and g.is_active)
      from public.order_fulfilments f
      join public.order_part_allocations l on l.fulfilment_id = f.id
      join public.parts p on p.sku = l.sku
     cross join lateral (select l.needed - l.allocated - l.consumed as missing) m
     where f.code = any (p_codes[1:200]) and not l.is_closed and m.missing > 0 and private.is_named(v_scope, f)
     order by f.code, l.sku;
end $$;
comment on function public.get_order_prints is
$$The prints that these orders (at most 200 codes of production orders or tickets) still need, each for itself. What stands before them in the
queue comes on top: explain_allocation.
Permission: farm.read; orders only of the own sites and stores.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;

create type public.print_run_row as (run public.print_runs, machine text, lines jsonb, expected jsonb, orders jsonb);
comment on type public.print_run_row is
$$A run, the code of its printer, what was booked [{sku, title, planned, qty}], what its file would give now [{sku, quantity}] (null: not
clear), and the orders that got its parts [{code, sku, quantity}].$$;

create function private.orders_of_run(p_run public.print_runs, p_scope private.order_scope)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((
    select jsonb_agg(jsonb_build_object('code', f.code, 'sku', l.sku, 'quantity', g.item -> 'quantity') order by g.n)
      from jsonb_array_elements(p_run.given) with ordinality as g (item, n)
      join public.order_part_allocations l on l.id = (g.item ->> 'line_id')::bigint
      join public.order_fulfilments f on f.id = l.fulfilment_id where private.is_named(p_scope, f)), '[]');
end $$;

create function private.expected_json(p_run public.print_runs)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_resolved private.resolved_print := private.resolve_gcode(p_run.candidates, p_run.plate);
begin
  return (select jsonb_agg(jsonb_build_object('sku', p.sku, 'quantity', trim_scale(p.quantity)) order by p.sku)
    from unnest(private.without_skipped(v_resolved.parts, p_run.skipped_object_ids)) p where v_resolved.problem is null);
end $$;

create function public.get_print_runs(
  p_filter text default 'all', p_machine text default null, p_site text default null, p_limit integer default 50, p_before_id bigint default null)
returns setof public.print_run_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text := private.caller_site(p_site, null);
  v_scope private.order_scope;
begin
  perform private.authorize('farm.read', null, v_site);
  v_scope := private.orders_named();
  if p_filter is null or p_filter not in ('all', 'attention', 'unmapped', 'review', 'plates', 'counted', 'failed') then
    perform private.fail(422, 'print_run.filter', 'Choose all, attention, unmapped, review, plates, counted or failed.',
      jsonb_build_object('field', 'p_filter', 'actual', p_filter));
  end if;
  return query
    select r.run, m.code, private.parts_of_run((r.run).id), private.expected_json(r.run), private.orders_of_run(r.run, v_scope)
      from (select q as run from public.print_runs q
             where (q.site = v_site or v_site is null and q.site = any (private.readable_sites('farm.read'))) and (p_before_id is null or q.id < p_before_id)
               and (p_machine is null or q.machine_id = (select x.id from public.print_machines x where x.code = p_machine))
               and case p_filter when 'all' then true when 'attention' then q.status in ('unmapped', 'review') when 'plates' then q.plate_status = 'waiting'
                 when 'counted' then q.is_counted when 'failed' then q.outcome in ('failed', 'cancelled') else q.status = p_filter end
             order by q.id desc limit least(greatest(coalesce(p_limit, 50), 1), 200)) r
      left join public.print_machines m on m.id = (r.run).machine_id
     order by (r.run).id desc;
end $$;
comment on function public.get_print_runs is
$$Prints, the latest first. p_filter all, attention (unmapped or review), unmapped, review, plates (to be cleared), counted, failed.
p_before_id: id of the last row seen.
Permission: farm.read at the site.
Errors: print_run.filter (422), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_part_demand, public.get_schedule, public.get_order_prints, public.get_print_runs to authenticated, service_role;
