-- Do the books agree? Worked out from nothing; nothing here is used by a command.

create function private.step_differences()
returns table (subject text, what text, kept numeric, expected numeric) language sql stable set search_path = '' as $$
  with sums as (
    select c.order_id, c.sequence, sum(c.started) as started, sum(c.good) as good, sum(c.scrap) as scrap, sum(c.returned) as returned,
        sum(c.rework_open) as rework_open, sum(c.held_open) as held_open
      from public.piece_counts c group by c.order_id, c.sequence
  ), steps as (
    select s.*, o.code || ' ' || s.sequence as subject, o.quantity, lag(s.good) over w as came, row_number() over w = 1 as starts,
        lead(s.sequence) over w is null as ends
      from public.production_order_steps s join public.production_orders o on o.id = s.order_id
    window w as (partition by s.order_id order by s.sequence)
  )
  select s.subject, t.what, t.kept, coalesce(t.total, 0)
    from steps s left join sums c on c.order_id = s.order_id and c.sequence = s.sequence
   cross join lateral (values ('started', s.started, c.started), ('good', s.good, c.good), ('scrap', s.scrap, c.scrap), ('returned', s.returned, c.returned),
      ('rework', s.rework_open, c.rework_open), ('held', s.held_open, c.held_open),
      ('in process', s.in_process, s.waiting + s.rework_open + s.held_open)) as t (what, kept, total)
   where t.kept <> coalesce(t.total, 0)
  union all select s.subject, 'started = good + scrap + returned + in process', s.started, s.good + s.scrap + s.returned + s.waiting + s.rework_open + s.held_open
    from steps s where s.started <> s.good + s.scrap + s.returned + s.waiting + s.rework_open + s.held_open or s.waiting < 0
  union all select s.subject, 'started more than came', s.started, s.came from steps s where s.started > s.came
  union all select s.subject, 'planned', s.planned, s.quantity from steps s where s.planned <> s.quantity
  union all select s.subject, 'first and last', s.is_first::integer + 2 * s.is_last::integer, s.starts::integer + 2 * s.ends::integer from steps s
   where (s.is_first, s.is_last) <> (s.starts, s.ends)
$$;

create function private.order_differences()
returns table (subject text, what text, kept numeric, expected numeric) language sql stable set search_path = '' as $$
  with flow as (
    select o.id, o.code, o.status, o.product_sku, p.executed_good, p.executed_total, p.lost, p.close_reason, o.quantity, p.replenished,
        (array_agg(s.good order by s.sequence desc))[1] as good, (array_agg(s.good + s.scrap + s.returned order by s.sequence desc))[1] as total,
        sum(s.scrap + s.returned) as gone, (array_agg(s.started order by s.sequence))[1] as entered, (array_agg(s.is_ended order by s.sequence))[1] as is_ended
      from public.production_orders o join public.production_order_progress p on p.order_id = o.id
      join public.production_order_steps s on s.order_id = o.id group by o.id, p.order_id
  ), states as (
    select f.*, case when f.status = 'CANCELLED' then 'CANCELLED' when f.close_reason is not null then 'CLOSED' when f.entered = 0 and not f.is_ended then 'OPEN_NOT_STARTED'
        when f.entered <> f.good + f.gone then 'IN_PROGRESS' when f.good + f.replenished >= f.quantity then 'CLOSED'
        when f.is_ended or f.entered >= f.quantity then 'OPEN_PARTIAL' else 'IN_PROGRESS' end as follows from flow f
  )
  select f.code, 'executed good is that of the last step', f.executed_good, f.good from flow f where f.executed_good <> f.good
  union all select f.code, 'executed total', f.executed_total, f.total from flow f where f.executed_total <> f.total
  union all select f.code, 'lost', f.lost, f.gone from flow f where f.lost <> f.gone
  union all select f.code, 'state is ' || f.status || ', should be ' || f.follows, null, null from states f where f.status <> f.follows
  union all select f.code, 'good pieces in stock', coalesce(t.booked, 0), f.good from flow f
    left join (select x.ref_id, x.sku, sum(x.quantity) as booked from public.inventory_txn x
      where x.ref_stream = 'production_order' and x.kind in ('produce', 'issue') group by x.ref_id, x.sku) t on t.ref_id = f.code and t.sku = f.product_sku
   where coalesce(t.booked, 0) <> f.good
  union all select f.code, 'parts in its sets: ' || l.sku, l.consumed, round(m.per_piece * m.released, 3) from flow f
    join public.order_part_allocations l on l.production_order_id = f.id
    join lateral (select s.released, (i ->> 'quantity')::numeric as per_piece from public.production_order_steps s, jsonb_array_elements(s.materials) i
      where s.order_id = f.id and (i ->> 'line')::integer = l.line) m on true
   where l.consumed <> round(m.per_piece * m.released, 3)
  union all select f.code, 'parts for pieces that can still come: ' || l.sku, l.needed, round(m.per_piece * m.needed, 3) from flow f
    join public.order_part_allocations l on l.production_order_id = f.id and not l.is_closed
    join lateral (select private.sets_needed(s) as needed, (i ->> 'quantity')::numeric as per_piece
      from public.production_order_steps s, jsonb_array_elements(s.materials) i where s.order_id = f.id and (i ->> 'line')::integer = l.line) m on true
   where l.needed <> round(m.per_piece * m.needed, 3)
$$;

create view private.production_selfcheck as
select d.* from private.step_differences() d
union all select d.* from private.order_differences() d
union all select d.* from private.lot_differences() d
union all select d.* from private.quality_differences() d
union all select d.* from private.unit_differences() d;
comment on view private.production_selfcheck is
$$Where pieces are lost or invented: what is kept against what it is the sum of, for steps, orders, lots, quality records, replenishments and units. No rows: all
is well.$$;

create function public.production_selfcheck()
returns table (subject text, what text, kept numeric, expected numeric) language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('production.setup');
  return query select d.subject, d.what, d.kept, d.expected from private.production_selfcheck d;
end $$;
comment on function public.production_selfcheck is
$$Where the books of production do not agree, all plants. No rows: all is well. Reads every count: for the night, or for doubt.
Permission: production.setup.
Errors: none of its own.
Idempotency: a read.
Locks: none.$$;

grant execute on function public.production_selfcheck to authenticated, service_role;
