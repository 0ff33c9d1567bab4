-- Quality, approvals, replenishment: what went wrong, who allowed what, what is made again ----------------------------

create table public.quality_reasons (
  code text not null constraint quality_reasons_code_check check (code ~ '^[A-Z0-9][A-Z0-9_-]{0,39}$'),
  parent text,
  step text,
  title text not null constraint quality_reasons_title_check check (length(title) between 1 and 80),
  disposition text constraint quality_reasons_disposition_check
    check (disposition in ('rework', 'repair', 'use_as_is', 'scrap', 'return', 'hold')),
  is_startup boolean not null default false,
  position integer not null default 0,
  is_active boolean not null default true,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint quality_reasons_pkey primary key (code),
  constraint quality_reasons_parent_fkey foreign key (parent) references public.quality_reasons (code) on delete restrict,
  constraint quality_reasons_step_fkey foreign key (step) references public.process_steps (code) on delete restrict,
  constraint quality_reasons_parent_check check (parent <> code)
);
create index quality_reasons_parent_idx on public.quality_reasons (parent) where parent is not null;
create index quality_reasons_step_idx on public.quality_reasons (step) where step is not null;
comment on table public.quality_reasons is 'Why a piece is not good: families, and under them the reasons. A station shows a family, then its reasons: two taps.';
comment on column public.quality_reasons.step is 'Only at this process step; null at every one.';
comment on column public.quality_reasons.is_startup is 'Such pieces come of setting up and starting: of the six big losses they are start-up, not defects.';
comment on column public.quality_reasons.disposition is 'What usually becomes of such pieces: the station proposes it.';
create trigger _100_stamp before update on public.quality_reasons for each row execute function private.tg__stamp();

create table public.quality_records (
  id bigint generated always as identity,
  order_id bigint not null,
  sequence integer not null,
  step text not null,
  work_centre text,
  lot_id bigint,
  disposition text not null constraint quality_records_disposition_check
    check (disposition in ('rework', 'repair', 'use_as_is', 'scrap', 'return', 'hold', 'accept')),
  taken_from text not null constraint quality_records_taken_from_check check (taken_from in ('process', 'good', 'rework', 'hold')),
  source_id bigint,
  quantity numeric(14, 3) not null constraint quality_records_quantity_check check (quantity > 0 and quantity < 'NaN'),
  open_quantity numeric(14, 3) not null default 0,
  reason text,
  cause text constraint quality_records_cause_check check (length(cause) <= 200),
  defect_position text constraint quality_records_defect_position_check check (length(defect_position) <= 100),
  notes text constraint quality_records_notes_check check (length(notes) <= 2000),
  photo text constraint quality_records_photo_check check (length(photo) <= 500),
  site text not null,
  event_id bigint not null,
  count_id bigint,
  recorded_by uuid,
  recorded_at timestamptz not null default now(),
  reversed_at timestamptz,
  reversed_by uuid,
  constraint quality_records_pkey primary key (id),
  constraint quality_records_event_id_key unique (event_id),
  constraint quality_records_step_fkey foreign key (order_id, sequence)
    references public.production_order_steps (order_id, sequence) on delete restrict,
  constraint quality_records_lot_id_fkey foreign key (lot_id) references public.lots (id) on delete restrict,
  constraint quality_records_work_centre_fkey foreign key (work_centre) references public.work_centres (code) on delete restrict,
  constraint quality_records_reason_fkey foreign key (reason) references public.quality_reasons (code) on delete restrict,
  constraint quality_records_source_id_fkey foreign key (source_id) references public.quality_records (id) on delete restrict,
  constraint quality_records_count_id_fkey foreign key (count_id) references public.piece_counts (id) on delete restrict,
  constraint quality_records_source_check check ((source_id is not null) = (taken_from in ('rework', 'hold'))),
  constraint quality_records_accept_check check (disposition <> 'accept' or source_id is not null),
  constraint quality_records_open_check check (open_quantity between 0 and quantity
    and (open_quantity = 0 or disposition in ('rework', 'repair', 'hold') and reversed_at is null)),
  constraint quality_records_reason_check check (disposition = 'accept' or reason is not null)
);
create index quality_records_order_id_idx on public.quality_records (order_id, sequence);
create index quality_records_open_idx on public.quality_records (site, recorded_at) where open_quantity > 0;
create index quality_records_recorded_at_idx on public.quality_records (recorded_at);
create index quality_records_lot_id_idx on public.quality_records (lot_id) where lot_id is not null;
create index quality_records_work_centre_idx on public.quality_records (work_centre) where work_centre is not null;
create index quality_records_reason_idx on public.quality_records (reason) where reason is not null;
create unique index quality_records_count_id_key on public.quality_records (count_id) where count_id is not null;
create index quality_records_source_id_idx on public.quality_records (source_id) where source_id is not null;
comment on table public.quality_records is
$$Pieces that were not simply good, and what was decided about them. What is reworked, repaired or held stays open until later records, which
name it as their source, have taken all of it. Never changed but for what is open and for being reversed.$$;
comment on column public.quality_records.disposition is
$$rework (to specification again), repair (usable, not to specification), use_as_is (a concession), scrap (destroyed), return (back to who
supplied it), hold (not decided yet), accept (reworked, repaired or held pieces that are good now).$$;
comment on column public.quality_records.taken_from is 'Where the pieces were: in process, counted good before, or open in another record.';
comment on column public.quality_records.open_quantity is 'Of a rework, repair or hold: pieces nobody has decided about since.';
comment on column public.quality_records.count_id is 'What it changed in the counters of the step; zeros where the pieces stay counted as they were.';
comment on column public.quality_records.cause is 'What made it happen, in words; the reason says what is wrong.';

