-- What a ticket takes: from the shelf when it arrives, from the bill of materials when a stage is completed.

create function private.words(p_text text)
returns text language sql immutable set search_path = '' as $$
  select trim(regexp_replace(lower(normalize(coalesce(p_text, ''), NFKC)), '[^[:alnum:]]+', ' ', 'g'))
$$;
comment on function private.words is 'A text as its words: lower case, one blank between them, no punctuation.';

create function private.fits(p_text text, p_match text, p_pattern text)
returns boolean language sql immutable set search_path = '' as $$
  select case p_match when 'exact' then private.words(p_text) = private.words(p_pattern)
    else private.words(p_pattern) <> '' and position(' ' || private.words(p_pattern) in ' ' || private.words(p_text)) > 0 end
$$;
comment on function private.fits is 'exact: the same words. keyword: the words of the pattern stand in the text, the last one perhaps longer (candle in Candles).';

-- Bill of materials ------------------------------------------------------------------------------------------------

create function private.explode(p_sku text, p_quantity numeric)
returns table (sku text, quantity numeric, stage public.stage_type, is_optional boolean)
language sql stable set search_path = '' as $$
  with recursive parts as (
    select r.sku, r.quantity * p_quantity as quantity, r.stage, r.is_optional, 1 as level
      from public.product_requirements r where r.parent_sku = p_sku
    union all
    select r.sku, r.quantity * p.quantity, coalesce(p.stage, r.stage), p.is_optional or r.is_optional, p.level + 1
      from parts p join public.inventory_items i on i.sku = p.sku and not i.is_stocked
      join public.product_requirements r on r.parent_sku = p.sku
     where p.level < 50
  )
  select p.sku, round(sum(p.quantity), 3), p.stage, p.is_optional from parts p join public.inventory_items i on i.sku = p.sku and i.is_stocked
   group by p.sku, p.stage, p.is_optional having round(sum(p.quantity), 3) > 0 order by p.sku
$$;
comment on function private.explode is
'The stocked components of so many pieces, in thousandths: one level down, and through phantoms (items not stocked). A stage above decides for
what is below.';

create function private.tg_product_requirements__no_cycle()
returns trigger language plpgsql set search_path = '' as $$
declare
  v_path text[];
begin
  perform pg_advisory_xact_lock(hashtextextended('takt product_requirements', 0));   -- two halves of a cycle must see each other
  with recursive below (sku, path) as (
    select new.sku, array[new.parent_sku, new.sku]
    union all
    select r.sku, b.path || r.sku from below b join public.product_requirements r on r.parent_sku = b.sku
     where b.sku <> new.parent_sku and r.id <> new.id and not r.sku = any (b.path[2:])
  )
  select b.path into v_path from below b where b.sku = new.parent_sku limit 1;
  if v_path is not null then
    perform private.fail(422, 'bom.cycle', 'A product cannot be made of itself: ' || array_to_string(v_path, ' → ') || '.',
      jsonb_build_object('path', v_path));
  end if;
  return new;
end $$;
create trigger _200_no_cycle before insert or update of parent_sku, sku on public.product_requirements
  for each row when (new.parent_sku is not null) execute function private.tg_product_requirements__no_cycle();

create function private.requirements_of(p_ticket public.orders)
returns table (sku text, quantity numeric, stage public.stage_type, is_optional boolean)
language plpgsql stable set search_path = '' as $$
declare
  v_parent text := (select i.sku from public.inventory_items i where lower(i.sku) = lower(p_ticket.sku)
    and exists (select 1 from public.product_requirements r where r.parent_sku = i.sku));
  v_product public.product_requirements;
begin
  if v_parent is not null then
    return query select e.sku, e.quantity, coalesce(e.stage, 'Packing'), e.is_optional from private.explode(v_parent, p_ticket.item_qty) e;
    return;
  end if;
  select r.* into v_product from public.product_requirements r
   where r.title is not null and (r.store is null or r.store = p_ticket.store) and private.fits(p_ticket.product_title, r.match, r.title)
     and (r.variant is null or private.fits(concat_ws(' ', p_ticket.variant_title, p_ticket.size, p_ticket.flavour), 'keyword', r.variant))
   order by r.store is null, r.match <> 'exact', r.variant is null, length(r.title) desc, r.id limit 1;
  return query
    with direct as (
      select r.sku, r.quantity * p_ticket.item_qty as quantity, r.stage, r.is_optional, i.is_stocked
        from public.product_requirements r join public.inventory_items i on i.sku = r.sku
       where r.title = v_product.title and r.match = v_product.match and r.store is not distinct from v_product.store
         and r.variant is not distinct from v_product.variant
    ), parts as (
      select d.sku, d.quantity, d.stage, d.is_optional from direct d where d.is_stocked
      union all
      select e.sku, e.quantity, coalesce(d.stage, e.stage), d.is_optional or e.is_optional
        from direct d, private.explode(d.sku, d.quantity) e where not d.is_stocked
    )
    select p.sku, sum(p.quantity), coalesce(p.stage, 'Packing'), p.is_optional from parts p group by 1, 3, 4 order by 1;
