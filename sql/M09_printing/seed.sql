select private.allow(p, d, r) from (values
  ('printing.read', 'See printers, labels and print jobs', '{viewer,operator,technician,supervisor,planner,manager,admin,device.print_agent,service}'::text[]),
  ('printing.request', 'Print labels, say which roll is loaded', '{operator,technician,supervisor,planner,manager,admin,service}'),
  ('printing.resolve', 'Say whether a label came out', '{operator,technician,supervisor,planner,manager,admin}'),
  ('printing.reprint', 'Print a label once more', '{operator,technician,supervisor,planner,manager,admin}'),
  ('printing.supervise', 'Hold and cancel any label, stop printers, reprint without limit', '{supervisor,planner,manager,admin,service}'),
  ('printing.manage', 'Add and change printers and routes', '{planner,manager,admin,service}'),
  ('printing.work', 'Print as a print agent', '{device.print_agent}'),
  ('labels.manage', 'Design and activate label templates', '{planner,manager,admin,service}')
) as t (p, d, r);

insert into public.setting_definitions (key, scope, type, bounds, default_value, title, description, position) values
  ('printing.expire_minutes', 'site', 'integer', '{"min": 1, "max": 10080}', '480', 'Old labels', 'A label that nobody printed within so many minutes is not printed any more.', 16),
  ('printing.reprint_limit', 'site', 'integer', '{"min": 0, "max": 100}', '2', 'Reprints', 'So many reprints of one label are free; more need a supervisor.', 17),
  ('printing.claim_seconds', 'site', 'integer', '{"min": 1, "max": 600}', '30', 'Agent may be silent', 'Seconds without a word of its agent after which a label is taken from it.', 92),
  ('printing.send_seconds', 'site', 'integer', '{"min": 1, "max": 120}', '20', 'Time to begin', 'Seconds that an agent has to send the first byte after it was allowed to.', 93),
  ('printing.settle_seconds', 'site', 'integer', '{"min": 0, "max": 120}', '5', 'Counter at rest', 'Seconds after which a label counter that has not moved is believed.', 94);

insert into private.scheduled_jobs (name, function_name, every) values
  ('settle and move print jobs', 'sweep_prints', '5 seconds');
