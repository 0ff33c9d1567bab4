-- Holding units and lots, one or thousands. Who holds both takes the units first.

create function private.hold_units(p_sns text[], p_reason text, p_actor uuid, p_detail jsonb default '{}')
returns text[] language plpgsql set search_path = '' as $$
declare
  v_held text[];
begin
  perform 1 from public.units u where u.sn = any (p_sns) order by u.sn for update;
  v_held := array(select u.sn from public.units u where u.sn = any (p_sns) and u.status not in ('SCRAPPED', 'ON_HOLD') order by u.sn);
  with aside as materialized (
    select a.sn, a.place from private.set_aside(v_held, p_reason, p_actor, p_detail) a
  )
  update public.units u
     set status = 'ON_HOLD', status_before_hold = u.status, held_at = now(), hold_reason = p_reason,
         held_by = nullif(p_actor, '00000000-0000-0000-0000-000000000000'), hold_location = a.place
    from unnest(v_held) h (sn) left join aside a on a.sn = h.sn
   where u.sn = h.sn;
  perform private.tell_holds('unit.held', v_held, p_reason, p_actor, p_detail);
  return v_held;
end $$;
comment on function private.hold_units is
$$Units go on hold, in the order of their serial numbers; those on hold already or scrapped are left as they are. Answers which it held.
What of them is in stock is set aside. p_detail goes into each event; of more than 100 units, those who listen are told once.
Locks: the units, then the items in stock and the order lines they are promised to.$$;

create function private.tell_holds(p_event text, p_sns text[], p_reason text, p_actor uuid, p_detail jsonb)
returns void language plpgsql set search_path = '' as $$
declare
  v_is_many constant boolean := cardinality(p_sns) > 100;
  v_station constant text := private.event_station();
begin
  perform set_config('takt.quiet', case when v_is_many then 'on' else '' end, true);
  insert into public.events (site, stream, stream_id, event, actor_id, station, payload)
  select u.site, 'unit', u.sn, p_event, nullif(p_actor, '00000000-0000-0000-0000-000000000000'), v_station,
      p_detail || jsonb_build_object('version', u.version, 'status', u.status, 'reason', p_reason,
        'before', jsonb_build_object('status', case when p_event = 'unit.held' and not p_detail ? 'instead' then u.status_before_hold else 'ON_HOLD' end),
        'after', jsonb_build_object('status', u.status))
    from public.units u where u.sn = any (p_sns) order by u.sn;
  perform set_config('takt.quiet', '', true);
  perform private.broadcast('site:' || s.site || ':unit', p_event, '{"stream": "unit", "stream_id": ""}')
    from (select distinct u.site from public.units u where v_is_many and u.sn = any (p_sns)) s;
end $$;
comment on function private.tell_holds is 'One event per unit that was held or released; of more than 100 those who listen are told once.';

create function private.hold_lots(p_ids bigint[], p_reason text, p_actor uuid, p_detail jsonb default '{}')
returns bigint[] language plpgsql set search_path = '' as $$
declare
  v_held public.lots[];
begin
  perform 1 from public.lots l where l.id = any (p_ids) order by l.id for update;
  with held as (
    update public.lots l
       set held_at = now(), hold_reason = p_reason, held_by = nullif(p_actor, '00000000-0000-0000-0000-000000000000')
     where l.id = any (p_ids) and l.held_at is null returning l as lot
  )
  select array_agg(h.lot order by (h.lot).id) into v_held from held h;
  perform private.emit('lot', h.sku || ' ' || h.code, 'lot.held', p_actor, p_detail || jsonb_build_object('lot_id', h.id, 'version', h.version,
      'sku', h.sku, 'code', h.code, 'reason', p_reason), null, h.site)
    from unnest(v_held) h;
  return array(select h.id from unnest(v_held) h);
end $$;
comment on function private.hold_lots is 'Lots go on hold, in the order of their ids; those on hold already stay so. Answers which it held. Locks: the lots.';

-- Lots -------------------------------------------------------------------------------------------------------------

create function private.authorize_lots(p_ids bigint[], p_permission text)
returns void language plpgsql stable set search_path = '' as $$
begin
end $$;
comment on function private.authorize_lots is
  'The right to these lots, where they belong to somebody. M12_production replaces it: lots of orders, at their sites and in their stores. Errors: auth.other_site (403), …';

create type public.lot_change as (changed boolean, lot public.lots);
comment on type public.lot_change is 'Answer of a command about a lot: did it change anything, the lot now.';

create function private.lot_is_here(p_lot public.lots)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return p_lot.site is null or private.works_at(private.identify(), p_lot.site);
end $$;
comment on function private.lot_is_here is 'Does the caller work where the lot lies?';

