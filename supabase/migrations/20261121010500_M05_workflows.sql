-- Built from sql/M05_workflows/ by `takt db build`: edit there, not here.
set local lock_timeout = '10s';
set local statement_timeout = '5min';

-- sql/M05_workflows/tables.sql

create table public.stage_transitions (
  from_stage public.stage_type not null,
  to_stage public.stage_type not null,
  kind text not null constraint stage_transitions_kind_check check (kind in ('advance', 'return', 'undo')),
  constraint stage_transitions_pkey primary key (from_stage, to_stage)
);
comment on table public.stage_transitions is
  'The moves a ticket may make. A trigger holds every update to it; return = back for rework with a reason, undo = a step taken back.';

create table public.stations (
  code text not null constraint stations_code_check check (code ~ '^[a-z0-9][a-z0-9_-]{0,60}$'),
  site text not null,
  name text not null,
  store text,
  stage public.stage_type,
  is_active boolean not null default true,
  constraint stations_pkey primary key (code),
  constraint stations_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint stations_store_fkey foreign key (store) references public.stores (code) on delete restrict
);
create index stations_site_idx on public.stations (site);
create index stations_store_idx on public.stations (store);
comment on table public.stations is 'Places where work is scanned. A station with a stage (or store) takes only tickets of that stage (or store).';

create table private.recent_scans (
  row_id uuid not null,
  at timestamptz not null,
  answer jsonb not null,
  constraint recent_scans_pkey primary key (row_id),
  constraint recent_scans_row_id_fkey foreign key (row_id) references public.orders (row_id) on delete cascade
);
comment on table private.recent_scans is 'The last scan of a ticket: a second one within the double-scan window is the same scan.';

create table private.order_counters (
  store text not null,
  last_number integer not null default 0,
  constraint order_counters_pkey primary key (store),
  constraint order_counters_store_fkey foreign key (store) references public.stores (code) on delete cascade
);
comment on table private.order_counters is 'Numbers of manual orders (M1, M2 …), one row-locked counter per store.';

create table private.priority_days (
  site text not null,
  day date not null,
  constraint priority_days_pkey primary key (site),
  constraint priority_days_site_fkey foreign key (site) references public.sites (code) on delete cascade
);
comment on table private.priority_days is 'The plant-calendar day for which priorities were last worked out.';

create type public.scan_result as (
  ok boolean, changed boolean, action text, message text, status integer, code text, hint text, details jsonb,
  offer text, event_id bigint, candidates jsonb, order_row public.orders);
comment on type public.scan_result is
$$Answer of a scan. action: started, completed, nothing, ask, unit, ignored, refused. A refusal carries status, code, hint and details
like any error, is sent with that HTTP status, and is remembered as an event. ask lists candidates [{id, store, stage, …}].$$;

create type public.queue_page as (orders public.orders[], next_cursor text, total bigint);
comment on type public.queue_page is 'A page of tickets; next_cursor is null on the last page; total only when asked for.';

create type public.stage_count as (store text, stage public.stage_type, tickets bigint, unassigned bigint, high bigint, overdue bigint);
create type public.blocker as (code text, message text, next_action text, target text);
comment on type public.blocker is 'Why something does not go on: machine code, plain sentence, RPC that helps, page that shows it.';
create type public.timeline_entry as (
  id bigint, at timestamptz, event text, actor_id uuid, actor_name text, station text, payload jsonb);

-- sql/M05_workflows/internal.sql

create function private.tg_orders__stage()
returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    if new.stage <> 'Filling' and not (new.source = 'pos' and new.stage = 'Complete') then
      perform private.fail(409, 'order.illegal_move', 'A new ticket starts in Filling.', jsonb_build_object('to', new.stage));
    end if;
  elsif new.stage <> old.stage then
    if not exists (select 1 from public.stage_transitions t where t.from_stage = old.stage and t.to_stage = new.stage) then
      perform private.fail(409, 'order.illegal_move', format('A ticket does not go from %s to %s.', old.stage, new.stage),
        jsonb_build_object('from', old.stage, 'to', new.stage));
    elsif old.cancelled_at is not null and new.cancelled_at is not null then
      perform private.fail(409, 'order.cancelled', 'This order is cancelled.', jsonb_build_object('id', old.id));
    end if;
  end if;
  return new;
end $$;
create trigger _200_stage before insert or update of stage on public.orders
  for each row execute function private.tg_orders__stage();

-- One command on one ticket: begin_order → change a copy → save_order → finish_order.

create type private.order_command as (actor uuid, request_id uuid, answer jsonb, ticket public.orders);

