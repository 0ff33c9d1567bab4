-- Replenishment, the other ways: asked of a person beyond the caps, taken back with its scrap, dropped with its root.

create function private.ask_to_replenish(
  p_root public.production_orders, p_source public.production_orders, p_quantity numeric, p_trigger text, p_event_id bigint, p_actor uuid, p_why text)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_approval public.approvals;
begin
  insert into public.approvals as a (type, operation, site, order_id, quantity, justification, requested_by)
  values ('SPECIAL_OPERATION', 'replenishment', p_root.site, p_root.id, p_quantity, p_why, nullif(p_actor, '00000000-0000-0000-0000-000000000000'))
  on conflict (site, type, work_centre, order_id, sequence, operation, starts_at, ends_at) where status = 'PENDING'
  do update set quantity = excluded.quantity, justification = excluded.justification
  returning a.* into v_approval;
  perform private.emit_approval(v_approval, 'approval.requested', p_actor);
  insert into public.replenishment_links (root_id, source_order_id, trigger, trigger_event, quantity, approval_id, created_by)
  values (p_root.id, p_source.id, p_trigger, p_event_id, 0, v_approval.id, nullif(p_actor, '00000000-0000-0000-0000-000000000000'));
  return jsonb_build_object('code', 'production.replenish_approval',
    'message', format('%s A person has to allow %s more for %s.', p_why, trim_scale(p_quantity), p_root.code),
    'details', jsonb_build_object('approval', v_approval.id, 'root', p_root.code, 'quantity', trim_scale(p_quantity)));
end $$;
comment on function private.ask_to_replenish is 'The one pending approval for the root says how much is needed now. Answers a notice.';

create function private.still_missing(p_order public.production_orders)
returns numeric language plpgsql stable set search_path = '' as $$
declare
  v_root public.production_orders;
begin
  select t.* into v_root from public.replenishments r join public.production_orders t on t.id = r.root_id where r.order_id = p_order.id;
  return case when v_root.status not in ('CLOSED', 'CANCELLED') then coalesce(private.to_replenish(v_root, p_order.product_sku), 0) end;
end $$;
comment on function private.still_missing is 'Of a replenishment: what its open root needs of the same product beyond all that is coming. Null: no replenishment.';

