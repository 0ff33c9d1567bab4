-- Complete sets: a step gets the materials of whole pieces or waits, and says for what.

create function private.whole_sets(p_material jsonb, p_released numeric, p_promised numeric)
returns numeric language plpgsql immutable set search_path = '' as $$
declare
  v_each numeric := (p_material ->> 'quantity')::numeric;
  -- Rounded as set_quantity rounds: with what is handed over already, so much may go out in all, and a half of the last digit goes up.
  v_sets numeric := ceil((p_promised + round(v_each * p_released, 3) + 0.0005) / v_each - p_released) - 1;
begin
  return greatest(case when private.set_quantity(p_material, p_released, p_released + v_sets) > p_promised then v_sets - 1 else v_sets end, 0);
end $$;
comment on function private.whole_sets is 'For how many more whole sets than were handed over so much of a material is enough.';

create function private.complete_sets(p_order public.production_orders, p_sequence integer)
returns table (possible numeric, missing jsonb) language plpgsql stable set search_path = '' as $$
declare
  v_step public.production_order_steps := (select s from public.production_order_steps s where s.order_id = p_order.id and s.sequence = p_sequence);
  v_wanted numeric := private.sets_wanted(v_step);
begin
  return query
    with parts as (
      select m.item, m.item ->> 'sku' as sku, private.set_quantity(m.item, v_step.released, v_step.released + v_wanted) as needed,
          coalesce(l.allocated, 0) as promised
        from jsonb_array_elements(v_step.materials) m (item)
        left join public.order_part_allocations l on l.production_order_id = p_order.id and l.line = (m.item ->> 'line')::integer
    )
    select case when coalesce(bool_and(p.promised >= p.needed), true) then v_wanted
        else least(v_wanted, min(private.whole_sets(p.item, v_step.released, p.promised))) end,
      coalesce(jsonb_agg(jsonb_build_object('sku', p.sku, 'needed', trim_scale(p.needed), 'available', trim_scale(p.promised),
        'missing', trim_scale(p.needed - p.promised)) order by p.sku) filter (where p.promised < p.needed), '[]')
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

create function private.fit_sets(p_order public.production_orders, p_event text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_step public.production_order_steps;
  v_needed numeric;
begin
  for v_step in select s.* from public.production_order_steps s where s.order_id = p_order.id and s.materials <> '[]' order by s.sequence loop
    v_needed := private.sets_needed(v_step);
    if v_step.released > v_needed then
      perform private.give_back_sets(p_order, v_step, v_step.released - v_needed, p_actor);
    end if;
    if v_step.released >= v_needed then   -- it waits for nothing any more
      update public.production_discrepancies d set resolved_at = now()
       where d.order_id = p_order.id and d.sequence = v_step.sequence and d.resolved_at is null;
      update public.production_order_progress p
         set waits_for = (select coalesce(jsonb_agg(w.item order by w.n), '[]') from jsonb_array_elements(p.waits_for) with ordinality w (item, n)
           where (w.item ->> 'sequence')::integer <> v_step.sequence)
       where p.order_id = p_order.id and p.waits_for @> jsonb_build_array(jsonb_build_object('sequence', v_step.sequence));
    end if;
    update public.production_order_lines n set pieces = nullif(v_needed, v_step.planned)
     where n.order_id = p_order.id and n.line in (select (m ->> 'line')::integer from jsonb_array_elements(v_step.materials) m)
       and n.pieces is distinct from nullif(v_needed, v_step.planned);
  end loop;
  perform private.write_production_lines(p_order);
  perform private.allocate(private.order_skus(p_order.id), jsonb_build_object('event', p_event, 'ref', p_order.code));
end $$;
comment on function private.fit_sets is
$$After pieces were lost, or it was taken back, or no more are made: what is promised and handed over to each step is for the pieces that can still come to
it, and the rest is free for others, above all for what is made again. The items are locked by the caller (lock_order_stock).$$;
