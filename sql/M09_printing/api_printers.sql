create function private.check_owner(p_device text, p_site text)
returns uuid language plpgsql set search_path = '' as $$
declare
  v_device public.devices;
begin
  if p_device is null then
    return null;
  end if;
  select d.* into v_device from public.devices d where d.code = p_device;
  if v_device.kind is distinct from 'print_agent' or v_device.site <> p_site or v_device.revoked_at is not null then
    perform private.fail(422, 'printer.agent', p_device || ' is no print agent of this site.', jsonb_build_object('field', 'p_device', 'actual', p_device));
  end if;
  return v_device.id;
end $$;

create function private.lock_printer(p_permission text, p_printer text)
returns public.printers language plpgsql set search_path = '' as $$
declare
  v_printer public.printers := private.find_printer(p_printer);
begin
  perform private.authorize(p_permission, null, v_printer.site);
  select p.* into v_printer from public.printers p where p.code = p_printer for no key update;   -- new jobs may still point to it
  return v_printer;
end $$;
comment on function private.lock_printer is 'The printer, locked, for somebody who may do this at its site. Errors: printer.unknown (404), those of authorize.';

create function private.emit_printer(p_printer public.printers, p_event text, p_actor uuid, p_payload jsonb default '{}')
returns void language plpgsql set search_path = '' as $$
begin
  perform private.emit('print', p_printer.code, p_event, p_actor, jsonb_build_object('printer', p_printer.code) || p_payload, null, p_printer.site);
end $$;

create function public.upsert_printer(
  p_code text, p_name text, p_site text, p_language text, p_address text, p_device text default null, p_dpi integer default null,
  p_media_width_mm numeric default null, p_media_height_mm numeric default null, p_evidence_level integer default null,
  p_is_enabled boolean default true, p_request_id uuid default null)
returns public.printers language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.manage', null, p_site);
  v_stored jsonb := private.replay(v_actor, p_request_id, 'upsert_printer', jsonb_build_array(p_code, p_name, p_site, p_language, p_address,
    p_device, p_dpi, p_media_width_mm, p_media_height_mm, p_evidence_level, p_is_enabled));
  v_old public.printers;
  v_new public.printers;
  v_owner uuid;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.printers, v_stored);
  elsif not exists (select from public.sites s where s.code = p_site) then
    perform private.fail(404, 'site.unknown', 'There is no site ' || coalesce(p_site, '') || '.', jsonb_build_object('site', p_site));
  end if;
  v_owner := private.check_owner(p_device, p_site);
  select p.* into v_old from public.printers p where p.code = p_code for no key update;
  if v_old.code is not null and (v_old.site, v_old.device_id, v_old.language, v_old.address) is distinct from (p_site, v_owner, p_language, p_address) then
    perform private.authorize('printing.manage', null, v_old.site);   -- who takes one over must have had it
    perform private.refuse_busy(v_old);
  end if;
  insert into public.printers as p (code, name, site, language, address, device_id, owner_epoch, dpi, media_width_mm, media_height_mm,
    evidence_level, is_enabled)
  values (p_code, p_name, p_site, p_language, p_address, v_owner, 1, p_dpi, p_media_width_mm, p_media_height_mm,
    coalesce(p_evidence_level, case p_language when 'zpl' then 2 when 'tspl' then 1 else 0 end), p_is_enabled)
  on conflict on constraint printers_pkey do update
    set name = excluded.name, site = excluded.site, language = excluded.language, address = excluded.address, device_id = excluded.device_id,
        owner_epoch = p.owner_epoch + (p.device_id is distinct from excluded.device_id)::integer, dpi = coalesce(excluded.dpi, p.dpi),
        media_width_mm = excluded.media_width_mm, media_height_mm = excluded.media_height_mm, evidence_level = excluded.evidence_level,
        is_enabled = excluded.is_enabled
  returning p.* into v_new;
  perform private.refit_prints(v_new);
  perform private.emit_printer(v_new, 'printer.changed', v_actor);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_new));
  return v_new;
end $$;
comment on function public.upsert_printer is
$$Add or change a label printer; what is not given is cleared, except the resolution, which its agent reads from the device.
p_language zpl, tspl, spooler or file; p_address host:port, device file, queue or folder; p_device: code of the print agent that owns it;
p_dpi 203, 300 or 600; sizes in mm; p_evidence_level 0 accepted, 1 drained, 2 counted (default 2 for zpl, 1 for tspl, else 0).
Permission: printing.manage at the site.
Errors: site.unknown (404), printer.agent (422), printer.busy (409), request.reused (422); constraints by name (printers_dpi_check …).
Idempotency: by p_request_id; the same values again change nothing.
Locks: the printer, its waiting jobs.$$;

create function private.refuse_busy(p_printer public.printers)
returns void language plpgsql set search_path = '' as $$
begin
  if exists (select from public.print_jobs j where j.printer = p_printer.code and j.state in ('claimed', 'sending', 'sent')) then
    perform private.fail(409, 'printer.busy', p_printer.name || ' is printing. Change it when it stands still.', jsonb_build_object('printer', p_printer.code));
  end if;
end $$;

create function public.remove_printer(p_printer text, p_request_id uuid default null)
returns public.printers language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.manage');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'remove_printer', jsonb_build_array(p_printer));
  v_printer public.printers;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.printers, v_stored);
  end if;
  v_printer := private.lock_printer('printing.manage', p_printer);
  if v_printer.is_enabled then
    update public.printers p set is_enabled = false where p.code = p_printer returning p.* into v_printer;
    perform private.emit_printer(v_printer, 'printer.removed', v_actor);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_printer));
  return v_printer;
