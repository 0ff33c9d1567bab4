-- Machines -----------------------------------------------------------------------------------------------------------

create function private.new_machine_token()
returns text language sql volatile set search_path = '' as $$
  select translate(rtrim(encode(uuid_send(gen_random_uuid()), 'base64'), '='), '+/', '-_')
$$;
comment on function private.new_machine_token is '22 characters that nobody guesses, for the QR code of a machine.';

create function private.tg_machines__history()
returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into private.machine_tokens (machine, token) values (new.code, private.new_machine_token());
    insert into public.machine_counters (machine) values (new.code);
  elsif (new.line, new.work_centre, new.micro_stop_s, new.silence_s, new.is_active)
      is not distinct from (old.line, old.work_centre, old.micro_stop_s, old.silence_s, old.is_active) then
    return null;
  end if;
  insert into public.machine_versions as v (machine, valid_from, line, work_centre, micro_stop_s, silence_s, is_active)
  values (new.code, case when tg_op = 'INSERT' then '-infinity' else now() end, new.line, new.work_centre, new.micro_stop_s, new.silence_s, new.is_active)
  on conflict on constraint machine_versions_pkey do update set line = excluded.line, work_centre = excluded.work_centre,
    micro_stop_s = excluded.micro_stop_s, silence_s = excluded.silence_s, is_active = excluded.is_active;
  return null;
end $$;
comment on function private.tg_machines__history is 'A new machine gets its QR code, its counters and its first version; a changed one another version.';
create trigger _500_history after insert or update of line, work_centre, micro_stop_s, silence_s, is_active on public.machines
  for each row execute function private.tg_machines__history();

create function private.find_machine(p_machine text)
returns public.machines language plpgsql stable set search_path = '' as $$
declare
  v_machine public.machines;
begin
  select m.* into v_machine from public.machines m where m.code = p_machine;
  if v_machine.code is null then
    perform private.fail(404, 'machine.unknown', 'There is no machine ' || coalesce(p_machine, '') || '.', jsonb_build_object('machine', p_machine));
  end if;
  return v_machine;
end $$;
comment on function private.find_machine is 'The machine. Errors: machine.unknown (404).';

create function private.lock_machine(p_machine text)
returns public.machines language plpgsql set search_path = '' as $$
declare
  v_machine public.machines;
begin
  select m.* into v_machine from public.machines m where m.code = p_machine for no key update;
  return v_machine;
end $$;
comment on function private.lock_machine is 'The lock of a machine, taken before its stops, repairs and parts.';

create function private.spare_machine(p_machine text)
returns boolean language plpgsql set search_path = '' as $$
begin
  return exists (select from public.machines m where m.code = p_machine for no key update skip locked);
end $$;
comment on function private.spare_machine is
$$The lock of a machine for a job of the clock, which holds those of others: false when somebody else has it. The job leaves the machine for its next
run, so that nobody waits for the clock and the clock for nobody.$$;

create function private.note_trouble(p_job text, p_machine text, p_error text)
returns void language plpgsql set search_path = '' as $$
declare
  v_before text := (select t.error from private.machine_troubles t where t.machine = p_machine and t.job = p_job);
begin
  if p_error is null then
    delete from private.machine_troubles t where t.machine = p_machine and t.job = p_job and v_before is not null;
    return;
  end if;
  insert into private.machine_troubles as t (machine, job, error) values (p_machine, p_job, p_error)
  on conflict on constraint machine_troubles_pkey do update set error = excluded.error, last_at = now();
  if v_before is distinct from p_error then
    perform private.emit('machine', p_machine, 'machine.job_failed', null, jsonb_build_object('machine', p_machine, 'job', p_job, 'error', p_error), null,
      (select m.site from public.machines m where m.code = p_machine));
  end if;
end $$;
comment on function private.note_trouble is
  'What a job of the clock could not do for one machine, told once; null: it works. Each machine is a block of its own, so the others are not held up.';

