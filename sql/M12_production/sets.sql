-- Complete sets: a step gets the materials of whole pieces or waits, and says for what.

create function private.complete_sets(p_order public.production_orders, p_sequence integer)
returns table (possible numeric, missing jsonb) language plpgsql stable set search_path = '' as $$
declare
  v_wanted numeric := private.sets_wanted(p_order.id, p_sequence);
begin
  return query
    with parts as (
      select m ->> 'sku' as sku, (m ->> 'quantity')::numeric as per_piece, coalesce(l.allocated, 0) as promised
        from public.production_order_steps s cross join lateral jsonb_array_elements(s.materials) m
        left join public.order_part_allocations l on l.production_order_id = s.order_id and l.line = (m ->> 'line')::integer
       where s.order_id = p_order.id and s.sequence = p_sequence
    )
    select case when coalesce(bool_and(p.promised >= p.per_piece * v_wanted), true) then v_wanted
        else least(v_wanted, min(floor(p.promised / p.per_piece))) end,
      coalesce(jsonb_agg(jsonb_build_object('sku', p.sku, 'needed', trim_scale(p.per_piece * v_wanted), 'available', trim_scale(p.promised),
        'missing', trim_scale(p.per_piece * v_wanted - p.promised)) order by p.sku) filter (where p.promised < p.per_piece * v_wanted), '[]')
      from parts p;
end $$;
comment on function private.complete_sets is
$$How many more complete sets than are released a step could get now from what is promised to the order, and what is missing for the rest:
[{sku, needed, available, missing}]. Whole sets, unless it is all of them.$$;

create function private.note_discrepancy(p_order public.production_orders, p_sequence integer, p_missing jsonb, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_event bigint;
begin
  if not exists (select 1 from public.production_discrepancies d
      where d.order_id = p_order.id and d.sequence = p_sequence and d.sku = p_missing ->> 'sku' and d.resolved_at is null
        and d.missing = (p_missing ->> 'missing')::numeric) then
    v_event := private.emit('production_order', p_order.code, 'production.discrepancy', p_actor,
      p_missing || jsonb_build_object('sequence', p_sequence, 'version', p_order.version), p_order.store, p_order.site);
    insert into public.production_discrepancies as d (order_id, sequence, sku, needed, available, missing, event_id)
    values (p_order.id, p_sequence, p_missing ->> 'sku', (p_missing ->> 'needed')::numeric, (p_missing ->> 'available')::numeric,
      (p_missing ->> 'missing')::numeric, v_event)
    on conflict (order_id, sequence, sku) where resolved_at is null do update
      set needed = excluded.needed, available = excluded.available, missing = excluded.missing, event_id = excluded.event_id;
  end if;
  return jsonb_build_object('code', 'production.discrepancy', 'message', format('%s of %s are missing for complete sets of %s.',
    p_missing ->> 'missing', p_missing ->> 'sku', p_order.code), 'details', p_missing || jsonb_build_object('sequence', p_sequence));
end $$;

create function private.raise_shortage(p_order public.production_orders, p_sequence integer, p_missing jsonb, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_root public.production_orders := (select o from public.production_orders o where o.id = private.root_of(p_order.id));
  v_missing jsonb;
  v_event bigint;
  v_notice jsonb;
  v_notices jsonb := '[]';
begin
  update public.production_discrepancies d set resolved_at = now()
   where d.order_id = p_order.id and d.sequence = p_sequence and d.resolved_at is null
     and not exists (select 1 from jsonb_array_elements(p_missing) m where m ->> 'sku' = d.sku);
  for v_missing in select m from jsonb_array_elements(p_missing) m order by m ->> 'sku' loop
    v_notice := null;
    if not exists (select 1 from public.routings g where g.sku = v_missing ->> 'sku' and g.is_active) then
      v_notice := private.note_discrepancy(p_order, p_sequence, v_missing, p_actor);
    elsif private.replenishment_need(v_root, v_missing ->> 'sku') > 0 then
      v_event := private.emit('production_order', p_order.code, 'production.short', p_actor,
        v_missing || jsonb_build_object('sequence', p_sequence, 'version', p_order.version), p_order.store, p_order.site);
      v_notice := private.replenish(v_root.id, p_order, v_missing ->> 'sku', 'SHORTAGE', v_event, p_actor);
    end if;
    v_notices := v_notices || coalesce(v_notice, '[]');
  end loop;
  return v_notices;
end $$;
comment on function private.raise_shortage is
$$What is missing for complete sets: components that are made here are replenished, once, for what is not coming already; others are a
discrepancy until they are there. Answers notices [{code, message, details}]. With an empty p_missing it resolves discrepancies.
The family is locked by the caller (lock_family), its stock too (lock_order_stock).$$;
