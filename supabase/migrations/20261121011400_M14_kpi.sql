-- Built from sql/M14_kpi/ by `takt db build`: edit there, not here.
set local lock_timeout = '10s';
set local statement_timeout = '5min';

-- sql/M14_kpi/tables_calendar.sql

-- Machine time. Whoever locks several things does it in this order: machine → its stops → repair → stock by SKU. The machine row is the lock of
-- its calendar, its stops and its snapshots; states and counts are only ever added and take no lock.

-- When it is meant to work -------------------------------------------------------------------------------------------

create table public.shift_patterns (
  id bigint generated always as identity,
  work_centre text not null,
  valid_from date not null,
  shifts jsonb not null constraint shift_patterns_shifts_check check (jsonb_typeof(shifts) = 'array'),
  note text constraint shift_patterns_note_check check (length(note) <= 500),
  created_by uuid,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint shift_patterns_pkey primary key (id),
  constraint shift_patterns_valid_from_key unique (work_centre, valid_from),
  constraint shift_patterns_work_centre_fkey foreign key (work_centre) references public.work_centres (code) on delete cascade
);
comment on table public.shift_patterns is
  'The weekly shifts of a work centre from a day on, until the next pattern. Shifts that have begun keep what they were made from.';
comment on column public.shift_patterns.shifts is
$$[{shift, title, weekdays [1 = Monday … 7], starts "22:00", ends "06:00", breaks [{title, starts, ends}]}] in wall time of the plant; an end that is
not after its start is on the next day.$$;
create trigger _100_stamp before update on public.shift_patterns for each row execute function private.tg__stamp();

create table public.calendar_exceptions (
  id bigint generated always as identity,
  site text not null,
  work_centre text,
  from_day date not null,
  to_day date not null,
  shifts jsonb constraint calendar_exceptions_shifts_check check (jsonb_typeof(shifts) = 'array'),
  reason text not null constraint calendar_exceptions_reason_check check (length(reason) between 1 and 500),
  is_active boolean not null default true,
  created_by uuid,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint calendar_exceptions_pkey primary key (id),
  constraint calendar_exceptions_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint calendar_exceptions_work_centre_fkey foreign key (work_centre) references public.work_centres (code) on delete cascade,
  constraint calendar_exceptions_days_check check (to_day between from_day and from_day + 366)
);
create index calendar_exceptions_site_idx on public.calendar_exceptions (site, to_day);
create index calendar_exceptions_work_centre_idx on public.calendar_exceptions (work_centre) where work_centre is not null;
comment on table public.calendar_exceptions is
  'Days that are not as the pattern says: holidays, a Saturday at work. One of a work centre beats one of the whole site; the latest beats older ones.';
comment on column public.calendar_exceptions.shifts is 'What is worked instead, as in a pattern (weekdays do not matter); null: nothing.';
create trigger _100_stamp before update on public.calendar_exceptions for each row execute function private.tg__stamp();

create table public.shift_instances (
  id bigint generated always as identity,
  machine text not null,
  site text not null,
  work_centre text not null,
  shift text not null,
  title text not null,
  shift_date date not null,
  during tstzrange not null,
  is_overtime boolean not null default false,
  is_closed boolean not null default false,
  created_at timestamptz not null default now(),
  constraint shift_instances_pkey primary key (id),
  constraint shift_instances_machine_fkey foreign key (machine) references public.machines (code) on delete cascade,
  constraint shift_instances_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint shift_instances_work_centre_fkey foreign key (work_centre) references public.work_centres (code) on delete restrict,
  constraint shift_instances_during_check
    check (not isempty(during) and lower_inc(during) and not upper_inc(during) and lower(during) > '-infinity' and upper(during) < 'infinity'),
  constraint shift_instances_during_excl exclude using gist (machine with =, during with &&)
);
create index shift_instances_day_idx on public.shift_instances (site, shift_date);
create index shift_instances_open_idx on public.shift_instances (upper(during)) where not is_closed;
create index shift_instances_work_centre_idx on public.shift_instances (work_centre);
comment on table public.shift_instances is 'One shift of one machine on one day, as instants. Never two at once.';
comment on column public.shift_instances.shift_date is 'The plant-calendar day on which it begins: a night shift belongs to its evening.';
comment on column public.shift_instances.is_closed is 'Its figures are kept in oee_shifts, computed when nothing but a late fact could change them any more.';
comment on column public.shift_instances.is_overtime is 'Time that only an approval made working time.';

create table private.shift_days (
  machine text not null,
  day date not null,
  constraint shift_days_pkey primary key (machine, day),
  constraint shift_days_machine_fkey foreign key (machine) references public.machines (code) on delete cascade
);
comment on table private.shift_days is 'Days whose shifts were made, also those without any: what was made is not made anew from a later pattern.';

create table public.time_classes (
  code text not null constraint time_classes_code_check check (code ~ '^[a-z][a-z_]{1,39}$'),
  title text not null,
  is_planned boolean not null,
  policy text not null constraint time_classes_policy_check check (policy in ('excluded', 'loss_availability', 'loss_performance')),
  big_loss text not null constraint time_classes_big_loss_check check (big_loss in ('none', 'breakdown', 'setup', 'minor_stop', 'unclassified')),
  iso_element text not null constraint time_classes_iso_element_check check (iso_element in ('planned', 'AUST', 'ADET', 'ADOT')),
  position integer not null default 0,
  constraint time_classes_pkey primary key (code)
);
comment on table public.time_classes is 'What time that is not production can be. Every reason has a class, and a class has a policy.';
comment on column public.time_classes.policy is
$$Unless a site says otherwise: excluded (leaves planned production time), loss_availability (stays, and is no run time), loss_performance (stays run
time and shows as speed that was lost).$$;
comment on column public.time_classes.iso_element is 'ISO 22400: AUST set-up, ADET delay while an order is on the machine, ADOT no order; planned: not part of busy time.';

create table public.time_class_policies (
  site text not null,
  time_class text not null,
  valid_from timestamptz not null,
  policy text not null constraint time_class_policies_policy_check check (policy in ('excluded', 'loss_availability', 'loss_performance')),
  created_by uuid,
  created_at timestamptz not null default now(),
  constraint time_class_policies_pkey primary key (site, time_class, valid_from),
  constraint time_class_policies_site_fkey foreign key (site) references public.sites (code) on delete cascade,
  constraint time_class_policies_time_class_fkey foreign key (time_class) references public.time_classes (code) on delete restrict
);
create index time_class_policies_time_class_idx on public.time_class_policies (time_class);
comment on table public.time_class_policies is
  'How a site counts a class of time, since when. What began before keeps the policy of its time, so both published conventions can be had.';

create table public.planned_stops (
  id bigint generated always as identity,
  machine text not null,
  site text not null,
  time_class text not null,
  during tstzrange not null,
  shift_id bigint,
  repair_id bigint,
  note text constraint planned_stops_note_check check (length(note) <= 500),
  is_active boolean not null default true,
  created_by uuid,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint planned_stops_pkey primary key (id),
  constraint planned_stops_machine_fkey foreign key (machine) references public.machines (code) on delete cascade,
  constraint planned_stops_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint planned_stops_time_class_fkey foreign key (time_class) references public.time_classes (code) on delete restrict,
  constraint planned_stops_shift_id_fkey foreign key (shift_id) references public.shift_instances (id) on delete cascade,
  constraint planned_stops_repair_id_fkey foreign key (repair_id) references public.repairs (id) on delete cascade,
  constraint planned_stops_during_check check (not isempty(during) and lower_inc(during) and not upper_inc(during) and lower(during) > '-infinity')
);
create index planned_stops_during_idx on public.planned_stops using gist (machine, during) where is_active;
create index planned_stops_site_idx on public.planned_stops (site);
create index planned_stops_machine_idx on public.planned_stops (machine);
create index planned_stops_time_class_idx on public.planned_stops (time_class);
create index planned_stops_shift_id_idx on public.planned_stops (shift_id) where shift_id is not null;
create index planned_stops_repair_id_idx on public.planned_stops (repair_id) where repair_id is not null;
create unique index planned_stops_repair_id_key on public.planned_stops (repair_id) where repair_id is not null and upper_inf(during);
comment on table public.planned_stops is 'Breaks, meetings, maintenance by plan: known before they begin. They may overlap; time is counted once.';
comment on column public.planned_stops.shift_id is 'The shift whose break it is; null: planned by a person or by a work order.';
comment on column public.planned_stops.during is 'Without an end: until its work order is closed.';
create trigger _100_stamp before update on public.planned_stops for each row execute function private.tg__stamp();

create table public.overtime_windows (
  machine text not null,
  approval_id bigint not null,
  during tstzrange not null,
  constraint overtime_windows_pkey primary key (machine, approval_id),
  constraint overtime_windows_machine_fkey foreign key (machine) references public.machines (code) on delete cascade,
  constraint overtime_windows_approval_id_fkey foreign key (approval_id) references public.approvals (id) on delete cascade
);
create index overtime_windows_during_idx on public.overtime_windows using gist (machine, during);
create index overtime_windows_approval_id_idx on public.overtime_windows (approval_id);
comment on table public.overtime_windows is 'Approved overtime: working time although no shift says so, or although it is a break. Written when the approval is given.';

-- sql/M14_kpi/tables.sql

-- What the machine does ----------------------------------------------------------------------------------------------

create table public.machine_state_events (
  machine text not null,
  at timestamptz not null,
  seq bigint not null default 0,
  state text not null constraint machine_state_events_state_check
    check (state in ('running', 'setup', 'idle', 'stopped', 'fault', 'starved', 'blocked', 'maintenance', 'off')),
  source text not null default 'signal' constraint machine_state_events_source_check check (source in ('signal', 'person')),
  actor_id uuid,
  recorded_at timestamptz not null default now(),
  constraint machine_state_events_pkey primary key (machine, at, seq, state),
  constraint machine_state_events_machine_fkey foreign key (machine) references public.machines (code) on delete cascade
);
create index machine_state_events_run_idx on public.machine_state_events (machine, at) where state in ('running', 'setup');
comment on table public.machine_state_events is
$$What a machine said it does, from when: append-only. A state lasts until the next one, so times cannot overlap and late events correct themselves.
Of equal times the higher seq holds.$$;
comment on column public.machine_state_events.source is
  'signal: the machine itself, which has to say so again within its silence threshold; person: holds until the next word.';

create table public.quarantined_events (
  id bigint generated always as identity,
  machine text not null,
  site text not null,
  kind text not null constraint quarantined_events_kind_check check (kind in ('state', 'count')),
  code text not null,
  event jsonb not null,
  actor_id uuid,
  received_at timestamptz not null default now(),
  constraint quarantined_events_pkey primary key (id),
  constraint quarantined_events_machine_fkey foreign key (machine) references public.machines (code) on delete cascade,
  constraint quarantined_events_site_fkey foreign key (site) references public.sites (code) on delete restrict
);
create unique index quarantined_events_event_key on public.quarantined_events (machine, kind, md5(event::text));
create index quarantined_events_site_idx on public.quarantined_events (site, received_at);
comment on table public.quarantined_events is
$$States and counts with a time that cannot be: a clock that is ahead, or so far behind that its figures are closed. They are in no figure; nothing is
lost: with their right time they can be sent again.$$;
comment on column public.quarantined_events.code is 'What is wrong: machine.time or machine.too_old.';
comment on column public.quarantined_events.event is 'The row as it came.';

create table public.ideal_cycles (
  id bigint generated always as identity,
  machine text not null,
  sku text,
  ideal_s numeric not null constraint ideal_cycles_ideal_s_check check (ideal_s > 0 and ideal_s < 1000000),
  set_by uuid,
  updated_at timestamptz not null default now(),
  constraint ideal_cycles_pkey primary key (id),
  constraint ideal_cycles_sku_key unique nulls not distinct (machine, sku),
  constraint ideal_cycles_machine_fkey foreign key (machine) references public.machines (code) on delete cascade,
  constraint ideal_cycles_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete cascade
);
create index ideal_cycles_sku_idx on public.ideal_cycles (sku) where sku is not null;
comment on table public.ideal_cycles is
  'Seconds a piece takes on a machine at best; without an item: any item. Written onto each count when it is booked, so a change never reaches back.';
comment on column public.ideal_cycles.ideal_s is 'Seconds per piece.';

create table public.count_events (
  machine text not null,
  key text not null constraint count_events_key_check check (length(key) between 1 and 200),
  at timestamptz not null,
  sku text,
  order_id bigint,
  good numeric(14, 3) not null default 0,
  scrap numeric(14, 3) not null default 0,
  rework numeric(14, 3) not null default 0,
  ideal_s numeric constraint count_events_ideal_s_check check (ideal_s > 0),
  reason text,
  reverses text,
  spread_from timestamptz,
  is_startup boolean not null default false,
  actor_id uuid,
  recorded_at timestamptz not null default now(),
  constraint count_events_pkey primary key (machine, key),
  constraint count_events_machine_fkey foreign key (machine) references public.machines (code) on delete cascade,
  constraint count_events_sku_fkey foreign key (sku) references public.inventory_items (sku) on delete restrict,
  constraint count_events_order_id_fkey foreign key (order_id) references public.production_orders (id) on delete restrict,
  constraint count_events_reason_fkey foreign key (reason) references public.quality_reasons (code) on delete restrict,
  constraint count_events_signs_check check (reverses is not null or least(good, scrap, rework) >= 0)
);
create index count_events_at_idx on public.count_events (machine, at);
create index count_events_sku_idx on public.count_events (sku) where sku is not null;
create index count_events_order_id_idx on public.count_events (order_id) where order_id is not null;
create index count_events_reason_idx on public.count_events (reason) where reason is not null;
create index count_events_lost_idx on public.count_events (machine, at) where scrap <> 0 or rework <> 0;
create unique index count_events_reverses_key on public.count_events (machine, reverses) where reverses is not null;
comment on table public.count_events is
$$Pieces that came out of a machine, append-only; the key makes a repeat harmless. Each piece is counted once: good at the first go, scrap, or rework.
A correction is a row that reverses another one, at the time of that one.$$;
comment on column public.count_events.ideal_s is 'Seconds per piece at best, as it was when it was booked; null: nobody has said.';
comment on column public.count_events.is_startup is 'Its reason was that of a start-up, as it was when it was booked.';
comment on column public.count_events.spread_from is 'One booking for a long time, laid over its hours: since when.';

create table public.count_minute (
  id bigint generated always as identity,
  machine text not null,
  minute timestamptz not null,
  sku text,
  order_id bigint,
  ideal_s numeric constraint count_minute_ideal_s_check check (ideal_s > 0),
  good numeric(14, 3) not null,
  scrap numeric(14, 3) not null,
  rework numeric(14, 3) not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  constraint count_minute_pkey primary key (id),
  constraint count_minute_minute_key unique nulls not distinct (machine, minute, sku, order_id, ideal_s),
  constraint count_minute_machine_fkey foreign key (machine) references public.machines (code) on delete cascade
) with (fillfactor = 80);
comment on table public.count_minute is
  'Counts added up per minute, item, order and ideal cycle. Kept by a trigger from count_events; where a bound lies in a minute, those are asked.';

-- Why it does not run ------------------------------------------------------------------------------------------------

create table public.stop_reasons (
  code text not null constraint stop_reasons_code_check check (code ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
  parent text,
  title text not null constraint stop_reasons_title_check check (length(title) between 1 and 80),
  time_class text not null,
  is_failure boolean not null default false,
  needs_repair boolean not null default false,
  e10_state text not null default 'UDT' constraint stop_reasons_e10_state_check check (e10_state in ('PRD', 'SBY', 'ENG', 'SDT', 'UDT', 'NST')),
  position integer not null default 0,
  is_active boolean not null default true,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint stop_reasons_pkey primary key (code),
  constraint stop_reasons_parent_fkey foreign key (parent) references public.stop_reasons (code) on delete restrict,
  constraint stop_reasons_time_class_fkey foreign key (time_class) references public.time_classes (code) on delete restrict,
  constraint stop_reasons_parent_check check (parent <> code)
);
create index stop_reasons_parent_idx on public.stop_reasons (parent) where parent is not null;
create index stop_reasons_time_class_idx on public.stop_reasons (time_class);
comment on table public.stop_reasons is 'Why machines stand: planned and unplanned, and under them families and reasons. A stop keeps the class its reason had.';
comment on column public.stop_reasons.is_failure is 'The machine itself broke: counts for MTBF and MTTR.';
comment on column public.stop_reasons.e10_state is 'SEMI E10: productive, standby, engineering, scheduled down, unscheduled down, non-scheduled.';
create trigger _100_stamp before update on public.stop_reasons for each row execute function private.tg__stamp();

create table public.stops (
  id bigint generated always as identity,
  machine text not null,
  site text not null,
  during tstzrange not null,
  source text not null constraint stops_source_check check (source in ('signal', 'person', 'repair')),
  reason text,
  time_class text,
  is_failure boolean not null default false,
  reason_repair_id bigint,
  comment text constraint stops_comment_check check (length(comment) <= 2000),
  split_of bigint,
  started_by uuid,
  ended_by uuid,
  classified_by uuid,
  classified_at timestamptz,
  answered_by uuid,
  answered_at timestamptz,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint stops_pkey primary key (id),
  constraint stops_machine_fkey foreign key (machine) references public.machines (code) on delete restrict,
  constraint stops_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint stops_reason_fkey foreign key (reason) references public.stop_reasons (code) on delete restrict,
  constraint stops_time_class_fkey foreign key (time_class) references public.time_classes (code) on delete restrict,
  constraint stops_reason_repair_id_fkey foreign key (reason_repair_id) references public.repairs (id) on delete set null,
  constraint stops_split_of_fkey foreign key (split_of) references public.stops (id) on delete restrict,
  constraint stops_reason_check check ((reason is null) = (time_class is null)),
  constraint stops_during_check check (not isempty(during) and lower_inc(during) and not upper_inc(during) and lower(during) > '-infinity'),
  constraint stops_during_excl exclude using gist (machine with =, during with &&)
);
create unique index stops_open_key on public.stops (machine) where upper_inf(during);
create index stops_machine_idx on public.stops (machine, lower(during));
create index stops_site_idx on public.stops (site, lower(during));
create index stops_reason_idx on public.stops (reason) where reason is not null;
create index stops_time_class_idx on public.stops (time_class) where time_class is not null;
create index stops_reason_repair_id_idx on public.stops (reason_repair_id) where reason_repair_id is not null;
create index stops_split_of_idx on public.stops (split_of) where split_of is not null;
comment on table public.stops is
$$What people say about time in which a machine stood. A stop that the machine itself showed (source signal) holds only where its states say that it
did not run; one that a person or a repair opened holds whatever the states say. Never two at once; time_class and is_failure are those that the
reason had when it was given.$$;
comment on column public.stops.reason_repair_id is 'The repair that says so; when it turns out to be none, the reason goes with it. Null: a person says so.';
comment on column public.stops.answered_by is 'Who said that they take care of it, so that nobody else is called.';
create trigger _100_stamp before update on public.stops for each row execute function private.tg__stamp();

create table public.stop_repairs (
  stop_id bigint not null,
  repair_id bigint not null,
  is_opener boolean not null default false,
  constraint stop_repairs_pkey primary key (stop_id, repair_id),
  constraint stop_repairs_stop_id_fkey foreign key (stop_id) references public.stops (id) on delete cascade,
  constraint stop_repairs_repair_id_fkey foreign key (repair_id) references public.repairs (id) on delete cascade
);
create index stop_repairs_repair_id_idx on public.stop_repairs (repair_id);
comment on table public.stop_repairs is 'Which repairs belong to which stops: one repair may cover several stops, one stop may need several crafts.';
comment on column public.stop_repairs.is_opener is 'The repair opened this stop; else it joined one that was there.';

create table private.andon_calls (
  machine text not null,
  role text not null,
  stands_since timestamptz not null,
  called_at timestamptz not null,
  constraint andon_calls_pkey primary key (machine, role),
  constraint andon_calls_machine_fkey foreign key (machine) references public.machines (code) on delete cascade
);
comment on table private.andon_calls is 'Who was called last because a machine stands: one event for each step of the ladder of a stop.';

-- What was said about a shift ----------------------------------------------------------------------------------------

create table public.oee_shifts (
  shift_id bigint not null,
  machine text not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  inputs jsonb not null,
  ratios jsonb not null,
  losses jsonb not null,
  as_of timestamptz not null,
  is_dirty boolean not null default false,
  recomputed integer not null default 0,
  told_run_s numeric not null default 0,
  computed_at timestamptz not null default now(),
  constraint oee_shifts_pkey primary key (shift_id),
  constraint oee_shifts_shift_id_fkey foreign key (shift_id) references public.shift_instances (id) on delete cascade,
  constraint oee_shifts_machine_fkey foreign key (machine) references public.machines (code) on delete cascade
);
create index oee_shifts_machine_idx on public.oee_shifts (machine, ends_at);
create index oee_shifts_dirty_idx on public.oee_shifts (ends_at) where is_dirty;
comment on table public.oee_shifts is 'Figures of shifts that are over, by the same definition as the live ones. Dirty: something came late; they are computed anew.';
comment on column public.oee_shifts.inputs is 'kpi_inputs: times in seconds, pieces.';
comment on column public.oee_shifts.ratios is 'kpi_ratios of the inputs.';
comment on column public.oee_shifts.losses is '[{kind, time_class, reason, policy, seconds, stops}]';
comment on column public.oee_shifts.recomputed is 'How often late facts changed it.';
comment on column public.oee_shifts.told_run_s is 'The longest that it ever ran: so much the counters of the machine were told, which never go back.';

create table public.shift_handovers (
  id bigint generated always as identity,
  site text not null,
  work_centre text not null,
  shift text not null,
  shift_date date not null,
  snapshot jsonb not null,
  notes text constraint shift_handovers_notes_check check (length(notes) <= 4000),
  signed_by uuid,
  signed_at timestamptz not null default now(),
  received_by uuid,
  received_at timestamptz,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint shift_handovers_pkey primary key (id),
  constraint shift_handovers_shift_key unique (work_centre, shift_date, shift),
  constraint shift_handovers_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint shift_handovers_work_centre_fkey foreign key (work_centre) references public.work_centres (code) on delete restrict,
  constraint shift_handovers_two_people_check check (received_by <> signed_by)
);
create index shift_handovers_site_idx on public.shift_handovers (site, shift_date);
comment on table public.shift_handovers is 'What a shift left to the next one, signed by who gave it and by who took it. Never changed but for being received.';
comment on column public.shift_handovers.snapshot is '{machines: [{machine, state, inputs, ratios, open_stop, open_repairs}], totals, losses} as it was when it was signed.';
create trigger _100_stamp before update on public.shift_handovers for each row execute function private.tg__stamp();

-- sql/M14_kpi/calendar.sql

-- From patterns to instants: both bounds of a shift go through the same function, so neighbours never gap or overlap, not even at 02:30.

create type private.shift_row as (shift text, title text, weekdays integer[], starts time, ends time, breaks jsonb);

create function private.wall_range(p_day date, p_starts time, p_ends time, p_zone text)
returns tstzrange language plpgsql stable set search_path = '' as $$
begin
  return tstzrange((p_day + p_starts) at time zone p_zone,
    greatest((p_day + p_ends + case when p_ends <= p_starts then interval '1 day' else interval '0' end) at time zone p_zone,
      (p_day + p_starts) at time zone p_zone));
end $$;
comment on function private.wall_range is
  'Wall time of a day as instants, through midnight and daylight saving; empty when the clock jumps over it. An end not after the start is on the next day.';

create function private.read_shifts(p_shifts jsonb)
returns setof private.shift_row language plpgsql immutable set search_path = '' as $$
begin
  return query
    select s.item ->> 'shift', coalesce(s.item ->> 'title', s.item ->> 'shift'),
        array(select jsonb_array_elements_text(coalesce(s.item -> 'weekdays', '[1,2,3,4,5,6,7]'))::integer),
        (s.item ->> 'starts')::time, (s.item ->> 'ends')::time, coalesce(s.item -> 'breaks', '[]')
      from jsonb_array_elements(p_shifts) with ordinality as s (item, n) order by s.n;
end $$;
comment on function private.read_shifts is 'The shifts of a pattern as rows. What it is given was checked by check_shifts.';

create function private.check_shifts(p_shifts jsonb)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_row private.shift_row;
  v_break jsonb;
  v_classes text[] := array(select c.code from public.time_classes c where c.is_planned order by c.position);
begin
  for v_row in select * from private.read_shifts(p_shifts) loop
    if coalesce(v_row.shift, '') !~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,30}$' or num_nulls(v_row.starts, v_row.ends) > 0
        or v_row.weekdays <> array(select distinct d from unnest(v_row.weekdays) d where d between 1 and 7 order by 1) then
      perform private.fail(422, 'calendar.pattern', 'A shift has a short name, weekdays 1 to 7 in order, a start and an end.',
        jsonb_build_object('field', 'p_shifts', 'actual', to_jsonb(v_row)));
    end if;
    for v_break in select jsonb_array_elements(v_row.breaks) loop
      if v_break ->> 'starts' is null or v_break ->> 'ends' is null
          or not private.wall_range('2000-01-01', v_row.starts, v_row.ends, 'UTC') @> private.wall_range('2000-01-01'::date
            + ((v_break ->> 'starts')::time < v_row.starts)::integer, (v_break ->> 'starts')::time, (v_break ->> 'ends')::time, 'UTC') then
        perform private.fail(422, 'calendar.pattern', format('A break of %s must lie in the shift.', v_row.title),
          jsonb_build_object('field', 'p_shifts', 'actual', v_break));
      elsif coalesce(v_break ->> 'time_class', 'break') <> all (v_classes) then
        perform private.fail(422, 'calendar.pattern', format('A break of %s must be time that one plans.', v_row.title),
          jsonb_build_object('field', 'p_shifts', 'actual', v_break, 'expected', v_classes));
      end if;
    end loop;
  end loop;
exception when invalid_datetime_format or datetime_field_overflow or invalid_text_representation or invalid_parameter_value then
  perform private.fail(422, 'calendar.pattern', 'Shifts are a list; times look like 06:00.', jsonb_build_object('field', 'p_shifts'));
end $$;

create function private.check_week(p_shifts jsonb)
returns void language plpgsql immutable set search_path = '' as $$
declare
  v_both text[];
begin
  select array[a.title, b.title] into v_both
    from (select s.shift, s.title, w.d as day, private.wall_range('2000-01-02'::date + w.d, s.starts, s.ends, 'UTC') as during
            from private.read_shifts(p_shifts) s cross join unnest(s.weekdays) as w (d)) a
    join (select s.shift, s.title, w.d as day, k.week, private.wall_range('2000-01-02'::date + w.d + k.week * 7, s.starts, s.ends, 'UTC') as during
            from private.read_shifts(p_shifts) s cross join unnest(s.weekdays) as w (d) cross join generate_series(0, 1) as k (week)) b
      on a.during && b.during and (a.shift, a.day, 0) is distinct from (b.shift, b.day, b.week)
   limit 1;
  if v_both is null then
    select array[min(s.title), max(s.title)] into v_both
      from private.read_shifts(p_shifts) s group by s.shift, s.weekdays having count(*) > 1 limit 1;
  end if;
  if v_both is not null then
    perform private.fail(422, 'calendar.overlap', format('The shifts %s and %s are at the same time.', v_both[1], v_both[2]),
      jsonb_build_object('field', 'p_shifts', 'shifts', v_both));
  end if;
end $$;
comment on function private.check_week is 'Two shifts of a pattern never overlap, not even from Sunday into Monday. Errors: calendar.overlap (422), naming both.';

create function private.shifts_of_day(p_work_centre text, p_site text, p_day date)
returns setof private.shift_row language plpgsql stable set search_path = '' as $$
declare
  v_exception public.calendar_exceptions;
begin
  select e.* into v_exception from public.calendar_exceptions e
   where e.site = p_site and e.is_active and p_day between e.from_day and e.to_day and (e.work_centre is null or e.work_centre = p_work_centre)
   order by e.work_centre is null, e.id desc limit 1;
  if v_exception.id is not null then
    return query select * from private.read_shifts(coalesce(v_exception.shifts, '[]'));
  else
    return query select s.* from private.read_shifts((select p.shifts from public.shift_patterns p
        where p.work_centre = p_work_centre and p.valid_from <= p_day order by p.valid_from desc limit 1)) s
      where extract(isodow from p_day)::integer = any (s.weekdays);
  end if;
end $$;

create function private.check_calendar(p_work_centre text, p_site text, p_from date, p_to date)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_today date := (now() at time zone (select si.time_zone from public.sites si where si.code = p_site))::date;
  v_found record;
begin
  with laid as materialized (
    select d.day::date as day, row_number() over () as n, s.title, private.wall_range(d.day::date, s.starts, s.ends, 'UTC') as during
      from generate_series(p_from - 1, least(p_to, p_from + 800) + 1, interval '1 day') as d (day)
     cross join lateral private.shifts_of_day(p_work_centre, p_site, d.day::date) s
  )
  -- The night before today is as it is: what comes behind it is cut.
  select b.day, array[a.title, b.title] as titles into v_found from laid a join laid b on b.n > a.n and b.day <= a.day + 1 and a.during && b.during
   where b.day <> v_today order by b.day limit 1;
  if v_found.day is not null then
    perform private.fail(422, 'calendar.overlap', format('On %s the shifts %s and %s are at the same time.', v_found.day, v_found.titles[1], v_found.titles[2]),
      jsonb_build_object('field', 'p_shifts', 'day', v_found.day, 'shifts', v_found.titles, 'work_centre', p_work_centre));
  end if;
end $$;
comment on function private.check_calendar is
$$Neighbouring days never overlap where a pattern meets the next one or an exception, also weeks ahead and where no machine stands yet.
Errors: calendar.overlap (422), naming both.$$;

create function private.add_shift(p_machine public.machines, p_day date, p_row private.shift_row, p_zone text)
returns void language plpgsql set search_path = '' as $$
declare
  v_during tstzrange := private.wall_range(p_day, p_row.starts, p_row.ends, p_zone);
  v_busy timestamptz;
  v_other text;
  v_shift bigint;
