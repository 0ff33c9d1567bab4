-- Parts and the files that print them --------------------------------------------------------------------------------

create table public.parts (
  sku text not null,
  print_minutes numeric(10, 2) not null default 60 constraint parts_print_minutes_check check (print_minutes > 0 and print_minutes < 100000),
  grams_per_print numeric(10, 2) not null default 0 constraint parts_grams_per_print_check check (grams_per_print >= 0 and grams_per_print < 100000),
  parts_per_print integer not null default 1 constraint parts_parts_per_print_check check (parts_per_print between 1 and 10000),
  color text constraint parts_color_check check (length(color) <= 60),
  material text not null default 'PLA' constraint parts_material_check check (length(material) between 1 and 60),
  notes text constraint parts_notes_check check (length(notes) <= 2000),
  is_active boolean not null default true,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint parts_pkey primary key (sku),
  constraint parts_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete restrict
);
comment on table public.parts is 'Items that are printed, and what one print of them takes. Title, minimum and stock are those of the item.';
comment on column public.parts.print_minutes is 'One print (one plate), in minutes.';
comment on column public.parts.grams_per_print is 'Filament of one print, in grams.';
comment on column public.parts.parts_per_print is 'Good parts that one print gives when all goes well.';
create trigger _100_stamp before update on public.parts for each row execute function private.tg__stamp();

create table public.gcode_part_mappings (
  id bigint generated always as identity,
  gcode_filename text not null constraint gcode_part_mappings_gcode_filename_check check (length(gcode_filename) between 1 and 300),
  stem text not null generated always as (private.gcode_stem(gcode_filename)) stored,
  plate integer constraint gcode_part_mappings_plate_check check (plate between 1 and 999),
  sku text not null,
  quantity numeric(14, 3) not null constraint gcode_part_mappings_quantity_check check (quantity > 0 and quantity < 100000),
  object_ids integer[],
  is_active boolean not null default true,
  notes text constraint gcode_part_mappings_notes_check check (length(notes) <= 2000),
  created_by uuid,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint gcode_part_mappings_pkey primary key (id),
  constraint gcode_part_mappings_part_key unique nulls not distinct (stem, plate, sku),
  constraint gcode_part_mappings_sku_fkey foreign key (sku) references public.parts (sku) on delete restrict,
  constraint gcode_part_mappings_generic_check check (not private.is_generic_gcode(gcode_filename)),
  constraint gcode_part_mappings_object_ids_check check (cardinality(object_ids) between 1 and 1000)
);
create index gcode_part_mappings_sku_idx on public.gcode_part_mappings (sku);
comment on table public.gcode_part_mappings is 'Which parts a print gives: one row per file, plate and part. Case, extension and folder of the file name do not matter.';
comment on column public.gcode_part_mappings.plate is '1-based; null = every plate of the file, as long as no plate of it is mapped by itself.';
comment on column public.gcode_part_mappings.object_ids is 'identify_id of the objects on the plate that are this part, so that skipped objects are subtracted from the right part.';
create trigger _100_stamp before update on public.gcode_part_mappings for each row execute function private.tg__stamp();

-- Printers ---------------------------------------------------------------------------------------------------------

create table public.print_machines (
  id bigint generated always as identity,
  code text not null constraint print_machines_code_check check (code ~ '^[a-z0-9][a-z0-9_-]{0,60}$'),
  name text not null constraint print_machines_name_check check (length(name) between 1 and 200),
  site text not null,
  kind text not null constraint print_machines_kind_check check (kind in ('bambu', 'moonraker', 'prusalink', 'octoprint', 'manual')),
  serial text constraint print_machines_serial_check check (serial ~ '^[A-Z0-9._:-]{1,100}$'),
  model text constraint print_machines_model_check check (length(model) <= 100),
  location text,
  materials text[] not null default '{}',
  work_days smallint[] not null default '{1,2,3,4,5,6,7}' constraint print_machines_work_days_check
    check (work_days <@ '{1,2,3,4,5,6,7}'::smallint[] and cardinality(work_days) > 0),
  work_from time not null default '00:00',
  work_until time not null default '24:00',
  needs_plate_clear boolean not null default true,
  service_every_hours integer constraint print_machines_service_every_hours_check check (service_every_hours between 1 and 100000),
  is_in_maintenance boolean not null default false,
  is_active boolean not null default true,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint print_machines_pkey primary key (id),
  constraint print_machines_code_key unique (code),
  constraint print_machines_serial_key unique (serial),
  constraint print_machines_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint print_machines_location_fkey foreign key (location) references public.locations (code) on delete restrict,
  constraint print_machines_hours_check check (work_from < work_until)
);
create index print_machines_site_idx on public.print_machines (site);
create index print_machines_location_idx on public.print_machines (location) where location is not null;
comment on table public.print_machines is '3D printers. Access codes stay with the bridge; nothing secret is kept here.';
comment on column public.print_machines.serial is 'Upper case. What the bridge calls it by.';
comment on column public.print_machines.location is 'Where its parts are booked to; null = the default place of the site.';
comment on column public.print_machines.materials is 'Materials it may print; empty = all.';
comment on column public.print_machines.work_days is 'Days (1 = Monday … 7) and, from work_from to work_until local time, hours in which somebody can start a print. A print may run on.';
comment on column public.print_machines.needs_plate_clear is 'False for printers that eject by themselves: nobody has to clear the plate.';
create trigger _100_stamp before update on public.print_machines for each row execute function private.tg__stamp();

