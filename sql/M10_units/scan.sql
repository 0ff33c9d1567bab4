-- A scan at any station may be a unit.

create function private.resolve_unit(p_code text)
returns public.scan_result language plpgsql stable set search_path = '' as $$
declare
  v_unit public.units;
begin
  select u.* into v_unit from public.units u where u.sn = private.serial_of(p_code);
  if v_unit.sn is null or not private.may('units.read') or not private.works_at(private.identify(), v_unit.site) then
    return null;
  end if;
  return row(true, false, 'unit', format('%s: %s. %s', v_unit.sn, v_unit.status, private.next_unit_action(v_unit)), 200, null, null,
    jsonb_build_object('scanned', p_code, 'sn', v_unit.sn, 'status', v_unit.status, 'variant_code', v_unit.variant_code, 'site', v_unit.site,
      'stream', 'unit', 'stream_id', v_unit.sn, 'target', jsonb_build_object('page', 'unit', 'sn', v_unit.sn)), null, null, null, null)::public.scan_result;
end $$;
comment on function private.resolve_unit is 'The unit with this serial, to somebody who may see it; else null.';

create or replace function private.resolve_other(p_code text)
returns public.scan_result language plpgsql stable set search_path = '' as $$
begin
  return private.resolve_unit(p_code);
end $$;
comment on function private.resolve_other is 'What a code means that names no ticket: a unit; null = nothing known. M12_production replaces it.';

create function private.tg_events__unit_scan()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.settle_by_scan(new.stream_id, new.actor_id);
  return null;
end $$;
comment on function private.tg_events__unit_scan is 'The code of a unit was read, so its label came out.';
create trigger _500_unit_scan after insert on public.events for each row when (new.stream = 'unit' and new.event = 'unit.scanned')
  execute function private.tg_events__unit_scan();
