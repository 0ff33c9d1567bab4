-- One scan → what is affected, and who has it → hold → export.

create type private.trace_query as (
  kind text, key text, sku text, first text, last text, since timestamptz, until timestamptz, with_removed boolean);
comment on type private.trace_query is 'What to trace: a key; or an item with a range of codes or of time; or a range of unit serials.';

create type public.trace_result as (
  starts public.trace_entry[], counts jsonb, entries public.trace_entry[], edges jsonb, is_complete boolean);
comment on type public.trace_result is
$$starts: what was asked for. counts: {unit, lot, serial, item, box, pallet, order, production_order: how many, customer_orders, status: {of units:
how many}}, of all. entries: the first of each kind, by key. edges [{parent, child, quantity, at, removed_at}] between nodes of the entries, only
when is_complete: when the entries are all there is.$$;

create function private.trace_query(p_trace jsonb)
returns private.trace_query language plpgsql stable set search_path = '' as $$
declare
  v_query private.trace_query;
begin
  if jsonb_typeof(p_trace) is distinct from 'object'
     or exists (select from jsonb_object_keys(p_trace) k where k not in ('kind', 'key', 'sku', 'first', 'last', 'since', 'until', 'with_removed')) then
    perform private.fail(422, 'trace.query', 'A trace is {kind, key, sku, first, last, since, until, with_removed}.', jsonb_build_object('actual', p_trace));
  end if;
  v_query := jsonb_populate_record(null::private.trace_query, p_trace);
  if v_query.key is null and v_query.sku is null and (v_query.kind is distinct from 'unit' or num_nonnulls(v_query.first, v_query.last) = 0)
     or v_query.key is not null and num_nonnulls(v_query.first, v_query.last, v_query.since, v_query.until) > 0 then
    perform private.fail(422, 'trace.query', 'Say what to trace: a code, an item (with a range of codes or of time), or a range of unit serials.',
      jsonb_build_object('actual', p_trace));
  end if;
  if v_query.sku is not null then
    v_query.sku := (private.find_item(v_query.sku)).sku;
  end if;
  v_query.with_removed := coalesce(v_query.with_removed, false);
  return v_query;
exception when invalid_text_representation or invalid_datetime_format or datetime_field_overflow then
  perform private.fail(422, 'trace.query', 'A trace is {kind, key, sku, first, last, since, until, with_removed}: ' || sqlerrm,
    jsonb_build_object('actual', p_trace));
  return null;
end $$;

create function private.starts_of_key(p_query private.trace_query)
returns bigint[] language plpgsql stable set search_path = '' as $$
declare
  v_found public.trace_nodes[] := array(
    select n from public.trace_nodes n
     where n.key in (trim(p_query.key), upper(trim(p_query.key)), lower(trim(p_query.key)))
       and (p_query.kind is null or n.kind = p_query.kind) and (p_query.sku is null or n.sku = p_query.sku)
    union
    select n from public.lots l join public.trace_nodes n on n.kind = 'lot' and n.sku = l.sku and n.key = l.code
     where lower(l.code) = lower(trim(p_query.key)) and coalesce(p_query.kind, 'lot') = 'lot' and (p_query.sku is null or l.sku = p_query.sku)
     limit 21);
begin
  if cardinality(v_found) > 1 then
    perform private.fail(409, 'trace.ambiguous', format('%s means more than one thing. Say which.', p_query.key),
      jsonb_build_object('key', p_query.key, 'candidates', (select jsonb_agg(jsonb_build_object('kind', n.kind, 'key', n.key, 'sku', n.sku)
        order by n.kind, n.sku) from unnest(v_found) n)));
  end if;
  return array(select n.id from unnest(v_found) n);
end $$;

create function private.starts_of_range(p_query private.trace_query)
returns bigint[] language plpgsql stable set search_path = '' as $$
declare
  v_variants text[] := array(select v.code from public.product_variants v where v.sku = p_query.sku);
  v_starts bigint[] := '{}';
