create function private.refuse_open_step(p_order public.production_orders, p_step public.production_order_steps)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_before public.production_order_steps := (select b from public.production_order_steps b
    where b.order_id = p_step.order_id and b.sequence < p_step.sequence order by b.sequence desc limit 1);
begin
  if p_step.in_process > 0 then
    perform private.fail(409, 'production.in_process', format('%s pieces are in process at %s. Report them first, good or scrap.', trim_scale(p_step.in_process),
      private.step_title(p_step.step)), jsonb_build_object('code', p_order.code, 'sequence', p_step.sequence, 'in_process', trim_scale(p_step.in_process),
      'rework_open', trim_scale(p_step.rework_open), 'held_open', trim_scale(p_step.held_open)));
  elsif not p_step.is_first then
    perform private.fail(409, 'production.step_open', format('%s waits for more from %s: %s came, %s were started.',
      private.step_title(p_step.step), private.step_title(v_before.step),
      trim_scale(v_before.good), trim_scale(p_step.started)), jsonb_build_object('sequence', p_step.sequence, 'expected', v_before.step,
      'good', trim_scale(v_before.good), 'started', trim_scale(p_step.started)));
  end if;
end $$;
comment on function private.refuse_open_step is 'Errors: production.in_process, production.step_open (409). Only the first step can end before all has come.';

