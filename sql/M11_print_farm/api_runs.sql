create type public.print_run_change as (changed boolean, run public.print_runs, lines jsonb, message text);
comment on type public.print_run_change is 'Answer of a command on a run: did it change anything, the run now, its parts [{sku, title, planned, qty}], what it means.';

create type private.run_command as (actor uuid, request_id uuid, answer jsonb, run public.print_runs);

create function private.begin_run(p_permission text, p_run_id bigint, p_request_id uuid, p_rpc text, p_args jsonb)
returns private.run_command language plpgsql set search_path = '' as $$
declare
  v_command private.run_command;
  v_run public.print_runs;
begin
  select r.* into v_run from public.print_runs r where r.id = p_run_id;
  v_command.actor := private.authorize(p_permission, null, v_run.site);
  v_command.request_id := p_request_id;
  if v_run.id is null then
    perform private.fail(404, 'print_run.unknown', 'There is no such print.', jsonb_build_object('id', p_run_id));
  end if;
  v_command.answer := private.replay(v_command.actor, p_request_id, p_rpc, p_args);
  if v_command.answer is null then
    perform 1 from public.print_machines m where m.id = v_run.machine_id for no key update;   -- first, as when a report comes in
    select r.* into v_run from public.print_runs r where r.id = p_run_id for update;
  end if;
  v_command.run := v_run;
  return v_command;
end $$;
comment on function private.begin_run is
'Guard, replay and lock for a command on one run. Errors: print_run.unknown (404), request.reused (422). Locks: the printer, then the run.';

create function private.finish_run(p_command private.run_command, p_event text, p_message text default null, p_payload jsonb default '{}')
returns public.print_run_change language plpgsql set search_path = '' as $$
declare
  v_change public.print_run_change;
begin
  if p_command.answer is not null then
    return jsonb_populate_record(null::public.print_run_change, p_command.answer);
  end if;
  if p_event is not null then
    update public.print_runs r set decided_at = now(), decided_by = nullif(p_command.actor, '00000000-0000-0000-0000-000000000000')
     where r.id = (p_command.run).id;
  end if;
  v_change.run := (select r from public.print_runs r where r.id = (p_command.run).id);
  v_change.changed := p_event is not null;
  v_change.lines := private.parts_of_run((p_command.run).id);
  v_change.message := p_message;
  if p_event is not null then
    perform private.emit_run(v_change.run, p_event, p_command.actor, p_payload);
  end if;
  perform private.remember(p_command.actor, p_command.request_id, to_jsonb(v_change));
  return v_change;
end $$;

create function private.parts_given(p_lines jsonb)
returns private.run_part[] language plpgsql stable set search_path = '' as $$
declare
  v_unknown text;
begin
  if jsonb_typeof(p_lines) is distinct from 'array' or jsonb_array_length(p_lines) not between 1 and 100 or exists (
    select 1 from jsonb_array_elements(p_lines) i where jsonb_typeof(i -> 'sku') is distinct from 'string'
      or private.number_of(i, 'quantity') is null or private.number_of(i, 'quantity') not between 0 and 99999
      or i -> 'planned' <> 'null' and coalesce(private.number_of(i, 'planned') not between private.number_of(i, 'quantity') and 99999, true)) then
    perform private.fail(422, 'print_run.lines', 'Say the parts like [{"sku": "BRACKET", "quantity": 4}].', jsonb_build_object('field', 'p_lines'));
  end if;
  select i ->> 'sku' into v_unknown from jsonb_array_elements(p_lines) i
   where not exists (select 1 from public.parts p where lower(p.sku) = lower(i ->> 'sku')) limit 1;
  if v_unknown is not null then
    perform private.fail(404, 'part.unknown', 'There is no part ' || v_unknown || '.', jsonb_build_object('sku', v_unknown));
  end if;
  return array(select row(p.sku, sum(coalesce(private.number_of(i, 'planned'), private.number_of(i, 'quantity'))),
      sum(private.number_of(i, 'quantity')), null)::private.run_part
    from jsonb_array_elements(p_lines) i join public.parts p on lower(p.sku) = lower(i ->> 'sku') group by p.sku order by p.sku);
