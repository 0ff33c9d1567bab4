-- Supabase's own auth functions, and the owners and grants of Auth and Storage.
-- Applied by a superuser after every start of lite, which installs versions that read only
-- the old per-claim settings.

create or replace function auth.uid() returns uuid
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub',
    nullif(current_setting('request.jwt.claim.sub', true), '')
  )::uuid
$$;

create or replace function auth.role() returns text
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role',
    nullif(current_setting('request.jwt.claim.role', true), '')
  )
$$;

create or replace function auth.email() returns text
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email',
    nullif(current_setting('request.jwt.claim.email', true), '')
  )
$$;

create or replace function auth.jwt() returns jsonb
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claims', true), ''),
    nullif(current_setting('request.jwt.claim', true), '')
  )::jsonb
$$;

do $$
declare
  v_object record;
begin
  for v_object in
    select n.nspname, c.relname,
      case n.nspname when 'auth' then 'supabase_auth_admin' else 'supabase_storage_admin' end as owner
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where n.nspname in ('auth', 'storage') and c.relkind in ('r', 'p')
  loop
    execute format('alter table %I.%I owner to %I',
      v_object.nspname, v_object.relname, v_object.owner);
    execute format('alter table %I.%I enable row level security',
      v_object.nspname, v_object.relname);
  end loop;

  for v_object in
    select p.oid::regprocedure as signature,
      case n.nspname when 'auth' then 'supabase_auth_admin' else 'supabase_storage_admin' end as owner
    from pg_catalog.pg_proc as p
    join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
    where n.nspname in ('auth', 'storage')
  loop
    execute format('alter function %s owner to %I', v_object.signature, v_object.owner);
  end loop;
end
$$;

revoke all on all tables in schema auth from public, anon, authenticated, service_role;
grant all on all tables in schema auth to postgres;
revoke all on all tables in schema storage from public, anon, authenticated;
grant select, insert, update, delete on storage.objects to anon, authenticated;
grant select on storage.buckets to anon, authenticated;
grant all on all tables in schema storage to service_role, postgres;
