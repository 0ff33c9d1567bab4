create function public.release_print(p_job_id bigint, p_fence integer, p_reason text default null, p_retry_s integer default 5)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
  v_job public.print_jobs := v_call.job;
begin
  if v_job.state in ('queued', 'cancelled', 'held') then
    return private.verdict(v_job, false);
  elsif v_job.state <> 'claimed' then
    perform private.refuse_print_state(v_job, 'claimed', format('Only what was not begun can be released; this job is %s.', v_job.state));
  end if;
  return private.verdict(private.requeue_print(v_job, v_call.moved_by, coalesce(left(p_reason, 400), 'The printer was not ready.'),
    make_interval(secs => least(greatest(coalesce(p_retry_s, 5), 0), 3600)), true), true);
end $$;
comment on function public.release_print is
$$The printer is not ready: the job goes back untouched, and the try does not count. It is offered again after p_retry_s seconds (0–3600).
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409), print.wrong_state (409).
Idempotency: by the fence; a repeat answers changed = false.
Locks: the printer, then the job.$$;

create function public.fail_print(p_job_id bigint, p_fence integer, p_reason text)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
  v_job public.print_jobs := v_call.job;
begin
  if v_job.state = 'failed' then
    return private.verdict(v_job, false);
  elsif v_job.state <> 'claimed' then
    perform private.refuse_print_state(v_job, 'claimed', format('Only what was not begun can fail; this job is %s.', v_job.state));
  end if;
  return private.verdict(private.move_print(v_job, 'failed', v_call.moved_by, coalesce(left(p_reason, 400), 'The agent gave no reason.')), true);
end $$;
comment on function public.fail_print is
$$This job can never be printed (its bytes are damaged, the printer does not take them): nothing has left, nothing will.
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409), print.wrong_state (409).
Idempotency: by the fence; a repeat answers changed = false.
Locks: the printer, then the job.$$;

create function public.extend_print(p_job_id bigint, p_fence integer)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
  v_job public.print_jobs := v_call.job;
begin
  if v_job.lease_until is null then
    perform private.fail(409, 'print.lease_over', format('There is nothing to extend: this job is %s.', v_job.state),
      jsonb_build_object('id', p_job_id, 'actual', v_job.state));
  end if;
  update public.print_jobs j set lease_until = greatest(j.lease_until, private.print_lease(v_job, v_job.state))
   where j.id = p_job_id returning j.* into v_job;
  return private.verdict(v_job, true);
end $$;
comment on function public.extend_print is
$$I am still at it: the lease runs anew from now. The time to begin sending is not extended.
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409), print.lease_over (409).
Idempotency: says the same again.
Locks: the printer, then the job.$$;

create function public.print_job_state(p_job_id bigint, p_fence integer)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
begin
  return private.verdict(v_call.job, false);
end $$;
comment on function public.print_job_state is
$$What the database knows of a claim whose answer was lost. It waits for a call that is still running; a stale fence is refused.
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409).
Idempotency: changes nothing.
Locks: the printer, then the job.$$;

-- I am here --------------------------------------------------------------------------------------------------------

create function private.check_report(p_report jsonb)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if coalesce(jsonb_typeof(p_report), '') <> 'object' or length(p_report::text) > 8000
    or coalesce(jsonb_typeof(p_report -> 'code'), '') <> 'string'
    or coalesce(p_report ->> 'status', 'unknown') not in ('unknown', 'idle', 'printing', 'stopped', 'unreachable')
    or jsonb_typeof(p_report -> 'reasons') not in ('array', 'null') or jsonb_typeof(p_report -> 'capabilities') not in ('object', 'null')
    or not coalesce(private.is_count(coalesce(nullif(p_report -> 'odometer', 'null'), '0')), false)
    or coalesce(nullif(p_report -> 'dpi', 'null'), '203') not in ('203', '300', '600')
  then
    perform private.fail(422, 'print.bad_report', 'What the agent says about a printer cannot be read. Update the agent.',
      jsonb_build_object('field', 'p_printers', 'actual', left(p_report::text, 500)));
  end if;
end $$;
comment on function private.check_report is
  'PT422 print.bad_report unless it is {code, status, reasons: [text], odometer, boot_id, dpi, capabilities}, all but code null or absent if not known.';

create function private.stray_labels(p_printer public.printers, p_odometer bigint)
returns integer language plpgsql stable set search_path = '' as $$
begin
  return case when p_odometer > p_printer.odometer and p_printer.last_seen_at is not null and not exists (
    select from public.print_jobs j where j.printer = p_printer.code and j.state in ('claimed', 'sending', 'sent', 'unknown'))
    and not exists (select from public.print_jobs j where j.printer = p_printer.code and j.sending_at > p_printer.last_seen_at - interval '10 minutes'
      and j.finished_at > p_printer.last_seen_at)
    then least(p_odometer - p_printer.odometer, 100000) else 0 end;
end $$;
comment on function private.stray_labels is 'How far the counter moved since the last report while no job had the printer.';

create function private.hear_printer(p_printer public.printers, p_report jsonb, p_actor uuid)
returns public.printers language plpgsql set search_path = '' as $$
declare
  v_new public.printers;
  v_odometer constant bigint := (p_report ->> 'odometer')::numeric;
  v_reasons constant text[] := array(select left(r, 60) from jsonb_array_elements_text(coalesce(nullif(p_report -> 'reasons', 'null'), '[]')) r limit 20);
  v_stray constant integer := private.stray_labels(p_printer, v_odometer);
