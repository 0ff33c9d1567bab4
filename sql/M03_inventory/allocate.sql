-- The queue for parts. Rule: of what is on hand each line gets what it still needs, from the top of the queue (rank, since, order) down.
-- Everything else follows: a better order outranks, a correction takes from the newest first, what is freed is offered again.

create function private.settle_later(p_ids bigint[])
returns void language plpgsql set search_path = '' as $$
begin
  if p_ids <> '{}' then
    perform set_config('takt.unsettled', concat_ws(',', nullif(current_setting('takt.unsettled', true), ''), array_to_string(p_ids, ',')), true);
  end if;
end $$;
comment on function private.settle_later is 'These fulfilments are looked at when the transaction commits.';

create function private.tg_order_part_allocations__totals()
returns trigger language plpgsql set search_path = '' as $$
declare
  v_changes public.demand_totals[];
begin
  if tg_op <> 'DELETE' then
    perform private.settle_later(array(select distinct n.fulfilment_id from new_rows n));
  end if;
  if tg_op = 'INSERT' then
    select array_agg(x) into v_changes from (
      select n.sku, n.rank, sum(n.needed - n.consumed), sum(n.allocated), count(*) from new_rows n where not n.is_closed group by n.sku, n.rank) x;
  elsif tg_op = 'DELETE' then
    select array_agg(x) into v_changes from (
      select o.sku, o.rank, -sum(o.needed - o.consumed), -sum(o.allocated), -count(*) from old_rows o where not o.is_closed group by o.sku, o.rank) x;
  else
    select array_agg(x) into v_changes from (
      select u.sku, u.rank, sum(u.demand), sum(u.allocated), sum(u.lines)::bigint from (
        select n.sku, n.rank, n.needed - n.consumed as demand, n.allocated, 1 as lines from new_rows n where not n.is_closed
        union all
        select o.sku, o.rank, o.consumed - o.needed, -o.allocated, -1 from old_rows o where not o.is_closed) u
       group by u.sku, u.rank having sum(u.demand) <> 0 or sum(u.allocated) <> 0 or sum(u.lines) <> 0) x;
  end if;
  insert into public.demand_totals as t (sku, rank, demand, allocated, lines)
  select c.sku, c.rank, c.demand, c.allocated, c.lines from unnest(v_changes) c order by c.sku, c.rank
  on conflict on constraint demand_totals_pkey do update
    set demand = t.demand + excluded.demand, allocated = t.allocated + excluded.allocated, lines = t.lines + excluded.lines;
  update public.inventory_stock s set reserved = s.reserved + c.allocated
    from (select u.sku, sum(u.allocated) as allocated from unnest(v_changes) u group by u.sku having sum(u.allocated) <> 0) c
   where s.sku = c.sku;
  return null;
end $$;
comment on function private.tg_order_part_allocations__totals is
  'inventory_stock.reserved and the totals are sums of the lines, and fulfilments follow the lines: kept here, so that no function can forget them.';
create trigger _500_totals_in after insert on public.order_part_allocations
  referencing new table as new_rows for each statement execute function private.tg_order_part_allocations__totals();
create trigger _500_totals after update on public.order_part_allocations
  referencing old table as old_rows new table as new_rows for each statement execute function private.tg_order_part_allocations__totals();
create trigger _500_totals_out after delete on public.order_part_allocations
  referencing old table as old_rows for each statement execute function private.tg_order_part_allocations__totals();

-- One pass ---------------------------------------------------------------------------------------------------------

create type private.promise_change as (line_id bigint, change numeric, outranked_by bigint);

-- Without sorts the two cursors walk their partial indexes and stop where the promises are right again.
create function private.plan_allocation(p_sku text)
returns private.promise_change[] language plpgsql stable
set search_path = '' set enable_sort = off set plan_cache_mode = force_generic_plan as $$
declare
  v_waiting cursor for
    select l.id, l.rank, l.since, l.fulfilment_id, l.needed - l.allocated - l.consumed as quantity from public.order_part_allocations l
     where l.sku = p_sku and not l.is_closed and l.allocated + l.consumed < l.needed order by l.sku, l.rank, l.since, l.fulfilment_id;
  v_holding cursor for
    select l.id, l.rank, l.since, l.fulfilment_id, l.allocated as quantity from public.order_part_allocations l
     where l.sku = p_sku and l.allocated > 0 order by l.sku desc, l.rank desc, l.since desc, l.fulfilment_id desc;
  v_give record;   -- the best line that waits
  v_take record;   -- the last line that holds something
  v_given numeric := 0;
  v_taken numeric := 0;
  v_by bigint;
  v_free numeric := (select greatest(s.on_hand, 0) - s.reserved from public.inventory_stock s where s.sku = p_sku);
  v_amount numeric;
  v_plan private.promise_change[] := '{}';
