create function private.cursor_of(p_keys jsonb)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return translate(encode(convert_to(p_keys::text, 'UTF8'), 'base64'), E'\n', '');
end $$;

create function private.keys_of(p_cursor text, p_count integer)
returns jsonb language plpgsql immutable set search_path = '' as $$
declare
  v_keys jsonb;
begin
  if p_cursor is null then
    return null;
  end if;
  v_keys := convert_from(decode(p_cursor, 'base64'), 'UTF8')::jsonb;
  if jsonb_typeof(v_keys) = 'array' and jsonb_array_length(v_keys) = p_count then
    return v_keys;
  end if;
  perform private.fail(400, 'request.bad_cursor', 'This is not a cursor of this list.', jsonb_build_object('actual', p_cursor));
  return null;
exception when invalid_parameter_value or character_not_in_repertoire or invalid_text_representation then
  perform private.fail(400, 'request.bad_cursor', 'This is not a cursor of this list.', jsonb_build_object('actual', p_cursor));
  return null;
end $$;
comment on function private.keys_of is 'The keys in a cursor that private.cursor_of made; PT400 request.bad_cursor for anything else.';

create type private.queue_filter as (
  stores text[], stage public.stage_type, assignee_id uuid, is_unassigned boolean, search text,
  priority public.priority_level, storage text);

create function private.matches(p_order public.orders, p_filter private.queue_filter)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return not p_order.is_test
    and (p_filter.assignee_id is null or p_order.assignee_id = p_filter.assignee_id)
    and (not p_filter.is_unassigned or p_order.assignee_id is null)
    and (p_filter.priority is null or p_order.priority = p_filter.priority)
    and (p_filter.storage is null or p_order.storage = p_filter.storage)
    and (p_filter.search is null or position(lower(p_filter.search) in lower(concat_ws(' ', p_order.id, p_order.customer_name,
      p_order.product_title, p_order.flavour, p_order.size, p_order.cake_writing, p_order.notes))) > 0);
end $$;
comment on function private.matches is 'The part of a queue filter that no index serves; the rest stands in the statements, where the partial indexes are.';

create type private.keyed_order as (ticket public.orders, keys jsonb);

create function private.open_page(p_filter private.queue_filter, p_after jsonb, p_limit integer)
returns setof private.keyed_order language plpgsql stable set search_path = '' as $$
begin
  return query
    select o, jsonb_build_array(o.priority, k.first, k.second, coalesce(o.due_date, 'infinity'), o.id)
      from public.orders o
     cross join lateral (select
       case p_filter.stage when 'Filling' then coalesce(o.flavour, '') when 'Packing' then coalesce(o.size, '')
         when 'Covering' then o.product_title when 'Decorating' then o.product_title else '' end,
       case p_filter.stage when 'Filling' then lpad(o.order_number, 20, '0') when 'Covering' then coalesce(o.size, '')
         when 'Decorating' then coalesce(o.size, '') else '' end) as k (first, second)
     where o.stage <> 'Complete' and o.cancelled_at is null and o.store = any (p_filter.stores)
       and (p_filter.stage is null or o.stage = p_filter.stage) and private.matches(o, p_filter)
       and (p_after is null or (o.priority, k.first, k.second, coalesce(o.due_date, 'infinity'), o.id)
         > ((p_after ->> 0)::public.priority_level, p_after ->> 1, p_after ->> 2, (p_after ->> 3)::date, p_after ->> 4))
     order by o.priority, k.first, k.second, coalesce(o.due_date, 'infinity'), o.id
     limit p_limit;
end $$;
comment on function private.open_page is 'Open tickets: priority; Filling flavour, number; Covering, Decorating product, size; Packing size; then due date, id.';

create function private.complete_page(p_filter private.queue_filter, p_after jsonb, p_limit integer)
returns setof private.keyed_order language plpgsql stable set search_path = '' as $$
begin
  return query
    select o, jsonb_build_array(o.packing_completed_at, o.row_id, null, null, null) from public.orders o
     where o.stage = 'Complete' and o.cancelled_at is null and o.store = any (p_filter.stores) and private.matches(o, p_filter)
       and (p_after is null or (o.packing_completed_at, o.row_id) < ((p_after ->> 0)::timestamptz, (p_after ->> 1)::uuid))
     order by o.packing_completed_at desc, o.row_id desc
     limit p_limit;
end $$;
comment on function private.complete_page is 'Finished tickets, newest first.';

