create type public.test_answer as (
  changed boolean, event_id bigint, run_id bigint, result text, claimed text, why jsonb, unit public.units, next_action text);
comment on type public.test_answer is
$$Answer to a test: its result, what the fixture claimed, why they differ [{metric, value, min, max, unit}], the unit now, what to do next.$$;

create function private.metrics_of(p_metrics jsonb)
returns jsonb language plpgsql immutable set search_path = '' as $$
declare
  v_given jsonb := case when jsonb_typeof(p_metrics) = 'array' and not exists (
      select 1 from jsonb_array_elements(p_metrics) m where jsonb_typeof(m) <> 'object' or m ->> 'metric' is null)
    then (select jsonb_object_agg(m ->> 'metric', m - 'metric') from jsonb_array_elements(p_metrics) m) else coalesce(p_metrics, '{}') end;
  v_wrong text;
begin
  if jsonb_typeof(v_given) <> 'object' or (select count(*) > 500 from jsonb_object_keys(v_given)) then
    v_wrong := '(all)';
  else
    select m.key into v_wrong from jsonb_each(v_given) m
     where m.key !~ '^[A-Za-z][A-Za-z0-9_.-]{0,60}$'
        or case jsonb_typeof(m.value) when 'number' then false when 'object' then jsonb_typeof(m.value -> 'value') is distinct from 'number'
          or coalesce(jsonb_typeof(m.value -> 'unit'), 'string') not in ('string', 'null') or length(m.value ->> 'unit') > 20 else true end limit 1;
  end if;
  if v_wrong is not null then
    perform private.fail(422, 'test.metrics', 'Give measurements like {"vbat": 3.7} or {"vbat": {"value": 3.7, "unit": "V"}}. Wrong: ' || v_wrong || '.',
      jsonb_build_object('field', 'p_metrics', 'metric', v_wrong));
  end if;
  return (select coalesce(jsonb_object_agg(m.key, case jsonb_typeof(m.value) when 'number' then jsonb_build_object('value', m.value, 'unit', null)
    else jsonb_build_object('value', m.value -> 'value', 'unit', m.value -> 'unit') end), '{}') from jsonb_each(v_given) m);
end $$;
comment on function private.metrics_of is 'Measurements as {metric: {value, unit}}. Errors: test.metrics (422).';

create function private.store_test(p_run public.test_runs, p_metrics jsonb, p_limits jsonb)
returns public.test_runs language plpgsql set search_path = '' as $$
declare
  v_run public.test_runs;
begin
  insert into public.test_runs (sn, test, build_no, result, claimed, why, is_first, site, day, fixture_id, actor_id, station, fw_readback, started_at)
  values (p_run.sn, p_run.test, p_run.build_no, p_run.result, p_run.claimed, p_run.why,
    not exists (select 1 from public.test_runs r where r.sn = p_run.sn and r.test = p_run.test), p_run.site, private.site_day(p_run.site),
    (select d.id from public.devices d where d.user_id = p_run.actor_id and d.kind = 'fixture'),
    nullif(p_run.actor_id, '00000000-0000-0000-0000-000000000000'), private.station(), p_run.fw_readback, p_run.started_at)
  returning * into v_run;
  insert into public.test_measurements (run_id, metric, value, unit, low, high, is_pass)
  select v_run.id, coalesce(m.key, l.key), (m.value ->> 'value')::numeric, coalesce(m.value ->> 'unit', l.value ->> 'unit'),
      (l.value ->> 'min')::numeric, (l.value ->> 'max')::numeric,
      not exists (select 1 from jsonb_array_elements(p_run.why) w where w ->> 'metric' = coalesce(m.key, l.key))
    from jsonb_each(p_metrics) m full join jsonb_each(p_limits) l on l.key = m.key;
  return v_run;
end $$;
comment on function private.store_test is 'A run with its measurements, and the limits they were held against. The unit is locked.';

create function private.check_test(p_result text, p_test text, p_readback jsonb, p_unit public.units)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if coalesce(p_result, '') not in ('PASS', 'FAIL') then
    perform private.fail(422, 'test.result', 'The result is PASS or FAIL.', jsonb_build_object('field', 'p_result', 'actual', p_result));
  elsif coalesce(p_test, '') !~ '^[a-z][a-z0-9_-]{0,60}$' then
    perform private.fail(422, 'test.name', 'The name of a test has small letters, digits, - and _.', jsonb_build_object('field', 'p_test', 'actual', p_test));
  elsif coalesce(jsonb_typeof(p_readback), 'object') <> 'object' or length(p_readback::text) > 4000 then
    perform private.fail(422, 'test.readback', 'What the fixture read from the unit must be a small object.', jsonb_build_object('field', 'p_fw_readback'));
  end if;
  perform private.check_step(p_unit, 'test', 'tested');
end $$;

create function private.after_test(p_unit public.units, p_read jsonb, p_run public.test_runs)
returns public.units language plpgsql stable set search_path = '' as $$
declare
  v_new public.units := p_unit;
  v_passes constant boolean := private.test_blockers(p_unit, private.active_rules(p_unit.variant_code)) = '[]';
begin
  v_new.hw_rev := coalesce(left(nullif(trim(p_read ->> 'hw_rev'), ''), 60), p_unit.hw_rev);
  v_new.fw_version := coalesce(left(nullif(trim(p_read ->> 'fw_version'), ''), 100), p_unit.fw_version);
  v_new.fw_build_hash := coalesce(left(nullif(trim(p_read ->> 'fw_build_hash'), ''), 128), p_unit.fw_build_hash);
  if v_passes and p_run.result = 'PASS' then
    v_new.status := 'TEST_PASS';
  elsif not v_passes and p_unit.status = 'TEST_PASS' then
    v_new.status := 'FLASHED';
  end if;
  return v_new;
