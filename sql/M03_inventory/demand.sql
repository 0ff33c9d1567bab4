-- What orders wait for: the lines of tickets and of production orders in the queue for parts.

create function private.rank_of(p_priority public.priority_level)
returns smallint language sql immutable set search_path = '' as $$
  select (case p_priority when 'High' then 1 when 'Medium' then 2 else 3 end)::smallint
$$;

create function private.rank_of_production(p_order public.production_orders)
returns smallint language sql immutable set search_path = '' as $$
  select (case when p_order.type = 'REPLENISHMENT' and p_order.source <> 'replenishment' then 4 when p_order.priority = 'critical' then 0
    when p_order.priority = 'rush' then 1 else 2 end)::smallint
$$;
comment on function private.rank_of_production is
  'Customers go before the shelf: an order for stock waits behind all others. What replaces pieces that an order lost is as urgent as that order.';

-- Tickets ----------------------------------------------------------------------------------------------------------

create type private.ticket_need as (row_id uuid, sku text, quantity numeric);

create function private.needs_of_tickets(p_row_ids uuid[])
returns private.ticket_need[] language plpgsql stable set search_path = '' as $$
begin
  return (
    select array_agg(row(o.row_id, r.sku, r.quantity)::private.ticket_need order by o.created_at, o.id, r.sku)
      from public.orders o
      join private.order_stock s on s.row_id = o.row_id and s.restocked_at is null
     cross join lateral (select q.sku, sum(q.quantity) as quantity from private.requirements_of(o) q where not q.is_optional group by q.sku) r
     where o.row_id = any (p_row_ids) and o.cancelled_at is null and o.stage <> 'Complete' and not o.is_test);
end $$;
comment on function private.needs_of_tickets is 'What open tickets need by the bill of materials; optional components are not waited for.';

create function private.write_ticket_lines(p_needs private.ticket_need[])
returns void language plpgsql set search_path = '' as $$
begin
  insert into public.order_fulfilments as f (order_row_id, code, site, store, rank, since)
  select o.row_id, o.id, st.site, o.store, private.rank_of(o.priority), o.created_at
    from public.orders o join public.stores st on st.code = o.store
   where o.row_id in (select n.row_id from unnest(p_needs) n) order by o.created_at, o.id
  on conflict on constraint order_fulfilments_order_row_id_key do update set rank = excluded.rank, is_closed = false
   where (f.rank, f.is_closed) is distinct from (excluded.rank, false);
  insert into public.order_part_allocations as l (fulfilment_id, order_row_id, store, sku, needed, rank, since)
  select f.id, f.order_row_id, f.store, n.sku, n.quantity, f.rank, f.since
    from unnest(p_needs) with ordinality as n (row_id, sku, quantity, position)
    join public.order_fulfilments f on f.order_row_id = n.row_id order by n.position
  on conflict on constraint order_part_allocations_ticket_key do update
    set needed = greatest(excluded.needed, l.consumed), rank = excluded.rank, is_closed = false,
        allocated = least(l.allocated, greatest(excluded.needed - l.consumed, 0))
   where (l.needed, l.rank, l.is_closed) is distinct from (greatest(excluded.needed, l.consumed), excluded.rank, false);
end $$;

create function private.plan_tickets(p_row_ids uuid[])
returns text[] language plpgsql set search_path = '' as $$
declare
  v_needs private.ticket_need[] := private.needs_of_tickets(p_row_ids);
  v_skus text[] := array(
    select n.sku from unnest(v_needs) n
    union select l.sku from public.order_part_allocations l where l.order_row_id = any (p_row_ids) and not l.is_closed);
begin
  if v_skus = '{}' then
    return v_skus;
  end if;
  -- Lines are written under the lock of their item only, and items are locked once, in one order: so also what the caller will move.
  perform private.lock_stock(array(select unnest(v_skus) union select m.sku from private.open_moves(p_row_ids) m));
  perform private.write_ticket_lines(v_needs);
  update public.order_part_allocations l
     set is_closed = true, allocated = 0, needed = case when o.stage = 'Complete' then l.needed else l.consumed end
    from public.orders o
   where o.row_id = l.order_row_id and l.order_row_id = any (p_row_ids) and not l.is_closed
     and not exists (select 1 from unnest(v_needs) n where n.row_id = l.order_row_id and n.sku = l.sku);
  update public.order_fulfilments f set is_closed = true
    from public.orders o
   where o.row_id = f.order_row_id and f.order_row_id = any (p_row_ids) and not f.is_closed
     and not exists (select 1 from unnest(v_needs) n where n.row_id = f.order_row_id);
  return v_skus;
