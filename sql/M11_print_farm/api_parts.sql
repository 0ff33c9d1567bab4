create function public.upsert_part(
  p_sku text, p_title text default null, p_print_minutes numeric default null, p_grams_per_print numeric default null,
  p_parts_per_print integer default null, p_color text default null, p_material text default null, p_min_stock numeric default null,
  p_notes text default null, p_is_active boolean default null, p_request_id uuid default null)
returns public.parts language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('farm.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'upsert_part', jsonb_build_array(p_sku, p_title, p_print_minutes, p_grams_per_print,
    p_parts_per_print, p_color, p_material, p_min_stock, p_notes, p_is_active));
  v_sku text;
  v_before public.parts;
  v_part public.parts;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.parts, v_answer);
  end if;
  v_sku := (private.save_item(p_sku, jsonb_strip_nulls(jsonb_build_object('title', p_title, 'min_stock', p_min_stock, 'kind',
    case when not exists (select 1 from public.inventory_items i where lower(i.sku) = lower(p_sku)) then 'part' end)))).sku;
  select p.* into v_before from public.parts p where p.sku = v_sku for update;
  insert into public.parts as p (sku, print_minutes, grams_per_print, parts_per_print, color, material, notes, is_active)
  values (v_sku, coalesce(p_print_minutes, 60), coalesce(p_grams_per_print, 0), coalesce(p_parts_per_print, 1), p_color, coalesce(p_material, 'PLA'),
    p_notes, coalesce(p_is_active, true))
  on conflict on constraint parts_pkey do update
    set print_minutes = coalesce(p_print_minutes, p.print_minutes), grams_per_print = coalesce(p_grams_per_print, p.grams_per_print),
        parts_per_print = coalesce(p_parts_per_print, p.parts_per_print), color = coalesce(p_color, p.color),
        material = coalesce(p_material, p.material), notes = coalesce(p_notes, p.notes), is_active = coalesce(p_is_active, p.is_active)
  returning p.* into v_part;
  perform private.emit('part', v_sku, 'part.saved', v_actor, jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_part)));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_part));
  return v_part;
end $$;
comment on function public.upsert_part is
$$A printed part, and the item it is in stock: added, or changed (null: as it is). p_print_minutes and p_grams_per_print of one print,
p_parts_per_print good parts it gives.
Permission: farm.manage.
Errors: item.negative (409), item.in_use (409), request.reused (422); constraints by name (parts_print_minutes_check …).
Idempotency: by p_request_id; the same values again change nothing but the version.
Locks: the item and its stock, then the part.$$;

-- Files ------------------------------------------------------------------------------------------------------------

create type public.gcode_change as (gcode_filename text, stem text, plate integer, parts jsonb, waiting integer);
comment on type public.gcode_change is
  'A file and the parts it gives: [{id, sku, title, quantity, object_ids}]. waiting: prints of it that can be booked now (book_waiting_prints).';

create function private.object_ids_of(p_line jsonb)
returns integer[] language plpgsql immutable set search_path = '' as $$
begin
  if jsonb_typeof(p_line -> 'object_ids') is distinct from 'array' or p_line -> 'object_ids' = '[]' then
    return null;
  end if;
  return array(select distinct o::integer from jsonb_array_elements_text(p_line -> 'object_ids') o order by 1);
end $$;

create function private.waiting_runs(p_stem text)
returns bigint[] language plpgsql stable set search_path = '' as $$
begin
  return array(
    select r.id from public.print_runs r
     where r.status = 'unmapped' and (p_stem is null or exists (select 1 from unnest(r.candidates) c where private.gcode_stem(c) = p_stem))
       and (private.resolve_gcode(r.candidates, r.plate)).problem is null
     order by r.id limit 500);
end $$;
comment on function private.waiting_runs is 'Prints that waited for a mapping and have one now.';

create function private.gcode_answer(p_gcode_filename text, p_plate integer)
returns public.gcode_change language plpgsql stable set search_path = '' as $$
declare
  v_stem text := private.gcode_stem(p_gcode_filename);
