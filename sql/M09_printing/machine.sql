-- The states of a print job: the matrix, what keeps it, and the one function that moves a job.

insert into private.print_transitions (from_state, to_state) values
  ('queued', 'claimed'), ('queued', 'held'), ('queued', 'cancelled'), ('queued', 'expired'),
  ('held', 'queued'), ('held', 'cancelled'),
  ('claimed', 'queued'), ('claimed', 'sending'), ('claimed', 'failed'),
  ('sending', 'queued'), ('sending', 'sent'), ('sending', 'unknown'),
  ('sent', 'printed'), ('sent', 'unknown'),
  ('unknown', 'printed'), ('unknown', 'queued'), ('unknown', 'failed');

create function private.tg_print_jobs__state()
returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'INSERT' and new.state <> 'queued' or tg_op = 'UPDATE' and new.state <> old.state and not exists (
    select 1 from private.print_transitions t where t.from_state = old.state and t.to_state = new.state
  ) then
    perform private.fail(409, 'print.illegal_move', format('A print job does not go from %s to %s.',
      case tg_op when 'UPDATE' then old.state::text else 'nothing' end, new.state), jsonb_build_object('to', new.state));
  end if;
  return new;
end $$;
create trigger _200_state before insert or update of state on public.print_jobs
  for each row execute function private.tg_print_jobs__state();

create function private.print_event(p_from public.print_job_state, p_to public.print_job_state)
returns text language plpgsql immutable set search_path = '' as $$
begin
  return 'print.' || case
    when p_from is null then 'requested'
    when p_to <> 'queued' then p_to::text
    when p_from = 'held' then 'resumed'
    when p_from = 'claimed' then 'released'
    else 'queued' end;
end $$;
comment on function private.print_event is 'Name of a step in the stream print. requested, resumed, released and queued mean work for an agent.';

create function private.note_print(
  p_job public.print_jobs, p_from public.print_job_state, p_event text, p_reason text default null, p_evidence jsonb default null,
  p_actor uuid default null, p_device uuid default null)
returns void language plpgsql set search_path = '' as $$
begin
  insert into public.print_job_events (job_id, from_state, to_state, fence, actor_id, device_id, reason, evidence)
  values (p_job.id, p_from, p_job.state, p_job.fence, p_actor, p_device, p_reason, p_evidence);
  perform private.emit('print', p_job.id::text, p_event, p_actor, jsonb_strip_nulls(jsonb_build_object(
    'version', p_job.fence, 'state', p_job.state, 'printer', p_job.printer, 'subject', p_job.subject, 'reason', p_reason)),
    p_job.store, p_job.site, p_job.station);
end $$;
comment on function private.note_print is 'One line in the history of a job, and its event. p_from = the present state: a remark.';

create function private.tg_print_jobs__history()
returns trigger language plpgsql set search_path = '' as $$
declare
  v_from public.print_job_state := case tg_op when 'UPDATE' then old.state end;
begin
  perform private.note_print(new, v_from, private.print_event(v_from, new.state), new.why, new.state_evidence, new.state_by, new.state_device);
  if new.state in ('printed', 'failed', 'cancelled', 'expired') then
    update public.print_job_labels l set state = case new.state when 'printed' then 'printed' else 'void' end
     where l.job_id = new.id and l.state = 'wanted';
  end if;
  return null;
end $$;
create trigger _900_born after insert on public.print_jobs for each row execute function private.tg_print_jobs__history();
create trigger _900_moved after update of state on public.print_jobs
  for each row when (old.state <> new.state) execute function private.tg_print_jobs__history();

create function private.tg_print_job_events__append_only()
returns trigger language plpgsql set search_path = '' as $$
begin
  perform private.fail(409, 'events.append_only', 'Events are never changed or removed.');
  return null;
end $$;
create trigger _200_append_only before update or delete on public.print_job_events
  for each row execute function private.tg_print_job_events__append_only();
create trigger _200_no_truncate before truncate on public.print_job_events
  for each statement execute function private.tg_print_job_events__append_only();

-- Moving -----------------------------------------------------------------------------------------------------------

create type private.print_mover as (actor_id uuid, device_id uuid);

create function private.move_print(
  p_new public.print_jobs, p_to public.print_job_state, p_by private.print_mover, p_why text default null, p_evidence jsonb default null)
returns public.print_jobs language plpgsql set search_path = '' as $$
declare
  v_job public.print_jobs;
  v_leased constant boolean := p_to in ('claimed', 'sending', 'sent');