create function public.complete_step(
  p_code text, p_sequence integer, p_good numeric default null, p_reason text default null, p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.floor_command := private.begin_floor('production.run', p_code, null, p_sequence, p_request_id, 'complete_step',
    jsonb_build_array(p_code, p_sequence, p_good, p_reason));
  v_order public.production_orders := v_command.order_row;
  v_step public.production_order_steps := v_command.step;
  v_missing numeric;
  v_notice jsonb;
begin
  if v_command.answer is not null or v_step.status = 'COMPLETED' then
    return private.finish_floor(v_command, false);
  end if;
  if p_good is not null then
    perform private.refuse_paused(v_order, v_step);
    v_command.centre := private.centre_unsaid(v_order, v_step);
    v_command.lot_id := private.lock_own_lot(v_order, null, v_command.actor);
    perform private.take_position(v_command, p_good);
    v_command.centre := (select w from public.work_centres w where w.code = v_step.work_centre);   -- nobody said where: none is made up
    perform private.report_pieces(private.without_request(v_command),
      private.pieces_of_report(row(p_good, 0, 0, null, null, null, '{}'), null, null, null), 'person');
    select s.* into v_step from public.production_order_steps s where s.order_id = v_step.order_id and s.sequence = v_step.sequence;
  end if;
  if v_step.status <> 'COMPLETED' then
    perform private.refuse_open_step(v_order, v_step);
    perform private.authorize('production.plan', v_order.store, v_order.site) where v_step.started = 0 and private.root_of(v_order.id) = v_order.id;
    perform private.check_reason(p_reason);
    v_missing := private.still_missing(v_order);
    perform private.end_step(v_command, trim(p_reason));
    v_notice := private.ask_for_rest(v_order, v_missing, format('%s was ended early: %s', p_code, p_reason), v_command.actor);
  end if;
  return private.finish_floor(v_command, true, (select max(e.id) from public.events e
    where e.stream = 'production_order' and e.stream_id = v_order.code and e.event = 'production.step_completed'),
    case when v_notice is not null then jsonb_build_array(v_notice) end);
end $$;
comment on function public.complete_step is
$$The step is done. It is by itself once all that can come to it has come and is good or lost; p_good reports the rest as good first. The first step may
end before all was started (p_reason): no more of it is made, what is there for it is free again, and of a replenishment what its root still needs is asked
of a person (notices). Undone like a report. Paused, the step has to go on before pieces are reported.
Permission: production.run at its site and in its store; to end an order that somebody asked for before any of it was started, production.plan.
Errors: production.unknown (404), production.closed, production.not_released (409), production.no_step (404), production.which_step (422),
work_centre.disabled, work_centre.full, production.step_paused, production.in_process, production.step_open (409), stock.reason_required (422), production.nothing (422), those of report_production for p_good,
request.reused (422).
Idempotency: by p_request_id; completed before, it answers changed = false.
Locks: the root, its open replenishments and the order, by id; with p_good its work centre (shared), lot and positions; the items of the order.$$;

create function private.end_step(p_command private.floor_command, p_reason text)
returns void language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders := p_command.order_row;
  v_lot bigint := coalesce(p_command.lot_id, (private.own_lot(v_order, p_command.actor)).id);
begin
  perform private.lock_order_stock(v_order);
  update public.production_order_steps s set is_ended = true where s.order_id = v_order.id and s.sequence = (p_command.step).sequence;
  perform private.replenishment_released(v_order.id);   -- what nobody can start any more is not topped up
  perform private.book_pieces(v_order.id, (p_command.step).sequence, 0, p_actor => p_command.actor, p_lot_id => v_lot, p_source => 'end',
    p_more => jsonb_build_object('notes', p_reason));   -- zeros: so that undo finds it
  perform private.fit_sets(v_order, 'production.step_completed', p_command.actor);
end $$;
comment on function private.end_step is 'No more starts at the first step. The family is locked by the caller. Locks: the items of the order.';

create function private.take_back_end(p_order public.production_orders, p_count public.piece_counts, p_event text, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
begin
  update public.production_order_steps s set is_ended = false where s.order_id = p_order.id and s.sequence = p_count.sequence;
  perform private.reverse_count(p_count, p_actor);
  perform private.fit_sets(p_order, p_event, p_actor);
end $$;
comment on function private.take_back_end is 'A step that was ended early goes on. The items of the order are locked by the caller.';

create function private.without_request(p_command private.floor_command)
returns private.floor_command language plpgsql immutable set search_path = '' as $$
begin
  p_command.request_id := null;
  return p_command;
end $$;
comment on function private.without_request is 'A part of a command: only the whole of it is remembered.';

-- Undo ---------------------------------------------------------------------------------------------------------------

create function private.last_count(p_actor uuid, p_order_id bigint, p_since timestamptz)
returns public.piece_counts language plpgsql stable set search_path = '' as $$
begin
  return (
    select c from public.piece_counts c
     where (p_order_id is null or c.order_id = p_order_id) and (p_actor is null or c.actor_id = p_actor) and (p_since is null or c.at >= p_since)
       and c.reverses is null and not exists (select from public.piece_counts u where u.reverses = c.id)
       and (c.source <> 'pause' or exists (select from public.production_order_steps s
         where s.order_id = c.order_id and s.sequence = c.sequence and s.status = 'PAUSED'))   -- a pause that is over is nothing to take back
     order by c.id desc limit 1);
end $$;
comment on function private.last_count is 'The last count that still stands; a null row when there is none.';

create function private.choose_undo(p_actor uuid, p_order public.production_orders, p_window interval, p_any boolean)
returns public.piece_counts language plpgsql stable set search_path = '' as $$
declare
  v_count public.piece_counts := private.last_count(p_actor, p_order.id, case when p_order.id is null then now() - p_window end);
begin
  if p_any and p_order.id is not null and (v_count.id is null or v_count.at < now() - p_window) then
    v_count := private.last_count(null, p_order.id, null);   -- a supervisor takes back anybody's
  end if;
  return v_count;
end $$;

create function private.undo_window(p_store text, p_site text)
returns interval language plpgsql stable set search_path = '' as $$
begin
  return make_interval(mins => (private.setting('undo.minutes', p_store, p_site) #>> '{}')::integer);
end $$;

create function private.count_to_undo(
  p_actor uuid, p_order public.production_orders, p_window interval, p_any boolean, p_expected bigint)
returns public.piece_counts language plpgsql stable set search_path = '' as $$
declare
  v_count public.piece_counts := private.choose_undo(p_actor, p_order, p_window, p_any);
begin
  if p_expected is not null and not exists (select from public.piece_counts c
      where c.id = p_expected and c.order_id = v_count.order_id and c.command = v_count.command) then
    perform private.fail(409, 'undo.stale', 'That is not the last one any more. Look at what is there now before you take back more.',
      jsonb_build_object('expected', p_expected, 'actual', v_count.id));
  elsif v_count.id is null then
    perform private.fail(404, 'undo.nothing', 'There is nothing of yours to undo.', jsonb_build_object('code', p_order.code));
  elsif v_count.at < now() - p_window and not p_any then
    perform private.fail(403, 'undo.too_late', format('That was more than %s minutes ago. Ask a supervisor.', extract(epoch from p_window)::integer / 60),
      jsonb_build_object('code', p_order.code, 'at', v_count.at));
  end if;
  return v_count;
end $$;
comment on function private.count_to_undo is 'Errors: undo.stale (409), undo.nothing (404), undo.too_late (403).';

create function private.undo_command(p_order public.production_orders, p_last public.piece_counts, p_event_id bigint, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_count public.piece_counts;
  v_record bigint;
  v_notice jsonb;
  v_notices jsonb := '[]';
begin
  for v_count in   -- what came last goes first
    select c.* from public.piece_counts c
     where c.order_id = p_order.id and c.command = p_last.command and c.reverses is null
       and not exists (select from public.piece_counts u where u.reverses = c.id) order by c.id desc
  loop
    v_record := (select q.id from public.quality_records q where q.count_id = v_count.id);
    if v_record is not null then
      v_notice := private.reverse_quality(v_record, p_actor, p_event_id);
      v_notices := v_notices || coalesce(v_notice, '[]');
    elsif v_count.source = 'end' then
      perform private.take_back_end(p_order, v_count, 'production.undone', p_actor);
      if private.root_of(p_order.id) <> p_order.id then   -- its root misses less now
        v_notice := private.unreplenish(private.root_of(p_order.id), p_order, p_order.product_sku, p_event_id, p_actor);
        v_notices := v_notices || coalesce(v_notice, '[]');
      end if;
    else
      update public.production_order_steps s set paused_at = null
       where v_count.source = 'pause' and s.order_id = v_count.order_id and s.sequence = v_count.sequence;
      perform private.reverse_count(v_count, p_actor);
      perform private.put_counter_back(v_count);
    end if;
  end loop;
  if exists (select from public.production_order_steps s where s.order_id = p_order.id and s.is_ended) then
    perform private.fit_sets(p_order, 'production.undone', p_actor);   -- what was taken back is not started again
  end if;
  return v_notices;
end $$;
comment on function private.undo_command is 'All counts and quality records of one command are taken back. Errors: undo.blocked, stock.short (409).';

create function public.undo_production(p_code text default null, p_count_id bigint default null, p_request_id uuid default null)
returns public.routed_change language plpgsql security definer set search_path = '' as $$
declare
  v_order public.production_orders := (select o from public.production_orders o where o.code = p_code);
  v_command private.floor_command;
  v_any boolean := private.may('production.undo_any');
  v_window interval;
  v_last public.piece_counts;
  v_event bigint;
begin
  v_command.actor := private.authorize('production.run', v_order.store, v_order.site);
  v_command.request_id := p_request_id;
  v_command.answer := private.replay(v_command.actor, p_request_id, 'undo_production', jsonb_build_array(p_code, p_count_id));
  if v_command.answer is not null then
    return private.finish_floor(v_command, false);
  elsif p_code is not null and v_order.id is null then
    perform private.refuse(private.order_problem(v_order, p_code));
  end if;
  v_window := private.undo_window(v_order.store, v_order.site);
  v_last := private.count_to_undo(v_command.actor, v_order, v_window, v_any, p_count_id);
  v_command.order_row := private.lock_family(v_last.order_id);
  v_last := private.count_to_undo(v_command.actor, v_command.order_row, v_window, v_any, p_count_id);   -- a twin may have been faster
  v_order := v_command.order_row;
  perform private.authorize('production.run', v_order.store, v_order.site);
  if v_order.status = 'CANCELLED' or exists (select from public.production_order_progress p where p.order_id = v_order.id and p.close_reason is not null) then
    perform private.fail(409, 'production.closed', format('The order %s is %s.', v_order.code, lower(v_order.status)),
      jsonb_build_object('code', v_order.code, 'status', v_order.status));
  end if;
  perform 1 from public.lots l where l.id in (select c.lot_id from public.piece_counts c   -- alone: it may be in process again
    where c.order_id = v_order.id and c.command = v_last.command) order by l.id for no key update;
  perform 1 from public.production_lots l where l.lot_id in (select c.lot_id from public.piece_counts c
    where c.order_id = v_order.id and c.command = v_last.command) order by l.lot_id for update;
  perform 1 from public.piece_counters k where (k.work_centre, k.source) in (select c.work_centre, private.counter_name(c.source) from public.piece_counts c
    where c.order_id = v_order.id and c.command = v_last.command and c.counter_end is not null) order by k.work_centre, k.source for update;
  v_command.step := (select s from public.production_order_steps s where s.order_id = v_last.order_id and s.sequence = v_last.sequence);
  if v_last.source = 'pause' then   -- what lay aside needs its position again
    select w into v_command.centre from public.work_centres w where w.code = v_last.work_centre;
    perform private.take_position(v_command, 'infinity');
  end if;
  perform private.lock_order_stock(v_order);
  v_event := private.emit_floor(v_order, 'production.undone', v_command.actor, v_command.step, v_last.work_centre, jsonb_build_object(
    'count_id', v_last.id, 'lot_id', v_last.lot_id, 'quantity', trim_scale(v_last.good + v_last.scrap + v_last.returned)));
  return private.finish_floor(v_command, true, v_event, private.undo_command(v_order, v_last, v_event, v_command.actor));
end $$;
comment on function public.undo_production is
$$Take back the own last report, count, start, pause or quality record (of one order, or at all) within the setting undo.minutes: pieces, lots, stock and what was
replenished for it; an early end of a step too. Later, or for somebody else's on an order, it takes production.undo_any. Undoing again takes back the one
before. p_count_id: what the screen showed as the last one (count_id of the answer, undo_id of the queue): two quick taps take back one.
Permission: production.run; production.undo_any for what is older or not one's own; at the order's site and in its store.
Errors: production.unknown (404), undo.stale (409), undo.nothing (404), undo.too_late (403), undo.blocked (409) when the pieces went on, production.closed (409), work_centre.full (409) of a pause,
stock.short (409), request.reused (422).
Idempotency: by p_request_id; without it and without p_count_id the next call undoes the one before.
Locks: the root, its open replenishments and the order, by id; the lots; the counter; of a pause the positions of its work centre; all items of the
order.$$;

grant execute on function public.complete_step to authenticated, service_role;
grant execute on function public.undo_production to authenticated;
