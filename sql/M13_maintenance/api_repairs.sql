-- The life of a repair. Each command takes p_at: when it really happened, where somebody books it later.

create function public.acknowledge_repair(p_id bigint, p_at timestamptz default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'acknowledge_repair', jsonb_build_array(p_id, p_at));
  v_repair public.repairs := v_command.repair;
begin
  if v_command.answer is not null or v_repair.status in ('acknowledged', 'in_repair', 'waiting') then
    return private.finish_repair(v_command, null);
  end if;
  perform private.move_repair(v_repair, 'acknowledged', private.instant_given(p_at, v_repair.status_since, 'p_at'), v_command.actor);
  update public.repairs r set assignee_id = v_command.actor
   where r.id = p_id and r.assignee_id is null and exists (select from public.staff_shared s where s.user_id = v_command.actor);
  return private.finish_repair(v_command, 'repair.acknowledged');
end $$;
comment on function public.acknowledge_repair is
$$Somebody of the maintenance knows of it; it becomes theirs when it was nobody's. Of two at once one wins, the other sees who.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.status (409), repair.time (422), request.reused (422).
Idempotency: by p_request_id; acknowledged already answers changed = false.
Locks: the machine, then the repair.$$;

create function public.start_repair(p_id bigint, p_at timestamptz default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'start_repair', jsonb_build_array(p_id, p_at));
  v_repair public.repairs := v_command.repair;
begin
  if v_command.answer is not null or v_repair.status = 'in_repair' then
    return private.finish_repair(v_command, null);
  elsif v_repair.status in ('repaired', 'verified', 'closed') then   -- back only by verify_repair and reopen_repair, which say why
    perform private.check_status(v_repair, 'started');
  end if;
  perform private.move_repair(v_repair, 'in_repair', private.instant_given(p_at, v_repair.status_since, 'p_at'), v_command.actor);
  return private.finish_repair(v_command, case v_repair.status when 'waiting' then 'repair.resumed' else 'repair.started' end);
end $$;
comment on function public.start_repair is
$$Work begins, or goes on after waiting. Who starts without having acknowledged has acknowledged.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.status (409), repair.time (422), request.reused (422).
Idempotency: by p_request_id; begun already answers changed = false.
Locks: the machine, then the repair.$$;

create function public.wait_repair(
  p_id bigint, p_waits_for text, p_note text default null, p_at timestamptz default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'wait_repair',
    jsonb_build_array(p_id, p_waits_for, p_note, p_at));
  v_repair public.repairs := v_command.repair;
begin
  if v_command.answer is not null or v_repair.status = 'waiting' and v_repair.waits_for = p_waits_for then
    return private.finish_repair(v_command, null);
  end if;
  perform private.check_choice('p_waits_for', p_waits_for, '{parts,people,vendor}');
  perform private.move_repair(v_repair, 'waiting', private.instant_given(p_at, v_repair.status_since, 'p_at'), v_command.actor, p_note, p_waits_for);
  return private.finish_repair(v_command, 'repair.waiting');
