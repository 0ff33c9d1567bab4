-- One command on a released order: begin_floor → book_pieces → finish_floor.

create type public.routed_change as (
  changed boolean, event_id bigint, order_row public.production_orders, progress public.production_order_progress,
  step public.production_order_steps, notices jsonb, count_id bigint);
comment on type public.routed_change is
$$Answer of a command on a routed order: did it change anything, its event, the order, its progress and the step now (null for commands on the whole
order), notices [{code, message, details}] on what came of it, count_id: what undo_production takes back (null: nothing was counted).$$;

create type private.problem as (status integer, hint text, message text, detail jsonb);
comment on type private.problem is 'Why something may not be done; a null status when it may. Raised by a command, answered by a scan.';

create type private.floor_command as (
  actor uuid, request_id uuid, answer jsonb, order_row public.production_orders, centre public.work_centres,
  step public.production_order_steps, lot_id bigint);

create function private.floor_refusal(p_status integer, p_hint text, p_message text, p_detail jsonb)
returns private.problem language plpgsql immutable set search_path = '' as $$
begin
  return row(p_status, p_hint, p_message, p_detail)::private.problem;
end $$;

create function private.refuse(p_problem private.problem)
returns void language plpgsql volatile set search_path = '' as $$
begin
  if p_problem.status is not null then
    perform private.fail(p_problem.status, p_problem.hint, p_problem.message, p_problem.detail);
  end if;
end $$;

-- Locks --------------------------------------------------------------------------------------------------------------

create function private.stock_of_order(p_order public.production_orders)
returns text[] language plpgsql stable set search_path = '' as $$
declare
  v_root public.production_orders := (select o from public.production_orders o where o.id = private.root_of(p_order.id));
begin
  return array(
    with mine as (
      select u as sku from unnest(private.order_skus(p_order.id) || private.order_skus(v_root.id) || v_root.product_sku || p_order.product_sku) u
    )
    select m.sku from mine m where m.sku is not null
    union
    select e.sku from mine m join public.routings r on r.sku = m.sku and r.is_active cross join lateral private.explode(m.sku, 1) e
    order by 1);
end $$;
comment on function private.stock_of_order is
'All items that a command on the order can move or promise: its parts and product, those of its root, and the parts of what is made in the house.';

create function private.lock_order_stock(p_order public.production_orders)
returns void language plpgsql set search_path = '' as $$
begin
  perform private.lock_stock(private.stock_of_order(p_order));
end $$;
comment on function private.lock_order_stock is
  'The first lock on stock that a command on an order takes, and the only one: all of it at once, so that two commands never wait for each other.';

create function private.lock_own_lot(p_order public.production_orders, p_lot text, p_actor uuid, p_is_leaving boolean default false)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_lot public.lots := private.lot_of_order(p_order, p_lot, p_actor);
begin
  perform private.share_lots(array[v_lot.id], v_lot.id, p_is_leaving);
  perform 1 from public.production_lots l where l.lot_id = v_lot.id for update;
  return v_lot.id;
end $$;
comment on function private.lock_own_lot is
$$The lot that pieces are counted into. p_is_leaving: all of them are bad (scrap, return, hold), which is how pieces of a lot on hold end too; what goes on is
refused. Errors: those of lot_of_order; lot.on_hold (423), lot.removed (409). Locks: the lot, then its balance.$$;

-- May it be done here and now? ----------------------------------------------------------------------------------------

create function private.order_problem(p_order public.production_orders, p_code text)
returns private.problem language plpgsql stable set search_path = '' as $$
begin
  if p_order.id is null then
    return private.floor_refusal(404, 'production.unknown', 'There is no production order ' || coalesce(p_code, '') || '.', jsonb_build_object('code', p_code));
  elsif p_order.status in ('CLOSED', 'CANCELLED') then
    return private.floor_refusal(409, 'production.closed', format('The order %s is %s.', p_order.code, lower(p_order.status)),
      jsonb_build_object('code', p_order.code, 'status', p_order.status, 'expected', 'open', 'actual', p_order.status));
  elsif not p_order.is_routed then
    return private.floor_refusal(409, 'production.not_released', format('The order %s is not released yet. Ask a planner.', p_order.code),
      jsonb_build_object('code', p_order.code));
  end if;
  return null;
