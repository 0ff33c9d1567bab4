-- Variants and their rules: what a rule may look like, and which one is in force.

create function private.find_variant(p_variant text)
returns public.product_variants language plpgsql stable set search_path = '' as $$
declare
  v_variant public.product_variants;
begin
  select v.* into v_variant from public.product_variants v where v.code = p_variant;
  if v_variant.code is null then
    perform private.fail(404, 'variant.unknown', 'There is no variant ' || coalesce(p_variant, '') || '.', jsonb_build_object('variant', p_variant));
  end if;
  return v_variant;
end $$;

create function private.active_rules(p_variant text)
returns public.variant_rules language plpgsql stable set search_path = '' as $$
declare
  v_rules public.variant_rules;
begin
  select r.* into v_rules from public.variant_rules r where r.variant = p_variant and r.is_active;
  return v_rules;
end $$;
comment on function private.active_rules is 'The rules in force, or a null row. Whoever decides by them holds a lock on the variant.';

create function private.misfit(p_value jsonb, p_type text, p_path text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return case when p_value is not null and p_value <> 'null' and jsonb_typeof(p_value) <> p_type then format('%s must be a %s', p_path, p_type) end;
end $$;

create function private.unknown_keys(p_object jsonb, p_known text[], p_path text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return (select format('%s.%s is not known', p_path, k) from jsonb_object_keys(p_object) k where k <> all (p_known) limit 1);
end $$;

create function private.firmware_misfit(p_firmware jsonb)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return coalesce(private.misfit(p_firmware -> 'required_prefix', 'string', 'firmware.required_prefix'),
    private.misfit(p_firmware -> 'range', 'string', 'firmware.range'), private.misfit(p_firmware -> 'build_hash', 'string', 'firmware.build_hash'),
    private.misfit(p_firmware -> 'require_build_hash', 'boolean', 'firmware.require_build_hash'),
    case when not private.is_range(p_firmware ->> 'range') then 'firmware.range must look like >=1.2.0 <2, ^1.2 or ~1.2.3' end,
    private.unknown_keys(p_firmware, '{required_prefix,range,build_hash,require_build_hash}', 'firmware'));
end $$;

create function private.packaging_misfit(p_packaging jsonb, p_manual jsonb)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return coalesce(private.misfit(p_packaging -> 'require_device_label', 'boolean', 'packaging.require_device_label'),
    private.misfit(p_packaging -> 'kit_required', 'boolean', 'packaging.kit_required'),
    private.unknown_keys(p_packaging, '{require_device_label,kit_required}', 'packaging'),
    private.misfit(p_manual -> 'language_set', 'string', 'manual.language_set'),
    case when p_manual ->> 'language_set' !~ '^[A-Z]{2,3}(-[A-Z]{2,3}){0,9}$' then 'manual.language_set must look like NL-EN' end,
    private.misfit(p_manual -> 'min_insert_versions', 'object', 'manual.min_insert_versions'),
    private.unknown_keys(p_manual, '{language_set,min_insert_versions}', 'manual'),
    private.insert_misfit(p_manual -> 'min_insert_versions', 'manual.min_insert_versions'));
end $$;

create function private.insert_misfit(p_inserts jsonb, p_path text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return (select format('%s.%s must be a version such as "3.1"', p_path, i.key)
    from jsonb_each(case jsonb_typeof(p_inserts) when 'object' then p_inserts else '{}' end) i
   where jsonb_typeof(i.value) <> 'string' or private.version_key(i.value #>> '{}') is null limit 1);
end $$;
comment on function private.insert_misfit is 'What is wrong with {insert: version}, or null.';

create function private.tests_misfit(p_tests jsonb)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return coalesce(
    (select 'required_tests must be a list of {test, limits}, each test once' where jsonb_array_length(p_tests) > 50
      or (select count(*) <> count(distinct t ->> 'test') from jsonb_array_elements(p_tests) t)
      or exists (select 1 from jsonb_array_elements(p_tests) t where jsonb_typeof(t) <> 'object'
        or coalesce(t ->> 'test', '') !~ '^[a-z][a-z0-9_-]{0,60}$' or coalesce(jsonb_typeof(t -> 'limits'), 'object') <> 'object')),
    (select format('required_tests.%s.limits.%s must be {min, max, unit} with min ≤ max', t ->> 'test', l.key)
       from jsonb_array_elements(p_tests) t cross join jsonb_each(coalesce(t -> 'limits', '{}')) l
      where jsonb_typeof(l.value) <> 'object' or l.key !~ '^[A-Za-z][A-Za-z0-9_.-]{0,60}$'
         or private.unknown_keys(case jsonb_typeof(l.value) when 'object' then l.value else '{}' end, '{min,max,unit}', '') is not null
         or private.misfit(l.value -> 'min', 'number', '') is not null or private.misfit(l.value -> 'max', 'number', '') is not null
         or private.misfit(l.value -> 'unit', 'string', '') is not null
         or jsonb_typeof(l.value -> 'min') = 'number' and jsonb_typeof(l.value -> 'max') = 'number'
            and (l.value ->> 'min')::numeric > (l.value ->> 'max')::numeric limit 1));
end $$;

create function private.components_misfit(p_components jsonb)
returns text language plpgsql stable set search_path = '' as $$
begin
  return coalesce(
    (select 'required_components must be a list of {sku, quantity}, each item once' where jsonb_array_length(p_components) > 200
      or (select count(*) <> count(distinct c ->> 'sku') from jsonb_array_elements(p_components) c)
      or exists (select 1 from jsonb_array_elements(p_components) c where jsonb_typeof(c) <> 'object' or jsonb_typeof(c -> 'sku') is distinct from 'string'
        or coalesce(jsonb_typeof(c -> 'quantity'), 'number') <> 'number'
        or case when jsonb_typeof(c -> 'quantity') = 'number' then (c ->> 'quantity')::numeric not between 0.001 and 99999999 end)),
    (select format('required_components: there is no item %s', c ->> 'sku') from jsonb_array_elements(p_components) c
      where not exists (select 1 from public.inventory_items i where i.sku = c ->> 'sku') limit 1));
end $$;

create function private.rules_of(p_variant text, p_rules jsonb)
returns public.variant_rules language plpgsql stable set search_path = '' as $$
declare
  v_rules public.variant_rules;
  v_given jsonb := jsonb_strip_nulls(coalesce(p_rules, '{}'));
  v_misfit text := case when jsonb_typeof(v_given) <> 'object' or length(v_given::text) > 50000 then 'the rules must be one small object' end;
begin
  if v_misfit is null then
    v_given := '{"allowed_hw_revs": [], "firmware": {}, "packaging": {}, "manual": {}, "required_tests": [], "required_components": []}' || v_given;
    v_misfit := coalesce(
      private.unknown_keys(v_given, '{allowed_hw_revs,firmware,packaging,manual,required_tests,required_components}', 'rules'),
      private.misfit(v_given -> 'allowed_hw_revs', 'array', 'allowed_hw_revs'), private.misfit(v_given -> 'firmware', 'object', 'firmware'),
      private.misfit(v_given -> 'packaging', 'object', 'packaging'), private.misfit(v_given -> 'manual', 'object', 'manual'),
      private.misfit(v_given -> 'required_tests', 'array', 'required_tests'),
      private.misfit(v_given -> 'required_components', 'array', 'required_components'));
  end if;
  v_misfit := coalesce(v_misfit,
    case when exists (select 1 from jsonb_array_elements(v_given -> 'allowed_hw_revs') h
      where jsonb_typeof(h) <> 'string' or length(h #>> '{}') not between 1 and 60) then 'allowed_hw_revs must be a list of revisions' end,
    private.firmware_misfit(v_given -> 'firmware'), private.packaging_misfit(v_given -> 'packaging', v_given -> 'manual'),
    private.tests_misfit(v_given -> 'required_tests'), private.components_misfit(v_given -> 'required_components'));
  if v_misfit is not null then
    perform private.fail(422, 'rules.invalid', 'These rules cannot be used: ' || v_misfit || '.', jsonb_build_object('field', 'p_rules', 'problem', v_misfit));
  end if;
  v_rules.variant := p_variant;
  v_rules.allowed_hw_revs := array(select h from jsonb_array_elements_text(v_given -> 'allowed_hw_revs') h);
  v_rules.firmware := v_given -> 'firmware';
  v_rules.packaging := '{"require_device_label": false, "kit_required": true}' || (v_given -> 'packaging');
  v_rules.manual := v_given -> 'manual';
  v_rules.required_tests := (select coalesce(jsonb_agg('{"limits": {}}' || t), '[]') from jsonb_array_elements(v_given -> 'required_tests') t);
  v_rules.required_components := (
    select coalesce(jsonb_agg('{"quantity": 1}' || c), '[]') from jsonb_array_elements(v_given -> 'required_components') c);
  return v_rules;
end $$;
comment on function private.rules_of is 'The rules that a JSON object means, with defaults filled in. PT422 rules.invalid says what is wrong, and where.';
