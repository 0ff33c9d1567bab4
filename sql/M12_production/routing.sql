-- What a planner sets up: kinds of work, work centres, how items are made.

create function public.save_process_step(
  p_code text, p_title text default null, p_sequence integer default null, p_kind text default null, p_needs_complete_sets boolean default null,
  p_is_active boolean default null, p_request_id uuid default null)
returns public.process_steps language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.setup');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_process_step', jsonb_build_array(p_code, p_title, p_sequence, p_kind,
    p_needs_complete_sets, p_is_active));
  v_old public.process_steps;
  v_step public.process_steps;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.process_steps, v_answer);
  end if;
  select s.* into v_old from public.process_steps s where s.code = p_code for update;
  if v_old.code is null then
    insert into public.process_steps as s (code, title, sequence, kind, needs_complete_sets, is_active)
    values (p_code, coalesce(p_title, p_code), coalesce(p_sequence, (select coalesce(max(s.sequence), 0) + 10 from public.process_steps s)),
      coalesce(p_kind, 'process'), coalesce(p_needs_complete_sets, p_kind in ('assemble', 'paint'), false), coalesce(p_is_active, true))
    returning s.* into v_step;
  else
    update public.process_steps s
       set title = coalesce(p_title, s.title), sequence = coalesce(p_sequence, s.sequence), kind = coalesce(p_kind, s.kind),
           needs_complete_sets = coalesce(p_needs_complete_sets, s.needs_complete_sets), is_active = coalesce(p_is_active, s.is_active)
     where s.code = p_code and (s.title, s.sequence, s.kind, s.needs_complete_sets, s.is_active) is distinct from (coalesce(p_title, s.title),
       coalesce(p_sequence, s.sequence), coalesce(p_kind, s.kind), coalesce(p_needs_complete_sets, s.needs_complete_sets), coalesce(p_is_active, s.is_active))
    returning s.* into v_step;
  end if;
  if v_step.code is not null then
    perform private.emit('process_step', v_step.code, 'process_step.saved', v_actor, jsonb_build_object('version', v_step.version,
      'title', v_step.title, 'needs_complete_sets', v_step.needs_complete_sets, 'is_active', v_step.is_active));
  end if;
  v_step := case when v_step.code is null then v_old else v_step end;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_step));
  return v_step;
end $$;
comment on function public.save_process_step is
$$Add or change a kind of work (null: as it is). p_kind cut, machine, finish, assemble, paint, pack, inspect or process; p_needs_complete_sets:
only complete sets of parts are released (assembly and painting: by themselves). Orders on their way keep what they were released with.
Permission: production.setup.
Errors: request.reused (422); constraints by name.
Idempotency: by p_request_id; the same again changes nothing.
Locks: the step.$$;

create function public.save_work_centre(
  p_code text, p_title text default null, p_step text default null, p_type text default null, p_site text default null, p_line text default null,
  p_capacity integer default null, p_is_active boolean default null, p_request_id uuid default null)
