-- Packing: the kit, the gate, the box is closed. What the gate looks at is locked before it is asked, until the unit is packed.

create function public.scan_pack_kit(p_sn text, p_kit_id text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.pack', p_sn, p_request_id, 'scan_pack_kit', jsonb_build_array(p_sn, p_kit_id));
  v_unit public.units := v_command.unit;
  v_new public.units := v_unit;
  v_kit text := private.clean_code(p_kit_id);
  v_change public.unit_change := private.unit_unchanged(v_unit);
begin
  if v_command.answer is null then
    if v_kit = '' or length(v_kit) > 100 then
      perform private.fail(422, 'kit.empty', 'Scan the code on the kit.', jsonb_build_object('field', 'p_kit_id', 'actual', left(v_kit, 100)));
    end if;
    perform private.check_step(v_unit, 'kit', 'given another kit');
    if v_unit.kit_id is distinct from v_kit then
      v_new.kit_id := v_kit;
      v_change := private.save_unit(v_unit, v_new, 'unit.kit_scanned', v_command.actor, jsonb_build_object('kit_id', v_kit));
    end if;
    v_change.notices := (
      select jsonb_agg(jsonb_build_object('code', b ->> 'code', 'message', b ->> 'message', 'details', b))
        from jsonb_array_elements(private.unit_blockers(v_change.unit)) b where b ->> 'code' ~ '^(PACK_KIT|KIT|MANUAL)_');
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.scan_pack_kit is
$$This kit goes into the box of the unit. Any code is remembered; what is wrong with the kit stands in notices, and the gate refuses it.
Permission: units.pack at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409), unit.on_hold (423), kit.empty (422), request.reused (422).
Idempotency: by p_request_id, and by the kit.
Locks: the unit.$$;

create function private.no_unit_gate(p_sn text)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return jsonb_build_object('allowed', false, 'expected', '{}'::jsonb, 'blockers', jsonb_build_array(private.blocker('UNIT_NOT_FOUND',
    'There is no unit ' || coalesce(p_sn, '') || '.', 'Scan the label of the unit again.', 'pack', p_sn)));
end $$;

create function public.check_pack_gate(p_sn text)
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_unit public.units;
begin
  select u.* into v_unit from public.units u where u.sn = private.serial_of(p_sn);
  perform private.authorize('units.read', null, v_unit.site);
  return case when v_unit.sn is null then private.no_unit_gate(p_sn) else private.gate_of(v_unit) end
    || jsonb_build_object('sn', coalesce(v_unit.sn, p_sn), 'status', v_unit.status, 'next_action', private.next_unit_action(v_unit));
end $$;
comment on function public.check_pack_gate is
$$What keeps the unit from being packed right now: {allowed, blockers [{code, message, next_action, target {page, sn}}], expected, sn, status, next_action}.
A look; finalize_pack looks again under its locks.
Permission: units.read at the site of the unit.
Errors: auth.other_site (403); an unknown serial is the blocker UNIT_NOT_FOUND.
Idempotency: a read.
Locks: none.$$;

create function private.lock_gate(p_sn text)
returns public.units language plpgsql set search_path = '' as $$
declare
  v_unit public.units := private.lock_units_of(p_sn);
begin
  perform 1 from public.product_variants v where v.code = v_unit.variant_code for share;   -- its rules are changed under this row
  perform 1 from public.packaging_kits k where k.kit_id = v_unit.kit_id for update;
  perform private.lock_lots_of(p_sn);
  return v_unit;
end $$;
comment on function private.lock_gate is
'Locks everything that can close the gate of a unit: the units inside it and itself, its variant (and so the rules), its kit, the lots inside. What is printed stays printed.';

create function private.pack_refusal(p_status integer, p_hint text, p_message text, p_gate jsonb, p_details jsonb)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return p_gate || jsonb_build_object('ok', false, 'changed', false, 'status', p_status, 'code', 'PT' || p_status, 'hint', p_hint,
    'message', p_message, 'details', p_details);
end $$;
comment on function private.pack_refusal is 'A refusal that is remembered: the gate, and what any error says.';

