create type public.print_job_state as enum (
  'queued', 'held', 'claimed', 'sending', 'sent', 'printed', 'unknown', 'failed', 'cancelled', 'expired');

-- Printers ---------------------------------------------------------------------------------------------------------

create table public.printers (
  code text not null constraint printers_code_check check (code ~ '^[a-z][a-z0-9_-]{0,60}$'),
  site text not null,
  name text not null constraint printers_name_check check (length(name) between 1 and 120),
  language text not null constraint printers_language_check check (language in ('zpl', 'tspl', 'spooler', 'file')),
  address text not null default '' constraint printers_address_check check (length(address) <= 200),
  dpi integer constraint printers_dpi_check check (dpi in (203, 300, 600)),
  media_width_mm numeric(6, 2) constraint printers_media_width_mm_check check (media_width_mm between 5 and 500),
  media_height_mm numeric(6, 2) constraint printers_media_height_mm_check check (media_height_mm between 5 and 1000),
  loaded_media text constraint printers_loaded_media_check check (length(loaded_media) between 1 and 60),
  capabilities jsonb not null default '{}' constraint printers_capabilities_check check (jsonb_typeof(capabilities) = 'object'),
  evidence_level smallint not null constraint printers_evidence_level_check check (evidence_level between 0 and 2),
  device_id uuid,
  owner_epoch bigint not null default 0,
  status text not null default 'unknown' constraint printers_status_check
    check (status in ('unknown', 'idle', 'printing', 'stopped', 'unreachable')),
  reasons text[] not null default '{}',
  status_since timestamptz not null default now(),
  odometer bigint,
  boot_id text,
  is_enabled boolean not null default true,
  halted_reason text constraint printers_halted_reason_check check (length(halted_reason) <= 200),
  last_seen_at timestamptz,
  labels_since_media integer not null default 0,
  stray_labels integer not null default 0,
  stray_at timestamptz,
  created_at timestamptz not null default now(),
  constraint printers_pkey primary key (code),
  constraint printers_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint printers_device_id_fkey foreign key (device_id) references public.devices (id) on delete restrict
) with (fillfactor = 70);
create index printers_site_idx on public.printers (site);
create index printers_device_id_idx on public.printers (device_id);
comment on table public.printers is 'Label printers. One print agent owns a printer, and nobody else talks to it.';
comment on column public.printers.address is 'For the agent: host:port, a device file, the name of a queue, or a folder.';
comment on column public.printers.dpi is 'Dots per inch of the head: 203, 300 or 600. Null = not read yet: nothing is printed, since a guess prints every label in the wrong size.';
comment on column public.printers.loaded_media is 'Which roll lies in it, as somebody said at the last change; null = nobody said, and nothing is checked.';
comment on column public.printers.capabilities is 'What the agent found out about the device: {model, firmware, …}; shown, decides nothing.';
comment on column public.printers.evidence_level is 'What proves a label here: 0 the bytes were accepted, 1 the printer has drained its buffer, 2 its label counter moved.';
comment on column public.printers.owner_epoch is 'Grows whenever another agent becomes the owner.';
comment on column public.printers.reasons is 'Why it does not print, in the words of IPP: media-empty, cover-open, paused, unreachable …';
comment on column public.printers.boot_id is 'Equal as long as the printer was never switched off.';
comment on column public.printers.labels_since_media is 'Labels that came out since the roll was changed.';
comment on column public.printers.stray_labels is 'Labels that came out lately without a job: the feed button, or somebody prints outside the system.';

-- Templates --------------------------------------------------------------------------------------------------------

create table public.label_templates (
  code text not null constraint label_templates_code_check check (code ~ '^[a-z][a-z0-9_]{0,40}$'),
  label_type text not null constraint label_templates_label_type_check check (label_type ~ '^[a-z][a-z0-9_]{0,40}$'),
  name text not null constraint label_templates_name_check check (length(name) between 1 and 120),
  media text constraint label_templates_media_check check (length(media) between 1 and 60),
  site text,
  is_default boolean not null default false,
  created_at timestamptz not null default now(),
  constraint label_templates_pkey primary key (code),
  constraint label_templates_site_fkey foreign key (site) references public.sites (code) on delete restrict
);
create unique index label_templates_default_key on public.label_templates (label_type, site) nulls not distinct where is_default;
create index label_templates_site_idx on public.label_templates (site);
create index label_templates_label_type_idx on public.label_templates (label_type);
comment on table public.label_templates is 'How a kind of label looks. What it says is in its versions.';
comment on column public.label_templates.media is 'The roll it needs, by name; null = any.';
comment on column public.label_templates.site is 'Only for this site; null = every site.';

