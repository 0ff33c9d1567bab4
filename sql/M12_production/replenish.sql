-- Replenishment: what an order lost is made again. Everything is reckoned at the root, the order that somebody asked for.

create function private.root_of(p_order_id bigint)
returns bigint language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select r.root_id from public.replenishments r where r.order_id = p_order_id), p_order_id);
end $$;
comment on function private.root_of is 'The order that somebody asked for: the order itself, or what it replenishes.';

create function private.lock_family(p_order_id bigint)
returns public.production_orders language plpgsql set search_path = '' as $$
declare
  v_root bigint := private.root_of(p_order_id);
begin
  -- Its first lot, should the command make it, comes into the genealogy, which is locked before any row.
  perform private.begin_genealogy() where not exists (select from public.production_lots p where p.order_id = p_order_id);
  perform 1 from public.production_orders o where o.id = v_root for update;
  -- A second statement: who made the open replenishment held the root, so only now it is seen for sure.
  perform 1 from public.production_orders o
    where o.id = p_order_id or o.id in (select r.order_id from public.replenishments r where r.root_id = v_root and r.is_open)
    order by o.id for update;
  return (select o from public.production_orders o where o.id = p_order_id);
end $$;
comment on function private.lock_family is
$$An order whose losses may be replenished. Locks: the genealogy (shared) while the order has no lot; the root, then its open replenishments and the order,
by id.$$;

create or replace function private.lock_production(p_order_id bigint)
returns public.production_orders language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders := private.lock_family(p_order_id);
  v_again bigint[] := array(
    select o.id from public.replenishments r join public.production_orders o on o.id = r.order_id
     where r.root_id = p_order_id and o.status not in ('CLOSED', 'CANCELLED') order by o.id for update of o);
begin
  perform private.lock_stock(array(
    select u from unnest(private.stock_of_order(v_order)) u
    union
    select s from unnest(v_again) a cross join lateral unnest(private.order_skus(a)) s
    order by 1));
  return v_order;
end $$;
comment on function private.lock_production is
$$An order that is changed, cancelled or shipped. Locks: its family (lock_family) and what is made again for it and not closed, by id: it follows the priority of
its root; then all items of all these, by SKU.$$;

create function private.replenishment_released(p_order_id bigint)
returns void language plpgsql set search_path = '' as $$
begin
  update public.replenishments r set is_open = false where r.order_id = p_order_id and r.is_open;
end $$;
comment on function private.replenishment_released is 'It is on its way and is not topped up any more: what is lost from now on makes another one.';

create function private.tg_production_orders__replenishment()
returns trigger language plpgsql set search_path = '' as $$
begin
  perform private.replenishment_released(new.id);
  if new.status = 'CANCELLED' then
    perform private.ask_for_rest(new, 0, format('%s was cancelled: %s', new.code, coalesce(new.cancel_reason, '-')), (private.identify()).actor_id);
  end if;
  return null;
end $$;
create trigger _500_replenishment after update of status on public.production_orders
  for each row when (new.status in ('CLOSED', 'CANCELLED') and new.type = 'REPLENISHMENT')
  execute function private.tg_production_orders__replenishment();

create function private.tg_production_orders__priority()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_again public.production_orders;
begin
  for v_again in
    update public.production_orders o set priority = new.priority
      from public.replenishments r
     where r.root_id = new.id and o.id = r.order_id and o.status not in ('CLOSED', 'CANCELLED') and o.priority <> new.priority returning o.*
  loop
    perform private.write_production_lines(v_again);
    perform private.allocate(private.order_skus(v_again.id), jsonb_build_object('event', 'production.changed', 'ref', v_again.code));
    perform private.emit('production_order', v_again.code, 'production.changed', (private.identify()).actor_id, jsonb_build_object('root', new.code,
      'after', jsonb_build_object('priority', new.priority), 'version', v_again.version), v_again.store, v_again.site);
  end loop;
  return null;
end $$;
comment on function private.tg_production_orders__priority is
  'What is made again is as urgent as its root, whichever way that changes, and its parts are promised anew. Locked by the caller (lock_production).';
create trigger _500_priority after update of priority on public.production_orders
  for each row when (old.priority <> new.priority) execute function private.tg_production_orders__priority();

