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