end $$;
comment on function private.requirements_of is
$$The stocked components of a ticket and the stage that consumes them. By its SKU, else by title: rules of its store before those of every
store, exact before keyword, with a variant before without, the longer title, the older one; all lines of the product that wins.$$;

-- From the shelf ---------------------------------------------------------------------------------------------------

create function private.whole_number(p_value jsonb)
returns numeric language sql immutable set search_path = '' as $$
  select case when p_value #>> '{}' ~ '^\d{1,6}(\.0+)?$' then (p_value #>> '{}')::numeric else 1 end
$$;

create function private.deductions_of(p_ticket public.orders)
returns table (sku text, quantity numeric) language sql stable set search_path = '' as $$
  select best.sku, sum(best.quantity * lines.quantity)
    from (
      select 'product' as what, p_ticket.product_title as title, p_ticket.variant_title as variant, p_ticket.item_qty::numeric as quantity
      union all
      select 'accessory', a.item ->> 'title', a.item ->> 'variant_title', private.whole_number(a.item -> 'quantity')
        from jsonb_array_elements(p_ticket.accessories) a (item)
    ) lines
   cross join lateral (
      select r.sku, r.quantity from public.deduction_rules r join public.inventory_items i on i.sku = r.sku and i.is_stocked
       where r.is_active and r.applies_to in (lines.what, 'any') and (r.store is null or r.store = p_ticket.store)
         and (private.fits(lines.title, r.match, r.pattern) or private.fits(concat_ws(' ', lines.title, lines.variant), r.match, r.pattern))
       order by r.priority, r.match <> 'exact', r.store is null, length(r.pattern) desc, r.id limit 1
    ) best
   group by best.sku having sum(best.quantity * lines.quantity) > 0
$$;
comment on function private.deductions_of is 'What a ticket takes from the shelf by the rules: one rule per line, its accessories and the product itself.';

create function private.open_moves(p_row_ids uuid[])
returns table (row_id uuid, id text, store text, sku text, quantity numeric) language sql stable set search_path = '' as $$
  with tickets as (
    select o as ticket, o.row_id, o.id, o.store, o.cancelled_at is null and s.restocked_at is null and not o.is_test as is_wanted
      from public.orders o join private.order_stock s on s.row_id = o.row_id and not s.only_plan where o.row_id = any (p_row_ids)
  ), wanted as (
    select t.row_id, d.sku, d.quantity from tickets t, private.deductions_of(t.ticket) d where t.is_wanted
    union all
    select t.row_id, x.sku, x.quantity from tickets t join public.inventory_txn x on x.ref_stream = 'order' and x.ref_id = t.id
     where x.kind in ('order_deduct', 'order_restock')
  )
  select t.row_id, t.id, t.store, w.sku, sum(w.quantity) from wanted w join tickets t on t.row_id = w.row_id
   group by t.row_id, t.id, t.store, w.sku having sum(w.quantity) <> 0
$$;
comment on function private.open_moves is
  'What these tickets still have to take (positive) or give back (negative): what the rules say now, less what the ledger says they took.';

create function private.give_back(p_order_id text, p_sku text, p_site text, p_quantity numeric)
returns table (location text, quantity numeric) language sql stable set search_path = '' as $$
  with took as (
    select t.location, -sum(t.quantity) as quantity, max(t.id) as last_id from public.inventory_txn t
     where t.ref_stream = 'order' and t.ref_id = p_order_id and t.sku = p_sku and t.kind in ('order_deduct', 'order_restock')
     group by t.location having sum(t.quantity) < 0
  ), piled as (
    select k.location, k.quantity, sum(k.quantity) over (order by k.last_id desc) - k.quantity as before from took k
  )
  select p.location, least(p.quantity, p_quantity - p.before) from piled p where p.before < p_quantity
$$;
comment on function private.give_back is 'Where a ticket puts back so much: to the places it took from, the last one first.';

create function private.settle(p_row_ids uuid[], p_actor uuid, p_reason text default null)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_skus text[] := private.plan_tickets(p_row_ids);
  v_move record;
  v_part record;
  v_ids bigint[] := '{}';
  v_moved jsonb := '[]';
