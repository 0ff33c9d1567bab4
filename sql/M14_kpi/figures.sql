-- Pieces into figures ------------------------------------------------------------------------------------------------

create type public.kpi_inputs as (
  window_s numeric, scheduled_s numeric, planned_s numeric, run_s numeric, setup_s numeric, delay_s numeric, no_order_s numeric, availability_loss_s numeric,
  performance_loss_s numeric, pending_s numeric, planned_stop_s numeric, excluded_s numeric, unclassified_s numeric, no_data_s numeric, maintenance_s numeric,
  stops bigint, micro_stops bigint, micro_s numeric, total numeric, good numeric, scrap numeric, rework numeric, ideal_s numeric, ideal_good_s numeric,
  without_ideal numeric, unscheduled_pieces numeric);
comment on type public.kpi_inputs is
$$What figures are made of; seconds and pieces, all of them additive over windows and machines. window_s: calendar time. scheduled_s: shifts and approved
overtime. excluded_s: what left it by policy (planned_stop_s of it: breaks, meetings, maintenance). planned_s = scheduled_s - excluded_s = run_s +
availability_loss_s. availability_loss_s = setup_s (AUST) + delay_s (ADET) + no_order_s (ADOT) + planned stops that count as a loss. run_s holds
performance_loss_s (micro_s and others by policy) and pending_s. ideal_s: Σ pieces × ideal cycle; without_ideal: pieces nobody gave one for;
unscheduled_pieces came in time that is not planned and are in no other number.$$;

create type public.kpi_ratios as (
  availability numeric, performance numeric, quality numeric, quality_pieces numeric, oee numeric, ooe numeric, teep numeric, nee numeric, loading numeric,
  utilisation numeric, utilization_efficiency numeric, technical_efficiency numeric, allocation_efficiency numeric, setup_ratio numeric,
  scrap_ratio numeric, rework_ratio numeric, speed_loss_s numeric, ideal_cycle_suspect boolean);
comment on type public.kpi_ratios is
$$Null is 0/0: there is nothing to say. quality is weighted by ideal time, so that availability × performance × quality = oee also with several items;
quality_pieces is good / total. performance, quality and oee are null while a piece has no ideal cycle. performance is never capped:
ideal_cycle_suspect says that it is above 105 %. nee: set-up is no loss. teep: of calendar time; ooe: of scheduled time; loading = scheduled / calendar,
utilisation = planned / calendar. speed_loss_s = run_s - performance_loss_s - pending_s - ideal_s, the only remainder.$$;

create function private.seconds(p_from timestamptz, p_to timestamptz)
returns numeric language plpgsql immutable set search_path = '' as $$
begin
  return extract(epoch from p_to) - extract(epoch from p_from);
end $$;

create function private.planned_of(p_pieces private.kpi_piece[])
returns tstzmultirange language plpgsql stable set search_path = '' as $$
begin
  return (select coalesce(range_agg(tstzrange(p.starts_at, p.ends_at)), '{}') from unnest(p_pieces) p
    where p.kind <> 'unscheduled' and p.policy <> 'excluded');
end $$;
comment on function private.planned_of is 'Planned production time: pieces that come out in it count.';

create function private.kpi_counts(
  p_sums public.kpi_inputs, p_machine text, p_from timestamptz, p_to timestamptz, p_planned tstzmultirange, p_item text default null)
returns public.kpi_inputs language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  -- Minutes with a bound inside: there each count is looked at by itself.
  v_cut timestamptz[] := array(select distinct date_trunc('minute', u.at)
    from (select unnest(array[p_from, p_to]) as at union all select unnest(array[lower(r.during), upper(r.during)]) from unnest(p_planned) as r (during)) u
   where u.at <> date_trunc('minute', u.at));