begin
  open v_waiting;
  fetch v_waiting into v_give;
  open v_holding;
  fetch v_holding into v_take;
  loop
    exit when v_free is null or (v_free >= 0 and v_give.id is null);
    if v_free < 0 then
      exit when v_take.id is null;
      v_amount := least(-v_free, v_take.quantity - v_taken);
    elsif v_free > 0 then
      v_amount := least(v_free, v_give.quantity - v_given);
    else
      exit when v_take.id is null or (v_take.rank, v_take.since, v_take.fulfilment_id)
        <= (v_give.rank, v_give.since, v_give.fulfilment_id);
      v_amount := least(v_take.quantity - v_taken, v_give.quantity - v_given);
    end if;
    if v_free <= 0 then
      v_taken := v_taken + v_amount;
      v_by := case when v_free = 0 then v_give.id end;
    end if;
    if v_free >= 0 then
      v_given := v_given + v_amount;
    end if;
    v_free := v_free - sign(v_free) * v_amount;
    if v_taken > 0 and v_taken = v_take.quantity then
      v_plan := v_plan || row(v_take.id, -v_taken, v_by)::private.promise_change;
      v_taken := 0;
      fetch v_holding into v_take;
    end if;
    if v_given > 0 and v_given = v_give.quantity then
      v_plan := v_plan || row(v_give.id, v_given, null)::private.promise_change;
      v_given := 0;
      fetch v_waiting into v_give;
    end if;
  end loop;
  close v_waiting;
  close v_holding;
  return v_plan
    || case when v_taken > 0 then array[row(v_take.id, -v_taken, v_by)::private.promise_change] end
    || case when v_given > 0 then array[row(v_give.id, v_given, null)::private.promise_change] end;
end $$;
comment on function private.plan_allocation is
$$What has to change so that the promises of a locked item follow the rule. Two pointers walk towards each other, one from the best line that
waits, one from the last line that holds: the cost is the lines that change, however many others are open.$$;

create function private.allocate(p_skus text[], p_cause jsonb default '{}')
returns private.promise_change[] language plpgsql set search_path = '' as $$
declare
  v_sku text;
  v_plan private.promise_change[];
  v_changes private.promise_change[] := '{}';
begin
  perform private.lock_stock(p_skus);
  for v_sku in select distinct u from unnest(p_skus) u order by u loop
    v_plan := private.plan_allocation(v_sku);
    if v_plan <> '{}' then
      update public.order_part_allocations l
         set allocated = l.allocated + c.change, why = jsonb_strip_nulls(jsonb_build_object(
           'at', now(), 'change', trim_scale(c.change), 'cause', p_cause, 'outranked_by', c.outranked_by))
        from unnest(v_plan) c where l.id = c.line_id;
      v_changes := v_changes || v_plan;
    end if;
  end loop;
  return v_changes;
end $$;
comment on function private.allocate is
$$Promises what is on hand, item by item, from the top of the queue down. Called at the end of every command that changed stock or demand,
with all its items. p_cause {event, ref} is kept in why. Answers what changed. Locks: the items in the order of their SKUs.$$;

