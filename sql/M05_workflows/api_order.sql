create function public.set_storage(p_order_id text, p_storage text default null, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.order_command := private.begin_order('orders.complete_stage', p_order_id, p_request_id, 'set_storage',
    jsonb_build_array(p_order_id, p_storage));
  v_new public.orders := v_command.ticket;
  v_places jsonb;
begin
  if v_command.answer is not null or v_new.storage is not distinct from p_storage then
    return private.finish_order(v_command, private.unchanged(v_new));
  end if;
  v_places := private.setting('storage.locations', v_new.store);
  if p_storage is not null and not v_places ? p_storage then
    perform private.fail(422, 'order.unknown_storage', 'There is no storage place called ' || p_storage || '.',
      jsonb_build_object('actual', p_storage, 'expected', v_places));
  end if;
  v_new.storage := p_storage;
  return private.finish_order(v_command, private.save_order(v_command.ticket, v_new, 'order.stored', v_command.actor));
end $$;
comment on function public.set_storage is
$$Where the ticket's work waits: one of the setting storage.locations; null takes it out.
Permission: orders.complete_stage in the order's store.
Errors: order.unknown (404), order.unknown_storage (422), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the order row.$$;

create function public.set_priority(p_order_id text, p_priority public.priority_level default null, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.order_command := private.begin_order('orders.set_priority', p_order_id, p_request_id, 'set_priority',
    jsonb_build_array(p_order_id, p_priority));
  v_new public.orders := v_command.ticket;
begin
  if v_command.answer is null then
    v_new.priority_is_manual := p_priority is not null;
    v_new.priority := coalesce(p_priority, private.priority_for(v_new.due_date, v_new.store));
  end if;
  if v_command.answer is not null or (v_new.priority, v_new.priority_is_manual)
     = ((v_command.ticket).priority, (v_command.ticket).priority_is_manual) then
    return private.finish_order(v_command, private.unchanged(v_new));
  end if;
  return private.finish_order(v_command, private.save_order(v_command.ticket, v_new, 'order.priority', v_command.actor,
    jsonb_build_object('reason', case when p_priority is null then 'automatic' else 'manual' end)));
end $$;
comment on function public.set_priority is
$$Fix the priority by hand (High, Medium, Low); null lets the due date decide again.
Permission: orders.set_priority in the order's store.
Errors: order.unknown (404), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the order row.$$;

create function private.check_due_date(p_due date, p_store text)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_due is null then
    return;
  elsif not private.setting('due_dates.allowed_days', p_store) ? lower(to_char(p_due, 'FMDy')) then
    perform private.fail(422, 'order.due_date_blocked', 'Nothing is due on that weekday here.',
      jsonb_build_object('field', 'p_due_date', 'actual', p_due, 'expected', private.setting('due_dates.allowed_days', p_store)));
  elsif private.setting('due_dates.blackout_dates', p_store) ? p_due::text then
    perform private.fail(422, 'order.due_date_blocked', 'That day is closed for deliveries.',
      jsonb_build_object('field', 'p_due_date', 'actual', p_due));
  end if;
end $$;
comment on function private.check_due_date is 'PT422 order.due_date_blocked on a weekday that is not allowed or a blackout date of the store.';

create function public.set_due_date(
  p_order_id text, p_due_date date default null, p_due_time text default null, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.order_command := private.begin_order('orders.edit', p_order_id, p_request_id, 'set_due_date',
    jsonb_build_array(p_order_id, p_due_date, p_due_time));
  v_new public.orders := v_command.ticket;
begin
  if v_command.answer is not null
     or v_new.due_date is not distinct from p_due_date and v_new.due_time is not distinct from p_due_time then
    return private.finish_order(v_command, private.unchanged(v_new));
  end if;
  perform private.check_due_date(p_due_date, v_new.store);
  perform private.check_length('p_due_time', p_due_time, 100);
  v_new.due_date := p_due_date;
  v_new.due_time := p_due_time;
  if not v_new.priority_is_manual then
    v_new.priority := private.priority_for(p_due_date, v_new.store);
  end if;
  return private.finish_order(v_command, private.save_order(v_command.ticket, v_new, 'order.due_date', v_command.actor));
end $$;
comment on function public.set_due_date is
$$Change the plant-calendar day (and time window) an order is due; the priority follows unless it was set by hand.
Permission: orders.edit in the order's store.
Errors: order.unknown (404), order.due_date_blocked (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the order row.$$;

create function public.update_order_core(
  p_order_id text, p_version integer, p_customer_name text default null, p_product_title text default null,
  p_flavour text default null, p_size text default null, p_cake_writing text default null, p_notes text default null,
  p_delivery_method text default null, p_item_qty integer default null, p_accessories jsonb default null,
  p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.order_command := private.begin_order('orders.edit', p_order_id, p_request_id, 'update_order_core',
    jsonb_build_array(p_order_id, p_version, p_customer_name, p_product_title, p_flavour, p_size, p_cake_writing, p_notes,
      p_delivery_method, p_item_qty, p_accessories));
  v_old public.orders := v_command.ticket;
  v_new public.orders := v_command.ticket;
begin
  if v_command.answer is not null then
    return private.finish_order(v_command, null);
  elsif p_version is distinct from v_old.version then
    perform private.fail(409, 'order.stale', 'Somebody changed this order meanwhile. Look again before you save.',
      jsonb_build_object('expected', v_old.version, 'actual', p_version));
  end if;
  perform private.check_length(f.field, f.value, 2000) from (values ('p_customer_name', p_customer_name), ('p_product_title', p_product_title),
    ('p_flavour', p_flavour), ('p_size', p_size), ('p_cake_writing', p_cake_writing), ('p_notes', p_notes)) as f (field, value);
  perform private.check_length('p_accessories', p_accessories::text, 20000);
  v_new.customer_name := case when p_customer_name is null then v_old.customer_name else nullif(p_customer_name, '') end;
  v_new.product_title := coalesce(nullif(p_product_title, ''), v_old.product_title);
  v_new.flavour := case when p_flavour is null then v_old.flavour else nullif(p_flavour, '') end;
  v_new.size := case when p_size is null then v_old.size else nullif(p_size, '') end;
  v_new.cake_writing := case when p_cake_writing is null then v_old.cake_writing else nullif(p_cake_writing, '') end;
  v_new.notes := case when p_notes is null then v_old.notes else nullif(p_notes, '') end;
  v_new.delivery_method := case when p_delivery_method is null then v_old.delivery_method else nullif(p_delivery_method, '') end;
  v_new.item_qty := coalesce(p_item_qty, v_old.item_qty);
  v_new.accessories := coalesce(p_accessories, v_old.accessories);
  if v_new is not distinct from v_old then
    return private.finish_order(v_command, private.unchanged(v_old));
  end if;
  return private.finish_order(v_command, private.save_order(v_old, v_new, 'order.edited', v_command.actor));
end $$;
comment on function public.update_order_core is
$$Edit what the ticket says. Null leaves a field alone, an empty text clears it (never the title). p_version is the version the form showed.
Permission: orders.edit in the order's store.
Errors: order.unknown (404), order.stale (409), request.too_long (422), request.reused (422); constraints by name (orders_delivery_method_check …).
Idempotency: by p_request_id; unchanged values answer changed = false.
Locks: the order row.$$;

create function public.cancel_order(p_order_id text, p_reason text default null, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.order_command := private.begin_order('orders.cancel', p_order_id, p_request_id, 'cancel_order',
    jsonb_build_array(p_order_id, p_reason));
  v_new public.orders := v_command.ticket;
begin
  if v_command.answer is not null or v_new.cancelled_at is not null then
    return private.finish_order(v_command, private.unchanged(v_new));
  elsif coalesce(trim(p_reason), '') = '' then
    perform private.fail(422, 'order.reason_required', 'Say why it is cancelled.', jsonb_build_object('field', 'p_reason'));
  elsif v_new.stage = 'Complete' then
    perform private.fail(409, 'order.closed', 'This order is finished; it can no longer be cancelled.', jsonb_build_object('id', p_order_id, 'stage', v_new.stage));
  end if;
  perform private.check_length('p_reason', p_reason, 500);
  v_new.cancelled_at := now();
  v_new.cancel_reason := p_reason;
  v_new.assignee_id := null;
  v_new.pending_change := null;
  return private.finish_order(v_command, private.save_order(v_command.ticket, v_new, 'order.cancelled', v_command.actor,
    jsonb_build_object('reason', p_reason)));
end $$;
comment on function public.cancel_order is
$$The order is off: it leaves the board where it stands and consumes nothing. What was reserved for it is released.
Permission: orders.cancel in the order's store.
Errors: order.unknown (404), order.reason_required (422), order.closed (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the order row.$$;

grant execute on function public.set_storage, public.set_priority, public.set_due_date, public.update_order_core, public.cancel_order
  to authenticated;
