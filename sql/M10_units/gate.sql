-- The pack gate. Each group of checks answers all its blockers; together they stand in the order of the list in private.unit_blockers.

create function private.blocker(p_code text, p_message text, p_next_action text, p_page text, p_sn text)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return jsonb_build_object('code', p_code, 'message', p_message, 'next_action', p_next_action,
    'target', jsonb_build_object('page', p_page, 'sn', p_sn));
end $$;
comment on function private.blocker is '{code, message, next_action, target {page, sn}}: why a unit is not packed, what to do, and where in the client.';

-- Tests ------------------------------------------------------------------------------------------------------------

create function private.breaches(p_metrics jsonb, p_limits jsonb)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('metric', l.key, 'value', m.item -> 'value', 'min', l.value -> 'min', 'max', l.value -> 'max',
        'unit', l.value -> 'unit') order by l.key), '[]')
      from jsonb_each(coalesce(p_limits, '{}')) l cross join lateral (select p_metrics -> l.key as item) m
     where not coalesce((m.item ->> 'value')::numeric >= coalesce((l.value ->> 'min')::numeric, '-Infinity')
       and (m.item ->> 'value')::numeric <= coalesce((l.value ->> 'max')::numeric, 'Infinity')
       and coalesce(m.item ->> 'unit' = l.value ->> 'unit', true), false));
end $$;
comment on function private.breaches is
$$Which limits {metric: {min, max, unit}} the measurements {metric: {value, unit}} break: out of bounds, not measured, or in another unit.
[{metric, value, min, max, unit}].$$;

create function private.limits_of(p_rules public.variant_rules, p_test text)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return coalesce((select t -> 'limits' from jsonb_array_elements(p_rules.required_tests) t where t ->> 'test' = p_test), '{}');
end $$;

create function private.latest_run(p_unit public.units, p_test text)
returns public.test_runs language plpgsql stable set search_path = '' as $$
declare
  v_run public.test_runs;
begin
  select r.* into v_run from public.test_runs r
   where r.sn = p_unit.sn and r.build_no = p_unit.build_no and (p_test is null or r.test = p_test) order by r.id desc limit 1;
  return v_run;
end $$;
comment on function private.latest_run is 'The latest run of a test (null = whichever) since the unit was last changed, or a null row.';

create function private.run_fault(p_run public.test_runs, p_limits jsonb)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_breaches jsonb;
begin
  if p_run.result = 'PASS' and p_limits <> '{}' then   -- limits may have become stricter since
    select private.breaches(coalesce(jsonb_object_agg(m.metric, jsonb_build_object('value', m.value, 'unit', m.unit)), '{}'), p_limits)
      into v_breaches from public.test_measurements m where m.run_id = p_run.id;
  end if;
  return case when p_run.result = 'FAIL' then format('The test %s failed.', p_run.test)
    when v_breaches <> '[]' then format('The test %s does not keep its limits: %s.', p_run.test,
      (select string_agg(b ->> 'metric', ', ') from jsonb_array_elements(v_breaches) b)) end;
end $$;
comment on function private.run_fault is 'Why a run does not count as passed under these limits, in words; null when it does.';

create function private.test_blockers(p_unit public.units, p_rules public.variant_rules)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_test text;
  v_run public.test_runs;
  v_missing text[] := '{}';
  v_faults text[] := '{}';
begin
  for v_test in select t ->> 'test' from jsonb_array_elements(case when p_rules.required_tests <> '[]' then p_rules.required_tests else '[{}]' end) t loop
    v_run := private.latest_run(p_unit, v_test);
    if v_run.id is null then
      v_missing := v_missing || coalesce(v_test, '');
    else
      v_faults := v_faults || private.run_fault(v_run, private.limits_of(p_rules, v_run.test));
    end if;
  end loop;
  v_faults := array_remove(v_faults, null);
  return case when v_missing = '{}' then '[]' else jsonb_build_array(private.blocker('NO_TEST_RUN',
      concat_ws(' ', case when v_missing = '{""}' then 'It was not tested' else 'It lacks the test ' || array_to_string(v_missing, ', ') end
        || case when exists (select 1 from public.test_runs r where r.sn = p_unit.sn) then ' since it was last changed.' else '.' end),
      'Test it.', 'test', p_unit.sn)) end
    || case when v_faults = '{}' then '[]' else jsonb_build_array(private.blocker('TEST_NOT_PASS', array_to_string(v_faults, ' '),
      'Find the fault, send it to rework if needed, and test it again.', 'test', p_unit.sn)) end;
