-- Counts: the one way in for pieces, and what follows from them. All of it under the lock of the order.

create function private.check_pieces(
  p_order public.production_orders, p_step public.production_order_steps, p_change public.piece_counts)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_next record;
  v_can numeric := private.can_start(p_step);
  v_left numeric := p_step.waiting + p_change.started - p_change.good - p_change.scrap - p_change.returned - p_change.rework_open - p_change.held_open;
  v_gone_on boolean;
begin
  if p_change.started > v_can and p_step.is_ended then
    perform private.refuse(private.step_done(p_order, p_step));
  elsif p_change.started > v_can then
    perform private.fail(409, 'production.more_than_input', format('Only %s more can start at %s of %s.', trim_scale(v_can), private.step_title(p_step.step), p_order.code),
      jsonb_build_object('sequence', p_step.sequence, 'expected', trim_scale(v_can), 'actual', trim_scale(p_change.started)));
  end if;
  if p_step.is_last and p_change.good < 0 then
    perform private.refuse_stocked_units(p_order, p_change);
  end if;
  select n.step, n.started into v_next from public.production_order_steps n
    where n.order_id = p_step.order_id and n.sequence > p_step.sequence order by n.sequence limit 1;
  v_gone_on := coalesce(p_step.good + p_change.good < v_next.started, false);
  if not v_gone_on and v_left >= 0 and least(p_step.started + p_change.started, p_step.good + p_change.good, p_step.scrap + p_change.scrap,
      p_step.returned + p_change.returned, p_step.rework_open + p_change.rework_open, p_step.held_open + p_change.held_open) >= 0 then
    return;
  elsif p_change.reverses is not null then
    perform private.fail(409, 'undo.blocked', format('Something was done with these pieces of %s since%s. Undo that first.', p_order.code,
      case when v_gone_on then ', at ' || private.step_title(v_next.step) else '' end), jsonb_build_object('code', p_order.code, 'step', case when v_gone_on then v_next.step
      else p_step.step end));
  elsif v_gone_on then
    perform private.fail(409, 'production.used_further', format('%s good pieces of %s went on to %s already. Take them back there first.',
      trim_scale(v_next.started), private.step_title(p_step.step), private.step_title(v_next.step)), jsonb_build_object('step', v_next.step, 'expected', trim_scale(v_next.started),
      'actual', trim_scale(p_step.good + p_change.good)));
  end if;
  perform private.fail(409, 'production.more_than_in_process', format('There are not so many pieces at %s of %s: %s wait, %s are in rework, %s are held.',
    private.step_title(p_step.step), p_order.code, trim_scale(p_step.waiting), trim_scale(p_step.rework_open), trim_scale(p_step.held_open)), jsonb_build_object('sequence',
    p_step.sequence, 'waiting', trim_scale(p_step.waiting), 'rework_open', trim_scale(p_step.rework_open), 'held_open', trim_scale(p_step.held_open),
    'good', trim_scale(p_step.good)));
end $$;
comment on function private.check_pieces is
$$Errors: production.more_than_input, production.step_completed, production.more_than_in_process, production.used_further (409); undo.blocked (409) when it
takes a count back.$$;

create function private.book_product(p_order public.production_orders, p_quantity numeric, p_reverses bigint, p_actor uuid)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_old public.inventory_txn := (select t from public.piece_counts c join public.inventory_txn t on t.id = c.txn_id where c.id = p_reverses);
  v_place text := coalesce(v_old.location, private.default_location(p_order.site));
  v_id bigint;
begin
  perform private.lock_order_stock(p_order);
  v_id := private.post_txn(p_order.product_sku, v_place, case when p_quantity < 0 and v_old.id is null then 'issue' else 'produce' end, p_quantity,
    'production_order', p_order.code, case when p_quantity < 0 then 'Not good after all' end, p_actor, null, null, v_old.id);
  perform private.allocate(array[p_order.product_sku], jsonb_build_object('event', 'production.counted', 'ref', p_order.code));
  perform private.emit_moves(case when p_quantity > 0 then 'stock.produced' else 'stock.returned' end, array[v_id], p_actor);
  return v_id;
end $$;
comment on function private.book_product is 'Good pieces of the last step are in stock. Errors: stock.short (409). Locks: all items of the order.';

