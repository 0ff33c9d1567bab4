create type public.received_webhook as (inbox_id bigint, duplicate boolean, topic text);
comment on type public.received_webhook is 'Where a delivery is stored; duplicate = it was there already.';

create function public.receive_webhook(p_source text, p_shop text, p_body text, p_headers jsonb)
returns public.received_webhook language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('webhooks.receive');
  v_headers jsonb := (select jsonb_object_agg(lower(h.key), h.value) from jsonb_each_text(p_headers) h);
  v_raw bytea;
  v_payload jsonb;
  v_format private.webhook_formats;
  v_shop public.shop_tokens;
  v_answer public.received_webhook;
begin
  if length(p_body) > 4 * 1024 * 1024 or length(decode(p_body, 'base64')) > 3 * 1024 * 1024 then
    perform private.fail(413, 'webhook.too_large', 'A webhook may have at most 3 MB.');
  end if;
  v_raw := decode(p_body, 'base64');
  select s.* into v_shop from public.shop_tokens s
   where s.source = p_source and (s.store = lower(p_shop) or s.shop_domain = lower(p_shop)) order by s.store = lower(p_shop) desc limit 1;
  v_format := private.verify_webhook(p_source, v_shop.store, v_headers, v_raw);
  if v_format.name is null then
    perform private.fail(401, 'webhook.bad_signature', 'The signature is missing or wrong.');
  end if;
  v_payload := private.try_json(v_raw);
  v_answer.topic := coalesce(v_headers ->> v_format.topic_header, v_payload ->> 'type', v_payload ->> 'event_type', 'unknown');
  insert into private.webhook_inbox as w (source, store, shop_domain, topic, delivery_id, event_id, triggered_at, api_version,
    headers, raw, raw_sha256, order_ids, verified)
  values (p_source, v_shop.store, v_headers ->> v_format.domain_header, v_answer.topic,
    coalesce(nullif(v_headers ->> v_format.delivery_header, ''), 'sha256:' || encode(sha256(v_raw), 'hex')), v_headers ->> v_format.event_header,
    private.try_timestamptz(v_headers ->> v_format.triggered_header), v_headers ->> v_format.version_header,
    v_headers - array[v_format.signature_header, 'authorization', 'cookie', 'apikey', 'x-takt-secrets-key'],
    v_raw, sha256(v_raw), private.payload_order_ids(v_payload), true)
  on conflict on constraint webhook_inbox_delivery_key do nothing returning w.id into v_answer.inbox_id;
  v_answer.duplicate := v_answer.inbox_id is null;
  if v_answer.duplicate then
    select w.id, w.topic into v_answer.inbox_id, v_answer.topic from private.webhook_inbox w
     where w.source = p_source and w.store = v_shop.store and w.delivery_id =
       coalesce(nullif(v_headers ->> v_format.delivery_header, ''), 'sha256:' || encode(sha256(v_raw), 'hex'));
    return v_answer;
  end if;
  -- The row lock orders this against pause and resume: a webhook is either queued here or found by resume_webhooks.
  update public.shop_tokens s set last_event_at = now() where s.store = v_shop.store returning s.* into v_shop;
  if v_shop.status <> 'paused' then
    perform private.queue_webhook(v_answer.inbox_id);
  end if;
  return v_answer;
end $$;
comment on function public.receive_webhook is
$$Store one delivery and queue it. p_shop: store code or shop domain; p_body: the raw bytes, base64; p_headers: {name: value}, any case.
The HMAC over the raw bytes is checked first, against every valid secret; nothing is parsed or stored without it.
Permission: webhooks.receive (service only).
Errors: webhook.too_large (413), webhook.bad_signature (401: bad, missing, or no such shop), channels.no_key (412), channels.wrong_key (412).
Idempotency: by (source, store, delivery id); a repeat answers duplicate = true and stores nothing.
Locks: the delivery key, then the shop row.$$;

create function public.process_webhook(p_inbox_id bigint)
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('work.run');
  v_inbox private.webhook_inbox;
  v_result jsonb;
  v_error text;
  v_code text;
