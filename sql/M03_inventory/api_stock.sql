create type public.stock_change as (
  changed boolean, txn_ids bigint[], event_id bigint, sku text, location text, balance numeric, on_hand numeric, reserved numeric, ats numeric,
  notices jsonb);
comment on type public.stock_change is
$$Answer of a stock command: did it move anything, the movements, its event; what lies at the location now, and on hand, promised and available
of the item over all free places. notices: [{code, message, details}] to show, or null.$$;

create function private.check_quantity(p_field text, p_quantity numeric, p_signed boolean default false)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_quantity is null or p_quantity = 0 or p_quantity < 0 and not p_signed or abs(p_quantity) > 1000000000
     or p_quantity = 'NaN' or p_quantity <> round(p_quantity, 3) then
    perform private.fail(422, 'stock.quantity', case when p_signed then 'Enter a quantity other than 0, with at most three decimals.'
      else 'Enter a quantity above 0, with at most three decimals.' end, jsonb_build_object('field', p_field, 'actual', p_quantity));
  end if;
end $$;
comment on function private.check_quantity is 'PT422 stock.quantity unless it is above 0 (or signed and not 0), at most a thousand million, in thousandths.';

create function private.check_reason(p_reason text)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if coalesce(trim(p_reason), '') = '' then
    perform private.fail(422, 'stock.reason_required', 'Say why.', jsonb_build_object('field', 'p_reason'));
  end if;
  perform private.check_length('p_reason', p_reason, 500);
end $$;

create function private.item_to_move(p_sku text, p_is_coming boolean default false)
returns public.inventory_items language plpgsql set search_path = '' as $$
declare
  v_item public.inventory_items := private.find_item(p_sku);
begin
  if not v_item.is_stocked then
    perform private.fail(422, 'item.not_stocked', v_item.title || ' is not kept in stock.', jsonb_build_object('sku', v_item.sku));
  elsif p_is_coming and not v_item.is_active then
    perform private.fail(409, 'item.inactive', v_item.title || ' is no longer in use.', jsonb_build_object('sku', v_item.sku));
  end if;
  return v_item;
end $$;
comment on function private.item_to_move is
  'The item, whatever the case of the SKU. Errors: item.unknown (404), item.not_stocked (422), item.inactive (409) when something comes in.';

create function private.finish_stock(
  p_actor uuid, p_request_id uuid, p_event text, p_sku text, p_place public.locations, p_txn_ids bigint[], p_payload jsonb default '{}',
  p_notices jsonb default null, p_skus text[] default null)
returns public.stock_change language plpgsql set search_path = '' as $$
declare
  v_change public.stock_change;
begin
  perform private.allocate(coalesce(p_skus, array[p_sku]), jsonb_build_object('event', p_event));
  select cardinality(p_txn_ids) > 0, p_txn_ids, null, s.sku, p_place.code, coalesce(b.on_hand, 0), s.on_hand, s.reserved, s.ats, p_notices
    into v_change
    from public.inventory_stock s left join public.inventory_balances b on b.sku = s.sku and b.location = p_place.code where s.sku = p_sku;
  v_change.event_id := private.emit('stock', p_sku, p_event, p_actor, jsonb_strip_nulls(p_payload) || jsonb_build_object('location', p_place.code,
    'txn_ids', p_txn_ids, 'on_hand', v_change.on_hand, 'ats', v_change.ats), null, p_place.site);
  perform private.remember(p_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function private.finish_stock is 'The end of a stock command: promises follow the stock (of p_skus, when it moved more than the one), the event, the answer kept for repeats.';

create function public.receive_stock(
  p_sku text, p_quantity numeric, p_location text default null, p_unit_cost numeric default null, p_ref text default null,
  p_reason text default null, p_request_id uuid default null)
returns public.stock_change language plpgsql security definer set search_path = '' as $$
declare
  v_place public.locations := private.place(p_location);
  v_actor uuid := private.authorize('inventory.move', null, v_place.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'receive_stock',
    jsonb_build_array(p_sku, p_quantity, p_location, p_unit_cost, p_ref, p_reason));
  v_item public.inventory_items;
  v_id bigint;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stock_change, v_answer);
  end if;
  perform private.check_place(v_place, p_location);
  perform private.check_quantity('p_quantity', p_quantity);
  perform private.check_length('p_ref', p_ref, 200);
  perform private.check_length('p_reason', p_reason, 500);
  v_item := private.item_to_move(p_sku, true);
  v_id := private.post_txn(v_item.sku, v_place.code, 'receipt', p_quantity, case when p_ref is not null then 'delivery' end, p_ref, p_reason,
    v_actor, coalesce(p_unit_cost, v_item.unit_cost));
  return private.finish_stock(v_actor, p_request_id, 'stock.received', v_item.sku, v_place, array[v_id],
    jsonb_build_object('quantity', p_quantity, 'ref', p_ref));