create function private.add_machine_run(p_machine text, p_run_hours numeric, p_cycles numeric)
returns void language plpgsql set search_path = '' as $$
declare
  v_hours numeric := greatest(coalesce(p_run_hours, 0), 0);
  v_cycles numeric := greatest(coalesce(p_cycles, 0), 0);
begin
  if v_hours > 0 or v_cycles > 0 then
    update public.machine_counters c
       set run_hours = c.run_hours + v_hours, cycles = c.cycles + v_cycles, updated_at = now(),
           unread_run_hours = case when c.last_run_hours is null then 0 else c.unread_run_hours + v_hours end,
           unread_cycles = case when c.last_cycles is null then 0 else c.unread_cycles + v_cycles end
     where c.machine = p_machine;
  end if;
end $$;
comment on function private.add_machine_run is
  'Its signals say that the machine ran so many hours more and so many cycles. What it counted never goes back; its own counter shows the same hours once more.';

-- Who sees what --------------------------------------------------------------------------------------------------------

create function private.caller_sites(p_site text)
returns text[] language plpgsql stable set search_path = '' as $$
declare
  v_who private.identity := private.identify();
begin
  return case when p_site is not null then array[p_site]
    else array(select si.code from public.sites si where private.works_at(v_who, si.code)) end;
end $$;
comment on function private.caller_sites is 'What a question is about: the site named, which the guard has asked for, else every site where the caller works.';

create function private.readable_machines(p_permission text)
returns setof text language plpgsql stable security definer set search_path = '' as $$
begin
  return query select m.code from public.machines m where m.site = any (private.readable_sites(p_permission));
end $$;
comment on function private.readable_machines is
  'For policies, of rows that name their machine: machines of the sites where an active caller works and has this permission.';
grant execute on function private.readable_machines to authenticated;

-- Plans --------------------------------------------------------------------------------------------------------------

create function private.tg_maintenance_plans__due()
returns trigger language plpgsql set search_path = '' as $$
declare
  v_zone text := (select s.time_zone from public.machines m join public.sites s on s.code = m.site where m.code = new.machine);
begin
  new.due_at := case when new.based_on = 'calendar' then
    ((greatest(new.done_at, new.skipped_at) at time zone v_zone)::date + round(new.every)::integer)::timestamp at time zone v_zone end;
  new.due_count := case when new.based_on <> 'calendar' then greatest(new.done_count, new.skipped_count) + new.every end;
  return new;
end $$;
comment on function private.tg_maintenance_plans__due is 'Due is when it was done or skipped last plus the interval, however late that was: nothing piles up.';
create trigger _500_due before insert or update on public.maintenance_plans for each row execute function private.tg_maintenance_plans__due();

create function private.counter_of(p_machine text, p_based_on text)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select case p_based_on when 'run_hours' then c.run_hours when 'cycles' then c.cycles end
    from public.machine_counters c where c.machine = p_machine), 0);
end $$;
comment on function private.counter_of is 'Run hours or cycles of the machine in its life here; 0 for a calendar plan.';

create function private.is_plan_due(p_plan public.maintenance_plans, p_now timestamptz)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return p_plan.is_active and case when p_plan.based_on = 'calendar'
    then p_plan.due_at - make_interval(days => round(p_plan.lead)::integer) <= p_now
    else private.counter_of(p_plan.machine, p_plan.based_on) >= p_plan.due_count - p_plan.lead end;
end $$;

-- Repairs ------------------------------------------------------------------------------------------------------------

create function private.emit_repair(p_repair public.repairs, p_event text, p_actor uuid, p_more jsonb default '{}')
returns bigint language plpgsql set search_path = '' as $$
begin
  return private.emit('repair', p_repair.id::text, p_event, p_actor, jsonb_strip_nulls(jsonb_build_object('version', p_repair.version,
    'machine', p_repair.machine, 'type', p_repair.type, 'status', p_repair.status, 'waits_for', p_repair.waits_for, 'symptom', p_repair.symptom,
    'is_down', p_repair.is_down, 'plan_id', p_repair.plan_id) || p_more), null, p_repair.site);
end $$;
comment on function private.emit_repair is 'One event of a repair. Names of people without an account are in no event.';

