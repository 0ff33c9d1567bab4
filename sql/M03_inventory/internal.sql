-- Every site has a place, every item its row of stock ---------------------------------------------------------------

create function private.add_default_location(p_site public.sites)
returns void language plpgsql set search_path = '' as $$
declare
  v_code text := p_site.code;
begin
  while exists (select 1 from public.locations l where l.code = v_code) loop
    v_code := v_code || '-stock';
  end loop;
  insert into public.locations (code, site, title, is_default) values (v_code, p_site.code, left('Stock of ' || p_site.name, 200), true);
end $$;
comment on function private.add_default_location is 'The first place of a site; its code is that of the site, or with -stock when a place has it already.';

create function private.tg_sites__location()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.add_default_location(new);
  return null;
end $$;
create trigger _500_location after insert on public.sites for each row execute function private.tg_sites__location();

create function private.tg_inventory_items__stock()
returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into public.inventory_stock (sku, forbid_negative) values (new.sku, new.forbid_negative);
  else
    update public.inventory_stock s set forbid_negative = new.forbid_negative where s.sku = new.sku;
    update public.inventory_balances b set forbid_negative = new.forbid_negative where b.sku = new.sku;
  end if;
  return null;
end $$;
create trigger _100_stamp before update on public.inventory_items for each row execute function private.tg__stamp();
create trigger _500_stock after insert or update of forbid_negative on public.inventory_items
  for each row execute function private.tg_inventory_items__stock();
create trigger _100_stamp before update on public.stock_counts for each row execute function private.tg__stamp();

create function private.tg_inventory_stock__reserved_fits()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_stock public.inventory_stock;
begin
  select s.* into v_stock from public.inventory_stock s where s.sku = new.sku;
  if v_stock.reserved > greatest(v_stock.on_hand, 0) then
    perform private.fail(409, 'stock.over_reserved', format('%s of %s are promised, but only %s are there.', v_stock.reserved, v_stock.sku,
      v_stock.on_hand), jsonb_build_object('sku', v_stock.sku, 'reserved', v_stock.reserved, 'on_hand', v_stock.on_hand));
  end if;
  return null;
end $$;
comment on function private.tg_inventory_stock__reserved_fits is
  'Looked at when the transaction commits: a movement may leave promises too high until private.allocate has taken them back.';
create constraint trigger _800_reserved_fits after insert or update on public.inventory_stock deferrable initially deferred
  for each row when (new.reserved > 0 and new.reserved > new.on_hand) execute function private.tg_inventory_stock__reserved_fits();

-- The ledger -------------------------------------------------------------------------------------------------------

create function private.tg_inventory_txn__book()
returns trigger language plpgsql set search_path = '' as $$
declare
  v_free boolean;
  v_forbid boolean;
begin
  -- Not while upsert_location changes it. The foreign key takes the same lock, but later.
  select l.is_free into v_free from public.locations l where l.code = new.location for key share;
  -- This row first: it is the lock of the item. What comes after it happens to the item in this order.
  update public.inventory_stock s
     set on_hand = s.on_hand + case when v_free then new.quantity else 0 end, held = s.held + case when v_free then 0 else new.quantity end
   where s.sku = new.sku returning s.forbid_negative into v_forbid;
  if v_forbid is null then
    perform private.fail(404, 'item.unknown', 'There is no item ' || coalesce(new.sku, '') || '.', jsonb_build_object('sku', new.sku));
  end if;
  update public.inventory_balances b set on_hand = b.on_hand + new.quantity
   where b.sku = new.sku and b.location = new.location returning b.on_hand into new.balance;
  if new.balance is null then
    insert into public.inventory_balances (sku, location, on_hand, forbid_negative)
    values (new.sku, new.location, new.quantity, v_forbid) returning on_hand into new.balance;
  end if;
  new.id := nextval('private.inventory_txn_id_seq');
  new.at := clock_timestamp();
  return new;
end $$;
comment on function private.tg_inventory_txn__book is 'Keeps balances and stock equal to the sum of the ledger; gives the movement its number, instant and balance.';
create trigger _500_book before insert on public.inventory_txn for each row execute function private.tg_inventory_txn__book();

create function private.tg_inventory_txn__append_only()
returns trigger language plpgsql set search_path = '' as $$
begin
  perform private.fail(409, 'stock.append_only', 'Movements are never changed or removed. Book one that takes it back.');
  return null;
