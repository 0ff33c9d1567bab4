select private.allow(p, d, r) from (values
  ('maintenance.read', 'See machines, repairs and maintenance', '{viewer,operator,technician,supervisor,planner,manager,admin,service}'::text[]),
  ('maintenance.report', 'Report a problem of a machine', '{operator,technician,supervisor,planner,manager,admin}'),
  ('maintenance.work', 'Acknowledge, repair and close, take parts for it', '{technician,supervisor,manager,admin}'),
  ('maintenance.verify', 'Say that a repaired machine is right again', '{operator,technician,supervisor,manager,admin}'),
  ('maintenance.manage', 'Change lines, machines and maintenance plans', '{supervisor,planner,manager,admin,service}')
) as t (p, d, r);

insert into public.setting_definitions (key, scope, type, bounds, default_value, title, description, position) values
  ('maintenance.same_failure_hours', 'site', 'integer', '{"min": 0, "max": 720}', '24', 'Same failure',
    'Hours after closing in which a repair that comes back is the same failure.', 90),
  ('maintenance.reports_per_machine', 'site', 'integer', '{"min": 1, "max": 1000}', '12', 'Reports per machine',
    'How many reports without an account a machine takes in an hour.', 91),
  ('maintenance.reports_per_address', 'site', 'integer', '{"min": 1, "max": 1000}', '6', 'Reports per address and machine',
    'How many reports without an account one network address may send of one machine in an hour.', 92),
  ('maintenance.reports_per_site', 'site', 'integer', '{"min": 1, "max": 100000}', '200', 'Reports per site',
    'How many reports without an account all machines of a site take in an hour.', 93);

insert into public.machine_symptoms (code, title, is_down, position) values
  ('does_not_start', 'Does not start', true, 10),
  ('stopped', 'Stopped by itself', true, 20),
  ('damage', 'Something is broken', true, 30),
  ('danger', 'Dangerous', true, 40),
  ('bad_parts', 'Makes bad parts', false, 50),
  ('noise', 'Noise or vibration', false, 60),
  ('leak', 'Leaks', false, 70),
  ('heat', 'Too hot, smells', false, 80),
  ('slow', 'Slower than usual', false, 90),
  ('other', 'Something else', false, 100);

insert into private.scheduled_jobs (name, function_name, every) values
  ('open due maintenance', 'open_due_work_orders', '1 minute'),
  ('forget reports without an account', 'forget_problem_reports', '1 hour');

insert into private.photo_kinds (about, read_permission) values ('repair', 'maintenance.read');

-- Files go up through Storage, each to the one path that an RPC made for it.
insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values ('maintenance', 'maintenance', false, 10485760, '{image/jpeg,image/png,image/webp,image/heic,application/pdf}');
