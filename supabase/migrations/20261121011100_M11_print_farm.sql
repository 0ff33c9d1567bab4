-- Built from sql/M11_print_farm/ by `takt db build`: edit there, not here.
set local lock_timeout = '10s';
set local statement_timeout = '5min';

-- sql/M11_print_farm/keys.sql

-- What a print is called, made comparable. Printers, slicers and file systems spell one project in many ways.

create extension if not exists btree_gist with schema extensions;

create function private.fold(p_text text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  -- ICU, whatever the collation of the database: Å and å, ß and SS are one. Upper first, as case folding does.
  return normalize(replace(lower(upper(normalize(coalesce(p_text, ''), NFC) collate "und-x-icu") collate "und-x-icu"), 'ß', 'ss'), NFC);
end $$;
comment on function private.fold is 'A text without its case and composed (NFC): equal for everybody who reads it aloud.';

create function private.gcode_stem(p_name text)
returns text language plpgsql immutable set search_path = '' as $$
declare
  v_stem text := regexp_replace(private.fold(p_name), '^.*[/\\]', '');
begin
  v_stem := regexp_replace(v_stem, '(\s*\.(gcode|3mf))*\s*$', '');
  return trim(regexp_replace(v_stem, '(^|[ _-])plate[ _-]?[0-9]{1,3}$', ''), E' \t\u00a0');
end $$;
comment on function private.gcode_stem is
  'Project name out of a file name: no folder, no .gcode, .3mf or .gcode.3mf, no plate, no case. Empty when nothing but a plate is left.';

create function private.gcode_plate(p_name text)
returns integer language plpgsql immutable set search_path = '' as $$
begin
  return nullif((regexp_match(private.fold(p_name), '(?:^|[ /\\_-])plate[ _-]?([0-9]{1,3})(?:\s*\.(?:gcode|3mf))*\s*$'))[1]::integer, 0);
end $$;
comment on function private.gcode_plate is 'The plate a file name says: 7 in kiosk_plates_plate_7.3mf; null when it says none.';

create function private.is_generic_gcode(p_name text)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return private.gcode_stem(p_name) ~ ('^$|^(untitled|unnamed|unbenannt|ohne titel|sans titre|sin t.tulo|senza titolo|sem t.tulo|naamloos|'
    || 'bez tytu.u|bez n.zvu|без названия|без имени|名称未設定|無題|未命名|无标题|제목 없음)([ _-]?[(]?[0-9]*[)]?)$');
end $$;
comment on function private.is_generic_gcode is 'plate_1.gcode, Untitled and the like: names that every project may have, so they say nothing.';

create function private.busy_range(
  p_started_at timestamptz, p_first_seen_at timestamptz, p_finished_not_before timestamptz, p_finished_at timestamptz)
returns tstzrange language plpgsql immutable set search_path = '' as $$
declare
  v_until timestamptz := coalesce(p_finished_not_before, p_finished_at);
  v_from timestamptz := coalesce(p_started_at, p_first_seen_at, v_until);
begin
  -- A run without length is still there at its instant; one with length leaves its end to the next.
  return case when v_from < v_until then tstzrange(v_from, v_until, '[)') else tstzrange(v_until, v_until, '[]') end;
end $$;
comment on function private.busy_range is 'When a printer was surely busy with a run, by what was seen of it.';

-- sql/M11_print_farm/tables.sql

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

-- sql/M11_print_farm/booking.sql

-- From a run to parts in stock. One judge for every printer brand and for what people log by hand.

create type private.run_part as (sku text, planned numeric, quantity numeric, object_ids integer[]);

create function private.mapped_parts(p_stem text, p_plate integer)
returns private.run_part[] language plpgsql stable set search_path = '' as $$
declare
  v_parts private.run_part[];
begin
  select array_agg(row(m.sku, m.quantity, m.quantity, m.object_ids)::private.run_part order by m.sku) into v_parts
    from public.gcode_part_mappings m
   where m.is_active and m.stem = p_stem and m.plate is not distinct from p_plate
     and not exists (   -- a file of which one part is no longer made is nothing to guess about
       select 1 from public.gcode_part_mappings x join public.parts p on p.sku = x.sku
        where x.is_active and x.stem = m.stem and x.plate is not distinct from m.plate and not p.is_active);
  return v_parts;
end $$;

create type private.resolved_print as (parts private.run_part[], problem text);
comment on type private.resolved_print is 'problem: unnamed, unmapped or ambiguous; null when the parts are clear.';

create function private.resolve_gcode(p_candidates text[], p_plate integer)
returns private.resolved_print language plpgsql stable set search_path = '' as $$
declare
  v_result private.resolved_print := row(null, 'unnamed')::private.resolved_print;
  v_key record;
  v_parts private.run_part[];
begin
  for v_key in   -- the plate the printer says, then the one in the name, then mappings for every plate of a file
    select k.stem, t.plate
      from (select private.gcode_stem(c.name) as stem, private.gcode_plate(c.name) as plate, c.n
              from unnest(p_candidates) with ordinality as c (name, n) where not private.is_generic_gcode(c.name)) k
     cross join lateral (values (1, p_plate), (2, k.plate), (3, null)) as t (pass, plate)
     where t.pass = 3 or t.plate is not null
     group by k.stem, t.plate order by min(t.pass), min(k.n)
  loop
    if (v_result).problem = 'unnamed' then
      v_result.problem := 'unmapped';
    end if;
    continue when v_key.plate is null and exists (
      select 1 from public.gcode_part_mappings m where m.is_active and m.stem = v_key.stem and m.plate is not null);
    v_parts := private.mapped_parts(v_key.stem, v_key.plate);
    if v_parts is not null and (v_result).parts is null then
      v_result := row(v_parts, null)::private.resolved_print;
    elsif v_parts is distinct from (v_result).parts and v_parts is not null then
      v_result.problem := 'ambiguous';
    end if;
  end loop;
  return v_result;
end $$;
comment on function private.resolve_gcode is
$$The parts of a print by its names, best first, and its plate. Two names that are mapped to different parts are ambiguous: a person decides.
A mapping without plate serves every plate, unless a plate of the file is mapped by itself: then plates are not guessed.$$;

create function private.without_skipped(p_parts private.run_part[], p_skipped integer[])
returns private.run_part[] language plpgsql immutable set search_path = '' as $$
declare
  v_parts private.run_part[];
begin
  if coalesce(p_skipped, '{}') = '{}' then
    return p_parts;
  elsif not exists (select 1 from unnest(p_parts) p where p.object_ids is null) then
    select array_agg(row(p.sku, p.planned, p.planned - p.planned / cardinality(p.object_ids) * (
        select count(*) from unnest(p.object_ids) o where o = any (p_skipped)), p.object_ids)::private.run_part order by p.sku) into v_parts
      from unnest(p_parts) p;
  elsif cardinality(p_parts) = 1 then   -- each object is one part
    v_parts := array[row((p_parts[1]).sku, (p_parts[1]).planned,
      (p_parts[1]).planned - (select count(distinct s) from unnest(p_skipped) s), null)::private.run_part];
  end if;
  return case when exists (select 1 from unnest(v_parts) p where p.quantity < 0 or p.quantity <> round(p.quantity, 3)) then null else v_parts end;
end $$;
comment on function private.without_skipped is
'The parts less what was skipped: by the object map, or one part per object on a plate of one part. Null when nobody can tell.';

create function private.number_of(p_object jsonb, p_key text)
returns numeric language plpgsql immutable set search_path = '' as $$
begin
  return case when p_object ->> p_key ~ '^-?[0-9]{1,9}([.][0-9]{1,6})?$' then (p_object ->> p_key)::numeric end;
end $$;
comment on function private.number_of is 'A number out of a report, written as a number or as text; null for anything else printers say.';

create function private.run_grams(p_parts private.run_part[], p_share numeric)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return (select round(sum(p.grams_per_print * r.planned / p.parts_per_print) * p_share, 2)
    from unnest(p_parts) r join public.parts p on p.sku = r.sku);
end $$;

create function private.may_be_counted(p_run public.print_runs)
returns boolean language plpgsql stable set search_path = '' as $$
declare
  v_busy tstzrange := private.busy_range(p_run.started_at, p_run.first_seen_at, p_run.finished_not_before, p_run.finished_at);
  -- Of a run whose end nobody saw only FINISH is known, and that may be the end of any print since.
  v_until_seen tstzrange := private.busy_range(p_run.started_at, coalesce(p_run.first_seen_at, p_run.finished_not_before), null, p_run.finished_at);
begin
  return exists (select 1 from public.print_runs r
      where r.is_counted and r.machine_id = p_run.machine_id and r.busy && v_until_seen and r.id is distinct from p_run.id)
    or exists (select 1 from public.print_runs r   -- the same the other way round, unless this one was seen to begin
      where r.is_counted and r.machine_id = p_run.machine_id and r.finished_not_before < upper(v_busy) and r.finished_at > lower(v_busy)
        and (p_run.started_at is null or r.evidence = 'recovered_unseen') and r.id is distinct from p_run.id);
end $$;
comment on function private.may_be_counted is
$$Is this print perhaps in stock already, told by another bridge or logged by a person? The printer was busy with a counted one at that time, or
one of the two was not seen to its end and the other lies in the time when nobody looked.$$;

create function private.judge_run(p_run public.print_runs, p_resolved private.resolved_print)
returns public.print_runs language plpgsql stable set search_path = '' as $$
declare
  v_run public.print_runs := p_run;
  v_parts private.run_part[] := private.without_skipped(p_resolved.parts, p_run.skipped_object_ids);
begin
  v_run.mapping := coalesce((select jsonb_agg(to_jsonb(p) - 'quantity' order by p.sku) from unnest(p_resolved.parts) p), '[]');
  v_run.grams := private.run_grams(p_resolved.parts,
    case when p_run.outcome in ('failed', 'cancelled') then least(coalesce(private.number_of(p_run.progress, 'percent'), 100), 100) / 100 else 1 end);
  v_run.reasons := array_remove(array[
    case when p_run.outcome = 'unknown' then 'unknown' end,
    case when p_run.outcome = 'success' and p_run.evidence in ('superseded', 'lost') then p_run.evidence end,
    case when p_run.outcome = 'success' and p_run.evidence = 'recovered_unseen' and not private.has_native_id(p_run.native) then 'recovered_unseen' end,
    case when p_run.outcome = 'success' and p_run.source <> 'manual' and p_run.finished_at - p_run.started_at < interval '60 seconds' then 'short_run' end,
    case when p_run.outcome in ('success', 'unknown') then p_resolved.problem end,
    case when p_run.outcome = 'success' and p_resolved.parts is not null and v_parts is null then 'skipped' end,
    case when p_run.outcome = 'success' and not exists (select 1 from unnest(v_parts) p where p.quantity > 0) and v_parts is not null then 'all_skipped' end,
    case when p_run.outcome = 'success' and private.may_be_counted(p_run) then 'overlap' end], null);
  v_run.status := case when p_run.outcome = 'ignored' then 'ignored' when v_run.reasons = '{}' or p_run.outcome in ('failed', 'cancelled') then 'recorded'
    when v_run.reasons = '{unmapped}' then 'unmapped' else 'review' end;
  v_run.is_counted := v_run.status = 'recorded' and v_run.outcome = 'success';
  if private.number_of(p_run.progress, 'percent') < 95 and p_run.outcome = 'success' then
    v_run.reasons := v_run.reasons || 'finish_below_100'::text;   -- odd, and booked: some printers never report the last layers
  end if;
  return v_run;
end $$;
comment on function private.judge_run is
'What becomes of a run: counted, failed, unmapped, or waiting for a person, with the reasons. What is not sure is never booked by itself.';

create function private.has_native_id(p_native jsonb)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return exists (select 1 from jsonb_each_text(p_native) n
    where n.key in ('job_id', 'task_id', 'subtask_id', 'lan_task_id', 'gcode_start_time') and n.value not in ('', '0'));
end $$;
comment on function private.has_native_id is 'True when the printer itself named the job: a zero is no name.';

create function private.place_of_parts(p_run public.print_runs)
returns text language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select l.code from public.print_machines m join public.locations l on l.code = m.location
    where m.id = p_run.machine_id and l.is_active and l.site = p_run.site), private.default_location(p_run.site));
end $$;
comment on function private.place_of_parts is 'The place of its printer while that is in use and at the site of the run, else the default place of the site.';

