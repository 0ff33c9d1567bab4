-- Takes M09_printing back. Gone with it: templates, printers, routes, every print job with its history, what roles were allowed here.
-- Tickets and their events stay. The clock must not run meanwhile; labels that an agent holds are lost to the system.
-- Role postgres, one transaction; then `supabase migration repair --status reverted <version>`.
set local lock_timeout = '10s';

drop trigger _500_print on public.events;
drop trigger _500_settle on private.recent_scans;
drop view public.print_agents;
drop policy select_printer on public.printers;
drop policy select_printer on public.print_routes;
drop policy select_printer on public.print_jobs;

drop function
  private.activate_label, private.active_label_version, private.actor_name, private.add_prints, private.agent_job,
  private.agent_of, private.agent_state, private.agent_status, private.alarm, private.aligned, private.ask_for_label,
  private.ask_for_ticket, private.check_begin, private.check_evidence, private.check_label, private.check_label_field,
  private.check_label_place, private.check_outcome, private.check_owner, private.check_ready, private.check_report,
  private.check_reprint, private.check_size, private.check_tspl, private.check_zpl, private.claim_at, private.claim_of,
  private.code128_marks, private.compile_fields, private.compile_label, private.compile_tspl, private.compile_zpl,
  private.count_as_printed, private.counted, private.datamatrix_modules, private.decide_print, private.decision,
  private.default_template, private.demand_prints, private.dots_per_mm, private.emit_printer, private.existing_label, private.faults_struck,
  private.field_name, private.fields_variables, private.find_label_template, private.find_label_version, private.find_printer,
  private.forget_labels, private.hear_printer, private.insert_print, private.insert_reprint, private.is_count, private.is_same_boot,
  private.is_proved, private.is_taken, private.job_alarms, private.job_labels, private.judge_proof, private.label_alarms,
  private.authorize_labels, private.known_label_data, private.label_data, private.label_field_rules, private.label_hash, private.label_key_fits, private.label_marks,
  private.label_value, private.label_variable, private.label_variables, private.label_words, private.latency,
  private.lock_label_template, private.lock_print, private.may_be_half, private.lock_printer, private.module_dots, private.move_print,
  private.named_printer, private.next_print_no, private.not_ready, private.note_print, private.order_label_data,
  private.order_of_label, private.pbm, private.pick_printer, private.print_answer, private.print_event, private.print_expiry,
  private.print_lease, private.print_place, private.print_seconds, private.print_wish, private.printer_alarms,
  private.printer_for, private.printer_message, private.printer_state, private.printer_trouble, private.proof_cases,
  private.proof_data, private.proof_expects, private.proof_values, private.qr_modules, private.readable_printers, private.running_reprint,
  private.reason_words, private.recompile_print, private.refit_prints, private.refuse_busy, private.refuse_data,
  private.refuse_fit, private.refuse_print_state, private.refuse_template, private.release_media, private.reprint_labels,
  private.requeue_print, private.reroute_prints, private.routed_printers, private.save_label_version, private.scaled_rows,
  private.seed_label_template, private.settle_by_scan, private.settle_print, private.sorted_codes, private.square_marks,
  private.store_of_labels, private.stray_labels, private.suspect_twin, private.sweep_prints, private.text_marks,
  private.text_prefix, private.text_units, private.tspl_image, private.tspl_mark, private.tspl_text, private.unused_sign,
  private.verdict, private.was_overtaken, private.was_restarted, private.without_variables, private.wrap_text,
  private.zpl_code128, private.zpl_datamatrix, private.zpl_hex, private.zpl_image, private.zpl_mark, private.zpl_qr,
  private.zpl_text, public.abort_send, public.activate_label_version, public.agent_heartbeat, public.begin_send,
  public.cancel_print, public.claim_print_job, public.confirm_print, public.extend_print, public.fail_print,
  public.get_label_template, public.get_print_alarms, public.get_print_job, public.get_print_jobs, public.get_printers_board,
  public.get_station_printing, public.halt_printer, public.hold_print, public.label_proof_cases, public.list_label_templates,
  public.mark_sent, public.my_unsettled_prints, public.preview_label, public.preview_print, public.print_job_state,
  public.print_unknown, public.record_label_proof, public.release_print, public.remove_printer, public.reprint,
  public.request_print, public.request_prints, public.resolve_print, public.resume_print, public.resume_printer,
  public.retire_label_version, public.save_label_template, public.set_default_label_template, public.set_loaded_media,
  public.set_print_routes, public.upsert_printer;

drop type
  private.agent_call, private.bitmap, private.label_field_rule, private.label_mark, private.print_decision,
  private.print_demand, private.print_mover, private.print_place, private.print_wish, public.label_preview,
  public.label_proof_case, public.label_template_row, public.print_alarm, public.print_answer, public.print_claim,
  public.print_page, public.print_unsettled, public.print_verdict, public.printer_card, public.station_printing;

drop table
  private.print_refusals, private.print_transitions, public.label_proofs, public.label_template_versions,
  public.label_templates, public.print_job_events, public.print_job_labels, public.print_jobs, public.print_routes,
  public.printers;

drop function
  private.tg_events__print, private.tg_print_job_events__append_only, private.tg_print_jobs__history,
  private.tg_print_jobs__state, private.tg_recent_scans__settle;

drop type public.print_job_state;

delete from private.scheduled_jobs where name = 'settle and move print jobs';
delete from public.setting_definitions where key in ('printing.claim_seconds', 'printing.expire_minutes', 'printing.reprint_limit', 'printing.send_seconds', 'printing.settle_seconds');
delete from public.permissions where permission in ('labels.manage', 'printing.manage', 'printing.read', 'printing.reprint', 'printing.request', 'printing.resolve', 'printing.supervise', 'printing.work');
