create function public.upsert_variant(
  p_code text, p_title text default null, p_product_code text default null, p_sku text default null, p_language_set text default null,
  p_is_active boolean default null, p_version integer default null, p_request_id uuid default null)
returns public.product_variants language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.plan');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'upsert_variant',
    jsonb_build_array(p_code, p_title, p_product_code, p_sku, p_language_set, p_is_active, p_version));
  v_old public.product_variants;
  v_variant public.product_variants;
  v_sku text;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.product_variants, v_stored);
  end if;
  v_sku := case when p_sku is not null then (private.find_item(p_sku)).sku end;
  select v.* into v_old from public.product_variants v where v.code = p_code for update;
  if v_old.version <> p_version then
    perform private.fail(409, 'variant.stale', 'Somebody else changed this variant. Look again.',
      jsonb_build_object('expected', p_version, 'actual', v_old.version));
  end if;
  insert into public.product_variants as v (code, title, product_code, sku, default_language_set, is_active)
  values (p_code, coalesce(p_title, p_code), coalesce(p_product_code, v_old.product_code, private.setting('units.product_code') #>> '{}'), v_sku,
    coalesce(p_language_set, 'EN'), coalesce(p_is_active, true))
  on conflict on constraint product_variants_pkey do update
    set title = coalesce(p_title, v.title), product_code = coalesce(p_product_code, v.product_code), sku = coalesce(v_sku, v.sku),
        default_language_set = coalesce(p_language_set, v.default_language_set), is_active = coalesce(p_is_active, v.is_active)
  returning * into v_variant;
  perform private.emit('variant', p_code, 'variant.saved', v_actor, jsonb_build_object('version', v_variant.version,
    'before', to_jsonb(v_old), 'after', to_jsonb(v_variant)));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_variant));
  return v_variant;
end $$;
comment on function public.upsert_variant is
$$Add or change a variant; what is not given stays as it is. p_product_code: 2–8 capitals and digits; p_language_set like NL-EN; p_sku: its
finished item; p_version: refuse when somebody else changed it since.
Permission: units.plan.
Errors: item.unknown (404), variant.stale (409), request.reused (422); constraints by name (product_variants_product_code_check …).
Idempotency: by p_request_id; saving the same again only counts the version.
Locks: the variant: nobody packs one meanwhile.$$;

create function private.lock_variant(p_variant text)
returns public.product_variants language plpgsql set search_path = '' as $$
declare
  v_variant public.product_variants;
begin
  select v.* into v_variant from public.product_variants v where v.code = p_variant for update;
  if v_variant.code is null then
    perform private.find_variant(p_variant);
  end if;
  return v_variant;
end $$;
comment on function private.lock_variant is 'The variant, locked: nobody packs one, and nobody else changes its rules. Errors: variant.unknown (404).';

create function public.save_variant_rules(p_variant text, p_rules jsonb, p_note text default null, p_request_id uuid default null)
returns public.variant_rules language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.plan');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'save_variant_rules', jsonb_build_array(p_variant, p_rules, p_note));
  v_rules public.variant_rules;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.variant_rules, v_stored);
  end if;
  perform private.lock_variant(p_variant);
  perform private.check_length('p_note', p_note, 500);
  v_rules := private.rules_of(p_variant, p_rules);
  insert into public.variant_rules (variant, version, allowed_hw_revs, firmware, packaging, manual, required_tests, required_components, note, created_by)
  values (p_variant, 1 + coalesce((select max(r.version) from public.variant_rules r where r.variant = p_variant), 0), v_rules.allowed_hw_revs,
    v_rules.firmware, v_rules.packaging, v_rules.manual, v_rules.required_tests, v_rules.required_components, p_note,
    nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
  returning * into v_rules;
  perform private.emit('variant', p_variant, 'variant.rules_saved', v_actor, jsonb_build_object('version', v_rules.version));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_rules));
  return v_rules;
