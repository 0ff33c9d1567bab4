-- How often it breaks, and how long until it runs again ----------------------------------------------------------------

create type private.failure as (
  machine text, occurred_at timestamptz, restored_at timestamptz, reported_at timestamptz, acknowledged_at timestamptz, started_at timestamptz,
  repair_id bigint, stop_id bigint);

create function private.failures(p_machine text, p_from timestamptz, p_to timestamptz, p_as_of timestamptz)
returns setof private.failure language plpgsql stable set search_path = '' as $$
begin
  return query
    with repaired as (
      select r.machine, least(r.occurred_at, t.first_at) as occurred_at,
          case when t.stops > 0 then t.last_at when not r.is_open or r.status = 'verified' then coalesce(r.verified_at, r.repaired_at, r.closed_at) end as restored_at,
          r.reported_at, r.acknowledged_at, r.started_at, r.id as repair_id, null::bigint as stop_id
        from public.repairs r
       cross join lateral (
         select count(*) as stops, min(lower(s.during)) as first_at, case when not bool_or(upper_inf(s.during)) then max(upper(s.during)) end as last_at
           from public.stop_repairs l join public.stops s on s.id = l.stop_id where l.repair_id = r.id) t
       where r.machine = p_machine and r.is_failure and r.occurred_at < p_to + interval '1 day'
    ), alone as (
      select s.machine, lower(s.during), upper(s.during), null::timestamptz, null::timestamptz, null::timestamptz, null::bigint, s.id from public.stops s
       where s.machine = p_machine and s.is_failure and lower(s.during) < p_to
         and not exists (select from public.stop_repairs l join public.repairs r on r.id = l.repair_id where l.stop_id = s.id and r.is_failure)
         and not exists (select from public.stops o where o.id = s.split_of and o.is_failure)
    )
    select x.machine, x.occurred_at, case when x.restored_at <= p_as_of then x.restored_at end, x.reported_at, x.acknowledged_at, x.started_at, x.repair_id, x.stop_id
      from (select * from repaired union all select * from alone) x
     where x.occurred_at < p_to and x.occurred_at <= p_as_of and (x.occurred_at >= p_from or x.restored_at >= p_from or x.restored_at is null);
end $$;
comment on function private.failures is
$$Failures that began or were open in [p_from, p_to): one per repair, however many stops it has and however often it was reopened, and one per stop with a
failing reason that no repair knows of. Restored: when production could go on, the end of the last stop.$$;

create function private.time_in_status(p_repair_id bigint, p_status text, p_as_of timestamptz)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return (select coalesce(sum(private.seconds(x.at, least(x.until, p_as_of))), 0)
    from (select s.status, s.at, lead(s.at, 1, p_as_of) over (order by s.n) as until from public.repair_statuses s where s.repair_id = p_repair_id) x
   where x.status = p_status and x.at < p_as_of);
end $$;

create type public.mttr_row as (
  key text, failures bigint, restored bigint, open bigint, mttr_s numeric, mtta_s numeric, response_s numeric, wrench_s numeric, waiting_s numeric,
  corrective_s numeric, preventive_s numeric, corrective_ratio numeric);
comment on type public.mttr_row is
$$restored: failures after which production went on in the time asked for; mttr_s: from when it happened until then, their mean, null without any.
mtta_s: reported until acknowledged, response_s: reported until work began, wrench_s: work itself, waiting_s: for parts, people or a vendor; means of the
repairs among them. open: still down. corrective_s: all restoration times; preventive_s: planned maintenance in the time, overlaps once; corrective_ratio of both.$$;

create function private.key_of(p_by text, p_scope private.scope)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return case p_by when 'machine' then p_scope.machine when 'line' then coalesce(p_scope.line, '-') else '' end;
end $$;

create function private.check_by(p_by text)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_by is null or p_by not in ('total', 'machine', 'line') then
    perform private.fail(422, 'kpi.by', 'Ask by total, machine or line.', jsonb_build_object('field', 'p_by', 'actual', p_by));
  end if;
end $$;

create function public.get_mttr(
  p_machine text default null, p_from timestamptz default null, p_to timestamptz default null, p_by text default 'total', p_line text default null,
  p_work_centre text default null, p_site text default null, p_as_of timestamptz default null)
