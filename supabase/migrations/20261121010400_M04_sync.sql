-- Built from sql/M04_sync/ by `takt db build`: edit there, not here.
set local lock_timeout = '10s';
set local statement_timeout = '5min';

-- sql/M04_sync/tables.sql

create table public.stock_pushes (
  store text not null,
  sku text not null,
  is_out boolean not null default true,
  state text not null default 'queued' constraint stock_pushes_state_check
    check (state in ('queued', 'pushed', 'failed', 'not_listed', 'no_token')),
  queued_at timestamptz not null default now(),
  pushed_at timestamptz,
  locations integer,
  last_error text,
  constraint stock_pushes_pkey primary key (store, sku),
  constraint stock_pushes_store_fkey foreign key (store) references public.stores (code) on delete cascade,
  constraint stock_pushes_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete cascade
);
create index stock_pushes_sku_idx on public.stock_pushes (sku);
create index stock_pushes_open_idx on public.stock_pushes (store) where is_out and state <> 'pushed';
comment on table public.stock_pushes is 'What each shop was told about an item that ran out. Coming back is not pushed: a person puts it on sale again.';
comment on column public.stock_pushes.is_out is 'It is out here. False: it came back, and running out again is told again.';
comment on column public.stock_pushes.state is
  'pushed: set to nothing at all locations of the shop; not_listed: the shop does not know the SKU; no_token: the shop gave no access; failed: see last_error.';
comment on column public.stock_pushes.locations is 'Locations of the shop that were set.';

-- sql/M04_sync/internal.sql

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

-- sql/M04_sync/api.sql

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

-- sql/M04_sync/seed.sql

insert into private.scheduled_jobs (name, function_name, every) values ('reconcile stock pushes', 'reconcile_pushes', '5 minutes');

-- sql/M04_sync/policies.sql

alter table public.stock_pushes enable row level security;

create policy select_store on public.stock_pushes for select to authenticated
  using ((select private.readable_stores('inventory.read')) @> array[store]);
grant select on public.stock_pushes to authenticated;