end $$;

create function private.centre_problem(p_order public.production_orders, p_centre public.work_centres, p_said text)
returns private.problem language plpgsql stable set search_path = '' as $$
begin
  if p_said is null then
    return null;
  elsif p_centre.code is null then
    return private.floor_refusal(404, 'work_centre.unknown', 'There is no work centre ' || p_said || '.', jsonb_build_object('work_centre', p_said));
  elsif p_centre.site <> p_order.site then
    return private.floor_refusal(409, 'work_centre.other_site', format('%s stands at %s; the order is made at %s.', p_centre.code, p_centre.site, p_order.site),
      jsonb_build_object('expected', p_order.site, 'actual', p_centre.site));
  elsif not p_centre.is_enabled or not p_centre.is_active then
    return private.floor_refusal(409, 'work_centre.disabled', format('%s is out of use: %s. Ask for it to be enabled.', p_centre.title,
      coalesce(p_centre.disabled_reason, 'not in use any more')), jsonb_build_object('work_centre', p_centre.code, 'reason', p_centre.disabled_reason,
      'since', p_centre.disabled_at));
  end if;
  return null;
end $$;

create function private.refuse_paused(p_order public.production_orders, p_step public.production_order_steps)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_step.status = 'PAUSED' then
    perform private.fail(409, 'production.step_paused', format('%s of %s is paused. Start it again first.', private.step_title(p_step.step), p_order.code),
      jsonb_build_object('sequence', p_step.sequence, 'reason', p_step.pause_reason));
  end if;
end $$;

create function private.may_use_centre(p_step public.production_order_steps, p_centre text)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return p_step.work_centre is null or p_centre is null or p_step.work_centre = p_centre or exists (
    select from public.approvals a
     where a.type = 'SPECIAL_OPERATION' and a.operation = 'other_work_centre' and a.status = 'APPROVED' and a.work_centre = p_centre
       and a.order_id = p_step.order_id and coalesce(a.sequence, p_step.sequence) = p_step.sequence);
end $$;
comment on function private.may_use_centre is 'The work centre that the routing names, any when it names none, or another one that was approved for this order.';

create function private.step_problem(
  p_order public.production_orders, p_centre public.work_centres, p_step public.production_order_steps, p_sequence integer)
returns private.problem language plpgsql stable set search_path = '' as $$
declare
  v_open text[];
begin
  if p_sequence is not null and p_step.order_id is null then
    return private.floor_refusal(404, 'production.no_step', format('The order %s has no step %s.', p_order.code, p_sequence),
      jsonb_build_object('code', p_order.code, 'sequence', p_sequence));
  elsif p_step.order_id is null and p_centre.code is null then
    return private.floor_refusal(422, 'production.which_step', 'Say at which step or work centre.', jsonb_build_object('field', 'p_sequence'));
  elsif p_step.order_id is null or p_step.step <> p_centre.step then
    v_open := array(select s.step from public.production_order_steps s where s.order_id = p_order.id
      and (s.sequence = p_sequence or p_sequence is null and s.status <> 'COMPLETED') order by s.sequence);
    return private.floor_refusal(409, 'production.wrong_step', format('%s does %s; %s needs %s.', p_centre.title, private.step_title(p_centre.step), p_order.code,
      coalesce((select string_agg(private.step_title(s.step), ', ' order by s.n) from unnest(v_open) with ordinality as s (step, n)), 'nothing more')), jsonb_build_object('expected', v_open, 'actual', p_centre.step));
  elsif not private.may_use_centre(p_step, p_centre.code) then
    return private.floor_refusal(409, 'production.wrong_work_centre', format('%s of %s is made at %s, not at %s. Another place takes an approval.',
      private.step_title(p_step.step), p_order.code,
      p_step.work_centre, p_centre.code), jsonb_build_object('expected', p_step.work_centre, 'actual', p_centre.code));
  end if;
  return null;
