-- Lines, machines and their QR codes.

create function private.site_of_setup(p_old text, p_said text)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_site text := coalesce(p_old, private.caller_site(p_said, null));
begin
  perform private.authorize('maintenance.manage', null, v_site);
  if not exists (select from public.sites s where s.code = v_site) or v_site is null then
    perform private.fail(404, 'site.unknown', 'Say at which site it stands.', jsonb_build_object('site', v_site));
  elsif p_old <> p_said then
    perform private.fail(409, 'machine.other_site', format('It stands at %s. Add a new one for another site.', p_old),
      jsonb_build_object('expected', p_old, 'actual', p_said));
  end if;
  return v_site;
end $$;

create function public.save_line(
  p_code text, p_title text default null, p_description text default null, p_site text default null, p_is_active boolean default null,
  p_version integer default null, p_request_id uuid default null)
returns public.lines language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('maintenance.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_line', jsonb_build_array(p_code, p_title, p_description, p_site, p_is_active, p_version));
  v_old public.lines;
  v_new public.lines;
  v_by uuid := nullif(v_actor, '00000000-0000-0000-0000-000000000000');
  v_site text;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lines, v_answer);
  end if;
  select l.* into v_old from public.lines l where l.code = p_code for update;
  v_site := private.site_of_setup(v_old.site, p_site);
  perform private.refuse_stale(v_old.version, p_version);
  if v_old.code is null then
    insert into public.lines as l (code, title, description, site, is_active, created_by, updated_by)
    values (p_code, coalesce(p_title, p_code), p_description, v_site, coalesce(p_is_active, true), v_by, v_by) returning l.* into v_new;
  else
    perform private.refuse_busy_line(p_code, p_is_active);
    update public.lines l
       set title = coalesce(p_title, l.title), description = coalesce(p_description, l.description), is_active = coalesce(p_is_active, l.is_active), updated_by = v_by
     where l.code = p_code and (l.title, l.description, l.is_active) is distinct from
       (coalesce(p_title, l.title), coalesce(p_description, l.description), coalesce(p_is_active, l.is_active)) returning l.* into v_new;
  end if;
  if v_new.code is not null then
    perform private.emit('line', p_code, 'line.saved', v_actor, jsonb_build_object('version', v_new.version,
      'before', private.changed_part(to_jsonb(v_old), to_jsonb(v_new)), 'after', private.changed_part(to_jsonb(v_new), to_jsonb(v_old))), null, v_site);
  end if;
  v_new := case when v_new.code is null then v_old else v_new end;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_new));
  return v_new;
end $$;
comment on function public.save_line is
$$Add or change a production line (null: as it is). p_is_active false takes it out of use: lists hide it, history keeps it. p_version: the version
that was looked at, 0 to add only.
Permission: maintenance.manage at its site.
Errors: site.unknown (404), machine.other_site (409), machine.changed (409), line.has_machines (409), request.reused (422); constraints by name.
Idempotency: by p_request_id; the same again changes nothing.
Locks: the line.$$;

create function private.refuse_stale(p_version integer, p_said integer)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_said <> coalesce(p_version, 0) then
    perform private.fail(409, 'machine.changed', 'Somebody else changed it. Look again.', jsonb_build_object('expected', coalesce(p_version, 0), 'actual', p_said));
  end if;
end $$;
comment on function private.refuse_stale is 'PT409 machine.changed when another version was looked at; version 0 is that of what does not exist yet.';

create function private.refuse_busy_line(p_code text, p_is_active boolean)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_machines text[];
begin
  if p_is_active is false then
    v_machines := array(select m.code from public.machines m where m.line = p_code and m.is_active order by m.code);
    if v_machines <> '{}' then
      perform private.fail(409, 'line.has_machines', 'Move its machines to another line, or take them out of use first.', jsonb_build_object('machines', v_machines));
    end if;
  end if;
end $$;

