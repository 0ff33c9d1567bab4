-- What can run now, what waits, and why.

create type private.step_outlook as (can_start numeric, can_run boolean, why private.problem);

create function private.step_centre(p_order public.production_orders, p_step public.production_order_steps)
returns public.work_centres language plpgsql stable set search_path = '' as $$
begin
  return (
    select w from public.work_centres w
     where w.step = p_step.step and w.site = p_order.site and (p_step.work_centre is null or private.may_use_centre(p_step, w.code))
     order by w.is_enabled and w.is_active desc, case when w.capacity is not null then (private.position_problem(w, p_step)).status is null else true end desc,
       w.is_active desc, w.code limit 1);
end $$;
comment on function private.step_centre is
  'Of the work centres of its site that a step may use: the first one that can take it, else the one whose reason is told; a null row when there is none.';

create function private.outlook(p_order public.production_orders, p_step public.production_order_steps, p_centre public.work_centres default null)
returns private.step_outlook language plpgsql stable set search_path = '' as $$
declare
  v_outlook private.step_outlook;
  v_possible numeric;
  v_missing jsonb;
begin
  if p_step.materials <> '[]' and p_step.released < p_step.planned and not p_step.is_ended and p_order.status not in ('CLOSED', 'CANCELLED') then
    select c.possible, c.missing into v_possible, v_missing from private.complete_sets(p_order, p_step.sequence) c;
    p_step.released := p_step.released + v_possible;   -- parts that came since: a station takes them
  end if;
  v_outlook.can_start := private.can_start(p_step);
  v_outlook.why := private.order_problem(p_order, p_order.code);
  if (v_outlook.why).status is null then
    v_outlook.why := private.centre_problem(p_order, p_centre, p_centre.code);
  end if;
  if (v_outlook.why).status is not null then
    null;
  elsif p_step.in_process = 0 and v_outlook.can_start = 0 then
    v_outlook.why := private.input_problem(p_order, p_step);
    if (v_outlook.why).hint = 'production.parts_missing' then
      v_outlook.why := private.parts_problem(p_order, p_step, v_missing);
    end if;
  elsif p_step.waiting = 0 and v_outlook.can_start = 0 then
    v_outlook.why := private.floor_refusal(409, 'production.only_rework', format('What is at %s of %s is in rework or held.',
      private.step_title(p_step.step), p_order.code),
      jsonb_build_object('rework_open', trim_scale(p_step.rework_open), 'held_open', trim_scale(p_step.held_open)));
  else
    v_outlook.why := private.place_problem(p_order, p_step, p_centre, v_outlook.can_start);
  end if;
  v_outlook.can_run := (v_outlook.why).status is null;
  return v_outlook;
end $$;
comment on function private.outlook is
$$How many pieces may start at a step, counting the sets that could be released now, and why nothing can be done there (a null status: something can): the one
answer for stations and planners. p_centre null: at the best work centre of the site that it may use.$$;

create function private.place_problem(p_order public.production_orders, p_step public.production_order_steps, p_centre public.work_centres, p_can_start numeric)
returns private.problem language plpgsql stable set search_path = '' as $$
declare
  v_problem private.problem;
begin
  if p_centre.code is null then
    p_centre := private.step_centre(p_order, p_step);
    if p_centre.code is null then
      return private.floor_refusal(409, 'work_centre.none', format('Nothing at %s does %s. Add a work centre there.', p_order.site, private.step_title(p_step.step)),
        jsonb_build_object('site', p_order.site, 'step', p_step.step, 'sequence', p_step.sequence));
    end if;
    v_problem := private.centre_problem(p_order, p_centre, p_centre.code);
  end if;
  if v_problem.status is null and private.needs_position(p_step, p_can_start) then
    v_problem := private.position_problem(p_centre, p_step);
  end if;
  return v_problem;
end $$;
comment on function private.place_problem is 'There are pieces for the step: why they can be worked on at no work centre, or not at the one that is named.';

create function private.why_json(p_problem private.problem)
returns jsonb language sql immutable set search_path = '' as $$
  select case when p_problem.status is not null then jsonb_build_object('code', p_problem.hint, 'message', p_problem.message, 'details', p_problem.detail) end
$$;

-- The station --------------------------------------------------------------------------------------------------------

create function private.pending_of(p_centre text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select jsonb_build_object('id', a.id, 'type', a.type, 'justification', a.justification, 'requested_by', a.requested_by,
        'requested_by_name', f.full_name, 'requested_at', a.requested_at)
      from public.approvals a left join public.staff_shared f on f.user_id = a.requested_by
     where a.work_centre = p_centre and a.status = 'PENDING' and a.type in ('ENABLE_EQUIPMENT', 'DISABLE_EQUIPMENT') order by a.id limit 1);
