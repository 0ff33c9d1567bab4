-- Shifts that are over: the same figures, kept -----------------------------------------------------------------------

create function private.between_signals(p_machine text, p_from timestamptz, p_to timestamptz)
returns tstzrange language plpgsql stable set search_path = '' as $$
begin
  return tstzrange(
    coalesce(least(p_from, (select e.at from public.machine_state_events e where e.machine = p_machine and e.at < p_from order by e.at desc limit 1)), p_from),
    (select e.at from public.machine_state_events e where e.machine = p_machine and e.at > p_to order by e.at limit 1));
end $$;
comment on function private.between_signals is 'How far facts between two instants reach: from the state before them to the one after them.';

create function private.touch_shifts(p_machine text, p_during tstzrange)
returns void language plpgsql set search_path = '' as $$
begin
  -- Two hours: the longest micro-stop, twice. What ends in the window can change what a stop beside it is.
  update public.oee_shifts o set is_dirty = true
   where o.machine = p_machine and not o.is_dirty
     and o.ends_at > coalesce(lower(p_during), '-infinity') - interval '2 hours'
     and o.starts_at < coalesce(upper(p_during), 'infinity') + interval '2 hours';
end $$;
comment on function private.touch_shifts is 'Something came late: the kept figures of the shifts it reaches are dirty until they are computed anew.';

create function private.losses_json(p_pieces private.kpi_piece[])
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select jsonb_agg(to_jsonb(l) order by l.seconds desc, l.kind, l.time_class, l.reason) from private.kpi_losses(p_pieces) l), '[]');
end $$;

create function private.snapshot_shift(p_shift public.shift_instances, p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_machine public.machines := private.lock_machine(p_shift.machine);
  v_from timestamptz := lower(p_shift.during);
  v_to timestamptz := upper(p_shift.during);
  v_pieces private.kpi_piece[] := array(select p from private.kpi_pieces(p_shift.machine, v_from, v_to, p_now) p);
  v_inputs public.kpi_inputs := private.kpi_sums(p_shift.machine, v_from, least(v_to, p_now), v_pieces);
  v_told numeric := coalesce((select o.told_run_s from public.oee_shifts o where o.shift_id = p_shift.id), 0);
begin
  insert into public.oee_shifts as o (shift_id, machine, starts_at, ends_at, inputs, ratios, losses, as_of, told_run_s)
  values (p_shift.id, p_shift.machine, v_from, v_to, to_jsonb(v_inputs), to_jsonb(private.kpi_ratios(v_inputs)),
    private.losses_json(v_pieces), p_now, greatest(v_inputs.run_s, v_told))
  on conflict on constraint oee_shifts_pkey do update
    set inputs = excluded.inputs, ratios = excluded.ratios, losses = excluded.losses, as_of = excluded.as_of, is_dirty = false, computed_at = now(),
        recomputed = o.recomputed + (o.inputs <> excluded.inputs)::integer, told_run_s = excluded.told_run_s;
  perform private.add_machine_run(p_shift.machine, greatest(v_inputs.run_s - v_told, 0) / 3600, 0);
  update public.shift_instances i set is_closed = true
   where i.id = p_shift.id and not i.is_closed and v_to + make_interval(secs => greatest(v_machine.silence_s, v_machine.micro_stop_s)) <= p_now;
end $$;
comment on function private.snapshot_shift is 'Computes a shift that is over and keeps it. Closed once its last silence and its last short stop are known for what they are.';

create function private.due_shifts(p_now timestamptz)
returns bigint[] language plpgsql stable set search_path = '' as $$
declare
  v_troubled text[] := array(select t.machine from private.machine_troubles t where t.job = 'snapshot_shifts');
begin
  return array(
    (select i.id from public.shift_instances i join public.machines m on m.code = i.machine
      where not i.is_closed and upper(i.during) <= p_now
        and (upper(i.during) + make_interval(secs => greatest(m.silence_s, m.micro_stop_s)) <= p_now
          or not exists (select from public.oee_shifts o where o.shift_id = i.id))
      order by i.machine = any (v_troubled), upper(i.during), i.id limit 100)
    union all
    (select o.shift_id from public.oee_shifts o where o.is_dirty order by o.machine = any (v_troubled), o.ends_at, o.shift_id limit 100));
end $$;
comment on function private.due_shifts is
  'The oldest hundred that ended, and the oldest hundred that are dirty, so that neither has to wait for the other; machines that failed last come last.';

create function private.snapshot_shifts(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_due bigint[] := private.due_shifts(p_now);
  v_machine text;
  v_shift public.shift_instances;
begin
  for v_machine in select distinct i.machine from public.shift_instances i where i.id = any (v_due) order by 1 loop
    continue when not private.spare_machine(v_machine);
    begin
      for v_shift in select i.* from public.shift_instances i where i.id = any (v_due) and i.machine = v_machine order by lower(i.during) loop
        perform private.snapshot_shift(v_shift, p_now);
      end loop;
      perform private.note_trouble('snapshot_shifts', v_machine, null);
    exception when others then
      perform private.note_trouble('snapshot_shifts', v_machine, sqlerrm);
    end;
  end loop;
end $$;
comment on function private.snapshot_shifts is
$$A job of the clock: figures of shifts that ended, and again of those that a late fact made dirty. Two hundred a run: while it lasts, events of others
wait for their place in the order of commits.$$;