create function private.check_machine_places(p_site text, p_line text, p_work_centre text)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_line <> '' and not exists (select from public.lines l where l.code = p_line and l.site = p_site and l.is_active) then
    perform private.fail(404, 'line.unknown', 'There is no line ' || p_line || ' at this site.', jsonb_build_object('line', p_line, 'site', p_site));
  elsif p_work_centre <> '' and not exists (select from public.work_centres w where w.code = p_work_centre and w.site = p_site) then
    perform private.fail(404, 'work_centre.unknown', 'There is no work centre ' || p_work_centre || ' at this site.',
      jsonb_build_object('work_centre', p_work_centre, 'site', p_site));
  end if;
end $$;

create function private.with_machine_fields(
  p_old public.machines, p_name text, p_line text, p_work_centre text, p_asset_number text, p_serial_number text, p_manufacturer text,
  p_model text, p_type text, p_micro_stop_s integer, p_silence_s integer, p_call_supervisor_min integer, p_call_manager_min integer, p_notes text,
  p_is_active boolean)
returns public.machines language plpgsql immutable set search_path = '' as $$
declare
  v_new public.machines := p_old;
begin
  -- Null leaves a field as it is, an empty text clears it.
  v_new.name := coalesce(p_name, p_old.name, p_old.code);
  v_new.line := nullif(coalesce(p_line, p_old.line), '');
  v_new.work_centre := nullif(coalesce(p_work_centre, p_old.work_centre), '');
  v_new.asset_number := nullif(coalesce(trim(p_asset_number), p_old.asset_number), '');
  v_new.serial_number := nullif(coalesce(trim(p_serial_number), p_old.serial_number), '');
  v_new.manufacturer := nullif(coalesce(p_manufacturer, p_old.manufacturer), '');
  v_new.model := nullif(coalesce(p_model, p_old.model), '');
  v_new.type := nullif(coalesce(p_type, p_old.type), '');
  v_new.micro_stop_s := coalesce(p_micro_stop_s, p_old.micro_stop_s, 120);
  v_new.silence_s := coalesce(p_silence_s, p_old.silence_s, 300);
  v_new.call_supervisor_min := coalesce(p_call_supervisor_min, p_old.call_supervisor_min, 10);
  v_new.call_manager_min := coalesce(p_call_manager_min, p_old.call_manager_min, 30);
  v_new.notes := nullif(coalesce(p_notes, p_old.notes), '');
  v_new.is_active := coalesce(p_is_active, p_old.is_active, true);
  return v_new;
end $$;

create function private.write_machine(p_old public.machines, p_new public.machines, p_actor uuid)
returns public.machines language plpgsql set search_path = '' as $$
declare
  v_by uuid := nullif(p_actor, '00000000-0000-0000-0000-000000000000');
  v_new public.machines;
begin
  if p_old.version is null then
    insert into public.machines as m (code, name, site, line, work_centre, asset_number, serial_number, manufacturer, model, type, micro_stop_s, silence_s,
      call_supervisor_min, call_manager_min, notes, is_active, created_by, updated_by)
    values (p_new.code, p_new.name, p_new.site, p_new.line, p_new.work_centre, p_new.asset_number, p_new.serial_number, p_new.manufacturer, p_new.model,
      p_new.type, p_new.micro_stop_s, p_new.silence_s, p_new.call_supervisor_min, p_new.call_manager_min, p_new.notes, p_new.is_active, v_by, v_by) returning m.* into v_new;
  elsif private.changed_part(to_jsonb(p_new), to_jsonb(p_old)) <> '{}' then
    update public.machines m
       set name = p_new.name, line = p_new.line, work_centre = p_new.work_centre, asset_number = p_new.asset_number, serial_number = p_new.serial_number,
           manufacturer = p_new.manufacturer, model = p_new.model, type = p_new.type, micro_stop_s = p_new.micro_stop_s, silence_s = p_new.silence_s,
           call_supervisor_min = p_new.call_supervisor_min, call_manager_min = p_new.call_manager_min, notes = p_new.notes, is_active = p_new.is_active, updated_by = v_by
     where m.code = p_new.code returning m.* into v_new;
  else
    return p_old;
  end if;
  perform private.emit('machine', v_new.code, 'machine.saved', p_actor, jsonb_build_object('version', v_new.version,
    'before', private.changed_part(to_jsonb(p_old), to_jsonb(v_new)), 'after', private.changed_part(to_jsonb(v_new), to_jsonb(p_old))), null, v_new.site);
  return v_new;
