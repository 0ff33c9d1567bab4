create function private.steps_json(p_order public.production_orders)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(to_jsonb(s) || jsonb_build_object('title', p.title, 'can_start', trim_scale(x.can_start), 'can_run', x.can_run,
        'why', private.why_json(x.why), 'work_centres', (select coalesce(jsonb_agg(jsonb_build_object('code', w.code, 'title', w.title,
          'is_enabled', w.is_enabled) order by w.code), '[]') from public.work_centres w where w.step = s.step and w.site = p_order.site and w.is_active
          and private.may_use_centre(s, w.code)),
        'first_pass_good', trim_scale(coalesce(q.first_good, 0))) order by s.sequence), '[]')
      from public.production_order_steps s join public.process_steps p on p.code = s.step cross join lateral private.outlook(p_order, s) x
      left join private.quality_by_sequence(row(array[p_order.site], array[p_order.store], '-infinity', 'infinity', null, p_order.code)) q
        on q.sequence = s.sequence
     where s.order_id = p_order.id);
end $$;

create function private.parts_json(p_order_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('line', l.line, 'sku', l.sku, 'title', i.title, 'needed', trim_scale(l.needed), 'allocated', trim_scale(l.allocated),
        'consumed', trim_scale(l.consumed), 'missing', trim_scale(greatest(l.needed - l.allocated - l.consumed, 0))) order by l.line), '[]')
      from public.order_part_allocations l join public.inventory_items i on i.sku = l.sku where l.production_order_id = p_order_id);
end $$;

create function private.lots_json(p_order_id bigint)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(to_jsonb(p) || jsonb_build_object('code', l.code, 'sku', l.sku, 'kind', l.kind, 'held_at', l.held_at,
        'hold_reason', l.hold_reason, 'label', private.label_state('production_order', l.sku || ' ' || l.code)) order by l.id), '[]')
      from public.production_lots p join public.lots l on l.id = p.lot_id where p.order_id = p_order_id);
end $$;

create function private.history_json(p_code text, p_limit integer)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('id', e.id, 'at', e.at, 'event', e.event, 'actor_id', e.actor_id, 'actor_name', s.full_name,
        'station', e.station, 'payload', private.with_reason_title(e.event, e.payload)) order by e.id desc), '[]')
      from (select v.* from public.events v where v.stream = 'production_order' and v.stream_id = p_code order by v.id desc limit p_limit) e
      left join public.staff_shared s on s.user_id = e.actor_id);
end $$;

create function public.get_production_order(p_code text, p_events integer default 100)
returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  v_order public.production_orders := (private.find_production('production.read', p_code)).order_row;
  v_row public.production_board_row;
begin
  v_row := private.board_row(v_order);
  return to_jsonb(v_row) - 'steps' || jsonb_build_object(
    'steps', private.steps_json(v_order),
    'routing_version', (select r.version from public.routings r where r.id = (v_row.progress).routing_id),
    'parts', private.parts_json(v_order.id),
    'lots', private.lots_json(v_order.id),
    'label', private.label_state('production_order', v_order.code),
    'discrepancies', (select coalesce(jsonb_agg(to_jsonb(d) order by d.id), '[]') from public.production_discrepancies d
      where d.order_id = v_order.id and d.resolved_at is null),
    'approvals', (select coalesce(jsonb_agg(to_jsonb(a) order by a.id), '[]') from public.approvals a where a.order_id = v_order.id and a.status = 'PENDING'),
    'refs', (select coalesce(jsonb_agg(to_jsonb(r) - 'payload_hash' order by r.system), '[]') from public.production_order_refs r where r.order_id = v_order.id),
    'events', private.history_json(v_order.code, least(greatest(coalesce(p_events, 100), 0), 500)));
end $$;
comment on function public.get_production_order is
$$One order with all that belongs to it: {order_row, product_title, fulfillment_status, progress, can_run, why, root, replenishments, routing_version,
steps [the row, title, can_start, can_run, why, work_centres [{code, title, is_enabled}], first_pass_good], parts [{line, sku, title, needed, allocated,
consumed, missing}], lots [with label], label {state, job_state, job_id} or null, discrepancies, approvals (pending), refs [{system, external_id, version, …}], events (newest first, p_events of them, at most 500; the
payload of a quality record with its reason_title)}.
Permission: production.read at its site and in its store.
Errors: production.unknown (404).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.get_production_order to authenticated, service_role;
