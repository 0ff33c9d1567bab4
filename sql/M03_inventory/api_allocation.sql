create function private.priority_name(p_rank smallint)
returns text language sql immutable set search_path = '' as $$
  select case when p_rank <= 0 then 'critical' else (array['rush', 'normal', 'low', 'stock', 'minimum'])[p_rank] end
$$;
comment on function private.priority_name is
  'critical, rush, normal, low (tickets), stock (set aside for the shelf), minimum (up to the minimum stock, nobody waits).';

create type public.allocation_explanation as (
  line_id bigint, kind text, code text, store text, sku text, title text, needed numeric, allocated numeric, consumed numeric, missing numeric,
  priority text, since timestamptz, on_hand numeric, reserved numeric, held_by text[], missing_ahead numeric, why jsonb, said text,
  cursor text);
comment on type public.allocation_explanation is
$$One line of the queue and why it has what it has. held_by: the nearest orders before it that hold the item. missing_ahead: what orders before
it still wait for (looking at most 1000 of them up). why: its last change. said: all of it in a sentence. cursor: to go on after it in
the queue of an item.$$;

create function private.missing_ahead(p_line public.order_part_allocations)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select sum(t.demand - t.allocated) from public.demand_totals t where t.sku = p_line.sku and t.rank < p_line.rank), 0)
    + coalesce((select sum(a.missing) from (
        select l.needed - l.allocated - l.consumed as missing from public.order_part_allocations l
         where l.sku = p_line.sku and not l.is_closed and l.allocated + l.consumed < l.needed
           and l.rank = p_line.rank and (l.since, l.fulfilment_id) < (p_line.since, p_line.fulfilment_id) limit 1000) a), 0);
end $$;

create function private.held_before(p_line public.order_part_allocations)
returns text[] language plpgsql stable set search_path = '' as $$
begin
  return array(
    select f.code from (
      select l.fulfilment_id, l.rank, l.since from public.order_part_allocations l
       where l.sku = p_line.sku and l.allocated > 0 and (l.rank, l.since, l.fulfilment_id) < (p_line.rank, p_line.since, p_line.fulfilment_id)
       order by l.sku desc, l.rank desc, l.since desc, l.fulfilment_id desc limit 5) h
      join public.order_fulfilments f on f.id = h.fulfilment_id order by h.rank desc, h.since desc, h.fulfilment_id desc);
end $$;

create function private.explain_line(p_line public.order_part_allocations)
returns public.allocation_explanation language plpgsql stable set search_path = '' as $$
declare
  v_missing numeric := case when p_line.is_closed then 0 else p_line.needed - p_line.allocated - p_line.consumed end;
  v_answer public.allocation_explanation;
  v_is_blind boolean := p_line.sku = any (private.blind_skus());   -- who counts it must not read the figure here
begin
  select p_line.id, case when p_line.order_row_id is null then 'production_order' else 'order' end, f.code, p_line.store, p_line.sku, i.title,
      trim_scale(p_line.needed), trim_scale(p_line.allocated), trim_scale(p_line.consumed), trim_scale(v_missing),
      private.priority_name(p_line.rank), p_line.since, trim_scale(s.on_hand), trim_scale(s.reserved), '{}'::text[], 0, p_line.why, null,
      private.cursor_of(jsonb_build_array(p_line.rank, p_line.since, p_line.fulfilment_id))
    into v_answer
    from public.order_fulfilments f, public.inventory_items i join public.inventory_stock s on s.sku = i.sku
   where f.id = p_line.fulfilment_id and i.sku = p_line.sku;
  if v_missing > 0 then
    v_answer.held_by := private.held_before(p_line);
    v_answer.missing_ahead := trim_scale(private.missing_ahead(p_line));
  end if;
  v_answer.said := case
    when p_line.is_closed and v_answer.consumed = 0 then 'Cancelled or taken off: it waits for nothing.'
    when p_line.is_closed or v_answer.consumed = v_answer.needed then format('%s of %s were used.', v_answer.consumed, v_answer.needed)
    when v_missing = 0 then format('All %s are set aside for it.', v_answer.needed)
    when v_is_blind then format('%s of %s are set aside.', trim_scale(p_line.allocated + p_line.consumed), v_answer.needed)
    else format('%s of %s are set aside. Of %s on hand %s are promised to orders before it (critical, rush, normal, then the oldest first).%s',
      trim_scale(p_line.allocated + p_line.consumed), v_answer.needed, v_answer.on_hand,
      trim_scale(v_answer.reserved - p_line.allocated),   -- while it waits, nothing after it holds any
      case when v_answer.missing_ahead > 0 then format(' Orders before it still wait for %s.', v_answer.missing_ahead) else '' end)
    end;
  if v_is_blind then
    v_answer.on_hand := null;
    v_answer.reserved := null;
  end if;
  return v_answer;
end $$;

create function public.explain_allocation(p_code text default null, p_sku text default null, p_limit integer default 50, p_cursor text default null)
returns setof public.allocation_explanation language plpgsql stable security definer set search_path = '' as $$
declare
  v_stores text[];
  v_sites text[];
  v_after jsonb;