returns public.work_centres language plpgsql security definer set search_path = '' as $$
declare
  v_old public.work_centres := (select w from public.work_centres w where w.code = p_code);
  v_site text := coalesce(v_old.site, private.caller_site(p_site, null));
  v_actor uuid := private.authorize('production.setup', null, v_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_work_centre', jsonb_build_array(p_code, p_title, p_step, p_type, p_site, p_line,
    p_capacity, p_is_active));
  v_new public.work_centres;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.work_centres, v_answer);
  end if;
  select w.* into v_old from public.work_centres w where w.code = p_code for update;   -- as it is while nobody switches it; a release that names it goes first
  perform private.check_centre(v_old, v_site, p_site, p_step);
  if v_old.is_enabled and v_old.is_active and not p_is_active then
    perform private.fail(409, 'work_centre.in_use', format('%s is in use. Ask for it to be disabled first; once somebody else agrees, take it out of use.', v_old.title),
      jsonb_build_object('work_centre', v_old.code));
  end if;
  perform private.refuse_named_centre(p_code, p_step);
  if v_old.code is null then
    insert into public.work_centres as w (code, title, step, type, site, line, capacity, is_active)
    values (p_code, coalesce(p_title, p_code), p_step, coalesce(p_type, 'OTHER'), v_site, p_line, nullif(p_capacity, 0), coalesce(p_is_active, true))
    returning w.* into v_new;
  else
    update public.work_centres w
       set title = coalesce(p_title, w.title), step = coalesce(p_step, w.step), type = coalesce(p_type, w.type), line = coalesce(p_line, w.line),
           capacity = nullif(coalesce(p_capacity, w.capacity), 0), is_active = coalesce(p_is_active, w.is_active)
     where w.code = p_code and (w.title, w.step, w.type, w.line, w.capacity, w.is_active) is distinct from (coalesce(p_title, w.title),
       coalesce(p_step, w.step), coalesce(p_type, w.type), coalesce(p_line, w.line), nullif(coalesce(p_capacity, w.capacity), 0), coalesce(p_is_active, w.is_active))
    returning w.* into v_new;
  end if;
  if v_new.code is not null then
    perform private.emit('work_centre', v_new.code, 'work_centre.saved', v_actor, jsonb_build_object('version', v_new.version, 'step', v_new.step,
      'type', v_new.type, 'is_active', v_new.is_active), null, v_new.site);
  end if;
  v_new := case when v_new.code is null then v_old else v_new end;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_new));
  return v_new;
end $$;
comment on function public.save_work_centre is
$$Add or change a machine or bench (null: as it is). p_step: the kind of work it does; p_type OPTIMIZER, PRE_CUT, CNC, FINISHING, ASSEMBLY, PAINTING,
PACKAGING, PRESS, CALIBRATOR, BRUSH or OTHER; p_capacity: positions of its table, so many steps of orders run there at once; 0: no limit. It is enabled and disabled by
an approval, never here; only a disabled one is taken out of use (p_is_active false).
Permission: production.setup at its site.
Errors: site.unknown (404), process_step.unknown (404), work_centre.other_site, work_centre.in_use, work_centre.named (409), request.reused (422); constraints by name.
Idempotency: by p_request_id; the same again changes nothing.
Locks: the work centre.$$;

create function private.check_centre(p_old public.work_centres, p_site text, p_said text, p_step text)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_old.code is null and not exists (select from public.sites s where s.code = p_site) or p_site is null then
    perform private.fail(404, 'site.unknown', 'Say at which site it stands.', jsonb_build_object('site', p_site));
  elsif p_old.site <> p_said then
    perform private.fail(409, 'work_centre.other_site', format('%s stands at %s. Add a new one for another site.', p_old.code, p_old.site),
      jsonb_build_object('expected', p_old.site, 'actual', p_said));
  elsif not exists (select from public.process_steps s where s.code = coalesce(p_step, p_old.step)) then
    perform private.fail(404, 'process_step.unknown', 'There is no process step ' || coalesce(p_step, '') || '.', jsonb_build_object('step', p_step));
  end if;
end $$;

create function private.refuse_named_centre(p_centre text, p_step text)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_by text[] := array(
    select 'the routing of ' || r.sku from public.routing_steps s join public.routings r on r.id = s.routing_id and r.is_active
     where s.work_centre = p_centre and s.step <> p_step
    union
    select 'order ' || o.code from public.production_order_steps s join public.production_orders o on o.id = s.order_id
     where s.work_centre = p_centre and s.step <> p_step and s.status <> 'COMPLETED' and o.status not in ('CLOSED', 'CANCELLED')
     order by 1);
begin
  if v_by <> '{}' then
    perform private.fail(409, 'work_centre.named', format('%s is named for another kind of work by %s. Change that first.', p_centre,
      array_to_string(v_by[:5], ', ') || case when cardinality(v_by) > 5 then ', …' else '' end), jsonb_build_object('work_centre', p_centre, 'named_by', v_by[:50]));
  end if;
