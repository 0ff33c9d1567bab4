alter table public.production_lots enable row level security;
alter table public.trace_activities enable row level security;
alter table public.trace_inputs enable row level security;
alter table public.trace_outputs enable row level security;
alter table public.item_gtins enable row level security;

create policy select_site on public.production_lots for select to authenticated
  using (exists (select from public.lots l where l.id = lot_id));   -- whoever sees the lot
create policy select_site on public.trace_inputs for select to authenticated
  using (exists (select from public.lots l where l.id = lot_id));
create policy select_site on public.trace_outputs for select to authenticated
  using (exists (select from public.lots l where l.id = lot_id));
create policy select_site on public.trace_activities for select to authenticated
  using (exists (select from public.trace_inputs i where i.activity_id = trace_activities.id)
    or exists (select from public.trace_outputs o where o.activity_id = trace_activities.id));
create policy select_active on public.item_gtins for select to authenticated using ((select private.may('inventory.read')));

grant select on public.production_lots, public.trace_activities, public.trace_inputs, public.trace_outputs, public.item_gtins to authenticated;