create function private.log_status(p_repair public.repairs, p_actor uuid, p_note text)
returns void language plpgsql set search_path = '' as $$
begin
  insert into public.repair_statuses (repair_id, n, at, status, waits_for, actor_id, note)
  values (p_repair.id, (select count(*) + 1 from public.repair_statuses s where s.repair_id = p_repair.id), p_repair.status_since, p_repair.status,
    p_repair.waits_for, nullif(p_actor, '00000000-0000-0000-0000-000000000000'), p_note);
end $$;

create function private.open_repair(p_repair public.repairs, p_actor uuid)
returns public.repairs language plpgsql set search_path = '' as $$
declare
  v_repair public.repairs;
begin
  insert into public.repairs (machine, asset_number, site, type, source, priority, symptom, description, is_down, plan_id, found_by, assignee_id,
    occurred_at, reported_at, reported_by, reporter, status_since)
  select m.code, m.asset_number, m.site, p_repair.type, p_repair.source, coalesce(p_repair.priority, 'normal'), p_repair.symptom, p_repair.description,
         p_repair.is_down, p_repair.plan_id, p_repair.found_by, p_repair.assignee_id, p_repair.occurred_at, p_repair.reported_at,
         nullif(p_actor, '00000000-0000-0000-0000-000000000000'), p_repair.reporter, p_repair.reported_at
    from public.machines m where m.code = p_repair.machine
  returning * into v_repair;
  perform private.log_status(v_repair, p_actor, null);
  return v_repair;
end $$;
comment on function private.open_repair is 'A new repair of a locked machine, as reported. The caller emits.';

create function private.next_statuses(p_status text)
returns text[] language sql immutable set search_path = '' as $$
  select case p_status
    when 'reported' then array['acknowledged', 'in_repair', 'rejected', 'duplicate', 'cancelled']
    when 'acknowledged' then array['in_repair', 'rejected', 'duplicate', 'cancelled']
    when 'in_repair' then array['waiting', 'repaired', 'cancelled']
    when 'waiting' then array['waiting', 'in_repair', 'cancelled']
    when 'repaired' then array['verified', 'in_repair']
    when 'verified' then array['closed', 'in_repair']
    when 'closed' then array['in_repair', 'reported']
    else array[]::text[] end
$$;
comment on function private.next_statuses is 'Where a repair may go from a status. Back from closed only within the hours in which it is the same failure.';

create function private.check_status(p_repair public.repairs, p_status text)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_status <> all (private.next_statuses(p_repair.status)) then
    perform private.fail(409, 'repair.status', format('This repair is %s. It cannot become %s now.', replace(p_repair.status, '_', ' '),
      replace(p_status, '_', ' ')), jsonb_build_object('actual', p_repair.status, 'expected', private.next_statuses(p_repair.status)));
  end if;
end $$;

create function private.instant_given(p_at timestamptz, p_not_before timestamptz, p_field text)
returns timestamptz language plpgsql stable set search_path = '' as $$
begin
  if p_at > now() + interval '1 minute' or p_at < p_not_before then
    perform private.fail(422, 'repair.time', 'That was not possible at this time: it lies in the future, or before what happened already.',
      jsonb_build_object('field', p_field, 'actual', p_at, 'not_before', p_not_before));
  end if;
  -- A repair that was reported in advance of its own clock still goes forward.
  return greatest(least(coalesce(p_at, now()), now()), p_not_before);
end $$;
comment on function private.instant_given is 'When it happened: now, or the instant a person gave. Errors: repair.time (422) in the future, or before p_not_before.';

create function private.move_repair(p_repair public.repairs, p_status text, p_at timestamptz, p_actor uuid, p_note text default null, p_waits_for text default null)
returns public.repairs language plpgsql set search_path = '' as $$
declare
  v_repair public.repairs;
  v_by uuid := nullif(p_actor, '00000000-0000-0000-0000-000000000000');
  v_back boolean := p_repair.status in ('repaired', 'verified', 'closed') and p_status in ('in_repair', 'reported');
