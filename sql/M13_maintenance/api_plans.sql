-- Preventive plans, their work orders and checklists.

create function private.check_plan_items(p_items jsonb)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if jsonb_typeof(p_items) is distinct from 'array' or jsonb_array_length(p_items) > 200 or exists (
    select from jsonb_array_elements(p_items) i where jsonb_typeof(i) <> 'object' or coalesce(trim(i ->> 'title'), '') = ''
      or jsonb_typeof(coalesce(i -> 'lower', 'null')) not in ('number', 'null') or jsonb_typeof(coalesce(i -> 'upper', 'null')) not in ('number', 'null')
      or coalesce(i ->> 'lower', i ->> 'upper') is not null and coalesce(i ->> 'unit', '') = ''
      or (i ->> 'lower')::numeric > (i ->> 'upper')::numeric) then
    perform private.fail(422, 'plan.items', 'Say the checklist like [{"title": "Belt tight?"}, {"title": "Oil pressure", "unit": "bar", "lower": 2, "upper": 4}].',
      jsonb_build_object('field', 'p_items'));
  end if;
end $$;

create function private.write_plan_items(p_plan_id bigint, p_items jsonb)
returns void language plpgsql set search_path = '' as $$
begin
  delete from public.maintenance_plan_items i where i.plan_id = p_plan_id;
  insert into public.maintenance_plan_items (plan_id, position, title, unit, lower, upper)
  select p_plan_id, x.n, trim(x.item ->> 'title'), nullif(x.item ->> 'unit', ''), (x.item ->> 'lower')::numeric, (x.item ->> 'upper')::numeric
    from jsonb_array_elements(p_items) with ordinality as x (item, n);
end $$;

create type public.plan_change as (changed boolean, event_id bigint, plan public.maintenance_plans, items jsonb);
comment on type public.plan_change is 'A plan now, with its checklist [{position, title, unit, lower, upper}].';

create function private.plan_items(p_plan_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select jsonb_agg(to_jsonb(i) - 'plan_id' order by i.position) from public.maintenance_plan_items i where i.plan_id = p_plan_id), '[]');
end $$;

create function private.write_plan(p_plan public.maintenance_plans, p_actor uuid)
returns public.maintenance_plans language plpgsql set search_path = '' as $$
declare
  v_plan public.maintenance_plans;
begin
  if p_plan.id is null then
    insert into public.maintenance_plans as p (machine, title, instructions, based_on, every, lead, is_down, done_at, done_count, is_active, created_by)
    values (p_plan.machine, p_plan.title, p_plan.instructions, p_plan.based_on, p_plan.every, coalesce(p_plan.lead, 0), coalesce(p_plan.is_down, true),
      coalesce(p_plan.done_at, now()), private.counter_of(p_plan.machine, p_plan.based_on), coalesce(p_plan.is_active, true),
      nullif(p_actor, '00000000-0000-0000-0000-000000000000')) returning p.* into v_plan;
  else
    update public.maintenance_plans p
       set title = p_plan.title, instructions = p_plan.instructions, every = p_plan.every, lead = p_plan.lead, is_down = p_plan.is_down,
           done_at = p_plan.done_at, is_active = p_plan.is_active
     where p.id = p_plan.id returning p.* into v_plan;
  end if;
  return v_plan;
end $$;

create function public.save_maintenance_plan(
  p_machine text, p_title text, p_based_on text default null, p_every numeric default null, p_items jsonb default null, p_instructions text default null,
  p_lead numeric default null, p_is_down boolean default null, p_done_at timestamptz default null, p_is_active boolean default null,
  p_request_id uuid default null)
returns public.plan_change language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := (select m from public.machines m where m.code = p_machine);
  v_actor uuid := private.authorize('maintenance.manage', null, v_machine.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_maintenance_plan', jsonb_build_array(p_machine, p_title, p_based_on, p_every, p_items,
    p_instructions, p_lead, p_is_down, p_done_at, p_is_active));
  v_plan public.maintenance_plans;
  v_change public.plan_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.plan_change, v_answer);
  end if;
  perform private.find_machine(p_machine);
  perform private.lock_machine(p_machine);
  select p.* into v_plan from public.maintenance_plans p where p.machine = p_machine and p.title = p_title for update;
  perform private.check_choice('p_based_on', coalesce(p_based_on, v_plan.based_on), '{calendar,run_hours,cycles}');
  if p_based_on <> v_plan.based_on then
    perform private.fail(409, 'plan.based_on', 'A plan keeps what it counts. Make another one.', jsonb_build_object('expected', v_plan.based_on, 'actual', p_based_on));
  end if;
  v_plan.machine := p_machine; v_plan.title := p_title; v_plan.based_on := coalesce(p_based_on, v_plan.based_on);
  v_plan.every := coalesce(p_every, v_plan.every); v_plan.lead := coalesce(p_lead, v_plan.lead, 0); v_plan.is_down := coalesce(p_is_down, v_plan.is_down);
  v_plan.instructions := coalesce(p_instructions, v_plan.instructions); v_plan.is_active := coalesce(p_is_active, v_plan.is_active);
  v_plan.done_at := coalesce(p_done_at, v_plan.done_at);
  perform private.check_plan_interval(v_plan);
  v_plan := private.write_plan(v_plan, v_actor);
  if p_items is not null then
    perform private.check_plan_items(p_items);
    perform private.write_plan_items(v_plan.id, p_items);
  end if;
  v_change := row(true, private.emit('machine', p_machine, 'maintenance_plan.saved', v_actor, jsonb_build_object('plan_id', v_plan.id, 'version', v_plan.version,
    'title', p_title, 'based_on', v_plan.based_on, 'every', v_plan.every, 'is_active', v_plan.is_active), null, v_machine.site), v_plan,
    private.plan_items(v_plan.id))::public.plan_change;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.save_maintenance_plan is
