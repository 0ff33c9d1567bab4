create type public.quality_reason_group as (code text, title text, disposition text, reasons jsonb);
comment on type public.quality_reason_group is 'A family of reasons, reasons: [{code, title, disposition, step}] in their order; none: the family is a reason itself.';

create function public.get_quality_reasons(p_step text default null)
returns setof public.quality_reason_group language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('production.read');
  return query
    select f.code, f.title, f.disposition, coalesce(jsonb_agg(jsonb_build_object('code', r.code, 'title', r.title, 'disposition', r.disposition,
        'step', r.step) order by r.position, r.title) filter (where r.code is not null), '[]')
      from public.quality_reasons f
      left join public.quality_reasons r on r.parent = f.code and r.is_active and (p_step is null or coalesce(r.step, p_step) = p_step)
     where f.parent is null and f.is_active and (p_step is null or coalesce(f.step, p_step) = p_step)
     group by f.code order by f.position, f.title;
end $$;
comment on function public.get_quality_reasons is
$$The reasons a station shows, by family: first tap the family, second tap the reason. p_step: those of one process step; null: all.
Permission: production.read.
Errors: none of its own.
Idempotency: a read.
Locks: none.$$;

create type public.quality_record_row as (record public.quality_records, code text, product_sku text, reason_title text, recorded_by_name text);
create type public.quality_record_page as (records public.quality_record_row[], next_cursor text);
comment on type public.quality_record_page is 'A page of quality records with the code and product of their order, newest first; next_cursor is null on the last page.';

create function private.sites_asked(p_site text)
returns text[] language plpgsql stable set search_path = '' as $$
declare
  v_who private.identity := private.identify();
begin
  return array(select si.code from public.sites si where (p_site is null or si.code = p_site) and private.works_at(v_who, si.code));
end $$;
comment on function private.sites_asked is 'The site, or all where the caller works; none when it is not one of theirs.';

create function private.stores_of_production()
returns text[] language plpgsql stable set search_path = '' as $$
begin
  return private.readable_stores('production.read');
end $$;

create function public.get_quality_records(
  p_site text default null, p_code text default null, p_step text default null, p_is_open boolean default null, p_from timestamptz default null,
  p_to timestamptz default null, p_cursor text default null, p_limit integer default 100)
returns public.quality_record_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_sites text[];
  v_stores text[];
  v_after bigint;
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_page public.quality_record_page;
begin
  perform private.authorize('production.read', null, p_site);
  v_sites := private.sites_asked(p_site);
  v_stores := private.stores_of_production();
  v_after := (private.keys_of(p_cursor, 1) ->> 0)::bigint;
  v_page.records := array(
    select row(q, o.code, o.product_sku, r.title, s.full_name)::public.quality_record_row
      from public.quality_records q join public.production_orders o on o.id = q.order_id left join public.quality_reasons r on r.code = q.reason
      left join public.staff_shared s on s.user_id = q.recorded_by
     where q.site = any (v_sites) and (o.store is null or o.store = any (v_stores)) and (p_code is null or o.code = p_code)
       and (p_step is null or q.step = p_step) and (p_is_open is null or (q.open_quantity > 0) = p_is_open)
       and (p_from is null or q.recorded_at >= p_from) and (p_to is null or q.recorded_at < p_to) and (v_after is null or q.id < v_after)
     order by q.id desc limit v_limit + 1);
  if cardinality(v_page.records) > v_limit then
    v_page.records := v_page.records[1:v_limit];
    v_page.next_cursor := private.cursor_of(jsonb_build_array(((v_page.records[v_limit]).record).id));
  end if;
  return v_page;
end $$;
comment on function public.get_quality_records is
$$Quality records, newest first; p_is_open true: rework, repair and hold that wait for somebody. Reversed ones stay, with reversed_at. p_limit 1–500.
Permission: production.read, at the sites and in the stores of the caller.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

-- Figures --------------------------------------------------------------------------------------------------------------

create type private.quality_range as (sites text[], stores text[], since timestamptz, until timestamptz, sku text, code text);

create function private.quality_orders(p_range private.quality_range)
returns setof bigint language plpgsql stable set search_path = '' as $$
begin
  return query
    select o.id from public.production_orders o
     where o.site = any (p_range.sites) and (o.store is null or o.store = any (p_range.stores))
       and (p_range.sku is null or o.product_sku = p_range.sku) and (p_range.code is null or o.code = p_range.code);
