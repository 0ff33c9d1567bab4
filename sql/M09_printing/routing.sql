-- From "a label for this" to a job on a printer.

-- Which printer ----------------------------------------------------------------------------------------------------

create function private.printer_trouble(p_printer public.printers, p_media text, p_now timestamptz default now())
returns text language plpgsql stable set search_path = '' as $$
begin
  return case
    when not p_printer.is_enabled then 'it is switched off here'
    when p_printer.halted_reason is not null then 'it was stopped: ' || p_printer.halted_reason
    when p_printer.loaded_media <> p_media then format('it has %s loaded, not %s', p_printer.loaded_media, p_media)
    when p_printer.last_seen_at is null or p_printer.last_seen_at < p_now - interval '90 seconds' then 'its agent is not there'
    when p_printer.status in ('stopped', 'unreachable') and p_printer.status_since < p_now - interval '60 seconds'
      then private.reason_words(p_printer.reasons)
  end;
end $$;
comment on function private.printer_trouble is 'Why a printer would not print this media now, in words, or null. A fault counts after a minute.';

create function private.find_printer(p_printer text)
returns public.printers language plpgsql stable set search_path = '' as $$
declare
  v_printer public.printers;
begin
  select p.* into v_printer from public.printers p where p.code = p_printer;
  if v_printer.code is null then
    perform private.fail(404, 'printer.unknown', 'There is no printer ' || coalesce(p_printer, '') || '.', jsonb_build_object('printer', p_printer));
  end if;
  return v_printer;
end $$;

create function private.routed_printers(p_site text, p_station text, p_label_type text)
returns setof public.printers language plpgsql stable set search_path = '' as $$
begin
  return query
    select p.* from public.print_routes r join public.printers p on p.code = r.printer
     where r.site = p_site and r.label_type = p_label_type
       and r.station is not distinct from (
         select s.station from public.print_routes s where s.site = p_site and s.label_type = p_label_type and s.station = p_station limit 1)
     order by r.position;
end $$;
comment on function private.routed_printers is 'The printers of a route in order: of the station when it has one for these labels, else of the whole site.';

create function private.pick_printer(p_site text, p_station text, p_label_type text, p_media text)
returns public.printers language plpgsql stable set search_path = '' as $$
declare
  v_printer public.printers;
  v_first public.printers;
begin
  for v_printer in select r.* from private.routed_printers(p_site, p_station, p_label_type) r loop
    if private.printer_trouble(v_printer, p_media) is null then
      return v_printer;
    elsif v_first.code is null and v_printer.is_enabled then
      v_first := v_printer;
    end if;
  end loop;
  return v_first;   -- nothing prints now: it waits for the first one
end $$;
comment on function private.pick_printer is 'The first printer of the route that would print now, else the first one that is switched on; null without a route.';

-- What is wanted ---------------------------------------------------------------------------------------------------

create type private.print_place as (site text, store text, station text);
create type private.print_wish as (label_type text, copies integer, printer text, template text, priority integer);
create type private.print_demand as (job_id bigint, is_new boolean);

create function private.order_of_label(p_subject text)
returns public.orders language plpgsql stable set search_path = '' as $$
declare
  v_order public.orders;
begin
  select o.* into v_order from public.orders o where o.id = split_part(p_subject, '/', 1);
  return v_order;
end $$;
comment on function private.order_of_label is 'The ticket a label belongs to: its subject is the order''s id, or id/n for one of several. Null for anything else.';

