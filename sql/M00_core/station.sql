-- Shared stations: the station signs in as a device of kind kiosk, people identify with badge or PIN. The session is looked up at
-- every call: its token comes in the header x-takt-person, and the caller is then that person at that device.

create table private.staff_secrets (
  user_id uuid not null,
  pin_hash text,
  badge_hash bytea,
  failed_attempts integer not null default 0,
  locked_until timestamptz,
  constraint staff_secrets_pkey primary key (user_id),
  constraint staff_secrets_badge_hash_key unique (badge_hash),
  constraint staff_secrets_user_id_fkey foreign key (user_id) references public.staff_shared (user_id) on delete cascade
);
comment on table private.staff_secrets is 'PIN (bcrypt) and badge (SHA-256) of a person, and the guesses since the last right one.';

create table private.person_sessions (
  id uuid not null default gen_random_uuid(),
  token_hash bytea not null,
  device_id uuid not null,
  user_id uuid not null,
  started_at timestamptz not null default now(),
  expires_at timestamptz not null,
  constraint person_sessions_pkey primary key (id),
  constraint person_sessions_token_hash_key unique (token_hash),
  constraint person_sessions_device_id_fkey foreign key (device_id) references public.devices (id) on delete cascade,
  constraint person_sessions_user_id_fkey foreign key (user_id) references public.staff_shared (user_id) on delete cascade
);
create index person_sessions_device_id_idx on private.person_sessions (device_id);
create index person_sessions_user_id_idx on private.person_sessions (user_id);
comment on table private.person_sessions is 'Who stands at a shared station right now. One person per station; the token is stored as a hash.';

create function private.person_token()
returns bytea language plpgsql stable set search_path = '' as $$
begin
  return extensions.digest(nullif(nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-takt-person', ''), 'sha256');
end $$;
comment on function private.person_token is 'Hash of the person token that came with the call; null without one.';

create function private.role_at_station(p_role text)
returns text language plpgsql stable set search_path = '' as $$
begin
  return case when (select r.rank from public.roles r where r.role = p_role) > 40 then 'supervisor' else p_role end;
end $$;
comment on function private.role_at_station is 'A PIN opens no office: whoever ranks above a supervisor is a supervisor at a shared station.';

create function private.identify_person(p_device public.devices)
returns private.identity language plpgsql stable set search_path = '' as $$
declare
  v_identity private.identity;
begin
  select s.user_id, private.role_at_station(s.role),
      array(select st.code from public.stores st where st.site = p_device.site and s.stores && array[st.code, '*']),
      p_device.site, s.full_name
    into v_identity
    from private.person_sessions ps join public.staff_shared s on s.user_id = ps.user_id and s.is_active
   where ps.token_hash = private.person_token() and ps.device_id = p_device.id and ps.expires_at > now();
  if v_identity.actor_id is null then
    perform private.fail(401, 'station.locked', 'The station is locked. Scan your badge or type your PIN.');
  end if;
  return v_identity;
end $$;
comment on function private.identify_person is 'The person at a shared station, in the stores of its site. Errors: station.locked (401) when the session has ended.';

create function private.listener()
returns private.identity language plpgsql stable set search_path = '' as $$
declare
  v_who private.identity := private.identify();
begin
  if v_who.role = 'device.kiosk' then   -- a websocket carries no header of a person
    select s.user_id, private.role_at_station(s.role), v_who.stores, v_who.site, s.full_name into v_who
      from public.devices d join private.person_sessions ps on ps.device_id = d.id and ps.expires_at > now()
      join public.staff_shared s on s.user_id = ps.user_id and s.is_active
     where d.user_id = v_who.actor_id;
  end if;
  return v_who;
end $$;
comment on function private.listener is 'Who would hear a broadcast: the caller; at a shared station whoever stands there, all null when nobody does.';