end $$;
comment on function private.pending_of is 'Who asked for the work centre to be enabled or disabled, and nobody has decided; null: nobody.';

create type public.work_centre_row as (
  work_centre public.work_centres, step_title text, disabled_by_name text, pending jsonb, running bigint, can_run bigint, in_process numeric);
comment on type public.work_centre_row is
$$A work centre. pending: {id, type, justification, requested_by, requested_by_name, requested_at} of an open approval about it; running: steps of
orders that take a position there now; can_run: orders at which it can do something now; in_process: pieces of its kind of work at its site.$$;

create function public.get_work_centres(p_site text default null, p_with_inactive boolean default false)
returns setof public.work_centre_row language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('production.read', null, p_site);
  return query
    select w, p.title, f.full_name, private.pending_of(w.code), (select count(*) from private.running_at(w)), x.can_run, x.in_process
      from public.work_centres w join public.process_steps p on p.code = w.step left join public.staff_shared f on f.user_id = w.disabled_by
     cross join lateral (
       select count(*) filter (where (private.outlook(o, s, w)).can_run) as can_run, coalesce(sum(s.in_process), 0) as in_process
         from public.production_order_steps s join public.production_orders o on o.id = s.order_id
        where s.step = w.step and s.status <> 'COMPLETED' and o.site = w.site and o.status not in ('CLOSED', 'CANCELLED')
          and private.may_use_centre(s, w.code)) x
     where w.site = any (private.sites_asked(p_site)) and (p_with_inactive or w.is_active)
     order by p.sequence, w.code;
end $$;
comment on function public.get_work_centres is
$$Machines and benches with what there is to do, in the order of the work. p_site null: all sites of the caller.
Permission: production.read.
Errors: auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create function private.neighbour(p_step public.production_order_steps, p_next boolean)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select jsonb_build_object('sequence', s.sequence, 'step', s.step, 'title', p.title, 'status', s.status, 'work_centre', s.work_centre,
        'good', trim_scale(s.good), 'in_process', trim_scale(s.in_process))
      from public.production_order_steps s join public.process_steps p on p.code = s.step
     where s.order_id = p_step.order_id and case when p_next then s.sequence > p_step.sequence else s.sequence < p_step.sequence end
     order by abs(s.sequence - p_step.sequence) limit 1);
end $$;
comment on function private.neighbour is 'The step before or after; null at the ends.';

create function private.jobs_of(p_centre public.work_centres, p_code text)
returns table (order_row public.production_orders, step public.production_order_steps, outlook private.step_outlook, n bigint)
language plpgsql stable set search_path = '' as $$
declare
  v_stores text[] := private.readable_stores('production.read');
begin
  return query
    select o, s, x, row_number() over (order by x.can_run desc, s.status = 'IN_PROGRESS' desc, private.rank_of_production(o), o.due_date nulls last, o.code, s.sequence)
      from public.production_order_steps s
      join public.production_orders o on o.id = s.order_id and o.site = p_centre.site
        and (o.code = p_code or p_code is null and s.status <> 'COMPLETED' and o.status not in ('CLOSED', 'CANCELLED'))
     cross join lateral private.outlook(o, s, p_centre) x
     where s.step = p_centre.step and private.may_use_centre(s, p_centre.code) and (o.store is null or o.store = any (v_stores));
end $$;
comment on function private.jobs_of is 'Open steps that a work centre may do (p_code: all those of one order): what runs, what can start, then what waits; by priority, due date and code.';

create function private.undo_id(p_order public.production_orders)
returns bigint language plpgsql stable set search_path = '' as $$
begin
  return (private.choose_undo((private.identify()).actor_id, p_order, private.undo_window(p_order.store, p_order.site), private.may('production.undo_any'))).id;
end $$;
comment on function private.undo_id is 'What undo_production would take back for the caller now; null: nothing.';

