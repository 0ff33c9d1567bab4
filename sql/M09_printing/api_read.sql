create function public.get_print_jobs(
  p_state public.print_job_state default null, p_printer text default null, p_subject text default null, p_limit integer default 50,
  p_cursor text default null)
returns public.print_page language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 50), 1), 200);
  v_after bigint;
  v_printers text[];
  v_stores text[];
  v_ids bigint[];
  v_page public.print_page;
begin
  perform private.authorize('printing.read');
  v_after := (private.keys_of(p_cursor, 1) ->> 0)::bigint;
  v_printers := private.readable_printers();
  v_stores := private.readable_stores('printing.read');
  v_ids := case when p_subject is not null
    then array(select l.job_id from public.print_job_labels l where l.subject = p_subject order by l.job_id desc limit 1000) end;
  v_page.jobs := array(
    select j from public.print_jobs j
     where (p_state is null or j.state = p_state) and (p_printer is null or j.printer = p_printer) and (v_ids is null or j.id = any (v_ids))
       and (v_after is null or j.id < v_after) and j.printer = any (v_printers) and (j.store is null or j.store = any (v_stores))
     order by j.id desc limit v_limit + 1);
  if cardinality(v_page.jobs) > v_limit then
    v_page.jobs := v_page.jobs[1:v_limit];
    v_page.next_cursor := private.cursor_of(jsonb_build_array((v_page.jobs[v_limit]).id));
  end if;
  for i in 1..cardinality(v_page.jobs) loop
    v_page.jobs[i].payload := null;
  end loop;
  return v_page;
end $$;
comment on function public.get_print_jobs is
$$Print jobs, newest first, of a state, a printer, or a thing (p_subject). p_limit 1–200.
Permission: printing.read in the store of the label and at the site; a print agent sees the jobs of its own printers.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create function public.get_print_job(p_job_id bigint)
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_job public.print_jobs;
  v_version public.label_template_versions;
begin
  select j.* into v_job from public.print_jobs j where j.id = p_job_id;
  perform private.authorize('printing.read', v_job.store, v_job.site);
  if v_job.id is null or not v_job.printer = any (private.readable_printers()) then
    perform private.fail(404, 'print.no_job', 'There is no print job ' || coalesce(p_job_id::text, '') || '.', jsonb_build_object('id', p_job_id));
  end if;
  select v.* into v_version from public.label_template_versions v where v.id = v_job.version_id;
  return jsonb_build_object(
    'job', to_jsonb(v_job), 'printer_name', (select p.name from public.printers p where p.code = v_job.printer),
    'template', v_version.template, 'version', v_version.version, 'width_mm', v_version.width_mm, 'height_mm', v_version.height_mm,
    'labels', (select jsonb_agg(to_jsonb(l) order by l.seq) from public.print_job_labels l where l.job_id = p_job_id),
    'reprints', (select coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'state', r.state, 'reason', r.reason, 'print_no', r.print_no) order by r.id), '[]')
      from public.print_jobs r where r.reprint_of = p_job_id),
    'requested_by_name', private.actor_name(v_job.requested_by),
    'events', (select jsonb_agg(to_jsonb(e) || jsonb_build_object('actor_name', private.actor_name(e.actor_id)) order by e.id)
      from public.print_job_events e where e.job_id = p_job_id));
end $$;
comment on function public.get_print_job is
$$One job with everything: {job (with its payload), printer_name, template, version, width_mm, height_mm, labels, reprints, requested_by_name,
events (oldest first, with actor_name)}.
Permission: printing.read in the store of the label and at the site.
Errors: print.no_job (404).
Idempotency: a read.
Locks: none.$$;

create function private.actor_name(p_actor uuid)
returns text language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select s.full_name from public.staff_shared s where s.user_id = p_actor),
    (select d.name from public.devices d where d.user_id = p_actor));
end $$;
comment on function private.actor_name is 'Name of a person or device; null for the server itself.';

-- Alarms -----------------------------------------------------------------------------------------------------------

create function private.alarm(
  p_kind text, p_site text, p_printer text, p_device text, p_job_id bigint, p_subject text, p_since timestamptz, p_message text, p_next_action text)