end $$;
comment on function public.save_variant_rules is
$$A new version of the rules, as a draft: activate_variant_rules puts it in force. p_rules {allowed_hw_revs, firmware {required_prefix, range,
build_hash, require_build_hash}, packaging {require_device_label, kit_required}, manual {language_set, min_insert_versions}, required_tests
[{test, limits {metric: {min, max, unit}}}], required_components [{sku, quantity}]}; what is missing is not asked.
Permission: units.plan.
Errors: variant.unknown (404), rules.invalid (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call makes another version.
Locks: the variant.$$;

create function public.activate_variant_rules(p_variant text, p_version integer, p_request_id uuid default null)
returns public.variant_rules language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.plan');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'activate_variant_rules', jsonb_build_array(p_variant, p_version));
  v_rules public.variant_rules;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.variant_rules, v_stored);
  end if;
  perform private.lock_variant(p_variant);
  select r.* into v_rules from public.variant_rules r where r.variant = p_variant and r.version = p_version;
  if v_rules.id is null then
    perform private.fail(404, 'rules.unknown', format('%s has no rules of version %s.', p_variant, p_version),
      jsonb_build_object('variant', p_variant, 'version', p_version));
  elsif not v_rules.is_active then
    update public.variant_rules r set is_active = false where r.variant = p_variant and r.is_active;
    update public.variant_rules r set is_active = true, activated_at = now(), activated_by = nullif(v_actor, '00000000-0000-0000-0000-000000000000')
     where r.id = v_rules.id returning r.* into v_rules;
    perform private.emit('variant', p_variant, 'variant.rules_activated', v_actor, jsonb_build_object('version', p_version));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_rules));
  return v_rules;
end $$;
comment on function public.activate_variant_rules is
$$These rules are in force from now on, for every unit of the variant that is not packed yet. An older version can be put in force again.
Permission: units.plan.
Errors: variant.unknown (404), rules.unknown (404), request.reused (422).
Idempotency: by p_request_id; rules in force stay so.
Locks: the variant: nobody packs one meanwhile.$$;

create type public.rules_preview as (units bigint, pass_now bigint, pass_then bigint, newly_failing jsonb, newly_passing jsonb);
comment on type public.rules_preview is
$$What other rules would do to the units of a variant that are not packed: how many there are, could be packed now, could be packed then, and
which would change [{sn, status, blockers}], at most 100 each. blockers are those that are new, or that would go.$$;

create function public.preview_variant_rules(p_variant text, p_rules jsonb)
returns public.rules_preview language plpgsql stable security definer set search_path = '' as $$
declare
  v_variant public.product_variants;
  v_rules public.variant_rules;
  v_active public.variant_rules;
  v_preview public.rules_preview;
begin
  perform private.authorize('units.plan');
  v_variant := private.find_variant(p_variant);
  v_rules := private.rules_of(p_variant, p_rules);
  v_active := private.active_rules(p_variant);
  with open as (
    select u.sn, u.status, private.blockers_under(u, v_variant, v_active) as now, private.blockers_under(u, v_variant, v_rules) as later
      from public.units u where u.variant_code = p_variant and u.packed_at is null and u.status <> 'SCRAPPED' order by u.sn limit 1000
  ), changed as (
    select o.sn, o.status, o.now = '[]' as passed, o.later = '[]' as passes,
        (select jsonb_agg(b) from jsonb_array_elements(o.later) b where not o.now @> jsonb_build_array(jsonb_build_object('code', b -> 'code'))) as added,
        (select jsonb_agg(b) from jsonb_array_elements(o.now) b where not o.later @> jsonb_build_array(jsonb_build_object('code', b -> 'code'))) as gone
      from open o
  )
  select count(*), count(*) filter (where c.passed), count(*) filter (where c.passes),
      coalesce((select jsonb_agg(jsonb_build_object('sn', x.sn, 'status', x.status, 'blockers', x.added) order by x.sn)
        from (select * from changed y where y.added is not null order by y.sn limit 100) x), '[]'),
      coalesce((select jsonb_agg(jsonb_build_object('sn', x.sn, 'status', x.status, 'blockers', x.gone) order by x.sn)
        from (select * from changed y where y.gone is not null order by y.sn limit 100) x), '[]')
    into v_preview from changed c;
  return v_preview;
end $$;
comment on function public.preview_variant_rules is
$$Which open units would newly fail under these rules (of at most 1000, oldest first), and which blockers would go. p_rules as in save_variant_rules.
Permission: units.plan.
Errors: variant.unknown (404), rules.invalid (422).
Idempotency: a read.
Locks: none.$$;

-- Kits -------------------------------------------------------------------------------------------------------------

