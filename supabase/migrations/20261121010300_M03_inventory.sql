-- Built from sql/M03_inventory/ by `takt db build`: edit there, not here.
set local lock_timeout = '10s';
set local statement_timeout = '5min';

-- sql/M03_inventory/tables.sql

-- Items and places -------------------------------------------------------------------------------------------------

create table public.inventory_items (
  sku text not null constraint inventory_items_sku_check check (sku ~ '^[[:graph:]]([[:graph:] ]{0,78}[[:graph:]])?$'),
  title text not null constraint inventory_items_title_check check (length(title) between 1 and 200),
  kind text not null default 'component' constraint inventory_items_kind_check check (kind in ('raw_material', 'component', 'part',
    'subassembly', 'finished_good', 'accessory', 'topper', 'hardware', 'packaging', 'manual', 'sticker', 'wrapper', 'consumable',
    'software', 'test', 'labour')),
  uom text not null default 'pcs' constraint inventory_items_uom_check check (length(uom) between 1 and 20),
  is_stocked boolean not null default true,
  forbid_negative boolean not null default false,
  is_listed boolean not null default true,
  min_stock numeric(14, 3) not null default 0 constraint inventory_items_min_stock_check check (min_stock >= 0 and min_stock < 'NaN'),
  supplier text constraint inventory_items_supplier_check check (length(supplier) <= 200),
  unit_cost numeric(14, 4) constraint inventory_items_unit_cost_check check (unit_cost >= 0 and unit_cost < 'NaN'),
  is_active boolean not null default true,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint inventory_items_pkey primary key (sku)
);
create unique index inventory_items_sku_key on public.inventory_items (lower(sku));
comment on table public.inventory_items is 'What is bought, kept, used, made and sold. Two SKUs that differ only in case are one.';
comment on column public.inventory_items.is_stocked is
  'False for labour, software and phantoms: never booked. A phantom with requirements stands for its components.';
comment on column public.inventory_items.forbid_negative is 'True: no movement takes more than is there. False: stock may go below zero and is shown so.';
comment on column public.inventory_items.is_listed is 'The shops are told when it runs out.';
comment on column public.inventory_items.unit_cost is 'Standard cost of one uom, in the currency of the plant.';

create table public.locations (
  code text not null constraint locations_code_check check (code ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,60}$'),
  site text not null,
  title text not null constraint locations_title_check check (length(title) between 1 and 200),
  kind text not null default 'warehouse' constraint locations_kind_check
    check (kind in ('warehouse', 'finished_goods', 'station', 'wip', 'quarantine')),
  is_free boolean not null generated always as (kind not in ('wip', 'quarantine')) stored,
  is_default boolean not null default false,
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  constraint locations_pkey primary key (code),
  constraint locations_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint locations_default_check check (not is_default or is_active and kind not in ('wip', 'quarantine'))
);
create index locations_site_idx on public.locations (site);
create unique index locations_default_key on public.locations (site) where is_default;
comment on table public.locations is 'Where stock lies. Each site has one default place, used wherever a command names none.';
comment on column public.locations.is_free is 'Stock here may be promised to orders. Work in progress and quarantine are not free.';

-- The ledger and what it adds up to --------------------------------------------------------------------------------

create table public.inventory_stock (
  sku text not null,
  on_hand numeric(14, 3) not null default 0,
  held numeric(14, 3) not null default 0,
  reserved numeric(14, 3) not null default 0 constraint inventory_stock_reserved_check check (reserved >= 0),
  ats numeric(15, 3) not null generated always as (on_hand - reserved) stored,
  forbid_negative boolean not null default false,
  constraint inventory_stock_pkey primary key (sku),
  constraint inventory_stock_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete cascade,
  constraint inventory_stock_on_hand_check check (on_hand >= 0 or not forbid_negative)
) with (fillfactor = 50);   -- the busiest rows: every version finds room on its own page
comment on table public.inventory_stock is
  'One row per item, and the lock of the item: whoever moves or promises it locks this row first. Several items in the order of their SKUs.';
comment on column public.inventory_stock.on_hand is 'At the free locations of all sites.';
comment on column public.inventory_stock.held is 'In progress or in quarantine: there, but not free.';
comment on column public.inventory_stock.reserved is 'Promised to orders (order_part_allocations); never more than is there when a transaction commits.';
comment on column public.inventory_stock.ats is 'Available to sell: on_hand - reserved.';

create table public.inventory_balances (
  sku text not null,
  location text not null,
  on_hand numeric(14, 3) not null default 0,
  forbid_negative boolean not null default false,
  constraint inventory_balances_pkey primary key (sku, location),
  constraint inventory_balances_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete cascade,
  constraint inventory_balances_location_fkey foreign key (location) references public.locations (code) on delete restrict,
  constraint inventory_balances_on_hand_check check (on_hand >= 0 or not forbid_negative)
) with (fillfactor = 50);
create index inventory_balances_location_idx on public.inventory_balances (location);
comment on table public.inventory_balances is 'What lies where: the sum of the ledger, kept by its trigger.';

create table public.stock_imports (
  id bigint generated always as identity,
  kind text not null constraint stock_imports_kind_check check (kind in ('items', 'stock')),
  row_count integer not null,
  content_hash text,
  before jsonb not null default '[]',
  actor_id uuid,
  created_at timestamptz not null default now(),
  undone_at timestamptz,
  undone_by uuid,
  constraint stock_imports_pkey primary key (id)
);
comment on table public.stock_imports is 'Imports that were applied, so that a whole file can be taken back.';
create unique index stock_imports_content_key on public.stock_imports (content_hash) where undone_at is null;
comment on column public.stock_imports.content_hash is 'Of a file that adds quantities: the same file is not added twice. Null for files that say what is there.';
comment on column public.stock_imports.before is 'Of an import of items: [{sku, before, after}], before null for new ones.';

create sequence private.inventory_txn_id_seq as bigint;

create table public.inventory_txn (
  id bigint not null,
  at timestamptz not null,
  sku text not null,
  location text not null,
  kind text not null constraint inventory_txn_kind_check check (kind in ('receipt', 'issue', 'consume', 'adjust', 'transfer', 'produce',
    'scrap', 'order_deduct', 'order_restock')),
  quantity numeric(14, 3) not null constraint inventory_txn_quantity_check check (quantity <> 0 and quantity < 'NaN'),
  balance numeric(14, 3) not null,
  reason text constraint inventory_txn_reason_check check (length(reason) <= 500),
  ref_stream text,
  ref_id text constraint inventory_txn_ref_id_check check (length(ref_id) <= 200),
  unit_cost numeric(14, 4) constraint inventory_txn_unit_cost_check check (unit_cost >= 0 and unit_cost < 'NaN'),
  actor_id uuid,
  batch_id bigint,
  reverses bigint,
  constraint inventory_txn_pkey primary key (id),
  constraint inventory_txn_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete restrict,
  constraint inventory_txn_location_fkey foreign key (location) references public.locations (code) on delete restrict,
  constraint inventory_txn_batch_id_fkey foreign key (batch_id) references public.stock_imports (id) on delete restrict,
  constraint inventory_txn_reverses_fkey foreign key (reverses) references public.inventory_txn (id) on delete restrict,
  constraint inventory_txn_sign_check check (reverses is not null or case
    when kind in ('receipt', 'produce', 'order_restock') then quantity > 0
    when kind in ('consume', 'scrap', 'order_deduct') then quantity < 0 else true end)
);
create index inventory_txn_sku_idx on public.inventory_txn (sku, id);
create index inventory_txn_location_idx on public.inventory_txn (location, sku, at);
create index inventory_txn_ref_idx on public.inventory_txn (ref_stream, ref_id) where ref_id is not null;
create index inventory_txn_batch_id_idx on public.inventory_txn (batch_id) where batch_id is not null;
create unique index inventory_txn_reverses_key on public.inventory_txn (reverses) where reverses is not null;
comment on table public.inventory_txn is
  'The ledger: every movement of stock, signed, append-only. Written by private.post_txn and nothing else. Reservations are no movements.';
comment on column public.inventory_txn.id is 'Given under the lock of the item: in the order of their ids the movements of an item are its history.';
comment on column public.inventory_txn.balance is 'On hand at the location right after this movement.';
comment on column public.inventory_txn.ref_stream is 'What it was for: order, location (the other side of a transfer), count, print_run …; ref_id says which.';
comment on column public.inventory_txn.reverses is 'The movement that this one takes back. A movement is taken back once.';

-- Counts -----------------------------------------------------------------------------------------------------------

create table public.stock_counts (
  id bigint generated always as identity,
  location text not null,
  status text not null default 'open' constraint stock_counts_status_check
    check (status in ('open', 'recount', 'approval', 'applied', 'cancelled')),
  note text constraint stock_counts_note_check check (length(note) <= 500),
  started_by uuid,
  started_at timestamptz not null default clock_timestamp(),
  submitted_at timestamptz,
  decided_by uuid,
  closed_at timestamptz,
  version integer not null default 1,
  updated_at timestamptz not null default now(),
  constraint stock_counts_pkey primary key (id),
  constraint stock_counts_location_fkey foreign key (location) references public.locations (code) on delete restrict
);
create index stock_counts_location_idx on public.stock_counts (location);
create index stock_counts_open_idx on public.stock_counts (id) where status in ('open', 'recount', 'approval');
comment on table public.stock_counts is 'Blind counts of a place: what is expected is worked out when the figures are submitted, and shown after that.';
comment on column public.stock_counts.status is 'open: being counted; recount: some lines once more; approval: another person decides; then applied or cancelled.';

create table public.stock_count_lines (
  count_id bigint not null,
  sku text not null,
  status text not null default 'open' constraint stock_count_lines_status_check check (status in ('open', 'recount', 'approval', 'applied')),
  opened_at timestamptz not null default clock_timestamp(),
  counted numeric(14, 3) constraint stock_count_lines_counted_check check (counted >= 0 and counted < 'NaN'),
  counted_at timestamptz,
  counted_by uuid,
  expected numeric(14, 3),
  variance numeric(14, 3) generated always as (counted - expected) stored,
  moved boolean not null default false,
  rounds smallint not null default 0,
  txn_id bigint,
  constraint stock_count_lines_pkey primary key (count_id, sku),
  constraint stock_count_lines_count_id_fkey foreign key (count_id) references public.stock_counts (id) on delete cascade,
  constraint stock_count_lines_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete restrict,
  constraint stock_count_lines_txn_id_fkey foreign key (txn_id) references public.inventory_txn (id) on delete restrict
);
create index stock_count_lines_sku_idx on public.stock_count_lines (sku);
create index stock_count_lines_txn_id_idx on public.stock_count_lines (txn_id) where txn_id is not null;
comment on table public.stock_count_lines is 'One item of a count. Applying books the variance, not the figure, so that movements meanwhile are not lost.';
comment on column public.stock_count_lines.opened_at is 'Since when it is being counted (again).';
comment on column public.stock_count_lines.expected is 'On hand at the location at counted_at; null while the line is being counted.';
comment on column public.stock_count_lines.moved is 'It was moved while it was being counted, and the counter did not say when they looked.';
comment on column public.stock_count_lines.rounds is 'How often it was submitted.';

-- What products are made of, and what an order takes from the shelf --------------------------------------------------

create table public.product_requirements (
  id bigint generated always as identity,
  parent_sku text,
  store text,
  match text not null default 'exact' constraint product_requirements_match_check check (match in ('exact', 'keyword')),
  title text constraint product_requirements_title_check check (length(title) between 1 and 200),
  variant text constraint product_requirements_variant_check check (length(variant) between 1 and 200),
  sku text not null,
  quantity numeric(14, 3) not null constraint product_requirements_quantity_check check (quantity > 0 and quantity < 'NaN'),
  stage public.stage_type constraint product_requirements_stage_check check (stage <> 'Complete'),
  is_optional boolean not null default false,
  constraint product_requirements_pkey primary key (id),
  constraint product_requirements_key unique nulls not distinct (parent_sku, store, match, title, variant, stage, sku),
  constraint product_requirements_parent_check check (num_nonnulls(parent_sku, title) = 1 and (parent_sku is null or num_nonnulls(store, variant) = 0)),
  constraint product_requirements_itself_check check (parent_sku <> sku),
  constraint product_requirements_parent_sku_fkey foreign key (parent_sku) references public.inventory_items (sku) on delete cascade,
  constraint product_requirements_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete restrict,
  constraint product_requirements_store_fkey foreign key (store) references public.stores (code) on delete cascade
);
create index product_requirements_sku_idx on public.product_requirements (sku);
create index product_requirements_store_idx on public.product_requirements (store) where store is not null;
comment on table public.product_requirements is
$$The bill of materials: a parent SKU, or the products of a store by title (and variant), needs so much of a component for one piece.
Components may have requirements of their own; a cycle is refused.$$;
comment on column public.product_requirements.title is 'Product title: the whole (exact) or words of it (keyword); case does not matter. The first fitting product wins, see private.requirements_of.';
comment on column public.product_requirements.variant is 'Words that the variant or size must hold; null = every variant.';
comment on column public.product_requirements.stage is 'Completing this stage consumes it; null = completing Packing.';

create table public.deduction_rules (
  id bigint generated always as identity,
  store text,
  applies_to text not null default 'any' constraint deduction_rules_applies_to_check check (applies_to in ('accessory', 'product', 'any')),
  match text not null default 'keyword' constraint deduction_rules_match_check check (match in ('exact', 'keyword')),
  pattern text not null constraint deduction_rules_pattern_check check (length(pattern) between 1 and 200),
  sku text not null,
  quantity numeric(14, 3) not null default 1 constraint deduction_rules_quantity_check check (quantity > 0 and quantity < 'NaN'),
  priority integer not null default 100,
  is_active boolean not null default true,
  constraint deduction_rules_pkey primary key (id),
  constraint deduction_rules_key unique nulls not distinct (store, applies_to, match, pattern, sku),
  constraint deduction_rules_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete cascade,
  constraint deduction_rules_store_fkey foreign key (store) references public.stores (code) on delete cascade
);
create index deduction_rules_sku_idx on public.deduction_rules (sku);
comment on table public.deduction_rules is
$$What an order takes from the shelf as soon as it arrives: accessories by their title, ready products by theirs. Per line the best rule wins:
smaller priority, then exact before keyword, the rule of the store before that of every store, the longer pattern, the older rule.$$;

create table private.order_stock (
  row_id uuid not null,
  pending_xid xid8,
  only_plan boolean not null default false,
  settled_at timestamptz,
  restocked_at timestamptz,
  failed text,
  constraint order_stock_pkey primary key (row_id),
  constraint order_stock_row_id_fkey foreign key (row_id) references public.orders (row_id) on delete cascade
);
create index order_stock_pending_idx on private.order_stock (pending_xid) where pending_xid is not null;
comment on table private.order_stock is 'Tickets that arrived while their store tracked stock: what they take from the shelf follows them until they are restocked.';
comment on column private.order_stock.pending_xid is 'The transaction that changed the ticket; its commit settles all its tickets at once, in the order of the SKUs.';
comment on column private.order_stock.only_plan is 'What it needs or how urgent it is changed, not what it takes from the shelf: newer rules do not reach back.';
comment on column private.order_stock.restocked_at is 'A person put everything back: edits move nothing any more.';
comment on column private.order_stock.failed is 'Why it could not be settled; the worker tries again.';

create table private.stage_consumptions (
  row_id uuid not null,
  stage public.stage_type not null,
  state text not null constraint stage_consumptions_state_check check (state in ('consumed', 'short')),
  at timestamptz not null default now(),
  details jsonb not null default '[]',
  txn_ids bigint[] not null default '{}',
  constraint stage_consumptions_pkey primary key (row_id, stage),
  constraint stage_consumptions_row_id_fkey foreign key (row_id) references public.orders (row_id) on delete cascade
);
create index stage_consumptions_short_idx on private.stage_consumptions (at) where state = 'short';
comment on table private.stage_consumptions is
'A stage consumes its components once. short: a needed component was missing, so nothing was taken and it is still owed. details: [{sku, needed, there, is_optional}].';

-- sql/M03_inventory/production_orders.sql

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

-- sql/M03_inventory/internal.sql

-- Every site has a place, every item its row of stock ---------------------------------------------------------------

create function private.add_default_location(p_site public.sites)
returns void language plpgsql set search_path = '' as $$
declare
  v_code text := p_site.code;
begin
  while exists (select 1 from public.locations l where l.code = v_code) loop
    v_code := v_code || '-stock';
  end loop;
  insert into public.locations (code, site, title, is_default) values (v_code, p_site.code, left('Stock of ' || p_site.name, 200), true);
end $$;
comment on function private.add_default_location is 'The first place of a site; its code is that of the site, or with -stock when a place has it already.';

create function private.tg_sites__location()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.add_default_location(new);
  return null;
end $$;
create trigger _500_location after insert on public.sites for each row execute function private.tg_sites__location();

create function private.tg_inventory_items__stock()
returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into public.inventory_stock (sku, forbid_negative) values (new.sku, new.forbid_negative);
  else
    update public.inventory_stock s set forbid_negative = new.forbid_negative where s.sku = new.sku;
    update public.inventory_balances b set forbid_negative = new.forbid_negative where b.sku = new.sku;
  end if;
  return null;
end $$;
create trigger _100_stamp before update on public.inventory_items for each row execute function private.tg__stamp();
create trigger _500_stock after insert or update of forbid_negative on public.inventory_items
  for each row execute function private.tg_inventory_items__stock();
create trigger _100_stamp before update on public.stock_counts for each row execute function private.tg__stamp();

create function private.tg_inventory_stock__reserved_fits()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_stock public.inventory_stock;
begin
  select s.* into v_stock from public.inventory_stock s where s.sku = new.sku;
  if v_stock.reserved > greatest(v_stock.on_hand, 0) then
    perform private.fail(409, 'stock.over_reserved', format('%s of %s are promised, but only %s are there.', v_stock.reserved, v_stock.sku,
      v_stock.on_hand), jsonb_build_object('sku', v_stock.sku, 'reserved', v_stock.reserved, 'on_hand', v_stock.on_hand));
  end if;
  return null;
end $$;
comment on function private.tg_inventory_stock__reserved_fits is
  'Looked at when the transaction commits: a movement may leave promises too high until private.allocate has taken them back.';
create constraint trigger _800_reserved_fits after insert or update on public.inventory_stock deferrable initially deferred
  for each row when (new.reserved > 0 and new.reserved > new.on_hand) execute function private.tg_inventory_stock__reserved_fits();

-- The ledger -------------------------------------------------------------------------------------------------------

create function private.tg_inventory_txn__book()
returns trigger language plpgsql set search_path = '' as $$
declare
  v_free boolean;
  v_forbid boolean;
begin
  -- Not while upsert_location changes it. The foreign key takes the same lock, but later.
  select l.is_free into v_free from public.locations l where l.code = new.location for key share;
  -- This row first: it is the lock of the item. What comes after it happens to the item in this order.
  update public.inventory_stock s
     set on_hand = s.on_hand + case when v_free then new.quantity else 0 end, held = s.held + case when v_free then 0 else new.quantity end
   where s.sku = new.sku returning s.forbid_negative into v_forbid;
  if v_forbid is null then
    perform private.fail(404, 'item.unknown', 'There is no item ' || coalesce(new.sku, '') || '.', jsonb_build_object('sku', new.sku));
  end if;
  update public.inventory_balances b set on_hand = b.on_hand + new.quantity
   where b.sku = new.sku and b.location = new.location returning b.on_hand into new.balance;
  if new.balance is null then
    insert into public.inventory_balances (sku, location, on_hand, forbid_negative)
    values (new.sku, new.location, new.quantity, v_forbid) returning on_hand into new.balance;
  end if;
  new.id := nextval('private.inventory_txn_id_seq');
  new.at := clock_timestamp();
  return new;
end $$;
comment on function private.tg_inventory_txn__book is 'Keeps balances and stock equal to the sum of the ledger; gives the movement its number, instant and balance.';
create trigger _500_book before insert on public.inventory_txn for each row execute function private.tg_inventory_txn__book();

create function private.tg_inventory_txn__append_only()
returns trigger language plpgsql set search_path = '' as $$
begin
  perform private.fail(409, 'stock.append_only', 'Movements are never changed or removed. Book one that takes it back.');
  return null;
end $$;
create trigger _200_append_only before update or delete on public.inventory_txn
  for each row execute function private.tg_inventory_txn__append_only();
create trigger _200_no_truncate before truncate on public.inventory_txn
  for each statement execute function private.tg_inventory_txn__append_only();

create function private.lock_stock(p_skus text[])
returns void language plpgsql set search_path = '' as $$
begin
  perform 1 from public.inventory_stock s where s.sku = any (p_skus) order by s.sku for update;
end $$;
comment on function private.lock_stock is 'Locks items in the order of their SKUs: the one order for whoever touches several. Order rows are locked before, never after.';

create function private.post_txn(
  p_sku text, p_location text, p_kind text, p_quantity numeric, p_ref_stream text, p_ref_id text, p_reason text, p_actor uuid,
  p_unit_cost numeric default null, p_batch bigint default null, p_reverses bigint default null)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_id bigint;
  v_forbid boolean := false;
  v_there numeric;
begin
  if p_quantity < 0 then   -- what comes in is locked by the update that books it
    select s.forbid_negative into v_forbid from public.inventory_stock s where s.sku = p_sku for update;
  end if;
  if v_forbid then
    v_there := coalesce((select b.on_hand from public.inventory_balances b where b.sku = p_sku and b.location = p_location), 0);
    if v_there + p_quantity < 0 then
      perform private.fail(409, 'stock.short', format('Only %s of %s are at %s.', trim_scale(v_there), p_sku, p_location),
        jsonb_build_object('sku', p_sku, 'location', p_location, 'needed', trim_scale(-p_quantity), 'there', trim_scale(v_there)));
    end if;
  end if;
  insert into public.inventory_txn (sku, location, kind, quantity, reason, ref_stream, ref_id, unit_cost, actor_id, batch_id, reverses)
  values (p_sku, p_location, p_kind, p_quantity, p_reason, p_ref_stream, p_ref_id, p_unit_cost,
    nullif(p_actor, '00000000-0000-0000-0000-000000000000'), p_batch, p_reverses)
  returning id into v_id;
  return v_id;
end $$;
comment on function private.post_txn is
$$The one way in for a movement: locks the item, books, answers the number of the movement. Once at its end the command calls
private.allocate for all items it moved. Errors: item.unknown (404), stock.short (409) where the item forbids negatives. Locks: the item.$$;

create function private.emit_moves(p_event text, p_txn_ids bigint[], p_actor uuid)
returns void language plpgsql set search_path = '' as $$
begin
  perform private.emit('stock', m.sku, p_event, p_actor, jsonb_build_object('quantity', m.quantity, 'refs', m.refs, 'txn_ids', m.ids), null, m.site)
    from (select t.sku, l.site, trim_scale(sum(t.quantity)) as quantity, array_agg(distinct t.ref_id) as refs, array_agg(t.id order by t.id) as ids
            from public.inventory_txn t join public.locations l on l.code = t.location where t.id = any (p_txn_ids) group by t.sku, l.site) m
   order by m.sku;
end $$;
comment on function private.emit_moves is 'One event per item and site for movements that a ticket caused, so that who looks at the stock hears of it.';

