select private.allow(p, d, r) from (values
  ('kpi.read', 'See what machines do, stops, figures and shifts', '{viewer,operator,technician,supervisor,planner,manager,admin,service}'::text[]),
  ('machines.report', 'Report states and counts of machines', '{operator,technician,supervisor,planner,manager,admin,device.equipment,device.fixture,service}'),
  ('stops.report', 'Begin, end, split and classify stops', '{operator,technician,supervisor,planner,manager,admin,service}'),
  ('shifts.handover', 'Hand a shift over and take it', '{operator,technician,supervisor,planner,manager,admin}'),
  ('kpi.plan', 'Change shifts, planned stops, reasons, ideal cycles and policies', '{supervisor,planner,manager,admin,service}')
) as t (p, d, r);

insert into public.time_classes (code, title, is_planned, policy, big_loss, iso_element, position) values
  ('break', 'Break', true, 'excluded', 'none', 'planned', 10),
  ('meeting', 'Meeting', true, 'excluded', 'none', 'planned', 11),
  ('planned_maintenance', 'Planned maintenance', true, 'excluded', 'none', 'planned', 12),
  ('no_order', 'No order', true, 'excluded', 'none', 'ADOT', 13),
  ('changeover', 'Changeover', false, 'loss_availability', 'setup', 'AUST', 20),
  ('breakdown', 'Breakdown', false, 'loss_availability', 'breakdown', 'ADET', 21),
  ('material', 'Material', false, 'loss_availability', 'breakdown', 'ADET', 22),
  ('operator', 'Nobody there', false, 'loss_availability', 'breakdown', 'ADET', 23),
  ('quality', 'Quality', false, 'loss_availability', 'breakdown', 'ADET', 24),
  ('upstream', 'Starved', false, 'loss_availability', 'minor_stop', 'ADET', 25),
  ('downstream', 'Blocked', false, 'loss_availability', 'minor_stop', 'ADET', 26),
  ('utilities', 'Power, air, water', false, 'loss_availability', 'breakdown', 'ADET', 27),
  ('minor_stop', 'Micro-stops', false, 'loss_performance', 'minor_stop', 'ADET', 30),
  ('unclassified', 'Not classified', false, 'loss_availability', 'unclassified', 'ADET', 40),
  ('no_data', 'No data', false, 'loss_availability', 'unclassified', 'ADET', 41);

insert into public.stop_reasons (code, parent, title, time_class, is_failure, needs_repair, e10_state, position) values
  ('planned', null, 'Planned', 'meeting', false, false, 'SDT', 10),
  ('unplanned', null, 'Unplanned', 'unclassified', false, false, 'UDT', 20);
insert into public.stop_reasons (code, parent, title, time_class, is_failure, needs_repair, e10_state, position) values
  ('meeting', 'planned', 'Meeting', 'meeting', false, false, 'SDT', 11),
  ('planned-maintenance', 'planned', 'Planned maintenance', 'planned_maintenance', false, false, 'SDT', 12),
  ('no-order', 'planned', 'No order', 'no_order', false, false, 'SBY', 13),
  ('breakdown', 'unplanned', 'Breakdown', 'breakdown', true, true, 'UDT', 21),
  ('jam', 'unplanned', 'Jam', 'breakdown', false, false, 'UDT', 22),
  ('changeover', 'unplanned', 'Changeover', 'changeover', false, false, 'SDT', 23),
  ('tool', 'unplanned', 'Tool change', 'changeover', false, false, 'SDT', 24),
  ('material', 'unplanned', 'No material', 'material', false, false, 'SBY', 25),
  ('operator', 'unplanned', 'Nobody there', 'operator', false, false, 'SBY', 26),
  ('quality', 'unplanned', 'Quality problem', 'quality', false, false, 'UDT', 27),
  ('starved', 'unplanned', 'Waits for the machine before it', 'upstream', false, false, 'SBY', 28),
  ('blocked', 'unplanned', 'Waits for the machine after it', 'downstream', false, false, 'SBY', 29),
  ('utilities', 'unplanned', 'Power, air, water', 'utilities', false, false, 'UDT', 30),
  ('other', 'unplanned', 'Something else', 'unclassified', false, false, 'UDT', 31);

insert into public.setting_definitions (key, scope, type, bounds, default_value, title, description, position) values
  ('kpi.late_days', 'site', 'integer', '{"min": 1, "max": 400}', '400', 'Late facts of machines',
    'So many days late a state or a count may come, as from the buffer of a gateway. What is older is set aside: its clock is wrong.', 101),
  ('kpi.target_percent', 'site', 'integer', '{"min": 1, "max": 100}', '85', 'Target of a shift', 'Of what the ideal cycle allows in planned time, in percent.', 100);

insert into private.scheduled_jobs (name, function_name, every) values
  ('shifts of the next two weeks', 'extend_shifts', '1 hour'),
  ('figures of shifts that are over', 'snapshot_shifts', '1 minute'),
  ('call somebody to machines that stand', 'raise_andon_calls', '1 minute');