create function private.job_json(p_order public.production_orders, p_step public.production_order_steps, p_outlook private.step_outlook)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return to_jsonb(p_step) - 'order_id' - 'materials' || jsonb_build_object('code', p_order.code, 'version', p_order.version, 'type', p_order.type,
    'priority', p_order.priority, 'due_date', p_order.due_date, 'quantity', p_order.quantity, 'product_sku', p_order.product_sku, 'materials', p_step.materials,
    'product_title', (select i.title from public.inventory_items i where i.sku = p_order.product_sku),
    'step_title', (select p.title from public.process_steps p where p.code = p_step.step),
    'root', (select o.code from public.replenishments r join public.production_orders o on o.id = r.root_id where r.order_id = p_order.id),
    'can_start', trim_scale(p_outlook.can_start), 'can_run', p_outlook.can_run, 'hint', (p_outlook.why).hint, 'why', (p_outlook.why).message,
    'detail', (p_outlook.why).detail, 'undo_id', case when p_step.started > 0 or p_step.is_ended then private.undo_id(p_order) end, 'previous', private.neighbour(p_step, false), 'next', private.neighbour(p_step, true),
    'minutes_left', round(case when p_step.started_at is null then p_step.setup_min else 0 end + p_step.run_min * greatest(p_step.planned - p_step.good, 0), 1),
    'lots', (select coalesce(jsonb_agg(jsonb_build_object('code', l.code, 'held_at', l.held_at) order by l.id), '[]')
      from public.production_lots p join public.lots l on l.id = p.lot_id where p.order_id = p_order.id and p.removed_at is null));
end $$;

create function public.get_work_centre_queue(p_work_centre text, p_limit integer default 50, p_code text default null)
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_centre public.work_centres := (select w from public.work_centres w where w.code = p_work_centre);
  v_limit integer := least(greatest(coalesce(p_limit, 50), 1), 200);
begin
  perform private.authorize('production.read', null, v_centre.site);
  if v_centre.code is null then
    perform private.fail(404, 'work_centre.unknown', 'There is no work centre ' || coalesce(p_work_centre, '') || '.', jsonb_build_object('work_centre', p_work_centre));
  end if;
  return (
    with jobs as materialized (select j.* from private.jobs_of(v_centre, p_code) j)
    select jsonb_build_object('centre', to_jsonb(v_centre) || jsonb_build_object('step_title', (select p.title from public.process_steps p where p.code = v_centre.step),
        'disabled_by_name', (select f.full_name from public.staff_shared f where f.user_id = v_centre.disabled_by)),
      'pending', private.pending_of(p_work_centre), 'total', count(*), 'can_run', count(*) filter (where (j.outlook).can_run),
      'items', coalesce(jsonb_agg(private.job_json(j.order_row, j.step, j.outlook) order by j.n) filter (where j.n <= v_limit), '[]'))
      from jobs j);
end $$;
comment on function public.get_work_centre_queue is
$$What there is to do at a work centre: {centre: its row, step_title, disabled_by_name; pending: an open approval about it or null; total, can_run: how many, also
beyond p_limit; items: what runs, what can start (by priority, due date, code), then what waits}. An item is one step of a released open order: its row, code,
version, type, priority, due_date, quantity, product_sku, product_title, step_title, root (the order it makes again for), can_start, can_run, hint, why and
detail when nothing can be done, undo_id (what undo_production would take back, as its p_count_id), previous and next {sequence, step, title, status, work_centre, good, in_process}, minutes_left (setup and run time), lots
[{code, held_at}]. p_code: only that order, also what is completed there. p_limit 1–200.
Permission: production.read at its site; orders of the stores of the caller.
Errors: work_centre.unknown (404).
Idempotency: a read.
Locks: none.$$;

-- The planner --------------------------------------------------------------------------------------------------------

create type public.production_board_row as (
  order_row public.production_orders, product_title text, fulfillment_status text, progress public.production_order_progress, steps jsonb,
  can_run boolean, why jsonb, root text, replenishments jsonb);
comment on type public.production_board_row is
$$An order on the board. steps: [{sequence, step, status, planned, released, started, good, scrap, returned, in_process}]; can_run: something can be done on
the floor now; why: [{code, message, details, sequence}] what holds it up; root: the order it replenishes; replenishments: [{code, status, quantity}].$$;

create type public.production_board as (orders public.production_board_row[], next_cursor text, total bigint);
comment on type public.production_board is 'A page of orders; next_cursor is null on the last page; total only when asked for.';

create function private.why_not(p_order public.production_orders)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_problem private.problem := private.order_problem(p_order, p_order.code);
  v_missing jsonb;
