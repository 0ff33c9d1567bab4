-- Shifts, exceptions, planned stops, reasons, policies and ideal cycles -------------------------------------------------

create function private.find_work_centre(p_work_centre text)
returns public.work_centres language plpgsql stable set search_path = '' as $$
declare
  v_centre public.work_centres := (select w from public.work_centres w where w.code = p_work_centre);
begin
  if v_centre.code is null then
    perform private.fail(404, 'work_centre.unknown', 'There is no work centre ' || coalesce(p_work_centre, '') || '.', jsonb_build_object('work_centre', p_work_centre));
  end if;
  return v_centre;
end $$;

create function public.save_shift_pattern(
  p_work_centre text, p_valid_from date, p_shifts jsonb, p_note text default null, p_request_id uuid default null)
returns public.shift_patterns language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('kpi.plan', null, (select w.site from public.work_centres w where w.code = p_work_centre));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_shift_pattern', jsonb_build_array(p_work_centre, p_valid_from, p_shifts, p_note));
  v_centre public.work_centres := private.find_work_centre(p_work_centre);
  v_pattern public.shift_patterns;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.shift_patterns, v_answer);
  elsif p_valid_from not between current_date - 400 and current_date + 400 then
    perform private.fail(422, 'calendar.day', 'A pattern begins at most 400 days from today.', jsonb_build_object('field', 'p_valid_from', 'actual', p_valid_from));
  end if;
  perform private.check_shifts(p_shifts);
  perform private.check_week(p_shifts);
  perform 1 from public.machines m where m.work_centre = p_work_centre order by m.code for no key update;
  insert into public.shift_patterns as p (work_centre, valid_from, shifts, note, created_by)
  values (p_work_centre, p_valid_from, p_shifts, p_note, nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
  on conflict on constraint shift_patterns_valid_from_key do update set shifts = excluded.shifts, note = excluded.note
  returning p.* into v_pattern;
  perform private.check_calendar(p_work_centre, v_centre.site, p_valid_from, greatest(p_valid_from + 7,
    (select max(p.valid_from) from public.shift_patterns p where p.work_centre = p_work_centre),
    (select max(e.to_day) from public.calendar_exceptions e
      where e.site = v_centre.site and e.is_active and coalesce(e.work_centre, p_work_centre) = p_work_centre)));
  perform private.remake_shifts(m.code) from public.machines m where m.work_centre = p_work_centre and m.is_active order by m.code;
  perform private.emit('calendar', p_work_centre, 'calendar.pattern', v_actor, to_jsonb(v_pattern), null, v_centre.site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_pattern));
  return v_pattern;
end $$;
comment on function public.save_shift_pattern is
$$The weekly shifts of a work centre from p_valid_from on (a day already given is replaced). p_shifts [{shift, title, weekdays [1 = Monday … 7], starts
"22:00", ends "06:00", breaks [{title, starts, ends, time_class}]}] in wall time of the plant. Shifts that have begun stay as they are.
Permission: kpi.plan at the site of the work centre.
Errors: work_centre.unknown (404), calendar.pattern (422), calendar.overlap (422) naming both shifts, calendar.day (422), request.reused (422).
Idempotency: by p_request_id; the same again changes nothing.
Locks: the machines of the work centre.$$;

create function public.save_calendar_exception(
  p_from_day date, p_to_day date, p_reason text, p_shifts jsonb default null, p_work_centre text default null, p_site text default null,
  p_id bigint default null, p_is_active boolean default true, p_request_id uuid default null)
returns public.calendar_exceptions language plpgsql security definer set search_path = '' as $$
declare
  v_old public.calendar_exceptions := (select e from public.calendar_exceptions e where e.id = p_id);
  v_site text := coalesce(v_old.site, (select w.site from public.work_centres w where w.code = p_work_centre), private.caller_site(p_site, null));
  v_actor uuid := private.authorize('kpi.plan', null, v_site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_calendar_exception',
    jsonb_build_array(p_from_day, p_to_day, p_reason, p_shifts, p_work_centre, p_site, p_id, p_is_active));
  v_new public.calendar_exceptions;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.calendar_exceptions, v_answer);
  elsif p_id is not null and v_old.id is null then
    perform private.fail(404, 'calendar.unknown', 'There is no such exception.', jsonb_build_object('id', p_id));
  elsif p_work_centre is not null then
    perform private.find_work_centre(p_work_centre);
  end if;
  perform private.check_shifts(coalesce(p_shifts, '[]'));
  perform 1 from public.machines m where m.site = v_site and (p_work_centre is null or m.work_centre = p_work_centre) order by m.code for no key update;
  if v_old.id is null then
    insert into public.calendar_exceptions (site, work_centre, from_day, to_day, shifts, reason, is_active, created_by)
    values (v_site, p_work_centre, p_from_day, p_to_day, p_shifts, p_reason, p_is_active, nullif(v_actor, '00000000-0000-0000-0000-000000000000'))
    returning * into v_new;
  else
    update public.calendar_exceptions e set from_day = p_from_day, to_day = p_to_day, shifts = p_shifts, reason = p_reason, is_active = p_is_active
     where e.id = p_id returning e.* into v_new;
  end if;
  perform private.check_calendar(w.code, v_site, greatest(least(p_from_day, v_old.from_day), current_date - 1), greatest(p_to_day, v_old.to_day))
    from public.work_centres w where w.site = v_site and w.code = coalesce(v_new.work_centre, w.code)
      and exists (select from public.shift_patterns p where p.work_centre = w.code) order by w.code;
  perform private.remake_shifts(m.code) from public.machines m
    where m.site = v_site and m.is_active and m.work_centre is not null and (p_work_centre is null or m.work_centre = p_work_centre) order by m.code;
  perform private.emit('calendar', coalesce(p_work_centre, v_site), 'calendar.exception', v_actor, to_jsonb(v_new), null, v_site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_new));
  return v_new;
