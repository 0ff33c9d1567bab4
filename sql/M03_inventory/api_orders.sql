create type public.order_stock_answer as (order_id text, changed boolean, moved jsonb, notices jsonb);
comment on type public.order_stock_answer is
$$What a command did to the stock of a ticket. moved: [{order_id, sku, location, quantity}], negative = taken. notices: [{code, message, details}]
to show, or null.$$;

create function private.begin_order_stock(p_order_id text)
returns public.orders language plpgsql set search_path = '' as $$
declare
  v_ticket public.orders;
begin
  select o.* into v_ticket from public.orders o where o.id = p_order_id for update;
  if v_ticket.row_id is null then
    perform private.fail(404, 'order.unknown', 'There is no order ' || coalesce(p_order_id, '') || '.', jsonb_build_object('id', p_order_id));
  end if;
  return v_ticket;
end $$;
comment on function private.begin_order_stock is 'The ticket, locked before any item. Errors: order.unknown (404).';

create function private.order_stock_event(p_ticket public.orders, p_event text, p_moved jsonb, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
begin
  if p_moved <> '[]' then
    perform private.emit('order', p_ticket.id, p_event, p_actor, jsonb_build_object('version', p_ticket.version, 'moved', p_moved), p_ticket.store);
  end if;
end $$;

create function public.deduct_on_order_create(p_order_id text, p_request_id uuid default null)
returns public.order_stock_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.deduct');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'deduct_on_order_create', jsonb_build_array(p_order_id));
  v_ticket public.orders;
  v_moved jsonb;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.order_stock_answer, v_answer);
  end if;
  v_ticket := private.begin_order_stock(p_order_id);
  insert into private.order_stock (row_id) values (v_ticket.row_id)
  on conflict on constraint order_stock_pkey do update set only_plan = false;
  v_moved := private.settle(array[v_ticket.row_id], v_actor);
  perform private.order_stock_event(v_ticket, 'stock.deducted', v_moved, v_actor);
  v_answer := to_jsonb(row(p_order_id, v_moved <> '[]', v_moved, null)::public.order_stock_answer);
  perform private.remember(v_actor, p_request_id, v_answer);
  return jsonb_populate_record(null::public.order_stock_answer, v_answer);
end $$;
comment on function public.deduct_on_order_create is
$$A ticket takes from the shelf what the deduction rules say: accessories, ready products. Orders of stores that track stock do it by themselves as
they come in; the worker calls this for one that could not. What runs short goes below zero, unless the item forbids it.
Permission: inventory.deduct (service only).
Errors: order.unknown (404), stock.short (409), request.reused (422).
Idempotency: by p_request_id, and by the ledger: what was taken already is not taken again.
Locks: the order row, then the items by SKU.$$;

create function public.restock_order(p_order_id text, p_reason text default null, p_request_id uuid default null)
returns public.order_stock_answer language plpgsql security definer set search_path = '' as $$
declare
  v_store text := (select o.store from public.orders o where o.id = p_order_id);
  v_actor uuid := private.authorize('inventory.adjust', v_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'restock_order', jsonb_build_array(p_order_id, p_reason));
  v_ticket public.orders;
  v_moved jsonb;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.order_stock_answer, v_answer);
  end if;
  v_ticket := private.begin_order_stock(p_order_id);
  perform private.check_length('p_reason', p_reason, 500);
  insert into private.order_stock as s (row_id, restocked_at) values (v_ticket.row_id, now())
  on conflict on constraint order_stock_pkey do update set restocked_at = coalesce(s.restocked_at, now()), only_plan = false;
  v_moved := private.settle(array[v_ticket.row_id], v_actor, p_reason);
  perform private.order_stock_event(v_ticket, 'stock.restocked', v_moved, v_actor);
  v_answer := to_jsonb(row(p_order_id, v_moved <> '[]', v_moved, null)::public.order_stock_answer);
  perform private.remember(v_actor, p_request_id, v_answer);
  return jsonb_populate_record(null::public.order_stock_answer, v_answer);
end $$;
comment on function public.restock_order is
$$Put back what a ticket took from the shelf when it arrived, to where it was. From then on edits of the order move nothing. Components that a
completed stage consumed are used and stay used. A cancelled order is restocked by itself.
Permission: inventory.adjust in the order's store.
Errors: order.unknown (404), request.too_long (422), request.reused (422).
Idempotency: by p_request_id, and by the ledger: what was put back is not put back again.
Locks: the order row, then the items by SKU.$$;

create function public.consume_order_stage(p_order_id text, p_stage public.stage_type, p_request_id uuid default null)
returns public.order_stock_answer language plpgsql security definer set search_path = '' as $$
declare
  v_store text := (select o.store from public.orders o where o.id = p_order_id);
  v_actor uuid := private.authorize('inventory.move', v_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'consume_order_stage', jsonb_build_array(p_order_id, p_stage));
  v_ticket public.orders;
  v_since bigint;
  v_notices jsonb;
  v_moved jsonb;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.order_stock_answer, v_answer);
  end if;
  v_ticket := private.begin_order_stock(p_order_id);
  if v_ticket.cancelled_at is not null then
    perform private.fail(409, 'order.cancelled', 'This order is cancelled.', jsonb_build_object('id', p_order_id));
  elsif v_ticket.stage <= p_stage or p_stage = 'Complete' then
    perform private.fail(409, 'order.wrong_stage', format('%s is not completed yet.', p_stage),
      jsonb_build_object('expected', p_stage, 'actual', v_ticket.stage));
  end if;
  select coalesce(max(t.id), 0) into v_since from public.inventory_txn t where t.ref_stream = 'order' and t.ref_id = p_order_id;
  v_notices := private.consume_stage(v_ticket, p_stage, v_actor);
  select coalesce(jsonb_agg(jsonb_build_object('order_id', p_order_id, 'sku', t.sku, 'location', t.location, 'quantity', t.quantity)), '[]')
    into v_moved from public.inventory_txn t where t.ref_stream = 'order' and t.ref_id = p_order_id and t.id > v_since;
  perform private.order_stock_event(v_ticket, 'stock.consumed', v_moved, v_actor);
  v_answer := to_jsonb(row(p_order_id, v_moved <> '[]', v_moved, v_notices)::public.order_stock_answer);
  perform private.remember(v_actor, p_request_id, v_answer);
  return jsonb_populate_record(null::public.order_stock_answer, v_answer);