begin
  return row(p_gcode_filename, v_stem, p_plate, coalesce((
      select jsonb_agg(jsonb_build_object('id', m.id, 'sku', m.sku, 'title', i.title, 'quantity', trim_scale(m.quantity), 'object_ids', m.object_ids) order by m.sku)
        from public.gcode_part_mappings m join public.inventory_items i on i.sku = m.sku
       where m.is_active and m.stem = v_stem and m.plate is not distinct from p_plate), '[]'),
    cardinality(private.waiting_runs(v_stem)))::public.gcode_change;
end $$;

create function public.get_gcode(p_gcode_filename text, p_plate integer default null)
returns public.gcode_change language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.authorize('farm.read');
  return private.gcode_answer(p_gcode_filename, coalesce(p_plate, private.gcode_plate(p_gcode_filename)));
end $$;
comment on function public.get_gcode is
$$Which parts a file (and plate) gives now, so that a mapping is changed and not begun anew; and how many of its prints can be booked. The plate is
p_plate, else the one in the name.
Permission: farm.read.
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;

create function public.map_gcode(
  p_gcode_filename text, p_parts jsonb, p_plate integer default null, p_notes text default null, p_request_id uuid default null)
returns public.gcode_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('farm.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'map_gcode', jsonb_build_array(p_gcode_filename, p_parts, p_plate, p_notes));
  v_plate integer := coalesce(p_plate, private.gcode_plate(p_gcode_filename));
  v_stem text := private.gcode_stem(p_gcode_filename);
  v_parts private.run_part[];
  v_change public.gcode_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.gcode_change, v_answer);
  elsif private.is_generic_gcode(p_gcode_filename) then
    perform private.fail(422, 'gcode.generic', 'Every project may have a file of this name. Give the project a name and use that.',
      jsonb_build_object('field', 'p_gcode_filename', 'actual', p_gcode_filename));
  end if;
  v_parts := private.parts_given(p_parts);
  perform pg_advisory_xact_lock(hashtextextended('takt gcode ' || v_stem, 0));   -- two people and one file: the later set of parts holds, whole
  update public.gcode_part_mappings m set is_active = false
   where m.is_active and m.stem = v_stem and m.plate is not distinct from v_plate and not m.sku = any (array(select p.sku from unnest(v_parts) p));
  insert into public.gcode_part_mappings as m (gcode_filename, plate, sku, quantity, object_ids, notes, created_by)
  select p_gcode_filename, v_plate, p.sku, p.quantity, (select private.object_ids_of(i) from jsonb_array_elements(p_parts) i
      where lower(i ->> 'sku') = lower(p.sku) order by i -> 'object_ids' limit 1), p_notes, nullif(v_actor, '00000000-0000-0000-0000-000000000000')
    from unnest(v_parts) p
  on conflict on constraint gcode_part_mappings_part_key do update
    set gcode_filename = excluded.gcode_filename, quantity = excluded.quantity, object_ids = excluded.object_ids, is_active = true,
        notes = coalesce(excluded.notes, m.notes);
  v_change := private.gcode_answer(p_gcode_filename, v_plate);
  perform private.emit('gcode', left(concat_ws(' plate ', v_stem, v_plate), 200), 'gcode.mapped', v_actor, jsonb_build_object(
    'gcode_filename', p_gcode_filename, 'parts', v_change.parts, 'waiting', v_change.waiting));
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.map_gcode is
$$This file (and plate) gives these parts: p_parts [{sku, quantity, object_ids}], all of them; parts that are not named are taken off. Case,
folder and .gcode, .3mf do not matter; the plate is p_plate, else the one in the name, else every plate. object_ids: identify_id of the
objects, for skipped ones. Prints that waited for it are not booked by themselves: the answer says how many wait.
Permission: farm.manage.
Errors: gcode.generic (422), print_run.lines (422), part.unknown (404), request.reused (422); constraints by name.
Idempotency: by p_request_id; the same parts again change nothing.
Locks: the file.$$;

