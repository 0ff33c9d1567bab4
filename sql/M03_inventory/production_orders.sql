-- Orders for things to be made. M12 puts routings, scans and lots around them.

create sequence private.production_order_seq as bigint;

create table public.production_orders (
  id bigint generated always as identity,
  code text not null constraint production_orders_code_check check (code ~ '^[A-Za-z0-9][A-Za-z0-9_./#-]{0,60}$'),
  site text not null,
  store text,
  type text not null default 'PRODUCTION' constraint production_orders_type_check check (type in ('PRODUCTION', 'REPLENISHMENT')),
  source text not null default 'manual' constraint production_orders_source_check
    check (source in ('manual', 'shopify', 'import', 'erp', 'replenishment')),
  external_id text constraint production_orders_external_id_check check (length(external_id) between 1 and 200),
  product_sku text,
  quantity numeric(14, 3) not null constraint production_orders_quantity_check check (quantity > 0 and quantity < 'NaN'),
  priority text not null default 'normal' constraint production_orders_priority_check check (priority in ('critical', 'rush', 'normal')),
  due_date date,
  status text not null default 'OPEN_NOT_STARTED' constraint production_orders_status_check
    check (status in ('OPEN_NOT_STARTED', 'IN_PROGRESS', 'OPEN_PARTIAL', 'CLOSED', 'CANCELLED')),
  is_routed boolean not null default false,
  notes text constraint production_orders_notes_check check (length(notes) <= 2000),
  closed_at timestamptz,
  cancelled_at timestamptz,
  cancel_reason text constraint production_orders_cancel_reason_check check (length(cancel_reason) <= 500),
  created_by uuid,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint production_orders_pkey primary key (id),
  constraint production_orders_code_key unique (code),
  constraint production_orders_external_key unique (source, external_id),
  constraint production_orders_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint production_orders_store_fkey foreign key (store) references public.stores (code) on delete restrict,
  constraint production_orders_product_sku_fkey foreign key (product_sku) references public.inventory_items (sku) on delete restrict,
  constraint production_orders_cancel_check check ((status = 'CANCELLED') = (cancelled_at is not null)),
  constraint production_orders_close_check check ((status = 'CLOSED') = (closed_at is not null))
);
create index production_orders_site_idx on public.production_orders (site);
create index production_orders_store_idx on public.production_orders (store) where store is not null;
create index production_orders_product_sku_idx on public.production_orders (product_sku) where product_sku is not null;
create index production_orders_open_idx on public.production_orders (id) where status not in ('CLOSED', 'CANCELLED');
comment on table public.production_orders is 'What is to be made: for a customer, or for stock (REPLENISHMENT). Its lines wait for parts and get them in turn.';
comment on column public.production_orders.external_id is 'Id of the order in its source: the same one delivered again makes no second order.';
comment on column public.production_orders.quantity is 'Planned pieces. The quantities of the lines are per piece.';
comment on column public.production_orders.is_routed is
  'Released to be made step by step: its state follows from what is reported there, and its parts leave stock as sets. M12_production sets it.';
create trigger _100_stamp before update on public.production_orders for each row execute function private.tg__stamp();

create table public.production_order_lines (
  order_id bigint not null,
  line integer not null constraint production_order_lines_line_check check (line > 0),
  sku text not null,
  quantity numeric(14, 3) not null constraint production_order_lines_quantity_check check (quantity > 0 and quantity < 'NaN'),
  pieces numeric(14, 3) constraint production_order_lines_pieces_check check (pieces >= 0),
  constraint production_order_lines_pkey primary key (order_id, line),
  constraint production_order_lines_sku_key unique (order_id, sku),
  constraint production_order_lines_order_id_fkey foreign key (order_id) references public.production_orders (id) on delete cascade,
  constraint production_order_lines_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete restrict
);
create index production_order_lines_sku_idx on public.production_order_lines (sku);
comment on table public.production_order_lines is 'What one piece of the order needs.';
comment on column public.production_order_lines.pieces is
  'So many pieces of the order can still come to where it goes in; null: all of them. Less once some were lost before, or no more are made.';

-- Who needs which part, and what was promised to whom ----------------------------------------------------------------

