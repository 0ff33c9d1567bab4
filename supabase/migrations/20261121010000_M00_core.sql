-- Built from sql/M00_core/ by `takt db build`: edit there, not here.
set local lock_timeout = '10s';
set local statement_timeout = '5min';

-- sql/M00_core/privileges.sql

-- Nothing is granted by accident. The global form is the one that works: the `in schema` form of the first statement has no effect.
alter default privileges for role postgres revoke execute on functions from public;
alter default privileges for role postgres in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges for role postgres in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges for role postgres in schema public revoke all on functions from anon, authenticated, service_role;

create schema private;
comment on schema private is 'Helpers, secrets, inboxes and idempotency keys. Never among the exposed schemas.';
revoke all on schema private from public;
grant usage on schema private to authenticated;   -- policies call a few helpers there; each is granted by name

create schema if not exists extensions;
create extension if not exists pgcrypto with schema extensions;

-- sql/M00_core/tables.sql

-- Plant ------------------------------------------------------------------------------------------------------------

create function private.is_time_zone(p_name text)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  perform pg_catalog.now() at time zone p_name;
  return p_name ~ '^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$';   -- not a POSIX offset like +25, which has no daylight saving
exception when invalid_parameter_value then
  return false;
end $$;
comment on function private.is_time_zone is 'True when this server knows the IANA zone name.';

create table public.sites (
  code text not null constraint sites_code_check check (code ~ '^[a-z][a-z0-9_-]{0,30}$'),
  name text not null constraint sites_name_check check (length(name) between 1 and 200),
  time_zone text not null default 'UTC' constraint sites_time_zone_check check (private.is_time_zone(time_zone)),
  created_at timestamptz not null default now(),
  constraint sites_pkey primary key (code)
);
comment on table public.sites is 'A plant: one address, one time zone, one calendar.';
comment on column public.sites.time_zone is 'IANA name. Every plant-calendar day is cut here, through daylight saving.';

create table public.stores (
  code text not null constraint stores_code_check check (code ~ '^[a-z][a-z0-9_]{0,30}$'),
  site text not null,
  name text not null constraint stores_name_check check (length(name) between 1 and 200),
  scan_prefix text constraint stores_scan_prefix_check check (scan_prefix ~ '^[A-Z]{1,3}$'),
  currency text not null default 'EUR' constraint stores_currency_check check (currency ~ '^[A-Z]{3}$'),
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  constraint stores_pkey primary key (code),
  constraint stores_scan_prefix_key unique (scan_prefix),
  constraint stores_site_fkey foreign key (site) references public.sites (code) on delete restrict
);
create index stores_site_idx on public.stores (site);
comment on table public.stores is 'A brand or shop that sells what a site makes. Orders belong to a store.';
comment on column public.stores.scan_prefix is 'The letters of the short barcode form: B in #B18617.';

-- People and devices -----------------------------------------------------------------------------------------------

create table public.roles (
  role text not null,
  audience text not null constraint roles_audience_check check (audience in ('staff', 'device', 'service')),
  title text not null,
  rank smallint not null default 0,
  constraint roles_pkey primary key (role)
);
comment on table public.roles is 'Who can hold permissions: staff roles, one role per kind of device, and the server itself.';
comment on column public.roles.rank is 'Nobody hands out a role that ranks above their own.';

create table public.permissions (
  permission text not null constraint permissions_permission_check check (permission ~ '^[a-z_]+\.[a-z_]+$'),
  description text not null,
  constraint permissions_pkey primary key (permission)
);
comment on table public.permissions is 'What the RPCs ask for. Each domain brings its own rows.';

create table public.role_permissions (
  role text not null,
  permission text not null,
  constraint role_permissions_pkey primary key (role, permission),
  constraint role_permissions_role_fkey foreign key (role) references public.roles (role) on delete cascade,
  constraint role_permissions_permission_fkey foreign key (permission)
    references public.permissions (permission) on delete cascade
);
create index role_permissions_permission_idx on public.role_permissions (permission);
comment on table public.role_permissions is 'Which role may do what. Data: an admin changes it, and it works at the next call.';

create table public.staff_shared (
  user_id uuid not null,
  full_name text not null constraint staff_shared_full_name_check check (length(full_name) between 1 and 200),
  email text,
  role text not null constraint staff_shared_role_check check (role <> 'service' and role not like 'device.%'),
  stores text[] not null default '{}',
  is_active boolean not null default true,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint staff_shared_pkey primary key (user_id),
  constraint staff_shared_user_id_fkey foreign key (user_id) references auth.users (id) on delete restrict,
  constraint staff_shared_role_fkey foreign key (role) references public.roles (role) on delete restrict
);
create index staff_shared_role_idx on public.staff_shared (role);
comment on table public.staff_shared is 'The people who may use Takt. Looked up at every call, so a revocation works at once.';
comment on column public.staff_shared.stores is 'Store codes this person works in; {*} means every store, now and later.';

create table public.devices (
  id uuid not null default gen_random_uuid(),
  code text not null constraint devices_code_check check (code ~ '^[a-z][a-z0-9_-]{0,60}$'),
  kind text not null constraint devices_kind_check
    check (kind in ('print_agent', 'bambu_bridge', 'fixture', 'kiosk', 'equipment')),
  name text not null constraint devices_name_check check (length(name) between 1 and 200),
  site text not null,
  user_id uuid,
  enrolled_at timestamptz,
  revoked_at timestamptz,
  last_seen_at timestamptz,
  version text,
  status jsonb not null default '{}',
  created_at timestamptz not null default now(),
  constraint devices_pkey primary key (id),
  constraint devices_code_key unique (code),
  constraint devices_user_id_key unique (user_id),
  constraint devices_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint devices_user_id_fkey foreign key (user_id) references auth.users (id) on delete restrict
);
create index devices_site_idx on public.devices (site);
comment on table public.devices is 'Print agents, bridges, fixtures and kiosks. Each has its own Auth user and no service key.';
comment on column public.devices.status is 'What the device last said about itself, a small object; shown as it is, decides nothing.';
comment on column public.devices.version is 'Software version the device reported last.';

create table private.device_enrolments (
  device_id uuid not null,
  code_hash bytea not null,
  expires_at timestamptz not null,
  constraint device_enrolments_pkey primary key (device_id),
  constraint device_enrolments_code_hash_key unique (code_hash),
  constraint device_enrolments_device_id_fkey foreign key (device_id) references public.devices (id) on delete cascade
);
comment on table private.device_enrolments is 'Open one-time enrolment codes, hashed (SHA-256). A used code is deleted.';

-- Commands and events ----------------------------------------------------------------------------------------------

create table private.commands (
  actor_id uuid not null,
  request_id uuid not null,
  rpc text not null,
  args jsonb not null,
  answer jsonb,
  at timestamptz not null default now(),
  constraint commands_pkey primary key (actor_id, request_id)
);
create index commands_at_idx on private.commands using brin (at);
comment on table private.commands is 'Idempotency keys. The key, the effect and the answer commit together.';

create sequence private.events_id_seq as bigint;

