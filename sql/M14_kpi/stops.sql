-- Stops: what people and repairs say about time in which a machine stood ----------------------------------------------

create type private.stretch as (starts_at timestamptz, ends_at timestamptz);

create function private.stop_around(p_machine text, p_at timestamptz, p_as_of timestamptz)
returns private.stretch language plpgsql stable set search_path = '' as $$
declare
  v_ran timestamptz := (select e.at from public.machine_state_events e
    where e.machine = p_machine and e.state in ('running', 'setup') and e.at <= p_at order by e.at desc limit 1);
  v_runs timestamptz := (select e.at from public.machine_state_events e
    where e.machine = p_machine and e.state in ('running', 'setup') and e.at > p_at and e.at <= p_as_of order by e.at limit 1);
  v_stop private.stretch;
begin
  with intervals as materialized (
    select i.* from private.machine_intervals(p_machine, coalesce(v_ran, '-infinity'), coalesce(v_runs, p_as_of), p_as_of) i where i.is_down
  )
  select min(i.starts_at), max(i.ends_at) into v_stop from intervals i
   where i.stop_n = (select j.stop_n from intervals j
     where j.starts_at <= p_at and (j.ends_at > p_at or j.ends_at = p_as_of and p_at >= p_as_of) order by j.starts_at desc limit 1);
  if v_stop.ends_at >= p_as_of then
    v_stop.ends_at := null;
  end if;
  return case when v_stop.starts_at is not null then v_stop end;
end $$;
comment on function private.stop_around is
$$The whole stretch around an instant in which the machine itself did not run; without an end while it lasts; null when it ran. -infinity: it never ran.$$;

create function private.free_stretch(p_machine text, p_during tstzrange, p_at timestamptz)
returns tstzrange language plpgsql stable set search_path = '' as $$
begin
  return (select r.free from unnest(tstzmultirange(p_during) - coalesce((select range_agg(s.during) from public.stops s
      where s.machine = p_machine and s.during && p_during), '{}'::tstzmultirange)) as r (free) where r.free @> p_at);
end $$;
comment on function private.free_stretch is 'The part of a stretch around an instant that no stop covers yet.';

create function private.emit_stop(p_stop public.stops, p_event text, p_actor uuid, p_more jsonb default '{}')
returns bigint language plpgsql set search_path = '' as $$
begin
  return private.emit('stop', p_stop.id::text, p_event, p_actor, jsonb_strip_nulls(jsonb_build_object('machine', p_stop.machine, 'version', p_stop.version,
    'reason', p_stop.reason, 'time_class', p_stop.time_class, 'from', lower(p_stop.during), 'to', upper(p_stop.during), 'source', p_stop.source) || p_more),
    null, p_stop.site);
end $$;

create function private.with_reason(p_stop public.stops, p_reason text, p_actor uuid)
returns public.stops language plpgsql stable set search_path = '' as $$
declare
  v_reason public.stop_reasons;
begin
  if p_reason is null then
    return p_stop;
  end if;
  select r.* into v_reason from public.stop_reasons r where r.code = p_reason and r.is_active;
  if v_reason.code is null then
    perform private.fail(404, 'stop.unknown_reason', 'There is no reason ' || p_reason || ' in use.', jsonb_build_object('reason', p_reason));
  end if;
  p_stop.reason := v_reason.code; p_stop.time_class := v_reason.time_class; p_stop.is_failure := v_reason.is_failure;
  p_stop.classified_by := nullif(p_actor, '00000000-0000-0000-0000-000000000000'); p_stop.classified_at := now();
  p_stop.reason_repair_id := null;
  return p_stop;
end $$;
comment on function private.with_reason is 'The stop with a reason and the class it has now. Errors: stop.unknown_reason (404).';

create function private.with_reason_given(p_stop public.stops, p_reason text, p_actor uuid)
returns public.stops language plpgsql stable set search_path = '' as $$
declare
  v_stop public.stops := private.with_reason(p_stop, p_reason, p_actor);
begin
  if exists (select from public.time_classes c where c.code = v_stop.time_class and c.is_planned) and not private.may('kpi.plan') then
    v_stop.time_class := case when p_stop.reason = v_stop.reason then p_stop.time_class else 'unclassified' end;
  end if;
  return v_stop;
