create function private.is_gs1(p_code text)
returns boolean language sql immutable set search_path = '' as $$
  select p_code ~ '^\](C1|d2|Q3|e0|J1)' or p_code ~ E'\x1d' or p_code ~ '^\(01\)\d{14}' or p_code ~ '^01\d{14}(\D|1[0-9]|2[01]|$)'
$$;
comment on function private.is_gs1 is 'True for GS1 element strings: symbology prefix, FNC1, or AI 01 with a GTIN-14.';

create function private.clean_code(p_code text)
returns text language plpgsql immutable set search_path = '' as $$
begin
  -- Scanners add line ends; phones and copied texts bring full-width digits, other hyphens and invisible characters.
  return regexp_replace(translate(normalize(coalesce(p_code, ''), NFKC), E'\u2010\u2011\u2012\u2013\u2014\u2212\u200b\u200c\u200d\ufeff', '------'),
    '^\s+|\s+$', '', 'g');
end $$;
comment on function private.clean_code is 'The code as it was meant: trimmed, plain hyphens and digits, nothing invisible.';

create function private.find_by_code(p_code text)
returns setof public.orders language plpgsql stable set search_path = '' as $$
declare
  v_code text := lower(p_code);
  v_short text[] := regexp_match(v_code, '^#?([a-z]{1,3})(\d{1,12})(?:-?([a-z]|\d{2,3}))?$');
  v_bare text := (regexp_match(v_code, '^#?(\d{1,12})$'))[1];
  v_store text;
begin
  if v_bare is not null then
    return query select o.* from public.orders o where o.order_number = v_bare and not o.is_test order by o.store, o.unit_no, o.id limit 50;
    return;
  end if;
  return query select o.* from public.orders o where lower(o.id) = v_code;
  if found then
    return;
  end if;
  if v_short is not null then
    select st.code into v_store from public.stores st where st.scan_prefix = upper(v_short[1]);
    v_code := v_store || '-' || v_short[2] || coalesce('-' || v_short[3], '');
    return query select o.* from public.orders o where lower(o.id) = v_code;
    if found then
      return;
    end if;
  end if;
  -- The customer order: all its tickets. A ticket without a suffix answers to -A as well.
  return query
    select o.* from public.stores st
      join public.orders o on o.store = st.code
        and (lower(o.store || '-' || o.order_number) = v_code
          or o.suffix is null and lower(o.store || '-' || o.order_number || '-a') = v_code)
        and o.order_number = any (array[upper(split_part(v_code, '-', 2)), split_part(v_code, '-', 2),
          upper(substr(v_code, length(st.code) + 2)), substr(v_code, length(st.code) + 2)])
     where v_code like st.code || '-%'
     order by o.store, o.suffix nulls first, o.id limit 50;
end $$;
comment on function private.find_by_code is
'Tickets a code can mean: #B18617, #F18617, bannos-18617, bannos-18617-A, 18617 (any store). Case does not matter.';

create function private.candidates(p_orders public.orders[])
returns jsonb language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('id', o.id, 'store', o.store, 'stage', o.stage, 'product_title', o.product_title,
    'flavour', o.flavour, 'size', o.size, 'customer_name', o.customer_name, 'due_date', o.due_date) order by o.id), '[]')
  from unnest(p_orders) o
$$;

create function private.scan_refusal(
  p_status integer, p_hint text, p_message text, p_details jsonb, p_order public.orders default null)
returns public.scan_result language sql immutable set search_path = '' as $$
  select row(false, false, 'refused', p_message, p_status, 'PT' || p_status, p_hint, p_details, null, null, null, p_order)::public.scan_result
$$;

create function private.resolve_other(p_code text)
returns public.scan_result language plpgsql stable set search_path = '' as $$
begin
  return null;
end $$;
comment on function private.resolve_other is 'What a code means that names no ticket; null = nothing known. M10_units replaces it.';

create function private.resolve_scan(p_code text, p_stores text[])
returns public.scan_result language plpgsql stable set search_path = '' as $$
declare
  v_code text := private.clean_code(p_code);
  v_all public.orders[];
  v_mine public.orders[];
  v_other public.scan_result;