create table public.production_discrepancies (
  id bigint generated always as identity,
  order_id bigint not null,
  sequence integer not null,
  sku text not null,
  needed numeric(14, 3) not null,
  available numeric(14, 3) not null,
  missing numeric(14, 3) not null constraint production_discrepancies_missing_check check (missing > 0),
  event_id bigint not null,
  noted_at timestamptz not null default now(),
  resolved_at timestamptz,
  constraint production_discrepancies_pkey primary key (id),
  constraint production_discrepancies_order_id_fkey foreign key (order_id) references public.production_orders (id) on delete cascade,
  constraint production_discrepancies_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete restrict
);
create unique index production_discrepancies_open_key on public.production_discrepancies (order_id, sequence, sku) where resolved_at is null;
create index production_discrepancies_order_id_idx on public.production_discrepancies (order_id);
create index production_discrepancies_sku_idx on public.production_discrepancies (sku);
comment on table public.production_discrepancies is
  'Components of complete sets that are missing and that nobody here makes: somebody has to get them. Resolved by itself once the sets are complete.';

-- Approvals ----------------------------------------------------------------------------------------------------------

create table public.approvals (
  id bigint generated always as identity,
  type text not null constraint approvals_type_check check (type in ('OVERTIME', 'ENABLE_EQUIPMENT', 'DISABLE_EQUIPMENT', 'SPECIAL_OPERATION')),
  status text not null default 'PENDING' constraint approvals_status_check check (status in ('PENDING', 'APPROVED', 'REJECTED', 'WITHDRAWN')),
  site text not null,
  work_centre text,
  order_id bigint,
  sequence integer,
  operation text constraint approvals_operation_check check (operation in ('replenishment', 'other_work_centre', 'over_capacity', 'other')),
  quantity numeric(14, 3) constraint approvals_quantity_check check (quantity > 0 and quantity < 'NaN'),
  starts_at timestamptz,
  ends_at timestamptz,
  justification text not null constraint approvals_justification_check check (length(trim(justification)) between 1 and 1000),
  requested_by uuid,
  requested_at timestamptz not null default now(),
  decided_by uuid,
  decided_at timestamptz,
  response_notes text constraint approvals_response_notes_check check (length(response_notes) <= 1000),
  effect jsonb,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint approvals_pkey primary key (id),
  constraint approvals_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint approvals_work_centre_fkey foreign key (work_centre) references public.work_centres (code) on delete restrict,
  constraint approvals_order_id_fkey foreign key (order_id) references public.production_orders (id) on delete restrict,
  constraint approvals_decided_check check ((status = 'PENDING') = (decided_at is null)),
  constraint approvals_two_people_check check (status = 'WITHDRAWN' or decided_by <> requested_by),
  constraint approvals_reject_check check (status <> 'REJECTED' or trim(response_notes) <> ''),
  constraint approvals_overtime_check check (type <> 'OVERTIME' or (starts_at < ends_at) is true),
  constraint approvals_equipment_check check (type not in ('ENABLE_EQUIPMENT', 'DISABLE_EQUIPMENT') or work_centre is not null),
  constraint approvals_operation_of_check check ((type = 'SPECIAL_OPERATION') = (operation is not null))
);
create unique index approvals_pending_key on public.approvals (site, type, work_centre, order_id, sequence, operation, starts_at, ends_at)
  nulls not distinct where status = 'PENDING';
