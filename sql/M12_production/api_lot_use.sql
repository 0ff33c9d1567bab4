create function public.consume_lot(
  p_code text, p_quantity numeric, p_order text, p_sku text default null, p_sequence integer default null, p_into_lot text default null,
  p_location text default null, p_request_id uuid default null)
returns public.lot_movement language plpgsql security definer set search_path = '' as $$
declare
  v_order public.production_orders := (select o from public.production_orders o where o.code = p_order);
  v_actor uuid := private.authorize('production.lots', v_order.store, v_order.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'consume_lot',
    jsonb_build_array(p_code, p_quantity, p_order, p_sku, p_sequence, p_into_lot, p_location));
  v_lot public.lots;
  v_into public.lots;
  v_activity public.trace_activities;
  v_balance public.production_lots;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_movement, v_answer);
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  perform private.begin_genealogy();
  v_order := private.order_taking_material(v_order, p_order, p_sequence, private.may('production.late_material'));
  v_lot := private.material_lot(v_order, p_sequence, p_sku, p_code);
  perform private.authorize_lots(array[v_lot.id], 'production.lots');
  v_into := private.lot_of_order(v_order, p_into_lot, v_actor);
  perform private.lock_lots(array[v_lot.id, v_into.id]);
  v_balance := (select p from public.production_lots p where p.lot_id = v_lot.id);
  if v_balance.order_id is distinct from v_order.id then
    perform private.refuse_used_up(v_lot);
  end if;
  if v_balance.order_id = v_order.id then
    perform private.link_lots(v_lot, v_into, p_quantity);   -- rework within the order may come back to where it was
  else
    perform private.link('lot', v_lot.code, 'lot', v_into.code, p_quantity, v_lot.sku, v_into.sku);
  end if;
  if v_balance.order_id <> v_order.id and p_quantity > v_balance.good
     and (select o.is_routed from public.production_orders o where o.id = v_balance.order_id) then
    perform private.fail(409, 'lot.in_process', format('Only finished pieces of lot %s can be used: %s.', v_lot.code, trim_scale(v_balance.good)),
      jsonb_build_object('lot', v_lot.code, 'good', trim_scale(v_balance.good), 'actual', trim_scale(p_quantity)));
  end if;
  if p_location is not null then
    perform private.authorize('inventory.move', null, (private.place(p_location)).site);
    v_activity.txn_id := private.take_lot(v_order, v_lot, p_quantity, p_location, v_actor);
  end if;
  v_activity.order_id := v_order.id;
  v_activity.sequence := p_sequence;
  v_activity.actor_id := v_actor;
  v_activity.id := private.book_use(v_activity, v_balance, v_into.id, p_quantity);
  perform private.emit('production_order', v_order.code, 'production.material_used', v_actor, jsonb_strip_nulls(jsonb_build_object('version', v_order.version,
    'sequence', p_sequence, 'lot', v_lot.code, 'sku', v_lot.sku, 'quantity', trim_scale(p_quantity), 'into', v_into.code,
    'is_late', case when v_order.status = 'CLOSED' then true end)), v_order.store, v_order.site);
  return private.finish_movement(v_actor, p_request_id, v_activity.id, array[v_lot.id, v_into.id], 'lot.consumed', jsonb_build_object('order', v_order.code,
    'sequence', p_sequence, 'into', v_into.code, 'quantity', trim_scale(p_quantity), 'txn_id', v_activity.txn_id), v_order.site);
end $$;
comment on function public.consume_lot is
$$So much of a lot goes into a production order: into its own lot, or p_into_lot of the same order. p_sequence: at this step, whose materials it has to
fit. A lot of the order itself is reworked: nothing of it is used up. p_location: take it from the shelf there, for what the release of the order did not take; without it stock is not touched.
What was forgotten can still be said of an order that is closed, never of one that is cancelled: its event says is_late.
Permission: production.lots at the order's site and in its store, production.late_material when it is closed; inventory.move when it is taken from the shelf;
where the lot is of another order, at that one's site and in its store.
Errors: production.unknown (404), production.closed (409), production.no_step (404), production.wrong_material (409), lot.unknown (404), lot.ambiguous (409), lot.other_site (409), lot.on_hold (423), lot.removed (409), lot.used_up (409), lot.short (409), lot.other_order (409), lot.in_process (409), trace.circle (409), stock.quantity (422), location.unknown (404), location.inactive (409), item.not_stocked (422), stock.short (409), request.reused (422).
Idempotency: by p_request_id; without it each call uses more.
Locks: the genealogy (shared), the order, the lots by id, then the item.$$;

