-- Errors -----------------------------------------------------------------------------------------------------------

create function private.fail(p_status integer, p_code text, p_message text, p_detail jsonb default '{}')
returns void language plpgsql volatile set search_path = '' as $$
begin
  raise exception using
    errcode = 'PT' || p_status, message = p_message, hint = p_code, detail = p_detail::text;
end $$;
comment on function private.fail is
  'Refuse the command. HTTP status, machine code domain.reason, a sentence for the person at the bench, facts as JSON.';

create function private.check_length(p_what text, p_value text, p_max integer)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if length(p_value) > p_max then
    perform private.fail(422, 'request.too_long', format('%s may have at most %s characters.', p_what, p_max),
      jsonb_build_object('field', p_what, 'max', p_max, 'actual', length(p_value)));
  end if;
end $$;
comment on function private.check_length is 'PT422 request.too_long when a text is longer than p_max characters.';

-- Who is calling ---------------------------------------------------------------------------------------------------

create function private.claims()
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}');
end $$;
comment on function private.claims is 'Claims of the verified token; {} outside an API request.';
-- plpgsql even where one statement would do: its plans are kept for the session, those of a pinned SQL function are not.

create type private.identity as (actor_id uuid, role text, stores text[], site text, label text);
comment on type private.identity is
  'Who is calling: Auth user (the nil uuid for the server itself), role, store codes ({*} = all), site of a device, name.';

create function private.identify()
returns private.identity language plpgsql stable set search_path = '' as $$
declare
  v_claims jsonb := private.claims();
  v_user uuid := nullif(v_claims ->> 'sub', '')::uuid;
  v_identity private.identity;
  v_device public.devices;
begin
  if v_claims ->> 'role' = 'service_role' then
    return row('00000000-0000-0000-0000-000000000000', 'service', '{*}'::text[], null, 'server')::private.identity;
  end if;
  select s.user_id, s.role, s.stores, null, s.full_name into v_identity
    from public.staff_shared s where s.user_id = v_user and s.is_active;
  if v_identity.actor_id is not null then
    return v_identity;
  end if;
  select d.* into v_device from public.devices d where d.user_id = v_user and d.revoked_at is null;
  if v_device.kind = 'kiosk' and private.person_token() is not null then
    return private.identify_person(v_device);
  elsif v_device.id is not null then
    return row(v_device.user_id, 'device.' || v_device.kind,
      array(select st.code from public.stores st where st.site = v_device.site), v_device.site, v_device.code)::private.identity;
  end if;
  return v_identity;
end $$;
comment on function private.identify is 'The caller, looked up in the tables at every call; all null for anybody else.';

create function private.authorize(p_permission text, p_store text default null, p_site text default null)
returns uuid language plpgsql stable set search_path = '' as $$
declare
  v_who private.identity := private.identify();
begin
  if v_who.actor_id is null then
    if private.claims() ->> 'sub' is null then
      perform private.fail(401, 'auth.required', 'Sign in first.');
    end if;
    perform private.fail(403, 'auth.not_staff', 'Your account is not active here. Ask an admin.');
  end if;
  if not exists (
    select 1 from public.role_permissions rp where rp.role = v_who.role and rp.permission = p_permission
  ) then
    perform private.fail(403, 'auth.forbidden', 'Your role may not do this.',
      jsonb_build_object('role', v_who.role, 'needs', p_permission));
  end if;
  if p_store is not null and not (v_who.stores && array[p_store, '*']) then
    perform private.fail(403, 'auth.other_store', 'You do not work in this store.', jsonb_build_object('store', p_store));
  end if;
  if p_site is not null and not private.works_at(v_who, p_site) then
    perform private.fail(403, 'auth.other_site', 'You do not work at this site.', jsonb_build_object('site', p_site));
  end if;
  return v_who.actor_id;
end $$;
comment on function private.authorize is
$$The guard every RPC calls first: signed in (401), active here (403), permitted (403), in scope of store and site (403).
Returns the actor: an Auth user, or the nil uuid for the server. A null scope means no scope is asked.$$;

