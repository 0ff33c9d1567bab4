create type public.printer_card as (
  printer public.printers, agent text, agent_state text, agent_version text, state text, message text, waiting bigint, held bigint, unknown bigint,
  oldest_waiting_at timestamptz, job_id bigint, job_state public.print_job_state, last_job_id bigint, last_printed_at timestamptz,
  begin_p50_ms integer, begin_p95_ms integer, done_p50_ms integer, done_p95_ms integer);
comment on type public.printer_card is
$$A printer on the board. state: ready, printing, trouble, halted, off or away (its agent is not there); message says it in words and what to do.
job: the one that has the printer now. begin_*: from the request to the first byte; done_*: to the proof; of the last 200 jobs of a day.$$;

create type public.print_alarm as (
  kind text, site text, printer text, device text, job_id bigint, subject text, since timestamptz, message text, next_action text, target text);
comment on type public.print_alarm is 'Something that a person should know now: kind, where, since when, a sentence, the RPC that helps and the page that shows it.';

create type public.print_page as (jobs public.print_jobs[], next_cursor text);
comment on type public.print_page is 'Print jobs, newest first, without payloads; next_cursor is null on the last page.';

create type public.station_printing as (
  label_type text, printer text, printer_name text, state text, message text, template text, template_name text, printers jsonb, templates jsonb);
comment on type public.station_printing is
$$What a station prints with: the printer that would take the label now, the template, and the choices: printers [{code, name, message}] in the
order of the route, templates [{code, name}].$$;

create function private.agent_state(p_device public.devices, p_now timestamptz default now())
returns text language plpgsql stable set search_path = '' as $$
begin
  return case when p_device.revoked_at is not null then 'offline' when p_device.last_seen_at > p_now - interval '30 seconds' then 'online'
    when p_device.last_seen_at > p_now - interval '90 seconds' then 'late' else 'offline' end;
end $$;

create function private.printer_state(p_printer public.printers, p_agent_state text)
returns text language plpgsql stable set search_path = '' as $$
begin
  return case when not p_printer.is_enabled then 'off' when p_printer.halted_reason is not null then 'halted'
    when coalesce(p_agent_state, 'offline') = 'offline' then 'away' when p_printer.status in ('stopped', 'unreachable') then 'trouble'
    when p_printer.status = 'printing' then 'printing' when p_printer.status = 'unknown' then 'away' else 'ready' end;
end $$;

create function private.printer_message(p_printer public.printers, p_agent_state text)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_words text := private.reason_words(p_printer.reasons);
begin
  return case private.printer_state(p_printer, p_agent_state)
    when 'off' then 'Out of service.'
    when 'halted' then format('Stopped here: %s. Resume it when it may print.', p_printer.halted_reason)
    when 'away' then case when p_printer.device_id is null then 'No agent looks after it. Choose one.'
      else 'Its agent is not there: is the computer beside it running?' end
    when 'trouble' then upper(left(v_words, 1)) || substr(v_words, 2) || '.'
    when 'printing' then 'Printing.'
    else case when p_printer.reasons = '{}' then 'Ready.' else format('Ready; %s.', v_words) end end;
end $$;

create function private.latency(p_printer text, out p_begin numeric[], out p_done numeric[])
returns record language plpgsql stable set search_path = '' as $$
begin
  select percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from j.sending_at - j.queued_at) * 1000),
      percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from j.finished_at - j.queued_at) * 1000) filter (where j.state = 'printed')
    into p_begin, p_done
    from (select * from public.print_jobs r where r.printer = p_printer and r.sending_at > now() - interval '1 day' order by r.sending_at desc limit 200) j;
end $$;

create function public.get_printers_board(p_site text default null)
returns setof public.printer_card language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('printing.read', null, p_site);
  return query
    select p, d.code, private.agent_state(d), d.version, private.printer_state(p, private.agent_state(d)), private.printer_message(p, private.agent_state(d)),
      q.waiting, (select count(*) from public.print_jobs j where j.printer = p.code and j.state = 'held'), o.unknown, q.oldest,
      o.job_id, (select j.state from public.print_jobs j where j.id = o.job_id), l.id, l.finished_at,
      t.p_begin[1]::integer, t.p_begin[2]::integer, t.p_done[1]::integer, t.p_done[2]::integer
      from public.printers p
      left join public.devices d on d.id = p.device_id
      cross join lateral (select count(*) as waiting, min(j.queued_at) as oldest from public.print_jobs j where j.printer = p.code and j.state = 'queued') q
      cross join lateral (select count(*) filter (where j.state = 'unknown') as unknown, max(j.id) filter (where j.state <> 'unknown') as job_id
        from public.print_jobs j where j.printer = p.code and j.state in ('claimed', 'sending', 'sent', 'unknown')) o
      left join lateral (select j.id, j.finished_at from public.print_jobs j
        where j.printer = p.code and j.sending_at is not null and j.state = 'printed' order by j.sending_at desc limit 1) l on true
      cross join lateral private.latency(p.code) t
     where p.code = any (private.readable_printers()) and (p_site is null or p.site = p_site)
     order by p.site, p.code;
end $$;
comment on function public.get_printers_board is
$$Every printer (of a site) with how it is in words, its queue, what it has done last and how fast.
Permission: printing.read at the site; a print agent sees its own printers.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create function private.default_template(p_label_type text, p_site text)
returns public.label_templates language plpgsql stable set search_path = '' as $$
declare
  v_template public.label_templates;
begin
  select t.* into v_template from public.label_templates t where t.code = (private.active_label_version(p_label_type, p_site)).template;
  return v_template;
exception when sqlstate 'PT412' then
  return null;
end $$;
comment on function private.default_template is 'The template of active_label_version; null where none is active.';

create function public.get_station_printing(p_station text default null)
returns setof public.station_printing language plpgsql stable security definer set search_path = '' as $$
declare
  v_place private.print_place;
begin
  perform private.authorize('printing.read');
  v_place := private.print_place(null, p_station, null);
  perform private.authorize('printing.read', null, v_place.site);
  return query
    select r.label_type, p.code, p.name, private.printer_state(p.printer, p.agent_state), private.printer_message(p.printer, p.agent_state), t.code, t.name,
      (select jsonb_agg(jsonb_build_object('code', x.code, 'name', x.name, 'message', private.printer_trouble(x, t.media)))
         from private.routed_printers(v_place.site, v_place.station, r.label_type) x),
      (select jsonb_agg(jsonb_build_object('code', a.code, 'name', a.name) order by a.is_default desc, a.code) from public.label_templates a
        where a.label_type = r.label_type and (a.site is null or a.site = v_place.site)
          and exists (select from public.label_template_versions v where v.template = a.code and v.status = 'active'))
      from (select distinct g.label_type from public.print_routes g where g.site = v_place.site and (g.station is null or g.station = v_place.station)) r
      cross join lateral private.default_template(r.label_type, v_place.site) t
      cross join lateral (
        select x.code, x.name, x as printer, private.agent_state(d) as agent_state
          from private.pick_printer(v_place.site, v_place.station, r.label_type, t.media) x left join public.devices d on d.id = x.device_id
         where x.code is not null) p
     order by r.label_type;
end $$;
comment on function public.get_station_printing is
$$What this station (p_station, else the header x-takt-station; else the whole site) prints with, per label type that has a route: the printer
and the template that would be taken now, and the others.
Permission: printing.read at the site.
Errors: print.no_station (404), print.where (422), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_printers_board to authenticated, service_role;
grant execute on function public.get_station_printing to authenticated;
