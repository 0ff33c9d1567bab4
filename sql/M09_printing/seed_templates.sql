-- The built-in templates. Tickets and boxes share a roll, units, items and slips another.

create function private.seed_label_template(p_code text, p_name text, p_media text, p_width_mm numeric, p_height_mm numeric, p_proved text, p_fields jsonb)
returns void language plpgsql set search_path = '' as $$
declare
  v_template public.label_templates;
  v_version public.label_template_versions;
begin
  insert into public.label_templates (code, label_type, name, media) values (p_code, p_code, p_name, p_media) returning * into v_template;
  v_version := private.save_label_version(v_template, p_width_mm, p_height_mm, p_fields, null);
  -- These proofs were made before the release; a test makes them again. Whoever changes a template here must prove it anew.
  insert into public.label_proofs (version_id, dpi, content_hash, passed, results)
  select v_version.id, d, p_proved, true, '{"cases": 6, "wrong": []}' from unnest('{203,300,600}'::integer[]) d;
  perform private.activate_label(v_template, v_version);
  update public.label_template_versions v set activated_at = null where v.id = v_version.id;   -- it came with the schema
end $$;
comment on function private.seed_label_template is 'For seeds: a template, active by the proof of exactly this content. p_proved: its content hash.';

select private.seed_label_template('order_ticket', 'Order ticket', '100x60', 100, 60, 'b979fc1dbf13a889d245da8b85a0a58bc4b1fd574cd1142bcea7f5b8afbf44c1', '[
  {"kind": "text", "name": "order_number", "x": 3, "y": 2.5, "w": 68, "h": 9, "value": "{{order_number}}", "bold": true},
  {"kind": "qr", "name": "scan_square", "x": 73, "y": 1, "w": 26, "align": "right", "module_mm": 0.75, "value": "{{code}}"},
  {"kind": "text", "name": "product", "x": 3, "y": 12, "w": 68, "h": 6, "value": "{{product}}", "bold": true},
  {"kind": "text", "name": "size", "x": 3, "y": 18.5, "w": 33, "h": 4.5, "value": "{{size}}"},
  {"kind": "text", "name": "flavour", "x": 37, "y": 18.5, "w": 34, "h": 4.5, "value": "{{flavour}}"},
  {"kind": "text", "name": "customer", "x": 3, "y": 23.5, "w": 68, "h": 4, "value": "{{customer}}"},
  {"kind": "box", "x": 3, "y": 28.4, "w": 94, "h": 0.3, "line_mm": 0.3},
  {"kind": "text", "name": "writing", "x": 3, "y": 29.2, "w": 94, "h": 4.7, "lines": 2, "value": "{{writing}}"},
  {"kind": "box", "x": 3, "y": 38.9, "w": 94, "h": 0.3, "line_mm": 0.3},
  {"kind": "text", "name": "due", "x": 3, "y": 39.8, "w": 36, "h": 5.5, "value": "{{due}}", "bold": true},
  {"kind": "text", "name": "method", "x": 40, "y": 40.7, "w": 22, "h": 4.2, "value": "{{method}}"},
  {"kind": "text", "name": "storage", "x": 63, "y": 40.7, "w": 22, "h": 4.2, "value": "{{storage}}"},
  {"kind": "text", "name": "priority", "x": 86, "y": 40.7, "w": 11, "h": 4.2, "align": "right", "value": "{{priority}}"},
  {"kind": "code128", "name": "scan_bars", "x": 1, "y": 46.5, "w": 98, "h": 9.5, "align": "center", "module_mm": 0.25, "value": "{{code}}", "text": true}
]');

select private.seed_label_template('box', 'Box label', '100x60', 100, 60, '9c3bc82a2d6e216457a3e6930727179c8e44f459abaf56c7b3328cdea59a5232', '[
  {"kind": "text", "name": "customer", "x": 3, "y": 3, "w": 68, "h": 8, "lines": 2, "value": "{{customer}}", "bold": true},
  {"kind": "qr", "name": "scan_square", "x": 73, "y": 1, "w": 26, "align": "right", "module_mm": 0.75, "value": "{{code}}"},
  {"kind": "text", "name": "order_number", "x": 3, "y": 20, "w": 46, "h": 6, "value": "{{order_number}}", "bold": true},
  {"kind": "text", "name": "box_no", "x": 50, "y": 20, "w": 21, "h": 6, "align": "right", "value": "{{box_no}}", "bold": true},
  {"kind": "box", "x": 3, "y": 28.4, "w": 94, "h": 0.3, "line_mm": 0.3},
  {"kind": "text", "name": "product", "x": 3, "y": 29.5, "w": 94, "h": 4.5, "lines": 2, "value": "{{product}}"},
  {"kind": "text", "name": "due", "x": 3, "y": 39, "w": 94, "h": 5.5, "value": "{{due}}", "bold": true},
  {"kind": "code128", "name": "scan_bars", "x": 1, "y": 45.5, "w": 98, "h": 10.5, "align": "center", "module_mm": 0.25, "value": "{{code}}", "text": true}
]');

