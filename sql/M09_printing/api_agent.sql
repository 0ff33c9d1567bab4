create function public.begin_send(p_job_id bigint, p_fence integer, p_evidence jsonb)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
  v_job public.print_jobs := v_call.job;
  v_unknown public.print_jobs;
begin
  if v_job.state = 'sending' then
    return private.verdict(v_job, false);
  end if;
  perform private.check_begin(v_job, v_call.printer);
  perform private.check_ready(v_job, v_call.printer, p_evidence);
  -- The last moment at which the counter speaks for the job before this one alone.
  select j.* into v_unknown from public.print_jobs j where j.printer = v_job.printer and j.state = 'unknown' order by j.sending_at desc limit 1 for update;
  if v_unknown.evidence_before ->> 'odometer' is not null and p_evidence ->> 'odometer' is not null then
    perform private.settle_print(v_unknown, p_evidence, v_call.moved_by);
  end if;
  v_job.evidence_before := p_evidence;
  v_job.evidence_after := null;
  v_job.sending_at := now();
  v_job.sent_at := null;
  v_job.send_deadline := now() + private.print_seconds('send', v_job.site);
  v_job.settle_after := v_job.send_deadline + private.print_seconds('settle', v_job.site);
  v_job.lease_until := private.print_lease(v_job, 'sending');
  return private.verdict(private.move_print(v_job, 'sending', v_call.moved_by, null, p_evidence), true);
end $$;
comment on function public.begin_send is
$$Write-ahead: the first byte may leave once this is answered, for send_seconds. p_evidence is the printer right before: {odometer, openings,
boot_id, uptime_s, formats, remaining, partial, faults, idle, dpi}; it must be idle, healthy, empty, and show its counter where the printer has one.
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409), print.wrong_state (409), print.cancelled (409),
print.lease_over (409), print.expired (409), print.halted (409), print.no_evidence (412), print.wrong_resolution (412), print.bad_evidence (422).
Idempotency: by the fence; a repeat answers changed = false with what is left of send_seconds.
Locks: the printer, then the job.$$;

create function private.check_begin(p_job public.print_jobs, p_printer public.printers)
returns void language plpgsql set search_path = '' as $$
declare
  v_detail constant jsonb := jsonb_build_object('id', p_job.id, 'printer', p_printer.code);
begin
  if p_job.state <> 'claimed' then
    perform private.refuse_print_state(p_job, 'claimed', format('This job is %s.', p_job.state));
  elsif p_job.cancel_requested then
    perform private.fail(409, 'print.cancelled', 'Somebody cancelled it. Release it.', v_detail);
  elsif p_job.lease_until < now() then
    perform private.fail(409, 'print.lease_over', 'Too late: the claim has run out.', v_detail);
  elsif p_job.expires_at <= now() then
    perform private.fail(409, 'print.expired', 'Too late: nobody waits for this label any more. Release it.', v_detail);
  elsif not p_printer.is_enabled or p_printer.halted_reason is not null or p_printer.loaded_media <> p_job.media then
    perform private.fail(409, 'print.halted', format('%s may not print this now. Release it.', p_printer.name), v_detail);
  end if;
end $$;

create function private.check_ready(p_job public.print_jobs, p_printer public.printers, p_evidence jsonb)
returns void language plpgsql set search_path = '' as $$
declare
  v_problem text;
begin
  perform private.check_evidence(p_evidence);
  v_problem := coalesce(private.not_ready(p_evidence), case when p_printer.evidence_level = 2 and p_evidence ->> 'odometer' is null
    then 'its counter cannot be read; if it has none, set its evidence level to 1' end);
  if v_problem is not null then
    perform private.fail(412, 'print.no_evidence', format('Not begun on %s: %s.', p_printer.name, v_problem), jsonb_build_object('evidence', p_evidence));
  elsif (p_evidence ->> 'dpi')::numeric <> p_job.dpi or p_printer.dpi <> p_job.dpi then
    perform private.fail(412, 'print.wrong_resolution', format('%s prints at %s dpi; this label was made for %s.', p_printer.name,
      coalesce(p_evidence ->> 'dpi', p_printer.dpi::text), p_job.dpi), jsonb_build_object('expected', p_job.dpi, 'actual', p_evidence -> 'dpi'));
  end if;
end $$;

create function public.abort_send(p_job_id bigint, p_fence integer, p_reason text default null)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
  v_job public.print_jobs := v_call.job;
begin
  if v_job.state = 'queued' or v_job.state = 'cancelled' then
    return private.verdict(v_job, false);
  elsif v_job.state not in ('claimed', 'sending', 'unknown') or v_job.sent_at is not null then
    perform private.refuse_print_state(v_job, 'sending', format('Bytes have left for this job: it is %s.', v_job.state));
  end if;
  return private.verdict(private.requeue_print(v_job, v_call.moved_by, coalesce(left(p_reason, 400), 'No byte has left.'),
    interval '2 seconds', true), true);
end $$;
comment on function public.abort_send is
$$It was begun, but certainly not one byte was handed over: back to the queue, the try does not count. Also for an unknown job of this fence.
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409), print.wrong_state (409).
Idempotency: by the fence; a repeat answers changed = false.
Locks: the printer, then the job.$$;