create function private.queue_total(p_filter private.queue_filter)
returns bigint language plpgsql stable set search_path = '' as $$
begin
  if p_filter.stage = 'Complete' then
    return (select count(*) from public.orders o where o.stage = 'Complete' and o.cancelled_at is null
      and o.store = any (p_filter.stores) and private.matches(o, p_filter));
  end if;
  return (select count(*) from public.orders o where o.stage <> 'Complete' and o.cancelled_at is null
    and o.store = any (p_filter.stores) and (p_filter.stage is null or o.stage = p_filter.stage) and private.matches(o, p_filter));
end $$;

create function private.queue_page(p_filter private.queue_filter, p_cursor text, p_limit integer, p_with_total boolean)
returns public.queue_page language plpgsql stable set search_path = '' as $$
declare
  v_after jsonb := private.keys_of(p_cursor, 5);
  v_limit integer := least(greatest(coalesce(p_limit, 50), 1), 500);
  v_page public.queue_page;
  v_keys jsonb[];
begin
  if p_filter.stage = 'Complete' then
    select array_agg((c).ticket), array_agg((c).keys) into v_page.orders, v_keys
      from private.complete_page(p_filter, v_after, v_limit + 1) c;
  else
    select array_agg((c).ticket), array_agg((c).keys) into v_page.orders, v_keys
      from private.open_page(p_filter, v_after, v_limit + 1) c;
  end if;
  if cardinality(v_page.orders) > v_limit then
    v_page.orders := v_page.orders[1:v_limit];
    v_page.next_cursor := private.cursor_of(v_keys[v_limit]);
  end if;
  v_page.orders := coalesce(v_page.orders, '{}');
  if p_with_total then
    v_page.total := private.queue_total(p_filter);
  end if;
  return v_page;
end $$;
comment on function private.queue_page is
  'One page in one order over all stores asked for. The limit is for the page, not per store.';

create function private.stores_asked(p_store text)
returns text[] language plpgsql stable set search_path = '' as $$
begin
  perform private.authorize('orders.read', p_store);
  return case when p_store is null then private.readable_stores('orders.read') else array[p_store] end;
end $$;

create function public.get_queue(
  p_store text default null, p_stage public.stage_type default null, p_assignee_id uuid default null, p_search text default null,
  p_priority public.priority_level default null, p_storage text default null, p_cursor text default null,
  p_limit integer default 50, p_with_total boolean default false)
returns public.queue_page language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('orders.read', p_store);
  return private.queue_page(row(private.stores_asked(p_store), p_stage, p_assignee_id, false, nullif(trim(p_search), ''),
    p_priority, p_storage)::private.queue_filter, p_cursor, p_limit, p_with_total);
end $$;
comment on function public.get_queue is
$$The work queue: tickets in the order in which they should be done, over one store or all of the caller's (one global order).
Sorted by priority, then Filling: flavour, number; Covering and Decorating: product, size; Packing: size; then due date. Without a
stage, all open stages; Complete: newest first. p_search looks in id, customer, product, flavour, size, writing and notes. p_limit 1–500.
Permission: orders.read in the store.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create function public.get_unassigned_list(
  p_store text default null, p_stage public.stage_type default null, p_cursor text default null,
  p_limit integer default 50, p_with_total boolean default false)
returns public.queue_page language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('orders.read', p_store);
  return private.queue_page(row(private.stores_asked(p_store), p_stage, null, true, null, null, null)::private.queue_filter,
    p_cursor, p_limit, p_with_total);
end $$;
comment on function public.get_unassigned_list is
$$Open tickets that nobody has, in queue order. p_limit 1–500.
Permission: orders.read in the store.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create function public.get_orders_for_dashboard(
  p_store text default null, p_cursor text default null, p_limit integer default 500, p_with_total boolean default false)
returns public.queue_page language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('orders.read', p_store);
  return private.queue_page(row(private.stores_asked(p_store), null, null, false, null, null, null)::private.queue_filter,
    p_cursor, p_limit, p_with_total);
end $$;
comment on function public.get_orders_for_dashboard is
$$Every open ticket by priority and due date, for dashboards and wall displays. p_limit 1–500.
Permission: orders.read in the store.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create function public.get_stage_counts(p_store text default null)
returns setof public.stage_count language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('orders.read', p_store);
  return query
    select st.code, s.stage, count(o.row_id), count(o.row_id) filter (where o.assignee_id is null),
      count(o.row_id) filter (where o.priority = 'High'), count(o.row_id) filter (where o.due_date < private.plant_day(st.code))
      from public.stores st cross join unnest(enum_range(null::public.stage_type)) as s (stage)
      left join public.orders o on o.store = st.code and o.stage = s.stage and not o.is_test
        and o.stage <> 'Complete' and o.cancelled_at is null   -- said again for the partial index
     where st.code = any (private.stores_asked(p_store)) and s.stage <> 'Complete'
     group by st.code, s.stage order by st.code, s.stage;
