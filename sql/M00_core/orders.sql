-- Orders: one row per ticket on the board. A customer order of three cakes is three tickets.

create type public.stage_type as enum ('Filling', 'Covering', 'Decorating', 'Packing', 'Complete');
create type public.priority_level as enum ('High', 'Medium', 'Low');

create table public.orders (
  row_id uuid not null default gen_random_uuid(),
  id text not null,
  store text not null,
  source text not null constraint orders_source_check check (source in ('shopify', 'manual', 'import', 'pos')),
  external_order_id text,
  line_item_id text,
  unit_no integer not null default 1 constraint orders_unit_no_check check (unit_no > 0),
  order_number text not null,
  suffix text,
  is_test boolean not null default false,
  customer_name text,
  product_title text not null,
  variant_title text,
  sku text,
  flavour text,
  size text,
  item_qty integer not null default 1 constraint orders_item_qty_check check (item_qty > 0),
  cake_writing text,
  notes text,
  product_image text,
  accessories jsonb not null default '[]' constraint orders_accessories_check check (jsonb_typeof(accessories) = 'array'),
  delivery_method text constraint orders_delivery_method_check check (delivery_method in ('Pickup', 'Delivery')),
  currency text,
  total_amount numeric(12, 2),
  due_date date,
  due_time text,
  priority public.priority_level not null default 'Medium',
  priority_is_manual boolean not null default false,
  stage public.stage_type not null default 'Filling',
  assignee_id uuid,
  storage text,
  filling_started_at timestamptz,
  filling_completed_at timestamptz,
  covering_started_at timestamptz,
  covering_completed_at timestamptz,
  decorating_started_at timestamptz,
  decorating_completed_at timestamptz,
  packing_started_at timestamptz,
  packing_completed_at timestamptz,
  needs_review text[] not null default '{}',
  pending_change jsonb,
  cancelled_at timestamptz,
  cancel_reason text,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint orders_pkey primary key (row_id),
  constraint orders_id_key unique (id),
  constraint orders_unit_key unique (store, external_order_id, line_item_id, unit_no),
  constraint orders_store_fkey foreign key (store) references public.stores (code) on delete restrict,
  constraint orders_assignee_id_fkey foreign key (assignee_id) references public.staff_shared (user_id) on delete restrict,
  constraint orders_cancel_check check (cancelled_at is not null or cancel_reason is null)
) with (fillfactor = 80);   -- room for the next version of a ticket on its own page
create unique index orders_scan_key on public.orders (lower(id));
create index orders_open_idx on public.orders (store, stage, priority, due_date, row_id)
  where stage <> 'Complete' and cancelled_at is null;
create index orders_assignee_id_idx on public.orders (assignee_id) where assignee_id is not null;
create index orders_store_number_idx on public.orders (order_number, store);
create index orders_due_date_idx on public.orders (due_date) where stage <> 'Complete' and cancelled_at is null;
create index orders_completed_idx on public.orders (packing_completed_at, row_id) where stage = 'Complete';
comment on table public.orders is 'The tickets of the stage board: one per unit of a customer order.';
comment on column public.orders.id is 'What the barcode says: <store>-<number>, with -A, -B … when the customer order has several tickets.';
comment on column public.orders.unit_no is 'n-th piece of its line item: (order, line item, n) keeps a ticket and its suffix through every edit.';
comment on column public.orders.accessories is '[{title, quantity, price, variant_title}], on the first ticket of a customer order only.';
comment on column public.orders.total_amount is 'Total of the customer order in currency, on its first ticket only.';
comment on column public.orders.due_time is 'Time window as the customer chose it, plant local.';
comment on column public.orders.needs_review is 'Reasons why a person must look before the ticket is made; empty = fine.';
comment on column public.orders.pending_change is 'Order edit that arrived after work started: {reason, changes, at}; the floor acknowledges it.';

-- What a stage has behind it is what the row says: no plain update can skip a stage without also lying about time.
alter table public.orders
  add constraint orders_filling_check check (source = 'pos' or (stage > 'Filling') = (filling_completed_at is not null)),
  add constraint orders_covering_check check (source = 'pos' or (stage > 'Covering') = (covering_completed_at is not null)),
  add constraint orders_decorating_check check (source = 'pos' or (stage > 'Decorating') = (decorating_completed_at is not null)),
  add constraint orders_packing_check check (source = 'pos' or (stage > 'Packing') = (packing_completed_at is not null)),
  add constraint orders_started_check check (source = 'pos'
    or (filling_completed_at is null or filling_started_at is not null)
    and (covering_completed_at is null or covering_started_at is not null)
    and (decorating_completed_at is null or decorating_started_at is not null)
    and (packing_completed_at is null or packing_started_at is not null)),
  add constraint orders_not_begun_check check (source = 'pos'
    or (covering_started_at is null or stage >= 'Covering')
    and (decorating_started_at is null or stage >= 'Decorating')
    and (packing_started_at is null or stage >= 'Packing'));

create type public.order_change as (changed boolean, event_id bigint, offer text, order_row public.orders, notices jsonb);
comment on type public.order_change is
  'Answer of an order command: did it change anything, its event, what to offer next, the ticket now, notices [{code, message, details}] to show.';