create table public.label_template_versions (
  id bigint generated always as identity,
  template text not null,
  version integer not null,
  width_mm numeric(6, 2) not null constraint label_template_versions_width_mm_check check (width_mm between 5 and 500),
  height_mm numeric(6, 2) not null constraint label_template_versions_height_mm_check check (height_mm between 5 and 1000),
  fields jsonb not null constraint label_template_versions_fields_check check (jsonb_typeof(fields) = 'array'),
  content_hash text not null,
  status text not null default 'draft' constraint label_template_versions_status_check check (status in ('draft', 'active', 'retired')),
  created_by uuid,
  created_at timestamptz not null default now(),
  activated_at timestamptz,
  constraint label_template_versions_pkey primary key (id),
  constraint label_template_versions_version_key unique (template, version),
  constraint label_template_versions_template_fkey foreign key (template) references public.label_templates (code) on delete restrict
);
create unique index label_template_versions_active_key on public.label_template_versions (template) where status = 'active';
comment on table public.label_template_versions is 'Typed fields in millimetres. A version never changes; it becomes active only with a proof at 203, 300 and 600 dpi.';
comment on column public.label_template_versions.fields is
  '[{kind: text|code128|qr|datamatrix|box|image, x, y, …}] in mm from the top left corner; {{name}} in value is filled in.';
comment on column public.label_template_versions.content_hash is 'SHA-256 (hex) of size and fields: a proof is valid for exactly this content.';

create table public.label_proofs (
  id bigint generated always as identity,
  version_id bigint not null,
  dpi integer not null constraint label_proofs_dpi_check check (dpi in (203, 300, 600)),
  content_hash text not null,
  passed boolean not null,
  results jsonb not null default '[]',
  proved_by uuid,
  at timestamptz not null default now(),
  constraint label_proofs_pkey primary key (id),
  constraint label_proofs_version_id_fkey foreign key (version_id) references public.label_template_versions (id) on delete cascade
);
create index label_proofs_version_id_idx on public.label_proofs (version_id, dpi);
comment on table public.label_proofs is 'The version was drawn and read back at this resolution. Append-only.';
comment on column public.label_proofs.results is '{cases, wrong: [{case_no, expected, read}], payloads_sha256}: how many pictures, and what was not read as it should be.';

-- Routes -----------------------------------------------------------------------------------------------------------

create table public.print_routes (
  id bigint generated always as identity,
  site text not null,
  station text,
  label_type text not null constraint print_routes_label_type_check check (label_type ~ '^[a-z][a-z0-9_]{0,40}$'),
  position integer not null constraint print_routes_position_check check (position > 0),
  printer text not null,
  constraint print_routes_pkey primary key (id),
  constraint print_routes_position_key unique nulls not distinct (site, station, label_type, position),
  constraint print_routes_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint print_routes_station_fkey foreign key (station) references public.stations (code) on delete cascade,
  constraint print_routes_printer_fkey foreign key (printer) references public.printers (code) on delete cascade
);
create index print_routes_station_idx on public.print_routes (station);
create index print_routes_printer_idx on public.print_routes (printer);
comment on table public.print_routes is
  'Which printers take which labels, in order. A route of the station comes before the route of the whole site (station null).';

-- Jobs -------------------------------------------------------------------------------------------------------------

