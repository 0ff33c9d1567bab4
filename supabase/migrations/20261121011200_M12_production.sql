-- Built from sql/M12_production/ by `takt db build`: edit there, not here.
set local lock_timeout = '10s';
set local statement_timeout = '5min';

-- sql/M12_production/tables.sql

-- Routed production. Whoever locks several things does it in this order: genealogy, shared, where the order has no lot yet → root order of a replenishment →
-- its open replenishments and the own order, by id → work centre (for share; alone to enable or disable it) → lots by id → stock by SKU. The order row is the lock of its steps:
-- steps, counts, quality records and progress of an order are written under it and nowhere else.

-- Where and how things are made -------------------------------------------------------------------------------------

create table public.process_steps (
  code text not null constraint process_steps_code_check check (code ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,60}$'),
  title text not null constraint process_steps_title_check check (length(title) between 1 and 200),
  sequence integer not null constraint process_steps_sequence_check check (sequence > 0),
  kind text not null default 'process' constraint process_steps_kind_check
    check (kind in ('cut', 'machine', 'finish', 'assemble', 'paint', 'pack', 'inspect', 'process')),
  needs_complete_sets boolean not null default false,
  is_active boolean not null default true,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint process_steps_pkey primary key (code)
);
comment on table public.process_steps is 'Kinds of work, in the order in which they usually come: cutting, assembly, painting …';
comment on column public.process_steps.needs_complete_sets is
  'Assembly, painting: only complete sets of parts are released; the rest raises a replenishment or a discrepancy.';
create trigger _100_stamp before update on public.process_steps for each row execute function private.tg__stamp();

create table public.work_centres (
  code text not null constraint work_centres_code_check check (code ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,60}$'),
  title text not null constraint work_centres_title_check check (length(title) between 1 and 200),
  step text not null,
  type text not null default 'OTHER' constraint work_centres_type_check check (type in ('OPTIMIZER', 'PRE_CUT', 'CNC', 'FINISHING', 'ASSEMBLY',
    'PAINTING', 'PACKAGING', 'PRESS', 'CALIBRATOR', 'BRUSH', 'OTHER')),
  site text not null,
  line text constraint work_centres_line_check check (length(line) between 1 and 100),
  capacity integer constraint work_centres_capacity_check check (capacity between 1 and 10000),
  is_enabled boolean not null default true,
  disabled_reason text constraint work_centres_disabled_reason_check check (length(disabled_reason) between 1 and 500),
  disabled_at timestamptz,
  disabled_by uuid,
  is_active boolean not null default true,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint work_centres_pkey primary key (code),
  constraint work_centres_step_fkey foreign key (step) references public.process_steps (code) on delete restrict,
  constraint work_centres_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint work_centres_disabled_check check (is_enabled = (disabled_at is null) and is_enabled = (disabled_reason is null)
    and (disabled_by is null or not is_enabled))
);
create index work_centres_step_idx on public.work_centres (step, site);
create index work_centres_site_idx on public.work_centres (site);
comment on table public.work_centres is
  'Machines and benches. Each does one kind of work. Whoever works there shares the row; who enables or disables it takes it alone.';
comment on column public.work_centres.capacity is
  'Positions of its table: so many steps of orders run there at once; more take an approval (over_capacity). Null: no limit.';
comment on column public.work_centres.is_enabled is 'False: nothing is started or counted here until it is enabled again, which needs an approval.';
create trigger _100_stamp before update on public.work_centres for each row execute function private.tg__stamp();

create table public.routings (
  id bigint generated always as identity,
  sku text not null,
  version integer not null constraint routings_version_check check (version > 0),
  is_active boolean not null default false,
  note text constraint routings_note_check check (length(note) <= 500),
  created_by uuid,
  created_at timestamptz not null default now(),
  constraint routings_pkey primary key (id),
  constraint routings_version_key unique (sku, version),
  constraint routings_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete restrict
);
create unique index routings_active_key on public.routings (sku) where is_active;
comment on table public.routings is 'How an item is made. A version never changes; one of an item is active, and an older one can be again.';

create table public.routing_steps (
  routing_id bigint not null,
  sequence integer not null constraint routing_steps_sequence_check check (sequence between 1 and 1000),
  step text not null,
  work_centre text,
  setup_min numeric(10, 2) not null default 0 constraint routing_steps_setup_min_check check (setup_min >= 0 and setup_min < 100000),
  run_min numeric not null default 0 constraint routing_steps_run_min_check check (run_min >= 0 and run_min < 100000),
  materials text[] not null default '{}',
  instructions text constraint routing_steps_instructions_check check (length(instructions) <= 4000),
  constraint routing_steps_pkey primary key (routing_id, sequence),
  constraint routing_steps_routing_id_fkey foreign key (routing_id) references public.routings (id) on delete cascade,
  constraint routing_steps_step_fkey foreign key (step) references public.process_steps (code) on delete restrict,
  constraint routing_steps_work_centre_fkey foreign key (work_centre) references public.work_centres (code) on delete restrict
);
create index routing_steps_step_idx on public.routing_steps (step);
create index routing_steps_work_centre_idx on public.routing_steps (work_centre) where work_centre is not null;
comment on table public.routing_steps is 'The steps of a routing, in the order of their sequence.';
comment on column public.routing_steps.work_centre is 'Null: any work centre of the step. Orders of another site than its own are made at any of theirs.';
comment on column public.routing_steps.setup_min is 'Minutes once per order.';
comment on column public.routing_steps.run_min is 'Minutes per piece.';
comment on column public.routing_steps.materials is
$$SKUs of the bill of materials that go in at this step; how much of each is what the order says per piece. What no step names goes in at the first
step that needs complete sets, else at the first step.$$;

-- Orders on their way ------------------------------------------------------------------------------------------------

create table public.production_order_progress (
  order_id bigint not null,
  routing_id bigint not null,
  released_at timestamptz not null default now(),
  released_by uuid,
  executed_good numeric(14, 3) not null default 0,
  executed_total numeric(14, 3) not null default 0,
  lost numeric(14, 3) not null default 0,
  replenished numeric(14, 3) not null default 0,
  waits_for jsonb not null default '[]',
  closed_by uuid,
  close_reason text constraint production_order_progress_close_reason_check check (length(close_reason) between 1 and 500),
  constraint production_order_progress_pkey primary key (order_id),
  constraint production_order_progress_order_id_fkey foreign key (order_id) references public.production_orders (id) on delete cascade,
  constraint production_order_progress_routing_id_fkey foreign key (routing_id) references public.routings (id) on delete restrict
) with (fillfactor = 80);
create index production_order_progress_routing_id_idx on public.production_order_progress (routing_id);
comment on table public.production_order_progress is 'One row per released order; kept by private.derive_order from its steps.';
comment on column public.production_order_progress.executed_good is 'Good pieces of the LAST step.';
comment on column public.production_order_progress.executed_total is 'What left the last step, good or not.';
comment on column public.production_order_progress.lost is 'Scrapped or sent back at any step.';
comment on column public.production_order_progress.replenished is 'Good pieces that its replenishments made in place of lost ones.';
comment on column public.production_order_progress.waits_for is 'Why not everything is released: [{sequence, step, sets, missing: [{sku, needed, available, missing}]}].';
comment on column public.production_order_progress.close_reason is 'Closed by a person before all was made: why.';

create table public.production_order_steps (
  order_id bigint not null,
  sequence integer not null,
  step text not null,
  work_centre text,
  is_first boolean not null,
  is_last boolean not null,
  needs_complete_sets boolean not null,
  materials jsonb not null default '[]',
  setup_min numeric(10, 2) not null,
  run_min numeric not null,
  instructions text,
  status text not null default 'NOT_STARTED' constraint production_order_steps_status_check
    check (status in ('NOT_STARTED', 'IN_PROGRESS', 'PAUSED', 'COMPLETED')),
  planned numeric(14, 3) not null,
  released numeric(14, 3) not null default 0,
  started numeric(14, 3) not null default 0,
  good numeric(14, 3) not null default 0,
  scrap numeric(14, 3) not null default 0,
  returned numeric(14, 3) not null default 0,
  rework_open numeric(14, 3) not null default 0,
  held_open numeric(14, 3) not null default 0,
  in_process numeric(14, 3) not null generated always as (started - good - scrap - returned) stored,
  waiting numeric(14, 3) not null generated always as (started - good - scrap - returned - rework_open - held_open) stored,
  started_at timestamptz,
  paused_at timestamptz,
  pause_reason text constraint production_order_steps_pause_reason_check check (length(pause_reason) <= 500),
  completed_at timestamptz,
  is_ended boolean not null default false,
  version integer not null default 1,
  updated_at timestamptz not null default now(),
  constraint production_order_steps_pkey primary key (order_id, sequence),
  constraint production_order_steps_order_id_fkey foreign key (order_id) references public.production_orders (id) on delete cascade,
  constraint production_order_steps_step_fkey foreign key (step) references public.process_steps (code) on delete restrict,
  constraint production_order_steps_work_centre_fkey foreign key (work_centre) references public.work_centres (code) on delete restrict,
  constraint production_order_steps_counts_check check (least(released, started, good, scrap, returned, rework_open, held_open) >= 0),
  constraint production_order_steps_conserve_check check (good + scrap + returned + rework_open + held_open <= started),
  constraint production_order_steps_released_check check (started <= released and released <= planned),
  constraint production_order_steps_completed_check check ((status = 'COMPLETED') = (completed_at is not null))
) with (fillfactor = 70);
create index production_order_steps_step_idx on public.production_order_steps (step, order_id) where status <> 'COMPLETED';
create index production_order_steps_running_idx on public.production_order_steps (step, order_id) where status = 'IN_PROGRESS';
create index production_order_steps_step_fkey_idx on public.production_order_steps (step);
create index production_order_steps_work_centre_idx on public.production_order_steps (work_centre) where work_centre is not null;
comment on table public.production_order_steps is
$$The routing as it was when the order was released, with what happened at each step. started = good + scrap + returned + in_process, and
in_process = waiting + rework_open + held_open. A step starts at most the good pieces of the step before it.$$;
comment on column public.production_order_steps.materials is '[{line, sku, quantity}] per piece; taken from stock when a set is released.';
comment on column public.production_order_steps.released is 'Pieces that may start here: with materials, the complete sets that were handed over; else what is planned.';
comment on column public.production_order_steps.started is 'Pieces that entered the step.';
comment on column public.production_order_steps.scrap is 'Pieces that cannot be used any more. Rework, repair and use as is are never scrap.';
comment on column public.production_order_steps.returned is 'Pieces sent back to who delivered them: lost to the order, no scrap.';
comment on column public.production_order_steps.rework_open is 'Pieces that are being reworked or repaired here.';
comment on column public.production_order_steps.held_open is 'Pieces set aside until somebody decides.';
comment on column public.production_order_steps.is_ended is 'A person completed it although more could have come.';
create trigger _100_stamp before update on public.production_order_steps for each row execute function private.tg__stamp();

create sequence private.command_seq as bigint;

create table public.piece_counts (
  id bigint generated always as identity,
  at timestamptz not null default clock_timestamp(),
  order_id bigint not null,
  sequence integer not null,
  work_centre text,
  lot_id bigint,
  started numeric(14, 3) not null default 0,
  good numeric(14, 3) not null default 0,
  scrap numeric(14, 3) not null default 0,
  returned numeric(14, 3) not null default 0,
  rework_open numeric(14, 3) not null default 0,
  held_open numeric(14, 3) not null default 0,
  from_rework boolean not null default false,
  source text not null default 'person' constraint piece_counts_source_check check (source ~ '^[a-z][a-z0-9_.:-]{0,60}$'),
  counter_start numeric(16, 3),
  counter_end numeric(16, 3),
  pieces_per_cycle numeric(10, 3),
  counter_before jsonb,
  photo text constraint piece_counts_photo_check check (length(photo) <= 500),
  notes text constraint piece_counts_notes_check check (length(notes) <= 2000),
  station text,
  actor_id uuid,
  command bigint not null,
  txn_id bigint,
  reverses bigint,
  constraint piece_counts_pkey primary key (id),
  constraint piece_counts_order_fkey foreign key (order_id, sequence) references public.production_order_steps (order_id, sequence) on delete cascade,
  constraint piece_counts_work_centre_fkey foreign key (work_centre) references public.work_centres (code) on delete restrict,
  constraint piece_counts_lot_id_fkey foreign key (lot_id) references public.lots (id) on delete restrict,
  constraint piece_counts_txn_id_fkey foreign key (txn_id) references public.inventory_txn (id) on delete restrict,
  constraint piece_counts_reverses_fkey foreign key (reverses) references public.piece_counts (id) on delete cascade
);
create index piece_counts_order_idx on public.piece_counts (order_id, sequence, id);
create index piece_counts_work_centre_idx on public.piece_counts (work_centre, at) where work_centre is not null;
create index piece_counts_lot_id_idx on public.piece_counts (lot_id) where lot_id is not null;
create index piece_counts_txn_id_idx on public.piece_counts (txn_id) where txn_id is not null;
create index piece_counts_actor_id_idx on public.piece_counts (actor_id, id);
create unique index piece_counts_reverses_key on public.piece_counts (reverses) where reverses is not null;
comment on table public.piece_counts is
'Every change of the counters of a step, signed, append-only: their sum is the step. Written by private.book_pieces and nothing else.';
comment on column public.piece_counts.from_rework is 'These pieces came out of rework: good, but not at the first go.';
comment on column public.piece_counts.source is
  'person, start, quality, pause and end (paused, ended early: zeros) and undo, which nobody else may use; else the counter of a machine.';
comment on column public.piece_counts.pieces_per_cycle is 'Counter readings times this are pieces.';
comment on column public.piece_counts.counter_before is
  'The row of the counter as it was before this count read it: undo puts it back. Null with a counter_end: it was read for the first time.';
comment on column public.piece_counts.command is
  'What one command did is undone as one. Drawn once per transaction: transaction ids would start over in a cluster that a dump is restored into.';
comment on column public.piece_counts.txn_id is 'At the last step: the movement that put the good pieces into stock.';
comment on column public.piece_counts.reverses is 'The count that this one takes back. A count is taken back once.';

create table public.piece_counters (
  work_centre text not null,
  source text not null,
  value numeric(16, 3) not null,
  by_hand boolean not null default false,
  read_at timestamptz not null default clock_timestamp(),
  constraint piece_counters_pkey primary key (work_centre, source),
  constraint piece_counters_work_centre_fkey foreign key (work_centre) references public.work_centres (code) on delete cascade
) with (fillfactor = 50);
comment on table public.piece_counters is 'The last reading of each running counter that was booked; the next one counts from here.';
comment on column public.piece_counters.by_hand is 'A person read it last, in report_production.';
comment on column public.piece_counters.read_at is 'When it was read, where the reading said so. What was read before that comes too late.';

create table public.production_order_refs (
  system text not null constraint production_order_refs_system_check check (system ~ '^[a-z][a-z0-9_.-]{0,60}$'),
  external_id text not null constraint production_order_refs_external_id_check check (length(external_id) between 1 and 200),
  order_id bigint not null,
  version bigint not null default 0,
  payload_hash text not null,
  received_at timestamptz not null default now(),
  cancel_requested_at timestamptz,
  review jsonb,
  constraint production_order_refs_pkey primary key (order_id, system),
  constraint production_order_refs_order_id_fkey foreign key (order_id) references public.production_orders (id) on delete cascade
);
create unique index production_order_refs_external_key on public.production_order_refs (system, lower(external_id));
comment on table public.production_order_refs is 'What other systems call an order, and which version of it came last.';
comment on column public.production_order_refs.cancel_requested_at is 'The other system cancelled it after it was started: a person decides.';
comment on column public.production_order_refs.review is 'What the other system changed that cannot be followed any more: why a person must look.';

-- sql/M12_production/tables_quality.sql

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

-- sql/M12_production/lots_tables.sql

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

-- sql/M12_production/lots.sql

-- Lots of orders, and the one way in for what is done with a lot. Lots are locked by id, all that a command takes at once: public.lots for share (nobody
-- holds or releases it meanwhile; the lot that pieces are counted into alone, because it may become FINISHED), then production_lots.

create type private.lot_part as (lot_id bigint, quantity numeric, good numeric);

create function private.lot_short(p_lot_ids bigint[])
returns void language plpgsql set search_path = '' as $$
declare
  v_lot record;
begin
  select l.sku, l.code, p.* into v_lot from public.production_lots p join public.lots l on l.id = p.lot_id
   where p.lot_id = any (p_lot_ids) order by p.remaining, p.lot_id limit 1;
  perform private.fail(409, 'lot.short', format('Lot %s of %s has only %s left, %s of it finished.', v_lot.code, v_lot.sku,
    trim_scale(v_lot.remaining), trim_scale(v_lot.good)), jsonb_build_object('lot', v_lot.code, 'sku', v_lot.sku, 'remaining', trim_scale(v_lot.remaining),
    'finished', trim_scale(v_lot.good)));
end $$;

create function private.book_activity(p_activity public.trace_activities, p_inputs private.lot_part[], p_outputs private.lot_part[])
returns bigint language plpgsql set search_path = '' as $$
declare
  v_id bigint;
  v_lots bigint[] := array(select i.lot_id from unnest(p_inputs) i union select o.lot_id from unnest(p_outputs) o order by 1);
begin
  insert into public.trace_activities (kind, site, order_id, sequence, count_id, txn_id, note, actor_id, reverses, is_reversal)
  values (p_activity.kind, (select min(l.site) from public.lots l where l.id = any (v_lots)), p_activity.order_id, p_activity.sequence,
    p_activity.count_id, p_activity.txn_id, p_activity.note,
    nullif(p_activity.actor_id, '00000000-0000-0000-0000-000000000000'), p_activity.reverses, coalesce(p_activity.is_reversal, false))
  returning id into v_id;
  insert into public.trace_inputs (activity_id, lot_id, quantity, good) select v_id, i.lot_id, i.quantity, coalesce(i.good, 0) from unnest(p_inputs) i;
  insert into public.trace_outputs (activity_id, lot_id, quantity, good) select v_id, o.lot_id, o.quantity, coalesce(o.good, 0) from unnest(p_outputs) o;
  insert into public.production_lots (lot_id) select u from unnest(v_lots) u order by u on conflict on constraint production_lots_pkey do nothing;
  perform 1 from public.production_lots p where p.lot_id = any (v_lots) order by p.lot_id for update;
  begin
    update public.production_lots p
       set received = p.received + e.received, moved_in = p.moved_in + e.moved_in, moved_out = p.moved_out + e.moved_out, used = p.used + e.used,
           scrapped = p.scrapped + e.scrapped, returned = p.returned + e.returned, good = p.good + e.good,
           is_counted = p.is_counted or e.received > 0 or e.moved_in > 0
      from (select x.lot_id, sum(x.received) as received, sum(x.moved_in) as moved_in, sum(x.moved_out) as moved_out, sum(x.used) as used,
          sum(x.scrapped) as scrapped, sum(x.returned) as returned, sum(x.good) as good
          from private.lot_effects x where x.activity_id = v_id group by x.lot_id) e
     where e.lot_id = p.lot_id;
  exception when check_violation then
    perform private.lot_short(v_lots);
  end;
  return v_id;
end $$;
comment on function private.book_activity is
$$Notes what was done and keeps the balances of its lots. p_activity: kind and, as far as known, order_id, sequence, count_id, txn_id, note, actor_id,
reverses, is_reversal. Edges for tracing are written by the caller. Errors: lot.short (409). Locks: production_lots of its lots, by id.$$;

create function private.link_lots(p_parent public.lots, p_child public.lots, p_quantity numeric)
returns void language plpgsql set search_path = '' as $$
begin
  if p_parent.id = p_child.id then
    return;   -- into itself: the activity says so, a trace needs no edge
  end if;
  insert into public.trace_edges as e (parent, child, quantity)
  values (private.trace_node('lot', p_parent.code, p_parent.sku), private.trace_node('lot', p_child.code, p_child.sku), p_quantity)
  on conflict on constraint trace_edges_pkey do update
    set quantity = e.quantity + excluded.quantity, at = case when e.removed_at is null then e.at else excluded.at end, removed_at = null;
end $$;
comment on function private.link_lots is
$$As private.link, but a lot may come back to where it came from: split off, reworked, merged again. Both are in each other then, and traces, which
visit each node once, end all the same.$$;

-- The lots of an order ---------------------------------------------------------------------------------------------

create function private.own_lot(p_order public.production_orders, p_actor uuid)
returns public.lots language plpgsql set search_path = '' as $$
declare
  v_lot public.lots;
  v_code text := p_order.code;
begin
  select l.* into v_lot from public.production_lots p join public.lots l on l.id = p.lot_id where p.order_id = p_order.id order by l.id limit 1;
  if v_lot.id is not null or p_order.product_sku is null then
    return v_lot;
  end if;
  loop
    insert into public.lots (sku, code, kind, site, created_by)
    values (p_order.product_sku, v_code, 'WIP', p_order.site, nullif(p_actor, '00000000-0000-0000-0000-000000000000'))
    on conflict (sku, lower(code)) do nothing returning * into v_lot;
    exit when v_lot.id is not null;
    v_code := v_code || '-L';   -- somebody gave that code to another lot
  end loop;
  insert into public.production_lots (lot_id, order_id) values (v_lot.id, p_order.id);
  perform private.link('production_order', p_order.code, 'lot', v_lot.code, p_order.quantity, null, v_lot.sku);
  perform private.emit('lot', v_lot.sku || ' ' || v_lot.code, 'lot.saved', p_actor,
    jsonb_build_object('lot_id', v_lot.id, 'version', 1, 'sku', v_lot.sku, 'code', v_lot.code, 'order', p_order.code), null, p_order.site);
  return v_lot;
end $$;
comment on function private.own_lot is
$$The lot of an order: its first one, made when it is first asked for, with the code of the order. A null row when the order names no product.
The caller holds the order row, and before it, where there is no lot yet, the genealogy (lock_family).$$;

create function private.refuse_unusable(p_lot public.lots)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_lot public.production_lots;
begin
  select p.* into v_lot from public.production_lots p where p.lot_id = p_lot.id;
  if p_lot.held_at is not null then
    perform private.fail(423, 'lot.on_hold', format('Lot %s of %s is on hold: %s Use another one.', p_lot.code, p_lot.sku, p_lot.hold_reason),
      jsonb_build_object('lot', p_lot.code, 'sku', p_lot.sku, 'reason', p_lot.hold_reason));
  elsif v_lot.removed_at is not null then
    perform private.fail(409, 'lot.removed', format('Lot %s of %s was taken out of use: %s Use another one.', p_lot.code, p_lot.sku, v_lot.remove_reason),
      jsonb_build_object('lot', p_lot.code, 'sku', p_lot.sku, 'reason', v_lot.remove_reason));
  end if;
end $$;
comment on function private.refuse_unusable is 'Errors: lot.on_hold (423), lot.removed (409).';

create function private.share_lots(p_ids bigint[], p_own bigint default null, p_is_leaving boolean default false)
returns void language plpgsql set search_path = '' as $$
declare
  v_id bigint;
  v_lot public.lots;
begin
  for v_id in select distinct u from unnest(p_ids) u where u is not null order by u loop
    if v_id = p_own then
      select l.* into v_lot from public.lots l where l.id = v_id for no key update;
    else
      select l.* into v_lot from public.lots l where l.id = v_id for share;
    end if;
    if not p_is_leaving then
      perform private.refuse_unusable(v_lot);
    end if;
  end loop;
end $$;
comment on function private.share_lots is
$$All the lots that a command uses; p_own: the one that pieces are counted into; p_is_leaving: bad pieces leave them, on hold or not. Errors: lot.on_hold (423),
lot.removed (409). Locks: the lots by id, shared, p_own alone.$$;

create function private.lot_of_order(p_order public.production_orders, p_lot text, p_actor uuid)
returns public.lots language plpgsql set search_path = '' as $$
declare
  v_lot public.lots;
  v_of bigint;
begin
  if p_lot is null then
    return private.own_lot(p_order, p_actor);
  end if;
  v_lot := private.find_lot(p_order.product_sku, p_lot);
  select p.order_id into v_of from public.production_lots p where p.lot_id = v_lot.id;
  if v_of is distinct from p_order.id then
    perform private.fail(409, 'lot.other_order', format('Lot %s is not a lot of order %s.', v_lot.code, p_order.code), jsonb_build_object(
      'lot', v_lot.code, 'expected', p_order.code, 'actual', (select o.code from public.production_orders o where o.id = v_of)));
  end if;
  return v_lot;
end $$;
comment on function private.lot_of_order is
$$The lot a count of this order goes to: the named one, else its own. The caller locks it (share_lots). Errors: lot.unknown (404), lot.other_order (409).$$;

create function private.lot_of_material(p_order public.production_orders, p_materials jsonb, p_sku text, p_lot text)
returns public.lots language plpgsql stable set search_path = '' as $$
declare
  v_expected text[] := array(select m.item ->> 'sku' from jsonb_array_elements(coalesce(p_materials, '[]')) m (item) order by 1);
  v_lot public.lots;
  v_sku text := p_sku;
begin
  if v_expected = '{}' then
    v_expected := private.order_skus(p_order.id);
  end if;
  if p_lot is not null then
    -- Among several lots of that code, the one that fits is meant.
    p_sku := coalesce(p_sku, (select min(l.sku) from public.lots l where lower(l.code) = lower(p_lot) and l.sku = any (v_expected) having count(*) = 1));
    v_lot := private.find_lot(p_sku, p_lot);
    perform private.refuse_lot_elsewhere(v_lot, p_order.site);
    v_sku := v_lot.sku;
  elsif p_sku is not null then
    v_sku := (private.find_item(p_sku)).sku;
  end if;
  if v_sku is null or not v_sku = any (v_expected) then
    perform private.fail(409, 'production.wrong_material', format('%s does not belong here. Order %s takes %s.', coalesce(v_lot.code, v_sku, 'That'), p_order.code,
      array_to_string(v_expected, ', ')), jsonb_build_object('expected', v_expected, 'actual', v_sku, 'lot', v_lot.code));
  end if;
  return v_lot;
end $$;
comment on function private.lot_of_material is
$$Does this material (item or lot) belong into the order here? p_materials [{sku}] of the step; none: any part of the order. Answers the lot, a null row for
an item without; the caller locks it (share_lots), then asks refuse_used_up. Errors: production.wrong_material (409), lot.unknown (404), lot.ambiguous, lot.other_site (409), auth.other_site (403),
item.unknown (404).$$;

create function private.refuse_used_up(p_lot public.lots)
returns void language plpgsql stable set search_path = '' as $$
begin
  if exists (select from public.production_lots p where p.lot_id = p_lot.id and p.is_counted and p.remaining = 0) then
    perform private.fail(409, 'lot.used_up', format('Nothing is left of lot %s of %s. Use another one.', p_lot.code, p_lot.sku),
      jsonb_build_object('lot', p_lot.code, 'sku', p_lot.sku));
  end if;
end $$;

-- Counts of pieces move the lots of their order ------------------------------------------------------------------------

create function private.tg_piece_counts__lot()
returns trigger language plpgsql set search_path = '' as $$
begin
  new.lot_id := coalesce((select c.lot_id from public.piece_counts c where c.id = new.reverses),
    (private.own_lot((select o from public.production_orders o where o.id = new.order_id), new.actor_id)).id);
  return new;
end $$;
comment on function private.tg_piece_counts__lot is 'A count that names no lot is of the own lot of the order; what it takes back, of the same lot.';
create trigger _100_lot before insert on public.piece_counts for each row when (new.lot_id is null) execute function private.tg_piece_counts__lot();

create function private.count_activity(p_count public.piece_counts, p_kind text, p_quantity numeric)
returns void language plpgsql set search_path = '' as $$
declare
  v_activity public.trace_activities;
  v_part private.lot_part := row(p_count.lot_id, abs(p_quantity), case when p_kind = 'finish' then abs(p_quantity) else 0 end)::private.lot_part;
begin
  v_activity.kind := p_kind;
  v_activity.order_id := p_count.order_id;
  v_activity.sequence := p_count.sequence;
  v_activity.count_id := p_count.id;
  v_activity.actor_id := p_count.actor_id;
  v_activity.is_reversal := p_quantity < 0;
  perform private.book_activity(v_activity,
    case when p_kind = 'finish' then array[row(p_count.lot_id, abs(p_quantity), 0)::private.lot_part] when p_kind <> 'start' then array[v_part] else '{}' end,
    case when p_kind in ('start', 'finish') then array[v_part] else '{}' end);
end $$;
comment on function private.count_activity is 'One effect of a count on its lot; a negative quantity takes so much back.';

create function private.tg_piece_counts__book_lot()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_step public.production_order_steps;
  v_quantity numeric;
  v_kind text;
begin
  select s.* into v_step from public.production_order_steps s where s.order_id = new.order_id and s.sequence = new.sequence;
  if v_step.is_last and new.good > 0 then
    update public.lots l set kind = 'FINISHED' where l.id = new.lot_id and l.kind = 'WIP';
  end if;
  for v_kind, v_quantity in   -- what comes free first, then what takes: a good piece that became scrap is no shortage
    select e.kind, e.quantity
      from (values ('start', case when v_step.is_first then new.started else 0 end), ('finish', case when v_step.is_last then new.good else 0 end),
        ('scrap', new.scrap), ('return', new.returned)) as e (kind, quantity)
     where e.quantity <> 0
     order by case when e.kind = 'start' then case when e.quantity > 0 then 1 else 5 end when e.kind = 'finish' then case when e.quantity < 0 then 2 else 6 end
       when e.quantity < 0 then 3 else 4 end, e.kind
  loop
    perform private.count_activity(new, v_kind, v_quantity);
  end loop;
  if v_step.is_last and new.good < 0 then
    update public.lots l set kind = 'WIP'
     where l.id = new.lot_id and l.kind = 'FINISHED' and (select sum(c.good) from public.piece_counts c
       join public.production_order_steps s on s.order_id = c.order_id and s.sequence = c.sequence and s.is_last where c.lot_id = new.lot_id) = 0
       and exists (select from public.production_lots p where p.lot_id = new.lot_id and p.good = 0);
  end if;
  return null;
end $$;
comment on function private.tg_piece_counts__book_lot is
'Pieces that enter the first step enter the lot; those good at the last step are finished; scrapped or returned at any step they leave it. A lot of which
nothing is finished any more is in process again.';
create trigger _500_lot after insert on public.piece_counts for each row when (new.lot_id is not null) execute function private.tg_piece_counts__book_lot();

create function private.tg_unit_components__lot_in_use()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.refuse_unusable(l) from public.lots l where l.id = new.lot_id;
  return new;
end $$;
comment on function private.tg_unit_components__lot_in_use is 'A lot taken out of use goes into no unit.';
create trigger _200_lot_in_use before insert on public.unit_components for each row when (new.lot_id is not null)
  execute function private.tg_unit_components__lot_in_use();

-- Do the books agree? ------------------------------------------------------------------------------------------------

create function private.lot_differences()
returns table (subject text, what text, kept numeric, expected numeric) language sql stable set search_path = '' as $$
  with sums as (
    select e.lot_id, sum(e.received) as received, sum(e.moved_in) as moved_in, sum(e.moved_out) as moved_out, sum(e.used) as used,
      sum(e.scrapped) as scrapped, sum(e.returned) as returned, sum(e.good) as good
      from private.lot_effects e group by e.lot_id
  ), counts as (
    select c.lot_id, sum(c.started) filter (where s.is_first) as received, sum(c.good) filter (where s.is_last) as finished,
      sum(c.scrap) as scrapped, sum(c.returned) as returned
      from public.piece_counts c join public.production_order_steps s on s.order_id = c.order_id and s.sequence = c.sequence
     where c.lot_id is not null group by c.lot_id
  ), booked as (
    select p.lot_id, sum(case when a.is_reversal then -p.quantity else p.quantity end) filter (where a.kind = 'start') as received,
      sum(case when a.is_reversal then -p.quantity else p.quantity end) filter (where a.kind = 'finish') as finished,
      sum(case when a.is_reversal then -p.quantity else p.quantity end) filter (where a.kind = 'scrap') as scrapped,
      sum(case when a.is_reversal then -p.quantity else p.quantity end) filter (where a.kind = 'return') as returned
      from public.trace_activities a
      join (select o.activity_id, o.lot_id, o.quantity from public.trace_outputs o
            union select i.activity_id, i.lot_id, i.quantity from public.trace_inputs i) p on p.activity_id = a.id
     where a.count_id is not null group by p.lot_id
  )
  select 'lot ' || l.code || ' of ' || l.sku, t.what, t.kept, t.expected
    from public.lots l
    left join public.production_lots p on p.lot_id = l.id
    left join sums s on s.lot_id = l.id left join counts c on c.lot_id = l.id left join booked b on b.lot_id = l.id
   cross join lateral (values ('received', p.received, s.received), ('moved_in', p.moved_in, s.moved_in), ('moved_out', p.moved_out, s.moved_out),
     ('used', p.used, s.used), ('scrapped', p.scrapped, s.scrapped), ('returned', p.returned, s.returned), ('good', p.good, s.good),
     ('started in counts', b.received, c.received), ('good in counts', b.finished, c.finished), ('scrap in counts', b.scrapped, c.scrapped),
     ('returned in counts', b.returned, c.returned)) as t (what, kept, expected)
   where coalesce(t.kept, 0) <> coalesce(t.expected, 0)
$$;
comment on function private.lot_differences is
  'Where the balance of a lot differs from its activities, or its activities from the counts of its order. No rows: all is well.';

-- sql/M12_production/routing.sql

-- What a planner sets up: kinds of work, work centres, how items are made.

create function public.save_process_step(
  p_code text, p_title text default null, p_sequence integer default null, p_kind text default null, p_needs_complete_sets boolean default null,
  p_is_active boolean default null, p_request_id uuid default null)
returns public.process_steps language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.setup');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_process_step', jsonb_build_array(p_code, p_title, p_sequence, p_kind,
    p_needs_complete_sets, p_is_active));
  v_old public.process_steps;
  v_step public.process_steps;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.process_steps, v_answer);
  end if;
  select s.* into v_old from public.process_steps s where s.code = p_code for update;
  if v_old.code is null then
    insert into public.process_steps as s (code, title, sequence, kind, needs_complete_sets, is_active)
    values (p_code, coalesce(p_title, p_code), coalesce(p_sequence, (select coalesce(max(s.sequence), 0) + 10 from public.process_steps s)),
      coalesce(p_kind, 'process'), coalesce(p_needs_complete_sets, p_kind in ('assemble', 'paint'), false), coalesce(p_is_active, true))
    returning s.* into v_step;
  else
    update public.process_steps s
       set title = coalesce(p_title, s.title), sequence = coalesce(p_sequence, s.sequence), kind = coalesce(p_kind, s.kind),
           needs_complete_sets = coalesce(p_needs_complete_sets, s.needs_complete_sets), is_active = coalesce(p_is_active, s.is_active)
     where s.code = p_code and (s.title, s.sequence, s.kind, s.needs_complete_sets, s.is_active) is distinct from (coalesce(p_title, s.title),
       coalesce(p_sequence, s.sequence), coalesce(p_kind, s.kind), coalesce(p_needs_complete_sets, s.needs_complete_sets), coalesce(p_is_active, s.is_active))
    returning s.* into v_step;
  end if;
  if v_step.code is not null then
    perform private.emit('process_step', v_step.code, 'process_step.saved', v_actor, jsonb_build_object('version', v_step.version,
      'title', v_step.title, 'needs_complete_sets', v_step.needs_complete_sets, 'is_active', v_step.is_active));
  end if;
  v_step := case when v_step.code is null then v_old else v_step end;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_step));
  return v_step;
end $$;
comment on function public.save_process_step is
$$Add or change a kind of work (null: as it is). p_kind cut, machine, finish, assemble, paint, pack, inspect or process; p_needs_complete_sets:
only complete sets of parts are released (assembly and painting: by themselves). Orders on their way keep what they were released with.
Permission: production.setup.
Errors: request.reused (422); constraints by name.
Idempotency: by p_request_id; the same again changes nothing.
Locks: the step.$$;

create function public.save_work_centre(
  p_code text, p_title text default null, p_step text default null, p_type text default null, p_site text default null, p_line text default null,
  p_capacity integer default null, p_is_active boolean default null, p_request_id uuid default null)
returns public.work_centres language plpgsql security definer set search_path = '' as $$
declare
  v_old public.work_centres := (select w from public.work_centres w where w.code = p_code);
  v_site text := coalesce(v_old.site, private.caller_site(p_site, null));
  v_actor uuid := private.authorize('production.setup', null, v_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_work_centre', jsonb_build_array(p_code, p_title, p_step, p_type, p_site, p_line,
    p_capacity, p_is_active));
  v_new public.work_centres;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.work_centres, v_answer);
  end if;
  select w.* into v_old from public.work_centres w where w.code = p_code for update;   -- as it is while nobody switches it; a release that names it goes first
  perform private.check_centre(v_old, v_site, p_site, p_step);
  if v_old.is_enabled and v_old.is_active and not p_is_active then
    perform private.fail(409, 'work_centre.in_use', format('%s is in use. Ask for it to be disabled first; once somebody else agrees, take it out of use.', v_old.title),
      jsonb_build_object('work_centre', v_old.code));
  end if;
  perform private.refuse_named_centre(p_code, p_step);
  if v_old.code is null then
    insert into public.work_centres as w (code, title, step, type, site, line, capacity, is_active)
    values (p_code, coalesce(p_title, p_code), p_step, coalesce(p_type, 'OTHER'), v_site, p_line, nullif(p_capacity, 0), coalesce(p_is_active, true))
    returning w.* into v_new;
  else
    update public.work_centres w
       set title = coalesce(p_title, w.title), step = coalesce(p_step, w.step), type = coalesce(p_type, w.type), line = coalesce(p_line, w.line),
           capacity = nullif(coalesce(p_capacity, w.capacity), 0), is_active = coalesce(p_is_active, w.is_active)
     where w.code = p_code and (w.title, w.step, w.type, w.line, w.capacity, w.is_active) is distinct from (coalesce(p_title, w.title),
       coalesce(p_step, w.step), coalesce(p_type, w.type), coalesce(p_line, w.line), nullif(coalesce(p_capacity, w.capacity), 0), coalesce(p_is_active, w.is_active))
    returning w.* into v_new;
  end if;
  if v_new.code is not null then
    perform private.emit('work_centre', v_new.code, 'work_centre.saved', v_actor, jsonb_build_object('version', v_new.version, 'step', v_new.step,
      'type', v_new.type, 'is_active', v_new.is_active), null, v_new.site);
  end if;
  v_new := case when v_new.code is null then v_old else v_new end;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_new));
  return v_new;
end $$;
comment on function public.save_work_centre is
$$Add or change a machine or bench (null: as it is). p_step: the kind of work it does; p_type OPTIMIZER, PRE_CUT, CNC, FINISHING, ASSEMBLY, PAINTING,
PACKAGING, PRESS, CALIBRATOR, BRUSH or OTHER; p_capacity: positions of its table, so many steps of orders run there at once; 0: no limit. It is enabled and disabled by
an approval, never here; only a disabled one is taken out of use (p_is_active false).
Permission: production.setup at its site.
Errors: site.unknown (404), process_step.unknown (404), work_centre.other_site, work_centre.in_use, work_centre.named (409), request.reused (422); constraints by name.
Idempotency: by p_request_id; the same again changes nothing.
Locks: the work centre.$$;

create function private.check_centre(p_old public.work_centres, p_site text, p_said text, p_step text)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_old.code is null and not exists (select from public.sites s where s.code = p_site) or p_site is null then
    perform private.fail(404, 'site.unknown', 'Say at which site it stands.', jsonb_build_object('site', p_site));
  elsif p_old.site <> p_said then
    perform private.fail(409, 'work_centre.other_site', format('%s stands at %s. Add a new one for another site.', p_old.code, p_old.site),
      jsonb_build_object('expected', p_old.site, 'actual', p_said));
  elsif not exists (select from public.process_steps s where s.code = coalesce(p_step, p_old.step)) then
    perform private.fail(404, 'process_step.unknown', 'There is no process step ' || coalesce(p_step, '') || '.', jsonb_build_object('step', p_step));
  end if;
end $$;

create function private.refuse_named_centre(p_centre text, p_step text)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_by text[] := array(
    select 'the routing of ' || r.sku from public.routing_steps s join public.routings r on r.id = s.routing_id and r.is_active
     where s.work_centre = p_centre and s.step <> p_step
    union
    select 'order ' || o.code from public.production_order_steps s join public.production_orders o on o.id = s.order_id
     where s.work_centre = p_centre and s.step <> p_step and s.status <> 'COMPLETED' and o.status not in ('CLOSED', 'CANCELLED')
     order by 1);
begin
  if v_by <> '{}' then
    perform private.fail(409, 'work_centre.named', format('%s is named for another kind of work by %s. Change that first.', p_centre,
      array_to_string(v_by[:5], ', ') || case when cardinality(v_by) > 5 then ', …' else '' end), jsonb_build_object('work_centre', p_centre, 'named_by', v_by[:50]));
  end if;
end $$;
comment on function private.refuse_named_centre is
  'Who named it would wait for ever. Errors: work_centre.named (409). The work centre is locked.';

create function private.step_title(p_step text)
returns text language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select s.title from public.process_steps s where s.code = p_step), p_step);
end $$;
comment on function private.step_title is 'The kind of work as a person reads it; its code is for programs.';

-- Routings -----------------------------------------------------------------------------------------------------------

create type public.routing_change as (changed boolean, event_id bigint, routing public.routings, steps jsonb);
comment on type public.routing_change is 'A version of a routing with its steps [{sequence, step, work_centre, setup_min, run_min, materials, instructions}].';

create function private.refuse_routing(p_fault text, p_detail jsonb)
returns void language plpgsql volatile set search_path = '' as $$
begin
  perform private.fail(422, 'routing.steps', p_fault, p_detail || jsonb_build_object('field', 'p_steps'));
end $$;

create function private.check_routing(p_steps jsonb)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_step record;
begin
  if jsonb_typeof(p_steps) is distinct from 'array' or jsonb_array_length(p_steps) not between 1 and 50
     or exists (select from jsonb_array_elements(p_steps) s where jsonb_typeof(s) <> 'object' or jsonb_typeof(s -> 'step') is distinct from 'string'
       or jsonb_typeof(s -> 'materials') not in ('array', 'null') or jsonb_typeof(s -> 'setup_min') not in ('number', 'null')
       or jsonb_typeof(s -> 'run_min') not in ('number', 'null')) then
    perform private.refuse_routing('A routing has 1 to 50 steps like {"step": "CNC", "work_centre": null, "setup_min": 10, "run_min": 1.5, "materials": ["MDF-18"]}.', '{}');
  end if;
  for v_step in
    select s.n, s.item ->> 'step' as step, s.item ->> 'work_centre' as work_centre, p.code as known, w.code as centre, w.step as centre_step
      from jsonb_array_elements(p_steps) with ordinality as s (item, n)
      left join public.process_steps p on p.code = s.item ->> 'step'
      left join public.work_centres w on w.code = s.item ->> 'work_centre'
  loop
    if v_step.known is null then
      perform private.fail(404, 'process_step.unknown', 'There is no process step ' || v_step.step || '.', jsonb_build_object('step', v_step.step));
    elsif v_step.work_centre is not null and v_step.centre is null then
      perform private.fail(404, 'work_centre.unknown', 'There is no work centre ' || v_step.work_centre || '.', jsonb_build_object('work_centre', v_step.work_centre));
    elsif v_step.centre_step <> v_step.step then
      perform private.refuse_routing(format('%s does %s, not %s.', v_step.work_centre, private.step_title(v_step.centre_step), private.step_title(v_step.step)),
        jsonb_build_object('expected', v_step.centre_step, 'actual', v_step.step, 'position', v_step.n));
    end if;
  end loop;
  perform private.refuse_routing(format('%s goes in at two steps. Name it once.', m.sku), jsonb_build_object('sku', m.sku))
     from (select (private.find_item(m)).sku as sku from jsonb_array_elements(p_steps) s,
             jsonb_array_elements_text(case jsonb_typeof(s -> 'materials') when 'array' then s -> 'materials' else '[]' end) m) m
    group by m.sku having count(*) > 1;
end $$;
comment on function private.check_routing is
  'Errors: routing.steps (422), process_step.unknown (404), work_centre.unknown (404), item.unknown (404) for a routing that cannot be followed.';

create function private.routing_answer(p_routing_id bigint, p_event_id bigint)
returns public.routing_change language plpgsql stable set search_path = '' as $$
begin
  return row(p_event_id is not null, p_event_id, (select r from public.routings r where r.id = p_routing_id),
    (select jsonb_agg(to_jsonb(s) - 'routing_id' order by s.sequence) from public.routing_steps s where s.routing_id = p_routing_id))::public.routing_change;
end $$;

create function public.save_routing(
  p_sku text, p_steps jsonb, p_note text default null, p_activate boolean default true, p_request_id uuid default null)
returns public.routing_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.setup');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_routing', jsonb_build_array(p_sku, p_steps, p_note, p_activate));
  v_item public.inventory_items;
  v_routing public.routings;
  v_change public.routing_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.routing_change, v_answer);
  end if;
  v_item := private.item_to_move(p_sku);
  perform private.check_routing(p_steps);
  perform pg_advisory_xact_lock(hashtextextended('takt routing ' || v_item.sku, 0));
  if p_activate then
    update public.routings r set is_active = false where r.sku = v_item.sku and r.is_active;
  end if;
  insert into public.routings as r (sku, version, is_active, note, created_by)
  values (v_item.sku, (select coalesce(max(r.version), 0) + 1 from public.routings r where r.sku = v_item.sku), p_activate, p_note,
    nullif(v_actor, '00000000-0000-0000-0000-000000000000')) returning r.* into v_routing;
  insert into public.routing_steps (routing_id, sequence, step, work_centre, setup_min, run_min, materials, instructions)
  select v_routing.id, s.n * 10, s.item ->> 'step', s.item ->> 'work_centre', coalesce((s.item ->> 'setup_min')::numeric, 0),
      coalesce((s.item ->> 'run_min')::numeric, 0), array(select (private.find_item(m)).sku from jsonb_array_elements_text(
        case jsonb_typeof(s.item -> 'materials') when 'array' then s.item -> 'materials' else '[]' end) m), s.item ->> 'instructions'
    from jsonb_array_elements(p_steps) with ordinality as s (item, n);
  v_change := private.routing_answer(v_routing.id, private.emit('routing', v_item.sku, 'routing.saved', v_actor,
    jsonb_build_object('version', v_routing.version, 'is_active', v_routing.is_active)));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.save_routing is
$$How an item is made from now on: a new version. p_steps [{step, work_centre (null: any of the step), setup_min (once per order), run_min (per piece),
materials [sku, …] that go in there, instructions}], in their order; they get the sequences 10, 20, 30 … Orders that are released keep their steps.
Permission: production.setup.
Errors: item.unknown (404), item.not_stocked (422), routing.steps (422), process_step.unknown (404), work_centre.unknown (404), request.reused (422);
constraints by name.
Idempotency: by p_request_id.
Locks: the routings of the item.$$;

create function public.activate_routing(p_sku text, p_version integer, p_request_id uuid default null)
returns public.routing_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.setup');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'activate_routing', jsonb_build_array(p_sku, p_version));
  v_sku text;
  v_routing public.routings;
  v_event bigint;
  v_change public.routing_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.routing_change, v_answer);
  end if;
  v_sku := (private.find_item(p_sku)).sku;
  perform pg_advisory_xact_lock(hashtextextended('takt routing ' || v_sku, 0));
  select r.* into v_routing from public.routings r where r.sku = v_sku and r.version = p_version;
  if v_routing.id is null then
    perform private.fail(404, 'routing.unknown', format('%s has no routing %s.', v_sku, p_version), jsonb_build_object('sku', v_sku, 'version', p_version));
  elsif not v_routing.is_active then
    update public.routings r set is_active = false where r.sku = v_sku and r.is_active;
    update public.routings r set is_active = true where r.id = v_routing.id;
    v_event := private.emit('routing', v_sku, 'routing.activated', v_actor, jsonb_build_object('version', p_version));
  end if;
  v_change := private.routing_answer(v_routing.id, v_event);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.activate_routing is
$$An older version of a routing is followed again by orders released from now on.
Permission: production.setup.
Errors: item.unknown (404), routing.unknown (404), request.reused (422).
Idempotency: by p_request_id; the active version again answers changed = false.
Locks: the routings of the item.$$;

grant execute on function public.save_process_step, public.save_work_centre, public.save_routing, public.activate_routing to authenticated, service_role;

-- sql/M12_production/internal.sql

-- One command on a released order: begin_floor → book_pieces → finish_floor.

create type public.routed_change as (
  changed boolean, event_id bigint, order_row public.production_orders, progress public.production_order_progress,
  step public.production_order_steps, notices jsonb, count_id bigint);
comment on type public.routed_change is
$$Answer of a command on a routed order: did it change anything, its event, the order, its progress and the step now (null for commands on the whole
order), notices [{code, message, details}] on what came of it, count_id: what undo_production takes back (null: nothing was counted).$$;

create type private.problem as (status integer, hint text, message text, detail jsonb);
comment on type private.problem is 'Why something may not be done; a null status when it may. Raised by a command, answered by a scan.';

create type private.floor_command as (
  actor uuid, request_id uuid, answer jsonb, order_row public.production_orders, centre public.work_centres,
  step public.production_order_steps, lot_id bigint);

create function private.floor_refusal(p_status integer, p_hint text, p_message text, p_detail jsonb)
returns private.problem language plpgsql immutable set search_path = '' as $$
begin
  return row(p_status, p_hint, p_message, p_detail)::private.problem;
end $$;

create function private.refuse(p_problem private.problem)
returns void language plpgsql volatile set search_path = '' as $$
begin
  if p_problem.status is not null then
    perform private.fail(p_problem.status, p_problem.hint, p_problem.message, p_problem.detail);
  end if;
end $$;

-- Locks --------------------------------------------------------------------------------------------------------------

create function private.stock_of_order(p_order public.production_orders)
returns text[] language plpgsql stable set search_path = '' as $$
declare
  v_root public.production_orders := (select o from public.production_orders o where o.id = private.root_of(p_order.id));
begin
  return array(
    with mine as (
      select u as sku from unnest(private.order_skus(p_order.id) || private.order_skus(v_root.id) || v_root.product_sku || p_order.product_sku) u
    )
    select m.sku from mine m where m.sku is not null
    union
    select e.sku from mine m join public.routings r on r.sku = m.sku and r.is_active cross join lateral private.explode(m.sku, 1) e
    order by 1);
end $$;
comment on function private.stock_of_order is
'All items that a command on the order can move or promise: its parts and product, those of its root, and the parts of what is made in the house.';

create function private.lock_order_stock(p_order public.production_orders)
returns void language plpgsql set search_path = '' as $$
begin
  perform private.lock_stock(private.stock_of_order(p_order));
end $$;
comment on function private.lock_order_stock is
  'The first lock on stock that a command on an order takes, and the only one: all of it at once, so that two commands never wait for each other.';

create function private.lock_own_lot(p_order public.production_orders, p_lot text, p_actor uuid, p_is_leaving boolean default false)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_lot public.lots := private.lot_of_order(p_order, p_lot, p_actor);
begin
  perform private.share_lots(array[v_lot.id], v_lot.id, p_is_leaving);
  perform 1 from public.production_lots l where l.lot_id = v_lot.id for update;
  return v_lot.id;
end $$;
comment on function private.lock_own_lot is
$$The lot that pieces are counted into. p_is_leaving: all of them are bad (scrap, return, hold), which is how pieces of a lot on hold end too; what goes on is
refused. Errors: those of lot_of_order; lot.on_hold (423), lot.removed (409). Locks: the lot, then its balance.$$;

-- May it be done here and now? ----------------------------------------------------------------------------------------

create function private.order_problem(p_order public.production_orders, p_code text)
returns private.problem language plpgsql stable set search_path = '' as $$
begin
  if p_order.id is null then
    return private.floor_refusal(404, 'production.unknown', 'There is no production order ' || coalesce(p_code, '') || '.', jsonb_build_object('code', p_code));
  elsif p_order.status in ('CLOSED', 'CANCELLED') then
    return private.floor_refusal(409, 'production.closed', format('The order %s is %s.', p_order.code, lower(p_order.status)),
      jsonb_build_object('code', p_order.code, 'status', p_order.status, 'expected', 'open', 'actual', p_order.status));
  elsif not p_order.is_routed then
    return private.floor_refusal(409, 'production.not_released', format('The order %s is not released yet. Ask a planner.', p_order.code),
      jsonb_build_object('code', p_order.code));
  end if;
  return null;
end $$;

create function private.centre_problem(p_order public.production_orders, p_centre public.work_centres, p_said text)
returns private.problem language plpgsql stable set search_path = '' as $$
begin
  if p_said is null then
    return null;
  elsif p_centre.code is null then
    return private.floor_refusal(404, 'work_centre.unknown', 'There is no work centre ' || p_said || '.', jsonb_build_object('work_centre', p_said));
  elsif p_centre.site <> p_order.site then
    return private.floor_refusal(409, 'work_centre.other_site', format('%s stands at %s; the order is made at %s.', p_centre.code, p_centre.site, p_order.site),
      jsonb_build_object('expected', p_order.site, 'actual', p_centre.site));
  elsif not p_centre.is_enabled or not p_centre.is_active then
    return private.floor_refusal(409, 'work_centre.disabled', format('%s is out of use: %s. Ask for it to be enabled.', p_centre.title,
      coalesce(p_centre.disabled_reason, 'not in use any more')), jsonb_build_object('work_centre', p_centre.code, 'reason', p_centre.disabled_reason,
      'since', p_centre.disabled_at));
  end if;
  return null;
end $$;

create function private.refuse_paused(p_order public.production_orders, p_step public.production_order_steps)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_step.status = 'PAUSED' then
    perform private.fail(409, 'production.step_paused', format('%s of %s is paused. Start it again first.', private.step_title(p_step.step), p_order.code),
      jsonb_build_object('sequence', p_step.sequence, 'reason', p_step.pause_reason));
  end if;
end $$;

create function private.may_use_centre(p_step public.production_order_steps, p_centre text)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return p_step.work_centre is null or p_centre is null or p_step.work_centre = p_centre or exists (
    select from public.approvals a
     where a.type = 'SPECIAL_OPERATION' and a.operation = 'other_work_centre' and a.status = 'APPROVED' and a.work_centre = p_centre
       and a.order_id = p_step.order_id and coalesce(a.sequence, p_step.sequence) = p_step.sequence);
end $$;
comment on function private.may_use_centre is 'The work centre that the routing names, any when it names none, or another one that was approved for this order.';

create function private.step_problem(
  p_order public.production_orders, p_centre public.work_centres, p_step public.production_order_steps, p_sequence integer)
returns private.problem language plpgsql stable set search_path = '' as $$
declare
  v_open text[];
begin
  if p_sequence is not null and p_step.order_id is null then
    return private.floor_refusal(404, 'production.no_step', format('The order %s has no step %s.', p_order.code, p_sequence),
      jsonb_build_object('code', p_order.code, 'sequence', p_sequence));
  elsif p_step.order_id is null and p_centre.code is null then
    return private.floor_refusal(422, 'production.which_step', 'Say at which step or work centre.', jsonb_build_object('field', 'p_sequence'));
  elsif p_step.order_id is null or p_step.step <> p_centre.step then
    v_open := array(select s.step from public.production_order_steps s where s.order_id = p_order.id
      and (s.sequence = p_sequence or p_sequence is null and s.status <> 'COMPLETED') order by s.sequence);
    return private.floor_refusal(409, 'production.wrong_step', format('%s does %s; %s needs %s.', p_centre.title, private.step_title(p_centre.step), p_order.code,
      coalesce((select string_agg(private.step_title(s.step), ', ' order by s.n) from unnest(v_open) with ordinality as s (step, n)), 'nothing more')), jsonb_build_object('expected', v_open, 'actual', p_centre.step));
  elsif not private.may_use_centre(p_step, p_centre.code) then
    return private.floor_refusal(409, 'production.wrong_work_centre', format('%s of %s is made at %s, not at %s. Another place takes an approval.',
      private.step_title(p_step.step), p_order.code,
      p_step.work_centre, p_centre.code), jsonb_build_object('expected', p_step.work_centre, 'actual', p_centre.code));
  end if;
  return null;
end $$;

create function private.can_start(p_step public.production_order_steps)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return case when p_step.is_ended then 0 else greatest(least(p_step.released, coalesce((select b.good from public.production_order_steps b
    where b.order_id = p_step.order_id and b.sequence < p_step.sequence order by b.sequence desc limit 1), p_step.released)) - p_step.started, 0) end;
end $$;
comment on function private.can_start is 'Pieces that may start at the step now: released (with their sets), and good at the step before.';

create function private.step_done(p_order public.production_orders, p_step public.production_order_steps)
returns private.problem language plpgsql stable set search_path = '' as $$
begin
  return private.floor_refusal(409, 'production.step_completed', format('%s of %s is completed.', private.step_title(p_step.step), p_order.code),
    jsonb_build_object('sequence', p_step.sequence, 'step', p_step.step));
end $$;

create function private.parts_problem(p_order public.production_orders, p_step public.production_order_steps, p_missing jsonb)
returns private.problem language plpgsql stable set search_path = '' as $$
begin
  return private.floor_refusal(409, 'production.parts_missing', format('%s of %s waits for parts: %s.', private.step_title(p_step.step), p_order.code,
    coalesce((select string_agg(format('%s of %s', m ->> 'missing', m ->> 'sku'), ', ') from jsonb_array_elements(p_missing) m), 'nothing is released')),
    jsonb_build_object('sequence', p_step.sequence, 'missing', p_missing));
end $$;

create function private.input_problem(p_order public.production_orders, p_step public.production_order_steps)
returns private.problem language plpgsql stable set search_path = '' as $$
declare
  v_before public.production_order_steps;
begin
  if p_step.in_process > 0 or private.can_start(p_step) > 0 then
    return null;
  elsif p_step.status = 'COMPLETED' then
    return private.step_done(p_order, p_step);
  end if;
  select b.* into v_before from public.production_order_steps b
    where b.order_id = p_step.order_id and b.sequence < p_step.sequence order by b.sequence desc limit 1;
  if v_before.good <= p_step.started then
    return private.floor_refusal(409, 'production.previous_step', format('%s waits for good pieces from %s: %s.',
      private.step_title(p_step.step), private.step_title(v_before.step),
      case when v_before.good = 0 then 'none came yet' else 'the ' || trim_scale(v_before.good) || ' that came are started' end), jsonb_build_object('expected', v_before.step,
      'good', trim_scale(v_before.good), 'started', trim_scale(p_step.started), 'actual', p_step.step));
  end if;
  return private.parts_problem(p_order, p_step, (select w -> 'missing' from public.production_order_progress p, jsonb_array_elements(p.waits_for) w
    where p.order_id = p_order.id and (w ->> 'sequence')::integer = p_step.sequence));
end $$;
comment on function private.input_problem is 'Why nothing can be done at the step now: completed, nothing good from the step before, no complete set of parts.';

-- Begin and end ------------------------------------------------------------------------------------------------------

create function private.pick_step(p_order_id bigint, p_centre public.work_centres, p_sequence integer)
returns public.production_order_steps language plpgsql stable set search_path = '' as $$
begin
  return (
    select s from public.production_order_steps s
     where s.order_id = p_order_id and (s.sequence = p_sequence or p_sequence is null and s.step = p_centre.step)
     order by private.may_use_centre(s, p_centre.code) desc, s.status <> 'COMPLETED' desc, (s.in_process > 0 or private.can_start(s) > 0) desc, s.sequence
     limit 1);
end $$;
comment on function private.pick_step is
  'The step that was named, else the first one of the order that this work centre does and that can go on; a null row when there is none.';

create function private.begin_family(p_permission text, p_code text, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.floor_command language plpgsql set search_path = '' as $$
declare
  v_found private.production_command := private.find_production(p_permission, p_code);
  v_command private.floor_command;
begin
  v_command.actor := v_found.actor;
  v_command.request_id := p_request_id;
  v_command.answer := private.replay(v_command.actor, p_request_id, p_rpc, p_args);
  v_command.order_row := case when v_command.answer is null then private.lock_family((v_found.order_row).id) else v_found.order_row end;
  return v_command;
end $$;
comment on function private.begin_family is
$$Guard, replay and lock for a command on an order that is made step by step. answer is set when this is a repeat. Errors: those of authorize,
production.unknown (404), request.reused (422). Locks: the root, its open replenishments and the order, by id.$$;

create function private.begin_floor(
  p_permission text, p_code text, p_work_centre text, p_sequence integer, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.floor_command language plpgsql set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_family(p_permission, p_code, p_request_id, p_rpc, p_args);
begin
  if v_command.answer is null then
    perform private.refuse(private.order_problem(v_command.order_row, p_code));
    v_command := private.choose_step(v_command, p_work_centre, p_sequence);
    perform private.refuse(private.centre_problem(v_command.order_row, v_command.centre, p_work_centre));
    perform private.refuse(private.step_problem(v_command.order_row, v_command.centre, v_command.step, p_sequence));
  end if;
  return v_command;
end $$;
comment on function private.begin_floor is
$$Guard, replay, locks and place for a command at a step of a released order. answer is set when this is a repeat.
Errors: those of authorize, production.unknown (404), production.closed, production.not_released (409), work_centre.unknown (404), work_centre.other_site,
work_centre.disabled (409), production.no_step (404), production.which_step (422), production.wrong_step, production.wrong_work_centre (409),
request.reused (422). Locks: the root, its open replenishments and the order, by id; the work centre, shared.$$;

create function private.choose_step(p_command private.floor_command, p_work_centre text, p_sequence integer)
returns private.floor_command language plpgsql set search_path = '' as $$
begin
  select w into p_command.centre from public.work_centres w where w.code = p_work_centre for share;
  p_command.step := private.pick_step((p_command.order_row).id, p_command.centre, p_sequence);
  return p_command;
end $$;

create function private.emit_floor(
  p_order public.production_orders, p_event text, p_actor uuid, p_step public.production_order_steps, p_work_centre text, p_payload jsonb default '{}')
returns bigint language plpgsql set search_path = '' as $$
begin
  return private.emit('production_order', p_order.code, p_event, p_actor, jsonb_strip_nulls(jsonb_build_object('step', p_step.step,
    'sequence', p_step.sequence, 'work_centre', p_work_centre)) || p_payload || jsonb_build_object('version',
    (select o.version from public.production_orders o where o.id = p_order.id)), p_order.store, p_order.site);
end $$;

create function private.count_of_command(p_order_id bigint, p_sequence integer)
returns bigint language plpgsql stable set search_path = '' as $$
declare
  v_last public.piece_counts := (select c from public.piece_counts c where c.order_id = p_order_id and c.sequence = p_sequence order by c.id desc limit 1);
begin
  return case when v_last.command::text = current_setting('takt.command', true) and v_last.reverses is null then v_last.id end;
end $$;
comment on function private.count_of_command is 'The last count that this command booked at a step; null when it booked none.';

create function private.finish_floor(p_command private.floor_command, p_changed boolean, p_event_id bigint default null, p_notices jsonb default null)
returns public.routed_change language plpgsql set search_path = '' as $$
declare
  v_change public.routed_change;
begin
  if p_command.answer is not null then
    return jsonb_populate_record(null::public.routed_change, p_command.answer);
  end if;
  v_change.changed := p_changed;
  v_change.event_id := p_event_id;
  v_change.notices := coalesce(p_notices, '[]');
  v_change.order_row := (select o from public.production_orders o where o.id = (p_command.order_row).id);
  v_change.progress := (select p from public.production_order_progress p where p.order_id = (p_command.order_row).id);
  v_change.step := (select s from public.production_order_steps s
    where s.order_id = (p_command.order_row).id and s.sequence = (p_command.step).sequence);
  v_change.count_id := private.count_of_command((p_command.order_row).id, (p_command.step).sequence);
  perform private.remember(p_command.actor, p_command.request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function private.finish_floor is 'What is now, remembered for repeats; the stored answer when this is one.';

-- sql/M12_production/counts.sql

-- Counts: the one way in for pieces, and what follows from them. All of it under the lock of the order.

create function private.check_pieces(
  p_order public.production_orders, p_step public.production_order_steps, p_change public.piece_counts)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_next record;
  v_can numeric := private.can_start(p_step);
  v_left numeric := p_step.waiting + p_change.started - p_change.good - p_change.scrap - p_change.returned - p_change.rework_open - p_change.held_open;
  v_gone_on boolean;
begin
  if p_change.started > v_can and p_step.is_ended then
    perform private.refuse(private.step_done(p_order, p_step));
  elsif p_change.started > v_can then
    perform private.fail(409, 'production.more_than_input', format('Only %s more can start at %s of %s.', trim_scale(v_can), private.step_title(p_step.step), p_order.code),
      jsonb_build_object('sequence', p_step.sequence, 'expected', trim_scale(v_can), 'actual', trim_scale(p_change.started)));
  end if;
  if p_step.is_last and p_change.good < 0 then
    perform private.refuse_stocked_units(p_order, p_change);
  end if;
  select n.step, n.started into v_next from public.production_order_steps n
    where n.order_id = p_step.order_id and n.sequence > p_step.sequence order by n.sequence limit 1;
  v_gone_on := coalesce(p_step.good + p_change.good < v_next.started, false);
  if not v_gone_on and v_left >= 0 and least(p_step.started + p_change.started, p_step.good + p_change.good, p_step.scrap + p_change.scrap,
      p_step.returned + p_change.returned, p_step.rework_open + p_change.rework_open, p_step.held_open + p_change.held_open) >= 0 then
    return;
  elsif p_change.reverses is not null then
    perform private.fail(409, 'undo.blocked', format('Something was done with these pieces of %s since%s. Undo that first.', p_order.code,
      case when v_gone_on then ', at ' || private.step_title(v_next.step) else '' end), jsonb_build_object('code', p_order.code, 'step', case when v_gone_on then v_next.step
      else p_step.step end));
  elsif v_gone_on then
    perform private.fail(409, 'production.used_further', format('%s good pieces of %s went on to %s already. Take them back there first.',
      trim_scale(v_next.started), private.step_title(p_step.step), private.step_title(v_next.step)), jsonb_build_object('step', v_next.step, 'expected', trim_scale(v_next.started),
      'actual', trim_scale(p_step.good + p_change.good)));
  end if;
  perform private.fail(409, 'production.more_than_in_process', format('There are not so many pieces at %s of %s: %s wait, %s are in rework, %s are held.',
    private.step_title(p_step.step), p_order.code, trim_scale(p_step.waiting), trim_scale(p_step.rework_open), trim_scale(p_step.held_open)), jsonb_build_object('sequence',
    p_step.sequence, 'waiting', trim_scale(p_step.waiting), 'rework_open', trim_scale(p_step.rework_open), 'held_open', trim_scale(p_step.held_open),
    'good', trim_scale(p_step.good)));
end $$;
comment on function private.check_pieces is
$$Errors: production.more_than_input, production.step_completed, production.more_than_in_process, production.used_further (409); undo.blocked (409) when it
takes a count back.$$;

create function private.book_product(p_order public.production_orders, p_quantity numeric, p_reverses bigint, p_actor uuid)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_old public.inventory_txn := (select t from public.piece_counts c join public.inventory_txn t on t.id = c.txn_id where c.id = p_reverses);
  v_place text := coalesce(v_old.location, private.default_location(p_order.site));
  v_id bigint;
begin
  perform private.lock_order_stock(p_order);
  v_id := private.post_txn(p_order.product_sku, v_place, case when p_quantity < 0 and v_old.id is null then 'issue' else 'produce' end, p_quantity,
    'production_order', p_order.code, case when p_quantity < 0 then 'Not good after all' end, p_actor, null, null, v_old.id);
  perform private.allocate(array[p_order.product_sku], jsonb_build_object('event', 'production.counted', 'ref', p_order.code));
  perform private.emit_moves(case when p_quantity > 0 then 'stock.produced' else 'stock.returned' end, array[v_id], p_actor);
  return v_id;
end $$;
comment on function private.book_product is 'Good pieces of the last step are in stock. Errors: stock.short (409). Locks: all items of the order.';

create function private.command_id()
returns bigint language plpgsql set search_path = '' as $$
declare
  v_id bigint := nullif(current_setting('takt.command', true), '')::bigint;
begin
  if v_id is null then
    v_id := nextval('private.command_seq');
    perform set_config('takt.command', v_id::text, true);
  end if;
  return v_id;
end $$;
comment on function private.command_id is 'The same number for all that this transaction does, and never again.';

create function private.book_pieces(
  p_order_id bigint, p_sequence integer, p_started numeric, p_good numeric default 0, p_scrap numeric default 0, p_returned numeric default 0,
  p_rework numeric default 0, p_held numeric default 0, p_actor uuid default null, p_lot_id bigint default null, p_work_centre text default null,
  p_source text default 'person', p_from_rework boolean default false, p_reverses bigint default null, p_more jsonb default '{}')
returns public.piece_counts language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders := (select o from public.production_orders o where o.id = p_order_id);
  v_step public.production_order_steps := (select s from public.production_order_steps s where s.order_id = p_order_id and s.sequence = p_sequence);
  v_count public.piece_counts;
begin
  v_count.started := coalesce(p_started, greatest(p_good + p_scrap + p_returned + p_rework + p_held - v_step.waiting, 0));
  v_count.good := p_good;
  v_count.scrap := p_scrap;
  v_count.returned := p_returned;
  v_count.rework_open := p_rework;
  v_count.held_open := p_held;
  v_count.reverses := p_reverses;
  perform private.check_pieces(v_order, v_step, v_count);
  update public.production_order_steps s
     set started = s.started + v_count.started, good = s.good + p_good, scrap = s.scrap + p_scrap, returned = s.returned + p_returned,
         rework_open = s.rework_open + p_rework, held_open = s.held_open + p_held
   where s.order_id = p_order_id and s.sequence = p_sequence;
  insert into public.piece_counts as c (order_id, sequence, work_centre, lot_id, started, good, scrap, returned, rework_open, held_open, from_rework,
    source, counter_start, counter_end, pieces_per_cycle, counter_before, photo, notes, station, actor_id, command, reverses)
  values (p_order_id, p_sequence, p_work_centre, p_lot_id, v_count.started, p_good, p_scrap, p_returned, p_rework, p_held, p_from_rework,
    p_source, (p_more ->> 'counter_start')::numeric, (p_more ->> 'counter_end')::numeric, (p_more ->> 'pieces_per_cycle')::numeric,
    nullif(p_more -> 'counter_before', 'null'), p_more ->> 'photo', p_more ->> 'notes', private.event_station(), nullif(p_actor, '00000000-0000-0000-0000-000000000000'),
    private.command_id(), p_reverses)
  returning c.* into v_count;
  if v_step.is_last and p_good <> 0 then
    update public.piece_counts c set txn_id = private.book_product(v_order, p_good, p_reverses, p_actor) where c.id = v_count.id returning c.* into v_count;
  end if;
  perform private.derive_order(p_order_id, p_actor, p_work_centre);
  return v_count;
end $$;
comment on function private.book_pieces is
$$The one way in for pieces: signed changes of the counters of a step, as one row of piece_counts. p_started null: as many start as are needed. Then the
states of the steps and of the order follow, and good pieces of the last step are in stock. p_more {counter_start, counter_end, pieces_per_cycle, counter_before, photo,
notes}.
Errors: those of check_pieces, stock.short (409). The order is locked by the caller. Locks: the lot, then stock by SKU.$$;

create function private.reverse_count(p_count public.piece_counts, p_actor uuid)
returns public.piece_counts language plpgsql set search_path = '' as $$
begin
  return private.book_pieces(p_count.order_id, p_count.sequence, -p_count.started, -p_count.good, -p_count.scrap, -p_count.returned, -p_count.rework_open,
    -p_count.held_open, p_actor, p_count.lot_id, p_count.work_centre, 'undo', p_count.from_rework, p_count.id);
end $$;
comment on function private.reverse_count is 'Takes a count back, as another one. Errors: undo.blocked (409) when its pieces went on, stock.short (409).';

create function private.tg_piece_counts__append_only()
returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'UPDATE' and old.txn_id is null and to_jsonb(new) - 'txn_id' = to_jsonb(old) - 'txn_id' then
    return new;   -- the movement comes after the count: stock is locked last
  end if;
  perform private.fail(409, 'production.append_only', 'Counts are never changed or removed. Take them back.');
  return null;
end $$;
create trigger _200_append_only before update or delete on public.piece_counts for each row execute function private.tg_piece_counts__append_only();

-- What follows from the counts ----------------------------------------------------------------------------------------

create function private.routed_status(p_order public.production_orders)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_progress public.production_order_progress := (select p from public.production_order_progress p where p.order_id = p_order.id);
  v_flow record;
begin
  select sum(s.scrap + s.returned) as lost, max(s.good) filter (where s.is_last) as good, max(s.started) filter (where s.is_first) as entered,
      bool_or(s.is_first and (s.is_ended or s.started >= p_order.quantity)) as is_all_in into v_flow
    from public.production_order_steps s where s.order_id = p_order.id;
  return case
    when v_progress.close_reason is not null then 'CLOSED'
    when v_flow.entered = 0 and not v_flow.is_all_in then 'OPEN_NOT_STARTED'
    when v_flow.entered > v_flow.good + v_flow.lost then 'IN_PROGRESS'
    when v_flow.good + v_progress.replenished >= p_order.quantity then 'CLOSED'
    when v_flow.is_all_in then 'OPEN_PARTIAL'
    else 'IN_PROGRESS' end;
end $$;
comment on function private.routed_status is
$$The state of a released order, from its steps: nothing started; on its way; all pieces are through and some are missing (OPEN_PARTIAL, also where it was
ended before anything was started); the LAST step, and
what replenishments made in place of lost pieces, gave what was planned (CLOSED), or a person closed it.$$;

create function private.derive_steps(p_order public.production_orders, p_actor uuid, p_work_centre text)
returns void language plpgsql set search_path = '' as $$
declare
  v_step public.production_order_steps;
  v_new public.production_order_steps;
  v_is_done boolean;
  v_input numeric := p_order.quantity;
begin
  for v_step in select s.* from public.production_order_steps s where s.order_id = p_order.id order by s.sequence loop
    v_is_done := v_step.is_ended or coalesce(v_is_done, true) and v_step.started = v_input and v_step.in_process = 0;
    v_input := v_step.good;
    v_new := v_step;
    v_new.started_at := case when v_step.started > 0 then coalesce(v_step.started_at, now()) end;
    v_new.completed_at := case when v_is_done then coalesce(v_step.completed_at, now()) end;
    v_new.paused_at := case when not v_is_done and v_step.started > 0 then v_step.paused_at end;
    v_new.status := case when v_is_done then 'COMPLETED' when v_new.paused_at is not null then 'PAUSED' when v_step.started > 0 then 'IN_PROGRESS'
      else 'NOT_STARTED' end;
    continue when v_new = v_step;
    update public.production_order_steps s
       set status = v_new.status, started_at = v_new.started_at, completed_at = v_new.completed_at, paused_at = v_new.paused_at,
           pause_reason = case when v_new.paused_at is not null then s.pause_reason end
     where s.order_id = v_step.order_id and s.sequence = v_step.sequence;
    if v_step.started_at is null and v_new.started_at is not null then
      perform private.emit_floor(p_order, 'production.step_started', p_actor, v_step, p_work_centre, jsonb_build_object('quantity', trim_scale(v_step.started)));
    end if;
    if v_step.status <> 'COMPLETED' and v_is_done then
      perform private.emit_floor(p_order, 'production.step_completed', p_actor, v_step, p_work_centre, jsonb_build_object('quantity', trim_scale(v_step.good),
        'good', trim_scale(v_step.good), 'scrap', trim_scale(v_step.scrap), 'returned', trim_scale(v_step.returned), 'started', trim_scale(v_step.started)));
    end if;
  end loop;
end $$;
comment on function private.derive_steps is
  'A step is completed when all that can come to it has come and nothing of it is in process, or when a person ended it.';

create function private.derive_order(p_order_id bigint, p_actor uuid, p_work_centre text default null)
returns void language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders := (select o from public.production_orders o where o.id = p_order_id);
  v_before numeric;
  v_after numeric;
begin
  perform private.derive_steps(v_order, p_actor, p_work_centre);
  select p.executed_good into v_before from public.production_order_progress p where p.order_id = p_order_id;
  update public.production_order_progress p
     set executed_good = f.good, executed_total = f.total, lost = f.lost, replenished = f.replenished
    from (select sum(s.good) filter (where s.is_last) as good, sum(s.good + s.scrap + s.returned) filter (where s.is_last) as total,
            sum(s.scrap + s.returned) as lost, (select coalesce(sum(m.executed_good), 0) from public.replenishments r
              join public.production_order_progress m on m.order_id = r.order_id where r.root_id = p_order_id and r.sku = v_order.product_sku) as replenished
            from public.production_order_steps s where s.order_id = p_order_id) f
   where p.order_id = p_order_id returning p.executed_good into v_after;
  perform private.set_routed_status(v_order);
  if v_after <> v_before and private.root_of(p_order_id) <> p_order_id
     and (select o.is_routed from public.production_orders o where o.id = private.root_of(p_order_id)) then
    perform private.derive_order(private.root_of(p_order_id), p_actor);
  end if;
end $$;
comment on function private.derive_order is
$$Executed good of an order is the good of its LAST step, and its state follows from its steps; so does that of the root of a replenishment. The one
function that derives them. The family is locked by the caller. Locks: stock, when an order is closed by it or opened again.$$;

create function private.set_routed_status(p_order public.production_orders)
returns void language plpgsql set search_path = '' as $$
declare
  v_status text := private.routed_status(p_order);
begin
  if p_order.status = 'CANCELLED' or v_status = p_order.status then
    return;
  end if;
  update public.production_orders o set status = v_status, closed_at = case when v_status = 'CLOSED' then now() end where o.id = p_order.id;
  if v_status = 'CLOSED' then
    perform private.lock_stock(private.order_skus(p_order.id));
    perform private.return_sets(p_order, null);
    perform private.close_production_lines(p_order.id);
    perform private.allocate(private.order_skus(p_order.id), jsonb_build_object('event', 'production.closed', 'ref', p_order.code));
  elsif p_order.status = 'CLOSED' then
    perform private.lock_stock(private.order_skus(p_order.id));
    update public.order_part_allocations l set is_closed = false where l.production_order_id = p_order.id;
    update public.order_fulfilments f set is_closed = false where f.production_order_id = p_order.id;
    perform private.write_production_lines(p_order);
    perform private.allocate(private.order_skus(p_order.id), jsonb_build_object('event', 'production.reopened', 'ref', p_order.code));
  end if;
end $$;

create function private.tg_production_orders__routed()
returns trigger language plpgsql set search_path = '' as $$
begin
  if new.status <> private.routed_status(new) then
    perform private.refuse_routed(new);
  end if;
  return new;
end $$;
create trigger _200_routed before update of status on public.production_orders
  for each row when (new.is_routed and old.status <> new.status and new.status <> 'CANCELLED') execute function private.tg_production_orders__routed();

create function private.tg_production_orders__quantity()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_started numeric := (select s.started from public.production_order_steps s where s.order_id = new.id and s.is_first);
begin
  if v_started > new.quantity then
    perform private.fail(422, 'production.below_used', format('%s are started already.', trim_scale(v_started)),
      jsonb_build_object('consumed', trim_scale(v_started), 'needed', trim_scale(new.quantity)));
  elsif v_started is not null then
    perform private.give_back_sets(new, s, s.released - new.quantity, null) from public.production_order_steps s
      where s.order_id = new.id and s.materials <> '[]' and s.released > new.quantity order by s.sequence;
    update public.production_order_steps s
       set planned = new.quantity, released = case when s.materials = '[]' then new.quantity else s.released end
     where s.order_id = new.id;
    perform private.fit_sets(new, 'production.changed', null);
    perform private.derive_order(new.id, null);
  end if;
  return null;
end $$;
create trigger _500_quantity after update of quantity on public.production_orders
  for each row when (old.quantity <> new.quantity) execute function private.tg_production_orders__quantity();

create function private.tg_production_orders__cancelled()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.return_sets(new, null);
  return null;
end $$;
create trigger _500_cancelled after update of status on public.production_orders
  for each row when (old.status <> new.status and new.status = 'CANCELLED') execute function private.tg_production_orders__cancelled();

-- sql/M12_production/units_of_orders.sql

-- Serialised pieces of routed orders: stock gets them once, from the good pieces of the last step, and the unit takes its piece over. So many units of an
-- order (and of what is made again for it) are in stock at most as pieces were counted good. Whoever changes either of the two holds the item.

create type private.family_pieces as (good numeric, units integer);

create function private.pieces_of_family(p_order public.production_orders)
returns private.family_pieces language plpgsql stable set search_path = '' as $$
declare
  v_root bigint := private.root_of(p_order.id);
  v_orders bigint[] := array(
    select o.id from public.production_orders o
     where o.product_sku = p_order.product_sku and (o.id = v_root or o.id in (select r.order_id from public.replenishments r where r.root_id = v_root)));
begin
  return row(
    (select coalesce(sum(s.good), 0) from public.production_order_steps s where s.order_id = any (v_orders) and s.is_last),
    (select count(*) from public.units u where u.production_order_id = any (v_orders) and u.is_counted))::private.family_pieces;
end $$;
comment on function private.pieces_of_family is
  'Of an order, its root and what is made again for it, one product: good pieces of the last steps, and how many of them units took over.';

create or replace function private.piece_of_order(p_unit public.units, p_sku text)
returns text language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders;
  v_pieces private.family_pieces;
begin
  if p_unit.production_order_id is null or p_unit.is_counted then
    return null;   -- its piece left stock again with it, and comes back with it
  end if;
  perform private.lock_stock(array[p_sku]);
  select o.* into v_order from public.production_orders o where o.id = p_unit.production_order_id and o.is_routed and o.product_sku = p_sku;
  if v_order.id is null then
    return null;
  end if;
  v_pieces := private.pieces_of_family(v_order);
  if v_pieces.units >= v_pieces.good then
    perform private.fail(409, 'unit.not_counted', format('%s is a piece of %s, whose last step counted %s good; %s of them are units in stock already. Report it there first.',
      p_unit.sn, v_order.code, trim_scale(v_pieces.good), v_pieces.units), jsonb_build_object('sn', p_unit.sn, 'code', v_order.code,
      'good', trim_scale(v_pieces.good), 'units', v_pieces.units));
  end if;
  p_unit.stock_sku := p_sku;
  p_unit.stock_location := (select t.location from public.inventory_txn t where t.ref_stream = 'production_order' and t.ref_id = v_order.code and t.sku = p_sku
    and t.kind = 'produce' and t.quantity > 0 order by t.id desc limit 1);
  p_unit.stock_location := coalesce(p_unit.stock_location, private.default_location(p_unit.site));
  return private.piece_at(p_unit);
end $$;
comment on function private.piece_of_order is
$$Where the piece of this unit lies in stock already, because its routed order counted it good there; null: it comes into stock with the unit. Errors:
unit.not_counted (409) when the last step did not count it good yet. Locks: the item.$$;

create function private.refuse_stocked_units(p_order public.production_orders, p_change public.piece_counts)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_pieces private.family_pieces := private.pieces_of_family(p_order);
  v_message text := format('%s good pieces of %s are units in stock by now.', v_pieces.units, p_order.code);
  v_detail jsonb := jsonb_build_object('code', p_order.code, 'good', trim_scale(v_pieces.good), 'units', v_pieces.units);
begin
  if v_pieces.units = 0 or v_pieces.good + p_change.good >= v_pieces.units then
    return;
  elsif p_change.reverses is not null then
    perform private.fail(409, 'undo.blocked', v_message, v_detail);
  end if;
  perform private.fail(409, 'production.used_further', v_message, v_detail);
end $$;
comment on function private.refuse_stocked_units is
  'Errors: undo.blocked, production.used_further (409) when fewer pieces would be good than units took over. The item is locked by the caller.';

create function private.refuse_made_without_steps(p_order public.production_orders)
returns void language plpgsql set search_path = '' as $$
declare
  v_units integer;
begin
  perform private.lock_order_stock(p_order);
  v_units := (select count(*) from public.units u where u.production_order_id = p_order.id and u.stock_sku = p_order.product_sku);
  if v_units > 0 then
    perform private.fail(409, 'production.units_in_stock', format('%s units of %s came into stock without any step. Make the rest by another order.', v_units,
      p_order.code), jsonb_build_object('code', p_order.code, 'units', v_units));
  end if;
end $$;
comment on function private.refuse_made_without_steps is
  'An order whose units are in stock is not made again, step by step. Errors: production.units_in_stock (409). Locks: all items of the order.';

create function private.unit_differences()
returns table (subject text, what text, kept numeric, expected numeric) language sql stable set search_path = '' as $$
  select u.sn, 'unit in stock beside the pieces of its order', 1, 0
    from public.units u join public.production_orders o on o.id = u.production_order_id
   where o.is_routed and u.stock_sku = o.product_sku and not u.is_counted
  union all
  select x.code, 'units in stock of its good pieces', n.units, coalesce(g.good, 0)
    from (select coalesce(r.root_id, o.id) as root, o.product_sku as sku, count(*) as units
        from public.units u join public.production_orders o on o.id = u.production_order_id left join public.replenishments r on r.order_id = o.id
       where u.is_counted group by 1, 2) n
    join public.production_orders x on x.id = n.root
    left join (select coalesce(r.root_id, o.id) as root, o.product_sku as sku, sum(s.good) as good
        from public.production_order_steps s join public.production_orders o on o.id = s.order_id left join public.replenishments r on r.order_id = o.id
       where s.is_last group by 1, 2) g on g.root = n.root and g.sku = n.sku
   where n.units > coalesce(g.good, 0)
$$;
comment on function private.unit_differences is 'Where a unit of a routed order is in stock besides its piece, or more of them than were good. No rows: all is well.';

-- sql/M12_production/counters.sql

-- Counters of machines, and how much of each is booked: by the machine itself (record_count) or by who reads it (report_production).

create type private.counter_reading as (delta numeric, notices jsonb, before jsonb);

create function private.counter_name(p_source text)
returns text language sql immutable set search_path = '' as $$
  select case p_source when 'person' then 'counter' else p_source end
$$;
comment on function private.counter_name is 'Which counter a count moved: people read the one that is called counter.';

create function private.check_counter_name(p_source text)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_source in ('person', 'start', 'pause', 'quality', 'end', 'undo') then
    perform private.fail(422, 'production.counter_name', format('%s is no name for a counter: counts of people have it. Use counter, or plc-2.', p_source),
      jsonb_build_object('field', 'p_source', 'actual', p_source));
  end if;
end $$;
comment on function private.check_counter_name is 'Errors: production.counter_name (422). Undo tells by the name what a count was.';

create function private.read_counter(p_work_centre text, p_source text, p_counter numeric, p_read_at timestamptz)
returns private.counter_reading language plpgsql set search_path = '' as $$
declare
  v_at timestamptz := least(p_read_at, clock_timestamp());   -- a clock that is ahead must not make what comes next late
  v_before public.piece_counters;
begin
  insert into public.piece_counters (work_centre, source, value, read_at) values (p_work_centre, p_source, p_counter, v_at)
  on conflict on constraint piece_counters_pkey do nothing;
  if not found then
    select c.* into v_before from public.piece_counters c where c.work_centre = p_work_centre and c.source = p_source for update;
    if p_read_at < v_before.read_at then
      return row(null, jsonb_build_array(jsonb_build_object('code', 'production.counter_late', 'message',
        'The counter was read again since: this reading comes too late and counts nothing.', 'details', jsonb_build_object('counter', p_counter,
        'read_at', p_read_at, 'booked', trim_scale(v_before.value), 'booked_at', v_before.read_at))), null)::private.counter_reading;
    end if;
    update public.piece_counters c set value = p_counter, by_hand = false, read_at = v_at where c.work_centre = p_work_centre and c.source = p_source;
  end if;
  if p_counter >= v_before.value then
    return row(p_counter - v_before.value, null, to_jsonb(v_before))::private.counter_reading;
  end if;
  return row(null, jsonb_build_array(jsonb_build_object('code', 'production.counter_base', 'message',
    'The counter is read for the first time, or was reset: it counts from here.', 'details', jsonb_build_object('counter', p_counter))), null)::private.counter_reading;
end $$;
comment on function private.read_counter is
$$By how much a running counter went on since the reading before. Null and a notice for the first reading, and when it stands lower than before (it was
reset): what was made meanwhile is not known, and the next reading counts from here; null and a notice for one that is older than the reading before.$$;

create function private.read_by_hand(p_centre public.work_centres, p_start numeric, p_end numeric)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_before public.piece_counters;
begin
  insert into public.piece_counters (work_centre, source, value, by_hand) values (p_centre.code, private.counter_name('person'), p_end, true)
  on conflict on constraint piece_counters_pkey do nothing;
  if found then
    return null;
  end if;
  select c.* into v_before from public.piece_counters c where c.work_centre = p_centre.code and c.source = private.counter_name('person') for update;
  -- Both figures below what a person read last: they set it back. Below what the machine said last: those pieces are counted.
  if p_start < v_before.value and not (v_before.by_hand and p_end < v_before.value) then
    perform private.fail(409, 'production.counter_booked', format('The counter of %s is booked up to %s. Start from there, or say the pieces without it.',
      p_centre.title, trim_scale(v_before.value)), jsonb_build_object('field', 'p_counter_start', 'work_centre', p_centre.code,
      'expected', trim_scale(v_before.value), 'actual', p_start));
  end if;
  update public.piece_counters c set value = p_end, by_hand = true, read_at = clock_timestamp()
   where c.work_centre = p_centre.code and c.source = private.counter_name('person');
  return to_jsonb(v_before);
end $$;
comment on function private.read_by_hand is
$$A person read the counter of a work centre: it counts on from p_end. Answers the counter as it was before, null when it was never read. Errors:
production.counter_booked (409) when some of it was counted before.$$;

create function private.put_counter_back(p_count public.piece_counts)
returns void language plpgsql set search_path = '' as $$
declare
  v_source text := private.counter_name(p_count.source);
  v_before public.piece_counters;
begin
  if p_count.counter_before is null then
    delete from public.piece_counters c where c.work_centre = p_count.work_centre and c.source = v_source and c.value = p_count.counter_end;
    return;
  end if;
  v_before := jsonb_populate_record(null::public.piece_counters, p_count.counter_before);
  update public.piece_counters c set value = v_before.value, by_hand = v_before.by_hand, read_at = v_before.read_at
   where c.work_centre = p_count.work_centre and c.source = v_source and c.value = p_count.counter_end;
end $$;
comment on function private.put_counter_back is
  'A count is undone: its counter stands as it stood before, unless it went on since. The counter is locked by the caller.';

-- sql/M12_production/capacity.sql

-- How many steps of orders run at a work centre at once: the positions of its table.

create function private.lies_at(p_step public.production_order_steps)
returns text language plpgsql stable set search_path = '' as $$
begin
  return (
    select c.work_centre from public.piece_counts c
     where c.order_id = p_step.order_id and c.sequence = p_step.sequence and (c.started > 0 or c.source = 'start') and c.work_centre is not null
       and c.reverses is null
       and not exists (select from public.piece_counts u where u.reverses = c.id) order by c.id desc limit 1);
end $$;
comment on function private.lies_at is 'Where pieces of a step were started last, or went on after a pause; null when nobody said where.';

create function private.running_at(p_centre public.work_centres)
returns table (order_id bigint, sequence integer, code text) language plpgsql stable set search_path = '' as $$
begin
  return query
    select s.order_id, s.sequence, o.code
      from public.production_order_steps s join public.production_orders o on o.id = s.order_id
     where s.step = p_centre.step and s.status = 'IN_PROGRESS' and s.waiting > 0 and o.site = p_centre.site and o.status not in ('CLOSED', 'CANCELLED')
       and p_centre.code = private.lies_at(s)
     order by o.code, s.sequence;
end $$;
comment on function private.running_at is
$$Steps that take a position of a work centre: pieces of them were started there last, and some still lie there, neither reported nor set aside. A paused step
takes none.$$;

create function private.position_problem(p_centre public.work_centres, p_step public.production_order_steps)
returns private.problem language plpgsql stable set search_path = '' as $$
declare
  v_running text[];
begin
  if p_centre.capacity is null then
    return null;
  end if;
  v_running := array(select case when (r.order_id, r.sequence) <> (p_step.order_id, p_step.sequence) then r.code end from private.running_at(p_centre) r);
  if cardinality(v_running) < p_centre.capacity or array_position(v_running, null) is not null   -- it lies there already
     or exists (select from public.approvals a
       where a.type = 'SPECIAL_OPERATION' and a.operation = 'over_capacity' and a.status = 'APPROVED' and a.work_centre = p_centre.code
         and a.order_id = p_step.order_id and coalesce(a.sequence, p_step.sequence) = p_step.sequence) then
    return null;
  end if;
  return private.floor_refusal(409, 'work_centre.full', format('%s is full: all its positions (%s) are taken, by %s. Report or pause one of them first.',
    p_centre.title, p_centre.capacity, array_to_string(v_running, ', ')), jsonb_build_object('work_centre', p_centre.code,
    'capacity', p_centre.capacity, 'running', v_running));
end $$;
comment on function private.position_problem is
  'Why a step can not start at a work centre as well: as many run there as it has positions, and nobody approved more (over_capacity). No limit: never.';

create function private.needs_position(p_step public.production_order_steps, p_can_start numeric)
returns boolean language sql immutable set search_path = '' as $$
  select p_step.status = 'PAUSED' or p_step.waiting = 0 and p_can_start > 0
$$;
comment on function private.needs_position is
$$Can a step go on only by taking a position? A paused one, and one of which nothing lies there and something can start. What lies there, or only aside, is
reported without.$$;

create function private.take_position(p_command private.floor_command, p_pieces numeric)
returns void language plpgsql set search_path = '' as $$
begin
  if (p_command.centre).capacity is not null and p_pieces > (p_command.step).waiting then
    -- Its row is shared by who works there: of those who start only one at a time looks what runs.
    perform pg_advisory_xact_lock(hashtextextended('takt work centre ' || (p_command.centre).code, 0));
    perform private.refuse(private.position_problem(p_command.centre, p_command.step));
  end if;
end $$;
comment on function private.take_position is
$$So many pieces are started or reported, and not all of them lie there yet. Errors: work_centre.full (409). Locks: the positions of the work centre, where it
has a capacity; before stock.$$;

create function private.centre_unsaid(p_order public.production_orders, p_step public.production_order_steps)
returns public.work_centres language plpgsql set search_path = '' as $$
declare
  v_centre public.work_centres;
begin
  select w.* into v_centre from public.work_centres w
   where w.code = p_step.work_centre or p_step.work_centre is null and w.step = p_step.step and w.site = p_order.site
   order by w.is_enabled and w.is_active desc, coalesce(w.code = private.lies_at(p_step), false) desc,
     (private.position_problem(w, p_step)).status is null desc, w.code limit 1 for share;
  perform private.refuse(private.centre_problem(p_order, v_centre, v_centre.code));
  return v_centre;
end $$;
comment on function private.centre_unsaid is
$$Pieces are reported and nobody said where: then it is the work centre of the routing, else where they lie, else one that does the step and has a position free.
Errors: work_centre.disabled (409) when that one is, or all of them are, out of use. Locks: the work centre, shared.$$;

-- sql/M12_production/release.sql

-- Release: the routing is copied, and every step gets as many complete sets of its materials as are promised to the order. They leave stock then,
-- so that nobody takes them from a running order.

create function private.refuse_part_shipped(p_order public.production_orders)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_used record;
begin
  select l.sku, l.consumed into v_used from public.order_part_allocations l where l.production_order_id = p_order.id and l.consumed > 0 order by l.line limit 1;
  if found then
    perform private.fail(409, 'production.part_shipped', format('%s was shipped in part already: %s of %s left. Ship the rest the same way, or make a new order of it.',
      p_order.code, trim_scale(v_used.consumed), v_used.sku), jsonb_build_object('code', p_order.code, 'sku', v_used.sku, 'consumed', trim_scale(v_used.consumed)));
  end if;
end $$;
comment on function private.refuse_part_shipped is
  'Its steps would take the parts of all its pieces, also of those that left. Errors: production.part_shipped (409). The order is locked.';

create function private.copy_routing(p_order public.production_orders, p_routing_id bigint, p_actor uuid)
returns public.production_orders language plpgsql set search_path = '' as $$
begin
  perform private.refuse_made_without_steps(p_order);
  perform 1 from public.work_centres w   -- they go on doing the same kind of work until the order names them
    where w.code in (select r.work_centre from public.routing_steps r where r.routing_id = p_routing_id) order by w.code for share;
  insert into public.production_order_progress (order_id, routing_id, released_by)
  values (p_order.id, p_routing_id, nullif(p_actor, '00000000-0000-0000-0000-000000000000'));
  insert into public.production_order_steps (order_id, sequence, step, work_centre, is_first, is_last, needs_complete_sets, materials, setup_min, run_min,
    instructions, planned)
  with steps as (
    select r.*, p.needs_complete_sets, row_number() over (order by r.sequence) = 1 as is_first,
        row_number() over (order by r.sequence desc) = 1 as is_last
      from public.routing_steps r join public.process_steps p on p.code = r.step where r.routing_id = p_routing_id
  ), lines as (   -- what no step names goes in where sets are put together, else at the start
    select l.*, coalesce((select s.sequence from steps s where l.sku = any (s.materials)),
        (select min(s.sequence) from steps s where s.needs_complete_sets), (select min(s.sequence) from steps s)) as goes_in_at
      from public.production_order_lines l where l.order_id = p_order.id and l.sku <> p_order.product_sku
  )
  select p_order.id, s.sequence, s.step,
      (select w.code from public.work_centres w where w.code = s.work_centre and w.step = s.step and w.site = p_order.site), s.is_first, s.is_last, s.needs_complete_sets,
      (select coalesce(jsonb_agg(jsonb_build_object('line', l.line, 'sku', l.sku, 'quantity', trim_scale(l.quantity)) order by l.sku), '[]')
        from lines l where l.goes_in_at = s.sequence), s.setup_min, s.run_min, s.instructions, p_order.quantity
    from steps s order by s.sequence;
  update public.production_orders o set is_routed = true where o.id = p_order.id returning o.* into p_order;
  return p_order;
end $$;
comment on function private.copy_routing is
$$The routing as it is now. A work centre that stands at another site than the order, or does another kind of work by now, is left out: any of the step at the
site of the order will do. Locks: the work centres it names, shared.$$;

create function private.set_quantity(p_material jsonb, p_before numeric, p_after numeric)
returns numeric language plpgsql immutable set search_path = '' as $$
begin
  return abs(round((p_material ->> 'quantity')::numeric * p_after, 3) - round((p_material ->> 'quantity')::numeric * p_before, 3));
end $$;
comment on function private.set_quantity is 'What the sets between two totals take of a material; however they are cut, together they take what all of them take.';

create function private.take_sets(p_order public.production_orders, p_step public.production_order_steps, p_sets numeric, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_part record;
begin
  for v_part in
    select l.id, l.sku, private.set_quantity(m.item, p_step.released, p_step.released + p_sets) as quantity
      from jsonb_array_elements(p_step.materials) m (item)
      join public.order_part_allocations l on l.production_order_id = p_order.id and l.line = (m.item ->> 'line')::integer
     where private.set_quantity(m.item, p_step.released, p_step.released + p_sets) > 0 order by l.sku
  loop
    perform private.use_promised(v_part.id, v_part.quantity, p_order.site, 'production_order', p_order.code, 'For ' || private.step_title(p_step.step), p_actor);
  end loop;
  update public.production_order_steps s set released = s.released + p_sets where s.order_id = p_step.order_id and s.sequence = p_step.sequence;
end $$;
comment on function private.take_sets is 'So many complete sets are handed over to the step: they leave stock. Errors: stock.short (409). The items are locked.';

create function private.give_back_sets(p_order public.production_orders, p_step public.production_order_steps, p_sets numeric, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_part record;
begin
  for v_part in
    select m.item ->> 'sku' as sku, (m.item ->> 'line')::integer as line,
        private.set_quantity(m.item, p_step.released, p_step.released - p_sets) as quantity
      from jsonb_array_elements(p_step.materials) m (item)
     where private.set_quantity(m.item, p_step.released, p_step.released - p_sets) > 0 order by 1
  loop
    update public.order_part_allocations l set consumed = l.consumed - v_part.quantity
     where l.production_order_id = p_order.id and l.line = v_part.line;
    perform private.post_txn(v_part.sku, private.default_location(p_order.site), 'issue', v_part.quantity, 'production_order', p_order.code,
      'Not used at ' || private.step_title(p_step.step), p_actor);
  end loop;
  update public.production_order_steps s set released = s.released - p_sets where s.order_id = p_step.order_id and s.sequence = p_step.sequence;
end $$;
comment on function private.give_back_sets is 'So many sets that no piece was started with are in stock again. The items are locked by the caller, who allocates.';

create function private.return_sets(p_order public.production_orders, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
begin
  perform private.give_back_sets(p_order, s, s.released - s.started, p_actor) from public.production_order_steps s
    where s.order_id = p_order.id and s.materials <> '[]' and s.released > s.started order by s.sequence;
end $$;
comment on function private.return_sets is 'The order has ended: what it did not use is in stock again.';

create type private.released as (changed boolean, waits jsonb, notices jsonb);

create function private.release_steps(p_order public.production_orders, p_actor uuid)
returns private.released language plpgsql set search_path = '' as $$
declare
  v_step public.production_order_steps;
  v_sets record;
  v_released private.released := row(false, '[]', '[]');
begin
  perform private.lock_order_stock(p_order);
  for v_step in select s.* from public.production_order_steps s
      where s.order_id = p_order.id and not s.is_ended and s.released < s.planned order by s.sequence loop
    if v_step.materials = '[]' then
      update public.production_order_steps s set released = s.planned where s.order_id = v_step.order_id and s.sequence = v_step.sequence;
      v_released.changed := true;
      continue;
    end if;
    select c.possible, c.missing into v_sets from private.complete_sets(p_order, v_step.sequence) c;
    if v_sets.possible > 0 then
      perform private.take_sets(p_order, v_step, v_sets.possible, p_actor);
      v_released.changed := true;
    end if;
    if v_sets.missing <> '[]' then
      v_released.waits := v_released.waits || jsonb_build_object('sequence', v_step.sequence, 'step', v_step.step,
        'sets', trim_scale(v_step.planned - v_step.released - v_sets.possible), 'missing', v_sets.missing);
    end if;
    if v_step.needs_complete_sets then   -- nothing missing: a discrepancy told before is over
      v_released.notices := v_released.notices || coalesce(private.raise_shortage(p_order, v_step.sequence, v_sets.missing, p_actor), '[]');
    end if;
  end loop;
  perform private.allocate(private.order_skus(p_order.id), jsonb_build_object('event', 'production.released', 'ref', p_order.code));
  update public.production_order_progress p set waits_for = v_released.waits where p.order_id = p_order.id and p.waits_for <> v_released.waits;
  if exists (select from public.production_order_steps s where s.order_id = p_order.id and s.is_first and s.released > 0) then
    perform private.replenishment_released(p_order.id);
  end if;
  return v_released;
end $$;
comment on function private.release_steps is
$$Every step gets what is there for it: without materials all that is planned, else the complete sets that are promised to the order. What waits says so
in production_order_progress.waits_for; for steps that need complete sets it is replenished, or a discrepancy. The family is locked by the caller.
Locks: all items of the order.$$;

create function private.release_more(p_command private.floor_command, p_pieces numeric)
returns private.floor_command language plpgsql set search_path = '' as $$
begin
  if (p_command.step).released < (p_command.step).planned and private.can_start(p_command.step) < p_pieces then
    if (private.release_steps(p_command.order_row, p_command.actor)).changed then
      perform private.emit_floor(p_command.order_row, 'production.released', p_command.actor, p_command.step, (p_command.centre).code);
    end if;
    p_command.step := (select s from public.production_order_steps s
      where s.order_id = (p_command.step).order_id and s.sequence = (p_command.step).sequence);
  end if;
  return p_command;
end $$;
comment on function private.release_more is 'Parts may have come since the release: when more pieces are wanted than may start, it looks again.';

-- sql/M12_production/replenish.sql

-- Replenishment: what an order lost is made again. Everything is reckoned at the root, the order that somebody asked for.

create function private.root_of(p_order_id bigint)
returns bigint language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select r.root_id from public.replenishments r where r.order_id = p_order_id), p_order_id);
end $$;
comment on function private.root_of is 'The order that somebody asked for: the order itself, or what it replenishes.';

create function private.lock_family(p_order_id bigint)
returns public.production_orders language plpgsql set search_path = '' as $$
declare
  v_root bigint := private.root_of(p_order_id);
begin
  -- Its first lot, should the command make it, comes into the genealogy, which is locked before any row.
  perform private.begin_genealogy() where not exists (select from public.production_lots p where p.order_id = p_order_id);
  perform 1 from public.production_orders o where o.id = v_root for update;
  -- A second statement: who made the open replenishment held the root, so only now it is seen for sure.
  perform 1 from public.production_orders o
    where o.id = p_order_id or o.id in (select r.order_id from public.replenishments r where r.root_id = v_root and r.is_open)
    order by o.id for update;
  return (select o from public.production_orders o where o.id = p_order_id);
end $$;
comment on function private.lock_family is
$$An order whose losses may be replenished. Locks: the genealogy (shared) while the order has no lot; the root, then its open replenishments and the order,
by id.$$;

create or replace function private.lock_production(p_order_id bigint)
returns public.production_orders language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders := private.lock_family(p_order_id);
  v_again bigint[] := array(
    select o.id from public.replenishments r join public.production_orders o on o.id = r.order_id
     where r.root_id = p_order_id and o.status not in ('CLOSED', 'CANCELLED') order by o.id for update of o);
begin
  perform private.lock_stock(array(
    select u from unnest(private.stock_of_order(v_order)) u
    union
    select s from unnest(v_again) a cross join lateral unnest(private.order_skus(a)) s
    order by 1));
  return v_order;
end $$;
comment on function private.lock_production is
$$An order that is changed, cancelled or shipped. Locks: its family (lock_family) and what is made again for it and not closed, by id: it follows the priority of
its root; then all items of all these, by SKU.$$;

create function private.replenishment_released(p_order_id bigint)
returns void language plpgsql set search_path = '' as $$
begin
  update public.replenishments r set is_open = false where r.order_id = p_order_id and r.is_open;
end $$;
comment on function private.replenishment_released is 'It is on its way and is not topped up any more: what is lost from now on makes another one.';

create function private.tg_production_orders__replenishment()
returns trigger language plpgsql set search_path = '' as $$
begin
  perform private.replenishment_released(new.id);
  if new.status = 'CANCELLED' then
    perform private.ask_for_rest(new, 0, format('%s was cancelled: %s', new.code, coalesce(new.cancel_reason, '-')), (private.identify()).actor_id);
  end if;
  return null;
end $$;
create trigger _500_replenishment after update of status on public.production_orders
  for each row when (new.status in ('CLOSED', 'CANCELLED') and new.type = 'REPLENISHMENT')
  execute function private.tg_production_orders__replenishment();

create function private.tg_production_orders__priority()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_again public.production_orders;
begin
  for v_again in
    update public.production_orders o set priority = new.priority
      from public.replenishments r
     where r.root_id = new.id and o.id = r.order_id and o.status not in ('CLOSED', 'CANCELLED') and o.priority <> new.priority returning o.*
  loop
    perform private.write_production_lines(v_again);
    perform private.allocate(private.order_skus(v_again.id), jsonb_build_object('event', 'production.changed', 'ref', v_again.code));
    perform private.emit('production_order', v_again.code, 'production.changed', (private.identify()).actor_id, jsonb_build_object('root', new.code,
      'after', jsonb_build_object('priority', new.priority), 'version', v_again.version), v_again.store, v_again.site);
  end loop;
  return null;
end $$;
comment on function private.tg_production_orders__priority is
  'What is made again is as urgent as its root, whichever way that changes, and its parts are promised anew. Locked by the caller (lock_production).';
create trigger _500_priority after update of priority on public.production_orders
  for each row when (old.priority <> new.priority) execute function private.tg_production_orders__priority();

-- How many are needed ------------------------------------------------------------------------------------------------

create function private.prospect(p_order_id bigint)
returns numeric language plpgsql stable set search_path = '' as $$
declare
  v_order public.production_orders;
  v_flow record;
begin
  select o.* into v_order from public.production_orders o where o.id = p_order_id;
  select coalesce(sum(s.scrap + s.returned), 0) as lost, coalesce(sum(s.good) filter (where s.is_last), 0) as good,
      coalesce(sum(s.rework_open), 0) as rework, max(s.started) filter (where s.is_first) as entered,
      coalesce(bool_or(s.is_first and s.is_ended), false) as no_more into v_flow
    from public.production_order_steps s where s.order_id = p_order_id;
  if v_order.status in ('CLOSED', 'CANCELLED') then
    return v_flow.good;
  end if;
  return case when v_flow.no_more then v_flow.entered else greatest(v_order.quantity, v_flow.entered) end - v_flow.lost
    - v_flow.rework * (100 - (private.setting('production.rework_yield', v_order.store, v_order.site) #>> '{}')::numeric) / 100;
end $$;
comment on function private.prospect is
$$Pieces that an order gave or can still give: what may still enter it, what is in process or between its steps, what is being reworked (times
the setting production.rework_yield, in per cent), what it made. A closed or cancelled order: what it made.$$;

create function private.sets_needed(p_step public.production_order_steps)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return case when p_step.is_ended then p_step.started else (
    select least(p_step.planned, coalesce(max(u.started) filter (where u.is_first and u.is_ended), p_step.planned) - coalesce(sum(u.scrap + u.returned), 0))
      from public.production_order_steps u where u.order_id = p_step.order_id and u.sequence < p_step.sequence) end;
end $$;
comment on function private.sets_needed is 'Pieces that came to a step or can still come: what was lost before it needs no set of its materials.';

create function private.sets_wanted(p_step public.production_order_steps)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return greatest(private.sets_needed(p_step) - p_step.released, 0);
end $$;
comment on function private.sets_wanted is 'Pieces that can still come to a step and have no set of its materials yet.';

create function private.component_short(p_order_id bigint, p_sku text)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return (
    select greatest(sum(coalesce(w.wanted, l.needed - l.consumed) - l.allocated), 0)
      from public.order_part_allocations l
      left join lateral (select sum(private.set_quantity(m, s.released, s.released + private.sets_wanted(s))) as wanted
        from public.production_order_steps s, jsonb_array_elements(s.materials) m
       where s.order_id = l.production_order_id and m ->> 'sku' = p_sku) w on true
     where l.production_order_id = p_order_id and l.sku = p_sku and not l.is_closed);
end $$;
comment on function private.component_short is 'How many of a component an order still wants and has not been promised.';

create function private.replenishment_need(p_root public.production_orders, p_sku text)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  if p_sku = p_root.product_sku then
    return coalesce((select f.started from public.production_order_steps f where f.order_id = p_root.id and f.is_first and f.is_ended),
        p_root.quantity)   -- ended before all was started: no more of it is wanted
      - private.prospect(p_root.id) - (
      select coalesce(sum(private.prospect(r.order_id)), 0) from public.replenishments r where r.root_id = p_root.id and r.sku = p_sku);
  end if;
  -- A component: what its replenishments have made is in stock, and promised from there; only what they still owe counts.
  return coalesce(private.component_short(p_root.id, p_sku), 0) + (
    select coalesce(sum(case when r.sku <> p_sku then private.component_short(r.order_id, p_sku)
        when o.status not in ('CLOSED', 'CANCELLED') then coalesce(g.good, 0) - private.prospect(r.order_id) end), 0)
      from public.replenishments r join public.production_orders o on o.id = r.order_id
      left join public.production_order_steps g on g.order_id = r.order_id and g.is_last
     where r.root_id = p_root.id);
end $$;
comment on function private.replenishment_need is
$$Asked for less what the root and all its replenishments gave or can still give: net of work in process, rework and open replenishments.
Of a component: what they still want of it and were not promised. Below 0: more is coming than is needed.$$;

create function private.replenish_setting(p_order public.production_orders, p_name text)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return (private.setting('production.replenish_' || p_name, p_order.store, p_order.site) #>> '{}')::numeric;
end $$;

create function private.in_lots(p_root public.production_orders, p_need numeric)
returns numeric language plpgsql stable set search_path = '' as $$
declare
  v_lot numeric := private.replenish_setting(p_root, 'lot');
begin
  return case when v_lot > 0 then ceil(p_need / v_lot) * v_lot else p_need end;
end $$;

create function private.to_replenish(p_root public.production_orders, p_sku text, p_is_forced boolean default false)
returns numeric language plpgsql stable set search_path = '' as $$
declare
  v_need numeric := private.replenishment_need(p_root, p_sku);
begin
  return case
    when v_need <= case when p_is_forced then 0
      else greatest(private.replenish_setting(p_root, 'min'), private.replenish_setting(p_root, 'percent') * p_root.quantity / 100) end then null
    else private.in_lots(p_root, v_need) end;
end $$;
comment on function private.to_replenish is
  'How many would be made again now, in whole lots; null for none, or (unless it is forced) for fewer than the settings want a replenishment for.';

-- Making and topping up ------------------------------------------------------------------------------------------------

create function private.new_replenishment(p_root public.production_orders, p_sku text, p_quantity numeric, p_actor uuid)
returns public.production_orders language plpgsql set search_path = '' as $$
declare
  v_number integer := (select count(*) from public.replenishments r where r.root_id = p_root.id);
  v_order public.production_orders;
begin
  while v_order.id is null loop   -- somebody may have used the code
    v_number := v_number + 1;
    insert into public.production_orders as o (code, site, store, type, source, product_sku, quantity, priority, due_date, notes, created_by)
    values (left(p_root.code, 54) || '-R' || v_number, p_root.site, p_root.store, 'REPLENISHMENT', 'replenishment', p_sku, p_quantity,
      p_root.priority, p_root.due_date, 'Replenishes ' || p_root.code, nullif(p_actor, '00000000-0000-0000-0000-000000000000'))
    on conflict do nothing returning o.* into v_order;
  end loop;
  insert into public.production_order_lines (order_id, line, sku, quantity)
  select v_order.id, row_number() over (order by l.sku), l.sku, l.quantity from private.lines_of_new_order(p_sku, null) l;
  return v_order;
end $$;
comment on function private.new_replenishment is 'The order that makes p_quantity again: due and as urgent as its root. Its parts are not promised yet.';

create function private.promise_parts(p_order public.production_orders, p_event text)
returns void language plpgsql set search_path = '' as $$
declare
  v_skus text[] := private.order_skus(p_order.id);
begin
  perform private.lock_stock(v_skus);
  if p_order.status = 'CANCELLED' then
    perform private.close_production_lines(p_order.id);
    update public.order_fulfilments f set fulfillment_status = 'unfulfilled', fulfilled_at = null where f.production_order_id = p_order.id;
  else
    perform private.write_production_lines(p_order);
  end if;
  perform private.allocate(v_skus, jsonb_build_object('event', p_event, 'ref', p_order.code));
end $$;
comment on function private.promise_parts is 'The lines of an order follow its quantity or its end, and stock is promised anew. Locks: its items, by SKU.';

create function private.raise_replenishment(
  p_root public.production_orders, p_source public.production_orders, p_sku text, p_quantity numeric, p_generation integer, p_actor uuid)
returns public.production_orders language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders;
  v_event text := 'production.replenishment_changed';
begin
  update public.production_orders o set quantity = o.quantity + p_quantity
    from public.replenishments r
   where r.root_id = p_root.id and r.sku = p_sku and r.is_open and o.id = r.order_id returning o.* into v_order;
  if v_order.id is null then
    v_event := 'production.replenished';
    v_order := private.new_replenishment(p_root, p_sku, p_quantity, p_actor);
    insert into public.replenishments (order_id, root_id, sku, generation) values (v_order.id, p_root.id, p_sku, p_generation);
  else
    update public.replenishments r set generation = greatest(r.generation, p_generation) where r.order_id = v_order.id;
  end if;
  perform private.emit('production_order', v_order.code, v_event, p_actor, jsonb_build_object('root', p_root.code, 'source', p_source.code,
    'sku', p_sku, 'added', trim_scale(p_quantity), 'quantity', trim_scale(v_order.quantity), 'generation', p_generation, 'version', v_order.version),
    v_order.store, v_order.site);
  perform private.promise_parts(v_order, v_event);
  return v_order;
end $$;
comment on function private.raise_replenishment is
  'Top up the open replenishment of the root, or make one. Locks: the items of the order; root and open replenishment are locked by the caller.';

create function private.generation_after(p_source_id bigint, p_sku text)
returns integer language plpgsql stable set search_path = '' as $$
begin
  return 1 + coalesce((select r.generation from public.replenishments r where r.order_id = p_source_id and r.sku = p_sku), 0);
end $$;

create function private.beyond_caps(p_root public.production_orders, p_sku text, p_quantity numeric, p_generation integer)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_generations numeric := private.replenish_setting(p_root, 'generations');
  v_percent numeric := private.replenish_setting(p_root, 'cap_percent');
  v_before numeric := (select coalesce(sum(o.quantity), 0) from public.replenishments r join public.production_orders o on o.id = r.order_id
    where r.root_id = p_root.id and r.sku = p_sku and o.status <> 'CANCELLED');
begin
  if p_sku <> p_root.product_sku then
    return null;   -- a missing component is a need, no loss: it is made whatever it takes
  elsif p_generation > v_generations then
    return format('It was made again %s times already.', v_generations);
  elsif v_before + p_quantity > p_root.quantity * v_percent / 100 then
    return format('%s of %s would be made again: more than %s per cent.', trim_scale(v_before + p_quantity), trim_scale(p_root.quantity), v_percent);
  end if;
  return null;
end $$;
comment on function private.beyond_caps is 'Why a person has to allow it: too many generations, or too much of the order made again. Null: within the caps.';

create function private.replenish(
  p_root_id bigint, p_source public.production_orders, p_sku text, p_trigger text, p_event_id bigint, p_actor uuid,
  p_approval public.approvals default null)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_root public.production_orders := (select o from public.production_orders o where o.id = p_root_id);
  v_need numeric;
  v_generation integer := private.generation_after(p_source.id, p_sku);
  v_why text;
  v_order public.production_orders;
begin
  if v_root.status in ('CLOSED', 'CANCELLED')
     or exists (select 1 from public.replenishment_links l where l.trigger_event = p_event_id)
     or not private.setting('production.replenish_auto', v_root.store, v_root.site)::boolean and p_approval.id is null and p_trigger <> 'SHORTAGE' then
    return null;
  end if;
  v_need := private.to_replenish(v_root, p_sku, p_approval.id is not null or p_trigger = 'SHORTAGE');
  if v_need is null then
    return null;
  elsif p_approval.id is not null then
    v_need := least(v_need, p_approval.quantity);   -- what was allowed, and no more
  else
    v_why := coalesce(private.beyond_caps(v_root, p_sku, v_need, v_generation), (
      select a.justification from public.approvals a   -- what waits for a person is not made by the next loss
       where a.order_id = v_root.id and a.operation = 'replenishment' and a.status = 'PENDING' and p_sku = v_root.product_sku));
  end if;
  if v_why is not null then
    return private.ask_to_replenish(v_root, p_source, v_need, p_trigger, p_event_id, p_actor, v_why);
  end if;
  v_order := private.raise_replenishment(v_root, p_source, p_sku, v_need, v_generation, p_actor);
  insert into public.replenishment_links (root_id, replenishment_id, source_order_id, trigger, trigger_event, quantity, approval_id, created_by)
  values (v_root.id, v_order.id, p_source.id, p_trigger, p_event_id, v_need, p_approval.id, nullif(p_actor, '00000000-0000-0000-0000-000000000000'));
  return jsonb_build_object('code', 'production.replenished', 'message', format('%s makes %s again for %s.', v_order.code, trim_scale(v_need), v_root.code),
    'details', jsonb_build_object('replenishment', v_order.code, 'root', v_root.code, 'sku', p_sku, 'added', trim_scale(v_need),
      'quantity', trim_scale(v_order.quantity)));
end $$;
comment on function private.replenish is
$$After a loss, a shortage or an approval: makes again what the root needs, as one open order. Answers a notice {code, message, details}, or null
when nothing is needed (or less than the settings say), or this event did it before. The family is locked by the caller (lock_family).$$;

-- sql/M12_production/replenish_back.sql

-- Replenishment, the other ways: asked of a person beyond the caps, taken back with its scrap, dropped with its root.

create function private.ask_to_replenish(
  p_root public.production_orders, p_source public.production_orders, p_quantity numeric, p_trigger text, p_event_id bigint, p_actor uuid, p_why text)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_approval public.approvals;
begin
  insert into public.approvals as a (type, operation, site, order_id, quantity, justification, requested_by)
  values ('SPECIAL_OPERATION', 'replenishment', p_root.site, p_root.id, p_quantity, p_why, nullif(p_actor, '00000000-0000-0000-0000-000000000000'))
  on conflict (site, type, work_centre, order_id, sequence, operation, starts_at, ends_at) where status = 'PENDING'
  do update set quantity = excluded.quantity, justification = excluded.justification
  returning a.* into v_approval;
  perform private.emit_approval(v_approval, 'approval.requested', p_actor);
  insert into public.replenishment_links (root_id, source_order_id, trigger, trigger_event, quantity, approval_id, created_by)
  values (p_root.id, p_source.id, p_trigger, p_event_id, 0, v_approval.id, nullif(p_actor, '00000000-0000-0000-0000-000000000000'));
  return jsonb_build_object('code', 'production.replenish_approval',
    'message', format('%s A person has to allow %s more for %s.', p_why, trim_scale(p_quantity), p_root.code),
    'details', jsonb_build_object('approval', v_approval.id, 'root', p_root.code, 'quantity', trim_scale(p_quantity)));
end $$;
comment on function private.ask_to_replenish is 'The one pending approval for the root says how much is needed now. Answers a notice.';

create function private.still_missing(p_order public.production_orders)
returns numeric language plpgsql stable set search_path = '' as $$
declare
  v_root public.production_orders;
begin
  select t.* into v_root from public.replenishments r join public.production_orders t on t.id = r.root_id where r.order_id = p_order.id;
  return case when v_root.status not in ('CLOSED', 'CANCELLED') then coalesce(private.to_replenish(v_root, p_order.product_sku), 0) end;
end $$;
comment on function private.still_missing is 'Of a replenishment: what its open root needs of the same product beyond all that is coming. Null: no replenishment.';

create function private.ask_for_rest(p_order public.production_orders, p_before numeric, p_why text, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_root public.production_orders := (select o from public.production_orders o where o.id = private.root_of(p_order.id));
  v_rest numeric := private.still_missing(p_order);
  v_event bigint;
begin
  if coalesce(v_rest <= p_before, true) then
    return null;
  end if;
  v_event := private.emit('production_order', v_root.code, 'production.still_missing', p_actor, jsonb_build_object('sku', p_order.product_sku,
    'source', p_order.code, 'quantity', trim_scale(v_rest), 'reason', p_why, 'version', v_root.version), v_root.store, v_root.site);
  if p_order.product_sku = v_root.product_sku then
    return private.ask_to_replenish(v_root, p_order, v_rest, 'STOPPED', v_event, p_actor, p_why);
  end if;
  return jsonb_build_object('code', 'production.still_missing', 'message', format('%s of %s are still missing for %s.', trim_scale(v_rest),
    p_order.product_sku, v_root.code), 'details', jsonb_build_object('root', v_root.code, 'sku', p_order.product_sku, 'quantity', trim_scale(v_rest)));
end $$;
comment on function private.ask_for_rest is
$$A person stopped a replenishment before all of it was made (p_before: still_missing before that): it is not made again by itself, somebody else has to allow
it. A component is told only: the root asks for it again at its next release. Answers a notice, or null. The family is locked by the caller.$$;

create function private.withdraw_replenishment(p_root_id bigint, p_need numeric, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_approval public.approvals;
begin
  update public.approvals a
     set status = case when p_need > 0 then 'PENDING' else 'WITHDRAWN' end, decided_at = case when p_need > 0 then null else now() end,
         quantity = case when p_need > 0 then p_need else a.quantity end
   where a.order_id = p_root_id and a.operation = 'replenishment' and a.status = 'PENDING' returning a.* into v_approval;
  if v_approval.id is not null then
    perform private.emit_approval(v_approval, case v_approval.status when 'PENDING' then 'approval.requested' else 'approval.withdrawn' end, p_actor);
  end if;
end $$;
comment on function private.withdraw_replenishment is 'What a pending approval asks for is only p_need now; it is withdrawn when that is nothing.';

create function private.shrink_replenishment(
  p_root public.production_orders, p_source public.production_orders, p_sku text, p_most numeric, p_event_id bigint, p_actor uuid, p_reason text)
returns numeric language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders;
  v_cut numeric;
begin
  select o.* into v_order from public.replenishments r join public.production_orders o on o.id = r.order_id
   where r.root_id = p_root.id and r.sku = p_sku and r.is_open;
  v_cut := least(p_most, v_order.quantity, (select sum(l.quantity) from public.replenishment_links l where l.replenishment_id = v_order.id));
  if v_order.id is null or coalesce(v_cut, 0) <= 0 then
    return 0;
  end if;
  update public.production_orders o
     set quantity = case when o.quantity > v_cut then o.quantity - v_cut else o.quantity end,
         status = case when o.quantity > v_cut then o.status else 'CANCELLED' end,
         cancelled_at = case when o.quantity > v_cut then null else now() end, cancel_reason = case when o.quantity > v_cut then null else p_reason end
   where o.id = v_order.id returning o.* into v_order;
  perform private.emit('production_order', v_order.code,
    case v_order.status when 'CANCELLED' then 'production.cancelled' else 'production.replenishment_changed' end, p_actor,
    jsonb_build_object('root', p_root.code, 'source', p_source.code, 'added', trim_scale(-v_cut), 'quantity', trim_scale(v_order.quantity),
      'reason', p_reason, 'version', v_order.version), v_order.store, v_order.site);
  insert into public.replenishment_links (root_id, replenishment_id, source_order_id, trigger, trigger_event, quantity, created_by)
  values (p_root.id, v_order.id, p_source.id, 'REVERSAL', p_event_id, -v_cut, nullif(p_actor, '00000000-0000-0000-0000-000000000000'));
  perform private.promise_parts(v_order, 'production.replenishment_changed');
  return v_cut;
end $$;
comment on function private.shrink_replenishment is
$$The open replenishment makes up to p_most less, but never less than a planner added by hand; with nothing left it is cancelled. Answers by how
much it shrank. Locks: its items; the family is locked by the caller.$$;

create function private.unreplenish(p_root_id bigint, p_source public.production_orders, p_sku text, p_event_id bigint, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_root public.production_orders := (select o from public.production_orders o where o.id = p_root_id);
  v_need numeric := private.replenishment_need(v_root, p_sku);
  v_lot numeric := private.replenish_setting(v_root, 'lot');
  v_surplus numeric;
begin
  if p_sku = v_root.product_sku then   -- what waits for an approval is the product
    perform private.withdraw_replenishment(v_root.id, private.in_lots(v_root, v_need), p_actor);
  end if;
  v_surplus := case when v_lot > 0 then floor(-v_need / v_lot) * v_lot else -v_need end;
  if v_surplus > 0 then
    v_surplus := v_surplus - private.shrink_replenishment(v_root, p_source, p_sku, v_surplus, p_event_id, p_actor, 'The scrap was taken back.');
  end if;
  if v_surplus > 0 and exists (select 1 from public.replenishments r join public.production_orders o on o.id = r.order_id
       where r.root_id = v_root.id and o.status not in ('CLOSED', 'CANCELLED')) then
    perform private.emit('production_order', v_root.code, 'production.surplus', p_actor, jsonb_build_object('sku', p_sku,
      'quantity', trim_scale(v_surplus), 'version', v_root.version), v_root.store, v_root.site);
    return jsonb_build_object('code', 'production.surplus', 'message', format('%s more than needed are on their way for %s.',
      trim_scale(v_surplus), v_root.code), 'details', jsonb_build_object('root', v_root.code, 'quantity', trim_scale(v_surplus)));
  end if;
  return null;
end $$;
comment on function private.unreplenish is
$$A loss was taken back: the open replenishment shrinks or is cancelled, a pending approval is withdrawn; what is released already is told as
surplus. Answers a notice, or null.$$;

create function private.drop_replenishments(p_root_id bigint, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_root public.production_orders := (select o from public.production_orders o where o.id = p_root_id);
  v_open record;
  v_event bigint;
begin
  for v_open in select r.sku, o.quantity from public.replenishments r join public.production_orders o on o.id = r.order_id
      where r.root_id = p_root_id and r.is_open order by r.order_id loop
    v_event := private.emit('production_order', v_root.code, 'production.replenishment_dropped', p_actor, jsonb_build_object('sku', v_open.sku,
      'quantity', trim_scale(v_open.quantity), 'version', v_root.version), v_root.store, v_root.site);
    perform private.shrink_replenishment(v_root, v_root, v_open.sku, v_open.quantity, v_event, p_actor, format('%s has ended.', v_root.code));
  end loop;
  perform private.withdraw_replenishment(p_root_id, 0, p_actor);
end $$;
comment on function private.drop_replenishments is
  'The root has ended: what was to be made again for it and is not released is cancelled. The family is locked by the caller (lock_family), stock is not.';

create function private.drop_needless_replenishments(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_roots bigint[] := array(
    select o.id from public.production_orders o
     where o.status in ('CLOSED', 'CANCELLED') and o.updated_at <= p_now and (
       exists (select 1 from public.replenishments r where r.root_id = o.id and r.is_open)
       or exists (select 1 from public.approvals a where a.order_id = o.id and a.operation = 'replenishment' and a.status = 'PENDING'))
     order by o.id limit 100 for update of o skip locked);
  v_open bigint[] := array(
    select o.id from public.replenishments r join public.production_orders o on o.id = r.order_id
     where r.root_id = any (v_roots) and r.is_open order by o.id for update of o skip locked);
begin
  v_roots := array(select u from unnest(v_roots) u where not exists (select from public.replenishments r
    where r.root_id = u and r.is_open and r.order_id <> all (v_open)) order by u);
  perform private.lock_stock(array(select distinct s.sku from public.production_orders o cross join lateral unnest(private.stock_of_order(o)) s (sku)
    where o.id = any (v_roots)));   -- once, after all orders
  perform private.drop_replenishments(u.id, null) from unnest(v_roots) with ordinality u (id, n) order by u.n;
end $$;
comment on function private.drop_needless_replenishments is
$$By the clock: of roots that were cancelled or shipped. Many families at once, so it waits for no order: where somebody is at work now, the next minute will do.
Locks: the roots and their open replenishments, SKIP LOCKED; then their items, by SKU.$$;

-- sql/M12_production/sets.sql

-- Complete sets: a step gets the materials of whole pieces or waits, and says for what.

create function private.whole_sets(p_material jsonb, p_released numeric, p_promised numeric)
returns numeric language plpgsql immutable set search_path = '' as $$
declare
  v_each numeric := (p_material ->> 'quantity')::numeric;
  -- Rounded as set_quantity rounds: with what is handed over already, so much may go out in all, and a half of the last digit goes up.
  v_sets numeric := ceil((p_promised + round(v_each * p_released, 3) + 0.0005) / v_each - p_released) - 1;
begin
  return greatest(case when private.set_quantity(p_material, p_released, p_released + v_sets) > p_promised then v_sets - 1 else v_sets end, 0);
end $$;
comment on function private.whole_sets is 'For how many more whole sets than were handed over so much of a material is enough.';

create function private.complete_sets(p_order public.production_orders, p_sequence integer)
returns table (possible numeric, missing jsonb) language plpgsql stable set search_path = '' as $$
declare
  v_step public.production_order_steps := (select s from public.production_order_steps s where s.order_id = p_order.id and s.sequence = p_sequence);
  v_wanted numeric := private.sets_wanted(v_step);
begin
  return query
    with parts as (
      select m.item, m.item ->> 'sku' as sku, private.set_quantity(m.item, v_step.released, v_step.released + v_wanted) as needed,
          coalesce(l.allocated, 0) as promised
        from jsonb_array_elements(v_step.materials) m (item)
        left join public.order_part_allocations l on l.production_order_id = p_order.id and l.line = (m.item ->> 'line')::integer
    )
    select case when coalesce(bool_and(p.promised >= p.needed), true) then v_wanted
        else least(v_wanted, min(private.whole_sets(p.item, v_step.released, p.promised))) end,
      coalesce(jsonb_agg(jsonb_build_object('sku', p.sku, 'needed', trim_scale(p.needed), 'available', trim_scale(p.promised),
        'missing', trim_scale(p.needed - p.promised)) order by p.sku) filter (where p.promised < p.needed), '[]')
      from parts p;
end $$;
comment on function private.complete_sets is
$$How many more complete sets than are released a step could get now from what is promised to the order, and what is missing for the rest:
[{sku, needed, available, missing}]. Whole sets, unless it is all of them.$$;

create function private.note_discrepancy(p_order public.production_orders, p_sequence integer, p_missing jsonb, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_event bigint;
begin
  if not exists (select 1 from public.production_discrepancies d
      where d.order_id = p_order.id and d.sequence = p_sequence and d.sku = p_missing ->> 'sku' and d.resolved_at is null
        and d.missing = (p_missing ->> 'missing')::numeric) then
    v_event := private.emit('production_order', p_order.code, 'production.discrepancy', p_actor,
      p_missing || jsonb_build_object('sequence', p_sequence, 'version', p_order.version), p_order.store, p_order.site);
    insert into public.production_discrepancies as d (order_id, sequence, sku, needed, available, missing, event_id)
    values (p_order.id, p_sequence, p_missing ->> 'sku', (p_missing ->> 'needed')::numeric, (p_missing ->> 'available')::numeric,
      (p_missing ->> 'missing')::numeric, v_event)
    on conflict (order_id, sequence, sku) where resolved_at is null do update
      set needed = excluded.needed, available = excluded.available, missing = excluded.missing, event_id = excluded.event_id;
  end if;
  return jsonb_build_object('code', 'production.discrepancy', 'message', format('%s of %s are missing for complete sets of %s.',
    p_missing ->> 'missing', p_missing ->> 'sku', p_order.code), 'details', p_missing || jsonb_build_object('sequence', p_sequence));
end $$;

create function private.raise_shortage(p_order public.production_orders, p_sequence integer, p_missing jsonb, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_root public.production_orders := (select o from public.production_orders o where o.id = private.root_of(p_order.id));
  v_missing jsonb;
  v_event bigint;
  v_notice jsonb;
  v_notices jsonb := '[]';
begin
  update public.production_discrepancies d set resolved_at = now()
   where d.order_id = p_order.id and d.sequence = p_sequence and d.resolved_at is null
     and not exists (select 1 from jsonb_array_elements(p_missing) m where m ->> 'sku' = d.sku);
  for v_missing in select m from jsonb_array_elements(p_missing) m order by m ->> 'sku' loop
    v_notice := null;
    if not exists (select 1 from public.routings g where g.sku = v_missing ->> 'sku' and g.is_active) then
      v_notice := private.note_discrepancy(p_order, p_sequence, v_missing, p_actor);
    elsif private.replenishment_need(v_root, v_missing ->> 'sku') > 0 then
      v_event := private.emit('production_order', p_order.code, 'production.short', p_actor,
        v_missing || jsonb_build_object('sequence', p_sequence, 'version', p_order.version), p_order.store, p_order.site);
      v_notice := private.replenish(v_root.id, p_order, v_missing ->> 'sku', 'SHORTAGE', v_event, p_actor);
    end if;
    v_notices := v_notices || coalesce(v_notice, '[]');
  end loop;
  return v_notices;
end $$;
comment on function private.raise_shortage is
$$What is missing for complete sets: components that are made here are replenished, once, for what is not coming already; others are a
discrepancy until they are there. Answers notices [{code, message, details}]. With an empty p_missing it resolves discrepancies.
The family is locked by the caller (lock_family), its stock too (lock_order_stock).$$;

create function private.fit_sets(p_order public.production_orders, p_event text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_step public.production_order_steps;
  v_needed numeric;
begin
  for v_step in select s.* from public.production_order_steps s where s.order_id = p_order.id and s.materials <> '[]' order by s.sequence loop
    v_needed := private.sets_needed(v_step);
    if v_step.released > v_needed then
      perform private.give_back_sets(p_order, v_step, v_step.released - v_needed, p_actor);
    end if;
    if v_step.released >= v_needed then   -- it waits for nothing any more
      update public.production_discrepancies d set resolved_at = now()
       where d.order_id = p_order.id and d.sequence = v_step.sequence and d.resolved_at is null;
      update public.production_order_progress p
         set waits_for = (select coalesce(jsonb_agg(w.item order by w.n), '[]') from jsonb_array_elements(p.waits_for) with ordinality w (item, n)
           where (w.item ->> 'sequence')::integer <> v_step.sequence)
       where p.order_id = p_order.id and p.waits_for @> jsonb_build_array(jsonb_build_object('sequence', v_step.sequence));
    end if;
    update public.production_order_lines n set pieces = nullif(v_needed, v_step.planned)
     where n.order_id = p_order.id and n.line in (select (m ->> 'line')::integer from jsonb_array_elements(v_step.materials) m)
       and n.pieces is distinct from nullif(v_needed, v_step.planned);
  end loop;
  perform private.write_production_lines(p_order);
  perform private.allocate(private.order_skus(p_order.id), jsonb_build_object('event', p_event, 'ref', p_order.code));
end $$;
comment on function private.fit_sets is
$$After pieces were lost, or it was taken back, or no more are made: what is promised and handed over to each step is for the pieces that can still come to
it, and the rest is free for others, above all for what is made again. The items are locked by the caller (lock_order_stock).$$;

-- sql/M12_production/quality.sql

-- What becomes of pieces that are not simply good: one record, the counters of its step, and a replenishment when pieces are lost.

create type private.quality_answer as (record public.quality_records, notices jsonb);
create type private.piece_deltas as (good numeric, scrap numeric, returned numeric, rework numeric, held numeric);

create function private.quality_deltas(p_disposition text, p_from text, p_quantity numeric)
returns private.piece_deltas language plpgsql immutable set search_path = '' as $$
begin
  return row(
    case when p_disposition in ('use_as_is', 'accept') then p_quantity else 0 end - case when p_from = 'good' then p_quantity else 0 end,
    case when p_disposition = 'scrap' then p_quantity else 0 end,
    case when p_disposition = 'return' then p_quantity else 0 end,
    case when p_disposition in ('rework', 'repair') then p_quantity else 0 end - case when p_from = 'rework' then p_quantity else 0 end,
    case when p_disposition = 'hold' then p_quantity else 0 end - case when p_from = 'hold' then p_quantity else 0 end)::private.piece_deltas;
end $$;
comment on function private.quality_deltas is 'What a disposition changes in the counters of a step. Rework, repair and use as is are never scrap.';

create function private.check_reason_code(p_reason text, p_step text)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_reason public.quality_reasons;
begin
  if coalesce(trim(p_reason), '') = '' then
    perform private.fail(422, 'quality.reason_required', 'Say what is wrong with the pieces.', jsonb_build_object('field', 'p_reason'));
  end if;
  select r.* into v_reason from public.quality_reasons r where r.code = upper(trim(p_reason)) and r.is_active and coalesce(r.step, p_step) = p_step;
  if v_reason.code is null then
    perform private.fail(422, 'quality.reason_unknown', format('%s is no reason at this step.', p_reason), jsonb_build_object('actual', p_reason,
      'expected', array(select r.code from public.quality_reasons r where r.is_active and coalesce(r.step, p_step) = p_step order by r.position, r.code)));
  end if;
  return v_reason.code;
end $$;
comment on function private.check_reason_code is 'The reason as it is written in the tree. Errors: quality.reason_required (422), quality.reason_unknown (422).';

create function private.check_quality(p_step public.production_order_steps, p_record public.quality_records, p_source public.quality_records)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_there numeric;
begin
  if p_record.disposition is null or p_record.disposition not in ('rework', 'repair', 'use_as_is', 'scrap', 'return', 'hold', 'accept')
     or p_record.disposition = 'accept' and p_source.id is null or p_record.disposition = 'hold' and p_source.disposition = 'hold' then
    perform private.fail(422, 'quality.disposition', case when p_record.disposition = 'accept' then 'Name the record of the pieces that are good now.'
      else 'Decide rework, repair, use_as_is, scrap, return or hold.' end, jsonb_build_object('field', 'p_disposition', 'actual', p_record.disposition));
  elsif p_record.taken_from is null or p_source.id is null and p_record.taken_from not in ('process', 'good') then
    perform private.fail(422, 'quality.from', 'Pieces come from process, from good, or from the record that p_record names.',
      jsonb_build_object('field', 'p_from', 'actual', p_record.taken_from));
  end if;
  v_there := case when p_source.id is not null then p_source.open_quantity
    when p_record.taken_from = 'good' then p_step.good - coalesce((select n.started from public.production_order_steps n
      where n.order_id = p_step.order_id and n.sequence > p_step.sequence order by n.sequence limit 1), 0)
    else null end;   -- in process: pieces that were not started yet are started by being reported
  if p_record.quantity > v_there then
    perform private.fail(409, 'quality.too_many', format('Only %s are there.', trim_scale(v_there)), jsonb_build_object('expected', trim_scale(v_there),
      'actual', trim_scale(p_record.quantity), 'from', p_record.taken_from, 'record', p_source.id));
  end if;
  perform private.check_length('p_cause', p_record.cause, 200);
  perform private.check_length('p_defect_position', p_record.defect_position, 100);
  perform private.check_length('p_notes', p_record.notes, 2000);
  perform private.check_length('p_photo', p_record.photo, 500);
end $$;
comment on function private.check_quality is
  'Errors: quality.disposition (422), quality.from (422), quality.too_many (409) when fewer are good and not used yet, or open, request.too_long (422).';

create function private.was_reworked(p_record_id bigint)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return exists (
    with recursive chain as (
      select q.source_id, q.disposition from public.quality_records q where q.id = p_record_id
      union all
      select q.source_id, q.disposition from chain c join public.quality_records q on q.id = c.source_id
    )
    select from chain c where c.disposition in ('rework', 'repair'));
end $$;
comment on function private.was_reworked is
  'The pieces of this record are, or were before they came into it, in rework or repair: not good at the first go, and found bad already.';

create function private.emit_quality(p_order public.production_orders, p_record public.quality_records, p_event text, p_actor uuid, p_more jsonb default '{}')
returns bigint language plpgsql set search_path = '' as $$
begin
  return private.emit('production_order', p_order.code, p_event, p_actor, jsonb_strip_nulls(jsonb_build_object('step', p_record.step,
      'sequence', p_record.sequence, 'work_centre', p_record.work_centre, 'lot_id', p_record.lot_id, 'disposition', p_record.disposition,
      'quantity', trim_scale(p_record.quantity), 'from', p_record.taken_from, 'source', p_record.source_id, 'reason', p_record.reason,
      'cause', p_record.cause, 'defect_position', p_record.defect_position, 'version', p_order.version)) || p_more, p_order.store, p_order.site);
end $$;

create function private.with_reason_title(p_event text, p_payload jsonb)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return p_payload || coalesce((select jsonb_build_object('reason_title', r.title) from public.quality_reasons r
    where p_event = 'production.quality' and r.code = p_payload ->> 'reason'), '{}');
end $$;
comment on function private.with_reason_title is 'An event as people read it: the reason of a quality record by its title too.';

create function private.write_quality(
  p_actor uuid, p_order public.production_orders, p_sequence integer, p_disposition text, p_quantity numeric, p_reason text, p_cause text default null,
  p_defect_position text default null, p_from text default 'process', p_lot_id bigint default null, p_notes text default null,
  p_photo text default null, p_work_centre text default null, p_source_id bigint default null)
returns private.quality_answer language plpgsql set search_path = '' as $$
declare
  v_step public.production_order_steps := (select s from public.production_order_steps s where s.order_id = p_order.id and s.sequence = p_sequence);
  v_source public.quality_records := (select q from public.quality_records q where q.id = p_source_id);
  v_new public.quality_records;
  v_change private.piece_deltas;
  v_answer private.quality_answer;
begin
  v_new.disposition := lower(p_disposition); v_new.quantity := p_quantity; v_new.cause := p_cause; v_new.defect_position := p_defect_position;
  v_new.taken_from := case v_source.disposition when 'hold' then 'hold' when 'rework' then 'rework' when 'repair' then 'rework' else p_from end;
  v_new.source_id := p_source_id; v_new.notes := p_notes; v_new.photo := p_photo; v_new.lot_id := coalesce(p_lot_id, v_source.lot_id);
  v_new.work_centre := coalesce(p_work_centre, v_source.work_centre); v_new.sequence := p_sequence; v_new.step := v_step.step;
  perform private.check_quality(v_step, v_new, v_source);
  v_new.reason := coalesce(case when p_reason is null then v_source.reason end,
    case when v_new.disposition <> 'accept' or p_reason is not null then private.check_reason_code(p_reason, v_step.step) end);
  v_new.event_id := private.emit_quality(p_order, v_new, 'production.quality', p_actor);
  v_change := private.quality_deltas(v_new.disposition, v_new.taken_from, p_quantity);
  -- Where the pieces stay counted as they were, the count is all zeros: undo takes back what came last, and that is this.
  v_new.count_id := (private.book_pieces(p_order.id, p_sequence, case when v_new.taken_from = 'process' then null else 0 end, v_change.good,
    v_change.scrap, v_change.returned, v_change.rework, v_change.held, p_actor, v_new.lot_id, v_new.work_centre, 'quality',
    p_from_rework => private.was_reworked(p_source_id) or v_new.disposition = 'use_as_is')).id;
  update public.quality_records q set open_quantity = q.open_quantity - p_quantity where q.id = p_source_id;
  insert into public.quality_records as q (order_id, sequence, step, work_centre, lot_id, disposition, taken_from, source_id, quantity, open_quantity,
    reason, cause, defect_position, notes, photo, site, event_id, count_id, recorded_by)
  values (p_order.id, p_sequence, v_step.step, v_new.work_centre, v_new.lot_id, v_new.disposition, v_new.taken_from, p_source_id, p_quantity,
    case when v_new.disposition in ('rework', 'repair', 'hold') then p_quantity else 0 end, v_new.reason, p_cause, p_defect_position, p_notes, p_photo,
    p_order.site, v_new.event_id, v_new.count_id, nullif(p_actor, '00000000-0000-0000-0000-000000000000'))
  returning q.* into v_new;
  v_answer.record := v_new;
  v_answer.notices := '[]';
  if v_new.disposition in ('scrap', 'return') then
    perform private.fit_sets(p_order, 'production.quality', p_actor);   -- first: what the lost pieces do not take is for those that replace them
    v_answer.notices := v_answer.notices || coalesce(private.replenish(private.root_of(p_order.id), p_order, p_order.product_sku,
      upper(v_new.disposition), v_new.event_id, p_actor), '[]');
  end if;
  return v_answer;
end $$;
comment on function private.write_quality is
$$Pieces of a step get their disposition: event, counters, record, and after scrap or return a replenishment. The caller holds the family of the
order (lock_family), its lot and its stock (lock_order_stock). Answers the record and notices.
Errors: those of check_quality, check_reason_code and book_pieces.$$;

create function private.refuse_decided(p_record public.quality_records)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_later public.quality_records;
begin
  if p_record.disposition in ('rework', 'repair', 'hold') and p_record.open_quantity <> p_record.quantity then
    select q.* into v_later from public.quality_records q where q.source_id = p_record.id and q.reversed_at is null order by q.id desc limit 1;
    perform private.fail(409, 'undo.blocked', format('%s of these pieces were decided since. Undo that first.', trim_scale(v_later.quantity)),
      jsonb_build_object('record', v_later.id, 'event_id', v_later.event_id, 'disposition', v_later.disposition, 'at', v_later.recorded_at));
  end if;
end $$;

create function private.reverse_quality(p_record_id bigint, p_actor uuid, p_undo_event bigint)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_record public.quality_records;
  v_order public.production_orders;
  v_count public.piece_counts;
  v_notice jsonb;
begin
  select q.* into v_record from public.quality_records q where q.id = p_record_id for update;
  if v_record.reversed_at is not null then
    return '[]';
  end if;
  perform private.refuse_decided(v_record);
  select o.* into v_order from public.production_orders o where o.id = v_record.order_id;
  select c.* into v_count from public.piece_counts c where c.id = v_record.count_id;
  if v_count.id is not null then
    perform private.book_pieces(v_record.order_id, v_record.sequence, -v_count.started, -v_count.good, -v_count.scrap, -v_count.returned,
      -v_count.rework_open, -v_count.held_open, p_actor, v_count.lot_id, v_count.work_centre, 'undo', v_count.from_rework, v_count.id);
  end if;
  update public.quality_records q set reversed_at = now(), reversed_by = nullif(p_actor, '00000000-0000-0000-0000-000000000000'), open_quantity = 0
   where q.id = v_record.id;
  update public.quality_records q set open_quantity = q.open_quantity + v_record.quantity where q.id = v_record.source_id;
  if v_record.disposition in ('scrap', 'return') then
    perform private.fit_sets(v_order, 'production.undone', p_actor);
    v_notice := private.unreplenish(private.root_of(v_order.id), v_order, v_order.product_sku, p_undo_event, p_actor);
  end if;
  return '[]' || coalesce(v_notice, '[]');
end $$;
comment on function private.reverse_quality is
$$Takes a record back: the counters, what is open in its source, and the replenishment that it made. Answers notices. The caller holds what
write_quality asks for, and has emitted p_undo_event. Errors: undo.blocked (409) when somebody decided about its pieces since, those of book_pieces.$$;

create function private.quality_differences()
returns table (subject text, what text, kept numeric, computed numeric) language sql stable set search_path = '' as $$
  with open as (
    select q.order_id, q.sequence, sum(q.open_quantity) filter (where q.disposition <> 'hold') as rework,
        sum(q.open_quantity) filter (where q.disposition = 'hold') as held
      from public.quality_records q where q.open_quantity > 0 group by q.order_id, q.sequence
  )
  select o.code || ' ' || s.sequence, x.what, x.kept, x.computed
    from public.production_order_steps s join public.production_orders o on o.id = s.order_id
    left join open p on p.order_id = s.order_id and p.sequence = s.sequence
   cross join lateral (values ('rework open', s.rework_open, coalesce(p.rework, 0)), ('on hold', s.held_open, coalesce(p.held, 0))) x (what, kept, computed)
   where x.kept <> x.computed
  union all
  select 'record ' || q.id, 'open quantity', q.open_quantity, q.quantity - coalesce(d.taken, 0)
    from public.quality_records q
    left join lateral (select sum(n.quantity) as taken from public.quality_records n where n.source_id = q.id and n.reversed_at is null) d on true
   where q.disposition in ('rework', 'repair', 'hold') and q.reversed_at is null and q.open_quantity <> q.quantity - coalesce(d.taken, 0)
  union all
  select o.code || ' ' || s.sequence, 'scrap without a record', s.scrap, coalesce(q.scrapped, 0)
    from public.production_order_steps s join public.production_orders o on o.id = s.order_id
    left join lateral (select sum(r.quantity) as scrapped from public.quality_records r where r.order_id = s.order_id and r.sequence = s.sequence
      and r.disposition = 'scrap' and r.reversed_at is null) q on true
   where s.scrap <> coalesce(q.scrapped, 0)
  union all
  select o.code, 'open replenishment that is not open', 1, 0 from public.replenishments r join public.production_orders o on o.id = r.order_id
   where r.is_open and (o.status <> 'OPEN_NOT_STARTED' or exists (select 1 from public.production_order_steps s
     where s.order_id = r.order_id and s.is_first and s.released > 0))
  union all
  select o.code, 'replenishment of a replenishment', 1, 0 from public.replenishments r join public.production_orders o on o.id = r.order_id
   where exists (select 1 from public.replenishments x where x.order_id = r.root_id)
$$;
comment on function private.quality_differences is 'Where quality records, counters and replenishments contradict each other. No rows: all is well.';

-- sql/M12_production/import.sql

-- Production orders from another system: read, compared with what is here, then written as sets. Older versions are ignored, and what was
-- started is never taken away.

create type private.erp_row as (
  n integer, external_id text, version bigint, code text, sku text, quantity numeric, due_date date, priority text, site text, store text,
  type text, notes text, is_cancelled boolean, given text[], hash text, errors jsonb, notices jsonb, result text, order_id bigint);
comment on type private.erp_row is
$$A row of an import on its way. given: fields it names, the others stay as they are. result: what becomes of it, null while it is not known. hash: of the
fields without the version.$$;

create function private.erp_problem(p_field text, p_code text, p_message text)
returns jsonb language sql immutable set search_path = '' as $$
  select jsonb_build_array(jsonb_build_object('field', p_field, 'code', p_code, 'message', p_message))
$$;

create function private.is_date(p_text text)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return p_text ~ '^[1-9]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$' and substr(p_text, 9)::integer
    <= extract(day from make_date(substr(p_text, 1, 4)::integer, substr(p_text, 6, 2)::integer, 1) + interval '1 month' - interval '1 day');
end $$;

create function private.read_erp_rows(p_rows jsonb)
returns private.erp_row[] language plpgsql stable set search_path = '' as $$
begin
  return array(
    select row(r.n, f.v ->> 'external_id', (f.v ->> 'version')::bigint, coalesce(f.v ->> 'code', f.v ->> 'external_id'), f.v ->> 'product_sku',
        (f.v ->> 'quantity')::numeric, (f.v ->> 'due_date')::date, f.v ->> 'priority', f.v ->> 'site', f.v ->> 'store', f.v ->> 'type', f.v ->> 'notes',
        coalesce(lower(f.v ->> 'cancelled') in ('true', 'yes', '1'), false), array(select jsonb_object_keys(f.v)), md5((f.v - 'version')::text), c.errors, '[]',
        case when c.errors <> '[]' then 'error' end, null)::private.erp_row
      from jsonb_array_elements(p_rows) with ordinality as r (item, n)
     cross join lateral (
       select coalesce(jsonb_object_agg(w.field, w.value) filter (where w.value is not null), '{}') as cells, coalesce(jsonb_agg(jsonb_build_object('field', w.field,
           'code', 'import.bad_value', 'message', format('%s is not %s.', left(w.value, 40), w.what)) order by w.field) filter (where w.what is not null), '[]') as faults
         from (select e.field, e.value, case   -- in the query, not in a function: it is asked for every cell of ten thousand rows
               when e.value is null then null
               when e.field not in ('external_id', 'version', 'code', 'product_sku', 'quantity', 'due_date', 'priority', 'site', 'store', 'type', 'notes',
                 'cancelled') then 'known: there is no column ' || left(e.field, 40)
               when e.field = 'version' and e.value !~ '^\d{1,18}$' then 'a whole number'
               when e.field = 'quantity' and (e.value !~ '^\d{1,6}(\.\d{1,3})?$' or e.value ~ '^[0.]+$') then 'a number like 12.5, above 0'
               when e.field = 'due_date' and not private.is_date(e.value) then 'a date like 2026-11-30'
               when e.field = 'priority' and e.value not in ('critical', 'rush', 'normal') then 'critical, rush or normal'
               when e.field = 'type' and e.value not in ('PRODUCTION', 'REPLENISHMENT') then 'PRODUCTION or REPLENISHMENT'
               when e.field = 'cancelled' and lower(e.value) not in ('true', 'false', 'yes', 'no', '1', '0') then 'yes or no'
               when e.field = 'code' and e.value !~ '^[A-Za-z0-9][A-Za-z0-9_./#-]{0,60}$' then 'a code of letters, digits and . / # _ -'
               when e.field = 'external_id' and length(e.value) > 200 or e.field = 'notes' and length(e.value) > 2000 then 'short enough' end as what
             from (select lower(trim(k.key)) as field, nullif(trim(k.value), '') as value from jsonb_each_text(r.item) k) e) w) x
     cross join lateral (select x.faults || case when x.cells ->> 'external_id' is null then private.erp_problem('external_id', 'import.bad_value',
       'The external id is missing.') else '[]' end as errors) c
     cross join lateral (select case when c.errors = '[]' then x.cells else x.cells - array['version', 'quantity', 'due_date'] end as v) f
     order by r.n);
end $$;
comment on function private.read_erp_rows is 'Rows of cells as typed rows; a row that cannot be read has result error and errors [{field, code, message}].';

create function private.find_erp_rows(p_system text, p_rows private.erp_row[])
returns private.erp_row[] language plpgsql stable set search_path = '' as $$
begin
  return array(
    select row(r.n, r.external_id, r.version, coalesce(o.code, r.code), coalesce(i.sku, r.sku), r.quantity, r.due_date, r.priority,
        coalesce(o.site, r.site, st.site, d.site), coalesce(o.store, r.store), r.type, r.notes, r.is_cancelled, r.given, r.hash,
        r.errors || e.errors, r.notices, case when r.errors || e.errors <> '[]' then 'error' when r.newest > 1 then 'superseded' end, coalesce(f.order_id, b.id))::private.erp_row
      from (select w.*, row_number() over (partition by w.code, w.newest = 1 and w.result is null order by w.n) as same_code
          from (select x.*, row_number() over (partition by lower(x.external_id), x.result is null order by x.version desc nulls last, x.n) as newest
            from unnest(p_rows) x) w) r
     cross join (select private.caller_site(null, null) as site) d
      left join public.production_order_refs f on f.system = p_system and lower(f.external_id) = lower(r.external_id)
      left join public.production_orders b on f.order_id is null and b.code = r.code
      left join public.production_orders o on o.id = coalesce(f.order_id, b.id)
      left join public.inventory_items i on lower(i.sku) = lower(r.sku)
      left join public.stores st on st.code = r.store
     cross join lateral (select case when r.result = 'error' then '[]' else
         case when r.sku is not null and i.sku is null then private.erp_problem('product_sku', 'item.unknown', 'There is no item ' || r.sku || '.') else '[]' end
         || case when r.store is not null and st.code is null then private.erp_problem('store', 'store.unknown', 'There is no store ' || r.store || '.') else '[]' end
         || case when o.id is null and r.sku is null then private.erp_problem('product_sku', 'import.bad_value', 'A new order needs a product.') else '[]' end
         || case when o.id is null and r.quantity is null then private.erp_problem('quantity', 'import.bad_value', 'A new order needs a quantity.') else '[]' end
         || case when o.id is null and r.newest = 1 and r.same_code > 1
           then private.erp_problem('code', 'production.exists', r.code || ' stands in this import for another order already.') else '[]' end
         || case when b.id is not null and (b.product_sku is distinct from i.sku or exists (
             select from public.production_order_refs x where x.order_id = b.id and x.system = p_system))
           then private.erp_problem('code', 'production.exists', 'There is another production order ' || r.code || ' already.') else '[]' end end as errors) e
     order by r.n);
end $$;
comment on function private.find_erp_rows is
$$Each row with its order, if it is here: by the id in the other system, else by its code (an order of ours that comes back). Of several rows with one
id the newest version counts, the others are superseded.$$;

create function private.check_erp_scope(p_rows private.erp_row[])
returns private.erp_row[] language plpgsql stable set search_path = '' as $$
declare
  v_who private.identity := private.identify();
begin
  return array(
    select row(r.n, r.external_id, r.version, r.code, r.sku, r.quantity, r.due_date, r.priority, r.site, r.store, r.type, r.notes, r.is_cancelled,
        r.given, r.hash, r.errors || x.error, r.notices, case when x.error <> '[]' then 'error' else r.result end, r.order_id)::private.erp_row
      from unnest(p_rows) r
      join (select p.site, p.store, case
            when not exists (select from public.sites s where s.code = p.site) then
              private.erp_problem('site', 'site.unknown', 'Say at which site it is made.')
            when not private.works_at(v_who, p.site) then private.erp_problem('site', 'auth.other_site', 'You do not work at this site.')
            when p.store is not null and not v_who.stores && array[p.store, '*'] then
              private.erp_problem('store', 'auth.other_store', 'You do not work in this store.')
            else '[]' end as error
          from (select distinct q.site, q.store from unnest(p_rows) q where q.result is distinct from 'error') p) x
        on x.site is not distinct from r.site and x.store is not distinct from r.store and r.result is distinct from 'error'
    union all
    select r::private.erp_row from unnest(p_rows) r where r.result = 'error');
end $$;
comment on function private.check_erp_scope is 'Orders of sites and stores where the caller does not work are errors of their rows.';

create function private.judge_erp_rows(p_system text, p_rows private.erp_row[])
returns private.erp_row[] language plpgsql stable set search_path = '' as $$
begin
  return array(
    select row(r.n, r.external_id, coalesce(r.version, f.version + case when f.payload_hash = r.hash then 0 else 1 end, 1), r.code, coalesce(r.sku, o.product_sku),
        case when r.quantity < u.least and not j.result in ('unchanged', 'ignored') then u.least else coalesce(r.quantity, o.quantity) end,
        case when 'due_date' = any (r.given) then r.due_date else o.due_date end, coalesce(r.priority, o.priority, 'normal'), r.site, r.store,
        coalesce(o.type, r.type, 'PRODUCTION'), coalesce(r.notes, o.notes), r.is_cancelled, r.given, r.hash, r.errors,
        r.notices || case j.result when 'ignored' then private.erp_problem('version', 'import.older',
            format('Version %s came after version %s.', r.version, f.version))
          when 'cancel_requested' then private.erp_problem('cancelled', 'import.started', 'It was started already: a person decides.')
          when 'review' then private.erp_problem(j.field, 'import.review', j.why) else '[]' end
          || case when r.quantity < u.least and j.result = 'updated' then private.erp_problem('quantity', 'import.clamped', format(
            case when o.is_routed then '%s are started already: the order is for that many.' else '%s left already: the order is for that many.' end,
            trim_scale(u.least))) else '[]' end,
        j.result, r.order_id)::private.erp_row
      from unnest(p_rows) r
      left join public.production_orders o on o.id = r.order_id
      left join public.production_order_refs f on f.order_id = o.id and f.system = p_system
      left join public.production_order_steps s on s.order_id = o.id and s.is_first
     cross join lateral (select coalesce(s.started, (   -- not routed: what was shipped in part
         select ceil(max(l.consumed / n.quantity) * 1000) / 1000 from public.order_part_allocations l
           join public.production_order_lines n on n.order_id = l.production_order_id and n.line = l.line
          where l.production_order_id = o.id and l.consumed > 0)) as least) u
     cross join lateral (select * from private.judge_erp_row(p_system, r, o, f, u.least) x) j
     order by r.n);
end $$;
comment on function private.judge_erp_rows is 'What becomes of each row, and the values its order will have. The orders are locked.';

create function private.same_as_erp(p_row private.erp_row, p_order public.production_orders)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return coalesce(p_row.sku, p_order.product_sku) is not distinct from p_order.product_sku
    and coalesce(p_row.quantity, p_order.quantity) = p_order.quantity and coalesce(p_row.due_date, p_order.due_date) is not distinct from p_order.due_date
    and coalesce(p_row.priority, p_order.priority) = p_order.priority;
end $$;
comment on function private.same_as_erp is 'Does the row of the other system say what the order says already?';

create function private.judge_erp_row(
  p_system text, p_row private.erp_row, p_order public.production_orders, p_ref public.production_order_refs, p_started numeric,
  out result text, out field text, out why text)
returns record language plpgsql stable set search_path = '' as $$
declare
  v_is_started constant boolean := coalesce(p_started, 0) > 0 or p_order.status in ('IN_PROGRESS', 'OPEN_PARTIAL');
begin
  result := case
    when p_row.result is not null then p_row.result
    when p_order.id is null then case when p_row.is_cancelled then 'cancelled' else 'created' end
    when p_row.version < p_ref.version or p_row.version = p_ref.version and p_row.hash <> p_ref.payload_hash then 'ignored'
    when p_row.hash = p_ref.payload_hash then 'unchanged'
    when p_ref.system is null and not p_row.is_cancelled and private.same_as_erp(p_row, p_order) then 'matched'
    when p_order.source = 'replenishment' then case when p_row.is_cancelled and p_order.status = 'CANCELLED' then 'unchanged' else 'review' end
    when p_row.is_cancelled then case when p_order.status = 'CANCELLED' then 'unchanged' when p_order.status = 'CLOSED' then 'review'
      when v_is_started then case when p_ref.cancel_requested_at is null then 'cancel_requested' else 'unchanged' end else 'cancelled' end
    when p_order.status = 'CLOSED' then 'review'
    when p_order.status = 'CANCELLED' then case when p_order.cancel_reason = 'Cancelled in ' || p_system and p_started is null then 'reopened' else 'review' end
    when p_row.sku is not null and p_row.sku is distinct from p_order.product_sku and p_started is not null then 'review'
    else 'updated' end;
  if result = 'review' then
    field := case when p_order.status in ('CLOSED', 'CANCELLED') then 'status' when p_order.source = 'replenishment' then 'code' else 'product_sku' end;
    why := case when p_order.status in ('CLOSED', 'CANCELLED') then format('The order %s is %s here.', p_order.code, lower(p_order.status))
      when p_order.source = 'replenishment' then 'What an order lost is made again as often as it is needed, not as often as the other system says.'
      when p_order.is_routed then format('%s is released as %s: another product is another order.', p_order.code, p_order.product_sku)
      else format('Parts of %s left as %s: another product is another order.', p_order.code, p_order.product_sku) end;
  end if;
end $$;
comment on function private.judge_erp_row is
$$created, updated, unchanged, ignored (older), matched (our own order comes back), cancelled, cancel_requested (it was started), reopened (it comes back
after it was cancelled there), review (a person has to look), superseded, error.$$;

-- sql/M12_production/import_apply.sql

-- What is written for judged rows, as sets. The orders and all their items are locked.

create function private.erp_skus(p_rows private.erp_row[])
returns text[] language plpgsql stable set search_path = '' as $$
begin
  return array(
    select l.sku from unnest(p_rows) r join public.production_order_lines l on l.order_id = r.order_id
    union
    select p.sku from (select distinct r.sku from unnest(p_rows) r where r.sku is not null) x cross join lateral private.lines_of_new_order(x.sku, null) p
    union
    select u from public.production_order_progress p join public.production_orders o on o.id = p.order_id
     cross join lateral unnest(private.stock_of_order(o)) u where o.id in (select r.order_id from unnest(p_rows) r)
    union
    select u from public.replenishments g cross join lateral unnest(private.order_skus(g.order_id)) u
     where g.root_id in (select r.order_id from unnest(p_rows) r)
    order by 1);
end $$;
comment on function private.erp_skus is 'All items that the rows can promise or give back.';

create function private.insert_erp_orders(p_system text, p_rows private.erp_row[], p_actor uuid)
returns bigint[] language plpgsql set search_path = '' as $$
declare
  v_ids bigint[];
begin
  with made as (
    insert into public.production_orders (code, site, store, type, source, product_sku, quantity, priority, due_date, notes, status, cancelled_at,
      cancel_reason, created_by)
    select r.code, r.site, r.store, r.type, 'erp', r.sku, r.quantity, r.priority, r.due_date, r.notes,
        case when r.is_cancelled then 'CANCELLED' else 'OPEN_NOT_STARTED' end, case when r.is_cancelled then now() end,
        case when r.is_cancelled then 'Cancelled in ' || p_system end, nullif(p_actor, '00000000-0000-0000-0000-000000000000')
      from unnest(p_rows) r where r.order_id is null and r.result in ('created', 'cancelled') order by r.n
    returning id, code, product_sku
  ), parts as (
    select p.product_sku, l.sku, l.quantity, row_number() over (partition by p.product_sku order by l.sku) as line
      from (select distinct m.product_sku from made m) p cross join lateral private.lines_of_new_order(p.product_sku, null) l
  ), lines as (
    insert into public.production_order_lines (order_id, line, sku, quantity)
    select m.id, p.line, p.sku, p.quantity from made m join parts p on p.product_sku = m.product_sku
  )
  select array_agg(m.id order by m.id) into v_ids from made m;
  insert into public.production_order_refs (system, external_id, order_id, version, payload_hash)
  select p_system, r.external_id, o.id, r.version, r.hash
    from unnest(p_rows) r join public.production_orders o on o.code = r.code
   where r.order_id is null and r.result in ('created', 'cancelled') and o.id = any (v_ids);
  return v_ids;
end $$;
comment on function private.insert_erp_orders is 'New orders with the parts of their products, and what the other system calls them. Answers their ids.';

create function private.update_erp_orders(p_system text, p_rows private.erp_row[])
returns bigint[] language plpgsql set search_path = '' as $$
declare
  v_changed bigint[];
  v_other bigint[] := array(select r.order_id from unnest(p_rows) r join public.production_orders o on o.id = r.order_id
    where r.result = 'updated' and r.sku is distinct from o.product_sku);
begin
  if v_other <> '{}' then   -- another product, not released yet: other parts
    delete from public.production_order_lines l where l.order_id = any (v_other);
    insert into public.production_order_lines (order_id, line, sku, quantity)
    select r.order_id, row_number() over (partition by r.order_id order by l.sku), l.sku, l.quantity
      from unnest(p_rows) r cross join lateral private.lines_of_new_order(r.sku, null) l where r.order_id = any (v_other);
  end if;
  with changed as (
    update public.production_orders o
       set product_sku = case when o.id = any (v_other) then r.sku else o.product_sku end, quantity = r.quantity, priority = r.priority, due_date = r.due_date,
           notes = r.notes, status = case when r.result = 'reopened' then 'OPEN_NOT_STARTED' else o.status end,
           cancelled_at = case when r.result = 'reopened' then null else o.cancelled_at end,
           cancel_reason = case when r.result = 'reopened' then null else o.cancel_reason end
      from unnest(p_rows) r
     where o.id = r.order_id and r.result in ('updated', 'reopened')
       and (r.result = 'reopened' or o.id = any (v_other)
         or (o.quantity, o.priority, o.due_date, o.notes) is distinct from (r.quantity, r.priority, r.due_date, r.notes))
    returning o.id
  ), cancelled as (
    update public.production_orders o set status = 'CANCELLED', cancelled_at = now(), cancel_reason = 'Cancelled in ' || p_system
      from unnest(p_rows) r where o.id = r.order_id and r.result = 'cancelled' returning o.id
  )
  select array_agg(x.id order by x.id) into v_changed from (select c.id from changed c union all select c.id from cancelled c) x;
  update public.order_part_allocations l set is_closed = false from unnest(p_rows) r
   where r.result = 'reopened' and l.production_order_id = r.order_id;
  update public.order_fulfilments f set is_closed = false from unnest(p_rows) r where r.result = 'reopened' and f.production_order_id = r.order_id;
  perform private.close_production_lines(r.order_id) from unnest(p_rows) r where r.result = 'cancelled' and r.order_id is not null order by r.order_id;
  update public.order_fulfilments f set fulfillment_status = 'unfulfilled', fulfilled_at = null from unnest(p_rows) r
   where r.result = 'cancelled' and f.production_order_id = r.order_id;
  return v_changed;
end $$;
comment on function private.update_erp_orders is 'Orders that are here follow what the other system says. Answers the ids of those that changed.';

create function private.write_erp_refs(p_system text, p_rows private.erp_row[])
returns void language plpgsql set search_path = '' as $$
begin
  insert into public.production_order_refs as f (system, external_id, order_id, version, payload_hash, cancel_requested_at, review)
  select p_system, r.external_id, r.order_id, r.version, r.hash, case when r.result = 'cancel_requested' then now() end,
      case when r.result in ('review', 'cancel_requested') then jsonb_build_object('at', now(), 'version', r.version, 'why', r.notices) end
    from unnest(p_rows) r
   where r.order_id is not null and r.result in ('updated', 'matched', 'cancelled', 'cancel_requested', 'reopened', 'review', 'unchanged')
  on conflict on constraint production_order_refs_pkey do update
    set version = excluded.version, payload_hash = excluded.payload_hash, received_at = now(), review = excluded.review,
        cancel_requested_at = coalesce(excluded.cancel_requested_at, f.cancel_requested_at)
   where (f.version, f.payload_hash) is distinct from (excluded.version, excluded.payload_hash);
  update public.production_order_refs f set cancel_requested_at = null   -- it is wanted again
    from unnest(p_rows) r
   where f.system = p_system and f.order_id = r.order_id and r.result in ('updated', 'reopened') and f.cancel_requested_at is not null;
end $$;
comment on function private.write_erp_refs is 'Which version of each order came last; what a person has to look at.';

create function private.emit_imports(p_system text, p_rows private.erp_row[], p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_station text := private.event_station();
begin
  perform set_config('takt.quiet', case when cardinality(p_rows) > 100 then 'on' else '' end, true);
  insert into public.events (site, store, stream, stream_id, event, actor_id, station, payload)   -- as private.emit, in one statement
  select o.site, o.store, 'production_order', o.code, 'production.imported', nullif(p_actor, '00000000-0000-0000-0000-000000000000'), v_station,
      jsonb_strip_nulls(jsonb_build_object('version', o.version, 'system', p_system, 'external_id', r.external_id, 'external_version', r.version,
        'result', r.result, 'notices', nullif(r.notices, '[]'), 'product_sku', o.product_sku, 'quantity', trim_scale(o.quantity),
        'priority', o.priority, 'due_date', o.due_date))
    from unnest(p_rows) r join public.production_orders o on o.code = r.code
   where r.result in ('created', 'updated', 'matched', 'cancelled', 'cancel_requested', 'reopened', 'review') order by r.n;
  perform set_config('takt.quiet', '', true);
  perform private.broadcast('site:' || s.site || ':production_order', 'production.imported', '{"stream": "production_order", "stream_id": ""}')
    from (select distinct r.site from unnest(p_rows) r where cardinality(p_rows) > 100 and r.result not in ('error', 'unchanged', 'ignored', 'superseded')) s;
end $$;
comment on function private.emit_imports is 'An event for each order that the import touched; of more than 100 rows, those who listen are told once.';

create function private.lock_families(p_ids bigint[])
returns void language plpgsql set search_path = '' as $$
begin
  for i in 1..2 loop   -- again: what was made again while we waited for its root; nobody holds that and waits for us
    perform 1 from public.production_orders o
      where o.id in (
        select u from unnest(p_ids) u
        union
        select r.root_id from public.replenishments r where r.order_id = any (p_ids)
        union
        select g.order_id from public.replenishments g join public.production_orders m on m.id = g.order_id and m.status not in ('CLOSED', 'CANCELLED')
         where g.root_id in (select coalesce(r.root_id, u) from unnest(p_ids) u left join public.replenishments r on r.order_id = u))
      order by o.id for update;
  end loop;
end $$;
comment on function private.lock_families is
$$Many orders at once, each with its root and what is made again for it. Locks: all of them by id; a root is older than its replenishments, so that is the order of
lock_family too.$$;

create function private.write_erp_rows(p_system text, p_actor uuid, inout rows private.erp_row[], out ids bigint[])
returns record language plpgsql set search_path = '' as $$
declare
  v_half constant integer := cardinality(rows) / 2;
  v_message text;
  v_hint text;
  v_first record;
  v_rest record;
begin
  begin
    ids := private.insert_erp_orders(p_system, rows, p_actor) || private.update_erp_orders(p_system, rows);
    perform private.write_erp_refs(p_system, rows);
    perform private.write_lines_of_production(array(select o.id from public.production_orders o where o.id = any (ids) and o.status <> 'CANCELLED'));
    return;
  exception when others then
    if sqlstate !~ '^(22|23|PT4)' then   -- the machine, not the row
      raise;
    end if;
    get stacked diagnostics v_message = message_text, v_hint = pg_exception_hint;
  end;
  if v_half = 0 then
    ids := null;
    rows := array[private.refused_erp_row(rows[1], v_hint, v_message)];
    return;
  end if;
  select * into v_first from private.write_erp_rows(p_system, p_actor, rows[:v_half]);
  select * into v_rest from private.write_erp_rows(p_system, p_actor, rows[v_half + 1:]);
  ids := v_first.ids || v_rest.ids;
  rows := v_first.rows || v_rest.rows;
end $$;
comment on function private.write_erp_rows is
$$Writes judged rows as one set. Where the database refuses it, each half by itself, down to the row that is at fault: its error is its report, and the others are
written. Answers the rows and the ids of the orders that changed. The orders and their items are locked by the caller.$$;

create function private.refused_erp_row(p_row private.erp_row, p_hint text, p_message text)
returns private.erp_row language plpgsql immutable set search_path = '' as $$
begin
  p_row.result := 'error';
  p_row.errors := p_row.errors || private.erp_problem('external_id', coalesce(nullif(p_hint, ''), 'import.refused'), p_message);
  return p_row;
end $$;

create function private.apply_erp_rows(p_system text, p_rows jsonb, p_actor uuid)
returns private.erp_row[] language plpgsql set search_path = '' as $$
declare
  v_rows private.erp_row[] := private.check_erp_scope(private.find_erp_rows(p_system, private.read_erp_rows(p_rows)));
  v_skus text[];
  v_ids bigint[];
begin
  perform private.lock_families(array(select r.order_id from unnest(v_rows) r where r.order_id is not null and r.result is null));
  v_skus := private.erp_skus(array(select r from unnest(v_rows) r where r.result is null));
  perform private.lock_stock(v_skus);
  v_rows := private.judge_erp_rows(p_system, v_rows);
  select w.rows, w.ids into v_rows, v_ids from private.write_erp_rows(p_system, p_actor, v_rows) w;
  perform private.allocate(v_skus, jsonb_build_object('event', 'production.imported', 'ref', p_system)) where v_ids is not null;
  perform private.emit_imports(p_system, v_rows, p_actor);
  return v_rows;
end $$;
comment on function private.apply_erp_rows is
  'Reads, compares and writes all rows; rows with errors are left out. Locks: the orders and their families by id, then their items by SKU.';

create function private.erp_report(p_rows private.erp_row[])
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (select coalesce(jsonb_agg(jsonb_build_object('row', r.n, 'ok', r.result <> 'error', 'result', case when r.result = 'superseded' then 'ignored' else r.result end,
      'external_id', r.external_id, 'code', case when r.result <> 'error' then r.code end, 'version', r.version, 'errors', r.errors,
      'notices', r.notices || case when r.result = 'superseded' then private.erp_problem('external_id', 'import.superseded',
        'Another row of this import is newer.') else '[]' end) order by r.n), '[]')
    from unnest(p_rows) r);
end $$;

-- sql/M12_production/api_orders.sql

create function public.release_order(p_code text, p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_family('production.plan', p_code, p_request_id, 'release_order', jsonb_build_array(p_code));
  v_actor uuid := v_command.actor;
  v_order public.production_orders := v_command.order_row;
  v_routing bigint := (select r.id from public.routings r where r.sku = v_order.product_sku and r.is_active);
  v_is_new boolean;
  v_released private.released;
  v_event bigint;
begin
  if v_command.answer is not null then
    return private.finish_floor(v_command, false);
  end if;
  perform private.refuse_closed(v_order);
  v_is_new := not v_order.is_routed;
  if v_is_new and v_routing is null then
    perform private.fail(409, 'production.no_routing', format('Nobody has said how %s is made. Add a routing first.', coalesce(v_order.product_sku, p_code)),
      jsonb_build_object('code', p_code, 'sku', v_order.product_sku));
  elsif v_is_new then
    perform private.refuse_part_shipped(v_order);
    v_order := private.copy_routing(v_order, v_routing, v_actor);
  end if;
  v_released := private.release_steps(v_order, v_actor);
  if v_is_new or v_released.changed then
    v_event := private.emit('production_order', v_order.code, 'production.released', v_actor, jsonb_build_object('version', v_order.version,
      'waits_for', v_released.waits, 'quantity', (select trim_scale(s.released) from public.production_order_steps s
        where s.order_id = v_order.id and s.is_first)), v_order.store, v_order.site);
  end if;
  return private.finish_floor(v_command, v_is_new or v_released.changed, v_event, v_released.notices);
end $$;
comment on function public.release_order is
$$The order goes to the floor: its routing is copied, and every step gets the complete sets of parts that are there for it. Only what parts allow is
released; the rest waits, and progress.waits_for says for what. Called again when parts came, it releases more; stations do so by themselves.
Where complete sets are needed, what is missing is replenished if it is made here, else a discrepancy (notices).
Permission: production.plan at its site and in its store.
Errors: production.unknown (404), production.closed (409), production.no_routing (409), production.part_shipped (409), production.units_in_stock (409),
stock.short (409), request.reused (422).
Idempotency: by p_request_id; when nothing more can be released it answers changed = false.
Locks: the root, its open replenishments and the order, by id; then all items of the order, by SKU.$$;

create function public.change_priority(p_code text, p_priority text, p_request_id uuid default null)
returns public.production_change language plpgsql security definer set search_path = '' as $$
declare
  v_order public.production_orders := (select o from public.production_orders o where o.code = p_code);
begin
  perform private.authorize('production.plan', v_order.store, v_order.site);
  if p_priority is null or p_priority not in ('critical', 'rush', 'normal') then
    perform private.fail(422, 'production.priority', 'The priority is critical, rush or normal.', jsonb_build_object('field', 'p_priority', 'actual', p_priority));
  end if;
  return public.update_production_order(p_code, p_priority => p_priority, p_request_id => p_request_id);
end $$;
comment on function public.change_priority is
$$Critical, rush or normal: what is made first, and who gets scarce parts first; they are promised anew at once. What is made again for the order follows.
Permission: production.plan at its site and in its store.
Errors: production.unknown (404), production.closed (409), production.priority (422), request.reused (422).
Idempotency: by p_request_id; the same priority again answers changed = false.
Locks: the order with what is made again for it, by id; then their items, by SKU.$$;

create function public.close_order(p_code text, p_reason text, p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_family('production.plan', p_code, p_request_id, 'close_order', jsonb_build_array(p_code, p_reason));
  v_actor uuid := v_command.actor;
  v_order public.production_orders := v_command.order_row;
  v_in_process numeric;
  v_missing numeric := private.still_missing(v_order);
  v_event bigint;
  v_notice jsonb;
begin
  if v_command.answer is not null or v_order.status = 'CLOSED' then
    return private.finish_floor(v_command, false);
  end if;
  perform private.refuse(private.order_problem(v_order, p_code));
  perform private.check_reason(p_reason);
  select sum(s.in_process) into v_in_process from public.production_order_steps s where s.order_id = v_order.id;
  if v_in_process > 0 then
    perform private.fail(409, 'production.in_process', format('%s pieces are in process. Report them first, good or scrap.', trim_scale(v_in_process)),
      jsonb_build_object('code', p_code, 'in_process', trim_scale(v_in_process)));
  end if;
  perform private.lock_order_stock(v_order);
  update public.production_order_progress p set close_reason = trim(p_reason), closed_by = nullif(v_actor, '00000000-0000-0000-0000-000000000000')
   where p.order_id = v_order.id;
  perform private.set_routed_status(v_order);
  perform private.drop_replenishments(v_order.id, v_actor);
  v_event := private.emit_floor(v_order, 'production.closed', v_actor, null, null, jsonb_build_object('reason', p_reason));
  v_notice := private.ask_for_rest(v_order, v_missing, format('%s was closed: %s', p_code, p_reason), v_actor);
  return private.finish_floor(v_command, true, v_event, case when v_notice is not null then jsonb_build_array(v_notice) end);
end $$;
comment on function public.close_order is
$$The order ends although not all of it was made. Parts that were not used are in stock again; what was to be made again for it and is not released is off.
Of a replenishment: what its root still needs is asked of a person (notices).
Permission: production.plan at its site and in its store.
Errors: production.unknown (404), production.closed (409) when cancelled, production.not_released (409), production.in_process (409),
stock.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; closed before, it answers changed = false.
Locks: the root, its open replenishments and the order, by id; then all items of the order, by SKU.$$;

create function public.reopen_order(p_code text, p_reason text, p_quantity numeric default null, p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_family('production.plan', p_code, p_request_id, 'reopen_order', jsonb_build_array(p_code, p_reason, p_quantity));
  v_actor uuid := v_command.actor;
  v_order public.production_orders := v_command.order_row;
  v_by_hand boolean := (select p.close_reason is not null from public.production_order_progress p where p.order_id = v_order.id);
  v_event bigint;
  v_notice jsonb;
begin
  if v_command.answer is not null or v_by_hand is not null and v_order.status not in ('CLOSED', 'CANCELLED') then
    return private.finish_floor(v_command, false);
  elsif v_order.status = 'CANCELLED' or v_by_hand is null then
    perform private.refuse_closed(v_order);
    perform private.refuse(private.order_problem(v_order, p_code));
  end if;
  perform private.check_reason(p_reason);
  if p_quantity is not null then
    perform private.check_production_quantity(p_quantity);
  end if;
  if not v_by_hand and coalesce(p_quantity, 0) <= v_order.quantity then
    perform private.fail(422, 'production.complete', format('All %s are made. Say how many it shall be in all.', trim_scale(v_order.quantity)),
      jsonb_build_object('field', 'p_quantity', 'expected', trim_scale(v_order.quantity), 'actual', p_quantity));
  end if;
  perform private.lock_order_stock(v_order);
  update public.production_order_progress p set close_reason = null, closed_by = null where p.order_id = v_order.id;
  update public.production_orders o set quantity = p_quantity where o.id = v_order.id and o.quantity <> p_quantity;
  perform private.take_back_end(v_order, c, 'production.reopened', v_actor) from public.piece_counts c
    where c.order_id = v_order.id and c.source = 'end' and c.reverses is null and not exists (select from public.piece_counts u where u.reverses = c.id);
  perform private.derive_order(v_order.id, v_actor);
  v_event := private.emit_floor(v_order, 'production.reopened', v_actor, null, null, jsonb_build_object('reason', p_reason, 'quantity', p_quantity));
  v_notice := private.replenish(private.root_of(v_order.id), v_order, v_order.product_sku, 'REOPENED', v_event, v_actor);
  perform private.withdraw_replenishment(t.id, private.in_lots(t, private.replenishment_need(t, r.sku)), v_actor)   -- asked for when it was closed
     from public.replenishments r join public.production_orders t on t.id = r.root_id and t.product_sku = r.sku
    where r.order_id = v_order.id and v_notice is null;
  return private.finish_floor(v_command, true, v_event, case when v_notice is not null then jsonb_build_array(v_notice) end);
end $$;
comment on function public.reopen_order is
$$A closed order goes on: one that a person closed early, or one that is complete and of which more is needed (p_quantity: in all). Steps that were ended
early go on too. It is released again for its parts, and what it had lost is made again.
Permission: production.plan at its site and in its store.
Errors: production.unknown (404), production.closed (409) when cancelled or closed without a routing, production.complete (422), production.quantity (422),
production.below_used (422), stock.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; an open order answers changed = false.
Locks: the root, its open replenishments and the order, by id; then all items of the order, by SKU.$$;

grant execute on function public.release_order, public.change_priority, public.close_order, public.reopen_order to authenticated, service_role;

-- sql/M12_production/api_floor.sql

create function public.start_step(
  p_code text, p_work_centre text, p_sequence integer default null, p_quantity numeric default null, p_lot text default null,
  p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_floor('production.run', p_code, p_work_centre, p_sequence, p_request_id, 'start_step',
    jsonb_build_array(p_code, p_work_centre, p_sequence, p_quantity, p_lot));
  v_step public.production_order_steps := v_command.step;
  v_can numeric;
  v_event bigint;
begin
  if v_command.answer is not null then
    return private.finish_floor(v_command, false);
  elsif p_work_centre is null then
    perform private.refuse(private.no_centre());
  elsif p_quantity is not null then
    perform private.check_production_quantity(p_quantity);
  end if;
  v_command.lot_id := private.lock_own_lot(v_command.order_row, p_lot, v_command.actor);
  perform private.take_position(v_command, 'infinity');   -- what goes on, or moves here, lies here from now on
  v_command := private.release_more(v_command, coalesce(p_quantity, 'infinity'));
  perform private.refuse(private.input_problem(v_command.order_row, v_command.step));
  v_can := coalesce(p_quantity, private.can_start(v_command.step));
  if v_can = 0 and v_step.status <> 'PAUSED' then
    return private.finish_floor(v_command, false);
  end if;
  update public.production_order_steps s set paused_at = null, pause_reason = null
   where s.order_id = v_step.order_id and s.sequence = v_step.sequence and s.paused_at is not null;
  if v_can > 0 or private.lies_at(v_step) is distinct from p_work_centre then   -- zeros: it goes on somewhere else
    perform private.book_pieces(v_step.order_id, v_step.sequence, v_can, p_actor => v_command.actor, p_lot_id => v_command.lot_id,
      p_work_centre => p_work_centre, p_source => 'start');
  else
    perform private.derive_order(v_step.order_id, v_command.actor, p_work_centre);
  end if;
  if v_step.started_at is not null then   -- the first start told of itself
    v_event := private.emit_floor(v_command.order_row, 'production.step_started', v_command.actor, v_step, p_work_centre,
      jsonb_build_object('quantity', trim_scale(v_can), 'lot_id', v_command.lot_id));
  else
    v_event := (select max(e.id) from public.events e
      where e.stream = 'production_order' and e.stream_id = p_code and e.event = 'production.step_started');
  end if;
  return private.finish_floor(v_command, true, v_event);
end $$;
comment on function public.start_step is
$$Pieces go onto the work centre: p_quantity, else all that may start now. A paused step goes on. Without p_sequence the first step of the order that
this work centre does and that can go on. p_lot: a lot of the order, else its own.
Permission: production.run at its site and in its store.
Errors: those of private.begin_floor; work_centre.full (409), production.previous_step, production.parts_missing, production.step_completed,
production.more_than_input (409), production.quantity (422), lot.unknown (404), lot.other_order, lot.removed (409), lot.on_hold (423), request.reused (422).
Idempotency: by p_request_id; when it runs and nothing more can start it answers changed = false.
Locks: the root, its open replenishments and the order; the work centre, shared; the lot; the positions of the work centre; the items of the order.$$;

create function public.pause_step(p_code text, p_sequence integer, p_reason text default null, p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_floor('production.run', p_code, null, p_sequence, p_request_id, 'pause_step',
    jsonb_build_array(p_code, p_sequence, p_reason));
  v_step public.production_order_steps := v_command.step;
begin
  if v_command.answer is not null or v_step.status = 'PAUSED' then
    return private.finish_floor(v_command, false);
  elsif v_step.status <> 'IN_PROGRESS' then
    perform private.fail(409, 'production.not_running', format('%s of %s does not run: it is %s.', private.step_title(v_step.step), p_code, lower(replace(v_step.status, '_', ' '))),
      jsonb_build_object('sequence', p_sequence, 'expected', 'IN_PROGRESS', 'actual', v_step.status));
  end if;
  perform private.check_length('p_reason', p_reason, 500);
  update public.production_order_steps s set paused_at = now(), pause_reason = p_reason where s.order_id = v_step.order_id and s.sequence = v_step.sequence;
  perform private.book_pieces(v_step.order_id, v_step.sequence, 0, p_actor => v_command.actor, p_work_centre => private.lies_at(v_step), p_source => 'pause');   -- zeros: so that undo finds it
  return private.finish_floor(v_command, true, private.emit_floor(v_command.order_row, 'production.step_paused', v_command.actor, v_step, v_step.work_centre,
    jsonb_build_object('reason', p_reason)));
end $$;
comment on function public.pause_step is
$$The step stops for a while; start_step goes on, and undo_production takes it back. Until then nothing is reported there by hand; counters of machines go on
counting.
Permission: production.run at its site and in its store.
Errors: production.unknown (404), production.closed, production.not_released (409), production.no_step (404), production.which_step (422),
production.not_running (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; paused before, it answers changed = false.
Locks: the root, its open replenishments and the order, by id.$$;

create type private.production_report as (
  good numeric, scrap numeric, rework numeric, reason text, cause text, defect_position text, more jsonb);

create function private.pieces_of_report(p_report private.production_report, p_start numeric, p_end numeric, p_per_cycle numeric)
returns private.production_report language plpgsql immutable set search_path = '' as $$
begin
  p_report.scrap := coalesce(p_report.scrap, 0);
  p_report.rework := coalesce(p_report.rework, 0);
  if num_nonnulls(p_start, p_end) = 1 or p_end < p_start or not coalesce(p_per_cycle, 1) between 0.001 and 100000
     or (p_end - p_start) * coalesce(p_per_cycle, 1) <> coalesce(p_report.good + p_report.scrap + p_report.rework, (p_end - p_start) * coalesce(p_per_cycle, 1)) then
    perform private.fail(422, 'production.counter', 'Say what the counter showed at the start and at the end; the difference is what was made.',
      jsonb_build_object('field', 'p_counter_end', 'start', p_start, 'end', p_end, 'pieces_per_cycle', p_per_cycle));
  end if;
  p_report.good := coalesce(p_report.good, (p_end - p_start) * coalesce(p_per_cycle, 1) - p_report.scrap - p_report.rework, 0);
  if least(p_report.good, p_report.scrap, p_report.rework) < 0 or p_report.good + p_report.scrap + p_report.rework <= 0
     or greatest(p_report.good, p_report.scrap, p_report.rework) > 999999 then
    perform private.fail(422, 'production.nothing', 'Say how many pieces are good, scrap or for rework.', jsonb_build_object('field', 'p_good',
      'good', p_report.good, 'scrap', p_report.scrap, 'rework', p_report.rework));
  end if;
  p_report.more := jsonb_strip_nulls(p_report.more || jsonb_build_object('counter_start', p_start, 'counter_end', p_end,
    'pieces_per_cycle', coalesce(p_per_cycle, case when p_start is not null then 1 end)));
  return p_report;
end $$;
comment on function private.pieces_of_report is
  'What was made, in pieces; without p_good it is the rest of what the counter went on by. Errors: production.counter, production.nothing (422).';

create function private.report_pieces(p_command private.floor_command, p_report private.production_report, p_source text)
returns public.routed_change language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders := p_command.order_row;
  v_all numeric := p_report.good + p_report.scrap + p_report.rework;
  v_count public.piece_counts;
  v_quality private.quality_answer;
  v_notices jsonb := '[]';
  v_event bigint;
begin
  perform private.take_position(p_command, v_all);
  p_command := private.release_more(p_command, v_all - (p_command.step).waiting);
  perform private.refuse(private.input_problem(v_order, p_command.step));
  if p_report.scrap + p_report.rework > 0 then
    perform private.lock_order_stock(v_order);
  end if;
  v_count := private.book_pieces(v_order.id, (p_command.step).sequence, greatest(v_all - (p_command.step).waiting, 0), p_report.good,
    p_actor => p_command.actor, p_lot_id => p_command.lot_id, p_work_centre => (p_command.centre).code, p_source => p_source, p_more => p_report.more);
  v_event := private.emit_floor(v_order, 'production.counted', p_command.actor, p_command.step, (p_command.centre).code, p_report.more - 'counter_before'
    || jsonb_build_object('quantity', trim_scale(v_all), 'good', trim_scale(p_report.good), 'scrap', trim_scale(p_report.scrap),
      'rework', trim_scale(p_report.rework), 'lot_id', v_count.lot_id, 'count_id', v_count.id, 'source', p_source));
  if p_report.scrap > 0 then
    v_quality := private.write_quality(p_command.actor, v_order, (p_command.step).sequence, 'scrap', p_report.scrap, p_report.reason, p_report.cause,
      p_report.defect_position, p_lot_id => v_count.lot_id, p_notes => p_report.more ->> 'notes', p_photo => p_report.more ->> 'photo',
      p_work_centre => (p_command.centre).code);
    v_notices := v_notices || coalesce(v_quality.notices, '[]');
  end if;
  if p_report.rework > 0 then
    v_quality := private.write_quality(p_command.actor, v_order, (p_command.step).sequence, 'rework', p_report.rework, p_report.reason, p_report.cause,
      p_report.defect_position, p_lot_id => v_count.lot_id, p_notes => p_report.more ->> 'notes', p_photo => p_report.more ->> 'photo',
      p_work_centre => (p_command.centre).code);
    v_notices := v_notices || coalesce(v_quality.notices, '[]');
  end if;
  return private.finish_floor(p_command, true, v_event, v_notices);
end $$;
comment on function private.report_pieces is
  'One report: what was good is counted, what was not is a quality record each, in one transaction. Pieces that nobody started start now.';

create function private.keep_photo(p_command private.floor_command, p_photo text)
returns void language plpgsql set search_path = '' as $$
begin
  if p_photo is not null then
    perform private.attach_photo(p_photo, 'production_order', (p_command.order_row).code, (p_command.order_row).site, p_command.actor,
      (p_command.order_row).store);
  end if;
end $$;
comment on function private.keep_photo is 'The photo of a report belongs to its order for good. Errors: photo.unknown (404), photo.missing (409). Locks: the photo.';

create function public.report_production(
  p_code text, p_work_centre text, p_good numeric default null, p_scrap numeric default 0, p_rework numeric default 0, p_reason text default null,
  p_cause text default null, p_defect_position text default null, p_counter_start numeric default null, p_counter_end numeric default null,
  p_pieces_per_cycle numeric default null, p_photo text default null, p_lot text default null, p_notes text default null,
  p_sequence integer default null, p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_floor('production.run', p_code, p_work_centre, p_sequence, p_request_id, 'report_production',
    jsonb_build_array(p_code, p_work_centre, p_good, p_scrap, p_rework, p_reason, p_cause, p_defect_position, p_counter_start, p_counter_end,
      p_pieces_per_cycle, p_photo, p_lot, p_notes, p_sequence));
  v_report private.production_report;
begin
  if v_command.answer is not null then
    return private.finish_floor(v_command, false);
  elsif p_work_centre is null then
    perform private.refuse(private.no_centre());
  end if;
  perform private.check_length('p_notes', p_notes, 2000);
  perform private.check_length('p_photo', p_photo, 500);
  v_report := private.pieces_of_report(row(p_good, p_scrap, p_rework, p_reason, p_cause, p_defect_position, jsonb_build_object('photo', p_photo, 'notes', p_notes)),
    p_counter_start, p_counter_end, p_pieces_per_cycle);
  perform private.refuse_paused(v_command.order_row, v_command.step);
  v_command.lot_id := private.lock_own_lot(v_command.order_row, p_lot, v_command.actor, v_report.good + v_report.rework = 0);
  perform private.keep_photo(v_command, p_photo);
  if p_counter_end is not null then
    v_report.more := v_report.more || jsonb_build_object('counter_before', private.read_by_hand(v_command.centre, p_counter_start, p_counter_end));
  end if;
  return private.report_pieces(v_command, v_report, 'person');
end $$;
comment on function public.report_production is
$$Good, scrap and rework in one go, in pieces; scrap and rework with a reason (and cause, position of the defect). p_counter_start and p_counter_end: what
the counter of the machine showed; the difference times p_pieces_per_cycle is what was made, and without p_good the rest of it is good. The counter is the
one that record_count calls counter: it counts on from p_counter_end, and nothing of it twice. p_photo: path that start_photo gave (production_order), once
the photo is there. Pieces that nobody started start now, as far as the step before gave good ones. Scrap is replenished as private.write_quality says (notices).
Permission: production.run at its site and in its store.
Errors: those of private.begin_floor; production.counter, production.nothing (422), production.counter_booked, work_centre.full, production.step_paused,
production.previous_step, production.parts_missing, production.step_completed, production.more_than_input, production.more_than_in_process (409),
those of private.write_quality (quality.reason_required, quality.reason_unknown (422), …), lot.unknown (404), lot.other_order, lot.removed (409), lot.on_hold (423), stock.short (409), photo.unknown (404),
photo.missing (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id.
Locks: the root, its open replenishments and the order; the work centre, shared; the lot; the photo; the counter; the positions of the work centre; the
items of the order.$$;

create function private.no_centre()
returns private.problem language sql immutable set search_path = '' as $$
  select private.floor_refusal(422, 'production.which_step', 'Say at which work centre.', jsonb_build_object('field', 'p_work_centre'))
$$;

create function public.record_count(
  p_code text, p_work_centre text, p_delta numeric default null, p_counter numeric default null, p_pieces_per_cycle numeric default 1,
  p_source text default 'counter', p_sequence integer default null, p_read_at timestamptz default null, p_lot text default null,
  p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_floor('production.count', p_code, p_work_centre, p_sequence, p_request_id, 'record_count',
    jsonb_build_array(p_code, p_work_centre, p_delta, p_counter, p_pieces_per_cycle, p_source, p_sequence, p_read_at, p_lot));
  v_read private.counter_reading := row(p_delta, null, null)::private.counter_reading;
  v_report private.production_report;
begin
  if v_command.answer is not null then
    return private.finish_floor(v_command, false);
  elsif p_work_centre is null then
    perform private.refuse(private.no_centre());
  elsif num_nonnulls(p_delta, p_counter) <> 1 or p_delta <= 0 or p_counter not between 0 and 999999999999 or p_delta > 999999
     or not coalesce(p_pieces_per_cycle between 0.001 and 100000, false) or p_source is null or p_source !~ '^[a-z][a-z0-9_.:-]{0,60}$' then
    perform private.fail(422, 'production.counter', 'Say either by how much the counter went on (p_delta), or where it stands (p_counter).',
      jsonb_build_object('field', 'p_counter', 'delta', p_delta, 'counter', p_counter, 'pieces_per_cycle', p_pieces_per_cycle));
  end if;
  perform private.check_counter_name(p_source);
  v_command.lot_id := private.lock_own_lot(v_command.order_row, p_lot, v_command.actor);
  if p_counter is not null then
    v_read := private.read_counter(p_work_centre, p_source, p_counter, p_read_at);
  end if;
  if coalesce(v_read.delta, 0) = 0 then
    return private.finish_floor(v_command, false, null, v_read.notices);
  end if;
  v_report := row(v_read.delta * p_pieces_per_cycle, 0, 0, null, null, null, jsonb_strip_nulls(jsonb_build_object('pieces_per_cycle', p_pieces_per_cycle,
    'counter_start', p_counter - v_read.delta, 'counter_end', p_counter, 'counter_before', v_read.before)))::private.production_report;
  return private.report_pieces(v_command, v_report, p_source);
end $$;
comment on function public.record_count is
$$A counter went on: by p_delta cycles, or it stands at p_counter now. Each cycle is p_pieces_per_cycle good pieces. The first reading of a counter
(work centre and p_source), and one that stands lower than before, counts nothing and is where the next one counts from (notice production.counter_base).
A refused reading is not taken as read: the next one counts its pieces too. p_read_at: when it was read; one that is older than the last one that was
booked comes too late and changes nothing (notice production.counter_late). p_source: a name of the counter, none of person, start, pause, quality, end, undo.
p_lot: a lot of the order, else its own.
Permission: production.count at its site and in its store.
Errors: those of private.begin_floor; production.counter, production.counter_name (422), work_centre.full, production.previous_step,
production.parts_missing, production.step_completed, production.more_than_input (409), lot.unknown (404), lot.other_order, lot.removed (409),
lot.on_hold (423), stock.short (409), request.reused (422).
Idempotency: by p_request_id; the same reading of a running counter again answers changed = false.
Locks: the root, its open replenishments and the order; the work centre, shared; the lot; the counter; the positions of the work centre; the items of the
order.$$;

grant execute on function public.start_step, public.pause_step, public.report_production, public.record_count to authenticated, service_role;

-- sql/M12_production/api_step.sql

create function private.refuse_open_step(p_order public.production_orders, p_step public.production_order_steps)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_before public.production_order_steps := (select b from public.production_order_steps b
    where b.order_id = p_step.order_id and b.sequence < p_step.sequence order by b.sequence desc limit 1);
begin
  if p_step.in_process > 0 then
    perform private.fail(409, 'production.in_process', format('%s pieces are in process at %s. Report them first, good or scrap.', trim_scale(p_step.in_process),
      private.step_title(p_step.step)), jsonb_build_object('code', p_order.code, 'sequence', p_step.sequence, 'in_process', trim_scale(p_step.in_process),
      'rework_open', trim_scale(p_step.rework_open), 'held_open', trim_scale(p_step.held_open)));
  elsif not p_step.is_first then
    perform private.fail(409, 'production.step_open', format('%s waits for more from %s: %s came, %s were started.',
      private.step_title(p_step.step), private.step_title(v_before.step),
      trim_scale(v_before.good), trim_scale(p_step.started)), jsonb_build_object('sequence', p_step.sequence, 'expected', v_before.step,
      'good', trim_scale(v_before.good), 'started', trim_scale(p_step.started)));
  end if;
end $$;
comment on function private.refuse_open_step is 'Errors: production.in_process, production.step_open (409). Only the first step can end before all has come.';

create function public.complete_step(
  p_code text, p_sequence integer, p_good numeric default null, p_reason text default null, p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_floor('production.run', p_code, null, p_sequence, p_request_id, 'complete_step',
    jsonb_build_array(p_code, p_sequence, p_good, p_reason));
  v_order public.production_orders := v_command.order_row;
  v_step public.production_order_steps := v_command.step;
  v_missing numeric;
  v_notice jsonb;
begin
  if v_command.answer is not null or v_step.status = 'COMPLETED' then
    return private.finish_floor(v_command, false);
  end if;
  if p_good is not null then
    perform private.refuse_paused(v_order, v_step);
    v_command.centre := private.centre_unsaid(v_order, v_step);
    v_command.lot_id := private.lock_own_lot(v_order, null, v_command.actor);
    perform private.take_position(v_command, p_good);
    v_command.centre := (select w from public.work_centres w where w.code = v_step.work_centre);   -- nobody said where: none is made up
    perform private.report_pieces(private.without_request(v_command),
      private.pieces_of_report(row(p_good, 0, 0, null, null, null, '{}'), null, null, null), 'person');
    select s.* into v_step from public.production_order_steps s where s.order_id = v_step.order_id and s.sequence = v_step.sequence;
  end if;
  if v_step.status <> 'COMPLETED' then
    perform private.refuse_open_step(v_order, v_step);
    perform private.authorize('production.plan', v_order.store, v_order.site) where v_step.started = 0 and private.root_of(v_order.id) = v_order.id;
    perform private.check_reason(p_reason);
    v_missing := private.still_missing(v_order);
    perform private.end_step(v_command, trim(p_reason));
    v_notice := private.ask_for_rest(v_order, v_missing, format('%s was ended early: %s', p_code, p_reason), v_command.actor);
  end if;
  return private.finish_floor(v_command, true, (select max(e.id) from public.events e
    where e.stream = 'production_order' and e.stream_id = v_order.code and e.event = 'production.step_completed'),
    case when v_notice is not null then jsonb_build_array(v_notice) end);
end $$;
comment on function public.complete_step is
$$The step is done. It is by itself once all that can come to it has come and is good or lost; p_good reports the rest as good first. The first step may
end before all was started (p_reason): no more of it is made, what is there for it is free again, and of a replenishment what its root still needs is asked
of a person (notices). Undone like a report. Paused, the step has to go on before pieces are reported.
Permission: production.run at its site and in its store; to end an order that somebody asked for before any of it was started, production.plan.
Errors: production.unknown (404), production.closed, production.not_released (409), production.no_step (404), production.which_step (422),
work_centre.disabled, work_centre.full, production.step_paused, production.in_process, production.step_open (409), stock.reason_required (422), production.nothing (422), those of report_production for p_good,
request.reused (422).
Idempotency: by p_request_id; completed before, it answers changed = false.
Locks: the root, its open replenishments and the order, by id; with p_good its work centre (shared), lot and positions; the items of the order.$$;

create function private.end_step(p_command private.floor_command, p_reason text)
returns void language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders := p_command.order_row;
  v_lot bigint := coalesce(p_command.lot_id, (private.own_lot(v_order, p_command.actor)).id);
begin
  perform private.lock_order_stock(v_order);
  update public.production_order_steps s set is_ended = true where s.order_id = v_order.id and s.sequence = (p_command.step).sequence;
  perform private.replenishment_released(v_order.id);   -- what nobody can start any more is not topped up
  perform private.book_pieces(v_order.id, (p_command.step).sequence, 0, p_actor => p_command.actor, p_lot_id => v_lot, p_source => 'end',
    p_more => jsonb_build_object('notes', p_reason));   -- zeros: so that undo finds it
  perform private.fit_sets(v_order, 'production.step_completed', p_command.actor);
end $$;
comment on function private.end_step is 'No more starts at the first step. The family is locked by the caller. Locks: the items of the order.';

create function private.take_back_end(p_order public.production_orders, p_count public.piece_counts, p_event text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
begin
  update public.production_order_steps s set is_ended = false where s.order_id = p_order.id and s.sequence = p_count.sequence;
  perform private.reverse_count(p_count, p_actor);
  perform private.fit_sets(p_order, p_event, p_actor);
end $$;
comment on function private.take_back_end is 'A step that was ended early goes on. The items of the order are locked by the caller.';

create function private.without_request(p_command private.floor_command)
returns private.floor_command language plpgsql immutable set search_path = '' as $$
begin
  p_command.request_id := null;
  return p_command;
end $$;
comment on function private.without_request is 'A part of a command: only the whole of it is remembered.';

-- Undo ---------------------------------------------------------------------------------------------------------------

create function private.last_count(p_actor uuid, p_order_id bigint, p_since timestamptz)
returns public.piece_counts language plpgsql stable set search_path = '' as $$
begin
  return (
    select c from public.piece_counts c
     where (p_order_id is null or c.order_id = p_order_id) and (p_actor is null or c.actor_id = p_actor) and (p_since is null or c.at >= p_since)
       and c.reverses is null and not exists (select from public.piece_counts u where u.reverses = c.id)
       and (c.source <> 'pause' or exists (select from public.production_order_steps s
         where s.order_id = c.order_id and s.sequence = c.sequence and s.status = 'PAUSED'))   -- a pause that is over is nothing to take back
     order by c.id desc limit 1);
end $$;
comment on function private.last_count is 'The last count that still stands; a null row when there is none.';

create function private.choose_undo(p_actor uuid, p_order public.production_orders, p_window interval, p_any boolean)
returns public.piece_counts language plpgsql stable set search_path = '' as $$
declare
  v_count public.piece_counts := private.last_count(p_actor, p_order.id, case when p_order.id is null then now() - p_window end);
begin
  if p_any and p_order.id is not null and (v_count.id is null or v_count.at < now() - p_window) then
    v_count := private.last_count(null, p_order.id, null);   -- a supervisor takes back anybody's
  end if;
  return v_count;
end $$;

create function private.undo_window(p_store text, p_site text)
returns interval language plpgsql stable set search_path = '' as $$
begin
  return make_interval(mins => (private.setting('undo.minutes', p_store, p_site) #>> '{}')::integer);
end $$;

create function private.count_to_undo(
  p_actor uuid, p_order public.production_orders, p_window interval, p_any boolean, p_expected bigint)
returns public.piece_counts language plpgsql stable set search_path = '' as $$
declare
  v_count public.piece_counts := private.choose_undo(p_actor, p_order, p_window, p_any);
begin
  if p_expected is not null and not exists (select from public.piece_counts c
      where c.id = p_expected and c.order_id = v_count.order_id and c.command = v_count.command) then
    perform private.fail(409, 'undo.stale', 'That is not the last one any more. Look at what is there now before you take back more.',
      jsonb_build_object('expected', p_expected, 'actual', v_count.id));
  elsif v_count.id is null then
    perform private.fail(404, 'undo.nothing', 'There is nothing of yours to undo.', jsonb_build_object('code', p_order.code));
  elsif v_count.at < now() - p_window and not p_any then
    perform private.fail(403, 'undo.too_late', format('That was more than %s minutes ago. Ask a supervisor.', extract(epoch from p_window)::integer / 60),
      jsonb_build_object('code', p_order.code, 'at', v_count.at));
  end if;
  return v_count;
end $$;
comment on function private.count_to_undo is 'Errors: undo.stale (409), undo.nothing (404), undo.too_late (403).';

create function private.undo_command(p_order public.production_orders, p_last public.piece_counts, p_event_id bigint, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_count public.piece_counts;
  v_record bigint;
  v_notice jsonb;
  v_notices jsonb := '[]';
begin
  for v_count in   -- what came last goes first
    select c.* from public.piece_counts c
     where c.order_id = p_order.id and c.command = p_last.command and c.reverses is null
       and not exists (select from public.piece_counts u where u.reverses = c.id) order by c.id desc
  loop
    v_record := (select q.id from public.quality_records q where q.count_id = v_count.id);
    if v_record is not null then
      v_notice := private.reverse_quality(v_record, p_actor, p_event_id);
      v_notices := v_notices || coalesce(v_notice, '[]');
    elsif v_count.source = 'end' then
      perform private.take_back_end(p_order, v_count, 'production.undone', p_actor);
      if private.root_of(p_order.id) <> p_order.id then   -- its root misses less now
        v_notice := private.unreplenish(private.root_of(p_order.id), p_order, p_order.product_sku, p_event_id, p_actor);
        v_notices := v_notices || coalesce(v_notice, '[]');
      end if;
    else
      update public.production_order_steps s set paused_at = null
       where v_count.source = 'pause' and s.order_id = v_count.order_id and s.sequence = v_count.sequence;
      perform private.reverse_count(v_count, p_actor);
      perform private.put_counter_back(v_count);
    end if;
  end loop;
  if exists (select from public.production_order_steps s where s.order_id = p_order.id and s.is_ended) then
    perform private.fit_sets(p_order, 'production.undone', p_actor);   -- what was taken back is not started again
  end if;
  return v_notices;
end $$;
comment on function private.undo_command is 'All counts and quality records of one command are taken back. Errors: undo.blocked, stock.short (409).';

create function public.undo_production(p_code text default null, p_count_id bigint default null, p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_order public.production_orders := (select o from public.production_orders o where o.code = p_code);
  v_command private.floor_command;
  v_any boolean := private.may('production.undo_any');
  v_window interval;
  v_last public.piece_counts;
  v_event bigint;
begin
  v_command.actor := private.authorize('production.run', v_order.store, v_order.site);
  v_command.request_id := p_request_id;
  v_command.answer := private.replay(v_command.actor, p_request_id, 'undo_production', jsonb_build_array(p_code, p_count_id));
  if v_command.answer is not null then
    return private.finish_floor(v_command, false);
  elsif p_code is not null and v_order.id is null then
    perform private.refuse(private.order_problem(v_order, p_code));
  end if;
  v_window := private.undo_window(v_order.store, v_order.site);
  v_last := private.count_to_undo(v_command.actor, v_order, v_window, v_any, p_count_id);
  v_command.order_row := private.lock_family(v_last.order_id);
  v_last := private.count_to_undo(v_command.actor, v_command.order_row, v_window, v_any, p_count_id);   -- a twin may have been faster
  v_order := v_command.order_row;
  perform private.authorize('production.run', v_order.store, v_order.site);
  if v_order.status = 'CANCELLED' or exists (select from public.production_order_progress p where p.order_id = v_order.id and p.close_reason is not null) then
    perform private.fail(409, 'production.closed', format('The order %s is %s.', v_order.code, lower(v_order.status)),
      jsonb_build_object('code', v_order.code, 'status', v_order.status));
  end if;
  perform 1 from public.lots l where l.id in (select c.lot_id from public.piece_counts c   -- alone: it may be in process again
    where c.order_id = v_order.id and c.command = v_last.command) order by l.id for no key update;
  perform 1 from public.production_lots l where l.lot_id in (select c.lot_id from public.piece_counts c
    where c.order_id = v_order.id and c.command = v_last.command) order by l.lot_id for update;
  perform 1 from public.piece_counters k where (k.work_centre, k.source) in (select c.work_centre, private.counter_name(c.source) from public.piece_counts c
    where c.order_id = v_order.id and c.command = v_last.command and c.counter_end is not null) order by k.work_centre, k.source for update;
  v_command.step := (select s from public.production_order_steps s where s.order_id = v_last.order_id and s.sequence = v_last.sequence);
  if v_last.source = 'pause' then   -- what lay aside needs its position again
    select w into v_command.centre from public.work_centres w where w.code = v_last.work_centre;
    perform private.take_position(v_command, 'infinity');
  end if;
  perform private.lock_order_stock(v_order);
  v_event := private.emit_floor(v_order, 'production.undone', v_command.actor, v_command.step, v_last.work_centre, jsonb_build_object(
    'count_id', v_last.id, 'lot_id', v_last.lot_id, 'quantity', trim_scale(v_last.good + v_last.scrap + v_last.returned)));
  return private.finish_floor(v_command, true, v_event, private.undo_command(v_order, v_last, v_event, v_command.actor));
end $$;
comment on function public.undo_production is
$$Take back the own last report, count, start, pause or quality record (of one order, or at all) within the setting undo.minutes: pieces, lots, stock and what was
replenished for it; an early end of a step too. Later, or for somebody else's on an order, it takes production.undo_any. Undoing again takes back the one
before. p_count_id: what the screen showed as the last one (count_id of the answer, undo_id of the queue): two quick taps take back one.
Permission: production.run; production.undo_any for what is older or not one's own; at the order's site and in its store.
Errors: production.unknown (404), undo.stale (409), undo.nothing (404), undo.too_late (403), undo.blocked (409) when the pieces went on, production.closed (409), work_centre.full (409) of a pause,
stock.short (409), request.reused (422).
Idempotency: by p_request_id; without it and without p_count_id the next call undoes the one before.
Locks: the root, its open replenishments and the order, by id; the lots; the counter; of a pause the positions of its work centre; all items of the
order.$$;

grant execute on function public.complete_step to authenticated, service_role;
grant execute on function public.undo_production to authenticated;

-- sql/M12_production/api_scan_step.sql

create type public.step_scan as (
  ok boolean, changed boolean, action text, message text, status integer, code text, hint text, details jsonb, event_id bigint,
  order_row public.production_orders, step public.production_order_steps, can_start numeric);
comment on type public.step_scan is
$$Answer of a scan at a work centre. action: ready (message says what can be done) or refused. A refusal carries status, code, hint and details
{expected, actual, …} like any error, is sent with that HTTP status, and is remembered as an event.$$;

create function private.floor_problem(p_order public.production_orders, p_code text, p_command private.floor_command, p_work_centre text, p_sequence integer)
returns private.problem language plpgsql stable set search_path = '' as $$
declare
  v_problem private.problem := private.order_problem(p_order, p_code);
begin
  if v_problem.status is null then
    v_problem := private.centre_problem(p_order, p_command.centre, p_work_centre);
  end if;
  if v_problem.status is null then
    v_problem := private.step_problem(p_order, p_command.centre, p_command.step, p_sequence);
  end if;
  return v_problem;
end $$;

create function private.material_problem(
  p_command private.floor_command, p_lot text, p_material text, p_material_lot text, p_gs1 jsonb)
returns private.problem language plpgsql set search_path = '' as $$
declare
  v_detail text;
  v_hint text;
  v_message text;
  v_read record;
  v_own public.lots;
  v_used public.lots;
begin
  v_own := private.lot_of_order(p_command.order_row, p_lot, p_command.actor);
  select m.sku, m.lot into v_read from private.gs1_material(p_gs1) m;
  if num_nonnulls(p_material, p_material_lot, v_read.sku, v_read.lot) > 0 then
    v_used := private.lot_of_material(p_command.order_row, (p_command.step).materials, coalesce(p_material, v_read.sku), coalesce(p_material_lot, v_read.lot));
  end if;
  perform private.share_lots(array[v_own.id, v_used.id], v_own.id);
  perform private.refuse_used_up(v_used);
  return null;
exception when others then
  get stacked diagnostics v_message = message_text, v_hint = pg_exception_hint, v_detail = pg_exception_detail;
  if sqlstate not like 'PT%' then
    raise;
  end if;
  return row(right(sqlstate, 3)::integer, v_hint, v_message, coalesce(nullif(v_detail, ''), '{}')::jsonb)::private.problem;
end $$;
comment on function private.material_problem is 'Why this lot or material may not go in here, or null: what the commands raise, as an answer that can be remembered.';

create function private.scan_here(
  p_command private.floor_command, p_code text, p_work_centre text, p_sequence integer, p_lot text, p_material text, p_material_lot text, p_gs1 jsonb)
returns public.step_scan language plpgsql set search_path = '' as $$
declare
  v_problem private.problem;
  v_step public.production_order_steps;
  v_can numeric;
begin
  if (p_command.order_row).id is not null then
    p_command.order_row := private.lock_family((p_command.order_row).id);
    p_command := private.choose_step(p_command, p_work_centre, p_sequence);
  end if;
  v_problem := case when p_work_centre is null then private.no_centre()
    else private.floor_problem(p_command.order_row, p_code, p_command, p_work_centre, p_sequence) end;
  if v_problem.status is null then
    v_problem := private.material_problem(p_command, p_lot, p_material, p_material_lot, p_gs1);
  end if;
  if v_problem.status is null then
    p_command := private.release_more(p_command, 1);
    v_problem := private.input_problem(p_command.order_row, p_command.step);
  end if;
  v_step := p_command.step;
  v_can := private.can_start(v_step);
  if v_problem.status is null and private.needs_position(v_step, v_can) then
    v_problem := private.position_problem(p_command.centre, v_step);
  end if;
  if v_problem.status is not null then
    return row(false, false, 'refused', v_problem.message, v_problem.status, 'PT' || v_problem.status, v_problem.hint, v_problem.detail, null,
      p_command.order_row, v_step, null)::public.step_scan;
  end if;
  return row(true, true, 'ready', format('%s: %s. %s can start, %s are in process.', (p_command.order_row).code, private.step_title(v_step.step), trim_scale(v_can),
    trim_scale(v_step.in_process)), 200, null, null, jsonb_build_object('step', v_step.step, 'sequence', v_step.sequence), null,
    p_command.order_row, v_step, v_can)::public.step_scan;
end $$;

create function private.answer_step_scan(p_scan public.step_scan)
returns public.step_scan language plpgsql set search_path = '' as $$
begin
  if p_scan.status <> 200 then
    perform set_config('response.status', p_scan.status::text, true);
  end if;
  return p_scan;
end $$;
comment on function private.answer_step_scan is 'A refusal returns normally, so that its event commits, and still is an HTTP error.';

create function private.check_scan(p_code text, p_work_centre text, p_lot text, p_material text, p_material_lot text, p_gs1 jsonb)
returns void language plpgsql immutable set search_path = '' as $$
begin
  perform private.check_length(t.field, t.said, t.most)
     from (values ('p_code', p_code, 200), ('p_work_centre', p_work_centre, 200), ('p_lot', p_lot, 200), ('p_material', p_material, 200),
       ('p_material_lot', p_material_lot, 200), ('p_gs1', p_gs1::text, 10000)) as t (field, said, most);
end $$;
comment on function private.check_scan is 'What is scanned is remembered in an event: no code is that long. Errors: request.too_long (422).';

create function public.scan_step(
  p_code text, p_work_centre text, p_sequence integer default null, p_lot text default null, p_material text default null,
  p_material_lot text default null, p_gs1 jsonb default null, p_request_id uuid default null)
returns public.step_scan language plpgsql security definer set search_path = '' as $$
declare
  v_code text := private.clean_code(p_code);
  v_command private.floor_command;
  v_scan public.step_scan;
  v_facts jsonb;
  v_site text;
begin
  v_command.order_row := (select o from public.production_orders o where o.code = v_code);
  v_site := coalesce((v_command.order_row).site, (select w.site from public.work_centres w where w.code = p_work_centre), private.caller_site(null, null));
  v_command.actor := private.authorize('production.run', (v_command.order_row).store, v_site);
  perform private.check_scan(p_code, p_work_centre, p_lot, p_material, p_material_lot, p_gs1);
  v_command.answer := private.replay(v_command.actor, p_request_id, 'scan_step', jsonb_build_array(p_code, p_work_centre, p_sequence, p_lot, p_material,
    p_material_lot, p_gs1));
  if v_command.answer is not null then
    return private.answer_step_scan(jsonb_populate_record(null::public.step_scan, v_command.answer));
  end if;
  v_scan := private.scan_here(v_command, v_code, p_work_centre, p_sequence, p_lot, p_material, p_material_lot, p_gs1);
  v_facts := jsonb_strip_nulls(jsonb_build_object('lot', p_lot, 'material', p_material, 'material_lot', p_material_lot, 'gs1', p_gs1));
  if v_scan.ok then
    v_scan.event_id := private.emit_floor(v_scan.order_row, 'production.scanned', v_command.actor, v_scan.step, p_work_centre,
      v_facts || jsonb_build_object('quantity', trim_scale(v_scan.can_start)));
  elsif v_site is not null then   -- nothing that is known, and which site it was is not: nobody is told
    v_scan.event_id := private.emit('production_order', coalesce((v_scan.order_row).code, v_code, ''), 'production.scan_refused', v_command.actor,
      v_facts || v_scan.details || jsonb_build_object('reason', v_scan.hint, 'message', v_scan.message, 'work_centre', p_work_centre,
        'version', (v_scan.order_row).version), (v_scan.order_row).store, v_site);
  end if;
  perform private.remember(v_command.actor, p_request_id, to_jsonb(v_scan));
  return private.answer_step_scan(v_scan);
end $$;
comment on function public.scan_step is
$$The code of an order was scanned at a work centre: may it be worked on here and now, and how many pieces can start? Checks the order, the step, p_lot (a lot of
the order), and the raw material: p_material (SKU), p_material_lot, or p_gs1 {ais, alternatives, …} as the service edge read it from a GS1 code. Counts nothing.
The label of the order came out: whoever scans it has it in the hand.
Permission: production.run at its site and in its store.
Errors (answered with their HTTP status and remembered as event production.scan_refused, with expected and actual): production.unknown (404),
production.closed, production.not_released (409), work_centre.unknown (404), work_centre.other_site, work_centre.disabled (409), production.no_step (404),
production.which_step (422), production.wrong_step, production.wrong_work_centre, production.previous_step, production.parts_missing,
production.step_completed, work_centre.full (409), lot.unknown (404), lot.other_order, lot.other_site, lot.removed, lot.used_up, lot.ambiguous (409), lot.on_hold (423),
production.wrong_material (409), item.unknown (404), gs1.unreadable (422), gs1.unknown_item (404), gs1.ambiguous (409); raised: request.too_long (422), request.reused (422).
Idempotency: by p_request_id: a repeat answers the first event.
Locks: the root, its open replenishments and the order; the work centre, shared; the lots, shared; the items of the order; last the job of its label.$$;

grant execute on function public.scan_step to authenticated, service_role;

-- sql/M12_production/selfcheck.sql

-- Do the books agree? Worked out from nothing; nothing here is used by a command.

create function private.step_differences()
returns table (subject text, what text, kept numeric, expected numeric) language sql stable set search_path = '' as $$
  with sums as (
    select c.order_id, c.sequence, sum(c.started) as started, sum(c.good) as good, sum(c.scrap) as scrap, sum(c.returned) as returned,
        sum(c.rework_open) as rework_open, sum(c.held_open) as held_open
      from public.piece_counts c group by c.order_id, c.sequence
  ), steps as (
    select s.*, o.code || ' ' || s.sequence as subject, o.quantity, lag(s.good) over w as came, row_number() over w = 1 as starts,
        lead(s.sequence) over w is null as ends
      from public.production_order_steps s join public.production_orders o on o.id = s.order_id
    window w as (partition by s.order_id order by s.sequence)
  )
  select s.subject, t.what, t.kept, coalesce(t.total, 0)
    from steps s left join sums c on c.order_id = s.order_id and c.sequence = s.sequence
   cross join lateral (values ('started', s.started, c.started), ('good', s.good, c.good), ('scrap', s.scrap, c.scrap), ('returned', s.returned, c.returned),
      ('rework', s.rework_open, c.rework_open), ('held', s.held_open, c.held_open),
      ('in process', s.in_process, s.waiting + s.rework_open + s.held_open)) as t (what, kept, total)
   where t.kept <> coalesce(t.total, 0)
  union all select s.subject, 'started = good + scrap + returned + in process', s.started, s.good + s.scrap + s.returned + s.waiting + s.rework_open + s.held_open
    from steps s where s.started <> s.good + s.scrap + s.returned + s.waiting + s.rework_open + s.held_open or s.waiting < 0
  union all select s.subject, 'started more than came', s.started, s.came from steps s where s.started > s.came
  union all select s.subject, 'planned', s.planned, s.quantity from steps s where s.planned <> s.quantity
  union all select s.subject, 'first and last', s.is_first::integer + 2 * s.is_last::integer, s.starts::integer + 2 * s.ends::integer from steps s
   where (s.is_first, s.is_last) <> (s.starts, s.ends)
$$;

create function private.order_differences()
returns table (subject text, what text, kept numeric, expected numeric) language sql stable set search_path = '' as $$
  with flow as (
    select o.id, o.code, o.status, o.product_sku, p.executed_good, p.executed_total, p.lost, p.close_reason, o.quantity, p.replenished,
        (array_agg(s.good order by s.sequence desc))[1] as good, (array_agg(s.good + s.scrap + s.returned order by s.sequence desc))[1] as total,
        sum(s.scrap + s.returned) as gone, (array_agg(s.started order by s.sequence))[1] as entered, (array_agg(s.is_ended order by s.sequence))[1] as is_ended
      from public.production_orders o join public.production_order_progress p on p.order_id = o.id
      join public.production_order_steps s on s.order_id = o.id group by o.id, p.order_id
  ), states as (
    select f.*, case when f.status = 'CANCELLED' then 'CANCELLED' when f.close_reason is not null then 'CLOSED' when f.entered = 0 and not f.is_ended then 'OPEN_NOT_STARTED'
        when f.entered <> f.good + f.gone then 'IN_PROGRESS' when f.good + f.replenished >= f.quantity then 'CLOSED'
        when f.is_ended or f.entered >= f.quantity then 'OPEN_PARTIAL' else 'IN_PROGRESS' end as follows from flow f
  )
  select f.code, 'executed good is that of the last step', f.executed_good, f.good from flow f where f.executed_good <> f.good
  union all select f.code, 'executed total', f.executed_total, f.total from flow f where f.executed_total <> f.total
  union all select f.code, 'lost', f.lost, f.gone from flow f where f.lost <> f.gone
  union all select f.code, 'state is ' || f.status || ', should be ' || f.follows, null, null from states f where f.status <> f.follows
  union all select f.code, 'good pieces in stock', coalesce(t.booked, 0), f.good from flow f
    left join (select x.ref_id, x.sku, sum(x.quantity) as booked from public.inventory_txn x
      where x.ref_stream = 'production_order' and x.kind in ('produce', 'issue') group by x.ref_id, x.sku) t on t.ref_id = f.code and t.sku = f.product_sku
   where coalesce(t.booked, 0) <> f.good
  union all select f.code, 'parts in its sets: ' || l.sku, l.consumed, round(m.per_piece * m.released, 3) from flow f
    join public.order_part_allocations l on l.production_order_id = f.id
    join lateral (select s.released, (i ->> 'quantity')::numeric as per_piece from public.production_order_steps s, jsonb_array_elements(s.materials) i
      where s.order_id = f.id and (i ->> 'line')::integer = l.line) m on true
   where l.consumed <> round(m.per_piece * m.released, 3)
  union all select f.code, 'parts for pieces that can still come: ' || l.sku, l.needed, round(m.per_piece * m.needed, 3) from flow f
    join public.order_part_allocations l on l.production_order_id = f.id and not l.is_closed
    join lateral (select private.sets_needed(s) as needed, (i ->> 'quantity')::numeric as per_piece
      from public.production_order_steps s, jsonb_array_elements(s.materials) i where s.order_id = f.id and (i ->> 'line')::integer = l.line) m on true
   where l.needed <> round(m.per_piece * m.needed, 3)
$$;

create view private.production_selfcheck as
select d.* from private.step_differences() d
union all select d.* from private.order_differences() d
union all select d.* from private.lot_differences() d
union all select d.* from private.quality_differences() d
union all select d.* from private.unit_differences() d;
comment on view private.production_selfcheck is
$$Where pieces are lost or invented: what is kept against what it is the sum of, for steps, orders, lots, quality records, replenishments and units. No rows: all
is well.$$;

create function public.production_selfcheck()
returns table (subject text, what text, kept numeric, expected numeric) language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('production.setup');
  return query select d.subject, d.what, d.kept, d.expected from private.production_selfcheck d;
end $$;
comment on function public.production_selfcheck is
$$Where the books of production do not agree, all plants. No rows: all is well. Reads every count: for the night, or for doubt.
Permission: production.setup.
Errors: none of its own.
Idempotency: a read.
Locks: none.$$;

grant execute on function public.production_selfcheck to authenticated, service_role;

-- sql/M12_production/api_approvals.sql

-- Approvals: one person asks, another one decides, and the decision does what was asked.

create type public.approval_change as (changed boolean, event_id bigint, approval public.approvals, notices jsonb);
comment on type public.approval_change is
  'Answer of a command on an approval: did it change anything, its event, the approval now, notices [{code, message, details}] to show, or null.';

create function private.emit_approval(p_approval public.approvals, p_event text, p_actor uuid, p_more jsonb default '{}')
returns bigint language plpgsql set search_path = '' as $$
begin
  return private.emit('approval', p_approval.id::text, p_event, p_actor, jsonb_strip_nulls(jsonb_build_object('type', p_approval.type,
      'status', p_approval.status, 'operation', p_approval.operation, 'work_centre', p_approval.work_centre, 'sequence', p_approval.sequence,
      'order', (select o.code from public.production_orders o where o.id = p_approval.order_id), 'quantity', trim_scale(p_approval.quantity),
      'justification', p_approval.justification, 'response_notes', p_approval.response_notes, 'version', p_approval.version)) || p_more,
    null, p_approval.site);
end $$;

create function private.finish_approval(p_actor uuid, p_request_id uuid, p_change public.approval_change)
returns public.approval_change language plpgsql set search_path = '' as $$
begin
  perform private.remember(p_actor, p_request_id, to_jsonb(p_change));
  return p_change;
end $$;

create function private.check_approval(p_approval public.approvals)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_field text := case
    when p_approval.type is null or p_approval.type not in ('OVERTIME', 'ENABLE_EQUIPMENT', 'DISABLE_EQUIPMENT', 'SPECIAL_OPERATION') then 'p_type'
    when coalesce(trim(p_approval.justification), '') = '' then 'p_justification'
    when p_approval.type = 'OVERTIME' and (p_approval.starts_at < p_approval.ends_at) is not true then 'p_ends_at'
    when p_approval.type in ('ENABLE_EQUIPMENT', 'DISABLE_EQUIPMENT') and p_approval.work_centre is null then 'p_work_centre'
    when p_approval.type = 'SPECIAL_OPERATION' and coalesce(p_approval.operation, '') not in ('other_work_centre', 'over_capacity', 'other') then 'p_operation'
    when p_approval.operation = 'other_work_centre' and num_nonnulls(p_approval.order_id, p_approval.sequence, p_approval.work_centre) < 3 then 'p_sequence'
    when p_approval.operation = 'over_capacity' and num_nonnulls(p_approval.order_id, p_approval.work_centre) < 2 then 'p_order'
    when p_approval.site is null then 'p_site' end;
begin
  if v_field is not null then
    perform private.fail(422, 'approval.incomplete', case v_field
      when 'p_type' then 'Ask for overtime, for equipment to be enabled or disabled, or for a special operation.'
      when 'p_justification' then 'Say why it is needed.'
      when 'p_ends_at' then 'Say from when until when; the end comes after the beginning.'
      when 'p_work_centre' then 'Say which work centre.'
      when 'p_operation' then 'A special operation is other_work_centre, over_capacity or other.'
      when 'p_site' then 'Say at which site.'
      when 'p_order' then 'Say which order and which work centre.'
      else 'Say which order, which step of it and which work centre.' end, jsonb_build_object('field', v_field));
  end if;
  perform private.check_length('p_justification', p_approval.justification, 1000);
  if p_approval.sequence is not null and not exists (select 1 from public.production_order_steps s
      where s.order_id = p_approval.order_id and s.sequence = p_approval.sequence) then
    perform private.fail(404, 'production.no_step', 'The order has no such step.', jsonb_build_object('sequence', p_approval.sequence));
  elsif exists (select 1 from public.work_centres w where w.code = p_approval.work_centre
      and w.is_enabled = (p_approval.type = 'ENABLE_EQUIPMENT') and p_approval.type in ('ENABLE_EQUIPMENT', 'DISABLE_EQUIPMENT')) then
    perform private.fail(409, 'approval.needless', format('%s is %s already.', p_approval.work_centre,
      case p_approval.type when 'ENABLE_EQUIPMENT' then 'enabled' else 'disabled' end), jsonb_build_object('work_centre', p_approval.work_centre));
  end if;
end $$;

create function public.request_approval(
  p_type text, p_justification text, p_work_centre text default null, p_order text default null, p_sequence integer default null,
  p_operation text default null, p_starts_at timestamptz default null, p_ends_at timestamptz default null, p_site text default null,
  p_request_id uuid default null)
returns public.approval_change language plpgsql security definer set search_path = '' as $$
declare
  v_order public.production_orders := (select o from public.production_orders o where o.code = p_order);
  v_centre public.work_centres := (select w from public.work_centres w where w.code = p_work_centre);
  v_site text := coalesce(v_centre.site, v_order.site, private.caller_site(p_site, null));
  v_actor uuid := private.authorize('production.request', v_order.store, v_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'request_approval', jsonb_build_array(p_type, p_justification, p_work_centre, p_order,
    p_sequence, p_operation, p_starts_at, p_ends_at, p_site));
  v_new public.approvals;
  v_change public.approval_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.approval_change, v_answer);
  elsif p_order is not null and v_order.id is null then
    perform private.fail(404, 'production.unknown', 'There is no production order ' || p_order || '.', jsonb_build_object('code', p_order));
  elsif p_work_centre is not null and v_centre.code is null then
    perform private.fail(404, 'work_centre.unknown', 'There is no work centre ' || p_work_centre || '.', jsonb_build_object('code', p_work_centre));
  elsif v_centre.site <> v_order.site then
    perform private.fail(409, 'work_centre.other_site', format('%s stands at %s; the order is made at %s.', v_centre.code, v_centre.site, v_order.site),
      jsonb_build_object('expected', v_order.site, 'actual', v_centre.site));
  end if;
  v_new.type := upper(p_type); v_new.justification := p_justification; v_new.work_centre := v_centre.code; v_new.order_id := v_order.id;
  v_new.sequence := p_sequence; v_new.starts_at := p_starts_at; v_new.ends_at := p_ends_at; v_new.site := v_site;
  v_new.operation := case when v_new.type = 'SPECIAL_OPERATION' then coalesce(p_operation, 'other') end;
  perform private.check_approval(v_new);
  while (v_change.approval).id is null loop   -- found pending, but decided before we read it: ask anew
    insert into public.approvals as a (type, justification, work_centre, order_id, sequence, starts_at, ends_at, site, operation, requested_by)
    values (v_new.type, v_new.justification, v_new.work_centre, v_new.order_id, v_new.sequence, v_new.starts_at, v_new.ends_at, v_new.site,
      v_new.operation, nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
    on conflict do nothing returning true, null::bigint, a, null::jsonb into v_change;
    if v_change.changed then
      v_change.event_id := private.emit_approval(v_change.approval, 'approval.requested', v_actor);
    else
      v_change := row(false, null, (select a from public.approvals a where a.status = 'PENDING' and (a.site, a.type) = (v_new.site, v_new.type)
        and (a.work_centre, a.order_id, a.sequence, a.operation, a.starts_at, a.ends_at) is not distinct from (v_new.work_centre, v_new.order_id,
          v_new.sequence, v_new.operation, v_new.starts_at, v_new.ends_at)), null);
    end if;
  end loop;
  return private.finish_approval(v_actor, p_request_id, v_change);
end $$;
comment on function public.request_approval is
$$Ask for something that another person decides. p_type OVERTIME (p_starts_at to p_ends_at, at a work centre or the whole site),
ENABLE_EQUIPMENT or DISABLE_EQUIPMENT (p_work_centre), SPECIAL_OPERATION (p_operation other_work_centre: a step of an order at another work
centre than its routing names; over_capacity: an order, or a step of it, at a work centre whose positions are all taken; other: anything, for the record). p_justification always.
Permission: production.request at the site.
Errors: approval.incomplete (422), approval.needless (409), production.unknown (404), production.no_step (404), work_centre.unknown (404), work_centre.other_site (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; the same asked again while it is pending answers changed = false.
Locks: none.$$;

-- What an approval does ------------------------------------------------------------------------------------------------

create function private.switch_work_centre(p_approval public.approvals, p_is_enabled boolean, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_centre public.work_centres;
begin
  update public.work_centres w
     set is_enabled = p_is_enabled, disabled_reason = case when not p_is_enabled then left(p_approval.justification, 500) end,
         disabled_at = case when not p_is_enabled then now() end, disabled_by = case when not p_is_enabled then p_actor end
   where w.code = p_approval.work_centre and w.is_enabled <> p_is_enabled returning w.* into v_centre;
  if v_centre.code is null then
    return jsonb_build_object('work_centre', p_approval.work_centre, 'is_enabled', p_is_enabled, 'changed', false);
  end if;
  perform private.emit('work_centre', v_centre.code, case when p_is_enabled then 'work_centre.enabled' else 'work_centre.disabled' end, p_actor,
    jsonb_build_object('approval', p_approval.id, 'reason', p_approval.justification, 'requested_by', p_approval.requested_by,
      'version', v_centre.version), null, v_centre.site);
  return jsonb_build_object('work_centre', v_centre.code, 'is_enabled', p_is_enabled, 'changed', true);
end $$;

create function private.apply_approval(p_approval public.approvals, p_event_id bigint, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_root public.production_orders;
  v_source public.production_orders;
  v_notice jsonb;
begin
  if p_approval.type in ('ENABLE_EQUIPMENT', 'DISABLE_EQUIPMENT') then
    return private.switch_work_centre(p_approval, p_approval.type = 'ENABLE_EQUIPMENT', p_actor);
  elsif p_approval.operation = 'replenishment' then
    select o.* into v_root from public.production_orders o where o.id = p_approval.order_id;
    select o.* into v_source from public.replenishment_links l join public.production_orders o on o.id = l.source_order_id
     where l.approval_id = p_approval.id order by l.id desc limit 1;
    perform private.lock_order_stock(v_root);
    v_notice := private.replenish(v_root.id, v_source, v_root.product_sku, 'APPROVAL', p_event_id, p_actor, p_approval);
    return coalesce(v_notice -> 'details', '{"replenishment": null}');
  end if;
  return '{}';
end $$;
comment on function private.apply_approval is 'Does what was approved and answers what that was. Overtime and other operations are in force by being approved.';

create function public.decide_approval(
  p_id bigint, p_decision text, p_version integer, p_notes text default null, p_request_id uuid default null)
returns public.approval_change language plpgsql security definer set search_path = '' as $$
declare
  v_approval public.approvals := (select a from public.approvals a where a.id = p_id);
  v_store text := (select o.store from public.production_orders o where o.id = v_approval.order_id);
  v_actor uuid := private.authorize('production.approve', v_store, v_approval.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'decide_approval', jsonb_build_array(p_id, p_decision, p_version, p_notes));
  v_decision text := upper(p_decision);
  v_effect jsonb;
  v_change public.approval_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.approval_change, v_answer);
  end if;
  perform private.check_decision(v_approval, p_id, v_decision, p_notes, v_actor);
  if v_approval.order_id is not null then
    perform private.lock_family(v_approval.order_id);
  end if;
  select a.* into v_approval from public.approvals a where a.id = p_id for update;
  if v_approval.status = v_decision then
    return private.finish_approval(v_actor, p_request_id, row(false, null, v_approval, null)::public.approval_change);
  elsif v_approval.status <> 'PENDING' then
    perform private.fail(409, 'approval.decided', format('This was %s already.', lower(v_approval.status)),
      jsonb_build_object('status', v_approval.status, 'decided_at', v_approval.decided_at));
  elsif v_approval.version is distinct from p_version then
    perform private.fail(409, 'approval.stale', 'The request has changed meanwhile. Look at it again, then decide.',
      jsonb_build_object('expected', p_version, 'actual', v_approval.version, 'quantity', trim_scale(v_approval.quantity)));
  end if;
  update public.approvals a set status = v_decision, decided_at = now(), decided_by = v_actor, response_notes = p_notes
   where a.id = p_id returning a.* into v_approval;
  v_change := row(true, private.emit_approval(v_approval, 'approval.' || lower(v_decision), v_actor), v_approval, null);
  if v_decision = 'APPROVED' then
    v_effect := private.apply_approval(v_approval, v_change.event_id, v_actor);
    update public.approvals a set effect = v_effect where a.id = p_id returning a.* into v_approval;
    v_change.approval := v_approval;
  end if;
  return private.finish_approval(v_actor, p_request_id, v_change);
end $$;
comment on function public.decide_approval is
$$Approve or reject: p_decision APPROVED or REJECTED; a rejection says why in p_notes. p_version: of the request as the screen showed it. The caller decides,
never who asked. Approved, a work centre is enabled or disabled at once, and pieces beyond the caps are made again, as many as the request says and as far as
they are still needed: see effect.
Permission: production.approve at its site.
Errors: approval.unknown (404), approval.own (403), approval.decided (409), approval.stale (409), approval.decision (422), approval.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; the same decision again answers changed = false.
Locks: the family of its order, the approval, then its work centre or the items of the replenishment.$$;

create function private.asked_for(p_approval public.approvals, p_who uuid)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return coalesce(p_approval.requested_by = p_who, false)
    or exists (select from public.replenishment_links l where l.approval_id = p_approval.id and l.created_by = p_who
      and l.trigger <> 'APPROVAL');   -- that one is who allowed it
end $$;
comment on function private.asked_for is 'Did this person ask for it, or is a loss of theirs in it? Then somebody else decides.';

create function private.check_decision(p_approval public.approvals, p_id bigint, p_decision text, p_notes text, p_actor uuid)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_approval.id is null then
    perform private.fail(404, 'approval.unknown', 'There is no such request.', jsonb_build_object('id', p_id));
  elsif p_decision is null or p_decision not in ('APPROVED', 'REJECTED') then
    perform private.fail(422, 'approval.decision', 'Decide APPROVED or REJECTED.', jsonb_build_object('field', 'p_decision', 'actual', p_decision));
  elsif private.asked_for(p_approval, p_actor) then
    perform private.fail(403, 'approval.own', 'You asked for it: somebody else decides.', jsonb_build_object('id', p_id));
  elsif p_decision = 'REJECTED' and coalesce(trim(p_notes), '') = '' then
    perform private.fail(422, 'approval.reason_required', 'Say why it is rejected.', jsonb_build_object('field', 'p_notes'));
  end if;
  perform private.check_length('p_notes', p_notes, 1000);
end $$;

create function public.withdraw_approval(p_id bigint, p_request_id uuid default null)
returns public.approval_change language plpgsql security definer set search_path = '' as $$
declare
  v_approval public.approvals := (select a from public.approvals a where a.id = p_id);
  v_actor uuid := private.authorize('production.request', null, v_approval.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'withdraw_approval', jsonb_build_array(p_id));
  v_change public.approval_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.approval_change, v_answer);
  elsif v_approval.id is null then
    perform private.fail(404, 'approval.unknown', 'There is no such request.', jsonb_build_object('id', p_id));
  end if;
  select a.* into v_approval from public.approvals a where a.id = p_id for update;
  if v_approval.operation = 'replenishment' then
    perform private.fail(403, 'approval.not_yours', 'What was lost asks for it, not a person. It goes when nothing is missing any more.',
      jsonb_build_object('id', p_id));
  elsif v_approval.requested_by is distinct from nullif(v_actor, '00000000-0000-0000-0000-000000000000') then
    perform private.fail(403, 'approval.not_yours', 'Only who asked takes it back.', jsonb_build_object('id', p_id));
  elsif v_approval.status not in ('PENDING', 'WITHDRAWN') then
    perform private.fail(409, 'approval.decided', format('This was %s already.', lower(v_approval.status)),
      jsonb_build_object('status', v_approval.status, 'decided_at', v_approval.decided_at));
  end if;
  v_change := row(v_approval.status = 'PENDING', null, v_approval, null);
  if v_change.changed then
    update public.approvals a set status = 'WITHDRAWN', decided_at = now(), decided_by = a.requested_by
     where a.id = p_id returning a into v_change.approval;
    v_change.event_id := private.emit_approval(v_change.approval, 'approval.withdrawn', v_actor);
  end if;
  return private.finish_approval(v_actor, p_request_id, v_change);
end $$;
comment on function public.withdraw_approval is
$$Who asked does not need it any more.
Permission: production.request at its site.
Errors: approval.unknown (404), approval.not_yours (403), approval.decided (409), request.reused (422).
Idempotency: by p_request_id; withdrawn before, it answers changed = false.
Locks: the approval.$$;

grant execute on function public.request_approval, public.withdraw_approval, public.decide_approval to authenticated;   -- people, never programs

-- sql/M12_production/api_quality.sql

create type public.quality_change as (
  changed boolean, event_id bigint, record public.quality_records, step public.production_order_steps, order_row public.production_orders, notices jsonb);
comment on type public.quality_change is
$$Answer of record_quality: the record, its step and its order now; notices [{code, message, details}] to show: what was ordered again, what a
person has to allow.$$;

create function private.check_record_source(p_id bigint, p_source public.quality_records, p_order_id bigint)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_id is not null and p_source.order_id is distinct from p_order_id then
    perform private.fail(404, 'quality.record_unknown', 'The order has no such quality record.', jsonb_build_object('record', p_id));
  elsif p_source.id is not null and p_source.open_quantity = 0 then
    perform private.fail(409, 'quality.decided', 'Nothing of it is open any more.', jsonb_build_object('record', p_id, 'disposition', p_source.disposition));
  end if;
end $$;

create function private.guard_found(p_command private.floor_command, p_from text)
returns private.floor_command language plpgsql set search_path = '' as $$
begin
  if p_from = 'process' then
    perform private.refuse_paused(p_command.order_row, p_command.step);
  end if;
  if (p_command.centre).code is null then
    p_command.centre := private.centre_unsaid(p_command.order_row, p_command.step);
  end if;
  return p_command;
end $$;
comment on function private.guard_found is
$$Pieces are found bad where they are made: guarded as a report of them. Errors: production.step_paused (409) of pieces in process, work_centre.disabled (409).
Locks: the work centre, shared.$$;

create function public.record_quality(
  p_code text, p_disposition text, p_quantity numeric, p_reason text default null, p_sequence integer default null, p_work_centre text default null,
  p_cause text default null, p_defect_position text default null, p_from text default 'process', p_record bigint default null,
  p_lot text default null, p_notes text default null, p_photo text default null, p_request_id uuid default null)
returns public.quality_change language plpgsql security definer set search_path = '' as $$
declare
  v_source public.quality_records := (select q from public.quality_records q where q.id = p_record);
  -- Pieces that will not be as specified, and pieces on hold, need somebody who may concede that.
  v_concedes boolean := coalesce(lower(p_disposition) in ('use_as_is', 'repair', 'return') or v_source.disposition = 'hold', false);
  v_command private.floor_command := private.begin_floor(case when v_concedes then 'production.concede' else 'production.quality' end,
    p_code, p_work_centre, coalesce(v_source.sequence, p_sequence), p_request_id, 'record_quality', jsonb_build_array(p_code, p_disposition,
    p_quantity, p_reason, p_sequence, p_work_centre, p_cause, p_defect_position, p_from, p_record, p_lot, p_notes, p_photo));
  v_order public.production_orders := v_command.order_row;
  v_written private.quality_answer;
  v_change public.quality_change;
begin
  if v_command.answer is not null then
    return jsonb_populate_record(null::public.quality_change, v_command.answer);
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  select q.* into v_source from public.quality_records q where q.id = p_record;   -- as it is under the lock
  perform private.check_record_source(p_record, v_source, v_order.id);
  if p_record is null then   -- what lies aside already is decided anywhere
    v_command := private.guard_found(v_command, p_from);
  end if;
  v_command.lot_id := private.lock_own_lot(v_order, coalesce((select l.code from public.lots l where l.id = v_source.lot_id), p_lot), v_command.actor,
    coalesce(lower(p_disposition) in ('scrap', 'return', 'hold'), false));
  perform private.keep_photo(v_command, p_photo);
  if p_record is null and p_from = 'process' then
    perform private.take_position(v_command, p_quantity);
  end if;
  perform private.lock_order_stock(v_order);
  v_written := private.write_quality(v_command.actor, v_order, (v_command.step).sequence, p_disposition, p_quantity, p_reason, p_cause,
    p_defect_position, p_from, v_command.lot_id, p_notes, p_photo, coalesce(p_work_centre, (v_command.step).work_centre), p_record);
  v_change.record := v_written.record;
  v_change.step := (select s from public.production_order_steps s where s.order_id = v_order.id and s.sequence = (v_command.step).sequence);
  v_change.order_row := (select o from public.production_orders o where o.id = v_order.id);
  v_change.changed := true;
  v_change.event_id := (v_change.record).event_id;
  v_change.notices := v_written.notices;
  perform private.remember(v_command.actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.record_quality is
$$Pieces of an order that are not simply good. p_disposition rework (to specification again), repair (usable, not to specification), use_as_is,
scrap, return (to who supplied it), hold (decided later). p_from process (found while they are made) or good (counted good before). p_record
names an open rework, repair or hold instead: its pieces are decided now, accept when they are good. p_sequence: the step, or p_work_centre
finds it; without it the work centre of the routing, or one that does the step, has to be in use. Pieces in process that nobody started are
started by it, where a position is free. Bad pieces of a lot on hold are scrapped, returned or held; others wait until it is free.
p_reason from get_quality_reasons, p_cause in words, p_defect_position on the piece, p_photo the path that start_photo gave (production_order).
Scrap and return are made again: see notices. Rework, repair and use_as_is are never scrap.
Permission: production.quality at the site and in the store; production.concede for use_as_is, repair, return and what is on hold.
Errors: those of begin_floor: production.unknown (404), production.closed (409), production.not_released (409), work_centre.unknown (404), work_centre.other_site (409), work_centre.disabled (409), production.no_step (404), production.which_step (422), production.wrong_step (409), production.wrong_work_centre (409); production.step_paused (409), work_centre.full (409), production.more_than_input (409), production.step_completed (409), production.more_than_in_process (409), production.used_further (409), quality.disposition (422), quality.from (422), quality.too_many (409), quality.reason_required (422), quality.reason_unknown (422), quality.record_unknown (404), quality.decided (409), lot.unknown (404), lot.other_order (409), lot.removed (409), lot.on_hold (423), stock.short (409), stock.quantity (422), photo.unknown (404), photo.missing (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call records again.
Locks: the root, its open replenishments and the order, by id; the work centre, shared; the lot; the photo; the positions of the work centre; all
items of the order, by SKU.$$;

create function public.save_quality_reason(
  p_code text, p_title text default null, p_parent text default null, p_step text default null, p_disposition text default null,
  p_position integer default null, p_is_active boolean default null, p_is_startup boolean default null, p_request_id uuid default null)
returns public.quality_reasons language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.setup');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_quality_reason', jsonb_build_array(p_code, p_title, p_parent, p_step, p_disposition,
    p_position, p_is_active, p_is_startup));
  v_code text := upper(trim(p_code));
  v_old public.quality_reasons;
  v_reason public.quality_reasons;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.quality_reasons, v_answer);
  end if;
  if exists (select 1 from public.quality_reasons r where r.code = upper(p_parent) and r.parent is not null)
     or p_parent is not null and exists (select 1 from public.quality_reasons r where r.parent = v_code) then
    perform private.fail(422, 'quality.too_deep', 'Two taps: a family, and reasons under it.', jsonb_build_object('field', 'p_parent', 'actual', p_parent));
  end if;
  select r.* into v_old from public.quality_reasons r where r.code = v_code for update;
  insert into public.quality_reasons as r (code, parent, step, title, disposition, is_startup, position, is_active)
  values (v_code, upper(p_parent), p_step, coalesce(p_title, v_old.title, v_code), p_disposition, coalesce(p_is_startup, false), coalesce(p_position, 0),
    coalesce(p_is_active, true))
  on conflict on constraint quality_reasons_pkey do update
    set title = excluded.title, parent = coalesce(excluded.parent, r.parent), step = coalesce(excluded.step, r.step),
        disposition = coalesce(excluded.disposition, r.disposition), is_startup = coalesce(p_is_startup, r.is_startup),
        position = coalesce(p_position, r.position), is_active = coalesce(p_is_active, r.is_active)
    where (r.title, r.parent, r.step, r.disposition, r.is_startup, r.position, r.is_active) is distinct from (excluded.title, coalesce(excluded.parent, r.parent),
      coalesce(excluded.step, r.step), coalesce(excluded.disposition, r.disposition), coalesce(p_is_startup, r.is_startup),
      coalesce(p_position, r.position), coalesce(p_is_active, r.is_active))
  returning r.* into v_reason;
  if v_reason.code is null then
    v_reason := v_old;
  else
    perform private.emit('quality_reason', v_reason.code, 'quality_reason.saved', v_actor, jsonb_build_object('version', v_reason.version,
      'title', v_reason.title, 'parent', v_reason.parent, 'step', v_reason.step, 'is_active', v_reason.is_active));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_reason));
  return v_reason;
end $$;
comment on function public.save_quality_reason is
$$Add or change a reason (null: as it is). Without p_parent it is a family, else a reason of that family: two taps. p_step: only there.
p_disposition: what the station proposes. p_is_startup: such pieces are start-up losses. A reason that is not active stays in what was recorded.
Permission: production.setup.
Errors: quality.too_deep (422), request.reused (422); constraints by name.
Idempotency: by p_request_id; the same again changes nothing.
Locks: the reason.$$;

grant execute on function public.record_quality, public.save_quality_reason to authenticated, service_role;

-- sql/M12_production/api_quality_read.sql

create type public.quality_reason_group as (code text, title text, disposition text, reasons jsonb);
comment on type public.quality_reason_group is 'A family of reasons, reasons: [{code, title, disposition, step}] in their order; none: the family is a reason itself.';

create function public.get_quality_reasons(p_step text default null)
returns setof public.quality_reason_group language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('production.read');
  return query
    select f.code, f.title, f.disposition, coalesce(jsonb_agg(jsonb_build_object('code', r.code, 'title', r.title, 'disposition', r.disposition,
        'step', r.step) order by r.position, r.title) filter (where r.code is not null), '[]')
      from public.quality_reasons f
      left join public.quality_reasons r on r.parent = f.code and r.is_active and (p_step is null or coalesce(r.step, p_step) = p_step)
     where f.parent is null and f.is_active and (p_step is null or coalesce(f.step, p_step) = p_step)
     group by f.code order by f.position, f.title;
end $$;
comment on function public.get_quality_reasons is
$$The reasons a station shows, by family: first tap the family, second tap the reason. p_step: those of one process step; null: all.
Permission: production.read.
Errors: none of its own.
Idempotency: a read.
Locks: none.$$;

create type public.quality_record_row as (record public.quality_records, code text, product_sku text, reason_title text, recorded_by_name text);
create type public.quality_record_page as (records public.quality_record_row[], next_cursor text);
comment on type public.quality_record_page is 'A page of quality records with the code and product of their order, newest first; next_cursor is null on the last page.';

create function private.sites_asked(p_site text)
returns text[] language plpgsql stable set search_path = '' as $$
declare
  v_who private.identity := private.identify();
begin
  return array(select si.code from public.sites si where (p_site is null or si.code = p_site) and private.works_at(v_who, si.code));
end $$;
comment on function private.sites_asked is 'The site, or all where the caller works; none when it is not one of theirs.';

create function private.stores_of_production()
returns text[] language plpgsql stable set search_path = '' as $$
begin
  return private.readable_stores('production.read');
end $$;

create function public.get_quality_records(
  p_site text default null, p_code text default null, p_step text default null, p_is_open boolean default null, p_from timestamptz default null,
  p_to timestamptz default null, p_cursor text default null, p_limit integer default 100)
returns public.quality_record_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_sites text[];
  v_stores text[];
  v_after bigint;
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_page public.quality_record_page;
begin
  perform private.authorize('production.read', null, p_site);
  v_sites := private.sites_asked(p_site);
  v_stores := private.stores_of_production();
  v_after := (private.keys_of(p_cursor, 1) ->> 0)::bigint;
  v_page.records := array(
    select row(q, o.code, o.product_sku, r.title, s.full_name)::public.quality_record_row
      from public.quality_records q join public.production_orders o on o.id = q.order_id left join public.quality_reasons r on r.code = q.reason
      left join public.staff_shared s on s.user_id = q.recorded_by
     where q.site = any (v_sites) and (o.store is null or o.store = any (v_stores)) and (p_code is null or o.code = p_code)
       and (p_step is null or q.step = p_step) and (p_is_open is null or (q.open_quantity > 0) = p_is_open)
       and (p_from is null or q.recorded_at >= p_from) and (p_to is null or q.recorded_at < p_to) and (v_after is null or q.id < v_after)
     order by q.id desc limit v_limit + 1);
  if cardinality(v_page.records) > v_limit then
    v_page.records := v_page.records[1:v_limit];
    v_page.next_cursor := private.cursor_of(jsonb_build_array(((v_page.records[v_limit]).record).id));
  end if;
  return v_page;
end $$;
comment on function public.get_quality_records is
$$Quality records, newest first; p_is_open true: rework, repair and hold that wait for somebody. Reversed ones stay, with reversed_at. p_limit 1–500.
Permission: production.read, at the sites and in the stores of the caller.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

-- Figures --------------------------------------------------------------------------------------------------------------

create type private.quality_range as (sites text[], stores text[], since timestamptz, until timestamptz, sku text, code text);

create function private.quality_orders(p_range private.quality_range)
returns setof bigint language plpgsql stable set search_path = '' as $$
begin
  return query
    select o.id from public.production_orders o
     where o.site = any (p_range.sites) and (o.store is null or o.store = any (p_range.stores))
       and (p_range.sku is null or o.product_sku = p_range.sku) and (p_range.code is null or o.code = p_range.code);
end $$;

create function private.defects_of(p_range private.quality_range)
returns table (order_id bigint, sequence integer, disposition text, reason text, quantity numeric, is_new boolean, is_conceded boolean)
language plpgsql stable set search_path = '' as $$
begin
  return query
    select q.order_id, q.sequence, q.disposition, q.reason, q.quantity, q.source_id is null or not private.was_reworked(q.source_id),
        q.disposition = 'use_as_is' and q.taken_from = 'good'
      from public.quality_records q
     where q.recorded_at >= p_range.since and q.recorded_at < p_range.until and q.reversed_at is null and q.disposition not in ('accept', 'hold')
       and q.order_id in (select x from private.quality_orders(p_range) x);
end $$;
comment on function private.defects_of is
$$What was decided about bad pieces. is_new: found bad now; a piece that was reworked was found before, and is one defect whatever becomes of it.
is_conceded: it was counted good before. What was undone is not there.$$;

create function private.quality_by_sequence(p_range private.quality_range)
returns table (order_id bigint, sequence integer, first_good numeric, good numeric, scrap numeric, returned numeric, found numeric, rework numeric,
  use_as_is numeric)
language plpgsql stable set search_path = '' as $$
begin
  return query
    with counted as (
      select c.order_id, c.sequence, sum(c.good) as good, sum(c.good) filter (where not c.from_rework) as first_good, sum(c.scrap) as scrap,
          sum(c.returned) as returned
        from public.piece_counts c
       where c.order_id in (select x from private.quality_orders(p_range) x) and c.at >= p_range.since and c.at < p_range.until
         and c.reverses is null and not exists (select from public.piece_counts u where u.reverses = c.id)
       group by c.order_id, c.sequence
    ), defects as (
      select d.order_id, d.sequence, sum(d.quantity) filter (where d.is_new) as found,
          sum(d.quantity) filter (where d.is_new and d.disposition in ('rework', 'repair')) as rework,
          sum(d.quantity) filter (where d.disposition = 'use_as_is') as use_as_is, sum(d.quantity) filter (where d.is_conceded) as conceded
        from private.defects_of(p_range) d group by d.order_id, d.sequence
    )
    select coalesce(c.order_id, d.order_id), coalesce(c.sequence, d.sequence), coalesce(c.first_good, 0) - coalesce(d.conceded, 0), coalesce(c.good, 0),
        coalesce(c.scrap, 0), coalesce(c.returned, 0), coalesce(d.found, 0), coalesce(d.rework, 0), coalesce(d.use_as_is, 0)
      from counted c full join defects d on d.order_id = c.order_id and d.sequence = c.sequence;
end $$;
comment on function private.quality_by_sequence is
$$The one definition of what was good at the first go, what was found bad and what became of it, per step of an order in a range. What was undone counts
nowhere: neither it nor its reversal, so that figures of the past are corrected. Pieces that turn out bad after they were counted good count when that was
recorded.$$;

create function private.piece_weight(p_by text, p_order_id bigint, p_sequence integer)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return case p_by
    when 'time' then (select nullif(sum(s.run_min), 0) from public.production_order_steps s where s.order_id = p_order_id and s.sequence <= p_sequence)
    when 'cost' then (select i.unit_cost from public.production_orders o join public.inventory_items i on i.sku = o.product_sku where o.id = p_order_id)
    else 1 end;
end $$;
comment on function private.piece_weight is
$$What a bad piece weighs. time: minutes of work that were in it, the run time of its steps so far; cost: the standard cost of the product; quantity: one.
Null: nobody said.$$;

create function private.quality_pareto(p_range private.quality_range, p_by text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    with losses as (
      select d.reason, sum(d.quantity) as quantity, count(*) as records, sum(d.quantity) filter (where d.disposition = 'scrap') as scrap,
          sum(d.quantity * w.each) as weight, sum(d.quantity * w.each) filter (where d.disposition = 'scrap') as weight_scrap,
          sum(d.quantity) filter (where w.each is null) as unknown
        from private.defects_of(p_range) d
       cross join lateral (select private.piece_weight(p_by, d.order_id, d.sequence) as each offset 0) w
       where d.is_new group by d.reason
    ), ranked as (
      select l.*, r.title, f.code as family, f.title as family_title, nullif(sum(l.weight) over (), 0) as total,
          sum(l.weight) over (order by l.weight desc nulls last, l.reason) as running
        from losses l join public.quality_reasons r on r.code = l.reason left join public.quality_reasons f on f.code = r.parent
    )
    select coalesce(jsonb_agg(jsonb_build_object('reason', k.reason, 'title', k.title, 'family', k.family, 'family_title', k.family_title,
        'quantity', trim_scale(k.quantity), 'scrap', trim_scale(coalesce(k.scrap, 0)), 'records', k.records,
        'weight', trim_scale(k.weight), 'weight_scrap', trim_scale(coalesce(k.weight_scrap, 0)), 'unknown', trim_scale(coalesce(k.unknown, 0)),
        'share', round(k.weight / k.total, 4), 'cumulative', round(k.running / k.total, 4)) order by k.weight desc nulls last, k.reason), '[]')
      from ranked k);
end $$;
comment on function private.quality_pareto is
$$Defective pieces per reason, heaviest first, with share and cumulative share of all; found once, whatever became of them later. unknown: pieces whose
weight nobody said, which are not in weight.$$;

create function private.quality_by_step(p_range private.quality_range)
returns table (step text, title text, place integer, first_good numeric, good numeric, scrap numeric, returned numeric, rework numeric,
  use_as_is numeric, rework_open numeric, held_open numeric, fpy numeric)
language plpgsql stable set search_path = '' as $$
begin
  return query
    with done as (
      select s.step, sum(q.first_good) as first_good, sum(q.good) as good, sum(q.scrap) as scrap, sum(q.returned) as returned, sum(q.found) as found,
          sum(q.rework) as rework, sum(q.use_as_is) as use_as_is
        from private.quality_by_sequence(p_range) q
        join public.production_order_steps s on s.order_id = q.order_id and s.sequence = q.sequence group by s.step
    ), open as (   -- as it is now
      select s.step, sum(s.rework_open) as rework_open, sum(s.held_open) as held_open
        from public.production_order_steps s join private.quality_orders(p_range) x on x = s.order_id
       where s.rework_open > 0 or s.held_open > 0 group by s.step
    )
    select p.code, p.title, p.sequence, coalesce(d.first_good, 0), coalesce(d.good, 0), coalesce(d.scrap, 0), coalesce(d.returned, 0),
        coalesce(d.rework, 0), coalesce(d.use_as_is, 0), coalesce(w.rework_open, 0), coalesce(w.held_open, 0),
        case when d.first_good + d.found > 0 then d.first_good / (d.first_good + d.found) end
      from public.process_steps p left join done d on d.step = p.code left join open w on w.step = p.code
     where num_nonnulls(d.step, w.step) > 0 order by p.sequence, p.code;
end $$;
comment on function private.quality_by_step is
$$Per process step in a range: good, and good at the first go; what was found bad; open rework and hold as they are now. fpy = good at the first go /
(that + found bad), null when nothing was inspected.$$;

create function public.get_quality(
  p_site text default null, p_from timestamptz default null, p_to timestamptz default null, p_sku text default null, p_code text default null,
  p_by text default 'quantity')
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_range private.quality_range;
  v_by text := coalesce(p_by, 'quantity');
  v_answer jsonb;
begin
  perform private.authorize('production.read', null, p_site);
  if v_by not in ('quantity', 'time', 'cost') then
    perform private.fail(422, 'quality.by', 'Weigh bad pieces by quantity, time or cost.', jsonb_build_object('field', 'p_by', 'actual', p_by));
  end if;
  v_range := row(private.sites_asked(p_site), private.stores_of_production(), coalesce(p_from, coalesce(p_to, now()) - interval '30 days'),
    coalesce(p_to, 'infinity'), p_sku, p_code)::private.quality_range;
  select jsonb_build_object(
      'steps', coalesce(jsonb_agg(jsonb_build_object('step', s.step, 'title', s.title, 'first_good', trim_scale(s.first_good), 'good', trim_scale(s.good),
        'scrap', trim_scale(s.scrap), 'returned', trim_scale(s.returned), 'rework', trim_scale(s.rework), 'use_as_is', trim_scale(s.use_as_is),
        'rework_open', trim_scale(s.rework_open), 'held_open', trim_scale(s.held_open), 'fpy', round(s.fpy, 6)) order by s.place, s.step), '[]'),
      'rty', case when count(s.fpy) = 0 then null when min(s.fpy) <= 0 then 0 else round(exp(sum(ln(s.fpy)) filter (where s.fpy > 0)), 6) end,
      'totals', jsonb_build_object('scrap', trim_scale(coalesce(sum(s.scrap), 0)), 'returned', trim_scale(coalesce(sum(s.returned), 0)),
        'rework', trim_scale(coalesce(sum(s.rework), 0)), 'use_as_is', trim_scale(coalesce(sum(s.use_as_is), 0)),
        'rework_open', trim_scale(coalesce(sum(s.rework_open), 0)), 'held_open', trim_scale(coalesce(sum(s.held_open), 0)))) into v_answer
    from private.quality_by_step(v_range) s;
  return v_answer || jsonb_build_object('from', v_range.since, 'to', nullif(v_range.until, 'infinity'), 'by', v_by,
    'reasons', private.quality_pareto(v_range, v_by));
end $$;
comment on function public.get_quality is
$$The quality page for a range (the last 30 days unless said): reasons (Pareto of defective pieces: {reason, title, family, quantity, scrap, records,
weight, weight_scrap, unknown, share, cumulative}; weight: p_by quantity (pieces), time (minutes of work that were in them) or cost (standard cost of the
product); unknown: pieces that nobody gave a run time or a cost), steps ({step, title, first_good, good, scrap, returned, rework, use_as_is, rework_open, held_open, fpy}), rty (rolled throughput
yield: the product of the steps' first pass yields), totals. Open rework and hold are those of now. What was undone counts nowhere, in the past neither. p_sku or p_code:
of one product or order.
Permission: production.read, at the sites and in the stores of the caller.
Errors: quality.by (422).
Idempotency: a read.
Locks: none.$$;

-- Approvals --------------------------------------------------------------------------------------------------------------

create type public.approval_row as (
  approval public.approvals, code text, work_centre_title text, requested_by_name text, decided_by_name text, may_decide boolean);
create type public.approval_page as (approvals public.approval_row[], next_cursor text);
comment on type public.approval_page is
  'A page of approvals, newest first, with the code of the order, names, and whether the caller may decide it; next_cursor is null on the last page.';

create function public.get_approvals(
  p_site text default null, p_statuses text[] default '{PENDING}', p_types text[] default null, p_cursor text default null, p_limit integer default 100)
returns public.approval_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.read', null, p_site);
  v_sites text[] := private.sites_asked(p_site);
  v_stores text[] := private.stores_of_production();
  v_decides boolean := private.may('production.approve');
  v_after bigint := (private.keys_of(p_cursor, 1) ->> 0)::bigint;
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_page public.approval_page;
begin
  v_page.approvals := array(
    select row(a, o.code, w.title, r.full_name, d.full_name,
        v_decides and a.status = 'PENDING' and not private.asked_for(a, v_actor))::public.approval_row
      from public.approvals a left join public.production_orders o on o.id = a.order_id left join public.work_centres w on w.code = a.work_centre
      left join public.staff_shared r on r.user_id = a.requested_by left join public.staff_shared d on d.user_id = a.decided_by
     where a.site = any (v_sites) and (o.store is null or o.store = any (v_stores)) and (p_statuses is null or a.status = any (p_statuses)) and (p_types is null or a.type = any (p_types))
       and (v_after is null or a.id < v_after)
     order by a.id desc limit v_limit + 1);
  if cardinality(v_page.approvals) > v_limit then
    v_page.approvals := v_page.approvals[1:v_limit];
    v_page.next_cursor := private.cursor_of(jsonb_build_array(((v_page.approvals[v_limit]).approval).id));
  end if;
  return v_page;
end $$;
comment on function public.get_approvals is
$$The inbox: what waits for a decision, newest first; p_statuses null: all there ever was. p_limit 1–500.
Permission: production.read, at the sites and in the stores of the caller.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_quality_reasons, public.get_quality_records, public.get_quality, public.get_approvals to authenticated, service_role;

-- sql/M12_production/api_routings.sql

create type public.routing_item as (sku text, title text, is_active boolean, active_version integer, versions jsonb);
create type public.routing_page as (items public.routing_item[], next_cursor text, total bigint);
comment on type public.routing_page is
$$Items that have a routing, by SKU. active_version null: none is followed. versions, newest first: [{version, is_active, note, created_at, created_by_name,
steps [{sequence, step, title, work_centre, work_centre_title, setup_min, run_min, materials [{sku, title}], instructions}]}]. next_cursor is null on the
last page.$$;

create function private.routing_steps_json(p_routing_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(to_jsonb(s) - 'routing_id' || jsonb_build_object('title', p.title, 'work_centre_title', w.title,
        'setup_min', trim_scale(s.setup_min), 'run_min', trim_scale(s.run_min), 'materials', (
          select coalesce(jsonb_agg(jsonb_build_object('sku', m.sku, 'title', i.title) order by m.n), '[]')
            from unnest(s.materials) with ordinality as m (sku, n) join public.inventory_items i on i.sku = m.sku)) order by s.sequence), '[]')
      from public.routing_steps s join public.process_steps p on p.code = s.step left join public.work_centres w on w.code = s.work_centre
     where s.routing_id = p_routing_id);
end $$;

create function private.routing_item(p_sku text)
returns public.routing_item language plpgsql stable set search_path = '' as $$
declare
  v_item public.routing_item;
begin
  select i.sku, i.title, i.is_active into v_item.sku, v_item.title, v_item.is_active from public.inventory_items i where i.sku = p_sku;
  v_item.active_version := (select r.version from public.routings r where r.sku = p_sku and r.is_active);
  v_item.versions := (
    select jsonb_agg(jsonb_build_object('version', r.version, 'is_active', r.is_active, 'note', r.note, 'created_at', r.created_at,
        'created_by_name', s.full_name, 'steps', private.routing_steps_json(r.id)) order by r.version desc)
      from public.routings r left join public.staff_shared s on s.user_id = r.created_by where r.sku = p_sku);
  return v_item;
end $$;

create function public.get_routings(
  p_search text default null, p_cursor text default null, p_limit integer default 50, p_with_total boolean default false)
returns public.routing_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 50), 1), 200);
  v_search text := nullif(lower(trim(p_search)), '');
  v_after text;
  v_skus text[];
  v_page public.routing_page;
begin
  perform private.authorize('production.read');
  v_after := private.keys_of(p_cursor, 1) ->> 0;
  v_skus := array(
    select i.sku from public.inventory_items i
     where exists (select from public.routings r where r.sku = i.sku)
       and (v_search is null or position(v_search in lower(i.sku || ' ' || i.title)) > 0) order by i.sku);
  v_page.total := case when p_with_total then cardinality(v_skus) end;
  v_skus := array(select u from unnest(v_skus) u where v_after is null or u > v_after order by u limit v_limit + 1);
  v_page.items := array(select private.routing_item(u) from unnest(v_skus[1:v_limit]) u order by u);
  v_page.next_cursor := case when cardinality(v_skus) > v_limit then private.cursor_of(jsonb_build_array(v_skus[v_limit])) end;
  return v_page;
end $$;
comment on function public.get_routings is
$$How items are made: items with their routings, by SKU. p_search in SKU and title. p_limit 1–200; p_with_total counts all that fit the search.
Permission: production.read.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_routings to authenticated, service_role;

-- sql/M12_production/api_read.sql

-- What can run now, what waits, and why.

create type private.step_outlook as (can_start numeric, can_run boolean, why private.problem);

create function private.step_centre(p_order public.production_orders, p_step public.production_order_steps)
returns public.work_centres language plpgsql stable set search_path = '' as $$
begin
  return (
    select w from public.work_centres w
     where w.step = p_step.step and w.site = p_order.site and (p_step.work_centre is null or private.may_use_centre(p_step, w.code))
     order by w.is_enabled and w.is_active desc, case when w.capacity is not null then (private.position_problem(w, p_step)).status is null else true end desc,
       w.is_active desc, w.code limit 1);
end $$;
comment on function private.step_centre is
  'Of the work centres of its site that a step may use: the first one that can take it, else the one whose reason is told; a null row when there is none.';

create function private.outlook(p_order public.production_orders, p_step public.production_order_steps, p_centre public.work_centres default null)
returns private.step_outlook language plpgsql stable set search_path = '' as $$
declare
  v_outlook private.step_outlook;
  v_possible numeric;
  v_missing jsonb;
begin
  if p_step.materials <> '[]' and p_step.released < p_step.planned and not p_step.is_ended and p_order.status not in ('CLOSED', 'CANCELLED') then
    select c.possible, c.missing into v_possible, v_missing from private.complete_sets(p_order, p_step.sequence) c;
    p_step.released := p_step.released + v_possible;   -- parts that came since: a station takes them
  end if;
  v_outlook.can_start := private.can_start(p_step);
  v_outlook.why := private.order_problem(p_order, p_order.code);
  if (v_outlook.why).status is null then
    v_outlook.why := private.centre_problem(p_order, p_centre, p_centre.code);
  end if;
  if (v_outlook.why).status is not null then
    null;
  elsif p_step.in_process = 0 and v_outlook.can_start = 0 then
    v_outlook.why := private.input_problem(p_order, p_step);
    if (v_outlook.why).hint = 'production.parts_missing' then
      v_outlook.why := private.parts_problem(p_order, p_step, v_missing);
    end if;
  elsif p_step.waiting = 0 and v_outlook.can_start = 0 then
    v_outlook.why := private.floor_refusal(409, 'production.only_rework', format('What is at %s of %s is in rework or held.',
      private.step_title(p_step.step), p_order.code),
      jsonb_build_object('rework_open', trim_scale(p_step.rework_open), 'held_open', trim_scale(p_step.held_open)));
  else
    v_outlook.why := private.place_problem(p_order, p_step, p_centre, v_outlook.can_start);
  end if;
  v_outlook.can_run := (v_outlook.why).status is null;
  return v_outlook;
end $$;
comment on function private.outlook is
$$How many pieces may start at a step, counting the sets that could be released now, and why nothing can be done there (a null status: something can): the one
answer for stations and planners. p_centre null: at the best work centre of the site that it may use.$$;

create function private.place_problem(p_order public.production_orders, p_step public.production_order_steps, p_centre public.work_centres, p_can_start numeric)
returns private.problem language plpgsql stable set search_path = '' as $$
declare
  v_problem private.problem;
begin
  if p_centre.code is null then
    p_centre := private.step_centre(p_order, p_step);
    if p_centre.code is null then
      return private.floor_refusal(409, 'work_centre.none', format('Nothing at %s does %s. Add a work centre there.', p_order.site, private.step_title(p_step.step)),
        jsonb_build_object('site', p_order.site, 'step', p_step.step, 'sequence', p_step.sequence));
    end if;
    v_problem := private.centre_problem(p_order, p_centre, p_centre.code);
  end if;
  if v_problem.status is null and private.needs_position(p_step, p_can_start) then
    v_problem := private.position_problem(p_centre, p_step);
  end if;
  return v_problem;
end $$;
comment on function private.place_problem is 'There are pieces for the step: why they can be worked on at no work centre, or not at the one that is named.';

create function private.why_json(p_problem private.problem)
returns jsonb language sql immutable set search_path = '' as $$
  select case when p_problem.status is not null then jsonb_build_object('code', p_problem.hint, 'message', p_problem.message, 'details', p_problem.detail) end
$$;

-- The station --------------------------------------------------------------------------------------------------------

create function private.pending_of(p_centre text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select jsonb_build_object('id', a.id, 'type', a.type, 'justification', a.justification, 'requested_by', a.requested_by,
        'requested_by_name', f.full_name, 'requested_at', a.requested_at)
      from public.approvals a left join public.staff_shared f on f.user_id = a.requested_by
     where a.work_centre = p_centre and a.status = 'PENDING' and a.type in ('ENABLE_EQUIPMENT', 'DISABLE_EQUIPMENT') order by a.id limit 1);
end $$;
comment on function private.pending_of is 'Who asked for the work centre to be enabled or disabled, and nobody has decided; null: nobody.';

create type public.work_centre_row as (
  work_centre public.work_centres, step_title text, disabled_by_name text, pending jsonb, running bigint, can_run bigint, in_process numeric);
comment on type public.work_centre_row is
$$A work centre. pending: {id, type, justification, requested_by, requested_by_name, requested_at} of an open approval about it; running: steps of
orders that take a position there now; can_run: orders at which it can do something now; in_process: pieces of its kind of work at its site.$$;

create function public.get_work_centres(p_site text default null, p_with_inactive boolean default false)
returns setof public.work_centre_row language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('production.read', null, p_site);
  return query
    select w, p.title, f.full_name, private.pending_of(w.code), (select count(*) from private.running_at(w)), x.can_run, x.in_process
      from public.work_centres w join public.process_steps p on p.code = w.step left join public.staff_shared f on f.user_id = w.disabled_by
     cross join lateral (
       select count(*) filter (where (private.outlook(o, s, w)).can_run) as can_run, coalesce(sum(s.in_process), 0) as in_process
         from public.production_order_steps s join public.production_orders o on o.id = s.order_id
        where s.step = w.step and s.status <> 'COMPLETED' and o.site = w.site and o.status not in ('CLOSED', 'CANCELLED')
          and private.may_use_centre(s, w.code)) x
     where w.site = any (private.sites_asked(p_site)) and (p_with_inactive or w.is_active)
     order by p.sequence, w.code;
end $$;
comment on function public.get_work_centres is
$$Machines and benches with what there is to do, in the order of the work. p_site null: all sites of the caller.
Permission: production.read.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create function private.neighbour(p_step public.production_order_steps, p_next boolean)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select jsonb_build_object('sequence', s.sequence, 'step', s.step, 'title', p.title, 'status', s.status, 'work_centre', s.work_centre,
        'good', trim_scale(s.good), 'in_process', trim_scale(s.in_process))
      from public.production_order_steps s join public.process_steps p on p.code = s.step
     where s.order_id = p_step.order_id and case when p_next then s.sequence > p_step.sequence else s.sequence < p_step.sequence end
     order by abs(s.sequence - p_step.sequence) limit 1);
end $$;
comment on function private.neighbour is 'The step before or after; null at the ends.';

create function private.jobs_of(p_centre public.work_centres, p_code text)
returns table (order_row public.production_orders, step public.production_order_steps, outlook private.step_outlook, n bigint)
language plpgsql stable set search_path = '' as $$
declare
  v_stores text[] := private.readable_stores('production.read');
begin
  return query
    select o, s, x, row_number() over (order by x.can_run desc, s.status = 'IN_PROGRESS' desc, private.rank_of_production(o), o.due_date nulls last, o.code, s.sequence)
      from public.production_order_steps s
      join public.production_orders o on o.id = s.order_id and o.site = p_centre.site
        and (o.code = p_code or p_code is null and s.status <> 'COMPLETED' and o.status not in ('CLOSED', 'CANCELLED'))
     cross join lateral private.outlook(o, s, p_centre) x
     where s.step = p_centre.step and private.may_use_centre(s, p_centre.code) and (o.store is null or o.store = any (v_stores));
end $$;
comment on function private.jobs_of is 'Open steps that a work centre may do (p_code: all those of one order): what runs, what can start, then what waits; by priority, due date and code.';

create function private.undo_id(p_order public.production_orders)
returns bigint language plpgsql stable set search_path = '' as $$
begin
  return (private.choose_undo((private.identify()).actor_id, p_order, private.undo_window(p_order.store, p_order.site), private.may('production.undo_any'))).id;
end $$;
comment on function private.undo_id is 'What undo_production would take back for the caller now; null: nothing.';

create function private.job_json(p_order public.production_orders, p_step public.production_order_steps, p_outlook private.step_outlook)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return to_jsonb(p_step) - 'order_id' - 'materials' || jsonb_build_object('code', p_order.code, 'version', p_order.version, 'type', p_order.type,
    'priority', p_order.priority, 'due_date', p_order.due_date, 'quantity', p_order.quantity, 'product_sku', p_order.product_sku, 'materials', p_step.materials,
    'product_title', (select i.title from public.inventory_items i where i.sku = p_order.product_sku),
    'step_title', (select p.title from public.process_steps p where p.code = p_step.step),
    'root', (select o.code from public.replenishments r join public.production_orders o on o.id = r.root_id where r.order_id = p_order.id),
    'can_start', trim_scale(p_outlook.can_start), 'can_run', p_outlook.can_run, 'hint', (p_outlook.why).hint, 'why', (p_outlook.why).message,
    'detail', (p_outlook.why).detail, 'undo_id', case when p_step.started > 0 or p_step.is_ended then private.undo_id(p_order) end, 'previous', private.neighbour(p_step, false), 'next', private.neighbour(p_step, true),
    'minutes_left', round(case when p_step.started_at is null then p_step.setup_min else 0 end + p_step.run_min * greatest(p_step.planned - p_step.good, 0), 1),
    'lots', (select coalesce(jsonb_agg(jsonb_build_object('code', l.code, 'held_at', l.held_at) order by l.id), '[]')
      from public.production_lots p join public.lots l on l.id = p.lot_id where p.order_id = p_order.id and p.removed_at is null));
end $$;

create function public.get_work_centre_queue(p_work_centre text, p_limit integer default 50, p_code text default null)
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_centre public.work_centres := (select w from public.work_centres w where w.code = p_work_centre);
  v_limit integer := least(greatest(coalesce(p_limit, 50), 1), 200);
begin
  perform private.authorize('production.read', null, v_centre.site);
  if v_centre.code is null then
    perform private.fail(404, 'work_centre.unknown', 'There is no work centre ' || coalesce(p_work_centre, '') || '.', jsonb_build_object('work_centre', p_work_centre));
  end if;
  return (
    with jobs as materialized (select j.* from private.jobs_of(v_centre, p_code) j)
    select jsonb_build_object('centre', to_jsonb(v_centre) || jsonb_build_object('step_title', (select p.title from public.process_steps p where p.code = v_centre.step),
        'disabled_by_name', (select f.full_name from public.staff_shared f where f.user_id = v_centre.disabled_by)),
      'pending', private.pending_of(p_work_centre), 'total', count(*), 'can_run', count(*) filter (where (j.outlook).can_run),
      'items', coalesce(jsonb_agg(private.job_json(j.order_row, j.step, j.outlook) order by j.n) filter (where j.n <= v_limit), '[]'))
      from jobs j);
end $$;
comment on function public.get_work_centre_queue is
$$What there is to do at a work centre: {centre: its row, step_title, disabled_by_name; pending: an open approval about it or null; total, can_run: how many, also
beyond p_limit; items: what runs, what can start (by priority, due date, code), then what waits}. An item is one step of a released open order: its row, code,
version, type, priority, due_date, quantity, product_sku, product_title, step_title, root (the order it makes again for), can_start, can_run, hint, why and
detail when nothing can be done, undo_id (what undo_production would take back, as its p_count_id), previous and next {sequence, step, title, status, work_centre, good, in_process}, minutes_left (setup and run time), lots
[{code, held_at}]. p_code: only that order, also what is completed there. p_limit 1–200.
Permission: production.read at its site; orders of the stores of the caller.
Errors: work_centre.unknown (404).
Idempotency: a read.
Locks: none.$$;

-- The planner --------------------------------------------------------------------------------------------------------

create type public.production_board_row as (
  order_row public.production_orders, product_title text, fulfillment_status text, progress public.production_order_progress, steps jsonb,
  can_run boolean, why jsonb, root text, replenishments jsonb);
comment on type public.production_board_row is
$$An order on the board. steps: [{sequence, step, status, planned, released, started, good, scrap, returned, in_process}]; can_run: something can be done on
the floor now; why: [{code, message, details, sequence}] what holds it up; root: the order it replenishes; replenishments: [{code, status, quantity}].$$;

create type public.production_board as (orders public.production_board_row[], next_cursor text, total bigint);
comment on type public.production_board is 'A page of orders; next_cursor is null on the last page; total only when asked for.';

create function private.why_not(p_order public.production_orders)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_problem private.problem := private.order_problem(p_order, p_order.code);
  v_missing jsonb;
begin
  if p_order.status in ('CLOSED', 'CANCELLED') then
    return '[]';
  elsif v_problem.hint = 'production.not_released' then
    if not exists (select from public.routings r where r.sku = p_order.product_sku and r.is_active) then
      return jsonb_build_array(jsonb_build_object('code', 'production.no_routing', 'message', 'Nobody has said how it is made. Add a routing.',
        'details', jsonb_build_object('sku', p_order.product_sku)));
    end if;
    select jsonb_agg(jsonb_build_object('sku', l.sku, 'missing', trim_scale(l.needed - l.allocated - l.consumed)) order by l.line) into v_missing
      from public.order_part_allocations l where l.production_order_id = p_order.id and l.allocated + l.consumed < l.needed;
    return jsonb_build_array(private.why_json(v_problem)) || case when v_missing is null then '[]' else jsonb_build_array(jsonb_build_object(
      'code', 'production.parts_missing', 'message', 'Parts are missing.', 'details', jsonb_build_object('missing', v_missing))) end;
  end if;
  return case when exists (select from public.production_order_steps s where s.order_id = p_order.id and s.status <> 'COMPLETED') then '[]'
    else jsonb_build_array(private.why_json(private.ended_short(p_order))) end;
end $$;
comment on function private.why_not is 'What holds a whole order up: no routing, not released, ended before all of it was made. What holds up a step: private.outlook.';

create function private.ended_short(p_order public.production_orders)
returns private.problem language plpgsql stable set search_path = '' as $$
declare
  v_good numeric := (select p.executed_good + p.replenished from public.production_order_progress p where p.order_id = p_order.id);
  v_again text[] := array(select o.code from public.replenishments r join public.production_orders o on o.id = r.order_id
    where r.root_id = p_order.id and r.sku = p_order.product_sku and o.status not in ('CLOSED', 'CANCELLED') order by o.id);
begin
  return private.floor_refusal(409, 'production.ended', format('All steps are done and %s of %s are good. %s', trim_scale(v_good), trim_scale(p_order.quantity),
    case when v_again = '{}' then 'Close it, or take its end back.' else array_to_string(v_again, ', ') || ' makes the rest.' end),
    jsonb_build_object('good', trim_scale(v_good), 'quantity', trim_scale(p_order.quantity), 'replenishments', v_again));
end $$;

create function private.board_row(p_order public.production_orders)
returns public.production_board_row language plpgsql stable set search_path = '' as $$
declare
  v_row public.production_board_row;
begin
  v_row.order_row := p_order;
  v_row.product_title := (select i.title from public.inventory_items i where i.sku = p_order.product_sku);
  v_row.fulfillment_status := (select f.fulfillment_status from public.order_fulfilments f where f.production_order_id = p_order.id);
  v_row.progress := (select p from public.production_order_progress p where p.order_id = p_order.id);
  select coalesce(jsonb_agg(jsonb_build_object('sequence', s.sequence, 'step', s.step, 'status', s.status, 'planned', trim_scale(s.planned),
      'released', trim_scale(s.released), 'started', trim_scale(s.started), 'good', trim_scale(s.good), 'scrap', trim_scale(s.scrap),
      'returned', trim_scale(s.returned), 'in_process', trim_scale(s.in_process)) order by s.sequence), '[]'), coalesce(bool_or((x.outlook).can_run), false),
      coalesce(jsonb_agg(private.why_json((x.outlook).why) || jsonb_build_object('sequence', s.sequence) order by s.sequence)
        filter (where not (x.outlook).can_run and ((x.outlook).why).hint <> 'production.previous_step'), '[]')
    into v_row.steps, v_row.can_run, v_row.why
    from public.production_order_steps s
    left join lateral (select private.outlook(p_order, s) as outlook where s.status <> 'COMPLETED' and p_order.status not in ('CLOSED', 'CANCELLED')) x on true
   where s.order_id = p_order.id;
  v_row.why := v_row.why || private.why_not(p_order);
  v_row.root := (select o.code from public.replenishments r join public.production_orders o on o.id = r.root_id where r.order_id = p_order.id);
  v_row.replenishments := (select coalesce(jsonb_agg(jsonb_build_object('code', o.code, 'status', o.status, 'quantity', trim_scale(o.quantity),
    'sku', o.product_sku) order by o.id), '[]') from public.replenishments r join public.production_orders o on o.id = r.order_id where r.root_id = p_order.id);
  return v_row;
end $$;

create function private.board_keys(p_order public.production_orders, p_sort text)
returns jsonb language plpgsql immutable set search_path = '' as $$
declare
  v_due integer := coalesce(p_order.due_date - date '2000-01-01', 1000000000);
  v_rank smallint := private.rank_of_production(p_order);
begin
  return case p_sort when 'due' then jsonb_build_array(v_due, v_rank, p_order.id, '') when 'newest' then jsonb_build_array(-p_order.id, 0, 0, '')
    when 'code' then jsonb_build_array(0, 0, 0, p_order.code) else jsonb_build_array(v_rank, v_due, p_order.id, '') end;
end $$;
comment on function private.board_keys is 'What an order is sorted by: three numbers and a text; no due date comes last.';

create type private.board_filter as (sites text[], stores text[], statuses text[], types text[], due_from date, due_to date, search text, can_run boolean);

create function private.board_orders(p_filter private.board_filter)
returns setof public.production_orders language plpgsql stable set search_path = '' as $$
begin
  return query
    select o.* from public.production_orders o
     where (p_filter.statuses is not null or o.status not in ('CLOSED', 'CANCELLED')) and (p_filter.statuses is null or o.status = any (p_filter.statuses))
       and o.site = any (p_filter.sites) and (o.store is null or o.store = any (p_filter.stores)) and (p_filter.types is null or o.type = any (p_filter.types))
       and (p_filter.due_from is null or o.due_date >= p_filter.due_from) and (p_filter.due_to is null or o.due_date <= p_filter.due_to)
       and (p_filter.search is null or position(lower(p_filter.search) in lower(concat_ws(' ', o.code, o.product_sku, o.external_id,
         (select i.title from public.inventory_items i where i.sku = o.product_sku)))) > 0)
       and (p_filter.can_run is null or p_filter.can_run = exists (
         select from public.production_order_steps s where s.order_id = o.id and s.status <> 'COMPLETED' and (private.outlook(o, s)).can_run));
end $$;

create function public.get_production_board(
  p_statuses text[] default null, p_types text[] default null, p_due_from date default null, p_due_to date default null, p_search text default null,
  p_can_run boolean default null, p_sort text default 'priority', p_site text default null, p_cursor text default null, p_limit integer default 50,
  p_with_total boolean default false)
returns public.production_board language plpgsql stable security definer set search_path = '' as $$
declare
  v_after jsonb := private.keys_of(p_cursor, 4);
  v_limit integer := least(greatest(coalesce(p_limit, 50), 1), 200);
  v_filter private.board_filter;
  v_page public.production_orders[];
  v_board public.production_board;
begin
  perform private.authorize('production.read', null, p_site);
  if p_sort is null or p_sort not in ('priority', 'due', 'code', 'newest') then
    perform private.fail(422, 'production.sort', 'Sort by priority, due, code or newest.', jsonb_build_object('field', 'p_sort', 'actual', p_sort));
  elsif not p_statuses <@ '{OPEN_NOT_STARTED,IN_PROGRESS,OPEN_PARTIAL,CLOSED,CANCELLED}'::text[] or not p_types <@ '{PRODUCTION,REPLENISHMENT}'::text[] then
    perform private.fail(422, 'production.filter', 'There is no such status or type.', jsonb_build_object('statuses', p_statuses, 'types', p_types));
  end if;
  v_filter := row(private.sites_asked(p_site), private.readable_stores('production.read'), p_statuses, p_types, p_due_from, p_due_to, p_search, p_can_run);
  v_page := array(
    select o from private.board_orders(v_filter) o cross join lateral private.board_keys(o, p_sort) k
     where v_after is null or ((k ->> 0)::numeric, (k ->> 1)::numeric, (k ->> 2)::numeric, (k ->> 3) collate "C")
       > ((v_after ->> 0)::numeric, (v_after ->> 1)::numeric, (v_after ->> 2)::numeric, (v_after ->> 3) collate "C")
     order by (k ->> 0)::numeric, (k ->> 1)::numeric, (k ->> 2)::numeric, (k ->> 3) collate "C" limit v_limit + 1);
  if cardinality(v_page) > v_limit then
    v_page := v_page[1:v_limit];
    v_board.next_cursor := private.cursor_of(private.board_keys(v_page[v_limit], p_sort));
  end if;
  v_board.orders := array(select private.board_row(o) from unnest(v_page) o order by array_position(v_page, o));
  if p_with_total then
    v_board.total := (select count(*) from private.board_orders(v_filter));
  end if;
  return v_board;
end $$;
comment on function public.get_production_board is
$$Production orders for the planner: what can run now, what waits and why. p_statuses null: all open ones; p_types PRODUCTION, REPLENISHMENT; p_search in
code, product and external id; p_can_run: something can be done on the floor now (or not). p_sort priority (then due date), due, code or newest.
p_limit 1–200; total only with p_with_total.
Permission: production.read, at the sites and in the stores of the caller.
Errors: production.sort (422), production.filter (422), request.bad_cursor (400), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_work_centres, public.get_work_centre_queue, public.get_production_board to authenticated, service_role;

-- sql/M12_production/api_read_order.sql

create function private.steps_json(p_order public.production_orders)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(to_jsonb(s) || jsonb_build_object('title', p.title, 'can_start', trim_scale(x.can_start), 'can_run', x.can_run,
        'why', private.why_json(x.why), 'work_centres', (select coalesce(jsonb_agg(jsonb_build_object('code', w.code, 'title', w.title,
          'is_enabled', w.is_enabled) order by w.code), '[]') from public.work_centres w where w.step = s.step and w.site = p_order.site and w.is_active
          and private.may_use_centre(s, w.code)),
        'first_pass_good', trim_scale(coalesce(q.first_good, 0))) order by s.sequence), '[]')
      from public.production_order_steps s join public.process_steps p on p.code = s.step cross join lateral private.outlook(p_order, s) x
      left join private.quality_by_sequence(row(array[p_order.site], array[p_order.store], '-infinity', 'infinity', null, p_order.code)) q
        on q.sequence = s.sequence
     where s.order_id = p_order.id);
end $$;

create function private.parts_json(p_order_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('line', l.line, 'sku', l.sku, 'title', i.title, 'needed', trim_scale(l.needed), 'allocated', trim_scale(l.allocated),
        'consumed', trim_scale(l.consumed), 'missing', trim_scale(greatest(l.needed - l.allocated - l.consumed, 0))) order by l.line), '[]')
      from public.order_part_allocations l join public.inventory_items i on i.sku = l.sku where l.production_order_id = p_order_id);
end $$;

create function private.lots_json(p_order_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(to_jsonb(p) || jsonb_build_object('code', l.code, 'sku', l.sku, 'kind', l.kind, 'held_at', l.held_at,
        'hold_reason', l.hold_reason, 'label', private.label_state('production_order', l.sku || ' ' || l.code)) order by l.id), '[]')
      from public.production_lots p join public.lots l on l.id = p.lot_id where p.order_id = p_order_id);
end $$;

create function private.history_json(p_code text, p_limit integer)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('id', e.id, 'at', e.at, 'event', e.event, 'actor_id', e.actor_id, 'actor_name', s.full_name,
        'station', e.station, 'payload', private.with_reason_title(e.event, e.payload)) order by e.id desc), '[]')
      from (select v.* from public.events v where v.stream = 'production_order' and v.stream_id = p_code order by v.id desc limit p_limit) e
      left join public.staff_shared s on s.user_id = e.actor_id);
end $$;

create function public.get_production_order(p_code text, p_events integer default 100)
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_order public.production_orders := (private.find_production('production.read', p_code)).order_row;
  v_row public.production_board_row;
begin
  v_row := private.board_row(v_order);
  return to_jsonb(v_row) - 'steps' || jsonb_build_object(
    'steps', private.steps_json(v_order),
    'routing_version', (select r.version from public.routings r where r.id = (v_row.progress).routing_id),
    'parts', private.parts_json(v_order.id),
    'lots', private.lots_json(v_order.id),
    'label', private.label_state('production_order', v_order.code),
    'discrepancies', (select coalesce(jsonb_agg(to_jsonb(d) order by d.id), '[]') from public.production_discrepancies d
      where d.order_id = v_order.id and d.resolved_at is null),
    'approvals', (select coalesce(jsonb_agg(to_jsonb(a) order by a.id), '[]') from public.approvals a where a.order_id = v_order.id and a.status = 'PENDING'),
    'refs', (select coalesce(jsonb_agg(to_jsonb(r) - 'payload_hash' order by r.system), '[]') from public.production_order_refs r where r.order_id = v_order.id),
    'events', private.history_json(v_order.code, least(greatest(coalesce(p_events, 100), 0), 500)));
end $$;
comment on function public.get_production_order is
$$One order with all that belongs to it: {order_row, product_title, fulfillment_status, progress, can_run, why, root, replenishments, routing_version,
steps [the row, title, can_start, can_run, why, work_centres [{code, title, is_enabled}], first_pass_good], parts [{line, sku, title, needed, allocated,
consumed, missing}], lots [with label], label {state, job_state, job_id} or null, discrepancies, approvals (pending), refs [{system, external_id, version, …}], events (newest first, p_events of them, at most 500; the
payload of a quality record with its reason_title)}.
Permission: production.read at its site and in its store.
Errors: production.unknown (404).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_production_order to authenticated, service_role;

-- sql/M12_production/api_lots.sql

-- What people do with lots. Holding and releasing them: M10_units/holds.sql.

create type public.lot_balance as (lot public.lots, balance public.production_lots);
comment on type public.lot_balance is 'A lot, and how much of it there is; balance is null for a lot of which nothing was ever counted.';

create type public.lot_movement as (changed boolean, event_id bigint, activity public.trace_activities, lots public.lot_balance[]);
comment on type public.lot_movement is 'Answer of a command that moves lots: did it change anything, its event, what was noted, the lots now, first the one it was about.';

create function private.lot_balances(p_ids bigint[])
returns public.lot_balance[] language plpgsql stable set search_path = '' as $$
begin
  return array(
    select row(l, p)::public.lot_balance from unnest(p_ids) with ordinality as i (id, n)
      join public.lots l on l.id = i.id left join public.production_lots p on p.lot_id = l.id order by i.n);
end $$;

create function private.lock_lots(p_ids bigint[])
returns void language plpgsql set search_path = '' as $$
begin
  perform private.share_lots(p_ids);
  insert into public.production_lots (lot_id) select u from unnest(p_ids) u order by u on conflict on constraint production_lots_pkey do nothing;
  perform 1 from public.production_lots p where p.lot_id = any (p_ids) order by p.lot_id for update;
end $$;
comment on function private.lock_lots is
  'Lots that are about to be moved. Errors: lot.on_hold (423), lot.removed (409). Locks: the lots by id, shared, then their balances, by id.';

create function private.share_orders(p_lot_ids bigint[], p_order_id bigint default null)
returns void language plpgsql set search_path = '' as $$
begin
  perform 1 from public.production_orders o
   where o.id = p_order_id or o.id in (select p.order_id from public.production_lots p where p.lot_id = any (p_lot_ids)) order by o.id for key share;
end $$;
comment on function private.share_orders is
$$Before the lots: what is written about a lot of an order names the order, and so waits for whoever has it; and who has it waits for its lots. Locks: the
orders of these lots, by id, shared.$$;

create or replace function private.authorize_lots(p_ids bigint[], p_permission text)
returns void language plpgsql stable set search_path = '' as $$
begin
  perform private.authorize(p_permission, null, x.site) from (select distinct l.site from public.lots l where l.id = any (p_ids)) x;
  perform private.authorize(p_permission, x.store, x.site)
     from (select distinct o.store, o.site from public.production_lots p join public.production_orders o on o.id = p.order_id
       where p.lot_id = any (p_ids)) x;
end $$;
comment on function private.authorize_lots is
$$Lots are moved, held and changed by those who work where they lie; lots of orders at the sites and in the stores of those.
Errors: auth.other_site, auth.other_store (403).$$;

create function private.finish_movement(
  p_actor uuid, p_request_id uuid, p_activity_id bigint, p_lot_ids bigint[], p_event text, p_payload jsonb, p_site text default null)
returns public.lot_movement language plpgsql set search_path = '' as $$
declare
  v_movement public.lot_movement;
  v_lot public.lots := (select l from public.lots l where l.id = p_lot_ids[1]);
begin
  v_movement.changed := p_activity_id is not null;
  v_movement.activity := (select a from public.trace_activities a where a.id = p_activity_id);
  v_movement.lots := private.lot_balances(p_lot_ids);
  if v_movement.changed then
    v_movement.event_id := private.emit('lot', v_lot.sku || ' ' || v_lot.code, p_event, p_actor, jsonb_build_object('lot_id', v_lot.id,
      'version', v_lot.version, 'sku', v_lot.sku, 'code', v_lot.code, 'activity', p_activity_id) || jsonb_strip_nulls(p_payload), null, coalesce(p_site, v_lot.site));
  end if;
  perform private.remember(p_actor, p_request_id, to_jsonb(v_movement));
  return v_movement;
end $$;

create function private.part_to_move(p_balance public.production_lots, p_quantity numeric, p_part text)
returns numeric language plpgsql immutable set search_path = '' as $$
begin
  if p_part is null and p_balance.good > 0 and p_balance.good < p_balance.remaining and p_quantity < p_balance.remaining then
    perform private.fail(422, 'lot.which_part', 'Some of this lot is finished and some in process. Say which part is meant.', jsonb_build_object(
      'field', 'p_part', 'finished', trim_scale(p_balance.good), 'in_process', trim_scale(p_balance.remaining - p_balance.good)));
  elsif p_part is not null and p_part not in ('finished', 'in_process') then
    perform private.fail(422, 'lot.which_part', 'The part is finished or in_process.', jsonb_build_object('field', 'p_part', 'actual', p_part));
  end if;
  return case when p_part = 'in_process' then 0 when p_part = 'finished' then p_quantity else least(p_quantity, p_balance.good) end;
end $$;
comment on function private.part_to_move is 'How much of a quantity is finished pieces. Errors: lot.which_part (422).';

create function private.counted_lot(p_lot public.lots)
returns public.production_lots language plpgsql set search_path = '' as $$
declare
  v_balance public.production_lots := (select p from public.production_lots p where p.lot_id = p_lot.id);
begin
  if v_balance.is_counted is not true then
    perform private.fail(409, 'lot.not_counted', format('How much lot %s of %s holds was never counted. Receive it first.', p_lot.code, p_lot.sku),
      jsonb_build_object('lot', p_lot.code, 'sku', p_lot.sku));
  end if;
  return v_balance;
end $$;
comment on function private.counted_lot is 'The balance of a locked lot. Errors: lot.not_counted (409).';

create function public.receive_lot(
  p_sku text, p_code text, p_quantity numeric, p_supplier text default null, p_location text default null, p_notes text default null,
  p_request_id uuid default null)
returns public.lot_movement language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.move');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'receive_lot', jsonb_build_array(p_sku, p_code, p_quantity, p_supplier, p_location, p_notes));
  v_place public.locations;
  v_lot public.lots;
  v_activity public.trace_activities;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_movement, v_answer);
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  if p_location is not null then
    v_place := private.place(p_location);
    perform private.check_place(v_place, p_location);
  end if;
  perform private.refuse_lot_elsewhere(l, v_place.site) from public.lots l where lower(l.sku) = lower(p_sku) and lower(l.code) = lower(trim(p_code));
  v_lot := (public.upsert_lot(p_sku, p_code, null, p_supplier, p_notes, case when not exists (select from public.lots l
    where lower(l.sku) = lower(p_sku) and lower(l.code) = lower(trim(p_code))) then v_place.site end)).lot;   -- a lot of all sites stays one
  perform private.lock_lots(array[v_lot.id]);
  if exists (select from public.production_lots p where p.lot_id = v_lot.id and p.order_id is not null) then
    perform private.fail(409, 'lot.of_order', format('Lot %s is made by an order: its pieces are counted there.', v_lot.code), jsonb_build_object('lot', v_lot.code));
  end if;
  if p_location is not null then
    v_activity.txn_id := private.post_txn((private.item_to_move(v_lot.sku)).sku, v_place.code, 'receipt', p_quantity, 'lot', v_lot.code, null, v_actor);
    perform private.allocate(array[v_lot.sku], jsonb_build_object('event', 'lot.received', 'ref', v_lot.code));
  end if;
  v_activity.kind := 'receive';
  v_activity.actor_id := v_actor;
  return private.finish_movement(v_actor, p_request_id, private.book_activity(v_activity, '{}', array[row(v_lot.id, p_quantity, 0)::private.lot_part]),
    array[v_lot.id], 'lot.received', jsonb_build_object('quantity', trim_scale(p_quantity), 'location', v_place.code, 'txn_id', v_activity.txn_id), v_place.site);
end $$;
comment on function public.receive_lot is
$$So much of a lot came in; the lot is added when it is new. p_location: it goes on the shelf there; without it stock is not touched. It lies at
the site of the location, else at the only one of the caller (upsert_lot says another).
Permission: inventory.move, at the site of the location and of the lot.
Errors: item.unknown (404), stock.quantity (422), lot.of_order (409), lot.other_site (409), lot.on_hold (423), lot.removed (409), location.unknown (404), location.inactive (409), item.not_stocked (422), request.reused (422); constraints by name (lots_code_check …).
Idempotency: by p_request_id; without it each call adds.
Locks: the lot, then the item.$$;

create function public.split_lot(
  p_code text, p_quantity numeric, p_new_code text default null, p_sku text default null, p_part text default null, p_reason text default null,
  p_request_id uuid default null)
returns public.lot_movement language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.lots');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'split_lot', jsonb_build_array(p_code, p_quantity, p_new_code, p_sku, p_part, p_reason));
  v_lot public.lots;
  v_new public.lots;
  v_balance public.production_lots;
  v_activity public.trace_activities;
  v_good numeric;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_movement, v_answer);
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  perform private.check_length('p_reason', p_reason, 500);
  v_lot := private.find_lot(p_sku, p_code);
  perform private.authorize_lots(array[v_lot.id], 'production.lots');
  perform private.begin_genealogy();
  perform private.share_orders(array[v_lot.id]);
  perform private.lock_lots(array[v_lot.id]);
  v_balance := private.counted_lot(v_lot);
  v_good := private.part_to_move(v_balance, p_quantity, p_part);
  insert into public.lots (sku, code, kind, supplier, site, created_by)
  values (v_lot.sku, coalesce(trim(p_new_code), private.next_lot_code(v_lot)), case when v_lot.kind = 'FINISHED' and v_good < p_quantity then 'WIP' else v_lot.kind end,
    v_lot.supplier, v_lot.site, nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
  on conflict (sku, lower(code)) do nothing returning * into v_new;
  if v_new.id is null then
    perform private.fail(409, 'lot.exists', format('There is a lot %s of %s already. Choose another code.', trim(p_new_code), v_lot.sku),
      jsonb_build_object('field', 'p_new_code', 'lot', trim(p_new_code)));
  end if;
  insert into public.production_lots (lot_id, order_id) values (v_new.id, v_balance.order_id);
  perform private.link_lots(v_lot, v_new, p_quantity);
  v_activity.kind := 'split';
  v_activity.order_id := v_balance.order_id;
  v_activity.note := p_reason;
  v_activity.actor_id := v_actor;
  return private.finish_movement(v_actor, p_request_id, private.book_activity(v_activity, array[row(v_lot.id, p_quantity, v_good)::private.lot_part],
    array[row(v_new.id, p_quantity, v_good)::private.lot_part]), array[v_new.id, v_lot.id], 'lot.split',
    jsonb_build_object('from', v_lot.code, 'quantity', trim_scale(p_quantity), 'finished', trim_scale(v_good), 'reason', p_reason));
end $$;
comment on function public.split_lot is
$$So much of a lot becomes a lot of its own (p_new_code, else the code with -1, -2 …), made of the first one and of the same order. p_part finished or
in_process where the lot has both.
Permission: production.lots at the site of the lot; of a lot of an order, at its site and in its store.
Errors: lot.unknown (404), lot.ambiguous (409), lot.on_hold (423), lot.removed (409), lot.not_counted (409), lot.short (409), lot.exists (409), lot.which_part (422), stock.quantity (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it each call splits.
Locks: the genealogy (shared), its order (shared), the lot.$$;

create function private.next_lot_code(p_lot public.lots)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_n integer := 1;
begin
  while exists (select from public.lots l where l.sku = p_lot.sku and lower(l.code) = lower(left(p_lot.code, 70) || '-' || v_n)) loop
    v_n := v_n + 1;
  end loop;
  return left(p_lot.code, 70) || '-' || v_n;
end $$;

create function private.lots_to_merge(p_codes text[], p_sku text)
returns public.lots[] language plpgsql stable set search_path = '' as $$
declare
  v_lots public.lots[];
  v_lot public.lots;
  v_code text;
begin
  if coalesce(cardinality(p_codes), 0) not between 1 and 100 then
    perform private.fail(422, 'lot.merge', 'Name 1 to 100 lots that go into another one.', jsonb_build_object('field', 'p_codes'));
  end if;
  foreach v_code in array p_codes loop
    v_lot := private.find_lot(p_sku, v_code);
    v_lots := v_lots || v_lot;
  end loop;
  if (select count(distinct l.sku) > 1 or count(distinct l.id) < count(*) from unnest(v_lots) l) then
    perform private.fail(422, 'lot.merge', 'Only different lots of one item become one lot.', jsonb_build_object('field', 'p_codes',
      'skus', array(select distinct l.sku from unnest(v_lots) l order by 1)));
  end if;
  return v_lots;
end $$;

create function public.merge_lots(
  p_codes text[], p_into text, p_sku text default null, p_reason text default null, p_request_id uuid default null)
returns public.lot_movement language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.lots');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'merge_lots', jsonb_build_array(p_codes, p_into, p_sku, p_reason));
  v_lots public.lots[];
  v_into public.lots;
  v_parts private.lot_part[];
  v_activity public.trace_activities;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_movement, v_answer);
  end if;
  perform private.check_length('p_reason', p_reason, 500);
  v_lots := private.lots_to_merge(p_codes, p_sku);
  perform private.authorize_lots(array(select l.id from unnest(v_lots) l), 'production.lots');
  perform private.begin_genealogy();
  insert into public.lots (sku, code, kind, site, created_by)
  select v_lots[1].sku, trim(p_into), min(l.kind), min(l.site), nullif(v_actor, '00000000-0000-0000-0000-000000000000') from unnest(v_lots) l
  on conflict (sku, lower(code)) do nothing;
  select l.* into v_into from public.lots l where l.sku = v_lots[1].sku and lower(l.code) = lower(trim(p_into));
  perform private.authorize_lots(array[v_into.id], 'production.lots');
  perform private.share_orders(array(select l.id from unnest(v_lots) l) || v_into.id);
  perform private.refuse_lot_elsewhere(l, v_into.site) from unnest(v_lots) l;
  perform private.lock_lots(array(select l.id from unnest(v_lots) l union select v_into.id));
  v_parts := array(select row(l.id, p.remaining, p.good)::private.lot_part from unnest(v_lots) l cross join lateral private.counted_lot(l) p
    where l.id <> v_into.id and p.remaining > 0 order by l.id);
  if cardinality(v_parts) > 0 then
    v_activity.order_id := private.order_of_merged(v_into, v_parts);
    perform private.link_lots(l, v_into, p.quantity) from unnest(v_parts) p join public.lots l on l.id = p.lot_id;
    v_activity.kind := 'merge';
    v_activity.note := p_reason;
    v_activity.actor_id := v_actor;
    v_activity.id := private.book_activity(v_activity, v_parts, array(
      select row(v_into.id, sum(p.quantity), sum(p.good))::private.lot_part from unnest(v_parts) p));
  end if;
  return private.finish_movement(v_actor, p_request_id, v_activity.id, v_into.id || array(select p.lot_id from unnest(v_parts) p), 'lot.merged',
    jsonb_build_object('from', array(select l.code from unnest(v_parts) p join public.lots l on l.id = p.lot_id order by l.code),
      'quantity', (select trim_scale(sum(p.quantity)) from unnest(v_parts) p), 'reason', p_reason));
end $$;
comment on function public.merge_lots is
$$All that is left of lots of one item goes into one lot, p_into: a new one, or one that is there. Pieces in process merge within their order only.
Permission: production.lots at the site of the lots; of lots of orders, at their sites and in their stores.
Errors: lot.merge (422), lot.unknown (404), lot.ambiguous (409), lot.other_site (409), lot.on_hold (423), lot.removed (409), lot.not_counted (409), lot.other_order (409), request.too_long (422), request.reused (422); constraints by name (lots_code_check …).
Idempotency: by p_request_id; lots that are empty already answer changed = false.
Locks: the genealogy (shared), their orders (shared), the lots by id.$$;

create function private.order_of_merged(p_into public.lots, p_parts private.lot_part[])
returns bigint language plpgsql set search_path = '' as $$
declare
  v_into public.production_lots := (select p from public.production_lots p where p.lot_id = p_into.id);
  v_orders bigint[];
  v_in_process boolean;
begin
  select array_agg(distinct p.order_id), bool_or(p.order_id is not null and x.good < x.quantity) into v_orders, v_in_process
    from unnest(p_parts) x join public.production_lots p on p.lot_id = x.lot_id;
  if v_into.order_id is null and not v_into.is_counted and cardinality(v_orders) = 1 then
    update public.production_lots p set order_id = v_orders[1] where p.lot_id = p_into.id returning p.* into v_into;
  end if;
  if v_in_process and (cardinality(v_orders) > 1 or v_orders[1] is distinct from v_into.order_id) then
    perform private.fail(409, 'lot.other_order', 'Pieces in process stay in lots of their order. Finish them first.', jsonb_build_object('lot', p_into.code,
      'orders', array(select o.code from public.production_orders o where o.id = any (v_orders) order by 1)));
  end if;
  return case when cardinality(v_orders) = 1 then v_orders[1] end;
end $$;
comment on function private.order_of_merged is
  'A new lot that is merged of lots of one order is a lot of that order. Answers the order of the parts when it is one. Errors: lot.other_order (409).';
grant execute on function public.receive_lot, public.split_lot, public.merge_lots to authenticated, service_role;

-- sql/M12_production/api_lot_use.sql

create function public.consume_lot(
  p_code text, p_quantity numeric, p_order text, p_sku text default null, p_sequence integer default null, p_into_lot text default null,
  p_location text default null, p_request_id uuid default null)
returns public.lot_movement language plpgsql security definer set search_path = '' as $$
declare
  v_order public.production_orders := (select o from public.production_orders o where o.code = p_order);
  v_actor uuid := private.authorize('production.lots', v_order.store, v_order.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'consume_lot',
    jsonb_build_array(p_code, p_quantity, p_order, p_sku, p_sequence, p_into_lot, p_location));
  v_lot public.lots;
  v_into public.lots;
  v_activity public.trace_activities;
  v_balance public.production_lots;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_movement, v_answer);
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  perform private.begin_genealogy();
  v_order := private.order_taking_material(v_order, p_order, p_sequence, private.may('production.late_material'));
  v_lot := private.material_lot(v_order, p_sequence, p_sku, p_code);
  perform private.authorize_lots(array[v_lot.id], 'production.lots');
  v_into := private.lot_of_order(v_order, p_into_lot, v_actor);
  perform private.lock_lots(array[v_lot.id, v_into.id]);
  v_balance := (select p from public.production_lots p where p.lot_id = v_lot.id);
  if v_balance.order_id is distinct from v_order.id then
    perform private.refuse_used_up(v_lot);
  end if;
  if v_balance.order_id = v_order.id then
    perform private.link_lots(v_lot, v_into, p_quantity);   -- rework within the order may come back to where it was
  else
    perform private.link('lot', v_lot.code, 'lot', v_into.code, p_quantity, v_lot.sku, v_into.sku);
  end if;
  if v_balance.order_id <> v_order.id and p_quantity > v_balance.good
     and (select o.is_routed from public.production_orders o where o.id = v_balance.order_id) then
    perform private.fail(409, 'lot.in_process', format('Only finished pieces of lot %s can be used: %s.', v_lot.code, trim_scale(v_balance.good)),
      jsonb_build_object('lot', v_lot.code, 'good', trim_scale(v_balance.good), 'actual', trim_scale(p_quantity)));
  end if;
  if p_location is not null then
    perform private.authorize('inventory.move', null, (private.place(p_location)).site);
    v_activity.txn_id := private.take_lot(v_order, v_lot, p_quantity, p_location, v_actor);
  end if;
  v_activity.order_id := v_order.id;
  v_activity.sequence := p_sequence;
  v_activity.actor_id := v_actor;
  v_activity.id := private.book_use(v_activity, v_balance, v_into.id, p_quantity);
  perform private.emit('production_order', v_order.code, 'production.material_used', v_actor, jsonb_strip_nulls(jsonb_build_object('version', v_order.version,
    'sequence', p_sequence, 'lot', v_lot.code, 'sku', v_lot.sku, 'quantity', trim_scale(p_quantity), 'into', v_into.code,
    'is_late', case when v_order.status = 'CLOSED' then true end)), v_order.store, v_order.site);
  return private.finish_movement(v_actor, p_request_id, v_activity.id, array[v_lot.id, v_into.id], 'lot.consumed', jsonb_build_object('order', v_order.code,
    'sequence', p_sequence, 'into', v_into.code, 'quantity', trim_scale(p_quantity), 'txn_id', v_activity.txn_id), v_order.site);
end $$;
comment on function public.consume_lot is
$$So much of a lot goes into a production order: into its own lot, or p_into_lot of the same order. p_sequence: at this step, whose materials it has to
fit. A lot of the order itself is reworked: nothing of it is used up. p_location: take it from the shelf there, for what the release of the order did not take; without it stock is not touched.
What was forgotten can still be said of an order that is closed, never of one that is cancelled: its event says is_late.
Permission: production.lots at the order's site and in its store, production.late_material when it is closed; inventory.move when it is taken from the shelf;
where the lot is of another order, at that one's site and in its store.
Errors: production.unknown (404), production.closed (409), production.no_step (404), production.wrong_material (409), lot.unknown (404), lot.ambiguous (409), lot.other_site (409), lot.on_hold (423), lot.removed (409), lot.used_up (409), lot.short (409), lot.other_order (409), lot.in_process (409), trace.circle (409), stock.quantity (422), location.unknown (404), location.inactive (409), item.not_stocked (422), stock.short (409), request.reused (422).
Idempotency: by p_request_id; without it each call uses more.
Locks: the genealogy (shared), the order, the lots by id, then the item.$$;

create function private.book_use(p_activity public.trace_activities, p_from public.production_lots, p_into bigint, p_quantity numeric)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_part private.lot_part := row(p_from.lot_id, p_quantity, least(p_quantity, greatest(p_from.good, 0)));
begin
  if p_from.order_id is distinct from p_activity.order_id then
    p_activity.kind := 'consume';
    return private.book_activity(p_activity, array[v_part], array[row(p_into, null, 0)::private.lot_part]);
  end if;
  -- The order takes its own pieces in hand again: they stay its pieces, and all of them can still be reported.
  if p_from.is_counted and p_quantity > p_from.remaining then
    perform private.lot_short(array[p_from.lot_id]);
  elsif p_from.lot_id = p_into then
    p_activity.kind := 'rework';
    return private.book_activity(p_activity, array[row(p_into, p_quantity, 0)::private.lot_part], '{}');
  end if;
  p_activity.kind := 'merge';
  v_part.good := greatest(p_quantity - (p_from.remaining - p_from.good), 0);   -- those in process first
  return private.book_activity(p_activity, array[v_part], array[row(p_into, p_quantity, v_part.good)::private.lot_part]);
end $$;
comment on function private.book_use is
$$Material goes into a lot of an order. What comes from another lot of the same order moves there, and what comes from that lot itself stays in it: rework uses
up nothing. Errors: lot.short (409).$$;

create function private.order_taking_material(
  p_order public.production_orders, p_code text, p_sequence integer, p_may_be_late boolean)
returns public.production_orders language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders;
begin
  select o.* into v_order from public.production_orders o where o.id = p_order.id for update;   -- alone: its lot may have to be made
  if v_order.id is null then
    perform private.fail(404, 'production.unknown', 'There is no production order ' || coalesce(p_code, '') || '.', jsonb_build_object('code', p_code));
  end if;
  if v_order.status <> 'CLOSED' or not p_may_be_late then
    perform private.refuse_closed(v_order);
  end if;
  if p_sequence is not null and not exists (select from public.production_order_steps s where s.order_id = v_order.id and s.sequence = p_sequence) then
    perform private.fail(404, 'production.no_step', format('Order %s has no step %s.', v_order.code, p_sequence), jsonb_build_object('field', 'p_sequence',
      'expected', array(select s.sequence from public.production_order_steps s where s.order_id = v_order.id order by 1), 'actual', p_sequence));
  end if;
  return v_order;
end $$;
comment on function private.order_taking_material is 'Errors: production.unknown (404), production.closed (409), production.no_step (404). Locks: the order.';

create function private.material_lot(p_order public.production_orders, p_sequence integer, p_sku text, p_code text)
returns public.lots language plpgsql stable set search_path = '' as $$
declare
  v_own public.lots;
begin
  select l.* into v_own from public.production_lots p join public.lots l on l.id = p.lot_id   -- a lot of the order itself: rework
   where p.order_id = p_order.id and lower(l.code) = lower(p_code) and (p_sku is null or lower(l.sku) = lower(p_sku));
  if v_own.id is not null then
    return v_own;
  end if;
  return private.lot_of_material(p_order,
    (select s.materials from public.production_order_steps s where s.order_id = p_order.id and s.sequence = p_sequence), p_sku, p_code);
end $$;

create function private.take_lot(p_order public.production_orders, p_lot public.lots, p_quantity numeric, p_location text, p_actor uuid)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_place public.locations := private.place(p_location);
  v_txn bigint;
begin
  perform private.check_place(v_place, p_location);
  v_txn := private.post_txn((private.item_to_move(p_lot.sku)).sku, v_place.code, 'consume', -p_quantity, 'production_order', p_order.code,
    'Lot ' || p_lot.code, p_actor);
  perform private.allocate(array[p_lot.sku], jsonb_build_object('event', 'lot.consumed', 'ref', p_order.code));
  return v_txn;
end $$;
comment on function private.take_lot is
  'Takes so much of a lot from the shelf. Errors: location.unknown (404), location.inactive (409), item.not_stocked (422), stock.short (409). Locks: the item.';

create function public.dispose_lot(
  p_code text, p_quantity numeric, p_how text, p_reason text, p_sku text default null, p_request_id uuid default null)
returns public.lot_movement language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.lots');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'dispose_lot', jsonb_build_array(p_code, p_quantity, p_how, p_reason, p_sku));
  v_lot public.lots;
  v_balance public.production_lots;
  v_activity public.trace_activities;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_movement, v_answer);
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  perform private.check_unit_reason(p_reason);
  if p_how is null or p_how not in ('scrap', 'return') then
    perform private.fail(422, 'lot.how', 'Say what becomes of it: scrap, or return to the supplier.', jsonb_build_object('field', 'p_how', 'actual', p_how));
  end if;
  v_lot := private.find_lot(p_sku, p_code);
  perform private.authorize_lots(array[v_lot.id], 'production.lots');
  perform private.share_orders(array[v_lot.id]);
  perform 1 from public.lots l where l.id = v_lot.id for share;   -- on hold or not: this is how a bad lot ends
  insert into public.production_lots (lot_id) values (v_lot.id) on conflict on constraint production_lots_pkey do nothing;
  select p.* into v_balance from public.production_lots p where p.lot_id = v_lot.id for update;
  if v_balance.order_id is not null and p_quantity > v_balance.good then
    perform private.fail(409, 'lot.in_process', format('Pieces of lot %s that are not finished are reported at their step.', v_lot.code),
      jsonb_build_object('lot', v_lot.code, 'finished', trim_scale(v_balance.good), 'in_process', trim_scale(v_balance.remaining - v_balance.good)));
  end if;
  perform private.counted_lot(v_lot);
  v_activity.kind := p_how;
  v_activity.order_id := v_balance.order_id;
  v_activity.note := p_reason;
  v_activity.actor_id := v_actor;
  return private.finish_movement(v_actor, p_request_id, private.book_activity(v_activity,
    array[row(v_lot.id, p_quantity, least(p_quantity, v_balance.good))::private.lot_part], '{}'), array[v_lot.id],
    case p_how when 'scrap' then 'lot.scrapped' else 'lot.returned' end, jsonb_build_object('quantity', trim_scale(p_quantity), 'reason', p_reason));
end $$;
comment on function public.dispose_lot is
$$So much of a lot is thrown away (p_how scrap) or goes back to its supplier (return). A lot on hold too. Of a lot of an order only what is finished:
pieces in process are reported at their step. Stock is not touched.
Permission: production.lots at the site of the lot; of a lot of an order, at its site and in its store.
Errors: lot.unknown (404), lot.ambiguous (409), lot.how (422), lot.in_process (409), lot.not_counted (409), lot.short (409), stock.quantity (422), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it each call takes more.
Locks: its order (shared), the lot.$$;

create function public.undo_lot_activity(p_activity_id bigint, p_reason text default null, p_request_id uuid default null)
returns public.lot_movement language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.lots');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'undo_lot_activity', jsonb_build_array(p_activity_id, p_reason));
  v_done public.trace_activities;
  v_back public.trace_activities;
  v_inputs private.lot_part[];
  v_outputs private.lot_part[];
  v_ids bigint[];
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_movement, v_answer);
  end if;
  perform private.check_length('p_reason', p_reason, 500);
  v_done := private.activity_to_undo(p_activity_id);
  perform private.begin_genealogy();
  v_inputs := array(select row(i.lot_id, i.quantity, i.good)::private.lot_part from public.trace_inputs i where i.activity_id = v_done.id order by 1);
  v_outputs := array(select row(o.lot_id, o.quantity, o.good)::private.lot_part from public.trace_outputs o where o.activity_id = v_done.id order by 1);
  v_ids := array(select i.lot_id from unnest(v_inputs) i union all select o.lot_id from unnest(v_outputs) o);
  perform private.authorize_lots(v_ids, 'production.lots');
  perform private.authorize('inventory.move', null, l.site)
    from public.inventory_txn t join public.locations l on l.code = t.location where t.id = v_done.txn_id;
  perform private.share_orders(v_ids, v_done.order_id);
  perform 1 from public.lots l where l.id = any (v_ids) order by l.id for share;
  perform 1 from public.production_lots p where p.lot_id = any (v_ids) order by p.lot_id for update;
  if exists (select from public.trace_activities a where a.reverses = v_done.id) then   -- a twin took it back while we waited
    return private.finish_movement(v_actor, p_request_id, null, v_ids, null, null);
  end if;
  v_back.kind := v_done.kind; v_back.order_id := v_done.order_id; v_back.sequence := v_done.sequence;
  v_back.reverses := v_done.id; v_back.is_reversal := true; v_back.note := p_reason; v_back.actor_id := v_actor;
  v_back.txn_id := private.put_back_lot(v_done, p_reason, v_actor);
  perform private.unlink('lot', f.code, 'lot', t.code, i.quantity, f.sku, t.sku)
     from unnest(v_inputs) i cross join unnest(v_outputs) o join public.lots f on f.id = i.lot_id join public.lots t on t.id = o.lot_id
    where f.id <> t.id;
  return private.finish_movement(v_actor, p_request_id, private.book_activity(v_back, v_inputs, v_outputs), v_ids, 'lot.undone',
    jsonb_build_object('undoes', v_done.id, 'kind', v_done.kind, 'reason', p_reason));
end $$;
comment on function public.undo_lot_activity is
$$A receipt, split, merge, use, scrap or return of lots is taken back (p_activity_id of its answer), on the shelf too. Not possible once the lots
went on: then that is to be undone first. What a count of pieces did is undone with the count.
Permission: production.lots; of lots of orders, at their sites and in their stores; inventory.move at the site of the shelf it came from or went to.
Errors: lot.activity (404), lot.of_count (409), lot.short (409), stock.short (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; taken back before, it answers changed = false.
Locks: the genealogy (shared), the orders (shared), the lots by id, then the item.$$;

create function private.activity_to_undo(p_activity_id bigint)
returns public.trace_activities language plpgsql stable set search_path = '' as $$
declare
  v_done public.trace_activities := (select a from public.trace_activities a where a.id = p_activity_id);
begin
  if v_done.id is null then
    perform private.fail(404, 'lot.activity', 'There is no such activity.', jsonb_build_object('activity_id', p_activity_id));
  elsif v_done.count_id is not null or v_done.is_reversal then
    perform private.fail(409, 'lot.of_count', 'That came from a count of pieces: undo the count.', jsonb_build_object('activity_id', p_activity_id));
  end if;
  return v_done;
end $$;

create function private.put_back_lot(p_done public.trace_activities, p_reason text, p_actor uuid)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_txn public.inventory_txn := (select t from public.inventory_txn t where t.id = p_done.txn_id);
  v_id bigint;
begin
  if v_txn.id is not null then
    v_id := private.post_txn(v_txn.sku, v_txn.location, v_txn.kind, -v_txn.quantity, v_txn.ref_stream, v_txn.ref_id, p_reason, p_actor, v_txn.unit_cost,
      null, v_txn.id);
    perform private.allocate(array[v_txn.sku], jsonb_build_object('event', 'lot.undone', 'ref', v_txn.ref_id));
  end if;
  return v_id;
end $$;

create function public.remove_lot(
  p_code text, p_reason text default null, p_sku text default null, p_is_removed boolean default true, p_request_id uuid default null)
returns public.lot_movement language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.lots');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'remove_lot', jsonb_build_array(p_code, p_reason, p_sku, p_is_removed));
  v_movement public.lot_movement;
  v_lot public.lots;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lot_movement, v_answer);
  end if;
  v_lot := private.find_lot(p_sku, p_code);
  perform private.authorize_lots(array[v_lot.id], 'production.lots');
  if p_is_removed then
    perform private.check_unit_reason(p_reason);
  end if;
  perform 1 from public.lots l where l.id = v_lot.id for update;
  insert into public.production_lots (lot_id) values (v_lot.id) on conflict on constraint production_lots_pkey do nothing;
  update public.production_lots p
     set removed_at = case when p_is_removed then now() end, remove_reason = case when p_is_removed then p_reason end,
         removed_by = case when p_is_removed then nullif(v_actor, '00000000-0000-0000-0000-000000000000') end
   where p.lot_id = v_lot.id and (p.removed_at is null) = p_is_removed;
  v_movement.changed := found;
  v_movement.lots := private.lot_balances(array[v_lot.id]);
  if v_movement.changed then
    v_movement.event_id := private.emit('lot', v_lot.sku || ' ' || v_lot.code, case when p_is_removed then 'lot.removed' else 'lot.restored' end, v_actor,
      jsonb_build_object('lot_id', v_lot.id, 'version', v_lot.version, 'sku', v_lot.sku, 'code', v_lot.code, 'reason', p_reason), null, v_lot.site);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_movement));
  return v_movement;
end $$;
comment on function public.remove_lot is
$$The lot is taken out of use: nothing of it goes anywhere any more, and lists leave it out; what was made of it is still traced through it.
p_is_removed false: it is in use again.
Permission: production.lots at the site of the lot; of a lot of an order, at its site and in its store.
Errors: lot.unknown (404), lot.ambiguous (409), unit.reason_required (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a repeat answers changed = false.
Locks: the lot.$$;
grant execute on function public.consume_lot, public.dispose_lot, public.undo_lot_activity, public.remove_lot to authenticated, service_role;

-- sql/M12_production/api_trace.sql

-- Where did it come from, where did it go, what happened to it: by lot, by order, by label.

create type public.trace_event as (
  id bigint, at timestamptz, stream text, stream_id text, event text, event_type text, actor_id uuid, actor_name text, station text, payload jsonb);
comment on type public.trace_event is 'Something that happened, with the name users know (event_type) and who did it; the payload of a quality record with its reason_title.';

create type public.lot_page as (lots public.lot_balance[], next_cursor text);
comment on type public.lot_page is 'A page of lots, newest first; next_cursor is null on the last page.';

create type public.lot_genealogy as (
  node bigint, made_of public.trace_entry[], went_into public.trace_entry[], edges jsonb, loops bigint[], is_complete boolean);
comment on type public.lot_genealogy is
$$For drawing: the node of the lot, entries on both sides of it, edges [{parent, child, quantity, at, removed_at}] between them and it. loops: nodes that
are on both sides (rework). is_complete: the entries are all there is.$$;

create type public.lot_detail as (
  lot public.lots, balance public.production_lots, order_code text, mass jsonb, genealogy public.lot_genealogy, activities jsonb,
  quality public.quality_records[], events public.trace_event[], reason_titles jsonb);
comment on type public.lot_detail is
$$One lot. mass {received, moved_in, moved_out, used, scrapped, returned, remaining, finished, in_process, in_units, is_counted, is_balanced}. activities [{id,
kind, at, order, sequence, note, is_reversal, reverses, can_undo, inputs: [{lot, sku, quantity}], outputs: [the same]}], newest first. events: the newest, see
get_lot_timeline. reason_titles {code: title} of the reasons in quality.$$;

create type public.production_trace as (
  order_row public.production_orders, progress public.production_order_progress, steps public.production_order_steps[],
  counts public.piece_counts[], lots public.lot_balance[], replenishments jsonb, genealogy public.lot_genealogy, quality public.quality_records[],
  events public.trace_event[]);
comment on type public.production_trace is
'One production order: its steps and counts, its lots and what they are made of and went into, what was made again for it, what happened.';

create type public.label_trace as (
  label jsonb, subject text, kind text, unit_sn text, ticket_id text, production_order text, lots public.lot_balance[], events public.trace_event[]);
comment on type public.label_trace is
$$What a label stands for: label {job_id, seq, label_type, state, data, job_state, printer, wanted_at}, null when the code itself was given; kind unit, ticket, lot,
production_order, box or null; the production order and the lots behind it; what happened to it and to them.$$;

create function private.trace_events(p_streams text[], p_before bigint, p_limit integer)
returns setof public.trace_event language plpgsql stable set search_path = '' as $$
begin
  return query
    select e.id, e.at, e.stream, e.stream_id, e.event, coalesce(x.event_type, upper(replace(e.event, '.', '_'))), e.actor_id,
        coalesce(s.full_name, d.name), e.station, private.with_reason_title(e.event, e.payload)
      from unnest(p_streams) with ordinality as w (stream_id, n)
     cross join lateral (
       select v.* from public.events v
        where v.stream = split_part(w.stream_id, '/', 1) and v.stream_id = substr(w.stream_id, strpos(w.stream_id, '/') + 1) and (p_before is null or v.id < p_before)
        order by v.id desc limit p_limit) e
      left join public.execution_events x on e.stream = 'production_order' and x.code = e.stream_id and x.id = e.id
      left join public.staff_shared s on s.user_id = e.actor_id
      left join public.devices d on d.user_id = e.actor_id
     order by e.id desc limit p_limit;
end $$;
comment on function private.trace_events is 'The newest events of several things, newest first. p_streams: stream/stream_id of each.';

create function private.orders_read(p_ids bigint[])
returns bigint[] language plpgsql stable set search_path = '' as $$
declare
  v_sites text[] := private.readable_sites('production.read');
  v_stores text[] := private.readable_stores('production.read');
begin
  return array(
    select o.id from public.production_orders o
     where o.id = any (p_ids) and o.site = any (v_sites) and (o.store is null or o.store = any (v_stores)) order by o.id);
end $$;
comment on function private.orders_read is 'Which of these orders the caller may read: as get_production_order decides it, by site and store.';

create function private.orders_of_lots(p_lots bigint[])
returns bigint[] language plpgsql stable set search_path = '' as $$
begin
  return private.orders_read(array(select distinct p.order_id from public.production_lots p where p.lot_id = any (p_lots) and p.order_id is not null));
end $$;
comment on function private.orders_of_lots is 'The orders that make these lots, as far as the caller may read them.';

create function private.streams_of_lots(p_lots bigint[])
returns text[] language plpgsql stable set search_path = '' as $$
declare
  v_orders bigint[] := private.orders_of_lots(p_lots);
begin
  return array(
    select 'lot/' || l.sku || ' ' || l.code from public.lots l where l.id = any (p_lots)
    union
    select 'production_order/' || o.code from public.production_orders o where o.id = any (v_orders));
end $$;
comment on function private.streams_of_lots is 'Of the lots, and of the orders that make them as far as the caller may read those.';

create function private.lot_genealogy(p_starts bigint[], p_with_removed boolean, p_limit integer)
returns public.lot_genealogy language plpgsql stable set search_path = '' as $$
declare
  v_below bigint[] := array(select t.node from private.trace(p_starts, false, p_with_removed) t (node));
  v_above bigint[] := array(select t.node from private.trace(p_starts, true, p_with_removed) t (node));
  v_made_of private.trace_summary := private.trace_summary(array(select b from unnest(v_below) b where not b = any (p_starts)), p_limit);
  v_went_into private.trace_summary := private.trace_summary(array(select a from unnest(v_above) a where not a = any (p_starts)), p_limit);
  v_listed bigint[] := array(select u from unnest(p_starts || v_made_of.listed || v_went_into.listed) u group by u);
begin
  return row(p_starts[1], array(select e from private.trace_entries(v_made_of.listed) e), array(select e from private.trace_entries(v_went_into.listed) e),
    private.trace_edges_among(v_listed, p_with_removed), array(select b from unnest(v_below) b where b = any (v_above) and (not b = any (p_starts)
      or exists (select from public.trace_nodes n join public.lots l on l.sku = n.sku and l.code = n.key join public.trace_inputs i on i.lot_id = l.id
        join public.trace_activities a on a.id = i.activity_id and a.kind = 'rework'
       where n.id = b and n.kind = 'lot')) order by b),
    cardinality(v_made_of.listed) + cardinality(v_went_into.listed) >= cardinality(v_below) + cardinality(v_above) - 2 * cardinality(p_starts))::public.lot_genealogy;
end $$;
comment on function private.lot_genealogy is 'Both sides of the nodes, at most p_limit entries of each kind on each side.';

create function private.lot_activities(p_lot_id bigint, p_limit integer)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_ids bigint[] := array(
    select i.activity_id from public.trace_inputs i where i.lot_id = p_lot_id
    union
    select u.activity_id from public.trace_outputs u where u.lot_id = p_lot_id order by 1 desc limit p_limit);
  v_orders bigint[] := private.orders_read(array(select distinct a.order_id from public.trace_activities a where a.id = any (v_ids) and a.order_id is not null));
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('id', a.id, 'kind', a.kind, 'at', a.at, 'order', o.code, 'sequence', a.sequence, 'note', a.note,
        'is_reversal', a.is_reversal, 'reverses', a.reverses, 'can_undo', a.count_id is null and not a.is_reversal
          and not exists (select from public.trace_activities r where r.reverses = a.id),
        'inputs', (select coalesce(jsonb_agg(jsonb_build_object('lot', l.code, 'sku', l.sku, 'quantity', trim_scale(i.quantity)) order by l.sku, l.code), '[]')
          from public.trace_inputs i join public.lots l on l.id = i.lot_id where i.activity_id = a.id),
        'outputs', (select coalesce(jsonb_agg(jsonb_build_object('lot', l.code, 'sku', l.sku, 'quantity', trim_scale(u.quantity)) order by l.sku, l.code), '[]')
          from public.trace_outputs u join public.lots l on l.id = u.lot_id where u.activity_id = a.id)) order by a.id desc), '[]')
      from public.trace_activities a left join public.production_orders o on o.id = a.order_id and o.id = any (v_orders)
     where a.id = any (v_ids));
end $$;

create function private.mass_balance(p_lot_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_lot public.production_lots := (select p from public.production_lots p where p.lot_id = p_lot_id);
  v_in_units numeric := (select coalesce(sum(c.quantity), 0) from public.unit_components c
    where c.lot_id = p_lot_id and (c.removed_at is null or c.removal = 'scrapped'));
  v_is_counted boolean := coalesce(v_lot.is_counted, false);
begin
  return jsonb_build_object('received', trim_scale(coalesce(v_lot.received, 0)), 'moved_in', trim_scale(coalesce(v_lot.moved_in, 0)),
    'moved_out', trim_scale(coalesce(v_lot.moved_out, 0)), 'used', trim_scale(coalesce(v_lot.used, 0)), 'scrapped', trim_scale(coalesce(v_lot.scrapped, 0)),
    'returned', trim_scale(coalesce(v_lot.returned, 0)), 'in_units', trim_scale(v_in_units), 'is_counted', v_is_counted,
    'remaining', case when v_is_counted then trim_scale(v_lot.remaining) end, 'finished', trim_scale(coalesce(v_lot.good, 0)),
    'in_process', case when v_lot.order_id is not null then trim_scale(v_lot.remaining - v_lot.good) else 0 end,
    'is_balanced', v_is_counted and v_in_units <= v_lot.remaining and v_lot.received + v_lot.moved_in
      = (select coalesce(sum(e.received + e.moved_in), 0) from private.lot_effects e where e.lot_id = p_lot_id)
      and v_lot.remaining = (select sum(e.received + e.moved_in - e.moved_out - e.used - e.scrapped - e.returned) from private.lot_effects e where e.lot_id = p_lot_id));
end $$;
comment on function private.mass_balance is
$$received + moved_in = moved_out + used + scrapped + returned + remaining, all from the activities of the lot; in_units: pieces in units, as said when they
were installed, which are part of what remains. remaining null: never counted.$$;

create function public.get_lot(
  p_code text, p_sku text default null, p_limit integer default 200, p_with_removed boolean default false)
returns public.lot_detail language plpgsql stable security definer set search_path = '' as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 200), 1), 1000);
  v_detail public.lot_detail;
  v_lot public.lots;
  v_orders bigint[];
begin
  perform private.authorize('units.read');
  v_lot := private.find_lot(p_sku, p_code);
  v_orders := private.orders_of_lots(array[v_lot.id]);
  v_detail.lot := v_lot;
  v_detail.balance := (select p from public.production_lots p where p.lot_id = v_lot.id);
  v_detail.order_code := (select o.code from public.production_orders o where o.id = any (v_orders));
  v_detail.mass := private.mass_balance(v_lot.id);
  v_detail.genealogy := private.lot_genealogy(array(select n.id from public.trace_nodes n where n.kind = 'lot' and n.sku = v_lot.sku and n.key = v_lot.code),
    coalesce(p_with_removed, false), v_limit);
  v_detail.activities := private.lot_activities(v_lot.id, v_limit);
  v_detail.quality := array(select q from public.quality_records q where q.lot_id = v_lot.id and q.order_id = any (v_orders)
    order by q.id desc limit v_limit);
  v_detail.reason_titles := (select coalesce(jsonb_object_agg(r.code, r.title), '{}') from public.quality_reasons r
    where r.code in (select q.reason from unnest(v_detail.quality) q));
  v_detail.events := array(select e from private.trace_events(private.streams_of_lots(array[v_lot.id]), null, 100) e);
  return v_detail;
end $$;
comment on function public.get_lot is
$$One lot: on hold or not, how much there is with its mass balance, what it is made of and went into (for a graph), what was done with it, its newest
events. Removed lots too. p_limit 1–1000 entries of each kind; p_with_removed: also through what was taken out again.
Permission: units.read where the lot lies; the order that makes it, its events and quality records for those who may read that order.
Errors: lot.unknown (404), lot.ambiguous (409).
Idempotency: a read.
Locks: none.$$;

create function public.get_lots(
  p_search text default null, p_kind text default null, p_is_held boolean default null, p_order text default null, p_with_removed boolean default false,
  p_cursor text default null, p_limit integer default 100)
returns public.lot_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_after bigint;
  v_sites text[];
  v_ids bigint[];
  v_page public.lot_page;
begin
  perform private.authorize('units.read');
  v_after := (private.keys_of(p_cursor, 1) ->> 0)::bigint;
  v_sites := private.readable_sites('units.read');
  v_ids := array(
    select l.id from public.lots l left join public.production_lots p on p.lot_id = l.id
     where (v_after is null or l.id < v_after) and (p_kind is null or l.kind = p_kind) and (p_is_held is null or (l.held_at is not null) = p_is_held)
       and (p_order is null or p.order_id = (select o.id from public.production_orders o where o.code = p_order))
       and (p_with_removed or p.removed_at is null) and (l.site is null or l.site = any (v_sites))
       and (p_search is null or position(lower(p_search) in lower(concat_ws(' ', l.code, l.sku, l.supplier))) > 0)
     order by l.id desc limit v_limit + 1);
  v_page.lots := private.lot_balances(v_ids[1:v_limit]);
  if cardinality(v_ids) > v_limit then
    v_page.next_cursor := private.cursor_of(jsonb_build_array(v_ids[v_limit]));
  end if;
  return v_page;
end $$;
comment on function public.get_lots is
$$Lots, newest first. p_search in code, SKU and supplier; p_kind RAW, WIP or FINISHED; p_order: lots of that production order; removed ones only with
p_with_removed. p_limit 1–500.
Permission: units.read, of lots where the caller works.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create function public.get_lot_timeline(p_code text, p_sku text default null, p_before bigint default null, p_limit integer default 100)
returns setof public.trace_event language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('units.read');
  return query select e.* from private.trace_events(private.streams_of_lots(array[(private.find_lot(p_sku, p_code)).id]), p_before,
    least(greatest(coalesce(p_limit, 100), 1), 500)) e;
end $$;
comment on function public.get_lot_timeline is
$$What happened to a lot and to the order that makes it, newest first. p_before: the id of the last row seen, for older ones. p_limit 1–500.
Permission: units.read where the lot lies; of the order for those who may read it.
Errors: lot.unknown (404), lot.ambiguous (409).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.get_lot, public.get_lots, public.get_lot_timeline to authenticated, service_role;

-- sql/M12_production/api_trace_orders.sql

create function private.streams_of_order(p_order public.production_orders)
returns text[] language plpgsql stable set search_path = '' as $$
begin
  return array['production_order/' || p_order.code] || array(
    select 'lot/' || l.sku || ' ' || l.code from public.production_lots p join public.lots l on l.id = p.lot_id where p.order_id = p_order.id);
end $$;

create function private.replenishments_of(p_order public.production_orders)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('code', o.code, 'root', t.code, 'sku', r.sku, 'generation', r.generation, 'quantity', trim_scale(o.quantity),
        'status', o.status, 'good', trim_scale(coalesce(p.executed_good, 0)), 'links', (
          select jsonb_agg(jsonb_build_object('trigger', k.trigger, 'event_id', k.trigger_event, 'quantity', trim_scale(k.quantity), 'at', k.created_at,
              'source', (select s.code from public.production_orders s where s.id = k.source_order_id)) order by k.id)
            from public.replenishment_links k where k.replenishment_id = r.order_id)) order by o.id), '[]')
      from public.replenishments r join public.production_orders o on o.id = r.order_id join public.production_orders t on t.id = r.root_id
      left join public.production_order_progress p on p.order_id = o.id
     where r.root_id = p_order.id or r.order_id = p_order.id);
end $$;
comment on function private.replenishments_of is
$$What was made again for the order, or what the order itself makes again: [{code, root, sku, generation, quantity, status, good, links: [{trigger, event_id,
quantity, at, source}]}].$$;

create function public.trace_production_order(p_code text, p_limit integer default 200, p_with_removed boolean default false)
returns public.production_trace language plpgsql stable security definer set search_path = '' as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 200), 1), 1000);
  v_order public.production_orders;
  v_trace public.production_trace;
  v_lots bigint[];
begin
  v_order := (private.find_production('production.read', p_code)).order_row;
  v_lots := array(select p.lot_id from public.production_lots p where p.order_id = v_order.id order by 1);
  v_trace.order_row := v_order;
  v_trace.progress := (select p from public.production_order_progress p where p.order_id = v_order.id);
  v_trace.steps := array(select s from public.production_order_steps s where s.order_id = v_order.id order by s.sequence);
  v_trace.counts := array(select c from public.piece_counts c where c.order_id = v_order.id order by c.id desc limit v_limit);
  v_trace.lots := private.lot_balances(v_lots);
  v_trace.replenishments := private.replenishments_of(v_order);
  v_trace.genealogy := private.lot_genealogy(array(
    select n.id from public.trace_nodes n where n.kind = 'production_order' and n.key = v_order.code
    union all
    select n.id from public.lots l join public.trace_nodes n on n.kind = 'lot' and n.sku = l.sku and n.key = l.code where l.id = any (v_lots)),
    coalesce(p_with_removed, false), v_limit);
  v_trace.quality := array(select q from public.quality_records q where q.order_id = v_order.id order by q.id desc limit v_limit);
  v_trace.events := array(select e from private.trace_events(private.streams_of_order(v_order), null, 100) e);
  return v_trace;
end $$;
comment on function public.trace_production_order is
$$One production order from end to end: steps, counts, lots with what they are made of and went into, what was made again, quality, newest events.
p_limit 1–1000 of each; p_with_removed: also through what was taken out again.
Permission: production.read at its site and in its store.
Errors: production.unknown (404).
Idempotency: a read.
Locks: none.$$;

create function public.get_production_order_timeline(p_code text, p_before bigint default null, p_limit integer default 100)
returns setof public.trace_event language plpgsql stable security definer set search_path = '' as $$
declare
  v_order public.production_orders;
begin
  v_order := (private.find_production('production.read', p_code)).order_row;
  return query select e.* from private.trace_events(private.streams_of_order(v_order), p_before, least(greatest(coalesce(p_limit, 100), 1), 500)) e;
end $$;
comment on function public.get_production_order_timeline is
$$What happened to a production order and to its lots, newest first. p_before: the id of the last row seen, for older ones. p_limit 1–500.
Permission: production.read at its site and in its store.
Errors: production.unknown (404).
Idempotency: a read.
Locks: none.$$;

-- Labels -----------------------------------------------------------------------------------------------------------

create function private.label_behind(p_label text, out label jsonb, out subject text)
returns record language plpgsql stable set search_path = '' as $$
declare
  v_id text[] := regexp_match(trim(p_label), '^(\d{1,18})(?:[-/](\d{1,2}))?$');
begin
  select jsonb_build_object('job_id', j.id, 'seq', l.seq, 'label_type', l.purpose, 'state', l.state, 'data', l.data, 'job_state', j.state,
      'printer', j.printer, 'wanted_at', j.queued_at), l.subject into label, subject
    from public.print_job_labels l join public.print_jobs j on j.id = l.job_id
   where l.job_id = v_id[1]::bigint and l.seq = coalesce(v_id[2]::integer, 1);
  if subject is null then
    subject := trim(p_label);
    select jsonb_build_object('job_id', j.id, 'seq', l.seq, 'label_type', l.purpose, 'state', l.state, 'data', l.data, 'job_state', j.state,
        'printer', j.printer, 'wanted_at', j.queued_at) into label
      from public.print_job_labels l join public.print_jobs j on j.id = l.job_id where l.subject = trim(p_label) order by j.id desc limit 1;
  end if;
end $$;
comment on function private.label_behind is 'The label with this id (print job, or job-n for one of several), else the newest one that says this.';

create function private.subject_of_label(p_subject text)
returns public.label_trace language plpgsql stable set search_path = '' as $$
declare
  v_trace public.label_trace;
  v_lots public.lots[];
  v_starts bigint[];
begin
  v_trace.subject := p_subject;
  v_trace.unit_sn := (select u.sn from public.units u where u.sn = private.serial_of(p_subject));
  v_trace.ticket_id := (select (private.order_of_label(p_subject)).id);
  v_trace.production_order := (select o.code from public.production_orders o where o.code = p_subject and o.id = any (private.orders_read(array[o.id])));
  v_lots := array(select l from public.lots l where (lower(l.code) = lower(p_subject) or l.sku || ' ' || l.code = p_subject)
    and private.lot_is_here(l) order by l.id limit 50);
  v_trace.kind := case when v_trace.unit_sn is not null then 'unit' when v_trace.ticket_id is not null then 'ticket'
    when v_trace.production_order is not null then 'production_order' when v_lots <> '{}' then 'lot'
    when exists (select from public.boxes b where b.code = p_subject) then 'box' end;
  v_lots := v_lots || array(
    select l from public.production_lots p join public.production_orders o on o.id = p.order_id join public.lots l on l.id = p.lot_id
     where o.code = v_trace.production_order);
  v_starts := array(
    select n.id from public.trace_nodes n where n.key = coalesce(v_trace.unit_sn, v_trace.ticket_id, p_subject)
       and n.kind = any (case v_trace.kind when 'ticket' then array['order'] when 'box' then array['box', 'pallet'] else array[v_trace.kind] end)
    union
    select n.id from unnest(v_lots) l join public.trace_nodes n on n.kind = 'lot' and n.sku = l.sku and n.key = l.code);
  v_trace.lots := private.lot_balances(array(
    select l.id from unnest(v_lots) l
    union
    select l.id from private.trace(v_starts, false) t (node) join public.trace_nodes n on n.id = t.node and n.kind = 'lot'
      join public.lots l on l.sku = n.sku and l.code = n.key order by 1 limit 200));
  v_trace.production_order := coalesce(v_trace.production_order, (
    select o.code from public.units u join public.production_orders o on o.id = u.production_order_id
     where u.sn = v_trace.unit_sn and o.id = any (private.orders_read(array[o.id]))), (
    select o.code from unnest(private.orders_of_lots(array(select (l.lot).id from unnest(v_trace.lots) l))) u join public.production_orders o on o.id = u
     order by o.id desc limit 1));
  return v_trace;
end $$;

create function public.trace_label(p_label text)
returns public.label_trace language plpgsql stable security definer set search_path = '' as $$
declare
  v_found record;
  v_trace public.label_trace;
begin
  perform private.authorize('units.read');
  select b.label, b.subject into v_found from private.label_behind(coalesce(p_label, '')) b;
  v_trace := private.subject_of_label(v_found.subject);
  v_trace.label := case when not exists (select from public.production_orders o
    where o.code = v_found.subject and cardinality(private.orders_read(array[o.id])) = 0) then v_found.label end;
  if v_trace.kind is null then   -- no lot of it is known either: refused like the order itself
    perform private.authorize('production.read', o.store, o.site) from public.production_orders o where o.code = v_trace.subject;
  end if;
  if v_trace.kind is null and v_trace.label is null then
    perform private.fail(404, 'trace.unknown', 'Nothing is known of ' || coalesce(p_label, '') || ': no label, unit, ticket, lot or order.',
      jsonb_build_object('label', p_label));
  end if;
  if v_trace.ticket_id is not null and not (private.readable_stores('orders.read')
      && array(select o.store from public.orders o where o.id = v_trace.ticket_id)) then
    perform private.authorize('orders.read', o.store) from public.orders o where o.id = v_trace.ticket_id;
  end if;
  v_trace.events := array(select e from private.trace_events(
    case v_trace.kind when 'unit' then array['unit/' || v_trace.unit_sn] when 'ticket' then array['order/' || v_trace.ticket_id]
      when 'box' then array['box/' || v_trace.subject] else '{}' end
    || case when v_trace.production_order is not null then array['production_order/' || v_trace.production_order] else '{}' end
    || array(select 'lot/' || (l.lot).sku || ' ' || (l.lot).code from unnest(v_trace.lots) l), null, 200) e);
  return v_trace;
end $$;
comment on function public.trace_label is
$$From a label to its order, its lots and what happened to them. p_label: the id of the label (print job, or job-n for one of several), or what is printed on
it: the serial of a unit, a ticket, a lot, a production order, a box.
Permission: units.read; of a ticket orders.read in its store; of a production order production.read at its site and in its store, else it is left out.
Errors: trace.unknown (404), auth.other_store, auth.other_site (403).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.trace_production_order, public.get_production_order_timeline, public.trace_label to authenticated, service_role;

-- sql/M12_production/gs1.sql

-- GS1 codes: read where the scanner's text arrives (services/api/gs1.py), understood here.

create function private.gtin14(p_gtin text)
returns text language plpgsql immutable set search_path = '' as $$
declare
  v_gtin text := lpad(trim(p_gtin), 14, '0');
begin
  if trim(p_gtin) !~ '^(\d{8}|\d{12,14})$' or (
    select sum(substr(v_gtin, n, 1)::integer * case when n % 2 = 1 then 3 else 1 end) % 10 from generate_series(1, 14) n) <> 0 then
    return null;
  end if;
  return v_gtin;
end $$;
comment on function private.gtin14 is 'A GTIN of 8, 12, 13 or 14 digits as 14; null when it is none or its check digit is wrong.';

create type private.gs1_reading as (ais jsonb, sku text, lot public.lots, unit public.units, box public.boxes, is_alternative boolean);

create function private.gs1_readings(p_gs1 jsonb)
returns setof private.gs1_reading language plpgsql stable set search_path = '' as $$
begin
  if jsonb_typeof(p_gs1) is distinct from 'object' or jsonb_typeof(p_gs1 -> 'ais') is distinct from 'object' or length(p_gs1::text) > 10000
     or jsonb_typeof(coalesce(p_gs1 -> 'alternatives', '[]')) <> 'array'
     or exists (select from jsonb_path_query(p_gs1, '$.alternatives[*]') a where jsonb_typeof(a) <> 'object') then
    perform private.fail(422, 'gs1.unreadable', 'That code cannot be read. Scan it again.', jsonb_build_object('field', 'p_gs1', 'expected',
      'an object with raw, symbology, ais and alternatives'));
  end if;
  return query
    select r.ais, i.sku, l, u, b, r.n > 0
      from (select p_gs1 -> 'ais' as ais, 0::bigint as n union all
            select a.item, a.n from jsonb_array_elements(coalesce(p_gs1 -> 'alternatives', '[]')) with ordinality as a (item, n)) r
      left join public.item_gtins g on g.gtin = private.gtin14(r.ais ->> '01')
      left join public.inventory_items i on i.sku = coalesce(g.sku, (select x.sku from public.inventory_items x where lower(x.sku) = lower(r.ais ->> '240')))
      left join public.lots l on lower(l.code) = lower(r.ais ->> '10') and l.sku = i.sku and private.lot_is_here(l)
      left join public.units u on u.sn = private.serial_of(r.ais ->> '21') and private.may('units.read') and private.works_at(private.identify(), u.site)
      left join public.boxes b on b.code = r.ais ->> '00' and private.may('units.read') and private.works_at(private.identify(), b.site)
     order by r.n;
end $$;
comment on function private.gs1_readings is
$$What a GS1 code can mean: p_gs1 {raw, symbology, ais: {AI: value}, alternatives: [{AI: value}]}; alternatives are other ways to read a code whose separators
the scanner dropped. Item by GTIN (01) or by our SKU (240), lot by batch (10) of that item, unit by serial (21), box by SSCC (00). Errors: gs1.unreadable (422).$$;

create function private.gs1_lot(p_gs1 jsonb)
returns public.lots language plpgsql stable set search_path = '' as $$
declare
  v_all private.gs1_reading[] := array(select r from private.gs1_readings(p_gs1) r);
  v_lots public.lots[] := array(select r.lot from unnest(v_all) r where (r.lot).id is not null);
  v_ais jsonb := v_all[1].ais;
begin
  if not v_ais ? '10' then
    perform private.fail(422, 'gs1.no_lot', 'That code names no lot (batch). Scan the one that does.', jsonb_build_object('ais', v_ais));
  elsif v_all[1].sku is null then
    perform private.fail(404, 'gs1.unknown_item', format('No item has the GTIN %s.', coalesce(v_ais ->> '01', v_ais ->> '240', 'that is missing here')),
      jsonb_build_object('gtin', v_ais ->> '01', 'ais', v_ais));
  elsif cardinality(v_lots) = 0 then
    perform private.fail(404, 'lot.unknown', format('There is no lot %s of %s.', v_ais ->> '10', v_all[1].sku),
      jsonb_build_object('code', v_ais ->> '10', 'sku', v_all[1].sku));
  elsif cardinality(v_lots) > 1 or v_all[1].lot is distinct from v_lots[1] then
    perform private.fail(409, 'gs1.ambiguous', 'The scanner dropped a separator, and the code can be read in several ways. Choose the lot.',
      jsonb_build_object('candidates', array(select distinct l.code from unnest(v_lots) l order by 1), 'sku', v_all[1].sku));
  end if;
  return v_lots[1];
end $$;
comment on function private.gs1_lot is
'The one lot that a GS1 code names. Errors: gs1.unreadable, gs1.no_lot (422), gs1.unknown_item, lot.unknown (404), gs1.ambiguous (409): asks, never guesses.';

create function private.gs1_material(p_gs1 jsonb, out sku text, out lot text)
returns record language plpgsql stable set search_path = '' as $$
declare
  v_first private.gs1_reading;
  v_lot public.lots;
begin
  if p_gs1 is null or not p_gs1 ? 'ais' then
    sku := p_gs1 ->> 'sku';
    lot := p_gs1 ->> 'lot';
    return;
  end if;
  select r.* into v_first from private.gs1_readings(p_gs1) r limit 1;
  if v_first.ais ? '10' then
    v_lot := private.gs1_lot(p_gs1);
    sku := v_lot.sku;
    lot := v_lot.code;
  elsif v_first.sku is null then
    perform private.fail(404, 'gs1.unknown_item', format('No item has the GTIN %s.', coalesce(v_first.ais ->> '01', v_first.ais ->> '240', 'that is missing here')),
      jsonb_build_object('gtin', v_first.ais ->> '01', 'ais', v_first.ais));
  else
    sku := v_first.sku;
  end if;
end $$;
comment on function private.gs1_material is
$$The item, and the lot if it names one, of a GS1 code; of {sku, lot} what they say; of null nothing. Errors: gs1.unreadable (422), gs1.unknown_item (404),
lot.unknown (404), gs1.ambiguous (409).$$;

create function private.scanned_lot(p_lot public.lots, p_facts jsonb)
returns public.scan_result language plpgsql stable set search_path = '' as $$
begin
  return row(true, false, 'lot', format('Lot %s of %s: %s.', p_lot.code, p_lot.sku, case when p_lot.held_at is null then 'free'
      else 'on hold: ' || p_lot.hold_reason end), 200, null, null, p_facts || jsonb_build_object('stream', 'lot', 'stream_id',
      p_lot.sku || ' ' || p_lot.code, 'site', p_lot.site, 'sku', p_lot.sku, 'lot', p_lot.code, 'target', jsonb_build_object('page', 'lot', 'sku', p_lot.sku, 'lot', p_lot.code)),
    null, null, null, null)::public.scan_result;
end $$;

create function private.resolve_gs1(p_gs1 jsonb)
returns public.scan_result language plpgsql stable set search_path = '' as $$
declare
  v_all private.gs1_reading[] := array(select r from private.gs1_readings(p_gs1) r);
  v_first private.gs1_reading := v_all[1];
  v_lots public.lots[] := array(select r.lot from unnest(v_all) r where (r.lot).id is not null order by (r.lot).id);
  v_facts jsonb := jsonb_strip_nulls(jsonb_build_object('scanned', p_gs1 ->> 'raw', 'symbology', p_gs1 ->> 'symbology', 'ais', v_first.ais));
begin
  if cardinality(v_lots) > 1 or cardinality(v_lots) = 1 and (v_first.lot).id is null then
    return row(true, false, 'ask', 'The scanner dropped a separator. Which lot is it?', 200, null, 'gs1.ambiguous', v_facts, null, null, (
      select jsonb_agg(distinct jsonb_build_object('sku', l.sku, 'lot', l.code)) from unnest(v_lots) l), null)::public.scan_result;
  elsif (v_first.unit).sn is not null then
    return row(true, false, 'unit', format('%s: %s.', (v_first.unit).sn, (v_first.unit).status), 200, null, null, v_facts || jsonb_build_object('stream', 'unit',
      'stream_id', (v_first.unit).sn, 'sn', (v_first.unit).sn, 'site', (v_first.unit).site, 'target', jsonb_build_object('page', 'unit', 'sn', (v_first.unit).sn)),
      null, null, null, null)::public.scan_result;
  elsif (v_first.lot).id is not null then
    return private.scanned_lot(v_first.lot, v_facts || jsonb_build_object('quantity', v_first.ais -> '37'));
  elsif (v_first.box).code is not null then
    return row(true, false, 'box', 'Box ' || (v_first.box).code || '.', 200, null, null, v_facts || jsonb_build_object('stream', 'box', 'stream_id',
      (v_first.box).code, 'site', (v_first.box).site, 'target', jsonb_build_object('page', 'box', 'code', (v_first.box).code)), null, null, null, null)::public.scan_result;
  elsif v_first.sku is not null and not v_first.ais ? '10' then
    return row(true, false, 'item', v_first.sku || '.', 200, null, null, v_facts || jsonb_build_object('stream', 'item', 'stream_id', v_first.sku,
      'sku', v_first.sku, 'target', jsonb_build_object('page', 'item', 'sku', v_first.sku)), null, null, null, null)::public.scan_result;
  end if;
  if v_first.sku is null then
    return private.scan_refusal(404, 'gs1.unknown_item', 'Nothing here has this code. If it is ours, save its GTIN with the item.', v_facts);
  end if;
  return private.scan_refusal(404, 'lot.unknown', format('There is no lot %s of %s.', v_first.ais ->> '10', v_first.sku), v_facts);
end $$;
comment on function private.resolve_gs1 is 'What a GS1 code means: action unit, lot, box, item, ask (several readings fit) or refused. Changes nothing.';

create function public.scan_gs1(p_gs1 jsonb, p_station text default null, p_request_id uuid default null)
returns public.scan_result language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('orders.scan');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'scan_gs1', jsonb_build_array(p_gs1, p_station));
  v_result public.scan_result;
begin
  if v_answer is not null then
    return private.answer_scan(jsonb_populate_record(null::public.scan_result, v_answer));
  end if;
  v_result := private.resolve_gs1(p_gs1);
  v_result.event_id := private.emit(coalesce(v_result.details ->> 'stream', 'item'), coalesce(v_result.details ->> 'stream_id', left(p_gs1 ->> 'raw', 200), '-'),
    case when v_result.details ? 'stream' then (v_result.details ->> 'stream') || '.scanned' when v_result.action = 'ask' then 'scan.asked' else 'scan.refused' end,
    v_actor, (v_result.details - 'target') || jsonb_build_object('action', v_result.action), null, v_result.details ->> 'site', p_station);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_result));
  return private.answer_scan(v_result);
end $$;
comment on function public.scan_gs1 is
$$A GS1-128, DataMatrix or QR code with application identifiers was scanned, and read by the service edge: p_gs1 {raw, symbology, ais: {"01": GTIN, "10": lot,
"21": serial, …}, alternatives}. Means a unit, a lot, a box or an item; action ask, with candidates, when a scanner dropped the separators and several
lots fit. The code and what it meant are remembered.
Permission: orders.scan.
Errors: gs1.unreadable (422), request.reused (422); answered with their HTTP status: gs1.unknown_item (404), lot.unknown (404).
Idempotency: by p_request_id; without it each scan is remembered.
Locks: none.$$;

create function public.save_item_gtin(p_gtin text, p_sku text default null, p_request_id uuid default null)
returns public.item_gtins language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_item_gtin', jsonb_build_array(p_gtin, p_sku));
  v_before public.item_gtins;
  v_after public.item_gtins;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.item_gtins, v_answer);
  elsif private.gtin14(p_gtin) is null then
    perform private.fail(422, 'item.gtin', 'A GTIN has 8, 12, 13 or 14 digits, the last one a check digit.', jsonb_build_object('field', 'p_gtin', 'actual', p_gtin));
  end if;
  v_after.gtin := private.gtin14(p_gtin);
  select g.* into v_before from public.item_gtins g where g.gtin = v_after.gtin for update;
  if p_sku is null then
    delete from public.item_gtins g where g.gtin = v_after.gtin;
  else
    v_after.sku := (private.find_item(p_sku)).sku;
    insert into public.item_gtins (gtin, sku) values (v_after.gtin, v_after.sku) on conflict on constraint item_gtins_pkey do update set sku = excluded.sku;
  end if;
  if v_before.sku is distinct from v_after.sku then
    perform private.emit('item', coalesce(v_after.sku, v_before.sku), 'item.gtin_saved', v_actor,
      jsonb_build_object('gtin', v_after.gtin, 'before', v_before.sku, 'after', v_after.sku));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_after));
  return v_after;
end $$;
comment on function public.save_item_gtin is
$$The GTIN (8, 12, 13 or 14 digits) means this item; without p_sku it means none any more. An item may have several.
Permission: inventory.manage.
Errors: item.gtin (422), item.unknown (404), request.reused (422).
Idempotency: by p_request_id; a repeat changes nothing.
Locks: the GTIN.$$;
grant execute on function public.scan_gs1, public.save_item_gtin to authenticated, service_role;

-- sql/M12_production/api_label.sql

-- What the label of an order or of a lot says, and what its code means at any station.

create function private.lot_of_label(p_subject text)
returns public.lots language plpgsql stable set search_path = '' as $$
begin
  return (
    select l from generate_series(2, length(p_subject) - 1) n
      join public.lots l on l.sku = left(p_subject, n - 1) and lower(l.code) = lower(substr(p_subject, n + 1))
     where substr(p_subject, n, 1) = ' ' order by l.id limit 1);
end $$;
comment on function private.lot_of_label is 'The lot that a label stands for, by its item and its code with a space between: a code alone can be of several lots. Null: none.';

create function private.production_label_data(p_subject text)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_lot public.lots;
  v_data jsonb := (
    select jsonb_build_object('code', o.code, 'product', coalesce(i.title, ''), 'sku', coalesce(o.product_sku, ''),
        'quantity', concat_ws(' ', trim_scale(o.quantity), i.uom), 'due', coalesce(to_char(o.due_date, 'YYYY-MM-DD'), ''))
      from public.production_orders o left join public.inventory_items i on i.sku = o.product_sku where o.code = p_subject);
begin
  if v_data is null then
    v_lot := private.lot_of_label(p_subject);
    v_data := (
      select jsonb_build_object('code', v_lot.code, 'product', i.title, 'sku', i.sku, 'quantity', '', 'due', '')   -- how much there is changes
        from public.inventory_items i where i.sku = v_lot.sku);
  end if;
  return coalesce(v_data, '{}');
end $$;
comment on function private.production_label_data is
'What the database knows for the label of a production order or of a lot: {code, product, sku, quantity, due}; {} when it is neither.';

create or replace function private.known_label_data(p_subject text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return private.order_label_data(private.order_of_label(p_subject)) || private.production_label_data(p_subject) || private.unit_label_data(p_subject);
end $$;
comment on function private.known_label_data is 'What the database knows about the order, lot or unit of a label.';

create or replace function private.authorize_labels(p_labels jsonb)
returns void language plpgsql stable set search_path = '' as $$
begin
  perform private.authorize('printing.request', null, u.site) from jsonb_array_elements(p_labels) l join public.units u on u.sn = l ->> 'subject';
  perform private.authorize('printing.request', o.store, coalesce(o.site, (x.lot).site))
     from jsonb_array_elements(p_labels) l
    cross join lateral (select private.lot_of_label(l ->> 'subject') as lot offset 0) x
     left join public.production_lots p on p.lot_id = (x.lot).id
     left join public.production_orders o on o.code = l ->> 'subject' or o.id = p.order_id
    where num_nonnulls(o.id, (x.lot).id) > 0;
end $$;
comment on function private.authorize_labels is
'The right to labels of units, orders and lots, at their site and in their store: [{subject}]. Errors: auth.other_site, auth.other_store (403).';

create function private.label_state(p_label_type text, p_subject text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select jsonb_build_object('state', l.state, 'job_state', j.state, 'job_id', l.job_id)
      from public.print_job_labels l join public.print_jobs j on j.id = l.job_id
     where l.subject = p_subject and l.purpose = p_label_type order by l.print_no desc limit 1);
end $$;
comment on function private.label_state is 'The newest label of this kind: {state, job_state, job_id}; null when none was asked for.';

create function private.subject_to_print(p_order public.production_orders, p_lot text)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_lot public.lots;
begin
  if p_lot is null then
    return p_order.code;
  end if;
  select l.* into v_lot from public.production_lots p join public.lots l on l.id = p.lot_id
   where p.order_id = p_order.id and lower(l.code) = lower(p_lot);
  if v_lot.id is null then
    perform private.fail(404, 'lot.unknown', format('%s has no lot %s.', p_order.code, p_lot), jsonb_build_object('lot', p_lot, 'code', p_order.code));
  end if;
  return v_lot.sku || ' ' || v_lot.code;
end $$;

create function public.print_order_label(
  p_code text, p_lot text default null, p_station text default null, p_printer text default null, p_request_id uuid default null)
returns public.print_answer language plpgsql security definer set search_path = '' as $$
declare
  v_found private.production_command := private.find_production('printing.request', p_code);
  v_order public.production_orders := v_found.order_row;
  v_actor uuid := v_found.actor;
  v_stored jsonb;
  v_subject text;
  v_demand private.print_demand;
  v_answer public.print_answer;
begin
  v_stored := private.replay(v_actor, p_request_id, 'print_order_label', jsonb_build_array(p_code, p_lot, p_station, p_printer));
  if v_stored is not null then
    return jsonb_populate_record(null::public.print_answer, v_stored);
  end if;
  v_subject := private.subject_to_print(v_order, p_lot);
  select d.* into v_demand from private.add_prints(row(v_order.site, v_order.store, (select s.code from public.stations s
      where s.code = coalesce(p_station, private.station()) and s.site = v_order.site and s.is_active))::private.print_place,
    row('production_order', 1, p_printer, null, 10)::private.print_wish, jsonb_build_array(jsonb_build_object('subject', v_subject)), v_actor) d;
  v_answer := private.print_answer(v_demand.job_id, v_demand.is_new, null);
  v_answer.message := case when v_demand.is_new then format('The label of %s goes to %s.', v_subject, v_answer.printer_name)
    else format('The label of %s was asked for already (%s, %s). For one more use reprint.', v_subject, (v_answer.job).state, v_answer.printer_name) end;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.print_order_label is
$$The label of a production order, once, or with p_lot that of one of its lots: its code, product, quantity and due date. One that was asked for before is not
made again: changed = false with its job; more paper is a reprint. It comes out where the routes of the order's site say, for p_station (else the header
x-takt-station), or on p_printer.
Permission: printing.request at its site and in its store.
Errors: production.unknown (404), lot.unknown (404), printer.unknown (404), label.unknown_template (404), label.no_template (412), print.no_printer (412),
print.no_resolution (412), print.too_large (412), print.other_site (422), label.bad_data (422), label.does_not_fit (422), request.reused (422).
Idempotency: by p_request_id, and by the order or the lot.
Locks: one advisory lock for the label.$$;

-- A scan at any station ----------------------------------------------------------------------------------------------

create function private.resolve_order(p_code text)
returns public.scan_result language plpgsql stable set search_path = '' as $$
declare
  v_order public.production_orders := (select o from public.production_orders o where o.code = p_code);
begin
  if v_order.id is null or not private.may('production.read') or not private.works_at(private.identify(), v_order.site)
     or v_order.store is not null and not private.readable_stores('production.read') @> array[v_order.store] then
    return null;
  end if;
  return row(true, false, 'production_order', format('%s: %s of %s, %s.', v_order.code, trim_scale(v_order.quantity),
      coalesce((select i.title from public.inventory_items i where i.sku = v_order.product_sku), v_order.product_sku, '?'),
      case v_order.status when 'OPEN_NOT_STARTED' then 'not started' when 'OPEN_PARTIAL' then 'pieces are missing'
        else lower(replace(v_order.status, '_', ' ')) end), 200, null, null, jsonb_build_object('scanned', p_code, 'status', v_order.status, 'site', v_order.site, 'store', v_order.store,
      'stream', 'production_order', 'stream_id', v_order.code, 'target', jsonb_build_object('page', 'production_order', 'code', v_order.code)),
    null, null, null, null)::public.scan_result;
end $$;
comment on function private.resolve_order is 'The production order with this code, to somebody who may see it; else null.';

create function private.resolve_lot(p_code text)
returns public.scan_result language plpgsql stable set search_path = '' as $$
declare
  v_lots public.lots[];
begin
  if not private.may('units.read') then
    return null;
  end if;
  v_lots := array(
    select l from public.lots l
      left join public.production_lots p on p.lot_id = l.id left join public.production_orders o on o.id = p.order_id
     where lower(l.code) = lower(p_code) and private.lot_is_here(l) and (o.id is null or cardinality(private.orders_read(array[o.id])) = 1) order by l.id limit 50);
  if cardinality(v_lots) = 0 then
    return null;
  elsif cardinality(v_lots) > 1 then
    return row(true, false, 'ask', 'Several items have a lot of that code. Which one is it?', 200, null, 'lot.ambiguous', jsonb_build_object('scanned', p_code),
      null, null, (select jsonb_agg(jsonb_build_object('sku', l.sku, 'lot', l.code) order by l.sku) from unnest(v_lots) l), null)::public.scan_result;
  end if;
  return private.scanned_lot(v_lots[1], jsonb_build_object('scanned', p_code));
end $$;
comment on function private.resolve_lot is 'The lot with this code, or the question which one it is, to somebody who may see it; else null.';

create or replace function private.resolve_other(p_code text)
returns public.scan_result language plpgsql stable set search_path = '' as $$
declare
  v_found public.scan_result := private.resolve_unit(p_code);
begin
  if v_found.ok is null then
    v_found := private.resolve_order(p_code);
  end if;
  if v_found.ok is null then
    v_found := private.resolve_lot(p_code);
  end if;
  return v_found;
end $$;
comment on function private.resolve_other is
  'What a code means that names no ticket: the unit, the production order or the lot with it, to somebody who may see it; else null.';

create function private.tg_events__order_scan()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if exists (select from public.production_orders o where o.code = new.stream_id) then   -- an unknown code may be that of anything, at any site
    perform private.settle_by_scan(new.stream_id, new.actor_id);
  end if;
  return null;
end $$;
comment on function private.tg_events__order_scan is 'The code of an order was read, at any station or work centre, so its label came out. Locks: the job, after all else (README).';
create trigger _500_order_scan after insert on public.events
  for each row when (new.stream = 'production_order' and new.event in ('production_order.scanned', 'production.scanned', 'production.scan_refused'))
  execute function private.tg_events__order_scan();

grant execute on function public.print_order_label to authenticated, service_role;

-- sql/M12_production/api_import.sql

create type public.production_import as (applied boolean, counts jsonb, rows jsonb);
comment on type public.production_import is
$$Outcome of an import. rows: [{row (from 1), ok, result, external_id, code, version, errors: [{field, code, message}], notices: [the same]}]; result: created,
updated, unchanged, ignored (an older version, or a newer row beside it), matched (an order of ours), cancelled, cancel_requested, reopened, review or
error; counts: {result: rows}. applied is false after a dry run.$$;

create function private.import_production(p_system text, p_rows jsonb, p_dry_run boolean, p_actor uuid)
returns public.production_import language plpgsql set search_path = '' as $$
declare
  v_import public.production_import;
begin
  if p_system is null or p_system !~ '^[a-z][a-z0-9_.-]{0,60}$' then
    perform private.fail(422, 'import.system', 'Name the system the orders come from, like erp or odoo.main: small letters and digits.',
      jsonb_build_object('field', 'p_system', 'actual', p_system));
  elsif jsonb_typeof(p_rows) is distinct from 'array' or jsonb_array_length(p_rows) not between 1 and 20000
     or exists (select from jsonb_array_elements(p_rows) r (item) where jsonb_typeof(r.item) <> 'object') then
    perform private.fail(422, 'import.table', 'Send a list of 1 to 20000 rows.', jsonb_build_object('field', 'p_rows'));
  end if;
  perform pg_advisory_xact_lock(hashtextextended('takt production import', 0));   -- two imports never see half of each other
  begin
    v_import.rows := private.erp_report(private.apply_erp_rows(p_system, p_rows, p_actor));
    v_import.applied := not p_dry_run;
    if p_dry_run then
      raise exception using errcode = 'TKDRY', message = 'dry run';
    end if;
  exception when sqlstate 'TKDRY' then
    null;   -- everything above is taken back, what it found is not
  end;
  select jsonb_object_agg(c.result, c.n) into v_import.counts
    from (select r.item ->> 'result' as result, count(*) as n from jsonb_array_elements(v_import.rows) r (item) group by 1) c;
  return v_import;
end $$;

create function public.import_production_orders(
  p_system text, p_rows jsonb, p_dry_run boolean default false, p_request_id uuid default null)
returns public.production_import language plpgsql security definer set search_path = '' set statement_timeout = '100s' as $$
declare
  v_actor uuid := private.authorize('production.import');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'import_production_orders', jsonb_build_array(p_system, md5(p_rows::text), p_dry_run));
begin
  if v_answer is null then
    v_answer := to_jsonb(private.import_production(p_system, p_rows, coalesce(p_dry_run, false), v_actor));
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return jsonb_populate_record(null::public.production_import, v_answer);
end $$;
comment on function public.import_production_orders is
$$Production orders from another system (p_system, its name here): p_rows [{external_id, version, code, product_sku, quantity, due_date, priority, site, store,
type, notes, cancelled}], text or JSON values; what a row does not name stays as it is. An order is known by its external id, whatever the case. A newer
version changes it, an older one is ignored; without versions a row that differs is newer. Orders not started are changed or cancelled; of started ones
never fewer than were started, and a cancellation is noted for a person. Rows with errors are left out and reported, the others are imported.
p_dry_run: reports and changes nothing.
Permission: production.import; per row at the site and in the store of the order.
Errors: import.system (422), import.table (422), request.reused (422); per row, answered: import.bad_value, item.unknown, store.unknown, site.unknown, auth.other_site, auth.other_store, production.exists.
Idempotency: by p_request_id; the same rows again change nothing.
Locks: other imports; the orders by id, then their items by SKU.$$;

create function public.import_production_order(p_system text, p_order jsonb, p_request_id uuid default null)
returns public.production_import language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.import');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'import_production_order', jsonb_build_array(p_system, p_order));
begin
  if v_answer is null then
    v_answer := to_jsonb(private.import_production(p_system, jsonb_build_array(p_order), false, v_actor));
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return jsonb_populate_record(null::public.production_import, v_answer);
end $$;
comment on function public.import_production_order is
$$One production order from another system, as import_production_orders: p_order is one row.
Permission: production.import; at the site and in the store of the order.
Errors: import.system (422), import.table (422), request.reused (422); answered: those of import_production_orders.
Idempotency: by p_request_id; the same order again changes nothing.
Locks: other imports; the order, then its items by SKU.$$;
grant execute on function public.import_production_orders, public.import_production_order to authenticated, service_role;

-- sql/M12_production/execution_events.sql

-- What happened to production orders, in the words that users of the old system know.

create view public.execution_events with (security_invoker = on) as
select e.id, e.stream_id as code, case e.event
    when 'production.imported' then 'OP_IMPORTED_FROM_ERP' when 'production.scanned' then 'BARCODE_SCANNED' when 'production_order.scanned' then 'BARCODE_SCANNED'
    when 'production.step_started' then 'STEP_STARTED' when 'production.counted' then 'PIECE_COUNTED' when 'production.quality' then 'QUALITY_RECORDED'
    when 'production.replenished' then 'REPLENISHMENT_OP_CREATED' when 'production.step_completed' then 'STEP_COMPLETED'
    else upper(replace(split_part(e.event, '.', 2), '.', '_')) end as event_type, e.event, e.payload ->> 'step' as step,
  (e.payload ->> 'sequence')::integer as sequence, e.payload ->> 'work_centre' as work_centre, (e.payload ->> 'lot_id')::bigint as lot_id, e.site, e.store,
  e.station as station_id, e.actor_id as operator_id, e.at as created_at, e.payload
from public.events e
where e.stream = 'production_order';
comment on view public.execution_events is 'What happened to production orders, in the old words. To follow it by cursor: get_execution_events.';

create function private.tg_events__execution()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_type text := (select x.event_type from public.execution_events x where x.id = new.id and x.created_at = new.at);
begin
  perform private.broadcast('site:' || new.site || ':execution', v_type, jsonb_build_object('event_id', new.id, 'event_type', v_type,
    'code', new.stream_id, 'store', new.store, 'sequence', new.payload -> 'sequence', 'version', new.payload -> 'version'));
  return null;
end $$;
comment on function private.tg_events__execution is 'The same event once more, under its old name on a topic of its own: ids and version only.';
create trigger _910_execution after insert on public.events
  for each row when (new.stream = 'production_order' and new.site <> '-' and coalesce(current_setting('takt.quiet', true), '') <> 'on')
  execute function private.tg_events__execution();

create type public.execution_event as (
  cursor text, id bigint, at timestamptz, code text, event_type text, step text, sequence integer, work_centre text, lot_id bigint,
  operator_id uuid, station_id text, payload jsonb);
create type public.execution_page as (events public.execution_event[], next_cursor text);
comment on type public.execution_page is 'Events in the order of their commit; ask again with next_cursor: it stays the same when nothing new came.';

create function public.get_execution_events(
  p_cursor text default null, p_types text[] default null, p_code text default null, p_limit integer default 500)
returns public.execution_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_page public.execution_page;
begin
  perform private.authorize('production.read');
  with read as (
    select s.cursor, row_number() over () as n, x.* from public.events_since(coalesce(p_cursor, '0:0'), '{production_order}', p_limit) s
      join public.execution_events x on x.id = s.id and x.created_at = s.at   -- what happened to an order hides no count of stock: with its payload
  )
  select array_agg(row(r.cursor, r.id, r.created_at, r.code, r.event_type, r.step, r.sequence, r.work_centre, r.lot_id, r.operator_id, r.station_id,
        r.payload)::public.execution_event order by r.n)
        filter (where (p_types is null or r.event_type = any (p_types)) and (p_code is null or r.code = p_code)),
      (array_agg(r.cursor order by r.n desc))[1] into v_page
    from read r;
  v_page.events := coalesce(v_page.events, '{}');
  v_page.next_cursor := coalesce(v_page.next_cursor, p_cursor, '0:0');
  return v_page;
end $$;
comment on function public.get_execution_events is
$$Events of production orders by cursor, in the old words: OP_IMPORTED_FROM_ERP, BARCODE_SCANNED, STEP_STARTED, PIECE_COUNTED, QUALITY_RECORDED,
REPLENISHMENT_OP_CREATED, STEP_COMPLETED, and others. None is skipped, however late it commits. p_types and p_code filter what was read: a page may
hold few and still have a next one. p_limit 1–1000.
Permission: production.read, in the stores and at the sites of the caller, as events_since.
Errors: events.bad_cursor (400), events.cursor_ahead (409).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.get_execution_events to authenticated;

-- sql/M12_production/seed.sql

select private.allow(p, d, r) from (values
  ('production.run', 'Scan, start, pause, report and complete steps', '{operator,technician,supervisor,planner,manager,admin,service}'::text[]),
  ('production.count', 'Report counters of machines', '{operator,technician,supervisor,planner,manager,admin,device.equipment,service}'),
  ('production.quality', 'Record rework, scrap, returns and holds', '{operator,technician,supervisor,planner,manager,admin,service}'),
  ('production.concede', 'Accept pieces that are not to specification: repair, use as is', '{supervisor,manager,admin}'),
  ('production.late_material', 'Book material into an order that is closed', '{supervisor,manager,admin}'),
  ('production.undo_any', 'Take back older reports and those of others', '{supervisor,manager,admin}'),
  ('production.setup', 'Change process steps, work centres, routings and reasons', '{planner,manager,admin,service}'),
  ('production.request', 'Ask for approvals', '{operator,technician,supervisor,planner,manager,admin}'),
  ('production.approve', 'Decide about approvals of others', '{planner,manager,admin}'),
  ('production.import', 'Import production orders', '{planner,manager,admin,service}'),
  ('production.lots', 'Split, merge and use lots', '{operator,technician,supervisor,planner,manager,admin,service}')
) as t (p, d, r);

insert into private.photo_kinds (about, read_permission) values ('production_order', 'production.read');

-- sql/M12_production/seed_quality.sql

insert into public.setting_definitions (key, scope, type, bounds, default_value, title, description, position) values
  ('production.replenish_auto', 'site', 'boolean', '{}', 'true', 'Make again what was scrapped', 'Scrap and returns raise a replenishment order by themselves.', 90),
  ('production.replenish_min', 'site', 'integer', '{"min": 0, "max": 100000}', '0', 'Smallest need', 'Up to so many missing pieces nothing is made again.', 91),
  ('production.replenish_percent', 'site', 'integer', '{"min": 0, "max": 100}', '0', 'Smallest need, per cent', 'Up to so many per cent of the order nothing is made again.', 92),
  ('production.replenish_lot', 'site', 'integer', '{"min": 0, "max": 100000}', '1', 'Round up to', 'Replenishments grow by so many pieces at a time; 0 = exactly what is missing.', 93),
  ('production.replenish_generations', 'site', 'integer', '{"min": 0, "max": 100}', '3', 'Generations', 'How often losses of replenishments are made again before a person has to allow it.', 94),
  ('production.replenish_cap_percent', 'site', 'integer', '{"min": 0, "max": 10000}', '50', 'Cap, per cent', 'How much of an order is made again in all before a person has to allow it.', 95),
  ('production.rework_yield', 'site', 'integer', '{"min": 0, "max": 100}', '100', 'Rework yield, per cent', 'How much of what is being reworked is expected to become good.', 96);

insert into public.quality_reasons (code, parent, title, disposition, position) values
  ('MATERIAL', null, 'Material', null, 10), ('DIMENSION', null, 'Dimension', null, 20), ('SURFACE', null, 'Surface', null, 30),
  ('HANDLING', null, 'Handling', null, 40), ('MACHINE', null, 'Machine', null, 50), ('OTHER', null, 'Other', null, 90),
  ('KNOT', 'MATERIAL', 'Knot or crack', 'scrap', 11), ('WRONG_MATERIAL', 'MATERIAL', 'Wrong material', 'return', 12),
  ('BAD_MATERIAL', 'MATERIAL', 'Material not good', 'return', 13), ('TOO_SMALL', 'DIMENSION', 'Too small', 'scrap', 21),
  ('TOO_LARGE', 'DIMENSION', 'Too large', 'rework', 22), ('NOT_SQUARE', 'DIMENSION', 'Out of square', 'rework', 23),
  ('SCRATCH', 'SURFACE', 'Scratch', 'rework', 31), ('DENT', 'SURFACE', 'Dent', 'repair', 32), ('PAINT', 'SURFACE', 'Paint fault', 'rework', 33),
  ('BROKEN', 'HANDLING', 'Broken', 'scrap', 41), ('DROPPED', 'HANDLING', 'Dropped', 'hold', 42), ('MISASSEMBLED', 'HANDLING', 'Put together wrongly', 'rework', 43),
  ('TOOL', 'MACHINE', 'Tool worn or broken', 'scrap', 51), ('SETUP', 'MACHINE', 'Setting-up piece', 'scrap', 52), ('UNCLASSIFIED', 'OTHER', 'Not classified', 'hold', 91);

update public.quality_reasons set is_startup = true where code = 'SETUP';

insert into private.scheduled_jobs (name, function_name, every) values ('drop needless replenishments', 'drop_needless_replenishments', '1 minute');

-- sql/M12_production/policies.sql

alter table public.process_steps enable row level security;
alter table public.work_centres enable row level security;
alter table public.routings enable row level security;
alter table public.routing_steps enable row level security;
alter table public.production_order_progress enable row level security;
alter table public.production_order_steps enable row level security;
alter table public.piece_counts enable row level security;
alter table public.piece_counters enable row level security;
alter table public.production_order_refs enable row level security;

create policy select_active on public.process_steps for select to authenticated using ((select private.may('production.read')));
create policy select_active on public.work_centres for select to authenticated using ((select private.may('production.read')));
create policy select_active on public.routings for select to authenticated using ((select private.may('production.read')));
create policy select_active on public.routing_steps for select to authenticated using ((select private.may('production.read')));
create policy select_store on public.production_order_progress for select to authenticated
  using (exists (select from public.production_orders o where o.id = order_id));   -- whoever sees the order
create policy select_store on public.production_order_steps for select to authenticated
  using (exists (select from public.production_orders o where o.id = order_id));
create policy select_store on public.piece_counts for select to authenticated
  using (exists (select from public.production_orders o where o.id = order_id));
create policy select_active on public.piece_counters for select to authenticated using ((select private.may('production.read')));
create policy select_store on public.production_order_refs for select to authenticated
  using (exists (select from public.production_orders o where o.id = order_id));

grant select on public.process_steps, public.work_centres, public.routings, public.routing_steps, public.production_order_progress,
  public.production_order_steps, public.piece_counts, public.piece_counters, public.production_order_refs to authenticated;

-- sql/M12_production/policies_quality.sql

alter table public.quality_reasons enable row level security;
alter table public.quality_records enable row level security;
alter table public.production_discrepancies enable row level security;
alter table public.approvals enable row level security;
alter table public.replenishments enable row level security;
alter table public.replenishment_links enable row level security;

create policy select_active on public.quality_reasons for select to authenticated using ((select private.may('production.read')));
create policy select_store on public.quality_records for select to authenticated
  using (exists (select from public.production_orders o where o.id = order_id));   -- whoever sees the order
create policy select_store on public.production_discrepancies for select to authenticated
  using (exists (select from public.production_orders o where o.id = order_id));   -- whoever sees the order
create policy select_store on public.approvals for select to authenticated
  using ((select private.readable_sites('production.read')) @> array[site]
    and (order_id is null or exists (select from public.production_orders o where o.id = order_id)));
create policy select_store on public.replenishments for select to authenticated
  using (exists (select from public.production_orders o where o.id = order_id));   -- whoever sees the order
create policy select_store on public.replenishment_links for select to authenticated
  using (exists (select from public.production_orders o where o.id = root_id));   -- whoever sees the order

grant select on public.quality_reasons, public.quality_records, public.production_discrepancies, public.approvals, public.replenishments,
  public.replenishment_links, public.execution_events to authenticated;

-- sql/M12_production/policies_lots.sql

alter table public.production_lots enable row level security;
alter table public.trace_activities enable row level security;
alter table public.trace_inputs enable row level security;
alter table public.trace_outputs enable row level security;
alter table public.item_gtins enable row level security;

-- What was made of a lot, and of how much, is for those who see the lot and the order it belongs to.
create policy select_site on public.production_lots for select to authenticated
  using (exists (select from public.lots l where l.id = lot_id) and (order_id is null or exists (select from public.production_orders o where o.id = order_id)));
create policy select_site on public.trace_activities for select to authenticated
  using ((select private.may('units.read')) and (site is null or (select private.readable_sites('units.read')) @> array[site])
    and (order_id is null or exists (select from public.production_orders o where o.id = order_id)));
create policy select_site on public.trace_inputs for select to authenticated
  using (exists (select from public.production_lots p where p.lot_id = trace_inputs.lot_id)
    and exists (select from public.trace_activities a where a.id = activity_id));
create policy select_site on public.trace_outputs for select to authenticated
  using (exists (select from public.production_lots p where p.lot_id = trace_outputs.lot_id)
    and exists (select from public.trace_activities a where a.id = activity_id));
create policy select_active on public.item_gtins for select to authenticated using ((select private.may('inventory.read')));

grant select on public.production_lots, public.trace_activities, public.trace_inputs, public.trace_outputs, public.item_gtins to authenticated;
