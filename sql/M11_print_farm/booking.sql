-- From a run to parts in stock. One judge for every printer brand and for what people log by hand.

create type private.run_part as (sku text, planned numeric, quantity numeric, object_ids integer[]);

create function private.mapped_parts(p_stem text, p_plate integer)
returns private.run_part[] language plpgsql stable set search_path = '' as $$
declare
  v_parts private.run_part[];
begin
  select array_agg(row(m.sku, m.quantity, m.quantity, m.object_ids)::private.run_part order by m.sku) into v_parts
    from public.gcode_part_mappings m
   where m.is_active and m.stem = p_stem and m.plate is not distinct from p_plate
     and not exists (   -- a file of which one part is no longer made is nothing to guess about
       select 1 from public.gcode_part_mappings x join public.parts p on p.sku = x.sku
        where x.is_active and x.stem = m.stem and x.plate is not distinct from m.plate and not p.is_active);
  return v_parts;
end $$;

create type private.resolved_print as (parts private.run_part[], problem text);
comment on type private.resolved_print is 'problem: unnamed, unmapped or ambiguous; null when the parts are clear.';

create function private.resolve_gcode(p_candidates text[], p_plate integer)
returns private.resolved_print language plpgsql stable set search_path = '' as $$
declare
  v_result private.resolved_print := row(null, 'unnamed')::private.resolved_print;
  v_key record;
  v_parts private.run_part[];
begin
  for v_key in   -- the plate the printer says, then the one in the name, then mappings for every plate of a file
    select k.stem, t.plate
      from (select private.gcode_stem(c.name) as stem, private.gcode_plate(c.name) as plate, c.n
              from unnest(p_candidates) with ordinality as c (name, n) where not private.is_generic_gcode(c.name)) k
     cross join lateral (values (1, p_plate), (2, k.plate), (3, null)) as t (pass, plate)
     where t.pass = 3 or t.plate is not null
     group by k.stem, t.plate order by min(t.pass), min(k.n)
  loop
    if (v_result).problem = 'unnamed' then
      v_result.problem := 'unmapped';
    end if;
    continue when v_key.plate is null and exists (
      select 1 from public.gcode_part_mappings m where m.is_active and m.stem = v_key.stem and m.plate is not null);
    v_parts := private.mapped_parts(v_key.stem, v_key.plate);
    if v_parts is not null and (v_result).parts is null then
      v_result := row(v_parts, null)::private.resolved_print;
    elsif v_parts is distinct from (v_result).parts and v_parts is not null then
      v_result.problem := 'ambiguous';
    end if;
  end loop;
  return v_result;
end $$;
comment on function private.resolve_gcode is
$$The parts of a print by its names, best first, and its plate. Two names that are mapped to different parts are ambiguous: a person decides.
A mapping without plate serves every plate, unless a plate of the file is mapped by itself: then plates are not guessed.$$;

create function private.without_skipped(p_parts private.run_part[], p_skipped integer[])
returns private.run_part[] language plpgsql immutable set search_path = '' as $$
declare
  v_parts private.run_part[];
begin
  if coalesce(p_skipped, '{}') = '{}' then
    return p_parts;
  elsif not exists (select 1 from unnest(p_parts) p where p.object_ids is null) then
    select array_agg(row(p.sku, p.planned, p.planned - p.planned / cardinality(p.object_ids) * (
        select count(*) from unnest(p.object_ids) o where o = any (p_skipped)), p.object_ids)::private.run_part order by p.sku) into v_parts
      from unnest(p_parts) p;
  elsif cardinality(p_parts) = 1 then   -- each object is one part
    v_parts := array[row((p_parts[1]).sku, (p_parts[1]).planned,
      (p_parts[1]).planned - (select count(distinct s) from unnest(p_skipped) s), null)::private.run_part];
  end if;
  return case when exists (select 1 from unnest(v_parts) p where p.quantity < 0 or p.quantity <> round(p.quantity, 3)) then null else v_parts end;
end $$;
comment on function private.without_skipped is
'The parts less what was skipped: by the object map, or one part per object on a plate of one part. Null when nobody can tell.';