create table public.print_jobs (
  id bigint generated always as identity,
  site text not null,
  store text,
  station text constraint print_jobs_station_check check (length(station) <= 64),
  printer text not null,
  routed_from text,
  printer_fixed boolean not null default false,
  label_type text not null,
  version_id bigint not null,
  media text,
  subject text not null constraint print_jobs_subject_check check (length(subject) between 1 and 200),
  print_no integer not null default 1 constraint print_jobs_print_no_check check (print_no > 0),
  labels integer not null default 1 constraint print_jobs_labels_check check (labels between 1 and 10),
  copies integer not null default 1 constraint print_jobs_copies_check check (copies between 1 and 500),
  language text not null constraint print_jobs_language_check check (language in ('zpl', 'tspl', 'spooler', 'file')),
  dpi integer not null constraint print_jobs_dpi_check check (dpi in (203, 300, 600)),
  payload text,
  payload_sha256 text not null,
  state public.print_job_state not null default 'queued',
  state_by uuid,
  state_device uuid,
  why text constraint print_jobs_why_check check (length(why) <= 500),
  state_evidence jsonb,
  priority smallint not null default 50 constraint print_jobs_priority_check check (priority in (10, 50, 90)),
  fence integer not null default 0,
  attempts integer not null default 0,
  claim_nonce uuid,
  device_id uuid,
  lease_until timestamptz,
  send_deadline timestamptz,
  settle_after timestamptz,
  run_after timestamptz not null default now(),
  aged_at timestamptz not null default now(),
  expires_at timestamptz not null,
  evidence_before jsonb,
  evidence_after jsonb,
  evidence_level smallint constraint print_jobs_evidence_level_check check (evidence_level between 0 and 4),
  extra_labels integer not null default 0,
  labels_out integer,
  reprint_of bigint,
  reason text constraint print_jobs_reason_check
    check (reason in ('damaged', 'lost', 'jam', 'wrong_place', 'unknown_resolution', 'changed')),
  note text constraint print_jobs_note_check check (length(note) <= 500),
  cancel_requested boolean not null default false,
  requested_by uuid,
  queued_at timestamptz not null default now(),
  claimed_at timestamptz,
  sending_at timestamptz,
  sent_at timestamptz,
  finished_at timestamptz,
  constraint print_jobs_pkey primary key (id),
  constraint print_jobs_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint print_jobs_store_fkey foreign key (store) references public.stores (code) on delete restrict,
  constraint print_jobs_printer_fkey foreign key (printer) references public.printers (code) on delete restrict,
  constraint print_jobs_version_id_fkey foreign key (version_id) references public.label_template_versions (id) on delete restrict,
  constraint print_jobs_device_id_fkey foreign key (device_id) references public.devices (id) on delete restrict,
  constraint print_jobs_reprint_of_fkey foreign key (reprint_of) references public.print_jobs (id) on delete restrict,
  constraint print_jobs_lease_check check ((state in ('claimed', 'sending', 'sent')) = (lease_until is not null)),
  constraint print_jobs_begun_check check (state not in ('sending', 'sent') or (sending_at is not null and evidence_before is not null)),
  constraint print_jobs_reprint_check check ((reprint_of is null) = (reason is null))
) with (fillfactor = 70);   -- five states on one page
create index print_jobs_queued_idx on public.print_jobs (printer, priority, id) where state = 'queued';
create unique index print_jobs_in_flight_key on public.print_jobs (printer) where state in ('sending', 'sent');
create index print_jobs_open_idx on public.print_jobs (printer) where state in ('claimed', 'sending', 'sent', 'unknown');
create index print_jobs_lease_idx on public.print_jobs (lease_until) where lease_until is not null;
create index print_jobs_expires_idx on public.print_jobs (expires_at) where state = 'queued';
create index print_jobs_began_idx on public.print_jobs (printer, sending_at) where sending_at is not null;
create index print_jobs_printer_idx on public.print_jobs (printer, id);
create index print_jobs_state_idx on public.print_jobs (state, id);
create index print_jobs_site_idx on public.print_jobs (site, id);
create index print_jobs_store_idx on public.print_jobs (store) where store is not null;
create index print_jobs_version_id_idx on public.print_jobs (version_id);
create index print_jobs_device_id_idx on public.print_jobs (device_id) where device_id is not null;
create index print_jobs_reprint_of_idx on public.print_jobs (reprint_of) where reprint_of is not null;
comment on table public.print_jobs is
  'One piece of work for a printer: one label in copies, or up to ten different labels. Never printed twice silently, never lost silently.';
