create function public.register_site(p_code text, p_name text, p_time_zone text, p_request_id uuid default null)
returns public.sites language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('plant.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'register_site', jsonb_build_array(p_code, p_name, p_time_zone));
  v_site public.sites;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.sites, v_answer);
  end if;
  if not private.is_time_zone(p_time_zone) then
    perform private.fail(422, 'site.time_zone', 'There is no time zone ' || p_time_zone || '. Use a name like Australia/Sydney.',
      jsonb_build_object('field', 'p_time_zone', 'actual', p_time_zone));
  end if;
  insert into public.sites as s (code, name, time_zone) values (p_code, p_name, p_time_zone)
  on conflict on constraint sites_pkey do update set name = excluded.name, time_zone = excluded.time_zone
  returning s.* into v_site;
  perform private.emit('site', p_code, 'site.registered', v_actor, to_jsonb(v_site), null, p_code);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_site));
  return v_site;
end $$;
comment on function public.register_site is
$$Add a plant, or change its name and time zone (IANA).
Permission: plant.manage.
Errors: site.time_zone (422), request.reused (422).
Idempotency: by p_request_id; the same values again change nothing.
Locks: the site row.$$;

create function private.create_store_view(p_store text)
returns void language plpgsql set search_path = '' as $$
begin
  execute format('create or replace view public.%I with (security_invoker = on) as select * from public.orders where store = %L',
    'orders_' || p_store, p_store);
  execute format('comment on view public.%I is %L', 'orders_' || p_store, 'Orders of store ' || p_store || ', read-only.');
  execute format('revoke all on public.%I from anon, authenticated, service_role', 'orders_' || p_store);
  execute format('grant select on public.%I to authenticated', 'orders_' || p_store);
  notify pgrst, 'reload schema';
end $$;
comment on function private.create_store_view is 'The view orders_<store> over public.orders, for readers who know the old per-store tables.';

create function public.register_store(
  p_code text, p_name text, p_site text, p_scan_prefix text default null, p_currency text default 'EUR',
  p_request_id uuid default null)
returns public.stores language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('plant.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'register_store',
    jsonb_build_array(p_code, p_name, p_site, p_scan_prefix, p_currency));
  v_store public.stores;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stores, v_answer);
  end if;
  if not exists (select 1 from public.sites s where s.code = p_site) then
    perform private.fail(404, 'site.unknown', 'There is no site ' || coalesce(p_site, '') || '.', jsonb_build_object('site', p_site));
  end if;
  insert into public.stores as st (code, site, name, scan_prefix, currency)
  values (p_code, p_site, p_name, p_scan_prefix, p_currency)
  on conflict on constraint stores_pkey do update
    set site = excluded.site, name = excluded.name, scan_prefix = excluded.scan_prefix, currency = excluded.currency
  returning st.* into v_store;
  perform private.create_store_view(p_code);
  perform private.emit('store', p_code, 'store.registered', v_actor, to_jsonb(v_store), p_code);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_store));
  return v_store;
end $$;
comment on function public.register_store is
$$Add a store (or change it) and its read view orders_<store>. p_scan_prefix: the letters of the short barcode (B in #B18617).
Permission: plant.manage.
Errors: site.unknown (404), request.reused (422).
Idempotency: by p_request_id; the same values again change nothing.
Locks: the store row.$$;
grant execute on function public.register_site, public.register_store to authenticated, service_role;
