create function private.list_items_fit(p_type text, p_bounds jsonb, p_value jsonb)
returns boolean language plpgsql immutable set search_path = '' as $$
declare
  v_item jsonb;
begin
  if jsonb_typeof(p_value) <> 'array' or jsonb_array_length(p_value) > coalesce((p_bounds ->> 'max_items')::integer, 200) then
    return false;
  end if;
  for v_item in select jsonb_array_elements(p_value) loop
    if jsonb_typeof(v_item) <> 'string' then
      return false;
    end if;
    case p_type
      when 'weekday_list' then
        if not v_item #>> '{}' in ('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun') then return false; end if;
      when 'date_list' then
        if not v_item #>> '{}' ~ '^\d{4}-\d{2}-\d{2}$' then return false; end if;
        perform (v_item #>> '{}')::date;
      else
        if length(trim(v_item #>> '{}')) not between 1 and coalesce((p_bounds ->> 'max_length')::integer, 100) then return false; end if;
    end case;
  end loop;
  return (select count(*) = count(distinct i) from jsonb_array_elements(p_value) i);
exception when datetime_field_overflow or invalid_datetime_format then
  return false;
end $$;

create function private.setting_fits(p_definition public.setting_definitions, p_value jsonb)
returns boolean language plpgsql immutable set search_path = '' as $$
declare
  v_type text := jsonb_typeof(p_value);
begin
  case p_definition.type
    when 'boolean' then
      return v_type = 'boolean';
    when 'integer' then
      return v_type = 'number' and (p_value #>> '{}')::numeric % 1 = 0 and (p_value #>> '{}')::numeric
        between coalesce((p_definition.bounds ->> 'min')::numeric, -2147483648) and coalesce((p_definition.bounds ->> 'max')::numeric, 2147483647);
    when 'text' then
      return v_type = 'string' and length(p_value #>> '{}') <= coalesce((p_definition.bounds ->> 'max_length')::integer, 200);
    when 'choice' then
      return v_type = 'string' and p_definition.bounds -> 'options' ? (p_value #>> '{}');
    else
      return private.list_items_fit(p_definition.type, p_definition.bounds, p_value);
  end case;
end $$;
comment on function private.setting_fits is 'True when the value has the type and lies in the bounds of its definition.';

create function private.setting_expects(p_definition public.setting_definitions)
returns text language sql immutable set search_path = '' as $$
  select case p_definition.type
    when 'boolean' then 'true or false'
    when 'integer' then format('a whole number from %s to %s',
      coalesce(p_definition.bounds ->> 'min', '-2147483648'), coalesce(p_definition.bounds ->> 'max', '2147483647'))
    when 'text' then format('text of at most %s characters', coalesce(p_definition.bounds ->> 'max_length', '200'))
    when 'choice' then 'one of ' || (select string_agg(o, ', ') from jsonb_array_elements_text(p_definition.bounds -> 'options') o)
    when 'weekday_list' then 'a list of different weekdays out of mon, tue, wed, thu, fri, sat, sun'
    when 'date_list' then 'a list of different dates like 2026-12-25'
    else 'a list of different, non-empty texts'
  end
$$;

create function private.tg_settings__fits()
returns trigger language plpgsql set search_path = '' as $$
declare
  v_definition public.setting_definitions;
begin
  select d.* into v_definition from public.setting_definitions d where d.key = new.key;
  if v_definition.key is null then
    perform private.fail(422, 'settings.unknown_key', 'There is no setting ' || coalesce(new.key, '(none)') || '.',
      jsonb_build_object('key', new.key, 'expected', array(select d.key from public.setting_definitions d order by 1)));
  elsif new.store is not null and v_definition.scope = 'site' then
    perform private.fail(422, 'settings.wrong_scope', new.key || ' is set per site, not per store.',
      jsonb_build_object('key', new.key, 'expected', 'site', 'actual', 'store'));
  elsif not private.setting_fits(v_definition, new.value) then
    perform private.fail(422, 'settings.wrong_type',
      format('%s must be %s.', new.key, private.setting_expects(v_definition)),
      jsonb_build_object('key', new.key, 'expected', private.setting_expects(v_definition), 'actual', new.value));
  end if;
  return new;
end $$;
create trigger _100_stamp before update on public.settings for each row execute function private.tg__stamp();
create trigger _200_fits before insert or update on public.settings for each row execute function private.tg_settings__fits();

create function private.setting(p_key text, p_store text default null, p_site text default null)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce(
    (select s.value from public.settings s where s.key = p_key and s.store = p_store),
    (select s.value from public.settings s where s.key = p_key
       and s.site = coalesce(p_site, (select st.site from public.stores st where st.code = p_store))),
    (select d.default_value from public.setting_definitions d where d.key = p_key));
end $$;
comment on function private.setting is 'The value in force: of the store, else of its site, else the default. Null for an unknown key.';

create function private.plant_day(p_store text, p_now timestamptz default now())
returns date language plpgsql stable set search_path = '' as $$
begin
  return (select (p_now at time zone si.time_zone)::date
    from public.stores st join public.sites si on si.code = st.site where st.code = p_store);
end $$;
comment on function private.plant_day is 'The calendar day of the store''s plant at an instant, through daylight saving.';

create function private.priority_for(p_due date, p_store text, p_now timestamptz default now())
returns public.priority_level language plpgsql stable set search_path = '' as $$
declare
  v_days integer := p_due - private.plant_day(p_store, p_now);
begin
  return case when v_days is null then 'Medium' when v_days <= 1 then 'High' when v_days <= 3 then 'Medium' else 'Low' end;
end $$;
comment on function private.priority_for is 'Due within 1 plant-calendar day (or overdue) High, within 3 Medium, later Low, no date Medium.';
