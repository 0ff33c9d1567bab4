-- GS1 codes: read where the scanner's text arrives (services/api/gs1.py), understood here.

create function private.gtin14(p_gtin text)
returns text language plpgsql immutable set search_path = '' as $$
declare
  v_gtin text := lpad(trim(p_gtin), 14, '0');
begin
  if trim(p_gtin) !~ '^(\d{8}|\d{12,14})$' or (
    select sum(substr(v_gtin, n, 1)::integer * case when n % 2 = 1 then 3 else 1 end) % 10 from generate_series(1, 14) n) <> 0 then
    return null;
  end if;
  return v_gtin;
end $$;
comment on function private.gtin14 is 'A GTIN of 8, 12, 13 or 14 digits as 14; null when it is none or its check digit is wrong.';

create type private.gs1_reading as (ais jsonb, sku text, lot public.lots, unit public.units, box public.boxes, is_alternative boolean);

create function private.gs1_readings(p_gs1 jsonb)
returns setof private.gs1_reading language plpgsql stable set search_path = '' as $$
begin
  if jsonb_typeof(p_gs1) is distinct from 'object' or jsonb_typeof(p_gs1 -> 'ais') is distinct from 'object' or length(p_gs1::text) > 10000
     or jsonb_typeof(coalesce(p_gs1 -> 'alternatives', '[]')) <> 'array'
     or exists (select from jsonb_path_query(p_gs1, '$.alternatives[*]') a where jsonb_typeof(a) <> 'object') then
    perform private.fail(422, 'gs1.unreadable', 'That code cannot be read. Scan it again.', jsonb_build_object('field', 'p_gs1', 'expected',
      'an object with raw, symbology, ais and alternatives'));
  end if;
  return query
    select r.ais, i.sku, l, u, b, r.n > 0
      from (select p_gs1 -> 'ais' as ais, 0::bigint as n union all
            select a.item, a.n from jsonb_array_elements(coalesce(p_gs1 -> 'alternatives', '[]')) with ordinality as a (item, n)) r
      left join public.item_gtins g on g.gtin = private.gtin14(r.ais ->> '01')
      left join public.inventory_items i on i.sku = coalesce(g.sku, (select x.sku from public.inventory_items x where lower(x.sku) = lower(r.ais ->> '240')))
      left join public.lots l on lower(l.code) = lower(r.ais ->> '10') and l.sku = i.sku and private.lot_is_here(l)
      left join public.units u on u.sn = private.serial_of(r.ais ->> '21') and private.may('units.read') and private.works_at(private.identify(), u.site)
      left join public.boxes b on b.code = r.ais ->> '00' and private.may('units.read') and private.works_at(private.identify(), b.site)
     order by r.n;
end $$;
comment on function private.gs1_readings is
$$What a GS1 code can mean: p_gs1 {raw, symbology, ais: {AI: value}, alternatives: [{AI: value}]}; alternatives are other ways to read a code whose separators
the scanner dropped. Item by GTIN (01) or by our SKU (240), lot by batch (10) of that item, unit by serial (21), box by SSCC (00). Errors: gs1.unreadable (422).$$;

create function private.gs1_lot(p_gs1 jsonb)
returns public.lots language plpgsql stable set search_path = '' as $$
declare
  v_all private.gs1_reading[] := array(select r from private.gs1_readings(p_gs1) r);
  v_lots public.lots[] := array(select r.lot from unnest(v_all) r where (r.lot).id is not null);
  v_ais jsonb := v_all[1].ais;
begin
  if not v_ais ? '10' then
    perform private.fail(422, 'gs1.no_lot', 'That code names no lot (batch). Scan the one that does.', jsonb_build_object('ais', v_ais));
  elsif v_all[1].sku is null then
    perform private.fail(404, 'gs1.unknown_item', format('No item has the GTIN %s.', coalesce(v_ais ->> '01', v_ais ->> '240', 'that is missing here')),
      jsonb_build_object('gtin', v_ais ->> '01', 'ais', v_ais));
  elsif cardinality(v_lots) = 0 then
    perform private.fail(404, 'lot.unknown', format('There is no lot %s of %s.', v_ais ->> '10', v_all[1].sku),
      jsonb_build_object('code', v_ais ->> '10', 'sku', v_all[1].sku));
  elsif cardinality(v_lots) > 1 or v_all[1].lot is distinct from v_lots[1] then
    perform private.fail(409, 'gs1.ambiguous', 'The scanner dropped a separator, and the code can be read in several ways. Choose the lot.',
      jsonb_build_object('candidates', array(select distinct l.code from unnest(v_lots) l order by 1), 'sku', v_all[1].sku));
  end if;
  return v_lots[1];
