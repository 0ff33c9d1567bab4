-- Built from sql/M02_shopify/ by `takt db build`: edit there, not here.
set local lock_timeout = '10s';
set local statement_timeout = '5min';

-- sql/M02_shopify/tables.sql

-- Shops and secrets ------------------------------------------------------------------------------------------------

create table public.shop_tokens (
  store text not null,
  source text not null constraint shop_tokens_source_check check (source in ('shopify', 'woocommerce', 'generic')),
  shop_domain text constraint shop_tokens_shop_domain_check check (shop_domain ~ '^[a-z0-9][a-z0-9.:-]{0,252}$'),
  api_version text constraint shop_tokens_api_version_check check (length(api_version) <= 20),
  date_format text not null default 'dmy' constraint shop_tokens_date_format_check check (date_format in ('dmy', 'mdy', 'iso')),
  status text not null default 'active' constraint shop_tokens_status_check check (status in ('active', 'paused', 'disconnected')),
  last_event_at timestamptz,
  last_error text,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint shop_tokens_pkey primary key (store),
  constraint shop_tokens_shop_domain_key unique (source, shop_domain),
  constraint shop_tokens_store_fkey foreign key (store) references public.stores (code) on delete restrict
);
comment on table public.shop_tokens is 'The sales channel of a store. Its secrets lie encrypted in private.shop_secrets.';
comment on column public.shop_tokens.date_format is 'How the shop writes 08/12/2026: day first, month first, or never that way. ISO dates are always understood.';
comment on column public.shop_tokens.status is 'paused: webhooks are stored but wait. disconnected: the shop removed the app.';

create table private.shop_secrets (
  store text not null,
  kind text not null constraint shop_secrets_kind_check check (kind in ('webhook', 'access_token')),
  slot smallint not null constraint shop_secrets_slot_check check (slot in (1, 2)),
  not_before timestamptz not null default now(),
  not_after timestamptz,
  ciphertext bytea,
  vault_id uuid,
  constraint shop_secrets_pkey primary key (store, kind, slot),
  constraint shop_secrets_place_check check (num_nonnulls(ciphertext, vault_id) = 1),
  constraint shop_secrets_store_fkey foreign key (store) references public.shop_tokens (store) on delete cascade
);
comment on table private.shop_secrets is 'Slot 1 is the current secret, slot 2 the one before it, valid until not_after while a rotation overlaps.';

-- Inbox ------------------------------------------------------------------------------------------------------------

create table private.webhook_formats (
  name text not null,
  source text not null,
  scheme text not null constraint webhook_formats_scheme_check check (scheme in ('base64', 'hex', 'standard')),
  signature_header text not null,
  topic_header text,
  delivery_header text,
  event_header text,
  triggered_header text,
  domain_header text,
  version_header text,
  tolerance interval,
  constraint webhook_formats_pkey primary key (name)
);
comment on table private.webhook_formats is 'Header names (lower case) and signature of each way in which shops send: a new sender is a row, not code.';
comment on column private.webhook_formats.scheme is
  'HMAC-SHA256 of the raw body as base64 or hex; standard = Standard Webhooks: of "id.timestamp.body", list of v1,<base64>.';
comment on column private.webhook_formats.tolerance is 'How far triggered_header (Unix seconds) may be from now; null = not looked at.';

create table private.webhook_topics (
  source text not null,
  topic text not null,
  action text not null constraint webhook_topics_action_check
    check (action in ('order', 'hint', 'uninstalled', 'redact_orders', 'redact_shop', 'data_request')),
  constraint webhook_topics_pkey primary key (source, topic)
);
comment on table private.webhook_topics is
  'What to do with a topic. order carries the whole order; hint says that such a webhook follows. What is not listed is stored and ignored.';

create table private.webhook_inbox (
  id bigint generated always as identity,
  source text not null,
  store text not null,
  shop_domain text,
  topic text not null,
  delivery_id text not null,
  event_id text,
  triggered_at timestamptz,
  api_version text,
  headers jsonb not null,
  raw bytea,
  raw_sha256 bytea not null,
  order_ids text[] not null default '{}',
  verified boolean not null,
  received_at timestamptz not null default now(),
  status text not null default 'new' constraint webhook_inbox_status_check
    check (status in ('new', 'done', 'ignored', 'failed', 'dead')),
  attempts integer not null default 0,
  error text,
  processed_at timestamptz,
  constraint webhook_inbox_pkey primary key (id),
  constraint webhook_inbox_delivery_key unique (source, store, delivery_id),
  constraint webhook_inbox_store_fkey foreign key (store) references public.shop_tokens (store) on delete restrict
);
create index webhook_inbox_store_idx on private.webhook_inbox (store, id);
create index webhook_inbox_open_idx on private.webhook_inbox (store, status, id) where status in ('new', 'failed', 'dead');
create index webhook_inbox_order_ids_idx on private.webhook_inbox using gin (order_ids);
comment on table private.webhook_inbox is 'Every signed delivery, byte for byte. Two topics of one event are two rows; one delivery sent twice is one.';
comment on column private.webhook_inbox.raw is 'The bytes as sent; null once personal data was redacted or 90 days have passed (raw_sha256 stays).';
comment on column private.webhook_inbox.order_ids is 'External ids of the orders the payload is about, for redaction.';

create table public.sync_runs (
  id bigint generated always as identity,
  store text,
  kind text not null constraint sync_runs_kind_check check (kind in ('import', 'replay', 'poll', 'bulk')),
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  counts jsonb not null default '{}',
  error text,
  dry_run boolean not null default false,
  actor_id uuid,
  constraint sync_runs_pkey primary key (id),
  constraint sync_runs_store_fkey foreign key (store) references public.stores (code) on delete restrict
);
create index sync_runs_store_idx on public.sync_runs (store, id);
comment on table public.sync_runs is 'Imports, replays and reconciliations: who, when, how many rows came out how. Store null = all.';
comment on column public.sync_runs.counts is '{result: rows}, e.g. {"created": 3, "unchanged": 10, "error": 1}.';

-- Orders as the shop sees them -------------------------------------------------------------------------------------

create table public.channel_orders (
  store text not null,
  external_order_id text not null,
  source text not null constraint channel_orders_source_check check (source in ('shopify', 'import', 'pos')),
  order_number text not null,
  status text not null default 'open' constraint channel_orders_status_check check (status in ('open', 'cancelled', 'test')),
  customer_name text,
  currency text,
  total_amount numeric(12, 2),
  external_created_at timestamptz,
  external_updated_at timestamptz,
  content_hash text,
  lines jsonb not null default '[]',
  extracted jsonb,
  merged_at timestamptz,
  constraint channel_orders_pkey primary key (store, external_order_id),
  constraint channel_orders_store_fkey foreign key (store) references public.stores (code) on delete restrict
);
create unique index channel_orders_number_key on public.channel_orders (store, lower(order_number));
comment on table public.channel_orders is 'The last state of each order that was merged, and its watermark: an older payload never wins.';
comment on column public.channel_orders.order_number is 'The shop''s number, made unique in the store; tickets keep it for ever.';
comment on column public.channel_orders.lines is '[{id, title, variant_title, sku, quantity, price, properties: [{name, value}]}], quantity after removals.';
comment on column public.channel_orders.extracted is
  'What the rules made of it: the next edit changes only what differs from this, so corrections of the floor stay.';

create table public.extraction_rules (
  id bigint generated always as identity,
  store text,
  scope text not null constraint extraction_rules_scope_check
    check (scope in ('order_attr', 'line_prop', 'variant_option', 'tag', 'title', 'sku', 'note', 'shipping')),
  match text not null constraint extraction_rules_match_check check (match in ('exact', 'prefix', 'contains', 'regex')),
  pattern text not null constraint extraction_rules_pattern_check check (length(pattern) between 1 and 200),
  target text not null constraint extraction_rules_target_check check (target in
    ('due_date', 'due_time', 'flavour', 'size', 'writing', 'method', 'priority', 'notes', 'line_kind', 'skip')),
  parser text not null default 'text' constraint extraction_rules_parser_check
    check (parser in ('text', 'date', 'time', 'method', 'priority', 'fixed')),
  value text constraint extraction_rules_value_check check ((value is not null) = (parser = 'fixed')),
  priority integer not null default 100,
  active boolean not null default true,
  constraint extraction_rules_pkey primary key (id),
  constraint extraction_rules_key unique nulls not distinct (store, scope, match, pattern, target),
  constraint extraction_rules_line_kind_check check (target <> 'line_kind' or value in ('unit', 'accessory', 'ignore')),
  constraint extraction_rules_store_fkey foreign key (store) references public.stores (code) on delete cascade
);
comment on table public.extraction_rules is 'Where a shop hides due date, flavour, size, writing. Smaller priority wins; store null = every store.';
comment on column public.extraction_rules.pattern is
  'Ignores case. Compared with the name of an order_attr or line_prop, else with the value; a regex group picks the part of that value.';
