-- How often it breaks, and how long until it runs again ----------------------------------------------------------------

create type private.failure as (
  machine text, occurred_at timestamptz, restored_at timestamptz, down_s numeric, during tstzmultirange, repair_id bigint, stop_id bigint);

create type private.failing as (repair_id bigint, stop_id bigint, during tstzrange);

create function private.failing_since(p_machine text, p_at timestamptz)
returns timestamptz language plpgsql stable set search_path = '' as $$
declare
  v_since timestamptz := p_at;
  v_before timestamptz;
begin
  loop
    select lower(s.during) into v_before from public.stops s
     where s.machine = p_machine and s.is_failure and s.during @> v_since - interval '1 microsecond';
    exit when v_before is null;
    v_since := v_before;
  end loop;
  return v_since;
end $$;
comment on function private.failing_since is 'Where the failing stops begin that reach an instant, one right after the other; the instant itself when none does.';

create function private.failing_stretches(p_machine text, p_from timestamptz, p_as_of timestamptz)
returns setof private.failing language plpgsql stable set search_path = '' as $$
declare
  v_since timestamptz := private.failing_since(p_machine, least(p_from, p_as_of));
begin
  -- A repair that is heard of since then may have begun long before, beside failing stops that it was never told of.
  v_since := private.failing_since(p_machine, least(v_since, (select min(lower(o.during))
    from public.stops s join public.stop_repairs l on l.stop_id = s.id
    join public.stop_repairs k on k.repair_id = l.repair_id join public.stops o on o.id = k.stop_id
   where s.machine = p_machine and s.during && tstzrange(v_since - interval '1 microsecond', null))));
  return query
    with stops as materialized (   -- stretch: failing stops one right after the other, as when one was split
      select s.id, s.during, sum(s.is_new::integer) over (order by lower(s.during)) as stretch
        from (select t.id, t.during, lag(upper(t.during)) over (order by lower(t.during)) is distinct from lower(t.during) as is_new
                from public.stops t where t.machine = p_machine and t.is_failure and lower(t.during) between v_since and p_as_of) s
    ), links as materialized (
      select l.stop_id, r.id as repair_id, r.occurred_at from public.repairs r join public.stop_repairs l on l.repair_id = r.id
       where r.machine = p_machine and r.is_failure
    ), owners as (
      select n.stretch, min(l.repair_id) as repair_id from stops n join links l on l.stop_id = n.id group by 1
    )
    select l.repair_id, null::bigint, case when s.is_failure then s.during else s.during * tstzrange(l.occurred_at, null) end
      from links l join public.stops s on s.id = l.stop_id
     where lower(s.during) <= p_as_of and (s.is_failure or upper_inf(s.during) or upper(s.during) > l.occurred_at)
    union all
    select o.repair_id, case when o.repair_id is null then min(s.id) over (partition by s.stretch) end, s.during
      from stops s left join owners o on o.stretch = s.stretch
     where s.id not in (select l.stop_id from links l);
end $$;
comment on function private.failing_stretches is
$$When a machine was down, by failure. Of a repair: its stops, of one that has another reason what lies behind its own beginning, and failing stops that
touch them. Other failing stops, by the first of those that touch: a stop that was split is one failure. What reaches p_from (or p_as_of, when that is
earlier) is whole; of what was over before, perhaps a part.$$;

create function private.failures(p_machine text, p_from timestamptz, p_to timestamptz, p_as_of timestamptz)
returns setof private.failure language plpgsql stable set search_path = '' as $$
begin
  return query
    with down as (
      select f.repair_id, f.stop_id, min(lower(f.during)) as first_at, case when bool_and(coalesce(upper(f.during) <= p_as_of, false)) then max(upper(f.during)) end as last_at,
          range_agg(f.during) as during
        from private.failing_stretches(p_machine, p_from, p_as_of) f group by 1, 2
    ), failed as (
      select coalesce(d.first_at, r.occurred_at) as occurred_at, case when d.first_at is not null then d.last_at
            when r.closed_at <= p_as_of and r.runs_again is not false then r.closed_at end as restored_at,
          d.during, r.id as repair_id, d.stop_id
        from down d full join (select x.* from public.repairs x where x.machine = p_machine and x.is_failure) r on r.id = d.repair_id
    )
    select p_machine, f.occurred_at, f.restored_at, case when f.restored_at is null then null
          when f.during is null then private.seconds(f.occurred_at, f.restored_at)
          else (select sum(private.seconds(lower(u.r), upper(u.r))) from unnest(f.during) as u (r)) end,
        coalesce(f.during, tstzmultirange(tstzrange(f.occurred_at, greatest(coalesce(f.restored_at, 'infinity'), f.occurred_at)))), f.repair_id, f.stop_id
      from failed f
     where f.occurred_at < p_to and f.occurred_at <= p_as_of and (f.occurred_at >= p_from or f.restored_at >= p_from or f.restored_at is null);
