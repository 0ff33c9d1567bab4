-- Takes M12_production back. Gone with it: process steps, work centres, routings, what happened at the steps of orders, quality records, approvals,
-- replenishments, what lots hold and what was made of them, references to other systems, what roles were allowed here. Production orders, lots, what
-- went into what, stock and its ledger stay, and so do events. Orders keep their last state, and can be shipped as if they had no routing.
-- Role postgres, one transaction; then `supabase migration repair --status reverted <version>`.
set local lock_timeout = '10s';

drop trigger _200_lot_in_use on public.unit_components;
drop trigger _200_routed on public.production_orders;
drop trigger _500_quantity on public.production_orders;
drop trigger _500_cancelled on public.production_orders;
drop trigger _500_replenishment on public.production_orders;
drop trigger _500_priority on public.production_orders;
drop trigger _910_execution on public.events;
drop trigger _500_order_scan on public.events;

create or replace function private.resolve_other(p_code text)
returns public.scan_result language plpgsql stable set search_path = '' as $$
begin
  return private.resolve_unit(p_code);
end $$;
comment on function private.resolve_other is 'What a code means that names no ticket: a unit; null = nothing known. M12_production replaces it.';

create or replace function private.known_label_data(p_subject text)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return private.order_label_data(private.order_of_label(p_subject)) || private.unit_label_data(p_subject);
end $$;
comment on function private.known_label_data is 'What the database knows about the order or the unit of a label. M12_production replaces it.';

create or replace function private.authorize_labels(p_labels jsonb)
returns void language plpgsql stable set search_path = '' as $$
begin
  perform private.authorize('printing.request', null, u.site) from jsonb_array_elements(p_labels) l join public.units u on u.sn = l ->> 'subject';
end $$;
comment on function private.authorize_labels is 'The right to labels of units, at their site: [{subject}]. M12_production replaces it. Errors: auth.other_site (403).';

create or replace function private.piece_of_order(p_unit public.units, p_sku text)
returns text language plpgsql set search_path = '' as $$
begin
  return null;
end $$;
comment on function private.piece_of_order is 'Where the piece of this unit lies in stock already; null: it comes into stock with the unit. M12_production replaces it.';

create or replace function private.authorize_lots(p_ids bigint[], p_permission text)
returns void language plpgsql stable set search_path = '' as $$
begin
end $$;
comment on function private.authorize_lots is
  'The right to these lots, where they belong to somebody. M12_production replaces it: lots of orders, at their sites and in their stores. Errors: auth.other_site (403), …';

create or replace function private.lock_production(p_order_id bigint)
returns public.production_orders language plpgsql set search_path = '' as $$
declare
  v_order public.production_orders;
begin
  select o.* into v_order from public.production_orders o where o.id = p_order_id for update;
  perform private.lock_stock(private.order_skus(p_order_id));
  return v_order;
end $$;
comment on function private.lock_production is
  'An order that is changed, cancelled or shipped. Locks: its row, then all its items, by SKU. M12_production replaces it: also what is made again for it.';

update public.production_orders set is_routed = false where is_routed;

drop view
  private.lot_effects, private.production_selfcheck, public.execution_events;

