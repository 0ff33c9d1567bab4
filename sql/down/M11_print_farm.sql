-- Takes M11_print_farm back. Gone with it: parts, file mappings, printers, every print run and what it gave, what roles were allowed here.
-- Stock and its ledger stay, and so do the items of the parts. Bridges keep their reports until the functions are there again.
-- Role postgres, one transaction; then `supabase migration repair --status reverted <version>`.
set local lock_timeout = '10s';

drop view public.part_demand;

drop function
  private.begin_run, private.book_run, private.check_manual_print, private.check_print_report, private.correct_run,
  private.count_run, private.emit_run, private.expected_json, private.farm_alarms, private.finish_run, private.free_machines,
  private.gcode_answer, private.good_parts, private.has_native_id, private.instant_of, private.is_named, private.judge_run, private.live_of,
  private.machine_of_report, private.machine_row, private.machine_state, private.mapped_parts, private.may_be_counted, private.next_start,
  private.number_of, private.object_ids_of, private.orders_named, private.orders_of_run, private.part_files, private.parts_expected,
  private.parts_given, private.parts_of_run, private.place_of_parts, private.plan_prints, private.printing_now, private.prints_needed,
  private.refuse_overlap, private.rejudge, private.repeat_of_run, private.resolve_gcode, private.run_answer,
  private.run_grams, private.save_gaps, private.save_machine_state, private.set_run, private.spool_of, private.store_run, private.take_lease,
  private.waiting_orders, private.waiting_runs, private.without_skipped, public.amend_print_run, public.book_waiting_prints,
  public.bridge_heartbeat, public.confirm_plate, public.get_farm_status, public.get_gcode, public.get_order_prints, public.get_part_demand, public.get_print_machines,
  public.get_print_runs, public.get_schedule, public.log_manual_print, public.map_gcode, public.record_print_completion,
  public.resolve_print_run, public.service_print_machine, public.unmap_gcode, public.upsert_part, public.upsert_print_machine;

drop type
  private.order_scope, private.planned_prints, private.resolved_print, private.run_command, private.run_part, public.booked_print,
  public.farm_status, public.gcode_change, public.order_print_row, public.part_demand_row, public.print_machine_row, public.print_run_change,
  public.print_run_row, public.schedule_row;

drop table
  private.machine_leases, public.gcode_part_mappings, public.inventory_print_log, public.parts, public.print_coverage_gaps,
  public.print_machine_counters, public.print_machine_states, public.print_machines, public.print_runs;

drop function
  private.busy_range, private.fold, private.gcode_plate, private.gcode_stem, private.is_generic_gcode;

drop extension btree_gist;   -- refuses when something else has come to need it

delete from private.photos where about = 'print_run';   -- the files stay in the bucket, and nobody reads them
delete from private.photo_kinds where about = 'print_run';
delete from public.permissions where permission in ('farm.log', 'farm.manage', 'farm.read', 'farm.report', 'farm.review');