begin
  update public.print_jobs j set
    (state, state_by, state_device, why, state_evidence, fence, attempts, claim_nonce, device_id, lease_until, send_deadline, settle_after,
     run_after, evidence_before, evidence_after, evidence_level, extra_labels, labels_out, claimed_at, sending_at, sent_at, finished_at) =
    (p_to, nullif(p_by.actor_id, '00000000-0000-0000-0000-000000000000'), p_by.device_id, left(p_why, 500), p_evidence, p_new.fence,
     p_new.attempts, case when v_leased then p_new.claim_nonce end, p_new.device_id, case when v_leased then p_new.lease_until end,
     p_new.send_deadline, p_new.settle_after, p_new.run_after, p_new.evidence_before, p_new.evidence_after, p_new.evidence_level,
     p_new.extra_labels, p_new.labels_out, p_new.claimed_at, p_new.sending_at, p_new.sent_at,
     case when p_to in ('printed', 'failed', 'cancelled', 'expired') then now() end)
   where j.id = p_new.id returning j.* into v_job;
  return v_job;
end $$;
comment on function private.move_print is
  'Write the changed copy of a locked job with its new state: the only statement that moves a job. The trigger refuses what the matrix does not have.';

create function private.requeue_print(
  p_job public.print_jobs, p_by private.print_mover, p_why text, p_wait interval, p_is_untouched boolean, p_evidence jsonb default null)
returns public.print_jobs language plpgsql set search_path = '' as $$
declare
  v_new public.print_jobs := p_job;
begin
  if p_is_untouched then
    v_new.attempts := greatest(v_new.attempts - 1, 0);   -- the printer was not ready: not the job's fault
  elsif v_new.attempts >= 5 and p_job.state in ('claimed', 'unknown') then
    return private.move_print(v_new, 'failed', p_by, 'Tried five times: ' || p_why, p_evidence);
  end if;
  v_new.run_after := now() + p_wait;
  v_new := private.move_print(v_new, 'queued', p_by, p_why, p_evidence);
  if v_new.cancel_requested then
    v_new := private.move_print(v_new, 'cancelled', p_by, 'Cancelled while an agent had it; nothing came out.');
  end if;
  return v_new;
end $$;
comment on function private.requeue_print is
$$Back to the queue, where it is proved that nothing came out. A cancellation asked for meanwhile takes effect now; the fifth try that
was not untouched is the last one.$$;

create function private.print_seconds(p_key text, p_site text)
returns interval language plpgsql stable set search_path = '' as $$
begin
  return make_interval(secs => (private.setting('printing.' || p_key || '_seconds', null, p_site) #>> '{}')::integer);
end $$;
comment on function private.print_seconds is 'A time of the protocol at this site: claim, send or settle.';

create function private.print_lease(p_job public.print_jobs, p_state public.print_job_state)
returns timestamptz language plpgsql stable set search_path = '' as $$
begin
  return now() + private.print_seconds('claim', p_job.site)
    + case when p_state = 'claimed' then interval '0' else interval '2 seconds' * p_job.copies * p_job.labels end;
end $$;
comment on function private.print_lease is 'How long the agent may be silent from now on: longer while labels come out.';

-- The clock --------------------------------------------------------------------------------------------------------

create function private.sweep_prints(p_now timestamptz)
returns void language plpgsql set search_path = '' as $$
declare
  v_server constant private.print_mover := null;
  v_job public.print_jobs;
begin
  for v_job in select j.* from public.print_jobs j where j.lease_until < p_now order by j.id for update skip locked loop
    if v_job.state = 'claimed' then
      perform private.requeue_print(v_job, v_server, 'The agent stopped answering before it began.', interval '0', false);
    else   -- a byte may have left: never queued by itself
      v_job.settle_after := p_now + private.print_seconds('settle', v_job.site);
      perform private.move_print(v_job, 'unknown', v_server, 'The agent stopped answering while it printed.');
    end if;
  end loop;
  for v_job in select j.* from public.print_jobs j where j.state = 'queued' and j.expires_at <= p_now order by j.id for update skip locked loop
    perform private.move_print(v_job, 'expired', v_server, 'Nobody printed it in time. Ask for it again if it is still needed.');
  end loop;
  update public.print_jobs j   -- bulk work never starves: who waits rises a band every ten minutes
     set priority = case j.priority when 90 then 50 else 10 end, aged_at = p_now
   where j.id = any (array(
     select q.id from public.print_jobs q
      where q.state = 'queued' and q.priority > 10 and q.aged_at < p_now - interval '10 minutes' for update skip locked));
  perform private.reroute_prints(p_now);
end $$;
comment on function private.sweep_prints is
$$Claims whose agent is silent go back to the queue; what may have begun becomes unknown, never queued; old jobs expire; waiting ones
rise; jobs of a dead printer go to the next one of their route.$$;
