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