create function private.stock_differences()
returns table (sku text, location text, what text, kept numeric, ledger numeric)
language sql stable set search_path = '' as $$
  with ledger as (
    select t.sku, t.location, sum(t.quantity) as total, (array_agg(t.balance order by t.id desc))[1] as last_balance
      from public.inventory_txn t group by t.sku, t.location
  )
  select coalesce(b.sku, l.sku), coalesce(b.location, l.location), 'balance', b.on_hand, l.total
    from public.inventory_balances b full join ledger l on l.sku = b.sku and l.location = b.location
   where coalesce(b.on_hand, 0) <> coalesce(l.total, 0)
  union all
  select l.sku, l.location, 'last balance in the ledger', l.last_balance, l.total from ledger l where l.last_balance <> l.total
  union all
  select s.sku, null, t.what, t.kept, t.total
    from public.inventory_stock s
    left join lateral (select coalesce(sum(l.total) filter (where p.is_free), 0) as free, coalesce(sum(l.total) filter (where not p.is_free), 0) as held
      from ledger l join public.locations p on p.code = l.location where l.sku = s.sku) x on true
   cross join lateral (values ('on_hand', s.on_hand, x.free), ('held', s.held, x.held)) as t (what, kept, total)
   where t.kept <> t.total
  union all
  select i.sku, null, 'no stock row', null, null from public.inventory_items i
   where not exists (select 1 from public.inventory_stock s where s.sku = i.sku)
  union all
  select s.sku, null, 'promised more than is there', s.reserved, s.on_hand from public.inventory_stock s where s.reserved > greatest(s.on_hand, 0)
$$;
comment on function private.stock_differences is 'Where what is kept differs from the sum of the ledger. No rows: all is well.';

create function private.find_item(p_sku text)
returns public.inventory_items language plpgsql stable set search_path = '' as $$
declare
  v_item public.inventory_items;
begin
  select i.* into v_item from public.inventory_items i where lower(i.sku) = lower(p_sku);
  if v_item.sku is null then
    perform private.fail(404, 'item.unknown', 'There is no item ' || coalesce(p_sku, '') || '.', jsonb_build_object('sku', p_sku));
  end if;
  return v_item;
end $$;
comment on function private.find_item is 'The item, whatever the case of the SKU. Errors: item.unknown (404).';

-- Places -----------------------------------------------------------------------------------------------------------

create function private.default_location(p_site text)
returns text language plpgsql stable set search_path = '' as $$
begin
  return (select l.code from public.locations l where l.site = p_site and l.is_default);
end $$;

create function private.place(p_location text)
returns public.locations language plpgsql stable set search_path = '' as $$
declare
  v_who private.identity;
  v_sites text[];
  v_place public.locations;
begin
  if p_location is null then
    select l.* into v_place from public.locations l
     where l.is_default and not exists (select 1 from public.locations o where o.is_default and o.code <> l.code);
    if v_place.code is not null then
      return v_place;   -- a plant of one site
    end if;
    v_sites := array(select si.code from public.sites si);
    if cardinality(v_sites) > 1 then
      v_who := private.identify();
      v_sites := array(select s from unnest(v_sites) s where private.works_at(v_who, s));
    end if;
    select l.* into v_place from public.locations l where l.site = v_sites[1] and l.is_default and cardinality(v_sites) = 1;
  else
    select l.* into v_place from public.locations l where l.code = p_location;
  end if;
  return v_place;
end $$;
comment on function private.place is 'The location, or without one the default place of the plant''s or the caller''s only site; a null row when there is none.';

create function private.check_place(p_place public.locations, p_location text)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_place.code is null and p_location is null then
    perform private.fail(422, 'location.required', 'Say where: you work at more than one site.', jsonb_build_object('field', 'p_location'));
  elsif p_place.code is null then
    perform private.fail(404, 'location.unknown', 'There is no location ' || p_location || '.', jsonb_build_object('location', p_location));
  elsif not p_place.is_active then
    perform private.fail(409, 'location.inactive', p_place.title || ' is not in use.', jsonb_build_object('location', p_place.code));
  end if;
end $$;

create function private.take(p_sku text, p_site text, p_quantity numeric)
returns table (location text, quantity numeric) language plpgsql stable set search_path = '' as $$
declare
  v_default text := private.default_location(p_site);
begin
  return query
    with shelves as (
      select b.location, b.on_hand, sum(b.on_hand) over (order by b.location <> v_default, b.location) - b.on_hand as before
        from public.inventory_balances b join public.locations l on l.code = b.location
       where b.sku = p_sku and l.site = p_site and l.is_free and b.on_hand > 0
    ), taken as (
      select s.location, least(s.on_hand, p_quantity - s.before) as quantity from shelves s where s.before < p_quantity
      union all
      select v_default, p_quantity - coalesce((select sum(s.on_hand) from shelves s), 0)
       where p_quantity > coalesce((select sum(s.on_hand) from shelves s), 0)
    )
    select t.location, sum(t.quantity) from taken t group by t.location order by t.location;
end $$;
comment on function private.take is
  'From where to take so much of a locked item: the default place of the site first, then its other free ones; what is missing, from the default place.';

create function private.is_tracked(p_store text)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return coalesce(private.setting('inventory.tracking_enabled', p_store)::boolean, false);
end $$;
comment on function private.is_tracked is 'Setting inventory.tracking_enabled: tickets of the store move stock.';

-- sql/M03_inventory/allocate.sql

-- The queue for parts. Rule: of what is on hand each line gets what it still needs, from the top of the queue (rank, since, order) down.
-- Everything else follows: a better order outranks, a correction takes from the newest first, what is freed is offered again.

create function private.settle_later(p_ids bigint[])
returns void language plpgsql set search_path = '' as $$
begin
  if p_ids <> '{}' then
    perform set_config('takt.unsettled', concat_ws(',', nullif(current_setting('takt.unsettled', true), ''), array_to_string(p_ids, ',')), true);
  end if;
end $$;
comment on function private.settle_later is 'These fulfilments are looked at when the transaction commits.';

create function private.tg_order_part_allocations__totals()
returns trigger language plpgsql set search_path = '' as $$
declare
  v_changes public.demand_totals[];
begin
  if tg_op <> 'DELETE' then
    perform private.settle_later(array(select distinct n.fulfilment_id from new_rows n));
  end if;
  if tg_op = 'INSERT' then
    select array_agg(x) into v_changes from (
      select n.sku, n.rank, sum(n.needed - n.consumed), sum(n.allocated), count(*) from new_rows n where not n.is_closed group by n.sku, n.rank) x;
  elsif tg_op = 'DELETE' then
    select array_agg(x) into v_changes from (
      select o.sku, o.rank, -sum(o.needed - o.consumed), -sum(o.allocated), -count(*) from old_rows o where not o.is_closed group by o.sku, o.rank) x;
  else
    select array_agg(x) into v_changes from (
      select u.sku, u.rank, sum(u.demand), sum(u.allocated), sum(u.lines)::bigint from (
        select n.sku, n.rank, n.needed - n.consumed as demand, n.allocated, 1 as lines from new_rows n where not n.is_closed
        union all
        select o.sku, o.rank, o.consumed - o.needed, -o.allocated, -1 from old_rows o where not o.is_closed) u
       group by u.sku, u.rank having sum(u.demand) <> 0 or sum(u.allocated) <> 0 or sum(u.lines) <> 0) x;
  end if;
  insert into public.demand_totals as t (sku, rank, demand, allocated, lines)
  select c.sku, c.rank, c.demand, c.allocated, c.lines from unnest(v_changes) c order by c.sku, c.rank
  on conflict on constraint demand_totals_pkey do update
    set demand = t.demand + excluded.demand, allocated = t.allocated + excluded.allocated, lines = t.lines + excluded.lines;
  update public.inventory_stock s set reserved = s.reserved + c.allocated
    from (select u.sku, sum(u.allocated) as allocated from unnest(v_changes) u group by u.sku having sum(u.allocated) <> 0) c
   where s.sku = c.sku;
  return null;
end $$;
comment on function private.tg_order_part_allocations__totals is
  'inventory_stock.reserved and the totals are sums of the lines, and fulfilments follow the lines: kept here, so that no function can forget them.';
create trigger _500_totals_in after insert on public.order_part_allocations
  referencing new table as new_rows for each statement execute function private.tg_order_part_allocations__totals();
create trigger _500_totals after update on public.order_part_allocations
  referencing old table as old_rows new table as new_rows for each statement execute function private.tg_order_part_allocations__totals();
create trigger _500_totals_out after delete on public.order_part_allocations
  referencing old table as old_rows for each statement execute function private.tg_order_part_allocations__totals();

-- One pass ---------------------------------------------------------------------------------------------------------

create type private.promise_change as (line_id bigint, change numeric, outranked_by bigint);

-- Without sorts the two cursors walk their partial indexes and stop where the promises are right again.
create function private.plan_allocation(p_sku text)
returns private.promise_change[] language plpgsql stable
set search_path = '' set enable_sort = off set plan_cache_mode = force_generic_plan as $$
declare
  v_waiting cursor for
    select l.id, l.rank, l.since, l.fulfilment_id, l.needed - l.allocated - l.consumed as quantity from public.order_part_allocations l
     where l.sku = p_sku and not l.is_closed and l.allocated + l.consumed < l.needed order by l.sku, l.rank, l.since, l.fulfilment_id;
  v_holding cursor for
    select l.id, l.rank, l.since, l.fulfilment_id, l.allocated as quantity from public.order_part_allocations l
     where l.sku = p_sku and l.allocated > 0 order by l.sku desc, l.rank desc, l.since desc, l.fulfilment_id desc;
  v_give record;   -- the best line that waits
  v_take record;   -- the last line that holds something
  v_given numeric := 0;
  v_taken numeric := 0;
  v_by bigint;
  v_free numeric := (select greatest(s.on_hand, 0) - s.reserved from public.inventory_stock s where s.sku = p_sku);
  v_amount numeric;
  v_plan private.promise_change[] := '{}';
begin
  open v_waiting;
  fetch v_waiting into v_give;
  open v_holding;
  fetch v_holding into v_take;
  loop
    exit when v_free is null or (v_free >= 0 and v_give.id is null);
    if v_free < 0 then
      exit when v_take.id is null;
      v_amount := least(-v_free, v_take.quantity - v_taken);
    elsif v_free > 0 then
      v_amount := least(v_free, v_give.quantity - v_given);
    else
      exit when v_take.id is null or (v_take.rank, v_take.since, v_take.fulfilment_id)
        <= (v_give.rank, v_give.since, v_give.fulfilment_id);
      v_amount := least(v_take.quantity - v_taken, v_give.quantity - v_given);
    end if;
    if v_free <= 0 then
      v_taken := v_taken + v_amount;
      v_by := case when v_free = 0 then v_give.id end;
    end if;
    if v_free >= 0 then
      v_given := v_given + v_amount;
    end if;
    v_free := v_free - sign(v_free) * v_amount;
    if v_taken > 0 and v_taken = v_take.quantity then
      v_plan := v_plan || row(v_take.id, -v_taken, v_by)::private.promise_change;
      v_taken := 0;
      fetch v_holding into v_take;
    end if;
    if v_given > 0 and v_given = v_give.quantity then
      v_plan := v_plan || row(v_give.id, v_given, null)::private.promise_change;
      v_given := 0;
      fetch v_waiting into v_give;
    end if;
  end loop;
  close v_waiting;
  close v_holding;
  return v_plan
    || case when v_taken > 0 then array[row(v_take.id, -v_taken, v_by)::private.promise_change] end
    || case when v_given > 0 then array[row(v_give.id, v_given, null)::private.promise_change] end;
end $$;
comment on function private.plan_allocation is
$$What has to change so that the promises of a locked item follow the rule. Two pointers walk towards each other, one from the best line that
waits, one from the last line that holds: the cost is the lines that change, however many others are open.$$;

create function private.allocate(p_skus text[], p_cause jsonb default '{}')
returns private.promise_change[] language plpgsql set search_path = '' as $$
declare
  v_sku text;
  v_plan private.promise_change[];
  v_changes private.promise_change[] := '{}';
begin
  perform private.lock_stock(p_skus);
  for v_sku in select distinct u from unnest(p_skus) u order by u loop
    v_plan := private.plan_allocation(v_sku);
    if v_plan <> '{}' then
      update public.order_part_allocations l
         set allocated = l.allocated + c.change, why = jsonb_strip_nulls(jsonb_build_object(
           'at', now(), 'change', trim_scale(c.change), 'cause', p_cause, 'outranked_by', c.outranked_by))
        from unnest(v_plan) c where l.id = c.line_id;
      v_changes := v_changes || v_plan;
    end if;
  end loop;
  return v_changes;
end $$;
comment on function private.allocate is
$$Promises what is on hand, item by item, from the top of the queue down. Called at the end of every command that changed stock or demand,
with all its items. p_cause {event, ref} is kept in why. Answers what changed. Locks: the items in the order of their SKUs.$$;