end $$;
comment on function private.failures is
$$Failures that began or were open in [p_from, p_to): one per repair, however many stops it has and however often it was reopened, and one per stretch of
failing stops that no repair knows of. occurred_at: when it stood first, else since when it was reported; restored_at: when production could go on, the
end of the last stop, without a stop the closing of the repair; during: its stops, without one all of it; down_s: of them each second once, and not the
time between them.$$;

create function private.time_in_status(p_repair_id bigint, p_status text, p_as_of timestamptz)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return (select coalesce(sum(private.seconds(x.at, least(x.until, p_as_of))), 0)
    from (select s.status, s.at, lead(s.at, 1, p_as_of) over (order by s.n) as until from public.repair_statuses s where s.repair_id = p_repair_id) x
   where x.status = p_status and x.at < p_as_of);
end $$;

create function private.key_of(p_by text, p_scope private.scope)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return case p_by when 'machine' then p_scope.machine when 'line' then coalesce(p_scope.line, '-') else '' end;
end $$;

create function private.title_of(p_by text, p_key text)
returns text language plpgsql stable set search_path = '' as $$
begin
  return case p_by when 'machine' then (select m.name from public.machines m where m.code = p_key)
    when 'line' then (select l.title from public.lines l where l.code = p_key) end;
end $$;
comment on function private.title_of is 'What people call the machine or line of a key.';

create function private.check_by(p_by text)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_by is null or p_by not in ('total', 'machine', 'line') then
    perform private.fail(422, 'kpi.by', 'Ask by total, machine or line.', jsonb_build_object('field', 'p_by', 'actual', p_by));
  end if;
end $$;

create type private.failure_sum as (
  key text, failures bigint, restored bigint, open bigint, down_s numeric, corrective_s numeric, wrench_s numeric, waiting_s numeric);

create function private.failure_sums(p_scopes private.scope[], p_by text, p_to timestamptz, p_as_of timestamptz)
returns setof private.failure_sum language plpgsql stable set search_path = '' as $$
begin
  return query
    with scopes as (
      select s.*, private.key_of(p_by, s) as key from unnest(p_scopes) s
    ), failed as materialized (   -- once per machine, however often it moved
      select f.* from (select c.machine, min(c.from_at) as from_at from scopes c group by 1) m
       cross join lateral private.failures(m.machine, m.from_at, p_to, p_as_of) f
    ), told as (   -- each instant is in one place: where the machine stood then
      select c.key, f.*, coalesce(f.occurred_at >= c.from_at and f.occurred_at < c.to_at, false) as is_new,
          coalesce(f.restored_at >= c.from_at and f.restored_at < c.to_at, false) as is_restored,
          coalesce(c.to_at = p_to and f.occurred_at < p_to and coalesce(f.restored_at >= p_to, true), false) as is_open
        from scopes c left join failed f on f.machine = c.machine
    ), clipped as (
      select c.key, sum(private.seconds(lower(r.during), upper(r.during))) as seconds from scopes c
       cross join lateral unnest((select range_agg(f.during) * tstzmultirange(tstzrange(c.from_at, least(c.to_at, p_as_of))) from failed f
          where f.machine = c.machine)) as r (during)
       where c.from_at < p_as_of group by 1
    )
    select t.key, count(*) filter (where t.is_new), count(*) filter (where t.is_restored), count(*) filter (where t.is_open),
        coalesce(sum(t.down_s) filter (where t.is_restored), 0), coalesce((select k.seconds from clipped k where k.key = t.key), 0),
        avg(private.time_in_status(t.repair_id, 'in_repair', p_as_of)) filter (where t.is_restored and t.repair_id is not null),
        avg(private.time_in_status(t.repair_id, 'waiting', p_as_of)) filter (where t.is_restored and t.repair_id is not null)
      from told t group by t.key;
end $$;
comment on function private.failure_sums is
$$Failures that began, that were restored, and that were open at the end of the time asked for, by where the machine stood at that instant. Open before +
began = restored + open after. down_s: whole failures that were restored; corrective_s: what of all of them lies in the time asked for, overlaps once.$$;