begin
  select upper(i.during) into v_busy from public.shift_instances i
   where i.machine = p_machine.code and i.during @> now() and i.during @> lower(v_during) and i.shift_date < p_day;
  if v_busy is not null then   -- the shift that is on stays as it is although the pattern has changed
    v_during := v_during * tstzrange(v_busy, null);
  end if;
  if isempty(v_during) then
    return;   -- the clock jumps over it
  end if;
  select i.title into v_other from public.shift_instances i where i.machine = p_machine.code and i.during && v_during limit 1;
  if v_other is not null then
    perform private.fail(422, 'calendar.overlap', format('On %s the shifts %s and %s of %s are at the same time.', p_day, v_other, p_row.title, p_machine.code),
      jsonb_build_object('day', p_day, 'shifts', array[v_other, p_row.title], 'machine', p_machine.code));
  end if;
  insert into public.shift_instances (machine, site, work_centre, shift, title, shift_date, during)
  values (p_machine.code, p_machine.site, p_machine.work_centre, p_row.shift, p_row.title, p_day, v_during) returning id into v_shift;
  insert into public.planned_stops (machine, site, time_class, during, shift_id, note)
  select p_machine.code, p_machine.site, coalesce(b ->> 'time_class', 'break'), v_during * r.during, v_shift, b ->> 'title'
    from jsonb_array_elements(p_row.breaks) b
   cross join lateral (select private.wall_range(p_day + ((b ->> 'starts')::time < p_row.starts)::integer, (b ->> 'starts')::time,
      (b ->> 'ends')::time, p_zone) as during) r
   where not isempty(v_during * r.during);
end $$;

create function private.make_shifts(p_machine text, p_from date, p_to date)
returns integer language plpgsql set search_path = '' as $$
declare
  v_machine public.machines := (select m from public.machines m where m.code = p_machine);
  v_zone text := (select si.time_zone from public.sites si where si.code = v_machine.site);
  v_row private.shift_row;
  v_day date;
  v_there tstzmultirange;
  v_during tstzrange;
  v_made integer := 0;
begin
  if v_machine.work_centre is null or not v_machine.is_active then
    return 0;
  end if;
  for v_day in
    insert into private.shift_days (machine, day) select p_machine, d::date from generate_series(p_from, p_to, interval '1 day') d
    on conflict on constraint shift_days_pkey do nothing returning day
  loop
    v_there := (select range_agg(i.during) from public.shift_instances i where i.machine = p_machine and i.shift_date = v_day and not i.is_overtime);
    for v_row in select * from private.shifts_of_day(v_machine.work_centre, v_machine.site, v_day) loop
      v_during := private.wall_range(v_day, v_row.starts, v_row.ends, v_zone);
      continue when v_there is not null and (lower(v_during) <= now() or v_during && v_there);
      perform private.add_shift(v_machine, v_day, v_row, v_zone);
      v_made := v_made + 1;
    end loop;
  end loop;
  return v_made;
end $$;
comment on function private.make_shifts is
$$Shifts and breaks of the days that were not made yet; of a day of which shifts are there, those beside them that have not begun. The caller has locked
the machine. Errors: calendar.overlap (422).$$;

create function private.first_shift_day(p_work_centre text, p_today date)
returns date language plpgsql stable set search_path = '' as $$
begin
  return greatest(p_today - 400, least(p_today, (select min(p.valid_from) from public.shift_patterns p where p.work_centre = p_work_centre)));
end $$;

create function private.remake_shifts(p_machine text, p_now timestamptz default now())
returns void language plpgsql set search_path = '' as $$
declare
  v_machine public.machines;
  v_today date;
begin
  select m.* into v_machine from public.machines m where m.code = p_machine for no key update;
  v_today := (p_now at time zone (select si.time_zone from public.sites si where si.code = v_machine.site))::date;
  -- A day of which a shift has begun stays as it is, with its later shifts: it is not made anew.
  delete from public.shift_instances i where i.machine = p_machine and lower(i.during) > p_now
    and (i.is_overtime or not exists (select from public.shift_instances b
      where b.machine = p_machine and b.shift_date = i.shift_date and not b.is_overtime and lower(b.during) <= p_now));
  delete from private.shift_days d where d.machine = p_machine and d.day >= v_today
    and not exists (select from public.shift_instances i where i.machine = p_machine and i.shift_date = d.day and not i.is_overtime);
  perform private.make_shifts(p_machine, private.first_shift_day(v_machine.work_centre, v_today), v_today + 14);
  perform private.add_overtime_shifts(p_machine, w.during) from public.overtime_windows w where w.machine = p_machine and upper(w.during) > p_now;
end $$;
comment on function private.remake_shifts is 'After its pattern, its exceptions or its work centre changed: days of which no shift has begun are made anew. Locks the machine.';

-- Overtime counts only with an approval --------------------------------------------------------------------------------

create function private.add_overtime_shifts(p_machine text, p_during tstzrange)
returns void language plpgsql set search_path = '' as $$
begin
  -- The shifts of its days come first: overtime is what they leave free, also weeks ahead.
  perform private.make_shifts(m.code, (lower(p_during) at time zone si.time_zone)::date - 1, (upper(p_during) at time zone si.time_zone)::date)
    from public.machines m join public.sites si on si.code = m.site where m.code = p_machine;
  insert into public.shift_instances (machine, site, work_centre, shift, title, shift_date, during, is_overtime)
  select m.code, m.site, m.work_centre, 'overtime', 'Overtime', (lower(r.free) at time zone si.time_zone)::date, r.free, true
    from public.machines m join public.sites si on si.code = m.site
   cross join lateral unnest(tstzmultirange(p_during) - coalesce((select range_agg(i.during) from public.shift_instances i
      where i.machine = p_machine and i.during && p_during), '{}'::tstzmultirange)) as r (free)
   where m.code = p_machine;
end $$;

create function private.tg_approvals__overtime()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines;
  v_during tstzrange := tstzrange(new.starts_at, new.ends_at);
begin
  for v_machine in
    select m.* from public.machines m where m.site = new.site and m.is_active and m.work_centre is not null
      and (new.work_centre is null or m.work_centre = new.work_centre) order by m.code for no key update
  loop
    insert into public.overtime_windows (machine, approval_id, during) values (v_machine.code, new.id, v_during)
    on conflict on constraint overtime_windows_pkey do nothing;
    perform private.add_overtime_shifts(v_machine.code, v_during);
    perform private.touch_shifts(v_machine.code, v_during);
  end loop;
  return null;
end $$;
create trigger _500_overtime after update of status on public.approvals for each row
  when (new.type = 'OVERTIME' and new.status = 'APPROVED' and old.status <> 'APPROVED') execute function private.tg_approvals__overtime();

create function private.tg_machines__shifts()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_today date := (now() at time zone (select si.time_zone from public.sites si where si.code = new.site))::date;
begin
  if new.work_centre is not null and new.is_active then
    if tg_op = 'UPDATE' then   -- while it was out of use, or at no work centre, there were no shifts, and none are made up
      insert into private.shift_days (machine, day) select new.code, d::date
        from generate_series(coalesce((select max(x.day) + 1 from private.shift_days x where x.machine = new.code), v_today - 400), v_today - 1,
          interval '1 day') d;
      if old.work_centre is null or not old.is_active then   -- what was still to come today, comes
        delete from private.shift_days d where d.machine = new.code and d.day = v_today;
      end if;
    end if;
    perform private.remake_shifts(new.code);
  else
    delete from public.shift_instances i where i.machine = new.code and lower(i.during) > now();
    delete from private.shift_days d where d.machine = new.code and d.day > v_today;
  end if;
  return null;
end $$;
create trigger _500_shifts_new after insert on public.machines for each row
  when (new.work_centre is not null) execute function private.tg_machines__shifts();
create trigger _500_shifts_moved after update of work_centre, is_active on public.machines for each row
  when ((new.work_centre, new.is_active) is distinct from (old.work_centre, old.is_active)) execute function private.tg_machines__shifts();

create function private.extend_shifts(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_machine public.machines;
  v_today date;
begin
  for v_machine in select m.* from public.machines m where m.is_active and m.work_centre is not null order by m.code loop
    v_today := (p_now at time zone (select si.time_zone from public.sites si where si.code = v_machine.site))::date;
    continue when 15 = (select count(*) from private.shift_days d where d.machine = v_machine.code and d.day between v_today and v_today + 14)
      or not exists (select from public.shift_patterns p where p.work_centre = v_machine.work_centre) or not private.spare_machine(v_machine.code);
    begin   -- from the first day on: the clock may have stood for weeks, and overtime makes days ahead
      perform private.make_shifts(v_machine.code, private.first_shift_day(v_machine.work_centre, v_today), v_today + 14);
      perform private.note_trouble('extend_shifts', v_machine.code, null);
    exception when others then
      perform private.note_trouble('extend_shifts', v_machine.code, sqlerrm);
    end;
  end loop;
end $$;
comment on function private.extend_shifts is 'A job of the clock: two weeks of shifts are always there.';

-- sql/M14_kpi/window.sql

-- The one definition. kpi_pieces lays every instant of a window into exactly one piece, kpi_window adds them up, kpi_ratios divides. Live tiles,
-- snapshots of shifts, reports and exports call these and nothing else. Bounds reach the queries as values, so that cost follows the window; one plan serves
-- every machine and window (force_generic_plan), as planning would cost more than running. What is computed once is materialized.

create type private.machine_interval as (
  n bigint, starts_at timestamptz, ends_at timestamptz, state text, stop_n bigint, is_down boolean);

create function private.machine_intervals(p_machine text, p_lo timestamptz, p_hi timestamptz, p_as_of timestamptz)
returns setof private.machine_interval language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_shortest interval := make_interval(secs => (select min(v.silence_s) from public.machine_versions v where v.machine = p_machine));
begin
  return query
    with points as (   -- who counts, speaks
      (select c.last_at as at from public.count_minute c where c.machine = p_machine and c.minute < p_lo order by c.minute desc limit 1)
      union all
      select u.at from public.count_minute c cross join lateral (values (c.first_at), (c.last_at)) as u (at)
       where c.machine = p_machine and c.minute >= p_lo and c.minute < p_hi and u.at <= p_as_of
      union all
      (select c.first_at from public.count_minute c where c.machine = p_machine and c.minute >= p_hi and c.first_at <= p_as_of order by c.minute limit 1)
    ), talks as (   -- never silent from the first to the last
      select min(t.at) as at, max(t.at) as upto
        from (select q.at, sum(q.is_new::integer) over (order by q.at) as talk
                from (select p.at, coalesce(p.at - lag(p.at) over (order by p.at) > v_shortest, true) as is_new from points p) q) t group by t.talk
    ), signals (at, n, seq, state, expires, upto) as (
      (select e.at, 1, e.seq, e.state, e.source = 'signal', null::timestamptz from public.machine_state_events e
        where e.machine = p_machine and e.at < p_lo order by e.at desc, e.seq desc, e.state desc limit 1)
      union all
      select e.at, 1, e.seq, e.state, e.source = 'signal', null from public.machine_state_events e
       where e.machine = p_machine and e.at >= p_lo and e.at < p_hi and e.at <= p_as_of
      union all
      (select e.at, 1, e.seq, e.state, e.source = 'signal', null from public.machine_state_events e
        where e.machine = p_machine and e.at >= p_hi and e.at <= p_as_of order by e.at, e.seq, e.state limit 1)
      union all
      select u.at, 0, 0, null, null, t.upto from talks t cross join lateral (values (t.at), (t.upto)) as u (at)
      union all
      select '-infinity', -1, 0, null, null, null
       where not exists (select from public.machine_state_events e where e.machine = p_machine and e.at < p_lo)
    ), carried as (
      select s.at, lead(s.at) over w as until, count(s.state) over w as k, max(s.upto) over w as heard, s.state, s.expires
        from signals s window w as (order by s.at, s.n, s.seq, s.state)
    ), known as (
      select c.at, coalesce(c.until, p_as_of) as until, max(c.state) over (partition by c.k) as said,
          bool_or(c.expires) over (partition by c.k) and coalesce(coalesce(c.until, p_as_of) > c.heard, true) as expires
        from carried c
    ), judged as materialized (
      select k.at, k.until, k.said, case when k.said is null then 'no_data'
          when k.expires and k.said <> 'off' and k.until - k.at > v_shortest and k.until - k.at > make_interval(secs => (select v.silence_s from public.machine_versions v
            where v.machine = p_machine and v.valid_from <= k.at order by v.valid_from desc limit 1)) then 'no_data' else k.said end as state
        from known k where k.until > k.at
    ), marked as (
      select j.*, j.state not in ('running', 'setup') as is_down, lag(j.state) over w as before from judged j window w as (order by j.at)
    ), stepped as (
      select m.*, m.is_down and (m.before in ('running', 'setup') or m.said in ('running', 'setup') or m.before is null) as is_new from marked m
    ), numbered as (
      select s.*, sum((s.is_new or s.state is distinct from s.before)::integer) over (order by s.at) as n, sum(s.is_new::integer) over (order by s.at) as stop_n
        from stepped s
    )
    select d.n, min(d.at), max(d.until), min(d.state), min(d.stop_n), bool_or(d.is_down) from numbered d group by d.n;
end $$;
comment on function private.machine_intervals is
$$What a machine did between two instants, and the whole of what reaches over them, from its states alone: no gap, no overlap. A machine that was silent
for longer than its threshold is no_data from its last word on; a person's word does not expire. stop_n numbers the stretches in which it did not run.$$;

create function private.policy_of(p_site text, p_class text, p_at timestamptz)
returns text language plpgsql stable set search_path = '' as $$
begin
  return coalesce(
    (select p.policy from public.time_class_policies p where p.site = p_site and p.time_class = p_class and p.valid_from <= p_at
      order by p.valid_from desc limit 1),
    (select c.policy from public.time_classes c where c.code = p_class));
end $$;
comment on function private.policy_of is 'How a site counts a class of time that began at an instant.';

create type private.kpi_segment as (
  starts_at timestamptz, ends_at timestamptz, state text, is_down boolean, stop public.stops, shift_id bigint, island_from timestamptz, island_to timestamptz);

create function private.kpi_segments(p_machine text, p_from timestamptz, p_to timestamptz, p_lo timestamptz, p_hi timestamptz, p_as_of timestamptz)
returns setof private.kpi_segment language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
begin
  return query
    with intervals as materialized (select * from private.machine_intervals(p_machine, p_lo, p_hi, p_as_of)),
    rows as materialized (
      select row_number() over (order by lower(t.during)) as n, t as stop, lower(t.during) as starts_at, coalesce(upper(t.during), 'infinity') as ends_at
        from public.stops t where t.machine = p_machine and t.during && tstzrange(p_lo, p_hi)
    ), shifts as materialized (
      select row_number() over (order by lower(i.during)) as n, i.id, lower(i.during) as starts_at, upper(i.during) as ends_at
        from public.shift_instances i where i.machine = p_machine and i.during && tstzrange(p_from, p_to)
    ), points as (
      select greatest(x.at, p_lo) as at, max(x.i) as i, max(x.r) as r, max(x.s) as s from (
        select i.starts_at as at, i.n as i, null::bigint as r, null::bigint as s from intervals i
        union all select t.starts_at, null, t.n, null from rows t union all select t.ends_at, null, null, null from rows t
        union all select h.starts_at, null, null, h.n from shifts h union all select h.ends_at, null, null, null from shifts h
        union all select u.at, null, null, null from public.planned_stops p cross join lateral unnest(array[lower(p.during), upper(p.during)]) as u (at)
          where p.machine = p_machine and p.is_active and p.during && tstzrange(p_from, p_to)
        union all select u.at, null, null, null from public.overtime_windows o cross join lateral unnest(array[lower(o.during), upper(o.during)]) as u (at)
          where o.machine = p_machine and o.during && tstzrange(p_from, p_to)
        union all select u.at, null, null, null from unnest(array[p_lo, p_from, p_to, p_hi]) as u (at)) x
       where x.at <= p_hi group by 1
    ), spread as (
      select p.at, lead(p.at) over w as until, max(p.i) over w as i, max(p.r) over w as r, max(p.s) over w as s from points p window w as (order by p.at)
    ), laid as (
      select q.at, q.until, i.state, i.is_down, case when q.at < t.ends_at and ((t.stop).source <> 'signal' or i.is_down) then t.stop end as stop,
          case when q.at < h.ends_at then h.id end as shift_id, i.stop_n
        from spread q join intervals i on i.n = q.i left join rows t on t.n = q.r left join shifts h on h.n = q.s where q.until is not null
    ), keyed as (
      select l.*, case when (l.stop).id is not null then 'r' || (l.stop).id when l.is_down then 'g' || l.stop_n end as key from laid l
    ), islands as (
      select k.*, sum((k.key is distinct from k.before)::integer) over (order by k.at) as island
        from (select k.*, lag(k.key) over (order by k.at) as before from keyed k) k
    )
    select d.at, d.until, d.state, d.is_down, d.stop, d.shift_id, min(d.at) over (partition by d.island), max(d.until) over (partition by d.island)
      from islands d;
end $$;
comment on function private.kpi_segments is
'States, stops and shifts of a machine laid over each other, cut wherever one of them changes. An island is a whole stop, also where it reaches over the window.';

create type private.kpi_piece as (
  starts_at timestamptz, ends_at timestamptz, kind text, policy text, time_class text, reason text, state text, stop_id bigint, planned_id bigint,
  shift_id bigint, stop_from timestamptz, stop_to timestamptz);
comment on type private.kpi_piece is
$$kind: unscheduled, planned, run, setup, stop, micro, pending (a stop that is still open and shorter than the micro-stop threshold). policy: none for
what is run time without loss. stop_from and stop_to: the whole stop that the piece is part of.$$;

create function private.kpi_pieces(p_machine text, p_from timestamptz, p_to timestamptz, p_as_of timestamptz)
returns setof private.kpi_piece language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_site text := (select m.site from public.machines m where m.code = p_machine);
  v_to timestamptz := least(p_to, p_as_of);
  -- Beyond the longest micro-stop nothing can change what a piece is.
  v_pad interval := make_interval(secs => (select max(v.micro_stop_s) from public.machine_versions v where v.machine = p_machine) + 60);
  v_hi timestamptz := least(date_trunc('minute', v_to) + v_pad + interval '1 minute', p_as_of);
  v_overtime tstzmultirange := coalesce((select range_agg(o.during) from public.overtime_windows o
    where o.machine = p_machine and o.during && tstzrange(p_from, greatest(v_to, p_from))), '{}');
begin
  if v_to <= p_from then
    return;
  end if;
  return query
    with rests as materialized (
      select p.id, p.during, p.time_class, private.policy_of(v_site, p.time_class, lower(p.during)) as policy from public.planned_stops p
       where p.machine = p_machine and p.is_active and p.during && tstzrange(p_from, v_to)
    ), laid as (
      select g.*, p.id as planned_id, p.time_class as planned_class, p.policy as planned_policy, g.shift_id is null and not o.is_overtime as is_off
        from private.kpi_segments(p_machine, p_from, v_to, date_trunc('minute', p_from) - v_pad, v_hi, p_as_of) g
       cross join lateral (select v_overtime @> g.starts_at as is_overtime offset 0) o
        left join lateral (
          select r.* from rests r where r.during @> g.starts_at and not (r.time_class = 'break' and o.is_overtime) order by r.policy, r.id limit 1) p on true
       where g.starts_at >= p_from and g.starts_at < v_to
    ), limits as materialized (
      select v.valid_from, make_interval(secs => v.micro_stop_s) as micro_stop from public.machine_versions v where v.machine = p_machine
    ), judged as materialized (
      select l.*, case when l.is_off then 'unscheduled' when l.planned_id is not null then 'planned'
          when (l.stop).id is null and not l.is_down then case l.state when 'setup' then 'setup' else 'run' end
          when (l.stop).reason is null and l.island_to - l.island_from <= (select v.micro_stop from limits v
              where v.valid_from <= l.island_from order by v.valid_from desc limit 1)
            then case when l.island_to >= p_as_of then 'pending' else 'micro' end else 'stop' end as kind from laid l
    ), classed as materialized (
      select j.*, j.kind in ('stop', 'micro', 'pending') as is_stop, case j.kind when 'planned' then j.planned_class when 'setup' then 'changeover'
          when 'micro' then 'minor_stop' when 'pending' then 'minor_stop' when 'stop' then coalesce((j.stop).time_class,
            case when j.state = 'no_data' and (j.stop).id is null then 'no_data' else 'unclassified' end) end as time_class from judged j
    )
    select c.starts_at, c.ends_at, c.kind, case when c.kind in ('unscheduled', 'run', 'pending') then 'none' when c.kind = 'planned' then c.planned_policy
          else coalesce((select p.policy from public.time_class_policies p where p.site = v_site and p.time_class = c.time_class
              and p.valid_from <= c.island_from order by p.valid_from desc limit 1), (select t.policy from public.time_classes t where t.code = c.time_class)) end,
        c.time_class, case when c.is_stop then (c.stop).reason end, c.state, case when c.is_stop or c.is_off then (c.stop).id end,
        case when not c.is_off then c.planned_id end, c.shift_id, case when c.is_stop then c.island_from end, case when c.is_stop then c.island_to end
      from classed c order by c.starts_at;
end $$;
comment on function private.kpi_pieces is
$$Every instant of [p_from, p_to) up to p_as_of in exactly one piece. Not scheduled beats planned stops, those beat what people say, that beats what the
machine says. Of planned stops at once, the one that is excluded holds, then the loss of availability. An ended stop without a reason within the micro-stop
threshold of its time is a micro-stop; one that lasts is pending until then.$$;

-- sql/M14_kpi/figures.sql

-- Pieces into figures ------------------------------------------------------------------------------------------------

create type public.kpi_inputs as (
  window_s numeric, scheduled_s numeric, planned_s numeric, run_s numeric, setup_s numeric, delay_s numeric, no_order_s numeric, availability_loss_s numeric,
  performance_loss_s numeric, pending_s numeric, planned_stop_s numeric, excluded_s numeric, unclassified_s numeric, no_data_s numeric, maintenance_s numeric,
  stops bigint, micro_stops bigint, micro_s numeric, total numeric, good numeric, scrap numeric, rework numeric, ideal_s numeric, ideal_good_s numeric,
  without_ideal numeric, unscheduled_pieces numeric);
comment on type public.kpi_inputs is
$$What figures are made of; seconds and pieces, all of them additive over windows and machines. window_s: calendar time. scheduled_s: shifts and approved
overtime. excluded_s: what left it by policy (planned_stop_s of it: breaks, meetings, maintenance). planned_s = scheduled_s - excluded_s = run_s +
availability_loss_s. availability_loss_s = setup_s (AUST) + delay_s (ADET) + no_order_s (ADOT) + planned stops that count as a loss. run_s holds
performance_loss_s (micro_s and others by policy) and pending_s. ideal_s: Σ pieces × ideal cycle; without_ideal: pieces nobody gave one for;
unscheduled_pieces came in time that is not planned and are in no other number.$$;

create type public.kpi_ratios as (
  availability numeric, performance numeric, quality numeric, quality_pieces numeric, oee numeric, ooe numeric, teep numeric, nee numeric, loading numeric,
  utilisation numeric, utilization_efficiency numeric, technical_efficiency numeric, allocation_efficiency numeric, setup_ratio numeric,
  scrap_ratio numeric, rework_ratio numeric, speed_loss_s numeric, ideal_cycle_suspect boolean);
comment on type public.kpi_ratios is
$$Null is 0/0: there is nothing to say. quality is weighted by ideal time, so that availability × performance × quality = oee also with several items;
quality_pieces is good / total. performance, quality and oee are null while a piece has no ideal cycle. performance is never capped:
ideal_cycle_suspect says that it is above 105 %. nee: set-up is no loss. teep: of calendar time; ooe: of scheduled time; loading = scheduled / calendar,
utilisation = planned / calendar. speed_loss_s = run_s - performance_loss_s - pending_s - ideal_s, the only remainder.$$;

create function private.seconds(p_from timestamptz, p_to timestamptz)
returns numeric language plpgsql immutable set search_path = '' as $$
begin
  return extract(epoch from p_to) - extract(epoch from p_from);
end $$;

create function private.planned_of(p_pieces private.kpi_piece[])
returns tstzmultirange language plpgsql stable set search_path = '' as $$
begin
  return (select coalesce(range_agg(tstzrange(p.starts_at, p.ends_at)), '{}') from unnest(p_pieces) p
    where p.kind <> 'unscheduled' and p.policy <> 'excluded');
end $$;
comment on function private.planned_of is 'Planned production time: pieces that come out in it count.';

create function private.kpi_counts(
  p_sums public.kpi_inputs, p_machine text, p_from timestamptz, p_to timestamptz, p_planned tstzmultirange, p_item text default null)
returns public.kpi_inputs language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  -- Minutes with a bound inside: there each count is looked at by itself.
  v_cut timestamptz[] := array(select distinct date_trunc('minute', u.at)
    from (select unnest(array[p_from, p_to]) as at union all select unnest(array[lower(r.during), upper(r.during)]) from unnest(p_planned) as r (during)) u
   where u.at <> date_trunc('minute', u.at));
begin
  select coalesce(sum(c.total) filter (where c.is_planned), 0), coalesce(sum(c.good) filter (where c.is_planned), 0),
    coalesce(sum(c.scrap) filter (where c.is_planned), 0), coalesce(sum(c.rework) filter (where c.is_planned), 0),
    coalesce(sum(c.total * c.ideal_s) filter (where c.is_planned), 0), coalesce(sum(c.good * c.ideal_s) filter (where c.is_planned), 0),
    coalesce(sum(c.total) filter (where c.is_planned and c.ideal_s is null), 0), coalesce(sum(c.total) filter (where not c.is_planned), 0)
    into p_sums.total, p_sums.good, p_sums.scrap, p_sums.rework, p_sums.ideal_s, p_sums.ideal_good_s, p_sums.without_ideal, p_sums.unscheduled_pieces
    from (
      select m.good, m.scrap, m.rework, m.good + m.scrap + m.rework as total, m.ideal_s, p_planned @> m.minute as is_planned from public.count_minute m
       where m.machine = p_machine and m.minute >= p_from and m.minute < p_to and m.minute <> all (v_cut) and (p_item is null or coalesce(m.sku, '') = p_item)
      union all
      select e.good, e.scrap, e.rework, e.good + e.scrap + e.rework, e.ideal_s, p_planned @> e.at
        from unnest(v_cut) as u (minute) join public.count_events e on e.machine = p_machine and e.at >= greatest(u.minute, p_from)
         and e.at < least(u.minute + interval '1 minute', p_to) and (p_item is null or coalesce(e.sku, '') = p_item)) c;
  return p_sums;
end $$;
comment on function private.kpi_counts is
$$The sums with the pieces that came out in [p_from, p_to), of one item (empty: of none) or of all; planned or not by their own instant. Whole minutes
come from count_minute.$$;

create function private.kpi_times(p_pieces private.kpi_piece[])
returns public.kpi_inputs language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_sums public.kpi_inputs;
begin
  with pieces as (
    select p.*, extract(epoch from p.ends_at) - extract(epoch from p.starts_at) as s, c.iso_element as iso from unnest(p_pieces) p
      left join public.time_classes c on c.code = p.time_class
  ), t as (
    select sum(p.s) as window_s, sum(p.s) filter (where p.kind <> 'unscheduled') as scheduled, sum(p.s) filter (where p.policy = 'excluded') as excluded,
      sum(p.s) filter (where p.policy = 'loss_availability') as lost, sum(p.s) filter (where p.policy = 'loss_availability' and p.iso = 'AUST') as setup,
      sum(p.s) filter (where p.policy = 'loss_availability' and p.iso = 'ADET') as delay,
      sum(p.s) filter (where p.policy = 'loss_availability' and p.iso = 'ADOT') as no_order,
      sum(p.s) filter (where p.policy = 'loss_performance') as slow, sum(p.s) filter (where p.kind = 'pending') as pending,
      sum(p.s) filter (where p.kind = 'planned') as planned_stop, sum(p.s) filter (where p.time_class = 'unclassified') as unclassified,
      sum(p.s) filter (where p.time_class = 'no_data') as no_data, sum(p.s) filter (where p.time_class = 'planned_maintenance') as maintenance,
      count(*) filter (where p.kind = 'stop' and p.starts_at = p.stop_from) as stops, count(*) filter (where p.kind = 'micro' and p.starts_at = p.stop_from) as micros,
      sum(p.s) filter (where p.kind = 'micro') as micro
      from pieces p
  )
  select coalesce(t.window_s, 0), coalesce(t.scheduled, 0), coalesce(t.scheduled, 0) - coalesce(t.excluded, 0),
    coalesce(t.scheduled, 0) - coalesce(t.excluded, 0) - coalesce(t.lost, 0), coalesce(t.setup, 0), coalesce(t.delay, 0), coalesce(t.no_order, 0),
    coalesce(t.lost, 0), coalesce(t.slow, 0), coalesce(t.pending, 0), coalesce(t.planned_stop, 0), coalesce(t.excluded, 0), coalesce(t.unclassified, 0),
    coalesce(t.no_data, 0), coalesce(t.maintenance, 0), t.stops, t.micros, coalesce(t.micro, 0)
    into v_sums.window_s, v_sums.scheduled_s, v_sums.planned_s, v_sums.run_s, v_sums.setup_s, v_sums.delay_s, v_sums.no_order_s,
      v_sums.availability_loss_s, v_sums.performance_loss_s, v_sums.pending_s, v_sums.planned_stop_s, v_sums.excluded_s, v_sums.unclassified_s,
      v_sums.no_data_s, v_sums.maintenance_s, v_sums.stops, v_sums.micro_stops, v_sums.micro_s
    from t;
  return v_sums;
end $$;
comment on function private.kpi_times is 'The pieces added up; nothing counted yet.';

create function private.kpi_sums(p_machine text, p_from timestamptz, p_to timestamptz, p_pieces private.kpi_piece[])
returns public.kpi_inputs language plpgsql stable set search_path = '' as $$
begin
  return private.kpi_counts(private.kpi_times(p_pieces), p_machine, p_from, p_to, private.planned_of(p_pieces));
end $$;
comment on function private.kpi_sums is 'The pieces of [p_from, p_to) added up, with what was counted in them.';

create function private.kpi_window(p_machine text, p_from timestamptz, p_to timestamptz, p_as_of timestamptz default now())
returns public.kpi_inputs language plpgsql stable set search_path = '' as $$
begin
  return private.kpi_sums(p_machine, p_from, least(p_to, p_as_of), array(select p from private.kpi_pieces(p_machine, p_from, p_to, p_as_of) p));
end $$;
comment on function private.kpi_window is
$$THE definition of what a machine did in [p_from, p_to), as far as it was over at p_as_of. Additive: the sums of two neighbouring windows are those of
both. Everything that shows a figure calls this, or adds up what it answered.$$;

create function private.ratio(p_part numeric, p_whole numeric)
returns numeric language plpgsql immutable set search_path = '' as $$
begin
  return round(p_part / nullif(p_whole, 0), 12);
end $$;
comment on function private.ratio is 'Null for 0/0 and n/0.';

create function private.kpi_ratios(p_inputs public.kpi_inputs)
returns public.kpi_ratios language plpgsql immutable set search_path = '' as $$
declare
  v public.kpi_ratios;
  v_known boolean := p_inputs.without_ideal = 0;
begin
  v.availability := private.ratio(p_inputs.run_s, p_inputs.planned_s);
  v.performance := case when v_known then private.ratio(p_inputs.ideal_s, p_inputs.run_s) end;
  v.quality := case when v_known then private.ratio(p_inputs.ideal_good_s, p_inputs.ideal_s) end;
  v.quality_pieces := private.ratio(p_inputs.good, p_inputs.total);
  v.oee := case when v_known then private.ratio(p_inputs.ideal_good_s, p_inputs.planned_s) end;
  v.ooe := case when v_known then private.ratio(p_inputs.ideal_good_s, p_inputs.scheduled_s) end;
  v.teep := case when v_known then private.ratio(p_inputs.ideal_good_s, p_inputs.window_s) end;
  -- Without a good piece both are 0, also when it never ran: nee is null only where oee is, or where pieces came without any run time.
  v.nee := case when v_known and p_inputs.ideal_good_s = 0 then v.oee
    when v_known then private.ratio((p_inputs.run_s + p_inputs.setup_s) * p_inputs.ideal_good_s, p_inputs.run_s * p_inputs.planned_s) end;
  v.loading := private.ratio(p_inputs.scheduled_s, p_inputs.window_s);
  v.utilisation := private.ratio(p_inputs.planned_s, p_inputs.window_s);
  v.utilization_efficiency := private.ratio(p_inputs.run_s, p_inputs.run_s + p_inputs.setup_s + p_inputs.delay_s);
  v.technical_efficiency := private.ratio(p_inputs.run_s, p_inputs.run_s + p_inputs.delay_s);
  v.allocation_efficiency := private.ratio(p_inputs.run_s + p_inputs.setup_s + p_inputs.delay_s, p_inputs.planned_s);
  v.setup_ratio := private.ratio(p_inputs.setup_s, p_inputs.run_s + p_inputs.setup_s);
  v.scrap_ratio := private.ratio(p_inputs.scrap, p_inputs.total);
  v.rework_ratio := private.ratio(p_inputs.rework, p_inputs.total);
  v.speed_loss_s := p_inputs.run_s - p_inputs.performance_loss_s - p_inputs.pending_s - p_inputs.ideal_s;
  v.ideal_cycle_suspect := coalesce(v.performance > 1.05, false);
  return v;
end $$;
comment on function private.kpi_ratios is 'Figures from their inputs. Of several machines or windows: from the sum of the inputs, never the mean of ratios.';

create function private.kpi_losses(p_pieces private.kpi_piece[])
returns table (kind text, time_class text, reason text, policy text, seconds numeric, stops bigint) language plpgsql stable set search_path = '' as $$
begin
  return query
    select p.kind, p.time_class, p.reason, p.policy, sum(extract(epoch from p.ends_at) - extract(epoch from p.starts_at)), count(*) filter (where p.starts_at = p.stop_from)
      from unnest(p_pieces) p where p.kind not in ('unscheduled', 'run') group by 1, 2, 3, 4;
end $$;
comment on function private.kpi_losses is 'The same pieces by what they were lost to.';

-- sql/M14_kpi/snapshots.sql

-- Shifts that are over: the same figures, kept -----------------------------------------------------------------------

create function private.between_signals(p_machine text, p_from timestamptz, p_to timestamptz)
returns tstzrange language plpgsql stable set search_path = '' as $$
begin
  return tstzrange(
    coalesce(least(p_from, (select e.at from public.machine_state_events e where e.machine = p_machine and e.at < p_from order by e.at desc limit 1)), p_from),
    (select e.at from public.machine_state_events e where e.machine = p_machine and e.at > p_to order by e.at limit 1));
end $$;
comment on function private.between_signals is 'How far facts between two instants reach: from the state before them to the one after them.';

create function private.touch_shifts(p_machine text, p_during tstzrange)
returns void language plpgsql set search_path = '' as $$
begin
  -- Two hours: the longest micro-stop, twice. What ends in the window can change what a stop beside it is.
  update public.oee_shifts o set is_dirty = true
   where o.machine = p_machine and not o.is_dirty
     and o.ends_at > coalesce(lower(p_during), '-infinity') - interval '2 hours'
     and o.starts_at < coalesce(upper(p_during), 'infinity') + interval '2 hours';
end $$;
comment on function private.touch_shifts is 'Something came late: the kept figures of the shifts it reaches are dirty until they are computed anew.';

create function private.losses_json(p_pieces private.kpi_piece[])
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select jsonb_agg(to_jsonb(l) order by l.seconds desc, l.kind, l.time_class, l.reason) from private.kpi_losses(p_pieces) l), '[]');
end $$;