create function private.works_at(p_who private.identity, p_site text)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return coalesce(p_who.site = p_site, false) or '*' = any (p_who.stores)
    or exists (select 1 from public.stores st where st.site = p_site and st.code = any (p_who.stores));
end $$;
comment on function private.works_at is 'True when the caller''s site, or one of their stores, is at p_site.';

create function private.may(p_permission text)
returns boolean language plpgsql stable security definer set search_path = '' as $$
declare
  v_role text := (private.identify()).role;
begin
  return exists (select 1 from public.role_permissions rp where rp.role = v_role and rp.permission = p_permission);
end $$;
comment on function private.may is 'For policies: an active caller with this permission. Wrap it in (select …).';
grant execute on function private.may to authenticated;

create function private.readable_stores(p_permission text)
returns text[] language plpgsql stable security definer set search_path = '' as $$
declare
  v_who private.identity := private.identify();
begin
  return array(
    select st.code from public.stores st
     where v_who.stores && array[st.code, '*']
       and exists (select 1 from public.role_permissions rp where rp.role = v_who.role and rp.permission = p_permission));
end $$;
comment on function private.readable_stores is 'For policies: stores in which an active caller has this permission. Wrap it in (select …).';
grant execute on function private.readable_stores to authenticated;

create function private.readable_sites(p_permission text)
returns text[] language plpgsql stable security definer set search_path = '' as $$
declare
  v_who private.identity := private.identify();
begin
  return array(
    select si.code from public.sites si
     where private.works_at(v_who, si.code)
       and exists (select 1 from public.role_permissions rp where rp.role = v_who.role and rp.permission = p_permission));
end $$;
comment on function private.readable_sites is
  'For policies, of rows that no store owns: sites where an active caller works and has this permission. Wrap it in (select …).';
grant execute on function private.readable_sites to authenticated;

create function private.reads_every_store(p_permission text)
returns boolean language plpgsql stable security definer set search_path = '' as $$
declare
  v_who private.identity := private.identify();
begin
  return '*' = any (v_who.stores)
    and exists (select 1 from public.role_permissions rp where rp.role = v_who.role and rp.permission = p_permission);
end $$;
comment on function private.reads_every_store is
  'For policies: spares those who work in every store the comparison of each row. Wrap it in (select …).';
grant execute on function private.reads_every_store to authenticated;