returns setof public.mttr_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text;
  v_range tstzrange;
  v_as_of timestamptz := least(coalesce(p_as_of, now()), now());
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, p_line, p_work_centre, p_site);
  perform private.authorize('kpi.read', null, v_site);
  perform private.check_by(p_by);
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  return query
    with scopes as (select s, private.key_of(p_by, s) as key from private.scope_of(p_machine, p_line, p_work_centre, v_site, lower(v_range), upper(v_range)) s),
    failed as (
      select c.key, f.*, f.occurred_at >= (c.s).from_at as is_new, f.restored_at >= (c.s).from_at and f.restored_at < (c.s).to_at as is_restored
        from scopes c cross join lateral private.failures((c.s).machine, (c.s).from_at, (c.s).to_at, v_as_of) f
    ), planned as (
      select c.key, sum(private.seconds(lower(r.during), upper(r.during))) as s from scopes c
       cross join lateral unnest((select range_agg(p.during * tstzrange((c.s).from_at, least((c.s).to_at, v_as_of))) from public.planned_stops p
          where p.machine = (c.s).machine and p.is_active and p.time_class = 'planned_maintenance'
            and p.during && tstzrange((c.s).from_at, least((c.s).to_at, v_as_of)))) as r (during)
       where (c.s).from_at < v_as_of group by 1
    )
    select k.key, count(f.machine) filter (where f.is_new), count(f.machine) filter (where f.is_restored),
        count(f.machine) filter (where f.restored_at is null), private.ratio(sum(t.down) filter (where f.is_restored), count(f.machine) filter (where f.is_restored)),
        avg(private.seconds(f.reported_at, f.acknowledged_at)) filter (where f.is_restored), avg(private.seconds(f.reported_at, f.started_at)) filter (where f.is_restored),
        avg(private.time_in_status(f.repair_id, 'in_repair', v_as_of)) filter (where f.is_restored and f.repair_id is not null),
        avg(private.time_in_status(f.repair_id, 'waiting', v_as_of)) filter (where f.is_restored and f.repair_id is not null),
        coalesce(sum(t.down) filter (where f.is_restored), 0), coalesce(max(p.s), 0),
        private.ratio(coalesce(sum(t.down) filter (where f.is_restored), 0), coalesce(sum(t.down) filter (where f.is_restored), 0) + coalesce(max(p.s), 0))
      from (select distinct c.key from scopes c) k
      left join failed f on f.key = k.key left join planned p on p.key = k.key
      left join lateral (select private.seconds(f.occurred_at, f.restored_at) as down) t on true
     group by k.key order by k.key;
end $$;
comment on function public.get_mttr is
$$Mean time to repair of failures after which production went on in the time asked for, and what it is made of. The R is restoration: from when it
happened until the machine ran again; wrench time stands beside it. p_by total, machine, line.
Permission: kpi.read at the site.
Errors: kpi.by (422), kpi.range (422), machine.unknown (404), work_centre.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create type public.mtbf_row as (key text, operating_s numeric, failures bigint, mtbf_s numeric, at_least_s numeric, mttr_s numeric, inherent_availability numeric);
comment on type public.mtbf_row is
$$operating_s: time in which it ran or was set up; failures that began in the time asked for; mtbf_s = operating_s / failures, null without any, and then
at_least_s says how long it ran. inherent_availability = MTBF / (MTBF + MTTR).$$;

create function public.get_mtbf(
  p_machine text default null, p_from timestamptz default null, p_to timestamptz default null, p_by text default 'total', p_line text default null,
  p_work_centre text default null, p_site text default null, p_as_of timestamptz default null)
returns setof public.mtbf_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text;
  v_range tstzrange;
  v_as_of timestamptz := least(coalesce(p_as_of, now()), now());
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, p_line, p_work_centre, p_site);
  perform private.authorize('kpi.read', null, v_site);
  perform private.check_by(p_by);
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  return query
    with scopes as (
      select s, private.key_of(p_by, s) as key, private.kpi_window(s.machine, s.from_at, s.to_at, v_as_of) as i
        from private.scope_of(p_machine, p_line, p_work_centre, v_site, lower(v_range), upper(v_range)) s
    ), ran as (select c.key, sum((c.i).run_s + (c.i).setup_s) as s from scopes c group by 1),
    failed as (
      select c.key, count(*) filter (where f.occurred_at >= (c.s).from_at) as n,
          avg(private.seconds(f.occurred_at, f.restored_at)) filter (where f.restored_at >= (c.s).from_at and f.restored_at < (c.s).to_at) as mttr
        from scopes c cross join lateral private.failures((c.s).machine, (c.s).from_at, (c.s).to_at, v_as_of) f group by 1
    )
    select r.key, r.s, coalesce(f.n, 0), private.ratio(r.s, f.n), case when coalesce(f.n, 0) = 0 then r.s end, f.mttr,
        private.ratio(private.ratio(r.s, f.n), private.ratio(r.s, f.n) + f.mttr)
      from ran r left join failed f on f.key = r.key order by r.key;
end $$;
comment on function public.get_mtbf is
$$Mean time between failures: time the machines ran or were set up, not calendar time, per failure that began in it. p_by total, machine, line; of a
fleet the sum of all running time by the sum of all failures.
Permission: kpi.read at the site.
Errors: kpi.by (422), kpi.range (422), machine.unknown (404), work_centre.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_mttr, public.get_mtbf to authenticated, service_role;