create function private.ask_for_rest(p_order public.production_orders, p_before numeric, p_why text, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_root public.production_orders := (select o from public.production_orders o where o.id = private.root_of(p_order.id));
  v_rest numeric := private.still_missing(p_order);
  v_event bigint;
begin
  if coalesce(v_rest <= p_before, true) then
    return null;
  end if;
  v_event := private.emit('production_order', v_root.code, 'production.still_missing', p_actor, jsonb_build_object('sku', p_order.product_sku,
    'source', p_order.code, 'quantity', trim_scale(v_rest), 'reason', p_why, 'version', v_root.version), v_root.store, v_root.site);
  if p_order.product_sku = v_root.product_sku then
    return private.ask_to_replenish(v_root, p_order, v_rest, 'STOPPED', v_event, p_actor, p_why);
  end if;
  return jsonb_build_object('code', 'production.still_missing', 'message', format('%s of %s are still missing for %s.', trim_scale(v_rest),
    p_order.product_sku, v_root.code), 'details', jsonb_build_object('root', v_root.code, 'sku', p_order.product_sku, 'quantity', trim_scale(v_rest)));
end $$;
comment on function private.ask_for_rest is
$$A person stopped a replenishment before all of it was made (p_before: still_missing before that): it is not made again by itself, somebody else has to allow
it. A component is told only: the root asks for it again at its next release. Answers a notice, or null. The family is locked by the caller.$$;

create function private.withdraw_replenishment(p_root_id bigint, p_need numeric, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_approval public.approvals;
begin
  update public.approvals a
     set status = case when p_need > 0 then 'PENDING' else 'WITHDRAWN' end, decided_at = case when p_need > 0 then null else now() end,
         quantity = case when p_need > 0 then p_need else a.quantity end
   where a.order_id = p_root_id and a.operation = 'replenishment' and a.status = 'PENDING' returning a.* into v_approval;
  if v_approval.id is not null then
    perform private.emit_approval(v_approval, case v_approval.status when 'PENDING' then 'approval.requested' else 'approval.withdrawn' end, p_actor);
  end if;
end $$;
comment on function private.withdraw_replenishment is 'What a pending approval asks for is only p_need now; it is withdrawn when that is nothing.';

create function private.shrink_replenishment(
  p_root public.production_orders, p_source public.production_orders, p_sku text, p_most numeric, p_event_id bigint, p_actor uuid, p_reason text)
returns numeric language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders;
  v_cut numeric;
begin
  select o.* into v_order from public.replenishments r join public.production_orders o on o.id = r.order_id
   where r.root_id = p_root.id and r.sku = p_sku and r.is_open;
  v_cut := least(p_most, v_order.quantity, (select sum(l.quantity) from public.replenishment_links l where l.replenishment_id = v_order.id));
  if v_order.id is null or coalesce(v_cut, 0) <= 0 then
    return 0;
  end if;
  update public.production_orders o
     set quantity = case when o.quantity > v_cut then o.quantity - v_cut else o.quantity end,
         status = case when o.quantity > v_cut then o.status else 'CANCELLED' end,
         cancelled_at = case when o.quantity > v_cut then null else now() end, cancel_reason = case when o.quantity > v_cut then null else p_reason end
   where o.id = v_order.id returning o.* into v_order;
  perform private.emit('production_order', v_order.code,
    case v_order.status when 'CANCELLED' then 'production.cancelled' else 'production.replenishment_changed' end, p_actor,
    jsonb_build_object('root', p_root.code, 'source', p_source.code, 'added', trim_scale(-v_cut), 'quantity', trim_scale(v_order.quantity),
      'reason', p_reason, 'version', v_order.version), v_order.store, v_order.site);
  insert into public.replenishment_links (root_id, replenishment_id, source_order_id, trigger, trigger_event, quantity, created_by)
  values (p_root.id, v_order.id, p_source.id, 'REVERSAL', p_event_id, -v_cut, nullif(p_actor, '00000000-0000-0000-0000-000000000000'));
  perform private.promise_parts(v_order, 'production.replenishment_changed');
  return v_cut;
end $$;
comment on function private.shrink_replenishment is
$$The open replenishment makes up to p_most less, but never less than a planner added by hand; with nothing left it is cancelled. Answers by how
much it shrank. Locks: its items; the family is locked by the caller.$$;

create function private.unreplenish(p_root_id bigint, p_source public.production_orders, p_sku text, p_event_id bigint, p_actor uuid)
returns jsonb language plpgsql set search_path = '' as $$
declare
  v_root public.production_orders := (select o from public.production_orders o where o.id = p_root_id);
  v_need numeric := private.replenishment_need(v_root, p_sku);
  v_lot numeric := private.replenish_setting(v_root, 'lot');
  v_surplus numeric;
begin
  if p_sku = v_root.product_sku then   -- what waits for an approval is the product
    perform private.withdraw_replenishment(v_root.id, private.in_lots(v_root, v_need), p_actor);
  end if;
  v_surplus := case when v_lot > 0 then floor(-v_need / v_lot) * v_lot else -v_need end;
  if v_surplus > 0 then
    v_surplus := v_surplus - private.shrink_replenishment(v_root, p_source, p_sku, v_surplus, p_event_id, p_actor, 'The scrap was taken back.');
  end if;
  if v_surplus > 0 and exists (select 1 from public.replenishments r join public.production_orders o on o.id = r.order_id
       where r.root_id = v_root.id and o.status not in ('CLOSED', 'CANCELLED')) then
    perform private.emit('production_order', v_root.code, 'production.surplus', p_actor, jsonb_build_object('sku', p_sku,
      'quantity', trim_scale(v_surplus), 'version', v_root.version), v_root.store, v_root.site);
    return jsonb_build_object('code', 'production.surplus', 'message', format('%s more than needed are on their way for %s.',
      trim_scale(v_surplus), v_root.code), 'details', jsonb_build_object('root', v_root.code, 'quantity', trim_scale(v_surplus)));
  end if;
  return null;
end $$;
comment on function private.unreplenish is
$$A loss was taken back: the open replenishment shrinks or is cancelled, a pending approval is withdrawn; what is released already is told as
surplus. Answers a notice, or null.$$;

create function private.drop_replenishments(p_root_id bigint, p_actor uuid)
returns void language plpgsql set search_path = '' as $$
declare
  v_root public.production_orders := (select o from public.production_orders o where o.id = p_root_id);
  v_open record;
  v_event bigint;
begin
  for v_open in select r.sku, o.quantity from public.replenishments r join public.production_orders o on o.id = r.order_id
      where r.root_id = p_root_id and r.is_open order by r.order_id loop
    v_event := private.emit('production_order', v_root.code, 'production.replenishment_dropped', p_actor, jsonb_build_object('sku', v_open.sku,
      'quantity', trim_scale(v_open.quantity), 'version', v_root.version), v_root.store, v_root.site);
    perform private.shrink_replenishment(v_root, v_root, v_open.sku, v_open.quantity, v_event, p_actor, format('%s has ended.', v_root.code));
  end loop;
  perform private.withdraw_replenishment(p_root_id, 0, p_actor);
end $$;
comment on function private.drop_replenishments is
  'The root has ended: what was to be made again for it and is not released is cancelled. The family is locked by the caller (lock_family), stock is not.';

create function private.drop_needless_replenishments(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_roots bigint[] := array(
    select o.id from public.production_orders o
     where o.status in ('CLOSED', 'CANCELLED') and o.updated_at <= p_now and (
       exists (select 1 from public.replenishments r where r.root_id = o.id and r.is_open)
       or exists (select 1 from public.approvals a where a.order_id = o.id and a.operation = 'replenishment' and a.status = 'PENDING'))
     order by o.id limit 100 for update of o skip locked);
  v_open bigint[] := array(
    select o.id from public.replenishments r join public.production_orders o on o.id = r.order_id
     where r.root_id = any (v_roots) and r.is_open order by o.id for update of o skip locked);
begin
  v_roots := array(select u from unnest(v_roots) u where not exists (select from public.replenishments r
    where r.root_id = u and r.is_open and r.order_id <> all (v_open)) order by u);
  perform private.lock_stock(array(select distinct s.sku from public.production_orders o cross join lateral unnest(private.stock_of_order(o)) s (sku)
    where o.id = any (v_roots)));   -- once, after all orders
  perform private.drop_replenishments(u.id, null) from unnest(v_roots) with ordinality u (id, n) order by u.n;
end $$;
comment on function private.drop_needless_replenishments is
$$By the clock: of roots that were cancelled or shipped. Many families at once, so it waits for no order: where somebody is at work now, the next minute will do.
Locks: the roots and their open replenishments, SKIP LOCKED; then their items, by SKU.$$;
