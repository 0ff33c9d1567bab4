-- The one definition. kpi_pieces lays every instant of a window into exactly one piece, kpi_window adds them up, kpi_ratios divides. Live tiles,
-- snapshots of shifts, reports and exports call these and nothing else. Bounds reach the queries as values, so that cost follows the window; one plan serves
-- every machine and window (force_generic_plan), as planning would cost more than running. What is computed once is materialized.

create type private.machine_interval as (
  n bigint, starts_at timestamptz, ends_at timestamptz, state text, stop_n bigint, is_down boolean);

create function private.machine_intervals(p_machine text, p_lo timestamptz, p_hi timestamptz, p_as_of timestamptz)
returns setof private.machine_interval language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_shortest interval := make_interval(secs => (select min(v.silence_s) from public.machine_versions v where v.machine = p_machine));
begin
  return query
    with points as (   -- who counts, speaks
      (select c.last_at as at from public.count_minute c where c.machine = p_machine and c.minute < p_lo order by c.minute desc limit 1)
      union all
      select u.at from public.count_minute c cross join lateral (values (c.first_at), (c.last_at)) as u (at)
       where c.machine = p_machine and c.minute >= p_lo and c.minute < p_hi and u.at <= p_as_of
      union all
      (select c.first_at from public.count_minute c where c.machine = p_machine and c.minute >= p_hi and c.first_at <= p_as_of order by c.minute limit 1)
    ), talks as (   -- never silent from the first to the last
      select min(t.at) as at, max(t.at) as upto
        from (select q.at, sum(q.is_new::integer) over (order by q.at) as talk
                from (select p.at, coalesce(p.at - lag(p.at) over (order by p.at) > v_shortest, true) as is_new from points p) q) t group by t.talk
    ), signals (at, n, seq, state, expires, upto) as (
      (select e.at, 1, e.seq, e.state, e.source = 'signal', null::timestamptz from public.machine_state_events e
        where e.machine = p_machine and e.at < p_lo order by e.at desc, e.seq desc, e.state desc limit 1)
      union all
      select e.at, 1, e.seq, e.state, e.source = 'signal', null from public.machine_state_events e
       where e.machine = p_machine and e.at >= p_lo and e.at < p_hi and e.at <= p_as_of
      union all
      (select e.at, 1, e.seq, e.state, e.source = 'signal', null from public.machine_state_events e
        where e.machine = p_machine and e.at >= p_hi and e.at <= p_as_of order by e.at, e.seq, e.state limit 1)
      union all
      select u.at, 0, 0, null, null, t.upto from talks t cross join lateral (values (t.at), (t.upto)) as u (at)
      union all
      select '-infinity', -1, 0, null, null, null
       where not exists (select from public.machine_state_events e where e.machine = p_machine and e.at < p_lo)
    ), carried as (
      select s.at, lead(s.at) over w as until, count(s.state) over w as k, max(s.upto) over w as heard, s.state, s.expires
        from signals s window w as (order by s.at, s.n, s.seq, s.state)
    ), known as (
      select c.at, coalesce(c.until, p_as_of) as until, max(c.state) over (partition by c.k) as said,
          bool_or(c.expires) over (partition by c.k) and coalesce(coalesce(c.until, p_as_of) > c.heard, true) as expires
        from carried c
    ), judged as materialized (
      select k.at, k.until, k.said, case when k.said is null then 'no_data'
          when k.expires and k.said <> 'off' and k.until - k.at > v_shortest and k.until - k.at > make_interval(secs => (select v.silence_s from public.machine_versions v
            where v.machine = p_machine and v.valid_from <= k.at order by v.valid_from desc limit 1)) then 'no_data' else k.said end as state
        from known k where k.until > k.at
    ), marked as (
      select j.*, j.state not in ('running', 'setup') as is_down, lag(j.state) over w as before from judged j window w as (order by j.at)
    ), stepped as (
      select m.*, m.is_down and (m.before in ('running', 'setup') or m.said in ('running', 'setup') or m.before is null) as is_new from marked m
    ), numbered as (
      select s.*, sum((s.is_new or s.state is distinct from s.before)::integer) over (order by s.at) as n, sum(s.is_new::integer) over (order by s.at) as stop_n
        from stepped s
    )
    select d.n, min(d.at), max(d.until), min(d.state), min(d.stop_n), bool_or(d.is_down) from numbered d group by d.n;
