create view public.unit_events with (security_invoker = on) as
select e.id, e.stream_id as sn, case e.event
    when 'unit.created' then 'UNIT_CREATED' when 'unit.variant_assigned' then 'UNIT_ASSIGNED_TO_VARIANT' when 'unit.flashed' then 'FLASH_OK'
    when 'unit.flash_failed' then 'FLASH_FAIL' when 'unit.tested' then 'TEST_' || (e.payload ->> 'result') when 'unit.assembled' then 'ASSEMBLY_DONE'
    when 'unit.kit_scanned' then 'PACK_KIT_SCANNED' when 'unit.packed' then 'PACK_FINALIZED' when 'unit.pack_refused' then 'PACK_FINALIZED'
    when 'unit.moved_to_stock' then 'MOVE_TO_STOCK' else upper(replace(split_part(e.event, '.', 2), '.', '_')) end as event_type,
  e.event, e.station as station_id, e.actor_id as operator_id, e.at as created_at, e.payload
from public.events e
where e.stream = 'unit';
comment on view public.unit_events is 'What happened to units, in the old words. A refused pack is a PACK_FINALIZED whose payload says allowed = false.';
