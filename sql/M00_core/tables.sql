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
