create function public.save_shop(
  p_store text, p_source text, p_domain text default null, p_date_format text default 'dmy', p_api_version text default null,
  p_request_id uuid default null)
returns public.shop_tokens language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('channels.manage', p_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_shop', jsonb_build_array(p_store, p_source, p_domain, p_date_format, p_api_version));
  v_old public.shop_tokens;
  v_shop public.shop_tokens;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.shop_tokens, v_answer);
  end if;
  if not exists (select 1 from public.stores st where st.code = p_store) then
    perform private.fail(404, 'store.unknown', 'There is no store ' || coalesce(p_store, '') || '.', jsonb_build_object('store', p_store));
  end if;
  select s.* into v_old from public.shop_tokens s where s.store = p_store for update;
  if exists (select 1 from public.shop_tokens s where s.source = p_source and s.shop_domain = lower(p_domain) and s.store <> p_store) then
    perform private.fail(409, 'channels.domain_taken', 'Another store has this shop already.', jsonb_build_object('domain', lower(p_domain)));
  elsif v_old.source <> p_source and exists (select 1 from public.channel_orders c where c.store = p_store and c.merged_at is not null) then
    perform private.fail(409, 'channels.source_fixed', 'Orders have come from this shop already. Make a new store for another kind of shop.',
      jsonb_build_object('expected', v_old.source, 'actual', p_source));
  end if;
  insert into public.shop_tokens as s (store, source, shop_domain, date_format, api_version)
  values (p_store, p_source, lower(p_domain), p_date_format, p_api_version)
  on conflict on constraint shop_tokens_pkey do update
    set source = excluded.source, shop_domain = excluded.shop_domain, date_format = excluded.date_format, api_version = excluded.api_version,
        status = case s.status when 'disconnected' then 'active' else s.status end, version = s.version + 1, updated_at = now()
    where (s.source, s.shop_domain, s.date_format, s.api_version, s.status = 'disconnected')
      is distinct from (excluded.source, excluded.shop_domain, excluded.date_format, excluded.api_version, false);
  if found then
    select s.* into v_shop from public.shop_tokens s where s.store = p_store;
    perform private.emit('channel', p_store, 'channel.saved', v_actor, to_jsonb(v_shop) - '{last_error,last_event_at}'::text[], p_store);
  end if;
  select s.* into v_shop from public.shop_tokens s where s.store = p_store;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_shop));
  return v_shop;
end $$;
comment on function public.save_shop is
$$Connect a shop to a store, or change it; a disconnected shop becomes active again. p_source shopify|woocommerce|generic, p_date_format dmy|mdy|iso.
Permission: channels.manage in the store.
Errors: store.unknown (404), channels.domain_taken (409), channels.source_fixed (409), request.reused (422).
Idempotency: by p_request_id; the same values again change nothing.
Locks: the shop row.$$;

create type public.secret_set as (store text, kind text, changed boolean, previous_until timestamptz);
comment on type public.secret_set is 'Answer of set_shop_secret, without any secret; previous_until = how long the one before is still accepted.';

create function public.set_shop_secret(
  p_store text, p_kind text, p_secret text, p_overlap_minutes integer default 120, p_request_id uuid default null)
