-- Held pieces are no stock, and a hold ends when nobody wants it any more.

create function private.hold_place(p_site text)
returns text language plpgsql set search_path = '' as $$
declare
  v_code text := (select l.code from public.locations l where l.site = p_site and l.kind = 'quarantine' and l.is_active order by l.code limit 1);
begin
  if v_code is null then
    v_code := left(p_site, 40) || '-on-hold';
    while exists (select from public.locations l where l.code = v_code) loop
      v_code := v_code || '-1';
    end loop;
    insert into public.locations (code, site, title, kind) values (v_code, p_site, 'On hold at ' || left(p_site, 100), 'quarantine');
  end if;
  return v_code;
end $$;
comment on function private.hold_place is 'Where a site puts pieces of held units: its first quarantine; one is made when it has none.';

create function private.set_aside(p_sns text[], p_reason text, p_actor uuid, p_detail jsonb)
returns table (sn text, place text) language plpgsql set search_path = '' as $$
declare
  v_group record;
  v_shelf record;
  v_skus text[] := array(select distinct u.stock_sku from public.units u where u.sn = any (p_sns) and u.stock_sku is not null);
  v_moved integer;
begin
  perform private.lock_stock(v_skus);
  for v_group in
    select u.site, u.stock_sku as sku, u.stock_location as home, array_agg(u.sn order by u.sn) as sns from public.units u
     where u.sn = any (p_sns) and u.stock_sku is not null and u.shipped_at is null and u.hold_location is null
       and not exists (select from public.unit_components c where c.component_sn = u.sn and c.removed_at is null)   -- used up in another unit
     group by u.site, u.stock_sku, u.stock_location order by u.stock_sku, u.site, u.stock_location
  loop
    place := private.hold_place(v_group.site);
    v_moved := 0;
    for v_shelf in   -- its own shelf first; what orders have taken already is not there, and is not promised to anybody
      select b.location, least(floor(b.on_hand), greatest(floor(s.on_hand), 0)) as pieces
        from public.inventory_stock s join public.inventory_balances b on b.sku = s.sku join public.locations l on l.code = b.location
       where s.sku = v_group.sku and l.site = v_group.site and l.is_free and b.on_hand >= 1 order by b.location <> v_group.home, b.location
    loop
      exit when v_moved >= cardinality(v_group.sns);
      v_moved := v_moved + private.move_held(v_group.sku, v_shelf.location, place,
        least(v_shelf.pieces, cardinality(v_group.sns) - v_moved)::integer, p_reason, p_actor, p_detail, v_group.sns[1]);
    end loop;
    return query select g.sn, place from unnest(v_group.sns[1:v_moved]) g (sn);
  end loop;
  perform private.allocate(v_skus, jsonb_build_object('event', 'unit.held'));
end $$;
comment on function private.set_aside is
$$The pieces of units in stock that go on hold move to quarantine, where nobody is promised them: so many as the books still have. Answers which.
The units are locked. Locks: the items in stock, the order lines they are promised to.$$;

create function private.move_held(
  p_sku text, p_from text, p_to text, p_pieces integer, p_reason text, p_actor uuid, p_detail jsonb, p_sn text)
returns integer language plpgsql set search_path = '' as $$
declare
  v_stream constant text := case when p_detail ? 'recall_id' then 'recall' else 'unit' end;
  v_ref constant text := coalesce(p_detail ->> 'recall_id', p_sn);
  v_ids bigint[];
begin
  if p_pieces > 0 then
    v_ids := array[private.post_txn(p_sku, p_from, 'transfer', -p_pieces, v_stream, v_ref, p_reason, p_actor),
      private.post_txn(p_sku, p_to, 'transfer', p_pieces, v_stream, v_ref, p_reason, p_actor)];
    perform private.emit('stock', p_sku, 'stock.transferred', p_actor, jsonb_build_object('quantity', p_pieces, 'from', p_from, 'location', p_to,
      'ref', v_ref, 'txn_ids', v_ids), null, (select l.site from public.locations l where l.code = p_to));
  end if;
  return greatest(p_pieces, 0);
end $$;
comment on function private.move_held is 'So many pieces from place to place, for a unit or a recall; answers how many. The item is locked.';

create function private.put_back(p_sns text[], p_reason text, p_actor uuid, p_detail jsonb)
returns void language plpgsql set search_path = '' as $$
declare
  v_skus text[] := array(select distinct u.stock_sku from public.units u where u.sn = any (p_sns) and u.hold_location is not null);
begin
  perform private.lock_stock(v_skus);
  perform private.move_held(g.sku, g.place, g.home, g.pieces, p_reason, p_actor, p_detail, g.sn)
    from (select u.stock_sku as sku, u.hold_location as place, count(*)::integer as pieces, min(u.sn) as sn,
              case when l.is_active and l.is_free and l.site = u.site then l.code else private.default_location(u.site) end as home
            from public.units u join public.locations l on l.code = u.stock_location
           where u.sn = any (p_sns) and u.hold_location is not null group by 1, 2, 5 order by 1, 2, 5) g;
  perform private.allocate(v_skus, jsonb_build_object('event', 'unit.released'));