begin
  if num_nonnulls(p_query.since, p_query.until) = 0 then   -- lots and serials by code; pieces that have neither only as a whole
    v_starts := array(
      select n.id from public.trace_nodes n
       where n.sku = p_query.sku and coalesce(p_query.kind, n.kind) = n.kind
         and (p_query.first is null or n.key >= p_query.first) and (p_query.last is null or n.key <= p_query.last));
  else
    v_starts := array(
      select distinct e.child from public.trace_nodes n join public.trace_edges e on e.parent = n.id
       where n.sku = p_query.sku and coalesce(p_query.kind, n.kind) = n.kind
         and (p_query.first is null or n.key >= p_query.first) and (p_query.last is null or n.key <= p_query.last)
         and e.at >= coalesce(p_query.since, '-infinity') and e.at <= coalesce(p_query.until, 'infinity')
         and (p_query.with_removed or e.removed_at is null));
  end if;
  if coalesce(p_query.kind, 'unit') = 'unit' and (p_query.sku is null or cardinality(v_variants) > 0) then
    v_starts := v_starts || array(   -- finished units of the item, or of any
      select n.id from public.units u join public.trace_nodes n on n.kind = 'unit' and n.key = u.sn
       where (p_query.sku is null or u.variant_code = any (v_variants))
         and (p_query.first is null or u.sn >= p_query.first) and (p_query.last is null or u.sn <= p_query.last)
         and (p_query.since is null or u.created_at >= p_query.since) and (p_query.until is null or u.created_at <= p_query.until));
  end if;
  return v_starts;
end $$;
comment on function private.starts_of_range is
  'Codes are compared as text. With a time, starts are what the item went into in that time: a lot of which more was used elsewhere is not one.';

create function private.trace_starts(p_query private.trace_query)
returns bigint[] language plpgsql stable set search_path = '' as $$
declare
  v_starts bigint[] := case when p_query.key is not null then private.starts_of_key(p_query) else private.starts_of_range(p_query) end;
begin
  if cardinality(v_starts) = 0 then
    perform private.fail(404, 'trace.unknown', 'Nothing is known of ' || coalesce(p_query.key, p_query.sku, 'these units')
      || ': no lot, serial, unit, box or order.', jsonb_strip_nulls(to_jsonb(p_query)));
  end if;
  return v_starts;
end $$;
comment on function private.trace_starts is 'Nodes that a trace begins with. Errors: trace.unknown (404), trace.ambiguous (409).';

create type private.trace_summary as (counts jsonb, listed bigint[]);

create function private.trace_summary(p_nodes bigint[], p_limit integer)
returns private.trace_summary language plpgsql stable set search_path = '' as $$
declare
  v_summary private.trace_summary;
begin
  with found as materialized (
    select n.id, n.kind, n.key, n.sku from unnest(p_nodes) r (id) join public.trace_nodes n on n.id = r.id
  ), kinds as (
    select f.kind, count(*) as n from found f group by f.kind
  ), status as (
    select u.status, count(*) as n from found f join public.units u on u.sn = f.key where f.kind = 'unit' group by u.status
  )
  select (select coalesce(jsonb_object_agg(k.kind, k.n), '{}') from kinds k) || jsonb_build_object(
      'status', (select coalesce(jsonb_object_agg(s.status, s.n), '{}') from status s),
      'customer_orders', (select count(distinct (o.store, o.order_number)) from found f join public.orders o on o.id = f.key where f.kind = 'order')),
    array(select t.id from kinds k cross join lateral (   -- the first of each kind: never a sort of all
      select f.id from found f where f.kind = k.kind order by f.key, f.sku limit p_limit) t)
    into v_summary.counts, v_summary.listed;
  return v_summary;
end $$;
comment on function private.trace_summary is 'Counts of the nodes as in trace_result, and the first p_limit of each kind.';

create function private.trace_result(p_query private.trace_query, p_starts bigint[], p_forward boolean, p_limit integer)
returns public.trace_result language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 1000);
  v_nodes bigint[] := array(select t.node from private.trace(p_starts, p_forward, p_query.with_removed) t (node));
  v_summary private.trace_summary := private.trace_summary(v_nodes, v_limit);
  v_result public.trace_result;
begin
  v_result.starts := array(select e from private.trace_entries(p_starts[1:v_limit]) e);
  v_result.counts := v_summary.counts;
  v_result.entries := array(select e from private.trace_entries(v_summary.listed) e);
  v_result.is_complete := cardinality(v_summary.listed) = cardinality(v_nodes);
  v_result.edges := case when v_result.is_complete then private.trace_edges_among(v_summary.listed, p_query.with_removed) else '[]' end;
  return v_result;
end $$;
-- One plan, by index, for ten nodes and for a quarter of a million: planning anew costs more than a small trace takes.

create function public.trace_forward(
  p_key text default null, p_kind text default null, p_sku text default null, p_first text default null, p_last text default null,
  p_since timestamptz default null, p_until timestamptz default null, p_with_removed boolean default false, p_limit integer default 100)
returns public.trace_result language plpgsql stable security definer set search_path = '' as $$
declare
  v_query private.trace_query;