create table public.events (
  id bigint not null default nextval('private.events_id_seq'),
  xid xid8 not null default pg_current_xact_id(),
  at timestamptz not null default now(),
  site text not null,
  store text,
  stream text not null,
  stream_id text not null,
  event text not null,
  actor_id uuid,
  station text,
  payload jsonb not null default '{}',
  constraint events_pkey primary key (xid, id, at),
  constraint events_size_check check (length(stream_id) <= 200 and length(station) <= 64)
) partition by range (at);
create index events_at_idx on public.events using brin (at);
create index events_stream_idx on public.events (stream, stream_id, id);
comment on table public.events is 'What happened, append-only, partitioned by month. Read on with events_since.';
comment on column public.events.xid is 'The writing transaction: with id, the commit-ordered cursor of events_since.';
comment on column public.events.payload is 'Facts of the event; of an order change: version, stage, and before and after of each changed field.';
comment on column public.events.actor_id is 'Auth user of the person or device; null when the server acted by itself.';
comment on column public.events.station is 'Where it was done, as the station named itself. Says where, proves nothing.';

create table private.event_epoch (
  only_row boolean not null default true constraint event_epoch_only_row_check check (only_row),
  epoch bigint not null default 1,
  constraint event_epoch_pkey primary key (only_row)
);
comment on table private.event_epoch is 'Counts restores: cursors of another epoch are refused, since transaction ids began anew.';
insert into private.event_epoch default values;

create table private.events_default partition of public.events default;
alter table private.events_default enable row level security;

-- Work queue -------------------------------------------------------------------------------------------------------

create table public.work_queue (
  id bigint generated always as identity,
  topic text not null,
  status text not null default 'ready' constraint work_queue_status_check
    check (status in ('ready', 'running', 'done', 'dead')),
  priority smallint not null default 100,
  payload jsonb not null default '{}',
  dedupe_key text,
  retries integer not null default 0,
  max_retries integer not null default 8,
  next_retry_at timestamptz not null default now(),
  locked_by text,
  locked_at timestamptz,
  lease_until timestamptz,
  fence bigint not null default 0,
  last_error text,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  constraint work_queue_pkey primary key (id),
  constraint work_queue_lease_check check ((status = 'running') = (lease_until is not null))
);
create unique index work_queue_dedupe_key on public.work_queue (topic, dedupe_key) where status = 'ready';
create index work_queue_ready_idx on public.work_queue (priority, id) where status = 'ready';
create index work_queue_lease_idx on public.work_queue (lease_until) where status = 'running';
create index work_queue_dead_idx on public.work_queue (id) where status = 'dead';
create index work_queue_finished_idx on public.work_queue (finished_at) where status = 'done';
comment on table public.work_queue is 'Work for the daemons: claimed with a lease and a fence, retried with back-off, dead letters kept.';
comment on column public.work_queue.payload is 'What the handler of the topic needs: ids, never secrets.';
comment on column public.work_queue.priority is 'Smaller goes first.';
comment on column public.work_queue.fence is 'Grows with every claim; a worker whose fence is old can no longer settle the job.';
comment on column public.work_queue.dedupe_key is 'At most one ready job per topic and key: a second request joins the first.';

create table private.scheduled_jobs (
  name text not null,
  function_name text not null,
  every interval not null,
  last_run_at timestamptz,
  last_error text,
  constraint scheduled_jobs_pkey primary key (name)
);
comment on table private.scheduled_jobs is 'What private.tick runs: a private function (now timestamptz) and how often.';

-- sql/M00_core/orders.sql

-- Orders: one row per ticket on the board. A customer order of three cakes is three tickets.

create type public.stage_type as enum ('Filling', 'Covering', 'Decorating', 'Packing', 'Complete');
create type public.priority_level as enum ('High', 'Medium', 'Low');

create table public.orders (
  row_id uuid not null default gen_random_uuid(),
  id text not null,
  store text not null,
  source text not null constraint orders_source_check check (source in ('shopify', 'manual', 'import', 'pos')),
  external_order_id text,
  line_item_id text,
  unit_no integer not null default 1 constraint orders_unit_no_check check (unit_no > 0),
  order_number text not null,
  suffix text,
  is_test boolean not null default false,
  customer_name text,
  product_title text not null,
  variant_title text,
  sku text,
  flavour text,
  size text,
  item_qty integer not null default 1 constraint orders_item_qty_check check (item_qty > 0),
  cake_writing text,
  notes text,
  product_image text,
  accessories jsonb not null default '[]' constraint orders_accessories_check check (jsonb_typeof(accessories) = 'array'),
  delivery_method text constraint orders_delivery_method_check check (delivery_method in ('Pickup', 'Delivery')),
  currency text,
  total_amount numeric(12, 2),
  due_date date,
  due_time text,
  priority public.priority_level not null default 'Medium',
  priority_is_manual boolean not null default false,
  stage public.stage_type not null default 'Filling',
  assignee_id uuid,
  storage text,
  filling_started_at timestamptz,
  filling_completed_at timestamptz,
  covering_started_at timestamptz,
  covering_completed_at timestamptz,
  decorating_started_at timestamptz,
  decorating_completed_at timestamptz,
  packing_started_at timestamptz,
  packing_completed_at timestamptz,
  needs_review text[] not null default '{}',
  pending_change jsonb,
  cancelled_at timestamptz,
  cancel_reason text,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint orders_pkey primary key (row_id),
  constraint orders_id_key unique (id),
  constraint orders_unit_key unique (store, external_order_id, line_item_id, unit_no),
  constraint orders_store_fkey foreign key (store) references public.stores (code) on delete restrict,
  constraint orders_assignee_id_fkey foreign key (assignee_id) references public.staff_shared (user_id) on delete restrict,
  constraint orders_cancel_check check (cancelled_at is not null or cancel_reason is null)
) with (fillfactor = 80);   -- room for the next version of a ticket on its own page
create unique index orders_scan_key on public.orders (lower(id));
create index orders_open_idx on public.orders (store, stage, priority, due_date, row_id)
  where stage <> 'Complete' and cancelled_at is null;
create index orders_assignee_id_idx on public.orders (assignee_id) where assignee_id is not null;
create index orders_store_number_idx on public.orders (order_number, store);
create index orders_due_date_idx on public.orders (due_date) where stage <> 'Complete' and cancelled_at is null;
create index orders_completed_idx on public.orders (packing_completed_at, row_id) where stage = 'Complete';
comment on table public.orders is 'The tickets of the stage board: one per unit of a customer order.';
comment on column public.orders.id is 'What the barcode says: <store>-<number>, with -A, -B … when the customer order has several tickets.';
comment on column public.orders.unit_no is 'n-th piece of its line item: (order, line item, n) keeps a ticket and its suffix through every edit.';
comment on column public.orders.accessories is '[{title, quantity, price, variant_title}], on the first ticket of a customer order only.';
comment on column public.orders.total_amount is 'Total of the customer order in currency, on its first ticket only.';
comment on column public.orders.due_time is 'Time window as the customer chose it, plant local.';
comment on column public.orders.needs_review is 'Reasons why a person must look before the ticket is made; empty = fine.';
comment on column public.orders.pending_change is 'Order edit that arrived after work started: {reason, changes, at}; the floor acknowledges it.';