create function private.book_run(p_run public.print_runs, p_parts private.run_part[], p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_place text := private.place_of_parts(p_run);
  v_skus text[] := array(select p.sku from unnest(p_parts) p where p.quantity > 0);
  v_changes private.promise_change[];
begin
  insert into public.inventory_print_log as l (run_id, sku, planned, quantity, failure_reason, created_by)
  select p_run.id, p.sku, p.planned, p.quantity, left(coalesce(p_run.error ->> 'text', p_run.error ->> 'code'), 500),
    nullif(p_actor, '00000000-0000-0000-0000-000000000000') from unnest(p_parts) p order by p.sku
  on conflict on constraint inventory_print_log_run_key do update set planned = excluded.planned, quantity = excluded.quantity;
  perform private.lock_stock(v_skus);
  perform private.post_txn(p.sku, v_place, 'produce', p.quantity, 'print_run', p_run.id::text, p_run.gcode_filename, p_actor)
     from unnest(p_parts) p where p.quantity > 0 order by p.sku;
  v_changes := private.allocate(v_skus, jsonb_build_object('event', 'print_run.recorded', 'ref', p_run.id));
  if v_changes <> '{}' then
    update public.print_runs r set given = (select jsonb_agg(jsonb_build_object('line_id', c.line_id, 'quantity', trim_scale(c.change)))
        from (select u.* from unnest(v_changes) u where u.change > 0 limit 50) c)
     where r.id = p_run.id;
  end if;
end $$;
comment on function private.book_run is
'The parts of a run go into stock and on to the orders that wait for them, in one pass. Locks: the parts, by SKU; the caller holds the run.';

create function private.correct_run(p_run public.print_runs, p_parts private.run_part[], p_kind text, p_reason text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_place text := private.place_of_parts(p_run);
  v_part record;
begin
  perform private.lock_stock(array(select p.sku from unnest(p_parts) p union select l.sku from public.inventory_print_log l where l.run_id = p_run.id));
  for v_part in
    select coalesce(p.sku, l.sku) as sku, coalesce(p.planned, l.planned, 0) as planned, coalesce(p.quantity, 0) as quantity,
      coalesce(p.quantity, 0) - coalesce(l.quantity, 0) as change
      from unnest(p_parts) p full join (select * from public.inventory_print_log g where g.run_id = p_run.id) l on l.sku = p.sku order by 1
  loop
    insert into public.inventory_print_log as l (run_id, sku, planned, quantity, created_by)
    values (p_run.id, v_part.sku, v_part.planned, v_part.quantity, nullif(p_actor, '00000000-0000-0000-0000-000000000000'))
    on conflict on constraint inventory_print_log_run_key do update
      set quantity = excluded.quantity, failure_reason = coalesce(left(p_reason, 500), l.failure_reason);
    if v_part.change <> 0 then
      perform private.post_txn(v_part.sku, coalesce((select t.location from public.inventory_txn t where t.ref_stream = 'print_run'
          and t.ref_id = p_run.id::text and t.sku = v_part.sku order by t.id desc limit 1), v_place),   -- where it was booked to
        case when v_part.change > 0 then 'produce' else p_kind end, v_part.change, 'print_run', p_run.id::text, p_reason, p_actor);
    end if;
  end loop;
  perform private.allocate(array(select l.sku from public.inventory_print_log l where l.run_id = p_run.id),
    jsonb_build_object('event', 'print_run.corrected', 'ref', p_run.id));
end $$;
comment on function private.correct_run is
$$The run gave other parts than was booked: the differences are movements of their own, promises follow. Nothing is clamped: where the parts
are gone already, stock goes below zero and is shown so. Errors: stock.short (409) for items that forbid that. Locks: the parts, by SKU.$$;

create function private.parts_of_run(p_run_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select jsonb_agg(jsonb_build_object('part_id', l.sku, 'sku', l.sku, 'title', i.title, 'planned', trim_scale(l.planned),
      'qty', trim_scale(l.quantity)) order by l.sku)
    from public.inventory_print_log l join public.inventory_items i on i.sku = l.sku where l.run_id = p_run_id), '[]');
end $$;

create function private.count_run(p_run public.print_runs)
returns void language plpgsql set search_path = '' as $$
begin
  insert into public.print_machine_counters as c (machine_id, jobs, failed_jobs, print_minutes, grams)
  select p_run.machine_id, 1, (p_run.outcome = 'failed')::integer, coalesce(p_run.minutes, 0), coalesce(p_run.grams, 0)
   where p_run.machine_id is not null and p_run.outcome <> 'ignored'
  on conflict on constraint print_machine_counters_pkey do update
    set jobs = c.jobs + 1, failed_jobs = c.failed_jobs + excluded.failed_jobs, print_minutes = c.print_minutes + excluded.print_minutes,
        grams = c.grams + excluded.grams;
end $$;

create function private.store_run(p_run public.print_runs, p_actor uuid)
returns public.print_runs language plpgsql set search_path = '' as $$
declare
  v_resolved private.resolved_print := private.resolve_gcode(p_run.candidates, p_run.plate);
  v_run public.print_runs := private.judge_run(p_run, v_resolved);
begin
  insert into public.print_runs as r (idempotency_key, site, machine_id, source, outcome, evidence, status, reasons, gcode_filename, candidates,
    plate, started_at, first_seen_at, finished_not_before, finished_at, is_counted, skipped_object_ids, minutes, grams, progress, error, native,
    bridge, mapping, payload_hash, plate_status, notes, reported_by)
  values (v_run.idempotency_key, v_run.site, v_run.machine_id, v_run.source, v_run.outcome, v_run.evidence, v_run.status, v_run.reasons,
    v_run.gcode_filename, v_run.candidates, v_run.plate, v_run.started_at, v_run.first_seen_at, v_run.finished_not_before, v_run.finished_at,
    v_run.is_counted, v_run.skipped_object_ids, v_run.minutes, v_run.grams, v_run.progress, v_run.error, v_run.native, v_run.bridge,
    v_run.mapping, v_run.payload_hash, v_run.plate_status, v_run.notes, nullif(p_actor, '00000000-0000-0000-0000-000000000000'))
  returning r.* into v_run;
  if v_run.is_counted then
    perform private.book_run(v_run, private.without_skipped(v_resolved.parts, v_run.skipped_object_ids), p_actor);
  elsif v_run.outcome in ('failed', 'cancelled') then
    perform private.book_run(v_run, array(select row(p.sku, p.planned, 0, p.object_ids)::private.run_part from unnest(v_resolved.parts) p), p_actor);
  end if;
  perform private.count_run(v_run);
  perform private.emit_run(v_run, 'print_run.' || v_run.status, p_actor);
  return v_run;
end $$;
comment on function private.store_run is 'Keeps a run, whatever it is, and books its parts when all is clear. The caller holds the printer.';

create function private.emit_run(p_run public.print_runs, p_event text, p_actor uuid, p_payload jsonb default '{}')
returns bigint language plpgsql set search_path = '' as $$
begin
  return private.emit('print_run', p_run.id::text, p_event, p_actor, p_payload || jsonb_strip_nulls(jsonb_build_object('version', p_run.version,
    'outcome', p_run.outcome, 'evidence', p_run.evidence, 'reasons', to_jsonb(p_run.reasons), 'machine_id', p_run.machine_id,
    'gcode_filename', p_run.gcode_filename, 'lines', private.parts_of_run(p_run.id))), null, p_run.site);
end $$;

-- sql/M11_print_farm/forecast.sql

-- When will it be printed? A print starts while somebody is there to start it, and runs on by itself.

create function private.next_start(p_machine public.print_machines, p_after timestamptz)
returns timestamptz language plpgsql stable set search_path = '' as $$
declare
  v_zone text := (select s.time_zone from public.sites s where s.code = p_machine.site);
  v_local timestamp := p_after at time zone v_zone;
  v_day date;
begin
  if not p_machine.needs_plate_clear then
    return p_after;   -- it ejects and starts by itself
  end if;
  for i in 0..7 loop
    v_day := v_local::date + i;
    if extract(isodow from v_day)::smallint = any (p_machine.work_days) then
      if v_day + p_machine.work_from >= v_local then
        return (v_day + p_machine.work_from) at time zone v_zone;
      elsif v_local < v_day + p_machine.work_until then
        return p_after;
      end if;
    end if;
  end loop;
  return p_after;
end $$;
comment on function private.next_start is 'The first instant from p_after on in which a print can be started on this printer: in its working hours, plant local time.';

create type private.planned_prints as (
  rank smallint, sku text, prints bigint, first_start timestamptz, last_finish timestamptz, machines text[], unplanned bigint);

create function private.free_machines(p_site text, p_now timestamptz)
returns table (machine public.print_machines, free_at timestamptz) language plpgsql stable set search_path = '' as $$
begin
  return query
    select m, p_now + make_interval(secs => coalesce(case when s.state in ('printing', 'paused') then s.minutes_left * 60 end, 0)::double precision)
      from public.print_machines m left join public.print_machine_states s on s.machine_id = m.id
     where m.site = p_site and m.is_active and not m.is_in_maintenance order by m.id;
end $$;

create function private.plan_prints(p_site text, p_now timestamptz)
returns setof private.planned_prints language plpgsql stable set search_path = '' as $$
declare
  v_machines public.print_machines[];
  v_free timestamptz[];
  v_need record;
  v_best integer;
  v_start timestamptz;
  v_row private.planned_prints;
  v_left integer := 500;
begin
  select array_agg(f.machine), array_agg(f.free_at) into v_machines, v_free from private.free_machines(p_site, p_now) f;
  for v_need in
    select n.rank, n.sku, n.prints, p.print_minutes, p.material from private.prints_needed() n join public.parts p on p.sku = n.sku
     order by n.rank, n.oldest nulls last, n.sku
  loop
    v_row := row(v_need.rank, v_need.sku, v_need.prints, null, null, '{}'::text[], v_need.prints)::private.planned_prints;
    while v_row.unplanned > 0 and v_left > 0 loop
      select o.n, private.next_start(v_machines[o.n], v_free[o.n]) into v_best, v_start
        from generate_subscripts(v_machines, 1) o (n)
       where v_need.material = any ((v_machines[o.n]).materials) or (v_machines[o.n]).materials = '{}'
       order by 2, 1 limit 1;
      exit when v_best is null;
      v_free[v_best] := v_start + make_interval(secs => (v_need.print_minutes * 60)::double precision);
      v_row.first_start := least(v_row.first_start, v_start);
      v_row.last_finish := greatest(v_row.last_finish, v_free[v_best]);
      v_row.machines := case when (v_machines[v_best]).code = any (v_row.machines) then v_row.machines else v_row.machines || (v_machines[v_best]).code end;
      v_row.unplanned := v_row.unplanned - 1;
      v_left := v_left - 1;
    end loop;
    return next v_row;
  end loop;
end $$;
comment on function private.plan_prints is
$$The prints that are needed, one after the other on the printer that can start soonest: by priority, then the oldest. The first 500 prints;
more than that nobody plans by the minute (unplanned).$$;

create function private.prints_needed()
returns table (rank smallint, sku text, demand numeric, missing numeric, prints bigint, oldest timestamptz) language plpgsql stable set search_path = '' as $$
begin
  return query
    with needs as (
      select p.sku, p.parts_per_print, t.rank, t.demand, t.demand - t.allocated as missing
        from public.parts p join public.demand_totals t on t.sku = p.sku where p.is_active and t.demand > 0
      union all   -- and the shelf: up to the minimum, behind everybody
      select p.sku, p.parts_per_print, 5::smallint, 0, i.min_stock - greatest(s.ats, 0)
        from public.parts p join public.inventory_items i on i.sku = p.sku join public.inventory_stock s on s.sku = p.sku
       where p.is_active and i.min_stock > greatest(s.ats, 0)
    ), piled as (   -- what a plate gives beyond one priority serves the next
      select n.*, ceil(sum(n.missing) over w / n.parts_per_print) as plates,
        ceil((sum(n.missing) over w - n.missing) / n.parts_per_print) as plates_before
        from needs n window w as (partition by n.sku order by n.rank)
    )
    select b.rank, b.sku, b.demand, b.missing, (b.plates - b.plates_before)::bigint, (
        select min(l.since) from (select q.since from public.order_part_allocations q
          where q.sku = b.sku and q.rank = b.rank and not q.is_closed and q.allocated + q.consumed < q.needed order by q.sku, q.rank, q.since, q.fulfilment_id limit 1) l)
      from piled b where b.demand > 0 or b.missing > 0;
end $$;
comment on function private.prints_needed is
$$Per part and priority: open demand, what of it is missing, and the prints for that (ceil over all priorities up to this one, less those of the
better ones). rank as in order_part_allocations; 5 = up to the minimum stock.$$;

-- sql/M11_print_farm/api_bridge.sql

create function private.machine_of_report(p_serial text, p_source text, p_site text)
returns public.print_machines language plpgsql set search_path = '' as $$
declare
  v_serial text := upper(trim(p_serial));
  v_code text := left(regexp_replace(lower(v_serial), '[^a-z0-9_-]', '-', 'g'), 50);
  v_machine public.print_machines;
begin
  select m.* into v_machine from public.print_machines m where m.serial = v_serial for no key update;
  if v_machine.id is null then   -- nobody announced it: its prints are kept all the same
    if v_code !~ '^[a-z0-9]' or exists (select 1 from public.print_machines m where m.code = v_code) then
      v_code := 'p-' || v_code || '-' || left(md5(v_serial), 8);   -- another printer has that code: one was swapped, or is spelt alike
    end if;
    insert into public.print_machines (code, name, site, kind, serial)
    values (v_code, v_serial, p_site,
      case when p_source = 'bambu_auto' then 'bambu' else p_source end, v_serial)
    on conflict do nothing;
    select m.* into v_machine from public.print_machines m where m.serial = v_serial for no key update;
  end if;
  return v_machine;
end $$;
comment on function private.machine_of_report is 'The printer with this serial, locked; registered under it when it is new. Its lock makes the runs of a printer come one by one.';

create function private.run_answer(p_run public.print_runs, p_status text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return jsonb_build_object('status', p_status, 'print_run_id', p_run.id, 'reasons', to_jsonb(p_run.reasons), 'lines', private.parts_of_run(p_run.id),
    'message', case p_status
      when 'recorded' then case p_run.outcome when 'success' then 'Its parts are in stock.' else 'Noted; nothing was booked.' end
      when 'unmapped' then 'Nobody has said yet which parts this file gives. It waits.'
      when 'review' then 'A person has to look at it: ' || array_to_string(p_run.reasons, ', ') || '.'
      when 'ignored' then 'Not a production print.'
      when 'duplicate' then 'This run is known already.'
      else 'This run was reported before with another outcome. Its stock stays as it is.' end);
end $$;

create function private.repeat_of_run(p_run public.print_runs, p_outcome text, p_hash text, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_run public.print_runs := p_run;
begin
  if p_run.payload_hash = p_hash then
    return private.run_answer(p_run, 'duplicate');
  elsif p_run.outcome <> p_outcome and p_run.outcome in ('failed', 'cancelled') and p_outcome in ('failed', 'cancelled') then
    update public.print_runs r set outcome = p_outcome where r.id = p_run.id returning r.* into v_run;   -- known better now; no stock in it
    perform private.emit_run(v_run, 'print_run.reclassified', p_actor, jsonb_build_object('before', p_run.outcome));
  elsif p_run.outcome <> p_outcome and not 'reported_again' = any (p_run.reasons) then
    update public.print_runs r set reasons = r.reasons || 'reported_again'::text, notes = concat_ws(' ', r.notes, 'Reported again as ' || p_outcome || '.'),
        status = case when r.is_counted or r.status = 'ignored' then r.status else 'review' end
     where r.id = p_run.id returning r.* into v_run;
    perform private.emit_run(v_run, 'print_run.reported_again', p_actor, jsonb_build_object('reported', p_outcome));
  end if;
  return private.run_answer(v_run, 'conflict');
end $$;
comment on function private.repeat_of_run is 'A key that is known: the same report is a duplicate; another report may correct failed to cancelled, and never moves stock.';

create function private.check_print_report(
  p_key text, p_source text, p_serial text, p_outcome text, p_evidence text, p_started_at timestamptz, p_not_before timestamptz,
  p_finished_at timestamptz)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_field text := case
    when coalesce(length(p_key), 0) not between 1 and 300 then 'p_idempotency_key'
    when p_source is null or p_source not in ('bambu_auto', 'moonraker', 'prusalink', 'octoprint') then 'p_source'
    when coalesce(upper(trim(p_serial)), '') !~ '^[A-Z0-9._:-]{1,100}$' then 'p_printer_serial'
    when p_outcome is null or p_outcome not in ('success', 'failed', 'cancelled', 'unknown', 'ignored') then 'p_outcome'
    when p_evidence is null or p_evidence not in ('observed', 'recovered', 'recovered_unseen', 'superseded', 'lost') then 'p_evidence'
    when not isfinite(p_started_at) then 'p_started_at'
    when not isfinite(p_not_before) then 'p_finished_not_before'
    when p_finished_at not between '2000-01-01' and now() + interval '1 day' then 'p_finished_at' end;
begin
  if v_field is not null then
    perform private.fail(422, 'print_run.bad_report', 'This report cannot be kept: ' || v_field || ' is missing or wrong.', jsonb_build_object('field', v_field));
  end if;
end $$;

create function public.record_print_completion(
  p_idempotency_key text, p_source text, p_printer_serial text, p_outcome text, p_evidence text default 'observed',
  p_gcode_filename text default null, p_candidates text[] default null, p_plate integer default null, p_started_at timestamptz default null,
  p_finished_at timestamptz default null, p_finished_not_before timestamptz default null, p_skipped_object_ids integer[] default null,
  p_progress jsonb default null, p_error jsonb default null, p_native jsonb default null, p_bridge jsonb default null, p_payload_hash text default null)
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('farm.report');
  v_hash text := coalesce(p_payload_hash, md5(jsonb_build_array(p_outcome, p_evidence, p_gcode_filename, p_candidates, p_plate, p_started_at,
    p_finished_at, p_skipped_object_ids)::text));
  v_site text := coalesce((private.identify()).site, (select min(s.code) from public.sites s));
  v_machine public.print_machines;
  v_run public.print_runs;
begin
  perform private.check_print_report(p_idempotency_key, p_source, p_printer_serial, p_outcome, p_evidence, p_started_at, p_finished_not_before,
    p_finished_at);
  v_machine := private.machine_of_report(p_printer_serial, p_source, v_site);
  perform private.authorize('farm.report', null, v_machine.site);
  select r.* into v_run from public.print_runs r where r.idempotency_key = p_idempotency_key for update;
  if v_run.id is not null then
    return private.repeat_of_run(v_run, p_outcome, v_hash, v_actor);
  end if;
  v_run.idempotency_key := p_idempotency_key;
  v_run.site := v_machine.site;
  v_run.machine_id := v_machine.id;
  v_run.source := p_source;
  v_run.outcome := p_outcome;
  v_run.evidence := p_evidence;
  v_run.gcode_filename := left(p_gcode_filename, 300);
  v_run.candidates := (select coalesce(array_agg(left(c.name, 300) order by c.n), '{}') from (
    select p_gcode_filename, 0 union all select u.name, u.n from unnest(p_candidates) with ordinality as u (name, n) where u.n <= 20
    ) c (name, n) where c.name is not null);
  v_run.plate := nullif(greatest(p_plate, 0), 0);
  v_run.finished_at := coalesce(p_finished_at, now());
  -- A clock that was set back makes no run of negative length, one that stood in the past none of years; and least() would make an
  -- instant of what nobody saw.
  v_run.started_at := case when p_started_at > v_run.finished_at - interval '30 days' then least(p_started_at, v_run.finished_at) end;
  v_run.finished_not_before := case when p_finished_not_before is not null then
    least(greatest(p_finished_not_before, v_run.started_at), v_run.finished_at) end;
  v_run.first_seen_at := case when v_run.started_at is null and private.instant_of(p_progress, 'first_seen_at') > v_run.finished_at - interval '30 days'
    then private.instant_of(p_progress, 'first_seen_at') end;
  v_run.skipped_object_ids := coalesce(p_skipped_object_ids, '{}');
  v_run.minutes := case when p_finished_not_before is null then round((extract(epoch from v_run.finished_at - v_run.started_at)
    - coalesce(private.number_of(p_progress, 'paused_s'), 0)) / 60, 2) end;
  v_run.progress := coalesce(p_progress, '{}');
  v_run.error := coalesce(p_error, '{}');
  v_run.native := coalesce(p_native, '{}');
  v_run.bridge := coalesce(p_bridge, '{}');
  v_run.payload_hash := v_hash;
  v_run.plate_status := case when p_outcome = 'ignored' or not v_machine.needs_plate_clear then 'not_needed' else 'waiting' end;
  v_run := private.store_run(v_run, v_actor);
  return private.run_answer(v_run, v_run.status);
end $$;
comment on function public.record_print_completion is
$$A printer is done, as its bridge saw it; the same for every brand. p_idempotency_key: one per physical run. p_outcome success, failed,
cancelled, unknown, ignored; p_evidence observed, recovered, recovered_unseen, superseded, lost. p_candidates: names the file may be mapped by,
best first. p_finished_not_before: last report before a blind window. p_skipped_object_ids: parts not made. p_progress {percent, paused_s,
first_seen_at …}, p_error {code, text}, p_native {job_id …}, p_bridge {version, host}, p_payload_hash of the report.
Answers {status, print_run_id, reasons, lines: [{part_id, qty}], message}: recorded (parts are in stock, or a failure is noted), duplicate,
unmapped, review, ignored, conflict (known key, other report: stock stays). Nothing is dropped, nothing doubtful is booked.
Permission: farm.report at the printer's site (bridges only).
Errors: print_run.bad_report (422), auth.other_site (403).
Idempotency: by p_idempotency_key; the second net is that counted runs of one printer never overlap in time.
Locks: the printer, then the run, then the parts by SKU.$$;

create function private.instant_of(p_object jsonb, p_key text)
returns timestamptz language plpgsql stable set search_path = '' as $$
begin
  return case when isfinite((p_object ->> p_key)::timestamptz) then (p_object ->> p_key)::timestamptz end;
exception when others then
  return null;
end $$;
comment on function private.instant_of is 'An instant out of a report; null for anything that is none.';

-- Heartbeat --------------------------------------------------------------------------------------------------------

create function private.take_lease(p_machine_id bigint, p_device_id uuid)
returns uuid language plpgsql set search_path = '' as $$
declare
  v_owner uuid;
begin
  insert into private.machine_leases as l (machine_id, device_id, lease_until) values (p_machine_id, p_device_id, now() + interval '90 seconds')
  on conflict on constraint machine_leases_pkey do update set device_id = excluded.device_id, lease_until = excluded.lease_until
   where l.device_id = excluded.device_id or l.lease_until < now() returning l.device_id into v_owner;
  return coalesce(v_owner, (select l.device_id from private.machine_leases l where l.machine_id = p_machine_id));
end $$;
comment on function private.take_lease is 'The bridge that owns the printer now: the caller when it was free, his already, or its owner silent for 90 s.';

create function private.machine_state(p_report jsonb)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return case when p_report -> 'connected' is distinct from 'true' then 'offline'
    when p_report ->> 'phase' in ('starting', 'printing', 'ending') then 'printing'
    when p_report ->> 'phase' = 'paused' then 'paused'
    when p_report ->> 'state' in ('RUNNING', 'PREPARE', 'SLICING') then 'printing'
    when p_report ->> 'state' = 'PAUSE' then 'paused' when p_report ->> 'state' = 'FAILED' then 'error' else 'idle' end;
end $$;

create function private.live_of(p_report jsonb)
returns jsonb language plpgsql immutable set search_path = '' as $$
declare
  v_live jsonb := p_report - '{serial,link,link_text,name,filename,candidates,plate,percent,remaining_min,last_report_at,told,gaps}'::text[];
begin
  return case when length(v_live::text) <= 8000 then v_live else '{}' end;
end $$;
comment on function private.live_of is 'What else a bridge says of a printer, while it is little enough to be shown.';

create function private.spool_of(p_spool jsonb)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return jsonb_strip_nulls(jsonb_build_object('ready', private.number_of(p_spool, 'ready'), 'parked', private.number_of(p_spool, 'parked'),
    'oldest_s', private.number_of(p_spool, 'oldest_s'), 'last_error', left(p_spool ->> 'last_error', 500),
    'paused', left(p_spool ->> 'paused', 500)));
end $$;
comment on function private.spool_of is 'What a bridge holds back {ready, parked, oldest_s, last_error, paused}, and nothing else it may say.';

create function private.save_gaps(p_machine_id bigint, p_gaps jsonb)
returns void language plpgsql set search_path = '' as $$
begin
  insert into public.print_coverage_gaps (id, machine_id, from_at, to_at)
  select (g.item ->> 'id')::uuid, p_machine_id, private.instant_of(g.item, 'from'), private.instant_of(g.item, 'to')
    from jsonb_array_elements(case jsonb_typeof(p_gaps) when 'array' then p_gaps else '[]' end) with ordinality as g (item, n)
   where g.n <= 50 and g.item ->> 'id' ~* '^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$'
     and private.instant_of(g.item, 'from') <= private.instant_of(g.item, 'to')
  on conflict on constraint print_coverage_gaps_pkey do nothing;
end $$;
comment on function private.save_gaps is 'When nobody watched the printer [{id, from, to}], each once; what is none is left out.';

create function private.save_machine_state(p_machine public.print_machines, p_report jsonb, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_old public.print_machine_states;
  v_new public.print_machine_states;
begin
  select s.* into v_old from public.print_machine_states s where s.machine_id = p_machine.id;
  insert into public.print_machine_states as s (machine_id, link, link_text, state, job_name, candidates, plate, percent, minutes_left, live,
    last_report_at, reported_at)
  values (p_machine.id, coalesce(left(p_report ->> 'link', 40), 'offline'), left(p_report ->> 'link_text', 300), private.machine_state(p_report),
    left(coalesce(p_report ->> 'filename', p_report ->> 'name'), 300),
    array(select left(c, 300) from jsonb_array_elements_text(case jsonb_typeof(p_report -> 'candidates') when 'array' then p_report -> 'candidates' else '[]' end) c limit 20),
    case when private.number_of(p_report, 'plate') between 1 and 999 then private.number_of(p_report, 'plate')::integer end,
    case when private.number_of(p_report, 'percent') is not null then least(greatest(private.number_of(p_report, 'percent'), 0), 100) end,
    least(greatest(private.number_of(p_report, 'remaining_min'), 0), 100000), private.live_of(p_report),
    private.instant_of(p_report, 'last_report_at'), now())
  on conflict on constraint print_machine_states_pkey do update
    set (link, link_text, state, job_name, candidates, plate, percent, minutes_left, live, last_report_at, reported_at) =
      (excluded.link, excluded.link_text, excluded.state, excluded.job_name, excluded.candidates, excluded.plate, excluded.percent,
       excluded.minutes_left, excluded.live, excluded.last_report_at, excluded.reported_at)
  returning s.* into v_new;
  if (v_old.link, v_old.state, v_old.job_name) is distinct from (v_new.link, v_new.state, v_new.job_name) then
    perform private.emit('print_machine', p_machine.code, 'machine.' || v_new.state, p_actor, jsonb_strip_nulls(jsonb_build_object(
      'link', v_new.link, 'job_name', v_new.job_name, 'plate', v_new.plate)), null, p_machine.site);
  elsif (v_old.percent, v_old.minutes_left) is distinct from (v_new.percent, v_new.minutes_left) then
    -- Progress is shown, not kept: no event.
    perform private.broadcast('site:' || p_machine.site || ':print_machine', 'machine.progress', jsonb_build_object('stream_id', p_machine.code));
  end if;
end $$;

create function public.bridge_heartbeat(
  p_version text default null, p_printers jsonb default '[]', p_spool jsonb default '{}', p_status jsonb default '{}')
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('farm.report');
  v_device public.devices;
  v_row record;
  v_machine public.print_machines;
  v_owner uuid;
  v_answer jsonb := '[]';
begin
  if jsonb_typeof(p_printers) is distinct from 'array' or jsonb_array_length(p_printers) > 200 or length(p_printers::text) > 1000000 then
    perform private.fail(422, 'print_run.bad_heartbeat', 'Printers come as a list of at most 200.', jsonb_build_object('field', 'p_printers'));
  end if;
  update public.devices d set last_seen_at = now(), version = coalesce(left(p_version, 64), d.version),
      status = case when jsonb_typeof(p_status) = 'object' and length(p_status::text) < 8000 then p_status else '{}' end
        || jsonb_build_object('spool', private.spool_of(p_spool))
   where d.user_id = v_actor returning d.* into v_device;
  for v_row in
    select m as machine, r.item as report from (select distinct on (upper(trim(i ->> 'serial'))) upper(trim(i ->> 'serial')) as serial, i as item
        from jsonb_array_elements(p_printers) i) r
      join public.print_machines m on m.serial = r.serial and m.site = v_device.site order by m.id
  loop
    v_machine := v_row.machine;
    v_owner := private.take_lease(v_machine.id, v_device.id);
    if v_owner = v_device.id then
      perform private.save_machine_state(v_machine, v_row.report, v_actor);
      perform private.save_gaps(v_machine.id, v_row.report -> 'gaps');
    end if;
    v_answer := v_answer || jsonb_build_object('serial', v_machine.serial, 'code', v_machine.code, 'name', v_machine.name,
      'owned', v_owner = v_device.id, 'owner', (select d.code from public.devices d where d.id = v_owner), 'enabled', v_machine.is_active,
      'knows', v_row.report ->> 'told' is null or exists (select 1 from public.print_runs r where r.idempotency_key = v_row.report ->> 'told'));
  end loop;
  return jsonb_build_object('printers', v_answer, 'every_s', 30, 'lease_s', 90, 'at', now());
end $$;
comment on function public.bridge_heartbeat is
$$I am here, and so are my printers. p_printers: [{serial, link, connected, phase, state, filename, candidates, plate, percent, remaining_min,
last_report_at, told, gaps: [{id, from, to}] …}], told: key of the last print that was taken; p_spool {ready, parked, oldest_s, last_error}; p_status as in device_heartbeat. A printer that no
other bridge has owned in the last 90 s becomes the caller's. Answers {printers: [{serial, owned, owner, enabled, knows}], every_s}: knows is false when that print is not
here, so that it was lost with a restored backup and the bridge tells its prints again; a serial that is
missing is not registered at the bridge's site.
Permission: farm.report (bridges only).
Errors: print_run.bad_heartbeat (422).
Idempotency: says the same again; a gap is kept once, by its id.
Locks: the device, then leases and states of its printers.$$;

grant execute on function public.record_print_completion, public.bridge_heartbeat to authenticated;

-- sql/M11_print_farm/api_runs.sql

create type public.print_run_change as (changed boolean, run public.print_runs, lines jsonb, message text);
comment on type public.print_run_change is 'Answer of a command on a run: did it change anything, the run now, its parts [{sku, title, planned, qty}], what it means.';

create type private.run_command as (actor uuid, request_id uuid, answer jsonb, run public.print_runs);

create function private.begin_run(p_permission text, p_run_id bigint, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.run_command language plpgsql set search_path = '' as $$
declare
  v_command private.run_command;
  v_run public.print_runs;
begin
  select r.* into v_run from public.print_runs r where r.id = p_run_id;
  v_command.actor := private.authorize(p_permission, null, v_run.site);
  v_command.request_id := p_request_id;
  if v_run.id is null then
    perform private.fail(404, 'print_run.unknown', 'There is no such print.', jsonb_build_object('id', p_run_id));
  end if;
  v_command.answer := private.replay(v_command.actor, p_request_id, p_rpc, p_args);
  if v_command.answer is null then
    perform 1 from public.print_machines m where m.id = v_run.machine_id for no key update;   -- first, as when a report comes in
    select r.* into v_run from public.print_runs r where r.id = p_run_id for update;
  end if;
  v_command.run := v_run;
  return v_command;
end $$;
comment on function private.begin_run is
'Guard, replay and lock for a command on one run. Errors: print_run.unknown (404), request.reused (422). Locks: the printer, then the run.';

create function private.finish_run(p_command private.run_command, p_event text, p_message text default null, p_payload jsonb default '{}')
returns public.print_run_change language plpgsql set search_path = '' as $$
declare
  v_change public.print_run_change;
begin
  if p_command.answer is not null then
    return jsonb_populate_record(null::public.print_run_change, p_command.answer);
  end if;
  if p_event is not null then
    update public.print_runs r set decided_at = now(), decided_by = nullif(p_command.actor, '00000000-0000-0000-0000-000000000000')
     where r.id = (p_command.run).id;
  end if;
  v_change.run := (select r from public.print_runs r where r.id = (p_command.run).id);
  v_change.changed := p_event is not null;
  v_change.lines := private.parts_of_run((p_command.run).id);
  v_change.message := p_message;
  if p_event is not null then
    perform private.emit_run(v_change.run, p_event, p_command.actor, p_payload);
  end if;
  perform private.remember(p_command.actor, p_command.request_id, to_jsonb(v_change));
  return v_change;
end $$;

create function private.parts_given(p_lines jsonb)
returns private.run_part[] language plpgsql stable set search_path = '' as $$
declare
  v_unknown text;
begin
  if jsonb_typeof(p_lines) is distinct from 'array' or jsonb_array_length(p_lines) not between 1 and 100 or exists (
    select 1 from jsonb_array_elements(p_lines) i where jsonb_typeof(i -> 'sku') is distinct from 'string'
      or private.number_of(i, 'quantity') is null or private.number_of(i, 'quantity') not between 0 and 99999
      or i -> 'planned' <> 'null' and coalesce(private.number_of(i, 'planned') not between private.number_of(i, 'quantity') and 99999, true)) then
    perform private.fail(422, 'print_run.lines', 'Say the parts like [{"sku": "BRACKET", "quantity": 4}].', jsonb_build_object('field', 'p_lines'));
  end if;
  select i ->> 'sku' into v_unknown from jsonb_array_elements(p_lines) i
   where not exists (select 1 from public.parts p where lower(p.sku) = lower(i ->> 'sku')) limit 1;
  if v_unknown is not null then
    perform private.fail(404, 'part.unknown', 'There is no part ' || v_unknown || '.', jsonb_build_object('sku', v_unknown));
  end if;
  return array(select row(p.sku, sum(coalesce(private.number_of(i, 'planned'), private.number_of(i, 'quantity'))),
      sum(private.number_of(i, 'quantity')), null)::private.run_part
    from jsonb_array_elements(p_lines) i join public.parts p on lower(p.sku) = lower(i ->> 'sku') group by p.sku order by p.sku);
end $$;
comment on function private.parts_given is 'Parts that a person named: quantity good of planned (default: all). Errors: print_run.lines (422), part.unknown (404).';

create function private.parts_expected(p_run public.print_runs)
returns private.run_part[] language plpgsql stable set search_path = '' as $$
declare
  v_resolved private.resolved_print := private.resolve_gcode(p_run.candidates, p_run.plate);
  v_parts private.run_part[] := private.without_skipped(v_resolved.parts, p_run.skipped_object_ids);
begin
  if v_resolved.problem is not null then
    perform private.fail(409, 'print_run.unmapped', 'Say first which parts this file gives, or name them here.',
      jsonb_build_object('problem', v_resolved.problem, 'gcode_filename', p_run.gcode_filename));
  elsif v_parts is null then
    perform private.fail(409, 'print_run.which_parts', 'Objects were skipped, and the mapping does not say of which part. Name the good parts here.',
      jsonb_build_object('skipped_object_ids', p_run.skipped_object_ids));
  end if;
  return v_parts;
end $$;
comment on function private.parts_expected is 'The parts of a run by the mapping as it is now, without skipped ones. Errors: print_run.unmapped (409), print_run.which_parts (409).';

create function private.refuse_overlap(p_run public.print_runs)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_other public.print_runs;
begin
  select r.* into v_other from public.print_runs r
   where r.is_counted and r.machine_id = p_run.machine_id and r.busy && p_run.busy and r.id <> p_run.id limit 1;
  if v_other.id is not null then
    perform private.fail(409, 'print_run.overlap', 'At that time this printer made another print that is counted already. Is it the same one?',
      jsonb_build_object('other', v_other.id, 'gcode_filename', v_other.gcode_filename));
  end if;
end $$;

create function private.set_run(p_run public.print_runs, p_outcome text, p_parts private.run_part[])
returns public.print_runs language plpgsql set search_path = '' as $$
declare
  v_run public.print_runs := p_run;
begin
  if p_outcome = 'success' then
    perform private.refuse_overlap(p_run);
  end if;
  update public.print_runs r
     set outcome = p_outcome, status = case p_outcome when 'ignored' then 'ignored' else 'recorded' end, is_counted = p_outcome = 'success',
         grams = coalesce(r.grams, private.run_grams(p_parts, 1)),
         mapping = case when p_parts is null then r.mapping else (select jsonb_agg(to_jsonb(p) - 'quantity' order by p.sku) from unnest(p_parts) p) end
   where r.id = p_run.id returning r.* into v_run;
  return v_run;
end $$;

create function public.resolve_print_run(
  p_run_id bigint, p_action text, p_lines jsonb default null, p_reason text default null, p_request_id uuid default null)
returns public.print_run_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.run_command := private.begin_run('farm.review', p_run_id, p_request_id, 'resolve_print_run',
    jsonb_build_array(p_run_id, p_action, p_lines, p_reason));
  v_run public.print_runs := v_command.run;
  v_parts private.run_part[];
  v_outcome text := case p_action when 'book' then 'success' when 'fail' then 'failed' when 'cancel' then 'cancelled' when 'ignore' then 'ignored' end;
begin
  if v_command.answer is not null then
    return private.finish_run(v_command, null);
  elsif v_outcome is null then
    perform private.fail(422, 'print_run.action', 'Choose book, fail, cancel or ignore.', jsonb_build_object('field', 'p_action', 'actual', p_action));
  elsif v_run.status in ('recorded', 'ignored') then
    if v_run.outcome = v_outcome and p_lines is null then
      return private.finish_run(v_command, null);   -- decided before, the same way
    end if;
    perform private.fail(409, 'print_run.decided', 'This print is decided already. Amend it instead.', jsonb_build_object('outcome', v_run.outcome));
  end if;
  perform private.check_length('p_reason', p_reason, 500);
  if p_action = 'book' then
    v_parts := case when p_lines is null then private.parts_expected(v_run) else private.parts_given(p_lines) end;
  end if;
  v_run := private.set_run(v_run, v_outcome, v_parts);
  if p_action = 'book' then
    perform private.book_run(v_run, v_parts, v_command.actor);
  end if;
  return private.finish_run(v_command, 'print_run.resolved', null, jsonb_strip_nulls(jsonb_build_object('action', p_action, 'reason', p_reason)));
end $$;
comment on function public.resolve_print_run is
$$A person decides about a print that waits (unmapped, review). p_action book (by the mapping, or p_lines [{sku, quantity}] of good parts),
fail, cancel, or ignore (no production print).
Permission: farm.review at its site.
Errors: print_run.unknown (404), print_run.action (422), print_run.decided (409), print_run.unmapped (409), print_run.which_parts (409), print_run.overlap (409),
print_run.lines (422), part.unknown (404), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; the same decision again answers changed = false.
Locks: the printer, the run, then the parts by SKU.$$;

create function public.amend_print_run(
  p_run_id bigint, p_outcome text default null, p_lines jsonb default null, p_reason text default null, p_request_id uuid default null)
returns public.print_run_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.run_command := private.begin_run('farm.review', p_run_id, p_request_id, 'amend_print_run',
    jsonb_build_array(p_run_id, p_outcome, p_lines, p_reason));
  v_run public.print_runs := v_command.run;
  v_parts private.run_part[];
  v_outcome text := coalesce(p_outcome, (v_command.run).outcome);
begin
  if v_command.answer is not null then
    return private.finish_run(v_command, null);
  elsif v_run.status not in ('recorded', 'ignored') then
    perform private.fail(409, 'print_run.undecided', 'Decide about this print first.', jsonb_build_object('status', v_run.status));
  elsif v_outcome not in ('success', 'failed', 'cancelled', 'ignored') then
    perform private.fail(422, 'print_run.action', 'Choose success, failed, cancelled or ignored.', jsonb_build_object('field', 'p_outcome', 'actual', p_outcome));
  elsif v_outcome = v_run.outcome and p_lines is null then
    return private.finish_run(v_command, null);
  end if;
  perform private.check_reason(p_reason);
  v_parts := case when v_outcome <> 'success' then array(
      select row(l.sku, l.planned, 0, null)::private.run_part from public.inventory_print_log l where l.run_id = p_run_id)
    when p_lines is not null then private.parts_given(p_lines) else private.parts_expected(v_run) end;
  v_run := private.set_run(v_run, v_outcome, case when v_outcome = 'success' then v_parts end);
  perform private.correct_run(v_run, v_parts, 'adjust', p_reason, v_command.actor);
  return private.finish_run(v_command, 'print_run.amended', null,
    jsonb_build_object('before', (v_command.run).outcome, 'after', v_outcome, 'reason', p_reason));
end $$;
comment on function public.amend_print_run is
$$A decided print was something else: flip p_outcome (success, failed, cancelled, ignored), or give p_lines [{sku, quantity}], the good parts
there really were. Stock follows by movements of their own, and promises follow the stock, the newest first. Nothing is clamped at zero.
Permission: farm.review at its site.
Errors: print_run.unknown (404), print_run.undecided (409), print_run.action (422), stock.reason_required (422), print_run.unmapped (409), print_run.which_parts (409),
print_run.overlap (409), print_run.lines (422), part.unknown (404), stock.short (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; the same outcome again answers changed = false.
Locks: the printer, the run, then the parts by SKU.$$;

create function private.good_parts(p_run public.print_runs, p_good jsonb)
returns private.run_part[] language plpgsql stable set search_path = '' as $$
declare
  v_parts private.run_part[];
  v_bad text;
begin
  select array_agg(row(l.sku, l.planned, case jsonb_typeof(p_good) when 'number' then (p_good #>> '{}')::numeric
      when 'object' then coalesce(private.number_of(p_good, l.sku), case when p_good ? l.sku then -1 else l.quantity end) end, null)::private.run_part order by l.sku)
    into v_parts from public.inventory_print_log l where l.run_id = p_run.id;
  select min(k) into v_bad from jsonb_object_keys(case jsonb_typeof(p_good) when 'object' then p_good else '{}' end) k
   where not exists (select 1 from unnest(v_parts) p where p.sku = k);
  if v_parts is null then
    perform private.fail(409, 'print_run.undecided', 'Decide about this print first: nothing is booked for it.', jsonb_build_object('status', p_run.status));
  elsif v_bad is not null or cardinality(v_parts) > 1 and jsonb_typeof(p_good) = 'number' or exists (
    select 1 from unnest(v_parts) p where p.quantity is null or p.quantity not between 0 and p.planned) then
    perform private.fail(422, 'print_run.good', 'Say how many are good: a number, or {"BRACKET": 3} where a plate gives several parts; at most what was planned.',
      jsonb_build_object('field', 'p_good', 'planned', (select jsonb_object_agg(p.sku, p.planned) from unnest(v_parts) p)));
  end if;
  return v_parts;
end $$;

create function public.confirm_plate(
  p_run_id bigint, p_good jsonb default null, p_reason text default null, p_photo text default null, p_request_id uuid default null)
returns public.print_run_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.run_command := private.begin_run('farm.log', p_run_id, p_request_id, 'confirm_plate',
    jsonb_build_array(p_run_id, p_good, p_reason, p_photo));
  v_run public.print_runs := v_command.run;
  v_parts private.run_part[];
  v_booked numeric;
begin
  if v_command.answer is not null then
    return private.finish_run(v_command, null);
  end if;
  if p_photo is not null then
    perform private.attach_photo(p_photo, 'print_run', p_run_id::text, v_run.site, v_command.actor);
  end if;
  if p_good is not null then
    v_parts := private.good_parts(v_run, p_good);
    if v_run.outcome <> 'success' and exists (select 1 from unnest(v_parts) p where p.quantity > 0) then
      v_run := private.set_run(v_run, 'success', null);   -- it failed, and still some are good
    end if;
    select sum(l.quantity) into v_booked from public.inventory_print_log l where l.run_id = p_run_id;
    if (select sum(p.quantity) from unnest(v_parts) p) < v_booked then
      perform private.check_reason(p_reason);
    end if;
    perform private.correct_run(v_run, v_parts, 'scrap', p_reason, v_command.actor);
  end if;
  if v_run.plate_status = 'cleared' and (p_photo is null or p_photo = v_run.photo) and (v_parts is null
     or v_booked = (select sum(l.quantity) from public.inventory_print_log l where l.run_id = p_run_id)) then
    return private.finish_run(v_command, null);
  end if;
  update public.print_runs r set plate_status = 'cleared', photo = coalesce(p_photo, r.photo) where r.id = p_run_id;
  return private.finish_run(v_command, 'print_run.plate_cleared', null, jsonb_strip_nulls(jsonb_build_object('good', p_good, 'reason', p_reason)));
end $$;
comment on function public.confirm_plate is
$$The plate is cleared and the printer may print again. p_good: how many were good, a number or {sku: n}; null = as booked. Rejects leave stock
as scrap with p_reason, and what was promised from them is taken back, the newest first. Of a failed print some may be good. p_photo: path that start_photo gave, once the
photo is there.
Permission: farm.log at its site.
Errors: print_run.unknown (404), print_run.undecided (409), print_run.overlap (409), print_run.good (422), stock.reason_required (422), stock.short (409),
photo.unknown (404), photo.missing (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a plate that is cleared answers changed = false.
Locks: the printer, the run, the photo, then the parts by SKU.$$;

grant execute on function public.resolve_print_run, public.amend_print_run, public.confirm_plate to authenticated;

-- sql/M11_print_farm/api_parts.sql

create function public.upsert_part(
  p_sku text, p_title text default null, p_print_minutes numeric default null, p_grams_per_print numeric default null,
  p_parts_per_print integer default null, p_color text default null, p_material text default null, p_min_stock numeric default null,
  p_notes text default null, p_is_active boolean default null, p_request_id uuid default null)
returns public.parts language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('farm.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'upsert_part', jsonb_build_array(p_sku, p_title, p_print_minutes, p_grams_per_print,
    p_parts_per_print, p_color, p_material, p_min_stock, p_notes, p_is_active));
  v_sku text;
  v_before public.parts;
  v_part public.parts;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.parts, v_answer);
  end if;
  v_sku := (private.save_item(p_sku, jsonb_strip_nulls(jsonb_build_object('title', p_title, 'min_stock', p_min_stock, 'kind',
    case when not exists (select 1 from public.inventory_items i where lower(i.sku) = lower(p_sku)) then 'part' end)))).sku;
  select p.* into v_before from public.parts p where p.sku = v_sku for update;
  insert into public.parts as p (sku, print_minutes, grams_per_print, parts_per_print, color, material, notes, is_active)
  values (v_sku, coalesce(p_print_minutes, 60), coalesce(p_grams_per_print, 0), coalesce(p_parts_per_print, 1), p_color, coalesce(p_material, 'PLA'),
    p_notes, coalesce(p_is_active, true))
  on conflict on constraint parts_pkey do update
    set print_minutes = coalesce(p_print_minutes, p.print_minutes), grams_per_print = coalesce(p_grams_per_print, p.grams_per_print),
        parts_per_print = coalesce(p_parts_per_print, p.parts_per_print), color = coalesce(p_color, p.color),
        material = coalesce(p_material, p.material), notes = coalesce(p_notes, p.notes), is_active = coalesce(p_is_active, p.is_active)
  returning p.* into v_part;
  perform private.emit('part', v_sku, 'part.saved', v_actor, jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_part)));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_part));
  return v_part;
end $$;
comment on function public.upsert_part is
$$A printed part, and the item it is in stock: added, or changed (null: as it is). p_print_minutes and p_grams_per_print of one print,
p_parts_per_print good parts it gives.
Permission: farm.manage.
Errors: item.negative (409), item.in_use (409), request.reused (422); constraints by name (parts_print_minutes_check …).
Idempotency: by p_request_id; the same values again change nothing but the version.
Locks: the item and its stock, then the part.$$;

-- Files ------------------------------------------------------------------------------------------------------------

create type public.gcode_change as (gcode_filename text, stem text, plate integer, parts jsonb, waiting integer);
comment on type public.gcode_change is
  'A file and the parts it gives: [{id, sku, title, quantity, object_ids}]. waiting: prints of it that can be booked now (book_waiting_prints).';

create function private.object_ids_of(p_line jsonb)
returns integer[] language plpgsql immutable set search_path = '' as $$
begin
  if jsonb_typeof(p_line -> 'object_ids') is distinct from 'array' or p_line -> 'object_ids' = '[]' then
    return null;
  end if;
  return array(select distinct o::integer from jsonb_array_elements_text(p_line -> 'object_ids') o order by 1);
end $$;

create function private.waiting_runs(p_stem text)
returns bigint[] language plpgsql stable set search_path = '' as $$
begin
  return array(
    select r.id from public.print_runs r
     where r.status = 'unmapped' and (p_stem is null or exists (select 1 from unnest(r.candidates) c where private.gcode_stem(c) = p_stem))
       and (private.resolve_gcode(r.candidates, r.plate)).problem is null
     order by r.id limit 500);
end $$;
comment on function private.waiting_runs is 'Prints that waited for a mapping and have one now.';

create function private.gcode_answer(p_gcode_filename text, p_plate integer)
returns public.gcode_change language plpgsql stable set search_path = '' as $$
declare
  v_stem text := private.gcode_stem(p_gcode_filename);
begin
  return row(p_gcode_filename, v_stem, p_plate, coalesce((
      select jsonb_agg(jsonb_build_object('id', m.id, 'sku', m.sku, 'title', i.title, 'quantity', trim_scale(m.quantity), 'object_ids', m.object_ids) order by m.sku)
        from public.gcode_part_mappings m join public.inventory_items i on i.sku = m.sku
       where m.is_active and m.stem = v_stem and m.plate is not distinct from p_plate), '[]'),
    cardinality(private.waiting_runs(v_stem)))::public.gcode_change;
end $$;

create function public.get_gcode(p_gcode_filename text, p_plate integer default null)
returns public.gcode_change language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('farm.read');
  return private.gcode_answer(p_gcode_filename, coalesce(p_plate, private.gcode_plate(p_gcode_filename)));
end $$;
comment on function public.get_gcode is
$$Which parts a file (and plate) gives now, so that a mapping is changed and not begun anew; and how many of its prints can be booked. The plate is
p_plate, else the one in the name.
Permission: farm.read.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;

create function public.map_gcode(
  p_gcode_filename text, p_parts jsonb, p_plate integer default null, p_notes text default null, p_request_id uuid default null)
returns public.gcode_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('farm.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'map_gcode', jsonb_build_array(p_gcode_filename, p_parts, p_plate, p_notes));
  v_plate integer := coalesce(p_plate, private.gcode_plate(p_gcode_filename));
  v_stem text := private.gcode_stem(p_gcode_filename);
  v_parts private.run_part[];
  v_change public.gcode_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.gcode_change, v_answer);
  elsif private.is_generic_gcode(p_gcode_filename) then
    perform private.fail(422, 'gcode.generic', 'Every project may have a file of this name. Give the project a name and use that.',
      jsonb_build_object('field', 'p_gcode_filename', 'actual', p_gcode_filename));
  end if;
  v_parts := private.parts_given(p_parts);
  perform pg_advisory_xact_lock(hashtextextended('takt gcode ' || v_stem, 0));   -- two people and one file: the later set of parts holds, whole
  update public.gcode_part_mappings m set is_active = false
   where m.is_active and m.stem = v_stem and m.plate is not distinct from v_plate and not m.sku = any (array(select p.sku from unnest(v_parts) p));
  insert into public.gcode_part_mappings as m (gcode_filename, plate, sku, quantity, object_ids, notes, created_by)
  select p_gcode_filename, v_plate, p.sku, p.quantity, (select private.object_ids_of(i) from jsonb_array_elements(p_parts) i
      where lower(i ->> 'sku') = lower(p.sku) order by i -> 'object_ids' limit 1), p_notes, nullif(v_actor, '00000000-0000-0000-0000-000000000000')
    from unnest(v_parts) p
  on conflict on constraint gcode_part_mappings_part_key do update
    set gcode_filename = excluded.gcode_filename, quantity = excluded.quantity, object_ids = excluded.object_ids, is_active = true,
        notes = coalesce(excluded.notes, m.notes);
  v_change := private.gcode_answer(p_gcode_filename, v_plate);
  perform private.emit('gcode', left(concat_ws(' plate ', v_stem, v_plate), 200), 'gcode.mapped', v_actor, jsonb_build_object(
    'gcode_filename', p_gcode_filename, 'parts', v_change.parts, 'waiting', v_change.waiting));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.map_gcode is
$$This file (and plate) gives these parts: p_parts [{sku, quantity, object_ids}], all of them; parts that are not named are taken off. Case,
folder and .gcode, .3mf do not matter; the plate is p_plate, else the one in the name, else every plate. object_ids: identify_id of the
objects, for skipped ones. Prints that waited for it are not booked by themselves: the answer says how many wait.
Permission: farm.manage.
Errors: gcode.generic (422), print_run.lines (422), part.unknown (404), request.reused (422); constraints by name.
Idempotency: by p_request_id; the same parts again change nothing.
Locks: the file.$$;

create function public.unmap_gcode(p_gcode_filename text, p_plate integer default null, p_request_id uuid default null)
returns public.gcode_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('farm.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'unmap_gcode', jsonb_build_array(p_gcode_filename, p_plate));
  v_plate integer := coalesce(p_plate, private.gcode_plate(p_gcode_filename));
  v_change public.gcode_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.gcode_change, v_answer);
  end if;
  perform pg_advisory_xact_lock(hashtextextended('takt gcode ' || private.gcode_stem(p_gcode_filename), 0));
  update public.gcode_part_mappings m set is_active = false
   where m.is_active and m.stem = private.gcode_stem(p_gcode_filename) and m.plate is not distinct from v_plate;
  if found then
    perform private.emit('gcode', left(concat_ws(' plate ', private.gcode_stem(p_gcode_filename), v_plate), 200), 'gcode.unmapped', v_actor,
      jsonb_build_object('gcode_filename', p_gcode_filename));
  end if;
  v_change := private.gcode_answer(p_gcode_filename, v_plate);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.unmap_gcode is
$$This file (and plate) gives no known parts any more. What was booked stays; its next prints wait for a mapping.
Permission: farm.manage.
Errors: request.reused (422).
Idempotency: by p_request_id; a repeat changes nothing.
Locks: the file.$$;

-- Prints that waited, and prints by hand -------------------------------------------------------------------------------

create type public.booked_print as (print_run_id bigint, status text, reasons text[], lines jsonb);

create function public.book_waiting_prints(
  p_gcode_filename text default null, p_run_ids bigint[] default null, p_request_id uuid default null)
returns setof public.booked_print language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('farm.review');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'book_waiting_prints', jsonb_build_array(p_gcode_filename, p_run_ids));
  v_ids bigint[];
  v_run public.print_runs;
  v_parts private.run_part[];
begin
  if v_answer is null then
    v_ids := array(select w from unnest(private.waiting_runs(case when p_gcode_filename is not null then private.gcode_stem(p_gcode_filename) end)) w
      where p_run_ids is null or w = any (p_run_ids));
    perform private.authorize('farm.review', null, s.site) from (select distinct r.site from public.print_runs r where r.id = any (v_ids)) s;
    perform 1 from public.print_machines m where m.id in (select r.machine_id from public.print_runs r where r.id = any (v_ids)) order by m.id for no key update;
    perform 1 from public.print_runs r where r.id = any (v_ids) order by r.id for update;
    perform private.lock_stock(array(select p.sku from public.print_runs r,
      unnest((private.resolve_gcode(r.candidates, r.plate)).parts) p where r.id = any (v_ids)));
    v_answer := '[]';
    for v_run in select r.* from public.print_runs r where r.id = any (v_ids) and r.status = 'unmapped' order by r.id loop
      v_run := private.rejudge(v_run);
      v_parts := private.without_skipped((private.resolve_gcode(v_run.candidates, v_run.plate)).parts, v_run.skipped_object_ids);
      if v_run.is_counted then
        perform private.book_run(v_run, v_parts, v_actor);
      end if;
      perform private.emit_run(v_run, 'print_run.' || v_run.status, v_actor);
      v_answer := v_answer || jsonb_build_object('print_run_id', v_run.id, 'status', v_run.status, 'reasons', v_run.reasons,
        'lines', private.parts_of_run(v_run.id));
    end loop;
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return query select b.* from jsonb_populate_recordset(null::public.booked_print, v_answer) b;
end $$;
comment on function public.book_waiting_prints is
$$The prints that waited for a mapping and have one now are booked, each once (at most 500): those of a file, or the given ones. One that is
doubtful for another reason goes to review.
Permission: farm.review at their sites.
Errors: request.reused (422).
Idempotency: by p_request_id; a booked print no longer waits.
Locks: the printers, the runs, then the parts by SKU.$$;

create function private.rejudge(p_run public.print_runs)
returns public.print_runs language plpgsql set search_path = '' as $$
declare
  v_run public.print_runs := private.judge_run(p_run, private.resolve_gcode(p_run.candidates, p_run.plate));
begin
  update public.print_runs r set status = v_run.status, reasons = v_run.reasons, is_counted = v_run.is_counted, mapping = v_run.mapping, grams = v_run.grams
   where r.id = p_run.id returning r.* into v_run;
  return v_run;
end $$;

create function public.log_manual_print(
  p_lines jsonb default null, p_gcode_filename text default null, p_plate integer default null, p_machine text default null,
  p_outcome text default 'success', p_started_at timestamptz default null, p_finished_at timestamptz default null,
  p_reason text default null, p_notes text default null, p_request_id uuid default null)
returns public.print_run_change language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.print_machines;
  v_command private.run_command;
  v_run public.print_runs;
  v_parts private.run_part[];
begin
  select m.* into v_machine from public.print_machines m where m.code = p_machine for no key update;
  v_run.site := coalesce(v_machine.site, private.caller_site(null, null));
  v_command.actor := private.authorize('farm.log', null, v_run.site);
  v_command.request_id := p_request_id;
  v_command.answer := private.replay(v_command.actor, p_request_id, 'log_manual_print',
    jsonb_build_array(p_lines, p_gcode_filename, p_plate, p_machine, p_outcome, p_started_at, p_finished_at, p_reason, p_notes));
  if v_command.answer is not null then
    return private.finish_run(v_command, null);
  end if;
  perform private.check_manual_print(p_machine, v_machine.id, v_run.site, p_outcome, p_started_at, p_finished_at);
  v_run.candidates := array_remove(array[left(p_gcode_filename, 300)], null);
  v_run.plate := p_plate;
  v_parts := case when p_lines is not null then private.parts_given(p_lines) else private.parts_expected(v_run) end;
  insert into public.print_runs as r (idempotency_key, site, machine_id, source, outcome, evidence, status, gcode_filename, candidates, plate,
    started_at, finished_at, minutes, grams, error, payload_hash, plate_status, notes, reported_by)
  values ('manual:' || gen_random_uuid(), v_run.site, v_machine.id, 'manual', p_outcome, 'person', 'recorded', p_gcode_filename, v_run.candidates,
    p_plate, p_started_at, coalesce(p_finished_at, now()), round(extract(epoch from p_finished_at - p_started_at) / 60, 2),
    private.run_grams(v_parts, 1), jsonb_strip_nulls(jsonb_build_object('text', p_reason)), '', 'not_needed', p_notes,
    nullif(v_command.actor, '00000000-0000-0000-0000-000000000000'))
  returning r.* into v_run;
  v_run := private.set_run(v_run, p_outcome, v_parts);
  perform private.book_run(v_run, case p_outcome when 'success' then v_parts
    else array(select row(p.sku, p.planned, 0, null)::private.run_part from unnest(v_parts) p) end, v_command.actor);
  perform private.count_run(v_run);
  v_command.run := v_run;
  return private.finish_run(v_command, 'print_run.logged');
end $$;
comment on function public.log_manual_print is
$$A print that no bridge saw: p_lines [{sku, quantity, planned}] of good parts (planned: what it was to give, if more), or p_gcode_filename (and p_plate) by its mapping. p_machine: code of the
printer, if known; p_outcome success or failed (nothing is booked, p_reason says why).
Permission: farm.log at the printer's site.
Errors: print_machine.unknown (404), site.unknown (404), print_run.action (422), print_run.times (422), print_run.lines (422), part.unknown (404), print_run.unmapped (409),
print_run.which_parts (409), print_run.overlap (409), request.reused (422).
Idempotency: by p_request_id; without it every call is another print.
Locks: the printer, then the parts by SKU.$$;

create function private.check_manual_print(
  p_machine text, p_machine_id bigint, p_site text, p_outcome text, p_started_at timestamptz, p_finished_at timestamptz)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_machine is not null and p_machine_id is null then
    perform private.fail(404, 'print_machine.unknown', 'There is no printer ' || p_machine || '.', jsonb_build_object('machine', p_machine));
  elsif p_site is null then
    perform private.fail(404, 'site.unknown', 'Name the printer: you work at more than one site.', jsonb_build_object('field', 'p_machine'));
  elsif p_outcome is null or p_outcome not in ('success', 'failed') then
    perform private.fail(422, 'print_run.action', 'A print went well (success) or not (failed).', jsonb_build_object('field', 'p_outcome', 'actual', p_outcome));
  elsif p_started_at > coalesce(p_finished_at, now()) or p_finished_at > now() + interval '5 minutes' then
    perform private.fail(422, 'print_run.times', 'A print starts before it ends, and ends before now.', jsonb_build_object('field', 'p_finished_at'));
  end if;
end $$;

grant execute on function public.upsert_part, public.get_gcode, public.map_gcode, public.unmap_gcode to authenticated, service_role;
grant execute on function public.book_waiting_prints, public.log_manual_print to authenticated;

-- sql/M11_print_farm/api_machines.sql

create function public.upsert_print_machine(
  p_code text, p_name text default null, p_kind text default null, p_serial text default null, p_site text default null, p_model text default null,
  p_location text default null, p_materials text[] default null, p_work_days smallint[] default null, p_work_from time default null,
  p_work_until time default null, p_needs_plate_clear boolean default null, p_service_every_hours integer default null,
  p_is_in_maintenance boolean default null, p_is_active boolean default null, p_request_id uuid default null)
returns public.print_machines language plpgsql security definer set search_path = '' as $$
declare
  v_old public.print_machines;
  v_site text;
  v_actor uuid;
  v_answer jsonb;
  v_machine public.print_machines;
begin
  select m.* into v_old from public.print_machines m where m.code = p_code for update;
  v_site := coalesce(p_site, v_old.site, private.caller_site(null, null));
  v_actor := private.authorize('farm.manage', null, v_site);
  v_answer := private.replay(v_actor, p_request_id, 'upsert_print_machine', jsonb_build_array(p_code, p_name, p_kind, p_serial, p_site, p_model, p_location,
    p_materials, p_work_days, p_work_from, p_work_until, p_needs_plate_clear, p_service_every_hours, p_is_in_maintenance, p_is_active));
  if v_answer is not null then
    return jsonb_populate_record(null::public.print_machines, v_answer);
  end if;
  perform private.authorize('farm.manage', null, v_old.site);   -- who takes one over must have had it
  if not exists (select 1 from public.sites s where s.code = v_site) then
    perform private.fail(404, 'site.unknown', 'Say at which site the printer stands.', jsonb_build_object('site', v_site));
  elsif p_location <> '' and not exists (select 1 from public.locations l where l.code = p_location and l.site = v_site) then
    perform private.fail(404, 'location.unknown', 'There is no location ' || p_location || ' at this site.', jsonb_build_object('location', p_location));
  end if;
  insert into public.print_machines as m (code, name, site, kind, serial, model, location, materials, work_days, work_from, work_until,
    needs_plate_clear, service_every_hours, is_in_maintenance, is_active)
  values (p_code, coalesce(p_name, p_code), v_site, coalesce(p_kind, 'manual'), upper(nullif(trim(p_serial), '')), p_model, nullif(p_location, ''),
    coalesce(p_materials, '{}'), coalesce(p_work_days, '{1,2,3,4,5,6,7}'), coalesce(p_work_from, '00:00'), coalesce(p_work_until, '24:00'),
    coalesce(p_needs_plate_clear, true), p_service_every_hours, coalesce(p_is_in_maintenance, false), coalesce(p_is_active, true))
  on conflict on constraint print_machines_code_key do update
    set location = case when p_location is not null then excluded.location when m.site = v_site then m.location end, name = coalesce(p_name, m.name), site = v_site, kind = coalesce(p_kind, m.kind), serial = case when p_serial is null then m.serial else excluded.serial end,
        model = coalesce(p_model, m.model), materials = coalesce(p_materials, m.materials),
        work_days = coalesce(p_work_days, m.work_days), work_from = coalesce(p_work_from, m.work_from), work_until = coalesce(p_work_until, m.work_until),
        needs_plate_clear = coalesce(p_needs_plate_clear, m.needs_plate_clear), service_every_hours = coalesce(p_service_every_hours, m.service_every_hours),
        is_in_maintenance = coalesce(p_is_in_maintenance, m.is_in_maintenance), is_active = coalesce(p_is_active, m.is_active)
  returning m.* into v_machine;
  perform private.emit('print_machine', p_code, 'machine.saved', v_actor, jsonb_build_object('before', to_jsonb(v_old), 'after', to_jsonb(v_machine)), null, v_site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_machine));
  return v_machine;
