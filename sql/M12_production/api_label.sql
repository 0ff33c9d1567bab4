-- What the label of an order or of a lot says, and what its code means at any station.

create function private.lot_of_label(p_subject text)
returns public.lots language plpgsql stable set search_path = '' as $$
begin
  return (
    select l from generate_series(2, length(p_subject) - 1) n
      join public.lots l on l.sku = left(p_subject, n - 1) and lower(l.code) = lower(substr(p_subject, n + 1))
     where substr(p_subject, n, 1) = ' ' order by l.id limit 1);
end $$;
comment on function private.lot_of_label is 'The lot that a label stands for, by its item and its code with a space between: a code alone can be of several lots. Null: none.';

create function private.production_label_data(p_subject text)
returns jsonb language plpgsql stable set search_path = '' as $$
declare
  v_lot public.lots;
  v_data jsonb := (
    select jsonb_build_object('code', o.code, 'product', coalesce(i.title, ''), 'sku', coalesce(o.product_sku, ''),
        'quantity', concat_ws(' ', trim_scale(o.quantity), i.uom), 'due', coalesce(to_char(o.due_date, 'YYYY-MM-DD'), ''))
      from public.production_orders o left join public.inventory_items i on i.sku = o.product_sku where o.code = p_subject);
begin
  if v_data is null then
    v_lot := private.lot_of_label(p_subject);
    v_data := (
      select jsonb_build_object('code', v_lot.code, 'product', i.title, 'sku', i.sku, 'quantity', '', 'due', '')   -- how much there is changes
        from public.inventory_items i where i.sku = v_lot.sku);
  end if;
  return coalesce(v_data, '{}');
end $$;
comment on function private.production_label_data is
'What the database knows for the label of a production order or of a lot: {code, product, sku, quantity, due}; {} when it is neither.';

create or replace function private.known_label_data(p_subject text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return private.order_label_data(private.order_of_label(p_subject)) || private.production_label_data(p_subject) || private.unit_label_data(p_subject);
end $$;
comment on function private.known_label_data is 'What the database knows about the order, lot or unit of a label.';

create or replace function private.authorize_labels(p_labels jsonb)
returns void language plpgsql stable set search_path = '' as $$
begin
  perform private.authorize('printing.request', null, u.site) from jsonb_array_elements(p_labels) l join public.units u on u.sn = l ->> 'subject';
  perform private.authorize('printing.request', o.store, coalesce(o.site, (x.lot).site))
     from jsonb_array_elements(p_labels) l
    cross join lateral (select private.lot_of_label(l ->> 'subject') as lot offset 0) x
     left join public.production_lots p on p.lot_id = (x.lot).id
     left join public.production_orders o on o.code = l ->> 'subject' or o.id = p.order_id
    where num_nonnulls(o.id, (x.lot).id) > 0;
end $$;
comment on function private.authorize_labels is
'The right to labels of units, orders and lots, at their site and in their store: [{subject}]. Errors: auth.other_site, auth.other_store (403).';

create function private.label_state(p_label_type text, p_subject text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select jsonb_build_object('state', l.state, 'job_state', j.state, 'job_id', l.job_id)
      from public.print_job_labels l join public.print_jobs j on j.id = l.job_id
     where l.subject = p_subject and l.purpose = p_label_type order by l.print_no desc limit 1);
end $$;
comment on function private.label_state is 'The newest label of this kind: {state, job_state, job_id}; null when none was asked for.';

create function private.subject_to_print(p_order public.production_orders, p_lot text)
returns text language plpgsql stable set search_path = '' as $$
declare
  v_lot public.lots;
begin
  if p_lot is null then
    return p_order.code;
  end if;
  select l.* into v_lot from public.production_lots p join public.lots l on l.id = p.lot_id
   where p.order_id = p_order.id and lower(l.code) = lower(p_lot);
  if v_lot.id is null then
    perform private.fail(404, 'lot.unknown', format('%s has no lot %s.', p_order.code, p_lot), jsonb_build_object('lot', p_lot, 'code', p_order.code));
  end if;
  return v_lot.sku || ' ' || v_lot.code;
end $$;

create function public.print_order_label(
  p_code text, p_lot text default null, p_station text default null, p_printer text default null, p_request_id uuid default null)
returns public.print_answer language plpgsql security definer set search_path = '' as $$
declare
  v_found private.production_command := private.find_production('printing.request', p_code);
  v_order public.production_orders := v_found.order_row;
  v_actor uuid := v_found.actor;
  v_stored jsonb;
  v_subject text;
  v_demand private.print_demand;
  v_answer public.print_answer;
begin
  v_stored := private.replay(v_actor, p_request_id, 'print_order_label', jsonb_build_array(p_code, p_lot, p_station, p_printer));
  if v_stored is not null then
    return jsonb_populate_record(null::public.print_answer, v_stored);
  end if;
  v_subject := private.subject_to_print(v_order, p_lot);
  select d.* into v_demand from private.add_prints(row(v_order.site, v_order.store, (select s.code from public.stations s
      where s.code = coalesce(p_station, private.station()) and s.site = v_order.site and s.is_active))::private.print_place,
    row('production_order', 1, p_printer, null, 10)::private.print_wish, jsonb_build_array(jsonb_build_object('subject', v_subject)), v_actor) d;
  v_answer := private.print_answer(v_demand.job_id, v_demand.is_new, null);
  v_answer.message := case when v_demand.is_new then format('The label of %s goes to %s.', v_subject, v_answer.printer_name)
    else format('The label of %s was asked for already (%s, %s). For one more use reprint.', v_subject, (v_answer.job).state, v_answer.printer_name) end;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.print_order_label is
$$The label of a production order, once, or with p_lot that of one of its lots: its code, product, quantity and due date. One that was asked for before is not
made again: changed = false with its job; more paper is a reprint. It comes out where the routes of the order's site say, for p_station (else the header
x-takt-station), or on p_printer.
Permission: printing.request at its site and in its store.
Errors: production.unknown (404), lot.unknown (404), printer.unknown (404), label.unknown_template (404), label.no_template (412), print.no_printer (412),
print.no_resolution (412), print.too_large (412), print.other_site (422), label.bad_data (422), label.does_not_fit (422), request.reused (422).
Idempotency: by p_request_id, and by the order or the lot.
Locks: one advisory lock for the label.$$;