end $$;

create function private.can_start(p_step public.production_order_steps)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return case when p_step.is_ended then 0 else greatest(least(p_step.released, coalesce((select b.good from public.production_order_steps b
    where b.order_id = p_step.order_id and b.sequence < p_step.sequence order by b.sequence desc limit 1), p_step.released)) - p_step.started, 0) end;
end $$;
comment on function private.can_start is 'Pieces that may start at the step now: released (with their sets), and good at the step before.';

create function private.step_done(p_order public.production_orders, p_step public.production_order_steps)
returns private.problem language plpgsql stable set search_path = '' as $$
begin
  return private.floor_refusal(409, 'production.step_completed', format('%s of %s is completed.', private.step_title(p_step.step), p_order.code),
    jsonb_build_object('sequence', p_step.sequence, 'step', p_step.step));
end $$;

create function private.parts_problem(p_order public.production_orders, p_step public.production_order_steps, p_missing jsonb)
returns private.problem language plpgsql stable set search_path = '' as $$
begin
  return private.floor_refusal(409, 'production.parts_missing', format('%s of %s waits for parts: %s.', private.step_title(p_step.step), p_order.code,
    coalesce((select string_agg(format('%s of %s', m ->> 'missing', m ->> 'sku'), ', ') from jsonb_array_elements(p_missing) m), 'nothing is released')),
    jsonb_build_object('sequence', p_step.sequence, 'missing', p_missing));
end $$;

create function private.input_problem(p_order public.production_orders, p_step public.production_order_steps)
returns private.problem language plpgsql stable set search_path = '' as $$
declare
  v_before public.production_order_steps;
begin
  if p_step.in_process > 0 or private.can_start(p_step) > 0 then
    return null;
  elsif p_step.status = 'COMPLETED' then
    return private.step_done(p_order, p_step);
  end if;
  select b.* into v_before from public.production_order_steps b
    where b.order_id = p_step.order_id and b.sequence < p_step.sequence order by b.sequence desc limit 1;
  if v_before.good <= p_step.started then
    return private.floor_refusal(409, 'production.previous_step', format('%s waits for good pieces from %s: %s.',
      private.step_title(p_step.step), private.step_title(v_before.step),
      case when v_before.good = 0 then 'none came yet' else 'the ' || trim_scale(v_before.good) || ' that came are started' end), jsonb_build_object('expected', v_before.step,
      'good', trim_scale(v_before.good), 'started', trim_scale(p_step.started), 'actual', p_step.step));
  end if;
  return private.parts_problem(p_order, p_step, (select w -> 'missing' from public.production_order_progress p, jsonb_array_elements(p.waits_for) w
    where p.order_id = p_order.id and (w ->> 'sequence')::integer = p_step.sequence));
end $$;
comment on function private.input_problem is 'Why nothing can be done at the step now: completed, nothing good from the step before, no complete set of parts.';

-- Begin and end ------------------------------------------------------------------------------------------------------

create function private.pick_step(p_order_id bigint, p_centre public.work_centres, p_sequence integer)
returns public.production_order_steps language plpgsql stable set search_path = '' as $$
begin
  return (
    select s from public.production_order_steps s
     where s.order_id = p_order_id and (s.sequence = p_sequence or p_sequence is null and s.step = p_centre.step)
     order by private.may_use_centre(s, p_centre.code) desc, s.status <> 'COMPLETED' desc, (s.in_process > 0 or private.can_start(s) > 0) desc, s.sequence
     limit 1);
end $$;
comment on function private.pick_step is
  'The step that was named, else the first one of the order that this work centre does and that can go on; a null row when there is none.';

