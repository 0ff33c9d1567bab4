create function private.streams_of_order(p_order public.production_orders)
returns text[] language plpgsql stable set search_path = '' as $$
begin
  return array['production_order/' || p_order.code] || array(
    select 'lot/' || l.sku || ' ' || l.code from public.production_lots p join public.lots l on l.id = p.lot_id where p.order_id = p_order.id);
end $$;

create function private.replenishments_of(p_order public.production_orders)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('code', o.code, 'root', t.code, 'sku', r.sku, 'generation', r.generation, 'quantity', trim_scale(o.quantity),
        'status', o.status, 'good', trim_scale(coalesce(p.executed_good, 0)), 'links', (
          select jsonb_agg(jsonb_build_object('trigger', k.trigger, 'event_id', k.trigger_event, 'quantity', trim_scale(k.quantity), 'at', k.created_at,
              'source', (select s.code from public.production_orders s where s.id = k.source_order_id)) order by k.id)
            from public.replenishment_links k where k.replenishment_id = r.order_id)) order by o.id), '[]')
      from public.replenishments r join public.production_orders o on o.id = r.order_id join public.production_orders t on t.id = r.root_id
      left join public.production_order_progress p on p.order_id = o.id
     where r.root_id = p_order.id or r.order_id = p_order.id);
end $$;
comment on function private.replenishments_of is
$$What was made again for the order, or what the order itself makes again: [{code, root, sku, generation, quantity, status, good, links: [{trigger, event_id,
quantity, at, source}]}].$$;

create function public.trace_production_order(p_code text, p_limit integer default 200, p_with_removed boolean default false)
returns public.production_trace language plpgsql stable security definer set search_path = '' as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 200), 1), 1000);
  v_order public.production_orders;
  v_trace public.production_trace;
  v_lots bigint[];
begin
  v_order := (private.find_production('production.read', p_code)).order_row;
  v_lots := array(select p.lot_id from public.production_lots p where p.order_id = v_order.id order by 1);
  v_trace.order_row := v_order;
  v_trace.progress := (select p from public.production_order_progress p where p.order_id = v_order.id);
  v_trace.steps := array(select s from public.production_order_steps s where s.order_id = v_order.id order by s.sequence);
  v_trace.counts := array(select c from public.piece_counts c where c.order_id = v_order.id order by c.id desc limit v_limit);
  v_trace.lots := private.lot_balances(v_lots);
  v_trace.replenishments := private.replenishments_of(v_order);
  v_trace.genealogy := private.lot_genealogy(array(
    select n.id from public.trace_nodes n where n.kind = 'production_order' and n.key = v_order.code
    union all
    select n.id from public.lots l join public.trace_nodes n on n.kind = 'lot' and n.sku = l.sku and n.key = l.code where l.id = any (v_lots)),
    coalesce(p_with_removed, false), v_limit);
  v_trace.quality := array(select q from public.quality_records q where q.order_id = v_order.id order by q.id desc limit v_limit);
  v_trace.events := array(select e from private.trace_events(private.streams_of_order(v_order), null, 100) e);
  return v_trace;
end $$;
comment on function public.trace_production_order is
$$One production order from end to end: steps, counts, lots with what they are made of and went into, what was made again, quality, newest events.
p_limit 1–1000 of each; p_with_removed: also through what was taken out again.
Permission: production.read at its site and in its store.
Errors: production.unknown (404).
Idempotency: a read.
Locks: none.$$;

create function public.get_production_order_timeline(p_code text, p_before bigint default null, p_limit integer default 100)
returns setof public.trace_event language plpgsql stable security definer set search_path = '' as $$
declare
  v_order public.production_orders;
begin
  v_order := (private.find_production('production.read', p_code)).order_row;
  return query select e.* from private.trace_events(private.streams_of_order(v_order), p_before, least(greatest(coalesce(p_limit, 100), 1), 500)) e;
end $$;
comment on function public.get_production_order_timeline is
$$What happened to a production order and to its lots, newest first. p_before: the id of the last row seen, for older ones. p_limit 1–500.
Permission: production.read at its site and in its store.
Errors: production.unknown (404).
Idempotency: a read.
Locks: none.$$;

-- Labels -----------------------------------------------------------------------------------------------------------

create function private.label_behind(p_label text, out label jsonb, out subject text)
returns record language plpgsql stable set search_path = '' as $$
declare
  v_id text[] := regexp_match(trim(p_label), '^(\d{1,18})(?:[-/](\d{1,2}))?$');
begin
  select jsonb_build_object('job_id', j.id, 'seq', l.seq, 'label_type', l.purpose, 'state', l.state, 'data', l.data, 'job_state', j.state,
      'printer', j.printer, 'wanted_at', j.queued_at), l.subject into label, subject
    from public.print_job_labels l join public.print_jobs j on j.id = l.job_id
   where l.job_id = v_id[1]::bigint and l.seq = coalesce(v_id[2]::integer, 1);
  if subject is null then
    subject := trim(p_label);
    select jsonb_build_object('job_id', j.id, 'seq', l.seq, 'label_type', l.purpose, 'state', l.state, 'data', l.data, 'job_state', j.state,
        'printer', j.printer, 'wanted_at', j.queued_at) into label
      from public.print_job_labels l join public.print_jobs j on j.id = l.job_id where l.subject = trim(p_label) order by j.id desc limit 1;
  end if;
