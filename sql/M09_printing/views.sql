create view public.print_agents with (security_invoker = on) as
select d.id, d.code, d.name, d.site, d.version, d.last_seen_at, d.revoked_at, d.status,
  case when d.last_seen_at > now() - interval '30 seconds' then 'online' when d.last_seen_at > now() - interval '90 seconds' then 'late'
    else 'offline' end as state,
  (d.status ->> 'clock_skew_ms')::numeric as clock_skew_ms
from public.devices d
where d.kind = 'print_agent';
comment on view public.print_agents is 'Print agents and whether they are there: online (seen in the last 30 s), late (90 s), offline. clock_skew_ms: their clock minus ours.';
