select private.allow(p, d, r) from (values
  ('units.read', 'See units, tests, kits and the pack gate', '{viewer,operator,technician,supervisor,planner,manager,admin,device.fixture,service}'::text[]),
  ('units.create', 'Create units with new serials', '{operator,technician,supervisor,planner,manager,admin,service}'),
  ('units.assign', 'Say which variant a unit becomes', '{operator,technician,supervisor,planner,manager,admin,service}'),
  ('units.flash', 'Record flashed firmware', '{operator,technician,supervisor,manager,admin,device.fixture,service}'),
  ('units.assemble', 'Record assembly, install and remove parts', '{operator,technician,supervisor,manager,admin,service}'),
  ('units.test', 'Record test results', '{operator,technician,supervisor,manager,admin,device.fixture}'),
  ('units.pack', 'Pack units, move them to stock, fill and ship boxes', '{operator,technician,supervisor,manager,admin,service}'),
  ('units.unpack', 'Unpack units, open sealed boxes', '{supervisor,manager,admin}'),
  ('units.rework', 'Send units to rework', '{operator,technician,supervisor,manager,admin,service}'),
  ('units.scrap', 'Scrap units', '{technician,supervisor,manager,admin,service}'),
  ('units.hold', 'Hold units and lots, and release them', '{technician,supervisor,planner,manager,admin,service}'),
  ('units.plan', 'Change variants, rules and packaging kits', '{planner,manager,admin,service}'),
  ('units.recall', 'Trace, hold and export everything affected', '{supervisor,planner,manager,admin,service}')
) as t (p, d, r);

insert into public.setting_definitions (key, scope, type, bounds, default_value, title, description, position) values
  ('units.product_code', 'site', 'text', '{"max_length": 8}', '"GN"', 'Product code', 'Of new units, where none is given: 2 to 8 capital letters and digits.', 80),
  ('units.serial_digits', 'site', 'integer', '{"min": 3, "max": 9}', '5', 'Serial digits', 'How wide the running number of a serial is, at least.', 81);

insert into private.scheduled_jobs (name, function_name, every) values ('forget recall exports', 'purge_recall_exports', '1 hour');