end $$;
comment on function private.test_blockers is 'NO_TEST_RUN, TEST_NOT_PASS: every required test (or, without any, the latest one) has passed since the last change.';

create function private.hardware_blockers(p_unit public.units, p_rules public.variant_rules)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_all jsonb := '[]';
  v_firmware constant jsonb := coalesce(p_rules.firmware, '{}');
  v_fault text;
begin
  if p_unit.hw_rev is null then
    v_all := v_all || private.blocker('HW_REV_UNKNOWN', 'Its hardware revision was never read.', 'Flash or test it: both read the revision.', 'flash', p_unit.sn);
  elsif p_rules.allowed_hw_revs <> '{}' and p_unit.hw_rev <> all (p_rules.allowed_hw_revs) then
    v_all := v_all || private.blocker('HW_REV_NOT_ALLOWED', format('Hardware %s is not allowed for %s: it takes %s.', p_unit.hw_rev, p_rules.variant,
      array_to_string(p_rules.allowed_hw_revs, ', ')), 'Assign a variant that takes this hardware, or set it aside.', 'unit', p_unit.sn);
  end if;
  v_fault := case
    when p_unit.fw_version is null and (v_firmware ? 'required_prefix' or v_firmware ? 'range') then 'Its firmware version is not known.'
    when not starts_with(p_unit.fw_version, v_firmware ->> 'required_prefix')
      then format('Firmware %s does not begin with %s.', p_unit.fw_version, v_firmware ->> 'required_prefix')
    when not private.in_range(p_unit.fw_version, v_firmware ->> 'range')
      then format('Firmware %s is not in %s.', p_unit.fw_version, v_firmware ->> 'range')
    when p_unit.fw_build_hash <> v_firmware ->> 'build_hash' then format('Firmware build %s is not %s.', p_unit.fw_build_hash, v_firmware ->> 'build_hash') end;
  if v_fault is not null then
    v_all := v_all || private.blocker('FW_VERSION_POLICY_FAIL', v_fault, 'Flash the right firmware and test it again.', 'flash', p_unit.sn);
  end if;
  if p_unit.fw_build_hash is null and (v_firmware -> 'require_build_hash' = 'true' or v_firmware ? 'build_hash') then
    v_all := v_all || private.blocker('FW_BUILD_HASH_MISSING', 'The build of its firmware is not known.', 'Flash it again, with the build hash.', 'flash', p_unit.sn);
  end if;
  return v_all;
end $$;
comment on function private.hardware_blockers is 'HW_REV_UNKNOWN, HW_REV_NOT_ALLOWED, FW_VERSION_POLICY_FAIL, FW_BUILD_HASH_MISSING.';

create function private.kit_blockers(p_unit public.units, p_rules public.variant_rules)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_kit public.packaging_kits;
begin
  if p_unit.kit_id is null then
    return case when coalesce(p_rules.packaging -> 'kit_required', 'true') = 'true' then jsonb_build_array(private.blocker('PACK_KIT_NOT_SCANNED',
      'No packaging kit was scanned.', 'Scan the kit that goes into the box.', 'pack', p_unit.sn)) else '[]' end;
  end if;
  select k.* into v_kit from public.packaging_kits k where k.kit_id = p_unit.kit_id;
  if v_kit.is_active is not true then
    return jsonb_build_array(private.blocker('PACK_KIT_INVALID', case when v_kit.kit_id is null then format('There is no kit %s.', p_unit.kit_id)
      else format('The kit %s is no longer in use.', p_unit.kit_id) end, 'Take another kit and scan it.', 'pack', p_unit.sn));
  end if;
  return case when p_unit.variant_code <> all (v_kit.variants) then jsonb_build_array(private.blocker('PACK_KIT_WRONG_VARIANT',
    format('The kit %s is for %s, not for %s.', v_kit.kit_id, array_to_string(v_kit.variants, ', '), p_unit.variant_code),
    'Take a kit for this variant and scan it.', 'pack', p_unit.sn)) else '[]' end;
