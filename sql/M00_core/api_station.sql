-- Person sessions at shared stations; private.setting comes with M01_settings (bodies are late-bound).

create type public.person_answer as (
  ok boolean, token text, user_id uuid, full_name text, role text, expires_at timestamptz,
  message text, status integer, code text, hint text, details jsonb);
comment on type public.person_answer is
'Who is at the station now. token goes into the header x-takt-person of every further call and is shown once. A wrong guess is
answered with its HTTP status and counted, so it returns normally.';

create function private.kiosk()
returns public.devices language plpgsql stable set search_path = '' as $$
declare
  v_device public.devices;
begin
  select d.* into v_device from public.devices d
   where d.user_id = nullif(private.claims() ->> 'sub', '')::uuid and d.kind = 'kiosk' and d.revoked_at is null;
  if v_device.id is null then
    perform private.fail(403, 'station.not_a_station', 'This works at a shared station only. Sign in with your own account here.');
  end if;
  return v_device;
end $$;
comment on function private.kiosk is 'The shared station that calls, whoever stands there. Errors: station.not_a_station (403).';

create function private.station_lock(p_site text)
returns interval language plpgsql stable set search_path = '' as $$
begin
  return make_interval(mins => (private.setting('station.lock_minutes', null, p_site) #>> '{}')::integer);
end $$;

create function private.staff_here(p_device public.devices, p_user_id uuid)
returns public.staff_shared language plpgsql stable set search_path = '' as $$
declare
  v_staff public.staff_shared;
begin
  select s.* into v_staff from public.staff_shared s where s.user_id = p_user_id and s.is_active
     and exists (select 1 from public.stores st where st.site = p_device.site and s.stores && array[st.code, '*']);
  if v_staff.user_id is null then
    perform private.fail(403, 'person.not_here', 'You do not work at this site. Ask a manager.');
  end if;
  return v_staff;
end $$;
comment on function private.staff_here is 'The person, who works at the site of the station. Errors: person.not_here (403).';

create function private.open_person_session(p_device public.devices, p_user_id uuid)
returns public.person_answer language plpgsql set search_path = '' as $$
declare
  v_token text := encode(extensions.gen_random_bytes(32), 'hex');
  v_staff public.staff_shared := private.staff_here(p_device, p_user_id);
  v_until timestamptz := now() + private.station_lock(p_device.site);
begin
  delete from private.person_sessions ps where ps.device_id = p_device.id;   -- one person per station: quick switch
  insert into private.person_sessions (token_hash, device_id, user_id, expires_at)
  values (extensions.digest(v_token, 'sha256'), p_device.id, p_user_id, v_until);
  perform private.emit('staff', p_user_id::text, 'person.identified', p_user_id, jsonb_build_object('device', p_device.code),
    null, p_device.site, p_device.code);
  return row(true, v_token, v_staff.user_id, v_staff.full_name, private.role_at_station(v_staff.role), v_until,
    'Hello ' || v_staff.full_name || '.', 200, null, null, null)::public.person_answer;
end $$;

create function private.person_refusal(p_status integer, p_hint text, p_message text, p_details jsonb)
returns public.person_answer language plpgsql set search_path = '' as $$
begin
  perform set_config('response.status', p_status::text, true);   -- answered, not raised: the guess stays counted
  return row(false, null, null, null, null, null, p_message, p_status, 'PT' || p_status, p_hint, p_details)::public.person_answer;
end $$;

create function private.wrong_guess(p_secrets private.staff_secrets)
returns public.person_answer language plpgsql set search_path = '' as $$
begin
  if p_secrets.locked_until > now() then
    return private.person_refusal(429, 'person.locked', 'Too many wrong PINs. Wait, or ask a manager for a new one.',
      jsonb_build_object('until', p_secrets.locked_until));
  end if;
  return private.person_refusal(403, 'person.wrong_pin', 'Wrong PIN. Try again.', jsonb_build_object('left', 5 - p_secrets.failed_attempts % 5));
end $$;

create function public.identify_by_pin(p_user_id uuid, p_pin text)
returns public.person_answer language plpgsql security definer set search_path = '' as $$
declare
  v_device public.devices;
  v_secrets private.staff_secrets;
begin
  perform private.authorize('stations.identify');
  v_device := private.kiosk();
  perform private.staff_here(v_device, p_user_id);   -- a stolen tablet locks nobody out elsewhere
  select s.* into v_secrets from private.staff_secrets s where s.user_id = p_user_id for update;   -- guesses come one by one
  if v_secrets.pin_hash is null then
    perform private.fail(409, 'person.no_pin', 'You have no PIN yet. Set one in your own account, or ask a manager.');
  elsif v_secrets.locked_until > now() then
    return private.wrong_guess(v_secrets);
  end if;
  update private.staff_secrets s set failed_attempts = s.failed_attempts + 1,   -- counted before it is checked
      locked_until = case when (s.failed_attempts + 1) % 5 = 0
        then now() + least(interval '5 minutes' * power(2, least((s.failed_attempts + 1) / 5 - 1, 10)), interval '1 day') end
   where s.user_id = p_user_id returning s.* into v_secrets;
  if extensions.crypt(p_pin, v_secrets.pin_hash) is distinct from v_secrets.pin_hash then
    return private.wrong_guess(v_secrets);
  end if;
  update private.staff_secrets s set failed_attempts = 0, locked_until = null where s.user_id = p_user_id;
  return private.open_person_session(v_device, p_user_id);
end $$;
comment on function public.identify_by_pin is
$$A person at a shared station: name chosen, PIN typed. Five wrong PINs lock the PIN for 5 minutes, the next five for 10, and so on.
Permission: stations.identify, at a kiosk device.
Errors: station.not_a_station (403), person.no_pin (409), person.not_here (403); answered and counted: person.wrong_pin (403), person.locked (429).
Idempotency: every call is a guess; a right one replaces the station's session.
Locks: the person's secrets.$$;

create function public.identify_by_badge(p_badge text)
returns public.person_answer language plpgsql security definer set search_path = '' as $$
declare
  v_device public.devices;
  v_user uuid;
begin
  perform private.authorize('stations.identify');
  v_device := private.kiosk();
  select s.user_id into v_user from private.staff_secrets s where s.badge_hash = private.enrolment_hash(p_badge);
  if v_user is null then
    perform private.fail(404, 'person.unknown_badge', 'This badge is not known here. Ask a manager for a new one.');
  end if;
  return private.open_person_session(v_device, v_user);
end $$;
comment on function public.identify_by_badge is
$$A person at a shared station, by scanning the badge that issue_badge made.
Permission: stations.identify, at a kiosk device.
Errors: station.not_a_station (403), person.unknown_badge (404), person.not_here (403).
Idempotency: a repeat replaces the station's session.
Locks: none.$$;

create function public.list_station_people()
returns table (user_id uuid, full_name text) language plpgsql stable security definer set search_path = '' as $$
declare
  v_device public.devices;
begin
  perform private.authorize('stations.identify');
  v_device := private.kiosk();
  return query select s.user_id, s.full_name from public.staff_shared s
    where s.is_active and exists (select 1 from public.stores st where st.site = v_device.site and s.stores && array[st.code, '*'])
    order by s.full_name, s.user_id;
end $$;
comment on function public.list_station_people is
$$Who works at the site of this shared station: the names to choose from. All that a locked station may know of people.
Permission: stations.identify, at a kiosk device.
Errors: station.not_a_station (403).
Idempotency: a read.
Locks: none.$$;

create function public.keep_person()
returns timestamptz language plpgsql security definer set search_path = '' as $$
declare
  v_device public.devices;
  v_until timestamptz;
begin
  perform private.authorize('stations.identify');
  v_device := private.kiosk();
  update private.person_sessions ps set expires_at = now() + private.station_lock(v_device.site)
   where ps.device_id = v_device.id and ps.token_hash = private.person_token() and ps.expires_at > now()
  returning ps.expires_at into v_until;
  return v_until;
end $$;
comment on function public.keep_person is
$$Somebody still works here: the station locks later. Answers when; null when nobody is identified.
Permission: stations.identify, at a kiosk device.
Errors: station.not_a_station (403), station.locked (401).
Idempotency: safe to repeat.
Locks: the session row.$$;

create function public.leave_station()
returns boolean language plpgsql security definer set search_path = '' as $$
declare
  v_device public.devices;
begin
  perform private.authorize('stations.identify');
  v_device := private.kiosk();
  delete from private.person_sessions ps where ps.device_id = v_device.id;
  return found;
end $$;
comment on function public.leave_station is
$$Lock the station. True when somebody had been identified.
Permission: stations.identify, at a kiosk device.
Errors: station.not_a_station (403).
Idempotency: a repeat answers false.
Locks: the session row.$$;

create function private.check_pin(p_pin text)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_pin !~ '^\d{4,8}$' or p_pin ~ '^(\d)\1+$' or position(p_pin in '0123456789012345') > 0 or position(p_pin in '9876543210987654') > 0 then
    perform private.fail(422, 'person.weak_pin', 'Choose 4 to 8 digits that are not all equal and not in a row.', jsonb_build_object('field', 'p_pin'));
  end if;
end $$;

create function public.set_pin(p_pin text, p_user_id uuid default null)
returns boolean language plpgsql security definer set search_path = '' as $$
declare
  v_who private.identity := private.identify();
  v_own boolean := p_user_id is null or p_user_id = v_who.actor_id;
  v_actor uuid := private.authorize(case when v_own then 'plant.read' else 'staff.manage' end);
  v_user uuid := coalesce(p_user_id, v_actor);
  v_staff public.staff_shared;
begin
  select s.* into v_staff from public.staff_shared s where s.user_id = v_user;
  if v_staff.user_id is null then
    perform private.fail(404, 'staff.unknown', 'This person is not on the staff.', jsonb_build_object('user_id', v_user));
  elsif v_who.site is not null then
    perform private.fail(403, 'person.not_at_station', 'Set a PIN in your own account, not at a shared station.');
  elsif v_user <> v_actor then
    perform private.check_rank(v_staff.role);
  end if;
  perform private.check_pin(p_pin);
  insert into private.staff_secrets as x (user_id, pin_hash) values (v_user, extensions.crypt(p_pin, extensions.gen_salt('bf', 8)))
  on conflict on constraint staff_secrets_pkey do update set pin_hash = excluded.pin_hash, failed_attempts = 0, locked_until = null;
  delete from private.person_sessions ps where ps.user_id = v_user;   -- whoever knew the old one is out
  perform private.emit('staff', v_user::text, 'person.pin_set', v_actor);
  return true;
end $$;
comment on function public.set_pin is
$$Set the own PIN, or (managers) somebody's; it also ends a lockout and the sessions at stations. Stored as bcrypt.
Permission: plant.read for oneself, staff.manage and rank for others; not from a shared station.
Errors: staff.unknown (404), staff.rank (403), person.weak_pin (422), person.not_at_station (403).
Idempotency: a repeat sets the same PIN again.
Locks: the person's secrets.$$;

create function public.issue_badge(p_user_id uuid)
returns text language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('staff.manage');
  v_role text := (select s.role from public.staff_shared s where s.user_id = p_user_id);
  v_badge text := 'TB-' || private.new_enrolment_code();
begin
  if v_role is null then
    perform private.fail(404, 'staff.unknown', 'This person is not on the staff.', jsonb_build_object('user_id', p_user_id));
  end if;
  perform private.check_rank(v_role);
  insert into private.staff_secrets as x (user_id, badge_hash) values (p_user_id, private.enrolment_hash(v_badge))
  on conflict on constraint staff_secrets_pkey do update set badge_hash = excluded.badge_hash;
  delete from private.person_sessions ps where ps.user_id = p_user_id;   -- whoever had the old one is out
  perform private.emit('staff', p_user_id::text, 'person.badge_issued', v_actor);
  return v_badge;
end $$;
comment on function public.issue_badge is
$$A new badge code for a person, to be printed as a QR code; shown once, stored as a hash. The old badge stops working, and so does where it opened a station.
Permission: staff.manage, and a rank not below theirs.
Errors: staff.unknown (404), staff.rank (403).
Idempotency: every call makes a new badge.
Locks: the person's secrets.$$;

grant execute on function public.identify_by_pin, public.identify_by_badge, public.list_station_people, public.keep_person, public.leave_station, public.set_pin,
  public.issue_badge to authenticated;
