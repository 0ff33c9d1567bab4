-- Built from sql/M01_settings/ by `takt db build`: edit there, not here.
set local lock_timeout = '10s';
set local statement_timeout = '5min';

-- sql/M01_settings/tables.sql

create table public.setting_definitions (
  key text not null constraint setting_definitions_key_check check (key ~ '^[a-z_]+\.[a-z_]+$'),
  scope text not null constraint setting_definitions_scope_check check (scope in ('site', 'store')),
  type text not null constraint setting_definitions_type_check
    check (type in ('boolean', 'integer', 'text', 'choice', 'text_list', 'weekday_list', 'date_list')),
  bounds jsonb not null default '{}',
  default_value jsonb not null,
  title text not null,
  description text not null,
  position integer not null default 0,
  constraint setting_definitions_pkey primary key (key)
);
comment on table public.setting_definitions is 'Every setting there is: type, bounds and default. Forms are generated from it.';
comment on column public.setting_definitions.bounds is
  '{min, max} for integer, {max_length} for text, {options: [...]} for choice, {max_items, max_length} for lists.';
comment on column public.setting_definitions.default_value is 'In force where neither store nor site says otherwise; fits type and bounds.';

create table public.settings (
  id bigint generated always as identity,
  key text not null,
  site text,
  store text,
  value jsonb not null,
  version integer not null default 1,
  updated_at timestamptz not null default now(),
  constraint settings_pkey primary key (id),
  constraint settings_scope_key unique nulls not distinct (key, site, store),
  constraint settings_scope_check check (num_nonnulls(site, store) = 1),
  constraint settings_key_fkey foreign key (key) references public.setting_definitions (key) on delete cascade,
  constraint settings_site_fkey foreign key (site) references public.sites (code) on delete cascade,
  constraint settings_store_fkey foreign key (store) references public.stores (code) on delete cascade
);
create index settings_site_idx on public.settings (site);
create index settings_store_idx on public.settings (store);
comment on table public.settings is 'Values that differ from the default. A store looks at itself, then its site, then the default.';
comment on column public.settings.value is 'Fits type and bounds of its definition; a trigger holds every write to it.';

-- sql/M01_settings/internal.sql

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

-- sql/M01_settings/api.sql

create type public.setting_value as (
  key text, scope text, type text, bounds jsonb, title text, description text, value jsonb, default_value jsonb, source text, version integer);
comment on type public.setting_value is 'A setting in force; source = store, site or default says where the value stands; version for edits.';

create function public.get_settings(p_store text default null, p_site text default null)
returns setof public.setting_value language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text := p_site;
begin
  if num_nonnulls(p_store, p_site) <> 1 then
    perform private.fail(400, 'settings.scope', 'Name a store or a site.');
  end if;
  perform private.authorize('settings.read', p_store, p_site);
  if p_store is not null then
    select st.site into v_site from public.stores st where st.code = p_store;
  end if;
  return query
    select d.key, d.scope, d.type, d.bounds, d.title, d.description, coalesce(own.value, above.value, d.default_value), d.default_value,
      case when own.id is not null then case when p_store is null then 'site' else 'store' end
           when above.id is not null then 'site' else 'default' end,
      coalesce(own.version, 0)
    from public.setting_definitions d
    left join public.settings own on own.key = d.key
      and (own.store = p_store or p_store is null and own.site = v_site)
    left join public.settings above on above.key = d.key and above.site = v_site
    order by d.position, d.key;
end $$;
comment on function public.get_settings is
$$All settings in force for a store or a site, with what a form needs to edit them.
Permission: settings.read in the scope.
Errors: settings.scope (400).
Idempotency: a read.
Locks: none.$$;

create function public.set_setting(
  p_key text, p_value jsonb, p_store text default null, p_site text default null,
  p_version integer default null, p_request_id uuid default null)
returns public.settings language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid;
  v_answer jsonb;
  v_before public.settings;
  v_setting public.settings;
begin
  if num_nonnulls(p_store, p_site) <> 1 then
    perform private.fail(400, 'settings.scope', 'Name a store or a site.');
  end if;
  v_actor := private.authorize('settings.manage', p_store, p_site);
  v_answer := private.replay(v_actor, p_request_id, 'set_setting', jsonb_build_array(p_key, p_value, p_store, p_site, p_version));
  if v_answer is not null then
    return jsonb_populate_record(null::public.settings, v_answer);
  end if;
  select s.* into v_before from public.settings s
   where s.key = p_key and s.site is not distinct from p_site and s.store is not distinct from p_store for update;
  if p_version is not null and p_version <> coalesce(v_before.version, 0) then
    perform private.fail(409, 'settings.stale', 'Somebody changed this setting meanwhile. Look again before you save.',
      jsonb_build_object('expected', coalesce(v_before.version, 0), 'actual', p_version, 'value', v_before.value));
  end if;
  if v_before.value = p_value then
    v_setting := v_before;
  else
    insert into public.settings as s (key, site, store, value) values (p_key, p_site, p_store, coalesce(p_value, 'null'))
    on conflict on constraint settings_scope_key do update set value = excluded.value returning s.* into v_setting;
    perform private.emit('settings', p_key, 'settings.changed', v_actor,
      jsonb_build_object('before', v_before.value, 'after', p_value, 'version', v_setting.version), p_store, p_site);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_setting));
  return v_setting;