end $$;

create function private.defects_of(p_range private.quality_range)
returns table (order_id bigint, sequence integer, disposition text, reason text, quantity numeric, is_new boolean, is_conceded boolean)
language plpgsql stable set search_path = '' as $$
begin
  return query
    select q.order_id, q.sequence, q.disposition, q.reason, q.quantity, q.source_id is null or not private.was_reworked(q.source_id),
        q.disposition = 'use_as_is' and q.taken_from = 'good'
      from public.quality_records q
     where q.recorded_at >= p_range.since and q.recorded_at < p_range.until and q.reversed_at is null and q.disposition not in ('accept', 'hold')
       and q.order_id in (select x from private.quality_orders(p_range) x);
end $$;
comment on function private.defects_of is
$$What was decided about bad pieces. is_new: found bad now; a piece that was reworked was found before, and is one defect whatever becomes of it.
is_conceded: it was counted good before. What was undone is not there.$$;

create function private.quality_by_sequence(p_range private.quality_range)
returns table (order_id bigint, sequence integer, first_good numeric, good numeric, scrap numeric, returned numeric, found numeric, rework numeric,
  use_as_is numeric)
language plpgsql stable set search_path = '' as $$
begin
  return query
    with counted as (
      select c.order_id, c.sequence, sum(c.good) as good, sum(c.good) filter (where not c.from_rework) as first_good, sum(c.scrap) as scrap,
          sum(c.returned) as returned
        from public.piece_counts c
       where c.order_id in (select x from private.quality_orders(p_range) x) and c.at >= p_range.since and c.at < p_range.until
         and c.reverses is null and not exists (select from public.piece_counts u where u.reverses = c.id)
       group by c.order_id, c.sequence
    ), defects as (
      select d.order_id, d.sequence, sum(d.quantity) filter (where d.is_new) as found,
          sum(d.quantity) filter (where d.is_new and d.disposition in ('rework', 'repair')) as rework,
          sum(d.quantity) filter (where d.disposition = 'use_as_is') as use_as_is, sum(d.quantity) filter (where d.is_conceded) as conceded
        from private.defects_of(p_range) d group by d.order_id, d.sequence
    )
    select coalesce(c.order_id, d.order_id), coalesce(c.sequence, d.sequence), coalesce(c.first_good, 0) - coalesce(d.conceded, 0), coalesce(c.good, 0),
        coalesce(c.scrap, 0), coalesce(c.returned, 0), coalesce(d.found, 0), coalesce(d.rework, 0), coalesce(d.use_as_is, 0)
      from counted c full join defects d on d.order_id = c.order_id and d.sequence = c.sequence;
end $$;
comment on function private.quality_by_sequence is
$$The one definition of what was good at the first go, what was found bad and what became of it, per step of an order in a range. What was undone counts
nowhere: neither it nor its reversal, so that figures of the past are corrected. Pieces that turn out bad after they were counted good count when that was
recorded.$$;

create function private.piece_weight(p_by text, p_order_id bigint, p_sequence integer)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return case p_by
    when 'time' then (select nullif(sum(s.run_min), 0) from public.production_order_steps s where s.order_id = p_order_id and s.sequence <= p_sequence)
    when 'cost' then (select i.unit_cost from public.production_orders o join public.inventory_items i on i.sku = o.product_sku where o.id = p_order_id)
    else 1 end;
end $$;
comment on function private.piece_weight is
$$What a bad piece weighs. time: minutes of work that were in it, the run time of its steps so far; cost: the standard cost of the product; quantity: one.
Null: nobody said.$$;