end $$;
comment on function private.gs1_lot is
'The one lot that a GS1 code names. Errors: gs1.unreadable, gs1.no_lot (422), gs1.unknown_item, lot.unknown (404), gs1.ambiguous (409): asks, never guesses.';

create function private.gs1_material(p_gs1 jsonb, out sku text, out lot text)
returns record language plpgsql stable set search_path = '' as $$
declare
  v_first private.gs1_reading;
  v_lot public.lots;
begin
  if p_gs1 is null or not p_gs1 ? 'ais' then
    sku := p_gs1 ->> 'sku';
    lot := p_gs1 ->> 'lot';
    return;
  end if;
  select r.* into v_first from private.gs1_readings(p_gs1) r limit 1;
  if v_first.ais ? '10' then
    v_lot := private.gs1_lot(p_gs1);
    sku := v_lot.sku;
    lot := v_lot.code;
  elsif v_first.sku is null then
    perform private.fail(404, 'gs1.unknown_item', format('No item has the GTIN %s.', coalesce(v_first.ais ->> '01', v_first.ais ->> '240', 'that is missing here')),
      jsonb_build_object('gtin', v_first.ais ->> '01', 'ais', v_first.ais));
  else
    sku := v_first.sku;
  end if;
end $$;
comment on function private.gs1_material is
$$The item, and the lot if it names one, of a GS1 code; of {sku, lot} what they say; of null nothing. Errors: gs1.unreadable (422), gs1.unknown_item (404),
lot.unknown (404), gs1.ambiguous (409).$$;

create function private.scanned_lot(p_lot public.lots, p_facts jsonb)
returns public.scan_result language plpgsql stable set search_path = '' as $$
begin
  return row(true, false, 'lot', format('Lot %s of %s: %s.', p_lot.code, p_lot.sku, case when p_lot.held_at is null then 'free'
      else 'on hold: ' || p_lot.hold_reason end), 200, null, null, p_facts || jsonb_build_object('stream', 'lot', 'stream_id',
      p_lot.sku || ' ' || p_lot.code, 'site', p_lot.site, 'sku', p_lot.sku, 'lot', p_lot.code, 'target', jsonb_build_object('page', 'lot', 'sku', p_lot.sku, 'lot', p_lot.code)),
    null, null, null, null)::public.scan_result;
end $$;

create function private.resolve_gs1(p_gs1 jsonb)
returns public.scan_result language plpgsql stable set search_path = '' as $$
declare
  v_all private.gs1_reading[] := array(select r from private.gs1_readings(p_gs1) r);
  v_first private.gs1_reading := v_all[1];
  v_lots public.lots[] := array(select r.lot from unnest(v_all) r where (r.lot).id is not null order by (r.lot).id);
  v_facts jsonb := jsonb_strip_nulls(jsonb_build_object('scanned', p_gs1 ->> 'raw', 'symbology', p_gs1 ->> 'symbology', 'ais', v_first.ais));
begin
  if cardinality(v_lots) > 1 or cardinality(v_lots) = 1 and (v_first.lot).id is null then
    return row(true, false, 'ask', 'The scanner dropped a separator. Which lot is it?', 200, null, 'gs1.ambiguous', v_facts, null, null, (
      select jsonb_agg(distinct jsonb_build_object('sku', l.sku, 'lot', l.code)) from unnest(v_lots) l), null)::public.scan_result;
  elsif (v_first.unit).sn is not null then
    return row(true, false, 'unit', format('%s: %s.', (v_first.unit).sn, (v_first.unit).status), 200, null, null, v_facts || jsonb_build_object('stream', 'unit',
      'stream_id', (v_first.unit).sn, 'sn', (v_first.unit).sn, 'site', (v_first.unit).site, 'target', jsonb_build_object('page', 'unit', 'sn', (v_first.unit).sn)),
      null, null, null, null)::public.scan_result;
  elsif (v_first.lot).id is not null then
    return private.scanned_lot(v_first.lot, v_facts || jsonb_build_object('quantity', v_first.ais -> '37'));
  elsif (v_first.box).code is not null then
    return row(true, false, 'box', 'Box ' || (v_first.box).code || '.', 200, null, null, v_facts || jsonb_build_object('stream', 'box', 'stream_id',
      (v_first.box).code, 'site', (v_first.box).site, 'target', jsonb_build_object('page', 'box', 'code', (v_first.box).code)), null, null, null, null)::public.scan_result;
  elsif v_first.sku is not null and not v_first.ais ? '10' then
    return row(true, false, 'item', v_first.sku || '.', 200, null, null, v_facts || jsonb_build_object('stream', 'item', 'stream_id', v_first.sku,
      'sku', v_first.sku, 'target', jsonb_build_object('page', 'item', 'sku', v_first.sku)), null, null, null, null)::public.scan_result;
  end if;
  if v_first.sku is null then
    return private.scan_refusal(404, 'gs1.unknown_item', 'Nothing here has this code. If it is ours, save its GTIN with the item.', v_facts);
  end if;
  return private.scan_refusal(404, 'lot.unknown', format('There is no lot %s of %s.', v_first.ais ->> '10', v_first.sku), v_facts);