comment on column public.extraction_rules.parser is
  'text as it is; date in the shop''s format; time = what follows the date; method Pickup/Delivery; priority rush → High; fixed = value.';

-- sql/M02_shopify/secrets.sql

-- Secrets: in Supabase Vault where there is one, else encrypted with a key that the database does not keep.

create function private.has_vault()
returns boolean language sql stable set search_path = '' as $$
  select to_regclass('vault.decrypted_secrets') is not null
$$;

create function private.secrets_key()
returns text language plpgsql stable set search_path = '' as $$
declare
  v_key text := coalesce(
    nullif(nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-takt-secrets-key', ''),
    nullif(current_setting('takt.secrets_key', true), ''));
begin
  if v_key is null then
    perform private.fail(412, 'channels.no_key', 'The key for shop secrets is missing. Set TAKT_SECRETS_KEY for this service and try again.');
  end if;
  return v_key;
end $$;
comment on function private.secrets_key is
  'Key of shop secrets: header x-takt-secrets-key, else setting takt.secrets_key. Errors: channels.no_key (412).';

create function private.put_secret(p_store text, p_kind text, p_secret text)
returns void language plpgsql set search_path = '' as $$
declare
  v_vault_id uuid;
begin
  if private.has_vault() then
    execute 'select vault.create_secret($1)' into v_vault_id using p_secret;
  end if;
  insert into private.shop_secrets (store, kind, slot, vault_id, ciphertext)
  values (p_store, p_kind, 1, v_vault_id, case when v_vault_id is null
    then extensions.pgp_sym_encrypt(p_secret, private.secrets_key(), 'cipher-algo=aes256') end);
end $$;

create function private.drop_secret(p_store text, p_kind text, p_slot integer)
returns void language plpgsql set search_path = '' as $$
declare
  v_vault_id uuid;
begin
  delete from private.shop_secrets s where s.store = p_store and s.kind = p_kind and s.slot = p_slot returning s.vault_id into v_vault_id;
  if v_vault_id is not null then
    execute 'delete from vault.secrets where id = $1' using v_vault_id;
  end if;
end $$;

create function private.read_secret(p_secret private.shop_secrets)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_secret text;
begin
  if p_secret.vault_id is not null then
    execute 'select decrypted_secret from vault.decrypted_secrets where id = $1' into v_secret using p_secret.vault_id;
    return v_secret;
  end if;
  return extensions.pgp_sym_decrypt(p_secret.ciphertext, private.secrets_key());
exception when external_routine_invocation_exception then
  perform private.fail(412, 'channels.wrong_key', 'The shop secret was encrypted with another key. Use that key, or set the secret again.');
  return null;
end $$;
comment on function private.read_secret is 'The plain secret. Errors: channels.no_key (412), channels.wrong_key (412).';

create function private.try_secret(p_secret private.shop_secrets)
returns text language plpgsql stable set search_path = '' as $$
begin
  return private.read_secret(p_secret);
exception when sqlstate 'PT412' then
  return null;
end $$;
comment on function private.try_secret is 'The plain secret; null when our key does not open it (a database from another server).';

create function private.valid_secrets(p_store text, p_kind text)
returns setof text language plpgsql stable set search_path = '' as $$
declare
  v_secret private.shop_secrets;
  v_plain text;
begin
  for v_secret in select s.* from private.shop_secrets s
    where s.store = p_store and s.kind = p_kind and s.not_before <= now() and (s.not_after is null or s.not_after > now()) order by s.slot
  loop
    v_plain := private.try_secret(v_secret);
    return query select v_plain where v_plain is not null;
  end loop;
  if v_plain is null and v_secret.store is not null then
    perform private.read_secret(v_secret);   -- says which key is missing, unless another slot could be read
  end if;
end $$;
comment on function private.valid_secrets is
  'Every secret that is valid now and that our key opens. Errors, when the last of them cannot be read: channels.no_key, channels.wrong_key (412).';

-- Signatures -------------------------------------------------------------------------------------------------------

create function private.same_bytes(p_a text, p_b text)
returns boolean language plpgsql volatile set search_path = '' as $$
declare
  v_salt bytea := extensions.gen_random_bytes(32);   -- of this call only: timing tells nothing about p_a or p_b
begin
  return extensions.hmac(convert_to(p_a, 'UTF8'), v_salt, 'sha256') = extensions.hmac(convert_to(p_b, 'UTF8'), v_salt, 'sha256');
end $$;
comment on function private.same_bytes is 'Equality in constant time.';

create function private.is_signed(p_format private.webhook_formats, p_secret text, p_headers jsonb, p_raw bytea)
returns boolean language plpgsql volatile set search_path = '' as $$
declare
  v_given text := p_headers ->> p_format.signature_header;
  v_at text := p_headers ->> p_format.triggered_header;
  v_key bytea := convert_to(p_secret, 'UTF8');
  v_signed bytea := p_raw;
begin
  if p_format.scheme = 'standard' then
    if p_secret like 'whsec\_%' then
      v_key := decode(substr(p_secret, 7), 'base64');
    end if;
    v_signed := convert_to(concat(p_headers ->> p_format.delivery_header, '.', v_at, '.'), 'UTF8') || p_raw;
  end if;
  if p_format.tolerance is not null then
    if v_at is null or v_at !~ '^\d{1,12}$' then
      return false;
    elsif abs(extract(epoch from now()) - v_at::bigint) > extract(epoch from p_format.tolerance) then
      return false;
    end if;
  end if;
  return exists (
    select 1 from regexp_split_to_table(v_given, case when p_format.scheme = 'standard' then ' ' else '^$' end) g
     where private.same_bytes(
       case when p_format.scheme = 'standard' then substr(g, 4) when p_format.scheme = 'hex' then lower(g) else g end,
       encode(extensions.hmac(v_signed, v_key, 'sha256'), case p_format.scheme when 'hex' then 'hex' else 'base64' end)));
end $$;
comment on function private.is_signed is 'True when the delivery carries the signature that this secret makes over its raw bytes.';

create function private.verify_webhook(p_source text, p_store text, p_headers jsonb, p_raw bytea)
returns private.webhook_formats language sql volatile set search_path = '' as $$
  select f from private.webhook_formats f, private.valid_secrets(p_store, 'webhook') s
   where f.source = p_source and p_headers ? f.signature_header and private.is_signed(f, s, p_headers, p_raw)
   order by f.name limit 1
$$;
comment on function private.verify_webhook is 'The format in which a valid secret of the store signed this delivery; null = not signed by the shop.';

-- sql/M02_shopify/normalise.sql

-- One shape for every order, whoever sent it:
-- {external_id, number, source, updated_at, created_at, is_test, cancelled_at, is_fulfilled, customer_name, currency, total, note,
--  tags: [text], shipping: text, attributes: [{name, value}],
--  lines: [{id, title, variant_title, sku, quantity, price, properties: [{name, value}]}]}

create function private.items(p_list jsonb)
returns table (item jsonb, n bigint) language sql immutable set search_path = '' as $$
  select e.item, e.n from jsonb_array_elements(case when jsonb_typeof(p_list) = 'array' then p_list else '[]' end)
    with ordinality as e (item, n) where jsonb_typeof(e.item) <> 'null'
$$;
comment on function private.items is 'Elements of a JSON array with their place; nothing for null or anything else.';

create function private.try_json(p_raw bytea)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return convert_from(p_raw, 'UTF8')::jsonb;
exception when others then
  return null;
end $$;
comment on function private.try_json is 'The bytes as jsonb, or null: invalid JSON or UTF-8, or \u0000, which jsonb cannot hold.';

create function private.rest_shape(p_value jsonb)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  case jsonb_typeof(p_value)
    when 'object' then
      if jsonb_typeof(p_value -> 'nodes') = 'array' then
        return private.rest_shape(p_value -> 'nodes');
      elsif jsonb_typeof(p_value -> 'edges') = 'array' then
        return private.rest_shape(jsonb_path_query_array(p_value, '$.edges[*].node'));
      end if;
      return (select coalesce(jsonb_object_agg(lower(regexp_replace(f.key, '([a-z0-9])([A-Z])', '\1_\2', 'g')), private.rest_shape(f.value)), '{}')
                from jsonb_each(p_value) f);
    when 'array' then
      return (select coalesce(jsonb_agg(private.rest_shape(i.item) order by i.n), '[]') from private.items(p_value) i);
    when 'string' then
      return to_jsonb(regexp_replace(p_value #>> '{}', '^gid://shopify/\w+/(\d+)(\?.*)?$', '\1'));
    else
      return p_value;
  end case;
end $$;
comment on function private.rest_shape is 'A GraphQL answer as REST would write it: snake_case keys, plain lists for nodes and edges, numbers for gids.';

create function private.attributes(p_list jsonb)
returns jsonb language sql immutable set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('name', a.name, 'value', a.value) order by a.n), '[]')
    from (select i.n, trim(coalesce(i.item ->> 'display_key', i.item ->> 'name', i.item ->> 'key')) as name,
                 trim(coalesce(i.item ->> 'display_value', i.item ->> 'value')) as value
            from private.items(p_list) i) a
   where a.name <> '' and a.value <> ''
$$;
comment on function private.attributes is 'Name/value pairs of any channel as [{name, value}]; empty ones dropped.';

create function private.clean_number(p_number text)
returns text language sql immutable set search_path = '' as $$
  select nullif(left(trim(both '-' from regexp_replace(p_number, '[^A-Za-z0-9._-]+', '-', 'g')), 40), '')
$$;
comment on function private.clean_number is 'An order number as a barcode can carry it: without #, blanks and signs.';

create function private.shopify_lines(p_order jsonb)
returns jsonb language sql immutable set search_path = '' as $$
  with refunded as (
    select coalesce(l.item ->> 'line_item_id', l.item #>> '{line_item,id}') as line_id, sum((l.item ->> 'quantity')::integer) as quantity
      from private.items(p_order -> 'refunds') r, private.items(r.item -> 'refund_line_items') l group by 1
  )
  select coalesce(jsonb_agg(jsonb_build_object(
      'id', coalesce(i.item ->> 'id', i.n::text),
      'title', coalesce(i.item ->> 'title', i.item ->> 'name'),
      'variant_title', coalesce(i.item ->> 'variant_title', i.item #>> '{variant,title}'),
      'sku', nullif(i.item ->> 'sku', ''),
      'quantity', coalesce((i.item ->> 'current_quantity')::integer,
        greatest((i.item ->> 'quantity')::integer - coalesce(f.quantity, 0), 0), 0),
      'price', coalesce(i.item ->> 'price', i.item #>> '{original_unit_price_set,shop_money,amount}')::numeric,
      'properties', private.attributes(coalesce(i.item -> 'properties', i.item -> 'custom_attributes'))) order by i.n), '[]')
    from private.items(p_order -> 'line_items') i left join refunded f on f.line_id = i.item ->> 'id'
   where not coalesce((i.item ->> 'gift_card')::boolean, false)
$$;

create function private.normalise_shopify(p_payload jsonb)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v jsonb := coalesce(p_payload #> '{data,order}', p_payload -> 'order', p_payload);
  v_tags jsonb;
begin
  if v ? 'lineItems' then
    v := private.rest_shape(v);
  end if;
  if v ->> 'id' is null or not v ? 'line_items' then
    perform private.fail(422, 'channel.not_an_order', 'This is not an order: it has no id or no line items.');
  end if;
  v_tags := case when jsonb_typeof(v -> 'tags') = 'array' then v -> 'tags' else to_jsonb(regexp_split_to_array(coalesce(v ->> 'tags', ''), '\s*,\s*')) end;
  return jsonb_build_object(
    'external_id', v ->> 'id',
    'number', coalesce(private.clean_number(v ->> 'name'), private.clean_number(v ->> 'order_number'), v ->> 'id'),
    'source', case when v ->> 'source_name' = 'pos' then 'pos' else 'shopify' end,
    'updated_at', (coalesce(v ->> 'updated_at', v ->> 'created_at'))::timestamptz,
    'created_at', (v ->> 'created_at')::timestamptz,
    'is_test', coalesce((v ->> 'test')::boolean, false),
    'cancelled_at', (v ->> 'cancelled_at')::timestamptz,
    'is_fulfilled', lower(coalesce(v ->> 'fulfillment_status', v ->> 'display_fulfillment_status', '')) = 'fulfilled',
    'customer_name', coalesce(
      nullif(trim(v #>> '{shipping_address,name}'), ''),
      nullif(trim(concat_ws(' ', v #>> '{shipping_address,first_name}', v #>> '{shipping_address,last_name}')), ''),
      nullif(trim(concat_ws(' ', v #>> '{customer,first_name}', v #>> '{customer,last_name}')), ''),
      nullif(trim(v #>> '{customer,display_name}'), ''), nullif(trim(v #>> '{billing_address,name}'), '')),
    'currency', coalesce(v ->> 'currency', v ->> 'currency_code'),
    'total', coalesce(v ->> 'current_total_price', v #>> '{current_total_price_set,shop_money,amount}', v ->> 'total_price',
      v #>> '{total_price_set,shop_money,amount}')::numeric,
    'note', nullif(trim(v ->> 'note'), ''),
    'tags', v_tags,
    'shipping', coalesce(v #>> '{shipping_lines,0,title}', v #>> '{shipping_line,title}'),
    'attributes', private.attributes(coalesce(v -> 'note_attributes', v -> 'custom_attributes')),
    'lines', private.shopify_lines(v));
end $$;
comment on function private.normalise_shopify is
  'A Shopify order, REST or GraphQL, old or new. Errors: channel.not_an_order (422), and those of a malformed number or date.';

create function private.normalise_woocommerce(p_payload jsonb)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  if p_payload ->> 'id' is null or not p_payload ? 'line_items' then
    perform private.fail(422, 'channel.not_an_order', 'This is not an order: it has no id or no line items.');
  end if;
  return jsonb_build_object(
    'external_id', p_payload ->> 'id',
    'number', coalesce(private.clean_number(p_payload ->> 'number'), p_payload ->> 'id'),
    'source', 'import',
    'updated_at', (coalesce(p_payload ->> 'date_modified_gmt', p_payload ->> 'date_created_gmt') || 'Z')::timestamptz,
    'created_at', ((p_payload ->> 'date_created_gmt') || 'Z')::timestamptz,
    'is_test', false,
    'cancelled_at', case when p_payload ->> 'status' in ('cancelled', 'refunded', 'failed', 'trash')
      then coalesce(nullif(p_payload ->> 'date_modified_gmt', '') || 'Z', 'now')::timestamptz end,
    'is_fulfilled', p_payload ->> 'status' = 'completed',
    'customer_name', coalesce(
      nullif(trim(concat_ws(' ', p_payload #>> '{shipping,first_name}', p_payload #>> '{shipping,last_name}')), ''),
      nullif(trim(concat_ws(' ', p_payload #>> '{billing,first_name}', p_payload #>> '{billing,last_name}')), '')),
    'currency', p_payload ->> 'currency',
    'total', nullif(p_payload ->> 'total', '')::numeric,
    'note', nullif(trim(p_payload ->> 'customer_note'), ''),
    'tags', '[]'::jsonb,
    'shipping', p_payload #>> '{shipping_lines,0,method_title}',
    'attributes', private.attributes(p_payload -> 'meta_data'),
    'lines', (select coalesce(jsonb_agg(jsonb_build_object(
        'id', coalesce(i.item ->> 'id', i.n::text), 'title', coalesce(i.item ->> 'parent_name', i.item ->> 'name'), 'variant_title', null,
        'sku', nullif(i.item ->> 'sku', ''), 'quantity', (i.item ->> 'quantity')::integer, 'price', (i.item ->> 'price')::numeric,
        'properties', private.attributes(i.item -> 'meta_data')) order by i.n), '[]') from private.items(p_payload -> 'line_items') i));
end $$;
comment on function private.normalise_woocommerce is 'A WooCommerce order (REST v3); its times are GMT. Errors: channel.not_an_order (422).';

create function private.generic_key(p_row jsonb)
returns text language sql immutable set search_path = '' as $$
  select nullif(concat_ws(':', nullif(trim(p_row ->> 'channel'), ''),
    coalesce(nullif(trim(p_row ->> 'external_order_id'), ''), private.clean_number(p_row ->> 'order_number'))),
    coalesce(nullif(trim(p_row ->> 'channel'), ''), ''))
$$;
comment on function private.generic_key is 'External order id of an import row: channel:id, or channel:number without an id. Null when it has neither.';

create function private.bad_value(p_field text, p_value text, p_expected text)
returns void language plpgsql immutable set search_path = '' as $$
begin
  perform private.fail(422, 'import.bad_value', format('%s must be %s, not "%s".', p_field, p_expected, left(p_value, 60)),
    jsonb_build_object('field', p_field, 'actual', left(p_value, 60), 'expected', p_expected));
end $$;

create function private.row_quantity(p_row jsonb)
returns integer language plpgsql immutable set search_path = '' as $$
declare
  v_text text := nullif(trim(p_row ->> 'quantity'), '');
begin
  if v_text !~ '^0*[1-9]\d{0,4}$' then
    perform private.bad_value('quantity', v_text, 'a whole number from 1');
  end if;
  return coalesce(v_text::integer, 1);
end $$;

create function private.row_amount(p_row jsonb, p_field text)
returns numeric language plpgsql immutable set search_path = '' as $$
declare
  v_text text := nullif(trim(p_row ->> p_field), '');
begin
  if v_text !~ '^-?\d{1,10}(\.\d{1,4})?$' then
    perform private.bad_value(p_field, v_text, 'an amount like 12.50');
  end if;
  return v_text::numeric;
end $$;

create function private.row_time(p_row jsonb, p_field text)
returns timestamptz language plpgsql stable set search_path = '' as $$
declare
  v_text text := nullif(trim(p_row ->> p_field), '');
begin
  return v_text::timestamptz;
exception when datetime_field_overflow or invalid_datetime_format then
  perform private.bad_value(p_field, v_text, 'a time like 2026-11-20T09:00:00Z');
  return null;
end $$;

create function private.normalise_generic(p_rows jsonb)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_row jsonb := p_rows -> 0;
  v_key text := private.generic_key(v_row);
begin
  if v_key is null then
    perform private.fail(422, 'channel.no_order_id', 'The row has neither external_order_id nor order_number.');
  end if;
  return jsonb_build_object(
    'external_id', v_key,
    'number', coalesce(private.clean_number(v_row ->> 'order_number'), private.clean_number(v_row ->> 'external_order_id')),
    'source', 'import',
    'updated_at', private.row_time(v_row, 'updated_at'),
    'created_at', private.row_time(v_row, 'created_at'),
    'is_test', false, 'is_fulfilled', false,
    'cancelled_at', private.row_time(v_row, 'cancelled_at'),
    'customer_name', nullif(trim(v_row ->> 'customer_name'), ''),
    'currency', v_row ->> 'currency',
    'total', private.row_amount(v_row, 'total'),
    'note', nullif(trim(v_row ->> 'note'), ''),
    'tags', '[]'::jsonb, 'shipping', v_row ->> 'delivery_method',
    'attributes', private.attributes(jsonb_build_array(
      jsonb_build_object('name', 'due_date', 'value', v_row ->> 'due_date'),
      jsonb_build_object('name', 'due_time', 'value', v_row ->> 'due_time'),
      jsonb_build_object('name', 'priority', 'value', nullif(lower(v_row ->> 'priority'), 'normal')))),
    'lines', (
      select jsonb_agg(jsonb_build_object('id', l.key || case when l.twin > 1 then ':' || l.twin else '' end,
          'title', coalesce(l.item ->> 'description', l.item ->> 'sku'), 'variant_title', null, 'sku', l.item ->> 'sku',
          'quantity', private.row_quantity(l.item), 'price', private.row_amount(l.item, 'price'),
          'properties', private.attributes(jsonb_build_array(
            jsonb_build_object('name', 'size', 'value', l.item ->> 'option_size'),
            jsonb_build_object('name', 'flavour', 'value', l.item ->> 'option_flavour'),
            jsonb_build_object('name', 'text_on_item', 'value', l.item ->> 'text_on_item')))) order by l.n)
        from (select k.*, row_number() over (partition by k.key order by k.n) as twin
                from (select i.*, coalesce(nullif(i.item ->> 'line_item_id', ''), nullif(i.item ->> 'sku', ''), i.item ->> 'description', '1') as key
                        from private.items(p_rows) i) k) l));
end $$;
comment on function private.normalise_generic is
$$Import rows (columns of the CSV import) that belong to one order; each row is a line of it.
Errors: channel.no_order_id (422), import.bad_value (422) naming the column.$$;

create function private.normalise(p_source text, p_payload jsonb)
returns jsonb language sql stable set search_path = '' as $$
  select case p_source
    when 'shopify' then private.normalise_shopify(p_payload)
    when 'woocommerce' then private.normalise_woocommerce(p_payload)
    else private.normalise_generic(case when jsonb_typeof(p_payload) = 'array' then p_payload else jsonb_build_array(p_payload) end)
  end
$$;

create function private.try_timestamptz(p_text text)
returns timestamptz language plpgsql stable set search_path = '' as $$
begin
  return case when p_text ~ '^\d{9,12}$' then to_timestamp(p_text::bigint) else p_text::timestamptz end;
exception when others then
  return null;
end $$;
comment on function private.try_timestamptz is 'ISO text or Unix seconds as a timestamp; null when it is neither.';

-- sql/M02_shopify/extract.sql

-- Rules → facts → tickets. What the rules do not understand is written on the ticket, never guessed and never dropped.

create function private.parse_date(p_text text, p_format text)
returns date language plpgsql immutable set search_path = '' as $$
declare
  v text[];
begin
  v := regexp_match(p_text, '(\d{4})-(\d{2})-(\d{2})');
  if v is not null then
    return make_date(v[1]::integer, v[2]::integer, v[3]::integer);
  end if;
  v := regexp_match(p_text, '(\d{1,2})[./-](\d{1,2})[./-](\d{4})');
  if v is not null and p_format <> 'iso' then
    return make_date(v[3]::integer, v[case p_format when 'dmy' then 2 else 1 end]::integer, v[case p_format when 'dmy' then 1 else 2 end]::integer);
  end if;
  v := coalesce(regexp_match(p_text, '(\d{1,2})(?:st|nd|rd|th)?\s+([A-Za-z]{3,9})\.?,?\s+(\d{4})'),
    (select array[m[2], m[1], m[3]] from regexp_match(p_text, '([A-Za-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})') m));
  return make_date(v[3]::integer, array_position('{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}', lower(left(v[2], 3))), v[1]::integer);
exception when datetime_field_overflow then
  return null;
end $$;
comment on function private.parse_date is
  'The first date in a text: ISO, else 08/12/2026 in the shop''s order, else 8 December 2026. A calendar date, never shifted; null when there is none.';

create function private.parse_value(p_rule public.extraction_rules, p_value text, p_format text)
returns text language sql immutable set search_path = '' as $$
  select nullif(trim(case p_rule.parser
    when 'fixed' then p_rule.value
    when 'date' then private.parse_date(p_value, p_format)::text
    when 'time' then regexp_replace(p_value, '^\D*\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\s*(,|between|from|at)?\s*', '', 'i')
    when 'method' then case when p_value ~* 'pick.?up|collect' then 'Pickup' when p_value ~* 'deliver|shipping|courier|post' then 'Delivery' end
    when 'priority' then case when p_value ~* '^(rush|urgent|critical|high|express)$' then 'High'
      when p_value ~* '^(medium|normal)$' then 'Medium' when p_value ~* '^low$' then 'Low' end
    else p_value end), '')
$$;

create function private.rule_value(p_rule public.extraction_rules, p_name text, p_value text, p_format text)
returns text language plpgsql immutable set search_path = '' as $$
declare
  v_subject text := coalesce(p_name, p_value);
  v_hit boolean;
  v_value text := p_value;
begin
  v_hit := case p_rule.match
    when 'exact' then lower(v_subject) = lower(p_rule.pattern)
    when 'prefix' then starts_with(lower(v_subject), lower(p_rule.pattern))
    when 'contains' then position(lower(p_rule.pattern) in lower(v_subject)) > 0
    else v_subject ~* p_rule.pattern end;
  if not v_hit then
    return null;
  elsif p_rule.target = 'skip' then
    return 'skip';
  elsif p_rule.match = 'regex' and p_name is null and p_rule.pattern ~ '\((?!\?)' then
    v_value := (regexp_match(p_value, p_rule.pattern, 'i'))[1];
  end if;
  return private.parse_value(p_rule, v_value, p_format);
end $$;
comment on function private.rule_value is 'What one rule makes of one fact; null when it does not match or its parser finds nothing.';

create function private.order_facts(p_order jsonb)
returns table (line_id text, scope text, name text, value text) language sql immutable set search_path = '' as $$
  with facts (line_id, scope, name, value) as (
    select null, 'order_attr', a.item ->> 'name', a.item ->> 'value' from private.items(p_order -> 'attributes') a
    union all select null, 'tag', null, t.item #>> '{}' from private.items(p_order -> 'tags') t
    union all select null, 'note', null, p_order ->> 'note'
    union all select null, 'shipping', null, p_order ->> 'shipping'
    union all
    select l.item ->> 'id', f.scope, f.name, f.value
      from private.items(p_order -> 'lines') l cross join lateral (
        select 'line_prop', p.item ->> 'name', p.item ->> 'value' from private.items(l.item -> 'properties') p
        union all values ('variant_option', null, l.item ->> 'variant_title'), ('title', null, l.item ->> 'title'), ('sku', null, l.item ->> 'sku')
      ) as f (scope, name, value)
  )
  select f.* from facts f where trim(f.value) <> ''
$$;

create function private.read_facts(p_store text, p_order jsonb)
returns jsonb language sql stable set search_path = '' as $$
  with facts as materialized (
    select row_number() over () as n, f.* from private.order_facts(p_order) f
  ), hits as materialized (
    select f.*, r.target, private.rule_value(r, f.name, f.value, coalesce(sh.date_format, 'dmy')) as result,
           row_number() over (order by r.priority, r.store is null, r.id, f.n) as rank
      from facts f
      join public.extraction_rules r on r.scope = f.scope and r.active and (r.store = p_store or r.store is null)
      left join public.shop_tokens sh on sh.store = p_store
  ), found as (
    select h.* from hits h
     where h.result is not null and not exists (select 1 from hits s where s.n = h.n and s.target = 'skip' and s.result is not null)
    union all   -- said by the customer, understood by no rule: goes to the notes as it is
    select f.*, 'unmatched', f.value, 1000000 + f.n from facts f
     where f.scope in ('order_attr', 'line_prop') and not exists (select 1 from hits h where h.n = f.n and h.result is not null)
  )
  select coalesce(jsonb_agg(jsonb_build_object('line_id', line_id, 'scope', scope, 'name', name, 'value', result, 'target', target) order by rank, n), '[]')
    from found
$$;
comment on function private.read_facts is
  '[{line_id, scope, name, value, target}] best first: what the rules found, and as target unmatched what they did not understand.';

create function private.best_fact(p_facts jsonb, p_line_id text, p_target text)
returns text language sql immutable set search_path = '' as $$
  select f.item ->> 'value' from private.items(p_facts) f
   where f.item ->> 'target' = p_target and (f.item ->> 'line_id' = p_line_id or f.item ->> 'line_id' is null)
   order by f.item ->> 'line_id' is null, f.n limit 1
$$;

create function private.line_fields(p_order jsonb, p_line jsonb, p_facts jsonb)
returns jsonb language sql stable set search_path = '' as $$
  with mine as (
    select f.item ->> 'target' as target, f.item ->> 'name' as name, f.item ->> 'value' as value, f.n from private.items(p_facts) f
     where f.item ->> 'line_id' = p_line ->> 'id' or f.item ->> 'line_id' is null
  )
  select jsonb_build_object(
    'customer_name', p_order ->> 'customer_name', 'currency', p_order ->> 'currency',
    'product_title', coalesce(p_line ->> 'title', p_line ->> 'sku', 'Untitled'),
    'variant_title', p_line ->> 'variant_title', 'sku', p_line ->> 'sku',
    'flavour', private.best_fact(p_facts, p_line ->> 'id', 'flavour'),
    'size', private.best_fact(p_facts, p_line ->> 'id', 'size'),
    'cake_writing', (select string_agg(m.value, ' / ' order by m.n) from mine m where m.target = 'writing'),
    'notes', (select string_agg(t.text, e'\n' order by t.n) from (
        select 0 as n, p_order ->> 'note' as text
        union all select m.n, concat_ws(': ', m.name, m.value) from mine m where m.target in ('notes', 'unmatched')) t where t.text <> ''),
    'delivery_method', private.best_fact(p_facts, p_line ->> 'id', 'method'),
    'due_date', private.best_fact(p_facts, p_line ->> 'id', 'due_date'),
    'due_time', private.best_fact(p_facts, p_line ->> 'id', 'due_time'),
    'priority', private.best_fact(p_facts, p_line ->> 'id', 'priority'))
$$;
comment on function private.line_fields is 'Columns of public.orders for one unit of a line.';

create function private.review_reasons(p_store text, p_source text, p_fields jsonb, p_has_unmatched boolean)
returns jsonb language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(r.reason order by r.reason), '[]')
    from (values ('no_due_date', p_fields ->> 'due_date' is null), ('no_size', p_fields ->> 'size' is null),
      ('no_flavour', p_fields ->> 'flavour' is null), ('no_customer', p_fields ->> 'customer_name' is null),
      ('no_method', p_fields ->> 'delivery_method' is null), ('unmatched', p_has_unmatched)) as r (reason, applies)
   where r.applies and p_source <> 'pos' and private.setting('orders.review_when', p_store) ? r.reason
$$;
comment on function private.review_reasons is 'Why a person must look, out of the reasons that the store''s setting orders.review_when asks for. POS sales need none.';

create function private.extract_order(p_store text, p_order jsonb)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_facts jsonb := private.read_facts(p_store, p_order);
  v_units jsonb := '[]';
  v_accessories jsonb := '[]';
  v_line jsonb;
  v_fields jsonb;
  v_kind text;
begin
  for v_line in select l.item from private.items(p_order -> 'lines') l where (l.item ->> 'quantity')::integer > 0 order by l.n loop
    v_kind := coalesce(private.best_fact(v_facts, v_line ->> 'id', 'line_kind'), 'unit');
    if v_kind = 'accessory' then
      v_accessories := v_accessories || jsonb_strip_nulls(v_line - '{id,sku,properties}'::text[] || jsonb_build_object('note', (
        select string_agg(concat_ws(': ', f.item ->> 'name', f.item ->> 'value'), ', ' order by f.n)
          from private.items(v_facts) f where f.item ->> 'line_id' = v_line ->> 'id' and f.item ->> 'scope' = 'line_prop')));
    elsif v_kind = 'unit' then
      v_fields := private.line_fields(p_order, v_line, v_facts);
      v_units := v_units || jsonb_build_object('line_item_id', v_line ->> 'id', 'quantity', v_line -> 'quantity',
        'fields', v_fields || jsonb_build_object('needs_review', private.review_reasons(p_store, p_order ->> 'source', v_fields,
          exists (select 1 from private.items(v_facts) f where f.item ->> 'target' = 'unmatched'
                     and coalesce(f.item ->> 'line_id', v_line ->> 'id') = v_line ->> 'id'))));
    end if;
  end loop;
  if v_units = '[]' and v_accessories <> '[]' then
    v_fields := private.line_fields(p_order, '{"id": "accessories", "title": "Accessories"}', v_facts);
    v_units := jsonb_build_array(jsonb_build_object('line_item_id', 'accessories', 'quantity', 1, 'fields', v_fields || jsonb_build_object(
      'needs_review', case when p_order ->> 'source' = 'pos' then '[]' else '["accessories_only"]' end::jsonb)));
  end if;
  return jsonb_build_object('units', v_units,
    'first', jsonb_build_object('accessories', v_accessories, 'total_amount', p_order -> 'total'),
    'unmatched', (select coalesce(jsonb_agg(f.item - 'target' order by f.n), '[]') from private.items(v_facts) f where f.item ->> 'target' = 'unmatched'));
end $$;
comment on function private.extract_order is
$$A normalised order as the floor will see it: {units: [{line_item_id, quantity, fields}], first: {accessories, total_amount}, unmatched}.
One ticket per piece of quantity; accessories and total ride with the first one. Accessories alone make one ticket that needs review.$$;

-- sql/M02_shopify/merge.sql

-- One merge for webhook, replay and import. It writes what the customer ordered, and never what the floor did:
-- stage, assignee, storage and timestamps are in no statement of this file (but for a POS sale, which is born Complete).

create function private.ticket_suffix(p_n integer)
returns text language sql immutable set search_path = '' as $$
  select case when p_n <= 26 then chr(64 + p_n) else p_n::text end
$$;
comment on function private.ticket_suffix is 'A to Z, then 27, 28 …';

create function private.suffix_number(p_suffix text)
returns integer language sql immutable set search_path = '' as $$
  select case when p_suffix is null then 1 when p_suffix ~ '^[A-Z]$' then ascii(p_suffix) - 64 else p_suffix::integer end
$$;
comment on function private.suffix_number is 'Place of a suffix; a lone ticket without one counts as A.';

create function private.is_started(p_ticket public.orders)
returns boolean language sql immutable set search_path = '' as $$
  select p_ticket.stage <> 'Filling' or p_ticket.filling_started_at is not null
$$;

create function private.is_removed(p_ticket public.orders)
returns boolean language sql immutable set search_path = '' as $$
  select coalesce(p_ticket.cancelled_at is not null and p_ticket.cancel_reason = 'Removed by order edit'
    or p_ticket.pending_change ->> 'reason' = 'removed', false)
$$;
comment on function private.is_removed is 'The customer took this piece out of the order (the floor may still have to acknowledge it).';

-- Tickets ----------------------------------------------------------------------------------------------------------

create function private.write_ticket(p_old public.orders, p_new public.orders, p_event text, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_ticket public.orders;
  v_fields text[];
  v_shown text[];
begin
  select array_agg(o.key order by o.key) into v_fields
    from jsonb_each(to_jsonb(p_old)) o join jsonb_each(to_jsonb(p_new)) n on n.key = o.key where n.value <> o.value;
  if v_fields is null then
    return '[]';
  end if;
  update public.orders o set
    (customer_name, product_title, variant_title, sku, flavour, size, cake_writing, notes, accessories, delivery_method, currency,
     total_amount, due_date, due_time, priority, priority_is_manual, needs_review, pending_change, cancelled_at, cancel_reason) =
    (p_new.customer_name, p_new.product_title, p_new.variant_title, p_new.sku, p_new.flavour, p_new.size, p_new.cake_writing,
     p_new.notes, p_new.accessories, p_new.delivery_method, p_new.currency, p_new.total_amount, p_new.due_date, p_new.due_time,
     p_new.priority, p_new.priority_is_manual, p_new.needs_review, p_new.pending_change, p_new.cancelled_at, p_new.cancel_reason)
   where o.row_id = p_old.row_id returning o.* into v_ticket;
  -- Events are kept for ever, so what a customer may ask to forget is named in them, not quoted.
  v_shown := array(select f from unnest(v_fields) f where f not in ('customer_name', 'notes', 'cake_writing', 'pending_change'));
  perform private.emit('order', v_ticket.id, p_event, p_actor, jsonb_build_object(
    'version', v_ticket.version, 'stage', v_ticket.stage, 'fields', v_fields, 'reason', p_new.pending_change ->> 'reason',
    'before', (select coalesce(jsonb_object_agg(f, to_jsonb(p_old) -> f), '{}') from unnest(v_shown) f),
    'after', (select coalesce(jsonb_object_agg(f, to_jsonb(v_ticket) -> f), '{}') from unnest(v_shown) f)),
    v_ticket.store, null, 'channel:' || v_ticket.store);
  return jsonb_build_array(jsonb_build_object('id', v_ticket.id, 'event', p_event, 'fields', v_fields));
end $$;
comment on function private.write_ticket is 'Write the changed copy of a locked ticket with its event. Answers [{id, event, fields}], or [] when nothing differs.';

create function private.with_fields(p_ticket public.orders, p_fields jsonb)
returns public.orders language plpgsql stable set search_path = '' as $$
declare
  v_new public.orders := jsonb_populate_record(p_ticket, p_fields - 'priority');
begin
  if p_fields ? 'priority' then
    v_new.priority_is_manual := p_fields ->> 'priority' is not null;
    v_new.priority := coalesce((p_fields ->> 'priority')::public.priority_level, v_new.priority);
  end if;
  if p_fields ?| '{priority,due_date}' and not v_new.priority_is_manual then
    v_new.priority := private.priority_for(v_new.due_date, v_new.store);
  end if;
  return v_new;
end $$;
comment on function private.with_fields is 'The ticket with extracted fields; a new due date makes a new priority unless a person or a rule set one.';

create function private.edit_ticket(p_ticket public.orders, p_fields jsonb, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_quiet text[] := '{variant_title,sku,currency,total_amount,needs_review}';   -- nothing the floor must hear about
  v_later jsonb;
  v_new public.orders;
begin
  if p_ticket.source = 'pos' or p_ticket.cancelled_at is not null or p_fields = '{}' then
    return '[]';
  elsif not private.is_started(p_ticket) then
    return private.write_ticket(p_ticket, private.with_fields(p_ticket, p_fields), 'order.updated', p_actor);
  end if;
  v_new := private.with_fields(p_ticket, p_fields);
  v_later := coalesce(p_ticket.pending_change -> 'changes', '{}') || (p_fields - v_quiet - 'priority')
    || case when v_new.priority <> p_ticket.priority then jsonb_build_object('priority', v_new.priority) else '{}' end;
  select coalesce(jsonb_object_agg(c.key, c.value), '{}') into v_later
    from jsonb_each(v_later) c where c.value <> to_jsonb(p_ticket) -> c.key;
  v_new := private.with_fields(p_ticket, (
    select coalesce(jsonb_object_agg(f.key, f.value), '{}') from jsonb_each(p_fields) f where f.key = any (v_quiet)));
  if v_later <> coalesce(p_ticket.pending_change -> 'changes', '{}') then
    v_new.pending_change := case when v_later <> '{}' then jsonb_build_object('reason', 'edited', 'changes', v_later, 'at', now()) end;
  end if;
  return private.write_ticket(p_ticket, v_new,
    case when v_new.pending_change is distinct from p_ticket.pending_change then 'order.changed' else 'order.updated' end, p_actor);
end $$;
comment on function private.edit_ticket is
  'The customer changed fields. Work not begun follows; work begun keeps what it has and asks the floor (pending_change), with every open change in one.';

create function private.withdraw_ticket(p_ticket public.orders, p_reason text, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_new public.orders := p_ticket;
begin
  if p_ticket.source = 'pos' or p_ticket.cancelled_at is not null or p_ticket.pending_change ->> 'reason' = p_reason then
    return '[]';
  elsif private.is_started(p_ticket) then
    v_new.pending_change := jsonb_build_object('reason', p_reason, 'changes', '{}'::jsonb, 'at', now());
    return private.write_ticket(p_ticket, v_new, 'order.changed', p_actor);
  end if;
  v_new.pending_change := null;
  v_new.cancelled_at := now();
  v_new.cancel_reason := case p_reason when 'removed' then 'Removed by order edit' else 'Cancelled by the customer' end;
  return private.write_ticket(p_ticket, v_new, 'order.cancelled', p_actor);
end $$;
comment on function private.withdraw_ticket is 'The piece is no longer wanted (removed or cancelled): off the board before work began, else the floor must acknowledge it.';

create function private.next_suffix(p_head public.channel_orders, p_lone boolean)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_n integer;
begin
  select max(private.suffix_number(o.suffix)) into v_n
    from public.orders o where o.store = p_head.store and o.external_order_id = p_head.external_order_id;
  if v_n is null and p_lone then
    return null;
  end if;
  v_n := coalesce(v_n, 0) + 1;
  while exists (select 1 from public.orders o
                 where lower(o.id) = lower(p_head.store || '-' || p_head.order_number || '-' || private.ticket_suffix(v_n))) loop
    v_n := v_n + 1;
  end loop;
  return private.ticket_suffix(v_n);
end $$;
comment on function private.next_suffix is 'The next suffix of the order, never one that was given before. Null for the lone ticket of an order.';

create function private.add_ticket(p_head public.channel_orders, p_unit jsonb, p_first jsonb, p_lone boolean, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_suffix text := private.next_suffix(p_head, p_lone);
  v_seed public.orders;
  v_ticket public.orders;
begin
  v_seed.store := p_head.store;
  v_seed.priority_is_manual := false;
  v_seed := private.with_fields(v_seed, p_unit -> 'fields');
  insert into public.orders as o (id, store, source, external_order_id, line_item_id, unit_no, order_number, suffix, customer_name,
    product_title, variant_title, sku, flavour, size, cake_writing, notes, accessories, delivery_method, currency, total_amount,
    due_date, due_time, priority, priority_is_manual, needs_review, stage, packing_completed_at)
  values (concat_ws('-', p_head.store, p_head.order_number, v_suffix), p_head.store, p_head.source, p_head.external_order_id,
    p_unit ->> 'line_item_id', 1 + (select coalesce(max(t.unit_no), 0) from public.orders t where t.store = p_head.store
      and t.external_order_id = p_head.external_order_id and t.line_item_id = p_unit ->> 'line_item_id'),
    p_head.order_number, v_suffix, v_seed.customer_name, v_seed.product_title, v_seed.variant_title, v_seed.sku, v_seed.flavour, v_seed.size,
    v_seed.cake_writing, v_seed.notes, coalesce(p_first -> 'accessories', '[]'), v_seed.delivery_method, v_seed.currency,
    (p_first ->> 'total_amount')::numeric, v_seed.due_date, v_seed.due_time,
    coalesce(v_seed.priority, private.priority_for(v_seed.due_date, p_head.store)), v_seed.priority_is_manual, v_seed.needs_review,
    case p_head.source when 'pos' then 'Complete' else 'Filling' end::public.stage_type,
    case p_head.source when 'pos' then coalesce(p_head.external_created_at, now()) end)
  returning o.* into v_ticket;
  perform private.emit('order', v_ticket.id, 'order.created', p_actor, jsonb_build_object(
    'version', v_ticket.version, 'stage', v_ticket.stage, 'before', null, 'after', jsonb_build_object('source', v_ticket.source,
      'product_title', v_ticket.product_title, 'due_date', v_ticket.due_date, 'priority', v_ticket.priority, 'needs_review', v_ticket.needs_review)),
    v_ticket.store, null, 'channel:' || v_ticket.store);
  return jsonb_build_array(jsonb_build_object('id', v_ticket.id, 'event', 'order.created', 'fields', array['stage']));
end $$;
comment on function private.add_ticket is 'One more ticket of the order, with the accessories and the total when p_first is given. A POS sale is Complete from the start.';

-- Orders -----------------------------------------------------------------------------------------------------------

create function private.resize_line(p_head public.channel_orders, p_line_id text, p_unit jsonb, p_first jsonb, p_lone boolean, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_wanted integer := coalesce((p_unit ->> 'quantity')::integer, 0);
  v_have integer;
  v_ticket public.orders;
  v_new public.orders;
  v_changes jsonb := '[]';
begin
  select count(*) into v_have from public.orders o
   where o.store = p_head.store and o.external_order_id = p_head.external_order_id and o.line_item_id = p_line_id and not private.is_removed(o);
  for v_ticket in   -- pieces removed: first those cancelled here anyway, then work not begun, then the latest
    select * from public.orders o
     where o.store = p_head.store and o.external_order_id = p_head.external_order_id and o.line_item_id = p_line_id and not private.is_removed(o)
     order by o.cancelled_at is null, private.is_started(o), o.unit_no desc limit greatest(v_have - v_wanted, 0)
  loop
    v_changes := v_changes || private.withdraw_ticket(v_ticket, 'removed', p_actor);
  end loop;
  for v_ticket in   -- pieces wanted again before the floor acknowledged that they were removed
    select * from public.orders o
     where o.store = p_head.store and o.external_order_id = p_head.external_order_id and o.line_item_id = p_line_id
       and o.cancelled_at is null and private.is_removed(o)
     order by o.unit_no limit greatest(v_wanted - v_have, 0)
  loop
    v_new := v_ticket;
    v_new.pending_change := null;
    v_changes := v_changes || private.write_ticket(v_ticket, v_new, 'order.updated', p_actor);
    v_have := v_have + 1;
  end loop;
  for i in v_have + 1 .. v_wanted loop
    v_changes := v_changes || private.add_ticket(p_head, p_unit, case when not exists (
      select 1 from public.orders o where o.store = p_head.store and o.external_order_id = p_head.external_order_id
         and o.cancelled_at is null and not private.is_removed(o)) then p_first end, p_lone, p_actor);
  end loop;
  return v_changes;
end $$;
comment on function private.resize_line is 'As many tickets as the line has pieces now. What the floor itself cancelled counts as made: an edit never brings it back.';

create function private.place_extras(p_head public.channel_orders, p_first jsonb, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_ticket public.orders;
  v_extras jsonb := jsonb_build_object('accessories', p_first -> 'accessories', 'total_amount', (p_first ->> 'total_amount')::numeric(12, 2));
  v_fields jsonb;
  v_changes jsonb := '[]';
begin
  for v_ticket in
    select * from public.orders o
     where o.store = p_head.store and o.external_order_id = p_head.external_order_id and o.cancelled_at is null and not private.is_removed(o)
     order by private.suffix_number(o.suffix)
  loop
    select coalesce(jsonb_object_agg(e.key, e.value), '{}') into v_fields
      from jsonb_each(v_extras) e where e.value <> to_jsonb(v_ticket) -> e.key or v_ticket.pending_change -> 'changes' ? e.key;
    v_changes := v_changes || private.edit_ticket(v_ticket, v_fields, p_actor);
    v_extras := '{"accessories": [], "total_amount": null}';
  end loop;
  return v_changes;
end $$;
comment on function private.place_extras is 'Accessories and total on the first ticket that is still wanted, nowhere else.';

create function private.merge_units(p_head public.channel_orders, p_old jsonb, p_new jsonb, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_lone boolean := (select sum((u.item ->> 'quantity')::integer) = 1 from private.items(p_new -> 'units') u);
  v_line record;
  v_ticket public.orders;
  v_fields jsonb;
  v_changes jsonb := '[]';
begin
  perform 1 from public.orders o
    where o.store = p_head.store and o.external_order_id = p_head.external_order_id order by o.row_id for update;
  for v_line in
    select coalesce(u.id, t.line_item_id) as id, u.item, w.item -> 'fields' as old_fields
      from (select i.item, i.n, i.item ->> 'line_item_id' as id from private.items(p_new -> 'units') i) u
      full join (select distinct o.line_item_id from public.orders o
                  where o.store = p_head.store and o.external_order_id = p_head.external_order_id) t on t.line_item_id = u.id
      left join private.items(p_old -> 'units') w on w.item ->> 'line_item_id' = u.id
     order by u.n nulls last, t.line_item_id
  loop
    select coalesce(jsonb_object_agg(f.key, f.value), '{}') into v_fields
      from jsonb_each(v_line.item -> 'fields') f where v_line.old_fields is not null and f.value is distinct from v_line.old_fields -> f.key;
    for v_ticket in
      select * from public.orders o where o.store = p_head.store and o.external_order_id = p_head.external_order_id
         and o.line_item_id = v_line.id and not private.is_removed(o) order by o.unit_no
    loop
      v_changes := v_changes || private.edit_ticket(v_ticket, v_fields, p_actor);
    end loop;
    v_changes := v_changes || private.resize_line(p_head, v_line.id, v_line.item, p_new -> 'first', v_lone, p_actor);
  end loop;
  if v_changes <> '[]' or p_old -> 'first' is distinct from p_new -> 'first' then
    v_changes := v_changes || private.place_extras(p_head, p_new -> 'first', p_actor);
  end if;
  return v_changes;
end $$;
comment on function private.merge_units is
$$From the order as it was (p_old, null the first time) to the order as it is: [{id, event, fields}] of every ticket touched.
Three-way: only what the customer changed since p_old is changed, so what the floor corrected stays. Locks: the tickets, by row_id.$$;

create function private.free_number(p_store text, p_number text)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_number text := p_number;
begin
  for i in 2..1000 loop
    exit when not exists (select 1 from public.channel_orders c where c.store = p_store and lower(c.order_number) = lower(v_number))
      and not exists (select 1 from public.orders o
        where lower(o.id) in (lower(p_store || '-' || v_number), lower(p_store || '-' || v_number || '-A')));
    v_number := p_number || '.' || i;
  end loop;
  return v_number;
end $$;
comment on function private.free_number is 'The number, or number.2, number.3 … when another order of the store has it.';

create function private.lock_channel_order(p_store text, p_order jsonb)
returns public.channel_orders language plpgsql set search_path = '' as $$
declare
  v_head public.channel_orders;
begin
  loop
    select c.* into v_head from public.channel_orders c
     where c.store = p_store and c.external_order_id = p_order ->> 'external_id' for update;
    exit when found;
    -- A twin may take the order or its number meanwhile: either way it is waited for and looked at again.
    insert into public.channel_orders (store, external_order_id, source, order_number)
    values (p_store, p_order ->> 'external_id', p_order ->> 'source', private.free_number(p_store, p_order ->> 'number'))
    on conflict do nothing;
  end loop;
  return v_head;
end $$;
comment on function private.lock_channel_order is 'The order''s own row, locked: it serialises all merges of one order. merged_at is null when it is new.';

create function private.flag_units(p_extracted jsonb, p_reason text)
returns jsonb language sql immutable set search_path = '' as $$
  select jsonb_set(p_extracted, '{units}', coalesce(jsonb_agg(jsonb_set(u.item, '{fields,needs_review}',
      u.item #> '{fields,needs_review}' || to_jsonb(p_reason)) order by u.n), '[]'))
    from private.items(p_extracted -> 'units') u
$$;
comment on function private.flag_units is 'The extracted order with one more reason for review on every unit.';

create function private.apply_order(p_store text, p_order jsonb, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_old public.channel_orders := private.lock_channel_order(p_store, p_order);
  v_head public.channel_orders;
  v_at timestamptz := (p_order ->> 'updated_at')::timestamptz;
  v_hash text := md5((p_order - '{updated_at,created_at,cancelled_at}'::text[])::text || (p_order ->> 'cancelled_at' is null)::text);
  v_new jsonb;
  v_changes jsonb := '[]';
  v_ticket public.orders;
begin
  if v_at < v_old.external_updated_at then
    return jsonb_build_object('external_order_id', v_old.external_order_id, 'result', 'stale', 'changes', v_changes);
  elsif v_at = v_old.external_updated_at or v_at is null and v_hash = v_old.content_hash then
    return jsonb_build_object('external_order_id', v_old.external_order_id, 'result', 'unchanged', 'changes', v_changes);
  end if;
  v_new := private.extract_order(p_store, p_order);
  if (select sum((u.item ->> 'quantity')::integer) > 500 from private.items(v_new -> 'units') u) then
    perform private.fail(422, 'channel.too_many_units', 'An order may have at most 500 pieces.');
  end if;
  update public.channel_orders c
     set status = case when (p_order ->> 'is_test')::boolean then 'test' when p_order ->> 'cancelled_at' is not null then 'cancelled' else 'open' end,
         customer_name = p_order ->> 'customer_name', currency = p_order ->> 'currency', total_amount = (p_order ->> 'total')::numeric,
         external_created_at = (p_order ->> 'created_at')::timestamptz, external_updated_at = coalesce(v_at, c.external_updated_at),
         content_hash = v_hash, lines = p_order -> 'lines', extracted = v_new, merged_at = now()
   where c.store = p_store and c.external_order_id = v_old.external_order_id returning c.* into v_head;
  if v_head.status = 'cancelled' then
    for v_ticket in select * from public.orders o where o.store = p_store and o.external_order_id = v_head.external_order_id
      order by o.row_id for update
    loop
      v_changes := v_changes || private.withdraw_ticket(v_ticket, 'cancelled', p_actor);
    end loop;
  elsif v_head.status = 'open' then
    if v_old.merged_at is null and (p_order ->> 'is_fulfilled')::boolean and v_head.source <> 'pos' then
      v_new := private.flag_units(v_new, 'already_fulfilled');
    end if;
    v_changes := private.merge_units(v_head, v_old.extracted, v_new, p_actor);
  end if;
  return jsonb_build_object('external_order_id', v_head.external_order_id, 'changes', v_changes, 'result',
    case when v_head.status <> 'open' then v_head.status when v_old.merged_at is null then 'created' when v_changes = '[]' then 'unchanged' else 'updated' end);
end $$;

create function private.merge_order(p_store text, p_order jsonb, p_dry_run boolean default false, p_actor uuid default null)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_answer jsonb;
begin
  v_answer := private.apply_order(p_store, p_order, p_actor);
  if p_dry_run then
    raise exception using errcode = 'TKDRY', message = 'dry run';
  end if;
  return v_answer;
exception when sqlstate 'TKDRY' then
  return v_answer;   -- the variable outlives the subtransaction that is rolled back here
end $$;
comment on function private.merge_order is
$$The one way in for an order of a shop (normalised): {external_order_id, result, changes: [{id, event, fields}]}.
result: created, updated, unchanged, stale (older than what is known), cancelled, test. p_dry_run does it all and takes it back.
Errors: channel.too_many_units (422). Locks: the channel_orders row, then its tickets.$$;

-- sql/M02_shopify/internal.sql

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

-- sql/M02_shopify/api_webhooks.sql

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

-- sql/M02_shopify/api_shops.sql

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

-- sql/M02_shopify/api_inbox.sql

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

-- sql/M02_shopify/seed.sql

select private.allow(p, d, r) from (values
  ('channels.read', 'See shops, the webhook inbox and extraction rules', '{supervisor,planner,manager,admin,service}'::text[]),
  ('channels.manage', 'Connect shops, pause and replay webhooks, change extraction rules', '{manager,admin,service}'),
  ('channels.secrets', 'Set the secrets of a shop', '{admin,service}'),
  ('webhooks.receive', 'Take deliveries from shops', '{service}'),
  ('orders.import', 'Import orders from files', '{planner,manager,admin,service}')
) as t (p, d, r);

insert into public.setting_definitions (key, scope, type, bounds, default_value, title, description, position) values
  ('orders.review_when', 'store', 'text_list', '{"max_items": 20, "max_length": 40}', '["no_due_date", "no_size", "no_flavour"]',
    'Review when', 'A new ticket waits for a person when it has no_due_date, no_size, no_flavour, no_customer, no_method or unmatched text.', 31);

insert into private.scheduled_jobs (name, function_name, every) values ('purge raw webhooks', 'purge_inbox', '1 day');

insert into private.webhook_formats (name, source, scheme, signature_header, topic_header, delivery_header, event_header,
  triggered_header, domain_header, version_header, tolerance) values
  ('shopify', 'shopify', 'base64', 'x-shopify-hmac-sha256', 'x-shopify-topic', 'x-shopify-webhook-id', 'x-shopify-event-id',
    'x-shopify-triggered-at', 'x-shopify-shop-domain', 'x-shopify-api-version', null),
  ('shopify events', 'shopify', 'base64', 'shopify-hmac-sha256', 'shopify-topic', 'shopify-webhook-id', 'shopify-event-id',
    'shopify-triggered-at', 'shopify-shop-domain', 'shopify-api-version', null),
  ('woocommerce', 'woocommerce', 'base64', 'x-wc-webhook-signature', 'x-wc-webhook-topic', 'x-wc-webhook-delivery-id', null,
    null, 'x-wc-webhook-source', null, null),
  ('standard webhooks', 'generic', 'standard', 'webhook-signature', null, 'webhook-id', null, 'webhook-timestamp', null, null, '5 minutes'),
  ('shared secret', 'generic', 'hex', 'x-takt-signature', 'x-takt-topic', 'x-takt-delivery-id', null, null, null, null, null);

insert into private.webhook_topics (source, topic, action) values
  ('shopify', 'orders/create', 'order'), ('shopify', 'orders/updated', 'order'), ('shopify', 'orders/paid', 'order'),
  ('shopify', 'orders/cancelled', 'order'), ('shopify', 'orders/fulfilled', 'order'), ('shopify', 'orders/partially_fulfilled', 'order'),
  ('shopify', 'orders/edited', 'hint'), ('shopify', 'refunds/create', 'hint'),
  ('shopify', 'app/uninstalled', 'uninstalled'), ('shopify', 'customers/redact', 'redact_orders'),
  ('shopify', 'shop/redact', 'redact_shop'), ('shopify', 'customers/data_request', 'data_request'),
  ('woocommerce', 'order.created', 'order'), ('woocommerce', 'order.updated', 'order'), ('woocommerce', 'order.restored', 'order'),
  ('generic', 'order', 'order');

insert into public.extraction_rules (scope, match, pattern, target, parser, value, priority)
select s, m, p, t, coalesce(nullif(r, ''), case when v = '' then 'text' else 'fixed' end), nullif(v, ''), n from (values
  -- noise that shop apps leave behind
  ('order_attr', 'prefix', '_', 'skip', '', '', 1), ('line_prop', 'prefix', '_', 'skip', '', '', 1),
  ('order_attr', 'contains', '_LocalDeliveryID', 'skip', '', '', 1), ('line_prop', 'regex', '_origin|_raw|gwp', 'skip', '', '', 1),
  ('variant_option', 'exact', 'Default Title', 'skip', '', '', 1),
  -- when
  ('order_attr', 'exact', 'Local Delivery Date and Time', 'due_date', 'date', '', 10),
  ('order_attr', 'exact', 'Local Delivery Date and Time', 'due_time', 'time', '', 10),
  ('order_attr', 'regex', '^(pickup|delivery|shipping|collection|due)[-_ ]date$', 'due_date', 'date', '', 20),
  ('order_attr', 'regex', '^(pickup|delivery|shipping|collection|due)[-_ ]time$', 'due_time', '', '', 20),
  ('line_prop', 'regex', '^(pickup|delivery|shipping|collection|due)[-_ ]date$', 'due_date', 'date', '', 20),
  -- how
  ('order_attr', 'exact', 'Delivery Method', 'method', 'method', '', 10), ('order_attr', 'exact', 'Checkout-Method', 'method', 'method', '', 10),
  ('shipping', 'regex', '.', 'method', 'method', '', 90), ('order_attr', 'prefix', 'Pickup-Location-', 'notes', '', '', 50),
  ('order_attr', 'prefix', 'Delivery-Location-', 'notes', '', '', 50),
  -- how soon
  ('tag', 'regex', '^(rush|critical|urgent)$', 'priority', 'fixed', 'High', 10), ('order_attr', 'exact', 'priority', 'priority', 'priority', '', 20),
  -- what: a gelato cake says its flavours in a property; web variants are "Size / Flavour", POS variants "Size + Flavour"
  ('line_prop', 'contains', 'gelato flavour', 'flavour', '', '', 10), ('line_prop', 'contains', 'gelato flavor', 'flavour', '', '', 10),
  ('line_prop', 'regex', '^(cake )?flavou?rs?$', 'flavour', '', '', 20), ('line_prop', 'regex', '^(cake )?size$', 'size', '', '', 20),
  ('variant_option', 'regex', '^(.+?)(?: [/+] .*)?$', 'size', '', '', 50), ('variant_option', 'regex', '^.+? [/+] (.+)$', 'flavour', '', '', 50),
  ('line_prop', 'contains', 'writing', 'writing', '', '', 10), ('line_prop', 'contains', 'engraving', 'writing', '', '', 20),
  ('line_prop', 'exact', 'text_on_item', 'writing', '', '', 20), ('order_attr', 'contains', 'engraving', 'writing', '', '', 30),
  -- which lines are tickets: the SKU says it best, then the title
  ('sku', 'prefix', 'CAKE-', 'line_kind', '', 'unit', 10), ('sku', 'prefix', 'ACC-', 'line_kind', '', 'accessory', 20),
  ('sku', 'prefix', 'TOP-', 'line_kind', '', 'accessory', 20), ('title', 'regex', '^(tip|gift card)$', 'line_kind', '', 'ignore', 30),
  ('title', 'regex', '\mcakes?\M.*(\mwith\M|\mand\M|&)', 'line_kind', '', 'unit', 40),
  ('title', 'regex', '\m(toppers?|candles?|balloons?|picks?|decorations?)\M', 'line_kind', '', 'accessory', 50)
) as seed (s, m, p, t, r, v, n);

-- sql/M02_shopify/policies.sql

alter table public.shop_tokens enable row level security;
alter table public.sync_runs enable row level security;
alter table public.channel_orders enable row level security;
alter table public.extraction_rules enable row level security;
alter table private.shop_secrets enable row level security;
alter table private.webhook_formats enable row level security;
alter table private.webhook_topics enable row level security;
alter table private.webhook_inbox enable row level security;

create policy select_store on public.shop_tokens for select to authenticated
  using (store = any ((select private.readable_stores('channels.read'))::text[]));
create policy select_store on public.channel_orders for select to authenticated
  using (store = any ((select private.readable_stores('channels.read'))::text[]));
create policy select_store on public.sync_runs for select to authenticated
  using (store = any ((select private.readable_stores('channels.read'))::text[])
    or store is null and (select private.may('channels.read')));
create policy select_store on public.extraction_rules for select to authenticated
  using (store = any ((select private.readable_stores('channels.read'))::text[])
    or store is null and (select private.may('channels.read')));

grant select on public.shop_tokens, public.sync_runs, public.channel_orders, public.extraction_rules to authenticated;
