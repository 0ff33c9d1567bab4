-- Who may call the main RPCs, and how every function is built.
begin;
set local search_path = extensions, pg_catalog;
select plan(20);

select function_privs_are('public', 'complete_filling', array['text', 'text', 'uuid'], 'authenticated', array['EXECUTE']);
select function_privs_are('public', 'complete_filling', array['text', 'text', 'uuid'], 'anon', array[]::text[]);
select function_privs_are('public', 'complete_filling', array['text', 'text', 'uuid'], 'service_role', array[]::text[]);
select function_privs_are('public', 'scan', array['text', 'text', 'uuid', 'text'], 'authenticated', array['EXECUTE']);
select function_privs_are('public', 'scan', array['text', 'text', 'uuid', 'text'], 'anon', array[]::text[]);
select function_privs_are('public', 'bootstrap_admin', array['uuid', 'text', 'text'], 'service_role', array['EXECUTE']);
select function_privs_are('public', 'bootstrap_admin', array['uuid', 'text', 'text'], 'authenticated', array[]::text[]);
select function_privs_are('public', 'claim_work', array['text', 'text[]', 'integer', 'integer'], 'service_role', array['EXECUTE']);
select function_privs_are('public', 'claim_work', array['text', 'text[]', 'integer', 'integer'], 'authenticated', array[]::text[]);
select function_privs_are('private', 'authorize', array['text', 'text', 'text'], 'authenticated', array[]::text[]);
select function_privs_are('private', 'may', array['text'], 'authenticated', array['EXECUTE']);
select function_privs_are('private', 'may', array['text'], 'anon', array[]::text[]);

select is_definer('public', 'complete_filling', array['text', 'text', 'uuid']);
select isnt_definer('private', 'complete_stage', array['public.orders', 'public.stage_type', 'uuid', 'text', 'text']);
select volatility_is('public', 'get_order_for_scan', array['text'], 'stable');

select is_empty($$
  select p.oid::regprocedure from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
   where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace) and a.grantee in (0, 'anon'::regrole)
     and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
     and not (a.grantee = 'anon'::regrole and p.proname in ('get_report_form', 'report_problem', 'may_attach'))
$$, 'anon calls nothing but what the QR code of a machine opens, PUBLIC nothing');
select is_empty($$
  select p.oid::regprocedure from pg_proc p
   where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace) and not ('search_path=""' = any (coalesce(p.proconfig, '{}')))
     and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
$$, 'every function pins an empty search_path');
select is_empty($$
  select p.proname from pg_proc p where p.pronamespace = 'public'::regnamespace
     and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e') group by p.proname having count(*) > 1
$$, 'no RPC is overloaded');
select is_empty($$
  select p.proname from pg_proc p where p.pronamespace = 'public'::regnamespace
     and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
     and coalesce(obj_description(p.oid, 'pg_proc'), '') !~ 'Permission: '
$$, 'every RPC says whom it obeys');
select is_empty($$
  select p.oid::regprocedure from pg_proc p where p.pronamespace = 'private'::regnamespace
     and p.prorettype = 'trigger'::regtype and has_function_privilege('authenticated', p.oid, 'execute')
$$, 'nobody calls a trigger function');

select * from finish();
rollback;