create function public.mark_sent(p_job_id bigint, p_fence integer, p_bytes integer)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
  v_job public.print_jobs := v_call.job;
  v_all constant integer := octet_length(v_job.payload);
begin
  if v_job.state in ('sent', 'printed', 'failed') or v_job.state = 'unknown' and v_job.sent_at is not null then
    return private.verdict(v_job, false);
  elsif coalesce(p_bytes, 0) < v_all then
    perform private.fail(422, 'print.bytes', format('Only %s of %s bytes have left: that is not sent.', coalesce(p_bytes, 0), v_all),
      jsonb_build_object('expected', v_all, 'actual', p_bytes));
  elsif v_job.state = 'unknown' then   -- late truth: it stays unknown, but it is known to have left
    update public.print_jobs j set sent_at = now() where j.id = p_job_id returning j.* into v_job;
    perform private.note_print(v_job, v_job.state, 'print.sent_late', 'All bytes had left.', jsonb_build_object('bytes', p_bytes),
      (v_call.moved_by).actor_id, (v_call.moved_by).device_id);
    return private.verdict(v_job, false);
  elsif v_job.state <> 'sending' then
    perform private.refuse_print_state(v_job, 'sending', format('This job is %s.', v_job.state));
  end if;
  v_job.sent_at := now();
  v_job.settle_after := now() + private.print_seconds('settle', v_job.site);
  v_job.lease_until := private.print_lease(v_job, 'sent');
  return private.verdict(private.move_print(v_job, 'sent', v_call.moved_by, null, jsonb_build_object('bytes', p_bytes)), true);
end $$;
comment on function public.mark_sent is
$$All bytes of the payload were handed over; p_bytes says how many.
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409), print.wrong_state (409), print.bytes (422).
Idempotency: by the fence; a repeat answers changed = false.
Locks: the printer, then the job.$$;

create function public.confirm_print(p_job_id bigint, p_fence integer, p_evidence jsonb)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
  v_job public.print_jobs := v_call.job;
  v_old public.print_jobs := v_call.job;
  v_decision private.print_decision;
begin
  perform private.check_evidence(p_evidence);
  if v_job.state in ('sending', 'sent', 'unknown') then
    v_job := private.settle_print(v_job, p_evidence, v_call.moved_by);
  elsif v_job.state in ('failed', 'cancelled', 'expired') and v_job.sending_at is not null then
    v_decision := private.decide_print(v_job, p_evidence);   -- late truth never moves what a person has decided
    if v_decision.outcome = 'printed' then
      perform private.note_print(v_job, v_job.state, 'print.late_truth', 'It came out after all: look for a label too many. ' || coalesce(v_decision.why, ''),
        p_evidence, (v_call.moved_by).actor_id, (v_call.moved_by).device_id);
    end if;
  elsif v_job.state <> 'printed' then
    perform private.refuse_print_state(v_job, 'sent', format('This job was not begun: it is %s.', v_job.state));
  end if;
  return private.verdict(v_job, v_job.state <> v_old.state);
end $$;
comment on function public.confirm_print is
$$Here is what the printer shows now (as in begin_send); the database decides: printed, queued again (provably nothing came out), unknown (a
person must look), or nothing yet (changed = false; ask again later). Also for jobs that became unknown meanwhile: late truth counts, but
never moves what a person has decided.
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409), print.wrong_state (409), print.bad_evidence (422).
Idempotency: by the fence; a settled job answers changed = false.
Locks: the printer, then the job.$$;

create function public.print_unknown(p_job_id bigint, p_fence integer, p_reason text default null, p_evidence jsonb default null)
returns public.print_verdict language plpgsql security definer set search_path = '' as $$
declare
  v_call private.agent_call := private.agent_job(private.authorize('printing.work'), p_job_id, p_fence);
  v_job public.print_jobs := v_call.job;
begin
  if p_evidence is not null and p_evidence <> 'null' then
    perform private.check_evidence(p_evidence);
  end if;
  if v_job.state in ('unknown', 'printed', 'failed', 'cancelled') then
    return private.verdict(v_job, false);
  elsif v_job.state not in ('sending', 'sent') then
    perform private.refuse_print_state(v_job, 'sending', format('This job was not begun: it is %s.', v_job.state));
  end if;
  v_job.settle_after := now() + private.print_seconds('settle', v_job.site);
  return private.verdict(private.move_print(v_job, 'unknown', v_call.moved_by, coalesce(left(p_reason, 400), 'The agent cannot tell.'), p_evidence), true);
end $$;
comment on function public.print_unknown is
$$Something went wrong after the first byte: nobody knows what came out. The agent sends nothing more for this claim.
Permission: printing.work, with the printer's agent.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409), print.wrong_state (409), print.bad_evidence (422).
Idempotency: by the fence; a repeat answers changed = false.
Locks: the printer, then the job.$$;

grant execute on function public.begin_send, public.abort_send, public.mark_sent, public.confirm_print, public.print_unknown to authenticated;
