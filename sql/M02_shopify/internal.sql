-- What a stored webhook means, and what happens when it cannot be processed.

create function private.payload_order_ids(p_payload jsonb)
returns text[] language sql immutable set search_path = '' as $$
  select array(
    select regexp_replace(v, '^gid://shopify/Order/', '') from unnest(array[
      p_payload ->> 'order_id', p_payload #>> '{order_edit,order_id}', p_payload #>> '{data,order,id}', p_payload #>> '{order,id}',
      case when p_payload ?| '{line_items,lineItems}' then p_payload ->> 'id' end]) v where v is not null
    union
    select i.item #>> '{}' from private.items(p_payload -> 'orders_requested') i
    union
    select i.item #>> '{}' from private.items(p_payload -> 'orders_to_redact') i)
$$;
comment on function private.payload_order_ids is 'External ids of the orders that a payload is about.';

create function private.queue_webhook(p_inbox_id bigint)
returns bigint language sql volatile set search_path = '' as $$
  select private.enqueue('channel.process', jsonb_build_object('inbox_id', p_inbox_id), p_inbox_id::text)
$$;

create function private.webhook_payload(p_inbox private.webhook_inbox)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return convert_from(p_inbox.raw, 'UTF8')::jsonb;
exception when untranslatable_character or character_not_in_repertoire then
  perform private.fail(422, 'webhook.bad_text', 'The payload holds characters that cannot be stored.');
  return null;
when invalid_text_representation then
  perform private.fail(422, 'webhook.bad_json', 'The payload is not valid JSON.');
  return null;
end $$;
comment on function private.webhook_payload is 'The stored bytes as jsonb. Errors: webhook.bad_text (422), webhook.bad_json (422).';

-- Personal data ----------------------------------------------------------------------------------------------------

create function private.forget_tickets(p_ids text[])
returns void language plpgsql set search_path = '' as $$
begin
  update public.events e set payload = private.forget_person(e.payload)
   where e.stream = 'order' and e.stream_id = any (p_ids) and e.payload <> private.forget_person(e.payload);
  update private.commands c set answer = private.forget_person(c.answer), args = case when c.rpc = 'update_order_core' then '[]' else c.args end
   where exists (select 1 from unnest(p_ids) i where position('"' || i || '"' in c.answer::text) > 0);
end $$;
comment on function private.forget_tickets is 'Take the people out of what happened to these tickets: their events, and the kept answers of commands.';

create function private.redact_orders(p_store text, p_order_ids text[], p_actor uuid)
returns void language plpgsql set search_path = '' as $$
begin
  update private.webhook_inbox w
     set raw = null, headers = '{}', status = case when w.status in ('new', 'failed', 'dead') then 'ignored' else w.status end
   where w.store = p_store and (p_order_ids is null or w.order_ids && p_order_ids);
  update public.channel_orders c
     set customer_name = null, lines = (select coalesce(jsonb_agg(i.item - 'properties' order by i.n), '[]') from private.items(c.lines) i),
         extracted = (select jsonb_set(c.extracted - 'unmatched', '{units}', coalesce(jsonb_agg(i.item #- '{fields,customer_name}'
           #- '{fields,notes}' #- '{fields,cake_writing}' order by i.n), '[]')) from private.items(c.extracted -> 'units') i)
   where c.store = p_store and (p_order_ids is null or c.external_order_id = any (p_order_ids));
  update public.orders o
     set customer_name = null, notes = null, cake_writing = null, pending_change = case when o.pending_change is not null
           then jsonb_set(o.pending_change, '{changes}', coalesce(o.pending_change -> 'changes', '{}') - '{customer_name,notes,cake_writing}'::text[]) end
   where o.store = p_store and o.external_order_id is not null and (p_order_ids is null or o.external_order_id = any (p_order_ids));
  perform private.forget_tickets(array(select o.id from public.orders o
    where o.store = p_store and o.external_order_id is not null and (p_order_ids is null or o.external_order_id = any (p_order_ids))));
  perform private.emit('channel', p_store, 'channel.redacted', p_actor, jsonb_build_object('order_ids', p_order_ids), p_store);
end $$;
comment on function private.redact_orders is
  'Forget the people behind these orders (null = all of the store) in tickets, channel orders and stored payloads; ids and digests stay.';

create function private.purge_inbox(p_now timestamptz)
returns void language sql volatile set search_path = '' as $$
  update private.webhook_inbox w set raw = null, headers = '{}'
   where w.raw is not null and w.status in ('done', 'ignored') and w.received_at < p_now - interval '90 days'
$$;
comment on function private.purge_inbox is 'Raw payloads of settled webhooks go after 90 days; the digest stays.';

-- Processing -------------------------------------------------------------------------------------------------------

create function private.handle_webhook(p_inbox private.webhook_inbox, p_dry_run boolean, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_action text := (select t.action from private.webhook_topics t where t.source = p_inbox.source and t.topic = p_inbox.topic);
  v_payload jsonb;
begin
  if p_inbox.raw is null or v_action is null or v_action = 'hint' then
    return jsonb_build_object('result', 'ignored', 'changes', '[]'::jsonb);
  elsif v_action = 'order' then
    return private.merge_order(p_inbox.store, private.normalise(p_inbox.source, private.webhook_payload(p_inbox)), p_dry_run, p_actor);
  elsif p_dry_run then
    return jsonb_build_object('result', v_action, 'changes', '[]'::jsonb);
  end if;
  -- The signature covers the body, not the topic: what ends a shop or forgets people must say in its body whom it means.
  v_payload := private.webhook_payload(p_inbox);
  if coalesce(v_payload ->> 'shop_domain', v_payload ->> 'myshopify_domain')
     is distinct from (select s.shop_domain from public.shop_tokens s where s.store = p_inbox.store) or v_payload ? 'line_items' then
    perform private.fail(422, 'webhook.not_this_shop', 'The payload does not name this shop, so nothing was done.');
  end if;
  case v_action
    when 'uninstalled' then
      update public.shop_tokens s set status = 'disconnected', version = s.version + 1, updated_at = now()
       where s.store = p_inbox.store and s.status <> 'disconnected';
      if found then
        perform private.emit('channel', p_inbox.store, 'channel.disconnected', p_actor, '{}', p_inbox.store);
      end if;
    when 'redact_orders' then perform private.redact_orders(p_inbox.store, p_inbox.order_ids, p_actor);
    when 'redact_shop' then perform private.redact_orders(p_inbox.store, null, p_actor);
    else   -- a person has to answer a data request: it is shown, nothing is sent by itself
      perform private.emit('channel', p_inbox.store, 'channel.data_request', p_actor, jsonb_build_object('order_ids', p_inbox.order_ids), p_inbox.store);
  end case;
  return jsonb_build_object('result', v_action, 'changes', '[]'::jsonb);
end $$;
comment on function private.handle_webhook is 'What one stored webhook does: {result, changes}. Raises on a payload it cannot understand.';

create function private.tg_work_queue__dead_webhook()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update private.webhook_inbox w set status = 'dead', error = coalesce(w.error, left(new.last_error, 500))
   where w.id = (new.payload ->> 'inbox_id')::bigint and w.status in ('new', 'failed');
  return null;
end $$;
comment on function private.tg_work_queue__dead_webhook is 'The job gave up, whether the payload or the worker was at fault: the inbox says so.';
create trigger _300_dead_webhook after update of status on public.work_queue
  for each row when (new.topic = 'channel.process' and new.status = 'dead') execute function private.tg_work_queue__dead_webhook();
