-- Lots of orders, and the one way in for what is done with a lot. Lots are locked by id, all that a command takes at once: public.lots for share (nobody
-- holds or releases it meanwhile; the lot that pieces are counted into alone, because it may become FINISHED), then production_lots.

create type private.lot_part as (lot_id bigint, quantity numeric, good numeric);

create function private.lot_short(p_lot_ids bigint[])
returns void language plpgsql set search_path = '' as $$
declare
  v_lot record;
begin
  select l.sku, l.code, p.* into v_lot from public.production_lots p join public.lots l on l.id = p.lot_id
   where p.lot_id = any (p_lot_ids) order by p.remaining, p.lot_id limit 1;
  perform private.fail(409, 'lot.short', format('Lot %s of %s has only %s left, %s of it finished.', v_lot.code, v_lot.sku,
    trim_scale(v_lot.remaining), trim_scale(v_lot.good)), jsonb_build_object('lot', v_lot.code, 'sku', v_lot.sku, 'remaining', trim_scale(v_lot.remaining),
    'finished', trim_scale(v_lot.good)));
end $$;

create function private.book_activity(p_activity public.trace_activities, p_inputs private.lot_part[], p_outputs private.lot_part[])
returns bigint language plpgsql set search_path = '' as $$
declare
  v_id bigint;
  v_lots bigint[] := array(select i.lot_id from unnest(p_inputs) i union select o.lot_id from unnest(p_outputs) o order by 1);
begin
  insert into public.trace_activities (kind, site, order_id, sequence, count_id, txn_id, note, actor_id, reverses, is_reversal)
  values (p_activity.kind, (select min(l.site) from public.lots l where l.id = any (v_lots)), p_activity.order_id, p_activity.sequence,
    p_activity.count_id, p_activity.txn_id, p_activity.note,
    nullif(p_activity.actor_id, '00000000-0000-0000-0000-000000000000'), p_activity.reverses, coalesce(p_activity.is_reversal, false))
  returning id into v_id;
  insert into public.trace_inputs (activity_id, lot_id, quantity, good) select v_id, i.lot_id, i.quantity, coalesce(i.good, 0) from unnest(p_inputs) i;
  insert into public.trace_outputs (activity_id, lot_id, quantity, good) select v_id, o.lot_id, o.quantity, coalesce(o.good, 0) from unnest(p_outputs) o;
  insert into public.production_lots (lot_id) select u from unnest(v_lots) u order by u on conflict on constraint production_lots_pkey do nothing;
  perform 1 from public.production_lots p where p.lot_id = any (v_lots) order by p.lot_id for update;
  begin
    update public.production_lots p
       set received = p.received + e.received, moved_in = p.moved_in + e.moved_in, moved_out = p.moved_out + e.moved_out, used = p.used + e.used,
           scrapped = p.scrapped + e.scrapped, returned = p.returned + e.returned, good = p.good + e.good,
           is_counted = p.is_counted or e.received > 0 or e.moved_in > 0
      from (select x.lot_id, sum(x.received) as received, sum(x.moved_in) as moved_in, sum(x.moved_out) as moved_out, sum(x.used) as used,
          sum(x.scrapped) as scrapped, sum(x.returned) as returned, sum(x.good) as good
          from private.lot_effects x where x.activity_id = v_id group by x.lot_id) e
     where e.lot_id = p.lot_id;
  exception when check_violation then
    perform private.lot_short(v_lots);
  end;
  return v_id;
end $$;
comment on function private.book_activity is
$$Notes what was done and keeps the balances of its lots. p_activity: kind and, as far as known, order_id, sequence, count_id, txn_id, note, actor_id,
reverses, is_reversal. Edges for tracing are written by the caller. Errors: lot.short (409). Locks: production_lots of its lots, by id.$$;

create function private.link_lots(p_parent public.lots, p_child public.lots, p_quantity numeric)
returns void language plpgsql set search_path = '' as $$
begin
  if p_parent.id = p_child.id then
    return;   -- into itself: the activity says so, a trace needs no edge
  end if;
  insert into public.trace_edges as e (parent, child, quantity)
  values (private.trace_node('lot', p_parent.code, p_parent.sku), private.trace_node('lot', p_child.code, p_child.sku), p_quantity)
  on conflict on constraint trace_edges_pkey do update
    set quantity = e.quantity + excluded.quantity, at = case when e.removed_at is null then e.at else excluded.at end, removed_at = null;
end $$;
comment on function private.link_lots is
$$As private.link, but a lot may come back to where it came from: split off, reworked, merged again. Both are in each other then, and traces, which
visit each node once, end all the same.$$;

