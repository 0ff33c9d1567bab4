-- Takes M13_maintenance back. Gone with it: lines, machines, repairs, plans and what roles were allowed here; what the QR codes open. Parts that
-- repairs took stay in the ledger. Files stay in storage until somebody empties the bucket there.
-- Role postgres, one transaction; then `supabase migration repair --status reverted <version>`.
set local lock_timeout = '10s';

drop policy insert_maintenance_reporter on storage.objects;
drop policy insert_maintenance on storage.objects;
drop policy select_maintenance on storage.objects;
set local storage.allow_delete_query = 'true';   -- hosted Supabase refuses it otherwise
delete from storage.buckets b where b.id = 'maintenance' and not exists (select from storage.objects o where o.bucket_id = b.id);

drop view public.line_status, public.machine_status;

drop function
  private.add_machine_run, private.begin_repair, private.begin_report, private.caller_address, private.changed_part, private.check_check,
  private.check_choice, private.check_machine_places, private.check_plan_interval, private.check_plan_items, private.check_repair_assignee,
  private.check_repair_report, private.check_repair_texts, private.check_status, private.check_symptom, private.counter_of,
  private.emit_repair, private.find_machine, private.finish_repair, private.forget_problem_reports, private.found_repairs,
  private.instant_given, private.is_plan_due, private.is_same_failure, private.counted_since, private.lock_machine, private.log_status,
  private.machine_facts, private.may_attach, private.move_repair, private.new_attachment, private.new_machine_token, private.next_statuses, private.note_trouble,
  private.open_due_work_orders, private.open_repair, private.open_work_order, private.page_limit, private.plan_facts, private.plan_items,
  private.refuse_busy_line, private.caller_sites, private.flooded_until, private.known_problem, private.past_report, private.reports_of, private.ticket_of, private.refuse_idle_machine, private.has_many_files, private.refuse_many_files, private.refuse_open_checks, private.refuse_open_work,
  private.refuse_second_repair, private.refuse_stale, private.repair_actions, private.repair_facts, private.repair_files,
  private.repair_history, private.repair_of_check, private.repair_parts, private.site_of_setup, private.spare_machine, private.take_report,
  private.with_machine_fields, private.write_machine, private.write_plan, private.write_plan_items, public.acknowledge_repair,
  public.add_repair_attachment, public.add_repair_photo, public.close_repair, public.complete_repair, public.dismiss_repair, public.get_lines, public.get_machine,
  public.get_machine_qr, public.get_machines, public.get_maintenance_plans, public.get_repair, public.get_repairs, public.get_report_form,
  public.record_check, public.record_machine_reading, public.remove_repair_attachment, public.renew_machine_qr, public.reopen_repair,
  public.report_problem, public.report_repair, public.return_repair_part, public.save_line, public.save_machine,
  public.save_maintenance_plan, public.start_repair, public.start_work_order, public.update_repair, public.use_repair_part,
  public.verify_repair, public.wait_repair;

drop type
  private.repair_command, private.repair_filter, private.reported_problem, public.attachment_change, public.line_row, public.machine_page,
  public.machine_qr, public.machine_row, public.plan_change, public.plan_row, public.problem_report, public.repair_change,
  public.repair_page, public.repair_row, public.report_form;

drop table
  private.machine_tokens, private.machine_troubles, private.problem_reports, public.lines, public.machine_counters, public.machine_symptoms, public.machine_versions,
  public.machines, public.maintenance_plan_items, public.maintenance_plans, public.repair_attachments, public.repair_checks,
  public.repair_reports, public.repair_statuses, public.repairs;

drop function
  private.readable_machines,
  private.tg_machines__history, private.tg_maintenance_plans__due;

delete from private.scheduled_jobs where name in ('open due maintenance', 'forget reports without an account');
delete from public.settings where key like 'maintenance.%';
delete from public.setting_definitions where key like 'maintenance.%';
delete from private.photos where about = 'repair';   -- the files stay in the bucket, and nobody reads them
delete from private.photo_kinds where about = 'repair';
delete from public.permissions where permission like 'maintenance.%';
