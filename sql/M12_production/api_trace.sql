-- Where did it come from, where did it go, what happened to it: by lot, by order, by label.

create type public.trace_event as (
  id bigint, at timestamptz, stream text, stream_id text, event text, event_type text, actor_id uuid, actor_name text, station text, payload jsonb);
comment on type public.trace_event is 'Something that happened, with the name users know (event_type) and who did it; the payload of a quality record with its reason_title.';

create type public.lot_page as (lots public.lot_balance[], next_cursor text);
comment on type public.lot_page is 'A page of lots, newest first; next_cursor is null on the last page.';

create type public.lot_genealogy as (
  node bigint, made_of public.trace_entry[], went_into public.trace_entry[], edges jsonb, loops bigint[], is_complete boolean);
comment on type public.lot_genealogy is
$$For drawing: the node of the lot, entries on both sides of it, edges [{parent, child, quantity, at, removed_at}] between them and it. loops: nodes that
are on both sides (rework). is_complete: the entries are all there is.$$;

create type public.lot_detail as (
  lot public.lots, balance public.production_lots, order_code text, mass jsonb, genealogy public.lot_genealogy, activities jsonb,
  quality public.quality_records[], events public.trace_event[], reason_titles jsonb);
comment on type public.lot_detail is
$$One lot. mass {received, moved_in, moved_out, used, scrapped, returned, remaining, finished, in_process, in_units, is_counted, is_balanced}. activities [{id,
kind, at, order, sequence, note, is_reversal, reverses, can_undo, inputs: [{lot, sku, quantity}], outputs: [the same]}], newest first. events: the newest, see
get_lot_timeline. reason_titles {code: title} of the reasons in quality.$$;

create type public.production_trace as (
  order_row public.production_orders, progress public.production_order_progress, steps public.production_order_steps[],
  counts public.piece_counts[], lots public.lot_balance[], replenishments jsonb, genealogy public.lot_genealogy, quality public.quality_records[],
  events public.trace_event[]);
comment on type public.production_trace is
'One production order: its steps and counts, its lots and what they are made of and went into, what was made again for it, what happened.';

create type public.label_trace as (
  label jsonb, subject text, kind text, unit_sn text, ticket_id text, production_order text, lots public.lot_balance[], events public.trace_event[]);
comment on type public.label_trace is
$$What a label stands for: label {job_id, seq, label_type, state, data, job_state, printer, wanted_at}, null when the code itself was given; kind unit, ticket, lot,
production_order, box or null; the production order and the lots behind it; what happened to it and to them.$$;

create function private.trace_events(p_streams text[], p_before bigint, p_limit integer)
returns setof public.trace_event language plpgsql stable set search_path = '' as $$
begin
  return query
    select e.id, e.at, e.stream, e.stream_id, e.event, coalesce(x.event_type, upper(replace(e.event, '.', '_'))), e.actor_id,
        coalesce(s.full_name, d.name), e.station, private.with_reason_title(e.event, e.payload)
      from unnest(p_streams) with ordinality as w (stream_id, n)
     cross join lateral (
       select v.* from public.events v
        where v.stream = split_part(w.stream_id, '/', 1) and v.stream_id = substr(w.stream_id, strpos(w.stream_id, '/') + 1) and (p_before is null or v.id < p_before)
        order by v.id desc limit p_limit) e
      left join public.execution_events x on e.stream = 'production_order' and x.code = e.stream_id and x.id = e.id
      left join public.staff_shared s on s.user_id = e.actor_id
      left join public.devices d on d.user_id = e.actor_id
     order by e.id desc limit p_limit;
end $$;
comment on function private.trace_events is 'The newest events of several things, newest first. p_streams: stream/stream_id of each.';

create function private.orders_read(p_ids bigint[])
returns bigint[] language plpgsql stable set search_path = '' as $$
declare
  v_sites text[] := private.readable_sites('production.read');
  v_stores text[] := private.readable_stores('production.read');
begin
  return array(
    select o.id from public.production_orders o
     where o.id = any (p_ids) and o.site = any (v_sites) and (o.store is null or o.store = any (v_stores)) order by o.id);
end $$;
comment on function private.orders_read is 'Which of these orders the caller may read: as get_production_order decides it, by site and store.';

create function private.orders_of_lots(p_lots bigint[])
returns bigint[] language plpgsql stable set search_path = '' as $$
begin
  return private.orders_read(array(select distinct p.order_id from public.production_lots p where p.lot_id = any (p_lots) and p.order_id is not null));
end $$;
comment on function private.orders_of_lots is 'The orders that make these lots, as far as the caller may read them.';

create function private.streams_of_lots(p_lots bigint[])
returns text[] language plpgsql stable set search_path = '' as $$
declare
  v_orders bigint[] := private.orders_of_lots(p_lots);
begin
  return array(
    select 'lot/' || l.sku || ' ' || l.code from public.lots l where l.id = any (p_lots)
    union
    select 'production_order/' || o.code from public.production_orders o where o.id = any (v_orders));