create function private.responses(p_scopes private.scope[], p_by text, p_as_of timestamptz)
returns table (key text, mtta_s numeric, response_s numeric) language plpgsql stable set search_path = '' as $$
begin
  return query
    select private.key_of(p_by, c),
        avg(private.seconds(r.reported_at, r.acknowledged_at))
          filter (where r.acknowledged_at >= c.from_at and r.acknowledged_at < c.to_at and r.acknowledged_at <= p_as_of),
        avg(private.seconds(r.reported_at, r.started_at)) filter (where r.started_at >= c.from_at and r.started_at < c.to_at and r.started_at <= p_as_of)
      from unnest(p_scopes) c join public.repairs r on r.machine = c.machine and r.type = 'unscheduled' group by 1;
end $$;
comment on function private.responses is
$$How long people took to acknowledge and to begin, of every unscheduled repair that was acknowledged or begun in the time asked for: also of one that is
still open, and of one beside which the machine runs.$$;

create function private.ran_seconds(p_scopes private.scope[], p_by text, p_as_of timestamptz)
returns table (key text, seconds numeric) language plpgsql stable set search_path = '' as $$
begin
  return query
    select k.key, sum((k.i).run_s + (k.i).setup_s)
      from (select private.key_of(p_by, s) as key, private.kpi_window(s.machine, s.from_at, s.to_at, p_as_of) as i from unnest(p_scopes) s offset 0) k group by 1;
end $$;

create function private.maintained_seconds(p_scopes private.scope[], p_by text, p_as_of timestamptz)
returns table (key text, seconds numeric) language plpgsql stable set search_path = '' as $$
begin
  return query
    select private.key_of(p_by, s), sum(private.seconds(lower(r.during), upper(r.during)))
      from unnest(p_scopes) s
     cross join lateral unnest((select range_agg(p.during * tstzrange(s.from_at, least(s.to_at, p_as_of))) from public.planned_stops p
        where p.machine = s.machine and p.is_active and p.time_class = 'planned_maintenance' and p.during && tstzrange(s.from_at, least(s.to_at, p_as_of))))
        as r (during)
     where s.from_at < p_as_of group by 1;
end $$;
comment on function private.maintained_seconds is 'Planned maintenance, overlaps once.';

create type public.mttr_row as (
  key text, title text, failures bigint, restored bigint, open bigint, mttr_s numeric, mtta_s numeric, response_s numeric, wrench_s numeric, waiting_s numeric,
  corrective_s numeric, preventive_s numeric, corrective_ratio numeric);
comment on type public.mttr_row is
$$title: of the machine or line. restored: failures after which production went on in the time asked for; mttr_s: how long they kept the machine down, its
stops added up, their mean, null without any. mtta_s: reported until acknowledged, response_s: reported until work began, of all unscheduled repairs that
were acknowledged or begun in the time; wrench_s: work itself, waiting_s: for parts, people or a vendor, means of the repairs among the restored. open:
still down at the end. corrective_s: what of all failures lies in the time; preventive_s: planned maintenance in it, overlaps once; corrective_ratio of both.$$;

create function public.get_mttr(
  p_machine text default null, p_from timestamptz default null, p_to timestamptz default null, p_by text default 'total', p_line text default null,
  p_work_centre text default null, p_site text default null, p_as_of timestamptz default null)
returns setof public.mttr_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text;
  v_range tstzrange;
  v_as_of timestamptz := least(coalesce(p_as_of, now()), now());
  v_scopes private.scope[];
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, p_line, p_work_centre, p_site);
  perform private.authorize('kpi.read', null, v_site);
  perform private.check_by(p_by);
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  v_scopes := array(select s from private.scope_of(p_machine, p_line, p_work_centre, v_site, lower(v_range), upper(v_range)) s);
  return query
    select f.key, private.title_of(p_by, f.key), f.failures, f.restored, f.open, private.ratio(f.down_s, f.restored), t.mtta_s, t.response_s, f.wrench_s,
        f.waiting_s, f.corrective_s, coalesce(p.seconds, 0), private.ratio(f.corrective_s, f.corrective_s + coalesce(p.seconds, 0))
      from private.failure_sums(v_scopes, p_by, upper(v_range), v_as_of) f
      left join private.responses(v_scopes, p_by, v_as_of) t on t.key = f.key
      left join private.maintained_seconds(v_scopes, p_by, v_as_of) p on p.key = f.key order by f.key;
end $$;
comment on function public.get_mttr is
$$Mean time to repair of failures after which production went on in the time asked for, and what it is made of. The R is restoration: all the time that the
machine stood because of it; wrench time stands beside it. p_by total, machine, line.
Permission: kpi.read at the site.
Errors: kpi.by (422), kpi.range (422), machine.unknown (404), work_centre.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create type public.mtbf_row as (
  key text, title text, operating_s numeric, failures bigint, mtbf_s numeric, at_least_s numeric, mttr_s numeric, inherent_availability numeric);