create function private.command_id()
returns bigint language plpgsql set search_path = '' as $$
declare
  v_id bigint := nullif(current_setting('takt.command', true), '')::bigint;
begin
  if v_id is null then
    v_id := nextval('private.command_seq');
    perform set_config('takt.command', v_id::text, true);
  end if;
  return v_id;
end $$;
comment on function private.command_id is 'The same number for all that this transaction does, and never again.';

create function private.book_pieces(
  p_order_id bigint, p_sequence integer, p_started numeric, p_good numeric default 0, p_scrap numeric default 0, p_returned numeric default 0,
  p_rework numeric default 0, p_held numeric default 0, p_actor uuid default null, p_lot_id bigint default null, p_work_centre text default null,
  p_source text default 'person', p_from_rework boolean default false, p_reverses bigint default null, p_more jsonb default '{}')
returns public.piece_counts language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders := (select o from public.production_orders o where o.id = p_order_id);
  v_step public.production_order_steps := (select s from public.production_order_steps s where s.order_id = p_order_id and s.sequence = p_sequence);
  v_count public.piece_counts;
begin
  v_count.started := coalesce(p_started, greatest(p_good + p_scrap + p_returned + p_rework + p_held - v_step.waiting, 0));
  v_count.good := p_good;
  v_count.scrap := p_scrap;
  v_count.returned := p_returned;
  v_count.rework_open := p_rework;
  v_count.held_open := p_held;
  v_count.reverses := p_reverses;
  perform private.check_pieces(v_order, v_step, v_count);
  update public.production_order_steps s
     set started = s.started + v_count.started, good = s.good + p_good, scrap = s.scrap + p_scrap, returned = s.returned + p_returned,
         rework_open = s.rework_open + p_rework, held_open = s.held_open + p_held
   where s.order_id = p_order_id and s.sequence = p_sequence;
  insert into public.piece_counts as c (order_id, sequence, work_centre, lot_id, started, good, scrap, returned, rework_open, held_open, from_rework,
    source, counter_start, counter_end, pieces_per_cycle, counter_before, photo, notes, station, actor_id, command, reverses)
  values (p_order_id, p_sequence, p_work_centre, p_lot_id, v_count.started, p_good, p_scrap, p_returned, p_rework, p_held, p_from_rework,
    p_source, (p_more ->> 'counter_start')::numeric, (p_more ->> 'counter_end')::numeric, (p_more ->> 'pieces_per_cycle')::numeric,
    nullif(p_more -> 'counter_before', 'null'), p_more ->> 'photo', p_more ->> 'notes', private.event_station(), nullif(p_actor, '00000000-0000-0000-0000-000000000000'),
    private.command_id(), p_reverses)
  returning c.* into v_count;
  if v_step.is_last and p_good <> 0 then
    update public.piece_counts c set txn_id = private.book_product(v_order, p_good, p_reverses, p_actor) where c.id = v_count.id returning c.* into v_count;
  end if;
  perform private.derive_order(p_order_id, p_actor, p_work_centre);
  return v_count;
end $$;
comment on function private.book_pieces is
$$The one way in for pieces: signed changes of the counters of a step, as one row of piece_counts. p_started null: as many start as are needed. Then the
states of the steps and of the order follow, and good pieces of the last step are in stock. p_more {counter_start, counter_end, pieces_per_cycle, counter_before, photo,
notes}.
Errors: those of check_pieces, stock.short (409). The order is locked by the caller. Locks: the lot, then stock by SKU.$$;

create function private.reverse_count(p_count public.piece_counts, p_actor uuid)
returns public.piece_counts language plpgsql set search_path = '' as $$
begin
  return private.book_pieces(p_count.order_id, p_count.sequence, -p_count.started, -p_count.good, -p_count.scrap, -p_count.returned, -p_count.rework_open,
    -p_count.held_open, p_actor, p_count.lot_id, p_count.work_centre, 'undo', p_count.from_rework, p_count.id);
end $$;
comment on function private.reverse_count is 'Takes a count back, as another one. Errors: undo.blocked (409) when its pieces went on, stock.short (409).';

create function private.tg_piece_counts__append_only()
returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'UPDATE' and old.txn_id is null and to_jsonb(new) - 'txn_id' = to_jsonb(old) - 'txn_id' then
    return new;   -- the movement comes after the count: stock is locked last
  end if;
  perform private.fail(409, 'production.append_only', 'Counts are never changed or removed. Take them back.');
  return null;
