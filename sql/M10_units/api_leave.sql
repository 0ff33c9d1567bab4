-- Ways out of the box and out of stock: unpacked, to rework, scrapped.

create function private.leave_box(p_unit public.units)
returns void language plpgsql set search_path = '' as $$
declare
  v_box public.boxes;
begin
  select b.* into v_box from public.boxes b where b.code = p_unit.box_code for update;
  if v_box.code is null or v_box.shipped_at is not null then
    return;   -- it was shipped in that box: that stays true
  elsif v_box.sealed_at is not null then
    perform private.fail(409, 'box.sealed', format('%s is in the box %s, which is sealed. Open the box first.', p_unit.sn, v_box.code),
      jsonb_build_object('box', v_box.code, 'sn', p_unit.sn));
  end if;
  perform private.unlink('unit', p_unit.sn, 'box', v_box.code);
end $$;
comment on function private.leave_box is 'A locked unit is taken out of its box. Errors: box.sealed (409). Locks: the box.';

create function private.piece_at(p_unit public.units)
returns text language plpgsql stable set search_path = '' as $$
begin
  return coalesce((
    select b.location from public.inventory_balances b join public.locations l on l.code = b.location
     where b.sku = p_unit.stock_sku and l.site = p_unit.site and l.is_free and b.on_hand >= 1
     order by b.location <> p_unit.stock_location, b.location limit 1), p_unit.stock_location);
end $$;
comment on function private.piece_at is 'The shelf a piece of this unit is on: where it was put, unless it was moved to another one of the site. The item is locked.';