create function private.number_of(p_object jsonb, p_key text)
returns numeric language plpgsql immutable set search_path = '' as $$
begin
  return case when p_object ->> p_key ~ '^-?[0-9]{1,9}([.][0-9]{1,6})?$' then (p_object ->> p_key)::numeric end;
end $$;
comment on function private.number_of is 'A number out of a report, written as a number or as text; null for anything else printers say.';

create function private.run_grams(p_parts private.run_part[], p_share numeric)
returns numeric language plpgsql stable set search_path = '' as $$
begin
  return (select round(sum(p.grams_per_print * r.planned / p.parts_per_print) * p_share, 2)
    from unnest(p_parts) r join public.parts p on p.sku = r.sku);
end $$;

create function private.may_be_counted(p_run public.print_runs)
returns boolean language plpgsql stable set search_path = '' as $$
declare
  v_busy tstzrange := private.busy_range(p_run.started_at, p_run.first_seen_at, p_run.finished_not_before, p_run.finished_at);
  -- Of a run whose end nobody saw only FINISH is known, and that may be the end of any print since.
  v_until_seen tstzrange := private.busy_range(p_run.started_at, coalesce(p_run.first_seen_at, p_run.finished_not_before), null, p_run.finished_at);
begin
  return exists (select 1 from public.print_runs r
      where r.is_counted and r.machine_id = p_run.machine_id and r.busy && v_until_seen and r.id is distinct from p_run.id)
    or exists (select 1 from public.print_runs r   -- the same the other way round, unless this one was seen to begin
      where r.is_counted and r.machine_id = p_run.machine_id and r.finished_not_before < upper(v_busy) and r.finished_at > lower(v_busy)
        and (p_run.started_at is null or r.evidence = 'recovered_unseen') and r.id is distinct from p_run.id);
end $$;
comment on function private.may_be_counted is
$$Is this print perhaps in stock already, told by another bridge or logged by a person? The printer was busy with a counted one at that time, or
one of the two was not seen to its end and the other lies in the time when nobody looked.$$;

create function private.judge_run(p_run public.print_runs, p_resolved private.resolved_print)
returns public.print_runs language plpgsql stable set search_path = '' as $$
declare
  v_run public.print_runs := p_run;
  v_parts private.run_part[] := private.without_skipped(p_resolved.parts, p_run.skipped_object_ids);
begin
  v_run.mapping := coalesce((select jsonb_agg(to_jsonb(p) - 'quantity' order by p.sku) from unnest(p_resolved.parts) p), '[]');
  v_run.grams := private.run_grams(p_resolved.parts,
    case when p_run.outcome in ('failed', 'cancelled') then least(coalesce(private.number_of(p_run.progress, 'percent'), 100), 100) / 100 else 1 end);
  v_run.reasons := array_remove(array[
    case when p_run.outcome = 'unknown' then 'unknown' end,
    case when p_run.outcome = 'success' and p_run.evidence in ('superseded', 'lost') then p_run.evidence end,
    case when p_run.outcome = 'success' and p_run.evidence = 'recovered_unseen' and not private.has_native_id(p_run.native) then 'recovered_unseen' end,
    case when p_run.outcome = 'success' and p_run.source <> 'manual' and p_run.finished_at - p_run.started_at < interval '60 seconds' then 'short_run' end,
    case when p_run.outcome in ('success', 'unknown') then p_resolved.problem end,
    case when p_run.outcome = 'success' and p_resolved.parts is not null and v_parts is null then 'skipped' end,
    case when p_run.outcome = 'success' and not exists (select 1 from unnest(v_parts) p where p.quantity > 0) and v_parts is not null then 'all_skipped' end,
    case when p_run.outcome = 'success' and private.may_be_counted(p_run) then 'overlap' end], null);
  v_run.status := case when p_run.outcome = 'ignored' then 'ignored' when v_run.reasons = '{}' or p_run.outcome in ('failed', 'cancelled') then 'recorded'
    when v_run.reasons = '{unmapped}' then 'unmapped' else 'review' end;
  v_run.is_counted := v_run.status = 'recorded' and v_run.outcome = 'success';
  if private.number_of(p_run.progress, 'percent') < 95 and p_run.outcome = 'success' then
    v_run.reasons := v_run.reasons || 'finish_below_100'::text;   -- odd, and booked: some printers never report the last layers
  end if;
  return v_run;