create function private.use_promised(
  p_line_id bigint, p_quantity numeric, p_site text, p_ref_stream text, p_ref_id text, p_reason text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_sku text;
begin
  update public.order_part_allocations l set allocated = l.allocated - p_quantity, consumed = l.consumed + p_quantity
   where l.id = p_line_id returning l.sku into v_sku;
  perform private.post_txn(v_sku, t.location, 'consume', -t.quantity, p_ref_stream, p_ref_id, p_reason, p_actor)
    from private.take(v_sku, p_site, p_quantity) t;
end $$;
comment on function private.use_promised is
  'The promised parts of a line are really used: the promise becomes a movement. The item is locked. Errors: stock.short (409).';

-- Has an order all its parts? ----------------------------------------------------------------------------------------

create function private.settle_fulfilments(p_ids bigint[])
returns void language plpgsql set search_path = '' as $$
declare
  v_changed bigint[];
begin
  -- Two statements: only after the lock is the view of the lines complete, when other items of the same order change meanwhile.
  perform 1 from public.order_fulfilments f where f.id = any (p_ids) order by f.id for update;
  with now_so as (
    select l.fulfilment_id, count(*) filter (where l.needed > 0) as lines, count(*) filter (where l.allocated + l.consumed < l.needed) as open_lines,
      case when bool_and(l.needed = 0 or l.allocated + l.consumed = l.needed) then 'fulfilled'   -- also one that needs nothing any more
        when bool_or(l.needed > 0 and l.allocated + l.consumed > 0) then 'partial' else 'unfulfilled' end as fulfillment_status
      from public.order_part_allocations l where l.fulfilment_id = any (p_ids) group by l.fulfilment_id
  ), changed as (
    update public.order_fulfilments f
       set lines = n.lines, open_lines = n.open_lines, fulfillment_status = n.fulfillment_status,
           fulfilled_at = case when n.fulfillment_status = 'fulfilled' then coalesce(f.fulfilled_at, now()) end
      from now_so n join public.order_fulfilments o on o.id = n.fulfilment_id
     where f.id = n.fulfilment_id and not f.is_closed
       and (f.lines, f.open_lines, f.fulfillment_status) is distinct from (n.lines, n.open_lines, n.fulfillment_status)
    returning f.id, o.fulfillment_status as before, n.fulfillment_status as after
  )
  select array_agg(c.id) into v_changed from changed c where c.before <> c.after;
  perform private.emit('allocation', f.code, 'allocation.' || f.fulfillment_status, null, jsonb_build_object(
      'lines', f.lines, 'open_lines', f.open_lines, 'cause', private.last_cause(f.id)), f.store, f.site)
    from public.order_fulfilments f where f.id = any (v_changed) order by f.id;
end $$;
comment on function private.settle_fulfilments is
'Whether open orders have all their parts now; an event allocation.fulfilled, allocation.partial or allocation.unfulfilled for each that changed. Locks: their rows.';

create function private.last_cause(p_fulfilment_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (select l.why -> 'cause' from public.order_part_allocations l where l.fulfilment_id = p_fulfilment_id order by l.why ->> 'at' desc nulls last limit 1);
end $$;

create function private.tg_order_part_allocations__settle()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_ids bigint[];
begin
  if coalesce(current_setting('takt.unsettled', true), '') <> '' then
    perform private.settle_pending();   -- no item is locked after the fulfilments are
    v_ids := string_to_array(current_setting('takt.unsettled'), ',')::bigint[];
    perform set_config('takt.unsettled', '', true);
    perform private.settle_fulfilments(v_ids);
  end if;
  return null;
end $$;
comment on function private.tg_order_part_allocations__settle is
'When the transaction commits: all its fulfilments at once, by id, the last locks it takes. Whoever waits for them holds nothing that others need.';
create constraint trigger _900_settle after insert or update on public.order_part_allocations deferrable initially deferred
  for each row execute function private.tg_order_part_allocations__settle();

-- The rule once more, in the plain way: for inventory_selfcheck and tests ----------------------------------------------

create function private.allocation_oracle(p_sku text)
returns table (line_id bigint, expected numeric) language sql stable set search_path = '' as $$
  select l.id, greatest(0, least(l.needed - l.consumed, greatest(s.on_hand, 0) - l.before))
    from (select o.*, coalesce(sum(o.needed - o.consumed) over (
            order by o.rank, o.since, o.fulfilment_id rows between unbounded preceding and 1 preceding), 0) as before
            from public.order_part_allocations o where o.sku = p_sku and not o.is_closed) l
    join public.inventory_stock s on s.sku = l.sku
$$;
comment on function private.allocation_oracle is 'What each open line of an item should have, worked out from nothing.';

create function private.allocation_differences()
returns table (sku text, location text, what text, kept numeric, ledger numeric) language sql stable set search_path = '' as $$
  select l.sku, null, 'promised to line ' || l.id, l.allocated, x.expected
    from public.inventory_stock s cross join private.allocation_oracle(s.sku) x join public.order_part_allocations l on l.id = x.line_id
   where l.allocated <> x.expected
  union all
  select s.sku, null, 'reserved', s.reserved, coalesce(t.total, 0)
    from public.inventory_stock s
    left join (select l.sku, sum(l.allocated) as total from public.order_part_allocations l group by l.sku) t on t.sku = s.sku
   where s.reserved <> coalesce(t.total, 0)
  union all
  select coalesce(t.sku, x.sku), null, 'missing in rank ' || coalesce(t.rank, x.rank), t.demand - t.allocated, x.missing
    from public.demand_totals t
    full join (select l.sku, l.rank, sum(l.needed - l.consumed - l.allocated) as missing, count(*) as lines
                 from public.order_part_allocations l where not l.is_closed group by l.sku, l.rank) x on x.sku = t.sku and x.rank = t.rank
   where (coalesce(t.demand - t.allocated, 0), coalesce(t.lines, 0)) <> (coalesce(x.missing, 0), coalesce(x.lines, 0))
  union all
  select null, null, 'open lines of ' || f.code, f.open_lines, x.open_lines
    from public.order_fulfilments f cross join lateral (
      select count(*) filter (where l.allocated + l.consumed < l.needed) as open_lines,
        bool_and(l.needed = 0 or l.allocated + l.consumed = l.needed) as complete
        from public.order_part_allocations l where l.fulfilment_id = f.id) x
   where not f.is_closed and (f.open_lines <> x.open_lines or (f.fulfillment_status = 'fulfilled') <> coalesce(x.complete, false))
$$;
comment on function private.allocation_differences is 'Where promises, sums or fulfilments differ from a full recompute. No rows: all is well.';

-- sql/M03_inventory/demand.sql

-- What orders wait for: the lines of tickets and of production orders in the queue for parts.

create function private.rank_of(p_priority public.priority_level)
returns smallint language sql immutable set search_path = '' as $$
  select (case p_priority when 'High' then 1 when 'Medium' then 2 else 3 end)::smallint
$$;

create function private.rank_of_production(p_order public.production_orders)
returns smallint language sql immutable set search_path = '' as $$
  select (case when p_order.type = 'REPLENISHMENT' and p_order.source <> 'replenishment' then 4 when p_order.priority = 'critical' then 0
    when p_order.priority = 'rush' then 1 else 2 end)::smallint
$$;
comment on function private.rank_of_production is
  'Customers go before the shelf: an order for stock waits behind all others. What replaces pieces that an order lost is as urgent as that order.';

-- Tickets ----------------------------------------------------------------------------------------------------------

create type private.ticket_need as (row_id uuid, sku text, quantity numeric);

create function private.needs_of_tickets(p_row_ids uuid[])
returns private.ticket_need[] language plpgsql stable set search_path = '' as $$
begin
  return (
    select array_agg(row(o.row_id, r.sku, r.quantity)::private.ticket_need order by o.created_at, o.id, r.sku)
      from public.orders o
      join private.order_stock s on s.row_id = o.row_id and s.restocked_at is null
     cross join lateral (select q.sku, sum(q.quantity) as quantity from private.requirements_of(o) q where not q.is_optional group by q.sku) r
     where o.row_id = any (p_row_ids) and o.cancelled_at is null and o.stage <> 'Complete' and not o.is_test);
end $$;
comment on function private.needs_of_tickets is 'What open tickets need by the bill of materials; optional components are not waited for.';

create function private.write_ticket_lines(p_needs private.ticket_need[])
returns void language plpgsql set search_path = '' as $$
begin
  insert into public.order_fulfilments as f (order_row_id, code, site, store, rank, since)
  select o.row_id, o.id, st.site, o.store, private.rank_of(o.priority), o.created_at
    from public.orders o join public.stores st on st.code = o.store
   where o.row_id in (select n.row_id from unnest(p_needs) n) order by o.created_at, o.id
  on conflict on constraint order_fulfilments_order_row_id_key do update set rank = excluded.rank, is_closed = false
   where (f.rank, f.is_closed) is distinct from (excluded.rank, false);
  insert into public.order_part_allocations as l (fulfilment_id, order_row_id, store, sku, needed, rank, since)
  select f.id, f.order_row_id, f.store, n.sku, n.quantity, f.rank, f.since
    from unnest(p_needs) with ordinality as n (row_id, sku, quantity, position)
    join public.order_fulfilments f on f.order_row_id = n.row_id order by n.position
  on conflict on constraint order_part_allocations_ticket_key do update
    set needed = greatest(excluded.needed, l.consumed), rank = excluded.rank, is_closed = false,
        allocated = least(l.allocated, greatest(excluded.needed - l.consumed, 0))
   where (l.needed, l.rank, l.is_closed) is distinct from (greatest(excluded.needed, l.consumed), excluded.rank, false);
end $$;

create function private.plan_tickets(p_row_ids uuid[])
returns text[] language plpgsql set search_path = '' as $$
declare
  v_needs private.ticket_need[] := private.needs_of_tickets(p_row_ids);
  v_skus text[] := array(
    select n.sku from unnest(v_needs) n
    union select l.sku from public.order_part_allocations l where l.order_row_id = any (p_row_ids) and not l.is_closed);
begin
  if v_skus = '{}' then
    return v_skus;
  end if;
  -- Lines are written under the lock of their item only, and items are locked once, in one order: so also what the caller will move.
  perform private.lock_stock(array(select unnest(v_skus) union select m.sku from private.open_moves(p_row_ids) m));
  perform private.write_ticket_lines(v_needs);
  update public.order_part_allocations l
     set is_closed = true, allocated = 0, needed = case when o.stage = 'Complete' then l.needed else l.consumed end
    from public.orders o
   where o.row_id = l.order_row_id and l.order_row_id = any (p_row_ids) and not l.is_closed
     and not exists (select 1 from unnest(v_needs) n where n.row_id = l.order_row_id and n.sku = l.sku);
  update public.order_fulfilments f set is_closed = true
    from public.orders o
   where o.row_id = f.order_row_id and f.order_row_id = any (p_row_ids) and not f.is_closed
     and not exists (select 1 from unnest(v_needs) n where n.row_id = f.order_row_id);
  return v_skus;
end $$;
comment on function private.plan_tickets is
$$The lines of these tickets follow what the tickets are now: new, changed, cancelled, complete or back from it. Answers the items whose
queue it touched; the caller ends with private.allocate. Locks: the items, by SKU.$$;

create function private.use_allocation(p_stream text, p_id text, p_sku text, p_quantity numeric)
returns void language plpgsql set search_path = '' as $$
declare
  v_line public.order_part_allocations;
begin
  select l.* into v_line from public.order_part_allocations l join public.orders o on o.row_id = l.order_row_id
   where p_stream = 'order' and o.id = p_id and l.sku = p_sku;
  if v_line.id is null then
    return;   -- an optional component, or a ticket that came before the store tracked stock
  end if;
  v_line.consumed := greatest(v_line.consumed + p_quantity, 0);
  v_line.allocated := v_line.allocated - least(v_line.allocated, greatest(p_quantity, 0));
  update public.order_part_allocations l
     set consumed = v_line.consumed, allocated = v_line.allocated, needed = greatest(l.needed, v_line.consumed + v_line.allocated)
   where l.id = v_line.id;
end $$;
comment on function private.use_allocation is
  'The ticket has used so much of an item (negative: it was taken back). Its promise goes down by what it held. The item is locked by the caller.';

-- Production orders -------------------------------------------------------------------------------------------------

create function private.order_skus(p_order_id bigint)
returns text[] language plpgsql stable set search_path = '' as $$
begin
  return array(select l.sku from public.production_order_lines l where l.order_id = p_order_id order by l.sku);
end $$;

create function private.write_lines_of_production(p_ids bigint[])
returns void language plpgsql set search_path = '' as $$
begin
  insert into public.order_fulfilments as f (production_order_id, code, site, store, rank, since)
  select o.id, o.code, o.site, o.store, private.rank_of_production(o), o.created_at from public.production_orders o where o.id = any (p_ids) order by o.id
  on conflict on constraint order_fulfilments_production_order_id_key do update set rank = excluded.rank where f.rank <> excluded.rank;
  insert into public.order_part_allocations as l (fulfilment_id, production_order_id, line, store, sku, needed, rank, since)
  select f.id, n.order_id, n.line, o.store, n.sku, n.quantity * coalesce(n.pieces, o.quantity), f.rank, f.since
    from public.production_orders o join public.production_order_lines n on n.order_id = o.id join public.order_fulfilments f on f.production_order_id = o.id
   where o.id = any (p_ids) order by o.id, n.line
  on conflict on constraint order_part_allocations_line_key do update
    set needed = excluded.needed, rank = excluded.rank, allocated = least(l.allocated, greatest(excluded.needed - l.consumed, 0))
   where not l.is_closed and (l.needed, l.rank) is distinct from (excluded.needed, excluded.rank);
end $$;
comment on function private.write_lines_of_production is
  'The lines of production orders follow their quantity, what was lost of it, and their priority. Their items are locked by the caller, who ends with private.allocate.';

create function private.write_production_lines(p_order public.production_orders)
returns void language plpgsql set search_path = '' as $$
begin
  perform private.write_lines_of_production(array[p_order.id]);
end $$;

create function private.close_production_lines(p_order_id bigint)
returns void language plpgsql set search_path = '' as $$
begin
  update public.order_part_allocations l set is_closed = true, allocated = 0 where l.production_order_id = p_order_id and not l.is_closed;
  update public.order_fulfilments f set is_closed = true, open_lines = 0 where f.production_order_id = p_order_id;
end $$;
comment on function private.close_production_lines is 'The order waits for nothing any more; what it held is free. Its items are locked by the caller.';

-- sql/M03_inventory/order_stock.sql

-- What a ticket takes: from the shelf when it arrives, from the bill of materials when a stage is completed.

create function private.words(p_text text)
returns text language sql immutable set search_path = '' as $$
  select trim(regexp_replace(lower(normalize(coalesce(p_text, ''), NFKC)), '[^[:alnum:]]+', ' ', 'g'))
$$;
comment on function private.words is 'A text as its words: lower case, one blank between them, no punctuation.';

create function private.fits(p_text text, p_match text, p_pattern text)
returns boolean language sql immutable set search_path = '' as $$
  select case p_match when 'exact' then private.words(p_text) = private.words(p_pattern)
    else private.words(p_pattern) <> '' and position(' ' || private.words(p_pattern) in ' ' || private.words(p_text)) > 0 end
$$;
comment on function private.fits is 'exact: the same words. keyword: the words of the pattern stand in the text, the last one perhaps longer (candle in Candles).';

-- Bill of materials ------------------------------------------------------------------------------------------------

create function private.explode(p_sku text, p_quantity numeric)
returns table (sku text, quantity numeric, stage public.stage_type, is_optional boolean)
language sql stable set search_path = '' as $$
  with recursive parts as (
    select r.sku, r.quantity * p_quantity as quantity, r.stage, r.is_optional, 1 as level
      from public.product_requirements r where r.parent_sku = p_sku
    union all
    select r.sku, r.quantity * p.quantity, coalesce(p.stage, r.stage), p.is_optional or r.is_optional, p.level + 1
      from parts p join public.inventory_items i on i.sku = p.sku and not i.is_stocked
      join public.product_requirements r on r.parent_sku = p.sku
     where p.level < 50
  )
  select p.sku, round(sum(p.quantity), 3), p.stage, p.is_optional from parts p join public.inventory_items i on i.sku = p.sku and i.is_stocked
   group by p.sku, p.stage, p.is_optional having round(sum(p.quantity), 3) > 0 order by p.sku
$$;
comment on function private.explode is
'The stocked components of so many pieces, in thousandths: one level down, and through phantoms (items not stocked). A stage above decides for
what is below.';

create function private.tg_product_requirements__no_cycle()
returns trigger language plpgsql set search_path = '' as $$
declare
  v_path text[];
begin
  perform pg_advisory_xact_lock(hashtextextended('takt product_requirements', 0));   -- two halves of a cycle must see each other
  with recursive below (sku, path) as (
    select new.sku, array[new.parent_sku, new.sku]
    union all
    select r.sku, b.path || r.sku from below b join public.product_requirements r on r.parent_sku = b.sku
     where b.sku <> new.parent_sku and r.id <> new.id and not r.sku = any (b.path[2:])
  )
  select b.path into v_path from below b where b.sku = new.parent_sku limit 1;
  if v_path is not null then
    perform private.fail(422, 'bom.cycle', 'A product cannot be made of itself: ' || array_to_string(v_path, ' → ') || '.',
      jsonb_build_object('path', v_path));
  end if;
  return new;
end $$;
create trigger _200_no_cycle before insert or update of parent_sku, sku on public.product_requirements
  for each row when (new.parent_sku is not null) execute function private.tg_product_requirements__no_cycle();

create function private.requirements_of(p_ticket public.orders)
returns table (sku text, quantity numeric, stage public.stage_type, is_optional boolean)
language plpgsql stable set search_path = '' as $$
declare
  v_parent text := (select i.sku from public.inventory_items i where lower(i.sku) = lower(p_ticket.sku)
    and exists (select 1 from public.product_requirements r where r.parent_sku = i.sku));
  v_product public.product_requirements;
begin
  if v_parent is not null then
    return query select e.sku, e.quantity, coalesce(e.stage, 'Packing'), e.is_optional from private.explode(v_parent, p_ticket.item_qty) e;
    return;
  end if;
  select r.* into v_product from public.product_requirements r
   where r.title is not null and (r.store is null or r.store = p_ticket.store) and private.fits(p_ticket.product_title, r.match, r.title)
     and (r.variant is null or private.fits(concat_ws(' ', p_ticket.variant_title, p_ticket.size, p_ticket.flavour), 'keyword', r.variant))
   order by r.store is null, r.match <> 'exact', r.variant is null, length(r.title) desc, r.id limit 1;
  return query
    with direct as (
      select r.sku, r.quantity * p_ticket.item_qty as quantity, r.stage, r.is_optional, i.is_stocked
        from public.product_requirements r join public.inventory_items i on i.sku = r.sku
       where r.title = v_product.title and r.match = v_product.match and r.store is not distinct from v_product.store
         and r.variant is not distinct from v_product.variant
    ), parts as (
      select d.sku, d.quantity, d.stage, d.is_optional from direct d where d.is_stocked
      union all
      select e.sku, e.quantity, coalesce(d.stage, e.stage), d.is_optional or e.is_optional
        from direct d, private.explode(d.sku, d.quantity) e where not d.is_stocked
    )
    select p.sku, sum(p.quantity), coalesce(p.stage, 'Packing'), p.is_optional from parts p group by 1, 3, 4 order by 1;
end $$;
comment on function private.requirements_of is
$$The stocked components of a ticket and the stage that consumes them. By its SKU, else by title: rules of its store before those of every
store, exact before keyword, with a variant before without, the longer title, the older one; all lines of the product that wins.$$;

-- From the shelf ---------------------------------------------------------------------------------------------------

create function private.whole_number(p_value jsonb)
returns numeric language sql immutable set search_path = '' as $$
  select case when p_value #>> '{}' ~ '^\d{1,6}(\.0+)?$' then (p_value #>> '{}')::numeric else 1 end
$$;

create function private.deductions_of(p_ticket public.orders)
returns table (sku text, quantity numeric) language sql stable set search_path = '' as $$
  select best.sku, sum(best.quantity * lines.quantity)
    from (
      select 'product' as what, p_ticket.product_title as title, p_ticket.variant_title as variant, p_ticket.item_qty::numeric as quantity
      union all
      select 'accessory', a.item ->> 'title', a.item ->> 'variant_title', private.whole_number(a.item -> 'quantity')
        from jsonb_array_elements(p_ticket.accessories) a (item)
    ) lines
   cross join lateral (
      select r.sku, r.quantity from public.deduction_rules r join public.inventory_items i on i.sku = r.sku and i.is_stocked
       where r.is_active and r.applies_to in (lines.what, 'any') and (r.store is null or r.store = p_ticket.store)
         and (private.fits(lines.title, r.match, r.pattern) or private.fits(concat_ws(' ', lines.title, lines.variant), r.match, r.pattern))
       order by r.priority, r.match <> 'exact', r.store is null, length(r.pattern) desc, r.id limit 1
    ) best
   group by best.sku having sum(best.quantity * lines.quantity) > 0
$$;
comment on function private.deductions_of is 'What a ticket takes from the shelf by the rules: one rule per line, its accessories and the product itself.';

create function private.open_moves(p_row_ids uuid[])
returns table (row_id uuid, id text, store text, sku text, quantity numeric) language sql stable set search_path = '' as $$
  with tickets as (
    select o as ticket, o.row_id, o.id, o.store, o.cancelled_at is null and s.restocked_at is null and not o.is_test as is_wanted
      from public.orders o join private.order_stock s on s.row_id = o.row_id and not s.only_plan where o.row_id = any (p_row_ids)
  ), wanted as (
    select t.row_id, d.sku, d.quantity from tickets t, private.deductions_of(t.ticket) d where t.is_wanted
    union all
    select t.row_id, x.sku, x.quantity from tickets t join public.inventory_txn x on x.ref_stream = 'order' and x.ref_id = t.id
     where x.kind in ('order_deduct', 'order_restock')
  )
  select t.row_id, t.id, t.store, w.sku, sum(w.quantity) from wanted w join tickets t on t.row_id = w.row_id
   group by t.row_id, t.id, t.store, w.sku having sum(w.quantity) <> 0
$$;
comment on function private.open_moves is
  'What these tickets still have to take (positive) or give back (negative): what the rules say now, less what the ledger says they took.';

create function private.give_back(p_order_id text, p_sku text, p_site text, p_quantity numeric)
returns table (location text, quantity numeric) language sql stable set search_path = '' as $$
  with took as (
    select t.location, -sum(t.quantity) as quantity, max(t.id) as last_id from public.inventory_txn t
     where t.ref_stream = 'order' and t.ref_id = p_order_id and t.sku = p_sku and t.kind in ('order_deduct', 'order_restock')
     group by t.location having sum(t.quantity) < 0
  ), piled as (
    select k.location, k.quantity, sum(k.quantity) over (order by k.last_id desc) - k.quantity as before from took k
  )
  select p.location, least(p.quantity, p_quantity - p.before) from piled p where p.before < p_quantity
$$;
comment on function private.give_back is 'Where a ticket puts back so much: to the places it took from, the last one first.';

create function private.settle(p_row_ids uuid[], p_actor uuid, p_reason text default null)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_skus text[] := private.plan_tickets(p_row_ids);
  v_move record;
  v_part record;
  v_ids bigint[] := '{}';
  v_moved jsonb := '[]';
begin
  v_skus := array(select unnest(v_skus) union select m.sku from private.open_moves(p_row_ids) m);
  perform private.lock_stock(v_skus);
  for v_move in
    select m.*, st.site from private.open_moves(p_row_ids) m join public.stores st on st.code = m.store
     where m.sku = any (v_skus) order by m.sku, m.id
  loop
    for v_part in   -- what is free decides where it is taken from, so each ticket looks again
      select t.location, t.quantity from private.take(v_move.sku, v_move.site, v_move.quantity) t where v_move.quantity > 0
      union all
      select g.location, -g.quantity from private.give_back(v_move.id, v_move.sku, v_move.site, -v_move.quantity) g where v_move.quantity < 0
    loop
      v_ids := v_ids || private.post_txn(v_move.sku, v_part.location, case when v_part.quantity > 0 then 'order_deduct' else 'order_restock' end,
        -v_part.quantity, 'order', v_move.id, p_reason, p_actor);
      v_moved := v_moved || jsonb_build_object('order_id', v_move.id, 'sku', v_move.sku, 'location', v_part.location,
        'quantity', -v_part.quantity);
    end loop;
  end loop;
  perform private.emit_moves('stock.ordered', v_ids, p_actor);
  update private.order_stock s set settled_at = now(), pending_xid = null, failed = null where s.row_id = any (p_row_ids);
  perform private.allocate(v_skus, '{"event": "order.settled"}');
  return v_moved;
end $$;
comment on function private.settle is
$$Brings the ledger to what these tickets want: deducts, or restocks what is no longer wanted. Answers [{order_id, sku, location, quantity}].
Doing it again moves nothing. Errors: stock.short (409). Locks: the items, by SKU.$$;

create function private.settle_pending()
returns void language plpgsql set search_path = '' as $$
declare
  v_ids uuid[] := array(select s.row_id from private.order_stock s where s.pending_xid = pg_current_xact_id());
begin
  if v_ids = '{}' then
    return;   -- the first one settled them all
  end if;
  begin
    perform private.settle(v_ids, (private.identify()).actor_id);
  exception when others then   -- the order always comes in; its stock is tried again by the worker
    update private.order_stock s set pending_xid = null, failed = left(sqlerrm, 500) where s.row_id = any (v_ids);
    perform private.enqueue('stock.deduct', jsonb_build_object('order_id', o.id), o.id) from public.orders o where o.row_id = any (v_ids);
  end;
end $$;
comment on function private.settle_pending is 'All tickets that this transaction changed, at once, in the order of the SKUs, so that orders never deadlock.';

create function private.tg_order_stock__settle()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.settle_pending();
  return null;
end $$;
comment on function private.tg_order_stock__settle is 'When a transaction commits: all its tickets at once, in the order of the SKUs, so that orders never deadlock.';
create constraint trigger _500_settle after insert or update on private.order_stock deferrable initially deferred
  for each row when (new.pending_xid is not null) execute function private.tg_order_stock__settle();

create function private.mark_order_stock(p_row_ids uuid[], p_only_plan boolean)
returns void language plpgsql set search_path = '' as $$
begin
  perform 1 from private.order_stock s where s.row_id = any (p_row_ids) order by s.row_id for update;
  update private.order_stock s
     set only_plan = p_only_plan and s.failed is null and (s.only_plan or s.pending_xid is distinct from pg_current_xact_id()), pending_xid = pg_current_xact_id()
   where s.row_id = any (p_row_ids);
end $$;
comment on function private.mark_order_stock is 'These tickets are settled when the transaction commits; p_only_plan: nothing is taken from the shelf or put back.';

create function private.tg_orders__stock()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE' then
    perform private.mark_order_stock(array[new.row_id], tg_argv[0] = 'plan');
  elsif private.is_tracked(new.store) and not new.is_test then
    insert into private.order_stock (row_id, pending_xid) values (new.row_id, pg_current_xact_id());
  end if;
  return null;
end $$;
comment on function private.tg_orders__stock is 'Webhook, import and hand-made orders all come in here. Tickets of a store that tracks stock are settled at the commit.';
create trigger _600_stock_of_new after insert on public.orders for each row execute function private.tg_orders__stock('moves');
create trigger _600_stock_of_changed after update on public.orders for each row
  when ((old.accessories, old.product_title, old.variant_title, old.sku, old.item_qty, old.cancelled_at is null)
    is distinct from (new.accessories, new.product_title, new.variant_title, new.sku, new.item_qty, new.cancelled_at is null))
  execute function private.tg_orders__stock('moves');
create trigger _610_plan_of_changed after update on public.orders for each row
  when ((old.size, old.flavour, old.priority, old.due_date, old.stage = 'Complete')
    is distinct from (new.size, new.flavour, new.priority, new.due_date, new.stage = 'Complete'))
  execute function private.tg_orders__stock('plan');

-- sql/M03_inventory/stage_stock.sql

-- Completing a stage consumes its components, once. M05 calls consume_stage and, for an undo, unconsume_stage.

create function private.stage_needs(p_ticket public.orders, p_stage public.stage_type)
returns table (sku text, needed numeric, there numeric, is_optional boolean) language plpgsql stable set search_path = '' as $$
begin
  return query
    with needs as (
      select r.sku, sum(r.quantity) filter (where not r.is_optional) as must, sum(r.quantity) filter (where r.is_optional) as may,
        (select coalesce(sum(b.on_hand), 0) from public.inventory_balances b join public.locations l on l.code = b.location
          where b.sku = r.sku and l.is_free and l.site = (select st.site from public.stores st where st.code = p_ticket.store)) as there
        from private.requirements_of(p_ticket) r where r.stage = p_stage group by r.sku
    )
    select n.sku, n.must, n.there, false from needs n where n.must is not null
    union all
    select n.sku, n.may, n.there - coalesce(n.must, 0), true from needs n where n.may is not null
    order by 1, 4;
end $$;
comment on function private.stage_needs is 'What completing the stage consumes, and how much of it lies free at the site of the ticket.';

create function private.shortage(p_needs jsonb)
returns jsonb language sql immutable set search_path = '' as $$
  select jsonb_agg(jsonb_build_object('code', 'stock.short', 'message', format('%s: %s needed, %s there.', n.item ->> 'sku',
    n.item ->> 'needed', n.item ->> 'there'), 'details', n.item) order by n.n)
    from jsonb_array_elements(p_needs) with ordinality as n (item, n) where (n.item ->> 'needed')::numeric > (n.item ->> 'there')::numeric
$$;
comment on function private.shortage is 'Notices [{code, message, details}] for the needs that are not covered; null when all are.';

create function private.needs_json(p_ticket public.orders, p_stage public.stage_type)
returns jsonb language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('sku', n.sku, 'needed', trim_scale(n.needed), 'there', trim_scale(n.there),
    'is_optional', n.is_optional)), '[]') from private.stage_needs(p_ticket, p_stage) n
$$;

create function private.must_have(p_needs jsonb)
returns jsonb language sql immutable set search_path = '' as $$
  select coalesce(jsonb_agg(n.item), '[]') from jsonb_array_elements(p_needs) n (item) where not (n.item ->> 'is_optional')::boolean
$$;

create function private.components_missing(p_ticket public.orders, p_stage public.stage_type)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  if not private.is_tracked(p_ticket.store) or not private.setting('inventory.block_when_short', p_ticket.store)::boolean
     or exists (select 1 from private.stage_consumptions c where c.row_id = p_ticket.row_id and c.stage = p_stage and c.state = 'consumed') then
    return null;
  end if;
  return private.shortage(private.must_have(private.needs_json(p_ticket, p_stage)));
end $$;
comment on function private.components_missing is 'Why the stage cannot be completed where setting inventory.block_when_short says so: notices, or null.';