create index approvals_site_idx on public.approvals (site, id);
create index approvals_work_centre_idx on public.approvals (work_centre) where work_centre is not null;
create index approvals_order_id_idx on public.approvals (order_id) where order_id is not null;
comment on table public.approvals is 'What one person asked and another one decided, with the reason of both and what came of it.';
comment on column public.approvals.operation is
$$Of a SPECIAL_OPERATION: replenishment (make again beyond the caps), other_work_centre (a step of an order at another one than its routing names), over_capacity
(an order runs at a work centre although all its positions are taken), other.$$;
comment on column public.approvals.requested_by is 'Null: the server asked.';
comment on column public.approvals.effect is 'What the approval did, e.g. {"work_centre": "press-1", "is_enabled": true} or {"replenishment": "P-9-R1", "quantity": 6}.';
create trigger _100_stamp before update on public.approvals for each row execute function private.tg__stamp();

-- Replenishment --------------------------------------------------------------------------------------------------------

create table public.replenishments (
  order_id bigint not null,
  root_id bigint not null,
  sku text not null,
  generation integer not null constraint replenishments_generation_check check (generation > 0),
  is_open boolean not null default true,
  created_at timestamptz not null default now(),
  constraint replenishments_pkey primary key (order_id),
  constraint replenishments_order_id_fkey foreign key (order_id) references public.production_orders (id) on delete restrict,
  constraint replenishments_root_id_fkey foreign key (root_id) references public.production_orders (id) on delete restrict,
  constraint replenishments_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete restrict,
  constraint replenishments_root_check check (root_id <> order_id)
);
create unique index replenishments_open_key on public.replenishments (root_id, sku) where is_open;
create index replenishments_root_id_idx on public.replenishments (root_id);
create index replenishments_sku_idx on public.replenishments (sku);
comment on table public.replenishments is
$$Orders that make again what an order lost, or make a component it lacks. The root is the order that somebody asked for: never another
replenishment. At most one of each product is open, which means not released yet: it is topped up.$$;
comment on column public.replenishments.generation is '1: made for losses of the root; 2: for losses of a replenishment of generation 1, and so on.';

create table public.replenishment_links (
  id bigint generated always as identity,
  root_id bigint not null,
  replenishment_id bigint,
  source_order_id bigint not null,
  trigger text not null constraint replenishment_links_trigger_check
    check (trigger in ('SCRAP', 'RETURN', 'SHORTAGE', 'APPROVAL', 'REVERSAL', 'REOPENED', 'STOPPED')),
  trigger_event bigint not null,
  quantity numeric(14, 3) not null,
  approval_id bigint,
  created_by uuid,
  created_at timestamptz not null default now(),
  constraint replenishment_links_pkey primary key (id),
  constraint replenishment_links_trigger_event_key unique (trigger_event),
  constraint replenishment_links_root_id_fkey foreign key (root_id) references public.production_orders (id) on delete restrict,
  constraint replenishment_links_replenishment_id_fkey foreign key (replenishment_id) references public.replenishments (order_id) on delete restrict,
  constraint replenishment_links_source_order_id_fkey foreign key (source_order_id) references public.production_orders (id) on delete restrict,
  constraint replenishment_links_approval_id_fkey foreign key (approval_id) references public.approvals (id) on delete restrict,
  constraint replenishment_links_effect_check check (num_nonnulls(replenishment_id, approval_id) >= 1)
);
create index replenishment_links_root_id_idx on public.replenishment_links (root_id);
create index replenishment_links_replenishment_id_idx on public.replenishment_links (replenishment_id) where replenishment_id is not null;
create index replenishment_links_source_order_id_idx on public.replenishment_links (source_order_id);
create index replenishment_links_approval_id_idx on public.replenishment_links (approval_id) where approval_id is not null;
comment on table public.replenishment_links is
$$Why a replenishment has its quantity: one row per event that raised or lowered it; what a planner changed besides has an event of its own.
Rows without a replenishment went to an approval instead.$$;
comment on column public.replenishment_links.source_order_id is 'Where the loss was: the root, or one of its replenishments.';
comment on column public.replenishment_links.trigger_event is 'Id of the event; one event never replenishes twice.';
