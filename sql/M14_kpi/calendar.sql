-- From patterns to instants: both bounds of a shift go through the same function, so neighbours never gap or overlap, not even at 02:30.

create type private.shift_row as (shift text, title text, weekdays integer[], starts time, ends time, breaks jsonb);

create function private.wall_range(p_day date, p_starts time, p_ends time, p_zone text)
returns tstzrange language plpgsql stable set search_path = '' as $$
begin
  return tstzrange((p_day + p_starts) at time zone p_zone,
    greatest((p_day + p_ends + case when p_ends <= p_starts then interval '1 day' else interval '0' end) at time zone p_zone,
      (p_day + p_starts) at time zone p_zone));
end $$;
comment on function private.wall_range is
  'Wall time of a day as instants, through midnight and daylight saving; empty when the clock jumps over it. An end not after the start is on the next day.';

create function private.read_shifts(p_shifts jsonb)
returns setof private.shift_row language plpgsql immutable set search_path = '' as $$
begin
  return query
    select s.item ->> 'shift', coalesce(s.item ->> 'title', s.item ->> 'shift'),
        array(select jsonb_array_elements_text(coalesce(s.item -> 'weekdays', '[1,2,3,4,5,6,7]'))::integer),
        (s.item ->> 'starts')::time, (s.item ->> 'ends')::time, coalesce(s.item -> 'breaks', '[]')
      from jsonb_array_elements(p_shifts) with ordinality as s (item, n) order by s.n;
end $$;
comment on function private.read_shifts is 'The shifts of a pattern as rows. What it is given was checked by check_shifts.';

create function private.check_shifts(p_shifts jsonb)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_row private.shift_row;
  v_break jsonb;
  v_classes text[] := array(select c.code from public.time_classes c where c.is_planned order by c.position);
begin
  for v_row in select * from private.read_shifts(p_shifts) loop
    if coalesce(v_row.shift, '') !~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,30}$' or num_nulls(v_row.starts, v_row.ends) > 0
        or v_row.weekdays <> array(select distinct d from unnest(v_row.weekdays) d where d between 1 and 7 order by 1) then
      perform private.fail(422, 'calendar.pattern', 'A shift has a short name, weekdays 1 to 7 in order, a start and an end.',
        jsonb_build_object('field', 'p_shifts', 'actual', to_jsonb(v_row)));
    end if;
    for v_break in select jsonb_array_elements(v_row.breaks) loop
      if v_break ->> 'starts' is null or v_break ->> 'ends' is null
          or not private.wall_range('2000-01-01', v_row.starts, v_row.ends, 'UTC') @> private.wall_range('2000-01-01'::date
            + ((v_break ->> 'starts')::time < v_row.starts)::integer, (v_break ->> 'starts')::time, (v_break ->> 'ends')::time, 'UTC') then
        perform private.fail(422, 'calendar.pattern', format('A break of %s must lie in the shift.', v_row.title),
          jsonb_build_object('field', 'p_shifts', 'actual', v_break));
      elsif coalesce(v_break ->> 'time_class', 'break') <> all (v_classes) then
        perform private.fail(422, 'calendar.pattern', format('A break of %s must be time that one plans.', v_row.title),
          jsonb_build_object('field', 'p_shifts', 'actual', v_break, 'expected', v_classes));
      end if;
    end loop;
  end loop;
exception when invalid_datetime_format or datetime_field_overflow or invalid_text_representation or invalid_parameter_value then
  perform private.fail(422, 'calendar.pattern', 'Shifts are a list; times look like 06:00.', jsonb_build_object('field', 'p_shifts'));
end $$;

create function private.check_week(p_shifts jsonb)
returns void language plpgsql immutable set search_path = '' as $$
declare
  v_both text[];
