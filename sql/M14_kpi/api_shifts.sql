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