end $$;
comment on function private.streams_of_lots is 'Of the lots, and of the orders that make them as far as the caller may read those.';

create function private.lot_genealogy(p_starts bigint[], p_with_removed boolean, p_limit integer)
returns public.lot_genealogy language plpgsql stable set search_path = '' as $$
declare
  v_below bigint[] := array(select t.node from private.trace(p_starts, false, p_with_removed) t (node));
  v_above bigint[] := array(select t.node from private.trace(p_starts, true, p_with_removed) t (node));
  v_made_of private.trace_summary := private.trace_summary(array(select b from unnest(v_below) b where not b = any (p_starts)), p_limit);
  v_went_into private.trace_summary := private.trace_summary(array(select a from unnest(v_above) a where not a = any (p_starts)), p_limit);
  v_listed bigint[] := array(select u from unnest(p_starts || v_made_of.listed || v_went_into.listed) u group by u);
begin
  return row(p_starts[1], array(select e from private.trace_entries(v_made_of.listed) e), array(select e from private.trace_entries(v_went_into.listed) e),
    private.trace_edges_among(v_listed, p_with_removed), array(select b from unnest(v_below) b where b = any (v_above) and (not b = any (p_starts)
      or exists (select from public.trace_nodes n join public.lots l on l.sku = n.sku and l.code = n.key join public.trace_inputs i on i.lot_id = l.id
        join public.trace_activities a on a.id = i.activity_id and a.kind = 'rework'
       where n.id = b and n.kind = 'lot')) order by b),
    cardinality(v_made_of.listed) + cardinality(v_went_into.listed) >= cardinality(v_below) + cardinality(v_above) - 2 * cardinality(p_starts))::public.lot_genealogy;
end $$;
comment on function private.lot_genealogy is 'Both sides of the nodes, at most p_limit entries of each kind on each side.';

create function private.lot_activities(p_lot_id bigint, p_limit integer)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_ids bigint[] := array(
    select i.activity_id from public.trace_inputs i where i.lot_id = p_lot_id
    union
    select u.activity_id from public.trace_outputs u where u.lot_id = p_lot_id order by 1 desc limit p_limit);
  v_orders bigint[] := private.orders_read(array(select distinct a.order_id from public.trace_activities a where a.id = any (v_ids) and a.order_id is not null));
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('id', a.id, 'kind', a.kind, 'at', a.at, 'order', o.code, 'sequence', a.sequence, 'note', a.note,
        'is_reversal', a.is_reversal, 'reverses', a.reverses, 'can_undo', a.count_id is null and not a.is_reversal
          and not exists (select from public.trace_activities r where r.reverses = a.id),
        'inputs', (select coalesce(jsonb_agg(jsonb_build_object('lot', l.code, 'sku', l.sku, 'quantity', trim_scale(i.quantity)) order by l.sku, l.code), '[]')
          from public.trace_inputs i join public.lots l on l.id = i.lot_id where i.activity_id = a.id),
        'outputs', (select coalesce(jsonb_agg(jsonb_build_object('lot', l.code, 'sku', l.sku, 'quantity', trim_scale(u.quantity)) order by l.sku, l.code), '[]')
          from public.trace_outputs u join public.lots l on l.id = u.lot_id where u.activity_id = a.id)) order by a.id desc), '[]')
      from public.trace_activities a left join public.production_orders o on o.id = a.order_id and o.id = any (v_orders)
     where a.id = any (v_ids));
end $$;

create function private.mass_balance(p_lot_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_lot public.production_lots := (select p from public.production_lots p where p.lot_id = p_lot_id);
  v_in_units numeric := (select coalesce(sum(c.quantity), 0) from public.unit_components c
    where c.lot_id = p_lot_id and (c.removed_at is null or c.removal = 'scrapped'));
  v_is_counted boolean := coalesce(v_lot.is_counted, false);
begin
  return jsonb_build_object('received', trim_scale(coalesce(v_lot.received, 0)), 'moved_in', trim_scale(coalesce(v_lot.moved_in, 0)),
    'moved_out', trim_scale(coalesce(v_lot.moved_out, 0)), 'used', trim_scale(coalesce(v_lot.used, 0)), 'scrapped', trim_scale(coalesce(v_lot.scrapped, 0)),
    'returned', trim_scale(coalesce(v_lot.returned, 0)), 'in_units', trim_scale(v_in_units), 'is_counted', v_is_counted,
    'remaining', case when v_is_counted then trim_scale(v_lot.remaining) end, 'finished', trim_scale(coalesce(v_lot.good, 0)),
    'in_process', case when v_lot.order_id is not null then trim_scale(v_lot.remaining - v_lot.good) else 0 end,
    'is_balanced', v_is_counted and v_in_units <= v_lot.remaining and v_lot.received + v_lot.moved_in
      = (select coalesce(sum(e.received + e.moved_in), 0) from private.lot_effects e where e.lot_id = p_lot_id)
      and v_lot.remaining = (select sum(e.received + e.moved_in - e.moved_out - e.used - e.scrapped - e.returned) from private.lot_effects e where e.lot_id = p_lot_id));
end $$;
comment on function private.mass_balance is
$$received + moved_in = moved_out + used + scrapped + returned + remaining, all from the activities of the lot; in_units: pieces in units, as said when they
were installed, which are part of what remains. remaining null: never counted.$$;

create function public.get_lot(
  p_code text, p_sku text default null, p_limit integer default 200, p_with_removed boolean default false)
returns public.lot_detail language plpgsql stable security definer set search_path = '' as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 200), 1), 1000);
  v_detail public.lot_detail;
  v_lot public.lots;
  v_orders bigint[];
