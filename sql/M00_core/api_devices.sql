create type public.device_enrolment as (device_id uuid, code text, enrolment_code text, expires_at timestamptz);
comment on type public.device_enrolment is 'enrolment_code is shown once and stored only as a hash.';

create function private.new_enrolment_code()
returns text language plpgsql set search_path = '' as $$
declare
  v_alphabet constant text := 'ABCDEFGHJKMNPQRSTUVWXYZ23456789';   -- nothing that looks like something else
  v_bytes bytea := extensions.gen_random_bytes(16);
  v_code text := '';
begin
  for i in 0..15 loop
    v_code := v_code || substr(v_alphabet, 1 + get_byte(v_bytes, i) % 31, 1)
      || case when i in (3, 7, 11) then '-' else '' end;
  end loop;
  return v_code;
end $$;
comment on function private.new_enrolment_code is 'XXXX-XXXX-XXXX-XXXX, about 79 bits.';

create function private.enrolment_hash(p_code text)
returns bytea language sql immutable set search_path = '' as $$
  select extensions.digest(upper(regexp_replace(p_code, '[^A-Za-z0-9]', '', 'g')), 'sha256')
$$;

create function private.issue_enrolment(p_device public.devices)
returns public.device_enrolment language plpgsql set search_path = '' as $$
declare
  v_code text := private.new_enrolment_code();
  v_until timestamptz := now() + interval '15 minutes';
begin
  insert into private.device_enrolments (device_id, code_hash, expires_at)
  values (p_device.id, private.enrolment_hash(v_code), v_until)
  on conflict on constraint device_enrolments_pkey do update
    set code_hash = excluded.code_hash, expires_at = excluded.expires_at;
  return row(p_device.id, p_device.code, v_code, v_until)::public.device_enrolment;
end $$;

create function public.create_device(p_code text, p_kind text, p_name text, p_site text)
returns public.device_enrolment language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('devices.manage', null, p_site);
  v_device public.devices;
begin
  if not exists (select 1 from public.sites s where s.code = p_site) then
    perform private.fail(404, 'site.unknown', 'There is no site ' || coalesce(p_site, '') || '.', jsonb_build_object('site', p_site));
  end if;
  select d.* into v_device from public.devices d where d.code = p_code for update;
  if not found then
    insert into public.devices as d (code, kind, name, site) values (p_code, p_kind, p_name, p_site) returning d.* into v_device;
  elsif v_device.user_id is not null or v_device.revoked_at is not null
     or (v_device.kind, v_device.site) is distinct from (p_kind, p_site) then
    perform private.fail(409, 'device.exists', 'There is a device ' || p_code || ' already.',
      jsonb_build_object('kind', v_device.kind, 'site', v_device.site, 'enrolled', v_device.user_id is not null));
  end if;
  perform private.emit('device', v_device.id::text, 'device.created', v_actor,
    jsonb_build_object('code', p_code, 'kind', p_kind), null, p_site);
  return private.issue_enrolment(v_device);
end $$;
comment on function public.create_device is
$$Announce a device and get its one-time enrolment code (15 minutes). The code is shown once; only its hash is kept.
p_kind: print_agent, bambu_bridge, fixture, kiosk or equipment.
Permission: devices.manage at the site.
Errors: site.unknown (404), device.exists (409).
Idempotency: while not enrolled, a repeat makes a new code and the old one stops working.
Locks: the device row.$$;

create function public.redeem_enrolment(p_enrolment_code text, p_user_id uuid)
returns public.devices language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('devices.enrol');
  v_open private.device_enrolments;
  v_device public.devices;
begin
  delete from private.device_enrolments e   -- of two takers, one finds it gone
   where e.code_hash = private.enrolment_hash(p_enrolment_code) and e.expires_at > now() returning e.* into v_open;
  if v_open.device_id is null then
    perform private.fail(404, 'device.bad_code', 'This enrolment code is wrong, used or too old. Ask an admin for a new one.');
  end if;
  update public.devices d set user_id = p_user_id, enrolled_at = now()
   where d.id = v_open.device_id and d.revoked_at is null returning d.* into v_device;
  if v_device.id is null then
    perform private.fail(409, 'device.revoked', 'This device was revoked. Ask an admin to add it again.');
  end if;
  perform private.emit('device', v_device.id::text, 'device.enrolled', v_actor, jsonb_build_object('code', v_device.code), null, v_device.site);
  return v_device;
end $$;
comment on function public.redeem_enrolment is
$$Tie an Auth user, made for this purpose, to the device whose code was shown.
Permission: devices.enrol (service only).
Errors: device.bad_code (404), device.revoked (409).
Idempotency: a code works once.
Locks: the enrolment and the device row.$$;

create function public.revoke_device(p_code text, p_request_id uuid default null)
returns public.devices language plpgsql security definer set search_path = '' as $$
declare
  v_device public.devices;
  v_actor uuid;
  v_answer jsonb;
begin
  select d.* into v_device from public.devices d where d.code = p_code for update;
  v_actor := private.authorize('devices.manage', null, v_device.site);
  v_answer := private.replay(v_actor, p_request_id, 'revoke_device', jsonb_build_array(p_code));
  if v_answer is not null then
    return jsonb_populate_record(null::public.devices, v_answer);
  end if;
  if v_device.id is null then
    perform private.fail(404, 'device.unknown', 'There is no device ' || coalesce(p_code, '') || '.', jsonb_build_object('device', p_code));
  end if;
  if v_device.revoked_at is null then
    update public.devices d set revoked_at = now() where d.id = v_device.id returning d.* into v_device;
    delete from private.device_enrolments e where e.device_id = v_device.id;
    perform private.emit('device', v_device.id::text, 'device.revoked', v_actor, jsonb_build_object('code', p_code), null, v_device.site);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_device));
  return v_device;
end $$;
comment on function public.revoke_device is
$$A device is lost or retired: from its next call on it may do nothing.
Permission: devices.manage at its site.
Errors: device.unknown (404), request.reused (422).
Idempotency: by p_request_id; a repeat changes nothing.
Locks: the device row.$$;

create function public.device_heartbeat(p_version text default null, p_status jsonb default '{}')
returns public.devices language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('devices.report');
  v_device public.devices;
begin
  if jsonb_typeof(p_status) <> 'object' or length(p_status::text) > 8000 then
    perform private.fail(422, 'device.status', 'The status is a small object of at most 8000 characters.', jsonb_build_object('field', 'p_status'));
  end if;
  update public.devices d
     set last_seen_at = now(), version = coalesce(left(p_version, 64), d.version), status = coalesce(p_status, '{}')
   where d.user_id = v_actor returning d.* into v_device;
  return v_device;
end $$;
comment on function public.device_heartbeat is
$$I am here: version and status of the calling device. p_status is a small object, shown to admins as it is.
Permission: devices.report (devices only).
Errors: auth.forbidden (403), device.status (422).
Idempotency: safe to repeat.
Locks: the device row.$$;

grant execute on function public.create_device, public.revoke_device to authenticated, service_role;
grant execute on function public.redeem_enrolment to service_role;
grant execute on function public.device_heartbeat to authenticated;

create function public.list_devices()
returns setof public.devices language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('devices.read');
  return query select d.* from public.devices d order by d.code;
end $$;
comment on function public.list_devices is
$$All devices, revoked ones too.
Permission: devices.read.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.list_devices to authenticated, service_role;