end $$;
comment on function private.put_back is
'The pieces of these held units are free stock again, where they were, or at the default place. Locks: the items in stock, the order lines they go to.';

create function private.tg_inventory_txn__on_hold()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_held bigint;
begin
  if exists (select from public.units u where u.hold_location = new.location and u.stock_sku = new.sku) then
    v_held := (select count(*) from public.units u where u.hold_location = new.location and u.stock_sku = new.sku);
    if (select b.on_hand from public.inventory_balances b where b.sku = new.sku and b.location = new.location) + new.quantity < v_held then
      perform private.fail(423, 'stock.on_hold', format('%s of %s at %s belong to units on hold. Release those units, or scrap them.',
        v_held, new.sku, new.location), jsonb_build_object('sku', new.sku, 'location', new.location, 'on_hold', v_held));
    end if;
  end if;
  return new;
end $$;
comment on function private.tg_inventory_txn__on_hold is 'Pieces of held units leave quarantine with their units only. The item is locked. Errors: stock.on_hold (423).';
create trigger _300_on_hold before insert on public.inventory_txn for each row
  when (new.quantity < 0 and new.ref_stream is distinct from 'unit' and new.ref_stream is distinct from 'recall')
  execute function private.tg_inventory_txn__on_hold();

-- The end of a hold -------------------------------------------------------------------------------------------------

create function private.hand_over(p_kind text, p_keys text[])
returns table (key text, recall_id bigint) language plpgsql set search_path = '' as $$
begin
  return query
    update private.recall_claims c set is_cause = true
      from (select distinct on (n.key) n.key, n.recall_id from private.recall_claims n
             where n.key = any (p_keys) and n.kind = p_kind order by n.key, n.recall_id) w
     where c.recall_id = w.recall_id and c.kind = p_kind and c.key = w.key
    returning c.key, c.recall_id;
end $$;
comment on function private.hand_over is 'Which of these are wanted by another open recall, the oldest one: it is what holds them now.';

create function private.end_holds(p_sns text[], p_reason text, p_actor uuid, p_detail jsonb default '{}')
returns text[] language plpgsql set search_path = '' as $$
declare
  v_kept text[];
  v_free text[];
begin
  with kept as (
    update public.units u set hold_reason = r.reason, held_by = r.held_by
      from private.hand_over('unit', p_sns) h join private.recalls r on r.id = h.recall_id where u.sn = h.key returning u.sn
  )
  select coalesce(array_agg(k.sn), '{}') into v_kept from kept k;
  perform private.tell_holds('unit.held', x.sns, x.hold_reason, p_actor, p_detail || '{"instead": true}')
    from (select u.hold_reason, array_agg(u.sn) as sns from public.units u where u.sn = any (v_kept) group by u.hold_reason) x;
  v_free := array(select f.sn from unnest(p_sns) f (sn) except select k.sn from unnest(v_kept) k (sn) order by 1);
  perform private.put_back(v_free, p_reason, p_actor, p_detail);
  update public.units u
     set status = u.status_before_hold, status_before_hold = null, hold_reason = null, held_at = null, held_by = null, hold_location = null
    from unnest(v_free) f (sn) where u.sn = f.sn;
  perform private.tell_holds('unit.released', v_free, p_reason, p_actor, p_detail);
  return v_free;
end $$;
comment on function private.end_holds is
$$The hold of these units, all on hold and locked, ends: each is what it was before, unless another open recall wants it held. Answers which are free.
The caller has removed the claim that held them. Locks: the items in stock, the order lines they go to.$$;

create function private.end_lot_holds(p_ids bigint[], p_reason text, p_actor uuid, p_detail jsonb default '{}')
returns bigint[] language plpgsql set search_path = '' as $$
declare
  v_free bigint[];
begin
  with kept as (
    update public.lots l set hold_reason = r.reason, held_by = r.held_by
      from private.hand_over('lot', array(select i::text from unnest(p_ids) i)) h join private.recalls r on r.id = h.recall_id
     where l.id = h.key::bigint returning l.id
  )
  select array(select i from unnest(p_ids) i except select k.id from kept k order by 1) into v_free;
  perform private.emit('lot', l.sku || ' ' || l.code, 'lot.released', p_actor, p_detail || jsonb_build_object('lot_id', l.id, 'version', l.version + 1,
      'sku', l.sku, 'code', l.code, 'reason', p_reason, 'held_because', l.hold_reason), null, l.site)
    from public.lots l where l.id = any (v_free) and l.held_at is not null order by l.id;
  update public.lots l set held_at = null, hold_reason = null, held_by = null where l.id = any (v_free);
  return v_free;
end $$;
comment on function private.end_lot_holds is 'As end_holds, for lots.';