create function private.store_of_labels(p_labels jsonb)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_stores text[];
begin
  if coalesce(jsonb_typeof(p_labels), '') <> 'array' or jsonb_array_length(p_labels) not between 1 and 500 then
    perform private.fail(422, 'print.labels', 'Print 1 to 500 different labels at a time.', jsonb_build_object('field', 'p_labels'));
  elsif exists (select from jsonb_array_elements(p_labels) l
      where coalesce(jsonb_typeof(l), '') <> 'object' or coalesce(length(trim(l ->> 'subject')), 0) not between 1 and 200
         or coalesce(jsonb_typeof(l -> 'data'), 'object') <> 'object' or length(l::text) > 20000) then
    perform private.fail(422, 'print.subject', 'Each label says what it is for (1 to 200 characters), and its data is a small object.',
      jsonb_build_object('field', 'subject'));
  elsif (select count(*) <> count(distinct l ->> 'subject') from jsonb_array_elements(p_labels) l) then
    perform private.fail(422, 'print.same_subject', 'The same label stands twice in the list. For several of it ask for copies.');
  end if;
  v_stores := array(select distinct coalesce((private.order_of_label(l ->> 'subject')).store, '') from jsonb_array_elements(p_labels) l);
  if cardinality(v_stores) > 1 then
    perform private.fail(422, 'print.mixed_stores', 'Print the labels of one store at a time.', jsonb_build_object('actual', v_stores));
  end if;
  return nullif(v_stores[1], '');
end $$;
comment on function private.store_of_labels is
$$The store whose orders these labels [{subject, data}] stand for; null when they stand for something else.
Errors: print.labels (422), print.subject (422), print.same_subject (422), print.mixed_stores (422).$$;

create function private.print_place(p_store text, p_station text, p_printer text)
returns private.print_place language plpgsql stable set search_path = '' as $$
declare
  v_site text := (select st.site from public.stores st where st.code = p_store);
  v_station public.stations;
  v_sites text[];
begin
  select s.* into v_station from public.stations s where s.code = coalesce(p_station, private.station()) and s.is_active;
  if p_station is not null and v_station.code is null then
    perform private.fail(404, 'print.no_station', 'There is no station ' || p_station || '.', jsonb_build_object('station', p_station));
  end if;
  v_site := coalesce(v_site, case when p_printer is not null then (private.find_printer(p_printer)).site end, v_station.site);
  if v_site is null then
    v_sites := array(select distinct st.site from public.stores st where st.code = any (private.readable_stores('printing.read')));
    v_site := case when cardinality(v_sites) = 1 then v_sites[1] end;
  end if;
  if v_site is null then
    perform private.fail(422, 'print.where', 'Say at which station or on which printer.', jsonb_build_object('field', 'p_station'));
  end if;
  return row(v_site, p_store, case when v_station.site = v_site then v_station.code end)::private.print_place;
end $$;
comment on function private.print_place is
$$Where a label is printed: at the site of its store, of the printer, of the station, or the only site of the caller. A station of
another site does not count. Errors: print.no_station (404), printer.unknown (404), print.where (422).$$;