end $$;
comment on function public.upsert_print_machine is
$$A 3D printer: added, or changed (null: as it is; an empty p_serial or p_location clears it). p_kind bambu, moonraker, prusalink, octoprint or
manual. p_location: where its parts go; a printer that moves to another site leaves it behind. p_materials it may print (empty: all). p_work_days 1 = Monday to 7, p_work_from to p_work_until: when somebody starts prints.
Permission: farm.manage at the site, and at the site it was.
Errors: site.unknown (404), location.unknown (404), request.reused (422); constraints by name (print_machines_serial_key …).
Idempotency: by p_request_id; the same values again change nothing but the version.
Locks: the printer.$$;

create function public.service_print_machine(p_code text, p_notes text default null, p_request_id uuid default null)
returns public.print_machine_counters language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.print_machines;
  v_actor uuid;
  v_answer jsonb;
  v_counters public.print_machine_counters;
begin
  select m.* into v_machine from public.print_machines m where m.code = p_code;
  v_actor := private.authorize('farm.review', null, v_machine.site);
  v_answer := private.replay(v_actor, p_request_id, 'service_print_machine', jsonb_build_array(p_code, p_notes));
  if v_answer is not null then
    return jsonb_populate_record(null::public.print_machine_counters, v_answer);
  elsif v_machine.id is null then
    perform private.fail(404, 'print_machine.unknown', 'There is no printer ' || coalesce(p_code, '') || '.', jsonb_build_object('machine', p_code));
  end if;
  perform private.check_length('p_notes', p_notes, 2000);
  insert into public.print_machine_counters as c (machine_id, serviced_at) values (v_machine.id, now())
  on conflict on constraint print_machine_counters_pkey do update
    set serviced_at = now(), jobs_at_service = c.jobs, minutes_at_service = c.print_minutes
  returning c.* into v_counters;
  perform private.emit('print_machine', p_code, 'machine.serviced', v_actor, jsonb_strip_nulls(jsonb_build_object('notes', p_notes,
    'jobs', v_counters.jobs, 'print_minutes', v_counters.print_minutes)), null, v_machine.site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_counters));
  return v_counters;