begin
  select array[a.title, b.title] into v_both
    from (select s.shift, s.title, w.d as day, private.wall_range('2000-01-02'::date + w.d, s.starts, s.ends, 'UTC') as during
            from private.read_shifts(p_shifts) s cross join unnest(s.weekdays) as w (d)) a
    join (select s.shift, s.title, w.d as day, k.week, private.wall_range('2000-01-02'::date + w.d + k.week * 7, s.starts, s.ends, 'UTC') as during
            from private.read_shifts(p_shifts) s cross join unnest(s.weekdays) as w (d) cross join generate_series(0, 1) as k (week)) b
      on a.during && b.during and (a.shift, a.day, 0) is distinct from (b.shift, b.day, b.week)
   limit 1;
  if v_both is null then
    select array[min(s.title), max(s.title)] into v_both
      from private.read_shifts(p_shifts) s group by s.shift, s.weekdays having count(*) > 1 limit 1;
  end if;
  if v_both is not null then
    perform private.fail(422, 'calendar.overlap', format('The shifts %s and %s are at the same time.', v_both[1], v_both[2]),
      jsonb_build_object('field', 'p_shifts', 'shifts', v_both));
  end if;
end $$;
comment on function private.check_week is 'Two shifts of a pattern never overlap, not even from Sunday into Monday. Errors: calendar.overlap (422), naming both.';

create function private.shifts_of_day(p_work_centre text, p_site text, p_day date)
returns setof private.shift_row language plpgsql stable set search_path = '' as $$
declare
  v_exception public.calendar_exceptions;
begin
  select e.* into v_exception from public.calendar_exceptions e
   where e.site = p_site and e.is_active and p_day between e.from_day and e.to_day and (e.work_centre is null or e.work_centre = p_work_centre)
   order by e.work_centre is null, e.id desc limit 1;
  if v_exception.id is not null then
    return query select * from private.read_shifts(coalesce(v_exception.shifts, '[]'));
  else
    return query select s.* from private.read_shifts((select p.shifts from public.shift_patterns p
        where p.work_centre = p_work_centre and p.valid_from <= p_day order by p.valid_from desc limit 1)) s
      where extract(isodow from p_day)::integer = any (s.weekdays);
  end if;
end $$;

create function private.check_calendar(p_work_centre text, p_site text, p_from date, p_to date)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_today date := (now() at time zone (select si.time_zone from public.sites si where si.code = p_site))::date;
  v_found record;
begin
  with laid as materialized (
    select d.day::date as day, row_number() over () as n, s.title, private.wall_range(d.day::date, s.starts, s.ends, 'UTC') as during
      from generate_series(p_from - 1, least(p_to, p_from + 800) + 1, interval '1 day') as d (day)
     cross join lateral private.shifts_of_day(p_work_centre, p_site, d.day::date) s
  )
  -- The night before today is as it is: what comes behind it is cut.
  select b.day, array[a.title, b.title] as titles into v_found from laid a join laid b on b.n > a.n and b.day <= a.day + 1 and a.during && b.during
   where b.day <> v_today order by b.day limit 1;
  if v_found.day is not null then
    perform private.fail(422, 'calendar.overlap', format('On %s the shifts %s and %s are at the same time.', v_found.day, v_found.titles[1], v_found.titles[2]),
      jsonb_build_object('field', 'p_shifts', 'day', v_found.day, 'shifts', v_found.titles, 'work_centre', p_work_centre));
  end if;
end $$;
comment on function private.check_calendar is
$$Neighbouring days never overlap where a pattern meets the next one or an exception, also weeks ahead and where no machine stands yet.
Errors: calendar.overlap (422), naming both.$$;

create function private.add_shift(p_machine public.machines, p_day date, p_row private.shift_row, p_zone text)
returns void language plpgsql set search_path = '' as $$
declare
  v_during tstzrange := private.wall_range(p_day, p_row.starts, p_row.ends, p_zone);
  v_busy timestamptz;
  v_other text;
  v_shift bigint;