begin
  select w.* into v_inbox from private.webhook_inbox w where w.id = p_inbox_id for update;
  if not found then
    perform private.fail(404, 'webhook.unknown', 'There is no webhook ' || p_inbox_id || '.', jsonb_build_object('id', p_inbox_id));
  elsif v_inbox.status in ('done', 'ignored') then
    return jsonb_build_object('ok', true, 'result', v_inbox.status, 'changes', '[]'::jsonb);
  elsif exists (select 1 from public.shop_tokens s where s.store = v_inbox.store and s.status = 'paused') then
    return jsonb_build_object('ok', true, 'result', 'paused', 'changes', '[]'::jsonb);   -- resume_webhooks queues it again
  end if;
  begin
    v_result := private.handle_webhook(v_inbox, false, v_actor);
  exception when others then   -- undoes what the payload did, keeps the note of it
    get stacked diagnostics v_code = pg_exception_hint;
    v_error := left(case when sqlstate like 'PT%' then v_code || ': ' else '' end || sqlerrm, 500);
  end;
  update private.webhook_inbox w
     set attempts = w.attempts + 1, error = v_error, processed_at = case when v_error is null then now() end,
         status = case when v_error is not null then 'failed' when v_result ->> 'result' = 'ignored' then 'ignored' else 'done' end
   where w.id = p_inbox_id;
  update public.shop_tokens s set last_error = v_error where s.store = v_inbox.store and s.last_error is distinct from v_error;
  return jsonb_build_object('ok', v_error is null, 'error', v_error) || coalesce(v_result, '{}');
end $$;
comment on function public.process_webhook is
$$Do what a stored webhook asks for: {ok, result, changes} or {ok: false, error}. A failure is noted in the inbox and undoes the rest;
the worker then fails the job, and when the job is dead the inbox row is dead too.
Permission: work.run (service only).
Errors: webhook.unknown (404).
Idempotency: a settled webhook is not processed again; the merge is idempotent by itself.
Locks: the inbox row, the channel_orders row, its tickets.$$;

create function private.switch_webhooks(p_actor uuid, p_store text, p_from text, p_to text, p_event text)
returns text[] language plpgsql set search_path = '' as $$
declare
  v_store text;
  v_stores text[] := '{}';
begin
  if p_store is not null and not exists (select 1 from public.shop_tokens s where s.store = p_store) then
    perform private.fail(404, 'channels.unknown_shop', 'The store ' || p_store || ' has no shop.', jsonb_build_object('store', p_store));
  end if;
  for v_store in
    update public.shop_tokens s set status = p_to, version = s.version + 1, updated_at = now()
     where s.status = p_from and (s.store = p_store or p_store is null) and s.store = any (private.readable_stores('channels.manage'))
    returning s.store
  loop
    perform private.emit('channel', v_store, p_event, p_actor, '{}', v_store);
    v_stores := v_stores || v_store;
  end loop;
  return v_stores;
end $$;
comment on function private.switch_webhooks is 'From one status to another, where it applies; the stores that changed. Errors: channels.unknown_shop (404).';

create function public.pause_webhooks(p_store text default null, p_request_id uuid default null)
returns text[] language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('channels.manage', p_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'pause_webhooks', jsonb_build_array(p_store));
begin
  if v_answer is null then
    v_answer := to_jsonb(private.switch_webhooks(v_actor, p_store, 'active', 'paused', 'channel.paused'));
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return array(select jsonb_array_elements_text(v_answer));
end $$;
comment on function public.pause_webhooks is
$$Keep storing webhooks, process none (p_store null = every store of the caller). Answers the stores that were paused by this call.
Permission: channels.manage in the store.
Errors: channels.unknown_shop (404), request.reused (422).
Idempotency: by p_request_id; without it a repeat pauses nothing.
Locks: the shop rows.$$;

create function public.resume_webhooks(p_store text default null, p_request_id uuid default null)
returns text[] language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('channels.manage', p_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'resume_webhooks', jsonb_build_array(p_store));
begin
  if v_answer is null then
    v_answer := to_jsonb(private.switch_webhooks(v_actor, p_store, 'paused', 'active', 'channel.resumed'));
    perform private.queue_webhook(w.id) from private.webhook_inbox w where v_answer ? w.store and w.status in ('new', 'failed') order by w.id;
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return array(select jsonb_array_elements_text(v_answer));
end $$;
comment on function public.resume_webhooks is
$$Process again, what waited first. Answers the stores that were resumed by this call.
Permission: channels.manage in the store.
Errors: channels.unknown_shop (404), request.reused (422).
Idempotency: by p_request_id; without it a repeat resumes nothing.
Locks: the shop rows.$$;

grant execute on function public.receive_webhook, public.process_webhook to service_role;
grant execute on function public.pause_webhooks, public.resume_webhooks to authenticated, service_role;
