-- What people do with lots. Holding and releasing them: M10_units/holds.sql.

create type public.lot_balance as (lot public.lots, balance public.production_lots);
comment on type public.lot_balance is 'A lot, and how much of it there is; balance is null for a lot of which nothing was ever counted.';

create type public.lot_movement as (changed boolean, event_id bigint, activity public.trace_activities, lots public.lot_balance[]);
comment on type public.lot_movement is 'Answer of a command that moves lots: did it change anything, its event, what was noted, the lots now, first the one it was about.';

create function private.lot_balances(p_ids bigint[])
returns public.lot_balance[] language plpgsql stable set search_path = '' as $$
begin
  return array(
    select row(l, p)::public.lot_balance from unnest(p_ids) with ordinality as i (id, n)
      join public.lots l on l.id = i.id left join public.production_lots p on p.lot_id = l.id order by i.n);
end $$;

create function private.lock_lots(p_ids bigint[])
returns void language plpgsql set search_path = '' as $$
begin
  perform private.share_lots(p_ids);
  insert into public.production_lots (lot_id) select u from unnest(p_ids) u order by u on conflict on constraint production_lots_pkey do nothing;
  perform 1 from public.production_lots p where p.lot_id = any (p_ids) order by p.lot_id for update;
end $$;
comment on function private.lock_lots is
  'Lots that are about to be moved. Errors: lot.on_hold (423), lot.removed (409). Locks: the lots by id, shared, then their balances, by id.';

create function private.share_orders(p_lot_ids bigint[], p_order_id bigint default null)
returns void language plpgsql set search_path = '' as $$
begin
  perform 1 from public.production_orders o
   where o.id = p_order_id or o.id in (select p.order_id from public.production_lots p where p.lot_id = any (p_lot_ids)) order by o.id for key share;
end $$;
comment on function private.share_orders is
$$Before the lots: what is written about a lot of an order names the order, and so waits for whoever has it; and who has it waits for its lots. Locks: the
orders of these lots, by id, shared.$$;

create or replace function private.authorize_lots(p_ids bigint[], p_permission text)
returns void language plpgsql stable set search_path = '' as $$
begin
  perform private.authorize(p_permission, null, x.site) from (select distinct l.site from public.lots l where l.id = any (p_ids)) x;
  perform private.authorize(p_permission, x.store, x.site)
     from (select distinct o.store, o.site from public.production_lots p join public.production_orders o on o.id = p.order_id
       where p.lot_id = any (p_ids)) x;
end $$;
comment on function private.authorize_lots is
$$Lots are moved, held and changed by those who work where they lie; lots of orders at the sites and in the stores of those.
Errors: auth.other_site, auth.other_store (403).$$;

create function private.finish_movement(
  p_actor uuid, p_request_id uuid, p_activity_id bigint, p_lot_ids bigint[], p_event text, p_payload jsonb, p_site text default null)
returns public.lot_movement language plpgsql set search_path = '' as $$
declare
  v_movement public.lot_movement;
  v_lot public.lots := (select l from public.lots l where l.id = p_lot_ids[1]);
begin
  v_movement.changed := p_activity_id is not null;
  v_movement.activity := (select a from public.trace_activities a where a.id = p_activity_id);
  v_movement.lots := private.lot_balances(p_lot_ids);
  if v_movement.changed then
    v_movement.event_id := private.emit('lot', v_lot.sku || ' ' || v_lot.code, p_event, p_actor, jsonb_build_object('lot_id', v_lot.id,
      'version', v_lot.version, 'sku', v_lot.sku, 'code', v_lot.code, 'activity', p_activity_id) || jsonb_strip_nulls(p_payload), null, coalesce(p_site, v_lot.site));
  end if;
  perform private.remember(p_actor, p_request_id, to_jsonb(v_movement));
  return v_movement;
end $$;

create function private.part_to_move(p_balance public.production_lots, p_quantity numeric, p_part text)
returns numeric language plpgsql immutable set search_path = '' as $$
begin
  if p_part is null and p_balance.good > 0 and p_balance.good < p_balance.remaining and p_quantity < p_balance.remaining then
    perform private.fail(422, 'lot.which_part', 'Some of this lot is finished and some in process. Say which part is meant.', jsonb_build_object(
      'field', 'p_part', 'finished', trim_scale(p_balance.good), 'in_process', trim_scale(p_balance.remaining - p_balance.good)));
  elsif p_part is not null and p_part not in ('finished', 'in_process') then
    perform private.fail(422, 'lot.which_part', 'The part is finished or in_process.', jsonb_build_object('field', 'p_part', 'actual', p_part));
  end if;
  return case when p_part = 'in_process' then 0 when p_part = 'finished' then p_quantity else least(p_quantity, p_balance.good) end;
