-- The units of the demo plant, once: what somebody changed there stays. Two kinds of coolroom sensor with their rules, kits, lots
-- of parts (one on hold) and thirty units, from just made to in stock, with tests that passed and tests that failed.

do $$
declare
  v_sns text[];
  v_sn text;
  v_variant text;
  v_kit text;
  v_rules constant jsonb := '{"allowed_hw_revs": ["B", "C"], "firmware": {"range": ">=1.4.0 <2", "require_build_hash": true},
    "manual": {"min_insert_versions": {"manual": "3.1"}}, "required_tests": [{"test": "final", "limits": {
      "vbat": {"min": 3.5, "max": 4.2, "unit": "V"}, "offset": {"min": -0.5, "max": 0.5, "unit": "K"}, "sleep": {"max": 25, "unit": "uA"}}}],
    "required_components": [{"sku": "SENSE-PCB", "quantity": 1}, {"sku": "CELL-18650", "quantity": 2}, {"sku": "SENSE-CASE", "quantity": 1}]}';
begin
  if exists (select 1 from public.product_variants v where v.code = 'SENSE-EU') then
    return;
  end if;
  perform pg_temp.become('planner');
  perform public.upsert_item(i.sku, i.title, i.kind, p_is_listed => false)
    from (values ('SENSE-PCB', 'Sensor board', 'subassembly'), ('CELL-18650', 'Cell 18650', 'raw_material'), ('SENSE-CASE', 'Sensor case', 'raw_material'),
      ('SENSE-EU', 'Coolroom sensor, EU', 'finished_good'), ('SENSE-AU', 'Coolroom sensor, AU', 'finished_good')) as i (sku, title, kind);
  perform public.upsert_lot(l.sku, l.code, 'RAW', l.supplier)
    from (values ('CELL-18650', 'L-2611-07', 'Cells & Co.'), ('CELL-18650', 'L-2611-08', 'Cells & Co.'), ('CELL-18650', 'L-2610-31', 'Cells & Co.'),
      ('SENSE-CASE', 'M-118', 'Mould Works')) as l (sku, code, supplier);
  perform public.upsert_variant(v.code, v.title, 'SNS', v.code, v.languages)
    from (values ('SENSE-EU', 'Coolroom sensor, EU', 'NL-EN'), ('SENSE-AU', 'Coolroom sensor, AU', 'EN')) as v (code, title, languages);
  foreach v_variant in array array['SENSE-EU', 'SENSE-AU'] loop
    perform public.save_variant_rules(v_variant, v_rules, 'First series');
    perform public.activate_variant_rules(v_variant, 1);
  end loop;
  perform public.save_variant_rules('SENSE-EU', v_rules || '{"firmware": {"range": ">=1.5.0 <2", "require_build_hash": true}}', 'Firmware 1.5 for all');
  perform public.register_kits((
    select jsonb_agg(jsonb_build_object('kit_id', format('KIT-%s-%s', k.code, lpad(n::text, 3, '0')), 'language_set', k.languages,
        'variants', jsonb_build_array('SENSE-' || k.code), 'insert_versions', jsonb_build_object('manual', case when n = 20 then '2.9' else '3.1' end)))
      from generate_series(1, 20) n cross join (values ('EU', 'NL-EN'), ('AU', 'EN')) as k (code, languages)));
  perform public.set_kit_active('KIT-EU-019', false);

  perform pg_temp.become('operator');
  v_sns := (public.create_generic_units(30, p_site => 'main')).sns;
  for i in 1..24 loop   -- 25 to 30 are new
    v_sn := v_sns[i];
    v_variant := case when i % 3 = 0 then 'SENSE-AU' else 'SENSE-EU' end;
    if i <> 20 then
      perform public.assign_unit_variant(v_sn, v_variant);
    end if;
    perform public.record_flash(v_sn, true, case when i = 17 then '1.3.9' else '1.4.' || i % 4 end, 'a41f' || lpad(i::text, 4, '0'), case when i = 18 then 'A' else 'B' end);
    continue when i > 22;
    perform public.record_test_result(v_sn, 'PASS', jsonb_build_object('vbat', case when i in (5, 16) then 3.31 else 3.7 + (i * 37 % 23) / 60.0 end,
      'offset', (i * 29 % 17 - 8) / 20.0, 'sleep', 12 + i * 31 % 11));
    continue when i in (16, 21, 22);   -- failed; not assembled yet
    if i = 5 then
      perform public.send_to_rework(v_sn, 'Weak solder joint at the battery clip');
      perform public.record_test_result(v_sn, 'PASS', '{"vbat": 3.92, "offset": 0.05, "sleep": 17}');
    end if;
    perform public.install_component(v_sn, 'SENSE-PCB', null, 'PCB-' || lpad((7000 + i)::text, 6, '0'));
    perform public.install_component(v_sn, null, case when i <= 8 then 'L-2611-07' when i = 15 then 'L-2610-31' else 'L-2611-08' end, null, 2);
    if i <> 19 then
      perform public.install_component(v_sn, null, 'M-118');
    end if;
    perform public.record_assembly(v_sn);
    if i <= 12 then
      v_kit := format('KIT-%s-%s', right(v_variant, 2), lpad(i::text, 3, '0'));
      perform public.scan_pack_kit(v_sn, v_kit);
      perform public.finalize_pack(v_sn);
      if i <= 9 then
        perform public.move_unit_to_stock(v_sn);
      end if;
    end if;
  end loop;
  perform public.send_to_rework(v_sns[22], 'Case does not close');
  perform public.create_box('box', 'SENSE-BOX-1', 'main');
  perform public.put_in_box('SENSE-BOX-1', s) from unnest(v_sns[1:4]) s;

  perform pg_temp.become('supervisor');
  perform public.hold_unit(v_sns[14], 'The display flickers: waits for engineering');
  perform public.hold_lot('L-2610-31', 'Supplier reports a bad batch');
  perform public.scrap_unit(v_sns[24], 'Dropped');
end $$;
