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