begin
  if v_code = '' or length(v_code) > 200 then
    return private.scan_refusal(400, 'scan.empty', case when v_code = '' then 'Nothing was scanned. Try again.'
      else 'That is no ticket code: it is too long. Scan the code on the ticket.' end, jsonb_build_object('scanned', left(v_code, 200)));
  elsif private.is_gs1(v_code) then
    return row(false, false, 'ignored', 'That is a product code (GS1), not an order. Scan the code on the ticket.', 200, null, 'scan.gs1',
      jsonb_build_object('scanned', v_code), null, null, null, null)::public.scan_result;
  end if;
  v_all := array(select o from private.find_by_code(v_code) o);
  v_mine := array(select o from unnest(v_all) o where o.store = any (p_stores));
  if cardinality(v_all) = 0 then
    v_other := private.resolve_other(v_code);
    if v_other.ok then
      return v_other;
    end if;
    return private.scan_refusal(404, 'scan.unknown', 'There is no order for ' || v_code || '. Check the label, or search for the name.', jsonb_build_object('scanned', v_code));
  elsif cardinality(v_mine) = 0 then
    return private.scan_refusal(403, 'auth.other_store', 'That order belongs to a store you do not work in.', jsonb_build_object('scanned', v_code));
  elsif cardinality(v_mine) > 1 then
    return row(true, false, 'ask', 'Several tickets match. Which one is it?', 200, null, 'scan.ambiguous',
      jsonb_build_object('scanned', v_code), null, null, private.candidates(v_mine), null)::public.scan_result;
  end if;
  return row(true, false, 'found', v_mine[1].id, 200, null, null, jsonb_build_object('scanned', v_code), null, null, null, v_mine[1])::public.scan_result;
end $$;
comment on function private.resolve_scan is
  'What a code means to someone who works in p_stores: action found, ask, ignored or refused; unit, production_order or lot. Changes nothing.';

create function private.scan_problem(p_order public.orders, p_scanned text, p_station text, p_expected text)
returns public.scan_result language plpgsql stable set search_path = '' as $$
declare
  v_station public.stations;
begin
  select s.* into v_station from public.stations s where s.code = p_station and s.is_active;
  if p_expected is not null and p_expected <> p_order.id then
    return private.scan_refusal(409, 'scan.wrong_order', format('Wrong ticket: expected %s, scanned %s.', p_expected, p_order.id),
      jsonb_build_object('expected', p_expected, 'actual', p_order.id, 'scanned', p_scanned), p_order);
  elsif v_station.store <> p_order.store then
    return private.scan_refusal(409, 'scan.wrong_store', format('This station works for %s; the ticket is from %s.', v_station.store, p_order.store),
      jsonb_build_object('expected', v_station.store, 'actual', p_order.store, 'scanned', p_scanned), p_order);
  elsif p_order.cancelled_at is not null then
    return private.scan_refusal(409, 'order.cancelled', 'This order is cancelled. Set it aside.',
      jsonb_build_object('reason', p_order.cancel_reason, 'scanned', p_scanned), p_order);
  elsif p_order.pending_change is not null then
    return private.scan_refusal(409, 'order.change_pending', 'This order was changed after work began. Read the change and acknowledge it first.',
      jsonb_build_object('change', p_order.pending_change, 'scanned', p_scanned), p_order);
  elsif v_station.stage <> p_order.stage then
    return private.scan_refusal(409, 'scan.wrong_stage', format('This station does %s; ticket %s is in %s.', v_station.stage, p_order.id, p_order.stage),
      jsonb_build_object('expected', v_station.stage, 'actual', p_order.stage, 'scanned', p_scanned), p_order);
  elsif private.stage_started_at(p_order, p_order.stage) is not null and private.components_missing(p_order, p_order.stage) is not null then
    return private.scan_refusal(409, 'stock.components_short', 'Components are missing: '
      || (private.components_missing(p_order, p_order.stage) -> 0 ->> 'message'),
      jsonb_build_object('missing', private.components_missing(p_order, p_order.stage), 'scanned', p_scanned), p_order);
  end if;
  return null;
end $$;
comment on function private.scan_problem is 'Why this ticket may not be worked on here and now, or null.';

create function private.advance_by_scan(p_order public.orders, p_actor uuid, p_station text)
returns public.scan_result language plpgsql set search_path = '' as $$
declare
  v_change public.order_change;
  v_started boolean := private.stage_started_at(p_order, p_order.stage) is not null;
begin
  if p_order.stage = 'Complete' then
    return row(true, false, 'nothing', p_order.id || ' is complete already.', 200, null, null, '{}', null, null, null, p_order)::public.scan_result;
  elsif v_started then
    v_change := private.complete_stage(p_order, p_order.stage, p_actor, null, p_station);
  else
    v_change := private.start_stage(p_order, p_order.stage, p_actor, p_station);
  end if;
  return row(true, true, case when v_started then 'completed' else 'started' end,
    format('%s: %s %s.', p_order.id, p_order.stage, case when v_started then 'done' else 'started' end) || coalesce(' Missing: '
      || (select string_agg(n.item ->> 'message', ' ') from jsonb_array_elements(v_change.notices) n (item)), ''),
    200, null, null, jsonb_strip_nulls(jsonb_build_object('stage', p_order.stage, 'notices', v_change.notices)), v_change.offer, v_change.event_id, null, v_change.order_row)::public.scan_result;
end $$;
comment on function private.advance_by_scan is 'The first scan in a stage starts it, the second completes it. A scanned barcode is a printed barcode: it starts Filling too.';