create function private.station()
returns text language plpgsql stable set search_path = '' as $$
begin
  return coalesce(
    left(nullif(trim(nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-takt-station'), ''), 64),
    (select d.code from public.devices d where d.user_id = nullif(private.claims() ->> 'sub', '')::uuid));
end $$;
comment on function private.station is
  'Where the caller says to be (header x-takt-station), else the code of the calling device. A label for events, never a right.';

create function private.event_station(p_said text default null)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_device record;
begin
  select d.code, d.kind into v_device from public.devices d where d.user_id = nullif(private.claims() ->> 'sub', '')::uuid;
  return left(coalesce(case when v_device.kind = 'kiosk' then v_device.code end, p_said,
    nullif(trim(nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-takt-station'), ''), v_device.code), 64);
end $$;
comment on function private.event_station is
  'Where something happened, for events: a shared station is itself whatever the caller says; elsewhere what was said, else private.station().';

-- Safe repeats -----------------------------------------------------------------------------------------------------

create function private.replay(p_actor uuid, p_request_id uuid, p_rpc text, p_args jsonb)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_command private.commands;
  -- Long arguments are kept as a digest: they are compared, never read.
  v_args jsonb := case when pg_column_size(p_args) < 4000 then p_args
    else jsonb_build_array('sha256', encode(sha256(convert_to(p_args::text, 'UTF8')), 'hex')) end;
begin
  if p_request_id is null then
    return null;
  end if;
  insert into private.commands (actor_id, request_id, rpc, args) values (p_actor, p_request_id, p_rpc, v_args)
  on conflict on constraint commands_pkey do nothing;   -- waits for a twin that is still running
  if found then
    return null;                                        -- ours to do
  end if;
  select c.* into v_command from private.commands c where c.actor_id = p_actor and c.request_id = p_request_id;
  if v_command.rpc <> p_rpc or v_command.args <> v_args then
    perform private.fail(422, 'request.reused', 'This request id was used for another command.',
      jsonb_build_object('first', v_command.rpc));
  end if;
  return v_command.answer;
end $$;
comment on function private.replay is
$$The stored answer of an earlier identical call, or null when this call is the first (or carries no request id).
Errors: request.reused (422). A running twin is waited for; a twin that failed left no key behind.$$;

create function private.remember(p_actor uuid, p_request_id uuid, p_answer jsonb)
returns void language plpgsql set search_path = '' as $$
begin
  if p_request_id is not null then
    update private.commands c set answer = coalesce(p_answer, 'null')
     where c.actor_id = p_actor and c.request_id = p_request_id;
  end if;
end $$;
comment on function private.remember is 'Keep the answer for replay. Does nothing without a request id.';

-- Events and broadcast ---------------------------------------------------------------------------------------------

create function private.emit(
  p_stream text, p_stream_id text, p_event text, p_actor uuid, p_payload jsonb default '{}',
  p_store text default null, p_site text default null, p_station text default null)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_site text := p_site;
  v_event bigint;
begin
  if v_site is null then
    select st.site into v_site from public.stores st where st.code = p_store;
  end if;
  insert into public.events (site, store, stream, stream_id, event, actor_id, station, payload)
  values (coalesce(v_site, '-'), p_store, p_stream, left(p_stream_id, 200), p_event,
    nullif(p_actor, '00000000-0000-0000-0000-000000000000'), private.event_station(p_station), p_payload)
  returning id into v_event;
  return v_event;
end $$;
comment on function private.emit is
  'Append one event and return its id. Site from the store when not given; ''-'' for what concerns no single site.';

create function private.broadcast(p_topic text, p_event text, p_payload jsonb)
returns void language plpgsql set search_path = '' as $$
begin
  perform realtime.send(p_payload, p_event, p_topic, true);
end $$;
comment on function private.broadcast is
  'The only caller of realtime.send: private topic, ids and version only; best effort, clients catch up with events_since.';

create function private.tg_events__broadcast()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_payload jsonb;
begin
  v_payload := jsonb_build_object('event_id', new.id, 'stream', new.stream, 'stream_id', new.stream_id, 'store', new.store,
    'version', new.payload -> 'version');
  if new.site <> '-' then
    perform private.broadcast('site:' || new.site || ':' || new.stream, new.event, v_payload);
  else   -- it concerns all of them
    perform private.broadcast('site:' || si.code || ':' || new.stream, new.event, v_payload) from public.sites si;
  end if;
  return null;
end $$;

create function private.forget_person(p_value jsonb)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  case jsonb_typeof(p_value)
    when 'object' then
      return (select coalesce(jsonb_object_agg(e.key, case when e.key in ('customer_name', 'notes', 'cake_writing') then 'null'::jsonb
        else private.forget_person(e.value) end), '{}') from jsonb_each(p_value) e);
    when 'array' then
      return (select coalesce(jsonb_agg(private.forget_person(a.item) order by a.n), '[]')
        from jsonb_array_elements(p_value) with ordinality as a (item, n));
    else
      return p_value;
  end case;
end $$;
comment on function private.forget_person is 'The same JSON with the name, notes and wording of a customer set to null at any depth.';

create function private.tg_events__append_only()
returns trigger language plpgsql set search_path = '' as $$
begin
  -- One exception: after a restore the transaction ids of another cluster mean nothing (rebase_events).
  if tg_op = 'UPDATE' and new.xid = '0'::xid8 and to_jsonb(new) - 'xid' = to_jsonb(old) - 'xid' then
    return new;
  end if;
  -- And one duty: who asks to be forgotten is taken out of the payload, and nothing else is.
  if tg_op = 'UPDATE' and to_jsonb(new) - 'payload' = to_jsonb(old) - 'payload' and new.payload = private.forget_person(old.payload) then
    return new;
  end if;
  perform private.fail(409, 'events.append_only', 'Events are never changed or removed.');
  return null;
end $$;

create trigger _200_append_only before update or delete on public.events
  for each row execute function private.tg_events__append_only();
create trigger _900_broadcast after insert on public.events   -- takt.quiet: whoever writes thousands tells of them once, by itself
  for each row when (coalesce(current_setting('takt.quiet', true), '') <> 'on') execute function private.tg_events__broadcast();

create function private.tg_events__no_truncate()
returns trigger language plpgsql set search_path = '' as $$
begin
  perform private.fail(409, 'events.append_only', 'Events are never changed or removed.');
  return null;
end $$;
create trigger _200_no_truncate before truncate on public.events
  for each statement execute function private.tg_events__no_truncate();
create trigger _200_no_truncate before truncate on private.events_default   -- partitions do not inherit it
  for each statement execute function private.tg_events__no_truncate();

create function private.ensure_event_partitions(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_from timestamptz := date_trunc('month', p_now at time zone 'UTC') at time zone 'UTC';
  v_month timestamptz;
  v_name text;
begin
  for v_month in select generate_series(v_from, v_from + interval '3 months', interval '1 month') loop
    v_name := 'events_' || to_char(v_month at time zone 'UTC', 'YYYYMM');
    continue when to_regclass('private.' || v_name) is not null
      or exists (select 1 from private.events_default e where e.at >= v_month and e.at < v_month + interval '1 month');
    execute format('create table private.%I partition of public.events for values from (%L) to (%L)',
      v_name, v_month, v_month + interval '1 month');
    execute format('alter table private.%I enable row level security', v_name);
    execute format('create trigger _200_no_truncate before truncate on private.%I
      for each statement execute function private.tg_events__no_truncate()', v_name);
  end loop;
end $$;
comment on function private.ensure_event_partitions is
  'Month partitions for now and three months ahead (UTC). A month already caught by the default partition stays there.';

create function private.rebase_events(p_now timestamptz default now(), p_all boolean default false)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_last bigint;
  v_rows bigint;
begin
  select max(e.id) into v_last from public.events e where p_all or e.xid >= pg_snapshot_xmax(pg_current_snapshot());
  if v_last is null then
    return 0;
  end if;
  update public.events e set xid = '0'::xid8 where e.id <= v_last and e.xid <> '0'::xid8;
  get diagnostics v_rows = row_count;
  update private.event_epoch ep set epoch = ep.epoch + 1;
  return v_rows;
end $$;
comment on function private.rebase_events is
'After a restore into another cluster: the restored events lose their transaction ids and are read in the order of their ids; old cursors
are refused from then on. Sees by itself that ids lie in this cluster''s future; takt db restore says so (p_all). Returns how many.';

create function private.tg__stamp()
returns trigger language plpgsql set search_path = '' as $$
begin
  new.version := old.version + 1;
  new.updated_at := now();
  return new;
end $$;
comment on function private.tg__stamp is 'Version and updated_at of an edited row.';

create trigger _100_stamp before update on public.orders for each row execute function private.tg__stamp();
create trigger _100_stamp before update on public.staff_shared for each row execute function private.tg__stamp();

create function private.tg_staff_shared__stores()
returns trigger language plpgsql set search_path = '' as $$
begin
  if not new.stores <@ (array(select st.code from public.stores st) || '*'::text) then
    perform private.fail(422, 'staff.unknown_store', 'One of these stores does not exist.',
      jsonb_build_object('actual', new.stores, 'expected', array(select st.code from public.stores st order by 1)));
  end if;
  return new;
end $$;
create trigger _200_stores before insert or update of stores on public.staff_shared
  for each row execute function private.tg_staff_shared__stores();
