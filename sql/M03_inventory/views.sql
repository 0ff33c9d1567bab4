create view public.production_order_status with (security_invoker = on) as
select o.*, f.fulfillment_status, f.fulfilled_at, f.lines, f.open_lines, f.rank
  from public.production_orders o left join public.order_fulfilments f on f.production_order_id = o.id;
comment on view public.production_order_status is 'Production orders with whether they have all their parts.';