begin
  perform private.authorize('units.read');
  v_lot := private.find_lot(p_sku, p_code);
  v_orders := private.orders_of_lots(array[v_lot.id]);
  v_detail.lot := v_lot;
  v_detail.balance := (select p from public.production_lots p where p.lot_id = v_lot.id);
  v_detail.order_code := (select o.code from public.production_orders o where o.id = any (v_orders));
  v_detail.mass := private.mass_balance(v_lot.id);
  v_detail.genealogy := private.lot_genealogy(array(select n.id from public.trace_nodes n where n.kind = 'lot' and n.sku = v_lot.sku and n.key = v_lot.code),
    coalesce(p_with_removed, false), v_limit);
  v_detail.activities := private.lot_activities(v_lot.id, v_limit);
  v_detail.quality := array(select q from public.quality_records q where q.lot_id = v_lot.id and q.order_id = any (v_orders)
    order by q.id desc limit v_limit);
  v_detail.reason_titles := (select coalesce(jsonb_object_agg(r.code, r.title), '{}') from public.quality_reasons r
    where r.code in (select q.reason from unnest(v_detail.quality) q));
  v_detail.events := array(select e from private.trace_events(private.streams_of_lots(array[v_lot.id]), null, 100) e);
  return v_detail;
end $$;
comment on function public.get_lot is
$$One lot: on hold or not, how much there is with its mass balance, what it is made of and went into (for a graph), what was done with it, its newest
events. Removed lots too. p_limit 1–1000 entries of each kind; p_with_removed: also through what was taken out again.
Permission: units.read where the lot lies; the order that makes it, its events and quality records for those who may read that order.
Errors: lot.unknown (404), lot.ambiguous (409).
Idempotency: a read.
Locks: none.$$;

create function public.get_lots(
  p_search text default null, p_kind text default null, p_is_held boolean default null, p_order text default null, p_with_removed boolean default false,
  p_cursor text default null, p_limit integer default 100)
returns public.lot_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_after bigint;
  v_sites text[];
  v_ids bigint[];
  v_page public.lot_page;
begin
  perform private.authorize('units.read');
  v_after := (private.keys_of(p_cursor, 1) ->> 0)::bigint;
  v_sites := private.readable_sites('units.read');
  v_ids := array(
    select l.id from public.lots l left join public.production_lots p on p.lot_id = l.id
     where (v_after is null or l.id < v_after) and (p_kind is null or l.kind = p_kind) and (p_is_held is null or (l.held_at is not null) = p_is_held)
       and (p_order is null or p.order_id = (select o.id from public.production_orders o where o.code = p_order))
       and (p_with_removed or p.removed_at is null) and (l.site is null or l.site = any (v_sites))
       and (p_search is null or position(lower(p_search) in lower(concat_ws(' ', l.code, l.sku, l.supplier))) > 0)
     order by l.id desc limit v_limit + 1);
  v_page.lots := private.lot_balances(v_ids[1:v_limit]);
  if cardinality(v_ids) > v_limit then
    v_page.next_cursor := private.cursor_of(jsonb_build_array(v_ids[v_limit]));
  end if;
  return v_page;
end $$;
comment on function public.get_lots is
$$Lots, newest first. p_search in code, SKU and supplier; p_kind RAW, WIP or FINISHED; p_order: lots of that production order; removed ones only with
p_with_removed. p_limit 1–500.
Permission: units.read, of lots where the caller works.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create function public.get_lot_timeline(p_code text, p_sku text default null, p_before bigint default null, p_limit integer default 100)
returns setof public.trace_event language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('units.read');
  return query select e.* from private.trace_events(private.streams_of_lots(array[(private.find_lot(p_sku, p_code)).id]), p_before,
    least(greatest(coalesce(p_limit, 100), 1), 500)) e;
end $$;
comment on function public.get_lot_timeline is
$$What happened to a lot and to the order that makes it, newest first. p_before: the id of the last row seen, for older ones. p_limit 1–500.
Permission: units.read where the lot lies; of the order for those who may read it.
Errors: lot.unknown (404), lot.ambiguous (409).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.get_lot, public.get_lots, public.get_lot_timeline to authenticated, service_role;
