create table public.stock_pushes (
  store text not null,
  sku text not null,
  is_out boolean not null default true,
  state text not null default 'queued' constraint stock_pushes_state_check
    check (state in ('queued', 'pushed', 'failed', 'not_listed', 'no_token')),
  queued_at timestamptz not null default now(),
  pushed_at timestamptz,
  locations integer,
  last_error text,
  constraint stock_pushes_pkey primary key (store, sku),
  constraint stock_pushes_store_fkey foreign key (store) references public.stores (code) on delete cascade,
  constraint stock_pushes_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete cascade
);
create index stock_pushes_sku_idx on public.stock_pushes (sku);
create index stock_pushes_open_idx on public.stock_pushes (store) where is_out and state <> 'pushed';
comment on table public.stock_pushes is 'What each shop was told about an item that ran out. Coming back is not pushed: a person puts it on sale again.';
comment on column public.stock_pushes.is_out is 'It is out here. False: it came back, and running out again is told again.';
comment on column public.stock_pushes.state is
  'pushed: set to nothing at all locations of the shop; not_listed: the shop does not know the SKU; no_token: the shop gave no access; failed: see last_error.';
comment on column public.stock_pushes.locations is 'Locations of the shop that were set.';