create function public.unmap_gcode(p_gcode_filename text, p_plate integer default null, p_request_id uuid default null)
returns public.gcode_change language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('farm.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'unmap_gcode', jsonb_build_array(p_gcode_filename, p_plate));
  v_plate integer := coalesce(p_plate, private.gcode_plate(p_gcode_filename));
  v_change public.gcode_change;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.gcode_change, v_answer);
  end if;
  perform pg_advisory_xact_lock(hashtextextended('takt gcode ' || private.gcode_stem(p_gcode_filename), 0));
  update public.gcode_part_mappings m set is_active = false
   where m.is_active and m.stem = private.gcode_stem(p_gcode_filename) and m.plate is not distinct from v_plate;
  if found then
    perform private.emit('gcode', left(concat_ws(' plate ', private.gcode_stem(p_gcode_filename), v_plate), 200), 'gcode.unmapped', v_actor,
      jsonb_build_object('gcode_filename', p_gcode_filename));
  end if;
  v_change := private.gcode_answer(p_gcode_filename, v_plate);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.unmap_gcode is
$$This file (and plate) gives no known parts any more. What was booked stays; its next prints wait for a mapping.
Permission: farm.manage.
Errors: request.reused (422).
Idempotency: by p_request_id; a repeat changes nothing.
Locks: the file.$$;

-- Prints that waited, and prints by hand -------------------------------------------------------------------------------

create type public.booked_print as (print_run_id bigint, status text, reasons text[], lines jsonb);

create function public.book_waiting_prints(
  p_gcode_filename text default null, p_run_ids bigint[] default null, p_request_id uuid default null)
returns setof public.booked_print language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('farm.review');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'book_waiting_prints', jsonb_build_array(p_gcode_filename, p_run_ids));
  v_ids bigint[];
  v_run public.print_runs;
  v_parts private.run_part[];
begin
  if v_answer is null then
    v_ids := array(select w from unnest(private.waiting_runs(case when p_gcode_filename is not null then private.gcode_stem(p_gcode_filename) end)) w
      where p_run_ids is null or w = any (p_run_ids));
    perform private.authorize('farm.review', null, s.site) from (select distinct r.site from public.print_runs r where r.id = any (v_ids)) s;
    perform 1 from public.print_machines m where m.id in (select r.machine_id from public.print_runs r where r.id = any (v_ids)) order by m.id for no key update;
    perform 1 from public.print_runs r where r.id = any (v_ids) order by r.id for update;
    perform private.lock_stock(array(select p.sku from public.print_runs r,
      unnest((private.resolve_gcode(r.candidates, r.plate)).parts) p where r.id = any (v_ids)));
    v_answer := '[]';
    for v_run in select r.* from public.print_runs r where r.id = any (v_ids) and r.status = 'unmapped' order by r.id loop
      v_run := private.rejudge(v_run);
      v_parts := private.without_skipped((private.resolve_gcode(v_run.candidates, v_run.plate)).parts, v_run.skipped_object_ids);
      if v_run.is_counted then
        perform private.book_run(v_run, v_parts, v_actor);
      end if;
      perform private.emit_run(v_run, 'print_run.' || v_run.status, v_actor);
      v_answer := v_answer || jsonb_build_object('print_run_id', v_run.id, 'status', v_run.status, 'reasons', v_run.reasons,
        'lines', private.parts_of_run(v_run.id));
    end loop;
    perform private.remember(v_actor, p_request_id, v_answer);
  end if;
  return query select b.* from jsonb_populate_recordset(null::public.booked_print, v_answer) b;
end $$;
comment on function public.book_waiting_prints is
$$The prints that waited for a mapping and have one now are booked, each once (at most 500): those of a file, or the given ones. One that is
doubtful for another reason goes to review.
Permission: farm.review at their sites.
Errors: request.reused (422).
Idempotency: by p_request_id; a booked print no longer waits.
Locks: the printers, the runs, then the parts by SKU.$$;

create function private.rejudge(p_run public.print_runs)
returns public.print_runs language plpgsql set search_path = '' as $$
declare
  v_run public.print_runs := private.judge_run(p_run, private.resolve_gcode(p_run.candidates, p_run.plate));
begin
  update public.print_runs r set status = v_run.status, reasons = v_run.reasons, is_counted = v_run.is_counted, mapping = v_run.mapping, grams = v_run.grams
   where r.id = p_run.id returning r.* into v_run;
  return v_run;
end $$;

create function public.log_manual_print(
  p_lines jsonb default null, p_gcode_filename text default null, p_plate integer default null, p_machine text default null,
  p_outcome text default 'success', p_started_at timestamptz default null, p_finished_at timestamptz default null,
  p_reason text default null, p_notes text default null, p_request_id uuid default null)
