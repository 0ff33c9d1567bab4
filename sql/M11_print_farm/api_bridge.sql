create function private.machine_of_report(p_serial text, p_source text, p_site text)
returns public.print_machines language plpgsql set search_path = '' as $$
declare
  v_serial text := upper(trim(p_serial));
  v_code text := left(regexp_replace(lower(v_serial), '[^a-z0-9_-]', '-', 'g'), 50);
  v_machine public.print_machines;
begin
  select m.* into v_machine from public.print_machines m where m.serial = v_serial for no key update;
  if v_machine.id is null then   -- nobody announced it: its prints are kept all the same
    if v_code !~ '^[a-z0-9]' or exists (select 1 from public.print_machines m where m.code = v_code) then
      v_code := 'p-' || v_code || '-' || left(md5(v_serial), 8);   -- another printer has that code: one was swapped, or is spelt alike
    end if;
    insert into public.print_machines (code, name, site, kind, serial)
    values (v_code, v_serial, p_site,
      case when p_source = 'bambu_auto' then 'bambu' else p_source end, v_serial)
    on conflict do nothing;
    select m.* into v_machine from public.print_machines m where m.serial = v_serial for no key update;
  end if;
  return v_machine;
end $$;
comment on function private.machine_of_report is 'The printer with this serial, locked; registered under it when it is new. Its lock makes the runs of a printer come one by one.';