begin
  v_skus := array(select unnest(v_skus) union select m.sku from private.open_moves(p_row_ids) m);
  perform private.lock_stock(v_skus);
  for v_move in
    select m.*, st.site from private.open_moves(p_row_ids) m join public.stores st on st.code = m.store
     where m.sku = any (v_skus) order by m.sku, m.id
  loop
    for v_part in   -- what is free decides where it is taken from, so each ticket looks again
      select t.location, t.quantity from private.take(v_move.sku, v_move.site, v_move.quantity) t where v_move.quantity > 0
      union all
      select g.location, -g.quantity from private.give_back(v_move.id, v_move.sku, v_move.site, -v_move.quantity) g where v_move.quantity < 0
    loop
      v_ids := v_ids || private.post_txn(v_move.sku, v_part.location, case when v_part.quantity > 0 then 'order_deduct' else 'order_restock' end,
        -v_part.quantity, 'order', v_move.id, p_reason, p_actor);
      v_moved := v_moved || jsonb_build_object('order_id', v_move.id, 'sku', v_move.sku, 'location', v_part.location,
        'quantity', -v_part.quantity);
    end loop;
  end loop;
  perform private.emit_moves('stock.ordered', v_ids, p_actor);
  update private.order_stock s set settled_at = now(), pending_xid = null, failed = null where s.row_id = any (p_row_ids);
  perform private.allocate(v_skus, '{"event": "order.settled"}');
  return v_moved;
end $$;
comment on function private.settle is
$$Brings the ledger to what these tickets want: deducts, or restocks what is no longer wanted. Answers [{order_id, sku, location, quantity}].
Doing it again moves nothing. Errors: stock.short (409). Locks: the items, by SKU.$$;

create function private.settle_pending()
returns void language plpgsql set search_path = '' as $$
declare
  v_ids uuid[] := array(select s.row_id from private.order_stock s where s.pending_xid = pg_current_xact_id());
begin
  if v_ids = '{}' then
    return;   -- the first one settled them all
  end if;
  begin
    perform private.settle(v_ids, (private.identify()).actor_id);
  exception when others then   -- the order always comes in; its stock is tried again by the worker
    update private.order_stock s set pending_xid = null, failed = left(sqlerrm, 500) where s.row_id = any (v_ids);
    perform private.enqueue('stock.deduct', jsonb_build_object('order_id', o.id), o.id) from public.orders o where o.row_id = any (v_ids);
  end;
end $$;
comment on function private.settle_pending is 'All tickets that this transaction changed, at once, in the order of the SKUs, so that orders never deadlock.';

create function private.tg_order_stock__settle()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.settle_pending();
  return null;
end $$;
comment on function private.tg_order_stock__settle is 'When a transaction commits: all its tickets at once, in the order of the SKUs, so that orders never deadlock.';
create constraint trigger _500_settle after insert or update on private.order_stock deferrable initially deferred
  for each row when (new.pending_xid is not null) execute function private.tg_order_stock__settle();

create function private.mark_order_stock(p_row_ids uuid[], p_only_plan boolean)
returns void language plpgsql set search_path = '' as $$
begin
  perform 1 from private.order_stock s where s.row_id = any (p_row_ids) order by s.row_id for update;
  update private.order_stock s
     set only_plan = p_only_plan and s.failed is null and (s.only_plan or s.pending_xid is distinct from pg_current_xact_id()), pending_xid = pg_current_xact_id()
   where s.row_id = any (p_row_ids);
end $$;
comment on function private.mark_order_stock is 'These tickets are settled when the transaction commits; p_only_plan: nothing is taken from the shelf or put back.';

create function private.tg_orders__stock()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE' then
    perform private.mark_order_stock(array[new.row_id], tg_argv[0] = 'plan');
  elsif private.is_tracked(new.store) and not new.is_test then
    insert into private.order_stock (row_id, pending_xid) values (new.row_id, pg_current_xact_id());
  end if;
  return null;
end $$;
comment on function private.tg_orders__stock is 'Webhook, import and hand-made orders all come in here. Tickets of a store that tracks stock are settled at the commit.';
create trigger _600_stock_of_new after insert on public.orders for each row execute function private.tg_orders__stock('moves');
create trigger _600_stock_of_changed after update on public.orders for each row
  when ((old.accessories, old.product_title, old.variant_title, old.sku, old.item_qty, old.cancelled_at is null)
    is distinct from (new.accessories, new.product_title, new.variant_title, new.sku, new.item_qty, new.cancelled_at is null))
  execute function private.tg_orders__stock('moves');
create trigger _610_plan_of_changed after update on public.orders for each row
  when ((old.size, old.flavour, old.priority, old.due_date, old.stage = 'Complete')
    is distinct from (new.size, new.flavour, new.priority, new.due_date, new.stage = 'Complete'))
  execute function private.tg_orders__stock('plan');