begin
  if p_order.status in ('CLOSED', 'CANCELLED') then
    return '[]';
  elsif v_problem.hint = 'production.not_released' then
    if not exists (select from public.routings r where r.sku = p_order.product_sku and r.is_active) then
      return jsonb_build_array(jsonb_build_object('code', 'production.no_routing', 'message', 'Nobody has said how it is made. Add a routing.',
        'details', jsonb_build_object('sku', p_order.product_sku)));
    end if;
    select jsonb_agg(jsonb_build_object('sku', l.sku, 'missing', trim_scale(l.needed - l.allocated - l.consumed)) order by l.line) into v_missing
      from public.order_part_allocations l where l.production_order_id = p_order.id and l.allocated + l.consumed < l.needed;
    return jsonb_build_array(private.why_json(v_problem)) || case when v_missing is null then '[]' else jsonb_build_array(jsonb_build_object(
      'code', 'production.parts_missing', 'message', 'Parts are missing.', 'details', jsonb_build_object('missing', v_missing))) end;
  end if;
  return case when exists (select from public.production_order_steps s where s.order_id = p_order.id and s.status <> 'COMPLETED') then '[]'
    else jsonb_build_array(private.why_json(private.ended_short(p_order))) end;
end $$;
comment on function private.why_not is 'What holds a whole order up: no routing, not released, ended before all of it was made. What holds up a step: private.outlook.';

create function private.ended_short(p_order public.production_orders)
returns private.problem language plpgsql stable set search_path = '' as $$
declare
  v_good numeric := (select p.executed_good + p.replenished from public.production_order_progress p where p.order_id = p_order.id);
  v_again text[] := array(select o.code from public.replenishments r join public.production_orders o on o.id = r.order_id
    where r.root_id = p_order.id and r.sku = p_order.product_sku and o.status not in ('CLOSED', 'CANCELLED') order by o.id);
begin
  return private.floor_refusal(409, 'production.ended', format('All steps are done and %s of %s are good. %s', trim_scale(v_good), trim_scale(p_order.quantity),
    case when v_again = '{}' then 'Close it, or take its end back.' else array_to_string(v_again, ', ') || ' makes the rest.' end),
    jsonb_build_object('good', trim_scale(v_good), 'quantity', trim_scale(p_order.quantity), 'replenishments', v_again));
end $$;

create function private.board_row(p_order public.production_orders)
returns public.production_board_row language plpgsql stable set search_path = '' as $$
declare
  v_row public.production_board_row;
begin
  v_row.order_row := p_order;
  v_row.product_title := (select i.title from public.inventory_items i where i.sku = p_order.product_sku);
  v_row.fulfillment_status := (select f.fulfillment_status from public.order_fulfilments f where f.production_order_id = p_order.id);
  v_row.progress := (select p from public.production_order_progress p where p.order_id = p_order.id);
  select coalesce(jsonb_agg(jsonb_build_object('sequence', s.sequence, 'step', s.step, 'status', s.status, 'planned', trim_scale(s.planned),
      'released', trim_scale(s.released), 'started', trim_scale(s.started), 'good', trim_scale(s.good), 'scrap', trim_scale(s.scrap),
      'returned', trim_scale(s.returned), 'in_process', trim_scale(s.in_process)) order by s.sequence), '[]'), coalesce(bool_or((x.outlook).can_run), false),
      coalesce(jsonb_agg(private.why_json((x.outlook).why) || jsonb_build_object('sequence', s.sequence) order by s.sequence)
        filter (where not (x.outlook).can_run and ((x.outlook).why).hint <> 'production.previous_step'), '[]')
    into v_row.steps, v_row.can_run, v_row.why
    from public.production_order_steps s
    left join lateral (select private.outlook(p_order, s) as outlook where s.status <> 'COMPLETED' and p_order.status not in ('CLOSED', 'CANCELLED')) x on true
   where s.order_id = p_order.id;
  v_row.why := v_row.why || private.why_not(p_order);
  v_row.root := (select o.code from public.replenishments r join public.production_orders o on o.id = r.root_id where r.order_id = p_order.id);
  v_row.replenishments := (select coalesce(jsonb_agg(jsonb_build_object('code', o.code, 'status', o.status, 'quantity', trim_scale(o.quantity),
    'sku', o.product_sku) order by o.id), '[]') from public.replenishments r join public.production_orders o on o.id = r.order_id where r.root_id = p_order.id);
  return v_row;
end $$;

create function private.board_keys(p_order public.production_orders, p_sort text)
returns jsonb language plpgsql immutable set search_path = '' as $$
declare
  v_due integer := coalesce(p_order.due_date - date '2000-01-01', 1000000000);
  v_rank smallint := private.rank_of_production(p_order);
begin
  return case p_sort when 'due' then jsonb_build_array(v_due, v_rank, p_order.id, '') when 'newest' then jsonb_build_array(-p_order.id, 0, 0, '')
    when 'code' then jsonb_build_array(0, 0, 0, p_order.code) else jsonb_build_array(v_rank, v_due, p_order.id, '') end;