comment on column public.print_jobs.subject is 'What the (first) label stands for: an order id, a serial, an item; each label has its own in print_job_labels.';
comment on column public.print_jobs.media is 'The roll its template asks for; null = any.';
comment on column public.print_jobs.printer_fixed is 'Somebody chose the printer: the job never goes to another one.';
comment on column public.print_jobs.routed_from is 'The printer it was meant for before it went to the next one of its route.';
comment on column public.print_jobs.payload is 'The bytes for the printer (UTF-8), compiled when it was requested. A reprint sends the same ones.';
comment on column public.print_jobs.why is 'Why it is in its state, where that is not plain: released, held, unknown, failed.';
comment on column public.print_jobs.state_by is 'Who brought it into its state: an Auth user; null = the server.';
comment on column public.print_jobs.state_evidence is 'What proved the last transition, as the agent or a person gave it.';
comment on column public.print_jobs.priority is '10 somebody waits for it, 50 normal, 90 bulk. Smaller goes first; who waits for 10 minutes rises.';
comment on column public.print_jobs.fence is 'Grows with every claim: an agent whose fence is old can no longer move the job.';
comment on column public.print_jobs.attempts is 'Claims that were not given back untouched.';
comment on column public.print_jobs.send_deadline is 'After this instant the agent may not hand over the first byte any more.';
comment on column public.print_jobs.settle_after is 'Before this instant a counter that stands still does not prove that nothing came out.';
comment on column public.print_jobs.evidence_before is
  'The printer right before the first byte: {odometer, openings, boot_id, uptime_s, formats, remaining, partial, faults, idle, dpi}.';
comment on column public.print_jobs.evidence_after is 'The printer when the job was settled, in the same words.';
comment on column public.print_jobs.evidence_level is 'What settled it: 0 accepted, 1 drained, 2 counted, 3 a person looked, 4 the label was scanned.';
comment on column public.print_jobs.extra_labels is 'Labels that came out beyond the ones asked for: look for a duplicate.';
comment on column public.print_jobs.labels_out is 'How many came out, where a person said so.';

create table public.print_job_labels (
  job_id bigint not null,
  seq integer not null constraint print_job_labels_seq_check check (seq between 1 and 10),
  purpose text not null,
  subject text not null constraint print_job_labels_subject_check check (length(subject) between 1 and 200),
  template text not null,
  print_no integer not null default 1 constraint print_job_labels_print_no_check check (print_no > 0),
  data jsonb not null default '{}' constraint print_job_labels_data_check check (jsonb_typeof(data) = 'object'),
  state text not null default 'wanted' constraint print_job_labels_state_check check (state in ('wanted', 'printed', 'void')),
  constraint print_job_labels_pkey primary key (job_id, seq),
  constraint print_job_labels_print_no_key unique (subject, purpose, template, print_no),
  constraint print_job_labels_job_id_fkey foreign key (job_id) references public.print_jobs (id) on delete restrict,
  constraint print_job_labels_template_fkey foreign key (template) references public.label_templates (code) on delete restrict
);
create index print_job_labels_template_idx on public.print_job_labels (template);
comment on table public.print_job_labels is
  'One row per different label. The n-th label of a thing exists once: a double click, a second tab or a retry finds the first.';
comment on column public.print_job_labels.data is 'What the template was filled with: {name: text, number, boolean or null}.';
comment on column public.print_job_labels.state is 'wanted, printed, or void: it never came out and never will.';

create table public.print_job_events (
  id bigint generated always as identity,
  job_id bigint not null,
  at timestamptz not null default now(),
  from_state public.print_job_state,
  to_state public.print_job_state not null,
  fence integer not null,
  actor_id uuid,
  device_id uuid,
  reason text,
  evidence jsonb,
  constraint print_job_events_pkey primary key (id),
  constraint print_job_events_job_id_fkey foreign key (job_id) references public.print_jobs (id) on delete restrict
);
create index print_job_events_job_id_idx on public.print_job_events (job_id, id);
comment on table public.print_job_events is 'Every step of every job, append-only. A row whose states are equal is a remark: something was said, nothing moved.';
comment on column public.print_job_events.evidence is 'What the agent saw, or what a person said, when the step was made.';

create table private.print_transitions (
  from_state public.print_job_state not null,
  to_state public.print_job_state not null,
  constraint print_transitions_pkey primary key (from_state, to_state)
);
comment on table private.print_transitions is 'The steps a print job may make. A trigger holds every update to it.';

create table private.print_refusals (
  label_type text not null,
  subject text not null,
  site text not null,
  store text,
  code text not null,
  message text not null,
  at timestamptz not null default now(),
  constraint print_refusals_pkey primary key (subject, label_type),
  constraint print_refusals_site_fkey foreign key (site) references public.sites (code) on delete cascade,
  constraint print_refusals_store_fkey foreign key (store) references public.stores (code) on delete cascade
);
create index print_refusals_site_idx on private.print_refusals (site);
create index print_refusals_store_idx on private.print_refusals (store);
comment on table private.print_refusals is 'Labels that the system itself wanted (with a ticket) and could not ask for: an alarm until the label is asked for again.';
