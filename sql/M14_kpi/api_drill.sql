-- From a figure to what it was made of ---------------------------------------------------------------------------------

create type public.oee_fact as (
  at timestamptz, kind text, key text, ends_at timestamptz, state text, source text, reason text, title text, time_class text, policy text, lost_s numeric,
  sku text, "order" text, good numeric, scrap numeric, rework numeric, ideal_s numeric, is_planned boolean, reverses text, by_name text,
  recorded_at timestamptz, comment text);
comment on type public.oee_fact is
$$kind stop: a stop, set-up or planned stop, since when, in the time asked for, and lost_s of it; also those that only states show. kind count: pieces as
they were booked; is_planned: they are in the figures, else they are unscheduled. kind state: what the machine or a person said. recorded_at: when it
came in.$$;

create type public.oee_fact_page as (facts public.oee_fact[], next_cursor text);
comment on type public.oee_fact_page is 'A page of facts in the order of time; next_cursor null on the last page.';

create function private.stop_facts(p_pieces private.kpi_piece[])
returns setof public.oee_fact language plpgsql stable set search_path = '' as $$
begin
  return query
    select x.at, 'stop', x.kind || '/' || coalesce(x.stop_id, x.planned_id, 0), x.ends_at, x.state, s.source, x.reason, coalesce(r.title, p.note, c.title),
        x.time_class, x.policy, x.lost_s, null::text, null::text, null::numeric, null::numeric, null::numeric, null::numeric, true, null::text,
        private.actor_name(coalesce(s.classified_by, s.started_by, p.created_by)), coalesce(s.created_at, p.created_at), s.comment
      from (
        select min(q.starts_at) as at, max(q.ends_at) as ends_at, q.kind, q.policy, q.time_class, q.reason, min(q.state) as state, q.stop_id, q.planned_id,
            sum(private.seconds(q.starts_at, q.ends_at)) as lost_s
          from unnest(p_pieces) q where q.kind not in ('run', 'unscheduled')
         group by q.kind, q.policy, q.time_class, q.reason, q.stop_id, q.planned_id, q.stop_from, case when q.kind = 'setup' then q.starts_at end) x
      left join public.stops s on s.id = x.stop_id left join public.planned_stops p on p.id = x.planned_id
      left join public.stop_reasons r on r.code = x.reason left join public.time_classes c on c.code = x.time_class;
end $$;
comment on function private.stop_facts is 'Stops, set-ups and planned stops of a window, each once: their lost_s are the losses of the figures.';

create function private.oee_facts(
  p_machine text, p_from timestamptz, p_to timestamptz, p_kind text, p_sku text, p_after timestamptz, p_after_key text, p_limit integer)
returns setof public.oee_fact language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_pieces private.kpi_piece[] := case when p_kind is distinct from 'state' then array(select p from private.kpi_pieces(p_machine, p_from, p_to, now()) p) end;
  v_planned tstzmultirange := private.planned_of(v_pieces);
begin
  return query
    select * from (
      select f.* from private.stop_facts(v_pieces) f where coalesce(p_kind, 'stop') = 'stop' and p_sku is null
      union all
      (select e.at, 'count', e.key, null::timestamptz, null, null, e.reason, q.title, null, null, null::numeric, e.sku, o.code, e.good, e.scrap, e.rework, e.ideal_s,
           v_planned @> e.at, e.reverses, private.actor_name(e.actor_id), e.recorded_at, null
         from public.count_events e left join public.quality_reasons q on q.code = e.reason left join public.production_orders o on o.id = e.order_id
        where coalesce(p_kind, 'count') = 'count' and e.machine = p_machine and e.at >= greatest(p_from, p_after) and e.at < p_to and e.at <= now()
          and (p_sku is null or coalesce(e.sku, '-') = p_sku) and (e.at, 'count/' || e.key) > (p_after, p_after_key) is not false
        order by e.at, e.key limit p_limit)
      union all
      (select e.at, 'state', e.seq || '/' || e.state, null, e.state, e.source, null, null, null, null, null, null, null, null, null, null, null, null, null,
           private.actor_name(e.actor_id), e.recorded_at, null
         from public.machine_state_events e
        where coalesce(p_kind, 'state') = 'state' and p_sku is null and e.machine = p_machine and e.at >= greatest(p_from, p_after) and e.at < p_to and e.at <= now()
          and (e.at, 'state/' || e.seq || '/' || e.state) > (p_after, p_after_key) is not false
        order by e.at, 'state/' || e.seq || '/' || e.state limit p_limit)) x
     where (x.at, x.kind || '/' || x.key) > (p_after, p_after_key) is not false
     order by x.at, x.kind || '/' || x.key limit p_limit;
end $$;

create function public.get_oee_facts(
  p_machine text, p_from timestamptz default null, p_to timestamptz default null, p_kind text default null, p_sku text default null,
  p_cursor text default null, p_limit integer default 100)
returns public.oee_fact_page language plpgsql stable security definer set search_path = '' as $$
declare
  v_site text := (select m.site from public.machines m where m.code = p_machine);
  v_limit integer := private.page_limit(p_limit);
  v_after jsonb := private.keys_of(p_cursor, 2);
  v_range tstzrange;
  v_page public.oee_fact_page;
  v_last public.oee_fact;
begin
  perform private.authorize('kpi.read', null, v_site);
  perform private.find_machine(p_machine);
  if p_kind not in ('stop', 'count', 'state') then
    perform private.fail(422, 'kpi.by', 'Ask for stop, count or state.', jsonb_build_object('field', 'p_kind', 'actual', p_kind));
  end if;
  v_range := private.ask_range(p_machine, v_site, p_from, p_to);
  if upper(v_range) > lower(v_range) + interval '31 days' then
    perform private.fail(422, 'kpi.range', 'Ask for at most 31 days.', jsonb_build_object('from', lower(v_range), 'to', upper(v_range)));
  end if;
  v_page.facts := array(select f from private.oee_facts(p_machine, lower(v_range), upper(v_range), p_kind, p_sku, (v_after ->> 0)::timestamptz, v_after ->> 1,
    v_limit + 1) f);
  if cardinality(v_page.facts) > v_limit then
    v_page.facts := v_page.facts[1:v_limit];
    v_last := v_page.facts[v_limit];
    v_page.next_cursor := private.cursor_of(jsonb_build_array(v_last.at, v_last.kind || '/' || v_last.key));
  end if;
  return v_page;
end $$;
comment on function public.get_oee_facts is
$$What the figures of a machine were made of, in the order of time: stops, counts and states of p_from to p_to (else as get_oee), of one p_kind or of
all, of one item (p_sku, - for none) only its counts. At most 31 days. lost_s of the stops are the losses; good, scrap and rework of the counts that are
planned add up to those of get_oee. p_cursor: next_cursor of the page before.
Permission: kpi.read at the site of the machine.
Errors: machine.unknown (404), kpi.by (422), kpi.range (422), request.bad_cursor (400).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_oee_facts to authenticated, service_role;