end $$;
comment on function public.save_calendar_exception is
$$Days that are not as the pattern says, of a work centre or of the whole site: p_shifts is what is worked instead, null for nothing. p_id changes one,
p_is_active false takes it back. Shifts that have begun stay as they are.
Permission: kpi.plan at the site.
Errors: calendar.unknown (404), work_centre.unknown (404), calendar.pattern (422), calendar.overlap (422), request.reused (422); constraints by name.
Idempotency: by p_request_id; the same exception again has the same effect.
Locks: the machines it concerns.$$;

create function public.plan_stop(
  p_machine text, p_from timestamptz, p_to timestamptz, p_time_class text default 'meeting', p_note text default null, p_request_id uuid default null)
returns public.planned_stops language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('kpi.plan', null, (select m.site from public.machines m where m.code = p_machine));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'plan_stop', jsonb_build_array(p_machine, p_from, p_to, p_time_class, p_note));
  v_stop public.planned_stops;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.planned_stops, v_answer);
  end if;
  perform private.find_machine(p_machine);
  if num_nulls(p_from, p_to) > 0 or p_to <= p_from or p_to > p_from + interval '31 days' then
    perform private.fail(422, 'stop.ends_before', 'It ends after it begins, within 31 days.', jsonb_build_object('from', p_from, 'to', p_to));
  elsif not exists (select from public.time_classes c where c.code = p_time_class and c.is_planned) then
    perform private.fail(422, 'stop.not_planned', 'That is nothing one plans.', jsonb_build_object('field', 'p_time_class', 'actual', p_time_class,
      'expected', array(select c.code from public.time_classes c where c.is_planned order by c.position)));
  end if;
  perform private.lock_machine(p_machine);
  insert into public.planned_stops (machine, site, time_class, during, note, created_by)
  select m.code, m.site, p_time_class, tstzrange(p_from, p_to), p_note, nullif(v_actor, '00000000-0000-0000-0000-000000000000')
    from public.machines m where m.code = p_machine returning * into v_stop;
  perform private.emit('calendar', p_machine, 'calendar.planned_stop', v_actor, to_jsonb(v_stop) || jsonb_build_object('is_late', p_from < now()), null, v_stop.site);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_stop));
  return v_stop;
end $$;
comment on function public.plan_stop is
$$A machine stands by plan from p_from to p_to: p_time_class break, meeting, planned_maintenance or no_order. Also afterwards: the event says so, and
the figures of the shift are computed anew.
Permission: kpi.plan at the site of the machine.
Errors: machine.unknown (404), stop.ends_before (422), stop.not_planned (422), request.reused (422); constraints by name.
Idempotency: by p_request_id; planned twice, the time counts once.
Locks: the machine.$$;

create function public.cancel_planned_stop(p_id bigint, p_request_id uuid default null)
returns public.planned_stops language plpgsql security definer set search_path = '' as $$
declare
  v_stop public.planned_stops := (select p from public.planned_stops p where p.id = p_id);
  v_actor uuid := private.authorize('kpi.plan', null, v_stop.site);
  v_answer jsonb := private.replay(v_actor, p_request_id, 'cancel_planned_stop', jsonb_build_array(p_id));
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.planned_stops, v_answer);
  elsif v_stop.id is null then
    perform private.fail(404, 'stop.unknown', 'There is no such planned stop.', jsonb_build_object('id', p_id));
  elsif v_stop.shift_id is not null then
    perform private.fail(409, 'stop.needs_overtime', 'Working through a break is overtime. Ask for overtime, then somebody approves it.',
      jsonb_build_object('id', p_id, 'from', lower(v_stop.during), 'to', upper(v_stop.during)));
  end if;
  perform private.lock_machine(v_stop.machine);
  update public.planned_stops p set is_active = false where p.id = p_id and p.is_active returning p.* into v_stop;
  if found then
    perform private.emit('calendar', v_stop.machine, 'calendar.stop_cancelled', v_actor, to_jsonb(v_stop), null, v_stop.site);
  else
    v_stop := (select p from public.planned_stops p where p.id = p_id);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_stop));
  return v_stop;
end $$;
comment on function public.cancel_planned_stop is
$$A planned stop does not take place. The break of a shift stays: who works through it asks for overtime.
Permission: kpi.plan at the site of the machine.
Errors: stop.unknown (404), stop.needs_overtime (409), request.reused (422).
Idempotency: by p_request_id; cancelled again it stays as it is.
Locks: the machine.$$;

grant execute on function public.save_shift_pattern, public.save_calendar_exception, public.plan_stop, public.cancel_planned_stop to authenticated, service_role;
