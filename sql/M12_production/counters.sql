-- Counters of machines, and how much of each is booked: by the machine itself (record_count) or by who reads it (report_production).

create type private.counter_reading as (delta numeric, notices jsonb, before jsonb);

create function private.counter_name(p_source text)
returns text language sql immutable set search_path = '' as $$
  select case p_source when 'person' then 'counter' else p_source end
$$;
comment on function private.counter_name is 'Which counter a count moved: people read the one that is called counter.';

create function private.check_counter_name(p_source text)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_source in ('person', 'start', 'pause', 'quality', 'end', 'undo') then
    perform private.fail(422, 'production.counter_name', format('%s is no name for a counter: counts of people have it. Use counter, or plc-2.', p_source),
      jsonb_build_object('field', 'p_source', 'actual', p_source));
  end if;
end $$;
comment on function private.check_counter_name is 'Errors: production.counter_name (422). Undo tells by the name what a count was.';

create function private.read_counter(p_work_centre text, p_source text, p_counter numeric, p_read_at timestamptz)
returns private.counter_reading language plpgsql set search_path = '' as $$
declare
  v_at timestamptz := least(p_read_at, clock_timestamp());   -- a clock that is ahead must not make what comes next late
  v_before public.piece_counters;
begin
  insert into public.piece_counters (work_centre, source, value, read_at) values (p_work_centre, p_source, p_counter, v_at)
  on conflict on constraint piece_counters_pkey do nothing;
  if not found then
    select c.* into v_before from public.piece_counters c where c.work_centre = p_work_centre and c.source = p_source for update;
    if p_read_at < v_before.read_at then
      return row(null, jsonb_build_array(jsonb_build_object('code', 'production.counter_late', 'message',
        'The counter was read again since: this reading comes too late and counts nothing.', 'details', jsonb_build_object('counter', p_counter,
        'read_at', p_read_at, 'booked', trim_scale(v_before.value), 'booked_at', v_before.read_at))), null)::private.counter_reading;
    end if;
    update public.piece_counters c set value = p_counter, by_hand = false, read_at = v_at where c.work_centre = p_work_centre and c.source = p_source;
  end if;
  if p_counter >= v_before.value then
    return row(p_counter - v_before.value, null, to_jsonb(v_before))::private.counter_reading;
  end if;
  return row(null, jsonb_build_array(jsonb_build_object('code', 'production.counter_base', 'message',
    'The counter is read for the first time, or was reset: it counts from here.', 'details', jsonb_build_object('counter', p_counter))), null)::private.counter_reading;
end $$;
comment on function private.read_counter is
$$By how much a running counter went on since the reading before. Null and a notice for the first reading, and when it stands lower than before (it was
reset): what was made meanwhile is not known, and the next reading counts from here; null and a notice for one that is older than the reading before.$$;

create function private.read_by_hand(p_centre public.work_centres, p_start numeric, p_end numeric)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_before public.piece_counters;
begin
  insert into public.piece_counters (work_centre, source, value, by_hand) values (p_centre.code, private.counter_name('person'), p_end, true)
  on conflict on constraint piece_counters_pkey do nothing;
  if found then
    return null;
  end if;
  select c.* into v_before from public.piece_counters c where c.work_centre = p_centre.code and c.source = private.counter_name('person') for update;
  -- Both figures below what a person read last: they set it back. Below what the machine said last: those pieces are counted.
  if p_start < v_before.value and not (v_before.by_hand and p_end < v_before.value) then
    perform private.fail(409, 'production.counter_booked', format('The counter of %s is booked up to %s. Start from there, or say the pieces without it.',
      p_centre.title, trim_scale(v_before.value)), jsonb_build_object('field', 'p_counter_start', 'work_centre', p_centre.code,
      'expected', trim_scale(v_before.value), 'actual', p_start));
  end if;
  update public.piece_counters c set value = p_end, by_hand = true, read_at = clock_timestamp()
   where c.work_centre = p_centre.code and c.source = private.counter_name('person');
  return to_jsonb(v_before);
end $$;
comment on function private.read_by_hand is
$$A person read the counter of a work centre: it counts on from p_end. Answers the counter as it was before, null when it was never read. Errors:
production.counter_booked (409) when some of it was counted before.$$;

create function private.put_counter_back(p_count public.piece_counts)
returns void language plpgsql set search_path = '' as $$
declare
  v_source text := private.counter_name(p_count.source);
  v_before public.piece_counters;
begin
  if p_count.counter_before is null then
    delete from public.piece_counters c where c.work_centre = p_count.work_centre and c.source = v_source and c.value = p_count.counter_end;
    return;
  end if;
  v_before := jsonb_populate_record(null::public.piece_counters, p_count.counter_before);
  update public.piece_counters c set value = v_before.value, by_hand = v_before.by_hand, read_at = v_before.read_at
   where c.work_centre = p_count.work_centre and c.source = v_source and c.value = p_count.counter_end;
end $$;
comment on function private.put_counter_back is
  'A count is undone: its counter stands as it stood before, unless it went on since. The counter is locked by the caller.';