returns public.secret_set language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('channels.secrets', p_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'set_shop_secret',
    jsonb_build_array(p_store, p_kind, encode(sha256(convert_to(p_secret, 'UTF8')), 'hex'), p_overlap_minutes));
  v_set public.secret_set := row(p_store, p_kind, true, null);
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.secret_set, v_answer);
  end if;
  perform 1 from public.shop_tokens s where s.store = p_store for update;
  if not found then
    perform private.fail(404, 'channels.unknown_shop', 'The store ' || coalesce(p_store, '') || ' has no shop. Save the shop first.',
      jsonb_build_object('store', p_store));
  elsif p_kind is null or p_kind not in ('webhook', 'access_token') then
    perform private.fail(422, 'channels.secret_kind', 'A secret is a webhook secret or an access_token.', jsonb_build_object('actual', p_kind));
  elsif coalesce(length(p_secret), 0) not between 1 and 4000 or p_secret like 'whsec\_%' and substr(p_secret, 7) !~ '^[A-Za-z0-9+/]+={0,2}$' then
    perform private.fail(422, 'channels.bad_secret', 'This is not a secret: it is empty, too long, or not well-formed after whsec_.');
  elsif p_overlap_minutes is null or p_overlap_minutes not between 0 and 10080 then
    perform private.fail(422, 'channels.overlap', 'The old secret may stay for 0 to 10080 minutes (a week).', jsonb_build_object('actual', p_overlap_minutes));
  end if;
  if exists (select 1 from private.shop_secrets s where s.store = p_store and s.kind = p_kind and s.slot = 1
              and private.same_bytes(private.try_secret(s), p_secret)) then
    v_set.changed := false;
  else
    perform private.drop_secret(p_store, p_kind, 2);
    if p_overlap_minutes = 0 or exists (select 1 from private.shop_secrets s
        where s.store = p_store and s.kind = p_kind and s.slot = 1 and private.try_secret(s) is null) then
      perform private.drop_secret(p_store, p_kind, 1);   -- what nobody can read is not worth keeping
    end if;
    update private.shop_secrets s set slot = 2, not_after = now() + make_interval(mins => p_overlap_minutes)
     where s.store = p_store and s.kind = p_kind and s.slot = 1 returning s.not_after into v_set.previous_until;
    perform private.put_secret(p_store, p_kind, p_secret);
    perform private.emit('channel', p_store, 'channel.secret_set', v_actor,
      jsonb_build_object('kind', p_kind, 'previous_until', v_set.previous_until), p_store);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_set));
  return v_set;
end $$;
comment on function public.set_shop_secret is
$$Set the webhook secret or the access_token of a shop, encrypted; nobody can read it back. For webhooks the secret before it is accepted
for p_overlap_minutes (0–10080) more, so that a rotation loses nothing.
Permission: channels.secrets in the store.
Errors: channels.unknown_shop (404), channels.secret_kind (422), channels.bad_secret (422), channels.overlap (422), channels.no_key (412), channels.wrong_key (412), request.reused (422).
Idempotency: by p_request_id (a digest of the secret is kept, not the secret); the current secret again changes nothing.
Locks: the shop row.$$;

create type public.shop_health as (
  store text, source text, shop_domain text, status text, has_secret boolean, last_event_at timestamptz, last_error text,
  waiting bigint, failed bigint, dead bigint, oldest_waiting_seconds integer, secret_state text);
comment on type public.shop_health is 'secret_state of the webhook secret: none, ok, unreadable (encrypted with another key), unknown (the caller brought no key).';

create function private.secret_state(p_store text)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_secret private.shop_secrets;
begin
  select s.* into v_secret from private.shop_secrets s where s.store = p_store and s.kind = 'webhook' order by s.slot limit 1;
  if v_secret.store is null then
    return 'none';
  end if;
  perform private.read_secret(v_secret);
  return 'ok';
exception when sqlstate 'PT412' then
  return case when sqlerrm like '%another key%' then 'unreadable' else 'unknown' end;
end $$;

create function public.channel_status()
returns setof public.shop_health language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('channels.read');
  return query
    select s.store, s.source, s.shop_domain, s.status, exists (select 1 from private.shop_secrets x where x.store = s.store and x.kind = 'webhook'),
           s.last_event_at, s.last_error, count(*) filter (where w.status = 'new'), count(*) filter (where w.status = 'failed'),
           count(*) filter (where w.status = 'dead'),
           extract(epoch from now() - min(w.received_at) filter (where w.status in ('new', 'failed')))::integer,
           private.secret_state(s.store)
      from public.shop_tokens s
      left join private.webhook_inbox w on w.store = s.store and w.status in ('new', 'failed', 'dead')
     where s.store = any (private.readable_stores('channels.read'))
     group by s.store order by s.store;
end $$;
comment on function public.channel_status is
$$Is it working? Per shop: last event, last error, webhooks that wait, failed and died, age of the oldest one that waits.
Permission: channels.read; own stores only.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;

create function public.upsert_extraction_rule(
  p_scope text, p_match text, p_pattern text, p_target text, p_parser text default 'text', p_value text default null,
  p_priority integer default 100, p_store text default null, p_active boolean default true, p_request_id uuid default null)
