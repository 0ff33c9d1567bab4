-- Built from sql/M09_printing/ by `takt db build`: edit there, not here.
set local lock_timeout = '10s';
set local statement_timeout = '5min';

-- sql/M09_printing/tables.sql

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

-- sql/M09_printing/templates.sql

-- What a template may say, and what its variables become. Nothing here knows a printer or its dots.

create type private.label_field_rule as (kind text, key text, type text, low numeric, high numeric, is_required boolean);
comment on type private.label_field_rule is 'A key that fields of a kind (null: of every kind) may or must have.';

create function private.label_field_rules()
returns setof private.label_field_rule language sql immutable set search_path = '' as $$
  select * from (values
    (null, 'kind', 'word', 1, 20, true), (null, 'name', 'name', 1, 40, false),
    (null, 'x', 'number', 0, 400, true), (null, 'y', 'number', 0, 400, true),
    ('text', 'w', 'number', 2, 400, true), ('text', 'h', 'number', 1, 60, true), ('text', 'lines', 'integer', 1, 20, false),
    ('text', 'value', 'value', 1, 200, true), ('text', 'overflow', 'overflow', null, null, false),
    ('text', 'align', 'align', null, null, false), ('text', 'bold', 'boolean', null, null, false),
    ('code128', 'h', 'number', 3, 100, true), ('code128', 'w', 'number', 10, 400, false), ('code128', 'align', 'align', null, null, false),
    ('code128', 'module_mm', 'number', 0.1, 1.2, false), ('code128', 'text', 'boolean', null, null, false),
    ('code128', 'value', 'value', 1, 200, true),
    ('qr', 'w', 'number', 5, 200, false), ('qr', 'align', 'align', null, null, false),
    ('qr', 'module_mm', 'number', 0.1, 2, false), ('qr', 'value', 'value', 1, 200, true),
    ('datamatrix', 'w', 'number', 3, 200, false), ('datamatrix', 'align', 'align', null, null, false),
    ('datamatrix', 'module_mm', 'number', 0.1, 2, false), ('datamatrix', 'value', 'value', 1, 200, true),
    ('box', 'w', 'number', 0.1, 400, true), ('box', 'h', 'number', 0.1, 400, true), ('box', 'line_mm', 'number', 0.1, 20, false),
    ('image', 'w', 'number', 1, 60, true), ('image', 'h', 'number', 1, 60, true), ('image', 'pbm_base64', 'picture', 8, 60000, true)
  ) as r (kind, key, type, low, high, is_required)
$$;
comment on function private.label_field_rules is
  'The keys that a field of a template may have, by kind (null: every kind): type, bounds (numbers in mm, texts in characters), needed or not.';

create function private.refuse_template(p_what text, p_detail jsonb default '{}')
returns void language plpgsql set search_path = '' as $$
begin
  perform private.fail(422, 'label.bad_template', p_what, p_detail);
end $$;

create function private.label_variables(p_value text)
returns text[] language plpgsql immutable set search_path = '' as $$
begin
  return array(select distinct m[1] from regexp_matches(p_value, '\{\{([a-z][a-z0-9_]{0,40})\}\}', 'g') m order by 1);
end $$;
comment on function private.label_variables is 'Names of the {{variables}} in a value.';

