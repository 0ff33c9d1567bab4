create type public.step_scan as (
  ok boolean, changed boolean, action text, message text, status integer, code text, hint text, details jsonb, event_id bigint,
  order_row public.production_orders, step public.production_order_steps, can_start numeric);
comment on type public.step_scan is
$$Answer of a scan at a work centre. action: ready (message says what can be done) or refused. A refusal carries status, code, hint and details
{expected, actual, …} like any error, is sent with that HTTP status, and is remembered as an event.$$;

create function private.floor_problem(p_order public.production_orders, p_code text, p_command private.floor_command, p_work_centre text, p_sequence integer)
returns private.problem language plpgsql stable set search_path = '' as $$
declare
  v_problem private.problem := private.order_problem(p_order, p_code);
begin
  if v_problem.status is null then
    v_problem := private.centre_problem(p_order, p_command.centre, p_work_centre);
  end if;
  if v_problem.status is null then
    v_problem := private.step_problem(p_order, p_command.centre, p_command.step, p_sequence);
  end if;
  return v_problem;
end $$;

create function private.material_problem(
  p_command private.floor_command, p_lot text, p_material text, p_material_lot text, p_gs1 jsonb)
returns private.problem language plpgsql set search_path = '' as $$
declare
  v_detail text;
  v_hint text;
  v_message text;
  v_read record;
  v_own public.lots;
  v_used public.lots;
begin
  v_own := private.lot_of_order(p_command.order_row, p_lot, p_command.actor);
  select m.sku, m.lot into v_read from private.gs1_material(p_gs1) m;
  if num_nonnulls(p_material, p_material_lot, v_read.sku, v_read.lot) > 0 then
    v_used := private.lot_of_material(p_command.order_row, (p_command.step).materials, coalesce(p_material, v_read.sku), coalesce(p_material_lot, v_read.lot));
  end if;
  perform private.share_lots(array[v_own.id, v_used.id], v_own.id);
  perform private.refuse_used_up(v_used);
  return null;
exception when others then
  get stacked diagnostics v_message = message_text, v_hint = pg_exception_hint, v_detail = pg_exception_detail;
  if sqlstate not like 'PT%' then
    raise;
  end if;
  return row(right(sqlstate, 3)::integer, v_hint, v_message, coalesce(nullif(v_detail, ''), '{}')::jsonb)::private.problem;
end $$;
comment on function private.material_problem is 'Why this lot or material may not go in here, or null: what the commands raise, as an answer that can be remembered.';

create function private.scan_here(
  p_command private.floor_command, p_code text, p_work_centre text, p_sequence integer, p_lot text, p_material text, p_material_lot text, p_gs1 jsonb)
returns public.step_scan language plpgsql set search_path = '' as $$
declare
  v_problem private.problem;
  v_step public.production_order_steps;
  v_can numeric;
begin
  if (p_command.order_row).id is not null then
    p_command.order_row := private.lock_family((p_command.order_row).id);
    p_command := private.choose_step(p_command, p_work_centre, p_sequence);
  end if;
  v_problem := case when p_work_centre is null then private.no_centre()
    else private.floor_problem(p_command.order_row, p_code, p_command, p_work_centre, p_sequence) end;
  if v_problem.status is null then
    v_problem := private.material_problem(p_command, p_lot, p_material, p_material_lot, p_gs1);
  end if;
  if v_problem.status is null then
    p_command := private.release_more(p_command, 1);
    v_problem := private.input_problem(p_command.order_row, p_command.step);
  end if;
  v_step := p_command.step;
  v_can := private.can_start(v_step);
  if v_problem.status is null and private.needs_position(v_step, v_can) then
    v_problem := private.position_problem(p_command.centre, v_step);
  end if;
  if v_problem.status is not null then
    return row(false, false, 'refused', v_problem.message, v_problem.status, 'PT' || v_problem.status, v_problem.hint, v_problem.detail, null,
      p_command.order_row, v_step, null)::public.step_scan;
  end if;
  return row(true, true, 'ready', format('%s: %s. %s can start, %s are in process.', (p_command.order_row).code, private.step_title(v_step.step), trim_scale(v_can),
    trim_scale(v_step.in_process)), 200, null, null, jsonb_build_object('step', v_step.step, 'sequence', v_step.sequence), null,
    p_command.order_row, v_step, v_can)::public.step_scan;
end $$;

create function private.answer_step_scan(p_scan public.step_scan)
returns public.step_scan language plpgsql set search_path = '' as $$
begin
  if p_scan.status <> 200 then
    perform set_config('response.status', p_scan.status::text, true);
  end if;
  return p_scan;