create function private.begin_family(p_permission text, p_code text, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.floor_command language plpgsql set search_path = '' as $$
declare
  v_found private.production_command := private.find_production(p_permission, p_code);
  v_command private.floor_command;
begin
  v_command.actor := v_found.actor;
  v_command.request_id := p_request_id;
  v_command.answer := private.replay(v_command.actor, p_request_id, p_rpc, p_args);
  v_command.order_row := case when v_command.answer is null then private.lock_family((v_found.order_row).id) else v_found.order_row end;
  return v_command;
end $$;
comment on function private.begin_family is
$$Guard, replay and lock for a command on an order that is made step by step. answer is set when this is a repeat. Errors: those of authorize,
production.unknown (404), request.reused (422). Locks: the root, its open replenishments and the order, by id.$$;

create function private.begin_floor(
  p_permission text, p_code text, p_work_centre text, p_sequence integer, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.floor_command language plpgsql set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_family(p_permission, p_code, p_request_id, p_rpc, p_args);
begin
  if v_command.answer is null then
    perform private.refuse(private.order_problem(v_command.order_row, p_code));
    v_command := private.choose_step(v_command, p_work_centre, p_sequence);
    perform private.refuse(private.centre_problem(v_command.order_row, v_command.centre, p_work_centre));
    perform private.refuse(private.step_problem(v_command.order_row, v_command.centre, v_command.step, p_sequence));
  end if;
  return v_command;
end $$;
comment on function private.begin_floor is
$$Guard, replay, locks and place for a command at a step of a released order. answer is set when this is a repeat.
Errors: those of authorize, production.unknown (404), production.closed, production.not_released (409), work_centre.unknown (404), work_centre.other_site,
work_centre.disabled (409), production.no_step (404), production.which_step (422), production.wrong_step, production.wrong_work_centre (409),
request.reused (422). Locks: the root, its open replenishments and the order, by id; the work centre, shared.$$;

create function private.choose_step(p_command private.floor_command, p_work_centre text, p_sequence integer)
returns private.floor_command language plpgsql set search_path = '' as $$
begin
  select w into p_command.centre from public.work_centres w where w.code = p_work_centre for share;
  p_command.step := private.pick_step((p_command.order_row).id, p_command.centre, p_sequence);
  return p_command;
end $$;

create function private.emit_floor(
  p_order public.production_orders, p_event text, p_actor uuid, p_step public.production_order_steps, p_work_centre text, p_payload jsonb default '{}')
returns bigint language plpgsql set search_path = '' as $$
begin
  return private.emit('production_order', p_order.code, p_event, p_actor, jsonb_strip_nulls(jsonb_build_object('step', p_step.step,
    'sequence', p_step.sequence, 'work_centre', p_work_centre)) || p_payload || jsonb_build_object('version',
    (select o.version from public.production_orders o where o.id = p_order.id)), p_order.store, p_order.site);
end $$;

create function private.count_of_command(p_order_id bigint, p_sequence integer)
returns bigint language plpgsql stable set search_path = '' as $$
declare
  v_last public.piece_counts := (select c from public.piece_counts c where c.order_id = p_order_id and c.sequence = p_sequence order by c.id desc limit 1);
begin
  return case when v_last.command::text = current_setting('takt.command', true) and v_last.reverses is null then v_last.id end;
end $$;
comment on function private.count_of_command is 'The last count that this command booked at a step; null when it booked none.';

create function private.finish_floor(p_command private.floor_command, p_changed boolean, p_event_id bigint default null, p_notices jsonb default null)
returns public.routed_change language plpgsql set search_path = '' as $$
declare
  v_change public.routed_change;
begin
  if p_command.answer is not null then
    return jsonb_populate_record(null::public.routed_change, p_command.answer);
  end if;
  v_change.changed := p_changed;
  v_change.event_id := p_event_id;
  v_change.notices := coalesce(p_notices, '[]');
  v_change.order_row := (select o from public.production_orders o where o.id = (p_command.order_row).id);
  v_change.progress := (select p from public.production_order_progress p where p.order_id = (p_command.order_row).id);
  v_change.step := (select s from public.production_order_steps s
    where s.order_id = (p_command.order_row).id and s.sequence = (p_command.step).sequence);
  v_change.count_id := private.count_of_command((p_command.order_row).id, (p_command.step).sequence);
  perform private.remember(p_command.actor, p_command.request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function private.finish_floor is 'What is now, remembered for repeats; the stored answer when this is one.';
