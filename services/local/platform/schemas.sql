-- Schemas, usage grants and database settings of a hosted Supabase project.
-- Applied by a superuser to one database before lite's first start; safe to repeat.

create schema if not exists extensions authorization postgres;
create extension if not exists pgcrypto with schema extensions;

do $$
begin
  execute format('alter database %I owner to postgres', current_database());
  execute format('alter database %I set pgrst.db_schemas = %L', current_database(), 'public');
  execute format('grant connect, create, temporary on database %I to supabase_lite',
    current_database());
  execute format('grant connect on database %I to authenticator, supabase_auth_admin',
    current_database());
  -- `supabase db lint` wants it, and only a superuser can install it.
  if exists (select from pg_catalog.pg_available_extensions where name = 'plpgsql_check') then
    execute 'create extension if not exists plpgsql_check with schema extensions';
  end if;
end
$$;

grant usage on schema extensions to anon, authenticated, service_role, supabase_auth_admin;
grant usage on schema public to anon, authenticated, service_role;
revoke create on schema public from public;

create schema if not exists auth authorization supabase_auth_admin;
create schema if not exists storage authorization supabase_storage_admin;
create schema if not exists realtime;
grant usage on schema auth, storage to anon, authenticated, service_role, postgres;

-- One history table for the Supabase CLI and for lite, which adds the last three columns.
create schema if not exists supabase_migrations authorization supabase_migrations_admin;
create table if not exists supabase_migrations.schema_migrations (
  version text not null primary key,
  statements text[],
  name text,
  created_by text,
  idempotency_key text,
  rollback text[]
);
alter table supabase_migrations.schema_migrations owner to supabase_migrations_admin;

-- At its first storage request lite looks for row level security in pg_class and grants
-- everything in each schema that has it to the API roles. Its search_path finds this view before
-- the catalog: it learns of storage alone, where hosted has the same grants and policies decide.
create schema if not exists lite;
create or replace view lite.pg_class as
select c.*
from pg_catalog.pg_class as c
where not c.relrowsecurity or c.relnamespace = 'storage'::regnamespace;
grant usage on schema lite to supabase_lite;
grant select on lite.pg_class to supabase_lite;
