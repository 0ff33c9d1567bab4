create function public.upsert_print_machine(
  p_code text, p_name text default null, p_kind text default null, p_serial text default null, p_site text default null, p_model text default null,
  p_location text default null, p_materials text[] default null, p_work_days smallint[] default null, p_work_from time default null,
  p_work_until time default null, p_needs_plate_clear boolean default null, p_service_every_hours integer default null,
  p_is_in_maintenance boolean default null, p_is_active boolean default null, p_request_id uuid default null)
returns public.print_machines language plpgsql security definer set search_path = '' as $$
declare
  v_old public.print_machines;
  v_site text;
  v_actor uuid;
  v_answer jsonb;
  v_machine public.print_machines;
begin
  select m.* into v_old from public.print_machines m where m.code = p_code for update;
  v_site := coalesce(p_site, v_old.site, private.caller_site(null, null));
  v_actor := private.authorize('farm.manage', null, v_site);
  v_answer := private.replay(v_actor, p_request_id, 'upsert_print_machine', jsonb_build_array(p_code, p_name, p_kind, p_serial, p_site, p_model, p_location,
    p_materials, p_work_days, p_work_from, p_work_until, p_needs_plate_clear, p_service_every_hours, p_is_in_maintenance, p_is_active));
  if v_answer is not null then
    return jsonb_populate_record(null::public.print_machines, v_answer);
  end if;
  perform private.authorize('farm.manage', null, v_old.site);   -- who takes one over must have had it
  if not exists (select 1 from public.sites s where s.code = v_site) then
    perform private.fail(404, 'site.unknown', 'Say at which site the printer stands.', jsonb_build_object('site', v_site));
  elsif p_location <> '' and not exists (select 1 from public.locations l where l.code = p_location and l.site = v_site) then
    perform private.fail(404, 'location.unknown', 'There is no location ' || p_location || ' at this site.', jsonb_build_object('location', p_location));
  end if;
  insert into public.print_machines as m (code, name, site, kind, serial, model, location, materials, work_days, work_from, work_until,
    needs_plate_clear, service_every_hours, is_in_maintenance, is_active)
  values (p_code, coalesce(p_name, p_code), v_site, coalesce(p_kind, 'manual'), upper(nullif(trim(p_serial), '')), p_model, nullif(p_location, ''),
    coalesce(p_materials, '{}'), coalesce(p_work_days, '{1,2,3,4,5,6,7}'), coalesce(p_work_from, '00:00'), coalesce(p_work_until, '24:00'),
    coalesce(p_needs_plate_clear, true), p_service_every_hours, coalesce(p_is_in_maintenance, false), coalesce(p_is_active, true))
  on conflict on constraint print_machines_code_key do update
    set location = case when p_location is not null then excluded.location when m.site = v_site then m.location end, name = coalesce(p_name, m.name), site = v_site, kind = coalesce(p_kind, m.kind), serial = case when p_serial is null then m.serial else excluded.serial end,
        model = coalesce(p_model, m.model), materials = coalesce(p_materials, m.materials),
        work_days = coalesce(p_work_days, m.work_days), work_from = coalesce(p_work_from, m.work_from), work_until = coalesce(p_work_until, m.work_until),
        needs_plate_clear = coalesce(p_needs_plate_clear, m.needs_plate_clear), service_every_hours = coalesce(p_service_every_hours, m.service_every_hours),
        is_in_maintenance = coalesce(p_is_in_maintenance, m.is_in_maintenance), is_active = coalesce(p_is_active, m.is_active)
  returning m.* into v_machine;
  perform private.emit('print_machine', p_code, 'machine.saved', v_actor, jsonb_build_object('before', to_jsonb(v_old), 'after', to_jsonb(v_machine)), null, v_site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_machine));
  return v_machine;
end $$;
comment on function public.upsert_print_machine is
$$A 3D printer: added, or changed (null: as it is; an empty p_serial or p_location clears it). p_kind bambu, moonraker, prusalink, octoprint or
manual. p_location: where its parts go; a printer that moves to another site leaves it behind. p_materials it may print (empty: all). p_work_days 1 = Monday to 7, p_work_from to p_work_until: when somebody starts prints.
Permission: farm.manage at the site, and at the site it was.
Errors: site.unknown (404), location.unknown (404), request.reused (422); constraints by name (print_machines_serial_key …).
Idempotency: by p_request_id; the same values again change nothing but the version.
Locks: the printer.$$;

