-- Machines and what is done to them. Whoever locks several things does it in this order: machine → its stops → repair → stock by SKU.
-- The machine row is the lock of its repairs, checks, readings and work orders; plans by id come after it.

-- Lines and machines -------------------------------------------------------------------------------------------------

create table public.lines (
  code text not null constraint lines_code_check check (code ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,60}$'),
  title text not null constraint lines_title_check check (length(title) between 1 and 200),
  description text constraint lines_description_check check (length(description) <= 2000),
  site text not null,
  is_active boolean not null default true,
  created_by uuid,
  updated_by uuid,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint lines_pkey primary key (code),
  constraint lines_site_fkey foreign key (site) references public.sites (code) on delete restrict
);
create index lines_site_idx on public.lines (site);
comment on table public.lines is 'Production lines: machines that work one after another. Taken out of use, never deleted. What state one is in: line_status.';
create trigger _100_stamp before update on public.lines for each row execute function private.tg__stamp();

create table public.machines (
  code text not null constraint machines_code_check check (code ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,60}$'),
  name text not null constraint machines_name_check check (length(name) between 1 and 200),
  site text not null,
  line text,
  work_centre text,
  asset_number text constraint machines_asset_number_check check (length(asset_number) between 1 and 100),
  serial_number text constraint machines_serial_number_check check (length(serial_number) between 1 and 100),
  manufacturer text constraint machines_manufacturer_check check (length(manufacturer) <= 200),
  model text constraint machines_model_check check (length(model) <= 200),
  type text constraint machines_type_check check (length(type) <= 100),
  micro_stop_s integer not null default 120 constraint machines_micro_stop_s_check check (micro_stop_s between 0 and 3600),
  silence_s integer not null default 300 constraint machines_silence_s_check check (silence_s between 1 and 86400),
  call_supervisor_min integer not null default 10 constraint machines_call_supervisor_min_check check (call_supervisor_min between 0 and 10080),
  call_manager_min integer not null default 30 constraint machines_call_manager_min_check check (call_manager_min between 0 and 10080),
  notes text constraint machines_notes_check check (length(notes) <= 2000),
  is_active boolean not null default true,
  created_by uuid,
  updated_by uuid,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint machines_pkey primary key (code),
  constraint machines_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint machines_line_fkey foreign key (line) references public.lines (code) on delete restrict,
  constraint machines_work_centre_fkey foreign key (work_centre) references public.work_centres (code) on delete restrict
);
create unique index machines_asset_number_key on public.machines (site, lower(asset_number)) where asset_number is not null;
create unique index machines_serial_number_key on public.machines (lower(manufacturer), lower(serial_number)) where serial_number is not null;
create index machines_site_idx on public.machines (site);
create index machines_line_idx on public.machines (line) where line is not null;
create index machines_work_centre_idx on public.machines (work_centre) where work_centre is not null;
comment on table public.machines is
$$Machines. Taken out of use, never deleted: their history stays. Whether one runs is not kept here: machine_status derives it from what is open.$$;
comment on column public.machines.micro_stop_s is 'A stop that ended within so many seconds and that nobody classified is a micro-stop. History keeps the value of its time.';
comment on column public.machines.call_supervisor_min is
  'After so many minutes of working time in which it stands and nobody says why or answers, a supervisor is called; 0: nobody is.';
comment on column public.machines.call_manager_min is 'The same for a manager.';
comment on column public.machines.silence_s is 'After so many seconds without a word from the machine nobody knows what it does.';
create trigger _100_stamp before update on public.machines for each row execute function private.tg__stamp();

create table public.machine_versions (
  machine text not null,
  valid_from timestamptz not null,
  line text,
  work_centre text,
  micro_stop_s integer not null,
  silence_s integer not null,
  is_active boolean not null default true,
  constraint machine_versions_pkey primary key (machine, valid_from),
  constraint machine_versions_machine_fkey foreign key (machine) references public.machines (code) on delete cascade,
  constraint machine_versions_line_fkey foreign key (line) references public.lines (code) on delete restrict,
  constraint machine_versions_work_centre_fkey foreign key (work_centre) references public.work_centres (code) on delete restrict
);
create index machine_versions_line_idx on public.machine_versions (line) where line is not null;
create index machine_versions_work_centre_idx on public.machine_versions (work_centre) where work_centre is not null;
comment on table public.machine_versions is
$$Where a machine stood, whether it was in use, and by which thresholds its stops were judged, since when. Kept by a trigger; the first one of a
machine holds since -infinity, a later one until the next.$$;

