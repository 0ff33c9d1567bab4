-- The exact policies of the main tables.
begin;
set local search_path = extensions, pg_catalog;
select plan(25);

select policies_are('public', 'orders', array['select_store']);
select policies_are('public', 'events', array['select_store']);
select policies_are('public', 'settings', array['select_scope']);
select policies_are('public', 'staff_shared', array['select_active']);
select policies_are('public', 'devices', array['select_active']);
select policies_are('public', 'work_queue', array['select_active']);
select policies_are('public', 'role_permissions', array['select_active']);
select policies_are('public', 'shop_tokens', array['select_store']);
select policies_are('private', 'commands', array[]::name[], 'nobody reads idempotency keys');
select policies_are('private', 'shop_secrets', array[]::name[], 'nobody reads secrets');
select policies_are('private', 'staff_secrets', array[]::name[], 'nobody reads PINs and badges');
select policies_are('private', 'device_enrolments', array[]::name[], 'nobody reads enrolment codes');

select policy_cmd_is('public'::name, 'orders'::name, 'select_store'::name, 'select', 'orders are only read');
select policy_cmd_is('public'::name, 'events'::name, 'select_store'::name, 'select', 'events are only read');
select policy_cmd_is('public'::name, 'staff_shared'::name, 'select_active'::name, 'select', 'staff are only read');
select policy_roles_are('public', 'orders', 'select_store', array['authenticated']);
select policy_roles_are('public', 'events', 'select_store', array['authenticated']);
select policy_roles_are('public', 'staff_shared', 'select_active', array['authenticated']);

select table_privs_are('public', 'orders', 'authenticated', array['SELECT']);
select table_privs_are('public', 'orders', 'anon', array[]::text[]);
select table_privs_are('public', 'orders', 'service_role', array[]::text[]);
select table_privs_are('public', 'events', 'authenticated', array['SELECT']);
select table_privs_are('private', 'shop_secrets', 'authenticated', array[]::text[]);

select is_empty($$
  select polrelid::regclass, polname from pg_policy p join pg_class c on c.oid = p.polrelid
   where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace) and polcmd <> 'r'
$$, 'there is no write policy');
select is_empty($$
  select polrelid::regclass, polname from pg_policy p join pg_class c on c.oid = p.polrelid
   where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace) and polroles <> array['authenticated'::regrole::oid]
$$, 'every policy is for authenticated');

select * from finish();
rollback;