create function public.service_print_machine(p_code text, p_notes text default null, p_request_id uuid default null)
returns public.print_machine_counters language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.print_machines;
  v_actor uuid;
  v_answer jsonb;
  v_counters public.print_machine_counters;
begin
  select m.* into v_machine from public.print_machines m where m.code = p_code;
  v_actor := private.authorize('farm.review', null, v_machine.site);
  v_answer := private.replay(v_actor, p_request_id, 'service_print_machine', jsonb_build_array(p_code, p_notes));
  if v_answer is not null then
    return jsonb_populate_record(null::public.print_machine_counters, v_answer);
  elsif v_machine.id is null then
    perform private.fail(404, 'print_machine.unknown', 'There is no printer ' || coalesce(p_code, '') || '.', jsonb_build_object('machine', p_code));
  end if;
  perform private.check_length('p_notes', p_notes, 2000);
  insert into public.print_machine_counters as c (machine_id, serviced_at) values (v_machine.id, now())
  on conflict on constraint print_machine_counters_pkey do update
    set serviced_at = now(), jobs_at_service = c.jobs, minutes_at_service = c.print_minutes
  returning c.* into v_counters;
  perform private.emit('print_machine', p_code, 'machine.serviced', v_actor, jsonb_strip_nulls(jsonb_build_object('notes', p_notes,
    'jobs', v_counters.jobs, 'print_minutes', v_counters.print_minutes)), null, v_machine.site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_counters));
  return v_counters;
end $$;
comment on function public.service_print_machine is
$$The printer was serviced: its hours and jobs since the last service begin anew.
Permission: farm.review at its site.
Errors: print_machine.unknown (404), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a repeat without it is another service.
Locks: its counters.$$;

create type public.print_machine_row as (
  machine public.print_machines, state public.print_machine_states, is_stale boolean, owner text, parts jsonb, problem text, plates bigint[],
  counters public.print_machine_counters, service_due boolean, waiting_because text, gaps jsonb);
comment on type public.print_machine_row is
$$A printer now. is_stale: the bridge has been silent about it for 3 minutes. owner: the bridge that watches it. parts: what the running job will
give [{sku, quantity}]; problem: unmapped, unnamed or ambiguous. plates: runs whose plate has to be cleared. waiting_because: why it does not
print. gaps: the last times nobody watched [{from_at, to_at}].$$;

create function private.machine_row(p_machine public.print_machines)
returns public.print_machine_row language plpgsql stable set search_path = '' as $$
declare
  v_row public.print_machine_row;
  v_resolved private.resolved_print;
begin
  v_row.machine := p_machine;
  v_row.state := (select s from public.print_machine_states s where s.machine_id = p_machine.id);
  v_row.is_stale := coalesce((v_row.state).reported_at < now() - interval '3 minutes', p_machine.kind <> 'manual');
  v_row.owner := (select d.code from private.machine_leases l join public.devices d on d.id = l.device_id
    where l.machine_id = p_machine.id and l.lease_until > now());
  if (v_row.state).state in ('printing', 'paused') then
    v_resolved := private.resolve_gcode((v_row.state).candidates || (v_row.state).job_name, (v_row.state).plate);
    v_row.parts := (select jsonb_agg(jsonb_build_object('sku', p.sku, 'quantity', trim_scale(p.quantity)) order by p.sku) from unnest(v_resolved.parts) p);
    v_row.problem := v_resolved.problem;
  end if;
  v_row.plates := array(select r.id from public.print_runs r where r.machine_id = p_machine.id and r.plate_status = 'waiting' order by r.id);
  v_row.counters := (select c from public.print_machine_counters c where c.machine_id = p_machine.id);
  v_row.service_due := coalesce((v_row.counters).print_minutes - (v_row.counters).minutes_at_service >= p_machine.service_every_hours * 60, false);
  v_row.waiting_because := case when (v_row.state).state = 'printing' then null when not p_machine.is_active then 'retired'
    when p_machine.is_in_maintenance then 'maintenance' when v_row.is_stale or (v_row.state).state = 'offline' then 'offline'
    when (v_row.state).state = 'paused' then 'paused' when v_row.plates <> '{}' then 'plate' when (v_row.state).state = 'error' then 'error'
    when private.next_start(p_machine, now()) > now() then 'outside_hours' else 'nothing_started' end;
  v_row.gaps := coalesce((select jsonb_agg(jsonb_build_object('from_at', g.from_at, 'to_at', g.to_at) order by g.to_at desc)
    from (select q.* from public.print_coverage_gaps q where q.machine_id = p_machine.id order by q.to_at desc limit 5) g), '[]');
  return v_row;