begin
  perform private.authorize('units.read');
  v_query := private.trace_query(jsonb_build_object('kind', p_kind, 'key', p_key, 'sku', p_sku, 'first', p_first, 'last', p_last,
    'since', p_since, 'until', p_until, 'with_removed', p_with_removed));
  return private.trace_result(v_query, private.trace_starts(v_query), true, p_limit);
end $$;
comment on function public.trace_forward is
$$What a thing went into, through every level, to units, boxes, pallets and customer orders. p_key: a scanned code (a lot, a serial of a part or of
a unit, a box …; p_kind and p_sku where it means several things). Or p_sku with p_first and p_last (codes of its lots and serials, compared as
text) or p_since and p_until (when it was used). Or p_kind unit with p_first and p_last. p_with_removed: also through what was taken out again.
p_limit 1–1000 entries of each kind.
Permission: units.read; names of customers only for those who may read the orders of their store.
Errors: trace.unknown (404), trace.ambiguous (409), trace.query (422), item.unknown (404).
Idempotency: a read.
Locks: none.$$;

create function public.trace_back(p_sn text, p_kind text default null, p_sku text default null, p_with_removed boolean default false, p_limit integer default 100)
returns public.trace_result language plpgsql stable security definer set search_path = '' as $$
declare
  v_query private.trace_query;
begin
  perform private.authorize('units.read');
  v_query := private.trace_query(jsonb_build_object('kind', p_kind, 'key', p_sn, 'sku', p_sku, 'with_removed', p_with_removed));
  return private.trace_result(v_query, private.trace_starts(v_query), false, p_limit);
end $$;
comment on function public.trace_back is
$$What a unit is made of, through every level: units within it, serials and lots, and the lots of those lots. Also for a box, a pallet, an order or a
lot. p_limit 1–1000 entries of each kind.
Permission: units.read.
Errors: trace.unknown (404), trace.ambiguous (409), trace.query (422), item.unknown (404).
Idempotency: a read.
Locks: none.$$;

-- Hold ---------------------------------------------------------------------------------------------------------------

create type public.hold_result as (changed boolean, event_id bigint, units_held integer, units_held_before integer, units_scrapped integer,
  lots_held integer, lots_held_before integer, customer_orders integer, recall_id bigint);
comment on type public.hold_result is
$$What hold_all held now, what was held before or is scrapped and was left as it is, and how many customer orders are affected. recall_id: what
release_all takes; null when there is nothing to hold.$$;

create function private.check_recall(p_sns text[])
returns void language plpgsql stable set search_path = '' as $$
begin
  perform private.authorize('units.recall', null, s.site) from (select distinct u.site from unnest(p_sns) r (sn) join public.units u on u.sn = r.sn) s;
end $$;
comment on function private.check_recall is 'Refuses who may not recall at the site of each of these units.';

create function private.recall_units(p_nodes bigint[])
returns text[] language plpgsql stable set search_path = '' as $$
declare
  v_sns text[] := array(select n.key from unnest(p_nodes) r (id) join public.trace_nodes n on n.id = r.id where n.kind = 'unit');
begin
  perform private.check_recall(v_sns);
  return v_sns;
end $$;
comment on function private.recall_units is 'Serials of the units among the nodes. Refuses who may not recall at the site of each.';

create function private.open_recall(p_trace jsonb, p_reason text, p_actor uuid)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_id bigint;
begin
  select r.id into v_id from private.recalls r where r.trace = p_trace and r.released_at is null for update;
  if v_id is null then
    insert into private.recalls (trace, reason, held_by) values (p_trace, p_reason, nullif(p_actor, '00000000-0000-0000-0000-000000000000'))
    returning id into v_id;
  end if;
  return v_id;
end $$;
comment on function private.open_recall is 'The open recall of this trace, or a new one. The genealogy is locked alone. Locks: the recall.';

create function private.claim(p_recall bigint, p_kind text, p_keys text[], p_held text[])
returns bigint language plpgsql set search_path = '' as $$
declare
  v_new bigint;
begin
  with claimed as (
    insert into private.recall_claims as c (recall_id, kind, key, is_cause)
    select p_recall, p_kind, k.key, h.key is not null from unnest(p_keys) k (key) left join unnest(p_held) h (key) on h.key = k.key
    on conflict on constraint recall_claims_pkey do update set is_cause = true where excluded.is_cause returning 1
  )
  select count(*) into v_new from claimed;
  return v_new;
end $$;
comment on function private.claim is 'The recall wants these held; p_held are on hold because of it. Answers how many it did not want before. They are locked.';