end $$;
comment on function public.receive_stock is
$$Goods came in. p_quantity in the item's uom, above 0; p_unit_cost per uom; p_ref: delivery note or purchase order; p_location: default place.
Permission: inventory.move at the site of the location.
Errors: item.unknown (404), item.not_stocked (422), item.inactive (409), location.unknown (404), location.required (422), location.inactive (409), stock.quantity (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call is another delivery.
Locks: the item, then the order lines it is promised to.$$;

create function private.move_stock(
  p_item public.inventory_items, p_kind text, p_quantity numeric, p_from public.locations, p_to public.locations, p_reason text, p_actor uuid)
returns bigint[] language plpgsql set search_path = '' as $$
declare
  v_out bigint := private.post_txn(p_item.sku, p_from.code, p_kind, -p_quantity, 'location', p_to.code, p_reason, p_actor);
begin
  return case when p_to.code is null then array[v_out]
    else array[v_out, private.post_txn(p_item.sku, p_to.code, p_kind, p_quantity, 'location', p_from.code, p_reason, p_actor)] end;
end $$;

create function public.issue_stock(
  p_sku text, p_quantity numeric, p_to text default null, p_from text default null, p_reason text default null, p_request_id uuid default null)
returns public.stock_change language plpgsql security definer set search_path = '' as $$
declare
  v_from public.locations := private.place(p_from);
  v_to public.locations;
  v_actor uuid := private.authorize('inventory.move', null, v_from.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'issue_stock', jsonb_build_array(p_sku, p_quantity, p_to, p_from, p_reason));
  v_item public.inventory_items;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stock_change, v_answer);
  end if;
  perform private.check_place(v_from, p_from);
  if p_to is not null then
    v_to := private.place(p_to);
    perform private.check_place(v_to, p_to);
    perform private.authorize('inventory.move', null, v_to.site);
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  perform private.check_length('p_reason', p_reason, 500);
  v_item := private.item_to_move(p_sku);
  return private.finish_stock(v_actor, p_request_id, 'stock.issued', v_item.sku, v_from,
    private.move_stock(v_item, 'issue', p_quantity, v_from, v_to, p_reason, v_actor),
    jsonb_build_object('quantity', p_quantity, 'to', p_to));
