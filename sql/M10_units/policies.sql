alter table public.product_variants enable row level security;
alter table public.variant_rules enable row level security;
alter table public.units enable row level security;
alter table public.boxes enable row level security;
alter table public.test_runs enable row level security;
alter table public.test_measurements enable row level security;
alter table public.packaging_kits enable row level security;
alter table public.unit_components enable row level security;
alter table public.lots enable row level security;
alter table public.trace_nodes enable row level security;
alter table public.trace_edges enable row level security;
alter table private.serial_sequences enable row level security;
alter table private.unit_transitions enable row level security;
alter table private.recall_exports enable row level security;
alter table private.recall_export_nodes enable row level security;
alter table private.recalls enable row level security;
alter table private.recall_claims enable row level security;

create policy select_active on public.product_variants for select to authenticated using ((select private.may('units.read')));
create policy select_active on public.variant_rules for select to authenticated using ((select private.may('units.read')));
create policy select_active on public.units for select to authenticated using ((select private.may('units.read')));
create policy select_active on public.boxes for select to authenticated using ((select private.may('units.read')));
create policy select_active on public.test_runs for select to authenticated using ((select private.may('units.read')));
create policy select_active on public.test_measurements for select to authenticated using ((select private.may('units.read')));
create policy select_active on public.packaging_kits for select to authenticated using ((select private.may('units.read')));
create policy select_active on public.unit_components for select to authenticated using ((select private.may('units.read')));
create policy select_site on public.lots for select to authenticated
  using ((select private.may('units.read')) and (site is null or (select private.readable_sites('units.read')) @> array[site]));
create policy select_active on public.trace_nodes for select to authenticated using ((select private.may('units.read')));
create policy select_active on public.trace_edges for select to authenticated using ((select private.may('units.read')));

grant select on public.product_variants, public.variant_rules, public.units, public.boxes, public.test_runs, public.test_measurements,
  public.packaging_kits, public.unit_components, public.lots, public.trace_nodes, public.trace_edges, public.unit_events to authenticated;