end $$;
comment on function public.service_print_machine is
$$The printer was serviced: its hours and jobs since the last service begin anew.
Permission: farm.review at its site.
Errors: print_machine.unknown (404), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a repeat without it is another service.
Locks: its counters.$$;

create type public.print_machine_row as (
  machine public.print_machines, state public.print_machine_states, is_stale boolean, owner text, parts jsonb, problem text, plates bigint[],
  counters public.print_machine_counters, service_due boolean, waiting_because text, gaps jsonb);
comment on type public.print_machine_row is
$$A printer now. is_stale: the bridge has been silent about it for 3 minutes. owner: the bridge that watches it. parts: what the running job will
give [{sku, quantity}]; problem: unmapped, unnamed or ambiguous. plates: runs whose plate has to be cleared. waiting_because: why it does not
print. gaps: the last times nobody watched [{from_at, to_at}].$$;

create function private.machine_row(p_machine public.print_machines)
returns public.print_machine_row language plpgsql stable set search_path = '' as $$
declare
  v_row public.print_machine_row;
  v_resolved private.resolved_print;
begin
  v_row.machine := p_machine;
  v_row.state := (select s from public.print_machine_states s where s.machine_id = p_machine.id);
  v_row.is_stale := coalesce((v_row.state).reported_at < now() - interval '3 minutes', p_machine.kind <> 'manual');
  v_row.owner := (select d.code from private.machine_leases l join public.devices d on d.id = l.device_id
    where l.machine_id = p_machine.id and l.lease_until > now());
  if (v_row.state).state in ('printing', 'paused') then
    v_resolved := private.resolve_gcode((v_row.state).candidates || (v_row.state).job_name, (v_row.state).plate);
    v_row.parts := (select jsonb_agg(jsonb_build_object('sku', p.sku, 'quantity', trim_scale(p.quantity)) order by p.sku) from unnest(v_resolved.parts) p);
    v_row.problem := v_resolved.problem;
  end if;
  v_row.plates := array(select r.id from public.print_runs r where r.machine_id = p_machine.id and r.plate_status = 'waiting' order by r.id);
  v_row.counters := (select c from public.print_machine_counters c where c.machine_id = p_machine.id);
  v_row.service_due := coalesce((v_row.counters).print_minutes - (v_row.counters).minutes_at_service >= p_machine.service_every_hours * 60, false);
  v_row.waiting_because := case when (v_row.state).state = 'printing' then null when not p_machine.is_active then 'retired'
    when p_machine.is_in_maintenance then 'maintenance' when v_row.is_stale or (v_row.state).state = 'offline' then 'offline'
    when (v_row.state).state = 'paused' then 'paused' when v_row.plates <> '{}' then 'plate' when (v_row.state).state = 'error' then 'error'
    when private.next_start(p_machine, now()) > now() then 'outside_hours' else 'nothing_started' end;
  v_row.gaps := coalesce((select jsonb_agg(jsonb_build_object('from_at', g.from_at, 'to_at', g.to_at) order by g.to_at desc)
    from (select q.* from public.print_coverage_gaps q where q.machine_id = p_machine.id order by q.to_at desc limit 5) g), '[]');
  return v_row;