create function private.run_answer(p_run public.print_runs, p_status text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return jsonb_build_object('status', p_status, 'print_run_id', p_run.id, 'reasons', to_jsonb(p_run.reasons), 'lines', private.parts_of_run(p_run.id),
    'message', case p_status
      when 'recorded' then case p_run.outcome when 'success' then 'Its parts are in stock.' else 'Noted; nothing was booked.' end
      when 'unmapped' then 'Nobody has said yet which parts this file gives. It waits.'
      when 'review' then 'A person has to look at it: ' || array_to_string(p_run.reasons, ', ') || '.'
      when 'ignored' then 'Not a production print.'
      when 'duplicate' then 'This run is known already.'
      else 'This run was reported before with another outcome. Its stock stays as it is.' end);
end $$;

create function private.repeat_of_run(p_run public.print_runs, p_outcome text, p_hash text, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_run public.print_runs := p_run;
begin
  if p_run.payload_hash = p_hash then
    return private.run_answer(p_run, 'duplicate');
  elsif p_run.outcome <> p_outcome and p_run.outcome in ('failed', 'cancelled') and p_outcome in ('failed', 'cancelled') then
    update public.print_runs r set outcome = p_outcome where r.id = p_run.id returning r.* into v_run;   -- known better now; no stock in it
    perform private.emit_run(v_run, 'print_run.reclassified', p_actor, jsonb_build_object('before', p_run.outcome));
  elsif p_run.outcome <> p_outcome and not 'reported_again' = any (p_run.reasons) then
    update public.print_runs r set reasons = r.reasons || 'reported_again'::text, notes = concat_ws(' ', r.notes, 'Reported again as ' || p_outcome || '.'),
        status = case when r.is_counted or r.status = 'ignored' then r.status else 'review' end
     where r.id = p_run.id returning r.* into v_run;
    perform private.emit_run(v_run, 'print_run.reported_again', p_actor, jsonb_build_object('reported', p_outcome));
  end if;
  return private.run_answer(v_run, 'conflict');
end $$;
comment on function private.repeat_of_run is 'A key that is known: the same report is a duplicate; another report may correct failed to cancelled, and never moves stock.';

create function private.check_print_report(
  p_key text, p_source text, p_serial text, p_outcome text, p_evidence text, p_started_at timestamptz, p_not_before timestamptz,
  p_finished_at timestamptz)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_field text := case
    when coalesce(length(p_key), 0) not between 1 and 300 then 'p_idempotency_key'
    when p_source is null or p_source not in ('bambu_auto', 'moonraker', 'prusalink', 'octoprint') then 'p_source'
    when coalesce(upper(trim(p_serial)), '') !~ '^[A-Z0-9._:-]{1,100}$' then 'p_printer_serial'
    when p_outcome is null or p_outcome not in ('success', 'failed', 'cancelled', 'unknown', 'ignored') then 'p_outcome'
    when p_evidence is null or p_evidence not in ('observed', 'recovered', 'recovered_unseen', 'superseded', 'lost') then 'p_evidence'
    when not isfinite(p_started_at) then 'p_started_at'
    when not isfinite(p_not_before) then 'p_finished_not_before'
    when p_finished_at not between '2000-01-01' and now() + interval '1 day' then 'p_finished_at' end;
begin
  if v_field is not null then
    perform private.fail(422, 'print_run.bad_report', 'This report cannot be kept: ' || v_field || ' is missing or wrong.', jsonb_build_object('field', v_field));
  end if;
end $$;

create function public.record_print_completion(
  p_idempotency_key text, p_source text, p_printer_serial text, p_outcome text, p_evidence text default 'observed',
  p_gcode_filename text default null, p_candidates text[] default null, p_plate integer default null, p_started_at timestamptz default null,
  p_finished_at timestamptz default null, p_finished_not_before timestamptz default null, p_skipped_object_ids integer[] default null,
  p_progress jsonb default null, p_error jsonb default null, p_native jsonb default null, p_bridge jsonb default null, p_payload_hash text default null)
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('farm.report');
  v_hash text := coalesce(p_payload_hash, md5(jsonb_build_array(p_outcome, p_evidence, p_gcode_filename, p_candidates, p_plate, p_started_at,
    p_finished_at, p_skipped_object_ids)::text));
  v_site text := coalesce((private.identify()).site, (select min(s.code) from public.sites s));
  v_machine public.print_machines;
  v_run public.print_runs;
begin
  perform private.check_print_report(p_idempotency_key, p_source, p_printer_serial, p_outcome, p_evidence, p_started_at, p_finished_not_before,
    p_finished_at);
  v_machine := private.machine_of_report(p_printer_serial, p_source, v_site);
  perform private.authorize('farm.report', null, v_machine.site);
  select r.* into v_run from public.print_runs r where r.idempotency_key = p_idempotency_key for update;
  if v_run.id is not null then
    return private.repeat_of_run(v_run, p_outcome, v_hash, v_actor);
  end if;
  v_run.idempotency_key := p_idempotency_key;
  v_run.site := v_machine.site;
  v_run.machine_id := v_machine.id;
  v_run.source := p_source;
  v_run.outcome := p_outcome;
  v_run.evidence := p_evidence;
  v_run.gcode_filename := left(p_gcode_filename, 300);
  v_run.candidates := (select coalesce(array_agg(left(c.name, 300) order by c.n), '{}') from (
    select p_gcode_filename, 0 union all select u.name, u.n from unnest(p_candidates) with ordinality as u (name, n) where u.n <= 20
    ) c (name, n) where c.name is not null);
  v_run.plate := nullif(greatest(p_plate, 0), 0);
  v_run.finished_at := coalesce(p_finished_at, now());
  -- A clock that was set back makes no run of negative length, one that stood in the past none of years; and least() would make an
  -- instant of what nobody saw.
  v_run.started_at := case when p_started_at > v_run.finished_at - interval '30 days' then least(p_started_at, v_run.finished_at) end;
  v_run.finished_not_before := case when p_finished_not_before is not null then
    least(greatest(p_finished_not_before, v_run.started_at), v_run.finished_at) end;
  v_run.first_seen_at := case when v_run.started_at is null and private.instant_of(p_progress, 'first_seen_at') > v_run.finished_at - interval '30 days'
    then private.instant_of(p_progress, 'first_seen_at') end;
  v_run.skipped_object_ids := coalesce(p_skipped_object_ids, '{}');
  v_run.minutes := case when p_finished_not_before is null then round((extract(epoch from v_run.finished_at - v_run.started_at)
    - coalesce(private.number_of(p_progress, 'paused_s'), 0)) / 60, 2) end;
  v_run.progress := coalesce(p_progress, '{}');
  v_run.error := coalesce(p_error, '{}');
  v_run.native := coalesce(p_native, '{}');
  v_run.bridge := coalesce(p_bridge, '{}');
  v_run.payload_hash := v_hash;
  v_run.plate_status := case when p_outcome = 'ignored' or not v_machine.needs_plate_clear then 'not_needed' else 'waiting' end;
  v_run := private.store_run(v_run, v_actor);
  return private.run_answer(v_run, v_run.status);
end $$;
comment on function public.record_print_completion is
$$A printer is done, as its bridge saw it; the same for every brand. p_idempotency_key: one per physical run. p_outcome success, failed,
cancelled, unknown, ignored; p_evidence observed, recovered, recovered_unseen, superseded, lost. p_candidates: names the file may be mapped by,
best first. p_finished_not_before: last report before a blind window. p_skipped_object_ids: parts not made. p_progress {percent, paused_s,
first_seen_at …}, p_error {code, text}, p_native {job_id …}, p_bridge {version, host}, p_payload_hash of the report.
Answers {status, print_run_id, reasons, lines: [{part_id, qty}], message}: recorded (parts are in stock, or a failure is noted), duplicate,
unmapped, review, ignored, conflict (known key, other report: stock stays). Nothing is dropped, nothing doubtful is booked.
Permission: farm.report at the printer's site (bridges only).
Errors: print_run.bad_report (422), auth.other_site (403).
Idempotency: by p_idempotency_key; the second net is that counted runs of one printer never overlap in time.
Locks: the printer, then the run, then the parts by SKU.$$;

create function private.instant_of(p_object jsonb, p_key text)
returns timestamptz language plpgsql stable set search_path = '' as $$
begin
  return case when isfinite((p_object ->> p_key)::timestamptz) then (p_object ->> p_key)::timestamptz end;
exception when others then
  return null;
end $$;
comment on function private.instant_of is 'An instant out of a report; null for anything that is none.';

-- Heartbeat --------------------------------------------------------------------------------------------------------

create function private.take_lease(p_machine_id bigint, p_device_id uuid)
returns uuid language plpgsql set search_path = '' as $$
declare
  v_owner uuid;
begin
  insert into private.machine_leases as l (machine_id, device_id, lease_until) values (p_machine_id, p_device_id, now() + interval '90 seconds')
  on conflict on constraint machine_leases_pkey do update set device_id = excluded.device_id, lease_until = excluded.lease_until
   where l.device_id = excluded.device_id or l.lease_until < now() returning l.device_id into v_owner;
  return coalesce(v_owner, (select l.device_id from private.machine_leases l where l.machine_id = p_machine_id));
end $$;
comment on function private.take_lease is 'The bridge that owns the printer now: the caller when it was free, his already, or its owner silent for 90 s.';

create function private.machine_state(p_report jsonb)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return case when p_report -> 'connected' is distinct from 'true' then 'offline'
    when p_report ->> 'phase' in ('starting', 'printing', 'ending') then 'printing'
    when p_report ->> 'phase' = 'paused' then 'paused'
    when p_report ->> 'state' in ('RUNNING', 'PREPARE', 'SLICING') then 'printing'
    when p_report ->> 'state' = 'PAUSE' then 'paused' when p_report ->> 'state' = 'FAILED' then 'error' else 'idle' end;
end $$;

create function private.live_of(p_report jsonb)
returns jsonb language plpgsql immutable set search_path = '' as $$
declare
  v_live jsonb := p_report - '{serial,link,link_text,name,filename,candidates,plate,percent,remaining_min,last_report_at,told,gaps}'::text[];
begin
  return case when length(v_live::text) <= 8000 then v_live else '{}' end;
end $$;
comment on function private.live_of is 'What else a bridge says of a printer, while it is little enough to be shown.';

create function private.spool_of(p_spool jsonb)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return jsonb_strip_nulls(jsonb_build_object('ready', private.number_of(p_spool, 'ready'), 'parked', private.number_of(p_spool, 'parked'),
    'oldest_s', private.number_of(p_spool, 'oldest_s'), 'last_error', left(p_spool ->> 'last_error', 500),
    'paused', left(p_spool ->> 'paused', 500)));
end $$;
comment on function private.spool_of is 'What a bridge holds back {ready, parked, oldest_s, last_error, paused}, and nothing else it may say.';

create function private.save_gaps(p_machine_id bigint, p_gaps jsonb)
returns void language plpgsql set search_path = '' as $$
begin
  insert into public.print_coverage_gaps (id, machine_id, from_at, to_at)
  select (g.item ->> 'id')::uuid, p_machine_id, private.instant_of(g.item, 'from'), private.instant_of(g.item, 'to')
    from jsonb_array_elements(case jsonb_typeof(p_gaps) when 'array' then p_gaps else '[]' end) with ordinality as g (item, n)
   where g.n <= 50 and g.item ->> 'id' ~* '^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$'
     and private.instant_of(g.item, 'from') <= private.instant_of(g.item, 'to')
  on conflict on constraint print_coverage_gaps_pkey do nothing;
end $$;
comment on function private.save_gaps is 'When nobody watched the printer [{id, from, to}], each once; what is none is left out.';

create function private.save_machine_state(p_machine public.print_machines, p_report jsonb, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_old public.print_machine_states;
  v_new public.print_machine_states;
begin
  select s.* into v_old from public.print_machine_states s where s.machine_id = p_machine.id;
  insert into public.print_machine_states as s (machine_id, link, link_text, state, job_name, candidates, plate, percent, minutes_left, live,
    last_report_at, reported_at)
  values (p_machine.id, coalesce(left(p_report ->> 'link', 40), 'offline'), left(p_report ->> 'link_text', 300), private.machine_state(p_report),
    left(coalesce(p_report ->> 'filename', p_report ->> 'name'), 300),
    array(select left(c, 300) from jsonb_array_elements_text(case jsonb_typeof(p_report -> 'candidates') when 'array' then p_report -> 'candidates' else '[]' end) c limit 20),
    case when private.number_of(p_report, 'plate') between 1 and 999 then private.number_of(p_report, 'plate')::integer end,
    case when private.number_of(p_report, 'percent') is not null then least(greatest(private.number_of(p_report, 'percent'), 0), 100) end,
    least(greatest(private.number_of(p_report, 'remaining_min'), 0), 100000), private.live_of(p_report),
    private.instant_of(p_report, 'last_report_at'), now())
  on conflict on constraint print_machine_states_pkey do update
    set (link, link_text, state, job_name, candidates, plate, percent, minutes_left, live, last_report_at, reported_at) =
      (excluded.link, excluded.link_text, excluded.state, excluded.job_name, excluded.candidates, excluded.plate, excluded.percent,
       excluded.minutes_left, excluded.live, excluded.last_report_at, excluded.reported_at)
  returning s.* into v_new;
  if (v_old.link, v_old.state, v_old.job_name) is distinct from (v_new.link, v_new.state, v_new.job_name) then
    perform private.emit('print_machine', p_machine.code, 'machine.' || v_new.state, p_actor, jsonb_strip_nulls(jsonb_build_object(
      'link', v_new.link, 'job_name', v_new.job_name, 'plate', v_new.plate)), null, p_machine.site);
  elsif (v_old.percent, v_old.minutes_left) is distinct from (v_new.percent, v_new.minutes_left) then
    -- Progress is shown, not kept: no event.
    perform private.broadcast('site:' || p_machine.site || ':print_machine', 'machine.progress', jsonb_build_object('stream_id', p_machine.code));
  end if;
end $$;

create function public.bridge_heartbeat(
  p_version text default null, p_printers jsonb default '[]', p_spool jsonb default '{}', p_status jsonb default '{}')
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('farm.report');
  v_device public.devices;
  v_row record;
  v_machine public.print_machines;
  v_owner uuid;
  v_answer jsonb := '[]';
begin
  if jsonb_typeof(p_printers) is distinct from 'array' or jsonb_array_length(p_printers) > 200 or length(p_printers::text) > 1000000 then
    perform private.fail(422, 'print_run.bad_heartbeat', 'Printers come as a list of at most 200.', jsonb_build_object('field', 'p_printers'));
  end if;
  update public.devices d set last_seen_at = now(), version = coalesce(left(p_version, 64), d.version),
      status = case when jsonb_typeof(p_status) = 'object' and length(p_status::text) < 8000 then p_status else '{}' end
        || jsonb_build_object('spool', private.spool_of(p_spool))
   where d.user_id = v_actor returning d.* into v_device;
  for v_row in
    select m as machine, r.item as report from (select distinct on (upper(trim(i ->> 'serial'))) upper(trim(i ->> 'serial')) as serial, i as item
        from jsonb_array_elements(p_printers) i) r
      join public.print_machines m on m.serial = r.serial and m.site = v_device.site order by m.id
  loop
    v_machine := v_row.machine;
    v_owner := private.take_lease(v_machine.id, v_device.id);
    if v_owner = v_device.id then
      perform private.save_machine_state(v_machine, v_row.report, v_actor);
      perform private.save_gaps(v_machine.id, v_row.report -> 'gaps');
    end if;
    v_answer := v_answer || jsonb_build_object('serial', v_machine.serial, 'code', v_machine.code, 'name', v_machine.name,
      'owned', v_owner = v_device.id, 'owner', (select d.code from public.devices d where d.id = v_owner), 'enabled', v_machine.is_active,
      'knows', v_row.report ->> 'told' is null or exists (select 1 from public.print_runs r where r.idempotency_key = v_row.report ->> 'told'));
  end loop;
  return jsonb_build_object('printers', v_answer, 'every_s', 30, 'lease_s', 90, 'at', now());
end $$;
comment on function public.bridge_heartbeat is
$$I am here, and so are my printers. p_printers: [{serial, link, connected, phase, state, filename, candidates, plate, percent, remaining_min,
last_report_at, told, gaps: [{id, from, to}] …}], told: key of the last print that was taken; p_spool {ready, parked, oldest_s, last_error}; p_status as in device_heartbeat. A printer that no
other bridge has owned in the last 90 s becomes the caller's. Answers {printers: [{serial, owned, owner, enabled, knows}], every_s}: knows is false when that print is not
here, so that it was lost with a restored backup and the bridge tells its prints again; a serial that is
missing is not registered at the bridge's site.
Permission: farm.report (bridges only).
Errors: print_run.bad_heartbeat (422).
Idempotency: says the same again; a gap is kept once, by its id.
Locks: the device, then leases and states of its printers.$$;

grant execute on function public.record_print_completion, public.bridge_heartbeat to authenticated;
