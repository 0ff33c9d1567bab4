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