end $$;
comment on function public.get_stage_counts is
$$How many open tickets each stage has: all, unassigned, High, overdue (in the plant's calendar).
Permission: orders.read in the store.
Errors: those of the guard.
Idempotency: a read.
Locks: none.$$;

create function public.get_unassigned_counts(p_store text default null)
returns setof public.stage_count language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('orders.read', p_store);
  return query select c.* from public.get_stage_counts(p_store) c where c.unassigned > 0;
end $$;
comment on function public.get_unassigned_counts is
$$The stages in which tickets wait for somebody, with how many.
Permission: orders.read in the store.
Errors: those of the guard.
Idempotency: a read.
Locks: none.$$;

create function public.get_order_timeline(p_order_id text, p_before bigint default null, p_limit integer default 100)
returns setof public.timeline_entry language plpgsql stable security definer set search_path = '' as $$
declare
  v_order public.orders;
begin
  select o.* into v_order from public.orders o where o.id = p_order_id;
  perform private.authorize('events.read', v_order.store);
  if v_order.row_id is null then
    perform private.fail(404, 'order.unknown', 'There is no order ' || coalesce(p_order_id, '') || '.', jsonb_build_object('id', p_order_id));
  end if;
  return query
    select e.id, e.at, e.event, e.actor_id, coalesce(s.full_name, d.name), e.station, e.payload
      from public.events e
      left join public.staff_shared s on s.user_id = e.actor_id
      left join public.devices d on d.user_id = e.actor_id
     where e.stream = 'order' and e.stream_id = p_order_id and (p_before is null or e.id < p_before)
     order by e.id desc limit least(greatest(p_limit, 1), 500);
end $$;
comment on function public.get_order_timeline is
$$What happened to a ticket, newest first, with names. p_before: the id of the last row seen, for older ones. p_limit 1–500.
Permission: events.read in the order's store.
Errors: order.unknown (404).
Idempotency: a read.
Locks: none.$$;

create function private.order_blockers(o public.orders)
returns setof public.blocker language sql stable set search_path = '' as $$
  select b.code, b.message, b.next_action, b.target from (values
    (o.cancelled_at is not null, 'order.cancelled', 'The order is cancelled: ' || coalesce(o.cancel_reason, 'no reason given') || '.', null, '/orders/' || o.id),
    (o.pending_change is not null, 'order.change_pending', 'The customer changed the order after work began.', 'acknowledge_order_change', '/orders/' || o.id),
    (o.needs_review <> '{}', 'order.needs_review', 'Somebody must look at it: ' || array_to_string(o.needs_review, ', ') || '.', 'mark_reviewed', '/orders/' || o.id),
    (o.stage <> 'Complete' and private.stage_started_at(o, o.stage) is null, 'order.not_started', format('%s has not been started.', o.stage),
      case o.stage when 'Filling' then 'handle_print_barcode' else 'start_' || lower(o.stage::text) end, '/board?stage=' || o.stage),
    (o.stage <> 'Complete' and private.stage_started_at(o, o.stage) is not null, 'order.in_work', format('%s is going on since %s.', o.stage,
      to_char(private.stage_started_at(o, o.stage) at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')), 'complete_' || lower(o.stage::text), '/board?stage=' || o.stage),
    (o.stage <> 'Complete' and o.assignee_id is null, 'order.unassigned', 'Nobody has it.', 'assign_staff', '/orders/' || o.id),
    (o.stage <> 'Complete' and o.due_date < private.plant_day(o.store), 'order.overdue', 'It was due on ' || o.due_date || '.', 'set_due_date', '/orders/' || o.id)
  ) as b (holds, code, message, next_action, target)
  where b.holds
$$;

create function public.why_not_shipping(p_order_id text)
returns setof public.blocker language plpgsql stable security definer set search_path = '' as $$
declare
  v_order public.orders;
begin
  select o.* into v_order from public.orders o where o.id = p_order_id;
  perform private.authorize('orders.read', v_order.store);
  if v_order.row_id is null then
    perform private.fail(404, 'order.unknown', 'There is no order ' || coalesce(p_order_id, '') || '.', jsonb_build_object('id', p_order_id));
  end if;
  return query select b.* from private.order_blockers(v_order) b;
end $$;
comment on function public.why_not_shipping is
$$Everything that keeps a ticket from going out, each with a plain sentence and the next action. No rows: it can go.
Permission: orders.read in the order's store.
Errors: order.unknown (404).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_queue, public.get_unassigned_list, public.get_orders_for_dashboard, public.get_stage_counts,
  public.get_unassigned_counts, public.get_order_timeline, public.why_not_shipping to authenticated;
grant execute on function public.get_order_for_scan, public.why_not_shipping to service_role;   -- takt order show, takt order why