select private.seed_label_template('production_order', 'Order and lot label', '100x60', 100, 60, 'ffe33bfe0e40cdea902bb1820d94cf16fa70c7b25f89a87cd6ca7ec04d58718d', '[
  {"kind": "text", "name": "product", "x": 3, "y": 3, "w": 68, "h": 7, "lines": 2, "value": "{{product}}", "bold": true},
  {"kind": "qr", "name": "scan_square", "x": 73, "y": 1, "w": 26, "align": "right", "module_mm": 0.75, "value": "{{code}}"},
  {"kind": "text", "name": "sku", "x": 3, "y": 19, "w": 68, "h": 4.5, "value": "{{sku}}"},
  {"kind": "box", "x": 3, "y": 28.4, "w": 94, "h": 0.3, "line_mm": 0.3},
  {"kind": "text", "name": "quantity", "x": 3, "y": 31, "w": 46, "h": 8, "value": "{{quantity}}", "bold": true},
  {"kind": "text", "name": "due", "x": 50, "y": 31, "w": 47, "h": 8, "align": "right", "value": "{{due}}"},
  {"kind": "code128", "name": "scan_bars", "x": 1, "y": 43, "w": 98, "h": 12, "align": "center", "module_mm": 0.25, "value": "{{code}}", "text": true}
]');

select private.seed_label_template('unit_device', 'Unit label', '60x30', 60, 30, '68be03aaa413dfce84becf2666cc31e98f873362b9659984297701c71ad85240', '[
  {"kind": "datamatrix", "name": "scan_square", "x": 1, "y": 1, "w": 14.5, "module_mm": 0.63, "value": "{{code}}"},
  {"kind": "text", "name": "product", "x": 17, "y": 2, "w": 41, "h": 4.5, "value": "{{product}}", "bold": true},
  {"kind": "text", "name": "variant", "x": 17, "y": 7, "w": 41, "h": 3.5, "value": "{{variant}}"},
  {"kind": "text", "name": "made", "x": 17, "y": 11, "w": 41, "h": 3, "value": "{{made}}"},
  {"kind": "code128", "name": "scan_bars", "x": 0.5, "y": 16.5, "w": 59, "h": 9, "align": "center", "module_mm": 0.25, "value": "{{code}}", "text": true}
]');

select private.seed_label_template('item', 'Item and bin label', '60x30', 60, 30, 'a99fe7aaf31d0d27d0d6e655cae8fc7fe31e54032aa8d467cc82a68adf31e390', '[
  {"kind": "text", "name": "item_name", "x": 2, "y": 2, "w": 38, "h": 4.5, "lines": 2, "value": "{{name}}", "bold": true},
  {"kind": "text", "name": "sku", "x": 2, "y": 12, "w": 20, "h": 3.2, "value": "{{sku}}"},
  {"kind": "text", "name": "location", "x": 23, "y": 12, "w": 17, "h": 3.2, "align": "right", "value": "{{location}}"},
  {"kind": "qr", "name": "scan_square", "x": 41, "y": 0.5, "w": 18, "align": "right", "module_mm": 0.5, "value": "{{code}}"},
  {"kind": "code128", "name": "scan_bars", "x": 0.5, "y": 19, "w": 59, "h": 7, "align": "center", "module_mm": 0.25, "value": "{{code}}", "text": true}
]');

select private.seed_label_template('packing_slip_code', 'Code for the packing slip', '60x30', 60, 30, '337b70276e4a3b03bd8ebea69f3d05af85ad38adbd91c3d1d683aa998d7e3e30', '[
  {"kind": "text", "name": "order_number", "x": 2, "y": 2, "w": 38, "h": 6, "value": "{{order_number}}", "bold": true},
  {"kind": "text", "name": "customer", "x": 2, "y": 9, "w": 38, "h": 3.5, "value": "{{customer}}"},
  {"kind": "text", "name": "items", "x": 2, "y": 13, "w": 38, "h": 3.2, "value": "{{items}}"},
  {"kind": "qr", "name": "scan_square", "x": 41, "y": 0.5, "w": 18, "align": "right", "module_mm": 0.5, "value": "{{code}}"},
  {"kind": "code128", "name": "scan_bars", "x": 0.5, "y": 19, "w": 59, "h": 7, "align": "center", "module_mm": 0.25, "value": "{{code}}", "text": true}
]');