-- What a stage has behind it is what the row says: no plain update can skip a stage without also lying about time.
alter table public.orders
  add constraint orders_filling_check check (source = 'pos' or (stage > 'Filling') = (filling_completed_at is not null)),
  add constraint orders_covering_check check (source = 'pos' or (stage > 'Covering') = (covering_completed_at is not null)),
  add constraint orders_decorating_check check (source = 'pos' or (stage > 'Decorating') = (decorating_completed_at is not null)),
  add constraint orders_packing_check check (source = 'pos' or (stage > 'Packing') = (packing_completed_at is not null)),
  add constraint orders_started_check check (source = 'pos'
    or (filling_completed_at is null or filling_started_at is not null)
    and (covering_completed_at is null or covering_started_at is not null)
    and (decorating_completed_at is null or decorating_started_at is not null)
    and (packing_completed_at is null or packing_started_at is not null)),
  add constraint orders_not_begun_check check (source = 'pos'
    or (covering_started_at is null or stage >= 'Covering')
    and (decorating_started_at is null or stage >= 'Decorating')
    and (packing_started_at is null or stage >= 'Packing'));

create type public.order_change as (changed boolean, event_id bigint, offer text, order_row public.orders, notices jsonb);
comment on type public.order_change is
  'Answer of an order command: did it change anything, its event, what to offer next, the ticket now, notices [{code, message, details}] to show.';

-- sql/M00_core/internal.sql

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

-- sql/M00_core/station.sql

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

-- sql/M00_core/queue.sql

-- Work queue: private enqueue for SQL, service RPCs for the daemons. One statement per claim: it beats select-then-update.

create function private.enqueue(
  p_topic text, p_payload jsonb default '{}', p_dedupe_key text default null, p_priority integer default 100,
  p_run_at timestamptz default now(), p_max_retries integer default 8)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_id bigint;
begin
  insert into public.work_queue (topic, payload, dedupe_key, priority, next_retry_at, max_retries)
  values (p_topic, p_payload, p_dedupe_key, p_priority, p_run_at, p_max_retries)
  on conflict (topic, dedupe_key) where status = 'ready' do nothing
  returning id into v_id;
  return v_id;
end $$;
comment on function private.enqueue is 'Queue a job; null when a ready job with the same topic and dedupe key already waits.';

create function private.lease(p_seconds integer)
returns interval language plpgsql immutable set search_path = '' as $$
begin
  return make_interval(secs => least(greatest(p_seconds, 1), 3600));
end $$;

-- The ready index is the order: without sorts a plan made for any limit walks it and stops.
create function public.claim_work(
  p_worker text, p_topics text[] default null, p_limit integer default 1, p_lease_seconds integer default 60)
returns setof public.work_queue language plpgsql security definer
set search_path = '' set enable_sort = off set plan_cache_mode = force_generic_plan as $$
declare
  v_limit integer := least(greatest(p_limit, 1), 500);
  v_until timestamptz := now() + private.lease(p_lease_seconds);
begin
  perform private.authorize('work.run');
  if v_limit = 1 then
    return query
      update public.work_queue w
         set status = 'running', locked_by = p_worker, locked_at = now(), lease_until = v_until, fence = w.fence + 1
       where w.id = (
         select q.id from public.work_queue q
          where q.status = 'ready' and q.next_retry_at <= now() and (p_topics is null or q.topic = any (p_topics))
          order by q.priority, q.id limit 1 for update skip locked)
      returning w.*;
  else
    return query
      update public.work_queue w
         set status = 'running', locked_by = p_worker, locked_at = now(), lease_until = v_until, fence = w.fence + 1
       where w.id = any (array(
         select q.id from public.work_queue q
          where q.status = 'ready' and q.next_retry_at <= now() and (p_topics is null or q.topic = any (p_topics))
          order by q.priority, q.id limit v_limit for update skip locked))
      returning w.*;
  end if;
end $$;
comment on function public.claim_work is
$$Take the next jobs: smallest priority first, then oldest. p_limit 1–500, p_lease_seconds 1–3600.
Permission: work.run (service only).
Errors: auth.forbidden (403).
Idempotency: none needed; an unsettled claim returns when its lease ends.
Locks: the claimed rows, SKIP LOCKED.$$;

create function public.complete_work(p_ids bigint[], p_fences bigint[])
returns setof bigint language plpgsql security definer set search_path = '' as $$
begin
  perform private.authorize('work.run');
  return query
    update public.work_queue w set status = 'done', lease_until = null, locked_by = null, finished_at = now(), last_error = null
     where w.id = any (p_ids) and w.fence = p_fences[array_position(p_ids, w.id)]
       and w.lease_until is not null   -- running; said so that no index of the running jobs is walked instead of the key
    returning w.id;
end $$;
comment on function public.complete_work is
$$Jobs are done. Answers the ids that were settled: a missing id was taken over by another worker (its fence is old).
Permission: work.run (service only).
Errors: auth.forbidden (403).
Idempotency: a second call settles nothing.
Locks: the job rows.$$;

create function public.complete_and_claim_work(
  p_id bigint, p_fence bigint, p_worker text, p_topics text[] default null, p_lease_seconds integer default 60)
returns setof public.work_queue language plpgsql security definer set search_path = '' as $$
begin
  perform private.authorize('work.run');
  perform public.complete_work(array[p_id], array[p_fence]);
  return query select * from public.claim_work(p_worker, p_topics, 1, p_lease_seconds);
end $$;
comment on function public.complete_and_claim_work is
$$This one is done, give me the next: one transaction instead of two.
Permission: work.run (service only).
Errors: auth.forbidden (403).
Idempotency: settling twice does nothing; the next job is a fresh claim.
Locks: the job row, and the claimed row with SKIP LOCKED.$$;

create function public.fail_work(p_id bigint, p_fence bigint, p_error text, p_retry_seconds integer default null)
returns public.work_queue language plpgsql security definer set search_path = '' as $$
declare
  v_job public.work_queue;
  v_wait double precision;
begin
  perform private.authorize('work.run');
  select w.* into v_job from public.work_queue w
   where w.id = p_id and w.fence = p_fence and w.lease_until is not null for update;
  if not found then
    perform private.fail(409, 'work.not_yours', 'Another worker has taken this job over.', jsonb_build_object('id', p_id));
  end if;
  v_wait := coalesce(p_retry_seconds, least(power(2, v_job.retries), 3600) * (0.5 + random()));
  -- A twin queued meanwhile does the same work: this one gives way to it.
  if v_job.retries < v_job.max_retries and v_job.dedupe_key is not null and exists (
    select 1 from public.work_queue t where t.topic = v_job.topic and t.dedupe_key = v_job.dedupe_key and t.status = 'ready'
  ) then
    update public.work_queue w set status = 'done', lease_until = null, locked_by = null, finished_at = now(),
        last_error = 'superseded: ' || left(p_error, 3900)
     where w.id = p_id returning w.* into v_job;
    return v_job;
  end if;
  update public.work_queue w
     set status = case when w.retries >= w.max_retries then 'dead' else 'ready' end,
         retries = w.retries + 1, next_retry_at = now() + make_interval(secs => v_wait),
         lease_until = null, locked_by = null, last_error = left(p_error, 4000),
         finished_at = case when w.retries >= w.max_retries then now() end
   where w.id = p_id returning w.* into v_job;
  return v_job;
