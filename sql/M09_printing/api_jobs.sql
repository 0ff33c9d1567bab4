create type public.print_answer as (changed boolean, job public.print_jobs, printer_name text, message text);
comment on type public.print_answer is 'Answer to a person: did it change anything, the job now (without its payload), the printer by name, a sentence.';

create function private.print_answer(p_job_id bigint, p_changed boolean, p_message text)
returns public.print_answer language plpgsql stable set search_path = '' as $$
declare
  v_job public.print_jobs;
begin
  select j.* into v_job from public.print_jobs j where j.id = p_job_id;
  v_job.payload := null;
  return row(p_changed, v_job, (select p.name from public.printers p where p.code = v_job.printer), p_message)::public.print_answer;
end $$;

create function private.print_wish(p_label_type text, p_copies integer, p_printer text, p_template text, p_priority integer)
returns private.print_wish language plpgsql set search_path = '' as $$
begin
  if coalesce(p_copies, 0) not between 1 and 500 then
    perform private.fail(422, 'print.copies', 'Print 1 to 500 copies at a time.', jsonb_build_object('field', 'p_copies', 'actual', p_copies));
  elsif coalesce(p_priority, 0) not in (10, 50, 90) then
    perform private.fail(422, 'print.priority', 'The priority is 10 (somebody waits), 50 (normal) or 90 (bulk).',
      jsonb_build_object('field', 'p_priority', 'actual', p_priority));
  end if;
  return row(p_label_type, p_copies, p_printer, p_template, p_priority)::private.print_wish;
end $$;

create function private.demand_prints(p_wish private.print_wish, p_labels jsonb, p_station text, p_actor uuid)
returns setof private.print_demand language plpgsql set search_path = '' as $$
declare
  v_place private.print_place := private.print_place(private.store_of_labels(p_labels), p_station, p_wish.printer);
  v_missing text;
begin
  perform private.authorize('printing.request', v_place.store, v_place.site);
  perform private.authorize_labels(p_labels);
  if p_wish.label_type = 'order_ticket' then
    select l ->> 'subject' into v_missing from jsonb_array_elements(p_labels) l where (private.order_of_label(l ->> 'subject')).row_id is null limit 1;
    if v_missing is not null then
      perform private.fail(404, 'order.unknown', 'There is no order ' || v_missing || '.', jsonb_build_object('id', v_missing));
    end if;
  end if;
  return query select * from private.add_prints(v_place, p_wish, p_labels, p_actor);
end $$;
comment on function private.demand_prints is 'A person asks for labels: their place, their right there, and the jobs.';

create function public.request_print(
  p_label_type text, p_subject text, p_data jsonb default '{}', p_copies integer default 1, p_station text default null,
  p_printer text default null, p_template text default null, p_priority integer default 10, p_request_id uuid default null)
returns public.print_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.request');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'request_print',
    jsonb_build_array(p_label_type, p_subject, p_data, p_copies, p_station, p_printer, p_template, p_priority));
  v_demand private.print_demand;
  v_answer public.print_answer;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.print_answer, v_stored);
  end if;
  select d.* into v_demand from private.demand_prints(private.print_wish(p_label_type, p_copies, p_printer, p_template, p_priority),
    jsonb_build_array(jsonb_build_object('subject', p_subject, 'data', coalesce(p_data, '{}'))), p_station, v_actor) d;
  v_answer := private.print_answer(v_demand.job_id, v_demand.is_new, null);
  v_answer.message := case when v_demand.is_new then format('The label of %s goes to %s.', p_subject, v_answer.printer_name)
    else format('The label of %s was asked for already (%s, %s). For one more use reprint.', p_subject, (v_answer.job).state, v_answer.printer_name) end;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.request_print is