end $$;
comment on function private.part_to_move is 'How much of a quantity is finished pieces. Errors: lot.which_part (422).';

create function private.counted_lot(p_lot public.lots)
returns public.production_lots language plpgsql set search_path = '' as $$
declare
  v_balance public.production_lots := (select p from public.production_lots p where p.lot_id = p_lot.id);
begin
  if v_balance.is_counted is not true then
    perform private.fail(409, 'lot.not_counted', format('How much lot %s of %s holds was never counted. Receive it first.', p_lot.code, p_lot.sku),
      jsonb_build_object('lot', p_lot.code, 'sku', p_lot.sku));
  end if;
  return v_balance;
end $$;
comment on function private.counted_lot is 'The balance of a locked lot. Errors: lot.not_counted (409).';

create function public.receive_lot(
  p_sku text, p_code text, p_quantity numeric, p_supplier text default null, p_location text default null, p_notes text default null,
  p_request_id uuid default null)
returns public.lot_movement language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.move');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'receive_lot', jsonb_build_array(p_sku, p_code, p_quantity, p_supplier, p_location, p_notes));
  v_place public.locations;
  v_lot public.lots;
  v_activity public.trace_activities;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_movement, v_answer);
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  if p_location is not null then
    v_place := private.place(p_location);
    perform private.check_place(v_place, p_location);
  end if;
  perform private.refuse_lot_elsewhere(l, v_place.site) from public.lots l where lower(l.sku) = lower(p_sku) and lower(l.code) = lower(trim(p_code));
  v_lot := (public.upsert_lot(p_sku, p_code, null, p_supplier, p_notes, case when not exists (select from public.lots l
    where lower(l.sku) = lower(p_sku) and lower(l.code) = lower(trim(p_code))) then v_place.site end)).lot;   -- a lot of all sites stays one
  perform private.lock_lots(array[v_lot.id]);
  if exists (select from public.production_lots p where p.lot_id = v_lot.id and p.order_id is not null) then
    perform private.fail(409, 'lot.of_order', format('Lot %s is made by an order: its pieces are counted there.', v_lot.code), jsonb_build_object('lot', v_lot.code));
  end if;
  if p_location is not null then
    v_activity.txn_id := private.post_txn((private.item_to_move(v_lot.sku)).sku, v_place.code, 'receipt', p_quantity, 'lot', v_lot.code, null, v_actor);
    perform private.allocate(array[v_lot.sku], jsonb_build_object('event', 'lot.received', 'ref', v_lot.code));
  end if;
  v_activity.kind := 'receive';
  v_activity.actor_id := v_actor;
  return private.finish_movement(v_actor, p_request_id, private.book_activity(v_activity, '{}', array[row(v_lot.id, p_quantity, 0)::private.lot_part]),
    array[v_lot.id], 'lot.received', jsonb_build_object('quantity', trim_scale(p_quantity), 'location', v_place.code, 'txn_id', v_activity.txn_id), v_place.site);
end $$;
comment on function public.receive_lot is
$$So much of a lot came in; the lot is added when it is new. p_location: it goes on the shelf there; without it stock is not touched. It lies at
the site of the location, else at the only one of the caller (upsert_lot says another).
Permission: inventory.move, at the site of the location and of the lot.
Errors: item.unknown (404), stock.quantity (422), lot.of_order (409), lot.other_site (409), lot.on_hold (423), lot.removed (409), location.unknown (404), location.inactive (409), item.not_stocked (422), request.reused (422); constraints by name (lots_code_check …).
Idempotency: by p_request_id; without it each call adds.
Locks: the lot, then the item.$$;

create function public.split_lot(
  p_code text, p_quantity numeric, p_new_code text default null, p_sku text default null, p_part text default null, p_reason text default null,
  p_request_id uuid default null)