end $$;

create function public.get_print_machines(p_site text default null)
returns setof public.print_machine_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text := private.caller_site(p_site, null);
begin
  perform private.authorize('farm.read', null, v_site);
  return query select x.* from public.print_machines m cross join lateral private.machine_row(m) x where v_site is null or m.site = v_site order by m.code;
end $$;
comment on function public.get_print_machines is
$$The printers of the site: live state, link, the parts the running job will give, plates to clear, maintenance counters, why one waits.
Permission: farm.read at the site.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create type public.farm_status as (unmapped bigint, review bigint, plates bigint, bridges jsonb, alarms jsonb);
comment on type public.farm_status is
$$What the print farm wants from people: runs without mapping, runs to review, plates to clear; bridges [{code, name, last_seen_at, version,
spool, is_silent}]; alarms [{code, message, details}].$$;

create function private.farm_alarms(p_site text, p_bridges jsonb)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select jsonb_agg(jsonb_build_object('code', a.code, 'message', a.message, 'details', a.details) order by a.code, a.message) from (
    select 'farm.bridge_silent' as code, format('The bridge %s has been silent since %s.', b ->> 'name', b ->> 'last_seen_at') as message, b as details
      from jsonb_array_elements(p_bridges) b where (b ->> 'is_silent')::boolean
    union all
    select 'farm.spool', format('The bridge %s holds %s reports back.', b ->> 'name', b -> 'spool' ->> 'ready'), b -> 'spool'
      from jsonb_array_elements(p_bridges) b where private.number_of(b -> 'spool', 'oldest_s') > 600 or private.number_of(b -> 'spool', 'parked') > 0
    union all
    select 'farm.printer_link', format('%s: %s', m.name, coalesce(s.link_text, s.link)), jsonb_build_object('machine', m.code, 'link', s.link)
      from public.print_machines m join public.print_machine_states s on s.machine_id = m.id
     where m.site = p_site and m.is_active and s.link not in ('online', 'connecting') and s.reported_at > now() - interval '3 minutes'
    union all
    select 'farm.service_due', format('%s is due for service.', m.name), jsonb_build_object('machine', m.code)
      from public.print_machines m join public.print_machine_counters c on c.machine_id = m.id
     where m.site = p_site and m.is_active and c.print_minutes - c.minutes_at_service >= m.service_every_hours * 60) a), '[]');
