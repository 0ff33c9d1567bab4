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
