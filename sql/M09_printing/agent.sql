-- What an agent may do: only with the printers it owns, and with the fence of its claim.

create type public.print_verdict as (
  changed boolean, job_id bigint, state public.print_job_state, fence integer, why text, send_seconds numeric, lease_seconds numeric,
  cancel_requested boolean, extra_labels integer);
comment on type public.print_verdict is
$$Answer to an agent: what the database made of its call. why: a sentence. send_seconds: how long the first byte may still leave;
lease_seconds: until when the agent must be heard again; both from the moment of the answer, so that clocks need not agree.$$;

create type public.print_claim as (
  job_id bigint, fence integer, printer text, language text, address text, dpi integer, payload text, payload_sha256 text, copies integer,
  labels integer, label_type text, subject text, evidence_required smallint, send_window_s integer, lease_seconds numeric, lease_until timestamptz,
  expires_at timestamptz);
comment on type public.print_claim is
$$One job for an agent. All null: nothing to do. labels: how many different ones, so that copies × labels come out. evidence_required:
0 accepted, 1 drained, 2 counted. send_window_s: how long after begin_send the first byte may leave.$$;

create type private.agent_call as (moved_by private.print_mover, printer public.printers, job public.print_jobs);

create function private.agent_of(p_actor uuid)
returns public.devices language plpgsql stable set search_path = '' as $$
declare
  v_device public.devices;
begin
  select d.* into v_device from public.devices d where d.user_id = p_actor;
  return v_device;
end $$;

create function private.agent_job(p_actor uuid, p_job_id bigint, p_fence integer)
returns private.agent_call language plpgsql set search_path = '' as $$
declare
  v_call private.agent_call;
  v_printer public.printers;
  v_job public.print_jobs;
begin
  select p.* into v_printer from public.printers p where p.code = (select j.printer from public.print_jobs j where j.id = p_job_id) for no key update;
  if v_printer.code is null then
    perform private.fail(404, 'print.no_job', 'There is no print job ' || coalesce(p_job_id::text, '') || '.', jsonb_build_object('id', p_job_id));
  elsif v_printer.device_id is distinct from (private.agent_of(p_actor)).id then
    perform private.fail(403, 'print.not_your_printer', format('%s is the printer of another agent.', v_printer.name), jsonb_build_object('printer', v_printer.code));
  end if;
  select j.* into v_job from public.print_jobs j where j.id = p_job_id for update;
  if v_job.fence is distinct from p_fence or v_job.printer <> v_printer.code then
    perform private.fail(409, 'print.stale_fence', 'This job went on without you: another claim has it, or had it.',
      jsonb_build_object('id', p_job_id, 'expected', v_job.fence, 'actual', p_fence, 'state', v_job.state));
  end if;
  v_call.moved_by := row(p_actor, v_printer.device_id)::private.print_mover;
  v_call.printer := v_printer;
  v_call.job := v_job;
  return v_call;
end $$;
comment on function private.agent_job is
$$The job with its printer, both locked, for the agent that owns the printer and holds the current fence.
Errors: print.no_job (404), print.not_your_printer (403), print.stale_fence (409). Locks: the printer, then the job.$$;

create function private.verdict(p_job public.print_jobs, p_changed boolean)
returns public.print_verdict language plpgsql stable set search_path = '' as $$
begin
  return row(p_changed, p_job.id, p_job.state, p_job.fence, p_job.why,
    case when p_job.state = 'sending' then greatest(round(extract(epoch from p_job.send_deadline - now()), 3), 0) end,
    case when p_job.lease_until is not null then greatest(round(extract(epoch from p_job.lease_until - now()), 3), 0) end,
    p_job.cancel_requested, p_job.extra_labels)::public.print_verdict;
end $$;

-- Claiming ---------------------------------------------------------------------------------------------------------

create function private.claim_of(p_job public.print_jobs, p_printer public.printers)
returns public.print_claim language plpgsql stable set search_path = '' as $$
begin
  return row(p_job.id, p_job.fence, p_printer.code, p_job.language, p_printer.address, p_job.dpi, p_job.payload, p_job.payload_sha256,
    p_job.copies, p_job.labels, p_job.label_type, p_job.subject, p_printer.evidence_level,
    extract(epoch from private.print_seconds('send', p_job.site))::integer, round(extract(epoch from p_job.lease_until - now()), 3),
    p_job.lease_until, p_job.expires_at)::public.print_claim;
end $$;

create function private.is_taken(p_printer text)
returns boolean language plpgsql stable set search_path = '' as $$
begin
  return exists (
    select from public.print_jobs j
     where j.printer = p_printer and j.state in ('claimed', 'sending', 'sent', 'unknown')
       -- An unknown job has the counter to itself for a minute, so that it can be settled without a person.
       and (j.state <> 'unknown' or j.evidence_after is null and j.evidence_before ->> 'odometer' is not null
         and now() < j.settle_after + interval '55 seconds'));
end $$;
comment on function private.is_taken is 'True while a job has the printer: one at a time, or no counter could tell them apart.';