create function private.find_lot(p_sku text, p_code text)
returns public.lots language plpgsql stable set search_path = '' as $$
declare
  v_lots public.lots[] := array(
    select l from public.lots l where lower(l.code) = lower(p_code) and (p_sku is null or lower(l.sku) = lower(p_sku)) order by l.sku limit 21);
  v_here public.lots[] := array(select l from unnest(v_lots) l where private.lot_is_here(l) order by l.sku);
begin
  if cardinality(v_lots) = 0 then
    perform private.fail(404, 'lot.unknown', format('There is no lot %s%s.', p_code, ' of ' || p_sku),
      jsonb_build_object('code', p_code, 'sku', p_sku));
  elsif cardinality(v_here) = 0 then
    perform private.fail(403, 'auth.other_site', 'You do not work at this site.', jsonb_build_object('site', v_lots[1].site));
  elsif cardinality(v_here) > 1 then
    perform private.fail(409, 'lot.ambiguous', 'More than one item has a lot ' || p_code || '. Say which item.',
      jsonb_build_object('code', p_code, 'skus', array(select l.sku from unnest(v_here) l)));
  end if;
  return v_here[1];
end $$;
comment on function private.find_lot is
'A lot where the caller works by its code, and its item when several have such a lot. Errors: lot.unknown (404), lot.ambiguous (409), auth.other_site (403).';

create function private.refuse_lot_elsewhere(p_lot public.lots, p_site text)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_lot.site <> p_site then
    perform private.fail(409, 'lot.other_site', format('Lot %s of %s lies at %s, not at %s. Say that it was taken there, or give what is here a code of its own.',
      p_lot.code, p_lot.sku, p_lot.site, p_site),
      jsonb_build_object('lot', p_lot.code, 'sku', p_lot.sku, 'expected', p_site, 'actual', p_lot.site));
  end if;
end $$;
comment on function private.refuse_lot_elsewhere is 'Something is done with a lot at p_site. Errors: lot.other_site (409).';

create function private.finish_lot(
  p_actor uuid, p_request_id uuid, p_before public.lots, p_lot public.lots, p_event text, p_detail jsonb default '{}')
returns public.lot_change language plpgsql set search_path = '' as $$
declare
  v_change public.lot_change;
begin
  v_change.lot := p_lot;
  v_change.changed := p_before is distinct from p_lot;
  if v_change.changed and p_event is not null then
    perform private.emit('lot', p_lot.sku || ' ' || p_lot.code, p_event, p_actor, jsonb_build_object('lot_id', p_lot.id,
      'version', p_lot.version, 'sku', p_lot.sku, 'code', p_lot.code) || p_detail, null, p_lot.site);
  end if;
  perform private.remember(p_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;

create function public.upsert_lot(
  p_sku text, p_code text, p_kind text default null, p_supplier text default null, p_notes text default null, p_site text default null,
  p_request_id uuid default null)
returns public.lot_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.move', null, p_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'upsert_lot', jsonb_build_array(p_sku, p_code, p_kind, p_supplier, p_notes, p_site));
  v_sku text;
  v_before public.lots;
  v_lot public.lots;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_change, v_answer);
  end if;
  v_sku := (private.find_item(p_sku)).sku;
  insert into public.lots (sku, code, kind, supplier, notes, site, created_by)
  values (v_sku, trim(p_code), coalesce(p_kind, 'RAW'), p_supplier, p_notes, private.caller_site(p_site, null), nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
  on conflict (sku, lower(code)) do nothing returning * into v_lot;
  if v_lot.id is not null then
    perform private.trace_node('lot', v_lot.code, v_lot.sku);
  else
    select l.* into v_before from public.lots l where l.sku = v_sku and lower(l.code) = lower(trim(p_code)) for update;
    perform private.authorize('inventory.move', null, v_before.site);
    v_lot := v_before;
    if (coalesce(p_kind, v_lot.kind), coalesce(p_supplier, v_lot.supplier), coalesce(p_notes, v_lot.notes), coalesce(p_site, v_lot.site))
       is distinct from (v_lot.kind, v_lot.supplier, v_lot.notes, v_lot.site) then
      perform private.authorize_lots(array[v_lot.id], 'inventory.move');
      if v_lot.site is null and p_site is not null then   -- it is of all sites: who works at all of them may say where it lies
        perform private.authorize('inventory.move', null, si.code) from public.sites si;
      end if;
      update public.lots l
         set kind = coalesce(p_kind, l.kind), supplier = coalesce(p_supplier, l.supplier), notes = coalesce(p_notes, l.notes), site = coalesce(p_site, l.site)
       where l.id = v_before.id returning l.* into v_lot;
    end if;
  end if;
  return private.finish_lot(v_actor, p_request_id, v_before, v_lot, 'lot.saved', jsonb_build_object('before', to_jsonb(v_before),
    'after', to_jsonb(v_lot)));
end $$;
comment on function public.upsert_lot is
$$A lot of an item: added, or changed (null: as it is). p_kind RAW (bought), WIP or FINISHED (made here). Its code is unique among the lots of its
item, whatever the case, and never changes. p_site: where it lies, and where it was taken to when it is said anew; else the only site of the caller.
Permission: inventory.move, at the site where the lot lies and at p_site; to change a lot of an order, at its site and in its store.
Errors: item.unknown (404), request.reused (422); constraints by name (lots_code_check …).
Idempotency: by p_request_id; the same values again change nothing.
Locks: the lot.$$;

create function private.trace_of_lot(p_lot public.lots)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return jsonb_build_object('kind', 'lot', 'key', p_lot.code, 'sku', p_lot.sku);
end $$;
comment on function private.trace_of_lot is 'What hold_all takes to hold the lot and all that it went into.';

create function public.hold_lot(
  p_code text, p_reason text, p_sku text default null, p_onward boolean default false, p_request_id uuid default null)
returns public.lot_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.hold');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'hold_lot', jsonb_build_array(p_code, p_reason, p_sku, p_onward));
  v_before public.lots;
  v_lot public.lots;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_change, v_answer);
  end if;
  perform private.check_unit_reason(p_reason);
  v_before := private.find_lot(p_sku, p_code);
  perform private.authorize_lots(array[v_before.id], 'units.hold');
  if p_onward then
    perform private.authorize('units.recall');
    perform public.hold_all(private.trace_of_lot(v_before), p_reason);
  else
    select l.* into v_before from public.lots l where l.id = v_before.id for update;
    perform private.hold_lots(array[v_before.id], p_reason, v_actor);
  end if;
  select l.* into v_lot from public.lots l where l.id = v_before.id;
  return private.finish_lot(v_actor, p_request_id, v_before, v_lot, null);