create function private.begin_order(p_permission text, p_order_id text, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.order_command language plpgsql set search_path = '' as $$
declare
  v_command private.order_command;
  v_order public.orders;
begin
  select o.row_id, o.store into v_order.row_id, v_order.store from public.orders o where o.id = p_order_id;
  v_command.actor := private.authorize(p_permission, v_order.store);
  v_command.request_id := p_request_id;
  if v_order.row_id is null then
    perform private.fail(404, 'order.unknown', 'There is no order ' || coalesce(p_order_id, '') || '.', jsonb_build_object('id', p_order_id));
  end if;
  v_command.answer := private.replay(v_command.actor, p_request_id, p_rpc, p_args);
  if v_command.answer is null then
    select o.* into v_order from public.orders o where o.row_id = v_order.row_id for update;
    v_command.ticket := v_order;
  end if;
  return v_command;
end $$;
comment on function private.begin_order is
$$Guard, replay and lock for a command on one ticket. answer is set when this is a repeat; otherwise ticket is the locked row.
Errors: those of authorize, order.unknown (404), request.reused (422). Locks: the order row.$$;

create function private.finish_order(p_command private.order_command, p_change public.order_change)
returns public.order_change language plpgsql set search_path = '' as $$
begin
  if p_command.answer is not null then
    return jsonb_populate_record(null::public.order_change, p_command.answer);
  end if;
  if p_command.request_id is not null then
    perform private.remember(p_command.actor, p_command.request_id, to_jsonb(p_change));
  end if;
  return p_change;
end $$;

create function private.unchanged(p_order public.orders)
returns public.order_change language plpgsql immutable set search_path = '' as $$
begin
  return row(false, null, null, p_order, null)::public.order_change;
end $$;

create function private.save_order(
  p_old public.orders, p_new public.orders, p_event text, p_actor uuid,
  p_payload jsonb default '{}', p_station text default null, p_offer text default null)
returns public.order_change language plpgsql set search_path = '' as $$
declare
  v_order public.orders;
  v_old jsonb := to_jsonb(p_old);
  v_before jsonb;
  v_after jsonb;
  v_event bigint;
begin
  update public.orders o set
    (customer_name, product_title, flavour, size, item_qty, cake_writing, notes, accessories, delivery_method, due_date, due_time,
     priority, priority_is_manual, stage, assignee_id, storage, needs_review, pending_change, cancelled_at, cancel_reason,
     filling_started_at, filling_completed_at, covering_started_at, covering_completed_at,
     decorating_started_at, decorating_completed_at, packing_started_at, packing_completed_at) =
    (p_new.customer_name, p_new.product_title, p_new.flavour, p_new.size, p_new.item_qty, p_new.cake_writing, p_new.notes,
     p_new.accessories, p_new.delivery_method, p_new.due_date, p_new.due_time, p_new.priority, p_new.priority_is_manual,
     p_new.stage, p_new.assignee_id, p_new.storage, p_new.needs_review, p_new.pending_change, p_new.cancelled_at, p_new.cancel_reason,
     p_new.filling_started_at, p_new.filling_completed_at, p_new.covering_started_at, p_new.covering_completed_at,
     p_new.decorating_started_at, p_new.decorating_completed_at, p_new.packing_started_at, p_new.packing_completed_at)
   where o.row_id = p_old.row_id
  returning o.* into v_order;
  select coalesce(jsonb_object_agg(n.key, v_old -> n.key), '{}'), coalesce(jsonb_object_agg(n.key, n.value), '{}') into v_before, v_after
    from jsonb_each(to_jsonb(v_order)) n where n.value <> v_old -> n.key and n.key not in ('version', 'updated_at');
  v_event := private.emit('order', p_old.id, p_event, p_actor, p_payload || jsonb_build_object(
    'version', v_order.version, 'stage', v_order.stage, 'before', v_before, 'after', v_after),
    p_old.store, null, p_station);
  return row(true, v_event, p_offer, v_order, null)::public.order_change;
end $$;
comment on function private.save_order is
'Write the changed copy of a locked ticket and its event; the event keeps before and after of every changed field, so that it can be undone.';

create function private.refuse_blocked(p_order public.orders)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_order.cancelled_at is not null then
    perform private.fail(409, 'order.cancelled', 'This order is cancelled. Set it aside.',
      jsonb_build_object('id', p_order.id, 'reason', p_order.cancel_reason));
  elsif p_order.pending_change is not null then
    perform private.fail(409, 'order.change_pending', 'This order was changed after work began. Read the change and acknowledge it first.',
      jsonb_build_object('id', p_order.id, 'change', p_order.pending_change));
  end if;
end $$;

create function private.stage_started_at(p_order public.orders, p_stage public.stage_type)
returns timestamptz language plpgsql immutable set search_path = '' as $$
begin
  return case p_stage
    when 'Filling' then p_order.filling_started_at when 'Covering' then p_order.covering_started_at
    when 'Decorating' then p_order.decorating_started_at when 'Packing' then p_order.packing_started_at end;
end $$;

create function private.start_stage(
  p_order public.orders, p_stage public.stage_type, p_actor uuid, p_station text default null, p_payload jsonb default '{}')
returns public.order_change language plpgsql set search_path = '' as $$
declare
  v_new public.orders := p_order;
begin
  if p_order.stage > p_stage or p_order.stage = p_stage and private.stage_started_at(p_order, p_stage) is not null then
    return private.unchanged(p_order);
  end if;
  perform private.refuse_blocked(p_order);
  if p_order.stage < p_stage then
    perform private.fail(409, 'order.wrong_stage', format('This ticket is in %s, not in %s.', p_order.stage, p_stage),
      jsonb_build_object('expected', p_stage, 'actual', p_order.stage));
  end if;
  case p_stage
    when 'Filling' then v_new.filling_started_at := now();
    when 'Covering' then v_new.covering_started_at := now();
    when 'Decorating' then v_new.decorating_started_at := now();
    else v_new.packing_started_at := now();
  end case;
  return private.save_order(p_order, v_new, lower(p_stage::text) || '.started', p_actor, p_payload, p_station, 'complete_' || lower(p_stage::text));
end $$;
comment on function private.start_stage is 'Work on a stage begins. A stage begun or passed before is no error: changed = false.';

create function private.complete_stage(
  p_order public.orders, p_stage public.stage_type, p_actor uuid, p_notes text default null, p_station text default null)
returns public.order_change language plpgsql set search_path = '' as $$
declare
  v_new public.orders := p_order;
  v_change public.order_change;
begin
  if p_order.stage > p_stage then
    return private.unchanged(p_order);
  end if;
  perform private.refuse_blocked(p_order);
  perform private.check_length('p_notes', p_notes, 2000);
  if p_order.stage < p_stage then
    perform private.fail(409, 'order.wrong_stage', format('This ticket is in %s, not in %s.', p_order.stage, p_stage),
      jsonb_build_object('expected', p_stage, 'actual', p_order.stage));
  elsif private.stage_started_at(p_order, p_stage) is null then
    perform private.fail(409, 'order.not_started', case when p_stage = 'Filling' then 'Print the barcode first: filling has not started.'
      else format('Start %s first.', lower(p_stage::text)) end, jsonb_build_object('stage', p_order.stage));
  end if;
  case p_stage
    when 'Filling' then v_new.stage := 'Covering'; v_new.filling_completed_at := now();
    when 'Covering' then v_new.stage := 'Decorating'; v_new.covering_completed_at := now();
    when 'Decorating' then v_new.stage := 'Packing'; v_new.decorating_completed_at := now();
    else v_new.stage := 'Complete'; v_new.packing_completed_at := now();
  end case;
  v_new.assignee_id := null;   -- back to the pool
  v_change := private.save_order(p_order, v_new, lower(p_stage::text) || '.completed', p_actor,
    jsonb_strip_nulls(jsonb_build_object('from', p_order.stage, 'to', v_new.stage, 'notes', p_notes)), p_station,
    case p_stage when 'Decorating' then 'start_packing' when 'Filling' then 'start_covering' when 'Covering' then 'start_decorating' end);
  v_change.notices := private.consume_stage(p_order, p_stage, p_actor);
  return v_change;
end $$;
comment on function private.complete_stage is
  'A stage is done: the ticket moves on, unassigned, and its components are used. A stage passed before is no error: changed = false. Decorating offers start_packing.';

create function private.refresh_priorities(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_site public.sites;
  v_order public.orders;
  v_new public.orders;
  v_day date;
begin
  for v_site in select s.* from public.sites s order by s.code loop
    v_day := (p_now at time zone v_site.time_zone)::date;
    insert into private.priority_days as d (site, day) values (v_site.code, v_day)
    on conflict on constraint priority_days_pkey do update set day = excluded.day where d.day <> excluded.day;
    continue when not found;   -- this plant's day has not turned since the last run
    for v_order in
      select o.* from public.orders o join public.stores st on st.code = o.store
       where st.site = v_site.code and o.stage <> 'Complete' and o.cancelled_at is null and not o.priority_is_manual
         and o.priority <> private.priority_for(o.due_date, o.store, p_now)
       order by o.row_id for update of o
    loop
      v_new := v_order;
      v_new.priority := private.priority_for(v_order.due_date, v_order.store, p_now);
      perform private.save_order(v_order, v_new, 'order.priority', null, jsonb_build_object('reason', 'plant day'));
    end loop;
  end loop;
end $$;
comment on function private.refresh_priorities is
  'When a plant''s calendar day has turned (in its own zone, through daylight saving), open tickets get the priority of the new day.';

create function private.purge_scans(p_now timestamptz)
returns void language sql volatile set search_path = '' as $$
  delete from private.recent_scans s where s.at < p_now - interval '1 hour'
$$;

-- sql/M05_workflows/api_stage.sql

create function public.handle_print_barcode(p_order_id text, p_station text default null, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.order_command := private.begin_order('orders.scan', p_order_id, p_request_id, 'handle_print_barcode',
    jsonb_build_array(p_order_id, p_station));
  v_change public.order_change;
begin
  if v_command.answer is null then
    v_change := private.start_stage(v_command.ticket, 'Filling', v_command.actor, p_station, '{"via": "print"}');
    if not (v_change).changed then
      v_change.event_id := private.emit('order', p_order_id, 'barcode.printed', v_command.actor,
        jsonb_build_object('version', (v_command.ticket).version), (v_command.ticket).store, null, p_station);
    end if;
  end if;
  return private.finish_order(v_command, v_change);
end $$;
comment on function public.handle_print_barcode is
$$The ticket's barcode is printed. The first print starts Filling; printing again changes nothing but is remembered. Where printing is set
up for tickets, the ticket's label is asked for; a label that is refused becomes an alarm and never stops the work.
Permission: orders.scan in the order's store.
Errors: order.unknown (404), order.cancelled (409), order.change_pending (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the order row.$$;

create function public.complete_filling(p_order_id text, p_notes text default null, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.order_command := private.begin_order('orders.complete_stage', p_order_id, p_request_id, 'complete_filling',
    jsonb_build_array(p_order_id, p_notes));
  v_change public.order_change;
begin
  if v_command.answer is null then
    v_change := private.complete_stage(v_command.ticket, 'Filling', v_command.actor, p_notes);
  end if;
  return private.finish_order(v_command, v_change);
end $$;
comment on function public.complete_filling is
$$Filling is done: the ticket moves to Covering and returns to the pool.
Permission: orders.complete_stage in the order's store.
Errors: order.unknown (404), order.not_started (409), order.cancelled (409), order.change_pending (409), stock.components_short (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the order row, then its components by SKU.$$;

create function public.start_covering(p_order_id text, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.order_command := private.begin_order('orders.complete_stage', p_order_id, p_request_id, 'start_covering',
    jsonb_build_array(p_order_id));
  v_change public.order_change;
begin
  if v_command.answer is null then
    v_change := private.start_stage(v_command.ticket, 'Covering', v_command.actor);
  end if;
  return private.finish_order(v_command, v_change);
end $$;
comment on function public.start_covering is
$$Covering begins.
Permission: orders.complete_stage in the order's store.
Errors: order.unknown (404), order.wrong_stage (409), order.cancelled (409), order.change_pending (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the order row.$$;

create function public.complete_covering(p_order_id text, p_notes text default null, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.order_command := private.begin_order('orders.complete_stage', p_order_id, p_request_id, 'complete_covering',
    jsonb_build_array(p_order_id, p_notes));
  v_change public.order_change;
begin
  if v_command.answer is null then
    v_change := private.complete_stage(v_command.ticket, 'Covering', v_command.actor, p_notes);
  end if;
  return private.finish_order(v_command, v_change);
end $$;
comment on function public.complete_covering is
$$Covering is done: the ticket moves to Decorating and returns to the pool.
Permission: orders.complete_stage in the order's store.
Errors: order.unknown (404), order.wrong_stage (409), order.not_started (409), order.cancelled (409), order.change_pending (409), stock.components_short (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the order row, then its components by SKU.$$;

create function public.start_decorating(p_order_id text, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.order_command := private.begin_order('orders.complete_stage', p_order_id, p_request_id, 'start_decorating',
    jsonb_build_array(p_order_id));
  v_change public.order_change;
begin
  if v_command.answer is null then
    v_change := private.start_stage(v_command.ticket, 'Decorating', v_command.actor);
  end if;
  return private.finish_order(v_command, v_change);
end $$;
comment on function public.start_decorating is
$$Decorating begins.
Permission: orders.complete_stage in the order's store.
Errors: order.unknown (404), order.wrong_stage (409), order.cancelled (409), order.change_pending (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the order row.$$;

create function public.complete_decorating(p_order_id text, p_notes text default null, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.order_command := private.begin_order('orders.complete_stage', p_order_id, p_request_id, 'complete_decorating',
    jsonb_build_array(p_order_id, p_notes));
  v_change public.order_change;
begin
  if v_command.answer is null then
    v_change := private.complete_stage(v_command.ticket, 'Decorating', v_command.actor, p_notes);
  end if;
  return private.finish_order(v_command, v_change);
end $$;
comment on function public.complete_decorating is
$$Decorating is done: the ticket moves to Packing and returns to the pool; the answer offers start_packing.
Permission: orders.complete_stage in the order's store.
Errors: order.unknown (404), order.wrong_stage (409), order.not_started (409), order.cancelled (409), order.change_pending (409), stock.components_short (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the order row, then its components by SKU.$$;

create function public.start_packing(p_order_id text, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.order_command := private.begin_order('orders.complete_stage', p_order_id, p_request_id, 'start_packing',
    jsonb_build_array(p_order_id));
  v_change public.order_change;
begin
  if v_command.answer is null then
    v_change := private.start_stage(v_command.ticket, 'Packing', v_command.actor);
  end if;
  return private.finish_order(v_command, v_change);
end $$;
comment on function public.start_packing is
$$Packing begins.
Permission: orders.complete_stage in the order's store.
Errors: order.unknown (404), order.wrong_stage (409), order.cancelled (409), order.change_pending (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the order row.$$;

create function public.complete_packing(p_order_id text, p_notes text default null, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.order_command := private.begin_order('orders.complete_stage', p_order_id, p_request_id, 'complete_packing',
    jsonb_build_array(p_order_id, p_notes));
  v_change public.order_change;
begin
  if v_command.answer is null then
    v_change := private.complete_stage(v_command.ticket, 'Packing', v_command.actor, p_notes);
  end if;
  return private.finish_order(v_command, v_change);
end $$;
comment on function public.complete_packing is
$$Packing is done: the ticket is Complete.
Permission: orders.complete_stage in the order's store.
Errors: order.unknown (404), order.wrong_stage (409), order.not_started (409), order.cancelled (409), order.change_pending (409), stock.components_short (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the order row, then its components by SKU.$$;

create function public.qc_return_to_decorating(
  p_order_id text, p_reason text default null, p_notes text default null, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.order_command := private.begin_order('orders.qc_return', p_order_id, p_request_id, 'qc_return_to_decorating',
    jsonb_build_array(p_order_id, p_reason, p_notes));
  v_new public.orders := v_command.ticket;
  v_change public.order_change;
begin
  if v_command.answer is null then
    if coalesce(trim(p_reason), '') = '' then
      perform private.fail(422, 'order.reason_required', 'Say what is wrong with it.', jsonb_build_object('field', 'p_reason'));
    end if;
    perform private.check_length('p_reason', p_reason, 200);
    perform private.check_length('p_notes', p_notes, 2000);
    if v_new.cancelled_at is not null then
      perform private.refuse_blocked(v_new);
    elsif v_new.stage = 'Decorating' and v_new.decorating_started_at is null and exists (select 1 from public.events e
        where e.stream = 'order' and e.stream_id = p_order_id and e.event = 'order.qc_returned') then
      return private.finish_order(v_command, private.unchanged(v_new));   -- it is back already
    elsif v_new.stage <> 'Packing' then
      perform private.fail(409, 'order.wrong_stage', format('Only a ticket in Packing goes back to Decorating; this one is in %s.', v_new.stage),
        jsonb_build_object('expected', 'Packing', 'actual', v_new.stage));
    end if;
    v_new.stage := 'Decorating';
    v_new.decorating_completed_at := null;
    v_new.decorating_started_at := null;
    v_new.packing_started_at := null;
    v_new.assignee_id := null;
    v_change := private.save_order(v_command.ticket, v_new, 'order.qc_returned', v_command.actor,
      jsonb_strip_nulls(jsonb_build_object('reason', p_reason, 'notes', p_notes)));
  end if;
  return private.finish_order(v_command, v_change);
end $$;
comment on function public.qc_return_to_decorating is
$$Quality sends a ticket back from Packing to Decorating, unassigned, to be started anew. The history keeps the first round.
Permission: orders.qc_return in the order's store.
Errors: order.unknown (404), order.reason_required (422), order.wrong_stage (409), order.cancelled (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the order row.$$;

grant execute on function public.handle_print_barcode, public.complete_filling, public.start_covering, public.complete_covering,
  public.start_decorating, public.complete_decorating, public.start_packing, public.complete_packing,
  public.qc_return_to_decorating to authenticated;

-- sql/M05_workflows/api_assign.sql

create function private.check_assignee(p_staff_id uuid, p_store text)
returns void language plpgsql stable set search_path = '' as $$
begin
  if not exists (select 1 from public.staff_shared s
                  where s.user_id = p_staff_id and s.is_active and s.stores && array[p_store, '*']) then
    perform private.fail(422, 'order.bad_assignee', 'This person does not work in this store.',
      jsonb_build_object('staff', p_staff_id, 'store', p_store));
  end if;
end $$;

create function private.assign(p_order public.orders, p_staff_id uuid, p_actor uuid)
returns public.order_change language plpgsql set search_path = '' as $$
declare
  v_new public.orders := p_order;
begin
  if p_order.assignee_id is not distinct from p_staff_id then
    return private.unchanged(p_order);
  elsif p_order.cancelled_at is not null or p_order.stage = 'Complete' then
    perform private.fail(409, 'order.closed', 'This order is finished or cancelled.', jsonb_build_object('id', p_order.id, 'stage', p_order.stage));
  end if;
  v_new.assignee_id := p_staff_id;
  return private.save_order(p_order, v_new, case when p_staff_id is null then 'order.unassigned' else 'order.assigned' end, p_actor);
end $$;

create function public.assign_staff(p_order_id text, p_staff_id uuid default null, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_me uuid := (private.identify()).actor_id;
  v_staff uuid := coalesce(p_staff_id, v_me);
  v_command private.order_command := private.begin_order(case when v_staff = v_me then 'orders.take' else 'orders.assign' end,
    p_order_id, p_request_id, 'assign_staff', jsonb_build_array(p_order_id, p_staff_id));
  v_change public.order_change;
begin
  if v_command.answer is null then
    perform private.check_assignee(v_staff, (v_command.ticket).store);
    v_change := private.assign(v_command.ticket, v_staff, v_command.actor);
  end if;
  return private.finish_order(v_command, v_change);
end $$;
comment on function public.assign_staff is
$$Give a ticket to a person; without p_staff_id, take it oneself.
Permission: orders.take for oneself, orders.assign for others, in the order's store.
Errors: order.unknown (404), order.bad_assignee (422), order.closed (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the order row.$$;

create function public.unassign_staff(p_order_id text, p_request_id uuid default null)
returns public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_mine boolean := (select o.assignee_id from public.orders o where o.id = p_order_id) = (private.identify()).actor_id;
  v_command private.order_command := private.begin_order(case when v_mine then 'orders.take' else 'orders.assign' end,
    p_order_id, p_request_id, 'unassign_staff', jsonb_build_array(p_order_id));
  v_change public.order_change;
begin
  if v_command.answer is null then
    v_change := private.assign(v_command.ticket, null, v_command.actor);
  end if;
  return private.finish_order(v_command, v_change);
end $$;
comment on function public.unassign_staff is
$$The ticket goes back to the pool.
Permission: orders.take for one's own ticket, orders.assign for others, in the order's store.
Errors: order.unknown (404), order.closed (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the order row.$$;

create function public.assign_staff_bulk(p_order_ids text[], p_staff_id uuid, p_request_id uuid default null)
returns setof public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('orders.assign');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'assign_staff_bulk', jsonb_build_array(p_order_ids, p_staff_id));
  v_order public.orders;
  v_missing text[];
  v_changes jsonb := '[]';
begin
  if v_answer is null then
    if coalesce(cardinality(p_order_ids), 0) not between 1 and 500 or array_position(p_order_ids, null) is not null then
      perform private.fail(422, 'order.bulk_size', 'Choose 1 to 500 orders.', jsonb_build_object('actual', cardinality(p_order_ids)));
    end if;
    select array_agg(i) into v_missing from unnest(p_order_ids) i where not exists (select 1 from public.orders o where o.id = i);
    if v_missing is not null then
      perform private.fail(404, 'order.unknown', 'There is no order ' || v_missing[1] || '.', jsonb_build_object('ids', v_missing));
    end if;
    for v_order in select o.* from public.orders o where o.id = any (p_order_ids) order by o.row_id for update loop
      perform private.authorize('orders.assign', v_order.store);
      if p_staff_id is not null then
        perform private.check_assignee(p_staff_id, v_order.store);
      end if;
      v_changes := v_changes || to_jsonb(private.assign(v_order, p_staff_id, v_actor));
    end loop;
    perform private.remember(v_actor, p_request_id, v_changes);
  end if;
  return query select c.* from jsonb_populate_recordset(null::public.order_change, coalesce(v_answer, v_changes)) c;
end $$;
comment on function public.assign_staff_bulk is
$$Give up to 500 tickets to one person (null: back to the pool). All or nothing: one refusal leaves every ticket as it was.
Permission: orders.assign in the store of every order.
Errors: order.unknown (404) with the ids, order.bulk_size (422), order.bad_assignee (422), order.closed (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false per ticket.
Locks: the order rows, by row_id.$$;

grant execute on function public.assign_staff, public.unassign_staff, public.assign_staff_bulk to authenticated;

-- sql/M05_workflows/api_order.sql

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

-- sql/M05_workflows/api_create.sql

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

-- sql/M05_workflows/api_scan.sql

create function private.is_gs1(p_code text)
returns boolean language sql immutable set search_path = '' as $$
  select p_code ~ '^\](C1|d2|Q3|e0|J1)' or p_code ~ E'\x1d' or p_code ~ '^\(01\)\d{14}' or p_code ~ '^01\d{14}(\D|1[0-9]|2[01]|$)'
$$;
comment on function private.is_gs1 is 'True for GS1 element strings: symbology prefix, FNC1, or AI 01 with a GTIN-14.';

create function private.clean_code(p_code text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  -- Scanners add line ends; phones and copied texts bring full-width digits, other hyphens and invisible characters.
  return regexp_replace(translate(normalize(coalesce(p_code, ''), NFKC), E'\u2010\u2011\u2012\u2013\u2014\u2212\u200b\u200c\u200d\ufeff', '------'),
    '^\s+|\s+$', '', 'g');
end $$;
comment on function private.clean_code is 'The code as it was meant: trimmed, plain hyphens and digits, nothing invisible.';

create function private.find_by_code(p_code text)
returns setof public.orders language plpgsql stable set search_path = '' as $$
declare
  v_code text := lower(p_code);
  v_short text[] := regexp_match(v_code, '^#?([a-z]{1,3})(\d{1,12})(?:-?([a-z]|\d{2,3}))?$');
  v_bare text := (regexp_match(v_code, '^#?(\d{1,12})$'))[1];
  v_store text;
begin
  if v_bare is not null then
    return query select o.* from public.orders o where o.order_number = v_bare and not o.is_test order by o.store, o.unit_no, o.id limit 50;
    return;
  end if;
  return query select o.* from public.orders o where lower(o.id) = v_code;
  if found then
    return;
  end if;
  if v_short is not null then
    select st.code into v_store from public.stores st where st.scan_prefix = upper(v_short[1]);
    v_code := v_store || '-' || v_short[2] || coalesce('-' || v_short[3], '');
    return query select o.* from public.orders o where lower(o.id) = v_code;
    if found then
      return;
    end if;
  end if;
  -- The customer order: all its tickets. A ticket without a suffix answers to -A as well.
  return query
    select o.* from public.stores st
      join public.orders o on o.store = st.code
        and (lower(o.store || '-' || o.order_number) = v_code
          or o.suffix is null and lower(o.store || '-' || o.order_number || '-a') = v_code)
        and o.order_number = any (array[upper(split_part(v_code, '-', 2)), split_part(v_code, '-', 2),
          upper(substr(v_code, length(st.code) + 2)), substr(v_code, length(st.code) + 2)])
     where v_code like st.code || '-%'
     order by o.store, o.suffix nulls first, o.id limit 50;
end $$;
comment on function private.find_by_code is
'Tickets a code can mean: #B18617, #F18617, bannos-18617, bannos-18617-A, 18617 (any store). Case does not matter.';

create function private.candidates(p_orders public.orders[])
returns jsonb language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('id', o.id, 'store', o.store, 'stage', o.stage, 'product_title', o.product_title,
    'flavour', o.flavour, 'size', o.size, 'customer_name', o.customer_name, 'due_date', o.due_date) order by o.id), '[]')
  from unnest(p_orders) o
$$;

create function private.scan_refusal(
  p_status integer, p_hint text, p_message text, p_details jsonb, p_order public.orders default null)
returns public.scan_result language sql immutable set search_path = '' as $$
  select row(false, false, 'refused', p_message, p_status, 'PT' || p_status, p_hint, p_details, null, null, null, p_order)::public.scan_result
$$;

create function private.resolve_other(p_code text)
returns public.scan_result language plpgsql stable set search_path = '' as $$
begin
  return null;
end $$;
comment on function private.resolve_other is 'What a code means that names no ticket; null = nothing known. M10_units replaces it.';

create function private.resolve_scan(p_code text, p_stores text[])
returns public.scan_result language plpgsql stable set search_path = '' as $$
declare
  v_code text := private.clean_code(p_code);
  v_all public.orders[];
  v_mine public.orders[];
  v_other public.scan_result;
begin
  if v_code = '' or length(v_code) > 200 then
    return private.scan_refusal(400, 'scan.empty', case when v_code = '' then 'Nothing was scanned. Try again.'
      else 'That is no ticket code: it is too long. Scan the code on the ticket.' end, jsonb_build_object('scanned', left(v_code, 200)));
  elsif private.is_gs1(v_code) then
    return row(false, false, 'ignored', 'That is a product code (GS1), not an order. Scan the code on the ticket.', 200, null, 'scan.gs1',
      jsonb_build_object('scanned', v_code), null, null, null, null)::public.scan_result;
  end if;
  v_all := array(select o from private.find_by_code(v_code) o);
  v_mine := array(select o from unnest(v_all) o where o.store = any (p_stores));
  if cardinality(v_all) = 0 then
    v_other := private.resolve_other(v_code);
    if v_other.ok then
      return v_other;
    end if;
    return private.scan_refusal(404, 'scan.unknown', 'There is no order for ' || v_code || '. Check the label, or search for the name.', jsonb_build_object('scanned', v_code));
  elsif cardinality(v_mine) = 0 then
    return private.scan_refusal(403, 'auth.other_store', 'That order belongs to a store you do not work in.', jsonb_build_object('scanned', v_code));
  elsif cardinality(v_mine) > 1 then
    return row(true, false, 'ask', 'Several tickets match. Which one is it?', 200, null, 'scan.ambiguous',
      jsonb_build_object('scanned', v_code), null, null, private.candidates(v_mine), null)::public.scan_result;
  end if;
  return row(true, false, 'found', v_mine[1].id, 200, null, null, jsonb_build_object('scanned', v_code), null, null, null, v_mine[1])::public.scan_result;
end $$;
comment on function private.resolve_scan is
  'What a code means to someone who works in p_stores: action found, ask, ignored or refused; unit, production_order or lot. Changes nothing.';

create function private.scan_problem(p_order public.orders, p_scanned text, p_station text, p_expected text)
returns public.scan_result language plpgsql stable set search_path = '' as $$
declare
  v_station public.stations;
begin
  select s.* into v_station from public.stations s where s.code = p_station and s.is_active;
  if p_expected is not null and p_expected <> p_order.id then
    return private.scan_refusal(409, 'scan.wrong_order', format('Wrong ticket: expected %s, scanned %s.', p_expected, p_order.id),
      jsonb_build_object('expected', p_expected, 'actual', p_order.id, 'scanned', p_scanned), p_order);
  elsif v_station.store <> p_order.store then
    return private.scan_refusal(409, 'scan.wrong_store', format('This station works for %s; the ticket is from %s.', v_station.store, p_order.store),
      jsonb_build_object('expected', v_station.store, 'actual', p_order.store, 'scanned', p_scanned), p_order);
  elsif p_order.cancelled_at is not null then
    return private.scan_refusal(409, 'order.cancelled', 'This order is cancelled. Set it aside.',
      jsonb_build_object('reason', p_order.cancel_reason, 'scanned', p_scanned), p_order);
  elsif p_order.pending_change is not null then
    return private.scan_refusal(409, 'order.change_pending', 'This order was changed after work began. Read the change and acknowledge it first.',
      jsonb_build_object('change', p_order.pending_change, 'scanned', p_scanned), p_order);
  elsif v_station.stage <> p_order.stage then
    return private.scan_refusal(409, 'scan.wrong_stage', format('This station does %s; ticket %s is in %s.', v_station.stage, p_order.id, p_order.stage),
      jsonb_build_object('expected', v_station.stage, 'actual', p_order.stage, 'scanned', p_scanned), p_order);
  elsif private.stage_started_at(p_order, p_order.stage) is not null and private.components_missing(p_order, p_order.stage) is not null then
    return private.scan_refusal(409, 'stock.components_short', 'Components are missing: '
      || (private.components_missing(p_order, p_order.stage) -> 0 ->> 'message'),
      jsonb_build_object('missing', private.components_missing(p_order, p_order.stage), 'scanned', p_scanned), p_order);
  end if;
  return null;
end $$;
comment on function private.scan_problem is 'Why this ticket may not be worked on here and now, or null.';

create function private.advance_by_scan(p_order public.orders, p_actor uuid, p_station text)
returns public.scan_result language plpgsql set search_path = '' as $$
declare
  v_change public.order_change;
  v_started boolean := private.stage_started_at(p_order, p_order.stage) is not null;
begin
  if p_order.stage = 'Complete' then
    return row(true, false, 'nothing', p_order.id || ' is complete already.', 200, null, null, '{}', null, null, null, p_order)::public.scan_result;
  elsif v_started then
    v_change := private.complete_stage(p_order, p_order.stage, p_actor, null, p_station);
  else
    v_change := private.start_stage(p_order, p_order.stage, p_actor, p_station);
  end if;
  return row(true, true, case when v_started then 'completed' else 'started' end,
    format('%s: %s %s.', p_order.id, p_order.stage, case when v_started then 'done' else 'started' end) || coalesce(' Missing: '
      || (select string_agg(n.item ->> 'message', ' ') from jsonb_array_elements(v_change.notices) n (item)), ''),
    200, null, null, jsonb_strip_nulls(jsonb_build_object('stage', p_order.stage, 'notices', v_change.notices)), v_change.offer, v_change.event_id, null, v_change.order_row)::public.scan_result;
end $$;
comment on function private.advance_by_scan is 'The first scan in a stage starts it, the second completes it. A scanned barcode is a printed barcode: it starts Filling too.';

create function private.answer_scan(p_result public.scan_result)
returns public.scan_result language plpgsql set search_path = '' as $$
begin
  if p_result.status <> 200 then
    perform set_config('response.status', p_result.status::text, true);
  end if;
  return p_result;
end $$;
comment on function private.answer_scan is 'A refusal returns normally, so that its event commits, and still is an HTTP error.';

create function public.scan(
  p_code text default null, p_station text default null, p_request_id uuid default null, p_expected_order text default null)
returns public.scan_result language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('orders.scan');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'scan', jsonb_build_array(p_code, p_station, p_expected_order));
  v_result public.scan_result;
  v_problem public.scan_result;
  v_order public.orders;
begin
  if v_answer is not null then
    return private.answer_scan(jsonb_populate_record(null::public.scan_result, v_answer));
  end if;
  v_result := private.resolve_scan(p_code, private.readable_stores('orders.scan'));
  if v_result.action = 'found' then
    select o.* into v_order from public.orders o where o.row_id = (v_result.order_row).row_id for update;
    v_answer := private.same_scan(v_order);
    if v_answer is not null then
      v_result := jsonb_populate_record(null::public.scan_result, v_answer);
      v_result.changed := false;
    else
      v_problem := private.scan_problem(v_order, p_code, p_station, p_expected_order);
      v_result := case when v_problem.ok is null then private.advance_by_scan(v_order, v_actor, p_station) else v_problem end;
      if v_result.changed then
        insert into private.recent_scans as s (row_id, at, answer) values (v_order.row_id, clock_timestamp(), to_jsonb(v_result))
        on conflict on constraint recent_scans_pkey do update
          set at = excluded.at, answer = excluded.answer;
      end if;
    end if;
  end if;
  if v_result.details ? 'stream' and p_expected_order is not null then
    v_result := private.scan_refusal(409, 'scan.wrong_order', format('Wrong code: expected %s, scanned %s.', p_expected_order, v_result.details ->> 'stream_id'),
      jsonb_build_object('expected', p_expected_order, 'actual', v_result.details ->> 'stream_id', 'scanned', p_code));
  elsif v_result.details ? 'stream' then
    v_result.event_id := private.emit(v_result.details ->> 'stream', v_result.details ->> 'stream_id', (v_result.details ->> 'stream') || '.scanned', v_actor,
      jsonb_build_object('status', v_result.details -> 'status'), v_result.details ->> 'store', v_result.details ->> 'site', p_station);
  end if;
  if v_result.action = 'refused' then
    v_result.event_id := private.emit('order', coalesce(v_order.id, left(p_code, 200), ''), 'scan.refused', v_actor,
      v_result.details || jsonb_build_object('reason', v_result.hint), v_order.store, null, p_station);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_result));
  return private.answer_scan(v_result);
end $$;
comment on function public.scan is
$$A code was scanned: #B18617, bannos-18617, bannos-18617-A or 18617. The first scan in a stage starts it, the second completes it.
A second scan within the setting scan.repeat_seconds is the same scan: same answer, changed = false. Several matches: action ask.
The serial of a unit, the code of a production order or of a lot: action unit, production_order or lot, with details {stream, stream_id, target, …}, or
ask with candidates [{sku, lot}]; p_expected_order refuses them.
p_station: a station's code; one with a stage takes only tickets of that stage. p_expected_order: the ticket the screen shows.
Permission: orders.scan in the order's store.
Errors (answered with their HTTP status and remembered as event scan.refused): scan.empty (400), scan.unknown (404), auth.other_store (403),
scan.wrong_order (409), scan.wrong_store (409), scan.wrong_stage (409), order.cancelled (409), order.change_pending (409), stock.components_short (409); raised: request.reused (422).
Idempotency: by p_request_id, and by the double-scan window.
Locks: the order row.$$;

create function private.same_scan(p_order public.orders)
returns jsonb language sql stable set search_path = '' as $$
  select s.answer from private.recent_scans s
   where s.row_id = p_order.row_id and (s.answer -> 'order_row' ->> 'version')::integer = p_order.version   -- nothing happened since
     and s.at > clock_timestamp() - make_interval(secs => (private.setting('scan.repeat_seconds', p_order.store) #>> '{}')::integer)
$$;
comment on function private.same_scan is 'The answer of a scan of the same ticket a moment ago, if nothing happened to the ticket since.';

create function public.get_order_for_scan(p_scan text)
returns public.scan_result language plpgsql security definer stable set search_path = '' as $$
begin
  perform private.authorize('orders.read');
  return private.resolve_scan(p_scan, private.readable_stores('orders.read'));
end $$;
comment on function public.get_order_for_scan is
$$Look a code up without doing anything: action found with the ticket, ask with candidates, unit, production_order, lot, ignored or refused.
Permission: orders.read in the order's store.
Errors: in the answer: scan.empty, scan.unknown, auth.other_store.
Idempotency: a read.
Locks: none.$$;

grant execute on function public.scan, public.get_order_for_scan to authenticated;

-- sql/M05_workflows/api_undo.sql

create function private.undoable_events(p_order_id text)
returns table (id bigint, xid xid8, at timestamptz, event text, actor_id uuid, before jsonb)
language sql stable set search_path = '' as $$
  select e.id, e.xid, e.at, e.event, e.actor_id, e.payload -> 'before'
    from public.events e
   where e.stream = 'order' and e.stream_id = p_order_id and e.payload ? 'before' and e.event <> 'order.undone'
     and not exists (select 1 from public.events u where u.stream = 'order' and u.stream_id = p_order_id
       and u.event = 'order.undone' and (u.payload ->> 'undoes')::bigint = e.id)
$$;
comment on function private.undoable_events is 'Changes of a ticket that still stand, with what was there before.';

create function private.is_floor_field(p_field text)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return p_field in ('stage', 'cancelled_at') or p_field ~ '_(started|completed)_at$';
end $$;
comment on function private.is_floor_field is 'Stage, its timestamps and the cancellation are one thing to undo: none of them goes back alone.';

create function private.undo_event(p_order_id text, p_event_id bigint, p_actor uuid)
returns public.order_change language plpgsql set search_path = '' as $$
declare
  v_order public.orders;
  v_event record;
  v_blocker record;
begin
  select o.* into v_order from public.orders o where o.id = p_order_id for update;
  select e.* into v_event from private.undoable_events(p_order_id) e where e.id = p_event_id;
  if v_event.id is null then
    return private.unchanged(v_order);   -- a twin undid it while we waited for the row
  end if;
  select e.id, e.at, e.event, coalesce(s.full_name, 'The order channel') as who into v_blocker
    from private.undoable_events(p_order_id) e left join public.staff_shared s on s.user_id = e.actor_id
   where e.id > v_event.id
     and exists (select 1 from jsonb_object_keys(e.before) k where v_event.before ? k or private.is_floor_field(k)
       and exists (select 1 from jsonb_object_keys(v_event.before) mine where private.is_floor_field(mine)))
   order by e.id desc limit 1;
  if v_blocker.id is not null then
    perform private.fail(409, 'undo.blocked', format('Not possible any more: %s did %s on %s since. Undo that first.', v_blocker.who,
      v_blocker.event, p_order_id), jsonb_build_object('event', v_blocker.event, 'event_id', v_blocker.id, 'by', v_blocker.who, 'at', v_blocker.at));
  end if;
  delete from private.recent_scans s where s.row_id = v_order.row_id;   -- the next scan is a new one
  if v_event.event in ('filling.completed', 'covering.completed', 'decorating.completed', 'packing.completed') then
    perform private.unconsume_stage(v_order, initcap(split_part(v_event.event, '.', 1))::public.stage_type, p_actor);
  end if;
  return private.save_order(v_order, jsonb_populate_record(v_order, v_event.before), 'order.undone', p_actor,
    jsonb_build_object('undoes', v_event.id, 'event', v_event.event));
end $$;
comment on function private.undo_event is
'Put back what one event changed, as a new event. Errors: undo.blocked (409) when a later change touched the same fields, naming it.';

create function private.last_action(p_actor uuid, p_order_id text, p_since timestamptz)
returns table (id bigint, xid xid8, at timestamptz, event text, actor_id uuid, stream_id text)
language plpgsql stable set search_path = '' as $$
begin
  if p_order_id is not null then
    return query select e.id, e.xid, e.at, e.event, e.actor_id, p_order_id from private.undoable_events(p_order_id) e
      where e.actor_id = coalesce(p_actor, e.actor_id) order by e.id desc limit 1;   -- never what the server did by itself
  else
    return query select e.id, e.xid, e.at, e.event, e.actor_id, e.stream_id from public.events e
      where e.at >= p_since and e.stream = 'order' and e.actor_id = p_actor and e.payload ? 'before' and e.event <> 'order.undone'
        and exists (select 1 from private.undoable_events(e.stream_id) u where u.id = e.id)
      order by e.id desc limit 1;
  end if;
end $$;

create function public.undo_last(p_order_id text default null, p_request_id uuid default null)
returns setof public.order_change language plpgsql security definer set search_path = '' as $$
declare
  v_store text := (select o.store from public.orders o where o.id = p_order_id);
  v_actor uuid := private.authorize('orders.undo_own', v_store);
  v_any boolean := private.may('orders.undo_any');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'undo_last', jsonb_build_array(p_order_id));
  v_window interval;
  v_last record;
  v_target record;
  v_changes jsonb := '[]';
begin
  if v_answer is null then
    if p_order_id is not null and v_store is null then
      perform private.fail(404, 'order.unknown', 'There is no order ' || p_order_id || '.', jsonb_build_object('id', p_order_id));
    end if;
    v_window := make_interval(mins => (private.setting('undo.minutes', coalesce(v_store, private.any_store())) #>> '{}')::integer);
    select l.* into v_last from private.last_action(v_actor, p_order_id, now() - v_window) l;
    if v_any and p_order_id is not null and (v_last.id is null or v_last.at < now() - v_window) then
      select l.* into v_last from private.last_action(null, p_order_id, null) l;   -- a supervisor takes back anybody's
    end if;
    if v_last.id is null then
      perform private.fail(404, 'undo.nothing', 'There is nothing of yours to undo.', jsonb_build_object('id', p_order_id));
    elsif v_last.at < now() - v_window and not v_any then
      perform private.fail(403, 'undo.too_late', format('That was more than %s minutes ago. Ask a supervisor.', extract(epoch from v_window)::integer / 60),
        jsonb_build_object('event', v_last.event, 'at', v_last.at));
    end if;
    for v_target in   -- a bulk command is undone as one
      select distinct on (o.row_id) e.id, e.stream_id from public.events e join public.orders o on o.id = e.stream_id
       where e.xid = v_last.xid and (e.id = v_last.id or e.xid <> '0'::xid8)   -- 0: restored, no longer one command
         and e.stream = 'order' and e.actor_id = v_last.actor_id
         and (p_order_id is null or e.stream_id = p_order_id) and e.payload ? 'before' order by o.row_id, e.id desc
    loop
      v_changes := v_changes || to_jsonb(private.undo_event(v_target.stream_id, v_target.id, v_actor));
    end loop;
    perform private.remember(v_actor, p_request_id, v_changes);
  end if;
  return query select c.* from jsonb_populate_recordset(null::public.order_change, coalesce(v_answer, v_changes)) c;
end $$;
comment on function public.undo_last is
$$Take back the own last action (of one ticket, or at all; a bulk command as a whole) within the setting undo.minutes.
Later, or for somebody else's action on a ticket, it takes orders.undo_any. Undoing again takes back the action before.
Permission: orders.undo_own; orders.undo_any for what is older or not one's own; in the order's store.
Errors: order.unknown (404), undo.nothing (404), undo.too_late (403), undo.blocked (409) with what blocks it, request.reused (422).
Idempotency: by p_request_id; without it the next call undoes the action before.
Locks: the order rows, by row_id.$$;

create function private.any_store()
returns text language sql stable set search_path = '' as $$
  select (private.readable_stores('orders.undo_own'))[1]
$$;

grant execute on function public.undo_last to authenticated;

-- sql/M05_workflows/api_read.sql

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

-- sql/M05_workflows/views.sql

create view public.stage_events with (security_invoker = on) as
select e.id, e.store, e.stream_id as order_id, initcap(split_part(e.event, '.', 1)) as stage,
  case split_part(e.event, '.', 2) when 'started' then 'start' when 'completed' then 'complete' when 'printed' then 'print'
    when 'assigned' then 'assign' when 'unassigned' then 'unassign' when 'qc_returned' then 'qc_return' else split_part(e.event, '.', 2) end as event_type,
  e.actor_id as staff_id, e.at as at_ts, e.event <> 'scan.refused' as ok, e.payload as meta
from public.events e
where e.stream = 'order';
comment on view public.stage_events is 'Events of tickets under the old names.';

-- sql/M05_workflows/seed.sql

insert into public.stage_transitions (from_stage, to_stage, kind) values
  ('Filling', 'Covering', 'advance'),
  ('Covering', 'Decorating', 'advance'),
  ('Decorating', 'Packing', 'advance'),
  ('Packing', 'Complete', 'advance'),
  ('Packing', 'Decorating', 'return'),
  ('Covering', 'Filling', 'undo'),
  ('Decorating', 'Covering', 'undo'),
  ('Complete', 'Packing', 'undo');

select private.allow(p, d, r) from (values
  ('orders.scan', 'Scan tickets and print barcodes', '{operator,technician,supervisor,planner,manager,admin}'::text[]),
  ('orders.complete_stage', 'Start and complete stages, set storage', '{operator,technician,supervisor,planner,manager,admin}'),
  ('orders.qc_return', 'Send a ticket back to Decorating', '{operator,supervisor,manager,admin}'),
  ('orders.take', 'Take a ticket, or give the own one back', '{operator,technician,supervisor,planner,manager,admin}'),
  ('orders.assign', 'Give tickets to other people', '{supervisor,planner,manager,admin}'),
  ('orders.set_priority', 'Fix priorities by hand', '{supervisor,planner,manager,admin}'),
  ('orders.edit', 'Change what a ticket says', '{supervisor,planner,manager,admin}'),
  ('orders.create', 'Take orders by hand', '{supervisor,planner,manager,admin}'),
  ('orders.cancel', 'Cancel orders', '{supervisor,planner,manager,admin}'),
  ('orders.acknowledge', 'Acknowledge changed orders', '{operator,technician,supervisor,planner,manager,admin}'),
  ('orders.undo_own', 'Take back the own last action', '{operator,technician,supervisor,planner,manager,admin}'),
  ('orders.undo_any', 'Take back older actions and those of others', '{supervisor,manager,admin}'),
  ('stations.manage', 'Add and change stations', '{manager,admin}')
) as t (p, d, r);

insert into private.scheduled_jobs (name, function_name, every) values
  ('priorities of a new plant day', 'refresh_priorities', '1 minute'),
  ('forget old scans', 'purge_scans', '10 minutes');

-- sql/M05_workflows/policies.sql

alter table public.stage_transitions enable row level security;
alter table public.stations enable row level security;
alter table private.recent_scans enable row level security;
alter table private.order_counters enable row level security;
alter table private.priority_days enable row level security;

create policy select_active on public.stage_transitions for select to authenticated using ((select private.may('plant.read')));
create policy select_active on public.stations for select to authenticated using ((select private.may('plant.read')));
grant select on public.stage_transitions, public.stations, public.stage_events to authenticated;
