create type public.units_created as (changed boolean, sns text[], print_job_ids bigint[], message text);
comment on type public.units_created is 'Answer of create_generic_units: the serials in order, and the jobs of their labels when labels were asked for.';

create function private.only_site()
returns text language plpgsql stable set search_path = '' as $$
declare
  v_who private.identity := private.identify();
  v_sites text[] := array(select s.code from public.sites s where private.works_at(v_who, s.code));
begin
  return case when cardinality(v_sites) = 1 then v_sites[1] end;
end $$;
comment on function private.only_site is 'The one site that the caller works at; null when there are several.';

create function private.check_batch(p_count integer, p_product_code text, p_site text)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_site is null then
    perform private.fail(422, 'unit.where', 'Say at which site.', jsonb_build_object('field', 'p_site'));
  elsif not exists (select 1 from public.sites s where s.code = p_site) then
    perform private.fail(404, 'site.unknown', 'There is no site ' || p_site || '.', jsonb_build_object('site', p_site));
  elsif coalesce(p_count, 0) not between 1 and 1000 then
    perform private.fail(422, 'unit.count', 'Create 1 to 1000 units at a time.', jsonb_build_object('field', 'p_count', 'actual', p_count));
  elsif coalesce(p_product_code, '') !~ '^[A-Z0-9]{2,8}$' then
    perform private.fail(422, 'unit.product_code', 'A product code has 2 to 8 capital letters and digits.',
      jsonb_build_object('field', 'p_product_code', 'actual', p_product_code));
  end if;
end $$;

create function private.label_units(p_sns text[], p_site text, p_station text, p_actor uuid)
returns bigint[] language plpgsql set search_path = '' as $$
begin
  return array(
    select d.job_id from private.add_prints(row(p_site, null, p_station)::private.print_place,
      row('unit_device', 1, null, null, 90)::private.print_wish, (select jsonb_agg(jsonb_build_object('subject', s) order by s) from unnest(p_sns) s),
      p_actor) d order by 1);
end $$;
comment on function private.label_units is 'Device labels for these units. Errors: those of add_prints. Locks: one advisory lock per label.';

create function public.create_generic_units(
  p_count integer default 1, p_product_code text default null, p_site text default null, p_production_order text default null,
  p_request_labels boolean default false, p_station text default null, p_request_id uuid default null)
returns public.units_created language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.create');
  v_order public.production_orders := (select o from public.production_orders o where o.code = p_production_order);
  v_site text := coalesce(v_order.site, p_site, private.only_site());
  v_code text := coalesce(p_product_code, private.setting('units.product_code', null, v_site) #>> '{}');
  v_station text := left(coalesce(p_station, private.station()), 64);
  v_stored jsonb;
  v_made public.units_created;
begin
  perform private.authorize('units.create', v_order.store, v_site);
  v_stored := private.replay(v_actor, p_request_id, 'create_generic_units',
    jsonb_build_array(p_count, p_product_code, p_site, p_production_order, p_request_labels, p_station));
  if v_stored is not null then
    return jsonb_populate_record(null::public.units_created, v_stored);
  elsif p_production_order is not null and v_order.id is null then
    perform private.fail(404, 'production.unknown', 'There is no production order ' || p_production_order || '.', jsonb_build_object('code', p_production_order));
  end if;
  perform private.refuse_closed(v_order);
  perform private.check_batch(p_count, v_code, v_site);
  v_made.sns := private.next_serials(v_site, v_code, p_count);
  insert into public.units (sn, site, product_code, production_order_id) select s, v_site, v_code, v_order.id from unnest(v_made.sns) s;
  perform set_config('takt.quiet', 'on', true);   -- a thousand events in one statement, announced once
  insert into public.events (site, stream, stream_id, event, actor_id, station, payload)
  select v_site, 'unit', s, 'unit.created', nullif(v_actor, '00000000-0000-0000-0000-000000000000'), v_station,
    jsonb_strip_nulls(jsonb_build_object('version', 1, 'status', 'CREATED', 'production_order', v_order.code)) from unnest(v_made.sns) s;
  perform set_config('takt.quiet', '', true);
  perform private.broadcast('site:' || v_site || ':unit', 'unit.created',
    jsonb_build_object('stream', 'unit', 'stream_id', v_made.sns[1], 'count', p_count, 'version', 1));
  if p_request_labels then
    v_made.print_job_ids := private.label_units(v_made.sns, v_site, p_station, v_actor);
  end if;
  v_made.changed := true;
  v_made.message := format('%s to %s.', v_made.sns[1], v_made.sns[p_count]);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_made));
  return v_made;