create function private.book_use(p_activity public.trace_activities, p_from public.production_lots, p_into bigint, p_quantity numeric)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_part private.lot_part := row(p_from.lot_id, p_quantity, least(p_quantity, greatest(p_from.good, 0)));
begin
  if p_from.order_id is distinct from p_activity.order_id then
    p_activity.kind := 'consume';
    return private.book_activity(p_activity, array[v_part], array[row(p_into, null, 0)::private.lot_part]);
  end if;
  -- The order takes its own pieces in hand again: they stay its pieces, and all of them can still be reported.
  if p_from.is_counted and p_quantity > p_from.remaining then
    perform private.lot_short(array[p_from.lot_id]);
  elsif p_from.lot_id = p_into then
    p_activity.kind := 'rework';
    return private.book_activity(p_activity, array[row(p_into, p_quantity, 0)::private.lot_part], '{}');
  end if;
  p_activity.kind := 'merge';
  v_part.good := greatest(p_quantity - (p_from.remaining - p_from.good), 0);   -- those in process first
  return private.book_activity(p_activity, array[v_part], array[row(p_into, p_quantity, v_part.good)::private.lot_part]);
end $$;
comment on function private.book_use is
$$Material goes into a lot of an order. What comes from another lot of the same order moves there, and what comes from that lot itself stays in it: rework uses
up nothing. Errors: lot.short (409).$$;

create function private.order_taking_material(
  p_order public.production_orders, p_code text, p_sequence integer, p_may_be_late boolean)
returns public.production_orders language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders;
begin
  select o.* into v_order from public.production_orders o where o.id = p_order.id for update;   -- alone: its lot may have to be made
  if v_order.id is null then
    perform private.fail(404, 'production.unknown', 'There is no production order ' || coalesce(p_code, '') || '.', jsonb_build_object('code', p_code));
  end if;
  if v_order.status <> 'CLOSED' or not p_may_be_late then
    perform private.refuse_closed(v_order);
  end if;
  if p_sequence is not null and not exists (select from public.production_order_steps s where s.order_id = v_order.id and s.sequence = p_sequence) then
    perform private.fail(404, 'production.no_step', format('Order %s has no step %s.', v_order.code, p_sequence), jsonb_build_object('field', 'p_sequence',
      'expected', array(select s.sequence from public.production_order_steps s where s.order_id = v_order.id order by 1), 'actual', p_sequence));
  end if;
  return v_order;
end $$;
comment on function private.order_taking_material is 'Errors: production.unknown (404), production.closed (409), production.no_step (404). Locks: the order.';

create function private.material_lot(p_order public.production_orders, p_sequence integer, p_sku text, p_code text)
returns public.lots language plpgsql stable set search_path = '' as $$
declare
  v_own public.lots;
begin
  select l.* into v_own from public.production_lots p join public.lots l on l.id = p.lot_id   -- a lot of the order itself: rework
   where p.order_id = p_order.id and lower(l.code) = lower(p_code) and (p_sku is null or lower(l.sku) = lower(p_sku));
  if v_own.id is not null then
    return v_own;
  end if;
  return private.lot_of_material(p_order,
    (select s.materials from public.production_order_steps s where s.order_id = p_order.id and s.sequence = p_sequence), p_sku, p_code);
end $$;

create function private.take_lot(p_order public.production_orders, p_lot public.lots, p_quantity numeric, p_location text, p_actor uuid)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_place public.locations := private.place(p_location);
  v_txn bigint;
begin
  perform private.check_place(v_place, p_location);
  v_txn := private.post_txn((private.item_to_move(p_lot.sku)).sku, v_place.code, 'consume', -p_quantity, 'production_order', p_order.code,
    'Lot ' || p_lot.code, p_actor);
  perform private.allocate(array[p_lot.sku], jsonb_build_object('event', 'lot.consumed', 'ref', p_order.code));
  return v_txn;
end $$;
comment on function private.take_lot is
  'Takes so much of a lot from the shelf. Errors: location.unknown (404), location.inactive (409), item.not_stocked (422), stock.short (409). Locks: the item.';

create function public.dispose_lot(
  p_code text, p_quantity numeric, p_how text, p_reason text, p_sku text default null, p_request_id uuid default null)