create table private.machine_troubles (
  machine text not null,
  job text not null,
  error text not null,
  since timestamptz not null default now(),
  last_at timestamptz not null default now(),
  constraint machine_troubles_pkey primary key (machine, job),
  constraint machine_troubles_machine_fkey foreign key (machine) references public.machines (code) on delete cascade
);
comment on table private.machine_troubles is
  'What a job of the clock cannot do for a machine, since when. The others go on without it; the row goes when it works again.';

create table private.machine_tokens (
  machine text not null,
  token text not null constraint machine_tokens_token_check check (token ~ '^[A-Za-z0-9_-]{22}$'),
  created_at timestamptz not null default now(),
  constraint machine_tokens_pkey primary key (machine),
  constraint machine_tokens_token_key unique (token),
  constraint machine_tokens_machine_fkey foreign key (machine) references public.machines (code) on delete cascade
);
comment on table private.machine_tokens is 'What the QR code on a machine carries: whoever has it may report a problem of this machine, and nothing else.';

create table public.machine_counters (
  machine text not null,
  run_hours numeric(14, 4) not null default 0 constraint machine_counters_run_hours_check check (run_hours >= 0),
  cycles numeric(16, 3) not null default 0 constraint machine_counters_cycles_check check (cycles >= 0),
  last_run_hours numeric(14, 4),
  last_cycles numeric(16, 3),
  unread_run_hours numeric(14, 4) not null default 0,
  unread_cycles numeric(16, 3) not null default 0,
  updated_at timestamptz not null default now(),
  constraint machine_counters_pkey primary key (machine),
  constraint machine_counters_machine_fkey foreign key (machine) references public.machines (code) on delete cascade
) with (fillfactor = 50);
comment on table public.machine_counters is 'How long a machine ran and how often in its life here. Both only grow: a counter that was reset or swapped goes on from where it was.';
comment on column public.machine_counters.last_run_hours is 'What its own counter showed last; null when nobody has read it.';
comment on column public.machine_counters.last_cycles is 'What its own counter showed last; null when nobody has read it.';
comment on column public.machine_counters.unread_run_hours is 'Told by its signals and not yet shown by its own counter: what that shows next is these hours first.';
comment on column public.machine_counters.unread_cycles is 'The same of cycles.';

create table public.machine_symptoms (
  code text not null constraint machine_symptoms_code_check check (code ~ '^[a-z][a-z0-9_]{0,39}$'),
  title text not null constraint machine_symptoms_title_check check (length(title) between 1 and 80),
  is_down boolean not null,
  position integer not null default 0,
  is_active boolean not null default true,
  constraint machine_symptoms_pkey primary key (code)
);
comment on table public.machine_symptoms is 'What people see when something is wrong. They need not know why.';
comment on column public.machine_symptoms.is_down is 'Usually the machine cannot run with it: proposed to who reports.';

-- Preventive plans ---------------------------------------------------------------------------------------------------

create table public.maintenance_plans (
  id bigint generated always as identity,
  machine text not null,
  title text not null constraint maintenance_plans_title_check check (length(title) between 1 and 200),
  instructions text constraint maintenance_plans_instructions_check check (length(instructions) <= 4000),
  based_on text not null constraint maintenance_plans_based_on_check check (based_on in ('calendar', 'run_hours', 'cycles')),
  every numeric(14, 3) not null constraint maintenance_plans_every_check check (every > 0 and every < 'NaN'),
  lead numeric(14, 3) not null default 0,
  is_down boolean not null default true,
  done_at timestamptz not null default now(),
  done_count numeric(16, 3) not null default 0,
  skipped_at timestamptz,
  skipped_count numeric(16, 3),
  due_at timestamptz,
  due_count numeric(16, 3),
  is_active boolean not null default true,
  created_by uuid,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint maintenance_plans_pkey primary key (id),
  constraint maintenance_plans_title_key unique (machine, title),
  constraint maintenance_plans_machine_fkey foreign key (machine) references public.machines (code) on delete restrict,
  constraint maintenance_plans_lead_check check (lead >= 0 and lead < every),
  constraint maintenance_plans_due_check check ((based_on = 'calendar') = (due_at is not null) and (based_on = 'calendar') = (due_count is null))
);
create index maintenance_plans_due_at_idx on public.maintenance_plans (due_at) where is_active and due_at is not null;
comment on table public.maintenance_plans is
  'What is done to a machine before it breaks: every so many days, running hours or cycles after it was done last. At most one work order is open per plan.';