create function private.snapshot_shift(p_shift public.shift_instances, p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_machine public.machines := private.lock_machine(p_shift.machine);
  v_from timestamptz := lower(p_shift.during);
  v_to timestamptz := upper(p_shift.during);
  v_pieces private.kpi_piece[] := array(select p from private.kpi_pieces(p_shift.machine, v_from, v_to, p_now) p);
  v_inputs public.kpi_inputs := private.kpi_sums(p_shift.machine, v_from, least(v_to, p_now), v_pieces);
  v_told numeric := coalesce((select o.told_run_s from public.oee_shifts o where o.shift_id = p_shift.id), 0);
begin
  insert into public.oee_shifts as o (shift_id, machine, starts_at, ends_at, inputs, ratios, losses, as_of, told_run_s)
  values (p_shift.id, p_shift.machine, v_from, v_to, to_jsonb(v_inputs), to_jsonb(private.kpi_ratios(v_inputs)),
    private.losses_json(v_pieces), p_now, greatest(v_inputs.run_s, v_told))
  on conflict on constraint oee_shifts_pkey do update
    set inputs = excluded.inputs, ratios = excluded.ratios, losses = excluded.losses, as_of = excluded.as_of, is_dirty = false, computed_at = now(),
        recomputed = o.recomputed + (o.inputs <> excluded.inputs)::integer, told_run_s = excluded.told_run_s;
  perform private.add_machine_run(p_shift.machine, greatest(v_inputs.run_s - v_told, 0) / 3600, 0);
  update public.shift_instances i set is_closed = true
   where i.id = p_shift.id and not i.is_closed and v_to + make_interval(secs => greatest(v_machine.silence_s, v_machine.micro_stop_s)) <= p_now;
end $$;
comment on function private.snapshot_shift is 'Computes a shift that is over and keeps it. Closed once its last silence and its last short stop are known for what they are.';

create function private.due_shifts(p_now timestamptz)
returns bigint[] language plpgsql stable set search_path = '' as $$
declare
  v_troubled text[] := array(select t.machine from private.machine_troubles t where t.job = 'snapshot_shifts');
begin
  return array(
    (select i.id from public.shift_instances i join public.machines m on m.code = i.machine
      where not i.is_closed and upper(i.during) <= p_now
        and (upper(i.during) + make_interval(secs => greatest(m.silence_s, m.micro_stop_s)) <= p_now
          or not exists (select from public.oee_shifts o where o.shift_id = i.id))
      order by i.machine = any (v_troubled), upper(i.during), i.id limit 100)
    union all
    (select o.shift_id from public.oee_shifts o where o.is_dirty order by o.machine = any (v_troubled), o.ends_at, o.shift_id limit 100));
end $$;
comment on function private.due_shifts is
  'The oldest hundred that ended, and the oldest hundred that are dirty, so that neither has to wait for the other; machines that failed last come last.';

create function private.snapshot_shifts(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_due bigint[] := private.due_shifts(p_now);
  v_machine text;
  v_shift public.shift_instances;
begin
  for v_machine in select distinct i.machine from public.shift_instances i where i.id = any (v_due) order by 1 loop
    continue when not private.spare_machine(v_machine);
    begin
      for v_shift in select i.* from public.shift_instances i where i.id = any (v_due) and i.machine = v_machine order by lower(i.during) loop
        perform private.snapshot_shift(v_shift, p_now);
      end loop;
      perform private.note_trouble('snapshot_shifts', v_machine, null);
    exception when others then
      perform private.note_trouble('snapshot_shifts', v_machine, sqlerrm);
    end;
  end loop;
end $$;
comment on function private.snapshot_shifts is
$$A job of the clock: figures of shifts that ended, and again of those that a late fact made dirty. Two hundred a run: while it lasts, events of others
wait for their place in the order of commits.$$;

-- sql/M14_kpi/counts.sql

-- Counts -------------------------------------------------------------------------------------------------------------

create function private.tg_count_events__append_only()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.fail(409, 'machine.append_only', 'What machines said and counted is never changed or removed. Book what takes it back.');
  return null;
end $$;
comment on function private.tg_count_events__append_only is 'So that figures that were signed can be computed again.';
create trigger _200_append_only before update or delete on public.count_events
  for each row execute function private.tg_count_events__append_only();
create trigger _200_no_truncate before truncate on public.count_events
  for each statement execute function private.tg_count_events__append_only();

create function private.tg_machine_state_events__append_only()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.fail(409, 'machine.append_only', 'What machines said and counted is never changed or removed. Book what takes it back.');
  return null;
end $$;
create trigger _200_append_only before update or delete on public.machine_state_events
  for each row execute function private.tg_machine_state_events__append_only();
create trigger _200_no_truncate before truncate on public.machine_state_events
  for each statement execute function private.tg_machine_state_events__append_only();

create function private.oldest_fact(p_site text)
returns timestamptz language plpgsql stable set search_path = '' as $$
begin
  return now() - make_interval(days => private.setting('kpi.late_days', null, p_site)::integer);
end $$;
comment on function private.oldest_fact is 'How late a site takes what machines say.';

create function private.clock_problem(p_at timestamptz, p_oldest timestamptz)
returns text language plpgsql stable set search_path = '' as $$
begin
  return case when p_at > now() + interval '1 minute' or not isfinite(p_at) then 'machine.time' when p_at < p_oldest then 'machine.too_old' end;
end $$;
comment on function private.clock_problem is 'machine.time: in the future or at no time; machine.too_old: longer ago than facts may come late; null: neither.';

create function private.ideal_of(p_machine text, p_sku text)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return coalesce(
    (select c.ideal_s from public.ideal_cycles c where c.machine = p_machine and (c.sku = p_sku or c.sku is null) order by c.sku nulls last limit 1),
    (select s.run_min * 60 from public.machines m join public.work_centres w on w.code = m.work_centre
       join public.routings r on r.sku = p_sku and r.is_active
       join public.routing_steps s on s.routing_id = r.id and s.step = w.step and coalesce(s.work_centre, w.code) = w.code and s.run_min > 0
      where m.code = p_machine order by s.work_centre nulls last, s.sequence limit 1));
end $$;
comment on function private.ideal_of is
  'Seconds per piece at best: of the machine and item, of the machine, else run_min of the routing. Null: nobody has said, and nothing is made up.';

create function private.tg_count_events__minutes()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_row record;
begin
  -- Against a shift that is kept at this moment: it would call itself clean without these counts.
  perform 1 from public.machines m where m.code in (select n.machine from added n) order by m.code for share;
  insert into public.count_minute as c (machine, minute, sku, order_id, ideal_s, good, scrap, rework, first_at, last_at)
  select n.machine, date_trunc('minute', n.at), n.sku, n.order_id, n.ideal_s, sum(n.good), sum(n.scrap), sum(n.rework), min(n.at), max(n.at)
    from added n group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
  on conflict on constraint count_minute_minute_key do update
    set good = c.good + excluded.good, scrap = c.scrap + excluded.scrap, rework = c.rework + excluded.rework,
        first_at = least(c.first_at, excluded.first_at), last_at = greatest(c.last_at, excluded.last_at);
  for v_row in
    select n.machine, tstzrange(min(n.at), max(n.at), '[]') as during, sum(n.good + n.scrap + n.rework) filter (where n.reverses is null) as cycles
      from added n group by 1 order by 1
  loop
    perform private.add_machine_run(v_row.machine, 0, v_row.cycles);
    perform private.touch_shifts(v_row.machine, private.between_signals(v_row.machine, lower(v_row.during), upper(v_row.during)));
  end loop;
  return null;
end $$;
comment on function private.tg_count_events__minutes is
  'Adds what was really inserted to count_minute: a duplicate does not reach it. Late counts make the figures of their shift dirty.';
create trigger _500_minutes after insert on public.count_events referencing new table as added
  for each statement execute function private.tg_count_events__minutes();

create function private.spread_over(p_machine text, p_from timestamptz, p_to timestamptz, p_quantity numeric)
returns table (n bigint, at timestamptz, before numeric, after numeric) language plpgsql stable set search_path = '' as $$
begin
  return query
    with pieces as (
      select p.*, case when p.kind in ('run', 'micro', 'pending') then 1 when p.kind = 'unscheduled' or p.policy = 'excluded' then 4
          when p.time_class = 'no_data' then 2 else 3 end as rank
        from private.kpi_pieces(p_machine, p_from, p_to, p_to) p
    ), hours as (
      select h.hour, p.shift_id, min(greatest(p.starts_at, h.hour)) as at, sum(private.seconds(greatest(p.starts_at, h.hour), least(p.ends_at, h.hour + interval '1 hour'))) as s
        from pieces p cross join lateral generate_series(date_trunc('hour', p.starts_at), p.ends_at - interval '1 microsecond', interval '1 hour') as h (hour)
       where p.rank = (select min(b.rank) from pieces b) group by 1, 2
    ), shares as (
      select row_number() over (order by s.at) as n, s.at, sum(s.s) over (order by s.at) / sum(s.s) over () as upto from hours s
    )
    select s.n, s.at, lag(s.upto, 1, 0) over (order by s.n) * p_quantity, s.upto * p_quantity from shares s;
end $$;
comment on function private.spread_over is
$$One booking for a long time, as hours in which the machine ran: what share of the quantity was made before and up to the end of each. Where nothing says
that it ran: planned time of which nobody knows anything, else all planned time; without any, all hours, and it shows as unscheduled.$$;

create function private.whole_share(p_quantity numeric, p_before numeric, p_after numeric)
returns numeric language plpgsql immutable set search_path = '' as $$
begin
  return case when p_quantity = trunc(p_quantity) then round(p_quantity * p_after) - round(p_quantity * p_before)
    else round(p_quantity * p_after, 3) - round(p_quantity * p_before, 3) end;
end $$;
comment on function private.whole_share is 'The part of a quantity between two shares; whole pieces stay whole, and all parts together are the quantity.';

create type private.count_row as (
  n bigint, machine text, key text, at timestamptz, since timestamptz, sku text, order_id bigint, good numeric, scrap numeric, rework numeric,
  reason text, reverses text, problem text);

create function private.read_counts(p_counts jsonb)
returns setof private.count_row language plpgsql stable set search_path = '' as $$
begin
  if jsonb_array_length(p_counts) > 50000 then
    perform private.fail(422, 'count.too_many', 'Send at most 50,000 counts at once.', jsonb_build_object('field', 'p_counts', 'actual', jsonb_array_length(p_counts)));
  end if;
  return query
    with given as (
      select c.n, c.item ->> 'machine' as machine, c.item ->> 'key' as key, coalesce((c.item ->> 'at')::timestamptz, now()) as at,
          (c.item ->> 'from')::timestamptz as since, c.item ->> 'sku' as sku, c.item ->> 'order' as order_code, coalesce((c.item ->> 'good')::numeric, 0) as good,
          coalesce((c.item ->> 'scrap')::numeric, 0) as scrap, coalesce((c.item ->> 'rework')::numeric, 0) as rework, c.item ->> 'reason' as reason,
          c.item ->> 'reverses' as reverses
        from jsonb_array_elements(p_counts) with ordinality as c (item, n)
    ), limits as materialized (select si.code as site, private.oldest_fact(si.code) as oldest from public.sites si
    ), checked as (
      select g.n, m.code as machine, g.key, g.at, g.since, coalesce(i.sku, o.product_sku) as sku, o.id as order_id, g.good, g.scrap, g.rework, q.code as reason, g.reverses,
        case when m.code is null then 'machine.unknown' when coalesce(length(g.key), 0) not between 1 and 190 then 'count.key'
          when p.code is not null then p.code when g.since >= g.at or g.since < g.at - interval '31 days' then 'machine.time'
          when g.sku is not null and i.sku is null then 'item.unknown' when g.order_code is not null and o.id is null then 'production.unknown'
          when g.reason is not null and q.code is null then 'quality.reason'
          when g.reverses is null and (least(g.good, g.scrap, g.rework) < 0 or g.good + g.scrap + g.rework <= 0
            or greatest(g.good, g.scrap, g.rework) >= 10000000) then 'count.quantity' end as problem
        from given g
        left join public.machines m on m.code = g.machine
        left join public.inventory_items i on i.sku = g.sku
        left join public.production_orders o on o.code = g.order_code
        left join public.quality_reasons q on q.code = g.reason
        left join limits l on l.site = m.site
       cross join lateral (select coalesce(private.clock_problem(g.at, l.oldest), private.clock_problem(g.since, l.oldest)) as code offset 0) p
    ), plain as (
      select distinct c.machine, c.key from checked c where c.problem is null and c.reverses is null
    )
    select c.n, c.machine, c.key, c.at, c.since, c.sku, c.order_id, c.good, c.scrap, c.rework, c.reason, c.reverses, coalesce(c.problem,
        case when c.reverses is not null and p.key is null
          and not exists (select from public.count_events e where e.machine = c.machine and e.key in (c.reverses, c.reverses || '#1')) then 'count.unknown' end)
      from checked c left join plain p on p.machine = c.machine and p.key = c.reverses;
exception when invalid_text_representation or invalid_datetime_format or datetime_field_overflow or invalid_parameter_value or numeric_value_out_of_range then
  perform private.fail(400, 'count.malformed', 'Counts are a list of {machine, key, at, good, scrap, rework, …}.', jsonb_build_object('field', 'p_counts'));
end $$;

create function private.insert_counts(p_counts private.count_row[], p_actor uuid)
returns integer language plpgsql set search_path = '' as $$
declare
  v_added integer;
begin
  with wanted as (
    select c.machine, c.key, c.at, c.sku, c.order_id, c.good, c.scrap, c.rework, c.reason, null::text as reverses, null::timestamptz as since, null::numeric as ideal_s,
        null::boolean as is_startup
      from unnest(p_counts) c where c.reverses is null and c.since is null
    union all
    select c.machine, c.key || '#' || s.n, s.at, c.sku, c.order_id, private.whole_share(c.good, s.before, s.after),
        private.whole_share(c.scrap, s.before, s.after), private.whole_share(c.rework, s.before, s.after), c.reason, null, c.since, null, null
      from unnest(p_counts) c cross join lateral private.spread_over(c.machine, c.since, c.at, 1) s
     where c.reverses is null and c.since is not null and not exists (select from public.count_events e where e.machine = c.machine and e.key = c.key || '#1')
    union all
    select c.machine, c.key || substr(e.key, length(c.reverses) + 1), e.at, e.sku, e.order_id, -e.good, -e.scrap, -e.rework, coalesce(c.reason, e.reason),
        e.key, e.spread_from, e.ideal_s, e.is_startup
      from unnest(p_counts) c join public.count_events e on e.machine = c.machine and (e.key = c.reverses
        or e.spread_from is not null and e.key ~ '#[0-9]+$' and left(e.key, length(c.reverses) + 1) = c.reverses || '#') where c.reverses is not null
  ), ideals as (
    select d.machine, d.sku, private.ideal_of(d.machine, d.sku) as ideal_s from (select distinct w.machine, w.sku from wanted w) d
  )
  insert into public.count_events (machine, key, at, sku, order_id, good, scrap, rework, ideal_s, reason, reverses, spread_from, is_startup, actor_id)
  select w.machine, w.key, w.at, w.sku, w.order_id, w.good, w.scrap, w.rework, case when w.reverses is null then i.ideal_s else w.ideal_s end, w.reason,
         w.reverses, w.since, coalesce(w.is_startup, (select q.is_startup from public.quality_reasons q where q.code = w.reason), false),
         nullif(p_actor, '00000000-0000-0000-0000-000000000000')
    from wanted w join ideals i on i.machine = w.machine and i.sku is not distinct from w.sku order by w.machine, w.key
  on conflict do nothing;
  get diagnostics v_added = row_count;
  return v_added;
end $$;
comment on function private.insert_counts is
$$Inserts counts once: by key, and a reversal once by what it reverses. A booking with a beginning becomes one row per hour of it, as spread_over says.
Answers how many rows are new.$$;

create function private.add_counts(p_counts private.count_row[], p_actor uuid)
returns integer language plpgsql set search_path = '' as $$
begin
  -- All machines at once: the two halves may be of different ones.
  perform 1 from public.machines m where m.code in (select c.machine from unnest(p_counts) c) order by m.code for share;
  return private.insert_counts(array(select c from unnest(p_counts) c where c.reverses is null), p_actor)
    + private.insert_counts(array(select c from unnest(p_counts) c where c.reverses is not null), p_actor);
end $$;
comment on function private.add_counts is 'Counts first, then what takes counts back, so that a batch may hold both. Answers how many rows are new. Locks the machines, shared.';

-- sql/M14_kpi/stops.sql

-- Stops: what people and repairs say about time in which a machine stood ----------------------------------------------

create type private.stretch as (starts_at timestamptz, ends_at timestamptz);

create function private.stop_around(p_machine text, p_at timestamptz, p_as_of timestamptz)
returns private.stretch language plpgsql stable set search_path = '' as $$
declare
  v_ran timestamptz := (select e.at from public.machine_state_events e
    where e.machine = p_machine and e.state in ('running', 'setup') and e.at <= p_at order by e.at desc limit 1);
  v_runs timestamptz := (select e.at from public.machine_state_events e
    where e.machine = p_machine and e.state in ('running', 'setup') and e.at > p_at and e.at <= p_as_of order by e.at limit 1);
  v_stop private.stretch;
begin
  with intervals as materialized (
    select i.* from private.machine_intervals(p_machine, coalesce(v_ran, '-infinity'), coalesce(v_runs, p_as_of), p_as_of) i where i.is_down
  )
  select min(i.starts_at), max(i.ends_at) into v_stop from intervals i
   where i.stop_n = (select j.stop_n from intervals j
     where j.starts_at <= p_at and (j.ends_at > p_at or j.ends_at = p_as_of and p_at >= p_as_of) order by j.starts_at desc limit 1);
  if v_stop.ends_at >= p_as_of then
    v_stop.ends_at := null;
  end if;
  return case when v_stop.starts_at is not null then v_stop end;
end $$;
comment on function private.stop_around is
$$The whole stretch around an instant in which the machine itself did not run; without an end while it lasts; null when it ran. -infinity: it never ran.$$;

create function private.free_stretch(p_machine text, p_during tstzrange, p_at timestamptz)
returns tstzrange language plpgsql stable set search_path = '' as $$
begin
  return (select r.free from unnest(tstzmultirange(p_during) - coalesce((select range_agg(s.during) from public.stops s
      where s.machine = p_machine and s.during && p_during), '{}'::tstzmultirange)) as r (free) where r.free @> p_at);
end $$;
comment on function private.free_stretch is 'The part of a stretch around an instant that no stop covers yet.';

create function private.emit_stop(p_stop public.stops, p_event text, p_actor uuid, p_more jsonb default '{}')
returns bigint language plpgsql set search_path = '' as $$
begin
  return private.emit('stop', p_stop.id::text, p_event, p_actor, jsonb_strip_nulls(jsonb_build_object('machine', p_stop.machine, 'version', p_stop.version,
    'reason', p_stop.reason, 'time_class', p_stop.time_class, 'from', lower(p_stop.during), 'to', upper(p_stop.during), 'source', p_stop.source) || p_more),
    null, p_stop.site);
end $$;

create function private.with_reason(p_stop public.stops, p_reason text, p_actor uuid)
returns public.stops language plpgsql stable set search_path = '' as $$
declare
  v_reason public.stop_reasons;
begin
  if p_reason is null then
    return p_stop;
  end if;
  select r.* into v_reason from public.stop_reasons r where r.code = p_reason and r.is_active;
  if v_reason.code is null then
    perform private.fail(404, 'stop.unknown_reason', 'There is no reason ' || p_reason || ' in use.', jsonb_build_object('reason', p_reason));
  end if;
  p_stop.reason := v_reason.code; p_stop.time_class := v_reason.time_class; p_stop.is_failure := v_reason.is_failure;
  p_stop.classified_by := nullif(p_actor, '00000000-0000-0000-0000-000000000000'); p_stop.classified_at := now();
  p_stop.reason_repair_id := null;
  return p_stop;
end $$;
comment on function private.with_reason is 'The stop with a reason and the class it has now. Errors: stop.unknown_reason (404).';

create function private.with_reason_given(p_stop public.stops, p_reason text, p_actor uuid)
returns public.stops language plpgsql stable set search_path = '' as $$
declare
  v_stop public.stops := private.with_reason(p_stop, p_reason, p_actor);
begin
  if exists (select from public.time_classes c where c.code = v_stop.time_class and c.is_planned) and not private.may('kpi.plan') then
    v_stop.time_class := case when p_stop.reason = v_stop.reason then p_stop.time_class else 'unclassified' end;
  end if;
  return v_stop;
end $$;
comment on function private.with_reason_given is
$$The stop with the reason that a person gives. A planned one takes the time out of the plan as plan_stop does: of who may not plan it is a request, and
the time stays a loss (class unclassified) until somebody who may gives the same reason. Errors: stop.unknown_reason (404).$$;

create function private.with_reason_of_repair(p_stop public.stops)
returns public.stops language plpgsql stable set search_path = '' as $$
declare
  v_repair public.repairs;
begin
  select r.* into v_repair from public.stop_repairs l join public.repairs r on r.id = l.repair_id
   where l.stop_id = p_stop.id and r.is_failure order by r.id limit 1;
  p_stop.reason := null; p_stop.time_class := null; p_stop.is_failure := false; p_stop.classified_by := null; p_stop.classified_at := null;
  p_stop.reason_repair_id := null;
  if v_repair.id is not null then
    p_stop := private.with_reason(p_stop, 'breakdown', v_repair.reported_by);
    p_stop.reason_repair_id := v_repair.id;
  end if;
  return p_stop;
end $$;
comment on function private.with_reason_of_repair is 'The stop as it is without a word of a person: broken down while one of its repairs says so, else not classified.';

create function private.keep_reason(p_stop public.stops)
returns public.stops language plpgsql set search_path = '' as $$
declare
  v_stop public.stops;
begin
  update public.stops s
     set reason = p_stop.reason, time_class = p_stop.time_class, is_failure = p_stop.is_failure, reason_repair_id = p_stop.reason_repair_id,
         classified_by = p_stop.classified_by, classified_at = p_stop.classified_at, comment = p_stop.comment, source = p_stop.source
   where s.id = p_stop.id returning s.* into v_stop;
  return v_stop;
end $$;
comment on function private.keep_reason is 'Writes why a stop was, and who says so.';

create function private.insert_stop(p_stop public.stops)
returns public.stops language plpgsql set search_path = '' as $$
declare
  v_other public.stops;
  v_stop public.stops;
begin
  select s.* into v_other from public.stops s where s.machine = p_stop.machine and s.during && p_stop.during order by lower(s.during) limit 1;
  if v_other.id is not null then
    perform private.fail(409, 'stop.overlap', 'There is a stop at this time already. Change that one, or split it.',
      jsonb_build_object('stop', v_other.id, 'from', lower(v_other.during), 'to', upper(v_other.during), 'reason', v_other.reason));
  end if;
  insert into public.stops (machine, site, during, source, reason, time_class, is_failure, reason_repair_id, comment, split_of, started_by, ended_by, classified_by, classified_at,
    answered_by, answered_at)
  values (p_stop.machine, p_stop.site, p_stop.during, p_stop.source, p_stop.reason, p_stop.time_class, coalesce(p_stop.is_failure, false),
    p_stop.reason_repair_id, p_stop.comment, p_stop.split_of, p_stop.started_by, p_stop.ended_by, p_stop.classified_by, p_stop.classified_at, p_stop.answered_by, p_stop.answered_at)
  returning * into v_stop;
  return v_stop;
end $$;
comment on function private.insert_stop is 'A new stop of a locked machine. Errors: stop.overlap (409) with the stop that is in the way.';

create function private.tg_stops__dirty()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.touch_shifts(new.machine, case when tg_op = 'UPDATE' then range_merge(old.during, new.during) else new.during end);
  return null;
end $$;
create trigger _500_dirty after insert or update on public.stops for each row execute function private.tg_stops__dirty();

create function private.tg_planned_stops__dirty()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.touch_shifts(new.machine, case when tg_op = 'UPDATE' then range_merge(old.during, new.during) else new.during end);
  return null;
end $$;
create trigger _500_dirty after insert or update on public.planned_stops for each row execute function private.tg_planned_stops__dirty();

create function private.tg_machine_state_events__stops()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_stop public.stops;
  v_row record;
begin
  -- Against a stop that is classified and a shift that is kept at this moment: whoever does that holds the machine alone.
  perform 1 from public.machines m where m.code in (select n.machine from added n) order by m.code for share;
  for v_stop in
    update public.stops s set during = tstzrange(lower(s.during), r.at)
      from (select t.id, min(n.at) as at from added n join public.stops t on t.machine = n.machine and t.source = 'signal' and t.during @> n.at and lower(t.during) < n.at
             where n.state in ('running', 'setup') group by 1) r
     where s.id = r.id returning s.*
  loop
    perform private.emit_stop(v_stop, 'stop.ended', null);
  end loop;
  for v_row in select n.machine, min(n.at) as first_at, max(n.at) as last_at from added n group by 1 order by 1 loop
    perform private.touch_shifts(v_row.machine, private.between_signals(v_row.machine, v_row.first_at, v_row.last_at));
  end loop;
  return null;
end $$;
comment on function private.tg_machine_state_events__stops is
  'A stop that the machine showed ends when the machine runs; late states shorten it. They make the figures of closed shifts dirty.';
create trigger _500_stops after insert on public.machine_state_events referencing new table as added
  for each statement execute function private.tg_machine_state_events__stops();

-- Repairs open, join and end stops -------------------------------------------------------------------------------------

create function private.stop_for_repair(p_repair public.repairs, p_at timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_stop public.stops;
  v_shown private.stretch := private.stop_around(p_repair.machine, p_at, now());
  v_from timestamptz := greatest(least(p_at, case when v_shown.starts_at > '-infinity' then v_shown.starts_at end),
    (select max(upper(s.during)) from public.stops s where s.machine = p_repair.machine and s.during && tstzrange(p_at, null) and not upper_inf(s.during)));
begin
  for v_stop in select s.* from public.stops s where s.machine = p_repair.machine and s.during && tstzrange(p_at, null) order by lower(s.during) loop
    insert into public.stop_repairs (stop_id, repair_id) values (v_stop.id, p_repair.id) on conflict on constraint stop_repairs_pkey do nothing;
    if v_stop.reason is null then
      v_stop := private.with_reason_of_repair(v_stop);
      v_stop.source := case when exists (select from public.stop_repairs l where l.stop_id = v_stop.id and l.repair_id = p_repair.id and l.is_opener)
        then 'repair' else v_stop.source end;   -- it had opened this stop, and somebody had said that the machine ran
      perform private.keep_reason(v_stop);
    end if;
  end loop;
  if exists (select from public.stops s where s.machine = p_repair.machine and upper_inf(s.during)) then
    return;
  end if;
  v_stop := null; v_stop.machine := p_repair.machine; v_stop.site := p_repair.site; v_stop.source := 'repair';
  v_stop.during := private.free_stretch(p_repair.machine, tstzrange(coalesce(v_from, p_at), null), greatest(v_from, p_at));
  v_stop.started_by := p_repair.reported_by;
  v_stop := private.with_reason(v_stop, 'breakdown', p_repair.reported_by);
  v_stop.reason_repair_id := p_repair.id;
  v_stop := private.insert_stop(v_stop);
  insert into public.stop_repairs (stop_id, repair_id, is_opener) values (v_stop.id, p_repair.id, true);
  perform private.emit_stop(v_stop, 'stop.started', p_repair.reported_by, jsonb_build_object('repair', p_repair.id));
end $$;
comment on function private.stop_for_repair is
  'The machine cannot run because of this repair: joins the stops since then, and opens one when none is open. The machine is locked.';

create function private.end_stops_of(p_repair public.repairs, p_at timestamptz, p_only_opened boolean)
returns void language plpgsql set search_path = '' as $$
declare
  v_stop public.stops;
begin
  for v_stop in
    update public.stops s set during = tstzrange(lower(s.during), greatest(p_at, lower(s.during) + interval '1 microsecond')), ended_by = p_repair.closed_by
      from public.stop_repairs l where l.stop_id = s.id and l.repair_id = p_repair.id and upper_inf(s.during) and (l.is_opener or not p_only_opened)
       and not exists (select from public.stop_repairs o join public.repairs r on r.id = o.repair_id
         where o.stop_id = s.id and r.id <> p_repair.id and r.is_open and r.is_down and r.type = 'unscheduled')
    returning s.*
  loop
    perform private.emit_stop(v_stop, 'stop.ended', p_repair.closed_by, jsonb_build_object('repair', p_repair.id));
  end loop;
end $$;

create function private.forget_failure(p_repair public.repairs)
returns void language plpgsql set search_path = '' as $$
declare
  v_stop public.stops;
begin
  for v_stop in
    select s.* from public.stop_repairs l join public.stops s on s.id = l.stop_id where l.repair_id = p_repair.id order by lower(s.during)
  loop
    if v_stop.reason_repair_id = p_repair.id then
      v_stop := private.with_reason_of_repair(v_stop);
      v_stop.source := case when v_stop.reason is null and v_stop.source = 'repair' then 'signal' else v_stop.source end;
      v_stop := private.keep_reason(v_stop);
      -- Who says so now keeps the stop open, and ends it.
      update public.stop_repairs l set is_opener = true where l.stop_id = v_stop.id and l.repair_id = v_stop.reason_repair_id and v_stop.source = 'repair';
      perform private.emit_stop(v_stop, 'stop.classified', null, jsonb_build_object('before', 'breakdown', 'repair', p_repair.id));
    end if;
  end loop;
  perform private.end_stops_of(p_repair, now(), true);
end $$;
comment on function private.forget_failure is
$$A repair was no failure after all: what it said about stops is no longer said, unless another repair says the same, or a person did. A stop that only
this repair knew of holds only where the machine itself says that it stood.$$;

create function private.plan_for_repair(p_repair public.repairs)
returns void language plpgsql set search_path = '' as $$
declare
  v_is_worked_on boolean := p_repair.status in ('in_repair', 'waiting');
  v_before timestamptz := (select max(upper(p.during)) from public.planned_stops p where p.repair_id = p_repair.id);
begin
  if v_is_worked_on and p_repair.is_down then
    insert into public.planned_stops (machine, site, time_class, during, repair_id)
    values (p_repair.machine, p_repair.site, 'planned_maintenance',
      tstzrange(case when v_before is null then p_repair.started_at else greatest(v_before, p_repair.status_since) end, null), p_repair.id)
    on conflict (repair_id) where repair_id is not null and upper_inf(during) do nothing;
  else
    update public.planned_stops p
       set during = tstzrange(lower(p.during), greatest(case when v_is_worked_on then now() else coalesce(p_repair.repaired_at, p_repair.status_since) end,
         lower(p.during) + interval '1 microsecond'))
     where p.repair_id = p_repair.id and upper_inf(p.during);
  end if;
end $$;
comment on function private.plan_for_repair is
$$Work by plan is a planned stop while it is done; opened again, another one from then: in between it produced. It ends at once when the machine need not
stand for it after all.$$;

create function private.tg_repairs__stops()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if new.type = 'scheduled' then
    if new.started_at is not null then
      perform private.plan_for_repair(new);
    end if;
  elsif new.is_open and new.is_down and new.status <> 'verified' and (tg_op = 'INSERT' or not old.is_open
      or not old.is_down and new.reports = old.reports) then   -- a report that made it worse says itself since when
    perform private.stop_for_repair(new, case when tg_op = 'UPDATE' and not old.is_open then new.status_since else new.occurred_at end);
  elsif tg_op = 'UPDATE' and old.is_failure and not new.is_failure then
    perform private.forget_failure(new);
  elsif tg_op = 'UPDATE' and old.is_open and new.status = 'closed' and new.is_down and new.runs_again is not false then
    perform private.end_stops_of(new, new.closed_at, false);
  end if;
  return null;
end $$;
comment on function private.tg_repairs__stops is
$$A repair that keeps a machine down opens a stop or joins those that are there; closing it ends the stop unless the machine still stands, and when it was
no failure after all, what it said is taken back. Work by plan is a planned stop while it is done.$$;
create trigger _500_stops after insert or update on public.repairs for each row execute function private.tg_repairs__stops();

create function private.tg_repair_reports__stops()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_repair public.repairs;
begin
  select r.* into v_repair from public.repairs r where r.id = new.repair_id and r.type = 'unscheduled' and r.is_open and r.is_down and r.status <> 'verified';
  if v_repair.id is not null then
    perform private.stop_for_repair(v_repair, greatest(new.occurred_at, (   -- when its last stop ended, it ran
      select max(upper(s.during)) from public.stop_repairs l join public.stops s on s.id = l.stop_id where l.repair_id = v_repair.id)));
  end if;
  return null;
end $$;
comment on function private.tg_repair_reports__stops is
  'Who reports that a machine stands is heard also where a repair was open already: it stands since this report says, unless a stop is open.';
create trigger _500_stops after insert on public.repair_reports for each row when (new.is_down) execute function private.tg_repair_reports__stops();

-- sql/M14_kpi/api_ingest.sql

-- States and counts come in ------------------------------------------------------------------------------------------

create type public.ingest_answer as (accepted integer, duplicates integer, refused jsonb);
comment on type public.ingest_answer is
$$How many rows are new, how many were there before, and which can never be taken: [{n, code, is_quarantined}], n from 1. Refused rows do not keep the
others back; is_quarantined: the clock is wrong, and the row lies in quarantined_events.$$;

create type private.state_row as (n bigint, machine text, at timestamptz, seq bigint, state text, problem text);

create type private.refused_row as (n bigint, machine text, at timestamptz, problem text);

create function private.quarantine(p_kind text, p_rows private.refused_row[], p_events jsonb, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_aside bigint[] := array(select r.n from unnest(p_rows) r where r.problem in ('machine.time', 'machine.too_old') and isfinite(r.at));
  v_told record;
begin
  if v_aside <> '{}' then
    for v_told in with added as (
      insert into public.quarantined_events (machine, site, kind, code, event, actor_id)
      select m.code, m.site, p_kind, r.problem, e.item, nullif(p_actor, '00000000-0000-0000-0000-000000000000')
        from unnest(p_rows) r join public.machines m on m.code = r.machine
        join jsonb_array_elements(p_events) with ordinality as e (item, n) on e.n = r.n where r.n = any (v_aside) order by m.code, r.n
      on conflict do nothing returning machine, site, code)
      select a.machine, a.site, count(*) as rows, to_jsonb(array_agg(distinct a.code)) as codes from added a group by 1, 2 order by 1
    loop
      perform private.emit('machine', v_told.machine, 'machine.quarantined', p_actor,
        jsonb_build_object('machine', v_told.machine, 'kind', p_kind, 'rows', v_told.rows, 'codes', v_told.codes), null, v_told.site);
    end loop;
  end if;
  return (select coalesce(jsonb_agg(jsonb_build_object('n', r.n, 'code', r.problem)
      || case when r.n = any (v_aside) then '{"is_quarantined": true}'::jsonb else '{}' end order by r.n), '[]') from unnest(p_rows) r);
end $$;
comment on function private.quarantine is
$$What a batch cannot take, as the answer tells it. Rows whose clock is wrong are set aside once, as they came, and one event per machine says so.$$;

create function private.read_states(p_events jsonb)
returns setof private.state_row language plpgsql stable set search_path = '' as $$
begin
  if jsonb_array_length(p_events) > 50000 then
    perform private.fail(422, 'machine.too_many', 'Send at most 50,000 states at once.', jsonb_build_object('field', 'p_events', 'actual', jsonb_array_length(p_events)));
  end if;
  return query
    select g.n, m.code, g.at, g.seq, g.state, case when m.code is null then 'machine.unknown'
        when p.code is not null then p.code
        when g.state is null or g.state not in ('running', 'setup', 'idle', 'stopped', 'fault', 'starved', 'blocked', 'maintenance', 'off') then 'machine.state' end
      from (select e.n, e.item ->> 'machine' as machine, coalesce((e.item ->> 'at')::timestamptz, now()) as at, coalesce((e.item ->> 'seq')::bigint, 0) as seq,
              e.item ->> 'state' as state from jsonb_array_elements(p_events) with ordinality as e (item, n)) g
      left join public.machines m on m.code = g.machine
      left join (select si.code as site, private.oldest_fact(si.code) as oldest from public.sites si offset 0) l on l.site = m.site
     cross join lateral (select private.clock_problem(g.at, l.oldest) as code offset 0) p;
exception when invalid_text_representation or invalid_datetime_format or datetime_field_overflow or invalid_parameter_value or numeric_value_out_of_range then
  perform private.fail(400, 'machine.malformed', 'States are a list of {machine, at, state, seq}.', jsonb_build_object('field', 'p_events'));
end $$;

create function private.current_state(p_machine text)
returns text language plpgsql stable set search_path = '' as $$
begin
  return (select e.state from public.machine_state_events e where e.machine = p_machine order by e.at desc, e.seq desc, e.state desc limit 1);
end $$;
comment on function private.current_state is 'What the machine said last, however long ago.';

create function private.authorize_machines(p_permission text, p_machines text[])
returns uuid language plpgsql stable set search_path = '' as $$
declare
  v_actor uuid := private.authorize(p_permission);
begin
  perform private.authorize(p_permission, null, s.site) from (select distinct m.site from public.machines m where m.code = any (p_machines)) s;
  return v_actor;
end $$;
comment on function private.authorize_machines is 'The guard of commands on several machines: permitted, and at the site of each.';

create function private.add_states(p_states private.state_row[], p_source text, p_actor uuid)
returns integer language plpgsql set search_path = '' as $$
declare
  v_before jsonb := (select jsonb_object_agg(m.code, private.current_state(m.code)) from (select distinct s.machine as code from unnest(p_states) s) m);
  v_added integer;
begin
  insert into public.machine_state_events (machine, at, seq, state, source, actor_id)
  select s.machine, s.at, s.seq, s.state, p_source, nullif(p_actor, '00000000-0000-0000-0000-000000000000')
    from unnest(p_states) s order by s.machine, s.at, s.seq
  on conflict on constraint machine_state_events_pkey do nothing;
  get diagnostics v_added = row_count;
  perform private.emit('machine', m.code, 'machine.state', p_actor, jsonb_build_object('machine', m.code, 'state', c.state, 'before', b.value), null, m.site)
    from jsonb_each_text(coalesce(v_before, '{}')) b join public.machines m on m.code = b.key
   cross join lateral (select private.current_state(m.code) as state) c where c.state is distinct from b.value order by m.code;
  return v_added;
end $$;
comment on function private.add_states is 'Adds states once and says what changed now: one event per machine whose last state is another.';

create function public.record_machine_state(
  p_machine text, p_state text, p_at timestamptz default null, p_seq bigint default 0, p_request_id uuid default null)
returns public.ingest_answer language plpgsql security definer set search_path = '' as $$
declare
  v_site text := (select m.site from public.machines m where m.code = p_machine);
  v_actor uuid := private.authorize('machines.report', null, v_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'record_machine_state', jsonb_build_array(p_machine, p_state, p_at, p_seq));
  v_row private.state_row := row(1, p_machine, coalesce(p_at, now()), coalesce(p_seq, 0), p_state, null)::private.state_row;
  v_change public.ingest_answer;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.ingest_answer, v_answer);
  end if;
  perform private.find_machine(p_machine);
  v_row.problem := private.clock_problem(v_row.at, private.oldest_fact(v_site));
  if v_row.problem = 'machine.time' then
    perform private.fail(422, 'machine.time', 'That is in the future. Check the clock of the machine.', jsonb_build_object('field', 'p_at', 'actual', v_row.at));
  elsif v_row.problem = 'machine.too_old' then
    perform private.fail(422, 'machine.too_old', 'That is too long ago. Check the clock of the machine.', jsonb_build_object('field', 'p_at', 'actual', v_row.at));
  elsif p_state is null or p_state not in ('running', 'setup', 'idle', 'stopped', 'fault', 'starved', 'blocked', 'maintenance', 'off') then
    perform private.fail(422, 'machine.state', 'A machine is running, setup, idle, stopped, fault, starved, blocked, maintenance or off.',
      jsonb_build_object('field', 'p_state', 'actual', p_state));
  end if;
  v_change.accepted := private.add_states(array[v_row], case when (private.identify()).role like 'device.%' or (private.identify()).role = 'service'
    then 'signal' else 'person' end, v_actor);
  v_change.duplicates := 1 - v_change.accepted; v_change.refused := '[]';
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.record_machine_state is
$$A machine does something else now, or since p_at: running, setup, idle, stopped, fault, starved, blocked, maintenance, off. What a device says has to be
said again within the silence threshold of the machine; what a person says holds until the next word. Of equal times the higher p_seq holds.
Permission: machines.report at the site of the machine.
Errors: machine.unknown (404), machine.state (422), machine.time (422), machine.too_old (422), request.reused (422).
Idempotency: by p_request_id; the same state at the same time again is a duplicate.
Locks: the machine, shared.$$;

create function public.record_machine_states(p_events jsonb, p_request_id uuid default null)
returns public.ingest_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('machines.report');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'record_machine_states', p_events);
  v_rows private.state_row[];
  v_change public.ingest_answer;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.ingest_answer, v_answer);
  end if;
  v_rows := array(select s from private.read_states(p_events) s);
  perform private.authorize_machines('machines.report', array(select distinct s.machine from unnest(v_rows) s));
  v_change.refused := private.quarantine('state', array(select row(s.n, s.machine, s.at, s.problem)::private.refused_row
    from unnest(v_rows) s where s.problem is not null), p_events, v_actor);
  v_rows := array(select s from unnest(v_rows) s where s.problem is null);
  v_change.accepted := private.add_states(v_rows, case when (private.identify()).role like 'device.%' or (private.identify()).role = 'service'
    then 'signal' else 'person' end, v_actor);
  v_change.duplicates := cardinality(v_rows) - v_change.accepted;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.record_machine_states is
$$Many states at once, in any order, also late: p_events [{machine, at, state, seq}], at most 50,000. What was there before is a duplicate; figures
correct themselves. Refused rows say machine.unknown, machine.time, machine.too_old, machine.state.
Permission: machines.report at the site of each machine.
Errors: machine.malformed (400), auth.other_site (403), machine.too_many (422), request.reused (422).
Idempotency: by p_request_id, and each row by machine, time, seq and state.
Locks: the machines, shared.$$;

create function public.record_counts(p_counts jsonb, p_request_id uuid default null)
returns public.ingest_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('machines.report');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'record_counts', p_counts);
  v_rows private.count_row[];
  v_machines text[];
  v_change public.ingest_answer;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.ingest_answer, v_answer);
  end if;
  v_rows := array(select c from private.read_counts(p_counts) c);
  v_machines := array(select distinct c.machine from unnest(v_rows) c where c.machine is not null order by 1);
  perform private.authorize_machines('machines.report', v_machines);
  v_change.refused := private.quarantine('count', array(select row(c.n, c.machine, c.at, c.problem)::private.refused_row
    from unnest(v_rows) c where c.problem is not null), p_counts, v_actor);
  v_rows := array(select c from unnest(v_rows) c where c.problem is null);
  v_change.accepted := private.add_counts(v_rows, v_actor);
  v_change.duplicates := greatest(cardinality(v_rows) - v_change.accepted, 0);
  if v_change.accepted > 0 then   -- figures move; there is no row of history to it, the counts themselves are that
    perform private.broadcast('site:' || m.site || ':machine', 'machine.counted', jsonb_build_object('stream', 'machine', 'stream_id', m.code))
      from public.machines m where m.code = any (v_machines);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.record_counts is