$$One label for p_subject: an order id (its data comes from the order), a serial, an item. Where it is printed follows from the store, the
station (p_station, else the header x-takt-station) and the routes, unless p_printer names a printer. It is compiled now: what does not
fit is refused now. A label that was asked for before is not made again: changed = false with its job; more paper is a reprint.
p_copies 1–500; p_priority 10 somebody waits, 50 normal, 90 bulk.
Permission: printing.request in the store and at the site.
Errors: order.unknown (404), printer.unknown (404), print.no_station (404), label.unknown_template (404), label.no_template (412),
print.no_printer (412), print.no_resolution (412), print.too_large (412), print.where (422), print.other_site (422), print.subject (422), print.copies (422),
print.priority (422), print.other_data (409), label.bad_data (422), label.does_not_fit (422), request.reused (422).
Idempotency: by p_request_id, and by subject, label type and template.
Locks: one advisory lock per label.$$;

create function public.request_prints(
  p_label_type text, p_labels jsonb, p_copies integer default 1, p_station text default null, p_printer text default null,
  p_template text default null, p_priority integer default 90, p_request_id uuid default null)
returns setof public.print_jobs language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.request');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'request_prints',
    jsonb_build_array(p_label_type, p_labels, p_copies, p_station, p_printer, p_template, p_priority));
  v_ids bigint[];
begin
  if v_stored is null then
    v_ids := array(select d.job_id from private.demand_prints(
      private.print_wish(p_label_type, p_copies, p_printer, p_template, p_priority), p_labels, p_station, v_actor) d);
    select jsonb_agg(to_jsonb(j) - 'payload' order by j.id) into v_stored from public.print_jobs j where j.id = any (v_ids);
    perform private.remember(v_actor, p_request_id, v_stored);
  end if;
  return query select j.* from jsonb_populate_recordset(null::public.print_jobs, v_stored) j;
end $$;
comment on function public.request_prints is
$$Many labels at once: p_labels [{subject, data}], 1 to 500 of one store, in jobs of ten, so that an urgent label overtakes at their borders
and a doubt is never about more. Answers the jobs (without payloads), those that existed already too.
Permission: printing.request in the store and at the site.
Errors: those of request_print, print.labels (422), print.same_subject (422), print.mixed_stores (422). One label that is refused refuses all.
Idempotency: by p_request_id, and by subject, label type and template.
Locks: one advisory lock per label, in order.$$;

-- What people do with a job ----------------------------------------------------------------------------------------

create function private.lock_print(p_permission text, p_job_id bigint)
returns public.print_jobs language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
begin
  select j.* into v_job from public.print_jobs j where j.id = p_job_id;
  if v_job.id is null then
    perform private.fail(404, 'print.no_job', 'There is no print job ' || coalesce(p_job_id::text, '') || '.', jsonb_build_object('id', p_job_id));
  end if;
  perform private.authorize(p_permission, v_job.store, v_job.site);
  select j.* into v_job from public.print_jobs j where j.id = p_job_id for update;
  return v_job;
end $$;
comment on function private.lock_print is 'The job, locked, for somebody who may do this in its store and at its site. Errors: print.no_job (404), those of authorize.';

create function private.refuse_print_state(p_job public.print_jobs, p_expected text, p_message text)
returns void language plpgsql set search_path = '' as $$
begin
  perform private.fail(409, 'print.wrong_state', p_message,
    jsonb_build_object('id', p_job.id, 'expected', p_expected, 'actual', p_job.state, 'fence', p_job.fence));
end $$;