end $$;
comment on function public.wait_repair is
$$Work stands still: p_waits_for parts, people or vendor. start_repair goes on.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.choice (422), repair.status (409), repair.time (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; waiting for the same already answers changed = false.
Locks: the machine, then the repair.$$;

create function private.refuse_open_checks(p_repair public.repairs)
returns void language plpgsql stable set search_path = '' as $$
declare
  v_open jsonb := (select jsonb_agg(jsonb_build_object('position', c.position, 'title', c.title) order by c.position)
    from public.repair_checks c where c.repair_id = p_repair.id and c.result is null);
begin
  if v_open is not null then
    perform private.fail(409, 'repair.checks_open', 'The checklist is not finished.', jsonb_build_object('open', v_open));
  end if;
end $$;

create function public.complete_repair(
  p_id bigint, p_actions_taken text, p_cause text default null, p_performed_by text default null, p_cost numeric default null,
  p_at timestamptz default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'complete_repair',
    jsonb_build_array(p_id, p_actions_taken, p_cause, p_performed_by, p_cost, p_at));
  v_repair public.repairs := v_command.repair;
begin
  if v_command.answer is not null or v_repair.status = 'repaired' then
    return private.finish_repair(v_command, null);
  end if;
  perform private.check_status(v_repair, 'repaired');
  perform private.refuse_open_checks(v_repair);
  perform private.check_repair_texts(p_actions_taken, p_cause, p_performed_by, p_cost);
  if coalesce(trim(p_actions_taken), '') = '' and v_repair.plan_id is null then
    perform private.fail(422, 'repair.actions', 'Say what was done.', jsonb_build_object('field', 'p_actions_taken'));
  end if;
  update public.repairs r
     set actions_taken = coalesce(nullif(trim(p_actions_taken), ''), r.actions_taken), cause = coalesce(p_cause, r.cause),
         performed_by = coalesce(p_performed_by, r.performed_by,
           (select s.full_name from public.staff_shared s where s.user_id = v_command.actor)), cost = coalesce(p_cost, r.cost)
   where r.id = p_id;
  perform private.move_repair(v_repair, 'repaired', private.instant_given(p_at, v_repair.status_since, 'p_at'), v_command.actor);
  return private.finish_repair(v_command, 'repair.repaired');
end $$;
comment on function public.complete_repair is
$$The work is done: p_actions_taken, p_cause, p_performed_by (default: who says so), p_cost of labour and of what was bought (parts from stock come
on top). Of a work order every check is done first, and p_actions_taken may be empty.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.status (409), repair.checks_open (409), repair.actions (422), repair.cost (422), repair.time (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; repaired already answers changed = false.
Locks: the machine, then the repair.$$;

create function private.check_repair_texts(p_actions_taken text, p_cause text, p_performed_by text, p_cost numeric)
returns void language plpgsql immutable set search_path = '' as $$
begin
  perform private.check_length('p_actions_taken', p_actions_taken, 4000);
  perform private.check_length('p_cause', p_cause, 2000);
  perform private.check_length('p_performed_by', p_performed_by, 300);
  if p_cost < 0 or p_cost = 'NaN' or p_cost >= 1000000000000 then
    perform private.fail(422, 'repair.cost', 'Enter what it cost, 0 or more.', jsonb_build_object('field', 'p_cost', 'actual', p_cost));
  end if;
end $$;

create function public.verify_repair(
  p_id bigint, p_is_ok boolean, p_note text default null, p_at timestamptz default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.verify', p_id, p_request_id, 'verify_repair',
    jsonb_build_array(p_id, p_is_ok, p_note, p_at));
  v_repair public.repairs := v_command.repair;
begin
  if v_command.answer is not null or v_repair.status = 'verified' and p_is_ok then
    return private.finish_repair(v_command, null);
  elsif p_is_ok is not true and coalesce(trim(p_note), '') = '' then
    perform private.fail(422, 'repair.why', 'Say what is still wrong.', jsonb_build_object('field', 'p_note'));
  end if;
  if v_repair.status <> 'repaired' then
    perform private.check_status(v_repair, case when p_is_ok then 'verified' else 'failed' end);
  end if;
  perform private.move_repair(v_repair, case when p_is_ok then 'verified' else 'in_repair' end, private.instant_given(p_at, v_repair.status_since, 'p_at'),
    v_command.actor, p_note);
  return private.finish_repair(v_command, case when p_is_ok then 'repair.verified' else 'repair.verification_failed' end);
end $$;
comment on function public.verify_repair is
$$Somebody tried the machine: p_is_ok, or with p_note what is still wrong. Not ok: it is in repair again, and it is the same failure.
Permission: maintenance.verify at the site of the machine.
Errors: repair.unknown (404), repair.status (409), repair.why (422), repair.time (422), request.too_long (422), request.reused (422).
Idempotency: by p_request_id; verified already answers changed = false.
Locks: the machine, then the repair.$$;

create function public.close_repair(p_id bigint, p_runs_again boolean default true, p_at timestamptz default null, p_request_id uuid default null)
returns public.repair_change language plpgsql security definer set search_path = '' as $$
declare
  v_command private.repair_command := private.begin_repair('maintenance.work', p_id, p_request_id, 'close_repair', jsonb_build_array(p_id, p_runs_again, p_at));
  v_repair public.repairs := v_command.repair;
begin
  if v_command.answer is not null or v_repair.status = 'closed' then
    return private.finish_repair(v_command, null);
  end if;
  perform private.check_status(v_repair, 'closed');
  update public.repairs r set runs_again = coalesce(p_runs_again, true) where r.id = p_id;
  v_repair := private.move_repair(v_repair, 'closed', private.instant_given(p_at, v_repair.status_since, 'p_at'), v_command.actor);
  update public.maintenance_plans p set done_at = v_repair.repaired_at, done_count = private.counter_of(p.machine, p.based_on)
   where p.id = v_repair.plan_id;
  return private.finish_repair(v_command, 'repair.closed', jsonb_build_object('runs_again', v_repair.runs_again));
end $$;
comment on function public.close_repair is
$$The end of a verified repair. p_runs_again false: the machine still stands, for another reason. The plan of a work order counts anew from when
the work was done.
Permission: maintenance.work at the site of the machine.
Errors: repair.unknown (404), repair.status (409), repair.time (422), request.reused (422).
Idempotency: by p_request_id; closed already answers changed = false.
Locks: the machine, then the repair, then its plan.$$;

grant execute on function public.acknowledge_repair, public.start_repair, public.wait_repair, public.complete_repair, public.verify_repair,
  public.close_repair to authenticated;
