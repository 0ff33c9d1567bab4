-- Takes M01_settings back, once every later domain is taken back. Gone with it: every setting, and who may change them.
-- Role postgres, one transaction; then `supabase migration repair --status reverted <version>`.
set local lock_timeout = '10s';

drop function
  private.list_items_fit, private.plant_day, private.priority_for, private.setting, private.setting_expects,
  private.setting_fits, public.get_settings, public.reset_setting, public.set_setting;

drop type
  public.setting_value;

drop table
  public.setting_definitions, public.settings;

drop function
  private.tg_settings__fits;

delete from public.permissions where permission in ('settings.manage', 'settings.read');
