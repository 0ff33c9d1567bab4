alter table public.shift_patterns enable row level security;
alter table public.calendar_exceptions enable row level security;
alter table public.shift_instances enable row level security;
alter table public.time_classes enable row level security;
alter table public.time_class_policies enable row level security;
alter table public.planned_stops enable row level security;
alter table public.overtime_windows enable row level security;
alter table public.machine_state_events enable row level security;
alter table public.quarantined_events enable row level security;
alter table public.ideal_cycles enable row level security;
alter table public.count_events enable row level security;
alter table public.count_minute enable row level security;
alter table public.stop_reasons enable row level security;
alter table public.stops enable row level security;
alter table public.stop_repairs enable row level security;
alter table public.oee_shifts enable row level security;
alter table public.shift_handovers enable row level security;
alter table private.shift_days enable row level security;
alter table private.andon_calls enable row level security;

create policy select_active on public.shift_patterns for select to authenticated using ((select private.may('kpi.read')));
create policy select_active on public.calendar_exceptions for select to authenticated using ((select private.may('kpi.read')));
create policy select_active on public.shift_instances for select to authenticated using ((select private.may('kpi.read')));
create policy select_active on public.time_classes for select to authenticated using ((select private.may('kpi.read')));
create policy select_active on public.time_class_policies for select to authenticated using ((select private.may('kpi.read')));
create policy select_active on public.planned_stops for select to authenticated using ((select private.may('kpi.read')));
create policy select_active on public.overtime_windows for select to authenticated using ((select private.may('kpi.read')));
create policy select_active on public.machine_state_events for select to authenticated using ((select private.may('kpi.read')));
create policy select_active on public.quarantined_events for select to authenticated using ((select private.may('kpi.read')));
create policy select_active on public.ideal_cycles for select to authenticated using ((select private.may('kpi.read')));
create policy select_active on public.count_events for select to authenticated using ((select private.may('kpi.read')));
create policy select_active on public.count_minute for select to authenticated using ((select private.may('kpi.read')));
create policy select_active on public.stop_reasons for select to authenticated using ((select private.may('kpi.read')));
create policy select_active on public.stops for select to authenticated using ((select private.may('kpi.read')));
create policy select_active on public.stop_repairs for select to authenticated using ((select private.may('kpi.read')));
create policy select_active on public.oee_shifts for select to authenticated using ((select private.may('kpi.read')));
create policy select_active on public.shift_handovers for select to authenticated using ((select private.may('kpi.read')));

grant select on public.shift_patterns, public.calendar_exceptions, public.shift_instances, public.time_classes, public.time_class_policies,
  public.planned_stops, public.overtime_windows, public.machine_state_events, public.quarantined_events, public.ideal_cycles, public.count_events, public.count_minute,
  public.stop_reasons, public.stops, public.stop_repairs, public.oee_shifts, public.shift_handovers, public.downtimes to authenticated;