-- The lots of an order ---------------------------------------------------------------------------------------------

create function private.own_lot(p_order public.production_orders, p_actor uuid)
returns public.lots language plpgsql set search_path = '' as $$
declare
  v_lot public.lots;
  v_code text := p_order.code;
begin
  select l.* into v_lot from public.production_lots p join public.lots l on l.id = p.lot_id where p.order_id = p_order.id order by l.id limit 1;
  if v_lot.id is not null or p_order.product_sku is null then
    return v_lot;
  end if;
  loop
    insert into public.lots (sku, code, kind, site, created_by)
    values (p_order.product_sku, v_code, 'WIP', p_order.site, nullif(p_actor, '00000000-0000-0000-0000-000000000000'))
    on conflict (sku, lower(code)) do nothing returning * into v_lot;
    exit when v_lot.id is not null;
    v_code := v_code || '-L';   -- somebody gave that code to another lot
  end loop;
  insert into public.production_lots (lot_id, order_id) values (v_lot.id, p_order.id);
  perform private.link('production_order', p_order.code, 'lot', v_lot.code, p_order.quantity, null, v_lot.sku);
  perform private.emit('lot', v_lot.sku || ' ' || v_lot.code, 'lot.saved', p_actor,
    jsonb_build_object('lot_id', v_lot.id, 'version', 1, 'sku', v_lot.sku, 'code', v_lot.code, 'order', p_order.code), null, p_order.site);
  return v_lot;
end $$;
comment on function private.own_lot is
$$The lot of an order: its first one, made when it is first asked for, with the code of the order. A null row when the order names no product.
The caller holds the order row, and before it, where there is no lot yet, the genealogy (lock_family).$$;

create function private.refuse_unusable(p_lot public.lots)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_lot public.production_lots;
begin
  select p.* into v_lot from public.production_lots p where p.lot_id = p_lot.id;
  if p_lot.held_at is not null then
    perform private.fail(423, 'lot.on_hold', format('Lot %s of %s is on hold: %s Use another one.', p_lot.code, p_lot.sku, p_lot.hold_reason),
      jsonb_build_object('lot', p_lot.code, 'sku', p_lot.sku, 'reason', p_lot.hold_reason));
  elsif v_lot.removed_at is not null then
    perform private.fail(409, 'lot.removed', format('Lot %s of %s was taken out of use: %s Use another one.', p_lot.code, p_lot.sku, v_lot.remove_reason),
      jsonb_build_object('lot', p_lot.code, 'sku', p_lot.sku, 'reason', v_lot.remove_reason));
  end if;
end $$;
comment on function private.refuse_unusable is 'Errors: lot.on_hold (423), lot.removed (409).';

create function private.share_lots(p_ids bigint[], p_own bigint default null, p_is_leaving boolean default false)
returns void language plpgsql set search_path = '' as $$
declare
  v_id bigint;
  v_lot public.lots;
begin
  for v_id in select distinct u from unnest(p_ids) u where u is not null order by u loop
    if v_id = p_own then
      select l.* into v_lot from public.lots l where l.id = v_id for no key update;
    else
      select l.* into v_lot from public.lots l where l.id = v_id for share;
    end if;
    if not p_is_leaving then
      perform private.refuse_unusable(v_lot);
    end if;
  end loop;
end $$;
comment on function private.share_lots is
$$All the lots that a command uses; p_own: the one that pieces are counted into; p_is_leaving: bad pieces leave them, on hold or not. Errors: lot.on_hold (423),
lot.removed (409). Locks: the lots by id, shared, p_own alone.$$;

create function private.lot_of_order(p_order public.production_orders, p_lot text, p_actor uuid)
returns public.lots language plpgsql set search_path = '' as $$
declare
  v_lot public.lots;
  v_of bigint;
begin
  if p_lot is null then
    return private.own_lot(p_order, p_actor);
  end if;
  v_lot := private.find_lot(p_order.product_sku, p_lot);
  select p.order_id into v_of from public.production_lots p where p.lot_id = v_lot.id;
  if v_of is distinct from p_order.id then
    perform private.fail(409, 'lot.other_order', format('Lot %s is not a lot of order %s.', v_lot.code, p_order.code), jsonb_build_object(
      'lot', v_lot.code, 'expected', p_order.code, 'actual', (select o.code from public.production_orders o where o.id = v_of)));
  end if;
  return v_lot;
end $$;
comment on function private.lot_of_order is
$$The lot a count of this order goes to: the named one, else its own. The caller locks it (share_lots). Errors: lot.unknown (404), lot.other_order (409).$$;

