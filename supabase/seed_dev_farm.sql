-- The print farm of the demo plant, once: what somebody changed there stays. The printers are the simulator's
-- (services/simulator/bambu): their serials, and the files that they print again and again.

do $$
begin
  if exists (select 1 from public.print_machines m where m.serial like 'SIM%') then
    return;
  end if;
  perform pg_temp.become('planner');
  perform public.upsert_print_machine(m.code, m.name, 'bambu', m.serial, 'main', m.model, p_needs_plate_clear => m.is_cleared_by_hand)
    from (values ('sim-a1m', 'A1 mini by the window', 'SIMA1M000000001', 'A1 mini', false), ('sim-p1s', 'P1S on the left', 'SIMP1S000000002', 'P1S', false),
      ('sim-x1c', 'X1C on the right', 'SIMX1C000000003', 'X1C', true)) as m (code, name, serial, model, is_cleared_by_hand);
  perform public.upsert_part(p.sku, p.title, 1.5, p.grams, p.per_print, p.color, p.material)
    from (values ('KIOSK-BRACKET', 'Kiosk bracket', 184, 12, 'Black', 'PETG'), ('KIOSK-PANEL', 'Kiosk panel', 212, 4, 'White', 'PLA'),
      ('PLANTER-FOOT', 'Planter foot', 96, 8, 'Terracotta', 'PLA')) as p (sku, title, grams, per_print, color, material);
  perform public.upsert_item(p.sku, p.title, 'finished_good', p_is_listed => false)
    from (values ('KIOSK-STAND', 'Kiosk stand'), ('PLANTER', 'Planter')) as p (sku, title);
  perform public.upsert_item(p.sku, p_is_listed => false) from unnest(array['KIOSK-BRACKET', 'KIOSK-PANEL', 'PLANTER-FOOT']) as p (sku);
  perform public.save_requirements('[{"sku": "KIOSK-BRACKET", "quantity": 3}, {"sku": "KIOSK-PANEL", "quantity": 1}]', 'KIOSK-STAND');
  perform public.save_requirements('[{"sku": "PLANTER-FOOT", "quantity": 4}]', 'PLANTER');
  perform public.map_gcode('kiosk_plates', '[{"sku": "KIOSK-BRACKET", "quantity": 12}]', 7);
  perform public.map_gcode('kiosk_plates', '[{"sku": "KIOSK-PANEL", "quantity": 4}]', 6);
  perform public.map_gcode('planter_feet', '[{"sku": "PLANTER-FOOT", "quantity": 8}]', 1);
  perform public.create_production_order(o.product, o.quantity, null, o.priority, private.plant_day('bannos') + o.due_in, 'DEMO-' || o.n, 'main')
    from (values (1, 'KIOSK-STAND', 2, 'normal', 3), (2, 'PLANTER', 1, 'rush', 1), (3, 'KIOSK-STAND', 1, 'critical', 0), (4, 'PLANTER', 2, 'normal', 4),
      (5, 'KIOSK-STAND', 3, 'normal', 6), (6, 'KIOSK-STAND', 1, 'rush', 2)) as o (n, product, quantity, priority, due_in);
end $$;
