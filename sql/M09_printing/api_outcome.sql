-- "Did it come out?", and once more on paper.

create function private.check_outcome(p_job public.print_jobs, p_outcome text, p_labels_out integer)
returns void language plpgsql set search_path = '' as $$
declare
  v_all constant integer := p_job.copies * p_job.labels;
begin
  if coalesce(p_outcome, '') not in ('came_out', 'did_not_come_out', 'partly') then
    perform private.fail(422, 'print.outcome', 'Say whether it came out: all, none, or partly.',
      jsonb_build_object('field', 'p_outcome', 'actual', p_outcome, 'expected', array['came_out', 'did_not_come_out', 'partly']));
  elsif p_outcome = 'partly' and coalesce(p_labels_out, 0) not between 1 and v_all - 1 then
    perform private.fail(422, 'print.labels_out', format('Say how many of the %s labels came out.', v_all),
      jsonb_build_object('field', 'p_labels_out', 'actual', p_labels_out, 'max', v_all - 1));
  elsif p_job.state::text not in ('unknown', case p_outcome when 'came_out' then 'printed' else 'failed' end) then
    perform private.refuse_print_state(p_job, 'unknown', format('Nobody has to say anything about this label: it is %s.', p_job.state));
  end if;
end $$;

create function public.resolve_print(
  p_job_id bigint, p_outcome text, p_labels_out integer default null, p_note text default null, p_request_id uuid default null)
