-- Serialised pieces of routed orders: stock gets them once, from the good pieces of the last step, and the unit takes its piece over. So many units of an
-- order (and of what is made again for it) are in stock at most as pieces were counted good. Whoever changes either of the two holds the item.

create type private.family_pieces as (good numeric, units integer);

create function private.pieces_of_family(p_order public.production_orders)
returns private.family_pieces language plpgsql stable set search_path = '' as $$
declare
  v_root bigint := private.root_of(p_order.id);
  v_orders bigint[] := array(
    select o.id from public.production_orders o
     where o.product_sku = p_order.product_sku and (o.id = v_root or o.id in (select r.order_id from public.replenishments r where r.root_id = v_root)));
begin
  return row(
    (select coalesce(sum(s.good), 0) from public.production_order_steps s where s.order_id = any (v_orders) and s.is_last),
    (select count(*) from public.units u where u.production_order_id = any (v_orders) and u.is_counted))::private.family_pieces;
end $$;
comment on function private.pieces_of_family is
  'Of an order, its root and what is made again for it, one product: good pieces of the last steps, and how many of them units took over.';

create or replace function private.piece_of_order(p_unit public.units, p_sku text)
returns text language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders;
  v_pieces private.family_pieces;
begin
  if p_unit.production_order_id is null or p_unit.is_counted then
    return null;   -- its piece left stock again with it, and comes back with it
  end if;
  perform private.lock_stock(array[p_sku]);
  select o.* into v_order from public.production_orders o where o.id = p_unit.production_order_id and o.is_routed and o.product_sku = p_sku;
  if v_order.id is null then
    return null;
  end if;
  v_pieces := private.pieces_of_family(v_order);
  if v_pieces.units >= v_pieces.good then
    perform private.fail(409, 'unit.not_counted', format('%s is a piece of %s, whose last step counted %s good; %s of them are units in stock already. Report it there first.',
      p_unit.sn, v_order.code, trim_scale(v_pieces.good), v_pieces.units), jsonb_build_object('sn', p_unit.sn, 'code', v_order.code,
      'good', trim_scale(v_pieces.good), 'units', v_pieces.units));
  end if;
  p_unit.stock_sku := p_sku;
  p_unit.stock_location := (select t.location from public.inventory_txn t where t.ref_stream = 'production_order' and t.ref_id = v_order.code and t.sku = p_sku
    and t.kind = 'produce' and t.quantity > 0 order by t.id desc limit 1);
  p_unit.stock_location := coalesce(p_unit.stock_location, private.default_location(p_unit.site));
  return private.piece_at(p_unit);
end $$;
comment on function private.piece_of_order is
$$Where the piece of this unit lies in stock already, because its routed order counted it good there; null: it comes into stock with the unit. Errors:
unit.not_counted (409) when the last step did not count it good yet. Locks: the item.$$;

create function private.refuse_stocked_units(p_order public.production_orders, p_change public.piece_counts)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_pieces private.family_pieces := private.pieces_of_family(p_order);
  v_message text := format('%s good pieces of %s are units in stock by now.', v_pieces.units, p_order.code);
  v_detail jsonb := jsonb_build_object('code', p_order.code, 'good', trim_scale(v_pieces.good), 'units', v_pieces.units);
begin
  if v_pieces.units = 0 or v_pieces.good + p_change.good >= v_pieces.units then
    return;
  elsif p_change.reverses is not null then
    perform private.fail(409, 'undo.blocked', v_message, v_detail);
  end if;
  perform private.fail(409, 'production.used_further', v_message, v_detail);
end $$;
comment on function private.refuse_stocked_units is
  'Errors: undo.blocked, production.used_further (409) when fewer pieces would be good than units took over. The item is locked by the caller.';

create function private.refuse_made_without_steps(p_order public.production_orders)
returns void language plpgsql set search_path = '' as $$
declare
  v_units integer;
begin
  perform private.lock_order_stock(p_order);
  v_units := (select count(*) from public.units u where u.production_order_id = p_order.id and u.stock_sku = p_order.product_sku);
  if v_units > 0 then
    perform private.fail(409, 'production.units_in_stock', format('%s units of %s came into stock without any step. Make the rest by another order.', v_units,
      p_order.code), jsonb_build_object('code', p_order.code, 'units', v_units));
  end if;
end $$;
comment on function private.refuse_made_without_steps is
  'An order whose units are in stock is not made again, step by step. Errors: production.units_in_stock (409). Locks: all items of the order.';

create function private.unit_differences()
returns table (subject text, what text, kept numeric, expected numeric) language sql stable set search_path = '' as $$
  select u.sn, 'unit in stock beside the pieces of its order', 1, 0
    from public.units u join public.production_orders o on o.id = u.production_order_id
   where o.is_routed and u.stock_sku = o.product_sku and not u.is_counted
  union all
  select x.code, 'units in stock of its good pieces', n.units, coalesce(g.good, 0)
    from (select coalesce(r.root_id, o.id) as root, o.product_sku as sku, count(*) as units
        from public.units u join public.production_orders o on o.id = u.production_order_id left join public.replenishments r on r.order_id = o.id
       where u.is_counted group by 1, 2) n
    join public.production_orders x on x.id = n.root
    left join (select coalesce(r.root_id, o.id) as root, o.product_sku as sku, sum(s.good) as good
        from public.production_order_steps s join public.production_orders o on o.id = s.order_id left join public.replenishments r on r.order_id = o.id
       where s.is_last group by 1, 2) g on g.root = n.root and g.sku = n.sku
   where n.units > coalesce(g.good, 0)
$$;
comment on function private.unit_differences is 'Where a unit of a routed order is in stock besides its piece, or more of them than were good. No rows: all is well.';