create function private.consume_stage(p_ticket public.orders, p_stage public.stage_type, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_site text;
  v_skus text[];
  v_needs jsonb;
  v_missing jsonb;
  v_part record;
  v_ids bigint[] := '{}';
begin
  if not private.is_tracked(p_ticket.store) or exists (
    select 1 from private.stage_consumptions c where c.row_id = p_ticket.row_id and c.stage = p_stage and c.state = 'consumed') then
    return null;
  end if;
  v_skus := array(select distinct r.sku from private.requirements_of(p_ticket) r where r.stage = p_stage);
  if v_skus = '{}' then
    return null;
  end if;
  -- All that this ticket will touch until the commit, at once: locks are taken in one order.
  perform private.lock_stock(array(select r.sku from private.requirements_of(p_ticket) r union select m.sku from private.open_moves(array[p_ticket.row_id]) m));
  v_needs := private.needs_json(p_ticket, p_stage);
  v_missing := private.shortage(private.must_have(v_needs));
  if v_missing is not null and private.setting('inventory.block_when_short', p_ticket.store)::boolean then
    perform private.fail(409, 'stock.components_short', 'Components are missing: ' || (v_missing -> 0 ->> 'message'),
      jsonb_build_object('missing', v_missing));
  elsif v_missing is null then
    select st.site into v_site from public.stores st where st.code = p_ticket.store;
    for v_part in
      select n.item ->> 'sku' as sku, t.location, t.quantity from jsonb_array_elements(v_needs) n (item)
       cross join lateral private.take(n.item ->> 'sku', v_site, (n.item ->> 'needed')::numeric) t
       where (n.item ->> 'needed')::numeric <= (n.item ->> 'there')::numeric order by 1, 2
    loop
      v_ids := v_ids || private.post_txn(v_part.sku, v_part.location, 'consume', -v_part.quantity, 'order', p_ticket.id,
        p_stage || ' completed', p_actor);
      perform private.use_allocation('order', p_ticket.id, v_part.sku, v_part.quantity);
    end loop;
    perform private.allocate(v_skus, jsonb_build_object('event', 'stage.completed', 'ref', p_ticket.id));
    perform private.emit_moves('stock.consumed', v_ids, p_actor);
  end if;
  insert into private.stage_consumptions as c (row_id, stage, state, details, txn_ids)
  values (p_ticket.row_id, p_stage, case when v_missing is null then 'consumed' else 'short' end, v_needs, v_ids)
  on conflict on constraint stage_consumptions_pkey do update
    set state = excluded.state, details = excluded.details, txn_ids = excluded.txn_ids, at = now();
  if v_missing is not null then
    perform private.emit('order', p_ticket.id, 'stock.short', p_actor, jsonb_build_object('stage', p_stage, 'missing', v_missing), p_ticket.store);
  end if;
  return private.shortage(v_needs);
end $$;
comment on function private.consume_stage is
$$The components of a completed stage leave the stock of a store that tracks it: once per ticket and stage, all that are needed or none; an
optional one that is missing is left out. Answers notices on what is missing, or null. Errors: stock.components_short (409) where setting
inventory.block_when_short says so. Locks: the items, by SKU; the caller holds the ticket.$$;

create function private.unconsume_stage(p_ticket public.orders, p_stage public.stage_type, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_done private.stage_consumptions;
  v_txn public.inventory_txn;
  v_skus text[];
  v_ids bigint[] := '{}';
begin
  delete from private.stage_consumptions c where c.row_id = p_ticket.row_id and c.stage = p_stage returning c.* into v_done;
  v_skus := array(select distinct t.sku from public.inventory_txn t where t.id = any (v_done.txn_ids));
  if coalesce(v_skus, '{}') = '{}' then
    return;
  end if;
  perform private.lock_stock(v_skus);
  for v_txn in select t.* from public.inventory_txn t where t.id = any (v_done.txn_ids) order by t.sku, t.id loop
    v_ids := v_ids || private.post_txn(v_txn.sku, v_txn.location, 'consume', -v_txn.quantity, 'order', p_ticket.id, p_stage || ' undone', p_actor,
      null, null, v_txn.id);
    perform private.use_allocation('order', p_ticket.id, v_txn.sku, v_txn.quantity);
  end loop;
  perform private.allocate(v_skus, jsonb_build_object('event', 'stage.undone', 'ref', p_ticket.id));
  perform private.emit_moves('stock.returned', v_ids, p_actor);
end $$;
comment on function private.unconsume_stage is 'The stage was not completed after all: what it consumed is back. Locks: the items, by SKU.';

-- sql/M03_inventory/api_stock.sql

create type public.stock_change as (
  changed boolean, txn_ids bigint[], event_id bigint, sku text, location text, balance numeric, on_hand numeric, reserved numeric, ats numeric,
  notices jsonb);
comment on type public.stock_change is
$$Answer of a stock command: did it move anything, the movements, its event; what lies at the location now, and on hand, promised and available
of the item over all free places. notices: [{code, message, details}] to show, or null.$$;

create function private.check_quantity(p_field text, p_quantity numeric, p_signed boolean default false)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_quantity is null or p_quantity = 0 or p_quantity < 0 and not p_signed or abs(p_quantity) > 1000000000
     or p_quantity = 'NaN' or p_quantity <> round(p_quantity, 3) then
    perform private.fail(422, 'stock.quantity', case when p_signed then 'Enter a quantity other than 0, with at most three decimals.'
      else 'Enter a quantity above 0, with at most three decimals.' end, jsonb_build_object('field', p_field, 'actual', p_quantity));
  end if;
end $$;
comment on function private.check_quantity is 'PT422 stock.quantity unless it is above 0 (or signed and not 0), at most a thousand million, in thousandths.';

create function private.check_reason(p_reason text)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if coalesce(trim(p_reason), '') = '' then
    perform private.fail(422, 'stock.reason_required', 'Say why.', jsonb_build_object('field', 'p_reason'));
  end if;
  perform private.check_length('p_reason', p_reason, 500);
end $$;

create function private.item_to_move(p_sku text, p_is_coming boolean default false)
returns public.inventory_items language plpgsql set search_path = '' as $$
declare
  v_item public.inventory_items := private.find_item(p_sku);
begin
  if not v_item.is_stocked then
    perform private.fail(422, 'item.not_stocked', v_item.title || ' is not kept in stock.', jsonb_build_object('sku', v_item.sku));
  elsif p_is_coming and not v_item.is_active then
    perform private.fail(409, 'item.inactive', v_item.title || ' is no longer in use.', jsonb_build_object('sku', v_item.sku));
  end if;
  return v_item;
end $$;
comment on function private.item_to_move is
  'The item, whatever the case of the SKU. Errors: item.unknown (404), item.not_stocked (422), item.inactive (409) when something comes in.';

create function private.finish_stock(
  p_actor uuid, p_request_id uuid, p_event text, p_sku text, p_place public.locations, p_txn_ids bigint[], p_payload jsonb default '{}',
  p_notices jsonb default null, p_skus text[] default null)
returns public.stock_change language plpgsql set search_path = '' as $$
declare
  v_change public.stock_change;
begin
  perform private.allocate(coalesce(p_skus, array[p_sku]), jsonb_build_object('event', p_event));
  select cardinality(p_txn_ids) > 0, p_txn_ids, null, s.sku, p_place.code, coalesce(b.on_hand, 0), s.on_hand, s.reserved, s.ats, p_notices
    into v_change
    from public.inventory_stock s left join public.inventory_balances b on b.sku = s.sku and b.location = p_place.code where s.sku = p_sku;
  v_change.event_id := private.emit('stock', p_sku, p_event, p_actor, jsonb_strip_nulls(p_payload) || jsonb_build_object('location', p_place.code,
    'txn_ids', p_txn_ids, 'on_hand', v_change.on_hand, 'ats', v_change.ats), null, p_place.site);
  perform private.remember(p_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function private.finish_stock is 'The end of a stock command: promises follow the stock (of p_skus, when it moved more than the one), the event, the answer kept for repeats.';

create function public.receive_stock(
  p_sku text, p_quantity numeric, p_location text default null, p_unit_cost numeric default null, p_ref text default null,
  p_reason text default null, p_request_id uuid default null)
returns public.stock_change language plpgsql security definer set search_path = '' as $$
declare
  v_place public.locations := private.place(p_location);
  v_actor uuid := private.authorize('inventory.move', null, v_place.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'receive_stock',
    jsonb_build_array(p_sku, p_quantity, p_location, p_unit_cost, p_ref, p_reason));
  v_item public.inventory_items;
  v_id bigint;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stock_change, v_answer);
  end if;
  perform private.check_place(v_place, p_location);
  perform private.check_quantity('p_quantity', p_quantity);
  perform private.check_length('p_ref', p_ref, 200);
  perform private.check_length('p_reason', p_reason, 500);
  v_item := private.item_to_move(p_sku, true);
  v_id := private.post_txn(v_item.sku, v_place.code, 'receipt', p_quantity, case when p_ref is not null then 'delivery' end, p_ref, p_reason,
    v_actor, coalesce(p_unit_cost, v_item.unit_cost));
  return private.finish_stock(v_actor, p_request_id, 'stock.received', v_item.sku, v_place, array[v_id],
    jsonb_build_object('quantity', p_quantity, 'ref', p_ref));
end $$;
comment on function public.receive_stock is
$$Goods came in. p_quantity in the item's uom, above 0; p_unit_cost per uom; p_ref: delivery note or purchase order; p_location: default place.
Permission: inventory.move at the site of the location.
Errors: item.unknown (404), item.not_stocked (422), item.inactive (409), location.unknown (404), location.required (422), location.inactive (409), stock.quantity (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call is another delivery.
Locks: the item, then the order lines it is promised to.$$;

create function private.move_stock(
  p_item public.inventory_items, p_kind text, p_quantity numeric, p_from public.locations, p_to public.locations, p_reason text, p_actor uuid)
returns bigint[] language plpgsql set search_path = '' as $$
declare
  v_out bigint := private.post_txn(p_item.sku, p_from.code, p_kind, -p_quantity, 'location', p_to.code, p_reason, p_actor);
begin
  return case when p_to.code is null then array[v_out]
    else array[v_out, private.post_txn(p_item.sku, p_to.code, p_kind, p_quantity, 'location', p_from.code, p_reason, p_actor)] end;
end $$;

create function public.issue_stock(
  p_sku text, p_quantity numeric, p_to text default null, p_from text default null, p_reason text default null, p_request_id uuid default null)
returns public.stock_change language plpgsql security definer set search_path = '' as $$
declare
  v_from public.locations := private.place(p_from);
  v_to public.locations;
  v_actor uuid := private.authorize('inventory.move', null, v_from.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'issue_stock', jsonb_build_array(p_sku, p_quantity, p_to, p_from, p_reason));
  v_item public.inventory_items;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stock_change, v_answer);
  end if;
  perform private.check_place(v_from, p_from);
  if p_to is not null then
    v_to := private.place(p_to);
    perform private.check_place(v_to, p_to);
    perform private.authorize('inventory.move', null, v_to.site);
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  perform private.check_length('p_reason', p_reason, 500);
  v_item := private.item_to_move(p_sku);
  return private.finish_stock(v_actor, p_request_id, 'stock.issued', v_item.sku, v_from,
    private.move_stock(v_item, 'issue', p_quantity, v_from, v_to, p_reason, v_actor),
    jsonb_build_object('quantity', p_quantity, 'to', p_to));
end $$;
comment on function public.issue_stock is
$$Stock is handed to work in progress: from a location (the default place) to p_to, where nobody else can be promised it; without p_to it is used up.
Permission: inventory.move at the sites of both locations.
Errors: item.unknown (404), item.not_stocked (422), location.unknown (404), location.required (422), location.inactive (409), stock.short (409), stock.quantity (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call issues again.
Locks: the item, then the order lines it is promised to.$$;

create function public.transfer_stock(
  p_sku text, p_quantity numeric, p_from text, p_to text, p_reason text default null, p_request_id uuid default null)
returns public.stock_change language plpgsql security definer set search_path = '' as $$
declare
  v_from public.locations := private.place(p_from);
  v_to public.locations := private.place(p_to);
  v_actor uuid := private.authorize('inventory.move', null, v_from.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'transfer_stock', jsonb_build_array(p_sku, p_quantity, p_from, p_to, p_reason));
  v_item public.inventory_items;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stock_change, v_answer);
  end if;
  perform private.authorize('inventory.move', null, v_to.site);
  perform private.check_place(v_from, p_from);
  perform private.check_place(v_to, p_to);
  if v_from.code = v_to.code then
    perform private.fail(422, 'stock.same_place', 'Choose another location to move it to.', jsonb_build_object('location', v_to.code));
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  perform private.check_length('p_reason', p_reason, 500);
  v_item := private.item_to_move(p_sku);
  return private.finish_stock(v_actor, p_request_id, 'stock.transferred', v_item.sku, v_to,
    private.move_stock(v_item, 'transfer', p_quantity, v_from, v_to, p_reason, v_actor),
    jsonb_build_object('quantity', p_quantity, 'from', v_from.code));
end $$;
comment on function public.transfer_stock is
$$Stock goes from one location to another; both movements in one command. Into or out of quarantine or work in progress it changes what is free.
Permission: inventory.move at the sites of both locations.
Errors: item.unknown (404), item.not_stocked (422), location.unknown (404), location.required (422), location.inactive (409), stock.same_place (422), stock.short (409), stock.quantity (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call moves again.
Locks: the item, then the order lines it is promised to.$$;

create function public.adjust_stock(
  p_sku text, p_quantity numeric, p_reason text default null, p_location text default null, p_request_id uuid default null)
returns public.stock_change language plpgsql security definer set search_path = '' as $$
declare
  v_place public.locations := private.place(p_location);
  v_actor uuid := private.authorize('inventory.adjust', null, v_place.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'adjust_stock', jsonb_build_array(p_sku, p_quantity, p_reason, p_location));
  v_item public.inventory_items;
  v_id bigint;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stock_change, v_answer);
  end if;
  perform private.check_place(v_place, p_location);
  perform private.check_quantity('p_quantity', p_quantity, true);
  perform private.check_reason(p_reason);
  v_item := private.item_to_move(p_sku);
  v_id := private.post_txn(v_item.sku, v_place.code, 'adjust', p_quantity, null, null, p_reason, v_actor);
  return private.finish_stock(v_actor, p_request_id, 'stock.adjusted', v_item.sku, v_place, array[v_id],
    jsonb_build_object('quantity', p_quantity, 'reason', p_reason));
end $$;
comment on function public.adjust_stock is
$$Correct the stock by so much, up or down, and say why. p_quantity is the difference, not the new figure: what others move meanwhile stays right.
Permission: inventory.adjust at the site of the location.
Errors: item.unknown (404), item.not_stocked (422), location.unknown (404), location.required (422), location.inactive (409), stock.short (409), stock.quantity (422), stock.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call adjusts again.
Locks: the item, then the order lines it is promised to.$$;

create function public.scrap_stock(
  p_sku text, p_quantity numeric, p_reason text default null, p_location text default null, p_request_id uuid default null)
returns public.stock_change language plpgsql security definer set search_path = '' as $$
declare
  v_place public.locations := private.place(p_location);
  v_actor uuid := private.authorize('inventory.move', null, v_place.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'scrap_stock', jsonb_build_array(p_sku, p_quantity, p_reason, p_location));
  v_item public.inventory_items;
  v_id bigint;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stock_change, v_answer);
  end if;
  perform private.check_place(v_place, p_location);
  perform private.check_quantity('p_quantity', p_quantity);
  perform private.check_reason(p_reason);
  v_item := private.item_to_move(p_sku);
  v_id := private.post_txn(v_item.sku, v_place.code, 'scrap', -p_quantity, null, null, p_reason, v_actor);
  return private.finish_stock(v_actor, p_request_id, 'stock.scrapped', v_item.sku, v_place, array[v_id],
    jsonb_build_object('quantity', p_quantity, 'reason', p_reason));
end $$;
comment on function public.scrap_stock is
$$Thrown away: so much is gone, and why.
Permission: inventory.move at the site of the location.
Errors: item.unknown (404), item.not_stocked (422), location.unknown (404), location.required (422), location.inactive (409), stock.short (409), stock.quantity (422), stock.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call scraps again.
Locks: the item, then the order lines it is promised to.$$;

create function public.reverse_stock(p_txn_ids bigint[], p_reason text default null, p_request_id uuid default null)
returns public.stock_change language plpgsql security definer set search_path = '' as $$
declare
  v_txn public.inventory_txn := (select t from public.inventory_txn t where t.id = any (p_txn_ids) order by t.id limit 1);
  v_place public.locations := private.place(coalesce(v_txn.location, ''));
  v_actor uuid := private.authorize('inventory.adjust', null, v_place.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'reverse_stock', jsonb_build_array(p_txn_ids, p_reason));
  v_ids bigint[];
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stock_change, v_answer);
  elsif (select count(*) from public.inventory_txn t where t.id = any (p_txn_ids)) <> coalesce(cardinality(p_txn_ids), 0) or v_txn.id is null then
    perform private.fail(404, 'stock.unknown', 'There is no such movement.', jsonb_build_object('ids', p_txn_ids));
  elsif exists (select 1 from public.inventory_txn t where t.id = any (p_txn_ids) and (t.sku <> v_txn.sku or t.reverses is not null
      or t.batch_id is not null or t.kind not in ('receipt', 'issue', 'transfer', 'adjust', 'scrap') or t.ref_stream not in ('location', 'delivery')))
     or (select sum(t.quantity) <> 0 from public.inventory_txn t where t.id = any (p_txn_ids) and t.ref_stream = 'location' and t.ref_id is not null) then
    perform private.fail(409, 'stock.not_reversible', 'Only a whole movement made by hand can be taken back here: both sides of a transfer, '
      || 'and nothing that belongs to an order, a count, an import or a print.', jsonb_build_object('ids', p_txn_ids));
  end if;
  perform private.authorize('inventory.adjust', null, l.site) from public.locations l
    where l.code in (select t.location from public.inventory_txn t where t.id = any (p_txn_ids));
  perform private.check_reason(p_reason);
  perform private.lock_stock(array[v_txn.sku]);
  if exists (select 1 from public.inventory_txn t where t.reverses = any (p_txn_ids)) then
    perform private.fail(409, 'stock.reversed', 'This movement was taken back already.', jsonb_build_object('ids', p_txn_ids));
  end if;
  v_ids := array(
    select private.post_txn(x.sku, x.location, x.kind, -x.quantity, x.ref_stream, x.ref_id, p_reason, v_actor, x.unit_cost, null, x.id)
      from (select t.* from public.inventory_txn t where t.id = any (p_txn_ids) order by t.quantity desc) x);
  return private.finish_stock(v_actor, p_request_id, 'stock.reversed', v_txn.sku, v_place, v_ids,
    jsonb_build_object('reverses', p_txn_ids, 'reason', p_reason));
end $$;
comment on function public.reverse_stock is
$$Take back one command made by hand (receive, issue, transfer, adjust, scrap): p_txn_ids as its answer named them, all of them.
Permission: inventory.adjust at the sites of the locations.
Errors: stock.unknown (404), stock.not_reversible (409), stock.reversed (409), stock.short (409), stock.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a movement is taken back once.
Locks: the item, then the order lines it is promised to.$$;

grant execute on function public.receive_stock, public.issue_stock, public.transfer_stock, public.adjust_stock, public.scrap_stock,
  public.reverse_stock to authenticated, service_role;

-- sql/M03_inventory/api_items.sql

create function private.with_item_fields(p_item public.inventory_items, p_fields jsonb)
returns public.inventory_items language plpgsql stable set search_path = '' as $$
declare
  v_item public.inventory_items := jsonb_populate_record(p_item, (
    select coalesce(jsonb_object_agg(f.key, f.value), '{}') from jsonb_each(p_fields) f
     where f.value <> 'null' and f.key in ('title', 'kind', 'uom', 'is_stocked', 'forbid_negative', 'is_listed', 'min_stock', 'supplier',
       'unit_cost', 'is_active')));
begin
  v_item.supplier := nullif(v_item.supplier, '');
  return v_item;
end $$;
comment on function private.with_item_fields is 'The item with new values {field: value}; null leaves a field alone, an empty supplier clears it.';

create function private.save_item(p_sku text, p_fields jsonb)
returns public.inventory_items language plpgsql set search_path = '' as $$
declare
  v_old public.inventory_items;
  v_new public.inventory_items;
begin
  insert into public.inventory_items (sku, title) values (p_sku, coalesce(p_fields ->> 'title', p_sku)) on conflict do nothing;
  select i.* into v_old from public.inventory_items i where lower(i.sku) = lower(p_sku) for update;
  v_new := private.with_item_fields(v_old, p_fields);
  if v_new is not distinct from v_old then
    return v_old;
  end if;
  perform private.lock_stock(array[v_old.sku]);
  if v_new.forbid_negative and not v_old.forbid_negative and exists (
    select 1 from public.inventory_balances b where b.sku = v_old.sku and b.on_hand < 0) then
    perform private.fail(409, 'item.negative', v_old.title || ' is below zero somewhere. Count or adjust it first.', jsonb_build_object('sku', v_old.sku));
  elsif v_old.is_stocked and not v_new.is_stocked and exists (
    select 1 from public.inventory_balances b where b.sku = v_old.sku and b.on_hand <> 0) then
    perform private.fail(409, 'item.in_use', 'There is still stock of ' || v_old.title || '.', jsonb_build_object('sku', v_old.sku));
  end if;
  update public.inventory_items i
     set (title, kind, uom, is_stocked, forbid_negative, is_listed, min_stock, supplier, unit_cost, is_active) =
       (v_new.title, v_new.kind, v_new.uom, v_new.is_stocked, v_new.forbid_negative, v_new.is_listed, v_new.min_stock, v_new.supplier,
        v_new.unit_cost, v_new.is_active)
   where i.sku = v_old.sku returning i.* into v_new;
  return v_new;
end $$;
comment on function private.save_item is
  'Add an item or change the given fields. Errors: item.negative (409), item.in_use (409); constraints by name. Locks: the item and its stock.';

create function public.upsert_item(
  p_sku text, p_title text default null, p_kind text default null, p_uom text default null, p_min_stock numeric default null,
  p_supplier text default null, p_unit_cost numeric default null, p_forbid_negative boolean default null, p_is_stocked boolean default null,
  p_is_listed boolean default null, p_is_active boolean default null, p_version integer default null, p_request_id uuid default null)
returns public.inventory_items language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.manage');
  v_fields jsonb := jsonb_strip_nulls(jsonb_build_object('title', p_title, 'kind', p_kind, 'uom', p_uom, 'min_stock', p_min_stock,
    'supplier', p_supplier, 'unit_cost', p_unit_cost, 'forbid_negative', p_forbid_negative, 'is_stocked', p_is_stocked,
    'is_listed', p_is_listed, 'is_active', p_is_active));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'upsert_item', jsonb_build_array(p_sku, v_fields, p_version));
  v_before public.inventory_items;
  v_item public.inventory_items;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.inventory_items, v_answer);
  end if;
  select i.* into v_before from public.inventory_items i where lower(i.sku) = lower(p_sku) for update;
  if p_version is not null and p_version <> coalesce(v_before.version, 0) then
    perform private.fail(409, 'item.stale', 'Somebody changed this item meanwhile. Look again before you save.',
      jsonb_build_object('expected', coalesce(v_before.version, 0), 'actual', p_version));
  end if;
  v_item := private.save_item(p_sku, v_fields);
  if v_item is distinct from v_before then
    perform private.emit('item', v_item.sku, 'item.saved', v_actor, jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_item)));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_item));
  return v_item;
end $$;
comment on function public.upsert_item is
$$Add an item, or change it: null leaves a field alone, an empty supplier clears it. The SKU is found whatever its case and never changes.
p_min_stock in uom, p_unit_cost per uom. p_version (0 = new) refuses to overwrite somebody else's edit.
Permission: inventory.manage.
Errors: item.stale (409), item.negative (409), item.in_use (409), request.reused (422); constraints by name (inventory_items_kind_check …).
Idempotency: by p_request_id; the same values again change nothing.
Locks: the item and its stock.$$;

create function public.set_min_stock(p_sku text, p_min_stock numeric, p_request_id uuid default null)
returns public.inventory_items language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.adjust');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'set_min_stock', jsonb_build_array(p_sku, p_min_stock));
  v_before public.inventory_items;
  v_item public.inventory_items;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.inventory_items, v_answer);
  end if;
  v_before := private.item_to_move(p_sku);
  if p_min_stock is distinct from 0 then
    perform private.check_quantity('p_min_stock', p_min_stock);
  end if;
  v_item := private.save_item(v_before.sku, jsonb_build_object('min_stock', p_min_stock));
  if v_item is distinct from v_before then
    perform private.emit('item', v_item.sku, 'item.saved', v_actor, jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_item)));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_item));
  return v_item;
end $$;
comment on function public.set_min_stock is
$$How much should always be there (uom; 0 = no alarm). At or below it the item is low.
Permission: inventory.adjust.
Errors: item.unknown (404), item.not_stocked (422), stock.quantity (422), request.reused (422).
Idempotency: by p_request_id; the same value again changes nothing.
Locks: the item and its stock.$$;

create function public.upsert_location(
  p_code text, p_title text default null, p_kind text default null, p_site text default null, p_is_default boolean default null,
  p_is_active boolean default null, p_request_id uuid default null)
returns public.locations language plpgsql security definer set search_path = '' as $$
declare
  v_old public.locations := private.place(coalesce(p_code, ''));
  v_site text := coalesce(p_site, v_old.site);
  v_actor uuid := private.authorize('inventory.manage', null, v_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'upsert_location',
    jsonb_build_array(p_code, p_title, p_kind, p_site, p_is_default, p_is_active));
  v_place public.locations;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.locations, v_answer);
  end if;
  perform private.authorize('inventory.manage', null, v_old.site);   -- who takes one over must have had it
  select l.* into v_old from public.locations l where l.code = p_code for update;   -- movements on their way land first
  if not exists (select 1 from public.sites si where si.code = v_site) then
    perform private.fail(404, 'site.unknown', 'There is no site ' || coalesce(v_site, '') || '.', jsonb_build_object('site', v_site));
  elsif v_old.is_default and (not p_is_default or not p_is_active) then
    perform private.fail(409, 'location.is_default', 'Make another location the default one first.', jsonb_build_object('location', p_code));
  elsif (v_old.site <> v_site or v_old.kind <> p_kind or not p_is_active)
     and exists (select 1 from public.inventory_balances b where b.location = p_code and b.on_hand <> 0) then
    perform private.fail(409, 'location.in_use', 'There is stock at ' || v_old.title || '. Move it first.', jsonb_build_object('location', p_code));
  end if;
  if p_is_default then
    update public.locations l set is_default = false where l.site = v_site and l.is_default and l.code <> p_code;
  end if;
  insert into public.locations as l (code, site, title, kind, is_default, is_active)
  values (p_code, v_site, coalesce(p_title, p_code), coalesce(p_kind, 'warehouse'), coalesce(p_is_default, false), coalesce(p_is_active, true))
  on conflict on constraint locations_pkey do update
    set site = v_site, title = coalesce(p_title, l.title), kind = coalesce(p_kind, l.kind), is_default = coalesce(p_is_default, l.is_default),
        is_active = coalesce(p_is_active, l.is_active)
  returning l.* into v_place;
  if v_place is distinct from v_old then
    perform private.emit('location', v_place.code, 'location.saved', v_actor,
      jsonb_build_object('before', to_jsonb(v_old), 'after', to_jsonb(v_place)), null, v_place.site);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_place));
  return v_place;
