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
