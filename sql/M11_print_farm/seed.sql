select private.allow(p, d, r) from (values
  ('farm.read', 'See printers, prints and the print schedule', '{viewer,operator,technician,supervisor,planner,manager,admin,service}'::text[]),
  ('farm.report', 'Report prints and printers', '{device.bambu_bridge}'),
  ('farm.log', 'Log prints by hand and clear plates', '{operator,technician,supervisor,planner,manager,admin}'),
  ('farm.review', 'Decide about doubtful prints, correct and service', '{operator,technician,supervisor,planner,manager,admin}'),
  ('farm.manage', 'Change parts, files and printers', '{technician,supervisor,planner,manager,admin,service}')
) as t (p, d, r);

insert into private.photo_kinds (about, read_permission) values ('print_run', 'farm.read');
