select private.allow(p, d, r) from (values
  ('production.run', 'Scan, start, pause, report and complete steps', '{operator,technician,supervisor,planner,manager,admin,service}'::text[]),
  ('production.count', 'Report counters of machines', '{operator,technician,supervisor,planner,manager,admin,device.equipment,service}'),
  ('production.quality', 'Record rework, scrap, returns and holds', '{operator,technician,supervisor,planner,manager,admin,service}'),
  ('production.concede', 'Accept pieces that are not to specification: repair, use as is', '{supervisor,manager,admin}'),
  ('production.late_material', 'Book material into an order that is closed', '{supervisor,manager,admin}'),
  ('production.undo_any', 'Take back older reports and those of others', '{supervisor,manager,admin}'),
  ('production.setup', 'Change process steps, work centres, routings and reasons', '{planner,manager,admin,service}'),
  ('production.request', 'Ask for approvals', '{operator,technician,supervisor,planner,manager,admin}'),
  ('production.approve', 'Decide about approvals of others', '{planner,manager,admin}'),
  ('production.import', 'Import production orders', '{planner,manager,admin,service}'),
  ('production.lots', 'Split, merge and use lots', '{operator,technician,supervisor,planner,manager,admin,service}')
) as t (p, d, r);

insert into private.photo_kinds (about, read_permission) values ('production_order', 'production.read');