create function private.answer_scan(p_result public.scan_result)
returns public.scan_result language plpgsql set search_path = '' as $$
begin
  if p_result.status <> 200 then
    perform set_config('response.status', p_result.status::text, true);
  end if;
  return p_result;
end $$;
comment on function private.answer_scan is 'A refusal returns normally, so that its event commits, and still is an HTTP error.';

create function public.scan(
  p_code text default null, p_station text default null, p_request_id uuid default null, p_expected_order text default null)
returns public.scan_result language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('orders.scan');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'scan', jsonb_build_array(p_code, p_station, p_expected_order));
  v_result public.scan_result;
  v_problem public.scan_result;
  v_order public.orders;
begin
  if v_answer is not null then
    return private.answer_scan(jsonb_populate_record(null::public.scan_result, v_answer));
  end if;
  v_result := private.resolve_scan(p_code, private.readable_stores('orders.scan'));
  if v_result.action = 'found' then
    select o.* into v_order from public.orders o where o.row_id = (v_result.order_row).row_id for update;
    v_answer := private.same_scan(v_order);
    if v_answer is not null then
      v_result := jsonb_populate_record(null::public.scan_result, v_answer);
      v_result.changed := false;
    else
      v_problem := private.scan_problem(v_order, p_code, p_station, p_expected_order);
      v_result := case when v_problem.ok is null then private.advance_by_scan(v_order, v_actor, p_station) else v_problem end;
      if v_result.changed then
        insert into private.recent_scans as s (row_id, at, answer) values (v_order.row_id, clock_timestamp(), to_jsonb(v_result))
        on conflict on constraint recent_scans_pkey do update
          set at = excluded.at, answer = excluded.answer;
      end if;
    end if;
  end if;
  if v_result.details ? 'stream' and p_expected_order is not null then
    v_result := private.scan_refusal(409, 'scan.wrong_order', format('Wrong code: expected %s, scanned %s.', p_expected_order, v_result.details ->> 'stream_id'),
      jsonb_build_object('expected', p_expected_order, 'actual', v_result.details ->> 'stream_id', 'scanned', p_code));
  elsif v_result.details ? 'stream' then
    v_result.event_id := private.emit(v_result.details ->> 'stream', v_result.details ->> 'stream_id', (v_result.details ->> 'stream') || '.scanned', v_actor,
      jsonb_build_object('status', v_result.details -> 'status'), v_result.details ->> 'store', v_result.details ->> 'site', p_station);
  end if;
  if v_result.action = 'refused' then
    v_result.event_id := private.emit('order', coalesce(v_order.id, left(p_code, 200), ''), 'scan.refused', v_actor,
      v_result.details || jsonb_build_object('reason', v_result.hint), v_order.store, null, p_station);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_result));
  return private.answer_scan(v_result);
end $$;
comment on function public.scan is
$$A code was scanned: #B18617, bannos-18617, bannos-18617-A or 18617. The first scan in a stage starts it, the second completes it.
A second scan within the setting scan.repeat_seconds is the same scan: same answer, changed = false. Several matches: action ask.
The serial of a unit, the code of a production order or of a lot: action unit, production_order or lot, with details {stream, stream_id, target, …}, or
ask with candidates [{sku, lot}]; p_expected_order refuses them.
p_station: a station's code; one with a stage takes only tickets of that stage. p_expected_order: the ticket the screen shows.
Permission: orders.scan in the order's store.
Errors (answered with their HTTP status and remembered as event scan.refused): scan.empty (400), scan.unknown (404), auth.other_store (403),
scan.wrong_order (409), scan.wrong_store (409), scan.wrong_stage (409), order.cancelled (409), order.change_pending (409), stock.components_short (409); raised: request.reused (422).
Idempotency: by p_request_id, and by the double-scan window.
Locks: the order row.$$;

create function private.same_scan(p_order public.orders)
returns jsonb language sql stable set search_path = '' as $$
  select s.answer from private.recent_scans s
   where s.row_id = p_order.row_id and (s.answer -> 'order_row' ->> 'version')::integer = p_order.version   -- nothing happened since
     and s.at > clock_timestamp() - make_interval(secs => (private.setting('scan.repeat_seconds', p_order.store) #>> '{}')::integer)
$$;
comment on function private.same_scan is 'The answer of a scan of the same ticket a moment ago, if nothing happened to the ticket since.';

create function public.get_order_for_scan(p_scan text)
returns public.scan_result language plpgsql security definer stable set search_path = '' as $$
begin
  perform private.authorize('orders.read');
  return private.resolve_scan(p_scan, private.readable_stores('orders.read'));
end $$;
comment on function public.get_order_for_scan is
$$Look a code up without doing anything: action found with the ticket, ask with candidates, unit, production_order, lot, ignored or refused.
Permission: orders.read in the order's store.
Errors: in the answer: scan.empty, scan.unknown, auth.other_store.
Idempotency: a read.
Locks: none.$$;

grant execute on function public.scan, public.get_order_for_scan to authenticated;