end $$;
comment on function public.fail_work is
$$The attempt failed: retry later (2^n seconds with jitter, at most an hour, or p_retry_seconds), or dead after max_retries.
Permission: work.run (service only).
Errors: auth.forbidden (403), work.not_yours (409).
Idempotency: a second call is refused with work.not_yours.
Locks: the job row.$$;

create function public.extend_work(p_id bigint, p_fence bigint, p_lease_seconds integer default 60)
returns timestamptz language plpgsql security definer set search_path = '' as $$
declare
  v_until timestamptz;
begin
  perform private.authorize('work.run');
  update public.work_queue w set lease_until = now() + private.lease(p_lease_seconds)
   where w.id = p_id and w.fence = p_fence and w.lease_until is not null returning w.lease_until into v_until;
  if v_until is null then
    perform private.fail(409, 'work.not_yours', 'Another worker has taken this job over.', jsonb_build_object('id', p_id));
  end if;
  return v_until;
end $$;
comment on function public.extend_work is
$$Still working: the lease now ends p_lease_seconds from now. Answers its new end.
Permission: work.run (service only).
Errors: auth.forbidden (403), work.not_yours (409).
Idempotency: safe to repeat.
Locks: the job row.$$;

create function public.requeue_work(p_id bigint, p_request_id uuid default null)
returns public.work_queue language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('queue.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'requeue_work', jsonb_build_array(p_id));
  v_job public.work_queue;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.work_queue, v_answer);
  end if;
  select w.* into v_job from public.work_queue w where w.id = p_id for update;
  if not found then
    perform private.fail(404, 'work.unknown', 'There is no job ' || p_id || '.');
  elsif v_job.status in ('running', 'done') then
    perform private.fail(409, 'work.not_dead', 'Only a failed job can be queued again.', jsonb_build_object('status', v_job.status));
  elsif v_job.status = 'dead' and v_job.dedupe_key is not null and exists (
    select 1 from public.work_queue t where t.topic = v_job.topic and t.dedupe_key = v_job.dedupe_key and t.status = 'ready'
  ) then
    perform private.fail(409, 'work.twin_waits', 'The same work is queued already.', jsonb_build_object('dedupe_key', v_job.dedupe_key));
  end if;
  update public.work_queue w set status = 'ready', retries = 0, next_retry_at = now(), finished_at = null
   where w.id = p_id returning w.* into v_job;
  perform private.emit('queue', p_id::text, 'work.requeued', v_actor, jsonb_build_object('topic', v_job.topic));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_job));
  return v_job;
end $$;
comment on function public.requeue_work is
$$Try a dead job again with all its retries.
Permission: queue.manage.
Errors: work.unknown (404), work.not_dead (409), work.twin_waits (409), request.reused (422).
Idempotency: by p_request_id; a job that waits already just runs sooner.
Locks: the job row.$$;

grant execute on function public.claim_work, public.complete_work, public.complete_and_claim_work, public.fail_work,
  public.extend_work to service_role;
grant execute on function public.requeue_work to authenticated, service_role;

create type public.queue_status as (topic text, status text, jobs bigint, oldest_seconds double precision);
create function public.work_queue_status()
returns setof public.queue_status language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('work.run');
  return query
    select w.topic, w.status, count(*), extract(epoch from now() - min(w.created_at))::double precision
      from public.work_queue w where w.status <> 'done' group by w.topic, w.status;
end $$;
comment on function public.work_queue_status is
$$Open jobs per topic and status, and the age of the oldest in seconds: the gauges of /metrics.
Permission: work.run (service only).
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.work_queue_status to service_role;

-- The clock --------------------------------------------------------------------------------------------------------

create function private.sweep_queue(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
begin
  with expired as (
    select w.id, row_number() over (partition by w.topic, coalesce(w.dedupe_key, w.id::text) order by w.id) > 1
        or exists (select 1 from public.work_queue t
                    where t.topic = w.topic and t.dedupe_key = w.dedupe_key and t.status = 'ready') as has_twin
      from (select * from public.work_queue q where q.status = 'running' and q.lease_until < p_now for update skip locked) w
  )
  update public.work_queue w
     set status = case when e.has_twin then 'done' when w.retries >= w.max_retries then 'dead' else 'ready' end,
         retries = w.retries + 1, lease_until = null, locked_by = null, next_retry_at = p_now,
         last_error = 'The worker ' || coalesce(w.locked_by, '?') || ' stopped answering.',
         finished_at = case when e.has_twin or w.retries >= w.max_retries then p_now end
    from expired e where w.id = e.id;
end $$;
comment on function private.sweep_queue is 'Jobs whose lease ran out go back to the queue, or to the dead letters after max_retries.';

create function private.purge_finished(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
begin
  delete from public.work_queue w where w.status = 'done' and w.finished_at < p_now - interval '14 days';
  delete from private.commands c where c.at < p_now - interval '90 days';
  delete from private.device_enrolments e where e.expires_at < p_now;
  delete from private.person_sessions ps where ps.expires_at < p_now;
end $$;
comment on function private.purge_finished is
  'Done jobs go after 14 days, idempotency keys after 90 (the longest an offline station may wait), stale enrolment codes at once.';

create function private.tick(p_now timestamptz default now())
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_job private.scheduled_jobs;
  v_ran jsonb := '{}';
  v_error text;
begin
  for v_job in select * from private.scheduled_jobs s
    where s.last_run_at is null or s.last_run_at <= p_now - s.every order by s.name for update skip locked
  loop
    begin
      v_error := null;
      execute format('select private.%I($1)', v_job.function_name) using p_now;
    exception when others then
      v_error := sqlerrm;
    end;
    update private.scheduled_jobs s set last_run_at = p_now, last_error = v_error where s.name = v_job.name;
    v_ran := v_ran || jsonb_build_object(v_job.name, coalesce(v_error, 'ok'));
  end loop;
  return v_ran;
end $$;
comment on function private.tick is
  'Run every scheduled job that is due; one failing job does not stop the others. Answers {job: ok | error}.';

create function public.tick()
returns jsonb language plpgsql security definer set search_path = '' as $$
begin
  perform private.authorize('work.run');
  return private.tick();
end $$;
comment on function public.tick is
$$The plant's clock for servers without pg_cron: takt worker calls it every few seconds.
Permission: work.run (service only).
Errors: auth.forbidden (403).
Idempotency: a job runs once per its interval, whoever calls.
Locks: the due rows of private.scheduled_jobs, SKIP LOCKED.$$;
grant execute on function public.tick to service_role;

-- sql/M00_core/api_events.sql

create type public.event_entry as (
  cursor text, id bigint, at timestamptz, site text, store text, stream text, stream_id text, event text,
  actor_id uuid, station text, payload jsonb);
comment on type public.event_entry is 'One event with the cursor that continues right after it.';

create function public.events_cursor()
returns text language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('events.read');
  return (select ep.epoch from private.event_epoch ep) || '.' || pg_snapshot_xmin(pg_current_snapshot()) || ':0';
end $$;
comment on function public.events_cursor is
$$The cursor of now: take it first, then read the state, then follow with events_since. Nothing falls between.
Permission: events.read.
Errors: auth.required (401), auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;

create function public.events_since(p_cursor text default '0:0', p_streams text[] default null, p_limit integer default 500)
returns setof public.event_entry language plpgsql stable security definer set search_path = '' as $$
declare
  v_stores text[];
  v_audit boolean;
  v_open text[];
  v_sites text[];
  v_after xid8;
  v_after_id bigint;
  v_epoch text := (select ep.epoch from private.event_epoch ep);
  v_parts text[] := regexp_match(p_cursor, '^(?:(\d{1,18})\.)?(\d{1,19}):(\d{1,18})$');
begin
  perform private.authorize('events.read');
  if v_parts is null then
    perform private.fail(400, 'events.bad_cursor', 'This is not a cursor of events_since.', jsonb_build_object('actual', p_cursor));
  end if;
  v_after := v_parts[2]::xid8;
  v_after_id := v_parts[3]::bigint;
  if v_parts[1] <> v_epoch or v_after > pg_snapshot_xmax(pg_current_snapshot()) then
    perform private.fail(409, 'events.cursor_ahead', 'The history was restored from a backup. Reload and start from events_cursor.',
      jsonb_build_object('actual', p_cursor));
  end if;
  v_stores := private.readable_stores('events.read');
  v_audit := private.may('audit.read');
  v_open := array(select s from unnest(p_streams) s where private.may(private.stream_permission(s)));
  v_sites := array(select si.code from public.sites si where private.works_at(private.identify(), si.code)) || '-'::text;
  return query
    select v_epoch || '.' || e.xid || ':' || e.id, e.id, e.at, e.site, e.store, e.stream, e.stream_id, e.event, e.actor_id, e.station,
      case when e.store is null and not v_audit then '{}' else e.payload end
      from public.events e
     where (e.xid, e.id) > (v_after, v_after_id)
       and e.xid < pg_snapshot_xmin(pg_current_snapshot())   -- never past a transaction that is still open
       and (p_streams is null or e.stream = any (p_streams))
       and (e.store = any (v_stores) or e.store is null and (v_audit or e.stream = any (v_open) and e.site = any (v_sites)))
     order by e.xid, e.id
     limit least(greatest(p_limit, 1), 1000);
end $$;
comment on function public.events_since is
$$Events after a cursor, in commit order: a transaction that commits late is never skipped. p_limit 1–1000.
Ask again with the last row's cursor until fewer than p_limit rows come; keep your cursor when none come.
Events of no store come of the streams named in p_streams that the caller may listen to, at their sites, without their payload: who counts
stock must not read it there.
Permission: events.read, in the stores of the caller; all events of no store, with their payload, need audit.read.
Errors: events.bad_cursor (400), events.cursor_ahead (409).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.events_cursor, public.events_since to authenticated;

-- sql/M00_core/api_plant.sql

create function public.register_site(p_code text, p_name text, p_time_zone text, p_request_id uuid default null)
returns public.sites language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('plant.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'register_site', jsonb_build_array(p_code, p_name, p_time_zone));
  v_site public.sites;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.sites, v_answer);
  end if;
  if not private.is_time_zone(p_time_zone) then
    perform private.fail(422, 'site.time_zone', 'There is no time zone ' || p_time_zone || '. Use a name like Australia/Sydney.',
      jsonb_build_object('field', 'p_time_zone', 'actual', p_time_zone));
  end if;
  insert into public.sites as s (code, name, time_zone) values (p_code, p_name, p_time_zone)
  on conflict on constraint sites_pkey do update set name = excluded.name, time_zone = excluded.time_zone
  returning s.* into v_site;
  perform private.emit('site', p_code, 'site.registered', v_actor, to_jsonb(v_site), null, p_code);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_site));
  return v_site;