end $$;
comment on function private.parts_given is 'Parts that a person named: quantity good of planned (default: all). Errors: print_run.lines (422), part.unknown (404).';

create function private.parts_expected(p_run public.print_runs)
returns private.run_part[] language plpgsql stable set search_path = '' as $$
declare
  v_resolved private.resolved_print := private.resolve_gcode(p_run.candidates, p_run.plate);
  v_parts private.run_part[] := private.without_skipped(v_resolved.parts, p_run.skipped_object_ids);
begin
  if v_resolved.problem is not null then
    perform private.fail(409, 'print_run.unmapped', 'Say first which parts this file gives, or name them here.',
      jsonb_build_object('problem', v_resolved.problem, 'gcode_filename', p_run.gcode_filename));
  elsif v_parts is null then
    perform private.fail(409, 'print_run.which_parts', 'Objects were skipped, and the mapping does not say of which part. Name the good parts here.',
      jsonb_build_object('skipped_object_ids', p_run.skipped_object_ids));
  end if;
  return v_parts;
end $$;
comment on function private.parts_expected is 'The parts of a run by the mapping as it is now, without skipped ones. Errors: print_run.unmapped (409), print_run.which_parts (409).';

create function private.refuse_overlap(p_run public.print_runs)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_other public.print_runs;
begin
  select r.* into v_other from public.print_runs r
   where r.is_counted and r.machine_id = p_run.machine_id and r.busy && p_run.busy and r.id <> p_run.id limit 1;
  if v_other.id is not null then
    perform private.fail(409, 'print_run.overlap', 'At that time this printer made another print that is counted already. Is it the same one?',
      jsonb_build_object('other', v_other.id, 'gcode_filename', v_other.gcode_filename));
  end if;
end $$;

create function private.set_run(p_run public.print_runs, p_outcome text, p_parts private.run_part[])
returns public.print_runs language plpgsql set search_path = '' as $$
declare
  v_run public.print_runs := p_run;
begin
  if p_outcome = 'success' then
    perform private.refuse_overlap(p_run);
  end if;
  update public.print_runs r
     set outcome = p_outcome, status = case p_outcome when 'ignored' then 'ignored' else 'recorded' end, is_counted = p_outcome = 'success',
         grams = coalesce(r.grams, private.run_grams(p_parts, 1)),
         mapping = case when p_parts is null then r.mapping else (select jsonb_agg(to_jsonb(p) - 'quantity' order by p.sku) from unnest(p_parts) p) end
   where r.id = p_run.id returning r.* into v_run;
  return v_run;
end $$;

create function public.resolve_print_run(
  p_run_id bigint, p_action text, p_lines jsonb default null, p_reason text default null, p_request_id uuid default null)
returns public.print_run_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.run_command := private.begin_run('farm.review', p_run_id, p_request_id, 'resolve_print_run',
    jsonb_build_array(p_run_id, p_action, p_lines, p_reason));
  v_run public.print_runs := v_command.run;
  v_parts private.run_part[];
  v_outcome text := case p_action when 'book' then 'success' when 'fail' then 'failed' when 'cancel' then 'cancelled' when 'ignore' then 'ignored' end;
begin
  if v_command.answer is not null then
    return private.finish_run(v_command, null);
  elsif v_outcome is null then
    perform private.fail(422, 'print_run.action', 'Choose book, fail, cancel or ignore.', jsonb_build_object('field', 'p_action', 'actual', p_action));
  elsif v_run.status in ('recorded', 'ignored') then
    if v_run.outcome = v_outcome and p_lines is null then
      return private.finish_run(v_command, null);   -- decided before, the same way
    end if;
    perform private.fail(409, 'print_run.decided', 'This print is decided already. Amend it instead.', jsonb_build_object('outcome', v_run.outcome));
  end if;
  perform private.check_length('p_reason', p_reason, 500);
  if p_action = 'book' then
    v_parts := case when p_lines is null then private.parts_expected(v_run) else private.parts_given(p_lines) end;
  end if;
  v_run := private.set_run(v_run, v_outcome, v_parts);
  if p_action = 'book' then
    perform private.book_run(v_run, v_parts, v_command.actor);
  end if;
  return private.finish_run(v_command, 'print_run.resolved', null, jsonb_strip_nulls(jsonb_build_object('action', p_action, 'reason', p_reason)));
