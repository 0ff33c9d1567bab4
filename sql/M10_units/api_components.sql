-- What goes into a unit, and comes out of it again.

create type public.component_change as (
  changed boolean, event_id bigint, component public.unit_components, unit public.units, next_action text);
comment on type public.component_change is 'Answer of install and uninstall: did it change anything, its event, the component, the unit now, what to do next.';

create type private.component_found as (sku text, lot public.lots, inner_sn text);
comment on type private.component_found is 'What was scanned as a component: its item, its lot if it has one, and its serial when it is a unit of ours.';

create function private.find_component(p_sku text, p_lot text, p_component_sn text)
returns private.component_found language plpgsql stable set search_path = '' as $$
declare
  v_found private.component_found;
  v_inner public.units;
  v_lot public.lots;
begin
  if p_sku is not null then
    v_found.sku := (private.find_item(p_sku)).sku;
  end if;
  if p_lot is not null then
    v_lot := private.find_lot(v_found.sku, p_lot);
    v_found.lot := v_lot;
    v_found.sku := v_lot.sku;
  end if;
  if p_component_sn is not null then
    select u.* into v_inner from public.units u where u.sn = private.serial_of(p_component_sn);
    v_found.inner_sn := v_inner.sn;
    v_found.sku := coalesce(v_found.sku, (select v.sku from public.product_variants v where v.code = v_inner.variant_code));
  end if;
  if v_found.sku is null then
    perform private.fail(422, 'component.sku_required', 'Say which item it is, or scan its lot.',
      jsonb_build_object('field', 'p_sku', 'component_sn', p_component_sn));
  end if;
  return v_found;
end $$;

create function private.check_component(p_unit public.units, p_found private.component_found, p_component_sn text, p_quantity numeric)
returns void language plpgsql set search_path = '' as $$
declare
  v_lot public.lots;
  v_inner public.units;
  v_where text;
begin
  select l.* into v_lot from public.lots l where l.id = (p_found.lot).id for share;
  perform private.refuse_lot_elsewhere(v_lot, p_unit.site);
  select u.* into v_inner from public.units u where u.sn = p_found.inner_sn;
  select c.sn into v_where from public.unit_components c
   where c.component_sn = coalesce(p_found.inner_sn, p_component_sn) and c.sku = p_found.sku and c.removed_at is null;
  if v_lot.held_at is not null then
    perform private.fail(423, 'lot.on_hold', format('Lot %s of %s is on hold: %s Use another one.', v_lot.code, v_lot.sku, v_lot.hold_reason),
      jsonb_build_object('lot', v_lot.code, 'sku', v_lot.sku, 'reason', v_lot.hold_reason));
  elsif p_component_sn is not null and p_quantity <> 1 then
    perform private.fail(422, 'component.one_serial', 'A serial number is one piece.', jsonb_build_object('field', 'p_quantity', 'actual', p_quantity));
  elsif v_where is not null then
    perform private.fail(409, 'component.elsewhere', format('%s is built into %s. Take it out there first.', p_component_sn, v_where),
      jsonb_build_object('component_sn', p_component_sn, 'built_into', v_where));
  elsif v_inner.sn = p_unit.sn then
    perform private.fail(409, 'trace.circle', 'A unit is not a part of itself.', jsonb_build_object('parent', v_inner.sn, 'child', p_unit.sn));
  elsif v_inner.status in ('ON_HOLD', 'SCRAPPED') then
    perform private.refuse_unit_state(v_inner, 'built in');
  elsif v_inner.box_code is not null then
    perform private.fail(409, 'component.in_box', format('%s is in box %s. Take it out first.', v_inner.sn, v_inner.box_code),
      jsonb_build_object('component_sn', v_inner.sn, 'box', v_inner.box_code));
  end if;
end $$;
comment on function private.check_component is
$$Errors: lot.on_hold (423), component.one_serial (422), component.elsewhere (409), trace.circle (409), unit.on_hold (423), unit.wrong_state (409),
component.in_box (409). Locks: the lot, shared, until the transaction ends: nobody holds it between this look and the commit.$$;