$$Pieces that came out: p_counts [{machine, key, at, good, scrap, rework, sku, order, reason, from, reverses}], at most 50,000. key names the count
within the machine, so that a repeat does nothing. Each piece once: good at the first go, scrap, or rework. from: made between from and at (at most
31 days), laid over the hours in which the machine ran. reverses: takes back the count with that key, which may be in the same batch, at its time.
The ideal cycle in force is written onto each row.
Permission: machines.report at the site of each machine.
Errors: count.malformed (400), auth.other_site (403), count.too_many (422), request.reused (422); refused rows say machine.unknown, machine.time, machine.too_old, count.key, count.quantity, count.unknown, item.unknown, production.unknown, quality.reason.
Idempotency: by p_request_id, and each row by its key.
Locks: the machines, shared, then their counters.$$;

grant execute on function public.record_machine_state, public.record_machine_states, public.record_counts to authenticated, service_role;

-- sql/M14_kpi/api_stops.sql

-- Stops: begin, end, split, say why ----------------------------------------------------------------------------------

create type public.stop_change as (changed boolean, event_id bigint, stop public.stops);
comment on type public.stop_change is 'Answer of a command on a stop: did it change anything, its event, the stop now.';

create type private.stop_command as (actor uuid, request_id uuid, answer jsonb, machine public.machines, stop public.stops);

create function private.begin_stop(p_permission text, p_machine text, p_stop_id bigint, p_version integer, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.stop_command language plpgsql set search_path = '' as $$
declare
  v_command private.stop_command;
  v_code text := coalesce((select s.machine from public.stops s where s.id = p_stop_id), p_machine);
begin
  v_command.actor := private.authorize(p_permission, null, (select m.site from public.machines m where m.code = v_code));
  v_command.request_id := p_request_id;
  if p_stop_id is not null and v_code is null or p_stop_id is not null and not exists (select from public.stops s where s.id = p_stop_id) then
    perform private.fail(404, 'stop.unknown', 'There is no such stop.', jsonb_build_object('id', p_stop_id));
  end if;
  perform private.find_machine(v_code);
  v_command.answer := private.replay(v_command.actor, p_request_id, p_rpc, p_args);
  if v_command.answer is null then
    v_command.machine := private.lock_machine(v_code);
    select s into v_command.stop from public.stops s where s.id = p_stop_id for update;
    if p_version is not null and (v_command.stop).id is not null and (v_command.stop).version <> p_version then
      perform private.fail(409, 'stop.changed', 'Somebody else changed this stop. Look again.',
        jsonb_build_object('expected', p_version, 'actual', (v_command.stop).version, 'reason', (v_command.stop).reason));
    end if;
  end if;
  return v_command;
end $$;
comment on function private.begin_stop is
$$Guard, replay and lock for a command on a stop, by its id or its machine. Errors: stop.unknown (404), machine.unknown (404), stop.changed (409) when
p_version is not the one it has, request.reused (422). Locks: the machine, then the stop.$$;

create function private.finish_stop(p_command private.stop_command, p_stop_id bigint, p_event text, p_more jsonb default '{}')
returns public.stop_change language plpgsql set search_path = '' as $$
declare
  v_change public.stop_change;
begin
  if p_command.answer is not null then
    return jsonb_populate_record(null::public.stop_change, p_command.answer);
  end if;
  v_change.changed := p_event is not null;
  v_change.stop := (select s from public.stops s where s.id = p_stop_id);
  if p_event is not null then
    v_change.event_id := private.emit_stop(v_change.stop, p_event, p_command.actor, p_more);
  end if;
  perform private.remember(p_command.actor, p_command.request_id, to_jsonb(v_change));
  return v_change;
end $$;

create function private.check_stop_times(p_from timestamptz, p_to timestamptz)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_to <= p_from then
    perform private.fail(422, 'stop.ends_before', 'It would end before it began. Are the times swapped?', jsonb_build_object('from', p_from, 'to', p_to));
  elsif greatest(p_from, p_to) > now() + interval '1 minute' then
    perform private.fail(422, 'machine.time', 'That is in the future.', jsonb_build_object('from', p_from, 'to', p_to));
  end if;
end $$;

create function private.say_why(p_command private.stop_command, p_old public.stops, p_new public.stops, p_comment text, p_is_seen boolean)
returns public.stop_change language plpgsql set search_path = '' as $$
begin
  if not p_is_seen and (p_old.reason is not null and p_new.reason is distinct from p_old.reason or p_comment <> p_old.comment) then
    perform private.fail(409, 'stop.changed', 'Somebody has said already why it stood. Look again.',
      jsonb_build_object('stop', p_old.id, 'actual', p_old.version, 'reason', p_old.reason, 'comment', p_old.comment));
  elsif (p_old.reason, p_old.time_class, p_old.reason_repair_id) is not distinct from (p_new.reason, p_new.time_class, p_new.reason_repair_id)
      and (p_comment is null or p_comment is not distinct from p_old.comment) then
    return private.finish_stop(p_command, p_old.id, null);
  end if;
  p_new.comment := coalesce(p_comment, p_old.comment);
  perform private.keep_reason(p_new);
  return private.finish_stop(p_command, p_old.id, 'stop.classified', jsonb_strip_nulls(jsonb_build_object('before', p_old.reason)));
end $$;
comment on function private.say_why is
$$What a person says about a stop: its reason as in p_new, and a comment. Who has not seen what was said before (p_is_seen false) adds to it, and changes
nothing of it. Errors: stop.changed (409).$$;

create function public.start_stop(
  p_machine text, p_reason text default null, p_at timestamptz default null, p_ended_at timestamptz default null, p_comment text default null,
  p_request_id uuid default null)
returns public.stop_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.stop_command := private.begin_stop('stops.report', p_machine, null, null, p_request_id, 'start_stop',
    jsonb_build_array(p_machine, p_reason, p_at, p_ended_at, p_comment));
  v_stop public.stops;
begin
  if v_command.answer is not null then
    return private.finish_stop(v_command, null, null);
  end if;
  perform private.check_length('p_comment', p_comment, 2000);
  perform private.check_stop_times(coalesce(p_at, now()), p_ended_at);
  select s.* into v_stop from public.stops s where s.machine = p_machine and upper_inf(s.during) and lower(s.during) <= coalesce(p_at, now());
  if v_stop.id is not null and p_ended_at is null then   -- it stands already
    return private.say_why(v_command, v_stop, private.with_reason_given(v_stop, p_reason, v_command.actor), p_comment, false);
  end if;
  v_stop := null;
  v_stop.machine := p_machine; v_stop.site := (v_command.machine).site; v_stop.source := 'person'; v_stop.comment := p_comment;
  v_stop.during := tstzrange(coalesce(p_at, now()), p_ended_at);
  v_stop.started_by := nullif(v_command.actor, '00000000-0000-0000-0000-000000000000');
  v_stop.ended_by := case when p_ended_at is not null then v_stop.started_by end;
  v_stop := private.insert_stop(private.with_reason_given(v_stop, p_reason, v_command.actor));
  return private.finish_stop(v_command, v_stop.id, 'stop.started');
end $$;
comment on function public.start_stop is
$$A machine stands, now or since p_at; with p_ended_at for a stop that is over. It holds whatever the machine itself says. p_reason a code of
stop_reasons, or later by classify_stop. While a stop is open, starting it again says why it stands, where nobody has said so yet.
Permission: stops.report at the site of the machine; of who may not plan stops a planned reason is a request.
Errors: machine.unknown (404), stop.unknown_reason (404), stop.overlap (409) with the stop that is in the way, stop.changed (409) when an open stop has another reason or comment, stop.ends_before (422), machine.time (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; while a stop is open, the same again answers changed = false.
Locks: the machine.$$;

create function public.end_stop(p_machine text default null, p_stop_id bigint default null, p_at timestamptz default null, p_request_id uuid default null)
returns public.stop_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.stop_command := private.begin_stop('stops.report', p_machine, p_stop_id, null, p_request_id, 'end_stop', jsonb_build_array(p_machine, p_stop_id, p_at));
  v_stop public.stops := v_command.stop;
begin
  if v_command.answer is not null then
    return private.finish_stop(v_command, null, null);
  elsif p_stop_id is null then
    select s.* into v_stop from public.stops s where s.machine = p_machine order by upper_inf(s.during) desc, lower(s.during) desc limit 1;
    if v_stop.id is null then
      perform private.fail(404, 'stop.none', 'This machine has no stop.', jsonb_build_object('machine', p_machine));
    end if;
  end if;
  if not upper_inf(v_stop.during) then
    return private.finish_stop(v_command, v_stop.id, null);
  end if;
  perform private.check_stop_times(lower(v_stop.during), coalesce(p_at, now()));
  update public.stops s set during = tstzrange(lower(s.during), coalesce(p_at, now())), ended_by = nullif(v_command.actor, '00000000-0000-0000-0000-000000000000')
   where s.id = v_stop.id;
  return private.finish_stop(v_command, v_stop.id, 'stop.ended');
end $$;
comment on function public.end_stop is
$$The open stop of a machine is over, now or at p_at; p_stop_id, or the open one of p_machine.
Permission: stops.report at the site of the machine.
Errors: machine.unknown (404), stop.unknown (404), stop.none (404), stop.ends_before (422), machine.time (422), request.reused (422).
Idempotency: by p_request_id; a stop that is over answers changed = false.
Locks: the machine, then the stop.$$;

create function private.shown_stop(p_command private.stop_command, p_at timestamptz)
returns public.stops language plpgsql set search_path = '' as $$
declare
  v_machine public.machines := p_command.machine;
  v_shown private.stretch;
  v_stop public.stops;
begin
  select s.* into v_stop from public.stops s where s.machine = v_machine.code and s.during @> p_at;
  if v_stop.id is not null then
    return v_stop;
  end if;
  v_shown := private.stop_around(v_machine.code, p_at, now());
  if v_shown.starts_at is null or v_shown.starts_at = '-infinity' then
    perform private.fail(409, 'stop.none_then', 'The machine did not stand at this time, as far as it says.', jsonb_build_object('machine', v_machine.code, 'at', p_at));
  end if;
  v_stop.machine := v_machine.code; v_stop.site := v_machine.site; v_stop.source := 'signal';
  v_stop.during := private.free_stretch(v_machine.code, tstzrange(v_shown.starts_at, v_shown.ends_at), p_at);
  return private.insert_stop(v_stop);
end $$;
comment on function private.shown_stop is 'The stop of a machine at an instant; a new row for one that so far only its states show. Errors: stop.none_then (409).';

create function public.classify_stop(
  p_reason text, p_stop_id bigint default null, p_machine text default null, p_at timestamptz default null, p_comment text default null,
  p_version integer default null, p_request_id uuid default null)
returns public.stop_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.stop_command := private.begin_stop('stops.report', p_machine, p_stop_id, p_version, p_request_id, 'classify_stop',
    jsonb_build_array(p_reason, p_stop_id, p_machine, p_at, p_comment, p_version));
  v_old public.stops;
  v_new public.stops;
begin
  if v_command.answer is not null then
    return private.finish_stop(v_command, null, null);
  end if;
  perform private.check_length('p_comment', p_comment, 2000);
  v_old := case when p_stop_id is null then private.shown_stop(v_command, coalesce(p_at, now())) else v_command.stop end;
  v_new := case when p_reason is null then private.with_reason_of_repair(v_old) else private.with_reason_given(v_old, p_reason, v_command.actor) end;
  return private.say_why(v_command, v_old, v_new, p_comment, p_stop_id is not null or p_version is not distinct from v_old.version);
end $$;
comment on function public.classify_stop is
$$Say why a machine stood: p_stop_id, or the stop of p_machine at p_at (now). A stop that so far only its states show becomes a row. p_version: the
version that was seen, so that nobody overwrites another one; without p_stop_id what was said already is changed only with it. p_reason null takes a
reason away again: a repair that knows of the stop then says why, else nobody. The class that the reason has now stays with the stop.
Permission: stops.report at the site of the machine; of who may not plan stops a planned reason is a request.
Errors: machine.unknown (404), stop.unknown (404), stop.unknown_reason (404), stop.none_then (409), stop.changed (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; the same reason again answers changed = false.
Locks: the machine, then the stop.$$;

create function public.split_stop(
  p_at timestamptz, p_stop_id bigint default null, p_machine text default null, p_reason text default null, p_version integer default null,
  p_request_id uuid default null)
returns public.stop_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.stop_command := private.begin_stop('stops.report', p_machine, p_stop_id, p_version, p_request_id, 'split_stop',
    jsonb_build_array(p_at, p_stop_id, p_machine, p_reason, p_version));
  v_old public.stops;
  v_new public.stops;
begin
  if v_command.answer is not null then
    return private.finish_stop(v_command, null, null);
  end if;
  perform private.check_stop_times(p_at, null);
  v_old := case when p_stop_id is null then private.shown_stop(v_command, p_at) else v_command.stop end;
  select s.* into v_new from public.stops s where s.machine = v_old.machine and lower(s.during) = p_at and s.split_of is not null and v_old.id in (s.id, s.split_of);
  if v_new.id is not null then
    return private.finish_stop(v_command, v_new.id, null);   -- it is cut there already
  elsif (v_old.during @> p_at and lower(v_old.during) < p_at) is not true then
    perform private.fail(422, 'stop.split_outside', 'A stop is split between its beginning and its end.',
      jsonb_build_object('at', p_at, 'from', lower(v_old.during), 'to', upper(v_old.during)));
  end if;
  update public.stops s set during = tstzrange(lower(s.during), p_at) where s.id = v_old.id;
  v_new := v_old; v_new.during := tstzrange(p_at, upper(v_old.during)); v_new.split_of := v_old.id;
  v_new := private.insert_stop(private.with_reason_given(v_new, p_reason, v_command.actor));
  insert into public.stop_repairs (stop_id, repair_id, is_opener) select v_new.id, l.repair_id, l.is_opener from public.stop_repairs l where l.stop_id = v_old.id;
  return private.finish_stop(v_command, v_new.id, 'stop.split', jsonb_build_object('split_of', v_old.id));
end $$;
comment on function public.split_stop is
$$One stop was two: from p_at on it is another one, with p_reason (else the same reason). Both keep their repairs. Answers the second one.
Permission: stops.report at the site of the machine; of who may not plan stops a planned reason is a request.
Errors: machine.unknown (404), stop.unknown (404), stop.unknown_reason (404), stop.none_then (409), stop.changed (409), stop.split_outside (422), machine.time (422), request.reused (422).
Idempotency: by p_request_id; a stop that is cut there already, named by either half, answers changed = false.
Locks: the machine, then the stop.$$;

grant execute on function public.start_stop, public.end_stop, public.classify_stop, public.split_stop to authenticated, service_role;

-- sql/M14_kpi/api_calendar.sql

-- Shifts, exceptions, planned stops, reasons, policies and ideal cycles -------------------------------------------------

create function private.find_work_centre(p_work_centre text)
returns public.work_centres language plpgsql stable set search_path = '' as $$
declare
  v_centre public.work_centres := (select w from public.work_centres w where w.code = p_work_centre);
begin
  if v_centre.code is null then
    perform private.fail(404, 'work_centre.unknown', 'There is no work centre ' || coalesce(p_work_centre, '') || '.', jsonb_build_object('work_centre', p_work_centre));
  end if;
  return v_centre;
end $$;

create function public.save_shift_pattern(
  p_work_centre text, p_valid_from date, p_shifts jsonb, p_note text default null, p_request_id uuid default null)
returns public.shift_patterns language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('kpi.plan', null, (select w.site from public.work_centres w where w.code = p_work_centre));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_shift_pattern', jsonb_build_array(p_work_centre, p_valid_from, p_shifts, p_note));
  v_centre public.work_centres := private.find_work_centre(p_work_centre);
  v_pattern public.shift_patterns;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.shift_patterns, v_answer);
  elsif p_valid_from not between current_date - 400 and current_date + 400 then
    perform private.fail(422, 'calendar.day', 'A pattern begins at most 400 days from today.', jsonb_build_object('field', 'p_valid_from', 'actual', p_valid_from));
  end if;
  perform private.check_shifts(p_shifts);
  perform private.check_week(p_shifts);
  perform 1 from public.machines m where m.work_centre = p_work_centre order by m.code for no key update;
  insert into public.shift_patterns as p (work_centre, valid_from, shifts, note, created_by)
  values (p_work_centre, p_valid_from, p_shifts, p_note, nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
  on conflict on constraint shift_patterns_valid_from_key do update set shifts = excluded.shifts, note = excluded.note
  returning p.* into v_pattern;
  perform private.check_calendar(p_work_centre, v_centre.site, p_valid_from, greatest(p_valid_from + 7,
    (select max(p.valid_from) from public.shift_patterns p where p.work_centre = p_work_centre),
    (select max(e.to_day) from public.calendar_exceptions e
      where e.site = v_centre.site and e.is_active and coalesce(e.work_centre, p_work_centre) = p_work_centre)));
  perform private.remake_shifts(m.code) from public.machines m where m.work_centre = p_work_centre and m.is_active order by m.code;
  perform private.emit('calendar', p_work_centre, 'calendar.pattern', v_actor, to_jsonb(v_pattern), null, v_centre.site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_pattern));
  return v_pattern;
end $$;
comment on function public.save_shift_pattern is
$$The weekly shifts of a work centre from p_valid_from on (a day already given is replaced). p_shifts [{shift, title, weekdays [1 = Monday … 7], starts
"22:00", ends "06:00", breaks [{title, starts, ends, time_class}]}] in wall time of the plant. Shifts that have begun stay as they are.
Permission: kpi.plan at the site of the work centre.
Errors: work_centre.unknown (404), calendar.pattern (422), calendar.overlap (422) naming both shifts, calendar.day (422), request.reused (422).
Idempotency: by p_request_id; the same again changes nothing.
Locks: the machines of the work centre.$$;

create function public.save_calendar_exception(
  p_from_day date, p_to_day date, p_reason text, p_shifts jsonb default null, p_work_centre text default null, p_site text default null,
  p_id bigint default null, p_is_active boolean default true, p_request_id uuid default null)
returns public.calendar_exceptions language plpgsql security definer set search_path = '' as $$
declare
  v_old public.calendar_exceptions := (select e from public.calendar_exceptions e where e.id = p_id);
  v_site text := coalesce(v_old.site, (select w.site from public.work_centres w where w.code = p_work_centre), private.caller_site(p_site, null));
  v_actor uuid := private.authorize('kpi.plan', null, v_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_calendar_exception',
    jsonb_build_array(p_from_day, p_to_day, p_reason, p_shifts, p_work_centre, p_site, p_id, p_is_active));
  v_new public.calendar_exceptions;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.calendar_exceptions, v_answer);
  elsif p_id is not null and v_old.id is null then
    perform private.fail(404, 'calendar.unknown', 'There is no such exception.', jsonb_build_object('id', p_id));
  elsif p_work_centre is not null then
    perform private.find_work_centre(p_work_centre);
  end if;
  perform private.check_shifts(coalesce(p_shifts, '[]'));
  perform 1 from public.machines m where m.site = v_site and (p_work_centre is null or m.work_centre = p_work_centre) order by m.code for no key update;
  if v_old.id is null then
    insert into public.calendar_exceptions (site, work_centre, from_day, to_day, shifts, reason, is_active, created_by)
    values (v_site, p_work_centre, p_from_day, p_to_day, p_shifts, p_reason, p_is_active, nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
    returning * into v_new;
  else
    update public.calendar_exceptions e set from_day = p_from_day, to_day = p_to_day, shifts = p_shifts, reason = p_reason, is_active = p_is_active
     where e.id = p_id returning e.* into v_new;
  end if;
  perform private.check_calendar(w.code, v_site, greatest(least(p_from_day, v_old.from_day), current_date - 1), greatest(p_to_day, v_old.to_day))
    from public.work_centres w where w.site = v_site and w.code = coalesce(v_new.work_centre, w.code)
      and exists (select from public.shift_patterns p where p.work_centre = w.code) order by w.code;
  perform private.remake_shifts(m.code) from public.machines m
    where m.site = v_site and m.is_active and m.work_centre is not null and (p_work_centre is null or m.work_centre = p_work_centre) order by m.code;
  perform private.emit('calendar', coalesce(p_work_centre, v_site), 'calendar.exception', v_actor, to_jsonb(v_new), null, v_site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_new));
  return v_new;
end $$;
comment on function public.save_calendar_exception is
$$Days that are not as the pattern says, of a work centre or of the whole site: p_shifts is what is worked instead, null for nothing. p_id changes one,
p_is_active false takes it back. Shifts that have begun stay as they are.
Permission: kpi.plan at the site.
Errors: calendar.unknown (404), work_centre.unknown (404), calendar.pattern (422), calendar.overlap (422), request.reused (422); constraints by name.
Idempotency: by p_request_id; the same exception again has the same effect.
Locks: the machines it concerns.$$;

create function public.plan_stop(
  p_machine text, p_from timestamptz, p_to timestamptz, p_time_class text default 'meeting', p_note text default null, p_request_id uuid default null)
returns public.planned_stops language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('kpi.plan', null, (select m.site from public.machines m where m.code = p_machine));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'plan_stop', jsonb_build_array(p_machine, p_from, p_to, p_time_class, p_note));
  v_stop public.planned_stops;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.planned_stops, v_answer);
  end if;
  perform private.find_machine(p_machine);
  if num_nulls(p_from, p_to) > 0 or p_to <= p_from or p_to > p_from + interval '31 days' then
    perform private.fail(422, 'stop.ends_before', 'It ends after it begins, within 31 days.', jsonb_build_object('from', p_from, 'to', p_to));
  elsif not exists (select from public.time_classes c where c.code = p_time_class and c.is_planned) then
    perform private.fail(422, 'stop.not_planned', 'That is nothing one plans.', jsonb_build_object('field', 'p_time_class', 'actual', p_time_class,
      'expected', array(select c.code from public.time_classes c where c.is_planned order by c.position)));
  end if;
  perform private.lock_machine(p_machine);
  insert into public.planned_stops (machine, site, time_class, during, note, created_by)
  select m.code, m.site, p_time_class, tstzrange(p_from, p_to), p_note, nullif(v_actor, '00000000-0000-0000-0000-000000000000')
    from public.machines m where m.code = p_machine returning * into v_stop;
  perform private.emit('calendar', p_machine, 'calendar.planned_stop', v_actor, to_jsonb(v_stop) || jsonb_build_object('is_late', p_from < now()), null, v_stop.site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_stop));
  return v_stop;