end $$;
comment on function public.resolve_print_run is
$$A person decides about a print that waits (unmapped, review). p_action book (by the mapping, or p_lines [{sku, quantity}] of good parts),
fail, cancel, or ignore (no production print).
Permission: farm.review at its site.
Errors: print_run.unknown (404), print_run.action (422), print_run.decided (409), print_run.unmapped (409), print_run.which_parts (409), print_run.overlap (409),
print_run.lines (422), part.unknown (404), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; the same decision again answers changed = false.
Locks: the printer, the run, then the parts by SKU.$$;

create function public.amend_print_run(
  p_run_id bigint, p_outcome text default null, p_lines jsonb default null, p_reason text default null, p_request_id uuid default null)
returns public.print_run_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.run_command := private.begin_run('farm.review', p_run_id, p_request_id, 'amend_print_run',
    jsonb_build_array(p_run_id, p_outcome, p_lines, p_reason));
  v_run public.print_runs := v_command.run;
  v_parts private.run_part[];
  v_outcome text := coalesce(p_outcome, (v_command.run).outcome);
begin
  if v_command.answer is not null then
    return private.finish_run(v_command, null);
  elsif v_run.status not in ('recorded', 'ignored') then
    perform private.fail(409, 'print_run.undecided', 'Decide about this print first.', jsonb_build_object('status', v_run.status));
  elsif v_outcome not in ('success', 'failed', 'cancelled', 'ignored') then
    perform private.fail(422, 'print_run.action', 'Choose success, failed, cancelled or ignored.', jsonb_build_object('field', 'p_outcome', 'actual', p_outcome));
  elsif v_outcome = v_run.outcome and p_lines is null then
    return private.finish_run(v_command, null);
  end if;
  perform private.check_reason(p_reason);
  v_parts := case when v_outcome <> 'success' then array(
      select row(l.sku, l.planned, 0, null)::private.run_part from public.inventory_print_log l where l.run_id = p_run_id)
    when p_lines is not null then private.parts_given(p_lines) else private.parts_expected(v_run) end;
  v_run := private.set_run(v_run, v_outcome, case when v_outcome = 'success' then v_parts end);
  perform private.correct_run(v_run, v_parts, 'adjust', p_reason, v_command.actor);
  return private.finish_run(v_command, 'print_run.amended', null,
    jsonb_build_object('before', (v_command.run).outcome, 'after', v_outcome, 'reason', p_reason));