end $$;
comment on function private.refuse_named_centre is
  'Who named it would wait for ever. Errors: work_centre.named (409). The work centre is locked.';

create function private.step_title(p_step text)
returns text language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select s.title from public.process_steps s where s.code = p_step), p_step);
end $$;
comment on function private.step_title is 'The kind of work as a person reads it; its code is for programs.';

-- Routings -----------------------------------------------------------------------------------------------------------

create type public.routing_change as (changed boolean, event_id bigint, routing public.routings, steps jsonb);
comment on type public.routing_change is 'A version of a routing with its steps [{sequence, step, work_centre, setup_min, run_min, materials, instructions}].';

create function private.refuse_routing(p_fault text, p_detail jsonb)
returns void language plpgsql volatile set search_path = '' as $$
begin
  perform private.fail(422, 'routing.steps', p_fault, p_detail || jsonb_build_object('field', 'p_steps'));
end $$;

create function private.check_routing(p_steps jsonb)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_step record;
begin
  if jsonb_typeof(p_steps) is distinct from 'array' or jsonb_array_length(p_steps) not between 1 and 50
     or exists (select from jsonb_array_elements(p_steps) s where jsonb_typeof(s) <> 'object' or jsonb_typeof(s -> 'step') is distinct from 'string'
       or jsonb_typeof(s -> 'materials') not in ('array', 'null') or jsonb_typeof(s -> 'setup_min') not in ('number', 'null')
       or jsonb_typeof(s -> 'run_min') not in ('number', 'null')) then
    perform private.refuse_routing('A routing has 1 to 50 steps like {"step": "CNC", "work_centre": null, "setup_min": 10, "run_min": 1.5, "materials": ["MDF-18"]}.', '{}');
  end if;
  for v_step in
    select s.n, s.item ->> 'step' as step, s.item ->> 'work_centre' as work_centre, p.code as known, w.code as centre, w.step as centre_step
      from jsonb_array_elements(p_steps) with ordinality as s (item, n)
      left join public.process_steps p on p.code = s.item ->> 'step'
      left join public.work_centres w on w.code = s.item ->> 'work_centre'
  loop
    if v_step.known is null then
      perform private.fail(404, 'process_step.unknown', 'There is no process step ' || v_step.step || '.', jsonb_build_object('step', v_step.step));
    elsif v_step.work_centre is not null and v_step.centre is null then
      perform private.fail(404, 'work_centre.unknown', 'There is no work centre ' || v_step.work_centre || '.', jsonb_build_object('work_centre', v_step.work_centre));
    elsif v_step.centre_step <> v_step.step then
      perform private.refuse_routing(format('%s does %s, not %s.', v_step.work_centre, private.step_title(v_step.centre_step), private.step_title(v_step.step)),
        jsonb_build_object('expected', v_step.centre_step, 'actual', v_step.step, 'position', v_step.n));
    end if;
  end loop;
  perform private.refuse_routing(format('%s goes in at two steps. Name it once.', m.sku), jsonb_build_object('sku', m.sku))
     from (select (private.find_item(m)).sku as sku from jsonb_array_elements(p_steps) s,
             jsonb_array_elements_text(case jsonb_typeof(s -> 'materials') when 'array' then s -> 'materials' else '[]' end) m) m
    group by m.sku having count(*) > 1;
end $$;
comment on function private.check_routing is
  'Errors: routing.steps (422), process_step.unknown (404), work_centre.unknown (404), item.unknown (404) for a routing that cannot be followed.';

create function private.routing_answer(p_routing_id bigint, p_event_id bigint)
returns public.routing_change language plpgsql stable set search_path = '' as $$
begin
  return row(p_event_id is not null, p_event_id, (select r from public.routings r where r.id = p_routing_id),
    (select jsonb_agg(to_jsonb(s) - 'routing_id' order by s.sequence) from public.routing_steps s where s.routing_id = p_routing_id))::public.routing_change;
