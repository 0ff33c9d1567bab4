-- Release: the routing is copied, and every step gets as many complete sets of its materials as are promised to the order. They leave stock then,
-- so that nobody takes them from a running order.

create function private.refuse_part_shipped(p_order public.production_orders)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_used record;
begin
  select l.sku, l.consumed into v_used from public.order_part_allocations l where l.production_order_id = p_order.id and l.consumed > 0 order by l.line limit 1;
  if found then
    perform private.fail(409, 'production.part_shipped', format('%s was shipped in part already: %s of %s left. Ship the rest the same way, or make a new order of it.',
      p_order.code, trim_scale(v_used.consumed), v_used.sku), jsonb_build_object('code', p_order.code, 'sku', v_used.sku, 'consumed', trim_scale(v_used.consumed)));
  end if;
end $$;
comment on function private.refuse_part_shipped is
  'Its steps would take the parts of all its pieces, also of those that left. Errors: production.part_shipped (409). The order is locked.';

create function private.copy_routing(p_order public.production_orders, p_routing_id bigint, p_actor uuid)
returns public.production_orders language plpgsql set search_path = '' as $$
begin
  perform private.refuse_made_without_steps(p_order);
  perform 1 from public.work_centres w   -- they go on doing the same kind of work until the order names them
    where w.code in (select r.work_centre from public.routing_steps r where r.routing_id = p_routing_id) order by w.code for share;
  insert into public.production_order_progress (order_id, routing_id, released_by)
  values (p_order.id, p_routing_id, nullif(p_actor, '00000000-0000-0000-0000-000000000000'));
  insert into public.production_order_steps (order_id, sequence, step, work_centre, is_first, is_last, needs_complete_sets, materials, setup_min, run_min,
    instructions, planned)
  with steps as (
    select r.*, p.needs_complete_sets, row_number() over (order by r.sequence) = 1 as is_first,
        row_number() over (order by r.sequence desc) = 1 as is_last
      from public.routing_steps r join public.process_steps p on p.code = r.step where r.routing_id = p_routing_id
  ), lines as (   -- what no step names goes in where sets are put together, else at the start
    select l.*, coalesce((select s.sequence from steps s where l.sku = any (s.materials)),
        (select min(s.sequence) from steps s where s.needs_complete_sets), (select min(s.sequence) from steps s)) as goes_in_at
      from public.production_order_lines l where l.order_id = p_order.id and l.sku <> p_order.product_sku
  )
  select p_order.id, s.sequence, s.step,
      (select w.code from public.work_centres w where w.code = s.work_centre and w.step = s.step and w.site = p_order.site), s.is_first, s.is_last, s.needs_complete_sets,
      (select coalesce(jsonb_agg(jsonb_build_object('line', l.line, 'sku', l.sku, 'quantity', trim_scale(l.quantity)) order by l.sku), '[]')
        from lines l where l.goes_in_at = s.sequence), s.setup_min, s.run_min, s.instructions, p_order.quantity
    from steps s order by s.sequence;
  update public.production_orders o set is_routed = true where o.id = p_order.id returning o.* into p_order;
  return p_order;
end $$;
comment on function private.copy_routing is
$$The routing as it is now. A work centre that stands at another site than the order, or does another kind of work by now, is left out: any of the step at the
site of the order will do. Locks: the work centres it names, shared.$$;

create function private.set_quantity(p_material jsonb, p_before numeric, p_after numeric)
returns numeric language plpgsql immutable set search_path = '' as $$
begin
  return abs(round((p_material ->> 'quantity')::numeric * p_after, 3) - round((p_material ->> 'quantity')::numeric * p_before, 3));
end $$;
comment on function private.set_quantity is 'What the sets between two totals take of a material; however they are cut, together they take what all of them take.';

