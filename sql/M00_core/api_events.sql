create type public.event_entry as (
  cursor text, id bigint, at timestamptz, site text, store text, stream text, stream_id text, event text,
  actor_id uuid, station text, payload jsonb);
comment on type public.event_entry is 'One event with the cursor that continues right after it.';

create function public.events_cursor()
returns text language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('events.read');
  return (select ep.epoch from private.event_epoch ep) || '.' || pg_snapshot_xmin(pg_current_snapshot()) || ':0';
end $$;
comment on function public.events_cursor is
$$The cursor of now: take it first, then read the state, then follow with events_since. Nothing falls between.
Permission: events.read.
Errors: auth.required (401), auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;

create function public.events_since(p_cursor text default '0:0', p_streams text[] default null, p_limit integer default 500)
returns setof public.event_entry language plpgsql stable security definer set search_path = '' as $$
declare
  v_stores text[];
  v_audit boolean;
  v_open text[];
  v_sites text[];
  v_after xid8;
  v_after_id bigint;
  v_epoch text := (select ep.epoch from private.event_epoch ep);
  v_parts text[] := regexp_match(p_cursor, '^(?:(\d{1,18})\.)?(\d{1,19}):(\d{1,18})$');
begin
  perform private.authorize('events.read');
  if v_parts is null then
    perform private.fail(400, 'events.bad_cursor', 'This is not a cursor of events_since.', jsonb_build_object('actual', p_cursor));
  end if;
  v_after := v_parts[2]::xid8;
  v_after_id := v_parts[3]::bigint;
  if v_parts[1] <> v_epoch or v_after > pg_snapshot_xmax(pg_current_snapshot()) then
    perform private.fail(409, 'events.cursor_ahead', 'The history was restored from a backup. Reload and start from events_cursor.',
      jsonb_build_object('actual', p_cursor));
  end if;
  v_stores := private.readable_stores('events.read');
  v_audit := private.may('audit.read');
  v_open := array(select s from unnest(p_streams) s where private.may(private.stream_permission(s)));
  v_sites := array(select si.code from public.sites si where private.works_at(private.identify(), si.code)) || '-'::text;
  return query
    select v_epoch || '.' || e.xid || ':' || e.id, e.id, e.at, e.site, e.store, e.stream, e.stream_id, e.event, e.actor_id, e.station,
      case when e.store is null and not v_audit then '{}' else e.payload end
      from public.events e
     where (e.xid, e.id) > (v_after, v_after_id)
       and e.xid < pg_snapshot_xmin(pg_current_snapshot())   -- never past a transaction that is still open
       and (p_streams is null or e.stream = any (p_streams))
       and (e.store = any (v_stores) or e.store is null and (v_audit or e.stream = any (v_open) and e.site = any (v_sites)))
     order by e.xid, e.id
     limit least(greatest(p_limit, 1), 1000);
end $$;
comment on function public.events_since is
$$Events after a cursor, in commit order: a transaction that commits late is never skipped. p_limit 1–1000.
Ask again with the last row's cursor until fewer than p_limit rows come; keep your cursor when none come.
Events of no store come of the streams named in p_streams that the caller may listen to, at their sites, without their payload: who counts
stock must not read it there.
Permission: events.read, in the stores of the caller; all events of no store, with their payload, need audit.read.
Errors: events.bad_cursor (400), events.cursor_ahead (409).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.events_cursor, public.events_since to authenticated;
