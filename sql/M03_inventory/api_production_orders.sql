create type public.production_change as (
  changed boolean, event_id bigint, order_row public.production_orders, fulfillment_status text, lines jsonb);
comment on type public.production_change is
  'Answer of a command on a production order: did it change anything, its event, the order now, has it its parts, lines [{line, sku, needed, allocated, consumed}].';

-- One command on one order: begin_production → change → finish_production.

create type private.production_command as (actor uuid, request_id uuid, answer jsonb, order_row public.production_orders);

create function private.find_production(p_permission text, p_code text)
returns private.production_command language plpgsql stable set search_path = '' as $$
declare
  v_found private.production_command;
begin
  v_found.order_row := (select o from public.production_orders o where o.code = p_code);
  v_found.actor := private.authorize(p_permission, (v_found.order_row).store, (v_found.order_row).site);
  if (v_found.order_row).id is null then
    perform private.fail(404, 'production.unknown', 'There is no production order ' || coalesce(p_code, '') || '.', jsonb_build_object('code', p_code));
  end if;
  return v_found;
end $$;
comment on function private.find_production is
  'The order with this code, and who asks: with this permission at its site and in its store. Errors: those of authorize, production.unknown (404).';

create function private.begin_production(p_permission text, p_code text, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.production_command language plpgsql set search_path = '' as $$
declare
  v_command private.production_command := private.find_production(p_permission, p_code);
begin
  v_command.request_id := p_request_id;
  v_command.answer := private.replay(v_command.actor, p_request_id, p_rpc, p_args);
  if v_command.answer is null then
    v_command.order_row := private.lock_production((v_command.order_row).id);
  end if;
  return v_command;
end $$;
comment on function private.begin_production is
$$Guard, replay and lock for a command on one production order. answer is set when this is a repeat.
Errors: those of authorize, production.unknown (404), request.reused (422). Locks: those of lock_production.$$;

create function private.lock_production(p_order_id bigint)
returns public.production_orders language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders;
begin
  select o.* into v_order from public.production_orders o where o.id = p_order_id for update;
  perform private.lock_stock(private.order_skus(p_order_id));
  return v_order;
end $$;
comment on function private.lock_production is
  'An order that is changed, cancelled or shipped. Locks: its row, then all its items, by SKU. M12_production replaces it: also what is made again for it.';

create function private.refuse_closed(p_order public.production_orders)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_order.status in ('CLOSED', 'CANCELLED') then
    perform private.fail(409, 'production.closed', format('The order %s is %s.', p_order.code, lower(p_order.status)),
      jsonb_build_object('code', p_order.code, 'status', p_order.status));
  end if;
end $$;

create function private.refuse_routed(p_order public.production_orders)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_order.is_routed then
    perform private.fail(409, 'production.routed', format('%s is made step by step: its state follows from what is reported there.', p_order.code),
      jsonb_build_object('code', p_order.code, 'actual', p_order.status));
  end if;
end $$;

create function private.finish_production(p_command private.production_command, p_event text, p_payload jsonb default '{}')
returns public.production_change language plpgsql set search_path = '' as $$
declare
  v_change public.production_change;
begin
  if p_command.answer is not null then
    return jsonb_populate_record(null::public.production_change, p_command.answer);
  end if;
  v_change.order_row := (select o from public.production_orders o where o.id = (p_command.order_row).id);
  if p_event is not null then
    perform private.allocate(private.order_skus((v_change.order_row).id), jsonb_build_object('event', p_event, 'ref', (v_change.order_row).code));
    v_change.event_id := private.emit('production_order', (v_change.order_row).code, p_event, p_command.actor,
      p_payload || jsonb_build_object('version', (v_change.order_row).version), (v_change.order_row).store, (v_change.order_row).site);
  end if;
  perform private.settle_fulfilments(array(select f.id from public.order_fulfilments f   -- for the answer; all its items are locked
    where f.production_order_id = (v_change.order_row).id));
  select p_event is not null, f.fulfillment_status, (
      select jsonb_agg(jsonb_build_object('line', l.line, 'sku', l.sku, 'needed', trim_scale(l.needed),
        'allocated', trim_scale(l.allocated), 'consumed', trim_scale(l.consumed)) order by l.line)
        from public.order_part_allocations l where l.fulfilment_id = f.id)
    into v_change.changed, v_change.fulfillment_status, v_change.lines
    from public.order_fulfilments f where f.production_order_id = (v_change.order_row).id;
  perform private.remember(p_command.actor, p_command.request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function private.finish_production is 'Allocates, emits the event (null: nothing was changed) and answers.';

create function private.lines_of_new_order(p_product_sku text, p_lines jsonb)
returns table (sku text, quantity numeric) language plpgsql set search_path = '' as $$
begin
  if p_lines is null and p_product_sku is null or p_lines is not null and (jsonb_typeof(p_lines) <> 'array'
     or jsonb_array_length(p_lines) not between 1 and 200 or exists (select 1 from jsonb_array_elements(p_lines) i
       where jsonb_typeof(i -> 'sku') is distinct from 'string' or jsonb_typeof(i -> 'quantity') is distinct from 'number'
         or (i ->> 'quantity')::numeric not between 0.001 and 99999999)) then
    perform private.fail(422, 'production.lines', 'Name a product, or 1 to 200 lines like {"sku": "BRACKET", "quantity": 2}.',
      jsonb_build_object('field', 'p_lines'));
  elsif p_lines is not null then
    return query select (private.find_item(i ->> 'sku')).sku, sum((i ->> 'quantity')::numeric)
      from jsonb_array_elements(p_lines) i group by 1 order by 1;
    return;
  end if;
  return query select e.sku, sum(e.quantity) from private.explode(p_product_sku, 1) e where not e.is_optional group by e.sku order by e.sku;
  if not found then
    return query select p_product_sku, 1::numeric;   -- sold or kept as it is
  end if;
end $$;
comment on function private.lines_of_new_order is
  'Per piece: the given lines, else what the product is made of, else the product itself. Errors: production.lines (422), item.unknown (404).';

create function private.caller_site(p_site text, p_store text)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_who private.identity;
  v_sites text[];
begin
  if p_site is not null or p_store is not null then
    return coalesce(p_site, (select st.site from public.stores st where st.code = p_store));
  end if;
  v_who := private.identify();
  v_sites := array(select si.code from public.sites si where private.works_at(v_who, si.code));
  return case when cardinality(v_sites) = 1 then v_sites[1] end;
end $$;
comment on function private.caller_site is 'The site named, else that of the store, else the only one where the caller works.';

create function public.create_production_order(
  p_product_sku text default null, p_quantity numeric default 1, p_lines jsonb default null, p_priority text default 'normal',
  p_due_date date default null, p_code text default null, p_site text default null, p_store text default null,
  p_type text default 'PRODUCTION', p_source text default 'manual', p_external_id text default null, p_notes text default null,
  p_request_id uuid default null)
returns public.production_change language plpgsql security definer set search_path = '' as $$
declare
  v_site text := private.caller_site(p_site, p_store);
  v_actor uuid := private.authorize('production.plan', p_store, v_site);
  v_command private.production_command;
  v_order public.production_orders;
  v_product text;
begin
  v_command := row(v_actor, p_request_id, private.replay(v_actor, p_request_id, 'create_production_order', jsonb_build_array(p_product_sku,
    p_quantity, p_lines, p_priority, p_due_date, p_code, p_site, p_store, p_type, p_source, p_external_id, p_notes)), null)::private.production_command;
  if v_command.answer is not null then
    return private.finish_production(v_command, null);
  elsif not exists (select 1 from public.sites s where s.code = v_site) then
    perform private.fail(404, 'site.unknown', 'Say at which site it is made.', jsonb_build_object('site', v_site));
  end if;
  perform private.check_production_quantity(p_quantity);
  v_product := case when p_product_sku is not null then (private.find_item(p_product_sku)).sku end;
  perform 1 from private.lines_of_new_order(v_product, p_lines);   -- speaks before the order is there
  insert into public.production_orders as o (code, site, store, type, source, external_id, product_sku, quantity, priority, due_date, notes, created_by)
  values (coalesce(p_code, 'P-' || nextval('private.production_order_seq')), v_site, p_store, p_type, p_source, p_external_id, v_product,
    p_quantity, p_priority, p_due_date, p_notes, nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
  on conflict do nothing returning o.* into v_order;
  if v_order.id is null then
    v_command.order_row := (select o from public.production_orders o where o.source = p_source and o.external_id = p_external_id);
    if (v_command.order_row).id is null then
      perform private.fail(409, 'production.exists', 'There is a production order ' || p_code || ' already.', jsonb_build_object('code', p_code));
    end if;
    return private.finish_production(v_command, null);   -- delivered before
  end if;
  v_command.order_row := v_order;
  insert into public.production_order_lines (order_id, line, sku, quantity)
  select v_order.id, row_number() over (order by l.sku), l.sku, l.quantity from private.lines_of_new_order(v_product, p_lines) l;
  perform private.lock_stock(private.order_skus(v_order.id));
  perform private.write_production_lines(v_order);
  return private.finish_production(v_command, 'production.created', jsonb_build_object('product_sku', v_product,
    'quantity', p_quantity, 'priority', p_priority, 'due_date', p_due_date));
end $$;
comment on function public.create_production_order is
$$Something is to be made. Its parts are p_lines ([{sku, quantity}] per piece), else what the product is made of, else the product itself;
it gets them at once as far as they are there. p_type PRODUCTION, or REPLENISHMENT (for stock: waits behind all others). p_priority critical,
rush or normal. Without p_code P-1, P-2 …; without p_site that of the store or the caller's only one.
Permission: production.plan at the site and in the store.
Errors: site.unknown (404), item.unknown (404), production.lines (422), production.quantity (422), production.exists (409), request.reused (422).
Idempotency: by p_request_id, and by (p_source, p_external_id): delivered again it answers changed = false.
Locks: the items, by SKU.$$;

create function private.check_production_quantity(p_quantity numeric)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_quantity is null or p_quantity not between 0.001 and 999999 then
    perform private.fail(422, 'production.quantity', 'The quantity is more than 0 and at most 999999.',
      jsonb_build_object('field', 'p_quantity', 'actual', p_quantity));
  end if;
end $$;

create function public.update_production_order(
  p_code text, p_priority text default null, p_quantity numeric default null, p_due_date date default null,
  p_clear_due_date boolean default false, p_notes text default null, p_version integer default null, p_request_id uuid default null)
returns public.production_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.production_command := private.begin_production('production.plan', p_code, p_request_id, 'update_production_order',
    jsonb_build_array(p_code, p_priority, p_quantity, p_due_date, p_clear_due_date, p_notes, p_version));
  v_old public.production_orders := v_command.order_row;
  v_new public.production_orders;
  v_used record;
begin
  if v_command.answer is not null then
    return private.finish_production(v_command, null);
  end if;
  perform private.refuse_closed(v_old);
  if p_version is not null and p_version <> v_old.version then
    perform private.fail(409, 'production.stale', 'Somebody changed this order meanwhile. Look at it again.',
      jsonb_build_object('expected', p_version, 'actual', v_old.version));
  elsif p_quantity is not null then
    perform private.check_production_quantity(p_quantity);
    select l.sku, l.consumed, o.quantity * p_quantity as needed into v_used
      from public.order_part_allocations l join public.production_order_lines o on o.order_id = l.production_order_id and o.line = l.line
     where l.production_order_id = v_old.id and o.quantity * p_quantity < l.consumed order by l.line limit 1;
    if found then
      perform private.fail(422, 'production.below_used', format('%s of %s are used already.', trim_scale(v_used.consumed), v_used.sku),
        jsonb_build_object('sku', v_used.sku, 'consumed', trim_scale(v_used.consumed), 'needed', trim_scale(v_used.needed)));
    end if;
  end if;
  if (coalesce(p_priority, v_old.priority), coalesce(p_quantity, v_old.quantity), coalesce(p_notes, v_old.notes, ''))
     = (v_old.priority, v_old.quantity, coalesce(v_old.notes, ''))
     and (case when p_clear_due_date then null else coalesce(p_due_date, v_old.due_date) end) is not distinct from v_old.due_date then
    return private.finish_production(v_command, null);
  end if;
  update public.production_orders o
     set priority = coalesce(p_priority, o.priority), quantity = coalesce(p_quantity, o.quantity), notes = coalesce(p_notes, o.notes),
         due_date = case when p_clear_due_date then null else coalesce(p_due_date, o.due_date) end
   where o.id = v_old.id returning o.* into v_new;
  perform private.write_production_lines(v_new);
  return private.finish_production(v_command, 'production.changed', jsonb_build_object(
    'before', jsonb_build_object('priority', v_old.priority, 'quantity', v_old.quantity, 'due_date', v_old.due_date),
    'after', jsonb_build_object('priority', v_new.priority, 'quantity', v_new.quantity, 'due_date', v_new.due_date)));
end $$;
comment on function public.update_production_order is
$$Change priority, quantity, due date or notes (null: as it is). Parts are promised anew at once: a better priority takes them from worse
orders, a smaller quantity gives some back. p_version: what the screen showed.
Permission: production.plan at its site and in its store.
Errors: production.unknown (404), production.closed (409), production.stale (409), production.quantity (422), production.below_used (422), request.reused (422).
Idempotency: by p_request_id; the same values again answer changed = false.
Locks: the order with what is made again for it, by id; then their items, by SKU.$$;

create function public.cancel_production_order(p_code text, p_reason text default null, p_request_id uuid default null)
returns public.production_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.production_command := private.begin_production('production.plan', p_code, p_request_id, 'cancel_production_order',
    jsonb_build_array(p_code, p_reason));
  v_order public.production_orders := v_command.order_row;
begin
  if v_command.answer is not null or v_order.status = 'CANCELLED' then
    return private.finish_production(v_command, null);
  end if;
  perform private.refuse_closed(v_order);
  perform private.check_reason(p_reason);
  update public.production_orders o set status = 'CANCELLED', cancelled_at = now(), cancel_reason = p_reason where o.id = v_order.id;
  perform private.close_production_lines(v_order.id);
  update public.order_fulfilments f set fulfillment_status = 'unfulfilled', fulfilled_at = null where f.production_order_id = v_order.id;
  return private.finish_production(v_command, 'production.cancelled', jsonb_build_object('reason', p_reason));
end $$;
comment on function public.cancel_production_order is
$$The order is off. What was promised to it goes to the next in the queue at once; nothing is consumed. What was shipped before stays used.
Permission: production.plan at its site and in its store.
Errors: production.unknown (404), production.closed (409), stock.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; cancelled before, it answers changed = false.
Locks: the order with what is made again for it, by id; then their items, by SKU.$$;

create function public.ship_production_order(p_code text, p_allow_partial boolean default false, p_request_id uuid default null)
returns public.production_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.production_command := private.begin_production('production.ship', p_code, p_request_id, 'ship_production_order',
    jsonb_build_array(p_code, p_allow_partial));
  v_order public.production_orders := v_command.order_row;
  v_missing jsonb;
begin
  if v_command.answer is not null or v_order.status = 'CLOSED' then
    return private.finish_production(v_command, null);
  end if;
  perform private.refuse_closed(v_order);
  perform private.refuse_routed(v_order);
  select jsonb_agg(jsonb_build_object('sku', l.sku, 'missing', trim_scale(l.needed - l.allocated - l.consumed)) order by l.line)
      filter (where l.allocated + l.consumed < l.needed) into v_missing
    from public.order_part_allocations l where l.production_order_id = v_order.id
  having not (p_allow_partial and sum(l.allocated) > 0);
  if v_missing is not null then
    perform private.fail(409, 'production.short', 'Parts are missing: ' || (v_missing -> 0 ->> 'missing') || ' of ' || (v_missing -> 0 ->> 'sku') || '.',
      jsonb_build_object('missing', v_missing));
  end if;
  perform private.use_promised(l.id, l.allocated, v_order.site, 'production_order', p_code, 'Shipped', v_command.actor)
     from public.order_part_allocations l
    where l.production_order_id = v_order.id and l.allocated > 0
      and not (v_order.type = 'REPLENISHMENT' and l.sku = v_order.product_sku)   -- made for the shelf: it stays there
    order by l.sku;
  if not exists (select 1 from public.order_part_allocations l
    where l.production_order_id = v_order.id and l.allocated + l.consumed < l.needed) then
    perform private.close_production_lines(v_order.id);
    update public.production_orders o set status = 'CLOSED', closed_at = now() where o.id = v_order.id;
  else
    update public.production_orders o set status = 'OPEN_PARTIAL' where o.id = v_order.id;
  end if;
  return private.finish_production(v_command, 'production.shipped', jsonb_build_object('partial', p_allow_partial));
end $$;
comment on function public.ship_production_order is
$$The order leaves: the parts promised to it are used up and its stock goes down. p_allow_partial ships what is there and keeps the rest open.
An order for stock (REPLENISHMENT) of the part itself uses nothing: its parts are free from now on. One that is made step by step is not shipped: its
parts left stock as sets, and it closes by itself.
Permission: production.ship at its site and in its store.
Errors: production.unknown (404), production.closed (409), production.routed (409), production.short (409), stock.short (409), request.reused (422).
Idempotency: by p_request_id; shipped before, it answers changed = false.
Locks: the order with what is made again for it, by id; then their items, by SKU.$$;

grant execute on function public.create_production_order, public.update_production_order, public.cancel_production_order,
  public.ship_production_order to authenticated, service_role;
