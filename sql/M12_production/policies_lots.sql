alter table public.production_lots enable row level security;
alter table public.trace_activities enable row level security;
alter table public.trace_inputs enable row level security;
alter table public.trace_outputs enable row level security;
alter table public.item_gtins enable row level security;

-- What was made of a lot, and of how much, is for those who see the lot and the order it belongs to.
create policy select_site on public.production_lots for select to authenticated
  using (exists (select from public.lots l where l.id = lot_id) and (order_id is null or exists (select from public.production_orders o where o.id = order_id)));
create policy select_site on public.trace_activities for select to authenticated
  using ((select private.may('units.read')) and (site is null or (select private.readable_sites('units.read')) @> array[site])
    and (order_id is null or exists (select from public.production_orders o where o.id = order_id)));
create policy select_site on public.trace_inputs for select to authenticated
  using (exists (select from public.production_lots p where p.lot_id = trace_inputs.lot_id)
    and exists (select from public.trace_activities a where a.id = activity_id));
create policy select_site on public.trace_outputs for select to authenticated
  using (exists (select from public.production_lots p where p.lot_id = trace_outputs.lot_id)
    and exists (select from public.trace_activities a where a.id = activity_id));
create policy select_active on public.item_gtins for select to authenticated using ((select private.may('inventory.read')));

grant select on public.production_lots, public.trace_activities, public.trace_inputs, public.trace_outputs, public.item_gtins to authenticated;
