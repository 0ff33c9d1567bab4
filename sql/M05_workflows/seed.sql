insert into public.stage_transitions (from_stage, to_stage, kind) values
  ('Filling', 'Covering', 'advance'),
  ('Covering', 'Decorating', 'advance'),
  ('Decorating', 'Packing', 'advance'),
  ('Packing', 'Complete', 'advance'),
  ('Packing', 'Decorating', 'return'),
  ('Covering', 'Filling', 'undo'),
  ('Decorating', 'Covering', 'undo'),
  ('Complete', 'Packing', 'undo');

select private.allow(p, d, r) from (values
  ('orders.scan', 'Scan tickets and print barcodes', '{operator,technician,supervisor,planner,manager,admin}'::text[]),
  ('orders.complete_stage', 'Start and complete stages, set storage', '{operator,technician,supervisor,planner,manager,admin}'),
  ('orders.qc_return', 'Send a ticket back to Decorating', '{operator,supervisor,manager,admin}'),
  ('orders.take', 'Take a ticket, or give the own one back', '{operator,technician,supervisor,planner,manager,admin}'),
  ('orders.assign', 'Give tickets to other people', '{supervisor,planner,manager,admin}'),
  ('orders.set_priority', 'Fix priorities by hand', '{supervisor,planner,manager,admin}'),
  ('orders.edit', 'Change what a ticket says', '{supervisor,planner,manager,admin}'),
  ('orders.create', 'Take orders by hand', '{supervisor,planner,manager,admin}'),
  ('orders.cancel', 'Cancel orders', '{supervisor,planner,manager,admin}'),
  ('orders.acknowledge', 'Acknowledge changed orders', '{operator,technician,supervisor,planner,manager,admin}'),
  ('orders.undo_own', 'Take back the own last action', '{operator,technician,supervisor,planner,manager,admin}'),
  ('orders.undo_any', 'Take back older actions and those of others', '{supervisor,manager,admin}'),
  ('stations.manage', 'Add and change stations', '{manager,admin}')
) as t (p, d, r);

insert into private.scheduled_jobs (name, function_name, every) values
  ('priorities of a new plant day', 'refresh_priorities', '1 minute'),
  ('forget old scans', 'purge_scans', '10 minutes');