end $$;
comment on function public.plan_stop is
$$A machine stands by plan from p_from to p_to: p_time_class break, meeting, planned_maintenance or no_order. Also afterwards: the event says so, and
the figures of the shift are computed anew.
Permission: kpi.plan at the site of the machine.
Errors: machine.unknown (404), stop.ends_before (422), stop.not_planned (422), request.reused (422); constraints by name.
Idempotency: by p_request_id; planned twice, the time counts once.
Locks: the machine.$$;

create function public.cancel_planned_stop(p_id bigint, p_request_id uuid default null)
returns public.planned_stops language plpgsql security definer set search_path = '' as $$
declare
  v_stop public.planned_stops := (select p from public.planned_stops p where p.id = p_id);
  v_actor uuid := private.authorize('kpi.plan', null, v_stop.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'cancel_planned_stop', jsonb_build_array(p_id));
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.planned_stops, v_answer);
  elsif v_stop.id is null then
    perform private.fail(404, 'stop.unknown', 'There is no such planned stop.', jsonb_build_object('id', p_id));
  elsif v_stop.shift_id is not null then
    perform private.fail(409, 'stop.needs_overtime', 'Working through a break is overtime. Ask for overtime, then somebody approves it.',
      jsonb_build_object('id', p_id, 'from', lower(v_stop.during), 'to', upper(v_stop.during)));
  end if;
  perform private.lock_machine(v_stop.machine);
  update public.planned_stops p set is_active = false where p.id = p_id and p.is_active returning p.* into v_stop;
  if found then
    perform private.emit('calendar', v_stop.machine, 'calendar.stop_cancelled', v_actor, to_jsonb(v_stop), null, v_stop.site);
  else
    v_stop := (select p from public.planned_stops p where p.id = p_id);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_stop));
  return v_stop;
end $$;
comment on function public.cancel_planned_stop is
$$A planned stop does not take place. The break of a shift stays: who works through it asks for overtime.
Permission: kpi.plan at the site of the machine.
Errors: stop.unknown (404), stop.needs_overtime (409), request.reused (422).
Idempotency: by p_request_id; cancelled again it stays as it is.
Locks: the machine.$$;

grant execute on function public.save_shift_pattern, public.save_calendar_exception, public.plan_stop, public.cancel_planned_stop to authenticated, service_role;

-- sql/M14_kpi/api_setup.sql

-- What is set once: reasons, how a site counts time, how fast a machine can be -----------------------------------------

create function public.save_stop_reason(
  p_code text, p_title text default null, p_parent text default null, p_time_class text default null, p_is_failure boolean default null,
  p_needs_repair boolean default null, p_e10_state text default null, p_position integer default null, p_is_active boolean default null,
  p_request_id uuid default null)
returns public.stop_reasons language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('kpi.plan');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_stop_reason', jsonb_build_array(p_code, p_title, p_parent, p_time_class, p_is_failure,
    p_needs_repair, p_e10_state, p_position, p_is_active));
  v_reason public.stop_reasons;
begin
  perform private.authorize('kpi.plan', null, si.code) from public.sites si order by si.code;   -- reasons are those of the whole plant
  if v_answer is not null then
    return jsonb_populate_record(null::public.stop_reasons, v_answer);
  end if;
  if p_code = 'breakdown' and p_is_active = false then
    perform private.fail(409, 'stop.reason_needed', 'Repairs give this reason to the stops that they open. It stays in use; give it another title instead.',
      jsonb_build_object('field', 'p_is_active', 'reason', p_code));
  end if;
  insert into public.stop_reasons as r (code, title, parent, time_class, is_failure, needs_repair, e10_state, position, is_active)
  values (p_code, coalesce(p_title, p_code), p_parent, coalesce(p_time_class, 'unclassified'), coalesce(p_is_failure, false), coalesce(p_needs_repair, false),
    coalesce(p_e10_state, 'UDT'), coalesce(p_position, 0), coalesce(p_is_active, true))
  on conflict on constraint stop_reasons_pkey do update
    set title = coalesce(p_title, r.title), parent = coalesce(p_parent, r.parent), time_class = coalesce(p_time_class, r.time_class),
        is_failure = coalesce(p_is_failure, r.is_failure), needs_repair = coalesce(p_needs_repair, r.needs_repair), e10_state = coalesce(p_e10_state, r.e10_state),
        position = coalesce(p_position, r.position), is_active = coalesce(p_is_active, r.is_active)
  returning r.* into v_reason;
  perform private.emit('calendar', p_code, 'calendar.reason', v_actor, to_jsonb(v_reason));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_reason));
  return v_reason;
end $$;
comment on function public.save_stop_reason is
$$A reason for stops, added or changed (null: as it is). Stops that have it already keep the class it had.
Permission: kpi.plan at every site, as reasons are those of the whole plant.
Errors: auth.other_site (403), stop.reason_needed (409) for breakdown out of use, request.reused (422); constraints by name (stop_reasons_time_class_fkey …).
Idempotency: by p_request_id; the same values again change nothing but the version.
Locks: the reason.$$;

create function public.set_time_policy(
  p_time_class text, p_policy text, p_valid_from timestamptz default null, p_site text default null, p_request_id uuid default null)
returns public.time_class_policies language plpgsql security definer set search_path = '' as $$
declare
  v_site text := private.caller_site(p_site, null);
  v_actor uuid := private.authorize('kpi.plan', null, v_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'set_time_policy', jsonb_build_array(p_time_class, p_policy, p_valid_from, p_site));
  v_policy public.time_class_policies;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.time_class_policies, v_answer);
  end if;
  perform 1 from public.machines m where m.site = v_site order by m.code for no key update;   -- before the figures of their shifts
  insert into public.time_class_policies as p (site, time_class, valid_from, policy, created_by)
  values (v_site, p_time_class, coalesce(p_valid_from, now()), p_policy, nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
  on conflict on constraint time_class_policies_pkey do update set policy = excluded.policy, created_by = excluded.created_by
  returning p.* into v_policy;
  perform private.touch_shifts(m.code, tstzrange(v_policy.valid_from, null)) from public.machines m where m.site = v_site;
  perform private.emit('calendar', v_site, 'calendar.policy', v_actor, to_jsonb(v_policy), null, v_site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_policy));
  return v_policy;
end $$;
comment on function public.set_time_policy is
$$How a site counts a class of time: p_policy excluded, loss_availability or loss_performance, for what begins at p_valid_from (now) or later.
Permission: kpi.plan at the site.
Errors: request.reused (422); constraints by name (time_class_policies_time_class_fkey, time_class_policies_policy_check).
Idempotency: by p_request_id; the same again changes nothing.
Locks: the machines of the site.$$;

create function public.set_ideal_cycle(p_machine text, p_ideal_s numeric, p_sku text default null, p_request_id uuid default null)
returns public.ideal_cycles language plpgsql security definer set search_path = '' as $$
declare
  v_site text := (select m.site from public.machines m where m.code = p_machine);
  v_actor uuid := private.authorize('kpi.plan', null, v_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'set_ideal_cycle', jsonb_build_array(p_machine, p_ideal_s, p_sku));
  v_cycle public.ideal_cycles;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.ideal_cycles, v_answer);
  end if;
  perform private.find_machine(p_machine);
  insert into public.ideal_cycles as c (machine, sku, ideal_s, set_by)
  values (p_machine, p_sku, p_ideal_s, nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
  on conflict on constraint ideal_cycles_sku_key do update set ideal_s = excluded.ideal_s, set_by = excluded.set_by, updated_at = now()
  returning c.* into v_cycle;
  perform private.emit('calendar', p_machine, 'calendar.ideal_cycle', v_actor, to_jsonb(v_cycle), null, v_site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_cycle));
  return v_cycle;
end $$;
comment on function public.set_ideal_cycle is
$$Seconds that a piece takes at best on a machine, of one item or (p_sku null) of any. For counts from now on; what was booked keeps what held then.
Permission: kpi.plan at the site of the machine.
Errors: machine.unknown (404), request.reused (422); constraints by name (ideal_cycles_ideal_s_check, ideal_cycles_sku_fkey).
Idempotency: by p_request_id; the same again changes nothing.
Locks: none.$$;

grant execute on function public.save_stop_reason, public.set_time_policy, public.set_ideal_cycle to authenticated, service_role;

-- sql/M14_kpi/api_oee.sql

-- Figures to read: of a machine, a line, a plant; over an hour, a shift, a month ---------------------------------------

create function private.kpi_total(p_list public.kpi_inputs[])
returns public.kpi_inputs language plpgsql immutable set search_path = '' as $$
declare
  v public.kpi_inputs;
begin
  select coalesce(sum(x.window_s), 0), coalesce(sum(x.scheduled_s), 0), coalesce(sum(x.planned_s), 0), coalesce(sum(x.run_s), 0), coalesce(sum(x.setup_s), 0),
    coalesce(sum(x.delay_s), 0), coalesce(sum(x.no_order_s), 0), coalesce(sum(x.availability_loss_s), 0), coalesce(sum(x.performance_loss_s), 0),
    coalesce(sum(x.pending_s), 0), coalesce(sum(x.planned_stop_s), 0), coalesce(sum(x.excluded_s), 0), coalesce(sum(x.unclassified_s), 0),
    coalesce(sum(x.no_data_s), 0), coalesce(sum(x.maintenance_s), 0), coalesce(sum(x.stops), 0), coalesce(sum(x.micro_stops), 0), coalesce(sum(x.micro_s), 0),
    coalesce(sum(x.total), 0), coalesce(sum(x.good), 0), coalesce(sum(x.scrap), 0), coalesce(sum(x.rework), 0), coalesce(sum(x.ideal_s), 0),
    coalesce(sum(x.ideal_good_s), 0), coalesce(sum(x.without_ideal), 0), coalesce(sum(x.unscheduled_pieces), 0)
    into v from unnest(p_list) x;
  return v;
end $$;
comment on function private.kpi_total is 'Inputs of several machines or windows together. Percentages are never averaged.';

create type private.scope as (machine text, line text, work_centre text, from_at timestamptz, to_at timestamptz);

create function private.scope_of(p_machine text, p_line text, p_work_centre text, p_site text, p_from timestamptz, p_to timestamptz)
returns setof private.scope language plpgsql stable set search_path = '' as $$
declare
  v_sites text[] := private.caller_sites(p_site);
begin
  return query
    with v as (
      select ve.*, lead(ve.valid_from, 1, 'infinity') over (partition by ve.machine order by ve.valid_from) as until
        from public.machine_versions ve join public.machines m on m.code = ve.machine
       where (p_machine is null or ve.machine = p_machine) and m.site = any (v_sites)
    )
    select v.machine, v.line, v.work_centre, greatest(v.valid_from, p_from), least(v.until, p_to) from v
     where v.valid_from < p_to and v.until > p_from and (p_line is null or v.line = p_line) and (p_work_centre is null or v.work_centre = p_work_centre)
       and (v.is_active or p_machine is not null);
end $$;
comment on function private.scope_of is
  'Which machines belong to a line or work centre, and when: a machine that moved counts where it stood, and one that is out of use counts until then.';

create function private.buckets(p_by text, p_scope private.scope, p_zone text)
returns table (key text, from_at timestamptz, to_at timestamptz, shift_id bigint) language plpgsql stable set search_path = '' as $$
begin
  if p_by = 'shift' then
    return query select i.shift_date || ' ' || i.shift, greatest(lower(i.during), p_scope.from_at), least(upper(i.during), p_scope.to_at),
        case when lower(i.during) >= p_scope.from_at and upper(i.during) <= p_scope.to_at then i.id end
      from public.shift_instances i where i.machine = p_scope.machine and i.during && tstzrange(p_scope.from_at, p_scope.to_at);
  elsif p_by = 'hour' then   -- by instants: in autumn one hour comes twice, and the key says which
    return query select to_char(h.at at time zone p_zone, 'YYYY-MM-DD HH24:MI') || to_char(extract(hour from h.ahead), ' SG00')
          || to_char(abs(extract(minute from h.ahead)), 'FM:00'), greatest(h.at, p_scope.from_at), least(h.at + interval '1 hour', p_scope.to_at), null::bigint
      from (select g.at, (g.at at time zone p_zone) - (g.at at time zone 'UTC') as ahead
              from generate_series(date_trunc('hour', p_scope.from_at, p_zone), p_scope.to_at, interval '1 hour') as g (at)) h where h.at < p_scope.to_at;
  elsif p_by = 'day' then
    return query select b.key, greatest(b.starts, p_scope.from_at), least(b.ends, p_scope.to_at), null::bigint
      from (select to_char(s, 'YYYY-MM-DD') as key, s at time zone p_zone as starts, (s + interval '1 day') at time zone p_zone as ends
              from generate_series(date_trunc('day', p_scope.from_at at time zone p_zone), p_scope.to_at at time zone p_zone, interval '1 day') s) b
     where b.starts < p_scope.to_at and b.ends > p_scope.from_at;
  else
    return query select case p_by when 'machine' then p_scope.machine when 'line' then coalesce(p_scope.line, '-') else '' end, p_scope.from_at, p_scope.to_at, null::bigint;
  end if;
end $$;

create type public.oee_row as (
  key text, machines bigint, starts_at timestamptz, ends_at timestamptz, as_of timestamptz, inputs public.kpi_inputs, ratios public.kpi_ratios);
comment on type public.oee_row is 'Figures with what they are made of. key: the site, machine, line, item, shift, hour or day; empty for all together.';

create function private.kept_or_live(p_machine text, p_shift_id bigint, p_from timestamptz, p_to timestamptz, p_as_of timestamptz)
returns public.kpi_inputs language plpgsql stable set search_path = '' as $$
declare
  v_kept jsonb := (select o.inputs from public.oee_shifts o join public.shift_instances i on i.id = o.shift_id
    where o.shift_id = p_shift_id and i.is_closed and not o.is_dirty and p_as_of >= o.as_of);
begin
  return case when v_kept is not null then jsonb_populate_record(null::public.kpi_inputs, v_kept)
    else private.kpi_window(p_machine, p_from, p_to, p_as_of) end;
end $$;
comment on function private.kept_or_live is 'Of a shift that is closed and not dirty what was kept, else computed now: the same definition, so the same figure.';

create function private.item_stretches(p_machine text, p_from timestamptz, p_to timestamptz, p_as_of timestamptz)
returns table (item text, during tstzrange) language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
begin
  return query
    with made as materialized (   -- what was taken back made nothing
      (select e.at, e.key, coalesce(e.sku, '') as item from public.count_events e where e.machine = p_machine and e.at < p_from and e.reverses is null
          and not exists (select from public.count_events b where b.machine = e.machine and b.reverses = e.key) order by e.at desc, e.key desc limit 1)
      union all
      select e.at, e.key, coalesce(e.sku, '') from public.count_events e where e.machine = p_machine and e.at >= p_from and e.at < p_to and e.at <= p_as_of
         and e.reverses is null and not exists (select from public.count_events b where b.machine = e.machine and b.reverses = e.key)
      union all
      (select e.at, e.key, coalesce(e.sku, '') from public.count_events e where e.machine = p_machine and e.at >= p_to and e.at <= p_as_of and e.reverses is null
          and not exists (select from public.count_events b where b.machine = e.machine and b.reverses = e.key) order by e.at, e.key limit 1)
    ), runs as (
      select m.*, sum(m.is_new::integer) over (order by m.at, m.key) as run
        from (select x.*, x.item is distinct from lag(x.item) over (order by x.at, x.key) as is_new from made x) m
    ), ends as (
      select min(r.item) as item, max(r.at) + interval '1 microsecond' as upto, r.run from runs r group by r.run
    ), laid as (
      select e.item, coalesce(lag(e.upto) over w, '-infinity') as since, case when lead(e.upto) over w is null then 'infinity' else e.upto end as upto
        from ends e window w as (order by e.run)
      union all select '', '-infinity', 'infinity' where not exists (select from made)
    )
    select l.item, tstzrange(greatest(l.since, p_from), least(l.upto, p_to)) from laid l where least(l.upto, p_to) > greatest(l.since, p_from);
end $$;
comment on function private.item_stretches is
$$Whose time it was: time belongs to the item that comes out next, from the last piece of another item until its own last piece, so also what set the
machine up for it; behind the last piece that is known, to the item of that one.$$;

create function private.kpi_by_item(p_scope private.scope, p_as_of timestamptz)
returns table (item text, inputs public.kpi_inputs) language plpgsql stable set search_path = '' as $$
declare
  v_to timestamptz := least(p_scope.to_at, p_as_of);
  v_pieces private.kpi_piece[] := array(select p from private.kpi_pieces(p_scope.machine, p_scope.from_at, p_scope.to_at, p_as_of) p);
  v_planned tstzmultirange := private.planned_of(v_pieces);
begin
  return query
    with stretches as materialized (select s.* from private.item_stretches(p_scope.machine, p_scope.from_at, v_to, p_as_of) s),
    items as (
      select s.item from stretches s
      union select coalesce(c.sku, '') from public.count_minute c
        where c.machine = p_scope.machine and c.minute >= date_trunc('minute', p_scope.from_at) and c.minute < v_to
    )
    select i.item, private.kpi_counts(private.kpi_times(array(
        select row(greatest(p.starts_at, lower(s.during)), least(p.ends_at, upper(s.during)), p.kind, p.policy, p.time_class, p.reason, p.state, p.stop_id,
            p.planned_id, p.shift_id, p.stop_from, p.stop_to)::private.kpi_piece
          from unnest(v_pieces) p join stretches s on s.item = i.item and p.starts_at < upper(s.during) and p.ends_at > lower(s.during))),
        p_scope.machine, p_scope.from_at, v_to, v_planned, i.item)
      from items i;
end $$;
comment on function private.kpi_by_item is
$$The figures of a machine by what it made; together they are those of the machine. Time goes by item_stretches, pieces by their own item.$$;

create function private.ask_range(p_machine text, p_site text, p_from timestamptz, p_to timestamptz)
returns tstzrange language plpgsql stable set search_path = '' as $$
declare
  v_range tstzrange;
  v_from timestamptz;
  v_to timestamptz := coalesce(p_to, now());
begin
  if p_from is not null or p_to is not null then
    v_from := coalesce(p_from, p_to - interval '1 day');
    if not isfinite(v_from) or not isfinite(v_to) or v_to <= v_from or v_to - interval '400 days' > v_from then
      perform private.fail(422, 'kpi.range', 'Ask for a time that ends after it begins, at most 400 days.', jsonb_build_object('from', v_from, 'to', v_to));
    end if;
    return tstzrange(v_from, v_to);
  end if;
  select i.during into v_range from public.shift_instances i where i.machine = p_machine and i.during @> now();
  return coalesce(v_range, (select tstzrange(date_trunc('day', now() at time zone si.time_zone) at time zone si.time_zone,
      (date_trunc('day', now() at time zone si.time_zone) + interval '1 day') at time zone si.time_zone) from public.sites si where si.code = p_site),
    tstzrange(now() - interval '1 day', now()));
end $$;
comment on function private.ask_range is 'The time asked for, else the shift that is on, else the plant-calendar day. Errors: kpi.range (422).';

create function private.site_asked(p_machine text, p_line text, p_work_centre text, p_site text)
returns text language plpgsql stable set search_path = '' as $$
begin
  if p_machine is not null then
    return (private.find_machine(p_machine)).site;
  elsif p_work_centre is not null then
    return (private.find_work_centre(p_work_centre)).site;
  end if;
  return coalesce((select l.site from public.lines l where l.code = p_line), private.caller_site(p_site, null));
end $$;

create function private.oee_rows(
  p_machine text, p_line text, p_work_centre text, p_site text, p_from timestamptz, p_to timestamptz, p_by text, p_as_of timestamptz)
returns setof public.oee_row language plpgsql stable set search_path = '' as $$
declare
  v_zone text := coalesce((select si.time_zone from public.sites si where si.code = p_site), 'UTC');
