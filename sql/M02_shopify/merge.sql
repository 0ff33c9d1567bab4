-- One merge for webhook, replay and import. It writes what the customer ordered, and never what the floor did:
-- stage, assignee, storage and timestamps are in no statement of this file (but for a POS sale, which is born Complete).

create function private.ticket_suffix(p_n integer)
returns text language sql immutable set search_path = '' as $$
  select case when p_n <= 26 then chr(64 + p_n) else p_n::text end
$$;
comment on function private.ticket_suffix is 'A to Z, then 27, 28 …';

create function private.suffix_number(p_suffix text)
returns integer language sql immutable set search_path = '' as $$
  select case when p_suffix is null then 1 when p_suffix ~ '^[A-Z]$' then ascii(p_suffix) - 64 else p_suffix::integer end
$$;
comment on function private.suffix_number is 'Place of a suffix; a lone ticket without one counts as A.';

create function private.is_started(p_ticket public.orders)
returns boolean language sql immutable set search_path = '' as $$
  select p_ticket.stage <> 'Filling' or p_ticket.filling_started_at is not null
$$;

create function private.is_removed(p_ticket public.orders)
returns boolean language sql immutable set search_path = '' as $$
  select coalesce(p_ticket.cancelled_at is not null and p_ticket.cancel_reason = 'Removed by order edit'
    or p_ticket.pending_change ->> 'reason' = 'removed', false)
$$;
comment on function private.is_removed is 'The customer took this piece out of the order (the floor may still have to acknowledge it).';

-- Tickets ----------------------------------------------------------------------------------------------------------