end $$;
comment on function private.machine_intervals is
$$What a machine did between two instants, and the whole of what reaches over them, from its states alone: no gap, no overlap. A machine that was silent
for longer than its threshold is no_data from its last word on; a person's word does not expire. stop_n numbers the stretches in which it did not run.$$;

create function private.policy_of(p_site text, p_class text, p_at timestamptz)
returns text language plpgsql stable set search_path = '' as $$
begin
  return coalesce(
    (select p.policy from public.time_class_policies p where p.site = p_site and p.time_class = p_class and p.valid_from <= p_at
      order by p.valid_from desc limit 1),
    (select c.policy from public.time_classes c where c.code = p_class));
end $$;
comment on function private.policy_of is 'How a site counts a class of time that began at an instant.';

create type private.kpi_segment as (
  starts_at timestamptz, ends_at timestamptz, state text, is_down boolean, stop public.stops, shift_id bigint, island_from timestamptz, island_to timestamptz);

create function private.kpi_segments(p_machine text, p_from timestamptz, p_to timestamptz, p_lo timestamptz, p_hi timestamptz, p_as_of timestamptz)
returns setof private.kpi_segment language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
begin
  return query
    with intervals as materialized (select * from private.machine_intervals(p_machine, p_lo, p_hi, p_as_of)),
    rows as materialized (
      select row_number() over (order by lower(t.during)) as n, t as stop, lower(t.during) as starts_at, coalesce(upper(t.during), 'infinity') as ends_at
        from public.stops t where t.machine = p_machine and t.during && tstzrange(p_lo, p_hi)
    ), shifts as materialized (
      select row_number() over (order by lower(i.during)) as n, i.id, lower(i.during) as starts_at, upper(i.during) as ends_at
        from public.shift_instances i where i.machine = p_machine and i.during && tstzrange(p_from, p_to)
    ), points as (
      select greatest(x.at, p_lo) as at, max(x.i) as i, max(x.r) as r, max(x.s) as s from (
        select i.starts_at as at, i.n as i, null::bigint as r, null::bigint as s from intervals i
        union all select t.starts_at, null, t.n, null from rows t union all select t.ends_at, null, null, null from rows t
        union all select h.starts_at, null, null, h.n from shifts h union all select h.ends_at, null, null, null from shifts h
        union all select u.at, null, null, null from public.planned_stops p cross join lateral unnest(array[lower(p.during), upper(p.during)]) as u (at)
          where p.machine = p_machine and p.is_active and p.during && tstzrange(p_from, p_to)
        union all select u.at, null, null, null from public.overtime_windows o cross join lateral unnest(array[lower(o.during), upper(o.during)]) as u (at)
          where o.machine = p_machine and o.during && tstzrange(p_from, p_to)
        union all select u.at, null, null, null from unnest(array[p_lo, p_from, p_to, p_hi]) as u (at)) x
       where x.at <= p_hi group by 1
    ), spread as (
      select p.at, lead(p.at) over w as until, max(p.i) over w as i, max(p.r) over w as r, max(p.s) over w as s from points p window w as (order by p.at)
    ), laid as (
      select q.at, q.until, i.state, i.is_down, case when q.at < t.ends_at and ((t.stop).source <> 'signal' or i.is_down) then t.stop end as stop,
          case when q.at < h.ends_at then h.id end as shift_id, i.stop_n
        from spread q join intervals i on i.n = q.i left join rows t on t.n = q.r left join shifts h on h.n = q.s where q.until is not null
    ), keyed as (
      select l.*, case when (l.stop).id is not null then 'r' || (l.stop).id when l.is_down then 'g' || l.stop_n end as key from laid l
    ), islands as (
      select k.*, sum((k.key is distinct from k.before)::integer) over (order by k.at) as island
        from (select k.*, lag(k.key) over (order by k.at) as before from keyed k) k
    )
    select d.at, d.until, d.state, d.is_down, d.stop, d.shift_id, min(d.at) over (partition by d.island), max(d.until) over (partition by d.island)
      from islands d;
end $$;
comment on function private.kpi_segments is
'States, stops and shifts of a machine laid over each other, cut wherever one of them changes. An island is a whole stop, also where it reaches over the window.';

create type private.kpi_piece as (
  starts_at timestamptz, ends_at timestamptz, kind text, policy text, time_class text, reason text, state text, stop_id bigint, planned_id bigint,
  shift_id bigint, stop_from timestamptz, stop_to timestamptz);