end $$;

create function public.save_machine(
  p_code text, p_name text default null, p_site text default null, p_line text default null, p_work_centre text default null,
  p_asset_number text default null, p_serial_number text default null, p_manufacturer text default null, p_model text default null,
  p_type text default null, p_micro_stop_s integer default null, p_silence_s integer default null, p_call_supervisor_min integer default null,
  p_call_manager_min integer default null, p_notes text default null, p_is_active boolean default null, p_version integer default null,
  p_request_id uuid default null)
returns public.machines language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('maintenance.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_machine', jsonb_build_array(p_code, p_name, p_site, p_line, p_work_centre, p_asset_number,
    p_serial_number, p_manufacturer, p_model, p_type, p_micro_stop_s, p_silence_s, p_call_supervisor_min, p_call_manager_min, p_notes, p_is_active, p_version));
  v_old public.machines;
  v_new public.machines;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.machines, v_answer);
  end if;
  v_old := private.lock_machine(p_code);
  v_new.site := private.site_of_setup(v_old.site, p_site);
  perform private.refuse_stale(v_old.version, p_version);
  perform private.check_machine_places(v_new.site, p_line, p_work_centre);
  v_old.code := p_code; v_old.site := v_new.site;
  v_new := private.with_machine_fields(v_old, p_name, p_line, p_work_centre, p_asset_number, p_serial_number, p_manufacturer, p_model, p_type,
    p_micro_stop_s, p_silence_s, p_call_supervisor_min, p_call_manager_min, p_notes, p_is_active);
  perform private.refuse_open_work(v_old, v_new);
  v_new := private.write_machine(v_old, v_new, v_actor);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_new));
  return v_new;
end $$;
comment on function public.save_machine is
$$Add or change a machine (null: as it is; an empty text clears a field). p_line and p_work_centre of its site. p_micro_stop_s and p_silence_s in
seconds: from now on, history keeps what held then. p_call_supervisor_min and p_call_manager_min: who is called when it stands so long, 0 nobody. p_is_active false takes it out of use: lists hide it, history stays.
p_version: the version that was looked at, 0 to add only.
Permission: maintenance.manage at its site.
Errors: site.unknown (404), machine.other_site (409), machine.changed (409), line.unknown (404), work_centre.unknown (404), machine.has_repairs (409), request.reused (422); constraints by name.
Idempotency: by p_request_id; the same again changes nothing.
Locks: the machine.$$;

create function private.refuse_open_work(p_old public.machines, p_new public.machines)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_open bigint[];
begin
  if p_old.is_active and not p_new.is_active then
    v_open := array(select r.id from public.repairs r where r.machine = p_new.code and r.is_open order by r.id);
    if v_open <> '{}' then
      perform private.fail(409, 'machine.has_repairs', 'Finish or dismiss its repairs first.', jsonb_build_object('repairs', v_open));
    end if;
  end if;
end $$;

create type public.machine_qr as (machine text, name text, token text, path text);
comment on type public.machine_qr is 'What the QR code of a machine says: the address of the web client followed by path.';

create function public.get_machine_qr(p_machine text)
returns public.machine_qr language plpgsql stable security definer set search_path = '' as $$
declare
  v_machine public.machines := (select m from public.machines m where m.code = p_machine);
begin
  perform private.authorize('maintenance.manage', null, v_machine.site);
  perform private.find_machine(p_machine);
  return (select row(v_machine.code, v_machine.name, t.token, '/report/' || t.token)::public.machine_qr
    from private.machine_tokens t where t.machine = p_machine);
end $$;
comment on function public.get_machine_qr is
$$The QR code of a machine, to be printed and stuck on it: whoever scans it may report a problem without an account.
Permission: maintenance.manage at the site of the machine.
Errors: machine.unknown (404).
Idempotency: a read.
Locks: none.$$;

create function public.renew_machine_qr(p_machine text, p_request_id uuid default null)
returns public.machine_qr language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := (select m from public.machines m where m.code = p_machine);
  v_actor uuid := private.authorize('maintenance.manage', null, v_machine.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'renew_machine_qr', jsonb_build_array(p_machine));
