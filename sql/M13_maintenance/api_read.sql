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
