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
