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
