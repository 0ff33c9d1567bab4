create type public.inbox_entry as (
  id bigint, source text, store text, shop_domain text, topic text, delivery_id text, event_id text, triggered_at timestamptz,
  api_version text, received_at timestamptz, status text, attempts integer, error text, processed_at timestamptz, bytes integer);
comment on type public.inbox_entry is 'A stored webhook without its content; bytes is null once the content was redacted or purged.';

create function public.list_inbox(p_store text default null, p_status text default null, p_limit integer default 50, p_before bigint default null)
returns setof public.inbox_entry language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('channels.read', p_store);
  return query
    select w.id, w.source, w.store, w.shop_domain, w.topic, w.delivery_id, w.event_id, w.triggered_at, w.api_version, w.received_at,
           w.status, w.attempts, w.error, w.processed_at, length(w.raw)
      from private.webhook_inbox w
     where w.store = any (private.readable_stores('channels.read')) and (w.store = p_store or p_store is null)
       and (w.status = p_status or p_status is null) and (w.id < p_before or p_before is null)
     order by w.id desc limit least(greatest(p_limit, 1), 500);
end $$;
comment on function public.list_inbox is
$$What arrived, newest first, without content. p_limit 1–500; p_before = the last id of the page before.
Permission: channels.read; own stores only.
Errors: auth.other_store (403).
Idempotency: a read.
Locks: none.$$;

create function public.get_inbox_body(p_id bigint)
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_inbox private.webhook_inbox := (select w from private.webhook_inbox w where w.id = p_id);
begin
  perform private.authorize('channels.manage', v_inbox.store);
  if v_inbox.id is null then
    perform private.fail(404, 'webhook.unknown', 'There is no webhook ' || coalesce(p_id::text, '') || '.', jsonb_build_object('id', p_id));
  end if;
  return jsonb_build_object('id', v_inbox.id, 'headers', v_inbox.headers, 'body', encode(v_inbox.raw, 'base64'),
    'json', private.try_json(v_inbox.raw), 'sha256', encode(v_inbox.raw_sha256, 'hex'));
end $$;
comment on function public.get_inbox_body is
$$The content of one webhook: {id, headers, body (base64 of the bytes as sent), json (null when it is not valid), sha256}. It holds personal data.
Permission: channels.manage in the store.
Errors: webhook.unknown (404).
Idempotency: a read.
Locks: none.$$;

create type public.replay_result as (inbox_id bigint, topic text, ok boolean, result text, changes jsonb, error text);

create function private.rehearse_webhook(p_inbox private.webhook_inbox, p_actor uuid)
returns public.replay_result language plpgsql set search_path = '' as $$
declare
  v_result jsonb;
begin
  v_result := private.handle_webhook(p_inbox, true, p_actor);
  return row(p_inbox.id, p_inbox.topic, true, v_result ->> 'result', v_result -> 'changes', null)::public.replay_result;
exception when others then
  return row(p_inbox.id, p_inbox.topic, false, 'error', '[]'::jsonb, left(sqlerrm, 500))::public.replay_result;
end $$;

create function public.replay_webhooks(
  p_ids bigint[] default null, p_store text default null, p_since timestamptz default null, p_dry_run boolean default true,
  p_request_id uuid default null)
returns setof public.replay_result language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('channels.manage', p_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'replay_webhooks', jsonb_build_array(p_ids, p_store, p_since, p_dry_run));
  v_inbox private.webhook_inbox;
  v_results public.replay_result[] := '{}';
begin
  if v_answer is null then
    if num_nonnulls(p_ids, p_store, p_since) = 0 then
      perform private.fail(400, 'webhook.replay_what', 'Name webhooks by id, a store or a time.');
    end if;
    for v_inbox in
      select * from private.webhook_inbox w
       where w.store = any (private.readable_stores('channels.manage')) and (w.id = any (p_ids) or p_ids is null)
         and (w.store = p_store or p_store is null) and (w.received_at >= p_since or p_since is null) and w.raw is not null
       order by w.id limit 5000 for update
    loop
      if p_dry_run then
        v_results := v_results || private.rehearse_webhook(v_inbox, v_actor);
      else
        update private.webhook_inbox w set status = 'new', error = null where w.id = v_inbox.id;
        perform private.queue_webhook(v_inbox.id);
        v_results := v_results || row(v_inbox.id, v_inbox.topic, true, 'queued', '[]'::jsonb, null)::public.replay_result;
      end if;
    end loop;
    insert into public.sync_runs (store, kind, finished_at, dry_run, actor_id, counts)
    select p_store, 'replay', clock_timestamp(), p_dry_run, nullif(v_actor, '00000000-0000-0000-0000-000000000000'), private.count_results(to_jsonb(v_results));
    perform private.remember(v_actor, p_request_id, to_jsonb(v_results));
    v_answer := to_jsonb(v_results);
  end if;
  return query select r.* from jsonb_populate_recordset(null::public.replay_result, v_answer) r;
end $$;
comment on function public.replay_webhooks is
$$Process stored webhooks again, at most 5000, oldest first, chosen by ids and/or store and/or time. Dry run: what each one alone would
change now, by the very same merge, taken back. For real: queued again. Redacted or purged webhooks are left out.
Permission: channels.manage; own stores only.
Errors: webhook.replay_what (400), request.reused (422).
Idempotency: by p_request_id; the merge is idempotent, so a replay of everything changes nothing.
Locks: the inbox rows, by id; in a dry run the orders too, until it ends.$$;