end $$;
comment on function private.plan_tickets is
$$The lines of these tickets follow what the tickets are now: new, changed, cancelled, complete or back from it. Answers the items whose
queue it touched; the caller ends with private.allocate. Locks: the items, by SKU.$$;

create function private.use_allocation(p_stream text, p_id text, p_sku text, p_quantity numeric)
returns void language plpgsql set search_path = '' as $$
declare
  v_line public.order_part_allocations;
begin
  select l.* into v_line from public.order_part_allocations l join public.orders o on o.row_id = l.order_row_id
   where p_stream = 'order' and o.id = p_id and l.sku = p_sku;
  if v_line.id is null then
    return;   -- an optional component, or a ticket that came before the store tracked stock
  end if;
  v_line.consumed := greatest(v_line.consumed + p_quantity, 0);
  v_line.allocated := v_line.allocated - least(v_line.allocated, greatest(p_quantity, 0));
  update public.order_part_allocations l
     set consumed = v_line.consumed, allocated = v_line.allocated, needed = greatest(l.needed, v_line.consumed + v_line.allocated)
   where l.id = v_line.id;
end $$;
comment on function private.use_allocation is
  'The ticket has used so much of an item (negative: it was taken back). Its promise goes down by what it held. The item is locked by the caller.';

-- Production orders -------------------------------------------------------------------------------------------------

create function private.order_skus(p_order_id bigint)
returns text[] language plpgsql stable set search_path = '' as $$
begin
  return array(select l.sku from public.production_order_lines l where l.order_id = p_order_id order by l.sku);
end $$;

create function private.write_lines_of_production(p_ids bigint[])
returns void language plpgsql set search_path = '' as $$
begin
  insert into public.order_fulfilments as f (production_order_id, code, site, store, rank, since)
  select o.id, o.code, o.site, o.store, private.rank_of_production(o), o.created_at from public.production_orders o where o.id = any (p_ids) order by o.id
  on conflict on constraint order_fulfilments_production_order_id_key do update set rank = excluded.rank where f.rank <> excluded.rank;
  insert into public.order_part_allocations as l (fulfilment_id, production_order_id, line, store, sku, needed, rank, since)
  select f.id, n.order_id, n.line, o.store, n.sku, n.quantity * coalesce(n.pieces, o.quantity), f.rank, f.since
    from public.production_orders o join public.production_order_lines n on n.order_id = o.id join public.order_fulfilments f on f.production_order_id = o.id
   where o.id = any (p_ids) order by o.id, n.line
  on conflict on constraint order_part_allocations_line_key do update
    set needed = excluded.needed, rank = excluded.rank, allocated = least(l.allocated, greatest(excluded.needed - l.consumed, 0))
   where not l.is_closed and (l.needed, l.rank) is distinct from (excluded.needed, excluded.rank);
end $$;
comment on function private.write_lines_of_production is
  'The lines of production orders follow their quantity, what was lost of it, and their priority. Their items are locked by the caller, who ends with private.allocate.';

create function private.write_production_lines(p_order public.production_orders)
returns void language plpgsql set search_path = '' as $$
begin
  perform private.write_lines_of_production(array[p_order.id]);
end $$;

create function private.close_production_lines(p_order_id bigint)
returns void language plpgsql set search_path = '' as $$
begin
  update public.order_part_allocations l set is_closed = true, allocated = 0 where l.production_order_id = p_order_id and not l.is_closed;
  update public.order_fulfilments f set is_closed = true, open_lines = 0 where f.production_order_id = p_order_id;
end $$;
comment on function private.close_production_lines is 'The order waits for nothing any more; what it held is free. Its items are locked by the caller.';