end $$;
comment on function public.create_generic_units is
$$New units, CREATED and without a variant: p_count 1–1000, serials YYMM-<code>-00001 of the plant's month. p_product_code: 2–8 capitals and digits
(setting units.product_code); p_site: the only site of the caller unless p_production_order says; p_request_labels: their device labels, printed in bulk.
Permission: units.create at the site.
Errors: unit.count (422), unit.product_code (422), unit.where (422), site.unknown (404), production.unknown (404), production.closed (409),
print.no_printer (412) and the others of request_print when labels are asked for, request.reused (422).
Idempotency: by p_request_id; without it every call makes more.
Locks: the sequence of the month and product code, until the end.$$;

create function public.assign_unit_variant(p_sn text, p_variant text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.assign', p_sn, p_request_id, 'assign_unit_variant', jsonb_build_array(p_sn, p_variant));
  v_unit public.units := v_command.unit;
  v_new public.units := v_unit;
  v_variant public.product_variants;
  v_change public.unit_change := private.unit_unchanged(v_unit);
begin
  if v_command.answer is null then
    v_variant := private.find_variant(p_variant);
    perform private.check_step(v_unit, 'assign', 'given another variant');
    if not v_variant.is_active then
      perform private.fail(409, 'variant.inactive', v_variant.title || ' is no longer made.', jsonb_build_object('variant', v_variant.code));
    elsif v_unit.variant_code is distinct from v_variant.code then
      v_new.variant_code := v_variant.code;
      v_new.serial_class := 'FINAL';
      v_new.product_code := v_variant.product_code;
      v_change := private.save_unit(v_unit, v_new, 'unit.variant_assigned', v_command.actor,
        jsonb_build_object('variant', v_variant.code, 'from', v_unit.variant_code));
    end if;
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.assign_unit_variant is
$$What the unit becomes. Again with another variant until it is packed, never after; the serial stays. The same variant again changes nothing.
Permission: units.assign at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409), unit.on_hold (423), variant.unknown (404), variant.inactive (409), request.reused (422).
Idempotency: by p_request_id, and by the variant.
Locks: the unit.$$;

create function public.record_flash(
  p_sn text, p_ok boolean default true, p_fw_version text default null, p_fw_build_hash text default null, p_hw_rev text default null,
  p_detail jsonb default '{}', p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.flash', p_sn, p_request_id, 'record_flash',
    jsonb_build_array(p_sn, p_ok, p_fw_version, p_fw_build_hash, p_hw_rev, p_detail));
  v_unit public.units := v_command.unit;
  v_new public.units := v_unit;
  v_change public.unit_change;
begin
  if v_command.answer is null then
    perform private.check_length('p_fw_version', p_fw_version, 100);
    perform private.check_length('p_fw_build_hash', p_fw_build_hash, 128);
    perform private.check_length('p_hw_rev', p_hw_rev, 60);
    perform private.check_length('p_detail', p_detail::text, 4000);
    perform private.check_step(v_unit, 'flash', 'flashed');
    perform private.refuse_built_in(v_unit.sn);
    v_new := private.invalidate_tests(v_unit);   -- a flash that failed may have left anything
    v_new.hw_rev := coalesce(nullif(trim(p_hw_rev), ''), v_unit.hw_rev);
    if coalesce(p_ok, true) then
      v_new.status := 'FLASHED';
      v_new.fw_version := coalesce(nullif(trim(p_fw_version), ''), v_unit.fw_version);
      v_new.fw_build_hash := coalesce(nullif(trim(p_fw_build_hash), ''), v_unit.fw_build_hash);
    end if;
    v_change := private.save_unit(v_unit, v_new, case when coalesce(p_ok, true) then 'unit.flashed' else 'unit.flash_failed' end, v_command.actor,
      jsonb_build_object('detail', coalesce(p_detail, '{}'), 'fw_version', p_fw_version, 'fw_build_hash', p_fw_build_hash));
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.record_flash is
$$The unit was flashed, or could not be (p_ok false). Earlier tests no longer count. What is not given leaves what was known; a failed flash
leaves the firmware as it was known. p_detail: a small object for the history.
Permission: units.flash at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409), unit.built_in (409), unit.on_hold (423), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call is another flash.
Locks: the unit.$$;

