-- The wall: what every machine does now, and who is called when one stands ---------------------------------------------

create type public.andon_row as (
  machine text, name text, line text, work_centre text, state text, since timestamptz, by_name text, reason text, reason_title text, stop_id bigint,
  stop_version integer, open_repairs bigint, called_role text, called_at timestamptz, answered_by_name text, answered_at timestamptz,
  shift_id bigint, shift text, shift_ends_at timestamptz, inputs public.kpi_inputs, ratios public.kpi_ratios);
comment on type public.andon_row is
$$A machine now: running, setup, stopped (or what it says: idle, fault, starved, blocked, maintenance, off), planned (a break …), no_data; since when; who
said so. called_role: supervisor or manager, since called_at, because it stands in working time and nobody has said why or answered; null: nobody is
called. Figures of the shift that is on so far, null outside of shifts.$$;

create type private.machine_now as (state text, since timestamptz, actor_id uuid, stop public.stops);

create function private.machine_now(p_machine text, p_now timestamptz)
returns private.machine_now language plpgsql stable set search_path = '' as $$
declare
  v private.machine_now;
begin
  select s into v.stop from public.stops s where s.machine = p_machine and s.during @> p_now and s.source <> 'signal' limit 1;
  select i.state, i.starts_at into v.state, v.since from private.machine_intervals(p_machine, p_now - interval '1 minute', p_now, p_now) i
   order by i.starts_at desc limit 1;
  if (v.stop).id is not null then
    v.state := 'stopped'; v.since := lower((v.stop).during); v.actor_id := (v.stop).started_by;
    return v;
  elsif v.state in ('running', 'setup') then
    v.since := coalesce((select min(e.at) from public.machine_state_events e where e.machine = p_machine and e.at > coalesce((
        select max(b.at) from public.machine_state_events b where b.machine = p_machine and b.at > p_now - interval '1 day' and b.state <> v.state),
      p_now - interval '1 day')), v.since);
  else
    v.since := coalesce((private.stop_around(p_machine, p_now, p_now)).starts_at, v.since);
    select s into v.stop from public.stops s where s.machine = p_machine and s.during @> p_now limit 1;
  end if;
  v.since := nullif(v.since, '-infinity');
  v.actor_id := coalesce((v.stop).classified_by, (select e.actor_id from public.machine_state_events e
    where e.machine = p_machine and e.at <= p_now order by e.at desc, e.seq desc, e.state desc limit 1));
  return v;
end $$;

create type private.andon_call as (role text, at timestamptz, stands_since timestamptz, answered_by uuid, answered_at timestamptz);

create function private.andon_call(p_machine public.machines, p_now private.machine_now, p_at timestamptz)
returns private.andon_call language plpgsql stable set search_path = '' as $$
declare
  v_call private.andon_call;
  v_stop public.stops := p_now.stop;
  v_from timestamptz;
begin
  if p_now.state in ('running', 'setup') or p_now.since is null
      or exists (select from public.planned_stops p where p.machine = p_machine.code and p.is_active and p.during @> p_at) then
    return null;
  end if;
  v_call.answered_by := v_stop.answered_by; v_call.answered_at := v_stop.answered_at;
  if v_stop.answered_at is null then
    select r.acknowledged_by, r.acknowledged_at into v_call.answered_by, v_call.answered_at from public.stop_repairs l join public.repairs r on r.id = l.repair_id
     where l.stop_id = v_stop.id and r.acknowledged_at is not null order by r.acknowledged_at limit 1;
  end if;
  if v_call.answered_at is not null or v_stop.reason is not null and not exists (
      select from public.stop_reasons r where r.code = v_stop.reason and r.needs_repair) then
    return v_call;
  end if;
  -- Minutes of working time: from the beginning of the shift, or from the end of its last break.
  v_from := (select greatest(p_now.since, lower(i.during), (select max(upper(p.during)) from public.planned_stops p
      where p.machine = p_machine.code and p.is_active and p.during && i.during and upper(p.during) <= p_at))
    from public.shift_instances i where i.machine = p_machine.code and i.during @> p_at);
  select c.role, c.at, p_now.since into v_call.role, v_call.at, v_call.stands_since
    from (values ('supervisor', 1, p_machine.call_supervisor_min), ('manager', 2, p_machine.call_manager_min)) as l (role, step, minutes)
   cross join lateral (select l.role, v_from + make_interval(mins => l.minutes) as at) c
   where l.minutes > 0 and c.at <= p_at order by c.at desc, l.step desc limit 1;
  return v_call;
end $$;
comment on function private.andon_call is
$$Who is called to a machine that stands, and since when: nobody while it runs, in planned stops, outside of shifts, once somebody answered, and once it is
known why, unless the reason needs a repair that nobody has acknowledged.$$;

create function private.standing_since(p_machine text, p_now timestamptz)
returns timestamptz language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_now private.machine_now := private.machine_now(p_machine, p_now);
begin
  return case when v_now.state not in ('running', 'setup') and ((v_now.stop).id is not null or not exists (
    select from public.planned_stops p where p.machine = p_machine and p.is_active and p.during @> p_now))
    then coalesce(v_now.since, (select min(e.at) from public.machine_state_events e where e.machine = p_machine)) end;
end $$;
comment on function private.standing_since is
$$Since when a machine stands, as the wall says: because a stop is open, or because it said or is silent. Null: it runs, it is in a planned stop, or nobody
ever heard of it.$$;
grant execute on function private.standing_since to authenticated;