end $$;
comment on function private.label_behind is 'The label with this id (print job, or job-n for one of several), else the newest one that says this.';

create function private.subject_of_label(p_subject text)
returns public.label_trace language plpgsql stable set search_path = '' as $$
declare
  v_trace public.label_trace;
  v_lots public.lots[];
  v_starts bigint[];
begin
  v_trace.subject := p_subject;
  v_trace.unit_sn := (select u.sn from public.units u where u.sn = private.serial_of(p_subject));
  v_trace.ticket_id := (select (private.order_of_label(p_subject)).id);
  v_trace.production_order := (select o.code from public.production_orders o where o.code = p_subject and o.id = any (private.orders_read(array[o.id])));
  v_lots := array(select l from public.lots l where (lower(l.code) = lower(p_subject) or l.sku || ' ' || l.code = p_subject)
    and private.lot_is_here(l) order by l.id limit 50);
  v_trace.kind := case when v_trace.unit_sn is not null then 'unit' when v_trace.ticket_id is not null then 'ticket'
    when v_trace.production_order is not null then 'production_order' when v_lots <> '{}' then 'lot'
    when exists (select from public.boxes b where b.code = p_subject) then 'box' end;
  v_lots := v_lots || array(
    select l from public.production_lots p join public.production_orders o on o.id = p.order_id join public.lots l on l.id = p.lot_id
     where o.code = v_trace.production_order);
  v_starts := array(
    select n.id from public.trace_nodes n where n.key = coalesce(v_trace.unit_sn, v_trace.ticket_id, p_subject)
       and n.kind = any (case v_trace.kind when 'ticket' then array['order'] when 'box' then array['box', 'pallet'] else array[v_trace.kind] end)
    union
    select n.id from unnest(v_lots) l join public.trace_nodes n on n.kind = 'lot' and n.sku = l.sku and n.key = l.code);
  v_trace.lots := private.lot_balances(array(
    select l.id from unnest(v_lots) l
    union
    select l.id from private.trace(v_starts, false) t (node) join public.trace_nodes n on n.id = t.node and n.kind = 'lot'
      join public.lots l on l.sku = n.sku and l.code = n.key order by 1 limit 200));
  v_trace.production_order := coalesce(v_trace.production_order, (
    select o.code from public.units u join public.production_orders o on o.id = u.production_order_id
     where u.sn = v_trace.unit_sn and o.id = any (private.orders_read(array[o.id]))), (
    select o.code from unnest(private.orders_of_lots(array(select (l.lot).id from unnest(v_trace.lots) l))) u join public.production_orders o on o.id = u
     order by o.id desc limit 1));
  return v_trace;
end $$;

create function public.trace_label(p_label text)
returns public.label_trace language plpgsql stable security definer set search_path = '' as $$
declare
  v_found record;
  v_trace public.label_trace;
begin
  perform private.authorize('units.read');
  select b.label, b.subject into v_found from private.label_behind(coalesce(p_label, '')) b;
  v_trace := private.subject_of_label(v_found.subject);
  v_trace.label := case when not exists (select from public.production_orders o
    where o.code = v_found.subject and cardinality(private.orders_read(array[o.id])) = 0) then v_found.label end;
  if v_trace.kind is null then   -- no lot of it is known either: refused like the order itself
    perform private.authorize('production.read', o.store, o.site) from public.production_orders o where o.code = v_trace.subject;
  end if;
  if v_trace.kind is null and v_trace.label is null then
    perform private.fail(404, 'trace.unknown', 'Nothing is known of ' || coalesce(p_label, '') || ': no label, unit, ticket, lot or order.',
      jsonb_build_object('label', p_label));
  end if;
  if v_trace.ticket_id is not null and not (private.readable_stores('orders.read')
      && array(select o.store from public.orders o where o.id = v_trace.ticket_id)) then
    perform private.authorize('orders.read', o.store) from public.orders o where o.id = v_trace.ticket_id;
  end if;
  v_trace.events := array(select e from private.trace_events(
    case v_trace.kind when 'unit' then array['unit/' || v_trace.unit_sn] when 'ticket' then array['order/' || v_trace.ticket_id]
      when 'box' then array['box/' || v_trace.subject] else '{}' end
    || case when v_trace.production_order is not null then array['production_order/' || v_trace.production_order] else '{}' end
    || array(select 'lot/' || (l.lot).sku || ' ' || (l.lot).code from unnest(v_trace.lots) l), null, 200) e);
  return v_trace;
end $$;
comment on function public.trace_label is
$$From a label to its order, its lots and what happened to them. p_label: the id of the label (print job, or job-n for one of several), or what is printed on
it: the serial of a unit, a ticket, a lot, a production order, a box.
Permission: units.read; of a ticket orders.read in its store; of a production order production.read at its site and in its store, else it is left out.
Errors: trace.unknown (404), auth.other_store, auth.other_site (403).
Idempotency: a read.
Locks: none.$$;
grant execute on function public.trace_production_order, public.get_production_order_timeline, public.trace_label to authenticated, service_role;
