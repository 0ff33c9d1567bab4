create view public.downtimes with (security_invoker = true) as
select s.id, s.machine, m.line, s.site, s.reason, r.title as reason_title, lower(s.during) as started_at, upper(s.during) as ended_at,
       extract(epoch from coalesce(upper(s.during), now()) - lower(s.during)) as duration_s, s.comment,
       array(select l.repair_id from public.stop_repairs l where l.stop_id = s.id order by l.repair_id) as repair_ids, s.version
  from public.stops s join public.machines m on m.code = s.machine left join public.stop_reasons r on r.code = s.reason
 where s.source <> 'signal' or s.reason is not null;
comment on view public.downtimes is
$$The register of downtimes: stops that a person or a repair opened, or that somebody gave a reason. ended_at null: it lasts; duration_s in seconds, so far.$$;

create or replace view public.machine_status with (security_invoker = true) as
select m.code as machine, m.site, m.line,
       case when r.broken_since is not null then 'broken' when r.maintained_since is not null then 'maintenance' when s.since is not null then 'stopped'
         else 'operational' end as status,
       coalesce(r.broken_since, r.maintained_since, s.since) as since, coalesce(r.open_repairs, 0)::integer as open_repairs
  from public.machines m
  left join lateral (select private.standing_since(m.code, now()) as since offset 0) s on true
  left join (
    select x.machine, count(*) as open_repairs,
           min(x.occurred_at) filter (where x.is_down and x.type = 'unscheduled' and x.status <> 'verified') as broken_since,
           min(x.started_at) filter (where x.is_down and x.type = 'scheduled' and x.status in ('in_repair', 'waiting', 'repaired')) as maintained_since
      from public.repairs x where x.is_open group by x.machine) r on r.machine = m.code;
comment on view public.machine_status is
$$operational, broken (an unscheduled repair keeps it down until it is verified), maintenance (scheduled work on it has begun) or stopped (it stands
without a repair, because somebody or the machine itself says so or it is silent, as on the wall), and since when.$$;