create function private.hold_for_recall(
  p_result public.hold_result, p_sns text[], p_lots bigint[], p_reason text, p_actor uuid, p_detail jsonb)
returns public.hold_result language plpgsql set search_path = '' as $$
declare
  v_result public.hold_result := p_result;
  v_lots constant bigint[] := private.hold_lots(p_lots, p_reason, p_actor, p_detail);
  v_sns constant text[] := private.hold_units(p_sns, p_reason, p_actor, p_detail);
  v_new constant bigint := private.claim(p_result.recall_id, 'unit', p_sns, v_sns) + private.claim(p_result.recall_id, 'lot',
    array(select l::text from unnest(p_lots) l), array(select l::text from unnest(v_lots) l));
begin
  v_result.changed := v_new > 0;
  v_result.units_held := cardinality(v_sns);
  v_result.units_held_before := cardinality(p_sns) - cardinality(v_sns);
  v_result.lots_held := cardinality(v_lots);
  v_result.lots_held_before := cardinality(p_lots) - cardinality(v_lots);
  if not exists (select from private.recall_claims c where c.recall_id = p_result.recall_id) then
    delete from private.recalls r where r.id = p_result.recall_id;
    v_result.recall_id := null;
  end if;
  return v_result;
end $$;
comment on function private.hold_for_recall is 'Holds the locked units and the lots, and remembers that this recall wants them held. Locks: the lots by id, then the items in stock.';

create function public.hold_all(p_trace jsonb, p_reason text, p_request_id uuid default null)
returns public.hold_result language plpgsql security definer set search_path = '' set statement_timeout = '100s' as $$
declare
  v_actor uuid := private.authorize('units.recall');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'hold_all', jsonb_build_array(p_trace, p_reason));
  v_query private.trace_query;
  v_nodes bigint[];
  v_sns text[];
  v_lots bigint[];
  v_detail jsonb;
  v_result public.hold_result;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.hold_result, v_answer);
  end if;
  perform private.check_unit_reason(p_reason);
  v_query := private.trace_query(p_trace);
  perform private.begin_genealogy(true);   -- from here to the end nothing is built from what is being held
  v_nodes := array(select t.node from private.trace(private.trace_starts(v_query), true, v_query.with_removed) t (node));
  v_sns := private.recall_units(v_nodes);
  v_lots := array(select l.id from unnest(v_nodes) r (id) join public.trace_nodes n on n.id = r.id and n.kind = 'lot'
    join public.lots l on l.sku = n.sku and lower(l.code) = lower(n.key));
  perform private.authorize_lots(v_lots, 'units.recall');
  v_result.recall_id := private.open_recall(p_trace, p_reason, v_actor);
  v_detail := jsonb_build_object('recall', p_trace, 'recall_id', v_result.recall_id);
  perform 1 from public.units u where u.sn = any (v_sns) order by u.sn for update;
  v_result.units_scrapped := cardinality(v_sns);
  v_sns := array(select u.sn from public.units u where u.sn = any (v_sns) and u.status <> 'SCRAPPED');
  v_result.units_scrapped := v_result.units_scrapped - cardinality(v_sns);
  v_result := private.hold_for_recall(v_result, v_sns, v_lots, p_reason, v_actor, v_detail);
  v_result.customer_orders := ((private.trace_summary(v_nodes, 0)).counts ->> 'customer_orders')::integer;
  if v_result.changed then
    v_result.event_id := private.emit('recall', coalesce(v_query.key, v_query.sku, v_query.first, v_query.last), 'recall.held', v_actor,
      jsonb_build_object('trace', p_trace, 'reason', p_reason) || to_jsonb(v_result) - 'changed' - 'event_id');
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_result));
  return v_result;
end $$;
comment on function public.hold_all is
$$Everything that a trace forward reaches goes on hold in one step: every unit that is not scrapped, packed or in stock or not, and every lot.
p_trace {kind, key, sku, first, last, since, until, with_removed} as the arguments of trace_forward. It is traced anew under a lock: what was built
since somebody looked is held too, and nothing is built meanwhile. What was on hold before is wanted by this recall too from now on, and does not
become free before both are over. The same trace again adds to the recall that is open; release_all ends it.
Permission: units.recall, at the sites of all its units, and of the orders of all its lots.
Errors: trace.unknown (404), trace.ambiguous (409), trace.query (422), item.unknown (404), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; what is on hold already stays so.
Locks: the genealogy, alone; the recall; the units by serial, the lots by id, then the items in stock and the order lines they are promised to.$$;

grant execute on function public.trace_forward, public.trace_back, public.hold_all to authenticated, service_role;
