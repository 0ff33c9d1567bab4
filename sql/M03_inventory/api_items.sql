create function private.with_item_fields(p_item public.inventory_items, p_fields jsonb)
returns public.inventory_items language plpgsql stable set search_path = '' as $$
declare
  v_item public.inventory_items := jsonb_populate_record(p_item, (
    select coalesce(jsonb_object_agg(f.key, f.value), '{}') from jsonb_each(p_fields) f
     where f.value <> 'null' and f.key in ('title', 'kind', 'uom', 'is_stocked', 'forbid_negative', 'is_listed', 'min_stock', 'supplier',
       'unit_cost', 'is_active')));
begin
  v_item.supplier := nullif(v_item.supplier, '');
  return v_item;
end $$;
comment on function private.with_item_fields is 'The item with new values {field: value}; null leaves a field alone, an empty supplier clears it.';

create function private.save_item(p_sku text, p_fields jsonb)
returns public.inventory_items language plpgsql set search_path = '' as $$
declare
  v_old public.inventory_items;
  v_new public.inventory_items;
begin
  insert into public.inventory_items (sku, title) values (p_sku, coalesce(p_fields ->> 'title', p_sku)) on conflict do nothing;
  select i.* into v_old from public.inventory_items i where lower(i.sku) = lower(p_sku) for update;
  v_new := private.with_item_fields(v_old, p_fields);
  if v_new is not distinct from v_old then
    return v_old;
  end if;
  perform private.lock_stock(array[v_old.sku]);
  if v_new.forbid_negative and not v_old.forbid_negative and exists (
    select 1 from public.inventory_balances b where b.sku = v_old.sku and b.on_hand < 0) then
    perform private.fail(409, 'item.negative', v_old.title || ' is below zero somewhere. Count or adjust it first.', jsonb_build_object('sku', v_old.sku));
  elsif v_old.is_stocked and not v_new.is_stocked and exists (
    select 1 from public.inventory_balances b where b.sku = v_old.sku and b.on_hand <> 0) then
    perform private.fail(409, 'item.in_use', 'There is still stock of ' || v_old.title || '.', jsonb_build_object('sku', v_old.sku));
  end if;
  update public.inventory_items i
     set (title, kind, uom, is_stocked, forbid_negative, is_listed, min_stock, supplier, unit_cost, is_active) =
       (v_new.title, v_new.kind, v_new.uom, v_new.is_stocked, v_new.forbid_negative, v_new.is_listed, v_new.min_stock, v_new.supplier,
        v_new.unit_cost, v_new.is_active)
   where i.sku = v_old.sku returning i.* into v_new;
  return v_new;
end $$;
comment on function private.save_item is
  'Add an item or change the given fields. Errors: item.negative (409), item.in_use (409); constraints by name. Locks: the item and its stock.';

create function public.upsert_item(
  p_sku text, p_title text default null, p_kind text default null, p_uom text default null, p_min_stock numeric default null,
  p_supplier text default null, p_unit_cost numeric default null, p_forbid_negative boolean default null, p_is_stocked boolean default null,
  p_is_listed boolean default null, p_is_active boolean default null, p_version integer default null, p_request_id uuid default null)
returns public.inventory_items language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.manage');
  v_fields jsonb := jsonb_strip_nulls(jsonb_build_object('title', p_title, 'kind', p_kind, 'uom', p_uom, 'min_stock', p_min_stock,
    'supplier', p_supplier, 'unit_cost', p_unit_cost, 'forbid_negative', p_forbid_negative, 'is_stocked', p_is_stocked,
    'is_listed', p_is_listed, 'is_active', p_is_active));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'upsert_item', jsonb_build_array(p_sku, v_fields, p_version));
  v_before public.inventory_items;
  v_item public.inventory_items;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.inventory_items, v_answer);
  end if;
  select i.* into v_before from public.inventory_items i where lower(i.sku) = lower(p_sku) for update;
  if p_version is not null and p_version <> coalesce(v_before.version, 0) then
    perform private.fail(409, 'item.stale', 'Somebody changed this item meanwhile. Look again before you save.',
      jsonb_build_object('expected', coalesce(v_before.version, 0), 'actual', p_version));
  end if;
  v_item := private.save_item(p_sku, v_fields);
  if v_item is distinct from v_before then
    perform private.emit('item', v_item.sku, 'item.saved', v_actor, jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_item)));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_item));
  return v_item;