begin
  if p_by = 'item' then
    return query
      select t.key, t.machines, t.starts_at, t.ends_at, p_as_of, t.total, private.kpi_ratios(t.total)
        from (
          select coalesce(nullif(i.item, ''), '-') as key, count(distinct s.machine) as machines, min(s.from_at) as starts_at, max(s.to_at) as ends_at,
              private.kpi_total(array_agg(i.inputs)) as total
            from private.scope_of(p_machine, p_line, p_work_centre, p_site, p_from, p_to) s cross join lateral private.kpi_by_item(s, p_as_of) i group by 1) t
       order by t.key;
    return;
  end if;
  return query
    select t.key, t.machines, t.starts_at, t.ends_at, p_as_of, t.total, private.kpi_ratios(t.total)
      from (
        select b.key, count(distinct s.machine) as machines, min(b.from_at) as starts_at, max(b.to_at) as ends_at,
            private.kpi_total(array_agg(private.kept_or_live(s.machine, b.shift_id, b.from_at, b.to_at, p_as_of))) as total
          from private.scope_of(p_machine, p_line, p_work_centre, p_site, p_from, p_to) s cross join lateral private.buckets(p_by, s, v_zone) b
         group by b.key) t
     order by t.starts_at, t.key;
end $$;

create function private.oee_by_site(
  p_machine text, p_line text, p_work_centre text, p_site text, p_from timestamptz, p_to timestamptz, p_as_of timestamptz)
returns setof public.oee_row language plpgsql stable set search_path = '' as $$
declare
  v_who private.identity := private.identify();
  v_site text;
  v_range tstzrange;
begin
  for v_site in select si.code from public.sites si where (p_site is null or si.code = p_site) and private.works_at(v_who, si.code) order by si.code loop
    v_range := private.ask_range(p_machine, v_site, p_from, p_to);
    return query
      select v_site, r.machines, r.starts_at, r.ends_at, r.as_of, r.inputs, r.ratios
        from private.oee_rows(p_machine, p_line, p_work_centre, v_site, lower(v_range), upper(v_range), 'total', p_as_of) r;
  end loop;
end $$;
comment on function private.oee_by_site is 'One row for each site where the caller works; without a time asked for, each of its own day.';

create function public.get_oee(
  p_machine text default null, p_from timestamptz default null, p_to timestamptz default null, p_by text default 'total', p_line text default null,
  p_work_centre text default null, p_site text default null, p_as_of timestamptz default null)
returns setof public.oee_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text;
  v_range tstzrange;
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, p_line, p_work_centre, p_site);
  perform private.authorize('kpi.read', null, v_site);
  if p_by is null or p_by not in ('total', 'site', 'machine', 'line', 'item', 'shift', 'hour', 'day') then
    perform private.fail(422, 'kpi.by', 'Ask by total, site, machine, line, item, shift, hour or day.', jsonb_build_object('field', 'p_by', 'actual', p_by));
  elsif p_by = 'site' then
    return query select * from private.oee_by_site(p_machine, p_line, p_work_centre, v_site, p_from, p_to, least(coalesce(p_as_of, now()), now()));
    return;
  end if;
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  if p_by = 'hour' and upper(v_range) > lower(v_range) + interval '8 days' then
    perform private.fail(422, 'kpi.range', 'By hour, ask for at most 8 days.', jsonb_build_object('from', lower(v_range), 'to', upper(v_range)));
  elsif p_by = 'item' and upper(v_range) > lower(v_range) + interval '93 days' then
    perform private.fail(422, 'kpi.range', 'By item, ask for at most 93 days.', jsonb_build_object('from', lower(v_range), 'to', upper(v_range)));
  end if;
  return query select * from private.oee_rows(p_machine, p_line, p_work_centre, v_site, lower(v_range), upper(v_range), p_by, least(coalesce(p_as_of, now()), now()));
end $$;
comment on function public.get_oee is
$$OEE and its relatives with everything they are made of, of a machine, line, work centre or site; from p_from to p_to, else of the shift that is on,
else of today. p_by total, site (each where the caller works), machine, line, item, shift, hour, day. By item: time belongs to the item that comes out
next, pieces to their own; - is no item. p_as_of: as far as things were over at that instant (now).
Permission: kpi.read at the site.
Errors: kpi.by (422), kpi.range (422), machine.unknown (404), work_centre.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create type public.loss_row as (kind text, time_class text, reason text, title text, policy text, big_loss text, seconds numeric, share numeric, cumulative numeric, stops bigint);
comment on type public.loss_row is
$$One bar of the loss Pareto. share and cumulative: of all losses but excluded time. big_loss: breakdown, setup, minor_stop, speed, defects, startup (the six),
unclassified, none. kind speed: the remainder of run time, negative when the ideal cycle is too long; kind scrap, rework, startup: ideal seconds of pieces
that were not good, startup those of them whose reason is of a start-up.$$;

create function private.quality_losses(p_machine text, p_from timestamptz, p_to timestamptz, p_planned tstzmultirange)
returns table (kind text, seconds numeric) language plpgsql stable set search_path = '' as $$
begin
  return query
    select u.kind, sum(u.pieces * e.ideal_s)
      from public.count_events e
     cross join lateral (values (case when e.is_startup then 'startup' else 'scrap' end, e.scrap), (case when e.is_startup then 'startup' else 'rework' end, e.rework))
        as u (kind, pieces)
     where e.machine = p_machine and e.at >= p_from and e.at < p_to and (e.scrap <> 0 or e.rework <> 0) and p_planned @> e.at group by 1;
end $$;
comment on function private.quality_losses is 'Ideal seconds of pieces that were not good: together ideal_s - ideal_good_s of kpi_window.';

create function public.get_losses(
  p_machine text default null, p_from timestamptz default null, p_to timestamptz default null, p_line text default null, p_work_centre text default null,
  p_site text default null, p_as_of timestamptz default null)
returns setof public.loss_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text;
  v_range tstzrange;
  v_as_of timestamptz := least(coalesce(p_as_of, now()), now());
  v_total public.oee_row;
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, p_line, p_work_centre, p_site);
  perform private.authorize('kpi.read', null, v_site);
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  select * into v_total from private.oee_rows(p_machine, p_line, p_work_centre, v_site, lower(v_range), upper(v_range), 'total', v_as_of);
  return query
    with laid as materialized (
      select s.machine, s.from_at, least(s.to_at, v_as_of) as to_at, array(select p from private.kpi_pieces(s.machine, s.from_at, s.to_at, v_as_of) p) as pieces
        from private.scope_of(p_machine, p_line, p_work_centre, v_site, lower(v_range), upper(v_range)) s
    ), bars as (
      select l.kind, l.time_class, l.reason, l.policy, sum(l.seconds) as seconds, sum(l.stops)::bigint as stops
        from laid s cross join lateral private.kpi_losses(s.pieces) l group by 1, 2, 3, 4
      union all select 'speed', null, null, 'loss_performance', (v_total.ratios).speed_loss_s, 0 where (v_total.ratios).speed_loss_s <> 0
      union all select q.kind, null, null, 'loss_quality', sum(q.seconds), 0
        from laid s cross join lateral private.quality_losses(s.machine, s.from_at, s.to_at, private.planned_of(s.pieces)) q group by 1 having sum(q.seconds) <> 0
    ), weighed as (
      select b.*, case when b.policy <> 'excluded' and b.kind <> 'pending' then b.seconds else 0 end as lost from bars b
    )
    select w.kind, w.time_class, w.reason, coalesce(r.title, c.title,
          case w.kind when 'speed' then 'Reduced speed' when 'scrap' then 'Scrap' when 'rework' then 'Rework' when 'startup' then 'Start-up rejects' end),
        w.policy, case w.kind when 'speed' then 'speed' when 'scrap' then 'defects' when 'rework' then 'defects' when 'startup' then 'startup' else c.big_loss end, w.seconds,
        private.ratio(w.lost, sum(w.lost) over ()), private.ratio(sum(w.lost) over (order by w.lost desc, w.kind, w.time_class, w.reason), sum(w.lost) over ()), w.stops
      from weighed w left join public.stop_reasons r on r.code = w.reason left join public.time_classes c on c.code = w.time_class
     order by w.lost desc, w.kind, w.time_class, w.reason;
end $$;
comment on function public.get_losses is
$$What time was lost to, the largest first: stops by reason, micro-stops, set-up, what has no reason yet, speed, scrap, rework, start-up; and what is no loss because
it is excluded. Together with good × ideal they are the planned time, to the microsecond.
Permission: kpi.read at the site.
Errors: kpi.range (422), machine.unknown (404), work_centre.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_oee, public.get_losses to authenticated, service_role;

-- sql/M14_kpi/api_drill.sql

-- From a figure to what it was made of ---------------------------------------------------------------------------------

create type public.oee_fact as (
  at timestamptz, kind text, key text, ends_at timestamptz, state text, source text, reason text, title text, time_class text, policy text, lost_s numeric,
  sku text, "order" text, good numeric, scrap numeric, rework numeric, ideal_s numeric, is_planned boolean, reverses text, by_name text,
  recorded_at timestamptz, comment text);
comment on type public.oee_fact is
$$kind stop: a stop, set-up or planned stop, since when, in the time asked for, and lost_s of it; also those that only states show. kind count: pieces as
they were booked; is_planned: they are in the figures, else they are unscheduled. kind state: what the machine or a person said. recorded_at: when it
came in.$$;

create type public.oee_fact_page as (facts public.oee_fact[], next_cursor text);
comment on type public.oee_fact_page is 'A page of facts in the order of time; next_cursor null on the last page.';

create function private.stop_facts(p_pieces private.kpi_piece[])
returns setof public.oee_fact language plpgsql stable set search_path = '' as $$
begin
  return query
    select x.at, 'stop', x.kind || '/' || coalesce(x.stop_id, x.planned_id, 0), x.ends_at, x.state, s.source, x.reason, coalesce(r.title, p.note, c.title),
        x.time_class, x.policy, x.lost_s, null::text, null::text, null::numeric, null::numeric, null::numeric, null::numeric, true, null::text,
        private.actor_name(coalesce(s.classified_by, s.started_by, p.created_by)), coalesce(s.created_at, p.created_at), s.comment
      from (
        select min(q.starts_at) as at, max(q.ends_at) as ends_at, q.kind, q.policy, q.time_class, q.reason, min(q.state) as state, q.stop_id, q.planned_id,
            sum(private.seconds(q.starts_at, q.ends_at)) as lost_s
          from unnest(p_pieces) q where q.kind not in ('run', 'unscheduled')
         group by q.kind, q.policy, q.time_class, q.reason, q.stop_id, q.planned_id, q.stop_from, case when q.kind = 'setup' then q.starts_at end) x
      left join public.stops s on s.id = x.stop_id left join public.planned_stops p on p.id = x.planned_id
      left join public.stop_reasons r on r.code = x.reason left join public.time_classes c on c.code = x.time_class;
end $$;
comment on function private.stop_facts is 'Stops, set-ups and planned stops of a window, each once: their lost_s are the losses of the figures.';

create function private.oee_facts(
  p_machine text, p_from timestamptz, p_to timestamptz, p_kind text, p_sku text, p_after timestamptz, p_after_key text, p_limit integer)
returns setof public.oee_fact language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_pieces private.kpi_piece[] := case when p_kind is distinct from 'state' then array(select p from private.kpi_pieces(p_machine, p_from, p_to, now()) p) end;
  v_planned tstzmultirange := private.planned_of(v_pieces);
begin
  return query
    select * from (
      select f.* from private.stop_facts(v_pieces) f where coalesce(p_kind, 'stop') = 'stop' and p_sku is null
      union all
      (select e.at, 'count', e.key, null::timestamptz, null, null, e.reason, q.title, null, null, null::numeric, e.sku, o.code, e.good, e.scrap, e.rework, e.ideal_s,
           v_planned @> e.at, e.reverses, private.actor_name(e.actor_id), e.recorded_at, null
         from public.count_events e left join public.quality_reasons q on q.code = e.reason left join public.production_orders o on o.id = e.order_id
        where coalesce(p_kind, 'count') = 'count' and e.machine = p_machine and e.at >= greatest(p_from, p_after) and e.at < p_to and e.at <= now()
          and (p_sku is null or coalesce(e.sku, '-') = p_sku) and (e.at, 'count/' || e.key) > (p_after, p_after_key) is not false
        order by e.at, e.key limit p_limit)
      union all
      (select e.at, 'state', e.seq || '/' || e.state, null, e.state, e.source, null, null, null, null, null, null, null, null, null, null, null, null, null,
           private.actor_name(e.actor_id), e.recorded_at, null
         from public.machine_state_events e
        where coalesce(p_kind, 'state') = 'state' and p_sku is null and e.machine = p_machine and e.at >= greatest(p_from, p_after) and e.at < p_to and e.at <= now()
          and (e.at, 'state/' || e.seq || '/' || e.state) > (p_after, p_after_key) is not false
        order by e.at, 'state/' || e.seq || '/' || e.state limit p_limit)) x
     where (x.at, x.kind || '/' || x.key) > (p_after, p_after_key) is not false
     order by x.at, x.kind || '/' || x.key limit p_limit;
end $$;

create function public.get_oee_facts(
  p_machine text, p_from timestamptz default null, p_to timestamptz default null, p_kind text default null, p_sku text default null,
  p_cursor text default null, p_limit integer default 100)
returns public.oee_fact_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text := (select m.site from public.machines m where m.code = p_machine);
  v_limit integer := private.page_limit(p_limit);
  v_after jsonb := private.keys_of(p_cursor, 2);
  v_range tstzrange;
  v_page public.oee_fact_page;
  v_last public.oee_fact;
begin
  perform private.authorize('kpi.read', null, v_site);
  perform private.find_machine(p_machine);
  if p_kind not in ('stop', 'count', 'state') then
    perform private.fail(422, 'kpi.by', 'Ask for stop, count or state.', jsonb_build_object('field', 'p_kind', 'actual', p_kind));
  end if;
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  if upper(v_range) > lower(v_range) + interval '31 days' then
    perform private.fail(422, 'kpi.range', 'Ask for at most 31 days.', jsonb_build_object('from', lower(v_range), 'to', upper(v_range)));
  end if;
  v_page.facts := array(select f from private.oee_facts(p_machine, lower(v_range), upper(v_range), p_kind, p_sku, (v_after ->> 0)::timestamptz, v_after ->> 1,
    v_limit + 1) f);
  if cardinality(v_page.facts) > v_limit then
    v_page.facts := v_page.facts[1:v_limit];
    v_last := v_page.facts[v_limit];
    v_page.next_cursor := private.cursor_of(jsonb_build_array(v_last.at, v_last.kind || '/' || v_last.key));
  end if;
  return v_page;
end $$;
comment on function public.get_oee_facts is
$$What the figures of a machine were made of, in the order of time: stops, counts and states of p_from to p_to (else as get_oee), of one p_kind or of
all, of one item (p_sku, - for none) only its counts. At most 31 days. lost_s of the stops are the losses; good, scrap and rework of the counts that are
planned add up to those of get_oee. p_cursor: next_cursor of the page before.
Permission: kpi.read at the site of the machine.
Errors: machine.unknown (404), kpi.by (422), kpi.range (422), request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_oee_facts to authenticated, service_role;

-- sql/M14_kpi/api_andon.sql

-- The wall: what every machine does now, and who is called when one stands ---------------------------------------------

create type public.andon_row as (
  machine text, name text, line text, work_centre text, state text, since timestamptz, by_name text, reason text, reason_title text, stop_id bigint,
  stop_version integer, open_repairs bigint, called_role text, called_at timestamptz, answered_by_name text, answered_at timestamptz,
  shift_id bigint, shift text, shift_ends_at timestamptz, inputs public.kpi_inputs, ratios public.kpi_ratios);
comment on type public.andon_row is
$$A machine now: running, setup, stopped (or what it says: idle, fault, starved, blocked, maintenance, off), planned (a break …), no_data; since when; who
said so. called_role: supervisor or manager, since called_at, because it stands in working time and nobody has said why or answered; null: nobody is
called. Figures of the shift that is on so far, null outside of shifts.$$;

create type private.machine_now as (state text, since timestamptz, actor_id uuid, stop public.stops);

create function private.machine_now(p_machine text, p_now timestamptz)
returns private.machine_now language plpgsql stable set search_path = '' as $$
declare
  v private.machine_now;
begin
  select s into v.stop from public.stops s where s.machine = p_machine and s.during @> p_now and s.source <> 'signal' limit 1;
  select i.state, i.starts_at into v.state, v.since from private.machine_intervals(p_machine, p_now - interval '1 minute', p_now, p_now) i
   order by i.starts_at desc limit 1;
  if (v.stop).id is not null then
    v.state := 'stopped'; v.since := lower((v.stop).during); v.actor_id := (v.stop).started_by;
    return v;
  elsif v.state in ('running', 'setup') then
    v.since := coalesce((select min(e.at) from public.machine_state_events e where e.machine = p_machine and e.at > coalesce((
        select max(b.at) from public.machine_state_events b where b.machine = p_machine and b.at > p_now - interval '1 day' and b.state <> v.state),
      p_now - interval '1 day')), v.since);
  else
    v.since := coalesce((private.stop_around(p_machine, p_now, p_now)).starts_at, v.since);
    select s into v.stop from public.stops s where s.machine = p_machine and s.during @> p_now limit 1;
  end if;
  v.since := nullif(v.since, '-infinity');
  v.actor_id := coalesce((v.stop).classified_by, (select e.actor_id from public.machine_state_events e
    where e.machine = p_machine and e.at <= p_now order by e.at desc, e.seq desc, e.state desc limit 1));
  return v;
end $$;

create type private.andon_call as (role text, at timestamptz, stands_since timestamptz, answered_by uuid, answered_at timestamptz);

create function private.andon_call(p_machine public.machines, p_now private.machine_now, p_at timestamptz)
returns private.andon_call language plpgsql stable set search_path = '' as $$
declare
  v_call private.andon_call;
  v_stop public.stops := p_now.stop;
  v_from timestamptz;
begin
  if p_now.state in ('running', 'setup') or p_now.since is null
      or exists (select from public.planned_stops p where p.machine = p_machine.code and p.is_active and p.during @> p_at) then
    return null;
  end if;
  v_call.answered_by := v_stop.answered_by; v_call.answered_at := v_stop.answered_at;
  if v_stop.answered_at is null then
    select r.acknowledged_by, r.acknowledged_at into v_call.answered_by, v_call.answered_at from public.stop_repairs l join public.repairs r on r.id = l.repair_id
     where l.stop_id = v_stop.id and r.acknowledged_at is not null order by r.acknowledged_at limit 1;
  end if;
  if v_call.answered_at is not null or v_stop.reason is not null and not exists (
      select from public.stop_reasons r where r.code = v_stop.reason and r.needs_repair) then
    return v_call;
  end if;
  -- Minutes of working time: from the beginning of the shift, or from the end of its last break.
  v_from := (select greatest(p_now.since, lower(i.during), (select max(upper(p.during)) from public.planned_stops p
      where p.machine = p_machine.code and p.is_active and p.during && i.during and upper(p.during) <= p_at))
    from public.shift_instances i where i.machine = p_machine.code and i.during @> p_at);
  select c.role, c.at, p_now.since into v_call.role, v_call.at, v_call.stands_since
    from (values ('supervisor', 1, p_machine.call_supervisor_min), ('manager', 2, p_machine.call_manager_min)) as l (role, step, minutes)
   cross join lateral (select l.role, v_from + make_interval(mins => l.minutes) as at) c
   where l.minutes > 0 and c.at <= p_at order by c.at desc, l.step desc limit 1;
  return v_call;
end $$;
comment on function private.andon_call is
$$Who is called to a machine that stands, and since when: nobody while it runs, in planned stops, outside of shifts, once somebody answered, and once it is
known why, unless the reason needs a repair that nobody has acknowledged.$$;

create function private.standing_since(p_machine text, p_now timestamptz)
returns timestamptz language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_now private.machine_now := private.machine_now(p_machine, p_now);
begin
  return case when v_now.state not in ('running', 'setup') and ((v_now.stop).id is not null or not exists (
    select from public.planned_stops p where p.machine = p_machine and p.is_active and p.during @> p_now))
    then coalesce(v_now.since, (select min(e.at) from public.machine_state_events e where e.machine = p_machine)) end;
end $$;
comment on function private.standing_since is
$$Since when a machine stands, as the wall says: because a stop is open, or because it said or is silent. Null: it runs, it is in a planned stop, or nobody
ever heard of it.$$;
grant execute on function private.standing_since to authenticated;

create function public.get_andon(p_site text default null, p_line text default null, p_machine text default null)
returns setof public.andon_row language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_site text;
  v_sites text[];
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, p_line, null, p_site);
  perform private.authorize('kpi.read', null, v_site);
  v_sites := private.caller_sites(v_site);
  return query
    select m.code, m.name, m.line, m.work_centre, case when p.id is not null and n.state not in ('running', 'setup') and (n.stop).id is null then 'planned' else n.state end,
        n.since, st.full_name, coalesce((n.stop).reason, p.time_class), coalesce(r.title, t.title), (n.stop).id, (n.stop).version,
        (select count(*) from public.repairs x where x.machine = m.code and x.is_open), c.role, c.at, an.full_name, c.answered_at,
        i.id, i.title, upper(i.during), k.inputs, private.kpi_ratios(k.inputs)
      from public.machines m
     cross join lateral private.machine_now(m.code, now()) n
     cross join lateral private.andon_call(m, n, now()) c
      left join public.shift_instances i on i.machine = m.code and i.during @> now()
      left join lateral (select q.id, q.time_class from public.planned_stops q where q.machine = m.code and q.is_active and q.during @> now() order by q.id limit 1) p on true
      left join lateral (select private.kpi_window(m.code, lower(i.during), upper(i.during), now()) as inputs where i.id is not null offset 0) k on true
      left join public.staff_shared st on st.user_id = n.actor_id
      left join public.staff_shared an on an.user_id = c.answered_by
      left join public.stop_reasons r on r.code = (n.stop).reason
      left join public.time_classes t on t.code = p.time_class
     where m.is_active and m.site = any (v_sites) and (p_line is null or m.line = p_line) and (p_machine is null or m.code = p_machine)
     order by m.line nulls last, m.code;
end $$;
comment on function public.get_andon is
$$Every machine: what it does, since when, who said so, why it stands, who is called, open repairs, and the figures of the shift that is on.
Permission: kpi.read at the site.
Errors: machine.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create function public.answer_stop(p_machine text default null, p_stop_id bigint default null, p_request_id uuid default null)
returns public.stop_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.stop_command := private.begin_stop('stops.report', p_machine, p_stop_id, null, p_request_id, 'answer_stop',
    jsonb_build_array(p_machine, p_stop_id));
  v_stop public.stops;
begin
  if v_command.answer is not null then
    return private.finish_stop(v_command, null, null);
  end if;
  v_stop := case when p_stop_id is null then private.shown_stop(v_command, now()) else v_command.stop end;
  if v_stop.answered_at is not null or not upper_inf(v_stop.during) then
    return private.finish_stop(v_command, v_stop.id, null);
  end if;
  update public.stops s set answered_by = nullif(v_command.actor, '00000000-0000-0000-0000-000000000000'), answered_at = now() where s.id = v_stop.id;
  return private.finish_stop(v_command, v_stop.id, 'stop.answered');
end $$;
comment on function public.answer_stop is
$$Somebody takes care of a machine that stands: the open stop of p_machine, or p_stop_id. Nobody else is called to it. Why it stands is said by
classify_stop.
Permission: stops.report at the site of the machine.
Errors: machine.unknown (404), stop.unknown (404), stop.none_then (409), request.reused (422).
Idempotency: by p_request_id; a stop that somebody has answered, or that is over, answers changed = false and says who.
Locks: the machine, then the stop.$$;

create function private.raise_andon_call(p_machine public.machines, p_now timestamptz)
returns void language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_now private.machine_now := private.machine_now(p_machine.code, p_now);
  v_call private.andon_call := private.andon_call(p_machine, v_now, p_now);
begin
  if v_call.role is null then
    return;
  end if;
  insert into private.andon_calls as c (machine, role, stands_since, called_at)
  values (p_machine.code, v_call.role, v_call.stands_since, v_call.at)
  on conflict on constraint andon_calls_pkey do update set stands_since = excluded.stands_since, called_at = excluded.called_at
    where excluded.stands_since > c.called_at;   -- another stop, not this one told better by a late state
  if found then
    perform private.emit('machine', p_machine.code, 'machine.called', null, jsonb_strip_nulls(jsonb_build_object('machine', p_machine.code,
      'role', v_call.role, 'stands_since', v_call.stands_since, 'called_at', v_call.at, 'reason', (v_now.stop).reason)), null, p_machine.site);
  end if;
end $$;

create function private.raise_andon_calls(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_machine public.machines;
begin
  for v_machine in
    select m.* from public.machines m join public.shift_instances i on i.machine = m.code and i.during @> p_now
     where m.is_active and greatest(m.call_supervisor_min, m.call_manager_min) > 0 order by m.code
  loop
    begin
      perform private.raise_andon_call(v_machine, p_now);
      perform private.note_trouble('raise_andon_calls', v_machine.code, null);
    exception when others then
      perform private.note_trouble('raise_andon_calls', v_machine.code, sqlerrm);
    end;
  end loop;
end $$;
comment on function private.raise_andon_calls is
  'A job of the clock: one event machine.called for each step of the ladder that a stop reaches. A step that was passed between two runs is not raised afterwards.';

grant execute on function public.get_andon, public.answer_stop to authenticated, service_role;

-- sql/M14_kpi/api_boards.sql

-- What a machine page shows -------------------------------------------------------------------------------------------

create type public.timeline_row as (
  starts_at timestamptz, ends_at timestamptz, kind text, policy text, time_class text, reason text, title text, state text, stop_id bigint, stop_version integer,
  stop_from timestamptz, stop_to timestamptz, comment text, shift_id bigint);
comment on type public.timeline_row is 'A piece of time, as kpi_pieces made it: what the figures of the window are added up from.';

create function private.timeline(p_machine text, p_from timestamptz, p_to timestamptz, p_as_of timestamptz)
returns setof public.timeline_row language plpgsql stable set search_path = '' as $$
begin
  return query
    with pieces as materialized (select * from private.kpi_pieces(p_machine, p_from, p_to, p_as_of)),
    runs as (
      select q.*, sum(q.is_new::integer) over (order by q.starts_at) as run from (
        select p.*, (p.kind, p.policy, p.time_class, p.reason, p.state, p.stop_id, p.planned_id, p.shift_id, p.stop_from) is distinct from
            lag((p.kind, p.policy, p.time_class, p.reason, p.state, p.stop_id, p.planned_id, p.shift_id, p.stop_from)) over (order by p.starts_at) as is_new
          from pieces p) q
    ), merged as (
      select min(r.starts_at) as starts_at, max(r.ends_at) as ends_at, min(r.kind) as kind, min(r.policy) as policy, min(r.time_class) as time_class,
          min(r.reason) as reason, min(r.state) as state, min(r.stop_id) as stop_id, min(r.planned_id) as planned_id, min(r.stop_from) as stop_from,
          min(r.stop_to) as stop_to, min(r.shift_id) as shift_id from runs r group by r.run
    )
    select m.starts_at, m.ends_at, m.kind, m.policy, m.time_class, m.reason, coalesce(r.title, p.note, c.title), m.state, m.stop_id, s.version,
        nullif(m.stop_from, '-infinity'), m.stop_to, s.comment, m.shift_id
      from merged m
      left join public.stops s on s.id = m.stop_id
      left join public.stop_reasons r on r.code = m.reason
      left join public.planned_stops p on p.id = m.planned_id
      left join public.time_classes c on c.code = m.time_class order by m.starts_at;
end $$;

create function public.get_machine_timeline(p_machine text, p_from timestamptz default null, p_to timestamptz default null, p_as_of timestamptz default null)
returns setof public.timeline_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text := (select m.site from public.machines m where m.code = p_machine);
  v_range tstzrange;
begin
  perform private.authorize('kpi.read', null, v_site);
  perform private.find_machine(p_machine);
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  if upper(v_range) > lower(v_range) + interval '8 days' then
    perform private.fail(422, 'kpi.range', 'Ask for at most 8 days.', jsonb_build_object('from', lower(v_range), 'to', upper(v_range)));
  end if;
  return query select * from private.timeline(p_machine, lower(v_range), upper(v_range), least(coalesce(p_as_of, now()), now()));
end $$;
comment on function public.get_machine_timeline is
$$The pieces of time behind the figures of a machine, without gap or overlap: every second of get_oee is in one of them. At most 8 days.
Permission: kpi.read at the site of the machine.
Errors: machine.unknown (404), kpi.range (422).
Idempotency: a read.
Locks: none.$$;

create type public.stop_row as (
  machine text, stop_id bigint, version integer, starts_at timestamptz, ends_at timestamptz, seconds numeric, lost_s numeric, kind text, reason text, title text,
  time_class text, state text, comment text, repair_ids bigint[]);
comment on type public.stop_row is
$$A stop, also one that so far only the states of the machine show (stop_id null: classify it by machine and starts_at). seconds: its whole length so far;
lost_s: of it in planned time. ends_at null: it lasts; starts_at and seconds null: it has never said that it ran.$$;

create function private.whole_stop(p_machine text, p_stop public.stops, p_from timestamptz, p_to timestamptz, p_window tstzrange)
returns private.stretch language plpgsql stable set search_path = '' as $$
declare
  v_whole private.stretch := row(p_from, p_to);
begin
  if p_stop.id is not null then
    v_whole := row(lower(p_stop.during), coalesce(upper(p_stop.during), now()));
  elsif p_from < lower(p_window) or p_to > upper(p_window) then   -- pieces know it only as far as it can matter to them
    v_whole := private.stop_around(p_machine, greatest(p_from, lower(p_window)), now());
    v_whole.ends_at := coalesce(v_whole.ends_at, now());
  end if;
  v_whole.starts_at := nullif(v_whole.starts_at, '-infinity');
  return v_whole;
end $$;
comment on function private.whole_stop is 'From when to when (now: it lasts) a stop is that was found in a window; no beginning: it has never run.';

create function public.get_stops(
  p_machine text default null, p_from timestamptz default null, p_to timestamptz default null, p_only_unclassified boolean default false,
  p_site text default null, p_limit integer default 200)
returns setof public.stop_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text;
  v_may_plan boolean := private.may('kpi.plan');
  v_range tstzrange;
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, null, null, p_site);
  perform private.authorize('kpi.read', null, v_site);
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  if upper(v_range) > lower(v_range) + interval '31 days' then
    perform private.fail(422, 'kpi.range', 'Ask for at most 31 days.', jsonb_build_object('from', lower(v_range), 'to', upper(v_range)));
  end if;
  return query
    select m.machine, t.stop_id, s.version, w.starts_at, case when w.ends_at < now() then w.ends_at end, private.seconds(w.starts_at, least(w.ends_at, now())),
        t.lost_s, t.kind, t.reason, coalesce(r.title, c.title), t.time_class, t.state, s.comment, array(select l.repair_id from public.stop_repairs l where l.stop_id = t.stop_id order by 1)
      from (select x.machine, min(x.from_at) as from_at, max(x.to_at) as to_at
              from private.scope_of(p_machine, null, null, v_site, lower(v_range), upper(v_range)) x group by 1) m
     cross join lateral (
       select p.stop_id, p.stop_from, p.stop_to, p.kind, p.reason, p.time_class, min(p.state) as state,
           sum(private.seconds(p.starts_at, p.ends_at)) as lost_s
         from private.kpi_pieces(m.machine, m.from_at, m.to_at, now()) p where p.kind in ('stop', 'micro', 'pending') group by 1, 2, 3, 4, 5, 6) t
      left join public.stops s on s.id = t.stop_id
     cross join lateral private.whole_stop(m.machine, s, t.stop_from, t.stop_to, tstzrange(m.from_at, m.to_at)) w
      left join public.stop_reasons r on r.code = t.reason
      left join public.time_classes c on c.code = t.time_class
     where not p_only_unclassified or t.reason is null and t.kind = 'stop' or v_may_plan and t.time_class = 'unclassified'
         and exists (select from public.time_classes x where x.code = r.time_class and x.is_planned)
     order by w.starts_at desc nulls last, m.machine limit least(greatest(coalesce(p_limit, 200), 1), 1000);