create function private.lot_of_material(p_order public.production_orders, p_materials jsonb, p_sku text, p_lot text)
returns public.lots language plpgsql stable set search_path = '' as $$
declare
  v_expected text[] := array(select m.item ->> 'sku' from jsonb_array_elements(coalesce(p_materials, '[]')) m (item) order by 1);
  v_lot public.lots;
  v_sku text := p_sku;
begin
  if v_expected = '{}' then
    v_expected := private.order_skus(p_order.id);
  end if;
  if p_lot is not null then
    -- Among several lots of that code, the one that fits is meant.
    p_sku := coalesce(p_sku, (select min(l.sku) from public.lots l where lower(l.code) = lower(p_lot) and l.sku = any (v_expected) having count(*) = 1));
    v_lot := private.find_lot(p_sku, p_lot);
    perform private.refuse_lot_elsewhere(v_lot, p_order.site);
    v_sku := v_lot.sku;
  elsif p_sku is not null then
    v_sku := (private.find_item(p_sku)).sku;
  end if;
  if v_sku is null or not v_sku = any (v_expected) then
    perform private.fail(409, 'production.wrong_material', format('%s does not belong here. Order %s takes %s.', coalesce(v_lot.code, v_sku, 'That'), p_order.code,
      array_to_string(v_expected, ', ')), jsonb_build_object('expected', v_expected, 'actual', v_sku, 'lot', v_lot.code));
  end if;
  return v_lot;
end $$;
comment on function private.lot_of_material is
$$Does this material (item or lot) belong into the order here? p_materials [{sku}] of the step; none: any part of the order. Answers the lot, a null row for
an item without; the caller locks it (share_lots), then asks refuse_used_up. Errors: production.wrong_material (409), lot.unknown (404), lot.ambiguous, lot.other_site (409), auth.other_site (403),
item.unknown (404).$$;

create function private.refuse_used_up(p_lot public.lots)
returns void language plpgsql stable set search_path = '' as $$
begin
  if exists (select from public.production_lots p where p.lot_id = p_lot.id and p.is_counted and p.remaining = 0) then
    perform private.fail(409, 'lot.used_up', format('Nothing is left of lot %s of %s. Use another one.', p_lot.code, p_lot.sku),
      jsonb_build_object('lot', p_lot.code, 'sku', p_lot.sku));
  end if;
end $$;

-- Counts of pieces move the lots of their order ------------------------------------------------------------------------

create function private.tg_piece_counts__lot()
returns trigger language plpgsql set search_path = '' as $$
begin
  new.lot_id := coalesce((select c.lot_id from public.piece_counts c where c.id = new.reverses),
    (private.own_lot((select o from public.production_orders o where o.id = new.order_id), new.actor_id)).id);
  return new;
end $$;
comment on function private.tg_piece_counts__lot is 'A count that names no lot is of the own lot of the order; what it takes back, of the same lot.';
create trigger _100_lot before insert on public.piece_counts for each row when (new.lot_id is null) execute function private.tg_piece_counts__lot();

create function private.count_activity(p_count public.piece_counts, p_kind text, p_quantity numeric)
returns void language plpgsql set search_path = '' as $$
declare
  v_activity public.trace_activities;
  v_part private.lot_part := row(p_count.lot_id, abs(p_quantity), case when p_kind = 'finish' then abs(p_quantity) else 0 end)::private.lot_part;
begin
  v_activity.kind := p_kind;
  v_activity.order_id := p_count.order_id;
  v_activity.sequence := p_count.sequence;
  v_activity.count_id := p_count.id;
  v_activity.actor_id := p_count.actor_id;
  v_activity.is_reversal := p_quantity < 0;
  perform private.book_activity(v_activity,
    case when p_kind = 'finish' then array[row(p_count.lot_id, abs(p_quantity), 0)::private.lot_part] when p_kind <> 'start' then array[v_part] else '{}' end,
    case when p_kind in ('start', 'finish') then array[v_part] else '{}' end);
end $$;
comment on function private.count_activity is 'One effect of a count on its lot; a negative quantity takes so much back.';

create function private.tg_piece_counts__book_lot()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_step public.production_order_steps;
  v_quantity numeric;
  v_kind text;