begin
  select upper(i.during) into v_busy from public.shift_instances i
   where i.machine = p_machine.code and i.during @> now() and i.during @> lower(v_during) and i.shift_date < p_day;
  if v_busy is not null then   -- the shift that is on stays as it is although the pattern has changed
    v_during := v_during * tstzrange(v_busy, null);
  end if;
  if isempty(v_during) then
    return;   -- the clock jumps over it
  end if;
  select i.title into v_other from public.shift_instances i where i.machine = p_machine.code and i.during && v_during limit 1;
  if v_other is not null then
    perform private.fail(422, 'calendar.overlap', format('On %s the shifts %s and %s of %s are at the same time.', p_day, v_other, p_row.title, p_machine.code),
      jsonb_build_object('day', p_day, 'shifts', array[v_other, p_row.title], 'machine', p_machine.code));
  end if;
  insert into public.shift_instances (machine, site, work_centre, shift, title, shift_date, during)
  values (p_machine.code, p_machine.site, p_machine.work_centre, p_row.shift, p_row.title, p_day, v_during) returning id into v_shift;
  insert into public.planned_stops (machine, site, time_class, during, shift_id, note)
  select p_machine.code, p_machine.site, coalesce(b ->> 'time_class', 'break'), v_during * r.during, v_shift, b ->> 'title'
    from jsonb_array_elements(p_row.breaks) b
   cross join lateral (select private.wall_range(p_day + ((b ->> 'starts')::time < p_row.starts)::integer, (b ->> 'starts')::time,
      (b ->> 'ends')::time, p_zone) as during) r
   where not isempty(v_during * r.during);
end $$;

create function private.make_shifts(p_machine text, p_from date, p_to date)
returns integer language plpgsql set search_path = '' as $$
declare
  v_machine public.machines := (select m from public.machines m where m.code = p_machine);
  v_zone text := (select si.time_zone from public.sites si where si.code = v_machine.site);
  v_row private.shift_row;
  v_day date;
  v_there tstzmultirange;
  v_during tstzrange;
  v_made integer := 0;
begin
  if v_machine.work_centre is null or not v_machine.is_active then
    return 0;
  end if;
  for v_day in
    insert into private.shift_days (machine, day) select p_machine, d::date from generate_series(p_from, p_to, interval '1 day') d
    on conflict on constraint shift_days_pkey do nothing returning day
  loop
    v_there := (select range_agg(i.during) from public.shift_instances i where i.machine = p_machine and i.shift_date = v_day and not i.is_overtime);
    for v_row in select * from private.shifts_of_day(v_machine.work_centre, v_machine.site, v_day) loop
      v_during := private.wall_range(v_day, v_row.starts, v_row.ends, v_zone);
      continue when v_there is not null and (lower(v_during) <= now() or v_during && v_there);
      perform private.add_shift(v_machine, v_day, v_row, v_zone);
      v_made := v_made + 1;
    end loop;
  end loop;
  return v_made;
end $$;
comment on function private.make_shifts is
$$Shifts and breaks of the days that were not made yet; of a day of which shifts are there, those beside them that have not begun. The caller has locked
the machine. Errors: calendar.overlap (422).$$;

create function private.first_shift_day(p_work_centre text, p_today date)
returns date language plpgsql stable set search_path = '' as $$
begin
  return greatest(p_today - 400, least(p_today, (select min(p.valid_from) from public.shift_patterns p where p.work_centre = p_work_centre)));
end $$;

create function private.remake_shifts(p_machine text, p_now timestamptz default now())
returns void language plpgsql set search_path = '' as $$
declare
  v_machine public.machines;
  v_today date;
begin
  select m.* into v_machine from public.machines m where m.code = p_machine for no key update;
  v_today := (p_now at time zone (select si.time_zone from public.sites si where si.code = v_machine.site))::date;
  -- A day of which a shift has begun stays as it is, with its later shifts: it is not made anew.
  delete from public.shift_instances i where i.machine = p_machine and lower(i.during) > p_now
    and (i.is_overtime or not exists (select from public.shift_instances b
      where b.machine = p_machine and b.shift_date = i.shift_date and not b.is_overtime and lower(b.during) <= p_now));
  delete from private.shift_days d where d.machine = p_machine and d.day >= v_today
    and not exists (select from public.shift_instances i where i.machine = p_machine and i.shift_date = d.day and not i.is_overtime);
  perform private.make_shifts(p_machine, private.first_shift_day(v_machine.work_centre, v_today), v_today + 14);
  perform private.add_overtime_shifts(p_machine, w.during) from public.overtime_windows w where w.machine = p_machine and upper(w.during) > p_now;
end $$;
comment on function private.remake_shifts is 'After its pattern, its exceptions or its work centre changed: days of which no shift has begun are made anew. Locks the machine.';

-- Overtime counts only with an approval --------------------------------------------------------------------------------