end $$;
comment on function public.upsert_location is
$$Add a place or change it; null leaves a field alone. p_kind: warehouse, finished_goods, station (free stock), wip, quarantine (not free).
A site has one default place: making one the default takes it from the other.
Permission: inventory.manage at the site, and at the site it was.
Errors: site.unknown (404), location.is_default (409), location.in_use (409), request.reused (422); constraints by name (locations_kind_check …).
Idempotency: by p_request_id; the same values again change nothing.
Locks: the location, and the default one of its site.$$;

grant execute on function public.upsert_item, public.set_min_stock, public.upsert_location to authenticated, service_role;

-- sql/M03_inventory/api_bom.sql

create function private.check_requirement_lines(p_lines jsonb)
returns void language plpgsql stable set search_path = '' as $$
begin
  if jsonb_typeof(p_lines) is distinct from 'array' or jsonb_array_length(p_lines) > 500 or exists (
    select 1 from jsonb_array_elements(p_lines) l (item) where jsonb_typeof(l.item) <> 'object'
       or coalesce(l.item ->> 'quantity', '') !~ '^\d{1,9}(\.\d{1,3})?$' or l.item ->> 'quantity' ~ '^[0.]+$'
       or coalesce(l.item ->> 'stage', 'Filling') not in ('Filling', 'Covering', 'Decorating', 'Packing')
       or coalesce(l.item ->> 'is_optional', 'false') not in ('true', 'false')) then
    perform private.fail(422, 'bom.lines', 'Each line needs a SKU, a quantity above 0 and, if any, a stage from Filling to Packing.',
      jsonb_build_object('field', 'p_lines'));
  end if;
end $$;

create function public.save_requirements(
  p_lines jsonb, p_parent_sku text default null, p_title text default null, p_store text default null, p_variant text default null,
  p_match text default 'exact', p_request_id uuid default null)
returns setof public.product_requirements language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.manage', p_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_requirements',
    jsonb_build_array(p_lines, p_parent_sku, p_title, p_store, p_variant, p_match));
  v_parent text;
begin
  if v_answer is null then
    if num_nonnulls(p_parent_sku, p_title) <> 1 or p_parent_sku is not null and num_nonnulls(p_store, p_variant) > 0
       or p_title is not null and private.words(p_title) = '' then
      perform private.fail(422, 'bom.product', 'Name the product by its SKU, or by its title (with store and variant, if you like).',
        jsonb_build_object('field', 'p_title'));
    end if;
    perform private.check_requirement_lines(p_lines);
    if p_parent_sku is not null then
      v_parent := (private.find_item(p_parent_sku)).sku;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('takt product_requirements', 0));
    delete from public.product_requirements r
     where r.parent_sku is not distinct from v_parent and r.title is not distinct from p_title and r.store is not distinct from p_store
       and r.variant is not distinct from p_variant and (v_parent is not null or r.match = p_match);
    insert into public.product_requirements (parent_sku, store, match, title, variant, sku, quantity, stage, is_optional)
    select v_parent, p_store, case when v_parent is null then p_match else 'exact' end, p_title, p_variant, (private.find_item(l.item ->> 'sku')).sku,
      (l.item ->> 'quantity')::numeric, (l.item ->> 'stage')::public.stage_type, coalesce((l.item ->> 'is_optional')::boolean, false)
      from jsonb_array_elements(p_lines) l (item);
    select coalesce(jsonb_agg(to_jsonb(r) order by r.id), '[]') into v_answer from public.product_requirements r
     where r.parent_sku is not distinct from v_parent and r.title is not distinct from p_title and r.store is not distinct from p_store
       and r.variant is not distinct from p_variant and (v_parent is not null or r.match = p_match);
    perform private.mark_order_stock(array(select o.row_id from public.orders o
      where o.stage <> 'Complete' and o.cancelled_at is null and (p_store is null or o.store = p_store)), true);
    perform private.emit('item', coalesce(v_parent, p_title), 'bom.saved', v_actor, jsonb_build_object('lines', v_answer), p_store);
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return query select r.* from jsonb_populate_recordset(null::public.product_requirements, v_answer) r;
end $$;
comment on function public.save_requirements is
$$The whole bill of materials of a product: p_lines [{sku, quantity, stage, is_optional}] per piece replaces what was there; [] clears it.
The product is a SKU, or a title (p_match exact or keyword) of one store or all, perhaps only of the variants with the words p_variant.
Permission: inventory.manage, in the store when one is named.
Errors: bom.product (422), bom.lines (422), bom.cycle (422), item.unknown (404), request.reused (422); constraints by name (product_requirements_key …).
Idempotency: by p_request_id; the same lines again are the same bill (with new ids).
Locks: all bills of materials against other writers; then the open tickets' stock, by SKU.$$;

create function public.get_requirements(p_sku text, p_quantity numeric default 1)
returns table (level integer, path text[], sku text, title text, quantity numeric, stage public.stage_type, is_optional boolean, on_hand numeric, ats numeric)
language plpgsql stable security definer set search_path = '' as $$
declare
  v_blind text[];
begin
  perform private.authorize('inventory.read');
  v_blind := private.blind_skus();
  return query
    with recursive tree as (
      select 1 as level, array[r.sku] as path, r.sku, r.quantity * p_quantity as quantity, r.stage, r.is_optional
        from public.product_requirements r where r.parent_sku = (private.find_item(p_sku)).sku
      union all
      select t.level + 1, t.path || r.sku, r.sku, r.quantity * t.quantity, coalesce(t.stage, r.stage), t.is_optional or r.is_optional
        from tree t join public.product_requirements r on r.parent_sku = t.sku where t.level < 50
    )
    select t.level, t.path, t.sku, i.title, trim_scale(t.quantity), t.stage, t.is_optional,
      case when t.sku <> all (v_blind) then s.on_hand end, case when t.sku <> all (v_blind) then s.ats end
      from tree t join public.inventory_items i on i.sku = t.sku join public.inventory_stock s on s.sku = t.sku order by t.path;
end $$;
comment on function public.get_requirements is
$$What so many pieces of a product are made of, through every level, as a tree in the order of its paths. on_hand and ats are null for what
the caller is counting.
Permission: inventory.read.
Errors: item.unknown (404).
Idempotency: a read.
Locks: none.$$;

create function public.save_deduction_rule(
  p_pattern text, p_sku text, p_quantity numeric default 1, p_match text default 'keyword', p_applies_to text default 'any',
  p_store text default null, p_priority integer default 100, p_is_active boolean default true, p_request_id uuid default null)
returns public.deduction_rules language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.manage', p_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_deduction_rule',
    jsonb_build_array(p_pattern, p_sku, p_quantity, p_match, p_applies_to, p_store, p_priority, p_is_active));
  v_rule public.deduction_rules;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.deduction_rules, v_answer);
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  if private.words(p_pattern) = '' then
    perform private.fail(422, 'stock.empty_pattern', 'Enter the words to look for.', jsonb_build_object('field', 'p_pattern'));
  end if;
  insert into public.deduction_rules as r (store, applies_to, match, pattern, sku, quantity, priority, is_active)
  values (p_store, p_applies_to, p_match, p_pattern, (private.find_item(p_sku)).sku, p_quantity, p_priority, p_is_active)
  on conflict on constraint deduction_rules_key do update
    set quantity = excluded.quantity, priority = excluded.priority, is_active = excluded.is_active
  returning r.* into v_rule;
  perform private.emit('item', v_rule.sku, 'deduction_rule.saved', v_actor, to_jsonb(v_rule), p_store);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_rule));
  return v_rule;
end $$;
comment on function public.save_deduction_rule is
$$An order line with these words takes so much of an item from the shelf. p_match: exact (the whole title) or keyword (words in it); p_applies_to:
accessory, product or any; p_store null = every store; the smaller p_priority wins.
Permission: inventory.manage, in the store when one is named.
Errors: item.unknown (404), stock.quantity (422), stock.empty_pattern (422), request.reused (422); constraints by name (deduction_rules_match_check …).
Idempotency: by p_request_id; the same rule again changes quantity, priority and whether it is in use.
Locks: the rule.$$;

create function public.delete_deduction_rule(p_id bigint, p_request_id uuid default null)
returns boolean language plpgsql security definer set search_path = '' as $$
declare
  v_rule public.deduction_rules := (select r from public.deduction_rules r where r.id = p_id);
  v_actor uuid := private.authorize('inventory.manage', v_rule.store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'delete_deduction_rule', jsonb_build_array(p_id));
begin
  if v_answer is not null then
    return v_answer::boolean;
  end if;
  delete from public.deduction_rules r where r.id = p_id;
  if found then
    perform private.emit('item', v_rule.sku, 'deduction_rule.deleted', v_actor, to_jsonb(v_rule), v_rule.store);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_rule.id is not null));
  return v_rule.id is not null;
end $$;
comment on function public.delete_deduction_rule is
$$Take a rule away. True when there was one.
Permission: inventory.manage, in the store of the rule.
Errors: request.reused (422).
Idempotency: by p_request_id; a repeat answers false.
Locks: the rule.$$;
grant execute on function public.save_requirements, public.get_requirements, public.save_deduction_rule, public.delete_deduction_rule
  to authenticated, service_role;

-- sql/M03_inventory/api_orders.sql

create type public.order_stock_answer as (order_id text, changed boolean, moved jsonb, notices jsonb);
comment on type public.order_stock_answer is
$$What a command did to the stock of a ticket. moved: [{order_id, sku, location, quantity}], negative = taken. notices: [{code, message, details}]
to show, or null.$$;

create function private.begin_order_stock(p_order_id text)
returns public.orders language plpgsql set search_path = '' as $$
declare
  v_ticket public.orders;
begin
  select o.* into v_ticket from public.orders o where o.id = p_order_id for update;
  if v_ticket.row_id is null then
    perform private.fail(404, 'order.unknown', 'There is no order ' || coalesce(p_order_id, '') || '.', jsonb_build_object('id', p_order_id));
  end if;
  return v_ticket;
end $$;
comment on function private.begin_order_stock is 'The ticket, locked before any item. Errors: order.unknown (404).';

create function private.order_stock_event(p_ticket public.orders, p_event text, p_moved jsonb, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
begin
  if p_moved <> '[]' then
    perform private.emit('order', p_ticket.id, p_event, p_actor, jsonb_build_object('version', p_ticket.version, 'moved', p_moved), p_ticket.store);
  end if;
end $$;

create function public.deduct_on_order_create(p_order_id text, p_request_id uuid default null)
returns public.order_stock_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.deduct');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'deduct_on_order_create', jsonb_build_array(p_order_id));
  v_ticket public.orders;
  v_moved jsonb;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.order_stock_answer, v_answer);
  end if;
  v_ticket := private.begin_order_stock(p_order_id);
  insert into private.order_stock (row_id) values (v_ticket.row_id)
  on conflict on constraint order_stock_pkey do update set only_plan = false;
  v_moved := private.settle(array[v_ticket.row_id], v_actor);
  perform private.order_stock_event(v_ticket, 'stock.deducted', v_moved, v_actor);
  v_answer := to_jsonb(row(p_order_id, v_moved <> '[]', v_moved, null)::public.order_stock_answer);
  perform private.remember(v_actor, p_request_id, v_answer);
  return jsonb_populate_record(null::public.order_stock_answer, v_answer);
end $$;
comment on function public.deduct_on_order_create is
$$A ticket takes from the shelf what the deduction rules say: accessories, ready products. Orders of stores that track stock do it by themselves as
they come in; the worker calls this for one that could not. What runs short goes below zero, unless the item forbids it.
Permission: inventory.deduct (service only).
Errors: order.unknown (404), stock.short (409), request.reused (422).
Idempotency: by p_request_id, and by the ledger: what was taken already is not taken again.
Locks: the order row, then the items by SKU.$$;

create function public.restock_order(p_order_id text, p_reason text default null, p_request_id uuid default null)
returns public.order_stock_answer language plpgsql security definer set search_path = '' as $$
declare
  v_store text := (select o.store from public.orders o where o.id = p_order_id);
  v_actor uuid := private.authorize('inventory.adjust', v_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'restock_order', jsonb_build_array(p_order_id, p_reason));
  v_ticket public.orders;
  v_moved jsonb;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.order_stock_answer, v_answer);
  end if;
  v_ticket := private.begin_order_stock(p_order_id);
  perform private.check_length('p_reason', p_reason, 500);
  insert into private.order_stock as s (row_id, restocked_at) values (v_ticket.row_id, now())
  on conflict on constraint order_stock_pkey do update set restocked_at = coalesce(s.restocked_at, now()), only_plan = false;
  v_moved := private.settle(array[v_ticket.row_id], v_actor, p_reason);
  perform private.order_stock_event(v_ticket, 'stock.restocked', v_moved, v_actor);
  v_answer := to_jsonb(row(p_order_id, v_moved <> '[]', v_moved, null)::public.order_stock_answer);
  perform private.remember(v_actor, p_request_id, v_answer);
  return jsonb_populate_record(null::public.order_stock_answer, v_answer);
end $$;
comment on function public.restock_order is
$$Put back what a ticket took from the shelf when it arrived, to where it was. From then on edits of the order move nothing. Components that a
completed stage consumed are used and stay used. A cancelled order is restocked by itself.
Permission: inventory.adjust in the order's store.
Errors: order.unknown (404), request.too_long (422), request.reused (422).
Idempotency: by p_request_id, and by the ledger: what was put back is not put back again.
Locks: the order row, then the items by SKU.$$;

create function public.consume_order_stage(p_order_id text, p_stage public.stage_type, p_request_id uuid default null)
returns public.order_stock_answer language plpgsql security definer set search_path = '' as $$
declare
  v_store text := (select o.store from public.orders o where o.id = p_order_id);
  v_actor uuid := private.authorize('inventory.move', v_store);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'consume_order_stage', jsonb_build_array(p_order_id, p_stage));
  v_ticket public.orders;
  v_since bigint;
  v_notices jsonb;
  v_moved jsonb;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.order_stock_answer, v_answer);
  end if;
  v_ticket := private.begin_order_stock(p_order_id);
  if v_ticket.cancelled_at is not null then
    perform private.fail(409, 'order.cancelled', 'This order is cancelled.', jsonb_build_object('id', p_order_id));
  elsif v_ticket.stage <= p_stage or p_stage = 'Complete' then
    perform private.fail(409, 'order.wrong_stage', format('%s is not completed yet.', p_stage),
      jsonb_build_object('expected', p_stage, 'actual', v_ticket.stage));
  end if;
  select coalesce(max(t.id), 0) into v_since from public.inventory_txn t where t.ref_stream = 'order' and t.ref_id = p_order_id;
  v_notices := private.consume_stage(v_ticket, p_stage, v_actor);
  select coalesce(jsonb_agg(jsonb_build_object('order_id', p_order_id, 'sku', t.sku, 'location', t.location, 'quantity', t.quantity)), '[]')
    into v_moved from public.inventory_txn t where t.ref_stream = 'order' and t.ref_id = p_order_id and t.id > v_since;
  perform private.order_stock_event(v_ticket, 'stock.consumed', v_moved, v_actor);
  v_answer := to_jsonb(row(p_order_id, v_moved <> '[]', v_moved, v_notices)::public.order_stock_answer);
  perform private.remember(v_actor, p_request_id, v_answer);
  return jsonb_populate_record(null::public.order_stock_answer, v_answer);
end $$;
comment on function public.consume_order_stage is
$$Take the components of a stage that was completed when some were missing: now they are there. All that are needed, or none.
Permission: inventory.move in the order's store.
Errors: order.unknown (404), order.cancelled (409), order.wrong_stage (409), stock.components_short (409), request.reused (422).
Idempotency: by p_request_id; a stage consumes once, a repeat answers changed = false.
Locks: the order row, then the items by SKU.$$;

create function public.consume_bom(
  p_sku text, p_quantity numeric, p_location text default null, p_produce boolean default false, p_reason text default null,
  p_request_id uuid default null)
returns public.stock_change language plpgsql security definer set search_path = '' as $$
declare
  v_place public.locations := private.place(p_location);
  v_actor uuid := private.authorize('inventory.move', null, v_place.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'consume_bom', jsonb_build_array(p_sku, p_quantity, p_location, p_produce, p_reason));
  v_item public.inventory_items;
  v_needs jsonb;
  v_missing jsonb;
  v_ids bigint[];
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stock_change, v_answer);
  end if;
  perform private.check_place(v_place, p_location);
  perform private.check_quantity('p_quantity', p_quantity);
  perform private.check_length('p_reason', p_reason, 500);
  v_item := private.find_item(p_sku);
  if p_produce then
    v_item := private.item_to_move(p_sku, true);
  end if;
  perform private.lock_stock(array(select e.sku from private.explode(v_item.sku, p_quantity) e) || case when p_produce then v_item.sku end);
  v_needs := private.bom_needs(v_item.sku, p_quantity, v_place.code);
  if v_needs = '[]' then
    perform private.fail(422, 'bom.none', v_item.title || ' has no bill of materials.', jsonb_build_object('sku', v_item.sku));
  end if;
  v_missing := private.shortage(private.must_have(v_needs));
  if v_missing is not null then
    perform private.fail(409, 'stock.components_short', 'Components are missing: ' || (v_missing -> 0 ->> 'message'),
      jsonb_build_object('missing', v_missing));
  end if;
  v_ids := array(select private.post_txn(n.item ->> 'sku', v_place.code, 'consume', -(n.item ->> 'needed')::numeric, 'item', v_item.sku, p_reason, v_actor)
    from jsonb_array_elements(v_needs) n (item) where (n.item ->> 'needed')::numeric <= (n.item ->> 'there')::numeric order by n.item ->> 'sku');
  if p_produce then
    v_ids := v_ids || private.post_txn(v_item.sku, v_place.code, 'produce', p_quantity, null, null, p_reason, v_actor, v_item.unit_cost);
  end if;
  return private.finish_stock(v_actor, p_request_id, 'stock.consumed', v_item.sku, v_place, v_ids,
    jsonb_build_object('quantity', p_quantity, 'produced', p_produce), private.shortage(v_needs),
    array(select n.item ->> 'sku' from jsonb_array_elements(v_needs) n (item)) || v_item.sku);