begin
  if v_answer is null then
    perform private.find_machine(p_machine);
    perform private.lock_machine(p_machine);
    update private.machine_tokens t set token = private.new_machine_token(), created_at = now() where t.machine = p_machine;
    perform private.emit('machine', p_machine, 'machine.qr_renewed', v_actor, '{}', null, v_machine.site);
    perform private.remember(v_actor, p_request_id, 'true');   -- not the token: the answer is read afresh
  end if;
  return public.get_machine_qr(p_machine);
end $$;
comment on function public.renew_machine_qr is
$$A new QR code for a machine; the old one opens nothing any more.
Permission: maintenance.manage at the site of the machine.
Errors: machine.unknown (404), request.reused (422).
Idempotency: by p_request_id; without it every call makes another code.
Locks: the machine.$$;

create function private.counted_since(p_last numeric, p_said numeric)
returns numeric language plpgsql immutable set search_path = '' as $$
begin
  -- Less than last time: the counter was reset or swapped, and has counted this much since.
  return case when num_nulls(p_last, p_said) > 0 then 0 when p_said < p_last then p_said else p_said - p_last end;
end $$;
comment on function private.counted_since is
  'What its own counter has counted since it was read last. The first reading is where counting begins: what it ran before it came here, nobody serviced here.';

create function public.record_machine_reading(
  p_machine text, p_run_hours numeric default null, p_cycles numeric default null, p_request_id uuid default null)
returns public.machine_counters language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := (select m from public.machines m where m.code = p_machine);
  v_actor uuid := private.authorize('maintenance.report', null, v_machine.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'record_machine_reading', jsonb_build_array(p_machine, p_run_hours, p_cycles));
  v_counters public.machine_counters;
  v_hours numeric;
  v_cycles numeric;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.machine_counters, v_answer);
  end if;
  perform private.find_machine(p_machine);
  if num_nonnulls(p_run_hours, p_cycles) = 0 or (p_run_hours between 0 and 10000000) is false or (p_cycles between 0 and 10000000000) is false then
    perform private.fail(422, 'machine.reading', 'Enter what the counter of the machine shows.', jsonb_build_object('run_hours', p_run_hours, 'cycles', p_cycles));
  end if;
  perform private.lock_machine(p_machine);
  select private.counted_since(c.last_run_hours, p_run_hours), private.counted_since(c.last_cycles, p_cycles) into v_hours, v_cycles
    from public.machine_counters c where c.machine = p_machine for update;
  -- What its signals have told already is not counted again.
  update public.machine_counters c
     set run_hours = c.run_hours + greatest(v_hours - c.unread_run_hours, 0), unread_run_hours = greatest(c.unread_run_hours - v_hours, 0),
         cycles = c.cycles + greatest(v_cycles - c.unread_cycles, 0), unread_cycles = greatest(c.unread_cycles - v_cycles, 0),
         last_run_hours = coalesce(p_run_hours, c.last_run_hours), last_cycles = coalesce(p_cycles, c.last_cycles), updated_at = now()
   where c.machine = p_machine returning c.* into v_counters;
  perform private.emit('machine', p_machine, 'machine.read', v_actor, jsonb_strip_nulls(jsonb_build_object('run_hours', v_counters.run_hours,
    'cycles', v_counters.cycles, 'shown_run_hours', p_run_hours, 'shown_cycles', p_cycles)), null, v_machine.site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_counters));
  return v_counters;
end $$;
comment on function public.record_machine_reading is
$$What the counters of a machine itself show: p_run_hours and p_cycles in all. The first reading is where counting begins; later the difference to the
last one is added, but for what its signals have told already; less than last time means a reset, after which it counted this much. Plans by run hours
and cycles go by it.
Permission: maintenance.report at the site of the machine.
Errors: machine.unknown (404), machine.reading (422), request.reused (422).
Idempotency: by p_request_id; the same reading again adds nothing.
Locks: the machine, then its counters.$$;

grant execute on function public.save_line, public.save_machine to authenticated, service_role;
grant execute on function public.get_machine_qr, public.renew_machine_qr, public.record_machine_reading to authenticated;
