-- What becomes of pieces that are not simply good: one record, the counters of its step, and a replenishment when pieces are lost.

create type private.quality_answer as (record public.quality_records, notices jsonb);
create type private.piece_deltas as (good numeric, scrap numeric, returned numeric, rework numeric, held numeric);

create function private.quality_deltas(p_disposition text, p_from text, p_quantity numeric)
returns private.piece_deltas language plpgsql immutable set search_path = '' as $$
begin
  return row(
    case when p_disposition in ('use_as_is', 'accept') then p_quantity else 0 end - case when p_from = 'good' then p_quantity else 0 end,
    case when p_disposition = 'scrap' then p_quantity else 0 end,
    case when p_disposition = 'return' then p_quantity else 0 end,
    case when p_disposition in ('rework', 'repair') then p_quantity else 0 end - case when p_from = 'rework' then p_quantity else 0 end,
    case when p_disposition = 'hold' then p_quantity else 0 end - case when p_from = 'hold' then p_quantity else 0 end)::private.piece_deltas;
end $$;
comment on function private.quality_deltas is 'What a disposition changes in the counters of a step. Rework, repair and use as is are never scrap.';

create function private.check_reason_code(p_reason text, p_step text)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_reason public.quality_reasons;
begin
  if coalesce(trim(p_reason), '') = '' then
    perform private.fail(422, 'quality.reason_required', 'Say what is wrong with the pieces.', jsonb_build_object('field', 'p_reason'));
  end if;
  select r.* into v_reason from public.quality_reasons r where r.code = upper(trim(p_reason)) and r.is_active and coalesce(r.step, p_step) = p_step;
  if v_reason.code is null then
    perform private.fail(422, 'quality.reason_unknown', format('%s is no reason at this step.', p_reason), jsonb_build_object('actual', p_reason,
      'expected', array(select r.code from public.quality_reasons r where r.is_active and coalesce(r.step, p_step) = p_step order by r.position, r.code)));
  end if;
  return v_reason.code;
end $$;
comment on function private.check_reason_code is 'The reason as it is written in the tree. Errors: quality.reason_required (422), quality.reason_unknown (422).';

create function private.check_quality(p_step public.production_order_steps, p_record public.quality_records, p_source public.quality_records)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_there numeric;
begin
  if p_record.disposition is null or p_record.disposition not in ('rework', 'repair', 'use_as_is', 'scrap', 'return', 'hold', 'accept')
     or p_record.disposition = 'accept' and p_source.id is null or p_record.disposition = 'hold' and p_source.disposition = 'hold' then
    perform private.fail(422, 'quality.disposition', case when p_record.disposition = 'accept' then 'Name the record of the pieces that are good now.'
      else 'Decide rework, repair, use_as_is, scrap, return or hold.' end, jsonb_build_object('field', 'p_disposition', 'actual', p_record.disposition));
  elsif p_record.taken_from is null or p_source.id is null and p_record.taken_from not in ('process', 'good') then
    perform private.fail(422, 'quality.from', 'Pieces come from process, from good, or from the record that p_record names.',
      jsonb_build_object('field', 'p_from', 'actual', p_record.taken_from));
  end if;
  v_there := case when p_source.id is not null then p_source.open_quantity
    when p_record.taken_from = 'good' then p_step.good - coalesce((select n.started from public.production_order_steps n
      where n.order_id = p_step.order_id and n.sequence > p_step.sequence order by n.sequence limit 1), 0)
    else null end;   -- in process: pieces that were not started yet are started by being reported
  if p_record.quantity > v_there then
    perform private.fail(409, 'quality.too_many', format('Only %s are there.', trim_scale(v_there)), jsonb_build_object('expected', trim_scale(v_there),
      'actual', trim_scale(p_record.quantity), 'from', p_record.taken_from, 'record', p_source.id));
  end if;
  perform private.check_length('p_cause', p_record.cause, 200);
  perform private.check_length('p_defect_position', p_record.defect_position, 100);
  perform private.check_length('p_notes', p_record.notes, 2000);
  perform private.check_length('p_photo', p_record.photo, 500);
end $$;
comment on function private.check_quality is
  'Errors: quality.disposition (422), quality.from (422), quality.too_many (409) when fewer are good and not used yet, or open, request.too_long (422).';

create function private.was_reworked(p_record_id bigint)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return exists (
    with recursive chain as (
      select q.source_id, q.disposition from public.quality_records q where q.id = p_record_id
      union all
      select q.source_id, q.disposition from chain c join public.quality_records q on q.id = c.source_id
    )
    select from chain c where c.disposition in ('rework', 'repair'));
end $$;
comment on function private.was_reworked is
  'The pieces of this record are, or were before they came into it, in rework or repair: not good at the first go, and found bad already.';

