create view public.part_demand with (security_invoker = on) as
select p.sku, i.title, coalesce(sum(t.demand), 0) as demand, s.on_hand as available, coalesce(sum(t.demand - t.allocated), 0) as deficit,
    ceil(coalesce(sum(t.demand - t.allocated), 0) / p.parts_per_print) as prints_required
  from public.parts p
  join public.inventory_items i on i.sku = p.sku
  left join public.inventory_stock s on s.sku = p.sku
  left join public.demand_totals t on t.sku = p.sku
 group by p.sku, i.title, s.on_hand;
comment on view public.part_demand is 'Printed parts: demand of open orders, what is there, what is missing and the prints for it. More of it in get_part_demand.';