comment on column public.maintenance_plans.every is 'Plant-calendar days, running hours or cycles, as based_on says.';
comment on column public.maintenance_plans.lead is 'The work order opens this much before it is due, in the same unit.';
comment on column public.maintenance_plans.is_down is 'The machine stands while it is done.';
comment on column public.maintenance_plans.done_count is 'What the counter of the machine was when it was done last.';
comment on column public.maintenance_plans.skipped_at is 'When its work order was dismissed last: it is due an interval later. Why stands with the work order.';
comment on column public.maintenance_plans.skipped_count is 'What the counter of the machine was then.';
comment on column public.maintenance_plans.due_at is 'Of a calendar plan: the start of the plant-calendar day on which it is due.';
comment on column public.maintenance_plans.due_count is 'Of a counter plan: at what count it is due.';
create trigger _100_stamp before update on public.maintenance_plans for each row execute function private.tg__stamp();

create table public.maintenance_plan_items (
  plan_id bigint not null,
  position integer not null constraint maintenance_plan_items_position_check check (position between 1 and 200),
  title text not null constraint maintenance_plan_items_title_check check (length(title) between 1 and 300),
  unit text constraint maintenance_plan_items_unit_check check (length(unit) between 1 and 20),
  lower numeric,
  upper numeric,
  constraint maintenance_plan_items_pkey primary key (plan_id, position),
  constraint maintenance_plan_items_plan_id_fkey foreign key (plan_id) references public.maintenance_plans (id) on delete cascade,
  constraint maintenance_plan_items_limits_check check (num_nulls(lower, upper) = 2 or unit is not null and (lower <= upper) is not false)
);
comment on table public.maintenance_plan_items is 'The checklist of a plan: things to look at, and things to measure (those with a unit).';

-- Repairs ------------------------------------------------------------------------------------------------------------

