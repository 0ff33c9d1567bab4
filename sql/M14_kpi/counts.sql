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
