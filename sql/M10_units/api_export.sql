-- The list of affected units, page by page: a recall that reaches a quarter of a million of them is read as a stream.

create type public.recall_export as (export_id uuid, units bigint);
comment on type public.recall_export is 'What get_recall_export reads, for a day, and how many units are in it.';

create function public.start_recall_export(p_trace jsonb, p_request_id uuid default null)
returns public.recall_export language plpgsql security definer set search_path = '' set statement_timeout = '60s' as $$
declare
  v_actor uuid := private.authorize('units.recall');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'start_recall_export', jsonb_build_array(p_trace));
  v_query private.trace_query;
  v_nodes bigint[];
  v_export public.recall_export;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.recall_export, v_answer);
  end if;
  v_query := private.trace_query(p_trace);
  v_nodes := array(select t.node from private.trace(private.trace_starts(v_query), true, v_query.with_removed) t (node));
  v_export.units := cardinality(private.recall_units(v_nodes));
  insert into private.recall_exports (actor_id, trace) values (v_actor, p_trace) returning id into v_export.export_id;
  insert into private.recall_export_nodes (export_id, kind, key, node)
  select v_export.export_id, n.kind, n.key, n.id from unnest(v_nodes) r (id) join public.trace_nodes n on n.id = r.id order by n.kind, n.key, n.id;
  perform private.emit('recall', coalesce(v_query.key, v_query.sku, v_query.first, v_query.last), 'recall.exported', v_actor,
    jsonb_build_object('trace', p_trace, 'units', v_export.units));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_export));
  return v_export;
end $$;
comment on function public.start_recall_export is
$$Find what a trace forward reaches and keep the list for a day, so that its pages belong together. p_trace as for hold_all. That it was exported,
by whom, stays among the events.
Permission: units.recall, at the sites of all its units.
Errors: trace.unknown (404), trace.ambiguous (409), trace.query (422), item.unknown (404), request.reused (422).
Idempotency: by p_request_id; without it every call makes another list.
Locks: none.$$;

create type public.recall_row as (
  sn text, site text, product_code text, variant_code text, variant_title text, status text, hw_rev text, fw_version text, through text[],
  box_code text, pallet_code text, store text, order_number text, order_id text, production_order text, customer_name text, created_at timestamptz,
  packed_at timestamptz, held_at timestamptz, hold_reason text);
comment on type public.recall_row is
$$An affected unit, as it is now. through: what of the trace is directly in it ("lot CELL L-77"). Box, pallet and order also when it sits in
another unit that went there. customer_name only for those who may read the orders of the store.$$;
create type public.recall_page as (rows public.recall_row[], next_cursor text);
comment on type public.recall_page is 'A page of affected units by serial; next_cursor is null on the last page.';

create function private.recall_through(p_export uuid, p_units bigint[], p_with_removed boolean)
returns table (unit bigint, through text[]) language plpgsql stable set search_path = '' as $$
begin
  return query
    select e.child, array_agg(concat_ws(' ', n.kind, n.sku, case when n.kind <> 'item' then n.key end) order by n.kind, n.sku, n.key)
      from unnest(p_units) p (id) join public.trace_edges e on e.child = p.id and (p_with_removed or e.removed_at is null)
      join public.trace_nodes n on n.id = e.parent
     where exists (select from private.recall_export_nodes x where x.export_id = p_export and x.kind = n.kind and x.key = n.key and x.node = n.id)
     group by e.child;
end $$;
comment on function private.recall_through is 'What of the trace is directly in each of the units.';

create function private.recall_whereabouts(p_units bigint[], p_with_removed boolean)
returns table (unit bigint, box text, pallet text, ticket text, production_order text)
language plpgsql stable set search_path = '' set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  return query   -- by index only: how much a recursion finds cannot be guessed, and a page is a small part of a large graph
    with recursive above (unit, node) as (
      select p.id, p.id from unnest(p_units) p (id)
      union
      select a.unit, e.child from above a join public.trace_edges e on e.parent = a.node where p_with_removed or e.removed_at is null
    )
    select a.unit, max(n.key) filter (where n.kind = 'box'), max(n.key) filter (where n.kind = 'pallet'),
        max(n.key) filter (where n.kind = 'order'), max(n.key) filter (where n.kind = 'production_order')
      from above a join public.trace_nodes n on n.id = a.node and n.kind in ('box', 'pallet', 'order', 'production_order')
     group by a.unit;
end $$;
comment on function private.recall_whereabouts is 'Where each of the units is, also by way of a unit that it is built into.';

create function private.recall_rows(p_export uuid, p_after text, p_limit integer, p_with_removed boolean)
returns public.recall_row[] language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_stores text[] := private.readable_stores('orders.read');
  v_units bigint[];
begin
  v_units := array(
    select x.node from private.recall_export_nodes x
     where x.export_id = p_export and x.kind = 'unit' and x.key > coalesce(p_after, '') order by x.key limit p_limit);
  return array(
    select row(u.sn, u.site, u.product_code, u.variant_code, v.title, u.status, u.hw_rev, u.fw_version, c.through, w.box, w.pallet,
        o.store, o.order_number, w.ticket, w.production_order, case when o.store = any (v_stores) then o.customer_name end,
        u.created_at, u.packed_at, u.held_at, u.hold_reason)::public.recall_row
      from unnest(v_units) with ordinality as p (id, place)
      join public.trace_nodes n on n.id = p.id
      join public.units u on u.sn = n.key
      left join public.product_variants v on v.code = u.variant_code
      left join private.recall_whereabouts(v_units, p_with_removed) w on w.unit = p.id
      left join private.recall_through(p_export, v_units, p_with_removed) c on c.unit = p.id
      left join public.orders o on o.id = w.ticket
     order by p.place);
end $$;

create function public.get_recall_export(p_export_id uuid, p_cursor text default null, p_limit integer default 1000)
returns public.recall_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.recall');
  v_after jsonb := private.keys_of(p_cursor, 1);
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  v_export private.recall_exports := (select x from private.recall_exports x where x.id = p_export_id and x.actor_id = v_actor);
  v_page public.recall_page;
begin
  if v_export.id is null then
    perform private.fail(404, 'recall.no_export', 'This export is not there any more. Start it again.', jsonb_build_object('export_id', p_export_id));
  end if;
  v_page.rows := private.recall_rows(v_export.id, v_after ->> 0, v_limit, coalesce((v_export.trace ->> 'with_removed')::boolean, false));
  if cardinality(v_page.rows) = v_limit then
    v_page.next_cursor := private.cursor_of(jsonb_build_array((v_page.rows[v_limit]).sn));
  end if;
  return v_page;
end $$;
comment on function public.get_recall_export is
$$The next page of an export that the caller started: affected units by serial, as they are now. p_limit 1–5000.
Permission: units.recall.
Errors: recall.no_export (404), request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create function private.purge_recall_exports(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
begin
  delete from private.recall_exports x where x.created_at < p_now - interval '1 day';
  delete from private.recall_export_nodes n where not exists (select from private.recall_exports x where x.id = n.export_id);
end $$;
comment on function private.purge_recall_exports is 'Exports of yesterday go; that they were made stays among the events.';

grant execute on function public.start_recall_export, public.get_recall_export to authenticated, service_role;