create function private.check_kits(p_kits jsonb)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_wrong text;
begin
  if coalesce(jsonb_typeof(p_kits), '') <> 'array' or jsonb_array_length(p_kits) not between 1 and 1000 then
    v_wrong := 'give a list of 1 to 1000';
  else
    select coalesce(k ->> 'kit_id', '(without kit_id)') into v_wrong from jsonb_array_elements(p_kits) k
     where jsonb_typeof(k) <> 'object' or coalesce(length(k ->> 'kit_id'), 0) = 0 or coalesce(k ->> 'language_set', '') !~ '^[A-Z]{2,3}(-[A-Z]{2,3}){0,9}$'
        or coalesce(jsonb_typeof(k -> 'variants'), '') <> 'array' or coalesce(jsonb_typeof(k -> 'insert_versions'), 'object') <> 'object'
        or private.insert_misfit(k -> 'insert_versions', '') is not null
        or exists (select 1 from jsonb_array_elements_text(case jsonb_typeof(k -> 'variants') when 'array' then k -> 'variants' else '[]' end) v
          where not exists (select 1 from public.product_variants p where p.code = v)) limit 1;
  end if;
  if v_wrong is not null then
    perform private.fail(422, 'kit.invalid', 'Kits look like {"kit_id": "K-1", "language_set": "NL-EN", "variants": ["A"], "insert_versions": '
      || '{"manual": "3"}}, with variants that exist. Wrong: ' || v_wrong || '.', jsonb_build_object('field', 'p_kits', 'kit', v_wrong));
  end if;
end $$;

create function public.register_kits(p_kits jsonb, p_request_id uuid default null)
returns setof public.packaging_kits language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.plan');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'register_kits', jsonb_build_array(p_kits));
  v_used text;
  v_ids text[];
begin
  if v_stored is null then
    perform private.check_kits(p_kits);
    v_ids := array(select distinct k ->> 'kit_id' from jsonb_array_elements(p_kits) k order by 1);
    perform 1 from public.packaging_kits k where k.kit_id = any (v_ids) order by k.kit_id for update;
    select k.kit_id into v_used from public.packaging_kits k where k.kit_id = any (v_ids) and k.used_by_sn is not null order by 1 limit 1;
    if v_used is not null then
      perform private.fail(409, 'kit.used', format('The kit %s was packed already.', v_used), jsonb_build_object('kit_id', v_used));
    end if;
    insert into public.packaging_kits as k (kit_id, language_set, variants, insert_versions)
    select distinct on (i ->> 'kit_id') i ->> 'kit_id', i ->> 'language_set', array(select jsonb_array_elements_text(i -> 'variants')),
        coalesce(i -> 'insert_versions', '{}') from jsonb_array_elements(p_kits) i order by i ->> 'kit_id'
    on conflict on constraint packaging_kits_pkey do update set language_set = excluded.language_set, variants = excluded.variants,
      insert_versions = excluded.insert_versions;
    perform private.emit('kit', v_ids[1], 'kit.registered', v_actor, jsonb_build_object('count', cardinality(v_ids), 'last', v_ids[cardinality(v_ids)]));
    select jsonb_agg(to_jsonb(k) order by k.kit_id) into v_stored from public.packaging_kits k where k.kit_id = any (v_ids);
    perform private.remember(v_actor, p_request_id, v_stored);
  end if;
  return query select k.* from jsonb_populate_recordset(null::public.packaging_kits, v_stored) k;
end $$;
comment on function public.register_kits is
$$Packaging kits as they are made up: p_kits [{kit_id, language_set, variants, insert_versions}], 1–1000. A kit that is there and not packed is changed.
Permission: units.plan.
Errors: kit.invalid (422), kit.used (409), request.reused (422).
Idempotency: by p_request_id, and by kit_id.
Locks: the kits, by id.$$;

create function public.set_kit_active(p_kit_id text, p_is_active boolean, p_request_id uuid default null)
returns public.packaging_kits language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.plan');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'set_kit_active', jsonb_build_array(p_kit_id, p_is_active));
  v_kit public.packaging_kits;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.packaging_kits, v_stored);
  end if;
  select k.* into v_kit from public.packaging_kits k where k.kit_id = p_kit_id for update;
  if v_kit.kit_id is null then
    perform private.fail(404, 'kit.unknown', 'There is no kit ' || coalesce(p_kit_id, '') || '.', jsonb_build_object('kit_id', p_kit_id));
  elsif v_kit.is_active is distinct from p_is_active then
    update public.packaging_kits k set is_active = p_is_active where k.kit_id = p_kit_id returning k.* into v_kit;
    perform private.emit('kit', p_kit_id, case when p_is_active then 'kit.activated' else 'kit.deactivated' end, v_actor,
      jsonb_build_object('version', v_kit.version));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_kit));
  return v_kit;
end $$;
comment on function public.set_kit_active is
$$Take a kit out of use, or back. Out of use it is packed with nothing.
Permission: units.plan.
Errors: kit.unknown (404), request.reused (422).
Idempotency: by p_request_id, and by the state.
Locks: the kit.$$;

grant execute on function public.upsert_variant, public.save_variant_rules, public.activate_variant_rules, public.preview_variant_rules,
  public.register_kits, public.set_kit_active to authenticated, service_role;
