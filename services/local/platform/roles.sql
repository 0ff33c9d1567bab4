-- The roles of a hosted Supabase project, so that the same migrations run on both.
-- Applied as supabase_admin; cluster-wide, safe to repeat. Passwords are set by the caller.

do $$
declare
  v_role text;
begin
  -- Roles belong to the whole cluster: two databases may be prepared at the same time.
  perform pg_advisory_xact_lock(hashtext('takt.platform.roles'));
  foreach v_role in array array[
    'postgres', 'anon', 'authenticated', 'service_role', 'authenticator',
    'supabase_auth_admin', 'supabase_storage_admin', 'supabase_realtime_admin',
    'supabase_migrations_admin', 'supabase_lite'
  ] loop
    if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
      execute format('create role %I nologin', v_role);
    end if;
  end loop;

  -- As hosted: strong, but no superuser.
  alter role postgres login createrole createdb replication bypassrls nosuperuser;
  alter role anon nologin noinherit;
  alter role authenticated nologin noinherit;
  alter role service_role nologin noinherit bypassrls;
  alter role authenticator login noinherit;
  alter role supabase_auth_admin login noinherit;
  alter role supabase_storage_admin nologin noinherit;
  alter role supabase_realtime_admin nologin noinherit;
  -- Owns the migration history, which both the Supabase CLI and lite insist on altering.
  alter role supabase_migrations_admin nologin;
  -- lite signs in as this role. It owns nothing in public, so the blanket grants that lite
  -- issues once it sees row level security cannot open a table of ours.
  alter role supabase_lite login inherit;

  alter role anon set statement_timeout = '3s';
  alter role authenticated set statement_timeout = '8s';
  alter role service_role set statement_timeout = '60s';
  alter role authenticator set statement_timeout = '8s';
  alter role authenticator set lock_timeout = '8s';
  alter role postgres set search_path = "$user", public, extensions;
  -- lite reads pg_class to find tables with row level security; schemas.sql shows it none.
  alter role supabase_lite set search_path = lite, pg_catalog, public;

  grant anon, authenticated, service_role to authenticator;
  grant anon, authenticated, service_role to supabase_lite;
  grant supabase_auth_admin, supabase_storage_admin to supabase_lite;
  grant supabase_migrations_admin to supabase_lite, postgres;
  grant anon, authenticated, service_role, authenticator to postgres with admin option;
  grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;
  -- Policies on storage.objects and realtime.messages come from migrations; only an owner may
  -- create them (hosted allows it through an extension that is not in a plain Postgres).
  grant supabase_storage_admin, supabase_realtime_admin to postgres;
end
$$;