end $$;
comment on function public.get_stops is
$$Stops of a machine or a site, the latest first, also those that nobody has classified yet (p_only_unclassified: only those,
and for who may plan stops those with a planned reason that nobody has confirmed). At most 31 days.
Permission: kpi.read at the site.
Errors: machine.unknown (404), kpi.range (422), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_machine_timeline, public.get_stops to authenticated, service_role;

-- sql/M14_kpi/api_shifts.sql

-- Shift board, micro-stops, quality, tables ----------------------------------------------------------------------------

create type public.shift_hour as (
  starts_at timestamptz, ends_at timestamptz, planned_s numeric, run_s numeric, target numeric, good numeric, scrap numeric, rework numeric,
  target_so_far numeric, good_so_far numeric, due_by_now numeric, unscheduled_pieces numeric, main_loss text, main_loss_title text, main_loss_s numeric, machine text, name text, work_centre text,
  work_centre_title text, shift text, shift_title text, shift_date date);
comment on type public.shift_hour is
$$An hour of a shift: what could be made in its planned time at the ideal cycle of that time times the target of the plant (null without an ideal cycle),
what was made, both added up since the shift began; due_by_now: of target_so_far, what is due at this moment; main_loss: the reason or class of time that
the hour was lost to most.$$;

create function private.shift_asked(p_machine text, p_shift_date date, p_shift text)
returns public.shift_instances language plpgsql stable set search_path = '' as $$
declare
  v_shift public.shift_instances;
begin
  select i.* into v_shift from public.shift_instances i
   where i.machine = p_machine and case when p_shift_date is null then lower(i.during) <= now() else i.shift_date = p_shift_date end
     and (p_shift is null or i.shift = p_shift)
   order by case when p_shift_date is null then lower(i.during) end desc, lower(i.during) limit 1;
  if v_shift.id is null then
    perform private.fail(404, 'calendar.no_shift', 'There is no such shift of this machine.', jsonb_build_object('machine', p_machine, 'day', p_shift_date, 'shift', p_shift));
  end if;
  return v_shift;
end $$;
comment on function private.shift_asked is 'The shift named, else the one that is on or was last. Errors: calendar.no_shift (404).';

create function private.ideal_then(p_machine text, p_item text, p_stretch tstzrange, p_until timestamptz)
returns numeric language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
begin
  return coalesce(
    (select c.ideal_s from public.count_minute c where c.machine = p_machine and coalesce(c.sku, '') = p_item and c.ideal_s is not null
        and c.last_at >= lower(p_stretch) and c.minute < p_until order by c.minute desc limit 1),
    (select c.ideal_s from public.count_minute c where c.machine = p_machine and coalesce(c.sku, '') = p_item and c.ideal_s is not null
        and c.minute >= p_until and c.minute < upper(p_stretch) order by c.minute limit 1),
    (select c.ideal_s from public.count_minute c where p_until <= now() and c.machine = p_machine and coalesce(c.sku, '') = p_item and c.ideal_s is not null
        and c.minute < p_until order by c.minute desc limit 1),
    private.ideal_of(p_machine, nullif(p_item, '')));
end $$;
comment on function private.ideal_then is
$$Seconds per piece at best when an item was made, up to an instant: as it was written onto its last count until then, else onto its next one in that
stretch; of time that is over else as on the last count before; else as it is now.$$;

create function private.shift_plan(p_machine text, p_during tstzrange, p_zone text)
returns table (from_at timestamptz, to_at timestamptz, planned_s numeric, pieces numeric, due numeric) language plpgsql stable set search_path = '' as $$
begin
  return query
    with stretches as materialized (select s.item, s.during from private.item_stretches(p_machine, lower(p_during), upper(p_during), now()) s),
    parts as materialized (
      select b.from_at, b.to_at, x.ideal_s, private.planned_seconds(p_machine, x.from_at, x.to_at) as planned_s,
          case when x.from_at < now() then private.planned_seconds(p_machine, x.from_at, least(x.to_at, now())) else 0 end as over_s
        from private.buckets('hour', row(p_machine, null, null, lower(p_during), upper(p_during))::private.scope, p_zone) b
       cross join lateral (
         select q.from_at, q.to_at, private.ideal_then(p_machine, q.item, q.during, q.to_at) as ideal_s
           from (select s.item, s.during, greatest(b.from_at, lower(s.during)) as from_at, least(b.to_at, upper(s.during)) as to_at from stretches s) q
          where q.from_at < q.to_at offset 0) x
    )
    select p.from_at, p.to_at, sum(p.planned_s), case when bool_and(p.ideal_s is not null or p.planned_s = 0) then coalesce(sum(p.planned_s / p.ideal_s), 0) end,
        case when bool_and(p.ideal_s is not null or p.planned_s = 0) then coalesce(sum(p.over_s / p.ideal_s), 0) end
      from parts p group by 1, 2;
end $$;
comment on function private.shift_plan is
$$Hour by hour: planned time, the pieces that its items could make in it at best, and how many of them by now. Null: nobody has said how long one takes.
Which item it is says item_stretches, so a change of product or of ideal cycle does not plan hours anew that are over.$$;

create function public.get_shift_board(p_machine text, p_shift_date date default null, p_shift text default null)
returns setof public.shift_hour language plpgsql stable security definer set search_path = '' as $$
declare
  v_machine public.machines := (select m from public.machines m where m.code = p_machine);
  v_shift public.shift_instances;
  v_share numeric;
begin
  perform private.authorize('kpi.read', null, v_machine.site);
  perform private.find_machine(p_machine);
  v_shift := private.shift_asked(p_machine, p_shift_date, p_shift);
  v_share := private.setting('kpi.target_percent', null, v_machine.site)::numeric / 100;
  return query
    select h.from_at, h.to_at, h.planned_s, (h.done).run_s, h.target, (h.done).good, (h.done).scrap, (h.done).rework, sum(h.target) over w, sum((h.done).good) over w,
        sum(h.owed) over w, (h.done).unscheduled_pieces, l.code, l.title, l.seconds, p_machine, v_machine.name, v_shift.work_centre, c.title, v_shift.shift, v_shift.title, v_shift.shift_date
      from (select b.*, private.kpi_window(p_machine, b.from_at, b.to_at, now()) as done, trunc(b.pieces * v_share, 1) as target, trunc(b.due * v_share, 1) as owed
              from private.shift_plan(p_machine, v_shift.during, (select si.time_zone from public.sites si where si.code = v_machine.site)) b offset 0) h
      left join lateral (
        select coalesce(x.reason, x.time_class) as code, coalesce(r.title, c.title) as title, x.seconds from private.kpi_losses(array(select p from private.kpi_pieces(p_machine, h.from_at, h.to_at, now()) p)) x
          left join public.stop_reasons r on r.code = x.reason left join public.time_classes c on c.code = x.time_class
         where x.policy in ('loss_availability', 'loss_performance') order by x.seconds desc, x.kind limit 1) l on true
      left join public.work_centres c on c.code = v_shift.work_centre
    window w as (order by h.from_at) order by h.from_at;
end $$;
comment on function public.get_shift_board is
$$Plan against actual of a shift, hour by hour; the shift named, else the one that is on or was last.
Permission: kpi.read at the site of the machine.
Errors: machine.unknown (404), calendar.no_shift (404).
Idempotency: a read.
Locks: none.$$;

create function private.planned_seconds(p_machine text, p_from timestamptz, p_to timestamptz)
returns numeric language plpgsql stable set search_path = '' as $$
declare
  v_window tstzmultirange := tstzmultirange(tstzrange(p_from, p_to));
  v_working tstzmultirange := coalesce((select range_agg(i.during) from public.shift_instances i where i.machine = p_machine and i.during && tstzrange(p_from, p_to)), '{}');
  v_overtime tstzmultirange := coalesce((select range_agg(o.during) from public.overtime_windows o
    where o.machine = p_machine and o.during && tstzrange(p_from, p_to)), '{}');
  v_site text := (select m.site from public.machines m where m.code = p_machine);
  v_free tstzmultirange;
begin
  select v_window * v_working - coalesce(range_agg(p.during) filter (where p.time_class = 'break'), '{}') + v_window * v_overtime
      - coalesce(range_agg(p.during) filter (where p.time_class <> 'break'), '{}') into v_free
    from public.planned_stops p where p.machine = p_machine and p.is_active and p.during && tstzrange(p_from, p_to)
     and private.policy_of(v_site, p.time_class, lower(p.during)) = 'excluded';
  return (select coalesce(sum(private.seconds(lower(r.free), upper(r.free))), 0) from unnest(v_free) as r (free));
end $$;
comment on function private.planned_seconds is 'Working time ahead, by the policies of the site: what a plan can count on, also of hours that are not over. Of the past, kpi_window is what was.';

create type public.microstop_summary as (
  micro_stops bigint, seconds numeric, average_s numeric, share_of_run numeric, by_machine jsonb, by_hour jsonb, by_state jsonb, last jsonb);
comment on type public.microstop_summary is
$$Stops that ended within the threshold of their machine and that nobody classified. by_machine [{machine, name, stops, seconds}], by_hour [{hour 0–23 of the
plant, stops, seconds}], by_state [{state, stops, seconds}], last: the 20 latest [{machine, name, from, to, seconds, state}].$$;

create function public.get_microstops(
  p_machine text default null, p_from timestamptz default null, p_to timestamptz default null, p_line text default null, p_site text default null)
returns public.microstop_summary language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text;
  v_range tstzrange;
  v_zone text;
  v_run numeric;
  v_sum public.microstop_summary;
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, p_line, null, p_site);
  perform private.authorize('kpi.read', null, v_site);
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  v_zone := coalesce((select si.time_zone from public.sites si where si.code = v_site), 'UTC');
  select (r.inputs).run_s into v_run from private.oee_rows(p_machine, p_line, null, v_site, lower(v_range), upper(v_range), 'total', now()) r;
  with pieces as materialized (
    select s.machine, m.name, p.stop_from, p.stop_to, p.state, p.starts_at, p.ends_at, private.seconds(p.starts_at, p.ends_at) as s, (p.starts_at = p.stop_from)::integer as n
      from private.scope_of(p_machine, p_line, null, v_site, lower(v_range), upper(v_range)) s join public.machines m on m.code = s.machine
     cross join lateral private.kpi_pieces(s.machine, s.from_at, s.to_at, now()) p where p.kind = 'micro'
  )
  select coalesce(sum(p.n), 0), coalesce(sum(p.s), 0), private.ratio(sum(p.s), sum(p.n)), private.ratio(sum(p.s), v_run),
    (select coalesce(jsonb_agg(x order by x.seconds desc, x.machine), '[]') from (select q.machine, q.name, sum(q.n) as stops, sum(q.s) as seconds from pieces q group by 1, 2) x),
    (select coalesce(jsonb_agg(x order by x.hour), '[]') from (select extract(hour from q.starts_at at time zone v_zone)::integer as hour, sum(q.n) as stops,
      sum(q.s) as seconds from pieces q group by 1) x),
    (select coalesce(jsonb_agg(x order by x.seconds desc, x.state), '[]') from (select q.state, sum(q.n) as stops, sum(q.s) as seconds from pieces q group by 1) x),
    (select coalesce(jsonb_agg(x order by x."from" desc), '[]') from (select q.machine, q.name, q.stop_from as "from", q.stop_to as "to",
      private.seconds(q.stop_from, q.stop_to) as seconds, q.state from pieces q where q.n = 1 order by q.stop_from desc limit 20) x)
    into v_sum from pieces p;
  return v_sum;
end $$;
comment on function public.get_microstops is
$$Micro-stops: how many, how long, where, at which hours, in which state, and the latest.
Permission: kpi.read at the site.
Errors: kpi.range (422), machine.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create type public.table_use as (work_centre text, shift text, shift_date date, starts_at timestamptz, ends_at timestamptz, capacity integer, occupied numeric, utilisation numeric);
comment on type public.table_use is
'Pieces on the table of a work centre, the average over a shift, of the positions it has. occupied counts at most the capacity at any instant.';

create function private.occupied_seconds(p_centre public.work_centres, p_from timestamptz, p_to timestamptz)
returns numeric language plpgsql stable set search_path = '' as $$
declare
  v_level numeric := coalesce((select sum(c.started - c.good - c.scrap - c.returned) from public.piece_counts c where c.work_centre = p_centre.code and c.at < p_from), 0);
begin
  return (
    select coalesce(sum(least(greatest(l.level, 0), p_centre.capacity) * private.seconds(l.at, l.until)), 0) from (
      select x.at, lead(x.at, 1, p_to) over (order by x.at) as until, v_level + sum(x.delta) over (order by x.at) as level from (
        select p_from as at, 0::numeric as delta
        union all select c.at, c.started - c.good - c.scrap - c.returned from public.piece_counts c where c.work_centre = p_centre.code and c.at >= p_from and c.at < p_to) x) l);
end $$;

create function public.get_table_utilization(
  p_work_centre text default null, p_from timestamptz default null, p_to timestamptz default null, p_site text default null)
returns setof public.table_use language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text;
  v_range tstzrange;
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(null, null, p_work_centre, p_site);
  perform private.authorize('kpi.read', null, v_site);
  v_range := private.ask_range(null, v_site, p_from, p_to);
  return query
    select w.code, s.shift, s.shift_date, s.starts_at, s.ends_at, w.capacity, private.ratio(o.held, private.seconds(s.starts_at, s.ends_at)),
        private.ratio(o.held, private.seconds(s.starts_at, s.ends_at) * w.capacity)
      from public.work_centres w
     cross join lateral (
       select distinct i.shift, i.shift_date, greatest(lower(i.during), lower(v_range)) as starts_at, least(upper(i.during), upper(v_range), now()) as ends_at
         from public.shift_instances i where i.work_centre = w.code and i.during && v_range and lower(i.during) < now()) s
     cross join lateral (select private.occupied_seconds(w, s.starts_at, s.ends_at) as held) o
     where w.site = any (private.caller_sites(v_site)) and (p_work_centre is null or w.code = p_work_centre) and s.ends_at > s.starts_at
     order by s.starts_at, w.code limit 1000;
end $$;
comment on function public.get_table_utilization is
$$How full the tables and presses were, per shift: pieces in process at the work centre, averaged over time, of its positions.
Permission: kpi.read at the site.
Errors: work_centre.unknown (404), kpi.range (422), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_shift_board, public.get_microstops, public.get_table_utilization to authenticated, service_role;

-- sql/M14_kpi/api_quality.sql

-- Quality by reason, item, step and day --------------------------------------------------------------------------------

create type public.quality_breakdown as (
  total numeric, good numeric, scrap numeric, rework numeric, first_pass_yield numeric, rolled_yield numeric, scrap_ratio numeric, rework_ratio numeric,
  by_reason jsonb, by_item jsonb, by_step jsonb, by_day jsonb, chart jsonb);
comment on type public.quality_breakdown is
$$Pieces that were counted, each once. first_pass_yield = good / total; rolled_yield: the product of those of the steps. by_reason [{reason, title, quantity,
share, cumulative}] of scrap and rework, by_item and by_step [{…, total, good, scrap, rework, first_pass_yield}], by_day the same per plant-calendar
day. chart: XmR of the scrap per day {x_bar, mr_bar, ucl, lcl, mr_ucl, moving_ranges, out_of_control}, null with fewer than two days.$$;

create function private.xmr(p_values numeric[])
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return (
    with points as (
      select v.x, v.n, abs(v.x - lag(v.x) over (order by v.n)) as mr from unnest(p_values) with ordinality as v (x, n)
    ), means as (select avg(p.x) as x_bar, avg(p.mr) as mr_bar from points p)
    select jsonb_build_object('x_bar', m.x_bar, 'mr_bar', m.mr_bar, 'ucl', m.x_bar + 2.66 * m.mr_bar, 'lcl', m.x_bar - 2.66 * m.mr_bar, 'mr_ucl', 3.267 * m.mr_bar,
        'moving_ranges', (select jsonb_agg(p.mr order by p.n) from points p where p.mr is not null),
        'out_of_control', coalesce((select jsonb_agg(p.n order by p.n) from points p where p.x not between m.x_bar - 2.66 * m.mr_bar and m.x_bar + 2.66 * m.mr_bar), '[]'))
      from means m where cardinality(p_values) > 1);
end $$;
comment on function private.xmr is 'Chart of individuals and moving ranges: limits at x̄ ± 2.66 · mean range, ranges up to 3.267 · mean range. out_of_control: ordinals from 1.';

create function private.yield_json(p_total numeric, p_good numeric, p_scrap numeric, p_rework numeric)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return jsonb_build_object('total', p_total, 'good', p_good, 'scrap', p_scrap, 'rework', p_rework, 'first_pass_yield', private.ratio(p_good, p_total));
end $$;

create function private.counted_pieces(
  p_machine text, p_line text, p_work_centre text, p_site text, p_range tstzrange, p_zone text)
returns table (machine text, sku text, step text, day date, reason text, good numeric, scrap numeric, rework numeric)
language plpgsql stable set search_path = '' as $$
begin
  return query
    select s.machine, c.sku, w.step, (c.at at time zone p_zone)::date, c.reason, sum(c.good), sum(c.scrap), sum(c.rework)
      from private.scope_of(p_machine, p_line, p_work_centre, p_site, lower(p_range), upper(p_range)) s
      join public.count_events c on c.machine = s.machine and c.at >= s.from_at and c.at < s.to_at
      left join public.work_centres w on w.code = s.work_centre
     group by 1, 2, 3, 4, 5;
end $$;

create function public.get_quality_breakdown(
  p_machine text default null, p_from timestamptz default null, p_to timestamptz default null, p_line text default null, p_work_centre text default null,
  p_site text default null)
returns public.quality_breakdown language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text;
  v_range tstzrange;
  v_zone text;
  v public.quality_breakdown;
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, p_line, p_work_centre, p_site);
  perform private.authorize('kpi.read', null, v_site);
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  v_zone := coalesce((select si.time_zone from public.sites si where si.code = v_site), 'UTC');
  with c as materialized (select *, k.good + k.scrap + k.rework as total from private.counted_pieces(p_machine, p_line, p_work_centre, v_site, v_range, v_zone) k),
  reasons as (select coalesce(c.reason, '-') as reason, sum(c.scrap + c.rework) as quantity from c group by 1 having sum(c.scrap + c.rework) <> 0),
  steps as (select coalesce(c.step, '-') as step, sum(c.total) as total, sum(c.good) as good, sum(c.scrap) as scrap, sum(c.rework) as rework from c group by 1)
  select coalesce(sum(c.total), 0), coalesce(sum(c.good), 0), coalesce(sum(c.scrap), 0), coalesce(sum(c.rework), 0), private.ratio(sum(c.good), sum(c.total)),
    (select round(case when min(s.good) > 0 then exp(sum(ln(nullif(s.good, 0) / s.total))) else 0 end, 12) from steps s where s.total > 0 and s.good >= 0),
    private.ratio(sum(c.scrap), sum(c.total)), private.ratio(sum(c.rework), sum(c.total)),
    (select coalesce(jsonb_agg(jsonb_build_object('reason', nullif(x.reason, '-'), 'title', coalesce(q.title, 'No reason given'), 'quantity', x.quantity,
        'share', private.ratio(x.quantity, x.whole), 'cumulative', private.ratio(x.so_far, x.whole)) order by x.quantity desc, x.reason), '[]')
       from (select r.*, sum(r.quantity) over () as whole, sum(r.quantity) over (order by r.quantity desc, r.reason) as so_far from reasons r) x
       left join public.quality_reasons q on q.code = x.reason),
    (select coalesce(jsonb_agg(jsonb_build_object('sku', x.sku) || private.yield_json(x.total, x.good, x.scrap, x.rework) order by x.scrap desc, x.sku), '[]')
       from (select k.sku, sum(k.total) as total, sum(k.good) as good, sum(k.scrap) as scrap, sum(k.rework) as rework from c k group by 1) x),
    (select coalesce(jsonb_agg(jsonb_build_object('step', s.step) || private.yield_json(s.total, s.good, s.scrap, s.rework) order by s.step), '[]') from steps s),
    (select coalesce(jsonb_agg(jsonb_build_object('day', x.day) || private.yield_json(x.total, x.good, x.scrap, x.rework) order by x.day), '[]')
       from (select k.day, sum(k.total) as total, sum(k.good) as good, sum(k.scrap) as scrap, sum(k.rework) as rework from c k group by 1) x),
    (select private.xmr(array_agg(x.scrap order by x.day)) from (select k.day, sum(k.scrap) as scrap from c k group by 1) x)
    into v from c;
  return v;
end $$;
comment on function public.get_quality_breakdown is
$$Good, scrap and rework, as machines and people counted them: by reason (the largest first, without a reason too), by item, step and day, with a chart of
the scrap per day. Scrap is of what was produced, never of scrap and rework alone; rework is no scrap.
Permission: kpi.read at the site.
Errors: kpi.range (422), machine.unknown (404), work_centre.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_quality_breakdown to authenticated, service_role;

-- sql/M14_kpi/api_reliability.sql

-- How often it breaks, and how long until it runs again ----------------------------------------------------------------

create type private.failure as (
  machine text, occurred_at timestamptz, restored_at timestamptz, down_s numeric, during tstzmultirange, repair_id bigint, stop_id bigint);

create type private.failing as (repair_id bigint, stop_id bigint, during tstzrange);

create function private.failing_since(p_machine text, p_at timestamptz)
returns timestamptz language plpgsql stable set search_path = '' as $$
declare
  v_since timestamptz := p_at;
  v_before timestamptz;
begin
  loop
    select lower(s.during) into v_before from public.stops s
     where s.machine = p_machine and s.is_failure and s.during @> v_since - interval '1 microsecond';
    exit when v_before is null;
    v_since := v_before;
  end loop;
  return v_since;
end $$;
comment on function private.failing_since is 'Where the failing stops begin that reach an instant, one right after the other; the instant itself when none does.';

create function private.failing_stretches(p_machine text, p_from timestamptz, p_as_of timestamptz)
returns setof private.failing language plpgsql stable set search_path = '' as $$
declare
  v_since timestamptz := private.failing_since(p_machine, least(p_from, p_as_of));
begin
  -- A repair that is heard of since then may have begun long before, beside failing stops that it was never told of.
  v_since := private.failing_since(p_machine, least(v_since, (select min(lower(o.during))
    from public.stops s join public.stop_repairs l on l.stop_id = s.id
    join public.stop_repairs k on k.repair_id = l.repair_id join public.stops o on o.id = k.stop_id
   where s.machine = p_machine and s.during && tstzrange(v_since - interval '1 microsecond', null))));
  return query
    with stops as materialized (   -- stretch: failing stops one right after the other, as when one was split
      select s.id, s.during, sum(s.is_new::integer) over (order by lower(s.during)) as stretch
        from (select t.id, t.during, lag(upper(t.during)) over (order by lower(t.during)) is distinct from lower(t.during) as is_new
                from public.stops t where t.machine = p_machine and t.is_failure and lower(t.during) between v_since and p_as_of) s
    ), links as materialized (
      select l.stop_id, r.id as repair_id, r.occurred_at from public.repairs r join public.stop_repairs l on l.repair_id = r.id
       where r.machine = p_machine and r.is_failure
    ), owners as (
      select n.stretch, min(l.repair_id) as repair_id from stops n join links l on l.stop_id = n.id group by 1
    )
    select l.repair_id, null::bigint, case when s.is_failure then s.during else s.during * tstzrange(l.occurred_at, null) end
      from links l join public.stops s on s.id = l.stop_id
     where lower(s.during) <= p_as_of and (s.is_failure or upper_inf(s.during) or upper(s.during) > l.occurred_at)
    union all
    select o.repair_id, case when o.repair_id is null then min(s.id) over (partition by s.stretch) end, s.during
      from stops s left join owners o on o.stretch = s.stretch
     where s.id not in (select l.stop_id from links l);
end $$;
comment on function private.failing_stretches is
$$When a machine was down, by failure. Of a repair: its stops, of one that has another reason what lies behind its own beginning, and failing stops that
touch them. Other failing stops, by the first of those that touch: a stop that was split is one failure. What reaches p_from (or p_as_of, when that is
earlier) is whole; of what was over before, perhaps a part.$$;

create function private.failures(p_machine text, p_from timestamptz, p_to timestamptz, p_as_of timestamptz)
returns setof private.failure language plpgsql stable set search_path = '' as $$
begin
  return query
    with down as (
      select f.repair_id, f.stop_id, min(lower(f.during)) as first_at, case when bool_and(coalesce(upper(f.during) <= p_as_of, false)) then max(upper(f.during)) end as last_at,
          range_agg(f.during) as during
        from private.failing_stretches(p_machine, p_from, p_as_of) f group by 1, 2
    ), failed as (
      select coalesce(d.first_at, r.occurred_at) as occurred_at, case when d.first_at is not null then d.last_at
            when r.closed_at <= p_as_of and r.runs_again is not false then r.closed_at end as restored_at,
          d.during, r.id as repair_id, d.stop_id
        from down d full join (select x.* from public.repairs x where x.machine = p_machine and x.is_failure) r on r.id = d.repair_id
    )
    select p_machine, f.occurred_at, f.restored_at, case when f.restored_at is null then null
          when f.during is null then private.seconds(f.occurred_at, f.restored_at)
          else (select sum(private.seconds(lower(u.r), upper(u.r))) from unnest(f.during) as u (r)) end,
        coalesce(f.during, tstzmultirange(tstzrange(f.occurred_at, greatest(coalesce(f.restored_at, 'infinity'), f.occurred_at)))), f.repair_id, f.stop_id
      from failed f
     where f.occurred_at < p_to and f.occurred_at <= p_as_of and (f.occurred_at >= p_from or f.restored_at >= p_from or f.restored_at is null);
end $$;
comment on function private.failures is
$$Failures that began or were open in [p_from, p_to): one per repair, however many stops it has and however often it was reopened, and one per stretch of
failing stops that no repair knows of. occurred_at: when it stood first, else since when it was reported; restored_at: when production could go on, the
end of the last stop, without a stop the closing of the repair; during: its stops, without one all of it; down_s: of them each second once, and not the
time between them.$$;

create function private.time_in_status(p_repair_id bigint, p_status text, p_as_of timestamptz)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return (select coalesce(sum(private.seconds(x.at, least(x.until, p_as_of))), 0)
    from (select s.status, s.at, lead(s.at, 1, p_as_of) over (order by s.n) as until from public.repair_statuses s where s.repair_id = p_repair_id) x
   where x.status = p_status and x.at < p_as_of);
end $$;

create function private.key_of(p_by text, p_scope private.scope)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return case p_by when 'machine' then p_scope.machine when 'line' then coalesce(p_scope.line, '-') else '' end;
end $$;

create function private.title_of(p_by text, p_key text)
returns text language plpgsql stable set search_path = '' as $$
begin
  return case p_by when 'machine' then (select m.name from public.machines m where m.code = p_key)
    when 'line' then (select l.title from public.lines l where l.code = p_key) end;
end $$;
comment on function private.title_of is 'What people call the machine or line of a key.';

create function private.check_by(p_by text)
returns void language plpgsql immutable set search_path = '' as $$
begin
  if p_by is null or p_by not in ('total', 'machine', 'line') then
    perform private.fail(422, 'kpi.by', 'Ask by total, machine or line.', jsonb_build_object('field', 'p_by', 'actual', p_by));
  end if;
end $$;

create type private.failure_sum as (
  key text, failures bigint, restored bigint, open bigint, down_s numeric, corrective_s numeric, wrench_s numeric, waiting_s numeric);

create function private.failure_sums(p_scopes private.scope[], p_by text, p_to timestamptz, p_as_of timestamptz)
returns setof private.failure_sum language plpgsql stable set search_path = '' as $$
begin
  return query
    with scopes as (
      select s.*, private.key_of(p_by, s) as key from unnest(p_scopes) s
    ), failed as materialized (   -- once per machine, however often it moved
      select f.* from (select c.machine, min(c.from_at) as from_at from scopes c group by 1) m
       cross join lateral private.failures(m.machine, m.from_at, p_to, p_as_of) f
    ), told as (   -- each instant is in one place: where the machine stood then
      select c.key, f.*, coalesce(f.occurred_at >= c.from_at and f.occurred_at < c.to_at, false) as is_new,
          coalesce(f.restored_at >= c.from_at and f.restored_at < c.to_at, false) as is_restored,
          coalesce(c.to_at = p_to and f.occurred_at < p_to and coalesce(f.restored_at >= p_to, true), false) as is_open
        from scopes c left join failed f on f.machine = c.machine
    ), clipped as (
      select c.key, sum(private.seconds(lower(r.during), upper(r.during))) as seconds from scopes c
       cross join lateral unnest((select range_agg(f.during) * tstzmultirange(tstzrange(c.from_at, least(c.to_at, p_as_of))) from failed f
          where f.machine = c.machine)) as r (during)
       where c.from_at < p_as_of group by 1
    )
    select t.key, count(*) filter (where t.is_new), count(*) filter (where t.is_restored), count(*) filter (where t.is_open),
        coalesce(sum(t.down_s) filter (where t.is_restored), 0), coalesce((select k.seconds from clipped k where k.key = t.key), 0),
        avg(private.time_in_status(t.repair_id, 'in_repair', p_as_of)) filter (where t.is_restored and t.repair_id is not null),
        avg(private.time_in_status(t.repair_id, 'waiting', p_as_of)) filter (where t.is_restored and t.repair_id is not null)
      from told t group by t.key;