create function public.record_assembly(p_sn text, p_notes text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.assemble', p_sn, p_request_id, 'record_assembly', jsonb_build_array(p_sn, p_notes));
  v_unit public.units := v_command.unit;
  v_new public.units := v_unit;
  v_change public.unit_change;
begin
  if v_command.answer is null then
    perform private.check_length('p_notes', p_notes, 500);
    perform private.check_step(v_unit, 'assemble', 'assembled');
    perform private.refuse_built_in(v_unit.sn);
    if v_unit.assembled_at is not null then   -- it was opened again: what was measured before is not what is in there now
      v_new := private.invalidate_tests(v_unit);
    end if;
    v_new.status := 'ASSEMBLED';
    v_new.assembled_at := now();
    v_change := private.save_unit(v_unit, v_new, 'unit.assembled', v_command.actor,
      jsonb_build_object('notes', p_notes, 'is_again', v_unit.assembled_at is not null));
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.record_assembly is
$$The unit was assembled. The first time its tests still count; assembled once more it must be tested again.
Permission: units.assemble at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409), unit.built_in (409), unit.on_hold (423), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call is another assembly.
Locks: the unit.$$;

create function public.hold_unit(p_sn text, p_reason text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.hold', p_sn, p_request_id, 'hold_unit', jsonb_build_array(p_sn, p_reason));
  v_unit public.units := v_command.unit;
  v_change public.unit_change := private.unit_unchanged(v_unit);
begin
  if v_command.answer is null then
    perform private.check_unit_reason(p_reason);
    if v_unit.status = 'SCRAPPED' then
      perform private.refuse_unit_state(v_unit, 'held');
    elsif private.hold_units(array[v_unit.sn], p_reason, v_command.actor) <> '{}' then
      select u.* into v_unit from public.units u where u.sn = v_unit.sn;
      v_change := private.unit_unchanged(v_unit);
      v_change.changed := true;
    end if;
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.hold_unit is
$$Nothing more is done with the unit until it is released; in stock its piece is set aside, so that nobody is promised it. One that is held already
keeps its first reason.
Permission: units.hold at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409) when scrapped, unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the unit, then the item in stock and the order lines it is promised to.$$;

create function public.release_unit(p_sn text, p_reason text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.hold', p_sn, p_request_id, 'release_unit', jsonb_build_array(p_sn, p_reason));
  v_unit public.units := v_command.unit;
  v_change public.unit_change := private.unit_unchanged(v_unit);
begin
  if v_command.answer is null then
    perform private.check_length('p_reason', p_reason, 500);
    if v_unit.status = 'ON_HOLD' then
      delete from private.recall_claims c where c.kind = 'unit' and c.key = v_unit.sn and c.is_cause;
      perform private.end_holds(array[v_unit.sn], p_reason, v_command.actor);
      select u.* into v_unit from public.units u where u.sn = v_unit.sn;
      v_change := private.unit_unchanged(v_unit);
      v_change.changed := true;
      v_change.event_id := (select e.id from public.events e where e.stream = 'unit' and e.stream_id = v_unit.sn order by e.id desc limit 1);
      if v_unit.status = 'ON_HOLD' then
        v_change.notices := jsonb_build_array(jsonb_build_object('code', 'unit.still_held', 'message', format('%s stays on hold for another recall: %s.',
          v_unit.sn, rtrim(v_unit.hold_reason, ' .')), 'details', jsonb_build_object('reason', v_unit.hold_reason)));
      end if;
    end if;
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.release_unit is
$$The hold ends: the unit is again what it was before, and its piece is free stock again. A unit that another recall wants held too stays on hold
for that one (notices unit.still_held); released once more, that recall lets go of it too.
Permission: units.hold at the site of the unit.
Errors: unit.unknown (404), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it a repeat of a free unit answers changed = false.
Locks: the unit, then the item in stock and the order lines it is promised to.$$;

create function private.off_hold(p_unit public.units)
returns public.units language plpgsql immutable set search_path = '' as $$
declare
  v_new public.units := p_unit;
begin
  if p_unit.status = 'ON_HOLD' then
    v_new.status := p_unit.status_before_hold;
    v_new.status_before_hold := null; v_new.hold_reason := null; v_new.held_at := null; v_new.held_by := null;
    v_new.hold_location := null;
  end if;
  return v_new;
end $$;
comment on function private.off_hold is 'A copy as it was before the hold.';

grant execute on function public.create_generic_units, public.assign_unit_variant, public.record_flash, public.record_assembly,
  public.hold_unit, public.release_unit to authenticated, service_role;
