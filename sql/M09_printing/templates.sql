-- What a template may say, and what its variables become. Nothing here knows a printer or its dots.

create type private.label_field_rule as (kind text, key text, type text, low numeric, high numeric, is_required boolean);
comment on type private.label_field_rule is 'A key that fields of a kind (null: of every kind) may or must have.';

create function private.label_field_rules()
returns setof private.label_field_rule language sql immutable set search_path = '' as $$
  select * from (values
    (null, 'kind', 'word', 1, 20, true), (null, 'name', 'name', 1, 40, false),
    (null, 'x', 'number', 0, 400, true), (null, 'y', 'number', 0, 400, true),
    ('text', 'w', 'number', 2, 400, true), ('text', 'h', 'number', 1, 60, true), ('text', 'lines', 'integer', 1, 20, false),
    ('text', 'value', 'value', 1, 200, true), ('text', 'overflow', 'overflow', null, null, false),
    ('text', 'align', 'align', null, null, false), ('text', 'bold', 'boolean', null, null, false),
    ('code128', 'h', 'number', 3, 100, true), ('code128', 'w', 'number', 10, 400, false), ('code128', 'align', 'align', null, null, false),
    ('code128', 'module_mm', 'number', 0.1, 1.2, false), ('code128', 'text', 'boolean', null, null, false),
    ('code128', 'value', 'value', 1, 200, true),
    ('qr', 'w', 'number', 5, 200, false), ('qr', 'align', 'align', null, null, false),
    ('qr', 'module_mm', 'number', 0.1, 2, false), ('qr', 'value', 'value', 1, 200, true),
    ('datamatrix', 'w', 'number', 3, 200, false), ('datamatrix', 'align', 'align', null, null, false),
    ('datamatrix', 'module_mm', 'number', 0.1, 2, false), ('datamatrix', 'value', 'value', 1, 200, true),
    ('box', 'w', 'number', 0.1, 400, true), ('box', 'h', 'number', 0.1, 400, true), ('box', 'line_mm', 'number', 0.1, 20, false),
    ('image', 'w', 'number', 1, 60, true), ('image', 'h', 'number', 1, 60, true), ('image', 'pbm_base64', 'picture', 8, 60000, true)
  ) as r (kind, key, type, low, high, is_required)
$$;
comment on function private.label_field_rules is
  'The keys that a field of a template may have, by kind (null: every kind): type, bounds (numbers in mm, texts in characters), needed or not.';

create function private.refuse_template(p_what text, p_detail jsonb default '{}')
returns void language plpgsql set search_path = '' as $$
begin
  perform private.fail(422, 'label.bad_template', p_what, p_detail);
end $$;

create function private.label_variables(p_value text)
returns text[] language plpgsql immutable set search_path = '' as $$
begin
  return array(select distinct m[1] from regexp_matches(p_value, '\{\{([a-z][a-z0-9_]{0,40})\}\}', 'g') m order by 1);
end $$;
comment on function private.label_variables is 'Names of the {{variables}} in a value.';