end $$;
create trigger _200_append_only before update or delete on public.piece_counts for each row execute function private.tg_piece_counts__append_only();

-- What follows from the counts ----------------------------------------------------------------------------------------

create function private.routed_status(p_order public.production_orders)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_progress public.production_order_progress := (select p from public.production_order_progress p where p.order_id = p_order.id);
  v_flow record;
begin
  select sum(s.scrap + s.returned) as lost, max(s.good) filter (where s.is_last) as good, max(s.started) filter (where s.is_first) as entered,
      bool_or(s.is_first and (s.is_ended or s.started >= p_order.quantity)) as is_all_in into v_flow
    from public.production_order_steps s where s.order_id = p_order.id;
  return case
    when v_progress.close_reason is not null then 'CLOSED'
    when v_flow.entered = 0 and not v_flow.is_all_in then 'OPEN_NOT_STARTED'
    when v_flow.entered > v_flow.good + v_flow.lost then 'IN_PROGRESS'
    when v_flow.good + v_progress.replenished >= p_order.quantity then 'CLOSED'
    when v_flow.is_all_in then 'OPEN_PARTIAL'
    else 'IN_PROGRESS' end;
end $$;
comment on function private.routed_status is
$$The state of a released order, from its steps: nothing started; on its way; all pieces are through and some are missing (OPEN_PARTIAL, also where it was
ended before anything was started); the LAST step, and
what replenishments made in place of lost pieces, gave what was planned (CLOSED), or a person closed it.$$;

create function private.derive_steps(p_order public.production_orders, p_actor uuid, p_work_centre text)
returns void language plpgsql set search_path = '' as $$
declare
  v_step public.production_order_steps;
  v_new public.production_order_steps;
  v_is_done boolean;
  v_input numeric := p_order.quantity;
begin
  for v_step in select s.* from public.production_order_steps s where s.order_id = p_order.id order by s.sequence loop
    v_is_done := v_step.is_ended or coalesce(v_is_done, true) and v_step.started = v_input and v_step.in_process = 0;
    v_input := v_step.good;
    v_new := v_step;
    v_new.started_at := case when v_step.started > 0 then coalesce(v_step.started_at, now()) end;
    v_new.completed_at := case when v_is_done then coalesce(v_step.completed_at, now()) end;
    v_new.paused_at := case when not v_is_done and v_step.started > 0 then v_step.paused_at end;
    v_new.status := case when v_is_done then 'COMPLETED' when v_new.paused_at is not null then 'PAUSED' when v_step.started > 0 then 'IN_PROGRESS'
      else 'NOT_STARTED' end;
    continue when v_new = v_step;
    update public.production_order_steps s
       set status = v_new.status, started_at = v_new.started_at, completed_at = v_new.completed_at, paused_at = v_new.paused_at,
           pause_reason = case when v_new.paused_at is not null then s.pause_reason end
     where s.order_id = v_step.order_id and s.sequence = v_step.sequence;
    if v_step.started_at is null and v_new.started_at is not null then
      perform private.emit_floor(p_order, 'production.step_started', p_actor, v_step, p_work_centre, jsonb_build_object('quantity', trim_scale(v_step.started)));
    end if;
    if v_step.status <> 'COMPLETED' and v_is_done then
      perform private.emit_floor(p_order, 'production.step_completed', p_actor, v_step, p_work_centre, jsonb_build_object('quantity', trim_scale(v_step.good),
        'good', trim_scale(v_step.good), 'scrap', trim_scale(v_step.scrap), 'returned', trim_scale(v_step.returned), 'started', trim_scale(v_step.started)));
    end if;
  end loop;
end $$;
comment on function private.derive_steps is
  'A step is completed when all that can come to it has come and nothing of it is in process, or when a person ended it.';

create function private.derive_order(p_order_id bigint, p_actor uuid, p_work_centre text default null)
returns void language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders := (select o from public.production_orders o where o.id = p_order_id);
  v_before numeric;
  v_after numeric;