end $$;
comment on function private.failure_sums is
$$Failures that began, that were restored, and that were open at the end of the time asked for, by where the machine stood at that instant. Open before +
began = restored + open after. down_s: whole failures that were restored; corrective_s: what of all of them lies in the time asked for, overlaps once.$$;

create function private.responses(p_scopes private.scope[], p_by text, p_as_of timestamptz)
returns table (key text, mtta_s numeric, response_s numeric) language plpgsql stable set search_path = '' as $$
begin
  return query
    select private.key_of(p_by, c),
        avg(private.seconds(r.reported_at, r.acknowledged_at))
          filter (where r.acknowledged_at >= c.from_at and r.acknowledged_at < c.to_at and r.acknowledged_at <= p_as_of),
        avg(private.seconds(r.reported_at, r.started_at)) filter (where r.started_at >= c.from_at and r.started_at < c.to_at and r.started_at <= p_as_of)
      from unnest(p_scopes) c join public.repairs r on r.machine = c.machine and r.type = 'unscheduled' group by 1;
end $$;
comment on function private.responses is
$$How long people took to acknowledge and to begin, of every unscheduled repair that was acknowledged or begun in the time asked for: also of one that is
still open, and of one beside which the machine runs.$$;

create function private.ran_seconds(p_scopes private.scope[], p_by text, p_as_of timestamptz)
returns table (key text, seconds numeric) language plpgsql stable set search_path = '' as $$
begin
  return query
    select k.key, sum((k.i).run_s + (k.i).setup_s)
      from (select private.key_of(p_by, s) as key, private.kpi_window(s.machine, s.from_at, s.to_at, p_as_of) as i from unnest(p_scopes) s offset 0) k group by 1;
end $$;

create function private.maintained_seconds(p_scopes private.scope[], p_by text, p_as_of timestamptz)
returns table (key text, seconds numeric) language plpgsql stable set search_path = '' as $$
begin
  return query
    select private.key_of(p_by, s), sum(private.seconds(lower(r.during), upper(r.during)))
      from unnest(p_scopes) s
     cross join lateral unnest((select range_agg(p.during * tstzrange(s.from_at, least(s.to_at, p_as_of))) from public.planned_stops p
        where p.machine = s.machine and p.is_active and p.time_class = 'planned_maintenance' and p.during && tstzrange(s.from_at, least(s.to_at, p_as_of))))
        as r (during)
     where s.from_at < p_as_of group by 1;
end $$;
comment on function private.maintained_seconds is 'Planned maintenance, overlaps once.';

create type public.mttr_row as (
  key text, title text, failures bigint, restored bigint, open bigint, mttr_s numeric, mtta_s numeric, response_s numeric, wrench_s numeric, waiting_s numeric,
  corrective_s numeric, preventive_s numeric, corrective_ratio numeric);
comment on type public.mttr_row is
$$title: of the machine or line. restored: failures after which production went on in the time asked for; mttr_s: how long they kept the machine down, its
stops added up, their mean, null without any. mtta_s: reported until acknowledged, response_s: reported until work began, of all unscheduled repairs that
were acknowledged or begun in the time; wrench_s: work itself, waiting_s: for parts, people or a vendor, means of the repairs among the restored. open:
still down at the end. corrective_s: what of all failures lies in the time; preventive_s: planned maintenance in it, overlaps once; corrective_ratio of both.$$;

create function public.get_mttr(
  p_machine text default null, p_from timestamptz default null, p_to timestamptz default null, p_by text default 'total', p_line text default null,
  p_work_centre text default null, p_site text default null, p_as_of timestamptz default null)
returns setof public.mttr_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text;
  v_range tstzrange;
  v_as_of timestamptz := least(coalesce(p_as_of, now()), now());
  v_scopes private.scope[];
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, p_line, p_work_centre, p_site);
  perform private.authorize('kpi.read', null, v_site);
  perform private.check_by(p_by);
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  v_scopes := array(select s from private.scope_of(p_machine, p_line, p_work_centre, v_site, lower(v_range), upper(v_range)) s);
  return query
    select f.key, private.title_of(p_by, f.key), f.failures, f.restored, f.open, private.ratio(f.down_s, f.restored), t.mtta_s, t.response_s, f.wrench_s,
        f.waiting_s, f.corrective_s, coalesce(p.seconds, 0), private.ratio(f.corrective_s, f.corrective_s + coalesce(p.seconds, 0))
      from private.failure_sums(v_scopes, p_by, upper(v_range), v_as_of) f
      left join private.responses(v_scopes, p_by, v_as_of) t on t.key = f.key
      left join private.maintained_seconds(v_scopes, p_by, v_as_of) p on p.key = f.key order by f.key;
end $$;
comment on function public.get_mttr is
$$Mean time to repair of failures after which production went on in the time asked for, and what it is made of. The R is restoration: all the time that the
machine stood because of it; wrench time stands beside it. p_by total, machine, line.
Permission: kpi.read at the site.
Errors: kpi.by (422), kpi.range (422), machine.unknown (404), work_centre.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create type public.mtbf_row as (
  key text, title text, operating_s numeric, failures bigint, mtbf_s numeric, at_least_s numeric, mttr_s numeric, inherent_availability numeric);
comment on type public.mtbf_row is
$$title: of the machine or line. operating_s: time in which it ran or was set up; failures that began in the time asked for; mtbf_s = operating_s /
failures, null without any, and then at_least_s says how long it ran. inherent_availability = MTBF / (MTBF + MTTR).$$;

create function private.mtbf_rows(p_scopes private.scope[], p_by text, p_as_of timestamptz, p_failed private.failure_sum[])
returns setof public.mtbf_row language plpgsql stable set search_path = '' as $$
begin
  return query
    select r.key, private.title_of(p_by, r.key), r.seconds, f.failures, private.ratio(r.seconds, f.failures), case when f.failures = 0 then r.seconds end,
        private.ratio(f.down_s, f.restored),
        private.ratio(private.ratio(r.seconds, f.failures), private.ratio(r.seconds, f.failures) + private.ratio(f.down_s, f.restored))
      from private.ran_seconds(p_scopes, p_by, p_as_of) r join unnest(p_failed) f on f.key = r.key order by r.key;
end $$;

create function public.get_mtbf(
  p_machine text default null, p_from timestamptz default null, p_to timestamptz default null, p_by text default 'total', p_line text default null,
  p_work_centre text default null, p_site text default null, p_as_of timestamptz default null)
returns setof public.mtbf_row language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text;
  v_range tstzrange;
  v_as_of timestamptz := least(coalesce(p_as_of, now()), now());
  v_scopes private.scope[];
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, p_line, p_work_centre, p_site);
  perform private.authorize('kpi.read', null, v_site);
  perform private.check_by(p_by);
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  v_scopes := array(select s from private.scope_of(p_machine, p_line, p_work_centre, v_site, lower(v_range), upper(v_range)) s);
  return query select * from private.mtbf_rows(v_scopes, p_by, v_as_of, array(select f from private.failure_sums(v_scopes, p_by, upper(v_range), v_as_of) f));
end $$;
comment on function public.get_mtbf is
$$Mean time between failures: time the machines ran or were set up, not calendar time, per failure that began in it. p_by total, machine, line; of a
fleet the sum of all running time by the sum of all failures.
Permission: kpi.read at the site.
Errors: kpi.by (422), kpi.range (422), machine.unknown (404), work_centre.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create type public.reliability_week as (
  week date, starts_at timestamptz, ends_at timestamptz, failures bigint, restored bigint, open bigint, operating_s numeric, mttr_s numeric, mtbf_s numeric,
  at_least_s numeric, inherent_availability numeric);
comment on type public.reliability_week is
$$A week of the plant's calendar from its Monday on, as get_mttr and get_mtbf answer it; the one that is on as far as it is over.$$;

create function public.get_reliability_weeks(
  p_weeks integer default 12, p_machine text default null, p_line text default null, p_work_centre text default null, p_site text default null)
returns setof public.reliability_week language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text;
  v_zone text;
  v_week record;
  v_scopes private.scope[];
  v_failed private.failure_sum[];
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, p_line, p_work_centre, p_site);
  perform private.authorize('kpi.read', null, v_site);
  if p_weeks is null or p_weeks not between 1 and 53 then
    perform private.fail(422, 'kpi.range', 'Ask for 1 to 53 weeks.', jsonb_build_object('field', 'p_weeks', 'actual', p_weeks));
  end if;
  v_zone := coalesce((select si.time_zone from public.sites si where si.code = v_site), 'UTC');
  for v_week in
    select w.monday, w.monday at time zone v_zone as starts_at, (w.monday + interval '7 days') at time zone v_zone as ends_at
      from (select date_trunc('week', now() at time zone v_zone) - make_interval(weeks => n) as monday from generate_series(p_weeks - 1, 0, -1) n) w
     order by w.monday
  loop
    v_scopes := array(select s from private.scope_of(p_machine, p_line, p_work_centre, v_site, v_week.starts_at, v_week.ends_at) s);
    v_failed := array(select f from private.failure_sums(v_scopes, 'total', v_week.ends_at, now()) f);
    return query
      select v_week.monday::date, v_week.starts_at, v_week.ends_at, f.failures, f.restored, f.open, m.operating_s, m.mttr_s, m.mtbf_s, m.at_least_s,
          m.inherent_availability
        from unnest(v_failed) f join private.mtbf_rows(v_scopes, 'total', now(), v_failed) m on m.key = f.key;
  end loop;
end $$;
comment on function public.get_reliability_weeks is
$$MTTR and MTBF of the last p_weeks weeks (1 to 53, the one that is on among them), the oldest first: of a machine, line, work centre or site.
Permission: kpi.read at the site.
Errors: kpi.range (422), machine.unknown (404), work_centre.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_mttr, public.get_mtbf, public.get_reliability_weeks to authenticated, service_role;

-- sql/M14_kpi/api_handover.sql

-- From one shift to the next -------------------------------------------------------------------------------------------

create type public.handover_change as (changed boolean, event_id bigint, handover public.shift_handovers);
comment on type public.handover_change is 'Answer of a command on a handover: did it change anything, its event, the handover now.';

create function private.handover_snapshot(p_work_centre text, p_shift_date date, p_shift text, p_now timestamptz)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    with parts as (
      select i.machine, lower(i.during) as from_at, upper(i.during) as to_at, c.pieces,
          private.kpi_sums(i.machine, lower(i.during), least(upper(i.during), p_now), c.pieces) as inputs, private.machine_now(i.machine, p_now) as now
        from public.shift_instances i
       cross join lateral (select array(select p from private.kpi_pieces(i.machine, lower(i.during), upper(i.during), p_now) p) as pieces offset 0) c
       where i.work_centre = p_work_centre and i.shift_date = p_shift_date and i.shift = p_shift
    ), total as (select private.kpi_total(array_agg(p.inputs)) as inputs, min(p.from_at) as from_at, max(p.to_at) as to_at from parts p)
    select jsonb_build_object('from', t.from_at, 'to', t.to_at, 'as_of', p_now, 'inputs', to_jsonb(t.inputs), 'ratios', to_jsonb(private.kpi_ratios(t.inputs)),
      'machines', (select jsonb_agg(jsonb_build_object('machine', p.machine, 'state', (p.now).state, 'since', (p.now).since, 'reason', ((p.now).stop).reason,
          'inputs', to_jsonb(p.inputs), 'ratios', to_jsonb(private.kpi_ratios(p.inputs)), 'losses', private.losses_json(p.pieces),
          'open_repairs', (select coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'status', r.status, 'symptom', r.symptom, 'is_down', r.is_down) order by r.id), '[]')
            from public.repairs r where r.machine = p.machine and r.is_open)) order by p.machine) from parts p))
      from total t where t.from_at is not null);
end $$;

create function private.shift_of_centre(p_work_centre text, p_shift_date date, p_shift text)
returns public.shift_instances language plpgsql stable set search_path = '' as $$
declare
  v_shift public.shift_instances;
begin
  select i.* into v_shift from public.shift_instances i
   where i.work_centre = p_work_centre and not i.is_overtime and lower(i.during) <= now() and (p_shift_date is null or i.shift_date = p_shift_date)
     and (p_shift is null or i.shift = p_shift)
   order by abs(extract(epoch from upper(i.during) - now())), lower(i.during) limit 1;
  if v_shift.id is null then
    perform private.fail(404, 'calendar.no_shift', 'There is no such shift of this work centre that has begun.',
      jsonb_build_object('work_centre', p_work_centre, 'day', p_shift_date, 'shift', p_shift));
  end if;
  return v_shift;
end $$;

comment on function private.shift_of_centre is
$$The shift named, else the one that ends around now: after the change it is still the one before, not the one that has just begun. Errors:
calendar.no_shift (404).$$;

create function public.shift_handover(
  p_work_centre text, p_notes text default null, p_shift_date date default null, p_shift text default null, p_request_id uuid default null)
returns public.handover_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('shifts.handover', null, (select w.site from public.work_centres w where w.code = p_work_centre));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'shift_handover', jsonb_build_array(p_work_centre, p_notes, p_shift_date, p_shift));
  v_shift public.shift_instances;
  v_change public.handover_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.handover_change, v_answer);
  end if;
  perform private.find_work_centre(p_work_centre);
  perform private.check_length('p_notes', p_notes, 4000);
  v_shift := private.shift_of_centre(p_work_centre, p_shift_date, p_shift);
  insert into public.shift_handovers as h (site, work_centre, shift, shift_date, snapshot, notes, signed_by)
  values (v_shift.site, p_work_centre, v_shift.shift, v_shift.shift_date,
    private.handover_snapshot(p_work_centre, v_shift.shift_date, v_shift.shift, now()), p_notes, v_actor)
  on conflict on constraint shift_handovers_shift_key do nothing returning h into v_change.handover;
  v_change.changed := (v_change.handover).id is not null;
  if v_change.changed then
    v_change.event_id := private.emit('shift', (v_change.handover).id::text, 'shift.handed_over', v_actor, jsonb_build_object('work_centre', p_work_centre,
      'shift', v_shift.shift, 'day', v_shift.shift_date, 'version', (v_change.handover).version), null, v_shift.site);
  else
    v_change.handover := (select h from public.shift_handovers h where (h.work_centre, h.shift_date, h.shift) = (p_work_centre, v_shift.shift_date, v_shift.shift));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.shift_handover is
$$Sign what the shift leaves behind: figures, states, losses and open repairs of the machines of a work centre as they are now, with notes. The shift
named, else the one whose end is nearest to now. Signed once; it is not changed afterwards.
Permission: shifts.handover at the site of the work centre.
Errors: work_centre.unknown (404), calendar.no_shift (404), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a shift that was handed over answers changed = false.
Locks: none.$$;

create function public.receive_shift(p_id bigint, p_request_id uuid default null)
returns public.handover_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('shifts.handover', null, (select h.site from public.shift_handovers h where h.id = p_id));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'receive_shift', jsonb_build_array(p_id));
  v_change public.handover_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.handover_change, v_answer);
  end if;
  select h into v_change.handover from public.shift_handovers h where h.id = p_id for update;
  if (v_change.handover).id is null then
    perform private.fail(404, 'shift.unknown', 'There is no such handover.', jsonb_build_object('id', p_id));
  elsif (v_change.handover).signed_by = v_actor then
    perform private.fail(403, 'shift.own', 'You gave this shift: somebody else takes it.', jsonb_build_object('id', p_id));
  end if;
  v_change.changed := (v_change.handover).received_at is null;
  if v_change.changed then
    update public.shift_handovers h set received_by = v_actor, received_at = now() where h.id = p_id returning h into v_change.handover;
    v_change.event_id := private.emit('shift', p_id::text, 'shift.received', v_actor, jsonb_build_object('work_centre', (v_change.handover).work_centre,
      'version', (v_change.handover).version), null, (v_change.handover).site);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.receive_shift is
$$Sign that a handover was read: by somebody else than who gave it.
Permission: shifts.handover at its site.
Errors: shift.unknown (404), shift.own (403), request.reused (422).
Idempotency: by p_request_id; received again it answers changed = false.
Locks: the handover.$$;

create type public.shift_start as (
  work_centre text, shift text, starts_at timestamptz, ends_at timestamptz, machines jsonb, can_run jsonb, people jsonb, handover public.shift_handovers,
  title text);
comment on type public.shift_start is
$$machines [{machine, name, state, since, reason, open_repairs, is_ready}]; can_run [{order, sku, sequence, step, pieces, due_date, priority}]: steps with good
pieces waiting, the most urgent first; title: of the work centre; people [{user_id, full_name, station, last_seen}] who did something at the site within the hour; handover: the last one.$$;

create function private.runnable(p_centre public.work_centres)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(to_jsonb(x) - 'rank' order by x.rank, x.due_date nulls last, x."order", x.sequence), '[]') from (
      select o.code as "order", o.product_sku as sku, s.sequence, s.step, o.due_date, o.priority, private.rank_of_production(o) as rank, n.pieces
        from public.production_order_steps s join public.production_orders o on o.id = s.order_id
       cross join lateral (select s.in_process + private.can_start(s) as pieces offset 0) n
       where s.step = p_centre.step and s.status <> 'COMPLETED' and o.site = p_centre.site and o.status not in ('CLOSED', 'CANCELLED')
         and (s.work_centre is null or s.work_centre = p_centre.code) and n.pieces > 0
       order by rank, o.due_date nulls last, o.code limit 50) x);
end $$;

create function public.start_of_shift(p_work_centre text)
returns public.shift_start language plpgsql stable security definer set search_path = '' as $$
declare
  v_centre public.work_centres := (select w from public.work_centres w where w.code = p_work_centre);
  v public.shift_start;
begin
  perform private.authorize('kpi.read', null, v_centre.site);
  perform private.find_work_centre(p_work_centre);
  v.work_centre := p_work_centre; v.title := v_centre.title;
  select i.title, lower(i.during), upper(i.during) into v.shift, v.starts_at, v.ends_at from public.shift_instances i
   where i.work_centre = p_work_centre and upper(i.during) > now() order by lower(i.during) limit 1;
  v.machines := (select coalesce(jsonb_agg(jsonb_build_object('machine', m.code, 'name', m.name, 'state', (n.now).state, 'since', (n.now).since,
      'reason', ((n.now).stop).reason, 'open_repairs', r.open, 'is_ready', v_centre.is_enabled and r.down = 0 and ((n.now).stop).id is null) order by m.code), '[]')
    from public.machines m cross join lateral (select private.machine_now(m.code, now()) as now offset 0) n
   cross join lateral (select count(*) as open, count(*) filter (where x.is_down and x.type = 'unscheduled') as down from public.repairs x where x.machine = m.code and x.is_open) r
   where m.work_centre = p_work_centre and m.is_active);
  v.can_run := private.runnable(v_centre);
  v.people := (select coalesce(jsonb_agg(to_jsonb(x) order by x.last_seen desc, x.full_name), '[]') from (
      select s.user_id, s.full_name, (array_agg(e.station order by e.at desc))[1] as station, max(e.at) as last_seen
        from public.events e join public.staff_shared s on s.user_id = e.actor_id
       where e.at > now() - interval '1 hour' and e.site = v_centre.site group by 1, 2) x);
  select h into v.handover from public.shift_handovers h where h.work_centre = p_work_centre order by h.signed_at desc limit 1;
  return v;
end $$;
comment on function public.start_of_shift is
$$What one has to know to begin: the shift that is on or comes next, its machines and whether they can run, what can be made there now, who is here, and
what the shift before left.
Permission: kpi.read at the site of the work centre.
Errors: work_centre.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.shift_handover, public.receive_shift, public.start_of_shift to authenticated, service_role;

-- sql/M14_kpi/views.sql

create view public.downtimes with (security_invoker = true) as
select s.id, s.machine, m.line, s.site, s.reason, r.title as reason_title, lower(s.during) as started_at, upper(s.during) as ended_at,
       extract(epoch from coalesce(upper(s.during), now()) - lower(s.during)) as duration_s, s.comment,
       array(select l.repair_id from public.stop_repairs l where l.stop_id = s.id order by l.repair_id) as repair_ids, s.version
  from public.stops s join public.machines m on m.code = s.machine left join public.stop_reasons r on r.code = s.reason
 where s.source <> 'signal' or s.reason is not null;
comment on view public.downtimes is
$$The register of downtimes: stops that a person or a repair opened, or that somebody gave a reason. ended_at null: it lasts; duration_s in seconds, so far.$$;

create or replace view public.machine_status with (security_invoker = true) as
select m.code as machine, m.site, m.line,
       case when r.broken_since is not null then 'broken' when r.maintained_since is not null then 'maintenance' when s.since is not null then 'stopped'
         else 'operational' end as status,
       coalesce(r.broken_since, r.maintained_since, s.since) as since, coalesce(r.open_repairs, 0)::integer as open_repairs
  from public.machines m
  left join lateral (select private.standing_since(m.code, now()) as since offset 0) s on true
  left join (
    select x.machine, count(*) as open_repairs,
           min(x.occurred_at) filter (where x.is_down and x.type = 'unscheduled' and x.status <> 'verified') as broken_since,
           min(x.started_at) filter (where x.is_down and x.type = 'scheduled' and x.status in ('in_repair', 'waiting', 'repaired')) as maintained_since
      from public.repairs x where x.is_open group by x.machine) r on r.machine = m.code;
comment on view public.machine_status is
$$operational, broken (an unscheduled repair keeps it down until it is verified), maintenance (scheduled work on it has begun) or stopped (it stands
without a repair, because somebody or the machine itself says so or it is silent, as on the wall), and since when.$$;

-- sql/M14_kpi/seed.sql

select private.allow(p, d, r) from (values
  ('kpi.read', 'See what machines do, stops, figures and shifts', '{viewer,operator,technician,supervisor,planner,manager,admin,service}'::text[]),
  ('machines.report', 'Report states and counts of machines', '{operator,technician,supervisor,planner,manager,admin,device.equipment,device.fixture,service}'),
  ('stops.report', 'Begin, end, split and classify stops', '{operator,technician,supervisor,planner,manager,admin,service}'),
  ('shifts.handover', 'Hand a shift over and take it', '{operator,technician,supervisor,planner,manager,admin}'),
  ('kpi.plan', 'Change shifts, planned stops, reasons, ideal cycles and policies', '{supervisor,planner,manager,admin,service}')
) as t (p, d, r);

insert into public.time_classes (code, title, is_planned, policy, big_loss, iso_element, position) values
  ('break', 'Break', true, 'excluded', 'none', 'planned', 10),
  ('meeting', 'Meeting', true, 'excluded', 'none', 'planned', 11),
  ('planned_maintenance', 'Planned maintenance', true, 'excluded', 'none', 'planned', 12),
  ('no_order', 'No order', true, 'excluded', 'none', 'ADOT', 13),
  ('changeover', 'Changeover', false, 'loss_availability', 'setup', 'AUST', 20),
  ('breakdown', 'Breakdown', false, 'loss_availability', 'breakdown', 'ADET', 21),
  ('material', 'Material', false, 'loss_availability', 'breakdown', 'ADET', 22),
  ('operator', 'Nobody there', false, 'loss_availability', 'breakdown', 'ADET', 23),
  ('quality', 'Quality', false, 'loss_availability', 'breakdown', 'ADET', 24),
  ('upstream', 'Starved', false, 'loss_availability', 'minor_stop', 'ADET', 25),
  ('downstream', 'Blocked', false, 'loss_availability', 'minor_stop', 'ADET', 26),
  ('utilities', 'Power, air, water', false, 'loss_availability', 'breakdown', 'ADET', 27),
  ('minor_stop', 'Micro-stops', false, 'loss_performance', 'minor_stop', 'ADET', 30),
  ('unclassified', 'Not classified', false, 'loss_availability', 'unclassified', 'ADET', 40),
  ('no_data', 'No data', false, 'loss_availability', 'unclassified', 'ADET', 41);

insert into public.stop_reasons (code, parent, title, time_class, is_failure, needs_repair, e10_state, position) values
  ('planned', null, 'Planned', 'meeting', false, false, 'SDT', 10),
  ('unplanned', null, 'Unplanned', 'unclassified', false, false, 'UDT', 20);
insert into public.stop_reasons (code, parent, title, time_class, is_failure, needs_repair, e10_state, position) values
  ('meeting', 'planned', 'Meeting', 'meeting', false, false, 'SDT', 11),
  ('planned-maintenance', 'planned', 'Planned maintenance', 'planned_maintenance', false, false, 'SDT', 12),
  ('no-order', 'planned', 'No order', 'no_order', false, false, 'SBY', 13),
  ('breakdown', 'unplanned', 'Breakdown', 'breakdown', true, true, 'UDT', 21),
  ('jam', 'unplanned', 'Jam', 'breakdown', false, false, 'UDT', 22),
  ('changeover', 'unplanned', 'Changeover', 'changeover', false, false, 'SDT', 23),
  ('tool', 'unplanned', 'Tool change', 'changeover', false, false, 'SDT', 24),
  ('material', 'unplanned', 'No material', 'material', false, false, 'SBY', 25),
  ('operator', 'unplanned', 'Nobody there', 'operator', false, false, 'SBY', 26),
  ('quality', 'unplanned', 'Quality problem', 'quality', false, false, 'UDT', 27),
  ('starved', 'unplanned', 'Waits for the machine before it', 'upstream', false, false, 'SBY', 28),
  ('blocked', 'unplanned', 'Waits for the machine after it', 'downstream', false, false, 'SBY', 29),
  ('utilities', 'unplanned', 'Power, air, water', 'utilities', false, false, 'UDT', 30),
  ('other', 'unplanned', 'Something else', 'unclassified', false, false, 'UDT', 31);

insert into public.setting_definitions (key, scope, type, bounds, default_value, title, description, position) values
  ('kpi.late_days', 'site', 'integer', '{"min": 1, "max": 400}', '400', 'Late facts of machines',
    'So many days late a state or a count may come, as from the buffer of a gateway. What is older is set aside: its clock is wrong.', 101),
  ('kpi.target_percent', 'site', 'integer', '{"min": 1, "max": 100}', '85', 'Target of a shift', 'Of what the ideal cycle allows in planned time, in percent.', 100);

insert into private.scheduled_jobs (name, function_name, every) values
  ('shifts of the next two weeks', 'extend_shifts', '1 hour'),
  ('figures of shifts that are over', 'snapshot_shifts', '1 minute'),
  ('call somebody to machines that stand', 'raise_andon_calls', '1 minute');

-- sql/M14_kpi/policies.sql

alter table public.shift_patterns enable row level security;
alter table public.calendar_exceptions enable row level security;
alter table public.shift_instances enable row level security;
alter table public.time_classes enable row level security;
alter table public.time_class_policies enable row level security;
alter table public.planned_stops enable row level security;
alter table public.overtime_windows enable row level security;
alter table public.machine_state_events enable row level security;
alter table public.quarantined_events enable row level security;
alter table public.ideal_cycles enable row level security;
alter table public.count_events enable row level security;
alter table public.count_minute enable row level security;
alter table public.stop_reasons enable row level security;
alter table public.stops enable row level security;
alter table public.stop_repairs enable row level security;
alter table public.oee_shifts enable row level security;
alter table public.shift_handovers enable row level security;
alter table private.shift_days enable row level security;
alter table private.andon_calls enable row level security;

create function private.readable_work_centres(p_permission text)
returns setof text language plpgsql stable security definer set search_path = '' as $$
begin
  return query select w.code from public.work_centres w where w.site = any (private.readable_sites(p_permission));
end $$;
comment on function private.readable_work_centres is
  'For policies, of rows that name their work centre: those of the sites where an active caller works and has this permission.';
grant execute on function private.readable_work_centres to authenticated;

-- Rows of a site, for who works there; rows of a machine, for whoever sees the machine. Classes of time and reasons are those of the whole plant.
create policy select_site on public.shift_patterns for select to authenticated
  using (work_centre in (select private.readable_work_centres('kpi.read')));
create policy select_site on public.calendar_exceptions for select to authenticated
  using ((select private.readable_sites('kpi.read')) @> array[site]);
create policy select_site on public.shift_instances for select to authenticated
  using ((select private.readable_sites('kpi.read')) @> array[site]);
create policy select_active on public.time_classes for select to authenticated using ((select private.may('kpi.read')));
create policy select_site on public.time_class_policies for select to authenticated
  using ((select private.readable_sites('kpi.read')) @> array[site]);
create policy select_site on public.planned_stops for select to authenticated
  using ((select private.readable_sites('kpi.read')) @> array[site]);
create policy select_site on public.overtime_windows for select to authenticated
  using (machine in (select private.readable_machines('kpi.read')));
create policy select_site on public.machine_state_events for select to authenticated
  using (machine in (select private.readable_machines('kpi.read')));
create policy select_site on public.quarantined_events for select to authenticated
  using ((select private.readable_sites('kpi.read')) @> array[site]);
create policy select_site on public.ideal_cycles for select to authenticated
  using (machine in (select private.readable_machines('kpi.read')));
create policy select_site on public.count_events for select to authenticated
  using (machine in (select private.readable_machines('kpi.read')));
create policy select_site on public.count_minute for select to authenticated
  using (machine in (select private.readable_machines('kpi.read')));
create policy select_active on public.stop_reasons for select to authenticated using ((select private.may('kpi.read')));
create policy select_site on public.stops for select to authenticated
  using ((select private.readable_sites('kpi.read')) @> array[site]);
create policy select_site on public.stop_repairs for select to authenticated
  using (exists (select from public.stops s where s.id = stop_id));
create policy select_site on public.oee_shifts for select to authenticated
  using (machine in (select private.readable_machines('kpi.read')));
create policy select_site on public.shift_handovers for select to authenticated
  using ((select private.readable_sites('kpi.read')) @> array[site]);

grant select on public.shift_patterns, public.calendar_exceptions, public.shift_instances, public.time_classes, public.time_class_policies,
  public.planned_stops, public.overtime_windows, public.machine_state_events, public.quarantined_events, public.ideal_cycles, public.count_events, public.count_minute,
  public.stop_reasons, public.stops, public.stop_repairs, public.oee_shifts, public.shift_handovers, public.downtimes to authenticated;