end $$;
create trigger _200_append_only before update or delete on public.inventory_txn
  for each row execute function private.tg_inventory_txn__append_only();
create trigger _200_no_truncate before truncate on public.inventory_txn
  for each statement execute function private.tg_inventory_txn__append_only();

create function private.lock_stock(p_skus text[])
returns void language plpgsql set search_path = '' as $$
begin
  perform 1 from public.inventory_stock s where s.sku = any (p_skus) order by s.sku for update;
end $$;
comment on function private.lock_stock is 'Locks items in the order of their SKUs: the one order for whoever touches several. Order rows are locked before, never after.';

create function private.post_txn(
  p_sku text, p_location text, p_kind text, p_quantity numeric, p_ref_stream text, p_ref_id text, p_reason text, p_actor uuid,
  p_unit_cost numeric default null, p_batch bigint default null, p_reverses bigint default null)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_id bigint;
  v_forbid boolean := false;
  v_there numeric;
begin
  if p_quantity < 0 then   -- what comes in is locked by the update that books it
    select s.forbid_negative into v_forbid from public.inventory_stock s where s.sku = p_sku for update;
  end if;
  if v_forbid then
    v_there := coalesce((select b.on_hand from public.inventory_balances b where b.sku = p_sku and b.location = p_location), 0);
    if v_there + p_quantity < 0 then
      perform private.fail(409, 'stock.short', format('Only %s of %s are at %s.', trim_scale(v_there), p_sku, p_location),
        jsonb_build_object('sku', p_sku, 'location', p_location, 'needed', trim_scale(-p_quantity), 'there', trim_scale(v_there)));
    end if;
  end if;
  insert into public.inventory_txn (sku, location, kind, quantity, reason, ref_stream, ref_id, unit_cost, actor_id, batch_id, reverses)
  values (p_sku, p_location, p_kind, p_quantity, p_reason, p_ref_stream, p_ref_id, p_unit_cost,
    nullif(p_actor, '00000000-0000-0000-0000-000000000000'), p_batch, p_reverses)
  returning id into v_id;
  return v_id;
end $$;
comment on function private.post_txn is
$$The one way in for a movement: locks the item, books, answers the number of the movement. Once at its end the command calls
private.allocate for all items it moved. Errors: item.unknown (404), stock.short (409) where the item forbids negatives. Locks: the item.$$;

create function private.emit_moves(p_event text, p_txn_ids bigint[], p_actor uuid)
returns void language plpgsql set search_path = '' as $$
begin
  perform private.emit('stock', m.sku, p_event, p_actor, jsonb_build_object('quantity', m.quantity, 'refs', m.refs, 'txn_ids', m.ids), null, m.site)
    from (select t.sku, l.site, trim_scale(sum(t.quantity)) as quantity, array_agg(distinct t.ref_id) as refs, array_agg(t.id order by t.id) as ids
            from public.inventory_txn t join public.locations l on l.code = t.location where t.id = any (p_txn_ids) group by t.sku, l.site) m
   order by m.sku;
end $$;
comment on function private.emit_moves is 'One event per item and site for movements that a ticket caused, so that who looks at the stock hears of it.';

create function private.stock_differences()
returns table (sku text, location text, what text, kept numeric, ledger numeric)
language sql stable set search_path = '' as $$
  with ledger as (
    select t.sku, t.location, sum(t.quantity) as total, (array_agg(t.balance order by t.id desc))[1] as last_balance
      from public.inventory_txn t group by t.sku, t.location
  )
  select coalesce(b.sku, l.sku), coalesce(b.location, l.location), 'balance', b.on_hand, l.total
    from public.inventory_balances b full join ledger l on l.sku = b.sku and l.location = b.location
   where coalesce(b.on_hand, 0) <> coalesce(l.total, 0)
  union all
  select l.sku, l.location, 'last balance in the ledger', l.last_balance, l.total from ledger l where l.last_balance <> l.total
  union all
  select s.sku, null, t.what, t.kept, t.total
    from public.inventory_stock s
    left join lateral (select coalesce(sum(l.total) filter (where p.is_free), 0) as free, coalesce(sum(l.total) filter (where not p.is_free), 0) as held
      from ledger l join public.locations p on p.code = l.location where l.sku = s.sku) x on true
   cross join lateral (values ('on_hand', s.on_hand, x.free), ('held', s.held, x.held)) as t (what, kept, total)
   where t.kept <> t.total
  union all
  select i.sku, null, 'no stock row', null, null from public.inventory_items i
   where not exists (select 1 from public.inventory_stock s where s.sku = i.sku)
  union all
  select s.sku, null, 'promised more than is there', s.reserved, s.on_hand from public.inventory_stock s where s.reserved > greatest(s.on_hand, 0)
