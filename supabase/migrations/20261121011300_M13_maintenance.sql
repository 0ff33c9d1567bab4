-- Built from sql/M13_maintenance/ by `takt db build`: edit there, not here.
set local lock_timeout = '10s';
set local statement_timeout = '5min';

-- sql/M13_maintenance/tables.sql

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

-- sql/M13_maintenance/internal.sql

-- Machines -----------------------------------------------------------------------------------------------------------

create function private.new_machine_token()
returns text language sql volatile set search_path = '' as $$
  select translate(rtrim(encode(uuid_send(gen_random_uuid()), 'base64'), '='), '+/', '-_')
$$;
comment on function private.new_machine_token is '22 characters that nobody guesses, for the QR code of a machine.';

create function private.tg_machines__history()
returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into private.machine_tokens (machine, token) values (new.code, private.new_machine_token());
    insert into public.machine_counters (machine) values (new.code);
  elsif (new.line, new.work_centre, new.micro_stop_s, new.silence_s, new.is_active)
      is not distinct from (old.line, old.work_centre, old.micro_stop_s, old.silence_s, old.is_active) then
    return null;
  end if;
  insert into public.machine_versions as v (machine, valid_from, line, work_centre, micro_stop_s, silence_s, is_active)
  values (new.code, case when tg_op = 'INSERT' then '-infinity' else now() end, new.line, new.work_centre, new.micro_stop_s, new.silence_s, new.is_active)
  on conflict on constraint machine_versions_pkey do update set line = excluded.line, work_centre = excluded.work_centre,
    micro_stop_s = excluded.micro_stop_s, silence_s = excluded.silence_s, is_active = excluded.is_active;
  return null;
end $$;
comment on function private.tg_machines__history is 'A new machine gets its QR code, its counters and its first version; a changed one another version.';
create trigger _500_history after insert or update of line, work_centre, micro_stop_s, silence_s, is_active on public.machines
  for each row execute function private.tg_machines__history();

create function private.find_machine(p_machine text)
returns public.machines language plpgsql stable set search_path = '' as $$
declare
  v_machine public.machines;
begin
  select m.* into v_machine from public.machines m where m.code = p_machine;
  if v_machine.code is null then
    perform private.fail(404, 'machine.unknown', 'There is no machine ' || coalesce(p_machine, '') || '.', jsonb_build_object('machine', p_machine));
  end if;
  return v_machine;
end $$;
comment on function private.find_machine is 'The machine. Errors: machine.unknown (404).';

create function private.lock_machine(p_machine text)
returns public.machines language plpgsql set search_path = '' as $$
declare
  v_machine public.machines;
begin
  select m.* into v_machine from public.machines m where m.code = p_machine for no key update;
  return v_machine;
end $$;
comment on function private.lock_machine is 'The lock of a machine, taken before its stops, repairs and parts.';

create function private.spare_machine(p_machine text)
returns boolean language plpgsql set search_path = '' as $$
begin
  return exists (select from public.machines m where m.code = p_machine for no key update skip locked);
end $$;
comment on function private.spare_machine is
$$The lock of a machine for a job of the clock, which holds those of others: false when somebody else has it. The job leaves the machine for its next
run, so that nobody waits for the clock and the clock for nobody.$$;

create function private.note_trouble(p_job text, p_machine text, p_error text)
returns void language plpgsql set search_path = '' as $$
declare
  v_before text := (select t.error from private.machine_troubles t where t.machine = p_machine and t.job = p_job);
begin
  if p_error is null then
    delete from private.machine_troubles t where t.machine = p_machine and t.job = p_job and v_before is not null;
    return;
  end if;
  insert into private.machine_troubles as t (machine, job, error) values (p_machine, p_job, p_error)
  on conflict on constraint machine_troubles_pkey do update set error = excluded.error, last_at = now();
  if v_before is distinct from p_error then
    perform private.emit('machine', p_machine, 'machine.job_failed', null, jsonb_build_object('machine', p_machine, 'job', p_job, 'error', p_error), null,
      (select m.site from public.machines m where m.code = p_machine));
  end if;
end $$;
comment on function private.note_trouble is
  'What a job of the clock could not do for one machine, told once; null: it works. Each machine is a block of its own, so the others are not held up.';

create function private.add_machine_run(p_machine text, p_run_hours numeric, p_cycles numeric)
returns void language plpgsql set search_path = '' as $$
declare
  v_hours numeric := greatest(coalesce(p_run_hours, 0), 0);
  v_cycles numeric := greatest(coalesce(p_cycles, 0), 0);
begin
  if v_hours > 0 or v_cycles > 0 then
    update public.machine_counters c
       set run_hours = c.run_hours + v_hours, cycles = c.cycles + v_cycles, updated_at = now(),
           unread_run_hours = case when c.last_run_hours is null then 0 else c.unread_run_hours + v_hours end,
           unread_cycles = case when c.last_cycles is null then 0 else c.unread_cycles + v_cycles end
     where c.machine = p_machine;
  end if;
end $$;
comment on function private.add_machine_run is
  'Its signals say that the machine ran so many hours more and so many cycles. What it counted never goes back; its own counter shows the same hours once more.';

-- Who sees what --------------------------------------------------------------------------------------------------------

create function private.caller_sites(p_site text)
returns text[] language plpgsql stable set search_path = '' as $$
declare
  v_who private.identity := private.identify();
begin
  return case when p_site is not null then array[p_site]
    else array(select si.code from public.sites si where private.works_at(v_who, si.code)) end;
end $$;
comment on function private.caller_sites is 'What a question is about: the site named, which the guard has asked for, else every site where the caller works.';

create function private.readable_machines(p_permission text)
returns setof text language plpgsql stable security definer set search_path = '' as $$
begin
  return query select m.code from public.machines m where m.site = any (private.readable_sites(p_permission));
end $$;
comment on function private.readable_machines is
  'For policies, of rows that name their machine: machines of the sites where an active caller works and has this permission.';
grant execute on function private.readable_machines to authenticated;

-- Plans --------------------------------------------------------------------------------------------------------------

create function private.tg_maintenance_plans__due()
returns trigger language plpgsql set search_path = '' as $$
declare
  v_zone text := (select s.time_zone from public.machines m join public.sites s on s.code = m.site where m.code = new.machine);
begin
  new.due_at := case when new.based_on = 'calendar' then
    ((greatest(new.done_at, new.skipped_at) at time zone v_zone)::date + round(new.every)::integer)::timestamp at time zone v_zone end;
  new.due_count := case when new.based_on <> 'calendar' then greatest(new.done_count, new.skipped_count) + new.every end;
  return new;
end $$;
comment on function private.tg_maintenance_plans__due is 'Due is when it was done or skipped last plus the interval, however late that was: nothing piles up.';
create trigger _500_due before insert or update on public.maintenance_plans for each row execute function private.tg_maintenance_plans__due();

create function private.counter_of(p_machine text, p_based_on text)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select case p_based_on when 'run_hours' then c.run_hours when 'cycles' then c.cycles end
    from public.machine_counters c where c.machine = p_machine), 0);
end $$;
comment on function private.counter_of is 'Run hours or cycles of the machine in its life here; 0 for a calendar plan.';

create function private.is_plan_due(p_plan public.maintenance_plans, p_now timestamptz)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return p_plan.is_active and case when p_plan.based_on = 'calendar'
    then p_plan.due_at - make_interval(days => round(p_plan.lead)::integer) <= p_now
    else private.counter_of(p_plan.machine, p_plan.based_on) >= p_plan.due_count - p_plan.lead end;
end $$;

-- Repairs ------------------------------------------------------------------------------------------------------------

create function private.emit_repair(p_repair public.repairs, p_event text, p_actor uuid, p_more jsonb default '{}')
returns bigint language plpgsql set search_path = '' as $$
begin
  return private.emit('repair', p_repair.id::text, p_event, p_actor, jsonb_strip_nulls(jsonb_build_object('version', p_repair.version,
    'machine', p_repair.machine, 'type', p_repair.type, 'status', p_repair.status, 'waits_for', p_repair.waits_for, 'symptom', p_repair.symptom,
    'is_down', p_repair.is_down, 'plan_id', p_repair.plan_id) || p_more), null, p_repair.site);
end $$;
comment on function private.emit_repair is 'One event of a repair. Names of people without an account are in no event.';

create function private.log_status(p_repair public.repairs, p_actor uuid, p_note text)
returns void language plpgsql set search_path = '' as $$
begin
  insert into public.repair_statuses (repair_id, n, at, status, waits_for, actor_id, note)
  values (p_repair.id, (select count(*) + 1 from public.repair_statuses s where s.repair_id = p_repair.id), p_repair.status_since, p_repair.status,
    p_repair.waits_for, nullif(p_actor, '00000000-0000-0000-0000-000000000000'), p_note);
end $$;

create function private.open_repair(p_repair public.repairs, p_actor uuid)
returns public.repairs language plpgsql set search_path = '' as $$
declare
  v_repair public.repairs;
begin
  insert into public.repairs (machine, asset_number, site, type, source, priority, symptom, description, is_down, plan_id, found_by, assignee_id,
    occurred_at, reported_at, reported_by, reporter, status_since)
  select m.code, m.asset_number, m.site, p_repair.type, p_repair.source, coalesce(p_repair.priority, 'normal'), p_repair.symptom, p_repair.description,
         p_repair.is_down, p_repair.plan_id, p_repair.found_by, p_repair.assignee_id, p_repair.occurred_at, p_repair.reported_at,
         nullif(p_actor, '00000000-0000-0000-0000-000000000000'), p_repair.reporter, p_repair.reported_at
    from public.machines m where m.code = p_repair.machine
  returning * into v_repair;
  perform private.log_status(v_repair, p_actor, null);
  return v_repair;
end $$;
comment on function private.open_repair is 'A new repair of a locked machine, as reported. The caller emits.';

create function private.next_statuses(p_status text)
returns text[] language sql immutable set search_path = '' as $$
  select case p_status
    when 'reported' then array['acknowledged', 'in_repair', 'rejected', 'duplicate', 'cancelled']
    when 'acknowledged' then array['in_repair', 'rejected', 'duplicate', 'cancelled']
    when 'in_repair' then array['waiting', 'repaired', 'cancelled']
    when 'waiting' then array['waiting', 'in_repair', 'cancelled']
    when 'repaired' then array['verified', 'in_repair']
    when 'verified' then array['closed', 'in_repair']
    when 'closed' then array['in_repair', 'reported']
    else array[]::text[] end
$$;
comment on function private.next_statuses is 'Where a repair may go from a status. Back from closed only within the hours in which it is the same failure.';

create function private.check_status(p_repair public.repairs, p_status text)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_status <> all (private.next_statuses(p_repair.status)) then
    perform private.fail(409, 'repair.status', format('This repair is %s. It cannot become %s now.', replace(p_repair.status, '_', ' '),
      replace(p_status, '_', ' ')), jsonb_build_object('actual', p_repair.status, 'expected', private.next_statuses(p_repair.status)));
  end if;
end $$;

create function private.instant_given(p_at timestamptz, p_not_before timestamptz, p_field text)
returns timestamptz language plpgsql stable set search_path = '' as $$
begin
  if p_at > now() + interval '1 minute' or p_at < p_not_before then
    perform private.fail(422, 'repair.time', 'That was not possible at this time: it lies in the future, or before what happened already.',
      jsonb_build_object('field', p_field, 'actual', p_at, 'not_before', p_not_before));
  end if;
  -- A repair that was reported in advance of its own clock still goes forward.
  return greatest(least(coalesce(p_at, now()), now()), p_not_before);
end $$;
comment on function private.instant_given is 'When it happened: now, or the instant a person gave. Errors: repair.time (422) in the future, or before p_not_before.';

create function private.move_repair(p_repair public.repairs, p_status text, p_at timestamptz, p_actor uuid, p_note text default null, p_waits_for text default null)
returns public.repairs language plpgsql set search_path = '' as $$
declare
  v_repair public.repairs;
  v_by uuid := nullif(p_actor, '00000000-0000-0000-0000-000000000000');
  v_back boolean := p_repair.status in ('repaired', 'verified', 'closed') and p_status in ('in_repair', 'reported');
begin
  perform private.check_status(p_repair, p_status);
  perform private.check_length('p_note', p_note, 2000);
  update public.repairs r
     set status = p_status, waits_for = p_waits_for, status_since = p_at,
         acknowledged_at = case when p_status in ('acknowledged', 'in_repair') then coalesce(r.acknowledged_at, p_at) else r.acknowledged_at end,
         acknowledged_by = case when p_status in ('acknowledged', 'in_repair') then coalesce(r.acknowledged_by, v_by) else r.acknowledged_by end,
         started_at = case when p_status = 'in_repair' then coalesce(r.started_at, p_at) else r.started_at end,
         repaired_at = case when v_back then null when p_status = 'repaired' then p_at else r.repaired_at end,
         verified_at = case when v_back then null when p_status = 'verified' then p_at else r.verified_at end,
         verified_by = case when v_back then null when p_status = 'verified' then v_by else r.verified_by end,
         closed_at = case when p_status = 'closed' then p_at end, closed_by = case when p_status = 'closed' then v_by end,
         runs_again = case when p_status = 'closed' then r.runs_again end,
         reopened = r.reopened + case when r.status = 'closed' then 1 else 0 end
   where r.id = p_repair.id returning r.* into v_repair;
  perform private.log_status(v_repair, p_actor, p_note);
  return v_repair;
end $$;
comment on function private.move_repair is
'The one place where a repair changes its status, with the instants that go with it. The repair is locked. Errors: repair.status (409), request.too_long (422).';

create function private.is_same_failure(p_repair public.repairs, p_at timestamptz)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return p_repair.status = 'closed' and p_at <= p_repair.closed_at
    + make_interval(hours => coalesce(private.setting('maintenance.same_failure_hours', null, p_repair.site)::integer, 24));
end $$;
comment on function private.is_same_failure is 'Closed so short ago that what comes back is still the same failure (setting maintenance.same_failure_hours).';

-- Commands on one repair -----------------------------------------------------------------------------------------------

create type public.repair_change as (changed boolean, event_id bigint, repair public.repairs);
comment on type public.repair_change is 'Answer of a command on a repair: did it change anything, its event, the repair now.';

create type private.repair_command as (actor uuid, request_id uuid, answer jsonb, repair public.repairs);

