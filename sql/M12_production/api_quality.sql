create type public.quality_change as (
  changed boolean, event_id bigint, record public.quality_records, step public.production_order_steps, order_row public.production_orders, notices jsonb);
comment on type public.quality_change is
$$Answer of record_quality: the record, its step and its order now; notices [{code, message, details}] to show: what was ordered again, what a
person has to allow.$$;

create function private.check_record_source(p_id bigint, p_source public.quality_records, p_order_id bigint)
returns void language plpgsql stable set search_path = '' as $$
begin
  if p_id is not null and p_source.order_id is distinct from p_order_id then
    perform private.fail(404, 'quality.record_unknown', 'The order has no such quality record.', jsonb_build_object('record', p_id));
  elsif p_source.id is not null and p_source.open_quantity = 0 then
    perform private.fail(409, 'quality.decided', 'Nothing of it is open any more.', jsonb_build_object('record', p_id, 'disposition', p_source.disposition));
  end if;
end $$;

create function private.guard_found(p_command private.floor_command, p_from text)
returns private.floor_command language plpgsql set search_path = '' as $$
begin
  if p_from = 'process' then
    perform private.refuse_paused(p_command.order_row, p_command.step);
  end if;
  if (p_command.centre).code is null then
    p_command.centre := private.centre_unsaid(p_command.order_row, p_command.step);
  end if;
  return p_command;
end $$;
comment on function private.guard_found is
$$Pieces are found bad where they are made: guarded as a report of them. Errors: production.step_paused (409) of pieces in process, work_centre.disabled (409).
Locks: the work centre, shared.$$;

create function public.record_quality(
  p_code text, p_disposition text, p_quantity numeric, p_reason text default null, p_sequence integer default null, p_work_centre text default null,
  p_cause text default null, p_defect_position text default null, p_from text default 'process', p_record bigint default null,
  p_lot text default null, p_notes text default null, p_photo text default null, p_request_id uuid default null)
returns public.quality_change language plpgsql security definer set search_path = '' as $$
declare
  v_source public.quality_records := (select q from public.quality_records q where q.id = p_record);
  -- Pieces that will not be as specified, and pieces on hold, need somebody who may concede that.
  v_concedes boolean := coalesce(lower(p_disposition) in ('use_as_is', 'repair', 'return') or v_source.disposition = 'hold', false);
  v_command private.floor_command := private.begin_floor(case when v_concedes then 'production.concede' else 'production.quality' end,
    p_code, p_work_centre, coalesce(v_source.sequence, p_sequence), p_request_id, 'record_quality', jsonb_build_array(p_code, p_disposition,
    p_quantity, p_reason, p_sequence, p_work_centre, p_cause, p_defect_position, p_from, p_record, p_lot, p_notes, p_photo));
  v_order public.production_orders := v_command.order_row;
  v_written private.quality_answer;
  v_change public.quality_change;
begin
  if v_command.answer is not null then
    return jsonb_populate_record(null::public.quality_change, v_command.answer);
  end if;
  perform private.check_quantity('p_quantity', p_quantity);
  select q.* into v_source from public.quality_records q where q.id = p_record;   -- as it is under the lock
  perform private.check_record_source(p_record, v_source, v_order.id);
  if p_record is null then   -- what lies aside already is decided anywhere
    v_command := private.guard_found(v_command, p_from);
  end if;
  v_command.lot_id := private.lock_own_lot(v_order, coalesce((select l.code from public.lots l where l.id = v_source.lot_id), p_lot), v_command.actor,
    coalesce(lower(p_disposition) in ('scrap', 'return', 'hold'), false));
  perform private.keep_photo(v_command, p_photo);
  if p_record is null and p_from = 'process' then
    perform private.take_position(v_command, p_quantity);
  end if;
  perform private.lock_order_stock(v_order);
  v_written := private.write_quality(v_command.actor, v_order, (v_command.step).sequence, p_disposition, p_quantity, p_reason, p_cause,
    p_defect_position, p_from, v_command.lot_id, p_notes, p_photo, coalesce(p_work_centre, (v_command.step).work_centre), p_record);
  v_change.record := v_written.record;
  v_change.step := (select s from public.production_order_steps s where s.order_id = v_order.id and s.sequence = (v_command.step).sequence);
  v_change.order_row := (select o from public.production_orders o where o.id = v_order.id);
  v_change.changed := true;
  v_change.event_id := (v_change.record).event_id;
  v_change.notices := v_written.notices;
  perform private.remember(v_command.actor, p_request_id, to_jsonb(v_change));
  return v_change;