returns public.print_alarm language plpgsql immutable set search_path = '' as $$
begin
  return row(p_kind, p_site, p_printer, p_device, p_job_id, p_subject, p_since, p_message, p_next_action,
    '/printing' || coalesce('/jobs/' || p_job_id, ''))::public.print_alarm;
end $$;

create function private.job_alarms(p_printers text[], p_stores text[])
returns setof public.print_alarm language sql stable set search_path = '' as $$
  select private.alarm('print.unknown', j.site, j.printer, null, j.id, j.subject, coalesce(j.sent_at, j.sending_at),
      format('Did the label of %s come out on %s? Look there and say so.', j.subject, j.printer), 'resolve_print')
    from public.print_jobs j where j.state = 'unknown' and j.printer = any (p_printers) and (j.store is null or j.store = any (p_stores))
  union all
  select private.alarm('print.held', j.site, j.printer, null, j.id, j.subject, j.queued_at, format('The label of %s is held. %s', j.subject, j.why),
      case when j.why like 'Wrong media: %' then 'set_loaded_media' else 'resume_print' end)
    from public.print_jobs j where j.state = 'held' and j.printer = any (p_printers) and (j.store is null or j.store = any (p_stores))
  union all
  select private.alarm('print.extra', j.site, j.printer, null, j.id, j.subject, j.finished_at,
      format('%s labels too many came out with the label of %s: look for a duplicate.', j.extra_labels, j.subject), null)
    from public.print_jobs j where j.sending_at > now() - interval '2 hours' and j.extra_labels > 0 and j.finished_at > now() - interval '1 hour'
     and j.printer = any (p_printers) and (j.store is null or j.store = any (p_stores))
  union all
  select private.alarm('print.half', j.site, j.printer, null, j.id, j.subject, e.at,
      format('Half a label of %s may lie at %s, and it was printed once more: destroy the half one.', j.subject, j.printer), null)
    from public.print_jobs j cross join lateral (select max(v.at) as at from public.print_job_events v
      where v.job_id = j.id and v.to_state = 'queued' and v.reason like '%Half a label may lie there.') e
   where j.sending_at > now() - interval '2 hours' and j.attempts > 1 and e.at > now() - interval '1 hour'
     and j.printer = any (p_printers) and (j.store is null or j.store = any (p_stores))
  union all
  select private.alarm('print.late_truth', j.site, j.printer, null, j.id, j.subject, e.at,
      format('The label of %s, settled as %s, came out after all: look for a label too many.', j.subject, j.state), null)
    from public.print_jobs j cross join lateral (select max(v.at) as at from public.print_job_events v
      where v.job_id = j.id and v.from_state = v.to_state and v.reason like 'It came out after all%') e
   where j.state in ('failed', 'cancelled') and j.sending_at > now() - interval '1 day' and e.at is not null
     and j.printer = any (p_printers) and (j.store is null or j.store = any (p_stores))
  union all
  select private.alarm('print.duplicate', j.site, j.printer, null, j.id, j.subject, e.at, e.reason || ' Look for the first one and destroy it.', null)
    from public.print_jobs j join public.print_job_events e on e.job_id = j.id and e.at > now() - interval '1 hour' and e.evidence -> 'is_twin' = 'true'
   where j.reprint_of is not null and j.printer = any (p_printers) and (j.store is null or j.store = any (p_stores))
$$;