begin
  select coalesce(sum(c.total) filter (where c.is_planned), 0), coalesce(sum(c.good) filter (where c.is_planned), 0),
    coalesce(sum(c.scrap) filter (where c.is_planned), 0), coalesce(sum(c.rework) filter (where c.is_planned), 0),
    coalesce(sum(c.total * c.ideal_s) filter (where c.is_planned), 0), coalesce(sum(c.good * c.ideal_s) filter (where c.is_planned), 0),
    coalesce(sum(c.total) filter (where c.is_planned and c.ideal_s is null), 0), coalesce(sum(c.total) filter (where not c.is_planned), 0)
    into p_sums.total, p_sums.good, p_sums.scrap, p_sums.rework, p_sums.ideal_s, p_sums.ideal_good_s, p_sums.without_ideal, p_sums.unscheduled_pieces
    from (
      select m.good, m.scrap, m.rework, m.good + m.scrap + m.rework as total, m.ideal_s, p_planned @> m.minute as is_planned from public.count_minute m
       where m.machine = p_machine and m.minute >= p_from and m.minute < p_to and m.minute <> all (v_cut) and (p_item is null or coalesce(m.sku, '') = p_item)
      union all
      select e.good, e.scrap, e.rework, e.good + e.scrap + e.rework, e.ideal_s, p_planned @> e.at
        from unnest(v_cut) as u (minute) join public.count_events e on e.machine = p_machine and e.at >= greatest(u.minute, p_from)
         and e.at < least(u.minute + interval '1 minute', p_to) and (p_item is null or coalesce(e.sku, '') = p_item)) c;
  return p_sums;
end $$;
comment on function private.kpi_counts is
$$The sums with the pieces that came out in [p_from, p_to), of one item (empty: of none) or of all; planned or not by their own instant. Whole minutes
come from count_minute.$$;

create function private.kpi_times(p_pieces private.kpi_piece[])
returns public.kpi_inputs language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_sums public.kpi_inputs;
begin
  with pieces as (
    select p.*, extract(epoch from p.ends_at) - extract(epoch from p.starts_at) as s, c.iso_element as iso from unnest(p_pieces) p
      left join public.time_classes c on c.code = p.time_class
  ), t as (
    select sum(p.s) as window_s, sum(p.s) filter (where p.kind <> 'unscheduled') as scheduled, sum(p.s) filter (where p.policy = 'excluded') as excluded,
      sum(p.s) filter (where p.policy = 'loss_availability') as lost, sum(p.s) filter (where p.policy = 'loss_availability' and p.iso = 'AUST') as setup,
      sum(p.s) filter (where p.policy = 'loss_availability' and p.iso = 'ADET') as delay,
      sum(p.s) filter (where p.policy = 'loss_availability' and p.iso = 'ADOT') as no_order,
      sum(p.s) filter (where p.policy = 'loss_performance') as slow, sum(p.s) filter (where p.kind = 'pending') as pending,
      sum(p.s) filter (where p.kind = 'planned') as planned_stop, sum(p.s) filter (where p.time_class = 'unclassified') as unclassified,
      sum(p.s) filter (where p.time_class = 'no_data') as no_data, sum(p.s) filter (where p.time_class = 'planned_maintenance') as maintenance,
      count(*) filter (where p.kind = 'stop' and p.starts_at = p.stop_from) as stops, count(*) filter (where p.kind = 'micro' and p.starts_at = p.stop_from) as micros,
      sum(p.s) filter (where p.kind = 'micro') as micro
      from pieces p
  )
  select coalesce(t.window_s, 0), coalesce(t.scheduled, 0), coalesce(t.scheduled, 0) - coalesce(t.excluded, 0),
    coalesce(t.scheduled, 0) - coalesce(t.excluded, 0) - coalesce(t.lost, 0), coalesce(t.setup, 0), coalesce(t.delay, 0), coalesce(t.no_order, 0),
    coalesce(t.lost, 0), coalesce(t.slow, 0), coalesce(t.pending, 0), coalesce(t.planned_stop, 0), coalesce(t.excluded, 0), coalesce(t.unclassified, 0),
    coalesce(t.no_data, 0), coalesce(t.maintenance, 0), t.stops, t.micros, coalesce(t.micro, 0)
    into v_sums.window_s, v_sums.scheduled_s, v_sums.planned_s, v_sums.run_s, v_sums.setup_s, v_sums.delay_s, v_sums.no_order_s,
      v_sums.availability_loss_s, v_sums.performance_loss_s, v_sums.pending_s, v_sums.planned_stop_s, v_sums.excluded_s, v_sums.unclassified_s,
      v_sums.no_data_s, v_sums.maintenance_s, v_sums.stops, v_sums.micro_stops, v_sums.micro_s
    from t;
  return v_sums;
end $$;
comment on function private.kpi_times is 'The pieces added up; nothing counted yet.';

create function private.kpi_sums(p_machine text, p_from timestamptz, p_to timestamptz, p_pieces private.kpi_piece[])
returns public.kpi_inputs language plpgsql stable set search_path = '' as $$
begin
  return private.kpi_counts(private.kpi_times(p_pieces), p_machine, p_from, p_to, private.planned_of(p_pieces));