end $$;
comment on function public.remove_printer is
$$Take a printer out of service: it gets no new job. Its history stays; what waits for it goes to the next printer of the route.
Permission: printing.manage at its site.
Errors: printer.unknown (404), request.reused (422).
Idempotency: by p_request_id; a repeat changes nothing.
Locks: the printer.$$;

create function public.set_loaded_media(p_printer text, p_media text default null, p_request_id uuid default null)
returns public.printers language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.request');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'set_loaded_media', jsonb_build_array(p_printer, p_media));
  v_printer public.printers;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.printers, v_stored);
  end if;
  v_printer := private.lock_printer('printing.request', p_printer);
  update public.printers p set loaded_media = p_media, labels_since_media = 0 where p.code = p_printer returning p.* into v_printer;
  perform private.emit_printer(v_printer, 'printer.media', v_actor, jsonb_build_object('media', p_media));
  perform private.release_media(v_printer, row(v_actor, null)::private.print_mover);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_printer));
  return v_printer;
end $$;
comment on function public.set_loaded_media is
$$A new roll is in: p_media is its name (null: not said, nothing is checked). Labels that were held for this roll wait for their turn again.
Permission: printing.request at the site of the printer.
Errors: printer.unknown (404), request.reused (422); printers_loaded_media_check for a name that is empty or too long.
Idempotency: by p_request_id; a repeat sets the count of labels since the roll to 0 again.
Locks: the printer, then the held jobs.$$;

create function public.halt_printer(p_printer text, p_reason text default null, p_request_id uuid default null)
returns public.printers language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.supervise');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'halt_printer', jsonb_build_array(p_printer, p_reason));
  v_printer public.printers;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.printers, v_stored);
  end if;
  v_printer := private.lock_printer('printing.supervise', p_printer);
  if v_printer.halted_reason is null then
    update public.printers p set halted_reason = coalesce(nullif(trim(p_reason), ''), 'by hand') where p.code = p_printer returning p.* into v_printer;
    perform private.emit_printer(v_printer, 'printer.halted', v_actor, jsonb_build_object('reason', v_printer.halted_reason));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_printer));
  return v_printer;
end $$;
comment on function public.halt_printer is
$$Stop a printer here: it begins no further label until resume_printer. What it has begun is finished.
Permission: printing.supervise at its site.
Errors: printer.unknown (404), request.reused (422); printers_halted_reason_check for a long reason.
Idempotency: by p_request_id; a repeat changes nothing.
Locks: the printer.$$;

create function public.resume_printer(p_printer text, p_request_id uuid default null)
returns public.printers language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.supervise');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'resume_printer', jsonb_build_array(p_printer));
  v_printer public.printers;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.printers, v_stored);
  end if;
  v_printer := private.lock_printer('printing.supervise', p_printer);
  if v_printer.halted_reason is not null then
    update public.printers p set halted_reason = null where p.code = p_printer returning p.* into v_printer;
    perform private.emit_printer(v_printer, 'print.resumed', v_actor);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_printer));
  return v_printer;
end $$;
comment on function public.resume_printer is
$$A halted printer goes on with what waits for it.
Permission: printing.supervise at its site.
Errors: printer.unknown (404), request.reused (422).
Idempotency: by p_request_id; a repeat changes nothing.
Locks: the printer.$$;

create function public.set_print_routes(
  p_site text, p_label_type text, p_printers text[], p_station text default null, p_request_id uuid default null)
returns setof public.print_routes language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.manage', null, p_site);
  v_stored jsonb := private.replay(v_actor, p_request_id, 'set_print_routes', jsonb_build_array(p_site, p_label_type, p_printers, p_station));
  v_wrong text;
begin
  if v_stored is null then
    select w into v_wrong from unnest(p_printers) w where (private.find_printer(w)).site <> p_site limit 1;
    if v_wrong is not null then
      perform private.fail(422, 'print.other_site', format('The printer %s stands at another site.', v_wrong), jsonb_build_object('printer', v_wrong));
    elsif p_station is not null and not exists (select from public.stations s where s.code = p_station and s.site = p_site) then
      perform private.fail(404, 'print.no_station', 'There is no station ' || p_station || ' at this site.', jsonb_build_object('station', p_station));
    end if;
    perform 1 from public.sites s where s.code = p_site for no key update;   -- two editors one after the other
    delete from public.print_routes r where r.site = p_site and r.label_type = p_label_type and r.station is not distinct from p_station;
    insert into public.print_routes (site, station, label_type, position, printer)
    select p_site, p_station, p_label_type, min(u.n), u.printer from unnest(p_printers) with ordinality as u (printer, n) group by u.printer;
    perform private.emit('print', p_label_type, 'route.changed', v_actor,
      jsonb_build_object('station', p_station, 'printers', p_printers), null, p_site);
    select coalesce(jsonb_agg(to_jsonb(r) order by r.position), '[]') into v_stored from public.print_routes r
     where r.site = p_site and r.label_type = p_label_type and r.station is not distinct from p_station;
    perform private.remember(v_actor, p_request_id, v_stored);
  end if;
  return query select r.* from jsonb_populate_recordset(null::public.print_routes, v_stored) r;
end $$;
comment on function public.set_print_routes is
$$Which printers take these labels, first choice first: for one station, or (p_station null) for the whole site. An empty list removes the route.
Permission: printing.manage at the site.
Errors: printer.unknown (404), print.no_station (404), print.other_site (422), request.reused (422); print_routes_label_type_check.
Idempotency: by p_request_id; the same list again changes nothing.
Locks: the site row.$$;

grant execute on function public.upsert_printer, public.remove_printer, public.set_loaded_media, public.halt_printer, public.resume_printer,
  public.set_print_routes to authenticated, service_role;