create table public.print_machine_states (
  machine_id bigint not null,
  link text not null default 'offline',
  link_text text,
  state text not null default 'offline' constraint print_machine_states_state_check
    check (state in ('idle', 'printing', 'paused', 'error', 'offline')),
  job_name text,
  candidates text[] not null default '{}',
  plate integer,
  percent numeric(5, 2),
  minutes_left numeric(10, 2),
  live jsonb not null default '{}',
  last_report_at timestamptz,
  reported_at timestamptz,
  constraint print_machine_states_pkey primary key (machine_id),
  constraint print_machine_states_machine_id_fkey foreign key (machine_id) references public.print_machines (id) on delete cascade
) with (fillfactor = 50);
comment on table public.print_machine_states is 'What the bridge said last about each printer. Shown; it books nothing.';
comment on column public.print_machine_states.link is 'online, stale, auth, wrong_serial, cert_mismatch, flapping, connecting, offline: how the bridge reaches it.';
comment on column public.print_machine_states.candidates is 'Names of the running job that may be mapped.';
comment on column public.print_machine_states.live is 'Everything else the bridge reported: temperatures, layers, errors, firmware, counters of the link.';

create table public.print_machine_counters (
  machine_id bigint not null,
  jobs integer not null default 0,
  failed_jobs integer not null default 0,
  print_minutes numeric(14, 2) not null default 0,
  grams numeric(14, 2) not null default 0,
  serviced_at timestamptz,
  jobs_at_service integer not null default 0,
  minutes_at_service numeric(14, 2) not null default 0,
  constraint print_machine_counters_pkey primary key (machine_id),
  constraint print_machine_counters_machine_id_fkey foreign key (machine_id) references public.print_machines (id) on delete cascade
) with (fillfactor = 50);
comment on table public.print_machine_counters is 'Jobs, minutes and filament of each printer, for maintenance. Only minutes that are known are counted.';

create table private.machine_leases (
  machine_id bigint not null,
  device_id uuid not null,
  lease_until timestamptz not null,
  constraint machine_leases_pkey primary key (machine_id),
  constraint machine_leases_machine_id_fkey foreign key (machine_id) references public.print_machines (id) on delete cascade,
  constraint machine_leases_device_id_fkey foreign key (device_id) references public.devices (id) on delete cascade
);
create index machine_leases_device_id_idx on private.machine_leases (device_id);
comment on table private.machine_leases is 'Which bridge watches a printer, until when: two bridges never own one.';

create table public.print_coverage_gaps (
  id uuid not null,
  machine_id bigint not null,
  from_at timestamptz not null,
  to_at timestamptz not null,
  created_at timestamptz not null default now(),
  constraint print_coverage_gaps_pkey primary key (id),
  constraint print_coverage_gaps_machine_id_fkey foreign key (machine_id) references public.print_machines (id) on delete cascade,
  constraint print_coverage_gaps_order_check check (from_at <= to_at)
);
create index print_coverage_gaps_machine_id_idx on public.print_coverage_gaps (machine_id, to_at);
comment on table public.print_coverage_gaps is 'When nobody watched a printer: several prints may have come and gone, and only the last left a trace.';

-- Runs -------------------------------------------------------------------------------------------------------------