end $$;

create function public.save_routing(
  p_sku text, p_steps jsonb, p_note text default null, p_activate boolean default true, p_request_id uuid default null)
returns public.routing_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.setup');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_routing', jsonb_build_array(p_sku, p_steps, p_note, p_activate));
  v_item public.inventory_items;
  v_routing public.routings;
  v_change public.routing_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.routing_change, v_answer);
  end if;
  v_item := private.item_to_move(p_sku);
  perform private.check_routing(p_steps);
  perform pg_advisory_xact_lock(hashtextextended('takt routing ' || v_item.sku, 0));
  if p_activate then
    update public.routings r set is_active = false where r.sku = v_item.sku and r.is_active;
  end if;
  insert into public.routings as r (sku, version, is_active, note, created_by)
  values (v_item.sku, (select coalesce(max(r.version), 0) + 1 from public.routings r where r.sku = v_item.sku), p_activate, p_note,
    nullif(v_actor, '00000000-0000-0000-0000-000000000000')) returning r.* into v_routing;
  insert into public.routing_steps (routing_id, sequence, step, work_centre, setup_min, run_min, materials, instructions)
  select v_routing.id, s.n * 10, s.item ->> 'step', s.item ->> 'work_centre', coalesce((s.item ->> 'setup_min')::numeric, 0),
      coalesce((s.item ->> 'run_min')::numeric, 0), array(select (private.find_item(m)).sku from jsonb_array_elements_text(
        case jsonb_typeof(s.item -> 'materials') when 'array' then s.item -> 'materials' else '[]' end) m), s.item ->> 'instructions'
    from jsonb_array_elements(p_steps) with ordinality as s (item, n);
  v_change := private.routing_answer(v_routing.id, private.emit('routing', v_item.sku, 'routing.saved', v_actor,
    jsonb_build_object('version', v_routing.version, 'is_active', v_routing.is_active)));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.save_routing is
$$How an item is made from now on: a new version. p_steps [{step, work_centre (null: any of the step), setup_min (once per order), run_min (per piece),
materials [sku, …] that go in there, instructions}], in their order; they get the sequences 10, 20, 30 … Orders that are released keep their steps.
Permission: production.setup.
Errors: item.unknown (404), item.not_stocked (422), routing.steps (422), process_step.unknown (404), work_centre.unknown (404), request.reused (422);
constraints by name.
Idempotency: by p_request_id.
Locks: the routings of the item.$$;

create function public.activate_routing(p_sku text, p_version integer, p_request_id uuid default null)
returns public.routing_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.setup');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'activate_routing', jsonb_build_array(p_sku, p_version));
  v_sku text;
  v_routing public.routings;
  v_event bigint;
  v_change public.routing_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.routing_change, v_answer);
  end if;
  v_sku := (private.find_item(p_sku)).sku;
  perform pg_advisory_xact_lock(hashtextextended('takt routing ' || v_sku, 0));
  select r.* into v_routing from public.routings r where r.sku = v_sku and r.version = p_version;
  if v_routing.id is null then
    perform private.fail(404, 'routing.unknown', format('%s has no routing %s.', v_sku, p_version), jsonb_build_object('sku', v_sku, 'version', p_version));
  elsif not v_routing.is_active then
    update public.routings r set is_active = false where r.sku = v_sku and r.is_active;
    update public.routings r set is_active = true where r.id = v_routing.id;
    v_event := private.emit('routing', v_sku, 'routing.activated', v_actor, jsonb_build_object('version', p_version));
  end if;
  v_change := private.routing_answer(v_routing.id, v_event);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.activate_routing is
$$An older version of a routing is followed again by orders released from now on.
Permission: production.setup.
Errors: item.unknown (404), routing.unknown (404), request.reused (422).
Idempotency: by p_request_id; the active version again answers changed = false.
Locks: the routings of the item.$$;

grant execute on function public.save_process_step, public.save_work_centre, public.save_routing, public.activate_routing to authenticated, service_role;