returns public.lot_movement language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.lots');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'split_lot', jsonb_build_array(p_code, p_quantity, p_new_code, p_sku, p_part, p_reason));
  v_lot public.lots;
  v_new public.lots;
  v_balance public.production_lots;
  v_activity public.trace_activities;
  v_good numeric;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_movement, v_answer);
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  perform private.check_length('p_reason', p_reason, 500);
  v_lot := private.find_lot(p_sku, p_code);
  perform private.authorize_lots(array[v_lot.id], 'production.lots');
  perform private.begin_genealogy();
  perform private.share_orders(array[v_lot.id]);
  perform private.lock_lots(array[v_lot.id]);
  v_balance := private.counted_lot(v_lot);
  v_good := private.part_to_move(v_balance, p_quantity, p_part);
  insert into public.lots (sku, code, kind, supplier, site, created_by)
  values (v_lot.sku, coalesce(trim(p_new_code), private.next_lot_code(v_lot)), case when v_lot.kind = 'FINISHED' and v_good < p_quantity then 'WIP' else v_lot.kind end,
    v_lot.supplier, v_lot.site, nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
  on conflict (sku, lower(code)) do nothing returning * into v_new;
  if v_new.id is null then
    perform private.fail(409, 'lot.exists', format('There is a lot %s of %s already. Choose another code.', trim(p_new_code), v_lot.sku),
      jsonb_build_object('field', 'p_new_code', 'lot', trim(p_new_code)));
  end if;
  insert into public.production_lots (lot_id, order_id) values (v_new.id, v_balance.order_id);
  perform private.link_lots(v_lot, v_new, p_quantity);
  v_activity.kind := 'split';
  v_activity.order_id := v_balance.order_id;
  v_activity.note := p_reason;
  v_activity.actor_id := v_actor;
  return private.finish_movement(v_actor, p_request_id, private.book_activity(v_activity, array[row(v_lot.id, p_quantity, v_good)::private.lot_part],
    array[row(v_new.id, p_quantity, v_good)::private.lot_part]), array[v_new.id, v_lot.id], 'lot.split',
    jsonb_build_object('from', v_lot.code, 'quantity', trim_scale(p_quantity), 'finished', trim_scale(v_good), 'reason', p_reason));
end $$;
comment on function public.split_lot is
$$So much of a lot becomes a lot of its own (p_new_code, else the code with -1, -2 …), made of the first one and of the same order. p_part finished or
in_process where the lot has both.
Permission: production.lots at the site of the lot; of a lot of an order, at its site and in its store.
Errors: lot.unknown (404), lot.ambiguous (409), lot.on_hold (423), lot.removed (409), lot.not_counted (409), lot.short (409), lot.exists (409), lot.which_part (422), stock.quantity (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it each call splits.
Locks: the genealogy (shared), its order (shared), the lot.$$;

create function private.next_lot_code(p_lot public.lots)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_n integer := 1;
begin
  while exists (select from public.lots l where l.sku = p_lot.sku and lower(l.code) = lower(left(p_lot.code, 70) || '-' || v_n)) loop
    v_n := v_n + 1;
  end loop;
  return left(p_lot.code, 70) || '-' || v_n;
end $$;

create function private.lots_to_merge(p_codes text[], p_sku text)
returns public.lots[] language plpgsql stable set search_path = '' as $$
declare
  v_lots public.lots[];
  v_lot public.lots;
  v_code text;
begin
  if coalesce(cardinality(p_codes), 0) not between 1 and 100 then
    perform private.fail(422, 'lot.merge', 'Name 1 to 100 lots that go into another one.', jsonb_build_object('field', 'p_codes'));
  end if;
  foreach v_code in array p_codes loop
    v_lot := private.find_lot(p_sku, v_code);
    v_lots := v_lots || v_lot;
  end loop;
  if (select count(distinct l.sku) > 1 or count(distinct l.id) < count(*) from unnest(v_lots) l) then
    perform private.fail(422, 'lot.merge', 'Only different lots of one item become one lot.', jsonb_build_object('field', 'p_codes',
      'skus', array(select distinct l.sku from unnest(v_lots) l order by 1)));
  end if;
  return v_lots;
end $$;

create function public.merge_lots(
  p_codes text[], p_into text, p_sku text default null, p_reason text default null, p_request_id uuid default null)
returns public.lot_movement language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.lots');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'merge_lots', jsonb_build_array(p_codes, p_into, p_sku, p_reason));
  v_lots public.lots[];
  v_into public.lots;
  v_parts private.lot_part[];
  v_activity public.trace_activities;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_movement, v_answer);
  end if;
  perform private.check_length('p_reason', p_reason, 500);
  v_lots := private.lots_to_merge(p_codes, p_sku);
  perform private.authorize_lots(array(select l.id from unnest(v_lots) l), 'production.lots');
  perform private.begin_genealogy();
  insert into public.lots (sku, code, kind, site, created_by)
  select v_lots[1].sku, trim(p_into), min(l.kind), min(l.site), nullif(v_actor, '00000000-0000-0000-0000-000000000000') from unnest(v_lots) l
  on conflict (sku, lower(code)) do nothing;
  select l.* into v_into from public.lots l where l.sku = v_lots[1].sku and lower(l.code) = lower(trim(p_into));
  perform private.authorize_lots(array[v_into.id], 'production.lots');
  perform private.share_orders(array(select l.id from unnest(v_lots) l) || v_into.id);
  perform private.refuse_lot_elsewhere(l, v_into.site) from unnest(v_lots) l;
  perform private.lock_lots(array(select l.id from unnest(v_lots) l union select v_into.id));
  v_parts := array(select row(l.id, p.remaining, p.good)::private.lot_part from unnest(v_lots) l cross join lateral private.counted_lot(l) p
    where l.id <> v_into.id and p.remaining > 0 order by l.id);
  if cardinality(v_parts) > 0 then
    v_activity.order_id := private.order_of_merged(v_into, v_parts);
    perform private.link_lots(l, v_into, p.quantity) from unnest(v_parts) p join public.lots l on l.id = p.lot_id;
    v_activity.kind := 'merge';
    v_activity.note := p_reason;
    v_activity.actor_id := v_actor;
    v_activity.id := private.book_activity(v_activity, v_parts, array(
      select row(v_into.id, sum(p.quantity), sum(p.good))::private.lot_part from unnest(v_parts) p));
  end if;
  return private.finish_movement(v_actor, p_request_id, v_activity.id, v_into.id || array(select p.lot_id from unnest(v_parts) p), 'lot.merged',
    jsonb_build_object('from', array(select l.code from unnest(v_parts) p join public.lots l on l.id = p.lot_id order by l.code),
      'quantity', (select trim_scale(sum(p.quantity)) from unnest(v_parts) p), 'reason', p_reason));
end $$;
comment on function public.merge_lots is
$$All that is left of lots of one item goes into one lot, p_into: a new one, or one that is there. Pieces in process merge within their order only.
Permission: production.lots at the site of the lots; of lots of orders, at their sites and in their stores.
Errors: lot.merge (422), lot.unknown (404), lot.ambiguous (409), lot.other_site (409), lot.on_hold (423), lot.removed (409), lot.not_counted (409), lot.other_order (409), request.too_long (422), request.reused (422); constraints by name (lots_code_check …).
Idempotency: by p_request_id; lots that are empty already answer changed = false.
Locks: the genealogy (shared), their orders (shared), the lots by id.$$;

create function private.order_of_merged(p_into public.lots, p_parts private.lot_part[])
returns bigint language plpgsql set search_path = '' as $$
declare
  v_into public.production_lots := (select p from public.production_lots p where p.lot_id = p_into.id);
  v_orders bigint[];
  v_in_process boolean;
begin
  select array_agg(distinct p.order_id), bool_or(p.order_id is not null and x.good < x.quantity) into v_orders, v_in_process
    from unnest(p_parts) x join public.production_lots p on p.lot_id = x.lot_id;
  if v_into.order_id is null and not v_into.is_counted and cardinality(v_orders) = 1 then
    update public.production_lots p set order_id = v_orders[1] where p.lot_id = p_into.id returning p.* into v_into;
  end if;
  if v_in_process and (cardinality(v_orders) > 1 or v_orders[1] is distinct from v_into.order_id) then
    perform private.fail(409, 'lot.other_order', 'Pieces in process stay in lots of their order. Finish them first.', jsonb_build_object('lot', p_into.code,
      'orders', array(select o.code from public.production_orders o where o.id = any (v_orders) order by 1)));
  end if;
  return case when cardinality(v_orders) = 1 then v_orders[1] end;
end $$;
comment on function private.order_of_merged is
  'A new lot that is merged of lots of one order is a lot of that order. Answers the order of the parts when it is one. Errors: lot.other_order (409).';
grant execute on function public.receive_lot, public.split_lot, public.merge_lots to authenticated, service_role;
