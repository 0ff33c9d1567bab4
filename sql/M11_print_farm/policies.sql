alter table public.parts enable row level security;
alter table public.gcode_part_mappings enable row level security;
alter table public.print_machines enable row level security;
alter table public.print_machine_states enable row level security;
alter table public.print_machine_counters enable row level security;
alter table public.print_coverage_gaps enable row level security;
alter table public.print_runs enable row level security;
alter table public.inventory_print_log enable row level security;
alter table private.machine_leases enable row level security;

create policy select_active on public.parts for select to authenticated using ((select private.may('farm.read')));
create policy select_active on public.gcode_part_mappings for select to authenticated using ((select private.may('farm.read')));
create policy select_active on public.print_machines for select to authenticated using ((select private.may('farm.read')));
create policy select_active on public.print_machine_states for select to authenticated using ((select private.may('farm.read')));
create policy select_active on public.print_machine_counters for select to authenticated using ((select private.may('farm.read')));
create policy select_active on public.print_coverage_gaps for select to authenticated using ((select private.may('farm.read')));
create policy select_active on public.print_runs for select to authenticated using ((select private.may('farm.read')));
create policy select_active on public.inventory_print_log for select to authenticated using ((select private.may('farm.read')));

grant select on public.parts, public.gcode_part_mappings, public.print_machines, public.print_machine_states, public.print_machine_counters,
  public.print_coverage_gaps, public.print_runs, public.inventory_print_log, public.part_demand to authenticated;