end $$;

create function public.get_farm_status(p_site text default null)
returns public.farm_status language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text := private.caller_site(p_site, null);
  v_status public.farm_status;
begin
  perform private.authorize('farm.read', null, v_site);
  select count(*) filter (where r.status = 'unmapped'), count(*) filter (where r.status = 'review') into v_status.unmapped, v_status.review
    from public.print_runs r where r.status in ('unmapped', 'review') and (v_site is null or r.site = v_site);
  v_status.plates := (select count(*) from public.print_runs r where r.plate_status = 'waiting' and (v_site is null or r.site = v_site));
  v_status.bridges := coalesce((select jsonb_agg(jsonb_build_object('code', d.code, 'name', d.name, 'last_seen_at', d.last_seen_at, 'version', d.version,
      'spool', d.status -> 'spool', 'is_silent', coalesce(d.last_seen_at < now() - interval '3 minutes', true)) order by d.code)
    from public.devices d where d.kind = 'bambu_bridge' and d.user_id is not null and d.revoked_at is null and (v_site is null or d.site = v_site)), '[]');
  v_status.alarms := private.farm_alarms(v_site, v_status.bridges);
  return v_status;
end $$;
comment on function public.get_farm_status is
$$Numbers for the menu and alarms of the print farm: prints to map, to review, plates to clear, silent bridges, held-back reports, links, service.
Permission: farm.read at the site.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.upsert_print_machine, public.get_print_machines, public.get_farm_status to authenticated, service_role;
grant execute on function public.service_print_machine to authenticated;