create function private.take_sets(p_order public.production_orders, p_step public.production_order_steps, p_sets numeric, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_part record;
begin
  for v_part in
    select l.id, l.sku, private.set_quantity(m.item, p_step.released, p_step.released + p_sets) as quantity
      from jsonb_array_elements(p_step.materials) m (item)
      join public.order_part_allocations l on l.production_order_id = p_order.id and l.line = (m.item ->> 'line')::integer
     where private.set_quantity(m.item, p_step.released, p_step.released + p_sets) > 0 order by l.sku
  loop
    perform private.use_promised(v_part.id, v_part.quantity, p_order.site, 'production_order', p_order.code, 'For ' || private.step_title(p_step.step), p_actor);
  end loop;
  update public.production_order_steps s set released = s.released + p_sets where s.order_id = p_step.order_id and s.sequence = p_step.sequence;
end $$;
comment on function private.take_sets is 'So many complete sets are handed over to the step: they leave stock. Errors: stock.short (409). The items are locked.';

create function private.give_back_sets(p_order public.production_orders, p_step public.production_order_steps, p_sets numeric, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_part record;
begin
  for v_part in
    select m.item ->> 'sku' as sku, (m.item ->> 'line')::integer as line,
        private.set_quantity(m.item, p_step.released, p_step.released - p_sets) as quantity
      from jsonb_array_elements(p_step.materials) m (item)
     where private.set_quantity(m.item, p_step.released, p_step.released - p_sets) > 0 order by 1
  loop
    update public.order_part_allocations l set consumed = l.consumed - v_part.quantity
     where l.production_order_id = p_order.id and l.line = v_part.line;
    perform private.post_txn(v_part.sku, private.default_location(p_order.site), 'issue', v_part.quantity, 'production_order', p_order.code,
      'Not used at ' || private.step_title(p_step.step), p_actor);
  end loop;
  update public.production_order_steps s set released = s.released - p_sets where s.order_id = p_step.order_id and s.sequence = p_step.sequence;
end $$;
comment on function private.give_back_sets is 'So many sets that no piece was started with are in stock again. The items are locked by the caller, who allocates.';

create function private.return_sets(p_order public.production_orders, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
begin
  perform private.give_back_sets(p_order, s, s.released - s.started, p_actor) from public.production_order_steps s
    where s.order_id = p_order.id and s.materials <> '[]' and s.released > s.started order by s.sequence;
end $$;
comment on function private.return_sets is 'The order has ended: what it did not use is in stock again.';

create type private.released as (changed boolean, waits jsonb, notices jsonb);

create function private.release_steps(p_order public.production_orders, p_actor uuid)
returns private.released language plpgsql set search_path = '' as $$
declare
  v_step public.production_order_steps;
  v_sets record;
  v_released private.released := row(false, '[]', '[]');
begin
  perform private.lock_order_stock(p_order);
  for v_step in select s.* from public.production_order_steps s
      where s.order_id = p_order.id and not s.is_ended and s.released < s.planned order by s.sequence loop
    if v_step.materials = '[]' then
      update public.production_order_steps s set released = s.planned where s.order_id = v_step.order_id and s.sequence = v_step.sequence;
      v_released.changed := true;
      continue;
    end if;
    select c.possible, c.missing into v_sets from private.complete_sets(p_order, v_step.sequence) c;
    if v_sets.possible > 0 then
      perform private.take_sets(p_order, v_step, v_sets.possible, p_actor);
      v_released.changed := true;
    end if;
    if v_sets.missing <> '[]' then
      v_released.waits := v_released.waits || jsonb_build_object('sequence', v_step.sequence, 'step', v_step.step,
        'sets', trim_scale(v_step.planned - v_step.released - v_sets.possible), 'missing', v_sets.missing);
    end if;
    if v_step.needs_complete_sets then   -- nothing missing: a discrepancy told before is over
      v_released.notices := v_released.notices || coalesce(private.raise_shortage(p_order, v_step.sequence, v_sets.missing, p_actor), '[]');
    end if;
  end loop;
  perform private.allocate(private.order_skus(p_order.id), jsonb_build_object('event', 'production.released', 'ref', p_order.code));
  update public.production_order_progress p set waits_for = v_released.waits where p.order_id = p_order.id and p.waits_for <> v_released.waits;
  if exists (select from public.production_order_steps s where s.order_id = p_order.id and s.is_first and s.released > 0) then
    perform private.replenishment_released(p_order.id);
  end if;
  return v_released;
end $$;
comment on function private.release_steps is
$$Every step gets what is there for it: without materials all that is planned, else the complete sets that are promised to the order. What waits says so
in production_order_progress.waits_for; for steps that need complete sets it is replenished, or a discrepancy. The family is locked by the caller.
Locks: all items of the order.$$;

create function private.release_more(p_command private.floor_command, p_pieces numeric)
returns private.floor_command language plpgsql set search_path = '' as $$
begin
  if (p_command.step).released < (p_command.step).planned and private.can_start(p_command.step) < p_pieces then
    if (private.release_steps(p_command.order_row, p_command.actor)).changed then
      perform private.emit_floor(p_command.order_row, 'production.released', p_command.actor, p_command.step, (p_command.centre).code);
    end if;
    p_command.step := (select s from public.production_order_steps s
      where s.order_id = (p_command.step).order_id and s.sequence = (p_command.step).sequence);
  end if;
  return p_command;
end $$;
comment on function private.release_more is 'Parts may have come since the release: when more pieces are wanted than may start, it looks again.';