end $$;
comment on function private.kit_blockers is 'PACK_KIT_NOT_SCANNED, PACK_KIT_INVALID, PACK_KIT_WRONG_VARIANT.';

create function private.label_blockers(p_unit public.units, p_rules public.variant_rules)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return case when p_rules.packaging -> 'require_device_label' = 'true' and not exists (
      select 1 from public.print_job_labels l where l.subject = p_unit.sn and l.purpose = 'unit_device' and l.state = 'printed')
    then jsonb_build_array(private.blocker('DEVICE_LABEL_NOT_PRINTED', case when exists (
        select 1 from public.print_job_labels l where l.subject = p_unit.sn and l.purpose = 'unit_device' and l.state = 'wanted')
      then 'Its label was asked for, but has not come out yet.' else 'Its label was never printed.' end,
      'Print the label, or say whether it came out.', 'printing', p_unit.sn)) else '[]' end;
end $$;
comment on function private.label_blockers is 'DEVICE_LABEL_NOT_PRINTED: a label of the unit came out, not merely asked for.';

create function private.manual_blockers(p_unit public.units, p_rules public.variant_rules)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_kit public.packaging_kits;
  v_wanted text := coalesce(p_rules.manual ->> 'language_set',
    (select v.default_language_set from public.product_variants v where v.code = p_unit.variant_code));
  v_old text[];
  v_all jsonb := '[]';
begin
  select k.* into v_kit from public.packaging_kits k where k.kit_id = p_unit.kit_id and k.is_active;
  if v_kit.kit_id is null then
    return v_all;   -- the kit itself is the blocker
  end if;
  if not string_to_array(v_kit.language_set, '-') @> string_to_array(v_wanted, '-') then
    v_all := v_all || private.blocker('MANUAL_LANGUAGE_MISMATCH', format('The kit %s has %s; %s needs %s.', v_kit.kit_id, v_kit.language_set,
      p_unit.variant_code, v_wanted), 'Take a kit in these languages and scan it.', 'pack', p_unit.sn);
  end if;
  v_old := array(
    select format('%s %s (at least %s)', i.key, coalesce(v_kit.insert_versions ->> i.key, 'missing'), i.value)
      from jsonb_each_text(coalesce(p_rules.manual -> 'min_insert_versions', '{}')) i
     where coalesce(private.version_less(v_kit.insert_versions ->> i.key, i.value), true) order by i.key);
  if v_old <> '{}' then
    v_all := v_all || private.blocker('MANUAL_VERSION_OUTDATED', format('The kit %s is outdated: %s.', v_kit.kit_id, array_to_string(v_old, ', ')),
      'Take a kit with the new inserts and scan it.', 'pack', p_unit.sn);
  end if;
  return v_all;
end $$;
comment on function private.manual_blockers is 'MANUAL_LANGUAGE_MISMATCH, MANUAL_VERSION_OUTDATED, of a kit that may be used at all.';

create function private.component_blockers(p_unit public.units, p_rules public.variant_rules)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_held constant jsonb := private.held_components(p_unit.sn);
  v_missing constant jsonb := private.missing_components(p_unit.sn, coalesce(p_rules.required_components, '[]'));
begin
  return case when v_held = '[]' then '[]' else jsonb_build_array(private.blocker('COMPONENT_ON_HOLD', format('A part of it is on hold: %s.', (
      select string_agg(concat_ws(' ', h ->> 'sku', coalesce(h ->> 'component_sn', h ->> 'lot')), ', ') from jsonb_array_elements(v_held) h)),
      'Wait for the release, or replace the part.', 'unit', p_unit.sn)) end
    || case when v_missing = '[]' then '[]' else jsonb_build_array(private.blocker('COMPONENT_MISSING', format('Parts are missing: %s.', (
      select string_agg(format('%s of %s %s', m ->> 'installed', m ->> 'quantity', m ->> 'sku'), ', ') from jsonb_array_elements(v_missing) m)),
      'Install them at the assembly station.', 'assemble', p_unit.sn)) end;
end $$;
comment on function private.component_blockers is 'COMPONENT_ON_HOLD, COMPONENT_MISSING.';