end $$;
comment on function private.judge_run is
'What becomes of a run: counted, failed, unmapped, or waiting for a person, with the reasons. What is not sure is never booked by itself.';

create function private.has_native_id(p_native jsonb)
returns boolean language plpgsql immutable set search_path = '' as $$
begin
  return exists (select 1 from jsonb_each_text(p_native) n
    where n.key in ('job_id', 'task_id', 'subtask_id', 'lan_task_id', 'gcode_start_time') and n.value not in ('', '0'));
end $$;
comment on function private.has_native_id is 'True when the printer itself named the job: a zero is no name.';

create function private.place_of_parts(p_run public.print_runs)
returns text language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select l.code from public.print_machines m join public.locations l on l.code = m.location
    where m.id = p_run.machine_id and l.is_active and l.site = p_run.site), private.default_location(p_run.site));
end $$;
comment on function private.place_of_parts is 'The place of its printer while that is in use and at the site of the run, else the default place of the site.';

create function private.book_run(p_run public.print_runs, p_parts private.run_part[], p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_place text := private.place_of_parts(p_run);
  v_skus text[] := array(select p.sku from unnest(p_parts) p where p.quantity > 0);
  v_changes private.promise_change[];
begin
  insert into public.inventory_print_log as l (run_id, sku, planned, quantity, failure_reason, created_by)
  select p_run.id, p.sku, p.planned, p.quantity, left(coalesce(p_run.error ->> 'text', p_run.error ->> 'code'), 500),
    nullif(p_actor, '00000000-0000-0000-0000-000000000000') from unnest(p_parts) p order by p.sku
  on conflict on constraint inventory_print_log_run_key do update set planned = excluded.planned, quantity = excluded.quantity;
  perform private.lock_stock(v_skus);
  perform private.post_txn(p.sku, v_place, 'produce', p.quantity, 'print_run', p_run.id::text, p_run.gcode_filename, p_actor)
     from unnest(p_parts) p where p.quantity > 0 order by p.sku;
  v_changes := private.allocate(v_skus, jsonb_build_object('event', 'print_run.recorded', 'ref', p_run.id));
  if v_changes <> '{}' then
    update public.print_runs r set given = (select jsonb_agg(jsonb_build_object('line_id', c.line_id, 'quantity', trim_scale(c.change)))
        from (select u.* from unnest(v_changes) u where u.change > 0 limit 50) c)
     where r.id = p_run.id;
  end if;
end $$;
comment on function private.book_run is
'The parts of a run go into stock and on to the orders that wait for them, in one pass. Locks: the parts, by SKU; the caller holds the run.';

create function private.correct_run(p_run public.print_runs, p_parts private.run_part[], p_kind text, p_reason text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_place text := private.place_of_parts(p_run);
  v_part record;
begin
  perform private.lock_stock(array(select p.sku from unnest(p_parts) p union select l.sku from public.inventory_print_log l where l.run_id = p_run.id));
  for v_part in
    select coalesce(p.sku, l.sku) as sku, coalesce(p.planned, l.planned, 0) as planned, coalesce(p.quantity, 0) as quantity,
      coalesce(p.quantity, 0) - coalesce(l.quantity, 0) as change
      from unnest(p_parts) p full join (select * from public.inventory_print_log g where g.run_id = p_run.id) l on l.sku = p.sku order by 1
  loop
    insert into public.inventory_print_log as l (run_id, sku, planned, quantity, created_by)
    values (p_run.id, v_part.sku, v_part.planned, v_part.quantity, nullif(p_actor, '00000000-0000-0000-0000-000000000000'))
    on conflict on constraint inventory_print_log_run_key do update
      set quantity = excluded.quantity, failure_reason = coalesce(left(p_reason, 500), l.failure_reason);
    if v_part.change <> 0 then
      perform private.post_txn(v_part.sku, coalesce((select t.location from public.inventory_txn t where t.ref_stream = 'print_run'
          and t.ref_id = p_run.id::text and t.sku = v_part.sku order by t.id desc limit 1), v_place),   -- where it was booked to
        case when v_part.change > 0 then 'produce' else p_kind end, v_part.change, 'print_run', p_run.id::text, p_reason, p_actor);
    end if;
  end loop;
  perform private.allocate(array(select l.sku from public.inventory_print_log l where l.run_id = p_run.id),
    jsonb_build_object('event', 'print_run.corrected', 'ref', p_run.id));
end $$;
comment on function private.correct_run is
$$The run gave other parts than was booked: the differences are movements of their own, promises follow. Nothing is clamped: where the parts
are gone already, stock goes below zero and is shown so. Errors: stock.short (409) for items that forbid that. Locks: the parts, by SKU.$$;

create function private.parts_of_run(p_run_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return coalesce((select jsonb_agg(jsonb_build_object('part_id', l.sku, 'sku', l.sku, 'title', i.title, 'planned', trim_scale(l.planned),
      'qty', trim_scale(l.quantity)) order by l.sku)
    from public.inventory_print_log l join public.inventory_items i on i.sku = l.sku where l.run_id = p_run_id), '[]');
end $$;

create function private.count_run(p_run public.print_runs)
returns void language plpgsql set search_path = '' as $$
begin
  insert into public.print_machine_counters as c (machine_id, jobs, failed_jobs, print_minutes, grams)
  select p_run.machine_id, 1, (p_run.outcome = 'failed')::integer, coalesce(p_run.minutes, 0), coalesce(p_run.grams, 0)
   where p_run.machine_id is not null and p_run.outcome <> 'ignored'
  on conflict on constraint print_machine_counters_pkey do update
    set jobs = c.jobs + 1, failed_jobs = c.failed_jobs + excluded.failed_jobs, print_minutes = c.print_minutes + excluded.print_minutes,
        grams = c.grams + excluded.grams;
end $$;

create function private.store_run(p_run public.print_runs, p_actor uuid)
returns public.print_runs language plpgsql set search_path = '' as $$
declare
  v_resolved private.resolved_print := private.resolve_gcode(p_run.candidates, p_run.plate);
  v_run public.print_runs := private.judge_run(p_run, v_resolved);
begin
  insert into public.print_runs as r (idempotency_key, site, machine_id, source, outcome, evidence, status, reasons, gcode_filename, candidates,
    plate, started_at, first_seen_at, finished_not_before, finished_at, is_counted, skipped_object_ids, minutes, grams, progress, error, native,
    bridge, mapping, payload_hash, plate_status, notes, reported_by)
  values (v_run.idempotency_key, v_run.site, v_run.machine_id, v_run.source, v_run.outcome, v_run.evidence, v_run.status, v_run.reasons,
    v_run.gcode_filename, v_run.candidates, v_run.plate, v_run.started_at, v_run.first_seen_at, v_run.finished_not_before, v_run.finished_at,
    v_run.is_counted, v_run.skipped_object_ids, v_run.minutes, v_run.grams, v_run.progress, v_run.error, v_run.native, v_run.bridge,
    v_run.mapping, v_run.payload_hash, v_run.plate_status, v_run.notes, nullif(p_actor, '00000000-0000-0000-0000-000000000000'))
  returning r.* into v_run;
  if v_run.is_counted then
    perform private.book_run(v_run, private.without_skipped(v_resolved.parts, v_run.skipped_object_ids), p_actor);
  elsif v_run.outcome in ('failed', 'cancelled') then
    perform private.book_run(v_run, array(select row(p.sku, p.planned, 0, p.object_ids)::private.run_part from unnest(v_resolved.parts) p), p_actor);
  end if;
  perform private.count_run(v_run);
  perform private.emit_run(v_run, 'print_run.' || v_run.status, p_actor);
  return v_run;
end $$;
comment on function private.store_run is 'Keeps a run, whatever it is, and books its parts when all is clear. The caller holds the printer.';

create function private.emit_run(p_run public.print_runs, p_event text, p_actor uuid, p_payload jsonb default '{}')
returns bigint language plpgsql set search_path = '' as $$
begin
  return private.emit('print_run', p_run.id::text, p_event, p_actor, p_payload || jsonb_strip_nulls(jsonb_build_object('version', p_run.version,
    'outcome', p_run.outcome, 'evidence', p_run.evidence, 'reasons', to_jsonb(p_run.reasons), 'machine_id', p_run.machine_id,
    'gcode_filename', p_run.gcode_filename, 'lines', private.parts_of_run(p_run.id))), null, p_run.site);
end $$;