comment on type public.mtbf_row is
$$title: of the machine or line. operating_s: time in which it ran or was set up; failures that began in the time asked for; mtbf_s = operating_s /
failures, null without any, and then at_least_s says how long it ran. inherent_availability = MTBF / (MTBF + MTTR).$$;

create function private.mtbf_rows(p_scopes private.scope[], p_by text, p_as_of timestamptz, p_failed private.failure_sum[])
returns setof public.mtbf_row language plpgsql stable set search_path = '' as $$
begin
  return query
    select r.key, private.title_of(p_by, r.key), r.seconds, f.failures, private.ratio(r.seconds, f.failures), case when f.failures = 0 then r.seconds end,
        private.ratio(f.down_s, f.restored),
        private.ratio(private.ratio(r.seconds, f.failures), private.ratio(r.seconds, f.failures) + private.ratio(f.down_s, f.restored))
      from private.ran_seconds(p_scopes, p_by, p_as_of) r join unnest(p_failed) f on f.key = r.key order by r.key;
end $$;

create function public.get_mtbf(
  p_machine text default null, p_from timestamptz default null, p_to timestamptz default null, p_by text default 'total', p_line text default null,
  p_work_centre text default null, p_site text default null, p_as_of timestamptz default null)
returns setof public.mtbf_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text;
  v_range tstzrange;
  v_as_of timestamptz := least(coalesce(p_as_of, now()), now());
  v_scopes private.scope[];
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, p_line, p_work_centre, p_site);
  perform private.authorize('kpi.read', null, v_site);
  perform private.check_by(p_by);
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  v_scopes := array(select s from private.scope_of(p_machine, p_line, p_work_centre, v_site, lower(v_range), upper(v_range)) s);
  return query select * from private.mtbf_rows(v_scopes, p_by, v_as_of, array(select f from private.failure_sums(v_scopes, p_by, upper(v_range), v_as_of) f));
end $$;
comment on function public.get_mtbf is
$$Mean time between failures: time the machines ran or were set up, not calendar time, per failure that began in it. p_by total, machine, line; of a
fleet the sum of all running time by the sum of all failures.
Permission: kpi.read at the site.
Errors: kpi.by (422), kpi.range (422), machine.unknown (404), work_centre.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create type public.reliability_week as (
  week date, starts_at timestamptz, ends_at timestamptz, failures bigint, restored bigint, open bigint, operating_s numeric, mttr_s numeric, mtbf_s numeric,
  at_least_s numeric, inherent_availability numeric);
comment on type public.reliability_week is
$$A week of the plant's calendar from its Monday on, as get_mttr and get_mtbf answer it; the one that is on as far as it is over.$$;

create function public.get_reliability_weeks(
  p_weeks integer default 12, p_machine text default null, p_line text default null, p_work_centre text default null, p_site text default null)
returns setof public.reliability_week language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text;
  v_zone text;
  v_week record;
  v_scopes private.scope[];
  v_failed private.failure_sum[];
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, p_line, p_work_centre, p_site);
  perform private.authorize('kpi.read', null, v_site);
  if p_weeks is null or p_weeks not between 1 and 53 then
    perform private.fail(422, 'kpi.range', 'Ask for 1 to 53 weeks.', jsonb_build_object('field', 'p_weeks', 'actual', p_weeks));
  end if;
  v_zone := coalesce((select si.time_zone from public.sites si where si.code = v_site), 'UTC');
  for v_week in
    select w.monday, w.monday at time zone v_zone as starts_at, (w.monday + interval '7 days') at time zone v_zone as ends_at
      from (select date_trunc('week', now() at time zone v_zone) - make_interval(weeks => n) as monday from generate_series(p_weeks - 1, 0, -1) n) w
     order by w.monday
  loop
    v_scopes := array(select s from private.scope_of(p_machine, p_line, p_work_centre, v_site, v_week.starts_at, v_week.ends_at) s);
    v_failed := array(select f from private.failure_sums(v_scopes, 'total', v_week.ends_at, now()) f);
    return query
      select v_week.monday::date, v_week.starts_at, v_week.ends_at, f.failures, f.restored, f.open, m.operating_s, m.mttr_s, m.mtbf_s, m.at_least_s,
          m.inherent_availability
        from unnest(v_failed) f join private.mtbf_rows(v_scopes, 'total', now(), v_failed) m on m.key = f.key;
  end loop;
end $$;
comment on function public.get_reliability_weeks is
$$MTTR and MTBF of the last p_weeks weeks (1 to 53, the one that is on among them), the oldest first: of a machine, line, work centre or site.
Permission: kpi.read at the site.
Errors: kpi.range (422), machine.unknown (404), work_centre.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_mttr, public.get_mtbf, public.get_reliability_weeks to authenticated, service_role;
