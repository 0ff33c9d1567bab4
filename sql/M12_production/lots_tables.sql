-- Lots: what came in, what was made of it, what is left. Who wrote what went into what: M10_units/trace.sql.

create table public.production_lots (
  lot_id bigint not null,
  order_id bigint,
  received numeric(14, 3) not null default 0,
  moved_in numeric(14, 3) not null default 0,
  moved_out numeric(14, 3) not null default 0,
  used numeric(14, 3) not null default 0,
  scrapped numeric(14, 3) not null default 0,
  returned numeric(14, 3) not null default 0,
  good numeric(14, 3) not null default 0,
  is_counted boolean not null default false,
  remaining numeric(15, 3) not null generated always as (received + moved_in - moved_out - used - scrapped - returned) stored,
  removed_at timestamptz,
  removed_by uuid,
  remove_reason text constraint production_lots_remove_reason_check check (length(remove_reason) between 1 and 500),
  constraint production_lots_pkey primary key (lot_id),
  constraint production_lots_lot_id_fkey foreign key (lot_id) references public.lots (id) on delete restrict,
  constraint production_lots_order_id_fkey foreign key (order_id) references public.production_orders (id) on delete restrict,
  constraint production_lots_balance_check check (
    case when is_counted then good between 0 and received + moved_in - moved_out - used - scrapped - returned else good = 0 end),
  constraint production_lots_removed_check check ((removed_at is null) = (remove_reason is null) and (removed_at is not null or removed_by is null))
) with (fillfactor = 70);
create index production_lots_order_id_idx on public.production_lots (order_id) where order_id is not null;
comment on table public.production_lots is
$$How much of a lot there is, kept by private.book_activity: received + moved_in = moved_out + used + scrapped + returned + remaining. A lot of which
nothing was ever received is not counted: it may be used, and how much is left is not known.$$;
comment on column public.production_lots.order_id is 'The production order that makes it; null: bought, or of several orders.';
comment on column public.production_lots.received is 'Bought, or started by its order.';
comment on column public.production_lots.moved_in is 'From other lots, by a split or a merge.';
comment on column public.production_lots.used is 'Went into other lots.';
comment on column public.production_lots.good is 'Of what remains: finished. The rest of what remains of a lot of an order is in process.';
comment on column public.production_lots.is_counted is 'Something was received or moved in, ever: from then on no more leaves it than came.';
comment on column public.production_lots.removed_at is 'Taken out of use by a person; traces still go through it.';

create table public.trace_activities (
  id bigint generated always as identity,
  kind text not null constraint trace_activities_kind_check
    check (kind in ('receive', 'start', 'finish', 'scrap', 'return', 'consume', 'rework', 'split', 'merge')),
  at timestamptz not null default clock_timestamp(),
  site text,
  order_id bigint,
  sequence integer,
  count_id bigint,
  txn_id bigint,
  note text constraint trace_activities_note_check check (length(note) <= 500),
  actor_id uuid,
  reverses bigint,
  is_reversal boolean not null default false,
  constraint trace_activities_pkey primary key (id),
  constraint trace_activities_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint trace_activities_order_id_fkey foreign key (order_id) references public.production_orders (id) on delete restrict,
  constraint trace_activities_count_id_fkey foreign key (count_id) references public.piece_counts (id) on delete restrict,
  constraint trace_activities_txn_id_fkey foreign key (txn_id) references public.inventory_txn (id) on delete restrict,
  constraint trace_activities_reverses_fkey foreign key (reverses) references public.trace_activities (id) on delete restrict,
  constraint trace_activities_reversal_check check (is_reversal or reverses is null),
  constraint trace_activities_step_check check (sequence is null or order_id is not null)
);
create unique index trace_activities_reverses_key on public.trace_activities (reverses) where reverses is not null;
create index trace_activities_site_idx on public.trace_activities (site) where site is not null;
create index trace_activities_order_id_idx on public.trace_activities (order_id) where order_id is not null;
create index trace_activities_count_id_idx on public.trace_activities (count_id) where count_id is not null;
create index trace_activities_txn_id_idx on public.trace_activities (txn_id) where txn_id is not null;
comment on table public.trace_activities is
$$What was done with lots, append-only. receive: came in; start, finish: pieces of an order entered its first step, left its last one good; scrap,
return: lost; consume: went into a lot of another order; rework: pieces of a lot were taken in hand again, and none was used up; split, merge: moved from lot
to lot. What went into what is also in trace_edges, for tracing.$$;
comment on column public.trace_activities.site is 'Where its lots lay.';
comment on column public.trace_activities.sequence is 'Step of the order.';
comment on column public.trace_activities.count_id is 'The count of pieces that caused it.';
comment on column public.trace_activities.txn_id is 'The movement that took it from the shelf, or put it there.';
comment on column public.trace_activities.is_reversal is 'Takes back what such an activity did: reverses says which, where it was one.';