create function private.known_label_data(p_subject text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return private.order_label_data(private.order_of_label(p_subject));
end $$;
comment on function private.known_label_data is 'What the database knows about the order of a label. M10_units and M12_production replace it: also of units, orders and lots.';

create function private.label_data(p_subject text, p_given jsonb)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return jsonb_build_object('code', p_subject) || coalesce(p_given, '{}') || private.known_label_data(p_subject);
end $$;
comment on function private.label_data is 'What a label says: what the database knows wins over what was given; code is the subject unless given.';

create function private.authorize_labels(p_labels jsonb)
returns void language plpgsql stable set search_path = '' as $$
begin
end $$;
comment on function private.authorize_labels is
  'The right to labels of things that belong to a site: [{subject}]. Tickets: by their store. M10_units and M12_production replace it.';

create function private.existing_label(p_label_type text, p_template text, p_subject text, p_given jsonb)
returns bigint language plpgsql stable set search_path = '' as $$
declare
  v_label public.print_job_labels;
  v_known text[] := array(select jsonb_object_keys(private.known_label_data(p_subject)));
begin
  select l.* into v_label from public.print_job_labels l
   where l.subject = p_subject and l.purpose = p_label_type and l.template = p_template and l.state <> 'void' order by l.print_no desc limit 1;
  if v_label.job_id is not null and not v_label.data @> (coalesce(p_given, '{}') - v_known) then
    perform private.fail(409, 'print.other_data', format('The label of %s was asked for with other data. Reprint it with the reason "changed".', p_subject),
      jsonb_build_object('subject', p_subject, 'job_id', v_label.job_id, 'actual', p_given));
  end if;
  return v_label.job_id;
end $$;
comment on function private.existing_label is
  'The job that has made, or will make, this label; null when there is none. PT409 print.other_data when it says something else.';

-- Making jobs ------------------------------------------------------------------------------------------------------

create function private.named_printer(p_place private.print_place, p_label_type text)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_name text := lower(trim(private.setting('printing.printer_name', p_place.store) #>> '{}'));
begin
  return (select p.code from public.printers p
    where p.site = p_place.site and p.is_enabled and p_label_type = 'order_ticket' and v_name in (p.code, lower(p.name)) limit 1);
end $$;
comment on function private.named_printer is 'The printer that the store named for its tickets (setting printing.printer_name), before any route; null for other labels.';

create function private.printer_for(p_place private.print_place, p_wish private.print_wish, p_media text)
returns public.printers language plpgsql stable set search_path = '' as $$
declare
  v_named constant text := coalesce(p_wish.printer, private.named_printer(p_place, p_wish.label_type));
  v_printer public.printers;
begin
  if v_named is null then
    v_printer := private.pick_printer(p_place.site, p_place.station, p_wish.label_type, p_media);
  else
    v_printer := private.find_printer(v_named);
    if v_printer.site <> p_place.site then
      perform private.fail(422, 'print.other_site', format('The printer %s stands at another site.', v_printer.name),
        jsonb_build_object('expected', p_place.site, 'actual', v_printer.site));
    end if;
  end if;
  if v_printer.code is null or not v_printer.is_enabled then
    perform private.fail(412, 'print.no_printer', 'No printer takes these labels here. Choose one, or ask a manager to set a route.',
      jsonb_build_object('site', p_place.site, 'station', p_place.station, 'label_type', p_wish.label_type, 'printer', v_printer.code));
  elsif v_printer.dpi is null then
    perform private.fail(412, 'print.no_resolution', format('It is not known how fine %s prints. Start its agent, or enter the resolution.', v_printer.name),
      jsonb_build_object('printer', v_printer.code));
  end if;
  return v_printer;
end $$;
comment on function private.printer_for is
  'The printer of a wish. Errors: printer.unknown (404), print.other_site (422), print.no_printer (412), print.no_resolution (412).';

create function private.print_expiry(p_site text)
returns timestamptz language plpgsql stable set search_path = '' as $$
begin
  return now() + make_interval(mins => (private.setting('printing.expire_minutes', null, p_site) #>> '{}')::integer);
end $$;
comment on function private.print_expiry is 'When a label asked for now is too old to come out: nobody expects it any more.';

create function private.check_size(p_version public.label_template_versions, p_printer public.printers)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_version.width_mm > p_printer.media_width_mm + 1 or p_version.height_mm > p_printer.media_height_mm + 1 then
    perform private.fail(412, 'print.too_large', format('The label is %s × %s mm; the labels in %s are %s × %s mm.', trim_scale(p_version.width_mm),
      trim_scale(p_version.height_mm), p_printer.name, trim_scale(p_printer.media_width_mm), trim_scale(p_printer.media_height_mm)),
      jsonb_build_object('printer', p_printer.code, 'width_mm', p_version.width_mm, 'height_mm', p_version.height_mm));
  end if;
end $$;
comment on function private.check_size is 'PT412 print.too_large when the label does not fit the stock of the printer, where its size is known. A millimetre is forgiven.';

create function private.insert_print(p_job public.print_jobs, p_printer public.printers, p_labels jsonb, p_payload text default null)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_version public.label_template_versions;
  v_payload text := p_payload;
  v_id bigint;
begin
  select v.* into v_version from public.label_template_versions v where v.id = p_job.version_id;
  perform private.check_size(v_version, p_printer);
  v_payload := coalesce(v_payload, private.compile_label(v_version, p_labels, p_job.copies, p_printer.language, p_printer.dpi));
  insert into public.print_jobs (site, store, station, printer, printer_fixed, label_type, version_id, media, subject, print_no, labels, copies,
    language, dpi, payload, payload_sha256, state_by, priority, expires_at, reprint_of, reason, note, requested_by)
  values (p_job.site, p_job.store, p_job.station, p_printer.code, p_job.printer_fixed, p_job.label_type, v_version.id, p_job.media,
    p_labels #>> '{0,subject}', (p_labels #>> '{0,print_no}')::integer, jsonb_array_length(p_labels), p_job.copies, p_printer.language,
    p_printer.dpi, v_payload, encode(sha256(convert_to(v_payload, 'UTF8')), 'hex'), p_job.requested_by, p_job.priority,
    private.print_expiry(p_job.site),
    p_job.reprint_of, p_job.reason, p_job.note, p_job.requested_by)
  returning id into v_id;
  insert into public.print_job_labels (job_id, seq, purpose, subject, template, print_no, data)
  select v_id, l.n, p_job.label_type, l.item ->> 'subject', v_version.template, (l.item ->> 'print_no')::integer, l.item -> 'data'
    from jsonb_array_elements(p_labels) with ordinality as l (item, n);
  delete from private.print_refusals f using jsonb_array_elements(p_labels) l
   where f.subject = l ->> 'subject' and f.label_type = p_job.label_type;
  return v_id;
end $$;
comment on function private.insert_print is
  'One job for labels [{subject, data, print_no}], compiled for the printer unless the payload of an earlier job is sent again. Errors: those of compile_label.';

create function private.add_prints(p_place private.print_place, p_wish private.print_wish, p_labels jsonb, p_actor uuid)
returns setof private.print_demand language plpgsql set search_path = '' as $$
declare
  v_version public.label_template_versions := private.active_label_version(p_wish.label_type, p_place.site, p_wish.template);
  v_printer public.printers;
  v_job public.print_jobs;
  v_label jsonb;
  v_existing bigint;
  v_new jsonb := '[]';
begin
  perform pg_advisory_xact_lock(hashtextextended('print:' || p_wish.label_type || ':' || s.subject, 0))   -- twins wait for each other
    from (select l ->> 'subject' as subject from jsonb_array_elements(p_labels) l order by 1) s;
  for v_label in select l.item from jsonb_array_elements(p_labels) with ordinality as l (item, n) order by l.n loop
    v_existing := private.existing_label(p_wish.label_type, v_version.template, v_label ->> 'subject', v_label -> 'data');
    if v_existing is not null then
      return next row(v_existing, false)::private.print_demand;
    else
      v_new := v_new || jsonb_build_object('subject', v_label -> 'subject', 'data', private.label_data(v_label ->> 'subject', v_label -> 'data'),
        'print_no', private.next_print_no(p_wish.label_type, v_version.template, v_label ->> 'subject'));
    end if;
  end loop;
  if v_new = '[]' then
    return;
  end if;
  select t.media into v_job.media from public.label_templates t where t.code = v_version.template;
  v_printer := private.printer_for(p_place, p_wish, v_job.media);
  v_job.site := p_place.site; v_job.store := p_place.store; v_job.station := coalesce(p_place.station, private.station());
  v_job.printer_fixed := p_wish.printer is not null; v_job.label_type := p_wish.label_type; v_job.version_id := v_version.id;
  v_job.copies := p_wish.copies; v_job.priority := p_wish.priority; v_job.requested_by := nullif(p_actor, '00000000-0000-0000-0000-000000000000');
  for v_label in   -- chunks of ten: a doubt is never about more
    select jsonb_agg(l.item order by l.n) from jsonb_array_elements(v_new) with ordinality as l (item, n) group by (l.n - 1) / 10 order by min(l.n)
  loop
    return next row(private.insert_print(v_job, v_printer, v_label), true)::private.print_demand;
  end loop;
end $$;
comment on function private.add_prints is
$$Jobs for labels [{subject, data}]: those that exist already, and new ones. Authorises nothing.
Errors: those of active_label_version, existing_label, printer_for and compile_label. Locks: one advisory lock per label.$$;

create function private.next_print_no(p_label_type text, p_template text, p_subject text)
returns integer language plpgsql stable set search_path = '' as $$
begin
  return 1 + coalesce((select max(l.print_no) from public.print_job_labels l
    where l.subject = p_subject and l.purpose = p_label_type and l.template = p_template), 0);
end $$;