end $$;
comment on function private.with_reason_given is
$$The stop with the reason that a person gives. A planned one takes the time out of the plan as plan_stop does: of who may not plan it is a request, and
the time stays a loss (class unclassified) until somebody who may gives the same reason. Errors: stop.unknown_reason (404).$$;

create function private.with_reason_of_repair(p_stop public.stops)
returns public.stops language plpgsql stable set search_path = '' as $$
declare
  v_repair public.repairs;
begin
  select r.* into v_repair from public.stop_repairs l join public.repairs r on r.id = l.repair_id
   where l.stop_id = p_stop.id and r.is_failure order by r.id limit 1;
  p_stop.reason := null; p_stop.time_class := null; p_stop.is_failure := false; p_stop.classified_by := null; p_stop.classified_at := null;
  p_stop.reason_repair_id := null;
  if v_repair.id is not null then
    p_stop := private.with_reason(p_stop, 'breakdown', v_repair.reported_by);
    p_stop.reason_repair_id := v_repair.id;
  end if;
  return p_stop;
end $$;
comment on function private.with_reason_of_repair is 'The stop as it is without a word of a person: broken down while one of its repairs says so, else not classified.';

create function private.keep_reason(p_stop public.stops)
returns public.stops language plpgsql set search_path = '' as $$
declare
  v_stop public.stops;
begin
  update public.stops s
     set reason = p_stop.reason, time_class = p_stop.time_class, is_failure = p_stop.is_failure, reason_repair_id = p_stop.reason_repair_id,
         classified_by = p_stop.classified_by, classified_at = p_stop.classified_at, comment = p_stop.comment, source = p_stop.source
   where s.id = p_stop.id returning s.* into v_stop;
  return v_stop;
end $$;
comment on function private.keep_reason is 'Writes why a stop was, and who says so.';

create function private.insert_stop(p_stop public.stops)
returns public.stops language plpgsql set search_path = '' as $$
declare
  v_other public.stops;
  v_stop public.stops;
begin
  select s.* into v_other from public.stops s where s.machine = p_stop.machine and s.during && p_stop.during order by lower(s.during) limit 1;
  if v_other.id is not null then
    perform private.fail(409, 'stop.overlap', 'There is a stop at this time already. Change that one, or split it.',
      jsonb_build_object('stop', v_other.id, 'from', lower(v_other.during), 'to', upper(v_other.during), 'reason', v_other.reason));
  end if;
  insert into public.stops (machine, site, during, source, reason, time_class, is_failure, reason_repair_id, comment, split_of, started_by, ended_by, classified_by, classified_at,
    answered_by, answered_at)
  values (p_stop.machine, p_stop.site, p_stop.during, p_stop.source, p_stop.reason, p_stop.time_class, coalesce(p_stop.is_failure, false),
    p_stop.reason_repair_id, p_stop.comment, p_stop.split_of, p_stop.started_by, p_stop.ended_by, p_stop.classified_by, p_stop.classified_at, p_stop.answered_by, p_stop.answered_at)
  returning * into v_stop;
  return v_stop;
end $$;
comment on function private.insert_stop is 'A new stop of a locked machine. Errors: stop.overlap (409) with the stop that is in the way.';

create function private.tg_stops__dirty()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.touch_shifts(new.machine, case when tg_op = 'UPDATE' then range_merge(old.during, new.during) else new.during end);
  return null;
end $$;
create trigger _500_dirty after insert or update on public.stops for each row execute function private.tg_stops__dirty();

create function private.tg_planned_stops__dirty()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.touch_shifts(new.machine, case when tg_op = 'UPDATE' then range_merge(old.during, new.during) else new.during end);
  return null;
end $$;
create trigger _500_dirty after insert or update on public.planned_stops for each row execute function private.tg_planned_stops__dirty();

create function private.tg_machine_state_events__stops()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_stop public.stops;
  v_row record;
begin
  -- Against a stop that is classified and a shift that is kept at this moment: whoever does that holds the machine alone.
  perform 1 from public.machines m where m.code in (select n.machine from added n) order by m.code for share;
  for v_stop in
    update public.stops s set during = tstzrange(lower(s.during), r.at)
      from (select t.id, min(n.at) as at from added n join public.stops t on t.machine = n.machine and t.source = 'signal' and t.during @> n.at and lower(t.during) < n.at
             where n.state in ('running', 'setup') group by 1) r
     where s.id = r.id returning s.*
  loop
    perform private.emit_stop(v_stop, 'stop.ended', null);
  end loop;
  for v_row in select n.machine, min(n.at) as first_at, max(n.at) as last_at from added n group by 1 order by 1 loop
    perform private.touch_shifts(v_row.machine, private.between_signals(v_row.machine, v_row.first_at, v_row.last_at));
  end loop;
  return null;