create function private.emit_quality(p_order public.production_orders, p_record public.quality_records, p_event text, p_actor uuid, p_more jsonb default '{}')
returns bigint language plpgsql set search_path = '' as $$
begin
  return private.emit('production_order', p_order.code, p_event, p_actor, jsonb_strip_nulls(jsonb_build_object('step', p_record.step,
      'sequence', p_record.sequence, 'work_centre', p_record.work_centre, 'lot_id', p_record.lot_id, 'disposition', p_record.disposition,
      'quantity', trim_scale(p_record.quantity), 'from', p_record.taken_from, 'source', p_record.source_id, 'reason', p_record.reason,
      'cause', p_record.cause, 'defect_position', p_record.defect_position, 'version', p_order.version)) || p_more, p_order.store, p_order.site);
end $$;

create function private.with_reason_title(p_event text, p_payload jsonb)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return p_payload || coalesce((select jsonb_build_object('reason_title', r.title) from public.quality_reasons r
    where p_event = 'production.quality' and r.code = p_payload ->> 'reason'), '{}');
end $$;
comment on function private.with_reason_title is 'An event as people read it: the reason of a quality record by its title too.';

create function private.write_quality(
  p_actor uuid, p_order public.production_orders, p_sequence integer, p_disposition text, p_quantity numeric, p_reason text, p_cause text default null,
  p_defect_position text default null, p_from text default 'process', p_lot_id bigint default null, p_notes text default null,
  p_photo text default null, p_work_centre text default null, p_source_id bigint default null)
returns private.quality_answer language plpgsql set search_path = '' as $$
declare
  v_step public.production_order_steps := (select s from public.production_order_steps s where s.order_id = p_order.id and s.sequence = p_sequence);
  v_source public.quality_records := (select q from public.quality_records q where q.id = p_source_id);
  v_new public.quality_records;
  v_change private.piece_deltas;
  v_answer private.quality_answer;
begin
  v_new.disposition := lower(p_disposition); v_new.quantity := p_quantity; v_new.cause := p_cause; v_new.defect_position := p_defect_position;
  v_new.taken_from := case v_source.disposition when 'hold' then 'hold' when 'rework' then 'rework' when 'repair' then 'rework' else p_from end;
  v_new.source_id := p_source_id; v_new.notes := p_notes; v_new.photo := p_photo; v_new.lot_id := coalesce(p_lot_id, v_source.lot_id);
  v_new.work_centre := coalesce(p_work_centre, v_source.work_centre); v_new.sequence := p_sequence; v_new.step := v_step.step;
  perform private.check_quality(v_step, v_new, v_source);
  v_new.reason := coalesce(case when p_reason is null then v_source.reason end,
    case when v_new.disposition <> 'accept' or p_reason is not null then private.check_reason_code(p_reason, v_step.step) end);
  v_new.event_id := private.emit_quality(p_order, v_new, 'production.quality', p_actor);
  v_change := private.quality_deltas(v_new.disposition, v_new.taken_from, p_quantity);
  -- Where the pieces stay counted as they were, the count is all zeros: undo takes back what came last, and that is this.
  v_new.count_id := (private.book_pieces(p_order.id, p_sequence, case when v_new.taken_from = 'process' then null else 0 end, v_change.good,
    v_change.scrap, v_change.returned, v_change.rework, v_change.held, p_actor, v_new.lot_id, v_new.work_centre, 'quality',
    p_from_rework => private.was_reworked(p_source_id) or v_new.disposition = 'use_as_is')).id;
  update public.quality_records q set open_quantity = q.open_quantity - p_quantity where q.id = p_source_id;
  insert into public.quality_records as q (order_id, sequence, step, work_centre, lot_id, disposition, taken_from, source_id, quantity, open_quantity,
    reason, cause, defect_position, notes, photo, site, event_id, count_id, recorded_by)
  values (p_order.id, p_sequence, v_step.step, v_new.work_centre, v_new.lot_id, v_new.disposition, v_new.taken_from, p_source_id, p_quantity,
    case when v_new.disposition in ('rework', 'repair', 'hold') then p_quantity else 0 end, v_new.reason, p_cause, p_defect_position, p_notes, p_photo,
    p_order.site, v_new.event_id, v_new.count_id, nullif(p_actor, '00000000-0000-0000-0000-000000000000'))
  returning q.* into v_new;
  v_answer.record := v_new;
  v_answer.notices := '[]';
  if v_new.disposition in ('scrap', 'return') then
    perform private.fit_sets(p_order, 'production.quality', p_actor);   -- first: what the lost pieces do not take is for those that replace them
    v_answer.notices := v_answer.notices || coalesce(private.replenish(private.root_of(p_order.id), p_order, p_order.product_sku,
      upper(v_new.disposition), v_new.event_id, p_actor), '[]');
  end if;
  return v_answer;
end $$;
comment on function private.write_quality is
$$Pieces of a step get their disposition: event, counters, record, and after scrap or return a replenishment. The caller holds the family of the
order (lock_family), its lot and its stock (lock_order_stock). Answers the record and notices.
Errors: those of check_quality, check_reason_code and book_pieces.$$;