end $$;
comment on function public.consume_order_stage is
$$Take the components of a stage that was completed when some were missing: now they are there. All that are needed, or none.
Permission: inventory.move in the order's store.
Errors: order.unknown (404), order.cancelled (409), order.wrong_stage (409), stock.components_short (409), request.reused (422).
Idempotency: by p_request_id; a stage consumes once, a repeat answers changed = false.
Locks: the order row, then the items by SKU.$$;

create function public.consume_bom(
  p_sku text, p_quantity numeric, p_location text default null, p_produce boolean default false, p_reason text default null,
  p_request_id uuid default null)
returns public.stock_change language plpgsql security definer set search_path = '' as $$
declare
  v_place public.locations := private.place(p_location);
  v_actor uuid := private.authorize('inventory.move', null, v_place.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'consume_bom', jsonb_build_array(p_sku, p_quantity, p_location, p_produce, p_reason));
  v_item public.inventory_items;
  v_needs jsonb;
  v_missing jsonb;
  v_ids bigint[];
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stock_change, v_answer);
  end if;
  perform private.check_place(v_place, p_location);
  perform private.check_quantity('p_quantity', p_quantity);
  perform private.check_length('p_reason', p_reason, 500);
  v_item := private.find_item(p_sku);
  if p_produce then
    v_item := private.item_to_move(p_sku, true);
  end if;
  perform private.lock_stock(array(select e.sku from private.explode(v_item.sku, p_quantity) e) || case when p_produce then v_item.sku end);
  v_needs := private.bom_needs(v_item.sku, p_quantity, v_place.code);
  if v_needs = '[]' then
    perform private.fail(422, 'bom.none', v_item.title || ' has no bill of materials.', jsonb_build_object('sku', v_item.sku));
  end if;
  v_missing := private.shortage(private.must_have(v_needs));
  if v_missing is not null then
    perform private.fail(409, 'stock.components_short', 'Components are missing: ' || (v_missing -> 0 ->> 'message'),
      jsonb_build_object('missing', v_missing));
  end if;
  v_ids := array(select private.post_txn(n.item ->> 'sku', v_place.code, 'consume', -(n.item ->> 'needed')::numeric, 'item', v_item.sku, p_reason, v_actor)
    from jsonb_array_elements(v_needs) n (item) where (n.item ->> 'needed')::numeric <= (n.item ->> 'there')::numeric order by n.item ->> 'sku');
  if p_produce then
    v_ids := v_ids || private.post_txn(v_item.sku, v_place.code, 'produce', p_quantity, null, null, p_reason, v_actor, v_item.unit_cost);
  end if;
  return private.finish_stock(v_actor, p_request_id, 'stock.consumed', v_item.sku, v_place, v_ids,
    jsonb_build_object('quantity', p_quantity, 'produced', p_produce), private.shortage(v_needs),
    array(select n.item ->> 'sku' from jsonb_array_elements(v_needs) n (item)) || v_item.sku);
end $$;
comment on function public.consume_bom is
$$Use up the components of so many pieces at a location: all that are needed or none, an optional one that is missing is left out and told in
notices. p_produce books the finished pieces in as well.
Permission: inventory.move at the site of the location.
Errors: item.unknown (404), item.not_stocked (422), item.inactive (409), bom.none (422), stock.components_short (409) with what is missing, location.unknown (404), location.required (422), location.inactive (409), stock.quantity (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call consumes again.
Locks: the items, by SKU.$$;

create function private.bom_needs(p_sku text, p_quantity numeric, p_location text)
returns jsonb language sql stable set search_path = '' as $$
  with needs as (
    select e.sku, sum(e.quantity) filter (where not e.is_optional) as must, sum(e.quantity) filter (where e.is_optional) as may
      from private.explode(p_sku, p_quantity) e group by e.sku
  ), lines as (
    select n.sku, x.needed, coalesce(b.on_hand, 0) - x.before as there, x.is_optional
      from needs n left join public.inventory_balances b on b.sku = n.sku and b.location = p_location
     cross join lateral (values (n.must, 0, false), (n.may, coalesce(n.must, 0), true)) as x (needed, before, is_optional)
     where x.needed > 0
  )
  select coalesce(jsonb_agg(jsonb_build_object('sku', l.sku, 'needed', trim_scale(l.needed), 'there', trim_scale(l.there),
    'is_optional', l.is_optional) order by l.sku, l.is_optional), '[]') from lines l
$$;
comment on function private.bom_needs is 'What so many pieces need and what lies at the location: [{sku, needed, there, is_optional}].';

grant execute on function public.deduct_on_order_create to service_role;
grant execute on function public.restock_order, public.consume_order_stage, public.consume_bom to authenticated, service_role;