end $$;
comment on function private.tg_machine_state_events__stops is
  'A stop that the machine showed ends when the machine runs; late states shorten it. They make the figures of closed shifts dirty.';
create trigger _500_stops after insert on public.machine_state_events referencing new table as added
  for each statement execute function private.tg_machine_state_events__stops();

-- Repairs open, join and end stops -------------------------------------------------------------------------------------

create function private.stop_for_repair(p_repair public.repairs, p_at timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_stop public.stops;
  v_shown private.stretch := private.stop_around(p_repair.machine, p_at, now());
  v_from timestamptz := greatest(least(p_at, case when v_shown.starts_at > '-infinity' then v_shown.starts_at end),
    (select max(upper(s.during)) from public.stops s where s.machine = p_repair.machine and s.during && tstzrange(p_at, null) and not upper_inf(s.during)));
begin
  for v_stop in select s.* from public.stops s where s.machine = p_repair.machine and s.during && tstzrange(p_at, null) order by lower(s.during) loop
    insert into public.stop_repairs (stop_id, repair_id) values (v_stop.id, p_repair.id) on conflict on constraint stop_repairs_pkey do nothing;
    if v_stop.reason is null then
      v_stop := private.with_reason_of_repair(v_stop);
      v_stop.source := case when exists (select from public.stop_repairs l where l.stop_id = v_stop.id and l.repair_id = p_repair.id and l.is_opener)
        then 'repair' else v_stop.source end;   -- it had opened this stop, and somebody had said that the machine ran
      perform private.keep_reason(v_stop);
    end if;
  end loop;
  if exists (select from public.stops s where s.machine = p_repair.machine and upper_inf(s.during)) then
    return;
  end if;
  v_stop := null; v_stop.machine := p_repair.machine; v_stop.site := p_repair.site; v_stop.source := 'repair';
  v_stop.during := private.free_stretch(p_repair.machine, tstzrange(coalesce(v_from, p_at), null), greatest(v_from, p_at));
  v_stop.started_by := p_repair.reported_by;
  v_stop := private.with_reason(v_stop, 'breakdown', p_repair.reported_by);
  v_stop.reason_repair_id := p_repair.id;
  v_stop := private.insert_stop(v_stop);
  insert into public.stop_repairs (stop_id, repair_id, is_opener) values (v_stop.id, p_repair.id, true);
  perform private.emit_stop(v_stop, 'stop.started', p_repair.reported_by, jsonb_build_object('repair', p_repair.id));
end $$;
comment on function private.stop_for_repair is
  'The machine cannot run because of this repair: joins the stops since then, and opens one when none is open. The machine is locked.';

create function private.end_stops_of(p_repair public.repairs, p_at timestamptz, p_only_opened boolean)
returns void language plpgsql set search_path = '' as $$
declare
  v_stop public.stops;
begin
  for v_stop in
    update public.stops s set during = tstzrange(lower(s.during), greatest(p_at, lower(s.during) + interval '1 microsecond')), ended_by = p_repair.closed_by
      from public.stop_repairs l where l.stop_id = s.id and l.repair_id = p_repair.id and upper_inf(s.during) and (l.is_opener or not p_only_opened)
       and not exists (select from public.stop_repairs o join public.repairs r on r.id = o.repair_id
         where o.stop_id = s.id and r.id <> p_repair.id and r.is_open and r.is_down and r.type = 'unscheduled')
    returning s.*
  loop
    perform private.emit_stop(v_stop, 'stop.ended', p_repair.closed_by, jsonb_build_object('repair', p_repair.id));
  end loop;
end $$;

create function private.forget_failure(p_repair public.repairs)
returns void language plpgsql set search_path = '' as $$
declare
  v_stop public.stops;
begin
  for v_stop in
    select s.* from public.stop_repairs l join public.stops s on s.id = l.stop_id where l.repair_id = p_repair.id order by lower(s.during)
  loop
    if v_stop.reason_repair_id = p_repair.id then
      v_stop := private.with_reason_of_repair(v_stop);
      v_stop.source := case when v_stop.reason is null and v_stop.source = 'repair' then 'signal' else v_stop.source end;
      v_stop := private.keep_reason(v_stop);
      -- Who says so now keeps the stop open, and ends it.
      update public.stop_repairs l set is_opener = true where l.stop_id = v_stop.id and l.repair_id = v_stop.reason_repair_id and v_stop.source = 'repair';
      perform private.emit_stop(v_stop, 'stop.classified', null, jsonb_build_object('before', 'breakdown', 'repair', p_repair.id));
    end if;
  end loop;
  perform private.end_stops_of(p_repair, now(), true);
end $$;
comment on function private.forget_failure is
$$A repair was no failure after all: what it said about stops is no longer said, unless another repair says the same, or a person did. A stop that only
this repair knew of holds only where the machine itself says that it stood.$$;

create function private.plan_for_repair(p_repair public.repairs)
returns void language plpgsql set search_path = '' as $$
declare
  v_is_worked_on boolean := p_repair.status in ('in_repair', 'waiting');
  v_before timestamptz := (select max(upper(p.during)) from public.planned_stops p where p.repair_id = p_repair.id);
begin
  if v_is_worked_on and p_repair.is_down then
    insert into public.planned_stops (machine, site, time_class, during, repair_id)
    values (p_repair.machine, p_repair.site, 'planned_maintenance',
      tstzrange(case when v_before is null then p_repair.started_at else greatest(v_before, p_repair.status_since) end, null), p_repair.id)
    on conflict (repair_id) where repair_id is not null and upper_inf(during) do nothing;
  else
    update public.planned_stops p
       set during = tstzrange(lower(p.during), greatest(case when v_is_worked_on then now() else coalesce(p_repair.repaired_at, p_repair.status_since) end,
         lower(p.during) + interval '1 microsecond'))
     where p.repair_id = p_repair.id and upper_inf(p.during);
  end if;
end $$;
comment on function private.plan_for_repair is
$$Work by plan is a planned stop while it is done; opened again, another one from then: in between it produced. It ends at once when the machine need not
stand for it after all.$$;

create function private.tg_repairs__stops()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if new.type = 'scheduled' then
    if new.started_at is not null then
      perform private.plan_for_repair(new);
    end if;
  elsif new.is_open and new.is_down and new.status <> 'verified' and (tg_op = 'INSERT' or not old.is_open
      or not old.is_down and new.reports = old.reports) then   -- a report that made it worse says itself since when
    perform private.stop_for_repair(new, case when tg_op = 'UPDATE' and not old.is_open then new.status_since else new.occurred_at end);
  elsif tg_op = 'UPDATE' and old.is_failure and not new.is_failure then
    perform private.forget_failure(new);
  elsif tg_op = 'UPDATE' and old.is_open and new.status = 'closed' and new.is_down and new.runs_again is not false then
    perform private.end_stops_of(new, new.closed_at, false);
  end if;
  return null;
end $$;
comment on function private.tg_repairs__stops is
$$A repair that keeps a machine down opens a stop or joins those that are there; closing it ends the stop unless the machine still stands, and when it was
no failure after all, what it said is taken back. Work by plan is a planned stop while it is done.$$;
create trigger _500_stops after insert or update on public.repairs for each row execute function private.tg_repairs__stops();

create function private.tg_repair_reports__stops()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_repair public.repairs;
begin
  select r.* into v_repair from public.repairs r where r.id = new.repair_id and r.type = 'unscheduled' and r.is_open and r.is_down and r.status <> 'verified';
  if v_repair.id is not null then
    perform private.stop_for_repair(v_repair, greatest(new.occurred_at, (   -- when its last stop ended, it ran
      select max(upper(s.during)) from public.stop_repairs l join public.stops s on s.id = l.stop_id where l.repair_id = v_repair.id)));
  end if;
  return null;
end $$;
comment on function private.tg_repair_reports__stops is
  'Who reports that a machine stands is heard also where a repair was open already: it stands since this report says, unless a stop is open.';
create trigger _500_stops after insert on public.repair_reports for each row when (new.is_down) execute function private.tg_repair_reports__stops();
