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