returns public.lot_movement language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.lots');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'dispose_lot', jsonb_build_array(p_code, p_quantity, p_how, p_reason, p_sku));
  v_lot public.lots;
  v_balance public.production_lots;
  v_activity public.trace_activities;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_movement, v_answer);
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  perform private.check_unit_reason(p_reason);
  if p_how is null or p_how not in ('scrap', 'return') then
    perform private.fail(422, 'lot.how', 'Say what becomes of it: scrap, or return to the supplier.', jsonb_build_object('field', 'p_how', 'actual', p_how));
  end if;
  v_lot := private.find_lot(p_sku, p_code);
  perform private.authorize_lots(array[v_lot.id], 'production.lots');
  perform private.share_orders(array[v_lot.id]);
  perform 1 from public.lots l where l.id = v_lot.id for share;   -- on hold or not: this is how a bad lot ends
  insert into public.production_lots (lot_id) values (v_lot.id) on conflict on constraint production_lots_pkey do nothing;
  select p.* into v_balance from public.production_lots p where p.lot_id = v_lot.id for update;
  if v_balance.order_id is not null and p_quantity > v_balance.good then
    perform private.fail(409, 'lot.in_process', format('Pieces of lot %s that are not finished are reported at their step.', v_lot.code),
      jsonb_build_object('lot', v_lot.code, 'finished', trim_scale(v_balance.good), 'in_process', trim_scale(v_balance.remaining - v_balance.good)));
  end if;
  perform private.counted_lot(v_lot);
  v_activity.kind := p_how;
  v_activity.order_id := v_balance.order_id;
  v_activity.note := p_reason;
  v_activity.actor_id := v_actor;
  return private.finish_movement(v_actor, p_request_id, private.book_activity(v_activity,
    array[row(v_lot.id, p_quantity, least(p_quantity, v_balance.good))::private.lot_part], '{}'), array[v_lot.id],
    case p_how when 'scrap' then 'lot.scrapped' else 'lot.returned' end, jsonb_build_object('quantity', trim_scale(p_quantity), 'reason', p_reason));
end $$;
comment on function public.dispose_lot is
$$So much of a lot is thrown away (p_how scrap) or goes back to its supplier (return). A lot on hold too. Of a lot of an order only what is finished:
pieces in process are reported at their step. Stock is not touched.
Permission: production.lots at the site of the lot; of a lot of an order, at its site and in its store.
Errors: lot.unknown (404), lot.ambiguous (409), lot.how (422), lot.in_process (409), lot.not_counted (409), lot.short (409), stock.quantity (422), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it each call takes more.
Locks: its order (shared), the lot.$$;

create function public.undo_lot_activity(p_activity_id bigint, p_reason text default null, p_request_id uuid default null)
returns public.lot_movement language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.lots');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'undo_lot_activity', jsonb_build_array(p_activity_id, p_reason));
  v_done public.trace_activities;
  v_back public.trace_activities;
  v_inputs private.lot_part[];
  v_outputs private.lot_part[];
  v_ids bigint[];
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_movement, v_answer);
  end if;
  perform private.check_length('p_reason', p_reason, 500);
  v_done := private.activity_to_undo(p_activity_id);
  perform private.begin_genealogy();
  v_inputs := array(select row(i.lot_id, i.quantity, i.good)::private.lot_part from public.trace_inputs i where i.activity_id = v_done.id order by 1);
  v_outputs := array(select row(o.lot_id, o.quantity, o.good)::private.lot_part from public.trace_outputs o where o.activity_id = v_done.id order by 1);
  v_ids := array(select i.lot_id from unnest(v_inputs) i union all select o.lot_id from unnest(v_outputs) o);
  perform private.authorize_lots(v_ids, 'production.lots');
  perform private.authorize('inventory.move', null, l.site)
    from public.inventory_txn t join public.locations l on l.code = t.location where t.id = v_done.txn_id;
  perform private.share_orders(v_ids, v_done.order_id);
  perform 1 from public.lots l where l.id = any (v_ids) order by l.id for share;
  perform 1 from public.production_lots p where p.lot_id = any (v_ids) order by p.lot_id for update;
  if exists (select from public.trace_activities a where a.reverses = v_done.id) then   -- a twin took it back while we waited
    return private.finish_movement(v_actor, p_request_id, null, v_ids, null, null);
  end if;
  v_back.kind := v_done.kind; v_back.order_id := v_done.order_id; v_back.sequence := v_done.sequence;
  v_back.reverses := v_done.id; v_back.is_reversal := true; v_back.note := p_reason; v_back.actor_id := v_actor;
  v_back.txn_id := private.put_back_lot(v_done, p_reason, v_actor);
  perform private.unlink('lot', f.code, 'lot', t.code, i.quantity, f.sku, t.sku)
     from unnest(v_inputs) i cross join unnest(v_outputs) o join public.lots f on f.id = i.lot_id join public.lots t on t.id = o.lot_id
    where f.id <> t.id;
  return private.finish_movement(v_actor, p_request_id, private.book_activity(v_back, v_inputs, v_outputs), v_ids, 'lot.undone',
    jsonb_build_object('undoes', v_done.id, 'kind', v_done.kind, 'reason', p_reason));