create function private.claim_at(p_printer public.printers, p_nonce uuid, p_by private.print_mover)
returns public.print_jobs language plpgsql set search_path = '' set enable_sort = off as $$
declare
  v_job public.print_jobs;
begin
  loop
    select j.* into v_job from public.print_jobs j
     where j.printer = p_printer.code and j.state = 'queued' and j.run_after <= now() and j.expires_at > now()
     order by j.priority, j.id limit 1 for update skip locked;
    exit when v_job.id is null;
    if v_job.media <> p_printer.loaded_media then   -- not one label on the wrong roll
      perform private.move_print(v_job, 'held', p_by, format('Wrong media: it needs %s, %s is loaded.', v_job.media, p_printer.loaded_media));
    elsif v_job.dpi is distinct from p_printer.dpi or v_job.language <> p_printer.language then
      perform private.refit_prints(p_printer);
    else
      v_job.fence := v_job.fence + 1;
      v_job.attempts := v_job.attempts + 1;
      v_job.claim_nonce := p_nonce;
      v_job.device_id := p_by.device_id;
      v_job.claimed_at := now();
      v_job.lease_until := private.print_lease(v_job, 'claimed');
      return private.move_print(v_job, 'claimed', p_by);
    end if;
  end loop;
  return null;
end $$;
comment on function private.claim_at is
  'The next job of a printer that is locked and free: smallest priority first, then oldest. What needs another roll is held, what was made for another resolution is made anew.';

-- The waiting index is the order: without sorts a plan walks it and stops, however many labels wait.
create function public.claim_print_job(p_nonce uuid, p_printers text[] default null)
returns public.print_claim language plpgsql security definer set search_path = '' set enable_sort = off as $$
declare
  v_actor uuid := private.authorize('printing.work');
  v_by private.print_mover := row(v_actor, (private.agent_of(v_actor)).id);
  v_printer public.printers;
  v_job public.print_jobs;
begin
  select j.* into v_job from public.printers p join public.print_jobs j on j.printer = p.code and j.state = 'claimed'
   where p.device_id = v_by.device_id and j.claim_nonce = p_nonce and j.lease_until > now();
  if v_job.id is not null then
    return private.claim_of(v_job, private.find_printer(v_job.printer));
  end if;
  for v_printer in
    select p.* from public.printers p
      cross join lateral (
        select j.priority, j.id from public.print_jobs j
         where j.printer = p.code and j.state = 'queued' and j.run_after <= now() and j.expires_at > now() order by j.priority, j.id limit 1) w
     where p.device_id = v_by.device_id and (p_printers is null or p.code = any (p_printers)) and p.is_enabled and p.halted_reason is null
     order by w.priority, w.id for no key update of p skip locked
  loop
    continue when private.is_taken(v_printer.code);
    v_job := private.claim_at(v_printer, p_nonce, v_by);
    if v_job.id is not null then
      return private.claim_of(v_job, v_printer);
    end if;
  end loop;
  return null;
end $$;
comment on function public.claim_print_job is
$$The next job for the printers of the calling agent (or some of them), leased to it for the setting printing.claim_seconds. All fields null:
nothing to do. One job at a time per printer; the printer's row is the turnstile.
Permission: printing.work (print agents only).
Errors: auth.forbidden (403).
Idempotency: by p_nonce: while the lease runs the same nonce gets the same job.
Locks: the own printers with waiting jobs and the claimed job, all SKIP LOCKED.$$;

-- Without a job of its own -----------------------------------------------------------------------------------------

create type public.print_unsettled as (
  job_id bigint, fence integer, printer text, state public.print_job_state, copies integer, labels integer, evidence_before jsonb,
  wants_evidence boolean, sending_at timestamptz, sent_at timestamptz, settle_seconds numeric, lease_seconds numeric);
comment on type public.print_unsettled is
$$A job that was begun and is not settled. wants_evidence: false = the counter has been heard, only a person (or the agent's certainty that
no byte left) can settle it. settle_seconds: from then on a counter that has not moved is believed.$$;

create function public.my_unsettled_prints()
returns setof public.print_unsettled language plpgsql stable security definer set search_path = '' as $$
declare
  v_actor uuid := private.authorize('printing.work');
begin
  return query
    select j.id, j.fence, j.printer, j.state, j.copies, j.labels, j.evidence_before, j.state <> 'unknown' or j.evidence_after is null,
      j.sending_at, j.sent_at, greatest(round(extract(epoch from j.settle_after - now()), 3), 0),
      greatest(round(extract(epoch from j.lease_until - now()), 3), 0)
      from public.printers p join public.print_jobs j on j.printer = p.code and j.state in ('sending', 'sent', 'unknown')
     where p.device_id = (private.agent_of(v_actor)).id
     order by j.sending_at, j.id;
end $$;
comment on function public.my_unsettled_prints is
$$Jobs on the printers of the calling agent that were begun and not settled, oldest first: what its resolver looks after.
Permission: printing.work (print agents only).
Errors: auth.forbidden (403).
Idempotency: a read.
Locks: none.$$;

grant execute on function public.claim_print_job, public.my_unsettled_prints to authenticated;