$$;
comment on function private.stock_differences is 'Where what is kept differs from the sum of the ledger. No rows: all is well.';

create function private.find_item(p_sku text)
returns public.inventory_items language plpgsql stable set search_path = '' as $$
declare
  v_item public.inventory_items;
begin
  select i.* into v_item from public.inventory_items i where lower(i.sku) = lower(p_sku);
  if v_item.sku is null then
    perform private.fail(404, 'item.unknown', 'There is no item ' || coalesce(p_sku, '') || '.', jsonb_build_object('sku', p_sku));
  end if;
  return v_item;
end $$;
comment on function private.find_item is 'The item, whatever the case of the SKU. Errors: item.unknown (404).';

-- Places -----------------------------------------------------------------------------------------------------------

create function private.default_location(p_site text)
returns text language plpgsql stable set search_path = '' as $$
begin
  return (select l.code from public.locations l where l.site = p_site and l.is_default);
end $$;

create function private.place(p_location text)
returns public.locations language plpgsql stable set search_path = '' as $$
declare
  v_who private.identity;
  v_sites text[];
  v_place public.locations;
begin
  if p_location is null then
    select l.* into v_place from public.locations l
     where l.is_default and not exists (select 1 from public.locations o where o.is_default and o.code <> l.code);
    if v_place.code is not null then
      return v_place;   -- a plant of one site
    end if;
    v_sites := array(select si.code from public.sites si);
    if cardinality(v_sites) > 1 then
      v_who := private.identify();
      v_sites := array(select s from unnest(v_sites) s where private.works_at(v_who, s));
    end if;
    select l.* into v_place from public.locations l where l.site = v_sites[1] and l.is_default and cardinality(v_sites) = 1;
  else
    select l.* into v_place from public.locations l where l.code = p_location;
  end if;
  return v_place;
end $$;
comment on function private.place is 'The location, or without one the default place of the plant''s or the caller''s only site; a null row when there is none.';

create function private.check_place(p_place public.locations, p_location text)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_place.code is null and p_location is null then
    perform private.fail(422, 'location.required', 'Say where: you work at more than one site.', jsonb_build_object('field', 'p_location'));
  elsif p_place.code is null then
    perform private.fail(404, 'location.unknown', 'There is no location ' || p_location || '.', jsonb_build_object('location', p_location));
  elsif not p_place.is_active then
    perform private.fail(409, 'location.inactive', p_place.title || ' is not in use.', jsonb_build_object('location', p_place.code));
  end if;
end $$;

create function private.take(p_sku text, p_site text, p_quantity numeric)
returns table (location text, quantity numeric) language plpgsql stable set search_path = '' as $$
declare
  v_default text := private.default_location(p_site);
begin
  return query
    with shelves as (
      select b.location, b.on_hand, sum(b.on_hand) over (order by b.location <> v_default, b.location) - b.on_hand as before
        from public.inventory_balances b join public.locations l on l.code = b.location
       where b.sku = p_sku and l.site = p_site and l.is_free and b.on_hand > 0
    ), taken as (
      select s.location, least(s.on_hand, p_quantity - s.before) as quantity from shelves s where s.before < p_quantity
      union all
      select v_default, p_quantity - coalesce((select sum(s.on_hand) from shelves s), 0)
       where p_quantity > coalesce((select sum(s.on_hand) from shelves s), 0)
    )
    select t.location, sum(t.quantity) from taken t group by t.location order by t.location;
end $$;
comment on function private.take is
  'From where to take so much of a locked item: the default place of the site first, then its other free ones; what is missing, from the default place.';

create function private.is_tracked(p_store text)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return coalesce(private.setting('inventory.tracking_enabled', p_store)::boolean, false);
end $$;
comment on function private.is_tracked is 'Setting inventory.tracking_enabled: tickets of the store move stock.';