end $$;
comment on function private.board_keys is 'What an order is sorted by: three numbers and a text; no due date comes last.';

create type private.board_filter as (sites text[], stores text[], statuses text[], types text[], due_from date, due_to date, search text, can_run boolean);

create function private.board_orders(p_filter private.board_filter)
returns setof public.production_orders language plpgsql stable set search_path = '' as $$
begin
  return query
    select o.* from public.production_orders o
     where (p_filter.statuses is not null or o.status not in ('CLOSED', 'CANCELLED')) and (p_filter.statuses is null or o.status = any (p_filter.statuses))
       and o.site = any (p_filter.sites) and (o.store is null or o.store = any (p_filter.stores)) and (p_filter.types is null or o.type = any (p_filter.types))
       and (p_filter.due_from is null or o.due_date >= p_filter.due_from) and (p_filter.due_to is null or o.due_date <= p_filter.due_to)
       and (p_filter.search is null or position(lower(p_filter.search) in lower(concat_ws(' ', o.code, o.product_sku, o.external_id,
         (select i.title from public.inventory_items i where i.sku = o.product_sku)))) > 0)
       and (p_filter.can_run is null or p_filter.can_run = exists (
         select from public.production_order_steps s where s.order_id = o.id and s.status <> 'COMPLETED' and (private.outlook(o, s)).can_run));
end $$;

create function public.get_production_board(
  p_statuses text[] default null, p_types text[] default null, p_due_from date default null, p_due_to date default null, p_search text default null,
  p_can_run boolean default null, p_sort text default 'priority', p_site text default null, p_cursor text default null, p_limit integer default 50,
  p_with_total boolean default false)
returns public.production_board language plpgsql stable security definer set search_path = '' as $$
declare
  v_after jsonb := private.keys_of(p_cursor, 4);
  v_limit integer := least(greatest(coalesce(p_limit, 50), 1), 200);
  v_filter private.board_filter;
  v_page public.production_orders[];
  v_board public.production_board;
begin
  perform private.authorize('production.read', null, p_site);
  if p_sort is null or p_sort not in ('priority', 'due', 'code', 'newest') then
    perform private.fail(422, 'production.sort', 'Sort by priority, due, code or newest.', jsonb_build_object('field', 'p_sort', 'actual', p_sort));
  elsif not p_statuses <@ '{OPEN_NOT_STARTED,IN_PROGRESS,OPEN_PARTIAL,CLOSED,CANCELLED}'::text[] or not p_types <@ '{PRODUCTION,REPLENISHMENT}'::text[] then
    perform private.fail(422, 'production.filter', 'There is no such status or type.', jsonb_build_object('statuses', p_statuses, 'types', p_types));
  end if;
  v_filter := row(private.sites_asked(p_site), private.readable_stores('production.read'), p_statuses, p_types, p_due_from, p_due_to, p_search, p_can_run);
  v_page := array(
    select o from private.board_orders(v_filter) o cross join lateral private.board_keys(o, p_sort) k
     where v_after is null or ((k ->> 0)::numeric, (k ->> 1)::numeric, (k ->> 2)::numeric, (k ->> 3) collate "C")
       > ((v_after ->> 0)::numeric, (v_after ->> 1)::numeric, (v_after ->> 2)::numeric, (v_after ->> 3) collate "C")
     order by (k ->> 0)::numeric, (k ->> 1)::numeric, (k ->> 2)::numeric, (k ->> 3) collate "C" limit v_limit + 1);
  if cardinality(v_page) > v_limit then
    v_page := v_page[1:v_limit];
    v_board.next_cursor := private.cursor_of(private.board_keys(v_page[v_limit], p_sort));
  end if;
  v_board.orders := array(select private.board_row(o) from unnest(v_page) o order by array_position(v_page, o));
  if p_with_total then
    v_board.total := (select count(*) from private.board_orders(v_filter));
  end if;
  return v_board;
end $$;
comment on function public.get_production_board is
$$Production orders for the planner: what can run now, what waits and why. p_statuses null: all open ones; p_types PRODUCTION, REPLENISHMENT; p_search in
code, product and external id; p_can_run: something can be done on the floor now (or not). p_sort priority (then due date), due, code or newest.
p_limit 1–200; total only with p_with_total.
Permission: production.read, at the sites and in the stores of the caller.
Errors: production.sort (422), production.filter (422), request.bad_cursor (400), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_work_centres, public.get_work_centre_queue, public.get_production_board to authenticated, service_role;
