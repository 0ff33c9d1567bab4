create view public.stage_events with (security_invoker = on) as
select e.id, e.store, e.stream_id as order_id, initcap(split_part(e.event, '.', 1)) as stage,
  case split_part(e.event, '.', 2) when 'started' then 'start' when 'completed' then 'complete' when 'printed' then 'print'
    when 'assigned' then 'assign' when 'unassigned' then 'unassign' when 'qc_returned' then 'qc_return' else split_part(e.event, '.', 2) end as event_type,
  e.actor_id as staff_id, e.at as at_ts, e.event <> 'scan.refused' as ok, e.payload as meta
from public.events e
where e.stream = 'order';
comment on view public.stage_events is 'Events of tickets under the old names.';
