-- What happened to production orders, in the words that users of the old system know.

create view public.execution_events with (security_invoker = on) as
select e.id, e.stream_id as code, case e.event
    when 'production.imported' then 'OP_IMPORTED_FROM_ERP' when 'production.scanned' then 'BARCODE_SCANNED' when 'production_order.scanned' then 'BARCODE_SCANNED'
    when 'production.step_started' then 'STEP_STARTED' when 'production.counted' then 'PIECE_COUNTED' when 'production.quality' then 'QUALITY_RECORDED'
    when 'production.replenished' then 'REPLENISHMENT_OP_CREATED' when 'production.step_completed' then 'STEP_COMPLETED'
    else upper(replace(split_part(e.event, '.', 2), '.', '_')) end as event_type, e.event, e.payload ->> 'step' as step,
  (e.payload ->> 'sequence')::integer as sequence, e.payload ->> 'work_centre' as work_centre, (e.payload ->> 'lot_id')::bigint as lot_id, e.site, e.store,
  e.station as station_id, e.actor_id as operator_id, e.at as created_at, e.payload
from public.events e
where e.stream = 'production_order';
comment on view public.execution_events is 'What happened to production orders, in the old words. To follow it by cursor: get_execution_events.';

create function private.tg_events__execution()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_type text := (select x.event_type from public.execution_events x where x.id = new.id and x.created_at = new.at);
begin
  perform private.broadcast('site:' || new.site || ':execution', v_type, jsonb_build_object('event_id', new.id, 'event_type', v_type,
    'code', new.stream_id, 'store', new.store, 'sequence', new.payload -> 'sequence', 'version', new.payload -> 'version'));
  return null;
end $$;
comment on function private.tg_events__execution is 'The same event once more, under its old name on a topic of its own: ids and version only.';
create trigger _910_execution after insert on public.events
  for each row when (new.stream = 'production_order' and new.site <> '-' and coalesce(current_setting('takt.quiet', true), '') <> 'on')
  execute function private.tg_events__execution();

create type public.execution_event as (
  cursor text, id bigint, at timestamptz, code text, event_type text, step text, sequence integer, work_centre text, lot_id bigint,
  operator_id uuid, station_id text, payload jsonb);
create type public.execution_page as (events public.execution_event[], next_cursor text);
comment on type public.execution_page is 'Events in the order of their commit; ask again with next_cursor: it stays the same when nothing new came.';

create function public.get_execution_events(
  p_cursor text default null, p_types text[] default null, p_code text default null, p_limit integer default 500)
returns public.execution_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_page public.execution_page;
begin
  perform private.authorize('production.read');
  with read as (
    select s.cursor, row_number() over () as n, x.* from public.events_since(coalesce(p_cursor, '0:0'), '{production_order}', p_limit) s
      join public.execution_events x on x.id = s.id and x.created_at = s.at   -- what happened to an order hides no count of stock: with its payload
  )
  select array_agg(row(r.cursor, r.id, r.created_at, r.code, r.event_type, r.step, r.sequence, r.work_centre, r.lot_id, r.operator_id, r.station_id,
        r.payload)::public.execution_event order by r.n)
        filter (where (p_types is null or r.event_type = any (p_types)) and (p_code is null or r.code = p_code)),
      (array_agg(r.cursor order by r.n desc))[1] into v_page
    from read r;
  v_page.events := coalesce(v_page.events, '{}');
  v_page.next_cursor := coalesce(v_page.next_cursor, p_cursor, '0:0');
  return v_page;
end $$;
comment on function public.get_execution_events is
$$Events of production orders by cursor, in the old words: OP_IMPORTED_FROM_ERP, BARCODE_SCANNED, STEP_STARTED, PIECE_COUNTED, QUALITY_RECORDED,
REPLENISHMENT_OP_CREATED, STEP_COMPLETED, and others. None is skipped, however late it commits. p_types and p_code filter what was read: a page may
hold few and still have a next one. p_limit 1–1000.
Permission: production.read, in the stores and at the sites of the caller, as events_since.
Errors: events.bad_cursor (400), events.cursor_ahead (409).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.get_execution_events to authenticated;