end $$;
comment on function public.issue_stock is
$$Stock is handed to work in progress: from a location (the default place) to p_to, where nobody else can be promised it; without p_to it is used up.
Permission: inventory.move at the sites of both locations.
Errors: item.unknown (404), item.not_stocked (422), location.unknown (404), location.required (422), location.inactive (409), stock.short (409), stock.quantity (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call issues again.
Locks: the item, then the order lines it is promised to.$$;

create function public.transfer_stock(
  p_sku text, p_quantity numeric, p_from text, p_to text, p_reason text default null, p_request_id uuid default null)
returns public.stock_change language plpgsql security definer set search_path = '' as $$
declare
  v_from public.locations := private.place(p_from);
  v_to public.locations := private.place(p_to);
  v_actor uuid := private.authorize('inventory.move', null, v_from.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'transfer_stock', jsonb_build_array(p_sku, p_quantity, p_from, p_to, p_reason));
  v_item public.inventory_items;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stock_change, v_answer);
  end if;
  perform private.authorize('inventory.move', null, v_to.site);
  perform private.check_place(v_from, p_from);
  perform private.check_place(v_to, p_to);
  if v_from.code = v_to.code then
    perform private.fail(422, 'stock.same_place', 'Choose another location to move it to.', jsonb_build_object('location', v_to.code));
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  perform private.check_length('p_reason', p_reason, 500);
  v_item := private.item_to_move(p_sku);
  return private.finish_stock(v_actor, p_request_id, 'stock.transferred', v_item.sku, v_to,
    private.move_stock(v_item, 'transfer', p_quantity, v_from, v_to, p_reason, v_actor),
    jsonb_build_object('quantity', p_quantity, 'from', v_from.code));
end $$;
comment on function public.transfer_stock is
$$Stock goes from one location to another; both movements in one command. Into or out of quarantine or work in progress it changes what is free.
Permission: inventory.move at the sites of both locations.
Errors: item.unknown (404), item.not_stocked (422), location.unknown (404), location.required (422), location.inactive (409), stock.same_place (422), stock.short (409), stock.quantity (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call moves again.
Locks: the item, then the order lines it is promised to.$$;

create function public.adjust_stock(
  p_sku text, p_quantity numeric, p_reason text default null, p_location text default null, p_request_id uuid default null)
returns public.stock_change language plpgsql security definer set search_path = '' as $$
declare
  v_place public.locations := private.place(p_location);
  v_actor uuid := private.authorize('inventory.adjust', null, v_place.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'adjust_stock', jsonb_build_array(p_sku, p_quantity, p_reason, p_location));
  v_item public.inventory_items;
  v_id bigint;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stock_change, v_answer);
  end if;
  perform private.check_place(v_place, p_location);
  perform private.check_quantity('p_quantity', p_quantity, true);
  perform private.check_reason(p_reason);
  v_item := private.item_to_move(p_sku);
  v_id := private.post_txn(v_item.sku, v_place.code, 'adjust', p_quantity, null, null, p_reason, v_actor);
  return private.finish_stock(v_actor, p_request_id, 'stock.adjusted', v_item.sku, v_place, array[v_id],
    jsonb_build_object('quantity', p_quantity, 'reason', p_reason));
end $$;
comment on function public.adjust_stock is
$$Correct the stock by so much, up or down, and say why. p_quantity is the difference, not the new figure: what others move meanwhile stays right.
Permission: inventory.adjust at the site of the location.
Errors: item.unknown (404), item.not_stocked (422), location.unknown (404), location.required (422), location.inactive (409), stock.short (409), stock.quantity (422), stock.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call adjusts again.
Locks: the item, then the order lines it is promised to.$$;

create function public.scrap_stock(
  p_sku text, p_quantity numeric, p_reason text default null, p_location text default null, p_request_id uuid default null)
returns public.stock_change language plpgsql security definer set search_path = '' as $$
declare
  v_place public.locations := private.place(p_location);
  v_actor uuid := private.authorize('inventory.move', null, v_place.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'scrap_stock', jsonb_build_array(p_sku, p_quantity, p_reason, p_location));
  v_item public.inventory_items;
  v_id bigint;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stock_change, v_answer);
  end if;
  perform private.check_place(v_place, p_location);
  perform private.check_quantity('p_quantity', p_quantity);
  perform private.check_reason(p_reason);
  v_item := private.item_to_move(p_sku);
  v_id := private.post_txn(v_item.sku, v_place.code, 'scrap', -p_quantity, null, null, p_reason, v_actor);
  return private.finish_stock(v_actor, p_request_id, 'stock.scrapped', v_item.sku, v_place, array[v_id],
    jsonb_build_object('quantity', p_quantity, 'reason', p_reason));