create function private.without_variables(p_value text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return regexp_replace(p_value, '\{\{[a-z][a-z0-9_]{0,40}\}\}', '', 'g');
end $$;

create function private.label_key_fits(p_rule private.label_field_rule, p_value jsonb)
returns boolean language plpgsql immutable set search_path = '' as $$
declare
  v_text text := p_value #>> '{}';
begin
  case p_rule.type
    when 'number', 'integer' then
      return jsonb_typeof(p_value) = 'number' and (v_text::numeric between p_rule.low and p_rule.high)
        and (p_rule.type = 'number' or v_text::numeric % 1 = 0);
    when 'boolean' then
      return jsonb_typeof(p_value) = 'boolean';
    when 'overflow' then
      return p_value <@ '["shrink", "cut", "refuse"]';
    when 'align' then
      return p_value <@ '["left", "center", "right"]';
    when 'name' then
      return v_text ~ '^[a-z][a-z0-9_]*$' and length(v_text) <= p_rule.high;
    when 'picture' then
      return jsonb_typeof(p_value) = 'string' and length(v_text) <= p_rule.high and private.pbm(v_text) is not null;
    else
      return jsonb_typeof(p_value) = 'string' and length(v_text) between p_rule.low and p_rule.high
        and v_text !~ '[\u0001-\u001f\u007f-\u009f]' and private.without_variables(v_text) !~ '\{\{|\}\}';
  end case;
end $$;
comment on function private.label_key_fits is 'True when the value of one key of a field keeps its rule.';

create function private.check_label_field(p_field jsonb, p_where text)
returns void language plpgsql immutable set search_path = '' as $$
declare
  v_kind text := p_field ->> 'kind';
  v_rule private.label_field_rule;
  v_strange text;
begin
  if jsonb_typeof(p_field) <> 'object' or not coalesce(v_kind in ('text', 'code128', 'qr', 'datamatrix', 'box', 'image'), false) then
    perform private.refuse_template(p_where || ' has no known kind: text, code128, qr, datamatrix, box or image.', jsonb_build_object('field', p_where));
  end if;
  select k into v_strange from jsonb_object_keys(p_field) k
   where not exists (select from private.label_field_rules() r where coalesce(r.kind, v_kind) = v_kind and r.key = k) limit 1;
  if v_strange is not null then
    perform private.refuse_template(format('%s (%s) has a key %s that no %s has.', p_where, v_kind, v_strange, v_kind),
      jsonb_build_object('field', p_where, 'key', v_strange));
  end if;
  for v_rule in select r.* from private.label_field_rules() r where coalesce(r.kind, v_kind) = v_kind loop
    continue when not p_field ? v_rule.key and not v_rule.is_required;
    if not p_field ? v_rule.key or not coalesce(private.label_key_fits(v_rule, p_field -> v_rule.key), false) then
      perform private.refuse_template(format('%s (%s): %s %s', p_where, v_kind, v_rule.key, case v_rule.type
        when 'number' then format('must be a number from %s to %s.', v_rule.low, v_rule.high)
        when 'integer' then format('must be a whole number from %s to %s.', v_rule.low, v_rule.high)
        when 'boolean' then 'must be true or false.' when 'overflow' then 'must be shrink, cut or refuse.'
        when 'align' then 'must be left, center or right.' when 'name' then 'must be a short name in small letters, like order_code.'
        when 'picture' then 'must be a black and white picture (PBM, binary, base64) of at most 600 × 600 dots.'
        else format('must be a text of %s to %s characters; variables look like {{order_number}}.', v_rule.low, v_rule.high) end),
        jsonb_build_object('field', p_where, 'key', v_rule.key));
    end if;
  end loop;
end $$;
comment on function private.check_label_field is
  'PT422 label.bad_template when one field breaks the rules of its kind. p_where names the field for people.';

create function private.check_label_place(p_field jsonb, p_where text, p_width numeric, p_height numeric)
returns void language plpgsql immutable set search_path = '' as $$
declare
  v_kind text := p_field ->> 'kind';
  -- The least that a code of this kind takes: three characters of Code 128 or the smallest square, quiet zone included, in mm.
  v_least numeric := case v_kind when 'code128' then 14.8 when 'qr' then 7.3 when 'datamatrix' then 3.5 else 0 end;
  v_w numeric := coalesce((p_field ->> 'w')::numeric, v_least);
  v_h numeric := case v_kind
    when 'text' then (p_field ->> 'h')::numeric * coalesce((p_field ->> 'lines')::integer, 1)
    when 'code128' then (p_field ->> 'h')::numeric + case when (p_field ->> 'text')::boolean then 3.2 else 0 end
    when 'qr' then v_w when 'datamatrix' then v_w else (p_field ->> 'h')::numeric end;
begin
  if v_w < v_least or (p_field ->> 'x')::numeric + v_w > p_width or (p_field ->> 'y')::numeric + v_h > p_height then
    perform private.refuse_template(format('%s (%s) does not fit on a label of %s × %s mm: it takes at least %s × %s mm from %s, %s.', p_where, v_kind,
      trim_scale(p_width), trim_scale(p_height), greatest(v_w, v_least), v_h, p_field ->> 'x', p_field ->> 'y'), jsonb_build_object('field', p_where));
  elsif v_kind = 'code128' and private.without_variables(p_field ->> 'value') !~ '^[0-9A-Za-z #./+-]*$' then
    perform private.refuse_template(p_where || ': a Code 128 takes letters, digits and # . / + - only.', jsonb_build_object('field', p_where));
  end if;
end $$;

create function private.check_label(p_fields jsonb, p_width numeric, p_height numeric)
returns void language plpgsql immutable set search_path = '' as $$
declare
  v_field jsonb;
  v_names text[] := '{}';
  v_where text;
begin
  if coalesce(p_width, 0) not between 10 and 220 or coalesce(p_height, 0) not between 8 and 400 then
    perform private.refuse_template('A label is 10 to 220 mm wide and 8 to 400 mm high.', jsonb_build_object('width_mm', p_width, 'height_mm', p_height));
  elsif coalesce(jsonb_typeof(p_fields), '') <> 'array' then
    perform private.refuse_template('The fields of a label are a list.');
  elsif jsonb_array_length(p_fields) not between 1 and 60 then
    perform private.refuse_template('A label has 1 to 60 fields.', jsonb_build_object('actual', jsonb_array_length(p_fields)));
  end if;
  for v_field in select f from jsonb_array_elements(p_fields) f loop
    v_where := private.field_name(v_field, cardinality(v_names) + 1);
    perform private.check_label_field(v_field, v_where);
    perform private.check_label_place(v_field, v_where, p_width, p_height);
    if v_where = any (v_names) then
      perform private.refuse_template(format('Two fields are called %s.', v_where), jsonb_build_object('field', v_where));
    end if;
    v_names := v_names || v_where;
  end loop;
end $$;
comment on function private.check_label is
  'PT422 label.bad_template unless size and fields (mm) make a label: known kinds and keys, inside the edges, names told apart.';

create function private.field_name(p_field jsonb, p_n bigint)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return coalesce(p_field ->> 'name', 'field ' || p_n);
end $$;
comment on function private.field_name is 'What people and proofs call a field: its name, else "field 3".';

create function private.label_hash(p_fields jsonb, p_width numeric, p_height numeric)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return encode(sha256(convert_to(jsonb_build_array(trim_scale(p_width), trim_scale(p_height), p_fields)::text, 'UTF8')), 'hex');
end $$;
comment on function private.label_hash is 'SHA-256 (hex) over size and fields: what a proof speaks for.';

-- Variables --------------------------------------------------------------------------------------------------------

create function private.refuse_data(p_what text, p_detail jsonb default '{}')
returns void language plpgsql set search_path = '' as $$
begin
  perform private.fail(422, 'label.bad_data', p_what, p_detail);
end $$;

create function private.label_variable(p_name text, p_data jsonb, p_may_break boolean)
returns text language plpgsql immutable set search_path = '' as $$
declare
  v_value jsonb := p_data -> p_name;
  v_text text := replace(v_value #>> '{}', e'\r\n', e'\n');
  v_odd text;
begin
  if jsonb_typeof(v_value) in ('object', 'array') then
    perform private.refuse_data(p_name || ' must be a text or a number.', jsonb_build_object('variable', p_name));
  elsif length(v_text) > 2000 then
    perform private.refuse_data(p_name || ' is too long for a label: at most 2000 characters.',
      jsonb_build_object('variable', p_name, 'max', 2000, 'actual', length(v_text)));
  end if;
  v_odd := substring(case when p_may_break then replace(v_text, e'\n', '') else v_text end from '[\u0001-\u001f\u007f-\u009f]');
  if v_odd is not null then
    perform private.refuse_data(format('%s has a character that no label can show (U+%s). Take it out and try again.', p_name,
      upper(lpad(to_hex(ascii(v_odd)), 4, '0'))), jsonb_build_object('variable', p_name, 'character', ascii(v_odd)));
  end if;
  return coalesce(v_text, '');
end $$;
comment on function private.label_variable is
  'One variable as text, '''' when it is null or missing. PT422 label.bad_data for lists, for more than 2000 characters and for control characters.';

create function private.label_value(p_field jsonb, p_data jsonb)
returns text language plpgsql immutable set search_path = '' as $$
declare
  v_is_text boolean := p_field ->> 'kind' = 'text';
  v_rest text := p_field ->> 'value';
  v_names text[] := private.label_variables(v_rest);
  v_filled boolean := v_names = '{}';
  v_out text := '';
  v_part text[];
  v_value text;
begin
  loop   -- one pass: what a variable brings is never read as a template again
    v_part := regexp_match(v_rest, '^(.*?)\{\{([a-z][a-z0-9_]{0,40})\}\}(.*)$');
    exit when v_part is null;
    v_value := private.label_variable(v_part[2], p_data, v_is_text and coalesce((p_field ->> 'lines')::integer, 1) > 1);
    if v_value = '' and not v_is_text then
      perform private.refuse_data(format('The label needs %s for its code.', v_part[2]), jsonb_build_object('variable', v_part[2]));
    end if;
    v_filled := v_filled or v_value <> '';
    v_out := v_out || v_part[1] || v_value;
    v_rest := v_part[3];
  end loop;
  return case when v_filled then v_out || v_rest else '' end;
end $$;
comment on function private.label_value is
$$What a field says with this data. A text whose variables are all empty is empty as a whole, its fixed words too; a code needs every variable.
Errors: label.bad_data (422).$$;
