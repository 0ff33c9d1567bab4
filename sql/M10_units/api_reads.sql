create type public.unit_page as (units public.units[], next_cursor text, total bigint);
comment on type public.unit_page is 'A page of units, newest serial first; next_cursor is null on the last page; total only when asked for.';

create function private.unit_filter(
  p_status public.unit_status[], p_variant text, p_product_code text, p_search text, p_production_order text, p_box text, p_shipped boolean)
returns setof text language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  return query
    select u.sn from public.units u
     where (p_status is null or u.status = any (p_status)) and (p_variant is null or u.variant_code = p_variant)
       and (p_product_code is null or u.product_code = p_product_code) and (p_box is null or u.box_code = p_box)
       and (p_shipped is null or (u.shipped_at is not null) = p_shipped)
       and (p_production_order is null or u.production_order_id = (select o.id from public.production_orders o where o.code = p_production_order))
       and (p_search is null or position(upper(p_search) in concat_ws(' ', u.sn, upper(u.variant_code), upper(u.kit_id))) > 0);
end $$;

create function private.unit_page(p_limit integer, p_sns text[])
returns public.unit_page language plpgsql stable set search_path = '' as $$
declare
  v_page public.unit_page;
begin
  v_page.units := array(select u from public.units u where u.sn = any (p_sns) order by u.sn desc limit p_limit);
  if cardinality(p_sns) > p_limit then
    v_page.next_cursor := private.cursor_of(jsonb_build_array((v_page.units[p_limit]).sn));
  end if;
  return v_page;
end $$;
comment on function private.unit_page is 'A page of these units, newest serial first; one more than fits says that there is another page.';

create function public.get_units(
  p_status public.unit_status[] default null, p_variant text default null, p_product_code text default null, p_search text default null,
  p_production_order text default null, p_box text default null, p_cursor text default null, p_limit integer default 100,
  p_with_total boolean default false)
returns public.unit_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_after text;
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_page public.unit_page;
begin
  perform private.authorize('units.read');
  v_after := private.keys_of(p_cursor, 1) ->> 0;
  v_page := private.unit_page(v_limit, array(
    select f.sn from private.unit_filter(p_status, p_variant, p_product_code, p_search, p_production_order, p_box, null) f (sn)
     where v_after is null or f.sn < v_after order by f.sn desc limit v_limit + 1));
  if p_with_total then
    v_page.total := (select count(*) from private.unit_filter(p_status, p_variant, p_product_code, p_search, p_production_order, p_box, null));
  end if;
  return v_page;
end $$;
comment on function public.get_units is
$$Units, newest serial first. p_search in serial, variant and kit. p_limit 1–500; total only with p_with_total.
Permission: units.read.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create function public.get_finished_units(
  p_variant text default null, p_search text default null, p_cursor text default null, p_limit integer default 100, p_with_total boolean default false)
returns public.unit_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_after text;
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_page public.unit_page;
begin
  perform private.authorize('units.read');
  v_after := private.keys_of(p_cursor, 1) ->> 0;
  v_page := private.unit_page(v_limit, array(
    select f.sn from private.unit_filter('{IN_FINISHED_STOCK}', p_variant, null, p_search, null, null, false) f (sn)
     where v_after is null or f.sn < v_after order by f.sn desc limit v_limit + 1));
  if p_with_total then
    v_page.total := (select count(*) from private.unit_filter('{IN_FINISHED_STOCK}', p_variant, null, p_search, null, null, false));
  end if;
  return v_page;
end $$;
comment on function public.get_finished_units is
$$Units in finished stock that were not shipped, newest serial first. p_limit 1–500; total only with p_with_total.
Permission: units.read.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create function private.unit_tests(p_sn text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(to_jsonb(r) || jsonb_build_object('actor_name', private.actor_name(r.actor_id), 'measurements', (
        select coalesce(jsonb_agg(to_jsonb(m) - 'run_id' order by m.metric), '[]') from public.test_measurements m where m.run_id = r.id)) order by r.id desc), '[]')
      from (select t.* from public.test_runs t where t.sn = p_sn order by t.id desc limit 20) r);
end $$;

create function private.unit_history(p_sn text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('id', e.id, 'at', e.at, 'event', e.event, 'actor_id', e.actor_id,
        'actor_name', private.actor_name(e.actor_id), 'station', e.station, 'payload', e.payload) order by e.id desc), '[]')
      from (select v.* from public.events v where v.stream = 'unit' and v.stream_id = p_sn order by v.id desc limit 200) e);
end $$;

create function public.get_unit(p_sn text)
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_unit public.units;
  v_tests jsonb;
begin
  select u.* into v_unit from public.units u where u.sn = private.serial_of(p_sn);
  perform private.authorize('units.read', null, v_unit.site);
  if v_unit.sn is null then
    perform private.fail(404, 'unit.unknown', 'There is no unit ' || coalesce(p_sn, '') || '.', jsonb_build_object('sn', p_sn));
  end if;
  v_tests := private.unit_tests(v_unit.sn);
  return jsonb_build_object(
    'unit', to_jsonb(v_unit), 'next_action', private.next_unit_action(v_unit),
    'actions', private.unit_actions(v_unit),
    'next_statuses', (select coalesce(jsonb_agg(t.to_status order by t.to_status), '[]') from private.unit_transitions t where t.from_status = v_unit.status),
    'variant', (select to_jsonb(v) from public.product_variants v where v.code = v_unit.variant_code),
    'production_order', (select o.code from public.production_orders o where o.id = v_unit.production_order_id),
    'kit', (select to_jsonb(k) from public.packaging_kits k where k.kit_id = v_unit.kit_id),
    'box', (select to_jsonb(b) from public.boxes b where b.code = v_unit.box_code),
    'label', (select jsonb_build_object('state', l.state, 'job_id', l.job_id) from public.print_job_labels l
      where l.subject = v_unit.sn and l.purpose = 'unit_device' order by l.print_no desc limit 1),
    'last_test', v_tests -> 0, 'tests', v_tests, 'gate', private.gate_of(v_unit),
    'events', private.unit_history(v_unit.sn), 'genealogy', private.genealogy(v_unit.sn));
end $$;
comment on function public.get_unit is
$$Everything about one unit: {unit, next_action, actions (what its status and the role of the caller allow: flash, test, assemble, assign, install,
kit, pack, stock, box, unpack, label, rework, hold, release, scrap), next_statuses, variant, production_order, kit, box, label {state, job_id}, last_test, tests (20, newest
first, with measurements), gate {allowed, blockers, expected} as it is now, events (200, newest first), genealogy {node, made_of, went_into, edges}}.
Permission: units.read at the site of the unit.
Errors: unit.unknown (404).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_units, public.get_finished_units, public.get_unit to authenticated, service_role;
