-- What a machine page shows -------------------------------------------------------------------------------------------

create type public.timeline_row as (
  starts_at timestamptz, ends_at timestamptz, kind text, policy text, time_class text, reason text, title text, state text, stop_id bigint, stop_version integer,
  stop_from timestamptz, stop_to timestamptz, comment text, shift_id bigint);
comment on type public.timeline_row is 'A piece of time, as kpi_pieces made it: what the figures of the window are added up from.';

create function private.timeline(p_machine text, p_from timestamptz, p_to timestamptz, p_as_of timestamptz)
returns setof public.timeline_row language plpgsql stable set search_path = '' as $$
begin
  return query
    with pieces as materialized (select * from private.kpi_pieces(p_machine, p_from, p_to, p_as_of)),
    runs as (
      select q.*, sum(q.is_new::integer) over (order by q.starts_at) as run from (
        select p.*, (p.kind, p.policy, p.time_class, p.reason, p.state, p.stop_id, p.planned_id, p.shift_id, p.stop_from) is distinct from
            lag((p.kind, p.policy, p.time_class, p.reason, p.state, p.stop_id, p.planned_id, p.shift_id, p.stop_from)) over (order by p.starts_at) as is_new
          from pieces p) q
    ), merged as (
      select min(r.starts_at) as starts_at, max(r.ends_at) as ends_at, min(r.kind) as kind, min(r.policy) as policy, min(r.time_class) as time_class,
          min(r.reason) as reason, min(r.state) as state, min(r.stop_id) as stop_id, min(r.planned_id) as planned_id, min(r.stop_from) as stop_from,
          min(r.stop_to) as stop_to, min(r.shift_id) as shift_id from runs r group by r.run
    )
    select m.starts_at, m.ends_at, m.kind, m.policy, m.time_class, m.reason, coalesce(r.title, p.note, c.title), m.state, m.stop_id, s.version,
        nullif(m.stop_from, '-infinity'), m.stop_to, s.comment, m.shift_id
      from merged m
      left join public.stops s on s.id = m.stop_id
      left join public.stop_reasons r on r.code = m.reason
      left join public.planned_stops p on p.id = m.planned_id
      left join public.time_classes c on c.code = m.time_class order by m.starts_at;
end $$;

create function public.get_machine_timeline(p_machine text, p_from timestamptz default null, p_to timestamptz default null, p_as_of timestamptz default null)
returns setof public.timeline_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text := (select m.site from public.machines m where m.code = p_machine);
  v_range tstzrange;
begin
  perform private.authorize('kpi.read', null, v_site);
  perform private.find_machine(p_machine);
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  if upper(v_range) > lower(v_range) + interval '8 days' then
    perform private.fail(422, 'kpi.range', 'Ask for at most 8 days.', jsonb_build_object('from', lower(v_range), 'to', upper(v_range)));
  end if;
  return query select * from private.timeline(p_machine, lower(v_range), upper(v_range), least(coalesce(p_as_of, now()), now()));
end $$;
comment on function public.get_machine_timeline is
$$The pieces of time behind the figures of a machine, without gap or overlap: every second of get_oee is in one of them. At most 8 days.
Permission: kpi.read at the site of the machine.
Errors: machine.unknown (404), kpi.range (422).
Idempotency: a read.
Locks: none.$$;

create type public.stop_row as (
  machine text, stop_id bigint, version integer, starts_at timestamptz, ends_at timestamptz, seconds numeric, lost_s numeric, kind text, reason text, title text,
  time_class text, state text, comment text, repair_ids bigint[]);
comment on type public.stop_row is
$$A stop, also one that so far only the states of the machine show (stop_id null: classify it by machine and starts_at). seconds: its whole length so far;
lost_s: of it in planned time. ends_at null: it lasts; starts_at and seconds null: it has never said that it ran.$$;

create function private.whole_stop(p_machine text, p_stop public.stops, p_from timestamptz, p_to timestamptz, p_window tstzrange)
returns private.stretch language plpgsql stable set search_path = '' as $$
declare
  v_whole private.stretch := row(p_from, p_to);
begin
  if p_stop.id is not null then
    v_whole := row(lower(p_stop.during), coalesce(upper(p_stop.during), now()));
  elsif p_from < lower(p_window) or p_to > upper(p_window) then   -- pieces know it only as far as it can matter to them
    v_whole := private.stop_around(p_machine, greatest(p_from, lower(p_window)), now());
    v_whole.ends_at := coalesce(v_whole.ends_at, now());
  end if;
  v_whole.starts_at := nullif(v_whole.starts_at, '-infinity');
  return v_whole;
end $$;
comment on function private.whole_stop is 'From when to when (now: it lasts) a stop is that was found in a window; no beginning: it has never run.';

create function public.get_stops(
  p_machine text default null, p_from timestamptz default null, p_to timestamptz default null, p_only_unclassified boolean default false,
  p_site text default null, p_limit integer default 200)
returns setof public.stop_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text;
  v_may_plan boolean := private.may('kpi.plan');
  v_range tstzrange;
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, null, null, p_site);
  perform private.authorize('kpi.read', null, v_site);
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  if upper(v_range) > lower(v_range) + interval '31 days' then
    perform private.fail(422, 'kpi.range', 'Ask for at most 31 days.', jsonb_build_object('from', lower(v_range), 'to', upper(v_range)));
  end if;
  return query
    select m.machine, t.stop_id, s.version, w.starts_at, case when w.ends_at < now() then w.ends_at end, private.seconds(w.starts_at, least(w.ends_at, now())),
        t.lost_s, t.kind, t.reason, coalesce(r.title, c.title), t.time_class, t.state, s.comment, array(select l.repair_id from public.stop_repairs l where l.stop_id = t.stop_id order by 1)
      from (select x.machine, min(x.from_at) as from_at, max(x.to_at) as to_at
              from private.scope_of(p_machine, null, null, v_site, lower(v_range), upper(v_range)) x group by 1) m
     cross join lateral (
       select p.stop_id, p.stop_from, p.stop_to, p.kind, p.reason, p.time_class, min(p.state) as state,
           sum(private.seconds(p.starts_at, p.ends_at)) as lost_s
         from private.kpi_pieces(m.machine, m.from_at, m.to_at, now()) p where p.kind in ('stop', 'micro', 'pending') group by 1, 2, 3, 4, 5, 6) t
      left join public.stops s on s.id = t.stop_id
     cross join lateral private.whole_stop(m.machine, s, t.stop_from, t.stop_to, tstzrange(m.from_at, m.to_at)) w
      left join public.stop_reasons r on r.code = t.reason
      left join public.time_classes c on c.code = t.time_class
     where not p_only_unclassified or t.reason is null and t.kind = 'stop' or v_may_plan and t.time_class = 'unclassified'
         and exists (select from public.time_classes x where x.code = r.time_class and x.is_planned)
     order by w.starts_at desc nulls last, m.machine limit least(greatest(coalesce(p_limit, 200), 1), 1000);
end $$;
comment on function public.get_stops is
$$Stops of a machine or a site, the latest first, also those that nobody has classified yet (p_only_unclassified: only those,
and for who may plan stops those with a planned reason that nobody has confirmed). At most 31 days.
Permission: kpi.read at the site.
Errors: machine.unknown (404), kpi.range (422), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_machine_timeline, public.get_stops to authenticated, service_role;