create table public.repairs (
  id bigint generated always as identity,
  machine text not null,
  asset_number text,
  site text not null,
  type text not null constraint repairs_type_check check (type in ('unscheduled', 'scheduled')),
  source text not null constraint repairs_source_check check (source in ('staff', 'qr', 'plan', 'checklist')),
  status text not null default 'reported' constraint repairs_status_check check (status in ('reported', 'acknowledged', 'in_repair', 'waiting',
    'repaired', 'verified', 'closed', 'rejected', 'duplicate', 'cancelled')),
  waits_for text constraint repairs_waits_for_check check (waits_for in ('parts', 'people', 'vendor')),
  priority text not null default 'normal' constraint repairs_priority_check check (priority in ('low', 'normal', 'high')),
  symptom text,
  description text constraint repairs_description_check check (length(description) <= 4000),
  is_down boolean not null,
  is_open boolean not null generated always as (status not in ('closed', 'rejected', 'duplicate', 'cancelled')) stored,
  is_failure boolean not null
    generated always as (type = 'unscheduled' and is_down and status not in ('rejected', 'duplicate', 'cancelled')) stored,
  plan_id bigint,
  duplicate_of bigint,
  found_by bigint,
  assignee_id uuid,
  occurred_at timestamptz not null,
  reported_at timestamptz not null,
  acknowledged_at timestamptz,
  started_at timestamptz,
  repaired_at timestamptz,
  verified_at timestamptz,
  closed_at timestamptz,
  runs_again boolean,
  cause text constraint repairs_cause_check check (length(cause) <= 2000),
  actions_taken text constraint repairs_actions_taken_check check (length(actions_taken) <= 4000),
  performed_by text constraint repairs_performed_by_check check (length(performed_by) <= 300),
  cost numeric(14, 2) not null default 0 constraint repairs_cost_check check (cost >= 0 and cost < 'NaN'),
  reported_by uuid,
  reporter text constraint repairs_reporter_check check (length(reporter) <= 100),
  acknowledged_by uuid,
  verified_by uuid,
  closed_by uuid,
  reports integer not null default 1,
  reopened integer not null default 0,
  status_since timestamptz not null,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint repairs_pkey primary key (id),
  constraint repairs_machine_fkey foreign key (machine) references public.machines (code) on delete restrict,
  constraint repairs_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint repairs_symptom_fkey foreign key (symptom) references public.machine_symptoms (code) on delete restrict,
  constraint repairs_plan_id_fkey foreign key (plan_id) references public.maintenance_plans (id) on delete restrict,
  constraint repairs_duplicate_of_fkey foreign key (duplicate_of) references public.repairs (id) on delete restrict,
  constraint repairs_found_by_fkey foreign key (found_by) references public.repairs (id) on delete restrict,
  constraint repairs_assignee_id_fkey foreign key (assignee_id) references public.staff_shared (user_id) on delete restrict,
  constraint repairs_waiting_check check ((status = 'waiting') = (waits_for is not null)),
  constraint repairs_closed_check check ((status = 'closed') = (closed_at is not null)),
  constraint repairs_duplicate_check check ((status = 'duplicate') = (duplicate_of is not null)),
  constraint repairs_plan_check check (plan_id is null or type = 'scheduled'),
  constraint repairs_order_check check (occurred_at <= reported_at and reported_at <= acknowledged_at and acknowledged_at <= started_at
    and started_at <= repaired_at and repaired_at <= verified_at and verified_at <= closed_at)
);
create unique index repairs_open_symptom_key on public.repairs (machine, symptom) where is_open and type = 'unscheduled' and symptom is not null;
create unique index repairs_open_plan_key on public.repairs (plan_id) where is_open and plan_id is not null;
create index repairs_machine_idx on public.repairs (machine, reported_at desc);
create index repairs_open_idx on public.repairs (site, id) where is_open;
create index repairs_site_idx on public.repairs (site, id);
create index repairs_plan_id_idx on public.repairs (plan_id) where plan_id is not null;
create index repairs_symptom_idx on public.repairs (symptom) where symptom is not null;
create index repairs_assignee_id_idx on public.repairs (assignee_id) where assignee_id is not null;
create index repairs_duplicate_of_idx on public.repairs (duplicate_of) where duplicate_of is not null;
create index repairs_found_by_idx on public.repairs (found_by) where found_by is not null;
comment on table public.repairs is
$$What was wrong with a machine, or was due by a plan, and what was done: reported → acknowledged → in_repair ⇄ waiting → repaired → verified →
closed. Its times are first times; how long it stayed in each status is in repair_statuses. Parts are movements of the ledger (ref_stream repair).$$;
comment on column public.repairs.asset_number is 'That of the machine when it was reported.';
comment on column public.repairs.is_down is 'The machine cannot run because of it, or stands while it is done.';
comment on column public.repairs.is_failure is 'Counts for MTBF and MTTR. However often it is reopened, it is one failure.';
comment on column public.repairs.found_by is 'The work order whose checklist found it.';
comment on column public.repairs.occurred_at is 'Since when the machine had it, as far as anybody knows.';
comment on column public.repairs.started_at is 'Work began: the first time.';
comment on column public.repairs.repaired_at is 'Work ended: the last time.';
comment on column public.repairs.runs_again is 'Said when it was closed: does the machine run? False: it still stands, for another reason.';
comment on column public.repairs.performed_by is 'Who did the work, in words: people, a firm.';
comment on column public.repairs.cost is 'Labour and what was bought for it, in the currency of the plant. Parts from stock come on top: repair_costs.';
comment on column public.repairs.reporter is 'How somebody without an account called himself.';
comment on column public.repairs.reports is 'How often the same symptom was reported while it was open.';
comment on column public.repairs.reopened is 'How often it came back within the hours in which it is the same failure.';
create trigger _100_stamp before update on public.repairs for each row execute function private.tg__stamp();

create table public.repair_statuses (
  repair_id bigint not null,
  n integer not null,
  at timestamptz not null,
  status text not null,
  waits_for text,
  actor_id uuid,
  note text constraint repair_statuses_note_check check (length(note) <= 2000),
  constraint repair_statuses_pkey primary key (repair_id, n),
  constraint repair_statuses_repair_id_fkey foreign key (repair_id) references public.repairs (id) on delete cascade
);
comment on table public.repair_statuses is 'Every status a repair took, from when. A status lasts until the next one; times never go back.';