end $$;
comment on function public.undo_lot_activity is
$$A receipt, split, merge, use, scrap or return of lots is taken back (p_activity_id of its answer), on the shelf too. Not possible once the lots
went on: then that is to be undone first. What a count of pieces did is undone with the count.
Permission: production.lots; of lots of orders, at their sites and in their stores; inventory.move at the site of the shelf it came from or went to.
Errors: lot.activity (404), lot.of_count (409), lot.short (409), stock.short (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; taken back before, it answers changed = false.
Locks: the genealogy (shared), the orders (shared), the lots by id, then the item.$$;

create function private.activity_to_undo(p_activity_id bigint)
returns public.trace_activities language plpgsql stable set search_path = '' as $$
declare
  v_done public.trace_activities := (select a from public.trace_activities a where a.id = p_activity_id);
begin
  if v_done.id is null then
    perform private.fail(404, 'lot.activity', 'There is no such activity.', jsonb_build_object('activity_id', p_activity_id));
  elsif v_done.count_id is not null or v_done.is_reversal then
    perform private.fail(409, 'lot.of_count', 'That came from a count of pieces: undo the count.', jsonb_build_object('activity_id', p_activity_id));
  end if;
  return v_done;
end $$;

create function private.put_back_lot(p_done public.trace_activities, p_reason text, p_actor uuid)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_txn public.inventory_txn := (select t from public.inventory_txn t where t.id = p_done.txn_id);
  v_id bigint;
begin
  if v_txn.id is not null then
    v_id := private.post_txn(v_txn.sku, v_txn.location, v_txn.kind, -v_txn.quantity, v_txn.ref_stream, v_txn.ref_id, p_reason, p_actor, v_txn.unit_cost,
      null, v_txn.id);
    perform private.allocate(array[v_txn.sku], jsonb_build_object('event', 'lot.undone', 'ref', v_txn.ref_id));
  end if;
  return v_id;
end $$;

create function public.remove_lot(
  p_code text, p_reason text default null, p_sku text default null, p_is_removed boolean default true, p_request_id uuid default null)
returns public.lot_movement language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.lots');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'remove_lot', jsonb_build_array(p_code, p_reason, p_sku, p_is_removed));
  v_movement public.lot_movement;
  v_lot public.lots;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_movement, v_answer);
  end if;
  v_lot := private.find_lot(p_sku, p_code);
  perform private.authorize_lots(array[v_lot.id], 'production.lots');
  if p_is_removed then
    perform private.check_unit_reason(p_reason);
  end if;
  perform 1 from public.lots l where l.id = v_lot.id for update;
  insert into public.production_lots (lot_id) values (v_lot.id) on conflict on constraint production_lots_pkey do nothing;
  update public.production_lots p
     set removed_at = case when p_is_removed then now() end, remove_reason = case when p_is_removed then p_reason end,
         removed_by = case when p_is_removed then nullif(v_actor, '00000000-0000-0000-0000-000000000000') end
   where p.lot_id = v_lot.id and (p.removed_at is null) = p_is_removed;
  v_movement.changed := found;
  v_movement.lots := private.lot_balances(array[v_lot.id]);
  if v_movement.changed then
    v_movement.event_id := private.emit('lot', v_lot.sku || ' ' || v_lot.code, case when p_is_removed then 'lot.removed' else 'lot.restored' end, v_actor,
      jsonb_build_object('lot_id', v_lot.id, 'version', v_lot.version, 'sku', v_lot.sku, 'code', v_lot.code, 'reason', p_reason), null, v_lot.site);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_movement));
  return v_movement;
end $$;
comment on function public.remove_lot is
$$The lot is taken out of use: nothing of it goes anywhere any more, and lists leave it out; what was made of it is still traced through it.
p_is_removed false: it is in use again.
Permission: production.lots at the site of the lot; of a lot of an order, at its site and in its store.
Errors: lot.unknown (404), lot.ambiguous (409), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a repeat answers changed = false.
Locks: the lot.$$;
grant execute on function public.consume_lot, public.dispose_lot, public.undo_lot_activity, public.remove_lot to authenticated, service_role;