create function private.count_results(p_results jsonb)
returns jsonb language sql immutable set search_path = '' as $$
  select coalesce(jsonb_object_agg(c.result, c.n), '{}')
    from (select coalesce(r.item ->> 'result', 'error') as result, count(*) as n from private.items(p_results) r group by 1) c
$$;

create function public.requeue_dead_webhooks(p_ids bigint[], p_request_id uuid default null)
returns integer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('channels.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'requeue_dead_webhooks', jsonb_build_array(p_ids));
  v_ids bigint[];
begin
  if v_answer is not null then
    return v_answer::integer;
  end if;
  with again as (
    update private.webhook_inbox w set status = 'new', attempts = 0
     where w.id = any (p_ids) and w.status = 'dead' and w.store = any (private.readable_stores('channels.manage')) returning w.id
  )
  select coalesce(array_agg(a.id order by a.id), '{}') into v_ids from again a;
  -- The dead job gives way to a new one with all its retries.
  update public.work_queue q set status = 'done', finished_at = now()
   where q.topic = 'channel.process' and q.status = 'dead' and (q.payload ->> 'inbox_id')::bigint = any (v_ids);
  perform private.queue_webhook(id) from unnest(v_ids) id;
  perform private.remember(v_actor, p_request_id, to_jsonb(cardinality(v_ids)));
  return cardinality(v_ids);
end $$;
comment on function public.requeue_dead_webhooks is
$$Try dead webhooks again with all their retries. Answers how many were queued; ids that are not dead are left alone.
Permission: channels.manage; own stores only.
Errors: request.reused (422).
Idempotency: by p_request_id; a repeat queues nothing.
Locks: the inbox rows, then their dead jobs.$$;

-- Import -----------------------------------------------------------------------------------------------------------

create type public.import_result as ("row" integer, ok boolean, result text, order_ids text[], changes jsonb, error text);
comment on type public.import_result is 'Outcome of one row (counted from 1): result as of the merge; order_ids = the tickets of its order; changes [{id, event, fields}].';

create function private.import_one(p_store text, p_source text, p_payload jsonb, p_dry_run boolean, p_actor uuid)
returns public.import_result language plpgsql set search_path = '' as $$
declare
  v_merged jsonb;
  v_result public.import_result;
begin
  v_merged := private.merge_order(p_store, private.normalise(p_source, p_payload), p_dry_run, p_actor);
  v_result := row(null, true, v_merged ->> 'result', null, v_merged -> 'changes', null);
  v_result.order_ids := array(
    select o.id from public.orders o where o.store = p_store and o.external_order_id = v_merged ->> 'external_order_id'
    union select c.item ->> 'id' from private.items(v_merged -> 'changes') c order by 1);
  return v_result;
exception when others then
  return row(null, false, 'error', '{}'::text[], '[]'::jsonb, left(sqlerrm, 500))::public.import_result;
end $$;

create function public.import_orders(
  p_store text, p_source text, p_rows jsonb, p_dry_run boolean default true, p_request_id uuid default null)
returns setof public.import_result language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('orders.import', p_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'import_orders',
    jsonb_build_array(p_store, p_source, md5(p_rows::text), p_dry_run));
  v_group record;
  v_one public.import_result;
begin
  if v_answer is null then
    if not exists (select 1 from public.stores st where st.code = p_store) then
      perform private.fail(404, 'store.unknown', 'There is no store ' || coalesce(p_store, '') || '.', jsonb_build_object('store', p_store));
    elsif p_source is null or p_source not in ('shopify', 'woocommerce', 'generic') then
      perform private.fail(422, 'import.source', 'Orders come from shopify, woocommerce or generic.', jsonb_build_object('actual', p_source));
    elsif jsonb_typeof(p_rows) is distinct from 'array' or jsonb_array_length(p_rows) not between 1 and 1000 then
      perform private.fail(422, 'import.rows', 'Send a list of 1 to 1000 rows.', jsonb_build_object('field', 'p_rows'));
    end if;
    v_answer := '[]';
    for v_group in   -- rows of a file that name the same order are the lines of it
      select jsonb_agg(i.item order by i.n) as items, array_agg(i.n::integer order by i.n) as numbers
        from private.items(p_rows) i
       group by case when p_source = 'generic' then coalesce(private.generic_key(i.item), i.n::text) else i.n::text end order by min(i.n)
    loop
      v_one := private.import_one(p_store, p_source, case p_source when 'generic' then v_group.items else v_group.items -> 0 end, p_dry_run, v_actor);
      v_answer := v_answer || (select jsonb_agg(to_jsonb(v_one) || jsonb_build_object('row', n)) from unnest(v_group.numbers) n);
    end loop;
    insert into public.sync_runs (store, kind, finished_at, dry_run, actor_id, counts)
    values (p_store, 'import', clock_timestamp(), p_dry_run, nullif(v_actor, '00000000-0000-0000-0000-000000000000'), private.count_results(v_answer));
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return query select r.* from jsonb_populate_recordset(null::public.import_result, v_answer) r order by r."row";
end $$;
comment on function public.import_orders is
$$Orders from a file through the same merge as webhooks. p_rows: 1–1000 payloads of the shop, or generic rows (columns of the CSV import);
generic rows of one order are its lines and must come together. A row that fails does not stop the others. p_dry_run shows what would happen.
Permission: orders.import in the store.
Errors: store.unknown (404), import.source (422), import.rows (422), request.reused (422).
Idempotency: by p_request_id, and by order id and updated_at (or content): the same file again changes nothing.
Locks: the channel_orders rows and their tickets, in the order of the rows.$$;

grant execute on function public.list_inbox, public.get_inbox_body, public.replay_webhooks, public.requeue_dead_webhooks,
  public.import_orders to authenticated, service_role;