-- A scan at any station ----------------------------------------------------------------------------------------------

create function private.resolve_order(p_code text)
returns public.scan_result language plpgsql stable set search_path = '' as $$
declare
  v_order public.production_orders := (select o from public.production_orders o where o.code = p_code);
begin
  if v_order.id is null or not private.may('production.read') or not private.works_at(private.identify(), v_order.site)
     or v_order.store is not null and not private.readable_stores('production.read') @> array[v_order.store] then
    return null;
  end if;
  return row(true, false, 'production_order', format('%s: %s of %s, %s.', v_order.code, trim_scale(v_order.quantity),
      coalesce((select i.title from public.inventory_items i where i.sku = v_order.product_sku), v_order.product_sku, '?'),
      case v_order.status when 'OPEN_NOT_STARTED' then 'not started' when 'OPEN_PARTIAL' then 'pieces are missing'
        else lower(replace(v_order.status, '_', ' ')) end), 200, null, null, jsonb_build_object('scanned', p_code, 'status', v_order.status, 'site', v_order.site, 'store', v_order.store,
      'stream', 'production_order', 'stream_id', v_order.code, 'target', jsonb_build_object('page', 'production_order', 'code', v_order.code)),
    null, null, null, null)::public.scan_result;
end $$;
comment on function private.resolve_order is 'The production order with this code, to somebody who may see it; else null.';

create function private.resolve_lot(p_code text)
returns public.scan_result language plpgsql stable set search_path = '' as $$
declare
  v_lots public.lots[];
begin
  if not private.may('units.read') then
    return null;
  end if;
  v_lots := array(
    select l from public.lots l
      left join public.production_lots p on p.lot_id = l.id left join public.production_orders o on o.id = p.order_id
     where lower(l.code) = lower(p_code) and private.lot_is_here(l) and (o.id is null or cardinality(private.orders_read(array[o.id])) = 1) order by l.id limit 50);
  if cardinality(v_lots) = 0 then
    return null;
  elsif cardinality(v_lots) > 1 then
    return row(true, false, 'ask', 'Several items have a lot of that code. Which one is it?', 200, null, 'lot.ambiguous', jsonb_build_object('scanned', p_code),
      null, null, (select jsonb_agg(jsonb_build_object('sku', l.sku, 'lot', l.code) order by l.sku) from unnest(v_lots) l), null)::public.scan_result;
  end if;
  return private.scanned_lot(v_lots[1], jsonb_build_object('scanned', p_code));
end $$;
comment on function private.resolve_lot is 'The lot with this code, or the question which one it is, to somebody who may see it; else null.';

create or replace function private.resolve_other(p_code text)
returns public.scan_result language plpgsql stable set search_path = '' as $$
declare
  v_found public.scan_result := private.resolve_unit(p_code);
begin
  if v_found.ok is null then
    v_found := private.resolve_order(p_code);
  end if;
  if v_found.ok is null then
    v_found := private.resolve_lot(p_code);
  end if;
  return v_found;
end $$;
comment on function private.resolve_other is
  'What a code means that names no ticket: the unit, the production order or the lot with it, to somebody who may see it; else null.';

create function private.tg_events__order_scan()
returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if exists (select from public.production_orders o where o.code = new.stream_id) then   -- an unknown code may be that of anything, at any site
    perform private.settle_by_scan(new.stream_id, new.actor_id);
  end if;
  return null;
end $$;
comment on function private.tg_events__order_scan is 'The code of an order was read, at any station or work centre, so its label came out. Locks: the job, after all else (README).';
create trigger _500_order_scan after insert on public.events
  for each row when (new.stream = 'production_order' and new.event in ('production_order.scanned', 'production.scanned', 'production.scan_refused'))
  execute function private.tg_events__order_scan();

grant execute on function public.print_order_label to authenticated, service_role;
