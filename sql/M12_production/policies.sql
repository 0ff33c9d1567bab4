alter table public.process_steps enable row level security;
alter table public.work_centres enable row level security;
alter table public.routings enable row level security;
alter table public.routing_steps enable row level security;
alter table public.production_order_progress enable row level security;
alter table public.production_order_steps enable row level security;
alter table public.piece_counts enable row level security;
alter table public.piece_counters enable row level security;
alter table public.production_order_refs enable row level security;

create policy select_active on public.process_steps for select to authenticated using ((select private.may('production.read')));
create policy select_active on public.work_centres for select to authenticated using ((select private.may('production.read')));
create policy select_active on public.routings for select to authenticated using ((select private.may('production.read')));
create policy select_active on public.routing_steps for select to authenticated using ((select private.may('production.read')));
create policy select_store on public.production_order_progress for select to authenticated
  using (exists (select from public.production_orders o where o.id = order_id));   -- whoever sees the order
create policy select_store on public.production_order_steps for select to authenticated
  using (exists (select from public.production_orders o where o.id = order_id));
create policy select_store on public.piece_counts for select to authenticated
  using (exists (select from public.production_orders o where o.id = order_id));
create policy select_active on public.piece_counters for select to authenticated using ((select private.may('production.read')));
create policy select_store on public.production_order_refs for select to authenticated
  using (exists (select from public.production_orders o where o.id = order_id));

grant select on public.process_steps, public.work_centres, public.routings, public.routing_steps, public.production_order_progress,
  public.production_order_steps, public.piece_counts, public.piece_counters, public.production_order_refs to authenticated;
