alter table public.inventory_items enable row level security;
alter table public.locations enable row level security;
alter table public.inventory_stock enable row level security;
alter table public.inventory_balances enable row level security;
alter table public.stock_imports enable row level security;
alter table public.inventory_txn enable row level security;
alter table public.stock_counts enable row level security;
alter table public.stock_count_lines enable row level security;
alter table public.product_requirements enable row level security;
alter table public.deduction_rules enable row level security;
alter table private.order_stock enable row level security;
alter table private.stage_consumptions enable row level security;
alter table public.production_orders enable row level security;
alter table public.production_order_lines enable row level security;
alter table public.order_fulfilments enable row level security;
alter table public.order_part_allocations enable row level security;
alter table public.demand_totals enable row level security;

create policy select_active on public.inventory_items for select to authenticated using ((select private.may('inventory.read')));
create policy select_active on public.locations for select to authenticated using ((select private.may('inventory.read')));
create policy select_active on public.inventory_stock for select to authenticated
  using ((select private.may('inventory.read')) and not (select private.blind_skus()) @> array[sku]);   -- who counts, counts blind
create policy select_active on public.inventory_balances for select to authenticated
  using ((select private.may('inventory.read')) and not (select private.blind_skus()) @> array[sku]);
create policy select_active on public.inventory_txn for select to authenticated
  using ((select private.may('inventory.read')) and not (select private.blind_skus()) @> array[sku]);
create policy select_active on public.stock_imports for select to authenticated using ((select private.may('inventory.manage')));
create policy select_active on public.stock_counts for select to authenticated using ((select private.may('inventory.count')));
create policy select_active on public.stock_count_lines for select to authenticated using ((select private.may('inventory.count')));
create policy select_active on public.product_requirements for select to authenticated using ((select private.may('inventory.read')));
create policy select_store on public.deduction_rules for select to authenticated
  using ((select private.readable_stores('inventory.read')) @> array[store]
    or store is null and (select private.may('inventory.read')));

grant select on public.inventory_items, public.locations, public.inventory_stock, public.inventory_balances, public.inventory_txn,
  public.stock_imports, public.stock_counts, public.stock_count_lines, public.product_requirements, public.deduction_rules to authenticated;

create policy select_store on public.production_orders for select to authenticated
  using ((select private.readable_stores('production.read')) @> array[store]
    or store is null and (select private.readable_sites('production.read')) @> array[site]);
create policy select_store on public.production_order_lines for select to authenticated
  using (exists (select from public.production_orders o where o.id = order_id));   -- whoever sees the order
create policy select_active on public.demand_totals for select to authenticated using ((select private.may('production.read')));
create policy select_store on public.order_fulfilments for select to authenticated
  using ((select private.readable_stores('production.read')) @> array[store]
    or store is null and (select private.readable_sites('production.read')) @> array[site]);
create policy select_store on public.order_part_allocations for select to authenticated
  using ((select private.readable_stores('production.read')) @> array[store]
    or store is null and exists (select from public.order_fulfilments f where f.id = fulfilment_id));   -- whoever sees whose they are

grant select on public.production_orders, public.production_order_lines, public.order_fulfilments, public.order_part_allocations,
  public.demand_totals, public.production_order_status to authenticated;