create function private.refuse_decided(p_record public.quality_records)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_later public.quality_records;
begin
  if p_record.disposition in ('rework', 'repair', 'hold') and p_record.open_quantity <> p_record.quantity then
    select q.* into v_later from public.quality_records q where q.source_id = p_record.id and q.reversed_at is null order by q.id desc limit 1;
    perform private.fail(409, 'undo.blocked', format('%s of these pieces were decided since. Undo that first.', trim_scale(v_later.quantity)),
      jsonb_build_object('record', v_later.id, 'event_id', v_later.event_id, 'disposition', v_later.disposition, 'at', v_later.recorded_at));
  end if;
end $$;

create function private.reverse_quality(p_record_id bigint, p_actor uuid, p_undo_event bigint)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_record public.quality_records;
  v_order public.production_orders;
  v_count public.piece_counts;
  v_notice jsonb;
begin
  select q.* into v_record from public.quality_records q where q.id = p_record_id for update;
  if v_record.reversed_at is not null then
    return '[]';
  end if;
  perform private.refuse_decided(v_record);
  select o.* into v_order from public.production_orders o where o.id = v_record.order_id;
  select c.* into v_count from public.piece_counts c where c.id = v_record.count_id;
  if v_count.id is not null then
    perform private.book_pieces(v_record.order_id, v_record.sequence, -v_count.started, -v_count.good, -v_count.scrap, -v_count.returned,
      -v_count.rework_open, -v_count.held_open, p_actor, v_count.lot_id, v_count.work_centre, 'undo', v_count.from_rework, v_count.id);
  end if;
  update public.quality_records q set reversed_at = now(), reversed_by = nullif(p_actor, '00000000-0000-0000-0000-000000000000'), open_quantity = 0
   where q.id = v_record.id;
  update public.quality_records q set open_quantity = q.open_quantity + v_record.quantity where q.id = v_record.source_id;
  if v_record.disposition in ('scrap', 'return') then
    perform private.fit_sets(v_order, 'production.undone', p_actor);
    v_notice := private.unreplenish(private.root_of(v_order.id), v_order, v_order.product_sku, p_undo_event, p_actor);
  end if;
  return '[]' || coalesce(v_notice, '[]');
end $$;
comment on function private.reverse_quality is
$$Takes a record back: the counters, what is open in its source, and the replenishment that it made. Answers notices. The caller holds what
write_quality asks for, and has emitted p_undo_event. Errors: undo.blocked (409) when somebody decided about its pieces since, those of book_pieces.$$;

create function private.quality_differences()
returns table (subject text, what text, kept numeric, computed numeric) language sql stable set search_path = '' as $$
  with open as (
    select q.order_id, q.sequence, sum(q.open_quantity) filter (where q.disposition <> 'hold') as rework,
        sum(q.open_quantity) filter (where q.disposition = 'hold') as held
      from public.quality_records q where q.open_quantity > 0 group by q.order_id, q.sequence
  )
  select o.code || ' ' || s.sequence, x.what, x.kept, x.computed
    from public.production_order_steps s join public.production_orders o on o.id = s.order_id
    left join open p on p.order_id = s.order_id and p.sequence = s.sequence
   cross join lateral (values ('rework open', s.rework_open, coalesce(p.rework, 0)), ('on hold', s.held_open, coalesce(p.held, 0))) x (what, kept, computed)
   where x.kept <> x.computed
  union all
  select 'record ' || q.id, 'open quantity', q.open_quantity, q.quantity - coalesce(d.taken, 0)
    from public.quality_records q
    left join lateral (select sum(n.quantity) as taken from public.quality_records n where n.source_id = q.id and n.reversed_at is null) d on true
   where q.disposition in ('rework', 'repair', 'hold') and q.reversed_at is null and q.open_quantity <> q.quantity - coalesce(d.taken, 0)
  union all
  select o.code || ' ' || s.sequence, 'scrap without a record', s.scrap, coalesce(q.scrapped, 0)
    from public.production_order_steps s join public.production_orders o on o.id = s.order_id
    left join lateral (select sum(r.quantity) as scrapped from public.quality_records r where r.order_id = s.order_id and r.sequence = s.sequence
      and r.disposition = 'scrap' and r.reversed_at is null) q on true
   where s.scrap <> coalesce(q.scrapped, 0)
  union all
  select o.code, 'open replenishment that is not open', 1, 0 from public.replenishments r join public.production_orders o on o.id = r.order_id
   where r.is_open and (o.status <> 'OPEN_NOT_STARTED' or exists (select 1 from public.production_order_steps s
     where s.order_id = r.order_id and s.is_first and s.released > 0))
  union all
  select o.code, 'replenishment of a replenishment', 1, 0 from public.replenishments r join public.production_orders o on o.id = r.order_id
   where exists (select 1 from public.replenishments x where x.order_id = r.root_id)
$$;
comment on function private.quality_differences is 'Where quality records, counters and replenishments contradict each other. No rows: all is well.';