end $$;
comment on function public.upsert_item is
$$Add an item, or change it: null leaves a field alone, an empty supplier clears it. The SKU is found whatever its case and never changes.
p_min_stock in uom, p_unit_cost per uom. p_version (0 = new) refuses to overwrite somebody else's edit.
Permission: inventory.manage.
Errors: item.stale (409), item.negative (409), item.in_use (409), request.reused (422); constraints by name (inventory_items_kind_check …).
Idempotency: by p_request_id; the same values again change nothing.
Locks: the item and its stock.$$;

create function public.set_min_stock(p_sku text, p_min_stock numeric, p_request_id uuid default null)
returns public.inventory_items language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.adjust');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'set_min_stock', jsonb_build_array(p_sku, p_min_stock));
  v_before public.inventory_items;
  v_item public.inventory_items;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.inventory_items, v_answer);
  end if;
  v_before := private.item_to_move(p_sku);
  if p_min_stock is distinct from 0 then
    perform private.check_quantity('p_min_stock', p_min_stock);
  end if;
  v_item := private.save_item(v_before.sku, jsonb_build_object('min_stock', p_min_stock));
  if v_item is distinct from v_before then
    perform private.emit('item', v_item.sku, 'item.saved', v_actor, jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_item)));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_item));
  return v_item;
end $$;
comment on function public.set_min_stock is
$$How much should always be there (uom; 0 = no alarm). At or below it the item is low.
Permission: inventory.adjust.
Errors: item.unknown (404), item.not_stocked (422), stock.quantity (422), request.reused (422).
Idempotency: by p_request_id; the same value again changes nothing.
Locks: the item and its stock.$$;

create function public.upsert_location(
  p_code text, p_title text default null, p_kind text default null, p_site text default null, p_is_default boolean default null,
  p_is_active boolean default null, p_request_id uuid default null)
returns public.locations language plpgsql security definer set search_path = '' as $$
declare
  v_old public.locations := private.place(coalesce(p_code, ''));
  v_site text := coalesce(p_site, v_old.site);
  v_actor uuid := private.authorize('inventory.manage', null, v_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'upsert_location',
    jsonb_build_array(p_code, p_title, p_kind, p_site, p_is_default, p_is_active));
  v_place public.locations;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.locations, v_answer);
  end if;
  perform private.authorize('inventory.manage', null, v_old.site);   -- who takes one over must have had it
  select l.* into v_old from public.locations l where l.code = p_code for update;   -- movements on their way land first
  if not exists (select 1 from public.sites si where si.code = v_site) then
    perform private.fail(404, 'site.unknown', 'There is no site ' || coalesce(v_site, '') || '.', jsonb_build_object('site', v_site));
  elsif v_old.is_default and (not p_is_default or not p_is_active) then
    perform private.fail(409, 'location.is_default', 'Make another location the default one first.', jsonb_build_object('location', p_code));
  elsif (v_old.site <> v_site or v_old.kind <> p_kind or not p_is_active)
     and exists (select 1 from public.inventory_balances b where b.location = p_code and b.on_hand <> 0) then
    perform private.fail(409, 'location.in_use', 'There is stock at ' || v_old.title || '. Move it first.', jsonb_build_object('location', p_code));
  end if;
  if p_is_default then
    update public.locations l set is_default = false where l.site = v_site and l.is_default and l.code <> p_code;
  end if;
  insert into public.locations as l (code, site, title, kind, is_default, is_active)
  values (p_code, v_site, coalesce(p_title, p_code), coalesce(p_kind, 'warehouse'), coalesce(p_is_default, false), coalesce(p_is_active, true))
  on conflict on constraint locations_pkey do update
    set site = v_site, title = coalesce(p_title, l.title), kind = coalesce(p_kind, l.kind), is_default = coalesce(p_is_default, l.is_default),
        is_active = coalesce(p_is_active, l.is_active)
  returning l.* into v_place;
  if v_place is distinct from v_old then
    perform private.emit('location', v_place.code, 'location.saved', v_actor,
      jsonb_build_object('before', to_jsonb(v_old), 'after', to_jsonb(v_place)), null, v_place.site);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_place));
  return v_place;
end $$;
comment on function public.upsert_location is
$$Add a place or change it; null leaves a field alone. p_kind: warehouse, finished_goods, station (free stock), wip, quarantine (not free).
A site has one default place: making one the default takes it from the other.
Permission: inventory.manage at the site, and at the site it was.
Errors: site.unknown (404), location.is_default (409), location.in_use (409), request.reused (422); constraints by name (locations_kind_check …).
Idempotency: by p_request_id; the same values again change nothing.
Locks: the location, and the default one of its site.$$;

grant execute on function public.upsert_item, public.set_min_stock, public.upsert_location to authenticated, service_role;
