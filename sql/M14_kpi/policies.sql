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

create function private.readable_work_centres(p_permission text)
returns setof text language plpgsql stable security definer set search_path = '' as $$
begin
  return query select w.code from public.work_centres w where w.site = any (private.readable_sites(p_permission));
end $$;
comment on function private.readable_work_centres is
  'For policies, of rows that name their work centre: those of the sites where an active caller works and has this permission.';
grant execute on function private.readable_work_centres to authenticated;

-- Rows of a site, for who works there; rows of a machine, for whoever sees the machine. Classes of time and reasons are those of the whole plant.
create policy select_site on public.shift_patterns for select to authenticated
  using (work_centre in (select private.readable_work_centres('kpi.read')));
create policy select_site on public.calendar_exceptions for select to authenticated
  using ((select private.readable_sites('kpi.read')) @> array[site]);
create policy select_site on public.shift_instances for select to authenticated
  using ((select private.readable_sites('kpi.read')) @> array[site]);
create policy select_active on public.time_classes for select to authenticated using ((select private.may('kpi.read')));
create policy select_site on public.time_class_policies for select to authenticated
  using ((select private.readable_sites('kpi.read')) @> array[site]);
create policy select_site on public.planned_stops for select to authenticated
  using ((select private.readable_sites('kpi.read')) @> array[site]);
create policy select_site on public.overtime_windows for select to authenticated
  using (machine in (select private.readable_machines('kpi.read')));
create policy select_site on public.machine_state_events for select to authenticated
  using (machine in (select private.readable_machines('kpi.read')));
create policy select_site on public.quarantined_events for select to authenticated
  using ((select private.readable_sites('kpi.read')) @> array[site]);
create policy select_site on public.ideal_cycles for select to authenticated
  using (machine in (select private.readable_machines('kpi.read')));
create policy select_site on public.count_events for select to authenticated
  using (machine in (select private.readable_machines('kpi.read')));
create policy select_site on public.count_minute for select to authenticated
  using (machine in (select private.readable_machines('kpi.read')));
create policy select_active on public.stop_reasons for select to authenticated using ((select private.may('kpi.read')));
create policy select_site on public.stops for select to authenticated
  using ((select private.readable_sites('kpi.read')) @> array[site]);
create policy select_site on public.stop_repairs for select to authenticated
  using (exists (select from public.stops s where s.id = stop_id));
create policy select_site on public.oee_shifts for select to authenticated
  using (machine in (select private.readable_machines('kpi.read')));
create policy select_site on public.shift_handovers for select to authenticated
  using ((select private.readable_sites('kpi.read')) @> array[site]);

grant select on public.shift_patterns, public.calendar_exceptions, public.shift_instances, public.time_classes, public.time_class_policies,
  public.planned_stops, public.overtime_windows, public.machine_state_events, public.quarantined_events, public.ideal_cycles, public.count_events, public.count_minute,
  public.stop_reasons, public.stops, public.stop_repairs, public.oee_shifts, public.shift_handovers, public.downtimes to authenticated;
