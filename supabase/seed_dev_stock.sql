-- The stock of the demo plant, once: what somebody changed there stays. Packaging, ingredients and what is put on cakes; one item
-- is low, one ran out; Bannos tracks stock, its red velvet cakes take their components stage by stage; one count waits for approval.

do $$
declare
  v_count bigint;
begin
  if exists (select 1 from public.inventory_items i where i.sku = 'BOX-M') then
    return;
  end if;
  perform pg_temp.become('planner');
  perform public.upsert_location(l.code, l.title, l.kind, 'main')
    from (values ('main', 'Dry store', 'warehouse'), ('coolroom', 'Coolroom', 'warehouse'), ('pack-bench', 'Packing bench', 'station'),
      ('in-progress', 'In progress', 'wip'), ('quarantine', 'Quarantine', 'quarantine')) as l (code, title, kind);
  perform public.upsert_item(i.sku, i.title, i.kind, i.uom, i.min_stock, i.supplier, i.unit_cost, i.forbid_negative, p_is_listed => i.is_listed)
    from (values
      ('BOX-S', 'Cake box, small', 'packaging', 'pcs', 100, 'Carton & Sons', 0.85, false, false),
      ('BOX-M', 'Cake box, medium', 'packaging', 'pcs', 150, 'Carton & Sons', 1.1, false, false),
      ('BOX-L', 'Cake box, large', 'packaging', 'pcs', 80, 'Carton & Sons', 1.6, false, false),
      ('BOARD-20', 'Cake board 20 cm', 'packaging', 'pcs', 60, 'Carton & Sons', 0.55, false, false),
      ('BOARD-25', 'Cake board 25 cm', 'packaging', 'pcs', 60, 'Carton & Sons', 0.7, false, false),
      ('LABEL-BOX', 'Box labels, roll of 500', 'sticker', 'pcs', 500, 'Etiketten Meyer', 0.02, false, false),
      ('RIBBON-RED', 'Satin ribbon, red', 'packaging', 'm', 50, 'Etiketten Meyer', 0.3, false, false),
      ('CARD-CARE', 'Care card', 'manual', 'pcs', 200, 'Etiketten Meyer', 0.05, false, false),
      ('FLOUR', 'Cake flour', 'raw_material', 'kg', 50, 'Mill & Co.', 1.45, false, false),
      ('SUGAR', 'Caster sugar', 'raw_material', 'kg', 40, 'Mill & Co.', 1.9, false, false),
      ('BUTTER', 'Butter', 'raw_material', 'kg', 30, 'Dairy Direct', 9.8, false, false),
      ('EGGS', 'Eggs', 'raw_material', 'pcs', 360, 'Dairy Direct', 0.42, false, false),
      ('CREAM-CHEESE', 'Cream cheese', 'raw_material', 'kg', 20, 'Dairy Direct', 8.4, false, false),
      ('COCOA', 'Cocoa powder', 'raw_material', 'kg', 10, 'Mill & Co.', 14.5, false, false),
      ('FOOD-RED', 'Food colour, red', 'raw_material', 'ml', 500, 'Colour Kitchen', 0.04, false, false),
      ('SPONGE-RED', 'Red velvet sponge', 'subassembly', 'pcs', 10, null, 4.2, false, false),
      ('CANDLE-SPARK', 'Sparkler candle (2 pack)', 'accessory', 'pcs', 40, 'Party House', 2.1, true, true),
      ('TOPPER-GOLD', 'Cake topper, gold', 'topper', 'pcs', 25, 'Party House', 3.9, true, true),
      ('TOPPER-UNICORN', 'Cake topper, unicorn', 'topper', 'pcs', 12, 'Party House', 4.5, true, true),
      ('DOWEL', 'Dowel for tiers', 'consumable', 'pcs', 100, 'Party House', 0.12, false, false),
      ('GLOVES', 'Gloves, box of 100', 'consumable', 'pcs', 20, 'Clean Supply', 7.5, false, false)
    ) as i (sku, title, kind, uom, min_stock, supplier, unit_cost, forbid_negative, is_listed);
  perform public.save_requirements('[{"sku": "FLOUR", "quantity": 0.35}, {"sku": "SUGAR", "quantity": 0.3}, {"sku": "BUTTER", "quantity": 0.2},
    {"sku": "EGGS", "quantity": 3}, {"sku": "COCOA", "quantity": 0.02}, {"sku": "FOOD-RED", "quantity": 15}]', 'SPONGE-RED');
  perform public.save_requirements('[{"sku": "SPONGE-RED", "quantity": 2, "stage": "Filling"},
    {"sku": "CREAM-CHEESE", "quantity": 0.6, "stage": "Covering"}, {"sku": "BOARD-25", "quantity": 1, "stage": "Covering"},
    {"sku": "RIBBON-RED", "quantity": 0.9, "stage": "Packing", "is_optional": true}, {"sku": "BOX-M", "quantity": 1, "stage": "Packing"},
    {"sku": "CARD-CARE", "quantity": 1, "stage": "Packing"}]', p_title => 'Red Velvet', p_store => 'bannos', p_match => 'keyword');
  perform public.save_deduction_rule('Sparkler Candle', 'CANDLE-SPARK', p_applies_to => 'accessory');
  perform public.save_deduction_rule('Cake Topper Gold', 'TOPPER-GOLD', p_applies_to => 'accessory');

  perform pg_temp.become('operator');
  perform public.receive_stock(s.sku, s.quantity, s.place, p_ref => s.ref)
    from (values ('BOX-S', 320, 'main', 'LS-4711'), ('BOX-M', 410, 'main', 'LS-4711'), ('BOX-L', 130, 'main', 'LS-4711'),
      ('BOARD-20', 240, 'main', 'LS-4711'), ('BOARD-25', 260, 'main', 'LS-4711'), ('LABEL-BOX', 2500, 'main', 'EM-208'),
      ('RIBBON-RED', 180, 'main', 'EM-208'), ('CARD-CARE', 900, 'main', 'EM-208'), ('FLOUR', 220, 'main', 'MC-77'), ('SUGAR', 160, 'main', 'MC-77'),
      ('BUTTER', 64, 'main', 'DD-19'), ('EGGS', 900, 'main', 'DD-19'), ('CREAM-CHEESE', 55, 'coolroom', 'DD-19'),
      ('COCOA', 6.5, 'main', 'MC-77'), ('FOOD-RED', 3000, 'main', 'CK-5'), ('CANDLE-SPARK', 160, 'main', 'PH-31'), ('TOPPER-GOLD', 90, 'main', 'PH-31'),
      ('TOPPER-UNICORN', 6, 'main', 'PH-31'), ('DOWEL', 400, 'main', 'PH-31'), ('GLOVES', 48, 'main', null)) as s (sku, quantity, place, ref);
  perform public.transfer_stock('BOX-M', 60, 'main', 'pack-bench');
  perform public.transfer_stock('CARD-CARE', 120, 'main', 'pack-bench');
  perform public.consume_bom('SPONGE-RED', 24, 'main', p_produce => true, p_reason => 'Baked on Monday');
  perform public.transfer_stock('BOARD-20', 12, 'main', 'quarantine', 'Wet carton');
  perform public.scrap_stock('EGGS', 6, 'Broken in the tray', 'main');
  perform public.transfer_stock('BUTTER', 20, 'main', 'coolroom');
  perform public.issue_stock('TOPPER-UNICORN', 6, p_from => 'main', p_reason => 'Wedding fair');

  perform pg_temp.become('technician');
  v_count := ((public.start_count('main', array['DOWEL', 'GLOVES', 'LABEL-BOX'], 'End of the month')).count_row).id;
  perform public.submit_count(v_count, '[{"sku": "DOWEL", "counted": 400}, {"sku": "GLOVES", "counted": 31}, {"sku": "LABEL-BOX", "counted": 2480}]');

  perform pg_temp.become('admin');
  perform public.set_setting('inventory.tracking_enabled', 'true', 'bannos');
end $$;