create table public.trace_inputs (
  activity_id bigint not null,
  lot_id bigint not null,
  quantity numeric(14, 3) not null constraint trace_inputs_quantity_check check (quantity > 0 and quantity < 'NaN'),
  good numeric(14, 3) not null default 0,
  constraint trace_inputs_pkey primary key (activity_id, lot_id),
  constraint trace_inputs_activity_id_fkey foreign key (activity_id) references public.trace_activities (id) on delete restrict,
  constraint trace_inputs_lot_id_fkey foreign key (lot_id) references public.lots (id) on delete restrict,
  constraint trace_inputs_good_check check (good between 0 and quantity)
);
create index trace_inputs_lot_id_idx on public.trace_inputs (lot_id, activity_id);
comment on table public.trace_inputs is 'So much of a lot went into an activity; good: so much of it was finished.';

create table public.trace_outputs (
  activity_id bigint not null,
  lot_id bigint not null,
  quantity numeric(14, 3) constraint trace_outputs_quantity_check check (quantity > 0 and quantity < 'NaN'),
  good numeric(14, 3) not null default 0,
  constraint trace_outputs_pkey primary key (activity_id, lot_id),
  constraint trace_outputs_activity_id_fkey foreign key (activity_id) references public.trace_activities (id) on delete restrict,
  constraint trace_outputs_lot_id_fkey foreign key (lot_id) references public.lots (id) on delete restrict,
  constraint trace_outputs_good_check check (good between 0 and coalesce(quantity, 0))
);
create index trace_outputs_lot_id_idx on public.trace_outputs (lot_id, activity_id);
comment on table public.trace_outputs is 'So much of a lot came out of an activity; good: so much of it is finished.';
comment on column public.trace_outputs.quantity is 'Null: parts went into the lot, which became no more by it.';

create view private.lot_effects as
select a.id as activity_id, p.lot_id, s.sign * case when a.kind in ('receive', 'start') then p.quantity else 0 end as received,
  s.sign * case when a.kind in ('split', 'merge') and p.is_output then p.quantity else 0 end as moved_in,
  s.sign * case when a.kind in ('split', 'merge') and not p.is_output then p.quantity else 0 end as moved_out,
  s.sign * case when a.kind = 'consume' and not p.is_output then p.quantity else 0 end as used,
  s.sign * case when a.kind = 'scrap' then p.quantity else 0 end as scrapped,
  s.sign * case when a.kind = 'return' then p.quantity else 0 end as returned,
  s.sign * case when p.is_output then p.good else -p.good end as good
from public.trace_activities a
join (
  select o.activity_id, o.lot_id, o.quantity, o.good, true as is_output from public.trace_outputs o
  union all
  select i.activity_id, i.lot_id, i.quantity, i.good, false from public.trace_inputs i
) p on p.activity_id = a.id
cross join lateral (select case when a.is_reversal then -1 else 1 end as sign) s;
comment on view private.lot_effects is 'What each activity did to the columns of production_lots: the one definition, for booking and for the self-check.';

create table public.item_gtins (
  gtin text not null constraint item_gtins_gtin_check check (gtin ~ '^\d{14}$'),
  sku text not null,
  constraint item_gtins_pkey primary key (gtin),
  constraint item_gtins_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete cascade
);
create index item_gtins_sku_idx on public.item_gtins (sku);
comment on table public.item_gtins is 'GS1 numbers of items, as 14 digits: what AI 01 of a scanned code means.';
