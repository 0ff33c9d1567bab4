-- When will it be printed? A print starts while somebody is there to start it, and runs on by itself.

create function private.next_start(p_machine public.print_machines, p_after timestamptz)
returns timestamptz language plpgsql stable set search_path = '' as $$
declare
  v_zone text := (select s.time_zone from public.sites s where s.code = p_machine.site);
  v_local timestamp := p_after at time zone v_zone;
  v_day date;
begin
  if not p_machine.needs_plate_clear then
    return p_after;   -- it ejects and starts by itself
  end if;
  for i in 0..7 loop
    v_day := v_local::date + i;
    if extract(isodow from v_day)::smallint = any (p_machine.work_days) then
      if v_day + p_machine.work_from >= v_local then
        return (v_day + p_machine.work_from) at time zone v_zone;
      elsif v_local < v_day + p_machine.work_until then
        return p_after;
      end if;
    end if;
  end loop;
  return p_after;
end $$;
comment on function private.next_start is 'The first instant from p_after on in which a print can be started on this printer: in its working hours, plant local time.';

create type private.planned_prints as (
  rank smallint, sku text, prints bigint, first_start timestamptz, last_finish timestamptz, machines text[], unplanned bigint);

create function private.free_machines(p_site text, p_now timestamptz)
returns table (machine public.print_machines, free_at timestamptz) language plpgsql stable set search_path = '' as $$
begin
  return query
    select m, p_now + make_interval(secs => coalesce(case when s.state in ('printing', 'paused') then s.minutes_left * 60 end, 0)::double precision)
      from public.print_machines m left join public.print_machine_states s on s.machine_id = m.id
     where m.site = p_site and m.is_active and not m.is_in_maintenance order by m.id;
end $$;

create function private.plan_prints(p_site text, p_now timestamptz)
returns setof private.planned_prints language plpgsql stable set search_path = '' as $$
declare
  v_machines public.print_machines[];
  v_free timestamptz[];
  v_need record;
  v_best integer;
  v_start timestamptz;
  v_row private.planned_prints;
  v_left integer := 500;
begin
  select array_agg(f.machine), array_agg(f.free_at) into v_machines, v_free from private.free_machines(p_site, p_now) f;
  for v_need in
    select n.rank, n.sku, n.prints, p.print_minutes, p.material from private.prints_needed() n join public.parts p on p.sku = n.sku
     order by n.rank, n.oldest nulls last, n.sku
  loop
    v_row := row(v_need.rank, v_need.sku, v_need.prints, null, null, '{}'::text[], v_need.prints)::private.planned_prints;
    while v_row.unplanned > 0 and v_left > 0 loop
      select o.n, private.next_start(v_machines[o.n], v_free[o.n]) into v_best, v_start
        from generate_subscripts(v_machines, 1) o (n)
       where v_need.material = any ((v_machines[o.n]).materials) or (v_machines[o.n]).materials = '{}'
       order by 2, 1 limit 1;
      exit when v_best is null;
      v_free[v_best] := v_start + make_interval(secs => (v_need.print_minutes * 60)::double precision);
      v_row.first_start := least(v_row.first_start, v_start);
      v_row.last_finish := greatest(v_row.last_finish, v_free[v_best]);
      v_row.machines := case when (v_machines[v_best]).code = any (v_row.machines) then v_row.machines else v_row.machines || (v_machines[v_best]).code end;
      v_row.unplanned := v_row.unplanned - 1;
      v_left := v_left - 1;
    end loop;
    return next v_row;
  end loop;
end $$;
comment on function private.plan_prints is
$$The prints that are needed, one after the other on the printer that can start soonest: by priority, then the oldest. The first 500 prints;
more than that nobody plans by the minute (unplanned).$$;

create function private.prints_needed()
returns table (rank smallint, sku text, demand numeric, missing numeric, prints bigint, oldest timestamptz) language plpgsql stable set search_path = '' as $$
begin
  return query
    with needs as (
      select p.sku, p.parts_per_print, t.rank, t.demand, t.demand - t.allocated as missing
        from public.parts p join public.demand_totals t on t.sku = p.sku where p.is_active and t.demand > 0
      union all   -- and the shelf: up to the minimum, behind everybody
      select p.sku, p.parts_per_print, 5::smallint, 0, i.min_stock - greatest(s.ats, 0)
        from public.parts p join public.inventory_items i on i.sku = p.sku join public.inventory_stock s on s.sku = p.sku
       where p.is_active and i.min_stock > greatest(s.ats, 0)
    ), piled as (   -- what a plate gives beyond one priority serves the next
      select n.*, ceil(sum(n.missing) over w / n.parts_per_print) as plates,
        ceil((sum(n.missing) over w - n.missing) / n.parts_per_print) as plates_before
        from needs n window w as (partition by n.sku order by n.rank)
    )
    select b.rank, b.sku, b.demand, b.missing, (b.plates - b.plates_before)::bigint, (
        select min(l.since) from (select q.since from public.order_part_allocations q
          where q.sku = b.sku and q.rank = b.rank and not q.is_closed and q.allocated + q.consumed < q.needed order by q.sku, q.rank, q.since, q.fulfilment_id limit 1) l)
      from piled b where b.demand > 0 or b.missing > 0;
end $$;
comment on function private.prints_needed is
$$Per part and priority: open demand, what of it is missing, and the prints for that (ceil over all priorities up to this one, less those of the
better ones). rank as in order_part_allocations; 5 = up to the minimum stock.$$;
