create type public.inventory_row as (
  sku text, title text, kind text, uom text, supplier text, unit_cost numeric, min_stock numeric, is_stocked boolean, forbid_negative boolean,
  is_listed boolean, is_active boolean, version integer, on_hand numeric, held numeric, reserved numeric, ats numeric, is_low boolean, locations jsonb,
  state text);
comment on type public.inventory_row is
$$An item with its stock. locations: {code: on hand there}. is_low: at or below min_stock, or nothing left to promise. state: enough, low,
promised (all there is), out, negative or not_stocked.$$;

create type public.inventory_page as (items public.inventory_row[], next_cursor text, total bigint);
comment on type public.inventory_page is 'A page of items; next_cursor is null on the last page; total only when asked for.';

create function private.is_low(p_ats numeric, p_min_stock numeric, p_is_stocked boolean)
returns boolean language sql immutable set search_path = '' as $$
  select p_is_stocked and (p_ats < 0 or p_min_stock > 0 and p_ats <= p_min_stock)
$$;
comment on function private.is_low is 'Less than nothing to promise, or at or below the minimum.';

create function private.inventory_row(p_item public.inventory_items, p_stock public.inventory_stock)
returns public.inventory_row language plpgsql stable set search_path = '' as $$
declare
  v_is_low boolean := private.is_low(p_stock.ats, p_item.min_stock, p_item.is_stocked);
begin
  return row(p_item.sku, p_item.title, p_item.kind, p_item.uom, p_item.supplier, p_item.unit_cost, p_item.min_stock, p_item.is_stocked,
    p_item.forbid_negative, p_item.is_listed, p_item.is_active, p_item.version, p_stock.on_hand, p_stock.held, p_stock.reserved, p_stock.ats, v_is_low,
    (select coalesce(jsonb_object_agg(b.location, trim_scale(b.on_hand)), '{}') from public.inventory_balances b
      where b.sku = p_item.sku and b.on_hand <> 0),
    case when not p_item.is_stocked then 'not_stocked' when p_stock.on_hand < 0 then 'negative' when p_stock.ats > 0 and v_is_low then 'low'
      when p_stock.ats > 0 then 'enough' when p_stock.on_hand > 0 then 'promised' else 'out' end);
end $$;

create function private.inventory_filter(p_search text, p_kind text, p_location text, p_only text, p_with_inactive boolean)
returns setof text language plpgsql stable set search_path = '' as $$
begin
  return query
    select i.sku from public.inventory_items i join public.inventory_stock s on s.sku = i.sku
     where i.sku <> all (private.blind_skus()) and (p_with_inactive or i.is_active) and (p_kind is null or i.kind = p_kind)
       and (p_search is null or position(lower(p_search) in lower(concat_ws(' ', i.sku, i.title, i.supplier))) > 0)
       and (p_location is null or exists (select 1 from public.inventory_balances b where b.sku = i.sku and b.location = p_location and b.on_hand <> 0))
       and (p_only is null
         or p_only = 'low' and private.is_low(s.ats, i.min_stock, i.is_stocked) or p_only = 'out' and i.is_stocked and s.ats <= 0
         or p_only = 'negative' and s.on_hand < 0);
end $$;

create function public.get_inventory(
  p_search text default null, p_kind text default null, p_location text default null, p_only text default null,
  p_with_inactive boolean default false, p_cursor text default null, p_limit integer default 100, p_with_total boolean default false)
returns public.inventory_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_after jsonb := private.keys_of(p_cursor, 1);
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_page public.inventory_page;
begin
  perform private.authorize('inventory.read');
  if p_only not in ('low', 'out', 'negative') then
    perform private.fail(422, 'inventory.only', 'Choose low, out or negative.', jsonb_build_object('field', 'p_only', 'actual', p_only));
  end if;
  v_page.items := array(
    select private.inventory_row(i, s)
      from private.inventory_filter(p_search, p_kind, p_location, p_only, p_with_inactive) f (sku)
      join public.inventory_items i on i.sku = f.sku join public.inventory_stock s on s.sku = i.sku
     where v_after is null or i.sku > v_after ->> 0
     order by i.sku limit v_limit + 1);
  if cardinality(v_page.items) > v_limit then
    v_page.items := v_page.items[1:v_limit];
    v_page.next_cursor := private.cursor_of(jsonb_build_array((v_page.items[v_limit]).sku));
  end if;
  if p_with_total then
    v_page.total := (select count(*) from private.inventory_filter(p_search, p_kind, p_location, p_only, p_with_inactive));
  end if;
  return v_page;
end $$;
comment on function public.get_inventory is
$$Items with their stock, by SKU. p_search in SKU, title and supplier; p_location: what lies there; p_only: low, out (nothing to promise), negative.
Items that the caller is counting right now are left out: a count is blind. p_limit 1–500; total only with p_with_total.
Permission: inventory.read.
Errors: inventory.only (422), request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create function public.get_item(p_sku text)
returns public.inventory_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_item public.inventory_items;
begin
  perform private.authorize('inventory.read');
  v_item := private.find_item(p_sku);
  if v_item.sku = any (private.blind_skus()) then
    perform private.fail(403, 'count.blind', 'You are counting this item. Submit the count first.', jsonb_build_object('sku', v_item.sku));
  end if;
  return (select private.inventory_row(v_item, s) from public.inventory_stock s where s.sku = v_item.sku);