create function public.cancel_print(p_job_id bigint, p_request_id uuid default null)
returns public.print_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.request');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'cancel_print', jsonb_build_array(p_job_id));
  v_job public.print_jobs;
  v_answer public.print_answer;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.print_answer, v_stored);
  end if;
  v_job := private.lock_print('printing.request', p_job_id);
  if v_job.requested_by <> v_actor and not private.may('printing.supervise') then
    perform private.fail(403, 'print.not_yours', 'Somebody else asked for this label. Ask them, or a supervisor.', jsonb_build_object('id', p_job_id));
  elsif v_job.state in ('printed', 'failed', 'expired') then
    perform private.refuse_print_state(v_job, 'queued', format('Too late: this label is %s.', v_job.state));
  elsif v_job.state in ('queued', 'held') then
    perform private.move_print(v_job, 'cancelled', row(v_actor, null)::private.print_mover);
    v_answer := private.print_answer(p_job_id, true, 'Cancelled. Nothing will come out.');
  elsif v_job.state = 'cancelled' or v_job.cancel_requested then
    v_answer := private.print_answer(p_job_id, false, 'It was cancelled before.');
  else   -- never over a result: it only keeps the job from being sent (again)
    update public.print_jobs j set cancel_requested = true where j.id = p_job_id;
    perform private.note_print(v_job, v_job.state, 'print.cancel_requested', 'Cancel was asked for.', null, v_actor);
    v_answer := private.print_answer(p_job_id, true, 'The printer may have it already: look there. It will not be sent again.');
  end if;
  perform private.remember(v_actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.cancel_print is
$$The label is not wanted any more. Waiting jobs are cancelled; one that an agent has is only kept from being sent (again), its result stays.
Permission: printing.request in the store; for somebody else's job printing.supervise.
Errors: print.no_job (404), print.not_yours (403), print.wrong_state (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the job.$$;

create function public.hold_print(p_job_id bigint, p_request_id uuid default null)
returns public.print_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.supervise');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'hold_print', jsonb_build_array(p_job_id));
  v_job public.print_jobs;
  v_answer public.print_answer;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.print_answer, v_stored);
  end if;
  v_job := private.lock_print('printing.supervise', p_job_id);
  if v_job.state not in ('queued', 'held') then
    perform private.refuse_print_state(v_job, 'queued', format('Only a waiting label can be held; this one is %s.', v_job.state));
  elsif v_job.state = 'queued' then
    perform private.move_print(v_job, 'held', row(v_actor, null)::private.print_mover, 'Held by hand.');
  end if;
  v_answer := private.print_answer(p_job_id, v_job.state = 'queued', 'Held. Resume it when it may print.');
  perform private.remember(v_actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.hold_print is
$$Keep a waiting label from printing until resume_print.
Permission: printing.supervise in the store.
Errors: print.no_job (404), print.wrong_state (409), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the job.$$;

create function public.resume_print(p_job_id bigint, p_request_id uuid default null)
returns public.print_answer language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.supervise');
  v_stored jsonb := private.replay(v_actor, p_request_id, 'resume_print', jsonb_build_array(p_job_id));
  v_job public.print_jobs;
  v_answer public.print_answer;
begin
  if v_stored is not null then
    return jsonb_populate_record(null::public.print_answer, v_stored);
  end if;
  v_job := private.lock_print('printing.supervise', p_job_id);
  if v_job.state not in ('queued', 'held') then
    perform private.refuse_print_state(v_job, 'held', format('Only a held label can be resumed; this one is %s.', v_job.state));
  elsif v_job.state = 'held' then
    v_job := private.recompile_print(v_job, private.find_printer(v_job.printer));
    update public.print_jobs j set expires_at = greatest(j.expires_at, private.print_expiry(j.site)) where j.id = p_job_id;
    perform private.move_print(v_job, 'queued', row(v_actor, null)::private.print_mover);
  end if;
  v_answer := private.print_answer(p_job_id, v_job.state = 'held', 'It waits for its printer again.');
  perform private.remember(v_actor, p_request_id, to_jsonb(v_answer));
  return v_answer;
end $$;
comment on function public.resume_print is
$$A held label may print again; compiled anew when the printer has another resolution by now.
Permission: printing.supervise in the store.
Errors: print.no_job (404), print.wrong_state (409), print.too_large (412), label.does_not_fit (422), request.reused (422).
Idempotency: by p_request_id; without it a repeat answers changed = false.
Locks: the job.$$;

grant execute on function public.request_print, public.request_prints, public.cancel_print, public.hold_print, public.resume_print to authenticated;
