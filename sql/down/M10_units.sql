-- Takes M10_units back. Gone with it: variants, rules, units, tests, kits, boxes, lots and what went into what, what roles were allowed here.
-- Items, stock and the ledger stay, so do printed labels and events. A scan knows no units any more.
-- Role postgres, one transaction; then `supabase migration repair --status reverted <version>`.
set local lock_timeout = '10s';

drop trigger _500_unit_scan on public.events;
drop trigger _300_on_hold on public.inventory_txn;
drop view public.unit_events;

create or replace function private.resolve_other(p_code text)
returns public.scan_result language plpgsql stable set search_path = '' as $$
begin
  return null;
end $$;
comment on function private.resolve_other is 'What a code means that names no ticket; null = nothing known. M10_units replaces it.';

create or replace function private.known_label_data(p_subject text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return private.order_label_data(private.order_of_label(p_subject));
end $$;
comment on function private.known_label_data is 'What the database knows about the order of a label. M10_units and M12_production replace it: also of units, orders and lots.';

create or replace function private.authorize_labels(p_labels jsonb)
returns void language plpgsql stable set search_path = '' as $$
begin
end $$;
comment on function private.authorize_labels is
  'The right to labels of things that belong to a site: [{subject}]. Tickets: by their store. M10_units and M12_production replace it.';

drop function
  private.active_rules, private.after_test, private.answer_pack, private.authorize_lots, private.begin_assembly, private.begin_box,
  private.begin_genealogy, private.begin_unit, private.blocker, private.book_unit, private.piece_of_order, private.blockers_under, private.boxes_of,
  private.breaches, private.check_batch, private.check_component, private.check_kits, private.check_recall,
  private.check_shippable, private.check_step, private.check_test, private.check_unit_reason, private.claim,
  private.claimed, private.comparator_bounds, private.component_blockers, private.component_unchanged,
  private.components_misfit, private.emit_unit, private.end_holds, private.end_lot_holds, private.find_component,
  private.find_lot, private.lot_is_here, private.refuse_lot_elsewhere, private.find_variant, private.finish_assembly, private.finish_box, private.finish_lot,
  private.finish_unit, private.finished_item, private.firmware_misfit, private.free_kit, private.gate_of,
  private.genealogy, private.hand_over, private.hardware_blockers, private.held_components, private.hold_for_recall,
  private.hold_lots, private.hold_place, private.hold_units, private.in_range, private.insert_misfit,
  private.invalidate_tests, private.is_range, private.kit_blockers, private.label_blockers, private.label_units,
  private.latest_run, private.leave_box, private.leave_stock, private.limits_of, private.link, private.link_component,
  private.lock_box, private.lock_gate, private.lock_lots_of, private.lock_units_of, private.lock_variant,
  private.lots_within, private.manual_blockers, private.metrics_of, private.misfit, private.missing_components,
  private.move_held, private.next_serials, private.next_unit_action, private.no_unit_gate, private.off_hold,
  private.only_site, private.open_recall, private.order_to_ship, private.pack_into, private.pack_refusal,
  private.packaging_misfit, private.piece_at, private.purge_recall_exports, private.put_back,
  private.put_back_component, private.range_words, private.recall_rows, private.recall_through, private.recall_units,
  private.recall_whereabouts, private.refuse_built_in, private.refuse_sealed, private.refuse_unit_state,
  private.refused_pack, private.resolve_unit,
  private.rules_of, private.run_fault, private.save_unit, private.serial_of, private.set_aside,
  private.ship_units, private.site_day, private.stack_onto, private.starts_of_key, private.starts_of_range,
  private.step_permission, private.store_test, private.take_component, private.tell_holds, private.test_blockers,
  private.tests_misfit, private.trace, private.trace_edges_among, private.trace_entries, private.trace_node, private.trace_of_lot,
  private.trace_query, private.trace_result, private.trace_starts, private.trace_summary, private.unit_actions,
  private.unit_blockers, private.unit_filter, private.unit_history, private.unit_label_data, private.unit_page,
  private.unit_place, private.unit_steps, private.unit_tests, private.unit_unchanged, private.units_within,
  private.unknown_keys, private.unlink, private.unpacked, private.version_key, private.version_less,
  public.activate_variant_rules, public.assign_unit_variant, public.check_pack_gate, public.create_box,
  public.create_generic_units, public.finalize_pack, public.get_finished_units, public.get_recall_export,
  public.get_recalls, public.get_test_history, public.get_unit, public.get_units, public.get_yield, public.hold_all,
  public.hold_lot, public.hold_unit, public.install_component, public.move_unit_to_stock,
  public.preview_variant_rules, public.print_unit_label, public.put_in_box, public.record_assembly,
  public.record_flash, public.record_test_result, public.register_kits, public.release_all, public.release_lot,
  public.release_unit, public.save_variant_rules, public.scan_pack_kit, public.scrap_unit, public.seal_box,
  public.send_to_rework, public.set_kit_active, public.ship_box, public.start_recall_export, public.take_from_box,
  public.trace_back, public.trace_forward, public.uninstall_component, public.unpack_unit, public.upsert_lot,
  public.upsert_variant;

drop type
  private.component_found, private.trace_query, private.trace_summary, private.unit_command, public.box_change,
  public.component_change, public.hold_result, public.lot_change, public.recall_entry, public.recall_export,
  public.recall_page, public.recall_row, public.release_result, public.rules_preview, public.test_answer,
  public.test_point, public.trace_entry, public.trace_result, public.unit_change, public.unit_page,
  public.units_created, public.yield_row;

drop table
  private.recall_claims, private.recall_export_nodes, private.recall_exports, private.recalls,
  private.serial_sequences, private.unit_transitions, public.boxes, public.lots, public.packaging_kits,
  public.product_variants, public.test_measurements, public.test_runs, public.trace_edges, public.trace_nodes,
  public.unit_components, public.units, public.variant_rules;

drop function
  private.tg__test_forever, private.tg_events__unit_scan, private.tg_inventory_txn__on_hold, private.tg_units__forever, private.tg_units__status,
  private.tg_units__trace;

drop type public.unit_status;

delete from private.scheduled_jobs where name in ('forget recall exports');
delete from public.setting_definitions where key in ('units.product_code', 'units.serial_digits');
delete from public.permissions where permission in ('units.assemble', 'units.assign', 'units.create', 'units.flash', 'units.hold', 'units.pack', 'units.plan',
  'units.read', 'units.recall', 'units.rework', 'units.scrap', 'units.test', 'units.unpack');