end $$;
comment on function private.resolve_gs1 is 'What a GS1 code means: action unit, lot, box, item, ask (several readings fit) or refused. Changes nothing.';

create function public.scan_gs1(p_gs1 jsonb, p_station text default null, p_request_id uuid default null)
returns public.scan_result language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('orders.scan');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'scan_gs1', jsonb_build_array(p_gs1, p_station));
  v_result public.scan_result;
begin
  if v_answer is not null then
    return private.answer_scan(jsonb_populate_record(null::public.scan_result, v_answer));
  end if;
  v_result := private.resolve_gs1(p_gs1);
  v_result.event_id := private.emit(coalesce(v_result.details ->> 'stream', 'item'), coalesce(v_result.details ->> 'stream_id', left(p_gs1 ->> 'raw', 200), '-'),
    case when v_result.details ? 'stream' then (v_result.details ->> 'stream') || '.scanned' when v_result.action = 'ask' then 'scan.asked' else 'scan.refused' end,
    v_actor, (v_result.details - 'target') || jsonb_build_object('action', v_result.action), null, v_result.details ->> 'site', p_station);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_result));
  return private.answer_scan(v_result);
end $$;
comment on function public.scan_gs1 is
$$A GS1-128, DataMatrix or QR code with application identifiers was scanned, and read by the service edge: p_gs1 {raw, symbology, ais: {"01": GTIN, "10": lot,
"21": serial, …}, alternatives}. Means a unit, a lot, a box or an item; action ask, with candidates, when a scanner dropped the separators and several
lots fit. The code and what it meant are remembered.
Permission: orders.scan.
Errors: gs1.unreadable (422), request.reused (422); answered with their HTTP status: gs1.unknown_item (404), lot.unknown (404).
Idempotency: by p_request_id; without it each scan is remembered.
Locks: none.$$;

create function public.save_item_gtin(p_gtin text, p_sku text default null, p_request_id uuid default null)
returns public.item_gtins language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('inventory.manage');
  v_answer jsonb := private.replay(v_actor, p_request_id, 'save_item_gtin', jsonb_build_array(p_gtin, p_sku));
  v_before public.item_gtins;
  v_after public.item_gtins;
begin
  if v_answer is not null then
    return jsonb_populate_record(null::public.item_gtins, v_answer);
  elsif private.gtin14(p_gtin) is null then
    perform private.fail(422, 'item.gtin', 'A GTIN has 8, 12, 13 or 14 digits, the last one a check digit.', jsonb_build_object('field', 'p_gtin', 'actual', p_gtin));
  end if;
  v_after.gtin := private.gtin14(p_gtin);
  select g.* into v_before from public.item_gtins g where g.gtin = v_after.gtin for update;
  if p_sku is null then
    delete from public.item_gtins g where g.gtin = v_after.gtin;
  else
    v_after.sku := (private.find_item(p_sku)).sku;
    insert into public.item_gtins (gtin, sku) values (v_after.gtin, v_after.sku) on conflict on constraint item_gtins_pkey do update set sku = excluded.sku;
  end if;
  if v_before.sku is distinct from v_after.sku then
    perform private.emit('item', coalesce(v_after.sku, v_before.sku), 'item.gtin_saved', v_actor,
      jsonb_build_object('gtin', v_after.gtin, 'before', v_before.sku, 'after', v_after.sku));
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_after));
  return v_after;
end $$;
comment on function public.save_item_gtin is
$$The GTIN (8, 12, 13 or 14 digits) means this item; without p_sku it means none any more. An item may have several.
Permission: inventory.manage.
Errors: item.gtin (422), item.unknown (404), request.reused (422).
Idempotency: by p_request_id; a repeat changes nothing.
Locks: the GTIN.$$;
grant execute on function public.scan_gs1, public.save_item_gtin to authenticated, service_role;
