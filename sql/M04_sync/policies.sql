alter table public.stock_pushes enable row level security;

create policy select_store on public.stock_pushes for select to authenticated
  using ((select private.readable_stores('inventory.read')) @> array[store]);
grant select on public.stock_pushes to authenticated;