end $$;
comment on function public.set_setting is
$$Set one setting of a store or a site. p_version (0 = never set) refuses to overwrite somebody else's edit.
Permission: settings.manage in the scope.
Errors: settings.scope (400), settings.unknown_key (422), settings.wrong_type (422), settings.wrong_scope (422), settings.stale (409), request.reused (422).
Idempotency: by p_request_id; the same value again changes nothing.
Locks: the setting row.$$;

create function public.reset_setting(p_key text, p_store text default null, p_site text default null, p_request_id uuid default null)
returns boolean language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid;
  v_answer jsonb;
  v_before jsonb;
begin
  if num_nonnulls(p_store, p_site) <> 1 then
    perform private.fail(400, 'settings.scope', 'Name a store or a site.');
  end if;
  v_actor := private.authorize('settings.manage', p_store, p_site);
  v_answer := private.replay(v_actor, p_request_id, 'reset_setting', jsonb_build_array(p_key, p_store, p_site));
  if v_answer is not null then
    return v_answer::boolean;
  end if;
  delete from public.settings s
   where s.key = p_key and s.site is not distinct from p_site and s.store is not distinct from p_store returning s.value into v_before;
  if v_before is not null then
    perform private.emit('settings', p_key, 'settings.reset', v_actor, jsonb_build_object('before', v_before), p_store, p_site);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_before is not null));
  return v_before is not null;
end $$;
comment on function public.reset_setting is
$$Back to the default (or to the site's value, for a store). True when there was something to reset.
Permission: settings.manage in the scope.
Errors: settings.scope (400), request.reused (422).
Idempotency: by p_request_id; a repeat changes nothing.
Locks: the setting row.$$;
grant execute on function public.get_settings, public.set_setting, public.reset_setting to authenticated;

-- sql/M01_settings/seed.sql

select private.allow(p, d, r) from (values
  ('settings.read', 'See settings', '{viewer,operator,technician,supervisor,planner,manager,admin,device.kiosk,device.print_agent}'::text[]),
  ('settings.manage', 'Change settings', '{manager,admin}')
) as t (p, d, r);

insert into public.setting_definitions (key, scope, type, bounds, default_value, title, description, position) values
  ('printing.printer_name', 'store', 'text', '{"max_length": 120}', '""', 'Printer', 'Name or code of the printer that tickets go to; empty = the route of the station.', 10),
  ('printing.paper_size', 'store', 'choice', '{"options": ["A4", "A5", "A6", "Letter", "4x6", "62mm"]}', '"A4"', 'Paper size', 'Paper of the ticket printer.', 11),
  ('printing.orientation', 'store', 'choice', '{"options": ["portrait", "landscape"]}', '"portrait"', 'Orientation', 'How tickets lie on the paper.', 12),
  ('printing.auto_print', 'store', 'boolean', '{}', 'false', 'Print automatically', 'Print the ticket as soon as the order arrives.', 13),
  ('printing.print_barcodes', 'store', 'boolean', '{}', 'true', 'Print barcodes', 'Print the ticket label with its scan code.', 14),
  ('printing.print_labels', 'store', 'boolean', '{}', 'true', 'Print labels', 'Print the box label with the ticket, where a printer takes box labels.', 15),
  ('storage.locations', 'store', 'text_list', '{"max_items": 100, "max_length": 60}',
    '["Store Fridge", "Store Freezer", "Kitchen Coolroom", "Kitchen Freezer"]', 'Storage locations', 'Where finished work waits.', 20),
  ('orders.flavours', 'store', 'text_list', '{"max_items": 200, "max_length": 60}', '[]', 'Flavours', 'Flavours offered; empty = any.', 30),
  ('due_dates.default_days', 'store', 'integer', '{"min": 0, "max": 365}', '2', 'Default due date', 'Days from today for a new manual order.', 40),
  ('due_dates.allowed_days', 'store', 'weekday_list', '{"max_items": 7}',
    '["mon", "tue", "wed", "thu", "fri", "sat", "sun"]', 'Allowed days', 'Weekdays on which orders may be due.', 41),
  ('due_dates.blackout_dates', 'store', 'date_list', '{"max_items": 400}', '[]', 'Blackout dates', 'Days on which nothing may be due.', 42),
  ('inventory.tracking_enabled', 'store', 'boolean', '{}', 'false', 'Track stock', 'Orders deduct stock.', 50),
  ('monitor.density', 'store', 'choice', '{"options": ["compact", "cozy"]}', '"cozy"', 'Monitor density', 'Size of the cards on the wall display.', 60),
  ('scan.repeat_seconds', 'site', 'integer', '{"min": 0, "max": 30}', '2', 'Double scan window', 'A second scan of the same code within so many seconds is the same scan.', 70),
  ('station.lock_minutes', 'site', 'integer', '{"min": 1, "max": 720}', '5', 'Station locks', 'Minutes without work after which a shared station asks again who is there.', 72),
  ('undo.minutes', 'site', 'integer', '{"min": 0, "max": 1440}', '10', 'Own undo', 'How long people may undo their own last action.', 71);

-- sql/M01_settings/policies.sql

alter table public.setting_definitions enable row level security;
alter table public.settings enable row level security;

create policy select_active on public.setting_definitions for select to authenticated using ((select private.may('settings.read')));
create policy select_scope on public.settings for select to authenticated
  using ((select private.readable_stores('settings.read')) @> array[store]
    or store is null and (select private.may('settings.read')));
grant select on public.setting_definitions, public.settings to authenticated;