create function private.quality_pareto(p_range private.quality_range, p_by text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    with losses as (
      select d.reason, sum(d.quantity) as quantity, count(*) as records, sum(d.quantity) filter (where d.disposition = 'scrap') as scrap,
          sum(d.quantity * w.each) as weight, sum(d.quantity * w.each) filter (where d.disposition = 'scrap') as weight_scrap,
          sum(d.quantity) filter (where w.each is null) as unknown
        from private.defects_of(p_range) d
       cross join lateral (select private.piece_weight(p_by, d.order_id, d.sequence) as each offset 0) w
       where d.is_new group by d.reason
    ), ranked as (
      select l.*, r.title, f.code as family, f.title as family_title, nullif(sum(l.weight) over (), 0) as total,
          sum(l.weight) over (order by l.weight desc nulls last, l.reason) as running
        from losses l join public.quality_reasons r on r.code = l.reason left join public.quality_reasons f on f.code = r.parent
    )
    select coalesce(jsonb_agg(jsonb_build_object('reason', k.reason, 'title', k.title, 'family', k.family, 'family_title', k.family_title,
        'quantity', trim_scale(k.quantity), 'scrap', trim_scale(coalesce(k.scrap, 0)), 'records', k.records,
        'weight', trim_scale(k.weight), 'weight_scrap', trim_scale(coalesce(k.weight_scrap, 0)), 'unknown', trim_scale(coalesce(k.unknown, 0)),
        'share', round(k.weight / k.total, 4), 'cumulative', round(k.running / k.total, 4)) order by k.weight desc nulls last, k.reason), '[]')
      from ranked k);
end $$;
comment on function private.quality_pareto is
$$Defective pieces per reason, heaviest first, with share and cumulative share of all; found once, whatever became of them later. unknown: pieces whose
weight nobody said, which are not in weight.$$;

create function private.quality_by_step(p_range private.quality_range)
returns table (step text, title text, place integer, first_good numeric, good numeric, scrap numeric, returned numeric, rework numeric,
  use_as_is numeric, rework_open numeric, held_open numeric, fpy numeric)
language plpgsql stable set search_path = '' as $$
begin
  return query
    with done as (
      select s.step, sum(q.first_good) as first_good, sum(q.good) as good, sum(q.scrap) as scrap, sum(q.returned) as returned, sum(q.found) as found,
          sum(q.rework) as rework, sum(q.use_as_is) as use_as_is
        from private.quality_by_sequence(p_range) q
        join public.production_order_steps s on s.order_id = q.order_id and s.sequence = q.sequence group by s.step
    ), open as (   -- as it is now
      select s.step, sum(s.rework_open) as rework_open, sum(s.held_open) as held_open
        from public.production_order_steps s join private.quality_orders(p_range) x on x = s.order_id
       where s.rework_open > 0 or s.held_open > 0 group by s.step
    )
    select p.code, p.title, p.sequence, coalesce(d.first_good, 0), coalesce(d.good, 0), coalesce(d.scrap, 0), coalesce(d.returned, 0),
        coalesce(d.rework, 0), coalesce(d.use_as_is, 0), coalesce(w.rework_open, 0), coalesce(w.held_open, 0),
        case when d.first_good + d.found > 0 then d.first_good / (d.first_good + d.found) end
      from public.process_steps p left join done d on d.step = p.code left join open w on w.step = p.code
     where num_nonnulls(d.step, w.step) > 0 order by p.sequence, p.code;
end $$;
comment on function private.quality_by_step is
$$Per process step in a range: good, and good at the first go; what was found bad; open rework and hold as they are now. fpy = good at the first go /
(that + found bad), null when nothing was inspected.$$;

create function public.get_quality(
  p_site text default null, p_from timestamptz default null, p_to timestamptz default null, p_sku text default null, p_code text default null,
  p_by text default 'quantity')
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_range private.quality_range;
  v_by text := coalesce(p_by, 'quantity');
  v_answer jsonb;