create function private.printer_alarms(p_printers text[])
returns setof public.print_alarm language sql stable set search_path = '' as $$
  with p as (
    select p.*, d.code as device, private.agent_state(d) as agent_state, d.last_seen_at as agent_seen_at, (d.status ->> 'twin_at')::timestamptz as twin_at,
        q.waiting, q.oldest, exists (select from public.print_jobs j where j.printer = p.code and j.state in ('sending', 'sent')) as is_at_work
      from public.printers p left join public.devices d on d.id = p.device_id
      cross join lateral (select count(*) as waiting, min(j.queued_at) as oldest from public.print_jobs j where j.printer = p.code and j.state = 'queued') q
     where p.code = any (p_printers)
  )
  select private.alarm('printer.fault', p.site, p.code, p.device, null, null, p.status_since,
      format('%s does not print, %s labels wait: %s.', p.name, p.waiting, private.reason_words(p.reasons)), null)
    from p where p.is_enabled and p.status in ('stopped', 'unreachable') and p.status_since < now() - interval '60 seconds' and (p.waiting > 0 or p.is_at_work)
  union all
  select private.alarm('print.waiting', p.site, p.code, p.device, null, null, p.oldest,
      format('%s labels wait for %s, the oldest for %s minutes.', p.waiting, p.name, floor(extract(epoch from now() - p.oldest) / 60)),
      case when p.halted_reason is not null then 'resume_printer' end)
    from p where p.oldest < now() - interval '2 minutes'
  union all
  select private.alarm('printer.media', p.site, p.code, p.device, null, null, p.status_since,
      format('%s is nearly out of labels or ribbon.', p.name), 'set_loaded_media')
    from p where p.is_enabled and p.reasons && array['media-low', 'marker-supply-low']
  union all
  select private.alarm('printer.stray', p.site, p.code, p.device, null, null, p.stray_at,
      format('%s labels came out of %s without a job: the feed button, or somebody prints outside the system.', p.stray_labels, p.name), null)
    from p where p.stray_at > now() - interval '10 minutes'
  union all
  select private.alarm('agent.offline', min(p.site), null, p.device, null, null, max(p.agent_seen_at),
      format('The print agent %s is not there: %s do not print.', p.device, string_agg(p.name, ', ' order by p.name)), null)
    from p where p.is_enabled and p.device is not null and p.agent_state = 'offline' group by p.device
  union all
  select private.alarm('agent.twice', min(p.site), null, p.device, null, null, max(p.twin_at),
      format('Two programs use the sign-in of %s. Stop one of them.', p.device), null)
    from p where p.twin_at > now() - interval '2 minutes' group by p.device
$$;

create function private.label_alarms(p_site text, p_printers text[], p_stores text[])
returns setof public.print_alarm language sql stable set search_path = '' as $$
  select private.alarm('print.refused', r.site, null, null, null, r.subject, r.at,
      format('The label of %s could not be asked for: %s', r.subject, r.message), 'request_print')
    from private.print_refusals r where r.at > now() - interval '1 day' and r.store = any (p_stores) and (p_site is null or r.site = p_site)
  union all
  select private.alarm('template.failing', min(j.site), null, null, null, v.template, min(j.finished_at),
      format('%s labels of the template %s could not be printed in the last hour.', count(*), v.template), null)
    from public.print_jobs j join public.label_template_versions v on v.id = j.version_id
   where j.state = 'failed' and j.sending_at is null and j.finished_at > now() - interval '1 hour' and j.printer = any (p_printers)
     and (j.store is null or j.store = any (p_stores))
   group by v.template having count(*) >= 3
$$;

create function public.get_print_alarms(p_site text default null)
returns setof public.print_alarm language plpgsql stable security definer set search_path = '' as $$
declare
  v_stores text[];
  v_printers text[];
begin
  perform private.authorize('printing.read', null, p_site);
  v_stores := private.readable_stores('printing.read');
  v_printers := array(select p.code from public.printers p where p.code = any (private.readable_printers()) and (p_site is null or p.site = p_site));
  return query
    select * from private.job_alarms(v_printers, v_stores)
    union all select * from private.printer_alarms(v_printers)
    union all select * from private.label_alarms(p_site, v_printers, v_stores);
end $$;
comment on function public.get_print_alarms is
$$What needs a person now (at a site). kind: print.unknown (did it come out?), print.held, print.waiting (over 2 minutes), print.extra, print.half
(half a label and a whole one), print.late_truth, print.duplicate (a lost label turned up beside its reprint), print.refused, printer.fault (over a minute
with work), printer.media, printer.stray, agent.offline (over 90 s), agent.twice, template.failing.
Permission: printing.read in the store and at the site.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_print_jobs, public.get_print_job, public.get_print_alarms to authenticated, service_role;
