create function public.start_step(
  p_code text, p_work_centre text, p_sequence integer default null, p_quantity numeric default null, p_lot text default null,
  p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_floor('production.run', p_code, p_work_centre, p_sequence, p_request_id, 'start_step',
    jsonb_build_array(p_code, p_work_centre, p_sequence, p_quantity, p_lot));
  v_step public.production_order_steps := v_command.step;
  v_can numeric;
  v_event bigint;
begin
  if v_command.answer is not null then
    return private.finish_floor(v_command, false);
  elsif p_work_centre is null then
    perform private.refuse(private.no_centre());
  elsif p_quantity is not null then
    perform private.check_production_quantity(p_quantity);
  end if;
  v_command.lot_id := private.lock_own_lot(v_command.order_row, p_lot, v_command.actor);
  perform private.take_position(v_command, 'infinity');   -- what goes on, or moves here, lies here from now on
  v_command := private.release_more(v_command, coalesce(p_quantity, 'infinity'));
  perform private.refuse(private.input_problem(v_command.order_row, v_command.step));
  v_can := coalesce(p_quantity, private.can_start(v_command.step));
  if v_can = 0 and v_step.status <> 'PAUSED' then
    return private.finish_floor(v_command, false);
  end if;
  update public.production_order_steps s set paused_at = null, pause_reason = null
   where s.order_id = v_step.order_id and s.sequence = v_step.sequence and s.paused_at is not null;
  if v_can > 0 or private.lies_at(v_step) is distinct from p_work_centre then   -- zeros: it goes on somewhere else
    perform private.book_pieces(v_step.order_id, v_step.sequence, v_can, p_actor => v_command.actor, p_lot_id => v_command.lot_id,
      p_work_centre => p_work_centre, p_source => 'start');
  else
    perform private.derive_order(v_step.order_id, v_command.actor, p_work_centre);
  end if;
  if v_step.started_at is not null then   -- the first start told of itself
    v_event := private.emit_floor(v_command.order_row, 'production.step_started', v_command.actor, v_step, p_work_centre,
      jsonb_build_object('quantity', trim_scale(v_can), 'lot_id', v_command.lot_id));
  else
    v_event := (select max(e.id) from public.events e
      where e.stream = 'production_order' and e.stream_id = p_code and e.event = 'production.step_started');
  end if;
  return private.finish_floor(v_command, true, v_event);
end $$;
comment on function public.start_step is
$$Pieces go onto the work centre: p_quantity, else all that may start now. A paused step goes on. Without p_sequence the first step of the order that
this work centre does and that can go on. p_lot: a lot of the order, else its own.
Permission: production.run at its site and in its store.
Errors: those of private.begin_floor; work_centre.full (409), production.previous_step, production.parts_missing, production.step_completed,
production.more_than_input (409), production.quantity (422), lot.unknown (404), lot.other_order, lot.removed (409), lot.on_hold (423), request.reused (422).
Idempotency: by p_request_id; when it runs and nothing more can start it answers changed = false.
Locks: the root, its open replenishments and the order; the work centre, shared; the lot; the positions of the work centre; the items of the order.$$;

create function public.pause_step(p_code text, p_sequence integer, p_reason text default null, p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_floor('production.run', p_code, null, p_sequence, p_request_id, 'pause_step',
    jsonb_build_array(p_code, p_sequence, p_reason));
  v_step public.production_order_steps := v_command.step;
begin
  if v_command.answer is not null or v_step.status = 'PAUSED' then
    return private.finish_floor(v_command, false);
  elsif v_step.status <> 'IN_PROGRESS' then
    perform private.fail(409, 'production.not_running', format('%s of %s does not run: it is %s.', private.step_title(v_step.step), p_code, lower(replace(v_step.status, '_', ' '))),
      jsonb_build_object('sequence', p_sequence, 'expected', 'IN_PROGRESS', 'actual', v_step.status));
  end if;
  perform private.check_length('p_reason', p_reason, 500);
  update public.production_order_steps s set paused_at = now(), pause_reason = p_reason where s.order_id = v_step.order_id and s.sequence = v_step.sequence;
  perform private.book_pieces(v_step.order_id, v_step.sequence, 0, p_actor => v_command.actor, p_work_centre => private.lies_at(v_step), p_source => 'pause');   -- zeros: so that undo finds it
  return private.finish_floor(v_command, true, private.emit_floor(v_command.order_row, 'production.step_paused', v_command.actor, v_step, v_step.work_centre,
    jsonb_build_object('reason', p_reason)));
end $$;
comment on function public.pause_step is
$$The step stops for a while; start_step goes on, and undo_production takes it back. Until then nothing is reported there by hand; counters of machines go on
counting.
Permission: production.run at its site and in its store.
Errors: production.unknown (404), production.closed, production.not_released (409), production.no_step (404), production.which_step (422),
production.not_running (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; paused before, it answers changed = false.
Locks: the root, its open replenishments and the order, by id.$$;

create type private.production_report as (
  good numeric, scrap numeric, rework numeric, reason text, cause text, defect_position text, more jsonb);

create function private.pieces_of_report(p_report private.production_report, p_start numeric, p_end numeric, p_per_cycle numeric)
returns private.production_report language plpgsql immutable set search_path = '' as $$
begin
  p_report.scrap := coalesce(p_report.scrap, 0);
  p_report.rework := coalesce(p_report.rework, 0);
  if num_nonnulls(p_start, p_end) = 1 or p_end < p_start or not coalesce(p_per_cycle, 1) between 0.001 and 100000
     or (p_end - p_start) * coalesce(p_per_cycle, 1) <> coalesce(p_report.good + p_report.scrap + p_report.rework, (p_end - p_start) * coalesce(p_per_cycle, 1)) then
    perform private.fail(422, 'production.counter', 'Say what the counter showed at the start and at the end; the difference is what was made.',
      jsonb_build_object('field', 'p_counter_end', 'start', p_start, 'end', p_end, 'pieces_per_cycle', p_per_cycle));
  end if;
  p_report.good := coalesce(p_report.good, (p_end - p_start) * coalesce(p_per_cycle, 1) - p_report.scrap - p_report.rework, 0);
  if least(p_report.good, p_report.scrap, p_report.rework) < 0 or p_report.good + p_report.scrap + p_report.rework <= 0
     or greatest(p_report.good, p_report.scrap, p_report.rework) > 999999 then
    perform private.fail(422, 'production.nothing', 'Say how many pieces are good, scrap or for rework.', jsonb_build_object('field', 'p_good',
      'good', p_report.good, 'scrap', p_report.scrap, 'rework', p_report.rework));
  end if;
  p_report.more := jsonb_strip_nulls(p_report.more || jsonb_build_object('counter_start', p_start, 'counter_end', p_end,
    'pieces_per_cycle', coalesce(p_per_cycle, case when p_start is not null then 1 end)));
  return p_report;
end $$;
comment on function private.pieces_of_report is
  'What was made, in pieces; without p_good it is the rest of what the counter went on by. Errors: production.counter, production.nothing (422).';

create function private.report_pieces(p_command private.floor_command, p_report private.production_report, p_source text)
returns public.routed_change language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders := p_command.order_row;
  v_all numeric := p_report.good + p_report.scrap + p_report.rework;
  v_count public.piece_counts;
  v_quality private.quality_answer;
  v_notices jsonb := '[]';
  v_event bigint;
begin
  perform private.take_position(p_command, v_all);
  p_command := private.release_more(p_command, v_all - (p_command.step).waiting);
  perform private.refuse(private.input_problem(v_order, p_command.step));
  if p_report.scrap + p_report.rework > 0 then
    perform private.lock_order_stock(v_order);
  end if;
  v_count := private.book_pieces(v_order.id, (p_command.step).sequence, greatest(v_all - (p_command.step).waiting, 0), p_report.good,
    p_actor => p_command.actor, p_lot_id => p_command.lot_id, p_work_centre => (p_command.centre).code, p_source => p_source, p_more => p_report.more);
  v_event := private.emit_floor(v_order, 'production.counted', p_command.actor, p_command.step, (p_command.centre).code, p_report.more - 'counter_before'
    || jsonb_build_object('quantity', trim_scale(v_all), 'good', trim_scale(p_report.good), 'scrap', trim_scale(p_report.scrap),
      'rework', trim_scale(p_report.rework), 'lot_id', v_count.lot_id, 'count_id', v_count.id, 'source', p_source));
  if p_report.scrap > 0 then
    v_quality := private.write_quality(p_command.actor, v_order, (p_command.step).sequence, 'scrap', p_report.scrap, p_report.reason, p_report.cause,
      p_report.defect_position, p_lot_id => v_count.lot_id, p_notes => p_report.more ->> 'notes', p_photo => p_report.more ->> 'photo',
      p_work_centre => (p_command.centre).code);
    v_notices := v_notices || coalesce(v_quality.notices, '[]');
  end if;
  if p_report.rework > 0 then
    v_quality := private.write_quality(p_command.actor, v_order, (p_command.step).sequence, 'rework', p_report.rework, p_report.reason, p_report.cause,
      p_report.defect_position, p_lot_id => v_count.lot_id, p_notes => p_report.more ->> 'notes', p_photo => p_report.more ->> 'photo',
      p_work_centre => (p_command.centre).code);
    v_notices := v_notices || coalesce(v_quality.notices, '[]');
  end if;
  return private.finish_floor(p_command, true, v_event, v_notices);
end $$;
comment on function private.report_pieces is
  'One report: what was good is counted, what was not is a quality record each, in one transaction. Pieces that nobody started start now.';

create function private.keep_photo(p_command private.floor_command, p_photo text)
returns void language plpgsql set search_path = '' as $$
begin
  if p_photo is not null then
    perform private.attach_photo(p_photo, 'production_order', (p_command.order_row).code, (p_command.order_row).site, p_command.actor,
      (p_command.order_row).store);
  end if;
end $$;
comment on function private.keep_photo is 'The photo of a report belongs to its order for good. Errors: photo.unknown (404), photo.missing (409). Locks: the photo.';

create function public.report_production(
  p_code text, p_work_centre text, p_good numeric default null, p_scrap numeric default 0, p_rework numeric default 0, p_reason text default null,
  p_cause text default null, p_defect_position text default null, p_counter_start numeric default null, p_counter_end numeric default null,
  p_pieces_per_cycle numeric default null, p_photo text default null, p_lot text default null, p_notes text default null,
  p_sequence integer default null, p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_floor('production.run', p_code, p_work_centre, p_sequence, p_request_id, 'report_production',
    jsonb_build_array(p_code, p_work_centre, p_good, p_scrap, p_rework, p_reason, p_cause, p_defect_position, p_counter_start, p_counter_end,
      p_pieces_per_cycle, p_photo, p_lot, p_notes, p_sequence));
  v_report private.production_report;
begin
  if v_command.answer is not null then
    return private.finish_floor(v_command, false);
  elsif p_work_centre is null then
    perform private.refuse(private.no_centre());
  end if;
  perform private.check_length('p_notes', p_notes, 2000);
  perform private.check_length('p_photo', p_photo, 500);
  v_report := private.pieces_of_report(row(p_good, p_scrap, p_rework, p_reason, p_cause, p_defect_position, jsonb_build_object('photo', p_photo, 'notes', p_notes)),
    p_counter_start, p_counter_end, p_pieces_per_cycle);
  perform private.refuse_paused(v_command.order_row, v_command.step);
  v_command.lot_id := private.lock_own_lot(v_command.order_row, p_lot, v_command.actor, v_report.good + v_report.rework = 0);
  perform private.keep_photo(v_command, p_photo);
  if p_counter_end is not null then
    v_report.more := v_report.more || jsonb_build_object('counter_before', private.read_by_hand(v_command.centre, p_counter_start, p_counter_end));
  end if;
  return private.report_pieces(v_command, v_report, 'person');
end $$;
comment on function public.report_production is
$$Good, scrap and rework in one go, in pieces; scrap and rework with a reason (and cause, position of the defect). p_counter_start and p_counter_end: what
the counter of the machine showed; the difference times p_pieces_per_cycle is what was made, and without p_good the rest of it is good. The counter is the
one that record_count calls counter: it counts on from p_counter_end, and nothing of it twice. p_photo: path that start_photo gave (production_order), once
the photo is there. Pieces that nobody started start now, as far as the step before gave good ones. Scrap is replenished as private.write_quality says (notices).
Permission: production.run at its site and in its store.
Errors: those of private.begin_floor; production.counter, production.nothing (422), production.counter_booked, work_centre.full, production.step_paused,
production.previous_step, production.parts_missing, production.step_completed, production.more_than_input, production.more_than_in_process (409),
those of private.write_quality (quality.reason_required, quality.reason_unknown (422), …), lot.unknown (404), lot.other_order, lot.removed (409), lot.on_hold (423), stock.short (409), photo.unknown (404),
photo.missing (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id.
Locks: the root, its open replenishments and the order; the work centre, shared; the lot; the photo; the counter; the positions of the work centre; the
items of the order.$$;

create function private.no_centre()
returns private.problem language sql immutable set search_path = '' as $$
  select private.floor_refusal(422, 'production.which_step', 'Say at which work centre.', jsonb_build_object('field', 'p_work_centre'))
$$;

create function public.record_count(
  p_code text, p_work_centre text, p_delta numeric default null, p_counter numeric default null, p_pieces_per_cycle numeric default 1,
  p_source text default 'counter', p_sequence integer default null, p_read_at timestamptz default null, p_lot text default null,
  p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_floor('production.count', p_code, p_work_centre, p_sequence, p_request_id, 'record_count',
    jsonb_build_array(p_code, p_work_centre, p_delta, p_counter, p_pieces_per_cycle, p_source, p_sequence, p_read_at, p_lot));
  v_read private.counter_reading := row(p_delta, null, null)::private.counter_reading;
  v_report private.production_report;
begin
  if v_command.answer is not null then
    return private.finish_floor(v_command, false);
  elsif p_work_centre is null then
    perform private.refuse(private.no_centre());
  elsif num_nonnulls(p_delta, p_counter) <> 1 or p_delta <= 0 or p_counter not between 0 and 999999999999 or p_delta > 999999
     or not coalesce(p_pieces_per_cycle between 0.001 and 100000, false) or p_source is null or p_source !~ '^[a-z][a-z0-9_.:-]{0,60}$' then
    perform private.fail(422, 'production.counter', 'Say either by how much the counter went on (p_delta), or where it stands (p_counter).',
      jsonb_build_object('field', 'p_counter', 'delta', p_delta, 'counter', p_counter, 'pieces_per_cycle', p_pieces_per_cycle));
  end if;
  perform private.check_counter_name(p_source);
  v_command.lot_id := private.lock_own_lot(v_command.order_row, p_lot, v_command.actor);
  if p_counter is not null then
    v_read := private.read_counter(p_work_centre, p_source, p_counter, p_read_at);
  end if;
  if coalesce(v_read.delta, 0) = 0 then
    return private.finish_floor(v_command, false, null, v_read.notices);
  end if;
  v_report := row(v_read.delta * p_pieces_per_cycle, 0, 0, null, null, null, jsonb_strip_nulls(jsonb_build_object('pieces_per_cycle', p_pieces_per_cycle,
    'counter_start', p_counter - v_read.delta, 'counter_end', p_counter, 'counter_before', v_read.before)))::private.production_report;
  return private.report_pieces(v_command, v_report, p_source);
end $$;
comment on function public.record_count is
$$A counter went on: by p_delta cycles, or it stands at p_counter now. Each cycle is p_pieces_per_cycle good pieces. The first reading of a counter
(work centre and p_source), and one that stands lower than before, counts nothing and is where the next one counts from (notice production.counter_base).
A refused reading is not taken as read: the next one counts its pieces too. p_read_at: when it was read; one that is older than the last one that was
booked comes too late and changes nothing (notice production.counter_late). p_source: a name of the counter, none of person, start, pause, quality, end, undo.
p_lot: a lot of the order, else its own.
Permission: production.count at its site and in its store.
Errors: those of private.begin_floor; production.counter, production.counter_name (422), work_centre.full, production.previous_step,
production.parts_missing, production.step_completed, production.more_than_input (409), lot.unknown (404), lot.other_order, lot.removed (409),
lot.on_hold (423), stock.short (409), request.reused (422).
Idempotency: by p_request_id; the same reading of a running counter again answers changed = false.
Locks: the root, its open replenishments and the order; the work centre, shared; the lot; the counter; the positions of the work centre; the items of the
order.$$;

grant execute on function public.start_step, public.pause_step, public.report_production, public.record_count to authenticated, service_role;
