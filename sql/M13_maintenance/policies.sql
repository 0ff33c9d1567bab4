alter table public.lines enable row level security;
alter table public.machines enable row level security;
alter table public.machine_versions enable row level security;
alter table public.machine_counters enable row level security;
alter table public.machine_symptoms enable row level security;
alter table public.maintenance_plans enable row level security;
alter table public.maintenance_plan_items enable row level security;
alter table public.repairs enable row level security;
alter table public.repair_reports enable row level security;
alter table public.repair_statuses enable row level security;
alter table public.repair_checks enable row level security;
alter table public.repair_attachments enable row level security;
alter table private.machine_tokens enable row level security;
alter table private.problem_reports enable row level security;
alter table private.machine_troubles enable row level security;

-- Rows of a site, for who works there; rows of a machine, a repair or a plan, for whoever sees that. Symptoms are those of the whole plant.
create policy select_site on public.lines for select to authenticated
  using ((select private.readable_sites('maintenance.read')) @> array[site]);
create policy select_site on public.machines for select to authenticated
  using ((select private.readable_sites('maintenance.read')) @> array[site]);
create policy select_site on public.repairs for select to authenticated
  using ((select private.readable_sites('maintenance.read')) @> array[site]);
create policy select_site on public.machine_versions for select to authenticated
  using (machine in (select private.readable_machines('maintenance.read')));
create policy select_site on public.machine_counters for select to authenticated
  using (machine in (select private.readable_machines('maintenance.read')));
create policy select_active on public.machine_symptoms for select to authenticated using ((select private.may('maintenance.read')));
create policy select_site on public.maintenance_plans for select to authenticated
  using (machine in (select private.readable_machines('maintenance.read')));
create policy select_site on public.maintenance_plan_items for select to authenticated
  using (exists (select from public.maintenance_plans p where p.id = plan_id));
create policy select_site on public.repair_reports for select to authenticated
  using (exists (select from public.repairs r where r.id = repair_id));
create policy select_site on public.repair_statuses for select to authenticated
  using (exists (select from public.repairs r where r.id = repair_id));
create policy select_site on public.repair_checks for select to authenticated
  using (exists (select from public.repairs r where r.id = repair_id));
create policy select_site on public.repair_attachments for select to authenticated
  using (exists (select from public.repairs r where r.id = repair_id));

grant select on public.lines, public.machines, public.machine_versions, public.machine_counters, public.machine_symptoms, public.maintenance_plans,
  public.maintenance_plan_items, public.repairs, public.repair_reports, public.repair_statuses, public.repair_checks, public.repair_attachments, public.machine_status,
  public.line_status to authenticated;

-- Files: written once, to a path that an RPC made; read by who may see repairs of the site that the path begins with. Nobody replaces or deletes one.
create policy insert_maintenance_reporter on storage.objects for insert to anon
  with check (bucket_id = 'maintenance' and private.may_attach(name));
create policy insert_maintenance on storage.objects for insert to authenticated
  with check (bucket_id = 'maintenance' and private.may_attach(name));
create policy select_maintenance on storage.objects for select to authenticated
  using (bucket_id = 'maintenance' and (select private.readable_sites('maintenance.read')) @> array[split_part(name, '/', 1)]);
