-- What the catalog alone can prove. One row = one finding (chk, object, detail); no rows = clean.
-- Read-only, needs no extension, runs on PostgreSQL 15 and later. `reviewed` names the findings that a person has
-- judged, each with a reason; a review whose finding is gone is a finding itself (Z01).
with cfg as (
  select
    array['public']::text[] as exposed,                      -- equals PostgREST's db-schemas
    array['private']::text[] as private_,                    -- never exposed
    array['anon', 'authenticated']::text[] as api_roles,
    array['postgres']::text[] as creators,                   -- roles that run migrations
    array['postgres']::text[] as definer_owners,             -- on Supabase it bypasses RLS, but is no superuser
    -- The guards look the caller up and refuse. may and readable_stores answer by what identify or listener found.
    'private\.(authorize|begin_order|begin_family|begin_floor|find_production|begin_production|begin_run|begin_unit|begin_box|begin_stop|begin_repair|begin_report|stores_asked|identify|listener|readable_sites)\s*\('::text as guard_re
), reviewed (chk, object, reason) as (values
  ('F02', 'public.get_report_form(text)', 'the QR code of a machine needs no account: begin_report refuses every other token'),
  ('F02', 'public.report_problem(text,text,text,boolean,text,text,uuid)', 'the same; so many an hour per machine and per address'),
  ('F02', 'private.may_attach(text)', 'for the policy on storage.objects: true only for a path that report_problem made within the hour'),
  ('F05', 'private.standing_since(text,timestamp with time zone)', 'for the view machine_status: of the machines that row level security shows the caller'),
  ('F09', 'private.create_store_view(text)', 'DDL cannot take parameters; the name is quoted with %I, the value with %L, and stores.code has a check'),
  ('F09', 'private.ensure_event_partitions(timestamp with time zone)', 'DDL cannot take parameters; names come from a date, quoted with %I'),
  ('F09', 'private.tick(timestamp with time zone)', 'runs functions of schema private by name (%I) from a table no API role can write'),
  ('F09', 'private.put_secret(text,text,text)', 'Vault is not everywhere; the statement is a literal, its value a parameter'),
  ('F09', 'private.drop_secret(text,text,integer)', 'Vault is not everywhere; the statement is a literal, its value a parameter'),
  ('F09', 'private.read_secret(shop_secrets)', 'Vault is not everywhere; the statement is a literal, its value a parameter'),
  ('F11', 'private.with_fields(orders,jsonb)', 'the object is built by the merge from what the rules extracted; its keys are ours, not the shop''s'),
  ('F11', 'private.with_item_fields(inventory_items,jsonb)', 'takes only the listed keys out of the object'),
  ('F11', 'private.with_changes(orders,jsonb)', 'takes only the listed keys out of the object, never a floor field'),
  ('F11', 'private.undo_event(text,bigint,uuid)', 'the object is an own event, written by save_order and append-only')
), ns as (
  select n.oid, n.nspname, n.nspname = any (c.exposed) as is_exposed
    from pg_namespace n cross join cfg c
   where n.nspname = any (c.exposed) or n.nspname = any (c.private_)
), r as (   -- the API roles, and PUBLIC as oid 0
  select x.oid, x.rolname::text as role from pg_roles x, cfg where x.rolname = any (cfg.api_roles)
  union all select 0, 'PUBLIC'
), rel as (
  select c.*, ns.nspname, ns.is_exposed, format('%I.%I', ns.nspname, c.relname) as name
    from pg_class c join ns on ns.oid = c.relnamespace
   where not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
), fn as (
  select p.*, ns.nspname, ns.is_exposed,
    -- Spelled out, so that the name does not depend on who asks with which search_path.
    format('%I.%I(%s)', ns.nspname, p.proname, (
      select string_agg(case when t.typname like '\_%' then e.typname || '[]' when tn.nspname = 'pg_catalog' then format_type(t.oid, null)
        else t.typname end, ',' order by a.n)
        from unnest(p.proargtypes) with ordinality as a (type, n) join pg_type t on t.oid = a.type
        join pg_namespace tn on tn.oid = t.typnamespace left join pg_type e on e.oid = t.typelem)) as sig,
    (select substr(s, 13) from unnest(p.proconfig) s where s like 'search\_path=%') as search_path,
    regexp_replace(regexp_replace(pg_get_functiondef(p.oid), '--[^\n]*', '', 'g'), '/\*.*?\*/', '', 'g') as src
    from pg_proc p join ns on ns.oid = p.pronamespace
   where p.prokind in ('f', 'p')
     and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
), relacl as (
  select rel.oid, rel.name, rel.relkind, a.grantee, a.privilege_type from rel, lateral aclexplode(rel.relacl) a
), colacl as (
  select rel.name, at.attname, a.grantee, a.privilege_type
    from rel join pg_attribute at on at.attrelid = rel.oid and at.attacl is not null, lateral aclexplode(at.attacl) a
), fnacl as (
  select fn.oid, a.grantee, a.privilege_type from fn, lateral aclexplode(coalesce(fn.proacl, acldefault('f', fn.proowner))) a
), pol as (
  select po.*, rel.name || ' / ' || po.polname as name, coalesce(pg_get_expr(po.polqual, po.polrelid), '') || ' '
    || coalesce(pg_get_expr(po.polwithcheck, po.polrelid), '') as expr
    from pg_policy po join rel on rel.oid = po.polrelid
), finding (chk, what, object, detail) as (
  -- Tables and views
  select 'T01', 'row level security is off', name, 'enable RLS' from rel where relkind in ('r', 'p') and not relrowsecurity
  union all select 'T02', 'API role can write a table', name, r.role || ':' || string_agg(privilege_type, ',')
    from relacl join r on r.oid = grantee where relkind in ('r', 'p', 'v', 'f', 'm') and privilege_type <> 'SELECT' group by name, r.role
  union all select 'T03', 'API role can write a column', name || '.' || attname, r.role || ':' || privilege_type
    from colacl join r on r.oid = grantee where privilege_type <> 'SELECT'
  union all select 'T04', 'anon or PUBLIC can read', name, r.role
    from relacl join r on r.oid = grantee where r.role in ('anon', 'PUBLIC') and privilege_type = 'SELECT'
  union all select 'T05', 'API role can use a sequence', name, r.role || ':' || privilege_type
    from relacl join r on r.oid = grantee where relkind = 'S'
  union all select 'V01', 'exposed view is not security_invoker', name, '' from rel where relkind = 'v' and is_exposed
    and not coalesce(reloptions::text ~* 'security_invoker=(true|on|1|yes)', false)
  union all select 'V02', 'materialized view or foreign table in an exposed schema', name, relkind::text
    from rel where relkind in ('m', 'f') and is_exposed
  -- Policies
  union all select 'P01', 'write policy (writes go through RPCs)', name, polcmd::text
    from pol where polcmd <> 'r' and polroles && (select array_agg(oid) from r)
  union all select 'P02', 'policy to PUBLIC or anon', name, '' from pol
    where 0 = any (polroles) or exists (select from pg_roles x where x.oid = any (polroles) and x.rolname = 'anon')
  union all select 'P03', 'policy reads user_metadata', name, '' from pol where expr ~* 'user_meta_?data'
  union all select 'P04', 'policy calls a function per row (not an initplan)', name, expr from pol
    where regexp_replace(expr, '\(\s*SELECT[^()]*(\([^()]*(\([^()]*\)[^()]*)*\)[^()]*)*\)', '', 'gi')
      ~* '(auth\.(uid|jwt|role|email)|current_setting|private\.[a-z_]+)\s*\('
  union all select 'P05', 'granted, but no permissive select policy', x.name, string_agg(distinct r.role, ',')
    from relacl x join r on r.oid = x.grantee join rel on rel.oid = x.oid and rel.relrowsecurity
   where x.privilege_type = 'SELECT' and rel.relkind in ('r', 'p')
     and not exists (select from pol where pol.polrelid = x.oid and pol.polcmd in ('r', '*') and pol.polpermissive) group by x.name
  -- Functions
  union all select 'F01', 'function executable by PUBLIC', sig, '' from fn
    where exists (select from fnacl a where a.oid = fn.oid and a.grantee = 0)
  union all select 'F02', 'function executable by anon', sig, '' from fn
    where exists (select from fnacl a join pg_roles x on x.oid = a.grantee where a.oid = fn.oid and x.rolname = 'anon')
  union all select 'F03', 'search_path is not empty', sig, coalesce(search_path, '(unset)') from fn
    where coalesce(search_path, '?') not in ('""', '')
  union all select 'F04', 'definer with a privileged or unexpected owner', sig, o.rolname from fn join pg_roles o on o.oid = proowner, cfg
    where prosecdef and (o.rolsuper or not o.rolname = any (cfg.definer_owners))
  union all select 'F05', 'definer RPC without a guard', sig, '' from fn, cfg
    where prosecdef and prorettype <> 'trigger'::regtype and src !~* cfg.guard_re
      and exists (select from fnacl a where a.oid = fn.oid and a.grantee <> fn.proowner)
  union all select 'F06', 'trigger function executable by an API role', sig, r.role from fn join fnacl a on a.oid = fn.oid
    join r on r.oid = a.grantee where prorettype in ('trigger'::regtype, 'event_trigger'::regtype)
  union all select 'F07', 'overloaded name in an exposed schema', format('%I.%I', nspname, proname), count(*)::text
    from fn where is_exposed group by nspname, proname having count(*) > 1
  union all select 'F08', 'unnamed argument in an exposed schema', sig, '' from fn where is_exposed and prorettype <> 'trigger'::regtype
    and pronargs > 0 and (proargnames is null or '' = any (proargnames[1:pronargs]))
  union all select 'F09', 'dynamic SQL', sig, (regexp_match(src, '\mexecute\M[^;]{0,80}', 'i'))[1] from fn
    where src ~* '\mexecute\M\s+(?!function|procedure|on\M)'
  union all select 'F10', 'raises a retryable SQLSTATE', sig, '' from fn
    where src ~* '(''40001''|''40P01''|raise[^;]*\m(serialization_failure|deadlock_detected)\M)'
  union all select 'F11', 'mass assignment', sig, '' from fn   -- into a null record it only reads back a stored answer
    where regexp_replace(src, 'jsonb?_populate_record(set)?\s*\(\s*null::', '', 'gi') ~* 'jsonb?_populate_record(set)?|jsonb?_to_record(set)?'
  -- `do update set role = …` is a column, not a session.
  union all select 'F12', 'tampers with role or session, or reaches the host', sig, '' from fn where src ~*
    '(set_config\s*\(\s*''(role|session_authorization|request\.|row_security|session_replication_role)|(?<!update )\mset\s+(local\s+|session\s+)?(role|session authorization|row_security|session_replication_role)\M|pg_read_(binary_)?file|pg_ls_dir|\mdblink|lo_import|lo_export|\mcopy\M[^;]*\mprogram\M)'
  union all select 'F13', 'untrusted language', sig, l.lanname from fn join pg_language l on l.oid = fn.prolang
    where not l.lanpltrusted and l.lanname <> 'internal'
  union all select 'F14', 'volatile reader', sig, 'could be stable' from fn where is_exposed and provolatile = 'v' and not prosecdef
    and prorettype <> 'trigger'::regtype and prolang = (select oid from pg_language where lanname = 'plpgsql')
    and prosrc !~* '\m(insert|update|delete|merge|perform|nextval|set_config|pg_notify|lock|call)\M'
  -- Defaults, schemas, roles
  union all select 'D01', 'default ACL opens new objects', pg_get_userbyid(defaclrole) || ' in '
      || coalesce(nullif(defaclnamespace, 0)::regnamespace::text, '*'), defaclobjtype::text || ' -> ' || r.role
    from pg_default_acl d, lateral aclexplode(d.defaclacl) a join r on r.oid = a.grantee
   where pg_get_userbyid(defaclrole) = any (select unnest(creators) from cfg)
     and (defaclnamespace = 0 or defaclnamespace in (select oid from ns))
  union all select 'D02', 'new functions are executable by PUBLIC', c.creator, 'revoke it in the global form' from (select unnest(creators) as creator from cfg) c
    where not exists (select from pg_default_acl d
      where d.defaclnamespace = 0 and d.defaclobjtype = 'f' and pg_get_userbyid(d.defaclrole) = c.creator)
  union all select 'S01', 'API role can create in a schema', n.nspname, r.role from pg_namespace n, lateral aclexplode(n.nspacl) a
    join r on r.oid = a.grantee where a.privilege_type = 'CREATE' and n.nspname !~ '^pg_temp'
  union all select 'S02', 'anon or PUBLIC may use a private schema', ns.nspname, r.role from ns join pg_namespace n on n.oid = ns.oid,
    lateral aclexplode(n.nspacl) a join r on r.oid = a.grantee where not ns.is_exposed and r.role in ('anon', 'PUBLIC')
  union all select 'R01', 'API role with a dangerous attribute', rolname, '' from pg_roles, cfg where rolname = any (api_roles)
    and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication or rolcanlogin)
  union all select 'R02', 'API role is a member of another role', m.rolname, g.rolname from pg_auth_members am
    join pg_roles m on m.oid = am.member join pg_roles g on g.oid = am.roleid, cfg where m.rolname = any (api_roles)
  union all select 'R03', 'authenticator inherits or bypasses RLS', rolname, '' from pg_roles
    where rolname = 'authenticator' and (rolinherit or rolbypassrls or rolsuper)
  union all select 'R04', 'API role without statement_timeout', rolname, '' from pg_roles, cfg where rolname = any (api_roles)
    and not exists (select from unnest(rolconfig) x where x like 'statement_timeout=%')
  -- The rest
  union all select 'G01', 'disabled trigger', rel.name || '.' || tgname, tgenabled::text from pg_trigger t join rel on rel.oid = t.tgrelid
    where not tgisinternal and tgenabled not in ('O', 'A')
  union all select 'K01', 'foreign key cascades out of auth', rel.name || '.' || conname, fn.nspname from pg_constraint c
    join rel on rel.oid = c.conrelid join pg_class f on f.oid = c.confrelid join pg_namespace fn on fn.oid = f.relnamespace
   where contype = 'f' and fn.nspname = 'auth' and confdeltype in ('c', 'n', 'd')
  union all select 'K02', 'constraint is not validated', rel.name || '.' || conname, contype::text
    from pg_constraint c join rel on rel.oid = c.conrelid where not convalidated
  union all select 'I01', 'invalid index', x.relname, rel.name from pg_index i join rel on rel.oid = i.indrelid
    join pg_class x on x.oid = i.indexrelid where not indisvalid
  union all select 'E01', 'extension in an exposed schema', e.extname, n.nspname from pg_extension e
    join pg_namespace n on n.oid = e.extnamespace, cfg where n.nspname = any (cfg.exposed)
  union all select 'U01', 'publication for all tables', pubname, '' from pg_publication where puballtables
)
select f.chk || ' ' || f.what as chk, f.object::text, f.detail::text from finding f
 where not exists (select from reviewed v where v.chk = f.chk and v.object = f.object)
union all
select 'Z01 review without a finding', v.chk || ' ' || v.object, v.reason from reviewed v
 where not exists (select from finding f where f.chk = v.chk and f.object = v.object)
order by 1, 2, 3;