create function private.refused_pack(p_unit public.units, p_sn text, p_gate jsonb, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_codes jsonb := (select jsonb_agg(b -> 'code') from jsonb_array_elements(p_gate -> 'blockers') b);
  v_event bigint;
begin
  v_event := private.emit('unit', coalesce(p_unit.sn, p_sn, ''), 'unit.pack_refused', p_actor, jsonb_build_object('allowed', false,
    'version', p_unit.version, 'status', p_unit.status, 'codes', v_codes, 'blockers', p_gate -> 'blockers'), null, p_unit.site);
  return private.pack_refusal(409, 'unit.pack_blocked', p_gate #>> '{blockers,0,message}', p_gate || jsonb_build_object('event_id', v_event,
    'sn', coalesce(p_unit.sn, p_sn), 'unit', to_jsonb(p_unit)), jsonb_build_object('sn', coalesce(p_unit.sn, p_sn), 'codes', v_codes));
end $$;

create function private.answer_pack(p_answer jsonb)
returns jsonb language plpgsql set search_path = '' as $$
begin
  if p_answer -> 'allowed' = 'false' then
    perform set_config('response.status', '409', true);
  end if;
  return p_answer;
end $$;
comment on function private.answer_pack is 'A refusal returns normally, so that its event commits, and still is an HTTP error.';

create function public.finalize_pack(p_sn text, p_request_id uuid default null)
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  v_unit public.units := (select u from public.units u where u.sn = private.serial_of(p_sn));
  v_actor uuid := private.authorize('units.pack', null, v_unit.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'finalize_pack', jsonb_build_array(p_sn));
  v_new public.units;
  v_gate jsonb;
  v_change public.unit_change;