returns public.extraction_rules language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('channels.manage', p_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'upsert_extraction_rule',
    jsonb_build_array(p_scope, p_match, p_pattern, p_target, p_parser, p_value, p_priority, p_store, p_active));
  v_rule public.extraction_rules;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.extraction_rules, v_answer);
  end if;
  if p_store is null and not private.readable_stores('channels.manage') @> array(select st.code from public.stores st) then
    perform private.fail(403, 'auth.other_store', 'A rule for every store needs someone who works in every store.');
  elsif p_match = 'regex' then
    begin
      perform '' ~* p_pattern;
      if p_pattern ~ '\\[1-9]' then   -- back-references can take for ever
        raise invalid_regular_expression;
      end if;
    exception when invalid_regular_expression then
      perform private.fail(422, 'channels.bad_pattern', 'This regular expression cannot be used: it is not valid, or it refers back to a group.', jsonb_build_object('field', 'p_pattern', 'actual', p_pattern));
    end;
  end if;
  insert into public.extraction_rules as r (store, scope, match, pattern, target, parser, value, priority, active)
  values (p_store, p_scope, p_match, p_pattern, p_target, p_parser, p_value, p_priority, p_active)
  on conflict on constraint extraction_rules_key do update
    set parser = excluded.parser, value = excluded.value, priority = excluded.priority, active = excluded.active
    where (r.parser, r.value, r.priority, r.active) is distinct from (excluded.parser, excluded.value, excluded.priority, excluded.active)
  returning r.* into v_rule;
  if found then
    perform private.emit('channel', coalesce(p_store, '*'), 'channel.rule_saved', v_actor, to_jsonb(v_rule), p_store);
  else
    select r.* into v_rule from public.extraction_rules r where r.store is not distinct from p_store and r.scope = p_scope
       and r.match = p_match and r.pattern = p_pattern and r.target = p_target;
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_rule));
  return v_rule;
end $$;
comment on function public.upsert_extraction_rule is
$$Add an extraction rule, or change the one with the same store, scope, match, pattern and target. p_store null = every store.
Permission: channels.manage in the store (in every store for null).
Errors: channels.bad_pattern (422), auth.other_store (403), request.reused (422); a wrong scope, match, target or parser is refused by the named constraint.
Idempotency: by p_request_id; the same values again change nothing.
Locks: the rule row.$$;

create function public.delete_extraction_rule(p_id bigint, p_request_id uuid default null)
returns boolean language plpgsql security definer set search_path = '' as $$
declare
  v_rule public.extraction_rules := (select r from public.extraction_rules r where r.id = p_id);
  v_actor uuid := private.authorize('channels.manage', v_rule.store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'delete_extraction_rule', jsonb_build_array(p_id));
begin
  if v_answer is not null then
    return v_answer::boolean;
  end if;
  if v_rule.id is not null and v_rule.store is null
     and not private.readable_stores('channels.manage') @> array(select st.code from public.stores st) then
    perform private.fail(403, 'auth.other_store', 'A rule for every store needs someone who works in every store.');
  end if;
  delete from public.extraction_rules r where r.id = p_id;
  if found then
    perform private.emit('channel', coalesce(v_rule.store, '*'), 'channel.rule_deleted', v_actor, to_jsonb(v_rule), v_rule.store);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_rule.id is not null));
  return v_rule.id is not null;
end $$;
comment on function public.delete_extraction_rule is
$$Remove an extraction rule. True when there was one.
Permission: channels.manage in the rule's store (in every store for a rule of all).
Errors: auth.other_store (403), request.reused (422).
Idempotency: by p_request_id; a repeat answers false.
Locks: the rule row.$$;

create function public.try_extraction(p_store text, p_payload jsonb, p_source text default null)
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_source text := coalesce(p_source, (select s.source from public.shop_tokens s where s.store = p_store), 'shopify');
begin
  perform private.authorize('channels.read', p_store);
  return private.extract_order(p_store, private.normalise(v_source, p_payload));
end $$;
comment on function public.try_extraction is
$$What the rules would make of a payload, without storing anything:
{units: [{line_item_id, quantity, fields}], first: {accessories, total_amount}, unmatched: [{line_id, scope, name, value}]}.
Permission: channels.read in the store.
Errors: channel.not_an_order (422), channel.no_order_id (422).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.save_shop, public.set_shop_secret, public.channel_status, public.upsert_extraction_rule,
  public.delete_extraction_rule, public.try_extraction to authenticated, service_role;