create function public.get_andon(p_site text default null, p_line text default null, p_machine text default null)
returns setof public.andon_row language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_site text;
  v_sites text[];
begin
  perform private.authorize('kpi.read');
  v_site := private.site_asked(p_machine, p_line, null, p_site);
  perform private.authorize('kpi.read', null, v_site);
  v_sites := private.caller_sites(v_site);
  return query
    select m.code, m.name, m.line, m.work_centre, case when p.id is not null and n.state not in ('running', 'setup') and (n.stop).id is null then 'planned' else n.state end,
        n.since, st.full_name, coalesce((n.stop).reason, p.time_class), coalesce(r.title, t.title), (n.stop).id, (n.stop).version,
        (select count(*) from public.repairs x where x.machine = m.code and x.is_open), c.role, c.at, an.full_name, c.answered_at,
        i.id, i.title, upper(i.during), k.inputs, private.kpi_ratios(k.inputs)
      from public.machines m
     cross join lateral private.machine_now(m.code, now()) n
     cross join lateral private.andon_call(m, n, now()) c
      left join public.shift_instances i on i.machine = m.code and i.during @> now()
      left join lateral (select q.id, q.time_class from public.planned_stops q where q.machine = m.code and q.is_active and q.during @> now() order by q.id limit 1) p on true
      left join lateral (select private.kpi_window(m.code, lower(i.during), upper(i.during), now()) as inputs where i.id is not null offset 0) k on true
      left join public.staff_shared st on st.user_id = n.actor_id
      left join public.staff_shared an on an.user_id = c.answered_by
      left join public.stop_reasons r on r.code = (n.stop).reason
      left join public.time_classes t on t.code = p.time_class
     where m.is_active and m.site = any (v_sites) and (p_line is null or m.line = p_line) and (p_machine is null or m.code = p_machine)
     order by m.line nulls last, m.code;
end $$;
comment on function public.get_andon is
$$Every machine: what it does, since when, who said so, why it stands, who is called, open repairs, and the figures of the shift that is on.
Permission: kpi.read at the site.
Errors: machine.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

create function public.answer_stop(p_machine text default null, p_stop_id bigint default null, p_request_id uuid default null)
returns public.stop_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.stop_command := private.begin_stop('stops.report', p_machine, p_stop_id, null, p_request_id, 'answer_stop',
    jsonb_build_array(p_machine, p_stop_id));
  v_stop public.stops;
begin
  if v_command.answer is not null then
    return private.finish_stop(v_command, null, null);
  end if;
  v_stop := case when p_stop_id is null then private.shown_stop(v_command, now()) else v_command.stop end;
  if v_stop.answered_at is not null or not upper_inf(v_stop.during) then
    return private.finish_stop(v_command, v_stop.id, null);
  end if;
  update public.stops s set answered_by = nullif(v_command.actor, '00000000-0000-0000-0000-000000000000'), answered_at = now() where s.id = v_stop.id;
  return private.finish_stop(v_command, v_stop.id, 'stop.answered');
end $$;
comment on function public.answer_stop is
$$Somebody takes care of a machine that stands: the open stop of p_machine, or p_stop_id. Nobody else is called to it. Why it stands is said by
classify_stop.
Permission: stops.report at the site of the machine.
Errors: machine.unknown (404), stop.unknown (404), stop.none_then (409), request.reused (422).
Idempotency: by p_request_id; a stop that somebody has answered, or that is over, answers changed = false and says who.
Locks: the machine, then the stop.$$;

create function private.raise_andon_call(p_machine public.machines, p_now timestamptz)
returns void language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_now private.machine_now := private.machine_now(p_machine.code, p_now);
  v_call private.andon_call := private.andon_call(p_machine, v_now, p_now);
begin
  if v_call.role is null then
    return;
  end if;
  insert into private.andon_calls as c (machine, role, stands_since, called_at)
  values (p_machine.code, v_call.role, v_call.stands_since, v_call.at)
  on conflict on constraint andon_calls_pkey do update set stands_since = excluded.stands_since, called_at = excluded.called_at
    where excluded.stands_since > c.called_at;   -- another stop, not this one told better by a late state
  if found then
    perform private.emit('machine', p_machine.code, 'machine.called', null, jsonb_strip_nulls(jsonb_build_object('machine', p_machine.code,
      'role', v_call.role, 'stands_since', v_call.stands_since, 'called_at', v_call.at, 'reason', (v_now.stop).reason)), null, p_machine.site);
  end if;
end $$;

create function private.raise_andon_calls(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_machine public.machines;
begin
  for v_machine in
    select m.* from public.machines m join public.shift_instances i on i.machine = m.code and i.during @> p_now
     where m.is_active and greatest(m.call_supervisor_min, m.call_manager_min) > 0 order by m.code
  loop
    begin
      perform private.raise_andon_call(v_machine, p_now);
      perform private.note_trouble('raise_andon_calls', v_machine.code, null);
    exception when others then
      perform private.note_trouble('raise_andon_calls', v_machine.code, sqlerrm);
    end;
  end loop;
end $$;
comment on function private.raise_andon_calls is
  'A job of the clock: one event machine.called for each step of the ladder that a stop reaches. A step that was passed between two runs is not raised afterwards.';

grant execute on function public.get_andon, public.answer_stop to authenticated, service_role;