end $$;
comment on function public.record_quality is
$$Pieces of an order that are not simply good. p_disposition rework (to specification again), repair (usable, not to specification), use_as_is,
scrap, return (to who supplied it), hold (decided later). p_from process (found while they are made) or good (counted good before). p_record
names an open rework, repair or hold instead: its pieces are decided now, accept when they are good. p_sequence: the step, or p_work_centre
finds it; without it the work centre of the routing, or one that does the step, has to be in use. Pieces in process that nobody started are
started by it, where a position is free. Bad pieces of a lot on hold are scrapped, returned or held; others wait until it is free.
p_reason from get_quality_reasons, p_cause in words, p_defect_position on the piece, p_photo the path that start_photo gave (production_order).
Scrap and return are made again: see notices. Rework, repair and use_as_is are never scrap.
Permission: production.quality at the site and in the store; production.concede for use_as_is, repair, return and what is on hold.
Errors: those of begin_floor: production.unknown (404), production.closed (409), production.not_released (409), work_centre.unknown (404), work_centre.other_site (409), work_centre.disabled (409), production.no_step (404), production.which_step (422), production.wrong_step (409), production.wrong_work_centre (409); production.step_paused (409), work_centre.full (409), production.more_than_input (409), production.step_completed (409), production.more_than_in_process (409), production.used_further (409), quality.disposition (422), quality.from (422), quality.too_many (409), quality.reason_required (422), quality.reason_unknown (422), quality.record_unknown (404), quality.decided (409), lot.unknown (404), lot.other_order (409), lot.removed (409), lot.on_hold (423), stock.short (409), stock.quantity (422), photo.unknown (404), photo.missing (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it every call records again.
Locks: the root, its open replenishments and the order, by id; the work centre, shared; the lot; the photo; the positions of the work centre; all
items of the order, by SKU.$$;

create function public.save_quality_reason(
  p_code text, p_title text default null, p_parent text default null, p_step text default null, p_disposition text default null,
  p_position integer default null, p_is_active boolean default null, p_is_startup boolean default null, p_request_id uuid default null)
returns public.quality_reasons language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('production.setup');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_quality_reason', jsonb_build_array(p_code, p_title, p_parent, p_step, p_disposition,
    p_position, p_is_active, p_is_startup));
  v_code text := upper(trim(p_code));
  v_old public.quality_reasons;
  v_reason public.quality_reasons;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.quality_reasons, v_answer);
  end if;
  if exists (select 1 from public.quality_reasons r where r.code = upper(p_parent) and r.parent is not null)
     or p_parent is not null and exists (select 1 from public.quality_reasons r where r.parent = v_code) then
    perform private.fail(422, 'quality.too_deep', 'Two taps: a family, and reasons under it.', jsonb_build_object('field', 'p_parent', 'actual', p_parent));
  end if;
  select r.* into v_old from public.quality_reasons r where r.code = v_code for update;
  insert into public.quality_reasons as r (code, parent, step, title, disposition, is_startup, position, is_active)
  values (v_code, upper(p_parent), p_step, coalesce(p_title, v_old.title, v_code), p_disposition, coalesce(p_is_startup, false), coalesce(p_position, 0),
    coalesce(p_is_active, true))
  on conflict on constraint quality_reasons_pkey do update
    set title = excluded.title, parent = coalesce(excluded.parent, r.parent), step = coalesce(excluded.step, r.step),
        disposition = coalesce(excluded.disposition, r.disposition), is_startup = coalesce(p_is_startup, r.is_startup),
        position = coalesce(p_position, r.position), is_active = coalesce(p_is_active, r.is_active)
    where (r.title, r.parent, r.step, r.disposition, r.is_startup, r.position, r.is_active) is distinct from (excluded.title, coalesce(excluded.parent, r.parent),
      coalesce(excluded.step, r.step), coalesce(excluded.disposition, r.disposition), coalesce(p_is_startup, r.is_startup),
      coalesce(p_position, r.position), coalesce(p_is_active, r.is_active))
  returning r.* into v_reason;
  if v_reason.code is null then
    v_reason := v_old;
  else
    perform private.emit('quality_reason', v_reason.code, 'quality_reason.saved', v_actor, jsonb_build_object('version', v_reason.version,
      'title', v_reason.title, 'parent', v_reason.parent, 'step', v_reason.step, 'is_active', v_reason.is_active));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_reason));
  return v_reason;
end $$;
comment on function public.save_quality_reason is
$$Add or change a reason (null: as it is). Without p_parent it is a family, else a reason of that family: two taps. p_step: only there.
p_disposition: what the station proposes. p_is_startup: such pieces are start-up losses. A reason that is not active stays in what was recorded.
Permission: production.setup.
Errors: quality.too_deep (422), request.reused (422); constraints by name.
Idempotency: by p_request_id; the same again changes nothing.
Locks: the reason.$$;

grant execute on function public.record_quality, public.save_quality_reason to authenticated, service_role;
