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
