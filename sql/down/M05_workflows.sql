-- Takes M05_workflows back. Gone with it: stations, scan memory, counters of manual orders, what roles were allowed here.
-- Tickets and events stay.
-- Role postgres, one transaction; then `supabase migration repair --status reverted <version>`.
set local lock_timeout = '10s';

drop trigger _200_stage on public.orders;
drop view public.stage_events;

drop function
  private.advance_by_scan, private.answer_scan, private.any_store, private.assign, private.begin_order,
  private.candidates, private.check_assignee, private.check_due_date, private.clean_code, private.complete_page, private.complete_stage,
  private.cursor_of, private.default_due_date, private.find_by_code, private.finish_order, private.is_floor_field, private.is_gs1,
  private.keys_of, private.last_action, private.matches, private.open_page, private.order_blockers,
  private.purge_scans, private.queue_page, private.queue_total, private.refresh_priorities, private.refuse_blocked,
  private.resolve_other, private.resolve_scan, private.same_scan, private.save_order, private.scan_problem,
  private.scan_refusal, private.stage_started_at, private.start_stage, private.stores_asked, private.unchanged,
  private.undo_event, private.undoable_events, private.with_changes, public.acknowledge_order_change,
  public.assign_staff, public.assign_staff_bulk, public.cancel_order, public.complete_covering,
  public.complete_decorating, public.complete_filling, public.complete_packing, public.create_manual_order,
  public.get_order_for_scan, public.get_order_timeline, public.get_orders_for_dashboard, public.get_queue,
  public.get_stage_counts, public.get_unassigned_counts, public.get_unassigned_list, public.handle_print_barcode,
  public.mark_reviewed, public.qc_return_to_decorating, public.register_station, public.scan, public.set_due_date,
  public.set_priority, public.set_storage, public.start_covering, public.start_decorating, public.start_packing,
  public.unassign_staff, public.undo_last, public.update_order_core, public.why_not_shipping;

drop type
  private.keyed_order, private.order_command, private.queue_filter, public.blocker, public.queue_page,
  public.scan_result, public.stage_count, public.timeline_entry;

drop table
  private.order_counters, private.priority_days, private.recent_scans, public.stage_transitions, public.stations;

drop function
  private.tg_orders__stage;

delete from private.scheduled_jobs where name in ('forget old scans', 'priorities of a new plant day');
delete from public.permissions where permission in ('orders.acknowledge', 'orders.assign', 'orders.cancel',
  'orders.complete_stage', 'orders.create', 'orders.edit', 'orders.qc_return', 'orders.scan', 'orders.set_priority',
  'orders.take', 'orders.undo_any', 'orders.undo_own', 'stations.manage');