end $$;

create function public.get_print_machines(p_site text default null)
returns setof public.print_machine_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text := private.caller_site(p_site, null);
begin
  perform private.authorize('farm.read', null, v_site);
  return query select x.* from public.print_machines m cross join lateral private.machine_row(m) x where v_site is null or m.site = v_site order by m.code;
end $$;
comment on function public.get_print_machines is
$$The printers of the site: live state, link, the parts the running job will give, plates to clear, maintenance counters, why one waits.
Permission: farm.read at the site.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create type public.farm_status as (unmapped bigint, review bigint, plates bigint, bridges jsonb, alarms jsonb);
comment on type public.farm_status is
$$What the print farm wants from people: runs without mapping, runs to review, plates to clear; bridges [{code, name, last_seen_at, version,
spool, is_silent}]; alarms [{code, message, details}].$$;

create function private.farm_alarms(p_site text, p_bridges jsonb)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select jsonb_agg(jsonb_build_object('code', a.code, 'message', a.message, 'details', a.details) order by a.code, a.message) from (
    select 'farm.bridge_silent' as code, format('The bridge %s has been silent since %s.', b ->> 'name', b ->> 'last_seen_at') as message, b as details
      from jsonb_array_elements(p_bridges) b where (b ->> 'is_silent')::boolean
    union all
    select 'farm.spool', format('The bridge %s holds %s reports back.', b ->> 'name', b -> 'spool' ->> 'ready'), b -> 'spool'
      from jsonb_array_elements(p_bridges) b where private.number_of(b -> 'spool', 'oldest_s') > 600 or private.number_of(b -> 'spool', 'parked') > 0
    union all
    select 'farm.printer_link', format('%s: %s', m.name, coalesce(s.link_text, s.link)), jsonb_build_object('machine', m.code, 'link', s.link)
      from public.print_machines m join public.print_machine_states s on s.machine_id = m.id
     where m.site = p_site and m.is_active and s.link not in ('online', 'connecting') and s.reported_at > now() - interval '3 minutes'
    union all
    select 'farm.service_due', format('%s is due for service.', m.name), jsonb_build_object('machine', m.code)
      from public.print_machines m join public.print_machine_counters c on c.machine_id = m.id
     where m.site = p_site and m.is_active and c.print_minutes - c.minutes_at_service >= m.service_every_hours * 60) a), '[]');
end $$;

create function public.get_farm_status(p_site text default null)
returns public.farm_status language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text := private.caller_site(p_site, null);
  v_status public.farm_status;
begin
  perform private.authorize('farm.read', null, v_site);
  select count(*) filter (where r.status = 'unmapped'), count(*) filter (where r.status = 'review') into v_status.unmapped, v_status.review
    from public.print_runs r where r.status in ('unmapped', 'review') and (v_site is null or r.site = v_site);
  v_status.plates := (select count(*) from public.print_runs r where r.plate_status = 'waiting' and (v_site is null or r.site = v_site));
  v_status.bridges := coalesce((select jsonb_agg(jsonb_build_object('code', d.code, 'name', d.name, 'last_seen_at', d.last_seen_at, 'version', d.version,
      'spool', d.status -> 'spool', 'is_silent', coalesce(d.last_seen_at < now() - interval '3 minutes', true)) order by d.code)
    from public.devices d where d.kind = 'bambu_bridge' and d.user_id is not null and d.revoked_at is null and (v_site is null or d.site = v_site)), '[]');
  v_status.alarms := private.farm_alarms(v_site, v_status.bridges);
  return v_status;
end $$;
comment on function public.get_farm_status is
$$Numbers for the menu and alarms of the print farm: prints to map, to review, plates to clear, silent bridges, held-back reports, links, service.
Permission: farm.read at the site.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.upsert_print_machine, public.get_print_machines, public.get_farm_status to authenticated, service_role;
grant execute on function public.service_print_machine to authenticated;