returns public.print_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.resolve');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'resolve_print', jsonb_build_array(p_job_id, p_outcome, p_labels_out, p_note));
  v_job public.print_jobs;
  v_was_unknown boolean;
  v_answer public.print_answer;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.print_answer, v_stored);
  end if;
  v_job := private.lock_print('printing.resolve', p_job_id);
  perform private.check_length('p_note', p_note, 400);
  perform private.check_outcome(v_job, p_outcome, p_labels_out);
  v_was_unknown := v_job.state = 'unknown';
  if v_was_unknown then
    v_job.evidence_level := 3;
    v_job.labels_out := case p_outcome when 'came_out' then v_job.copies * v_job.labels when 'partly' then p_labels_out else 0 end;
    update public.print_job_labels l set state = 'printed'   -- different labels come out in their order
     where l.job_id = p_job_id and l.state = 'wanted' and l.seq * v_job.copies <= v_job.labels_out;
    perform private.move_print(v_job, case p_outcome when 'came_out' then 'printed' else 'failed' end::public.print_job_state,
      row(v_actor, null)::private.print_mover, coalesce(p_note, 'A person looked.'),
      jsonb_build_object('outcome', p_outcome, 'labels_out', v_job.labels_out));
  end if;
  v_answer := private.print_answer(p_job_id, v_was_unknown, case when p_outcome = 'came_out' then 'Thank you: it counts as printed.'
    else 'Thank you: what did not come out can be reprinted.' end);
  perform private.remember(v_actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.resolve_print is
$$A person looked whether an unknown label came out: p_outcome came_out, did_not_come_out, or partly with p_labels_out. What did not come out
is void and can be printed again with reprint.
Permission: printing.resolve in the store.
Errors: print.no_job (404), print.outcome (422), print.labels_out (422), print.wrong_state (409), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; without it a repeat of the same outcome answers changed = false.
Locks: the job.$$;

create function private.check_reprint(p_job public.print_jobs, p_reason text, p_subjects text[])
returns void language plpgsql set search_path = '' as $$
declare
  v_limit integer := (private.setting('printing.reprint_limit', null, p_job.site) #>> '{}')::integer;
begin
  if p_job.state = 'unknown' then
    perform private.fail(409, 'print.unresolved', 'Look at the printer first and say whether it came out.', jsonb_build_object('id', p_job.id));
  elsif p_job.state not in ('printed', 'failed') then
    perform private.refuse_print_state(p_job, 'printed', case when p_job.state in ('cancelled', 'expired')
      then 'It was never printed. Ask for it again.' else format('It is not printed yet: it is %s.', p_job.state) end);
  elsif coalesce(p_reason, '') not in ('damaged', 'lost', 'jam', 'wrong_place', 'unknown_resolution', 'changed') then
    perform private.fail(422, 'print.reason', 'Say why another label is needed.', jsonb_build_object('field', 'p_reason', 'actual', p_reason,
      'expected', array['damaged', 'lost', 'jam', 'wrong_place', 'unknown_resolution', 'changed']));
  elsif coalesce(cardinality(p_subjects), 0) = 0 then
    perform private.fail(422, 'print.subject', 'That label is not one of this job.', jsonb_build_object('field', 'p_subjects'));
  elsif not private.may('printing.supervise') and exists (
    select from public.print_job_labels l join public.print_jobs r on r.id = l.job_id and r.reprint_of is not null
     where l.subject = any (p_subjects) and l.purpose = p_job.label_type and l.state <> 'void' group by l.subject having count(*) >= v_limit)
  then
    perform private.fail(403, 'print.reprint_limit', format('It was reprinted %s times. Ask a supervisor.', v_limit), jsonb_build_object('limit', v_limit));
  end if;
end $$;

create function private.reprint_labels(p_job public.print_jobs, p_reason text, p_subjects text[], p_data jsonb)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  return (
    select jsonb_agg(jsonb_build_object('subject', l.subject, 'print_no', private.next_print_no(l.purpose, l.template, l.subject),
      'data', case p_reason when 'changed' then private.label_data(l.subject, l.data || coalesce(p_data, '{}')) else l.data end) order by l.seq)
      from public.print_job_labels l where l.job_id = p_job.id and l.subject = any (p_subjects));
end $$;

create function private.insert_reprint(p_job public.print_jobs, p_reason text, p_note text, p_copies integer, p_labels jsonb, p_actor uuid)
returns bigint language plpgsql set search_path = '' as $$
declare
  v_new public.print_jobs := p_job;
  v_printer public.printers := private.find_printer(p_job.printer);
  v_template text;
begin
  v_new.reprint_of := p_job.id; v_new.reason := p_reason; v_new.note := p_note; v_new.priority := 10; v_new.requested_by := p_actor;
  v_new.copies := coalesce(p_copies, case when p_job.state = 'failed' and p_job.labels = 1 then p_job.copies - coalesce(p_job.labels_out, 0)
    when p_job.state = 'failed' then p_job.copies else 1 end);
  if not v_printer.is_enabled then
    v_printer := private.printer_for(row(p_job.site, p_job.store, p_job.station)::private.print_place,
      row(p_job.label_type, 1, null, null, 10)::private.print_wish, p_job.media);
  end if;
  if p_reason = 'changed' then
    select v.template into v_template from public.label_template_versions v where v.id = p_job.version_id;
    v_new.version_id := (private.active_label_version(p_job.label_type, p_job.site, v_template)).id;
  end if;
  -- The same bytes again, where they mean the same: same labels, same copies, same kind of printer.
  return private.insert_print(v_new, v_printer, p_labels, case when p_reason <> 'changed' and jsonb_array_length(p_labels) = p_job.labels
    and v_new.copies = p_job.copies and (v_printer.language, v_printer.dpi) = (p_job.language, p_job.dpi) then p_job.payload end);
end $$;

create function private.running_reprint(p_job_id bigint, p_subject text)
returns bigint language plpgsql stable set search_path = '' as $$
begin
  return (
    select r.id from public.print_jobs r join public.print_job_labels l on l.job_id = r.id and l.subject = p_subject
     where r.reprint_of = p_job_id and r.state not in ('printed', 'failed', 'cancelled', 'expired') order by r.id limit 1);
end $$;
comment on function private.running_reprint is 'The reprint of this label of a job that is on its way, if there is one.';

create function public.reprint(
  p_job_id bigint, p_reason text, p_note text default null, p_copies integer default null, p_subjects text[] default null,
  p_data jsonb default null, p_request_id uuid default null)
returns public.print_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.reprint');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'reprint', jsonb_build_array(p_job_id, p_reason, p_note, p_copies, p_subjects, p_data));
  v_job public.print_jobs;
  v_subjects text[];
  v_running bigint;
  v_new bigint;
  v_answer public.print_answer;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.print_answer, v_stored);
  end if;
  v_job := private.lock_print('printing.reprint', p_job_id);
  v_subjects := array(select l.subject from public.print_job_labels l where l.job_id = p_job_id
    and case when p_subjects is null then l.state = 'void' or v_job.state <> 'failed' else l.subject = any (p_subjects) end order by 1);
  perform private.check_length('p_note', p_note, 400);
  perform private.check_reprint(v_job, p_reason, v_subjects);
  perform private.print_wish(v_job.label_type, coalesce(p_copies, 1), null, null, 10);
  v_running := private.running_reprint(p_job_id, v_subjects[1]);
  v_subjects := array(select s from unnest(v_subjects) s where private.running_reprint(p_job_id, s) is null order by 1);
  if v_subjects = '{}' then
    v_answer := private.print_answer(v_running, false, 'A reprint is on its way already.');
  else
    perform pg_advisory_xact_lock(hashtextextended('print:' || v_job.label_type || ':' || s, 0)) from unnest(v_subjects) s;
    v_new := private.insert_reprint(v_job, p_reason, p_note, p_copies, private.reprint_labels(v_job, p_reason, v_subjects, p_data), v_actor);
    v_answer := private.print_answer(v_new, true, null);
    v_answer.message := format('Reprint of %s goes to %s.', v_job.subject, v_answer.printer_name);
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.reprint is
$$One more label on paper: a new job that names the old one, the reason and who wanted it. p_reason damaged, lost, jam, wrong_place,
unknown_resolution, or changed (says what the database knows now and what p_data changes, in the active template; all others send the same
bytes again). p_subjects: only these labels of the job; without it all, of a failed job those that did not come out. p_copies: 1, of a failed job the missing ones.
Permission: printing.reprint in the store; a supervisor's from the setting printing.reprint_limit on.
Errors: print.no_job (404), print.unresolved (409), print.wrong_state (409), print.reason (422), print.subject (422), print.copies (422),
print.reprint_limit (403), print.no_printer (412), print.no_resolution (412), print.too_large (412), label.does_not_fit (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; labels whose reprint is on its way are left out, and when all are, changed = false with that one.
Locks: the job, one advisory lock per label.$$;

grant execute on function public.resolve_print, public.reprint to authenticated;