create function private.begin_assembly(
  p_sn text, p_inner_sn text, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.unit_command language plpgsql set search_path = '' as $$
declare
  v_command private.unit_command;
begin
  perform private.begin_genealogy();
  perform 1 from public.units u where u.sn in (private.serial_of(p_sn), private.serial_of(p_inner_sn)) order by u.sn for update;
  v_command := private.begin_unit('units.assemble', p_sn, p_request_id, p_rpc, p_args);
  if v_command.answer is null then
    perform private.check_step(v_command.unit, 'install', 'changed');
    perform private.refuse_built_in((v_command.unit).sn);
  end if;
  return v_command;
end $$;
comment on function private.begin_assembly is
$$Guard, replay and locks for a change of what is in a unit. Errors: those of begin_unit, unit.wrong_state (409), unit.on_hold (423),
unit.built_in (409). Locks: the genealogy, shared, then the unit and the one that goes in, by serial.$$;

create function private.finish_assembly(
  p_command private.unit_command, p_component public.unit_components, p_event text, p_invalidates boolean, p_payload jsonb)
returns public.component_change language plpgsql set search_path = '' as $$
declare
  v_saved public.unit_change := private.save_unit(p_command.unit, case when p_invalidates then private.invalidate_tests(p_command.unit)
    else p_command.unit end, p_event, p_command.actor, jsonb_strip_nulls(p_payload));
  v_change public.component_change := row(true, v_saved.event_id, p_component, v_saved.unit, v_saved.next_action)::public.component_change;
begin
  perform private.remember(p_command.actor, p_command.request_id, to_jsonb(v_change));
  return v_change;
end $$;

create function private.component_unchanged(p_command private.unit_command, p_component public.unit_components)
returns public.component_change language plpgsql set search_path = '' as $$
declare
  v_change public.component_change := row(false, null, p_component, p_command.unit, private.next_unit_action(p_command.unit))::public.component_change;
begin
  perform private.remember(p_command.actor, p_command.request_id, to_jsonb(v_change));
  return v_change;
end $$;

create function private.link_component(p_component public.unit_components, p_is_in boolean)
returns void language plpgsql set search_path = '' as $$
declare
  v_lot text := (select l.code from public.lots l where l.id = p_component.lot_id);
  v_kind text;
  v_key text;
begin
  for v_kind, v_key in
    select 'lot', v_lot where v_lot is not null
    union all
    select case when exists (select from public.units u where u.sn = p_component.component_sn) then 'unit' else 'serial' end, p_component.component_sn
     where p_component.component_sn is not null
    union all
    select 'item', p_component.sku where num_nonnulls(p_component.lot_id, p_component.component_sn) = 0
  loop
    if p_is_in then
      perform private.link(v_kind, v_key, 'unit', p_component.sn, p_component.quantity, case when v_kind <> 'unit' then p_component.sku end);
    else
      perform private.unlink(v_kind, v_key, 'unit', p_component.sn, p_component.quantity, case when v_kind <> 'unit' then p_component.sku end);
    end if;
  end loop;
end $$;
comment on function private.link_component is 'The edges of a component: from its lot, from its serial or unit, and from its item when it has neither.';

create function private.take_component(p_unit public.units, p_sku text, p_quantity numeric, p_location text, p_actor uuid)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_place public.locations := private.place(p_location);
  v_id bigint;
begin
  perform private.check_place(v_place, p_location);
  v_id := private.post_txn((private.item_to_move(p_sku)).sku, v_place.code, 'consume', -p_quantity, 'unit', p_unit.sn, null, p_actor);
  perform private.allocate(array[p_sku], jsonb_build_object('event', 'unit.component_installed', 'ref', p_unit.sn));
  return v_id;
end $$;
comment on function private.take_component is
  'Takes a component from the shelf. Errors: location.unknown (404), location.inactive (409), item.not_stocked (422), stock.short (409). Locks: the item.';

create function private.put_back_component(p_component public.unit_components, p_reason text, p_actor uuid)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_taken public.inventory_txn;
  v_id bigint;
begin
  select t.* into v_taken from public.inventory_txn t where t.id = p_component.txn_id;
  if v_taken.id is null then
    return null;
  end if;
  v_id := private.post_txn(v_taken.sku, v_taken.location, v_taken.kind, -v_taken.quantity, v_taken.ref_stream, v_taken.ref_id, p_reason, p_actor,
    v_taken.unit_cost, null, v_taken.id);
  perform private.allocate(array[v_taken.sku], jsonb_build_object('event', 'unit.component_removed', 'ref', v_taken.ref_id));
  return v_id;
end $$;
comment on function private.put_back_component is 'What was taken from the shelf goes back there; null when nothing was taken. Locks: the item.';

create function public.install_component(
  p_sn text, p_sku text default null, p_lot text default null, p_component_sn text default null, p_quantity numeric default 1,
  p_location text default null, p_request_id uuid default null)
returns public.component_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.assemble');
  v_command private.unit_command := private.begin_assembly(p_sn, p_component_sn, p_request_id, 'install_component',
    jsonb_build_array(p_sn, p_sku, p_lot, p_component_sn, p_quantity, p_location));
  v_found private.component_found;
  v_component public.unit_components;
begin
  if v_command.answer is not null then
    return jsonb_populate_record(null::public.component_change, v_command.answer);
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  v_found := private.find_component(p_sku, p_lot, nullif(trim(p_component_sn), ''));
  v_component.component_sn := coalesce(v_found.inner_sn, nullif(trim(p_component_sn), ''));
  select c.* into v_component from public.unit_components c where c.sn = (v_command.unit).sn and c.sku = v_found.sku
    and c.component_sn = v_component.component_sn and c.removed_at is null;
  if v_component.id is not null then
    return private.component_unchanged(v_command, v_component);
  end if;
  v_component.component_sn := coalesce(v_found.inner_sn, nullif(trim(p_component_sn), ''));
  perform private.check_component(v_command.unit, v_found, v_component.component_sn, p_quantity);
  insert into public.unit_components as c (sn, sku, lot_id, component_sn, quantity, installed_by)
  values ((v_command.unit).sn, v_found.sku, (v_found.lot).id, v_component.component_sn, p_quantity,
    nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
  returning c.* into v_component;
  perform private.link_component(v_component, true);
  if p_location is not null then
    perform private.authorize('inventory.move', null, (private.place(p_location)).site);
    update public.unit_components c set txn_id = private.take_component(v_command.unit, v_found.sku, p_quantity, p_location, v_actor)
     where c.id = v_component.id returning c.* into v_component;
  end if;
  return private.finish_assembly(v_command, v_component, 'unit.component_installed', (v_command.unit).status = 'ASSEMBLED', jsonb_build_object(
    'component_id', v_component.id, 'sku', v_found.sku, 'lot', (v_found.lot).code, 'component_sn', v_component.component_sn,
    'quantity', trim_scale(p_quantity), 'txn_id', v_component.txn_id));
end $$;
comment on function public.install_component is
$$This went into the unit: so much of an item, of a lot (p_lot), or one piece with a serial number (p_component_sn: one of our units, or the
number on a bought part). p_sku may be left out when the lot or the unit says it. p_location: take it from the shelf there; without it stock is
not touched. Into an assembled unit it is a change that earlier tests do not survive.
Permission: units.assemble at the unit's site; inventory.move too when it is taken from the shelf.
Errors: unit.unknown (404), unit.wrong_state (409), unit.on_hold (423), unit.built_in (409), item.unknown (404), lot.unknown (404), lot.ambiguous (409), lot.on_hold (423), component.sku_required (422), component.one_serial (422), component.elsewhere (409), component.in_box (409), trace.circle (409), stock.quantity (422), location.unknown (404), location.inactive (409), item.not_stocked (422), stock.short (409), request.reused (422).
Idempotency: by p_request_id; the same serial number again changes nothing, the same lot again adds to it.
Locks: the genealogy (shared), the units by serial, the lot (shared), then the item.$$;

create function public.uninstall_component(
  p_component_id bigint, p_removal text default 'recovered', p_reason text default null, p_request_id uuid default null)
returns public.component_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.assemble');
  v_component public.unit_components := (select c from public.unit_components c where c.id = p_component_id);
  v_command private.unit_command;
  v_txn bigint;
begin
  if v_component.id is null then
    perform private.fail(404, 'component.unknown', 'There is no such component.', jsonb_build_object('component_id', p_component_id));
  end if;
  v_command := private.begin_assembly(v_component.sn, v_component.component_sn, p_request_id, 'uninstall_component',
    jsonb_build_array(p_component_id, p_removal, p_reason));
  if v_command.answer is not null then
    return jsonb_populate_record(null::public.component_change, v_command.answer);
  end if;
  select c.* into v_component from public.unit_components c where c.id = p_component_id;
  perform private.check_length('p_reason', p_reason, 500);
  if v_component.removed_at is not null then
    return private.component_unchanged(v_command, v_component);
  elsif p_removal is null or p_removal not in ('recovered', 'scrapped') then
    perform private.fail(422, 'component.removal', 'Say what becomes of it: recovered or scrapped.', jsonb_build_object('field', 'p_removal', 'actual', p_removal));
  elsif p_removal = 'scrapped' and exists (select from public.units u where u.sn = v_component.component_sn) then
    perform private.fail(422, 'component.is_unit', format('%s is a unit of its own: take it out as recovered, then scrap it.', v_component.component_sn),
      jsonb_build_object('field', 'p_removal', 'component_sn', v_component.component_sn));
  end if;
  update public.unit_components c
     set removed_at = now(), removed_by = nullif(v_actor, '00000000-0000-0000-0000-000000000000'), removal = p_removal, remove_reason = p_reason
   where c.id = p_component_id returning c.* into v_component;
  perform private.link_component(v_component, false);
  v_txn := case when p_removal = 'recovered' then private.put_back_component(v_component, p_reason, v_actor) end;
  update public.units u set hold_location = a.place   -- on hold it comes back to no shelf that others are promised from
    from private.set_aside(array(select i.sn from public.units i where i.sn = v_component.component_sn and i.status = 'ON_HOLD'), p_reason, v_actor, '{}') a
   where u.sn = a.sn;
  return private.finish_assembly(v_command, v_component, 'unit.component_removed', true, jsonb_build_object(
    'component_id', v_component.id, 'sku', v_component.sku, 'lot_id', v_component.lot_id, 'component_sn', v_component.component_sn,
    'quantity', trim_scale(v_component.quantity), 'removal', p_removal, 'reason', p_reason,
    'txn_id', v_txn));
end $$;
comment on function public.uninstall_component is
$$Taken out of the unit again, as it was installed (p_component_id). p_removal recovered: it may be used again, and goes back on the shelf if it
was taken from there; scrapped: it is thrown away. Earlier tests of the unit no longer count.
Permission: units.assemble at the unit's site.
Errors: component.unknown (404), unit.wrong_state (409), unit.on_hold (423), unit.built_in (409), component.removal (422), component.is_unit (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; what is out already stays as it is.
Locks: the genealogy (shared), the units by serial, then the item.$$;

grant execute on function public.install_component, public.uninstall_component to authenticated, service_role;