create table public.print_runs (
  id bigint generated always as identity,
  idempotency_key text not null constraint print_runs_idempotency_key_check check (length(idempotency_key) between 1 and 300),
  site text not null,
  machine_id bigint,
  source text not null constraint print_runs_source_check check (source in ('bambu_auto', 'moonraker', 'prusalink', 'octoprint', 'manual')),
  outcome text not null constraint print_runs_outcome_check check (outcome in ('success', 'failed', 'cancelled', 'unknown', 'ignored')),
  evidence text not null constraint print_runs_evidence_check
    check (evidence in ('observed', 'recovered', 'recovered_unseen', 'superseded', 'lost', 'person')),
  status text not null constraint print_runs_status_check check (status in ('recorded', 'unmapped', 'review', 'ignored')),
  reasons text[] not null default '{}',
  gcode_filename text,
  candidates text[] not null default '{}',
  plate integer,
  started_at timestamptz,
  first_seen_at timestamptz,
  finished_not_before timestamptz,
  finished_at timestamptz not null,
  busy tstzrange not null
    generated always as (private.busy_range(started_at, first_seen_at, finished_not_before, finished_at)) stored,
  is_counted boolean not null default false,
  skipped_object_ids integer[] not null default '{}',
  minutes numeric(10, 2),
  grams numeric(10, 2),
  progress jsonb not null default '{}',
  error jsonb not null default '{}',
  native jsonb not null default '{}',
  bridge jsonb not null default '{}',
  mapping jsonb not null default '[]',
  given jsonb not null default '[]',
  payload_hash text not null,
  plate_status text not null default 'waiting' constraint print_runs_plate_status_check check (plate_status in ('waiting', 'cleared', 'not_needed')),
  photo text constraint print_runs_photo_check check (length(photo) <= 500),
  notes text constraint print_runs_notes_check check (length(notes) <= 2000),
  reported_by uuid,
  decided_by uuid,
  decided_at timestamptz,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint print_runs_pkey primary key (id),
  constraint print_runs_idempotency_key_key unique (idempotency_key),
  constraint print_runs_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint print_runs_machine_id_fkey foreign key (machine_id) references public.print_machines (id) on delete restrict,
  constraint print_runs_counted_check check (not is_counted or outcome = 'success' and status = 'recorded'),
  constraint print_runs_one_at_a_time_excl exclude using gist (machine_id with =, busy with &&) where (is_counted and machine_id is not null)
);
create index print_runs_site_idx on public.print_runs (site, id);
create index print_runs_machine_id_idx on public.print_runs (machine_id, id);
create index print_runs_unseen_end_idx on public.print_runs (machine_id, finished_at) where is_counted and finished_not_before is not null;
create index print_runs_attention_idx on public.print_runs (id) where status in ('unmapped', 'review');
create index print_runs_plate_idx on public.print_runs (machine_id) where plate_status = 'waiting';
comment on table public.print_runs is 'Every physical print, exactly once: counted, failed, cancelled, or waiting for a person. Nothing is dropped.';
comment on column public.print_runs.reasons is 'Why it waits for a person, and what was odd about it: unmapped, unnamed, ambiguous, short_run, overlap, skipped, all_skipped …';
comment on column public.print_runs.candidates is 'Names the run may be mapped by, best first, as the printer spelled them.';
comment on column public.print_runs.first_seen_at is 'When the start was not seen: since when it was surely running.';
comment on column public.print_runs.finished_not_before is 'When the end was not seen: until when it was surely running.';
comment on column public.print_runs.busy is 'When the printer was surely busy with it. Counted runs of one printer never overlap: it cannot do two at once.';
comment on column public.print_runs.is_counted is 'Its parts are in stock.';
comment on column public.print_runs.skipped_object_ids is 'identify_id of objects that were skipped while printing.';
comment on column public.print_runs.minutes is 'Start to end without pauses; null when either was not seen.';
comment on column public.print_runs.grams is 'Filament by the parts it was to give; of a failed run the share that was printed.';
comment on column public.print_runs.progress is 'As the bridge saw it: {percent, layer, total_layers, paused_s, last_seen_at, suggestion, anomalies, reason …}.';
comment on column public.print_runs.error is '{code, text, hms: […]} of a failed run.';
comment on column public.print_runs.native is 'What the printer itself calls the job: {job_id, task_id, subtask_name, print_type …}.';
comment on column public.print_runs.bridge is '{version, host} of the bridge.';
comment on column public.print_runs.mapping is 'The mapping as it was when it was booked: [{sku, planned, object_ids}].';
comment on column public.print_runs.given is 'Who got its parts when it was booked, the first 50: [{line_id, quantity}] of order_part_allocations.';
comment on column public.print_runs.payload_hash is 'Of the report: the same key with another report changes no stock.';
comment on column public.print_runs.photo is 'Of the plate, as it came out: path in the bucket photos.';
comment on column public.print_runs.plate_status is 'waiting: somebody has to clear the plate before the next print.';
create trigger _100_stamp before update on public.print_runs for each row execute function private.tg__stamp();

create table public.inventory_print_log (
  id bigint generated always as identity,
  run_id bigint not null,
  sku text not null,
  planned numeric(14, 3) not null constraint inventory_print_log_planned_check check (planned >= 0),
  quantity numeric(14, 3) not null constraint inventory_print_log_quantity_check check (quantity >= 0),
  failure_reason text constraint inventory_print_log_failure_reason_check check (length(failure_reason) <= 500),
  created_by uuid,
  created_at timestamptz not null default now(),
  constraint inventory_print_log_pkey primary key (id),
  constraint inventory_print_log_run_key unique (run_id, sku),
  constraint inventory_print_log_run_id_fkey foreign key (run_id) references public.print_runs (id) on delete restrict,
  constraint inventory_print_log_sku_fkey foreign key (sku) references public.parts (sku) on delete restrict
);
create index inventory_print_log_sku_idx on public.inventory_print_log (sku, id);
comment on table public.inventory_print_log is 'What each print gave: one row per run and part. Corrections change quantity here and are movements of their own in the ledger.';
comment on column public.inventory_print_log.planned is 'Parts the plate was to give.';
comment on column public.inventory_print_log.quantity is 'Good parts, as known now; 0 for a failed print.';