-- All of it --------------------------------------------------------------------------------------------------------

create function private.blockers_under(p_unit public.units, p_variant public.product_variants, p_rules public.variant_rules)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return case when p_unit.variant_code is null then jsonb_build_array(private.blocker('UNIT_NOT_ASSIGNED', 'It has no variant yet.',
      'Assign a variant.', 'assign', p_unit.sn)) else '[]' end
    || case when p_unit.variant_code is not null and (p_variant.is_active is not true or p_rules.variant is null) then jsonb_build_array(
      private.blocker('VARIANT_NOT_FOUND', case when p_variant.is_active then format('The variant %s has no rules in force.', p_unit.variant_code)
        else format('The variant %s is no longer made.', p_unit.variant_code) end,
        'Assign another variant, or ask a planner to put rules in force.', 'variants', p_unit.sn)) else '[]' end
    || private.test_blockers(p_unit, p_rules)
    || private.hardware_blockers(p_unit, p_rules)
    || private.kit_blockers(p_unit, p_rules)
    || private.label_blockers(p_unit, p_rules)
    || private.manual_blockers(p_unit, p_rules)
    || case when p_unit.status = 'ON_HOLD' then jsonb_build_array(private.blocker('UNIT_ON_HOLD', format('It is on hold: %s.', rtrim(p_unit.hold_reason, ' .')),
      'Leave it until somebody releases it.', 'unit', p_unit.sn)) else '[]' end
    || private.component_blockers(p_unit, p_rules)
    || coalesce((select jsonb_build_array(private.blocker('KIT_ALREADY_USED', format('The kit %s was packed with %s.', k.kit_id, k.used_by_sn),
        'Take another kit and scan it.', 'pack', p_unit.sn))
      from public.packaging_kits k where k.kit_id = p_unit.kit_id and k.used_by_sn <> p_unit.sn), '[]');
end $$;
comment on function private.blockers_under is 'What keeps a unit from being packed under these rules (a preview, or those in force). [] = the gate is open.';

create function private.unit_blockers(p_unit public.units)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_variant public.product_variants;
begin
  select v.* into v_variant from public.product_variants v where v.code = p_unit.variant_code;
  return private.blockers_under(p_unit, v_variant, private.active_rules(p_unit.variant_code));
end $$;
comment on function private.unit_blockers is
$$Everything that keeps a unit from being packed, in this order: UNIT_NOT_ASSIGNED, VARIANT_NOT_FOUND, NO_TEST_RUN, TEST_NOT_PASS,
HW_REV_UNKNOWN, HW_REV_NOT_ALLOWED, FW_VERSION_POLICY_FAIL, FW_BUILD_HASH_MISSING, PACK_KIT_NOT_SCANNED, PACK_KIT_INVALID,
PACK_KIT_WRONG_VARIANT, DEVICE_LABEL_NOT_PRINTED, MANUAL_LANGUAGE_MISMATCH, MANUAL_VERSION_OUTDATED, UNIT_ON_HOLD, COMPONENT_ON_HOLD,
COMPONENT_MISSING, KIT_ALREADY_USED. (UNIT_NOT_FOUND comes alone.) [] = the gate is open.$$;

create function private.gate_of(p_unit public.units)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_rules constant public.variant_rules := private.active_rules(p_unit.variant_code);
  v_blockers constant jsonb := private.unit_blockers(p_unit);
begin
  return jsonb_build_object('allowed', v_blockers = '[]', 'blockers', v_blockers, 'expected', jsonb_build_object(
    'firmware_policy', v_rules.firmware, 'hw_revs', v_rules.allowed_hw_revs, 'required_tests', v_rules.required_tests,
    'packaging_kit', jsonb_build_object('required', coalesce(v_rules.packaging -> 'kit_required', 'true'),
      'variant', p_unit.variant_code, 'manual', v_rules.manual),
    'variant', (select jsonb_build_object('code', v.code, 'title', v.title, 'language_set', v.default_language_set, 'sku', v.sku)
      from public.product_variants v where v.code = p_unit.variant_code), 'rules_version', v_rules.version));
end $$;
comment on function private.gate_of is '{allowed, blockers, expected {firmware_policy, hw_revs, required_tests, packaging_kit, variant, rules_version}}.';