begin
  if v_answer is not null then
    return private.answer_pack(v_answer);
  end if;
  if v_unit.sn is not null then
    v_unit := private.lock_gate(v_unit.sn);
    v_change := private.unit_unchanged(v_unit);
    v_gate := case when v_unit.status not in ('PACKED', 'IN_FINISHED_STOCK') then private.gate_of(v_unit)
      else jsonb_build_object('allowed', true, 'blockers', '[]'::jsonb, 'expected', '{}'::jsonb) end;
    if v_unit.status = 'SCRAPPED' then
      perform private.refuse_unit_state(v_unit, 'packed');
    end if;
    perform private.refuse_built_in(v_unit.sn);
  end if;
  v_gate := coalesce(v_gate, private.no_unit_gate(p_sn));
  if v_gate -> 'allowed' = 'false' then
    v_answer := private.refused_pack(v_unit, p_sn, v_gate, v_actor);
  else
    if v_unit.packed_at is null then
      v_new := v_unit;
      v_new.status := 'PACKED';
      v_new.packed_at := now();
      update public.packaging_kits k set used_by_sn = v_unit.sn where k.kit_id = v_unit.kit_id;
      v_change := private.save_unit(v_unit, v_new, 'unit.packed', v_actor, jsonb_build_object('allowed', true, 'kit_id', v_unit.kit_id,
        'rules_version', v_gate #> '{expected,rules_version}'));
    end if;
    v_answer := v_gate || jsonb_build_object('ok', true, 'changed', v_change.changed, 'sn', v_unit.sn, 'event_id', v_change.event_id,
      'unit', to_jsonb(v_change.unit), 'next_action', v_change.next_action);
  end if;
  perform private.remember(v_actor, p_request_id, v_answer);
  return private.answer_pack(v_answer);
end $$;
comment on function public.finalize_pack is
$$Pack the unit if its gate is open; looked at and packed in one transaction. {ok, changed, allowed, blockers, expected, sn, unit, next_action}.
A closed gate answers with HTTP 409, the same object and {code PT409, hint, message}, and is remembered as event unit.pack_refused.
A unit that is packed already answers changed = false.
Permission: units.pack at the site of the unit.
Errors (answered with its HTTP status and remembered): unit.pack_blocked (409); raised: unit.wrong_state (409) when scrapped, unit.built_in (409), request.reused (422).
Idempotency: by p_request_id; without it a refusal is asked again.
Locks: the units inside it and the unit by serial, its variant, its kit, the lots inside.$$;

create function private.piece_of_order(p_unit public.units, p_sku text)
returns text language plpgsql set search_path = '' as $$
begin
  return null;
end $$;
comment on function private.piece_of_order is 'Where the piece of this unit lies in stock already; null: it comes into stock with the unit. M12_production replaces it.';

create function private.book_unit(p_unit public.units, p_sku text, p_from text, p_to text, p_actor uuid)
returns bigint[] language plpgsql set search_path = '' as $$
declare
  v_ids bigint[] := '{}';
begin
  if p_from is null then
    v_ids := array[private.post_txn(p_sku, p_to, 'produce', 1, 'unit', p_unit.sn, null, p_actor)];
  elsif p_from <> p_to then
    v_ids := array[private.post_txn(p_sku, p_from, 'transfer', -1, 'unit', p_unit.sn, null, p_actor),
      private.post_txn(p_sku, p_to, 'transfer', 1, 'unit', p_unit.sn, null, p_actor)];
  end if;
  perform private.allocate(array[p_sku], jsonb_build_object('event', 'unit.moved_to_stock', 'ref', p_unit.sn));
  perform private.emit_moves(case when p_from is null then 'stock.produced' else 'stock.transferred' end, v_ids, p_actor);
  return v_ids;
end $$;
comment on function private.book_unit is 'The piece of a unit comes into stock, or goes from where it lies already to the place of the unit. Locks: the item.';

create function public.move_unit_to_stock(
  p_sn text, p_finished_item text default null, p_location text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.pack', p_sn, p_request_id, 'move_unit_to_stock',
    jsonb_build_array(p_sn, p_finished_item, p_location));
  v_unit public.units := v_command.unit;
  v_new public.units := v_unit;
  v_sku text;
  v_place public.locations;
  v_from text;
  v_ids bigint[];
  v_change public.unit_change := private.unit_unchanged(v_unit);
begin
  if v_command.answer is null and v_unit.status <> 'IN_FINISHED_STOCK' then
    perform private.check_step(v_unit, 'stock', 'moved to stock');
    v_sku := private.finished_item(v_unit, p_finished_item);
    v_place := private.place(coalesce(p_location, private.default_location(v_unit.site)));
    perform private.check_place(v_place, p_location);
    if v_place.site <> v_unit.site then
      perform private.fail(422, 'unit.other_site', format('%s is at the site %s; choose a location there.', v_unit.sn, v_unit.site),
        jsonb_build_object('expected', v_unit.site, 'actual', v_place.site));
    end if;
    v_from := private.piece_of_order(v_unit, v_sku);
    v_ids := private.book_unit(v_unit, v_sku, v_from, v_place.code, v_command.actor);
    v_new.is_counted := v_unit.is_counted or v_from is not null;
    v_new.status := 'IN_FINISHED_STOCK';
    v_new.stocked_at := now();
    v_new.stock_sku := v_sku;
    v_new.stock_location := v_place.code;
    v_change := private.save_unit(v_unit, v_new, 'unit.moved_to_stock', v_command.actor,
      jsonb_build_object('sku', v_sku, 'location', v_place.code, 'txn_id', v_ids[1]));
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.move_unit_to_stock is
$$A packed unit becomes one piece of the finished item of its variant in stock, once. The piece of a routed order of that item is in stock since its last
step counted it good: the unit takes it over, and waits until then. p_finished_item may be left out; given, it must be that item.
p_location: the default place of the site.
Permission: units.pack at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409), unit.on_hold (423), unit.wrong_item (422), variant.no_item (422), unit.other_site (422),
unit.not_counted (409), stock.short (409), item.unknown (404), item.not_stocked (422), item.inactive (409), location.unknown (404), location.required (422), location.inactive (409), request.reused (422).
Idempotency: by p_request_id; a unit in stock stays as it is: changed = false.
Locks: the unit, then the item in stock and the order lines it is promised to.$$;

create function private.finished_item(p_unit public.units, p_given text)
returns text language plpgsql set search_path = '' as $$
declare
  v_sku text := (select v.sku from public.product_variants v where v.code = p_unit.variant_code);
begin
  if v_sku is null then
    perform private.fail(422, 'variant.no_item', format('The variant %s has no finished item. Ask a planner to name it.', p_unit.variant_code),
      jsonb_build_object('variant', p_unit.variant_code));
  elsif lower(p_given) <> lower(v_sku) then
    perform private.fail(422, 'unit.wrong_item', format('%s is a %s, not a %s.', p_unit.sn, v_sku, p_given),
      jsonb_build_object('sn', p_unit.sn, 'expected', v_sku, 'actual', p_given));
  end if;
  return (private.item_to_move(v_sku, true)).sku;
end $$;
comment on function private.finished_item is 'The item that the unit becomes. Errors: variant.no_item (422), unit.wrong_item (422), those of item_to_move.';

grant execute on function public.scan_pack_kit, public.check_pack_gate, public.finalize_pack, public.move_unit_to_stock to authenticated, service_role;
