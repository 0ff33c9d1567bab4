-- What state machines and lines are in: derived from what is open, never stored.

create view public.machine_status with (security_invoker = true) as
select m.code as machine, m.site, m.line,
       case when r.broken_since is not null then 'broken' when r.maintained_since is not null then 'maintenance' else 'operational' end as status,
       coalesce(r.broken_since, r.maintained_since) as since, coalesce(r.open_repairs, 0)::integer as open_repairs
  from public.machines m
  left join (
    select x.machine, count(*) as open_repairs,
           min(x.occurred_at) filter (where x.is_down and x.type = 'unscheduled' and x.status <> 'verified') as broken_since,
           min(x.started_at) filter (where x.is_down and x.type = 'scheduled' and x.status in ('in_repair', 'waiting', 'repaired')) as maintained_since
      from public.repairs x where x.is_open group by x.machine) r on r.machine = m.code;
comment on view public.machine_status is
$$operational, broken (an unscheduled repair keeps it down until it is verified) or maintenance (scheduled work on it has begun), and since when.$$;

create view public.line_status with (security_invoker = true) as
select l.code as line, l.site, case when bool_or(s.status in ('broken', 'stopped')) then 'stopped' when bool_or(s.status = 'maintenance') then 'maintenance'
         else 'working' end as status, min(s.since) as since, count(m.code)::integer as machines
  from public.lines l left join public.machines m on m.line = l.code and m.is_active left join public.machine_status s on s.machine = m.code
 group by l.code, l.site;
comment on view public.line_status is 'working, maintenance or stopped, as the machines are that stand in the line.';
