-- The machines of the demo plant, once: what somebody changed there stays. Two lines, eight machines, preventive plans by calendar and by
-- counter with checklists, a spare part, and repairs: closed, waiting for a part, and just reported.

do $$
declare
  v_repair bigint;
begin
  if exists (select 1 from public.machines m where m.code = 'cnc-1') then
    return;
  end if;
  perform pg_temp.become('supervisor');
  perform public.save_line(l.code, l.title, l.description, 'main')
    from (values ('panels', 'Panels', 'Cuts, drills and edges panels'), ('finish', 'Finishing', 'Sands, paints and packs')) as l (code, title, description);
  perform public.save_machine(m.code, m.name, 'main', m.line, null, m.asset, m.serial, m.maker, m.model, m.type, m.micro_stop_s)
    from (values
      ('optimizer-1', 'Panel optimizer', 'panels', 'A-1001', 'OP-77120', 'Biesse', 'Selco WN6', 'optimizer', 120),
      ('precut-1', 'Pre-cut saw', 'panels', 'A-1002', 'PS-40018', 'Altendorf', 'F45', 'saw', 120),
      ('cnc-1', 'CNC router 1', 'panels', 'A-1003', 'N-90031', 'Homag', 'Centateq N-210', 'cnc', 90),
      ('cnc-2', 'CNC router 2', 'panels', 'A-1004', 'N-90032', 'Homag', 'Centateq N-210', 'cnc', 90),
      ('sander-1', 'Wide belt sander', 'finish', 'A-2001', 'SW-2214', 'Costa', 'S2 CCT', 'sander', 120),
      ('brush-1', 'Brushing machine', 'finish', 'A-2002', 'BR-118', 'Costa', 'B3', 'brush', 120),
      ('booth-1', 'Spray booth', 'finish', 'A-2003', 'SB-77', 'Cefla', 'iGiotto', 'booth', 180),
      ('packer-1', 'Packing line', 'finish', 'A-2004', 'PK-560', 'Panotec', 'Evo', 'packer', 60)
    ) as m (code, name, line, asset, serial, maker, model, type, micro_stop_s);
  perform public.save_maintenance_plan('cnc-1', 'Grease the guides', 'calendar', 30,
    '[{"title": "Guides clean?"}, {"title": "Grease pressure", "unit": "bar", "lower": 20, "upper": 40}, {"title": "Covers back on?"}]',
    p_lead => 3, p_done_at => now() - interval '29 days');
  perform public.save_maintenance_plan('cnc-2', 'Grease the guides', 'calendar', 30,
    '[{"title": "Guides clean?"}, {"title": "Grease pressure", "unit": "bar", "lower": 20, "upper": 40}, {"title": "Covers back on?"}]',
    p_lead => 3, p_done_at => now() - interval '8 days');
  perform public.save_maintenance_plan('sander-1', 'New sanding belt', 'run_hours', 80, '[{"title": "Belt tight?"}]', p_lead => 8);
  perform public.save_maintenance_plan('packer-1', 'Change the blades', 'cycles', 20000, p_is_down => false);

  perform pg_temp.become('planner');
  perform public.upsert_item('SPARE-BELT', 'Drive belt 1200 mm', 'consumable', p_unit_cost => 18.5, p_is_listed => false);
  perform public.receive_stock('SPARE-BELT', 4, 'main');

  perform pg_temp.become('operator');
  perform public.record_machine_reading('sander-1', p_run_hours => 76);
  v_repair := ((public.report_repair('precut-1', 'noise', 'Screeches when it brakes')).repair).id;
  perform pg_temp.become('technician');
  perform public.start_repair(v_repair);
  perform public.use_repair_part(v_repair, 'SPARE-BELT', 1, 'main');
  perform public.complete_repair(v_repair, 'New drive belt, brake adjusted', 'Worn belt', p_cost => 45);
  perform public.verify_repair(v_repair, true);
  perform public.close_repair(v_repair);

  perform pg_temp.become('operator');
  v_repair := ((public.report_repair('brush-1', 'damage', 'A bristle roller has come off')).repair).id;
  perform pg_temp.become('technician');
  perform public.acknowledge_repair(v_repair);
  perform public.start_repair(v_repair);
  perform public.wait_repair(v_repair, 'parts', 'Roller ordered');

  perform pg_temp.become('operator');
  perform public.report_repair('booth-1', 'heat', 'Smells of hot dust at the filter');
end $$;