end $$;
comment on function public.register_site is
$$Add a plant, or change its name and time zone (IANA).
Permission: plant.manage.
Errors: site.time_zone (422), request.reused (422).
Idempotency: by p_request_id; the same values again change nothing.
Locks: the site row.$$;

create function private.create_store_view(p_store text)
returns void language plpgsql set search_path = '' as $$
begin
  execute format('create or replace view public.%I with (security_invoker = on) as select * from public.orders where store = %L',
    'orders_' || p_store, p_store);
  execute format('comment on view public.%I is %L', 'orders_' || p_store, 'Orders of store ' || p_store || ', read-only.');
  execute format('revoke all on public.%I from anon, authenticated, service_role', 'orders_' || p_store);
  execute format('grant select on public.%I to authenticated', 'orders_' || p_store);
  notify pgrst, 'reload schema';
end $$;
comment on function private.create_store_view is 'The view orders_<store> over public.orders, for readers who know the old per-store tables.';

create function public.register_store(
  p_code text, p_name text, p_site text, p_scan_prefix text default null, p_currency text default 'EUR',
  p_request_id uuid default null)
returns public.stores language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('plant.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'register_store',
    jsonb_build_array(p_code, p_name, p_site, p_scan_prefix, p_currency));
  v_store public.stores;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stores, v_answer);
  end if;
  if not exists (select 1 from public.sites s where s.code = p_site) then
    perform private.fail(404, 'site.unknown', 'There is no site ' || coalesce(p_site, '') || '.', jsonb_build_object('site', p_site));
  end if;
  insert into public.stores as st (code, site, name, scan_prefix, currency)
  values (p_code, p_site, p_name, p_scan_prefix, p_currency)
  on conflict on constraint stores_pkey do update
    set site = excluded.site, name = excluded.name, scan_prefix = excluded.scan_prefix, currency = excluded.currency
  returning st.* into v_store;
  perform private.create_store_view(p_code);
  perform private.emit('store', p_code, 'store.registered', v_actor, to_jsonb(v_store), p_code);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_store));
  return v_store;