$$Add or change the plan p_title of a machine (null: as it is). p_based_on calendar (p_every days), run_hours or cycles (so many on); p_lead: so much
earlier the work order opens; p_done_at: when it was done last (default: now); p_items the checklist [{title, unit, lower, upper}], with a unit where
something is measured. Work orders that are open keep the checklist they opened with.
Permission: maintenance.manage at the site of the machine.
Errors: machine.unknown (404), repair.choice (422), plan.based_on (409), plan.interval (422), plan.items (422), request.reused (422); constraints by name.
Idempotency: by p_request_id; the same again changes nothing but the version.
Locks: the machine, then the plan.$$;

create function private.check_plan_interval(p_plan public.maintenance_plans)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if (p_plan.every > 0 and p_plan.every < 100000000 and p_plan.lead >= 0 and p_plan.lead < p_plan.every) is not true
     or p_plan.based_on = 'calendar' and (p_plan.every > 36500 or p_plan.every <> round(p_plan.every) or p_plan.lead <> round(p_plan.lead)) then
    perform private.fail(422, 'plan.interval', 'Say after how much it is due (whole days for a calendar plan), and a smaller lead.',
      jsonb_build_object('every', p_plan.every, 'lead', p_plan.lead));
  end if;
end $$;

create function private.open_work_order(p_plan public.maintenance_plans, p_actor uuid)
returns public.repairs language plpgsql set search_path = '' as $$
declare
  v_order public.repairs;
begin
  v_order.machine := p_plan.machine; v_order.type := 'scheduled'; v_order.source := 'plan'; v_order.plan_id := p_plan.id; v_order.is_down := p_plan.is_down;
  v_order.description := concat_ws(e'\n', p_plan.title, p_plan.instructions); v_order.occurred_at := now(); v_order.reported_at := now();
  v_order := private.open_repair(v_order, p_actor);
  insert into public.repair_checks (repair_id, position, title, unit, lower, upper)
  select v_order.id, i.position, i.title, i.unit, i.lower, i.upper from public.maintenance_plan_items i where i.plan_id = p_plan.id;
  return v_order;
end $$;
comment on function private.open_work_order is 'The work order of a plan of a locked machine, with a copy of its checklist. The caller emits.';

