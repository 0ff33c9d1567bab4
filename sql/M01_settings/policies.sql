alter table public.setting_definitions enable row level security;
alter table public.settings enable row level security;

create policy select_active on public.setting_definitions for select to authenticated using ((select private.may('settings.read')));
create policy select_scope on public.settings for select to authenticated
  using ((select private.readable_stores('settings.read')) @> array[store]
    or store is null and (select private.may('settings.read')));
grant select on public.setting_definitions, public.settings to authenticated;