begin
  perform private.authorize('production.read', null, p_site);
  if v_by not in ('quantity', 'time', 'cost') then
    perform private.fail(422, 'quality.by', 'Weigh bad pieces by quantity, time or cost.', jsonb_build_object('field', 'p_by', 'actual', p_by));
  end if;
  v_range := row(private.sites_asked(p_site), private.stores_of_production(), coalesce(p_from, coalesce(p_to, now()) - interval '30 days'),
    coalesce(p_to, 'infinity'), p_sku, p_code)::private.quality_range;
  select jsonb_build_object(
      'steps', coalesce(jsonb_agg(jsonb_build_object('step', s.step, 'title', s.title, 'first_good', trim_scale(s.first_good), 'good', trim_scale(s.good),
        'scrap', trim_scale(s.scrap), 'returned', trim_scale(s.returned), 'rework', trim_scale(s.rework), 'use_as_is', trim_scale(s.use_as_is),
        'rework_open', trim_scale(s.rework_open), 'held_open', trim_scale(s.held_open), 'fpy', round(s.fpy, 6)) order by s.place, s.step), '[]'),
      'rty', case when count(s.fpy) = 0 then null when min(s.fpy) <= 0 then 0 else round(exp(sum(ln(s.fpy)) filter (where s.fpy > 0)), 6) end,
      'totals', jsonb_build_object('scrap', trim_scale(coalesce(sum(s.scrap), 0)), 'returned', trim_scale(coalesce(sum(s.returned), 0)),
        'rework', trim_scale(coalesce(sum(s.rework), 0)), 'use_as_is', trim_scale(coalesce(sum(s.use_as_is), 0)),
        'rework_open', trim_scale(coalesce(sum(s.rework_open), 0)), 'held_open', trim_scale(coalesce(sum(s.held_open), 0)))) into v_answer
    from private.quality_by_step(v_range) s;
  return v_answer || jsonb_build_object('from', v_range.since, 'to', nullif(v_range.until, 'infinity'), 'by', v_by,
    'reasons', private.quality_pareto(v_range, v_by));
end $$;
comment on function public.get_quality is
$$The quality page for a range (the last 30 days unless said): reasons (Pareto of defective pieces: {reason, title, family, quantity, scrap, records,
weight, weight_scrap, unknown, share, cumulative}; weight: p_by quantity (pieces), time (minutes of work that were in them) or cost (standard cost of the
product); unknown: pieces that nobody gave a run time or a cost), steps ({step, title, first_good, good, scrap, returned, rework, use_as_is, rework_open, held_open, fpy}), rty (rolled throughput
yield: the product of the steps' first pass yields), totals. Open rework and hold are those of now. What was undone counts nowhere, in the past neither. p_sku or p_code:
of one product or order.
Permission: production.read, at the sites and in the stores of the caller.
Errors: quality.by (422).
Idempotency: a read.
Locks: none.$$;

-- Approvals --------------------------------------------------------------------------------------------------------------

create type public.approval_row as (
  approval public.approvals, code text, work_centre_title text, requested_by_name text, decided_by_name text, may_decide boolean);
create type public.approval_page as (approvals public.approval_row[], next_cursor text);
comment on type public.approval_page is
  'A page of approvals, newest first, with the code of the order, names, and whether the caller may decide it; next_cursor is null on the last page.';

create function public.get_approvals(
  p_site text default null, p_statuses text[] default '{PENDING}', p_types text[] default null, p_cursor text default null, p_limit integer default 100)
returns public.approval_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.read', null, p_site);
  v_sites text[] := private.sites_asked(p_site);
  v_stores text[] := private.stores_of_production();
  v_decides boolean := private.may('production.approve');
  v_after bigint := (private.keys_of(p_cursor, 1) ->> 0)::bigint;
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 500);
  v_page public.approval_page;
begin
  v_page.approvals := array(
    select row(a, o.code, w.title, r.full_name, d.full_name,
        v_decides and a.status = 'PENDING' and not private.asked_for(a, v_actor))::public.approval_row
      from public.approvals a left join public.production_orders o on o.id = a.order_id left join public.work_centres w on w.code = a.work_centre
      left join public.staff_shared r on r.user_id = a.requested_by left join public.staff_shared d on d.user_id = a.decided_by
     where a.site = any (v_sites) and (o.store is null or o.store = any (v_stores)) and (p_statuses is null or a.status = any (p_statuses)) and (p_types is null or a.type = any (p_types))
       and (v_after is null or a.id < v_after)
     order by a.id desc limit v_limit + 1);
  if cardinality(v_page.approvals) > v_limit then
    v_page.approvals := v_page.approvals[1:v_limit];
    v_page.next_cursor := private.cursor_of(jsonb_build_array(((v_page.approvals[v_limit]).approval).id));
  end if;
  return v_page;
end $$;
comment on function public.get_approvals is
$$The inbox: what waits for a decision, newest first; p_statuses null: all there ever was. p_limit 1–500.
Permission: production.read, at the sites and in the stores of the caller.
Errors: request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_quality_reasons, public.get_quality_records, public.get_quality, public.get_approvals to authenticated, service_role;