end $$;
comment on function public.get_item is
$$One item with its stock: what a scanned or typed SKU means, whatever its case.
Permission: inventory.read.
Errors: item.unknown (404), count.blind (403).
Idempotency: a read.
Locks: none.$$;

create type public.ledger_entry as (
  id bigint, at timestamptz, sku text, location text, kind text, quantity numeric, balance numeric, reason text, ref_stream text, ref_id text,
  unit_cost numeric, actor_id uuid, actor_name text, batch_id bigint, reverses bigint, reversed_by bigint);
comment on type public.ledger_entry is 'A movement; balance = at the location right after it; reversed_by: the movement that took it back.';
create type public.ledger_page as (entries public.ledger_entry[], next_cursor text);
comment on type public.ledger_page is 'A page of movements, newest first; next_cursor is null on the last page.';

create function public.get_item_ledger(
  p_sku text, p_location text default null, p_kind text default null, p_cursor text default null, p_limit integer default 100)
returns public.ledger_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_after jsonb := private.keys_of(p_cursor, 1);
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_sku text;
  v_page public.ledger_page;
begin
  perform private.authorize('inventory.read');
  v_sku := (private.find_item(p_sku)).sku;
  if v_sku = any (private.blind_skus()) then
    perform private.fail(403, 'count.blind', 'You are counting this item. Submit the count first.', jsonb_build_object('sku', v_sku));
  end if;
  v_page.entries := array(
    select row(t.id, t.at, t.sku, t.location, t.kind, t.quantity, t.balance, t.reason, t.ref_stream, t.ref_id, t.unit_cost, t.actor_id,
        coalesce(p.full_name, d.name), t.batch_id, t.reverses, r.id)::public.ledger_entry
      from public.inventory_txn t left join public.staff_shared p on p.user_id = t.actor_id left join public.devices d on d.user_id = t.actor_id
      left join public.inventory_txn r on r.reverses = t.id
     where t.sku = v_sku and (p_location is null or t.location = p_location) and (p_kind is null or t.kind = p_kind)
       and (v_after is null or t.id < (v_after ->> 0)::bigint)
     order by t.id desc limit v_limit + 1);
  if cardinality(v_page.entries) > v_limit then
    v_page.entries := v_page.entries[1:v_limit];
    v_page.next_cursor := private.cursor_of(jsonb_build_array((v_page.entries[v_limit]).id));
  end if;
  return v_page;
end $$;
comment on function public.get_item_ledger is
$$Every movement of an item, newest first: the drill-down behind a figure. p_limit 1–500.
Permission: inventory.read.
Errors: item.unknown (404), count.blind (403), request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create type public.stock_alarm as (kind text, severity text, sku text, order_id text, message text, since timestamptz, details jsonb);
comment on type public.stock_alarm is
$$Something about stock that a person should look at. kind: negative, out, low, components_short (a stage was completed without its components),
deduct_failed (an order could not take its stock), push_failed (a shop was not told that an item ran out); severity: error, warning.$$;

create function private.item_alarms()
returns setof public.stock_alarm language sql stable set search_path = '' as $$
  select k.kind, case when k.kind = 'low' then 'warning' else 'error' end, i.sku, null,
    case k.kind when 'negative' then format('%s is below zero: %s.', i.title, trim_scale(s.on_hand)) when 'out' then i.title || ' ran out.'
      else format('%s is low: %s of %s.', i.title, trim_scale(s.ats), trim_scale(i.min_stock)) end,
    null::timestamptz, jsonb_build_object('on_hand', trim_scale(s.on_hand), 'reserved', trim_scale(s.reserved), 'ats', trim_scale(s.ats),
      'min_stock', trim_scale(i.min_stock))
    from public.inventory_items i join public.inventory_stock s on s.sku = i.sku
   cross join lateral (select case when s.on_hand < 0 then 'negative' when s.ats <= 0 and i.min_stock > 0 then 'out' else 'low' end) as k (kind)
   where i.is_active and private.is_low(s.ats, i.min_stock, i.is_stocked)
$$;

create function private.order_alarms(p_stores text[])
returns setof public.stock_alarm language sql stable set search_path = '' as $$
  select 'components_short', 'error', null, o.id, format('%s was completed for %s, but components were missing.', c.stage, o.id), c.at,
    jsonb_build_object('stage', c.stage, 'missing', private.shortage(private.must_have(c.details)))
    from private.stage_consumptions c join public.orders o on o.row_id = c.row_id
   where c.state = 'short' and o.cancelled_at is null and o.store = any (p_stores)
  union all
  select 'deduct_failed', 'error', null, o.id, format('%s could not take its stock: %s', o.id, s.failed), o.created_at, '{}'
    from private.order_stock s join public.orders o on o.row_id = s.row_id where s.failed is not null and o.store = any (p_stores)
$$;

create function public.inventory_selfcheck()
returns table (sku text, location text, what text, kept numeric, ledger numeric)
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('inventory.read');
  return query select d.* from private.stock_differences() d union all select a.* from private.allocation_differences() a;
end $$;
comment on function public.inventory_selfcheck is
$$Where what is kept differs from the sum of the ledger, or promises from a full recompute. Must answer nothing.
Permission: inventory.read.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.get_inventory, public.get_item, public.get_item_ledger, public.inventory_selfcheck to authenticated, service_role;