-- How many are needed ------------------------------------------------------------------------------------------------

create function private.prospect(p_order_id bigint)
returns numeric language plpgsql stable set search_path = '' as $$
declare
  v_order public.production_orders;
  v_flow record;
begin
  select o.* into v_order from public.production_orders o where o.id = p_order_id;
  select coalesce(sum(s.scrap + s.returned), 0) as lost, coalesce(sum(s.good) filter (where s.is_last), 0) as good,
      coalesce(sum(s.rework_open), 0) as rework, max(s.started) filter (where s.is_first) as entered,
      coalesce(bool_or(s.is_first and s.is_ended), false) as no_more into v_flow
    from public.production_order_steps s where s.order_id = p_order_id;
  if v_order.status in ('CLOSED', 'CANCELLED') then
    return v_flow.good;
  end if;
  return case when v_flow.no_more then v_flow.entered else greatest(v_order.quantity, v_flow.entered) end - v_flow.lost
    - v_flow.rework * (100 - (private.setting('production.rework_yield', v_order.store, v_order.site) #>> '{}')::numeric) / 100;
end $$;
comment on function private.prospect is
$$Pieces that an order gave or can still give: what may still enter it, what is in process or between its steps, what is being reworked (times
the setting production.rework_yield, in per cent), what it made. A closed or cancelled order: what it made.$$;

create function private.sets_needed(p_step public.production_order_steps)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return case when p_step.is_ended then p_step.started else (
    select least(p_step.planned, coalesce(max(u.started) filter (where u.is_first and u.is_ended), p_step.planned) - coalesce(sum(u.scrap + u.returned), 0))
      from public.production_order_steps u where u.order_id = p_step.order_id and u.sequence < p_step.sequence) end;
end $$;
comment on function private.sets_needed is 'Pieces that came to a step or can still come: what was lost before it needs no set of its materials.';

create function private.sets_wanted(p_step public.production_order_steps)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return greatest(private.sets_needed(p_step) - p_step.released, 0);
end $$;
comment on function private.sets_wanted is 'Pieces that can still come to a step and have no set of its materials yet.';

create function private.component_short(p_order_id bigint, p_sku text)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return (
    select greatest(sum(coalesce(w.wanted, l.needed - l.consumed) - l.allocated), 0)
      from public.order_part_allocations l
      left join lateral (select sum(private.set_quantity(m, s.released, s.released + private.sets_wanted(s))) as wanted
        from public.production_order_steps s, jsonb_array_elements(s.materials) m
       where s.order_id = l.production_order_id and m ->> 'sku' = p_sku) w on true
     where l.production_order_id = p_order_id and l.sku = p_sku and not l.is_closed);
end $$;
comment on function private.component_short is 'How many of a component an order still wants and has not been promised.';

create function private.replenishment_need(p_root public.production_orders, p_sku text)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  if p_sku = p_root.product_sku then
    return coalesce((select f.started from public.production_order_steps f where f.order_id = p_root.id and f.is_first and f.is_ended),
        p_root.quantity)   -- ended before all was started: no more of it is wanted
      - private.prospect(p_root.id) - (
      select coalesce(sum(private.prospect(r.order_id)), 0) from public.replenishments r where r.root_id = p_root.id and r.sku = p_sku);
  end if;
  -- A component: what its replenishments have made is in stock, and promised from there; only what they still owe counts.
  return coalesce(private.component_short(p_root.id, p_sku), 0) + (
    select coalesce(sum(case when r.sku <> p_sku then private.component_short(r.order_id, p_sku)
        when o.status not in ('CLOSED', 'CANCELLED') then coalesce(g.good, 0) - private.prospect(r.order_id) end), 0)
      from public.replenishments r join public.production_orders o on o.id = r.order_id
      left join public.production_order_steps g on g.order_id = r.order_id and g.is_last
     where r.root_id = p_root.id);
end $$;
comment on function private.replenishment_need is
$$Asked for less what the root and all its replenishments gave or can still give: net of work in process, rework and open replenishments.
Of a component: what they still want of it and were not promised. Below 0: more is coming than is needed.$$;

create function private.replenish_setting(p_order public.production_orders, p_name text)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return (private.setting('production.replenish_' || p_name, p_order.store, p_order.site) #>> '{}')::numeric;
end $$;

create function private.in_lots(p_root public.production_orders, p_need numeric)
returns numeric language plpgsql stable set search_path = '' as $$
declare
  v_lot numeric := private.replenish_setting(p_root, 'lot');
begin
  return case when v_lot > 0 then ceil(p_need / v_lot) * v_lot else p_need end;
end $$;

create function private.to_replenish(p_root public.production_orders, p_sku text, p_is_forced boolean default false)
returns numeric language plpgsql stable set search_path = '' as $$
declare
  v_need numeric := private.replenishment_need(p_root, p_sku);
begin
  return case
    when v_need <= case when p_is_forced then 0
      else greatest(private.replenish_setting(p_root, 'min'), private.replenish_setting(p_root, 'percent') * p_root.quantity / 100) end then null
    else private.in_lots(p_root, v_need) end;
end $$;
comment on function private.to_replenish is
  'How many would be made again now, in whole lots; null for none, or (unless it is forced) for fewer than the settings want a replenishment for.';

-- Making and topping up ------------------------------------------------------------------------------------------------

create function private.new_replenishment(p_root public.production_orders, p_sku text, p_quantity numeric, p_actor uuid)
returns public.production_orders language plpgsql set search_path = '' as $$
declare
  v_number integer := (select count(*) from public.replenishments r where r.root_id = p_root.id);
  v_order public.production_orders;
begin
  while v_order.id is null loop   -- somebody may have used the code
    v_number := v_number + 1;
    insert into public.production_orders as o (code, site, store, type, source, product_sku, quantity, priority, due_date, notes, created_by)
    values (left(p_root.code, 54) || '-R' || v_number, p_root.site, p_root.store, 'REPLENISHMENT', 'replenishment', p_sku, p_quantity,
      p_root.priority, p_root.due_date, 'Replenishes ' || p_root.code, nullif(p_actor, '00000000-0000-0000-0000-000000000000'))
    on conflict do nothing returning o.* into v_order;
  end loop;
  insert into public.production_order_lines (order_id, line, sku, quantity)
  select v_order.id, row_number() over (order by l.sku), l.sku, l.quantity from private.lines_of_new_order(p_sku, null) l;
  return v_order;
end $$;
comment on function private.new_replenishment is 'The order that makes p_quantity again: due and as urgent as its root. Its parts are not promised yet.';

create function private.promise_parts(p_order public.production_orders, p_event text)
returns void language plpgsql set search_path = '' as $$
declare
  v_skus text[] := private.order_skus(p_order.id);
begin
  perform private.lock_stock(v_skus);
  if p_order.status = 'CANCELLED' then
    perform private.close_production_lines(p_order.id);
    update public.order_fulfilments f set fulfillment_status = 'unfulfilled', fulfilled_at = null where f.production_order_id = p_order.id;
  else
    perform private.write_production_lines(p_order);
  end if;
  perform private.allocate(v_skus, jsonb_build_object('event', p_event, 'ref', p_order.code));
end $$;
comment on function private.promise_parts is 'The lines of an order follow its quantity or its end, and stock is promised anew. Locks: its items, by SKU.';

create function private.raise_replenishment(
  p_root public.production_orders, p_source public.production_orders, p_sku text, p_quantity numeric, p_generation integer, p_actor uuid)
returns public.production_orders language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders;
  v_event text := 'production.replenishment_changed';
begin
  update public.production_orders o set quantity = o.quantity + p_quantity
    from public.replenishments r
   where r.root_id = p_root.id and r.sku = p_sku and r.is_open and o.id = r.order_id returning o.* into v_order;
  if v_order.id is null then
    v_event := 'production.replenished';
    v_order := private.new_replenishment(p_root, p_sku, p_quantity, p_actor);
    insert into public.replenishments (order_id, root_id, sku, generation) values (v_order.id, p_root.id, p_sku, p_generation);
  else
    update public.replenishments r set generation = greatest(r.generation, p_generation) where r.order_id = v_order.id;
  end if;
  perform private.emit('production_order', v_order.code, v_event, p_actor, jsonb_build_object('root', p_root.code, 'source', p_source.code,
    'sku', p_sku, 'added', trim_scale(p_quantity), 'quantity', trim_scale(v_order.quantity), 'generation', p_generation, 'version', v_order.version),
    v_order.store, v_order.site);
  perform private.promise_parts(v_order, v_event);
  return v_order;
end $$;
comment on function private.raise_replenishment is
  'Top up the open replenishment of the root, or make one. Locks: the items of the order; root and open replenishment are locked by the caller.';

create function private.generation_after(p_source_id bigint, p_sku text)
returns integer language plpgsql stable set search_path = '' as $$
begin
  return 1 + coalesce((select r.generation from public.replenishments r where r.order_id = p_source_id and r.sku = p_sku), 0);
end $$;

create function private.beyond_caps(p_root public.production_orders, p_sku text, p_quantity numeric, p_generation integer)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_generations numeric := private.replenish_setting(p_root, 'generations');
  v_percent numeric := private.replenish_setting(p_root, 'cap_percent');
  v_before numeric := (select coalesce(sum(o.quantity), 0) from public.replenishments r join public.production_orders o on o.id = r.order_id
    where r.root_id = p_root.id and r.sku = p_sku and o.status <> 'CANCELLED');
begin
  if p_sku <> p_root.product_sku then
    return null;   -- a missing component is a need, no loss: it is made whatever it takes
  elsif p_generation > v_generations then
    return format('It was made again %s times already.', v_generations);
  elsif v_before + p_quantity > p_root.quantity * v_percent / 100 then
    return format('%s of %s would be made again: more than %s per cent.', trim_scale(v_before + p_quantity), trim_scale(p_root.quantity), v_percent);
  end if;
  return null;
end $$;
comment on function private.beyond_caps is 'Why a person has to allow it: too many generations, or too much of the order made again. Null: within the caps.';

create function private.replenish(
  p_root_id bigint, p_source public.production_orders, p_sku text, p_trigger text, p_event_id bigint, p_actor uuid,
  p_approval public.approvals default null)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_root public.production_orders := (select o from public.production_orders o where o.id = p_root_id);
  v_need numeric;
  v_generation integer := private.generation_after(p_source.id, p_sku);
  v_why text;
  v_order public.production_orders;
begin
  if v_root.status in ('CLOSED', 'CANCELLED')
     or exists (select 1 from public.replenishment_links l where l.trigger_event = p_event_id)
     or not private.setting('production.replenish_auto', v_root.store, v_root.site)::boolean and p_approval.id is null and p_trigger <> 'SHORTAGE' then
    return null;
  end if;
  v_need := private.to_replenish(v_root, p_sku, p_approval.id is not null or p_trigger = 'SHORTAGE');
  if v_need is null then
    return null;
  elsif p_approval.id is not null then
    v_need := least(v_need, p_approval.quantity);   -- what was allowed, and no more
  else
    v_why := coalesce(private.beyond_caps(v_root, p_sku, v_need, v_generation), (
      select a.justification from public.approvals a   -- what waits for a person is not made by the next loss
       where a.order_id = v_root.id and a.operation = 'replenishment' and a.status = 'PENDING' and p_sku = v_root.product_sku));
  end if;
  if v_why is not null then
    return private.ask_to_replenish(v_root, p_source, v_need, p_trigger, p_event_id, p_actor, v_why);
  end if;
  v_order := private.raise_replenishment(v_root, p_source, p_sku, v_need, v_generation, p_actor);
  insert into public.replenishment_links (root_id, replenishment_id, source_order_id, trigger, trigger_event, quantity, approval_id, created_by)
  values (v_root.id, v_order.id, p_source.id, p_trigger, p_event_id, v_need, p_approval.id, nullif(p_actor, '00000000-0000-0000-0000-000000000000'));
  return jsonb_build_object('code', 'production.replenished', 'message', format('%s makes %s again for %s.', v_order.code, trim_scale(v_need), v_root.code),
    'details', jsonb_build_object('replenishment', v_order.code, 'root', v_root.code, 'sku', p_sku, 'added', trim_scale(v_need),
      'quantity', trim_scale(v_order.quantity)));
end $$;
comment on function private.replenish is
$$After a loss, a shortage or an approval: makes again what the root needs, as one open order. Answers a notice {code, message, details}, or null
when nothing is needed (or less than the settings say), or this event did it before. The family is locked by the caller (lock_family).$$;
