insert into public.setting_definitions (key, scope, type, bounds, default_value, title, description, position) values
  ('production.replenish_auto', 'site', 'boolean', '{}', 'true', 'Make again what was scrapped', 'Scrap and returns raise a replenishment order by themselves.', 90),
  ('production.replenish_min', 'site', 'integer', '{"min": 0, "max": 100000}', '0', 'Smallest need', 'Up to so many missing pieces nothing is made again.', 91),
  ('production.replenish_percent', 'site', 'integer', '{"min": 0, "max": 100}', '0', 'Smallest need, per cent', 'Up to so many per cent of the order nothing is made again.', 92),
  ('production.replenish_lot', 'site', 'integer', '{"min": 0, "max": 100000}', '1', 'Round up to', 'Replenishments grow by so many pieces at a time; 0 = exactly what is missing.', 93),
  ('production.replenish_generations', 'site', 'integer', '{"min": 0, "max": 100}', '3', 'Generations', 'How often losses of replenishments are made again before a person has to allow it.', 94),
  ('production.replenish_cap_percent', 'site', 'integer', '{"min": 0, "max": 10000}', '50', 'Cap, per cent', 'How much of an order is made again in all before a person has to allow it.', 95),
  ('production.rework_yield', 'site', 'integer', '{"min": 0, "max": 100}', '100', 'Rework yield, per cent', 'How much of what is being reworked is expected to become good.', 96);

insert into public.quality_reasons (code, parent, title, disposition, position) values
  ('MATERIAL', null, 'Material', null, 10), ('DIMENSION', null, 'Dimension', null, 20), ('SURFACE', null, 'Surface', null, 30),
  ('HANDLING', null, 'Handling', null, 40), ('MACHINE', null, 'Machine', null, 50), ('OTHER', null, 'Other', null, 90),
  ('KNOT', 'MATERIAL', 'Knot or crack', 'scrap', 11), ('WRONG_MATERIAL', 'MATERIAL', 'Wrong material', 'return', 12),
  ('BAD_MATERIAL', 'MATERIAL', 'Material not good', 'return', 13), ('TOO_SMALL', 'DIMENSION', 'Too small', 'scrap', 21),
  ('TOO_LARGE', 'DIMENSION', 'Too large', 'rework', 22), ('NOT_SQUARE', 'DIMENSION', 'Out of square', 'rework', 23),
  ('SCRATCH', 'SURFACE', 'Scratch', 'rework', 31), ('DENT', 'SURFACE', 'Dent', 'repair', 32), ('PAINT', 'SURFACE', 'Paint fault', 'rework', 33),
  ('BROKEN', 'HANDLING', 'Broken', 'scrap', 41), ('DROPPED', 'HANDLING', 'Dropped', 'hold', 42), ('MISASSEMBLED', 'HANDLING', 'Put together wrongly', 'rework', 43),
  ('TOOL', 'MACHINE', 'Tool worn or broken', 'scrap', 51), ('SETUP', 'MACHINE', 'Setting-up piece', 'scrap', 52), ('UNCLASSIFIED', 'OTHER', 'Not classified', 'hold', 91);

update public.quality_reasons set is_startup = true where code = 'SETUP';

insert into private.scheduled_jobs (name, function_name, every) values ('drop needless replenishments', 'drop_needless_replenishments', '1 minute');
