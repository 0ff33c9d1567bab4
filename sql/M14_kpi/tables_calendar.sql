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