end $$;
comment on function public.consume_bom is
$$Use up the components of so many pieces at a location: all that are needed or none, an optional one that is missing is left out and told in
notices. p_produce books the finished pieces in as well.
Permission: inventory.move at the site of the location.
Errors: item.unknown (404), item.not_stocked (422), item.inactive (409), bom.none (422), stock.components_short (409) with what is missing, location.unknown (404), location.required (422), location.inactive (409), stock.quantity (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call consumes again.
Locks: the items, by SKU.$$;

create function private.bom_needs(p_sku text, p_quantity numeric, p_location text)
returns jsonb language sql stable set search_path = '' as $$
  with needs as (
    select e.sku, sum(e.quantity) filter (where not e.is_optional) as must, sum(e.quantity) filter (where e.is_optional) as may
      from private.explode(p_sku, p_quantity) e group by e.sku
  ), lines as (
    select n.sku, x.needed, coalesce(b.on_hand, 0) - x.before as there, x.is_optional
      from needs n left join public.inventory_balances b on b.sku = n.sku and b.location = p_location
     cross join lateral (values (n.must, 0, false), (n.may, coalesce(n.must, 0), true)) as x (needed, before, is_optional)
     where x.needed > 0
  )
  select coalesce(jsonb_agg(jsonb_build_object('sku', l.sku, 'needed', trim_scale(l.needed), 'there', trim_scale(l.there),
    'is_optional', l.is_optional) order by l.sku, l.is_optional), '[]') from lines l
$$;
comment on function private.bom_needs is 'What so many pieces need and what lies at the location: [{sku, needed, there, is_optional}].';

grant execute on function public.deduct_on_order_create to service_role;
grant execute on function public.restock_order, public.consume_order_stage, public.consume_bom to authenticated, service_role;

-- sql/M03_inventory/api_counts.sql

-- Blind counts: what is expected is worked out when the figures come in, and written down only then.

create function private.blind_skus()
returns text[] language plpgsql stable security definer set search_path = '' as $$
declare
  v_me uuid := (private.identify()).actor_id;
begin
  return array(select l.sku from public.stock_counts c join public.stock_count_lines l on l.count_id = c.id
    where c.status in ('open', 'recount', 'approval') and c.started_by = v_me and l.status in ('open', 'recount'));
end $$;
comment on function private.blind_skus is 'For policies and reads: items that the caller is counting right now, whose figures they must not see. Wrap it in (select …).';
grant execute on function private.blind_skus to authenticated;

create function private.lock_count(p_count_id bigint)
returns public.stock_counts language plpgsql set search_path = '' as $$
declare
  v_count public.stock_counts;
begin
  select c.* into v_count from public.stock_counts c where c.id = p_count_id for update;
  if v_count.id is null then
    perform private.fail(404, 'count.unknown', 'There is no count ' || coalesce(p_count_id::text, '') || '.', jsonb_build_object('id', p_count_id));
  elsif v_count.status in ('applied', 'cancelled') then
    perform private.fail(409, 'count.closed', 'This count is finished.', jsonb_build_object('id', p_count_id, 'status', v_count.status));
  end if;
  return v_count;
end $$;

create function private.count_site(p_count_id bigint)
returns text language sql stable set search_path = '' as $$
  select l.site from public.stock_counts c join public.locations l on l.code = c.location where c.id = p_count_id
$$;

create type public.count_answer as (count_row public.stock_counts, lines jsonb);
comment on type public.count_answer is
'A count and its lines [{sku, title, uom, status, counted, counted_at, expected, variance, moved, rounds, txn_id}]; expected and variance are null until submitted.';

create function private.count_answer(p_count_id bigint)
returns public.count_answer language sql stable set search_path = '' as $$
  select row(c, (select coalesce(jsonb_agg(to_jsonb(l) - '{count_id,counted_by}'::text[] || jsonb_build_object('title', i.title, 'uom', i.uom)
      order by l.sku), '[]')
    from public.stock_count_lines l join public.inventory_items i on i.sku = l.sku where l.count_id = c.id))::public.count_answer
    from public.stock_counts c where c.id = p_count_id
$$;

create function private.finish_count(p_count public.stock_counts, p_event text, p_actor uuid, p_request_id uuid)
returns public.count_answer language plpgsql set search_path = '' as $$
declare
  v_states text[] := array(select distinct l.status from public.stock_count_lines l where l.count_id = p_count.id);
  v_answer public.count_answer;
begin
  update public.stock_counts c
     set status = case when p_count.status = 'cancelled' then 'cancelled' when 'open' = any (v_states) then 'open'
           when 'recount' = any (v_states) then 'recount' when 'approval' = any (v_states) then 'approval' else 'applied' end
   where c.id = p_count.id;
  update public.stock_counts c set closed_at = now() where c.id = p_count.id and c.status in ('applied', 'cancelled');
  v_answer := private.count_answer(p_count.id);
  perform private.emit('count', p_count.id::text, p_event, p_actor, jsonb_build_object('location', p_count.location, 'version',
    (v_answer.count_row).version, 'status', (v_answer.count_row).status), null, private.count_site(p_count.id));
  perform private.remember(p_actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;

create function public.start_count(p_location text default null, p_skus text[] default null, p_note text default null, p_request_id uuid default null)
returns public.count_answer language plpgsql security definer set search_path = '' as $$
declare
  v_place public.locations := private.place(p_location);
  v_actor uuid := private.authorize('inventory.count', null, v_place.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'start_count', jsonb_build_array(p_location, p_skus, p_note));
  v_skus text[];
  v_busy text;
  v_count public.stock_counts;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.count_answer, v_answer);
  end if;
  perform private.check_place(v_place, p_location);
  perform private.check_length('p_note', p_note, 500);
  if p_skus is null then
    v_skus := array(select b.sku from public.inventory_balances b join public.inventory_items i on i.sku = b.sku
      where b.location = v_place.code and (b.on_hand <> 0 or i.is_active));
  else
    v_skus := array(select distinct (private.item_to_move(s)).sku from unnest(p_skus) s);
  end if;
  if cardinality(v_skus) not between 1 and 5000 then
    perform private.fail(422, 'count.empty', 'Choose 1 to 5000 items to count.', jsonb_build_object('actual', cardinality(v_skus)));
  end if;
  perform pg_advisory_xact_lock(hashtextextended('takt count ' || v_place.code, 0));   -- two counts of one shelf must see each other
  select l.sku into v_busy from public.stock_count_lines l join public.stock_counts c on c.id = l.count_id
   where c.location = v_place.code and c.status in ('open', 'recount', 'approval') and l.status <> 'applied' and l.sku = any (v_skus) order by 1 limit 1;
  if v_busy is not null then
    perform private.fail(409, 'count.running', v_busy || ' is being counted there already.', jsonb_build_object('sku', v_busy, 'location', v_place.code));
  end if;
  insert into public.stock_counts as c (location, note, started_by)
  values (v_place.code, p_note, nullif(v_actor, '00000000-0000-0000-0000-000000000000')) returning c.* into v_count;
  insert into public.stock_count_lines (count_id, sku) select v_count.id, s from unnest(v_skus) s;
  return private.finish_count(v_count, 'count.started', v_actor, p_request_id);
end $$;
comment on function public.start_count is
$$Begin a blind count of a location (default place): of these items, or of all that lie there. Until it is submitted nobody is told what is expected,
and who counts does not see these items' figures anywhere.
Permission: inventory.count at the site of the location.
Errors: item.unknown (404), item.not_stocked (422), location.unknown (404), location.required (422), location.inactive (409), count.empty (422), count.running (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it a repeat is refused with count.running.
Locks: counts of the location against each other.$$;

create function private.apply_count_line(p_count public.stock_counts, p_sku text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_line public.stock_count_lines;
  v_id bigint;
begin
  select l.* into v_line from public.stock_count_lines l where l.count_id = p_count.id and l.sku = p_sku;
  if v_line.variance <> 0 then
    v_id := private.post_txn(p_sku, p_count.location, 'adjust', v_line.variance, 'count', p_count.id::text, p_count.note, p_actor);
  end if;
  update public.stock_count_lines l set status = 'applied', txn_id = v_id where l.count_id = p_count.id and l.sku = p_sku;
end $$;

create function private.check_count_lines(p_lines jsonb)
returns void language plpgsql stable set search_path = '' as $$
begin
  if jsonb_typeof(p_lines) is distinct from 'array' or jsonb_array_length(p_lines) not between 1 and 5000 or exists (
    select 1 from jsonb_array_elements(p_lines) l (item) where jsonb_typeof(l.item) <> 'object'
       or coalesce(l.item ->> 'counted', '') !~ '^\d{1,9}(\.\d{1,3})?$')
     or (select count(*) <> count(distinct lower(l.item ->> 'sku')) from jsonb_array_elements(p_lines) l (item)) then
    perform private.fail(422, 'count.lines', 'Each line needs its SKU, once, and the counted figure, 0 or more.', jsonb_build_object('field', 'p_lines'));
  end if;
  perform (l.item ->> 'counted_at')::timestamptz from jsonb_array_elements(p_lines) l (item);
exception when datetime_field_overflow or invalid_datetime_format then
  perform private.fail(422, 'count.counted_at', 'The time of counting cannot be read.', jsonb_build_object('field', 'counted_at'));
end $$;

create function private.submit_count_line(p_count public.stock_counts, p_sku text, p_counted numeric, p_at timestamptz, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_line public.stock_count_lines;
  v_expected numeric;
  v_moved boolean;
  v_asks boolean;
begin
  insert into public.stock_count_lines (count_id, sku) values (p_count.id, p_sku) on conflict do nothing;   -- found, though nobody expected it
  select l.* into v_line from public.stock_count_lines l where l.count_id = p_count.id and l.sku = p_sku;
  if v_line.status not in ('open', 'recount') then
    perform private.fail(409, 'count.submitted', p_sku || ' was submitted already.', jsonb_build_object('sku', p_sku));
  elsif p_at > clock_timestamp() + interval '1 minute' or p_at < p_count.started_at - interval '1 minute' or v_line.rounds > 0 and p_at < v_line.opened_at then
    perform private.fail(422, 'count.counted_at', 'The time of counting lies before the count began or in the future. Check the clock.',
      jsonb_build_object('sku', p_sku, 'actual', p_at, 'since', v_line.opened_at));
  end if;
  -- What lay there when it was looked at: now, without what moved later. Without an instant it was looked at just now.
  select coalesce((select b.on_hand from public.inventory_balances b where b.sku = p_sku and b.location = p_count.location), 0)
      - coalesce(sum(t.quantity) filter (where t.at > p_at), 0), count(*) > 0 and p_at is null
    into v_expected, v_moved
    from public.inventory_txn t where t.sku = p_sku and t.location = p_count.location and t.at > least(v_line.opened_at, p_at);
  v_asks := p_counted <> v_expected and (v_moved or abs(p_counted - v_expected) * 100
    > private.setting('inventory.count_tolerance', null, private.count_site(p_count.id))::integer * greatest(abs(v_expected), 1));
  update public.stock_count_lines l
     set counted = p_counted, counted_at = coalesce(p_at, clock_timestamp()), counted_by = nullif(p_actor, '00000000-0000-0000-0000-000000000000'),
         expected = v_expected, moved = v_moved, rounds = l.rounds + 1, status = 'approval'
   where l.count_id = p_count.id and l.sku = p_sku;
  if not v_asks then
    perform private.apply_count_line(p_count, p_sku, p_actor);
  end if;
end $$;
comment on function private.submit_count_line is
$$One figure. A difference above setting inventory.count_tolerance (percent of what is expected), or of something that moved while nobody said when
they looked, waits for another person; the rest is booked at once. Errors: count.submitted (409), count.counted_at (422). Locks: the item is locked.$$;

create function public.submit_count(p_count_id bigint, p_lines jsonb, p_request_id uuid default null)
returns public.count_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.count', null, private.count_site(p_count_id));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'submit_count', jsonb_build_array(p_count_id, p_lines));
  v_count public.stock_counts;
  v_skus text[];
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.count_answer, v_answer);
  end if;
  v_count := private.lock_count(p_count_id);
  if v_count.started_by is distinct from nullif(v_actor, '00000000-0000-0000-0000-000000000000') then
    perform private.fail(403, 'count.not_yours', 'Somebody else is counting this. Whoever began a count submits it.', jsonb_build_object('id', p_count_id));
  end if;
  perform private.check_count_lines(p_lines);
  v_skus := array(select (private.item_to_move(l.item ->> 'sku')).sku from jsonb_array_elements(p_lines) l (item) order by 1);
  perform private.lock_stock(v_skus);
  perform private.submit_count_line(v_count, (private.find_item(l.item ->> 'sku')).sku, (l.item ->> 'counted')::numeric,
      (l.item ->> 'counted_at')::timestamptz, v_actor)
    from (select x.item from jsonb_array_elements(p_lines) x (item) order by x.item ->> 'sku') l;
  update public.stock_counts c set submitted_at = clock_timestamp() where c.id = p_count_id;
  perform private.allocate(v_skus, jsonb_build_object('event', 'count.booked', 'ref', p_count_id));
  return private.finish_count(v_count, 'count.submitted', v_actor, p_request_id);
end $$;
comment on function public.submit_count is
$$What was counted: p_lines [{sku, counted, counted_at}], some or all, counted_at when each was looked at (without it: just now). The difference is taken
from what lay there at that instant, so movements before and after are safe. Small differences are booked; larger ones wait for approve_count.
An item that nobody expected there may be added. Only now expected and variance are shown.
Permission: inventory.count at the site of the location, and one's own count.
Errors: count.unknown (404), count.closed (409), count.not_yours (403), count.lines (422), count.counted_at (422), count.submitted (409), item.unknown (404), item.not_stocked (422), request.reused (422).
Idempotency: by p_request_id; a line is submitted once per round.
Locks: the count, then the items by SKU.$$;

create function private.lines_to_decide(p_count public.stock_counts, p_skus text[])
returns text[] language plpgsql stable set search_path = '' as $$
declare
  v_skus text[] := array(select l.sku from public.stock_count_lines l where l.count_id = p_count.id and l.status = 'approval'
    and (p_skus is null or l.sku = any (p_skus)) order by l.sku);
begin
  if v_skus = '{}' then
    perform private.fail(409, 'count.nothing_waits', 'No difference of this count waits for a decision.', jsonb_build_object('id', p_count.id));
  end if;
  return v_skus;
end $$;

create function public.approve_count(p_count_id bigint, p_skus text[] default null, p_request_id uuid default null)
returns public.count_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.approve', null, private.count_site(p_count_id));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'approve_count', jsonb_build_array(p_count_id, p_skus));
  v_count public.stock_counts;
  v_skus text[];
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.count_answer, v_answer);
  end if;
  v_count := private.lock_count(p_count_id);
  v_skus := private.lines_to_decide(v_count, p_skus);
  if exists (select 1 from public.stock_count_lines l where l.count_id = p_count_id and l.sku = any (v_skus) and l.counted_by = v_actor) then
    perform private.fail(403, 'count.same_person', 'You counted this yourself. Another person must approve it.', jsonb_build_object('id', p_count_id));
  end if;
  perform private.lock_stock(v_skus);
  perform private.apply_count_line(v_count, s, v_actor) from unnest(v_skus) s;
  update public.stock_counts c set decided_by = nullif(v_actor, '00000000-0000-0000-0000-000000000000') where c.id = p_count_id;
  perform private.allocate(v_skus, jsonb_build_object('event', 'count.booked', 'ref', p_count_id));
  return private.finish_count(v_count, 'count.approved', v_actor, p_request_id);
end $$;
comment on function public.approve_count is
$$Book the differences that wait (of p_skus, or all): as differences, so that what moved since the count stays.
Permission: inventory.approve at the site of the location, by another person than the counter.
Errors: count.unknown (404), count.closed (409), count.nothing_waits (409), count.same_person (403), stock.short (409), request.reused (422).
Idempotency: by p_request_id; a repeat finds nothing that waits.
Locks: the count, then the items by SKU.$$;

create function public.recount(p_count_id bigint, p_skus text[] default null, p_request_id uuid default null)
returns public.count_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.approve', null, private.count_site(p_count_id));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'recount', jsonb_build_array(p_count_id, p_skus));
  v_count public.stock_counts;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.count_answer, v_answer);
  end if;
  v_count := private.lock_count(p_count_id);
  update public.stock_count_lines l
     set status = 'recount', counted = null, counted_at = null, expected = null, moved = false, opened_at = clock_timestamp()
   where l.count_id = p_count_id and l.sku = any (private.lines_to_decide(v_count, p_skus));
  return private.finish_count(v_count, 'count.recount', v_actor, p_request_id);
end $$;
comment on function public.recount is
$$Count the differences that wait (of p_skus, or all) once more: the figures are forgotten and blind again.
Permission: inventory.approve at the site of the location.
Errors: count.unknown (404), count.closed (409), count.nothing_waits (409), request.reused (422).
Idempotency: by p_request_id; a repeat finds nothing that waits.
Locks: the count.$$;

create function public.cancel_count(p_count_id bigint, p_request_id uuid default null)
returns public.count_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.count', null, private.count_site(p_count_id));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'cancel_count', jsonb_build_array(p_count_id));
  v_count public.stock_counts;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.count_answer, v_answer);
  end if;
  v_count := private.lock_count(p_count_id);
  v_count.status := 'cancelled';
  return private.finish_count(v_count, 'count.cancelled', v_actor, p_request_id);
end $$;
comment on function public.cancel_count is
$$Give a count up. What was booked stays booked; what waits or was not counted is dropped.
Permission: inventory.count at the site of the location.
Errors: count.unknown (404), count.closed (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat is refused with count.closed.
Locks: the count.$$;

create function public.get_count(p_count_id bigint)
returns public.count_answer language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('inventory.count', null, private.count_site(p_count_id));
  return private.count_answer(p_count_id);
end $$;
comment on function public.get_count is
$$A count with its lines; expected and variance of a line only after it was submitted. Null when there is none.
Permission: inventory.count at the site of the location.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.start_count, public.submit_count, public.approve_count, public.recount, public.cancel_count, public.get_count
  to authenticated, service_role;

-- sql/M03_inventory/api_imports.sql

create type public.stock_import_answer as (applied boolean, batch_id bigint, counts jsonb, rows jsonb);
comment on type public.stock_import_answer is
$$Outcome of an import. rows: [{row (from 1), ok, result, sku, errors: [{field, code, message}]}]; result: created, updated, booked, unchanged or error;
counts: {result: rows}. applied is true when it was done and every row was fine; batch_id takes it back (undo_import).$$;

create function private.import_error(p_field text, p_message text)
returns jsonb language sql immutable set search_path = '' as $$
  select jsonb_build_array(jsonb_build_object('field', p_field, 'code', 'import.bad_value', 'message', p_message))
$$;

create function private.import_cell(p_value text, p_type text)
returns jsonb language sql immutable set search_path = '' as $$
  select case
    when p_type = 'text' then to_jsonb(p_value)
    when p_type = 'number' and p_value ~ '^\d{1,9}(\.\d{1,4})?$' then to_jsonb(p_value::numeric)
    when p_type = 'boolean' and lower(p_value) in ('true', 'yes', 'y', '1') then 'true'
    when p_type = 'boolean' and lower(p_value) in ('false', 'no', 'n', '0') then 'false' end
$$;
comment on function private.import_cell is 'A cell as JSON of its type; null when it cannot be read so.';

create function private.import_columns(p_kind text)
returns table (field text, type text) language sql immutable set search_path = '' as $$
  select c.field, c.type from (values
    ('items', 'sku', 'text'), ('items', 'title', 'text'), ('items', 'kind', 'text'), ('items', 'uom', 'text'), ('items', 'min_stock', 'number'),
    ('items', 'supplier', 'text'), ('items', 'unit_cost', 'number'), ('items', 'forbid_negative', 'boolean'), ('items', 'is_stocked', 'boolean'),
    ('items', 'is_listed', 'boolean'), ('items', 'is_active', 'boolean'),
    ('stock', 'sku', 'text'), ('stock', 'location', 'text'), ('stock', 'on_hand', 'number'), ('stock', 'quantity', 'number'),
    ('stock', 'unit_cost', 'number'), ('stock', 'reason', 'text')) as c (kind, field, type)
   where c.kind = p_kind
$$;

create function private.read_import_row(p_kind text, p_row jsonb, out fields jsonb, out errors jsonb)
returns record language plpgsql stable set search_path = '' as $$
begin
  select coalesce(jsonb_object_agg(c.field, private.import_cell(c.value, c.type)) filter (where private.import_cell(c.value, c.type) is not null), '{}'),
    coalesce(jsonb_agg(e.error -> 0 order by c.key) filter (where e.error is not null), '[]')
    into fields, errors
    from (
      select k.key, k.field, k.type, nullif(trim(p_row ->> k.key), '') as value from (
        select r.key, i.field, i.type from jsonb_object_keys(p_row) r (key)
          left join private.import_columns(p_kind) i on i.field = lower(trim(r.key))) k
    ) c
   cross join lateral (select case
      when c.value is null then null
      when c.field is null then private.import_error(c.key, 'There is no column ' || c.key || '.')
      when private.import_cell(c.value, c.type) is null then private.import_error(c.field, format('%s is not %s.', left(c.value, 40),
        case c.type when 'number' then 'a number like 12.5' else 'yes or no' end)) end as error) e;
  if fields ->> 'sku' is null then
    errors := errors || private.import_error('sku', 'The SKU is missing.');
  end if;
  if p_kind = 'stock' and num_nonnulls(fields -> 'on_hand', fields -> 'quantity') <> 1 and errors = '[]' then
    errors := errors || private.import_error('on_hand', 'Give on_hand (what is there) or quantity (what came in), one of them.');
  end if;
end $$;
comment on function private.read_import_row is 'A row of text cells as typed fields, and everything that is wrong with it. Empty cells count as not given.';

create function private.import_item(p_fields jsonb, p_batch bigint)
returns text language plpgsql set search_path = '' as $$
declare
  v_before public.inventory_items;
  v_after public.inventory_items;
begin
  select i.* into v_before from public.inventory_items i where lower(i.sku) = lower(p_fields ->> 'sku') for update;
  v_after := private.save_item(p_fields ->> 'sku', p_fields - 'sku');
  if v_after is not distinct from v_before then
    return 'unchanged';
  end if;
  update public.stock_imports b set before = b.before || jsonb_build_object('sku', v_after.sku, 'before', case when v_before.sku is not null
    then to_jsonb(v_before) end, 'after', to_jsonb(v_after)) where b.id = p_batch;
  return case when v_before.sku is null then 'created' else 'updated' end;
end $$;

create function private.import_stock_row(p_fields jsonb, p_batch bigint, p_actor uuid)
returns text language plpgsql set search_path = '' as $$
declare
  v_item public.inventory_items := private.item_to_move(p_fields ->> 'sku', true);
  v_place public.locations := private.place(p_fields ->> 'location');
  v_quantity numeric := (p_fields ->> 'quantity')::numeric;
begin
  perform private.check_place(v_place, p_fields ->> 'location');
  perform private.authorize('inventory.manage', null, v_place.site);
  perform private.check_length('reason', p_fields ->> 'reason', 500);
  perform private.lock_stock(array[v_item.sku]);
  v_quantity := coalesce(v_quantity, (p_fields ->> 'on_hand')::numeric
    - coalesce((select b.on_hand from public.inventory_balances b where b.sku = v_item.sku and b.location = v_place.code), 0));
  if v_quantity = 0 then
    return 'unchanged';
  end if;
  perform private.check_quantity('quantity', v_quantity, true);
  perform private.post_txn(v_item.sku, v_place.code, case when p_fields ? 'quantity' then 'receipt' else 'adjust' end, v_quantity, 'import',
    p_batch::text, coalesce(p_fields ->> 'reason', 'Import ' || p_batch), p_actor, coalesce((p_fields ->> 'unit_cost')::numeric, v_item.unit_cost), p_batch);
  return 'booked';
end $$;

create function private.import_row(p_kind text, p_row jsonb, p_batch bigint, p_actor uuid, out result text, out errors jsonb, out sku text)
returns record language plpgsql set search_path = '' as $$
declare
  v_fields jsonb;
begin
  select r.fields, r.errors into v_fields, errors from private.read_import_row(p_kind, p_row) r;
  sku := v_fields ->> 'sku';
  result := 'error';
  if errors = '[]' then
    result := case p_kind when 'items' then private.import_item(v_fields, p_batch) else private.import_stock_row(v_fields, p_batch, p_actor) end;
  end if;
exception when others then   -- the next row is tried all the same: a person wants to see every error at once
  declare
    v_code text;
    v_constraint text;
  begin
    get stacked diagnostics v_code = pg_exception_hint, v_constraint = constraint_name;
    result := 'error';
    errors := jsonb_build_array(jsonb_build_object('field', nullif(regexp_replace(v_constraint, '^inventory_items_(.*)_check$', '\1'), ''),
      'code', coalesce(nullif(v_code, ''), nullif(v_constraint, ''), sqlstate), 'message', left(sqlerrm, 300)));
  end;
end $$;

create function private.import_rows(p_kind text, p_rows jsonb, p_dry_run boolean, p_actor uuid)
returns public.stock_import_answer language plpgsql set search_path = '' as $$
declare
  v_row record;
  v_one record;
  v_batch bigint;
  v_twice text[];
  v_answer public.stock_import_answer := row(false, null, '{}', '[]');
begin
  v_twice := array(select lower(concat_ws(' @ ', trim(r.item ->> 'sku'), trim(r.item ->> 'location'))) from jsonb_array_elements(p_rows) r (item)
    where nullif(trim(r.item ->> 'quantity'), '') is null group by 1 having count(*) > 1);
  begin
    perform private.lock_stock(array(select i.sku from public.inventory_items i
      where lower(i.sku) in (select lower(trim(r.item ->> 'sku')) from jsonb_array_elements(p_rows) r (item))));
    insert into public.stock_imports (kind, row_count, actor_id, content_hash)
    values (p_kind, jsonb_array_length(p_rows), nullif(p_actor, '00000000-0000-0000-0000-000000000000'),
      case when exists (select 1 from jsonb_array_elements(p_rows) r (item) where nullif(trim(r.item ->> 'quantity'), '') is not null)
        then md5(p_kind || p_rows::text) end) returning id into v_batch;
    for v_row in select r.item, r.n from jsonb_array_elements(p_rows) with ordinality as r (item, n) order by r.n loop
      select i.* into v_one from private.import_row(p_kind, v_row.item, v_batch, p_actor) i;
      if lower(concat_ws(' @ ', trim(v_row.item ->> 'sku'), trim(v_row.item ->> 'location'))) = any (v_twice) and v_one.sku is not null then
        v_one.result := 'error';
        v_one.errors := v_one.errors || private.import_error('sku', v_one.sku || ' stands in this file more than once.');
      end if;
      v_answer.rows := v_answer.rows || jsonb_build_object('row', v_row.n, 'ok', v_one.errors = '[]', 'result', v_one.result, 'sku', v_one.sku,
        'errors', v_one.errors);
    end loop;
    v_answer.counts := private.count_results(v_answer.rows);
    if p_dry_run or v_answer.counts ? 'error' then
      raise exception using errcode = 'TKDRY', message = 'dry run';
    end if;
    v_answer.applied := true;
    v_answer.batch_id := v_batch;
    perform private.allocate(array(select distinct t.sku from public.inventory_txn t where t.batch_id = v_batch),
      jsonb_build_object('event', 'import.applied', 'ref', v_batch));
  exception when sqlstate 'TKDRY' then
    null;   -- everything above is taken back, what it found is not
  end;
  return v_answer;
end $$;
comment on function private.import_rows is
  'Does it all, row by row, each error noted; takes it all back when it was a dry run or a row was wrong. Locks: the items, by SKU.';

create function private.import_names(p_rows jsonb)
returns jsonb language sql immutable set search_path = '' as $$
  select jsonb_agg((select jsonb_object_agg(lower(trim(c.key)), c.value) from jsonb_each(r.item) c) order by r.n)
    from jsonb_array_elements(p_rows) with ordinality as r (item, n)
$$;
comment on function private.import_names is 'The same rows with their columns in lower case, so that one file is one file however its columns are spelt.';

create function private.import_stock_table(p_kind text, p_rows jsonb, p_dry_run boolean, p_actor uuid)
returns public.stock_import_answer language plpgsql set search_path = '' as $$
declare
  v_answer public.stock_import_answer;
  v_earlier bigint;
begin
  if jsonb_typeof(p_rows) is distinct from 'array' or jsonb_array_length(p_rows) not between 1 and 5000
     or exists (select 1 from jsonb_array_elements(p_rows) r (item) where jsonb_typeof(r.item) <> 'object') then
    perform private.fail(422, 'import.table', 'Send a list of 1 to 5000 rows.', jsonb_build_object('field', 'p_rows'));
  elsif exists (select 1 from jsonb_array_elements(p_rows) r (item)
    where (select count(*) <> count(distinct lower(trim(k))) from jsonb_object_keys(r.item) k)) then
    perform private.fail(422, 'import.table', 'Two columns have the same name. Take one of them out.', jsonb_build_object('field', 'p_rows'));
  end if;
  p_rows := private.import_names(p_rows);
  perform pg_advisory_xact_lock(hashtextextended('takt stock import', 0));
  select b.id into v_earlier from public.stock_imports b where b.content_hash = md5(p_kind || p_rows::text) and b.undone_at is null;
  if v_earlier is not null then
    return row(not p_dry_run, v_earlier, jsonb_build_object('unchanged', jsonb_array_length(p_rows)), (
      select jsonb_agg(jsonb_build_object('row', r.n, 'ok', true, 'result', 'unchanged', 'sku', r.item ->> 'sku', 'errors', '[]'::jsonb) order by r.n)
        from jsonb_array_elements(p_rows) with ordinality as r (item, n)))::public.stock_import_answer;
  end if;
  v_answer := private.import_rows(p_kind, p_rows, p_dry_run, p_actor);
  if v_answer.applied then
    perform private.emit('item', 'import-' || v_answer.batch_id, 'import.applied', p_actor,
      jsonb_build_object('kind', p_kind, 'counts', v_answer.counts));
  end if;
  return v_answer;
end $$;

create function public.import_items(p_rows jsonb, p_dry_run boolean default true, p_request_id uuid default null)
returns public.stock_import_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'import_items', jsonb_build_array(md5(p_rows::text), p_dry_run));
begin
  if v_answer is null then
    v_answer := to_jsonb(private.import_stock_table('items', p_rows, p_dry_run, v_actor));
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return jsonb_populate_record(null::public.stock_import_answer, v_answer);
end $$;
comment on function public.import_items is
$$Items from a table: p_rows [{sku, title, kind, uom, min_stock, supplier, unit_cost, forbid_negative, is_stocked, is_listed, is_active}], cells as text,
an empty cell leaves the field alone. p_dry_run (the default) answers every error of every row and changes nothing; without it all rows or none.
Permission: inventory.manage.
Errors: import.table (422), request.reused (422); per row, answered: import.bad_value, item.negative, item.in_use, constraints by name.
Idempotency: by p_request_id; the same rows again change nothing.
Locks: the items.$$;

