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