end $$;
comment on function public.register_store is
$$Add a store (or change it) and its read view orders_<store>. p_scan_prefix: the letters of the short barcode (B in #B18617).
Permission: plant.manage.
Errors: site.unknown (404), request.reused (422).
Idempotency: by p_request_id; the same values again change nothing.
Locks: the store row.$$;
grant execute on function public.register_site, public.register_store to authenticated, service_role;

-- sql/M00_core/api_staff.sql

create type public.whoami_answer as (
  user_id uuid, role text, name text, stores text[], site text, permissions text[]);

create function public.whoami()
returns public.whoami_answer language plpgsql stable security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('plant.read');
  v_who private.identity := private.identify();
begin
  return row(v_actor, v_who.role, v_who.label, private.readable_stores('plant.read'), v_who.site,
    array(select rp.permission from public.role_permissions rp where rp.role = v_who.role order by 1))::public.whoami_answer;
end $$;
comment on function public.whoami is
$$Who I am here: role, stores spelled out, permissions. Clients show and hide by it; the RPCs decide.
Permission: plant.read.
Errors: auth.required (401), auth.not_staff (403).
Idempotency: a read.
Locks: none.$$;

create function public.bootstrap_admin(p_user_id uuid, p_full_name text, p_email text)
returns public.staff_shared language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('staff.bootstrap');
  v_staff public.staff_shared;
begin
  lock table public.staff_shared in share row exclusive mode;   -- two bootstraps at once: the second sees the first
  if exists (select 1 from public.staff_shared s where s.role = 'admin' and s.is_active) then
    perform private.fail(409, 'staff.admin_exists', 'This plant has an admin already. Ask them for an account.');
  end if;
  insert into public.staff_shared as s (user_id, full_name, email, role, stores)
  values (p_user_id, p_full_name, p_email, 'admin', '{*}')
  on conflict on constraint staff_shared_pkey do update set role = 'admin', stores = '{*}', is_active = true
  returning s.* into v_staff;
  perform private.emit('staff', p_user_id::text, 'staff.bootstrapped', v_actor, jsonb_build_object('role', 'admin'));
  return v_staff;
end $$;
comment on function public.bootstrap_admin is
$$Make the first admin. Works only while no active admin exists.
Permission: staff.bootstrap (service only).
Errors: staff.admin_exists (409).
Idempotency: a second call is refused.
Locks: staff_shared against writers.$$;

create function private.check_rank(p_role text)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_mine smallint;
  v_theirs smallint;
begin
  select r.rank into v_theirs from public.roles r where r.role = p_role and r.audience = 'staff';
  if v_theirs is null then
    perform private.fail(422, 'staff.unknown_role', 'There is no role ' || coalesce(p_role, '') || '.', jsonb_build_object(
      'actual', p_role, 'expected', array(select r.role from public.roles r where r.audience = 'staff' order by r.rank)));
  end if;
  select r.rank into v_mine from public.roles r join private.identify() who on who.role = r.role;
  if v_theirs > v_mine then
    perform private.fail(403, 'staff.rank', 'Only someone with that role or above may do this.', jsonb_build_object('needs', p_role));
  end if;
end $$;

create function private.keep_an_admin()
returns void language plpgsql stable set search_path = '' as $$
begin
  if not exists (select 1 from public.staff_shared s where s.role = 'admin' and s.is_active) then
    perform private.fail(409, 'staff.last_admin', 'This is the last active admin. Make another one first.');
  end if;
end $$;

create function public.upsert_staff(
  p_user_id uuid, p_full_name text, p_email text, p_role text, p_stores text[] default '{*}', p_request_id uuid default null)
returns public.staff_shared language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('staff.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'upsert_staff',
    jsonb_build_array(p_user_id, p_full_name, p_email, p_role, p_stores));
  v_before public.staff_shared;
  v_staff public.staff_shared;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.staff_shared, v_answer);
  end if;
  lock table public.staff_shared in share row exclusive mode;   -- the last admin is counted under this lock
  perform private.check_rank(p_role);
  select s.* into v_before from public.staff_shared s where s.user_id = p_user_id;
  if found then
    perform private.check_rank(v_before.role);
  end if;
  perform private.authorize('staff.manage', st) from unnest(p_stores || v_before.stores) st;
  insert into public.staff_shared as s (user_id, full_name, email, role, stores)
  values (p_user_id, p_full_name, p_email, p_role, p_stores)
  on conflict on constraint staff_shared_pkey do update
    set full_name = excluded.full_name, email = excluded.email, role = excluded.role, stores = excluded.stores
  returning s.* into v_staff;
  if v_before.role = 'admin' then
    perform private.keep_an_admin();
  end if;
  perform private.emit('staff', p_user_id::text, 'staff.saved', v_actor,
    jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_staff)));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_staff));
  return v_staff;
end $$;
comment on function public.upsert_staff is
$$Give an Auth user a place on the staff, or change name, role and stores ({*} = all stores).
Permission: staff.manage in every store given or taken, and a rank not below the old and the new role.
Errors: auth.other_store (403), staff.unknown_role (422), staff.rank (403), staff.unknown_store (422), staff.last_admin (409), request.reused (422).
Idempotency: by p_request_id; the same values again change nothing but the version.
Locks: staff_shared against writers.$$;

create function public.set_staff_active(p_user_id uuid, p_is_active boolean, p_request_id uuid default null)
returns public.staff_shared language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('staff.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'set_staff_active', jsonb_build_array(p_user_id, p_is_active));
  v_staff public.staff_shared;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.staff_shared, v_answer);
  end if;
  lock table public.staff_shared in share row exclusive mode;
  select s.* into v_staff from public.staff_shared s where s.user_id = p_user_id;
  if not found then
    perform private.fail(404, 'staff.unknown', 'This person is not on the staff.', jsonb_build_object('user_id', p_user_id));
  end if;
  perform private.check_rank(v_staff.role);
  perform private.authorize('staff.manage', st) from unnest(v_staff.stores) st;
  if v_staff.is_active <> p_is_active then
    update public.staff_shared s set is_active = p_is_active where s.user_id = p_user_id returning s.* into v_staff;
    perform private.keep_an_admin();
    perform private.emit('staff', p_user_id::text,
      case when p_is_active then 'staff.enabled' else 'staff.disabled' end, v_actor);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_staff));
  return v_staff;
end $$;
comment on function public.set_staff_active is
$$Disable a person (works at their very next call) or let them back in.
Permission: staff.manage in all their stores, and a rank not below theirs.
Errors: auth.other_store (403), staff.unknown (404), staff.rank (403), staff.last_admin (409), request.reused (422).
Idempotency: by p_request_id; a repeat changes nothing.
Locks: staff_shared against writers.$$;

create function public.set_role_permission(p_role text, p_permission text, p_granted boolean, p_request_id uuid default null)
returns boolean language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('roles.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'set_role_permission', jsonb_build_array(p_role, p_permission, p_granted));
begin
  if v_answer is not null then
    return v_answer::boolean;
  end if;
  if not exists (select 1 from public.roles r where r.role = p_role)
     or not exists (select 1 from public.permissions p where p.permission = p_permission) then
    perform private.fail(404, 'roles.unknown', 'There is no such role or permission.',
      jsonb_build_object('role', p_role, 'permission', p_permission));
  elsif p_role = 'service' or p_role = 'admin' and not p_granted and p_permission in ('roles.manage', 'staff.manage', 'plant.read') then
    perform private.fail(409, 'roles.fixed', 'This would lock everybody out.', jsonb_build_object('role', p_role, 'permission', p_permission));
  end if;
  if p_granted then
    insert into public.role_permissions (role, permission) values (p_role, p_permission) on conflict do nothing;
  else
    delete from public.role_permissions rp where rp.role = p_role and rp.permission = p_permission;
  end if;
  if found then
    perform private.emit('role', p_role, case when p_granted then 'role.granted' else 'role.revoked' end, v_actor,
      jsonb_build_object('permission', p_permission));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(p_granted));
  return p_granted;
end $$;
comment on function public.set_role_permission is
$$Grant or take back one permission of a role; effective at everybody's next call.
Permission: roles.manage.
Errors: roles.unknown (404), roles.fixed (409), request.reused (422).
Idempotency: by p_request_id; a repeat changes nothing.
Locks: the role_permissions row.$$;

grant execute on function public.bootstrap_admin to service_role;
grant execute on function public.upsert_staff, public.set_staff_active to authenticated, service_role;
grant execute on function public.whoami, public.set_role_permission to authenticated;

create function public.list_staff()
returns setof public.staff_shared language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('staff.read');
  return query select s.* from public.staff_shared s order by s.full_name, s.user_id;
end $$;
comment on function public.list_staff is
$$Everybody on the staff, disabled people too.
Permission: staff.read.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.list_staff to authenticated, service_role;

-- sql/M00_core/api_devices.sql

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

-- sql/M00_core/api_station.sql

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

-- sql/M00_core/photos.sql

