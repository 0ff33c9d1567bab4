-- From one shift to the next -------------------------------------------------------------------------------------------

create type public.handover_change as (changed boolean, event_id bigint, handover public.shift_handovers);
comment on type public.handover_change is 'Answer of a command on a handover: did it change anything, its event, the handover now.';

create function private.handover_snapshot(p_work_centre text, p_shift_date date, p_shift text, p_now timestamptz)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    with parts as (
      select i.machine, lower(i.during) as from_at, upper(i.during) as to_at, c.pieces,
          private.kpi_sums(i.machine, lower(i.during), least(upper(i.during), p_now), c.pieces) as inputs, private.machine_now(i.machine, p_now) as now
        from public.shift_instances i
       cross join lateral (select array(select p from private.kpi_pieces(i.machine, lower(i.during), upper(i.during), p_now) p) as pieces offset 0) c
       where i.work_centre = p_work_centre and i.shift_date = p_shift_date and i.shift = p_shift
    ), total as (select private.kpi_total(array_agg(p.inputs)) as inputs, min(p.from_at) as from_at, max(p.to_at) as to_at from parts p)
    select jsonb_build_object('from', t.from_at, 'to', t.to_at, 'as_of', p_now, 'inputs', to_jsonb(t.inputs), 'ratios', to_jsonb(private.kpi_ratios(t.inputs)),
      'machines', (select jsonb_agg(jsonb_build_object('machine', p.machine, 'state', (p.now).state, 'since', (p.now).since, 'reason', ((p.now).stop).reason,
          'inputs', to_jsonb(p.inputs), 'ratios', to_jsonb(private.kpi_ratios(p.inputs)), 'losses', private.losses_json(p.pieces),
          'open_repairs', (select coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'status', r.status, 'symptom', r.symptom, 'is_down', r.is_down) order by r.id), '[]')
            from public.repairs r where r.machine = p.machine and r.is_open)) order by p.machine) from parts p))
      from total t where t.from_at is not null);
end $$;

create function private.shift_of_centre(p_work_centre text, p_shift_date date, p_shift text)
returns public.shift_instances language plpgsql stable set search_path = '' as $$
declare
  v_shift public.shift_instances;
begin
  select i.* into v_shift from public.shift_instances i
   where i.work_centre = p_work_centre and not i.is_overtime and lower(i.during) <= now() and (p_shift_date is null or i.shift_date = p_shift_date)
     and (p_shift is null or i.shift = p_shift)
   order by abs(extract(epoch from upper(i.during) - now())), lower(i.during) limit 1;
  if v_shift.id is null then
    perform private.fail(404, 'calendar.no_shift', 'There is no such shift of this work centre that has begun.',
      jsonb_build_object('work_centre', p_work_centre, 'day', p_shift_date, 'shift', p_shift));
  end if;
  return v_shift;
end $$;

comment on function private.shift_of_centre is
$$The shift named, else the one that ends around now: after the change it is still the one before, not the one that has just begun. Errors:
calendar.no_shift (404).$$;

create function public.shift_handover(
  p_work_centre text, p_notes text default null, p_shift_date date default null, p_shift text default null, p_request_id uuid default null)
returns public.handover_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('shifts.handover', null, (select w.site from public.work_centres w where w.code = p_work_centre));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'shift_handover', jsonb_build_array(p_work_centre, p_notes, p_shift_date, p_shift));
  v_shift public.shift_instances;
  v_change public.handover_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.handover_change, v_answer);
  end if;
  perform private.find_work_centre(p_work_centre);
  perform private.check_length('p_notes', p_notes, 4000);
  v_shift := private.shift_of_centre(p_work_centre, p_shift_date, p_shift);
  insert into public.shift_handovers as h (site, work_centre, shift, shift_date, snapshot, notes, signed_by)
  values (v_shift.site, p_work_centre, v_shift.shift, v_shift.shift_date,
    private.handover_snapshot(p_work_centre, v_shift.shift_date, v_shift.shift, now()), p_notes, v_actor)
  on conflict on constraint shift_handovers_shift_key do nothing returning h into v_change.handover;
  v_change.changed := (v_change.handover).id is not null;
  if v_change.changed then
    v_change.event_id := private.emit('shift', (v_change.handover).id::text, 'shift.handed_over', v_actor, jsonb_build_object('work_centre', p_work_centre,
      'shift', v_shift.shift, 'day', v_shift.shift_date, 'version', (v_change.handover).version), null, v_shift.site);
  else
    v_change.handover := (select h from public.shift_handovers h where (h.work_centre, h.shift_date, h.shift) = (p_work_centre, v_shift.shift_date, v_shift.shift));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.shift_handover is
$$Sign what the shift leaves behind: figures, states, losses and open repairs of the machines of a work centre as they are now, with notes. The shift
named, else the one whose end is nearest to now. Signed once; it is not changed afterwards.
Permission: shifts.handover at the site of the work centre.
Errors: work_centre.unknown (404), calendar.no_shift (404), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a shift that was handed over answers changed = false.
Locks: none.$$;