begin
  perform private.derive_steps(v_order, p_actor, p_work_centre);
  select p.executed_good into v_before from public.production_order_progress p where p.order_id = p_order_id;
  update public.production_order_progress p
     set executed_good = f.good, executed_total = f.total, lost = f.lost, replenished = f.replenished
    from (select sum(s.good) filter (where s.is_last) as good, sum(s.good + s.scrap + s.returned) filter (where s.is_last) as total,
            sum(s.scrap + s.returned) as lost, (select coalesce(sum(m.executed_good), 0) from public.replenishments r
              join public.production_order_progress m on m.order_id = r.order_id where r.root_id = p_order_id and r.sku = v_order.product_sku) as replenished
            from public.production_order_steps s where s.order_id = p_order_id) f
   where p.order_id = p_order_id returning p.executed_good into v_after;
  perform private.set_routed_status(v_order);
  if v_after <> v_before and private.root_of(p_order_id) <> p_order_id
     and (select o.is_routed from public.production_orders o where o.id = private.root_of(p_order_id)) then
    perform private.derive_order(private.root_of(p_order_id), p_actor);
  end if;
end $$;
comment on function private.derive_order is
$$Executed good of an order is the good of its LAST step, and its state follows from its steps; so does that of the root of a replenishment. The one
function that derives them. The family is locked by the caller. Locks: stock, when an order is closed by it or opened again.$$;

create function private.set_routed_status(p_order public.production_orders)
returns void language plpgsql set search_path = '' as $$
declare
  v_status text := private.routed_status(p_order);
begin
  if p_order.status = 'CANCELLED' or v_status = p_order.status then
    return;
  end if;
  update public.production_orders o set status = v_status, closed_at = case when v_status = 'CLOSED' then now() end where o.id = p_order.id;
  if v_status = 'CLOSED' then
    perform private.lock_stock(private.order_skus(p_order.id));
    perform private.return_sets(p_order, null);
    perform private.close_production_lines(p_order.id);
    perform private.allocate(private.order_skus(p_order.id), jsonb_build_object('event', 'production.closed', 'ref', p_order.code));
  elsif p_order.status = 'CLOSED' then
    perform private.lock_stock(private.order_skus(p_order.id));
    update public.order_part_allocations l set is_closed = false where l.production_order_id = p_order.id;
    update public.order_fulfilments f set is_closed = false where f.production_order_id = p_order.id;
    perform private.write_production_lines(p_order);
    perform private.allocate(private.order_skus(p_order.id), jsonb_build_object('event', 'production.reopened', 'ref', p_order.code));
  end if;
end $$;

create function private.tg_production_orders__routed()
returns trigger language plpgsql set search_path = '' as $$
begin
  if new.status <> private.routed_status(new) then
    perform private.refuse_routed(new);
  end if;
  return new;
end $$;
create trigger _200_routed before update of status on public.production_orders
  for each row when (new.is_routed and old.status <> new.status and new.status <> 'CANCELLED') execute function private.tg_production_orders__routed();

create function private.tg_production_orders__quantity()
returns trigger language plpgsql security definer set search_path = '' as $$
declare
  v_started numeric := (select s.started from public.production_order_steps s where s.order_id = new.id and s.is_first);
begin
  if v_started > new.quantity then
    perform private.fail(422, 'production.below_used', format('%s are started already.', trim_scale(v_started)),
      jsonb_build_object('consumed', trim_scale(v_started), 'needed', trim_scale(new.quantity)));
  elsif v_started is not null then
    perform private.give_back_sets(new, s, s.released - new.quantity, null) from public.production_order_steps s
      where s.order_id = new.id and s.materials <> '[]' and s.released > new.quantity order by s.sequence;
    update public.production_order_steps s
       set planned = new.quantity, released = case when s.materials = '[]' then new.quantity else s.released end
     where s.order_id = new.id;
    perform private.fit_sets(new, 'production.changed', null);
    perform private.derive_order(new.id, null);
  end if;
  return null;
end $$;
create trigger _500_quantity after update of quantity on public.production_orders
  for each row when (old.quantity <> new.quantity) execute function private.tg_production_orders__quantity();

create function private.tg_production_orders__cancelled()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform private.return_sets(new, null);
  return null;
end $$;
create trigger _500_cancelled after update of status on public.production_orders
  for each row when (old.status <> new.status and new.status = 'CANCELLED') execute function private.tg_production_orders__cancelled();