create table public.repair_reports (
  id bigint generated always as identity,
  repair_id bigint not null,
  at timestamptz not null default now(),
  source text not null,
  is_down boolean not null,
  occurred_at timestamptz not null default now(),
  description text,
  reported_by uuid,
  reporter text,
  constraint repair_reports_pkey primary key (id),
  constraint repair_reports_repair_id_fkey foreign key (repair_id) references public.repairs (id) on delete cascade
);
create index repair_reports_repair_id_idx on public.repair_reports (repair_id);
comment on table public.repair_reports is 'Every report of a repair in its own words, the first one and those that joined it.';
comment on column public.repair_reports.occurred_at is 'Since when, as this report says.';
comment on column public.repair_reports.reporter is 'How somebody without an account called himself.';

create table public.repair_checks (
  repair_id bigint not null,
  position integer not null,
  title text not null,
  unit text,
  lower numeric,
  upper numeric,
  result text constraint repair_checks_result_check check (result in ('ok', 'fail', 'skipped')),
  value numeric constraint repair_checks_value_check check (value < 'NaN'),
  note text constraint repair_checks_note_check check (length(note) <= 1000),
  done_by uuid,
  done_at timestamptz,
  failed_repair_id bigint,
  constraint repair_checks_pkey primary key (repair_id, position),
  constraint repair_checks_repair_id_fkey foreign key (repair_id) references public.repairs (id) on delete cascade,
  constraint repair_checks_failed_repair_id_fkey foreign key (failed_repair_id) references public.repairs (id) on delete restrict,
  constraint repair_checks_done_check check ((result is null) = (done_at is null)),
  constraint repair_checks_failed_check check (failed_repair_id is null or result = 'fail')
);
create index repair_checks_failed_repair_id_idx on public.repair_checks (failed_repair_id) where failed_repair_id is not null;
comment on table public.repair_checks is 'The checklist of a work order, as the plan had it when the order opened, and what was found. What fails becomes a repair.';

create table public.repair_attachments (
  id uuid not null default gen_random_uuid(),
  repair_id bigint not null,
  bucket text not null default 'maintenance' constraint repair_attachments_bucket_check check (bucket in ('maintenance', 'photos')),
  path text not null,
  original_name text constraint repair_attachments_original_name_check check (length(original_name) between 1 and 255),
  mime_type text not null constraint repair_attachments_mime_type_check
    check (mime_type in ('image/jpeg', 'image/png', 'image/webp', 'image/heic', 'application/pdf')),
  uploaded_by uuid,
  created_at timestamptz not null default now(),
  removed_at timestamptz,
  removed_by uuid,
  constraint repair_attachments_pkey primary key (id),
  constraint repair_attachments_path_key unique (path),
  constraint repair_attachments_repair_id_fkey foreign key (repair_id) references public.repairs (id) on delete cascade,
  constraint repair_attachments_path_check check (path ~ '^[a-z][a-z0-9_-]*/([0-9]+|repair)/[0-9a-f-]{36}\.(jpg|png|webp|heic|pdf)$')
);
create index repair_attachments_repair_id_idx on public.repair_attachments (repair_id);
comment on table public.repair_attachments is
$$Photos and papers of a repair. Photos that staff take are those of start_photo, in the bucket photos; papers, and photos of whoever reports by the QR
code, are in the bucket maintenance. The path is made here; the name that a client gave is kept to be shown and is used for nothing.$$;
comment on column public.repair_attachments.uploaded_by is 'Null: somebody without an account, who reported by the QR code.';

create table private.problem_reports (
  id bigint generated always as identity,
  at timestamptz not null default now(),
  machine text not null,
  repair_id bigint not null,
  address text,
  request_id uuid,
  said text,
  answer jsonb,
  constraint problem_reports_pkey primary key (id),
  constraint problem_reports_machine_fkey foreign key (machine) references public.machines (code) on delete cascade,
  constraint problem_reports_repair_id_fkey foreign key (repair_id) references public.repairs (id) on delete cascade
);
create index problem_reports_machine_idx on private.problem_reports (machine, at);
create index problem_reports_address_idx on private.problem_reports (address, at);
create index problem_reports_repair_id_idx on private.problem_reports (repair_id);
create unique index problem_reports_request_id_key on private.problem_reports (machine, request_id) where request_id is not null;
comment on table private.problem_reports is 'Reports without an account, for a day: who reports how often, and the answers of repeats.';
comment on column private.problem_reports.address is 'SHA-256 of the address it came from; null: somebody who had signed in, whom no limit counts.';
comment on column private.problem_reports.said is 'SHA-256 of what was said: the same request id with other words is refused.';