begin
  update public.printers p
     set status = coalesce(p_report ->> 'status', 'unknown'), reasons = v_reasons,
         status_since = case when p.status = coalesce(p_report ->> 'status', 'unknown') then p.status_since else now() end,
         odometer = case when v_odometer is null then p.odometer when p.boot_id = p_report ->> 'boot_id' then greatest(p.odometer, v_odometer) else v_odometer end,
         boot_id = coalesce(left(p_report ->> 'boot_id', 100), p.boot_id), dpi = coalesce((p_report ->> 'dpi')::integer, p.dpi),
         capabilities = coalesce(nullif(p_report -> 'capabilities', 'null'), p.capabilities), last_seen_at = now(),
         labels_since_media = p.labels_since_media + v_stray,
         stray_labels = case when v_stray = 0 then p.stray_labels when p.stray_at > now() - interval '10 minutes' then p.stray_labels + v_stray else v_stray end,
         stray_at = case when v_stray = 0 then p.stray_at else now() end
   where p.code = p_printer.code returning p.* into v_new;
  if (v_new.status, v_new.reasons, v_new.dpi) is distinct from (p_printer.status, p_printer.reasons, p_printer.dpi) then
    perform private.emit_printer(v_new, 'printer.status', p_actor, jsonb_build_object('status', v_new.status, 'reasons', v_new.reasons, 'dpi', v_new.dpi));
  end if;
  if v_new.dpi is distinct from p_printer.dpi then
    perform private.refit_prints(v_new);
  end if;
  if v_new.status = 'stopped' and p_printer.status <> 'stopped' then
    perform private.note_print(j, j.state, 'print.fault', 'A fault struck while it printed: ' || private.reason_words(v_reasons) || '.',
        jsonb_build_object('faults', v_reasons), p_actor, p_printer.device_id)
      from public.print_jobs j where j.printer = p_printer.code and (j.state in ('sending', 'sent') or j.state = 'unknown' and j.evidence_after is null);
  end if;
  return v_new;
end $$;
comment on function private.hear_printer is
$$One printer as its agent sees it now. A resolution that differs wins, and what waits is compiled anew. A fault in the middle of a job is
remembered with it: the label may be spoiled although it counts.$$;

create function private.agent_status(p_device public.devices, p_status jsonb, p_clock timestamptz)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_old constant jsonb := p_device.status;
  v_instance constant text := p_status ->> 'instance';
  v_changed constant boolean := v_instance <> v_old ->> 'instance';
begin
  return coalesce(p_status, '{}') || jsonb_strip_nulls(jsonb_build_object(
    'clock_skew_ms', round(extract(epoch from p_clock - now()) * 1000),
    'instance_before', case when v_changed then v_old ->> 'instance' else v_old ->> 'instance_before' end,
    -- A restart changes the instance once. Two programs with one sign-in change it back and forth.
    'twin_at', case when v_changed and v_instance = v_old ->> 'instance_before' and p_device.last_seen_at > now() - interval '1 minute'
      then to_jsonb(now()) else v_old -> 'twin_at' end));
end $$;
comment on function private.agent_status is 'What the agent said about itself, with how far its clock is off and whether two programs use its sign-in.';

create function public.agent_heartbeat(p_version text default null, p_clock timestamptz default null, p_printers jsonb default '[]', p_status jsonb default '{}')
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.work');
  v_device public.devices := private.agent_of(v_actor);
  v_printer public.printers;
  v_report jsonb;
begin
  if coalesce(jsonb_typeof(p_status), '') <> 'object' or length(p_status::text) > 7000 then
    perform private.fail(422, 'device.status', 'The status is a small object of at most 7000 characters.', jsonb_build_object('field', 'p_status'));
  elsif coalesce(jsonb_typeof(p_printers), '') <> 'array' or jsonb_array_length(p_printers) > 100 then
    perform private.fail(422, 'print.bad_report', 'An agent reports a list of at most 100 printers.', jsonb_build_object('field', 'p_printers'));
  end if;
  perform private.check_report(r) from jsonb_array_elements(p_printers) r;
  for v_printer in select p.* from public.printers p where p.device_id = v_device.id order by p.code for no key update loop
    select r into v_report from jsonb_array_elements(p_printers) r where r ->> 'code' = v_printer.code limit 1;
    if found then
      perform private.hear_printer(v_printer, v_report, v_actor);
    end if;
  end loop;
  update public.devices d
     set last_seen_at = now(), version = coalesce(left(p_version, 64), d.version), status = private.agent_status(v_device, p_status, p_clock)
   where d.id = v_device.id;
  return jsonb_build_object('server_time', now(), 'clock_skew_ms', round(extract(epoch from p_clock - now()) * 1000), 'poll_ms', 1000, 'printers', (
    select coalesce(jsonb_agg(jsonb_build_object('code', p.code, 'site', p.site, 'name', p.name, 'language', p.language, 'address', p.address,
        'dpi', p.dpi, 'media_width_mm', p.media_width_mm, 'media_height_mm', p.media_height_mm, 'loaded_media', p.loaded_media,
        'evidence_level', p.evidence_level, 'is_enabled', p.is_enabled, 'halted_reason', p.halted_reason, 'epoch', p.owner_epoch) order by p.code), '[]')
      from public.printers p where p.device_id = v_device.id));
end $$;
comment on function public.agent_heartbeat is
$$The agent is here, with how its printers are: p_printers [{code, status unknown|idle|printing|stopped|unreachable, reasons [IPP words],
odometer, boot_id, dpi, capabilities}]; p_clock its clock; p_status a small object about itself, where instance names the running program.
Answers {server_time, clock_skew_ms, poll_ms, printers: what it owns, as configured}. Printers of others are passed over.
Permission: printing.work (print agents only).
Errors: print.bad_report (422), device.status (422).
Idempotency: says the same again.
Locks: the own printers, by code, then the device row.$$;

grant execute on function public.release_print, public.fail_print, public.extend_print, public.print_job_state, public.agent_heartbeat to authenticated;
