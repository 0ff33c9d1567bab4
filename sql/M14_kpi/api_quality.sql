-- Quality by reason, item, step and day --------------------------------------------------------------------------------

create type public.quality_breakdown as (
  total numeric, good numeric, scrap numeric, rework numeric, first_pass_yield numeric, rolled_yield numeric, scrap_ratio numeric, rework_ratio numeric,
  by_reason jsonb, by_item jsonb, by_step jsonb, by_day jsonb, chart jsonb);
comment on type public.quality_breakdown is
$$Pieces that were counted, each once. first_pass_yield = good / total; rolled_yield: the product of those of the steps. by_reason [{reason, title, quantity,
share, cumulative}] of scrap and rework, by_item and by_step [{…, total, good, scrap, rework, first_pass_yield}], by_day the same per plant-calendar
day. chart: XmR of the scrap per day {x_bar, mr_bar, ucl, lcl, mr_ucl, moving_ranges, out_of_control}, null with fewer than two days.$$;

create function private.xmr(p_values numeric[])
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return (
    with points as (
      select v.x, v.n, abs(v.x - lag(v.x) over (order by v.n)) as mr from unnest(p_values) with ordinality as v (x, n)
    ), means as (select avg(p.x) as x_bar, avg(p.mr) as mr_bar from points p)
    select jsonb_build_object('x_bar', m.x_bar, 'mr_bar', m.mr_bar, 'ucl', m.x_bar + 2.66 * m.mr_bar, 'lcl', m.x_bar - 2.66 * m.mr_bar, 'mr_ucl', 3.267 * m.mr_bar,
        'moving_ranges', (select jsonb_agg(p.mr order by p.n) from points p where p.mr is not null),
        'out_of_control', coalesce((select jsonb_agg(p.n order by p.n) from points p where p.x not between m.x_bar - 2.66 * m.mr_bar and m.x_bar + 2.66 * m.mr_bar), '[]'))
      from means m where cardinality(p_values) > 1);
end $$;
comment on function private.xmr is 'Chart of individuals and moving ranges: limits at x̄ ± 2.66 · mean range, ranges up to 3.267 · mean range. out_of_control: ordinals from 1.';

create function private.yield_json(p_total numeric, p_good numeric, p_scrap numeric, p_rework numeric)
returns jsonb language plpgsql immutable set search_path = '' as $$
begin
  return jsonb_build_object('total', p_total, 'good', p_good, 'scrap', p_scrap, 'rework', p_rework, 'first_pass_yield', private.ratio(p_good, p_total));
end $$;

create function private.counted_pieces(
  p_machine text, p_line text, p_work_centre text, p_site text, p_range tstzrange, p_zone text)
returns table (machine text, sku text, step text, day date, reason text, good numeric, scrap numeric, rework numeric)
language plpgsql stable set search_path = '' as $$
begin
  return query
    select s.machine, c.sku, w.step, (c.at at time zone p_zone)::date, c.reason, sum(c.good), sum(c.scrap), sum(c.rework)
      from private.scope_of(p_machine, p_line, p_work_centre, p_site, lower(p_range), upper(p_range)) s
      join public.count_events c on c.machine = s.machine and c.at >= s.from_at and c.at < s.to_at
      left join public.work_centres w on w.code = s.work_centre
     group by 1, 2, 3, 4, 5;
end $$;

create function public.get_quality_breakdown(
  p_machine text default null, p_from timestamptz default null, p_to timestamptz default null, p_line text default null, p_work_centre text default null,
  p_site text default null)
returns public.quality_breakdown language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text;
  v_range tstzrange;
  v_zone text;
  v public.quality_breakdown;
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, p_line, p_work_centre, p_site);
  perform private.authorize('kpi.read', null, v_site);
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  v_zone := coalesce((select si.time_zone from public.sites si where si.code = v_site), 'UTC');
  with c as materialized (select *, k.good + k.scrap + k.rework as total from private.counted_pieces(p_machine, p_line, p_work_centre, v_site, v_range, v_zone) k),
  reasons as (select coalesce(c.reason, '-') as reason, sum(c.scrap + c.rework) as quantity from c group by 1 having sum(c.scrap + c.rework) <> 0),
  steps as (select coalesce(c.step, '-') as step, sum(c.total) as total, sum(c.good) as good, sum(c.scrap) as scrap, sum(c.rework) as rework from c group by 1)
  select coalesce(sum(c.total), 0), coalesce(sum(c.good), 0), coalesce(sum(c.scrap), 0), coalesce(sum(c.rework), 0), private.ratio(sum(c.good), sum(c.total)),
    (select round(case when min(s.good) > 0 then exp(sum(ln(nullif(s.good, 0) / s.total))) else 0 end, 12) from steps s where s.total > 0 and s.good >= 0),
    private.ratio(sum(c.scrap), sum(c.total)), private.ratio(sum(c.rework), sum(c.total)),
    (select coalesce(jsonb_agg(jsonb_build_object('reason', nullif(x.reason, '-'), 'title', coalesce(q.title, 'No reason given'), 'quantity', x.quantity,
        'share', private.ratio(x.quantity, x.whole), 'cumulative', private.ratio(x.so_far, x.whole)) order by x.quantity desc, x.reason), '[]')
       from (select r.*, sum(r.quantity) over () as whole, sum(r.quantity) over (order by r.quantity desc, r.reason) as so_far from reasons r) x
       left join public.quality_reasons q on q.code = x.reason),
    (select coalesce(jsonb_agg(jsonb_build_object('sku', x.sku) || private.yield_json(x.total, x.good, x.scrap, x.rework) order by x.scrap desc, x.sku), '[]')
       from (select k.sku, sum(k.total) as total, sum(k.good) as good, sum(k.scrap) as scrap, sum(k.rework) as rework from c k group by 1) x),
    (select coalesce(jsonb_agg(jsonb_build_object('step', s.step) || private.yield_json(s.total, s.good, s.scrap, s.rework) order by s.step), '[]') from steps s),
    (select coalesce(jsonb_agg(jsonb_build_object('day', x.day) || private.yield_json(x.total, x.good, x.scrap, x.rework) order by x.day), '[]')
       from (select k.day, sum(k.total) as total, sum(k.good) as good, sum(k.scrap) as scrap, sum(k.rework) as rework from c k group by 1) x),
    (select private.xmr(array_agg(x.scrap order by x.day)) from (select k.day, sum(k.scrap) as scrap from c k group by 1) x)
    into v from c;
  return v;
end $$;
comment on function public.get_quality_breakdown is
$$Good, scrap and rework, as machines and people counted them: by reason (the largest first, without a reason too), by item, step and day, with a chart of
the scrap per day. Scrap is of what was produced, never of scrap and rework alone; rework is no scrap.
Permission: kpi.read at the site.
Errors: kpi.range (422), machine.unknown (404), work_centre.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_quality_breakdown to authenticated, service_role;