create function private.add_overtime_shifts(p_machine text, p_during tstzrange)
returns void language plpgsql set search_path = '' as $$
begin
  -- The shifts of its days come first: overtime is what they leave free, also weeks ahead.
  perform private.make_shifts(m.code, (lower(p_during) at time zone si.time_zone)::date - 1, (upper(p_during) at time zone si.time_zone)::date)
    from public.machines m join public.sites si on si.code = m.site where m.code = p_machine;
  insert into public.shift_instances (machine, site, work_centre, shift, title, shift_date, during, is_overtime)
  select m.code, m.site, m.work_centre, 'overtime', 'Overtime', (lower(r.free) at time zone si.time_zone)::date, r.free, true
    from public.machines m join public.sites si on si.code = m.site
   cross join lateral unnest(tstzmultirange(p_during) - coalesce((select range_agg(i.during) from public.shift_instances i
      where i.machine = p_machine and i.during && p_during), '{}'::tstzmultirange)) as r (free)
   where m.code = p_machine;
end $$;

create function private.tg_approvals__overtime()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines;
  v_during tstzrange := tstzrange(new.starts_at, new.ends_at);
begin
  for v_machine in
    select m.* from public.machines m where m.site = new.site and m.is_active and m.work_centre is not null
      and (new.work_centre is null or m.work_centre = new.work_centre) order by m.code for no key update
  loop
    insert into public.overtime_windows (machine, approval_id, during) values (v_machine.code, new.id, v_during)
    on conflict on constraint overtime_windows_pkey do nothing;
    perform private.add_overtime_shifts(v_machine.code, v_during);
    perform private.touch_shifts(v_machine.code, v_during);
  end loop;
  return null;
end $$;
create trigger _500_overtime after update of status on public.approvals for each row
  when (new.type = 'OVERTIME' and new.status = 'APPROVED' and old.status <> 'APPROVED') execute function private.tg_approvals__overtime();

create function private.tg_machines__shifts()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_today date := (now() at time zone (select si.time_zone from public.sites si where si.code = new.site))::date;
begin
  if new.work_centre is not null and new.is_active then
    if tg_op = 'UPDATE' then   -- while it was out of use, or at no work centre, there were no shifts, and none are made up
      insert into private.shift_days (machine, day) select new.code, d::date
        from generate_series(coalesce((select max(x.day) + 1 from private.shift_days x where x.machine = new.code), v_today - 400), v_today - 1,
          interval '1 day') d;
      if old.work_centre is null or not old.is_active then   -- what was still to come today, comes
        delete from private.shift_days d where d.machine = new.code and d.day = v_today;
      end if;
    end if;
    perform private.remake_shifts(new.code);
  else
    delete from public.shift_instances i where i.machine = new.code and lower(i.during) > now();
    delete from private.shift_days d where d.machine = new.code and d.day > v_today;
  end if;
  return null;
end $$;
create trigger _500_shifts_new after insert on public.machines for each row
  when (new.work_centre is not null) execute function private.tg_machines__shifts();
create trigger _500_shifts_moved after update of work_centre, is_active on public.machines for each row
  when ((new.work_centre, new.is_active) is distinct from (old.work_centre, old.is_active)) execute function private.tg_machines__shifts();

create function private.extend_shifts(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_machine public.machines;
  v_today date;
begin
  for v_machine in select m.* from public.machines m where m.is_active and m.work_centre is not null order by m.code loop
    v_today := (p_now at time zone (select si.time_zone from public.sites si where si.code = v_machine.site))::date;
    continue when 15 = (select count(*) from private.shift_days d where d.machine = v_machine.code and d.day between v_today and v_today + 14)
      or not exists (select from public.shift_patterns p where p.work_centre = v_machine.work_centre) or not private.spare_machine(v_machine.code);
    begin   -- from the first day on: the clock may have stood for weeks, and overtime makes days ahead
      perform private.make_shifts(v_machine.code, private.first_shift_day(v_machine.work_centre, v_today), v_today + 14);
      perform private.note_trouble('extend_shifts', v_machine.code, null);
    exception when others then
      perform private.note_trouble('extend_shifts', v_machine.code, sqlerrm);
    end;
  end loop;
end $$;
comment on function private.extend_shifts is 'A job of the clock: two weeks of shifts are always there.';