-- Photos that people take at the bench. The server makes the path, Storage keeps the file, a command of the domain attaches it.

create table private.photo_kinds (
  about text not null constraint photo_kinds_about_check check (about ~ '^[a-z_]{1,40}$'),
  read_permission text not null,
  constraint photo_kinds_pkey primary key (about),
  constraint photo_kinds_read_permission_fkey foreign key (read_permission) references public.permissions (permission) on delete restrict
);
create index photo_kinds_read_permission_idx on private.photo_kinds (read_permission);
comment on table private.photo_kinds is 'What photos may show, and who sees them. A domain adds its own in its seed; its command decides who keeps one.';

create table private.photos (
  id uuid not null default gen_random_uuid(),
  about text not null,
  about_id text constraint photos_about_id_check check (length(about_id) <= 200),
  site text not null,
  store text,
  path text not null generated always as (site || '/' || about || '/' || id::text || '.jpg') stored,
  uploader uuid not null,
  created_by uuid not null,
  created_at timestamptz not null default now(),
  attached_at timestamptz,
  constraint photos_pkey primary key (id),
  constraint photos_path_key unique (path),
  constraint photos_about_fkey foreign key (about) references private.photo_kinds (about) on delete restrict,
  constraint photos_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint photos_store_fkey foreign key (store) references public.stores (code) on delete restrict
);
create index photos_about_idx on private.photos (about, about_id);
create index photos_site_idx on private.photos (site);
create index photos_store_idx on private.photos (store) where store is not null;
create index photos_open_idx on private.photos (uploader, created_at) where attached_at is null;
comment on table private.photos is 'Paths that were given out for photos. A file in the bucket that stands here belongs to somebody; no other gets in.';
comment on column private.photos.uploader is 'The Auth user that may upload it: the person, or the shared station where they stood.';
comment on column private.photos.store is 'The store of what it shows: seen by those who work there; null: by those of the site.';
comment on column private.photos.about_id is 'What it shows; null until a command has attached it.';

create type public.photo_place as (bucket text, path text, max_bytes integer);
comment on type public.photo_place is 'Where a photo is uploaded to: bucket and path of Storage, and how many bytes it may have.';

create function public.start_photo(p_about text, p_site text, p_request_id uuid default null)
returns public.photo_place language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('photos.take', null, p_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'start_photo', jsonb_build_array(p_about, p_site));
  v_uploader uuid := nullif(private.claims() ->> 'sub', '')::uuid;
  v_place public.photo_place;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.photo_place, v_answer);
  elsif not exists (select 1 from private.photo_kinds k where k.about = p_about) then
    perform private.fail(422, 'photo.about', 'Photos cannot be taken of that.', jsonb_build_object('field', 'p_about', 'actual', p_about));
  elsif not exists (select 1 from public.sites s where s.code = p_site) then
    perform private.fail(404, 'site.unknown', 'There is no site ' || coalesce(p_site, '') || '.', jsonb_build_object('site', p_site));
  elsif (select count(*) >= 200 from private.photos p where p.uploader = v_uploader and p.attached_at is null and p.created_at > now() - interval '1 day') then
    perform private.fail(429, 'photo.too_many', 'Too many photos were begun and never kept. Try again tomorrow.');
  end if;
  insert into private.photos as p (about, site, uploader, created_by) values (p_about, p_site, v_uploader, v_actor)
  returning 'photos', p.path, 3145728 into v_place;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_place));
  return v_place;
end $$;
comment on function public.start_photo is
$$A photo is about to be uploaded: answers bucket and path, which the server makes; upload image/jpeg there within a day, as the same Auth user. Then a
command of the domain (confirm_plate …) takes the path. p_about what it will show: print_run …; p_site where.
Permission: photos.take at the site; keeping it needs the permission of that command.
Errors: photo.about (422), site.unknown (404), photo.too_many (429), request.reused (422).
Idempotency: by p_request_id; without it every call gives another path.
Locks: none.$$;

create function private.attach_photo(p_path text, p_about text, p_about_id text, p_site text, p_actor uuid, p_store text default null)
returns void language plpgsql set search_path = '' as $$
declare
  v_photo private.photos;
begin
  select p.* into v_photo from private.photos p where p.path = p_path and p.about = p_about and p.site = p_site and p.created_by = p_actor for update;
  if v_photo.id is null or v_photo.about_id <> p_about_id then
    perform private.fail(404, 'photo.unknown', 'This photo was not taken for this. Take it again.', jsonb_build_object('path', p_path));
  elsif not exists (select 1 from storage.objects o where o.bucket_id = 'photos' and o.name = p_path) then
    perform private.fail(409, 'photo.missing', 'The photo has not arrived yet. Send it again.', jsonb_build_object('path', p_path));
  end if;
  update private.photos p set about_id = p_about_id, store = p_store, attached_at = coalesce(p.attached_at, now()) where p.id = v_photo.id;
end $$;
comment on function private.attach_photo is
$$The photo at this path shows p_about_id (of p_store, where that is of one), for good. Only who took it, for this kind and site, and only when its file is there.
Errors: photo.unknown (404), photo.missing (409). Locks: the photo.$$;

-- Storage ----------------------------------------------------------------------------------------------------------

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values ('photos', 'photos', false, 3145728, '{image/jpeg}')
on conflict (id) do update set public = false, file_size_limit = excluded.file_size_limit, allowed_mime_types = excluded.allowed_mime_types;

create function private.may_upload_photo(p_path text)
returns boolean language plpgsql stable security definer set search_path = '' as $$
declare
  v_who private.identity := private.listener();
begin
  return v_who.actor_id is not null and exists (select 1 from private.photos p
    where p.path = p_path and p.uploader = nullif(private.claims() ->> 'sub', '')::uuid
      and p.attached_at is null and p.created_at > now() - interval '1 day');
end $$;
comment on function private.may_upload_photo is 'For the policy on storage.objects: was this path given to the caller, and is it still waiting for its file?';
grant execute on function private.may_upload_photo to authenticated;

create function private.may_read_photo(p_path text)
returns boolean language plpgsql stable security definer set search_path = '' as $$
declare
  v_who private.identity := private.listener();
begin
  return exists (select 1 from private.photos p join private.photo_kinds k on k.about = p.about
      join public.role_permissions rp on rp.permission = k.read_permission and rp.role = v_who.role
    where p.path = p_path and v_who.actor_id is not null and private.works_at(v_who, p.site)
      and (p.store is null or v_who.stores && array[p.store, '*']));
end $$;
comment on function private.may_read_photo is
  'For the policy on storage.objects: active staff of the site, and of the store where it is of one, who may read what it shows; at a shared station whoever stands there.';
grant execute on function private.may_read_photo to authenticated;

create policy insert_uploader on storage.objects for insert to authenticated
  with check (bucket_id = 'photos' and (select private.may_upload_photo(name)));
create policy select_staff on storage.objects for select to authenticated
  using (bucket_id = 'photos' and (select private.may_read_photo(name)));
alter table private.photo_kinds enable row level security;
alter table private.photos enable row level security;
grant execute on function public.start_photo to authenticated;

-- sql/M00_core/seed.sql