end $$;
comment on function private.answer_step_scan is 'A refusal returns normally, so that its event commits, and still is an HTTP error.';

create function private.check_scan(p_code text, p_work_centre text, p_lot text, p_material text, p_material_lot text, p_gs1 jsonb)
returns void language plpgsql immutable set search_path = '' as $$
begin
  perform private.check_length(t.field, t.said, t.most)
     from (values ('p_code', p_code, 200), ('p_work_centre', p_work_centre, 200), ('p_lot', p_lot, 200), ('p_material', p_material, 200),
       ('p_material_lot', p_material_lot, 200), ('p_gs1', p_gs1::text, 10000)) as t (field, said, most);
end $$;
comment on function private.check_scan is 'What is scanned is remembered in an event: no code is that long. Errors: request.too_long (422).';

create function public.scan_step(
  p_code text, p_work_centre text, p_sequence integer default null, p_lot text default null, p_material text default null,
  p_material_lot text default null, p_gs1 jsonb default null, p_request_id uuid default null)
returns public.step_scan language plpgsql security definer set search_path = '' as $$
declare
  v_code text := private.clean_code(p_code);
  v_command private.floor_command;
  v_scan public.step_scan;
  v_facts jsonb;
  v_site text;
begin
  v_command.order_row := (select o from public.production_orders o where o.code = v_code);
  v_site := coalesce((v_command.order_row).site, (select w.site from public.work_centres w where w.code = p_work_centre), private.caller_site(null, null));
  v_command.actor := private.authorize('production.run', (v_command.order_row).store, v_site);
  perform private.check_scan(p_code, p_work_centre, p_lot, p_material, p_material_lot, p_gs1);
  v_command.answer := private.replay(v_command.actor, p_request_id, 'scan_step', jsonb_build_array(p_code, p_work_centre, p_sequence, p_lot, p_material,
    p_material_lot, p_gs1));
  if v_command.answer is not null then
    return private.answer_step_scan(jsonb_populate_record(null::public.step_scan, v_command.answer));
  end if;
  v_scan := private.scan_here(v_command, v_code, p_work_centre, p_sequence, p_lot, p_material, p_material_lot, p_gs1);
  v_facts := jsonb_strip_nulls(jsonb_build_object('lot', p_lot, 'material', p_material, 'material_lot', p_material_lot, 'gs1', p_gs1));
  if v_scan.ok then
    v_scan.event_id := private.emit_floor(v_scan.order_row, 'production.scanned', v_command.actor, v_scan.step, p_work_centre,
      v_facts || jsonb_build_object('quantity', trim_scale(v_scan.can_start)));
  elsif v_site is not null then   -- nothing that is known, and which site it was is not: nobody is told
    v_scan.event_id := private.emit('production_order', coalesce((v_scan.order_row).code, v_code, ''), 'production.scan_refused', v_command.actor,
      v_facts || v_scan.details || jsonb_build_object('reason', v_scan.hint, 'message', v_scan.message, 'work_centre', p_work_centre,
        'version', (v_scan.order_row).version), (v_scan.order_row).store, v_site);
  end if;
  perform private.remember(v_command.actor, p_request_id, to_jsonb(v_scan));
  return private.answer_step_scan(v_scan);
end $$;
comment on function public.scan_step is
$$The code of an order was scanned at a work centre: may it be worked on here and now, and how many pieces can start? Checks the order, the step, p_lot (a lot of
the order), and the raw material: p_material (SKU), p_material_lot, or p_gs1 {ais, alternatives, …} as the service edge read it from a GS1 code. Counts nothing.
The label of the order came out: whoever scans it has it in the hand.
Permission: production.run at its site and in its store.
Errors (answered with their HTTP status and remembered as event production.scan_refused, with expected and actual): production.unknown (404),
production.closed, production.not_released (409), work_centre.unknown (404), work_centre.other_site, work_centre.disabled (409), production.no_step (404),
production.which_step (422), production.wrong_step, production.wrong_work_centre, production.previous_step, production.parts_missing,
production.step_completed, work_centre.full (409), lot.unknown (404), lot.other_order, lot.other_site, lot.removed, lot.used_up, lot.ambiguous (409), lot.on_hold (423),
production.wrong_material (409), item.unknown (404), gs1.unreadable (422), gs1.unknown_item (404), gs1.ambiguous (409); raised: request.too_long (422), request.reused (422).
Idempotency: by p_request_id: a repeat answers the first event.
Locks: the root, its open replenishments and the order; the work centre, shared; the lots, shared; the items of the order; last the job of its label.$$;

grant execute on function public.scan_step to authenticated, service_role;