begin
  perform private.check_status(p_repair, p_status);
  perform private.check_length('p_note', p_note, 2000);
  update public.repairs r
     set status = p_status, waits_for = p_waits_for, status_since = p_at,
         acknowledged_at = case when p_status in ('acknowledged', 'in_repair') then coalesce(r.acknowledged_at, p_at) else r.acknowledged_at end,
         acknowledged_by = case when p_status in ('acknowledged', 'in_repair') then coalesce(r.acknowledged_by, v_by) else r.acknowledged_by end,
         started_at = case when p_status = 'in_repair' then coalesce(r.started_at, p_at) else r.started_at end,
         repaired_at = case when v_back then null when p_status = 'repaired' then p_at else r.repaired_at end,
         verified_at = case when v_back then null when p_status = 'verified' then p_at else r.verified_at end,
         verified_by = case when v_back then null when p_status = 'verified' then v_by else r.verified_by end,
         closed_at = case when p_status = 'closed' then p_at end, closed_by = case when p_status = 'closed' then v_by end,
         runs_again = case when p_status = 'closed' then r.runs_again end,
         reopened = r.reopened + case when r.status = 'closed' then 1 else 0 end
   where r.id = p_repair.id returning r.* into v_repair;
  perform private.log_status(v_repair, p_actor, p_note);
  return v_repair;
end $$;
comment on function private.move_repair is
'The one place where a repair changes its status, with the instants that go with it. The repair is locked. Errors: repair.status (409), request.too_long (422).';

create function private.is_same_failure(p_repair public.repairs, p_at timestamptz)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return p_repair.status = 'closed' and p_at <= p_repair.closed_at
    + make_interval(hours => coalesce(private.setting('maintenance.same_failure_hours', null, p_repair.site)::integer, 24));
end $$;
comment on function private.is_same_failure is 'Closed so short ago that what comes back is still the same failure (setting maintenance.same_failure_hours).';

-- Commands on one repair -----------------------------------------------------------------------------------------------

create type public.repair_change as (changed boolean, event_id bigint, repair public.repairs);
comment on type public.repair_change is 'Answer of a command on a repair: did it change anything, its event, the repair now.';

create type private.repair_command as (actor uuid, request_id uuid, answer jsonb, repair public.repairs);

create function private.begin_repair(p_permission text, p_id bigint, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.repair_command language plpgsql set search_path = '' as $$
declare
  v_command private.repair_command;
  v_repair public.repairs;
begin
  select r.* into v_repair from public.repairs r where r.id = p_id;
  v_command.actor := private.authorize(p_permission, null, v_repair.site);
  v_command.request_id := p_request_id;
  if v_repair.id is null then
    perform private.fail(404, 'repair.unknown', 'There is no such repair.', jsonb_build_object('id', p_id));
  end if;
  v_command.answer := private.replay(v_command.actor, p_request_id, p_rpc, p_args);
  if v_command.answer is null then
    perform private.lock_machine(v_repair.machine);
    select r.* into v_repair from public.repairs r where r.id = p_id for update;
  end if;
  v_command.repair := v_repair;
  return v_command;
end $$;
comment on function private.begin_repair is
'Guard, replay and lock for a command on one repair. Errors: repair.unknown (404), request.reused (422). Locks: the machine, then the repair.';

create function private.finish_repair(p_command private.repair_command, p_event text, p_more jsonb default '{}')
returns public.repair_change language plpgsql set search_path = '' as $$
declare
  v_change public.repair_change;
begin
  if p_command.answer is not null then
    return jsonb_populate_record(null::public.repair_change, p_command.answer);
  end if;
  v_change.changed := p_event is not null;
  v_change.repair := (select r from public.repairs r where r.id = (p_command.repair).id);
  if p_event is not null then
    v_change.event_id := private.emit_repair(v_change.repair, p_event, p_command.actor, p_more);
  end if;
  perform private.remember(p_command.actor, p_command.request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function private.finish_repair is 'The end of a command on a repair: the event (null: nothing changed), the answer kept for repeats.';