begin
  select s.* into v_step from public.production_order_steps s where s.order_id = new.order_id and s.sequence = new.sequence;
  if v_step.is_last and new.good > 0 then
    update public.lots l set kind = 'FINISHED' where l.id = new.lot_id and l.kind = 'WIP';
  end if;
  for v_kind, v_quantity in   -- what comes free first, then what takes: a good piece that became scrap is no shortage
    select e.kind, e.quantity
      from (values ('start', case when v_step.is_first then new.started else 0 end), ('finish', case when v_step.is_last then new.good else 0 end),
        ('scrap', new.scrap), ('return', new.returned)) as e (kind, quantity)
     where e.quantity <> 0
     order by case when e.kind = 'start' then case when e.quantity > 0 then 1 else 5 end when e.kind = 'finish' then case when e.quantity < 0 then 2 else 6 end
       when e.quantity < 0 then 3 else 4 end, e.kind
  loop
    perform private.count_activity(new, v_kind, v_quantity);
  end loop;
  if v_step.is_last and new.good < 0 then
    update public.lots l set kind = 'WIP'
     where l.id = new.lot_id and l.kind = 'FINISHED' and (select sum(c.good) from public.piece_counts c
       join public.production_order_steps s on s.order_id = c.order_id and s.sequence = c.sequence and s.is_last where c.lot_id = new.lot_id) = 0
       and exists (select from public.production_lots p where p.lot_id = new.lot_id and p.good = 0);
  end if;
  return null;
end $$;
comment on function private.tg_piece_counts__book_lot is
'Pieces that enter the first step enter the lot; those good at the last step are finished; scrapped or returned at any step they leave it. A lot of which
nothing is finished any more is in process again.';
create trigger _500_lot after insert on public.piece_counts for each row when (new.lot_id is not null) execute function private.tg_piece_counts__book_lot();

create function private.tg_unit_components__lot_in_use()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.refuse_unusable(l) from public.lots l where l.id = new.lot_id;
  return new;
end $$;
comment on function private.tg_unit_components__lot_in_use is 'A lot taken out of use goes into no unit.';
create trigger _200_lot_in_use before insert on public.unit_components for each row when (new.lot_id is not null)
  execute function private.tg_unit_components__lot_in_use();

-- Do the books agree? ------------------------------------------------------------------------------------------------

create function private.lot_differences()
returns table (subject text, what text, kept numeric, expected numeric) language sql stable set search_path = '' as $$
  with sums as (
    select e.lot_id, sum(e.received) as received, sum(e.moved_in) as moved_in, sum(e.moved_out) as moved_out, sum(e.used) as used,
      sum(e.scrapped) as scrapped, sum(e.returned) as returned, sum(e.good) as good
      from private.lot_effects e group by e.lot_id
  ), counts as (
    select c.lot_id, sum(c.started) filter (where s.is_first) as received, sum(c.good) filter (where s.is_last) as finished,
      sum(c.scrap) as scrapped, sum(c.returned) as returned
      from public.piece_counts c join public.production_order_steps s on s.order_id = c.order_id and s.sequence = c.sequence
     where c.lot_id is not null group by c.lot_id
  ), booked as (
    select p.lot_id, sum(case when a.is_reversal then -p.quantity else p.quantity end) filter (where a.kind = 'start') as received,
      sum(case when a.is_reversal then -p.quantity else p.quantity end) filter (where a.kind = 'finish') as finished,
      sum(case when a.is_reversal then -p.quantity else p.quantity end) filter (where a.kind = 'scrap') as scrapped,
      sum(case when a.is_reversal then -p.quantity else p.quantity end) filter (where a.kind = 'return') as returned
      from public.trace_activities a
      join (select o.activity_id, o.lot_id, o.quantity from public.trace_outputs o
            union select i.activity_id, i.lot_id, i.quantity from public.trace_inputs i) p on p.activity_id = a.id
     where a.count_id is not null group by p.lot_id
  )
  select 'lot ' || l.code || ' of ' || l.sku, t.what, t.kept, t.expected
    from public.lots l
    left join public.production_lots p on p.lot_id = l.id
    left join sums s on s.lot_id = l.id left join counts c on c.lot_id = l.id left join booked b on b.lot_id = l.id
   cross join lateral (values ('received', p.received, s.received), ('moved_in', p.moved_in, s.moved_in), ('moved_out', p.moved_out, s.moved_out),
     ('used', p.used, s.used), ('scrapped', p.scrapped, s.scrapped), ('returned', p.returned, s.returned), ('good', p.good, s.good),
     ('started in counts', b.received, c.received), ('good in counts', b.finished, c.finished), ('scrap in counts', b.scrapped, c.scrapped),
     ('returned in counts', b.returned, c.returned)) as t (what, kept, expected)
   where coalesce(t.kept, 0) <> coalesce(t.expected, 0)
$$;
comment on function private.lot_differences is
  'Where the balance of a lot differs from its activities, or its activities from the counts of its order. No rows: all is well.';
