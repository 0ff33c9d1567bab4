-- The roles of a hosted Supabase project, so that the same migrations run on both.
-- Applied by a superuser; cluster-wide, safe to repeat. Passwords are set by the caller.
-- The setting takt.foreign_roles (text[]) names roles that are not ours: they are never altered,
-- and it is an error when one does not fit.

do $$
declare
  v_foreign text[] := coalesce(nullif(current_setting('takt.foreign_roles', true), ''), '{}');
  v_role text;
  v_attributes text;
  v_found pg_catalog.pg_roles;
begin
  -- Roles belong to the whole cluster: two databases may be prepared at the same time.
  perform pg_advisory_xact_lock(hashtext('takt.platform.roles'));
  for v_role, v_attributes in values
    -- As hosted: strong, but no superuser.
    ('postgres', 'login createrole createdb replication bypassrls nosuperuser'),
    ('anon', 'nologin noinherit'),
    ('authenticated', 'nologin noinherit'),
    ('service_role', 'nologin noinherit bypassrls'),
    ('authenticator', 'login noinherit'),
    ('supabase_auth_admin', 'login noinherit'),
    ('supabase_storage_admin', 'nologin noinherit'),
    ('supabase_realtime_admin', 'nologin noinherit'),
    -- Owns the migration history, which both the Supabase CLI and lite insist on altering.
    ('supabase_migrations_admin', 'nologin'),
    -- lite signs in as this role. It owns nothing in public, so the blanket grants that lite
    -- issues once it sees row level security cannot open a table of ours.
    ('supabase_lite', 'login inherit')
  loop
    if v_role <> all (v_foreign) then
      if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
        execute format('create role %I', v_role);
      end if;
      execute format('alter role %I %s', v_role, v_attributes);
      continue;
    end if;
    select * into v_found from pg_catalog.pg_roles where rolname = v_role;
    continue when v_role = 'postgres' and v_found.rolsuper;
    if v_found.rolsuper or v_found.rolbypassrls <> (v_attributes ~ 'bypassrls') then
      raise exception 'The server has a role % of its own, which Takt does not alter and which '
        'does not fit: run `alter role % nosuperuser %`, or use another server.', v_role, v_role,
        case when v_attributes ~ 'bypassrls' then 'bypassrls' else 'nobypassrls' end;
    end if;
  end loop;
end
$$;

do $$
declare
  v_foreign text[] := coalesce(nullif(current_setting('takt.foreign_roles', true), ''), '{}');
  v_role text;
  v_setting text;
begin
  for v_role, v_setting in values
    ('anon', 'statement_timeout = ''3s'''),
    ('authenticated', 'statement_timeout = ''8s'''),
    ('service_role', 'statement_timeout = ''60s'''),
    ('authenticator', 'statement_timeout = ''8s'''),
    ('authenticator', 'lock_timeout = ''8s'''),
    ('postgres', 'search_path = "$user", public, extensions'),
    -- lite reads pg_class to find tables with row level security; schemas.sql shows it none.
    ('supabase_lite', 'search_path = lite, pg_catalog, public'),
    ('supabase_lite', 'statement_timeout = ''15s''')
  loop
    continue when v_role = any (v_foreign);
    execute format('alter role %I set %s', v_role, v_setting);
  end loop;
end
$$;

do $$
declare
  v_foreign text[] := coalesce(nullif(current_setting('takt.foreign_roles', true), ''), '{}');
  v_groups text[];
  v_group text;
  v_role text;
  v_option text;
begin
  for v_groups, v_role, v_option in values
    (array['anon', 'authenticated', 'service_role'], 'authenticator', ''),
    (array['anon', 'authenticated', 'service_role', 'supabase_auth_admin',
      'supabase_storage_admin', 'supabase_migrations_admin'], 'supabase_lite', ''),
    (array['anon', 'authenticated', 'service_role', 'authenticator'], 'postgres',
      'with admin option'),
    -- Policies on storage.objects and realtime.messages come from migrations; only an owner may
    -- create them (hosted allows it through an extension that is not in a plain Postgres).
    (array['supabase_migrations_admin', 'supabase_storage_admin', 'supabase_realtime_admin',
      'pg_monitor', 'pg_read_all_data', 'pg_signal_backend'], 'postgres', '')
  loop
    foreach v_group in array v_groups loop
      if v_role = any (v_foreign) then
        continue when pg_has_role(v_role, v_group, 'member');
        -- Joining a role that was made just now opens nothing else to its new member.
        if v_group = any (v_foreign) then
          raise exception 'The server has a role % of its own, which Takt does not alter and '
            'which does not fit: run `grant % to % %`, or use another server.',
            v_role, v_group, v_role, v_option;
        end if;
      end if;
      execute format('grant %I to %I %s', v_group, v_role, v_option);
    end loop;
  end loop;
end
$$;