create function private.without_variables(p_value text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return regexp_replace(p_value, '\{\{[a-z][a-z0-9_]{0,40}\}\}', '', 'g');
end $$;

create function private.label_key_fits(p_rule private.label_field_rule, p_value jsonb)
returns boolean language plpgsql immutable set search_path = '' as $$
declare
  v_text text := p_value #>> '{}';
begin
  case p_rule.type
    when 'number', 'integer' then
      return jsonb_typeof(p_value) = 'number' and (v_text::numeric between p_rule.low and p_rule.high)
        and (p_rule.type = 'number' or v_text::numeric % 1 = 0);
    when 'boolean' then
      return jsonb_typeof(p_value) = 'boolean';
    when 'overflow' then
      return p_value <@ '["shrink", "cut", "refuse"]';
    when 'align' then
      return p_value <@ '["left", "center", "right"]';
    when 'name' then
      return v_text ~ '^[a-z][a-z0-9_]*$' and length(v_text) <= p_rule.high;
    when 'picture' then
      return jsonb_typeof(p_value) = 'string' and length(v_text) <= p_rule.high and private.pbm(v_text) is not null;
    else
      return jsonb_typeof(p_value) = 'string' and length(v_text) between p_rule.low and p_rule.high
        and v_text !~ '[\u0001-\u001f\u007f-\u009f]' and private.without_variables(v_text) !~ '\{\{|\}\}';
  end case;
end $$;
comment on function private.label_key_fits is 'True when the value of one key of a field keeps its rule.';

create function private.check_label_field(p_field jsonb, p_where text)
returns void language plpgsql immutable set search_path = '' as $$
declare
  v_kind text := p_field ->> 'kind';
  v_rule private.label_field_rule;
  v_strange text;
begin
  if jsonb_typeof(p_field) <> 'object' or not coalesce(v_kind in ('text', 'code128', 'qr', 'datamatrix', 'box', 'image'), false) then
    perform private.refuse_template(p_where || ' has no known kind: text, code128, qr, datamatrix, box or image.', jsonb_build_object('field', p_where));
  end if;
  select k into v_strange from jsonb_object_keys(p_field) k
   where not exists (select from private.label_field_rules() r where coalesce(r.kind, v_kind) = v_kind and r.key = k) limit 1;
  if v_strange is not null then
    perform private.refuse_template(format('%s (%s) has a key %s that no %s has.', p_where, v_kind, v_strange, v_kind),
      jsonb_build_object('field', p_where, 'key', v_strange));
  end if;
  for v_rule in select r.* from private.label_field_rules() r where coalesce(r.kind, v_kind) = v_kind loop
    continue when not p_field ? v_rule.key and not v_rule.is_required;
    if not p_field ? v_rule.key or not coalesce(private.label_key_fits(v_rule, p_field -> v_rule.key), false) then
      perform private.refuse_template(format('%s (%s): %s %s', p_where, v_kind, v_rule.key, case v_rule.type
        when 'number' then format('must be a number from %s to %s.', v_rule.low, v_rule.high)
        when 'integer' then format('must be a whole number from %s to %s.', v_rule.low, v_rule.high)
        when 'boolean' then 'must be true or false.' when 'overflow' then 'must be shrink, cut or refuse.'
        when 'align' then 'must be left, center or right.' when 'name' then 'must be a short name in small letters, like order_code.'
        when 'picture' then 'must be a black and white picture (PBM, binary, base64) of at most 600 × 600 dots.'
        else format('must be a text of %s to %s characters; variables look like {{order_number}}.', v_rule.low, v_rule.high) end),
        jsonb_build_object('field', p_where, 'key', v_rule.key));
    end if;
  end loop;
end $$;
comment on function private.check_label_field is
  'PT422 label.bad_template when one field breaks the rules of its kind. p_where names the field for people.';

create function private.check_label_place(p_field jsonb, p_where text, p_width numeric, p_height numeric)
returns void language plpgsql immutable set search_path = '' as $$
declare
  v_kind text := p_field ->> 'kind';
  -- The least that a code of this kind takes: three characters of Code 128 or the smallest square, quiet zone included, in mm.
  v_least numeric := case v_kind when 'code128' then 14.8 when 'qr' then 7.3 when 'datamatrix' then 3.5 else 0 end;
  v_w numeric := coalesce((p_field ->> 'w')::numeric, v_least);
  v_h numeric := case v_kind
    when 'text' then (p_field ->> 'h')::numeric * coalesce((p_field ->> 'lines')::integer, 1)
    when 'code128' then (p_field ->> 'h')::numeric + case when (p_field ->> 'text')::boolean then 3.2 else 0 end
    when 'qr' then v_w when 'datamatrix' then v_w else (p_field ->> 'h')::numeric end;
begin
  if v_w < v_least or (p_field ->> 'x')::numeric + v_w > p_width or (p_field ->> 'y')::numeric + v_h > p_height then
    perform private.refuse_template(format('%s (%s) does not fit on a label of %s × %s mm: it takes at least %s × %s mm from %s, %s.', p_where, v_kind,
      trim_scale(p_width), trim_scale(p_height), greatest(v_w, v_least), v_h, p_field ->> 'x', p_field ->> 'y'), jsonb_build_object('field', p_where));
  elsif v_kind = 'code128' and private.without_variables(p_field ->> 'value') !~ '^[0-9A-Za-z #./+-]*$' then
    perform private.refuse_template(p_where || ': a Code 128 takes letters, digits and # . / + - only.', jsonb_build_object('field', p_where));
  end if;
end $$;

create function private.check_label(p_fields jsonb, p_width numeric, p_height numeric)
returns void language plpgsql immutable set search_path = '' as $$
declare
  v_field jsonb;
  v_names text[] := '{}';
  v_where text;
begin
  if coalesce(p_width, 0) not between 10 and 220 or coalesce(p_height, 0) not between 8 and 400 then
    perform private.refuse_template('A label is 10 to 220 mm wide and 8 to 400 mm high.', jsonb_build_object('width_mm', p_width, 'height_mm', p_height));
  elsif coalesce(jsonb_typeof(p_fields), '') <> 'array' then
    perform private.refuse_template('The fields of a label are a list.');
  elsif jsonb_array_length(p_fields) not between 1 and 60 then
    perform private.refuse_template('A label has 1 to 60 fields.', jsonb_build_object('actual', jsonb_array_length(p_fields)));
  end if;
  for v_field in select f from jsonb_array_elements(p_fields) f loop
    v_where := private.field_name(v_field, cardinality(v_names) + 1);
    perform private.check_label_field(v_field, v_where);
    perform private.check_label_place(v_field, v_where, p_width, p_height);
    if v_where = any (v_names) then
      perform private.refuse_template(format('Two fields are called %s.', v_where), jsonb_build_object('field', v_where));
    end if;
    v_names := v_names || v_where;
  end loop;
end $$;
comment on function private.check_label is
  'PT422 label.bad_template unless size and fields (mm) make a label: known kinds and keys, inside the edges, names told apart.';

create function private.field_name(p_field jsonb, p_n bigint)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return coalesce(p_field ->> 'name', 'field ' || p_n);
end $$;
comment on function private.field_name is 'What people and proofs call a field: its name, else "field 3".';

create function private.label_hash(p_fields jsonb, p_width numeric, p_height numeric)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return encode(sha256(convert_to(jsonb_build_array(trim_scale(p_width), trim_scale(p_height), p_fields)::text, 'UTF8')), 'hex');
end $$;
comment on function private.label_hash is 'SHA-256 (hex) over size and fields: what a proof speaks for.';

-- Variables --------------------------------------------------------------------------------------------------------

create function private.refuse_data(p_what text, p_detail jsonb default '{}')
returns void language plpgsql set search_path = '' as $$
begin
  perform private.fail(422, 'label.bad_data', p_what, p_detail);
end $$;

create function private.label_variable(p_name text, p_data jsonb, p_may_break boolean)
returns text language plpgsql immutable set search_path = '' as $$
declare
  v_value jsonb := p_data -> p_name;
  v_text text := replace(v_value #>> '{}', e'\r\n', e'\n');
  v_odd text;
begin
  if jsonb_typeof(v_value) in ('object', 'array') then
    perform private.refuse_data(p_name || ' must be a text or a number.', jsonb_build_object('variable', p_name));
  elsif length(v_text) > 2000 then
    perform private.refuse_data(p_name || ' is too long for a label: at most 2000 characters.',
      jsonb_build_object('variable', p_name, 'max', 2000, 'actual', length(v_text)));
  end if;
  v_odd := substring(case when p_may_break then replace(v_text, e'\n', '') else v_text end from '[\u0001-\u001f\u007f-\u009f]');
  if v_odd is not null then
    perform private.refuse_data(format('%s has a character that no label can show (U+%s). Take it out and try again.', p_name,
      upper(lpad(to_hex(ascii(v_odd)), 4, '0'))), jsonb_build_object('variable', p_name, 'character', ascii(v_odd)));
  end if;
  return coalesce(v_text, '');
end $$;
comment on function private.label_variable is
  'One variable as text, '''' when it is null or missing. PT422 label.bad_data for lists, for more than 2000 characters and for control characters.';

create function private.label_value(p_field jsonb, p_data jsonb)
returns text language plpgsql immutable set search_path = '' as $$
declare
  v_is_text boolean := p_field ->> 'kind' = 'text';
  v_rest text := p_field ->> 'value';
  v_names text[] := private.label_variables(v_rest);
  v_filled boolean := v_names = '{}';
  v_out text := '';
  v_part text[];
  v_value text;
begin
  loop   -- one pass: what a variable brings is never read as a template again
    v_part := regexp_match(v_rest, '^(.*?)\{\{([a-z][a-z0-9_]{0,40})\}\}(.*)$');
    exit when v_part is null;
    v_value := private.label_variable(v_part[2], p_data, v_is_text and coalesce((p_field ->> 'lines')::integer, 1) > 1);
    if v_value = '' and not v_is_text then
      perform private.refuse_data(format('The label needs %s for its code.', v_part[2]), jsonb_build_object('variable', v_part[2]));
    end if;
    v_filled := v_filled or v_value <> '';
    v_out := v_out || v_part[1] || v_value;
    v_rest := v_part[3];
  end loop;
  return case when v_filled then v_out || v_rest else '' end;
end $$;
comment on function private.label_value is
$$What a field says with this data. A text whose variables are all empty is empty as a whole, its fixed words too; a code needs every variable.
Errors: label.bad_data (422).$$;

-- sql/M09_printing/fit.sql

-- Millimetres to dots. Every width is calculated; what does not fit is refused here, before anything is printed.

create type private.label_mark as (kind text, x integer, y integer, w integer, h integer, size integer, value text);
comment on type private.label_mark is
  'One mark on paper, in dots from the top left: text (size = font height), code128, qr, datamatrix (size = module), box (size = line), image (value = PBM).';

create function private.dots_per_mm(p_dpi integer)
returns numeric language plpgsql immutable set search_path = '' as $$
begin
  if not coalesce(p_dpi in (203, 300, 600), false) then
    perform private.fail(422, 'label.bad_dpi', 'Labels are made for 203, 300 or 600 dpi. Tell Takt the resolution of the printer.',
      jsonb_build_object('dpi', p_dpi));
  end if;
  return case p_dpi when 203 then 8 else p_dpi / 25.4 end;   -- a "203 dpi" head has 8 dots per mm
end $$;

create function private.text_units(p_text text)
returns integer language plpgsql immutable set search_path = '' as $$
begin
  -- Widths of the printers' font 0 in 1/100 of its height; 50 unless listed. Signs beyond Latin count as square.
  return 50 * length(p_text)
    - 25 * (length(p_text) - length(translate(p_text, ' ''|{}/:;Ifijlt', '')))
    - 17 * (length(p_text) - length(translate(p_text, '!"(),.[]`r', '')))
    - 6 * (length(p_text) - length(translate(p_text, 'Jcksvxyz', '')))
    + 6 * (length(p_text) - length(translate(p_text, 'ABCKPSVXY', '')))
    + 12 * (length(p_text) - length(translate(p_text, 'DGHNOQRU', '')))
    + 17 * (length(p_text) - length(translate(p_text, '&w', '')))
    + 32 * (length(p_text) - length(translate(p_text, 'Mm-%@W', '')))
    + 12 * (length(p_text) - length(regexp_replace(p_text, '[\u0080-\u024f]', '', 'g')))
    + 50 * (length(p_text) - length(regexp_replace(p_text, '[^\u0001-\u024f]', '', 'g')));
end $$;
comment on function private.text_units is 'Width of a text in 1/100 of its font height. An estimate: who uses it leaves a tenth of slack.';

create function private.text_prefix(p_text text, p_limit integer)
returns integer language plpgsql immutable set search_path = '' as $$
declare
  v_width integer := 0;
begin
  for i in 1 .. length(p_text) loop
    v_width := v_width + private.text_units(substr(p_text, i, 1));
    if v_width > p_limit then
      return i - 1;
    end if;
  end loop;
  return length(p_text);
end $$;
comment on function private.text_prefix is 'How many characters of a text fit into p_limit units.';

create function private.wrap_text(p_text text, p_limit integer, p_lines integer, p_breaks boolean)
returns text[] language plpgsql immutable set search_path = '' as $$
declare
  v_lines text[] := '{}';
  v_line text;
  v_word text;
  v_paragraph text;
  v_cut integer;
begin
  foreach v_paragraph in array string_to_array(p_text, e'\n') loop
    v_line := null;
    foreach v_word in array string_to_array(v_paragraph, ' ') loop
      if v_line is not null and private.text_units(v_line || ' ' || v_word) <= p_limit then
        v_line := v_line || ' ' || v_word;
        continue;
      end if;
      v_lines := case when v_line is null then v_lines else v_lines || v_line end;
      while private.text_units(v_word) > p_limit and cardinality(v_lines) <= p_lines loop   -- a word longer than a line
        v_cut := case when p_breaks then greatest(1, private.text_prefix(v_word, p_limit)) else 0 end;
        v_lines := v_lines || left(v_word, v_cut);
        v_word := substr(v_word, v_cut + 1);
      end loop;
      v_line := v_word;
      exit when cardinality(v_lines) > p_lines;
    end loop;
    v_lines := v_lines || coalesce(v_line, '');
    exit when cardinality(v_lines) > p_lines;
  end loop;
  return v_lines[1 : p_lines + 1];
end $$;
comment on function private.wrap_text is
  'The text in lines of at most p_limit units, broken at spaces, inside words only where p_breaks; one line more than p_lines when it does not fit.';

create function private.refuse_fit(p_value text, p_field text, p_dpi integer, p_needs numeric, p_has numeric)
returns void language plpgsql set search_path = '' as $$
begin
  perform private.fail(422, 'label.does_not_fit', format('“%s” does not fit at %s dpi: it needs %s mm and has %s mm. Use a larger label or a shorter code.',
    case when length(p_value) > 60 then left(p_value, 57) || '...' else p_value end, p_dpi, round(p_needs, 1), round(p_has, 1)),
    jsonb_build_object('field', p_field, 'dpi', p_dpi, 'length', length(p_value), 'needs_mm', round(p_needs, 1), 'has_mm', round(p_has, 1)));
end $$;

-- Texts ------------------------------------------------------------------------------------------------------------

create function private.text_marks(p_field jsonb, p_value text, p_where text, p_dpi integer)
returns setof private.label_mark language plpgsql immutable set search_path = '' as $$
declare
  v_dots numeric := private.dots_per_mm(p_dpi);
  v_w integer := floor((p_field ->> 'w')::numeric * v_dots);
  v_h integer := round((p_field ->> 'h')::numeric * v_dots);
  v_max integer := coalesce((p_field ->> 'lines')::integer, 1);
  v_overflow text := coalesce(p_field ->> 'overflow', 'shrink');
  v_size integer := v_h;
  v_least integer := least(v_h, greatest(ceil(v_h * 0.5), ceil(1.5 * v_dots)));
  v_room integer;
  v_limit integer;
  v_lines text[];
  v_x integer;
  v_y integer := round((p_field ->> 'y')::numeric * v_dots);
begin
  loop
    v_limit := v_w * 100 / (v_size * 1.1);
    v_room := v_max * v_h / v_size;   -- smaller letters leave room for more lines
    v_lines := private.wrap_text(p_value, v_limit, v_room, v_overflow <> 'shrink' or v_size = v_least);
    exit when cardinality(v_lines) <= v_room or v_overflow <> 'shrink' or v_size = v_least;
    v_size := greatest(v_least, v_size - greatest(1, v_h / 16));
  end loop;
  if cardinality(v_lines) > v_room and v_overflow = 'refuse' then
    perform private.refuse_fit(p_value, p_where, p_dpi, private.text_units(p_value) * v_size * 1.1 / 100 / v_dots, v_room * v_w / v_dots);
  elsif cardinality(v_lines) > v_room then   -- cut so that everybody sees it
    v_lines := v_lines[1 : v_room];
    v_lines[v_room] := left(v_lines[v_room], private.text_prefix(v_lines[v_room], greatest(0, v_limit - private.text_units('...')))) || '...';
  end if;
  if cardinality(v_lines) = 1 and v_max = 1 then   -- shrunk letters stand on the same line as their neighbours
    v_y := v_y + (v_h - v_size) * 3 / 4;
  end if;
  for i in 1 .. cardinality(v_lines) loop
    continue when v_lines[i] = '';
    v_x := floor((p_field ->> 'x')::numeric * v_dots) + private.aligned(p_field, v_w, ceil(private.text_units(v_lines[i]) * v_size / 100.0)::integer);
    for v_again in 0 .. coalesce((p_field ->> 'bold')::boolean, false)::integer loop   -- bold: struck twice, an eighth of a mm apart
      return next row('text', v_x + v_again * greatest(1, floor(v_dots / 8)), v_y + (i - 1) * v_size, v_w, v_size, v_size, v_lines[i])::private.label_mark;
    end loop;
  end loop;
end $$;
comment on function private.text_marks is
  'The lines of a text field. overflow: shrink (to half, then cut), cut (ends in ...), refuse (PT422 label.does_not_fit).';

create function private.aligned(p_field jsonb, p_room integer, p_taken integer)
returns integer language plpgsql immutable set search_path = '' as $$
begin
  return case p_field ->> 'align' when 'center' then greatest(0, (p_room - p_taken) / 2) when 'right' then greatest(0, p_room - p_taken) else 0 end;
end $$;

-- Codes ------------------------------------------------------------------------------------------------------------

create function private.qr_modules(p_bytes integer)
returns integer language plpgsql immutable set search_path = '' as $$
declare
  -- Bytes that a QR code of version 1, 2, … holds at error correction M.
  v_holds constant integer[] := '{14,26,42,62,84,106,122,152,180,213,251,287,331,362,412,450,504,560,624,666}';
begin
  return (select 17 + 4 * v.n from unnest(v_holds) with ordinality as v (holds, n) where v.holds >= p_bytes order by v.n limit 1);
end $$;
comment on function private.qr_modules is
  'Side of the QR code (ECC M) that holds so many bytes, in modules without quiet zone; null beyond 666 bytes.';

create function private.datamatrix_modules(p_value text)
returns integer language plpgsql immutable set search_path = '' as $$
declare
  -- Pairs of digits share a codeword; two to spare for a printer that switches modes less cleverly.
  v_words integer := length(regexp_replace(p_value, '\d\d', '#', 'g')) + 2;
  v_sides constant integer[] := '{10,12,14,16,18,20,22,24,26,32,36,40,44,48,52,64,72,80}';
  v_holds constant integer[] := '{3,5,8,12,18,22,30,36,44,62,86,114,144,174,204,280,368,456}';
begin
  return (select s.side from unnest(v_sides, v_holds) as s (side, holds) where s.holds >= v_words order by s.side limit 1);
end $$;
comment on function private.datamatrix_modules is
  'Side of the square DataMatrix (ECC 200) that holds the text, in modules without quiet zone; null beyond 454 codewords.';

create function private.module_dots(p_field jsonb, p_dpi integer, p_room integer, p_modules integer)
returns integer language plpgsql immutable set search_path = '' as $$
declare
  v_linear boolean := p_field ->> 'kind' = 'code128';
  -- The wish in whole dots (a twentieth over is forgiven: 0.25 mm are 3 dots at 300 dpi), never more than printers take.
  v_wish integer := least(10, floor(private.dots_per_mm(p_dpi) * 1.05
    * coalesce((p_field ->> 'module_mm')::numeric, case when v_linear then 0.25 else 0.5 end)));
  -- Finer than this no scanner on the floor reads it for certain.
  v_least integer := case p_dpi when 203 then 2 when 300 then case when v_linear then 2 else 3 end else case when v_linear then 4 else 6 end end;
begin
  return case when p_room / p_modules >= v_least then least(greatest(v_wish, v_least), p_room / p_modules) end;
end $$;
comment on function private.module_dots is
  'Dots per module: what the field wishes, less when the room (dots) asks for it, never less than the printer prints well. Null: it does not fit.';

create function private.code128_marks(p_field jsonb, p_value text, p_where text, p_dpi integer, p_width integer)
returns setof private.label_mark language plpgsql immutable set search_path = '' as $$
declare
  v_dots numeric := private.dots_per_mm(p_dpi);
  v_x integer := ceil((p_field ->> 'x')::numeric * v_dots);
  v_y integer := round((p_field ->> 'y')::numeric * v_dots);
  v_h integer := round((p_field ->> 'h')::numeric * v_dots);
  v_room integer := least(p_width - v_x, coalesce(floor((p_field ->> 'w')::numeric * v_dots)::integer, p_width));
  v_bars integer := 11 * (length(p_value) + 2) + 13;   -- subset B: start, text, check; stop
  v_module integer := private.module_dots(p_field, p_dpi, v_room, v_bars + 20);   -- quiet zone: 10 modules each side
  v_size integer;
begin
  if p_value !~ '^[0-9A-Za-z#][0-9A-Za-z #./+-]{2,31}$' then
    perform private.refuse_data(format('“%s” cannot be a Code 128: it takes 3 to 32 letters, digits and # . / + - only.', left(p_value, 60)),
      jsonb_build_object('field', p_where, 'length', length(p_value)));
  elsif v_module is null then
    perform private.refuse_fit(p_value, p_where, p_dpi, (v_bars + 20) * case when p_dpi = 600 then 4 else 2 end / v_dots, v_room / v_dots);
  end if;
  v_x := v_x + private.aligned(p_field, v_room, (v_bars + 20) * v_module) + 10 * v_module;
  return next row('code128', v_x, v_y, v_bars * v_module, v_h, v_module, p_value)::private.label_mark;
  if (p_field ->> 'text')::boolean then
    v_size := least(round(2.6 * v_dots), (v_bars + 20) * v_module * 100 / (private.text_units(p_value) * 1.1));
    return next row('text', greatest(0, v_x + (v_bars * v_module - private.text_units(p_value) * v_size / 100) / 2),
      v_y + v_h + round(0.5 * v_dots), v_bars * v_module, v_size, v_size, p_value)::private.label_mark;
  end if;
end $$;
comment on function private.code128_marks is
  'A Code 128 with its quiet zones inside the field, and its text below. Errors: label.bad_data (422), label.does_not_fit (422).';

create function private.square_marks(p_field jsonb, p_value text, p_where text, p_dpi integer, p_width integer, p_height integer)
returns setof private.label_mark language plpgsql immutable set search_path = '' as $$
declare
  v_qr boolean := p_field ->> 'kind' = 'qr';
  v_dots numeric := private.dots_per_mm(p_dpi);
  v_x integer := ceil((p_field ->> 'x')::numeric * v_dots);
  v_y integer := ceil((p_field ->> 'y')::numeric * v_dots);
  v_quiet integer := case when v_qr then 4 else 2 end;
  v_side integer := case when v_qr then private.qr_modules(octet_length(p_value)) else private.datamatrix_modules(p_value) end + 2 * v_quiet;
  -- ZPL draws a QR code up to 10 dots lower than it is told.
  v_room integer := least(p_width - v_x, p_height - v_y - case when v_qr then 10 else 0 end, floor((p_field ->> 'w')::numeric * v_dots)::integer);
  v_module integer := private.module_dots(p_field, p_dpi, v_room, v_side);
begin
  if not v_qr and p_value ~ '[^ -~]' then
    perform private.refuse_data(format('“%s” cannot be a DataMatrix: printers disagree about “%s”. Use a QR code.', left(p_value, 60),
      substring(p_value from '[^ -~]')), jsonb_build_object('field', p_where));
  elsif v_side is null then
    perform private.refuse_data(format('%s holds too much for a code: %s bytes.', p_where, octet_length(p_value)),
      jsonb_build_object('field', p_where, 'max', 666, 'actual', octet_length(p_value)));
  elsif v_module is null then
    perform private.refuse_fit(p_value, p_where, p_dpi, v_side * case p_dpi when 203 then 2 when 300 then 3 else 6 end / v_dots, v_room / v_dots);
  end if;
  return next row(p_field ->> 'kind', v_x + private.aligned(p_field, v_room, v_side * v_module) + v_quiet * v_module, v_y + v_quiet * v_module,
    (v_side - 2 * v_quiet) * v_module, (v_side - 2 * v_quiet) * v_module, v_module, p_value)::private.label_mark;
end $$;
comment on function private.square_marks is
  'A QR code or DataMatrix with its quiet zone inside the field. A DataMatrix takes ASCII only. Errors: label.bad_data (422), label.does_not_fit (422).';

create function private.label_marks(p_fields jsonb, p_width_mm numeric, p_height_mm numeric, p_dpi integer, p_data jsonb)
returns setof private.label_mark language plpgsql immutable set search_path = '' as $$
declare
  v_dots numeric := private.dots_per_mm(p_dpi);
  v_width integer := floor(p_width_mm * v_dots);
  v_height integer := floor(p_height_mm * v_dots);
  v_field jsonb;
  v_where text;
  v_n integer := 0;
begin
  for v_field in select f from jsonb_array_elements(p_fields) f loop
    v_n := v_n + 1;
    v_where := private.field_name(v_field, v_n);
    case v_field ->> 'kind'
      when 'text' then
        return query select * from private.text_marks(v_field, private.label_value(v_field, p_data), v_where, p_dpi);
      when 'code128' then
        return query select * from private.code128_marks(v_field, private.label_value(v_field, p_data), v_where, p_dpi, v_width);
      when 'qr', 'datamatrix' then
        return query select * from private.square_marks(v_field, private.label_value(v_field, p_data), v_where, p_dpi, v_width, v_height);
      else
        return next row(v_field ->> 'kind', round((v_field ->> 'x')::numeric * v_dots), round((v_field ->> 'y')::numeric * v_dots),
          greatest(1, round((v_field ->> 'w')::numeric * v_dots)), greatest(1, round((v_field ->> 'h')::numeric * v_dots)),
          greatest(1, round(coalesce((v_field ->> 'line_mm')::numeric, 0.3) * v_dots)), v_field ->> 'pbm_base64')::private.label_mark;
    end case;
  end loop;
end $$;
comment on function private.label_marks is
  'Everything one label shows, in dots. p_fields must have passed check_label. Errors: label.bad_data (422), label.does_not_fit (422), label.bad_dpi (422).';

-- Pictures ---------------------------------------------------------------------------------------------------------

create type private.bitmap as (width integer, height integer, rows bytea);
comment on type private.bitmap is 'One bit per dot, 1 = black, rows padded to bytes.';

create function private.pbm(p_base64 text)
returns private.bitmap language plpgsql immutable set search_path = '' as $$
declare
  v_file bytea;
  v_head text[];
  v_width integer;
  v_height integer;
  v_rows bytea;
begin
  v_file := decode(p_base64, 'base64');
  v_head := regexp_match(encode(substr(v_file, 1, 200), 'escape'), '^(P4\s+(?:#[^\n]*\n\s*)*(\d{1,3})\s+(\d{1,3})\s)');
  v_width := v_head[2];
  v_height := v_head[3];
  v_rows := substr(v_file, length(v_head[1]) + 1);
  if v_width between 1 and 600 and v_height between 1 and 600 and length(v_rows) = (v_width + 7) / 8 * v_height then
    return row(v_width, v_height, v_rows)::private.bitmap;
  end if;
  return null;
exception when invalid_parameter_value then   -- not base64
  return null;
end $$;
comment on function private.pbm is 'A binary PBM (P4) of at most 600 × 600 dots from base64; null for anything else.';

create function private.scaled_rows(p_bitmap private.bitmap, p_width integer, p_height integer)
returns setof text language plpgsql stable set search_path = '' as $$
declare
  v_bytes integer := (p_bitmap.width + 7) / 8;
  v_row integer;
  v_drawn integer := -1;
  v_run text;
  v_taken integer;
  v_bits text;
begin
  for v_y in 0 .. p_height - 1 loop
    v_row := v_y * p_bitmap.height / p_height;
    if v_row <> v_drawn then   -- rows that repeat are scaled once, and runs of a colour at once
      v_bits := '';
      v_taken := 0;
      for v_run in select m[1] from regexp_matches(
        left(('x' || encode(substr(p_bitmap.rows, v_row * v_bytes + 1, v_bytes), 'hex'))::varbit::text, p_bitmap.width), '0+|1+', 'g') m
      loop
        v_taken := v_taken + length(v_run);
        v_bits := v_bits || repeat(left(v_run, 1), (v_taken * p_width + p_bitmap.width - 1) / p_bitmap.width - length(v_bits));
      end loop;
      v_drawn := v_row;
    end if;
    return next v_bits;
  end loop;
end $$;
comment on function private.scaled_rows is 'The picture in p_width × p_height dots, one text of 0 and 1 per row.';

-- sql/M09_printing/compile_zpl.sql

-- Marks in ZPL. Each kind of field has one escaper; nothing else puts data into a format.

create function private.zpl_hex(p_text text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  if p_text ~ '^[A-Za-z0-9 .,:/-]*$' then
    return p_text;
  end if;
  return (select string_agg(case when c.sign ~ '[A-Za-z0-9 .,:/-]' then c.sign
      else regexp_replace(upper(encode(convert_to(c.sign, 'UTF8'), 'hex')), '(..)', '_\1', 'g') end, '' order by c.n)
    from regexp_split_to_table(p_text, '') with ordinality as c (sign, n));
end $$;
comment on function private.zpl_hex is 'A text for ^FD after ^FH_: whatever ZPL could read as a command is written as hexadecimal UTF-8.';

create function private.zpl_text(p_text text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return '^FH_^FD' || private.zpl_hex(p_text) || '^FS';
end $$;

create function private.zpl_code128(p_text text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  if p_text !~ '^[0-9A-Za-z#][0-9A-Za-z #./+-]*$' then   -- > would choose a subset, and no escape helps
    perform private.fail(422, 'label.unsafe', 'This code has characters that a printer reads as commands.', jsonb_build_object('value', p_text));
  end if;
  return '^FH_^FD' || private.zpl_hex(p_text) || '^FS';
end $$;

create function private.zpl_qr(p_text text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return '^FH_^FDMA,' || private.zpl_hex(p_text) || '^FS';   -- without the mode a printer eats the first characters
end $$;

create function private.unused_sign(p_text text)
returns text language plpgsql immutable set search_path = '' as $$
declare
  v_sign text;
begin
  foreach v_sign in array '{|,!,$,%,=,;,?,@,*,(,),<,&,+,#,_,>}'::text[] loop
    if position(v_sign in p_text) = 0 then
      return v_sign;
    end if;
  end loop;
  perform private.refuse_data('This text has too many different signs for a DataMatrix. Use a QR code.');
  return null;
end $$;
comment on function private.unused_sign is 'A sign that the text does not have: what a DataMatrix takes as its escape.';

create function private.zpl_datamatrix(p_text text, p_module integer)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return format('^BXN,%s,200,,,,%s^FH_^FD%s^FS', p_module, private.unused_sign(p_text), private.zpl_hex(p_text));
end $$;
comment on function private.zpl_datamatrix is 'Command and data: printers differ in the escape that they assume, so it is always said.';

create function private.zpl_image(p_mark private.label_mark)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_bytes integer := (p_mark.w + 7) / 8;
  v_out text := '';
  v_bits text;
  v_before text;
  v_hex text;
begin
  for v_bits in select r from private.scaled_rows(private.pbm(p_mark.value), p_mark.w, p_mark.h) r loop
    if v_bits is distinct from v_before then
      v_hex := left((select string_agg(lpad(to_hex(substr(v_bits, n * 32 + 1, 32)::bit(32)::integer), 8, '0'), '' order by n)
        from generate_series(0, (v_bytes - 1) / 4) n), v_bytes * 2);
      v_before := v_bits;
    end if;
    v_out := v_out || v_hex;
  end loop;
  return format('^GFA,%s,%s,%s,%s^FS', v_bytes * p_mark.h, v_bytes * p_mark.h, v_bytes, upper(v_out));
end $$;

create function private.zpl_mark(p_mark private.label_mark)
returns text language plpgsql stable set search_path = '' as $$
begin
  return format('^FO%s,%s', p_mark.x, p_mark.y) || case p_mark.kind
    when 'text' then format('^A0N,%s,%s', p_mark.size, p_mark.size) || private.zpl_text(p_mark.value)
    when 'code128' then format('^BY%s,2,%s^BCN,%s,N,N,N,N', p_mark.size, p_mark.h, p_mark.h) || private.zpl_code128(p_mark.value)
    -- A QR code is shifted down by the height that ^BY left behind, so it is said here too.
    when 'qr' then format('^BY%s,2,1^BQN,2,%s', p_mark.size, p_mark.size) || private.zpl_qr(p_mark.value)
    when 'datamatrix' then format('^BY%s,2,1', p_mark.size) || private.zpl_datamatrix(p_mark.value, p_mark.size)
    when 'box' then format('^GB%s,%s,%s^FS', p_mark.w, p_mark.h, p_mark.size)
    when 'image' then private.zpl_image(p_mark) end;
end $$;

create function private.compile_zpl(p_fields jsonb, p_width_mm numeric, p_height_mm numeric, p_dpi integer, p_data jsonb[], p_copies integer)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_dots numeric := private.dots_per_mm(p_dpi);
  -- A printer may repeat the label that a fault spoilt. Of identical copies that is welcome, of a serial it would be a second one.
  v_head text := format('^XA^CI28^PW%s^LL%s^LH0,0^JZ%s', floor(p_width_mm * v_dots), floor(p_height_mm * v_dots),
    case when cardinality(p_data) = 1 and p_copies > 1 then 'Y' else 'N' end);
  v_data jsonb;
  v_out text := '';
begin
  foreach v_data in array p_data loop
    v_out := v_out || v_head || coalesce((
      select string_agg(private.zpl_mark(m), '') from private.label_marks(p_fields, p_width_mm, p_height_mm, p_dpi, v_data) m), '')
      || format('^PQ%s,0,0,N^XZ', p_copies) || e'\n';
  end loop;
  perform private.check_zpl(v_out, cardinality(p_data), p_copies);
  return v_out;
end $$;
comment on function private.compile_zpl is 'One ^XA … ^XZ per object of p_data, each p_copies times. Errors: as label_marks.';

create function private.check_zpl(p_payload text, p_labels integer, p_copies integer)
returns void language plpgsql immutable set search_path = '' as $$
declare
  v_allowed constant text[] := '{XA,XZ,CI,PW,LL,LH,JZ,FO,A0,BY,BC,BQ,BX,FH,FD,FS,GB,GF,PQ}';
  v_found text[] := array(select m[1] from regexp_matches(p_payload, '\^(.{0,2})', 'g') m);
begin
  if cardinality(array_positions(v_found, 'XA')) <> p_labels or cardinality(array_positions(v_found, 'XZ')) <> p_labels
    or cardinality(regexp_split_to_array(p_payload, format('\^PQ%s,0,0,N\^XZ\n', p_copies))) - 1 <> p_labels
    or cardinality(array_positions(v_found, 'PQ')) <> p_labels or not v_found <@ v_allowed or p_payload ~ '[^\n -}]'
  then
    perform private.fail(422, 'label.unsafe', 'This label came out with commands that no label may send. It is not printed; tell whoever looks after Takt.',
      jsonb_build_object('labels', p_labels, 'commands', array(select distinct f from unnest(v_found) f where not f = any (v_allowed))));
  end if;
end $$;
comment on function private.check_zpl is
  'The last look before a format leaves: as many labels as asked, the copies asked, commands of the list only, no tilde, ASCII only. PT422 label.unsafe.';

-- sql/M09_printing/compile_tspl.sql

-- Marks in TSPL. Texts stand in quotes; what a quoted text cannot hold is refused.

create function private.tspl_text(p_text text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  if p_text ~ '\\\[|~!|[\u0001-\u001f\u007f-\u009f]' then   -- its escape, its immediate commands
    perform private.refuse_data(format('“%s” has signs (%s) that this printer reads as a command.', left(p_text, 60), substring(p_text from '\\\[|~!|.')));
  end if;
  return '"' || replace(p_text, '"', '\["]') || '"';
end $$;
comment on function private.tspl_text is
  'A text in quotes. PT422 label.bad_data for \[, ~! and control characters: a TSPL printer would act on them.';

create function private.tspl_image(p_mark private.label_mark)
returns setof text language plpgsql stable set search_path = '' as $$
declare
  v_rows text[] := array(select private.scaled_rows(private.pbm(p_mark.value), p_mark.w, p_mark.h));
  v_from integer := 1;
  v_x integer;
  v_run text;
begin
  -- BITMAP wants raw bytes and a payload is text: black runs of equal rows become bars.
  for v_y in 1 .. cardinality(v_rows) loop
    continue when v_rows[v_y + 1] = v_rows[v_y];
    v_x := p_mark.x;
    for v_run in select m[1] from regexp_matches(v_rows[v_y], '0+|1+', 'g') m loop
      if v_run like '1%' then
        return next format('BAR %s,%s,%s,%s', v_x, p_mark.y + v_from - 1, length(v_run), v_y - v_from + 1);
      end if;
      v_x := v_x + length(v_run);
    end loop;
    v_from := v_y + 1;
  end loop;
end $$;

create function private.tspl_mark(p_mark private.label_mark, p_dpi integer)
returns setof text language plpgsql stable set search_path = '' as $$
declare
  v_points integer := greatest(4, floor(p_mark.size / private.dots_per_mm(p_dpi) * 72 / 25.4));
begin
  case p_mark.kind
    when 'text' then
      return next format('TEXT %s,%s,"0",0,%s,%s,', p_mark.x, p_mark.y, v_points, v_points) || private.tspl_text(p_mark.value);
    when 'code128' then
      return next format('BARCODE %s,%s,"128",%s,0,0,%s,%s,', p_mark.x, p_mark.y, p_mark.h, p_mark.size, p_mark.size) || private.tspl_text(p_mark.value);
    when 'qr' then
      return next format('QRCODE %s,%s,M,%s,A,0,', p_mark.x, p_mark.y, p_mark.size) || private.tspl_text(p_mark.value);
    when 'datamatrix' then
      return next format('DMATRIX %s,%s,%s,%s,c%s,x%s,', p_mark.x, p_mark.y, p_mark.w, p_mark.h, ascii(private.unused_sign(p_mark.value)), p_mark.size)
        || private.tspl_text(p_mark.value);
    when 'box' then
      if p_mark.size * 2 >= least(p_mark.w, p_mark.h) then
        return next format('BAR %s,%s,%s,%s', p_mark.x, p_mark.y, greatest(p_mark.w, p_mark.size), greatest(p_mark.h, p_mark.size));
      else
        return next format('BOX %s,%s,%s,%s,%s', p_mark.x, p_mark.y, p_mark.x + p_mark.w - 1, p_mark.y + p_mark.h - 1, p_mark.size);
      end if;
    else
      return query select private.tspl_image(p_mark);
  end case;
end $$;

create function private.compile_tspl(p_fields jsonb, p_width_mm numeric, p_height_mm numeric, p_dpi integer, p_data jsonb[], p_copies integer)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_head text := format(e'SIZE %s mm,%s mm\r\nCODEPAGE UTF-8\r\nREFERENCE 0,0\r\nSET REPRINT %s\r\n', trim_scale(p_width_mm), trim_scale(p_height_mm),
    case when cardinality(p_data) = 1 and p_copies > 1 then 'ON' else 'OFF' end);
  v_data jsonb;
  v_out text := '';
begin
  foreach v_data in array p_data loop
    v_out := v_out || v_head || e'CLS\r\n' || coalesce((
      select string_agg(t.line || e'\r\n', '') from private.label_marks(p_fields, p_width_mm, p_height_mm, p_dpi, v_data) m,
        lateral private.tspl_mark(m, p_dpi) as t (line)), '') || format(e'PRINT 1,%s\r\n', p_copies);
  end loop;
  perform private.check_tspl(v_out, cardinality(p_data), p_copies);
  return v_out;
end $$;
comment on function private.compile_tspl is
  'CLS … PRINT 1,copies per object of p_data. The gap is what the printer was calibrated to. Errors: as label_marks.';

create function private.check_tspl(p_payload text, p_labels integer, p_copies integer)
returns void language plpgsql immutable set search_path = '' as $$
declare
  v_lines text[] := string_to_array(rtrim(p_payload, e'\r\n'), e'\r\n');
begin
  if cardinality(array_positions(v_lines, 'PRINT 1,' || p_copies)) <> p_labels or cardinality(array_positions(v_lines, 'CLS')) <> p_labels
    or replace(p_payload, e'\r\n', '') ~ '[\u0001-\u001f]' or position('~!' in p_payload) > 0
    or exists (select from unnest(v_lines) l where l !~ '^(SIZE|CODEPAGE|REFERENCE|SET REPRINT|CLS|TEXT|BARCODE|QRCODE|DMATRIX|BAR|BOX|PRINT)( |$)')
    or exists (select from unnest(v_lines) l where replace(l, '\["]', '') !~ '^[^"]*("[^"]*"[^"]*)*$')
  then
    perform private.fail(422, 'label.unsafe', 'This label came out with commands that no label may send. It is not printed; tell whoever looks after Takt.',
      jsonb_build_object('labels', p_labels));
  end if;
end $$;
comment on function private.check_tspl is
  'The last look before commands leave: known commands, closed quotes, as many labels and copies as asked. PT422 label.unsafe.';

-- sql/M09_printing/compile.sql

-- From a template and data to what a printer is sent.

create function private.compile_fields(
  p_fields jsonb, p_width_mm numeric, p_height_mm numeric, p_data jsonb[], p_copies integer, p_language text, p_dpi integer)
returns text language plpgsql stable set search_path = '' as $$
begin
  if coalesce(p_copies, 0) not between 1 and 500 then   -- a slip of the finger must not empty a roll
    perform private.refuse_data('A label is printed 1 to 500 times.', jsonb_build_object('copies', p_copies));
  elsif coalesce(cardinality(p_data), 0) not between 1 and 10 then
    perform private.refuse_data('One job prints 1 to 10 different labels.', jsonb_build_object('labels', cardinality(p_data)));
  elsif exists (select from unnest(p_data) d where coalesce(jsonb_typeof(d), '') <> 'object') then
    perform private.refuse_data('The data of a label is an object: names and values.');
  end if;
  case p_language
    when 'tspl' then
      return private.compile_tspl(p_fields, p_width_mm, p_height_mm, p_dpi, p_data, p_copies);
    when 'zpl', 'spooler', 'file' then   -- what a queue or a file is given is ZPL
      return private.compile_zpl(p_fields, p_width_mm, p_height_mm, p_dpi, p_data, p_copies);
    else
      perform private.refuse_data('Labels are made in zpl or tspl.', jsonb_build_object('language', p_language));
      return null;
  end case;
end $$;
comment on function private.compile_fields is
$$Labels in the language of a printer (zpl, tspl; spooler and file take zpl), one format per object of p_data, each p_copies times.
Errors: label.bad_data (422), label.does_not_fit (422), label.bad_dpi (422), label.unsafe (422).$$;

create function private.compile_label(
  p_version public.label_template_versions, p_labels jsonb, p_copies integer, p_language text, p_dpi integer)
returns text language plpgsql stable set search_path = '' as $$
begin
  return private.compile_fields(p_version.fields, p_version.width_mm, p_version.height_mm,
    array(select jsonb_build_object('subject', l.item -> 'subject') || coalesce(l.item -> 'data', '{}')
      from jsonb_array_elements(p_labels) with ordinality as l (item, n) order by l.n),
    p_copies, p_language, p_dpi);
end $$;
comment on function private.compile_label is
$$The payload of a job: p_labels is [{subject, data}], one format each in this order; {{subject}} is a variable like any other.
Errors: label.bad_data (422), label.does_not_fit (422), label.bad_dpi (422), label.unsafe (422).$$;

create function private.active_label_version(p_label_type text, p_site text, p_template text default null)
returns public.label_template_versions language plpgsql stable set search_path = '' as $$
declare
  v_version public.label_template_versions;
begin
  select v.* into v_version
    from public.label_templates t join public.label_template_versions v on v.template = t.code and v.status = 'active'
   where t.label_type = p_label_type and (t.site is null or t.site = p_site) and t.code = coalesce(p_template, t.code)
   order by t.site is null, t.is_default desc, v.activated_at desc, v.id desc limit 1;
  if v_version.id is null and p_template is not null
    and not exists (select from public.label_templates t where t.code = p_template and t.label_type = p_label_type) then
    perform private.fail(404, 'label.unknown_template', format('There is no template %s for %s labels.', p_template, p_label_type),
      jsonb_build_object('template', p_template, 'label_type', p_label_type));
  elsif v_version.id is null then
    perform private.fail(412, 'label.no_template', format('No template is active for %s labels. Activate one on the page Labels.', p_label_type),
      jsonb_build_object('label_type', p_label_type, 'template', p_template, 'site', p_site));
  end if;
  return v_version;
end $$;
comment on function private.active_label_version is
$$The version that prints: of the named template, else of the site's own template before a general one, the default first, the newest first.
Errors: label.unknown_template (404), label.no_template (412).$$;

-- sql/M09_printing/proof.sql

-- A version prints only after its own codes were drawn and read back at every resolution, with data that breaks weak labels.

create function private.proof_values(p_kind text)
returns text[] language sql immutable set search_path = '' as $$
  -- The same place in each list makes one case. Codes are shortened until they fit.
  select case p_kind
    when 'code128' then array['TAKT-12345-A', 'A1Z', 'bannos-18617-A/2026.11+20 #7 end', '#A.1/2+3-4 Z', '0000000000000000', 'WWWWWWWWWWWWWWWW']
    when 'datamatrix' then array['TAKT-12345-A', '7', 'https://takt.example/units/2611-GN-00001?kit=7', '^XZ^XA^FO9,9^FDEVIL^FS~JR', 'A_1~1|dB>5C\&D_5E', '{"a": ''b'' [c] (d)}']
    when 'qr' then array['TAKT-12345-A', '7', 'https://takt.example/units/2611-GN-00001?kit=7', '^XZ^XA^FO9,9^FDEVIL^FS~JR', e'A_1~1|dB>5C\\&D_5E"', 'Grüße 🎂 日本語 {€}']
    else array['Confetti Cake, 20 cm', 'i', repeat('Maximilian-Alexander von der Wiesenmühle ', 12), '^XZ^XA^FO9,9^FDEVIL^FS~JR^PQ9999',
      e'A_1~1|dB>5C\\&D_5E" \\["]', 'Grüße 🎂 日本語 {€}'] end
$$;
comment on function private.proof_values is 'What the variables of a proof say, by the strictest kind of field that shows them; one entry per case.';

create function private.proof_data(p_fields jsonb, p_case integer, p_shorter integer)
returns jsonb language sql immutable set search_path = '' as $$
  with used as (
    select v.name, min(case f.item ->> 'kind' when 'code128' then 1 when 'datamatrix' then 2 when 'qr' then 3 else 4 end) as strictness
      from jsonb_array_elements(p_fields) as f (item), unnest(private.label_variables(f.item ->> 'value')) as v (name) group by v.name
  ), said as (
    select u.*, (private.proof_values((array['code128', 'datamatrix', 'qr', 'text'])[u.strictness]))[p_case] as value from used u
  )
  select coalesce(jsonb_object_agg(s.name, case s.strictness when 4 then s.value
    else left(s.value, greatest(length(s.value) - p_shorter, case s.strictness when 1 then 3 else 1 end)) end), '{}') from said s
$$;
comment on function private.proof_data is 'Data of one proof case (1 to 6) for a template, its codes p_shorter characters shorter.';

create type public.label_proof_case as (case_no integer, dpi integer, width_mm numeric, height_mm numeric, payload text, expected jsonb);
comment on type public.label_proof_case is 'One picture of a proof: ZPL to draw, and every code that must be read in it: [{field, symbology, text}].';

create function private.proof_cases(p_version public.label_template_versions)
returns setof public.label_proof_case language plpgsql stable set search_path = '' as $$
declare
  v_case public.label_proof_case;
  v_shorter integer;
  v_data jsonb;
begin
  v_case.case_no := 0;
  v_case.width_mm := p_version.width_mm;
  v_case.height_mm := p_version.height_mm;
  foreach v_case.dpi in array '{203,300,600}'::integer[] loop
    for v_n in 1 .. 6 loop
      v_shorter := 0;
      v_case.payload := null;
      while v_case.payload is null loop
        begin
          v_data := private.proof_data(p_version.fields, v_n, v_shorter);
          v_case.payload := private.compile_fields(p_version.fields, p_version.width_mm, p_version.height_mm, array[v_data], 1, 'zpl', v_case.dpi);
        exception when sqlstate 'PT422' then
          v_shorter := v_shorter + 1;
          if v_data = private.proof_data(p_version.fields, v_n, v_shorter) then
            raise;   -- not even the shortest code fits
          end if;
        end;
      end loop;
      v_case.case_no := v_case.case_no + 1;
      v_case.expected := private.proof_expects(p_version.fields, v_data);
      return next v_case;
    end loop;
  end loop;
end $$;
comment on function private.proof_cases is
$$What a proof draws and must read back: 6 cases at each of 203, 300 and 600 dpi.
Errors: label.does_not_fit (422), label.bad_data (422) when even the shortest code does not fit.$$;

create function private.proof_expects(p_fields jsonb, p_data jsonb)
returns jsonb language sql immutable set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('field', private.field_name(f.item, f.n), 'symbology', f.item ->> 'kind',
      'text', private.label_value(f.item, p_data)) order by f.n), '[]')
    from jsonb_array_elements(p_fields) with ordinality as f (item, n) where f.item ->> 'kind' in ('code128', 'qr', 'datamatrix')
$$;

create function private.sorted_codes(p_codes jsonb)
returns jsonb language sql immutable set search_path = '' as $$
  select coalesce(jsonb_agg(c.code order by c.code), '[]')
    from (select jsonb_build_array(i ->> 'symbology', i ->> 'text') from jsonb_array_elements(p_codes) i) as c (code)
$$;

create function private.judge_proof(p_version public.label_template_versions, p_results jsonb)
returns table (dpi integer, passed boolean, results jsonb) language plpgsql stable set search_path = '' as $$
begin
  -- Everything expected and nothing else: a code too many is a label that says what nobody wrote.
  return query
    with judged as (
      select c.dpi, c.case_no, c.expected, r.item -> 'read' as was_read, c.payload,
             coalesce(private.sorted_codes(c.expected) = private.sorted_codes(r.item -> 'read'), false) as is_right
        from private.proof_cases(p_version) c
        left join jsonb_array_elements(p_results) as r (item) on (r.item ->> 'case_no') = c.case_no::text
    )
    select j.dpi, bool_and(j.is_right), jsonb_build_object('cases', count(*),
        'payloads_sha256', encode(sha256(convert_to(string_agg(j.payload, '' order by j.case_no), 'UTF8')), 'hex'),
        'wrong', coalesce(jsonb_agg(jsonb_build_object('case_no', j.case_no, 'expected', j.expected, 'read', j.was_read) order by j.case_no)
          filter (where not j.is_right), '[]'))
      from judged j group by j.dpi;
end $$;
comment on function private.judge_proof is
  'Per resolution: did every case read exactly what it should? p_results is [{case_no, read: [{symbology, text}]}]; a case that is missing is wrong.';

create function private.is_proved(p_version public.label_template_versions)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return (
    select count(*) = 3 and bool_and(p.passed) from (
      select distinct on (lp.dpi) lp.dpi, lp.passed from public.label_proofs lp
       where lp.version_id = p_version.id and lp.content_hash = p_version.content_hash order by lp.dpi, lp.id desc) p);
end $$;
comment on function private.is_proved is 'True when the newest proof of this very content passed at 203, 300 and 600 dpi.';

-- sql/M09_printing/machine.sql

-- The states of a print job: the matrix, what keeps it, and the one function that moves a job.

insert into private.print_transitions (from_state, to_state) values
  ('queued', 'claimed'), ('queued', 'held'), ('queued', 'cancelled'), ('queued', 'expired'),
  ('held', 'queued'), ('held', 'cancelled'),
  ('claimed', 'queued'), ('claimed', 'sending'), ('claimed', 'failed'),
  ('sending', 'queued'), ('sending', 'sent'), ('sending', 'unknown'),
  ('sent', 'printed'), ('sent', 'unknown'),
  ('unknown', 'printed'), ('unknown', 'queued'), ('unknown', 'failed');

create function private.tg_print_jobs__state()
returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'INSERT' and new.state <> 'queued' or tg_op = 'UPDATE' and new.state <> old.state and not exists (
    select 1 from private.print_transitions t where t.from_state = old.state and t.to_state = new.state
  ) then
    perform private.fail(409, 'print.illegal_move', format('A print job does not go from %s to %s.',
      case tg_op when 'UPDATE' then old.state::text else 'nothing' end, new.state), jsonb_build_object('to', new.state));
  end if;
  return new;
end $$;
create trigger _200_state before insert or update of state on public.print_jobs
  for each row execute function private.tg_print_jobs__state();

create function private.print_event(p_from public.print_job_state, p_to public.print_job_state)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return 'print.' || case
    when p_from is null then 'requested'
    when p_to <> 'queued' then p_to::text
    when p_from = 'held' then 'resumed'
    when p_from = 'claimed' then 'released'
    else 'queued' end;
end $$;
comment on function private.print_event is 'Name of a step in the stream print. requested, resumed, released and queued mean work for an agent.';

create function private.note_print(
  p_job public.print_jobs, p_from public.print_job_state, p_event text, p_reason text default null, p_evidence jsonb default null,
  p_actor uuid default null, p_device uuid default null)
returns void language plpgsql set search_path = '' as $$
begin
  insert into public.print_job_events (job_id, from_state, to_state, fence, actor_id, device_id, reason, evidence)
  values (p_job.id, p_from, p_job.state, p_job.fence, p_actor, p_device, p_reason, p_evidence);
  perform private.emit('print', p_job.id::text, p_event, p_actor, jsonb_strip_nulls(jsonb_build_object(
    'version', p_job.fence, 'state', p_job.state, 'printer', p_job.printer, 'subject', p_job.subject, 'reason', p_reason)),
    p_job.store, p_job.site, p_job.station);
end $$;
comment on function private.note_print is 'One line in the history of a job, and its event. p_from = the present state: a remark.';

create function private.tg_print_jobs__history()
returns trigger language plpgsql set search_path = '' as $$
declare
  v_from public.print_job_state := case tg_op when 'UPDATE' then old.state end;
begin
  perform private.note_print(new, v_from, private.print_event(v_from, new.state), new.why, new.state_evidence, new.state_by, new.state_device);
  if new.state in ('printed', 'failed', 'cancelled', 'expired') then
    update public.print_job_labels l set state = case new.state when 'printed' then 'printed' else 'void' end
     where l.job_id = new.id and l.state = 'wanted';
  end if;
  return null;
end $$;
create trigger _900_born after insert on public.print_jobs for each row execute function private.tg_print_jobs__history();
create trigger _900_moved after update of state on public.print_jobs
  for each row when (old.state <> new.state) execute function private.tg_print_jobs__history();

create function private.tg_print_job_events__append_only()
returns trigger language plpgsql set search_path = '' as $$
begin
  perform private.fail(409, 'events.append_only', 'Events are never changed or removed.');
  return null;
end $$;
create trigger _200_append_only before update or delete on public.print_job_events
  for each row execute function private.tg_print_job_events__append_only();
create trigger _200_no_truncate before truncate on public.print_job_events
  for each statement execute function private.tg_print_job_events__append_only();

-- Moving -----------------------------------------------------------------------------------------------------------

create type private.print_mover as (actor_id uuid, device_id uuid);

create function private.move_print(
  p_new public.print_jobs, p_to public.print_job_state, p_by private.print_mover, p_why text default null, p_evidence jsonb default null)
returns public.print_jobs language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
  v_leased constant boolean := p_to in ('claimed', 'sending', 'sent');
begin
  update public.print_jobs j set
    (state, state_by, state_device, why, state_evidence, fence, attempts, claim_nonce, device_id, lease_until, send_deadline, settle_after,
     run_after, evidence_before, evidence_after, evidence_level, extra_labels, labels_out, claimed_at, sending_at, sent_at, finished_at) =
    (p_to, nullif(p_by.actor_id, '00000000-0000-0000-0000-000000000000'), p_by.device_id, left(p_why, 500), p_evidence, p_new.fence,
     p_new.attempts, case when v_leased then p_new.claim_nonce end, p_new.device_id, case when v_leased then p_new.lease_until end,
     p_new.send_deadline, p_new.settle_after, p_new.run_after, p_new.evidence_before, p_new.evidence_after, p_new.evidence_level,
     p_new.extra_labels, p_new.labels_out, p_new.claimed_at, p_new.sending_at, p_new.sent_at,
     case when p_to in ('printed', 'failed', 'cancelled', 'expired') then now() end)
   where j.id = p_new.id returning j.* into v_job;
  return v_job;
end $$;
comment on function private.move_print is
  'Write the changed copy of a locked job with its new state: the only statement that moves a job. The trigger refuses what the matrix does not have.';

create function private.requeue_print(
  p_job public.print_jobs, p_by private.print_mover, p_why text, p_wait interval, p_is_untouched boolean, p_evidence jsonb default null)
returns public.print_jobs language plpgsql set search_path = '' as $$
declare
  v_new public.print_jobs := p_job;
begin
  if p_is_untouched then
    v_new.attempts := greatest(v_new.attempts - 1, 0);   -- the printer was not ready: not the job's fault
  elsif v_new.attempts >= 5 and p_job.state in ('claimed', 'unknown') then
    return private.move_print(v_new, 'failed', p_by, 'Tried five times: ' || p_why, p_evidence);
  end if;
  v_new.run_after := now() + p_wait;
  v_new := private.move_print(v_new, 'queued', p_by, p_why, p_evidence);
  if v_new.cancel_requested then
    v_new := private.move_print(v_new, 'cancelled', p_by, 'Cancelled while an agent had it; nothing came out.');
  end if;
  return v_new;
end $$;
comment on function private.requeue_print is
$$Back to the queue, where it is proved that nothing came out. A cancellation asked for meanwhile takes effect now; the fifth try that
was not untouched is the last one.$$;

create function private.print_seconds(p_key text, p_site text)
returns interval language plpgsql stable set search_path = '' as $$
begin
  return make_interval(secs => (private.setting('printing.' || p_key || '_seconds', null, p_site) #>> '{}')::integer);
end $$;
comment on function private.print_seconds is 'A time of the protocol at this site: claim, send or settle.';

create function private.print_lease(p_job public.print_jobs, p_state public.print_job_state)
returns timestamptz language plpgsql stable set search_path = '' as $$
begin
  return now() + private.print_seconds('claim', p_job.site)
    + case when p_state = 'claimed' then interval '0' else interval '2 seconds' * p_job.copies * p_job.labels end;
end $$;
comment on function private.print_lease is 'How long the agent may be silent from now on: longer while labels come out.';

-- The clock --------------------------------------------------------------------------------------------------------

create function private.sweep_prints(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_server constant private.print_mover := null;
  v_job public.print_jobs;
begin
  for v_job in select j.* from public.print_jobs j where j.lease_until < p_now order by j.id for update skip locked loop
    if v_job.state = 'claimed' then
      perform private.requeue_print(v_job, v_server, 'The agent stopped answering before it began.', interval '0', false);
    else   -- a byte may have left: never queued by itself
      v_job.settle_after := p_now + private.print_seconds('settle', v_job.site);
      perform private.move_print(v_job, 'unknown', v_server, 'The agent stopped answering while it printed.');
    end if;
  end loop;
  for v_job in select j.* from public.print_jobs j where j.state = 'queued' and j.expires_at <= p_now order by j.id for update skip locked loop
    perform private.move_print(v_job, 'expired', v_server, 'Nobody printed it in time. Ask for it again if it is still needed.');
  end loop;
  update public.print_jobs j   -- bulk work never starves: who waits rises a band every ten minutes
     set priority = case j.priority when 90 then 50 else 10 end, aged_at = p_now
   where j.id = any (array(
     select q.id from public.print_jobs q
      where q.state = 'queued' and q.priority > 10 and q.aged_at < p_now - interval '10 minutes' for update skip locked));
  perform private.reroute_prints(p_now);
end $$;
comment on function private.sweep_prints is
$$Claims whose agent is silent go back to the queue; what may have begun becomes unknown, never queued; old jobs expire; waiting ones
rise; jobs of a dead printer go to the next one of their route.$$;

-- sql/M09_printing/routing.sql

-- From "a label for this" to a job on a printer.

-- Which printer ----------------------------------------------------------------------------------------------------

create function private.printer_trouble(p_printer public.printers, p_media text, p_now timestamptz default now())
returns text language plpgsql stable set search_path = '' as $$
begin
  return case
    when not p_printer.is_enabled then 'it is switched off here'
    when p_printer.halted_reason is not null then 'it was stopped: ' || p_printer.halted_reason
    when p_printer.loaded_media <> p_media then format('it has %s loaded, not %s', p_printer.loaded_media, p_media)
    when p_printer.last_seen_at is null or p_printer.last_seen_at < p_now - interval '90 seconds' then 'its agent is not there'
    when p_printer.status in ('stopped', 'unreachable') and p_printer.status_since < p_now - interval '60 seconds'
      then private.reason_words(p_printer.reasons)
  end;
end $$;
comment on function private.printer_trouble is 'Why a printer would not print this media now, in words, or null. A fault counts after a minute.';

create function private.find_printer(p_printer text)
returns public.printers language plpgsql stable set search_path = '' as $$
declare
  v_printer public.printers;
begin
  select p.* into v_printer from public.printers p where p.code = p_printer;
  if v_printer.code is null then
    perform private.fail(404, 'printer.unknown', 'There is no printer ' || coalesce(p_printer, '') || '.', jsonb_build_object('printer', p_printer));
  end if;
  return v_printer;
end $$;

create function private.routed_printers(p_site text, p_station text, p_label_type text)
returns setof public.printers language plpgsql stable set search_path = '' as $$
begin
  return query
    select p.* from public.print_routes r join public.printers p on p.code = r.printer
     where r.site = p_site and r.label_type = p_label_type
       and r.station is not distinct from (
         select s.station from public.print_routes s where s.site = p_site and s.label_type = p_label_type and s.station = p_station limit 1)
     order by r.position;
end $$;
comment on function private.routed_printers is 'The printers of a route in order: of the station when it has one for these labels, else of the whole site.';

create function private.pick_printer(p_site text, p_station text, p_label_type text, p_media text)
returns public.printers language plpgsql stable set search_path = '' as $$
declare
  v_printer public.printers;
  v_first public.printers;
begin
  for v_printer in select r.* from private.routed_printers(p_site, p_station, p_label_type) r loop
    if private.printer_trouble(v_printer, p_media) is null then
      return v_printer;
    elsif v_first.code is null and v_printer.is_enabled then
      v_first := v_printer;
    end if;
  end loop;
  return v_first;   -- nothing prints now: it waits for the first one
end $$;
comment on function private.pick_printer is 'The first printer of the route that would print now, else the first one that is switched on; null without a route.';

-- What is wanted ---------------------------------------------------------------------------------------------------

create type private.print_place as (site text, store text, station text);
create type private.print_wish as (label_type text, copies integer, printer text, template text, priority integer);
create type private.print_demand as (job_id bigint, is_new boolean);

create function private.order_of_label(p_subject text)
returns public.orders language plpgsql stable set search_path = '' as $$
declare
  v_order public.orders;
begin
  select o.* into v_order from public.orders o where o.id = split_part(p_subject, '/', 1);
  return v_order;
end $$;
comment on function private.order_of_label is 'The ticket a label belongs to: its subject is the order''s id, or id/n for one of several. Null for anything else.';

create function private.store_of_labels(p_labels jsonb)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_stores text[];
begin
  if coalesce(jsonb_typeof(p_labels), '') <> 'array' or jsonb_array_length(p_labels) not between 1 and 500 then
    perform private.fail(422, 'print.labels', 'Print 1 to 500 different labels at a time.', jsonb_build_object('field', 'p_labels'));
  elsif exists (select from jsonb_array_elements(p_labels) l
      where coalesce(jsonb_typeof(l), '') <> 'object' or coalesce(length(trim(l ->> 'subject')), 0) not between 1 and 200
         or coalesce(jsonb_typeof(l -> 'data'), 'object') <> 'object' or length(l::text) > 20000) then
    perform private.fail(422, 'print.subject', 'Each label says what it is for (1 to 200 characters), and its data is a small object.',
      jsonb_build_object('field', 'subject'));
  elsif (select count(*) <> count(distinct l ->> 'subject') from jsonb_array_elements(p_labels) l) then
    perform private.fail(422, 'print.same_subject', 'The same label stands twice in the list. For several of it ask for copies.');
  end if;
  v_stores := array(select distinct coalesce((private.order_of_label(l ->> 'subject')).store, '') from jsonb_array_elements(p_labels) l);
  if cardinality(v_stores) > 1 then
    perform private.fail(422, 'print.mixed_stores', 'Print the labels of one store at a time.', jsonb_build_object('actual', v_stores));
  end if;
  return nullif(v_stores[1], '');
end $$;
comment on function private.store_of_labels is
$$The store whose orders these labels [{subject, data}] stand for; null when they stand for something else.
Errors: print.labels (422), print.subject (422), print.same_subject (422), print.mixed_stores (422).$$;

create function private.print_place(p_store text, p_station text, p_printer text)
returns private.print_place language plpgsql stable set search_path = '' as $$
declare
  v_site text := (select st.site from public.stores st where st.code = p_store);
  v_station public.stations;
  v_sites text[];
begin
  select s.* into v_station from public.stations s where s.code = coalesce(p_station, private.station()) and s.is_active;
  if p_station is not null and v_station.code is null then
    perform private.fail(404, 'print.no_station', 'There is no station ' || p_station || '.', jsonb_build_object('station', p_station));
  end if;
  v_site := coalesce(v_site, case when p_printer is not null then (private.find_printer(p_printer)).site end, v_station.site);
  if v_site is null then
    v_sites := array(select distinct st.site from public.stores st where st.code = any (private.readable_stores('printing.read')));
    v_site := case when cardinality(v_sites) = 1 then v_sites[1] end;
  end if;
  if v_site is null then
    perform private.fail(422, 'print.where', 'Say at which station or on which printer.', jsonb_build_object('field', 'p_station'));
  end if;
  return row(v_site, p_store, case when v_station.site = v_site then v_station.code end)::private.print_place;
end $$;
comment on function private.print_place is
$$Where a label is printed: at the site of its store, of the printer, of the station, or the only site of the caller. A station of
another site does not count. Errors: print.no_station (404), printer.unknown (404), print.where (422).$$;

create function private.known_label_data(p_subject text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return private.order_label_data(private.order_of_label(p_subject));
end $$;
comment on function private.known_label_data is 'What the database knows about the order of a label. M10_units and M12_production replace it: also of units, orders and lots.';

create function private.label_data(p_subject text, p_given jsonb)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return jsonb_build_object('code', p_subject) || coalesce(p_given, '{}') || private.known_label_data(p_subject);
end $$;
comment on function private.label_data is 'What a label says: what the database knows wins over what was given; code is the subject unless given.';

create function private.authorize_labels(p_labels jsonb)
returns void language plpgsql stable set search_path = '' as $$
begin
end $$;
comment on function private.authorize_labels is
  'The right to labels of things that belong to a site: [{subject}]. Tickets: by their store. M10_units and M12_production replace it.';

create function private.existing_label(p_label_type text, p_template text, p_subject text, p_given jsonb)
returns bigint language plpgsql stable set search_path = '' as $$
declare
  v_label public.print_job_labels;
  v_known text[] := array(select jsonb_object_keys(private.known_label_data(p_subject)));
begin
  select l.* into v_label from public.print_job_labels l
   where l.subject = p_subject and l.purpose = p_label_type and l.template = p_template and l.state <> 'void' order by l.print_no desc limit 1;
  if v_label.job_id is not null and not v_label.data @> (coalesce(p_given, '{}') - v_known) then
    perform private.fail(409, 'print.other_data', format('The label of %s was asked for with other data. Reprint it with the reason "changed".', p_subject),
      jsonb_build_object('subject', p_subject, 'job_id', v_label.job_id, 'actual', p_given));
  end if;
  return v_label.job_id;
end $$;
comment on function private.existing_label is
  'The job that has made, or will make, this label; null when there is none. PT409 print.other_data when it says something else.';

-- Making jobs ------------------------------------------------------------------------------------------------------

create function private.named_printer(p_place private.print_place, p_label_type text)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_name text := lower(trim(private.setting('printing.printer_name', p_place.store) #>> '{}'));
begin
  return (select p.code from public.printers p
    where p.site = p_place.site and p.is_enabled and p_label_type = 'order_ticket' and v_name in (p.code, lower(p.name)) limit 1);
end $$;
comment on function private.named_printer is 'The printer that the store named for its tickets (setting printing.printer_name), before any route; null for other labels.';

create function private.printer_for(p_place private.print_place, p_wish private.print_wish, p_media text)
returns public.printers language plpgsql stable set search_path = '' as $$
declare
  v_named constant text := coalesce(p_wish.printer, private.named_printer(p_place, p_wish.label_type));
  v_printer public.printers;
begin
  if v_named is null then
    v_printer := private.pick_printer(p_place.site, p_place.station, p_wish.label_type, p_media);
  else
    v_printer := private.find_printer(v_named);
    if v_printer.site <> p_place.site then
      perform private.fail(422, 'print.other_site', format('The printer %s stands at another site.', v_printer.name),
        jsonb_build_object('expected', p_place.site, 'actual', v_printer.site));
    end if;
  end if;
  if v_printer.code is null or not v_printer.is_enabled then
    perform private.fail(412, 'print.no_printer', 'No printer takes these labels here. Choose one, or ask a manager to set a route.',
      jsonb_build_object('site', p_place.site, 'station', p_place.station, 'label_type', p_wish.label_type, 'printer', v_printer.code));
  elsif v_printer.dpi is null then
    perform private.fail(412, 'print.no_resolution', format('It is not known how fine %s prints. Start its agent, or enter the resolution.', v_printer.name),
      jsonb_build_object('printer', v_printer.code));
  end if;
  return v_printer;
end $$;
comment on function private.printer_for is
  'The printer of a wish. Errors: printer.unknown (404), print.other_site (422), print.no_printer (412), print.no_resolution (412).';

create function private.print_expiry(p_site text)
returns timestamptz language plpgsql stable set search_path = '' as $$
begin
  return now() + make_interval(mins => (private.setting('printing.expire_minutes', null, p_site) #>> '{}')::integer);
end $$;
comment on function private.print_expiry is 'When a label asked for now is too old to come out: nobody expects it any more.';

create function private.check_size(p_version public.label_template_versions, p_printer public.printers)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_version.width_mm > p_printer.media_width_mm + 1 or p_version.height_mm > p_printer.media_height_mm + 1 then
    perform private.fail(412, 'print.too_large', format('The label is %s × %s mm; the labels in %s are %s × %s mm.', trim_scale(p_version.width_mm),
      trim_scale(p_version.height_mm), p_printer.name, trim_scale(p_printer.media_width_mm), trim_scale(p_printer.media_height_mm)),
      jsonb_build_object('printer', p_printer.code, 'width_mm', p_version.width_mm, 'height_mm', p_version.height_mm));
  end if;
end $$;
comment on function private.check_size is 'PT412 print.too_large when the label does not fit the stock of the printer, where its size is known. A millimetre is forgiven.';

create function private.insert_print(p_job public.print_jobs, p_printer public.printers, p_labels jsonb, p_payload text default null)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_version public.label_template_versions;
  v_payload text := p_payload;
  v_id bigint;
begin
  select v.* into v_version from public.label_template_versions v where v.id = p_job.version_id;
  perform private.check_size(v_version, p_printer);
  v_payload := coalesce(v_payload, private.compile_label(v_version, p_labels, p_job.copies, p_printer.language, p_printer.dpi));
  insert into public.print_jobs (site, store, station, printer, printer_fixed, label_type, version_id, media, subject, print_no, labels, copies,
    language, dpi, payload, payload_sha256, state_by, priority, expires_at, reprint_of, reason, note, requested_by)
  values (p_job.site, p_job.store, p_job.station, p_printer.code, p_job.printer_fixed, p_job.label_type, v_version.id, p_job.media,
    p_labels #>> '{0,subject}', (p_labels #>> '{0,print_no}')::integer, jsonb_array_length(p_labels), p_job.copies, p_printer.language,
    p_printer.dpi, v_payload, encode(sha256(convert_to(v_payload, 'UTF8')), 'hex'), p_job.requested_by, p_job.priority,
    private.print_expiry(p_job.site),
    p_job.reprint_of, p_job.reason, p_job.note, p_job.requested_by)
  returning id into v_id;
  insert into public.print_job_labels (job_id, seq, purpose, subject, template, print_no, data)
  select v_id, l.n, p_job.label_type, l.item ->> 'subject', v_version.template, (l.item ->> 'print_no')::integer, l.item -> 'data'
    from jsonb_array_elements(p_labels) with ordinality as l (item, n);
  delete from private.print_refusals f using jsonb_array_elements(p_labels) l
   where f.subject = l ->> 'subject' and f.label_type = p_job.label_type;
  return v_id;
end $$;
comment on function private.insert_print is
  'One job for labels [{subject, data, print_no}], compiled for the printer unless the payload of an earlier job is sent again. Errors: those of compile_label.';

create function private.add_prints(p_place private.print_place, p_wish private.print_wish, p_labels jsonb, p_actor uuid)
returns setof private.print_demand language plpgsql set search_path = '' as $$
declare
  v_version public.label_template_versions := private.active_label_version(p_wish.label_type, p_place.site, p_wish.template);
  v_printer public.printers;
  v_job public.print_jobs;
  v_label jsonb;
  v_existing bigint;
  v_new jsonb := '[]';
begin
  perform pg_advisory_xact_lock(hashtextextended('print:' || p_wish.label_type || ':' || s.subject, 0))   -- twins wait for each other
    from (select l ->> 'subject' as subject from jsonb_array_elements(p_labels) l order by 1) s;
  for v_label in select l.item from jsonb_array_elements(p_labels) with ordinality as l (item, n) order by l.n loop
    v_existing := private.existing_label(p_wish.label_type, v_version.template, v_label ->> 'subject', v_label -> 'data');
    if v_existing is not null then
      return next row(v_existing, false)::private.print_demand;
    else
      v_new := v_new || jsonb_build_object('subject', v_label -> 'subject', 'data', private.label_data(v_label ->> 'subject', v_label -> 'data'),
        'print_no', private.next_print_no(p_wish.label_type, v_version.template, v_label ->> 'subject'));
    end if;
  end loop;
  if v_new = '[]' then
    return;
  end if;
  select t.media into v_job.media from public.label_templates t where t.code = v_version.template;
  v_printer := private.printer_for(p_place, p_wish, v_job.media);
  v_job.site := p_place.site; v_job.store := p_place.store; v_job.station := coalesce(p_place.station, private.station());
  v_job.printer_fixed := p_wish.printer is not null; v_job.label_type := p_wish.label_type; v_job.version_id := v_version.id;
  v_job.copies := p_wish.copies; v_job.priority := p_wish.priority; v_job.requested_by := nullif(p_actor, '00000000-0000-0000-0000-000000000000');
  for v_label in   -- chunks of ten: a doubt is never about more
    select jsonb_agg(l.item order by l.n) from jsonb_array_elements(v_new) with ordinality as l (item, n) group by (l.n - 1) / 10 order by min(l.n)
  loop
    return next row(private.insert_print(v_job, v_printer, v_label), true)::private.print_demand;
  end loop;
end $$;
comment on function private.add_prints is
$$Jobs for labels [{subject, data}]: those that exist already, and new ones. Authorises nothing.
Errors: those of active_label_version, existing_label, printer_for and compile_label. Locks: one advisory lock per label.$$;

create function private.next_print_no(p_label_type text, p_template text, p_subject text)
returns integer language plpgsql stable set search_path = '' as $$
begin
  return 1 + coalesce((select max(l.print_no) from public.print_job_labels l
    where l.subject = p_subject and l.purpose = p_label_type and l.template = p_template), 0);
end $$;

-- sql/M09_printing/tickets.sql

-- Labels of orders: what they say, when they are asked for, what a scan proves. Printing never stops the work on a ticket.

create function private.label_words(p_text text, p_max integer default 200)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return nullif(left(trim(regexp_replace(p_text, '[\s\u0001-\u001f\u007f-\u009f]+', ' ', 'g')), p_max), '');
end $$;
comment on function private.label_words is 'A text as a label can show it: one line, no control characters, at most p_max characters; null when nothing is left.';

create function private.order_label_data(p_order public.orders)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  if p_order.row_id is null then
    return '{}';
  end if;
  return jsonb_build_object(
    'code', p_order.id, 'order_number', p_order.order_number, 'product', private.label_words(concat_ws(' ', p_order.product_title, p_order.variant_title)),
    'size', private.label_words(p_order.size), 'flavour', private.label_words(p_order.flavour), 'writing', private.label_words(p_order.cake_writing, 400),
    'due', private.label_words(concat_ws(' ', to_char(p_order.due_date, 'Dy FMDD Mon'), p_order.due_time), 40),
    'customer', private.label_words(p_order.customer_name, 100), 'priority', p_order.priority, 'storage', private.label_words(p_order.storage),
    'method', p_order.delivery_method, 'store', (select private.label_words(st.name) from public.stores st where st.code = p_order.store),
    'items', (
      select private.label_words(string_agg(t.n || ' × ' || t.product_title, ', ' order by t.product_title), 400) from (
        select o.product_title, sum(o.item_qty) as n from public.orders o
         where o.store = p_order.store and o.order_number = p_order.order_number and o.cancelled_at is null group by 1) t));
end $$;
comment on function private.order_label_data is
'What the labels of a ticket can say: code, order_number, product, size, flavour, writing, due, customer, priority, storage, method, store,
items (of the whole customer order). {} without an order.';

create function private.ask_for_label(p_order public.orders, p_label_type text, p_station text, p_priority integer, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_site text := (select st.site from public.stores st where st.code = p_order.store);
  v_place private.print_place := row(v_site, p_order.store,
    (select s.code from public.stations s where s.code = p_station and s.site = v_site and s.is_active));
  v_message text;
  v_code text;
begin
  if private.named_printer(v_place, p_label_type) is null and not exists (select from private.routed_printers(v_site, v_place.station, p_label_type)) then
    return;   -- printing is not set up for this
  end if;
  perform private.add_prints(v_place, row(p_label_type, 1, null, null, p_priority)::private.print_wish,
    jsonb_build_array(jsonb_build_object('subject', p_order.id)), p_actor);
exception when others then
  get stacked diagnostics v_message = message_text, v_code = pg_exception_hint;
  insert into private.print_refusals as r (label_type, subject, site, store, code, message)
  values (p_label_type, p_order.id, v_site, p_order.store, coalesce(nullif(v_code, ''), sqlstate), v_message)
  on conflict on constraint print_refusals_pkey do update set code = excluded.code, message = excluded.message, at = excluded.at;
  perform private.emit('print', p_order.id, 'print.refused', p_actor,
    jsonb_build_object('label_type', p_label_type, 'code', v_code, 'message', v_message), p_order.store, v_site, p_station);
end $$;
comment on function private.ask_for_label is
'The system itself wants a label of a ticket. Nothing happens where no route is set; what is refused becomes an event and an alarm, never an error.';

create function private.ask_for_ticket(p_order_id text, p_station text, p_priority integer, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_order public.orders;
begin
  select o.* into v_order from public.orders o where o.id = p_order_id;
  if private.setting('printing.print_barcodes', v_order.store) = 'true' then
    perform private.ask_for_label(v_order, 'order_ticket', p_station, p_priority, p_actor);
  end if;
  if private.setting('printing.print_labels', v_order.store) = 'true' then
    perform private.ask_for_label(v_order, 'box', p_station, p_priority, p_actor);
  end if;
end $$;
comment on function private.ask_for_ticket is 'The ticket with its scan code and the box label, as far as the settings printing.print_barcodes and printing.print_labels want them.';

create function private.tg_events__print()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  case new.event
    when 'order.created' then
      if private.setting('printing.auto_print', new.store) = 'true' and exists (
        select from public.orders o where o.id = new.stream_id and o.stage = 'Filling' and not o.is_test and o.cancelled_at is null) then
        perform private.ask_for_ticket(new.stream_id, null, 50, new.actor_id);
      end if;
    when 'filling.started', 'barcode.printed' then
      perform private.ask_for_ticket(new.stream_id, new.station, 10, new.actor_id);
    when 'scan.refused' then
      perform private.settle_by_scan(new.stream_id, new.actor_id);
    else
      perform private.forget_labels(new.store, new.payload);
  end case;
  return null;
end $$;
create trigger _500_print after insert on public.events for each row
  when (new.stream = 'order' and (new.event in ('order.created', 'barcode.printed', 'scan.refused')
      or new.event = 'filling.started' and new.payload ->> 'via' = 'print')
    or new.event = 'channel.redacted')
  execute function private.tg_events__print();

-- A scan proves a label --------------------------------------------------------------------------------------------

create function private.settle_by_scan(p_subject text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
  v_by private.print_mover := row(p_actor, null);
  v_seen constant jsonb := jsonb_build_object('scanned', p_subject);
begin
  select j.* into v_job from public.print_jobs j
   where j.state = 'unknown' and j.copies = 1 and j.id in (
     select l.job_id from public.print_job_labels l where l.subject = p_subject and l.state = 'wanted')
     -- The code names the thing, not the label: it proves something only where one label of the thing can be out there.
     and 1 = (select count(*) from public.print_job_labels l join public.print_jobs o on o.id = l.job_id
       where l.subject = p_subject and l.state <> 'void' and o.state in ('sending', 'sent', 'unknown', 'printed'))
   for update;
  if v_job.id is null then
    perform private.suspect_twin(p_subject, p_actor);
    return;
  end if;
  update public.print_job_labels l set state = 'printed' where l.job_id = v_job.id and l.subject = p_subject;
  if exists (select from public.print_job_labels l where l.job_id = v_job.id and l.state = 'wanted') then
    perform private.note_print(v_job, v_job.state, 'print.seen', p_subject || ' was scanned.', v_seen, p_actor);
    return;
  end if;
  v_job.evidence_level := 4;
  perform private.move_print(v_job, 'printed', v_by, 'The label was scanned.', v_seen);
end $$;
comment on function private.settle_by_scan is
$$Somebody read the code of p_subject: its unknown label is on something, so it came out. Of a job with several labels each needs its scan;
copies prove nothing about each other. Locks: the job.$$;

create function private.suspect_twin(p_subject text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
  v_scans integer;
begin
  select r.* into v_job from public.print_job_labels l join public.print_jobs r on r.id = l.job_id
   where l.subject = p_subject and l.state = 'printed' and r.reason in ('lost', 'wrong_place') and exists (
     select from public.print_job_labels f where f.job_id = r.reprint_of and f.subject = p_subject and f.state = 'printed')
   order by r.id desc limit 1 for update of r;
  select count(*) into v_scans from public.print_job_events e
   where e.job_id = v_job.id and e.from_state = e.to_state and e.evidence ->> 'scanned' = p_subject;
  if v_job.id is null or v_scans > 1 then
    return;
  elsif v_scans = 0 then
    perform private.note_print(v_job, v_job.state, 'print.seen', p_subject || ' was scanned.', jsonb_build_object('scanned', p_subject), p_actor);
  else
    perform private.note_print(v_job, v_job.state, 'print.duplicate', format('Two labels of %s may be about: it was scanned again after its reprint.',
      p_subject), jsonb_build_object('scanned', p_subject, 'is_twin', true), p_actor);
  end if;
end $$;
comment on function private.suspect_twin is
$$A label was reported lost, printed once more, and its code is read for the second time since: the first one may have turned up. Said once
per reprint. Locks: the job.$$;

create function private.tg_recent_scans__settle()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.settle_by_scan(new.answer #>> '{order_row,id}', (private.identify()).actor_id);
  return null;
end $$;
create trigger _500_settle after insert or update on private.recent_scans
  for each row execute function private.tg_recent_scans__settle();

-- Who asks to be forgotten -----------------------------------------------------------------------------------------

create function private.forget_labels(p_store text, p_payload jsonb)
returns void language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
begin
  for v_job in
    select j.* from public.print_jobs j
     where j.store = p_store and j.payload is not null and exists (
       select from public.print_job_labels l join public.orders o on o.id = split_part(l.subject, '/', 1)
        where l.job_id = j.id and o.external_order_id is not null
          and (p_payload -> 'order_ids' is null or p_payload -> 'order_ids' = 'null' or p_payload -> 'order_ids' ? o.external_order_id))
     order by j.id for update
  loop
    update public.print_job_labels l set data = l.data - '{customer,writing}'::text[] where l.job_id = v_job.id;
    if v_job.state in ('queued', 'held') then
      v_job := private.move_print(v_job, 'cancelled', null, 'The customer asked to be forgotten.');
    end if;
    update public.print_jobs j set payload = null where j.id = v_job.id;
    update private.commands c set args = '[]'   -- what was given with the request may name somebody too
     where c.rpc in ('request_print', 'request_prints', 'reprint') and exists (
       select from public.print_job_labels l where l.job_id = v_job.id and position('"' || l.subject || '"' in c.args::text) > 0);
  end loop;
end $$;
comment on function private.forget_labels is
'The shop asked to forget people: their names and wordings leave the stored labels, and labels not yet begun are not printed. Locks: the jobs, by id.';

-- sql/M09_printing/evidence.sql

-- What a printer showed before and after decides what became of a job. Nothing here trusts a word of the agent beyond its readings.

create function private.check_evidence(p_evidence jsonb)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if coalesce(jsonb_typeof(p_evidence), '') <> 'object' or length(p_evidence::text) > 4000
    or exists (select from jsonb_each(p_evidence) e where e.value <> 'null' and case e.key
      when 'idle' then jsonb_typeof(e.value) <> 'boolean'
      when 'partial' then jsonb_typeof(e.value) <> 'boolean'
      when 'faults' then jsonb_typeof(e.value) <> 'array'
      when 'struck' then jsonb_typeof(e.value) <> 'array'
      when 'boot_id' then jsonb_typeof(e.value) <> 'string'
      when 'odometer' then private.is_count(e.value) is not true
      when 'formats' then private.is_count(e.value) is not true
      when 'remaining' then private.is_count(e.value) is not true
      when 'openings' then private.is_count(e.value) is not true
      when 'dpi' then private.is_count(e.value) is not true
      when 'uptime_s' then jsonb_typeof(e.value) <> 'number'
      else false end)
  then
    perform private.fail(422, 'print.bad_evidence', 'What the agent says about the printer cannot be read. Update the agent.',
      jsonb_build_object('field', 'p_evidence'));
  end if;
end $$;
comment on function private.check_evidence is
$$PT422 print.bad_evidence unless it is {odometer, openings, boot_id, uptime_s, formats, remaining, partial, faults, struck, idle, dpi}, each null or of its
type. openings: how often the lid was ever opened; struck: the faults seen since the last byte, in the order in which they came.$$;

create function private.is_count(p_value jsonb)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return case when jsonb_typeof(p_value) = 'number' then (p_value #>> '{}')::numeric % 1 = 0 and (p_value #>> '{}')::numeric between 0 and 1e15 end;
end $$;

create function private.not_ready(p_evidence jsonb)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return case
    when p_evidence -> 'idle' is distinct from 'true' then 'the printer is busy or was not asked'
    when coalesce(nullif(p_evidence -> 'faults', 'null'), '[]') <> '[]' then 'the printer reports ' || (p_evidence ->> 'faults')
    when p_evidence -> 'partial' = 'true' then 'half a label lies in the printer'
    when (p_evidence ->> 'formats')::numeric > 0 or (p_evidence ->> 'remaining')::numeric > 0 then 'labels lie in the printer'
  end;
end $$;
comment on function private.not_ready is 'Why this reading is not of an idle, healthy, empty printer; null when it is.';

create function private.is_same_boot(p_before text, p_after text)
returns boolean language plpgsql immutable set search_path = '' as $$
declare
  v_form constant text := '^(.*)@([0-9]{1,12})$';
  v_before constant text[] := regexp_match(p_before, v_form);
  v_after constant text[] := regexp_match(p_after, v_form);
begin
  return p_before is not distinct from p_after
    or coalesce(v_before[1] = v_after[1] and abs(v_before[2]::bigint - v_after[2]::bigint) <= 3, false);
end $$;
comment on function private.is_same_boot is
$$True when both name one boot, "<printer>@<second it was switched on, since 1970>". An agent that lost its memory works the second out anew:
uptimes are cut to whole seconds and up to two seconds old, so 3 s apart is the same moment. No printer starts twice in 3 s.$$;

create function private.was_restarted(p_before jsonb, p_after jsonb)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return not private.is_same_boot(p_before ->> 'boot_id', p_after ->> 'boot_id')
    or coalesce((p_after ->> 'uptime_s')::numeric < (p_before ->> 'uptime_s')::numeric, false);
end $$;
comment on function private.was_restarted is 'True unless both readings are of one boot: a restart wipes the buffer and feeds labels of its own.';

create function private.was_overtaken(p_job public.print_jobs)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return exists (select from public.print_jobs o where o.printer = p_job.printer and o.sending_at > p_job.sending_at);
end $$;
comment on function private.was_overtaken is 'True when a later job was begun on the printer: the counter then speaks of that one too.';

create function private.faults_struck(p_job public.print_jobs, p_evidence jsonb)
returns text[] language plpgsql stable set search_path = '' as $$
begin
  if coalesce(nullif(p_evidence -> 'struck', 'null'), '[]') <> '[]' then
    return array(select f.word from jsonb_array_elements_text(p_evidence -> 'struck') with ordinality f (word, n) order by f.n);
  end if;
  return array(
    select f.word from public.print_job_events e cross join jsonb_array_elements_text(e.evidence -> 'faults') f (word)
     where e.job_id = p_job.id and e.fence = p_job.fence and e.reason like 'A fault struck while it printed%'
     order by e.id, f.word <> 'cover-open');
end $$;
comment on function private.faults_struck is
$$Faults in the middle of this try, oldest first: as its agent saw them, else as heartbeats told them. Of several at once the lid comes first.$$;

create function private.may_be_half(p_job public.print_jobs, p_evidence jsonb)
returns boolean language plpgsql stable set search_path = '' as $$
declare
  v_struck constant text[] := private.faults_struck(p_job, p_evidence);
  v_before constant numeric := (p_job.evidence_before ->> 'openings')::numeric;
  v_after constant numeric := (p_evidence ->> 'openings')::numeric;
  v_openings constant numeric := greatest(cardinality(array_positions(v_struck, 'cover-open')), v_after - v_before, (v_after < v_before)::integer, 0);
  -- A roll ends between two labels, and nobody changes it without opening the lid once.
  v_roll constant boolean := coalesce(array_position(v_struck, 'media-empty') < coalesce(array_position(v_struck, 'cover-open'), 1000), false);
begin
  return v_openings > v_roll::integer or v_struck && array['marker-supply-empty', 'marker-supply-jam', 'media-jam'];
end $$;
comment on function private.may_be_half is
$$True when something struck that may have cut a label in half: the lid was opened (as seen, or as its own counter says), the ribbon ended, a jam.
A counter counts half a label like a whole one.$$;

create type private.print_decision as (outcome text, why text, level smallint, extra integer, came_out bigint);
comment on type private.print_decision is 'outcome: printed, unknown, queued (provably nothing came out) or wait (this reading proves nothing yet).';

create function private.decision(p_outcome text, p_why text, p_level integer default null, p_extra bigint default 0, p_came_out bigint default null)
returns private.print_decision language plpgsql immutable set search_path = '' as $$
begin
  return row(p_outcome, p_why, p_level::smallint, p_extra::integer, p_came_out)::private.print_decision;
end $$;

create function private.counted(p_job public.print_jobs, p_evidence jsonb)
returns private.print_decision language plpgsql stable set search_path = '' as $$
declare
  v_expected constant integer := p_job.copies * p_job.labels;
  v_delta constant bigint := (p_evidence ->> 'odometer')::numeric - (p_job.evidence_before ->> 'odometer')::numeric;
  v_restarted constant boolean := private.was_restarted(p_job.evidence_before, p_evidence);
  v_half constant boolean := private.may_be_half(p_job, p_evidence);
  v_words constant text := format('The counter moved by %s, expected were %s', v_delta, v_expected)
    || case when v_restarted then '; the printer was switched off meanwhile.' when v_half then '; a fault struck in the middle of it.' else '.' end;
begin
  return case
    when private.was_overtaken(p_job) then
      private.decision('unknown', 'Another label was begun since: the counter no longer speaks for this one.')
    when v_delta = 0 and now() < p_job.settle_after then private.decision('wait', 'The counter has not moved yet.')
    when v_delta = 0 then private.decision('queued', v_words || case when v_restarted or v_half then ' Half a label may lie there.' else '' end, 2, 0, 0)
    when v_restarted or v_delta < v_expected then private.decision('unknown', v_words)
    when v_half then private.decision('unknown', v_words || ' It counts half a label too.')
    when v_delta = v_expected then private.decision('printed', v_words, 2, 0, v_delta)
    when p_job.state = 'unknown' then private.decision('unknown', v_words)
    else private.decision('printed', v_words || ' Look for a duplicate.', 2, v_delta - v_expected, v_delta)
  end;
end $$;
comment on function private.counted is
$$What a label counter proves: exactly the labels = printed, none = queued again (once it has had time to move), more = printed with a
notice if all bytes had left; anything else, and whatever may have cut a label in half, is for a person.$$;

create function private.decide_print(p_job public.print_jobs, p_evidence jsonb)
returns private.print_decision language plpgsql stable set search_path = '' as $$
declare
  v_level constant smallint := (select p.evidence_level from public.printers p where p.code = p_job.printer);
  v_problem constant text := private.not_ready(p_evidence);
begin
  return case
    when v_problem is not null then private.decision('wait', v_problem)
    when p_job.evidence_before ->> 'odometer' is not null and p_evidence ->> 'odometer' is not null then private.counted(p_job, p_evidence)
    when v_level = 2 then private.decision('wait', 'The counter cannot be read.')
    when p_job.state = 'unknown' then private.decision('unknown', 'This printer has no counter: somebody must look.')
    when p_job.state = 'sending' then private.decision('wait', 'Not all bytes have left.')
    when v_level = 1 and private.was_restarted(p_job.evidence_before, p_evidence)
      then private.decision('unknown', 'The printer was switched off while it printed.')
    when v_level = 1 and private.may_be_half(p_job, p_evidence)
      then private.decision('unknown', 'A fault struck in the middle of it: half a label may lie there.')
    else private.decision('printed', null, v_level, 0, p_job.copies * p_job.labels)
  end;
end $$;
comment on function private.decide_print is
$$From the readings before and after: printed, unknown, queued or wait. Without a counter a job whose bytes all left is printed when the
printer is idle again (level 1: and was never switched off or opened; level 0: its word is taken), and an unknown one stays unknown.$$;

create function private.settle_print(p_job public.print_jobs, p_evidence jsonb, p_by private.print_mover)
returns public.print_jobs language plpgsql set search_path = '' as $$
declare
  v_decision private.print_decision := private.decide_print(p_job, p_evidence);
  v_job public.print_jobs := p_job;
begin
  if v_job.state = 'unknown' and v_job.evidence_after is not null then
    return v_job;   -- the counter has spoken; what it says later may be the feed button
  elsif v_decision.outcome = 'wait' or v_job.state = 'sending' and v_decision.outcome <> 'printed' then
    v_job.why := v_decision.why;   -- said, not stored: nothing moved
    return v_job;
  end if;
  v_job.evidence_after := p_evidence;
  if v_decision.outcome = 'printed' then
    return private.count_as_printed(v_job, v_decision, p_by);
  elsif v_job.state <> 'unknown' then
    v_job := private.move_print(v_job, 'unknown', p_by, v_decision.why, p_evidence);
  elsif v_decision.outcome = 'unknown' then
    update public.print_jobs j set evidence_after = p_evidence, why = v_decision.why where j.id = v_job.id returning j.* into v_job;
    perform private.note_print(v_job, 'unknown', 'print.unknown', v_decision.why, p_evidence, p_by.actor_id, p_by.device_id);
  end if;
  if v_decision.outcome = 'queued' then
    v_job := private.requeue_print(v_job, p_by, v_decision.why, interval '0', false, p_evidence);
  end if;
  return v_job;
end $$;
comment on function private.settle_print is
$$Let the evidence decide a job that was begun, and move it. A job still being sent is only ever moved to printed: its agent may be at work.
An unknown job is judged once. The printer and the job are locked by the caller.$$;

create function private.count_as_printed(p_job public.print_jobs, p_decision private.print_decision, p_by private.print_mover)
returns public.print_jobs language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs := p_job;
begin
  if v_job.state = 'sending' then
    v_job.sent_at := now();
    v_job := private.move_print(v_job, 'sent', p_by, 'The counter proves it; nobody said that all bytes had left.');
  end if;
  v_job.evidence_level := p_decision.level;
  v_job.extra_labels := p_decision.extra;
  update public.printers p
     set labels_since_media = p.labels_since_media + p_decision.came_out,
         odometer = coalesce((v_job.evidence_after ->> 'odometer')::numeric, p.odometer), boot_id = coalesce(v_job.evidence_after ->> 'boot_id', p.boot_id)
   where p.code = v_job.printer;
  return private.move_print(v_job, 'printed', p_by, concat_ws(' ', p_decision.why,
    case when private.faults_struck(v_job, v_job.evidence_after) <> '{}' then 'A fault struck meanwhile: look at the label.' end), v_job.evidence_after);
end $$;

-- sql/M09_printing/reroute.sql

-- A waiting job for another printer, another resolution, another roll; and a printer's troubles in words.

create function private.reason_words(p_reasons text[])
returns text language plpgsql immutable set search_path = '' as $$
begin
  return coalesce((
    select string_agg(coalesce(w.words, r.reason), ', ' order by r.n)
      from unnest(p_reasons) with ordinality as r (reason, n)
      left join (values
        ('media-empty', 'out of labels: load a roll'), ('media-jam', 'labels are jammed: open the cover and clear them'), ('media-low', 'nearly out of labels'),
        ('marker-supply-empty', 'out of ribbon: load a ribbon'), ('marker-supply-jam', 'the ribbon is jammed'), ('cover-open', 'the cover is open: close it'),
        ('paused', 'paused: press the pause button'), ('cutter-fault', 'the cutter is stuck'), ('head-over-temp', 'the head is too hot: wait'),
        ('motor-over-temp', 'the motor is too hot: wait'), ('head-fault', 'the print head is broken'), ('head-needs-cleaning', 'the print head needs cleaning'),
        ('head-needs-replacing', 'the print head needs replacing'), ('media-uncalibrated', 'it does not find the gaps: calibrate it'),
        ('buffer-full', 'its memory is full: switch it off and on'), ('diagnostic-mode', 'it is in diagnostic mode: switch it off and on'),
        ('memory-lost', 'it lost its settings: set it up again'), ('unreadable', 'its answers cannot be read'),
        ('unreachable', 'not reachable: switch it on, check its cable'), ('not-a-printer', 'what answers at its address is no label printer'),
        ('resolution-unknown', 'it does not say how fine it prints'), ('resolution-changed', 'it prints in another resolution than before')
      ) as w (reason, words) on w.reason = r.reason), 'it stands still and does not say why');
end $$;
comment on function private.reason_words is 'The reasons of a printer (IPP words) as a person says them, with what to do. An unknown reason is shown as it is.';

create function private.job_labels(p_job_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (select jsonb_agg(jsonb_build_object('subject', l.subject, 'data', l.data) order by l.seq)
    from public.print_job_labels l where l.job_id = p_job_id);
end $$;

create function private.recompile_print(p_job public.print_jobs, p_printer public.printers)
returns public.print_jobs language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
  v_version public.label_template_versions;
  v_payload text := p_job.payload;
begin
  select v.* into v_version from public.label_template_versions v where v.id = p_job.version_id;
  perform private.check_size(v_version, p_printer);
  if (p_job.language, p_job.dpi) is distinct from (p_printer.language, p_printer.dpi) and p_printer.dpi is not null then
    v_payload := private.compile_label(v_version, private.job_labels(p_job.id), p_job.copies, p_printer.language, p_printer.dpi);
  end if;
  update public.print_jobs j
     set printer = p_printer.code, language = p_printer.language, dpi = coalesce(p_printer.dpi, j.dpi), payload = v_payload,
         payload_sha256 = encode(sha256(convert_to(v_payload, 'UTF8')), 'hex'),
         routed_from = case when j.printer <> p_printer.code then j.printer else j.routed_from end
   where j.id = p_job.id returning j.* into v_job;
  return v_job;
end $$;
comment on function private.recompile_print is
  'A job that has not begun, for this printer as it is now: compiled anew when language or resolution differ. Errors: print.too_large (412), those of compile_label.';

create function private.refit_prints(p_printer public.printers)
returns void language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
  v_message text;
begin
  for v_job in select j.* from public.print_jobs j where j.printer = p_printer.code and j.state = 'queued'
    and (j.language, j.dpi) is distinct from (p_printer.language, p_printer.dpi) order by j.id for update
  loop
    begin
      perform private.recompile_print(v_job, p_printer);
    exception when others then
      get stacked diagnostics v_message = message_text;
      perform private.move_print(v_job, 'held', null, v_message);
    end;
  end loop;
end $$;
comment on function private.refit_prints is 'The printer has another resolution or language: what waits for it is compiled anew, or held where it does not fit any more.';

create function private.release_media(p_printer public.printers, p_by private.print_mover)
returns void language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
begin
  for v_job in select j.* from public.print_jobs j where j.printer = p_printer.code and j.state = 'held' and j.why like 'Wrong media: %'
    and j.media = coalesce(p_printer.loaded_media, j.media) order by j.id for update
  loop
    perform private.move_print(private.recompile_print(v_job, p_printer), 'queued', p_by);
  end loop;
end $$;
comment on function private.release_media is 'The right roll is in: the jobs that were held for it wait for their turn again.';

create function private.reroute_prints(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
  v_next public.printers;
begin
  for v_job in
    select j.* from public.printers p
      join public.print_jobs j on j.printer = p.code and j.state = 'queued' and not j.printer_fixed and j.queued_at < p_now - interval '60 seconds'
     where private.printer_trouble(p, null, p_now) is not null
     order by j.priority, j.id limit 200 for update of j skip locked
  loop
    v_next := private.pick_printer(v_job.site, v_job.station, v_job.label_type, v_job.media);
    continue when v_next.code is null or v_next.code = v_job.printer or v_next.dpi is null
      or private.printer_trouble(v_next, v_job.media, p_now) is not null;
    begin
      v_job := private.recompile_print(v_job, v_next);
      perform private.note_print(v_job, v_job.state, 'print.queued', format('%s does not print: it goes to %s.', v_job.routed_from, v_next.name));
    exception when others then
      null;   -- it does not fit there: it keeps waiting here
    end;
  end loop;
end $$;
comment on function private.reroute_prints is
$$Jobs that wait for a printer in trouble go to the next one of their route that prints, with a remark in their history. Only waiting jobs,
and never one that somebody gave to a printer.$$;

-- sql/M09_printing/agent.sql

-- What an agent may do: only with the printers it owns, and with the fence of its claim.

create type public.print_verdict as (
  changed boolean, job_id bigint, state public.print_job_state, fence integer, why text, send_seconds numeric, lease_seconds numeric,
  cancel_requested boolean, extra_labels integer);
comment on type public.print_verdict is
$$Answer to an agent: what the database made of its call. why: a sentence. send_seconds: how long the first byte may still leave;
lease_seconds: until when the agent must be heard again; both from the moment of the answer, so that clocks need not agree.$$;

create type public.print_claim as (
  job_id bigint, fence integer, printer text, language text, address text, dpi integer, payload text, payload_sha256 text, copies integer,
  labels integer, label_type text, subject text, evidence_required smallint, send_window_s integer, lease_seconds numeric, lease_until timestamptz,
  expires_at timestamptz);
comment on type public.print_claim is
$$One job for an agent. All null: nothing to do. labels: how many different ones, so that copies × labels come out. evidence_required:
0 accepted, 1 drained, 2 counted. send_window_s: how long after begin_send the first byte may leave.$$;

create type private.agent_call as (moved_by private.print_mover, printer public.printers, job public.print_jobs);

create function private.agent_of(p_actor uuid)
returns public.devices language plpgsql stable set search_path = '' as $$
declare
  v_device public.devices;
begin
  select d.* into v_device from public.devices d where d.user_id = p_actor;
  return v_device;
end $$;

create function private.agent_job(p_actor uuid, p_job_id bigint, p_fence integer)
returns private.agent_call language plpgsql set search_path = '' as $$
declare
  v_call private.agent_call;
  v_printer public.printers;
  v_job public.print_jobs;
begin
  select p.* into v_printer from public.printers p where p.code = (select j.printer from public.print_jobs j where j.id = p_job_id) for no key update;
  if v_printer.code is null then
    perform private.fail(404, 'print.no_job', 'There is no print job ' || coalesce(p_job_id::text, '') || '.', jsonb_build_object('id', p_job_id));
  elsif v_printer.device_id is distinct from (private.agent_of(p_actor)).id then
    perform private.fail(403, 'print.not_your_printer', format('%s is the printer of another agent.', v_printer.name), jsonb_build_object('printer', v_printer.code));
  end if;
  select j.* into v_job from public.print_jobs j where j.id = p_job_id for update;
  if v_job.fence is distinct from p_fence or v_job.printer <> v_printer.code then
    perform private.fail(409, 'print.stale_fence', 'This job went on without you: another claim has it, or had it.',
      jsonb_build_object('id', p_job_id, 'expected', v_job.fence, 'actual', p_fence, 'state', v_job.state));
  end if;
  v_call.moved_by := row(p_actor, v_printer.device_id)::private.print_mover;
  v_call.printer := v_printer;
  v_call.job := v_job;
  return v_call;
end $$;
comment on function private.agent_job is
$$The job with its printer, both locked, for the agent that owns the printer and holds the current fence.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409). Locks: the printer, then the job.$$;

create function private.verdict(p_job public.print_jobs, p_changed boolean)
returns public.print_verdict language plpgsql stable set search_path = '' as $$
begin
  return row(p_changed, p_job.id, p_job.state, p_job.fence, p_job.why,
    case when p_job.state = 'sending' then greatest(round(extract(epoch from p_job.send_deadline - now()), 3), 0) end,
    case when p_job.lease_until is not null then greatest(round(extract(epoch from p_job.lease_until - now()), 3), 0) end,
    p_job.cancel_requested, p_job.extra_labels)::public.print_verdict;
end $$;

-- Claiming ---------------------------------------------------------------------------------------------------------

create function private.claim_of(p_job public.print_jobs, p_printer public.printers)
returns public.print_claim language plpgsql stable set search_path = '' as $$
begin
  return row(p_job.id, p_job.fence, p_printer.code, p_job.language, p_printer.address, p_job.dpi, p_job.payload, p_job.payload_sha256,
    p_job.copies, p_job.labels, p_job.label_type, p_job.subject, p_printer.evidence_level,
    extract(epoch from private.print_seconds('send', p_job.site))::integer, round(extract(epoch from p_job.lease_until - now()), 3),
    p_job.lease_until, p_job.expires_at)::public.print_claim;
end $$;

create function private.is_taken(p_printer text)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return exists (
    select from public.print_jobs j
     where j.printer = p_printer and j.state in ('claimed', 'sending', 'sent', 'unknown')
       -- An unknown job has the counter to itself for a minute, so that it can be settled without a person.
       and (j.state <> 'unknown' or j.evidence_after is null and j.evidence_before ->> 'odometer' is not null
         and now() < j.settle_after + interval '55 seconds'));
end $$;
comment on function private.is_taken is 'True while a job has the printer: one at a time, or no counter could tell them apart.';

create function private.claim_at(p_printer public.printers, p_nonce uuid, p_by private.print_mover)
returns public.print_jobs language plpgsql set search_path = '' set enable_sort = off as $$
declare
  v_job public.print_jobs;
begin
  loop
    select j.* into v_job from public.print_jobs j
     where j.printer = p_printer.code and j.state = 'queued' and j.run_after <= now() and j.expires_at > now()
     order by j.priority, j.id limit 1 for update skip locked;
    exit when v_job.id is null;
    if v_job.media <> p_printer.loaded_media then   -- not one label on the wrong roll
      perform private.move_print(v_job, 'held', p_by, format('Wrong media: it needs %s, %s is loaded.', v_job.media, p_printer.loaded_media));
    elsif v_job.dpi is distinct from p_printer.dpi or v_job.language <> p_printer.language then
      perform private.refit_prints(p_printer);
    else
      v_job.fence := v_job.fence + 1;
      v_job.attempts := v_job.attempts + 1;
      v_job.claim_nonce := p_nonce;
      v_job.device_id := p_by.device_id;
      v_job.claimed_at := now();
      v_job.lease_until := private.print_lease(v_job, 'claimed');
      return private.move_print(v_job, 'claimed', p_by);
    end if;
  end loop;
  return null;
end $$;
comment on function private.claim_at is
  'The next job of a printer that is locked and free: smallest priority first, then oldest. What needs another roll is held, what was made for another resolution is made anew.';

-- The waiting index is the order: without sorts a plan walks it and stops, however many labels wait.
create function public.claim_print_job(p_nonce uuid, p_printers text[] default null)
returns public.print_claim language plpgsql security definer set search_path = '' set enable_sort = off as $$
declare
  v_actor uuid := private.authorize('printing.work');
  v_by private.print_mover := row(v_actor, (private.agent_of(v_actor)).id);
  v_printer public.printers;
  v_job public.print_jobs;
begin
  select j.* into v_job from public.printers p join public.print_jobs j on j.printer = p.code and j.state = 'claimed'
   where p.device_id = v_by.device_id and j.claim_nonce = p_nonce and j.lease_until > now();
  if v_job.id is not null then
    return private.claim_of(v_job, private.find_printer(v_job.printer));
  end if;
  for v_printer in
    select p.* from public.printers p
      cross join lateral (
        select j.priority, j.id from public.print_jobs j
         where j.printer = p.code and j.state = 'queued' and j.run_after <= now() and j.expires_at > now() order by j.priority, j.id limit 1) w
     where p.device_id = v_by.device_id and (p_printers is null or p.code = any (p_printers)) and p.is_enabled and p.halted_reason is null
     order by w.priority, w.id for no key update of p skip locked
  loop
    continue when private.is_taken(v_printer.code);
    v_job := private.claim_at(v_printer, p_nonce, v_by);
    if v_job.id is not null then
      return private.claim_of(v_job, v_printer);
    end if;
  end loop;
  return null;
end $$;
comment on function public.claim_print_job is
$$The next job for the printers of the calling agent (or some of them), leased to it for the setting printing.claim_seconds. All fields null:
nothing to do. One job at a time per printer; the printer's row is the turnstile.
Permission: printing.work (print agents only).
Errors: auth.forbidden (403).
Idempotency: by p_nonce: while the lease runs the same nonce gets the same job.
Locks: the own printers with waiting jobs and the claimed job, all SKIP LOCKED.$$;

-- Without a job of its own -----------------------------------------------------------------------------------------

create type public.print_unsettled as (
  job_id bigint, fence integer, printer text, state public.print_job_state, copies integer, labels integer, evidence_before jsonb,
  wants_evidence boolean, sending_at timestamptz, sent_at timestamptz, settle_seconds numeric, lease_seconds numeric);
comment on type public.print_unsettled is
$$A job that was begun and is not settled. wants_evidence: false = the counter has been heard, only a person (or the agent's certainty that
no byte left) can settle it. settle_seconds: from then on a counter that has not moved is believed.$$;

create function public.my_unsettled_prints()
returns setof public.print_unsettled language plpgsql stable security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.work');
begin
  return query
    select j.id, j.fence, j.printer, j.state, j.copies, j.labels, j.evidence_before, j.state <> 'unknown' or j.evidence_after is null,
      j.sending_at, j.sent_at, greatest(round(extract(epoch from j.settle_after - now()), 3), 0),
      greatest(round(extract(epoch from j.lease_until - now()), 3), 0)
      from public.printers p join public.print_jobs j on j.printer = p.code and j.state in ('sending', 'sent', 'unknown')
     where p.device_id = (private.agent_of(v_actor)).id
     order by j.sending_at, j.id;
end $$;
comment on function public.my_unsettled_prints is
$$Jobs on the printers of the calling agent that were begun and not settled, oldest first: what its resolver looks after.
Permission: printing.work (print agents only).
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.claim_print_job, public.my_unsettled_prints to authenticated;

-- sql/M09_printing/api_jobs.sql

create type public.print_answer as (changed boolean, job public.print_jobs, printer_name text, message text);
comment on type public.print_answer is 'Answer to a person: did it change anything, the job now (without its payload), the printer by name, a sentence.';

create function private.print_answer(p_job_id bigint, p_changed boolean, p_message text)
returns public.print_answer language plpgsql stable set search_path = '' as $$
declare
  v_job public.print_jobs;
begin
  select j.* into v_job from public.print_jobs j where j.id = p_job_id;
  v_job.payload := null;
  return row(p_changed, v_job, (select p.name from public.printers p where p.code = v_job.printer), p_message)::public.print_answer;
end $$;

create function private.print_wish(p_label_type text, p_copies integer, p_printer text, p_template text, p_priority integer)
returns private.print_wish language plpgsql set search_path = '' as $$
begin
  if coalesce(p_copies, 0) not between 1 and 500 then
    perform private.fail(422, 'print.copies', 'Print 1 to 500 copies at a time.', jsonb_build_object('field', 'p_copies', 'actual', p_copies));
  elsif coalesce(p_priority, 0) not in (10, 50, 90) then
    perform private.fail(422, 'print.priority', 'The priority is 10 (somebody waits), 50 (normal) or 90 (bulk).',
      jsonb_build_object('field', 'p_priority', 'actual', p_priority));
  end if;
  return row(p_label_type, p_copies, p_printer, p_template, p_priority)::private.print_wish;
end $$;

create function private.demand_prints(p_wish private.print_wish, p_labels jsonb, p_station text, p_actor uuid)
returns setof private.print_demand language plpgsql set search_path = '' as $$
declare
  v_place private.print_place := private.print_place(private.store_of_labels(p_labels), p_station, p_wish.printer);
  v_missing text;
begin
  perform private.authorize('printing.request', v_place.store, v_place.site);
  perform private.authorize_labels(p_labels);
  if p_wish.label_type = 'order_ticket' then
    select l ->> 'subject' into v_missing from jsonb_array_elements(p_labels) l where (private.order_of_label(l ->> 'subject')).row_id is null limit 1;
    if v_missing is not null then
      perform private.fail(404, 'order.unknown', 'There is no order ' || v_missing || '.', jsonb_build_object('id', v_missing));
    end if;
  end if;
  return query select * from private.add_prints(v_place, p_wish, p_labels, p_actor);
end $$;
comment on function private.demand_prints is 'A person asks for labels: their place, their right there, and the jobs.';

create function public.request_print(
  p_label_type text, p_subject text, p_data jsonb default '{}', p_copies integer default 1, p_station text default null,
  p_printer text default null, p_template text default null, p_priority integer default 10, p_request_id uuid default null)
returns public.print_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.request');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'request_print',
    jsonb_build_array(p_label_type, p_subject, p_data, p_copies, p_station, p_printer, p_template, p_priority));
  v_demand private.print_demand;
  v_answer public.print_answer;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.print_answer, v_stored);
  end if;
  select d.* into v_demand from private.demand_prints(private.print_wish(p_label_type, p_copies, p_printer, p_template, p_priority),
    jsonb_build_array(jsonb_build_object('subject', p_subject, 'data', coalesce(p_data, '{}'))), p_station, v_actor) d;
  v_answer := private.print_answer(v_demand.job_id, v_demand.is_new, null);
  v_answer.message := case when v_demand.is_new then format('The label of %s goes to %s.', p_subject, v_answer.printer_name)
    else format('The label of %s was asked for already (%s, %s). For one more use reprint.', p_subject, (v_answer.job).state, v_answer.printer_name) end;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.request_print is
$$One label for p_subject: an order id (its data comes from the order), a serial, an item. Where it is printed follows from the store, the
station (p_station, else the header x-takt-station) and the routes, unless p_printer names a printer. It is compiled now: what does not
fit is refused now. A label that was asked for before is not made again: changed = false with its job; more paper is a reprint.
p_copies 1–500; p_priority 10 somebody waits, 50 normal, 90 bulk.
Permission: printing.request in the store and at the site.
Errors: order.unknown (404), printer.unknown (404), print.no_station (404), label.unknown_template (404), label.no_template (412),
print.no_printer (412), print.no_resolution (412), print.too_large (412), print.where (422), print.other_site (422), print.subject (422), print.copies (422),
print.priority (422), print.other_data (409), label.bad_data (422), label.does_not_fit (422), request.reused (422).
Idempotency: by p_request_id, and by subject, label type and template.
Locks: one advisory lock per label.$$;

create function public.request_prints(
  p_label_type text, p_labels jsonb, p_copies integer default 1, p_station text default null, p_printer text default null,
  p_template text default null, p_priority integer default 90, p_request_id uuid default null)
returns setof public.print_jobs language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.request');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'request_prints',
    jsonb_build_array(p_label_type, p_labels, p_copies, p_station, p_printer, p_template, p_priority));
  v_ids bigint[];
begin
  if v_stored is null then
    v_ids := array(select d.job_id from private.demand_prints(
      private.print_wish(p_label_type, p_copies, p_printer, p_template, p_priority), p_labels, p_station, v_actor) d);
    select jsonb_agg(to_jsonb(j) - 'payload' order by j.id) into v_stored from public.print_jobs j where j.id = any (v_ids);
    perform private.remember(v_actor, p_request_id, v_stored);
  end if;
  return query select j.* from jsonb_populate_recordset(null::public.print_jobs, v_stored) j;
end $$;
comment on function public.request_prints is
$$Many labels at once: p_labels [{subject, data}], 1 to 500 of one store, in jobs of ten, so that an urgent label overtakes at their borders
and a doubt is never about more. Answers the jobs (without payloads), those that existed already too.
Permission: printing.request in the store and at the site.
Errors: those of request_print, print.labels (422), print.same_subject (422), print.mixed_stores (422). One label that is refused refuses all.
Idempotency: by p_request_id, and by subject, label type and template.
Locks: one advisory lock per label, in order.$$;

-- What people do with a job ----------------------------------------------------------------------------------------

create function private.lock_print(p_permission text, p_job_id bigint)
returns public.print_jobs language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
begin
  select j.* into v_job from public.print_jobs j where j.id = p_job_id;
  if v_job.id is null then
    perform private.fail(404, 'print.no_job', 'There is no print job ' || coalesce(p_job_id::text, '') || '.', jsonb_build_object('id', p_job_id));
  end if;
  perform private.authorize(p_permission, v_job.store, v_job.site);
  select j.* into v_job from public.print_jobs j where j.id = p_job_id for update;
  return v_job;
end $$;
comment on function private.lock_print is 'The job, locked, for somebody who may do this in its store and at its site. Errors: print.no_job (404), those of authorize.';

create function private.refuse_print_state(p_job public.print_jobs, p_expected text, p_message text)
returns void language plpgsql set search_path = '' as $$
begin
  perform private.fail(409, 'print.wrong_state', p_message,
    jsonb_build_object('id', p_job.id, 'expected', p_expected, 'actual', p_job.state, 'fence', p_job.fence));
end $$;

create function public.cancel_print(p_job_id bigint, p_request_id uuid default null)
returns public.print_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.request');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'cancel_print', jsonb_build_array(p_job_id));
  v_job public.print_jobs;
  v_answer public.print_answer;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.print_answer, v_stored);
  end if;
  v_job := private.lock_print('printing.request', p_job_id);
  if v_job.requested_by <> v_actor and not private.may('printing.supervise') then
    perform private.fail(403, 'print.not_yours', 'Somebody else asked for this label. Ask them, or a supervisor.', jsonb_build_object('id', p_job_id));
  elsif v_job.state in ('printed', 'failed', 'expired') then
    perform private.refuse_print_state(v_job, 'queued', format('Too late: this label is %s.', v_job.state));
  elsif v_job.state in ('queued', 'held') then
    perform private.move_print(v_job, 'cancelled', row(v_actor, null)::private.print_mover);
    v_answer := private.print_answer(p_job_id, true, 'Cancelled. Nothing will come out.');
  elsif v_job.state = 'cancelled' or v_job.cancel_requested then
    v_answer := private.print_answer(p_job_id, false, 'It was cancelled before.');
  else   -- never over a result: it only keeps the job from being sent (again)
    update public.print_jobs j set cancel_requested = true where j.id = p_job_id;
    perform private.note_print(v_job, v_job.state, 'print.cancel_requested', 'Cancel was asked for.', null, v_actor);
    v_answer := private.print_answer(p_job_id, true, 'The printer may have it already: look there. It will not be sent again.');
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.cancel_print is
$$The label is not wanted any more. Waiting jobs are cancelled; one that an agent has is only kept from being sent (again), its result stays.
Permission: printing.request in the store; for somebody else's job printing.supervise.
Errors: print.no_job (404), print.not_yours (403), print.wrong_state (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the job.$$;

create function public.hold_print(p_job_id bigint, p_request_id uuid default null)
returns public.print_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.supervise');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'hold_print', jsonb_build_array(p_job_id));
  v_job public.print_jobs;
  v_answer public.print_answer;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.print_answer, v_stored);
  end if;
  v_job := private.lock_print('printing.supervise', p_job_id);
  if v_job.state not in ('queued', 'held') then
    perform private.refuse_print_state(v_job, 'queued', format('Only a waiting label can be held; this one is %s.', v_job.state));
  elsif v_job.state = 'queued' then
    perform private.move_print(v_job, 'held', row(v_actor, null)::private.print_mover, 'Held by hand.');
  end if;
  v_answer := private.print_answer(p_job_id, v_job.state = 'queued', 'Held. Resume it when it may print.');
  perform private.remember(v_actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.hold_print is
$$Keep a waiting label from printing until resume_print.
Permission: printing.supervise in the store.
Errors: print.no_job (404), print.wrong_state (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the job.$$;

create function public.resume_print(p_job_id bigint, p_request_id uuid default null)
returns public.print_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.supervise');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'resume_print', jsonb_build_array(p_job_id));
  v_job public.print_jobs;
  v_answer public.print_answer;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.print_answer, v_stored);
  end if;
  v_job := private.lock_print('printing.supervise', p_job_id);
  if v_job.state not in ('queued', 'held') then
    perform private.refuse_print_state(v_job, 'held', format('Only a held label can be resumed; this one is %s.', v_job.state));
  elsif v_job.state = 'held' then
    v_job := private.recompile_print(v_job, private.find_printer(v_job.printer));
    update public.print_jobs j set expires_at = greatest(j.expires_at, private.print_expiry(j.site)) where j.id = p_job_id;
    perform private.move_print(v_job, 'queued', row(v_actor, null)::private.print_mover);
  end if;
  v_answer := private.print_answer(p_job_id, v_job.state = 'held', 'It waits for its printer again.');
  perform private.remember(v_actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.resume_print is
$$A held label may print again; compiled anew when the printer has another resolution by now.
Permission: printing.supervise in the store.
Errors: print.no_job (404), print.wrong_state (409), print.too_large (412), label.does_not_fit (422), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the job.$$;

grant execute on function public.request_print, public.request_prints, public.cancel_print, public.hold_print, public.resume_print to authenticated;

-- sql/M09_printing/api_outcome.sql

-- "Did it come out?", and once more on paper.

create function private.check_outcome(p_job public.print_jobs, p_outcome text, p_labels_out integer)
returns void language plpgsql set search_path = '' as $$
declare
  v_all constant integer := p_job.copies * p_job.labels;
begin
  if coalesce(p_outcome, '') not in ('came_out', 'did_not_come_out', 'partly') then
    perform private.fail(422, 'print.outcome', 'Say whether it came out: all, none, or partly.',
      jsonb_build_object('field', 'p_outcome', 'actual', p_outcome, 'expected', array['came_out', 'did_not_come_out', 'partly']));
  elsif p_outcome = 'partly' and coalesce(p_labels_out, 0) not between 1 and v_all - 1 then
    perform private.fail(422, 'print.labels_out', format('Say how many of the %s labels came out.', v_all),
      jsonb_build_object('field', 'p_labels_out', 'actual', p_labels_out, 'max', v_all - 1));
  elsif p_job.state::text not in ('unknown', case p_outcome when 'came_out' then 'printed' else 'failed' end) then
    perform private.refuse_print_state(p_job, 'unknown', format('Nobody has to say anything about this label: it is %s.', p_job.state));
  end if;
end $$;

create function public.resolve_print(
  p_job_id bigint, p_outcome text, p_labels_out integer default null, p_note text default null, p_request_id uuid default null)
returns public.print_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.resolve');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'resolve_print', jsonb_build_array(p_job_id, p_outcome, p_labels_out, p_note));
  v_job public.print_jobs;
  v_was_unknown boolean;
  v_answer public.print_answer;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.print_answer, v_stored);
  end if;
  v_job := private.lock_print('printing.resolve', p_job_id);
  perform private.check_length('p_note', p_note, 400);
  perform private.check_outcome(v_job, p_outcome, p_labels_out);
  v_was_unknown := v_job.state = 'unknown';
  if v_was_unknown then
    v_job.evidence_level := 3;
    v_job.labels_out := case p_outcome when 'came_out' then v_job.copies * v_job.labels when 'partly' then p_labels_out else 0 end;
    update public.print_job_labels l set state = 'printed'   -- different labels come out in their order
     where l.job_id = p_job_id and l.state = 'wanted' and l.seq * v_job.copies <= v_job.labels_out;
    perform private.move_print(v_job, case p_outcome when 'came_out' then 'printed' else 'failed' end::public.print_job_state,
      row(v_actor, null)::private.print_mover, coalesce(p_note, 'A person looked.'),
      jsonb_build_object('outcome', p_outcome, 'labels_out', v_job.labels_out));
  end if;
  v_answer := private.print_answer(p_job_id, v_was_unknown, case when p_outcome = 'came_out' then 'Thank you: it counts as printed.'
    else 'Thank you: what did not come out can be reprinted.' end);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.resolve_print is
$$A person looked whether an unknown label came out: p_outcome came_out, did_not_come_out, or partly with p_labels_out. What did not come out
is void and can be printed again with reprint.
Permission: printing.resolve in the store.
Errors: print.no_job (404), print.outcome (422), print.labels_out (422), print.wrong_state (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it a repeat of the same outcome answers changed = false.
Locks: the job.$$;

create function private.check_reprint(p_job public.print_jobs, p_reason text, p_subjects text[])
returns void language plpgsql set search_path = '' as $$
declare
  v_limit integer := (private.setting('printing.reprint_limit', null, p_job.site) #>> '{}')::integer;
begin
  if p_job.state = 'unknown' then
    perform private.fail(409, 'print.unresolved', 'Look at the printer first and say whether it came out.', jsonb_build_object('id', p_job.id));
  elsif p_job.state not in ('printed', 'failed') then
    perform private.refuse_print_state(p_job, 'printed', case when p_job.state in ('cancelled', 'expired')
      then 'It was never printed. Ask for it again.' else format('It is not printed yet: it is %s.', p_job.state) end);
  elsif coalesce(p_reason, '') not in ('damaged', 'lost', 'jam', 'wrong_place', 'unknown_resolution', 'changed') then
    perform private.fail(422, 'print.reason', 'Say why another label is needed.', jsonb_build_object('field', 'p_reason', 'actual', p_reason,
      'expected', array['damaged', 'lost', 'jam', 'wrong_place', 'unknown_resolution', 'changed']));
  elsif coalesce(cardinality(p_subjects), 0) = 0 then
    perform private.fail(422, 'print.subject', 'That label is not one of this job.', jsonb_build_object('field', 'p_subjects'));
  elsif not private.may('printing.supervise') and exists (
    select from public.print_job_labels l join public.print_jobs r on r.id = l.job_id and r.reprint_of is not null
     where l.subject = any (p_subjects) and l.purpose = p_job.label_type and l.state <> 'void' group by l.subject having count(*) >= v_limit)
  then
    perform private.fail(403, 'print.reprint_limit', format('It was reprinted %s times. Ask a supervisor.', v_limit), jsonb_build_object('limit', v_limit));
  end if;
end $$;

create function private.reprint_labels(p_job public.print_jobs, p_reason text, p_subjects text[], p_data jsonb)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select jsonb_agg(jsonb_build_object('subject', l.subject, 'print_no', private.next_print_no(l.purpose, l.template, l.subject),
      'data', case p_reason when 'changed' then private.label_data(l.subject, l.data || coalesce(p_data, '{}')) else l.data end) order by l.seq)
      from public.print_job_labels l where l.job_id = p_job.id and l.subject = any (p_subjects));
end $$;

create function private.insert_reprint(p_job public.print_jobs, p_reason text, p_note text, p_copies integer, p_labels jsonb, p_actor uuid)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_new public.print_jobs := p_job;
  v_printer public.printers := private.find_printer(p_job.printer);
  v_template text;
begin
  v_new.reprint_of := p_job.id; v_new.reason := p_reason; v_new.note := p_note; v_new.priority := 10; v_new.requested_by := p_actor;
  v_new.copies := coalesce(p_copies, case when p_job.state = 'failed' and p_job.labels = 1 then p_job.copies - coalesce(p_job.labels_out, 0)
    when p_job.state = 'failed' then p_job.copies else 1 end);
  if not v_printer.is_enabled then
    v_printer := private.printer_for(row(p_job.site, p_job.store, p_job.station)::private.print_place,
      row(p_job.label_type, 1, null, null, 10)::private.print_wish, p_job.media);
  end if;
  if p_reason = 'changed' then
    select v.template into v_template from public.label_template_versions v where v.id = p_job.version_id;
    v_new.version_id := (private.active_label_version(p_job.label_type, p_job.site, v_template)).id;
  end if;
  -- The same bytes again, where they mean the same: same labels, same copies, same kind of printer.
  return private.insert_print(v_new, v_printer, p_labels, case when p_reason <> 'changed' and jsonb_array_length(p_labels) = p_job.labels
    and v_new.copies = p_job.copies and (v_printer.language, v_printer.dpi) = (p_job.language, p_job.dpi) then p_job.payload end);
end $$;

create function private.running_reprint(p_job_id bigint, p_subject text)
returns bigint language plpgsql stable set search_path = '' as $$
begin
  return (
    select r.id from public.print_jobs r join public.print_job_labels l on l.job_id = r.id and l.subject = p_subject
     where r.reprint_of = p_job_id and r.state not in ('printed', 'failed', 'cancelled', 'expired') order by r.id limit 1);
end $$;
comment on function private.running_reprint is 'The reprint of this label of a job that is on its way, if there is one.';

create function public.reprint(
  p_job_id bigint, p_reason text, p_note text default null, p_copies integer default null, p_subjects text[] default null,
  p_data jsonb default null, p_request_id uuid default null)
returns public.print_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.reprint');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'reprint', jsonb_build_array(p_job_id, p_reason, p_note, p_copies, p_subjects, p_data));
  v_job public.print_jobs;
  v_subjects text[];
  v_running bigint;
  v_new bigint;
  v_answer public.print_answer;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.print_answer, v_stored);
  end if;
  v_job := private.lock_print('printing.reprint', p_job_id);
  v_subjects := array(select l.subject from public.print_job_labels l where l.job_id = p_job_id
    and case when p_subjects is null then l.state = 'void' or v_job.state <> 'failed' else l.subject = any (p_subjects) end order by 1);
  perform private.check_length('p_note', p_note, 400);
  perform private.check_reprint(v_job, p_reason, v_subjects);
  perform private.print_wish(v_job.label_type, coalesce(p_copies, 1), null, null, 10);
  v_running := private.running_reprint(p_job_id, v_subjects[1]);
  v_subjects := array(select s from unnest(v_subjects) s where private.running_reprint(p_job_id, s) is null order by 1);
  if v_subjects = '{}' then
    v_answer := private.print_answer(v_running, false, 'A reprint is on its way already.');
  else
    perform pg_advisory_xact_lock(hashtextextended('print:' || v_job.label_type || ':' || s, 0)) from unnest(v_subjects) s;
    v_new := private.insert_reprint(v_job, p_reason, p_note, p_copies, private.reprint_labels(v_job, p_reason, v_subjects, p_data), v_actor);
    v_answer := private.print_answer(v_new, true, null);
    v_answer.message := format('Reprint of %s goes to %s.', v_job.subject, v_answer.printer_name);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.reprint is
$$One more label on paper: a new job that names the old one, the reason and who wanted it. p_reason damaged, lost, jam, wrong_place,
unknown_resolution, or changed (says what the database knows now and what p_data changes, in the active template; all others send the same
bytes again). p_subjects: only these labels of the job; without it all, of a failed job those that did not come out. p_copies: 1, of a failed job the missing ones.
Permission: printing.reprint in the store; a supervisor's from the setting printing.reprint_limit on.
Errors: print.no_job (404), print.unresolved (409), print.wrong_state (409), print.reason (422), print.subject (422), print.copies (422),
print.reprint_limit (403), print.no_printer (412), print.no_resolution (412), print.too_large (412), label.does_not_fit (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; labels whose reprint is on its way are left out, and when all are, changed = false with that one.
Locks: the job, one advisory lock per label.$$;

grant execute on function public.resolve_print, public.reprint to authenticated;

-- sql/M09_printing/api_printers.sql

create function private.check_owner(p_device text, p_site text)
returns uuid language plpgsql set search_path = '' as $$
declare
  v_device public.devices;
begin
  if p_device is null then
    return null;
  end if;
  select d.* into v_device from public.devices d where d.code = p_device;
  if v_device.kind is distinct from 'print_agent' or v_device.site <> p_site or v_device.revoked_at is not null then
    perform private.fail(422, 'printer.agent', p_device || ' is no print agent of this site.', jsonb_build_object('field', 'p_device', 'actual', p_device));
  end if;
  return v_device.id;
end $$;

create function private.lock_printer(p_permission text, p_printer text)
returns public.printers language plpgsql set search_path = '' as $$
declare
  v_printer public.printers := private.find_printer(p_printer);
begin
  perform private.authorize(p_permission, null, v_printer.site);
  select p.* into v_printer from public.printers p where p.code = p_printer for no key update;   -- new jobs may still point to it
  return v_printer;
end $$;
comment on function private.lock_printer is 'The printer, locked, for somebody who may do this at its site. Errors: printer.unknown (404), those of authorize.';

create function private.emit_printer(p_printer public.printers, p_event text, p_actor uuid, p_payload jsonb default '{}')
returns void language plpgsql set search_path = '' as $$
begin
  perform private.emit('print', p_printer.code, p_event, p_actor, jsonb_build_object('printer', p_printer.code) || p_payload, null, p_printer.site);
end $$;

create function public.upsert_printer(
  p_code text, p_name text, p_site text, p_language text, p_address text, p_device text default null, p_dpi integer default null,
  p_media_width_mm numeric default null, p_media_height_mm numeric default null, p_evidence_level integer default null,
  p_is_enabled boolean default true, p_request_id uuid default null)
returns public.printers language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.manage', null, p_site);
  v_stored jsonb := private.replay(v_actor, p_request_id, 'upsert_printer', jsonb_build_array(p_code, p_name, p_site, p_language, p_address,
    p_device, p_dpi, p_media_width_mm, p_media_height_mm, p_evidence_level, p_is_enabled));
  v_old public.printers;
  v_new public.printers;
  v_owner uuid;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.printers, v_stored);
  elsif not exists (select from public.sites s where s.code = p_site) then
    perform private.fail(404, 'site.unknown', 'There is no site ' || coalesce(p_site, '') || '.', jsonb_build_object('site', p_site));
  end if;
  v_owner := private.check_owner(p_device, p_site);
  select p.* into v_old from public.printers p where p.code = p_code for no key update;
  if v_old.code is not null and (v_old.site, v_old.device_id, v_old.language, v_old.address) is distinct from (p_site, v_owner, p_language, p_address) then
    perform private.authorize('printing.manage', null, v_old.site);   -- who takes one over must have had it
    perform private.refuse_busy(v_old);
  end if;
  insert into public.printers as p (code, name, site, language, address, device_id, owner_epoch, dpi, media_width_mm, media_height_mm,
    evidence_level, is_enabled)
  values (p_code, p_name, p_site, p_language, p_address, v_owner, 1, p_dpi, p_media_width_mm, p_media_height_mm,
    coalesce(p_evidence_level, case p_language when 'zpl' then 2 when 'tspl' then 1 else 0 end), p_is_enabled)
  on conflict on constraint printers_pkey do update
    set name = excluded.name, site = excluded.site, language = excluded.language, address = excluded.address, device_id = excluded.device_id,
        owner_epoch = p.owner_epoch + (p.device_id is distinct from excluded.device_id)::integer, dpi = coalesce(excluded.dpi, p.dpi),
        media_width_mm = excluded.media_width_mm, media_height_mm = excluded.media_height_mm, evidence_level = excluded.evidence_level,
        is_enabled = excluded.is_enabled
  returning p.* into v_new;
  perform private.refit_prints(v_new);
  perform private.emit_printer(v_new, 'printer.changed', v_actor);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_new));
  return v_new;
end $$;
comment on function public.upsert_printer is
$$Add or change a label printer; what is not given is cleared, except the resolution, which its agent reads from the device.
p_language zpl, tspl, spooler or file; p_address host:port, device file, queue or folder; p_device: code of the print agent that owns it;
p_dpi 203, 300 or 600; sizes in mm; p_evidence_level 0 accepted, 1 drained, 2 counted (default 2 for zpl, 1 for tspl, else 0).
Permission: printing.manage at the site.
Errors: site.unknown (404), printer.agent (422), printer.busy (409), request.reused (422); constraints by name (printers_dpi_check …).
Idempotency: by p_request_id; the same values again change nothing.
Locks: the printer, its waiting jobs.$$;

create function private.refuse_busy(p_printer public.printers)
returns void language plpgsql set search_path = '' as $$
begin
  if exists (select from public.print_jobs j where j.printer = p_printer.code and j.state in ('claimed', 'sending', 'sent')) then
    perform private.fail(409, 'printer.busy', p_printer.name || ' is printing. Change it when it stands still.', jsonb_build_object('printer', p_printer.code));
  end if;
end $$;

create function public.remove_printer(p_printer text, p_request_id uuid default null)
returns public.printers language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.manage');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'remove_printer', jsonb_build_array(p_printer));
  v_printer public.printers;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.printers, v_stored);
  end if;
  v_printer := private.lock_printer('printing.manage', p_printer);
  if v_printer.is_enabled then
    update public.printers p set is_enabled = false where p.code = p_printer returning p.* into v_printer;
    perform private.emit_printer(v_printer, 'printer.removed', v_actor);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_printer));
  return v_printer;
end $$;
comment on function public.remove_printer is
$$Take a printer out of service: it gets no new job. Its history stays; what waits for it goes to the next printer of the route.
Permission: printing.manage at its site.
Errors: printer.unknown (404), request.reused (422).
Idempotency: by p_request_id; a repeat changes nothing.
Locks: the printer.$$;

create function public.set_loaded_media(p_printer text, p_media text default null, p_request_id uuid default null)
returns public.printers language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.request');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'set_loaded_media', jsonb_build_array(p_printer, p_media));
  v_printer public.printers;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.printers, v_stored);
  end if;
  v_printer := private.lock_printer('printing.request', p_printer);
  update public.printers p set loaded_media = p_media, labels_since_media = 0 where p.code = p_printer returning p.* into v_printer;
  perform private.emit_printer(v_printer, 'printer.media', v_actor, jsonb_build_object('media', p_media));
  perform private.release_media(v_printer, row(v_actor, null)::private.print_mover);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_printer));
  return v_printer;
end $$;
comment on function public.set_loaded_media is
$$A new roll is in: p_media is its name (null: not said, nothing is checked). Labels that were held for this roll wait for their turn again.
Permission: printing.request at the site of the printer.
Errors: printer.unknown (404), request.reused (422); printers_loaded_media_check for a name that is empty or too long.
Idempotency: by p_request_id; a repeat sets the count of labels since the roll to 0 again.
Locks: the printer, then the held jobs.$$;

create function public.halt_printer(p_printer text, p_reason text default null, p_request_id uuid default null)
returns public.printers language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.supervise');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'halt_printer', jsonb_build_array(p_printer, p_reason));
  v_printer public.printers;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.printers, v_stored);
  end if;
  v_printer := private.lock_printer('printing.supervise', p_printer);
  if v_printer.halted_reason is null then
    update public.printers p set halted_reason = coalesce(nullif(trim(p_reason), ''), 'by hand') where p.code = p_printer returning p.* into v_printer;
    perform private.emit_printer(v_printer, 'printer.halted', v_actor, jsonb_build_object('reason', v_printer.halted_reason));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_printer));
  return v_printer;
end $$;
comment on function public.halt_printer is
$$Stop a printer here: it begins no further label until resume_printer. What it has begun is finished.
Permission: printing.supervise at its site.
Errors: printer.unknown (404), request.reused (422); printers_halted_reason_check for a long reason.
Idempotency: by p_request_id; a repeat changes nothing.
Locks: the printer.$$;

create function public.resume_printer(p_printer text, p_request_id uuid default null)
returns public.printers language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.supervise');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'resume_printer', jsonb_build_array(p_printer));
  v_printer public.printers;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.printers, v_stored);
  end if;
  v_printer := private.lock_printer('printing.supervise', p_printer);
  if v_printer.halted_reason is not null then
    update public.printers p set halted_reason = null where p.code = p_printer returning p.* into v_printer;
    perform private.emit_printer(v_printer, 'print.resumed', v_actor);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_printer));
  return v_printer;
end $$;
comment on function public.resume_printer is
$$A halted printer goes on with what waits for it.
Permission: printing.supervise at its site.
Errors: printer.unknown (404), request.reused (422).
Idempotency: by p_request_id; a repeat changes nothing.
Locks: the printer.$$;

create function public.set_print_routes(
  p_site text, p_label_type text, p_printers text[], p_station text default null, p_request_id uuid default null)
returns setof public.print_routes language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.manage', null, p_site);
  v_stored jsonb := private.replay(v_actor, p_request_id, 'set_print_routes', jsonb_build_array(p_site, p_label_type, p_printers, p_station));
  v_wrong text;
begin
  if v_stored is null then
    select w into v_wrong from unnest(p_printers) w where (private.find_printer(w)).site <> p_site limit 1;
    if v_wrong is not null then
      perform private.fail(422, 'print.other_site', format('The printer %s stands at another site.', v_wrong), jsonb_build_object('printer', v_wrong));
    elsif p_station is not null and not exists (select from public.stations s where s.code = p_station and s.site = p_site) then
      perform private.fail(404, 'print.no_station', 'There is no station ' || p_station || ' at this site.', jsonb_build_object('station', p_station));
    end if;
    perform 1 from public.sites s where s.code = p_site for no key update;   -- two editors one after the other
    delete from public.print_routes r where r.site = p_site and r.label_type = p_label_type and r.station is not distinct from p_station;
    insert into public.print_routes (site, station, label_type, position, printer)
    select p_site, p_station, p_label_type, min(u.n), u.printer from unnest(p_printers) with ordinality as u (printer, n) group by u.printer;
    perform private.emit('print', p_label_type, 'route.changed', v_actor,
      jsonb_build_object('station', p_station, 'printers', p_printers), null, p_site);
    select coalesce(jsonb_agg(to_jsonb(r) order by r.position), '[]') into v_stored from public.print_routes r
     where r.site = p_site and r.label_type = p_label_type and r.station is not distinct from p_station;
    perform private.remember(v_actor, p_request_id, v_stored);
  end if;
  return query select r.* from jsonb_populate_recordset(null::public.print_routes, v_stored) r;
end $$;
comment on function public.set_print_routes is
$$Which printers take these labels, first choice first: for one station, or (p_station null) for the whole site. An empty list removes the route.
Permission: printing.manage at the site.
Errors: printer.unknown (404), print.no_station (404), print.other_site (422), request.reused (422); print_routes_label_type_check.
Idempotency: by p_request_id; the same list again changes nothing.
Locks: the site row.$$;

grant execute on function public.upsert_printer, public.remove_printer, public.set_loaded_media, public.halt_printer, public.resume_printer,
  public.set_print_routes to authenticated, service_role;

-- sql/M09_printing/api_agent.sql

create function public.begin_send(p_job_id bigint, p_fence integer, p_evidence jsonb)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
  v_job public.print_jobs := v_call.job;
  v_unknown public.print_jobs;
begin
  if v_job.state = 'sending' then
    return private.verdict(v_job, false);
  end if;
  perform private.check_begin(v_job, v_call.printer);
  perform private.check_ready(v_job, v_call.printer, p_evidence);
  -- The last moment at which the counter speaks for the job before this one alone.
  select j.* into v_unknown from public.print_jobs j where j.printer = v_job.printer and j.state = 'unknown' order by j.sending_at desc limit 1 for update;
  if v_unknown.evidence_before ->> 'odometer' is not null and p_evidence ->> 'odometer' is not null then
    perform private.settle_print(v_unknown, p_evidence, v_call.moved_by);
  end if;
  v_job.evidence_before := p_evidence;
  v_job.evidence_after := null;
  v_job.sending_at := now();
  v_job.sent_at := null;
  v_job.send_deadline := now() + private.print_seconds('send', v_job.site);
  v_job.settle_after := v_job.send_deadline + private.print_seconds('settle', v_job.site);
  v_job.lease_until := private.print_lease(v_job, 'sending');
  return private.verdict(private.move_print(v_job, 'sending', v_call.moved_by, null, p_evidence), true);
end $$;
comment on function public.begin_send is
$$Write-ahead: the first byte may leave once this is answered, for send_seconds. p_evidence is the printer right before: {odometer, openings,
boot_id, uptime_s, formats, remaining, partial, faults, idle, dpi}; it must be idle, healthy, empty, and show its counter where the printer has one.
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409), print.wrong_state (409), print.cancelled (409),
print.lease_over (409), print.expired (409), print.halted (409), print.no_evidence (412), print.wrong_resolution (412), print.bad_evidence (422).
Idempotency: by the fence; a repeat answers changed = false with what is left of send_seconds.
Locks: the printer, then the job.$$;

create function private.check_begin(p_job public.print_jobs, p_printer public.printers)
returns void language plpgsql set search_path = '' as $$
declare
  v_detail constant jsonb := jsonb_build_object('id', p_job.id, 'printer', p_printer.code);
begin
  if p_job.state <> 'claimed' then
    perform private.refuse_print_state(p_job, 'claimed', format('This job is %s.', p_job.state));
  elsif p_job.cancel_requested then
    perform private.fail(409, 'print.cancelled', 'Somebody cancelled it. Release it.', v_detail);
  elsif p_job.lease_until < now() then
    perform private.fail(409, 'print.lease_over', 'Too late: the claim has run out.', v_detail);
  elsif p_job.expires_at <= now() then
    perform private.fail(409, 'print.expired', 'Too late: nobody waits for this label any more. Release it.', v_detail);
  elsif not p_printer.is_enabled or p_printer.halted_reason is not null or p_printer.loaded_media <> p_job.media then
    perform private.fail(409, 'print.halted', format('%s may not print this now. Release it.', p_printer.name), v_detail);
  end if;
end $$;

create function private.check_ready(p_job public.print_jobs, p_printer public.printers, p_evidence jsonb)
returns void language plpgsql set search_path = '' as $$
declare
  v_problem text;
begin
  perform private.check_evidence(p_evidence);
  v_problem := coalesce(private.not_ready(p_evidence), case when p_printer.evidence_level = 2 and p_evidence ->> 'odometer' is null
    then 'its counter cannot be read; if it has none, set its evidence level to 1' end);
  if v_problem is not null then
    perform private.fail(412, 'print.no_evidence', format('Not begun on %s: %s.', p_printer.name, v_problem), jsonb_build_object('evidence', p_evidence));
  elsif (p_evidence ->> 'dpi')::numeric <> p_job.dpi or p_printer.dpi <> p_job.dpi then
    perform private.fail(412, 'print.wrong_resolution', format('%s prints at %s dpi; this label was made for %s.', p_printer.name,
      coalesce(p_evidence ->> 'dpi', p_printer.dpi::text), p_job.dpi), jsonb_build_object('expected', p_job.dpi, 'actual', p_evidence -> 'dpi'));
  end if;
end $$;

create function public.abort_send(p_job_id bigint, p_fence integer, p_reason text default null)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
  v_job public.print_jobs := v_call.job;
begin
  if v_job.state = 'queued' or v_job.state = 'cancelled' then
    return private.verdict(v_job, false);
  elsif v_job.state not in ('claimed', 'sending', 'unknown') or v_job.sent_at is not null then
    perform private.refuse_print_state(v_job, 'sending', format('Bytes have left for this job: it is %s.', v_job.state));
  end if;
  return private.verdict(private.requeue_print(v_job, v_call.moved_by, coalesce(left(p_reason, 400), 'No byte has left.'),
    interval '2 seconds', true), true);
end $$;
comment on function public.abort_send is
$$It was begun, but certainly not one byte was handed over: back to the queue, the try does not count. Also for an unknown job of this fence.
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409), print.wrong_state (409).
Idempotency: by the fence; a repeat answers changed = false.
Locks: the printer, then the job.$$;

create function public.mark_sent(p_job_id bigint, p_fence integer, p_bytes integer)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
  v_job public.print_jobs := v_call.job;
  v_all constant integer := octet_length(v_job.payload);
begin
  if v_job.state in ('sent', 'printed', 'failed') or v_job.state = 'unknown' and v_job.sent_at is not null then
    return private.verdict(v_job, false);
  elsif coalesce(p_bytes, 0) < v_all then
    perform private.fail(422, 'print.bytes', format('Only %s of %s bytes have left: that is not sent.', coalesce(p_bytes, 0), v_all),
      jsonb_build_object('expected', v_all, 'actual', p_bytes));
  elsif v_job.state = 'unknown' then   -- late truth: it stays unknown, but it is known to have left
    update public.print_jobs j set sent_at = now() where j.id = p_job_id returning j.* into v_job;
    perform private.note_print(v_job, v_job.state, 'print.sent_late', 'All bytes had left.', jsonb_build_object('bytes', p_bytes),
      (v_call.moved_by).actor_id, (v_call.moved_by).device_id);
    return private.verdict(v_job, false);
  elsif v_job.state <> 'sending' then
    perform private.refuse_print_state(v_job, 'sending', format('This job is %s.', v_job.state));
  end if;
  v_job.sent_at := now();
  v_job.settle_after := now() + private.print_seconds('settle', v_job.site);
  v_job.lease_until := private.print_lease(v_job, 'sent');
  return private.verdict(private.move_print(v_job, 'sent', v_call.moved_by, null, jsonb_build_object('bytes', p_bytes)), true);
end $$;
comment on function public.mark_sent is
$$All bytes of the payload were handed over; p_bytes says how many.
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409), print.wrong_state (409), print.bytes (422).
Idempotency: by the fence; a repeat answers changed = false.
Locks: the printer, then the job.$$;

create function public.confirm_print(p_job_id bigint, p_fence integer, p_evidence jsonb)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
  v_job public.print_jobs := v_call.job;
  v_old public.print_jobs := v_call.job;
  v_decision private.print_decision;
begin
  perform private.check_evidence(p_evidence);
  if v_job.state in ('sending', 'sent', 'unknown') then
    v_job := private.settle_print(v_job, p_evidence, v_call.moved_by);
  elsif v_job.state in ('failed', 'cancelled', 'expired') and v_job.sending_at is not null then
    v_decision := private.decide_print(v_job, p_evidence);   -- late truth never moves what a person has decided
    if v_decision.outcome = 'printed' then
      perform private.note_print(v_job, v_job.state, 'print.late_truth', 'It came out after all: look for a label too many. ' || coalesce(v_decision.why, ''),
        p_evidence, (v_call.moved_by).actor_id, (v_call.moved_by).device_id);
    end if;
  elsif v_job.state <> 'printed' then
    perform private.refuse_print_state(v_job, 'sent', format('This job was not begun: it is %s.', v_job.state));
  end if;
  return private.verdict(v_job, v_job.state <> v_old.state);
end $$;
comment on function public.confirm_print is
$$Here is what the printer shows now (as in begin_send); the database decides: printed, queued again (provably nothing came out), unknown (a
person must look), or nothing yet (changed = false; ask again later). Also for jobs that became unknown meanwhile: late truth counts, but
never moves what a person has decided.
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409), print.wrong_state (409), print.bad_evidence (422).
Idempotency: by the fence; a settled job answers changed = false.
Locks: the printer, then the job.$$;

create function public.print_unknown(p_job_id bigint, p_fence integer, p_reason text default null, p_evidence jsonb default null)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
  v_job public.print_jobs := v_call.job;
begin
  if p_evidence is not null and p_evidence <> 'null' then
    perform private.check_evidence(p_evidence);
  end if;
  if v_job.state in ('unknown', 'printed', 'failed', 'cancelled') then
    return private.verdict(v_job, false);
  elsif v_job.state not in ('sending', 'sent') then
    perform private.refuse_print_state(v_job, 'sending', format('This job was not begun: it is %s.', v_job.state));
  end if;
  v_job.settle_after := now() + private.print_seconds('settle', v_job.site);
  return private.verdict(private.move_print(v_job, 'unknown', v_call.moved_by, coalesce(left(p_reason, 400), 'The agent cannot tell.'), p_evidence), true);
end $$;
comment on function public.print_unknown is
$$Something went wrong after the first byte: nobody knows what came out. The agent sends nothing more for this claim.
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409), print.wrong_state (409), print.bad_evidence (422).
Idempotency: by the fence; a repeat answers changed = false.
Locks: the printer, then the job.$$;

grant execute on function public.begin_send, public.abort_send, public.mark_sent, public.confirm_print, public.print_unknown to authenticated;

-- sql/M09_printing/api_lease.sql

create function public.release_print(p_job_id bigint, p_fence integer, p_reason text default null, p_retry_s integer default 5)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
  v_job public.print_jobs := v_call.job;
begin
  if v_job.state in ('queued', 'cancelled', 'held') then
    return private.verdict(v_job, false);
  elsif v_job.state <> 'claimed' then
    perform private.refuse_print_state(v_job, 'claimed', format('Only what was not begun can be released; this job is %s.', v_job.state));
  end if;
  return private.verdict(private.requeue_print(v_job, v_call.moved_by, coalesce(left(p_reason, 400), 'The printer was not ready.'),
    make_interval(secs => least(greatest(coalesce(p_retry_s, 5), 0), 3600)), true), true);
end $$;
comment on function public.release_print is
$$The printer is not ready: the job goes back untouched, and the try does not count. It is offered again after p_retry_s seconds (0–3600).
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409), print.wrong_state (409).
Idempotency: by the fence; a repeat answers changed = false.
Locks: the printer, then the job.$$;

create function public.fail_print(p_job_id bigint, p_fence integer, p_reason text)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
  v_job public.print_jobs := v_call.job;
begin
  if v_job.state = 'failed' then
    return private.verdict(v_job, false);
  elsif v_job.state <> 'claimed' then
    perform private.refuse_print_state(v_job, 'claimed', format('Only what was not begun can fail; this job is %s.', v_job.state));
  end if;
  return private.verdict(private.move_print(v_job, 'failed', v_call.moved_by, coalesce(left(p_reason, 400), 'The agent gave no reason.')), true);
end $$;
comment on function public.fail_print is
$$This job can never be printed (its bytes are damaged, the printer does not take them): nothing has left, nothing will.
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409), print.wrong_state (409).
Idempotency: by the fence; a repeat answers changed = false.
Locks: the printer, then the job.$$;

create function public.extend_print(p_job_id bigint, p_fence integer)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
  v_job public.print_jobs := v_call.job;
begin
  if v_job.lease_until is null then
    perform private.fail(409, 'print.lease_over', format('There is nothing to extend: this job is %s.', v_job.state),
      jsonb_build_object('id', p_job_id, 'actual', v_job.state));
  end if;
  update public.print_jobs j set lease_until = greatest(j.lease_until, private.print_lease(v_job, v_job.state))
   where j.id = p_job_id returning j.* into v_job;
  return private.verdict(v_job, true);
end $$;
comment on function public.extend_print is
$$I am still at it: the lease runs anew from now. The time to begin sending is not extended.
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409), print.lease_over (409).
Idempotency: says the same again.
Locks: the printer, then the job.$$;

create function public.print_job_state(p_job_id bigint, p_fence integer)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
begin
  return private.verdict(v_call.job, false);
end $$;
comment on function public.print_job_state is
$$What the database knows of a claim whose answer was lost. It waits for a call that is still running; a stale fence is refused.
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409).
Idempotency: changes nothing.
Locks: the printer, then the job.$$;

-- I am here --------------------------------------------------------------------------------------------------------

create function private.check_report(p_report jsonb)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if coalesce(jsonb_typeof(p_report), '') <> 'object' or length(p_report::text) > 8000
    or coalesce(jsonb_typeof(p_report -> 'code'), '') <> 'string'
    or coalesce(p_report ->> 'status', 'unknown') not in ('unknown', 'idle', 'printing', 'stopped', 'unreachable')
    or jsonb_typeof(p_report -> 'reasons') not in ('array', 'null') or jsonb_typeof(p_report -> 'capabilities') not in ('object', 'null')
    or not coalesce(private.is_count(coalesce(nullif(p_report -> 'odometer', 'null'), '0')), false)
    or coalesce(nullif(p_report -> 'dpi', 'null'), '203') not in ('203', '300', '600')
  then
    perform private.fail(422, 'print.bad_report', 'What the agent says about a printer cannot be read. Update the agent.',
      jsonb_build_object('field', 'p_printers', 'actual', left(p_report::text, 500)));
  end if;
end $$;
comment on function private.check_report is
  'PT422 print.bad_report unless it is {code, status, reasons: [text], odometer, boot_id, dpi, capabilities}, all but code null or absent if not known.';

create function private.stray_labels(p_printer public.printers, p_odometer bigint)
returns integer language plpgsql stable set search_path = '' as $$
begin
  return case when p_odometer > p_printer.odometer and p_printer.last_seen_at is not null and not exists (
    select from public.print_jobs j where j.printer = p_printer.code and j.state in ('claimed', 'sending', 'sent', 'unknown'))
    and not exists (select from public.print_jobs j where j.printer = p_printer.code and j.sending_at > p_printer.last_seen_at - interval '10 minutes'
      and j.finished_at > p_printer.last_seen_at)
    then least(p_odometer - p_printer.odometer, 100000) else 0 end;
end $$;
comment on function private.stray_labels is 'How far the counter moved since the last report while no job had the printer.';

create function private.hear_printer(p_printer public.printers, p_report jsonb, p_actor uuid)
returns public.printers language plpgsql set search_path = '' as $$
declare
  v_new public.printers;
  v_odometer constant bigint := (p_report ->> 'odometer')::numeric;
  v_reasons constant text[] := array(select left(r, 60) from jsonb_array_elements_text(coalesce(nullif(p_report -> 'reasons', 'null'), '[]')) r limit 20);
  v_stray constant integer := private.stray_labels(p_printer, v_odometer);
begin
  update public.printers p
     set status = coalesce(p_report ->> 'status', 'unknown'), reasons = v_reasons,
         status_since = case when p.status = coalesce(p_report ->> 'status', 'unknown') then p.status_since else now() end,
         odometer = case when v_odometer is null then p.odometer when p.boot_id = p_report ->> 'boot_id' then greatest(p.odometer, v_odometer) else v_odometer end,
         boot_id = coalesce(left(p_report ->> 'boot_id', 100), p.boot_id), dpi = coalesce((p_report ->> 'dpi')::integer, p.dpi),
         capabilities = coalesce(nullif(p_report -> 'capabilities', 'null'), p.capabilities), last_seen_at = now(),
         labels_since_media = p.labels_since_media + v_stray,
         stray_labels = case when v_stray = 0 then p.stray_labels when p.stray_at > now() - interval '10 minutes' then p.stray_labels + v_stray else v_stray end,
         stray_at = case when v_stray = 0 then p.stray_at else now() end
   where p.code = p_printer.code returning p.* into v_new;
  if (v_new.status, v_new.reasons, v_new.dpi) is distinct from (p_printer.status, p_printer.reasons, p_printer.dpi) then
    perform private.emit_printer(v_new, 'printer.status', p_actor, jsonb_build_object('status', v_new.status, 'reasons', v_new.reasons, 'dpi', v_new.dpi));
  end if;
  if v_new.dpi is distinct from p_printer.dpi then
    perform private.refit_prints(v_new);
  end if;
  if v_new.status = 'stopped' and p_printer.status <> 'stopped' then
    perform private.note_print(j, j.state, 'print.fault', 'A fault struck while it printed: ' || private.reason_words(v_reasons) || '.',
        jsonb_build_object('faults', v_reasons), p_actor, p_printer.device_id)
      from public.print_jobs j where j.printer = p_printer.code and (j.state in ('sending', 'sent') or j.state = 'unknown' and j.evidence_after is null);
  end if;
  return v_new;
end $$;
comment on function private.hear_printer is
$$One printer as its agent sees it now. A resolution that differs wins, and what waits is compiled anew. A fault in the middle of a job is
remembered with it: the label may be spoiled although it counts.$$;

create function private.agent_status(p_device public.devices, p_status jsonb, p_clock timestamptz)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_old constant jsonb := p_device.status;
  v_instance constant text := p_status ->> 'instance';
  v_changed constant boolean := v_instance <> v_old ->> 'instance';
begin
  return coalesce(p_status, '{}') || jsonb_strip_nulls(jsonb_build_object(
    'clock_skew_ms', round(extract(epoch from p_clock - now()) * 1000),
    'instance_before', case when v_changed then v_old ->> 'instance' else v_old ->> 'instance_before' end,
    -- A restart changes the instance once. Two programs with one sign-in change it back and forth.
    'twin_at', case when v_changed and v_instance = v_old ->> 'instance_before' and p_device.last_seen_at > now() - interval '1 minute'
      then to_jsonb(now()) else v_old -> 'twin_at' end));
end $$;
comment on function private.agent_status is 'What the agent said about itself, with how far its clock is off and whether two programs use its sign-in.';

create function public.agent_heartbeat(p_version text default null, p_clock timestamptz default null, p_printers jsonb default '[]', p_status jsonb default '{}')
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.work');
  v_device public.devices := private.agent_of(v_actor);
  v_printer public.printers;
  v_report jsonb;
begin
  if coalesce(jsonb_typeof(p_status), '') <> 'object' or length(p_status::text) > 7000 then
    perform private.fail(422, 'device.status', 'The status is a small object of at most 7000 characters.', jsonb_build_object('field', 'p_status'));
  elsif coalesce(jsonb_typeof(p_printers), '') <> 'array' or jsonb_array_length(p_printers) > 100 then
    perform private.fail(422, 'print.bad_report', 'An agent reports a list of at most 100 printers.', jsonb_build_object('field', 'p_printers'));
  end if;
  perform private.check_report(r) from jsonb_array_elements(p_printers) r;
  for v_printer in select p.* from public.printers p where p.device_id = v_device.id order by p.code for no key update loop
    select r into v_report from jsonb_array_elements(p_printers) r where r ->> 'code' = v_printer.code limit 1;
    if found then
      perform private.hear_printer(v_printer, v_report, v_actor);
    end if;
  end loop;
  update public.devices d
     set last_seen_at = now(), version = coalesce(left(p_version, 64), d.version), status = private.agent_status(v_device, p_status, p_clock)
   where d.id = v_device.id;
  return jsonb_build_object('server_time', now(), 'clock_skew_ms', round(extract(epoch from p_clock - now()) * 1000), 'poll_ms', 1000, 'printers', (
    select coalesce(jsonb_agg(jsonb_build_object('code', p.code, 'site', p.site, 'name', p.name, 'language', p.language, 'address', p.address,
        'dpi', p.dpi, 'media_width_mm', p.media_width_mm, 'media_height_mm', p.media_height_mm, 'loaded_media', p.loaded_media,
        'evidence_level', p.evidence_level, 'is_enabled', p.is_enabled, 'halted_reason', p.halted_reason, 'epoch', p.owner_epoch) order by p.code), '[]')
      from public.printers p where p.device_id = v_device.id));
end $$;
comment on function public.agent_heartbeat is
$$The agent is here, with how its printers are: p_printers [{code, status unknown|idle|printing|stopped|unreachable, reasons [IPP words],
odometer, boot_id, dpi, capabilities}]; p_clock its clock; p_status a small object about itself, where instance names the running program.
Answers {server_time, clock_skew_ms, poll_ms, printers: what it owns, as configured}. Printers of others are passed over.
Permission: printing.work (print agents only).
Errors: print.bad_report (422), device.status (422).
Idempotency: says the same again.
Locks: the own printers, by code, then the device row.$$;

grant execute on function public.release_print, public.fail_print, public.extend_print, public.print_job_state, public.agent_heartbeat to authenticated;

-- sql/M09_printing/api_templates.sql

create type public.label_template_row as (
  code text, label_type text, name text, media text, site text, is_default boolean, width_mm numeric, height_mm numeric,
  active_version_id bigint, active_version integer, newest_version_id bigint, newest_version integer, newest_status text, newest_is_proved boolean);
comment on type public.label_template_row is 'A template with the version that prints and the newest one; size is that of the newest.';

create function public.list_label_templates(p_label_type text default null)
returns setof public.label_template_row language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('printing.read');
  return query
    select t.code, t.label_type, t.name, t.media, t.site, t.is_default, newest.width_mm, newest.height_mm, active.id, active.version,
           newest.id, newest.version, newest.status, private.is_proved(newest)
      from public.label_templates t
      join lateral (select v.* from public.label_template_versions v where v.template = t.code order by v.version desc limit 1) newest on true
      left join public.label_template_versions active on active.template = t.code and active.status = 'active'
     where t.label_type = coalesce(p_label_type, t.label_type)
     order by t.label_type, t.is_default desc, t.code;
end $$;
comment on function public.list_label_templates is
$$All label templates, or those of one label type.
Permission: printing.read.
Errors: none of its own.
Idempotency: a read.
Locks: none.$$;

create function public.get_label_template(p_code text)
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_template public.label_templates;
begin
  perform private.authorize('printing.read');
  v_template := private.find_label_template(p_code);
  return to_jsonb(v_template) || jsonb_build_object('versions', (
    select jsonb_agg(to_jsonb(v) || jsonb_build_object('is_proved', private.is_proved(v), 'variables', private.fields_variables(v.fields),
        'proofs', (select coalesce(jsonb_agg(to_jsonb(p) order by p.id desc), '[]') from public.label_proofs p where p.version_id = v.id)) order by v.version desc)
      from public.label_template_versions v where v.template = v_template.code));
end $$;
comment on function public.get_label_template is
$$One template: its row, and versions (newest first), each with is_proved, variables and proofs (newest first).
Permission: printing.read.
Errors: label.unknown_template (404).
Idempotency: a read.
Locks: none.$$;

create function private.find_label_template(p_code text)
returns public.label_templates language plpgsql set search_path = '' as $$
declare
  v_template public.label_templates;
begin
  select t.* into v_template from public.label_templates t where t.code = p_code;
  if v_template.code is null then
    perform private.fail(404, 'label.unknown_template', format('There is no template %s.', p_code), jsonb_build_object('template', p_code));
  end if;
  return v_template;
end $$;

create function private.fields_variables(p_fields jsonb)
returns text[] language plpgsql immutable set search_path = '' as $$
begin
  return array(select distinct v from jsonb_array_elements(p_fields) f, unnest(private.label_variables(f ->> 'value')) v order by 1);
end $$;
comment on function private.fields_variables is 'Names of all variables that a template shows.';

create function private.save_label_version(
  p_template public.label_templates, p_width_mm numeric, p_height_mm numeric, p_fields jsonb, p_actor uuid)
returns public.label_template_versions language plpgsql set search_path = '' as $$
declare
  v_hash text;
  v_version public.label_template_versions;
begin
  perform private.check_label(p_fields, p_width_mm, p_height_mm);
  v_hash := private.label_hash(p_fields, p_width_mm, p_height_mm);
  select v.* into v_version from public.label_template_versions v where v.template = p_template.code order by v.version desc limit 1;
  if v_version.content_hash = v_hash and v_version.status <> 'retired' then
    return v_version;
  end if;
  insert into public.label_template_versions (template, version, width_mm, height_mm, fields, content_hash, created_by)
  values (p_template.code, coalesce(v_version.version, 0) + 1, p_width_mm, p_height_mm, p_fields, v_hash,
    nullif(p_actor, '00000000-0000-0000-0000-000000000000')) returning * into v_version;
  return v_version;
end $$;
comment on function private.save_label_version is
  'The newest version when it says the same, else a new draft. The template row is locked. Errors: label.bad_template (422).';

create function public.save_label_template(
  p_code text, p_label_type text, p_name text, p_media text, p_width_mm numeric, p_height_mm numeric, p_fields jsonb,
  p_site text default null, p_request_id uuid default null)
returns public.label_template_versions language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('labels.manage', p_site => p_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_label_template',
    jsonb_build_array(p_code, p_label_type, p_name, p_media, p_width_mm, p_height_mm, p_fields, p_site));
  v_template public.label_templates;
  v_version public.label_template_versions;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.label_template_versions, v_answer);
  end if;
  insert into public.label_templates (code, label_type, name, media, site, is_default)
  values (p_code, p_label_type, p_name, p_media, p_site, false)
  on conflict on constraint label_templates_pkey do nothing;
  select t.* into v_template from public.label_templates t where t.code = p_code for update;
  if v_template.label_type <> p_label_type or v_template.site is distinct from p_site then
    perform private.fail(409, 'label.other_template', format('%s is a template for %s labels of %s. Choose another code.', p_code, v_template.label_type,
      coalesce('site ' || v_template.site, 'every site')), jsonb_build_object('label_type', v_template.label_type, 'site', v_template.site));
  end if;
  update public.label_templates t set name = p_name, media = p_media where t.code = p_code returning t.* into v_template;
  v_version := private.save_label_version(v_template, p_width_mm, p_height_mm, p_fields, v_actor);
  perform private.emit('label', p_code, 'label.saved', v_actor,
    jsonb_build_object('version', v_version.version, 'status', v_version.status, 'content_hash', v_version.content_hash), p_site => p_site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_version));
  return v_version;
end $$;
comment on function public.save_label_template is
$$Save a template: what differs from its newest version becomes a new draft, which prints only after proof and activation.
p_fields: [{kind: text|code128|qr|datamatrix|box|image, x, y, …}] in mm from the top left; {{variable}} only inside value. p_site null: for every site.
Permission: labels.manage (at p_site).
Errors: label.bad_template (422) with the field, label.other_template (409), request.reused (422).
Idempotency: by p_request_id; the same content again answers the same version.
Locks: the template row.$$;

create function private.find_label_version(p_version_id bigint)
returns public.label_template_versions language plpgsql set search_path = '' as $$
declare
  v_version public.label_template_versions;
begin
  select v.* into v_version from public.label_template_versions v where v.id = p_version_id;
  if v_version.id is null then
    perform private.fail(404, 'label.unknown_version', 'There is no such version of a template.', jsonb_build_object('version_id', p_version_id));
  end if;
  return v_version;
end $$;

create function private.lock_label_template(p_version_id bigint)
returns public.label_templates language plpgsql set search_path = '' as $$
declare
  v_code text := (private.find_label_version(p_version_id)).template;
  v_template public.label_templates;
begin
  select t.* into v_template from public.label_templates t where t.code = v_code for update;
  perform private.authorize('labels.manage', p_site => v_template.site);
  return v_template;
end $$;
comment on function private.lock_label_template is
  'The template of a version, locked, for who may manage it at its site. Errors: label.unknown_version (404).';

-- Proof ------------------------------------------------------------------------------------------------------------

create function public.label_proof_cases(p_version_id bigint)
returns setof public.label_proof_case language plpgsql stable security definer set search_path = '' as $$
declare
  v_version public.label_template_versions;
begin
  perform private.authorize('labels.manage');
  v_version := private.find_label_version(p_version_id);
  return query select * from private.proof_cases(v_version);
end $$;
comment on function public.label_proof_cases is
$$The pictures of a proof: draw each payload (ZPL) and read its codes, then record_label_proof decides.
Permission: labels.manage.
Errors: label.unknown_version (404), label.does_not_fit (422) and label.bad_data (422) when not even the shortest code fits.
Idempotency: a read.
Locks: none.$$;

create function public.record_label_proof(p_version_id bigint, p_results jsonb, p_request_id uuid default null)
returns setof public.label_proofs language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('labels.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'record_label_proof', jsonb_build_array(p_version_id, p_results));
  v_version public.label_template_versions;
  v_template public.label_templates;
begin
  if v_answer is null then
    if coalesce(jsonb_typeof(p_results), '') <> 'array' or exists (
      select from jsonb_array_elements(p_results) r where coalesce(jsonb_typeof(r), '') <> 'object' or coalesce(jsonb_typeof(r -> 'read'), '') <> 'array'
        or exists (select from jsonb_array_elements(r -> 'read') c where jsonb_typeof(c) <> 'object')) then
      perform private.fail(400, 'label.bad_results', 'Results of a proof look like [{"case_no": 1, "read": [{"symbology": "qr", "text": "…"}]}].');
    end if;
    v_template := private.lock_label_template(p_version_id);
    v_version := private.find_label_version(p_version_id);
    with saved as (
      insert into public.label_proofs (version_id, dpi, content_hash, passed, results, proved_by)
      select v_version.id, j.dpi, v_version.content_hash, j.passed, j.results, nullif(v_actor, '00000000-0000-0000-0000-000000000000')
        from private.judge_proof(v_version, p_results) j order by j.dpi returning *
    )
    select jsonb_agg(to_jsonb(s) order by s.dpi) into v_answer from saved s;
    perform private.emit('label', v_version.template, 'label.proved', v_actor, jsonb_build_object('version', v_version.version,
      'passed', not jsonb_path_exists(v_answer, '$[*] ? (@.passed == false)'), 'content_hash', v_version.content_hash), p_site => v_template.site);
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return query select p.* from jsonb_populate_recordset(null::public.label_proofs, v_answer) p;
end $$;
comment on function public.record_label_proof is
$$What was read in the pictures of label_proof_cases; the database compares and keeps one proof per resolution.
p_results: [{case_no, read: [{symbology: code128|qr|datamatrix, text}]}]. A case that is missing, a wrong text and a code too many all fail.
Permission: labels.manage.
Errors: label.bad_results (400), label.unknown_version (404), label.does_not_fit (422), label.bad_data (422), request.reused (422).
Idempotency: by p_request_id; without it a repeat keeps another proof.
Locks: the template row.$$;

create function private.activate_label(p_template public.label_templates, p_version public.label_template_versions)
returns public.label_template_versions language plpgsql set search_path = '' as $$
declare
  v_version public.label_template_versions;
begin
  if not private.is_proved(p_version) then
    perform private.fail(412, 'label.not_proved', 'First the codes of this version must be read back at 203, 300 and 600 dpi. Run its proof.',
      jsonb_build_object('version_id', p_version.id, 'content_hash', p_version.content_hash));
  end if;
  update public.label_template_versions v set status = 'retired' where v.template = p_template.code and v.status = 'active';
  update public.label_template_versions v set status = 'active', activated_at = now() where v.id = p_version.id returning v.* into v_version;
  update public.label_templates t set is_default = true where t.code = p_template.code and not exists (
    select from public.label_templates d where d.label_type = t.label_type and d.site is not distinct from t.site and d.is_default);
  return v_version;
end $$;
comment on function private.activate_label is
  'The proved version prints, the one before is retired; the first template of its type becomes the default. Errors: label.not_proved (412).';

create function public.activate_label_version(p_version_id bigint, p_request_id uuid default null)
returns public.label_template_versions language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('labels.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'activate_label_version', jsonb_build_array(p_version_id));
  v_template public.label_templates;
  v_version public.label_template_versions;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.label_template_versions, v_answer);
  end if;
  v_template := private.lock_label_template(p_version_id);
  v_version := private.find_label_version(p_version_id);
  if v_version.status <> 'active' then
    v_version := private.activate_label(v_template, v_version);
    perform private.emit('label', v_template.code, 'label.activated', v_actor,
      jsonb_build_object('version', v_version.version, 'content_hash', v_version.content_hash), p_site => v_template.site);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_version));
  return v_version;
end $$;
comment on function public.activate_label_version is
$$From now on labels of this template are printed with this version; the one before is retired. An older version can come back the same way.
Permission: labels.manage at the template's site.
Errors: label.unknown_version (404), label.not_proved (412), request.reused (422).
Idempotency: by p_request_id; an active version stays as it is.
Locks: the template row.$$;

create function public.retire_label_version(p_version_id bigint, p_request_id uuid default null)
returns public.label_template_versions language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('labels.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'retire_label_version', jsonb_build_array(p_version_id));
  v_template public.label_templates;
  v_version public.label_template_versions;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.label_template_versions, v_answer);
  end if;
  v_template := private.lock_label_template(p_version_id);
  v_version := private.find_label_version(p_version_id);
  if v_version.status <> 'retired' then
    update public.label_template_versions v set status = 'retired' where v.id = p_version_id returning v.* into v_version;
    perform private.emit('label', v_template.code, 'label.retired', v_actor, jsonb_build_object('version', v_version.version), p_site => v_template.site);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_version));
  return v_version;
end $$;
comment on function public.retire_label_version is
$$This version prints no more. Jobs that are queued keep the label that was made for them.
Permission: labels.manage at the template's site.
Errors: label.unknown_version (404), request.reused (422).
Idempotency: by p_request_id; a retired version stays as it is.
Locks: the template row.$$;

create function public.set_default_label_template(p_code text, p_request_id uuid default null)
returns public.label_templates language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('labels.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'set_default_label_template', jsonb_build_array(p_code));
  v_template public.label_templates;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.label_templates, v_answer);
  end if;
  v_template := private.find_label_template(p_code);
  perform private.authorize('labels.manage', p_site => v_template.site);
  perform from public.label_templates t
    where t.label_type = v_template.label_type and t.site is not distinct from v_template.site order by t.code for update;
  select t.* into v_template from public.label_templates t where t.code = p_code;
  if not v_template.is_default then
    update public.label_templates t set is_default = false
     where t.label_type = v_template.label_type and t.site is not distinct from v_template.site and t.is_default;
    update public.label_templates t set is_default = true where t.code = p_code returning t.* into v_template;
    perform private.emit('label', p_code, 'label.made_default', v_actor, jsonb_build_object('label_type', v_template.label_type), p_site => v_template.site);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_template));
  return v_template;
end $$;
comment on function public.set_default_label_template is
$$Labels of this type are made with this template when nobody names another.
Permission: labels.manage at the template's site.
Errors: label.unknown_template (404), request.reused (422).
Idempotency: by p_request_id; a default stays the default.
Locks: the templates of the label type, by code.$$;

-- Preview ----------------------------------------------------------------------------------------------------------

create function public.preview_label(
  p_fields jsonb, p_width_mm numeric, p_height_mm numeric, p_dpi integer, p_data jsonb default '{}', p_language text default 'zpl')
returns text language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('labels.manage');
  perform private.check_label(p_fields, p_width_mm, p_height_mm);
  return private.compile_fields(p_fields, p_width_mm, p_height_mm, array[p_data], 1, p_language, p_dpi);
end $$;
comment on function public.preview_label is
$$What a printer of p_dpi (203, 300, 600) would be sent for one label of these fields, which need not be saved.
Permission: labels.manage.
Errors: label.bad_template (422) with the field, label.bad_data (422), label.does_not_fit (422), label.bad_dpi (422).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.list_label_templates, public.get_label_template, public.save_label_template, public.label_proof_cases,
  public.record_label_proof, public.activate_label_version, public.retire_label_version, public.set_default_label_template,
  public.preview_label to authenticated, service_role;

-- sql/M09_printing/api_preview.sql

create type public.label_preview as (
  label_type text, template text, version_id bigint, printer text, printer_name text, dpi integer, width_mm numeric, height_mm numeric, payload text);
comment on type public.label_preview is 'What a request would print where; payload is ZPL for a picture, also for printers of another language.';

create function public.preview_print(
  p_label_type text, p_subject text, p_data jsonb default '{}', p_station text default null, p_printer text default null,
  p_template text default null)
returns public.label_preview language plpgsql stable security definer set search_path = '' as $$
declare
  v_labels jsonb := jsonb_build_array(jsonb_build_object('subject', p_subject, 'data', coalesce(p_data, '{}')));
  v_place private.print_place;
  v_version public.label_template_versions;
  v_printer public.printers;
begin
  perform private.authorize('printing.request');
  v_place := private.print_place(private.store_of_labels(v_labels), p_station, p_printer);
  perform private.authorize('printing.request', v_place.store, v_place.site);
  perform private.authorize_labels(v_labels);
  v_version := private.active_label_version(p_label_type, v_place.site, p_template);
  v_printer := private.printer_for(v_place, row(p_label_type, 1, p_printer, p_template, 10)::private.print_wish,
    (select t.media from public.label_templates t where t.code = v_version.template));
  return row(p_label_type, v_version.template, v_version.id, v_printer.code, v_printer.name, v_printer.dpi, v_version.width_mm, v_version.height_mm,
    private.compile_label(v_version, jsonb_set(v_labels, '{0,data}', private.label_data(p_subject, p_data)), 1, 'zpl', v_printer.dpi))::public.label_preview;
end $$;
comment on function public.preview_print is
$$The label that request_print would make with the same arguments, for a look before it is printed. Nothing is stored.
Permission: printing.request in the store and site.
Errors: label.unknown_template (404), label.no_template (412), label.bad_data (422), label.does_not_fit (422), print.no_printer (412),
  print.no_resolution (412), print.where (422).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.preview_print to authenticated;

-- sql/M09_printing/api_board.sql

create type public.printer_card as (
  printer public.printers, agent text, agent_state text, agent_version text, state text, message text, waiting bigint, held bigint, unknown bigint,
  oldest_waiting_at timestamptz, job_id bigint, job_state public.print_job_state, last_job_id bigint, last_printed_at timestamptz,
  begin_p50_ms integer, begin_p95_ms integer, done_p50_ms integer, done_p95_ms integer);
comment on type public.printer_card is
$$A printer on the board. state: ready, printing, trouble, halted, off or away (its agent is not there); message says it in words and what to do.
job: the one that has the printer now. begin_*: from the request to the first byte; done_*: to the proof; of the last 200 jobs of a day.$$;

create type public.print_alarm as (
  kind text, site text, printer text, device text, job_id bigint, subject text, since timestamptz, message text, next_action text, target text);
comment on type public.print_alarm is 'Something that a person should know now: kind, where, since when, a sentence, the RPC that helps and the page that shows it.';

create type public.print_page as (jobs public.print_jobs[], next_cursor text);
comment on type public.print_page is 'Print jobs, newest first, without payloads; next_cursor is null on the last page.';

create type public.station_printing as (
  label_type text, printer text, printer_name text, state text, message text, template text, template_name text, printers jsonb, templates jsonb);
comment on type public.station_printing is
$$What a station prints with: the printer that would take the label now, the template, and the choices: printers [{code, name, message}] in the
order of the route, templates [{code, name}].$$;

create function private.agent_state(p_device public.devices, p_now timestamptz default now())
returns text language plpgsql stable set search_path = '' as $$
begin
  return case when p_device.revoked_at is not null then 'offline' when p_device.last_seen_at > p_now - interval '30 seconds' then 'online'
    when p_device.last_seen_at > p_now - interval '90 seconds' then 'late' else 'offline' end;
end $$;

create function private.printer_state(p_printer public.printers, p_agent_state text)
returns text language plpgsql stable set search_path = '' as $$
begin
  return case when not p_printer.is_enabled then 'off' when p_printer.halted_reason is not null then 'halted'
    when coalesce(p_agent_state, 'offline') = 'offline' then 'away' when p_printer.status in ('stopped', 'unreachable') then 'trouble'
    when p_printer.status = 'printing' then 'printing' when p_printer.status = 'unknown' then 'away' else 'ready' end;
end $$;

create function private.printer_message(p_printer public.printers, p_agent_state text)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_words text := private.reason_words(p_printer.reasons);
begin
  return case private.printer_state(p_printer, p_agent_state)
    when 'off' then 'Out of service.'
    when 'halted' then format('Stopped here: %s. Resume it when it may print.', p_printer.halted_reason)
    when 'away' then case when p_printer.device_id is null then 'No agent looks after it. Choose one.'
      else 'Its agent is not there: is the computer beside it running?' end
    when 'trouble' then upper(left(v_words, 1)) || substr(v_words, 2) || '.'
    when 'printing' then 'Printing.'
    else case when p_printer.reasons = '{}' then 'Ready.' else format('Ready; %s.', v_words) end end;
end $$;

create function private.latency(p_printer text, out p_begin numeric[], out p_done numeric[])
returns record language plpgsql stable set search_path = '' as $$
begin
  select percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from j.sending_at - j.queued_at) * 1000),
      percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from j.finished_at - j.queued_at) * 1000) filter (where j.state = 'printed')
    into p_begin, p_done
    from (select * from public.print_jobs r where r.printer = p_printer and r.sending_at > now() - interval '1 day' order by r.sending_at desc limit 200) j;
end $$;

create function public.get_printers_board(p_site text default null)
returns setof public.printer_card language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('printing.read', null, p_site);
  return query
    select p, d.code, private.agent_state(d), d.version, private.printer_state(p, private.agent_state(d)), private.printer_message(p, private.agent_state(d)),
      q.waiting, (select count(*) from public.print_jobs j where j.printer = p.code and j.state = 'held'), o.unknown, q.oldest,
      o.job_id, (select j.state from public.print_jobs j where j.id = o.job_id), l.id, l.finished_at,
      t.p_begin[1]::integer, t.p_begin[2]::integer, t.p_done[1]::integer, t.p_done[2]::integer
      from public.printers p
      left join public.devices d on d.id = p.device_id
      cross join lateral (select count(*) as waiting, min(j.queued_at) as oldest from public.print_jobs j where j.printer = p.code and j.state = 'queued') q
      cross join lateral (select count(*) filter (where j.state = 'unknown') as unknown, max(j.id) filter (where j.state <> 'unknown') as job_id
        from public.print_jobs j where j.printer = p.code and j.state in ('claimed', 'sending', 'sent', 'unknown')) o
      left join lateral (select j.id, j.finished_at from public.print_jobs j
        where j.printer = p.code and j.sending_at is not null and j.state = 'printed' order by j.sending_at desc limit 1) l on true
      cross join lateral private.latency(p.code) t
     where p.code = any (private.readable_printers()) and (p_site is null or p.site = p_site)
     order by p.site, p.code;
end $$;
comment on function public.get_printers_board is
$$Every printer (of a site) with how it is in words, its queue, what it has done last and how fast.
Permission: printing.read at the site; a print agent sees its own printers.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create function private.default_template(p_label_type text, p_site text)
returns public.label_templates language plpgsql stable set search_path = '' as $$
declare
  v_template public.label_templates;
begin
  select t.* into v_template from public.label_templates t where t.code = (private.active_label_version(p_label_type, p_site)).template;
  return v_template;
exception when sqlstate 'PT412' then
  return null;
end $$;
comment on function private.default_template is 'The template of active_label_version; null where none is active.';

create function public.get_station_printing(p_station text default null)
returns setof public.station_printing language plpgsql stable security definer set search_path = '' as $$
declare
  v_place private.print_place;
begin
  perform private.authorize('printing.read');
  v_place := private.print_place(null, p_station, null);
  perform private.authorize('printing.read', null, v_place.site);
  return query
    select r.label_type, p.code, p.name, private.printer_state(p.printer, p.agent_state), private.printer_message(p.printer, p.agent_state), t.code, t.name,
      (select jsonb_agg(jsonb_build_object('code', x.code, 'name', x.name, 'message', private.printer_trouble(x, t.media)))
         from private.routed_printers(v_place.site, v_place.station, r.label_type) x),
      (select jsonb_agg(jsonb_build_object('code', a.code, 'name', a.name) order by a.is_default desc, a.code) from public.label_templates a
        where a.label_type = r.label_type and (a.site is null or a.site = v_place.site)
          and exists (select from public.label_template_versions v where v.template = a.code and v.status = 'active'))
      from (select distinct g.label_type from public.print_routes g where g.site = v_place.site and (g.station is null or g.station = v_place.station)) r
      cross join lateral private.default_template(r.label_type, v_place.site) t
      cross join lateral (
        select x.code, x.name, x as printer, private.agent_state(d) as agent_state
          from private.pick_printer(v_place.site, v_place.station, r.label_type, t.media) x left join public.devices d on d.id = x.device_id
         where x.code is not null) p
     order by r.label_type;
end $$;
comment on function public.get_station_printing is
$$What this station (p_station, else the header x-takt-station; else the whole site) prints with, per label type that has a route: the printer
and the template that would be taken now, and the others.
Permission: printing.read at the site.
Errors: print.no_station (404), print.where (422), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_printers_board to authenticated, service_role;
grant execute on function public.get_station_printing to authenticated;

-- sql/M09_printing/api_read.sql

create function public.get_print_jobs(
  p_state public.print_job_state default null, p_printer text default null, p_subject text default null, p_limit integer default 50,
  p_cursor text default null)
returns public.print_page language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 50), 1), 200);
  v_after bigint;
  v_printers text[];
  v_stores text[];
  v_ids bigint[];
  v_page public.print_page;
begin
  perform private.authorize('printing.read');
  v_after := (private.keys_of(p_cursor, 1) ->> 0)::bigint;
  v_printers := private.readable_printers();
  v_stores := private.readable_stores('printing.read');
  v_ids := case when p_subject is not null
    then array(select l.job_id from public.print_job_labels l where l.subject = p_subject order by l.job_id desc limit 1000) end;
  v_page.jobs := array(
    select j from public.print_jobs j
     where (p_state is null or j.state = p_state) and (p_printer is null or j.printer = p_printer) and (v_ids is null or j.id = any (v_ids))
       and (v_after is null or j.id < v_after) and j.printer = any (v_printers) and (j.store is null or j.store = any (v_stores))
     order by j.id desc limit v_limit + 1);
  if cardinality(v_page.jobs) > v_limit then
    v_page.jobs := v_page.jobs[1:v_limit];
    v_page.next_cursor := private.cursor_of(jsonb_build_array((v_page.jobs[v_limit]).id));
  end if;
  for i in 1..cardinality(v_page.jobs) loop
    v_page.jobs[i].payload := null;
  end loop;
  return v_page;
end $$;
comment on function public.get_print_jobs is
$$Print jobs, newest first, of a state, a printer, or a thing (p_subject). p_limit 1–200.
Permission: printing.read in the store of the label and at the site; a print agent sees the jobs of its own printers.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

create function public.get_print_job(p_job_id bigint)
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_job public.print_jobs;
  v_version public.label_template_versions;
begin
  select j.* into v_job from public.print_jobs j where j.id = p_job_id;
  perform private.authorize('printing.read', v_job.store, v_job.site);
  if v_job.id is null or not v_job.printer = any (private.readable_printers()) then
    perform private.fail(404, 'print.no_job', 'There is no print job ' || coalesce(p_job_id::text, '') || '.', jsonb_build_object('id', p_job_id));
  end if;
  select v.* into v_version from public.label_template_versions v where v.id = v_job.version_id;
  return jsonb_build_object(
    'job', to_jsonb(v_job), 'printer_name', (select p.name from public.printers p where p.code = v_job.printer),
    'template', v_version.template, 'version', v_version.version, 'width_mm', v_version.width_mm, 'height_mm', v_version.height_mm,
    'labels', (select jsonb_agg(to_jsonb(l) order by l.seq) from public.print_job_labels l where l.job_id = p_job_id),
    'reprints', (select coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'state', r.state, 'reason', r.reason, 'print_no', r.print_no) order by r.id), '[]')
      from public.print_jobs r where r.reprint_of = p_job_id),
    'requested_by_name', private.actor_name(v_job.requested_by),
    'events', (select jsonb_agg(to_jsonb(e) || jsonb_build_object('actor_name', private.actor_name(e.actor_id)) order by e.id)
      from public.print_job_events e where e.job_id = p_job_id));
end $$;
comment on function public.get_print_job is
$$One job with everything: {job (with its payload), printer_name, template, version, width_mm, height_mm, labels, reprints, requested_by_name,
events (oldest first, with actor_name)}.
Permission: printing.read in the store of the label and at the site.
Errors: print.no_job (404).
Idempotency: a read.
Locks: none.$$;

create function private.actor_name(p_actor uuid)
returns text language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select s.full_name from public.staff_shared s where s.user_id = p_actor),
    (select d.name from public.devices d where d.user_id = p_actor));
end $$;
comment on function private.actor_name is 'Name of a person or device; null for the server itself.';

-- Alarms -----------------------------------------------------------------------------------------------------------

create function private.alarm(
  p_kind text, p_site text, p_printer text, p_device text, p_job_id bigint, p_subject text, p_since timestamptz, p_message text, p_next_action text)
returns public.print_alarm language plpgsql immutable set search_path = '' as $$
begin
  return row(p_kind, p_site, p_printer, p_device, p_job_id, p_subject, p_since, p_message, p_next_action,
    '/printing' || coalesce('/jobs/' || p_job_id, ''))::public.print_alarm;
end $$;

create function private.job_alarms(p_printers text[], p_stores text[])
returns setof public.print_alarm language sql stable set search_path = '' as $$
  select private.alarm('print.unknown', j.site, j.printer, null, j.id, j.subject, coalesce(j.sent_at, j.sending_at),
      format('Did the label of %s come out on %s? Look there and say so.', j.subject, j.printer), 'resolve_print')
    from public.print_jobs j where j.state = 'unknown' and j.printer = any (p_printers) and (j.store is null or j.store = any (p_stores))
  union all
  select private.alarm('print.held', j.site, j.printer, null, j.id, j.subject, j.queued_at, format('The label of %s is held. %s', j.subject, j.why),
      case when j.why like 'Wrong media: %' then 'set_loaded_media' else 'resume_print' end)
    from public.print_jobs j where j.state = 'held' and j.printer = any (p_printers) and (j.store is null or j.store = any (p_stores))
  union all
  select private.alarm('print.extra', j.site, j.printer, null, j.id, j.subject, j.finished_at,
      format('%s labels too many came out with the label of %s: look for a duplicate.', j.extra_labels, j.subject), null)
    from public.print_jobs j where j.sending_at > now() - interval '2 hours' and j.extra_labels > 0 and j.finished_at > now() - interval '1 hour'
     and j.printer = any (p_printers) and (j.store is null or j.store = any (p_stores))
  union all
  select private.alarm('print.half', j.site, j.printer, null, j.id, j.subject, e.at,
      format('Half a label of %s may lie at %s, and it was printed once more: destroy the half one.', j.subject, j.printer), null)
    from public.print_jobs j cross join lateral (select max(v.at) as at from public.print_job_events v
      where v.job_id = j.id and v.to_state = 'queued' and v.reason like '%Half a label may lie there.') e
   where j.sending_at > now() - interval '2 hours' and j.attempts > 1 and e.at > now() - interval '1 hour'
     and j.printer = any (p_printers) and (j.store is null or j.store = any (p_stores))
  union all
  select private.alarm('print.late_truth', j.site, j.printer, null, j.id, j.subject, e.at,
      format('The label of %s, settled as %s, came out after all: look for a label too many.', j.subject, j.state), null)
    from public.print_jobs j cross join lateral (select max(v.at) as at from public.print_job_events v
      where v.job_id = j.id and v.from_state = v.to_state and v.reason like 'It came out after all%') e
   where j.state in ('failed', 'cancelled') and j.sending_at > now() - interval '1 day' and e.at is not null
     and j.printer = any (p_printers) and (j.store is null or j.store = any (p_stores))
  union all
  select private.alarm('print.duplicate', j.site, j.printer, null, j.id, j.subject, e.at, e.reason || ' Look for the first one and destroy it.', null)
    from public.print_jobs j join public.print_job_events e on e.job_id = j.id and e.at > now() - interval '1 hour' and e.evidence -> 'is_twin' = 'true'
   where j.reprint_of is not null and j.printer = any (p_printers) and (j.store is null or j.store = any (p_stores))
$$;

create function private.printer_alarms(p_printers text[])
returns setof public.print_alarm language sql stable set search_path = '' as $$
  with p as (
    select p.*, d.code as device, private.agent_state(d) as agent_state, d.last_seen_at as agent_seen_at, (d.status ->> 'twin_at')::timestamptz as twin_at,
        q.waiting, q.oldest, exists (select from public.print_jobs j where j.printer = p.code and j.state in ('sending', 'sent')) as is_at_work
      from public.printers p left join public.devices d on d.id = p.device_id
      cross join lateral (select count(*) as waiting, min(j.queued_at) as oldest from public.print_jobs j where j.printer = p.code and j.state = 'queued') q
     where p.code = any (p_printers)
  )
  select private.alarm('printer.fault', p.site, p.code, p.device, null, null, p.status_since,
      format('%s does not print, %s labels wait: %s.', p.name, p.waiting, private.reason_words(p.reasons)), null)
    from p where p.is_enabled and p.status in ('stopped', 'unreachable') and p.status_since < now() - interval '60 seconds' and (p.waiting > 0 or p.is_at_work)
  union all
  select private.alarm('print.waiting', p.site, p.code, p.device, null, null, p.oldest,
      format('%s labels wait for %s, the oldest for %s minutes.', p.waiting, p.name, floor(extract(epoch from now() - p.oldest) / 60)),
      case when p.halted_reason is not null then 'resume_printer' end)
    from p where p.oldest < now() - interval '2 minutes'
  union all
  select private.alarm('printer.media', p.site, p.code, p.device, null, null, p.status_since,
      format('%s is nearly out of labels or ribbon.', p.name), 'set_loaded_media')
    from p where p.is_enabled and p.reasons && array['media-low', 'marker-supply-low']
  union all
  select private.alarm('printer.stray', p.site, p.code, p.device, null, null, p.stray_at,
      format('%s labels came out of %s without a job: the feed button, or somebody prints outside the system.', p.stray_labels, p.name), null)
    from p where p.stray_at > now() - interval '10 minutes'
  union all
  select private.alarm('agent.offline', min(p.site), null, p.device, null, null, max(p.agent_seen_at),
      format('The print agent %s is not there: %s do not print.', p.device, string_agg(p.name, ', ' order by p.name)), null)
    from p where p.is_enabled and p.device is not null and p.agent_state = 'offline' group by p.device
  union all
  select private.alarm('agent.twice', min(p.site), null, p.device, null, null, max(p.twin_at),
      format('Two programs use the sign-in of %s. Stop one of them.', p.device), null)
    from p where p.twin_at > now() - interval '2 minutes' group by p.device
$$;

create function private.label_alarms(p_site text, p_printers text[], p_stores text[])
returns setof public.print_alarm language sql stable set search_path = '' as $$
  select private.alarm('print.refused', r.site, null, null, null, r.subject, r.at,
      format('The label of %s could not be asked for: %s', r.subject, r.message), 'request_print')
    from private.print_refusals r where r.at > now() - interval '1 day' and r.store = any (p_stores) and (p_site is null or r.site = p_site)
  union all
  select private.alarm('template.failing', min(j.site), null, null, null, v.template, min(j.finished_at),
      format('%s labels of the template %s could not be printed in the last hour.', count(*), v.template), null)
    from public.print_jobs j join public.label_template_versions v on v.id = j.version_id
   where j.state = 'failed' and j.sending_at is null and j.finished_at > now() - interval '1 hour' and j.printer = any (p_printers)
     and (j.store is null or j.store = any (p_stores))
   group by v.template having count(*) >= 3
$$;

create function public.get_print_alarms(p_site text default null)
returns setof public.print_alarm language plpgsql stable security definer set search_path = '' as $$
declare
  v_stores text[];
  v_printers text[];
begin
  perform private.authorize('printing.read', null, p_site);
  v_stores := private.readable_stores('printing.read');
  v_printers := array(select p.code from public.printers p where p.code = any (private.readable_printers()) and (p_site is null or p.site = p_site));
  return query
    select * from private.job_alarms(v_printers, v_stores)
    union all select * from private.printer_alarms(v_printers)
    union all select * from private.label_alarms(p_site, v_printers, v_stores);
end $$;
comment on function public.get_print_alarms is
$$What needs a person now (at a site). kind: print.unknown (did it come out?), print.held, print.waiting (over 2 minutes), print.extra, print.half
(half a label and a whole one), print.late_truth, print.duplicate (a lost label turned up beside its reprint), print.refused, printer.fault (over a minute
with work), printer.media, printer.stray, agent.offline (over 90 s), agent.twice, template.failing.
Permission: printing.read in the store and at the site.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_print_jobs, public.get_print_job, public.get_print_alarms to authenticated, service_role;

-- sql/M09_printing/views.sql

create view public.print_agents with (security_invoker = on) as
select d.id, d.code, d.name, d.site, d.version, d.last_seen_at, d.revoked_at, d.status,
  case when d.last_seen_at > now() - interval '30 seconds' then 'online' when d.last_seen_at > now() - interval '90 seconds' then 'late'
    else 'offline' end as state,
  (d.status ->> 'clock_skew_ms')::numeric as clock_skew_ms
from public.devices d
where d.kind = 'print_agent';
comment on view public.print_agents is 'Print agents and whether they are there: online (seen in the last 30 s), late (90 s), offline. clock_skew_ms: their clock minus ours.';

-- sql/M09_printing/seed.sql

select private.allow(p, d, r) from (values
  ('printing.read', 'See printers, labels and print jobs', '{viewer,operator,technician,supervisor,planner,manager,admin,device.print_agent,service}'::text[]),
  ('printing.request', 'Print labels, say which roll is loaded', '{operator,technician,supervisor,planner,manager,admin,service}'),
  ('printing.resolve', 'Say whether a label came out', '{operator,technician,supervisor,planner,manager,admin}'),
  ('printing.reprint', 'Print a label once more', '{operator,technician,supervisor,planner,manager,admin}'),
  ('printing.supervise', 'Hold and cancel any label, stop printers, reprint without limit', '{supervisor,planner,manager,admin,service}'),
  ('printing.manage', 'Add and change printers and routes', '{planner,manager,admin,service}'),
  ('printing.work', 'Print as a print agent', '{device.print_agent}'),
  ('labels.manage', 'Design and activate label templates', '{planner,manager,admin,service}')
) as t (p, d, r);

insert into public.setting_definitions (key, scope, type, bounds, default_value, title, description, position) values
  ('printing.expire_minutes', 'site', 'integer', '{"min": 1, "max": 10080}', '480', 'Old labels', 'A label that nobody printed within so many minutes is not printed any more.', 16),
  ('printing.reprint_limit', 'site', 'integer', '{"min": 0, "max": 100}', '2', 'Reprints', 'So many reprints of one label are free; more need a supervisor.', 17),
  ('printing.claim_seconds', 'site', 'integer', '{"min": 1, "max": 600}', '30', 'Agent may be silent', 'Seconds without a word of its agent after which a label is taken from it.', 92),
  ('printing.send_seconds', 'site', 'integer', '{"min": 1, "max": 120}', '20', 'Time to begin', 'Seconds that an agent has to send the first byte after it was allowed to.', 93),
  ('printing.settle_seconds', 'site', 'integer', '{"min": 0, "max": 120}', '5', 'Counter at rest', 'Seconds after which a label counter that has not moved is believed.', 94);

insert into private.scheduled_jobs (name, function_name, every) values
  ('settle and move print jobs', 'sweep_prints', '5 seconds');

-- sql/M09_printing/seed_templates.sql

-- The built-in templates. Tickets and boxes share a roll, units, items and slips another.

create function private.seed_label_template(p_code text, p_name text, p_media text, p_width_mm numeric, p_height_mm numeric, p_proved text, p_fields jsonb)
returns void language plpgsql set search_path = '' as $$
declare
  v_template public.label_templates;
  v_version public.label_template_versions;
begin
  insert into public.label_templates (code, label_type, name, media) values (p_code, p_code, p_name, p_media) returning * into v_template;
  v_version := private.save_label_version(v_template, p_width_mm, p_height_mm, p_fields, null);
  -- These proofs were made before the release; a test makes them again. Whoever changes a template here must prove it anew.
  insert into public.label_proofs (version_id, dpi, content_hash, passed, results)
  select v_version.id, d, p_proved, true, '{"cases": 6, "wrong": []}' from unnest('{203,300,600}'::integer[]) d;
  perform private.activate_label(v_template, v_version);
  update public.label_template_versions v set activated_at = null where v.id = v_version.id;   -- it came with the schema
end $$;
comment on function private.seed_label_template is 'For seeds: a template, active by the proof of exactly this content. p_proved: its content hash.';

select private.seed_label_template('order_ticket', 'Order ticket', '100x60', 100, 60, 'b979fc1dbf13a889d245da8b85a0a58bc4b1fd574cd1142bcea7f5b8afbf44c1', '[
  {"kind": "text", "name": "order_number", "x": 3, "y": 2.5, "w": 68, "h": 9, "value": "{{order_number}}", "bold": true},
  {"kind": "qr", "name": "scan_square", "x": 73, "y": 1, "w": 26, "align": "right", "module_mm": 0.75, "value": "{{code}}"},
  {"kind": "text", "name": "product", "x": 3, "y": 12, "w": 68, "h": 6, "value": "{{product}}", "bold": true},
  {"kind": "text", "name": "size", "x": 3, "y": 18.5, "w": 33, "h": 4.5, "value": "{{size}}"},
  {"kind": "text", "name": "flavour", "x": 37, "y": 18.5, "w": 34, "h": 4.5, "value": "{{flavour}}"},
  {"kind": "text", "name": "customer", "x": 3, "y": 23.5, "w": 68, "h": 4, "value": "{{customer}}"},
  {"kind": "box", "x": 3, "y": 28.4, "w": 94, "h": 0.3, "line_mm": 0.3},
  {"kind": "text", "name": "writing", "x": 3, "y": 29.2, "w": 94, "h": 4.7, "lines": 2, "value": "{{writing}}"},
  {"kind": "box", "x": 3, "y": 38.9, "w": 94, "h": 0.3, "line_mm": 0.3},
  {"kind": "text", "name": "due", "x": 3, "y": 39.8, "w": 36, "h": 5.5, "value": "{{due}}", "bold": true},
  {"kind": "text", "name": "method", "x": 40, "y": 40.7, "w": 22, "h": 4.2, "value": "{{method}}"},
  {"kind": "text", "name": "storage", "x": 63, "y": 40.7, "w": 22, "h": 4.2, "value": "{{storage}}"},
  {"kind": "text", "name": "priority", "x": 86, "y": 40.7, "w": 11, "h": 4.2, "align": "right", "value": "{{priority}}"},
  {"kind": "code128", "name": "scan_bars", "x": 1, "y": 46.5, "w": 98, "h": 9.5, "align": "center", "module_mm": 0.25, "value": "{{code}}", "text": true}
]');

select private.seed_label_template('box', 'Box label', '100x60', 100, 60, '9c3bc82a2d6e216457a3e6930727179c8e44f459abaf56c7b3328cdea59a5232', '[
  {"kind": "text", "name": "customer", "x": 3, "y": 3, "w": 68, "h": 8, "lines": 2, "value": "{{customer}}", "bold": true},
  {"kind": "qr", "name": "scan_square", "x": 73, "y": 1, "w": 26, "align": "right", "module_mm": 0.75, "value": "{{code}}"},
  {"kind": "text", "name": "order_number", "x": 3, "y": 20, "w": 46, "h": 6, "value": "{{order_number}}", "bold": true},
  {"kind": "text", "name": "box_no", "x": 50, "y": 20, "w": 21, "h": 6, "align": "right", "value": "{{box_no}}", "bold": true},
  {"kind": "box", "x": 3, "y": 28.4, "w": 94, "h": 0.3, "line_mm": 0.3},
  {"kind": "text", "name": "product", "x": 3, "y": 29.5, "w": 94, "h": 4.5, "lines": 2, "value": "{{product}}"},
  {"kind": "text", "name": "due", "x": 3, "y": 39, "w": 94, "h": 5.5, "value": "{{due}}", "bold": true},
  {"kind": "code128", "name": "scan_bars", "x": 1, "y": 45.5, "w": 98, "h": 10.5, "align": "center", "module_mm": 0.25, "value": "{{code}}", "text": true}
]');

select private.seed_label_template('production_order', 'Order and lot label', '100x60', 100, 60, 'ffe33bfe0e40cdea902bb1820d94cf16fa70c7b25f89a87cd6ca7ec04d58718d', '[
  {"kind": "text", "name": "product", "x": 3, "y": 3, "w": 68, "h": 7, "lines": 2, "value": "{{product}}", "bold": true},
  {"kind": "qr", "name": "scan_square", "x": 73, "y": 1, "w": 26, "align": "right", "module_mm": 0.75, "value": "{{code}}"},
  {"kind": "text", "name": "sku", "x": 3, "y": 19, "w": 68, "h": 4.5, "value": "{{sku}}"},
  {"kind": "box", "x": 3, "y": 28.4, "w": 94, "h": 0.3, "line_mm": 0.3},
  {"kind": "text", "name": "quantity", "x": 3, "y": 31, "w": 46, "h": 8, "value": "{{quantity}}", "bold": true},
  {"kind": "text", "name": "due", "x": 50, "y": 31, "w": 47, "h": 8, "align": "right", "value": "{{due}}"},
  {"kind": "code128", "name": "scan_bars", "x": 1, "y": 43, "w": 98, "h": 12, "align": "center", "module_mm": 0.25, "value": "{{code}}", "text": true}
]');

select private.seed_label_template('unit_device', 'Unit label', '60x30', 60, 30, '68be03aaa413dfce84becf2666cc31e98f873362b9659984297701c71ad85240', '[
  {"kind": "datamatrix", "name": "scan_square", "x": 1, "y": 1, "w": 14.5, "module_mm": 0.63, "value": "{{code}}"},
  {"kind": "text", "name": "product", "x": 17, "y": 2, "w": 41, "h": 4.5, "value": "{{product}}", "bold": true},
  {"kind": "text", "name": "variant", "x": 17, "y": 7, "w": 41, "h": 3.5, "value": "{{variant}}"},
  {"kind": "text", "name": "made", "x": 17, "y": 11, "w": 41, "h": 3, "value": "{{made}}"},
  {"kind": "code128", "name": "scan_bars", "x": 0.5, "y": 16.5, "w": 59, "h": 9, "align": "center", "module_mm": 0.25, "value": "{{code}}", "text": true}
]');

select private.seed_label_template('item', 'Item and bin label', '60x30', 60, 30, 'a99fe7aaf31d0d27d0d6e655cae8fc7fe31e54032aa8d467cc82a68adf31e390', '[
  {"kind": "text", "name": "item_name", "x": 2, "y": 2, "w": 38, "h": 4.5, "lines": 2, "value": "{{name}}", "bold": true},
  {"kind": "text", "name": "sku", "x": 2, "y": 12, "w": 20, "h": 3.2, "value": "{{sku}}"},
  {"kind": "text", "name": "location", "x": 23, "y": 12, "w": 17, "h": 3.2, "align": "right", "value": "{{location}}"},
  {"kind": "qr", "name": "scan_square", "x": 41, "y": 0.5, "w": 18, "align": "right", "module_mm": 0.5, "value": "{{code}}"},
  {"kind": "code128", "name": "scan_bars", "x": 0.5, "y": 19, "w": 59, "h": 7, "align": "center", "module_mm": 0.25, "value": "{{code}}", "text": true}
]');

select private.seed_label_template('packing_slip_code', 'Code for the packing slip', '60x30', 60, 30, '337b70276e4a3b03bd8ebea69f3d05af85ad38adbd91c3d1d683aa998d7e3e30', '[
  {"kind": "text", "name": "order_number", "x": 2, "y": 2, "w": 38, "h": 6, "value": "{{order_number}}", "bold": true},
  {"kind": "text", "name": "customer", "x": 2, "y": 9, "w": 38, "h": 3.5, "value": "{{customer}}"},
  {"kind": "text", "name": "items", "x": 2, "y": 13, "w": 38, "h": 3.2, "value": "{{items}}"},
  {"kind": "qr", "name": "scan_square", "x": 41, "y": 0.5, "w": 18, "align": "right", "module_mm": 0.5, "value": "{{code}}"},
  {"kind": "code128", "name": "scan_bars", "x": 0.5, "y": 19, "w": 59, "h": 7, "align": "center", "module_mm": 0.25, "value": "{{code}}", "text": true}
]');

-- sql/M09_printing/policies.sql

alter table public.printers enable row level security;
alter table public.label_templates enable row level security;
alter table public.label_template_versions enable row level security;
alter table public.label_proofs enable row level security;
alter table public.print_routes enable row level security;
alter table public.print_jobs enable row level security;
alter table public.print_job_labels enable row level security;
alter table public.print_job_events enable row level security;
alter table private.print_transitions enable row level security;
alter table private.print_refusals enable row level security;

create function private.readable_printers()
returns text[] language plpgsql stable security definer set search_path = '' as $$
declare
  v_who private.identity := private.identify();
begin
  return array(
    select p.code from public.printers p
     where private.may('printing.read') and private.works_at(v_who, p.site)
       and (v_who.role <> 'device.print_agent' or p.device_id = (select d.id from public.devices d where d.user_id = v_who.actor_id)));
end $$;
comment on function private.readable_printers is
  'For policies: printers at the sites of an active caller with printing.read; of a print agent its own ones. Wrap it in (select …).';
grant execute on function private.readable_printers to authenticated;

create policy select_active on public.label_templates for select to authenticated using ((select private.may('printing.read')));
create policy select_active on public.label_template_versions for select to authenticated using ((select private.may('printing.read')));
create policy select_active on public.label_proofs for select to authenticated using ((select private.may('printing.read')));
create policy select_printer on public.printers for select to authenticated using ((select private.readable_printers()) @> array[code]);
create policy select_printer on public.print_routes for select to authenticated using ((select private.readable_printers()) @> array[printer]);
create policy select_printer on public.print_jobs for select to authenticated
  using ((select private.readable_printers()) @> array[printer]
    and (store is null or (select private.readable_stores('printing.read')) @> array[store]));
create policy select_job on public.print_job_labels for select to authenticated
  using (exists (select from public.print_jobs j where j.id = job_id));   -- under its own policy
create policy select_job on public.print_job_events for select to authenticated
  using (exists (select from public.print_jobs j where j.id = job_id));

grant select on public.printers, public.label_templates, public.label_template_versions, public.label_proofs, public.print_routes,
  public.print_jobs, public.print_job_labels, public.print_job_events, public.print_agents to authenticated;
