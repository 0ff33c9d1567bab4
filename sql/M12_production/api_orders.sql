create function public.release_order(p_code text, p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_family('production.plan', p_code, p_request_id, 'release_order', jsonb_build_array(p_code));
  v_actor uuid := v_command.actor;
  v_order public.production_orders := v_command.order_row;
  v_routing bigint := (select r.id from public.routings r where r.sku = v_order.product_sku and r.is_active);
  v_is_new boolean;
  v_released private.released;
  v_event bigint;
begin
  if v_command.answer is not null then
    return private.finish_floor(v_command, false);
  end if;
  perform private.refuse_closed(v_order);
  v_is_new := not v_order.is_routed;
  if v_is_new and v_routing is null then
    perform private.fail(409, 'production.no_routing', format('Nobody has said how %s is made. Add a routing first.', coalesce(v_order.product_sku, p_code)),
      jsonb_build_object('code', p_code, 'sku', v_order.product_sku));
  elsif v_is_new then
    perform private.refuse_part_shipped(v_order);
    v_order := private.copy_routing(v_order, v_routing, v_actor);
  end if;
  v_released := private.release_steps(v_order, v_actor);
  if v_is_new or v_released.changed then
    v_event := private.emit('production_order', v_order.code, 'production.released', v_actor, jsonb_build_object('version', v_order.version,
      'waits_for', v_released.waits, 'quantity', (select trim_scale(s.released) from public.production_order_steps s
        where s.order_id = v_order.id and s.is_first)), v_order.store, v_order.site);
  end if;
  return private.finish_floor(v_command, v_is_new or v_released.changed, v_event, v_released.notices);
end $$;
comment on function public.release_order is
$$The order goes to the floor: its routing is copied, and every step gets the complete sets of parts that are there for it. Only what parts allow is
released; the rest waits, and progress.waits_for says for what. Called again when parts came, it releases more; stations do so by themselves.
Where complete sets are needed, what is missing is replenished if it is made here, else a discrepancy (notices).
Permission: production.plan at its site and in its store.
Errors: production.unknown (404), production.closed (409), production.no_routing (409), production.part_shipped (409), production.units_in_stock (409),
stock.short (409), request.reused (422).
Idempotency: by p_request_id; when nothing more can be released it answers changed = false.
Locks: the root, its open replenishments and the order, by id; then all items of the order, by SKU.$$;

create function public.change_priority(p_code text, p_priority text, p_request_id uuid default null)
returns public.production_change language plpgsql security definer set search_path = '' as $$
declare
  v_order public.production_orders := (select o from public.production_orders o where o.code = p_code);
begin
  perform private.authorize('production.plan', v_order.store, v_order.site);
  if p_priority is null or p_priority not in ('critical', 'rush', 'normal') then
    perform private.fail(422, 'production.priority', 'The priority is critical, rush or normal.', jsonb_build_object('field', 'p_priority', 'actual', p_priority));
  end if;
  return public.update_production_order(p_code, p_priority => p_priority, p_request_id => p_request_id);
end $$;
comment on function public.change_priority is
$$Critical, rush or normal: what is made first, and who gets scarce parts first; they are promised anew at once. What is made again for the order follows.
Permission: production.plan at its site and in its store.
Errors: production.unknown (404), production.closed (409), production.priority (422), request.reused (422).
Idempotency: by p_request_id; the same priority again answers changed = false.
Locks: the order with what is made again for it, by id; then their items, by SKU.$$;

create function public.close_order(p_code text, p_reason text, p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_family('production.plan', p_code, p_request_id, 'close_order', jsonb_build_array(p_code, p_reason));
  v_actor uuid := v_command.actor;
  v_order public.production_orders := v_command.order_row;
  v_in_process numeric;
  v_missing numeric := private.still_missing(v_order);
  v_event bigint;
  v_notice jsonb;
begin
  if v_command.answer is not null or v_order.status = 'CLOSED' then
    return private.finish_floor(v_command, false);
  end if;
  perform private.refuse(private.order_problem(v_order, p_code));
  perform private.check_reason(p_reason);
  select sum(s.in_process) into v_in_process from public.production_order_steps s where s.order_id = v_order.id;
  if v_in_process > 0 then
    perform private.fail(409, 'production.in_process', format('%s pieces are in process. Report them first, good or scrap.', trim_scale(v_in_process)),
      jsonb_build_object('code', p_code, 'in_process', trim_scale(v_in_process)));
  end if;
  perform private.lock_order_stock(v_order);
  update public.production_order_progress p set close_reason = trim(p_reason), closed_by = nullif(v_actor, '00000000-0000-0000-0000-000000000000')
   where p.order_id = v_order.id;
  perform private.set_routed_status(v_order);
  perform private.drop_replenishments(v_order.id, v_actor);
  v_event := private.emit_floor(v_order, 'production.closed', v_actor, null, null, jsonb_build_object('reason', p_reason));
  v_notice := private.ask_for_rest(v_order, v_missing, format('%s was closed: %s', p_code, p_reason), v_actor);
  return private.finish_floor(v_command, true, v_event, case when v_notice is not null then jsonb_build_array(v_notice) end);
end $$;
comment on function public.close_order is
$$The order ends although not all of it was made. Parts that were not used are in stock again; what was to be made again for it and is not released is off.
Of a replenishment: what its root still needs is asked of a person (notices).
Permission: production.plan at its site and in its store.
Errors: production.unknown (404), production.closed (409) when cancelled, production.not_released (409), production.in_process (409),
stock.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; closed before, it answers changed = false.
Locks: the root, its open replenishments and the order, by id; then all items of the order, by SKU.$$;

create function public.reopen_order(p_code text, p_reason text, p_quantity numeric default null, p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_family('production.plan', p_code, p_request_id, 'reopen_order', jsonb_build_array(p_code, p_reason, p_quantity));
  v_actor uuid := v_command.actor;
  v_order public.production_orders := v_command.order_row;
  v_by_hand boolean := (select p.close_reason is not null from public.production_order_progress p where p.order_id = v_order.id);
  v_event bigint;
  v_notice jsonb;
begin
  if v_command.answer is not null or v_by_hand is not null and v_order.status not in ('CLOSED', 'CANCELLED') then
    return private.finish_floor(v_command, false);
  elsif v_order.status = 'CANCELLED' or v_by_hand is null then
    perform private.refuse_closed(v_order);
    perform private.refuse(private.order_problem(v_order, p_code));
  end if;
  perform private.check_reason(p_reason);
  if p_quantity is not null then
    perform private.check_production_quantity(p_quantity);
  end if;
  if not v_by_hand and coalesce(p_quantity, 0) <= v_order.quantity then
    perform private.fail(422, 'production.complete', format('All %s are made. Say how many it shall be in all.', trim_scale(v_order.quantity)),
      jsonb_build_object('field', 'p_quantity', 'expected', trim_scale(v_order.quantity), 'actual', p_quantity));
  end if;
  perform private.lock_order_stock(v_order);
  update public.production_order_progress p set close_reason = null, closed_by = null where p.order_id = v_order.id;
  update public.production_orders o set quantity = p_quantity where o.id = v_order.id and o.quantity <> p_quantity;
  perform private.take_back_end(v_order, c, 'production.reopened', v_actor) from public.piece_counts c
    where c.order_id = v_order.id and c.source = 'end' and c.reverses is null and not exists (select from public.piece_counts u where u.reverses = c.id);
  perform private.derive_order(v_order.id, v_actor);
  v_event := private.emit_floor(v_order, 'production.reopened', v_actor, null, null, jsonb_build_object('reason', p_reason, 'quantity', p_quantity));
  v_notice := private.replenish(private.root_of(v_order.id), v_order, v_order.product_sku, 'REOPENED', v_event, v_actor);
  perform private.withdraw_replenishment(t.id, private.in_lots(t, private.replenishment_need(t, r.sku)), v_actor)   -- asked for when it was closed
     from public.replenishments r join public.production_orders t on t.id = r.root_id and t.product_sku = r.sku
    where r.order_id = v_order.id and v_notice is null;
  return private.finish_floor(v_command, true, v_event, case when v_notice is not null then jsonb_build_array(v_notice) end);
end $$;
comment on function public.reopen_order is
$$A closed order goes on: one that a person closed early, or one that is complete and of which more is needed (p_quantity: in all). Steps that were ended
early go on too. It is released again for its parts, and what it had lost is made again.
Permission: production.plan at its site and in its store.
Errors: production.unknown (404), production.closed (409) when cancelled or closed without a routing, production.complete (422), production.quantity (422),
production.below_used (422), stock.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; an open order answers changed = false.
Locks: the root, its open replenishments and the order, by id; then all items of the order, by SKU.$$;

grant execute on function public.release_order, public.change_priority, public.close_order, public.reopen_order to authenticated, service_role;
