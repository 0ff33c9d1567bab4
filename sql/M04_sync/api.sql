create type public.push_task as (
  wanted boolean, reason text, store text, sku text, shop_domain text, api_version text, access_token text, available numeric);
comment on type public.push_task is 'What to tell a shop: set the SKU to nothing at all its locations. wanted = false: nothing to do, because of reason.';

create function public.begin_stock_push(p_store text, p_sku text)
returns public.push_task language plpgsql security definer set search_path = '' as $$
declare
  v_shop public.shop_tokens;
  v_push public.stock_pushes;
  v_token text;
  v_ats numeric;
begin
  perform private.authorize('work.run');
  select t.* into v_shop from public.shop_tokens t where t.store = p_store and t.source = 'shopify';
  select p.* into v_push from public.stock_pushes p where p.store = p_store and p.sku = p_sku for update;
  select s.ats into v_ats from public.inventory_stock s where s.sku = p_sku;
  if v_push.sku is null or v_shop.store is null or v_shop.status = 'disconnected' then
    return row(false, 'unknown', p_store, p_sku, null, null, null, v_ats)::public.push_task;
  elsif v_ats > 0 or not v_push.is_out then
    return row(false, 'in_stock', p_store, p_sku, null, null, null, v_ats)::public.push_task;
  end if;
  select v into v_token from private.valid_secrets(p_store, 'access_token') v limit 1;
  if v_token is null then
    update public.stock_pushes p set state = 'no_token' where p.store = p_store and p.sku = p_sku;
    return row(false, 'no_token', p_store, p_sku, null, null, null, v_ats)::public.push_task;
  end if;
  return row(true, null, p_store, p_sku, v_shop.shop_domain, v_shop.api_version, v_token, v_ats)::public.push_task;
end $$;
comment on function public.begin_stock_push is
$$For the worker: is this item still out, and how is the shop reached? Its access token is opened with the header x-takt-secrets-key.
Permission: work.run (service only).
Errors: channels.no_key (412), channels.wrong_key (412).
Idempotency: a look; safe to repeat.
Locks: the push.$$;

create function public.finish_stock_push(p_store text, p_sku text, p_locations integer)
returns public.stock_pushes language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('work.run');
  v_push public.stock_pushes;
begin
  update public.stock_pushes p
     set state = case when p_locations > 0 then 'pushed' else 'not_listed' end, locations = p_locations, pushed_at = now(), last_error = null
   where p.store = p_store and p.sku = p_sku returning p.* into v_push;
  if v_push.state = 'pushed' then
    perform private.emit('stock', p_sku, 'stock.pushed', v_actor, jsonb_build_object('locations', p_locations), p_store);
  end if;
  return v_push;
end $$;
comment on function public.finish_stock_push is
$$The shop was told: at so many locations; 0 = it does not know the SKU.
Permission: work.run (service only).
Errors: auth.forbidden (403).
Idempotency: says the same again.
Locks: the push.$$;

create function public.retry_stock_pushes(p_store text default null, p_request_id uuid default null)
returns integer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('channels.manage', p_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'retry_stock_pushes', jsonb_build_array(p_store));
begin
  if v_answer is null then
    v_answer := to_jsonb(private.queue_open_pushes(case when p_store is null then private.readable_stores('channels.manage') else array[p_store] end));
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return v_answer::integer;
end $$;
comment on function public.retry_stock_pushes is
$$Tell the shops (one, or all of one's own) again what they were not told. Answers how many items were queued.
Permission: channels.manage, in the store when one is named.
Errors: request.reused (422).
Idempotency: by p_request_id; what is queued already is not queued again.
Locks: the pushes.$$;

create function public.get_stock_alarms()
returns setof public.stock_alarm language plpgsql stable security definer set search_path = '' as $$
declare
  v_stores text[];
begin
  perform private.authorize('inventory.read');
  v_stores := private.readable_stores('inventory.read');
  return query
    select a.* from (
      select i.* from private.item_alarms() i where i.sku <> all (private.blind_skus())
      union all select o.* from private.order_alarms(v_stores) o
      union all select p.* from private.push_alarms(v_stores) p) a
     order by a.severity, a.kind, a.sku, a.order_id;
end $$;
comment on function public.get_stock_alarms is
$$What about stock a person should look at: below zero, out, low, components missing, orders and shops that could not be settled.
Permission: inventory.read; orders and shops of the own stores only.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.begin_stock_push, public.finish_stock_push to service_role;
grant execute on function public.retry_stock_pushes, public.get_stock_alarms to authenticated, service_role;