end $$;
comment on function public.hold_lot is
$$Nothing of the lot may be used from now on, and no unit that has some of it may be packed. p_onward: what it went into is held too,
every lot and every unit that is not scrapped, as hold_all does. p_sku where several items have a lot of that code.
Permission: units.hold at the site of the lot, and of a lot of an order at its site and in its store; with p_onward units.recall too, at the sites of the units and lots.
Errors: lot.unknown (404), lot.ambiguous (409), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a lot on hold stays as it is.
Locks: with p_onward those of hold_all; the lot.$$;

create function public.release_lot(
  p_code text, p_reason text, p_sku text default null, p_onward boolean default false, p_request_id uuid default null)
returns public.lot_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('units.hold');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'release_lot', jsonb_build_array(p_code, p_reason, p_sku, p_onward));
  v_before public.lots;
  v_lot public.lots;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_change, v_answer);
  end if;
  perform private.check_unit_reason(p_reason);
  v_before := private.find_lot(p_sku, p_code);
  perform private.authorize_lots(array[v_before.id], 'units.hold');
  if p_onward then
    perform private.authorize('units.recall');
    perform public.release_all(r.id, p_reason) from private.recalls r
      where r.released_at is null and r.trace = private.trace_of_lot(v_before) order by r.id;
  else
    select l.* into v_before from public.lots l where l.id = v_before.id for update;
  end if;
  if exists (select from public.lots l where l.id = v_before.id and l.held_at is not null) then
    delete from private.recall_claims c where c.kind = 'lot' and c.key = v_before.id::text and c.is_cause;
    perform private.end_lot_holds(array[v_before.id], p_reason, v_actor);
  end if;
  select l.* into v_lot from public.lots l where l.id = v_before.id;
  return private.finish_lot(v_actor, p_request_id, v_before, v_lot, null);
end $$;
comment on function public.release_lot is
$$The lot may be used again. p_onward: so may what it went into and is on hold because of it, as release_all does; without it that stays so. A lot
that another recall wants held too stays on hold for that one.
Permission: units.hold at the site of the lot, and of a lot of an order at its site and in its store; with p_onward units.recall too, at the sites of the units and lots.
Errors: lot.unknown (404), lot.ambiguous (409), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a lot that is free stays as it is.
Locks: with p_onward those of release_all; the lot.$$;

grant execute on function public.upsert_lot, public.hold_lot, public.release_lot to authenticated, service_role;