-- sql/M11_print_farm/api_schedule.sql

create type public.part_demand_row as (
  sku text, title text, material text, color text, demand numeric, available numeric, reserved numeric, deficit numeric, by_priority jsonb,
  min_stock numeric, parts_per_print integer, prints_required bigint, printing_now bigint, print_minutes numeric, minutes_required numeric,
  grams_required numeric, files jsonb);
comment on type public.part_demand_row is
$$demand: what open orders still need; available: on hand; deficit: demand that is not covered; prints_required = ceil(deficit / parts_per_print).
by_priority {critical, rush, normal, low, stock, minimum: missing}. printing_now: printers that make it now. files: [{gcode_filename, plate, quantity}];
empty: no print of it can be booked. available and reserved are null while the caller is counting the item.$$;

create function private.printing_now(p_site text default null)
returns table (sku text, machines bigint, parts numeric) language plpgsql stable set search_path = '' as $$
begin
  return query
    select p.sku, count(*), sum(p.planned) from public.print_machine_states s join public.print_machines m on m.id = s.machine_id
     cross join lateral unnest((private.resolve_gcode(s.candidates || s.job_name, s.plate)).parts) p
     where s.state in ('printing', 'paused') and (p_site is null or m.site = p_site) group by p.sku;
end $$;

create function private.part_files(p_sku text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select jsonb_agg(jsonb_build_object('gcode_filename', m.gcode_filename, 'plate', m.plate, 'quantity', trim_scale(m.quantity),
      'object_ids', m.object_ids, 'notes', m.notes) order by m.gcode_filename, m.plate)
    from public.gcode_part_mappings m where m.sku = p_sku and m.is_active), '[]');
end $$;

create function public.get_part_demand(
  p_sku text default null, p_only_deficit boolean default false, p_search text default null, p_limit integer default 200,
  p_after text default null)