returns public.print_run_change language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.print_machines;
  v_command private.run_command;
  v_run public.print_runs;
  v_parts private.run_part[];
begin
  select m.* into v_machine from public.print_machines m where m.code = p_machine for no key update;
  v_run.site := coalesce(v_machine.site, private.caller_site(null, null));
  v_command.actor := private.authorize('farm.log', null, v_run.site);
  v_command.request_id := p_request_id;
  v_command.answer := private.replay(v_command.actor, p_request_id, 'log_manual_print',
    jsonb_build_array(p_lines, p_gcode_filename, p_plate, p_machine, p_outcome, p_started_at, p_finished_at, p_reason, p_notes));
  if v_command.answer is not null then
    return private.finish_run(v_command, null);
  end if;
  perform private.check_manual_print(p_machine, v_machine.id, v_run.site, p_outcome, p_started_at, p_finished_at);
  v_run.candidates := array_remove(array[left(p_gcode_filename, 300)], null);
  v_run.plate := p_plate;
  v_parts := case when p_lines is not null then private.parts_given(p_lines) else private.parts_expected(v_run) end;
  insert into public.print_runs as r (idempotency_key, site, machine_id, source, outcome, evidence, status, gcode_filename, candidates, plate,
    started_at, finished_at, minutes, grams, error, payload_hash, plate_status, notes, reported_by)
  values ('manual:' || gen_random_uuid(), v_run.site, v_machine.id, 'manual', p_outcome, 'person', 'recorded', p_gcode_filename, v_run.candidates,
    p_plate, p_started_at, coalesce(p_finished_at, now()), round(extract(epoch from p_finished_at - p_started_at) / 60, 2),
    private.run_grams(v_parts, 1), jsonb_strip_nulls(jsonb_build_object('text', p_reason)), '', 'not_needed', p_notes,
    nullif(v_command.actor, '00000000-0000-0000-0000-000000000000'))
  returning r.* into v_run;
  v_run := private.set_run(v_run, p_outcome, v_parts);
  perform private.book_run(v_run, case p_outcome when 'success' then v_parts
    else array(select row(p.sku, p.planned, 0, null)::private.run_part from unnest(v_parts) p) end, v_command.actor);
  perform private.count_run(v_run);
  v_command.run := v_run;
  return private.finish_run(v_command, 'print_run.logged');
end $$;
comment on function public.log_manual_print is
$$A print that no bridge saw: p_lines [{sku, quantity, planned}] of good parts (planned: what it was to give, if more), or p_gcode_filename (and p_plate) by its mapping. p_machine: code of the
printer, if known; p_outcome success or failed (nothing is booked, p_reason says why).
Permission: farm.log at the printer's site.
Errors: print_machine.unknown (404), site.unknown (404), print_run.action (422), print_run.times (422), print_run.lines (422), part.unknown (404), print_run.unmapped (409),
print_run.which_parts (409), print_run.overlap (409), request.reused (422).
Idempotency: by p_request_id; without it every call is another print.
Locks: the printer, then the parts by SKU.$$;

create function private.check_manual_print(
  p_machine text, p_machine_id bigint, p_site text, p_outcome text, p_started_at timestamptz, p_finished_at timestamptz)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_machine is not null and p_machine_id is null then
    perform private.fail(404, 'print_machine.unknown', 'There is no printer ' || p_machine || '.', jsonb_build_object('machine', p_machine));
  elsif p_site is null then
    perform private.fail(404, 'site.unknown', 'Name the printer: you work at more than one site.', jsonb_build_object('field', 'p_machine'));
  elsif p_outcome is null or p_outcome not in ('success', 'failed') then
    perform private.fail(422, 'print_run.action', 'A print went well (success) or not (failed).', jsonb_build_object('field', 'p_outcome', 'actual', p_outcome));
  elsif p_started_at > coalesce(p_finished_at, now()) or p_finished_at > now() + interval '5 minutes' then
    perform private.fail(422, 'print_run.times', 'A print starts before it ends, and ends before now.', jsonb_build_object('field', 'p_finished_at'));
  end if;
end $$;

grant execute on function public.upsert_part, public.get_gcode, public.map_gcode, public.unmap_gcode to authenticated, service_role;
grant execute on function public.book_waiting_prints, public.log_manual_print to authenticated;
