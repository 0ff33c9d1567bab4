select private.allow(p, d, r) from (values
  ('settings.read', 'See settings', '{viewer,operator,technician,supervisor,planner,manager,admin,device.kiosk,device.print_agent}'::text[]),
  ('settings.manage', 'Change settings', '{manager,admin}')
) as t (p, d, r);

insert into public.setting_definitions (key, scope, type, bounds, default_value, title, description, position) values
  ('printing.printer_name', 'store', 'text', '{"max_length": 120}', '""', 'Printer', 'Name or code of the printer that tickets go to; empty = the route of the station.', 10),
  ('printing.paper_size', 'store', 'choice', '{"options": ["A4", "A5", "A6", "Letter", "4x6", "62mm"]}', '"A4"', 'Paper size', 'Paper of the ticket printer.', 11),
  ('printing.orientation', 'store', 'choice', '{"options": ["portrait", "landscape"]}', '"portrait"', 'Orientation', 'How tickets lie on the paper.', 12),
  ('printing.auto_print', 'store', 'boolean', '{}', 'false', 'Print automatically', 'Print the ticket as soon as the order arrives.', 13),
  ('printing.print_barcodes', 'store', 'boolean', '{}', 'true', 'Print barcodes', 'Print the ticket label with its scan code.', 14),
  ('printing.print_labels', 'store', 'boolean', '{}', 'true', 'Print labels', 'Print the box label with the ticket, where a printer takes box labels.', 15),
  ('storage.locations', 'store', 'text_list', '{"max_items": 100, "max_length": 60}',
    '["Store Fridge", "Store Freezer", "Kitchen Coolroom", "Kitchen Freezer"]', 'Storage locations', 'Where finished work waits.', 20),
  ('orders.flavours', 'store', 'text_list', '{"max_items": 200, "max_length": 60}', '[]', 'Flavours', 'Flavours offered; empty = any.', 30),
  ('due_dates.default_days', 'store', 'integer', '{"min": 0, "max": 365}', '2', 'Default due date', 'Days from today for a new manual order.', 40),
  ('due_dates.allowed_days', 'store', 'weekday_list', '{"max_items": 7}',
    '["mon", "tue", "wed", "thu", "fri", "sat", "sun"]', 'Allowed days', 'Weekdays on which orders may be due.', 41),
  ('due_dates.blackout_dates', 'store', 'date_list', '{"max_items": 400}', '[]', 'Blackout dates', 'Days on which nothing may be due.', 42),
  ('inventory.tracking_enabled', 'store', 'boolean', '{}', 'false', 'Track stock', 'Orders deduct stock.', 50),
  ('monitor.density', 'store', 'choice', '{"options": ["compact", "cozy"]}', '"cozy"', 'Monitor density', 'Size of the cards on the wall display.', 60),
  ('scan.repeat_seconds', 'site', 'integer', '{"min": 0, "max": 30}', '2', 'Double scan window', 'A second scan of the same code within so many seconds is the same scan.', 70),
  ('station.lock_minutes', 'site', 'integer', '{"min": 1, "max": 720}', '5', 'Station locks', 'Minutes without work after which a shared station asks again who is there.', 72),
  ('undo.minutes', 'site', 'integer', '{"min": 0, "max": 1440}', '10', 'Own undo', 'How long people may undo their own last action.', 71);