create function public.receive_shift(p_id bigint, p_request_id uuid default null)
returns public.handover_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('shifts.handover', null, (select h.site from public.shift_handovers h where h.id = p_id));
  v_answer jsonb := private.replay(v_actor, p_request_id, 'receive_shift', jsonb_build_array(p_id));
  v_change public.handover_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.handover_change, v_answer);
  end if;
  select h into v_change.handover from public.shift_handovers h where h.id = p_id for update;
  if (v_change.handover).id is null then
    perform private.fail(404, 'shift.unknown', 'There is no such handover.', jsonb_build_object('id', p_id));
  elsif (v_change.handover).signed_by = v_actor then
    perform private.fail(403, 'shift.own', 'You gave this shift: somebody else takes it.', jsonb_build_object('id', p_id));
  end if;
  v_change.changed := (v_change.handover).received_at is null;
  if v_change.changed then
    update public.shift_handovers h set received_by = v_actor, received_at = now() where h.id = p_id returning h into v_change.handover;
    v_change.event_id := private.emit('shift', p_id::text, 'shift.received', v_actor, jsonb_build_object('work_centre', (v_change.handover).work_centre,
      'version', (v_change.handover).version), null, (v_change.handover).site);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.receive_shift is
$$Sign that a handover was read: by somebody else than who gave it.
Permission: shifts.handover at its site.
Errors: shift.unknown (404), shift.own (403), request.reused (422).
Idempotency: by p_request_id; received again it answers changed = false.
Locks: the handover.$$;

create type public.shift_start as (
  work_centre text, shift text, starts_at timestamptz, ends_at timestamptz, machines jsonb, can_run jsonb, people jsonb, handover public.shift_handovers,
  title text);
comment on type public.shift_start is
$$machines [{machine, name, state, since, reason, open_repairs, is_ready}]; can_run [{order, sku, sequence, step, pieces, due_date, priority}]: steps with good
pieces waiting, the most urgent first; title: of the work centre; people [{user_id, full_name, station, last_seen}] who did something at the site within the hour; handover: the last one.$$;

create function private.runnable(p_centre public.work_centres)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(to_jsonb(x) - 'rank' order by x.rank, x.due_date nulls last, x."order", x.sequence), '[]') from (
      select o.code as "order", o.product_sku as sku, s.sequence, s.step, o.due_date, o.priority, private.rank_of_production(o) as rank, n.pieces
        from public.production_order_steps s join public.production_orders o on o.id = s.order_id
       cross join lateral (select s.in_process + private.can_start(s) as pieces offset 0) n
       where s.step = p_centre.step and s.status <> 'COMPLETED' and o.site = p_centre.site and o.status not in ('CLOSED', 'CANCELLED')
         and (s.work_centre is null or s.work_centre = p_centre.code) and n.pieces > 0
       order by rank, o.due_date nulls last, o.code limit 50) x);
end $$;

create function public.start_of_shift(p_work_centre text)
returns public.shift_start language plpgsql stable security definer set search_path = '' as $$
declare
  v_centre public.work_centres := (select w from public.work_centres w where w.code = p_work_centre);
  v public.shift_start;
begin
  perform private.authorize('kpi.read', null, v_centre.site);
  perform private.find_work_centre(p_work_centre);
  v.work_centre := p_work_centre; v.title := v_centre.title;
  select i.title, lower(i.during), upper(i.during) into v.shift, v.starts_at, v.ends_at from public.shift_instances i
   where i.work_centre = p_work_centre and upper(i.during) > now() order by lower(i.during) limit 1;
  v.machines := (select coalesce(jsonb_agg(jsonb_build_object('machine', m.code, 'name', m.name, 'state', (n.now).state, 'since', (n.now).since,
      'reason', ((n.now).stop).reason, 'open_repairs', r.open, 'is_ready', v_centre.is_enabled and r.down = 0 and ((n.now).stop).id is null) order by m.code), '[]')
    from public.machines m cross join lateral (select private.machine_now(m.code, now()) as now offset 0) n
   cross join lateral (select count(*) as open, count(*) filter (where x.is_down and x.type = 'unscheduled') as down from public.repairs x where x.machine = m.code and x.is_open) r
   where m.work_centre = p_work_centre and m.is_active);
  v.can_run := private.runnable(v_centre);
  v.people := (select coalesce(jsonb_agg(to_jsonb(x) order by x.last_seen desc, x.full_name), '[]') from (
      select s.user_id, s.full_name, (array_agg(e.station order by e.at desc))[1] as station, max(e.at) as last_seen
        from public.events e join public.staff_shared s on s.user_id = e.actor_id
       where e.at > now() - interval '1 hour' and e.site = v_centre.site group by 1, 2) x);
  select h into v.handover from public.shift_handovers h where h.work_centre = p_work_centre order by h.signed_at desc limit 1;
  return v;
end $$;
comment on function public.start_of_shift is
$$What one has to know to begin: the shift that is on or comes next, its machines and whether they can run, what can be made there now, who is here, and
what the shift before left.
Permission: kpi.read at the site of the work centre.
Errors: work_centre.unknown (404), auth.other_site (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.shift_handover, public.receive_shift, public.start_of_shift to authenticated, service_role;