create function public.import_stock(p_rows jsonb, p_dry_run boolean default true, p_request_id uuid default null)
returns public.stock_import_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'import_stock', jsonb_build_array(md5(p_rows::text), p_dry_run));
begin
  if v_answer is null then
    v_answer := to_jsonb(private.import_stock_table('stock', p_rows, p_dry_run, v_actor));
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return jsonb_populate_record(null::public.stock_import_answer, v_answer);
end $$;
comment on function public.import_stock is
$$Stock from a table: p_rows [{sku, location, on_hand or quantity, unit_cost, reason}], cells as text. on_hand says what is there (the difference is
booked), quantity what came in; without a location the default place. p_dry_run (the default) answers every error of every row and changes
nothing; without it all rows or none.
Permission: inventory.manage, at the sites of the locations.
Errors: import.table (422), request.reused (422); per row, answered: import.bad_value and the errors of receive_stock.
Idempotency: by p_request_id; rows with on_hand book nothing the second time, and a file with quantities is known by its content and not booked twice.
Locks: the items, by SKU.$$;

create function private.undo_import_of_items(p_import public.stock_imports)
returns void language plpgsql set search_path = '' as $$
declare
  v_one record;
  v_changed text[];
begin
  v_changed := array(select b.item ->> 'sku' from jsonb_array_elements(p_import.before) b (item)
    join public.inventory_items i on i.sku = b.item ->> 'sku' where i.version <> (b.item -> 'after' ->> 'version')::integer order by 1);
  if v_changed <> '{}' then
    perform private.fail(409, 'import.changed_since', 'Some of these items were changed after the import, first ' || v_changed[1] || '.',
      jsonb_build_object('skus', v_changed));
  end if;
  for v_one in select b.item ->> 'sku' as sku, b.item -> 'before' as before from jsonb_array_elements(p_import.before) b (item) order by 1 loop
    if v_one.before <> 'null' then
      perform private.save_item(v_one.sku, v_one.before || jsonb_build_object('supplier', coalesce(v_one.before ->> 'supplier', '')));
      update public.inventory_items i set unit_cost = (v_one.before ->> 'unit_cost')::numeric
       where i.sku = v_one.sku and i.unit_cost is distinct from (v_one.before ->> 'unit_cost')::numeric;
    else
      begin
        delete from public.inventory_items i where i.sku = v_one.sku;
      exception when foreign_key_violation then   -- it was used since: it stays, out of use
        update public.inventory_items i set is_active = false where i.sku = v_one.sku;
      end;
    end if;
  end loop;
end $$;

create function public.undo_import(p_batch_id bigint, p_request_id uuid default null)
returns public.stock_imports language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'undo_import', jsonb_build_array(p_batch_id));
  v_import public.stock_imports;
  v_skus text[];
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.stock_imports, v_answer);
  end if;
  select b.* into v_import from public.stock_imports b where b.id = p_batch_id for update;
  if v_import.id is null then
    perform private.fail(404, 'import.unknown', 'There is no import ' || coalesce(p_batch_id::text, '') || '.', jsonb_build_object('id', p_batch_id));
  elsif v_import.undone_at is null then
    v_skus := array(select distinct t.sku from public.inventory_txn t where t.batch_id = p_batch_id);
    perform private.authorize('inventory.manage', null, l.site) from public.locations l
      where l.code in (select t.location from public.inventory_txn t where t.batch_id = p_batch_id);
    perform private.lock_stock(v_skus);
    perform private.post_txn(x.sku, x.location, x.kind, -x.quantity, 'import', p_batch_id::text, 'Import ' || p_batch_id || ' taken back', v_actor,
        null, null, x.id)
      from (select t.* from public.inventory_txn t where t.batch_id = p_batch_id order by t.sku, t.id) x;
    perform private.undo_import_of_items(v_import);
    update public.stock_imports b set undone_at = now(), undone_by = nullif(v_actor, '00000000-0000-0000-0000-000000000000')
     where b.id = p_batch_id returning b.* into v_import;
    perform private.allocate(v_skus, jsonb_build_object('event', 'import.undone', 'ref', p_batch_id));
    perform private.emit('item', 'import-' || p_batch_id, 'import.undone', v_actor, jsonb_build_object('kind', v_import.kind));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_import));
  return v_import;
end $$;
comment on function public.undo_import is
$$Take a whole import back: its movements by movements the other way, its items to what they were. New items go, or out of use when used since.
Permission: inventory.manage, at the sites of the locations.
Errors: import.unknown (404), import.changed_since (409), stock.short (409) where an item forbids negatives, request.reused (422).
Idempotency: by p_request_id; a repeat changes nothing.
Locks: the import, then the items by SKU.$$;
grant execute on function public.import_items, public.import_stock, public.undo_import to authenticated, service_role;

-- sql/M03_inventory/api_read.sql

create type public.inventory_row as (
  sku text, title text, kind text, uom text, supplier text, unit_cost numeric, min_stock numeric, is_stocked boolean, forbid_negative boolean,
  is_listed boolean, is_active boolean, version integer, on_hand numeric, held numeric, reserved numeric, ats numeric, is_low boolean, locations jsonb,
  state text);
comment on type public.inventory_row is
$$An item with its stock. locations: {code: on hand there}. is_low: at or below min_stock, or nothing left to promise. state: enough, low,
promised (all there is), out, negative or not_stocked.$$;

create type public.inventory_page as (items public.inventory_row[], next_cursor text, total bigint);
comment on type public.inventory_page is 'A page of items; next_cursor is null on the last page; total only when asked for.';

create function private.is_low(p_ats numeric, p_min_stock numeric, p_is_stocked boolean)
returns boolean language sql immutable set search_path = '' as $$
  select p_is_stocked and (p_ats < 0 or p_min_stock > 0 and p_ats <= p_min_stock)
$$;
comment on function private.is_low is 'Less than nothing to promise, or at or below the minimum.';

create function private.inventory_row(p_item public.inventory_items, p_stock public.inventory_stock)
returns public.inventory_row language plpgsql stable set search_path = '' as $$
declare
  v_is_low boolean := private.is_low(p_stock.ats, p_item.min_stock, p_item.is_stocked);
begin
  return row(p_item.sku, p_item.title, p_item.kind, p_item.uom, p_item.supplier, p_item.unit_cost, p_item.min_stock, p_item.is_stocked,
    p_item.forbid_negative, p_item.is_listed, p_item.is_active, p_item.version, p_stock.on_hand, p_stock.held, p_stock.reserved, p_stock.ats, v_is_low,
    (select coalesce(jsonb_object_agg(b.location, trim_scale(b.on_hand)), '{}') from public.inventory_balances b
      where b.sku = p_item.sku and b.on_hand <> 0),
    case when not p_item.is_stocked then 'not_stocked' when p_stock.on_hand < 0 then 'negative' when p_stock.ats > 0 and v_is_low then 'low'
      when p_stock.ats > 0 then 'enough' when p_stock.on_hand > 0 then 'promised' else 'out' end);
end $$;

create function private.inventory_filter(p_search text, p_kind text, p_location text, p_only text, p_with_inactive boolean)
returns setof text language plpgsql stable set search_path = '' as $$
begin
  return query
    select i.sku from public.inventory_items i join public.inventory_stock s on s.sku = i.sku
     where i.sku <> all (private.blind_skus()) and (p_with_inactive or i.is_active) and (p_kind is null or i.kind = p_kind)
       and (p_search is null or position(lower(p_search) in lower(concat_ws(' ', i.sku, i.title, i.supplier))) > 0)
       and (p_location is null or exists (select 1 from public.inventory_balances b where b.sku = i.sku and b.location = p_location and b.on_hand <> 0))
       and (p_only is null
         or p_only = 'low' and private.is_low(s.ats, i.min_stock, i.is_stocked) or p_only = 'out' and i.is_stocked and s.ats <= 0
         or p_only = 'negative' and s.on_hand < 0);
end $$;

create function public.get_inventory(
  p_search text default null, p_kind text default null, p_location text default null, p_only text default null,
  p_with_inactive boolean default false, p_cursor text default null, p_limit integer default 100, p_with_total boolean default false)
returns public.inventory_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_after jsonb := private.keys_of(p_cursor, 1);
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_page public.inventory_page;
begin
  perform private.authorize('inventory.read');
  if p_only not in ('low', 'out', 'negative') then
    perform private.fail(422, 'inventory.only', 'Choose low, out or negative.', jsonb_build_object('field', 'p_only', 'actual', p_only));
  end if;
  v_page.items := array(
    select private.inventory_row(i, s)
      from private.inventory_filter(p_search, p_kind, p_location, p_only, p_with_inactive) f (sku)
      join public.inventory_items i on i.sku = f.sku join public.inventory_stock s on s.sku = i.sku
     where v_after is null or i.sku > v_after ->> 0
     order by i.sku limit v_limit + 1);
  if cardinality(v_page.items) > v_limit then
    v_page.items := v_page.items[1:v_limit];
    v_page.next_cursor := private.cursor_of(jsonb_build_array((v_page.items[v_limit]).sku));
  end if;
  if p_with_total then
    v_page.total := (select count(*) from private.inventory_filter(p_search, p_kind, p_location, p_only, p_with_inactive));
  end if;
  return v_page;
end $$;
comment on function public.get_inventory is
$$Items with their stock, by SKU. p_search in SKU, title and supplier; p_location: what lies there; p_only: low, out (nothing to promise), negative.
Items that the caller is counting right now are left out: a count is blind. p_limit 1–500; total only with p_with_total.
Permission: inventory.read.
Errors: inventory.only (422), request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create function public.get_item(p_sku text)
returns public.inventory_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_item public.inventory_items;
begin
  perform private.authorize('inventory.read');
  v_item := private.find_item(p_sku);
  if v_item.sku = any (private.blind_skus()) then
    perform private.fail(403, 'count.blind', 'You are counting this item. Submit the count first.', jsonb_build_object('sku', v_item.sku));
  end if;
  return (select private.inventory_row(v_item, s) from public.inventory_stock s where s.sku = v_item.sku);
end $$;
comment on function public.get_item is
$$One item with its stock: what a scanned or typed SKU means, whatever its case.
Permission: inventory.read.
Errors: item.unknown (404), count.blind (403).
Idempotency: a read.
Locks: none.$$;

create type public.ledger_entry as (
  id bigint, at timestamptz, sku text, location text, kind text, quantity numeric, balance numeric, reason text, ref_stream text, ref_id text,
  unit_cost numeric, actor_id uuid, actor_name text, batch_id bigint, reverses bigint, reversed_by bigint);
comment on type public.ledger_entry is 'A movement; balance = at the location right after it; reversed_by: the movement that took it back.';
create type public.ledger_page as (entries public.ledger_entry[], next_cursor text);
comment on type public.ledger_page is 'A page of movements, newest first; next_cursor is null on the last page.';

create function public.get_item_ledger(
  p_sku text, p_location text default null, p_kind text default null, p_cursor text default null, p_limit integer default 100)
returns public.ledger_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_after jsonb := private.keys_of(p_cursor, 1);
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_sku text;
  v_page public.ledger_page;
begin
  perform private.authorize('inventory.read');
  v_sku := (private.find_item(p_sku)).sku;
  if v_sku = any (private.blind_skus()) then
    perform private.fail(403, 'count.blind', 'You are counting this item. Submit the count first.', jsonb_build_object('sku', v_sku));
  end if;
  v_page.entries := array(
    select row(t.id, t.at, t.sku, t.location, t.kind, t.quantity, t.balance, t.reason, t.ref_stream, t.ref_id, t.unit_cost, t.actor_id,
        coalesce(p.full_name, d.name), t.batch_id, t.reverses, r.id)::public.ledger_entry
      from public.inventory_txn t left join public.staff_shared p on p.user_id = t.actor_id left join public.devices d on d.user_id = t.actor_id
      left join public.inventory_txn r on r.reverses = t.id
     where t.sku = v_sku and (p_location is null or t.location = p_location) and (p_kind is null or t.kind = p_kind)
       and (v_after is null or t.id < (v_after ->> 0)::bigint)
     order by t.id desc limit v_limit + 1);
  if cardinality(v_page.entries) > v_limit then
    v_page.entries := v_page.entries[1:v_limit];
    v_page.next_cursor := private.cursor_of(jsonb_build_array((v_page.entries[v_limit]).id));
  end if;
  return v_page;
end $$;
comment on function public.get_item_ledger is
$$Every movement of an item, newest first: the drill-down behind a figure. p_limit 1–500.
Permission: inventory.read.
Errors: item.unknown (404), count.blind (403), request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create type public.stock_alarm as (kind text, severity text, sku text, order_id text, message text, since timestamptz, details jsonb);
comment on type public.stock_alarm is
$$Something about stock that a person should look at. kind: negative, out, low, components_short (a stage was completed without its components),
deduct_failed (an order could not take its stock), push_failed (a shop was not told that an item ran out); severity: error, warning.$$;

create function private.item_alarms()
returns setof public.stock_alarm language sql stable set search_path = '' as $$
  select k.kind, case when k.kind = 'low' then 'warning' else 'error' end, i.sku, null,
    case k.kind when 'negative' then format('%s is below zero: %s.', i.title, trim_scale(s.on_hand)) when 'out' then i.title || ' ran out.'
      else format('%s is low: %s of %s.', i.title, trim_scale(s.ats), trim_scale(i.min_stock)) end,
    null::timestamptz, jsonb_build_object('on_hand', trim_scale(s.on_hand), 'reserved', trim_scale(s.reserved), 'ats', trim_scale(s.ats),
      'min_stock', trim_scale(i.min_stock))
    from public.inventory_items i join public.inventory_stock s on s.sku = i.sku
   cross join lateral (select case when s.on_hand < 0 then 'negative' when s.ats <= 0 and i.min_stock > 0 then 'out' else 'low' end) as k (kind)
   where i.is_active and private.is_low(s.ats, i.min_stock, i.is_stocked)
$$;

create function private.order_alarms(p_stores text[])
returns setof public.stock_alarm language sql stable set search_path = '' as $$
  select 'components_short', 'error', null, o.id, format('%s was completed for %s, but components were missing.', c.stage, o.id), c.at,
    jsonb_build_object('stage', c.stage, 'missing', private.shortage(private.must_have(c.details)))
    from private.stage_consumptions c join public.orders o on o.row_id = c.row_id
   where c.state = 'short' and o.cancelled_at is null and o.store = any (p_stores)
  union all
  select 'deduct_failed', 'error', null, o.id, format('%s could not take its stock: %s', o.id, s.failed), o.created_at, '{}'
    from private.order_stock s join public.orders o on o.row_id = s.row_id where s.failed is not null and o.store = any (p_stores)
$$;

create function public.inventory_selfcheck()
returns table (sku text, location text, what text, kept numeric, ledger numeric)
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('inventory.read');
  return query select d.* from private.stock_differences() d union all select a.* from private.allocation_differences() a;
end $$;
comment on function public.inventory_selfcheck is
$$Where what is kept differs from the sum of the ledger, or promises from a full recompute. Must answer nothing.
Permission: inventory.read.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.get_inventory, public.get_item, public.get_item_ledger, public.inventory_selfcheck to authenticated, service_role;

-- sql/M03_inventory/api_production_orders.sql

create type public.production_change as (
  changed boolean, event_id bigint, order_row public.production_orders, fulfillment_status text, lines jsonb);
comment on type public.production_change is
  'Answer of a command on a production order: did it change anything, its event, the order now, has it its parts, lines [{line, sku, needed, allocated, consumed}].';

-- One command on one order: begin_production → change → finish_production.

create type private.production_command as (actor uuid, request_id uuid, answer jsonb, order_row public.production_orders);

create function private.find_production(p_permission text, p_code text)
returns private.production_command language plpgsql stable set search_path = '' as $$
declare
  v_found private.production_command;
begin
  v_found.order_row := (select o from public.production_orders o where o.code = p_code);
  v_found.actor := private.authorize(p_permission, (v_found.order_row).store, (v_found.order_row).site);
  if (v_found.order_row).id is null then
    perform private.fail(404, 'production.unknown', 'There is no production order ' || coalesce(p_code, '') || '.', jsonb_build_object('code', p_code));
  end if;
  return v_found;
end $$;
comment on function private.find_production is
  'The order with this code, and who asks: with this permission at its site and in its store. Errors: those of authorize, production.unknown (404).';