end $$;
comment on function public.amend_print_run is
$$A decided print was something else: flip p_outcome (success, failed, cancelled, ignored), or give p_lines [{sku, quantity}], the good parts
there really were. Stock follows by movements of their own, and promises follow the stock, the newest first. Nothing is clamped at zero.
Permission: farm.review at its site.
Errors: print_run.unknown (404), print_run.undecided (409), print_run.action (422), stock.reason_required (422), print_run.unmapped (409), print_run.which_parts (409),
print_run.overlap (409), print_run.lines (422), part.unknown (404), stock.short (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; the same outcome again answers changed = false.
Locks: the printer, the run, then the parts by SKU.$$;

create function private.good_parts(p_run public.print_runs, p_good jsonb)
returns private.run_part[] language plpgsql stable set search_path = '' as $$
declare
  v_parts private.run_part[];
  v_bad text;
begin
  select array_agg(row(l.sku, l.planned, case jsonb_typeof(p_good) when 'number' then (p_good #>> '{}')::numeric
      when 'object' then coalesce(private.number_of(p_good, l.sku), case when p_good ? l.sku then -1 else l.quantity end) end, null)::private.run_part order by l.sku)
    into v_parts from public.inventory_print_log l where l.run_id = p_run.id;
  select min(k) into v_bad from jsonb_object_keys(case jsonb_typeof(p_good) when 'object' then p_good else '{}' end) k
   where not exists (select 1 from unnest(v_parts) p where p.sku = k);
  if v_parts is null then
    perform private.fail(409, 'print_run.undecided', 'Decide about this print first: nothing is booked for it.', jsonb_build_object('status', p_run.status));
  elsif v_bad is not null or cardinality(v_parts) > 1 and jsonb_typeof(p_good) = 'number' or exists (
    select 1 from unnest(v_parts) p where p.quantity is null or p.quantity not between 0 and p.planned) then
    perform private.fail(422, 'print_run.good', 'Say how many are good: a number, or {"BRACKET": 3} where a plate gives several parts; at most what was planned.',
      jsonb_build_object('field', 'p_good', 'planned', (select jsonb_object_agg(p.sku, p.planned) from unnest(v_parts) p)));
  end if;
  return v_parts;
end $$;

create function public.confirm_plate(
  p_run_id bigint, p_good jsonb default null, p_reason text default null, p_photo text default null, p_request_id uuid default null)
returns public.print_run_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.run_command := private.begin_run('farm.log', p_run_id, p_request_id, 'confirm_plate',
    jsonb_build_array(p_run_id, p_good, p_reason, p_photo));
  v_run public.print_runs := v_command.run;
  v_parts private.run_part[];
  v_booked numeric;
begin
  if v_command.answer is not null then
    return private.finish_run(v_command, null);
  end if;
  if p_photo is not null then
    perform private.attach_photo(p_photo, 'print_run', p_run_id::text, v_run.site, v_command.actor);
  end if;
  if p_good is not null then
    v_parts := private.good_parts(v_run, p_good);
    if v_run.outcome <> 'success' and exists (select 1 from unnest(v_parts) p where p.quantity > 0) then
      v_run := private.set_run(v_run, 'success', null);   -- it failed, and still some are good
    end if;
    select sum(l.quantity) into v_booked from public.inventory_print_log l where l.run_id = p_run_id;
    if (select sum(p.quantity) from unnest(v_parts) p) < v_booked then
      perform private.check_reason(p_reason);
    end if;
    perform private.correct_run(v_run, v_parts, 'scrap', p_reason, v_command.actor);
  end if;
  if v_run.plate_status = 'cleared' and (p_photo is null or p_photo = v_run.photo) and (v_parts is null
     or v_booked = (select sum(l.quantity) from public.inventory_print_log l where l.run_id = p_run_id)) then
    return private.finish_run(v_command, null);
  end if;
  update public.print_runs r set plate_status = 'cleared', photo = coalesce(p_photo, r.photo) where r.id = p_run_id;
  return private.finish_run(v_command, 'print_run.plate_cleared', null, jsonb_strip_nulls(jsonb_build_object('good', p_good, 'reason', p_reason)));
end $$;
comment on function public.confirm_plate is
$$The plate is cleared and the printer may print again. p_good: how many were good, a number or {sku: n}; null = as booked. Rejects leave stock
as scrap with p_reason, and what was promised from them is taken back, the newest first. Of a failed print some may be good. p_photo: path that start_photo gave, once the
photo is there.
Permission: farm.log at its site.
Errors: print_run.unknown (404), print_run.undecided (409), print_run.overlap (409), print_run.good (422), stock.reason_required (422), stock.short (409),
photo.unknown (404), photo.missing (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; a plate that is cleared answers changed = false.
Locks: the printer, the run, the photo, then the parts by SKU.$$;

grant execute on function public.resolve_print_run, public.amend_print_run, public.confirm_plate to authenticated;