create function private.begin_repair(p_permission text, p_id bigint, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.repair_command language plpgsql set search_path = '' as $$
declare
  v_command private.repair_command;
  v_repair public.repairs;
begin
  select r.* into v_repair from public.repairs r where r.id = p_id;
  v_command.actor := private.authorize(p_permission, null, v_repair.site);
  v_command.request_id := p_request_id;
  if v_repair.id is null then
    perform private.fail(404, 'repair.unknown', 'There is no such repair.', jsonb_build_object('id', p_id));
  end if;
  v_command.answer := private.replay(v_command.actor, p_request_id, p_rpc, p_args);
  if v_command.answer is null then
    perform private.lock_machine(v_repair.machine);
    select r.* into v_repair from public.repairs r where r.id = p_id for update;
  end if;
  v_command.repair := v_repair;
  return v_command;
end $$;
comment on function private.begin_repair is
'Guard, replay and lock for a command on one repair. Errors: repair.unknown (404), request.reused (422). Locks: the machine, then the repair.';

create function private.finish_repair(p_command private.repair_command, p_event text, p_more jsonb default '{}')
returns public.repair_change language plpgsql set search_path = '' as $$
declare
  v_change public.repair_change;
begin
  if p_command.answer is not null then
    return jsonb_populate_record(null::public.repair_change, p_command.answer);
  end if;
  v_change.changed := p_event is not null;
  v_change.repair := (select r from public.repairs r where r.id = (p_command.repair).id);
  if p_event is not null then
    v_change.event_id := private.emit_repair(v_change.repair, p_event, p_command.actor, p_more);
  end if;
  perform private.remember(p_command.actor, p_command.request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function private.finish_repair is 'The end of a command on a repair: the event (null: nothing changed), the answer kept for repeats.';

-- sql/M13_maintenance/report.sql

-- Somebody says that something is wrong with a machine: staff, or whoever scans its QR code.

create type private.reported_problem as (repair public.repairs, is_new boolean, event_id bigint);

create function private.ticket_of(p_report public.repairs, p_actor uuid)
returns private.reported_problem language plpgsql set search_path = '' as $$
declare
  v_repair public.repairs;
begin
  select r.* into v_repair from public.repairs r
   where r.machine = p_report.machine and r.symptom = p_report.symptom and r.is_open and r.type = 'unscheduled' and p_report.type = 'unscheduled' for update;
  if v_repair.id is not null then
    update public.repairs r set reports = r.reports + 1, is_down = r.is_down or p_report.is_down where r.id = v_repair.id returning r.* into v_repair;
    return row(v_repair, false, private.emit_repair(v_repair, 'repair.reported_again', p_actor, jsonb_build_object('reports', v_repair.reports)))::private.reported_problem;
  end if;
  select r.* into v_repair from public.repairs r
   where r.machine = p_report.machine and r.symptom = p_report.symptom and r.type = 'unscheduled' and p_report.type = 'unscheduled' and r.status = 'closed'
   order by r.closed_at desc limit 1 for update;
  if private.is_same_failure(v_repair, now()) then
    update public.repairs r set reports = r.reports + 1, is_down = r.is_down or p_report.is_down where r.id = v_repair.id returning r.* into v_repair;
    -- Who says that it stands since an hour ago, says when it came back; before it was closed it ran.
    v_repair := private.move_repair(v_repair, 'reported', case when p_report.is_down then greatest(p_report.occurred_at, v_repair.closed_at) else now() end, p_actor);
    return row(v_repair, false, private.emit_repair(v_repair, 'repair.reopened', p_actor, jsonb_build_object('reopened', v_repair.reopened)))::private.reported_problem;
  end if;
  v_repair := private.open_repair(p_report, p_actor);
  return row(v_repair, true, private.emit_repair(v_repair, 'repair.reported', p_actor, jsonb_build_object('source', v_repair.source)))::private.reported_problem;
end $$;
comment on function private.ticket_of is
$$A report of a locked machine: it joins the open repair with the same symptom, opens again one that was closed so short ago that it is the same
failure, or is a new repair.$$;

create function private.take_report(p_report public.repairs, p_actor uuid)
returns private.reported_problem language plpgsql set search_path = '' as $$
declare
  v_problem private.reported_problem := private.ticket_of(p_report, p_actor);
begin
  insert into public.repair_reports (repair_id, source, is_down, occurred_at, description, reported_by, reporter)
  values ((v_problem.repair).id, p_report.source, p_report.is_down, p_report.occurred_at, p_report.description, nullif(p_actor, '00000000-0000-0000-0000-000000000000'),
    p_report.reporter);
  return v_problem;
end $$;
comment on function private.take_report is 'The repair that a report of a locked machine belongs to, with the words of this report kept beside those of the others.';

create function private.check_symptom(p_symptom text)
returns public.machine_symptoms language plpgsql stable set search_path = '' as $$
declare
  v_symptom public.machine_symptoms := (select s from public.machine_symptoms s where s.code = p_symptom and s.is_active);
begin
  if v_symptom.code is null then
    perform private.fail(404, 'symptom.unknown', 'Choose what is wrong from the list.', jsonb_build_object('field', 'p_symptom', 'actual', p_symptom,
      'expected', array(select s.code from public.machine_symptoms s where s.is_active order by s.position)));
  end if;
  return v_symptom;
end $$;

create function private.refuse_idle_machine(p_machine public.machines)
returns void language plpgsql stable set search_path = '' as $$
begin
  if not p_machine.is_active then
    perform private.fail(409, 'machine.inactive', p_machine.name || ' is not in use any more.', jsonb_build_object('machine', p_machine.code));
  end if;
end $$;
comment on function private.refuse_idle_machine is 'Errors: machine.inactive (409) when the machine was taken out of use.';

create function public.report_repair(
  p_machine text, p_symptom text default null, p_description text default null, p_is_down boolean default null, p_priority text default 'normal',
  p_occurred_at timestamptz default null, p_type text default 'unscheduled', p_assignee_id uuid default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := (select m from public.machines m where m.code = p_machine);
  v_actor uuid := private.authorize('maintenance.report', null, v_machine.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'report_repair', jsonb_build_array(p_machine, p_symptom, p_description, p_is_down, p_priority,
    p_occurred_at, p_type, p_assignee_id));
  v_report public.repairs;
  v_problem private.reported_problem;
  v_change public.repair_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.repair_change, v_answer);
  end if;
  perform private.find_machine(p_machine);
  v_machine := private.lock_machine(p_machine);
  perform private.refuse_idle_machine(v_machine);
  perform private.check_repair_report(p_symptom, p_description, p_priority, p_type, p_assignee_id);
  v_report.machine := p_machine; v_report.type := p_type; v_report.source := 'staff'; v_report.symptom := p_symptom;
  v_report.description := nullif(trim(p_description), ''); v_report.priority := p_priority; v_report.assignee_id := p_assignee_id;
  v_report.is_down := coalesce(p_is_down, (select s.is_down from public.machine_symptoms s where s.code = p_symptom), false);
  v_report.occurred_at := private.instant_given(p_occurred_at, '-infinity', 'p_occurred_at');
  v_report.reported_at := now();
  v_problem := private.take_report(v_report, v_actor);
  v_change := row(true, v_problem.event_id, v_problem.repair)::public.repair_change;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.report_repair is
$$Something is wrong with a machine (p_type unscheduled), or work on it is planned (scheduled). p_symptom from machine_symptoms, or words in
p_description; p_is_down: it cannot run (default: what the symptom usually means); p_occurred_at: since when. The same symptom joins the open
repair, and one closed within the setting maintenance.same_failure_hours is opened again.
Permission: maintenance.report at the site of the machine.
Errors: machine.unknown (404), machine.inactive (409), symptom.unknown (404), repair.what (422), repair.choice (422), repair.time (422), staff.unknown (404), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it the same symptom counts as reported once more.
Locks: the machine, then the repair.$$;

create function private.check_repair_report(p_symptom text, p_description text, p_priority text, p_type text, p_assignee_id uuid)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_symptom is not null then
    perform private.check_symptom(p_symptom);
  elsif coalesce(trim(p_description), '') = '' then
    perform private.fail(422, 'repair.what', 'Say what is wrong: choose a symptom or write it down.', jsonb_build_object('field', 'p_description'));
  end if;
  perform private.check_length('p_description', p_description, 4000);
  perform private.check_choice('p_priority', p_priority, '{low,normal,high}');
  perform private.check_choice('p_type', p_type, '{unscheduled,scheduled}');
  perform private.check_repair_assignee(p_assignee_id);
end $$;

create function private.check_choice(p_field text, p_value text, p_choices text[])
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_value is null or p_value <> all (p_choices) then
    perform private.fail(422, 'repair.choice', format('Choose %s.', array_to_string(p_choices, ', ')),
      jsonb_build_object('field', p_field, 'actual', p_value, 'expected', p_choices));
  end if;
end $$;
comment on function private.check_choice is 'PT422 repair.choice unless the value is one of the choices.';

create function private.check_repair_assignee(p_assignee_id uuid)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_assignee_id is not null and not exists (select from public.staff_shared s where s.user_id = p_assignee_id and s.is_active) then
    perform private.fail(404, 'staff.unknown', 'There is nobody like that here.', jsonb_build_object('user_id', p_assignee_id));
  end if;
end $$;

-- Without an account -------------------------------------------------------------------------------------------------

create function private.begin_report(p_token text)
returns public.machines language plpgsql stable set search_path = '' as $$
declare
  v_machine public.machines;
begin
  select m.* into v_machine from private.machine_tokens t join public.machines m on m.code = t.machine where t.token = p_token;
  if v_machine.code is null then
    perform private.fail(404, 'report.unknown_code', 'This code is not in use any more. Tell somebody of the maintenance.');
  end if;
  perform private.refuse_idle_machine(v_machine);
  return v_machine;
end $$;
comment on function private.begin_report is
$$The guard of what needs no account: the machine whose QR code carries this token. Errors: report.unknown_code (404), machine.inactive (409).$$;

create function private.caller_address()
returns text language plpgsql stable set search_path = '' as $$
begin
  return encode(sha256(convert_to(left(trim(split_part(coalesce(
    nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-forwarded-for', ''), ',', 1)), 100), 'UTF8')), 'hex');
end $$;
comment on function private.caller_address is
$$SHA-256 of the address that the gateway saw. Who sends a made-up one meets the limit of the machine.$$;

create function private.flooded_until(p_machine public.machines, p_address text)
returns timestamptz language plpgsql stable set search_path = '' as $$
declare
  v_since timestamptz := now() - interval '1 hour';
begin
  return interval '1 hour' + greatest(
    (select p.at from private.problem_reports p where p.machine = p_machine.code and p.address = p_address and p.at > v_since
      order by p.at desc offset private.setting('maintenance.reports_per_address', null, p_machine.site)::integer - 1 limit 1),
    (select p.at from private.problem_reports p where p.machine = p_machine.code and p.address is not null and p.at > v_since
      order by p.at desc offset private.setting('maintenance.reports_per_machine', null, p_machine.site)::integer - 1 limit 1),
    (select p.at from private.problem_reports p join public.machines m on m.code = p.machine
      where m.site = p_machine.site and p.address is not null and p.at > v_since
      order by p.at desc offset private.setting('maintenance.reports_per_site', null, p_machine.site)::integer - 1 limit 1));
end $$;
comment on function private.flooded_until is
$$Until when no more reports without an account are taken, null: they are. An address has its limit at each machine, since a whole plant may stand behind
one: who floods one machine locks nobody out of the others.$$;

create type public.report_form as (machine text, name text, line text, symptoms jsonb);
comment on type public.report_form is
'What somebody sees who scanned the QR code of a machine: which one it is, and symptoms [{code, title, is_down, is_open}]; is_open: reported already.';

create function public.get_report_form(p_token text)
returns public.report_form language plpgsql stable security definer set search_path = '' as $$
declare
  v_machine public.machines := private.begin_report(p_token);
begin
  return row(v_machine.code, v_machine.name, (select l.title from public.lines l where l.code = v_machine.line), (
    select jsonb_agg(jsonb_build_object('code', s.code, 'title', s.title, 'is_down', s.is_down, 'is_open', exists (
        select from public.repairs r where r.machine = v_machine.code and r.symptom = s.code and r.is_open and r.type = 'unscheduled')) order by s.position)
      from public.machine_symptoms s where s.is_active))::public.report_form;
end $$;
comment on function public.get_report_form is
$$What the QR code of a machine opens: its name and the symptoms to choose from. Says nothing else about the plant.
Permission: none; the token of the QR code is the right.
Errors: report.unknown_code (404), machine.inactive (409).
Idempotency: a read.
Locks: none.$$;

create type public.problem_report as (repair_id bigint, is_new boolean, status text, machine text, name text, reports integer, photo_path text);
comment on type public.problem_report is
$$The ticket of a report: is_new false: it was reported before, so often by now. photo_path: where the photo goes in the bucket maintenance;
null without a photo, or when the repair has 50 files already: the report counts all the same.$$;

create function private.known_problem(p_machine public.machines, p_symptom text, p_retry_at timestamptz)
returns public.problem_report language plpgsql stable set search_path = '' as $$
declare
  v_repair public.repairs;
begin
  select r.* into v_repair from public.repairs r
   where r.machine = p_machine.code and r.symptom = p_symptom and r.is_open and r.type = 'unscheduled';
  if v_repair.id is null then
    perform private.fail(429, 'report.too_many', 'Too many reports in an hour. Tell somebody of the maintenance.', jsonb_build_object('retry_at', p_retry_at));
  end if;
  return row(v_repair.id, false, v_repair.status, p_machine.code, p_machine.name, v_repair.reports, null)::public.problem_report;
end $$;
comment on function private.known_problem is
  'Beyond the limits nothing is written any more, but who reports what is known already hears so. Errors: report.too_many (429).';

create function private.past_report(p_machine text, p_request_id uuid, p_said text)
returns public.problem_report language plpgsql set search_path = '' as $$
declare
  v_past private.problem_reports;
  v_answer public.problem_report;
begin
  select p.* into v_past from private.problem_reports p where p.machine = p_machine and p.request_id = p_request_id;
  if v_past.said <> p_said then
    perform private.fail(422, 'request.reused', 'This request id was used for another report.', jsonb_build_object('first', 'report_problem'));
  end if;
  v_answer := jsonb_populate_record(null::public.problem_report, v_past.answer);
  -- Who lost the connection before the photo has another hour for it.
  update public.repair_attachments a set created_at = now()
   where a.path = v_answer.photo_path and a.removed_at is null
     and not exists (select from storage.objects o where o.bucket_id = a.bucket and o.name = a.path);
  return v_answer;
end $$;
comment on function private.past_report is 'The answer of an earlier identical report. Errors: request.reused (422).';

create function public.report_problem(
  p_token text, p_symptom text, p_description text default null, p_is_down boolean default null, p_reporter text default null,
  p_photo_type text default null, p_request_id uuid default null)
returns public.problem_report language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := private.begin_report(p_token);
  v_actor uuid := (private.identify()).actor_id;
  v_address text := case when v_actor is null then private.caller_address() end;
  v_said text := encode(sha256(convert_to(jsonb_build_array(p_symptom, p_description, p_is_down, p_reporter, p_photo_type)::text, 'UTF8')), 'hex');
  v_answer public.problem_report;
  v_report public.repairs;
  v_problem private.reported_problem;
  v_retry_at timestamptz;
begin
  perform pg_advisory_xact_lock(hashtextextended('report ' || v_address, 0));   -- two at once from one address are counted one after the other
  perform private.lock_machine(v_machine.code);
  v_answer := private.past_report(v_machine.code, p_request_id, v_said);
  if v_answer.repair_id is not null then
    return v_answer;
  end if;
  v_retry_at := case when v_address is not null then private.flooded_until(v_machine, v_address) end;
  if v_retry_at is not null then
    return private.known_problem(v_machine, p_symptom, v_retry_at);
  end if;
  perform private.check_length('p_description', p_description, 1000);
  perform private.check_length('p_reporter', p_reporter, 100);
  if p_photo_type = 'application/pdf' then
    perform private.fail(422, 'attachment.type', 'Send a photo.', jsonb_build_object('actual', p_photo_type));
  end if;
  v_report.machine := v_machine.code; v_report.type := 'unscheduled'; v_report.source := 'qr'; v_report.reporter := nullif(trim(p_reporter), '');
  v_report.is_down := coalesce(p_is_down, (private.check_symptom(p_symptom)).is_down);
  v_report.symptom := (private.check_symptom(p_symptom)).code; v_report.description := nullif(trim(p_description), '');
  v_report.occurred_at := now(); v_report.reported_at := now();
  v_problem := private.take_report(v_report, v_actor);
  v_answer := row((v_problem.repair).id, v_problem.is_new, (v_problem.repair).status, v_machine.code, v_machine.name, (v_problem.repair).reports, case
    when p_photo_type is not null and not private.has_many_files(v_problem.repair) then (private.new_attachment(v_problem.repair, null, p_photo_type, v_actor)).path end)::public.problem_report;
  insert into private.problem_reports (machine, repair_id, address, request_id, said, answer)
  values (v_machine.code, v_answer.repair_id, v_address, p_request_id, v_said, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.report_problem is
$$Report a problem by the QR code of a machine, without an account. p_symptom from get_report_form; p_reporter: how to call who reports, if they
want; p_photo_type image/jpeg, image/png, image/webp or image/heic: a photo follows, to photo_path of the bucket maintenance, within the hour.
One repair is open per machine and symptom: the same again joins it, in its own words.
Permission: none; the token of the QR code is the right. So many an hour per address at a machine, per machine and per site as the settings say;
beyond them what is open already is answered and nothing is written. Who has signed in is not limited.
Errors: report.unknown_code (404), machine.inactive (409), report.too_many (429), symptom.unknown (404), attachment.type (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id, for a day; a repeat gives a photo that is not there yet another hour.
Locks: the address, the machine, then the repair.$$;

create function private.forget_problem_reports(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
begin
  delete from private.problem_reports p where p.at < p_now - interval '1 day';
end $$;

grant execute on function public.report_repair to authenticated;
grant execute on function public.get_report_form, public.report_problem to anon, authenticated;

-- sql/M13_maintenance/api_repairs.sql

-- The life of a repair. Each command takes p_at: when it really happened, where somebody books it later.

create function public.acknowledge_repair(p_id bigint, p_at timestamptz default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'acknowledge_repair', jsonb_build_array(p_id, p_at));
  v_repair public.repairs := v_command.repair;
begin
  if v_command.answer is not null or v_repair.status in ('acknowledged', 'in_repair', 'waiting') then
    return private.finish_repair(v_command, null);
  end if;
  perform private.move_repair(v_repair, 'acknowledged', private.instant_given(p_at, v_repair.status_since, 'p_at'), v_command.actor);
  update public.repairs r set assignee_id = v_command.actor
   where r.id = p_id and r.assignee_id is null and exists (select from public.staff_shared s where s.user_id = v_command.actor);
  return private.finish_repair(v_command, 'repair.acknowledged');
end $$;
comment on function public.acknowledge_repair is
$$Somebody of the maintenance knows of it; it becomes theirs when it was nobody's. Of two at once one wins, the other sees who.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.status (409), repair.time (422), request.reused (422).
Idempotency: by p_request_id; acknowledged already answers changed = false.
Locks: the machine, then the repair.$$;

create function public.start_repair(p_id bigint, p_at timestamptz default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'start_repair', jsonb_build_array(p_id, p_at));
  v_repair public.repairs := v_command.repair;
begin
  if v_command.answer is not null or v_repair.status = 'in_repair' then
    return private.finish_repair(v_command, null);
  elsif v_repair.status in ('repaired', 'verified', 'closed') then   -- back only by verify_repair and reopen_repair, which say why
    perform private.check_status(v_repair, 'started');
  end if;
  perform private.move_repair(v_repair, 'in_repair', private.instant_given(p_at, v_repair.status_since, 'p_at'), v_command.actor);
  return private.finish_repair(v_command, case v_repair.status when 'waiting' then 'repair.resumed' else 'repair.started' end);
end $$;
comment on function public.start_repair is
$$Work begins, or goes on after waiting. Who starts without having acknowledged has acknowledged.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.status (409), repair.time (422), request.reused (422).
Idempotency: by p_request_id; begun already answers changed = false.
Locks: the machine, then the repair.$$;

create function public.wait_repair(
  p_id bigint, p_waits_for text, p_note text default null, p_at timestamptz default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'wait_repair',
    jsonb_build_array(p_id, p_waits_for, p_note, p_at));
  v_repair public.repairs := v_command.repair;
begin
  if v_command.answer is not null or v_repair.status = 'waiting' and v_repair.waits_for = p_waits_for then
    return private.finish_repair(v_command, null);
  end if;
  perform private.check_choice('p_waits_for', p_waits_for, '{parts,people,vendor}');
  perform private.move_repair(v_repair, 'waiting', private.instant_given(p_at, v_repair.status_since, 'p_at'), v_command.actor, p_note, p_waits_for);
  return private.finish_repair(v_command, 'repair.waiting');
end $$;
comment on function public.wait_repair is
$$Work stands still: p_waits_for parts, people or vendor. start_repair goes on.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.choice (422), repair.status (409), repair.time (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; waiting for the same already answers changed = false.
Locks: the machine, then the repair.$$;

create function private.refuse_open_checks(p_repair public.repairs)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_open jsonb := (select jsonb_agg(jsonb_build_object('position', c.position, 'title', c.title) order by c.position)
    from public.repair_checks c where c.repair_id = p_repair.id and c.result is null);
begin
  if v_open is not null then
    perform private.fail(409, 'repair.checks_open', 'The checklist is not finished.', jsonb_build_object('open', v_open));
  end if;
end $$;

create function public.complete_repair(
  p_id bigint, p_actions_taken text, p_cause text default null, p_performed_by text default null, p_cost numeric default null,
  p_at timestamptz default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'complete_repair',
    jsonb_build_array(p_id, p_actions_taken, p_cause, p_performed_by, p_cost, p_at));
  v_repair public.repairs := v_command.repair;
begin
  if v_command.answer is not null or v_repair.status = 'repaired' then
    return private.finish_repair(v_command, null);
  end if;
  perform private.check_status(v_repair, 'repaired');
  perform private.refuse_open_checks(v_repair);
  perform private.check_repair_texts(p_actions_taken, p_cause, p_performed_by, p_cost);
  if coalesce(trim(p_actions_taken), '') = '' and v_repair.plan_id is null then
    perform private.fail(422, 'repair.actions', 'Say what was done.', jsonb_build_object('field', 'p_actions_taken'));
  end if;
  update public.repairs r
     set actions_taken = coalesce(nullif(trim(p_actions_taken), ''), r.actions_taken), cause = coalesce(p_cause, r.cause),
         performed_by = coalesce(p_performed_by, r.performed_by,
           (select s.full_name from public.staff_shared s where s.user_id = v_command.actor)), cost = coalesce(p_cost, r.cost)
   where r.id = p_id;
  perform private.move_repair(v_repair, 'repaired', private.instant_given(p_at, v_repair.status_since, 'p_at'), v_command.actor);
  return private.finish_repair(v_command, 'repair.repaired');
end $$;
comment on function public.complete_repair is
$$The work is done: p_actions_taken, p_cause, p_performed_by (default: who says so), p_cost of labour and of what was bought (parts from stock come
on top). Of a work order every check is done first, and p_actions_taken may be empty.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.status (409), repair.checks_open (409), repair.actions (422), repair.cost (422), repair.time (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; repaired already answers changed = false.
Locks: the machine, then the repair.$$;

create function private.check_repair_texts(p_actions_taken text, p_cause text, p_performed_by text, p_cost numeric)
returns void language plpgsql immutable set search_path = '' as $$
begin
  perform private.check_length('p_actions_taken', p_actions_taken, 4000);
  perform private.check_length('p_cause', p_cause, 2000);
  perform private.check_length('p_performed_by', p_performed_by, 300);
  if p_cost < 0 or p_cost = 'NaN' or p_cost >= 1000000000000 then
    perform private.fail(422, 'repair.cost', 'Enter what it cost, 0 or more.', jsonb_build_object('field', 'p_cost', 'actual', p_cost));
  end if;
end $$;

create function public.verify_repair(
  p_id bigint, p_is_ok boolean, p_note text default null, p_at timestamptz default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.verify', p_id, p_request_id, 'verify_repair',
    jsonb_build_array(p_id, p_is_ok, p_note, p_at));
  v_repair public.repairs := v_command.repair;
begin
  if v_command.answer is not null or v_repair.status = 'verified' and p_is_ok then
    return private.finish_repair(v_command, null);
  elsif p_is_ok is not true and coalesce(trim(p_note), '') = '' then
    perform private.fail(422, 'repair.why', 'Say what is still wrong.', jsonb_build_object('field', 'p_note'));
  end if;
  if v_repair.status <> 'repaired' then
    perform private.check_status(v_repair, case when p_is_ok then 'verified' else 'failed' end);
  end if;
  perform private.move_repair(v_repair, case when p_is_ok then 'verified' else 'in_repair' end, private.instant_given(p_at, v_repair.status_since, 'p_at'),
    v_command.actor, p_note);
  return private.finish_repair(v_command, case when p_is_ok then 'repair.verified' else 'repair.verification_failed' end);
end $$;
comment on function public.verify_repair is
$$Somebody tried the machine: p_is_ok, or with p_note what is still wrong. Not ok: it is in repair again, and it is the same failure.
Permission: maintenance.verify at the site of the machine.
Errors: repair.unknown (404), repair.status (409), repair.why (422), repair.time (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; verified already answers changed = false.
Locks: the machine, then the repair.$$;

create function public.close_repair(p_id bigint, p_runs_again boolean default true, p_at timestamptz default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'close_repair', jsonb_build_array(p_id, p_runs_again, p_at));
  v_repair public.repairs := v_command.repair;
begin
  if v_command.answer is not null or v_repair.status = 'closed' then
    return private.finish_repair(v_command, null);
  end if;
  perform private.check_status(v_repair, 'closed');
  update public.repairs r set runs_again = coalesce(p_runs_again, true) where r.id = p_id;
  v_repair := private.move_repair(v_repair, 'closed', private.instant_given(p_at, v_repair.status_since, 'p_at'), v_command.actor);
  update public.maintenance_plans p set done_at = v_repair.repaired_at, done_count = private.counter_of(p.machine, p.based_on)
   where p.id = v_repair.plan_id;
  return private.finish_repair(v_command, 'repair.closed', jsonb_build_object('runs_again', v_repair.runs_again));
end $$;
comment on function public.close_repair is
$$The end of a verified repair. p_runs_again false: the machine still stands, for another reason. The plan of a work order counts anew from when
the work was done.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.status (409), repair.time (422), request.reused (422).
Idempotency: by p_request_id; closed already answers changed = false.
Locks: the machine, then the repair, then its plan.$$;

grant execute on function public.acknowledge_repair, public.start_repair, public.wait_repair, public.complete_repair, public.verify_repair,
  public.close_repair to authenticated;

-- sql/M13_maintenance/api_repair_more.sql

-- What else happens to a repair: it comes back, it was none, somebody corrects it; parts and papers.

create function public.reopen_repair(p_id bigint, p_reason text, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'reopen_repair', jsonb_build_array(p_id, p_reason));
  v_repair public.repairs := v_command.repair;
begin
  if v_command.answer is not null then
    return private.finish_repair(v_command, null);
  elsif v_repair.status not in ('verified', 'closed') then
    perform private.check_status(v_repair, 'reopened');
  elsif v_repair.status = 'closed' and not private.is_same_failure(v_repair, now()) then
    perform private.fail(409, 'repair.too_late', 'It was closed too long ago to be the same failure. Report a new one.',
      jsonb_build_object('closed_at', v_repair.closed_at));
  elsif coalesce(trim(p_reason), '') = '' then
    perform private.fail(422, 'repair.why', 'Say what came back.', jsonb_build_object('field', 'p_reason'));
  end if;
  perform private.refuse_second_repair(v_repair);
  perform private.move_repair(v_repair, 'in_repair', now(), v_command.actor, p_reason);
  return private.finish_repair(v_command, 'repair.reopened', jsonb_build_object('reason', p_reason));
end $$;
comment on function public.reopen_repair is
$$A repair that was verified or closed came back: work goes on, and it is the same failure. Possible within the setting
maintenance.same_failure_hours after closing; later it is a new one.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.status (409), repair.too_late (409), repair.other_open (409), repair.why (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id.
Locks: the machine, then the repair.$$;

create function private.refuse_second_repair(p_repair public.repairs)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_other bigint := (select r.id from public.repairs r where r.machine = p_repair.machine and r.is_open and r.id <> p_repair.id
    and (r.plan_id = p_repair.plan_id or r.type = 'unscheduled' and p_repair.type = 'unscheduled' and r.symptom = p_repair.symptom) limit 1);
begin
  if v_other is not null then
    perform private.fail(409, 'repair.other_open', 'The same is open already in another repair. Go on there.', jsonb_build_object('other', v_other));
  end if;
end $$;

create function public.dismiss_repair(
  p_id bigint, p_as text, p_reason text, p_duplicate_of bigint default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'dismiss_repair',
    jsonb_build_array(p_id, p_as, p_reason, p_duplicate_of));
  v_repair public.repairs := v_command.repair;
begin
  if v_command.answer is not null or v_repair.status = p_as then
    return private.finish_repair(v_command, null);
  end if;
  perform private.check_choice('p_as', p_as, '{rejected,duplicate,cancelled}');
  perform private.check_status(v_repair, p_as);
  if coalesce(trim(p_reason), '') = '' then
    perform private.fail(422, 'repair.why', 'Say why.', jsonb_build_object('field', 'p_reason'));
  elsif (p_as = 'duplicate') <> (p_duplicate_of is not null) or p_duplicate_of = p_id or p_as = 'duplicate' and not exists (
      select from public.repairs r where r.id = p_duplicate_of and r.machine = v_repair.machine and r.status not in ('rejected', 'duplicate', 'cancelled')) then
    perform private.fail(422, 'repair.duplicate_of', 'A duplicate names the repair of the same machine that goes on.',
      jsonb_build_object('field', 'p_duplicate_of', 'actual', p_duplicate_of));
  end if;
  -- Both at once: a duplicate names its other from the first moment.
  update public.repairs r set status = p_as, duplicate_of = p_duplicate_of, waits_for = null, status_since = now()
   where r.id = p_id returning r.* into v_repair;
  perform private.check_length('p_reason', p_reason, 2000);
  perform private.log_status(v_repair, v_command.actor, p_reason);
  update public.maintenance_plans p set skipped_at = now(), skipped_count = private.counter_of(p.machine, p.based_on) where p.id = v_repair.plan_id;
  return private.finish_repair(v_command, 'repair.' || p_as, jsonb_build_object('reason', p_reason, 'duplicate_of', p_duplicate_of));
end $$;
comment on function public.dismiss_repair is
$$It was none: p_as rejected, duplicate (of p_duplicate_of, which goes on) or cancelled, with a reason. It counts as no failure,
and what it said about stops is taken back. The plan of a work order is due again an interval later.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.choice (422), repair.status (409), repair.why (422), repair.duplicate_of (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; dismissed the same way already answers changed = false.
Locks: the machine, its stops, the repair, then its plan.$$;

create function public.update_repair(
  p_id bigint, p_version integer default null, p_description text default null, p_priority text default null, p_is_down boolean default null,
  p_assignee_id uuid default null, p_cause text default null, p_actions_taken text default null, p_performed_by text default null,
  p_cost numeric default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'update_repair', jsonb_build_array(p_id, p_version,
    p_description, p_priority, p_is_down, p_assignee_id, p_cause, p_actions_taken, p_performed_by, p_cost));
  v_old public.repairs := v_command.repair;
  v_new public.repairs := v_old;
begin
  if v_command.answer is not null then
    return private.finish_repair(v_command, null);
  elsif p_version <> v_old.version then
    perform private.fail(409, 'repair.changed', 'Somebody else changed this repair. Look again.',
      jsonb_build_object('expected', v_old.version, 'actual', p_version));
  end if;
  perform private.check_length('p_description', p_description, 4000);
  perform private.check_choice('p_priority', coalesce(p_priority, v_old.priority), '{low,normal,high}');
  perform private.check_repair_assignee(p_assignee_id);
  perform private.check_repair_texts(p_actions_taken, p_cause, p_performed_by, p_cost);
  update public.repairs r
     set description = coalesce(p_description, r.description), priority = coalesce(p_priority, r.priority), is_down = coalesce(p_is_down, r.is_down),
         assignee_id = coalesce(p_assignee_id, r.assignee_id), cause = coalesce(p_cause, r.cause), actions_taken = coalesce(p_actions_taken, r.actions_taken),
         performed_by = coalesce(p_performed_by, r.performed_by), cost = coalesce(p_cost, r.cost)
   where r.id = p_id and (r.description, r.priority, r.is_down, r.assignee_id, r.cause, r.actions_taken, r.performed_by, r.cost) is distinct from
     (coalesce(p_description, r.description), coalesce(p_priority, r.priority), coalesce(p_is_down, r.is_down), coalesce(p_assignee_id, r.assignee_id),
      coalesce(p_cause, r.cause), coalesce(p_actions_taken, r.actions_taken), coalesce(p_performed_by, r.performed_by), coalesce(p_cost, r.cost))
   returning r.* into v_new;
  if v_new.id is null then
    return private.finish_repair(v_command, null);
  end if;
  return private.finish_repair(v_command, 'repair.updated', jsonb_build_object('before', private.changed_part(to_jsonb(v_old), to_jsonb(v_new)),
    'after', private.changed_part(to_jsonb(v_new), to_jsonb(v_old))));
end $$;
comment on function public.update_repair is
$$Correct a repair (null: as it is). p_version: the version that was looked at; another one refuses, so that nobody overwrites another.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.changed (409), repair.choice (422), repair.cost (422), staff.unknown (404), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; the same again answers changed = false.
Locks: the machine, then the repair.$$;

create function private.changed_part(p_of jsonb, p_other jsonb)
returns jsonb language sql immutable set search_path = '' as $$
  select coalesce(jsonb_object_agg(e.key, e.value), '{}') from jsonb_each(p_of) e
   where e.key not in ('version', 'updated_at') and e.value is distinct from p_other -> e.key
$$;
comment on function private.changed_part is 'Fields of an object that differ from another one, for the before and after of an event.';

-- Parts from stock ---------------------------------------------------------------------------------------------------

create function public.use_repair_part(
  p_id bigint, p_sku text, p_quantity numeric, p_location text default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'use_repair_part',
    jsonb_build_array(p_id, p_sku, p_quantity, p_location));
  v_repair public.repairs := v_command.repair;
  v_place public.locations;
  v_item public.inventory_items;
  v_txn bigint;
begin
  if v_command.answer is not null then
    return private.finish_repair(v_command, null);
  end if;
  v_place := private.place(coalesce(p_location, private.default_location(v_repair.site)));
  perform private.check_place(v_place, p_location);
  if not v_repair.is_open then
    perform private.fail(409, 'repair.ended', 'This repair has ended. Open it again first.', jsonb_build_object('status', v_repair.status));
  elsif v_place.site <> v_repair.site then
    perform private.fail(409, 'repair.other_site', 'Take parts from the site where the machine stands.',
      jsonb_build_object('expected', v_repair.site, 'actual', v_place.site));
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  v_item := private.item_to_move(p_sku);
  v_txn := private.post_txn(v_item.sku, v_place.code, 'consume', -p_quantity, 'repair', p_id::text, null, v_command.actor, v_item.unit_cost);
  perform private.allocate(array[v_item.sku], '{"event": "repair.part_used"}');
  perform private.emit_moves('stock.consumed', array[v_txn], v_command.actor);
  return private.finish_repair(v_command, 'repair.part_used', jsonb_build_object('sku', v_item.sku, 'quantity', trim_scale(p_quantity), 'txn_ids', array[v_txn]));
end $$;
comment on function public.use_repair_part is
$$A spare part was taken from stock for an open repair: p_quantity in its uom, from p_location (default: the place of the site). It is a movement of
the ledger like any other, at the standard cost of the item.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.ended (409), repair.other_site (409), item.unknown (404), item.not_stocked (422), location.unknown (404), location.inactive (409), stock.quantity (422), stock.short (409), request.reused (422).
Idempotency: by p_request_id; without it every call takes another part.
Locks: the machine, the repair, then the item.$$;

create function public.return_repair_part(p_id bigint, p_txn_id bigint, p_reason text default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'return_repair_part', jsonb_build_array(p_id, p_txn_id, p_reason));
  v_txn public.inventory_txn := (select t from public.inventory_txn t where t.id = p_txn_id and t.ref_stream = 'repair' and t.ref_id = p_id::text);
  v_back bigint;
begin
  if v_command.answer is not null then
    return private.finish_repair(v_command, null);
  elsif v_txn.id is null or v_txn.reverses is not null then
    perform private.fail(404, 'stock.unknown', 'This repair has taken no such part.', jsonb_build_object('ids', array[p_txn_id]));
  end if;
  perform private.check_length('p_reason', p_reason, 500);
  perform private.lock_stock(array[v_txn.sku]);
  if exists (select from public.inventory_txn t where t.reverses = p_txn_id) then
    return private.finish_repair(v_command, null);
  end if;
  v_back := private.post_txn(v_txn.sku, v_txn.location, v_txn.kind, -v_txn.quantity, 'repair', p_id::text, p_reason, v_command.actor, v_txn.unit_cost, null, p_txn_id);
  perform private.allocate(array[v_txn.sku], '{"event": "repair.part_returned"}');
  perform private.emit_moves('stock.returned', array[v_back], v_command.actor);
  return private.finish_repair(v_command, 'repair.part_returned', jsonb_build_object('sku', v_txn.sku, 'quantity', trim_scale(-v_txn.quantity), 'txn_ids', array[v_back]));
end $$;
comment on function public.return_repair_part is
$$A part was not needed after all: the movement p_txn_id that took it is taken back.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), stock.unknown (404), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; taken back already answers changed = false.
Locks: the machine, the repair, then the item.$$;

-- Photos and papers --------------------------------------------------------------------------------------------------

create function private.has_many_files(p_repair public.repairs)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return (select count(*) from public.repair_attachments a where a.repair_id = p_repair.id and a.removed_at is null) >= 50;
end $$;

create function private.refuse_many_files(p_repair public.repairs)
returns void language plpgsql stable set search_path = '' as $$
begin
  if private.has_many_files(p_repair) then
    perform private.fail(409, 'attachment.too_many', 'This repair has 50 files. Remove some first.', jsonb_build_object('repair_id', p_repair.id));
  end if;
end $$;

create function private.new_attachment(p_repair public.repairs, p_name text, p_mime_type text, p_actor uuid)
returns public.repair_attachments language plpgsql set search_path = '' as $$
declare
  v_id uuid := gen_random_uuid();
  v_extension text := case p_mime_type when 'image/jpeg' then 'jpg' when 'image/png' then 'png' when 'image/webp' then 'webp'
    when 'image/heic' then 'heic' when 'application/pdf' then 'pdf' end;
  v_file public.repair_attachments;
begin
  if v_extension is null then
    perform private.fail(422, 'attachment.type', 'Send a photo (JPEG, PNG, WebP, HEIC) or a PDF.', jsonb_build_object('actual', p_mime_type));
  end if;
  perform private.refuse_many_files(p_repair);
  insert into public.repair_attachments (id, repair_id, path, original_name, mime_type, uploaded_by)
  values (v_id, p_repair.id, format('%s/%s/%s.%s', p_repair.site, p_repair.id, v_id, v_extension), nullif(left(trim(p_name), 255), ''), p_mime_type, p_actor)
  returning * into v_file;
  return v_file;
end $$;
comment on function private.new_attachment is
'Room for one file of a repair: the path is made here, from nothing that a client said. Errors: attachment.type (422), attachment.too_many (409).';

create function private.may_attach(p_path text)
returns boolean language plpgsql stable security definer set search_path = '' as $$
declare
  v_actor uuid := (private.identify()).actor_id;
begin
  return exists (select from public.repair_attachments a where a.path = p_path and a.bucket = 'maintenance' and a.removed_at is null
    and a.uploaded_by is not distinct from v_actor and a.created_at > now() - interval '1 hour');
end $$;
comment on function private.may_attach is
'For the policies on storage.objects: the path was made within the last hour, for this caller (or, by the QR code, for somebody without an account).';
grant execute on function private.may_attach to anon, authenticated;

create type public.attachment_change as (changed boolean, event_id bigint, attachment public.repair_attachments, bucket text);
comment on type public.attachment_change is 'A file of a repair; upload it to its path in the bucket.';

create function public.add_repair_attachment(p_id bigint, p_name text, p_mime_type text, p_request_id uuid default null)
returns public.attachment_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.report', p_id, p_request_id, 'add_repair_attachment', jsonb_build_array(p_id, p_name, p_mime_type));
  v_change public.attachment_change;
begin
  if v_command.answer is not null then
    return jsonb_populate_record(null::public.attachment_change, v_command.answer);
  end if;
  if p_mime_type is distinct from 'application/pdf' then
    perform private.fail(422, 'attachment.type', 'A paper is a PDF. Take a photo of what is none.', jsonb_build_object('actual', p_mime_type));
  end if;
  v_change.attachment := private.new_attachment(v_command.repair, p_name, p_mime_type, v_command.actor);
  v_change.bucket := 'maintenance';
  v_change.changed := true;
  v_change.event_id := private.emit_repair(v_command.repair, 'repair.attached', v_command.actor, jsonb_build_object('attachment', (v_change.attachment).id));
  perform private.remember(v_command.actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.add_repair_attachment is
$$Room for a paper of a repair (an invoice, a report of service): upload it within the hour to the answer's path. p_name is kept to be shown, and used
for nothing; p_mime_type application/pdf. Photos: add_repair_photo.
Permission: maintenance.report at the site of the machine.
Errors: repair.unknown (404), attachment.type (422), attachment.too_many (409), request.reused (422).
Idempotency: by p_request_id; without it every call makes another path.
Locks: the machine, then the repair.$$;

create function public.add_repair_photo(p_id bigint, p_photo text, p_request_id uuid default null)
returns public.attachment_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.report', p_id, p_request_id, 'add_repair_photo', jsonb_build_array(p_id, p_photo));
  v_change public.attachment_change;
begin
  if v_command.answer is not null then
    return jsonb_populate_record(null::public.attachment_change, v_command.answer);
  end if;
  perform private.attach_photo(p_photo, 'repair', p_id::text, (v_command.repair).site, v_command.actor);
  v_change.bucket := 'photos';
  v_change.attachment := (select a from public.repair_attachments a where a.path = p_photo);
  v_change.changed := (v_change.attachment).id is null;
  if v_change.changed then
    perform private.refuse_many_files(v_command.repair);
    insert into public.repair_attachments as a (repair_id, bucket, path, mime_type, uploaded_by)
    values (p_id, 'photos', p_photo, 'image/jpeg', v_command.actor) returning a into v_change.attachment;
    v_change.event_id := private.emit_repair(v_command.repair, 'repair.attached', v_command.actor, jsonb_build_object('attachment', (v_change.attachment).id));
  end if;
  perform private.remember(v_command.actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.add_repair_photo is
$$A photo shows this repair. p_photo: path that start_photo gave (p_about repair), once the photo is there.
Permission: maintenance.report at the site of the machine.
Errors: repair.unknown (404), photo.unknown (404), photo.missing (409), attachment.too_many (409), request.reused (422).
Idempotency: by p_request_id; a photo that it has already answers changed = false.
Locks: the machine, the repair, then the photo.$$;

create function public.remove_repair_attachment(p_attachment_id uuid, p_request_id uuid default null)
returns public.attachment_change language plpgsql security definer set search_path = '' as $$
declare
  v_file public.repair_attachments := (select a from public.repair_attachments a where a.id = p_attachment_id);
  v_command private.repair_command := private.begin_repair('maintenance.work', v_file.repair_id, p_request_id, 'remove_repair_attachment', jsonb_build_array(p_attachment_id));
  v_change public.attachment_change;
begin
  if v_command.answer is not null then
    return jsonb_populate_record(null::public.attachment_change, v_command.answer);
  end if;
  update public.repair_attachments a set removed_at = now(), removed_by = v_command.actor
   where a.id = p_attachment_id and a.removed_at is null returning a.* into v_file;
  v_change.changed := found;
  v_change.attachment := (select a from public.repair_attachments a where a.id = p_attachment_id);
  v_change.bucket := (v_change.attachment).bucket;
  if v_change.changed then
    v_change.event_id := private.emit_repair(v_command.repair, 'repair.detached', v_command.actor, jsonb_build_object('attachment', p_attachment_id));
  end if;
  perform private.remember(v_command.actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.remove_repair_attachment is
$$A file of a repair is shown no more. It stays in storage, for who audits.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), request.reused (422).
Idempotency: by p_request_id; removed already answers changed = false.
Locks: the machine, then the repair.$$;

grant execute on function public.reopen_repair, public.dismiss_repair, public.update_repair, public.use_repair_part, public.return_repair_part,
  public.add_repair_attachment, public.add_repair_photo, public.remove_repair_attachment to authenticated;

-- sql/M13_maintenance/api_setup.sql

-- Lines, machines and their QR codes.

create function private.site_of_setup(p_old text, p_said text)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_site text := coalesce(p_old, private.caller_site(p_said, null));
begin
  perform private.authorize('maintenance.manage', null, v_site);
  if not exists (select from public.sites s where s.code = v_site) or v_site is null then
    perform private.fail(404, 'site.unknown', 'Say at which site it stands.', jsonb_build_object('site', v_site));
  elsif p_old <> p_said then
    perform private.fail(409, 'machine.other_site', format('It stands at %s. Add a new one for another site.', p_old),
      jsonb_build_object('expected', p_old, 'actual', p_said));
  end if;
  return v_site;
end $$;

create function public.save_line(
  p_code text, p_title text default null, p_description text default null, p_site text default null, p_is_active boolean default null,
  p_version integer default null, p_request_id uuid default null)
returns public.lines language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('maintenance.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_line', jsonb_build_array(p_code, p_title, p_description, p_site, p_is_active, p_version));
  v_old public.lines;
  v_new public.lines;
  v_by uuid := nullif(v_actor, '00000000-0000-0000-0000-000000000000');
  v_site text;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.lines, v_answer);
  end if;
  select l.* into v_old from public.lines l where l.code = p_code for update;
  v_site := private.site_of_setup(v_old.site, p_site);
  perform private.refuse_stale(v_old.version, p_version);
  if v_old.code is null then
    insert into public.lines as l (code, title, description, site, is_active, created_by, updated_by)
    values (p_code, coalesce(p_title, p_code), p_description, v_site, coalesce(p_is_active, true), v_by, v_by) returning l.* into v_new;
  else
    perform private.refuse_busy_line(p_code, p_is_active);
    update public.lines l
       set title = coalesce(p_title, l.title), description = coalesce(p_description, l.description), is_active = coalesce(p_is_active, l.is_active), updated_by = v_by
     where l.code = p_code and (l.title, l.description, l.is_active) is distinct from
       (coalesce(p_title, l.title), coalesce(p_description, l.description), coalesce(p_is_active, l.is_active)) returning l.* into v_new;
  end if;
  if v_new.code is not null then
    perform private.emit('line', p_code, 'line.saved', v_actor, jsonb_build_object('version', v_new.version,
      'before', private.changed_part(to_jsonb(v_old), to_jsonb(v_new)), 'after', private.changed_part(to_jsonb(v_new), to_jsonb(v_old))), null, v_site);
  end if;
  v_new := case when v_new.code is null then v_old else v_new end;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_new));
  return v_new;
end $$;
comment on function public.save_line is
$$Add or change a production line (null: as it is). p_is_active false takes it out of use: lists hide it, history keeps it. p_version: the version
that was looked at, 0 to add only.
Permission: maintenance.manage at its site.
Errors: site.unknown (404), machine.other_site (409), machine.changed (409), line.has_machines (409), request.reused (422); constraints by name.
Idempotency: by p_request_id; the same again changes nothing.
Locks: the line.$$;

create function private.refuse_stale(p_version integer, p_said integer)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_said <> coalesce(p_version, 0) then
    perform private.fail(409, 'machine.changed', 'Somebody else changed it. Look again.', jsonb_build_object('expected', coalesce(p_version, 0), 'actual', p_said));
  end if;
end $$;
comment on function private.refuse_stale is 'PT409 machine.changed when another version was looked at; version 0 is that of what does not exist yet.';

create function private.refuse_busy_line(p_code text, p_is_active boolean)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_machines text[];
begin
  if p_is_active is false then
    v_machines := array(select m.code from public.machines m where m.line = p_code and m.is_active order by m.code);
    if v_machines <> '{}' then
      perform private.fail(409, 'line.has_machines', 'Move its machines to another line, or take them out of use first.', jsonb_build_object('machines', v_machines));
    end if;
  end if;
end $$;

create function private.check_machine_places(p_site text, p_line text, p_work_centre text)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_line <> '' and not exists (select from public.lines l where l.code = p_line and l.site = p_site and l.is_active) then
    perform private.fail(404, 'line.unknown', 'There is no line ' || p_line || ' at this site.', jsonb_build_object('line', p_line, 'site', p_site));
  elsif p_work_centre <> '' and not exists (select from public.work_centres w where w.code = p_work_centre and w.site = p_site) then
    perform private.fail(404, 'work_centre.unknown', 'There is no work centre ' || p_work_centre || ' at this site.',
      jsonb_build_object('work_centre', p_work_centre, 'site', p_site));
  end if;
end $$;

create function private.with_machine_fields(
  p_old public.machines, p_name text, p_line text, p_work_centre text, p_asset_number text, p_serial_number text, p_manufacturer text,
  p_model text, p_type text, p_micro_stop_s integer, p_silence_s integer, p_call_supervisor_min integer, p_call_manager_min integer, p_notes text,
  p_is_active boolean)
returns public.machines language plpgsql immutable set search_path = '' as $$
declare
  v_new public.machines := p_old;
begin
  -- Null leaves a field as it is, an empty text clears it.
  v_new.name := coalesce(p_name, p_old.name, p_old.code);
  v_new.line := nullif(coalesce(p_line, p_old.line), '');
  v_new.work_centre := nullif(coalesce(p_work_centre, p_old.work_centre), '');
  v_new.asset_number := nullif(coalesce(trim(p_asset_number), p_old.asset_number), '');
  v_new.serial_number := nullif(coalesce(trim(p_serial_number), p_old.serial_number), '');
  v_new.manufacturer := nullif(coalesce(p_manufacturer, p_old.manufacturer), '');
  v_new.model := nullif(coalesce(p_model, p_old.model), '');
  v_new.type := nullif(coalesce(p_type, p_old.type), '');
  v_new.micro_stop_s := coalesce(p_micro_stop_s, p_old.micro_stop_s, 120);
  v_new.silence_s := coalesce(p_silence_s, p_old.silence_s, 300);
  v_new.call_supervisor_min := coalesce(p_call_supervisor_min, p_old.call_supervisor_min, 10);
  v_new.call_manager_min := coalesce(p_call_manager_min, p_old.call_manager_min, 30);
  v_new.notes := nullif(coalesce(p_notes, p_old.notes), '');
  v_new.is_active := coalesce(p_is_active, p_old.is_active, true);
  return v_new;
end $$;

create function private.write_machine(p_old public.machines, p_new public.machines, p_actor uuid)
returns public.machines language plpgsql set search_path = '' as $$
declare
  v_by uuid := nullif(p_actor, '00000000-0000-0000-0000-000000000000');
  v_new public.machines;
begin
  if p_old.version is null then
    insert into public.machines as m (code, name, site, line, work_centre, asset_number, serial_number, manufacturer, model, type, micro_stop_s, silence_s,
      call_supervisor_min, call_manager_min, notes, is_active, created_by, updated_by)
    values (p_new.code, p_new.name, p_new.site, p_new.line, p_new.work_centre, p_new.asset_number, p_new.serial_number, p_new.manufacturer, p_new.model,
      p_new.type, p_new.micro_stop_s, p_new.silence_s, p_new.call_supervisor_min, p_new.call_manager_min, p_new.notes, p_new.is_active, v_by, v_by) returning m.* into v_new;
  elsif private.changed_part(to_jsonb(p_new), to_jsonb(p_old)) <> '{}' then
    update public.machines m
       set name = p_new.name, line = p_new.line, work_centre = p_new.work_centre, asset_number = p_new.asset_number, serial_number = p_new.serial_number,
           manufacturer = p_new.manufacturer, model = p_new.model, type = p_new.type, micro_stop_s = p_new.micro_stop_s, silence_s = p_new.silence_s,
           call_supervisor_min = p_new.call_supervisor_min, call_manager_min = p_new.call_manager_min, notes = p_new.notes, is_active = p_new.is_active, updated_by = v_by
     where m.code = p_new.code returning m.* into v_new;
  else
    return p_old;
  end if;
  perform private.emit('machine', v_new.code, 'machine.saved', p_actor, jsonb_build_object('version', v_new.version,
    'before', private.changed_part(to_jsonb(p_old), to_jsonb(v_new)), 'after', private.changed_part(to_jsonb(v_new), to_jsonb(p_old))), null, v_new.site);
  return v_new;
end $$;

create function public.save_machine(
  p_code text, p_name text default null, p_site text default null, p_line text default null, p_work_centre text default null,
  p_asset_number text default null, p_serial_number text default null, p_manufacturer text default null, p_model text default null,
  p_type text default null, p_micro_stop_s integer default null, p_silence_s integer default null, p_call_supervisor_min integer default null,
  p_call_manager_min integer default null, p_notes text default null, p_is_active boolean default null, p_version integer default null,
  p_request_id uuid default null)
returns public.machines language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('maintenance.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_machine', jsonb_build_array(p_code, p_name, p_site, p_line, p_work_centre, p_asset_number,
    p_serial_number, p_manufacturer, p_model, p_type, p_micro_stop_s, p_silence_s, p_call_supervisor_min, p_call_manager_min, p_notes, p_is_active, p_version));
  v_old public.machines;
  v_new public.machines;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.machines, v_answer);
  end if;
  v_old := private.lock_machine(p_code);
  v_new.site := private.site_of_setup(v_old.site, p_site);
  perform private.refuse_stale(v_old.version, p_version);
  perform private.check_machine_places(v_new.site, p_line, p_work_centre);
  v_old.code := p_code; v_old.site := v_new.site;
  v_new := private.with_machine_fields(v_old, p_name, p_line, p_work_centre, p_asset_number, p_serial_number, p_manufacturer, p_model, p_type,
    p_micro_stop_s, p_silence_s, p_call_supervisor_min, p_call_manager_min, p_notes, p_is_active);
  perform private.refuse_open_work(v_old, v_new);
  v_new := private.write_machine(v_old, v_new, v_actor);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_new));
  return v_new;
end $$;
comment on function public.save_machine is
$$Add or change a machine (null: as it is; an empty text clears a field). p_line and p_work_centre of its site. p_micro_stop_s and p_silence_s in
seconds: from now on, history keeps what held then. p_call_supervisor_min and p_call_manager_min: who is called when it stands so long, 0 nobody. p_is_active false takes it out of use: lists hide it, history stays.
p_version: the version that was looked at, 0 to add only.
Permission: maintenance.manage at its site.
Errors: site.unknown (404), machine.other_site (409), machine.changed (409), line.unknown (404), work_centre.unknown (404), machine.has_repairs (409), request.reused (422); constraints by name.
Idempotency: by p_request_id; the same again changes nothing.
Locks: the machine.$$;

create function private.refuse_open_work(p_old public.machines, p_new public.machines)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_open bigint[];
begin
  if p_old.is_active and not p_new.is_active then
    v_open := array(select r.id from public.repairs r where r.machine = p_new.code and r.is_open order by r.id);
    if v_open <> '{}' then
      perform private.fail(409, 'machine.has_repairs', 'Finish or dismiss its repairs first.', jsonb_build_object('repairs', v_open));
    end if;
  end if;
end $$;

create type public.machine_qr as (machine text, name text, token text, path text);
comment on type public.machine_qr is 'What the QR code of a machine says: the address of the web client followed by path.';

create function public.get_machine_qr(p_machine text)
returns public.machine_qr language plpgsql stable security definer set search_path = '' as $$
declare
  v_machine public.machines := (select m from public.machines m where m.code = p_machine);
begin
  perform private.authorize('maintenance.manage', null, v_machine.site);
  perform private.find_machine(p_machine);
  return (select row(v_machine.code, v_machine.name, t.token, '/report/' || t.token)::public.machine_qr
    from private.machine_tokens t where t.machine = p_machine);
end $$;
comment on function public.get_machine_qr is
$$The QR code of a machine, to be printed and stuck on it: whoever scans it may report a problem without an account.
Permission: maintenance.manage at the site of the machine.
Errors: machine.unknown (404).
Idempotency: a read.
Locks: none.$$;

create function public.renew_machine_qr(p_machine text, p_request_id uuid default null)
returns public.machine_qr language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := (select m from public.machines m where m.code = p_machine);
  v_actor uuid := private.authorize('maintenance.manage', null, v_machine.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'renew_machine_qr', jsonb_build_array(p_machine));
begin
  if v_answer is null then
    perform private.find_machine(p_machine);
    perform private.lock_machine(p_machine);
    update private.machine_tokens t set token = private.new_machine_token(), created_at = now() where t.machine = p_machine;
    perform private.emit('machine', p_machine, 'machine.qr_renewed', v_actor, '{}', null, v_machine.site);
    perform private.remember(v_actor, p_request_id, 'true');   -- not the token: the answer is read afresh
  end if;
  return public.get_machine_qr(p_machine);
end $$;
comment on function public.renew_machine_qr is
$$A new QR code for a machine; the old one opens nothing any more.
Permission: maintenance.manage at the site of the machine.
Errors: machine.unknown (404), request.reused (422).
Idempotency: by p_request_id; without it every call makes another code.
Locks: the machine.$$;

create function private.counted_since(p_last numeric, p_said numeric)
returns numeric language plpgsql immutable set search_path = '' as $$
begin
  -- Less than last time: the counter was reset or swapped, and has counted this much since.
  return case when num_nulls(p_last, p_said) > 0 then 0 when p_said < p_last then p_said else p_said - p_last end;
end $$;
comment on function private.counted_since is
  'What its own counter has counted since it was read last. The first reading is where counting begins: what it ran before it came here, nobody serviced here.';

create function public.record_machine_reading(
  p_machine text, p_run_hours numeric default null, p_cycles numeric default null, p_request_id uuid default null)
returns public.machine_counters language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := (select m from public.machines m where m.code = p_machine);
  v_actor uuid := private.authorize('maintenance.report', null, v_machine.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'record_machine_reading', jsonb_build_array(p_machine, p_run_hours, p_cycles));
  v_counters public.machine_counters;
  v_hours numeric;
  v_cycles numeric;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.machine_counters, v_answer);
  end if;
  perform private.find_machine(p_machine);
  if num_nonnulls(p_run_hours, p_cycles) = 0 or (p_run_hours between 0 and 10000000) is false or (p_cycles between 0 and 10000000000) is false then
    perform private.fail(422, 'machine.reading', 'Enter what the counter of the machine shows.', jsonb_build_object('run_hours', p_run_hours, 'cycles', p_cycles));
  end if;
  perform private.lock_machine(p_machine);
  select private.counted_since(c.last_run_hours, p_run_hours), private.counted_since(c.last_cycles, p_cycles) into v_hours, v_cycles
    from public.machine_counters c where c.machine = p_machine for update;
  -- What its signals have told already is not counted again.
  update public.machine_counters c
     set run_hours = c.run_hours + greatest(v_hours - c.unread_run_hours, 0), unread_run_hours = greatest(c.unread_run_hours - v_hours, 0),
         cycles = c.cycles + greatest(v_cycles - c.unread_cycles, 0), unread_cycles = greatest(c.unread_cycles - v_cycles, 0),
         last_run_hours = coalesce(p_run_hours, c.last_run_hours), last_cycles = coalesce(p_cycles, c.last_cycles), updated_at = now()
   where c.machine = p_machine returning c.* into v_counters;
  perform private.emit('machine', p_machine, 'machine.read', v_actor, jsonb_strip_nulls(jsonb_build_object('run_hours', v_counters.run_hours,
    'cycles', v_counters.cycles, 'shown_run_hours', p_run_hours, 'shown_cycles', p_cycles)), null, v_machine.site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_counters));
  return v_counters;
end $$;
comment on function public.record_machine_reading is
$$What the counters of a machine itself show: p_run_hours and p_cycles in all. The first reading is where counting begins; later the difference to the
last one is added, but for what its signals have told already; less than last time means a reset, after which it counted this much. Plans by run hours
and cycles go by it.
Permission: maintenance.report at the site of the machine.
Errors: machine.unknown (404), machine.reading (422), request.reused (422).
Idempotency: by p_request_id; the same reading again adds nothing.
Locks: the machine, then its counters.$$;

grant execute on function public.save_line, public.save_machine to authenticated, service_role;
grant execute on function public.get_machine_qr, public.renew_machine_qr, public.record_machine_reading to authenticated;

-- sql/M13_maintenance/api_plans.sql

-- Preventive plans, their work orders and checklists.

create function private.check_plan_items(p_items jsonb)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if jsonb_typeof(p_items) is distinct from 'array' or jsonb_array_length(p_items) > 200 or exists (
    select from jsonb_array_elements(p_items) i where jsonb_typeof(i) <> 'object' or coalesce(trim(i ->> 'title'), '') = ''
      or jsonb_typeof(coalesce(i -> 'lower', 'null')) not in ('number', 'null') or jsonb_typeof(coalesce(i -> 'upper', 'null')) not in ('number', 'null')
      or coalesce(i ->> 'lower', i ->> 'upper') is not null and coalesce(i ->> 'unit', '') = ''
      or (i ->> 'lower')::numeric > (i ->> 'upper')::numeric) then
    perform private.fail(422, 'plan.items', 'Say the checklist like [{"title": "Belt tight?"}, {"title": "Oil pressure", "unit": "bar", "lower": 2, "upper": 4}].',
      jsonb_build_object('field', 'p_items'));
  end if;
end $$;

create function private.write_plan_items(p_plan_id bigint, p_items jsonb)
returns void language plpgsql set search_path = '' as $$
begin
  delete from public.maintenance_plan_items i where i.plan_id = p_plan_id;
  insert into public.maintenance_plan_items (plan_id, position, title, unit, lower, upper)
  select p_plan_id, x.n, trim(x.item ->> 'title'), nullif(x.item ->> 'unit', ''), (x.item ->> 'lower')::numeric, (x.item ->> 'upper')::numeric
    from jsonb_array_elements(p_items) with ordinality as x (item, n);
end $$;

create type public.plan_change as (changed boolean, event_id bigint, plan public.maintenance_plans, items jsonb);
comment on type public.plan_change is 'A plan now, with its checklist [{position, title, unit, lower, upper}].';

create function private.plan_items(p_plan_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select jsonb_agg(to_jsonb(i) - 'plan_id' order by i.position) from public.maintenance_plan_items i where i.plan_id = p_plan_id), '[]');
end $$;

create function private.write_plan(p_plan public.maintenance_plans, p_actor uuid)
returns public.maintenance_plans language plpgsql set search_path = '' as $$
declare
  v_plan public.maintenance_plans;
begin
  if p_plan.id is null then
    insert into public.maintenance_plans as p (machine, title, instructions, based_on, every, lead, is_down, done_at, done_count, is_active, created_by)
    values (p_plan.machine, p_plan.title, p_plan.instructions, p_plan.based_on, p_plan.every, coalesce(p_plan.lead, 0), coalesce(p_plan.is_down, true),
      coalesce(p_plan.done_at, now()), private.counter_of(p_plan.machine, p_plan.based_on), coalesce(p_plan.is_active, true),
      nullif(p_actor, '00000000-0000-0000-0000-000000000000')) returning p.* into v_plan;
  else
    update public.maintenance_plans p
       set title = p_plan.title, instructions = p_plan.instructions, every = p_plan.every, lead = p_plan.lead, is_down = p_plan.is_down,
           done_at = p_plan.done_at, is_active = p_plan.is_active
     where p.id = p_plan.id returning p.* into v_plan;
  end if;
  return v_plan;
end $$;

create function public.save_maintenance_plan(
  p_machine text, p_title text, p_based_on text default null, p_every numeric default null, p_items jsonb default null, p_instructions text default null,
  p_lead numeric default null, p_is_down boolean default null, p_done_at timestamptz default null, p_is_active boolean default null,
  p_request_id uuid default null)
returns public.plan_change language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := (select m from public.machines m where m.code = p_machine);
  v_actor uuid := private.authorize('maintenance.manage', null, v_machine.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_maintenance_plan', jsonb_build_array(p_machine, p_title, p_based_on, p_every, p_items,
    p_instructions, p_lead, p_is_down, p_done_at, p_is_active));
  v_plan public.maintenance_plans;
  v_change public.plan_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.plan_change, v_answer);
  end if;
  perform private.find_machine(p_machine);
  perform private.lock_machine(p_machine);
  select p.* into v_plan from public.maintenance_plans p where p.machine = p_machine and p.title = p_title for update;
  perform private.check_choice('p_based_on', coalesce(p_based_on, v_plan.based_on), '{calendar,run_hours,cycles}');
  if p_based_on <> v_plan.based_on then
    perform private.fail(409, 'plan.based_on', 'A plan keeps what it counts. Make another one.', jsonb_build_object('expected', v_plan.based_on, 'actual', p_based_on));
  end if;
  v_plan.machine := p_machine; v_plan.title := p_title; v_plan.based_on := coalesce(p_based_on, v_plan.based_on);
  v_plan.every := coalesce(p_every, v_plan.every); v_plan.lead := coalesce(p_lead, v_plan.lead, 0); v_plan.is_down := coalesce(p_is_down, v_plan.is_down);
  v_plan.instructions := coalesce(p_instructions, v_plan.instructions); v_plan.is_active := coalesce(p_is_active, v_plan.is_active);
  v_plan.done_at := coalesce(p_done_at, v_plan.done_at);
  perform private.check_plan_interval(v_plan);
  v_plan := private.write_plan(v_plan, v_actor);
  if p_items is not null then
    perform private.check_plan_items(p_items);
    perform private.write_plan_items(v_plan.id, p_items);
  end if;
  v_change := row(true, private.emit('machine', p_machine, 'maintenance_plan.saved', v_actor, jsonb_build_object('plan_id', v_plan.id, 'version', v_plan.version,
    'title', p_title, 'based_on', v_plan.based_on, 'every', v_plan.every, 'is_active', v_plan.is_active), null, v_machine.site), v_plan,
    private.plan_items(v_plan.id))::public.plan_change;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.save_maintenance_plan is
$$Add or change the plan p_title of a machine (null: as it is). p_based_on calendar (p_every days), run_hours or cycles (so many on); p_lead: so much
earlier the work order opens; p_done_at: when it was done last (default: now); p_items the checklist [{title, unit, lower, upper}], with a unit where
something is measured. Work orders that are open keep the checklist they opened with.
Permission: maintenance.manage at the site of the machine.
Errors: machine.unknown (404), repair.choice (422), plan.based_on (409), plan.interval (422), plan.items (422), request.reused (422); constraints by name.
Idempotency: by p_request_id; the same again changes nothing but the version.
Locks: the machine, then the plan.$$;

create function private.check_plan_interval(p_plan public.maintenance_plans)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if (p_plan.every > 0 and p_plan.every < 100000000 and p_plan.lead >= 0 and p_plan.lead < p_plan.every) is not true
     or p_plan.based_on = 'calendar' and (p_plan.every > 36500 or p_plan.every <> round(p_plan.every) or p_plan.lead <> round(p_plan.lead)) then
    perform private.fail(422, 'plan.interval', 'Say after how much it is due (whole days for a calendar plan), and a smaller lead.',
      jsonb_build_object('every', p_plan.every, 'lead', p_plan.lead));
  end if;
end $$;

create function private.open_work_order(p_plan public.maintenance_plans, p_actor uuid)
returns public.repairs language plpgsql set search_path = '' as $$
declare
  v_order public.repairs;
begin
  v_order.machine := p_plan.machine; v_order.type := 'scheduled'; v_order.source := 'plan'; v_order.plan_id := p_plan.id; v_order.is_down := p_plan.is_down;
  v_order.description := concat_ws(e'\n', p_plan.title, p_plan.instructions); v_order.occurred_at := now(); v_order.reported_at := now();
  v_order := private.open_repair(v_order, p_actor);
  insert into public.repair_checks (repair_id, position, title, unit, lower, upper)
  select v_order.id, i.position, i.title, i.unit, i.lower, i.upper from public.maintenance_plan_items i where i.plan_id = p_plan.id;
  return v_order;
end $$;
comment on function private.open_work_order is 'The work order of a plan of a locked machine, with a copy of its checklist. The caller emits.';

create function private.open_due_work_orders(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_plan public.maintenance_plans;
begin
  for v_plan in
    select p.* from public.maintenance_plans p join public.machines m on m.code = p.machine
     where p.is_active and m.is_active and private.is_plan_due(p, p_now)
       and not exists (select from public.repairs r where r.plan_id = p.id and r.is_open)
     order by p.machine, p.id
  loop
    continue when not private.spare_machine(v_plan.machine);
    begin
      select p.* into v_plan from public.maintenance_plans p where p.id = v_plan.id;   -- it may have been done in between
      if private.is_plan_due(v_plan, p_now) and not exists (select from public.repairs r where r.plan_id = v_plan.id and r.is_open) then
        perform private.emit_repair(private.open_work_order(v_plan, null), 'repair.due', null);
      end if;
      perform private.note_trouble('open_due_work_orders', v_plan.machine, null);
    exception when others then
      perform private.note_trouble('open_due_work_orders', v_plan.machine, sqlerrm);
    end;
  end loop;
end $$;
comment on function private.open_due_work_orders is
  'A job of the clock: a work order for every plan that is due and has none open. Locks: machines by code; those that somebody holds have their turn later.';

create function public.start_work_order(p_plan_id bigint, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_plan public.maintenance_plans := (select p from public.maintenance_plans p where p.id = p_plan_id);
  v_machine public.machines := (select m from public.machines m where m.code = v_plan.machine);
  v_actor uuid := private.authorize('maintenance.work', null, v_machine.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'start_work_order', jsonb_build_array(p_plan_id));
  v_change public.repair_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.repair_change, v_answer);
  elsif v_plan.id is null then
    perform private.fail(404, 'plan.unknown', 'There is no such plan.', jsonb_build_object('id', p_plan_id));
  end if;
  v_machine := private.lock_machine(v_plan.machine);
  perform private.refuse_idle_machine(v_machine);
  v_change.repair := (select r from public.repairs r where r.plan_id = p_plan_id and r.is_open);
  v_change.changed := (v_change.repair).id is null;
  if v_change.changed then
    v_change.repair := private.open_work_order(v_plan, v_actor);
    v_change.event_id := private.emit_repair(v_change.repair, 'repair.due', v_actor, '{"early": true}');
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.start_work_order is
$$Opens the work order of a plan before it is due; the one that is open already is answered as it is.
Permission: maintenance.work at the site of the machine.
Errors: plan.unknown (404), machine.inactive (409), request.reused (422).
Idempotency: by p_request_id; one that is open answers changed = false.
Locks: the machine.$$;

create function private.repair_of_check(p_order public.repairs, p_check public.repair_checks, p_actor uuid)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_repair public.repairs;
begin
  v_repair.machine := p_order.machine; v_repair.type := 'unscheduled'; v_repair.source := 'checklist'; v_repair.found_by := p_order.id;
  v_repair.description := concat_ws(e'\n', p_check.title, case when p_check.value is not null then trim_scale(p_check.value) || ' ' || p_check.unit end, p_check.note);
  v_repair.is_down := false; v_repair.occurred_at := now(); v_repair.reported_at := now();
  v_repair := private.open_repair(v_repair, p_actor);
  perform private.emit_repair(v_repair, 'repair.reported', p_actor, jsonb_build_object('source', 'checklist', 'found_by', p_order.id));
  return v_repair.id;
end $$;
comment on function private.repair_of_check is 'What failed on a checklist becomes a repair of its own. The machine runs until somebody says otherwise.';

create function public.record_check(
  p_id bigint, p_position integer, p_result text default null, p_value numeric default null, p_note text default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'record_check',
    jsonb_build_array(p_id, p_position, p_result, p_value, p_note));
  v_check public.repair_checks := (select c from public.repair_checks c where c.repair_id = p_id and c.position = p_position);
  v_result text := p_result;
begin
  if v_command.answer is not null then
    return private.finish_repair(v_command, null);
  elsif v_check.repair_id is null then
    perform private.fail(404, 'check.unknown', 'The checklist has no such line.', jsonb_build_object('id', p_id, 'position', p_position));
  end if;
  if v_check.unit is not null and p_value is not null then   -- what was measured says by itself whether it is right
    v_result := case when p_value < v_check.lower or p_value > v_check.upper then 'fail' else 'ok' end;
  end if;
  perform private.check_check(v_command.repair, v_check, v_result, p_value, p_note);
  if v_check.result = v_result and v_check.value is not distinct from p_value and v_check.note is not distinct from p_note then
    return private.finish_repair(v_command, null);
  end if;
  v_check.value := p_value; v_check.note := p_note;
  update public.repair_checks c
     set result = v_result, value = p_value, note = p_note, done_by = v_command.actor, done_at = now(), failed_repair_id = case when v_result = 'fail'
           then coalesce(c.failed_repair_id, private.repair_of_check(v_command.repair, v_check, v_command.actor)) end
   where c.repair_id = p_id and c.position = p_position returning c.* into v_check;
  return private.finish_repair(v_command, 'repair.checked', jsonb_build_object('position', p_position, 'result', v_result, 'failed_repair_id', v_check.failed_repair_id));
end $$;
comment on function public.record_check is
$$One line of the checklist of a work order that is in repair: p_result ok, fail or skipped (with p_note why); of what is measured p_value, and its
limits say whether it is right. What fails becomes a repair of its own, once.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), check.unknown (404), repair.status (409), repair.choice (422), check.value (422), repair.why (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; the same again answers changed = false.
Locks: the machine, then the repair.$$;

create function private.check_check(p_order public.repairs, p_check public.repair_checks, p_result text, p_value numeric, p_note text)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_order.status not in ('in_repair', 'waiting') then
    perform private.fail(409, 'repair.status', 'Start the work order first.', jsonb_build_object('actual', p_order.status, 'expected', array['in_repair', 'waiting']));
  end if;
  perform private.check_choice('p_result', p_result, '{ok,fail,skipped}');
  perform private.check_length('p_note', p_note, 1000);
  if p_check.unit is not null and p_value is null and p_result <> 'skipped' or p_check.unit is null and p_value is not null or p_value = 'NaN' then
    perform private.fail(422, 'check.value', case when p_check.unit is null then 'Nothing is measured here.' else 'Enter what was measured, in ' || p_check.unit || '.' end,
      jsonb_build_object('field', 'p_value', 'unit', p_check.unit));
  elsif p_result = 'skipped' and coalesce(trim(p_note), '') = '' then
    perform private.fail(422, 'repair.why', 'Say why it was not looked at.', jsonb_build_object('field', 'p_note'));
  end if;
end $$;

grant execute on function public.save_maintenance_plan to authenticated, service_role;
grant execute on function public.start_work_order, public.record_check to authenticated;

-- sql/M13_maintenance/views.sql

-- What state machines and lines are in: derived from what is open, never stored.

create view public.machine_status with (security_invoker = true) as
select m.code as machine, m.site, m.line,
       case when r.broken_since is not null then 'broken' when r.maintained_since is not null then 'maintenance' else 'operational' end as status,
       coalesce(r.broken_since, r.maintained_since) as since, coalesce(r.open_repairs, 0)::integer as open_repairs
  from public.machines m
  left join (
    select x.machine, count(*) as open_repairs,
           min(x.occurred_at) filter (where x.is_down and x.type = 'unscheduled' and x.status <> 'verified') as broken_since,
           min(x.started_at) filter (where x.is_down and x.type = 'scheduled' and x.status in ('in_repair', 'waiting', 'repaired')) as maintained_since
      from public.repairs x where x.is_open group by x.machine) r on r.machine = m.code;
comment on view public.machine_status is
$$operational, broken (an unscheduled repair keeps it down until it is verified) or maintenance (scheduled work on it has begun), and since when.$$;

create view public.line_status with (security_invoker = true) as
select l.code as line, l.site, case when bool_or(s.status in ('broken', 'stopped')) then 'stopped' when bool_or(s.status = 'maintenance') then 'maintenance'
         else 'working' end as status, min(s.since) as since, count(m.code)::integer as machines
  from public.lines l left join public.machines m on m.line = l.code and m.is_active left join public.machine_status s on s.machine = m.code
 group by l.code, l.site;
comment on view public.line_status is 'working, maintenance or stopped, as the machines are that stand in the line.';

-- sql/M13_maintenance/api_read.sql

create type public.line_row as (line public.lines, status text, since timestamptz, machines integer);
comment on type public.line_row is 'A line, working, maintenance or stopped, since when, and how many machines stand in it.';

create function private.page_limit(p_limit integer)
returns integer language sql immutable set search_path = '' as $$
  select least(greatest(coalesce(p_limit, 100), 1), 500)
$$;

create function public.get_lines(p_site text default null, p_with_inactive boolean default false)
returns setof public.line_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_sites text[] := private.caller_sites(p_site);
begin
  perform private.authorize('maintenance.read', null, p_site);
  return query select l, s.status, s.since, s.machines from public.lines l join public.line_status s on s.line = l.code
    where l.site = any (v_sites) and (l.is_active or p_with_inactive) order by l.code;
end $$;
comment on function public.get_lines is
$$Production lines and what state they are in, as their machines are. Lines out of use only with p_with_inactive.
Permission: maintenance.read at the site; without p_site at those where the caller works.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create type public.machine_row as (
  machine public.machines, status text, since timestamptz, open_repairs integer, last_repaired_at timestamptz, hours_since_repair numeric,
  run_hours numeric, cycles numeric, next_due_at timestamptz, plans_due integer);
comment on type public.machine_row is
$$A machine now: operational, broken, maintenance or stopped, since when; its last repair and the hours since; its counters; when the next
calendar plan is due, and how many plans are due.$$;

create type public.machine_page as (machines public.machine_row[], total bigint, next_cursor text);
comment on type public.machine_page is 'A page of machines by code; total only when asked; next_cursor null on the last page.';

create function private.machine_facts(p_machine public.machines)
returns public.machine_row language plpgsql stable set search_path = '' as $$
declare
  v_row public.machine_row;
begin
  v_row.machine := p_machine;
  select s.status, s.since, s.open_repairs into v_row.status, v_row.since, v_row.open_repairs from public.machine_status s where s.machine = p_machine.code;
  v_row.last_repaired_at := (select max(r.repaired_at) from public.repairs r where r.machine = p_machine.code);
  v_row.hours_since_repair := round(extract(epoch from now() - v_row.last_repaired_at) / 3600, 1);
  select c.run_hours, c.cycles into v_row.run_hours, v_row.cycles from public.machine_counters c where c.machine = p_machine.code;
  select min(p.due_at), count(*) filter (where private.is_plan_due(p, now())) into v_row.next_due_at, v_row.plans_due
    from public.maintenance_plans p where p.machine = p_machine.code and p.is_active;
  return v_row;
end $$;

create function public.get_machines(
  p_site text default null, p_line text default null, p_work_centre text default null, p_status text default null, p_search text default null,
  p_with_inactive boolean default false, p_cursor text default null, p_limit integer default 100, p_with_total boolean default false)
returns public.machine_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_sites text[] := private.caller_sites(p_site);
  v_limit integer := private.page_limit(p_limit);
  v_after text;
  v_found text[];
  v_page public.machine_page;
begin
  perform private.authorize('maintenance.read', null, p_site);
  v_after := private.keys_of(p_cursor, 1) ->> 0;
  v_found := array(
    select m.code from public.machines m
     where m.site = any (v_sites) and (m.is_active or p_with_inactive) and (p_line is null or m.line = p_line)
       and (p_work_centre is null or m.work_centre = p_work_centre)
       and (p_status is null or exists (select from public.machine_status s where s.machine = m.code and s.status = p_status))
       and (p_search is null or position(lower(p_search) in lower(concat_ws(' ', m.code, m.name, m.asset_number, m.serial_number, m.manufacturer, m.model, m.type))) > 0)
     order by m.code);
  if p_with_total then
    v_page.total := cardinality(v_found);
  end if;
  v_found := array(select f from unnest(v_found) f where v_after is null or f > v_after order by f limit v_limit + 1);
  v_page.machines := array(select private.machine_facts(m) from public.machines m where m.code = any (v_found[:v_limit]) order by m.code);
  if cardinality(v_found) > v_limit then
    v_page.next_cursor := private.cursor_of(jsonb_build_array(v_found[v_limit]));
  end if;
  return v_page;
end $$;
comment on function public.get_machines is
$$Machines by code, with what state they are in. p_status operational, broken, maintenance or stopped; p_search in code, name, asset and serial
number, manufacturer, model, type. Machines out of use only with p_with_inactive. p_limit 1–500; total only with p_with_total.
Permission: maintenance.read at the site; without p_site at those where the caller works.
Errors: request.bad_cursor (400), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create type public.repair_row as (
  repair public.repairs, machine_name text, line text, symptom text, assignee text, reported_by text, reaction_min numeric, downtime_h numeric,
  start_datetime timestamptz, end_datetime timestamptz);
comment on type public.repair_row is
$$A repair with names: machine, line, symptom, who has it, who reported it. reaction_min: minutes until it was acknowledged. downtime_h: hours from
when the machine had it until it was repaired, or until now, when the machine is down with it; else null. start_datetime, end_datetime: when work on
it began, and ended for the last time.$$;

create type public.repair_page as (repairs public.repair_row[], total bigint, next_cursor text);
comment on type public.repair_page is 'A page of repairs, the newest first; total only when asked; next_cursor null on the last page.';

create function private.repair_facts(p_repair public.repairs)
returns public.repair_row language plpgsql stable set search_path = '' as $$
declare
  v_row public.repair_row;
begin
  v_row.repair := p_repair;
  select m.name, l.title into v_row.machine_name, v_row.line from public.machines m left join public.lines l on l.code = m.line where m.code = p_repair.machine;
  v_row.symptom := (select s.title from public.machine_symptoms s where s.code = p_repair.symptom);
  v_row.assignee := private.actor_name(p_repair.assignee_id);
  v_row.reported_by := coalesce(private.actor_name(p_repair.reported_by), p_repair.reporter);
  v_row.start_datetime := p_repair.started_at;
  v_row.end_datetime := p_repair.repaired_at;
  v_row.reaction_min := round(extract(epoch from p_repair.acknowledged_at - p_repair.reported_at) / 60, 1);
  if p_repair.is_down and p_repair.status not in ('rejected', 'duplicate', 'cancelled') then
    v_row.downtime_h := round(extract(epoch from coalesce(p_repair.repaired_at, now())
      - case when p_repair.type = 'scheduled' then p_repair.started_at else p_repair.occurred_at end) / 3600, 2);
  end if;
  return v_row;
end $$;

create type private.repair_filter as (
  sites text[], machine text, line text, statuses text[], type text, is_open boolean, assignee_id uuid, search text, since timestamptz, until timestamptz);

create function private.found_repairs(p_filter private.repair_filter)
returns setof public.repairs language plpgsql stable set search_path = '' as $$
begin
  return query
    select r.* from public.repairs r join public.machines m on m.code = r.machine
     where r.site = any (p_filter.sites) and (p_filter.machine is null or r.machine = p_filter.machine)
       and (p_filter.line is null or m.line = p_filter.line) and (p_filter.statuses is null or r.status = any (p_filter.statuses))
       and (p_filter.type is null or r.type = p_filter.type) and (p_filter.is_open is null or r.is_open = p_filter.is_open)
       and (p_filter.assignee_id is null or r.assignee_id = p_filter.assignee_id)
       and (p_filter.since is null or r.reported_at >= p_filter.since) and (p_filter.until is null or r.reported_at < p_filter.until)
       and (p_filter.search is null or position(lower(p_filter.search) in lower(concat_ws(' ', r.id, r.machine, m.name, r.asset_number, r.description,
         r.actions_taken, r.cause))) > 0);
end $$;

create function public.get_repairs(
  p_site text default null, p_machine text default null, p_line text default null, p_statuses text[] default null, p_type text default null,
  p_is_open boolean default null, p_assignee_id uuid default null, p_search text default null, p_from timestamptz default null,
  p_to timestamptz default null, p_cursor text default null, p_limit integer default 100, p_with_total boolean default false)
returns public.repair_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_filter private.repair_filter := row(private.caller_sites(p_site), p_machine, p_line, p_statuses, p_type, p_is_open, p_assignee_id, p_search, p_from, p_to);
  v_limit integer := private.page_limit(p_limit);
  v_after bigint;
  v_ids bigint[];
  v_page public.repair_page;
begin
  perform private.authorize('maintenance.read', null, p_site);
  v_after := (private.keys_of(p_cursor, 1) ->> 0)::bigint;
  v_ids := array(select f.id from private.found_repairs(v_filter) f where v_after is null or f.id < v_after order by f.id desc limit v_limit + 1);
  v_page.repairs := array(select private.repair_facts(r) from public.repairs r where r.id = any (v_ids[:v_limit]) order by r.id desc);
  if cardinality(v_ids) > v_limit then
    v_page.next_cursor := private.cursor_of(jsonb_build_array(v_ids[v_limit]));
  end if;
  if p_with_total then
    v_page.total := (select count(*) from private.found_repairs(v_filter));
  end if;
  return v_page;
end $$;
comment on function public.get_repairs is
$$Repairs and work orders, the newest first. p_statuses, p_type unscheduled or scheduled, p_is_open; p_from to p_to (not included): when it was
reported; p_search in number, machine, description, cause and what was done. p_limit 1–500; total only with p_with_total.
Permission: maintenance.read at the site; without p_site at those where the caller works.
Errors: request.bad_cursor (400), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_lines, public.get_machines, public.get_repairs to authenticated, service_role;

-- sql/M13_maintenance/api_detail.sql

-- One repair, one machine, the plans.

create function private.repair_parts(p_repair_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select jsonb_agg(jsonb_build_object('txn_id', t.id, 'at', t.at, 'sku', t.sku, 'title', i.title, 'uom', i.uom, 'location', t.location,
      'quantity', trim_scale(-t.quantity), 'unit_cost', t.unit_cost, 'cost', round(-t.quantity * t.unit_cost, 2), 'reverses', t.reverses,
      'is_returned', exists (select from public.inventory_txn b where b.reverses = t.id)) order by t.id)
    from public.inventory_txn t join public.inventory_items i on i.sku = t.sku where t.ref_stream = 'repair' and t.ref_id = p_repair_id::text), '[]');
end $$;

create function private.repair_history(p_repair_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select jsonb_agg(jsonb_build_object('at', s.at, 'status', s.status, 'waits_for', s.waits_for, 'by', private.actor_name(s.actor_id),
      'note', s.note, 'minutes', round(extract(epoch from s.until - s.at) / 60, 1)) order by s.n)
    from (select x.*, lead(x.at) over (order by x.n) as until from public.repair_statuses x where x.repair_id = p_repair_id) s), '[]');
end $$;

create function private.reports_of(p_repair_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select jsonb_agg(jsonb_build_object('at', x.at, 'by', coalesce(private.actor_name(x.reported_by), x.reporter), 'source', x.source,
      'is_down', x.is_down, 'description', x.description) order by x.id)
    from public.repair_reports x where x.repair_id = p_repair_id), '[]');
end $$;

create function private.repair_files(p_repair_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select jsonb_agg(jsonb_build_object('id', a.id, 'bucket', a.bucket, 'path', a.path, 'name', a.original_name, 'mime_type', a.mime_type,
      'uploaded_by', private.actor_name(a.uploaded_by), 'created_at', a.created_at,
      'is_there', exists (select from storage.objects o where o.bucket_id = a.bucket and o.name = a.path)) order by a.created_at, a.id)
    from public.repair_attachments a where a.repair_id = p_repair_id and a.removed_at is null), '[]');
end $$;

create function private.repair_actions(p_repair public.repairs)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_next text[] := private.next_statuses(p_repair.status);
begin
  return (select coalesce(jsonb_agg(a.name order by a.n), '[]') from (values
      (1, 'acknowledge_repair', p_repair.status = 'reported' and private.may('maintenance.work')),
      (2, 'start_repair', p_repair.status in ('reported', 'acknowledged', 'waiting') and private.may('maintenance.work')),
      (3, 'wait_repair', 'waiting' = any (v_next) and private.may('maintenance.work')),
      (4, 'complete_repair', 'repaired' = any (v_next) and private.may('maintenance.work')),
      (5, 'verify_repair', p_repair.status = 'repaired' and private.may('maintenance.verify')),
      (6, 'close_repair', 'closed' = any (v_next) and private.may('maintenance.work')),
      (7, 'reopen_repair', (p_repair.status = 'verified' or private.is_same_failure(p_repair, now())) and private.may('maintenance.work')),
      (8, 'dismiss_repair', 'cancelled' = any (v_next) and private.may('maintenance.work')),
      (9, 'use_repair_part', p_repair.is_open and private.may('maintenance.work'))) as a (n, name, may) where a.may);
end $$;
comment on function private.repair_actions is 'Commands that the caller may give now, so that a page need not know the life of a repair.';

create function public.get_repair(p_id bigint)
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_repair public.repairs := (select r from public.repairs r where r.id = p_id);
  v_parts jsonb := private.repair_parts(p_id);
  v_parts_cost numeric := (select coalesce(sum((p ->> 'cost')::numeric), 0) from jsonb_array_elements(v_parts) p);
begin
  perform private.authorize('maintenance.read', null, v_repair.site);
  if v_repair.id is null then
    perform private.fail(404, 'repair.unknown', 'There is no such repair.', jsonb_build_object('id', p_id));
  end if;
  return to_jsonb(private.repair_facts(v_repair)) || jsonb_build_object('history', private.repair_history(p_id), 'reported', private.reports_of(p_id), 'parts', v_parts, 'parts_cost', v_parts_cost,
    'total_cost', v_parts_cost + v_repair.cost, 'attachments', private.repair_files(p_id), 'actions', private.repair_actions(v_repair),
    'checks', (select coalesce(jsonb_agg(to_jsonb(c) - 'repair_id' order by c.position), '[]') from public.repair_checks c where c.repair_id = p_id),
    'found', (select coalesce(jsonb_agg(r.id order by r.id), '[]') from public.repairs r where r.found_by = p_id));
end $$;
comment on function public.get_repair is
$$A repair: its row with names as in get_repairs, history [{at, status, waits_for, by, note, minutes}], reported: every report
in its own words [{at, by, source, is_down, description}], parts from stock [{txn_id, sku, quantity, cost,
is_returned, reverses …}] with parts_cost and total_cost, checks, attachments [{id, bucket, path, name, is_there …}], repairs its checklist found, and
actions: the commands the caller may give now.
Permission: maintenance.read at the site of the machine.
Errors: repair.unknown (404).
Idempotency: a read.
Locks: none.$$;

create type public.plan_row as (
  plan public.maintenance_plans, machine_name text, items jsonb, counter numeric, left_days integer, left_count numeric, is_due boolean, open_repair bigint);
comment on type public.plan_row is
$$A plan: its checklist, what the counter of the machine is, how many days or counts are left (negative: overdue), whether it is due, and its open
work order.$$;

create function private.plan_facts(p_plan public.maintenance_plans)
returns public.plan_row language plpgsql stable set search_path = '' as $$
declare
  v_row public.plan_row;
begin
  v_row.plan := p_plan;
  v_row.machine_name := (select m.name from public.machines m where m.code = p_plan.machine);
  v_row.items := private.plan_items(p_plan.id);
  if p_plan.based_on = 'calendar' then
    v_row.left_days := (select (p_plan.due_at at time zone s.time_zone)::date - (now() at time zone s.time_zone)::date
      from public.machines m join public.sites s on s.code = m.site where m.code = p_plan.machine);
  else
    v_row.counter := private.counter_of(p_plan.machine, p_plan.based_on);
    v_row.left_count := p_plan.due_count - v_row.counter;
  end if;
  v_row.is_due := private.is_plan_due(p_plan, now());
  v_row.open_repair := (select r.id from public.repairs r where r.plan_id = p_plan.id and r.is_open);
  return v_row;
end $$;

create function public.get_maintenance_plans(
  p_site text default null, p_machine text default null, p_due_before timestamptz default null, p_with_inactive boolean default false)
returns setof public.plan_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_sites text[] := private.caller_sites(p_site);
begin
  perform private.authorize('maintenance.read', null, p_site);
  return query
    select x.* from public.maintenance_plans p join public.machines m on m.code = p.machine cross join lateral private.plan_facts(p) x
     where m.site = any (v_sites) and (p_machine is null or p.machine = p_machine) and (p.is_active and m.is_active or p_with_inactive)
       and (p_due_before is null or p.due_at < p_due_before or p.due_at is null and x.is_due)
     order by x.is_due desc, p.due_at nulls last, p.machine, p.title;
end $$;
comment on function public.get_maintenance_plans is
$$Preventive plans, what is due first. p_due_before: only calendar plans due before it, and counter plans that are due now.
Permission: maintenance.read at the site; without p_site at those where the caller works.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create function public.get_machine(p_code text)
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_machine public.machines := (select m from public.machines m where m.code = p_code);
begin
  perform private.authorize('maintenance.read', null, v_machine.site);
  perform private.find_machine(p_code);
  return to_jsonb(private.machine_facts(v_machine)) || jsonb_build_object(
    'repairs', (select coalesce(jsonb_agg(to_jsonb(private.repair_facts(r)) order by r.is_open desc, r.id desc), '[]') from (
      select x.* from public.repairs x where x.machine = p_code order by x.is_open desc, x.id desc limit 50) r),
    'plans', (select coalesce(jsonb_agg(to_jsonb(private.plan_facts(p)) order by p.title), '[]')
      from public.maintenance_plans p where p.machine = p_code and p.is_active),
    'versions', (select coalesce(jsonb_agg(to_jsonb(v) - 'machine' order by v.valid_from desc), '[]')
      from public.machine_versions v where v.machine = p_code));
end $$;
comment on function public.get_machine is
$$A machine: its row as in get_machines, its last 50 repairs (open ones first), its plans, and versions: where it stood and by which thresholds, since when.
Permission: maintenance.read at the site of the machine.
Errors: machine.unknown (404).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_repair, public.get_maintenance_plans, public.get_machine to authenticated, service_role;

-- sql/M13_maintenance/seed.sql

select private.allow(p, d, r) from (values
  ('maintenance.read', 'See machines, repairs and maintenance', '{viewer,operator,technician,supervisor,planner,manager,admin,service}'::text[]),
  ('maintenance.report', 'Report a problem of a machine', '{operator,technician,supervisor,planner,manager,admin}'),
  ('maintenance.work', 'Acknowledge, repair and close, take parts for it', '{technician,supervisor,manager,admin}'),
  ('maintenance.verify', 'Say that a repaired machine is right again', '{operator,technician,supervisor,manager,admin}'),
  ('maintenance.manage', 'Change lines, machines and maintenance plans', '{supervisor,planner,manager,admin,service}')
) as t (p, d, r);

insert into public.setting_definitions (key, scope, type, bounds, default_value, title, description, position) values
  ('maintenance.same_failure_hours', 'site', 'integer', '{"min": 0, "max": 720}', '24', 'Same failure',
    'Hours after closing in which a repair that comes back is the same failure.', 90),
  ('maintenance.reports_per_machine', 'site', 'integer', '{"min": 1, "max": 1000}', '12', 'Reports per machine',
    'How many reports without an account a machine takes in an hour.', 91),
  ('maintenance.reports_per_address', 'site', 'integer', '{"min": 1, "max": 1000}', '6', 'Reports per address and machine',
    'How many reports without an account one network address may send of one machine in an hour.', 92),
  ('maintenance.reports_per_site', 'site', 'integer', '{"min": 1, "max": 100000}', '200', 'Reports per site',
    'How many reports without an account all machines of a site take in an hour.', 93);

insert into public.machine_symptoms (code, title, is_down, position) values
  ('does_not_start', 'Does not start', true, 10),
  ('stopped', 'Stopped by itself', true, 20),
  ('damage', 'Something is broken', true, 30),
  ('danger', 'Dangerous', true, 40),
  ('bad_parts', 'Makes bad parts', false, 50),
  ('noise', 'Noise or vibration', false, 60),
  ('leak', 'Leaks', false, 70),
  ('heat', 'Too hot, smells', false, 80),
  ('slow', 'Slower than usual', false, 90),
  ('other', 'Something else', false, 100);

insert into private.scheduled_jobs (name, function_name, every) values
  ('open due maintenance', 'open_due_work_orders', '1 minute'),
  ('forget reports without an account', 'forget_problem_reports', '1 hour');

insert into private.photo_kinds (about, read_permission) values ('repair', 'maintenance.read');

-- Files go up through Storage, each to the one path that an RPC made for it.
insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values ('maintenance', 'maintenance', false, 10485760, '{image/jpeg,image/png,image/webp,image/heic,application/pdf}');

-- sql/M13_maintenance/policies.sql

alter table public.lines enable row level security;
alter table public.machines enable row level security;
alter table public.machine_versions enable row level security;
alter table public.machine_counters enable row level security;
alter table public.machine_symptoms enable row level security;
alter table public.maintenance_plans enable row level security;
alter table public.maintenance_plan_items enable row level security;
alter table public.repairs enable row level security;
alter table public.repair_reports enable row level security;
alter table public.repair_statuses enable row level security;
alter table public.repair_checks enable row level security;
alter table public.repair_attachments enable row level security;
alter table private.machine_tokens enable row level security;
alter table private.problem_reports enable row level security;
alter table private.machine_troubles enable row level security;

-- Rows of a site, for who works there; rows of a machine, a repair or a plan, for whoever sees that. Symptoms are those of the whole plant.
create policy select_site on public.lines for select to authenticated
  using ((select private.readable_sites('maintenance.read')) @> array[site]);
create policy select_site on public.machines for select to authenticated
  using ((select private.readable_sites('maintenance.read')) @> array[site]);
create policy select_site on public.repairs for select to authenticated
  using ((select private.readable_sites('maintenance.read')) @> array[site]);
create policy select_site on public.machine_versions for select to authenticated
  using (machine in (select private.readable_machines('maintenance.read')));
create policy select_site on public.machine_counters for select to authenticated
  using (machine in (select private.readable_machines('maintenance.read')));
create policy select_active on public.machine_symptoms for select to authenticated using ((select private.may('maintenance.read')));
create policy select_site on public.maintenance_plans for select to authenticated
  using (machine in (select private.readable_machines('maintenance.read')));
create policy select_site on public.maintenance_plan_items for select to authenticated
  using (exists (select from public.maintenance_plans p where p.id = plan_id));
create policy select_site on public.repair_reports for select to authenticated
  using (exists (select from public.repairs r where r.id = repair_id));
create policy select_site on public.repair_statuses for select to authenticated
  using (exists (select from public.repairs r where r.id = repair_id));
create policy select_site on public.repair_checks for select to authenticated
  using (exists (select from public.repairs r where r.id = repair_id));
create policy select_site on public.repair_attachments for select to authenticated
  using (exists (select from public.repairs r where r.id = repair_id));

grant select on public.lines, public.machines, public.machine_versions, public.machine_counters, public.machine_symptoms, public.maintenance_plans,
  public.maintenance_plan_items, public.repairs, public.repair_reports, public.repair_statuses, public.repair_checks, public.repair_attachments, public.machine_status,
  public.line_status to authenticated;

-- Files: written once, to a path that an RPC made; read by who may see repairs of the site that the path begins with. Nobody replaces or deletes one.
create policy insert_maintenance_reporter on storage.objects for insert to anon
  with check (bucket_id = 'maintenance' and private.may_attach(name));
create policy insert_maintenance on storage.objects for insert to authenticated
  with check (bucket_id = 'maintenance' and private.may_attach(name));
create policy select_maintenance on storage.objects for select to authenticated
  using (bucket_id = 'maintenance' and (select private.readable_sites('maintenance.read')) @> array[split_part(name, '/', 1)]);