create function private.use_promised(
  p_line_id bigint, p_quantity numeric, p_site text, p_ref_stream text, p_ref_id text, p_reason text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_sku text;
begin
  update public.order_part_allocations l set allocated = l.allocated - p_quantity, consumed = l.consumed + p_quantity
   where l.id = p_line_id returning l.sku into v_sku;
  perform private.post_txn(v_sku, t.location, 'consume', -t.quantity, p_ref_stream, p_ref_id, p_reason, p_actor)
    from private.take(v_sku, p_site, p_quantity) t;
end $$;
comment on function private.use_promised is
  'The promised parts of a line are really used: the promise becomes a movement. The item is locked. Errors: stock.short (409).';

-- Has an order all its parts? ----------------------------------------------------------------------------------------

create function private.settle_fulfilments(p_ids bigint[])
returns void language plpgsql set search_path = '' as $$
declare
  v_changed bigint[];
begin
  -- Two statements: only after the lock is the view of the lines complete, when other items of the same order change meanwhile.
  perform 1 from public.order_fulfilments f where f.id = any (p_ids) order by f.id for update;
  with now_so as (
    select l.fulfilment_id, count(*) filter (where l.needed > 0) as lines, count(*) filter (where l.allocated + l.consumed < l.needed) as open_lines,
      case when bool_and(l.needed = 0 or l.allocated + l.consumed = l.needed) then 'fulfilled'   -- also one that needs nothing any more
        when bool_or(l.needed > 0 and l.allocated + l.consumed > 0) then 'partial' else 'unfulfilled' end as fulfillment_status
      from public.order_part_allocations l where l.fulfilment_id = any (p_ids) group by l.fulfilment_id
  ), changed as (
    update public.order_fulfilments f
       set lines = n.lines, open_lines = n.open_lines, fulfillment_status = n.fulfillment_status,
           fulfilled_at = case when n.fulfillment_status = 'fulfilled' then coalesce(f.fulfilled_at, now()) end
      from now_so n join public.order_fulfilments o on o.id = n.fulfilment_id
     where f.id = n.fulfilment_id and not f.is_closed
       and (f.lines, f.open_lines, f.fulfillment_status) is distinct from (n.lines, n.open_lines, n.fulfillment_status)
    returning f.id, o.fulfillment_status as before, n.fulfillment_status as after
  )
  select array_agg(c.id) into v_changed from changed c where c.before <> c.after;
  perform private.emit('allocation', f.code, 'allocation.' || f.fulfillment_status, null, jsonb_build_object(
      'lines', f.lines, 'open_lines', f.open_lines, 'cause', private.last_cause(f.id)), f.store, f.site)
    from public.order_fulfilments f where f.id = any (v_changed) order by f.id;
end $$;
comment on function private.settle_fulfilments is
'Whether open orders have all their parts now; an event allocation.fulfilled, allocation.partial or allocation.unfulfilled for each that changed. Locks: their rows.';

create function private.last_cause(p_fulfilment_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (select l.why -> 'cause' from public.order_part_allocations l where l.fulfilment_id = p_fulfilment_id order by l.why ->> 'at' desc nulls last limit 1);
end $$;

create function private.tg_order_part_allocations__settle()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_ids bigint[];
begin
  if coalesce(current_setting('takt.unsettled', true), '') <> '' then
    perform private.settle_pending();   -- no item is locked after the fulfilments are
    v_ids := string_to_array(current_setting('takt.unsettled'), ',')::bigint[];
    perform set_config('takt.unsettled', '', true);
    perform private.settle_fulfilments(v_ids);
  end if;
  return null;
end $$;
comment on function private.tg_order_part_allocations__settle is
'When the transaction commits: all its fulfilments at once, by id, the last locks it takes. Whoever waits for them holds nothing that others need.';
create constraint trigger _900_settle after insert or update on public.order_part_allocations deferrable initially deferred
  for each row execute function private.tg_order_part_allocations__settle();

-- The rule once more, in the plain way: for inventory_selfcheck and tests ----------------------------------------------

create function private.allocation_oracle(p_sku text)
returns table (line_id bigint, expected numeric) language sql stable set search_path = '' as $$
  select l.id, greatest(0, least(l.needed - l.consumed, greatest(s.on_hand, 0) - l.before))
    from (select o.*, coalesce(sum(o.needed - o.consumed) over (
            order by o.rank, o.since, o.fulfilment_id rows between unbounded preceding and 1 preceding), 0) as before
            from public.order_part_allocations o where o.sku = p_sku and not o.is_closed) l
    join public.inventory_stock s on s.sku = l.sku
$$;
comment on function private.allocation_oracle is 'What each open line of an item should have, worked out from nothing.';

create function private.allocation_differences()
returns table (sku text, location text, what text, kept numeric, ledger numeric) language sql stable set search_path = '' as $$
  select l.sku, null, 'promised to line ' || l.id, l.allocated, x.expected
    from public.inventory_stock s cross join private.allocation_oracle(s.sku) x join public.order_part_allocations l on l.id = x.line_id
   where l.allocated <> x.expected
  union all
  select s.sku, null, 'reserved', s.reserved, coalesce(t.total, 0)
    from public.inventory_stock s
    left join (select l.sku, sum(l.allocated) as total from public.order_part_allocations l group by l.sku) t on t.sku = s.sku
   where s.reserved <> coalesce(t.total, 0)
  union all
  select coalesce(t.sku, x.sku), null, 'missing in rank ' || coalesce(t.rank, x.rank), t.demand - t.allocated, x.missing
    from public.demand_totals t
    full join (select l.sku, l.rank, sum(l.needed - l.consumed - l.allocated) as missing, count(*) as lines
                 from public.order_part_allocations l where not l.is_closed group by l.sku, l.rank) x on x.sku = t.sku and x.rank = t.rank
   where (coalesce(t.demand - t.allocated, 0), coalesce(t.lines, 0)) <> (coalesce(x.missing, 0), coalesce(x.lines, 0))
  union all
  select null, null, 'open lines of ' || f.code, f.open_lines, x.open_lines
    from public.order_fulfilments f cross join lateral (
      select count(*) filter (where l.allocated + l.consumed < l.needed) as open_lines,
        bool_and(l.needed = 0 or l.allocated + l.consumed = l.needed) as complete
        from public.order_part_allocations l where l.fulfilment_id = f.id) x
   where not f.is_closed and (f.open_lines <> x.open_lines or (f.fulfillment_status = 'fulfilled') <> coalesce(x.complete, false))
$$;
comment on function private.allocation_differences is 'Where promises, sums or fulfilments differ from a full recompute. No rows: all is well.';