create function private.leave_stock(p_unit public.units, p_kind text, p_reason text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_id bigint;
begin
  if coalesce(p_unit.status_before_hold, p_unit.status) <> 'IN_FINISHED_STOCK' or p_unit.shipped_at is not null then
    return;   -- not in stock, or its order took it out
  end if;
  perform private.lock_stock(array[p_unit.stock_sku]);
  v_id := private.post_txn(p_unit.stock_sku, coalesce(p_unit.hold_location, private.piece_at(p_unit)), p_kind, -1, 'unit', p_unit.sn, p_reason, p_actor);
  perform private.allocate(array[p_unit.stock_sku], jsonb_build_object('event', 'unit.' || p_kind, 'ref', p_unit.sn));
  perform private.emit_moves(case p_kind when 'scrap' then 'stock.scrapped' else 'stock.issued' end, array[v_id], p_actor);
end $$;
comment on function private.leave_stock is
'A unit that is in finished stock leaves it: one piece of the item it was booked as. Errors: stock.short (409) where the item forbids negatives. Locks: the item.';

create function private.unpacked(p_unit public.units)
returns public.units language plpgsql immutable set search_path = '' as $$
declare
  v_new public.units := private.off_hold(p_unit);
begin
  v_new.kit_id := null; v_new.box_code := null; v_new.packed_at := null; v_new.stocked_at := null; v_new.stock_sku := null;
  v_new.stock_location := null; v_new.shipped_at := null;
  return v_new;
end $$;
comment on function private.unpacked is 'A copy that is in no box and in no stock.';

create function private.free_kit(p_unit public.units)
returns void language plpgsql set search_path = '' as $$
begin
  if p_unit.shipped_at is null then   -- what was shipped was used
    update public.packaging_kits k set used_by_sn = null where k.used_by_sn = p_unit.sn;
  end if;
end $$;

create function public.unpack_unit(p_sn text, p_reason text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.unpack', p_sn, p_request_id, 'unpack_unit', jsonb_build_array(p_sn, p_reason));
  v_unit public.units := v_command.unit;
  v_new public.units;
  v_change public.unit_change;
begin
  if v_command.answer is null then
    perform private.check_unit_reason(p_reason);
    perform private.check_step(v_unit, 'unpack', 'unpacked');
    perform private.free_kit(v_unit);
    perform private.leave_box(v_unit);
    v_new := private.unpacked(v_unit);
    v_new.status := case when v_unit.assembled_at is null then 'TEST_PASS' else 'ASSEMBLED' end;
    v_change := private.save_unit(v_unit, v_new, 'unit.unpacked', v_command.actor, jsonb_build_object('reason', p_reason, 'kit_id', v_unit.kit_id));
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.unpack_unit is
$$A packed unit that is not in stock yet comes out of its box; its kit is free again, and has to be scanned again.
Permission: units.unpack at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409), unit.on_hold (423), box.sealed (409), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id.
Locks: the unit, its kit, its box.$$;

create function public.send_to_rework(p_sn text, p_reason text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.rework', p_sn, p_request_id, 'send_to_rework', jsonb_build_array(p_sn, p_reason));
  v_unit public.units := v_command.unit;
  v_new public.units;
  v_change public.unit_change := private.unit_unchanged(v_unit);
begin
  if v_command.answer is null then
    perform private.check_unit_reason(p_reason);
    if v_unit.status <> 'REWORK' then
      perform private.check_step(v_unit, 'rework', 'reworked');
      perform private.refuse_built_in(v_unit.sn);
      perform private.free_kit(v_unit);
      perform private.leave_box(v_unit);
      perform private.leave_stock(v_unit, 'issue', p_reason, v_command.actor);
      v_new := private.unpacked(v_unit);
      v_new.status := 'REWORK';
      v_new.build_no := v_unit.build_no + 1;
      v_new.assembled_at := null;
      v_change := private.save_unit(v_unit, v_new, 'unit.reworked', v_command.actor, jsonb_build_object('reason', p_reason));
    end if;
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.send_to_rework is
$$The unit goes back to be repaired: its tests no longer count, it leaves box, kit and stock. A shipped unit that came back, too; its stock is not touched then.
Permission: units.rework at the site of the unit.
Errors: unit.unknown (404), unit.wrong_state (409), unit.on_hold (423), unit.built_in (409), box.sealed (409), stock.short (409), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a unit in rework stays as it is: changed = false.
Locks: the unit, its kit, its box, then the item in stock and the order lines it is promised to.$$;

create function public.scrap_unit(p_sn text, p_reason text default null, p_request_id uuid default null)
returns public.unit_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_unit('units.scrap', p_sn, p_request_id, 'scrap_unit', jsonb_build_array(p_sn, p_reason));
  v_unit public.units := v_command.unit;
  v_new public.units;
  v_change public.unit_change := private.unit_unchanged(v_unit);
begin
  if v_command.answer is null then
    perform private.check_unit_reason(p_reason);
    if v_unit.status <> 'SCRAPPED' then
      perform private.refuse_built_in(v_unit.sn);
      perform private.leave_box(v_unit);
      perform private.leave_stock(v_unit, 'scrap', p_reason, v_command.actor);
      v_new := private.off_hold(v_unit);
      v_new.status := 'SCRAPPED';
      v_new.scrapped_at := now();
      v_new.box_code := null;
      v_new.stock_sku := null;
      v_new.stock_location := null;
      delete from private.recall_claims c where c.kind = 'unit' and c.key = v_unit.sn;
      v_change := private.save_unit(v_unit, v_new, 'unit.scrapped', v_command.actor, jsonb_build_object('reason', p_reason, 'from', v_unit.status));
    end if;
  end if;
  return private.finish_unit(v_command, v_change);
end $$;
comment on function public.scrap_unit is
$$The unit is thrown away, held or not; one in finished stock leaves the stock as scrap. There is no way back, and its kit stays used.
Permission: units.scrap at the site of the unit.
Errors: unit.unknown (404), unit.built_in (409), box.sealed (409), stock.short (409), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a scrapped unit stays as it is: changed = false.
Locks: the unit, its box, then the item in stock and the order lines it is promised to.$$;

grant execute on function public.unpack_unit, public.send_to_rework, public.scrap_unit to authenticated, service_role;