end $$;
comment on function private.after_test is 'The unit after a run that is stored already: passed once all its tests have, and no longer when one failed.';

create function public.record_test_result(
  p_sn text, p_result text default null, p_metrics jsonb default '{}', p_fw_readback jsonb default '{}', p_test text default 'final',
  p_hw_rev text default null, p_fw_version text default null, p_fw_build_hash text default null, p_started_at timestamptz default null,
  p_request_id uuid default null)
returns public.test_answer language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.test', p_sn, p_request_id, 'record_test_result',
    jsonb_build_array(p_sn, p_result, p_metrics, p_fw_readback, p_test, p_hw_rev, p_fw_version, p_fw_build_hash, p_started_at));
  v_unit public.units := v_command.unit;
  v_metrics jsonb;
  v_limits jsonb;
  v_read jsonb := coalesce(p_fw_readback, '{}') || jsonb_strip_nulls(
    jsonb_build_object('hw_rev', p_hw_rev, 'fw_version', p_fw_version, 'fw_build_hash', p_fw_build_hash));
  v_run public.test_runs;
  v_change public.unit_change;
  v_answer public.test_answer;
begin
  if v_command.answer is not null then
    return jsonb_populate_record(null::public.test_answer, v_command.answer);
  end if;
  perform private.check_test(p_result, p_test, v_read, v_unit);
  v_metrics := private.metrics_of(p_metrics);
  v_limits := private.limits_of(private.active_rules(v_unit.variant_code), p_test);
  v_run.sn := v_unit.sn; v_run.site := v_unit.site; v_run.build_no := v_unit.build_no; v_run.test := p_test; v_run.claimed := p_result;
  v_run.why := private.breaches(v_metrics, v_limits);
  v_run.result := case when v_run.why = '[]' then p_result else 'FAIL' end;
  v_run.actor_id := v_command.actor; v_run.fw_readback := v_read; v_run.started_at := p_started_at;
  v_run := private.store_test(v_run, v_metrics, v_limits);
  v_change := private.save_unit(v_unit, private.after_test(v_unit, v_read, v_run), 'unit.tested', v_command.actor,
    jsonb_build_object('test', p_test, 'result', v_run.result, 'claimed', p_result, 'run_id', v_run.id, 'why', v_run.why));
  v_answer := row(true, v_change.event_id, v_run.id, v_run.result, p_result, v_run.why, v_change.unit, v_change.next_action)::public.test_answer;
  perform private.remember(v_command.actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.record_test_result is
$$A unit was tested. p_metrics {metric: number} or {metric: {value, unit}}; a PASS that breaks a limit of the rules in force, or lacks a metric
they ask for, is stored as FAIL. p_fw_readback {hw_rev, fw_version, fw_build_hash}: what is not read leaves what was known.
Permission: units.test at the site of the unit (fixtures have it).
Errors: unit.unknown (404), unit.wrong_state (409), unit.on_hold (423), test.result (422), test.name (422), test.metrics (422), test.readback (422), request.reused (422).
Idempotency: by p_request_id; without it every call is another run.
Locks: the unit.$$;

create type public.test_point as (
  run_id bigint, sn text, at timestamptz, result text, build_no integer, metric text, value numeric, unit text, low numeric, high numeric,
  is_pass boolean);
comment on type public.test_point is 'One measurement of one run, with the limits in force then. metric is null for a run without measurements.';

create function public.get_test_history(
  p_test text default 'final', p_metric text default null, p_limit integer default 50, p_variant text default null)
returns setof public.test_point language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('units.read');
  return query
    select r.id, r.sn, r.at, r.result, r.build_no, m.metric, m.value, m.unit, m.low, m.high, m.is_pass
      from (select t.* from public.test_runs t
             where t.test = p_test
               and (p_variant is null or exists (select 1 from public.units u where u.sn = t.sn and u.variant_code = p_variant))
               and (p_metric is null or exists (select 1 from public.test_measurements x where x.run_id = t.id and x.metric = p_metric))
             order by t.id desc limit least(greatest(coalesce(p_limit, 50), 1), 500)) r
      left join public.test_measurements m on m.run_id = r.id and (p_metric is null or m.metric = p_metric)
     order by r.id desc, m.metric;
end $$;
comment on function public.get_test_history is
$$The last p_limit (1–500) runs of a test, newest first, with their measurements (of p_metric, or all): what a plot against limits needs.
Permission: units.read.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;

create type public.yield_row as (
  test text, day date, units bigint, passed bigint, first_pass_yield numeric, runs bigint, runs_passed bigint);
comment on type public.yield_row is 'units: tested for the first time that day; passed: of those, at once; first_pass_yield: passed / units; runs: all that day.';

create function public.get_yield(
  p_from date default null, p_to date default null, p_test text default null, p_site text default null)
returns setof public.yield_row language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('units.read', null, p_site);
  return query
    select r.test, r.day, count(*) filter (where r.is_first), count(*) filter (where r.is_first and r.result = 'PASS'),
        round(count(*) filter (where r.is_first and r.result = 'PASS')::numeric / nullif(count(*) filter (where r.is_first), 0), 4),
        count(*), count(*) filter (where r.result = 'PASS')
      from public.sites s join public.test_runs r on r.site = s.code
     where (p_site is null or s.code = p_site) and (p_test is null or r.test = p_test)
       and r.day between coalesce(p_from, private.site_day(s.code) - 30) and coalesce(p_to, private.site_day(s.code))
     group by r.test, r.day order by r.day desc, r.test;
end $$;
comment on function public.get_yield is
$$First-pass yield per test and plant day, newest first; the last 30 days unless told.
Permission: units.read at the site.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.record_test_result, public.get_test_history, public.get_yield to authenticated, service_role;