end $$;
comment on function public.scrap_stock is
$$Thrown away: so much is gone, and why.
Permission: inventory.move at the site of the location.
Errors: item.unknown (404), item.not_stocked (422), location.unknown (404), location.required (422), location.inactive (409), stock.short (409), stock.quantity (422), stock.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call scraps again.
Locks: the item, then the order lines it is promised to.$$;

create function public.reverse_stock(p_txn_ids bigint[], p_reason text default null, p_request_id uuid default null)
returns public.stock_change language plpgsql security definer set search_path = '' as $$
declare
  v_txn public.inventory_txn := (select t from public.inventory_txn t where t.id = any (p_txn_ids) order by t.id limit 1);
  v_place public.locations := private.place(coalesce(v_txn.location, ''));
  v_actor uuid := private.authorize('inventory.adjust', null, v_place.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'reverse_stock', jsonb_build_array(p_txn_ids, p_reason));
  v_ids bigint[];
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stock_change, v_answer);
  elsif (select count(*) from public.inventory_txn t where t.id = any (p_txn_ids)) <> coalesce(cardinality(p_txn_ids), 0) or v_txn.id is null then
    perform private.fail(404, 'stock.unknown', 'There is no such movement.', jsonb_build_object('ids', p_txn_ids));
  elsif exists (select 1 from public.inventory_txn t where t.id = any (p_txn_ids) and (t.sku <> v_txn.sku or t.reverses is not null
      or t.batch_id is not null or t.kind not in ('receipt', 'issue', 'transfer', 'adjust', 'scrap') or t.ref_stream not in ('location', 'delivery')))
     or (select sum(t.quantity) <> 0 from public.inventory_txn t where t.id = any (p_txn_ids) and t.ref_stream = 'location' and t.ref_id is not null) then
    perform private.fail(409, 'stock.not_reversible', 'Only a whole movement made by hand can be taken back here: both sides of a transfer, '
      || 'and nothing that belongs to an order, a count, an import or a print.', jsonb_build_object('ids', p_txn_ids));
  end if;
  perform private.authorize('inventory.adjust', null, l.site) from public.locations l
    where l.code in (select t.location from public.inventory_txn t where t.id = any (p_txn_ids));
  perform private.check_reason(p_reason);
  perform private.lock_stock(array[v_txn.sku]);
  if exists (select 1 from public.inventory_txn t where t.reverses = any (p_txn_ids)) then
    perform private.fail(409, 'stock.reversed', 'This movement was taken back already.', jsonb_build_object('ids', p_txn_ids));
  end if;
  v_ids := array(
    select private.post_txn(x.sku, x.location, x.kind, -x.quantity, x.ref_stream, x.ref_id, p_reason, v_actor, x.unit_cost, null, x.id)
      from (select t.* from public.inventory_txn t where t.id = any (p_txn_ids) order by t.quantity desc) x);
  return private.finish_stock(v_actor, p_request_id, 'stock.reversed', v_txn.sku, v_place, v_ids,
    jsonb_build_object('reverses', p_txn_ids, 'reason', p_reason));
end $$;
comment on function public.reverse_stock is
$$Take back one command made by hand (receive, issue, transfer, adjust, scrap): p_txn_ids as its answer named them, all of them.
Permission: inventory.adjust at the sites of the locations.
Errors: stock.unknown (404), stock.not_reversible (409), stock.reversed (409), stock.short (409), stock.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a movement is taken back once.
Locks: the item, then the order lines it is promised to.$$;

grant execute on function public.receive_stock, public.issue_stock, public.transfer_stock, public.adjust_stock, public.scrap_stock,
  public.reverse_stock to authenticated, service_role;
