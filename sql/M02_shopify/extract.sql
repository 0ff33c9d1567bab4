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
