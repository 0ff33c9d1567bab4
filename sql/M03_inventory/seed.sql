select private.allow(p, d, r) from (values
  ('inventory.read', 'See stock, movements and bills of materials', '{viewer,operator,technician,supervisor,planner,manager,admin,service}'::text[]),
  ('inventory.move', 'Receive, issue, transfer, scrap and consume stock', '{operator,technician,supervisor,planner,manager,admin,service}'),
  ('inventory.count', 'Count stock', '{operator,technician,supervisor,planner,manager,admin}'),
  ('inventory.adjust', 'Adjust stock, take movements back, set minimums', '{supervisor,planner,manager,admin,service}'),
  ('inventory.approve', 'Approve counted differences', '{supervisor,manager,admin}'),
  ('inventory.manage', 'Change items, places, bills of materials and rules; import', '{planner,manager,admin,service}'),
  ('inventory.deduct', 'Take stock for an order that came in', '{service}'),
  ('production.read', 'See production orders and who gets which part', '{viewer,operator,technician,supervisor,planner,manager,admin,service}'),
  ('production.plan', 'Create, change and cancel production orders', '{supervisor,planner,manager,admin,service}'),
  ('production.ship', 'Ship production orders: their parts are used up', '{operator,technician,supervisor,planner,manager,admin,service}')
) as t (p, d, r);

insert into public.setting_definitions (key, scope, type, bounds, default_value, title, description, position) values
  ('inventory.block_when_short', 'store', 'boolean', '{}', 'false', 'Block when components are short',
    'A stage cannot be completed while a component it needs is missing. Off: it is completed, and the missing component is told.', 51),
  ('inventory.count_tolerance', 'site', 'integer', '{"min": 0, "max": 100}', '5', 'Count tolerance',
    'Percent by which a count may differ from what is expected before another person must approve it.', 52);

-- Sites that were there before this milestone get their place; later ones by trigger.
select private.add_default_location(s) from public.sites s where not exists (select 1 from public.locations l where l.site = s.code);
