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