create table public.order_fulfilments (
  id bigint generated always as identity,
  production_order_id bigint,
  order_row_id uuid,
  code text not null,
  site text not null,
  store text,
  rank smallint not null,
  since timestamptz not null,
  lines integer not null default 0,
  open_lines integer not null default 0,
  fulfillment_status text not null default 'unfulfilled' constraint order_fulfilments_status_check
    check (fulfillment_status in ('unfulfilled', 'partial', 'fulfilled')),
  fulfilled_at timestamptz,
  is_closed boolean not null default false,
  constraint order_fulfilments_pkey primary key (id),
  constraint order_fulfilments_production_order_id_key unique (production_order_id),
  constraint order_fulfilments_order_row_id_key unique (order_row_id),
  constraint order_fulfilments_production_order_id_fkey foreign key (production_order_id)
    references public.production_orders (id) on delete cascade,
  constraint order_fulfilments_order_row_id_fkey foreign key (order_row_id) references public.orders (row_id) on delete cascade,
  constraint order_fulfilments_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint order_fulfilments_store_fkey foreign key (store) references public.stores (code) on delete restrict,
  constraint order_fulfilments_source_check check (num_nonnulls(production_order_id, order_row_id) = 1),
  constraint order_fulfilments_fulfilled_check check ((fulfillment_status = 'fulfilled') = (fulfilled_at is not null))
) with (fillfactor = 80);
create index order_fulfilments_code_idx on public.order_fulfilments (code);
create index order_fulfilments_site_idx on public.order_fulfilments (site);
create index order_fulfilments_store_idx on public.order_fulfilments (store) where store is not null;
create index order_fulfilments_open_idx on public.order_fulfilments (rank, since, id) where not is_closed;
comment on table public.order_fulfilments is
$$Does an order have all its parts? One row per production order and per ticket that needs parts. Kept beside the order, not in it: the
allocation writes here last of all, so it never waits for a command that holds the order and wants stock.$$;
comment on column public.order_fulfilments.code is 'Code of the production order, or id of the ticket.';
comment on column public.order_fulfilments.open_lines is 'Lines that still wait for parts.';
comment on column public.order_fulfilments.fulfilled_at is 'Since when every line has all its parts; null again when a correction takes some.';
comment on column public.order_fulfilments.is_closed is 'Shipped, completed or cancelled.';

create table public.order_part_allocations (
  id bigint generated always as identity,
  fulfilment_id bigint not null,
  production_order_id bigint,
  line integer,
  order_row_id uuid,
  store text,
  sku text not null,
  needed numeric(14, 3) not null,
  allocated numeric(14, 3) not null default 0 constraint order_part_allocations_allocated_check check (allocated >= 0),
  consumed numeric(14, 3) not null default 0 constraint order_part_allocations_consumed_check check (consumed >= 0),
  rank smallint not null constraint order_part_allocations_rank_check check (rank between -1 and 4),
  since timestamptz not null,
  is_closed boolean not null default false,
  why jsonb not null default '{}',
  constraint order_part_allocations_pkey primary key (id),
  constraint order_part_allocations_line_key unique (production_order_id, line),
  constraint order_part_allocations_ticket_key unique (order_row_id, sku),
  constraint order_part_allocations_fulfilment_id_fkey foreign key (fulfilment_id) references public.order_fulfilments (id) on delete cascade,
  constraint order_part_allocations_production_order_id_fkey foreign key (production_order_id, line)
    references public.production_order_lines (order_id, line) on delete cascade,
  constraint order_part_allocations_order_row_id_fkey foreign key (order_row_id) references public.orders (row_id) on delete cascade,
  constraint order_part_allocations_store_fkey foreign key (store) references public.stores (code) on delete restrict,
  constraint order_part_allocations_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete restrict,
  constraint order_part_allocations_source_check check (num_nonnulls(production_order_id, order_row_id) = 1
    and (production_order_id is null) = (line is null)),
  constraint order_part_allocations_needed_check check (needed >= 0 and allocated + consumed <= needed),
  constraint order_part_allocations_closed_check check (not is_closed or allocated = 0)
) with (fillfactor = 80);
-- Two small indexes in the order of the queue: who still waits, and who holds something. The rest of the table is never read.
create index order_part_allocations_waiting_idx on public.order_part_allocations (sku, rank, since, fulfilment_id)
  where not is_closed and allocated + consumed < needed;
create index order_part_allocations_holding_idx on public.order_part_allocations (sku, rank, since, fulfilment_id) where allocated > 0;
create index order_part_allocations_fulfilment_id_idx on public.order_part_allocations (fulfilment_id);
create index order_part_allocations_sku_idx on public.order_part_allocations (sku);
create index order_part_allocations_store_idx on public.order_part_allocations (store) where store is not null;
comment on table public.order_part_allocations is
$$The queue for parts: one row per line of a production order, and per part of a ticket. Stock is promised from the top: critical, rush, normal,
then the oldest. Rows are written under the lock of their item, by private functions only.$$;
comment on column public.order_part_allocations.needed is 'In all; still waited for = needed - allocated - consumed.';
comment on column public.order_part_allocations.allocated is 'Promised and still on the shelf; the sum over all rows is inventory_stock.reserved.';
comment on column public.order_part_allocations.consumed is 'Really used: taken from stock at shipment or completion.';
comment on column public.order_part_allocations.rank is
  '0 critical, 1 rush (ticket High), 2 normal (ticket Medium), 3 ticket Low, 4 set aside for stock; -1 only while a finished ticket takes its parts.';
comment on column public.order_part_allocations.since is 'When the order came in: the older goes first.';
comment on column public.order_part_allocations.is_closed is 'Cancelled, shipped or completed: waits for nothing any more.';
comment on column public.order_part_allocations.why is
  'The last change of allocated: {at, change, cause: {event, ref}, outranked_by: id of the line that took it}.';

create table public.demand_totals (
  sku text not null,
  rank smallint not null,
  demand numeric(16, 3) not null default 0,
  allocated numeric(16, 3) not null default 0,
  lines bigint not null default 0,
  constraint demand_totals_pkey primary key (sku, rank),
  constraint demand_totals_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete cascade
) with (fillfactor = 50);
comment on table public.demand_totals is 'Sums of the open lines per item and rank, kept by trigger, so that a million lines need not be read.';