create function private.begin_production(p_permission text, p_code text, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.production_command language plpgsql set search_path = '' as $$
declare
  v_command private.production_command := private.find_production(p_permission, p_code);
begin
  v_command.request_id := p_request_id;
  v_command.answer := private.replay(v_command.actor, p_request_id, p_rpc, p_args);
  if v_command.answer is null then
    v_command.order_row := private.lock_production((v_command.order_row).id);
  end if;
  return v_command;
end $$;
comment on function private.begin_production is
$$Guard, replay and lock for a command on one production order. answer is set when this is a repeat.
Errors: those of authorize, production.unknown (404), request.reused (422). Locks: those of lock_production.$$;

create function private.lock_production(p_order_id bigint)
returns public.production_orders language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders;
begin
  select o.* into v_order from public.production_orders o where o.id = p_order_id for update;
  perform private.lock_stock(private.order_skus(p_order_id));
  return v_order;
end $$;
comment on function private.lock_production is
  'An order that is changed, cancelled or shipped. Locks: its row, then all its items, by SKU. M12_production replaces it: also what is made again for it.';

create function private.refuse_closed(p_order public.production_orders)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_order.status in ('CLOSED', 'CANCELLED') then
    perform private.fail(409, 'production.closed', format('The order %s is %s.', p_order.code, lower(p_order.status)),
      jsonb_build_object('code', p_order.code, 'status', p_order.status));
  end if;
end $$;

create function private.refuse_routed(p_order public.production_orders)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_order.is_routed then
    perform private.fail(409, 'production.routed', format('%s is made step by step: its state follows from what is reported there.', p_order.code),
      jsonb_build_object('code', p_order.code, 'actual', p_order.status));
  end if;
end $$;

create function private.finish_production(p_command private.production_command, p_event text, p_payload jsonb default '{}')
returns public.production_change language plpgsql set search_path = '' as $$
declare
  v_change public.production_change;
begin
  if p_command.answer is not null then
    return jsonb_populate_record(null::public.production_change, p_command.answer);
  end if;
  v_change.order_row := (select o from public.production_orders o where o.id = (p_command.order_row).id);
  if p_event is not null then
    perform private.allocate(private.order_skus((v_change.order_row).id), jsonb_build_object('event', p_event, 'ref', (v_change.order_row).code));
    v_change.event_id := private.emit('production_order', (v_change.order_row).code, p_event, p_command.actor,
      p_payload || jsonb_build_object('version', (v_change.order_row).version), (v_change.order_row).store, (v_change.order_row).site);
  end if;
  perform private.settle_fulfilments(array(select f.id from public.order_fulfilments f   -- for the answer; all its items are locked
    where f.production_order_id = (v_change.order_row).id));
  select p_event is not null, f.fulfillment_status, (
      select jsonb_agg(jsonb_build_object('line', l.line, 'sku', l.sku, 'needed', trim_scale(l.needed),
        'allocated', trim_scale(l.allocated), 'consumed', trim_scale(l.consumed)) order by l.line)
        from public.order_part_allocations l where l.fulfilment_id = f.id)
    into v_change.changed, v_change.fulfillment_status, v_change.lines
    from public.order_fulfilments f where f.production_order_id = (v_change.order_row).id;
  perform private.remember(p_command.actor, p_command.request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function private.finish_production is 'Allocates, emits the event (null: nothing was changed) and answers.';

create function private.lines_of_new_order(p_product_sku text, p_lines jsonb)
returns table (sku text, quantity numeric) language plpgsql set search_path = '' as $$
begin
  if p_lines is null and p_product_sku is null or p_lines is not null and (jsonb_typeof(p_lines) <> 'array'
     or jsonb_array_length(p_lines) not between 1 and 200 or exists (select 1 from jsonb_array_elements(p_lines) i
       where jsonb_typeof(i -> 'sku') is distinct from 'string' or jsonb_typeof(i -> 'quantity') is distinct from 'number'
         or (i ->> 'quantity')::numeric not between 0.001 and 99999999)) then
    perform private.fail(422, 'production.lines', 'Name a product, or 1 to 200 lines like {"sku": "BRACKET", "quantity": 2}.',
      jsonb_build_object('field', 'p_lines'));
  elsif p_lines is not null then
    return query select (private.find_item(i ->> 'sku')).sku, sum((i ->> 'quantity')::numeric)
      from jsonb_array_elements(p_lines) i group by 1 order by 1;
    return;
  end if;
  return query select e.sku, sum(e.quantity) from private.explode(p_product_sku, 1) e where not e.is_optional group by e.sku order by e.sku;
  if not found then
    return query select p_product_sku, 1::numeric;   -- sold or kept as it is
  end if;
end $$;
comment on function private.lines_of_new_order is
  'Per piece: the given lines, else what the product is made of, else the product itself. Errors: production.lines (422), item.unknown (404).';

create function private.caller_site(p_site text, p_store text)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_who private.identity;
  v_sites text[];
begin
  if p_site is not null or p_store is not null then
    return coalesce(p_site, (select st.site from public.stores st where st.code = p_store));
  end if;
  v_who := private.identify();
  v_sites := array(select si.code from public.sites si where private.works_at(v_who, si.code));
  return case when cardinality(v_sites) = 1 then v_sites[1] end;
end $$;
comment on function private.caller_site is 'The site named, else that of the store, else the only one where the caller works.';

create function public.create_production_order(
  p_product_sku text default null, p_quantity numeric default 1, p_lines jsonb default null, p_priority text default 'normal',
  p_due_date date default null, p_code text default null, p_site text default null, p_store text default null,
  p_type text default 'PRODUCTION', p_source text default 'manual', p_external_id text default null, p_notes text default null,
  p_request_id uuid default null)
returns public.production_change language plpgsql security definer set search_path = '' as $$
declare
  v_site text := private.caller_site(p_site, p_store);
  v_actor uuid := private.authorize('production.plan', p_store, v_site);
  v_command private.production_command;
  v_order public.production_orders;
  v_product text;
begin
  v_command := row(v_actor, p_request_id, private.replay(v_actor, p_request_id, 'create_production_order', jsonb_build_array(p_product_sku,
    p_quantity, p_lines, p_priority, p_due_date, p_code, p_site, p_store, p_type, p_source, p_external_id, p_notes)), null)::private.production_command;
  if v_command.answer is not null then
    return private.finish_production(v_command, null);
  elsif not exists (select 1 from public.sites s where s.code = v_site) then
    perform private.fail(404, 'site.unknown', 'Say at which site it is made.', jsonb_build_object('site', v_site));
  end if;
  perform private.check_production_quantity(p_quantity);
  v_product := case when p_product_sku is not null then (private.find_item(p_product_sku)).sku end;
  perform 1 from private.lines_of_new_order(v_product, p_lines);   -- speaks before the order is there
  insert into public.production_orders as o (code, site, store, type, source, external_id, product_sku, quantity, priority, due_date, notes, created_by)
  values (coalesce(p_code, 'P-' || nextval('private.production_order_seq')), v_site, p_store, p_type, p_source, p_external_id, v_product,
    p_quantity, p_priority, p_due_date, p_notes, nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
  on conflict do nothing returning o.* into v_order;
  if v_order.id is null then
    v_command.order_row := (select o from public.production_orders o where o.source = p_source and o.external_id = p_external_id);
    if (v_command.order_row).id is null then
      perform private.fail(409, 'production.exists', 'There is a production order ' || p_code || ' already.', jsonb_build_object('code', p_code));
    end if;
    return private.finish_production(v_command, null);   -- delivered before
  end if;
  v_command.order_row := v_order;
  insert into public.production_order_lines (order_id, line, sku, quantity)
  select v_order.id, row_number() over (order by l.sku), l.sku, l.quantity from private.lines_of_new_order(v_product, p_lines) l;
  perform private.lock_stock(private.order_skus(v_order.id));
  perform private.write_production_lines(v_order);
  return private.finish_production(v_command, 'production.created', jsonb_build_object('product_sku', v_product,
    'quantity', p_quantity, 'priority', p_priority, 'due_date', p_due_date));
end $$;
comment on function public.create_production_order is
$$Something is to be made. Its parts are p_lines ([{sku, quantity}] per piece), else what the product is made of, else the product itself;
it gets them at once as far as they are there. p_type PRODUCTION, or REPLENISHMENT (for stock: waits behind all others). p_priority critical,
rush or normal. Without p_code P-1, P-2 …; without p_site that of the store or the caller's only one.
Permission: production.plan at the site and in the store.
Errors: site.unknown (404), item.unknown (404), production.lines (422), production.quantity (422), production.exists (409), request.reused (422).
Idempotency: by p_request_id, and by (p_source, p_external_id): delivered again it answers changed = false.
Locks: the items, by SKU.$$;

create function private.check_production_quantity(p_quantity numeric)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_quantity is null or p_quantity not between 0.001 and 999999 then
    perform private.fail(422, 'production.quantity', 'The quantity is more than 0 and at most 999999.',
      jsonb_build_object('field', 'p_quantity', 'actual', p_quantity));
  end if;
end $$;

create function public.update_production_order(
  p_code text, p_priority text default null, p_quantity numeric default null, p_due_date date default null,
  p_clear_due_date boolean default false, p_notes text default null, p_version integer default null, p_request_id uuid default null)
returns public.production_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.production_command := private.begin_production('production.plan', p_code, p_request_id, 'update_production_order',
    jsonb_build_array(p_code, p_priority, p_quantity, p_due_date, p_clear_due_date, p_notes, p_version));
  v_old public.production_orders := v_command.order_row;
  v_new public.production_orders;
  v_used record;
begin
  if v_command.answer is not null then
    return private.finish_production(v_command, null);
  end if;
  perform private.refuse_closed(v_old);
  if p_version is not null and p_version <> v_old.version then
    perform private.fail(409, 'production.stale', 'Somebody changed this order meanwhile. Look at it again.',
      jsonb_build_object('expected', p_version, 'actual', v_old.version));
  elsif p_quantity is not null then
    perform private.check_production_quantity(p_quantity);
    select l.sku, l.consumed, o.quantity * p_quantity as needed into v_used
      from public.order_part_allocations l join public.production_order_lines o on o.order_id = l.production_order_id and o.line = l.line
     where l.production_order_id = v_old.id and o.quantity * p_quantity < l.consumed order by l.line limit 1;
    if found then
      perform private.fail(422, 'production.below_used', format('%s of %s are used already.', trim_scale(v_used.consumed), v_used.sku),
        jsonb_build_object('sku', v_used.sku, 'consumed', trim_scale(v_used.consumed), 'needed', trim_scale(v_used.needed)));
    end if;
  end if;
  if (coalesce(p_priority, v_old.priority), coalesce(p_quantity, v_old.quantity), coalesce(p_notes, v_old.notes, ''))
     = (v_old.priority, v_old.quantity, coalesce(v_old.notes, ''))
     and (case when p_clear_due_date then null else coalesce(p_due_date, v_old.due_date) end) is not distinct from v_old.due_date then
    return private.finish_production(v_command, null);
  end if;
  update public.production_orders o
     set priority = coalesce(p_priority, o.priority), quantity = coalesce(p_quantity, o.quantity), notes = coalesce(p_notes, o.notes),
         due_date = case when p_clear_due_date then null else coalesce(p_due_date, o.due_date) end
   where o.id = v_old.id returning o.* into v_new;
  perform private.write_production_lines(v_new);
  return private.finish_production(v_command, 'production.changed', jsonb_build_object(
    'before', jsonb_build_object('priority', v_old.priority, 'quantity', v_old.quantity, 'due_date', v_old.due_date),
    'after', jsonb_build_object('priority', v_new.priority, 'quantity', v_new.quantity, 'due_date', v_new.due_date)));
end $$;
comment on function public.update_production_order is
$$Change priority, quantity, due date or notes (null: as it is). Parts are promised anew at once: a better priority takes them from worse
orders, a smaller quantity gives some back. p_version: what the screen showed.
Permission: production.plan at its site and in its store.
Errors: production.unknown (404), production.closed (409), production.stale (409), production.quantity (422), production.below_used (422), request.reused (422).
Idempotency: by p_request_id; the same values again answer changed = false.
Locks: the order with what is made again for it, by id; then their items, by SKU.$$;

create function public.cancel_production_order(p_code text, p_reason text default null, p_request_id uuid default null)
returns public.production_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.production_command := private.begin_production('production.plan', p_code, p_request_id, 'cancel_production_order',
    jsonb_build_array(p_code, p_reason));
  v_order public.production_orders := v_command.order_row;
begin
  if v_command.answer is not null or v_order.status = 'CANCELLED' then
    return private.finish_production(v_command, null);
  end if;
  perform private.refuse_closed(v_order);
  perform private.check_reason(p_reason);
  update public.production_orders o set status = 'CANCELLED', cancelled_at = now(), cancel_reason = p_reason where o.id = v_order.id;
  perform private.close_production_lines(v_order.id);
  update public.order_fulfilments f set fulfillment_status = 'unfulfilled', fulfilled_at = null where f.production_order_id = v_order.id;
  return private.finish_production(v_command, 'production.cancelled', jsonb_build_object('reason', p_reason));
end $$;
comment on function public.cancel_production_order is
$$The order is off. What was promised to it goes to the next in the queue at once; nothing is consumed. What was shipped before stays used.
Permission: production.plan at its site and in its store.
Errors: production.unknown (404), production.closed (409), stock.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; cancelled before, it answers changed = false.
Locks: the order with what is made again for it, by id; then their items, by SKU.$$;

create function public.ship_production_order(p_code text, p_allow_partial boolean default false, p_request_id uuid default null)
returns public.production_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.production_command := private.begin_production('production.ship', p_code, p_request_id, 'ship_production_order',
    jsonb_build_array(p_code, p_allow_partial));
  v_order public.production_orders := v_command.order_row;
  v_missing jsonb;
begin
  if v_command.answer is not null or v_order.status = 'CLOSED' then
    return private.finish_production(v_command, null);
  end if;
  perform private.refuse_closed(v_order);
  perform private.refuse_routed(v_order);
  select jsonb_agg(jsonb_build_object('sku', l.sku, 'missing', trim_scale(l.needed - l.allocated - l.consumed)) order by l.line)
      filter (where l.allocated + l.consumed < l.needed) into v_missing
    from public.order_part_allocations l where l.production_order_id = v_order.id
  having not (p_allow_partial and sum(l.allocated) > 0);
  if v_missing is not null then
    perform private.fail(409, 'production.short', 'Parts are missing: ' || (v_missing -> 0 ->> 'missing') || ' of ' || (v_missing -> 0 ->> 'sku') || '.',
      jsonb_build_object('missing', v_missing));
  end if;
  perform private.use_promised(l.id, l.allocated, v_order.site, 'production_order', p_code, 'Shipped', v_command.actor)
     from public.order_part_allocations l
    where l.production_order_id = v_order.id and l.allocated > 0
      and not (v_order.type = 'REPLENISHMENT' and l.sku = v_order.product_sku)   -- made for the shelf: it stays there
    order by l.sku;
  if not exists (select 1 from public.order_part_allocations l
    where l.production_order_id = v_order.id and l.allocated + l.consumed < l.needed) then
    perform private.close_production_lines(v_order.id);
    update public.production_orders o set status = 'CLOSED', closed_at = now() where o.id = v_order.id;
  else
    update public.production_orders o set status = 'OPEN_PARTIAL' where o.id = v_order.id;
  end if;
  return private.finish_production(v_command, 'production.shipped', jsonb_build_object('partial', p_allow_partial));
end $$;
comment on function public.ship_production_order is
$$The order leaves: the parts promised to it are used up and its stock goes down. p_allow_partial ships what is there and keeps the rest open.
An order for stock (REPLENISHMENT) of the part itself uses nothing: its parts are free from now on. One that is made step by step is not shipped: its
parts left stock as sets, and it closes by itself.
Permission: production.ship at its site and in its store.
Errors: production.unknown (404), production.closed (409), production.routed (409), production.short (409), stock.short (409), request.reused (422).
Idempotency: by p_request_id; shipped before, it answers changed = false.
Locks: the order with what is made again for it, by id; then their items, by SKU.$$;

grant execute on function public.create_production_order, public.update_production_order, public.cancel_production_order,
  public.ship_production_order to authenticated, service_role;

-- sql/M03_inventory/api_allocation.sql

create function private.priority_name(p_rank smallint)
returns text language sql immutable set search_path = '' as $$
  select case when p_rank <= 0 then 'critical' else (array['rush', 'normal', 'low', 'stock', 'minimum'])[p_rank] end
$$;
comment on function private.priority_name is
  'critical, rush, normal, low (tickets), stock (set aside for the shelf), minimum (up to the minimum stock, nobody waits).';

create type public.allocation_explanation as (
  line_id bigint, kind text, code text, store text, sku text, title text, needed numeric, allocated numeric, consumed numeric, missing numeric,
  priority text, since timestamptz, on_hand numeric, reserved numeric, held_by text[], missing_ahead numeric, why jsonb, said text,
  cursor text);
comment on type public.allocation_explanation is
$$One line of the queue and why it has what it has. held_by: the nearest orders before it that hold the item. missing_ahead: what orders before
it still wait for (looking at most 1000 of them up). why: its last change. said: all of it in a sentence. cursor: to go on after it in
the queue of an item.$$;

create function private.missing_ahead(p_line public.order_part_allocations)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select sum(t.demand - t.allocated) from public.demand_totals t where t.sku = p_line.sku and t.rank < p_line.rank), 0)
    + coalesce((select sum(a.missing) from (
        select l.needed - l.allocated - l.consumed as missing from public.order_part_allocations l
         where l.sku = p_line.sku and not l.is_closed and l.allocated + l.consumed < l.needed
           and l.rank = p_line.rank and (l.since, l.fulfilment_id) < (p_line.since, p_line.fulfilment_id) limit 1000) a), 0);
end $$;

create function private.held_before(p_line public.order_part_allocations)
returns text[] language plpgsql stable set search_path = '' as $$
begin
  return array(
    select f.code from (
      select l.fulfilment_id, l.rank, l.since from public.order_part_allocations l
       where l.sku = p_line.sku and l.allocated > 0 and (l.rank, l.since, l.fulfilment_id) < (p_line.rank, p_line.since, p_line.fulfilment_id)
       order by l.sku desc, l.rank desc, l.since desc, l.fulfilment_id desc limit 5) h
      join public.order_fulfilments f on f.id = h.fulfilment_id order by h.rank desc, h.since desc, h.fulfilment_id desc);
end $$;

create function private.explain_line(p_line public.order_part_allocations)
returns public.allocation_explanation language plpgsql stable set search_path = '' as $$
declare
  v_missing numeric := case when p_line.is_closed then 0 else p_line.needed - p_line.allocated - p_line.consumed end;
  v_answer public.allocation_explanation;
  v_is_blind boolean := p_line.sku = any (private.blind_skus());   -- who counts it must not read the figure here
begin
  select p_line.id, case when p_line.order_row_id is null then 'production_order' else 'order' end, f.code, p_line.store, p_line.sku, i.title,
      trim_scale(p_line.needed), trim_scale(p_line.allocated), trim_scale(p_line.consumed), trim_scale(v_missing),
      private.priority_name(p_line.rank), p_line.since, trim_scale(s.on_hand), trim_scale(s.reserved), '{}'::text[], 0, p_line.why, null,
      private.cursor_of(jsonb_build_array(p_line.rank, p_line.since, p_line.fulfilment_id))
    into v_answer
    from public.order_fulfilments f, public.inventory_items i join public.inventory_stock s on s.sku = i.sku
   where f.id = p_line.fulfilment_id and i.sku = p_line.sku;
  if v_missing > 0 then
    v_answer.held_by := private.held_before(p_line);
    v_answer.missing_ahead := trim_scale(private.missing_ahead(p_line));
  end if;
  v_answer.said := case
    when p_line.is_closed and v_answer.consumed = 0 then 'Cancelled or taken off: it waits for nothing.'
    when p_line.is_closed or v_answer.consumed = v_answer.needed then format('%s of %s were used.', v_answer.consumed, v_answer.needed)
    when v_missing = 0 then format('All %s are set aside for it.', v_answer.needed)
    when v_is_blind then format('%s of %s are set aside.', trim_scale(p_line.allocated + p_line.consumed), v_answer.needed)
    else format('%s of %s are set aside. Of %s on hand %s are promised to orders before it (critical, rush, normal, then the oldest first).%s',
      trim_scale(p_line.allocated + p_line.consumed), v_answer.needed, v_answer.on_hand,
      trim_scale(v_answer.reserved - p_line.allocated),   -- while it waits, nothing after it holds any
      case when v_answer.missing_ahead > 0 then format(' Orders before it still wait for %s.', v_answer.missing_ahead) else '' end)
    end;
  if v_is_blind then
    v_answer.on_hand := null;
    v_answer.reserved := null;
  end if;
  return v_answer;
end $$;

create function public.explain_allocation(p_code text default null, p_sku text default null, p_limit integer default 50, p_cursor text default null)
returns setof public.allocation_explanation language plpgsql stable security definer set search_path = '' as $$
declare
  v_stores text[];
  v_sites text[];
  v_after jsonb;
begin
  perform private.authorize('production.read');
  v_after := private.keys_of(p_cursor, 3);
  v_stores := private.readable_stores('production.read');
  v_sites := private.readable_sites('production.read');
  if num_nonnulls(p_code, p_sku) <> 1 then
    perform private.fail(400, 'production.explain_what', 'Name an order or an item.');
  elsif p_code is not null then
    return query select e.* from public.order_part_allocations l join public.order_fulfilments f on f.id = l.fulfilment_id
       cross join lateral private.explain_line(l) e where f.code = p_code and (f.store = any (v_stores) or f.store is null and f.site = any (v_sites)) order by l.line, l.sku;
    return;
  end if;
  return query select e.* from (
      select q from public.order_part_allocations q
       where q.sku = p_sku and not q.is_closed and q.allocated + q.consumed < q.needed and (q.store = any (v_stores)
           or q.store is null and (select f.site from public.order_fulfilments f where f.id = q.fulfilment_id) = any (v_sites))
         and (v_after is null or (q.rank, q.since, q.fulfilment_id) > ((v_after ->> 0)::smallint, (v_after ->> 1)::timestamptz, (v_after ->> 2)::bigint))
       order by q.sku, q.rank, q.since, q.fulfilment_id limit least(greatest(coalesce(p_limit, 50), 1), 200)) l
     cross join lateral private.explain_line(l.q) e;
end $$;
comment on function public.explain_allocation is
$$Why the lines of an order (p_code: production order or ticket) have what they have; or, for an item, who waits for it, from the top of the queue.
Permission: production.read; lines of stores only in the own ones, others only of the own sites.
Errors: production.explain_what (400), request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create type public.fulfilment_row as (
  kind text, code text, title text, store text, site text, priority text, due_date date, since timestamptz, fulfillment_status text,
  fulfilled_at timestamptz, lines jsonb, cursor text);
comment on type public.fulfilment_row is
  'An order that needs parts. kind production_order or order (a ticket). lines: [{sku, title, needed, allocated, consumed}]. cursor: to go on after it.';

create function private.fulfilment_lines(p_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (select jsonb_agg(jsonb_build_object('sku', l.sku, 'title', i.title, 'needed', trim_scale(l.needed), 'allocated', trim_scale(l.allocated),
      'consumed', trim_scale(l.consumed), 'is_closed', l.is_closed) order by l.line, l.sku)
    from public.order_part_allocations l join public.inventory_items i on i.sku = l.sku where l.fulfilment_id = p_id);
end $$;

create function public.get_order_fulfilment(
  p_status text default 'open', p_store text default null, p_sku text default null, p_limit integer default 50, p_cursor text default null)
returns setof public.fulfilment_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_stores text[];
  v_sites text[];
  v_after jsonb;
begin
  perform private.authorize('production.read', p_store);
  v_after := private.keys_of(p_cursor, 3);
  v_stores := case when p_store is null then private.readable_stores('production.read') else array[p_store] end;
  v_sites := private.readable_sites('production.read');
  if p_status is null or p_status not in ('open', 'waiting', 'fulfilled') then
    perform private.fail(422, 'production.status_filter', 'Choose open, waiting or fulfilled.', jsonb_build_object('field', 'p_status', 'actual', p_status));
  end if;
  return query
    select case when f.order_row_id is null then 'production_order' else 'order' end, f.code, coalesce(i.title, o.product_title, p.product_sku),
      f.store, f.site, private.priority_name(f.rank), coalesce(p.due_date, o.due_date), f.since, f.fulfillment_status, f.fulfilled_at,
      private.fulfilment_lines(f.id), private.cursor_of(jsonb_build_array(f.rank, f.since, f.id))
      from (select q.* from public.order_fulfilments q
             where not q.is_closed and q.lines > 0
               and (q.store = any (v_stores) or q.store is null and p_store is null and q.site = any (v_sites))
               and (p_status = 'open' or (q.open_lines > 0) = (p_status = 'waiting'))
               and (p_sku is null or exists (select 1 from public.order_part_allocations l where l.fulfilment_id = q.id and l.sku = p_sku))
               and (v_after is null or (q.rank, q.since, q.id) > ((v_after ->> 0)::smallint, (v_after ->> 1)::timestamptz, (v_after ->> 2)::bigint))
             order by q.rank, q.since, q.id limit least(greatest(coalesce(p_limit, 50), 1), 200)) f
      left join public.production_orders p on p.id = f.production_order_id
      left join public.inventory_items i on i.sku = p.product_sku
      left join public.orders o on o.row_id = f.order_row_id
     order by f.rank, f.since, f.id;
end $$;
comment on function public.get_order_fulfilment is
$$Open orders that need parts, in the order in which they get them: critical, rush, normal, then the oldest; with what each has.
p_status open, waiting (for parts) or fulfilled (ready to ship). p_cursor: cursor of the last row seen.
Permission: production.read; orders of stores only of the own ones, others only of the own sites.
Errors: production.status_filter (422), request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.explain_allocation, public.get_order_fulfilment to authenticated, service_role;

-- sql/M03_inventory/views.sql

create view public.production_order_status with (security_invoker = on) as
select o.*, f.fulfillment_status, f.fulfilled_at, f.lines, f.open_lines, f.rank
  from public.production_orders o left join public.order_fulfilments f on f.production_order_id = o.id;
comment on view public.production_order_status is 'Production orders with whether they have all their parts.';

-- sql/M03_inventory/seed.sql

select private.allow(p, d, r) from (values
  ('inventory.read', 'See stock, movements and bills of materials', '{viewer,operator,technician,supervisor,planner,manager,admin,service}'::text[]),
  ('inventory.move', 'Receive, issue, transfer, scrap and consume stock', '{operator,technician,supervisor,planner,manager,admin,service}'),
  ('inventory.count', 'Count stock', '{operator,technician,supervisor,planner,manager,admin}'),
  ('inventory.adjust', 'Adjust stock, take movements back, set minimums', '{supervisor,planner,manager,admin,service}'),
  ('inventory.approve', 'Approve counted differences', '{supervisor,manager,admin}'),
  ('inventory.manage', 'Change items, places, bills of materials and rules; import', '{planner,manager,admin,service}'),
  ('inventory.deduct', 'Take stock for an order that came in', '{service}'),
  ('production.read', 'See production orders and who gets which part', '{viewer,operator,technician,supervisor,planner,manager,admin,service}'),
  ('production.plan', 'Create, change and cancel production orders', '{supervisor,planner,manager,admin,service}'),
  ('production.ship', 'Ship production orders: their parts are used up', '{operator,technician,supervisor,planner,manager,admin,service}')
) as t (p, d, r);

insert into public.setting_definitions (key, scope, type, bounds, default_value, title, description, position) values
  ('inventory.block_when_short', 'store', 'boolean', '{}', 'false', 'Block when components are short',
    'A stage cannot be completed while a component it needs is missing. Off: it is completed, and the missing component is told.', 51),
  ('inventory.count_tolerance', 'site', 'integer', '{"min": 0, "max": 100}', '5', 'Count tolerance',
    'Percent by which a count may differ from what is expected before another person must approve it.', 52);

-- Sites that were there before this milestone get their place; later ones by trigger.
select private.add_default_location(s) from public.sites s where not exists (select 1 from public.locations l where l.site = s.code);

-- sql/M03_inventory/policies.sql

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