comment on type private.kpi_piece is
$$kind: unscheduled, planned, run, setup, stop, micro, pending (a stop that is still open and shorter than the micro-stop threshold). policy: none for
what is run time without loss. stop_from and stop_to: the whole stop that the piece is part of.$$;

create function private.kpi_pieces(p_machine text, p_from timestamptz, p_to timestamptz, p_as_of timestamptz)
returns setof private.kpi_piece language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_site text := (select m.site from public.machines m where m.code = p_machine);
  v_to timestamptz := least(p_to, p_as_of);
  -- Beyond the longest micro-stop nothing can change what a piece is.
  v_pad interval := make_interval(secs => (select max(v.micro_stop_s) from public.machine_versions v where v.machine = p_machine) + 60);
  v_hi timestamptz := least(date_trunc('minute', v_to) + v_pad + interval '1 minute', p_as_of);
  v_overtime tstzmultirange := coalesce((select range_agg(o.during) from public.overtime_windows o
    where o.machine = p_machine and o.during && tstzrange(p_from, greatest(v_to, p_from))), '{}');
begin
  if v_to <= p_from then
    return;
  end if;
  return query
    with rests as materialized (
      select p.id, p.during, p.time_class, private.policy_of(v_site, p.time_class, lower(p.during)) as policy from public.planned_stops p
       where p.machine = p_machine and p.is_active and p.during && tstzrange(p_from, v_to)
    ), laid as (
      select g.*, p.id as planned_id, p.time_class as planned_class, p.policy as planned_policy, g.shift_id is null and not o.is_overtime as is_off
        from private.kpi_segments(p_machine, p_from, v_to, date_trunc('minute', p_from) - v_pad, v_hi, p_as_of) g
       cross join lateral (select v_overtime @> g.starts_at as is_overtime offset 0) o
        left join lateral (
          select r.* from rests r where r.during @> g.starts_at and not (r.time_class = 'break' and o.is_overtime) order by r.policy, r.id limit 1) p on true
       where g.starts_at >= p_from and g.starts_at < v_to
    ), limits as materialized (
      select v.valid_from, make_interval(secs => v.micro_stop_s) as micro_stop from public.machine_versions v where v.machine = p_machine
    ), judged as materialized (
      select l.*, case when l.is_off then 'unscheduled' when l.planned_id is not null then 'planned'
          when (l.stop).id is null and not l.is_down then case l.state when 'setup' then 'setup' else 'run' end
          when (l.stop).reason is null and l.island_to - l.island_from <= (select v.micro_stop from limits v
              where v.valid_from <= l.island_from order by v.valid_from desc limit 1)
            then case when l.island_to >= p_as_of then 'pending' else 'micro' end else 'stop' end as kind from laid l
    ), classed as materialized (
      select j.*, j.kind in ('stop', 'micro', 'pending') as is_stop, case j.kind when 'planned' then j.planned_class when 'setup' then 'changeover'
          when 'micro' then 'minor_stop' when 'pending' then 'minor_stop' when 'stop' then coalesce((j.stop).time_class,
            case when j.state = 'no_data' and (j.stop).id is null then 'no_data' else 'unclassified' end) end as time_class from judged j
    )
    select c.starts_at, c.ends_at, c.kind, case when c.kind in ('unscheduled', 'run', 'pending') then 'none' when c.kind = 'planned' then c.planned_policy
          else coalesce((select p.policy from public.time_class_policies p where p.site = v_site and p.time_class = c.time_class
              and p.valid_from <= c.island_from order by p.valid_from desc limit 1), (select t.policy from public.time_classes t where t.code = c.time_class)) end,
        c.time_class, case when c.is_stop then (c.stop).reason end, c.state, case when c.is_stop or c.is_off then (c.stop).id end,
        case when not c.is_off then c.planned_id end, c.shift_id, case when c.is_stop then c.island_from end, case when c.is_stop then c.island_to end
      from classed c order by c.starts_at;
end $$;
comment on function private.kpi_pieces is
$$Every instant of [p_from, p_to) up to p_as_of in exactly one piece. Not scheduled beats planned stops, those beat what people say, that beats what the
machine says. Of planned stops at once, the one that is excluded holds, then the loss of availability. An ended stop without a reason within the micro-stop
threshold of its time is a micro-stop; one that lasts is pending until then.$$;