drop function
  private.activity_to_undo, private.answer_step_scan, private.apply_approval, private.apply_erp_rows,
  private.ask_for_rest, private.ask_to_replenish, private.begin_family, private.begin_floor, private.beyond_caps,
  private.place_problem, private.ended_short, private.step_centre, private.write_erp_rows, private.refused_erp_row, private.refuse_part_shipped, private.refuse_named_centre,
  private.board_keys, private.board_orders, private.board_row, private.book_activity, private.book_pieces,
  private.book_product, private.can_start, private.centre_problem, private.check_approval, private.check_centre,
  private.check_decision, private.check_erp_scope, private.check_scan, private.check_pieces, private.check_quality,
  private.check_reason_code, private.check_record_source, private.check_routing, private.choose_step, private.complete_sets,
  private.book_use, private.check_counter_name, private.choose_undo, private.command_id, private.component_short, private.copy_routing,
  private.count_activity, private.count_of_command, private.count_to_undo, private.counted_lot, private.counter_name, private.derive_order, private.derive_steps, private.drop_needless_replenishments,
  private.drop_replenishments, private.emit_approval, private.emit_floor, private.emit_imports, private.emit_quality,
  private.end_step, private.fit_sets, private.position_problem, private.put_counter_back, private.read_by_hand, private.read_counter, private.running_at,
  private.sets_needed, private.take_back_end, private.take_position, private.lies_at, private.needs_position, private.centre_unsaid, private.guard_found,
  private.asked_for, private.in_lots, private.undo_id, private.undo_window, private.whole_sets,
  private.erp_problem, private.erp_report, private.erp_skus, private.find_erp_rows, private.finish_approval,
  private.finish_floor, private.finish_movement, private.floor_problem, private.floor_refusal, private.generation_after,
  private.give_back_sets, private.gs1_lot, private.gs1_material, private.gs1_readings, private.gtin14,
  private.history_json, private.import_production, private.input_problem, private.insert_erp_orders, private.is_date,
  private.job_json, private.jobs_of, private.judge_erp_row, private.judge_erp_rows, private.label_behind, private.last_count,
  private.link_lots, private.lock_families, private.lock_family, private.lock_lots, private.lock_order_stock, private.lock_own_lot,
  private.lot_activities, private.lot_balances, private.lot_differences, private.lot_genealogy, private.lot_of_material, private.lot_of_order,
  private.lot_short, private.lots_json, private.lots_to_merge, private.mass_balance, private.material_lot,
  private.material_problem, private.may_use_centre, private.neighbour, private.new_replenishment, private.next_lot_code,
  private.no_centre, private.note_discrepancy, private.order_differences, private.order_of_merged, private.order_problem,
  private.order_taking_material, private.orders_of_lots, private.orders_read, private.outlook, private.own_lot, private.part_to_move, private.parts_json,
  private.parts_problem, private.pending_of, private.pick_step, private.pieces_of_report, private.promise_parts,
  private.prospect, private.put_back_lot, private.defects_of, private.piece_weight, private.quality_by_sequence, private.quality_by_step, private.was_reworked, private.quality_deltas, private.quality_differences,
  private.keep_photo, private.label_state, private.lot_of_label, private.production_label_data, private.resolve_lot, private.resolve_order,
  private.routing_item, private.routing_steps_json, private.scanned_lot, private.step_title, private.subject_to_print,
  private.quality_orders, private.quality_pareto, private.raise_replenishment, private.raise_shortage, private.read_erp_rows,
  private.refuse, private.refuse_decided, private.refuse_open_step, private.refuse_paused,
  private.pieces_of_family, private.refuse_made_without_steps, private.refuse_stocked_units, private.unit_differences,
  private.refuse_routing, private.refuse_unusable, private.refuse_used_up,
  private.release_more, private.release_steps, private.replenish, private.replenish_setting, private.replenishment_need,
  private.replenishment_released, private.replenishments_of, private.report_pieces, private.resolve_gs1, private.return_sets,
  private.reverse_count, private.reverse_quality, private.root_of, private.routed_status, private.routing_answer,
  private.same_as_erp, private.scan_here, private.set_quantity, private.share_orders, private.set_routed_status, private.sets_wanted, private.share_lots,
  private.shrink_replenishment,
  private.sites_asked, private.step_differences, private.step_done, private.step_problem, private.steps_json, private.still_missing,
  private.stock_of_order, private.stores_of_production, private.streams_of_lots, private.streams_of_order,
  private.subject_of_label, private.switch_work_centre, private.take_lot, private.take_sets, private.to_replenish, private.trace_events,
  private.with_reason_title, private.undo_command, private.unreplenish, private.update_erp_orders, private.why_json,
  private.why_not, private.withdraw_replenishment, private.without_request, private.write_erp_refs, private.write_quality,
  public.activate_routing, public.change_priority, public.close_order, public.complete_step, public.consume_lot,
  public.decide_approval, public.dispose_lot, public.get_approvals, public.get_execution_events, public.get_lot,
  public.get_lot_timeline, public.get_lots, public.get_production_board, public.get_production_order,
  public.get_production_order_timeline, public.get_quality, public.get_quality_reasons, public.get_quality_records,
  public.get_work_centre_queue, public.get_work_centres, public.import_production_order, public.import_production_orders,
  public.get_routings, public.merge_lots, public.pause_step, public.print_order_label, public.production_selfcheck, public.receive_lot, public.record_count,
  public.record_quality, public.release_order, public.remove_lot, public.reopen_order, public.report_production,
  public.request_approval, public.save_item_gtin, public.save_process_step, public.save_quality_reason, public.save_routing,
  public.save_work_centre, public.scan_gs1, public.scan_step, public.split_lot, public.start_step, public.trace_label,
  public.trace_production_order, public.undo_lot_activity, public.undo_production, public.withdraw_approval;

drop type
  private.board_filter, private.counter_reading, private.erp_row, private.family_pieces, private.floor_command, private.gs1_reading, private.lot_part, private.piece_deltas,
  private.problem, private.production_report, private.quality_answer, private.quality_range, private.released,
  private.step_outlook, public.approval_change, public.approval_page, public.approval_row, public.execution_event,
  public.execution_page, public.label_trace, public.lot_balance, public.lot_detail, public.lot_genealogy, public.lot_movement,
  public.lot_page, public.production_board, public.production_board_row, public.production_import, public.production_trace,
  public.quality_change, public.quality_reason_group, public.quality_record_page, public.quality_record_row,
  public.routed_change, public.routing_change, public.routing_item, public.routing_page, public.step_scan, public.trace_event, public.work_centre_row;

drop table
  public.approvals, public.item_gtins, public.piece_counters, public.piece_counts, public.process_steps,
  public.production_discrepancies, public.production_lots, public.production_order_progress, public.production_order_refs,
  public.production_order_steps, public.quality_reasons, public.quality_records, public.replenishment_links,
  public.replenishments, public.routing_steps, public.routings, public.trace_activities, public.trace_inputs,
  public.trace_outputs, public.work_centres;

drop function
  private.tg_events__execution, private.tg_events__order_scan, private.tg_piece_counts__append_only, private.tg_piece_counts__book_lot,
  private.tg_piece_counts__lot, private.tg_production_orders__cancelled, private.tg_production_orders__priority, private.tg_production_orders__quantity,
  private.tg_production_orders__replenishment, private.tg_production_orders__routed, private.tg_unit_components__lot_in_use;

drop sequence private.command_seq;

delete from private.photos where about = 'production_order';   -- the files stay in the bucket, and nobody reads them
delete from private.photo_kinds where about = 'production_order';
delete from private.scheduled_jobs where name in ('drop needless replenishments');
delete from public.setting_definitions where key in (
  'production.replenish_auto', 'production.replenish_cap_percent', 'production.replenish_generations',
  'production.replenish_lot', 'production.replenish_min', 'production.replenish_percent', 'production.rework_yield');
delete from public.permissions where permission in (
  'production.approve', 'production.concede', 'production.count', 'production.import', 'production.late_material', 'production.lots',
  'production.quality', 'production.request', 'production.run', 'production.setup', 'production.undo_any');
