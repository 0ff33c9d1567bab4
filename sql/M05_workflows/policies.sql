alter table public.stage_transitions enable row level security;
alter table public.stations enable row level security;
alter table private.recent_scans enable row level security;
alter table private.order_counters enable row level security;
alter table private.priority_days enable row level security;

create policy select_active on public.stage_transitions for select to authenticated using ((select private.may('plant.read')));
create policy select_active on public.stations for select to authenticated using ((select private.may('plant.read')));
grant select on public.stage_transitions, public.stations, public.stage_events to authenticated;