end $$;
comment on function private.kpi_sums is 'The pieces of [p_from, p_to) added up, with what was counted in them.';

create function private.kpi_window(p_machine text, p_from timestamptz, p_to timestamptz, p_as_of timestamptz default now())
returns public.kpi_inputs language plpgsql stable set search_path = '' as $$
begin
  return private.kpi_sums(p_machine, p_from, least(p_to, p_as_of), array(select p from private.kpi_pieces(p_machine, p_from, p_to, p_as_of) p));
end $$;
comment on function private.kpi_window is
$$THE definition of what a machine did in [p_from, p_to), as far as it was over at p_as_of. Additive: the sums of two neighbouring windows are those of
both. Everything that shows a figure calls this, or adds up what it answered.$$;

create function private.ratio(p_part numeric, p_whole numeric)
returns numeric language plpgsql immutable set search_path = '' as $$
begin
  return round(p_part / nullif(p_whole, 0), 12);
end $$;
comment on function private.ratio is 'Null for 0/0 and n/0.';

create function private.kpi_ratios(p_inputs public.kpi_inputs)
returns public.kpi_ratios language plpgsql immutable set search_path = '' as $$
declare
  v public.kpi_ratios;
  v_known boolean := p_inputs.without_ideal = 0;
begin
  v.availability := private.ratio(p_inputs.run_s, p_inputs.planned_s);
  v.performance := case when v_known then private.ratio(p_inputs.ideal_s, p_inputs.run_s) end;
  v.quality := case when v_known then private.ratio(p_inputs.ideal_good_s, p_inputs.ideal_s) end;
  v.quality_pieces := private.ratio(p_inputs.good, p_inputs.total);
  v.oee := case when v_known then private.ratio(p_inputs.ideal_good_s, p_inputs.planned_s) end;
  v.ooe := case when v_known then private.ratio(p_inputs.ideal_good_s, p_inputs.scheduled_s) end;
  v.teep := case when v_known then private.ratio(p_inputs.ideal_good_s, p_inputs.window_s) end;
  -- Without a good piece both are 0, also when it never ran: nee is null only where oee is, or where pieces came without any run time.
  v.nee := case when v_known and p_inputs.ideal_good_s = 0 then v.oee
    when v_known then private.ratio((p_inputs.run_s + p_inputs.setup_s) * p_inputs.ideal_good_s, p_inputs.run_s * p_inputs.planned_s) end;
  v.loading := private.ratio(p_inputs.scheduled_s, p_inputs.window_s);
  v.utilisation := private.ratio(p_inputs.planned_s, p_inputs.window_s);
  v.utilization_efficiency := private.ratio(p_inputs.run_s, p_inputs.run_s + p_inputs.setup_s + p_inputs.delay_s);
  v.technical_efficiency := private.ratio(p_inputs.run_s, p_inputs.run_s + p_inputs.delay_s);
  v.allocation_efficiency := private.ratio(p_inputs.run_s + p_inputs.setup_s + p_inputs.delay_s, p_inputs.planned_s);
  v.setup_ratio := private.ratio(p_inputs.setup_s, p_inputs.run_s + p_inputs.setup_s);
  v.scrap_ratio := private.ratio(p_inputs.scrap, p_inputs.total);
  v.rework_ratio := private.ratio(p_inputs.rework, p_inputs.total);
  v.speed_loss_s := p_inputs.run_s - p_inputs.performance_loss_s - p_inputs.pending_s - p_inputs.ideal_s;
  v.ideal_cycle_suspect := coalesce(v.performance > 1.05, false);
  return v;
end $$;
comment on function private.kpi_ratios is 'Figures from their inputs. Of several machines or windows: from the sum of the inputs, never the mean of ratios.';

create function private.kpi_losses(p_pieces private.kpi_piece[])
returns table (kind text, time_class text, reason text, policy text, seconds numeric, stops bigint) language plpgsql stable set search_path = '' as $$
begin
  return query
    select p.kind, p.time_class, p.reason, p.policy, sum(extract(epoch from p.ends_at) - extract(epoch from p.starts_at)), count(*) filter (where p.starts_at = p.stop_from)
      from unnest(p_pieces) p where p.kind not in ('unscheduled', 'run') group by 1, 2, 3, 4;
end $$;
comment on function private.kpi_losses is 'The same pieces by what they were lost to.';
