alter table public.quality_reasons enable row level security;
alter table public.quality_records enable row level security;
alter table public.production_discrepancies enable row level security;
alter table public.approvals enable row level security;
alter table public.replenishments enable row level security;
alter table public.replenishment_links enable row level security;

create policy select_active on public.quality_reasons for select to authenticated using ((select private.may('production.read')));
create policy select_store on public.quality_records for select to authenticated
  using (exists (select from public.production_orders o where o.id = order_id));   -- whoever sees the order
create policy select_store on public.production_discrepancies for select to authenticated
  using (exists (select from public.production_orders o where o.id = order_id));   -- whoever sees the order
create policy select_store on public.approvals for select to authenticated
  using ((select private.readable_sites('production.read')) @> array[site]
    and (order_id is null or exists (select from public.production_orders o where o.id = order_id)));
create policy select_store on public.replenishments for select to authenticated
  using (exists (select from public.production_orders o where o.id = order_id));   -- whoever sees the order
create policy select_store on public.replenishment_links for select to authenticated
  using (exists (select from public.production_orders o where o.id = root_id));   -- whoever sees the order

grant select on public.quality_reasons, public.quality_records, public.production_discrepancies, public.approvals, public.replenishments,
  public.replenishment_links, public.execution_events to authenticated;