create function private.write_ticket(p_old public.orders, p_new public.orders, p_event text, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_ticket public.orders;
  v_fields text[];
  v_shown text[];
begin
  select array_agg(o.key order by o.key) into v_fields
    from jsonb_each(to_jsonb(p_old)) o join jsonb_each(to_jsonb(p_new)) n on n.key = o.key where n.value <> o.value;
  if v_fields is null then
    return '[]';
  end if;
  update public.orders o set
    (customer_name, product_title, variant_title, sku, flavour, size, cake_writing, notes, accessories, delivery_method, currency,
     total_amount, due_date, due_time, priority, priority_is_manual, needs_review, pending_change, cancelled_at, cancel_reason) =
    (p_new.customer_name, p_new.product_title, p_new.variant_title, p_new.sku, p_new.flavour, p_new.size, p_new.cake_writing,
     p_new.notes, p_new.accessories, p_new.delivery_method, p_new.currency, p_new.total_amount, p_new.due_date, p_new.due_time,
     p_new.priority, p_new.priority_is_manual, p_new.needs_review, p_new.pending_change, p_new.cancelled_at, p_new.cancel_reason)
   where o.row_id = p_old.row_id returning o.* into v_ticket;
  -- Events are kept for ever, so what a customer may ask to forget is named in them, not quoted.
  v_shown := array(select f from unnest(v_fields) f where f not in ('customer_name', 'notes', 'cake_writing', 'pending_change'));
  perform private.emit('order', v_ticket.id, p_event, p_actor, jsonb_build_object(
    'version', v_ticket.version, 'stage', v_ticket.stage, 'fields', v_fields, 'reason', p_new.pending_change ->> 'reason',
    'before', (select coalesce(jsonb_object_agg(f, to_jsonb(p_old) -> f), '{}') from unnest(v_shown) f),
    'after', (select coalesce(jsonb_object_agg(f, to_jsonb(v_ticket) -> f), '{}') from unnest(v_shown) f)),
    v_ticket.store, null, 'channel:' || v_ticket.store);
  return jsonb_build_array(jsonb_build_object('id', v_ticket.id, 'event', p_event, 'fields', v_fields));
end $$;
comment on function private.write_ticket is 'Write the changed copy of a locked ticket with its event. Answers [{id, event, fields}], or [] when nothing differs.';

create function private.with_fields(p_ticket public.orders, p_fields jsonb)
returns public.orders language plpgsql stable set search_path = '' as $$
declare
  v_new public.orders := jsonb_populate_record(p_ticket, p_fields - 'priority');
begin
  if p_fields ? 'priority' then
    v_new.priority_is_manual := p_fields ->> 'priority' is not null;
    v_new.priority := coalesce((p_fields ->> 'priority')::public.priority_level, v_new.priority);
  end if;
  if p_fields ?| '{priority,due_date}' and not v_new.priority_is_manual then
    v_new.priority := private.priority_for(v_new.due_date, v_new.store);
  end if;
  return v_new;
end $$;
comment on function private.with_fields is 'The ticket with extracted fields; a new due date makes a new priority unless a person or a rule set one.';

create function private.edit_ticket(p_ticket public.orders, p_fields jsonb, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_quiet text[] := '{variant_title,sku,currency,total_amount,needs_review}';   -- nothing the floor must hear about
  v_later jsonb;
  v_new public.orders;
begin
  if p_ticket.source = 'pos' or p_ticket.cancelled_at is not null or p_fields = '{}' then
    return '[]';
  elsif not private.is_started(p_ticket) then
    return private.write_ticket(p_ticket, private.with_fields(p_ticket, p_fields), 'order.updated', p_actor);
  end if;
  v_new := private.with_fields(p_ticket, p_fields);
  v_later := coalesce(p_ticket.pending_change -> 'changes', '{}') || (p_fields - v_quiet - 'priority')
    || case when v_new.priority <> p_ticket.priority then jsonb_build_object('priority', v_new.priority) else '{}' end;
  select coalesce(jsonb_object_agg(c.key, c.value), '{}') into v_later
    from jsonb_each(v_later) c where c.value <> to_jsonb(p_ticket) -> c.key;
  v_new := private.with_fields(p_ticket, (
    select coalesce(jsonb_object_agg(f.key, f.value), '{}') from jsonb_each(p_fields) f where f.key = any (v_quiet)));
  if v_later <> coalesce(p_ticket.pending_change -> 'changes', '{}') then
    v_new.pending_change := case when v_later <> '{}' then jsonb_build_object('reason', 'edited', 'changes', v_later, 'at', now()) end;
  end if;
  return private.write_ticket(p_ticket, v_new,
    case when v_new.pending_change is distinct from p_ticket.pending_change then 'order.changed' else 'order.updated' end, p_actor);
end $$;
comment on function private.edit_ticket is
  'The customer changed fields. Work not begun follows; work begun keeps what it has and asks the floor (pending_change), with every open change in one.';

create function private.withdraw_ticket(p_ticket public.orders, p_reason text, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_new public.orders := p_ticket;
begin
  if p_ticket.source = 'pos' or p_ticket.cancelled_at is not null or p_ticket.pending_change ->> 'reason' = p_reason then
    return '[]';
  elsif private.is_started(p_ticket) then
    v_new.pending_change := jsonb_build_object('reason', p_reason, 'changes', '{}'::jsonb, 'at', now());
    return private.write_ticket(p_ticket, v_new, 'order.changed', p_actor);
  end if;
  v_new.pending_change := null;
  v_new.cancelled_at := now();
  v_new.cancel_reason := case p_reason when 'removed' then 'Removed by order edit' else 'Cancelled by the customer' end;
  return private.write_ticket(p_ticket, v_new, 'order.cancelled', p_actor);
end $$;
comment on function private.withdraw_ticket is 'The piece is no longer wanted (removed or cancelled): off the board before work began, else the floor must acknowledge it.';

create function private.next_suffix(p_head public.channel_orders, p_lone boolean)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_n integer;
begin
  select max(private.suffix_number(o.suffix)) into v_n
    from public.orders o where o.store = p_head.store and o.external_order_id = p_head.external_order_id;
  if v_n is null and p_lone then
    return null;
  end if;
  v_n := coalesce(v_n, 0) + 1;
  while exists (select 1 from public.orders o
                 where lower(o.id) = lower(p_head.store || '-' || p_head.order_number || '-' || private.ticket_suffix(v_n))) loop
    v_n := v_n + 1;
  end loop;
  return private.ticket_suffix(v_n);
end $$;
comment on function private.next_suffix is 'The next suffix of the order, never one that was given before. Null for the lone ticket of an order.';

create function private.add_ticket(p_head public.channel_orders, p_unit jsonb, p_first jsonb, p_lone boolean, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_suffix text := private.next_suffix(p_head, p_lone);
  v_seed public.orders;
  v_ticket public.orders;
begin
  v_seed.store := p_head.store;
  v_seed.priority_is_manual := false;
  v_seed := private.with_fields(v_seed, p_unit -> 'fields');
  insert into public.orders as o (id, store, source, external_order_id, line_item_id, unit_no, order_number, suffix, customer_name,
    product_title, variant_title, sku, flavour, size, cake_writing, notes, accessories, delivery_method, currency, total_amount,
    due_date, due_time, priority, priority_is_manual, needs_review, stage, packing_completed_at)
  values (concat_ws('-', p_head.store, p_head.order_number, v_suffix), p_head.store, p_head.source, p_head.external_order_id,
    p_unit ->> 'line_item_id', 1 + (select coalesce(max(t.unit_no), 0) from public.orders t where t.store = p_head.store
      and t.external_order_id = p_head.external_order_id and t.line_item_id = p_unit ->> 'line_item_id'),
    p_head.order_number, v_suffix, v_seed.customer_name, v_seed.product_title, v_seed.variant_title, v_seed.sku, v_seed.flavour, v_seed.size,
    v_seed.cake_writing, v_seed.notes, coalesce(p_first -> 'accessories', '[]'), v_seed.delivery_method, v_seed.currency,
    (p_first ->> 'total_amount')::numeric, v_seed.due_date, v_seed.due_time,
    coalesce(v_seed.priority, private.priority_for(v_seed.due_date, p_head.store)), v_seed.priority_is_manual, v_seed.needs_review,
    case p_head.source when 'pos' then 'Complete' else 'Filling' end::public.stage_type,
    case p_head.source when 'pos' then coalesce(p_head.external_created_at, now()) end)
  returning o.* into v_ticket;
  perform private.emit('order', v_ticket.id, 'order.created', p_actor, jsonb_build_object(
    'version', v_ticket.version, 'stage', v_ticket.stage, 'before', null, 'after', jsonb_build_object('source', v_ticket.source,
      'product_title', v_ticket.product_title, 'due_date', v_ticket.due_date, 'priority', v_ticket.priority, 'needs_review', v_ticket.needs_review)),
    v_ticket.store, null, 'channel:' || v_ticket.store);
  return jsonb_build_array(jsonb_build_object('id', v_ticket.id, 'event', 'order.created', 'fields', array['stage']));
end $$;
comment on function private.add_ticket is 'One more ticket of the order, with the accessories and the total when p_first is given. A POS sale is Complete from the start.';

-- Orders -----------------------------------------------------------------------------------------------------------

create function private.resize_line(p_head public.channel_orders, p_line_id text, p_unit jsonb, p_first jsonb, p_lone boolean, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_wanted integer := coalesce((p_unit ->> 'quantity')::integer, 0);
  v_have integer;
  v_ticket public.orders;
  v_new public.orders;
  v_changes jsonb := '[]';
begin
  select count(*) into v_have from public.orders o
   where o.store = p_head.store and o.external_order_id = p_head.external_order_id and o.line_item_id = p_line_id and not private.is_removed(o);
  for v_ticket in   -- pieces removed: first those cancelled here anyway, then work not begun, then the latest
    select * from public.orders o
     where o.store = p_head.store and o.external_order_id = p_head.external_order_id and o.line_item_id = p_line_id and not private.is_removed(o)
     order by o.cancelled_at is null, private.is_started(o), o.unit_no desc limit greatest(v_have - v_wanted, 0)
  loop
    v_changes := v_changes || private.withdraw_ticket(v_ticket, 'removed', p_actor);
  end loop;
  for v_ticket in   -- pieces wanted again before the floor acknowledged that they were removed
    select * from public.orders o
     where o.store = p_head.store and o.external_order_id = p_head.external_order_id and o.line_item_id = p_line_id
       and o.cancelled_at is null and private.is_removed(o)
     order by o.unit_no limit greatest(v_wanted - v_have, 0)
  loop
    v_new := v_ticket;
    v_new.pending_change := null;
    v_changes := v_changes || private.write_ticket(v_ticket, v_new, 'order.updated', p_actor);
    v_have := v_have + 1;
  end loop;
  for i in v_have + 1 .. v_wanted loop
    v_changes := v_changes || private.add_ticket(p_head, p_unit, case when not exists (
      select 1 from public.orders o where o.store = p_head.store and o.external_order_id = p_head.external_order_id
         and o.cancelled_at is null and not private.is_removed(o)) then p_first end, p_lone, p_actor);
  end loop;
  return v_changes;
end $$;
comment on function private.resize_line is 'As many tickets as the line has pieces now. What the floor itself cancelled counts as made: an edit never brings it back.';

create function private.place_extras(p_head public.channel_orders, p_first jsonb, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_ticket public.orders;
  v_extras jsonb := jsonb_build_object('accessories', p_first -> 'accessories', 'total_amount', (p_first ->> 'total_amount')::numeric(12, 2));
  v_fields jsonb;
  v_changes jsonb := '[]';
begin
  for v_ticket in
    select * from public.orders o
     where o.store = p_head.store and o.external_order_id = p_head.external_order_id and o.cancelled_at is null and not private.is_removed(o)
     order by private.suffix_number(o.suffix)
  loop
    select coalesce(jsonb_object_agg(e.key, e.value), '{}') into v_fields
      from jsonb_each(v_extras) e where e.value <> to_jsonb(v_ticket) -> e.key or v_ticket.pending_change -> 'changes' ? e.key;
    v_changes := v_changes || private.edit_ticket(v_ticket, v_fields, p_actor);
    v_extras := '{"accessories": [], "total_amount": null}';
  end loop;
  return v_changes;
end $$;
comment on function private.place_extras is 'Accessories and total on the first ticket that is still wanted, nowhere else.';

create function private.merge_units(p_head public.channel_orders, p_old jsonb, p_new jsonb, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_lone boolean := (select sum((u.item ->> 'quantity')::integer) = 1 from private.items(p_new -> 'units') u);
  v_line record;
  v_ticket public.orders;
  v_fields jsonb;
  v_changes jsonb := '[]';
begin
  perform 1 from public.orders o
    where o.store = p_head.store and o.external_order_id = p_head.external_order_id order by o.row_id for update;
  for v_line in
    select coalesce(u.id, t.line_item_id) as id, u.item, w.item -> 'fields' as old_fields
      from (select i.item, i.n, i.item ->> 'line_item_id' as id from private.items(p_new -> 'units') i) u
      full join (select distinct o.line_item_id from public.orders o
                  where o.store = p_head.store and o.external_order_id = p_head.external_order_id) t on t.line_item_id = u.id
      left join private.items(p_old -> 'units') w on w.item ->> 'line_item_id' = u.id
     order by u.n nulls last, t.line_item_id
  loop
    select coalesce(jsonb_object_agg(f.key, f.value), '{}') into v_fields
      from jsonb_each(v_line.item -> 'fields') f where v_line.old_fields is not null and f.value is distinct from v_line.old_fields -> f.key;
    for v_ticket in
      select * from public.orders o where o.store = p_head.store and o.external_order_id = p_head.external_order_id
         and o.line_item_id = v_line.id and not private.is_removed(o) order by o.unit_no
    loop
      v_changes := v_changes || private.edit_ticket(v_ticket, v_fields, p_actor);
    end loop;
    v_changes := v_changes || private.resize_line(p_head, v_line.id, v_line.item, p_new -> 'first', v_lone, p_actor);
  end loop;
  if v_changes <> '[]' or p_old -> 'first' is distinct from p_new -> 'first' then
    v_changes := v_changes || private.place_extras(p_head, p_new -> 'first', p_actor);
  end if;
  return v_changes;
end $$;
comment on function private.merge_units is
$$From the order as it was (p_old, null the first time) to the order as it is: [{id, event, fields}] of every ticket touched.
Three-way: only what the customer changed since p_old is changed, so what the floor corrected stays. Locks: the tickets, by row_id.$$;

create function private.free_number(p_store text, p_number text)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_number text := p_number;
begin
  for i in 2..1000 loop
    exit when not exists (select 1 from public.channel_orders c where c.store = p_store and lower(c.order_number) = lower(v_number))
      and not exists (select 1 from public.orders o
        where lower(o.id) in (lower(p_store || '-' || v_number), lower(p_store || '-' || v_number || '-A')));
    v_number := p_number || '.' || i;
  end loop;
  return v_number;
end $$;
comment on function private.free_number is 'The number, or number.2, number.3 … when another order of the store has it.';

create function private.lock_channel_order(p_store text, p_order jsonb)
returns public.channel_orders language plpgsql set search_path = '' as $$
declare
  v_head public.channel_orders;
begin
  loop
    select c.* into v_head from public.channel_orders c
     where c.store = p_store and c.external_order_id = p_order ->> 'external_id' for update;
    exit when found;
    -- A twin may take the order or its number meanwhile: either way it is waited for and looked at again.
    insert into public.channel_orders (store, external_order_id, source, order_number)
    values (p_store, p_order ->> 'external_id', p_order ->> 'source', private.free_number(p_store, p_order ->> 'number'))
    on conflict do nothing;
  end loop;
  return v_head;
end $$;
comment on function private.lock_channel_order is 'The order''s own row, locked: it serialises all merges of one order. merged_at is null when it is new.';

create function private.flag_units(p_extracted jsonb, p_reason text)
returns jsonb language sql immutable set search_path = '' as $$
  select jsonb_set(p_extracted, '{units}', coalesce(jsonb_agg(jsonb_set(u.item, '{fields,needs_review}',
      u.item #> '{fields,needs_review}' || to_jsonb(p_reason)) order by u.n), '[]'))
    from private.items(p_extracted -> 'units') u
$$;
comment on function private.flag_units is 'The extracted order with one more reason for review on every unit.';

create function private.apply_order(p_store text, p_order jsonb, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_old public.channel_orders := private.lock_channel_order(p_store, p_order);
  v_head public.channel_orders;
  v_at timestamptz := (p_order ->> 'updated_at')::timestamptz;
  v_hash text := md5((p_order - '{updated_at,created_at,cancelled_at}'::text[])::text || (p_order ->> 'cancelled_at' is null)::text);
  v_new jsonb;
  v_changes jsonb := '[]';
  v_ticket public.orders;
begin
  if v_at < v_old.external_updated_at then
    return jsonb_build_object('external_order_id', v_old.external_order_id, 'result', 'stale', 'changes', v_changes);
  elsif v_at = v_old.external_updated_at or v_at is null and v_hash = v_old.content_hash then
    return jsonb_build_object('external_order_id', v_old.external_order_id, 'result', 'unchanged', 'changes', v_changes);
  end if;
  v_new := private.extract_order(p_store, p_order);
  if (select sum((u.item ->> 'quantity')::integer) > 500 from private.items(v_new -> 'units') u) then
    perform private.fail(422, 'channel.too_many_units', 'An order may have at most 500 pieces.');
  end if;
  update public.channel_orders c
     set status = case when (p_order ->> 'is_test')::boolean then 'test' when p_order ->> 'cancelled_at' is not null then 'cancelled' else 'open' end,
         customer_name = p_order ->> 'customer_name', currency = p_order ->> 'currency', total_amount = (p_order ->> 'total')::numeric,
         external_created_at = (p_order ->> 'created_at')::timestamptz, external_updated_at = coalesce(v_at, c.external_updated_at),
         content_hash = v_hash, lines = p_order -> 'lines', extracted = v_new, merged_at = now()
   where c.store = p_store and c.external_order_id = v_old.external_order_id returning c.* into v_head;
  if v_head.status = 'cancelled' then
    for v_ticket in select * from public.orders o where o.store = p_store and o.external_order_id = v_head.external_order_id
      order by o.row_id for update
    loop
      v_changes := v_changes || private.withdraw_ticket(v_ticket, 'cancelled', p_actor);
    end loop;
  elsif v_head.status = 'open' then
    if v_old.merged_at is null and (p_order ->> 'is_fulfilled')::boolean and v_head.source <> 'pos' then
      v_new := private.flag_units(v_new, 'already_fulfilled');
    end if;
    v_changes := private.merge_units(v_head, v_old.extracted, v_new, p_actor);
  end if;
  return jsonb_build_object('external_order_id', v_head.external_order_id, 'changes', v_changes, 'result',
    case when v_head.status <> 'open' then v_head.status when v_old.merged_at is null then 'created' when v_changes = '[]' then 'unchanged' else 'updated' end);
end $$;

create function private.merge_order(p_store text, p_order jsonb, p_dry_run boolean default false, p_actor uuid default null)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_answer jsonb;
begin
  v_answer := private.apply_order(p_store, p_order, p_actor);
  if p_dry_run then
    raise exception using errcode = 'TKDRY', message = 'dry run';
  end if;
  return v_answer;
exception when sqlstate 'TKDRY' then
  return v_answer;   -- the variable outlives the subtransaction that is rolled back here
end $$;
comment on function private.merge_order is
$$The one way in for an order of a shop (normalised): {external_order_id, result, changes: [{id, event, fields}]}.
result: created, updated, unchanged, stale (older than what is known), cancelled, test. p_dry_run does it all and takes it back.
Errors: channel.too_many_units (422). Locks: the channel_orders row, then its tickets.$$;