insert into public.roles (role, audience, title, rank) values
  ('viewer', 'staff', 'Viewer', 10),
  ('operator', 'staff', 'Operator', 20),
  ('technician', 'staff', 'Technician', 25),
  ('supervisor', 'staff', 'Supervisor', 40),
  ('planner', 'staff', 'Planner', 40),
  ('manager', 'staff', 'Manager', 60),
  ('admin', 'staff', 'Admin', 100),
  ('device.print_agent', 'device', 'Print agent', 0),
  ('device.bambu_bridge', 'device', 'Bambu bridge', 0),
  ('device.fixture', 'device', 'Test fixture', 0),
  ('device.kiosk', 'device', 'Shared station', 0),
  ('device.equipment', 'device', 'Equipment gateway', 0),
  ('service', 'service', 'The server itself', 100);

create function private.allow(p_permission text, p_description text, p_roles text[])
returns void language plpgsql set search_path = '' as $$
begin
  insert into public.permissions (permission, description) values (p_permission, p_description);
  insert into public.role_permissions (role, permission) select r, p_permission from unnest(p_roles) r;
end $$;
comment on function private.allow is 'For seeds: a new permission and the roles that start with it.';

select private.allow(p, d, r) from (values
  ('plant.read', 'See sites, stores, roles', '{viewer,operator,technician,supervisor,planner,manager,admin,device.print_agent,device.bambu_bridge,device.fixture,device.kiosk,device.equipment}'::text[]),
  ('plant.manage', 'Add and change sites and stores', '{admin,service}'),
  ('staff.read', 'See who works here', '{viewer,operator,technician,supervisor,planner,manager,admin,service}'),
  ('staff.manage', 'Add, change and disable people', '{manager,admin,service}'),
  ('staff.bootstrap', 'Make the first admin', '{service}'),
  ('roles.manage', 'Change what a role may do', '{admin}'),
  ('devices.read', 'See devices', '{technician,supervisor,planner,manager,admin,service}'),
  ('devices.manage', 'Add and revoke devices', '{manager,admin,service}'),
  ('devices.enrol', 'Tie an Auth user to a device', '{service}'),
  ('devices.report', 'Report health of the own device', '{device.print_agent,device.bambu_bridge,device.fixture,device.kiosk,device.equipment}'),
  ('stations.identify', 'Say who stands at a shared station', '{viewer,operator,technician,supervisor,planner,manager,admin,device.kiosk}'),
  ('events.read', 'Read what happened in the own stores', '{viewer,operator,technician,supervisor,planner,manager,admin}'),
  ('audit.read', 'Read administrative history', '{manager,admin}'),
  ('queue.read', 'See the work queue', '{technician,manager,admin}'),
  ('queue.manage', 'Queue dead jobs again', '{manager,admin,service}'),
  ('work.run', 'Claim and settle background work', '{service}'),
  ('photos.take', 'Take photos at the bench', '{operator,technician,supervisor,planner,manager,admin}'),
  ('orders.read', 'See orders of the own stores', '{viewer,operator,technician,supervisor,planner,manager,admin,service}')
) as t (p, d, r);

insert into private.scheduled_jobs (name, function_name, every) values
  ('sweep the work queue', 'sweep_queue', '10 seconds'),
  ('purge finished work', 'purge_finished', '1 hour'),
  ('event partitions', 'ensure_event_partitions', '1 day'),
  ('rebase events after a restore', 'rebase_events', '5 minutes');

select private.ensure_event_partitions(now());

-- Where pg_cron is installed it keeps the clock; elsewhere takt worker calls public.tick().
do $$ begin
  if exists (select 1 from pg_catalog.pg_extension where extname = 'pg_cron') then
    execute $cron$ select cron.schedule('takt-tick', '10 seconds', 'select private.tick()') $cron$;
  end if;
end $$;

-- sql/M00_core/policies.sql

alter table public.sites enable row level security;
alter table public.stores enable row level security;
alter table public.roles enable row level security;
alter table public.permissions enable row level security;
alter table public.role_permissions enable row level security;
alter table public.staff_shared enable row level security;
alter table public.devices enable row level security;
alter table public.events enable row level security;
alter table public.work_queue enable row level security;
alter table public.orders enable row level security;
alter table private.device_enrolments enable row level security;
alter table private.event_epoch enable row level security;
alter table private.staff_secrets enable row level security;
alter table private.person_sessions enable row level security;
alter table private.commands enable row level security;
alter table private.scheduled_jobs enable row level security;

create policy select_active on public.sites for select to authenticated using ((select private.may('plant.read')));
create policy select_active on public.stores for select to authenticated using ((select private.may('plant.read')));
create policy select_active on public.roles for select to authenticated using ((select private.may('plant.read')));
create policy select_active on public.permissions for select to authenticated using ((select private.may('plant.read')));
create policy select_active on public.role_permissions for select to authenticated using ((select private.may('plant.read')));
create policy select_active on public.staff_shared for select to authenticated using ((select private.may('staff.read')));
create policy select_active on public.devices for select to authenticated using ((select private.may('devices.read')));
create policy select_active on public.work_queue for select to authenticated using ((select private.may('queue.read')));
create policy select_store on public.orders for select to authenticated
  using ((select private.reads_every_store('orders.read'))
    or (select private.readable_stores('orders.read')) @> array[store]);   -- not = any: it would spoil sorted index scans
create policy select_store on public.events for select to authenticated
  using (store is not null and (select private.reads_every_store('events.read'))
    or (select private.readable_stores('events.read')) @> array[store]
    or store is null and (select private.may('audit.read')));

grant select on public.sites, public.stores, public.roles, public.permissions, public.role_permissions, public.staff_shared,
  public.devices, public.events, public.work_queue, public.orders to authenticated;

create function private.stream_permission(p_stream text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return case when p_stream in ('order', 'settings', 'store', 'site', 'stock', 'item', 'location', 'count',
    'allocation', 'production_order', 'execution', 'process_step', 'work_centre', 'routing', 'quality_reason', 'approval', 'part',
    'gcode', 'print_run', 'print_machine') then 'events.read'
    when p_stream = 'print' then 'printing.read'
    when p_stream in ('line', 'machine', 'repair') then 'maintenance.read'
    when p_stream in ('stop', 'shift', 'calendar') then 'kpi.read'
    when p_stream in ('unit', 'box', 'kit', 'variant', 'lot', 'recall') then 'units.read' else 'audit.read' end;
end $$;
comment on function private.stream_permission is 'What it takes to follow a stream of events.';

-- Who may listen: topic site:<code>:<stream> to whoever works there and reads that stream. Nobody but the database speaks.
create function private.may_listen(p_topic text)
returns boolean language plpgsql stable security definer set search_path = '' as $$
declare
  v_parts text[] := regexp_match(p_topic, '^site:([a-z0-9_-]+):([a-z_]+)$');
  v_who private.identity := private.listener();
begin
  return v_parts is not null and v_who.actor_id is not null and private.works_at(v_who, v_parts[1])
    and exists (select 1 from public.role_permissions rp
      where rp.role = v_who.role and rp.permission = private.stream_permission(v_parts[2]));
end $$;
comment on function private.may_listen is 'For the policy on realtime.messages: may the caller join this topic?';
grant execute on function private.may_listen to authenticated;

create policy select_listener on realtime.messages for select to authenticated
  using (realtime.messages.extension = 'broadcast' and (select private.may_listen(realtime.topic())));
