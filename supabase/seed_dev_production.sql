-- A furniture workshop beside the bakeries, once: what somebody changed there stays. Seven kinds of work, eleven work centres, three
-- products and a drawer that is made in the house, lots of raw material, and orders in every state: waiting for parts, running, with
-- scrap that is made again, in rework, done.

do $$
begin
  if exists (select from public.process_steps s where s.code = 'OPTIMIZE') then
    return;
  end if;
  perform pg_temp.become('planner');
  perform public.save_process_step(s.code, s.title, s.n * 10, s.kind)
    from (values (1, 'OPTIMIZE', 'Wood Optimizer', 'cut'), (2, 'PRE-CUT', 'Pre-cut', 'cut'), (3, 'CNC', 'CNC', 'machine'),
      (4, 'SAND', 'Sanding/Brushing', 'finish'), (5, 'ASSEMBLE', 'Assembly', 'assemble'), (6, 'PAINT', 'Painting', 'paint'),
      (7, 'PACK', 'Packaging', 'pack')) as s (n, code, title, kind);
  perform public.save_work_centre(w.code, w.title, w.step, w.type, 'main', w.line, w.capacity)
    from (values
      ('opt-1', 'Optimizer', 'OPTIMIZE', 'OPTIMIZER', 'Wood', 1), ('cut-1', 'Panel saw', 'PRE-CUT', 'PRE_CUT', 'Wood', 1),
      ('cnc-1', 'CNC by the window', 'CNC', 'CNC', 'Wood', 2), ('cnc-2', 'CNC by the door', 'CNC', 'CNC', 'Wood', 2),
      ('cal-1', 'Calibrator', 'SAND', 'CALIBRATOR', 'Surface', 1), ('brush-1', 'Brushing machine', 'SAND', 'BRUSH', 'Surface', 1),
      ('asm-1', 'Assembly table 1', 'ASSEMBLE', 'ASSEMBLY', 'Assembly', 6), ('asm-2', 'Assembly table 2', 'ASSEMBLE', 'ASSEMBLY', 'Assembly', 6),
      ('press-1', 'Frame press', 'ASSEMBLE', 'PRESS', 'Assembly', 2), ('paint-1', 'Spray booth', 'PAINT', 'PAINTING', 'Surface', 8),
      ('pack-1', 'Packing table', 'PACK', 'PACKAGING', 'Packing', 4)) as w (code, title, step, type, line, capacity);
  perform public.upsert_item(i.sku, i.title, i.kind, i.uom, p_supplier => i.supplier, p_is_listed => false)
    from (values
      ('OAK-PLANK', 'Oak plank', 'raw_material', 'm', 'Sawmill Brandt'), ('PINE-PLANK', 'Pine plank', 'raw_material', 'm', 'Sawmill Brandt'),
      ('MDF-18', 'MDF panel 18 mm', 'raw_material', 'pcs', 'Panel Trade'), ('LEG-STEEL', 'Steel leg', 'component', 'pcs', 'Metal & Co.'),
      ('HINGE', 'Hinge', 'hardware', 'pcs', 'Fittings Ltd.'), ('SCREW-SET', 'Set of screws', 'hardware', 'pcs', 'Fittings Ltd.'),
      ('VARNISH', 'Varnish, clear', 'consumable', 'l', 'Paint House'), ('PAINT-WHITE', 'Paint, white', 'consumable', 'l', 'Paint House'),
      ('CARTON-L', 'Carton, large', 'packaging', 'pcs', 'Carton & Sons'), ('DRAWER', 'Drawer', 'subassembly', 'pcs', null),
      ('TABLE-OAK', 'Oak table', 'finished_good', 'pcs', null), ('CHAIR-PINE', 'Pine chair', 'finished_good', 'pcs', null),
      ('CABINET', 'Cabinet, white', 'finished_good', 'pcs', null)) as i (sku, title, kind, uom, supplier);
  perform public.save_requirements(b.lines::jsonb, b.sku)
    from (values
      ('DRAWER', '[{"sku": "MDF-18", "quantity": 1}, {"sku": "SCREW-SET", "quantity": 1}]'),
      ('TABLE-OAK', '[{"sku": "OAK-PLANK", "quantity": 6}, {"sku": "LEG-STEEL", "quantity": 4}, {"sku": "SCREW-SET", "quantity": 1},
        {"sku": "VARNISH", "quantity": 0.5}, {"sku": "CARTON-L", "quantity": 1}]'),
      ('CHAIR-PINE', '[{"sku": "PINE-PLANK", "quantity": 3}, {"sku": "SCREW-SET", "quantity": 1}, {"sku": "VARNISH", "quantity": 0.25},
        {"sku": "CARTON-L", "quantity": 0.5}]'),
      ('CABINET', '[{"sku": "MDF-18", "quantity": 4}, {"sku": "HINGE", "quantity": 4}, {"sku": "DRAWER", "quantity": 2}, {"sku": "SCREW-SET", "quantity": 2},
        {"sku": "PAINT-WHITE", "quantity": 0.75}, {"sku": "CARTON-L", "quantity": 2}]')) as b (sku, lines);
  perform public.save_routing(r.sku, r.steps::jsonb, 'First series')
    from (values
      ('DRAWER', '[{"step": "PRE-CUT", "setup_min": 5, "run_min": 1, "materials": ["MDF-18"]}, {"step": "CNC", "setup_min": 10, "run_min": 2},
        {"step": "ASSEMBLE", "run_min": 4, "materials": ["SCREW-SET"]}]'),
      ('TABLE-OAK', '[{"step": "OPTIMIZE", "setup_min": 5, "run_min": 2, "materials": ["OAK-PLANK"]}, {"step": "PRE-CUT", "setup_min": 5, "run_min": 2},
        {"step": "CNC", "setup_min": 15, "run_min": 6}, {"step": "SAND", "work_centre": "cal-1", "setup_min": 5, "run_min": 5},
        {"step": "ASSEMBLE", "setup_min": 5, "run_min": 12, "materials": ["LEG-STEEL", "SCREW-SET"]},
        {"step": "PAINT", "setup_min": 10, "run_min": 8, "materials": ["VARNISH"]}, {"step": "PACK", "run_min": 4, "materials": ["CARTON-L"]}]'),
      ('CHAIR-PINE', '[{"step": "OPTIMIZE", "setup_min": 5, "run_min": 1, "materials": ["PINE-PLANK"]}, {"step": "PRE-CUT", "setup_min": 5, "run_min": 1},
        {"step": "CNC", "setup_min": 15, "run_min": 4}, {"step": "SAND", "work_centre": "brush-1", "setup_min": 5, "run_min": 3},
        {"step": "ASSEMBLE", "work_centre": "press-1", "setup_min": 10, "run_min": 6, "materials": ["SCREW-SET"]},
        {"step": "PAINT", "setup_min": 10, "run_min": 4, "materials": ["VARNISH"]}, {"step": "PACK", "run_min": 2, "materials": ["CARTON-L"]}]'),
      ('CABINET', '[{"step": "OPTIMIZE", "setup_min": 5, "run_min": 2, "materials": ["MDF-18"]}, {"step": "PRE-CUT", "setup_min": 5, "run_min": 3},
        {"step": "CNC", "setup_min": 20, "run_min": 9}, {"step": "SAND", "setup_min": 5, "run_min": 4},
        {"step": "ASSEMBLE", "setup_min": 5, "run_min": 20, "materials": ["HINGE", "DRAWER", "SCREW-SET"]},
        {"step": "PAINT", "setup_min": 10, "run_min": 10, "materials": ["PAINT-WHITE"]}, {"step": "PACK", "run_min": 6, "materials": ["CARTON-L"]}]')) as r (sku, steps);
  perform pg_temp.become('operator');
  perform public.receive_lot(l.sku, l.code, l.quantity, l.supplier, 'main')
    from (values ('OAK-PLANK', 'OAK-2611-1', 400, 'Sawmill Brandt'), ('OAK-PLANK', 'OAK-2611-2', 400, 'Sawmill Brandt'),
      ('PINE-PLANK', 'PINE-2611-1', 500, 'Sawmill Brandt'), ('MDF-18', 'MDF-0815', 300, 'Panel Trade'), ('MDF-18', 'MDF-0816', 300, 'Panel Trade'),
      ('LEG-STEEL', 'LEG-77', 240, 'Metal & Co.'), ('VARNISH', 'VAR-3', 60, 'Paint House'), ('PAINT-WHITE', 'WHT-9', 60, 'Paint House')) as l (sku, code, quantity, supplier);
  perform public.receive_stock(s.sku, s.quantity, 'main')
    from (values ('HINGE', 300), ('SCREW-SET', 500), ('CARTON-L', 300), ('DRAWER', 80)) as s (sku, quantity);
  perform pg_temp.become('planner');
  perform public.save_item_gtin(g.gtin, g.sku)
    from (values ('4006381333931', 'OAK-PLANK'), ('4012345678901', 'LEG-STEEL')) as g (gtin, sku);
end $$;

do $$
declare
  v_quality bigint;
begin
  if coalesce(current_setting('takt.seed_orders', true), '') = 'off' or exists (select from public.production_orders o where o.code = 'FU-1001') then
    return;
  end if;
  perform pg_temp.become('planner');
  perform public.import_production_orders('erp', (
    select jsonb_agg(jsonb_build_object('external_id', 'SO-' || o.n, 'version', 1, 'code', 'FU-' || o.n, 'product_sku', o.sku, 'quantity', o.quantity,
        'due_date', private.plant_day('bannos') + o.due_in, 'priority', o.priority, 'site', 'main'))
      from (values (1001, 'TABLE-OAK', 4, 0, 'rush'), (1002, 'CHAIR-PINE', 12, 1, 'normal'), (1003, 'CABINET', 3, 1, 'normal'), (1004, 'TABLE-OAK', 6, 2, 'normal'),
        (1005, 'CHAIR-PINE', 8, 3, 'normal'), (1006, 'CABINET', 40, 4, 'normal'), (1007, 'TABLE-OAK', 2, -1, 'critical'), (1008, 'CHAIR-PINE', 20, 6, 'normal'))
        as o (n, sku, quantity, due_in, priority)));
  perform public.release_order('FU-' || n) from generate_series(1001, 1007) n;

  perform pg_temp.become('operator');
  perform public.consume_lot(u.lot, u.quantity, u.code, p_sequence => 10)
    from (values ('OAK-2611-1', 12, 'FU-1007'), ('OAK-2611-1', 24, 'FU-1001'), ('PINE-2611-1', 36, 'FU-1002'), ('MDF-0815', 12, 'FU-1003')) as u (lot, quantity, code);
  perform public.report_production(r.code, r.centre, r.good, p_scrap => r.scrap, p_reason => r.reason)   -- step after step
    from (values
      (1, 'FU-1007', 'opt-1', 2, 0, null), (2, 'FU-1007', 'cut-1', 2, 0, null), (3, 'FU-1007', 'cnc-1', 2, 0, null), (4, 'FU-1007', 'cal-1', 2, 0, null),
      (5, 'FU-1007', 'asm-1', 2, 0, null), (6, 'FU-1007', 'paint-1', 2, 0, null), (7, 'FU-1007', 'pack-1', 2, 0, null),
      (8, 'FU-1001', 'opt-1', 4, 0, null), (9, 'FU-1001', 'cut-1', 4, 0, null), (10, 'FU-1001', 'cnc-2', 3, 1, 'TOOL'), (11, 'FU-1001', 'cal-1', 2, 0, null),
      (12, 'FU-1002', 'opt-1', 12, 0, null), (13, 'FU-1002', 'cut-1', 10, 0, null), (14, 'FU-1002', 'cnc-1', 6, 0, null), (15, 'FU-1002', 'brush-1', 4, 0, null),
      (16, 'FU-1003', 'opt-1', 3, 0, null), (17, 'FU-1003', 'cut-1', 3, 0, null)) as r (n, code, centre, good, scrap, reason);
  perform public.record_quality('FU-1002', 'rework', 1, 'SCRATCH', p_sequence => 40, p_work_centre => 'brush-1');
  perform public.request_approval('DISABLE_EQUIPMENT', 'The press loses pressure', 'press-1');
end $$;
