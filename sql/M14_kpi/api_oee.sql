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