begin
  perform private.authorize('production.read');
  v_after := private.keys_of(p_cursor, 3);
  v_stores := private.readable_stores('production.read');
  v_sites := private.readable_sites('production.read');
  if num_nonnulls(p_code, p_sku) <> 1 then
    perform private.fail(400, 'production.explain_what', 'Name an order or an item.');
  elsif p_code is not null then
    return query select e.* from public.order_part_allocations l join public.order_fulfilments f on f.id = l.fulfilment_id
       cross join lateral private.explain_line(l) e where f.code = p_code and (f.store = any (v_stores) or f.store is null and f.site = any (v_sites)) order by l.line, l.sku;
    return;
  end if;
  return query select e.* from (
      select q from public.order_part_allocations q
       where q.sku = p_sku and not q.is_closed and q.allocated + q.consumed < q.needed and (q.store = any (v_stores)
           or q.store is null and (select f.site from public.order_fulfilments f where f.id = q.fulfilment_id) = any (v_sites))
         and (v_after is null or (q.rank, q.since, q.fulfilment_id) > ((v_after ->> 0)::smallint, (v_after ->> 1)::timestamptz, (v_after ->> 2)::bigint))
       order by q.sku, q.rank, q.since, q.fulfilment_id limit least(greatest(coalesce(p_limit, 50), 1), 200)) l
     cross join lateral private.explain_line(l.q) e;
end $$;
comment on function public.explain_allocation is
$$Why the lines of an order (p_code: production order or ticket) have what they have; or, for an item, who waits for it, from the top of the queue.
Permission: production.read; lines of stores only in the own ones, others only of the own sites.
Errors: production.explain_what (400), request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create type public.fulfilment_row as (
  kind text, code text, title text, store text, site text, priority text, due_date date, since timestamptz, fulfillment_status text,
  fulfilled_at timestamptz, lines jsonb, cursor text);
comment on type public.fulfilment_row is
  'An order that needs parts. kind production_order or order (a ticket). lines: [{sku, title, needed, allocated, consumed}]. cursor: to go on after it.';

create function private.fulfilment_lines(p_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (select jsonb_agg(jsonb_build_object('sku', l.sku, 'title', i.title, 'needed', trim_scale(l.needed), 'allocated', trim_scale(l.allocated),
      'consumed', trim_scale(l.consumed), 'is_closed', l.is_closed) order by l.line, l.sku)
    from public.order_part_allocations l join public.inventory_items i on i.sku = l.sku where l.fulfilment_id = p_id);
end $$;

create function public.get_order_fulfilment(
  p_status text default 'open', p_store text default null, p_sku text default null, p_limit integer default 50, p_cursor text default null)
returns setof public.fulfilment_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_stores text[];
  v_sites text[];
  v_after jsonb;
begin
  perform private.authorize('production.read', p_store);
  v_after := private.keys_of(p_cursor, 3);
  v_stores := case when p_store is null then private.readable_stores('production.read') else array[p_store] end;
  v_sites := private.readable_sites('production.read');
  if p_status is null or p_status not in ('open', 'waiting', 'fulfilled') then
    perform private.fail(422, 'production.status_filter', 'Choose open, waiting or fulfilled.', jsonb_build_object('field', 'p_status', 'actual', p_status));
  end if;
  return query
    select case when f.order_row_id is null then 'production_order' else 'order' end, f.code, coalesce(i.title, o.product_title, p.product_sku),
      f.store, f.site, private.priority_name(f.rank), coalesce(p.due_date, o.due_date), f.since, f.fulfillment_status, f.fulfilled_at,
      private.fulfilment_lines(f.id), private.cursor_of(jsonb_build_array(f.rank, f.since, f.id))
      from (select q.* from public.order_fulfilments q
             where not q.is_closed and q.lines > 0
               and (q.store = any (v_stores) or q.store is null and p_store is null and q.site = any (v_sites))
               and (p_status = 'open' or (q.open_lines > 0) = (p_status = 'waiting'))
               and (p_sku is null or exists (select 1 from public.order_part_allocations l where l.fulfilment_id = q.id and l.sku = p_sku))
               and (v_after is null or (q.rank, q.since, q.id) > ((v_after ->> 0)::smallint, (v_after ->> 1)::timestamptz, (v_after ->> 2)::bigint))
             order by q.rank, q.since, q.id limit least(greatest(coalesce(p_limit, 50), 1), 200)) f
      left join public.production_orders p on p.id = f.production_order_id
      left join public.inventory_items i on i.sku = p.product_sku
      left join public.orders o on o.row_id = f.order_row_id
     order by f.rank, f.since, f.id;
end $$;
comment on function public.get_order_fulfilment is
$$Open orders that need parts, in the order in which they get them: critical, rush, normal, then the oldest; with what each has.
p_status open, waiting (for parts) or fulfilled (ready to ship). p_cursor: cursor of the last row seen.
Permission: production.read; orders of stores only of the own ones, others only of the own sites.
Errors: production.status_filter (422), request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.explain_allocation, public.get_order_fulfilment to authenticated, service_role;
