-- Schema `realtime` for the embedded stack: the same tables, functions and grants that policies and
-- triggers meet on hosted Supabase. Idempotent; run by a superuser in every database, after platform/roles.sql.

create schema if not exists realtime;
alter schema realtime owner to supabase_realtime_admin;
grant usage on schema realtime to postgres, anon, authenticated, service_role;

create table if not exists realtime.messages (
  id uuid not null default gen_random_uuid(),
  inserted_at timestamp not null default timezone('utc', now()),
  updated_at timestamp not null default timezone('utc', now()),
  topic text not null,
  extension text not null,
  payload jsonb,
  event text,
  private boolean default false,
  xid xid8 not null default pg_current_xact_id(),
  constraint messages_pkey primary key (id, inserted_at)
) partition by range (inserted_at);

comment on table realtime.messages is
  'Broadcast messages, one partition per UTC day, kept for a few days. Policies decide who may listen (select) and send (insert).';
comment on column realtime.messages.xid is
  'Writing transaction. Not on hosted: the listener reads in commit order by it, so a late commit is never skipped.';

create index if not exists messages_xid_idx on realtime.messages (xid);
create index if not exists messages_topic_idx
  on realtime.messages (topic, inserted_at desc) where extension = 'broadcast' and private;

alter table realtime.messages owner to supabase_realtime_admin;
alter table realtime.messages enable row level security;
revoke all on realtime.messages from public, anon, authenticated, service_role;
grant select, insert on realtime.messages to anon, authenticated, service_role;

create or replace function realtime.topic()
returns text
language sql
stable
set search_path = ''
as $$
  select nullif(current_setting('realtime.topic', true), '');
$$;
comment on function realtime.topic() is
  'The topic being joined or sent to, without the realtime: prefix; null outside a realtime check.';

create or replace function realtime.ensure_partitions(days_ahead integer default 3)
returns void
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_day date;
  v_name text;
begin
  for v_offset in 0..days_ahead loop
    v_day := (now() at time zone 'utc')::date + v_offset;
    v_name := to_char(v_day, '"messages_"YYYY_MM_DD');
    continue when to_regclass('realtime.' || v_name) is not null;

    perform pg_advisory_xact_lock(hashtext('realtime.messages'));
    continue when to_regclass('realtime.' || v_name) is not null;

    -- Attaching locks the parent less than `create table ... partition of`: senders are not blocked.
    execute format('create table realtime.%I (like realtime.messages including all)', v_name);
    execute format('alter table realtime.%I enable row level security', v_name);
    execute format(
      'revoke all on realtime.%I from public, anon, authenticated, service_role', v_name
    );
    execute format(
      'alter table realtime.messages attach partition realtime.%I for values from (%L) to (%L)',
      v_name, v_day, v_day + 1
    );
  end loop;
end
$$;
comment on function realtime.ensure_partitions(integer) is
  'Creates the day partitions from today to days_ahead from now that do not exist. Cheap when all exist.';

create or replace function realtime.prune(keep_days integer default 3)
returns integer
language plpgsql
security definer
set search_path = ''
-- Dropping a partition locks out senders: give up quickly, the next call tries again.
set lock_timeout = '1s'
as $$
declare
  v_limit text := to_char(
    (now() at time zone 'utc')::date - keep_days, '"messages_"YYYY_MM_DD'
  );
  v_partition name;
  v_dropped integer := 0;
begin
  for v_partition in
    select c.relname
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'realtime.messages'::regclass
      and c.relname::text collate "C" < v_limit
    order by c.relname
  loop
    execute format('drop table realtime.%I', v_partition);
    v_dropped := v_dropped + 1;
  end loop;
  return v_dropped;
exception
  when lock_not_available then return 0;
end
$$;
comment on function realtime.prune(integer) is
  'Drops the day partitions older than keep_days; returns how many (0 when senders hold the table).';

create or replace function realtime.send(
  payload jsonb,
  event text,
  topic text,
  private boolean default true
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_id uuid := gen_random_uuid();
begin
  perform realtime.ensure_partitions(1);
  perform set_config('realtime.topic', send.topic, true);
  -- The wall clock, not the default now(): it keeps the order of several sends in a transaction.
  insert into realtime.messages (id, inserted_at, payload, event, topic, private, extension)
  values (
    v_id, timezone('utc', clock_timestamp()), jsonb_build_object('id', v_id) || send.payload,
    send.event, send.topic, send.private, 'broadcast'
  );
exception
  -- As on hosted: a broadcast that cannot be sent never undoes the work that it announces.
  when others then raise warning 'ErrorSendingBroadcastMessage: %', sqlerrm;
end
$$;
comment on function realtime.send(jsonb, text, text, boolean) is
  'Broadcasts payload (a JSON object; id is added when absent) as event on topic when the transaction commits. Errors become a WARNING.';

create or replace function realtime.broadcast_changes(
  topic_name text,
  event_name text,
  operation text,
  table_name text,
  table_schema text,
  new record,
  old record,
  level text default 'ROW'
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if level = 'STATEMENT' then
    raise exception 'function can only be triggered for each row, not for each statement';
  end if;
  perform realtime.send(
    jsonb_build_object(
      'old_record', coalesce(to_jsonb(old), '{}'),
      'record', coalesce(to_jsonb(new), '{}'),
      'operation', operation,
      'table', table_name,
      'schema', table_schema
    ),
    event_name,
    topic_name
  );
end
$$;
comment on function realtime.broadcast_changes(text, text, text, text, text, record, record, text) is
  'For row triggers: broadcasts {record, old_record, operation, table, schema} privately on topic_name.';

create or replace function realtime.wake_listener()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  -- Always the same payload, so that Postgres sends one notification per transaction.
  perform pg_notify('realtime', '');
  return null;
end
$$;
comment on function realtime.wake_listener() is 'Tells the realtime server that there are new messages.';

create or replace trigger wake_listener
  after insert on realtime.messages
  for each statement execute function realtime.wake_listener();

alter function realtime.topic() owner to supabase_realtime_admin;
alter function realtime.ensure_partitions(integer) owner to supabase_realtime_admin;
alter function realtime.prune(integer) owner to supabase_realtime_admin;
alter function realtime.send(jsonb, text, text, boolean) owner to supabase_realtime_admin;
alter function realtime.broadcast_changes(text, text, text, text, text, record, record, text)
  owner to supabase_realtime_admin;
alter function realtime.wake_listener() owner to supabase_realtime_admin;

revoke execute on all functions in schema realtime from public;
grant execute on function
  realtime.topic(),
  realtime.ensure_partitions(integer),
  realtime.send(jsonb, text, text, boolean),
  realtime.broadcast_changes(text, text, text, text, text, record, record, text)
to postgres, anon, authenticated, service_role;
grant execute on function realtime.prune(integer) to postgres, service_role;

select realtime.ensure_partitions();
