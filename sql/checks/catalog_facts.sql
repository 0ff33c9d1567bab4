-- What a database is, as sorted facts (kind, name, fact): two builds of the schema are equal when these rows are.
-- Columns count by name, not by place; an access list counts by what it grants. Rows are those of a fresh build (seeds),
-- as hashes, without the columns whose default is the clock or a random number. Run it with search_path = ''.
with ns as (
  select n.* from pg_catalog.pg_namespace n
   where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'supabase_migrations')
), member as (
  select d.classid, d.objid from pg_catalog.pg_depend d where d.deptype = 'e'
), rel as (
  select c.*, n.nspname, n.nspname || '.' || c.relname as name
    from pg_catalog.pg_class c join ns n on n.oid = c.relnamespace
   where not exists (select from member m where m.classid = 'pg_catalog.pg_class'::regclass and m.objid = c.oid)
), fn as (
  select p.*, p.oid::regprocedure::text as name
    from pg_catalog.pg_proc p join ns n on n.oid = p.pronamespace
   where not exists (select from member m where m.classid = 'pg_catalog.pg_proc'::regclass and m.objid = p.oid)
), ty as (
  select t.*, n.nspname || '.' || t.typname as name
    from pg_catalog.pg_type t join ns n on n.oid = t.typnamespace
   where (t.typtype in ('e', 'd', 'r') or t.typtype = 'c' and exists (
       select from pg_catalog.pg_class c where c.oid = t.typrelid and c.relkind = 'c'))
     and not exists (select from member m where m.classid = 'pg_catalog.pg_type'::regclass and m.objid = t.oid)
), acl (kind, name, items, fallback) as (
  select 'schema', n.nspname::text, n.nspacl, pg_catalog.acldefault('n', n.nspowner) from ns n
  union all
  select case r.relkind when 'S' then 'sequence' else 'relation' end, r.name, r.relacl,
    pg_catalog.acldefault(case r.relkind when 'S' then 's'::"char" else 'r' end, r.relowner)
    from rel r where r.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  union all
  select 'column', r.name || '.' || a.attname, a.attacl, null
    from rel r join pg_catalog.pg_attribute a on a.attrelid = r.oid where a.attacl is not null
  union all
  select 'function', f.name, f.proacl, pg_catalog.acldefault('f', f.proowner) from fn f
  union all
  select 'type', t.name, t.typacl, pg_catalog.acldefault('T', t.typowner) from ty t
), seeded as (
  select r.name, format(
      'select to_jsonb(t) - %L::text[] as r from %I.%I t', array(
        select a.attname from pg_catalog.pg_attribute a
          join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
         where a.attrelid = r.oid and pg_catalog.pg_get_expr(d.adbin, d.adrelid)
           ~ '(now|gen_random_uuid|clock_timestamp|pg_current_xact_id)\(|CURRENT_TIMESTAMP'
         union all
        select a.attname from pg_catalog.pg_attribute a where a.attrelid = r.oid and a.attidentity <> ''),
      r.nspname, r.relname) as query
    from rel r
   where r.relkind in ('r', 'p') and not r.relispartition
     and (r.nspname in ('public', 'private') or r.name = 'storage.buckets')
), facts (kind, name, fact) as (
  select 'owner of schema', n.nspname::text, pg_catalog.pg_get_userbyid(n.nspowner)::text from ns n
  union all
  select a.kind || ' access', a.name || ' to ' || case e.grantee when 0 then 'public' else pg_catalog.pg_get_userbyid(e.grantee) end,
    string_agg(e.privilege_type || case when e.is_grantable then '*' else '' end, ',' order by e.privilege_type)
    from acl a, pg_catalog.aclexplode(coalesce(a.items, a.fallback)) e
   group by a.kind, a.name, e.grantee
  union all
  select 'relation', r.name, format('%s owner=%s persistence=%s options=%s rls=%s forced=%s identity=%s part=%s of=%s bound=%s',
    r.relkind, pg_catalog.pg_get_userbyid(r.relowner), r.relpersistence, r.reloptions, r.relrowsecurity, r.relforcerowsecurity,
    r.relreplident, case when r.relkind = 'p' then pg_catalog.pg_get_partkeydef(r.oid) end,
    (select string_agg(i.inhparent::regclass::text, ',' order by i.inhparent::regclass::text)
       from pg_catalog.pg_inherits i where i.inhrelid = r.oid),
    pg_catalog.pg_get_expr(r.relpartbound, r.oid))
    from rel r where r.relkind in ('r', 'p', 'v', 'm', 'f')
  union all
  select 'view', r.name, pg_catalog.pg_get_viewdef(r.oid) from rel r where r.relkind in ('v', 'm')
  union all
  select 'column', r.name || '.' || a.attname, format('%s null=%s default=%s identity=%s generated=%s collation=%s storage=%s place=%s',
    pg_catalog.format_type(a.atttypid, a.atttypmod), not a.attnotnull, pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attidentity,
    a.attgenerated, nullif(a.attcollation, 0)::regcollation, a.attstorage,
    -- The order of attributes counts where rows are written by place: in composite types and views.
    case when r.relkind in ('c', 'v', 'm') then a.attnum end)
    from rel r join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
   where r.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
  union all
  select 'sequence', r.name, format('%s start=%s by=%s min=%s max=%s cache=%s cycle=%s owner=%s of=%s', s.seqtypid::regtype, s.seqstart,
    s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle, pg_catalog.pg_get_userbyid(r.relowner),
    (select d.refobjid::regclass || '.' || a.attname from pg_catalog.pg_depend d
       join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
      where d.objid = r.oid and d.classid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i')))
    from rel r join pg_catalog.pg_sequence s on s.seqrelid = r.oid
  union all
  select 'constraint', coalesce(r.name, c.contypid::regtype::text) || ' ' || c.conname, pg_catalog.pg_get_constraintdef(c.oid)
      || case when c.convalidated then '' else ' not valid' end
    from pg_catalog.pg_constraint c join ns n on n.oid = c.connamespace left join rel r on r.oid = c.conrelid
   where c.conrelid = 0 or r.oid is not null
  union all
  select 'index', i.indexrelid::regclass::text, pg_catalog.pg_get_indexdef(i.indexrelid)
      || format(' valid=%s clustered=%s', i.indisvalid, i.indisclustered)
    from pg_catalog.pg_index i join rel r on r.oid = i.indrelid where r.relkind <> 't'
  union all
  select 'function', f.name, format('owner=%s %s', pg_catalog.pg_get_userbyid(f.proowner),
    case when f.prokind in ('f', 'p', 'w') then pg_catalog.pg_get_functiondef(f.oid)
      else f.prokind::text || pg_catalog.pg_get_function_result(f.oid) end) from fn f
  union all
  select 'trigger', r.name || ' ' || t.tgname, pg_catalog.pg_get_triggerdef(t.oid) || ' enabled=' || t.tgenabled::text
    from pg_catalog.pg_trigger t join rel r on r.oid = t.tgrelid where not t.tgisinternal
  union all
  select 'policy', r.name || ' ' || p.polname, format('%s permissive=%s to=%s using=(%s) check=(%s)', p.polcmd, p.polpermissive,
    array(select case x when 0 then 'public' else pg_catalog.pg_get_userbyid(x) end from unnest(p.polroles) x order by 1),
    pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
    from pg_catalog.pg_policy p join rel r on r.oid = p.polrelid
  union all
  select 'rule', r.name || ' ' || w.rulename, pg_catalog.pg_get_ruledef(w.oid)
    from pg_catalog.pg_rewrite w join rel r on r.oid = w.ev_class where w.rulename <> '_RETURN'
  union all
  select 'type', t.name, format('%s owner=%s base=%s null=%s default=%s labels=%s', t.typtype, pg_catalog.pg_get_userbyid(t.typowner),
    nullif(t.typbasetype, 0)::regtype, not t.typnotnull, t.typdefault,
    array(select e.enumlabel from pg_catalog.pg_enum e where e.enumtypid = t.oid order by e.enumsortorder)) from ty t
  union all
  select 'default access', format('%s in %s for %s to %s', pg_catalog.pg_get_userbyid(d.defaclrole),
      nullif(d.defaclnamespace, 0)::regnamespace, d.defaclobjtype, case e.grantee when 0 then 'public' else pg_catalog.pg_get_userbyid(e.grantee) end),
    string_agg(e.privilege_type, ',' order by e.privilege_type)
    from pg_catalog.pg_default_acl d left join lateral pg_catalog.aclexplode(d.defaclacl) e on true
   group by d.defaclrole, d.defaclnamespace, d.defaclobjtype, e.grantee
  union all
  select 'extension', e.extname::text, e.extversion || ' in ' || e.extnamespace::regnamespace from pg_catalog.pg_extension e
  union all
  select 'publication', p.pubname::text, format('all=%s %s%s%s%s tables=%s', p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete,
    p.pubtruncate, array(select x.prrelid::regclass::text from pg_catalog.pg_publication_rel x where x.prpubid = p.oid order by 1))
    from pg_catalog.pg_publication p
  union all
  select 'event trigger', e.evtname::text, format('%s %s tags=%s enabled=%s', e.evtevent, e.evtfoid::regprocedure, e.evttags, e.evtenabled)
    from pg_catalog.pg_event_trigger e
  union all
  select 'statistics', s.stxnamespace::regnamespace || '.' || s.stxname, pg_catalog.pg_get_statisticsobjdef(s.oid)
    from pg_catalog.pg_statistic_ext s
  union all
  select 'comment', case d.classoid
      when 'pg_catalog.pg_class'::regclass then 'relation ' || d.objoid::regclass || coalesce('.' || (
        select a.attname from pg_catalog.pg_attribute a where a.attrelid = d.objoid and a.attnum = d.objsubid and d.objsubid > 0), '')
      when 'pg_catalog.pg_proc'::regclass then 'function ' || d.objoid::regprocedure
      when 'pg_catalog.pg_type'::regclass then 'type ' || d.objoid::regtype
      else pg_catalog.pg_describe_object(d.classoid, d.objoid, d.objsubid) end, d.description
    from pg_catalog.pg_description d
    cross join lateral pg_catalog.pg_identify_object(d.classoid, d.objoid, d.objsubid) i
   where d.objoid >= 16384 and coalesce(i.schema, '') not in ('supabase_migrations')
  union all
  select 'row', s.name || ' ' || left(x.doc, 80), md5(x.doc)
    from seeded s cross join lateral (
      select unnest(pg_catalog.xpath('/table/row/r/text()', pg_catalog.query_to_xml(s.query, false, false, '')))::text as doc) x
)
select f.kind, f.name, f.fact from facts f order by f.kind collate "C", f.name collate "C", f.fact collate "C";