create function private.open_due_work_orders(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_plan public.maintenance_plans;
begin
  for v_plan in
    select p.* from public.maintenance_plans p join public.machines m on m.code = p.machine
     where p.is_active and m.is_active and private.is_plan_due(p, p_now)
       and not exists (select from public.repairs r where r.plan_id = p.id and r.is_open)
     order by p.machine, p.id
  loop
    continue when not private.spare_machine(v_plan.machine);
    begin
      select p.* into v_plan from public.maintenance_plans p where p.id = v_plan.id;   -- it may have been done in between
      if private.is_plan_due(v_plan, p_now) and not exists (select from public.repairs r where r.plan_id = v_plan.id and r.is_open) then
        perform private.emit_repair(private.open_work_order(v_plan, null), 'repair.due', null);
      end if;
      perform private.note_trouble('open_due_work_orders', v_plan.machine, null);
    exception when others then
      perform private.note_trouble('open_due_work_orders', v_plan.machine, sqlerrm);
    end;
  end loop;
end $$;
comment on function private.open_due_work_orders is
  'A job of the clock: a work order for every plan that is due and has none open. Locks: machines by code; those that somebody holds have their turn later.';

create function public.start_work_order(p_plan_id bigint, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_plan public.maintenance_plans := (select p from public.maintenance_plans p where p.id = p_plan_id);
  v_machine public.machines := (select m from public.machines m where m.code = v_plan.machine);
  v_actor uuid := private.authorize('maintenance.work', null, v_machine.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'start_work_order', jsonb_build_array(p_plan_id));
  v_change public.repair_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.repair_change, v_answer);
  elsif v_plan.id is null then
    perform private.fail(404, 'plan.unknown', 'There is no such plan.', jsonb_build_object('id', p_plan_id));
  end if;
  v_machine := private.lock_machine(v_plan.machine);
  perform private.refuse_idle_machine(v_machine);
  v_change.repair := (select r from public.repairs r where r.plan_id = p_plan_id and r.is_open);
  v_change.changed := (v_change.repair).id is null;
  if v_change.changed then
    v_change.repair := private.open_work_order(v_plan, v_actor);
    v_change.event_id := private.emit_repair(v_change.repair, 'repair.due', v_actor, '{"early": true}');
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.start_work_order is
$$Opens the work order of a plan before it is due; the one that is open already is answered as it is.
Permission: maintenance.work at the site of the machine.
Errors: plan.unknown (404), machine.inactive (409), request.reused (422).
Idempotency: by p_request_id; one that is open answers changed = false.
Locks: the machine.$$;

create function private.repair_of_check(p_order public.repairs, p_check public.repair_checks, p_actor uuid)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_repair public.repairs;
begin
  v_repair.machine := p_order.machine; v_repair.type := 'unscheduled'; v_repair.source := 'checklist'; v_repair.found_by := p_order.id;
  v_repair.description := concat_ws(e'\n', p_check.title, case when p_check.value is not null then trim_scale(p_check.value) || ' ' || p_check.unit end, p_check.note);
  v_repair.is_down := false; v_repair.occurred_at := now(); v_repair.reported_at := now();
  v_repair := private.open_repair(v_repair, p_actor);
  perform private.emit_repair(v_repair, 'repair.reported', p_actor, jsonb_build_object('source', 'checklist', 'found_by', p_order.id));
  return v_repair.id;
end $$;
comment on function private.repair_of_check is 'What failed on a checklist becomes a repair of its own. The machine runs until somebody says otherwise.';

create function public.record_check(
  p_id bigint, p_position integer, p_result text default null, p_value numeric default null, p_note text default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'record_check',
    jsonb_build_array(p_id, p_position, p_result, p_value, p_note));
  v_check public.repair_checks := (select c from public.repair_checks c where c.repair_id = p_id and c.position = p_position);
  v_result text := p_result;
begin
  if v_command.answer is not null then
    return private.finish_repair(v_command, null);
  elsif v_check.repair_id is null then
    perform private.fail(404, 'check.unknown', 'The checklist has no such line.', jsonb_build_object('id', p_id, 'position', p_position));
  end if;
  if v_check.unit is not null and p_value is not null then   -- what was measured says by itself whether it is right
    v_result := case when p_value < v_check.lower or p_value > v_check.upper then 'fail' else 'ok' end;
  end if;
  perform private.check_check(v_command.repair, v_check, v_result, p_value, p_note);
  if v_check.result = v_result and v_check.value is not distinct from p_value and v_check.note is not distinct from p_note then
    return private.finish_repair(v_command, null);
  end if;
  v_check.value := p_value; v_check.note := p_note;
  update public.repair_checks c
     set result = v_result, value = p_value, note = p_note, done_by = v_command.actor, done_at = now(), failed_repair_id = case when v_result = 'fail'
           then coalesce(c.failed_repair_id, private.repair_of_check(v_command.repair, v_check, v_command.actor)) end
   where c.repair_id = p_id and c.position = p_position returning c.* into v_check;
  return private.finish_repair(v_command, 'repair.checked', jsonb_build_object('position', p_position, 'result', v_result, 'failed_repair_id', v_check.failed_repair_id));
end $$;
comment on function public.record_check is
$$One line of the checklist of a work order that is in repair: p_result ok, fail or skipped (with p_note why); of what is measured p_value, and its
limits say whether it is right. What fails becomes a repair of its own, once.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), check.unknown (404), repair.status (409), repair.choice (422), check.value (422), repair.why (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; the same again answers changed = false.
Locks: the machine, then the repair.$$;

create function private.check_check(p_order public.repairs, p_check public.repair_checks, p_result text, p_value numeric, p_note text)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_order.status not in ('in_repair', 'waiting') then
    perform private.fail(409, 'repair.status', 'Start the work order first.', jsonb_build_object('actual', p_order.status, 'expected', array['in_repair', 'waiting']));
  end if;
  perform private.check_choice('p_result', p_result, '{ok,fail,skipped}');
  perform private.check_length('p_note', p_note, 1000);
  if p_check.unit is not null and p_value is null and p_result <> 'skipped' or p_check.unit is null and p_value is not null or p_value = 'NaN' then
    perform private.fail(422, 'check.value', case when p_check.unit is null then 'Nothing is measured here.' else 'Enter what was measured, in ' || p_check.unit || '.' end,
      jsonb_build_object('field', 'p_value', 'unit', p_check.unit));
  elsif p_result = 'skipped' and coalesce(trim(p_note), '') = '' then
    perform private.fail(422, 'repair.why', 'Say why it was not looked at.', jsonb_build_object('field', 'p_note'));
  end if;
end $$;

grant execute on function public.save_maintenance_plan to authenticated, service_role;
grant execute on function public.start_work_order, public.record_check to authenticated;