returns setof public.part_demand_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_blind text[];
begin
  perform private.authorize('farm.read');
  v_blind := private.blind_skus();
  return query
    with needs as (
      select n.sku, sum(n.demand) as demand, coalesce(sum(n.missing) filter (where n.rank < 5), 0) as deficit,
        jsonb_object_agg(private.priority_name(n.rank), trim_scale(n.missing)) as by_rank
        from private.prints_needed() n group by n.sku
    ), now_printing as (select p.sku, p.machines from private.printing_now() p)
    select p.sku, i.title, p.material, p.color, trim_scale(coalesce(n.demand, 0)), case when p.sku <> all (v_blind) then trim_scale(s.on_hand) end,
      case when p.sku <> all (v_blind) then trim_scale(s.reserved) end, trim_scale(coalesce(n.deficit, 0)), coalesce(n.by_rank, '{}'), trim_scale(i.min_stock),
      p.parts_per_print, ceil(coalesce(n.deficit, 0) / p.parts_per_print)::bigint, coalesce(w.machines, 0), p.print_minutes,
      ceil(coalesce(n.deficit, 0) / p.parts_per_print) * p.print_minutes, ceil(coalesce(n.deficit, 0) / p.parts_per_print) * p.grams_per_print,
      private.part_files(p.sku)
      from public.parts p
      join public.inventory_items i on i.sku = p.sku
      join public.inventory_stock s on s.sku = p.sku
      left join needs n on n.sku = p.sku
      left join now_printing w on w.sku = p.sku
     where (p.is_active or n.demand > 0) and (p_sku is null or lower(p.sku) = lower(p_sku)) and (not p_only_deficit or n.deficit > 0)
       and (p_search is null or position(lower(p_search) in lower(concat_ws(' ', p.sku, i.title, p.material, p.color))) > 0)
       and (p_after is null or p.sku > p_after)
     order by p.sku limit least(greatest(coalesce(p_limit, 200), 1), 500);
end $$;
comment on function public.get_part_demand is
$$Printed parts: demand of open orders, what is there, the deficit and the prints it takes; with the files that make them (Parts page).
p_after: sku of the last row seen.
Permission: farm.read.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;

create type public.schedule_row as (
  priority text, sku text, title text, material text, color text, demand numeric, available numeric, deficit numeric, parts_per_print integer,
  prints_required bigint, printing_now bigint, print_minutes numeric, minutes_required numeric, grams_required numeric, orders jsonb,
  waiting_orders bigint, due_date date, planned_start timestamptz, planned_finish timestamptz, machines text[], unplanned bigint, is_late boolean, has_file boolean);
comment on type public.schedule_row is
$$What to print next: one row per priority (critical, rush, normal, low, stock, minimum) and part. orders: the first of those that wait,
[{code, missing, due_date}]. planned_*: by the forecast in working hours; unplanned: prints beyond it. is_late: planned_finish after the due date.$$;

create type private.order_scope as (sites text[], stores text[]);

create function private.orders_named()
returns private.order_scope language plpgsql stable set search_path = '' as $$
begin
  return row(private.readable_sites('production.read'), private.readable_stores('production.read'))::private.order_scope;
end $$;

create function private.is_named(p_scope private.order_scope, p_order public.order_fulfilments)
returns boolean language sql immutable set search_path = '' as $$
  select p_order.site = any (p_scope.sites) and (p_order.store is null or p_order.store = any (p_scope.stores))
$$;
comment on function private.is_named is 'Is this order of a site and store of the caller? Those of no store are of their site alone.';

create function private.waiting_orders(p_sku text, p_rank smallint, p_scope private.order_scope)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((
    select jsonb_agg(jsonb_build_object('code', f.code, 'missing', trim_scale(w.missing), 'due_date', coalesce(p.due_date, o.due_date)) order by w.since, w.fulfilment_id)
      from (select l.fulfilment_id, l.needed - l.allocated - l.consumed as missing, l.since from public.order_part_allocations l
             where l.sku = p_sku and l.rank = p_rank and not l.is_closed and l.allocated + l.consumed < l.needed
               and exists (select from public.order_fulfilments n where n.id = l.fulfilment_id and private.is_named(p_scope, n))
             order by l.sku, l.rank, l.since, l.fulfilment_id limit 20) w
      join public.order_fulfilments f on f.id = w.fulfilment_id
      left join public.production_orders p on p.id = f.production_order_id
      left join public.orders o on o.row_id = f.order_row_id), '[]');
end $$;

create function public.get_schedule(p_site text default null)
returns setof public.schedule_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text := private.caller_site(p_site, null);
  v_scope private.order_scope;
  v_blind text[];
begin
  perform private.authorize('farm.read', null, v_site);
  v_scope := private.orders_named();
  v_blind := private.blind_skus();
  return query
    with plan as (select * from private.plan_prints(v_site, now())),
    now_printing as (select p.sku, p.machines from private.printing_now(v_site) p)
    select private.priority_name(n.rank), n.sku, i.title, p.material, p.color, trim_scale(n.demand),
      case when n.sku <> all (v_blind) then trim_scale(s.on_hand) end, trim_scale(n.missing), p.parts_per_print, n.prints, coalesce(w.machines, 0),
      p.print_minutes, n.prints * p.print_minutes, n.prints * p.grams_per_print, o.list, t.lines, o.due, g.first_start, g.last_finish, g.machines,
      g.unplanned, (g.last_finish at time zone si.time_zone)::date > o.due,
      exists (select 1 from public.gcode_part_mappings m where m.sku = n.sku and m.is_active)
      from private.prints_needed() n
      join public.parts p on p.sku = n.sku
      join public.inventory_items i on i.sku = n.sku
      join public.inventory_stock s on s.sku = n.sku
      left join public.sites si on si.code = v_site
      left join plan g on g.rank = n.rank and g.sku = n.sku
      left join now_printing w on w.sku = n.sku
      left join public.demand_totals t on t.sku = n.sku and t.rank = n.rank
     cross join lateral (select x.list, (select min((e ->> 'due_date')::date) from jsonb_array_elements(x.list) e) as due
        from (select private.waiting_orders(n.sku, n.rank, v_scope) as list) x) o
     where n.missing > 0
     order by n.rank, n.oldest nulls last, n.sku;
end $$;
comment on function public.get_schedule is
$$What the print farm has to make, in the order it is needed: critical, rush, normal, for stock, up to the minimum; with deficit, prints, plate
time, filament, the orders that wait, and when it will be done by the working hours of the printers of the site.
Permission: farm.read at the site.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create type public.order_print_row as (
  code text, sku text, missing numeric, prints_required bigint, minutes_required numeric, has_file boolean);
comment on type public.order_print_row is
  'A printed part that an order still misses, and the prints of it for this order alone: ceil(missing / parts_per_print).';

create function public.get_order_prints(p_codes text[])
returns setof public.order_print_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_scope private.order_scope;
begin
  perform private.authorize('farm.read');
  v_scope := private.orders_named();
  return query
    select f.code, l.sku, trim_scale(m.missing), ceil(m.missing / p.parts_per_print)::bigint, ceil(m.missing / p.parts_per_print) * p.print_minutes,
      exists (select 1 from public.gcode_part_mappings g where g.sku = l.sku and g.is_active)
      from public.order_fulfilments f
      join public.order_part_allocations l on l.fulfilment_id = f.id
      join public.parts p on p.sku = l.sku
     cross join lateral (select l.needed - l.allocated - l.consumed as missing) m
     where f.code = any (p_codes[1:200]) and not l.is_closed and m.missing > 0 and private.is_named(v_scope, f)
     order by f.code, l.sku;
end $$;
comment on function public.get_order_prints is
$$The prints that these orders (at most 200 codes of production orders or tickets) still need, each for itself. What stands before them in the
queue comes on top: explain_allocation.
Permission: farm.read; orders only of the own sites and stores.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;

create type public.print_run_row as (run public.print_runs, machine text, lines jsonb, expected jsonb, orders jsonb);
comment on type public.print_run_row is
$$A run, the code of its printer, what was booked [{sku, title, planned, qty}], what its file would give now [{sku, quantity}] (null: not
clear), and the orders that got its parts [{code, sku, quantity}].$$;

create function private.orders_of_run(p_run public.print_runs, p_scope private.order_scope)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((
    select jsonb_agg(jsonb_build_object('code', f.code, 'sku', l.sku, 'quantity', g.item -> 'quantity') order by g.n)
      from jsonb_array_elements(p_run.given) with ordinality as g (item, n)
      join public.order_part_allocations l on l.id = (g.item ->> 'line_id')::bigint
      join public.order_fulfilments f on f.id = l.fulfilment_id where private.is_named(p_scope, f)), '[]');
end $$;

create function private.expected_json(p_run public.print_runs)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_resolved private.resolved_print := private.resolve_gcode(p_run.candidates, p_run.plate);
begin
  return (select jsonb_agg(jsonb_build_object('sku', p.sku, 'quantity', trim_scale(p.quantity)) order by p.sku)
    from unnest(private.without_skipped(v_resolved.parts, p_run.skipped_object_ids)) p where v_resolved.problem is null);
end $$;

create function public.get_print_runs(
  p_filter text default 'all', p_machine text default null, p_site text default null, p_limit integer default 50, p_before_id bigint default null)
returns setof public.print_run_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text := private.caller_site(p_site, null);
  v_scope private.order_scope;
begin
  perform private.authorize('farm.read', null, v_site);
  v_scope := private.orders_named();
  if p_filter is null or p_filter not in ('all', 'attention', 'unmapped', 'review', 'plates', 'counted', 'failed') then
    perform private.fail(422, 'print_run.filter', 'Choose all, attention, unmapped, review, plates, counted or failed.',
      jsonb_build_object('field', 'p_filter', 'actual', p_filter));
  end if;
  return query
    select r.run, m.code, private.parts_of_run((r.run).id), private.expected_json(r.run), private.orders_of_run(r.run, v_scope)
      from (select q as run from public.print_runs q
             where (q.site = v_site or v_site is null and q.site = any (private.readable_sites('farm.read'))) and (p_before_id is null or q.id < p_before_id)
               and (p_machine is null or q.machine_id = (select x.id from public.print_machines x where x.code = p_machine))
               and case p_filter when 'all' then true when 'attention' then q.status in ('unmapped', 'review') when 'plates' then q.plate_status = 'waiting'
                 when 'counted' then q.is_counted when 'failed' then q.outcome in ('failed', 'cancelled') else q.status = p_filter end
             order by q.id desc limit least(greatest(coalesce(p_limit, 50), 1), 200)) r
      left join public.print_machines m on m.id = (r.run).machine_id
     order by (r.run).id desc;
end $$;
comment on function public.get_print_runs is
$$Prints, the latest first. p_filter all, attention (unmapped or review), unmapped, review, plates (to be cleared), counted, failed.
p_before_id: id of the last row seen.
Permission: farm.read at the site.
Errors: print_run.filter (422), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_part_demand, public.get_schedule, public.get_order_prints, public.get_print_runs to authenticated, service_role;

-- sql/M11_print_farm/views.sql

create view public.part_demand with (security_invoker = on) as
select p.sku, i.title, coalesce(sum(t.demand), 0) as demand, s.on_hand as available, coalesce(sum(t.demand - t.allocated), 0) as deficit,
    ceil(coalesce(sum(t.demand - t.allocated), 0) / p.parts_per_print) as prints_required
  from public.parts p
  join public.inventory_items i on i.sku = p.sku
  left join public.inventory_stock s on s.sku = p.sku
  left join public.demand_totals t on t.sku = p.sku
 group by p.sku, i.title, s.on_hand;
comment on view public.part_demand is 'Printed parts: demand of open orders, what is there, what is missing and the prints for it. More of it in get_part_demand.';

-- sql/M11_print_farm/seed.sql

select private.allow(p, d, r) from (values
  ('farm.read', 'See printers, prints and the print schedule', '{viewer,operator,technician,supervisor,planner,manager,admin,service}'::text[]),
  ('farm.report', 'Report prints and printers', '{device.bambu_bridge}'),
  ('farm.log', 'Log prints by hand and clear plates', '{operator,technician,supervisor,planner,manager,admin}'),
  ('farm.review', 'Decide about doubtful prints, correct and service', '{operator,technician,supervisor,planner,manager,admin}'),
  ('farm.manage', 'Change parts, files and printers', '{technician,supervisor,planner,manager,admin,service}')
) as t (p, d, r);

insert into private.photo_kinds (about, read_permission) values ('print_run', 'farm.read');

-- sql/M11_print_farm/policies.sql

alter table public.parts enable row level security;
alter table public.gcode_part_mappings enable row level security;
alter table public.print_machines enable row level security;
alter table public.print_machine_states enable row level security;
alter table public.print_machine_counters enable row level security;
alter table public.print_coverage_gaps enable row level security;
alter table public.print_runs enable row level security;
alter table public.inventory_print_log enable row level security;
alter table private.machine_leases enable row level security;

create policy select_active on public.parts for select to authenticated using ((select private.may('farm.read')));
create policy select_active on public.gcode_part_mappings for select to authenticated using ((select private.may('farm.read')));
create policy select_active on public.print_machines for select to authenticated using ((select private.may('farm.read')));
create policy select_active on public.print_machine_states for select to authenticated using ((select private.may('farm.read')));
create policy select_active on public.print_machine_counters for select to authenticated using ((select private.may('farm.read')));
create policy select_active on public.print_coverage_gaps for select to authenticated using ((select private.may('farm.read')));
create policy select_active on public.print_runs for select to authenticated using ((select private.may('farm.read')));
create policy select_active on public.inventory_print_log for select to authenticated using ((select private.may('farm.read')));

grant select on public.parts, public.gcode_part_mappings, public.print_machines, public.print_machine_states, public.print_machine_counters,
  public.print_coverage_gaps, public.print_runs, public.inventory_print_log, public.part_demand to authenticated;
