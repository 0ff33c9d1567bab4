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
