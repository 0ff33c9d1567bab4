-- Completing a stage consumes its components, once. M05 calls consume_stage and, for an undo, unconsume_stage.

create function private.stage_needs(p_ticket public.orders, p_stage public.stage_type)
returns table (sku text, needed numeric, there numeric, is_optional boolean) language plpgsql stable set search_path = '' as $$
begin
  return query
    with needs as (
      select r.sku, sum(r.quantity) filter (where not r.is_optional) as must, sum(r.quantity) filter (where r.is_optional) as may,
        (select coalesce(sum(b.on_hand), 0) from public.inventory_balances b join public.locations l on l.code = b.location
          where b.sku = r.sku and l.is_free and l.site = (select st.site from public.stores st where st.code = p_ticket.store)) as there
        from private.requirements_of(p_ticket) r where r.stage = p_stage group by r.sku
    )
    select n.sku, n.must, n.there, false from needs n where n.must is not null
    union all
    select n.sku, n.may, n.there - coalesce(n.must, 0), true from needs n where n.may is not null
    order by 1, 4;
end $$;
comment on function private.stage_needs is 'What completing the stage consumes, and how much of it lies free at the site of the ticket.';

create function private.shortage(p_needs jsonb)
returns jsonb language sql immutable set search_path = '' as $$
  select jsonb_agg(jsonb_build_object('code', 'stock.short', 'message', format('%s: %s needed, %s there.', n.item ->> 'sku',
    n.item ->> 'needed', n.item ->> 'there'), 'details', n.item) order by n.n)
    from jsonb_array_elements(p_needs) with ordinality as n (item, n) where (n.item ->> 'needed')::numeric > (n.item ->> 'there')::numeric
$$;
comment on function private.shortage is 'Notices [{code, message, details}] for the needs that are not covered; null when all are.';

create function private.needs_json(p_ticket public.orders, p_stage public.stage_type)
returns jsonb language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('sku', n.sku, 'needed', trim_scale(n.needed), 'there', trim_scale(n.there),
    'is_optional', n.is_optional)), '[]') from private.stage_needs(p_ticket, p_stage) n
$$;

create function private.must_have(p_needs jsonb)
returns jsonb language sql immutable set search_path = '' as $$
  select coalesce(jsonb_agg(n.item), '[]') from jsonb_array_elements(p_needs) n (item) where not (n.item ->> 'is_optional')::boolean
$$;

create function private.components_missing(p_ticket public.orders, p_stage public.stage_type)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  if not private.is_tracked(p_ticket.store) or not private.setting('inventory.block_when_short', p_ticket.store)::boolean
     or exists (select 1 from private.stage_consumptions c where c.row_id = p_ticket.row_id and c.stage = p_stage and c.state = 'consumed') then
    return null;
  end if;
  return private.shortage(private.must_have(private.needs_json(p_ticket, p_stage)));
end $$;
comment on function private.components_missing is 'Why the stage cannot be completed where setting inventory.block_when_short says so: notices, or null.';

create function private.consume_stage(p_ticket public.orders, p_stage public.stage_type, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_site text;
  v_skus text[];
  v_needs jsonb;
  v_missing jsonb;
  v_part record;
  v_ids bigint[] := '{}';
begin
  if not private.is_tracked(p_ticket.store) or exists (
    select 1 from private.stage_consumptions c where c.row_id = p_ticket.row_id and c.stage = p_stage and c.state = 'consumed') then
    return null;
  end if;
  v_skus := array(select distinct r.sku from private.requirements_of(p_ticket) r where r.stage = p_stage);
  if v_skus = '{}' then
    return null;
  end if;
  -- All that this ticket will touch until the commit, at once: locks are taken in one order.
  perform private.lock_stock(array(select r.sku from private.requirements_of(p_ticket) r union select m.sku from private.open_moves(array[p_ticket.row_id]) m));
  v_needs := private.needs_json(p_ticket, p_stage);
  v_missing := private.shortage(private.must_have(v_needs));
  if v_missing is not null and private.setting('inventory.block_when_short', p_ticket.store)::boolean then
    perform private.fail(409, 'stock.components_short', 'Components are missing: ' || (v_missing -> 0 ->> 'message'),
      jsonb_build_object('missing', v_missing));
  elsif v_missing is null then
    select st.site into v_site from public.stores st where st.code = p_ticket.store;
    for v_part in
      select n.item ->> 'sku' as sku, t.location, t.quantity from jsonb_array_elements(v_needs) n (item)
       cross join lateral private.take(n.item ->> 'sku', v_site, (n.item ->> 'needed')::numeric) t
       where (n.item ->> 'needed')::numeric <= (n.item ->> 'there')::numeric order by 1, 2
    loop
      v_ids := v_ids || private.post_txn(v_part.sku, v_part.location, 'consume', -v_part.quantity, 'order', p_ticket.id,
        p_stage || ' completed', p_actor);
      perform private.use_allocation('order', p_ticket.id, v_part.sku, v_part.quantity);
    end loop;
    perform private.allocate(v_skus, jsonb_build_object('event', 'stage.completed', 'ref', p_ticket.id));
    perform private.emit_moves('stock.consumed', v_ids, p_actor);
  end if;
  insert into private.stage_consumptions as c (row_id, stage, state, details, txn_ids)
  values (p_ticket.row_id, p_stage, case when v_missing is null then 'consumed' else 'short' end, v_needs, v_ids)
  on conflict on constraint stage_consumptions_pkey do update
    set state = excluded.state, details = excluded.details, txn_ids = excluded.txn_ids, at = now();
  if v_missing is not null then
    perform private.emit('order', p_ticket.id, 'stock.short', p_actor, jsonb_build_object('stage', p_stage, 'missing', v_missing), p_ticket.store);
  end if;
  return private.shortage(v_needs);
end $$;
comment on function private.consume_stage is
$$The components of a completed stage leave the stock of a store that tracks it: once per ticket and stage, all that are needed or none; an
optional one that is missing is left out. Answers notices on what is missing, or null. Errors: stock.components_short (409) where setting
inventory.block_when_short says so. Locks: the items, by SKU; the caller holds the ticket.$$;

create function private.unconsume_stage(p_ticket public.orders, p_stage public.stage_type, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_done private.stage_consumptions;
  v_txn public.inventory_txn;
  v_skus text[];
  v_ids bigint[] := '{}';
begin
  delete from private.stage_consumptions c where c.row_id = p_ticket.row_id and c.stage = p_stage returning c.* into v_done;
  v_skus := array(select distinct t.sku from public.inventory_txn t where t.id = any (v_done.txn_ids));
  if coalesce(v_skus, '{}') = '{}' then
    return;
  end if;
  perform private.lock_stock(v_skus);
  for v_txn in select t.* from public.inventory_txn t where t.id = any (v_done.txn_ids) order by t.sku, t.id loop
    v_ids := v_ids || private.post_txn(v_txn.sku, v_txn.location, 'consume', -v_txn.quantity, 'order', p_ticket.id, p_stage || ' undone', p_actor,
      null, null, v_txn.id);
    perform private.use_allocation('order', p_ticket.id, v_txn.sku, v_txn.quantity);
  end loop;
  perform private.allocate(v_skus, jsonb_build_object('event', 'stage.undone', 'ref', p_ticket.id));
  perform private.emit_moves('stock.returned', v_ids, p_actor);
end $$;
comment on function private.unconsume_stage is 'The stage was not completed after all: what it consumed is back. Locks: the items, by SKU.';
