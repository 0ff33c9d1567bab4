create function private.queue_push(p_store text, p_sku text)
returns bigint language sql volatile set search_path = '' as $$
  select private.enqueue('stock.push', jsonb_build_object('store', p_store, 'sku', p_sku), p_store || '/' || p_sku, p_max_retries => 2)
$$;
comment on function private.queue_push is 'Three tries, with back-off; a worker that dies in the middle gives the job back when its lease ends.';

create function private.tg_inventory_stock__crossing()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_ats numeric := (select s.ats from public.inventory_stock s where s.sku = new.sku);
begin
  -- As it is when the transaction commits: what came in and was promised at once never was on sale.
  if v_ats > 0 then
    update public.stock_pushes p set is_out = false where p.sku = new.sku and p.is_out;
  else
    with told as (
      insert into public.stock_pushes as p (store, sku)
      select t.store, new.sku from public.shop_tokens t join public.inventory_items i on i.sku = new.sku and i.is_listed
       where t.source = 'shopify' and t.status <> 'disconnected'
      on conflict on constraint stock_pushes_pkey do update
        set is_out = true, state = 'queued', queued_at = now(), last_error = null where not p.is_out
      returning p.store
    )
    select count(private.queue_push(t.store, new.sku)) into v_ats from told t;
  end if;
  return null;
end $$;
comment on function private.tg_inventory_stock__crossing is 'Available crossed zero: every shop is told that it ran out, once until it comes back.';
create constraint trigger _900_crossing after update on public.inventory_stock deferrable initially deferred
  for each row when (old.ats > 0 is distinct from (new.ats > 0)) execute function private.tg_inventory_stock__crossing();

create function private.tg_work_queue__dead_push()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.stock_pushes p set state = 'failed', last_error = left(coalesce(new.last_error, 'It was given up.'), 500)
   where p.store = new.payload ->> 'store' and p.sku = new.payload ->> 'sku' and p.state = 'queued';
  return null;
end $$;
create trigger _300_dead_push after update of status on public.work_queue
  for each row when (new.topic = 'stock.push' and new.status = 'dead') execute function private.tg_work_queue__dead_push();

create function private.queue_open_pushes(p_stores text[])
returns integer language plpgsql set search_path = '' as $$
declare
  v_count integer;
begin
  with again as (
    update public.stock_pushes p set state = 'queued', queued_at = now()
     where p.store = any (p_stores) and p.is_out and p.state <> 'pushed' returning p.store, p.sku
  )
  select count(private.queue_push(a.store, a.sku)) into v_count from again a;
  return v_count;
end $$;
comment on function private.queue_open_pushes is 'Try again whatever these shops were not told.';

create function private.tg_shop_secrets__push()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.queue_open_pushes(array[new.store]);
  return null;
end $$;
comment on function private.tg_shop_secrets__push is 'A new access token: what could not be told without it is told now.';
create trigger _500_push after insert on private.shop_secrets
  for each row when (new.kind = 'access_token') execute function private.tg_shop_secrets__push();

create function private.reconcile_pushes(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
begin
  update public.stock_pushes p set is_out = false
    from public.inventory_stock s where s.sku = p.sku and s.ats > 0 and p.is_out;
  perform private.queue_push(p.store, p.sku) from public.stock_pushes p
   where p.is_out and (p.state = 'failed' and p.queued_at < p_now - interval '1 hour' or p.state = 'queued' and p.queued_at < p_now - interval '5 minutes')
     and not exists (select 1 from public.work_queue w where w.topic = 'stock.push' and w.dedupe_key = p.store || '/' || p.sku
       and w.status in ('ready', 'running'));
  update public.stock_pushes p set state = 'queued', queued_at = p_now
   where p.is_out and p.state = 'failed' and p.queued_at < p_now - interval '1 hour';
end $$;
comment on function private.reconcile_pushes is 'Pushes that were given up are tried again after an hour; one whose job is gone gets a new one.';

create function private.push_alarms(p_stores text[])
returns setof public.stock_alarm language sql stable set search_path = '' as $$
  select 'push_failed', case p.state when 'failed' then 'error' else 'warning' end, p.sku, null,
    case p.state when 'no_token' then format('%s has no access token, so it was not told that %s ran out.', p.store, p.sku)
      else format('%s could not be told that %s ran out: %s', p.store, p.sku, p.last_error) end, p.queued_at, jsonb_build_object('store', p.store)
    from public.stock_pushes p where p.is_out and p.state in ('failed', 'no_token') and p.store = any (p_stores)
$$;
