create table public.stage_transitions (
  from_stage public.stage_type not null,
  to_stage public.stage_type not null,
  kind text not null constraint stage_transitions_kind_check check (kind in ('advance', 'return', 'undo')),
  constraint stage_transitions_pkey primary key (from_stage, to_stage)
);
comment on table public.stage_transitions is
  'The moves a ticket may make. A trigger holds every update to it; return = back for rework with a reason, undo = a step taken back.';

create table public.stations (
  code text not null constraint stations_code_check check (code ~ '^[a-z0-9][a-z0-9_-]{0,60}$'),
  site text not null,
  name text not null,
  store text,
  stage public.stage_type,
  is_active boolean not null default true,
  constraint stations_pkey primary key (code),
  constraint stations_site_fkey foreign key (site) references public.sites (code) on delete restrict,
  constraint stations_store_fkey foreign key (store) references public.stores (code) on delete restrict
);
create index stations_site_idx on public.stations (site);
create index stations_store_idx on public.stations (store);
comment on table public.stations is 'Places where work is scanned. A station with a stage (or store) takes only tickets of that stage (or store).';

create table private.recent_scans (
  row_id uuid not null,
  at timestamptz not null,
  answer jsonb not null,
  constraint recent_scans_pkey primary key (row_id),
  constraint recent_scans_row_id_fkey foreign key (row_id) references public.orders (row_id) on delete cascade
);
comment on table private.recent_scans is 'The last scan of a ticket: a second one within the double-scan window is the same scan.';

create table private.order_counters (
  store text not null,
  last_number integer not null default 0,
  constraint order_counters_pkey primary key (store),
  constraint order_counters_store_fkey foreign key (store) references public.stores (code) on delete cascade
);
comment on table private.order_counters is 'Numbers of manual orders (M1, M2 …), one row-locked counter per store.';

create table private.priority_days (
  site text not null,
  day date not null,
  constraint priority_days_pkey primary key (site),
  constraint priority_days_site_fkey foreign key (site) references public.sites (code) on delete cascade
);
comment on table private.priority_days is 'The plant-calendar day for which priorities were last worked out.';

create type public.scan_result as (
  ok boolean, changed boolean, action text, message text, status integer, code text, hint text, details jsonb,
  offer text, event_id bigint, candidates jsonb, order_row public.orders);
comment on type public.scan_result is
$$Answer of a scan. action: started, completed, nothing, ask, unit, ignored, refused. A refusal carries status, code, hint and details
like any error, is sent with that HTTP status, and is remembered as an event. ask lists candidates [{id, store, stage, …}].$$;

create type public.queue_page as (orders public.orders[], next_cursor text, total bigint);
comment on type public.queue_page is 'A page of tickets; next_cursor is null on the last page; total only when asked for.';

create type public.stage_count as (store text, stage public.stage_type, tickets bigint, unassigned bigint, high bigint, overdue bigint);
create type public.blocker as (code text, message text, next_action text, target text);
comment on type public.blocker is 'Why something does not go on: machine code, plain sentence, RPC that helps, page that shows it.';
create type public.timeline_entry as (
  id bigint, at timestamptz, event text, actor_id uuid, actor_name text, station text, payload jsonb);
