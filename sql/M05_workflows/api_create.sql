create function private.default_due_date(p_store text)
returns date language plpgsql stable set search_path = '' as $$
declare
  v_day date := private.plant_day(p_store) + (private.setting('due_dates.default_days', p_store) #>> '{}')::integer;
  v_days jsonb := private.setting('due_dates.allowed_days', p_store);
  v_closed jsonb := private.setting('due_dates.blackout_dates', p_store);
begin
  for i in 0..400 loop
    if v_days ? lower(to_char(v_day + i, 'FMDy')) and not v_closed ? (v_day + i)::text then
      return v_day + i;
    end if;
  end loop;
  return null;
end $$;
comment on function private.default_due_date is 'The first open day at or after today + due_dates.default_days, in the plant''s calendar.';

create function public.create_manual_order(
  p_store text, p_product_title text, p_quantity integer default 1, p_customer_name text default null,
  p_flavour text default null, p_size text default null, p_cake_writing text default null, p_notes text default null,
  p_delivery_method text default null, p_due_date date default null, p_due_time text default null, p_request_id uuid default null)
returns setof public.orders language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('orders.create', p_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'create_manual_order', jsonb_build_array(p_store, p_product_title, p_quantity,
    p_customer_name, p_flavour, p_size, p_cake_writing, p_notes, p_delivery_method, p_due_date, p_due_time));
  v_due date := coalesce(p_due_date, private.default_due_date(p_store));
  v_number text;
  v_orders jsonb := '[]';
  v_order public.orders;
begin
  if v_answer is null then
    if coalesce(trim(p_product_title), '') = '' then
      perform private.fail(422, 'order.title_required', 'Say what is to be made.', jsonb_build_object('field', 'p_product_title'));
    elsif coalesce(p_quantity, 0) not between 1 and 100 then
      perform private.fail(422, 'order.quantity', 'Between 1 and 100 pieces at a time.', jsonb_build_object('field', 'p_quantity', 'actual', p_quantity));
    elsif not exists (select 1 from public.stores st where st.code = p_store and st.is_active) then
      perform private.fail(404, 'store.unknown', 'There is no store ' || coalesce(p_store, '') || '.', jsonb_build_object('store', p_store));
    end if;
    perform private.check_length(f.field, f.value, 2000) from (values ('p_product_title', p_product_title), ('p_customer_name', p_customer_name),
      ('p_flavour', p_flavour), ('p_size', p_size), ('p_cake_writing', p_cake_writing), ('p_notes', p_notes), ('p_due_time', p_due_time)) as f (field, value);
    perform private.check_due_date(p_due_date, p_store);
    insert into private.order_counters as c (store, last_number) values (p_store, 1)
    on conflict on constraint order_counters_pkey do update set last_number = c.last_number + 1
    returning 'M' || c.last_number into v_number;
    for v_unit in 1..p_quantity loop
      insert into public.orders as o (id, store, source, order_number, line_item_id, unit_no, suffix, product_title, customer_name,
        flavour, size, cake_writing, notes, delivery_method, due_date, due_time, priority)
      values (p_store || '-' || v_number || case when p_quantity > 1 then '-' || private.ticket_suffix(v_unit) else '' end, p_store, 'manual',
        v_number, '1', v_unit, case when p_quantity > 1 then private.ticket_suffix(v_unit) end, p_product_title, p_customer_name,
        p_flavour, p_size, p_cake_writing, p_notes, p_delivery_method, v_due, p_due_time, private.priority_for(v_due, p_store))
      returning o.* into v_order;
      perform private.emit('order', v_order.id, 'order.created', v_actor,
        jsonb_build_object('version', v_order.version, 'stage', v_order.stage), p_store);
      v_orders := v_orders || to_jsonb(v_order);
    end loop;
    perform private.remember(v_actor, p_request_id, v_orders);
  end if;
  return query select o.* from jsonb_populate_recordset(null::public.orders, coalesce(v_answer, v_orders)) o;
end $$;
comment on function public.create_manual_order is
$$An order taken by hand: one ticket per piece, number M1, M2 … of the store, ids with -A, -B … when there are several.
Without p_due_date the first open day after the setting due_dates.default_days.
Permission: orders.create in the store.
Errors: store.unknown (404), order.title_required (422), order.quantity (422), order.due_date_blocked (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call is a new order.
Locks: the store's order counter.$$;

create function public.acknowledge_order_change(p_order_id text, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.order_command := private.begin_order('orders.acknowledge', p_order_id, p_request_id, 'acknowledge_order_change',
    jsonb_build_array(p_order_id));
  v_new public.orders := v_command.ticket;
  v_pending jsonb := (v_command.ticket).pending_change;
begin
  if v_command.answer is not null or v_pending is null then
    return private.finish_order(v_command, private.unchanged(v_new));
  end if;
  v_new := private.with_changes(v_new, coalesce(v_pending -> 'changes', '{}'));
  v_new.pending_change := null;
  if v_pending ->> 'reason' in ('cancelled', 'removed') then
    v_new.cancelled_at := now();
    v_new.cancel_reason := case v_pending ->> 'reason' when 'removed' then 'Removed by order edit' else 'Cancelled by the customer' end;
    v_new.assignee_id := null;
  end if;
  return private.finish_order(v_command, private.save_order(v_command.ticket, v_new, 'order.change_acknowledged', v_command.actor,
    jsonb_build_object('change', v_pending)));
end $$;
comment on function public.acknowledge_order_change is
$$The floor has read the change that arrived after work began: the ticket takes it over (or leaves the board, for a cancellation).
Permission: orders.acknowledge in the order's store.
Errors: order.unknown (404), request.reused (422).
Idempotency: by p_request_id; without a pending change it answers changed = false.
Locks: the order row.$$;

create function private.with_changes(p_order public.orders, p_changes jsonb)
returns public.orders language sql stable set search_path = '' as $$
  select jsonb_populate_record(p_order, (
    select coalesce(jsonb_object_agg(c.key, c.value), '{}') from jsonb_each(p_changes) c
     where c.key in ('customer_name', 'product_title', 'flavour', 'size', 'cake_writing', 'notes', 'accessories', 'delivery_method',
       'due_date', 'due_time', 'priority')))
$$;
comment on function private.with_changes is 'The ticket with new values {field: value}, for the fields an order edit may touch; never a floor field.';

create function public.mark_reviewed(p_order_id text, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.order_command := private.begin_order('orders.edit', p_order_id, p_request_id, 'mark_reviewed', jsonb_build_array(p_order_id));
  v_new public.orders := v_command.ticket;
begin
  if v_command.answer is not null or v_new.needs_review = '{}' then
    return private.finish_order(v_command, private.unchanged(v_new));
  end if;
  v_new.needs_review := '{}';
  return private.finish_order(v_command, private.save_order(v_command.ticket, v_new, 'order.reviewed', v_command.actor));
end $$;
comment on function public.mark_reviewed is
$$A person has looked at the reasons in needs_review and the ticket may be made.
Permission: orders.edit in the order's store.
Errors: order.unknown (404), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the order row.$$;

create function public.register_station(
  p_code text, p_name text, p_site text, p_store text default null, p_stage public.stage_type default null,
  p_is_active boolean default true, p_request_id uuid default null)
returns public.stations language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('stations.manage', p_store, p_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'register_station',
    jsonb_build_array(p_code, p_name, p_site, p_store, p_stage, p_is_active));
  v_station public.stations;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stations, v_answer);
  end if;
  select s.* into v_station from public.stations s where s.code = p_code for update;
  perform private.authorize('stations.manage', v_station.store, v_station.site);   -- who takes one over must have had it
  if not exists (select 1 from public.sites s where s.code = p_site) then
    perform private.fail(404, 'site.unknown', 'There is no site ' || coalesce(p_site, '') || '.', jsonb_build_object('site', p_site));
  end if;
  insert into public.stations as s (code, name, site, store, stage, is_active) values (p_code, p_name, p_site, p_store, p_stage, p_is_active)
  on conflict on constraint stations_pkey do update
    set name = excluded.name, site = excluded.site, store = excluded.store, stage = excluded.stage, is_active = excluded.is_active
  returning s.* into v_station;
  perform private.emit('station', p_code, 'station.registered', v_actor, to_jsonb(v_station), p_store, p_site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_station));
  return v_station;
end $$;
comment on function public.register_station is
$$Add or change a place of work. With a stage or a store it takes only tickets of that stage or store.
Permission: stations.manage at the site and in the store.
Errors: site.unknown (404), request.reused (422).
Idempotency: by p_request_id; the same values again change nothing.
Locks: the station row.$$;

grant execute on function public.create_manual_order, public.acknowledge_order_change, public.mark_reviewed, public.register_station
  to authenticated;
