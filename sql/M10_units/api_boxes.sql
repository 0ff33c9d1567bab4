create type public.box_change as (changed boolean, event_id bigint, box public.boxes, units bigint);
comment on type public.box_change is 'Answer of a command on a box or pallet: did it change anything, its event, the box now, how many units it holds.';

create function private.boxes_of(p_box text)
returns text[] language plpgsql stable set search_path = '' as $$
begin
  return array(select b.code from public.boxes b where b.code = p_box or b.parent = p_box order by b.code);
end $$;
comment on function private.boxes_of is 'The box, or the pallet with its boxes, by code.';

create function private.begin_box(p_permission text, p_box text, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.unit_command language plpgsql set search_path = '' as $$
declare
  v_command private.unit_command;
  v_site text := (select b.site from public.boxes b where b.code = upper(private.clean_code(p_box)));
begin
  v_command.actor := private.authorize(p_permission, null, v_site);
  v_command.request_id := p_request_id;
  if v_site is null then
    perform private.fail(404, 'box.unknown', 'There is no box ' || coalesce(p_box, '') || '.', jsonb_build_object('box', p_box));
  end if;
  v_command.answer := private.replay(v_command.actor, p_request_id, p_rpc, p_args);
  return v_command;
end $$;
comment on function private.begin_box is
'Guard and replay for a command on one box; it locks units first, then boxes. Errors: those of authorize, box.unknown (404), request.reused (422).';

create function private.lock_box(p_box text)
returns public.boxes language plpgsql set search_path = '' as $$
declare
  v_box public.boxes;
begin
  select b.* into v_box from public.boxes b where b.code = upper(private.clean_code(p_box)) for update;
  return v_box;
end $$;

create function private.finish_box(p_command private.unit_command, p_box text, p_event text, p_payload jsonb default '{}')
returns public.box_change language plpgsql set search_path = '' as $$
declare
  v_change public.box_change;
begin
  if p_command.answer is not null then
    return jsonb_populate_record(null::public.box_change, p_command.answer);
  end if;
  v_change.box := (select b from public.boxes b where b.code = p_box);
  v_change.units := (select count(*) from public.units u where u.box_code = any (private.boxes_of(p_box)));
  v_change.changed := p_event is not null;
  if v_change.changed then
    v_change.event_id := private.emit('box', p_box, p_event, p_command.actor,
      p_payload || jsonb_build_object('version', (v_change.box).version, 'units', v_change.units), null, (v_change.box).site);
  end if;
  perform private.remember(p_command.actor, p_command.request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function private.finish_box is 'Emits the event (null: nothing was changed) and answers.';

create function private.refuse_sealed(p_box public.boxes)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_box.shipped_at is not null then
    perform private.fail(409, 'box.shipped', format('The box %s was shipped.', p_box.code), jsonb_build_object('box', p_box.code));
  elsif p_box.sealed_at is not null then
    perform private.fail(409, 'box.sealed', format('The box %s is sealed. Open it first.', p_box.code), jsonb_build_object('box', p_box.code));
  end if;
end $$;

create function public.create_box(
  p_kind text default 'box', p_code text default null, p_site text default null, p_request_id uuid default null)
returns public.box_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command;
  v_site text := coalesce(p_site, private.only_site());
  v_code text := nullif(upper(private.clean_code(p_code)), '');
begin
  v_command.actor := private.authorize('units.pack', null, v_site);
  v_command.request_id := p_request_id;
  v_command.answer := private.replay(v_command.actor, p_request_id, 'create_box', jsonb_build_array(p_kind, p_code, p_site));
  if v_command.answer is null then
    perform private.check_batch(1, 'BOX', v_site);
    if coalesce(p_kind, '') not in ('box', 'pallet') then
      perform private.fail(422, 'box.kind', 'Make a box or a pallet.', jsonb_build_object('field', 'p_kind', 'actual', p_kind));
    end if;
    v_code := coalesce(v_code, (private.next_serials(v_site, upper(p_kind), 1))[1]);
    insert into public.boxes (code, kind, site, created_by)
    values (v_code, p_kind, v_site, nullif(v_command.actor, '00000000-0000-0000-0000-000000000000')) on conflict on constraint boxes_pkey do nothing;
    if not found then
      perform private.fail(409, 'box.exists', format('There is a box %s already.', v_code), jsonb_build_object('box', v_code));
    end if;
  end if;
  return private.finish_box(v_command, v_code, 'box.created', jsonb_build_object('kind', p_kind));
end $$;
comment on function public.create_box is
$$A new box (for units) or pallet (for boxes). p_code: what its label says; left out, it gets a number like 2611-BOX-00001.
Permission: units.pack at the site.
Errors: box.kind (422), box.exists (409), unit.where (422), site.unknown (404), request.reused (422); constraint boxes_code_check.
Idempotency: by p_request_id; without it every call makes another.
Locks: the sequence of its numbers.$$;

create function private.pack_into(p_box public.boxes, p_unit public.units, p_actor uuid)
returns boolean language plpgsql set search_path = '' as $$
declare
  v_new public.units := p_unit;
begin
  perform private.check_step(p_unit, 'box', 'put into a box');
  if p_box.kind <> 'box' then
    perform private.fail(409, 'box.kind_mismatch', format('%s is a pallet: put the unit into a box first.', p_box.code), jsonb_build_object('box', p_box.code));
  elsif p_unit.box_code = p_box.code then
    return false;
  elsif p_unit.box_code is not null then
    perform private.fail(409, 'box.elsewhere', format('%s is in the box %s. Take it out there first.', p_unit.sn, p_unit.box_code),
      jsonb_build_object('sn', p_unit.sn, 'box', p_unit.box_code));
  end if;
  v_new.box_code := p_box.code;
  perform private.link('unit', p_unit.sn, 'box', p_box.code);
  perform private.save_unit(p_unit, v_new, 'unit.boxed', p_actor, jsonb_build_object('box', p_box.code));
  return true;
end $$;

create function private.stack_onto(p_pallet public.boxes, p_box public.boxes)
returns boolean language plpgsql set search_path = '' as $$
begin
  if p_pallet.kind <> 'pallet' or p_box.kind <> 'box' then
    perform private.fail(409, 'box.kind_mismatch', 'Boxes go onto pallets, units into boxes.', jsonb_build_object('box', p_box.code, 'into', p_pallet.code));
  elsif p_box.parent = p_pallet.code then
    return false;
  elsif p_box.parent is not null or p_box.shipped_at is not null or p_box.site <> p_pallet.site then
    perform private.fail(409, 'box.elsewhere', format('%s is elsewhere: %s.', p_box.code, coalesce(p_box.parent, 'shipped, or at another site')),
      jsonb_build_object('box', p_box.code, 'parent', p_box.parent));
  end if;
  update public.boxes b set parent = p_pallet.code where b.code = p_box.code;
  perform private.link('box', p_box.code, 'pallet', p_pallet.code);
  return true;
end $$;

create function public.put_in_box(p_box text, p_what text, p_request_id uuid default null)
returns public.box_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_box('units.pack', p_box, p_request_id, 'put_in_box', jsonb_build_array(p_box, p_what));
  v_sn text := private.serial_of(p_what);
  v_unit public.units;
  v_box public.boxes;
  v_inner public.boxes;
  v_changed boolean;
begin
  if v_command.answer is null then
    perform private.begin_genealogy();
    select u.* into v_unit from public.units u where u.sn = v_sn for update;
    perform 1 from public.boxes b where b.code in (upper(private.clean_code(p_box)), upper(private.clean_code(p_what))) order by b.code for update;
    v_box := private.lock_box(p_box);
    v_inner := private.lock_box(p_what);
    perform private.refuse_sealed(v_box);
    if v_unit.sn is null and v_inner.code is null then
      perform private.fail(404, 'unit.unknown', 'There is no unit or box ' || coalesce(p_what, '') || '.', jsonb_build_object('sn', p_what));
    elsif v_unit.site <> v_box.site then
      perform private.fail(422, 'unit.other_site', format('%s is at the site %s.', v_unit.sn, v_unit.site), jsonb_build_object('expected', v_box.site, 'actual', v_unit.site));
    end if;
    v_changed := case when v_unit.sn is not null then private.pack_into(v_box, v_unit, v_command.actor) else private.stack_onto(v_box, v_inner) end;
  end if;
  return private.finish_box(v_command, v_box.code, case when v_changed then 'box.filled' end, jsonb_build_object('what', p_what));
end $$;
comment on function public.put_in_box is
$$A packed unit goes into a box, or a box onto a pallet. What is in there already stays: changed = false.
Permission: units.pack at the site of the box.
Errors: box.unknown (404), unit.unknown (404), unit.wrong_state (409), unit.on_hold (423), unit.other_site (422), box.sealed (409), box.shipped (409),
box.kind_mismatch (409), box.elsewhere (409), request.reused (422).
Idempotency: by p_request_id.
Locks: the genealogy (shared), the unit, the boxes by code.$$;

create function public.take_from_box(p_box text, p_what text, p_request_id uuid default null)
returns public.box_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_box('units.pack', p_box, p_request_id, 'take_from_box', jsonb_build_array(p_box, p_what));
  v_unit public.units;
  v_new public.units;
  v_box public.boxes;
  v_inner text := upper(private.clean_code(p_what));
  v_changed boolean := false;
begin
  if v_command.answer is null then
    select u.* into v_unit from public.units u where u.sn = private.serial_of(p_what) for update;
    v_new := v_unit;
    perform 1 from public.boxes b where b.code in (upper(private.clean_code(p_box)), v_inner) order by b.code for update;
    v_box := private.lock_box(p_box);
    perform private.refuse_sealed(v_box);
    if v_unit.box_code = v_box.code then
      v_new.box_code := null;
      perform private.unlink('unit', v_unit.sn, 'box', v_box.code);
      perform private.save_unit(v_unit, v_new, 'unit.unboxed', v_command.actor, jsonb_build_object('box', v_box.code));
      v_changed := true;
    elsif exists (select 1 from public.boxes b where b.code = v_inner and b.parent = v_box.code) then
      update public.boxes b set parent = null where b.code = v_inner;
      perform private.unlink('box', v_inner, 'pallet', v_box.code);
      v_changed := true;
    end if;
  end if;
  return private.finish_box(v_command, v_box.code, case when v_changed then 'box.emptied' end, jsonb_build_object('what', p_what));
end $$;
comment on function public.take_from_box is
$$A unit comes out of a box, or a box off a pallet. What is not in there is no error: changed = false.
Permission: units.pack at the site of the box.
Errors: box.unknown (404), box.sealed (409), box.shipped (409), request.reused (422).
Idempotency: by p_request_id.
Locks: the unit, the boxes by code.$$;

create function public.seal_box(p_box text, p_is_sealed boolean default true, p_request_id uuid default null)
returns public.box_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_box('units.pack', p_box, p_request_id, 'seal_box', jsonb_build_array(p_box, p_is_sealed));
  v_box public.boxes;
  v_event text;
begin
  if v_command.answer is null then
    if not p_is_sealed then
      perform private.authorize('units.unpack');
    end if;
    v_box := private.lock_box(p_box);
    if v_box.shipped_at is not null then
      perform private.refuse_sealed(v_box);
    elsif (v_box.sealed_at is null) = p_is_sealed then
      update public.boxes b set sealed_at = case when p_is_sealed then now() end where b.code = v_box.code;
      v_event := case when p_is_sealed then 'box.sealed' else 'box.opened' end;
    end if;
  end if;
  return private.finish_box(v_command, v_box.code, v_event);
end $$;
comment on function public.seal_box is
$$Close a box or pallet: nothing goes in or out any more. p_is_sealed false opens it again, as long as it was not shipped.
Permission: units.pack at the site of the box; to open it units.unpack.
Errors: box.unknown (404), box.shipped (409), request.reused (422).
Idempotency: by p_request_id, and by the state.
Locks: the box.$$;

create function private.order_to_ship(p_box public.boxes, p_order text)
returns public.boxes language plpgsql stable set search_path = '' as $$
declare
  v_new public.boxes := p_box;
begin
  select o.row_id into v_new.order_row_id from public.orders o join public.stores st on st.code = o.store where o.id = p_order and st.site = p_box.site;
  if v_new.order_row_id is null then
    select o.id into v_new.production_order_id from public.production_orders o where o.code = p_order and o.site = p_box.site;
  end if;
  if num_nonnulls(v_new.order_row_id, v_new.production_order_id) = 0 then
    perform private.fail(404, 'order.unknown', format('There is no order %s at this site.', p_order), jsonb_build_object('id', p_order));
  end if;
  return v_new;
end $$;
comment on function private.order_to_ship is 'A copy of the box for a ticket (by id) or a production order (by code) of its site. Errors: order.unknown (404).';

create function private.check_shippable(p_box public.boxes)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_ticket public.orders;
  v_order public.production_orders;
begin
  select o.* into v_ticket from public.orders o where o.row_id = p_box.order_row_id;
  select o.* into v_order from public.production_orders o where o.id = p_box.production_order_id;
  perform private.authorize('units.pack', coalesce(v_ticket.store, v_order.store), p_box.site);
  if v_ticket.cancelled_at is not null then
    perform private.fail(409, 'order.cancelled', 'The order ' || v_ticket.id || ' is cancelled: nothing is sent.', jsonb_build_object('id', v_ticket.id));
  elsif v_order.status = 'CANCELLED' then
    perform private.refuse_closed(v_order);
  end if;
end $$;
comment on function private.check_shippable is
'Something may be sent to the order of this box, by the caller. Errors: those of authorize, order.cancelled (409), production.closed (409).';

create function private.ship_units(p_boxes text[], p_order text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_unit public.units;
  v_new public.units;
begin
  for v_unit in select u.* from public.units u where u.box_code = any (p_boxes) order by u.sn loop
    if v_unit.status <> 'IN_FINISHED_STOCK' then
      perform private.refuse_unit_state(v_unit, 'shipped');
    end if;
    v_new := v_unit;
    v_new.shipped_at := now();
    perform private.save_unit(v_unit, v_new, 'unit.shipped', p_actor, jsonb_build_object('order', p_order, 'box', v_unit.box_code));
  end loop;
end $$;

create function public.ship_box(p_box text, p_order text, p_request_id uuid default null)
returns public.box_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.unit_command := private.begin_box('units.pack', p_box, p_request_id, 'ship_box', jsonb_build_array(p_box, p_order));
  v_codes text[] := private.boxes_of(upper(private.clean_code(p_box)));
  v_box public.boxes;
  v_new public.boxes;
begin
  if v_command.answer is null then
    perform private.begin_genealogy();
    perform 1 from public.units u where u.box_code = any (v_codes) order by u.sn for update;
    perform 1 from public.boxes b where b.code = any (v_codes) order by b.code for update;
    v_box := private.lock_box(p_box);
    v_new := private.order_to_ship(v_box, p_order);
    if v_box.shipped_at is not null and (v_new.order_row_id, v_new.production_order_id) is distinct from (v_box.order_row_id, v_box.production_order_id)
       or v_box.parent is not null then
      perform private.fail(409, 'box.elsewhere', format('%s stands on a pallet, or went to another order.', v_box.code), jsonb_build_object('box', v_box.code));
    elsif v_box.shipped_at is null and (v_box.sealed_at is null or v_codes <> private.boxes_of(v_box.code)) then
      perform private.fail(409, 'box.not_sealed', format('Seal %s first.', v_box.code), jsonb_build_object('box', v_box.code));
    elsif v_box.shipped_at is null then
      perform private.check_shippable(v_new);
      perform private.ship_units(v_codes, p_order, v_command.actor);
      update public.boxes b set shipped_at = now(), sealed_at = coalesce(b.sealed_at, now()), order_row_id = v_new.order_row_id,
        production_order_id = v_new.production_order_id where b.code = any (v_codes);
      perform private.link(v_box.kind, v_box.code, case when v_new.order_row_id is null then 'production_order' else 'order' end, p_order);
    end if;
  end if;
  return private.finish_box(v_command, v_box.code, case when v_box.shipped_at is null then 'box.shipped' end, jsonb_build_object('order', p_order));
end $$;
comment on function public.ship_box is
$$A sealed box, or a pallet with its boxes, leaves with an order: p_order is the id of a ticket or the code of a production order. Its units are
in stock until then; the order takes them out of stock as it takes everything else.
Permission: units.pack at the site of the box, and in the store of the order.
Errors: box.unknown (404), order.unknown (404), order.cancelled (409), production.closed (409), box.not_sealed (409), box.elsewhere (409), unit.wrong_state (409), unit.on_hold (423), request.reused (422).
Idempotency: by p_request_id; shipped with this order already: changed = false.
Locks: the genealogy (shared), the units by serial, the boxes by code.$$;

grant execute on function public.create_box, public.put_in_box, public.take_from_box, public.seal_box, public.ship_box to authenticated, service_role;
